"""The lane's sounds: how loud at which hour, and which spoken words may be heard."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from kiosk.guard.app import create_app
from kiosk.guard.lane.sounds import WORDS, Sounds
from kiosk.guard.line import CoreLine, GuardSettings
from sync.terms import REASONS
from tests.fixtures.browsers.guard_stage import Stage

NIGHT = (22 * 60, 7 * 60)


@pytest.mark.parametrize(
    ("hour", "minute", "night", "volume"),
    [
        (21, 59, NIGHT, 80), (22, 0, NIGHT, 30), (0, 0, NIGHT, 30), (6, 59, NIGHT, 30), (7, 0, NIGHT, 80),
        (12, 59, (780, 840), 80), (13, 0, (780, 840), 30), (14, 0, (780, 840), 80), (3, 0, (0, 0), 80),
    ],
)  # fmt: skip
def test_the_night_is_quieter(hour: int, minute: int, night: tuple[int, int], volume: int) -> None:
    assert Sounds(80, 30, night).volume_at(datetime(2026, 11, 23, hour, minute, tzinfo=UTC)) == volume


def test_a_gate_that_does_not_know_the_time_is_as_quiet_as_at_night() -> None:
    assert Sounds(80, 30).volume_at(None) == 30 and Sounds(20, 60).volume_at(None) == 20


def test_no_word_that_may_be_spoken_is_a_reason() -> None:
    assert not set(WORDS) & set(REASONS)


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    folder = tmp_path / "voices"
    folder.mkdir()
    for name in ("grant.2-yue.ogg", "grant.1-zh.ogg", "closer.wav", "revoked.ogg", "grant.exe", "refer.ogg.sh", "x"):
        (folder / name).write_bytes(b"sound")
    (folder / "deny.mp3").write_bytes(bytes(3_000_000))
    (folder / "refer.ogg").mkdir()
    return folder


def test_words_are_played_in_the_order_of_their_names_and_nothing_else_is(voices: Path) -> None:
    assert Sounds(voices=voices).spoken() == {
        "grant": ["grant.1-zh.ogg", "grant.2-yue.ogg"],
        "closer": ["closer.wav"],
    }


@pytest.mark.parametrize("folder", [None, Path("/nowhere/at/all")])
def test_without_a_folder_nothing_is_spoken(folder: Path | None) -> None:
    assert Sounds(voices=folder).spoken() == {} and Sounds(voices=folder).file("grant.ogg") is None


@pytest.fixture
def app(tmp_path: Path, voices: Path) -> Iterator[Flask]:
    stage = Stage(tmp_path).start()
    core = CoreLine(stage.core_path, stage.reader_path)
    yield create_app(core, GuardSettings(sounds=Sounds(70, 20, NIGHT, voices)))
    core.close()
    stage.stop()


def test_the_page_names_the_words_and_how_loud_and_their_files_are_served(app: Flask) -> None:
    page = app.test_client().get("/screen/in").text
    assert "/screen-voice/grant.1-zh.ogg" in page and "revoked" not in page
    assert 'data-volume="70"' in app.test_client().get("/screen/in/now").json["face"], "it is five past two"
    assert app.test_client().get("/screen-voice/closer.wav").data == b"sound"


@pytest.mark.parametrize("name", ["revoked.ogg", "grant.exe", "x", "..core.sock", "refer.ogg", "deny.mp3"])
def test_what_is_no_word_is_not_served(app: Flask, name: str) -> None:
    assert app.test_client().get(f"/screen-voice/{name}").status_code == 404


def test_another_machine_is_not_served_the_words(app: Flask) -> None:
    answer = app.test_client().get("/screen-voice/closer.wav", environ_base={"REMOTE_ADDR": "192.168.1.20"})
    assert answer.status_code == 404
