"""Which dwellings have applied, and which have NOT: derived from households and visits, never written down.

``state_of`` says what a dwelling's state is; ``_STATE`` says the same to the database. An application that was
cancelled, whose household moved away or does not live there does not count.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, Literal, cast, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, case, func, insert, literal, select

from sync.server.centre import tables
from sync.server.centre.writing import Centre
from sync.server.people.sheets import write_table

State = Literal["collected", "applied", "none", "refused", "vacant", "not_here", "moved"]
STATES: tuple[State, ...] = get_args(State)
STANDING = ("applied", "correct", "observe", "approved")
"""States of a household whose application counts."""
SETTLED = ("refused", "vacant", "not_here", "moved")
"""What a visit can find that is a state of its own."""
PAGE_ROWS = 100
FINDINGS = ("", "present", "nobody", *SETTLED)
"""What is known of a dwelling that has not applied; empty: nobody was there yet."""

_d = tables.dwelling.c
_h = tables.household.c


def state_of(households: Iterable[tuple[str, int]], found: str) -> State:
    """A dwelling's state, from (state, collected_ms) of its households and what visits found."""
    standing = [(state, collected_ms) for state, collected_ms in households if state in STANDING]
    if any(state == "approved" and collected_ms for state, collected_ms in standing):
        return "collected"
    if standing:
        return "applied"
    return cast(State, found) if found in SETTLED else "none"


_standing = (
    select(func.max(case(((_h.state == "approved") & (_h.collected_ms > 0), 2), else_=1)))
    .where(_h.compound_id == _d.compound_id, _h.dwelling_id == _d.dwelling_id, _h.state.in_(STANDING))
    .scalar_subquery()
)
_STATE: ColumnElement[str] = case(
    {2: "collected", 1: "applied"}, value=_standing, else_=case((_d.found.in_(SETTLED), _d.found), else_="none")
)
_has_applied = (
    select(literal(1))
    .where(_h.compound_id == _d.compound_id, _h.dwelling_id == _d.dwelling_id, _h.state.in_(STANDING))
    .exists()
)


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A dwelling on the grid."""

    dwelling_id: int
    unit: str
    floor: int
    room: str
    name: str
    found: str
    state: State


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A dwelling without an application, and what the last visit found."""

    dwelling_id: int
    building: str
    name: str
    floor: int
    found: str
    found_ms: int


class DwellingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the dwellings without an application. ``found``: one of ``FINDINGS``; None: all that have to apply, so
    neither vacant nor refused, moved or living elsewhere; ``everything``: those, too."""

    building: str = ""
    found: str | None = None
    everything: bool = False


def counts(conn: Connection, compound_id: int) -> dict[str, dict[State, int]]:
    """Building → state → dwellings; buildings in the order people count."""
    state = _STATE.label("state")
    inner = select(_d.building, _d.place, state).where(*_registered(compound_id)).subquery()
    wanted = select(inner.c.building, inner.c.state, func.count(), func.min(inner.c.place)).group_by(
        inner.c.building, inner.c.state
    )
    rows = sorted(conn.execute(wanted).all(), key=lambda row: row[3])
    found: dict[str, dict[State, int]] = {}
    for building, state_name, number, _ in rows:
        found.setdefault(building, dict.fromkeys(STATES, 0))[cast(State, state_name)] = number
    return found


def cells(conn: Connection, compound_id: int, building: str) -> list[Cell]:
    """Every dwelling of a building: by unit, the top floor first, then by room."""
    columns = (_d.dwelling_id, _d.unit, _d.floor, _d.room, _d.name, _d.found, _STATE.label("state"))
    wanted = select(*columns).where(*_registered(compound_id), _d.building == building).order_by(_d.place)
    return [Cell(**row) for row in conn.execute(wanted).mappings()]


def dwelling_state(conn: Connection, compound_id: int, dwelling_id: int) -> State:
    """The state of one dwelling of the register."""
    mine = (_d.compound_id == compound_id, _d.dwelling_id == dwelling_id)
    return cast(State, conn.execute(select(_STATE).where(*mine)).scalar_one())


def find_missing(conn: Connection, compound_id: int, chosen: DwellingFilter, page: int) -> tuple[list[Missing], bool]:
    """Dwellings without an application, a page of them, in the order people count; and whether there are more."""
    start = (max(1, page) - 1) * PAGE_ROWS
    rows = conn.execute(_missing(compound_id, chosen).limit(PAGE_ROWS + 1).offset(start)).mappings()
    found = [Missing(**row) for row in rows]
    return found[:PAGE_ROWS], len(found) > PAGE_ROWS


def count_missing(conn: Connection, compound_id: int) -> dict[str, dict[str, int]]:
    """Building → what visits found → dwellings without an application."""
    wanted = (
        select(_d.building, _d.found, func.count()).where(*_registered(compound_id), ~_has_applied)
        .group_by(_d.building, _d.found).order_by(func.min(_d.place))
    )  # fmt: skip
    found: dict[str, dict[str, int]] = {}
    for building, finding, number in conn.execute(wanted):
        found.setdefault(building, dict.fromkeys(FINDINGS, 0))[finding] = number
    return found


def _missing(compound_id: int, chosen: DwellingFilter) -> Select[Any]:
    columns = (_d.dwelling_id, _d.building, _d.name, _d.floor, _d.found, _d.found_ms)
    wanted = select(*columns).where(*_registered(compound_id), ~_has_applied).order_by(_d.place)
    if chosen.building:
        wanted = wanted.where(_d.building == chosen.building)
    if chosen.found is not None:
        return wanted.where(_d.found == chosen.found)
    return wanted if chosen.everything else wanted.where(_d.found.not_in(SETTLED))


def _registered(compound_id: int) -> tuple[ColumnElement[bool], ...]:
    return _d.compound_id == compound_id, ~_d.proposed


class MissingSheet(msgspec.Struct, frozen=True, kw_only=True):
    """How an exported table is worded."""

    title: str
    headings: tuple[str, ...]
    findings: dict[str, str]
    day: Any


def export_missing(centre: Centre, compound_id: int, chosen: DwellingFilter, sheet: MissingSheet, by: str) -> IO[bytes]:
    """The list as ``.xlsx``, in constant memory, at its beginning. It is recorded before it is given away; there is no
    person in it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the answer closes it when it is sent)
    try:
        with centre.store.read() as conn:
            found = conn.execution_options(yield_per=1000).execute(_missing(compound_id, chosen)).mappings()
            rows = write_table(file, sheet.headings, _lines((Missing(**row) for row in found), sheet), sheet.title)
        _record(centre, compound_id, chosen, rows, by)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _lines(found: Iterator[Missing], sheet: MissingSheet) -> Iterator[tuple[str | int, ...]]:
    for row in found:
        visited = sheet.day(row.found_ms) if row.found_ms else ""
        yield row.building, row.name, row.floor or "", sheet.findings[row.found], visited


def _record(centre: Centre, compound_id: int, chosen: DwellingFilter, rows: int, by: str) -> None:
    with centre.writing(compound_id, by) as writing:
        row = {
            "compound_id": compound_id, "export_id": secrets.token_hex(8), "at_ms": writing.now_ms, "by": by,
            "what": "dwellings-missing", "chosen": msgspec.json.encode(chosen).decode(), "whole": False, "rows": rows,
            "households": "[]",
        }  # fmt: skip
        writing.conn.execute(insert(tables.export).values(row))
        writing.audit("export", f"dwellings-missing: {rows}")
