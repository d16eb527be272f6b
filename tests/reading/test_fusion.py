"""Several poor frames of one symbol are read together; frames of different symbols never are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from hardware import Found, Picture
from hardware.reading.decoder import QrDecoder
from hardware.reading.engines import zbar_half
from hardware.reading.fusion import REMEMBERED_S, ReadSymbol, Track
from hardware.reading.lattice import Fit
from hardware.reading.symbol import picture
from tests.fixtures.pictures.shown import (
    PASS,
    Floats,
    corners,
    drawn,
    exposed,
    ground,
    modules,
    version_of,
    zxing_texts,
)

OTHER = "G1" + "X9C:Q5" * 20
"""As long as PASS: of the same version, at the same place, and another text."""
NIGHT_NOISE = 29
"""Grey levels, at a contrast of 50: too much for every decoder that looks at one frame."""
FRAME_S = 1 / 30


class Frame(NamedTuple):
    luma: Picture
    fit: Fit


@cache
def night(text: str, seed: int, frames: int = 12, noise: float = NIGHT_NOISE) -> tuple[Frame, ...]:
    """A card drifting in a hand, in hardly any light."""
    rng, symbol = np.random.default_rng(seed), modules(text)
    return tuple(_frame(symbol, number, noise, rng) for number in range(frames))


def _frame(symbol: Floats, number: int, noise: float, rng: np.random.Generator) -> Frame:
    placed = corners(symbol, 3.2, (320 + 1.5 * number, 240 + number), 0.1 + 0.01 * number, (0.08, -0.05))
    plane = drawn(symbol, placed, ground(grey=50), 60, 110)
    return Frame(exposed(plane, noise, int(rng.integers(2**32))), Fit(placed, version_of(symbol), 0.8))


def told(read: ReadSymbol | None) -> list[str]:
    return [] if read is None else zxing_texts(picture(read.symbol))


def alone(frame: Frame) -> list[str]:
    """What is read of a frame at its true place by one who saw no other."""
    return told(Track(frame.fit, False).meet(frame.luma, frame.fit, 0.0))


def dark(text: str, seed: int) -> list[Frame]:
    """Frames of a night of which none is readable by itself."""
    return [frame for frame in night(text, seed) if not alone(frame)]


def met(track: Track, frames: Sequence[Frame], start: float = 0.0) -> Iterator[ReadSymbol | None]:
    for number, frame in enumerate(frames):
        yield track.meet(frame.luma, frame.fit, start + number * FRAME_S)


def watched(frames: Sequence[Picture]) -> list[Found]:
    """Everything one watch finds in them, in its order."""
    watch = QrDecoder().watch()
    return [code for number, luma in enumerate(frames) for code in watch.look(luma, number * FRAME_S).found]


@pytest.mark.parametrize("seed", range(4))
def test_frames_that_say_nothing_alone_say_the_text_together(seed: int) -> None:
    frames = dark(PASS, seed)
    assert len(frames) >= 5
    reads = [read for read in met(Track(frames[0].fit, False), frames) if read is not None]
    assert reads
    assert all(told(read) == [PASS] and read.frames > 1 for read in reads)


@pytest.mark.slow
def test_no_decoder_of_single_frames_reads_the_night_and_a_watch_does() -> None:
    fused = 0
    for seed in range(5):
        frames = [frame.luma for frame in dark(PASS, seed)]
        assert not any(zxing_texts(luma) or zbar_half(luma) for luma in frames)
        assert not any(QrDecoder().watch().look(luma, 0.0).found for luma in frames)
        found = watched(frames)
        assert {code.text for code in found} <= {PASS}
        fused += any(code.engine.startswith("fused ") for code in found)
    assert fused >= 3


def test_the_engine_says_of_how_many_frames_a_text_was_made() -> None:
    counted = 0
    for seed in range(4):
        watch = QrDecoder().watch()
        for number, frame in enumerate(dark(PASS, seed), 1):
            for code in watch.look(frame.luma, number * FRAME_S).found:
                counted += 1
                name, count = code.engine.split(" ")
                assert name == "fused"
                assert 2 <= int(count) <= number
    assert counted > 0


def test_more_frames_are_needed_the_noisier_they_are() -> None:
    def needed(noise: float, seed: int) -> int:
        frames = night(PASS, seed, 16, noise)
        return next((n for n, read in enumerate(met(Track(frames[0].fit, False), frames), 1) if read), 17)

    easy, hard, hopeless = (sum(needed(noise, seed) for seed in range(3)) for noise in (12, 34, 90))
    assert easy == 3
    assert easy < hard < hopeless


def test_light_modules_on_a_dark_ground_are_read_together_as_well() -> None:
    frames = [Frame(np.invert(frame.luma), frame.fit) for frame in dark(PASS, 1)]
    assert any(told(read) == [PASS] for read in met(Track(frames[0].fit, True), frames))


def mixed(order: str, first: Sequence[Frame], second: Sequence[Frame]) -> list[Frame]:
    if order == "in turn":
        return [frame for pair in zip(first, second, strict=False) for frame in pair]
    return [*first[:6], *second[:6], *first[6:], *second[6:]]


@pytest.mark.parametrize(
    ("order", "seeds"),
    [
        ("in turn", 2),
        pytest.param("in turn", 4, marks=pytest.mark.slow),
        pytest.param("one after the other", 4, marks=pytest.mark.slow),
    ],
)
def test_two_codes_never_give_a_third_text(order: str, seeds: int) -> None:
    for seed in range(seeds):
        frames = mixed(order, night(PASS, seed), night(OTHER, seed + 50))
        texts = {text for read in met(Track(frames[0].fit, False), frames) for text in told(read)}
        assert texts <= {PASS, OTHER}
        assert {code.text for code in watched([frame.luma for frame in frames])} <= {PASS, OTHER}


def test_codes_that_differ_in_one_letter_never_give_a_third_text() -> None:
    near = PASS[:60] + "8" + PASS[61:]
    for seed in range(3):
        frames = mixed("in turn", night(PASS, seed), night(near, seed + 50))
        assert {text for read in met(Track(frames[0].fit, False), frames) for text in told(read)} <= {PASS, near}


def last_and_before() -> tuple[list[Frame], Frame]:
    """Frames of which nothing is read, and the next one, with which something is."""
    for seed in range(10):
        frames = dark(PASS, seed)
        reads = list(met(Track(frames[0].fit, False), frames))
        count = next((n for n, read in enumerate(reads) if read), 0)
        if count:
            return frames[:count], frames[count]
    raise AssertionError("no night is read")


@pytest.mark.parametrize(("passed", "remembered"), [(REMEMBERED_S - 0.05, True), (REMEMBERED_S + 0.01, False)])
def test_what_was_heard_is_forgotten_after_a_while(passed: float, remembered: bool) -> None:
    before, last = last_and_before()
    track = Track(before[0].fit, False)
    for frame in before:
        assert track.meet(frame.luma, frame.fit, 0.0) is None
    assert (told(track.meet(last.luma, last.fit, passed)) == [PASS]) is remembered


def test_a_symbol_of_another_version_makes_it_forget_at_once() -> None:
    before, last = last_and_before()
    track = Track(before[0].fit, False)
    for frame in before:
        track.meet(frame.luma, frame.fit, 0.0)
    small = night(PASS[:20], 1, 1)[0]
    assert small.fit.version != last.fit.version
    track.meet(small.luma, small.fit, 0.01)
    assert told(track.meet(last.luma, last.fit, 0.02)) == []


def test_a_symbol_that_is_gone_leaves_its_track_behind() -> None:
    (frame, *_) = night(PASS, 1, 1, 5)
    track = Track(frame.fit, False)
    assert told(track.meet(frame.luma, frame.fit, 1.0)) == [PASS]
    assert told(track.follow(frame.luma, 1.1)) == [PASS]
    assert track.seen_at == 1.1
    assert track.follow(exposed(ground(grey=50), 5, 3), 1.2) is None
    assert track.seen_at == 1.1


@pytest.mark.parametrize("grey", [0, 127, 255])
def test_flat_frames_between_poor_ones_give_no_text_and_do_no_harm(grey: int) -> None:
    flat, poor = np.full((480, 640), grey, np.uint8), [frame.luma for frame in dark(PASS, 1)]
    for frame in night(PASS, 1)[:1]:
        assert told(Track(frame.fit, False).meet(flat, frame.fit, 0.0)) == []
    assert {code.text for code in watched([poor[0], flat, poor[1], flat, flat, *poor[2:]])} <= {PASS}
