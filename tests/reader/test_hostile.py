"""Hostile pictures through the whole reader: nothing raises, nothing is read that is not there, nothing is kept.

A few hundred, drawn from seeds. For as many as you like, with time and memory: ``python tests/fuzz/hostile.py``.
"""

from __future__ import annotations

import numpy as np
import pytest

from hardware import Picture, Seen
from hardware.reading.decoder import QrDecoder
from kiosk.reader.photos import read
from kiosk.reader.pictures import PictureError, load_picture
from tests.fixtures.pictures.hostile import FILES, ODD, SIGHTS, Size

SMALL = (320, 180)
CODES = frozenset({"many_codes", "broken_codes", "huge_code", "micro_codes", "in_parts", "strange_text"})
"""Sights in which there is a code, true or nearly."""
SIZES = [SMALL, *ODD[:4], (641, 479)]
DECODER = QrDecoder()


def is_sound(seen: Seen, luma: Picture) -> bool:
    """Texts and corners are of the kinds that are promised, and could have been in this picture."""
    texts = all(isinstance(code.text, str) and len(code.text) <= 7_089 for code in seen.found)
    quads = [*(code.corners for code in seen.found), *seen.symbols]
    whole = all(isinstance(part, int) for quad in quads for corner in quad for part in corner)
    far = 4 * max(luma.shape)
    return texts and whole and all(abs(part) <= far for quad in quads for corner in quad for part in corner)


def drawn(name: str, seed: int, size: Size) -> Picture:
    return SIGHTS[name](np.random.default_rng(seed), size)


@pytest.mark.parametrize("name", SIGHTS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_no_sight_is_more_than_a_photo_without_a_pass(name: str, size: Size) -> None:
    for seed in range(2):
        luma = drawn(name, seed, size)
        before = luma.copy()
        found = DECODER.decode(luma)
        assert is_sound(Seen(found), luma)
        assert name in CODES or found == [], f"seed {seed}: nothing is there, yet {found} was read"
        assert np.array_equal(luma, before), "the picture is another's"


@pytest.mark.parametrize("name", SIGHTS)
def test_no_sight_held_before_a_camera_is_a_pass(name: str) -> None:
    watch = DECODER.watch()
    for number in range(6):
        luma = drawn(name, number // 2, SMALL)
        luma.setflags(write=False)  # the buffer is the camera's
        seen = watch.look(luma, number * 0.033)
        assert is_sound(seen, luma)
        assert name in CODES or seen.found == []


def test_one_watch_sees_everything_one_after_the_other_in_every_size_and_is_none_the_worse() -> None:
    watch = DECODER.watch()
    for number, name in enumerate(list(SIGHTS) * 4):
        luma = drawn(name, number, SIZES[number % len(SIZES)])
        assert is_sound(watch.look(luma, number * 0.033), luma)
    good = load_picture(FILES["good"](np.random.default_rng(1)))
    texts = [code.text for n in range(8) for code in watch.look(good, 100 + n * 0.033).found]
    assert any(text.startswith("G1AAA") for text in texts)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about what is wrong with a file
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", range(8))
def test_no_file_is_more_than_a_picture_or_a_sentence_about_it(name: str, seed: int) -> None:
    raw = FILES[name](np.random.default_rng(seed))
    try:
        luma = load_picture(raw)
    except PictureError as err:
        assert str(err)
        return
    assert luma.dtype == np.uint8 and luma.ndim == 2
    if luma.size < 1_000_000:
        assert all(text.startswith("G1AAA") for text in read(raw).texts)
