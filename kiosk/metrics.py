"""How the gate is, for a monitor: the text format of Prometheus. Pure; nothing personal is in it.

What a board or kernel does not tell is left out rather than called zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kiosk.verbs import GateState, LaneState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CLOCKS = ("trusted", "holdover", "untrusted")
LISTS = ("fresh", "stale", "expired", "none")

Sample = tuple[Mapping[str, str], float]
"""Labels and value."""
Metric = tuple[str, str, list[Sample]]
"""Name, what it says, samples: none where nothing is known."""


def metrics(state: GateState | None) -> str:
    """The page; ``state`` None means that the core does not answer."""
    found: list[Metric] = [("up", "Whether the core answers.", _known(state is not None))]
    if state is not None:
        found += [*_gate(state), *_board(state), *_lanes(state.lanes)]
    return "".join(_written(*one) for one in found)


def _gate(state: GateState) -> Iterator[Metric]:
    yield "fault", "1 for each fault that stands.", [({"code": fault}, 1.0) for fault in state.faults]
    yield "list", "1 for the state the list is in.", _one_of("state", state.list_state, LISTS)
    yield "list_age_seconds", "Age of the list.", _known(state.list_age_s if state.list_age_s >= 0 else None)
    yield "list_credentials", "Credentials in the list.", _known(state.list_passes)
    yield "clock", "1 for the state the clock is in.", _one_of("state", state.clock, CLOCKS)
    yield "clock_uncertainty_seconds", "How far the clock may be out.", _known(state.clock_uncertainty_ms / 1000)
    yield "rtc_proven", "Whether the hardware clock agreed with the centre.", _known(state.rtc == "proven")
    yield "centre_up", "Whether the centre answers.", _known(state.centre_ok)
    seen = state.centre_seen_s
    yield "centre_seen_seconds", "Since the centre last answered.", _known(seen if seen >= 0 else None)
    yield "events_unsent", "Events that the centre does not have.", _known(state.unsent)
    yield "events_in_memory", "Events that are not on disk.", _known(state.events_in_memory)


def _board(state: GateState) -> Iterator[Metric]:
    vitals = state.vitals
    yield "undervoltage", "Whether the supply was too weak in the last two seconds.", _known(vitals.undervoltage)
    yield "processor_celsius", "Temperature of the processor.", _known(vitals.celsius)
    yield "disk_errors", "Errors that ext4 file systems have met.", _known(vitals.disk_errors)
    yield "card_used_ratio", "Part of built-in memory's life that is used up.", _known(vitals.card_used)
    yield "disk_free_bytes", "Room where journal and list are.", _known(vitals.disk_free)
    yield "memory_free_bytes", "Memory that programs could have.", _known(vitals.memory_free)
    yield "load1", "Load of the last minute.", _known(vitals.load)


def _lanes(lanes: list[LaneState]) -> Iterator[Metric]:
    def each(value: Mapping[str, float]) -> list[Sample]:
        return [({"lane": name}, number) for name, number in value.items()]

    yield "camera_up", "Whether the lane's camera is well.", each({lane.name: lane.camera_ok for lane in lanes})
    decode = {lane.name: lane.decode_ms / 1000 for lane in lanes}
    yield "decode_seconds", "What a frame costs.", each(decode)
    looked = {lane.name: lane.looked for lane in lanes if lane.looked is not None}
    yield "frames_looked_ratio", "Part of the frames that were decoded.", each(looked)
    restarts = {lane.name: lane.reader_restarts for lane in lanes}
    yield "reader_restarts_last_hour", "Restarts of the reader that nobody asked for.", each(restarts)
    yield "relay_on", "Whether the lane is asked to open.", each({lane.name: lane.relay_on for lane in lanes})


def _known(value: float | None) -> list[Sample]:
    return [] if value is None else [({}, float(value))]


def _one_of(label: str, word: str, words: tuple[str, ...]) -> list[Sample]:
    return [({label: one}, float(one == word)) for one in words]


def _written(name: str, told: str, samples: list[Sample]) -> str:
    if not samples:
        return ""
    lines = [f"# HELP gate_kiosk_{name} {told}", f"# TYPE gate_kiosk_{name} gauge"]
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        lines.append(f"gate_kiosk_{name}{{{inside}}} {value:.12g}" if inside else f"gate_kiosk_{name} {value:.12g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
