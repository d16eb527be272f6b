"""The page's connections to the core: who signs in takes no place of those who act."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import verbs
from kiosk.channel import Refused, Server, listen
from kiosk.guard.line import CoreLine

PATIENCE = 10.0
STRANGERS = 12


class Core:
    """Answers acts at once and holds up every sign-in."""

    def __init__(self, path: Path):
        self.checked = threading.Event()
        self.trying = threading.Semaphore(0)
        self._server = Server(listen(path), {verbs.SIGN_IN: self._sign_in, verbs.WHO: self._who}).start()

    def _sign_in(self, asked: verbs.SignIn) -> verbs.Session:
        self.trying.release()
        self.checked.wait(PATIENCE)
        return verbs.Session(token="t", name=asked.name, role="guard", ends_in_s=1)

    def _who(self, asked: verbs.Token) -> verbs.Session:
        return verbs.Session(token=asked.token, name="王强", role="guard", ends_in_s=1)

    def close(self) -> None:
        self.checked.set()
        self._server.close()


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    made = Core(tmp_path / "core.sock")
    yield made
    made.close()


def test_strangers_who_sign_in_keep_no_guard_from_acting(core: Core, tmp_path: Path) -> None:
    line = CoreLine(tmp_path / "core.sock", tmp_path / "reader.sock")
    signed_in: list[str] = []

    def try_pin(number: int) -> None:
        signed_in.append(line.ask_at_the_door(verbs.SIGN_IN, verbs.SignIn(f"stranger {number}", "1234", "")).name)

    strangers = [threading.Thread(target=try_pin, args=(number,), daemon=True) for number in range(STRANGERS)]
    for stranger in strangers:
        stranger.start()
    assert core.trying.acquire(timeout=PATIENCE)
    acted = threading.Event()

    def act() -> None:
        line.ask(verbs.WHO, verbs.Token("t"))
        acted.set()

    guard = threading.Thread(target=act, daemon=True)
    guard.start()
    assert acted.wait(PATIENCE / 2) and not signed_in
    core.checked.set()
    for thread in (*strangers, guard):
        thread.join(PATIENCE)
    assert len(signed_in) == STRANGERS
    line.close()


# --- photos -----------------------------------------------------------------------------------------------------------


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[tuple[CoreLine, Clock]]:
    """A line to a reader that takes eight seconds for each picture."""
    clock = Clock()

    def read(asked: verbs.Photo) -> verbs.Texts:
        clock.now += 8
        return verbs.Texts([], 8000)

    server = Server(listen(tmp_path / "reader.sock"), {verbs.PHOTO: read}).start()
    line = CoreLine(tmp_path / "core.sock", tmp_path / "reader.sock", clock)
    yield line, clock
    line.close()
    server.close()


def send(line: CoreLine, session: str) -> str:
    try:
        line.ask_reader(verbs.PHOTO, verbs.Photo(b"x"), b"x", session)
    except Refused as no:
        return str(no)
    return "read"


def test_one_sessions_photos_leave_the_reader_to_others(photos: tuple[CoreLine, Clock]) -> None:
    line, clock = photos
    assert [send(line, "greedy") for _ in range(8)] == ["read"] * 5 + ["photo_pace"] * 3
    assert send(line, "another") == "read"
    clock.now += 30
    assert send(line, "greedy") == "read", "the first ones are a minute ago"
    clock.now += 3600
    assert [send(line, "greedy") for _ in range(6)] == ["read"] * 5 + ["photo_pace"]
    assert len(line._pace._took) == 1, "sessions of earlier are forgotten"
