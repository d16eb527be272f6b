"""The true agent against the true centre, in one process."""

from __future__ import annotations

from pathlib import Path

import msgspec
from flask import Flask

from sync.server import passes
from sync.server.centre import Centre
from tests.both_ends import NOW_MS, Gate, enrolled, issue, states, stored
from tests.wsgi_adapter import BadLine, WsgiAdapter


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
