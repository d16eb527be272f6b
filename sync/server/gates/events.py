"""Events of gates: taken in batches, once each, acknowledged without a gap; one bad event never stops the rest."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, text, update

from sync.protocol import (
    CHAIN_START,
    MAX_BATCH,
    MAX_EVENT_CHARACTERS,
    REFUSED_BY_CENTRE,
    Event,
    EventUpload,
    ProtocolError,
)
from sync.server.centre import tables
from sync.server.centre.sealing import seal_words, vault_of
from sync.server.centre.writing import Centre
from sync.server.gates import branches
from sync.server.gates.branches import Batch, Branch
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


def take_events(centre: Centre, device: Device, upload: EventUpload, address: str = "") -> int:
    """Keep what is new of a batch; the highest seq up to which everything that this gate has is here.

    Two copies of one device send under one name: each is answered for its own events (branches.py). A batch that begins
    beyond what is here is not kept, unless the gate says that it has nothing older: then the hole is recorded and
    acknowledged over. Only the first 500 events of a batch are looked at: the rest comes again.
    Raises ProtocolError for a journal id or seq that cannot be one.
    """
    if not _JOURNAL_ID.fullmatch(upload.journal_id) or not 1 <= upload.first_seq < 1 << 62:
        raise ProtocolError("journal_id or first_seq is out of range")
    batch = branches.read_batch(upload, MAX_BATCH)
    with centre.store.write() as conn:
        taking = _Taking(conn, device, upload.journal_id, address, centre.now_ms())
        known = taking.branches()
        placed = branches.go_on(known, batch) or branches.place(known, batch, taking.kept(batch))
        match placed:
            case branches.GoesBack(acked):
                return acked
            case branches.BranchesOff(begins):
                return taking.branch_off(known, batch, begins)
            case branches.GoesOn(branch, broken, over_hole):
                return taking.go_on(branch, batch, broken, over_hole)


class _Taking:
    """One batch on its way into the database."""

    def __init__(self, conn: Connection, device: Device, journal_id: str, address: str, now_ms: int):
        self._conn = conn
        self._device = device
        self._journal_id = journal_id
        self._address = address[:64]
        self._now_ms = now_ms

    def branches(self) -> list[Branch]:
        """The journal, made if it is new, and what went another way. Its row is locked until the commit."""
        whose = {"c": self._device.compound, "d": self._device.device, "j": self._journal_id}
        self._conn.execute(
            text(
                "INSERT INTO journal (compound_id, device_id, journal_id, acked, chain, last_ms) "
                "VALUES (:c, :d, :j, 0, :chain, 0) ON CONFLICT DO NOTHING"
            ),
            whose | {"chain": CHAIN_START},
        )
        mine = "compound_id = :c AND device_id = :d AND"
        if self._conn.dialect.name == "postgresql":
            lock = f"SELECT acked FROM journal WHERE {mine} journal_id = :j FOR UPDATE"  # noqa: S608 (constants)
            self._conn.execute(text(lock), whose)
        found = self._conn.execute(
            text(
                "SELECT journal_id AS name, begins, acked, chain, breaks FROM journal "  # noqa: S608 (constants)
                f"WHERE {mine} (journal_id = :j OR branch_of = :j) ORDER BY branch_of, begins, journal_id"
            ),
            whose,
        )
        return [Branch(**row) for row in found.mappings()]

    def kept(self, batch: Batch) -> dict[int, dict[str, str]]:
        """seq → branch → the event as it came, of those in the batch and the one before. Left out is what stands in for
        an event that the centre would not take: the gate's own is another."""
        whose = {"c": self._device.compound, "d": self._device.device, "j": self._journal_id, "first": batch.first - 1,
                 "last": batch.last}  # fmt: skip
        found: dict[int, dict[str, str]] = {}
        for table in ("event", "quarantine"):
            rows = self._conn.execute(
                text(
                    f"SELECT e.journal_id, e.seq, e.event FROM {table} e "  # noqa: S608 (constants)
                    "JOIN journal j ON j.compound_id = e.compound_id AND j.device_id = e.device_id "
                    "AND j.journal_id = e.journal_id WHERE j.compound_id = :c AND j.device_id = :d "
                    "AND (j.journal_id = :j OR j.branch_of = :j) AND e.seq BETWEEN :first AND :last"
                ),
                whose,
            )
            for name, seq, event_text in rows:
                sent = batch.texts[seq - batch.first] if seq >= batch.first else ""
                same = event_text == (sent if table == "event" else _as_kept(sent))
                if not _stands_in(event_text):
                    found.setdefault(seq, {})[name] = sent if same else event_text
        return found

    def go_on(self, branch: Branch, batch: Batch, broken: bool, over_hole: bool) -> int:
        """Keep what is new to a branch; what is acknowledged. A chain that does not continue is counted and shown, and
        the new one followed: the events are evidence either way."""
        if over_hole:
            self._report("events-lost", branch.name, f"{branch.acked + 1} … {batch.first - 1}")
        if broken:
            self._report("chain-broken", branch.name, str(branch.acked + 1))
        new = batch.texts[max(0, branch.acked + 1 - batch.first) :]
        if not new:
            return branch.acked
        self._keep(branch.name, batch.last + 1 - len(new), new)
        self._advance(branch.name, batch, branch.breaks + broken)
        return batch.last

    def branch_off(self, known: Sequence[Branch], batch: Batch, begins: int) -> int:
        """A copy's events, beside the others': a fork is kept, not dropped, and recorded once."""
        name = f"{self._journal_id}~{len(known) + 1}"
        values = {"compound_id": self._device.compound, "device_id": self._device.device, "journal_id": name,
                  "acked": 0, "chain": CHAIN_START, "last_ms": 0, "branch_of": self._journal_id,
                  "begins": begins}  # fmt: skip
        self._conn.execute(insert(tables.journal).values(values))
        self._report("journal-branched", name, str(begins), why=self._address)
        self._keep(name, begins, batch.texts[begins - batch.first :])
        self._advance(name, batch, 0)
        return batch.last

    def _report(self, what: str, name: str, about: str, why: str = "") -> None:
        row = {"compound_id": self._device.compound, "audit_id": secrets.token_hex(8), "at_ms": self._now_ms,
               "by": self._device.device, "what": what, "about": f"{name}/{about}"}  # fmt: skip
        sealed = seal_words(vault_of(self._conn), tables.audit, row, why=why)
        self._conn.execute(insert(tables.audit), row | sealed)

    def _advance(self, name: str, batch: Batch, breaks: int) -> None:
        columns = tables.journal.c
        self._conn.execute(
            update(tables.journal)
            .where(columns.compound_id == self._device.compound, columns.device_id == self._device.device,
                   columns.journal_id == name)
            .values(acked=batch.last, chain=batch.chains[-1], breaks=breaks, last_ms=self._now_ms,
                    address=self._address)
        )  # fmt: skip

    def _keep(self, name: str, first: int, texts: Sequence[str]) -> None:
        good: list[tuple[Any, ...]] = []
        unreadable: list[dict[str, Any]] = []
        for seq, event_text in enumerate(texts, first):
            read = read_event(event_text)
            if isinstance(read, Event):
                names = (read.kind, read.lane, read.outcome, read.reason)
                good.append((seq, read.at_ms, *names, read.scope, read.serial, event_text))
            else:
                unreadable.append({
                    "compound_id": self._device.compound, "device_id": self._device.device, "journal_id": name,
                    "seq": seq, "received_ms": self._now_ms, "why": read, "event": _as_kept(event_text),
                })  # fmt: skip
        if good:
            _insert(self._conn, self._device, name, good)
        if unreadable:
            self._conn.execute(insert(tables.unreadable_event), unreadable)


def _stands_in(event_text: str) -> bool:
    read = read_event(event_text) if REFUSED_BY_CENTRE in event_text else ""
    return isinstance(read, Event) and read.kind == "events_lost" and read.why == REFUSED_BY_CENTRE


def _as_kept(unreadable: str) -> str:
    """An event that nobody can read, as the database can hold it."""
    return unreadable[:MAX_EVENT_CHARACTERS].replace("\0", "\ufffd")


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


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to look at; what is empty does not choose."""

    gate: str | None = None
    kind: str = ""
    outcome: str = ""
    from_ms: int | None = None
    until_ms: int | None = None


def count_unasked(centre: Centre, compound_id: int, since_ms: int) -> dict[str, int]:
    """Passages since then that nothing had let in, by gate."""
    rows = text(
        "SELECT d.gate_id, e.event FROM event e "
        "JOIN device d ON d.compound_id = e.compound_id AND d.device_id = e.device_id "
        "WHERE e.compound_id = :compound AND e.kind = 'unasked' AND e.reason <> 'left_open' AND e.at_ms >= :since"
    )
    counted: Counter[str] = Counter()
    with centre.store.read() as conn:
        for gate, kept in conn.execute(rows, {"compound": compound_id, "since": since_ms}):
            event = read_event(kept)
            counted[gate] += event.count if isinstance(event, Event) else 0
    return counted


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
