"""The two decoders others wrote, zxing-cpp and zbar, and the changed pictures in which zxing-cpp sees more.

Only QR is looked for: other symbologies cost time, print assertions (zbar) and would let a gate be
opened by a barcode. No engine raises on any picture: what cannot be taken has no codes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import zxingcpp
from PIL import Image, ImageFilter
from pyzbar.pyzbar import ZBarSymbol
from pyzbar.pyzbar import decode as zbar_decode
from pyzbar.pyzbar_error import PyZbarError

from hardware import Found, Picture
from hardware.reading.analysis import Scene
from hardware.reading.lattice import Fit, half
from hardware.reading.symbol import side

Engine = Callable[[Picture], list[Found]]
Corners = tuple[tuple[int, int], ...]

LONGEST_SIDE = 65_535
"""zxing-cpp refuses longer pictures; no camera and no accepted photo has them."""
BRIGHT = 90
STRETCH = 1.6
LARGEST_ENLARGED = 150_000
BLURRED, FAINT, PALE, SOME_CLIPPED = 0.35, 100, 150.0, 0.02
"""Of :class:`hardware.reading.analysis.Scene`: sharpness, contrast, mean and clipped share."""

# From zxing-cpp 3 on, QRCode means the whole family with Micro QR and rMQR; before, only QR itself.
_QR: Any = getattr(zxingcpp.BarcodeFormat, "QRCodeModel2", zxingcpp.BarcodeFormat.QRCode)

FAULTS = (
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
"""What engines, numpy and Pillow raise on pictures they cannot take; such a picture has no codes."""


def is_picture(luma: Picture) -> bool:
    return bool(luma.ndim == 2 and luma.dtype == np.uint8 and luma.size and max(luma.shape) <= LONGEST_SIDE)


class Looked(NamedTuple):
    """What zxing-cpp made of a picture: the codes it read, and where it saw one that it could not read."""

    found: list[Found]
    unread: list[Fit]


def zxing(luma: Picture, binarizer: Any = zxingcpp.Binarizer.LocalAverage) -> Looked:
    # Rotated and inverted codes are tried by default; releases before 2.3 do not know the name try_invert.
    # Plain: the default text mode replaces control characters by words.
    try:
        codes = zxingcpp.read_barcodes(
            np.ascontiguousarray(luma),
            formats=_QR,
            text_mode=zxingcpp.TextMode.Plain,
            binarizer=binarizer,
            return_errors=True,
        )
    except FAULTS:
        return Looked([], [])
    looked = Looked([], [])
    for code in codes:
        p = code.position
        corners = tuple((int(c.x), int(c.y)) for c in (p.top_left, p.top_right, p.bottom_right, p.bottom_left))
        if not code.valid:
            looked.unread.extend(_seen_only(code, corners))
            continue
        try:
            looked.found.append(Found(code.text, "zxing", corners))
        except UnicodeDecodeError:
            continue  # not text in any encoding: nothing we could judge or show
    return looked


def _seen_only(code: Any, corners: Corners) -> Iterator[Fit]:
    try:
        version = int(code.extra["Version"])
        side(version)
    except (AttributeError, KeyError, TypeError, ValueError):
        return  # releases before 3, or a symbol of which not even the version is known
    yield Fit(np.array(corners, np.float64), version, 0.0)


def zbar_half(luma: Picture) -> list[Found]:
    """zbar on the half-size picture: a quarter of the time, and it reads more there than at full size."""
    small = half(luma)
    height, width = small.shape
    try:
        codes = zbar_decode((small.tobytes(), width, height), symbols=[ZBarSymbol.QRCODE])
    except FAULTS:
        return []
    return [
        Found(code.data.decode("utf-8", "replace"), "zbar", tuple((2 * int(p.x), 2 * int(p.y)) for p in code.polygon))
        for code in codes
    ]


Change = Callable[[Picture], tuple[Picture, float, float]]
"""The picture to look at, and by how much it is larger than the given one, across and down."""


def _curved(luma: Picture) -> tuple[Picture, float, float]:
    """Light parts pulled apart in a bright picture, dark parts in a dark one."""
    bright = float(np.median(luma[::8, ::8])) > BRIGHT
    curve = 255 * (np.arange(256) / 255) ** (2.0 if bright else 0.5)
    return curve.astype(np.uint8)[luma], 1, 1


def _sharpened(luma: Picture) -> tuple[Picture, float, float]:
    """Twice the difference to the mean over 3 by 3, and half that to the mean over 7 by 7, added."""
    image = Image.fromarray(luma)
    near, far = (np.asarray(image.filter(ImageFilter.BoxBlur(reach)), np.int16) for reach in (1, 3))
    return np.clip(luma + 2 * (luma - near) + (luma - far) // 2, 0, 255).astype(np.uint8), 1, 1


def _enlarged(luma: Picture) -> tuple[Picture, float, float]:
    image = Image.fromarray(luma)
    return np.asarray(image.resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC)), 2, 2


def _widened(luma: Picture, across: float, down: float) -> tuple[Picture, float, float]:
    """As if what leans away to the side, or backwards, stood upright."""
    image = Image.fromarray(luma)
    size = (round(across * image.width), round(down * image.height))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR)), across, down


_CHANGES: Mapping[str, Change] = {
    "curved": _curved,
    "sharpened": _sharpened,
    "enlarged": _enlarged,
    "across": partial(_widened, across=STRETCH, down=1.0),
    "down": partial(_widened, across=1.0, down=STRETCH),
}
GLOBAL = "global"
EXTRAS = (GLOBAL, *_CHANGES)


def extras_for(scene: Scene) -> list[str]:
    """EXTRAS, those first that suit what a region shows."""
    suits = {
        "sharpened": scene.sharpness < BLURRED,
        "curved": scene.contrast < FAINT or scene.mean > PALE or scene.clipped > SOME_CLIPPED,
        "enlarged": scene.sharpness >= BLURRED and scene.contrast >= FAINT,
    }
    return sorted(EXTRAS, key=lambda name: not suits.get(name, False))


def extra(luma: Picture, name: str) -> list[Found]:
    """zxing-cpp on a picture looked at in another way: one of EXTRAS."""
    if name == GLOBAL:
        return zxing(luma, zxingcpp.Binarizer.GlobalHistogram).found
    if name == "enlarged" and luma.size > LARGEST_ENLARGED:
        return []
    try:
        changed, across, down = _CHANGES[name](np.ascontiguousarray(luma))
    except FAULTS:
        return []
    return [
        code._replace(corners=tuple((round(x / across), round(y / down)) for x, y in code.corners))
        for code in zxing(changed).found
    ]
