"""Inputs that cannot be believed: a sensor that sticks or sees nobody, a button held down, a wire that flickers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.core.lanes.inputs import BLIND_OPENINGS, CHATTER_CHANGES, CHATTER_S, STUCK_S
from kiosk.verbs import Presentation, PresentationAnswer
from tests.fixtures.gate_parts import Bench, credential, row_of, text_of, usual_changes

PEOPLE = range(1, 45)
ROWS = [row_of(credential(k), household=k, dwelling=f"d{k}", number=f"N{k}") for k in PEOPLE]
STUCK = STUCK_S["passage"] + 1


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Bench]:
    return lambda **fields: Bench(tmp_path, ROWS, usual_changes(passback_s=180), **fields)


def show(bench: Bench, person: int) -> PresentationAnswer:
    shown = bench.gate.present(Presentation(lane="entry", text=text_of(credential(person))))
    bench.go(0.1)
    return shown


def level(bench: Bench, name: str, active: bool) -> None:
    bench.parts["entry"].levels[name] = active
    bench.gate.input_changed("entry", name, active)


def outcomes(bench: Bench) -> list[str]:
    return [event.outcome for event in bench.events("passage")]


def told(bench: Bench) -> list[tuple[str, str]]:
    return [(event.why, event.outcome) for event in bench.events("input_fault")]


@pytest.mark.parametrize("mode", ["pulse", "hold"])
def test_a_stuck_sensor_is_told_and_the_lane_works_as_one_without(make: Callable[..., Bench], mode: str) -> None:
    bench = make(mode=mode)
    level(bench, "passage", True)
    bench.go(STUCK)
    assert told(bench) == [("passage_stuck", "on")]
    for person in PEOPLE:
        shown = show(bench, person)
        assert (shown.outcome, shown.repeat, bench.parts["entry"].rises) == ("grant", False, person)
        bench.go(30)
    assert outcomes(bench) == ["no_sensor"] * len(PEOPLE) and not bench.gate.openings
    assert not bench.parts["entry"].is_on
    level(bench, "passage", False)
    bench.go(1)
    assert told(bench) == [("passage_stuck", "on"), ("passage_stuck", "off")]
    show(bench, 1)
    bench.drive_through()
    assert outcomes(bench)[-1] == "passed"


def test_a_sensor_that_sticks_behind_somebody_never_makes_their_next_visit_a_repeat(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    show(bench, 1)
    level(bench, "passage", True)
    bench.go(15)
    again = show(bench, 1)
    assert not again.repeat and (again.outcome, again.reason) == ("refer", "passback"), "it is known that it was opened"
    bench.go(STUCK)
    assert outcomes(bench) == ["no_sensor"]
    bench.go(180)
    assert show(bench, 1).outcome == "grant" and bench.parts["entry"].rises == 2


def test_an_arm_held_up_over_what_stands_in_the_passage_does_not_fall_when_the_sensor_is_doubted(
    make: Callable[..., Bench],
) -> None:
    bench = make(mode="hold")
    show(bench, 1)
    level(bench, "passage", True)
    bench.go(3600)
    assert bench.parts["entry"].is_on, "a car that broke down looks the same as a leaf"
    level(bench, "passage", False)
    bench.go(2)
    assert not bench.parts["entry"].is_on and outcomes(bench) == ["no_sensor"]


def test_a_sensor_that_sees_nobody_is_told_and_uses_count_again(make: Callable[..., Bench]) -> None:
    bench = make()
    for person in range(1, BLIND_OPENINGS + 1):
        show(bench, person)
        bench.go(15)
    assert told(bench) == [("passage_blind", "on")]
    show(bench, 40)
    bench.go(15)
    assert outcomes(bench)[-1] == "no_sensor" and show(bench, 40).reason == "passback"
    level(bench, "passage", True)
    level(bench, "passage", False)
    bench.go(1)
    assert told(bench)[-1] == ("passage_blind", "off")


@pytest.mark.parametrize("name", ["guard_button", "exit_button"])
def test_a_stuck_button_opens_once_and_is_told(make: Callable[..., Bench], name: str) -> None:
    bench = make(inputs=("passage", "guard_button", "exit_button"))
    level(bench, name, True)
    bench.go(3600)
    assert told(bench) == [("button_stuck", "on")] and bench.parts["entry"].rises == 1
    level(bench, name, False)
    bench.go(1)
    level(bench, name, True)
    assert told(bench)[-1] == ("button_stuck", "off") and bench.parts["entry"].rises == 2


def test_a_flickering_button_wire_stops_opening_and_works_again_once_it_is_quiet(make: Callable[..., Bench]) -> None:
    bench = make()
    for _ in range(500):
        level(bench, "guard_button", True)
        bench.go(0.1)
        level(bench, "guard_button", False)
        bench.go(0.1)
    assert told(bench) == [("input_chatters", "on")] and bench.parts["entry"].rises <= CHATTER_CHANGES
    bench.go(CHATTER_S + 1)
    rises = bench.parts["entry"].rises
    level(bench, "guard_button", True)
    assert bench.parts["entry"].rises == rises + 1 and told(bench)[-1] == ("input_chatters", "off")


@pytest.mark.parametrize("last", [True, False])
def test_a_flickering_fire_contact_fills_no_journal_and_its_last_level_counts(
    make: Callable[..., Bench], last: bool
) -> None:
    bench = make()
    for _ in range(500):
        level(bench, "fire", True)
        bench.go(0.1)
        level(bench, "fire", False)
        bench.go(0.1)
    level(bench, "fire", last)
    bench.go(CHATTER_S + 1)
    assert bench.parts["entry"].is_on is last
    assert len(bench.events("fire")) <= CHATTER_CHANGES + 1


def test_fire_and_an_opened_housing_may_last(make: Callable[..., Bench]) -> None:
    bench = make(inputs=("passage", "fire", "tamper"))
    level(bench, "fire", True)
    level(bench, "tamper", True)
    bench.go(7200)
    assert told(bench) == []


def test_a_flickering_passage_sensor_counts_nobody_twice(make: Callable[..., Bench]) -> None:
    bench = make()
    for _ in range(200):
        level(bench, "passage", True)
        bench.go(0.1)
        level(bench, "passage", False)
        bench.go(0.1)
    show(bench, 1)
    for _ in range(20):
        level(bench, "passage", True)
        bench.go(0.1)
        level(bench, "passage", False)
        bench.go(0.1)
    assert outcomes(bench) == ["no_sensor"] and told(bench) == [("input_chatters", "on")]


@pytest.mark.parametrize("mode", ["pulse", "hold"])
def test_a_lane_whose_passage_pin_is_taken_works_as_one_without_a_sensor_and_says_so(
    make: Callable[..., Bench], mode: str
) -> None:
    bench = make(mode=mode, inputs=("guard_button",), missing={"passage": "passage: GPIO16 cannot be had"})
    bench.go(0.5)
    assert told(bench) == [("input_taken", "on")]
    for person in PEOPLE:
        shown = show(bench, person)
        assert (shown.outcome, shown.repeat, bench.parts["entry"].rises) == ("grant", False, person)
        bench.go(30)
    assert outcomes(bench) == ["no_sensor"] * len(PEOPLE) and not bench.gate.openings
    assert not bench.parts["entry"].is_on
    assert told(bench) == [("input_taken", "on")], "nobody is missed by a sensor that is not there"


def test_an_arm_that_is_held_up_stays_up_its_whole_time_when_no_sensor_can_be_read(make: Callable[..., Bench]) -> None:
    bench = make(mode="hold", inputs=("guard_button",), missing={"passage": "passage: GPIO16 cannot be had"})
    bench.go(0.5)
    show(bench, 1)
    bench.go(11)
    assert bench.parts["entry"].is_on, "who passes cannot be seen: they have the time a passage may take"
    bench.go(2)
    assert not bench.parts["entry"].is_on


@pytest.mark.parametrize("name", ["passage", "arm_open", "fire", "exit_button", "call", "tamper"])
def test_the_wired_button_opens_whatever_other_input_is_taken(make: Callable[..., Bench], name: str) -> None:
    bench = make(inputs=("guard_button",), missing={name: f"{name}: GPIO16 cannot be had"})
    bench.go(0.5)
    level(bench, "guard_button", True)
    assert bench.parts["entry"].rises == 1
    assert told(bench) == [("input_taken", "on")]
    assert bench.gate.lanes["entry"].pins_why == f"{name}: GPIO16 cannot be had"


def test_a_lamp_that_is_taken_is_no_fault_of_relay_or_inputs(make: Callable[..., Bench]) -> None:
    bench = make(missing={"yellow": "yellow: GPIO24 cannot be had"})
    bench.go(0.5)
    run = bench.gate.lanes["entry"]
    assert (run.relay_fault, run.lights_fault, run.input_faults) == ("", "yellow: GPIO24 cannot be had", frozenset())
    show(bench, 1)
    bench.drive_through()
    assert outcomes(bench) == ["passed"]
