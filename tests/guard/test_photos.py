"""What the guards' page says while the reader is down, after it began anew, and when a photo ended it."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import channel, verbs
from kiosk.guard.app import create_app
from kiosk.guard.line import CoreLine, GuardSettings
from tests.fixtures.browsers.guard_stage import NOW_MS, Stage, lane_state
from tests.fixtures.guard import Guard

MINUTE_MS = 60_000


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path).start()
    yield stage
    stage.stop()


class Page:
    """A signed-in guard's page; ``photo`` sends one and gives what the page then says."""

    def __init__(self, core: Path, reader: Path):
        self.core = CoreLine(core, reader)
        self.guard = Guard(create_app(self.core, GuardSettings()))

    def text(self, path: str = "/", language: str = "zh") -> str:
        self.guard.http.get(f"/prefer/language/{language}")
        return self.guard.page(path)

    def photo(self, picture: bytes = b"a picture") -> str:
        said: str = self.guard.post("/present/photo", lane="in", photo=(io.BytesIO(picture), "p.jpg")).text
        return said


@pytest.fixture
def page(stage: Stage) -> Iterator[Page]:
    page = Page(stage.core_path, stage.reader_path)
    yield page
    page.core.close()


def restarted(stage: Stage, *lanes: Any) -> None:
    stage.state.lanes = list(lanes)
    stage.state.faults = ["reader_restarted"]


def again(name: str = "in", **changes: Any) -> verbs.LaneState:
    at = {"reader_restarts": 1, "reader_restarted_ms": NOW_MS - 2 * MINUTE_MS}
    return lane_state(name, **(at | changes))


def test_a_reader_that_works_is_not_mentioned(page: Page) -> None:
    assert "reader-note" not in page.text()
    assert "1小时内没有重启" in page.text("/details")


def test_a_reader_that_is_down_says_what_to_do_meanwhile_and_the_gate_can_be_opened(stage: Stage, page: Page) -> None:
    stage.state.lanes = [lane_state(camera_ok=False, camera_why="reader_silent")]
    stage.state.faults = ["reader_silent"]
    shown = page.text()
    assert "识别程序停了，正在自己重启" in shown and "先按房号查，或看证件后开门" in shown
    assert "The reader is down" in page.text(language="en")
    page.guard.press("/open")
    assert stage.last(verbs.Override).open


@pytest.mark.parametrize(
    ("fault", "told", "in_english", "restarts"),
    [
        ("camera_black", "拿开遮挡、擦净镜头", "Uncover and wipe it", False),
        ("camera_white", "挡住照进镜头的强光", "Shade it from the light", False),
        ("camera_frozen", "画面不动了", "stands still", True),
        ("camera_hung", "没有画面", "gives no picture", True),
    ],
)
def test_a_blind_camera_is_named_with_what_to_do_and_its_lane_where_there_are_two(
    stage: Stage, page: Page, fault: str, told: str, in_english: str, restarts: bool
) -> None:
    stage.state.faults = [fault]
    stage.state.lanes = [lane_state(camera_ok=False, camera_fault=fault, camera_why="see the lens")]
    shown = page.text()
    assert told in shown and ("一分钟还不好" in shown) is restarts and "东门入口的摄像头" not in shown
    stage.state.lanes.append(lane_state("out", title_zh="东门出口", title_en="East gate, out"))
    assert "是东门入口的摄像头" in page.text()
    english = page.text(language="en")
    assert in_english in english and "It is the camera of East gate, in." in english
    assert "see the lens" in page.text("/details")


def test_one_restart_is_told_with_its_time_and_that_the_gate_opens(stage: Stage, page: Page) -> None:
    restarted(stage, again())
    assert "识别程序 14:03 自己重启，1小时内 1 次。" in page.text()
    assert "门照常能开。" in page.text()
    assert "Reader restarted 14:03, 1× within the hour." in page.text(language="en")


def test_often_restarted_sends_somebody_to_look(stage: Stage, page: Page) -> None:
    restarted(stage, again(reader_restarts=3))
    assert "看看镜头前有没有怪图，叫技术员" in page.text()


def test_the_lane_whose_camera_saw_what_stopped_it_is_named_and_no_other(stage: Stage, page: Page) -> None:
    quiet = again("out", title_zh="东门出口", title_en="East gate, out", reader_restarts=2)
    restarted(stage, again(reader_restarts=2, reader_blames=1), quiet)
    assert "去把“东门入口”镜头前的怪图拿开" in page.text()
    assert "before the camera of East gate, in." in page.text(language="en")
    assert "1小时内重启 2 次，最近 14:03:00；1 次因为镜头前的画面" in page.text("/details")


def test_a_restart_that_the_core_no_longer_reports_is_in_the_details_only(stage: Stage, page: Page) -> None:
    stage.state.lanes = [again()]
    assert "reader-note" not in page.text()
    assert "1小时内重启 1 次" in page.text("/details")


def test_the_details_say_what_share_of_the_frames_is_looked_at(stage: Stage, page: Page) -> None:
    stage.state.lanes = [lane_state(looked=0.124), lane_state("out")]
    assert page.text("/details").count("细看的画面") == 2
    shown = page.text("/details", "en")
    assert "Frames looked at" in shown and "12%" in shown and "None" not in shown


def test_the_details_say_how_many_pixels_a_module_has_and_when_they_are_too_few(stage: Stage, page: Page) -> None:
    stage.state.lanes = [lane_state(module_px=1.74, optics="few"), lane_state("out", module_px=3.59)]
    shown = page.text("/details", "en")
    assert "1.7 · too few: hold codes nearer, or another camera" in shown and shown.count("too few") == 1
    assert "3.6" in shown
    assert "太少：离近些或换摄像头" in page.text("/details")
    stage.state.lanes = [lane_state(optics="lens"), lane_state("out", optics="a word of later")]
    shown = page.text("/details", "en")
    assert shown.count("— · lens_mm is not set") == 1


# --- photos -----------------------------------------------------------------------------------------------------------


class Ending:
    """A reader that takes each question whole and is gone, as one that its picture ended."""

    def __init__(self, path: Path):
        self.asked = 0
        self._listener = channel.listen(path)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                peer.recv(1 << 20)
            self.asked += 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[Ending]:
    ending = Ending(tmp_path / "ending.sock")
    yield ending
    ending.close()


@pytest.fixture
def page_of_ending(stage: Stage, ending: Ending, tmp_path: Path) -> Iterator[Page]:
    page = Page(stage.core_path, tmp_path / "ending.sock")
    yield page
    page.core.close()


def test_a_photo_that_ends_the_reader_is_said_so_and_not_sent_a_third_time(
    page_of_ending: Page, ending: Ending
) -> None:
    assert "识别程序读这张照片时停了" in page_of_ending.photo()
    assert "识别程序读这张照片时停了" in page_of_ending.photo()
    assert "这张照片两次让识别程序停下" in page_of_ending.photo()
    assert ending.asked == 2
    assert "识别程序读这张照片时停了" in page_of_ending.photo(b"another picture"), "others are tried"


def test_a_reader_that_is_not_there_blames_no_photo(stage: Stage, tmp_path: Path) -> None:
    page = Page(stage.core_path, tmp_path / "nobody.sock")
    for _ in range(3):
        assert "识别程序没有回应" in page.photo()
    page.core.close()


def test_how_many_photos_are_remembered_is_bounded(tmp_path: Path) -> None:
    core = CoreLine(tmp_path / "core.sock", tmp_path / "reader.sock")
    for number in range(1000):
        core._note_stopped(number.to_bytes(2, "big"))
    assert len(core._stopped) <= 100
