"""How the gate is, for Prometheus. Pure; nothing personal is in it, and every label is a word of a closed list.

What a board or kernel does not tell is left out rather than called zero. Counts begin at 0 with each core and each
reader, which Prometheus takes for the reset that it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from kiosk.guard.standing import faults, notes
from kiosk.verbs import DECODE_TIMES_S, FRAME_TIMES_S, Figures, GateState, Happened, LaneFigures, LaneState, Spread

CLOCKS = ("trusted", "holdover", "untrusted")
LISTS = ("fresh", "stale", "expired", "none")
PREFIX = "gate_kiosk_"
HAPPENED = {
    "decided": ("decisions", "Decisions, repeats left out.", ("lane", "outcome", "reason")),
    "ruled": ("rulings", "Answers to yellow, by a guard or by nobody in time.", ("lane", "outcome", "reason")),
    "override": ("overrides", "Contradictions by guards.", ("lane", "outcome", "reason")),
    "passage": ("passages", "How passages ended.", ("lane", "outcome")),
    "opened": ("buttons", "Openings by a wired button.", ("lane", "reason")),
    "unasked": ("unasked_passages", "Passages that nothing let in.", ("lane", "reason")),
}
"""Kind of event to name, help and labels."""


class OwnFigures(NamedTuple):
    """What the guards' page knows of itself: how long it has run, and how many open pages it keeps live."""

    up_s: float
    streams: int


def families(state: GateState | None, figures: Figures | None, own: OwnFigures) -> Iterator[Metric]:
    """Everything to be told; ``state`` None means that the core does not answer, ``figures`` None that it does not
    count."""
    yield _gauge("up", "Whether the core answers.", state is not None)
    yield _gauge("streams_open", "Open pages of guards that are kept live.", own.streams)
    yield _gauges("process_up_seconds", "How long each process has run.", "process", _ages(figures, own))
    if state is not None:
        yield from _gate(state)
        yield from _board(state)
        yield from _lanes(state.lanes)
    if state is not None and figures is not None:
        yield from _counts(figures)
        yield from _readers(figures.lanes)


def _ages(figures: Figures | None, own: OwnFigures) -> dict[str, float]:
    """How long each process has run. Less than before is a restart, as ``resets()`` counts them."""
    ages: dict[str, float | None] = {"guard": own.up_s}
    if figures is not None:
        readers = [lane.reader.up_s for lane in figures.lanes if lane.reader is not None]
        ages |= {"core": figures.up_s, "sync": figures.sync_up_s, "reader": max(readers, default=None)}
    return {process: age for process, age in ages.items() if age is not None}


def _gate(state: GateState) -> Iterator[Metric]:
    for name, told, codes in (
        ("fault", "1 for each fault that stands.", faults(state)),
        ("note", "1 for what else there is to know.", notes(state)),
    ):
        yield _gauges(name, told, "code", {one.code: 1 for one in codes})
    yield _one_of("list", "1 for the state the list is in.", state.list_state, LISTS)
    yield _gauge("list_age_seconds", "Age of the list.", state.list_age_s if state.list_age_s >= 0 else None)
    yield _gauge("list_credentials", "Credentials in the list.", state.list_passes)
    yield _one_of("clock", "1 for the state the clock is in.", state.clock, CLOCKS)
    yield _gauge("clock_uncertainty_seconds", "How far the clock may be out.", state.clock_uncertainty_ms / 1000)
    yield _gauge("rtc_proven", "Whether the hardware clock agreed with the centre.", state.rtc == "proven")
    yield _gauge("centre_up", "Whether the centre answers.", state.centre_ok)
    seen = state.centre_seen_s
    yield _gauge("centre_seen_seconds", "Since the centre last answered.", seen if seen >= 0 else None)
    yield _gauge("events_unsent", "Events that the centre does not have.", state.unsent)
    yield _gauge("events_in_memory", "Events that are not on disk.", state.events_in_memory)
    yield _gauge("overrides_unexplained", "Overrides that still want a reason.", state.unexplained)


def _board(state: GateState) -> Iterator[Metric]:
    vitals = state.vitals
    yield _gauge("undervoltage", "Whether the supply was too weak in the last two seconds.", vitals.undervoltage)
    yield _gauge("throttled", "Whether heat or supply slow the processor down, by what is known.", vitals.throttled)
    yield _gauge("processor_celsius", "Temperature of the processor.", vitals.celsius)
    yield _gauge("disk_errors", "Errors that ext4 file systems have met.", vitals.disk_errors)
    yield _gauge("card_used_ratio", "Part of built-in memory's life that is used up.", vitals.card_used)
    yield _gauge("disk_free_bytes", "Room where journal and list are.", vitals.disk_free)
    yield _gauge("disk_size_bytes", "Size of the file system where journal and list are.", vitals.disk_size)
    yield _gauge("memory_free_bytes", "Memory that programs could have.", vitals.memory_free)
    yield _gauge("load1", "Load of the last minute.", vitals.load)


def _lanes(lanes: Sequence[LaneState]) -> Iterator[Metric]:
    def each(name: str, told: str, value: Mapping[str, float]) -> Metric:
        return _gauges(name, told, "lane", value)

    well = {lane.name: lane.camera_ok for lane in lanes if lane.has_camera}
    yield each("camera_up", "Whether the lane's camera is well.", well)
    looked = {lane.name: lane.looked for lane in lanes if lane.looked is not None}
    yield each("frames_looked_ratio", "Part of the frames that were decoded.", looked)
    restarts = {lane.name: lane.reader_restarts for lane in lanes}
    yield each("reader_restarts_last_hour", "Restarts of the reader that nobody asked for.", restarts)
    yield each("relay_on", "Whether the lane is asked to open.", {lane.name: lane.relay_on for lane in lanes})


def _counts(figures: Figures) -> Iterator[Metric]:
    for kind, (name, told, labels) in HAPPENED.items():
        yield _happened(name, told, labels, [one for one in figures.happened if one.kind == kind])
    presented = _counter("presentations", "Codes that were shown, repeats too.", ("lane", "source"))
    for shown in figures.presented:
        presented.add_metric([shown.lane, shown.source], shown.times)
    yield presented
    pulses = _counter("relay_pulses", "How often the relay was asked to open.", ("lane",))
    for lane in figures.lanes:
        pulses.add_metric([lane.name], lane.relay_pulses)
    yield pulses
    restarts = _counter("reader_restarts", "Restarts of the reader that nobody asked for.", ())
    restarts.add_metric([], figures.reader_restarts)
    yield restarts
    yield _gauge("events_oldest_unsent_seconds", "Age of the oldest event unsent.", figures.oldest_unsent_s)
    yield InfoMetricFamily(f"{PREFIX}versions", "What runs here.", value=figures.versions)


def _happened(name: str, told: str, labels: tuple[str, ...], happened: Sequence[Happened]) -> Metric:
    family, times = _counter(name, told, labels), Counter[tuple[str, ...]]()
    for one in happened:
        times[tuple(getattr(one, label) for label in labels)] += one.times
    for values, count in sorted(times.items()):
        family.add_metric(values, count)
    return family


def _readers(lanes: Sequence[LaneFigures]) -> Iterator[Metric]:
    told = {lane.name: lane.reader for lane in lanes if lane.reader is not None}
    frames = _counter("frames", "Frames that the camera gave.", ("lane",))
    for name, reader in told.items():
        frames.add_metric([name], reader.frames)
    yield frames
    yield _gauges("frames_per_second", "Frames a second, of late.", "lane", {n: r.fps for n, r in told.items()})
    yield _histogram("frame_seconds", "From one frame to the next.", FRAME_TIMES_S,
                     {name: reader.frame_times for name, reader in told.items()})  # fmt: skip
    yield _histogram("decode_seconds", "What a look at a frame costs.", DECODE_TIMES_S,
                     {name: reader.decode_times for name, reader in told.items()})  # fmt: skip
    bright = {name: reader.brightness / 255 for name, reader in told.items() if reader.brightness is not None}
    yield _gauges("brightness_ratio", "Mean grey value of the last frame.", "lane", bright)
    exposed = {name: reader.exposure_us / 1e6 for name, reader in told.items() if reader.exposure_us is not None}
    yield _gauges("exposure_seconds", "Exposure of the last frame.", "lane", exposed)
    gains = {name: reader.gain for name, reader in told.items() if reader.gain is not None}
    yield _gauges("gain_ratio", "How much the last frame was amplified.", "lane", gains)


def _counter(name: str, told: str, labels: Sequence[str]) -> CounterMetricFamily:
    return CounterMetricFamily(PREFIX + name, told, labels=labels)


def _gauge(name: str, told: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, told, labels=())
    if value is not None:
        family.add_metric([], float(value))
    return family


def _gauges(name: str, told: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, told, labels=(label,))
    for label_value, value in values.items():
        family.add_metric([label_value], float(value))
    return family


def _one_of(name: str, told: str, word: str, words: Sequence[str]) -> Metric:
    return _gauges(name, told, "state", {one: one == word for one in words})


def _histogram(name: str, told: str, bounds: Sequence[float], spreads: Mapping[str, Spread]) -> Metric:
    """What does not fit the bounds is left out: a reader of another version has others."""
    family = HistogramMetricFamily(PREFIX + name, told, labels=("lane",))
    for lane, spread in spreads.items():
        if len(spread.counts) == len(bounds) + 1 and min(spread.counts) >= 0 and math.isfinite(spread.sum_s):
            at_most = [sum(spread.counts[: place + 1]) for place in range(len(spread.counts))]
            names = [*map(str, bounds), "+Inf"]
            family.add_metric([lane], list(zip(names, at_most, strict=True)), spread.sum_s)
    return family
