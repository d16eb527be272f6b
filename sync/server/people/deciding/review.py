"""The review queue: which applications wait for whom, in which order, and the clean ones approved together.

Stored warnings are those of the last look; what decides is looked at again in the deciding transaction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, literal, or_, select, tuple_

from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.sealing import RowValues, open_words
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Centre, Writing
from sync.server.people import identity
from sync.server.people.deciding.case import pass_end
from sync.server.people.deciding.doubtful import BULK, DOUBTFUL
from sync.server.people.dwellings.dwellings import match
from sync.server.people.households import households, notices
from sync.server.people.households.warnings import find_warnings

Filter = Literal[
    "waiting", "warned", "clean", "doubtful", "correct", "observe", "addition", "objection", "quarantine", "not_here"
]
FILTERS: tuple[Filter, ...] = get_args(Filter)
_OF_APPROVED: tuple[Filter, ...] = ("addition", "quarantine")
Order = Literal["slot", "time"]
ORDERS: tuple[Order, ...] = get_args(Order)
PAGE_ROWS = 50
MOST_AT_ONCE = 500
_A_FEW = 25
_LAST = 1 << 60
_LONGEST_TERM = 40

_h, _p, _v = tables.household.c, tables.person.c, tables.vehicle.c


class ReviewFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which households, in which order: the soonest slot or the oldest application first. A ``term`` looks in all of
    them, whatever their state."""

    only: Filter = "waiting"
    order: Order = "time"
    term: str = ""


class ReviewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A household in the queue. ``name`` is who applied; ``missing`` people and vehicles have no pass."""

    household_id: int
    number: str
    state: str
    dwelling: str
    name: str
    people: int
    vehicles: int
    warnings: tuple[str, ...]
    phone_masked: str
    submitted_ms: int
    slot_ms: int
    not_before_ms: int
    observed_until_ms: int
    collected_ms: int
    told: str
    objection: str

    @property
    def stage(self) -> str:
        """As people see it, see ``Household.stage``."""
        return "collected" if self.state == "approved" and self.collected_ms else self.state


class OtherCount(CentreError):
    """There are other clean applications now than those that were counted."""


def _count(table: Any, *which: Any) -> Any:
    mine = (table.c.compound_id == _h.compound_id, table.c.household_id == _h.household_id)
    return select(func.count()).select_from(table).where(*mine, *which).correlate(tables.household).scalar_subquery()


_lead = (
    select(_p.name).where(_p.compound_id == _h.compound_id, _p.household_id == _h.household_id)
    .order_by(_p.place, _p.person_id).limit(1).scalar_subquery()
)  # fmt: skip
_ONLY: dict[Filter, ColumnElement[bool]] = {
    "waiting": and_(_h.state == "applied", ~BULK),
    "warned": and_(_h.state == "applied", _h.sealed_warnings != b"", ~BULK),
    # who was told to wait and then changed the form is looked at by somebody, whatever the form says now
    "clean": and_(_h.state == "applied", _h.sealed_warnings == b"", _h.not_before_ms == 0),
    "doubtful": DOUBTFUL,
    "correct": _h.state == "correct",
    "observe": _h.state == "observe",
    "addition": _h.state == "approved",
    "objection": and_(_h.state == "not_here", _h.sealed_objection != b""),
    "quarantine": and_(_h.state == "approved", _h.observed_until_ms > 0),
    "not_here": _h.state == "not_here",
}


def _only(compound_id: int, name: Filter) -> ColumnElement[bool]:
    """Which households of a compound stand there."""
    which = and_(_h.compound_id == compound_id, _ONLY[name])
    if name != "addition":
        return which
    waiting = (
        select(table.c.household_id).where(table.c.compound_id == compound_id, table.c.pass_id == 0)
        for table in (tables.person, tables.vehicle)
    )  # once for all households: asked of each of them, it would walk through everybody who waits, each time
    return and_(which, or_(*(_h.household_id.in_(members) for members in waiting)))


def find_cases(
    conn: Connection, vault: Vault, compound_id: int, chosen: ReviewFilter, page: int
) -> tuple[list[ReviewEntry], bool]:
    """A page of the queue, and whether there are more."""
    wanted = _lines(conn, vault, compound_id, chosen).order_by(*_key(chosen)).limit(PAGE_ROWS + 1)
    found = [_line(vault, row) for row in conn.execute(wanted.offset((max(1, page) - 1) * PAGE_ROWS)).mappings()]
    return found[:PAGE_ROWS], len(found) > PAGE_ROWS


def around(conn: Connection, vault: Vault, compound_id: int, chosen: ReviewFilter, household_id: int,
           before: int = 5, after: int = 30) -> tuple[list[ReviewEntry], list[ReviewEntry]]:  # fmt: skip
    """The nearest households before and behind one in the queue, whether or not it still stands there itself."""
    key = _key(chosen)
    here = (_h.compound_id == compound_id, _h.household_id == household_id)
    place = tuple_(*(literal(value) for value in conn.execute(select(*key).where(*here)).one()))
    lines = _lines(conn, vault, compound_id, chosen)
    past = lines.where(tuple_(*key) < place).order_by(*(column.desc() for column in key)).limit(before)
    coming = lines.where(tuple_(*key) > place).order_by(*key).limit(after)
    return (
        [_line(vault, row) for row in conn.execute(past).mappings()][::-1],
        [_line(vault, row) for row in conn.execute(coming).mappings()],
    )


def counts(conn: Connection, compound_id: int) -> dict[Filter, int]:
    """How many stand in each."""
    mine = _h.compound_id == compound_id
    undecided = _h.state.in_(("applied", "correct", "observe", "not_here"))
    signs = ((_h.sealed_warnings != b"").label("warned"), (_h.sealed_objection != b"").label("objected"),
             DOUBTFUL.label("doubtful"), BULK.label("bulk"))  # fmt: skip
    each = select(_h.state, *signs).where(mine, undecided).subquery().c
    columns = (each.state, each.warned, each.objected, each.doubtful, each.bulk)
    together = select(*columns, func.count()).group_by(*columns)
    found = dict.fromkeys(FILTERS, 0)
    for state, warned, objected, doubtful, bulk, number in conn.execute(together):
        found["doubtful"] += number if doubtful else 0
        for name in _standing(state, bool(warned), bool(objected)) if not (doubtful and bulk) else ():
            found[name] += number
    for name in _OF_APPROVED:
        which = select(func.count()).select_from(tables.household).where(_only(compound_id, name))
        found[name] = conn.execute(which).scalar_one()
    return found


def _standing(state: str, warned: bool, objected: bool) -> tuple[Filter, ...]:
    if state == "applied":
        return "waiting", "warned" if warned else "clean"
    if state == "not_here":
        return ("not_here", "objection") if objected else ("not_here",)
    return (state,)  # type: ignore[return-value]  # correct and observe are filters of the same name


def default_order(conn: Connection, compound_id: int) -> Order:
    """By slot where the compound has desks."""
    has_desks = select(exists(select(tables.desk.c.desk_id).where(tables.desk.c.compound_id == compound_id)))
    return "slot" if conn.execute(has_desks).scalar_one() else "time"


def _key(chosen: ReviewFilter) -> tuple[ColumnElement[int], ...]:
    """What the queue is ordered by; no two households have the same."""
    first: tuple[ColumnElement[int], ...] = ()
    if chosen.term:
        pass
    elif chosen.only == "observe":
        first = (_h.not_before_ms,)
    elif chosen.only == "quarantine":
        first = (_h.observed_until_ms,)
    elif chosen.order == "slot":
        first = (case((_h.slot_ms == 0, _LAST), else_=_h.slot_ms),)
    return (*first, _h.submitted_ms, _h.household_id)


def _lines(conn: Connection, vault: Vault, compound_id: int, chosen: ReviewFilter) -> Select[Any]:
    names = [name if name in _h else f"sealed_{name}" for name in ReviewEntry.__struct_fields__]
    same = [_h[name] for name in ("compound_id", *names) if name in _h]
    counted = (_count(tables.person).label("people"), _count(tables.vehicle).label("vehicles"))
    which = _searched(conn, vault, compound_id, chosen.term) if chosen.term else _only(compound_id, chosen.only)
    return select(*same, _lead.label("name"), *counted).where(_h.compound_id == compound_id, which)


def _line(vault: Vault, row: RowValues) -> ReviewEntry:
    clear = {name: row[name] for name in ReviewEntry.__struct_fields__ if name in row}
    words = open_words(vault, tables.household, row, "warnings", "told", "objection")
    warnings = tuple(code for code in words["warnings"].split(",") if code)
    return ReviewEntry(**clear | words | {"name": row["name"] or "", "warnings": warnings})


# Searching


def _searched(conn: Connection, vault: Vault, compound_id: int, term: str) -> ColumnElement[bool]:
    """By number, whole telephone or document number, name, or dwelling."""
    term = identity.one_line(term)[:_LONGEST_TERM]
    people = [_p.name.contains(term, autoescape=True)]
    found = [_h.dwelling.contains(term, autoescape=True)]
    if number := re.fullmatch(rf"(?:{compound_id}-)?H?0*([0-9]{{1,9}})", term.upper()):
        found.append(_h.household_id == int(number[1]))
    if dwelling_id := match(conn, compound_id, term):
        found.append(_h.dwelling_id == dwelling_id)
    if phone := _phone(term):
        found.append(_h.phone_mark == vault.mark("phone", phone))
        people.append(_p.phone_mark == vault.mark("phone", phone))
    if re.fullmatch(r"[A-Z0-9]{5,20}", document := identity.plain(term)):
        people.append(_p.doc_mark.in_([vault.mark("doc", f"{kind}:{document}") for kind in identity.DOC_KINDS]))
    theirs = select(_p.household_id).where(_p.compound_id == compound_id, or_(*people))
    return or_(*found, _h.household_id.in_(theirs))


def _phone(term: str) -> str:
    try:
        return identity.check_phone(term)
    except CentreError:
        return ""


# The clean ones together


class Clean(msgspec.Struct, frozen=True, kw_only=True):
    """Clean applications submitted until ``as_of_ms``: how many, and the first of them."""

    as_of_ms: int
    count: int
    sample: Sequence[ReviewEntry]


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """What approving together did: ``left`` were no longer clean when looked at again."""

    approved: int
    left: int
    still: int


def count_clean(conn: Connection, vault: Vault, compound_id: int, as_of_ms: int, sample: int = 8) -> Clean:
    """What would be approved together now; at most ``MOST_AT_ONCE``, the soonest slots first."""
    chosen = ReviewFilter(only="clean", order="slot")
    lines = _lines(conn, vault, compound_id, chosen).where(_h.submitted_ms <= as_of_ms)
    found = [_line(vault, row) for row in conn.execute(lines.order_by(*_key(chosen)).limit(sample)).mappings()]
    return Clean(as_of_ms=as_of_ms, count=_how_many_clean(conn, compound_id, as_of_ms), sample=found)


def _how_many_clean(conn: Connection, compound_id: int, as_of_ms: int) -> int:
    which = (_only(compound_id, "clean"), _h.submitted_ms <= as_of_ms)
    return conn.execute(select(func.count()).select_from(tables.household).where(*which)).scalar_one()


def approve_clean(centre: Centre, compound_id: int, as_of_ms: int, counted: int, by: str) -> Approved:
    """Approve the clean applications that were counted, each looked at again, the soonest slots first, at most
    ``MOST_AT_ONCE``. In transactions of a few, so that residents who submit meanwhile do not wait for all of them; what
    is approved stays approved where a later one fails.

    Raises OtherCount, with nothing changed, where their number has changed.
    """
    chosen = ReviewFilter(only="clean", order="slot")
    with centre.store.read() as conn:
        count = _how_many_clean(conn, compound_id, as_of_ms)
        if count != counted:
            raise OtherCount(
                f"现在是{count}份，不是{counted}份。", f"It would be {count} applications now, not {counted}."
            )
        which = (_only(compound_id, "clean"), _h.submitted_ms <= as_of_ms)
        wanted = select(_h.household_id).where(*which).order_by(*_key(chosen)).limit(MOST_AT_ONCE)
        ids = conn.execute(wanted).scalars().all()
    approved = 0
    for start in range(0, len(ids), _A_FEW):
        with centre.writing(compound_id, by) as writing:
            approved += _approve_few(writing, centre, ids[start : start + _A_FEW], as_of_ms)
    return Approved(approved=approved, left=len(ids) - approved, still=count - len(ids))


def _approve_few(writing: Writing, centre: Centre, ids: Sequence[int], as_of_ms: int) -> int:
    """How many of these were still clean, and are approved now."""
    still = (_only(writing.compound_id, "clean"), _h.submitted_ms <= as_of_ms, _h.household_id.in_(ids))
    there = set(writing.conn.execute(select(_h.household_id).where(*still)).scalars())
    until_ms = pass_end(writing.conn, writing.compound, writing.now_ms)
    approved = 0
    for household_id in (one for one in ids if one in there):
        if found := find_warnings(writing, household_id):
            households.set_state(writing, household_id, warnings=",".join(found))
            continue
        household = households.approve(writing, centre, household_id, until_ms)
        notices.tell_decision(writing, centre.vault, household)
        approved += 1
    writing.audit("approve-clean", f"{approved} of {len(ids)}")
    return approved
