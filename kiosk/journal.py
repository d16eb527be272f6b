"""The event journal and the uses: append-only, numbered, hash-chained, in one SQLite file that only the core writes.

A thread of its own commits (WAL, ``synchronous=FULL``), so that a slow or full disk never stops the gate: what cannot
be written waits in memory, up to :data:`KEPT_IN_MEMORY` events, and what goes beyond is counted and reported as one
``events_lost``. Sequence numbers are given when an event is written, so the journal has no gaps.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from sqlite_utils import Database

from sync.protocol import CHAIN_START, Event, EventBatch, EventsAfter, chain

KEPT_IN_MEMORY = 1000
RETRY_SECONDS = 1.0
KEPT_DAYS_MS = 30 * 24 * 3_600_000
USES_KEPT_MS = 3 * 24 * 3_600_000
_TAIL = 500

log = logging.getLogger("journal")


def new_event_id() -> str:
    """64 random bits, hexadecimal."""
    return secrets.token_hex(8)


class UseRow(msgspec.Struct, frozen=True):
    """One counted passage: which credential (scope << 32 | serial), when, in which direction, of which household."""

    credential: int
    at_ms: int
    direction: str
    household: int = 0


class Health(msgspec.Struct, frozen=True):
    """``why`` is empty while all is written; ``in_memory`` counts what waits for the disk."""

    journal_id: str
    newest: int
    in_memory: int
    lost: int
    why: str = ""


class Saved:
    """The promise of a write."""

    def __init__(self) -> None:
        self._done = threading.Event()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it is on disk, waiting at most that long."""
        return self._done.wait(seconds)

    def done(self) -> None:
        self._done.set()


class _Entry(msgspec.Struct):
    event: Event
    use: UseRow | None
    step: tuple[int, int] | None
    saved: Saved


class _Damaged(Exception):
    """The file cannot be used as a journal any more."""


class _File:
    """One journal file. Belongs to the writer's thread, but for :meth:`read`."""

    def __init__(self, path: Path):
        self.path = path
        self.journal_id = path.stem.removeprefix("journal-")
        fresh = not path.exists()
        self._conn = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(fresh)
            self.seq, self.chain = self._last()
        except sqlite3.OperationalError:
            self._conn.close()
            raise
        except sqlite3.DatabaseError as err:
            self._conn.close()
            raise _Damaged(str(err)) from err

    def _prepare(self, fresh: bool) -> None:
        if fresh:
            self._conn.execute("PRAGMA page_size = 1024")  # a commit writes whole pages: small ones spare the card
        self._conn.execute("PRAGMA journal_mode = WAL")
        self._conn.execute("PRAGMA synchronous = FULL")
        db = Database(self._conn)
        names = set(db.table_names())
        if "event" not in names:
            self._conn.execute("BEGIN IMMEDIATE")
            self._conn.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY, at_ms INTEGER, body TEXT, chain BLOB)")
            self._conn.execute(
                "CREATE TABLE use (credential INTEGER, at_ms INTEGER, direction TEXT, household INTEGER, "
                "PRIMARY KEY (credential, at_ms, direction)) WITHOUT ROWID"
            )
            self._conn.execute("CREATE TABLE step (credential INTEGER PRIMARY KEY, step INTEGER)")
            self._conn.execute("COMMIT")

    def _last(self) -> tuple[int, bytes]:
        rows = self._conn.execute("SELECT seq, body, chain FROM event ORDER BY seq DESC LIMIT ?", (_TAIL,)).fetchall()
        for (seq, body, link), (before_seq, _, before) in itertools.pairwise(rows):
            if before_seq != seq - 1 or chain(before, body) != link:
                raise _Damaged(f"the chain breaks at {seq}")
        return (rows[0][0], rows[0][2]) if rows else (0, CHAIN_START)

    def write(self, entries: Iterable[_Entry]) -> None:
        """Put entries down in one transaction. Raises OperationalError (try again) or _Damaged."""
        seq, link = self.seq, self.chain
        try:
            self._conn.execute("BEGIN IMMEDIATE")
            for entry in entries:
                body = msgspec.json.encode(entry.event).decode()
                seq, link = seq + 1, chain(link, body)
                self._conn.execute("INSERT INTO event VALUES (?, ?, ?, ?)", (seq, entry.event.at_ms, body, link))
                self._count(entry)
            self._conn.execute("COMMIT")
        except sqlite3.DatabaseError as err:
            with contextlib.suppress(sqlite3.Error):
                self._conn.execute("ROLLBACK")
            if isinstance(err, sqlite3.OperationalError):
                raise
            raise _Damaged(str(err)) from err
        self.seq, self.chain = seq, link

    def _count(self, entry: _Entry) -> None:
        if entry.use:
            row = (entry.use.credential, entry.use.at_ms, entry.use.direction, entry.use.household)
            self._conn.execute("INSERT OR IGNORE INTO use VALUES (?, ?, ?, ?)", row)
        if entry.step:
            self._conn.execute("INSERT OR REPLACE INTO step VALUES (?, ?)", entry.step)

    def tail(self) -> list[Event]:
        """The newest events, oldest first; one that cannot be read is passed over."""
        rows = self._conn.execute("SELECT body FROM event ORDER BY seq DESC LIMIT ?", (_TAIL,)).fetchall()
        events = []
        for (body,) in reversed(rows):
            with contextlib.suppress(msgspec.MsgspecError):
                events.append(msgspec.json.decode(body, type=Event))
        return events

    def uses(self) -> tuple[list[UseRow], dict[int, int]]:
        return _uses(self._conn)

    def prune(self, acked: int, now_ms: int) -> None:
        """Drop what the centre has and is old. The last of them stays: the chain of the next begins with it."""
        keep_from = min(acked, self.seq)
        self._conn.execute("DELETE FROM event WHERE seq < ? AND at_ms < ?", (keep_from, now_ms - KEPT_DAYS_MS))
        self._conn.execute("DELETE FROM use WHERE at_ms < ?", (now_ms - USES_KEPT_MS,))

    def close(self) -> None:
        self._conn.close()


def _uses(conn: sqlite3.Connection) -> tuple[list[UseRow], dict[int, int]]:
    rows = conn.execute("SELECT credential, at_ms, direction, household FROM use ORDER BY at_ms").fetchall()
    return [UseRow(*row) for row in rows], dict(conn.execute("SELECT credential, step FROM step"))


def _read(path: Path, asked: EventsAfter, newest: int) -> EventBatch:
    conn = sqlite3.connect(path, timeout=5, isolation_level=None)
    try:
        conn.execute("PRAGMA query_only = 1")
        (oldest,) = conn.execute("SELECT min(seq) FROM event").fetchone()
        after = asked.seq if oldest in (None, 1) else max(asked.seq, oldest)
        before = conn.execute("SELECT chain FROM event WHERE seq = ?", (after,)).fetchone()
        rows = conn.execute(
            "SELECT body FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (after, asked.limit)
        ).fetchall()
    finally:
        conn.close()
    return EventBatch(
        journal_id=path.stem.removeprefix("journal-"),
        first_seq=after + 1,
        before=before[0] if before else CHAIN_START,
        events=[body for (body,) in rows],
        newest=newest,
    )


class Journal:
    """The journal of one device in ``folder``. ``append`` may be called from any thread."""

    def __init__(self, folder: Path, now_ms: Callable[[], int], new_id: Callable[[], str] = new_event_id):
        self._folder = folder
        self._now_ms = now_ms
        self._new_id = new_id
        self._lock = threading.Condition()
        self._pending: deque[_Entry] = deque()
        self._lost = 0
        self._why = ""
        self._pruned: tuple[int, int] | None = None
        self._closing = False
        self._file: _File | None = None
        self.earlier: list[Event] = []
        """The newest events as they stood at the start, oldest first."""
        self.counted: list[UseRow] = []
        self.steps: dict[int, int] = {}
        """The uses and accepted digit steps as they stood at the start."""
        self._start()
        self._thread = threading.Thread(target=self._write_on, name="journal", daemon=True)
        self._thread.start()

    def _start(self) -> None:
        """Open the file; a gate whose disk refuses even that decides all the same, and tries again."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
        except (OSError, sqlite3.OperationalError) as err:
            self._note(str(err))
            return
        self.earlier = self._file.tail()
        self.counted, self.steps = self._file.uses()

    def _open(self) -> _File:
        for path in sorted(self._folder.glob("journal-*.db"), reverse=True):
            try:
                return _File(path)
            except _Damaged as err:
                self._set_aside(path, str(err))
        return _File(self._folder / f"journal-{self._new_id()}.db")

    def _set_aside(self, path: Path, why: str) -> None:
        """Rename a damaged journal out of the way, never over another, and report it in the new one."""
        mark = f"damaged-{self._new_id()}"
        for part in ("", "-wal", "-shm"):
            old = path.with_name(path.name + part)
            if old.exists():
                old.rename(path.with_name(f"{path.stem}.{mark}{part}"))
        log.error("journal=set_aside name=%s why=%r", f"{path.stem}.{mark}", why)
        why = f"{path.stem}: {why}"[:200]
        event = Event(id=self._new_id(), kind="journal_set_aside", at_ms=self._now_ms(), why=why)
        self._pending.appendleft(_Entry(event, None, None, Saved()))

    def append(self, event: Event, use: UseRow | None = None, step: tuple[int, int] | None = None) -> Saved:
        """Have an event, and the use or accepted digit step that goes with it, written in one transaction."""
        saved = Saved()
        with self._lock:
            if len(self._pending) >= KEPT_IN_MEMORY:
                self._lost += 1
            else:
                self._pending.append(_Entry(event, use, step, saved))
                self._lock.notify()
        return saved

    def _write_on(self) -> None:
        while True:
            with self._lock:
                if not self._pending and not self._closing:
                    self._lock.wait()
                if self._closing and (not self._pending or self._why):
                    return
                entries = self._with_loss(list(self._pending))
            self._write(entries)

    def _with_loss(self, entries: list[_Entry]) -> list[_Entry]:
        if not self._lost:
            return entries
        event = Event(id=self._new_id(), kind="events_lost", at_ms=self._now_ms(), count=self._lost)
        return [*entries, _Entry(event, None, None, Saved())]

    def _write(self, entries: list[_Entry]) -> None:
        try:
            self._file = self._file or self._open()
            self._file.write(entries)
        except (OSError, sqlite3.OperationalError) as err:
            self._note(str(err))
        except _Damaged as err:
            self._renew(str(err))
        else:
            self._written(entries)
            self._prune()
            return
        with self._lock:
            if not self._closing:
                self._lock.wait(RETRY_SECONDS)

    def _written(self, entries: list[_Entry]) -> None:
        with self._lock:
            self._lost -= sum(entry.event.count for entry in entries if entry.event.kind == "events_lost")
            written = set(map(id, entries))
            self._pending = deque(entry for entry in self._pending if id(entry) not in written)
            if self._why:
                log.info("journal=written_again")
            self._why = ""
        for entry in entries:
            entry.saved.done()

    def _note(self, why: str) -> None:
        if self._why != why:
            log.error("journal=unwritten why=%r", why)
        self._why = why

    def _renew(self, why: str) -> None:
        with self._lock:
            damaged, self._file = self._file, None
            if damaged is None:
                return
            damaged.close()
            try:
                self._set_aside(damaged.path, why)
            except OSError as err:
                self._note(str(err))

    def _prune(self) -> None:
        with self._lock:
            wanted, self._pruned = self._pruned, None
        if wanted and self._file:
            with contextlib.suppress(sqlite3.OperationalError):  # the next acknowledgement asks again
                self._file.prune(*wanted)

    def prune(self, acked: int) -> None:
        """Drop, with the next write, what the centre has acknowledged and is more than 30 days old."""
        with self._lock:
            self._pruned = (acked, self._now_ms())

    def read(self, asked: EventsAfter) -> EventBatch:
        """Written events in order, from any thread. Another ``journal_id`` than ours is answered with ours, from its
        oldest kept event. Raises sqlite3.Error when the file cannot be read just now (asking again is safe)."""
        with self._lock:
            file = self._file
        if file is None:
            raise sqlite3.OperationalError("there is no journal file just now")
        if asked.journal_id != file.journal_id:
            asked = EventsAfter("", 0, asked.limit)
        return _read(file.path, asked, file.seq)

    def health(self) -> Health:
        with self._lock:
            journal_id, newest = (self._file.journal_id, self._file.seq) if self._file else ("", 0)
            return Health(journal_id, newest, len(self._pending), self._lost, self._why)

    def close(self) -> None:
        """Write what is pending, if the disk lets it, and stop. Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._lock.notify_all()
        self._thread.join(5)
        if self._file:
            self._file.close()


def read_uses(folder: Path) -> Uses:
    """The uses as they stand on disk, read only; none where there is no journal or it cannot be read."""
    for path in sorted(folder.glob("journal-*.db"), reverse=True):
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=2)) as conn:
            conn.execute("PRAGMA query_only = 1")
            return Uses(*_uses(conn))
    return Uses()


class Uses:
    """The counted passages of the last days, in memory: what passback and quotas ask. Not thread-safe."""

    def __init__(self, counted: Iterable[UseRow] = (), steps: dict[int, int] | None = None):
        self._by_credential: dict[int, list[UseRow]] = {}
        self._by_household: dict[int, list[UseRow]] = {}
        self.steps = dict(steps or {})
        """The last accepted digit step by credential."""
        for row in counted:
            self.count(row)

    def count(self, row: UseRow) -> None:
        self._by_credential.setdefault(row.credential, []).append(row)
        if row.household:
            self._by_household.setdefault(row.household, []).append(row)

    def last_ms(self, credential: int, direction: str | None = None) -> int | None:
        """When it was last used, in that direction if one is named."""
        rows = self._by_credential.get(credential, ())
        return max((row.at_ms for row in rows if direction in (None, row.direction)), default=None)

    def today(self, credential: int, household: int, day_start_ms: int) -> tuple[int, int]:
        """Entries since then: of the credential, and of its household."""

        def entries(rows: Iterable[UseRow]) -> int:
            return sum(1 for row in rows if row.at_ms >= day_start_ms and row.direction != "out")

        return entries(self._by_credential.get(credential, ())), entries(self._by_household.get(household, ()))

    def forget(self, before_ms: int) -> None:
        """Drop what is older, so that memory stays small."""
        for index in (self._by_credential, self._by_household):
            for key in list(index):
                kept = [row for row in index[key] if row.at_ms >= before_ms]
                if kept:
                    index[key] = kept
                else:
                    del index[key]
