"""Seal what an older version kept in clear: once, when this version first opens the database.

Migrations have no key, so 0006 puts the words into the table ``unsealed`` and this takes them from there. Each short
transaction seals a page of rows and deletes their words, so a program that is killed leaves every word either there or
sealed, and the next one goes on. At the end the file is written anew: in freed pages and in the log nothing is left.
Copies made before (backups, PostgreSQL's archived log) hold the words as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete, exists, insert, select, tuple_, update

from sync.server.centre import sealing, tables
from sync.server.centre.places import get_compound
from sync.server.centre.store import Store
from sync.server.centre.vault import Vault, VaultError
from sync.server.people import identity
from sync.server.people.households.application import Journey
from sync.server.people.households.field_groups import TRAVEL
from sync.server.people.households.sealed_answers import TRAVELLED, seal_answers

PAGE = 500
_REWRITE = "rewrite"
"""In ``unsealed.of``: everything is sealed, and the file is still to be written anew."""
_u, _c = tables.unsealed.c, tables.compound.c


class _OldTable(NamedTuple):
    """``keys`` of a row beside the compound, as 0006 wrote them; ``full``: what was sealed already, and bound to no
    place."""

    table: Table
    keys: tuple[str, ...]
    full: tuple[str, ...] = ()


_OLD = {old.table.name: old for old in (
    _OldTable(tables.person, ("person_id", "household_id"), ("sealed_doc", "sealed_phone")),
    _OldTable(tables.household, ("household_id",), ("sealed_phone", "sealed_signature")),
    _OldTable(tables.visit, ("dwelling_id", "visit_id")),
    _OldTable(tables.audit, ("audit_id",)),
    _OldTable(tables.notice, ("notice_id", "household_id"), ("sealed_phone",)),
    _OldTable(tables.draft, ("draft_mark", "household_id"), ("sealed_body",)),
    _OldTable(tables.upload, ("upload_mark",), ("sealed_rows",)),
)}  # fmt: skip


def seal_old(store: Store, vault: Vault, now_ms: int, after_page: Callable[[], None] = lambda: None) -> int:
    """Seal everything that waits; how many rows. Idempotent, and safe from two programs at once.

    Raises VaultError, with nothing changed, where the key is not this database's.
    """
    done = 0
    while found := _seal_page(store, vault, now_ms):
        done += found
        after_page()
    if _waits(store) and store.rewrite([old.table.name for old in _OLD.values()] + [tables.unsealed.name]):
        with store.write() as conn:
            conn.execute(delete(tables.unsealed))
        store.scrub()
    return done


def _waits(store: Store) -> bool:
    with store.read() as conn:
        return bool(conn.execute(select(exists(select(_u.of)))).scalar_one())


def _seal_page(store: Store, vault: Vault, now_ms: int) -> int:
    """How many rows were sealed, all of one table and compound; 0: none waits."""
    if not _waits(store):
        return 0
    with store.write() as conn:
        store.alone(conn)
        wanted = select(_u.compound_id, _u.of).where(_u.of != _REWRITE).order_by(_u.compound_id, _u.of)
        first = conn.execute(wanted.limit(1)).first()
        if first is None:
            return 0
        _must_be_its_key(conn, vault)
        here = (_u.compound_id == first.compound_id, _u.of == first.of)
        waiting = conn.execute(select(_u.row, _u.words).where(*here).order_by(_u.row).limit(PAGE)).all()
        _seal_rows(conn, vault, _OLD[first.of], first.compound_id, {one.row: one.words for one in waiting}, now_ms)
        conn.execute(delete(tables.unsealed).where(*here, _u.row <= waiting[-1].row))
        if not conn.execute(select(exists(select(_u.of).where(_u.of == _REWRITE)))).scalar_one():
            left = {"compound_id": first.compound_id, "of": _REWRITE, "row": "", "words": ""}
            conn.execute(insert(tables.unsealed).values(left))
        return len(waiting)


def _must_be_its_key(conn: Connection, vault: Vault) -> None:
    vault.unseal(conn.execute(select(_c.sealed_root_seed).order_by(_c.compound_id).limit(1)).scalar_one())


def _seal_rows(conn: Connection, vault: Vault, old: _OldTable, compound_id: int, waiting: Mapping[str, str],
               now_ms: int) -> None:  # fmt: skip
    zone = ZoneInfo(get_compound(conn, compound_id).timezone)
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    said = {_key(old, row): msgspec.json.decode(words) for row, words in waiting.items()}
    columns = [old.table.c[name] for name in old.keys]
    mine = old.table.c.compound_id == compound_id
    rows = conn.execute(select(old.table).where(mine, tuple_(*columns).in_(list(said)))).mappings().all()
    changed = []
    for row in rows:
        key = tuple(row[name] for name in old.keys)
        at = {f"of_{name}": value for name, value in zip(old.keys, key, strict=True)}
        changed.append(_sealed(vault, old, row, said[key], today) | at)
    if changed:
        this = (column == bindparam(f"of_{column.name}") for column in columns)
        conn.execute(update(old.table).where(mine, *this), changed)


def _key(old: _OldTable, row: str) -> tuple[Any, ...]:
    found = zip(old.keys, msgspec.json.decode(row), strict=True)
    return tuple(bytes.fromhex(value) if name.endswith("_mark") else value for name, value in found)


def _sealed(vault: Vault, old: _OldTable, row: sealing.RowValues, said: Mapping[str, Any],
            today: date) -> dict[str, Any]:  # fmt: skip
    """What changes in a row; of every row of a table the same columns."""
    values: dict[str, Any] = {column: _bound(vault, old.table, row, column) for column in old.full}
    if old.table is tables.person:
        values |= _person(vault, row, said, today)
    else:
        values |= sealing.seal_words(vault, old.table, row, **said)
    return values | _masks(vault, old.table, {**row, **values})


def _person(vault: Vault, row: sealing.RowValues, words: Mapping[str, Any], today: date) -> dict[str, Any]:
    stays = [Journey(**dict(zip(Journey.__struct_fields__, stay, strict=True))) for stay in words["stays"]]
    said = {name: value for name, value in words.items() if name != "stays"}
    sealed = seal_answers(vault, row, said, stays, today)
    erased = not stays and not any(said[name] for name in TRAVELLED)
    return sealed | ({TRAVEL: b""} if erased else {})


def _bound(vault: Vault, table: Table, row: sealing.RowValues, column: str) -> bytes:
    """What was sealed already, bound to its place; damaged as it is where it was damaged."""
    try:
        return sealing.seal(vault, table, row, column, vault.unseal(row[column])) if row[column] else b""
    except VaultError:
        return bytes(row[column])


def _masks(vault: Vault, table: Table, row: sealing.RowValues) -> dict[str, str]:
    """Masks as they are made now; those whose number was erased, or is damaged, stay."""
    found = {}
    for name, made in (("phone", identity.mask_phone), ("doc", identity.mask)):
        if f"{name}_masked" in row:
            found[f"{name}_masked"] = row[f"{name}_masked"]
            with suppress(VaultError):
                number = sealing.open_words(vault, table, row, name)[name]
                found[f"{name}_masked"] = made(number) if number else row[f"{name}_masked"]
    return found
