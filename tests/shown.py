"""Symbols drawn where a test says, and what a lens, a hand, a screen and a sensor make of the picture.

Nothing of the product is used here: what is drawn tells the truth about where a symbol lies and what it says.
Symbol coordinates are modules from the symbol's top left edge, picture coordinates pixels, corners clockwise from
the symbol's own top left. Planes are linear grey from 0 to 255 until ``exposed``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import segno
import zxingcpp
from numpy.typing import NDArray

from hardware import Picture

Floats = NDArray[np.float64]
PASS = "G1" + "A7B.Z0" * 20
"""As long as a card's credential: version 7 at level Q."""
FINE = 3
"""Samples of a pixel along each side."""
QUIET = 4
PAPER, INK, GROUND = 205.0, 40.0, 90.0


def modules(text: str = PASS, **make: Any) -> Floats:
    """(n, n): +1 where the symbol is dark, -1 where it is light."""
    code = segno.make(text, **{"error": "q", "boost_error": False, "micro": False, **make})
    return np.array([list(row) for row in code.matrix], np.float64) % 2 * 2 - 1


def version_of(symbol: Floats) -> int:
    return (len(symbol) - 17) // 4


def corners(
    symbol: Floats, module: float, middle: tuple[float, float], turn: float = 0.0, lean: tuple[float, float] = (0, 0)
) -> Floats:
    """Corners of a symbol held so: ``turn`` in radians; ``lean``: by how much one side is nearer than its opposite."""
    square = np.array([(-1.0, -1), (1, -1), (1, 1), (-1, 1)])
    near = 1 / (1 + square @ np.array(lean) / 2)
    c, s = np.cos(turn), np.sin(turn)
    turned = (square * near[:, None]) @ np.array([(c, s), (-s, c)])
    return turned * module * len(symbol) / 2 + middle


def _back(placed: Floats, side: float) -> Floats:
    """(3, 3): picture coordinates to the symbol's, by the eight linear equations of four points."""
    rows, values = [], []
    for (x, y), (u, v) in zip(placed, ((0, 0), (side, 0), (side, side), (0, side)), strict=True):
        rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows, float), np.array(values, float)), 1).reshape(3, 3)


def drawn(symbol: Floats, placed: Floats, plane: Floats, ink: float = INK, paper: float = PAPER) -> Floats:
    """``plane`` with the symbol and its quiet zone laid over it."""
    side = len(symbol)
    back = _back(placed, side)
    low = np.maximum(np.floor(placed.min(axis=0) - 40), 0).astype(int)
    high = np.minimum(np.ceil(placed.max(axis=0) + 40), plane.shape[::-1]).astype(int)
    x, y = ((np.arange((b - a) * FINE) + 0.5) / FINE + a for a, b in zip(low, high, strict=True))
    at = np.stack(np.broadcast_arrays(x[None, :], y[:, None], 1.0), axis=-1) @ back.T
    column, row = (np.floor(at[..., k] / at[..., 2]).astype(int) + QUIET for k in (0, 1))
    shown = np.pad(np.where(symbol > 0, ink, paper), QUIET, constant_values=paper)
    inside = (row >= 0) & (column >= 0) & (row < len(shown)) & (column < len(shown))
    painted = shown[np.where(inside, row, 0), np.where(inside, column, 0)]
    box = np.s_[low[1] : high[1], low[0] : high[0]]
    under = np.repeat(np.repeat(plane[box], FINE, axis=0), FINE, axis=1)
    mixed = np.where(inside, painted, under)
    result = plane.copy()
    result[box] = mixed.reshape(high[1] - low[1], FINE, high[0] - low[0], FINE).mean(axis=(1, 3))
    return result


def ground(width: int = 640, height: int = 480, grey: float = GROUND) -> Floats:
    """A lane without anything in it: a slope of light."""
    return grey * (0.8 + 0.4 * np.linspace(0, 1, width)[None, :] + 0.1 * np.linspace(0, 1, height)[:, None])


def _through(plane: Floats, passed: Floats | float) -> Floats:
    return np.fft.irfft2(np.fft.rfft2(plane) * passed, s=plane.shape)


def _waves(plane: Floats) -> tuple[Floats, Floats]:
    return np.fft.fftfreq(plane.shape[0])[:, None], np.fft.rfftfreq(plane.shape[1])[None, :]


def defocused(plane: Floats, sigma: float) -> Floats:
    """Blurred by a Gaussian of so many pixels."""
    fy, fx = _waves(plane)
    return _through(plane, np.exp(-2 * (np.pi * sigma) ** 2 * (fx**2 + fy**2)))


def moved(plane: Floats, across: float, down: float) -> Floats:
    """Smeared over so many pixels while the shutter was open."""
    fy, fx = _waves(plane)
    return _through(plane, np.sinc(fx * across + fy * down))


def within(symbol: Floats, placed: Floats, shape: tuple[int, ...]) -> Floats:
    """1 where the symbol and its quiet zone lie, 0 elsewhere."""
    return drawn(symbol, placed, np.zeros(shape), 1.0, 1.0)


def banded(plane: Floats, period: float, depth: float, phase: float = 0.0, lit: Floats | float = 1.0) -> Floats:
    """Rows darkened in turn by up to ``depth`` (0 to 1) where ``lit``: a dimmed screen under a rolling shutter."""
    rows = np.arange(len(plane)) / period + phase
    return plane * (1 - depth * lit * (np.sin(2 * np.pi * rows) > 0)[:, None])


def covered(plane: Floats, x: float, y: float, radius: float, grey: float = 120.0) -> Floats:
    """A thumb over all that is so near to a place."""
    row, column = np.ogrid[: plane.shape[0], : plane.shape[1]]
    return np.where(np.hypot(column + 0.5 - x, row + 0.5 - y) < radius, grey, plane)


def exposed(plane: Floats, noise: float = 2.0, seed: int = 0) -> Picture:
    """What the sensor makes of it, with noise of so many grey levels."""
    grain = np.random.default_rng(seed).normal(0, noise, plane.shape)
    return np.clip(np.rint(plane + grain), 0, 255).astype(np.uint8)


def zxing_texts(luma: Picture) -> list[str]:
    """What zxing-cpp reads by itself."""
    return [code.text for code in zxingcpp.read_barcodes(luma, formats=zxingcpp.BarcodeFormat.QRCode)]
