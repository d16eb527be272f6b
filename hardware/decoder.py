"""The QR codes of a picture: a ladder of readers, the cheap and strong ones first.

1. zxing-cpp on the full luma plane, every frame: 2-3 ms, and it reads most of what there is.
2. Where it finds nothing: our own reading (:mod:`hardware.locate`, :mod:`hardware.fusion`), which needs no
   sharp finder patterns, undoes blur by what every symbol shows, corrects errors and erasures together, and adds up
   successive frames of one symbol.
3. In turn with it zbar at half size, and zxing-cpp on the changed picture: another look for what is no ordinary symbol.

Only QR is looked for: other symbologies cost time, print assertions (zbar) and would let a gate be
opened by a barcode.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import zxingcpp
from pyzbar.pyzbar import ZBarSymbol
from pyzbar.pyzbar import decode as zbar_decode
from pyzbar.pyzbar_error import PyZbarError

from hardware import Found, Picture, Seen
from hardware.analysis import analyse
from hardware.fusion import Read, Track
from hardware.hints import Hinter, foremost, region_of
from hardware.lattice import Fit, half, refitted
from hardware.locate import placement
from hardware.motion import MotionGate
from hardware.symbol import picture, side
from hardware.texture import REGIONS, regions, unbanded

LONGEST_SIDE = 65_535
"""zxing-cpp refuses longer pictures; no camera and no accepted photo has them."""
OURS = "G1"
CLEAN_PIXELS = 2
Engine = Callable[[Picture], list[Found]]

# From zxing-cpp 3 on, QRCode means the whole family with Micro QR and rMQR; before, only QR itself.
_QR: Any = getattr(zxingcpp.BarcodeFormat, "QRCodeModel2", zxingcpp.BarcodeFormat.QRCode)

_FAULTS = (
    ArithmeticError,
    LookupError,
    ValueError,
    TypeError,
    RuntimeError,
    MemoryError,
    OSError,
    ctypes.ArgumentError,
    PyZbarError,
)
"""What the engines raise on pictures they cannot take; such a picture has no codes."""
TRACK_S = 0.7
"""A symbol not located for so long is gone, and what was heard of it is forgotten."""


class QrDecoder:
    """The ladder behind :class:`hardware.Decoder`. ``second`` is the engine that takes zbar's turns."""

    def __init__(self, second: Engine | None = None) -> None:
        self._second = second or _zbar_half

    def decode(self, luma: Picture) -> list[Found]:
        """Codes in ``luma``, those starting with "G1" first; empty where there are none or it is no picture."""
        if not is_picture(luma):
            return []
        found, _ = _zxing(luma)
        found = found or _guarded(self._second, luma) or _guarded(_zxing_half, luma) or _guarded(_sampled, luma)
        return ours_first(found)

    def watch(self) -> QrWatch:
        return QrWatch(self._second)


class QrWatch:
    """:class:`hardware.Watch`: the gate of motion, then the ladder, each rung in its turn."""

    def __init__(self, second: Engine) -> None:
        self._second = second
        self._gate = MotionGate()
        self._hinter = Hinter()
        self._track: Track | None = None
        self._turn = 0

    def look(self, luma: Picture, at: float) -> Seen:
        if not is_picture(luma):
            return Seen([])
        if not self._gate.step(luma, at):
            return Seen([], stirred=False)
        found, unread = _zxing(luma)
        found = found or self._further(luma, unread, at)
        return self._told(luma, found, at)

    def _further(self, luma: Picture, unread: list[Fit], at: float) -> list[Found]:
        """What the rungs after zxing-cpp read in this frame."""
        if self._track and at - self._track.seen_at > TRACK_S:
            self._track = None
        self._turn += 1
        if self._track:
            found = self._followed(self._track, luma, at)
            if found or self._track.seen_at == at:
                return found
        if self._turn % 4 == 2:
            return _guarded(self._second, luma)
        return _guarded(lambda shown: self._searched(shown, unread, at), luma)

    def _followed(self, track: Track, luma: Picture, at: float) -> list[Found]:
        return _guarded(lambda shown: _found(track.follow(shown, at), track), luma)

    def _searched(self, luma: Picture, unread: list[Fit], at: float) -> list[Found]:
        """A symbol looked for anew: where zxing-cpp saw one, else in the densest region of the picture."""
        inverted = self._turn % 8 == 4
        luma, found, fit = _searched(luma, unread, inverted, self._turn % 8 == 0)
        if found or fit is None:
            return found
        if self._track is None or self._track.inverted != inverted:
            self._track = Track(fit, inverted)
        return _found(self._track.meet(luma, fit, at), self._track)

    def _told(self, luma: Picture, found: list[Found], at: float) -> Seen:
        """What was seen, and the hint for whoever holds up what could not be read."""
        symbols: tuple[tuple[tuple[int, int], ...], ...] = ()
        module = None
        if self._track and not found and self._track.seen_at == at:
            symbols, module = (_whole(self._track.fit),), self._track.fit.module
        for corners in [*(code.corners for code in found), *symbols]:
            self._gate.seen(corners, at)
        if found:
            self._track = None
        place = foremost(symbols)
        scene = None if found else analyse(luma, region_of(place) if place else None)
        hint = self._hinter.step(symbols, scene, self._gate.occupied, bool(found), at, module)
        return Seen(ours_first(found), symbols, True, hint)


def is_picture(luma: Picture) -> bool:
    return bool(luma.ndim == 2 and luma.dtype == np.uint8 and luma.size and max(luma.shape) <= LONGEST_SIDE)


def ours_first(found: Iterable[Found]) -> list[Found]:
    """The same codes, each text once, passes before anything else, else in the order found."""
    unique: dict[str, Found] = {}
    for code in found:
        unique.setdefault(code.text, code)
    return sorted(unique.values(), key=lambda code: not code.text.startswith(OURS))


def _guarded(engine: Engine, luma: Picture) -> list[Found]:
    try:
        return engine(luma)
    except _FAULTS:
        return []


def _searched(luma: Picture, unread: list[Fit], inverted: bool, which: int) -> tuple[Picture, list[Found], Fit | None]:
    """The picture as it is best looked at, what could be read at once, and else where a symbol lies."""
    shown = np.invert(luma) if inverted else luma
    if unread:
        return luma, [], refitted(shown, unread[0])
    places = regions(half(shown))
    if which >= len(places):
        return luma, [], None
    even = unbanded(shown, places[which])
    if even is None:
        return luma, [], placement(shown, places[which])
    found, _ = _zxing(even)
    return np.invert(even) if inverted else even, found, None if found else placement(even, places[which])


def _sampled(luma: Picture) -> list[Found]:
    found: list[Found] = []
    for inverted in (False, True):
        for which in range(REGIONS):
            shown, read, fit = _searched(luma, [], inverted, which)
            found += read
            if fit is not None:
                track = Track(fit, inverted)
                found += _found(track.meet(shown, fit, 0.0), track)
    return found


def _found(read: Read | None, track: Track) -> list[Found]:
    """The text of a symbol that was put right: what its codewords mean is zxing-cpp's business."""
    if read is None:
        return []
    engine = "sampled" if read.frames == 1 else f"fused {read.frames}"
    codes, _ = _zxing(picture(read.symbol, CLEAN_PIXELS))
    return [code._replace(engine=engine, corners=_whole(track.fit)) for code in codes]


def _whole(fit: Fit) -> tuple[tuple[int, int], ...]:
    return tuple((round(float(x)), round(float(y))) for x, y in fit.corners)


def _zxing(luma: Picture) -> tuple[list[Found], list[Fit]]:
    """The codes zxing-cpp reads, and where it sees one that it cannot read."""
    # Rotated and inverted codes are tried by default; releases before 2.3 do not know the name try_invert.
    # Plain: the default text mode replaces control characters by words.
    try:
        codes = zxingcpp.read_barcodes(
            np.ascontiguousarray(luma), formats=_QR, text_mode=zxingcpp.TextMode.Plain, return_errors=True
        )
    except _FAULTS:
        return [], []
    found: list[Found] = []
    unread: list[Fit] = []
    for code in codes:
        p = code.position
        corners = tuple((int(c.x), int(c.y)) for c in (p.top_left, p.top_right, p.bottom_right, p.bottom_left))
        if not code.valid:
            unread += _seen_only(code, corners)
            continue
        try:
            found.append(Found(code.text, "zxing", corners))
        except UnicodeDecodeError:
            continue  # not text in any encoding: nothing we could judge or show
    return found, unread


def _seen_only(code: Any, corners: tuple[tuple[int, int], ...]) -> Iterator[Fit]:
    try:
        version = int(code.extra["Version"])
        side(version)
    except (AttributeError, KeyError, TypeError, ValueError):
        return  # releases before 3, or a symbol of which not even the version is known
    yield Fit(np.array(corners, np.float64), version, 0.0)


def _zxing_half(luma: Picture) -> list[Found]:
    found, _ = _zxing(half(luma))
    return [_doubled(code) for code in found]


def _zbar_half(luma: Picture) -> list[Found]:
    small = half(luma)
    height, width = small.shape
    codes = zbar_decode((small.tobytes(), width, height), symbols=[ZBarSymbol.QRCODE])
    return [
        _doubled(Found(code.data.decode("utf-8", "replace"), "zbar", tuple((int(p.x), int(p.y)) for p in code.polygon)))
        for code in codes
    ]


def _doubled(code: Found) -> Found:
    return code._replace(corners=tuple((2 * x, 2 * y) for x, y in code.corners))
