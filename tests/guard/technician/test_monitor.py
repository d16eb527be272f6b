"""What ``/health`` answers a monitor: faults that stand now, notes beside them, and a status that says which it is."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from kiosk.guard import views, words
from kiosk.guard.lane.screen import FRESH_S, Screens
from kiosk.guard.line import CoreLine
from kiosk.guard.standing import DOINGS, NOTES, ORDER, faults, notes, standing
from kiosk.guard.technician.monitor import judged
from kiosk.verbs import Caution, GateState
from tests.fixtures.browsers.guard_stage import NOW_MS, Stage, gate_state, lane_state


def health(app: Flask) -> tuple[int, dict[str, Any]]:
    answer = app.test_client().get("/health")
    return answer.status_code, answer.json


def codes(told: list[dict[str, Any]]) -> list[str]:
    return [one["code"] for one in told]


def test_a_gate_where_all_is_well_is_ok(app: Flask) -> None:
    status, told = health(app)
    assert (status, told["ok"], told["faults"], told["notes"]) == (200, True, [], [])


def test_a_restart_that_is_over_is_a_note_and_the_gate_is_ok(stage: Stage, app: Flask) -> None:
    stage.state.faults = ["reader_restarted"]
    status, told = health(app)
    assert (status, told["ok"], told["faults"]) == (200, True, [])
    zh, en = words.FAULTS["reader_restarted"]
    assert told["notes"] == [{"code": "reader_restarted", "lanes": [], "zh": zh, "en": en}]


def test_a_fault_that_stands_is_told_with_words_and_a_status_for_monitors(stage: Stage, app: Flask) -> None:
    stage.state.faults = ["camera:no frames", "reader_restarted", "centre_away"]
    status, told = health(app)
    assert (status, told["ok"], told["core"]) == (503, False, True)
    assert codes(told["faults"]) == ["camera", "centre_away"] and codes(told["notes"]) == ["reader_restarted"]
    assert (told["faults"][0]["zh"], told["faults"][0]["en"]) == words.FAULTS["camera"]


def test_what_people_do_at_a_gate_is_a_note_with_its_lanes(stage: Stage, app: Flask) -> None:
    stage.state.lanes = [lane_state(held_open=True), lane_state("out", lockdown=True)]
    stage.state.faults = ["lockdown"]
    stage.state.cautions = [Caution(number=1, code="call", lane="out", since_ms=NOW_MS)]
    status, told = health(app)
    assert (status, told["ok"]) == (200, True)
    assert {one["code"]: one["lanes"] for one in told["notes"]} == {
        "call": ["out"],
        "lockdown": ["out"],
        "held_open": ["in"],
    }


@pytest.mark.parametrize("code", ORDER)
def test_whatever_stands_on_the_bar_is_a_fault_or_a_note_of_health(code: str) -> None:
    state = gate_state(faults=[code], lanes=[lane_state(fire=code == "fire")])
    told = judged(state)
    assert code in codes(told["notes"] if code in DOINGS else told["faults"])
    assert [one.code for one in standing(state)] == [code] and told["ok"] == (code in DOINGS)


def test_notes_and_faults_together_are_all_that_the_page_knows() -> None:
    state = gate_state(faults=[*ORDER, *NOTES])
    assert {one.code for one in faults(state)} | {one.code for one in notes(state)} == set(words.FAULTS)


def test_a_code_of_a_newer_core_is_a_fault_under_its_own_name() -> None:
    told = judged(gate_state(faults=["from_the_future"]))
    assert told["faults"] == [
        {"code": "from_the_future", "lanes": [], "zh": "from_the_future", "en": "from_the_future"}
    ]


def test_a_dead_core_is_the_fault_that_health_tells(stage: Stage, app: Flask) -> None:
    stage.stop()
    status, told = health(app)
    assert (status, told["ok"], told["core"], codes(told["faults"])) == (503, False, False, ["core_away"])
    bar = views.bar("en", None, False)
    assert told["faults"][0]["en"] == bar.sentence


DEAF = """
import sys
from kiosk import channel, verbs
server = channel.Server(channel.listen(__import__("pathlib").Path(sys.argv[1])), {})
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def stopped_core(tmp_path: Path) -> Iterator[Path]:
    """The socket of a process that SIGSTOP holds."""
    path = tmp_path / "stopped.sock"
    program = subprocess.Popen([sys.executable, "-c", DEAF, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdout.readline().strip() == b"ready"
    program.send_signal(signal.SIGSTOP)
    yield path
    program.kill()
    program.communicate()


class Counting(CoreLine):
    """Counts the questions of screens and monitors."""

    asked = 0

    def state_for_screens(self) -> GateState:
        self.asked += 1
        return super().state_for_screens()


def test_a_core_that_hangs_is_told_as_away_and_asked_once_a_second_at_most(
    stage: Stage, app: Flask, stopped_core: Path
) -> None:
    now, core = [0.0], Counting(stopped_core, stage.reader_path)
    app.extensions["screens"] = Screens(core, lambda: now[0])
    for passed in (0.0, FRESH_S, FRESH_S):
        now[0] += passed
        status, told = health(app)
        assert (status, codes(told["faults"])) == (503, ["core_away"])
    assert core.asked == 1
    core.close()


def test_health_is_for_this_device_only(app: Flask) -> None:
    assert app.test_client().get("/health", environ_overrides={"REMOTE_ADDR": "192.168.1.20"}).status_code == 404


def test_health_names_nobody_who_stands_at_the_gate(stage: Stage, app: Flask) -> None:
    stage.happen(label="李*", dwelling="5栋", plate="沪A12345", pass_number="0012", outcome="deny", reason="revoked")
    stage.state.faults = ["camera"]
    told = str(health(app))
    assert not [secret for secret in ("5栋", "李", "沪A", "0012") if secret in told]
