"""The figures that Prometheus may keep, read by Prometheus' own parser: which, whose, and how many at most."""

from __future__ import annotations

import pytest
from flask import Flask
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from hardware.vitals import Vitals
from kiosk.guard.lane.screen import FRESH_S, Screens
from kiosk.guard.line import CoreLine
from kiosk.guard.technician.metrics import HAPPENED, OwnFigures, families
from kiosk.verbs import (
    DECODE_TIMES_S,
    Figures,
    Happened,
    LaneFigures,
    Presented,
    ReaderFigures,
    Spread,
)
from sync.terms import REASONS
from tests.fixtures.browsers.guard_stage import Stage, gate_state, lane_state
from tests.fixtures.guard import Guard

WELL = Vitals(undervoltage=False, celsius=52.094, disk_errors=0, card_used=0.2, disk_free=12_345_000_000,
              disk_size=31_000_000_000, memory_free=2_912_820 * 1024, load=0.42)  # fmt: skip
READER = ReaderFigures(
    up_s=40.0,
    frames=100,
    fps=29.7,
    frame_times=Spread([0, 0, 90, 9, *[0] * 7, 1], 5.9),
    decode_times=Spread([80, 0, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1], 2.6),
    brightness=127.5,
    exposure_us=3000,
    gain=2.0,
)
FIGURES = Figures(
    up_s=77.0,
    happened=[Happened("decided", "in", "grant", "ok", 7), Happened("decided", "in", "deny", "revoked", 2),
              Happened("override", "in", "grant", "", 3), Happened("override", "in", "grant", "over_budget", 1),
              Happened("passage", "in", "passed", "", 6)],
    presented=[Presented("in", "camera", 11)],
    lanes=[LaneFigures(name="in", relay_pulses=10, reader=READER)],
    reader_restarts=2,
    sync_up_s=60.0,
    oldest_unsent_s=300,
    versions={"program": "0.1.0", "python": "3.11.2", "kernel": "6.12", "board": "Raspberry Pi 5"},
)  # fmt: skip
OWN = OwnFigures(5.0, 1)


def figures(page: str) -> dict[str, float]:
    """Every sample by its name and labels, no two of them alike."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = ",".join(f'{name}="{text}"' for name, text in sorted(sample.labels.items()))
            key = sample.name.removeprefix("gate_kiosk_") + (f"{{{labels}}}" if labels else "")
            assert sample.name.startswith("gate_kiosk_") and key not in found
            found[key] = sample.value
    return found


def told_of(app: Flask) -> dict[str, float]:
    answer = app.test_client().get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return figures(answer.text)


def test_a_monitor_on_this_device_gets_the_gates_state_in_figures(stage: Stage, app: Flask) -> None:
    stage.state.vitals, stage.state.faults, stage.state.unsent = WELL, ["too_hot", "reader_restarted"], 4
    told = told_of(app)
    assert told["up"] == 1 and told['fault{code="too_hot"}'] == 1
    assert told['note{code="reader_restarted"}'] == 1 and 'fault{code="reader_restarted"}' not in told
    assert (told["processor_celsius"], told["undervoltage"], told["throttled"]) == (52.094, 0, 0)
    assert told["disk_free_bytes"] == 12_345_000_000 and told["disk_size_bytes"] == 31_000_000_000
    assert (told["events_unsent"], told["events_in_memory"], told["list_age_seconds"]) == (4, 0, 40)
    assert told['clock{state="trusted"}'] == 1 and told['clock{state="holdover"}'] == 0
    assert told["clock_uncertainty_seconds"] == 0.4
    assert told['camera_up{lane="in"}'] in (0, 1)


def test_decisions_are_counted_by_lane_outcome_and_reason(stage: Stage, app: Flask) -> None:
    stage.figures = FIGURES
    told = told_of(app)
    assert told['decisions_total{lane="in",outcome="grant",reason="ok"}'] == 7
    assert told['decisions_total{lane="in",outcome="deny",reason="revoked"}'] == 2
    assert told['overrides_total{lane="in",outcome="grant",reason="over_budget"}'] == 1
    assert told['passages_total{lane="in",outcome="passed"}'] == 6
    assert told['presentations_total{lane="in",source="camera"}'] == 11
    assert told['relay_pulses_total{lane="in"}'] == 10
    assert (told["reader_restarts_total"], told["events_oldest_unsent_seconds"]) == (2, 300)
    assert told['versions_info{board="Raspberry Pi 5",kernel="6.12",program="0.1.0",python="3.11.2"}'] == 1


def test_frame_and_decode_times_are_histograms(stage: Stage, app: Flask) -> None:
    stage.figures = FIGURES
    told = told_of(app)
    frames = [told[f'frame_seconds_bucket{{lane="in",le="{bound}"}}'] for bound in ("0.03", "0.034", "2.5", "+Inf")]
    assert frames == [0, 90, 99, 100]
    assert (told['frame_seconds_count{lane="in"}'], told['frame_seconds_sum{lane="in"}']) == (100, 5.9)
    assert told['decode_seconds_bucket{lane="in",le="0.005"}'] == 95
    assert told['decode_seconds_count{lane="in"}'] == 100
    assert (told['frames_per_second{lane="in"}'], told['frames_total{lane="in"}']) == (29.7, 100)
    assert (told['exposure_seconds{lane="in"}'], told['brightness_ratio{lane="in"}']) == (0.003, 0.5)


def test_each_process_says_how_long_it_has_run(stage: Stage, app: Flask) -> None:
    stage.figures = FIGURES
    told = told_of(app)
    ages = {name: told[f'process_up_seconds{{process="{name}"}}'] for name in ("core", "reader", "sync")}
    assert ages == {"core": 77, "reader": 40, "sync": 60}
    assert told['process_up_seconds{process="guard"}'] >= 0


def test_what_a_core_counts_anew_is_lower_and_nothing_keeps_the_old(stage: Stage, app: Flask) -> None:
    stage.figures = FIGURES
    told_of(app)
    stage.figures = Figures(up_s=1.0, happened=[Happened("decided", "in", "grant", "ok", 1)])
    told = told_of(app)
    assert told['decisions_total{lane="in",outcome="grant",reason="ok"}'] == 1
    assert told['process_up_seconds{process="core"}'] == 1
    assert not [name for name in told if "revoked" in name or "frames_total" in name]


def test_open_pages_of_guards_are_counted(stage: Stage, app: Flask) -> None:
    guard = Guard(app)
    assert told_of(app)["streams_open"] == 0
    stream = guard.http.get("/stream")
    sent = iter(stream.response)
    assert next(sent) and next(sent)  # how soon to come back, then the first event
    assert told_of(app)["streams_open"] == 1
    stream.close()
    assert told_of(app)["streams_open"] == 0


def test_the_page_has_a_registry_of_its_own_and_says_nothing_of_python(stage: Stage, app: Flask) -> None:
    before = {family.name for family in REGISTRY.collect()}
    told = told_of(app)
    assert not [name for name in told if name.startswith(("python_", "process_cpu", "process_resident"))]
    assert {family.name for family in REGISTRY.collect()} == before


def test_nothing_personal_is_in_the_figures(stage: Stage, app: Flask) -> None:
    guard = Guard(app)
    stage.happen(label="李*", dwelling="5栋", plate="沪A12345", pass_number="0012", outcome="deny", reason="revoked")
    guard.page()
    page = app.test_client().get("/metrics").text
    assert not [word for word in ("李", "5栋", "沪A", "0012", "王建国", "token") if word in page]


def test_metrics_are_for_this_device_only(app: Flask) -> None:
    elsewhere = {"REMOTE_ADDR": "192.168.1.20"}
    assert app.test_client().get("/metrics", environ_overrides=elsewhere).status_code == 404


def test_a_core_that_does_not_answer_is_down_and_tells_no_old_figures(stage: Stage, app: Flask) -> None:
    now, core = [0.0], CoreLine(stage.core_path, stage.reader_path)
    app.extensions["screens"] = Screens(core, lambda: now[0])
    assert told_of(app)["up"] == 1
    stage.stop()
    now[0] += FRESH_S
    told = told_of(app)
    assert told["up"] == 0 and set(told) == {"up", "streams_open", 'process_up_seconds{process="guard"}'}
    core.close()


def test_a_core_that_counts_nothing_still_tells_its_state(stage: Stage, app: Flask) -> None:
    stage.refusals["Figures"] = "unknown_verb"
    told = told_of(app)
    assert told["up"] == 1 and told["events_unsent"] == 0 and "reader_restarts_total" not in told


def read(state=None, counted=None) -> dict[str, float]:
    found: dict[str, float] = {}
    for family in families(state or gate_state(), counted, OWN):
        for sample in family.samples:
            found[f"{sample.name}{sample.labels}"] = sample.value
    return found


def test_a_figure_that_nobody_tells_is_left_out() -> None:
    told = read(gate_state(centre_seen_s=-1))
    missing = ("celsius", "centre_seen", "disk", "throttled", "frames_total", "oldest")
    assert not [name for name in told if any(word in name for word in missing)]


@pytest.mark.parametrize(
    "spread", [Spread([1, 2]), Spread([1] * 40), Spread([-1, *[0] * 11]), Spread([1] * 12, float("nan")), Spread([])]
)
def test_times_of_a_reader_that_measures_otherwise_are_left_out(spread: Spread) -> None:
    reader = ReaderFigures(up_s=1.0, frame_times=spread, decode_times=Spread([0] * (len(DECODE_TIMES_S) + 1)))
    told = read(counted=Figures(up_s=1.0, lanes=[LaneFigures(name="in", reader=reader)]))
    assert not [name for name in told if "frame_seconds" in name]
    assert [name for name in told if "decode_seconds" in name]


def test_a_name_cannot_break_out_of_its_label(stage: Stage, app: Flask) -> None:
    stage.state.lanes = [lane_state('a"b\\c\nd')]
    assert "\n" in next(name for name in told_of(app) if name.startswith("camera_up"))


def test_every_label_is_a_word_of_a_closed_list() -> None:
    """One lane with everything that can happen there: the page's size is bounded by lanes, not by days."""
    everything = [
        Happened("decided", "in", outcome, reason, 1) for outcome in ("grant", "refer", "deny") for reason in REASONS
    ]
    told = read(counted=Figures(up_s=1.0, happened=everything, lanes=[LaneFigures(name="in", reader=READER)]))
    labels = {label for _, _, names in HAPPENED.values() for label in names}
    assert labels == {"lane", "outcome", "reason"} and len(told) < 200
