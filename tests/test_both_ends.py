"""The true agent against the true centre, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from flask import Flask

from sync.cache import ListReader, get_current
from sync.server import compounds, fleet, passes
from sync.server.app import centre_of, close_app, create_app
from sync.server.centre import Centre
from sync.server.events import find_events
from sync.server.settings import Settings
from tests.conftest import Gate, new_gate
from tests.wsgi_adapter import BadLine, WsgiAdapter

NOW_MS = 1_750_000_000_000
DAY_MS = 24 * 3_600_000


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(Settings(state=tmp_path / "centre", watch=False, clock=lambda: NOW_MS))
    yield app
    close_app(app)


@pytest.fixture
def centre(app: Flask) -> Centre:
    return centre_of(app)


def compound(centre: Centre) -> int:
    return compounds.add_compound(centre, "翠湖花园", "Cuihu Garden", "Asia/Shanghai", 7, "test").compound_id


def enrolled(gates: list[Gate], folder: Path, app: Flask, gate: Gate | None = None) -> Gate:
    centre = centre_of(app)
    if not compounds.list_compounds(centre):
        compound(centre)
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
    found, more = find_events(centre, 7, None, rows=100_000)
    assert not more
    return sorted((event.journal_id, event.seq) for event in found)


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
