"""Guards' shifts at the gates of a compound, and their hand-over sheets: made of the events that the gates sent."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, text

from sync.protocol import Event
from sync.server.centre.errors import NoSuchThing
from sync.server.centre.writing import Centre
from sync.server.gates.events import read_event
from sync.shifts import ShiftSheet, sheet, sheets

DAYS = 14
"""So far back shifts are listed."""
MOST = 200
_MOST_EVENTS = 60_000
_AFTER = 20_000
"""Rows after a shift's end in which a reason given later is looked for."""
_DAY_MS = 86_400_000


class GateShift(NamedTuple):
    """A shift, and at which gate it was. Its sheet has no counts, unless it was asked for by itself."""

    gate: str
    gate_name: str
    sheet: ShiftSheet


class OverBudget(msgspec.Struct, frozen=True, kw_only=True):
    """How often a guard overrode beyond the budget of a shift, at a gate, and when last."""

    gate: str
    gate_name: str
    by: str
    count: int
    last_ms: int


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """An event where it stands."""

    device: str
    gate: str
    gate_name: str
    journal: str
    seq: int
    event: Event


def list_shifts(centre: Centre, compound_id: int, gate_id: str | None = None) -> list[GateShift]:
    """The shifts of the last days, the newest first; of one gate or of all."""
    with centre.store.read() as conn:
        rows = _find(conn, compound_id, "e.kind = 'shift'", centre.now_ms() - DAYS * _DAY_MS)
    gates = {row.event.id: row for row in rows}
    found = [GateShift(gates[one.shift].gate, gates[one.shift].gate_name, one) for one in sheets(r.event for r in rows)]
    mine = [shift for shift in found if gate_id in (None, shift.gate)]
    return sorted(mine, key=lambda shift: shift.sheet.begun_ms, reverse=True)[:MOST]


def get_shift(centre: Centre, compound_id: int, gate_id: str, shift: str) -> GateShift:
    """A shift with its whole sheet. Raises NoSuchThing where this gate sent none of that name, or it is too old."""
    with centre.store.read() as conn:
        told = _find(conn, compound_id, "e.kind = 'shift'", 0, gate_id)
        first = next((row for row in told if row.event.id == shift and row.event.outcome == "on"), None)
        if first is None:
            raise NoSuchThing
        last = next((row.seq for row in told if row.event.about == shift and row.journal == first.journal), None)
        made = sheet(_of_shift(conn, compound_id, first, last))
    if made is None:
        raise NoSuchThing
    return GateShift(first.gate, first.gate_name, made)


def over_budget(centre: Centre, compound_id: int, since_ms: int) -> list[OverBudget]:
    """Who overrode beyond the budget since then, the most first; mistakes that were annulled do not count."""
    with centre.store.read() as conn:
        rows = _find(conn, compound_id, "e.reason = 'over_budget'", since_ms)
        mistakes = {row.event.about for row in _find(conn, compound_id, "e.kind = 'annulled'", since_ms)}
    found: dict[tuple[str, str], list[_Row]] = {}
    for row in (row for row in rows if row.event.id not in mistakes):
        found.setdefault((row.gate, row.event.by), []).append(row)
    counted = [
        OverBudget(gate=gate, gate_name=those[0].gate_name, by=by, count=len(those), last_ms=those[-1].event.at_ms)
        for (gate, by), those in found.items()
    ]
    return sorted(counted, key=lambda one: -one.count)


def annulled(centre: Centre, compound_id: int, since_ms: int) -> set[str]:
    """The ids of events of acts that were annulled since then."""
    with centre.store.read() as conn:
        return {row.event.about for row in _find(conn, compound_id, "e.kind = 'annulled'", since_ms)}


def _find(conn: Connection, compound_id: int, which: str, since_ms: int, gate_id: str | None = None) -> list[_Row]:
    """Readable events of that sort since then, the oldest first."""
    at_gate = "" if gate_id is None else "AND d.gate_id = :gate "
    rows = conn.execute(
        text(
            "SELECT e.device_id AS device, g.gate_id AS gate, g.name AS gate_name, e.journal_id AS journal, e.seq, "  # noqa: S608 (constants)
            "e.event FROM event e "
            "JOIN device d ON d.compound_id = e.compound_id AND d.device_id = e.device_id "
            "JOIN gate g ON g.compound_id = e.compound_id AND g.gate_id = d.gate_id "
            f"WHERE e.compound_id = :compound AND e.at_ms >= :since AND {which} {at_gate}"
            "ORDER BY e.at_ms, e.device_id, e.journal_id, e.seq"
        ),
        {"compound": compound_id, "since": since_ms, "gate": gate_id},
    )
    found = [(row, read_event(row.event)) for row in rows]
    return [
        _Row(device=row.device, gate=row.gate, gate_name=row.gate_name, journal=row.journal, seq=row.seq, event=event)
        for row, event in found
        if isinstance(event, Event)
    ]


def _of_shift(conn: Connection, compound_id: int, first: _Row, last: int | None) -> list[Event]:
    """The events of a shift in the journal where it began; after its end only what explains an act."""
    rows = conn.execute(
        text(
            "SELECT event FROM event WHERE compound_id = :compound AND device_id = :device AND journal_id = :journal "
            "AND seq >= :first AND seq <= :until AND (seq <= :last OR kind IN ('explained', 'annulled')) "
            "ORDER BY seq LIMIT :most"
        ),
        {"compound": compound_id, "device": first.device, "journal": first.journal, "first": first.seq,
         "last": last or first.seq + _MOST_EVENTS, "until": (last or first.seq + _MOST_EVENTS) + _AFTER,
         "most": _MOST_EVENTS},
    )  # fmt: skip
    read = (read_event(row.event) for row in rows)
    return [event for event in read if isinstance(event, Event)]
