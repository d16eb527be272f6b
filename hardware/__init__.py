"""The parts a gate is made of, behind small Protocols.

This package imports nothing of ours, and this module, the contract, nothing of the package. A vendor's library is
named in one file (`camera`, `gpio`, `reading.engines`). A word in the configuration picks the real part or the
simulated one (`opening`). The fake and the real part pass the same contract tests.

Conventions: a picture is a numpy ``uint8`` array ``(height, width)``, 0 black,
255 white; times are seconds of ``time.monotonic()``; distances are centimetres;
pins are BCM numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:  # the process that has the pins has no pictures: it need not carry numpy
    import numpy as np
    from numpy.typing import NDArray

Picture: TypeAlias = "NDArray[np.uint8]"


OURS = "G1"
"""What the text of every pass begins with."""


class HardwareError(Exception):
    """A part is missing, taken or broken. The text says what to look at; asking again later is safe."""


class PartInUse(HardwareError):
    """Another program has the part."""


class CameraAbsent(HardwareError):
    """The camera that is meant is not among those found. The system may have to be looked through anew."""


class Signal(Enum):
    """What the lane's lights show. Exactly one at a time."""

    OFF = "off"
    READY = "ready"
    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    FAULT = "fault"


INPUTS = ("passage", "arm_open", "fire", "exit_button", "guard_button", "call", "tamper")
"""Names of the input lines a lane may have. An input is a level (True: active), never a toggle."""

LIGHTS = ("ready", "green", "yellow", "red", "fault", "buzzer")


class Exposure(NamedTuple):
    """How a frame is taken: microseconds of open shutter, and how much the sensor's signal is amplified (1: not)."""

    us: int
    gain: float

    @property
    def light(self) -> float:
        """How bright it makes one and the same scene, in microseconds at gain 1."""
        return self.us * self.gain


class ExposureRange(NamedTuple):
    """What a camera can be asked for. ``longest_us`` is the configured limit where the camera could do more."""

    shortest_us: int
    longest_us: int
    least_gain: float
    most_gain: float


def within(exposure: Exposure, limits: ExposureRange) -> Exposure:
    """The nearest exposure a camera can do; time and gain each for itself."""
    us = max(limits.shortest_us, min(round(exposure.us), limits.longest_us))
    return Exposure(us, max(limits.least_gain, min(exposure.gain, limits.most_gain)))


class Frame(NamedTuple):
    """One camera frame. ``luma`` is a view that is valid only inside the ``with`` of :meth:`Camera.frame`.

    ``exposure`` is the one this very frame was taken with; None where the camera does not say.
    """

    luma: Picture
    at: float
    number: int
    exposure: Exposure | None = None


class Found(NamedTuple):
    """One decoded symbol: its text, the engine that read it, its four corners (x, y) in pixels, clockwise."""

    text: str
    engine: str
    corners: tuple[tuple[int, int], ...]


class Hint(Enum):
    """What the one who holds something up could do so that it can be read."""

    CLOSER = "closer"
    FURTHER = "further"
    FLATTER = "flatter"
    BRIGHTER = "brighter"
    """A screen too dark, or too little light on a card."""
    GLARE = "glare"
    STILL = "still"


class Seen(NamedTuple):
    """What one camera frame showed: the codes read, passes first, and what else there was to see.

    ``symbols`` are the corners of codes that are there and could not be read (clockwise from the symbol's
    own top left); ``stirred`` is false while nothing but the empty lane is before the camera, and ``looked`` where
    the frame was therefore passed over.
    """

    found: list[Found]
    symbols: tuple[tuple[tuple[int, int], ...], ...] = ()
    stirred: bool = True
    hint: Hint | None = None
    looked: bool = True


class Camera(Protocol):
    """A source of frames. One thread at a time."""

    def frame(self, timeout: float = 2.0) -> AbstractContextManager[Frame]:
        """The next frame (never the same one twice), without a copy. Raises HardwareError when none comes in time."""
        ...

    @property
    def exposures(self) -> ExposureRange | None:
        """What :meth:`expose` may ask for; None: this camera exposes by itself."""
        ...

    def expose(self, exposure: Exposure) -> None:
        """Take frames so from one of the next on, until told otherwise; ``Frame.exposure`` says from which.

        A camera takes about ten frames to follow, yet follows frame by frame: what is asked for one frame is
        in force for one. Outside of ``exposures`` the nearest is taken; nothing happens where that is None.
        """
        ...

    @property
    def nearest_cm(self) -> float | None:
        """How near :meth:`focus` can set the lens; None: nothing but a hand can turn it."""
        ...

    def focus(self, distance_cm: float) -> None:
        """Have the lens sharp at this distance some frames later, or at the nearest it can. Nothing happens where it
        is turned by hand."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What is in force: model, size, and each control that was set; JSON-safe."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...


class FrameWatch(Protocol):
    """One camera's frames in their order: what no single frame shows may be read from several. One thread at a time."""

    def look(self, luma: Picture, at: float) -> Seen:
        """What this frame showed, within one frame's time (33 ms). Never raises on any picture content.

        ``luma`` is not kept: the buffer is the camera's. ``at`` never goes back.
        """
        ...


class Decoder(Protocol):
    """Reads the QR codes of pictures. Thread-safe; never raises on any picture content."""

    def decode(self, luma: Picture) -> list[Found]:
        """The codes of a single photo, passes (text starting with "G1") first, with all that a photo deserves."""
        ...

    def watch(self) -> FrameWatch:
        """A new watch, knowing nothing: one for each camera, or for each burst of pictures."""
        ...


class Switch(Protocol):
    """An output that is on or off. Off when claimed, off when closed."""

    def on(self) -> None: ...

    def off(self) -> None: ...

    @property
    def is_on(self) -> bool: ...

    def close(self) -> None: ...


class Relay(Switch, Protocol):
    """Requests opening from the barrier's own controller."""


class Lights(Protocol):
    """The lane's lamps and buzzer. Dark when claimed, dark when closed."""

    def show(self, signal: Signal) -> None:
        """Exactly this lamp, at once; green, yellow and red also sound, anew with each call. Does not wait."""
        ...

    @property
    def shown(self) -> Signal: ...

    def close(self) -> None: ...


class Inputs(Protocol):
    """The lane's input lines as debounced levels."""

    def read(self) -> Mapping[str, bool]:
        """Level of every wired input by name (a subset of INPUTS)."""
        ...

    def watch(self, changed: Callable[[str, bool], None]) -> None:
        """Call ``changed(name, level)`` from any thread after each change, once per change."""
        ...

    def close(self) -> None: ...


class LaneParts(NamedTuple):
    """What one lane drives and senses. ``illumination`` lights what is held before the camera.

    ``missing`` names what is wired and could not be had, each with why: of LIGHTS, INPUTS and "illumination". A lane
    works without: ``lights`` shows the rest, ``inputs`` reads the rest.
    """

    relay: Relay
    lights: Lights
    inputs: Inputs
    illumination: Switch
    missing: Mapping[str, str] = MappingProxyType({})


class CameraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One camera, looking at one lane."""

    lane: str
    part: Literal["picamera2", "simulated"] = "picamera2"
    port: str = ""
    """Where its cable is: cam0, cam1, or a part of libcamera's Id. Empty: ``index``, which only counts while no camera
    of the device is missing."""
    index: int = 0
    lens_mm: float | None = None
    """Focal length of a lens that was screwed on, or that another module has. None: the module's own."""
    width: int = 1280
    height: int = 720
    frame_us: int = 33_333
    exposure_us: int = 3_000
    """Longest exposure: ≤ 2.5-4 ms holds a hand at 200-300 mm/s still."""
    distance_cm: float = 25.0
    """Where a code is held; the lens is fixed there (LensPosition = 1 / metres)."""
    noise: bool = True
    """No two frames of a sensor are alike, so frames that are alike are a fault. False for a camera that shows
    drawings, as a laboratory's does."""


class InputDebounce(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Milliseconds that a level of one input must hold to count; None: as the lane's others.

    The buttons that open have more: what a motor couples into their wires comes in bursts of 15 ms (IEC 61000-4-4).
    """

    passage: int | None = None
    arm_open: int | None = None
    fire: int | None = None
    exit_button: int | None = 50
    guard_button: int | None = 50
    call: int | None = None
    tamper: int | None = None


class Wiring(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Pins of one lane. Outputs are active-high; inputs are pulled up and active-low unless named in ``active_high``,
    which are pulled down."""

    part: Literal["gpiozero", "simulated"] = "gpiozero"
    relay: int | None = None
    ready: int | None = None
    green: int | None = None
    yellow: int | None = None
    red: int | None = None
    fault: int | None = None
    buzzer: int | None = None
    illumination: int | None = None
    """Drives a lamp beside the camera (through a transistor): on in the dark while somebody is there."""
    passage: int | None = None
    arm_open: int | None = None
    fire: int | None = None
    exit_button: int | None = None
    guard_button: int | None = None
    call: int | None = None
    tamper: int | None = None
    active_high: tuple[str, ...] = ()
    debounce_ms: int = 20
    """How long a level must hold to count; ``input_debounce_ms`` says it for single inputs."""
    input_debounce_ms: InputDebounce = InputDebounce()

    def debounce_of(self, name: str) -> int:
        """Milliseconds for this input."""
        own: int | None = getattr(self.input_debounce_ms, name)
        return self.debounce_ms if own is None else own
