"""A household without a pass: registered by a named guard, let in for the days that the rule allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.channel import Refused
from kiosk.core.guards.provisional import DAY_MS, MOST_PEOPLE
from kiosk.verbs import LiveLine
from sync.protocol import Event
from tests.fixtures.gate_parts import Bench, credential, kept_entries, row_of, usual_changes

ROWS = [
    row_of(credential(1), dwelling="3-2-501", household=12),
    row_of(credential(2), dwelling="3-2-501", household=11, state="revoked", number="A-000000"),
    row_of(credential(3), dwelling="8-1-101", household=13, state="suspended"),
    row_of(credential(4), dwelling="9-1-101", household=14, attention=True),
    row_of(credential(5), dwelling="", plate="鄂A12345", kind="vehicle", household=15),
]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, ROWS)
    yield bench
    bench.stop()


def admit(
    bench: Bench, dwelling: str = "3-2-501", people: int = 2, unlisted: bool = False, by: str = "Lin"
) -> LiveLine:
    return bench.provisional.admit("entry", dwelling, people, unlisted, by)


def refusal(bench: Bench, dwelling: str = "3-2-501", people: int = 2) -> str:
    with pytest.raises(Refused) as refused:
        admit(bench, dwelling, people)
    assert not bench.parts["entry"].rises and not bench.provisional.lasting().entries
    return str(refused.value)


def entered(bench: Bench) -> list[Event]:
    return bench.events("provisional")


def test_a_registered_household_is_let_in_and_recorded_by_the_guards_name(bench: Bench) -> None:
    line = admit(bench, people=3)
    assert bench.parts["entry"].rises == 1
    (event,) = entered(bench)
    assert (event.dwelling, event.household, event.count, event.by) == ("3-2-501", 12, 3, "Lin")
    assert event.until_ms == event.at_ms + DAY_MS and event.outcome == "grant" and not event.about
    assert (line.kind, line.dwelling, line.repeats, line.by) == ("provisional", "3-2-501", 3, "Lin")


@pytest.mark.parametrize("typed", ["3栋2单元501", "3-2-501", "32501", "３－２－５０１", "3号楼2单元501室"])
def test_a_dwelling_is_found_however_it_is_typed(bench: Bench, typed: str) -> None:
    assert admit(bench, typed).dwelling == "3-2-501"


def test_the_passage_that_follows_is_of_that_event_and_used_nothing_up(bench: Bench) -> None:
    event = admit(bench).event
    bench.drive_through()
    assert [(passed.about, passed.outcome) for passed in bench.events("passage")] == [(event, "passed")]
    assert not bench.gate.uses.today(0, 12, 0, ("in",))[1]


@pytest.mark.parametrize("days", [1, 3])
def test_an_entry_lasts_as_long_as_the_rule_says_and_no_second_longer(tmp_path: Path, days: int) -> None:
    bench = Bench(tmp_path, ROWS, usual_changes(provisional_days=days))
    admit(bench)
    bench.time.go(days * 86_400 - 1)
    assert [entry.dwelling for entry in bench.provisional.lasting().entries] == ["3-2-501"]
    bench.time.go(1)
    assert not bench.provisional.lasting().entries
    bench.provisional.forget()
    bench.stop()
    assert not kept_entries(tmp_path).now.entries


def test_the_same_household_is_let_in_again_and_its_end_does_not_move(bench: Bench) -> None:
    first = admit(bench, people=2)
    bench.go(60)
    admit(bench, "3栋2单元501", people=4, by="Zhao")
    again = entered(bench)[-1]
    assert bench.parts["entry"].rises == 2
    assert (again.about, again.count, again.by) == (first.event, 4, "Zhao")
    assert again.until_ms == entered(bench)[0].until_ms
    assert [(entry.people, entry.until_ms) for entry in bench.provisional.lasting().entries] == [(4, again.until_ms)]


def test_after_its_end_a_household_is_registered_anew(bench: Bench) -> None:
    admit(bench)
    bench.time.go(86_400)
    admit(bench)
    assert [event.about for event in entered(bench)] == ["", ""]


def test_a_household_that_the_list_lacks_is_let_in_only_when_the_guard_says_so(bench: Bench) -> None:
    assert refusal(bench, "7-1-102") == "dwelling_unlisted"
    admit(bench, "7-1-102", unlisted=True)
    admit(bench, "7栋1单元102")  # while its entry lasts, nobody asks again
    assert [(event.dwelling, event.household) for event in entered(bench)] == [("7-1-102", 0)] * 2


@pytest.mark.parametrize("dwelling", ["8-1-101", "9-1-101"])
def test_a_suspended_or_marked_household_is_not_registered(bench: Bench, dwelling: str) -> None:
    assert refusal(bench, dwelling) == "household_watched"


def test_a_suspended_pass_counts_behind_however_many_others_its_dwelling_has(tmp_path: Path) -> None:
    many = [row_of(credential(serial), dwelling="5-1-101", household=20) for serial in range(10, 40)]
    bench = Bench(tmp_path, [*many, row_of(credential(90), dwelling="5-1-101", household=20, state="suspended")])
    assert refusal(bench, "5-1-101") == "household_watched"
    bench.stop()


@pytest.mark.parametrize("typed", ["", "王小明", "---", "栋", "1" * 25, "A-000001", "鄂A12345"])
def test_a_name_a_number_or_a_plate_is_no_dwelling_of_the_list(bench: Bench, typed: str) -> None:
    assert refusal(bench, typed) in ("no_dwelling", "dwelling_unlisted")


@pytest.mark.parametrize("people", [0, -1, MOST_PEOPLE + 1])
def test_a_count_that_no_household_has_is_refused(bench: Bench, people: int) -> None:
    assert refusal(bench, people=people) == "how_many"


def test_without_any_list_a_household_can_be_registered(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert refusal(bench) == "dwelling_unlisted"
    admit(bench, unlisted=True)
    assert bench.parts["entry"].rises == 1
    bench.stop()


def test_a_restart_keeps_what_lasts_and_opens_nothing(bench: Bench) -> None:
    event = admit(bench).event
    bench.restart()
    assert [entry.dwelling for entry in bench.provisional.lasting().entries] == ["3-2-501"]
    assert not bench.parts["entry"].rises
    assert [(cut.about, cut.outcome) for cut in bench.events("passage")] == [(event, "interrupted")]


def test_a_clock_that_does_not_know_the_time_forgets_nobody(bench: Bench) -> None:
    admit(bench)
    bench.restart(trusted=False)
    bench.provisional.forget()
    bench.restart()
    assert bench.provisional.lasting().entries


def test_an_end_that_a_wrong_clock_reckoned_does_not_last_for_years(bench: Bench) -> None:
    bench.time.go(400 * 86_400)
    admit(bench)
    bench.time.go(-400 * 86_400)
    assert not bench.provisional.lasting().entries


def test_a_device_that_is_no_gate_any_longer_keeps_nobody(bench: Bench) -> None:
    admit(bench)
    bench.provisional.clear()
    assert not kept_entries(bench.folder).now.entries
