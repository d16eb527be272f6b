"""Which chip the header hangs on: the boards and kernels that were seen, as trees of files; then gpiozero on that chip,
with an lgpio that has no devices. The guest run shows the same with true ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gpiozero import OutputDevice
from gpiozero.pins.local import LocalPiFactory

from hardware import HardwareError, Wiring
from hardware.board import HeaderChip, find_header_chip, label_of, read_board
from hardware.gpio import gpio_lane, header_pins, pin_factory
from kiosk.commands.check import board_at

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


def test_check_names_board_and_chip_or_what_it_looked_for(tmp_path: Path) -> None:
    root = machine(tmp_path, PI_5, {**OWN_FROM_11, 15: RP1})
    found = board_at(root)
    assert (found.ok, found.text) == (True, f"{PI_5}, header on gpiochip15 [{RP1}]")
    (root / "sys/bus/gpio/devices/gpiochip15").unlink()
    found = board_at(root)
    assert not found.ok and "looked for pinctrl-rp1" in found.text and found.do


def test_a_device_that_is_missing_or_no_chip_has_no_label(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("pinctrl-rp1")
    assert label_of(tmp_path / "file") == label_of(tmp_path / "none") == ""


# --- gpiozero on that chip ---

PI_5_REVISION, PI_4_REVISION = 0xD04170, 0xC03114
OUTPUT = 2
"""The flag of a line that is an output, in what lgpio tells of it."""


class FakeLgpio(ModuleType):
    """Chips by number, each with the lines that something else holds. As lgpio does, it fails with its own error."""

    SET_PULL_NONE, SET_PULL_UP, SET_PULL_DOWN = 128, 32, 64
    RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3

    class error(Exception):
        def __str__(self) -> str:
            return repr(self.args[0])

    def __init__(self, chips: dict[int, dict[int, str]]) -> None:
        super().__init__("lgpio")
        self.chips = chips
        self.levels: dict[tuple[int, int], int] = {}
        self._outputs: set[tuple[int, int]] = set()

    def gpiochip_open(self, number: int) -> int:
        if number not in self.chips:
            raise self.error("can not open gpiochip")
        return number

    def gpiochip_close(self, handle: int) -> None:
        assert handle in self.chips

    def gpio_claim_input(self, handle: int, line: int, flags: int = 0) -> None:
        if line in self.chips[handle]:
            raise self.error("GPIO busy")
        self._outputs.discard((handle, line))
        self.levels[handle, line] = int(flags == self.SET_PULL_UP)

    def gpio_claim_output(self, handle: int, line: int, level: int = 0, flags: int = 0) -> None:
        self._outputs.add((handle, line))
        self.levels[handle, line] = level

    def gpio_free(self, handle: int, line: int) -> None:
        self._outputs.discard((handle, line))

    def gpio_get_mode(self, handle: int, line: int) -> int:
        return OUTPUT * ((handle, line) in self._outputs)

    def gpio_read(self, handle: int, line: int) -> int:
        return self.levels[handle, line]

    def gpio_write(self, handle: int, line: int, level: int) -> None:
        self.levels[handle, line] = int(level)

    def gpio_get_line_info(self, handle: int, line: int) -> list[Any]:
        return [0, line, 1, f"GPIO{line}", self.chips[handle].get(line, "")]


@pytest.fixture
def lgpio(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLgpio]:
    fake = FakeLgpio({0: {}, 4: {}, 11: {}, 15: {24: "gpio-fan", 16: ""}})
    monkeypatch.setitem(sys.modules, "lgpio", fake)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    monkeypatch.setattr(LocalPiFactory, "pins", {})
    monkeypatch.setattr(LocalPiFactory, "_get_revision", lambda self: PI_5_REVISION)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    yield fake
    sys.modules.pop("gpiozero.pins.lgpio", None)


@pytest.mark.parametrize("seen", MACHINES)
@pytest.mark.parametrize("revision", [PI_4_REVISION, PI_5_REVISION])
def test_the_chip_that_was_found_is_opened_whatever_the_board_and_its_revision(
    lgpio: FakeLgpio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: str, revision: int
) -> None:
    model, chips, number = MACHINES[seen]
    lgpio.chips = {number: {}}
    monkeypatch.setattr(LocalPiFactory, "_get_revision", lambda self: revision)
    factory = pin_factory(machine(tmp_path, model, chips))
    relay = OutputDevice(17, initial_value=False, pin_factory=factory)
    relay.on()
    assert (factory.chip, lgpio.levels) == (number, {(number, 17): 1})
    factory.close()


def test_a_pin_is_named_with_who_holds_it_and_the_relay_moves(lgpio: FakeLgpio, tmp_path: Path) -> None:
    factory = pin_factory(machine(tmp_path, PI_5, {**OWN_FROM_11, 15: RP1}))
    wiring = Wiring(relay=17, yellow=24, green=23, passage=16, guard_button=27)
    parts = gpio_lane(wiring, factory, threaded=False)
    assert parts.missing == {
        "yellow": "yellow: GPIO24 cannot be had: 'GPIO busy', held by 'gpio-fan'",
        "passage": "passage: GPIO16 cannot be had: 'GPIO busy', see gpiochip15 [raspberrypi,rp1-gpio]",
    }
    parts.relay.on()
    assert lgpio.levels[15, 17] == 1 and parts.inputs.read() == {"guard_button": False}
    for part in parts[:4]:
        part.close()


def test_a_chip_that_cannot_be_opened_is_named(lgpio: FakeLgpio) -> None:
    with pytest.raises(HardwareError, match=r"gpiochip7 \[pinctrl-rp1\]: 'can not open gpiochip'.*/dev/gpiochip7"):
        header_pins(HeaderChip(7, (RP1,), "pinctrl-rp1"))


def test_a_board_without_its_chip_is_told_what_was_looked_for(lgpio: FakeLgpio, tmp_path: Path) -> None:
    root = machine(tmp_path, PI_5, OWN_FROM_11)
    with pytest.raises(HardwareError) as refusal:
        pin_factory(root)
    with pytest.raises(HardwareError) as found:
        find_header_chip(root)
    assert str(refusal.value) == str(found.value)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    with pytest.raises(HardwareError, match="python3-lgpio"):
        pin_factory(machine(tmp_path, PI_4, {0: BCM2711}))
