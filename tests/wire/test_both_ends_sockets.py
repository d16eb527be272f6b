"""Once for real: the centre as a program of its own, the agent over TCP, the centre's command line in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

from sync.agent.agent import Agent, build_agent
from sync.agent.enrol import enrol
from sync.cache import ListReader, get_current
from sync.protocol import Accepted, Acknowledged, Signed, SyncState
from tests.fixtures.both_ends import FakeCore

ROOT = Path(__file__).parents[2]
LONG_S = 30.0


class Program:
    """``python -m sync.server`` on a state folder."""

    def __init__(self, state: Path):
        self._command = [sys.executable, "-m", "sync.server", "--state", str(state)]
        self._env = os.environ | {"PYTHONPATH": str(ROOT)}

    def ask(self, *words: str) -> Any:
        """A command's answer."""
        done = subprocess.run(
            [*self._command, *words, "--json"], env=self._env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, port: int = 0) -> tuple[subprocess.Popen[str], str]:
        """The running centre and its address."""
        command = [*self._command, "run", "--port", str(port), "--json"]
        child = subprocess.Popen(command, env=self._env, stdout=subprocess.PIPE, text=True)
        assert child.stdout
        return child, json.loads(child.stdout.readline())["url"]


class WatchedCore(FakeCore):
    """A core whose test can wait for something to become true of it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def _note(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def report(self, state: SyncState) -> Accepted:
        answer = super().report(state)
        self._note()
        return answer

    def acknowledged(self, note: Acknowledged) -> None:
        super().acknowledged(note)
        self._note()

    def time(self, statement: Signed) -> Accepted:
        answer = super().time(statement)
        self._note()
        return answer

    def wait(self, true: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(true, LONG_S), "it did not happen"


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    child.wait(20)
    if child.stdout:
        child.stdout.close()


def listed(folder: Path, dwelling: str) -> list[str]:
    path = get_current(folder)
    if path is None:
        return []
    reader = ListReader(path)
    try:
        return [row.state for row in reader.look_up(dwelling)]
    finally:
        reader.close()


def running(agent: Agent, stop: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    return thread


@pytest.mark.slow
def test_pass_revocation_events_and_time_over_real_sockets_and_a_restart(tmp_path: Path, stop: threading.Event) -> None:
    program = Program(tmp_path / "centre")
    program.ask("add-compound", "翠湖花园", "Cuihu Garden", "--id", "7")
    code = program.ask("add-gate", "7", "东门")["enrolment_code"]
    made = program.ask("issue", "7", "--dwelling", "3-2-501", "--active")
    child, url = program.start()
    core, folder, state = WatchedCore(), tmp_path / "list", tmp_path / "sync"
    folder.mkdir()
    enrolled = enrol(url, code, bytes(PrivateKey.generate().public_key), state)
    agent = build_agent(core, folder, state, enrolled.compound, enrolled.root_public)
    thread = running(agent, stop)
    try:
        core.happen(300)
        core.wait(lambda: bool(core.statements) and listed(folder, "3-2-501") == ["active"])
        core.wait(lambda: core.acked.get("j1") == 300)
        program.ask("revoke", made["number"])  # the wake-up, not the poll, brings it
        core.wait(lambda: listed(folder, "3-2-501") == ["revoked"])
        end(child)
        core.happen(20)
        core.wait(lambda: not core.told[-1].centre_ok and core.told[-1].unsent == 20)
        child, _ = program.start(int(url.rpartition(":")[2]))
        core.wait(lambda: core.acked.get("j1") == 320 and core.told[-1].centre_ok)
    finally:
        stop.set()
        end(child)
        thread.join(LONG_S)
    assert not thread.is_alive()
    assert core.statements[0].is_by(enrolled.root_public)
