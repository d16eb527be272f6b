"""gpiozero on the header's chip, with an lgpio that has no devices. The guest run shows the same with a true one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gpiozero import OutputDevice
from gpiozero.pins.local import LocalPiFactory

from hardware import HardwareError, Wiring
from hardware.board import HeaderChip, find_header_chip
from hardware.gpio import gpio_lane, header_pins, pin_factory
from tests.gate.lanes.test_board import BCM2711, MACHINES, OWN_FROM_11, PI_5, RP1, machine

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
        pin_factory(machine(tmp_path, "Raspberry Pi 4 Model B Rev 1.4", {0: BCM2711}))
