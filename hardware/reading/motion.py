"""Whether anything is before a camera that is not the empty lane: most frames need no decoder.

Pure numpy, no clock of its own. The picture is reduced to the means of square blocks, which are compared with
the frame before and with a slowly learned picture of the empty lane. What counts as different is measured, not set:
each block's own noise, and how much noisier than that the frame in hand is. Lamps on the mains, clouds and exposure
steps change whole rows of blocks by one factor, which is taken out first (a rolling shutter turns flicker into bands).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from hardware import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Blocks: TypeAlias = "NDArray[np.float32]"
    Marks: TypeAlias = "NDArray[np.bool_]"

SMALLEST_SIDE = 64
"""Pixels. A smaller picture costs a decoder nothing: always looked at."""
FIRST_FRAMES = 30
"""Looked at whatever they show, while the empty lane and its noise become known."""
HOLD_S = 6.0
"""What came into view and stands still is looked at in every frame for this time: every extra gets its turn."""
GONE_S = 2.0
"""How long every frame is looked at after a movement that left nothing behind."""
STANDING_EVERY = 5
"""What has stood still for longer is looked at in one frame of this number (a card propped up, a parked car)."""
EMPTY_EVERY = 8
"""The safety net: an empty lane is looked at in one frame of this number, 0.27 s."""
RESTLESS_S = 20.0
RESTLESS_EVERY = 3
"""What moves for ``RESTLESS_S`` and is no code (a branch, a flag) is looked at in one frame of this number."""

SIGMAS = 6.0
"""Standard deviations beyond which a block has changed: with 3,600 blocks, noise alone does it once in hours."""
LIGHT_S = 10.0
"""Time constant of the light in which the empty lane is remembered."""
LANE_S = 30.0
"""Time constant of the empty lane's picture, where nothing stands before it: shadows wander, paint dries."""
SETTLED_S = 30.0
"""What has stood still for this time is part of the lane. All at once: half learned, it would leave a ghost behind."""
RECENT_S = 1.0
"""Time constant of what stands there now."""
NOISE_S = 50.0
LANE_NOISE_S = 200.0
"""Time constants of each block's noise against the frame before, and against the empty lane."""
QUIETEST, LOUDEST, LOUDEST_FRAME = 0.15, 10.0, 2.5
"""Bounds of a block's noise in grey values, and of what a frame's own noise may make of it: a hand that fills the
picture must not pass for noise. 2.5 is a pixel noise of 20; dark blocks had 8 at 25 electrons a pixel."""
CLIPPED = np.float32(240)
"""A block so bright on the mean has pixels that are clipped: no factor can be taken from it."""
STEP_FAULT = 0.15
"""The share of a change in brightness that one factor per row does not explain (tone curves, other lamps)."""
QUARTILE = 0.3186
"""Standard deviations within which a quarter of Gaussian values lie: three quarters of the picture may move."""
LOUDER = 1.5
"""How much noisier than of late a single frame may be thought."""
LATE = 0.1
CROWD, FEW = 1.5, 4.0
"""More than this factor times the most blocks that moved of late, and a few, are something new even in a busy lane."""
CROWD_S = 10.0
LONGEST_GAP_S = 0.2

_EVEN = np.uint64(0x00FF00FF00FF00FF)
_PAIRS = np.uint64(0x0000FFFF0000FFFF)
_LOW = np.uint64(0xFFFFFFFF)
_ROWS = 4
"""Rows summed per block; the rows between them are not touched."""


class MotionGate:
    """One camera's. ``looked`` and ``skipped`` count the frames; ``occupied`` is true while something is there."""

    def __init__(self) -> None:
        self.looked = 0
        self.skipped = 0
        self.occupied = True
        self._lane: _Lane | None = None
        self._shape = (0, 0)
        self._frames = 0
        self._unlooked = 0
        self._at = self._until = self._since = self._seen_at = float("-inf")
        self._most = 0.0
        self._standing = False

    def step(self, luma: Picture, at: float) -> bool:
        """True: look at this frame in full. ``at`` never goes back. Never raises on any picture content.

        Always true for the first frames, for a picture of another size than the one before, and from the first
        frame in which something appears, moves or lights up. False at most seven times in a row.
        """
        look = self._frame(luma, at)
        self.looked += look
        self.skipped += not look
        self._unlooked = 0 if look else self._unlooked + 1
        return look

    def seen(self, corners: Iterable[tuple[int, int]], at: float) -> None:
        """A full look located or read a code there: what moves is a resident, not a branch, and no noise to learn.

        A code that is part of the empty lane (a poster) is not news.
        """
        if self._lane is not None and self._lane.changed_within(list(corners)):
            self._seen_at = self._since = at

    def _frame(self, luma: Picture, at: float) -> bool:
        if luma.ndim != 2 or luma.dtype != np.uint8 or min(luma.shape) < SMALLEST_SIDE:
            self._shape, self._lane = (0, 0), None
            return True
        if self._lane is None or luma.shape != self._shape:
            self._begin(luma, at)
            return True
        passed, self._at = min(max(at - self._at, 0.0), LONGEST_GAP_S), at
        self._frames += 1
        changed = self._lane.step(luma, passed, at - self._seen_at > RESTLESS_S)
        if self._frames < FIRST_FRAMES:
            return True
        return self._judge(changed, passed, at)

    def _begin(self, luma: Picture, at: float) -> None:
        self._shape, self._lane = luma.shape, _Lane(luma)
        self._frames, self._at, self._until, self._most = 1, at, at + GONE_S, 0.0
        self._since, self._seen_at = at, float("-inf")
        self.occupied, self._standing = True, False

    def _judge(self, changed: _Changed, passed: float, at: float) -> bool:
        appeared = changed.standing and not self._standing
        self._standing = changed.standing > 0
        moved = changed.moving > 0 or appeared
        quiet = at > self._until
        crowd = changed.moving > CROWD * self._most + FEW
        self._most = max(changed.moving, self._most * (1 - passed / CROWD_S))
        if moved:
            self._until = max(self._until, at + HOLD_S)
            if quiet or crowd:
                self._since = at
        elif not self._standing:
            self._until = min(self._until, at + GONE_S)
        self.occupied = at <= self._until or self._standing
        return self._unlooked + 1 >= self._every(at)

    def _every(self, at: float) -> int:
        if at > self._until:
            return STANDING_EVERY if self._standing else EMPTY_EVERY
        return RESTLESS_EVERY if at - self._since > RESTLESS_S else 1


class _Changed(NamedTuple):
    """How many blocks differ from the frame before, and from the empty lane."""

    moving: int
    standing: int


class _Lane:
    """What is known of one camera's blocks: the empty lane, the frame before, and the noise against each."""

    def __init__(self, luma: Picture) -> None:
        self._block = 8 if luma.shape[1] < 640 else 16 if luma.shape[1] < 1600 else 32
        self._before = block_means(luma, self._block)
        self._empty = self._before.copy()
        self._recent = self._before.copy()
        self._stood = np.zeros_like(self._before)  # seconds
        self._noise = np.full_like(self._before, QUIETEST**2)  # variances of a block's mean
        self._lane_noise = self._noise.copy()
        self._known = np.full_like(self._before, 1 + FIRST_FRAMES)  # frames; the whole picture's noise counts as many
        self._late = [1.0] * 4
        self._frames = 1
        self._apart = np.zeros(self._before.shape, np.bool_)

    def step(self, luma: Picture, passed: float, learn: bool) -> _Changed:
        """Compare with the next frame, then learn from it. ``learn``: what moves may be called noise."""
        blocks = block_means(luma, self._block)
        step, step_fault, _ = _unexplained(blocks, self._before)
        away, away_fault, light = _unexplained(blocks, self._empty)
        step *= np.float32(0.5**0.5)  # two frames' noise
        if self._frames == 1:
            self._noise[:] = max(QUIETEST, _spread(step)) ** 2
            self._lane_noise[:] = self._noise
        doubt = np.float32(1) + np.float32(FIRST_FRAMES) / self._known  # of a noise known from few frames
        moving = self._apart_from(step, step_fault, self._noise * doubt, 0)
        standing = self._apart_from(away, away_fault, self._lane_noise * doubt, 2)
        self._apart = moving | standing
        self._learn(blocks, light, moving, standing, passed)
        self._learn_noises(step, away, passed, learn, blocks < CLIPPED)
        self._before = blocks
        self._frames += 1
        return _Changed(int(np.count_nonzero(moving)), int(np.count_nonzero(standing)))

    def changed_within(self, corners: list[tuple[int, int]]) -> bool:
        """Whether any block around these corners (pixels) differed in the last frame."""
        if not corners:
            return False
        (left, right), (top, bottom) = ((min(at), max(at)) for at in zip(*corners, strict=True))
        rows = slice(max(0, int(top) // self._block), max(0, int(bottom) // self._block + 1))
        columns = slice(max(0, int(left) // self._block), max(0, int(right) // self._block + 1))
        return bool(self._apart[rows, columns].any())

    def _apart_from(self, difference: Blocks, fault: Blocks, variance: Blocks, late: int) -> Marks:
        """The blocks that differ by more than noise, alone or together with their eight neighbours."""
        noise: Blocks = np.sqrt(variance)
        noise += fault
        in_noise: Blocks = difference / noise
        alone = self._frame_noise(in_noise, late, LOUDEST_FRAME / max(QUIETEST, float(noise.mean())))
        apart = np.abs(in_noise) > SIGMAS * alone
        together = _neighbours(in_noise)
        louder = self._frame_noise(together, late + 1, alone * LOUDER)
        apart[1:-1, 1:-1] |= np.abs(together) > SIGMAS * louder
        return apart

    def _frame_noise(self, in_noise: Blocks, late: int, most: float) -> float:
        """How many times noisier than its blocks' own noise this frame is, at least 1."""
        now = _spread(in_noise)
        found = max(1.0, min(now, self._late[late] * LOUDER, most))
        self._late[late] += LATE * (max(1.0, min(now, most)) - self._late[late])
        return found

    def _learn(self, blocks: Blocks, light: Blocks, moving: Marks, standing: Marks, passed: float) -> None:
        """The empty lane: slowly where nothing stands before it, at once what has stood there for long.

        ``light`` (one column) is how many times brighter than remembered the rows are now.
        """
        evenly = blocks / light
        self._recent += (evenly - self._recent) * np.float32(min(1.0, passed / RECENT_S))
        first = 1 / (self._frames + 1) if self._frames < FIRST_FRAMES else 0.0  # the mean of all frames so far
        rate = np.float32(max(passed / LANE_S, first))
        np.maximum(evenly, self._empty, out=evenly, where=blocks > CLIPPED)
        self._empty += (evenly - self._empty) * (rate * ~self._apart)
        self._stood += np.float32(passed) * ~moving
        self._stood *= standing
        settled = self._stood > SETTLED_S
        if settled.any():
            np.copyto(self._empty, self._recent, where=settled)
        self._empty *= np.float32(1 + (float(light.mean()) - 1) * passed / LIGHT_S)

    def _learn_noises(self, step: Blocks, away: Blocks, passed: float, learn: bool, telling: Marks) -> None:
        """The mean over the frames in which a block was calm, until they are many: from then on slowly.

        Dark blocks are three times as noisy as the calmest quarter of the picture, by which all of them begin. A
        block not ``telling`` is clipped: its noise does not show.
        """
        calm = telling if self._frames < FIRST_FRAMES else telling & ~self._apart
        self._known += calm
        first = calm * (np.float32(1) / self._known)
        _learn_noise(self._noise, step, np.maximum(first, telling * np.float32(passed / NOISE_S)), learn)
        _learn_noise(self._lane_noise, away, np.maximum(first, telling * np.float32(passed / LANE_NOISE_S)), learn)
        np.maximum(self._lane_noise, self._noise, out=self._lane_noise)


def _learn_noise(variance: Blocks, difference: Blocks, rate: Blocks, upward: bool) -> None:
    """Towards the squares of the differences; one that is far off counts as three standard deviations."""
    squares = difference * difference
    np.minimum(squares, variance * np.float32(9.0 if upward else 1.5), out=squares)
    squares -= variance
    squares *= rate
    variance += squares
    np.clip(variance, QUIETEST**2, LOUDEST**2, out=variance)


def _unexplained(blocks: Blocks, known: Blocks) -> tuple[Blocks, Blocks, Blocks]:
    """What of ``blocks`` is not ``known`` times one factor per row; what those factors may be wrong by; the factors.

    How bright a clipped block was is not known: only its being darker is a difference.
    """
    ground = np.float32(25.0 * known.shape[1])  # in the dark, where any factor would do, it is 1
    telling = known * (np.maximum(blocks, known) < CLIPPED)
    factor = np.einsum("ij,ij->i", blocks, telling) + ground
    factor /= np.einsum("ij,ij->i", known, telling) + ground
    light = factor[:, None]
    expected = known * light
    np.minimum(expected, CLIPPED, out=expected)
    fault = expected * (np.abs(light - 1) * np.float32(STEP_FAULT / SIGMAS))
    difference = np.minimum(blocks, CLIPPED) - expected
    np.minimum(difference, np.float32(0), out=difference, where=known > CLIPPED)
    return difference, fault, light


def _neighbours(blocks: Blocks) -> Blocks:
    """Sums over 3 x 3 blocks, in units that leave white noise as it is; one block smaller on every side."""
    rows = blocks[:-2] + blocks[1:-1]
    rows += blocks[2:]
    sums = rows[:, :-2] + rows[:, 1:-1]
    sums += rows[:, 2:]
    sums *= np.float32(1 / 3)
    return sums


def _spread(blocks: Blocks) -> float:
    """The standard deviation of the calmest quarter's noise, had the rest as much."""
    sizes = np.abs(blocks[:, ::2]).ravel()
    quarter = sizes.size // 4
    sizes.partition(quarter)
    return float(sizes[quarter]) / QUARTILE


def block_means(luma: Picture, block: int) -> Blocks:
    """Mean grey of each ``block`` x ``block`` square (8, 16 or 32) from four of its rows; a rest is dropped.

    Eight pixels are summed as one 64-bit word: numpy would take five times as long over them one by one.
    """
    down, across = luma.shape[0] // block, luma.shape[1] // block
    rows = luma[block // (2 * _ROWS) : down * block : block // _ROWS, : across * block]
    words = np.ascontiguousarray(rows).view(np.uint64).reshape(down, _ROWS, across * block // 8)
    pairs = words & _EVEN
    pairs += (words >> np.uint64(8)) & _EVEN
    fours = pairs[:, 0] + pairs[:, 1]
    fours += pairs[:, 2]
    fours += pairs[:, 3]
    eights = (fours & _PAIRS) + ((fours >> np.uint64(16)) & _PAIRS)
    eights = (eights + (eights >> np.uint64(32))) & _LOW
    while eights.shape[1] > across:
        eights = eights[:, ::2] + eights[:, 1::2]
    means: Blocks = eights.astype(np.float32)
    means *= np.float32(1 / (_ROWS * block))
    return means
