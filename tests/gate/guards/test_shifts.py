"""A guard's shift: begun and ended by name, its notes, and the hand-over sheet made of the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.channel import Refused
from kiosk.core.guards.shifts import DutyRoster
from kiosk.verbs import Presentation, Session
from sync.shifts import LONGEST_SHIFT_S, NOTE_CHARACTERS, NOTES, ShiftSheet
from tests.fixtures.gate_parts import Bench, credential, row_of, text_of, usual_changes

GOOD, SUSPENDED, REVOKED = credential(5), credential(8), credential(9)
ROWS = [
    row_of(GOOD),
    row_of(SUSPENDED, state="suspended", household=15),
    row_of(REVOKED, state="revoked", household=16),
]
LIN = Session(token="", name="Lin", role="guard", ends_in_s=1)
WANG = Session(token="", name="Wang", role="guard", ends_in_s=1)
ZHAO = Session(token="", name="Zhao", role="supervisor", ends_in_s=1)


class Post:
    """A gate and the roster of its guards."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @property
    def roster(self) -> DutyRoster:
        return DutyRoster(self.bench.book, self.bench.journal, self.bench.clock, self.bench.kept)

    def show(self, shown: Any) -> int:
        return self.bench.gate.present(Presentation(lane="entry", text=text_of(shown))).happening

    def sheet(self, shift: str = "") -> ShiftSheet:
        self.bench.events()  # all is written
        return self.roster.sheet(shift or self.roster.latest()[0].shift)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    bench = Bench(tmp_path / "gate", ROWS, usual_changes(override_budget=1, refer_s=30))
    yield Post(bench)
    bench.stop()


def test_a_shift_begins_and_ends_by_name_and_both_are_events(post: Post) -> None:
    post.roster.begin("Lin")
    post.roster.begin("Lin")
    assert [on.name for on in post.roster.on()] == ["Lin"]
    post.bench.go(60)
    post.roster.end(LIN, "")
    began, ended = post.bench.events("shift")
    assert (began.outcome, began.by, ended.outcome, ended.by, ended.about) == ("on", "Lin", "off", "Lin", began.id)
    assert post.roster.on() == []
    sheet = post.sheet(began.id)
    assert (sheet.by, sheet.begun_ms, sheet.ended_ms, sheet.ended_by) == ("Lin", began.at_ms, ended.at_ms, "Lin")


def test_a_shift_outlasts_a_restart_of_the_core(post: Post) -> None:
    post.roster.begin("Lin")
    post.bench.restart()
    assert [on.name for on in post.roster.on()] == ["Lin"]
    post.roster.end(LIN, "")
    assert post.sheet().ended_by == "Lin"
    assert [line.kind for line in post.sheet().faults] == ["boot"]


def test_the_sheet_counts_what_happened_in_the_shift_and_nothing_before_or_after(post: Post) -> None:
    post.bench.acts.override("entry", True, 0, "Lin", "known")  # before
    post.bench.go(30)
    post.roster.begin("Lin")
    post.show(GOOD)
    post.bench.drive_through()
    post.bench.acts.rule(post.show(SUSPENDED), True, "Lin", "papers")
    post.bench.drive_through()
    post.bench.go(20)
    post.show(SUSPENDED)
    post.bench.go(40)  # nobody answers
    post.show(REVOKED)
    post.bench.acts.override("entry", True, 0, "Lin", "")
    post.bench.go(20)
    post.bench.gate.input_changed("entry", "guard_button", True)
    post.bench.go(20)
    post.roster.end(LIN, "")
    post.bench.acts.override("entry", True, 0, "Lin", "known")  # after
    sheet = post.sheet()
    assert sheet.decisions == {"grant": 1, "refer": 2, "deny": 1}
    assert sheet.answers == {"grant": 1, "unanswered": 1} and sheet.passages["passed"] == 2
    assert (sheet.opened, sheet.refused, sheet.buttons, len(sheet.overrides)) == (1, 0, 1, 1)


def test_overrides_are_named_with_reason_and_budget_and_a_reason_given_after_the_shift_counts(post: Post) -> None:
    post.roster.begin("Lin")
    post.bench.acts.override("entry", True, 0, "Lin", "delivery")
    post.bench.go(20)
    later = post.bench.acts.override("entry", True, 0, "Lin", "")
    post.bench.go(20)
    post.roster.end(LIN, "")
    sheet = post.sheet()
    assert [(line.by, line.reason, line.over_budget) for line in sheet.overrides] == [
        ("Lin", "delivery", False), ("Lin", "", True),
    ]  # fmt: skip
    assert [line.event for line in sheet.unexplained] == [later.event] and sheet.over_budget == 1
    post.bench.acts.explain(later.number, "Lin", "urgent")
    assert post.sheet().unexplained == [] and post.sheet().overrides[1].reason == "urgent"


def test_a_fault_is_one_line_from_its_beginning_to_its_end(post: Post) -> None:
    post.roster.begin("Lin")
    for outcome, seconds in (("on", 90), ("off", 60), ("on", 10)):
        post.bench.book.record("camera_fault", lane="entry", outcome=outcome, why="camera_black")
        post.bench.go(seconds)
    first, second = post.sheet().faults
    assert first.until_ms - first.at_ms == pytest.approx(90_000, abs=1000) and second.until_ms == 0
    post.bench.restart()
    assert [(line.kind, bool(line.until_ms)) for line in post.sheet().faults] == [
        ("camera_fault", True), ("camera_fault", True), ("boot", False),
    ]  # fmt: skip


def test_notes_reach_the_next_guard_and_are_short_and_few(post: Post) -> None:
    with pytest.raises(Refused, match="not_on_duty"):
        post.roster.note("Lin", "hello")
    roster = post.roster
    roster.begin("Lin")
    roster.note("Lin", "  3号楼的  货车\n明早再来 ")
    for text, why in (("", "note_empty"), (" \n", "note_empty"), ("x" * (NOTE_CHARACTERS + 1), "note_long")):
        with pytest.raises(Refused, match=why):
            roster.note("Lin", text)
    for _ in range(NOTES - 1):
        roster.note("Lin", "x" * NOTE_CHARACTERS)
    with pytest.raises(Refused, match="notes_full"):
        roster.note("Lin", "one more")
    roster.end(LIN, "")
    notes = post.sheet().notes
    assert (len(notes), notes[0].reason, notes[0].by) == (NOTES, "3号楼的 货车 明早再来", "Lin")


def test_only_a_supervisor_ends_the_shift_of_another(post: Post) -> None:
    post.roster.begin("Lin")
    (on,) = post.roster.on()
    with pytest.raises(Refused, match="not_allowed"):
        post.roster.end(WANG, on.shift)
    with pytest.raises(Refused, match="not_on_duty"):
        post.roster.end(WANG, "")
    post.roster.end(ZHAO, on.shift)
    assert post.roster.on() == [] and post.sheet().ended_by == "Zhao"


@pytest.mark.parametrize(("seconds", "on"), [(LONGEST_SHIFT_S - 1, True), (LONGEST_SHIFT_S + 1, False)])
def test_a_shift_that_nobody_ended_is_over_after_sixteen_hours(post: Post, seconds: int, on: bool) -> None:
    post.roster.begin("Lin")
    post.bench.time.go(seconds)
    assert bool(post.roster.on()) is on
    ended = post.bench.events("shift")[1:]
    assert [(event.outcome, event.by) for event in ended] == ([] if on else [("off", "")])


def test_a_shift_that_began_before_the_time_was_known_does_not_end_when_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "gate", ROWS)
    bench.restart(trusted=False)
    post = Post(bench)
    post.roster.begin("Lin")
    bench.restart(trusted=True)
    assert [on.name for on in post.roster.on()] == ["Lin"]
    bench.stop()


def test_the_latest_shifts_are_listed_newest_first(post: Post) -> None:
    for session in (LIN, WANG):
        post.roster.begin(session.name)
        post.bench.go(5)
        post.roster.end(session, "")
    post.bench.events()
    assert [shift.by for shift in post.roster.latest()] == ["Wang", "Lin"]
    with pytest.raises(Refused, match="no_such_shift"):
        post.roster.sheet("0123456789abcdef")


@pytest.fixture
def unread(post: Post) -> Callable[[], None]:
    def hide() -> None:
        (path,) = (post.bench.folder / "core").glob("journal-*.db")
        path.rename(path.with_name("hidden.db"))

    return hide


def test_a_journal_that_cannot_be_read_says_so_and_keeps_nobody_from_beginning(
    post: Post, unread: Callable[[], None]
) -> None:
    post.roster.begin("Lin")
    post.bench.events()
    unread()
    with pytest.raises(Refused, match="records_unread"):
        post.roster.sheet("any")
    post.roster.begin("Wang")
    assert [on.name for on in post.roster.on()] == ["Lin", "Wang"]
