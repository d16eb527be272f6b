"""The parts of a lane: the same contract for simulated files and for gpiozero's mock pins."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from gpiozero import OutputDevice
from gpiozero.pins.mock import MockFactory, MockPin

from hardware import INPUTS, LIGHTS, HardwareError, InputDebounce, LaneParts, Signal, Wiring
from hardware.gpio import TONES, gpio_lane, pin_factory, poll_s
from hardware.levels import Debounce, SampledInputs
from hardware.opening import open_lane
from hardware.simulated import CAR_S, simulated_lane

PINS = Wiring(
    relay=17,
    ready=5,
    green=6,
    yellow=13,
    red=19,
    fault=26,
    buzzer=12,
    illumination=10,
    passage=20,
    arm_open=21,
    fire=16,
    exit_button=22,
    guard_button=23,
    call=24,
    tamper=25,
    active_high=("fire",),
)
LAMPS = {Signal.READY: 5, Signal.GREEN: 6, Signal.YELLOW: 13, Signal.RED: 19, Signal.FAULT: 26}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bench(NamedTuple):
    """A lane's parts, a hand at its inputs, and an eye on its relay and lamps."""

    parts: LaneParts
    press: Callable[[str, bool], None]
    relay_levels: Callable[[], list[bool]]
    lamp: Callable[[], str]
    illuminated: Callable[[], list[bool]]
    clock: Clock

    def settle(self) -> None:
        """Samples until a debounced level must have been taken over."""
        inputs = self.parts.inputs
        assert isinstance(inputs, SampledInputs)
        for _ in range(12):
            inputs.poll()
            self.clock.now += 0.005


def gpio_bench(_: Path) -> Bench:
    factory, clock = MockFactory(), Clock()
    pin = {n: factory.pin(n) for n in [*LAMPS.values(), PINS.relay, PINS.illumination]}
    parts = gpio_lane(PINS, factory, clock=clock, threaded=False)

    def press(name: str, level: bool) -> None:
        line = factory.pin(getattr(PINS, name))
        (line.drive_high if level == (name in PINS.active_high) else line.drive_low)()

    def lamp() -> str:
        lit = [signal.value for signal, number in LAMPS.items() if pin[number].state]
        assert len(lit) <= 1
        return lit[0] if lit else "off"

    def levels(number: int | None) -> list[bool]:
        return [bool(s.state) for s in pin[number].states]

    return Bench(parts, press, lambda: levels(PINS.relay), lamp, lambda: levels(PINS.illumination), clock)


def simulated_bench(folder: Path) -> Bench:
    clock = Clock()
    parts = simulated_lane("in", str(folder), clock=clock, poll_s=None)

    def press(name: str, level: bool) -> None:
        (folder / "inputs" / f"in.{name}").write_text("1\n" if level else "0")

    def levels(what: str) -> list[bool]:
        return [False, *(bool(line["value"]) for line in written(folder) if line["what"] == what)]

    def lamp() -> str:
        return next((str(line["value"]) for line in reversed(written(folder)) if line["what"] == "light"), "off")

    return Bench(parts, press, lambda: levels("relay"), lamp, lambda: levels("illumination"), clock)


def written(folder: Path) -> list[dict[str, object]]:
    path = folder / "outputs.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(params=[gpio_bench, simulated_bench], ids=["gpiozero", "simulated"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = request.param(tmp_path)
    yield made
    for part in made.parts[:4]:
        part.close()


def test_relay_makes_no_edge_when_claimed_and_one_per_change(bench: Bench) -> None:
    relay = bench.parts.relay
    assert bench.relay_levels() == [False]
    assert not relay.is_on
    relay.on()
    relay.on()
    assert relay.is_on
    relay.off()
    relay.off()
    assert bench.relay_levels() == [False, True, False]


def test_relay_closed_mid_pulse_falls_once_and_stays_off(bench: Bench) -> None:
    bench.parts.relay.on()
    bench.parts.relay.close()
    bench.parts.relay.close()
    bench.parts.relay.on()
    assert not bench.parts.relay.is_on
    assert bench.relay_levels() == [False, True, False]


def test_closing_an_idle_lane_makes_no_edge(bench: Bench) -> None:
    bench.parts.relay.close()
    assert bench.relay_levels() == [False]


def test_illumination_makes_one_edge_per_change_and_is_dark_when_closed(bench: Bench) -> None:
    lamp = bench.parts.illumination
    assert bench.illuminated() == [False]
    lamp.on()
    lamp.on()
    assert lamp.is_on
    lamp.off()
    lamp.on()
    lamp.close()
    lamp.close()
    lamp.on()
    assert not lamp.is_on
    assert bench.illuminated() == [False, True, False, True, False]
    assert bench.relay_levels() == [False]
    assert bench.lamp() == "off"


def test_lights_show_exactly_one_signal(bench: Bench) -> None:
    lights = bench.parts.lights
    assert lights.shown is Signal.OFF
    assert bench.lamp() == "off"
    for signal in (*LAMPS, Signal.RED, Signal.OFF):
        lights.show(signal)
        assert lights.shown is signal
        assert bench.lamp() == signal.value


def test_lights_are_dark_when_closed(bench: Bench) -> None:
    bench.parts.lights.show(Signal.GREEN)
    bench.parts.lights.close()
    bench.parts.lights.close()
    bench.parts.lights.show(Signal.RED)
    assert bench.parts.lights.shown is Signal.OFF


def test_every_input_is_a_level_told_once_per_change(bench: Bench) -> None:
    told: list[tuple[str, bool]] = []
    bench.parts.inputs.watch(lambda name, level: told.append((name, level)))
    assert bench.parts.inputs.read() == dict.fromkeys(INPUTS, False)
    for name in INPUTS:
        bench.press(name, True)
        bench.settle()
        bench.settle()
        assert bench.parts.inputs.read()[name]
        bench.press(name, False)
        bench.settle()
        assert not bench.parts.inputs.read()[name]
    assert told == [(name, level) for name in INPUTS for level in (True, False)]


def test_an_input_already_active_at_the_start_is_read_and_not_told(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "in.fire").write_text("1")
    inputs = simulated_lane("in", str(tmp_path), poll_s=None).inputs
    assert inputs.read()["fire"]


def test_a_failing_watcher_does_not_deafen_the_others(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def broken(name: str, level: bool) -> None:
        raise RuntimeError("no")

    bench.parts.inputs.watch(broken)
    bench.parts.inputs.watch(lambda name, level: told.append(name))
    bench.press("fire", True)
    with caplog.at_level(logging.ERROR, "hardware"):
        bench.settle()
    assert told == ["fire"]
    assert "watcher_failed" in caplog.text


def test_no_watcher_is_called_after_close(bench: Bench) -> None:
    told: list[str] = []
    bench.parts.inputs.watch(lambda name, level: told.append(name))
    bench.parts.inputs.close()
    bench.parts.inputs.close()
    assert told == []


@pytest.mark.parametrize(
    ("samples", "changes"),
    [
        ([(0.0, True), (0.019, True)], []),
        ([(0.0, True), (0.020, True)], [True]),
        ([(0.0, True), (0.019, False), (0.020, True), (0.039, True)], []),
        ([(0.0, True), (0.020, True), (0.030, True)], [True]),
        ([(0.0, True), (0.020, True), (0.021, False), (0.040, False), (0.041, False)], [True, False]),
    ],
)
def test_a_level_counts_when_it_held_long_enough(samples: list[tuple[float, bool]], changes: list[bool]) -> None:
    debounce = Debounce({"fire": False}, {"fire": 0.020})
    told = [change for at, level in samples for change in debounce.step({"fire": level}, at)]
    assert told == [("fire", level) for level in changes]


def test_bouncing_contact_is_one_press() -> None:
    debounce = Debounce({"call": False}, {"call": 0.020})
    bounces = [(n * 0.005, n % 2 == 0) for n in range(8)] + [(0.04 + n * 0.005, True) for n in range(9)]
    assert [c for at, level in bounces for c in debounce.step({"call": level}, at)] == [("call", True)]


def test_lines_that_cannot_be_read_keep_their_levels_and_say_so_once(caplog: pytest.LogCaptureFixture) -> None:
    broken = False

    def sample() -> dict[str, bool]:
        if broken:
            raise HardwareError("gone")
        return {"fire": True}

    inputs = SampledInputs(sample, {}, None)
    broken = True
    with caplog.at_level(logging.INFO, "hardware"):
        inputs.poll()
        inputs.poll()
        assert inputs.read() == {"fire": True}
        broken = False
        inputs.poll()
    assert [record.message.split()[0] for record in caplog.records] == ["inputs=failed", "inputs=back"]


def test_sampling_thread_stops_with_close(tmp_path: Path) -> None:
    inputs = simulated_lane("in", str(tmp_path), poll_s=0.001).inputs
    inputs.close()
    assert isinstance(inputs, SampledInputs)
    assert inputs._thread is not None
    assert not inputs._thread.is_alive()


def test_a_lane_without_pins_still_answers() -> None:
    parts = gpio_lane(Wiring(), MockFactory(), threaded=False)
    parts.relay.on()
    assert parts.relay.is_on
    parts.lights.show(Signal.RED)
    assert parts.lights.shown is Signal.RED
    assert parts.inputs.read() == {} and parts.missing == {}
    for part in parts[:4]:
        part.close()


def test_each_outcome_has_a_pattern_of_its_own_and_nothing_else_sounds() -> None:
    assert set(TONES) == {Signal.GREEN, Signal.YELLOW, Signal.RED}
    assert len({(on, times) for on, _, times in TONES.values()}) == len(TONES)
    (green, _, once), (yellow, pause, twice), (red, _, long) = (
        TONES[s] for s in (Signal.GREEN, Signal.YELLOW, Signal.RED)
    )
    assert (once, twice, long) == (1, 2, 1) and red >= 4 * green and red >= 2 * yellow + pause


def test_buzzer_sounds_for_each_outcome_and_is_silent_otherwise_and_when_closed() -> None:
    factory = MockFactory()
    parts = gpio_lane(Wiring(buzzer=12), factory, threaded=False)
    buzzer = factory.pin(12)
    for signal in (Signal.READY, Signal.FAULT, Signal.OFF):
        parts.lights.show(Signal.RED)  # the tone is gpiozero's own thread; a new signal ends it
        parts.lights.show(signal)
        assert not buzzer.state
    for signal in TONES:
        buzzer.clear_states()
        parts.lights.show(signal)
        end = time.monotonic() + 10
        while not any(past.state for past in buzzer.states):
            assert time.monotonic() < end, f"{signal} makes no sound"
    parts.lights.close()
    assert not buzzer.state


def taken_pins(*names: str, factory: MockFactory) -> list[OutputDevice]:
    """As if something else on this machine held them, as long as the factory lives."""
    factory.others = [OutputDevice(getattr(PINS, name), pin_factory=factory) for name in names]
    return list(factory.others)


NOT_ESSENTIAL = (*LIGHTS, *INPUTS, "illumination")


def lane_without(part: str, folder: Path, names: tuple[str, ...]) -> LaneParts:
    """A lane where something else holds the pins of these names."""
    if part == "gpiozero":
        factory = MockFactory()
        taken_pins(*names, factory=factory)
        return gpio_lane(PINS, factory, threaded=False)
    (folder / "inputs").mkdir()
    for name in names:
        (folder / "inputs" / f"in.{name}").write_text("taken")
    return simulated_lane("in", str(folder), 0.0, poll_s=None)


@pytest.mark.parametrize("part", ["gpiozero", "simulated"])
@pytest.mark.parametrize("name", NOT_ESSENTIAL)
def test_a_pin_that_something_else_holds_is_named_and_the_lane_works_without(
    tmp_path: Path, part: str, name: str
) -> None:
    parts = lane_without(part, tmp_path, (name,))
    assert list(parts.missing) == [name] and parts.missing[name].startswith(f"{name}: ")
    parts.relay.on()
    parts.illumination.on()
    assert parts.relay.is_on and parts.illumination.is_on
    for signal in (*LAMPS, Signal.OFF):
        parts.lights.show(signal)
        assert parts.lights.shown is signal
    assert isinstance(parts.inputs, SampledInputs)
    parts.inputs.poll()
    assert set(parts.inputs.read()) == set(INPUTS) - {name}
    for each in parts[:4]:
        each.close()


@pytest.mark.parametrize("part", ["gpiozero", "simulated"])
def test_a_lane_works_with_nothing_but_its_relay(tmp_path: Path, part: str) -> None:
    parts = lane_without(part, tmp_path, NOT_ESSENTIAL)
    assert set(parts.missing) == set(NOT_ESSENTIAL)
    parts.relay.on()
    parts.lights.show(Signal.RED)
    assert parts.relay.is_on and parts.inputs.read() == {}


@pytest.mark.parametrize("part", ["gpiozero", "simulated"])
def test_there_is_no_lane_without_its_relay(tmp_path: Path, part: str) -> None:
    with pytest.raises(HardwareError, match="relay: "):
        lane_without(part, tmp_path, ("relay", "green"))


def test_a_taken_relay_is_named_with_its_pin_and_everything_is_let_go() -> None:
    factory = MockFactory()
    (other,) = taken_pins("relay", factory=factory)
    with pytest.raises(HardwareError, match="relay: GPIO17"):
        gpio_lane(PINS, factory, threaded=False)
    other.close()
    parts = gpio_lane(PINS, factory, threaded=False)
    assert parts.missing == {}
    parts.relay.close()


def test_a_simulated_lamp_that_is_taken_stays_dark(tmp_path: Path) -> None:
    parts = lane_without("simulated", tmp_path, ("yellow", "illumination"))
    for signal in (Signal.GREEN, Signal.YELLOW, Signal.RED):
        parts.lights.show(signal)
    parts.illumination.on()
    assert [line["value"] for line in written(tmp_path)] == ["green", "off", "red"]


def test_a_pin_wired_twice_is_named() -> None:
    assert "GPIO17" in gpio_lane(Wiring(relay=17, green=17), MockFactory(), threaded=False).missing["green"]


def test_a_pin_that_does_not_exist_is_named() -> None:
    missing = gpio_lane(Wiring(fire=99), MockFactory(), threaded=False).missing
    assert missing["fire"].startswith("fire: GPIO99")
    with pytest.raises(HardwareError, match="relay: GPIO99"):
        gpio_lane(Wiring(relay=99), MockFactory(), threaded=False)


class BrokenPin(MockPin):  # type: ignore[misc]
    """An output that can be claimed, and then no longer moves."""

    def _set_state(self, value: bool) -> None:
        if getattr(self, "broken", False):
            raise OSError("the line is gone")
        super()._set_state(value)


def test_a_lamp_that_fails_does_not_keep_the_others_dark() -> None:
    factory = MockFactory()
    green, red = factory.pin(PINS.green, pin_class=BrokenPin), factory.pin(PINS.red)
    lights = gpio_lane(PINS, factory, threaded=False).lights
    lights.show(Signal.GREEN)
    green.broken = True
    with pytest.raises(HardwareError, match="the line is gone"):
        lights.show(Signal.RED)
    assert red.state and lights.shown is Signal.RED
    with pytest.raises(HardwareError):
        lights.close()
    assert not red.state


@pytest.mark.parametrize("name", INPUTS)
def test_each_input_has_its_own_debounce_and_buttons_that_open_a_longer_one(name: str) -> None:
    ms = 50 if name in ("exit_button", "guard_button") else 20
    assert Wiring().debounce_of(name) == ms
    own = Wiring(debounce_ms=5, input_debounce_ms=InputDebounce(**{name: 120}))
    assert own.debounce_of(name) == 120
    assert own.debounce_of("call" if name != "call" else "fire") == 5


def test_a_button_that_opens_must_be_held_longer_than_a_sensor(tmp_path: Path) -> None:
    bench = gpio_bench(tmp_path)
    told: list[tuple[str, float]] = []
    inputs = bench.parts.inputs
    assert isinstance(inputs, SampledInputs)
    began = bench.clock.now
    inputs.watch(lambda name, level: told.append((name, round(bench.clock.now - began, 3))))
    for name in ("fire", "guard_button"):
        bench.press(name, True)
    for _ in range(70):
        inputs.poll()
        bench.clock.now += 0.001
    assert told == [("fire", pytest.approx(0.020, abs=0.001)), ("guard_button", pytest.approx(0.050, abs=0.001))]


@pytest.mark.parametrize("hz", [50, 60, 100, 120])
@pytest.mark.parametrize("hold_ms", [20, 30, 50, 60, 100])
def test_what_mains_couple_into_a_wire_is_no_level(hz: int, hold_ms: int) -> None:
    period = poll_s({"call": hold_ms / 1000})
    assert period is not None
    debounce = Debounce({"call": False}, {"call": hold_ms / 1000})
    samples = (n * period for n in range(1_000))
    assert not any(debounce.step({"call": at * hz % 1 < 0.5}, at) for at in samples)


def test_pin_factory_is_the_named_one_and_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    assert isinstance(pin_factory(), MockFactory)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nonsense")
    with pytest.raises(HardwareError, match="nonsense"):
        pin_factory()


def test_simulated_car_covers_the_passage_after_each_opening(tmp_path: Path) -> None:
    clock = Clock()
    parts = simulated_lane("in", str(tmp_path), 1.0, clock=clock, poll_s=None)
    inputs = parts.inputs
    assert isinstance(inputs, SampledInputs)
    told: list[tuple[float, bool]] = []
    inputs.watch(lambda name, level: told.append((round(clock.now, 2), level)))
    parts.relay.on()
    parts.relay.off()
    for _ in range(150):
        clock.now += 0.01
        inputs.poll()
    assert [level for _, level in told] == [True, False]
    assert told[0][0] == pytest.approx(101.0, abs=0.02)
    assert told[1][0] - told[0][0] == pytest.approx(CAR_S, abs=0.02)


def test_simulated_outputs_are_dated_lines_with_their_lane(tmp_path: Path) -> None:
    first = simulated_lane("in", str(tmp_path), now=lambda: 5.5, poll_s=None)
    second = simulated_lane("out", str(tmp_path), now=lambda: 6.5, poll_s=None)
    first.relay.on()
    second.lights.show(Signal.GREEN)
    assert written(tmp_path) == [
        {"t": 5.5, "lane": "in", "what": "relay", "value": True},
        {"t": 6.5, "lane": "out", "what": "light", "value": "green"},
    ]


def test_a_relay_left_on_by_a_crash_is_written_off_by_the_next_claim(tmp_path: Path) -> None:
    simulated_lane("in", str(tmp_path), poll_s=None).relay.on()
    with (tmp_path / "outputs.jsonl").open("a") as file:
        file.write('{"t": 1, "la')
    relay = simulated_lane("in", str(tmp_path), poll_s=None).relay
    assert not relay.is_on
    assert '"value": false' in (tmp_path / "outputs.jsonl").read_text()


def test_simulated_lane_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HardwareError, match="file"):
        open_lane("in", Wiring(part="simulated"), str(tmp_path / "file"))
