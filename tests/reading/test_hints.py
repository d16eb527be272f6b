"""Hints to the one who holds something up: true ones, not too soon, and none that flicker."""

from __future__ import annotations

from itertools import pairwise
from math import cos, pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware import Hint
from hardware.reading.analysis import Scene
from hardware.reading.hints import HOLDS_S, LOST_S, UNREAD_S, Corners, Hinter, foremost, region_of

FRAME_S = 1 / 30
GOOD = Scene((1280, 720), 120.0, 40, 130, 210, 0.0, 0.0, 2.0, 0.6, 0.6, 0.0)


def square(side: float, left: float = 500, top: float = 250, turn: float = 0.0, flat: float = 1.0) -> Corners:
    """A symbol ``side`` pixels wide, turned by ``turn`` radians, its height times ``flat``."""
    x, y = left + side / 2, top + side / 2
    corners = []
    for across, down in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        across, down = across * side, down * side * flat
        corners.append(
            (round(x + across * cos(turn) - down * sin(turn)), round(y + across * sin(turn) + down * cos(turn)))
        )
    return tuple(corners)


class Held:
    """What a hinter says, frame after frame."""

    def __init__(self) -> None:
        self.hinter = Hinter()
        self.at = 50.0

    def step(
        self, symbol: Corners | None = None, scene: Scene | None = GOOD, stirred: bool = True, read: bool = False
    ) -> Hint | None:
        self.at += FRAME_S
        return self.hinter.step((symbol,) if symbol else (), scene, stirred, read, self.at)

    def says(self, symbol: Corners | None, scene: Scene | None = GOOD, seconds: float = 1.2) -> list[Hint | None]:
        return [self.step(symbol, scene) for _ in range(round(seconds / FRAME_S))]


SMALL = square(70)
FINE = square(200)

WRONG = {
    "too small": (SMALL, GOOD, Hint.CLOSER),
    "too small and turned": (square(70, turn=0.6), GOOD, Hint.CLOSER),
    "larger than the frame": (square(690, 200, 10), GOOD, Hint.FURTHER),
    "large and cut by the edge": (square(400, -20), GOOD, Hint.FURTHER),
    "leaning back": (square(200, flat=0.5), GOOD, Hint.FLATTER),
    "skewed": (((500, 250), (700, 250), (860, 400), (660, 400)), GOOD, Hint.FLATTER),
    "a dim screen": (FINE, GOOD._replace(p2=10, p50=30, p98=60), Hint.BRIGHTER),
    "grey on grey": (FINE, GOOD._replace(p2=70, p50=85, p98=100), Hint.BRIGHTER),
    "lost in noise": (FINE, GOOD._replace(p2=40, p50=80, p98=120, noise=20.0), Hint.BRIGHTER),
    "a spot of glare": (FINE, GOOD._replace(clipped=0.2, glare=0.1), Hint.GLARE),
    "washed out": (FINE, GOOD._replace(p2=190, p50=210, p98=225), Hint.GLARE),
    "blurred, far": (square(110), GOOD._replace(sharp_across=0.1, sharp_down=0.12), Hint.CLOSER),
    "blurred, near": (FINE, GOOD._replace(sharp_across=0.1, sharp_down=0.12), Hint.FURTHER),
    "blurred, one way": (FINE, GOOD._replace(sharp_across=0.05, sharp_down=0.12), Hint.STILL),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_held_up_wrongly_gets_its_hint(case: str) -> None:
    symbol, scene, hint = WRONG[case]
    says = Held().says(symbol, scene)
    assert says[-1] is hint and set(says) == {None, hint}


def test_what_is_held_well_gets_none() -> None:
    assert set(Held().says(FINE, seconds=10)) == {None}
    assert set(Held().says(square(200, turn=pi / 4), seconds=10)) == {None}


def test_the_first_hint_comes_when_something_was_held_up_unread_for_a_while() -> None:
    says = Held().says(SMALL)
    early, late = round((UNREAD_S - 0.05) / FRAME_S), round((UNREAD_S + 0.1) / FRAME_S)
    assert set(says[:early]) == {None} and says[late] is Hint.CLOSER


def test_a_hand_that_shakes_is_told_to_hold_still_and_one_that_comes_slowly_is_not() -> None:
    fast, slow = Held(), Held()
    for number in range(45):
        swing = 200 * sin(number * FRAME_S * 2 * pi * 2)
        says = fast.step(square(200, 500 + swing))
        calm = slow.step(square(200, 500 + swing / 12))
    assert says is Hint.STILL and calm is None


def test_a_slower_movement_counts_where_it_blurs_one_direction() -> None:
    held = Held()
    smeared = GOOD._replace(sharp_across=0.15, sharp_down=0.6)
    says = [held.step(square(200, 200 + number * 15), smeared) for number in range(30)]
    assert says[-1] is Hint.STILL


def test_nothing_is_said_once_it_is_read_or_the_lane_is_empty() -> None:
    held = Held()
    held.says(SMALL)
    assert held.step(read=True) is None
    assert held.says(SMALL)[-1] is Hint.CLOSER
    assert held.step(stirred=False) is None


def test_somebody_without_a_code_is_told_nothing() -> None:
    assert set(Held().says(None, seconds=10)) == {None}
    assert set(Held().says(None, None, seconds=10)) == {None}


def test_in_a_lane_too_dark_to_find_anything_the_screen_is_to_be_brighter() -> None:
    dark = GOOD._replace(mean=8.0, p2=2, p50=6, p98=30)
    assert Held().says(None, dark)[-1] is Hint.BRIGHTER


def test_a_hint_survives_frames_in_which_nothing_is_located_and_ends_soon_after_the_last() -> None:
    held = Held()
    says = [held.step(SMALL if number % 8 == 0 else None) for number in range(90)]
    assert set(says[30:]) == {Hint.CLOSER}
    assert held.says(None, seconds=HOLDS_S + LOST_S)[-1] is None


def test_one_hint_at_a_time_each_for_long_enough_to_be_read() -> None:
    held = Held()
    said = held.says(SMALL) + held.says(square(690, 200, 10), seconds=4)
    changes = [at for at, (a, b) in enumerate(pairwise(said)) if a is not b]
    assert [said[at + 1] for at in changes] == [Hint.CLOSER, Hint.FURTHER]
    assert (changes[1] - changes[0]) * FRAME_S >= HOLDS_S - FRAME_S


def test_faults_that_alternate_from_frame_to_frame_do_not_flicker() -> None:
    held = Held()
    said = [held.step(SMALL if number % 2 else square(200, flat=0.5)) for number in range(300)]
    runs = [hint for before, hint in pairwise(said) if hint is not before]
    assert len(runs) <= 300 * FRAME_S / HOLDS_S


@given(st.lists(st.sampled_from([*WRONG, "", "read", "gone"]), min_size=1, max_size=300))
def test_whatever_is_seen_a_hint_stays_unless_it_is_done_with(cases: list[str]) -> None:
    held, shown, since = Held(), None, 0.0
    for case in cases:
        symbol, scene, _ = WRONG.get(case, (None, GOOD, None))
        says = held.step(symbol, scene, stirred=case != "gone", read=case == "read")
        if case in ("read", "gone"):
            assert says is None
        elif says is not shown and shown is not None:
            assert held.at - since >= HOLDS_S - 1e-6
        if says is not shown:
            shown, since = says, held.at


def test_what_hangs_in_the_empty_lane_is_not_taken_for_what_is_held_up() -> None:
    held = Held()
    for _ in range(10):
        held.step(SMALL, stirred=False)
    assert set(held.says(SMALL, seconds=5)) == {None}
    assert held.says(square(70, 800, 400))[-1] is Hint.CLOSER


def test_the_largest_symbol_is_the_one_held_up() -> None:
    assert foremost([SMALL, FINE, square(90)]) is FINE
    assert foremost([]) is None
    assert region_of(FINE) == (500, 250, 701, 451)


corners = st.tuples(*[st.tuples(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))] * 4)


@given(st.lists(st.tuples(st.lists(corners, max_size=3), st.booleans()), max_size=30))
def test_no_corners_make_it_raise(frames: list[tuple[list[Corners], bool]]) -> None:
    hinter = Hinter()
    for number, (symbols, stirred) in enumerate(frames):
        hinter.step(symbols, GOOD, stirred, False, number * FRAME_S)
