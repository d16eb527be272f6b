"""A cheap camera at a gate, from its physics: what it makes of sheets that a hand holds before it.

Light is linear until the sensor, 1.0 is what saturates it at a gain of 1. Lengths are millimetres, angles radians,
times seconds, blur pixels of the finished picture. A sheet is mapped back from every pixel (pinhole, any surface
that is a height over a plane, rolling shutter by rows), sampled on a finer grid, and low-passed by one optical
transfer function: pixel area, lens, defocus (uniform disc), motion along the true velocity, the camera's sharpening.
Then follow scattered light, vignetting, gain, shot and read noise, gamma, eight bits. numpy and Pillow only.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
WIDTH, HEIGHT = 1280, 720
FRAME_S = 1 / 30
PAD = 48
"""Pixels rendered around the frame, so that blur has something to draw from at its edges."""
FOCAL_FULL, FOCAL_CROP = 985.0, 1480.0
"""Focal lengths in pixels of a 1280 wide picture: 66 degrees across, and a crop mode of the same sensor."""
STEP = 4
"""The map from pixels to a sheet is computed for every fourth pixel and interpolated: it is smooth."""


EDGE = 4
"""Pixels at the edge of what is blurred at once that are thrown away: the transform is periodic."""


class Grid(NamedTuple):
    """Where pixels fall: ``u``, ``v`` mm from the middle of the code on the sheet, ``row`` of the frame, ``at`` s."""

    u: Floats
    v: Floats
    row: Floats
    at: float


Light = Callable[[Grid], tuple[Floats | float, Floats | float]]
"""Factor and addend by which a light changes what a sheet shows."""
Grain = Callable[[Grid], Floats]
"""Factor at pixel centres, after the optics: what the sampling itself makes of a fine pattern."""
Bend = Callable[[Floats, Floats], tuple[Floats, Floats, Floats, Floats | float]]
"""x, y in mm over the plane -> (u, v on the unrolled sheet, height away from the camera, shading)."""


@dataclass
class Sheet:
    """Something flat: ``picture`` in linear light, its scale, and the pixel of it that is the origin of u and v."""

    picture: Floats
    per_mm: float
    origin: tuple[float, float]
    lights: list[Light] = field(default_factory=list)
    grains: list[Grain] = field(default_factory=list)
    bend: Bend | None = None

    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in mm from the origin."""
        height, width = self.picture.shape
        x, y = self.origin
        return -x / self.per_mm, -y / self.per_mm, (width - x) / self.per_mm, (height - y) / self.per_mm


@dataclass
class Hand:
    """How a sheet is held: a course, a sway and a hand's tremor (physiological: 4 to 12 Hz, under a millimetre)."""

    place: NDArray[np.float64]
    angles: NDArray[np.float64]
    """Yaw, pitch, roll; zero faces the camera."""
    speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    turning: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    sway: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    sway_hz: float = 1.0
    sway_phase: float = 0.0
    tremor: NDArray[np.float64] = field(default_factory=lambda: np.zeros((6, 3)))
    """For x, y, z, yaw, pitch, roll: amplitude, Hz, phase."""

    def at(self, seconds: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Place of the sheet's origin (3,) and its rotation (3, 3), columns: the sheet's x, y and back."""
        shake = self.tremor[:, 0] * np.sin(2 * np.pi * self.tremor[:, 1] * seconds + self.tremor[:, 2])
        swing = self.sway * np.sin(2 * np.pi * self.sway_hz * seconds + self.sway_phase)
        place = self.place + self.speed * seconds + swing + shake[:3]
        return place, rotation(self.angles + self.turning * seconds + shake[3:])


def rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    (sy, sp, sr), (cy, cp, cr) = np.sin(angles), np.cos(angles)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turned: NDArray[np.float64] = yaw @ pitch @ roll
    return turned


@dataclass
class Optics:
    focal: float = FOCAL_FULL
    exposure_s: float = 0.003
    readout_s: float = 0.020
    """From the first row to the last."""
    softness: float = 0.6
    """Sigma of the lens."""
    defocus: Callable[[float], float] = lambda at: 0.3
    """Radius of the blur disc over time."""
    sharpening: float = 0.3
    scatter: float = 0.01
    """Share of the light that lens and cover glass spread widely."""
    veil: float = 0.0
    """Light over the whole frame, as the sun makes it."""
    vignetting: float = 0.25
    finer: int = 2


@dataclass
class Sensor:
    gain: Callable[[float], float] = lambda at: 1.0
    electrons: float = 3000.0
    """At saturation; the gain that goes with them is what makes a night noisy."""
    read_noise: float = 5.0
    gamma: float = 2.2
    smoothing: float = 0.0
    """Share of each noise value that a denoiser gives to its neighbours, 0 to 0.5."""
    jpeg: int | None = None


@dataclass
class Camera:
    """Takes the frames of one presentation. ``backdrop`` is linear light, ``(HEIGHT, WIDTH)``."""

    optics: Optics
    sensor: Sensor
    backdrop: Floats

    def frame(self, held: list[tuple[Sheet, Hand]], at: float, rng: np.random.Generator) -> Picture:
        """The frame whose exposure begins at ``at``; later sheets are nearer. Uint8, ``(HEIGHT, WIDTH)``."""
        light = np.pad(self.backdrop, PAD, mode="edge")
        for sheet, hand in held:
            self._lay(light, sheet, hand, at)
        return self._exposed(light[PAD:-PAD, PAD:-PAD], at, rng)

    def grid(self, sheet: Sheet, hand: Hand, at: float) -> Grid:
        """Where on the sheet each pixel of the frame beginning at ``at`` truly looks."""
        grid, _ = self._grid(sheet, hand, at, (PAD, PAD, WIDTH, HEIGHT), finer=1)
        return grid

    def corners(self, sheet: Sheet, hand: Hand, at: float) -> NDArray[np.float64]:
        """Where the sheet's corners fall in the frame, (4, 2)."""
        left, top, right, bottom = sheet.extent()
        place, turn = hand.at(at)
        flat = np.array([(left, top, 0), (right, top, 0), (right, bottom, 0), (left, bottom, 0)])
        return self._project(flat @ turn.T + place)

    def _project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        depth = np.maximum(points[..., 2:], 20.0)
        seen: NDArray[np.float64] = points[..., :2] / depth * self.optics.focal + (WIDTH / 2, HEIGHT / 2)
        return seen

    def _lay(self, light: Floats, sheet: Sheet, hand: Hand, at: float) -> None:
        """Draw one sheet into ``light`` (padded), with all that blurs it."""
        optics = self.optics
        middle = at + optics.readout_s / 2
        blur = self._motion(hand, middle)
        radius = abs(optics.defocus(at))
        margin = int(radius + np.abs(blur).max() / 2 + 3 * optics.softness) + 4 + EDGE
        box = self._box(self.corners(sheet, hand, middle), margin, light.shape)
        if box is None:
            return
        left, top, width, height = box
        part = light[top : top + height, left : left + width]
        fine = np.repeat(np.repeat(part, optics.finer, 0), optics.finer, 1)
        grid, shading = self._grid(sheet, hand, at, box, optics.finer)
        _draw(fine, sheet, grid, shading)
        soft = _blurred(fine, optics, radius, blur)
        for grain in sheet.grains:
            n = optics.finer
            coarse = Grid(grid.u[::n, ::n], grid.v[::n, ::n], grid.row[::n, ::n], at)
            soft *= np.where(_inside(sheet, coarse), grain(coarse), 1.0).astype(np.float32)
        light[top + EDGE : top + height - EDGE, left + EDGE : left + width - EDGE] = soft[EDGE:-EDGE, EDGE:-EDGE]

    def _motion(self, hand: Hand, at: float) -> NDArray[np.float64]:
        """Way of the sheet's origin in the picture while one row is exposed, (2,)."""
        half = self.optics.exposure_s / 2
        before, after = hand.at(at - half)[0], hand.at(at + half)[0]
        way: NDArray[np.float64] = self._project(after) - self._project(before)
        return way

    def _box(
        self, corners: NDArray[np.float64], margin: int, shape: tuple[int, ...]
    ) -> tuple[int, int, int, int] | None:
        """Left, top, width, height in the padded frame, sides multiples of 16; None outside of it."""
        low = np.maximum(np.floor(corners.min(0)).astype(int) + PAD - margin, 0)
        high = np.minimum(np.ceil(corners.max(0)).astype(int) + PAD + margin, (shape[1], shape[0]))
        size = high - low
        if (size < 8).any():
            return None
        size = np.minimum(-(-size // 16) * 16, (shape[1], shape[0]))
        low = np.minimum(low, np.array([shape[1], shape[0]]) - size)
        return int(low[0]), int(low[1]), int(size[0]), int(size[1])

    def _grid(
        self, sheet: Sheet, hand: Hand, at: float, box: tuple[int, int, int, int], finer: int
    ) -> tuple[Grid, Floats]:
        """Sheet coordinates of the fine pixels of a box, every row at its own time, and the surface's shading."""
        left, top, width, height = box
        x = np.arange(-(-width // STEP) + 1) * STEP + float(left - PAD)
        y = np.arange(-(-height // STEP) + 1) * STEP + float(top - PAD)
        share = ((y - y[0]) / max(1.0, y[-1] - y[0]))[:, None]
        first, last = (at + self.optics.readout_s * row / HEIGHT for row in (y[0], y[-1]))
        (u0, v0, s0), (u1, v1, _) = (self._back(sheet, hand, when, x, y) for when in (first, last))
        n = finer
        size = (height * n, width * n)
        u, v = (_between(coarse, size, n) for coarse in (u0 + share * (u1 - u0), v0 + share * (v1 - v0)))
        shading = _between(s0, size, n) if sheet.bend else np.ones((1, 1), np.float32)
        rows = (np.arange(height * n, dtype=np.float32) / n + top - PAD)[:, None]
        return Grid(u, v, np.broadcast_to(rows, u.shape), at), shading

    def _back(
        self, sheet: Sheet, hand: Hand, at: float, x: NDArray[Any], y: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Where the rays of pixels (x, y) meet the sheet: u, v, shading. A bent one by fixed-point steps in height."""
        place, turn = hand.at(at)
        rays = np.stack(np.broadcast_arrays(
            (x[None, :] - WIDTH / 2) / self.optics.focal, (y[:, None] - HEIGHT / 2) / self.optics.focal, 1.0
        ), -1)  # fmt: skip
        ex, ey, back = turn.T
        facing = rays @ back
        facing = np.where(np.abs(facing) < 1e-3, 1e-3, facing)
        height: NDArray[np.float64] | float = 0.0
        u = v = shade = np.zeros(facing.shape)
        for _ in range(5 if sheet.bend else 1):
            reach = (back @ place + height) / facing
            points = reach[..., None] * rays - place
            u, v, shade = points @ ex, points @ ey, np.ones(facing.shape)
            if sheet.bend:
                u, v, height, shade = sheet.bend(u, v)  # type: ignore[assignment]
        u = np.where(reach > 0, u, 1e6)
        return u, v, np.broadcast_to(np.asarray(shade, float), u.shape)

    def _exposed(self, light: Floats, at: float, rng: np.random.Generator) -> Picture:
        optics, sensor = self.optics, self.sensor
        level = light * _vignette(optics.vignetting)
        if optics.scatter:
            halo = _halo(level)
            level += np.float32(optics.scatter) * (halo - level)
        level += np.float32(optics.veil)
        level *= np.float32(sensor.gain(at))
        np.maximum(level, 0, out=level)
        noise = rng.standard_normal(level.shape, dtype=np.float32)
        if sensor.smoothing:
            noise = _shared(noise, sensor.smoothing)
        variance = level * np.float32(1 / sensor.electrons) + np.float32((sensor.read_noise / sensor.electrons) ** 2)
        noise *= np.sqrt(variance, out=variance)
        level += noise
        level *= np.float32(4095)
        np.clip(level, 0, 4095, out=level)
        picture = _tones(sensor.gamma).take(level.astype(np.intp))
        return picture if sensor.jpeg is None else _jpeg(picture, sensor.jpeg)


def _draw(fine: Floats, sheet: Sheet, grid: Grid, shading: Floats) -> None:
    """Replace in ``fine`` what the sheet covers by what it shows under its lights."""
    shown = _sampled(sheet, grid) * shading
    for light in sheet.lights:
        factor, addend = light(grid)
        shown = shown * factor + addend
    np.copyto(fine, shown.astype(np.float32), where=_inside(sheet, grid))


def _inside(sheet: Sheet, grid: Grid) -> NDArray[np.bool_]:
    left, top, right, bottom = sheet.extent()
    inside: NDArray[np.bool_] = (grid.u >= left) & (grid.u < right) & (grid.v >= top) & (grid.v < bottom)
    return inside


def _sampled(sheet: Sheet, grid: Grid) -> Floats:
    """The sheet's picture at u, v, linearly between its pixels; its edge repeated outside."""
    height, width = sheet.picture.shape
    x = grid.u * np.float32(sheet.per_mm) + np.float32(sheet.origin[0] - 0.5)
    y = grid.v * np.float32(sheet.per_mm) + np.float32(sheet.origin[1] - 0.5)
    np.clip(x, 0, width - 1.001, out=x)
    np.clip(y, 0, height - 1.001, out=y)
    column, row = x.astype(np.intp), y.astype(np.intp)
    x -= column
    y -= row
    row *= width
    row += column
    flat = sheet.picture.ravel()
    step = np.empty_like(flat)
    step[:-1] = flat[1:] - flat[:-1]
    upper = flat.take(row) + step.take(row) * x
    row += width
    lower = flat.take(row) + step.take(row) * x
    lower -= upper
    lower *= y
    lower += upper
    return lower


def _between(coarse: NDArray[np.float64], size: tuple[int, int], finer: int) -> Floats:
    """Values ``STEP`` pixels apart, linearly in between, at ``size`` places ``1 / finer`` apart."""
    place = np.arange(size[1]) / (finer * STEP)
    low = np.minimum(place.astype(int), coarse.shape[1] - 2)
    across = (coarse[:, low] + (coarse[:, low + 1] - coarse[:, low]) * (place - low)).astype(np.float32)
    blocks, rows = finer * STEP, -(-size[0] // (finer * STEP))
    share = (np.arange(blocks, dtype=np.float32) / blocks)[None, :, None]
    upper, step = across[:rows, None, :], (across[1 : rows + 1] - across[:rows])[:, None, :]
    between: Floats = (upper + step * share).reshape(-1, size[1])[: size[0]]
    return between


def _blurred(fine: Floats, optics: Optics, radius: float, way: NDArray[np.float64]) -> Floats:
    """``fine`` low-passed by everything in the light's way and read out at the pixels."""
    n = optics.finer
    fy = (np.fft.fftfreq(fine.shape[0]) * n)[:, None].astype(np.float32)
    fx = (np.fft.rfftfreq(fine.shape[1]) * n)[None, :].astype(np.float32)
    square = fx * fx + fy * fy
    passed = np.exp(square * np.float32(-2 * np.pi**2 * optics.softness**2))
    passed *= 1 + np.float32(optics.sharpening) * (1 - np.exp(square * np.float32(-2 * np.pi**2 * 1.2**2)))
    passed *= np.sinc(fx) * np.sinc(fy)
    if radius > 0.05:
        passed *= _disc(np.sqrt(square) * np.float32(radius))
    if np.abs(way).max() > 0.05:
        passed *= np.sinc(fx * np.float32(way[0]) + fy * np.float32(way[1]))
    whole = np.fft.irfft2(np.fft.rfft2(fine) * passed, s=fine.shape)
    read: Floats = whole[::n, ::n].astype(np.float32)
    return np.maximum(read, 0)


def _disc(radii: Floats) -> Floats:
    """Transfer function of a uniform disc, 2 J1(x) / x, at frequency times radius."""
    places, values = _DISC
    return np.interp(radii, places, values).astype(np.float32)


def _disc_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    places = np.linspace(0, 60, 6001)
    x = np.maximum(2 * np.pi * places, 1e-9)
    angle = (np.arange(400) + 0.5) * np.pi / 400
    bessel = np.cos(angle[None, :] - x[:, None] * np.sin(angle)[None, :]).mean(1)  # Bessel's integral for J1
    return places, 2 * bessel / x


_DISC = _disc_table()


def _vignette(depth: float) -> Floats:
    y, x = np.linspace(-1, 1, HEIGHT, dtype=np.float32), np.linspace(-1, 1, WIDTH, dtype=np.float32)
    half = np.float32(depth / 2)
    fall: Floats = (1 - half * y * y)[:, None] - half * (x * x)[None, :]
    return fall


def _halo(light: Floats) -> Floats:
    """``light`` spread over about a tenth of the frame."""
    small = light.reshape(HEIGHT // 16, 16, WIDTH // 16, 16).mean((1, 3))
    padded = np.pad(small, 12, mode="edge")
    fy, fx = np.fft.fftfreq(padded.shape[0])[:, None], np.fft.rfftfreq(padded.shape[1])[None, :]
    narrow = np.exp(-2 * np.pi**2 * 1.5**2 * (fx * fx + fy * fy))
    wide = np.exp(-2 * np.pi**2 * 6.0**2 * (fx * fx + fy * fy))
    spread = np.fft.irfft2(np.fft.rfft2(padded) * (0.5 * narrow + 0.5 * wide), s=padded.shape)[12:-12, 12:-12]
    return grown(spread.astype(np.float32), (HEIGHT, WIDTH))


def grown(small: Floats, shape: tuple[int, int]) -> Floats:
    """``small`` at another size, linearly between its values."""
    picture = Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.float32)


def _shared(noise: Floats, share: float) -> Floats:
    """Noise as a denoiser leaves it: weaker from pixel to pixel, the same in the large."""
    keep = np.float32(1 - share)
    half = np.float32(share / 2)
    across = noise * keep
    across[:, 1:-1] += half * (noise[:, 2:] + noise[:, :-2])
    down = across * keep
    down[1:-1] += half * (across[2:] + across[:-2])
    return down


def _tones(gamma: float) -> Picture:
    """Eight-bit values of 4096 levels of linear light."""
    level: Picture = np.rint(255 * (np.arange(4096) / 4095) ** (1 / gamma)).astype(np.uint8)
    return level


def _jpeg(picture: Picture, quality: int) -> Picture:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("L"), dtype=np.uint8)
