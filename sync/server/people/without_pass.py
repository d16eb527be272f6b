"""Households that a guard let in without a pass, as the desk and they themselves see it: the events of the last days.

Nothing is kept beside the events, so it goes with them (``keeping.retention``).
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, text

from sync.cache import fold_dwelling
from sync.protocol import Event
from sync.server.gates.events import read_event

DAYS_MS = 3 * 24 * 3_600_000
"""As long as an entry may last at most."""
_MOST_EVENTS = 500
_LONGEST = 40
_LATEST_MS = 1 << 47
FOUND = text(
    "SELECT g.name AS gate_name, e.event FROM event e "
    "JOIN device d ON d.compound_id = e.compound_id AND d.device_id = e.device_id "
    "JOIN gate g ON g.compound_id = d.compound_id AND g.gate_id = d.gate_id "
    "WHERE e.compound_id = :compound AND e.kind = 'provisional' AND e.at_ms >= :since "
    "ORDER BY e.at_ms DESC LIMIT :most"
)


class ProvisionalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """``household`` as the gate's list had it; 0: the gate did not know one. ``at_ms`` is the last of its ``times``."""

    dwelling: str
    household: int
    people: int
    gate_name: str
    by: str
    at_ms: int
    until_ms: int
    times: int = 1


def find_entries(conn: Connection, compound_id: int, now_ms: int) -> list[ProvisionalEntry]:
    """Those of the last three days, the latest first; each household of a gate once for each time it was registered."""
    rows = conn.execute(FOUND, {"compound": compound_id, "since": now_ms - DAYS_MS, "most": _MOST_EVENTS})
    found: dict[tuple[str, str], ProvisionalEntry] = {}
    for gate_name, kept in rows:
        event = read_event(kept)
        if not isinstance(event, Event) or not 0 <= event.until_ms < _LATEST_MS:
            continue
        key = gate_name, event.about or event.id
        last = found.get(key)
        found[key] = msgspec.structs.replace(last, times=last.times + 1) if last else _entry(gate_name, event)
    return list(found.values())


def entries_of(
    conn: Connection, compound_id: int, household_id: int, dwelling: str, now_ms: int
) -> list[ProvisionalEntry]:
    """Those of one household: by its number, or by its dwelling where the gate knew no number."""
    folded = fold_dwelling(dwelling)
    return [
        entry
        for entry in find_entries(conn, compound_id, now_ms)
        if entry.household == household_id or (not entry.household and fold_dwelling(entry.dwelling) == folded)
    ]


def _entry(gate_name: str, event: Event) -> ProvisionalEntry:
    """A gate may say anything: what is too long for a page is cut."""
    return ProvisionalEntry(
        dwelling=event.dwelling[:_LONGEST],
        household=event.household,
        people=event.count,
        gate_name=gate_name,
        by=event.by[:_LONGEST],
        at_ms=event.at_ms,
        until_ms=event.until_ms,
    )
