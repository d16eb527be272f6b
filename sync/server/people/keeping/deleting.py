"""How each kind of record is deleted, inside a transaction. Each function is given the keys of rows that are due, and
counts what went, by kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, LargeBinary, Table, delete, select, tuple_, update

from sync.server.centre import tables
from sync.server.centre.writing import Writing
from sync.server.people.households.field_groups import ClockName, TableName, emptied_by

Keys = Sequence[Any]
Counts = Mapping[str, int]
_OF_NO_PERSON = re.compile(r"[0-9H…, /-]*")
_SOME = 500
_EMPTIED: Mapping[TableName, Table] = {
    "person": tables.person, "household": tables.household, "vehicle": tables.vehicle,
}  # fmt: skip


def table_of(columns: Sequence[ColumnElement[Any]]) -> Table:
    """Whose columns these are."""
    table: Table = columns[0].table
    return table


def rows(writing: Writing, columns: Sequence[ColumnElement[Any]], keys: Keys) -> int:
    """Rows go whole."""
    table = table_of(columns)
    return sum(_delete(writing, table, tuple_(*columns).in_([tuple(key) for key in some])) for some in _split(keys))


def households(writing: Writing, keys: Keys) -> Counts:
    """Households with all that hangs on them; what was recorded about them stays, without its words."""
    ids = [key.household_id for key in keys]
    counts = Counter({"pass": passes(writing, sorted(_passes_of(writing, ids)))})
    owned = (tables.person, tables.vehicle, tables.visitor, tables.notice, tables.draft)
    for table in (*owned, tables.household):
        counts[table.name] = _delete(writing, table, table.c.household_id.in_(ids))
    _quiet_records(writing, ids)
    _leave_exports(writing, set(ids))
    return counts


def _passes_of(writing: Writing, ids: Sequence[int]) -> set[int]:
    found = set()
    owners = [(table, table.c.household_id) for table in (tables.person, tables.vehicle, tables.visitor)]
    for table, owner in (*owners, (tables.pass_, tables.pass_.c.household)):
        theirs = (table.c.compound_id == writing.compound_id, owner.in_(ids))
        found |= set(writing.conn.execute(select(table.c.pass_id).where(*theirs)).scalars())
    return found - {0}


def passes(writing: Writing, ids: Sequence[int]) -> int:
    """Their rows go; their credentials become tombstones that take them off every gate's list."""
    credential, count = tables.credential.c, 0
    for some in _split(ids):
        mine = (credential.compound_id == writing.compound_id, credential.pass_id.in_(some))
        tombstone = {"state": "gone", "pass_id": None, "revision": 0, "changed_ms": writing.now_ms}
        writing.conn.execute(update(tables.credential).where(*mine).values(**tombstone))
        for table in (tables.activation, tables.browser):
            _delete(writing, table, table.c.pass_id.in_(some))
        count += _delete(writing, tables.pass_, tables.pass_.c.pass_id.in_(some))
        writing.touch()
    return count


def _quiet_records(writing: Writing, ids: Sequence[int]) -> None:
    """Who did what remains; purposes go, and whatever is no number of ours."""
    columns = tables.audit.c
    mine = (columns.compound_id == writing.compound_id, columns.household.in_(ids))
    told = writing.conn.execute(select(columns.about).where(*mine).distinct()).scalars().all()
    writing.conn.execute(update(tables.audit).where(*mine, columns.sealed_why != b"").values(sealed_why=b""))
    for some in _split([about for about in told if not _OF_NO_PERSON.fullmatch(about)]):
        writing.conn.execute(update(tables.audit).where(*mine, columns.about.in_(some)).values(about=""))


def _leave_exports(writing: Writing, ids: set[int]) -> None:
    """Lists of exports forget them, and what was searched for, since that may be a name."""
    columns = tables.export.c
    kept = select(columns.export_id, columns.households).where(columns.compound_id == writing.compound_id)
    for export_id, text in writing.conn.execute(kept).all():
        listed = msgspec.json.decode(text or "[]", type=list[int])
        if not ids.isdisjoint(listed):
            left = msgspec.json.encode([one for one in listed if one not in ids]).decode()
            mine = (columns.compound_id == writing.compound_id, columns.export_id == export_id)
            writing.conn.execute(update(tables.export).where(*mine).values(households=left, chosen=""))


def travel(writing: Writing, keys: Keys) -> Counts:
    """Where they were, how they felt, and what was told them of it."""
    ids = [key.household_id for key in keys]
    _empty(writing, "travel", ids)
    return {"travel": len(ids)}


def documents(writing: Writing, keys: Keys) -> Counts:
    """Full numbers of documents and telephones, and the hashes that find them; the masked ones stay."""
    ids = [key.household_id for key in keys]
    _empty(writing, "document", ids)
    return {"document": len(ids)}


def signatures(writing: Writing, keys: Keys) -> Counts:
    """The commitment letter's signature and name; that it was signed, and when, stays."""
    ids = [key.household_id for key in keys]
    _empty(writing, "signature", ids)
    return {"signature": len(ids)}


def visitors(writing: Writing, keys: Keys) -> Counts:
    """With their passes of a day."""
    gone = rows(writing, (tables.visitor.c.visitor_id,), [(key.visitor_id,) for key in keys])
    return {"visitor": gone, "pass": passes(writing, [key.pass_id for key in keys if key.pass_id])}


def _empty(writing: Writing, clock: ClockName, ids: Sequence[int]) -> None:
    """Every field of the groups that belong to a clock."""
    for table, columns in emptied_columns(clock).items():
        mine = (table.c.compound_id == writing.compound_id, table.c.household_id.in_(ids))
        values = {column.name: empty_of(column) for column in columns}
        writing.conn.execute(update(table).where(*mine).values(values))


def emptied_columns(clock: ClockName) -> dict[Table, list[Column[Any]]]:
    """Columns of households, their people and vehicles that are emptied when a clock runs out."""
    found = {table: [table.c[column] for column in emptied_by(clock, name)] for name, table in _EMPTIED.items()}
    return {table: columns for table, columns in found.items() if columns}


def empty_of(column: ColumnElement[Any]) -> bytes | str:
    """What an emptied column holds."""
    return b"" if isinstance(column.type, LargeBinary) else ""


def _delete(writing: Writing, table: Table, *which: ColumnElement[bool]) -> int:
    return writing.conn.execute(delete(table).where(table.c.compound_id == writing.compound_id, *which)).rowcount


def _split(found: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (found[at : at + _SOME] for at in range(0, len(found), _SOME))
