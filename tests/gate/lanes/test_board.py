"""Which chip the header hangs on: the boards and kernels that were seen, as trees of files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hardware import HardwareError
from hardware.board import HeaderChip, find_header_chip, label_of, read_board

PI_3, PI_4 = "Raspberry Pi 3 Model B Plus Rev 1.3", "Raspberry Pi 4 Model B Rev 1.4"
PI_5, CM_5 = "Raspberry Pi 5 Model B Rev 1.0", "Raspberry Pi Compute Module 5 Rev 1.0"
RP1, BCM2711, BCM2835 = "raspberrypi,rp1-gpio", "brcm,bcm2711-gpio", "brcm,bcm2835-gpio"
EXPANDER = "raspberrypi,firmware-gpio"
BOARDS_OWN = "brcm,bcm7445-gpio\0brcm,brcmstb-gpio"
LABELS = {RP1: "pinctrl-rp1", BCM2711: "pinctrl-bcm2711", BCM2835: "pinctrl-bcm2835",
          EXPANDER: "raspberrypi-exp-gpio", BOARDS_OWN: "gpio-brcmstb@107d508500"}  # fmt: skip


def machine(root: Path, model: str, chips: Mapping[int, str], *, labels: bool = False) -> Path:
    """A machine with these chips, known by the nodes of their device tree, or by nothing but the labels of drivers."""
    (root / "dev").mkdir()
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "sys/bus/gpio/devices").mkdir(parents=True)
    if model:
        (root / "proc/device-tree/model").write_bytes(model.encode() + b"\0")
    for number, kind in chips.items():
        device = root / f"sys/devices/platform/soc/chip-{number}/gpiochip{number}"
        device.mkdir(parents=True)
        (root / f"sys/bus/gpio/devices/gpiochip{number}").symlink_to(device)
        (root / f"dev/gpiochip{number}").write_text(LABELS.get(kind, kind) if labels else "")
        if not labels:
            (device / "of_node").mkdir()
            (device / "of_node/compatible").write_bytes(kind.encode() + b"\0")
    return root


def written(device: Path) -> str:
    """What a driver would answer: a made-up device is a file that holds its label."""
    return device.read_text() if device.exists() else ""


OWN_FROM_0 = dict.fromkeys(range(4), BOARDS_OWN)
OWN_FROM_10 = dict.fromkeys(range(10, 14), BOARDS_OWN)
OWN_FROM_11 = dict.fromkeys(range(11, 15), BOARDS_OWN)
MACHINES = {
    "Pi 5 before 6.6.45": (PI_5, {**OWN_FROM_0, 4: RP1}, 4),
    "Pi 5 since 6.6.45": (PI_5, {0: RP1, **OWN_FROM_10}, 0),
    "Pi 5 of 6.12.96, without a chip 0": (PI_5, {**OWN_FROM_11, 15: RP1}, 15),
    "Pi 5 that counts the header first": (PI_5, {11: RP1, 12: BOARDS_OWN, 13: BOARDS_OWN}, 11),
    "Compute Module 5 with more chips": (CM_5, {0: "x,y", 1: "nxp,pca9535", 2: RP1}, 2),
    "Pi 4": (PI_4, {0: BCM2711, 1: EXPANDER}, 0),
    "Pi 4 whose expander came first": (PI_4, {0: EXPANDER, 1: BCM2711}, 1),
    "Pi 3": (PI_3, {0: BCM2835, 1: EXPANDER, 2: "brcm,bcm2835-virtgpio"}, 0),
    "Zero 2 W": ("Raspberry Pi Zero 2 W Rev 1.0", {0: BCM2835, 1: EXPANDER}, 0),
}


@pytest.mark.parametrize("labels", [False, True], ids=["by compatible", "by label"])
@pytest.mark.parametrize("seen", MACHINES)
def test_the_headers_chip_is_found_on_every_board_and_kernel(tmp_path: Path, seen: str, labels: bool) -> None:
    model, chips, number = MACHINES[seen]
    root = machine(tmp_path, model, chips, labels=labels)
    assert find_header_chip(root, written).number == number
    assert read_board(root).model == model and read_board(root).is_pi


def test_a_link_to_the_chip_is_no_chip_of_its_own(tmp_path: Path) -> None:
    root = machine(tmp_path, PI_5, {0: RP1, **OWN_FROM_10})
    (root / "dev/gpiochip4").symlink_to("gpiochip0")
    assert find_header_chip(root).number == 0


def test_a_laboratorys_only_chip_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    root = machine(tmp_path, "", {3: "a simulated bank"}, labels=True)
    assert find_header_chip(root, written) == HeaderChip(3, (), "a simulated bank")
    assert read_board(root).model == "" and not read_board(root).is_pi


def test_no_chip_is_guessed_on_a_pi(tmp_path: Path) -> None:
    root = machine(tmp_path, PI_5, {0: BOARDS_OWN})
    with pytest.raises(HardwareError, match="Pi 5"):
        find_header_chip(root)


def test_no_chip_is_guessed_among_several(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match=r"gpiochip0 \[one\], gpiochip10 \[two\]"):
        find_header_chip(machine(tmp_path, "", {10: "two", 0: "one"}, labels=True), written)


def test_the_refusal_names_what_was_looked_for_and_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(HardwareError) as refusal:
        find_header_chip(machine(tmp_path, PI_5, OWN_FROM_10))
    text = str(refusal.value)
    assert PI_5 in text and "pinctrl-rp1, pinctrl-bcm2711, pinctrl-bcm2835" in text
    assert "gpiochip10 [brcm,bcm7445-gpio, brcm,brcmstb-gpio]" in text and "gpiochip13" in text


def test_a_machine_without_any_chip_is_said(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match=r"board \(unknown\).*there is no gpiochip"):
        find_header_chip(tmp_path)


def test_a_device_that_is_missing_or_no_chip_has_no_label(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("pinctrl-rp1")
    assert label_of(tmp_path / "file") == label_of(tmp_path / "none") == ""
