"""The centre on a PostgreSQL server: the same contracts as on SQLite, and several writers at once."""

from __future__ import annotations

import contextlib
import functools
import inspect
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from flask import url_for
from sqlalchemy import delete, select
from sqlalchemy.engine import make_url

pytest.importorskip("psycopg", reason="the Python package psycopg is not installed")

from sync.protocol import Page
from sync.server.__main__ import main
from sync.server.app import close_app
from sync.server.centre import feed, tables
from sync.server.centre.errors import CentreError
from sync.server.centre.settings import Settings
from sync.server.centre.store import Store, StoreError
from sync.server.centre.vault import open_vault
from sync.server.opening import open_centre
from sync.server.passes import compounds, passes
from sync.server.people.households import households, slots
from tests.centre import test_alarms, test_centre, test_copies
from tests.centre import test_events as test_centre_events
from tests.centre.passes import test_extending, test_terms
from tests.fixtures.centre import NOW, Gate, World
from tests.fixtures.office import Office, furnish
from tests.fixtures.people import add_desk, apply, neighbour
from tests.fixtures.postgres import Server, find_programs
from tests.fixtures.settled import OLD_DOC, OLD_WORDS, Planted, old_database, raw_found
from tests.people import (
    test_areas,
    test_collection,
    test_coverage,
    test_dwellings,
    test_households,
    test_registers,
    test_retention,
    test_review,
    test_slot_attacks,
)

PROGRAMS = find_programs()
pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="the Debian package postgresql is not installed")
_OF_SQLITE = ("sqlite3", "ALTER TABLE", "create_app(", "EXPLAIN QUERY PLAN", "CliRunner(", "centre.db")
_READY = "ready"  # a database at the newest version, which every test leaves empty


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    assert PROGRAMS is not None
    server = Server(PROGRAMS)
    try:
        server.do(f"CREATE DATABASE {_READY}")
        _open(server.url(_READY), server.folder / "ready").close()
        yield server
    finally:
        server.stop()


def _open(url: str, state: Path) -> Any:
    return open_centre(Settings(state=state, database_url=url, clock=lambda: NOW, watch=False))


@pytest.fixture
def gate(world: World) -> Gate:
    return world.gate().enrol()


@pytest.fixture
def world(server: Server, tmp_path: Path) -> Iterator[World]:
    _give_key(server, tmp_path / "centre")
    made = World(tmp_path / "centre", database_url=server.url(_READY))
    yield made
    with made.centre.store.write() as conn:
        for table in reversed(tables.metadata.sorted_tables):
            conn.execute(delete(table))
    close_app(made.app)


def _give_key(server: Server, state: Path) -> None:
    state.mkdir()
    shutil.copy(server.folder / "ready" / "centre.key", state)


def _also_here(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """A module's tests that ask for nothing but a world, or a gate in it, and do not reach around the centre. Those
    with many examples are left to SQLite, which is quicker: it is the statements that differ, not the examples."""
    for name, found in vars(module).items():
        if name.startswith("test_") and inspect.isfunction(found) and found.__module__ == module.__name__:
            asked, words = set(inspect.signature(found).parameters), inspect.getsource(found)
            if asked and asked <= {"world", "gate"} and not any(at in words for at in _OF_SQLITE):
                yield f"{name}_on_postgresql", found


def _slow(test: Any) -> Any:
    """The test, marked here and not where it comes from."""

    @functools.wraps(test)
    def marked(**given: Any) -> None:
        test(**given)

    return pytest.mark.slow(marked)


# Every day the statements that differ most: numbering, pages of the feed, tables that are sorted, counted and paged.
for _module in (test_centre, test_coverage, test_households, test_registers):
    globals().update(_also_here(_module))
_OTHERS = (test_alarms, test_areas, test_centre_events, test_collection, test_copies, test_dwellings, test_extending,
           test_retention, test_review, test_slot_attacks, test_terms)  # fmt: skip
for _module in _OTHERS:
    globals().update((name, _slow(test)) for name, test in _also_here(_module))


def test_many_tests_of_sqlite_run_here_too() -> None:
    assert sum(name.endswith("_on_postgresql") for name in globals()) > 40


def test_migrations_make_exactly_the_tables_the_code_knows(world: World) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from sync.server.centre.tables import metadata

    with world.centre.store.read() as conn:
        assert conn.dialect.name == "postgresql"
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_two_programs_that_start_at_once_make_the_tables_once(server: Server, tmp_path: Path) -> None:
    url = server.database()
    _give_key(server, tmp_path / "centre")
    failed: list[BaseException] = []

    def start() -> None:
        try:
            _open(url, tmp_path / "centre").close()
        except BaseException as err:  # noqa: BLE001 (shown by the assertion)
            failed.append(err)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_database_whose_key_is_lost_is_refused_not_given_a_new_one(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"centre\.key cannot be read"):
        _open(server.url(_READY), tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / "centre.key").exists()


def test_a_gate_takes_a_snapshot_and_goes_on_with_the_feed(world: World) -> None:
    gate = world.gate().enrol()
    numbers = [world.issue().number for _ in range(3)]
    assert gate.get("/snapshot").status_code == 200
    gate.follow()
    passes.suspend(world.centre, numbers[0], "wang")
    passes.delete(world.centre, numbers[1], "wang")
    gate.follow()
    assert sorted(row.state for row in gate.rows.values()) == ["active", "gone", "suspended"]


def test_every_page_is_made_here_too(world: World) -> None:
    things = {"compound_id": 7} | furnish(world, 7)
    clients = [Office(world, f"{role}7", mine=(7,), role=role).client for role in ("property", "town")]
    clients.append(world.app.test_client())
    made = 0
    for rule in world.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.arguments and rule.arguments <= things.keys():
            with world.app.test_request_context():
                path = url_for(rule.endpoint, **{name: things[name] for name in rule.arguments})
            for client in clients:
                answer = client.get(path)
                assert answer.status_code < 500, f"{path}: {answer.text[:300]}"
                made += answer.status_code == 200
    assert made > 50


# What the database shows without its key


def test_nothing_that_is_sealed_is_in_a_dump(server: Server, world: World) -> None:
    planted = Planted(world)
    planted.write()
    dump = server.dump(_READY)
    assert raw_found(["独孤求", "3-2-501"], dump) == {"独孤求", "3-2-501"}, "what stands in clear is found"
    assert raw_found({word for words in planted.held.values() for word in words}, dump) == set()


@pytest.mark.slow
def test_an_older_database_is_sealed_here_too_and_its_files_are_clean(server: Server, tmp_path: Path) -> None:
    url, state = server.database(), tmp_path / "centre"
    name = str(make_url(url).database)
    state.mkdir()
    store = Store(url)
    old_database(store, open_vault(state, new=True), records=250)
    store.close()
    assert raw_found(OLD_WORDS, server.dump(name)) == raw_found(OLD_WORDS, server.files()) == set(OLD_WORDS)
    centre = _open(url, state)
    with centre.store.read() as conn:
        home = households.get_household(conn, 7, 1)
        wrote = households.read_application(conn, centre.vault, home).people[0]
        assert conn.execute(select(tables.unsealed)).all() == []
    assert (home.told, wrote.health, wrote.journeys[0].district, wrote.doc_number) == (
        "旧话告知",
        "cough",
        "旧区",
        OLD_DOC,
    )
    centre.close()
    assert raw_found(OLD_WORDS, server.dump(name)) == raw_found(OLD_WORDS, server.files()) == set()


# Several programs at once


class Other:
    """A second program on the same centre."""

    def __init__(self, world: World):
        self.centre = open_centre(world.centre.settings)

    def __enter__(self) -> Any:
        return self.centre

    def __exit__(self, *_: object) -> None:
        self.centre.close()


def _both(*works: Any) -> None:
    failed: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as err:  # noqa: BLE001 (shown by the assertion)
            failed.append(err)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_two_programs_approve_while_a_gate_pages_and_it_misses_nothing(world: World) -> None:
    gate = world.gate().enrol()
    done = [apply(world.centre) for _ in range(24)]
    approved = threading.Event()
    waiting = threading.Semaphore(0)

    def approve(centre: Any, mine: list[Any]) -> None:
        for one in mine:
            with centre.writing(7, "wang") as writing:
                households.approve(writing, centre, one.household_id)
        waiting.release()

    def page() -> None:
        while not approved.is_set():
            approved.set() if waiting.acquire(blocking=False) and waiting.acquire(timeout=30) else None
            answer = gate.ask(limit=3)
            if answer.status_code == 200:
                gate.apply(msgspec.json.decode(answer.data, type=Page))
        gate.follow(limit=3)

    with Other(world) as other:
        _both(lambda: approve(world.centre, done[::2]), lambda: approve(other, done[1::2]), page)
    with world.centre.store.read() as conn:
        numbers = {n for one in done for n in households.pass_numbers(conn, 7, one.household_id)}
        revision = compounds.read_compound(world.centre, 7).revision
        assert feed.read_page(conn, 7, gate.epoch, revision, 10, NOW) is None
    assert {row.number for row in gate.rows.values()} == numbers and len(numbers) == 24
    assert gate.revision == revision


def test_one_place_is_given_once_whatever_program_asks(world: World) -> None:
    desk = add_desk(world.centre, capacity=1)
    with world.centre.store.read() as conn:
        slot = slots.offer(conn, compounds.read_compound(world.centre, 7), "3", NOW)[0]
    forms = {apply(world.centre, 7, form).household_id: form for form in (neighbour(), neighbour())}
    taken: list[str] = []

    def submit(centre: Any, household_id: int) -> None:
        form = msgspec.structs.replace(forms[household_id], desk_id=desk, slot_ms=slot.at_ms)
        with contextlib.suppress(CentreError):  # the other one was faster
            taken.append(households.submit(centre, 7, form, "resident", household_id).number)

    with Other(world) as other:
        _both(*[lambda c=centre, h=household_id: submit(c, h)  # type: ignore[misc]
                for centre, household_id in zip((world.centre, other), forms, strict=True)])  # fmt: skip
    assert len(taken) == 1


# The command line


def test_commands_work_on_a_database_named_in_the_environment(server: Server, tmp_path: Path) -> None:
    named = {"GATE_CENTRE_DATABASE": server.database(), "GATE_CENTRE_STATE": str(tmp_path / "centre")}
    made = CliRunner(env=named).invoke(main, ["demo-data", "--compounds", "2", "--residents", "60", "--json"])
    assert made.exit_code == 0, made.output
    listed = CliRunner(env=named).invoke(main, ["compounds", "--json"])
    assert len(msgspec.json.decode(listed.stdout)) == 2
    assert not (tmp_path / "centre" / "centre.db").exists()


@pytest.mark.parametrize("address", ["sekret", "postgresql://u:sekret@/x?host=/nowhere", "what://u:sekret@h/x"])
def test_an_address_that_leads_nowhere_is_told_without_its_password(tmp_path: Path, address: str) -> None:
    asked = ["--state", str(tmp_path), "--database", address, "compounds"]
    answer = CliRunner().invoke(main, asked)
    assert answer.exit_code == 1 and "database" in answer.output and "sekret" not in answer.output
    with pytest.raises(StoreError) as raised:
        _open(address, tmp_path)
    assert "sekret" not in str(raised.value)
