"""Boots and power cuts: what each left behind, counted over the boots by :mod:`kiosk.selftest.watch`.

How a boot came about is not guessed from logs, which a cut loses: a watcher that is asked to stop leaves a mark on the
disk, and one that is cut off leaves none. What a cut may lose is proven with a journal of our own beside the gate's:
every event that was acknowledged is noted after it, so the journal must never end before the note.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import msgspec

from kiosk.commands.journal import surveys
from kiosk.selftest.bench import CORE, Bench
from kiosk.selftest.pins import EARLY
from kiosk.selftest.step import Beginning, Figures, only_if
from sync.durable import replace_durably

Phase = Literal["", "warm_boots", "cold_boots", "power_cuts"]
PHASES: tuple[Phase, ...] = ("warm_boots", "cold_boots", "power_cuts")
WANTED: dict[str, int] = {"warm_boots": 10, "cold_boots": 10, "power_cuts": 50}
BOOTS = "boots.json"
ORDERLY = "orderly"
WITNESS = "witness"
OWN = "journal"
UNIT = "gate-kiosk-selftest.service"
EARLY_UNIT = "gate-kiosk-selftest-early.service"
UNITS_IN = "/etc/systemd/system"


class Whole(msgspec.Struct, frozen=True):
    """A journal after a boot. ``witnessed``: the last number that was acknowledged before, as far as that was noted."""

    name: str
    last: int
    missing: int
    unproven: int
    damaged: bool
    witnessed: int = 0

    @property
    def wrong(self) -> list[str]:
        wrong = only_if(self.damaged, f"{self.name} was set aside as damaged")
        wrong += only_if(self.last < self.witnessed, f"{self.name} ends at {self.last}, acknowledged {self.witnessed}")
        return wrong + only_if(bool(self.missing or self.unproven),
                               f"{self.name}: {self.missing} missing, {self.unproven} unproven")  # fmt: skip


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """One boot as it was found. ``orderly``: the one before it ended in order; ``well_s``: from the watcher's start
    until all four processes ran and the core answered; None: they never did."""

    boot_id: str
    phase: Phase
    orderly: bool
    at: str
    well_s: float | None
    faults: list[str] = []
    clock: str = ""
    under_voltage: bool | None = None
    journals: list[Whole] = []


class Boots(msgspec.Struct, kw_only=True):
    """All boots since ``phase`` was first begun, which was in the boot ``begun_in``."""

    phase: Phase = ""
    begun_in: str = ""
    boots: list[Boot] = []

    def counted(self, phase: str) -> list[Boot]:
        """Those that are what the phase wants: in order for boots, not in order for cuts."""
        return [boot for boot in self.boots if boot.phase == phase and boot.orderly == (phase != "power_cuts")]

    def left(self, phase: str) -> int:
        return max(0, WANTED[phase] - len(self.counted(phase)))

    def goes_on(self, phase: str) -> bool:
        """Whether the board should boot itself once more; it never does so for ever."""
        tried = sum(boot.phase == phase for boot in self.boots)
        return self.left(phase) > 0 and tried < 2 * WANTED[phase]


def load(folder: Path) -> Boots:
    """What is kept; nothing yet, or an unreadable file, is an empty record. Raises OSError."""
    try:
        return msgspec.json.decode((folder / BOOTS).read_bytes(), type=Boots)
    except (FileNotFoundError, msgspec.MsgspecError):
        return Boots()


def keep(folder: Path, boots: Boots) -> None:
    replace_durably(folder / BOOTS, msgspec.json.encode(boots))


def found_whole(folder: Path, witnessed: int = 0) -> list[Whole]:
    """The journals of a folder as they are, before anything opens them. Raises OSError."""
    return [
        Whole(one.name, one.last, one.missing, one.unproven, one.state == "damaged",
              witnessed if one.state == "in use" else 0)
        for one in surveys(folder)
    ]  # fmt: skip


def witnessed(folder: Path) -> int:
    """The last number acknowledged, as noted; 0 where nothing was."""
    try:
        return int((folder / WITNESS).read_text() or 0)
    except (OSError, ValueError):
        return 0


def over_boots(phase: Phase) -> Beginning:
    """Of a step that counts boots."""

    def enough(bench: Bench) -> bool:
        return load(bench.folder).left(phase) == 0

    def begin(bench: Bench) -> None:
        boots = load(bench.folder)
        boots.phase, boots.begun_in = phase, bench.machine.boot_id
        keep(bench.folder, boots)
        install(bench)
        if phase != "power_cuts":
            bench.machine.run("systemctl", "reboot" if phase == "warm_boots" else "poweroff")

    def so_far(bench: Bench) -> str:
        count = len(load(bench.folder).counted(phase))
        return f"{count} of {WANTED[phase]} so far" if count else ""

    return Beginning(begin, enough, so_far)


def counted(bench: Bench, phase: Phase) -> Figures:
    """The figures of one phase; each boot stands whole in the report's ``boots.json``."""
    boots = load(bench.folder).counted(phase)
    times = [boot.well_s for boot in boots if boot.well_s is not None]
    return {
        "wanted": WANTED[phase],
        "boots": len(boots),
        "well": len(times),
        "slowest_s": max(times, default=None),
        "journals_wrong": [wrong for boot in boots for one in boot.journals for wrong in one.wrong],
        "faults": sorted({fault for boot in boots for fault in boot.faults}),
        "under_voltage": sum(bool(boot.under_voltage) for boot in boots),
        "clocks": sorted({boot.clock for boot in boots}),
    }


def counted_judged(saw: Figures) -> list[str]:
    wrong = only_if(saw["boots"] < saw["wanted"], f"{saw['boots']} of {saw['wanted']}")
    wrong += only_if(saw["well"] < saw["boots"], f"{saw['boots'] - saw['well']} times the gate did not come up")
    return wrong + list(saw["journals_wrong"])


def install(bench: Bench) -> None:
    """Have the watcher run now and after each boot. Idempotent."""
    for name, text in units(bench).items():
        bench.machine.path(f"{UNITS_IN}/{name}").write_text(text)
    bench.machine.run("systemctl", "daemon-reload")
    bench.machine.run("systemctl", "enable", EARLY_UNIT, UNIT)
    bench.machine.run("systemctl", "restart", UNIT)


def remove(bench: Bench) -> None:
    """No watcher from now on. Idempotent."""
    bench.machine.run("systemctl", "disable", "--now", EARLY_UNIT, UNIT)
    for name in (EARLY_UNIT, UNIT):
        bench.machine.path(f"{UNITS_IN}/{name}").unlink(missing_ok=True)
    bench.machine.run("systemctl", "daemon-reload")


def units(bench: Bench) -> dict[str, str]:
    """The watcher, and what notes the pins before the core has touched them."""
    note = f"{bench.folder}/{EARLY}"
    early = f"""\
[Unit]
Description=Gate kiosk: pins before the core starts
Before={CORE}.service

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'pinctrl get 9-27 >{note}.new && mv {note}.new {note}'
TimeoutStartSec=5

[Install]
WantedBy=multi-user.target
"""
    watcher = f"""\
[Unit]
Description=Gate kiosk: first hour on a board
After=gate-kiosk.target

[Service]
ExecStart={sys.executable} -P -m kiosk selftest --after-boot --config {bench.config_path}
WorkingDirectory={bench.folder}
SyslogIdentifier=gate-selftest
Environment=PYTHONUNBUFFERED=1
TimeoutStopSec=20

[Install]
WantedBy=multi-user.target
"""
    return {EARLY_UNIT: early, UNIT: watcher}
