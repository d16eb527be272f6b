"""The QR codes of a picture: zxing-cpp first, zbar on the half-size picture where it finds nothing.

zxing-cpp reads far more and costs less; zbar still wins on damaged, shadowed and hand-drawn
codes, and does so at half size for a quarter of the time. Only QR is looked for: other
symbologies cost time, print assertions (zbar) and would let a gate be opened by a barcode.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import zxingcpp
from pyzbar.pyzbar import ZBarSymbol
from pyzbar.pyzbar import decode as zbar_decode
from pyzbar.pyzbar_error import PyZbarError

from hardware import Found, Picture, Seen

LONGEST_SIDE = 65_535
"""zxing-cpp refuses longer pictures; no camera and no accepted photo has them."""
OURS = "G1"
Engine = Callable[[Picture], list[Found]]

# From zxing-cpp 3 on, QRCode means the whole family with Micro QR and rMQR; before, only QR itself.
_QR: Any = getattr(zxingcpp.BarcodeFormat, "QRCodeModel2", zxingcpp.BarcodeFormat.QRCode)

_FAULTS = (ValueError, TypeError, RuntimeError, MemoryError, OSError, ctypes.ArgumentError, PyZbarError)
"""What the engines raise on pictures they cannot take; such a picture has no codes."""


class QrDecoder:
    """Both engines behind :class:`hardware.Decoder`. ``second`` is the engine that takes zbar's turns."""

    def __init__(self, second: Engine | None = None) -> None:
        self._second = second or _zbar_half

    def decode(self, luma: Picture) -> list[Found]:
        """Codes in ``luma``, those starting with "G1" first; empty where there are none or it is no picture."""
        if not is_picture(luma):
            return []
        return ours_first(_guarded(_zxing, luma) or _guarded(self._second, luma) or _guarded(_zxing_half, luma))

    def watch(self) -> QrWatch:
        return QrWatch(self._second)


class QrWatch:
    """:class:`hardware.Watch`: zbar looks at every second frame that zxing-cpp found nothing in.

    Most frames show nobody, and the next one comes in 33 ms.
    """

    def __init__(self, second: Engine) -> None:
        self._second = second
        self._misses = 0

    def look(self, luma: Picture, at: float) -> Seen:
        if not is_picture(luma):
            return Seen([])
        found = _guarded(_zxing, luma)
        if not found:
            self._misses += 1
            if self._misses % 2:
                found = _guarded(self._second, luma)
        return Seen(ours_first(found))


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


def _zxing(luma: Picture) -> list[Found]:
    # Rotated and inverted codes are tried by default; releases before 2.3 do not know the name try_invert.
    # Plain: the default text mode replaces control characters by words.
    codes = zxingcpp.read_barcodes(np.ascontiguousarray(luma), formats=_QR, text_mode=zxingcpp.TextMode.Plain)
    found = []
    for code in codes:
        try:
            text = code.text
        except UnicodeDecodeError:
            continue  # not text in any encoding: nothing we could judge or show
        p = code.position
        corners = (p.top_left, p.top_right, p.bottom_right, p.bottom_left)
        found.append(Found(text, "zxing", tuple((int(c.x), int(c.y)) for c in corners)))
    return found


def _zxing_half(luma: Picture) -> list[Found]:
    return [_doubled(code) for code in _zxing(half(luma))]


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


def half(luma: Picture) -> Picture:
    """``luma`` at half size, each pixel the mean of 2x2; an odd last row or column is dropped.

    A picture of one row or column is returned as it is.
    """
    height, width = luma.shape[0] // 2 * 2, luma.shape[1] // 2 * 2
    if not height or not width:
        return luma
    even, odd = luma[0:height:2], luma[1:height:2]
    total = even[:, 0:width:2].astype(np.uint16)
    for part in (even[:, 1:width:2], odd[:, 0:width:2], odd[:, 1:width:2]):
        total += part
    return (total >> 2).astype(np.uint8)
