"""How codes are drawn, measured and read before the camera; and that what is drawn badly is caught."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from hardware import optics
from sync.credential import CARD_CHARACTERS, PHONE_CHARACTERS
from sync.server.passes import card, moving_code
from tests.fixtures.pictures.drawn_codes import Drawn, dimmed, faults, held, measure, photographed, watched

DOTS_A_MM = 300 / 25.4
DENSEST = ("G1" + "%*+-./:$" * 15, "G1" + "Z9" * 60)
"""As long as a card's may be, of the signs that come last and of letters with digits."""
assert all(len(text) == CARD_CHARACTERS for text in DENSEST)


def printed(text: str = DENSEST[0], room_mm: float = 35.0, margin: int = 12) -> np.ndarray:
    """A code on white paper at 300 dots an inch."""
    code = card.draw(text, room_mm)
    dots = round(code.module_mm(room_mm) * DOTS_A_MM)
    modules = np.array([[255 * (bit == "0") for bit in row] for row in code.rows], dtype=np.uint8)
    return np.pad(modules.repeat(dots, 0).repeat(dots, 1), margin, constant_values=255)


# The rule


def test_a_card_is_version_7_at_q_with_nine_whole_dots_a_module_and_fits_the_room() -> None:
    for text in DENSEST:
        code = card.draw(text)
        drawn = measure(printed(text))
        assert (drawn.text, drawn.version, drawn.level, drawn.module) == (text, 7, "Q", 9)
        assert 30 <= drawn.module * 45 / DOTS_A_MM <= card.CODE_MM
        assert code.whole_mm(card.CODE_MM) == pytest.approx(53 * 9 * 25.4 / 300, abs=0.001)


def test_the_limit_is_two_pixels_of_the_camera_at_the_usual_distance() -> None:
    assert card.SMALLEST_MM * optics.pixels_per_mm(25) == pytest.approx(2.0, abs=0.01)
    assert card.DOT_MM * 9 * optics.pixels_per_mm(25) > 2.8, "a card has a reserve of two fifths"


@pytest.mark.parametrize(
    ("characters", "version", "level"),
    [
        (20, 2, "Q"),
        (CARD_CHARACTERS, 7, "Q"),
        (PHONE_CHARACTERS, 8, "Q"),
        (221, 10, "Q"),
        (222, 9, "M"),
        (400, 12, "M"),
    ],
)
def test_q_gives_way_to_m_only_where_its_modules_would_be_too_small_for_the_camera(
    characters: int, version: int, level: str
) -> None:
    text = "A" * characters
    drawn = measure(printed(text))
    assert (drawn.version, drawn.level) == (version, level)
    q_modules = len(card.code_of(card.encoded(text, "q")).rows) - 8
    q_mm = int(card.CODE_MM / q_modules / card.DOT_MM) * card.DOT_MM
    assert (level == "Q") == (q_mm >= card.SMALLEST_MM)


def test_more_room_is_filled_and_a_poster_to_the_last_millimetre() -> None:
    code = card.draw("https://passes.example.cn/j/7", 120)
    assert code.module_mm(120) * (code.size - 8) == pytest.approx(120)
    assert card.draw("A" * 222, 60).size < card.draw("A" * 222, 35).size + 12
    assert measure(printed("A" * 222, 60)).level == "Q"


def test_the_svg_is_black_squares_on_a_white_one_with_hard_edges_and_its_true_size() -> None:
    code = card.draw(DENSEST[0])
    root = ET.fromstring(code.svg())  # noqa: S314 (our own drawing)
    assert root.attrib["viewBox"] == "0 0 53 53" and root.attrib["shape-rendering"] == "crispEdges"
    assert root.attrib["width"] == root.attrib["height"] == f"{53 * 9 * 25.4 / 300:g}mm"
    white, black = list(root)
    assert (white.attrib, black.attrib["fill"]) == ({"d": "M0 0h53v53h-53z", "fill": "#fff"}, "#000")
    plane = np.zeros((53, 53), dtype=bool)
    for run in black.attrib["d"].removesuffix("z").split("z"):
        start, length = run.split("v")[0].split("h")
        x, y = map(int, start.removeprefix("M").split())
        assert not plane[y, x : x + int(length)].any(), "nothing twice"
        plane[y, x : x + int(length)] = True
    assert np.array_equal(plane, np.array([[bit == "1" for bit in row] for row in code.rows]))


def test_a_phones_code_is_as_wide_as_the_script_is_told_and_at_q() -> None:
    text = "G1" + "%" * 120 + ".99999999"
    code = card.code_of(moving_code.draw(text))
    assert code.size == moving_code.SIZE + 2 * card.QUIET_MODULES == 57
    modules = np.array([[255 * (bit == "0") for bit in row] for row in code.rows], dtype=np.uint8)
    drawn = measure(modules.repeat(6, 0).repeat(6, 1))
    assert (drawn.text, drawn.version, drawn.level, drawn.quiet) == (text, 8, "Q", 4)


# Before the camera


_SLOW = pytest.mark.slow


@pytest.mark.parametrize("distance", [pytest.param(16, marks=_SLOW), pytest.param(20, marks=_SLOW), 25, 30])
@pytest.mark.parametrize("text", DENSEST, ids=["signs", "letters"])
def test_the_densest_card_is_read_wherever_it_is_held(text: str, distance: int) -> None:
    picture = printed(text, margin=60)
    side = held(picture, DOTS_A_MM, distance)
    for seed in range(3):
        assert watched(picture, side, seed, 0.3) is not None, f"burst {seed}"
        assert photographed(picture, side, seed, 0.2) == [text]


# What is drawn badly is caught


def squeezed(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((200, 200), Image.Resampling.BOX))


def framed(picture: np.ndarray) -> np.ndarray:
    drawn = measure(picture)
    left, top, right, bottom = drawn.box
    near = picture[top - 18 : bottom + 18, left - 18 : right + 18]
    return np.pad(near, 40, constant_values=0)


def rounded(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(2)))


def stretched(picture: np.ndarray) -> np.ndarray:
    width = picture.shape[1] * 7 // 18
    return np.asarray(Image.fromarray(picture).resize((width, width), Image.Resampling.NEAREST))


BADLY: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "small": (squeezed, "modules of 0.30 mm"),
    "framed": (framed, "quiet zone of 2.0 modules"),
    "cut": (lambda picture: picture[24:, 24:], "quiet zone of 2.7 modules"),
    "pale": (lambda picture: (90 + picture * (165 / 255)).astype(np.uint8), "contrast of 90 %"),
    "dark": (lambda picture: (picture * (140 / 255)).astype(np.uint8), "contrast of 27 %"),
    "rounded": (rounded, "neither black nor white"),
    "rescaled": (stretched, "modules uneven by"),
}


@pytest.mark.parametrize("how", BADLY)
def test_a_code_that_is_drawn_badly_is_caught(how: str) -> None:
    spoil, says = BADLY[how]
    good = printed(room_mm=35.0, margin=12)
    assert faults(measure(good), DOTS_A_MM, card.SMALLEST_MM) == []
    wrong = faults(measure(spoil(good)), DOTS_A_MM, card.SMALLEST_MM)
    assert any(says in fault for fault in wrong), wrong


def test_a_code_at_m_is_caught() -> None:
    made = card.code_of(card.encoded(DENSEST[0], "m"))
    modules = np.array([[255 * (bit == "0") for bit in row] for row in made.rows], dtype=np.uint8)
    assert faults(measure(modules.repeat(9, 0).repeat(9, 1)), DOTS_A_MM, card.SMALLEST_MM) == ["error level M"]


def test_the_camera_does_not_read_what_is_too_small_too_pale_or_has_no_white_around_it() -> None:
    """The checks are no matter of taste: the reader itself fails where they do."""
    good = printed(margin=0)
    drawn: Drawn = measure(good)
    side = held(good, DOTS_A_MM, 25)
    seeds = range(2)
    assert all(watched(good, side, seed, 0.3) for seed in seeds)
    assert not any(watched(good, side * 0.35, seed, 0.3, 4) for seed in seeds), "0.27 mm"
    pale = (200 + good * (3 / 255)).astype(np.uint8)
    assert not any(watched(pale, side, seed, 0.3, 4) for seed in seeds), "contrast of 2 %"
    left, top, right, bottom = drawn.box
    bare = np.pad(good[top:bottom, left:right], 60, constant_values=0)
    assert not any(watched(bare, held(bare, DOTS_A_MM, 25), seed, 0.3, 4) for seed in seeds), "on black"
    assert measure(dimmed(good, 0.5)).contrast < 50
