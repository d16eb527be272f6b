"""Which hardware clock is read, and what is none, on faked sysfs trees of boards."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardware.rtc import RtcTime, battery_volts, read_rtc
from tests.fixtures.gate_parts import NOON_MS


def a_clock(root: Path, number: int, name: str, since_epoch: str, hctosys: str = "0", **more: str) -> None:
    folder = root / f"sys/class/rtc/rtc{number}"
    folder.mkdir(parents=True)
    for attribute, text in {"name": name, "since_epoch": since_epoch, "hctosys": hctosys, **more}.items():
        (folder / attribute).write_text(f"{text}\n", "ascii")


def read(root: Path) -> RtcTime | None:
    return read_rtc(root, boot=lambda: 20.0)


def test_a_board_without_a_hardware_clock_has_none(tmp_path: Path) -> None:
    assert read(tmp_path) is None and battery_volts(tmp_path) is None


def test_the_clock_shows_whole_seconds_so_the_middle_is_the_best_guess(tmp_path: Path) -> None:
    a_clock(tmp_path, 0, "rtc-ds1307 1-0068", str(NOON_MS // 1000), "1")
    assert read(tmp_path) == RtcTime("rtc-ds1307 1-0068", NOON_MS + 500, 20.0)
    assert battery_volts(tmp_path) is None


def test_of_several_the_one_that_set_the_system_clock_is_read(tmp_path: Path) -> None:
    a_clock(tmp_path, 0, "rpi-rtc soc@107c000000:rpi_rtc", "9")
    a_clock(tmp_path, 1, "rtc-ds1307 1-0068", str(NOON_MS // 1000), "1")
    said = read(tmp_path)
    assert said is not None and said.name == "rtc-ds1307 1-0068"


def test_where_none_set_the_system_clock_the_first_is_read(tmp_path: Path) -> None:
    a_clock(tmp_path, 0, "rtc-pcf8523 1-0068", "1000")
    a_clock(tmp_path, 1, "rtc-ds1307 1-0069", "2000")
    said = read(tmp_path)
    assert said is not None and said.utc_ms == 1_000_500


@pytest.mark.parametrize("text", ["", "nonsense"])
def test_a_clock_that_does_not_say_a_time_is_none(tmp_path: Path, text: str) -> None:
    a_clock(tmp_path, 0, "rtc-ds1307 1-0068", text, "1")
    assert read(tmp_path) is None


def test_a_clock_whose_oscillator_had_stopped_cannot_be_read_and_is_none(tmp_path: Path) -> None:
    a_clock(tmp_path, 0, "rtc-ds1307 1-0068", "", "1")
    unread = tmp_path / "sys/class/rtc/rtc0/since_epoch"
    unread.unlink()
    unread.mkdir()  # reading it fails, as the driver's refusal (EINVAL) does
    assert read(tmp_path) is None


@pytest.mark.parametrize(("microvolts", "volts"), [("0", 0.0), ("2987500", 2.9875)])
def test_a_pi_5_tells_its_batterys_voltage(tmp_path: Path, microvolts: str, volts: float) -> None:
    a_clock(tmp_path, 0, "rpi-rtc soc@107c000000:rpi_rtc", "9", "1", battery_voltage=microvolts)
    assert battery_volts(tmp_path) == volts
