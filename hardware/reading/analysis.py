"""What a frame shows in figures: for the reading ladder, the hints and anyone who wants to know. Pure.

The figures are taken from a sample of about 9,000 pixels, whatever the size of the picture: 0.2 ms.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from hardware import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

Region: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""

SAMPLE = 9_000
TILE = 8
WHITE, DARK = 250, 16
"""From ``WHITE`` on a pixel no longer shows anything; under ``DARK`` hardly anything."""
SMALLEST = 4
"""Pixels a side: a smaller region has no neighbours to compare."""
GLARE_CELLS = 8
GLARE_SHARE = 0.9
"""A cell of 1/8 of a symbol's side is 4 to 6 modules wide; no code has as many light ones together."""
QUARTILE = 0.3186
"""Standard deviations within which a quarter of Gaussian values lie: three quarters may be edges."""
STRONGEST = 0.98
"""Modules of up to 10 pixels have edges at more than one pixel in fifty."""
EDGE_OF_NOISE = 2.326 * sqrt(2)
"""That percentile of the differences of neighbours that noise alone makes, in its standard deviations."""
LEAST_CONTRAST = 8


class Scene(NamedTuple):
    """Figures of a picture or of a region of it; grey values 0..255, shares 0..1."""

    size: tuple[int, int]
    """Width and height of the whole picture, pixels."""
    mean: float
    p2: int
    p50: int
    p98: int
    clipped: float
    dark: float
    noise: float
    """Standard deviation of a pixel. Where everything is edges (a code of small modules), too high."""
    sharp_across: float
    sharp_down: float
    """The steepest edges' part of the contrast within one pixel, left to right and downwards: 1 is perfect,
    0.4 a blur of one pixel's standard deviation, 0.2 of two; 0 where there is no contrast. Motion blurs only one."""
    glare: float
    """Share of the region's middle that is clipped all over, as no code is."""

    @property
    def contrast(self) -> int:
        return self.p98 - self.p2

    @property
    def sharpness(self) -> float:
        return max(self.sharp_across, self.sharp_down)


def analyse(luma: Picture, region: Region | None = None) -> Scene:
    """The figures of ``region`` as far as it lies in the picture; of the whole picture if there is hardly any of it.

    Never raises on a picture ``(height, width)`` of at least one pixel.
    """
    size = (luma.shape[1], luma.shape[0])
    part = _part(luma, region)
    step = max(1, round(sqrt(part.size / SAMPLE)))
    sample = part[step // 2 :: step, step // 2 :: step]
    levels = np.bincount(sample.ravel(), minlength=256)
    below = np.cumsum(levels)
    p2, p50, p98 = (int(np.searchsorted(below, share * below[-1])) for share in (0.02, 0.5, 0.98))
    noise, across, down = _edges(part)
    scale = p98 - p2
    floor = EDGE_OF_NOISE * noise
    sharp = [sqrt(max(0.0, edge**2 - floor**2)) / scale if scale >= LEAST_CONTRAST else 0.0 for edge in (across, down)]
    return Scene(
        size=size,
        mean=float(levels @ _GREYS) / sample.size,
        p2=p2,
        p50=p50,
        p98=p98,
        clipped=float(levels[WHITE:].sum()) / sample.size,
        dark=float(below[DARK - 1]) / sample.size,
        noise=noise,
        sharp_across=min(1.0, sharp[0]),
        sharp_down=min(1.0, sharp[1]),
        glare=_glare(sample),
    )


_GREYS = np.arange(256)


def _part(luma: Picture, region: Region | None) -> Picture:
    if region is None:
        return luma
    left, top, right, bottom = region
    part = luma[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    return part if min(part.shape) >= SMALLEST else luma


def _edges(part: Picture) -> tuple[float, float, float]:
    """Noise, and the steepest differences of neighbours across and downwards.

    From whole tiles: every nth pixel would meet all edges of a code of such modules, or none.
    """
    if min(part.shape) < SMALLEST:
        return 0.0, 0.0, 0.0
    pitch = min(max(TILE, round(TILE * sqrt(part.size / SAMPLE))), *part.shape)
    down, across = (side // pitch for side in part.shape)
    tiles = part[: down * pitch, : across * pitch].reshape(down, pitch, across, pitch)[:, :TILE, :, :TILE]
    grey = tiles.astype(np.int16)
    rightward = grey[..., 1:] - grey[..., :-1]
    bend = rightward[..., 1:] - rightward[..., :-1]  # a slope has none
    return _calm(_counts(bend)) / sqrt(6), _strong(_counts(rightward)), _strong(_counts(grey[:, 1:] - grey[:, :-1]))


def _counts(differences: NDArray[np.int16]) -> NDArray[np.intp]:
    return np.bincount(np.abs(differences).ravel(), minlength=2)


def _calm(counts: NDArray[np.intp]) -> float:
    """The standard deviation that the calmest quarter of these whole numbers has, as if it were Gaussian."""
    below = np.cumsum(counts)
    wanted = below[-1] / 4
    at = int(np.searchsorted(below, wanted))
    within = (wanted - (below[at - 1] if at else 0)) / counts[at]
    return float(within / 2 if at == 0 else at - 0.5 + within) / QUARTILE


def _strong(counts: NDArray[np.intp]) -> float:
    below = np.cumsum(counts)
    return float(np.searchsorted(below, STRONGEST * below[-1]))


def _glare(sample: Picture) -> float:
    """Share of the cells clipped all over; the outermost ring is left out: a turned symbol's corners are paper."""
    down, across = (side // GLARE_CELLS for side in sample.shape)
    if not down or not across:
        return 0.0
    white = sample[: down * GLARE_CELLS, : across * GLARE_CELLS] >= WHITE
    if not white.any():
        return 0.0
    cells = white.reshape(GLARE_CELLS, down, GLARE_CELLS, across).mean(axis=(1, 3))[1:-1, 1:-1]
    return float((cells >= GLARE_SHARE).mean())
