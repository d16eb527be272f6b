"""A technician looks through a lane's camera: who may, what comes back, and that nothing of it stays."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from kiosk import verbs
from kiosk.guard.line import CoreLine
from kiosk.guard.technician.pages import EVERY_S, Pictures
from kiosk.verbs import Figures, LaneFigures, ReaderFigures, Spread
from tests.fixtures.browsers.guard_stage import JPEG, Stage, lane_state
from tests.fixtures.guard import Guard

PICTURE = "/details/picture/in"


@pytest.fixture
def technician(app: Flask) -> Guard:
    return Guard(app, "陈师傅", "8642")


def asked_of_reader(stage: Stage) -> int:
    return sum(isinstance(question, verbs.CameraOf) for question in stage.asked)


def test_a_technician_who_presses_sees_what_the_camera_sees(stage: Stage, technician: Guard) -> None:
    assert "data-picture" not in technician.page("/details")
    pressed = technician.post("/details/view", lane="in")
    assert pressed.status_code == 303 and pressed.location == "/details"
    assert stage.last(verbs.View).lane == "in"
    page = technician.page("/details")
    assert f'data-picture="{PICTURE}"' in page and 'data-left="120"' in page and "每看一次都记下" in page
    shown = technician.http.get(PICTURE)
    assert (shown.data, shown.content_type) == (JPEG, "image/jpeg")
    assert shown.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("name", "pin"), [("王建国", "2468"), ("李主管", "1357")])
def test_nobody_but_a_technician_sees_it(stage: Stage, app: Flask, name: str, pin: str) -> None:
    stage.figures = Figures(up_s=1.0, lanes=[LaneFigures(name="in", viewed_s=60.0)])
    guard = Guard(app, name, pin)
    page = guard.page("/details")
    assert "data-picture" not in page and "只给技术员看" in page
    assert guard.http.get(PICTURE).status_code == 403 and asked_of_reader(stage) == 0
    refused = guard.post("/details/view", lane="in")
    assert refused.status_code == 409 and "只有技术员" in refused.text


def test_without_a_session_there_is_no_picture(stage: Stage, app: Flask) -> None:
    assert app.test_client().get(PICTURE).status_code == 303
    assert asked_of_reader(stage) == 0


def test_a_press_without_the_pages_token_starts_nothing(stage: Stage, technician: Guard) -> None:
    assert technician.http.post("/details/view", data={"lane": "in"}).status_code == 403
    assert not [question for question in stage.asked if isinstance(question, verbs.View)]


@pytest.mark.parametrize(
    ("code", "says"),
    [("not_viewed", "正在等识别程序"), ("no_picture", "摄像头没有给出画面"), ("unknown_lane", "没有摄像头")],
)
def test_a_reader_that_has_no_picture_says_why(stage: Stage, technician: Guard, code: str, says: str) -> None:
    stage.refusals["CameraOf"] = code
    told = technician.http.get(PICTURE)
    assert (told.status_code, told.json["why"]) == (409, code) and says in told.json["sentence"]


def test_a_dead_reader_is_said_in_words(stage: Stage, technician: Guard) -> None:
    stage.reader_path.unlink()
    told = technician.http.get(PICTURE)
    assert told.status_code == 503 and "识别程序没有回应" in told.json["sentence"]
    technician.http.get("/prefer/language/en")
    assert "The reader does not answer" in technician.http.get(PICTURE).json["sentence"]


def test_however_many_look_the_reader_is_asked_three_times_a_second(stage: Stage) -> None:
    now, core = [0.0], CoreLine(stage.core_path, stage.reader_path)
    pictures = Pictures(core, lambda: now[0])
    for _ in range(10):
        assert pictures.picture("in") == JPEG
    assert asked_of_reader(stage) == 1
    now[0] += EVERY_S
    pictures.picture("in")
    pictures.picture("out")
    assert asked_of_reader(stage) == 3
    core.close()


def test_a_picture_that_is_over_is_shown_to_nobody_again(stage: Stage) -> None:
    now, core = [0.0], CoreLine(stage.core_path, stage.reader_path)
    pictures = Pictures(core, lambda: now[0])
    pictures.picture("in")
    now[0] += EVERY_S
    stage.refusals["CameraOf"] = "not_viewed"
    for _ in range(2):
        with pytest.raises(Exception, match="not_viewed"):
            pictures.picture("in")
    assert JPEG not in vars(pictures).values() and pictures._newest is None
    core.close()


def test_the_details_have_what_a_technician_asks_first(stage: Stage, technician: Guard) -> None:
    reader = ReaderFigures(up_s=7200.0, frames=9, fps=29.8, frame_times=Spread([]), decode_times=Spread([]),
                           brightness=51.0, exposure_us=2500, gain=3.0)  # fmt: skip
    stage.state.unsent = 4
    stage.figures = Figures(
        up_s=7300.0, lanes=[LaneFigures(name="in", reader=reader)], sync_up_s=7250.0, oldest_unsent_s=7200,
        reader_restarts=2, versions={"program": "0.1.0", "board": "Raspberry Pi 5 Model B"},
    )  # fmt: skip
    zh = technician.page("/details")
    for words in ("29.8", "2.5 ms × 3.0", "20%", "4 · 最早的 2小时前", "Raspberry Pi 5 Model B", "0.1.0"):
        assert words in zh, words
    technician.http.get("/prefer/language/en")
    assert "4 · the oldest 2 h ago" in technician.page("/details")
    fresh = technician.http.get("/details/tables")
    assert fresh.status_code == 200 and "29.8" in fresh.text and "<html" not in fresh.text


def test_a_lane_without_a_camera_offers_no_picture_and_has_no_fault(stage: Stage, technician: Guard) -> None:
    stage.state.lanes.append(lane_state("out", has_camera=False, camera_ok=False, camera_why="reader_silent"))
    page = technician.page("/details")
    assert 'id="camera-in"' in page and 'id="camera-out"' not in page
    assert "reader_silent" not in page
    told = technician.http.get("/metrics").text
    assert 'camera_up{lane="in"} 1.0' in told and 'camera_up{lane="out"}' not in told


def test_the_details_tell_faults_that_stand_from_what_is_over(stage: Stage, technician: Guard) -> None:
    stage.state.faults = ["too_hot", "reader_restarted"]
    page = technician.page("/details")
    problems = re.findall(r'<p class="problem">(.*?)</p>', page, re.DOTALL)
    assert len(problems) == 1 and "设备太热" in problems[0] and "识别程序重启过" in page


def test_the_camera_that_is_looked_through_comes_first(stage: Stage, technician: Guard) -> None:
    stage.state.lanes.append(lane_state("out"))
    stage.figures.lanes = [LaneFigures(name="in"), LaneFigures(name="out", viewed_s=9.0)]
    page = technician.page("/details")
    assert page.index('id="camera-out"') < page.index('id="camera-in"') < page.index('id="tables"')


def test_a_core_that_counts_nothing_still_has_its_details(stage: Stage, technician: Guard) -> None:
    stage.refusals["Figures"] = "unknown_verb"
    assert "时钟" in technician.page("/details")
