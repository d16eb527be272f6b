"""The board's hardware clock, as the kernel's sysfs tells it: no device is opened, and none is set.

``/dev/rtc0`` is hidden from the units, ``/sys/class/rtc/*/since_epoch`` is not. Each reading asks the clock itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class RtcTime(NamedTuple):
    """What a hardware clock said, ``at`` seconds after boot. ``utc_ms`` is the middle of the second that it shows."""

    name: str
    utc_ms: int
    at: float


def boottime() -> float:
    """Seconds since boot, suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def read_rtc(root: Path = Path("/"), boot: Callable[[], float] = boottime) -> RtcTime | None:
    """The time of the clock that the kernel set the system clock by, else of the first one. None: there is no such
    clock, or it does not know the time: a driver that finds its oscillator stopped refuses to be read."""
    folder = find_rtc(root)
    if folder is None:
        return None
    try:
        seconds = int(_text(folder / "since_epoch"))
        return RtcTime(_text(folder / "name"), seconds * 1000 + 500, boot())
    except (OSError, ValueError):
        return None


def find_rtc(root: Path = Path("/")) -> Path | None:
    """The folder of the clock that :func:`read_rtc` asks."""
    found = sorted(root.glob("sys/class/rtc/rtc*"), key=lambda folder: (not _set_the_system(folder), folder.name))
    return found[0] if found else None


def battery_volts(root: Path = Path("/")) -> float | None:
    """The voltage at the connector of a Pi 5's battery, near 0 without one; None where the clock does not say."""
    folder = find_rtc(root)
    try:
        return int(_text(folder / "battery_voltage")) / 1e6 if folder else None
    except (OSError, ValueError):
        return None


def _set_the_system(folder: Path) -> bool:
    try:
        return _text(folder / "hctosys") == "1"
    except OSError:
        return False


def _text(path: Path) -> str:
    return path.read_text("ascii", "replace").strip()
