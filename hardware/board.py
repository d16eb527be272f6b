"""Which board this is, and which GPIO chip its 40-pin header hangs on, as the kernel says.

No number of a chip is certain. A Pi 5 has its header on chip 4 (kernels before 6.6.45), on chip 0 (later ones), or on
one of 11 to 15 while there is no chip 0 (6.12.96 and later); the others are wired to parts of the board. So the chip is
known by what it is: by ``compatible`` of its device tree node, else by the label its driver gave it.
Sources: raspberrypi/linux#6144, gpiozero/gpiozero#1166, adafruit/Adafruit_Blinka#1119.

``root`` is where ``/sys``, ``/proc`` and ``/dev`` are: a test gives a folder of its own.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hardware import HardwareError

HEADERS = {
    "raspberrypi,rp1-gpio": "pinctrl-rp1",
    "brcm,bcm2711-gpio": "pinctrl-bcm2711",
    "brcm,bcm2835-gpio": "pinctrl-bcm2835",
}
"""``compatible`` and label of the chips that a header hangs on: Pi 5; Pi 4; Pi 3, Zero 2 W and older."""
_CHIP_INFO = 0x8044B401
"""The request GPIO_GET_CHIPINFO_IOCTL of linux/gpio.h: name and label of 32 bytes each, then the number of lines."""


class Board(NamedTuple):
    """``model`` as the firmware says it, e.g. "Raspberry Pi 5 Model B Rev 1.0"; empty where nothing says it."""

    model: str

    @property
    def is_pi(self) -> bool:
        return self.model.startswith("Raspberry Pi")


class HeaderChip(NamedTuple):
    """A GPIO chip: ``/dev/gpiochipNUMBER``. ``label`` is empty where it could not be asked for."""

    number: int
    compatible: tuple[str, ...]
    label: str

    def __str__(self) -> str:
        return f"gpiochip{self.number} [{self.label or ', '.join(self.compatible) or 'unknown'}]"


def label_of(device: Path) -> str:
    """The label that a chip's driver gave it; empty where the device is missing, closed to us, or no chip."""
    try:
        handle = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        answer = fcntl.ioctl(handle, _CHIP_INFO, bytes(68))
    except OSError:
        return ""
    finally:
        os.close(handle)
    return answer[32:64].split(b"\0", 1)[0].decode("utf-8", "replace")


def read_board(root: Path = Path("/")) -> Board:
    """The board this is. Never raises."""
    return Board(next(iter(_strings(root / "proc/device-tree/model")), ""))


def find_header_chip(root: Path = Path("/"), label_of: Callable[[Path], str] = label_of) -> HeaderChip:
    """The chip of this board's header.

    On a machine that is no Raspberry Pi, as a laboratory's with simulated pins, a chip that is the only one is taken,
    whatever it is called. Raises HardwareError, which names what was looked for and what was there.
    """
    chips = _chips(root, label_of)
    for compatible, label in HEADERS.items():
        for chip in chips:
            if compatible in chip.compatible or label == chip.label:
                return chip
    board = read_board(root)
    if len(chips) == 1 and not board.is_pi:
        return chips[0]
    raise HardwareError(
        f"no GPIO chip of a header on this board ({board.model or 'unknown'}): looked for "
        f"{', '.join(HEADERS.values())}; there is {', '.join(map(str, chips)) or 'no gpiochip'}"
    )


def _chips(root: Path, label_of: Callable[[Path], str]) -> list[HeaderChip]:
    """Every chip the kernel has, by number. Links such as /dev/gpiochip4 -> gpiochip0 are no further chips."""
    found = []
    for folder in (root / "sys/bus/gpio/devices").glob("gpiochip*"):
        if numbered := re.fullmatch(r"gpiochip(\d+)", folder.name):
            compatible = tuple(_strings(folder / "of_node/compatible"))
            found.append(HeaderChip(int(numbered[1]), compatible, label_of(root / "dev" / folder.name)))
    return sorted(found)


def _strings(file: Path) -> list[str]:
    """The strings of a property of the device tree, or none; each ends with a zero byte."""
    try:
        return [part.decode("utf-8", "replace") for part in file.read_bytes().split(b"\0") if part]
    except OSError:
        return []
