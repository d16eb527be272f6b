"""A camera's watch as a whole: when it looks, and what somebody is told whose code is not read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from hardware import Hint, Picture, Seen
from hardware.luma import limited, stretched
from hardware.reading.decoder import QrDecoder
from hardware.reading.hints import UNREAD_S
from hardware.reading.motion import EMPTY_EVERY, HOLD_S
from kiosk.reader.eye import GONE_S
from tests.fixtures.pictures.codes import OURS, code

FRAME_S = 1 / 30
WIDTH, HEIGHT = 640, 360


class Lane:
    """A lane before a watch, with a camera's noise. ``held`` is a picture somebody holds into it.

    ``given`` is what the camera makes of a frame in full range.
    """

    def __init__(self, given: Callable[[Picture], Picture]) -> None:
        self._given = given
        self.held: Image.Image | None = None
        self.at = 10.0
        self._watch = QrDecoder().watch()
        self._random = np.random.default_rng(1)

    def frame(self) -> Seen:
        self.at += FRAME_S
        frame = Image.new("L", (WIDTH, HEIGHT), 90)
        if self.held:
            frame.paste(self.held, (300, 150))
        noisy = np.asarray(frame) + self._random.normal(0, 2, (HEIGHT, WIDTH))
        return self._watch.look(self._given(np.clip(noisy, 0, 255).astype(np.uint8)), self.at)

    def lasts(self, seconds: float) -> list[Seen]:
        return [self.frame() for _ in range(round(seconds / FRAME_S))]


@pytest.fixture(
    params=[
        pytest.param(lambda luma: luma, id="full"),
        pytest.param(lambda luma: stretched(limited(luma)), id="limited", marks=pytest.mark.slow),
    ]
)
def lane(request: pytest.FixtureRequest) -> Lane:
    return Lane(request.param)


def held(side: int) -> Image.Image:
    """A pass as it looks from afar: ``side`` pixels with its margin."""
    picture = Image.fromarray(code(OURS, error="q")).resize((side, side), Image.Resampling.BOX)
    return picture.filter(ImageFilter.GaussianBlur(0.8))


def test_an_empty_lane_is_not_stirred_and_a_code_is_read_in_its_first_frame(lane: Lane) -> None:
    lane.lasts(4)
    calm = lane.lasts(2)
    assert not any(seen.stirred for seen in calm)
    assert sum(seen.looked for seen in calm) <= len(calm) / EMPTY_EVERY + 1
    lane.held = Image.fromarray(code(OURS))
    assert lane.frame().found


def test_a_card_left_in_view_stays_read_often_enough_to_be_one_presentation(lane: Lane) -> None:
    lane.lasts(4)
    lane.held = Image.fromarray(code(OURS))
    seen = lane.lasts(HOLD_S + 4)
    assert all(each.stirred for each in seen)
    read = [number * FRAME_S for number, each in enumerate(seen) if each.found]
    assert len(read) < len(seen) * 0.8
    assert max(np.diff(read)) < GONE_S / 2


@pytest.mark.slow
def test_a_code_too_small_to_be_read_gets_its_hint_which_stays_between_the_looks_and_goes_with_it(lane: Lane) -> None:
    lane.lasts(4)
    lane.held = held(55)
    seen = lane.lasts(HOLD_S + 4)
    hints = [each.hint for each in seen]
    assert not any(each.found for each in seen)
    assert set(hints[: round(UNREAD_S / FRAME_S)]) == {None}
    assert set(hints[round(1.5 / FRAME_S) :]) == {Hint.CLOSER}
    lane.held = None
    last = lane.lasts(4)[-1]
    assert (last.found, last.stirred, last.hint) == ([], False, None)


def test_a_code_brought_closer_is_read_and_its_hint_ends(lane: Lane) -> None:
    lane.lasts(4)
    lane.held = held(55)
    assert lane.lasts(2)[-1].hint is Hint.CLOSER
    lane.held = Image.fromarray(code(OURS))
    seen = lane.frame()
    assert seen.found and seen.hint is None
