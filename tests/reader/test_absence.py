"""A camera that is not found ends the reader now and then: soon at first, seldom later, gently beside a good camera."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from hardware import Camera, CameraAbsent, CameraSettings, HardwareError, PartInUse
from hardware.reading.decoder import QrDecoder
from kiosk.channel import Verb
from kiosk.reader.absence import LONGEST_S, QUIET_S, SHARED_FIRST_S, SHARED_LONGEST_S, Search, Sighting
from kiosk.reader.process import Reader
from kiosk.verbs import ENDING, READER_STATE, Ending, LampState, Nothing


def away(seconds: float, lane: str = "exit") -> Sighting:
    return Sighting(lane, seconds, None, f"no camera at {lane}")


def well(stirred_s: float = 60.0) -> Sighting:
    return Sighting("entry", None, stirred_s)


def ends_after(path: Path, *others: Sighting) -> float:
    """How long a camera is away until a new process, which has the small file, ends; in whole seconds."""
    search = Search(path)
    seconds = next(s for s in range(10_000) if search.ends_for([away(float(s)), *others]))
    search.ends(away(float(seconds)))
    return seconds


def test_it_ends_after_a_minute_and_then_less_often_up_to_a_quarter_of_an_hour(tmp_path: Path) -> None:
    waits = [ends_after(tmp_path / "absent") for _ in range(40)]
    assert waits[:6] == [60, 120, 240, 480, LONGEST_S, LONGEST_S]
    assert set(waits[4:]) == {LONGEST_S}


def test_once_all_cameras_were_seen_it_begins_with_a_minute_again(tmp_path: Path) -> None:
    for _ in range(4):
        ends_after(tmp_path / "absent")
    seen = Search(tmp_path / "absent")
    assert seen.ends_for([well(), Sighting("exit", None, None)]) is None  # just being opened: not yet seen
    assert Search(tmp_path / "absent").patience_s(shared=False) == LONGEST_S
    assert seen.ends_for([well(), well()]) is None
    assert ends_after(tmp_path / "absent") == 60


def test_beside_a_camera_that_works_it_ends_seldom(tmp_path: Path) -> None:
    waits = [ends_after(tmp_path / "absent", well()) for _ in range(4)]
    assert waits == [SHARED_FIRST_S, 2 * SHARED_FIRST_S, SHARED_LONGEST_S, SHARED_LONGEST_S]


def test_beside_a_camera_that_works_it_ends_while_nobody_is_there() -> None:
    search = Search(None)
    assert search.ends_for([away(SHARED_FIRST_S), well(QUIET_S - 1)]) is None
    assert search.ends_for([away(SHARED_FIRST_S), well(QUIET_S + 1)]) == away(SHARED_FIRST_S)


@pytest.mark.parametrize("content", [b"", b"\xff", b"-3", b"many", b"9" * 5000])
def test_a_damaged_count_ends_it_no_sooner_than_after_a_minute(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "absent").write_bytes(content)
    assert 60 <= Search(tmp_path / "absent").patience_s(shared=False) <= LONGEST_S


def test_where_no_count_can_be_kept_it_is_a_minute_each_time(tmp_path: Path) -> None:
    assert [ends_after(tmp_path / "missing" / "absent") for _ in range(2)] == [60, 60]


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


class Core:
    """The core's socket as far as a reader that ends needs it."""

    def __init__(self) -> None:
        self.endings: list[Ending] = []

    def ask(self, verb: Verb[Any, Any], question: Any, timeout: float | None = None) -> Any:
        if verb is ENDING:
            self.endings.append(question)
        return LampState() if verb is READER_STATE else Nothing()


def reader_of(clock: Clock, fault: HardwareError, core: Core) -> Reader:
    """A running reader whose one camera cannot be opened, once it has said so."""

    def open_camera(settings: CameraSettings) -> Camera:
        raise fault

    reader = Reader([CameraSettings(lane="exit")], QrDecoder(), lambda: core, open_camera, clock)
    reader.start()
    while reader._eyes[0].why != str(fault):
        threading.Event().wait(0.001)
    return reader


def test_a_reader_that_finds_no_camera_ends_with_a_last_word_that_blames_no_picture(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, core = Clock(), Core()
    reader = reader_of(clock, CameraAbsent("no camera at cam1. Here: imx219 at cam0"), core)
    assert not reader.looks_anew()
    clock.now += 61
    assert reader.looks_anew() and reader.looks_anew()
    reader.close()
    assert [(ending.why, ending.lane) for ending in core.endings] == [("camera", "exit")]
    [line] = [line for line in caplog.messages if "reader=ends" in line]
    assert "why=camera lane=exit away_s=61" in line and "Here: imx219 at cam0" in line


def test_a_camera_that_another_program_has_is_no_reason_to_end() -> None:
    clock, core = Clock(), Core()
    reader = reader_of(clock, PartInUse("camera 0 is in use"), core)
    clock.now += 10_000
    assert not reader.looks_anew()
    reader.close()
    assert [ending.why for ending in core.endings] == ["asked"]
