"""Knocking at doors: what a visit found, and which doors are worth a knock because nobody of theirs was seen."""

from __future__ import annotations

import secrets
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, insert, literal, select, update

from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.sealing import open_words, seal_words, vault_of
from sync.server.centre.writing import Writing
from sync.server.passes import passes
from sync.server.people.dwellings.dwellings import get_dwelling

VisitResult = Literal["present", "nobody", "refused", "vacant", "not_here", "moved"]
FOUND: tuple[VisitResult, ...] = get_args(VisitResult)
LONGEST_NOTE = 300
IDLE_MS = 14 * 86_400_000
PAGE_ROWS = 100

_p, _c, _e, _d = tables.pass_.c, tables.credential.c, tables.event.c, tables.dwelling.c


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A note of one visit."""

    at_ms: int
    by: str
    found: str
    note: str


class DwellingResident(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who applied from a dwelling. ``label`` is masked."""

    label: str
    kind: str


class DwellingHousehold(msgspec.Struct, frozen=True, kw_only=True):
    """A household's application with its people."""

    household_id: int
    number: str
    state: str
    collected_ms: int
    people: tuple[DwellingResident, ...]


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """An active pass that no gate has let through lately. ``last_ms`` is 0 where the events kept show no passage,
    ``dwelling_id`` where the register has no such dwelling."""

    number: str
    label: str
    dwelling: str
    dwelling_id: int
    last_ms: int


def add_visit(writing: Writing, dwelling_id: int, found: str, note: str) -> None:
    """Record a visit. What it found becomes the dwelling's, except that nobody at home unsays nothing known before.

    Raises NoSuchThing or CentreError.
    """
    dwelling = get_dwelling(writing.conn, writing.compound_id, dwelling_id)
    note = " ".join(note.split())
    if found not in FOUND:
        raise CentreError("请选择上门看到的情况。", "Say what the visit found.")
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise CentreError(f"备注最多{LONGEST_NOTE}个字。", f"A note has at most {LONGEST_NOTE} characters.")
    row = {"compound_id": writing.compound_id, "dwelling_id": dwelling_id, "visit_id": secrets.token_hex(8),
           "at_ms": writing.now_ms, "by": writing.by, "found": found}  # fmt: skip
    sealed = seal_words(vault_of(writing.conn), tables.visit, row, note=note)
    writing.conn.execute(insert(tables.visit).values(row | sealed))
    if found != "nobody" or dwelling.found in ("", "nobody"):
        columns = tables.dwelling.c
        mine = (columns.compound_id == writing.compound_id, columns.dwelling_id == dwelling_id)
        writing.conn.execute(update(tables.dwelling).where(*mine).values(found=found, found_ms=writing.now_ms))
    writing.audit("visit", f"{dwelling.name}: {found}")


def list_visits(conn: Connection, compound_id: int, dwelling_id: int) -> list[Visit]:
    """Visits of a dwelling, the newest first; at most 100."""
    columns = tables.visit.c
    wanted = (
        select(tables.visit)
        .where(columns.compound_id == compound_id, columns.dwelling_id == dwelling_id)
        .order_by(columns.at_ms.desc(), columns.visit_id).limit(100)
    )  # fmt: skip
    vault = vault_of(conn)
    return [
        Visit(at_ms=row["at_ms"], by=row["by"], found=row["found"], **open_words(vault, tables.visit, row, "note"))
        for row in conn.execute(wanted).mappings()
    ]


def list_households(conn: Connection, compound_id: int, dwelling_id: int) -> list[DwellingHousehold]:
    """Applications from a dwelling, the newest first."""
    h, person = tables.household.c, tables.person.c
    columns = (h.household_id, h.number, h.state, h.collected_ms)
    mine = (h.compound_id == compound_id, h.dwelling_id == dwelling_id)
    households = conn.execute(select(*columns).where(*mine).order_by(h.household_id.desc()).limit(50)).all()
    ids = [row.household_id for row in households]
    people: dict[int, list[DwellingResident]] = {household_id: [] for household_id in ids}
    theirs = (person.compound_id == compound_id, person.household_id.in_(ids))
    for row in conn.execute(
        select(person.household_id, person.name, person.kind).where(*theirs).order_by(person.place, person.person_id)
    ):
        people[row.household_id].append(DwellingResident(label=passes.masked(row.name), kind=row.kind))
    return [DwellingHousehold(people=tuple(people[row.household_id]), **row._mapping) for row in households]


def find_idle(conn: Connection, compound_id: int, now_ms: int, page: int) -> tuple[list[Idle], bool]:
    """Active passes of residents, older than 14 days and still valid, with which nobody came through a gate of this
    compound in that time; by dwelling, a page of them, and whether there are more.

    Read off the ``decided`` events: a grant counts as a passage, whether or not a sensor saw it, and so does a yellow
    case, whatever the guard ruled: the person was there.
    """
    first = (max(1, page) - 1) * PAGE_ROWS
    wanted = _idle(compound_id, now_ms).limit(PAGE_ROWS + 1).offset(first).subquery()
    columns = (wanted.c[name] for name in ("number", "label", "dwelling", "dwelling_id"))
    last_ms = _per_credential(compound_id, wanted.c.pass_id, select(func.max(_e.at_ms)).where(*_seen(compound_id)))
    last = func.coalesce(last_ms, 0).label("last_ms")
    order = (wanted.c.place, wanted.c.dwelling, wanted.c.number)
    found = [Idle(**row) for row in conn.execute(select(*columns, last).order_by(*order)).mappings()]
    return found[:PAGE_ROWS], len(found) > PAGE_ROWS


def _idle(compound_id: int, now_ms: int) -> Select[Any]:
    since_ms = now_ms - IDLE_MS
    one = select(literal(1)).where(*_seen(compound_id), _e.at_ms >= since_ms).limit(1)
    lately = _per_credential(compound_id, _p.pass_id, one)
    there = (_d.compound_id == _p.compound_id) & (_d.name == _p.dwelling) & ~_d.proposed
    place, dwelling_id = func.coalesce(_d.place, "~").label("place"), func.coalesce(_d.dwelling_id, 0)
    return (
        select(_p.pass_id, _p.number, _p.label, _p.dwelling, dwelling_id.label("dwelling_id"), place)
        .join(tables.dwelling, there, isouter=True)
        .where(_p.compound_id == compound_id, _p.state == "active", _p.kind == "resident", _p.created_ms < since_ms,
               _p.valid_until_ms > now_ms, func.coalesce(lately, 0) == 0)
        .order_by(place, _p.dwelling, _p.number)
    )  # fmt: skip


def _seen(compound_id: int) -> tuple[ColumnElement[bool], ...]:
    """Events of a credential that are a passage."""
    return (
        _e.compound_id == compound_id, _e.scope == _c.scope, _e.serial == _c.serial, _e.kind == "decided",
        _e.outcome.in_(("grant", "refer")),
    )  # fmt: skip


def _per_credential(compound_id: int, pass_id: Any, asked: Select[Any]) -> Any:
    """The greatest answer over a pass's credentials. A query inside a query: the database then cannot begin with all
    events of the compound, as it does with a join of which it has no statistics."""
    answer = asked.correlate(tables.credential).scalar_subquery()
    theirs = (_c.compound_id == compound_id, _c.pass_id == pass_id)
    return select(func.max(answer)).where(*theirs).correlate_except(tables.credential).scalar_subquery()
