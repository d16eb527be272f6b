"""What was recorded: who did what, when, about which object."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, insert, select

from sync.server.centre import tables
from sync.server.centre.sealing import RowValues, open_words, vault_of
from sync.server.centre.writing import Centre

PAGE_ROWS = 100


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One record. ``by`` is an account, a device or a system's user."""

    at_ms: int
    by: str
    what: str
    about: str


class Record(Entry, frozen=True, kw_only=True):
    """One record with whose record it is about, and what it was for."""

    household: int = 0
    why: str = ""


def newest(centre: Centre, compound_id: int, what: str, rows: int = 20) -> list[Entry]:
    """The newest records of one kind in a compound."""
    columns = tables.audit.c
    wanted = (
        select(columns.at_ms, columns.by, columns.what, columns.about)
        .where(columns.compound_id == compound_id, columns.what == what)
        .order_by(columns.at_ms.desc(), columns.audit_id)
        .limit(rows)
    )
    with centre.store.read() as conn:
        return [Entry(**row) for row in conn.execute(wanted).mappings()]


def note_town(conn: Connection, now_ms: int, by: str, what: str, about: str) -> None:
    """Record what was done to the whole town: accounts, areas, periods; never a secret."""
    row = {"audit_id": secrets.token_hex(8), "at_ms": now_ms, "by": by, "what": what, "about": about}
    conn.execute(insert(tables.town_audit).values(row))


class RecordFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which records: by whom, of which kind, from when until before when. Empty and 0: any."""

    by: str = ""
    what: str = ""
    from_ms: int = 0
    until_ms: int = 0


def find(centre: Centre, compound_id: int, chosen: RecordFilter, page: int = 1) -> tuple[list[Record], bool]:
    """Records of a compound, the newest first, 100 a page; and whether there are more."""
    return _find(centre, tables.audit, (tables.audit.c.compound_id == compound_id,), chosen, page)


def find_town(centre: Centre, chosen: RecordFilter, page: int = 1) -> tuple[list[Record], bool]:
    """Records of what was done to the whole town."""
    return _find(centre, tables.town_audit, (), chosen, page)


def _find(
    centre: Centre, table: Table, where: Sequence[Any], chosen: RecordFilter, page: int
) -> tuple[list[Record], bool]:
    columns = table.c
    names = [name for name in Record.__struct_fields__ if name in columns]
    sealed = [columns[name] for name in ("compound_id", "audit_id", "sealed_why") if "sealed_why" in columns]
    wanted = select(*(columns[name] for name in names), *sealed).where(*where)
    for value, condition in (
        (chosen.by, columns.by == chosen.by), (chosen.what, columns.what == chosen.what),
        (chosen.from_ms, columns.at_ms >= chosen.from_ms), (chosen.until_ms, columns.at_ms < chosen.until_ms),
    ):  # fmt: skip
        wanted = wanted.where(condition) if value else wanted
    order = (columns.at_ms.desc(), columns.audit_id)
    with centre.store.read() as conn:
        found = conn.execute(wanted.order_by(*order).limit(PAGE_ROWS + 1).offset((page - 1) * PAGE_ROWS)).mappings()
        records = [Record(**{name: row[name] for name in names} | (open_why(conn, row) if sealed else {}))
                   for row in found]  # fmt: skip
    return records[:PAGE_ROWS], len(records) > PAGE_ROWS


def open_why(conn: Connection, row: RowValues) -> dict[str, str]:
    """``why`` of a row with ``compound_id``, ``audit_id`` and ``sealed_why``."""
    return open_words(vault_of(conn), tables.audit, row, "why")


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A table somebody took out as a file. ``whole``: with full numbers in it."""

    at_ms: int
    by: str
    what: str
    chosen: str
    why: str
    whole: bool
    rows: int


def find_exports(centre: Centre, compound_id: int, page: int = 1) -> tuple[list[Exported], bool]:
    """Exports of a compound, the newest first, 100 a page; and whether there are more."""
    columns = tables.export.c
    wanted = select(*(columns[name] for name in Exported.__struct_fields__)).where(columns.compound_id == compound_id)
    order = (columns.at_ms.desc(), columns.export_id)
    with centre.store.read() as conn:
        rows = conn.execute(wanted.order_by(*order).limit(PAGE_ROWS + 1).offset((page - 1) * PAGE_ROWS)).mappings()
        found = [Exported(**{**row, "whole": bool(row["whole"])}) for row in rows]
    return found[:PAGE_ROWS], len(found) > PAGE_ROWS
