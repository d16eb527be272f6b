"""What rows have got since there were lists: `terms` and `look`, between versions of gate, list file and centre."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask
from msgspec.structs import replace
from sqlalchemy import update

from sync import cache
from sync.cache import ListReader, ListWriter, RowDamaged, get_current
from sync.protocol import CredentialRow, ProtocolError, read_terms, write_terms
from sync.server.centre import tables
from sync.server.centre.places import Lanes, lanes_of
from sync.server.centre.writing import Centre
from sync.server.passes import passes
from tests.fixtures.both_ends import Gate, enrolled, issue
from tests.fixtures.pages import page, row
from tests.fixtures.vectors import vectors

FURTHER = {"terms": '{"entries":1}', "look": "papers"}
OF_NOW = ("terms", "look", "further_mark")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "list-e-1.db"
    cache.create(made, 7, "e")
    return made


@contextlib.contextmanager
def writing(path: Path) -> Iterator[ListWriter]:
    with contextlib.closing(ListWriter(path)) as writer:
        yield writer


def found(path: Path, serial: int) -> CredentialRow | None:
    with contextlib.closing(ListReader(path)) as reader:
        return reader.find(7, serial)


def alter(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        for statement in statements:
            conn.execute(statement)


def make_older(path: Path) -> None:
    """As an earlier version made it: it says nothing of what rows have got since."""
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        for column in OF_NOW:
            conn.execute(f"ALTER TABLE credential DROP COLUMN {column}")
        meta = dict(conn.execute("SELECT name, value FROM meta"))
        del meta["further"]
        conn.execute("DELETE FROM meta")
        conn.executemany("INSERT INTO meta VALUES (?, ?)", list(cache._marked(meta).items()))


def test_row_brings_its_terms_and_its_look_through_the_list(path: Path) -> None:
    more = replace(row(2, 2), **FURTHER)
    with writing(path) as writer:
        writer.apply(page(0, row(1, 1), more))
        assert not writer.partial
    assert found(path, 1) == row(1, 1) and found(path, 2) == more


@pytest.mark.parametrize("vector", vectors("rows"), ids=lambda vector: vector["row"]["look"] or "plain")
def test_marks_are_those_of_the_vectors(path: Path, vector: dict[str, Any]) -> None:
    shown = msgspec.convert(vector["row"], CredentialRow)
    assert msgspec.to_builtins(shown) == vector["row"]
    with writing(path) as writer:
        writer.fill([shown], (), shown.revision, 1, {})
    with contextlib.closing(sqlite3.connect(path)) as conn:
        kept = conn.execute("SELECT mark, further_mark FROM credential").fetchone()
    assert kept == (vector["mark"], vector["further_mark"])
    assert found(path, shown.serial) == shown


@pytest.mark.parametrize("vector", vectors("terms"), ids=lambda vector: vector["text"] or "none")
def test_terms_are_read_as_the_vectors_say(vector: dict[str, Any]) -> None:
    if vector["terms"] is None:
        with pytest.raises(ProtocolError):
            read_terms(vector["text"])
        return
    terms = read_terms(vector["text"])
    assert msgspec.json.decode(msgspec.json.encode(terms)) == vector["terms"]
    assert read_terms(write_terms(terms)) == terms


def test_row_of_an_older_centre_has_neither() -> None:
    older = {name: value for name, value in vectors("rows")[1]["row"].items() if name not in FURTHER}
    shown = msgspec.convert(older, CredentialRow)
    assert (shown.terms, shown.look) == ("", "")


def test_list_of_an_earlier_version_is_read_and_written_on(path: Path) -> None:
    with writing(path) as writer:
        writer.apply(page(0, row(1, 1)))
    make_older(path)
    with contextlib.closing(ListReader(path)) as reader:  # the core may come before sync adds the columns
        assert reader.find(7, 1) == row(1, 1)
        more = replace(row(2, 2), **FURTHER)
        with writing(path) as writer:
            assert writer.partial
            writer.apply(page(1, more))
            assert writer.partial
        assert reader.find(7, 2) == more and reader.find(7, 1) == row(1, 1)
    cache.check(path, 7, "e")


def test_earlier_version_that_writes_on_leaves_a_partial_list(path: Path) -> None:
    """It keeps what it does not know of the list's own words, and drops what it does not know of rows."""
    with writing(path) as writer:
        writer.apply(page(0, replace(row(1, 1), **FURTHER)))
        assert not writer.partial
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        values = cache._values(row(1, 2))[: len(cache._COLUMNS) + 1]
        names = ", ".join([*cache._COLUMNS, "mark"])
        places = ", ".join("?" * len(values))
        conn.execute(f"INSERT OR REPLACE INTO credential ({names}) VALUES ({places})", values)  # noqa: S608
        meta = cache._marked(dict(conn.execute("SELECT name, value FROM meta")) | {"revision": "2"})
        conn.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(meta.items()))
    assert found(path, 1) == row(1, 2)
    with writing(path) as writer:
        assert writer.partial
        writer.apply(page(2, row(2, 3)))
        assert writer.partial
        writer.vouch()
        assert not writer.partial


@pytest.mark.parametrize(
    "damage",
    [
        """terms = '{"entries":9}'""", "terms = NULL", "terms = ''", "look = 'paperz'", "look = NULL",
        "further_mark = NULL", "further_mark = further_mark + 1", "lanes = 'exit'", "terms = x'00'",
        "state = 'printed', mark = NULL",
    ],
)  # fmt: skip
def test_damaged_terms_make_a_damaged_row(path: Path, damage: str) -> None:
    with writing(path) as writer:
        writer.apply(page(0, replace(row(1, 1), **FURTHER), row(2, 2)))
    alter(path, f"UPDATE credential SET {damage} WHERE id = {cache.credential_id(7, 1)}")  # noqa: S608
    with pytest.raises(RowDamaged):
        found(path, 1)
    assert found(path, 2) == row(2, 2)


def test_terms_that_no_writer_put_there_make_a_damaged_row(path: Path) -> None:
    with writing(path) as writer:
        writer.apply(page(0, row(1, 1)))
    alter(path, "UPDATE credential SET look = 'papers'")
    with pytest.raises(RowDamaged):
        found(path, 1)


def test_a_gates_lanes_reach_the_centre_with_its_first_upload_and_when_they_change(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    for lanes in ({"entry": "in", "exit": "out"}, {"side": "both"}):
        gate.core.lanes = lanes
        gate.start()  # another configuration is another start
        gate.run()
        with centre.store.read() as conn:
            assert lanes_of(conn, 7) == Lanes(tuple(lanes))


def test_gate_that_was_updated_fetches_its_list_whole_once(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    made = issue(centre, 1)[0]
    with centre.writing(7, "test") as writing_:
        writing_.conn.execute(update(tables.pass_).where(tables.pass_.c.number == made.number).values(**FURTHER))
        passes.set_attention_in(writing_, made.number, True, "papers")
    gate.run()
    serial = made.credentials[0].serial
    before = get_current(gate.folder)
    assert before and (shown := found(before, serial))
    assert {name: getattr(shown, name) for name in FURTHER} == FURTHER
    gate.stop()
    make_older(before)
    gate.run(700)
    after = get_current(gate.folder)
    assert after and after != before and found(after, serial) == shown
    gate.run(2000)
    assert get_current(gate.folder) == after
