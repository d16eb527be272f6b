"""The Raspberry Pi's camera modules, and what each makes of a code: pixels a module, sensor mode and crop. Pure.

Lengths, pixels, focus and depth of field are those of Raspberry Pi's camera hardware specification. Modes, crops and
rates are what ``Picamera2.sensor_modes`` lists, in pixels of the whole sensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

Size: TypeAlias = tuple[int, int]
Rectangle: TypeAlias = tuple[int, int, int, int]
"""Left, top, width, height."""

MODULE_MM = 0.53
"""The smallest side of a module on a card: where it would be less, the code takes a lower level (DECISIONS 42)."""
FEW_PIXELS = 2.5
"""Of a module: the decoders need 2, and a hand takes the rest."""
ENOUGH_PIXELS = 3.6
"""Of a module: more would only narrow the view. At 1280 pixels the view is then 19 cm wide."""
RATE_SLACK = 0.99
"""A mode of 29.9 frames a second does for 30."""


class SensorMode(NamedTuple):
    """``size`` pixels come out; ``crop`` of the sensor's own go in, several of them binned into one."""

    size: Size
    crop: Size
    bits: int
    fps: float

    @property
    def binning(self) -> float:
        return self.crop[0] / self.size[0]


class CameraModule(NamedTuple):
    """``lens_mm`` is None where lenses are changed; ``nearest_cm`` is where focus ends, None where the lens says."""

    name: str
    pixel_um: float
    lens_mm: float | None
    focus: Literal["fixed", "hand", "motor"]
    nearest_cm: float | None
    modes: tuple[SensorMode, ...]


_IMX708 = (
    SensorMode((1536, 864), (3072, 1728), 10, 120.13),
    SensorMode((2304, 1296), (4608, 2592), 10, 56.03),
    SensorMode((4608, 2592), (4608, 2592), 10, 14.35),
)
MODULES: Mapping[str, CameraModule] = {
    "ov5647": CameraModule(
        "Camera Module 1", 1.4, 3.60, "fixed", 100.0,
        (
            SensorMode((640, 480), (2560, 1920), 10, 58.92),
            SensorMode((1296, 972), (2592, 1944), 10, 43.25),
            SensorMode((1920, 1080), (1928, 1080), 10, 30.62),
            SensorMode((2592, 1944), (2592, 1944), 10, 15.63),
        ),
    ),
    "imx219": CameraModule(
        "Camera Module 2", 1.12, 3.04, "hand", 10.0,
        (
            SensorMode((640, 480), (1280, 960), 10, 206.65),
            SensorMode((1640, 1232), (3280, 2464), 10, 41.85),
            SensorMode((1920, 1080), (1920, 1080), 10, 47.57),
            SensorMode((3280, 2464), (3280, 2464), 10, 21.19),
        ),
    ),
    "imx708": CameraModule("Camera Module 3", 1.4, 4.74, "motor", 10.0, _IMX708),
    "imx708_wide": CameraModule("Camera Module 3 Wide", 1.4, 2.75, "motor", 5.0, _IMX708),
    "imx296": CameraModule(
        "Global Shutter Camera", 3.45, None, "hand", None, (SensorMode((1456, 1088), (1456, 1088), 10, 60.38),)
    ),
    "imx477": CameraModule(
        "High Quality Camera", 1.55, None, "hand", None,
        (
            SensorMode((1332, 990), (2664, 1980), 10, 120.05),
            SensorMode((2028, 1080), (4056, 2160), 12, 50.03),
            SensorMode((2028, 1520), (4056, 3040), 12, 40.01),
            SensorMode((4056, 3040), (4056, 3040), 12, 10.0),
        ),
    ),
    "imx500": CameraModule(
        "AI Camera", 1.55, 4.74, "hand", 20.0,
        (
            SensorMode((2028, 1520), (4056, 3040), 10, 30.02),
            SensorMode((4056, 3040), (4056, 3040), 10, 10.0),
        ),
    ),
}  # fmt: skip
"""By what libcamera calls the model."""


def module_of(model: str) -> CameraModule | None:
    """The module of a ``Model``; one without an infrared filter is the same otherwise. None: not one of ours."""
    return MODULES.get(model.removesuffix("_noir"))


class Optics(NamedTuple):
    """A lens before a sensor, and how far away a code is held."""

    lens_mm: float
    pixel_um: float
    distance_cm: float

    @property
    def native_px(self) -> float:
        """Pixels of the sensor that one module covers."""
        return self.lens_mm / (self.pixel_um / 1000) * MODULE_MM / (self.distance_cm * 10)

    def module_px(self, crop_width: int, width: int, binning: float) -> float:
        """Pixels of one module where ``crop_width`` pixels of the sensor become ``width`` of the frame. What is
        enlarged beyond the mode's own pixels does not count."""
        return min(self.native_px * width / crop_width, self.native_px / binning)


def crop_of(whole: Rectangle, binning: float, optics: Optics | None, size: Size) -> Rectangle:
    """The part of a mode's ``whole`` rectangle that becomes the frame: in its middle, with the frame's proportions.

    As wide as leaves ENOUGH_PIXELS a module, and never so narrow that it has to be enlarged. Without optics all of it.
    """
    left, top, width, height = whole
    widest = min(float(width), height * size[0] / size[1])
    wanted = widest if optics is None else max(size[0] * binning, optics.native_px * size[0] / ENOUGH_PIXELS)
    across = min(widest, wanted)
    w, h = (int(round(side / 2) * 2) for side in (across, across * size[1] / size[0]))
    return left + (width - w) // 2, top + (height - h) // 2, w, h


def best_mode(module: CameraModule, optics: Optics, size: Size, frame_us: int) -> SensorMode:
    """The mode with the most pixels a module up to ENOUGH_PIXELS, and of these the one with the widest view.

    One that is fast enough for ``frame_us`` where there is one.
    """
    fast = [mode for mode in module.modes if mode.fps * frame_us >= RATE_SLACK * 1e6]

    def merit(mode: SensorMode) -> tuple[float, int, float]:
        across = crop_of((0, 0, *mode.crop), mode.binning, optics, size)[2]
        pixels = min(optics.module_px(across, size[0], mode.binning), ENOUGH_PIXELS)
        return round(pixels, 2), across, mode.fps

    return max(fast or module.modes, key=merit)
