"""What a household may know of itself: its passages, and who had its record before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sync.protocol import Event
from sync.server.centre import audit, tables
from sync.server.people.households.households import Household
from sync.server.people.registers import exports

DAYS = 30
MOST_PASSAGES = 60
MOST_RECORDS = 100
_DAY_MS = 86_400_000
_RULED_WITHIN_MS = 120_000
_e = tables.event.c


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One showing of a pass of the household. ``outcome`` is grant, deny, guard_grant, guard_deny or guard."""

    at_ms: int
    gate: str
    direction: str
    outcome: str
    reason: str
    label: str
    plate: str
    kind: str


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody did something with the household's record. ``role`` is ``self``, a role of the staff, or ``centre``;
    never an account or a name. ``why`` is a code, or a code with words behind it."""

    at_ms: int
    what: str
    role: str
    why: str = ""
    whole: bool = False
    times: int = 1
    """How often in that minute."""


# Passages


def passages(conn: Connection, household: Household, now_ms: int) -> list[Passage]:
    """Of the last 30 days, newest first, at most 60; visitors' too."""
    c, p, d, g = tables.credential.c, tables.pass_.c, tables.device.c, tables.gate.c
    wanted = (
        select(_e.at_ms, _e.device_id, _e.journal_id, _e.outcome, _e.reason, _e.event, p.label, p.plate, p.kind, g.name)
        .select_from(tables.pass_)
        .join(tables.credential, (c.compound_id == p.compound_id) & (c.pass_id == p.pass_id))
        .join(tables.event, (_e.compound_id == c.compound_id) & (_e.scope == c.scope) & (_e.serial == c.serial))
        .join(tables.device, (d.compound_id == _e.compound_id) & (d.device_id == _e.device_id))
        .join(tables.gate, (g.compound_id == d.compound_id) & (g.gate_id == d.gate_id))
        .where(p.compound_id == household.compound_id, p.household == household.household_id, _e.kind == "decided",
               _e.at_ms > now_ms - DAYS * _DAY_MS)
        .order_by(_e.at_ms.desc(), _e.seq.desc())
        .limit(MOST_PASSAGES)
    )  # fmt: skip
    return [_passage(conn, household.compound_id, row) for row in conn.execute(wanted).all()]


def entries(conn: Connection, compound_id: int, number: str) -> int:
    """How often a pass came in, as far as gates have told: each counts for itself, and one without network tells
    later."""
    c, p = tables.credential.c, tables.pass_.c
    shown = (
        select(_e.device_id, _e.journal_id, _e.at_ms, _e.event)
        .join(tables.credential, (_e.compound_id == c.compound_id) & (_e.scope == c.scope) & (_e.serial == c.serial))
        .join(tables.pass_, (c.compound_id == p.compound_id) & (c.pass_id == p.pass_id))
        .where(p.compound_id == compound_id, p.number == number, _e.kind.in_(("decided", "override")))
    )
    found = conn.execute(shown).all()
    return sum(_came_in(conn, compound_id, row) for row in found if _read(row.event).direction == "in")


def _came_in(conn: Connection, compound_id: int, row: Any) -> bool:
    """Whether somebody passed by that showing, or by a guard's ruling on it."""
    near = (
        _e.compound_id == compound_id, _e.device_id == row.device_id, _e.journal_id == row.journal_id,
        _e.kind.in_(("ruled", "passage")), _e.at_ms >= row.at_ms, _e.at_ms < row.at_ms + _RULED_WITHIN_MS,
    )  # fmt: skip
    by = {_read(row.event).id}
    for text in conn.execute(select(_e.event).where(*near).order_by(_e.seq)).scalars():
        event = _read(text)
        if event.about in by and event.kind == "passage":
            return event.outcome in ("passed", "no_sensor")
        by |= {event.id} if event.about in by else set()
    return False


def _passage(conn: Connection, compound_id: int, row: Any) -> Passage:
    event = _read(row.event)
    outcome, reason = row.outcome, row.reason
    if outcome == "refer":
        ruled, reason = _ruled(conn, compound_id, row, event.id), ""
        outcome = f"guard_{ruled}" if ruled else "guard"
    return Passage(
        at_ms=row.at_ms, gate=row.name, direction=event.direction, outcome=outcome, label=row.label, plate=row.plate,
        kind=row.kind, reason=reason if outcome == "deny" else "",
    )  # fmt: skip


def _ruled(conn: Connection, compound_id: int, row: Any, event_id: str) -> str:
    """What the guard said to a referred one; empty where nothing came up yet."""
    near = (
        _e.compound_id == compound_id, _e.device_id == row.device_id, _e.journal_id == row.journal_id,
        _e.kind.in_(("ruled", "override")), _e.at_ms >= row.at_ms, _e.at_ms < row.at_ms + _RULED_WITHIN_MS,
    )  # fmt: skip
    found = [_read(text) for text in conn.execute(select(_e.event).where(*near).order_by(_e.seq)).scalars()]
    return next((event.outcome for event in reversed(found) if event.about == event_id), "")


def _read(text: str) -> Event:
    return msgspec.json.decode(text, type=Event)


# Who had the record before them


def looks(conn: Connection, household: Household) -> list[Look]:
    """Deeds on the record and tables it went out in, newest first, at most 100."""
    columns = tables.audit.c
    mine = (columns.compound_id == household.compound_id, columns.household == household.household_id)
    wanted = (
        select(columns.compound_id, columns.audit_id, columns.at_ms, columns.what, columns.by, columns.sealed_why)
        .where(*mine)
        .order_by(columns.at_ms.desc(), columns.audit_id)
        .limit(MOST_RECORDS)
    )
    rows = conn.execute(wanted).all()
    taken = exports.of_household(conn, household.compound_id, household.household_id, MOST_RECORDS)
    roles = _roles(conn, [row.by for row in rows] + [one.by for one in taken])
    found = [Look(at_ms=r.at_ms, what=r.what, role=_role(roles, r.by), why=_purpose(conn, r)) for r in rows]
    found += [
        Look(at_ms=one.at_ms, what="table", role=_role(roles, one.by), why=one.why, whole=one.whole) for one in taken
    ]
    return _together(found)[:MOST_RECORDS]


def _together(found: Sequence[Look]) -> list[Look]:
    """Newest first; the same deed on several passes in one minute is one line."""
    lines: dict[tuple[object, ...], Look] = {}
    for look in sorted(found, key=lambda look: -look.at_ms):
        key = (look.at_ms // 60_000, look.what, look.role, look.why, look.whole)
        before = lines.get(key)
        lines[key] = look if before is None else msgspec.structs.replace(before, times=before.times + 1)
    return list(lines.values())


def _purpose(conn: Connection, row: Any) -> str:
    """Why a number was read in full is the household's to know; the desk's own notes are not."""
    return audit.open_why(conn, row._mapping)["why"] if row.what == "reveal" else ""


def _roles(conn: Connection, accounts: Sequence[str]) -> dict[str, str]:
    columns = tables.staff.c
    wanted = select(columns.account, columns.role).where(columns.account.in_(sorted(set(accounts))))
    return {row.account: row.role for row in conn.execute(wanted)}


def _role(roles: dict[str, str], by: str) -> str:
    if by == "resident" or by.startswith("resident:"):
        return "self"
    return roles.get(by, "centre")
