"""The steps of the first hour: what each says of a good board, and of one that is not."""

from __future__ import annotations

import io
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from hardware import Camera, CameraSettings, Frame, LaneParts, Picture
from hardware.simulated import SimulatedCamera, simulated_lane
from kiosk.demo_passes import draw
from kiosk.selftest import cameras, codes, days, pins
from kiosk.selftest.bench import Ran
from kiosk.selftest.days import Sample
from kiosk.selftest.plan import plan
from kiosk.selftest.step import CannotTell, Figures, Step
from kiosk.selftest.words import STEPS
from tests.selftest.scripted import RESTING, ScriptedBoard, ScriptedMachine, well_state


@pytest.fixture
def board(tmp_path: Path) -> ScriptedBoard:
    return ScriptedBoard(tmp_path)


def step(board: ScriptedBoard, name: str) -> Step:
    return next(step for step in plan(board.config) if step.name == name)


def seen(board: ScriptedBoard, name: str) -> tuple[Figures, list[str]]:
    """What a step saw, and what of it did not hold."""
    found = step(board, name).measure(board.bench)
    return found, step(board, name).judge(found)


def wrong(board: ScriptedBoard, name: str) -> list[str]:
    return seen(board, name)[1]


def card() -> Picture:
    text = "G1" + "0123456789ABCDEF" * 7 + "FOCUS+FOCU"
    return np.asarray(Image.open(io.BytesIO(draw(text, "q"))).convert("L"))


# --- what a board says of itself --------------------------------------------------------------------------------------


def test_a_good_board_holds_every_quick_step(board: ScriptedBoard) -> None:
    board.machine.put("/sys/class/rtc/rtc0/since_epoch", str(round(time.time())))
    quick = [step for step in plan(board.config) if step.quick and step.name != "journals"]
    assert {step.name: wrong(board, step.name) for step in quick} == {step.name: [] for step in quick}


def test_the_report_has_the_lines_of_config_txt_that_matter_and_no_others(board: ScriptedBoard) -> None:
    assert seen(board, "board")[0]["config"] == ["[all]", "dtparam=strict_gpiod", "dtoverlay=imx708,cam0"]


def test_the_chip_is_found_by_what_it_is(board: ScriptedBoard) -> None:
    assert seen(board, "chip")[0] == {
        "header": "gpiochip11 [raspberrypi,rp1-gpio]", "chips": ["gpiochip10", "gpiochip11"],
    }  # fmt: skip


def test_packages_that_were_removed_are_not_listed(board: ScriptedBoard) -> None:
    assert "libcamera-tools" not in seen(board, "versions")[0]


def test_cameras_are_listed_with_id_and_crop(board: ScriptedBoard) -> None:
    found, held = seen(board, "cameras")
    assert held == []
    assert found["cameras"][0]["id"] == "/base/axi/pcie@1000120000/rp1/i2c@88000/imx708@1a"
    assert "1536x864 [120.13 fps - (768, 432)/3072x1728 crop]" in found["modes"]


def breaks(name: str, text: str) -> Callable[[ScriptedMachine], None]:
    return lambda machine: machine.put(name, text)


def answers(*command: str, out: str) -> Callable[[ScriptedMachine], None]:
    return lambda machine: machine.answers.update({command: Ran(0, out)})


BAD_BOARDS: dict[str, tuple[str, Callable[[ScriptedMachine], None]]] = {
    "a laptop": ("board", breaks("/proc/device-tree/model", "QEMU Virtual Machine")),
    "a 32-bit kernel": ("board", answers("uname", "-srm", out="Linux 6.12 armv7l\n")),
    "no picamera2": ("versions", answers("dpkg-query", out="python3-lgpio 0.2 install ok installed\n")),
    "no camera": ("cameras", answers("rpicam-hello", out="No cameras available!\n")),
    "under-voltage now": ("supply", breaks("/sys/class/hwmon/hwmon2/in0_lcrit_alarm", "1")),
    "under-voltage before": ("supply", answers("vcgencmd", out="throttled=0x50000\n")),
    "under-voltage in the log": ("supply", answers("journalctl", out="hwmon hwmon2: Undervoltage detected!\n")),
    "a slow clock": ("rtc", breaks("/sys/class/rtc/rtc0/since_epoch", "1700000000")),
    "a clock that cannot be read": ("rtc", breaks("/sys/class/rtc/rtc0/since_epoch", "")),
    "a watchdog nobody feeds": ("watchdog", answers("systemctl", "show", "-p", "RuntimeWatchdogUSec", out="0\n")),
    "a watchdog that stands": ("watchdog", breaks("/sys/class/watchdog/watchdog0/state", "inactive")),
}


@pytest.mark.parametrize("name", BAD_BOARDS)
def test_what_is_wrong_with_a_board_is_seen(board: ScriptedBoard, name: str) -> None:
    of, damage = BAD_BOARDS[name]
    damage(board.machine)
    assert wrong(board, of)


@pytest.mark.parametrize(
    ("of", "missing"),
    [("supply", "/sys/class/hwmon"), ("rtc", "/sys/class/rtc"), ("chip", "/sys/bus/gpio/devices"), ("journals", "")],
)
def test_a_step_that_a_machine_cannot_do_says_why(board: ScriptedBoard, of: str, missing: str) -> None:
    if missing:
        board.machine.path(missing).rename(board.machine.path(missing).with_name("gone"))
    del board.machine.answers[("vcgencmd",)]
    with pytest.raises(CannotTell, match=r"no |neither "):
        step(board, of).measure(board.bench)


def test_a_gate_that_names_a_fault_does_not_hold(board: ScriptedBoard) -> None:
    board.state = msgspec.structs.replace(well_state(), faults=["camera"])
    assert wrong(board, "gate") == ["fault camera"]


@pytest.mark.parametrize(
    ("clock", "asks", "holds"),
    [("holdover", False, False), ("holdover", True, True), ("untrusted", False, True), ("trusted", False, True)],
)
def test_a_clock_without_its_battery_must_not_pass_for_kept_time(
    board: ScriptedBoard, clock: str, asks: bool, holds: bool
) -> None:
    board.state = msgspec.structs.replace(well_state(), clock=clock, clock_asks=asks)
    assert (wrong(board, "no_battery") == []) == holds


def test_a_weak_supply_must_be_noticed_by_board_and_gate(board: ScriptedBoard) -> None:
    assert wrong(board, "weak_supply") == ["the board noticed no under-voltage", "the gate does not name the fault"]
    board.machine.put("/sys/class/hwmon/hwmon2/in0_lcrit_alarm", "1")
    board.state = msgspec.structs.replace(well_state(), faults=["supply_weak"])
    assert wrong(board, "weak_supply") == []


# --- cameras ----------------------------------------------------------------------------------------------------------


def sheet_off_focus(camera: SimulatedCamera) -> None:
    camera.keep(card())
    camera.held_cm = 29.0


def test_a_good_camera_holds_its_steps(board: ScriptedBoard) -> None:
    for name in ("in_force", "frames", "exposure"):
        assert wrong(board, f"{name}:entry") == [], name
    assert [one["frames"] for one in seen(board, "exposure:entry")[0]["steps"]] == [1, 8, 8, 8, 8]


@pytest.mark.slow
def test_the_search_for_the_focus_finds_the_sheet(board: ScriptedBoard) -> None:
    board.before_camera = sheet_off_focus
    found, held = seen(board, "focus:entry")
    assert held == []
    assert found["found_cm"] == pytest.approx(29, abs=1.5)


def test_a_lens_turned_by_hand_is_not_searched(board: ScriptedBoard) -> None:
    class ByHand(SimulatedCamera):
        @property
        def nearest_cm(self) -> None:
            return None

    def opened(settings: CameraSettings, *_: object) -> Camera:
        made = ByHand(settings, board.time, board.time.wait)
        made.keep(card())
        return made

    opens(board, opened)
    found, held = seen(board, "focus:entry")
    assert (found["by_motor"], found["code_read"], held) == (False, True, [])


def test_frames_that_stay_away_are_counted(board: ScriptedBoard) -> None:
    class Stutters(SimulatedCamera):
        @contextmanager
        def frame(self, timeout: float = 2.0) -> Iterator[Frame]:
            with super().frame(timeout) as frame:
                if frame.number % 300 == 0:
                    board.time.wait(0.1)
                    frame = frame._replace(at=board.time())
                yield frame

    opens(board, lambda settings, *_: Stutters(settings, board.time, board.time.wait))
    assert seen(board, "frames:entry")[0]["gaps"] == 3
    assert "3 gaps in 900 frames" in wrong(board, "frames:entry")[0]


def opens(board: ScriptedBoard, opened: Callable[..., Camera]) -> None:
    board.bench._opened = opened


class Limited(SimulatedCamera):
    """White is 235 and black 16, as in television."""

    @contextmanager
    def frame(self, timeout: float = 2.0) -> Iterator[Frame]:
        with super().frame(timeout) as frame:
            yield frame._replace(luma=(16 + frame.luma * (219 / 255)).astype(np.uint8))


@pytest.mark.parametrize(("camera", "holds"), [(SimulatedCamera, True), (Limited, False)])
@pytest.mark.parametrize(("name", "trouble"), [("lens_lamp:entry", "white"), ("lens_cap:entry", "black")])
def test_lamp_and_cap_tell_the_full_range_from_the_limited_one(
    board: ScriptedBoard, camera: type[SimulatedCamera], holds: bool, name: str, trouble: str
) -> None:
    def opened(settings: CameraSettings, *_: object) -> Camera:
        made = camera(settings, board.time, board.time.wait)
        made.trouble = trouble
        return made

    opens(board, opened)
    assert (wrong(board, name) == []) == holds


@pytest.mark.parametrize("name", ["in_force", "frames", "exposure", "lens_cap"])
def test_no_frame_outlives_its_camera(board: ScriptedBoard, name: str) -> None:
    """picamera2 cannot free buffers of which a view is left (seen in the guest)."""

    class Counted(SimulatedCamera):
        @contextmanager
        def frame(self, timeout: float = 2.0) -> Iterator[Frame]:
            with super().frame(timeout) as frame:
                luma = frame.luma.view()
                lumas.append(weakref.ref(luma))
                yield frame._replace(luma=luma)
                del luma
                frame = frame._replace(luma=frame.luma[:0])

        def close(self) -> None:
            left.extend(luma for luma in lumas if luma() is not None)
            super().close()

    lumas: list[weakref.ref[Picture]] = []
    left: list[object] = []
    opens(board, lambda settings, *_: Counted(settings, board.time, board.time.wait))
    seen(board, f"{name}:entry")
    assert (left, bool(lumas) or name == "in_force") == ([], True)


def test_a_camera_that_follows_late_does_not_hold(board: ScriptedBoard) -> None:
    saw = {"steps": [{"us": 500, "gain": 1.0, "frames": 11}, {"us": 500, "gain": 1.0, "frames": 10},
                     {"us": 3000, "gain": 4.0, "frames": None}]}  # fmt: skip
    assert len(cameras.exposure_steps_judged(saw)) == 2


def test_a_camera_that_exposes_by_itself_has_no_steps(board: ScriptedBoard) -> None:
    class ByItself(SimulatedCamera):
        @property
        def exposures(self) -> None:  # type: ignore[override]
            return None

    opens(board, lambda settings, *_: ByItself(settings, board.time, board.time.wait))
    assert wrong(board, "in_force:entry")
    with pytest.raises(CannotTell):
        step(board, "exposure:entry").measure(board.bench)


def test_the_reader_is_stopped_for_us_and_started_again(board: ScriptedBoard) -> None:
    step(board, "in_force:entry").measure(board.bench)
    assert ("systemctl", "stop", "gate-kiosk-reader-guard.socket", "gate-kiosk-reader") in board.machine.ran
    board.bench.restore()
    assert board.machine.ran[-1] == ("systemctl", "start", "gate-kiosk.target")


def test_a_lane_that_took_the_missing_cameras_place_is_seen() -> None:
    fine = {"first": "entry", "lanes": {"entry": "no camera", "exit": "fine"}}
    assert cameras.first_missing_judged(fine) == []
    assert cameras.first_missing_judged({"first": "entry", "lanes": {"entry": "fine", "exit": "no camera"}})


def test_frames_that_end_are_told_and_come_back(board: ScriptedBoard) -> None:
    dark = [msgspec.structs.replace(well_state().lanes[0], camera_ok=False, camera_fault="camera_hung")]
    board.state = msgspec.structs.replace(well_state(), lanes=dark)
    assert seen(board, "no_frames")[0]["faults"] == ["entry: camera_hung"]
    assert wrong(board, "frames_back")
    board.state = well_state()
    assert wrong(board, "no_frames") and wrong(board, "frames_back") == []


# --- codes ------------------------------------------------------------------------------------------------------------


def test_a_code_is_held_up_when_told_and_read(board: ScriptedBoard) -> None:
    made: list[SimulatedCamera] = []
    board.before_camera = made.append
    board.person.hears = lambda text: made[-1].show([card()], 8) if text == "1 of 2: hold it up" else None
    found = codes.read_rate(board.bench, "entry", wanted=2)
    assert (found["held_up"], found["seen"], found["read"]) == (2, 1, 1)
    assert board.person.told == ["1 of 2: hold it up", "take it away", "2 of 2: hold it up", "take it away"]


def test_few_reads_and_slow_reads_do_not_hold() -> None:
    saw = {"held_up": 10, "seen": 10, "read": 9, "median_s": 0.4}
    assert codes.read_rate_judged(saw) == []
    assert codes.read_rate_judged(saw | {"read": 8})
    assert codes.read_rate_judged(saw | {"median_s": 1.1})
    assert codes.read_rate_judged(saw | {"read": 0, "median_s": None})


# --- pins -------------------------------------------------------------------------------------------------------------


def test_levels_are_those_of_pinctrl() -> None:
    said = (
        " 9: a0    pd | lo // GPIO9 = SPI0_MISO\n17: ip    pd | hi // GPIO17 = input\n22: op dh pn | hi // x = output\n"
    )
    assert pins.in_words(said, {"a": 9, "b": 17, "c": 22, "d": 23}) == {
        "a": "a0 pd lo",
        "b": "ip pd hi",
        "c": "op dh pn hi",
    }


RELAY_HIGH = RESTING.replace("17: op dl pd | lo", "17: op dh pd | hi")


def test_a_relay_that_is_high_at_rest_is_seen(board: ScriptedBoard) -> None:
    assert wrong(board, "pins_running") == []
    board.machine.answers[("pinctrl",)] = Ran(0, RELAY_HIGH)
    assert wrong(board, "pins_running") == ["entry.relay is high (op dh pd hi)"]
    assert wrong(board, "pins_killed") == ["entry.relay is high (op dh pd hi)"]


def test_a_lamp_that_is_not_the_one_the_core_names_is_seen(board: ScriptedBoard) -> None:
    board.machine.answers[("pinctrl",)] = Ran(0, RESTING.replace("25: op dl pd | lo", "25: op dh pd | hi"))
    assert wrong(board, "pins_running") == ["entry says ready, lit are ['ready', 'red']"]


def test_a_lamp_that_stays_lit_after_the_stop_is_seen(board: ScriptedBoard) -> None:
    assert wrong(board, "pins_stopped") == ["entry.ready is high (op dh pd hi)"]
    stops = ("systemctl", "stop", "gate-kiosk.target")  # with its sockets, or a peer starts the core again
    assert [ran for ran in board.machine.ran if "gate-kiosk.target" in ran] == [
        stops,
        ("systemctl", "start", stops[-1]),
    ]


def test_the_relay_is_driven_and_killed_and_must_fall(board: ScriptedBoard) -> None:
    assert wrong(board, "relay_killed:entry") == []
    board.machine.answers[("pinctrl",)] = Ran(0, RELAY_HIGH)
    assert "strict_gpiod" in wrong(board, "relay_killed:entry")[0]
    assert board.machine.held == [(17, True)] * 2


def test_a_core_that_does_not_run_without_a_lamp_is_seen(board: ScriptedBoard) -> None:
    assert wrong(board, "lamp_taken:entry") == ["the gate names no fault"]
    board.state = None
    assert wrong(board, "lamp_taken:entry") == ["the core does not run while GPIO25 (red) is taken"]


def test_changes_of_inputs_beside_a_motor_are_counted(board: ScriptedBoard, tmp_path: Path) -> None:
    parts: list[LaneParts] = []

    def lanes(name: str, *_: Any) -> LaneParts:
        parts.append(simulated_lane(name, str(tmp_path / "sim"), clock=board.time, poll_s=None))
        return parts[-1]

    def motor(seconds: float) -> None:
        for level in "1", "0", "1":
            (tmp_path / "sim/inputs/entry.fire").write_text(level)
            parts[-1].inputs.poll()  # type: ignore[attr-defined]
            board.time.wait(seconds / 3)
            parts[-1].inputs.poll()  # type: ignore[attr-defined]

    board.bench._lanes, board.bench.wait = lanes, motor
    assert wrong(board, "long_wires:entry") == ["fire changed 3 times"]


def test_pins_before_the_start_come_from_the_boots(board: ScriptedBoard) -> None:
    with pytest.raises(CannotTell):
        step(board, "pins_before").measure(board.bench)
    (board.folder / pins.EARLY).write_text("17: ip    pd | lo // GPIO17 = input\n")
    assert wrong(board, "pins_before") == []
    (board.folder / pins.EARLY).write_text("17: ip    pu | hi // GPIO17 = input\n")
    assert wrong(board, "pins_before")


# --- a day ------------------------------------------------------------------------------------------------------------


def sample(hour: float, **changes: Any) -> Sample:
    values: dict[str, Any] = {
        "at_s": 0, "uptime_s": hour * 3600, "available_mb": 7000, "cma_free_mb": 40, "cma_total_mb": 64, "celsius": 50,
        "under_voltage": False, "rss_mb": {"gate-kiosk-reader": 100.0}, "files": {"gate-kiosk-reader": 20},
        "restarts": {"gate-kiosk-reader": 0},
    }  # fmt: skip
    return Sample(**(values | changes))


def test_a_calm_day_holds(board: ScriptedBoard) -> None:
    for hour in range(25):
        days.add(board.folder, sample(hour))
    with (board.folder / days.SAMPLES).open("a") as file:
        file.write('{"at_s": 1, "upt')  # the plug was pulled
    assert wrong(board, "memory_day") == []


def test_what_grows_over_a_day_is_seen(board: ScriptedBoard) -> None:
    for hour in range(25):
        days.add(board.folder, sample(hour, rss_mb={"gate-kiosk-reader": 100.0 + 2 * hour}, cma_free_mb=60 - 2 * hour,
                                      restarts={"gate-kiosk-reader": hour // 20}))  # fmt: skip
    assert [line.split()[0] for line in wrong(board, "memory_day")] == ["gate-kiosk-reader", "gate-kiosk-reader", "36"]


def test_a_day_with_a_boot_in_it_is_no_day(board: ScriptedBoard) -> None:
    for hour in [*range(15), *range(15)]:
        days.add(board.folder, sample(hour))
    with pytest.raises(CannotTell, match=r"13\.0 hours"):
        step(board, "memory_day").measure(board.bench)


def test_a_sample_is_taken_of_a_board(board: ScriptedBoard) -> None:
    board.machine.put("/proc/uptime", "3600.5 7000\n")
    board.machine.put("/proc/77/status", "Name:\tpython\nVmRSS:\t  102400 kB\n")
    board.machine.put("/proc/77/fd/3", "")
    board.machine.answers[("systemctl", "show", "-p", "MainPID")] = Ran(0, "77\n")
    taken = days.sample(board.bench)
    assert (taken.uptime_s, taken.rss_mb["gate-kiosk-core"], taken.files["gate-kiosk-core"]) == (3600.5, 100.0, 1)


# --- words ------------------------------------------------------------------------------------------------------------


def test_every_step_has_its_words_in_both_languages(board: ScriptedBoard) -> None:
    kinds = {step.kind for step in plan(board.config)}
    assert kinds == set(STEPS)
    for name, words in STEPS.items():
        for pair in filter(None, words):
            zh, en = pair
            assert zh and en, name
            assert any("一" <= sign <= "鿿" for sign in zh) and en.isascii(), name
            assert ("{lane}" in zh) == ("{lane}" in en), name


def test_only_what_a_person_can_do_is_asked(board: ScriptedBoard) -> None:
    asks = {name for name, words in STEPS.items() if words.ask}
    assert not asks & {step.kind for step in plan(board.config) if step.quick}
