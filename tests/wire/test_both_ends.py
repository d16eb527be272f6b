"""The true agent against the true centre, in one process."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
from flask import Flask

from kiosk.core.journal import Journal
from sync.agent.agent import CoreAway
from sync.cache import ListReader, get_current
from sync.protocol import Event, EventBatch, EventsAfter
from sync.server.centre.writing import Centre
from sync.server.gates.events import EventFilter, find_events
from sync.server.passes import passes
from tests.fixtures.both_ends import NOW_MS, FakeCore, Gate, enrolled, issue, states, stored
from tests.fixtures.wsgi_adapter import BadLine, WsgiAdapter


def test_pass_reaches_the_gate_and_its_revocation_too(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    first, second = issue(centre, 2)
    gate.run()
    assert set(states(gate).values()) == {"active"} and len(states(gate)) == 2
    assert gate.core.told[-1].centre_ok and gate.core.told[-1].why == ""
    assert any(told.caught_up for told in gate.core.told)
    passes.revoke(centre, first.number, "test")
    gate.agent.wake()
    gate.run()
    assert states(gate)[first.credentials[0].serial] == "revoked"
    assert states(gate)[second.credentials[0].serial] == "active"


def test_events_reach_the_centre_once_and_are_acknowledged(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.core.happen(450)
    gate.run()
    assert stored(centre) == [("j1", seq) for seq in range(1, 451)]
    assert gate.core.acked == {"j1": 450} and gate.core.told[-1].unsent == 0
    gate.core.happen(3)
    gate.run()
    gate.start()
    gate.run()
    assert stored(centre) == [("j1", seq) for seq in range(1, 454)]


def test_every_event_arrives_once_over_a_line_that_loses_requests_and_answers(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.adapter = line = BadLine(app.wsgi_app, requests_lost=0.15, answers_lost=0.25, seed=5)
    for _ in range(60):
        gate.core.happen(37)
        gate.run(30)
    gate.adapter = WsgiAdapter(app.wsgi_app)
    gate.start()
    gate.run(60)
    assert stored(centre) == [("j1", seq) for seq in range(1, 60 * 37 + 1)]
    assert min(line.lost) > 20
    with centre.store.read() as conn:
        assert conn.exec_driver_sql("SELECT sum(breaks) FROM journal").scalar() == 0


def test_core_gets_a_statement_of_the_time_that_the_root_signed(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.run()
    (statement,) = gate.core.statements
    assert gate.enrolled and statement.is_by(gate.enrolled.root_public)
    assert msgspec.json.decode(statement.body)["utc_ms"] == NOW_MS


class CoreWithJournal(FakeCore):
    """A core with the device's true journal."""

    def __init__(self, folder: Path):
        super().__init__()
        self.journal = Journal(folder, lambda: NOW_MS)

    def events_after(self, asked: EventsAfter) -> EventBatch:
        try:
            return self.journal.hand_out(asked)
        except sqlite3.Error as err:
            raise CoreAway(str(err)) from err


def test_true_journal_arrives_whole_and_chained_over_a_bad_line(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.core = core = CoreWithJournal(tmp_path / "core")
    gate.adapter = BadLine(app.wsgi_app, requests_lost=0.15, answers_lost=0.25, seed=6)
    for number in range(900):
        saved = core.journal.append(Event(id=f"e{number}", kind="call", at_ms=NOW_MS + number))
        if number % 90 == 89:
            assert saved.wait(10)
            gate.run(30)
    gate.run(900)
    journal_id = core.journal.health().journal_id
    core.journal.close()
    assert stored(centre) == [(journal_id, seq) for seq in range(1, 901)]
    with centre.store.read() as conn:
        assert conn.exec_driver_sql("SELECT sum(breaks) FROM journal").scalar() == 0


def test_what_is_whole_in_a_damaged_journal_reaches_the_centre_once_and_marked(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.core = core = CoreWithJournal(tmp_path / "core")
    for numbers in (range(20), range(20, 50)):
        saved = [core.journal.append(Event(id=f"e{number}", kind="call", at_ms=NOW_MS + number)) for number in numbers]
        assert all(promise.wait(10) for promise in saved)
        if 0 in numbers:
            gate.run(30)
    core.journal.close()
    (path,) = (tmp_path / "core").glob("journal-*.db")
    path.write_bytes(bytes(100) + path.read_bytes()[100:])
    for _ in range(2):
        gate.core = core = CoreWithJournal(tmp_path / "core")
        gate.start()
        for _ in range(4):
            gate.run(60)
            assert core.journal.recovery.wait(10)
        core.journal.close()
    found, _ = find_events(centre, 7, EventFilter(kind="call"), rows=1000)
    events = [msgspec.json.decode(kept.event, type=Event) for kept in found]
    assert sorted(event.id for event in events) == sorted(f"e{number}" for number in range(50))
    marked = {event.id: event.recovered for event in events if event.recovered}
    assert marked == {f"e{n}": f"{path.stem.removeprefix('journal-')}/{n + 1}" for n in range(20, 50)}
    assert {kept.journal_id.split("-")[1] for kept in found if "recovered" in kept.event} == {"recovered"}
    with centre.store.read() as conn:
        assert conn.exec_driver_sql("SELECT sum(breaks) FROM journal").scalar() == 0


def test_pruned_events_are_a_hole_the_centre_goes_over(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.core.happen(300)
    gate.core.journals[0].kept_from = 101
    gate.run(60)
    assert stored(centre) == [("j1", seq) for seq in range(101, 301)]
    assert gate.core.acked == {"j1": 300} and gate.core.told[-1].why == ""


def test_long_catch_up_goes_on_after_a_restart_where_it_was(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.run()
    issue(centre, 2500)
    gate.agent.wake()
    gate.agent.step()
    assert gate.core.told[-1].list_changed and not gate.core.told[-1].caught_up
    gate.start()
    gate.adapter.seen.clear()
    gate.run()
    assert gate.core.told[-1].centre_ok and any(told.caught_up for told in gate.core.told)
    assert not any("snapshot" in path for _, path in gate.adapter.seen)
    path = get_current(gate.folder)
    assert path
    reader = ListReader(path)
    assert reader.count() == 2500
    reader.close()
