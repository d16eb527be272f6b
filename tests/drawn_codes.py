"""Measuring a drawn code, and holding it before the gates' reader: what the tests of print and screens have in common.

The figures follow ISO/IEC 15415 (symbol contrast) and ISO/IEC 18004 (quiet zone); what is asked of them is ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import zxingcpp
from PIL import Image

from hardware import Picture, optics
from hardware.decoder import QrDecoder

MOST_QUIET = 6
QR = getattr(zxingcpp.BarcodeFormat, "QRCodeModel2", zxingcpp.BarcodeFormat.QRCode)


class Drawn(NamedTuple):
    """One code as a picture shows it. Pixels are the picture's."""

    text: str
    level: str
    version: int
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of the code without its quiet zone."""
    module: float
    """Side of a module in pixels."""
    uneven: float
    """How far the edge of a module is from where equal modules would have it, at most, in modules."""
    quiet: float
    """Modules of white on the worst side; more than ``MOST_QUIET`` are not counted."""
    contrast: float
    """Symbol contrast in percent: the brightest less the darkest of the code, of what white would be."""
    soft: float
    """Share of the code's pixels that are neither black nor white, in percent: rounding, scaling, grey."""


def measure(picture: Picture) -> Drawn:
    """The only code in a picture that is straight and sharp. Raises AssertionError where it is not so."""
    [found] = zxingcpp.read_barcodes(np.ascontiguousarray(picture), formats=QR)
    box = _box(picture, found.position)
    left, top, right, bottom = box
    inside = picture[top:bottom, left:right]
    darkest, brightest = int(inside.min()), int(inside.max())
    finder = _finder(inside, (darkest + brightest) / 2)
    version = round((7 * (right - left) / finder - 17) / 4)
    module = (right - left) / (17 + 4 * version)
    assert abs(finder / 7 - module) < 0.1 * module, f"no finder pattern: {finder} pixels, {box}"
    assert abs((bottom - top) - (right - left)) <= 2, f"no square: {box}"
    return Drawn(
        found.text, str(found.ec_level), version, box, module, _uneven(inside, module),
        _quiet(picture, box, module), 100 * (brightness(brightest) - brightness(darkest)), _soft(inside),
    )  # fmt: skip


def brightness(value: float) -> float:
    """Light of a pixel value, 0..1: what a screen gives and a camera sees (sRGB, about)."""
    return float((value / 255) ** 2.2)


def _box(picture: Picture, position: object) -> tuple[int, int, int, int]:
    """The black rectangle round the corners that were found."""
    corners = [getattr(position, name) for name in ("top_left", "top_right", "bottom_right", "bottom_left")]
    xs, ys = [c.x for c in corners], [c.y for c in corners]
    spare = max(2, (max(xs) - min(xs)) // 60)
    left, top = max(0, min(xs) - spare), max(0, min(ys) - spare)
    area = picture[top : max(ys) + spare + 1, left : max(xs) + spare + 1]
    dark = area < (int(area.min()) + int(area.max())) / 2
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _finder(inside: Picture, middle: float) -> int:
    """The first run of black just below the top edge: seven modules of the finder pattern."""
    row = inside[max(1, len(inside) // 150)] < middle
    start = int(np.argmax(row))
    return int(np.argmin(row[start:]))


def _uneven(inside: Picture, module: float) -> float:
    """Every change between black and white, in both directions, against the grid of equal modules."""
    dark = inside < (int(inside.min()) + int(inside.max())) / 2
    edges = np.concatenate([np.nonzero(np.diff(plane.astype(np.int8), axis=1))[1] + 1 for plane in (dark, dark.T)])
    return float(np.abs(edges - np.round(edges / module) * module).max() / module)


def _quiet(picture: Picture, box: tuple[int, int, int, int], module: float) -> float:
    left, top, right, bottom = box
    inside = picture[top:bottom, left:right]
    white = int(inside.min()) + 0.8 * (int(inside.max()) - int(inside.min()))
    for step in range(1, round(MOST_QUIET * module) + 1):
        if min(left - step, top - step) < 0 or right + step > picture.shape[1] or bottom + step > picture.shape[0]:
            return (step - 1) / module
        ring = picture[top - step : bottom + step, left - step : right + step]
        if min(ring[0].min(), ring[-1].min(), ring[:, 0].min(), ring[:, -1].min()) < white:
            return (step - 1) / module
    return float(MOST_QUIET)


def _soft(inside: Picture) -> float:
    darkest, brightest = int(inside.min()), int(inside.max())
    reserve = 0.1 * (brightest - darkest)
    return float(100 * np.mean((inside > darkest + reserve) & (inside < brightest - reserve)))


def faults(drawn: Drawn, pixels_per_mm: float, smallest_mm: float) -> list[str]:
    """What is wrong with a drawn code, in words; empty where it is as we want it."""
    wrong = []
    if drawn.level != "Q":
        wrong.append(f"error level {drawn.level}")
    if drawn.module / pixels_per_mm < smallest_mm - 0.005:
        wrong.append(f"modules of {drawn.module / pixels_per_mm:.2f} mm")
    if drawn.quiet < 4 - 1 / drawn.module:
        wrong.append(f"quiet zone of {drawn.quiet:.1f} modules")
    if drawn.contrast < 99:
        wrong.append(f"contrast of {drawn.contrast:.0f} %")
    if drawn.uneven > 0.12:
        wrong.append(f"modules uneven by {100 * drawn.uneven:.0f} %")
    if drawn.soft > 1:
        wrong.append(f"{drawn.soft:.0f} % neither black nor white")
    return wrong


def held(picture: Picture, pixels_per_mm: float, distance_cm: float) -> float:
    """How long the longer side of a picture is in a camera's frame at that distance."""
    return max(picture.shape) / pixels_per_mm * optics.pixels_per_mm(distance_cm)


def watched(picture: Picture, side: float, seed: int, difficulty: float, frames: int = 8) -> int | None:
    """In which frame of a presentation the reader has a code, from 1; None: in none."""
    watch = QrDecoder().watch()
    for number, frame in enumerate(optics.burst(picture, seed, frames, difficulty=difficulty, side=side), start=1):
        if watch.look(frame, number / 30).found:
            return number
    return None


def photographed(picture: Picture, side: float, seed: int, difficulty: float) -> list[str]:
    """The texts of one photo."""
    return [
        found.text for found in QrDecoder().decode(optics.photograph(picture, seed, difficulty=difficulty, side=side))
    ]


def dimmed(picture: Picture, share: float, reflected: int = 8) -> Picture:
    """A screen turned down to a share of its light, with what the glass reflects on top; as a camera shows it."""
    return (reflected + (255 - reflected) * share * (picture / 255)).astype(np.uint8)


def loaded(path: object) -> Picture:
    return np.asarray(Image.open(path).convert("L"))  # type: ignore[arg-type]
