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
from numpy.typing import NDArray

from hardware import Picture
from hardware.lattice import Boxes, Fit, Plane, half, levelled, rectified, refitted
from hardware.symbol import Soft, layout, repaired, side

FINE = 3
"""Samples along each side of a module."""
MARGIN = 2
LEVEL_MODULES = 7
RIDGE = 0.2
"""Of the mean power of a sample: how strongly the filter is held to the plain mean."""
LARGE_MODULE = 7.0
LOUDEST = 1.5
FASTEST = 40.0
"""Pixels a frame a corner may be taken to move on by."""
REMEMBERED_S = 0.7
MOST_HEARD = 12
LEAST_SCORE = 0.4


class Heard(NamedTuple):
    """Soft modules (n, n), dark positive, about -1 to 1; ``noise``: the standard error seen at the fixed modules."""

    soft: Soft
    noise: float


def _start() -> Plane:
    kernel = np.zeros((3 * FINE, 3 * FINE), np.float32)
    weights = np.array([0.25, 0.5, 0.25], np.float32)
    kernel[FINE : 2 * FINE, FINE : 2 * FINE] = np.outer(weights, weights)
    return kernel.ravel()


_PLAIN = _start()


def heard(luma: Picture, fit: Fit) -> Heard:
    """The modules of the symbol lying at ``fit``, through the filter its fixed parts teach."""
    n = side(fit.version)
    if fit.module > LARGE_MODULE:
        luma, fit = half(luma), fit._replace(corners=fit.corners / 2)
    straight = levelled(Boxes(rectified(luma, fit, MARGIN, FINE)), LEVEL_MODULES * FINE)
    windows = np.lib.stride_tricks.sliding_window_view(straight, (3 * FINE, 3 * FINE))[FINE::FINE, FINE::FINE][:n, :n]
    patches = windows.reshape(n * n, -1)
    fixed = layout(fit.version).fixed.ravel()
    (pilot,) = np.nonzero(fixed)
    weights, noise = _learned(patches[pilot], fixed[pilot])
    return Heard(np.clip(patches @ weights, -LOUDEST, LOUDEST).reshape(n, n), noise)


def _learned(patches: Plane, truth: Plane) -> tuple[Plane, float]:
    """The filter and its error on modules it has not seen (leave one out, by the hat matrix)."""
    start = patches @ _PLAIN
    scale = float(start @ truth / max(float(start @ start), 1e-6))
    first = _PLAIN * max(scale, 0.2)
    left = truth - patches @ first
    square = patches.T @ patches
    square += RIDGE * float(np.trace(square)) / len(square) * np.eye(len(square), dtype=np.float32)
    inverse: NDArray[np.float32] = np.linalg.inv(square)
    weights = first + inverse @ (patches.T @ left)
    leverage = np.einsum("ij,jk,ik->i", patches, inverse, patches, optimize=True)
    missed = (truth - patches @ weights) / np.maximum(1 - leverage, 0.1)
    return weights.astype(np.float32), float(np.sqrt(np.mean(missed**2)))


class Read(NamedTuple):
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
        self._heard: list[tuple[float, Soft, float]] = []

    def follow(self, luma: Picture, at: float) -> Read | None:
        """The symbol in the next frame, near where it was; ``seen_at`` stays behind when it is not there."""
        shown = self._positive(luma)
        ahead = self.fit._replace(corners=self.fit.corners + self._moved)
        return self._settle(shown, refitted(shown, ahead), at)

    def meet(self, luma: Picture, fit: Fit, at: float) -> Read | None:
        """The symbol in this frame, found at ``fit`` anew."""
        self._moved = np.zeros((4, 2))
        if fit.version != self.fit.version:
            self._heard.clear()
        self.fit = fit
        return self._settle(self._positive(luma), fit, at)

    def _positive(self, luma: Picture) -> Picture:
        return np.invert(luma) if self.inverted else luma

    def _settle(self, shown: Picture, fit: Fit, at: float) -> Read | None:
        if fit.score < LEAST_SCORE:
            self._moved = np.zeros((4, 2))
            return None
        self._moved = np.clip(fit.corners - self.fit.corners, -FASTEST, FASTEST)
        self.fit, self.seen_at = fit, at
        soft, noise = heard(shown, fit)
        self._heard = [one for one in self._heard if at - one[0] < REMEMBERED_S][1 - MOST_HEARD :]
        self._heard.append((at, soft, noise))
        clean = repaired(soft, fit.version)
        if clean is not None:
            return Read(clean, 1)
        return self._together()

    def _together(self) -> Read | None:
        if len(self._heard) < 2:
            return None
        total = sum(soft / np.float32(noise**2) for _, soft, noise in self._heard)
        clean = repaired(np.asarray(total), self.fit.version)
        return None if clean is None else Read(clean, len(self._heard))
