"""Where a symbol lies is told to half a module under what cameras do to it, and seldom told where there is none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hardware import Picture
from hardware.reading.lattice import Fit, half, refitted
from hardware.reading.locate import LEAST_SCORE, placement
from hardware.reading.texture import regions, unbanded
from tests.fixtures.pictures import scenes
from tests.fixtures.pictures.shown import (
    PASS,
    Floats,
    banded,
    corners,
    covered,
    defocused,
    drawn,
    exposed,
    ground,
    modules,
    moved,
    version_of,
    within,
)

CASES = 20
CLOSE = 0.5
"""Modules by which no corner may lie further off: a module is then still heard in its own place."""


class Shown(NamedTuple):
    """A symbol before a lane, still sharp, and where its corners were drawn; ``module`` in pixels."""

    rng: np.random.Generator
    plane: Floats
    symbol: Floats
    corners: Floats
    module: float


def shown(seed: int, *, turn: float = np.pi, lean: float = 0.15) -> Shown:
    rng = np.random.default_rng(seed)
    symbol = modules(PASS[: int(rng.integers(60, len(PASS) + 1))])
    module = min(rng.uniform(2.6, 6.0), 300 / len(symbol))
    middle = 320 + rng.uniform(-50, 50), 240 + rng.uniform(-30, 30)
    placed = corners(symbol, module, middle, rng.uniform(-turn, turn), tuple(rng.uniform(-lean, lean, 2)))
    return Shown(rng, drawn(symbol, placed, ground()), symbol, placed, module)


def soft(case: Shown, plane: Floats) -> Floats:
    return defocused(plane, case.rng.uniform(0.1, 0.45) * case.module)


def noisy(case: Shown, plane: Floats) -> Picture:
    return exposed(plane, case.rng.uniform(2, 14), int(case.rng.integers(2**32)))


def thumb(case: Shown, plane: Floats) -> Floats:
    """Over one of the three finders."""
    corner, middle = case.corners[int(case.rng.choice([0, 1, 3]))], case.corners.mean(axis=0)
    x, y = corner + (middle - corner) * 7 / len(case.symbol)
    return covered(plane, x, y, 4.5 * case.module)


def located(luma: Picture) -> Fit | None:
    """The best placement in the picture's regions, as a watch looks at them."""
    fits = []
    for region in regions(half(luma)):
        even = unbanded(luma, region)
        fits.append(placement(luma if even is None else even, region))
    return max((fit for fit in fits if fit), key=lambda fit: fit.score, default=None)


def close(fit: Fit | None, case: Shown) -> bool:
    """In place, the right way round and of the right version."""
    if fit is None or fit.version != version_of(case.symbol):
        return False
    return float(np.abs(fit.corners - case.corners).max()) < CLOSE * case.module


def share(luma_of: list[tuple[Shown, Picture]]) -> float:
    return sum(close(located(luma), case) for case, luma in luma_of) / len(luma_of)


def test_turned_leaning_soft_and_noisy_symbols_are_located() -> None:
    cases = [shown(seed) for seed in range(CASES)]
    assert share([(case, noisy(case, soft(case, case.plane))) for case in cases]) >= 0.85


def test_a_strongly_leaning_symbol_is_located() -> None:
    cases = [shown(seed, turn=0.3, lean=0.3) for seed in range(CASES)]
    assert share([(case, noisy(case, soft(case, case.plane))) for case in cases]) >= 0.7


def test_symbols_smeared_by_a_module_are_located() -> None:
    smeared = []
    for case in (shown(seed) for seed in range(CASES)):
        way = case.rng.uniform(0, 2 * np.pi)
        smeared.append((case, noisy(case, moved(case.plane, case.module * np.cos(way), case.module * np.sin(way)))))
    assert share(smeared) >= 0.8


def test_symbols_on_a_banded_screen_are_located() -> None:
    on_screens = []
    for case in (shown(seed, turn=0.1) for seed in range(CASES)):
        screen = within(case.symbol, case.corners, case.plane.shape)
        bands = banded(soft(case, case.plane), case.rng.uniform(8, 30), 0.5, case.rng.random(), lit=screen)
        on_screens.append((case, noisy(case, bands)))
    assert share(on_screens) >= 0.75


def test_most_upright_symbols_are_located_with_a_thumb_over_any_finder() -> None:
    cases = [shown(seed, turn=0.1, lean=0.0) for seed in range(CASES)]
    assert share([(case, noisy(case, soft(case, thumb(case, case.plane)))) for case in cases]) >= 0.6


def test_a_light_symbol_on_a_dark_ground_is_located_in_the_inverted_picture() -> None:
    cases = [shown(seed, turn=0.3) for seed in range(CASES)]
    dark = [(case, noisy(case, 255 - soft(case, case.plane))) for case in cases]
    assert share([(case, np.invert(luma)) for case, luma in dark]) >= 0.85
    assert share(dark) <= 0.1


def test_a_symbol_is_followed_to_where_the_hand_took_it() -> None:
    right = 0
    for seed in range(CASES):
        case = shown(seed, turn=0.5)
        way = case.rng.uniform(-2, 2, 2) * case.module
        before = Fit(case.corners - way, version_of(case.symbol), 1.0)
        right += close(refitted(noisy(case, soft(case, case.plane)), before), case)
    assert right >= 0.9 * CASES


def test_the_score_separates_a_symbol_from_its_likeness() -> None:
    """A symbol whose placement is right scores well above what is reported at all."""
    scores = []
    for case in (shown(seed, turn=0.3) for seed in range(CASES)):
        fit = located(noisy(case, soft(case, case.plane)))
        if fit is not None and close(fit, case):
            scores.append(fit.score)
    assert np.median(scores) > LEAST_SCORE + 0.2
    assert max(scores) <= 1


def plain_pictures(seed: int) -> list[Picture]:
    """A slope, noise of two strengths, soft spots, stripes and a wall of bricks."""
    rng = np.random.default_rng(seed)
    spots = defocused(rng.normal(0, 400, (480, 640)), 6) + 120
    rows, columns = np.mgrid[:480, :640]
    stripes = 120 + 80 * np.sign(np.sin(rows * rng.uniform(0.2, 0.6) + columns * rng.uniform(-0.2, 0.2)))
    bricks = 150 - 60 * ((rows % 20 < 3) | ((columns + 20 * (rows // 20 % 2)) % 40 < 3))
    planes = (ground(), np.full((480, 640), 100.0), spots, stripes, bricks)
    noises = (3, 30, 8, 5, 5)
    return [exposed(plane, noise, seed) for plane, noise in zip(planes, noises, strict=True)]


def test_no_symbol_is_located_where_there_is_nothing_like_one() -> None:
    assert [located(luma) for seed in range(6) for luma in plain_pictures(seed)] == [None] * 30


@pytest.mark.parametrize("rounds", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_writing_cloth_boards_and_decoys_are_seldom_taken_for_a_symbol(rounds: int) -> None:
    there = scenes.negatives(11, rounds * len(scenes.NEGATIVES))
    pictures = [scene.frames[0] for scene in there if scene.category != "scrambled code"]
    assert sum(located(luma) is not None for luma in pictures) <= 0.25 * len(pictures)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (500, 1), (2, 3), (31, 31), (63, 65), (64, 64), (65, 127), (97, 481)]
)
def test_odd_and_tiny_pictures_have_no_symbol_and_do_no_harm(shape: tuple[int, int]) -> None:
    for luma in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), exposed(np.full(shape, 99.0), 40)):
        assert located(luma) is None


def test_an_empty_picture_has_no_region() -> None:
    assert regions(half(np.zeros((0, 0), np.uint8))) == []
    assert regions(np.zeros((0, 9), np.uint8)) == []


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 140), st.integers(1, 140)), elements=st.sampled_from([0, 255])))
@settings(max_examples=60, deadline=None)
def test_no_black_and_white_picture_makes_the_search_raise(luma: Picture) -> None:
    located(np.kron(luma, np.ones((3, 3), np.uint8)))


def test_a_symbol_cut_by_the_edge_makes_nothing_raise() -> None:
    case = shown(3, turn=0.1)
    luma = noisy(case, case.plane)
    left, top = case.corners.min(axis=0).astype(int)
    right, bottom = case.corners.max(axis=0).astype(int)
    for part in (luma[:, left + 40 :], luma[top + 41 :], luma[:, : right - 33], luma[: bottom - 60]):
        located(np.ascontiguousarray(part))
    there = Fit(case.corners + 900, version_of(case.symbol), 1.0)
    assert refitted(luma, there).score < LEAST_SCORE
