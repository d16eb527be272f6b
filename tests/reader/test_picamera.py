"""The Pi's camera against a stand-in for picamera2 that behaves as 0.3.38 does (looked up, and seen on libcamera)."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from hardware import Camera, CameraAbsent, CameraSettings, Exposure, HardwareError
from hardware.simulated import SimulatedCamera

STRIDE, SIZE = 704, (640, 360)
OFFERED = {
    "FrameDurationLimits": (8_000, 120_000, None),
    "ExposureTime": (14, 66_666, None),
    "AnalogueGain": (1.0, 16.0, None),
    "AfMode": (0, 2, 0),
    "LensPosition": (0.0, 32.0, 1.0),
}


FOLLOWS_AFTER = 8
"""Buffers + 4: what the maintainer of picamera2 says of the frames a control takes (its issue 1278)."""
ROW_US = 19


class Request:
    def __init__(self, us: int, gain: float) -> None:
        self.released = 0
        # The sensor knows whole rows and steps of gain; the metadata says what was, not what was asked.
        self.metadata = {
            "ExposureTime": max(ROW_US, us // ROW_US * ROW_US),
            "AnalogueGain": round(gain * 16) / 16,
            "Lux": 90.0,
        }

    def get_metadata(self) -> dict[str, Any]:
        return self.metadata

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
    cameras: ClassVar[list[dict[str, Any]]] = [{"Model": "imx708", "Id": "/base/soc/i2c0mux/i2c@1/imx708@1a"}]
    fault: Exception | None = None
    delivers = True
    gives = "NV12"
    offers: ClassVar[dict[str, Any]] = OFFERED
    offers_in_mode: ClassVar[dict[str, Any] | None] = None
    """What it offers once it is configured; None: the same."""
    runs: ClassVar[tuple[int, int] | None] = None
    """The sensor's mode, whatever was asked; None: what was asked."""
    made: ClassVar[list[Picamera2]] = []

    def __init__(self, index: int) -> None:
        self.notifyme_w = os.open(os.devnull, os.O_WRONLY)
        self.is_open = False
        if self.fault:
            raise RuntimeError("Camera __init__ sequence did not complete.") from self.fault
        self.is_open = True
        self.camera_controls = self.offers
        info = self.cameras[index]
        self.camera = SimpleNamespace(id=info.get("Id", ""))
        self.camera_properties = {"Model": info.get("Model", "imx708")}
        self.requests: list[Request] = []
        self.controls = {"ExposureTime": 3_000, "AnalogueGain": 4.0}
        self.coming = deque([(3_000, 4.0)] * FOLLOWS_AFTER)
        self.flushed = 0
        self.made.append(self)

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return cls.cameras

    def create_video_configuration(self, **asked: Any) -> dict[str, Any]:
        return asked

    def configure(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.camera_controls = self.offers if self.offers_in_mode is None else self.offers_in_mode

    def camera_configuration(self) -> dict[str, Any]:
        mode = self.runs or self.asked["sensor"].get("output_size")
        sensor = {"output_size": mode} if mode else None
        return {"main": {"size": SIZE, "stride": STRIDE, "format": self.gives}, "sensor": sensor}

    def start(self) -> None:
        self.started_with = dict(self.controls)

    def capture_request(self, wait: bool) -> Job:
        job = Job()
        if self.delivers:
            self.coming.append((int(self.controls["ExposureTime"]), self.controls["AnalogueGain"]))
            self.requests.append(Request(*self.coming.popleft()))
            job.set_result(self.requests[-1])
        return job

    def set_controls(self, controls: dict[str, Any]) -> None:
        unknown = set(controls) - set(self.camera_controls)
        if unknown:
            raise RuntimeError(f"Controls {unknown} are not advertised by libcamera")
        self.controls |= controls

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


def opened(among: int = 1, tree: Path = Path("/nowhere"), **settings: Any) -> Any:
    from hardware.camera import PiCamera

    return PiCamera(CameraSettings(lane="in", **settings), among, tree)


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
    assert library.made[0].started_with == {
        "AnalogueGain": 4.0,
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
        ({"NoiseReductionMode": (0, 4, 0)}, {"NoiseReductionMode": 0}),
    ],
)
def test_a_camera_with_less_to_set_gets_less(library: type[Picamera2], offered: Any, chosen: Any) -> None:
    from hardware.camera import chosen_controls

    assert chosen_controls(CameraSettings(lane="in"), offered) == chosen


def test_limits_are_those_of_the_mode_in_force_and_not_of_the_one_before(library: type[Picamera2]) -> None:
    library.offers_in_mode = OFFERED | {"FrameDurationLimits": (69_669, 670_120, None), "ExposureTime": (9, 1_500, 0)}
    opened()
    started = library.made[0].started_with
    assert (started["FrameDurationLimits"], started["ExposureTime"]) == ((69_669, 69_669), 1_500)


def test_the_lens_starts_within_the_modules_range(library: type[Picamera2]) -> None:
    opened(distance_cm=5.0)
    assert library.made[0].started_with["LensPosition"] == 10.0


WHOLE = OFFERED | {"ScalerCrop": ((0, 0, 64, 64), (768, 432, 3072, 1728), (768, 432, 3072, 1728))}


def test_mode_and_crop_are_asked_for_and_the_pixels_told(library: type[Picamera2]) -> None:
    library.offers_in_mode = WHOLE
    camera = opened()
    assert library.made[0].asked["sensor"] == {"output_size": (1536, 864), "bit_depth": 10}
    left, top, width, height = library.made[0].started_with["ScalerCrop"]
    assert (width / height, left + width / 2, top + height / 2) == (pytest.approx(16 / 9, rel=0.01), 2304, 1296)
    assert camera.describe()["mode"] == [1536, 864]
    # A frame half as wide as usual has half the pixels where the view is to be as wide; here it is made narrower.
    assert camera.describe()["module_px"] == pytest.approx(3.59, abs=0.01)


def test_pixels_are_those_of_the_mode_in_force_not_of_the_one_asked_for(library: type[Picamera2]) -> None:
    library.offers_in_mode = OFFERED | {"ScalerCrop": ((0, 0, 64, 64), (0, 0, 4608, 2592), (0, 0, 4608, 2592))}
    library.runs = (1152, 648)
    assert opened().describe()["module_px"] == pytest.approx(7.18 / 4, abs=0.01)


@pytest.mark.parametrize("model", ["imx477", "unheard_of"])
def test_a_module_whose_lens_nobody_named_gets_no_mode_and_tells_no_pixels(
    library: type[Picamera2], model: str
) -> None:
    library.cameras, library.offers_in_mode = [{"Model": model, "Id": "x"}], WHOLE
    camera = opened()
    assert library.made[0].asked["sensor"] == {}
    assert (camera.describe()["module_px"], camera.describe()["lens_mm"]) == (None, None)


def test_a_lens_that_was_screwed_on_counts(library: type[Picamera2]) -> None:
    library.cameras = [{"Model": "imx477", "Id": "x"}]
    library.offers_in_mode = OFFERED | {"ScalerCrop": ((0, 0, 64, 64), (0, 440, 4056, 2160), (0, 440, 4056, 2160))}
    camera = opened(lens_mm=6.0)
    assert library.made[0].asked["sensor"] == {"output_size": (2028, 1080), "bit_depth": 12}
    assert camera.describe()["module_px"] == pytest.approx(3.6, abs=0.01)


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


TWO: list[dict[str, Any]] = [
    {"Model": "imx219", "Id": "/base/axi/pcie@120000/rp1/i2c@88000/imx219@10"},
    {"Model": "imx708", "Id": "/base/axi/pcie@120000/rp1/i2c@80000/imx708@1a"},
]


def test_a_camera_is_opened_by_its_port_and_tells_it(library: type[Picamera2], tmp_path: Path) -> None:
    (tmp_path / "__symbols__").mkdir()
    (tmp_path / "__symbols__/i2c_csi_dsi1").write_bytes(b"/axi/pcie@120000/rp1/i2c@80000\0")
    library.cameras = TWO
    told = opened(2, tmp_path, port="cam1").describe()
    assert (told["module"], told["id"], told["port"]) == ("Camera Module 3", TWO[1]["Id"], "cam1")
    library.cameras = TWO[:1]
    with pytest.raises(CameraAbsent, match="no camera at cam1"):
        opened(2, tmp_path, port="cam1")


def test_a_camera_that_is_another_one_by_the_time_it_is_opened_is_given_back(library: type[Picamera2]) -> None:
    looks = iter([TWO, TWO[1:]])

    def changing(cls: type[Picamera2]) -> list[dict[str, Any]]:
        cls.cameras = next(looks, TWO[1:])
        seen, cls.cameras = cls.cameras, TWO[1:]
        return seen

    library.global_camera_info = classmethod(changing)  # type: ignore[assignment,method-assign]
    before = descriptors()
    with pytest.raises(CameraAbsent, match="changed their order"):
        opened(port="i2c@88000")
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


def simulated(_: object) -> Camera:
    return SimulatedCamera(
        CameraSettings(lane="in", part="simulated", width=64, height=36), lambda: 0.0, lambda s: None
    )


@pytest.fixture(params=[lambda _: opened(), simulated], ids=["picamera2", "simulated"])
def camera(request: pytest.FixtureRequest, library: type[Picamera2]) -> Camera:
    make: Callable[[object], Camera] = request.param
    return make(library)


def exposures(camera: Camera, frames: int) -> list[Exposure]:
    taken = []
    for _ in range(frames):
        with camera.frame() as frame:
            assert frame.exposure is not None
            taken.append(frame.exposure)
    return taken


def close_to(asked: Exposure) -> Any:
    """A sensor's rows and gain steps away at most."""
    return pytest.approx(asked, rel=0.05)


def test_an_exposure_asked_for_comes_after_some_frames_and_stays(camera: Camera) -> None:
    asked = Exposure(1_200, 2.5)
    camera.expose(asked)
    taken = exposures(camera, 30)
    first = next(number for number, exposure in enumerate(taken) if exposure == close_to(asked))
    assert 1 <= first <= 12
    assert taken[first:] == [close_to(asked)] * (30 - first)


def test_what_is_asked_for_one_frame_is_in_force_for_one(camera: Camera) -> None:
    usual, darker = Exposure(1_200, 2.0), Exposure(600, 1.0)
    taken = []
    for number in range(40):
        camera.expose(darker if number % 3 == 0 else usual)
        taken += exposures(camera, 1)
    dark = [number for number, exposure in enumerate(taken) if exposure == close_to(darker)]
    assert len(dark) >= 9
    assert set(np.diff(dark)) == {3}


def test_an_exposure_beyond_what_the_camera_can_do_is_the_nearest_it_can(camera: Camera) -> None:
    limits = camera.exposures
    assert limits is not None
    assert limits.longest_us == 3_000  # the configured limit, though the camera could do more
    camera.expose(Exposure(1_000_000, 99.0))
    assert exposures(camera, 20)[-1] == close_to(Exposure(limits.longest_us, limits.most_gain))
    camera.expose(Exposure(0, 0.0))
    least = exposures(camera, 20)[-1]
    assert least.us <= max(ROW_US, limits.shortest_us)
    assert least.gain == limits.least_gain


def test_a_camera_without_gain_to_set_exposes_by_itself(library: type[Picamera2]) -> None:
    library.offers = {name: limits for name, limits in OFFERED.items() if name != "AnalogueGain"}
    camera = opened()
    assert camera.exposures is None
    camera.expose(Exposure(100, 1.0))
    assert library.made[0].controls["ExposureTime"] == 3_000


def test_a_frame_whose_metadata_tell_no_exposure_has_none(library: type[Picamera2]) -> None:
    camera = opened()
    library.made[0].coming[0] = (0, 0.0)
    with camera.frame() as frame:
        assert frame.exposure is None


def test_a_camera_that_refuses_the_exposure_says_so(library: type[Picamera2]) -> None:
    camera = opened()
    library.made[0].camera_controls = {}
    with pytest.raises(HardwareError, match=r"takes no exposure.*not advertised"):
        camera.expose(Exposure(100, 1.0))


def test_a_lens_that_can_be_moved_says_how_near_and_takes_no_more(camera: Camera) -> None:
    nearest = camera.nearest_cm
    assert nearest is not None
    assert 2 < nearest < 12
    for distance_cm in (25.0, nearest, 0.1, 1e9):
        camera.focus(distance_cm)
    assert len(exposures(camera, 2)) == 2


def test_the_lens_is_moved_in_dioptres_and_within_its_range(library: type[Picamera2]) -> None:
    camera = opened()
    camera.focus(20.0)
    assert library.made[0].controls["LensPosition"] == 5.0
    camera.focus(1.0)
    assert library.made[0].controls["LensPosition"] == 10.0  # offered are 32, but a Module 3 is sharp from 10 cm on
    assert camera.describe()["controls"]["LensPosition"] == 10.0
    assert camera.nearest_cm == 10.0


def test_a_lens_that_is_turned_by_hand_is_left_alone(library: type[Picamera2]) -> None:
    library.offers = {name: limits for name, limits in OFFERED.items() if name not in ("LensPosition", "AfMode")}
    camera = opened()
    assert camera.nearest_cm is None
    camera.focus(20.0)
    assert "LensPosition" not in library.made[0].controls


@pytest.mark.parametrize(("held_cm", "sharp"), [(25.0, True), (12.0, False), (80.0, False)])
def test_a_simulated_lens_is_sharp_where_it_is_set(held_cm: float, sharp: bool) -> None:
    camera = SimulatedCamera(
        CameraSettings(lane="in", part="simulated", width=640, height=360), lambda: 0.0, lambda s: None
    )
    stripes = np.tile(np.array([0, 0, 0, 255, 255, 255], np.uint8), (360, 107))[:, :640]
    camera.keep(stripes)
    camera.held_cm = held_cm
    with camera.frame() as frame:
        steepest = int(np.abs(np.diff(frame.luma.astype(np.int16))).max())
    assert (steepest > 200) is sharp
