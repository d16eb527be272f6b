"""Seal what an older version kept in clear: once, when this version first opens the database.

Migrations have no key, so 0006 puts the words into the table ``unsealed`` and this takes them from there. Each short
transaction seals a page of rows and deletes their words, so a program that is killed leaves every word either there or
sealed, and the next one goes on. At the end the file is written anew: in freed pages and in the log nothing is left.
Copies made before (backups, PostgreSQL's archived log) hold the words as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Table, delete, exists, select, update

from sync.server.centre import sealing, tables
from sync.server.centre.places import get_compound
from sync.server.centre.store import Store
from sync.server.centre.vault import Vault, VaultError
from sync.server.people import identity
from sync.server.people.households.application import Journey
from sync.server.people.households.sealed_answers import seal_answers

PAGE = 200
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
    """How many rows were sealed; 0: none waits."""
    if not _waits(store):
        return 0
    with store.write() as conn:
        store.alone(conn)
        wanted = select(tables.unsealed).where(_u.of != _REWRITE).order_by(_u.compound_id, _u.of, _u.row)
        rows = conn.execute(wanted.limit(PAGE)).mappings().all()
        if not rows:
            return 0
        _must_be_its_key(conn, vault)
        for waiting in rows:
            _seal_row(conn, vault, waiting, now_ms)
            mine = (_u.compound_id == waiting["compound_id"], _u.of == waiting["of"], _u.row == waiting["row"])
            conn.execute(delete(tables.unsealed).where(*mine))
        left = {"compound_id": rows[0]["compound_id"], "of": _REWRITE, "row": "", "words": ""}
        if not conn.execute(select(exists(select(_u.of).where(_u.of == _REWRITE)))).scalar_one():
            conn.execute(tables.unsealed.insert().values(left))
        return len(rows)


def _must_be_its_key(conn: Connection, vault: Vault) -> None:
    vault.unseal(conn.execute(select(_c.sealed_root_seed).order_by(_c.compound_id).limit(1)).scalar_one())


def _seal_row(conn: Connection, vault: Vault, waiting: Mapping[str, Any], now_ms: int) -> None:
    old = _OLD[waiting["of"]]
    key = {"compound_id": waiting["compound_id"], **_key(old, waiting["row"])}
    mine = [old.table.c[name] == value for name, value in key.items()]
    row = conn.execute(select(old.table).where(*mine)).mappings().first()
    if row is None:
        return
    words = msgspec.json.decode(waiting["words"])
    if old.table is tables.person:
        values = _person(conn, vault, row, words, now_ms)
    else:
        values = sealing.seal_words(vault, old.table, key, **words)
    values |= {column: _bound(vault, old.table, row, column) for column in old.full}
    if "phone_masked" in row:
        values |= _masks(vault, old.table, {**row, **values})
    if values:
        conn.execute(update(old.table).where(*mine).values(**values))


def _key(old: _OldTable, row: str) -> dict[str, Any]:
    found = dict(zip(old.keys, msgspec.json.decode(row), strict=True))
    return {name: bytes.fromhex(value) if name.endswith("_mark") else value for name, value in found.items()}


def _person(conn: Connection, vault: Vault, row: Mapping[str, Any], words: Mapping[str, Any],
            now_ms: int) -> dict[str, Any]:  # fmt: skip
    zone = ZoneInfo(get_compound(conn, row["compound_id"]).timezone)
    stays = [Journey(**dict(zip(Journey.__struct_fields__, stay, strict=True))) for stay in words["stays"]]
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    said = {name: value for name, value in words.items() if name != "stays"}
    if not any(value for name, value in said.items() if name != "birth") and not stays:  # erased already
        return seal_answers(vault, row, said, stays, today) | {"sealed_travel": b""}
    return seal_answers(vault, row, said, stays, today)


def _bound(vault: Vault, table: Table, row: Mapping[str, Any], column: str) -> bytes:
    """What was sealed already, bound to its place; damaged as it is where it was damaged."""
    try:
        return sealing.seal(vault, table, row, column, vault.unseal(row[column])) if row[column] else b""
    except VaultError:
        return bytes(row[column])


def _masks(vault: Vault, table: Table, row: Mapping[str, Any]) -> dict[str, str]:
    """Masks as they are made now; those whose number was erased stay."""
    made = {"phone": identity.mask_phone, "doc": identity.mask}
    found = {}
    for name in (one for one in made if row.get(f"sealed_{one}")):
        try:
            found[f"{name}_masked"] = made[name](sealing.open_words(vault, table, row, name)[name])
        except VaultError:
            continue
    return found
