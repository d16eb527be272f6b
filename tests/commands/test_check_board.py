"""What ``check`` finds of supply, heat, memory and hardware clock, on faked trees."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kiosk.commands.check import Finding, exits_of, findings
from kiosk.config import parse
from tests.fixtures.boards.trees import PI_4, PI_5, a_board

CONFIG = parse('[[lane]]\nname = "entry"\npart = "simulated"\ndirection = "in"\n')


def look(folder: Path, files: dict[str, str]) -> dict[str, Finding]:
    (folder / "state" / "core").mkdir(parents=True)
    gate = replace(CONFIG.gate, state=str(folder / "state"), run=str(folder))
    root = a_board(folder / "root", files)
    return {found.part: found for found in findings(replace(CONFIG, gate=gate), None, root)}


def test_a_board_that_is_well_is_told_with_its_figures(tmp_path: Path) -> None:
    found = look(tmp_path, PI_4)
    assert all(found[part].ok for part in ("supply", "heat", "card", "disk", "rtc"))
    assert (found["supply"].text, found["heat"].text) == ("strong enough", "52 degrees Celsius")
    assert found["disk"].text.endswith("MB free") and found["rtc"].text.startswith("no hardware clock")


@pytest.mark.parametrize(
    ("part", "file", "text", "do"),
    [
        ("supply", "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1", "supply"),
        ("heat", "sys/class/thermal/thermal_zone0/temp", "80000", "shade"),
        ("card", "sys/fs/ext4/mmcblk0p2/errors_count", "3", "fsck"),
        ("card", "sys/block/mmcblk0/device/life_time", "0x01 0x0a", "module"),
    ],
)
def test_what_is_wrong_with_the_board_comes_with_what_to_do(
    tmp_path: Path, part: str, file: str, text: str, do: str
) -> None:
    found = look(tmp_path, {**PI_4, file: text})[part]
    assert not found.ok and do in found.do


def test_a_pi_5_without_its_battery_is_told_so(tmp_path: Path) -> None:
    found = look(tmp_path, PI_5)["rtc"]
    assert found.ok and "1970-01-01 00:00:09 UTC" in found.text and "battery 0.0 V, none or empty" in found.text
    full = look(tmp_path / "full", {**PI_5, "sys/class/rtc/rtc0/battery_voltage": "2987500"})["rtc"]
    assert full.text.endswith("battery 3.0 V")


def test_a_machine_that_tells_nothing_has_no_findings_of_it(tmp_path: Path) -> None:
    assert not {"supply", "heat", "card"} & look(tmp_path, {}).keys()


@pytest.mark.parametrize(("wiring", "well"), [("", False), ("exit_button = 26", True), ("guard_button = 27", True)])
def test_a_way_out_that_no_button_opens_is_told(wiring: str, well: bool) -> None:
    way_out = f'[[lane]]\nname = "exit"\ndirection = "out"\nrelay = 17\n{wiring}\n'
    (found,) = exits_of(parse(way_out + '[[lane]]\nname = "entry"\ndirection = "in"\nrelay = 18\n'))
    assert found.ok is well and "exit: " in found.text and "exit_button" in found.do
