"""Where the modules of a symbol lie in a picture: found, fitted and sampled, also where no decoder sees a code.

Picture coordinates are pixels (x to the right, y down, a pixel's middle at .5); symbol coordinates are modules
(x = column, y = row, 0 at the symbol's top left edge). A placement is the four corners of the symbol in the
picture, clockwise from its own top left: ``(4, 2)``.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hardware import Picture
from hardware.reading.symbol import VERSIONS, layout, side

Corners = NDArray[np.float64]
Plane = NDArray[np.float32]
_STEP = (0.25, 0.75)
"""Where a module is looked at, along each side, while the lattice is being fitted."""


def homography(corners: Corners, modules: float) -> NDArray[np.float64]:
    """(3, 3): coordinates of a symbol of ``modules`` a side to the picture's."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
    # The unit square's projective map in closed form (Heckbert 1989, 2.2.3).
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    area = dx1 * dy2 - dx2 * dy1
    if abs(area) < 1e-9:
        area = 1e-9
    g, h = (sx * dy2 - dx2 * sy) / area, (dx1 * sy - sx * dy1) / area
    unit = np.array([[x1 - x0 + g * x1, x3 - x0 + h * x3, x0], [y1 - y0 + g * y1, y3 - y0 + h * y3, y0], [g, h, 1.0]])
    scaled: NDArray[np.float64] = unit * (1 / modules, 1 / modules, 1.0)
    return scaled


def projected(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Symbol coordinates ``(k, 2)`` in the picture."""
    flat = points @ matrix[:, :2].T + matrix[:, 2]
    depth = flat[:, 2:]
    placed: NDArray[np.float64] = flat[:, :2] / np.where(depth > 1e-3, depth, 1e-3)  # else behind the camera
    return placed


def looked_up(plane: Plane | Picture, points: NDArray[np.float64]) -> Plane:
    """The plane's values at points ``(k, 2)``, bilinear; beyond its edge the edge's."""
    height, width = plane.shape
    x = np.clip(points[:, 0] - 0.5, 0, width - 1.001)
    y = np.clip(points[:, 1] - 0.5, 0, height - 1.001)
    left, top = x.astype(np.intp), y.astype(np.intp)
    fx, fy = (x - left).astype(np.float32), (y - top).astype(np.float32)
    flat, at = plane.ravel(), top * width + left
    above = flat[at] * (1 - fx) + flat[at + 1] * fx
    below = flat[at + width] * (1 - fx) + flat[at + width + 1] * fx
    values: Plane = above * (1 - fy) + below * fy
    return values


def half(luma: Picture) -> Picture:
    """``luma`` at half size, each pixel the mean of 2x2; an odd last row or column is dropped.

    A picture of one row or column is returned as it is.
    """
    height, width = luma.shape[0] // 2 * 2, luma.shape[1] // 2 * 2
    if not height or not width:
        return luma
    even, odd = luma[0:height:2], luma[1:height:2]
    total = even[:, 0:width:2].astype(np.uint16)
    for part in (even[:, 1:width:2], odd[:, 0:width:2], odd[:, 1:width:2]):
        total += part
    return (total >> 2).astype(np.uint8)


class Boxes:
    """A picture's sums and variances over squares of odd widths around each pixel, edges repeated, each width once.

    Exact as long as a square's sum of squares is below 2^31 (181 pixels along a side): what overflows in
    the running totals cancels out.
    """

    REACH = 45

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        wide = np.pad(picture, ((self.REACH + 1, self.REACH), (self.REACH + 1, self.REACH)), mode="edge")
        self._totals = [self._running(plane) for plane in (wide.astype(np.int32), np.square(wide, dtype=np.int32))]
        self._sums: dict[tuple[int, int], NDArray[np.int32]] = {}

    @staticmethod
    def _running(plane: NDArray[np.int32]) -> NDArray[np.int32]:
        down = np.cumsum(plane, axis=0, dtype=np.int32)
        return np.cumsum(down, axis=1, dtype=np.int32, out=down)

    def sums(self, width: int, power: int = 1) -> NDArray[np.int32]:
        """Of the pixels' values to that power; ``width`` at most 2 * REACH + 1."""
        if (width, power) not in self._sums:
            height, length = self.picture.shape
            near = self.REACH - width // 2
            top, left = slice(near, near + height), slice(near, near + length)
            low, right = slice(near + width, near + width + height), slice(near + width, near + width + length)
            total = self._totals[power - 1]
            sums = total[low, right] - total[top, right]
            sums -= total[low, left]
            sums += total[top, left]
            self._sums[width, power] = sums
        return self._sums[width, power]

    def variance(self, width: int) -> Plane:
        mean = self.sums(width) * np.float32(1 / width**2)
        spread = self.sums(width, 2) * np.float32(1 / width**2)
        spread -= mean * mean
        return spread


def levelled(boxes: Boxes, width: int) -> Plane:
    """The picture with its brightness and contrast evened out over squares of ``width``: about -1 to 1, dark positive.

    Where there is far less contrast than elsewhere it stays small: an area without content must not look sure.
    """
    width = min(width | 1, 2 * Boxes.REACH + 1)
    spread = np.sqrt(np.maximum(boxes.variance(width), 0))
    floor = 0.35 * float(np.percentile(spread[::4, ::4], 80)) + 2.0
    even = boxes.sums(width) * np.float32(1 / width**2)
    even -= boxes.picture
    even /= np.maximum(spread, np.float32(floor), out=spread)
    return even


FIT_MODULE = 4.0
"""Pixels of a module that are plenty for fitting; larger ones are looked at smaller."""
LEVEL_MODULES = 9
ROAM = 4.0
"""Modules a symbol may have moved since the frame before: 1 mm modules in a hand at 120 mm/s."""
NEAR_SCORE = 0.4
DAMPING = 1e-2
FLAT_SCORE = 0.85
"""A placement that fits so well is of a flat card."""
ARCH = np.arange(-4.0, 4.5)
"""Modules by which the middle of a bent card may lie off the plane through its corners."""
BENT_GAIN = 0.02


class Template(NamedTuple):
    """The points of a version at which its content is known: where, what (about -1 to 1), and each corner's share."""

    points: NDArray[np.float64]
    values: Plane
    shares: NDArray[np.float64]


@cache
def template(version: int) -> Template:
    """Points within fixed modules whose neighbours on that side are fixed as well, blurred as a lens would."""
    n = side(version)
    fixed = np.pad(layout(version).fixed, 1, constant_values=-1)
    fine = np.kron(fixed, np.ones((2, 2), np.float32))
    known = np.pad(np.abs(fine), 1, mode="edge")
    blurred, sure = _blurred(np.pad(fine, 1, mode="edge")), _blurred(known)
    row, column = np.nonzero((sure > 0.99) & (np.indices(sure.shape).sum(axis=0) % 2 == 0))  # two a module will do
    points = np.stack([column, row], axis=1) / 2 - 0.75
    u, v = (points / n).T
    shares = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1)
    return Template(points, blurred[row, column], shares)


def _blurred(wide: Plane) -> Plane:
    """By 1, 2, 1 along both axes; one row and column shorter on each side."""
    rows = (wide[:-2] + 2 * wide[1:-1] + wide[2:]) / np.float32(4)
    both: Plane = (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / np.float32(4)
    return both


_FLAT = np.zeros((4, 2))


class Fit(NamedTuple):
    """A symbol of ``version`` lying at ``corners``; ``score`` is the correlation of its fixed parts, -1 to 1.

    ``bend`` (4, 2), pixels: how far a card that is not flat lies off the plane through its corners, see :func:`_bends`.
    """

    corners: Corners
    version: int
    score: float
    bend: Corners = _FLAT

    def placed(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Symbol coordinates ``(k, 2)`` in the picture."""
        n = side(self.version)
        flat = projected(homography(self.corners, n), points)
        return flat + _bends(points / n) @ self.bend if self.bend.any() else flat

    @property
    def module(self) -> float:
        """Pixels along one module, on average."""
        ends = np.roll(self.corners, -1, axis=0)
        return float(np.hypot(*(ends - self.corners).T).mean()) / side(self.version)


def _bends(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k, 4): the shapes a bent or creased card is made of, at places of the unit square; all are 0 at its corners."""
    u, v = places.T
    arch_u, arch_v = 4 * u * (1 - u), 4 * v * (1 - v)
    return np.stack([arch_u, arch_v, arch_u * (2 * v - 1), arch_v * (2 * u - 1)], axis=1)


def scored(even: Plane, fit: Fit) -> Fit:
    """``fit`` with its score in this picture, by every second module's middle: good enough to rank by."""
    points, values = thinned(fit.version)
    return fit._replace(score=_correlation(looked_up(even, fit.placed(points)), values))


def _correlation(a: Plane, b: Plane) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt(max(float(a @ a) * float(b @ b), 1e-9)))


def fitted(even: Plane, start: Fit, rounds: int = 6, bent: bool = False) -> Fit:
    """The placement near ``start`` at which the fixed parts fit best: Gauss-Newton over the four corners, and the bend.

    ``even`` is a :func:`levelled` picture. A placement off by up to about a module is drawn in.
    """
    plan, fit, best = template(start.version), start, start._replace(score=-1.0)
    shapes = [plan.shares, _bends(plan.points / side(start.version))][: 1 + bent]
    slopes = [np.asarray(slope, np.float32) for slope in np.gradient(even)[::-1]]
    limit = 0.7 * start.module
    for _ in range(rounds):
        points = fit.placed(plan.points)
        seen = looked_up(even, points)
        fit = fit._replace(score=_correlation(seen, plan.values))
        if fit.score > best.score:
            gained, best = fit.score - best.score, fit
            if gained < 1e-3:
                break
        pull = np.hstack([shape * looked_up(slope, points)[:, None] for slope in slopes for shape in shapes])
        wanted = plan.values * (seen @ plan.values / (plan.values @ plan.values)) - (seen - seen.mean())
        step = np.clip(_solved(pull, wanted).reshape(2, -1).T, -limit, limit)
        fit = fit._replace(corners=fit.corners + step[:4], bend=fit.bend + step[4:] if bent else fit.bend)
    return best


def _solved(pull: NDArray[np.float64], wanted: Plane) -> NDArray[np.float64]:
    square = pull.T @ pull
    damping = DAMPING * float(np.trace(square)) / len(square) + 1e-6  # a flat picture pulls nowhere
    return np.asarray(np.linalg.solve(square + damping * np.eye(len(square)), pull.T @ wanted), np.float64)


def unbent(even: Plane, start: Fit) -> Fit:
    """``start`` with the bend of a card that is not flat, where that explains its fixed parts better."""
    points, values = thinned(start.version)
    n, fit = side(start.version), start
    x, y = (start.corners[1] - start.corners[0]) / n, (start.corners[3] - start.corners[0]) / n
    moves = np.stack([a * x + b * y for a in ARCH for b in ARCH])
    for shape in (0, 1):
        tall = _bends(points / n)[:, shape]
        there = fit.placed(points) + tall[:, None] * moves[:, None]
        seen = looked_up(even, there.reshape(-1, 2)).reshape(len(moves), -1)
        chosen = np.zeros_like(fit.bend)
        chosen[shape] = moves[int(np.argmax(seen @ values))]
        fit = fit._replace(bend=fit.bend + chosen)
    bent = fitted(even, fit, bent=True)
    return bent if bent.score > start.score + BENT_GAIN else start


@cache
def middles(version: int) -> tuple[NDArray[np.float64], Plane]:
    """The middles of the fixed modules, and what they show."""
    plan = template(version)
    (middle,) = np.nonzero(np.isclose(plan.points % 1, 0.25).all(axis=1))
    return plan.points[middle] + 0.25, plan.values[middle]


def thinned(version: int) -> tuple[NDArray[np.float64], Plane]:
    """Every second one of them."""
    points, values = middles(version)
    return points[::2], values[::2]


@cache
def prepared() -> None:
    """What is known of each version is worked out (0.2 s, once), so that no frame has to wait for it."""
    for version in VERSIONS:
        middles(version)
        _far_points(version)


REACH = np.arange(-5.0, 5.5)
"""How many modules the corner without a finder may lie off its parallelogram, as a tilted card's does."""


@cache
def _far_points(version: int) -> Template:
    """The middles of the fixed modules that the fourth corner moves, thinned to one a module."""
    plan = template(version)
    middle = np.isclose(plan.points % 1, 0.25).all(axis=1) & (plan.shares[:, 2] > 0.12)
    return Template(plan.points[middle] + 0.25, plan.values[middle], plan.shares[middle])


def squared(even: Plane, start: Fit) -> Fit:
    """``start`` with its third corner, the one without a finder, where the fixed parts near it fit best."""
    plan, n = _far_points(start.version), side(start.version)
    corners = start.corners
    x, y = (corners[1] - corners[0]) / n, (corners[3] - corners[0]) / n
    moves = np.stack([a * x + b * y for a in REACH for b in REACH])
    points = projected(homography(corners, n), plan.points) + plan.shares[:, 2:3] * moves[:, None]
    seen = looked_up(even, points.reshape(-1, 2)).reshape(len(moves), -1)
    moved = corners.copy()
    moved[2] += moves[int(np.argmax(seen @ plan.values))]
    return start._replace(corners=moved)


def rectified(plane: Plane | Picture, fit: Fit, margin: int, fine: int) -> Picture:
    """The symbol seen straight: ``fine`` samples a module along each side, ``margin`` modules more on each side."""
    n = side(fit.version)
    along = (np.arange((n + 2 * margin) * fine) + 0.5) / fine - margin
    x, y = np.meshgrid(along, along)
    points = fit.placed(np.stack([x.ravel(), y.ravel()], axis=1))
    return np.rint(looked_up(plane, points)).astype(np.uint8).reshape(len(along), len(along))


def refitted(luma: Picture, start: Fit, patient: bool = False) -> Fit:
    """The placement of the same symbol in another picture, in which it may have moved by some modules.

    ``patient``: there is time to see whether the card is bent.
    """
    times = max(1, round(start.module / FIT_MODULE))
    margin = (ROAM + 2) * start.module
    low = np.maximum(start.corners.min(axis=0) - margin, 0).astype(int)
    high = np.ceil(start.corners.max(axis=0) + margin).astype(int)
    part = luma[low[1] : high[1], low[0] : high[0]]
    if min(part.shape) < 2 * times:
        return start._replace(score=-1.0)
    picture = np.asarray(Image.fromarray(np.ascontiguousarray(part)).reduce(times), np.uint8)
    even = levelled(Boxes(picture), round(LEVEL_MODULES * start.module / times))
    there = scored(even, start._replace(corners=(start.corners - low) / times, bend=start.bend / times))
    if there.score < NEAR_SCORE:
        there = _roamed(even, there)
    found = fitted(even, there, bent=bool(start.bend.any()))
    if patient and NEAR_SCORE < found.score < FLAT_SCORE:
        found = unbent(even, found)
    return found._replace(corners=found.corners * times + low, bend=found.bend * times)


def _roamed(even: Plane, start: Fit) -> Fit:
    """``start`` shifted to where its fixed parts fit best."""
    points, values = middles(start.version)
    steps = np.arange(-ROAM, ROAM + 0.5) * start.module
    moves = np.stack([a.ravel() for a in np.meshgrid(steps, steps)], axis=1)
    seen = looked_up(even, (start.placed(points) + moves[:, None]).reshape(-1, 2)).reshape(len(moves), -1)
    return start._replace(corners=start.corners + moves[int(np.argmax(seen @ values))])
