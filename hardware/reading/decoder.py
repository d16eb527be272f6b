"""The QR codes of a picture: a ladder of readers, the cheap and strong ones first.

1. zxing-cpp on the full luma plane, every frame: 2-3 ms, and it reads most of what there is.
2. Where it finds nothing: our own reading (:mod:`hardware.reading.locate`, :mod:`hardware.reading.fusion`), which needs
   no sharp finder patterns, undoes blur by what every symbol shows, corrects errors and erasures together, and adds up
   successive frames of one symbol.
3. In turn with it what sees with other eyes: zxing-cpp on the changed region, zbar at half size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image

from hardware import OURS, Found, Picture, Seen
from hardware.reading.analysis import analyse
from hardware.reading.engines import EXTRAS, FAULTS, Corners, Engine, extra, extras_for, is_picture, zbar_half, zxing
from hardware.reading.fusion import REMEMBERED_S, ReadSymbol, Track
from hardware.reading.hints import Hinter, foremost, region_of
from hardware.reading.lattice import Fit, half, prepared, refitted
from hardware.reading.locate import LEAST_SCORE, placement
from hardware.reading.motion import MotionGate
from hardware.reading.symbol import QUIET, picture
from hardware.reading.texture import Box, regions, unbanded

CLEAN_PIXELS = 2


class Search(NamedTuple):
    """One way to look for a symbol of our own: which dense region, which polarity, which shape of modules."""

    which: int = 0
    inverted: bool = False
    shape: int = 0
    """0: square; 1: narrower or wider as the region's edges say; -1: the other way round."""


TURNS: tuple[Search | None, ...] = (
    Search(which=1),
    Search(),
    None,
    Search(shape=1),
    Search(inverted=True),
    Search(),
    None,
    Search(shape=-1),
)
"""What the frames of a presentation are searched for while nothing was located in it, by their number modulo eight;
None is zbar's turn."""
SQUEEZED = 0.62
"""Width to height of the modules of a card turned some 50 degrees away; a quarter more or less is still found."""
MOST_UNREAD = 8
LARGEST_EXTRA = 200_000
"""Pixels: a larger region of a frame is looked at smaller, for its time."""
CROWD = 4
"""A photo with this number of codes likely has more."""
PHOTO_SIDE = 1600
"""Pixels: all rungs but the first look at larger photos smaller."""


class QrDecoder:
    """The ladder behind :class:`hardware.Decoder`. ``second`` is the engine that takes zbar's turns."""

    def __init__(self, second: Engine = zbar_half) -> None:
        self._second = second

    def decode(self, luma: Picture, goes_on: Callable[[], bool] = lambda: True) -> list[Found]:
        """Codes in ``luma``, those starting with "G1" first; empty where there are none or it is no picture. No rung
        after the first is begun once ``goes_on`` says no."""
        if not is_picture(luma):
            return []
        looked = zxing(luma)
        found = list(looked.found)
        for rung in self._rungs(luma, looked.unread):
            if not goes_on():
                break
            found += _guarded(rung)
            if found and len(found) < CROWD:
                break
        return ours_first(found)

    def _rungs(self, luma: Picture, unread: list[Fit]) -> Iterator[Callable[[], list[Found]]]:
        """The ways to look at a photo again, the most promising first."""
        yield lambda: [code for fit in unread[:MOST_UNREAD] for code in _met(luma, refitted(luma, fit), False)]
        times = -(-max(luma.shape) // PHOTO_SIDE)
        small = np.asarray(Image.fromarray(np.ascontiguousarray(luma)).reduce(times)) if times > 1 else luma
        rungs = [
            partial(_own, small, Search()),
            *(partial(extra, small, name) for name in EXTRAS),
            partial(self._second, small),
            *(partial(_own, small, search) for search in TURNS if search not in (None, Search())),
        ]
        for rung in rungs:
            yield lambda rung=rung: [_enlarged(code, times) for code in rung()]  # type: ignore[misc]

    def watch(self) -> QrWatch:
        return QrWatch(self._second)


class QrWatch:
    """:class:`hardware.FrameWatch`: the gate of motion, then the ladder, each rung in its turn."""

    def __init__(self, second: Engine) -> None:
        prepared()
        self._second = second
        self._gate = MotionGate()
        self._hinter = Hinter()
        self._track: Track | None = None
        self._located = False
        self._turn = 0

    def look(self, luma: Picture, at: float) -> Seen:
        if not is_picture(luma):
            return Seen([])
        if not self._gate.step(luma, at):
            there = self._gate.occupied  # what stands still is not looked at in every frame, and is there all the same
            self._turn = self._turn if there else 0
            return Seen([], stirred=there, hint=self._hinter.shown if there else None, looked=False)
        found, unread = zxing(luma)
        if not _has_pass(found):
            rest = _without(luma, found)
            found = found + _guarded(lambda: self._further(rest, unread, at))
        return self._told(luma, found, at)

    def _further(self, luma: Picture, unread: list[Fit], at: float) -> list[Found]:
        """What the rungs after zxing-cpp read in this frame."""
        self._turn += 1
        if self._track and at - self._track.seen_at > REMEMBERED_S:
            self._track = None
        if self._track and self._located:
            read = self._track.follow(luma, at)
            self._located = self._track.seen_at == at
            return _text(read, self._track) or self._extra(luma, _around(self._track.fit, luma.shape))
        search = TURNS[self._turn % len(TURNS)]
        return self._searched(luma, search, unread, at) if search else self._second(luma)

    def _searched(self, luma: Picture, search: Search, unread: list[Fit], at: float) -> list[Found]:
        """A symbol looked for anew: where zxing-cpp saw one, else in a dense region of the picture."""
        for seen in unread[:1]:
            fit = refitted(luma, seen)
            if fit.score > LEAST_SCORE:
                return self._met(luma, fit, False, at)
        sight = _sight(luma, search)
        if sight is None:
            return []
        found = self._met(sight.luma, sight.fit, search.inverted, at) if sight.fit else sight.found
        return found or self._extra(luma, sight.box)

    def _met(self, luma: Picture, fit: Fit, inverted: bool, at: float) -> list[Found]:
        if self._track is None or self._track.inverted != inverted:
            self._track = Track(fit, inverted)
        read = self._track.meet(luma, fit, at, thoughts=0)  # the search has taken this frame's time
        self._located = self._track.seen_at == at
        return _text(read, self._track)

    def _extra(self, luma: Picture, box: Box) -> list[Found]:
        """One of the ways to look at a region again, those first that suit what it shows."""
        left, top, right, bottom = box
        part, times = luma[top:bottom, left:right], 1
        if part.size > LARGEST_EXTRA:
            part, times = half(part), 2
        order = extras_for(analyse(part))
        return [
            code._replace(corners=tuple((times * x + left, times * y + top) for x, y in code.corners))
            for code in extra(part, order[self._turn % len(order)])
        ]

    def _told(self, luma: Picture, found: list[Found], at: float) -> Seen:
        """What was seen, and the hint for anyone who holds up what could not be read."""
        symbols: tuple[Corners, ...] = ()
        module = None
        if self._track and not found and self._track.seen_at == at:
            symbols, module = (_corners(self._track.fit),), self._track.fit.module
        for corners in [*(code.corners for code in found), *symbols]:
            self._gate.seen(corners, at)
        if _has_pass(found):
            self._track, self._turn = None, 0
        place = foremost(symbols)
        scene = None if found else analyse(luma, region_of(place) if place else None)
        hint = self._hinter.step(symbols, scene, self._gate.occupied, bool(found), at, module)
        return Seen(ours_first(found), symbols, self._gate.occupied or bool(found or symbols), hint)


def ours_first(found: Iterable[Found]) -> list[Found]:
    """The codes, each text once, passes before anything else, else in the order found."""
    unique: dict[str, Found] = {}
    for code in found:
        unique.setdefault(code.text, code)
    return sorted(unique.values(), key=lambda code: not code.text.startswith(OURS))


def _has_pass(found: Iterable[Found]) -> bool:
    return any(code.text.startswith(OURS) for code in found)


def _without(luma: Picture, found: Iterable[Found]) -> Picture:
    """The picture with these codes covered: a poster that is read must not stand before the card that is not."""
    if not found:
        return luma
    rest = luma.copy()
    for code in found:
        left, top, right, bottom = region_of(code.corners)
        part = rest[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        part[...] = np.median(part) if part.size else 0
    return rest


def _guarded(rung: Callable[[], list[Found]]) -> list[Found]:
    try:
        return rung()
    except FAULTS:
        return []


class Sight(NamedTuple):
    """A region looked into: the picture without its bands, what zxing-cpp reads then, and else where a symbol lies."""

    box: Box
    luma: Picture
    found: list[Found]
    fit: Fit | None


def _sight(luma: Picture, search: Search) -> Sight | None:
    """What is seen in the dense region the search is for; None where there is no such region."""
    places = regions(half(luma))
    if search.which >= len(places):
        return None
    region = places[search.which]
    even = unbanded(luma, region)
    if even is not None:
        luma = even
        if found := zxing(luma).found:
            return Sight(region.box, luma, found, None)
    narrow = region.narrow == (search.shape > 0)
    aspect = 1.0 if search.shape == 0 else SQUEEZED if narrow else 1 / SQUEEZED
    fit = placement(np.invert(luma) if search.inverted else luma, region, aspect)
    return Sight(region.box, luma, [], fit)


def _own(luma: Picture, search: Search) -> list[Found]:
    """Our own reading of a photo's dense region."""
    sight = _sight(luma, search)
    if sight is None:
        return []
    return _met(sight.luma, sight.fit, search.inverted) if sight.fit else sight.found


def _met(luma: Picture, fit: Fit, inverted: bool) -> list[Found]:
    track = Track(fit, inverted)
    return _text(track.meet(luma, fit, 0.0), track)


def _text(read: ReadSymbol | None, track: Track) -> list[Found]:
    """The text of a symbol that was put right: what its codewords mean is zxing-cpp's business."""
    if read is None:
        return []
    engine = "sampled" if read.frames == 1 else f"fused {read.frames}"
    clean = zxing(picture(read.symbol, CLEAN_PIXELS)).found
    return [code._replace(engine=engine, corners=_corners(track.fit)) for code in clean]


def _enlarged(code: Found, times: int) -> Found:
    return code._replace(corners=tuple((times * x, times * y) for x, y in code.corners))


def _corners(fit: Fit) -> Corners:
    return tuple((round(float(x)), round(float(y))) for x, y in fit.corners)


def _around(fit: Fit, shape: tuple[int, ...]) -> Box:
    """The symbol with its quiet zone, within a picture of that shape."""
    margin = QUIET * fit.module
    low, high = fit.corners.min(axis=0) - margin, fit.corners.max(axis=0) + margin
    return max(0, int(low[0])), max(0, int(low[1])), min(shape[1], int(high[0]) + 1), min(shape[0], int(high[1]) + 1)
