"""What a camera's frames say of the camera itself: whether it sees anything at all. Pure.

Three faults. *Frozen*: frames that are the same pixel by pixel; a sensor has noise, so even of a wall no two frames are
alike. *Black* and *white*: nothing but the end of the scale, and other light does not change that. Night is dark and
the sun is bright, so neither is judged before it was tried: black with the shutter and the gain as far open as they go
and the lamp lit, white with both as far closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from hardware import Exposure, ExposureRange, Frame, Picture
from hardware.exposure import LAMP_LATE_S, SAME, sampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

Blindness = Literal["", "black", "white", "frozen"]

BLACK, WHITE = 20, 230
"""Also right for a camera that says full range and gives video's, 16 to 235. A sensor that amplifies all it can has
noise far above the first."""
STRAYS = 0.002
"""This share of pixels may be otherwise: dead and hot ones."""
DIM, BLOCK = 40, 10
"""Under our lamp some block of 80 x 80 pixels of 1280 x 720 is brighter than this on the mean. Behind a cover the noise
of single pixels may be, the mean of a block is not."""
FROZEN_S = 1.5
BLIND_S = 0.3
"""How long nothing is seen before other light is tried, and how long black must stay in full light."""
BLINDED_S = 1.0
"""How long white must stay at the shortest exposure."""
TRIED_S = 2.0
"""A camera takes ten frames to follow. One that does not follow in this time is judged by what it shows."""
REST_S = 5.0
"""After other light showed something: how long it is not tried again."""
FEWEST = 3
"""Frames that make a run, however slow the camera."""


class Sight:
    """One camera's. ``lamp``: a lamp beside it is lit when asked for. ``noise``: its frames always differ, as a
    sensor's do."""

    def __init__(self, lamp: bool = False, noise: bool = True) -> None:
        self.moves = False
        """The last frame differed from the one before it."""
        self.lamp = lamp
        """It may break, and work again."""
        self._noise = noise
        self._last = b""
        self._same = _Run()
        self._lit = _Run()
        self._black = _Trial(BLIND_S)
        self._white = _Trial(BLINDED_S)
        self._limits: ExposureRange | None = None

    def step(self, frame: Frame, limits: ExposureRange | None, lit: bool) -> None:
        """Take the next frame. ``limits`` are the camera's, None where it exposes by itself; ``lit``: the lamp was
        asked for before. Of the frame a sample is kept."""
        self._limits = limits
        sample, now = sampled(frame.luma), frame.at
        before, self._last = self._last, sample.tobytes()
        same = before == self._last
        self.moves = bool(before) and not (same and self._noise)
        self._same.step(same, now)
        self._lit.step(lit and self.lamp, now)
        self._judge_black(sample, frame.exposure, now)
        full = _share(sample < WHITE) <= STRAYS
        self._white.step(full, full, full and self._closed(frame.exposure), now)

    def _judge_black(self, sample: Picture, exposure: Exposure | None, now: float) -> None:
        """With a lamp, black is what that does not brighten. Without one a cover looks like the night: then black is a
        picture without even the noise of a sensor, in an exposure that is known."""
        nothing = _share(sample > BLACK) <= STRAYS
        dead, lit = nothing and self._limits is not None, self._lit.lasts(LAMP_LATE_S)
        unseen = dead or (self.lamp and dim(sample))
        begins = dead or (unseen and (nothing or lit))
        self._black.step(begins, unseen, (dead or (unseen and lit)) and self._opened(exposure), now)

    def _opened(self, exposure: Exposure | None) -> bool:
        if self._limits is None:
            return True
        return exposure is not None and exposure.light * SAME >= _most(self._limits).light

    def _closed(self, exposure: Exposure | None) -> bool:
        if self._limits is None:
            return True
        return exposure is not None and exposure.light <= _least(self._limits).light * SAME

    @property
    def still(self) -> bool:
        """No picture is new: nothing but a restart may help. White is left out: the sun leaves no noise."""
        return self._noise and self._same.lasts(FROZEN_S) and not self._white.on

    @property
    def fault(self) -> Blindness:
        if self._black.failed:
            return "black"
        if self._white.failed:
            return "white"
        return "frozen" if self.still else ""

    @property
    def asks(self) -> Exposure | None:
        """What the next frames should be taken with, whatever the lane's own light; None: nothing is tried."""
        if self._limits is None:
            return None
        return _most(self._limits) if self._black.on else _least(self._limits) if self._white.on else None

    @property
    def wants_light(self) -> bool:
        """Whether the lamp should be lit to see whether there is anything to see."""
        return self._black.on


class _Run:
    """How long something has been so without a break."""

    def __init__(self) -> None:
        self._frames = 0
        self._since = self._now = 0.0

    def step(self, true: bool, now: float) -> None:
        self._since = self._since if self._frames and true else now
        self._frames = self._frames + 1 if true else 0
        self._now = now

    def lasts(self, seconds: float) -> bool:
        return self._frames >= FEWEST and self._now - self._since >= seconds


class _Trial:
    """Nothing is seen; other light is tried, until something is seen or it has ``failed`` for ``enough_s``."""

    def __init__(self, enough_s: float) -> None:
        self.on = self.failed = False
        self._enough_s = enough_s
        self._begins, self._fails = _Run(), _Run()
        self._since = 0.0
        self._rests_until = float("-inf")

    def step(self, begins: bool, goes_on: bool, fails: bool, now: float) -> None:
        """``begins``: reason enough to try; ``goes_on``: still nothing is seen; ``fails``: not even in that light."""
        self._begins.step(begins, now)
        self._fails.step(fails, now)
        if not self.on:
            self.on = self._begins.lasts(BLIND_S) and now >= self._rests_until
            self._since = now
        elif not goes_on:
            self._rests_until = now if self.failed else now + REST_S
            self.on = self.failed = False
        elif self._fails.lasts(self._enough_s) or now - self._since >= TRIED_S:
            self.failed = True


def dim(sample: Picture) -> bool:
    """Whether no part of the picture is bright, whatever single pixels are."""
    if sample.mean() >= DIM:
        return False
    height, width = (side - side % BLOCK for side in sample.shape)
    if not height or not width:
        return True
    blocks = sample[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return bool(blocks.mean(axis=(1, 3)).max() < DIM)


def _share(true: NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(true)) / true.size


def _most(limits: ExposureRange) -> Exposure:
    return Exposure(limits.longest_us, limits.most_gain)


def _least(limits: ExposureRange) -> Exposure:
    return Exposure(limits.shortest_us, limits.least_gain)
