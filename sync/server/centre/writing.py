"""One centre, put together: store, vault, clock, wake-ups, and the writing transaction all changes go through."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from sync.server.centre import feed, tables
from sync.server.centre.settings import Settings
from sync.server.centre.store import Store
from sync.server.centre.vault import Vault
from sync.server.centre.wake import Wakes


class CentreError(Exception):
    """Something a person asked for cannot be done; both texts say why, in their words. Nothing was changed.

    The order is that of every pair of texts: Chinese, English. ``CentreError(en="…")`` has no Chinese: only the command
    line or a gate can meet it. ``str()`` gives the English text.
    """

    def __init__(self, zh: str = "", en: str = ""):
        super().__init__(en)
        self.zh = zh


class NoSuchThing(CentreError):
    """It does not exist, or not in this compound."""


class Compound(msgspec.Struct, frozen=True, kw_only=True):
    """A compound's row. ``compound_id`` is also the number of its own scope."""

    compound_id: int
    name_zh: str
    name_en: str
    timezone: str
    epoch: str
    revision: int
    pruned_revision: int
    root_public: bytes
    sealed_root_seed: bytes
    sealed_code_key: bytes
    rules: str
    created_ms: int
    community_zh: str = ""
    community_en: str = ""
    office_phone: str = ""
    wide: int = 0
    """1: no compound but a wider scope (scopes.py)."""


class Writing:
    """One transaction that changes one compound. Rows of ``credential`` set to revision 0 and signed changes are
    numbered, in one go, when the block ends; all of it commits together or not at all."""

    def __init__(self, conn: Connection, compound: Compound, now_ms: int, by: str):
        self.conn = conn
        self.compound = compound
        self.compound_id = compound.compound_id
        self.now_ms = now_ms
        self.by = by
        self._unsigned: list[feed.Unsigned] = []
        self._touched = False

    def sign(self, purpose: str, item: str, body: msgspec.Struct, must: bool = False) -> None:
        """Publish a change under the root key when the block ends."""
        self._unsigned.append(feed.Unsigned(purpose, item, msgspec.json.encode(body), must))

    def touch(self) -> None:
        """Say that credential rows were set to revision 0."""
        self._touched = True

    def begin_epoch(self, epoch: str) -> None:
        """Go on under another epoch: every signed change in force is signed again."""
        self.compound = msgspec.structs.replace(self.compound, epoch=epoch)
        in_force = feed.all_signed(self.conn, self.compound_id)
        self._unsigned = [feed.Unsigned(s.purpose, s.item, s.body, s.must) for s in in_force]
        self._touched = True

    def audit(self, what: str, about: str, household: int = 0, why: str = "") -> None:
        """Record who did what about which object, and whose record that is; never a secret."""
        row = {
            "compound_id": self.compound_id, "audit_id": secrets.token_hex(8), "at_ms": self.now_ms, "by": self.by,
            "what": what, "about": about, "household": household, "why": why,
        }  # fmt: skip
        self.conn.execute(insert(tables.audit).values(row))

    def publish(self, vault: Vault) -> int | None:
        """Number and sign everything; the compound's new revision, None where nothing of the feed changed."""
        if not (self._touched or self._unsigned):
            return None
        seed = vault.unseal(self.compound.sealed_root_seed)
        return feed.number(self.conn, self.compound_id, self.compound.epoch, seed, self._unsigned)


class Centre:
    """Everything the pages, the API and the commands share. Thread-safe; ``close`` it."""

    def __init__(self, settings: Settings, store: Store, vault: Vault):
        self.settings = settings
        self.store = store
        self.vault = vault
        self.wakes = Wakes()
        self.listeners: list[Callable[[int], None]] = []
        """Called after a commit that changed what gates of a compound know."""

    def now_ms(self) -> int:
        return self.settings.clock()

    @contextmanager
    def writing(self, compound_id: int, by: str) -> Iterator[Writing]:
        """The one way to change a compound. Gates are woken after the commit. Raises NoSuchThing."""
        with self.store.write() as conn:
            writing = Writing(conn, get_compound(conn, compound_id, alone=True), self.now_ms(), by)
            yield writing
            revision = writing.publish(self.vault)
        if revision is not None:
            self.wakes.tell(compound_id, revision)
            for heard in self.listeners:
                heard(compound_id)

    def close(self) -> None:
        """Idempotent. Ends every open wake-up stream."""
        self.wakes.close()
        self.store.close()


def get_compound(conn: Connection, compound_id: int, alone: bool = False) -> Compound:
    """Raises NoSuchThing. ``alone``: on PostgreSQL, anyone else who wants to change this compound waits for this
    transaction to end, as on SQLite everybody does, so that what it read stays true until it has written."""
    wanted = select(tables.compound).where(tables.compound.c.compound_id == compound_id)
    row = conn.execute(wanted.with_for_update(key_share=True) if alone else wanted).mappings().first()
    if row is None:
        raise NoSuchThing(en=f"There is no compound {compound_id}.")
    return _compound(dict(row))


def all_compounds(conn: Connection) -> list[Compound]:
    """Compounds, without wider scopes, in order of their numbers."""
    return [compound for compound in all_places(conn) if not compound.wide]


def all_places(conn: Connection) -> list[Compound]:
    """Compounds and wider scopes, in order of their numbers."""
    rows = conn.execute(select(tables.compound).order_by(tables.compound.c.compound_id)).mappings()
    return [_compound(dict(row)) for row in rows]


def _compound(row: dict[str, Any]) -> Compound:
    return Compound(**row)


def next_number(conn: Connection, compound_id: int, name: str, count: int = 1) -> int:
    """The first of ``count`` consecutive numbers of a counter, from 1; none is ever given twice."""
    return feed.take(conn, compound_id, name, count)
