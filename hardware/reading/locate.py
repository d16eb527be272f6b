"""Where a symbol is, in a region in which no decoder found one.

The region is looked at level (:mod:`hardware.reading.texture`): there finder patterns are plain nested squares, whose
correlation costs a few sums over boxes and survives blur, noise and bands. Two are enough. Which version lies there,
and how it leans away, is told by the timing patterns, and all that is fixed in the version has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hardware import Picture
from hardware.reading.lattice import (
    LEVEL_MODULES,
    Boxes,
    Corners,
    Fit,
    Plane,
    fitted,
    levelled,
    looked_up,
    scored,
    squared,
    thinned,
)
from hardware.reading.symbol import FINDER, VERSIONS, side
from hardware.reading.texture import Region, upright

MODULES = (1.7, 2.2, 2.9, 3.8, 5.0)
"""Module sizes tried, in pixels of the upright picture."""
LEAST_VARIANCE = 4.0
"""Grey levels squared: flatter squares than this hold no finder."""
LEAST_FINDER = 0.40
MOST_FINDERS = 8
MOST_TRIED = 7
MOST_FITTED = 2
ROUNDS = 6
MOST_HIDDEN_TRIED, MOST_HIDDEN_FITTED, HIDDEN_ROUNDS = 10, 2, 12
"""Limits where a finder is hidden: more that could be meant, and further from the truth."""
SURE_SCORE, DOUBTED_SCORE = 0.75, 0.65
"""Above the one nothing better is looked for among three finders, above the other none is taken for hidden."""
WORTH_FITTING = 0.35
MOST_PAIRED = 6
HIDDEN_REACH = np.arange(-4.0, 4.5)
"""Modules by which a hidden finder may lie off the square of the other two."""
LEAST_SCORE = 0.45
"""A placement whose fixed parts correlate less is not taken for a symbol."""


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


def placement(luma: Picture, region: Region, aspect: float = 1.0) -> Fit | None:
    """The symbol most likely there, fitted to the picture; modules are taken to be ``aspect`` times wider than high."""
    view = upright(luma, region, aspect)
    boxes = Boxes(view.picture)
    found = finders(boxes)
    if len(found) < 2:
        return None
    even = levelled(boxes, round(LEVEL_MODULES * found[0].module))
    best = _of_whole(even, found)
    if best is None or best.score < DOUBTED_SCORE:
        best = max((fit for fit in (best, _of_hidden(even, found)) if fit), key=lambda fit: fit.score, default=None)
    return best._replace(corners=view.back(best.corners)) if best and best.score > LEAST_SCORE else None


def _of_whole(even: Plane, found: Sequence[Finder]) -> Fit | None:
    """The best placement on three finders, where there is any worth fitting."""
    starts = sorted(_threes(found), key=lambda start: -start.likely)[:MOST_TRIED]
    ranked = sorted((_tilted(even, start, (0, 1, 0)) for start in starts), key=lambda fit: -fit.score)
    return _best_fitted(even, [fit for fit in ranked[:MOST_FITTED] if fit.score > WORTH_FITTING], ROUNDS)


def _of_hidden(even: Plane, found: Sequence[Finder]) -> Fit | None:
    """The best placement on two finders, the third under a thumb, a glare or a stain."""
    starts = sorted(_twos(found), key=lambda start: -start.likely)[:MOST_HIDDEN_TRIED]
    ranked = sorted(starts, key=lambda start: -_tilted(even, start, start.seen).score)
    completed = [_completed(even, start) for start in ranked[:MOST_HIDDEN_FITTED]]
    return _best_fitted(even, [fit for fit in completed if fit.score > WORTH_FITTING], HIDDEN_ROUNDS)


def _best_fitted(even: Plane, ranked: Sequence[Fit], rounds: int) -> Fit | None:
    best = None
    for start in ranked:
        fit = fitted(even, squared(even, start), rounds)
        best = fit if best is None or fit.score > best.score else best
        if best.score > SURE_SCORE:
            break
    return best


class Start(NamedTuple):
    """Finders taken for one symbol's: their middles (3, 2), corner first, then its right, then below it.

    ``hidden`` is the one that was not seen but guessed, 3 for none; ``seen`` the axes along which two were seen.
    """

    middles: NDArray[np.float64]
    version: int
    likely: float
    hidden: int = 3
    seen: tuple[int, ...] = (0, 1)


def _threes(found: Sequence[Finder]) -> Iterator[Start]:
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
    for version, likely in _versions((across + deep) / 2, (a, b, c)):
        yield Start(middles, version, likely)


def _versions(spacing: float, seen: Sequence[Finder]) -> Iterator[tuple[int, float]]:
    """What version has its finders so far apart (px), and how likely that is by these finders."""
    modules = [finder.module for finder in seen]
    uneven = max(modules) / min(modules)
    if uneven > 2.2:
        return
    counted = spacing / float(np.exp(np.mean(np.log(modules)))) + FINDER
    middle = round((counted - 17) / 4)
    reach = 2 + middle // 8
    strength = sum(finder.score for finder in seen) - 0.3 * float(np.log(uneven))
    for version in range(max(VERSIONS[0], middle - reach), min(VERSIONS[-1], middle + reach) + 1):
        yield version, strength - 0.1 * abs(side(version) - counted) / 4


def _twos(found: Sequence[Finder]) -> Iterator[Start]:
    for one, other in combinations(found[:MOST_PAIRED], 2):
        p, q = np.array([one.x, one.y]), np.array([other.x, other.y])
        apart = q - p
        turn = np.array([-apart[1], apart[0]])
        spacing, level = float(np.hypot(*apart)), float(np.abs(apart).max() / max(np.abs(apart).min(), 1e-6))
        if level > 2:
            squares = [(p, q, p + turn, 2), (q, p, q - turn, 2), (p, p - turn, q, 1), (q, q + turn, p, 1)]
        else:
            middle, spacing = (p + q) / 2, spacing / np.sqrt(2)
            squares = [(middle + turn / 2, p, q, 0), (middle - turn / 2, q, p, 0)]
        for version, likely in _versions(spacing, (one, other)):
            for a, b, c, hidden in squares:
                yield Start(np.stack([a, b, c]), version, likely, hidden, ((), (1,), (0,))[hidden])


def _completed(even: Plane, start: Start) -> Fit:
    """The start with its hidden finder where the fixed parts fit best."""
    points, values = thinned(start.version)
    u, v = ((points - FINDER / 2) / (side(start.version) - FINDER)).T
    share = (1 - u - v, u, v)[start.hidden]
    module = float(np.hypot(*(start.middles[1] - start.middles[0]))) / (side(start.version) - FINDER)
    steps = HIDDEN_REACH * module
    moves = np.stack([a.ravel() for a in np.meshgrid(steps, steps)], axis=1)
    there = _leaned(start, np.zeros((1, 2)), points) + share[None, :, None] * moves[:, None]
    seen = looked_up(even, there.reshape(-1, 2)).reshape(len(moves), -1)
    middles = start.middles.copy()
    middles[start.hidden] += moves[int(np.argmax(seen @ values))]
    return _placed(even, start._replace(middles=middles), (0.0, 0.0))


TILTS = np.linspace(-0.48, 0.48, 17)


def _tilted(even: Plane, start: Start, axes: Sequence[int]) -> Fit:
    """The placement whose timing patterns along these axes fit best: they show how much each side leans away."""
    tilt = [0.0, 0.0]
    for axis in axes:
        tries = np.array([(t, tilt[1]) if axis == 0 else (tilt[0], t) for t in TILTS])
        tilt[axis] = float(TILTS[int(np.argmax(_timing(even, start, tries, axis)))])
    return max((_placed(even, start, lean) for lean in (tilt, [0.0, 0.0])), key=lambda fit: fit.score)


def _placed(even: Plane, start: Start, tilt: Sequence[float]) -> Fit:
    corners = _corners(start, tilt)
    return scored(even, Fit(corners, start.version, 0.0))


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
