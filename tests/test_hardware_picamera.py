"""The Pi's camera against a stand-in for picamera2 that behaves as 0.3.38 does (looked up, and seen on libcamera)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from hardware import CameraSettings, HardwareError

STRIDE, SIZE = 704, (640, 360)
OFFERED = {
    "FrameDurationLimits": (8_000, 120_000, None),
    "ExposureTime": (14, 66_666, None),
    "AfMode": (0, 2, 0),
    "LensPosition": (0.0, 32.0, 1.0),
}


class Request:
    def __init__(self) -> None:
        self.released = 0

    def release(self) -> None:
        self.released += 1


class MappedArray:
    def __init__(self, request: Request, name: str, reshape: bool, write: bool) -> None:
        assert (name, reshape, write) == ("main", False, False)  # reshaping refuses NV12
        plane = np.zeros((SIZE[1], STRIDE), np.uint8)
        plane[:, SIZE[0] :] = 255  # padding up to the stride
        self.array = np.concatenate([plane.ravel(), np.full(STRIDE * SIZE[1] // 2, 128, np.uint8)])

    def __enter__(self) -> MappedArray:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Job(Future[Request]):
    def get_result(self, timeout: float) -> Request:
        return self.result(timeout)


class Picamera2:
    cameras: ClassVar[list[dict[str, Any]]] = [{"Model": "imx708"}]
    fault: Exception | None = None
    delivers = True
    gives = "NV12"
    made: ClassVar[list[Picamera2]] = []

    def __init__(self, index: int) -> None:
        self.notifyme_w = os.open(os.devnull, os.O_WRONLY)
        self.is_open = False
        if self.fault:
            raise RuntimeError("Camera __init__ sequence did not complete.") from self.fault
        self.is_open = True
        self.camera_controls = OFFERED
        self.camera_properties = {"Model": "imx708"}
        self.requests: list[Request] = []
        self.flushed = 0
        self.made.append(self)

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return cls.cameras

    def create_video_configuration(self, **asked: Any) -> dict[str, Any]:
        return asked

    def configure(self, asked: dict[str, Any]) -> None:
        self.asked = asked

    def camera_configuration(self) -> dict[str, Any]:
        return {"main": {"size": SIZE, "stride": STRIDE, "format": self.gives}}

    def start(self) -> None:
        pass

    def capture_request(self, wait: bool) -> Job:
        job = Job()
        if self.delivers:
            self.requests.append(Request())
            job.set_result(self.requests[-1])
        return job

    def cancel_all_and_flush(self) -> None:
        self.flushed += 1

    def close(self) -> None:
        if self.is_open:
            os.close(self.notifyme_w)
        self.is_open = False


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Picamera2]]:
    library = type("Library", (Picamera2,), {"made": []})
    module = ModuleType("picamera2")
    module.Picamera2, module.MappedArray = library, MappedArray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.delitem(sys.modules, "hardware.camera", raising=False)
    yield library
    for camera in library.made:
        camera.close()
    sys.modules.pop("hardware.camera", None)


def opened(**settings: Any) -> Any:
    from hardware.camera import PiCamera

    return PiCamera(CameraSettings(lane="in", **settings))


def test_luma_is_the_first_plane_without_padding_and_without_a_copy(library: type[Picamera2]) -> None:
    with opened().frame() as frame:
        assert frame.luma.shape == (360, 640)
        assert not frame.luma.any()
        assert not frame.luma.flags.owndata


def test_every_request_is_given_back_even_when_the_body_fails(library: type[Picamera2]) -> None:
    camera = opened()
    with pytest.raises(ZeroDivisionError), camera.frame():
        raise ZeroDivisionError
    with camera.frame() as frame:
        assert frame.number == 2
    assert [request.released for request in library.made[0].requests] == [1, 1]


def test_controls_are_set_where_offered_and_clamped(library: type[Picamera2]) -> None:
    camera = opened(distance_cm=25.0)
    assert library.made[0].asked["controls"] == {
        "FrameDurationLimits": (33_333, 33_333),
        "ExposureTime": 3_000,
        "LensPosition": 4.0,
        "AfMode": 0,
    }
    assert camera.describe()["controls"]["LensPosition"] == 4.0
    assert 3 <= library.made[0].asked["buffer_count"] <= 4


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({}, {}),
        ({"AfMode": (0, 2, 0)}, {}),
        ({"LensPosition": (0.0, 2.0, 1.0)}, {"LensPosition": 2.0}),
        ({"FrameDurationLimits": (50_000, 90_000, None)}, {"FrameDurationLimits": (50_000, 50_000)}),
        ({"ExposureTime": (20, 1_000, None)}, {"ExposureTime": 1_000}),
    ],
)
def test_a_camera_with_less_to_set_gets_less(library: type[Picamera2], offered: Any, chosen: Any) -> None:
    from hardware.camera import chosen_controls

    assert chosen_controls(CameraSettings(lane="in"), offered) == chosen


def test_no_frame_in_time_is_said_and_the_waiting_job_is_withdrawn(library: type[Picamera2]) -> None:
    camera = opened()
    library.delivers = False
    with pytest.raises(HardwareError, match="ribbon cable"), camera.frame(0.001):
        pass
    assert library.made[0].flushed == 1


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize(
    ("cameras", "fault", "words"),
    [
        ([], None, "no camera found"),
        ([{}], None, "there is no camera 1; this device has 1"),
        ([{}, {}], RuntimeError("Failed to acquire camera: Device or resource busy"), "in use by another program"),
        ([{}, {}], RuntimeError("Could not open any dmaHeap device"), "dmaHeap"),
    ],
)
def test_what_is_wrong_is_said_and_no_descriptor_is_lost(
    library: type[Picamera2], cameras: list[Any], fault: Exception | None, words: str
) -> None:
    library.cameras, library.fault = cameras, fault
    before = descriptors()
    for _ in range(3):
        with pytest.raises(HardwareError, match=words):
            opened(index=1)
    assert descriptors() == before


def test_a_closed_camera_gives_no_frames(library: type[Picamera2]) -> None:
    camera = opened()
    camera.close()
    camera.close()
    with pytest.raises(HardwareError, match="closed"), camera.frame():
        pass


def test_a_camera_whose_pictures_do_not_begin_with_luma_is_refused(library: type[Picamera2]) -> None:
    library.gives = "BGR888"
    with pytest.raises(HardwareError, match="it gives BGR888 pictures, not YUV420"):
        opened()
