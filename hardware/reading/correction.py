"""Reed-Solomon over GF(256) as QR codes use it: errors whose place is unknown and erasures whose place is known.

An unknown error costs two parity codewords, an erasure one; that is why a thumb or a glare whose place is
seen may hide twice as much as one that is not. Source: ISO/IEC 18004:2015, 7.5 and annex A (field polynomial
x^8 + x^4 + x^3 + x^2 + 1, first root alpha^0); the joint decoding is Forney's, by Berlekamp and Massey's
algorithm started from the erasures' polynomial (Blahut, Algebraic Codes for Data Transmission, 7.4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_FIELD = 0x11D
_ORDER = 255


def _tables() -> tuple[list[int], list[int]]:
    powers, logs = [0] * (2 * _ORDER), [0] * 256
    value = 1
    for exponent in range(_ORDER):
        powers[exponent] = powers[exponent + _ORDER] = value
        logs[value] = exponent
        value <<= 1
        if value & 0x100:
            value ^= _FIELD
    return powers, logs


_POWER, _LOG = _tables()
_POWERS = np.array(_POWER, np.uint8)
_LOGS = np.array(_LOG, np.int64)
_ROOTS: NDArray[np.int64] = np.arange(64)


class Corrected(NamedTuple):
    """A block's codewords put right, and how many bits of the parity spoke for it beyond what the repair used up.

    A block of noise passes with a probability of about two to the power of minus ``evidence``.
    """

    codewords: NDArray[np.uint8]
    evidence: float


def correct(block: NDArray[np.uint8], parity: int, erased: Sequence[int] = ()) -> Corrected | None:
    """``block`` (1-D, its last ``parity`` codewords the parity) put right; None where that cannot be done.

    ``erased``: indices into ``block`` whose content says nothing.
    """
    syndromes = _syndromes(block, parity)
    if not any(syndromes):
        return Corrected(block, 8.0 * parity)
    if len(erased) > parity:
        return None
    locator = _locator(syndromes, _erasures(len(block), erased), len(erased))
    degree = len(locator) - 1
    if 2 * degree - len(erased) > parity:
        return None
    places = _roots(locator, len(block))
    if len(places) != degree:
        return None
    repaired = block.copy()
    for place, value in zip(places, _values(syndromes, locator, len(block), places), strict=True):
        repaired[place] ^= value
    if any(_syndromes(repaired, parity)):
        return None
    return Corrected(repaired, _evidence(len(block), parity, len(erased), degree - len(erased)))


def _evidence(length: int, parity: int, erasures: int, errors: int) -> float:
    """Bits of parity minus the choice the repair had: where the errors are and what they are."""
    choices = math.comb(length - erasures, errors)
    return 8.0 * (parity - erasures - errors) - math.log2(choices)


def _syndromes(block: NDArray[np.uint8], parity: int) -> list[int]:
    # The block's value at alpha^0 ... alpha^(parity-1).
    (places,) = np.nonzero(block)
    exponents = _LOGS[block[places]] + np.multiply.outer(_ROOTS[:parity], len(block) - 1 - places)
    terms = _POWERS[exponents % _ORDER]
    result: list[int] = np.bitwise_xor.reduce(terms, axis=1).tolist()
    return result


def _erasures(length: int, erased: Sequence[int]) -> list[int]:
    """The polynomial, lowest power first, whose roots are the inverses of the erased places."""
    polynomial = [1]
    for place in erased:
        factor = length - 1 - place
        shifted = [0, *(_POWER[_LOG[c] + factor] if c else 0 for c in polynomial)]
        polynomial = [a ^ b for a, b in zip([*polynomial, 0], shifted, strict=True)]
    return polynomial


def _product(a: int, b: int) -> int:
    return _POWER[_LOG[a] + _LOG[b]] if a and b else 0


def _locator(syndromes: list[int], start: list[int], erasures: int) -> list[int]:
    """Berlekamp-Massey: the shortest polynomial that has the erasures' roots and explains the syndromes."""
    current, before = start[:], start[:]
    length, gap, last = erasures, 1, 1
    for number in range(erasures, len(syndromes)):
        wrong = 0
        for power in range(min(len(current), number + 1)):
            wrong ^= _product(current[power], syndromes[number - power])
        if not wrong:
            gap += 1
            continue
        scale = _LOG[wrong] + _ORDER - _LOG[last]
        change = [0] * gap + [_POWER[(_LOG[c] + scale) % _ORDER] if c else 0 for c in before]
        longer = max(len(current), len(change))
        updated = [
            (current[i] if i < len(current) else 0) ^ (change[i] if i < len(change) else 0) for i in range(longer)
        ]
        if 2 * length <= number + erasures:
            before, last, gap = current, wrong, 1
            length = number + 1 + erasures - length
        else:
            gap += 1
        current = updated
    while current and not current[-1]:
        current.pop()
    return current


def _evaluated(polynomial: list[int], exponents: NDArray[np.int64]) -> NDArray[np.uint8]:
    total: NDArray[np.uint8] = np.zeros(len(exponents), np.uint8)
    for power, coefficient in enumerate(polynomial):
        if coefficient:
            total ^= _POWERS[(_LOG[coefficient] + power * exponents) % _ORDER]
    return total


def _roots(locator: list[int], length: int) -> list[int]:
    """Places of the block whose inverse is a root of ``locator``."""
    inverse = (_ORDER - (length - 1 - np.arange(length))) % _ORDER
    places: list[int] = np.flatnonzero(_evaluated(locator, inverse) == 0).tolist()
    return places


def _values(syndromes: list[int], locator: list[int], length: int, places: list[int]) -> list[int]:
    """Forney: what to add at each place."""
    evaluator = [0] * len(syndromes)
    for i, coefficient in enumerate(locator):
        for j in range(len(syndromes) - i):
            evaluator[i + j] ^= _product(coefficient, syndromes[j])
    slope = [c if power % 2 else 0 for power, c in enumerate(locator)]  # the derivative times x
    exponents = (_ORDER - (length - 1 - np.array(places, np.int64))) % _ORDER
    above, below = _evaluated(evaluator, exponents), _evaluated(slope, exponents)
    # alpha^(place) cancels: the derivative was taken times x, and the first root is alpha^0.
    return [
        _POWER[(_LOG[int(a)] + _ORDER - _LOG[int(b)]) % _ORDER] if a and b else 0
        for a, b in zip(above, below, strict=True)
    ]
