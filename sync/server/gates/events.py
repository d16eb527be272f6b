"""Events of gates: taken in batches, once each, acknowledged without a gap; one bad event never stops the rest."""

from __future__ import annotations

import re
import secrets
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, text, update

from sync.protocol import CHAIN_START, MAX_BATCH, MAX_EVENT_CHARACTERS, Event, EventUpload, ProtocolError, chain
from sync.server.centre import tables
from sync.server.centre.writing import Centre
from sync.server.gates.fleet import Device

PAGE_ROWS = 100
_JOURNAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LATEST_MS = 1 << 47
_COLUMNS = "compound_id, device_id, journal_id, seq, at_ms, kind, lane, outcome, reason, scope, serial, event"


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as people see it."""

    device: str
    gate: str
    gate_name: str
    journal_id: str
    seq: int
    at_ms: int
    kind: str
    lane: str
    outcome: str
    reason: str
    scope: int
    serial: int
    number: str
    """The pass, where the credential is one of ours."""
    event: str


class _Head(msgspec.Struct):
    """How far a journal has come."""

    acked: int = 0
    chain: bytes = CHAIN_START
    breaks: int = 0


def take_events(centre: Centre, device: Device, upload: EventUpload) -> int:
    """Keep what is new of a batch; the highest seq below which everything of this journal is here.

    A batch that begins beyond it is not kept, unless the gate says that it has nothing older: then the hole is recorded
    and acknowledged over. Only the first 500 events of a batch are looked at: the rest comes again.
    Raises ProtocolError for a journal id or seq that cannot be one.
    """
    if not _JOURNAL_ID.fullmatch(upload.journal_id) or not 1 <= upload.first_seq < 1 << 62:
        raise ProtocolError("journal_id or first_seq is out of range")
    texts = upload.events[:MAX_BATCH]
    with centre.store.write() as conn:
        head = _head(conn, device, upload.journal_id)
        if upload.hole and texts and upload.first_seq > head.acked + 1:
            head = _over_the_hole(conn, device, upload, head, centre.now_ms())
        known = head.acked + 1 - upload.first_seq
        if known < 0 or known >= len(texts):
            return head.acked
        _keep(conn, device, upload, texts, known, centre.now_ms())
        _advance(conn, device, upload, texts, head, centre.now_ms())
        return upload.first_seq + len(texts) - 1


def _head(conn: Connection, device: Device, journal_id: str) -> _Head:
    values = {"c": device.compound, "d": device.device, "j": journal_id}
    conn.execute(
        text(
            "INSERT INTO journal (compound_id, device_id, journal_id, acked, chain, last_ms) "
            "VALUES (:c, :d, :j, 0, :chain, 0) ON CONFLICT DO NOTHING"
        ),
        values | {"chain": CHAIN_START},
    )
    lock = " FOR UPDATE" if conn.dialect.name == "postgresql" else ""
    found = conn.execute(
        text(
            "SELECT acked, chain, breaks FROM journal "  # noqa: S608 (lock is one of two constants)
            f"WHERE compound_id = :c AND device_id = :d AND journal_id = :j{lock}"
        ),
        values,
    ).one()
    return _Head(found.acked, found.chain, found.breaks)


def _over_the_hole(conn: Connection, device: Device, upload: EventUpload, head: _Head, now_ms: int) -> _Head:
    """Record what neither side still has; the head just before the batch, with the chain the gate says."""
    _report(conn, device, upload, "events-lost", f"{head.acked + 1} … {upload.first_seq - 1}", now_ms)
    return _Head(upload.first_seq - 1, upload.before, head.breaks)


def _report(conn: Connection, device: Device, upload: EventUpload, what: str, about: str, now_ms: int) -> None:
    row = {"compound_id": device.compound, "audit_id": secrets.token_hex(8), "at_ms": now_ms, "by": device.device,
           "what": what, "about": f"{upload.journal_id}/{about}"}  # fmt: skip
    conn.execute(insert(tables.audit), row)


def _keep(conn: Connection, device: Device, upload: EventUpload, texts: list[str], known: int, now_ms: int) -> None:
    good: list[tuple[Any, ...]] = []
    unreadable: list[dict[str, Any]] = []
    for seq, event_text in enumerate(texts[known:], upload.first_seq + known):
        read = read_event(event_text)
        if isinstance(read, Event):
            names = (read.kind, read.lane, read.outcome, read.reason)
            good.append((seq, read.at_ms, *names, read.scope, read.serial, event_text))
        else:
            unreadable.append({
                "compound_id": device.compound, "device_id": device.device, "journal_id": upload.journal_id, "seq": seq,
                "received_ms": now_ms, "why": read, "event": event_text[:MAX_EVENT_CHARACTERS].replace("\0", "\ufffd"),
            })  # fmt: skip
    if good:
        _insert(conn, device, upload.journal_id, good)
    if unreadable:
        conn.execute(insert(tables.unreadable_event), unreadable)


def read_event(event_text: str) -> Event | str:
    """The event, or why the centre cannot read it. Never raises."""
    if len(event_text) > MAX_EVENT_CHARACTERS:
        return "too long"
    try:
        event = msgspec.json.decode(event_text, type=Event)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as err:
        return str(err)[:200].encode("utf-8", "replace").decode()
    if not 0 <= event.at_ms < _LATEST_MS or not 0 <= event.scope < 1 << 24 or not 0 <= event.serial < 1 << 32:
        return "a number is out of range"
    names = (event.kind, event.lane, event.outcome, event.reason)
    if not all(name.isprintable() and len(name) <= 200 for name in names):
        return "a name is not printable"
    return event


def _insert(conn: Connection, device: Device, journal_id: str, rows: list[tuple[Any, ...]]) -> None:
    """The hot path: one statement for a batch, per dialect."""
    if conn.dialect.name == "sqlite":
        taken = ", ".join(f"value ->> {place}" for place in range(9))
        conn.exec_driver_sql(
            f"INSERT INTO event ({_COLUMNS}) SELECT ?, ?, ?, {taken} FROM json_each(?)",  # noqa: S608 (constants)
            (device.compound, device.device, journal_id, msgspec.json.encode(rows).decode()),
        )
        return
    names = [name.strip() for name in _COLUMNS.split(",")]
    conn.execute(
        insert(tables.event),
        [dict(zip(names, (device.compound, device.device, journal_id, *row), strict=True)) for row in rows],
    )


def _advance(conn: Connection, device: Device, upload: EventUpload, texts: list[str], head: _Head, now_ms: int) -> None:
    """Move the journal's head on. A chain that does not continue ours is counted and shown, and the new one followed:
    the events are evidence either way."""
    running = upload.before
    here = head.chain if head.acked + 1 == upload.first_seq else None
    broken = here is not None and running != here
    for seq, event_text in enumerate(texts, upload.first_seq):
        running = chain(running, event_text)
        broken = broken or (seq == head.acked and running != head.chain)
    if broken:
        _report(conn, device, upload, "chain-broken", str(head.acked + 1), now_ms)
    columns = tables.journal.c
    conn.execute(
        update(tables.journal)
        .where(columns.compound_id == device.compound, columns.device_id == device.device,
               columns.journal_id == upload.journal_id)
        .values(acked=upload.first_seq + len(texts) - 1, chain=running, breaks=head.breaks + broken, last_ms=now_ms)
    )  # fmt: skip


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to look at; what is empty does not choose."""

    gate: str | None = None
    kind: str = ""
    outcome: str = ""
    from_ms: int | None = None
    until_ms: int | None = None


def find_events(centre: Centre, compound_id: int, chosen: EventFilter, page: int = 1,
                rows: int = PAGE_ROWS) -> tuple[list[StoredEvent], bool]:  # fmt: skip
    """Events of a compound, newest first, with the pass where it is known; and whether there are more."""
    wanted = {
        "gate": ("d.gate_id = :gate", chosen.gate), "kind": ("e.kind = :kind", chosen.kind or None),
        "outcome": ("e.outcome = :outcome", chosen.outcome or None),
        "from_ms": ("e.at_ms >= :from_ms", chosen.from_ms), "until_ms": ("e.at_ms < :until_ms", chosen.until_ms),
    }  # fmt: skip
    choose = "".join(f" AND {condition}" for condition, value in wanted.values() if value is not None)
    found = text(
        "SELECT e.device_id AS device, g.gate_id AS gate, g.name AS gate_name, e.journal_id, e.seq, e.at_ms, e.kind, "  # noqa: S608 (constants)
        "e.lane, e.outcome, e.reason, e.scope, e.serial, e.event, coalesce(p.number, '') AS number FROM event e "
        "JOIN device d ON d.compound_id = e.compound_id AND d.device_id = e.device_id "
        "JOIN gate g ON g.compound_id = e.compound_id AND g.gate_id = d.gate_id "
        "LEFT JOIN credential c ON c.compound_id = e.compound_id AND c.scope = e.scope AND c.serial = e.serial "
        "LEFT JOIN pass p ON p.compound_id = c.compound_id AND p.pass_id = c.pass_id "
        f"WHERE e.compound_id = :compound{choose} "
        "ORDER BY e.at_ms DESC, e.device_id, e.journal_id, e.seq DESC LIMIT :limit OFFSET :offset"
    )
    values: dict[str, Any] = {"compound": compound_id, "limit": rows + 1, "offset": (max(1, page) - 1) * rows}
    values |= {name: value for name, (_, value) in wanted.items() if value is not None}
    with centre.store.read() as conn:
        kept = [StoredEvent(**row) for row in conn.execute(found, values).mappings()]
    return kept[:rows], len(kept) > rows
