"""What the one who holds something up could do so that it can be read. Pure, time comes in.

Only what the camera measured is said, and only to somebody who has held up a code for a while: most are read in their
first frames, and a hint that flickers or comes too soon makes people move what would have been read.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import dist, hypot
from typing import TypeAlias

from hardware import Hint
from hardware.reading.analysis import Region, Scene

Corners: TypeAlias = tuple[tuple[int, int], ...]

MODULES = 45
"""A side of a card's code (version 7); a phone's has 41."""
SMALLEST_MODULE = 2.0
"""Pixels: from there on zxing-cpp reads 95 %."""
UNREAD_S = 0.7
"""Held up unread for this time: most codes are read in the first frames, and nobody is to be told what to do then."""
LOST_S = 1.0
"""A symbol not located for this time is no longer held up: the ladder looks for one in its turns only."""
HOLDS_S = 1.5
"""A hint stays for at least this time, unless it is done with: one cannot read faster."""
VOTES_S = 0.5
"""What is wrong in most of the frames of about so long is what is said."""
LARGEST = 0.9
CUT_FROM = 0.3
"""Of the picture's height: a symbol that long is too near; so long at least and cut by the edge, too."""
FAST = 6.0
SMEARED, SMEARED_FROM = 0.5, 1.5
"""Symbol sides per second. At 6 a shutter of 3 ms smears a card over most of a module; slower, if one direction is
less than half as sharp as the other."""
FORESHORTENED = 0.62
"""Shortest to longest side; a symbol leaning back by 50 degrees."""
CROOKED = 0.72
"""Sine of a corner's angle: 46 degrees where 90 are right."""
GLARE, CLIPPED_MOST = 0.03, 0.75
"""One cell of the middle 36 is 0.028; and half of a code is dark."""
PALE = 150
FAINT, FAINT_IN_NOISE = 45, 5.0
DIM = 85
"""White that is darker than that is a dim screen or a card in the dark."""
DARK_LANE = 50
SOFT = 0.15
"""A blur of nearly three pixels' standard deviation."""
SMOOTH = 0.6
"""A blur of which one direction keeps less than that part of the other's sharpness is no lens's."""
AMPLE_MODULE = 3.0
"""Pixels: what is not sharp and has so large modules is nearer than the lens is set for; else it is further off."""
FURTHEST_STEP = 1.5
"""Sides: what is further off in the next frame is another symbol."""
ALIKE = 0.7
SAME_PLACE = 0.5
"""Sides: a symbol that near to where one hangs in the empty lane, and of about its size, is that one."""
PLACES = 8


def foremost(symbols: Sequence[Corners]) -> Corners | None:
    """The largest of these symbols: what is held up is nearer than what hangs there."""
    return max(symbols, key=_length, default=None)


def region_of(corners: Corners) -> Region:
    """The upright rectangle around a symbol."""
    across, down = zip(*corners, strict=True)
    return min(across), min(down), max(across) + 1, max(down) + 1


class Hinter:
    """Frame by frame: what was seen goes in, the hint for the resident comes out. Pure; ``at`` never goes back."""

    def __init__(self) -> None:
        self._shown: Hint | None = None
        self._shown_at = 0.0
        self._since: float | None = None
        self._located_at = float("-inf")
        self._at = 0.0
        self._votes: dict[Hint | None, float] = {}
        self._before: tuple[Corners, float] | None = None
        self._hanging: list[Corners] = []

    @property
    def shown(self) -> Hint | None:
        """The hint in force since the last step."""
        return self._shown

    def step(
        self,
        symbols: Sequence[Corners],
        scene: Scene | None,
        stirred: bool,
        read: bool,
        at: float,
        module: float | None = None,
    ) -> Hint | None:
        """The hint in force. None once something was read or the lane is empty, and for the first ``UNREAD_S``.

        ``symbols``: corners of what was located and not read. ``scene``: the figures of the region of
        ``foremost(symbols)``, of the whole picture without any; None: not looked at. ``module``: its pixels, if known.
        """
        if not stirred:
            self._hanging = [*symbols, *self._hanging][:PLACES]  # what hangs in the empty lane is held by nobody
        if read or not stirred:
            self._forget()
            return None
        symbol = foremost([symbol for symbol in symbols if not self._hangs(symbol)])
        wrong, counts = self._wrong(symbol, scene, module, at)
        if not counts or self._since is None:
            return self._waited(at)
        fades = max(0.0, 1 - (at - self._at) / VOTES_S)
        self._votes = {hint: votes * fades for hint, votes in self._votes.items()}
        self._votes[wrong] = self._votes.get(wrong, 0.0) + 1
        self._at = at
        return self._chosen(at)

    def _wrong(
        self, symbol: Corners | None, scene: Scene | None, module: float | None, at: float
    ) -> tuple[Hint | None, bool]:
        """What is wrong in this frame, and whether the frame shows anything at all."""
        if symbol and scene:
            speed = self._speed(symbol, at)
            self._before, self._located_at = (symbol, at), at
            self._since = at if self._since is None else self._since
            return wrong_with(symbol, scene, speed, module), True
        if scene and not symbol and scene.p98 < DARK_LANE:
            self._located_at = at
            self._since = at if self._since is None else self._since
            return Hint.BRIGHTER, True
        return None, False

    def _waited(self, at: float) -> Hint | None:
        """Nothing was located: for a moment that means nothing."""
        if at - self._located_at > LOST_S:
            self._since, self._before = None, None
            self._votes.clear()
            if at - self._shown_at >= HOLDS_S:
                self._shown = None
        return self._shown

    def _chosen(self, at: float) -> Hint | None:
        if self._since is None or at - self._since < UNREAD_S:
            return self._shown
        most = max(self._votes, key=lambda hint: self._votes[hint])
        clear = self._votes[most] > sum(self._votes.values()) / 2
        if clear and most is not self._shown and (self._shown is None or at - self._shown_at >= HOLDS_S):
            self._shown, self._shown_at = most, at
        return self._shown

    def _speed(self, symbol: Corners, at: float) -> float:
        """Of its middle, in its own sides per second; 0 where the one before was another."""
        if self._before is None or not 0 < at - self._before[1] <= LOST_S:
            return 0.0
        before, then = self._before
        side = max(1.0, _length(symbol))
        way = dist(_middle(before), _middle(symbol)) / side
        return way / (at - then) if way < FURTHEST_STEP and _alike(before, symbol) else 0.0

    def _hangs(self, symbol: Corners) -> bool:
        reach = SAME_PLACE * _length(symbol)
        return any(dist(_middle(symbol), _middle(other)) < reach and _alike(symbol, other) for other in self._hanging)

    def _forget(self) -> None:
        self._shown, self._since, self._before = None, None, None
        self._votes.clear()


def wrong_with(symbol: Corners, scene: Scene, speed: float = 0.0, module: float | None = None) -> Hint | None:
    """What most likely keeps this symbol from being read; None: nothing that its holder could mend."""
    sides = _sides(symbol)
    longest = max(sides)
    height = scene.size[1]
    if _moves(scene, speed):
        return Hint.STILL
    if longest > LARGEST * height or (longest > CUT_FROM * height and _is_cut(symbol, scene.size)):
        return Hint.FURTHER
    if scene.glare >= GLARE or scene.clipped > CLIPPED_MOST or (scene.contrast < FAINT and scene.p50 > PALE):
        return Hint.GLARE
    if scene.p98 < DIM or scene.contrast < max(FAINT, FAINT_IN_NOISE * min(scene.noise, FAINT)):
        return Hint.BRIGHTER
    if min(sides) < FORESHORTENED * longest or _crooked(symbol) < CROOKED:
        return Hint.FLATTER
    if (module or longest / MODULES) < SMALLEST_MODULE:
        return Hint.CLOSER
    if 0 < scene.sharpness < SOFT:
        return _out_of_focus(scene, module or longest / MODULES)
    return None


def _out_of_focus(scene: Scene, module: float) -> Hint:
    if min(scene.sharp_across, scene.sharp_down) < SMOOTH * scene.sharpness:
        return Hint.STILL
    return Hint.FURTHER if module >= AMPLE_MODULE else Hint.CLOSER


def _moves(scene: Scene, speed: float) -> bool:
    sharp = sorted((scene.sharp_across, scene.sharp_down))
    return speed > FAST or (speed > SMEARED_FROM and sharp[0] < SMEARED * sharp[1])


def _is_cut(symbol: Corners, size: tuple[int, int]) -> bool:
    return any(not (2 < x < size[0] - 3 and 2 < y < size[1] - 3) for x, y in symbol)


def _crooked(symbol: Corners) -> float:
    """The smallest sine of a corner's angle: 1 for a rectangle."""
    following = (*symbol[1:], symbol[0])
    ways = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(symbol, following, strict=True)]
    turns = zip((ways[-1], *ways[:-1]), ways, strict=True)
    return min(abs(a[0] * b[1] - a[1] * b[0]) / max(1.0, hypot(*a) * hypot(*b)) for a, b in turns)


def _alike(one: Corners, other: Corners) -> bool:
    """Whether they are of about one size."""
    return ALIKE * _length(other) < _length(one) < _length(other) / ALIKE


def _middle(symbol: Corners) -> tuple[float, float]:
    across, down = zip(*symbol, strict=True)
    return sum(across) / len(symbol), sum(down) / len(symbol)


def _sides(corners: Corners) -> list[float]:
    return [dist(a, b) for a, b in zip(corners, (*corners[1:], corners[0]), strict=True)]


def _length(corners: Corners) -> float:
    return max(_sides(corners), default=0.0)
