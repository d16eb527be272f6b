"""Is this gate well? One finding per part, each with what to do when it is not."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from hardware import HardwareError
from hardware.board import find_header_chip, read_board
from hardware.modules import FEW_PIXELS
from hardware.ports import LIST
from hardware.rtc import battery_volts, read_rtc
from hardware.vitals import Vitals, read_vitals
from kiosk.channel import ChannelError, Client
from kiosk.config import Config
from kiosk.core.journal import open_existing
from kiosk.core.vitals import BoardFaults
from kiosk.core.vouching import Anchor
from kiosk.restarts import SEVERAL
from kiosk.verbs import STATE, GateState, LaneState, Nothing
from sync.cache import ListError, check, get_current

_CORE_ANSWER_S = 3.0
_BATTERY_V = 2.0
"""A battery at a Pi 5 that has less is empty, or is not there."""


class Finding(msgspec.Struct, frozen=True):
    """One part: whether it is well, what was found, and what to do about it."""

    part: str
    ok: bool
    text: str
    do: str = ""


def findings(config: Config, anchor: Anchor | None, root: Path = Path("/")) -> Iterator[Finding]:
    """Look at every part, one after the other. Never raises. ``root`` is where sysfs and /proc are found."""
    yield _enrolled(anchor)
    yield _decoder()
    if any(lane.part == "gpiozero" for lane in config.lane):
        yield board_at()
    yield from ports_of(config)
    yield from exits_of(config)
    state = ask_core(config)
    yield Finding("core", state is not None, "answers" if state else "does not answer",
                  "systemctl status gate-kiosk-core (or: python -m kiosk run)")  # fmt: skip
    yield from _journal(config)
    yield _list(config, anchor)
    yield from _board(read_vitals(config.core_state, root), state)
    yield _rtc(root, state)
    if state is not None:
        yield from _running(state)


def _enrolled(anchor: Anchor | None) -> Finding:
    text = f"gate {anchor.gate} of compound {anchor.compound}" if anchor else "not enrolled"
    return Finding("enrolment", anchor is not None, text, "python -m kiosk enrol CODE --centre URL")


def _decoder() -> Finding:
    try:
        from hardware.reading.decoder import QrDecoder

        found = QrDecoder().decode(np.full((64, 64), 255, np.uint8))
    except (ImportError, OSError) as err:
        return Finding("decoder", False, str(err), "apt-get install libzbar0, then setup.sh again")
    return Finding("decoder", not found, "zxing-cpp and zbar are there")


def board_at(root: Path = Path("/")) -> Finding:
    """Which board this is, and whether the kernel shows the chip of its header; true also while no core runs."""
    model = read_board(root).model or "unknown"
    try:
        return Finding("board", True, f"{model}, header on {find_header_chip(root)}")
    except HardwareError as err:
        return Finding("board", False, str(err), "is this a Raspberry Pi? NOTES.md, Pins that are taken")


def ports_of(config: Config) -> Iterator[Finding]:
    """Of several cameras each is named by its port: their order changes when one is missing."""
    if config.real_cameras < 2:
        return
    for camera in config.camera:
        if camera.part != "simulated":
            text = f"{camera.lane}: its camera is at {camera.port}" if camera.port else (
                f"{camera.lane}: its camera has no port, and is told from the others by its order only"
            )  # fmt: skip
            yield Finding("port", bool(camera.port), text, f'port = "cam0" or "cam1" in its [[camera]]; {LIST}')


def exits_of(config: Config) -> Iterator[Finding]:
    """A way out has a button inside: it opens whatever else is broken."""
    for lane in config.lane:
        if lane.direction == "out" and lane.part != "simulated":
            wired = lane.exit_button is not None or lane.guard_button is not None
            text = f"{lane.name}: " + ("a button opens it from inside" if wired else "no button opens it from inside")
            yield Finding("exit", wired, text, "wire a button, and name its pin as exit_button in this [[lane]]")


def ask_core(config: Config) -> GateState | None:
    """How the gate says it is; None while its core does not answer."""
    client = Client(config.socket("core-guard"), _CORE_ANSWER_S)
    try:
        return client.ask(STATE, Nothing())
    except ChannelError:
        return None
    finally:
        client.close()


def _journal(config: Config) -> Iterator[Finding]:
    for path in sorted(config.core_state.glob("journal-*.damaged-*")):
        if not path.name.endswith(("-wal", "-shm")):
            yield Finding("journal", True, f"{path.name} was set aside; kiosk journal says what is whole")
    paths = sorted(config.core_state.glob("journal-*.db"))
    if not paths:
        yield Finding("journal", False, "there is none yet", "start the core once")
    for path in paths:
        yield _sound(path)


def _sound(path: Path) -> Finding:
    try:
        with contextlib.closing(open_existing(path, 2)) as conn:
            conn.execute("PRAGMA query_only = 1")
            (found,) = conn.execute("PRAGMA quick_check(1)").fetchone()
            (newest,) = conn.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
    except sqlite3.Error as err:
        return Finding("journal", False, f"{path.name}: {err}", "restart the core: it sets a damaged journal aside")
    return Finding("journal", found == "ok", f"{path.name}: {newest} events, {found}", "restart the core")


def _list(config: Config, anchor: Anchor | None) -> Finding:
    path, do = get_current(config.list_folder), "systemctl restart gate-kiosk-sync: it is fetched anew"
    if path is None or anchor is None:
        return Finding("list", False, "there is none yet", do)
    try:
        epoch = path.name.split("-")[1] if path.name.count("-") >= 2 else ""
        check(path, anchor.compound, epoch)
    except ListError as err:
        return Finding("list", False, str(err), do)
    return Finding("list", True, f"{path.name} is whole")


def _board(vitals: Vitals, state: GateState | None) -> Iterator[Finding]:
    """What the board tells, by this look and by what the core has seen lately; nothing of what it does not tell."""
    bad = {*BoardFaults().judge(vitals, 0.0), *(state.faults if state else ())}
    if vitals.undervoltage is not None:
        text = "undervoltage, now or in the last quarter of an hour" if "supply_weak" in bad else "strong enough"
        do = "the board's own supply, a short thick cable; nothing else may draw from it"
        yield Finding("supply", "supply_weak" not in bad, text, do)
    if vitals.celsius is not None:
        do = "shade and air for the box, heat sink or fan; from 80 degrees on the processor is slowed down"
        yield Finding("heat", "too_hot" not in bad, f"{vitals.celsius:.0f} degrees Celsius", do)
    if vitals.disk_errors is not None:
        do = (
            "journalctl -k -g EXT4-fs; put fsck.mode=force into cmdline.txt once, and change the card if it comes again"
        )
        yield Finding("card", "card_errors" not in bad, f"{vitals.disk_errors} errors of the file system", do)
    if vitals.card_used is not None:
        text = f"{vitals.card_used:.0%} of the built-in memory's life used"
        yield Finding("card", "card_worn" not in bad, text, "plan another module")
    if vitals.disk_free is not None:
        do = "journalctl --vacuum-size=50M, apt-get clean, old folders in /opt/gate-kiosk/releases"
        yield Finding("disk", "disk_full" not in bad, f"{vitals.disk_free / 1e6:,.0f} MB free", do)


def _rtc(root: Path, state: GateState | None) -> Finding:
    """Never a fault: a gate without a hardware clock asks a guard for the time after a power cut."""
    said, volts = read_rtc(root), battery_volts(root)
    if said is None:
        return Finding("rtc", True, "no hardware clock that knows a time: after a power cut a guard is asked")
    shown = datetime.fromtimestamp(said.utc_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [said.name, shown, state.rtc if state else ""]
    if volts is not None:
        empty = ", none or empty: not believed after a power cut" if volts < _BATTERY_V else ""
        parts.append(f"battery {volts:.1f} V{empty}")
    return Finding("rtc", True, ", ".join(filter(None, parts)))


def _running(state: GateState) -> Iterator[Finding]:
    yield Finding("list age", state.list_state == "fresh", f"{state.list_state}, {state.list_age_s} s old, "
                  f"{state.list_passes} credentials", "see centre")  # fmt: skip
    yield Finding("clock", state.clock != "untrusted", f"{state.clock}, within {state.clock_uncertainty_ms} ms",
                  "connect to the centre, or let a guard set the time")  # fmt: skip
    yield Finding("centre", state.centre_ok, state.centre_why or f"answered {state.centre_seen_s} s ago",
                  "check cable, address and certificate")  # fmt: skip
    for lane in state.lanes:
        yield from _lane(lane)


def _reader(lane: LaneState) -> Finding:
    text = f"{lane.name}: {lane.reader_restarts} restarts within the hour"
    if lane.reader_blames:
        text += f", {lane.reader_blames} because of what its camera saw"
    do = "look at what is before the camera; journalctl -u gate-kiosk-reader -g 'reader=ends|Fatal'"
    return Finding("reader", lane.reader_restarts < SEVERAL, text, do)


def frames_of(lane: LaneState) -> str:
    """What a frame of this lane costs, and how many are looked at, for a technician."""
    looked = "" if lane.looked is None else f", {100 * lane.looked:.0f} % of frames looked at"
    pixels = "" if lane.module_px is None else f", {lane.module_px:.1f} pixels a module"
    return f"fine, {lane.decode_ms:.1f} ms a frame{looked}{pixels}"


def pixels_of(lane: LaneState) -> Iterator[Finding]:
    """A finding where codes are too small for this camera at the set distance, or where nobody can tell."""
    if lane.optics == "few" and lane.module_px is not None:
        few = f"{lane.name}: {lane.module_px:.1f} camera pixels a module, {FEW_PIXELS} are needed"
        yield Finding("pixels", False, few, "hold codes nearer (distance_cm), or take another module: MOUNTING.md")
    if lane.optics == "lens":
        yield Finding("pixels", False, f"{lane.name}: pixels a module are unknown, since its camera's lens is",
                      "set lens_mm in its [[camera]] to the focal length of its lens")  # fmt: skip


def pins_of(lane: LaneState) -> Finding:
    """Whether relay, lights and inputs of a lane are all there and move."""
    text = f"{lane.name}: {lane.pins_why or f'{lane.phase}, light {lane.signal}'}"
    return Finding("pins", not lane.pins_why, text, "free or move the pin (NOTES.md, Wiring), then restart the core")


def _lane(lane: LaneState) -> Iterator[Finding]:
    text = f"{lane.name}: {lane.camera_why or frames_of(lane)}"
    yield Finding("camera", lane.camera_ok, text, "check the ribbon cable, then systemctl status gate-kiosk-reader")
    yield from pixels_of(lane)
    yield _reader(lane)
    yield pins_of(lane)
