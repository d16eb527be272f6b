"""Where a symbol is, in a picture in which no decoder found one.

Module edges say more than finder patterns do: there are thousands of them, all in two directions. So the densest
texture is found first, then its direction, and only then finder patterns, in the picture turned upright: there
they are plain nested squares, whose correlation costs a few sums over boxes and survives blur, noise and bands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hardware import Picture
from hardware.lattice import LEVEL_MODULES, Boxes, Corners, Fit, Plane, fitted, levelled, looked_up, scored, squared
from hardware.symbol import FINDER, VERSIONS, side

CELL = 8
"""Half-size pixels along a cell of the texture map."""
SMALLEST_SIDE = 4 * CELL
LEAST_TEXTURE = 1.5
REGIONS = 2
MODULES = (2.0, 2.6, 3.4, 4.4, 5.7)
"""Module sizes tried, in pixels of the upright picture."""
LEAST_VARIANCE = 4.0
"""Grey levels squared: flatter squares than this hold no finder."""
LARGEST_SIDE = 330
LEAST_SCALE = 0.5
"""Small symbols are looked at enlarged: boxes have whole pixels."""
LEAST_FINDER = 0.40
MOST_FINDERS = 10
MOST_TRIED = 8
MOST_FITTED = 3
SURE_SCORE = 0.75
LEAST_SCORE = 0.45
"""A placement whose fixed parts correlate less is not taken for a symbol."""


class Region(NamedTuple):
    """A dense patch of texture: bounds in pixels of the half-size picture, and its direction within 45 degrees."""

    left: int
    top: int
    right: int
    bottom: int
    angle: float


def regions(small: Plane) -> list[Region]:
    """The densest patches of the half-size picture, densest first; none where it is too small for any."""
    if min(small.shape) < SMALLEST_SIDE:
        return []
    across = np.abs(small[:-1, 1:] - small[:-1, :-1])
    downhill = np.abs(small[1:, :-1] - small[:-1, :-1])
    a, d = _cells(across), _cells(downhill)
    texture = _smoothed(np.minimum(a, d) + np.float32(0.25) * np.maximum(a, d))
    texture -= np.median(texture)
    found = []
    for _ in range(REGIONS):
        row, column = np.unravel_index(int(np.argmax(texture)), texture.shape)
        if texture[row, column] < LEAST_TEXTURE:
            break
        patch = _grown(texture > 0.5 * texture[row, column], int(row), int(column))
        rows, columns = np.nonzero(patch)
        texture[patch] = 0
        texture[max(0, rows.min() - 1) : rows.max() + 2, max(0, columns.min() - 1) : columns.max() + 2] = 0
        box = _around(rows, columns, small.shape)
        found.append(Region(*box, _direction(small[box[1] : box[3], box[0] : box[2]])))
    return found


def _cells(plane: Plane) -> Plane:
    height, width = plane.shape[0] // CELL * CELL, plane.shape[1] // CELL * CELL
    folded = plane[:height, :width].reshape(height // CELL, CELL, width // CELL, CELL)
    means: Plane = folded.mean(axis=(1, 3), dtype=np.float32)
    return means


def _smoothed(plane: Plane) -> Plane:
    """Means over 3 by 3, edges repeated."""
    wide = np.pad(plane, 1, mode="edge")
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    smooth: Plane = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) * np.float32(1 / 9)
    return smooth


def _grown(mask: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    """The part of the mask connected with that cell."""
    patch = np.zeros_like(mask)
    patch[row, column] = True
    while True:
        wider = patch.copy()
        wider[1:] |= patch[:-1]
        wider[:-1] |= patch[1:]
        wider[:, 1:] |= wider[:, :-1]
        wider[:, :-1] |= wider[:, 1:]
        wider &= mask
        if (wider == patch).all():
            return patch
        patch = wider


def _around(rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    margin = 2
    return (
        max(0, (int(columns.min()) - margin) * CELL),
        max(0, (int(rows.min()) - margin) * CELL),
        min(shape[1], (int(columns.max()) + 1 + margin) * CELL),
        min(shape[0], (int(rows.max()) + 1 + margin) * CELL),
    )


def _direction(plane: Plane) -> float:
    """The angle, within 45 degrees of level, most edges are square to: the mean of the gradients' fourth powers."""
    downhill, across = np.gradient(_smoothed(plane))
    gradient = np.asarray(across + 1j * downhill, np.complex64)
    strength = np.abs(gradient)
    strong = strength > np.percentile(strength, 60)
    fourth = (gradient[strong] ** 4 / strength[strong] ** 2.5).sum()
    return float(np.angle(fourth) / 4)


class Finder(NamedTuple):
    """What looks like a finder pattern: its middle, the pixels of a module, and how much it looks like one (0 to 1)."""

    x: float
    y: float
    module: float
    score: float


def finders(boxes: Boxes) -> list[Finder]:
    """Upright dark-on-light finder patterns, best first.

    The picture's correlation with the finder's squares of 3, 5, 7 and 9 modules, by sums over boxes.
    """
    found: list[Finder] = []
    for module in MODULES:
        found += _peaks(_finder_map(boxes, module), module)
    kept: list[Finder] = []
    for one in sorted(found, key=lambda finder: -finder.score):
        if all(max(abs(one.x - k.x), abs(one.y - k.y)) > 3.5 * max(k.module, one.module) for k in kept):
            kept.append(one)
    return kept[:MOST_FINDERS]


def _finder_map(boxes: Boxes, module: float) -> Plane:
    widths = [max(round((k * module - 1) / 2) * 2 + 1, 1) for k in (3, 5, 7, 9)]
    areas = np.diff([0, *(w * w for w in widths)]).astype(np.float64)
    signs = np.array([-1.0, 1.0, -1.0, 0.6])
    signs = signs - (signs @ areas) / areas.sum()
    steps = (signs - np.append(signs[1:], 0)) / np.sqrt((signs**2) @ areas)
    response = boxes.sums(widths[3]) * np.float32(steps[3])
    for width, step in zip(widths[:3], steps[:3], strict=True):
        response += boxes.sums(width) * np.float32(step)
    energy = np.maximum(boxes.variance(widths[3]), LEAST_VARIANCE) * np.float32(widths[3] ** 2)
    response /= np.sqrt(energy, out=energy)
    return response


def _peaks(shown: Plane, module: float) -> list[Finder]:
    inner = shown[1:-1, 1:-1]
    high = inner > LEAST_FINDER
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
        high &= inner >= shown[rows : rows + inner.shape[0], columns : columns + inner.shape[1]]
    y, x = np.nonzero(high)
    order = np.argsort(inner[y, x])[::-1][: MOST_FINDERS * 2]
    return [_peak(shown, int(x[i]) + 1, int(y[i]) + 1, module) for i in order]


def _peak(shown: Plane, x: int, y: int, module: float) -> Finder:
    """The peak between the pixels, by a parabola along each axis."""
    offsets = []
    for before, at, after in (shown[y, x - 1 : x + 2].tolist(), shown[y - 1 : y + 2, x].tolist()):
        bend = before - 2 * at + after
        offsets.append(0.5 * (before - after) / bend if bend < -1e-6 else 0.0)
    return Finder(x + 0.5 + offsets[0], y + 0.5 + offsets[1], module, float(shown[y, x]))


class Upright(NamedTuple):
    """A region turned so that its edges are level, and how to get from its pixels to the whole picture's."""

    picture: Picture
    turn: NDArray[np.float64]
    origin: NDArray[np.float64]

    def back(self, points: Corners) -> Corners:
        there: Corners = points @ self.turn + self.origin
        return there


def upright(luma: Picture, region: Region) -> Upright:
    """The region of the full-size picture, level, LARGEST_SIDE along its longer side unless it is very small."""
    size = 2.0 * np.array([region.right - region.left, region.bottom - region.top])
    middle = np.array([region.left + region.right, region.top + region.bottom], float)
    c, s = np.cos(region.angle), np.sin(region.angle)
    reach = np.array([size[0] * abs(c) + size[1] * abs(s), size[0] * abs(s) + size[1] * abs(c)])
    scale = max(LEAST_SCALE, float(reach.max()) / LARGEST_SIDE)
    width, height = (max(int(side), 1) for side in reach / scale)
    turn = scale * np.array([[c, s], [-s, c]])
    origin = middle - np.array([width, height]) / 2 @ turn
    part = luma[2 * region.top : 2 * region.bottom, 2 * region.left : 2 * region.right]
    times = max(1, int(scale))
    image = Image.fromarray(np.ascontiguousarray(part))
    image = image.reduce(times) if times > 1 else image
    corner = (origin - 2.0 * np.array([region.left, region.top])) / times
    across, down = turn / times
    affine = (across[0], down[0], corner[0], across[1], down[1], corner[1])
    turned = image.transform((width, height), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    return Upright(np.asarray(turned, np.uint8), turn, origin)


def placement(luma: Picture, region: Region) -> Fit | None:
    """The symbol most likely there, fitted to the picture."""
    view = upright(luma, region)
    boxes = Boxes(view.picture)
    starts = sorted(_starts(finders(boxes)), key=lambda start: -start.likely)[:MOST_TRIED]
    if not starts:
        return None
    even = levelled(boxes, round(LEVEL_MODULES * starts[0].module))
    ranked = sorted((_tilted(even, start) for start in starts), key=lambda fit: -fit.score)
    best = ranked[0]._replace(score=-1.0)
    for start in ranked[:MOST_FITTED]:
        best = max(best, fitted(even, squared(even, start)), key=lambda fit: fit.score)
        if best.score > SURE_SCORE:
            break
    return best._replace(corners=view.back(best.corners)) if best.score > LEAST_SCORE else None


class Start(NamedTuple):
    """Three finders taken for one symbol's: their middles (3, 2), corner first, then its right, then below it."""

    middles: NDArray[np.float64]
    version: int
    module: float
    likely: float


def _starts(found: Sequence[Finder]) -> Iterator[Start]:
    for three in combinations(found, 3):
        for corner in range(3):
            a, (b, c) = three[corner], (three[:corner] + three[corner + 1 :])
            if (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) < 0:
                b, c = c, b
            yield from _of_three(a, b, c)


def _of_three(a: Finder, b: Finder, c: Finder) -> Iterator[Start]:
    """Placements with ``a`` at the corner, ``b`` to its right, ``c`` below, as the symbol itself sees it."""
    middles = np.array([(a.x, a.y), (b.x, b.y), (c.x, c.y)])
    along, down = middles[1] - middles[0], middles[2] - middles[0]
    across, deep = float(np.hypot(*along)), float(np.hypot(*down))
    if not 0.5 < across / max(deep, 1e-6) < 2 or abs(along @ down) > 0.55 * across * deep:
        return
    modules = [a.module, b.module, c.module]
    if max(modules) > 2.2 * min(modules):
        return
    module = float(np.exp(np.mean(np.log(modules))))
    counted = (across + deep) / 2 / module + FINDER
    middle = round((counted - 17) / 4)
    strength = a.score + b.score + c.score - 0.3 * float(np.log(max(modules) / min(modules)))
    reach = 2 + middle // 8
    for version in range(max(VERSIONS[0], middle - reach), min(VERSIONS[-1], middle + reach) + 1):
        yield Start(middles, version, module, strength - 0.1 * abs(side(version) - counted) / 4)


TILTS = np.linspace(-0.5, 0.5, 21)


def _tilted(even: Plane, start: Start) -> Fit:
    """The placement whose timing patterns fit best: they tell how much each side leans away."""
    tilt = [0.0, 0.0]
    for axis in (0, 1, 0):
        tries = np.array([(t, tilt[1]) if axis == 0 else (tilt[0], t) for t in TILTS])
        tilt[axis] = float(TILTS[int(np.argmax(_timing(even, start, tries, axis)))])
    return max((_placed(even, start, lean) for lean in (tilt, [0.0, 0.0])), key=lambda fit: fit.score)


def _placed(even: Plane, start: Start, tilt: Sequence[float]) -> Fit:
    corners = _corners(start, tilt)
    return Fit(corners, start.version, scored(even, corners, start.version))


def _timing(even: Plane, start: Start, tilts: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """How well the timing pattern along an axis (0: the row, 1: the column) fits for each tilt of ``(k, 2)``."""
    n = side(start.version)
    along = np.arange(7, n - 7) + 0.5
    beside = np.full(len(along), 6.5)
    points = np.stack([along, beside] if axis == 0 else [beside, along], axis=1)
    seen = looked_up(even, _leaned(start, tilts, points).reshape(-1, 2)).reshape(len(tilts), -1)
    truth = 1 - 2 * (np.arange(7, n - 7) % 2)
    fit: NDArray[np.float64] = seen @ truth / np.sqrt((seen**2).sum(axis=1) * len(truth) + 1e-6)
    return fit


def _leaned(start: Start, tilts: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Symbol points ``(p, 2)`` in the picture for each tilt ``(k, 2)``: ``(k, p, 2)``. The finders stay in place."""
    a, b, c = start.middles
    u, v = ((points - FINDER / 2) / (side(start.version) - FINDER)).T
    g, h = tilts[:, :1], tilts[:, 1:]
    weights = np.stack([1 - u - v + 0 * g, u * (1 + g), v * (1 + h)], axis=2)
    placed: NDArray[np.float64] = weights @ np.stack([a, b, c]) / np.maximum(weights.sum(axis=2, keepdims=True), 0.2)
    return placed


def _corners(start: Start, tilt: Sequence[float]) -> Corners:
    n = float(side(start.version))
    square = np.array([(0, 0), (n, 0), (n, n), (0, n)])
    corners: Corners = _leaned(start, np.array([tilt]), square)[0]
    return corners
