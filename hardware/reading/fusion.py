"""What the modules of a placed symbol say, softly, and what several frames of it say together.

A blurred, shaken or ghosted picture of modules is a channel with memory, and a symbol carries its own pilot: some
hundred modules every symbol of the version shows. From them the best linear filter is learned for each frame
(ridge regression, drawn towards a plain mean over the module), which undoes defocus, motion and ghosts as far as
the noise allows. Frames are added up module by module, after each was straightened by itself, so that neither
the hand nor the lens need hold still.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hardware import Picture
from hardware.reading.lattice import Boxes, Fit, Plane, half, levelled, rectified, refitted
from hardware.reading.symbol import Soft, layout, repaired, side

FINE = 2
"""Samples along each side of a module."""
WINDOW = 5
"""Modules along each side of what a filter sees: the middle one is what it judges."""
MARGIN = WINDOW // 2
LEVEL_MODULES = 7
RIDGE = 0.005
"""Of the mean power of a sample: how strongly the filter is held to the plain mean."""
SURE = 0.6
"""A soft module of this size is taken for known when the filter is learned again."""
SECOND_THOUGHTS = 2
"""How often the filter is learned again from what it made sure of."""
LARGE_MODULE = 7.0
LOUDEST = 1.5
QUIETEST = 0.05
FASTEST = 40.0
"""Pixels a frame a corner may be taken to move on by."""
REMEMBERED_S = 0.7
"""How long a symbol may go unlocated before it is gone, and after which what was heard is forgotten."""
MOST_HEARD = 12
LEAST_SCORE = 0.4


def _plain() -> Plane:
    kernel = np.zeros((WINDOW * FINE, WINDOW * FINE), np.float32)
    kernel[MARGIN * FINE : (MARGIN + 1) * FINE, MARGIN * FINE : (MARGIN + 1) * FINE] = 1 / FINE**2
    return kernel.ravel()


_PLAIN = _plain()


class Heard(NamedTuple):
    """Soft modules (n, n), dark positive, about -1 to 1; ``noise``: their standard error at modules that are known."""

    soft: Soft
    noise: float


class Straightened:
    """A symbol of one frame, seen straight and evenly lit, ready to be heard through one filter or another."""

    def __init__(self, luma: Picture, fit: Fit) -> None:
        self.version = fit.version
        n = side(fit.version)
        if fit.module > LARGE_MODULE:
            luma, fit = half(luma), fit._replace(corners=fit.corners / 2, bend=fit.bend / 2)
        even = levelled(Boxes(rectified(luma, fit, MARGIN, FINE)), LEVEL_MODULES * FINE)
        windows = np.lib.stride_tricks.sliding_window_view(even, (WINDOW * FINE, WINDOW * FINE))[::FINE, ::FINE]
        self._patches = windows.reshape(n * n, -1)
        self._fixed = layout(fit.version).fixed.ravel()

    def heard(self, guess: Soft | None = None) -> Heard:
        """The modules through the filter that the fixed ones teach, and those that ``guess`` (n, n) is sure of."""
        truth = self._fixed
        if guess is not None:
            flat = guess.ravel()
            truth = np.where((truth == 0) & (np.abs(flat) > SURE), np.sign(flat), truth)
        (known,) = np.nonzero(truth)
        weights, noise = _learned(self._patches[known], truth[known])
        n = side(self.version)
        return Heard(np.clip(self._patches @ weights, -LOUDEST, LOUDEST).reshape(n, n), noise)


def _learned(patches: Plane, truth: Plane) -> tuple[Plane, float]:
    """The filter and its error on modules it has not seen (leave one out, by the hat matrix)."""
    plain = patches @ _PLAIN
    scale = max(float(plain @ truth / max(float(plain @ plain), 1e-6)), 0.2)
    first = _PLAIN * np.float32(scale)
    square = patches.T @ patches
    square += np.float32(RIDGE * float(np.trace(square)) / len(square) + 1e-6) * np.eye(len(square), dtype=np.float32)
    inverse = np.linalg.inv(square)
    weights = first + inverse @ (patches.T @ (truth - patches @ first))
    leverage = np.einsum("ij,ij->i", patches @ inverse, patches)
    missed = (truth - patches @ weights) / np.maximum(1 - leverage, 0.1)
    return weights.astype(np.float32), float(np.sqrt(np.mean(missed**2)))


class ReadSymbol(NamedTuple):
    """A symbol (n, n) put right, +1 and -1, and of how many frames it was made."""

    symbol: Soft
    frames: int


class Track:
    """One symbol over successive frames: where it is, and what was heard of it so far.

    ``inverted``: light modules on a dark ground, as a screen in dark mode shows them.
    """

    def __init__(self, fit: Fit, inverted: bool) -> None:
        self.fit = fit
        self.inverted = inverted
        self.seen_at = float("-inf")
        self._moved = np.zeros((4, 2))
        self._heard: list[tuple[float, Heard]] = []

    def follow(self, luma: Picture, at: float) -> ReadSymbol | None:
        """The symbol in the next frame, near where it was; ``seen_at`` stays behind when it is not there."""
        shown = self._positive(luma)
        ahead = self.fit._replace(corners=self.fit.corners + self._moved)
        return self._settle(shown, refitted(shown, ahead, patient=True), at, SECOND_THOUGHTS)

    def meet(self, luma: Picture, fit: Fit, at: float, thoughts: int = SECOND_THOUGHTS) -> ReadSymbol | None:
        """The symbol in this frame, found at ``fit`` anew; ``thoughts`` is how much time is left for it."""
        self._moved = np.zeros((4, 2))
        if fit.version != self.fit.version:
            self._heard.clear()
        self.fit = fit
        shown = self._positive(luma)
        return self._settle(shown, refitted(shown, fit, patient=True) if thoughts else fit, at, thoughts)

    def _positive(self, luma: Picture) -> Picture:
        return np.invert(luma) if self.inverted else luma

    def _settle(self, shown: Picture, fit: Fit, at: float, thoughts: int) -> ReadSymbol | None:
        if fit.score < LEAST_SCORE:
            self._moved = np.zeros((4, 2))
            return None
        self._moved = np.clip(fit.corners - self.fit.corners, -FASTEST, FASTEST)
        self.fit, self.seen_at = fit, at
        return self._hear(Straightened(shown, fit), at, thoughts)

    def _hear(self, straight: Straightened, at: float, thoughts: int) -> ReadSymbol | None:
        """By itself, then with what earlier frames said, then through a filter taught by what both are sure of."""
        self._heard = [one for one in self._heard if at - one[0] < REMEMBERED_S][1 - MOST_HEARD :]
        now = straight.heard()
        for left in range(thoughts, -1, -1):
            if (clean := repaired(now.soft, straight.version)) is not None:
                return ReadSymbol(clean, 1)
            total = self._together(now)
            if self._heard and (clean := repaired(total, straight.version)) is not None:
                return ReadSymbol(clean, len(self._heard) + 1)
            if left:
                now = straight.heard(total)
        self._heard.append((at, now))
        return None

    def _together(self, now: Heard) -> Soft:
        """The mean of all that was heard, each frame by how little it errs."""
        every = [now, *(heard for _, heard in self._heard)]
        weights = [1 / max(heard.noise, QUIETEST) ** 2 for heard in every]
        total = sum(heard.soft * np.float32(weight) for heard, weight in zip(every, weights, strict=True))
        return np.asarray(total / sum(weights), np.float32)
