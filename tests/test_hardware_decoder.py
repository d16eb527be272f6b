"""The decoder: never raises, reads QR and nothing else, ours first, no false codes."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import segno
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from hardware import Found, Picture
from hardware.decoder import QrDecoder, ours_first
from hardware.lattice import half
from kiosk.reader import load_picture

PHOTOS = Path(__file__).parent.parent.parent / "shared" / "photos"
OURS = "G1" + "A7B.Z0" * 20


def code(text: str, scale: int = 4, **make: object) -> Picture:
    file = io.BytesIO()
    segno.make(text, **make).save(file, kind="png", scale=scale, border=4)
    return np.asarray(Image.open(file).convert("L"))


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
