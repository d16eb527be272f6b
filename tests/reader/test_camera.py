"""The simulated camera and its optics."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
import pytest
import segno
from PIL import Image

from hardware import CameraSettings, HardwareError, Picture
from hardware.opening import open_camera
from hardware.optics import burst, photograph
from hardware.reading.decoder import QrDecoder
from hardware.simulated import AWAY_S, SimulatedCamera

TEXT = "G1" + "A7B.Z0" * 20
SETTINGS = CameraSettings(lane="in", part="simulated", width=640, height=360)


class Time:
    """A clock that only :meth:`wait` moves."""

    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def code(text: str = TEXT, scale: int = 4) -> Picture:
    file = io.BytesIO()
    segno.make(text, error="q", micro=False).save(file, kind="png", scale=scale, border=4)
    return np.asarray(Image.open(file).convert("L"))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def camera(time: Time) -> SimulatedCamera:
    return SimulatedCamera(SETTINGS, time, time.wait)


def texts(camera: SimulatedCamera, frames: int) -> list[list[str]]:
    read = []
    for _ in range(frames):
        with camera.frame() as frame:
            read.append([found.text for found in QrDecoder().decode(frame.luma)])
    return read


def test_frames_are_numbered_and_come_at_the_pinned_pace(camera: SimulatedCamera, time: Time) -> None:
    taken = []
    for _ in range(5):
        with camera.frame() as frame:
            taken.append((frame.number, frame.at))
            assert frame.luma.shape == (360, 640)
            assert frame.luma.dtype == np.uint8
    assert [number for number, _ in taken] == [1, 2, 3, 4, 5]
    steps = np.diff([at for _, at in taken])
    assert steps == pytest.approx([SETTINGS.frame_us / 1e6] * 4)


def test_a_slow_taker_is_not_paid_back_with_a_rush_of_frames(camera: SimulatedCamera, time: Time) -> None:
    with camera.frame():
        pass
    time.now += 60
    before = time.now
    for _ in range(200):
        with camera.frame():
            pass
    assert time.now - before > 2.5


def test_an_empty_lane_has_no_codes_and_is_noisy(camera: SimulatedCamera) -> None:
    assert texts(camera, 8) == [[]] * 8
    with camera.frame() as one:
        first = one.luma.copy()
    with camera.frame() as two:
        assert not np.array_equal(first, two.luma)


def test_each_shown_picture_is_seen_for_its_frames_then_the_hand_is_away(camera: SimulatedCamera) -> None:
    first = camera.show([code("ONE"), code("TWO")], 3)
    second = camera.show([code("THREE")], 2)
    assert texts(camera, 6) == [["ONE"]] * 3 + [["TWO"]] * 3
    assert not first.is_set()  # the sixth frame is still being looked at
    away = round(AWAY_S * 1e6 / SETTINGS.frame_us)
    assert texts(camera, away) == [[]] * away
    assert first.is_set()
    read = texts(camera, 5)
    assert [seen for seen in read if seen] == [["THREE"]] * 2
    assert second.is_set()


@pytest.mark.parametrize("shape", [(1, 1), (360, 640), (2000, 300), (90, 3000), (5, 5)])
def test_any_picture_can_be_held_up(camera: SimulatedCamera, shape: tuple[int, int]) -> None:
    camera.show([np.full(shape, 200, np.uint8)], 1)
    with camera.frame() as frame:
        assert frame.luma.shape == (360, 640)


def test_a_closed_camera_lets_the_waiting_go_and_gives_no_frames(camera: SimulatedCamera) -> None:
    shown = camera.show([code()], 100)
    camera.close()
    camera.close()
    assert shown.is_set()
    with pytest.raises(HardwareError), camera.frame():
        pass


def test_open_camera_gives_the_simulated_one_and_describes_it() -> None:
    camera = open_camera(SETTINGS)
    assert isinstance(camera, SimulatedCamera)
    assert camera.describe() == {
        "part": "simulated",
        "model": "simulated",
        "size": [640, 360],
        "frame_us": 33_333,
        "luma": "full",
    }


def test_open_camera_names_the_missing_library() -> None:
    if importlib.util.find_spec("picamera2"):
        pytest.skip("picamera2 is installed here")
    with pytest.raises(HardwareError, match="python3-picamera2"):
        open_camera(CameraSettings(lane="in"))


def test_a_photograph_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert np.array_equal(photograph(code(), 3), photograph(code(), 3))
    assert not np.array_equal(photograph(code(), 3), photograph(code(), 4))


def test_a_clean_photograph_is_read_at_once() -> None:
    picture = photograph(code(), 1, difficulty=0.0)
    assert picture.shape == (720, 1280)
    assert [found.text for found in QrDecoder().decode(picture)] == [TEXT]


@pytest.mark.parametrize("seed", range(5))
def test_a_badly_photographed_card_is_read_within_its_burst(seed: int) -> None:
    frames = burst(code(scale=6), seed, 8)
    assert not np.array_equal(frames[0], frames[1])
    assert any(found.text == TEXT for frame in frames for found in QrDecoder().decode(frame))
