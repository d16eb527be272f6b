"""Every part of a lane without the part: a camera before which pictures are held, and a relay, lights and inputs
whose levels live in files of a folder, so that other processes (a demo, a test, a curious person) can watch and press.

    outputs.jsonl        one line per change: {"t": unix seconds, "lane": …, "what": …, "value": …};
                         "relay" and "illumination" are true or false, "light" is a word
    inputs/LANE.NAME     "1" is active; "0", anything else or no file is not. "taken" at the start: something else
                         holds this pin, of an input, a lamp, the buzzer, the illumination or the relay
    inputs/LANE.camera   a camera's trouble: one word of TROUBLES; anything else or no file is none
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from hardware import (
    INPUTS,
    LIGHTS,
    CameraSettings,
    Exposure,
    ExposureRange,
    Frame,
    HardwareError,
    LaneParts,
    Picture,
    Signal,
    within,
)
from hardware.levels import SampledInputs
from hardware.luma import LumaRange, limited, stretched
from hardware.optics import burst, card, photograph, scene

__all__ = ["SimulatedCamera", "burst", "photograph", "simulated_lane"]

AWAY_S = 0.8
"""How long the hand is away after each showing: longer than a reader takes a code for still being there."""
IDLE_FRAMES = 4
SHORTEST_US, MOST_GAIN = 60, 16.0
"""As small sensors have them."""
FOLLOWS_AFTER = 7
"""Frames until an exposure asked for is in force, as with a Pi's four buffers."""
NEAREST_CM = 8.0
BLUR_PIXELS = 2.5
"""Sigma of the blur at 1280 pixels for each dioptre that the lens is off: a small sensor's lens at f/1.8, roughly."""
GAMMA = 2.2
"""Twice the light makes a picture's values 2 ** (1 / GAMMA) times as large, as a camera for people's eyes does."""
POLL_S = 0.01
CAR_S = 0.4
"""How long a simulated car covers the passage sensor."""


TROUBLES = ("black", "white", "frozen", "mute", "hangs", "dies")
"""What a simulated camera may suffer from. It shows nothing but black, nothing but white, or one picture for ever; it
gives no frame in time, or does not come back from being asked for one; it is not there."""
GONE = "no camera found: its trouble is simulated"
POKE_S = 0.05
"""How often a camera in trouble looks whether it still is."""


class _Held(NamedTuple):
    """A frame's worth of picture: where in it the thing held up is, and how brightly that shines by itself."""

    picture: Picture
    part: tuple[slice, slice]
    light: float | None


class SimulatedCamera:
    """:class:`hardware.Camera` that sees an empty dark lane, and pictures while they are shown.

    At the settings' ``exposure_us`` and gain 1, pictures are as they were given; with more or less light they are
    brighter or darker, clipped at white, and noisier with gain. ``ambient`` is the light that falls on the lane, 1
    at first. ``held_cm`` is how far away things are held; None: where the lens is sharp. ``trouble`` is one of
    TROUBLES, and so is the word in its file of ``folder``. ``clock`` and ``wait`` pace it to the settings' frame
    duration; a test passes its own. ``luma_range``: one that is not full costs it the steps that a real camera loses.
    Raises HardwareError while its file says that it is not there.
    """

    def __init__(
        self,
        settings: CameraSettings,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
        seed: int = 0,
        folder: str = "",
        luma_range: LumaRange = LumaRange.FULL,
    ) -> None:
        self._settings = settings
        self._range = luma_range
        self.trouble = ""
        self._trouble_file = Path(folder) / "inputs" / f"{settings.lane}.camera" if folder else None
        if self._suffers() == "dies":
            raise HardwareError(GONE)
        self._clock = clock
        self._wait = wait
        self._rng = np.random.default_rng(seed)
        size = (settings.width, settings.height)
        self._background = scene(size, seed)
        self._noise = self._rng.normal(0, 3, (settings.height + 32, settings.width + 32)).astype(np.int8)
        self._idle = [self._noisy(self._background) for _ in range(IDLE_FRAMES)]
        self._queue: deque[_Held | threading.Event] = deque()
        self.ambient = 1.0
        self.held_cm: float | None = None
        self._lens_cm = settings.distance_cm
        self._kept: _Held | None = None
        self._exposures = ExposureRange(SHORTEST_US, max(SHORTEST_US, settings.exposure_us), 1.0, MOST_GAIN)
        self._asked = Exposure(self._exposures.longest_us, 1.0)
        self._usual_light = self._asked.light
        self._coming = deque([self._asked] * FOLLOWS_AFTER)
        self._away = 0
        self._number = 0
        self._due = clock()
        self._last = self._idle[0]
        self._closed = False

    def show(self, pictures: Sequence[Picture], frames_each: int = 8, light: float | None = None) -> threading.Event:
        """Hold these pictures before the camera, each for ``frames_each`` frames, after those already waiting.

        A picture larger than the frame is shrunk to fit it, a smaller one is a card held up in the
        lane. The event is set when the last of these frames has been taken and given back. ``light`` is how
        brightly the thing shines whatever the ambient light, as a screen does; None: it is lit by that.
        """
        done = threading.Event()
        fitted = [self._fit(picture)._replace(light=light) for picture in pictures]
        # One extend: the camera's thread must not run dry between two pictures of one showing.
        self._queue.extend([*(frame for frame in fitted for _ in range(frames_each)), done])
        return done

    def keep(self, picture: Picture | None) -> None:
        """Keep this before the camera while nothing is shown, as if on a stand; None: take it away."""
        self._kept = None if picture is None else self._fit(picture)

    @contextmanager
    def frame(self, timeout: float = 2.0) -> Iterator[Frame]:
        """The next frame when it is due. Raises HardwareError after :meth:`close`, and as its trouble wants it."""
        if self._closed:
            raise HardwareError("the simulated camera is closed")
        trouble = self._suffer(timeout)
        self._coming.append(self._asked)
        exposure = self._coming.popleft()
        luma = self._last = self._troubled(self._next(exposure), trouble)
        if self._range is not LumaRange.FULL:
            luma = stretched(limited(luma))
        self._due = max(self._due + self._settings.frame_us / 1e6, self._clock())
        pause = self._due - self._clock()
        if pause > 0:
            self._wait(pause)
        self._number += 1
        yield Frame(luma, self._clock(), self._number, exposure)

    def _suffers(self) -> str:
        if self.trouble or self._trouble_file is None:
            return self.trouble
        try:
            return self._trouble_file.read_text().strip()
        except OSError:
            return ""

    def _suffer(self, timeout: float) -> str:
        """The trouble that a frame has, once there is one to be had."""
        waited = 0.0
        while (trouble := self._suffers()) in ("mute", "hangs", "dies"):
            if trouble == "dies" or self._closed:
                raise HardwareError(GONE)
            if trouble == "mute" and waited >= timeout:
                raise HardwareError(f"no frame for {timeout:g} s: its trouble is simulated")
            self._wait(POKE_S)
            waited += POKE_S
        return trouble

    def _troubled(self, luma: Picture, trouble: str) -> Picture:
        if trouble in ("black", "white"):
            return np.full_like(luma, 0 if trouble == "black" else 255)
        return self._last if trouble == "frozen" else luma

    @property
    def exposures(self) -> ExposureRange | None:
        return self._exposures

    def expose(self, exposure: Exposure) -> None:
        self._asked = within(exposure, self._exposures)

    def _next(self, exposure: Exposure) -> Picture:
        if self._away:
            self._away -= 1
        elif self._queue:
            item = self._queue.popleft()
            if not isinstance(item, threading.Event):
                return self._noisy(self._lit(item, exposure), exposure.gain)
            self._away = math.ceil(AWAY_S * 1e6 / self._settings.frame_us)
            item.set()
        if self._kept and not self._away:
            return self._noisy(self._lit(self._kept, exposure), exposure.gain)
        lane = self._exposed(self._idle[self._number % IDLE_FRAMES], self.ambient, exposure)
        # What is amplified has noise even where nothing is seen; at gain 1 the four frames have theirs.
        return lane if exposure.gain == 1 else self._noisy(lane, exposure.gain)

    def _lit(self, held: _Held, exposure: Exposure) -> Picture:
        lit = self._exposed(held.picture, self.ambient, exposure)
        if held.light is not None:
            lit = lit.copy()
            lit[held.part] = self._exposed(held.picture[held.part], held.light, exposure)
        if self.held_cm is None:
            return lit
        sigma = BLUR_PIXELS * self._settings.width / 1280 * abs(100 / self.held_cm - 100 / self._lens_cm)
        return np.asarray(Image.fromarray(lit).filter(ImageFilter.GaussianBlur(sigma)), dtype=np.uint8)

    @property
    def nearest_cm(self) -> float | None:
        return NEAREST_CM

    def focus(self, distance_cm: float) -> None:
        self._lens_cm = max(NEAREST_CM, distance_cm)

    def _exposed(self, picture: Picture, light: float, exposure: Exposure) -> Picture:
        times = (light * exposure.light / self._usual_light) ** (1 / GAMMA)
        if math.isclose(times, 1.0, rel_tol=0.01):
            return picture
        values: Picture = np.clip(np.arange(256) * times, 0, 255).astype(np.uint8)
        return values[picture]

    def _noisy(self, picture: Picture, gain: float = 1.0) -> Picture:
        """The picture with this frame's sensor noise, a pixel or two away from where it was."""
        height, width = picture.shape
        top, left = self._rng.integers(0, 32, 2)
        noise = self._noise[top : top + height, left : left + width]
        down, right = (int(step) for step in self._rng.integers(-1, 2, 2))
        moved = np.roll(picture, (down, right), (0, 1)).astype(np.int16)
        moved += noise if gain == 1 else (noise * math.sqrt(gain)).astype(np.int16)
        return np.clip(moved, 0, 255).astype(np.uint8)

    def _fit(self, picture: Picture) -> _Held:
        height, width = self._background.shape
        if picture.shape == (height, width):
            return _Held(picture, (slice(None), slice(None)), None)
        if picture.shape[0] < height and picture.shape[1] < width:
            picture = card(picture)
            scale = min(0.8 * height / picture.shape[0], 0.8 * width / picture.shape[1])
        else:
            scale = min(height / picture.shape[0], width / picture.shape[1])
        new = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        held = np.asarray(Image.fromarray(picture).resize(new, Image.Resampling.BICUBIC), dtype=np.uint8)
        frame = self._background.copy()
        top, left = (height - new[1]) // 2, (width - new[0]) // 2
        part = (slice(top, top + new[1]), slice(left, left + new[0]))
        frame[part] = held
        return _Held(frame, part, None)

    def describe(self) -> Mapping[str, Any]:
        size = [self._settings.width, self._settings.height]
        return {
            "part": "simulated",
            "model": "simulated",
            "size": size,
            "frame_us": self._settings.frame_us,
            "luma": self._range.value,
        }

    def close(self) -> None:
        """Idempotent. Anyone who waits for a showing is let go."""
        self._closed = True
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, threading.Event):
                item.set()


class _Outputs:
    """Appends one line per change. One ``write`` in O_APPEND mode: lines of several processes never mix."""

    def __init__(self, folder: Path, lane: str, now: Callable[[], float]) -> None:
        self._path = folder / "outputs.jsonl"
        self._lane = lane
        self._now = now

    def append(self, what: str, value: bool | str) -> None:
        line = json.dumps({"t": self._now(), "lane": self._lane, "what": what, "value": value}) + "\n"
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        except OSError as err:
            raise HardwareError(f"the simulated outputs cannot be written to {self._path}: {err.strerror}") from err

    def last(self, what: str) -> bool | str | None:
        """The newest value of this lane's output in the file, as a driven pin keeps its level after a crash."""
        newest = None
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):  # a line cut short by a crash is no value
                entry = json.loads(line)
                if (entry["lane"], entry["what"]) == (self._lane, what):
                    newest = entry["value"]
        return newest


class SimulatedSwitch:
    """:class:`hardware.Relay` or another output of that name that writes its changes down.

    ``risen`` is called after each off to on. Where it is not ``wired`` it remembers what it was told.
    """

    def __init__(
        self, outputs: _Outputs, what: str, risen: Callable[[], None] = lambda: None, wired: bool = True
    ) -> None:
        self._outputs = outputs
        self._what = what
        self._risen = risen
        self._wired = wired
        self._lock = threading.Lock()
        self._on = outputs.last(what) is True
        self._closed = False
        self.off()  # a claim that changes nothing writes nothing

    def on(self) -> None:
        if self._set(True):
            self._risen()

    def off(self) -> None:
        self._set(False)

    def _set(self, value: bool) -> bool:
        with self._lock:
            if self._closed or self._on == value:
                return False
            self._on = value
            if self._wired:
                self._outputs.append(self._what, value)
            return True

    @property
    def is_on(self) -> bool:
        return self._on

    def close(self) -> None:
        self.off()
        self._closed = True


class SimulatedLights:
    """:class:`hardware.Lights` that writes its changes down; it closes dark. A lamp that is ``taken`` stays dark."""

    def __init__(self, outputs: _Outputs, taken: Collection[str] = ()) -> None:
        self._outputs = outputs
        self._taken = taken
        self._lit = Signal.OFF
        self._lock = threading.Lock()
        self._shown = Signal.OFF
        self._closed = False

    def show(self, signal: Signal) -> None:
        with self._lock:
            if self._closed:
                return
            self._shown = signal
            lit = Signal.OFF if signal.value in self._taken else signal
            if lit is not self._lit:
                self._lit = lit
                self._outputs.append("light", lit.value)

    @property
    def shown(self) -> Signal:
        return self._shown

    def close(self) -> None:
        self.show(Signal.OFF)
        self._closed = True


class _Levels:
    """The input files of one lane, and the cars that drive through it."""

    def __init__(self, folder: Path, lane: str, passage_after_s: float | None, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._lane = lane
        self._after = passage_after_s
        self._clock = clock
        self._drives: deque[tuple[float, bool]] = deque()
        pins = ("relay", "illumination", *LIGHTS, *INPUTS)
        self.taken = {name: f"{name}: taken, as its file says" for name in pins if self._read(name) == b"taken"}

    def car_may_go(self) -> None:
        if self._after is not None and "passage" not in self.taken:
            at = self._clock() + self._after
            self._drives.extend([(at, True), (at + CAR_S, False)])

    def sample(self) -> dict[str, bool]:
        while self._drives and self._drives[0][0] <= self._clock():
            self._write("passage", self._drives.popleft()[1])
        return {name: self._read(name) == b"1" for name in INPUTS if name not in self.taken}

    def _path(self, name: str) -> Path:
        return self._folder / f"{self._lane}.{name}"

    def _read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes().strip()
        except OSError:
            return b""

    def _write(self, name: str, level: bool) -> None:
        # Replaced, not rewritten: another process never reads it empty.
        new = self._folder / f".{self._lane}.{name}.new"
        new.write_text(str(int(level)))
        new.replace(self._path(name))


def simulated_lane(
    name: str,
    folder: str,
    passage_after_s: float | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
    poll_s: float | None = POLL_S,
) -> LaneParts:
    """All parts and all of INPUTS of lane ``name`` as files of ``folder``, which is made when missing.

    ``passage_after_s``: so long after each opening a car covers the passage sensor for CAR_S.
    Raises HardwareError when the folder cannot be written, or the relay's pin is taken.
    """
    root = Path(folder)
    try:
        (root / "inputs").mkdir(parents=True, exist_ok=True)
        outputs = _Outputs(root, name, now)
        levels = _Levels(root / "inputs", name, passage_after_s, clock)
        relay = SimulatedSwitch(outputs, "relay", levels.car_may_go)
        illumination = SimulatedSwitch(outputs, "illumination", wired="illumination" not in levels.taken)
    except OSError as err:
        raise HardwareError(f"the simulated lane cannot write into {folder}: {err.strerror}") from err
    if "relay" in levels.taken:
        raise HardwareError(levels.taken["relay"])
    inputs = SampledInputs(levels.sample, {}, poll_s, clock)
    return LaneParts(relay, SimulatedLights(outputs, levels.taken), inputs, illumination, levels.taken)
