"""Is this gate well? One finding per part, each with what to do when it is not."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from hardware.modules import FEW_PIXELS
from hardware.ports import LIST
from kiosk.channel import ChannelError, Client
from kiosk.config import Config
from kiosk.core.journal import open_existing
from kiosk.core.vouching import Anchor
from kiosk.restarts import SEVERAL
from kiosk.verbs import STATE, GateState, LaneState, Nothing
from sync.cache import ListError, check, get_current

_CORE_ANSWER_S = 3.0


class Finding(msgspec.Struct, frozen=True):
    """One part: whether it is well, what was found, and what to do about it."""

    part: str
    ok: bool
    text: str
    do: str = ""


def findings(config: Config, anchor: Anchor | None) -> Iterator[Finding]:
    """Look at every part, one after the other. Never raises."""
    yield _enrolled(anchor)
    yield _decoder()
    yield from ports_of(config)
    state = ask_core(config)
    yield Finding("core", state is not None, "answers" if state else "does not answer",
                  "systemctl status gate-kiosk-core (or: python -m kiosk run)")  # fmt: skip
    yield from _journal(config)
    yield _list(config, anchor)
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


def _running(state: GateState) -> Iterator[Finding]:
    yield Finding("list age", state.list_state == "fresh", f"{state.list_state}, {state.list_age_s} s old, "
                  f"{state.list_passes} credentials", "see centre")  # fmt: skip
    yield Finding("clock", state.clock != "untrusted", f"{state.clock}, within {state.clock_uncertainty_ms} ms",
                  "connect to the centre, or let a guard confirm the time")  # fmt: skip
    yield Finding("centre", state.centre_ok, state.centre_why or f"answered {state.centre_seen_s} s ago",
                  "check cable, address and certificate")  # fmt: skip
    for lane in state.lanes:
        yield from _lane(lane, state)


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


def _lane(lane: LaneState, state: GateState) -> Iterator[Finding]:
    text = f"{lane.name}: {lane.camera_why or frames_of(lane)}"
    yield Finding("camera", lane.camera_ok, text, "check the ribbon cable, then systemctl status gate-kiosk-reader")
    yield from pixels_of(lane)
    yield _reader(lane)
    pins_ok = "relay" not in state.faults
    yield Finding("pins", pins_ok, f"{lane.name}: {lane.phase}, light {lane.signal}", "see the core's log")
