"""What a QR code of a given version consists of, and how its modules become codewords.

Everything here is counted in modules: row and column from the symbol's top left, dark is +1, light -1 and
unknown 0. Soft values are any reals of that sense: their size says how sure a module is.
Source of all tables and rules: ISO/IEC 18004:2015 (clauses 6.3, 7.5 to 7.10, annexes A, C, D and E).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hardware import Picture
from hardware.reading.correction import correct

Soft = NDArray[np.float32]
Places = NDArray[np.intp]

VERSIONS = range(1, 41)
FINDER = 7
QUIET = 4
LEVELS = "MLHQ"
"""Correction levels in the order of their two bits in the format information."""
EVIDENCE = 34.0
"""Bits of unspent parity below which a repair is not believed: a chance of about 1 in 10^10 a trial."""
BLOCK_EVIDENCE = 20.0
"""Evidence below which a block is not believed: one wrong block makes a wrong text, however sure the others are."""
FORMATS_TRIED = 2
FORMAT_CLOSE = 0.8
"""A second format is tried when it fits so nearly as well."""
_PARITY = {
    "L": "7 10 15 20 26 18 20 24 30 18 20 24 26 30 22 24 28 30 28 28 "
    "28 28 30 30 26 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
    "M": "10 16 26 18 24 16 18 22 22 26 30 22 22 24 24 28 28 26 26 26 "
    "26 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28",
    "Q": "13 22 18 26 18 24 18 22 20 24 28 26 24 20 30 24 28 28 26 30 "
    "28 30 30 30 30 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
    "H": "17 28 22 16 22 28 26 26 24 28 24 28 22 24 24 30 28 28 26 28 "
    "30 24 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
}
"""Of versions 1 to 40: parity codewords of a block, and blocks (table 9)."""
_BLOCKS = {
    "L": "1 1 1 1 1 2 2 2 2 4 4 4 4 4 6 6 6 6 7 8 8 9 9 10 12 12 12 13 14 15 16 17 18 19 19 20 21 22 24 25",
    "M": "1 1 1 2 2 4 4 4 5 5 5 8 9 9 10 10 11 13 14 16 17 17 18 20 21 23 25 26 28 29 31 33 35 37 38 40 43 45 47 49",
    "Q": "1 1 2 2 4 4 6 6 8 8 8 10 12 16 12 17 16 18 21 20 23 23 25 27 29 34 34 35 38 40 43 45 48 51 53 56 59 62 65 68",
    "H": "1 1 2 4 4 4 5 6 8 8 11 11 16 16 18 16 19 21 25 25 "
    "25 34 30 32 35 37 40 42 45 48 51 54 57 60 63 66 70 74 77 81",
}


def side(version: int) -> int:
    """Modules along one side, without the quiet zone."""
    return 17 + 4 * version


class Layout(NamedTuple):
    """Where things are in a symbol of one version.

    ``fixed`` (n, n): the modules every symbol of the version shows, +1 or -1, and 0 where it differs;
    ``format_places`` (2, 15, 2) and ``data_places`` (bits, 2): row and column of each bit, in order.
    """

    version: int
    fixed: Soft
    format_places: Places
    data_places: Places


@cache
def layout(version: int) -> Layout:
    n = side(version)
    fixed, taken = np.zeros((n, n), np.float32), np.zeros((n, n), bool)
    _draw_finders(fixed, taken)
    _draw_timing(fixed, taken)
    _draw_alignment(fixed, taken, version)
    _draw_version(fixed, taken, version)
    places = _format_places(n)
    taken[tuple(places.reshape(-1, 2).T)] = True
    taken[n - 8, 8], fixed[n - 8, 8] = True, 1
    return Layout(version, fixed, places, _data_places(taken, version))


def _draw_finders(fixed: Soft, taken: NDArray[np.bool_]) -> None:
    n = len(fixed)
    rings = np.maximum(*np.abs(np.mgrid[-4:5, -4:5]))
    pattern = np.where((rings == 2) | (rings == 4), -1, 1).astype(np.float32)
    for top, left in ((-1, -1), (-1, n - 8), (n - 8, -1)):
        rows, columns = slice(max(top, 0), min(top + 9, n)), slice(max(left, 0), min(left + 9, n))
        fixed[rows, columns] = pattern[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        taken[rows, columns] = True


def _draw_timing(fixed: Soft, taken: NDArray[np.bool_]) -> None:
    along = np.arange(8, len(fixed) - 8)
    fixed[6, along] = fixed[along, 6] = 1 - 2 * (along % 2)
    taken[6, along] = taken[along, 6] = True


def _draw_alignment(fixed: Soft, taken: NDArray[np.bool_], version: int) -> None:
    rings = np.maximum(*np.abs(np.mgrid[-2:3, -2:3]))
    pattern = np.where(rings == 1, -1, 1).astype(np.float32)
    for row, column in alignment_centres(version):
        fixed[row - 2 : row + 3, column - 2 : column + 3] = pattern
        taken[row - 2 : row + 3, column - 2 : column + 3] = True


def alignment_centres(version: int) -> list[tuple[int, int]]:
    """Row and column of each alignment pattern's middle (annex E)."""
    if version == 1:
        return []
    count = version // 7 + 2
    step = 26 if version == 32 else (version * 4 + count * 2 + 1) // (count * 2 - 2) * 2
    last = side(version) - 7
    along = [6, *(last - step * i for i in reversed(range(count - 1)))]
    corners = {(6, 6), (6, last), (last, 6)}
    return [(row, column) for row in along for column in along if (row, column) not in corners]


def _draw_version(fixed: Soft, taken: NDArray[np.bool_], version: int) -> None:
    if version < 7:
        return
    n, code = len(fixed), _bch(version, 12, 0x1F25)
    for bit in range(18):
        value = 1 if code >> bit & 1 else -1
        for row, column in ((bit // 3, n - 11 + bit % 3), (n - 11 + bit % 3, bit // 3)):
            fixed[row, column], taken[row, column] = value, True


def _bch(value: int, check_bits: int, generator: int) -> int:
    rest = value << check_bits
    while rest.bit_length() > check_bits:
        rest ^= generator << (rest.bit_length() - generator.bit_length())
    return value << check_bits | rest


def _format_places(n: int) -> Places:
    """Both copies, the highest bit first."""
    beside = [(8, c) for c in (0, 1, 2, 3, 4, 5, 7, 8)] + [(r, 8) for r in (7, 5, 4, 3, 2, 1, 0)]
    apart = [(n - 1 - i, 8) for i in range(7)] + [(8, n - 8 + i) for i in range(8)]
    return np.array([beside, apart], np.intp)


def _data_places(taken: NDArray[np.bool_], version: int) -> Places:
    """Upwards and downwards in double columns from the right, around everything that is fixed (7.7.3)."""
    n, places = len(taken), []
    for number, right in enumerate([*range(n - 1, 6, -2), *range(5, 0, -2)]):
        rows = range(n - 1, -1, -1) if number % 2 == 0 else range(n)
        places += [(row, column) for row in rows for column in (right, right - 1) if not taken[row, column]]
    return np.array(places[: len(places) // 8 * 8], np.intp)


@cache
def _masks(version: int) -> Soft:
    """(8, bits): -1 where a mask turns a data bit around, else +1 (7.8.2)."""
    r, c = layout(version).data_places.T
    rules = (
        (r + c) % 2,
        r % 2,
        c % 3,
        (r + c) % 3,
        (r // 2 + c // 3) % 2,
        r * c % 2 + r * c % 3,
        (r * c % 2 + r * c % 3) % 2,
        ((r + c) % 2 + r * c % 3) % 2,
    )
    return np.stack([np.where(rule == 0, -1, 1) for rule in rules]).astype(np.float32)


class Format(NamedTuple):
    level: str
    mask: int


@cache
def _formats() -> tuple[list[Format], Soft]:
    """The 32 formats and their 15 bits as +1 and -1 (7.9)."""
    words = [_bch(bits, 10, 0x537) ^ 0x5412 for bits in range(32)]
    signs = [[1 if word >> bit & 1 else -1 for bit in range(14, -1, -1)] for word in words]
    return [Format(LEVELS[bits >> 3], bits & 7) for bits in range(32)], np.array(signs, np.float32)


def likely_formats(soft: Soft, version: int) -> list[Format]:
    """The formats that fit the soft values (n, n) best, best first; both copies are heard together."""
    rows, columns = layout(version).format_places.transpose(2, 0, 1)
    heard = np.clip(soft[rows, columns], -1, 1).sum(axis=0)
    formats, signs = _formats()
    fits = signs @ heard
    best = np.argsort(fits)[::-1][:FORMATS_TRIED]
    return [formats[number] for number in best if fits[number] >= FORMAT_CLOSE * fits[best[0]]]


class Block(NamedTuple):
    """One block of codewords: their places in the symbol's sequence, the last ``parity`` of them parity."""

    places: Places
    parity: int


@cache
def blocks(version: int, level: str) -> tuple[Block, ...]:
    """How the sequence of codewords is made of blocks (7.5.1, 7.6)."""
    total = len(layout(version).data_places) // 8
    parity = int(_PARITY[level].split()[version - 1])
    count = int(_BLOCKS[level].split()[version - 1])
    short = total // count - parity
    lengths = [short + (number >= count - total % count) for number in range(count)]
    order: list[list[int]] = [[] for _ in range(count)]
    for place, number in enumerate(_interleaved(lengths, parity)):
        order[number].append(place)
    return tuple(Block(np.array(places, np.intp), parity) for places in order)


def _interleaved(lengths: Sequence[int], parity: int) -> Iterator[int]:
    for position in range(max(lengths)):
        yield from (number for number, length in enumerate(lengths) if position < length)
    for _ in range(parity):
        yield from range(len(lengths))


def repaired(soft: Soft, version: int) -> Soft | None:
    """The clean symbol (n, n) of +1 and -1 that these soft values are a poor picture of; None where that is not sure.

    Errors and erasures are corrected together; a result stands only when the parity left over speaks for
    it with ``EVIDENCE`` bits.
    """
    for form in likely_formats(soft, version):
        bits = soft[tuple(layout(version).data_places.T)] * _masks(version)[form.mask]
        words = _repaired_words(bits, blocks(version, form.level))
        if words is not None:
            return _drawn(words, version, form)
    return None


def _repaired_words(bits: Soft, parts: Sequence[Block]) -> NDArray[np.uint8] | None:
    hard = np.packbits(bits > 0)
    doubt = np.abs(bits).reshape(-1, 8).min(axis=1)
    evidence, words = 0.0, hard.copy()
    for part in parts:
        best = _repaired_block(hard[part.places], doubt[part.places], part.parity)
        if best is None:
            return None
        words[part.places], gained = best
        evidence += gained
    return words if evidence >= EVIDENCE and words.any() else None  # nothing but zeros is a codeword, and no symbol


def _repaired_block(words: NDArray[np.uint8], sure: Soft, parity: int) -> tuple[NDArray[np.uint8], float] | None:
    """With more and more of the least sure codewords taken as erased (Forney's generalized minimum distance)."""
    order = np.argsort(sure)
    for share in (0.0, 0.35, 0.6, 0.8):
        result = correct(words, parity, order[: int(share * parity)].tolist())
        if result is not None and result.evidence >= BLOCK_EVIDENCE:
            return result.codewords, result.evidence
    return None


def _drawn(words: NDArray[np.uint8], version: int, form: Format) -> Soft:
    plan = layout(version)
    symbol = plan.fixed.copy()
    formats, signs = _formats()
    for copy in plan.format_places:
        symbol[tuple(copy.T)] = signs[formats.index(form)]
    bits = np.unpackbits(words).astype(np.float32) * 2 - 1
    symbol[tuple(plan.data_places.T)] = bits * _masks(version)[form.mask]
    symbol[symbol == 0] = -1  # remainder bits: nobody reads them
    return symbol


def picture(symbol: Soft, pixels: int = 3) -> Picture:
    """A symbol (n, n) as a clean picture of itself, with its quiet zone."""
    shown = np.where(np.pad(symbol, QUIET, constant_values=-1) > 0, 0, 255).astype(np.uint8)
    return np.kron(shown, np.ones((pixels, pixels), np.uint8))
