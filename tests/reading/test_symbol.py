"""What a symbol consists of, against another's drawings, and symbols put right from poor and hurt modules."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from segno import consts

from hardware.reading.symbol import (
    EVIDENCE,
    QUIET,
    VERSIONS,
    Format,
    Soft,
    blocks,
    layout,
    likely_formats,
    picture,
    repaired,
    side,
)
from tests.fixtures.pictures.shown import PASS, modules, version_of, zxing_texts

LEVELS = "LMQH"
DARK = {consts.TYPE_FINDER_PATTERN_DARK, consts.TYPE_ALIGNMENT_PATTERN_DARK, consts.TYPE_TIMING_DARK,
        consts.TYPE_VERSION_DARK, consts.TYPE_DARKMODULE}  # fmt: skip
LIGHT = {consts.TYPE_FINDER_PATTERN_LIGHT, consts.TYPE_ALIGNMENT_PATTERN_LIGHT, consts.TYPE_TIMING_LIGHT,
         consts.TYPE_VERSION_LIGHT, consts.TYPE_SEPARATOR}  # fmt: skip
FORMAT = {consts.TYPE_FORMAT_DARK, consts.TYPE_FORMAT_LIGHT}
CARD = modules(PASS).astype(np.float32)
VERSION = version_of(CARD)


def named(version: int) -> np.ndarray:
    """(n, n): what segno says each module of a version is."""
    code = segno.make("A1", version=version, error="m", mask=version % 8, boost_error=False, micro=False)
    kinds = np.array([list(row) for row in code.matrix_iter(border=0, verbose=True)])
    kinds[8, -9] = consts.TYPE_DATA_DARK  # segno calls one module format that it fills with a codeword's bit
    return kinds


def soft(symbol: np.ndarray) -> Soft:
    return symbol.astype(np.float32)


def is_read_as(symbol: Soft | None, text: str) -> bool:
    return symbol is not None and zxing_texts(picture(symbol, 3)) == [text]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_laid_out_as_others_draw_it(version: int) -> None:
    kinds, plan = named(version), layout(version)
    assert kinds.shape == plan.fixed.shape == (side(version),) * 2
    assert (plan.fixed == np.isin(kinds, list(DARK)).astype(int) - np.isin(kinds, list(LIGHT)).astype(int)).all()
    formats = np.zeros(kinds.shape, bool)
    formats[tuple(plan.format_places.reshape(-1, 2).T)] = True
    assert (formats == np.isin(kinds, list(FORMAT))).all()
    carrying = np.zeros(kinds.shape, int)
    np.add.at(carrying, tuple(plan.data_places.T), 1)
    free = np.isin(kinds, [consts.TYPE_DATA_DARK, consts.TYPE_DATA_LIGHT])
    assert carrying.max() == 1
    assert not carrying[~free].any()
    assert 0 <= free.sum() - carrying.sum() < 8, "all but the remainder bits carry codewords"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_others_draw_is_whole_in_every_version_at_every_level(version: int, level: str) -> None:
    mask = (version + LEVELS.index(level)) % 8
    symbol = soft(modules(f"V{version}-{level}", version=version, error=level, mask=mask))
    assert likely_formats(symbol, version)[0] == Format(level, mask)
    clean = repaired(symbol, version)
    assert clean is not None
    carrying = np.zeros(symbol.shape, bool)
    carrying[tuple(layout(version).data_places.T)] = True
    known = carrying | (layout(version).fixed != 0)
    assert (clean[known] == symbol[known]).all()
    parts = blocks(version, level)
    assert sorted(place for part in parts for place in part.places) == list(
        range(len(layout(version).data_places) // 8)
    )


@pytest.mark.parametrize("version", [1, 2, 7, 14, 32, 40])
def test_what_is_drawn_is_read_by_zxing_with_the_same_text(version: int) -> None:
    text = f"SYMBOL {version}"
    clean = repaired(soft(modules(text, version=version, error="m")), version)
    assert clean is not None
    shown = picture(clean, 2)
    assert shown.shape == (2 * (side(version) + 2 * QUIET),) * 2
    assert zxing_texts(shown) == [text]


@given(st.integers(0, 2**32 - 1), st.sampled_from(LEVELS), st.integers(0, 7), st.sampled_from([1, 3, 7, 10, 25]))
@settings(max_examples=60, deadline=None)
def test_the_format_is_heard_in_spite_of_three_wrong_bits_in_each_copy(
    seed: int, level: str, mask: int, version: int
) -> None:
    rng, symbol = np.random.default_rng(seed), soft(modules("F", version=version, error=level, mask=mask))
    for copy in layout(version).format_places:
        places = copy[rng.permutation(15)[:3]]
        symbol[tuple(places.T)] *= -1
    assert Format(level, mask) in likely_formats(symbol, version)


def test_one_copy_of_the_format_is_enough() -> None:
    for copy in (0, 1):
        symbol = CARD.copy()
        symbol[tuple(layout(VERSION).format_places[copy].T)] = 0
        assert likely_formats(symbol, VERSION)[0].level == "Q"
        assert is_read_as(repaired(symbol, VERSION), PASS)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.42))
@settings(max_examples=60, deadline=None)
def test_noisy_modules_give_the_clean_symbol_back(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    heard = CARD + rng.normal(0, noise, CARD.shape).astype(np.float32)
    clean = repaired(heard, VERSION)
    assert clean is not None
    assert (clean == CARD).all()


def hurt(wrong: int, unknown: int, seed: int) -> Soft:
    """The card's symbol with ``wrong`` codewords of every block turned around, and ``unknown`` more of them unheard."""
    rng, symbol = np.random.default_rng(seed), CARD.copy()
    for part in blocks(VERSION, "Q"):
        places = rng.permutation(part.places)
        for number, word in enumerate(places[: wrong + unknown]):
            bits = layout(VERSION).data_places[8 * word : 8 * word + 8]
            symbol[tuple(bits.T)] *= -1.0 if number < wrong else 0.01 * rng.choice([-1.0, 1.0], 8)
    return symbol


PARITY = blocks(VERSION, "Q")[0].parity


@pytest.mark.parametrize("seed", range(5))
def test_wrong_codewords_are_put_right_as_far_as_the_parity_reaches(seed: int) -> None:
    for wrong in (1, PARITY // 4, PARITY // 2):
        assert is_read_as(repaired(hurt(wrong, 0, seed), VERSION), PASS)


@pytest.mark.parametrize("seed", range(5))
def test_nearly_twice_as_many_are_put_right_where_it_is_known_that_they_were_not_heard(seed: int) -> None:
    for unknown in (PARITY // 2 + 1, int(0.8 * PARITY)):
        assert is_read_as(repaired(hurt(0, unknown, seed), VERSION), PASS)
    assert repaired(hurt(int(0.8 * PARITY), 0, seed), VERSION) is None


def test_wrong_and_unheard_codewords_are_put_right_together() -> None:
    share = PARITY // 6
    assert is_read_as(repaired(hurt(share, PARITY // 2, 9), VERSION), PASS)


def test_what_is_beyond_the_parity_is_given_up() -> None:
    for wrong, unknown in ((PARITY // 2 + 1, 0), (PARITY // 2, PARITY // 2), (0, 2 * PARITY)):
        result = repaired(hurt(wrong, unknown, 3), VERSION)
        assert result is None or (result == CARD).all()


def test_noise_is_never_a_symbol() -> None:
    rng = np.random.default_rng(17)
    for version, tries in ((1, 500), (2, 300), (3, 200), (7, 100), (14, 30), (40, 4)):
        n = side(version)
        assert all(repaired(soft(rng.normal(0, 1, (n, n))), version) is None for _ in range(tries))


@given(st.integers(0, 2**32 - 1), st.sampled_from(LEVELS), st.integers(0, 7), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_noise_under_true_fixed_parts_and_a_true_format_is_never_a_symbol(
    seed: int, level: str, mask: int, version: int
) -> None:
    rng, symbol = np.random.default_rng(seed), soft(modules("N", version=version, error=level, mask=mask))
    symbol[tuple(layout(version).data_places.T)] = rng.normal(0, 1, len(layout(version).data_places))
    assert repaired(symbol, version) is None


@pytest.mark.parametrize("version", [1, 7, 25])
@pytest.mark.parametrize("grey", [0.0, 1.0, -1.0])
def test_a_blank_area_is_never_a_symbol_that_says_something(version: int, grey: float) -> None:
    blank = np.full((side(version),) * 2, grey, np.float32)
    for seen in (blank, np.where(layout(version).fixed != 0, layout(version).fixed, blank)):
        clean = repaired(seen, version)
        assert clean is None or zxing_texts(picture(clean)) in ([], [""])


def test_the_smallest_symbols_are_believed_when_they_are_clean() -> None:
    by_evidence = defaultdict(list)
    for level in LEVELS:
        clean = repaired(soft(modules("12", version=1, error=level)), 1)
        by_evidence[clean is not None].append(level)
    assert by_evidence == {True: list(LEVELS)}, f"parity of 7 codewords is worth 56 bits, more than {EVIDENCE}"
