"""The small picture that a technician sees: only while the core says that somebody looks, small, and kept nowhere."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hardware import Camera, CameraSettings, HardwareError, Picture
from hardware.reading.decoder import QrDecoder
from hardware.simulated import SimulatedCamera
from kiosk.channel import Client, Refused, Server, listen
from kiosk.reader.process import Reader
from kiosk.reader.window import EVERY_S, Window
from kiosk.verbs import CAMERA_PICTURE, READER_STATE, CameraOf, LampState

LIGHT = np.full((720, 1280), 200, np.uint8)
DARK = np.full((720, 1280), 40, np.uint8)


class Frames:
    """An eye that offers frames on and on, until the test ends."""

    def __init__(self, window: Window, luma: Picture):
        self.luma = luma
        self._window = window
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(0.001):
            self._window.offer(self.luma)

    def __enter__(self) -> Frames:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)


def shown(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


def test_a_picture_is_grey_and_of_a_quarter_of_the_cameras_pixels_a_side() -> None:
    window = Window(lambda: 0.0, wait_s=10)
    window.until = 1.0
    with Frames(window, LIGHT):
        jpeg = window.picture().jpeg
    picture = shown(jpeg)
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "L", (320, 180)) and len(jpeg) < 20_000
    assert abs(float(np.asarray(picture).mean()) - 200) < 3


@pytest.mark.parametrize(("width", "height"), [(320, 240), (640, 480), (1640, 1232), (2304, 1296), (4608, 2592)])
def test_whatever_the_camera_the_picture_is_small(width: int, height: int) -> None:
    window = Window(lambda: 0.0, wait_s=10)
    window.until = 1.0
    with Frames(window, np.zeros((height, width), np.uint8)):
        assert 240 <= shown(window.picture().jpeg).width <= 480


def test_while_nobody_may_look_no_frame_is_copied_or_shown() -> None:
    now = [10.0]
    window = Window(lambda: now[0], wait_s=10)
    for until in (0.0, 10.0):
        window.until = until
        with pytest.raises(Refused, match="not_viewed"):
            window.picture()
    window.offer(LIGHT)
    assert window._frame is None
    window.until = 11.0
    with Frames(window, LIGHT):
        window.picture()
    now[0] = 11.0
    with pytest.raises(Refused, match="not_viewed"):
        window.picture()
    assert (window._frame, window._shown) == (None, None), "nothing of it is kept"


def test_however_often_it_is_asked_for_a_picture_is_made_a_few_times_a_second() -> None:
    now = [0.0]
    window = Window(lambda: now[0], wait_s=10)
    window.until = 100.0
    with Frames(window, LIGHT) as frames:
        first = window.picture()
        frames.luma = DARK
        now[0] = EVERY_S / 2
        assert window.picture() is first
        now[0] = EVERY_S
        assert float(np.asarray(shown(window.picture().jpeg)).mean()) < 100


def test_a_camera_without_frames_has_no_picture_and_no_old_one() -> None:
    now = [0.0]
    window = Window(lambda: now[0], wait_s=10)
    window.until = 100.0
    with Frames(window, LIGHT):
        window.picture()
    window._wait_s, now[0] = 0.01, EVERY_S
    for _ in range(2):
        with pytest.raises(Refused, match="no_picture"):
            window.picture()


def test_an_offered_frame_is_a_copy_since_the_cameras_buffer_is_used_again() -> None:
    window = Window(lambda: 0.0)
    window._wanted = True
    luma = LIGHT.copy()
    window.offer(luma)
    luma[:] = 0
    assert window._frame is not None and window._frame.min() == 200 and window._wanted is False


class Core:
    """Answers the reader's reports over a true socket; ``until`` is until when somebody looks."""

    def __init__(self, path: Path):
        self.until = 0.0
        self._server = Server(listen(path), {READER_STATE: self._state}).start()

    def _state(self, _: Any) -> LampState:
        return LampState(viewed_until=self.until)

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    core = Core(tmp_path / "core.sock")
    yield core
    core.close()


def cameras(settings: CameraSettings) -> Camera:
    if settings.lane == "out":
        raise HardwareError("no camera found")
    return SimulatedCamera(settings)


class Asked:
    """A running reader on true sockets, asked for pictures as the guards' page asks."""

    def __init__(self, folder: Path):
        lanes = [
            CameraSettings(lane=lane, part="simulated", width=640, height=480, noise=False) for lane in ("in", "out")
        ]
        self._to_core = [Client(folder / "core.sock") for _ in range(len(lanes) + 2)]
        self._reader = Reader(lanes, QrDecoder(), iter(self._to_core).__next__, cameras)
        self._server = Server(listen(folder / "reader.sock"), self._reader.verbs()).start()
        self._client = Client(folder / "reader.sock", 10)
        self._reader.start()

    def report(self) -> None:
        """The core hears of every camera, and answers."""
        self._reader.report()

    def picture(self, lane: str) -> Image.Image:
        return shown(self._client.ask(CAMERA_PICTURE, CameraOf(lane)).jpeg)

    def refusal(self, lane: str) -> str:
        with pytest.raises(Refused) as refused:
            self.picture(lane)
        return str(refused.value)

    def close(self) -> None:
        self._server.close()
        self._reader.close()
        for client in (self._client, *self._to_core):
            client.close()


@pytest.fixture
def reader(tmp_path: Path, core: Core) -> Iterator[Asked]:
    asked = Asked(tmp_path)
    yield asked
    asked.close()


def test_a_reader_shows_its_picture_only_while_the_core_says_that_somebody_looks(core: Core, reader: Asked) -> None:
    reader.report()
    assert reader.refusal("in") == "not_viewed"
    core.until = float("inf")
    reader.report()
    assert reader.picture("in").size == (320, 240)
    assert (reader.refusal("out"), reader.refusal("cellar")) == ("no_picture", "unknown_lane")
    core.until = 0.0
    reader.report()
    assert reader.refusal("in") == "not_viewed"
