"""What a reader counts of one camera: the times of its frames, what a look costs, how the last one was taken."""

from __future__ import annotations

from hardware import Exposure
from kiosk.reader.figures import EyeFigures, Spreading
from kiosk.verbs import DECODE_TIMES_S, FRAME_TIMES_S


def test_a_time_belongs_to_the_first_bound_that_it_does_not_exceed() -> None:
    times = Spreading((0.01, 0.1))
    for seconds in (0.0, 0.01, 0.010001, 0.1, 0.2, 7.0):
        times.add(seconds)
    assert (times.spread().counts, times.spread().sum_s) == ([2, 2, 2], 7.320001)


def test_frames_of_thirty_a_second_are_told_as_that() -> None:
    figures = EyeFigures(0.0)
    for number in range(100):
        figures.step(number / 30, 4.0, 128.0, Exposure(3000, 1.5))
    told = figures.told(100 / 30)
    assert (told.frames, told.fps, told.brightness, told.exposure_us, told.gain) == (100, 30.0, 128.0, 3000, 1.5)
    assert sum(told.frame_times.counts) == 99 and told.frame_times.counts[FRAME_TIMES_S.index(0.034)] == 99
    assert told.decode_times.counts[DECODE_TIMES_S.index(0.005)] == 100


def test_a_camera_that_no_longer_gives_frames_is_not_told_as_fast() -> None:
    figures = EyeFigures(0.0)
    for number in range(30):
        figures.step(number / 30, 4.0, 128.0, None)
    assert figures.told(29 / 30 + 2.5).fps == 30.0 and figures.told(29 / 30 + 10.0).fps == 0.1


def test_the_time_while_a_camera_was_closed_is_no_frames_time() -> None:
    figures = EyeFigures(0.0)
    figures.step(1.0, 4.0, 128.0, None)
    figures.pause()
    assert figures.told(9.0).fps == 0.0
    figures.step(10.0, 4.0, 128.0, None)
    told = figures.told(10.0)
    assert (told.frames, sum(told.frame_times.counts), told.up_s) == (2, 0, 10.0)
