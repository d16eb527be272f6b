"""What boards and kernels tell of supply, heat and disk, on faked trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardware.vitals import Vitals, read_vitals
from tests.fixtures.boards.trees import LAPTOP, MODULE_4, PI_4, a_board


def read(root: Path, files: dict[str, str], changed: dict[str, str] | None = None) -> Vitals:
    return read_vitals(root, a_board(root, {**files, **(changed or {})}))


def test_a_pi_tells_its_supply_its_heat_and_its_disk(tmp_path: Path) -> None:
    vitals = read(tmp_path, PI_4)
    assert (vitals.undervoltage, vitals.celsius, vitals.disk_errors) == (False, 52.094, 0)
    assert (vitals.memory_free, vitals.load) == (2_912_820 * 1024, 0.42)
    assert (vitals.card_used, vitals.reserve_low) == (None, None), "a card says nothing of its wear"
    assert vitals.disk_free is not None and vitals.disk_free > 0


def test_the_supply_is_found_by_its_name_and_its_alarm_is_told(tmp_path: Path) -> None:
    assert read(tmp_path, PI_4, {"sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1"}).undervoltage is True


def test_the_errors_of_all_file_systems_count(tmp_path: Path) -> None:
    assert read(tmp_path, PI_4, {"sys/fs/ext4/mmcblk0p2/errors_count": "2", "sys/fs/ext4/sda1/errors_count": "3"}
                ).disk_errors == 5  # fmt: skip


@pytest.mark.parametrize(
    ("life_time", "pre_eol", "used", "low"),
    [
        ("0x01 0x02", "0x01", 0.2, False),
        ("0x0b 0x01", "0x02", 1.1, True),
        ("0x00 0x00", "0x00", None, None),
        ("0x03 0x0a", "0x03", 1.0, True),
    ],
)
def test_an_emmc_tells_how_much_of_its_life_is_used(
    tmp_path: Path, life_time: str, pre_eol: str, used: float | None, low: bool | None
) -> None:
    files = {"sys/block/mmcblk0/device/life_time": life_time, "sys/block/mmcblk0/device/pre_eol_info": pre_eol}
    vitals = read(tmp_path, MODULE_4, files)
    assert (vitals.card_used, vitals.reserve_low) == (used, low)


def test_a_laptops_heat_is_not_a_gates(tmp_path: Path) -> None:
    vitals = read(tmp_path, LAPTOP)
    assert (vitals.undervoltage, vitals.celsius, vitals.disk_errors) == (None, None, None)


@pytest.mark.parametrize("text", ["", "nonsense", "0x", "1 2"])
def test_what_cannot_be_understood_is_not_told(tmp_path: Path, text: str) -> None:
    vitals = read(tmp_path, PI_4, {name: text for name in MODULE_4 if not name.endswith(("/name", "/type"))})
    assert (vitals.undervoltage, vitals.celsius, vitals.disk_errors, vitals.card_used) == (None, None, None, None)
    assert vitals.memory_free is None


def test_a_machine_without_any_of_it_tells_nothing(tmp_path: Path) -> None:
    assert read_vitals(tmp_path / "missing", tmp_path) == Vitals()
