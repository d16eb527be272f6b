"""What is wrong with what gates sent: events nobody can read, broken chains, holes, journals of copied devices."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, select

from sync.protocol import Event
from sync.server.centre.audit import open_why
from sync.server.centre.tables import audit, device, event, gate, unreadable_event
from sync.server.centre.writing import Centre
from sync.server.gates.events import read_event

MOST = 1000
_REPORTED = {"events-lost": "hole", "chain-broken": "break", "journal-branched": "copy"}
SORTS = ("copy", "quarantine", "break", "hole", "lost")


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """``quarantine``: an event nobody can read, kept as it came. ``break``: a chain that does not continue the one
    known. ``hole``: what neither side still has. ``lost``: what the gate itself could not keep. ``copy``: where a
    journal branched off, because two devices sent it; ``why`` is the second one's address. ``count`` events of a
    journal from ``seq`` on."""

    what: str
    gate_name: str
    at_ms: int
    journal_id: str
    seq: int
    count: int = 1
    why: str = ""


def find_troubles(centre: Centre, compound_id: int, gate_id: str | None) -> list[Trouble]:
    """Those of one gate (None: of the compound), newest first, at most 1,000 of each sort."""
    with centre.store.read() as conn:
        found = [
            *_unreadable(conn, compound_id, gate_id),
            *_reported(conn, compound_id, gate_id),
            *_lost(conn, compound_id, gate_id),
        ]
    return sorted(found, key=lambda trouble: -trouble.at_ms)


def _newest(source: Table, device_id: Any, at_ms: Any, compound_id: int, gate_id: str | None) -> Select[Any]:
    """The newest rows of a table with the gate of their device."""
    wanted = (
        select(gate.c.name.label("gate_name"), source)
        .join(device, (device.c.compound_id == source.c.compound_id) & (device.c.device_id == device_id))
        .join(gate, (gate.c.compound_id == device.c.compound_id) & (gate.c.gate_id == device.c.gate_id))
        .where(source.c.compound_id == compound_id)
        .order_by(at_ms.desc())
        .limit(MOST)
    )
    return wanted if gate_id is None else wanted.where(device.c.gate_id == gate_id)


def _unreadable(conn: Connection, compound_id: int, gate_id: str | None) -> list[Trouble]:
    rows = conn.execute(
        _newest(unreadable_event, unreadable_event.c.device_id, unreadable_event.c.received_ms, compound_id, gate_id)
    )
    return [Trouble(what="quarantine", gate_name=row.gate_name, at_ms=row.received_ms, journal_id=row.journal_id,
                    seq=row.seq, why=row.why) for row in rows]  # fmt: skip


def _reported(conn: Connection, compound_id: int, gate_id: str | None) -> list[Trouble]:
    """What taking events recorded: ``JOURNAL/SEQ`` of a break or a branch, ``JOURNAL/FIRST … LAST`` of a hole."""
    found = []
    wanted = _newest(audit, audit.c.by, audit.c.at_ms, compound_id, gate_id)
    for row in conn.execute(wanted.where(audit.c.what.in_(_REPORTED))):
        journal_id, _, where = row.about.partition("/")
        first, _, last = where.partition(" … ")
        found.append(Trouble(
            what=_REPORTED[row.what], gate_name=row.gate_name, at_ms=row.at_ms, journal_id=journal_id, seq=int(first),
            count=int(last) - int(first) + 1 if last else 1, **open_why(conn, row._mapping),
        ))  # fmt: skip
    return found


def _lost(conn: Connection, compound_id: int, gate_id: str | None) -> list[Trouble]:
    found = []
    wanted = _newest(event, event.c.device_id, event.c.at_ms, compound_id, gate_id)
    for row in conn.execute(wanted.where(event.c.kind == "events_lost")):
        read = read_event(row.event)
        count = read.count if isinstance(read, Event) else 1
        found.append(Trouble(what="lost", gate_name=row.gate_name, at_ms=row.at_ms, journal_id=row.journal_id,
                             seq=row.seq, count=count))  # fmt: skip
    return found
