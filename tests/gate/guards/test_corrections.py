"""A guard pressed the wrong button: the act stays written down, and counts as if it had not been."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.channel import Refused
from kiosk.core.guards.corrections import Correctable
from kiosk.core.guards.shifts import DutyRoster
from kiosk.core.judge import person_of
from kiosk.verbs import Presentation, Session
from sync.protocol import Event
from tests.fixtures.gate_parts import Bench, credential, row_of, text_of, usual_changes

SUSPENDED, GOOD = credential(8), credential(5)
ROWS = [row_of(SUSPENDED, state="suspended", household=15), row_of(GOOD)]
LIN = Session(token="", name="Lin", role="guard", ends_in_s=1)
WANG = Session(token="", name="Wang", role="guard", ends_in_s=1)
ZHAO = Session(token="", name="Zhao", role="supervisor", ends_in_s=1)


class Post:
    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @property
    def roster(self) -> DutyRoster:
        return DutyRoster(self.bench.book, self.bench.journal, self.bench.clock, self.bench.kept)

    def show(self, shown: Any = SUSPENDED) -> int:
        return self.bench.gate.present(Presentation(lane="entry", text=text_of(shown))).happening

    def let_in(self, by: str = "Lin") -> None:
        """A suspended pass is let in by a guard, and passes."""
        self.bench.acts.rule(self.show(), True, by, "papers")
        self.bench.drive_through()
        self.bench.go(20)

    def correctable(self, who: Session) -> dict[str, Event]:
        self.bench.events()  # all is written
        found = Correctable(self.bench.journal, self.bench.mirror, self.bench.clock)
        return found.read(who, self.roster.on())

    def acts(self, who: Session = LIN) -> list[Any]:
        found = Correctable(self.bench.journal, self.bench.mirror, self.bench.clock)
        return found.tell(who, self.correctable(who))

    def annul(self, who: Session = LIN, event: str = "") -> None:
        found = Correctable(self.bench.journal, self.bench.mirror, self.bench.clock)
        events = self.correctable(who)
        act = found.act(who, events, event or found.tell(who, events)[0].event)
        self.bench.acts.annul(act, who.name)

    def used(self) -> int:
        row = self.bench.mirror.find(SUSPENDED.scope, SUSPENDED.serial).row
        person = person_of(SUSPENDED.scope, SUSPENDED.serial, row)
        return self.bench.gate.uses.today(person, 15, 0, ("in",))[0]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    bench = Bench(tmp_path / "gate", ROWS, usual_changes(override_budget=1))
    yield Post(bench)
    bench.stop()


def test_an_annulled_ruling_uses_nothing_also_after_a_restart(post: Post) -> None:
    post.roster.begin("Lin")
    post.let_in()
    post.let_in()
    assert post.used() == 2
    post.annul()
    assert post.used() == 1
    post.bench.restart()
    assert post.used() == 1
    post.annul(event=post.acts()[1].event)  # a use of the run before
    assert post.used() == 0
    post.bench.restart()
    assert post.used() == 0


def test_an_opening_that_is_annulled_before_anybody_passed_uses_nothing(post: Post) -> None:
    post.roster.begin("Lin")
    post.bench.acts.rule(post.show(), True, "Lin", "")
    post.annul()
    post.bench.drive_through()
    assert post.used() == 0
    post.bench.restart()
    assert post.used() == 0


def test_nothing_is_deleted_and_the_event_names_the_act(post: Post) -> None:
    post.roster.begin("Lin")
    post.let_in()
    post.annul()
    (ruled,) = post.bench.events("ruled")
    (annulled,) = post.bench.events("annulled")
    assert (annulled.about, annulled.by, annulled.outcome, annulled.lane) == (ruled.id, "Lin", "grant", "entry")
    assert post.bench.live[-1].kind == "annulled" and post.bench.live[-1].about
    (act,) = post.acts()
    assert (act.annulled, act.label, act.dwelling, act.kind) == (True, "王**", "3-2-1201", "ruling")
    with pytest.raises(Refused, match="annulled_before"):
        post.annul()


def test_only_own_acts_of_the_own_shift_can_be_taken_back_and_a_supervisors_any(post: Post) -> None:
    post.let_in()  # before the shift
    with pytest.raises(Refused, match="not_on_duty"):
        post.acts()
    before = post.bench.events("ruled")[0].id
    post.roster.begin("Lin")
    post.roster.begin("Wang")
    post.let_in("Wang")
    theirs = post.acts(WANG)[0].event
    assert post.acts() == []
    for event in (before, theirs, post.bench.events("decided")[0].id, "none"):
        with pytest.raises(Refused, match="not_your_act"):
            post.annul(event=event)
    post.annul(ZHAO, before)
    post.annul(ZHAO, theirs)
    assert post.used() == 0
    assert [event.by for event in post.bench.events("annulled")] == ["Zhao", "Zhao"]


def test_an_annulled_override_gives_its_budget_back_and_wants_no_reason(post: Post) -> None:
    post.roster.begin("Lin")
    for _ in range(2):
        post.bench.acts.override("entry", True, 0, "Lin", "")
        post.bench.go(20)
        post.annul()
    assert [event.reason for event in post.bench.events("override")] == ["", ""]
    assert post.bench.acts.unexplained == set()


def test_the_sheet_lists_a_mistake_as_such_and_counts_it_nowhere_else(post: Post) -> None:
    post.roster.begin("Lin")
    post.let_in()
    post.let_in()
    post.annul()
    post.bench.acts.override("entry", True, 0, "Lin", "")
    post.annul()
    post.bench.drive_through()
    post.bench.events()
    sheet = post.roster.sheet(post.roster.latest()[0].shift)
    assert (sheet.answers, sheet.passages, sheet.opened, sheet.unexplained) == ({"grant": 1}, {"passed": 1}, 0, [])
    assert [(line.kind, line.by) for line in sheet.annulled] == [("ruled", "Lin"), ("override", "Lin")]


# --- overrides --------------------------------------------------------------------------------------------------------


def test_an_override_beyond_the_budget_waits_for_a_supervisor_over_restarts_until_seen(post: Post) -> None:
    for _ in range(3):
        post.bench.acts.override("entry", True, 0, "Lin", "known")
        post.bench.go(20)
    told = post.bench.kept.now.overspent
    assert [(one.by, one.lane) for one in told] == [("Lin", "entry")] * 2 and post.bench.parts["entry"].rises == 3
    post.bench.restart()
    assert post.bench.kept.now.overspent == told
    post.bench.acts.heed(told[0].event, "Zhao")
    post.bench.acts.heed(told[0].event, "Zhao")
    assert post.bench.kept.now.overspent == told[1:]
    (seen,) = post.bench.events("acknowledged")
    assert (seen.by, seen.why, seen.about) == ("Zhao", "over_budget", told[0].event)


def test_no_more_than_twenty_wait_for_a_supervisor(post: Post) -> None:
    for _ in range(25):
        post.bench.acts.override("entry", True, 0, "Lin", "known")
        post.bench.go(20)
    events = post.bench.events("override")
    assert [one.event for one in post.bench.kept.now.overspent] == [event.id for event in events[-20:]]


def test_a_reason_may_say_for_which_dwelling_and_never_a_name(post: Post) -> None:
    post.roster.begin("Lin")
    line = post.bench.acts.override("entry", True, 0, "Lin", "")
    with pytest.raises(Refused, match="no_names"):
        post.bench.acts.explain(line.number, "Lin", "other: no reason fits", "王建国")
    assert line.number in post.bench.acts.unexplained
    post.bench.acts.explain(line.number, "Lin", "other: no reason fits", " 3-2-501 ")
    (explained,) = post.bench.events("explained")
    assert explained.dwelling == "3-2-501"
    sheet = post.roster.sheet(post.roster.latest()[0].shift)
    assert (sheet.overrides[0].dwelling, sheet.other) == ("3-2-501", 1)
