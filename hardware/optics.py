"""What a cheap camera makes of a card in a hand: the simulated optics.

Deterministic per seed, numpy and Pillow only. Nothing here knows what a code is: any grey
picture can be held up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from hardware import Picture

Floats = NDArray[np.float32]
FRAME = (1280, 720)
"""Width and height of a photograph unless the caller wants another."""
LENS_MM, PIXEL_MM, PIXELS_ACROSS = 4.74, 0.0014, 4608
"""Camera Module 3, standard lens: focal length, pixel pitch and width of the sensor; a frame shows all of it."""


def pixels_per_mm(distance_cm: float, width: int = FRAME[0]) -> float:
    """How large a millimetre is, so far away, in a frame of that width: 3.8 pixels at 25 cm."""
    return LENS_MM / PIXEL_MM * width / PIXELS_ACROSS / (distance_cm * 10)


def scene(size: tuple[int, int], seed: int) -> Picture:
    """An empty lane at dusk, ``(height, width)`` for ``size`` = (width, height): dark, uneven, without noise."""
    width, height = size
    rng = np.random.default_rng(seed)
    coarse = rng.integers(25, 85, (6, 9), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.uint8)


def card(picture: Picture, margin: float = 0.08) -> Picture:
    """``picture`` on a white card with a margin of that share of its longer side (a code needs its quiet zone)."""
    return np.pad(picture, max(4, int(margin * max(picture.shape))), constant_values=245)


def photograph(
    picture: Picture,
    seed: int,
    *,
    difficulty: float = 0.7,
    size: tuple[int, int] = FRAME,
    progress: float = 0.0,
    side: float | None = None,
) -> Picture:
    """``picture`` as a card held before a camera with a frame of ``size``: uint8, ``(height, width)``.

    ``difficulty`` 0 is a clean, straight shot; 0.7 is visibly bad (tilt, blur, glare, shadow,
    noise) but readable within some frames of a burst; at 1 about half the frames are unreadable. The same
    arguments give the same pixels. ``progress`` 0..1 moves the hand along within one presentation.

    Without ``side`` the code fills the frame as a guided hand would hold it, on a card with a margin; with it the
    picture is all that is held up, its longer side ``side`` pixels long (see :func:`pixels_per_mm`).
    """
    rng = np.random.default_rng(seed)
    hand = _corners(picture, rng, difficulty, size, progress, side)
    flash = np.random.default_rng([seed, int(progress * 10_000)])  # what differs from frame to frame
    frame = _held(card(picture) if side is None else picture, scene(size, seed), hand)
    frame = _lit(frame, rng, difficulty)
    frame = _smeared(frame, flash, difficulty)
    noise = flash.normal(0.0, 2.0 + 10.0 * difficulty, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def burst(
    picture: Picture,
    seed: int,
    frames: int = 8,
    *,
    difficulty: float = 0.7,
    size: tuple[int, int] = FRAME,
    side: float | None = None,
) -> list[Picture]:
    """Successive frames of one presentation: the same card, light and lens, the hand moving on."""
    return [
        photograph(picture, seed, difficulty=difficulty, size=size, progress=number / max(1, frames - 1), side=side)
        for number in range(frames)
    ]


def _corners(
    picture: Picture,
    rng: np.random.Generator,
    difficulty: float,
    size: tuple[int, int],
    progress: float,
    side: float | None,
) -> NDArray[np.float64]:
    """Where the card's four corners lie in the frame, clockwise from top left: ``(4, 2)`` of x, y."""
    width, height = size
    guided = height * rng.uniform(0.5, 0.72) * (1 - 0.12 * difficulty)
    side = guided if side is None else side
    ratio = picture.shape[1] / picture.shape[0]
    half_w, half_h = side * min(1.0, ratio) / 2, side * min(1.0, 1 / ratio) / 2
    corners = np.array([(-half_w, -half_h), (half_w, -half_h), (half_w, half_h), (-half_w, half_h)])
    # Tilt: near corners grow, far ones shrink.
    corners = corners * (
        1.0 + difficulty * rng.uniform(-0.16, 0.16, (4, 1))
    )  # tilt: near corners grow, far ones shrink
    angle = np.radians(difficulty * (rng.uniform(-40, 40) + 6 * progress))
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    drift = difficulty * progress * rng.uniform(-0.08, 0.08, 2)
    centre = np.array([0.5, 0.5]) + difficulty * rng.uniform(-0.06, 0.06, 2) + drift
    placed: NDArray[np.float64] = corners @ turn + centre * (width, height)
    return placed


def _held(shown: Picture, background: Picture, corners: NDArray[np.float64]) -> Floats:
    height, width = background.shape
    plane = Image.fromarray(shown)
    smaller = int(max(shown.shape) / np.ptp(corners, axis=0).max())
    if smaller >= 2:  # warping far down without a low-pass would alias
        plane = plane.reduce(smaller)
    coefficients = _perspective(corners, plane.size)
    how = (Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    warped = np.asarray(plane.transform((width, height), *how), dtype=np.float32)
    mask = np.asarray(Image.new("L", plane.size, 255).transform((width, height), *how), dtype=np.float32) / 255
    held: Floats = (mask * warped + (1 - mask) * background).astype(np.float32)
    return held


def _perspective(corners: NDArray[np.float64], size: tuple[int, int]) -> tuple[float, ...]:
    """Pillow's eight coefficients that map frame pixels back onto a plane of ``size`` (width, height)."""
    width, height = size
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(float(c) for c in np.linalg.solve(np.array(rows), np.array(values)))


def _lit(frame: Floats, rng: np.random.Generator, difficulty: float) -> Floats:
    """Light falling off to one side, less contrast, and a lamp's reflection on the plastic."""
    height, width = frame.shape
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)).astype(np.float32)
    lit = frame * (1 - difficulty * 0.25 + difficulty * 0.9 * slope) + 30 * difficulty
    at_x, at_y = rng.uniform(0.3, 0.7, 2)
    distance = ((x - at_x) / 0.06) ** 2 + ((y - at_y) / 0.09) ** 2
    glare: Floats = lit + (255 * difficulty * np.exp(-distance)).astype(np.float32)
    return glare.astype(np.float32)


def _smeared(frame: Floats, flash: np.random.Generator, difficulty: float) -> Floats:
    """Out of focus, and moved while the shutter was open."""
    soft = Image.fromarray(np.clip(frame, 0, 255).astype(np.uint8))
    soft = soft.filter(ImageFilter.GaussianBlur(difficulty * flash.uniform(1.2, 3.0)))
    moved = np.asarray(soft, dtype=np.float32)
    length = int(difficulty * flash.uniform(0, 9))
    step = (0, 1) if flash.random() < 0.5 else (1, 0)
    trail = [np.roll(moved, (k * step[0], k * step[1]), (0, 1)) for k in range(length + 1)]
    smeared: Floats = np.mean(trail, axis=0, dtype=np.float32)
    return smeared
