"""The event journal and the uses: append-only, numbered, hash-chained, in one SQLite file that only the core writes.

A thread of its own commits (WAL, ``synchronous=FULL``), so that a slow or full disk never stops the gate: what cannot
be written waits in memory, up to :data:`KEPT_IN_MEMORY` events, and what goes beyond is counted and reported as one
``events_lost``. Sequence numbers are given when an event is written, so the journal has no gaps.

What is not urgent (the outcome of a passage) is committed at once, which a kill cannot undo, but flushed to the card
with the next urgent event or after :data:`FLUSH_S`: that halves what a passage costs the card. It is shown to
nobody before it is flushed, so that no number is given twice after a power cut.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from sync.protocol import CHAIN_START, Event, EventBatch, EventsAfter, chain
from sync.terms import EventKind

KEPT_IN_MEMORY = 1000
RETRY_S = 1.0
FLUSH_S = 10.0
_SET_ASIDE: EventKind = "journal_set_aside"
_LOST: EventKind = "events_lost"
KEPT_DAYS_MS = 30 * 24 * 3_600_000
USES_KEPT_MS = 3 * 24 * 3_600_000
PRUNE_EVERY_MS = 3_600_000
_PRUNED_AT_ONCE = 2000
_TAIL = 500
_SEARCHED_FOR_USES = 50_000
_TIDY_IDLE, _TIDY_ANYWAY = 250, 1000
"""Commits after which the write-ahead log is taken into the file: after a passage, and at the latest."""
_READ_AT_ONCE = 1000
_PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR}  # fmt: skip
_UNREADABLE = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ}

log = logging.getLogger("journal")


def new_event_id() -> str:
    """64 random bits, hexadecimal."""
    return secrets.token_hex(8)


class UseRow(msgspec.Struct, frozen=True):
    """One counted passage: whose (:func:`kiosk.core.judge.person_of`), when, in which direction, of which household."""

    person: int
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
    """The promise of a write; of one that is on the card, if it was urgent."""

    def __init__(self) -> None:
        self._done = threading.Event()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it is on disk, waiting at most that long."""
        return self._done.wait(seconds)

    def done(self) -> None:
        self._done.set()


class _Entry(msgspec.Struct):
    event: Event
    saved: Saved
    use: UseRow | None = None
    step: tuple[int, int] | None = None
    urgent: bool = True


class _Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the gate remembers by an event beside it: the use it counts, or the digits' step it accepts."""

    use: UseRow | None = None
    step: tuple[int, int] | None = None


class _Damaged(Exception):
    """The file can no longer be used as a journal."""


class _Short(_Damaged):
    """It has less than its reader says it was given."""


class _Unwritable(Exception):
    """An entry that can never be written; ``entry`` is the one."""

    def __init__(self, entry: _Entry, why: str):
        super().__init__(why)
        self.entry = entry


def _damage(err: sqlite3.Error) -> _Damaged | None:
    """What an error says of the file: damaged, or (None) only full, busy or out of reach just now."""
    code: int = getattr(err, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    passes = code & 0xFF in _PASSING and code not in _UNREADABLE
    return None if passes or isinstance(err, sqlite3.ProgrammingError) else _Damaged(str(err))


@contextlib.contextmanager
def _telling_damage() -> Iterator[None]:
    """Raises _Damaged where the block met a damaged file; what may pass stays a sqlite3.Error."""
    try:
        yield
    except sqlite3.Error as err:
        damage = _damage(err)
        if damage:
            raise damage from err
        raise
    except (msgspec.MsgspecError, TypeError, ValueError) as err:
        raise _Damaged(f"a row that nobody wrote: {err}") from err


def _create(path: Path) -> None:
    """Make an empty journal. It bears its name only when it is whole: a file of that name without tables is damaged."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as conn:
            conn.execute("PRAGMA page_size = 1024")  # a commit writes whole pages: small ones spare the card
            conn.execute("PRAGMA synchronous = FULL")
            conn.execute("BEGIN IMMEDIATE")
            # Uses stand in the row of their event: another table would cost another page at every passage.
            conn.execute(
                "CREATE TABLE event (seq INTEGER PRIMARY KEY, at_ms INTEGER, body TEXT, chain BLOB, note TEXT)"
            )
            conn.execute("COMMIT")
        new.rename(path)
    except (OSError, sqlite3.Error):
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise


class _File:
    """One journal file. Belongs to the writer's thread. Opening raises _Damaged, or sqlite3.Error (try again)."""

    def __init__(self, path: Path):
        self.path = path
        self.journal_id = path.stem.removeprefix("journal-")
        self._conn = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        self._commits = 0
        try:
            with _telling_damage():
                self._conn.execute("PRAGMA journal_mode = WAL")
                self._conn.execute("PRAGMA wal_autocheckpoint = 0")  # that is for :meth:`tidy`
                self.seq, self.chain = self._last()
                self.counted, self.steps = _uses(self._conn)
                self.flush()
        except BaseException:
            self._conn.close()
            raise

    def _last(self) -> tuple[int, bytes]:
        rows = self._conn.execute("SELECT seq, body, chain FROM event ORDER BY seq DESC LIMIT ?", (_TAIL,)).fetchall()
        for (seq, body, link), (before_seq, _, before) in itertools.pairwise(rows):
            if before_seq != seq - 1 or chain(before, body) != link:
                raise _Damaged(f"the chain breaks at {seq}")
        return (rows[0][0], rows[0][2]) if rows else (0, CHAIN_START)

    def write(self, entries: Sequence[_Entry]) -> None:
        """Put entries down in one transaction. Raises sqlite3.Error (try again), _Damaged, or _Unwritable."""
        seq, link = self.seq, self.chain
        urgent = any(entry.urgent for entry in entries)
        try:
            self._conn.execute(f"PRAGMA synchronous = {'FULL' if urgent else 'NORMAL'}")
            self._conn.execute("BEGIN IMMEDIATE")
            for entry in entries:
                seq, link = self._put(entry, seq + 1, link)
            self._conn.execute("COMMIT")
        except (sqlite3.Error, _Unwritable) as err:
            with contextlib.suppress(sqlite3.Error):
                self._conn.execute("ROLLBACK")
            damage = _damage(err) if isinstance(err, sqlite3.Error) else None
            if damage:
                raise damage from err
            raise
        self.seq, self.chain = seq, link
        self._commits += 1
        if urgent:
            self.flushed = seq

    def _put(self, entry: _Entry, seq: int, before: bytes) -> tuple[int, bytes]:
        try:
            body = msgspec.json.encode(entry.event).decode()
            link = chain(before, body)
            note = msgspec.json.encode(_Note(entry.use, entry.step)).decode() if entry.use or entry.step else None
            values = (seq, entry.event.at_ms, body, link, note)
            self._conn.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", values)
        except (OverflowError, UnicodeError, sqlite3.DataError) as err:
            raise _Unwritable(entry, f"{entry.event.kind}: {err}") from err
        return seq, link

    def tidy(self, idle: bool) -> None:
        """Take the write-ahead log into the file, which takes a card its time: while nobody waits, or when it must."""
        if self._commits >= (_TIDY_IDLE if idle else _TIDY_ANYWAY):
            self._conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._commits = 0

    def flush(self) -> None:
        """Have all that is committed on the card. Raises OSError (try again)."""
        with contextlib.suppress(FileNotFoundError), open(f"{self.path}-wal", "rb") as written:  # noqa: PTH123
            os.fsync(written.fileno())
        self.flushed = self.seq

    def tail(self) -> list[Event]:
        """The newest events, oldest first; one that cannot be read is passed over."""
        rows = self._conn.execute("SELECT body FROM event ORDER BY seq DESC LIMIT ?", (_TAIL,)).fetchall()
        events = []
        for (body,) in reversed(rows):
            with contextlib.suppress(msgspec.MsgspecError):
                events.append(msgspec.json.decode(body, type=Event))
        return events

    def prune(self, acked: int, now_ms: int) -> None:
        """Drop from the beginning what the centre has and is old. The last of them stays: the chain of the next begins
        with it. What an unset clock dated long ago stays too, as long as something before it does."""
        young = "SELECT min(seq) FROM event WHERE at_ms >= ?"
        (oldest,) = self._conn.execute("SELECT min(seq) FROM event").fetchone()
        (first_young,) = self._conn.execute(young, (now_ms - KEPT_DAYS_MS,)).fetchone()
        ends = [acked, self.seq, (oldest or 0) + _PRUNED_AT_ONCE]
        keep_from = min(ends if first_young is None else [*ends, first_young])
        self._conn.execute("DELETE FROM event WHERE seq < ?", (keep_from,))

    def close(self) -> None:
        self._conn.close()


def _uses(conn: sqlite3.Connection) -> tuple[list[UseRow], dict[int, int]]:
    """The uses and steps of the last days."""
    counted: list[UseRow] = []
    steps: dict[int, int] = {}
    newest_ms = 0
    rows = conn.execute("SELECT at_ms, note FROM event ORDER BY seq DESC LIMIT ?", (_SEARCHED_FOR_USES,))
    for at_ms, text in rows:
        newest_ms = max(newest_ms, at_ms)
        if text is None or at_ms < newest_ms - USES_KEPT_MS:
            continue
        note = msgspec.json.decode(text, type=_Note)
        if note.use:
            counted.append(note.use)
        if note.step:
            steps.setdefault(*note.step)
    return counted[::-1], steps


def open_existing(path: Path, timeout: float) -> sqlite3.Connection:
    """A journal to read from. Raises sqlite3.Error where it is not there: SQLite would otherwise make an empty one in
    the place of a journal that was set aside a moment ago."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=timeout, isolation_level=None)


def _read(path: Path, asked: EventsAfter, flushed: int) -> EventBatch:
    """Raises _Damaged, or sqlite3.Error (try again)."""
    with contextlib.closing(open_existing(path, 5)) as conn, _telling_damage():
        conn.execute("PRAGMA query_only = 1")
        conn.execute("BEGIN")  # one moment for all of it
        oldest, newest = conn.execute("SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM event").fetchone()
        if asked.seq > newest:
            raise _Short(f"it ends at {newest}, and {asked.seq} was read from it before")
        after = max(0, asked.seq) if oldest == 1 else max(asked.seq, oldest)
        before = conn.execute("SELECT chain FROM event WHERE seq = ?", (after,)).fetchone()
        rows = conn.execute(
            "SELECT seq, body FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (after, flushed, max(1, min(asked.limit, _READ_AT_ONCE))),
        ).fetchall()
        if [seq for seq, _ in rows] != list(range(after + 1, after + 1 + len(rows))):
            raise _Damaged(f"events are missing after {after}")
        fields = {
            "journal_id": path.stem.removeprefix("journal-"),
            "first_seq": after + 1,
            "before": before[0] if before else CHAIN_START,
            "events": [body for _, body in rows],
            "newest": min(newest, flushed),
        }
        return msgspec.convert(fields, EventBatch)


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
        self._acked: int | None = None
        self._pruned_ms = 0
        self._doubt: tuple[_File, str] | None = None
        """A file that a reader found damaged, and how."""
        self._believes = True
        """Whether a reader may still say that the file lost events: only a power cut before this start does that."""
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
            self._file = self._open()
            self.earlier, self.counted, self.steps = self._file.tail(), self._file.counted, self._file.steps
        except (OSError, sqlite3.Error) as err:
            self._note(str(err))

    def _open(self) -> _File:
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.glob("journal-*.db"), reverse=True):
            try:
                return _File(path)
            except _Damaged as err:
                self._set_aside(path, str(err))
        path = self._folder / f"journal-{self._new_id()}.db"
        _create(path)
        return _File(path)

    def _set_aside(self, path: Path, why: str) -> None:
        """Rename a damaged journal out of the way, never over another, and report it in the new one."""
        mark = f"damaged-{self._new_id()}"
        for part in ("", "-wal", "-shm"):
            old = path.with_name(path.name + part)
            if old.exists():
                old.rename(path.with_name(f"{path.stem}.{mark}{part}"))
        log.error("journal=set_aside name=%s why=%r", f"{path.stem}.{mark}", why)
        why = f"{path.stem}: {why}"[:200]
        event = Event(id=self._new_id(), kind=_SET_ASIDE, at_ms=self._now_ms(), why=why)
        with self._lock:
            self._pending.appendleft(_Entry(event, Saved()))

    def append(
        self, event: Event, use: UseRow | None = None, step: tuple[int, int] | None = None, urgent: bool = True
    ) -> Saved:
        """Have an event, and the use or accepted digit step that goes with it, written in one transaction."""
        saved = Saved()
        with self._lock:
            if len(self._pending) >= KEPT_IN_MEMORY:
                self._lost += 1
            else:
                self._pending.append(_Entry(event, saved, use, step, urgent))
                self._lock.notify()
        return saved

    def _write_on(self) -> None:
        while True:
            with self._lock:
                if not self._pending and not self._closing and not self._doubt:
                    self._lock.wait(FLUSH_S if self._unflushed else None)
                if self._closing and (not self._pending or self._why):
                    return
                doubt, self._doubt = self._doubt, None
                entries = self._with_loss(list(self._pending))
            if doubt and doubt[0] is self._file:
                self._renew(doubt[1])
            elif entries:
                self._write(entries)
            else:
                self._flush()

    @property
    def _unflushed(self) -> bool:
        return self._file is not None and self._file.flushed < self._file.seq

    def _flush(self) -> None:
        if self._file and self._unflushed:
            try:
                self._file.flush()
            except OSError as err:
                self._note(str(err))

    def _with_loss(self, entries: list[_Entry]) -> list[_Entry]:
        if not self._lost:
            return entries
        event = Event(id=self._new_id(), kind=_LOST, at_ms=self._now_ms(), count=self._lost)
        return [*entries, _Entry(event, Saved())]

    def _write(self, entries: list[_Entry]) -> None:
        try:
            self._file = self._file or self._open()
            self._file.write(entries)
        except _Damaged as err:
            if self._renew(str(err)):
                return  # what is pending goes into the new one at once
        except _Unwritable as err:
            self._leave_out(err)
            return
        except (OSError, sqlite3.Error) as err:
            self._note(str(err))
        else:
            self._written(entries)
            self._prune()
            with contextlib.suppress(sqlite3.Error):  # the next write meets the same, and says so
                self._file.tidy(idle=not any(entry.urgent for entry in entries))
            return
        with self._lock:
            if not self._closing:
                self._lock.wait(RETRY_S)

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

    def _leave_out(self, err: _Unwritable) -> None:
        """One event that cannot be put down must not keep the others from it; it is counted as lost."""
        log.error("journal=left_out why=%r", str(err))
        with self._lock:
            self._pending = deque(entry for entry in self._pending if entry is not err.entry)
            self._lost += 1

    def _note(self, why: str) -> None:
        if self._why != why:
            log.error("journal=unwritten why=%r", why)
        self._why = why

    def _renew(self, why: str) -> bool:
        """Set the damaged file aside; whether that was done."""
        with self._lock:
            damaged, self._file = self._file, None
        try:  # without the lock: a dying card takes its time, and the core's loop asks for the lock
            if damaged:
                damaged.close()
                self._set_aside(damaged.path, why)
                return True
            self._note(why)
        except (OSError, sqlite3.Error) as err:
            self._note(str(err))
        return False

    def _prune(self) -> None:
        with self._lock:
            acked, self._acked = self._acked, None
        now = self._now_ms()
        if acked is None or self._file is None or abs(now - self._pruned_ms) < PRUNE_EVERY_MS:
            return
        self._pruned_ms = now
        with contextlib.suppress(sqlite3.Error):  # the next acknowledgement asks again
            self._file.prune(acked, now)

    def prune(self, acked: int) -> None:
        """Drop, with the next write, what the centre has acknowledged and is more than 30 days old."""
        with self._lock:
            self._acked = acked

    def read(self, asked: EventsAfter) -> EventBatch:
        """Flushed events in order, from any thread. Another ``journal_id`` than ours is answered with ours, from its
        oldest kept event. Raises sqlite3.Error when the file cannot be read just now (asking again is safe); one that
        turns out to be damaged, or that lost events it had handed out before this start, is set aside then."""
        with self._lock:
            file = self._file
        if file is None:
            raise sqlite3.OperationalError("there is no journal file just now")
        if asked.journal_id != file.journal_id:
            asked = EventsAfter("", 0, asked.limit)
        try:
            return _read(file.path, asked, file.flushed)
        except _Damaged as err:
            with self._lock:
                if not isinstance(err, _Short) or self._believes:
                    self._doubt = (file, str(err))
                    self._lock.notify()
                self._believes = self._believes and not isinstance(err, _Short)
            raise sqlite3.OperationalError(f"{file.path.name} is damaged: {err}") from err

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
        if self._file and not self._thread.is_alive():
            self._file.close()


def read_uses(folder: Path) -> Uses:
    """The uses as they stand on disk, read only; none where there is no journal or it cannot be read."""
    for path in sorted(folder.glob("journal-*.db"), reverse=True):
        with (
            contextlib.suppress(sqlite3.Error, _Damaged),
            contextlib.closing(open_existing(path, 2)) as conn,
            _telling_damage(),
        ):
            conn.execute("PRAGMA query_only = 1")
            return Uses(*_uses(conn))
    return Uses()


class Uses:
    """The counted passages of the last days, in memory: what passback and quotas ask. Not thread-safe."""

    def __init__(self, counted: Iterable[UseRow] = (), steps: dict[int, int] | None = None):
        self._by_person: dict[int, list[UseRow]] = {}
        self._by_household: dict[int, list[UseRow]] = {}
        self.steps = dict(steps or {})
        """The last accepted digit step by credential."""
        for row in counted:
            self.count(row)

    def count(self, row: UseRow) -> None:
        self._by_person.setdefault(row.person, []).append(row)
        if row.household:
            self._by_household.setdefault(row.household, []).append(row)

    def last_ms(self, person: int, direction: str | None = None, until_ms: int | None = None) -> int | None:
        """When they last passed, in that direction and not after that time, if they are named."""
        rows = self._by_person.get(person, ())
        times = (row.at_ms for row in rows if direction in (None, row.direction))
        return max((at for at in times if until_ms is None or at <= until_ms), default=None)

    def today(self, person: int, household: int, day_start_ms: int) -> tuple[int, int]:
        """Entries since then: of the person, and of the household."""

        def entries(rows: Iterable[UseRow]) -> int:
            return sum(1 for row in rows if row.at_ms >= day_start_ms and row.direction != "out")

        return entries(self._by_person.get(person, ())), entries(self._by_household.get(household, ()))

    def forget(self, before_ms: int) -> None:
        """Drop what is older, so that memory stays small."""
        for index in (self._by_person, self._by_household):
            for key in list(index):
                kept = [row for row in index[key] if row.at_ms >= before_ms]
                if kept:
                    index[key] = kept
                else:
                    del index[key]
