"""The steps of the first hour in their order: what needs nobody first, then the camera, the pins, the power."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from kiosk.config import Config
from kiosk.selftest import board, cameras, codes, days, pins, power
from kiosk.selftest.step import Beginning, Step, as_root, in_next_boot, installed, is_board

AT_ONCE = Beginning(power.install, lambda bench: True)
"""Sampling begins with the first hour; --finish measures whatever there is by then."""
CODES = ("code_day", "code_night", "code_sun", "code_led")


def plan(config: Config) -> list[Step]:
    """Every step; those of one lane once for each lane that has what they need."""
    return [
        *_quick(),
        *(step for camera in config.camera for step in _of_camera(camera.lane)),
        *_of_reader(),
        *_of_pins(),
        *(step for lane in config.lane if lane.part == "gpiozero" for step in _of_lane(lane.name)),
        *_over_power(),
        *_over_a_day(),
    ]


def _quick() -> Iterator[Step]:
    yield Step("board", board.board, board.board_judged, quick=True)
    yield Step("versions", board.versions, board.versions_judged, quick=True)
    yield Step("chip", board.chip, board.chip_judged, quick=True)
    yield Step("cameras", cameras.listed, cameras.listed_judged, quick=True)
    yield Step("supply", board.supply, board.supply_judged, quick=True)
    yield Step("rtc", board.rtc, board.rtc_judged, quick=True)
    yield Step("watchdog", board.watchdog, board.watchdog_judged, (is_board,), quick=True)
    yield Step("journals", board.journals, board.journals_judged, quick=True)
    yield Step("gate", board.gate, board.gate_judged, quick=True)


def _of_camera(lane: str) -> Iterator[Step]:
    yield Step(f"in_force:{lane}", partial(cameras.in_force, lane=lane), cameras.in_force_judged)
    yield Step(f"frames:{lane}", partial(cameras.frames, lane=lane), cameras.frames_judged)
    yield Step(f"exposure:{lane}", partial(cameras.exposure_steps, lane=lane), cameras.exposure_steps_judged)
    yield Step(f"lens_lamp:{lane}", partial(cameras.brightest, lane=lane), cameras.lens_lamp_judged)
    yield Step(f"lens_cap:{lane}", partial(cameras.brightest, lane=lane), cameras.lens_cap_judged)
    yield Step(f"focus:{lane}", partial(cameras.focus, lane=lane), cameras.focus_judged)
    for light in CODES:
        yield Step(f"{light}:{lane}", partial(codes.read_rate, lane=lane), codes.read_rate_judged)


def _of_reader() -> Iterator[Step]:
    needs = (cameras.has_camera, installed)
    yield Step("reader", cameras.as_unit, cameras.as_unit_judged, needs, running=True)
    yield Step("no_frames", cameras.no_frames, cameras.no_frames_judged, needs, running=True)
    yield Step("frames_back", cameras.frames_back, cameras.frames_back_judged, needs, running=True)


def _of_pins() -> Iterator[Step]:
    needs = (pins.has_pins, installed, as_root, pins.has_pinctrl)
    yield Step("pins_running", pins.running, pins.running_judged, needs, running=True)
    yield Step("pins_stopped", pins.stopped, pins.low_judged, needs, running=True)
    yield Step("pins_killed", pins.killed, pins.killed_judged, needs, running=True)


def _of_lane(lane: str) -> Iterator[Step]:
    needs = (installed, as_root)
    yield Step(f"relay_killed:{lane}", partial(pins.relay_killed, lane=lane), pins.relay_killed_judged,
               (*needs, pins.has_pinctrl))  # fmt: skip
    yield Step(f"lamp_taken:{lane}", partial(pins.lamp_taken, lane=lane), pins.lamp_taken_judged, needs,
               running=True)  # fmt: skip
    yield Step(f"long_wires:{lane}", partial(pins.long_wires, lane=lane), pins.long_wires_judged, needs)


def _over_power() -> Iterator[Step]:
    needs = (is_board, installed, as_root)
    yield Step("watchdog_bites", board.watchdog, board.watchdog_judged, needs,
               beginning=in_next_boot("watchdog_bites", board.frozen_kernel))  # fmt: skip
    for phase in power.PHASES:
        yield Step(phase, partial(power.counted, phase=phase), power.counted_judged, (installed, as_root),
                   beginning=power.over_boots(phase))  # fmt: skip
        if phase == "warm_boots":
            yield Step("pins_before", pins.before_start, pins.low_judged, (pins.has_pins, pins.has_pinctrl))
    yield Step("first_missing", cameras.first_missing, cameras.first_missing_judged, (cameras.has_two, *needs),
               running=True, beginning=in_next_boot("first_missing"))  # fmt: skip
    yield Step("no_battery", board.no_battery, board.no_battery_judged, needs, running=True,
               beginning=in_next_boot("no_battery"))  # fmt: skip
    yield Step("weak_supply", board.weak_supply, board.weak_supply_judged, needs, running=True,
               beginning=in_next_boot("weak_supply"))  # fmt: skip


def _over_a_day() -> Iterator[Step]:
    needs = (installed, as_root)
    yield Step("memory_day", days.memory, days.memory_judged, needs, beginning=AT_ONCE, long=True)
    yield Step("screen_day", days.screen, days.screen_judged, needs, running=True, long=True)
