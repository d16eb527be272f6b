"""Where a picture is as dense as a code, which way its edges lie, and that place seen level and without bands.

Module edges say more than finder patterns do: there are thousands of them, all in two directions, and they
survive what hides a finder.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hardware import Picture
from hardware.reading.lattice import Corners, Plane

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the full-size picture; right and bottom are outside."""
CELL = 8
"""Half-size pixels along a cell of the texture map."""
SMALLEST_SIDE = 4 * CELL
STEEP = 60
"""Grey levels between neighbours: many edges make a code, not strong ones."""
LEAST_TEXTURE = 1.5
REGIONS = 2
MOST_GROWTH = 30
"""Cells a region reaches from its densest one: 480 pixels, more than a symbol has in a frame."""
WEDGES = np.radians((38.0, 28.0, 20.0))
"""How far from a side's direction gradients are still taken for its, narrower each time."""
LARGEST_SIDE = 264
"""Pixels of a region seen level: 4 to 6 a module for a symbol of 45 modules."""
LEAST_SCALE = 0.6
"""Small symbols are looked at enlarged: boxes have whole pixels."""
BANDED = 3.0
"""A code's rows differ from each other as much as its columns; beyond this factor they are bands."""
BAND_SPAN = 31
DARKEST_BAND = 3.0


class Region(NamedTuple):
    """A dense patch of texture: bounds in pixels of the half-size picture, and its directions (:func:`_directions`)."""

    left: int
    top: int
    right: int
    bottom: int
    angle: float
    lean: float
    narrow: bool

    @property
    def box(self) -> Box:
        return 2 * self.left, 2 * self.top, 2 * self.right, 2 * self.bottom


def regions(small: Picture) -> list[Region]:
    """The densest patches of the half-size picture, densest first; none where it is too small for any."""
    if min(small.shape) < SMALLEST_SIDE:
        return []
    upper, lower = (small[row : small.shape[0] // 2 * 2 : 2].astype(np.int16) for row in (0, 1))  # every second row
    a = _cells(np.minimum(np.abs(upper[:, 1:] - upper[:, :-1]), STEEP))
    d = _cells(np.minimum(np.abs(lower - upper)[:, :-1], STEEP))
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
        found.append(Region(*box, *_directions(small[box[1] : box[3], box[0] : box[2]].astype(np.float32))))
    return found


def _cells(plane: NDArray[np.int16]) -> Plane:
    """Means over cells of a plane that has every second row."""
    tall, wide = CELL // 2, CELL
    height, width = plane.shape[0] // tall * tall, plane.shape[1] // wide * wide
    rows = plane[:height, :width].reshape(height // tall, tall, width).sum(axis=1, dtype=np.int16)
    means: Plane = rows.reshape(height // tall, width // wide, wide).sum(axis=2) * np.float32(1 / (tall * wide))
    return means


def _smoothed(plane: Plane) -> Plane:
    """Means over 3 by 3, edges repeated."""
    wide = np.pad(plane, 1, mode="edge")
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    smooth: Plane = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) * np.float32(1 / 9)
    return smooth


def _grown(mask: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    """The part of the mask connected with that cell, as far as a symbol may reach."""
    patch = np.zeros_like(mask)
    patch[row, column] = True
    for _ in range(MOST_GROWTH):
        wider = patch.copy()
        wider[1:] |= patch[:-1]
        wider[:-1] |= patch[1:]
        wider[:, 1:] |= wider[:, :-1]
        wider[:, :-1] |= wider[:, 1:]
        wider &= mask
        if (wider == patch).all():
            break
        patch = wider
    return patch


def _around(rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    margin = 2
    return (
        max(0, (int(columns.min()) - margin) * CELL),
        max(0, (int(rows.min()) - margin) * CELL),
        min(shape[1], (int(columns.max()) + 1 + margin) * CELL),
        min(shape[0], (int(rows.max()) + 1 + margin) * CELL),
    )


def _directions(plane: Plane) -> tuple[float, float, bool]:
    """Which way a symbol's rows run, within 45 degrees of level, by how much its columns lean, and whether
    its modules look narrower than they are high.

    The mean of the gradients' fourth powers gives the direction of a square; a tilted one is a rhombus, whose two
    sides are then found each among the gradients near to it.
    """
    downhill, across = np.gradient(_smoothed(plane))
    gradient = np.asarray(across + 1j * downhill, np.complex64)
    strength = np.abs(gradient)
    strong = strength > np.percentile(strength, 60)
    unit, weight = gradient[strong] / strength[strong], strength[strong] ** 1.5
    square = float(np.angle((unit**4 * weight).sum())) / 4
    across_columns = _narrowed(unit, weight, square)
    across_rows = _narrowed(unit, weight, square + np.pi / 2)
    # Edges are square to their gradients: rows run square to what crosses them.
    rows, columns = across_rows - np.pi / 2, across_columns + np.pi / 2
    # The narrower modules are, the more edges there are along a row; lens and pixels leave too few to say by how much.
    along, down = (float(np.abs((gradient * np.exp(-1j * way)).real).mean()) for way in (rows, columns))
    return rows, columns - rows - np.pi / 2, along > down


def _narrowed(unit: NDArray[np.complex64], weight: Plane, angle: float) -> float:
    """The mean direction, modulo 180 degrees, of the gradients near ``angle``."""
    for reach in WEDGES:
        turned = (unit * np.complex64(np.exp(-1j * angle))) ** 2
        near = turned.real > np.cos(2 * reach)
        angle += float(np.angle((turned[near] * weight[near]).sum())) / 2
    return angle


def unbanded(luma: Picture, region: Region) -> Picture | None:
    """The picture with the bands taken out of the region; None where it has none.

    A rolling shutter turns a screen's or lamp's flicker into bands along the sensor's rows, each row darker or
    lighter by one factor, which the row's mean shows. A camera mounted on its side has them upright.
    """
    left, top, right, bottom = region.box
    box = np.s_[top:bottom, left:right]
    part = luma[box].astype(np.float32)
    means = part.mean(axis=1), part.mean(axis=0)
    rough = [float(np.diff(mean).std()) + 0.1 for mean in means]
    axis = int(rough[1] > rough[0])
    if rough[axis] < BANDED * rough[1 - axis]:
        return None
    mean = means[axis]
    smooth = np.convolve(np.pad(mean, BAND_SPAN // 2, mode="edge"), np.full(BAND_SPAN, 1 / BAND_SPAN), "valid")
    gain = (smooth[: len(mean)] / np.maximum(mean, DARKEST_BAND)).astype(np.float32)
    even = luma.copy()
    even[box] = np.clip(part * (gain[:, None] if axis == 0 else gain), 0, 255).astype(np.uint8)
    return even


class Upright(NamedTuple):
    """A region turned so that its edges are level, and how to get from its pixels to the whole picture's."""

    picture: Picture
    turn: NDArray[np.float64]
    origin: NDArray[np.float64]

    def back(self, points: Corners) -> Corners:
        there: Corners = points @ self.turn + self.origin
        return there


def upright(luma: Picture, region: Region, aspect: float = 1.0) -> Upright:
    """The region of the full-size picture, level, LARGEST_SIDE along its longer side unless it is very small.

    ``aspect``: how much wider than high modules are, which is then evened out.
    """
    left, top, right, bottom = region.box
    middle = np.array([left + right, top + bottom]) / 2
    rows, columns = region.angle, region.angle + np.pi / 2 + region.lean
    turn = np.array([[np.cos(rows), np.sin(rows)], [np.cos(columns), np.sin(columns)]])
    turn *= np.sqrt([[aspect], [1 / aspect]])
    ends = (np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) - middle) @ np.linalg.inv(turn)
    reach = np.ptp(ends, axis=0)
    scale = max(LEAST_SCALE, float(reach.max()) / LARGEST_SIDE)
    width, height = (max(int(side), 1) for side in reach / scale)
    turn *= scale
    origin = middle - np.array([width, height]) / 2 @ turn
    part = luma[top:bottom, left:right]
    times = max(1, int(scale))
    image = Image.fromarray(np.ascontiguousarray(part))
    image = image.reduce(times) if times > 1 else image
    corner = (origin - (left, top)) / times
    across, down = turn / times
    affine = (across[0], down[0], corner[0], across[1], down[1], corner[1])
    turned = image.transform((width, height), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    return Upright(np.asarray(turned, np.uint8), turn, origin)
