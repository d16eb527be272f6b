"""What runs after each boot of the first hour: notes the boot, writes a journal that the plug interrupts, samples."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

from hardware import HardwareError
from kiosk.core.journal import Journal, new_event_id
from kiosk.selftest import days, power
from kiosk.selftest.bench import WELL_S, Bench
from kiosk.selftest.board import supply, weak
from kiosk.selftest.step import CannotTell
from sync.durable import flush_folder, replace_durably
from sync.protocol import Event

LED = "/sys/class/leds/ACT/trigger"
EVENT_EVERY_S = 0.5
WRITES_S = 900.0
"""How long after a boot the journal is written: whoever pulls the plug does so by then, and the card is spared."""
SETTLES_S = 20.0
"""Between a boot that is well and the next one, so that somebody can stop it."""

log = logging.getLogger("selftest")


def after_boot(bench: Bench, stopping: threading.Event) -> None:
    """Note this boot once, do what the phase wants, go on until ``stopping``; then mark an orderly end."""
    boots = note(bench)
    phase = boots.phase
    if phase in ("warm_boots", "cold_boots") and boots.begun_in != bench.machine.boot_id and boots.goes_on(phase):
        log.info("boots=%s left=%d", phase, boots.left(phase))
        if not stopping.wait(SETTLES_S):
            bench.machine.run("systemctl", "reboot" if phase == "warm_boots" else "poweroff")
    trigger = _signal(bench, boots)
    writer = threading.Thread(target=_write, args=(bench, stopping), name="journal-of-cuts", daemon=True)
    if phase == "power_cuts" and boots.left(phase):
        writer.start()
    pause_s = 0.0
    while not stopping.wait(pause_s):
        pause_s = days.EVERY_S
        with suppress(OSError):
            days.add(bench.folder, days.sample(bench))
    if writer.is_alive():
        writer.join(10)
    if trigger:
        bench.machine.write(LED, trigger)
    replace_durably(bench.folder / power.ORDERLY, bench.machine.boot_id.encode())


def note(bench: Bench) -> power.Boots:
    """The record with this boot in it, if it is a new one; on disk before anything else is done."""
    mark = bench.folder / power.ORDERLY
    orderly = mark.exists()
    boots = power.load(bench.folder)
    known = {boots.begun_in, *(boot.boot_id for boot in boots.boots)}
    if boots.phase and bench.machine.boot_id not in known:
        boots.boots.append(looked(bench, boots.phase, orderly))
        power.keep(bench.folder, boots)
        log.info("boot=%d orderly=%s well_s=%s", len(boots.boots), orderly, boots.boots[-1].well_s)
    if orderly:
        mark.unlink()
        flush_folder(bench.folder)
    return boots


def looked(bench: Bench, phase: power.Phase, orderly: bool) -> power.Boot:
    """What this boot found: journals first, before anything of ours opens them."""
    own = power.found_whole(bench.folder / power.OWN, power.witnessed(bench.folder))
    well_s = bench.eventually(lambda: bench.all_active() and bench.state() is not None, WELL_S)
    state = bench.state()
    gate = power.found_whole(bench.config.core_state)
    try:
        under_voltage = weak(supply(bench))
    except CannotTell:
        under_voltage = None
    return power.Boot(
        boot_id=bench.machine.boot_id,
        phase=phase,
        orderly=orderly,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        well_s=well_s,
        faults=list(state.faults) if state else ["the core does not answer"],
        clock=state.clock if state else "",
        under_voltage=under_voltage,
        journals=own + gate,
    )


def _signal(bench: Bench, boots: power.Boots) -> str:
    """The board's green light beats like a heart while the plug may be pulled, and stays lit after the last cut; what
    it showed before is returned."""
    if boots.phase != "power_cuts":
        return ""
    said = bench.machine.text(LED) or ""
    before = said.partition("[")[2].partition("]")[0]
    bench.machine.write(LED, "heartbeat" if boots.left("power_cuts") else "default-on")
    return before


def _write(bench: Bench, stopping: threading.Event) -> None:
    """An event every half second, each noted once it was acknowledged."""
    folder = bench.folder / power.OWN
    folder.mkdir(exist_ok=True)
    journal = Journal(folder, lambda: round(time.time() * 1000))
    ends = bench.clock() + WRITES_S
    try:
        while not stopping.wait(EVENT_EVERY_S) and bench.clock() < ends:
            written(journal, bench)
    except (OSError, HardwareError) as err:
        log.error("journal=failed why=%r", str(err))
    finally:
        journal.close()


def written(journal: Journal, bench: Bench) -> None:
    """One event more, and the number that the journal acknowledged."""
    saved = journal.append(Event(id=new_event_id(), kind="boot", at_ms=round(time.time() * 1000)))
    if saved.wait(5):
        replace_durably(bench.folder / power.WITNESS, str(journal.health().newest).encode())
