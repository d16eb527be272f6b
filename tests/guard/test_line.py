"""The page's connections to the core: who signs in takes no place of those who act."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import verbs
from kiosk.channel import Server, listen
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
