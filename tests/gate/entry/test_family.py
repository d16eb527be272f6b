"""A family behind one code: each who follows is let in, recorded and counted; nobody's passback is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.channel import Refused
from kiosk.core.guards.family import FOLLOWS_S, MOST_FOLLOWERS
from kiosk.core.lanes.lane_run import REST_S
from kiosk.verbs import LiveLine, Presentation
from sync.credential import Credential
from sync.protocol import StageFrom
from tests.fixtures.gate_parts import NOON_MS, Bench, credential, row_of, text_of, usual_changes

MOTHER, CHILD, VISITOR, REVOKED = (
    credential(1),
    credential(2),
    credential(3, kind="visitor"),
    credential(4),
)
ROWS = [
    row_of(MOTHER, household=12),
    row_of(CHILD, household=12),
    row_of(VISITOR, household=12),
    row_of(REVOKED, household=12, state="revoked"),
]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, ROWS)
    yield bench
    bench.stop()


def show(bench: Bench, shown: Credential = MOTHER) -> int:
    return bench.gate.present(Presentation(lane="entry", text=text_of(shown))).happening


def follow(bench: Bench, number: int, count: int = 3) -> LiveLine:
    return bench.family.follow("entry", number, count, "Lin")


def refusal(bench: Bench, number: int, count: int = 3) -> str:
    with pytest.raises(Refused) as refused:
        follow(bench, number, count)
    assert not bench.events("family")
    return str(refused.value)


def today(bench: Bench) -> int:
    return bench.gate.uses.today(0, 12, 0, ("in",))[1]


def test_each_who_follows_has_an_event_a_passage_and_a_use_of_the_household(bench: Bench) -> None:
    line = follow(bench, show(bench))
    for _ in range(4):
        bench.drive_through()
    followed, shown = bench.events("family"), bench.events("decided")[0]
    assert [(event.about, event.by, event.outcome) for event in followed] == [(shown.id, "Lin", "grant")] * 3
    passages = bench.events("passage")
    assert [passage.outcome for passage in passages] == ["passed"] * 4
    assert [passage.about for passage in passages[1:]] == [event.id for event in followed]
    assert today(bench) == 4 and (line.kind, line.repeats, line.by) == ("family", 3, "Lin")
    assert not bench.events("unasked")


def test_the_next_one_is_let_in_when_the_one_before_has_passed(bench: Bench) -> None:
    follow(bench, show(bench), 2)
    assert bench.parts["entry"].rises == 1
    for rises in (2, 3, 3):
        bench.drive_through()
        assert bench.parts["entry"].rises == rises


def test_a_lock_that_takes_pulses_gets_one_for_each_however_fast_they_pass(bench: Bench) -> None:
    follow(bench, show(bench), 2)
    for level in (True, False):  # before the relay has dropped
        bench.parts["entry"].levels["passage"] = level
        bench.gate.input_changed("entry", "passage", level)
    assert bench.parts["entry"].rises == 1
    bench.go(0.5 + REST_S - 0.05)
    assert not bench.parts["entry"].is_on and bench.parts["entry"].rises == 1
    bench.go(0.3)
    assert bench.parts["entry"].rises == 2


def test_a_family_that_walks_on_in_one_go_is_none_that_nobody_let_in(bench: Bench) -> None:
    follow(bench, show(bench), 3)
    for level in (True, False) * 4:
        bench.gate.input_changed("entry", "passage", level)
    assert [passage.outcome for passage in bench.events("passage")] == ["passed"] * 4
    bench.gate.input_changed("entry", "passage", True)
    bench.gate.input_changed("entry", "passage", False)
    bench.go(1)
    assert today(bench) == 4 and [event.count for event in bench.events("unasked")] == [1]


def test_a_lane_that_is_held_open_keeps_nobodys_turn_waiting(bench: Bench) -> None:
    bench.acts.hold("entry", True, "Lin")
    follow(bench, show(bench), 2)
    for _ in range(3):
        bench.drive_through()
    assert today(bench) == 3


def test_those_behind_one_who_does_not_come_are_not_let_in(bench: Bench) -> None:
    follow(bench, show(bench), 2)
    bench.drive_through()
    bench.go(20)
    assert bench.parts["entry"].rises == 2 and today(bench) == 1
    assert [passage.outcome for passage in bench.events("passage")] == ["passed", "not_passed", "not_passed"]


def test_after_the_first_has_gone_through_the_family_may_still_follow(bench: Bench) -> None:
    number = show(bench)
    bench.drive_through()
    follow(bench, number, 1)
    assert bench.parts["entry"].rises == 2


def test_nobodys_passback_is_touched_by_the_family_of_one(bench: Bench) -> None:
    follow(bench, show(bench), 1)
    for _ in range(2):
        bench.drive_through()
    bench.go(12)
    answer = bench.gate.present(Presentation(lane="entry", text=text_of(CHILD)))
    assert (answer.outcome, answer.reason) == ("grant", "ok")


def test_a_lane_without_a_sensor_lets_one_after_another_in(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ROWS, inputs=("fire",))
    follow(bench, show(bench), 2)
    bench.go(5)
    assert [passage.outcome for passage in bench.events("passage")] == ["no_sensor"] * 3
    assert bench.parts["entry"].rises == 3 and today(bench) == 3
    bench.stop()


@pytest.mark.parametrize("count", [0, -1, MOST_FOLLOWERS + 1])
def test_a_count_that_no_button_has_is_refused(bench: Bench, count: int) -> None:
    assert refusal(bench, show(bench), count) == "how_many"


@pytest.mark.parametrize(("shown", "why"), [(VISITOR, "no_household"), (REVOKED, "not_let_in")])
def test_only_behind_a_resident_who_was_let_in(bench: Bench, shown: Credential, why: str) -> None:
    assert refusal(bench, show(bench, shown)) == why


def test_nobody_follows_behind_a_line_that_is_nobodys(bench: Bench) -> None:
    assert refusal(bench, 999) == "not_let_in"


@pytest.mark.parametrize(("seconds", "why"), [(FOLLOWS_S, ""), (FOLLOWS_S + 1, "not_let_in")])
def test_a_family_follows_within_a_minute(bench: Bench, seconds: float, why: str) -> None:
    number = show(bench)
    bench.time.go(seconds)
    if why:
        assert refusal(bench, number) == why
    else:
        assert follow(bench, number)


def test_a_family_follows_one_whom_a_guard_let_through(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [row_of(MOTHER, household=12, attention=True)])
    number = show(bench)
    assert refusal(bench, number) == "not_let_in"
    bench.acts.rule(number, True, "Lin", "")
    follow(bench, number, 1)
    for _ in range(2):
        bench.drive_through()
    assert today(bench) == 2 and bench.events("family")[0].about == bench.events("ruled")[0].id
    bench.stop()


@pytest.mark.parametrize(("quota", "count", "allowed"), [(4, 3, True), (4, 4, False), (1, 1, False)])
def test_a_household_follows_as_often_as_its_quota_says(tmp_path: Path, quota: int, count: int, allowed: bool) -> None:
    bench = Bench(tmp_path, ROWS, usual_changes(quota_household_day=quota))
    number = show(bench)
    if allowed:
        follow(bench, number, count)
        assert bench.gate.on_their_way(12) == count + 1
        with pytest.raises(Refused, match="family_quota"):  # those who are on their way count
            follow(bench, number, 1)
    else:
        assert refusal(bench, number, count) == "family_quota"
    bench.stop()


def test_a_stage_that_refuses_nobody_refuses_no_family(tmp_path: Path) -> None:
    stages = (StageFrom("introduce", NOON_MS - 1000),)
    bench = Bench(tmp_path, ROWS, usual_changes(quota_household_day=1, enforcement=stages))
    follow(bench, show(bench))
    bench.stop()


def test_a_way_out_counts_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ROWS, usual_changes(quota_household_day=1), lanes={"entry": "out"})
    follow(bench, show(bench), 1)
    for _ in range(2):
        bench.drive_through()
    assert today(bench) == 0
    bench.stop()


def test_a_restart_ends_those_whose_turn_had_not_come_and_opens_for_nobody(bench: Bench) -> None:
    follow(bench, show(bench), 2)
    bench.restart()
    assert [passage.outcome for passage in bench.events("passage")] == ["interrupted"] * 3
    assert not bench.parts["entry"].rises and today(bench) == 0
