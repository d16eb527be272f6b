"""Whose record was opened, and which number in it was read in full: written down in the very transaction, and shown to
the household."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sync.server.centre import sealing, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Centre, Writing
from sync.server.people.households.households import get_household
from sync.server.people.identity import one_line

PURPOSES = ("identity", "call", "health", "authority", "other")
"""What a full number may be read for. ``other`` needs words of its own."""
OPENED_AGAIN_MS = 3_600_000
"""An account that opens a record again within this time is recorded once."""
LONGEST_WHY = 100

_a, _p, _h = tables.audit.c, tables.person.c, tables.household.c


class SealedNumber(msgspec.Struct, frozen=True, kw_only=True):
    """One number: ``doc`` or ``phone`` of a person; ``person_id`` 0: the telephone of the household."""

    what: str
    person_id: int = 0


class RevealedNumber(SealedNumber, frozen=True, kw_only=True):
    """That number, in full. Show it once, keep it nowhere."""

    number: str


def opened_lately(conn: Connection, compound_id: int, household_id: int, by: str, now_ms: int) -> bool:
    """Whether the opening of this record by this account is written down already."""
    wanted = select(_a.audit_id).where(
        _a.compound_id == compound_id, _a.household == household_id, _a.at_ms > now_ms - OPENED_AGAIN_MS,
        _a.what == "open-case", _a.by == by,
    )  # fmt: skip
    return conn.execute(wanted.limit(1)).first() is not None


def note_opened(writing: Writing, household_id: int) -> None:
    """Write down that a record was opened, at most once an hour for an account. Raises NoSuchThing."""
    if not opened_lately(writing.conn, writing.compound_id, household_id, writing.by, writing.now_ms):
        household = get_household(writing.conn, writing.compound_id, household_id)
        writing.audit("open-case", household.number, household_id)


def purpose_of(code: str, words: str) -> str:
    """How a purpose is written down: its code, and what was added. Raises CentreError without one."""
    added = one_line(words)[:LONGEST_WHY]
    if code not in PURPOSES or (code == "other" and not added):
        raise CentreError("请选择或写明查看用途。", "Say what the number is needed for.")
    return f"{code}: {added}" if added else code


def reveal(
    centre: Centre, compound_id: int, household_id: int, wanted: SealedNumber, why: str, by: str
) -> RevealedNumber:
    """A number in full, recorded for the household with ``why`` (of ``purpose_of``). Raises NoSuchThing."""
    with centre.writing(compound_id, by) as writing:
        return reveal_in(writing, centre.vault, household_id, wanted, why)


def reveal_in(writing: Writing, vault: Vault, household_id: int, wanted: SealedNumber, why: str) -> RevealedNumber:
    """Do what ``reveal`` does, inside a transaction that does more."""
    household = get_household(writing.conn, writing.compound_id, household_id)
    row = writing.conn.execute(_sealed(writing.compound_id, household_id, wanted)).mappings().first()
    if row is None:
        raise NoSuchThing(en="There is no such number in this household.")
    about = f"{household.number} {wanted.what}" + (f" {wanted.person_id}" if wanted.person_id else "")
    writing.audit("reveal", about, household_id, why)
    table = tables.person if wanted.person_id else tables.household
    number = sealing.open_words(vault, table, row, wanted.what)[wanted.what]
    return RevealedNumber(what=wanted.what, person_id=wanted.person_id, number=number)


def _sealed(compound_id: int, household_id: int, wanted: SealedNumber) -> Any:
    if wanted.person_id and wanted.what in ("doc", "phone"):
        mine = (_p.compound_id == compound_id, _p.household_id == household_id, _p.person_id == wanted.person_id)
        columns = (*sealing.key_of(tables.person), f"sealed_{wanted.what}")
        return select(*(_p[name] for name in columns)).where(*mine)
    if wanted.what == "phone":
        return select(_h.compound_id, _h.household_id, _h.sealed_phone).where(
            _h.compound_id == compound_id, _h.household_id == household_id
        )
    raise NoSuchThing(en="There is no such number in this household.")
