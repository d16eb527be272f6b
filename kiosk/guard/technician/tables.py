"""The technician's tables: finished rows of how gate, device and lanes are. Pure."""

from __future__ import annotations

from kiosk.guard import words
from kiosk.guard.views import age, lane_title, list_age, local
from kiosk.guard.words import code, word
from kiosk.verbs import Figures, GateState, LaneState, ReaderFigures

_DASH = "—"
_PROCESSES = ("core", "reader", "guard", "sync")

Rows = list[tuple[str, str]]


def details(
    language: str, state: GateState, figures: Figures | None = None, up_s: float | None = None
) -> list[tuple[str, Rows]]:
    """(heading, rows) of each table. ``figures`` None: the core does not count. ``up_s``: this page's program's age."""
    told = {lane.name: lane.reader for lane in figures.lanes} if figures else {}
    tables = [("", _gate_details(language, state, figures)), (word(language, "device"), _device(language, state))]
    if figures is not None:
        tables.append((word(language, "programs"), _programs(language, figures, up_s)))
    for lane in state.lanes:
        heading = f"{word(language, 'lane')} {lane_title(language, lane)} · {lane.name}"
        tables.append((heading, _lane_details(language, lane, told.get(lane.name), state)))
    return tables


def _flag(language: str, good: bool) -> str:
    return word(language, "good" if good else "bad")


def _gate_details(language: str, state: GateState, figures: Figures | None) -> Rows:
    seen = state.centre_seen_s
    spoken = word(language, "never") if seen < 0 else word(language, "seen_ago", age=age(language, seen))
    rows = {
        "time_gate": local(state.now_ms, state).strftime("%Y-%m-%d %H:%M:%S"),
        "clock": code(language, words.WORDS, f"clock_{state.clock}"),
        "uncertainty": str(state.clock_uncertainty_ms),
        "rtc": code(language, words.WORDS, f"rtc_{state.rtc or 'none'}"),
        "list": " · ".join([code(language, words.WORDS, f"list_{state.list_state}"), list_age(language, state)]),
        "revision": str(state.list_revision),
        "passes": str(state.list_passes),
        "centre": " · ".join(filter(None, [_flag(language, state.centre_ok), spoken, state.centre_why])),
        "unsent": _unsent(language, state, figures),
        "journal": _flag(language, state.journal_ok),
        "in_memory": str(state.events_in_memory),
        "enforcement": state.enforcement,
        "faults": ", ".join(state.faults) or _DASH,
        "run": state.run,
    }
    return [(word(language, key), value) for key, value in rows.items()]


def _unsent(language: str, state: GateState, figures: Figures | None) -> str:
    oldest = figures.oldest_unsent_s if figures else None
    if not state.unsent or oldest is None:
        return str(state.unsent)
    return f"{state.unsent} · {word(language, 'oldest', age=age(language, oldest))}"


def _device(language: str, state: GateState) -> Rows:
    """How the device itself is; a dash where its board does not say."""
    vitals, weak = state.vitals, "supply_weak" in state.faults
    knows_supply = vitals.undervoltage is not None or weak
    rows = {
        "supply": (word(language, "supply_low") if weak else _flag(language, True)) if knows_supply else _DASH,
        "heat": _DASH if vitals.celsius is None else f"{vitals.celsius:.0f} °C",
        "throttled": _throttled(language, state),
        "disk_errors": _DASH if vitals.disk_errors is None else str(vitals.disk_errors),
        "card_used": _DASH if vitals.card_used is None else f"{vitals.card_used:.0%}",
        "disk_free": _free(language, vitals.disk_free, vitals.disk_size),
        "memory_free": _size(vitals.memory_free),
        "load": _DASH if vitals.load is None else f"{vitals.load:.2f}",
    }
    return [(word(language, key), value) for key, value in rows.items()]


def _throttled(language: str, state: GateState) -> str:
    throttled = state.vitals.throttled
    return _DASH if throttled is None else word(language, "throttled_now" if throttled else "throttled_not")


def _size(octets: int | None) -> str:
    return _DASH if octets is None else f"{octets / 1e6:,.0f} MB"


def _free(language: str, free: int | None, size: int | None) -> str:
    return _size(free) if free is None or not size else word(language, "of_size", free=_size(free), size=_size(size))


def _programs(language: str, figures: Figures, up_s: float | None) -> Rows:
    readers = [lane.reader.up_s for lane in figures.lanes if lane.reader is not None]
    ages = dict(zip(_PROCESSES, (figures.up_s, max(readers, default=None), up_s, figures.sync_up_s), strict=True))
    versions = {name: figures.versions.get(name) or _DASH for name in ("program", "python", "kernel", "board")}
    return [
        *((word(language, f"version_{name}"), text) for name, text in versions.items()),
        *((word(language, f"runs_{name}"), _up(language, seconds)) for name, seconds in ages.items()),
        (word(language, "reader_restarts"), str(figures.reader_restarts)),
    ]


def _up(language: str, seconds: float | None) -> str:
    return _DASH if seconds is None else age(language, int(seconds))


def _reader_details(language: str, lane: LaneState, state: GateState) -> str:
    if not lane.reader_restarts:
        return word(language, "reader_steady")
    at = local(lane.reader_restarted_ms, state).strftime("%H:%M:%S")
    return word(language, "reader_counted", n=lane.reader_restarts, time=at, blames=lane.reader_blames)


def _module_details(language: str, lane: LaneState) -> str:
    pixels = _DASH if lane.module_px is None else f"{lane.module_px:.1f}"
    wrong = {"few": "few_pixels", "lens": "lens_unknown"}.get(lane.optics)
    return " · ".join(filter(None, [pixels, word(language, wrong) if wrong else ""]))


def _exposure(reader: ReaderFigures | None) -> str:
    if reader is None or reader.exposure_us is None or reader.gain is None:
        return _DASH
    return f"{reader.exposure_us / 1000:.1f} ms × {reader.gain:.1f}"


def _camera(language: str, lane: LaneState) -> str:
    if not lane.has_camera:
        return word(language, "no_camera")
    return " · ".join(filter(None, [_flag(language, lane.camera_ok), lane.camera_why]))


def _lane_details(language: str, lane: LaneState, reader: ReaderFigures | None, state: GateState) -> Rows:
    arm = {None: "unknown", True: "on", False: "off"}[lane.arm_open]
    rows = {
        "camera": _camera(language, lane),
        "fps": _DASH if reader is None else f"{reader.fps:.1f}",
        "decode_ms": f"{lane.decode_ms:.1f}",
        "looked": _DASH if lane.looked is None else f"{lane.looked:.0%}",
        "exposure": _exposure(reader),
        "brightness": _DASH if reader is None or reader.brightness is None else f"{reader.brightness / 255:.0%}",
        "module_px": _module_details(language, lane),
        "reader": _reader_details(language, lane, state),
        "direction": lane.direction,
        "lock": lane.lock,
        "phase": lane.phase,
        "signal": lane.signal,
        "relay": word(language, "on" if lane.relay_on else "off"),
        "arm": word(language, arm),
        "pins": lane.pins_why or word(language, "good"),
        "hold_open": word(language, "on" if lane.held_open else "off"),
    }
    return [(word(language, key), value) for key, value in rows.items()]
