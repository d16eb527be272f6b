"""How the board itself is: its supply, its heat, its disk. Read from sysfs and /proc; no device is opened.

What a Raspberry Pi offers, by its kernel's source: ``rpi_volt`` of the firmware's driver says whether the supply was
too weak in the last two seconds (the driver asks and clears every two), ``cpu-thermal`` the temperature, ext4 counts
its errors until a check of the file system clears them, and an eMMC, unlike a card, estimates its own wear. That a
processor is slowed down follows from heat and supply; ``get_throttled`` is gone from newer kernels, and reading it
in older ones prints a warning with a stack trace.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

SLOWED_C = 80.0
"""From here on the firmware slows the processor down, on every model (Raspberry Pi documentation, "Frequency
management and thermal control")."""


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """One reading. None is what this board or kernel does not tell.

    ``card_used``: the part of an eMMC's life that is used up (1.1: more than all), ``reserve_low``: most of its spare
    blocks are. ``disk_errors`` are those of all ext4 file systems. Sizes are in bytes; ``disk_free`` and
    ``disk_size`` are of the file system where the state is.
    """

    undervoltage: bool | None = None
    celsius: float | None = None
    disk_errors: int | None = None
    card_used: float | None = None
    reserve_low: bool | None = None
    disk_free: int | None = None
    disk_size: int | None = None
    memory_free: int | None = None
    load: float | None = None

    @property
    def throttled(self) -> bool | None:
        """Whether heat or supply slow the processor down; None where the board says neither."""
        hot = None if self.celsius is None else self.celsius >= SLOWED_C
        known = [one for one in (self.undervoltage, hot) if one is not None]
        return any(known) if known else None


def read_vitals(state: Path, root: Path = Path("/")) -> Vitals:
    """Look at everything once. Never raises; it may hang as long as a broken disk does."""
    free, size = _disk(state)
    reserves = _numbers(root.glob("sys/block/mmcblk*/device/pre_eol_info"))
    return Vitals(
        undervoltage=_undervoltage(root),
        celsius=_celsius(root),
        disk_errors=_sum(_numbers(root.glob("sys/fs/ext4/*/errors_count"))),
        card_used=_card_used(root),
        reserve_low=max(reserves) > 1 if any(reserves) else None,
        disk_free=free,
        disk_size=size,
        memory_free=_memory_free(root),
        load=_load(root),
    )


def _undervoltage(root: Path) -> bool | None:
    for folder in _named(root.glob("sys/class/hwmon/hwmon*"), "name", "rpi_volt"):
        alarms = _numbers([folder / "in0_lcrit_alarm"])
        return bool(alarms[0]) if alarms else None
    return None


def _celsius(root: Path) -> float | None:
    for folder in _named(root.glob("sys/class/thermal/thermal_zone*"), "type", "cpu-thermal"):
        thousandths = _numbers([folder / "temp"])
        return thousandths[0] / 1000 if thousandths else None
    return None


def _card_used(root: Path) -> float | None:
    """The worse of both kinds of cells. 1 to 10 are tenths of a life, 11 is more than all of it, 0 is nothing said."""
    words = " ".join(_text(path) for path in root.glob("sys/block/mmcblk*/device/life_time")).split()
    tenths = [int(word, 16) for word in words if re.fullmatch("0x[0-9a-f]+", word)]
    return max(tenths) / 10 if any(tenths) else None


def _disk(state: Path) -> tuple[int | None, int | None]:
    """Room that programs may fill, and the whole."""
    try:
        found = os.statvfs(state)
    except OSError:
        return None, None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _memory_free(root: Path) -> int | None:
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _load(root: Path) -> float | None:
    found = re.match(r"\d+\.\d+", _text(root / "proc/loadavg"))
    return float(found[0]) if found else None


def _named(folders: Iterable[Path], attribute: str, name: str) -> list[Path]:
    return [folder for folder in sorted(folders) if _text(folder / attribute).strip() == name]


def _numbers(paths: Iterable[Path]) -> list[int]:
    """Those that can be read; a file that came and went is none. ``0x01`` is hexadecimal, as the kernel prints it."""
    found = []
    for path in paths:
        with suppress(ValueError):
            found.append(int(_text(path), 0))
    return found


def _sum(numbers: list[int]) -> int | None:
    return sum(numbers) if numbers else None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
