"""A gate's sync with a core in memory, and words to set the centre up with, for tests of both ends of the wire."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import requests
from flask import Flask
from nacl.public import PrivateKey

from sync.agent import Agent, enrol, read_identity
from sync.cache import ListReader, get_current
from sync.lists import ListFolder
from sync.protocol import (
    CHAIN_START,
    Accepted,
    Acknowledged,
    Enrolled,
    Event,
    EventBatch,
    EventsAfter,
    Signed,
    SyncState,
    chain,
)
from sync.server import compounds, fleet, passes
from sync.server.app import centre_of
from sync.server.centre import Centre
from sync.server.events import Chosen, find_events
from tests.wsgi_adapter import WsgiAdapter, WsgiApp, session_on

URL = "http://127.0.0.1:8080"
NOW_MS = 1_750_000_000_000
DAY_MS = 24 * 3_600_000


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class KeptJournal:
    """Events of one journal in memory, as a core would hand them out."""

    def __init__(self, journal_id: str):
        self.journal_id = journal_id
        self.events: list[str] = []
        self.chains = [CHAIN_START]
        self.kept_from = 1
        self.closed = False

    def add(self, text: str) -> None:
        self.events.append(text)
        self.chains.append(chain(self.chains[-1], text))

    def after(self, seq: int, limit: int) -> EventBatch:
        seq = max(seq, self.kept_from - 1)
        return EventBatch(
            journal_id=self.journal_id,
            first_seq=seq + 1,
            before=self.chains[min(seq, len(self.events))],
            events=self.events[seq : seq + limit],
            newest=len(self.events),
            closed=self.closed,
        )


class FakeCore:
    """A core of journals in memory that notes what it is told (CoreSide)."""

    def __init__(self) -> None:
        self.journals = [KeptJournal("j1")]
        self.acked: dict[str, int] = {}
        self.told: list[SyncState] = []
        self.answer = Accepted(True)
        self.statements: list[Signed] = []
        self.time_answer = Accepted(True)
        self.away: Exception | None = None

    def _here(self) -> None:
        if self.away:
            raise self.away

    def happen(self, count: int = 1) -> None:
        """Add events to the newest journal."""
        journal = self.journals[-1]
        for _ in range(count):
            number = len(journal.events) + 1
            event = Event(id=f"{journal.journal_id}-{number}", kind="call", at_ms=1_700_000_000_000 + number)
            journal.add(msgspec.json.encode(event).decode())

    def events_after(self, asked: EventsAfter) -> EventBatch:
        self._here()
        at = next((n for n, journal in enumerate(self.journals) if journal.journal_id == asked.journal_id), None)
        if at is None:
            return self.journals[0].after(0, asked.limit)
        if asked.next and at + 1 < len(self.journals):
            return self.journals[at + 1].after(0, asked.limit)
        return self.journals[at].after(len(self.journals[at].events) if asked.next else asked.seq, asked.limit)

    def acknowledged(self, note: Acknowledged) -> None:
        self._here()
        self.acked[note.journal_id] = note.seq

    def report(self, state: SyncState) -> Accepted:
        self._here()
        self.told.append(state)
        return self.answer

    def nonce(self) -> bytes:
        self._here()
        return bytes(16)

    def time(self, statement: Signed) -> Accepted:
        self._here()
        self.statements.append(statement)
        return self.time_answer


class Gate:
    """A gate's sync with its folders, its core in memory, and a line to an application."""

    def __init__(self, folder: Path, adapter: WsgiAdapter):
        self.state, self.folder = folder / "sync", folder / "list"
        self.folder.mkdir(parents=True)
        self.adapter = adapter
        self.core = FakeCore()
        self.clock = Clock()
        self.box = PrivateKey.generate()
        self.free = 1 << 40
        self.enrolled: Enrolled | None = None
        self._agent: Agent | None = None

    def enrol(self, code: str) -> Enrolled:
        self.enrolled = enrol(URL, code, bytes(self.box.public_key), self.state, self.session())
        return self.enrolled

    def session(self) -> requests.Session:
        return session_on(self.adapter)

    @property
    def agent(self) -> Agent:
        return self._agent or self.start()

    def start(self) -> Agent:
        """The agent, as after a start of the program."""
        self.stop()
        assert self.enrolled
        lists = ListFolder(self.folder, self.enrolled.compound, self.enrolled.root_public, lambda _: self.free)
        identity = read_identity(self.state)
        self._agent = Agent(
            self.core, lists, self.state, identity, self.session, clock=self.clock, rng=random.Random(1)
        )
        return self._agent

    def stop(self) -> None:
        if self._agent:
            self._agent.close()
        self._agent = None

    def run(self, seconds: float = 3.0) -> None:
        """Step for that long by the gate's own clock."""
        end = self.clock.now + seconds
        for _ in range(1000 + 3 * int(seconds)):
            pause = self.agent.step()
            if self.clock.now + pause > end:
                break
            self.clock.now += pause
        else:
            raise AssertionError("the agent does not come to rest")
        self.clock.now = end


def new_gate(gates: list[Gate], folder: Path, app: WsgiApp | WsgiAdapter) -> Gate:
    adapter = app if isinstance(app, WsgiAdapter) else WsgiAdapter(app)
    gate = Gate(folder / f"gate{len(gates)}", adapter)
    gates.append(gate)
    return gate


def new_compound(centre: Centre) -> int:
    return compounds.add_compound(centre, "翠湖花园", "Cuihu Garden", "Asia/Shanghai", 7, "test").compound_id


def enrolled(gates: list[Gate], folder: Path, app: Flask, gate: Gate | None = None) -> Gate:
    centre = centre_of(app)
    if not compounds.list_compounds(centre):
        new_compound(centre)
    gate = gate or new_gate(gates, folder, app.wsgi_app)
    gate.enrol(fleet.add_gate(centre, 7, f"gate {len(gates)}", "test").enrolment_code)
    return gate


def issue(centre: Centre, count: int = 1) -> list[passes.Pass]:
    order = passes.Order(valid_from_ms=NOW_MS, valid_until_ms=NOW_MS + 30 * DAY_MS, dwelling="3-2-501", active=True)
    return passes.issue_many(centre, 7, [order] * count, "test")


def states(gate: Gate) -> dict[int, str]:
    path = get_current(gate.folder)
    assert path
    reader = ListReader(path)
    try:
        return {row.serial: row.state for row in reader.look_up("3-2-501")}
    finally:
        reader.close()


def stored(centre: Centre) -> list[tuple[str, int]]:
    found, more = find_events(centre, 7, Chosen(), rows=100_000)
    assert not more
    return sorted((event.journal_id, event.seq) for event in found)
