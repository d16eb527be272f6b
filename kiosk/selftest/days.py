"""A day: memory, CMA and files of each process, sampled by :mod:`kiosk.selftest.watch`; and the lane's screen."""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path

import msgspec

from hardware.vitals import read_vitals
from kiosk.selftest.bench import UNITS, Bench, Machine
from kiosk.selftest.board import meminfo
from kiosk.selftest.step import CannotTell, Figures, only_if

SAMPLES = "day.jsonl"
EVERY_S = 600.0
SETTLED_S = 1800
"""What a process takes in its first half hour is its size, not its growth."""
LEAST_HOURS = 20.0
MOST_GROWTH_MB = 20.0
MOST_CMA_LOSS_MB = 16.0
MOST_FILES = 20


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look. Memory in MB by unit; ``uptime_s`` tells the boots of a day apart."""

    at_s: float
    uptime_s: float
    available_mb: float
    cma_free_mb: float
    cma_total_mb: float
    celsius: float | None
    under_voltage: bool | None
    rss_mb: dict[str, float]
    files: dict[str, int]
    restarts: dict[str, int]


def sample(bench: Bench) -> Sample:
    machine, memory = bench.machine, meminfo(bench.machine)
    uptime = float((machine.text("/proc/uptime") or "0").split()[0])
    vitals = read_vitals(bench.folder, machine.root)
    pids = {unit: int(machine.property_of(unit, "MainPID") or 0) for unit in UNITS}
    pids = {unit: pid for unit, pid in pids.items() if pid}
    return Sample(
        at_s=round(time.time()),
        uptime_s=uptime,
        available_mb=memory.get("MemAvailable", 0) // 1024,
        cma_free_mb=memory.get("CmaFree", 0) // 1024,
        cma_total_mb=memory.get("CmaTotal", 0) // 1024,
        celsius=vitals.celsius,
        under_voltage=vitals.undervoltage,
        rss_mb={unit: _rss_mb(machine, pid) for unit, pid in pids.items()},
        files={unit: len(list(machine.path(f"/proc/{pid}/fd").glob("*"))) for unit, pid in pids.items()},
        restarts={unit: int(machine.property_of(unit, "NRestarts") or 0) for unit in pids},
    )


def _rss_mb(machine: Machine, pid: int) -> float:
    found = re.search(r"^VmRSS:\s+(\d+) kB", machine.text(f"/proc/{pid}/status") or "", re.MULTILINE)
    return round(int(found[1]) / 1024, 1) if found else 0.0


def add(folder: Path, one: Sample) -> None:
    """A line more. A cut may lose the last ones, or leave a half of one, which :func:`samples` leaves out."""
    with (folder / SAMPLES).open("ab") as file:
        file.write(msgspec.json.encode(one) + b"\n")


def samples(folder: Path) -> list[Sample]:
    found = []
    try:
        lines = (folder / SAMPLES).read_bytes().splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Sample))
        except msgspec.MsgspecError:
            continue
    return found


def memory(bench: Bench) -> Figures:
    """The longest stretch without a boot in between: the medians of its first and of its last quarter."""
    stretch = _longest(samples(bench.folder))
    settled = [one for one in stretch if one.uptime_s >= SETTLED_S]
    hours = (settled[-1].uptime_s - settled[0].uptime_s) / 3600 if settled else 0.0
    if hours < LEAST_HOURS:
        raise CannotTell(f"{hours:.1f} hours without a boot were watched, {LEAST_HOURS:g} are needed")
    quarter = max(1, len(settled) // 4)
    first, last = settled[:quarter], settled[-quarter:]
    units = sorted({unit for one in settled for unit in one.rss_mb})

    def grown(of: str, unit: str) -> float:
        before, after = ([getattr(one, of)[unit] for one in part if unit in getattr(one, of)] for part in (first, last))
        return round(statistics.median(after) - statistics.median(before), 1) if before and after else 0.0

    cma = [statistics.median(one.cma_free_mb for one in part) for part in (first, last)]
    return {
        "hours": round(hours, 1),
        "samples": len(settled),
        "rss_mb": {unit: last[-1].rss_mb.get(unit) for unit in units},
        "rss_growth_mb": {unit: grown("rss_mb", unit) for unit in units},
        "files_growth": {unit: grown("files", unit) for unit in units},
        "restarts": {unit: last[-1].restarts.get(unit, 0) - first[0].restarts.get(unit, 0) for unit in units},
        "available_mb": [first[0].available_mb, last[-1].available_mb],
        "cma_free_mb": cma,
        "cma_least_mb": min(one.cma_free_mb for one in settled),
        "cma_total_mb": last[-1].cma_total_mb,
        "hottest": max((one.celsius for one in settled if one.celsius is not None), default=None),
        "under_voltage": sum(bool(one.under_voltage) for one in settled),
    }


def _longest(found: list[Sample]) -> list[Sample]:
    stretches: list[list[Sample]] = [[]]
    for one in found:
        if stretches[-1] and one.uptime_s < stretches[-1][-1].uptime_s:
            stretches.append([])
        stretches[-1].append(one)
    return max(stretches, key=lambda stretch: stretch[-1].uptime_s - stretch[0].uptime_s if stretch else 0.0)


def memory_judged(saw: Figures) -> list[str]:
    wrong = [f"{unit} grew by {mb} MB" for unit, mb in saw["rss_growth_mb"].items() if mb > MOST_GROWTH_MB]
    wrong += [f"{unit} has {count:g} open files more" for unit, count in saw["files_growth"].items()
              if count > MOST_FILES]  # fmt: skip
    wrong += [f"{unit} restarted {count} times" for unit, count in saw["restarts"].items() if count]
    lost = saw["cma_free_mb"][0] - saw["cma_free_mb"][1]
    return wrong + only_if(lost > MOST_CMA_LOSS_MB, f"{lost:g} MB of CMA are gone")


def screen(bench: Bench) -> Figures:
    """What runs for the screen; whether it is lit and right is what the person says."""
    listed = bench.machine.run("ps", "-eo", "comm=")
    names = set(listed.out.split()) if listed else set()
    return {"running": sorted(names & {"cage", "labwc", "chromium", "wayfire", "firefox"})}


def screen_judged(saw: Figures) -> list[str]:
    return []
