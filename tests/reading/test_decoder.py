"""The decoder: never raises, reads QR and nothing else, ours first, no false codes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hardware import Found, Picture
from hardware.reading.decoder import QrDecoder, ours_first
from hardware.reading.lattice import half
from kiosk.reader.pictures import load_picture
from tests.fixtures.pictures import scenes, shown
from tests.fixtures.pictures.codes import OURS, code

PHOTOS = Path(__file__).parents[3] / "shared" / "photos"


def texts(picture: Picture) -> list[str]:
    return [found.text for found in QrDecoder().decode(picture)]


def watched(picture: Picture) -> list[str]:
    return [found.text for found in QrDecoder().watch().look(picture, 0.0).found]


pictures = arrays.arrays(np.uint8, st.tuples(st.integers(0, 40), st.integers(0, 40)))


@given(pictures)
@settings(max_examples=150, deadline=None)
def test_no_picture_makes_it_raise(picture: Picture) -> None:
    assert isinstance(texts(picture), list)
    assert isinstance(watched(picture), list)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((0, 0), np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((1, 70_000), np.uint8),
        np.zeros((40_000, 3), np.uint8),
        np.zeros((3, 3, 3), np.uint8),
        np.zeros(9, np.uint8),
        np.zeros((9, 9), np.float32),
        np.full((200, 200), 255, np.uint8)[::-2, ::3],
    ],
    ids=lambda picture: f"{picture.shape}{picture.dtype}",
)
def test_odd_arrays_have_no_codes(picture: Picture) -> None:
    assert texts(picture) == []
    assert watched(picture) == []


def test_a_view_with_padded_rows_is_read_where_it_is() -> None:
    picture = code(OURS)
    padded = np.zeros((picture.shape[0], picture.shape[1] + 37), np.uint8)
    padded[:, : picture.shape[1]] = picture
    assert texts(padded[:, : picture.shape[1]]) == [OURS]


def test_turned_mirrored_and_inverted_codes_are_read() -> None:
    picture = code(OURS)
    for view in (np.rot90(picture), picture[::-1], 255 - picture):
        assert texts(np.asarray(view)) == [OURS]


def test_corners_lie_around_the_code_clockwise_from_its_own_top_left() -> None:
    picture = np.pad(code(OURS), ((100, 0), (50, 0)), constant_values=255)
    (found,) = QrDecoder().decode(picture)
    size = picture.shape[0] - 100 - 32
    expected = [(66, 116), (66 + size, 116), (66 + size, 116 + size), (66, 116 + size)]
    assert np.abs(np.array(found.corners) - expected).max() <= 4


def test_control_characters_arrive_as_they_are() -> None:
    assert texts(code("a\x1db\x00c", mode="byte", micro=False)) == ["a\x1db\x00c"]


@pytest.mark.parametrize("version", ["M2", "M4"])
def test_micro_qr_is_not_read(version: str) -> None:
    assert texts(code("12345", scale=8, version=version)) == []


def test_other_symbologies_are_not_read() -> None:
    if not hasattr(zxingcpp, "create_barcode"):
        pytest.skip("this zxing-cpp draws no barcodes")
    for kind in (zxingcpp.BarcodeFormat.DataMatrix, zxingcpp.BarcodeFormat.Code128, zxingcpp.BarcodeFormat.Aztec):
        drawn = np.array(zxingcpp.create_barcode(OURS[:40], kind).to_image(scale=6))
        assert texts(np.pad(drawn, 40, constant_values=255)) == []


def test_ours_come_first_and_each_text_once() -> None:
    found = [Found(text, "zxing", ()) for text in ("b", "G1x", "b", "a", "G1y", "G1x")]
    assert [code.text for code in ours_first(found)] == ["G1x", "G1y", "b", "a"]


def test_ours_wins_over_another_code_in_the_same_picture() -> None:
    other, ours = code("HTTPS://EXAMPLE.COM/A/B"), code(OURS)
    both = np.full((ours.shape[0], other.shape[1] + ours.shape[1]), 255, np.uint8)
    both[: other.shape[0], : other.shape[1]] = other
    both[:, other.shape[1] :] = ours
    assert texts(both) == [OURS, "HTTPS://EXAMPLE.COM/A/B"]


def test_the_second_engine_takes_a_turn_in_one_miss_of_four_of_each_watch() -> None:
    calls: list[Picture] = []

    def second(luma: Picture) -> list[Found]:
        calls.append(luma)
        return []

    decoder, empty = QrDecoder(second), np.zeros((20, 20), np.uint8)
    watch = decoder.watch()
    for number in range(8):
        watch.look(empty, number / 30)
    assert len(calls) == 2
    other = decoder.watch()
    for number in range(4):
        other.look(empty, number / 30)
    assert len(calls) == 3


def test_a_failing_engine_is_an_empty_picture() -> None:
    def second(luma: Picture) -> list[Found]:
        raise ValueError("what a picture")

    assert QrDecoder(second).decode(np.zeros((20, 20), np.uint8)) == []
    watch = QrDecoder(second).watch()
    assert [watch.look(np.zeros((20, 20), np.uint8), at).found for at in (0.0, 0.1, 0.2, 0.3)] == [[]] * 4


CARD = shown.modules(OURS)
FRAME_S = 1 / 30
MODULE = 3.6
Plane = shown.Floats
Held = tuple[Picture, Plane]
"""A frame, and where the card's code lies in it."""
Change = Callable[[Plane, Plane], Plane]
"""A plane and where the code lies in it -> the plane changed."""


def held(what: Change, *, noise: float = 4, lean: float = 0.05) -> list[Held]:
    """A card's code drifting in a hand for 8 frames; ``what`` is done to each picture of it."""
    frames = []
    for number in range(8):
        middle = 320 + 1.2 * number, 240 + 0.8 * number
        placed = shown.corners(CARD, MODULE, middle, 0.08 + 0.01 * number, (lean, -lean))
        plane = what(shown.drawn(CARD, placed, shown.ground()), placed)
        frames.append((shown.exposed(plane, noise, 100 + number), placed))
    return frames


def finder(placed: Plane, corner: int) -> tuple[float, float]:
    x, y = placed[corner] + (placed.mean(axis=0) - placed[corner]) * 7 / len(CARD)
    return float(x), float(y)


def on_a_banded_screen(plane: Plane, placed: Plane) -> Plane:
    screen = shown.within(CARD, placed, plane.shape)
    return shown.banded(shown.defocused(plane, 0.8), 9.0, 0.75, float(placed[0, 0]) / 7, lit=screen)


def thumb(corner: int) -> Change:
    return lambda plane, placed: shown.defocused(
        shown.covered(plane, *finder(placed, corner), radius=5 * MODULE, grey=60), 1.0
    )


BURSTS = {
    "defocus": lambda: held(lambda plane, _: shown.defocused(plane, 0.62 * MODULE)),
    "motion": lambda: held(lambda plane, _: shown.moved(plane, 1.65 * MODULE, 0.75 * MODULE)),
    "bands": lambda: held(on_a_banded_screen),
    "thumb over the corner's finder": lambda: held(thumb(0), lean=0),
    "thumb over the right finder": lambda: held(thumb(1), lean=0),
    "thumb over the lower finder": lambda: held(thumb(3), lean=0),
    "low light": lambda: held(lambda plane, _: 50 + (plane - 50) * 0.3, noise=27),
}
LOOSE = 2.0
"""Modules by which a corner under a thumb may be off; CLOSE where all of the symbol is seen."""
CLOSE = 1.0


@pytest.mark.parametrize("name", BURSTS)
def test_what_zxing_reads_in_no_frame_is_read_in_a_watch_where_it_lies(name: str) -> None:
    frames, watch, read = BURSTS[name](), QrDecoder().watch(), []
    for number, (luma, placed) in enumerate(frames):
        assert shown.zxing_texts(luma) == []
        for found in watch.look(luma, number * FRAME_S).found:
            read.append(found.text)
            assert found.engine.split(" ")[0] in {"sampled", "fused", "zxing", "zbar"}
            off = np.abs(np.array(found.corners) - placed).max() / MODULE
            assert off < (LOOSE if "thumb" in name else CLOSE)
    assert set(read) == {OURS}


@pytest.mark.parametrize("name", ["defocus", "motion", "bands", "thumb over the right finder"])
def test_a_single_photo_gets_as_much_as_a_frame(name: str) -> None:
    assert any(texts(luma) == [OURS] for luma, _ in BURSTS[name]())


def test_a_light_code_on_a_dark_page_is_read_out_of_focus_as_well() -> None:
    frames = held(lambda plane, _: 255 - shown.defocused(plane, 0.55 * MODULE))
    watch = QrDecoder().watch()
    found = [code for number, (luma, _) in enumerate(frames) for code in watch.look(luma, number * FRAME_S).found]
    assert not any(shown.zxing_texts(luma) for luma, _ in frames)
    assert {code.text for code in found} == {OURS}
    assert texts(frames[0][0]) == [OURS]


@pytest.mark.parametrize("turned", [0, 1, 2, 3])
def test_corners_begin_at_the_codes_own_top_left_whichever_engine_reads_it(turned: int) -> None:
    for sigma in (0.3, 0.6):
        placed = shown.corners(CARD, MODULE, (320, 240), turned * np.pi / 2 + 0.1, (0.05, 0.05))
        plane = shown.defocused(shown.drawn(CARD, placed, shown.ground()), sigma * MODULE)
        (found,) = QrDecoder().decode(shown.exposed(plane, 3, turned))
        assert found.engine == ("zxing" if sigma == 0.3 else "sampled")
        assert np.abs(np.array(found.corners) - placed).max() < CLOSE * MODULE


def test_several_codes_are_all_read_ours_first() -> None:
    plane, others = shown.ground(1280, 720), ["HTTPS://EXAMPLE.COM/A", "HTTPS://EXAMPLE.COM/B"]
    for number, text in enumerate([others[0], OURS, others[1]]):
        symbol = shown.modules(text)
        placed = shown.corners(symbol, 5.0, (230 + 410 * number, 360), 0.2 * number, (0.05, 0))
        plane = shown.drawn(symbol, placed, plane)
    luma = shown.exposed(shown.defocused(plane, 0.8), 4)
    for found in (texts(luma), watched(luma)):
        assert found[0] == OURS
        assert sorted(found[1:]) == others


def test_a_poster_that_is_read_does_not_stand_before_a_card_that_is_not() -> None:
    """The sharp poster is read in every frame; the card out of focus needs more than that."""
    poster = shown.modules("HTTPS://EXAMPLE.COM/POSTER")
    hangs = shown.corners(poster, 4.0, (120, 120))

    def before_a_poster(plane: Plane, _: Plane) -> Plane:
        return shown.drawn(poster, hangs, shown.defocused(plane, 0.62 * MODULE))

    watch, read = QrDecoder().watch(), []
    for number, (luma, _) in enumerate(held(before_a_poster)):
        assert OURS not in shown.zxing_texts(luma)
        read.append([found.text for found in watch.look(luma, number * FRAME_S).found])
    assert all("HTTPS://EXAMPLE.COM/POSTER" in now for now in read)
    assert any(now[0] == OURS for now in read)


def test_a_poor_code_says_where_it_is_before_it_is_read() -> None:
    frames = held(lambda plane, _: shown.defocused(plane, 0.9 * MODULE))
    watch, located = QrDecoder().watch(), 0
    for number, (luma, placed) in enumerate(frames):
        seen = watch.look(luma, number * FRAME_S)
        assert seen.stirred
        for corners in [] if seen.found else seen.symbols:
            located += 1
            assert np.abs(np.array(corners).mean(axis=0) - placed.mean(axis=0)).max() < 3 * MODULE
    assert located > 0


@pytest.mark.parametrize("rounds", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_nothing_is_read_that_is_not_in_view(rounds: int) -> None:
    for scene in scenes.negatives(23, rounds * len(scenes.NEGATIVES)):
        watch = QrDecoder().watch()
        for number, luma in enumerate(scene.frames):
            assert watch.look(luma, number * FRAME_S).found == []
        assert texts(scene.frames[0]) == []


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_only_what_is_in_view_is_read_in_harsh_scenes(count: int) -> None:
    for scene in scenes.bursts(29, count):
        watch = QrDecoder().watch()
        for number, luma in enumerate(scene.frames[:6]):
            assert {code.text for code in watch.look(luma, number * FRAME_S).found} <= set(scene.texts)


def test_an_empty_lane_stirs_nothing_until_a_code_appears_and_that_is_read_at_once() -> None:
    watch, empty = QrDecoder().watch(), shown.ground()
    seen = [watch.look(shown.exposed(empty, 3, number), number * FRAME_S) for number in range(120)]
    assert not any(one.found or one.symbols for one in seen)
    assert not any(one.stirred or one.hint for one in seen[-30:])
    placed = shown.corners(CARD, MODULE, (320, 240))
    last = watch.look(shown.exposed(shown.drawn(CARD, placed, empty), 3, 999), 120 * FRAME_S)
    assert [code.text for code in last.found] == [OURS]
    assert last.stirred


def test_half_is_the_mean_of_four_and_drops_odd_edges() -> None:
    picture = np.array([[0, 4, 9], [8, 255, 9], [9, 9, 9]], np.uint8)
    assert half(picture).tolist() == [[66]]
    assert half(picture[:1]).shape == (1, 3)


def test_threads_read_the_same() -> None:
    decoder, picture = QrDecoder(), code(OURS)
    read: list[str] = []
    threads = [
        threading.Thread(target=lambda: read.extend(f.text for _ in range(5) for f in decoder.decode(picture)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [OURS] * 20


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photos are not here")
def test_real_photos_most_codes_no_false_ones() -> None:
    truth = [json.loads(line) for line in (PHOTOS / "truth.jsonl").read_text().splitlines()]
    right, wrong, codes = 0, [], 0
    for entry in truth:
        found = texts(load_picture((PHOTOS / entry["file"]).read_bytes()))
        codes += bool(entry["text"])
        right += entry["text"] in found
        if set(found) - {entry["text"]}:
            wrong.append(entry["file"])
    assert wrong == []
    assert right >= 0.95 * codes
