"""Reed-Solomon: all that can be put right is put right, and what cannot is never put wrong with conviction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.reading.correction import correct
from hardware.reading.symbol import EVIDENCE

Words = np.ndarray
FIELD = 0x11D
SIZES = ((26, 7), (26, 17), (44, 28), (33, 18), (46, 24), (145, 30), (153, 30))
"""Codewords of a block, parity ones among them: the least and the most that QR has, and a card's."""


def product(a: int, b: int) -> int:
    """In GF(256), bit by bit: this test's own arithmetic."""
    total = 0
    while b:
        total ^= a * (b & 1)
        a, b = (a << 1) ^ (FIELD if a & 0x80 else 0), b >> 1
    return total


def generator(parity: int) -> list[int]:
    """The highest power first, without its leading 1."""
    polynomial, root = [1], 1
    for _ in range(parity):
        raised = [*polynomial, 0]
        for place, coefficient in enumerate(polynomial):
            raised[place + 1] ^= product(coefficient, root)
        polynomial, root = raised, product(root, 2)
    return polynomial[1:]


GENERATORS = {parity: generator(parity) for _, parity in SIZES}


def encoded(message: list[int], parity: int) -> Words:
    """The message and its parity, by long division."""
    rest = [0] * parity
    for word in message:
        lead = word ^ rest[0]
        rest = [a ^ product(lead, b) for a, b in zip([*rest[1:], 0], GENERATORS[parity], strict=True)]
    return np.array([*message, *rest], np.uint8)


class Hurt(NamedTuple):
    truth: Words
    block: Words
    parity: int
    erased: list[int]
    errors: int


def hurt(rng: np.random.Generator, size: tuple[int, int], errors: int, erasures: int) -> Hurt:
    """A block with ``errors`` wrong codewords that nobody knows of, and ``erasures`` known to say nothing."""
    length, parity = size
    truth = encoded(rng.integers(0, 256, length - parity).tolist(), parity)
    places = rng.permutation(length)[: errors + erasures]
    block = truth.copy()
    block[places[:errors]] ^= rng.integers(1, 256, errors).astype(np.uint8)
    block[places[errors:]] = rng.integers(0, 256, erasures)
    return Hurt(truth, block, parity, places[errors:].tolist(), errors)


seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@given(seeds, st.sampled_from(SIZES), st.data())
@settings(max_examples=200, deadline=None)
def test_errors_and_erasures_within_the_parity_are_all_put_right(
    rng: np.random.Generator, size: tuple[int, int], choice: st.DataObject
) -> None:
    erasures = choice.draw(st.integers(0, size[1]), "erasures")
    errors = choice.draw(st.integers(0, (size[1] - erasures) // 2), "errors")
    case = hurt(rng, size, errors, erasures)
    before = case.block.copy()
    result = correct(case.block, case.parity, case.erased)
    assert result is not None
    assert (result.codewords == case.truth).all()
    assert (case.block == before).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_an_erasure_costs_half_of_an_error(size: tuple[int, int]) -> None:
    rng, parity = np.random.default_rng(4), size[1]
    for errors, erasures in ((parity // 2, parity % 2), (0, parity), (parity // 4, parity - 2 * (parity // 4))):
        case = hurt(rng, size, errors, erasures)
        result = correct(case.block, parity, case.erased)
        assert result is not None
        assert (result.codewords == case.truth).all()


@given(seeds, st.sampled_from(SIZES), st.data())
@settings(max_examples=200, deadline=None)
def test_beyond_the_parity_nothing_wrong_is_told_with_conviction(
    rng: np.random.Generator, size: tuple[int, int], choice: st.DataObject
) -> None:
    length, parity = size
    erasures = choice.draw(st.integers(0, parity), "erasures")
    errors = choice.draw(st.integers((parity - erasures) // 2 + 1, length - erasures), "errors")
    case = hurt(rng, size, errors, erasures)
    result = correct(case.block, parity, case.erased)
    assert result is None or (result.codewords == case.truth).all() or result.evidence < EVIDENCE


def test_noise_passes_as_rarely_as_its_evidence_says() -> None:
    rng, length, parity = np.random.default_rng(8), 26, 7
    passed = [correct(rng.integers(0, 256, length, np.uint8), parity, range(f)) for _ in range(700) for f in (0, 3, 5)]
    evidence = np.array([result.evidence for result in passed if result is not None])
    for bits in (4, 8, 12):
        expected = len(passed) * 2.0**-bits
        assert (evidence >= bits).sum() <= expected + 4 * np.sqrt(expected) + 3
    assert len(evidence) < 1 or evidence.max() < EVIDENCE


def test_evidence_is_spent_by_what_was_put_right() -> None:
    rng, size = np.random.default_rng(5), (44, 28)

    def evidence(errors: int, erasures: int) -> float:
        case = hurt(rng, size, errors, erasures)
        result = correct(case.block, case.parity, case.erased)
        assert result is not None
        return result.evidence

    assert evidence(0, 0) == 8 * 28
    one_by_one = [evidence(errors, 0) for errors in range(15)]
    assert one_by_one == sorted(one_by_one, reverse=True)
    assert evidence(0, 9) > evidence(9, 0)
    assert evidence(0, 28) <= 0, "with all parity spent on erasures any block passes"


def test_a_clean_block_stays_as_it_is_whatever_is_said_to_be_erased() -> None:
    truth = encoded(list(range(30)), 18)
    for erased in ((), range(18), range(48)):
        result = correct(truth, 18, list(erased))
        assert result is not None
        assert (result.codewords == truth).all()


def test_more_erasures_than_parity_are_given_up() -> None:
    case = hurt(np.random.default_rng(6), (44, 28), 0, 29)
    assert correct(case.block, 28, case.erased) is None
    assert correct(case.block, 28, list(range(44))) is None


def test_erased_places_that_were_right_all_the_same_do_no_harm() -> None:
    case = hurt(np.random.default_rng(7), (44, 28), 5, 0)
    wrong = set(np.flatnonzero(case.block != case.truth).tolist())
    right = [place for place in range(44) if place not in wrong][:18]
    result = correct(case.block, 28, right)
    assert result is not None
    assert (result.codewords == case.truth).all()
