"""A phone's code as a picture that a browser can change by itself, without knowing how a QR code is made. Pure.

For a fixed version, error level and mask every module of a QR code is the XOR of some bits of its text: Reed-Solomon
codes are linear, and placing and masking move and flip bits, whatever they are (ISO/IEC 18004, 7.5 to 7.8). So one
matrix with zeros in place of the last nine characters, and for every bit of those nine the modules it turns over, are
enough: the browser XORs what the digits at hand ask for. The turned modules are the same for every text and mask.

The last nine of 131 characters, ``.`` and eight digits, are four pairs of 11 bits and a single of 6 (7.4.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import segno
from markupsafe import Markup

from sync.credential import CARD_CHARACTERS, PHONE_CHARACTERS
from sync.server.passes import card

VERSION = 8
LEVEL: card.Level = "q"
"""At M it would be version 6 with modules larger by a sixth. Both are read well where a phone is held, 25 cm from the
camera: on a page 57 mm wide Q has 3.8 camera pixels a module, and on the narrowest phones still 3. But a fingertip or
a reflection on an eighth of the code leaves 3 in 10 phones readable at M, and all at Q."""
SIZE = 17 + 4 * VERSION
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_TAIL = PHONE_CHARACTERS - CARD_CHARACTERS
_PAIR_BITS, _SINGLE_BITS = 11, 6
Matrix = int
"""``SIZE`` × ``SIZE`` modules, row by row, the first one highest; 1 is black."""


def draw(text: str, mask: int | None = None) -> segno.QRCode:
    """The code of 131 characters, the way all of this counts on."""
    return card.encoded(text, LEVEL, version=VERSION, mode="alphanumeric", mask=mask)


def matrix_of(code: segno.QRCode) -> Matrix:
    modules = 0
    for row in code.matrix:
        for module in row:
            modules = modules << 1 | (module & 1)
    return modules


def base(text: str) -> Matrix:
    """The code of a credential (122 characters) with nothing but zeros behind it."""
    return matrix_of(draw(text + "0" * _TAIL))


@lru_cache(maxsize=1)
def moves() -> tuple[Matrix, ...]:
    """What each bit behind the credential turns over, in the order of :func:`bits_of`."""
    start = "G1" + "0" * (CARD_CHARACTERS - 2)
    still = matrix_of(draw(start + "0" * _TAIL, mask=0))
    return tuple(matrix_of(draw(start + tail, mask=0)) ^ still for tail in _tails())


def _tails() -> Iterable[str]:
    """Nine characters with exactly one bit set, for every bit."""
    for place in range(0, _TAIL, 2):
        pair = place + 1 < _TAIL
        for bit in reversed(range(_PAIR_BITS if pair else _SINGLE_BITS)):
            high, low = divmod(1 << bit, len(ALPHABET))
            shown = ALPHABET[high] + ALPHABET[low] if pair else ALPHABET[low]
            yield ("0" * place + shown).ljust(_TAIL, "0")


def bits_of(tail: str) -> str:
    """The bits of nine characters, as 0 and 1, highest first: what the browser's script does, too."""
    values = [ALPHABET.index(sign) for sign in tail]
    pairs = [
        f"{high * len(ALPHABET) + low:0{_PAIR_BITS}b}" for high, low in zip(values[::2], values[1::2], strict=False)
    ]
    return "".join(pairs) + f"{values[-1]:0{_SINGLE_BITS}b}"


def packed(matrix: Matrix) -> bytes:
    """As bytes, filled up with zeros at the end."""
    spare = -SIZE * SIZE % 8
    return (matrix << spare).to_bytes((SIZE * SIZE + spare) // 8, "big")


def picture(text: str) -> Markup:
    """The code of 131 characters as an SVG, for browsers that cannot draw it themselves."""
    return card.code_of(draw(text)).svg()
