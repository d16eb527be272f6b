"""The Raspberry Pi's camera, through picamera2. Imported by :func:`hardware.open_camera` only.

The main stream is YUV420 (or NV12, where a camera offers that instead): its first plane is the grey
picture the decoders want, and it is looked at where the camera wrote it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from picamera2 import MappedArray, Picamera2

from hardware import CameraAbsent, CameraSettings, Exposure, ExposureRange, Frame, HardwareError, PartInUse, within
from hardware.modules import CameraModule, Optics, best_mode, crop_of, module_of
from hardware.ports import LIST, TREE, Attached, attached, meant

BUFFERS = 4
"""One being exposed, one waiting, one held by the decoder, one in hand; the default of 6 costs 3 MB more."""
MANUAL_FOCUS = 0
"""libcamera's AfModeEnum.Manual."""
NO_DENOISE = 0
"""libcamera's NoiseReductionModeEnum.Off. Its other modes smooth colours, which nobody looks at, and on a Pi 5 also
average over time (rpi.denoise). Our frames differ in exposure on purpose, and a sensor without noise counts as dead."""
LUMA_FIRST = ("YUV420", "YVU420", "NV12", "NV21")
"""Formats whose buffer begins with the whole luma plane, one byte a pixel."""


class PiCamera:
    """:class:`hardware.Camera` on picamera2: pinned frame duration, short exposure, focus where a code is held.

    Raises HardwareError saying what to look at: no camera, no such camera, a camera in use.
    """

    def __init__(self, settings: CameraSettings, among: int = 1, tree: Path = TREE) -> None:
        """``among`` is the number of real cameras the device should have, ``tree`` its device tree."""
        self._at = self._found(settings, among, tree)
        self._picam2 = _opened(self._at)
        self._number = 0
        self._closed = False
        try:
            self._module = module_of(self._model)
            self._optics = self._optics_of(settings)
            self._picam2.configure(
                self._picam2.create_video_configuration(
                    main={"size": (settings.width, settings.height), "format": "YUV420"},
                    buffer_count=BUFFERS,
                    sensor=self._sensor_of(settings),
                )
            )
            self._main = self._picam2.camera_configuration()["main"]
            if self._main["format"] not in LUMA_FIRST:
                raise HardwareError(f"it gives {self._main['format']} pictures, not YUV420; is it a Pi camera?")
            self._controls = self._start(settings)
            self._exposures = exposure_range(settings, self._picam2.camera_controls)
            self._asked: Exposure | None = None
        except Exception as err:
            self._give_back()
            raise HardwareError(f"camera {self._at.number} cannot be started: {_story(err)}") from err

    @staticmethod
    def _found(settings: CameraSettings, among: int, tree: Path) -> Attached:
        try:
            infos = Picamera2.global_camera_info()
        except Exception as err:
            raise CameraAbsent(f"the camera system does not answer: {_story(err)}") from err
        return meant(settings, attached(infos, tree), among)

    @property
    def _model(self) -> str:
        return str(self._picam2.camera_properties.get("Model", "unknown"))

    def _optics_of(self, settings: CameraSettings) -> Optics | None:
        """None where the lens or the sensor is unknown."""
        cell = self._picam2.camera_properties.get("UnitCellSize")
        pixel_um = cell[0] / 1000 if cell and cell[0] else self._module.pixel_um if self._module else None
        lens_mm = settings.lens_mm or (self._module.lens_mm if self._module else None)
        return Optics(lens_mm, pixel_um, settings.distance_cm) if lens_mm and pixel_um else None

    def _sensor_of(self, settings: CameraSettings) -> dict[str, Any]:
        """The sensor mode to ask for; left to picamera2 where module or lens is unknown."""
        if self._module is None or self._optics is None:
            return {}
        mode = best_mode(self._module, self._optics, (settings.width, settings.height), settings.frame_us)
        return {"output_size": mode.size, "bit_depth": mode.bits}

    def _start(self, settings: CameraSettings) -> dict[str, Any]:
        """Start with the controls that the mode in force offers: their limits change with it."""
        offered = self._picam2.camera_controls
        self._crop, self._module_px = self._view(offered)
        controls = chosen_controls(settings, offered, self._module)
        if self._crop:
            controls["ScalerCrop"] = self._crop
        self._lens = lens_range(offered, self._module) if "LensPosition" in controls else None
        self._picam2.set_controls(controls)
        self._picam2.start()
        return controls

    def _view(self, offered: Mapping[str, tuple[Any, Any, Any]]) -> tuple[tuple[int, ...] | None, float | None]:
        """The crop, and how many pixels a module has in it; None where the camera cannot be asked, or does not say."""
        configured = self._picam2.camera_configuration()
        sensor, raw = configured.get("sensor") or {}, configured.get("raw") or {}
        given = sensor.get("output_size") or raw.get("size")
        if "ScalerCrop" not in offered or not given:
            return None, None
        whole, size = tuple(offered["ScalerCrop"][1]), self._main["size"]
        binning = whole[2] / given[0]
        crop = crop_of(whole, binning, self._optics, size)
        return crop, round(self._optics.module_px(crop[2], size[0], binning), 2) if self._optics else None

    @contextmanager
    def frame(self, timeout: float = 2.0) -> Iterator[Frame]:
        """The newest frame not yet given out. Its luma is the camera's own buffer: valid inside the ``with`` only.

        Raises HardwareError when none comes in ``timeout`` seconds; then close this camera and open it again.
        """
        request = self._next_request(timeout)
        try:
            with MappedArray(request, "main", reshape=False, write=False) as mapped:
                (width, height), stride = self._main["size"], self._main["stride"]
                self._number += 1
                luma = mapped.array[: stride * height].reshape(height, stride)[:, :width]
                yield Frame(luma, time.monotonic(), self._number, _in_force(request))
        finally:
            request.release()

    def _next_request(self, timeout: float) -> Any:
        if self._closed:
            raise HardwareError("the camera is closed")
        try:
            return self._picam2.capture_request(wait=False).get_result(timeout=timeout)
        except (FutureTimeout, TimeoutError, CancelledError) as err:
            self._picam2.cancel_all_and_flush()  # else the late frame goes to nobody, and its buffer is lost
            raise HardwareError(f"no frame for {timeout:g} s: look at the camera's ribbon cable and plugs") from err

    @property
    def exposures(self) -> ExposureRange | None:
        return self._exposures

    def expose(self, exposure: Exposure) -> None:
        """Both values go with one request, hence into force with one frame: buffers + 3 or 4 later (picamera2 1278)."""
        if self._exposures is None or self._closed:
            return
        exposure = within(exposure, self._exposures)
        if exposure == self._asked:
            return
        try:
            self._picam2.set_controls({"ExposureTime": exposure.us, "AnalogueGain": exposure.gain})
        except Exception as err:
            raise HardwareError(f"the camera takes no exposure: {_story(err)}") from err
        self._asked = exposure

    @property
    def nearest_cm(self) -> float | None:
        return 100 / self._lens[1] if self._lens and self._lens[1] > 0 else None

    def focus(self, distance_cm: float) -> None:
        if self._lens is None or self._closed:
            return
        position = max(self._lens[0], min(100 / distance_cm, self._lens[1]))
        try:
            self._picam2.set_controls({"LensPosition": position})
        except Exception as err:
            raise HardwareError(f"the lens does not move: {_story(err)}") from err
        self._controls["LensPosition"] = position

    def describe(self) -> Mapping[str, Any]:
        return {
            "part": "picamera2",
            "model": self._model,
            "module": self._module.name if self._module else "unknown",
            "id": self._at.id,
            "port": self._at.port,
            "size": list(self._main["size"]),
            "format": str(self._main["format"]),
            "mode": list((self._picam2.camera_configuration().get("sensor") or {}).get("output_size") or []),
            "lens_mm": self._optics.lens_mm if self._optics else None,
            "module_px": self._module_px,
            "controls": dict(self._controls),
        }

    def close(self) -> None:
        """Idempotent."""
        if not self._closed:
            self._closed = True
            self._give_back()

    def _give_back(self) -> None:
        try:
            self._picam2.cancel_all_and_flush()
            self._picam2.close()
        except Exception as err:
            raise HardwareError(f"the camera could not be closed: {_story(err)}") from err


def chosen_controls(
    settings: CameraSettings, offered: Mapping[str, tuple[Any, Any, Any]], module: CameraModule | None = None
) -> dict[str, Any]:
    """The controls to set: each only where the camera offers it, clamped to its (least, most, default)."""
    wanted = {
        "FrameDurationLimits": settings.frame_us,
        "ExposureTime": settings.exposure_us,
        "LensPosition": 100 / settings.distance_cm,
        "NoiseReductionMode": NO_DENOISE,
    }
    chosen: dict[str, Any] = {}
    for name, value in wanted.items():
        if name in offered:
            least, most = lens_range(offered, module) if name == "LensPosition" else offered[name][:2]
            chosen[name] = max(least, min(value, most))
    if "FrameDurationLimits" in chosen:
        chosen["FrameDurationLimits"] = (chosen["FrameDurationLimits"],) * 2
    if "AfMode" in offered and "LensPosition" in chosen:
        chosen["AfMode"] = MANUAL_FOCUS  # continuous autofocus hunts and sticks (picamera2 issues 1272, 1082)
    return chosen


def lens_range(offered: Mapping[str, tuple[Any, Any, Any]], module: CameraModule | None) -> tuple[float, float]:
    """From where to where the lens moves, in dioptres: what is offered, and no nearer than the module is sharp."""
    least, most = offered["LensPosition"][:2]
    nearest = 100 / module.nearest_cm if module and module.nearest_cm else most
    return least, max(least, min(most, nearest))


def exposure_range(settings: CameraSettings, offered: Mapping[str, tuple[Any, Any, Any]]) -> ExposureRange | None:
    """What may be asked of a camera that ``offered`` these (least, most, default) of its controls.

    None unless both are offered. AeEnable is left alone: libcamera takes a value of ExposureTime or AnalogueGain for
    "this one by hand", and AeEnable = False would first freeze whatever is in force (picamera2 933, 1269).
    """
    if "ExposureTime" not in offered or "AnalogueGain" not in offered:
        return None
    shortest, longest = (int(us) for us in offered["ExposureTime"][:2])
    least, most = (float(gain) for gain in offered["AnalogueGain"][:2])
    longest = max(1, shortest, min(settings.exposure_us, settings.frame_us, longest or settings.exposure_us))
    return ExposureRange(max(1, shortest), longest, max(1.0, least), max(1.0, most))


def _in_force(request: Any) -> Exposure | None:
    said = request.get_metadata()
    us, gain = said.get("ExposureTime"), said.get("AnalogueGain")
    return Exposure(int(us), float(gain)) if us and gain else None


def _opened(at: Attached) -> Any:
    # Made in two steps: when __init__ fails, picamera2 leaves a pipe or the camera open, and this is tried for ever.
    camera = Picamera2.__new__(Picamera2)
    try:
        camera.__init__(at.number)
    except Exception as err:
        story = _story(err)
        with suppress(Exception):
            _tidy(camera)
        if "busy" in story.lower() or "acquire" in story.lower():
            raise PartInUse(f"camera {at.number} is in use by another program (rpicam-hello, motion, …)") from err
        raise HardwareError(f"camera {at.number} cannot be opened: {story}") from err
    if camera.camera.id != at.id:
        camera.close()
        raise CameraAbsent(f"the cameras changed their order while {at} was opened: look at `{LIST}`")
    return camera


def _tidy(half_made: Any) -> None:
    if half_made.is_open:
        half_made.close()
    else:
        os.close(half_made.notifyme_w)


def _story(err: BaseException | None) -> str:
    """The messages of an exception and its causes: picamera2 hides libcamera's own behind its general one."""
    parts = []
    while err is not None:
        parts.append(str(err) or type(err).__name__)
        err = err.__cause__ or err.__context__
    return "; ".join(parts)
