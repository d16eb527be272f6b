"""The event journal and the uses: append-only, numbered, hash-chained, in one SQLite file that only the core writes.

A thread of its own commits (WAL, ``synchronous=FULL``), so that a slow or full disk never stops the gate: what cannot
be written waits in memory, up to :data:`KEPT_IN_MEMORY` events, and what goes beyond is counted and reported as one
``events_lost``. Sequence numbers are given when an event is written, so the journal has no gaps.

What is not urgent (the outcome of a passage) is committed at once, which a kill cannot undo, but flushed to the card
with the next urgent event or after :data:`FLUSH_S`: that halves what a passage costs the card. It is shown to
nobody before it is flushed, so that no number is given twice after a power cut.

A disk that refuses (read-only, an I/O error, a failed fsync) costs the handle: the next try opens the file anew, proves
that it still holds all that was committed, and goes on; if not, memory writes what it still has into a new file.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from kiosk.core.journal.file import (
    KEPT_DAYS_MS,
    Damaged,
    Entry,
    JournalFile,
    Past,
    Saved,
    Short,
    Unwritable,
    created,
    journals,
    lasting_of,
    open_existing,
    out_of_reach,
    read_batch,
    read_uses,
)
from kiosk.core.journal.recovery import Recovery
from kiosk.core.journal.shifts import read_day, read_sheet, read_shift, read_shifts
from kiosk.core.journal.standing import Standing
from kiosk.core.journal.uses import UseRow, Uses
from sync.durable import flush_folder
from sync.protocol import Event, EventBatch, EventsAfter
from sync.shifts import ShiftSheet
from sync.terms import EventKind

__all__ = [
    "KEPT_DAYS_MS", "KEPT_IN_MEMORY", "PRUNE_EVERY_MS", "Health", "Journal", "Past", "Saved", "Standing", "UseRow",
    "Uses", "new_event_id", "open_existing", "read_uses",
]  # fmt: skip

KEPT_IN_MEMORY = 1000
RETRY_S = 1.0
FLUSH_S = 10.0
_LAST_TRIES = 2
"""Failed tries to write at the end: the second one has a new handle."""
PRUNE_EVERY_MS = 3_600_000
_SET_ASIDE: EventKind = "journal_set_aside"
_LOST: EventKind = "events_lost"

log = logging.getLogger("journal")

T = TypeVar("T")


def new_event_id() -> str:
    """64 random bits, hexadecimal."""
    return secrets.token_hex(8)


class Health(msgspec.Struct, frozen=True):
    """``why`` is empty while all is written; ``in_memory`` counts what waits for the disk."""

    journal_id: str
    newest: int
    in_memory: int
    lost: int
    why: str = ""


class _Believed(msgspec.Struct, frozen=True):
    """What the last commit left: a file that is opened anew must hold it."""

    journal_id: str
    seq: int
    chain: bytes
    standing: Standing
    lasting: list[UseRow]


class Journal:
    """The journal of one device in ``folder``. ``append`` may be called from any thread."""

    def __init__(
        self,
        folder: Path,
        now_ms: Callable[[], int],
        new_id: Callable[[], str] = new_event_id,
        retry_s: float = RETRY_S,
        flush_s: float = FLUSH_S,
    ):
        self._folder = folder
        self._retry_s, self._flush_s = retry_s, flush_s
        self._now_ms = now_ms
        self._new_id = new_id
        self._lock = threading.Condition()
        self._pending: deque[Entry] = deque()
        self._tried: list[Entry] = []
        """The last batch whose commit failed: it may be in the file all the same."""
        self._unflushed: list[Entry] = []
        """Committed, but perhaps not on the card yet."""
        self._lost = 0
        self._lost_since_ms = 0
        self._why = ""
        self._acked: int | None = None
        self._pruned_ms = 0
        self._doubt: tuple[JournalFile, str] | None = None
        """A file that a reader found damaged, and how."""
        self._believes = True
        """Whether a reader may still say that the file lost events: only a power cut before this start does that."""
        self._renewed = False
        """Whether a file was set aside and nothing has been written since."""
        self._closing = False
        self._file: JournalFile | None = None
        self._believed: _Believed | None = None
        self._ordered: set[str] = set()
        """Lanes whose lockdown this run has had a word on."""
        self.past = Past()
        """What was found when the file was first opened; empty until then."""
        self._past_is = "awaited"
        self.recovery = Recovery(folder)
        self._start()
        self._thread = threading.Thread(target=self._write_on, name="journal", daemon=True)
        self._thread.start()

    # --- opening ---

    def _start(self) -> None:
        """Open the file; a gate whose disk refuses even that decides all the same, and tries again."""
        try:
            self._reach()
        except Damaged as err:  # between opening and reading
            self._renew(str(err))
        except (OSError, sqlite3.Error) as err:
            self._put_off(err)

    def _reach(self) -> JournalFile:
        """The file, opened anew where there is none or its handle was given up.

        Raises Damaged, OSError or sqlite3.Error (try again).
        """
        if self._file is None or self._file.closed:
            file = self._open()
            with self._lock:
                self._file = file
            try:
                self._take_up(file)
            except BaseException:
                file.close()
                raise
        return self._file

    def _open(self) -> JournalFile:
        self._folder.mkdir(parents=True, exist_ok=True)
        lasts: list[UseRow] = []
        for path in journals(self._folder):
            try:
                return JournalFile(path, adopts=self._believed is None)
            except Damaged as err:
                lasts += lasting_of(path)
                self._set_aside(path, str(err))
        path = self._folder / f"journal-{self._new_id()}.db"
        with created(path):
            pass
        file = JournalFile(path)
        file.carry(Standing(), lasts)
        return file

    def _take_up(self, file: JournalFile) -> None:
        """Compare a file just opened with what memory knows. Raises Damaged where it lost what was committed."""
        known = self._believed
        if known is None or known.journal_id != file.journal_id:
            self._load_past(file)
            if known is not None:
                file.carry(known.standing, known.lasting)
        elif not file.holds(known.seq, known.chain):
            raise Damaged(f"it no longer holds what was committed as {known.seq}")
        elif file.seq > known.seq:
            ids = file.ids_after(known.seq)
            self._written([entry for entry in self._tried if entry.event.id in ids])
        self._tried = []
        self._unflushed.clear()  # opening flushed it
        self._believe(file)

    def _load_past(self, file: JournalFile) -> None:
        if self._past_is == "awaited":
            past = file.past()
            with self._lock:
                self.past, self._past_is = past, "here"

    def take_past(self) -> Past | None:
        """What the journal says of earlier runs, once: at the start, or when a disk that refused gives it later. A
        lockdown of this run stands above what it says."""
        with self._lock:
            if self._past_is != "here":
                return None
            self._past_is = "taken"
            stands = self.past.standing
            lockdown = {lane: on for lane, on in stands.lockdown.items() if lane not in self._ordered}
            return msgspec.structs.replace(self.past, standing=Standing(stands.open, lockdown))

    def _believe(self, file: JournalFile) -> None:
        self._believed = _Believed(file.journal_id, file.seq, file.chain, file.standing, file.lasting)

    # --- damage ---

    def _set_aside(self, path: Path, why: str) -> None:
        """Rename a damaged journal out of the way, never over another, and report it in the new one. What this run
        committed to it and nobody was shown goes into the new one."""
        mark = f"damaged-{self._new_id()}"
        for part in ("", "-wal", "-shm"):
            old = path.with_name(path.name + part)
            if old.exists():
                old.rename(path.with_name(f"{path.stem}.{mark}{part}"))
        flush_folder(path.parent)
        log.error("journal=set_aside name=%s why=%r", f"{path.stem}.{mark}", why)
        why = f"{path.stem}: {why}"[:200]
        event = Event(id=self._new_id(), kind=_SET_ASIDE, at_ms=self._now_ms(), why=why)
        with self._lock:
            again, self._unflushed = self._unflushed, []
            self._pending.extendleft(reversed([Entry(event, Saved()), *again]))

    def _renew(self, why: str) -> bool:
        """Set the damaged file aside; whether the next can be tried at once. A disk that damages one file after the
        other gets a pause."""
        with self._lock:
            damaged, self._file = self._file, None
        first, self._renewed = not self._renewed, True
        try:  # without the lock: a dying card takes its time, and the core's loop asks for the lock
            if damaged:
                damaged.close()
                self._set_aside(damaged.path, why)
                return first
            self._note(why)
        except (OSError, sqlite3.Error) as err:
            self._note(str(err))
        return False

    # --- writing ---

    def append(
        self,
        event: Event,
        use: UseRow | None = None,
        step: tuple[int, int] | None = None,
        urgent: bool = True,
        annuls: UseRow | None = None,
    ) -> Saved:
        """Have an event, and the use it counts or annuls or the digit step it accepts, written in one transaction."""
        saved = Saved()
        with self._lock:
            if event.kind == "lockdown":
                self._ordered.add(event.lane)
            if len(self._pending) >= KEPT_IN_MEMORY:
                self._lose(event)
            else:
                self._pending.append(Entry(event, saved, use, step, urgent, annuls))
                self._lock.notify_all()
        return saved

    def _lose(self, event: Event) -> None:
        if not self._lost:
            self._lost_since_ms = event.at_ms
        self._lost += 1

    def _write_on(self) -> None:
        last_tries = _LAST_TRIES
        while last_tries:
            with self._lock:
                if not self._pending and not self._closing and not self._doubt:
                    self._lock.wait(self._pause())
                last = self._closing
            goes_on = self._attempt()
            last_tries -= last and not goes_on
            with self._lock:
                if last and goes_on and not (self._pending or self._lost or self._unflushed):
                    return
                if not goes_on and not self._closing:
                    self._lock.wait(self._retry_s)

    def _pause(self) -> float | None:
        """How long nothing may happen before something has to be tried."""
        if self._why:
            return self._retry_s
        if self._lost:
            return 0
        return self._flush_s if self._unflushed else None

    def _attempt(self) -> bool:
        """Write or flush what there is; whether going on at once makes sense."""
        with self._lock:
            doubt, self._doubt = self._doubt, None
        try:
            if doubt and doubt[0] is self._file:
                raise Damaged(doubt[1])
            file = self._reach()
            with self._lock:
                entries = self._with_loss(list(self._pending))
            if entries:
                self._write(file, entries)
            else:
                file.flush()
                self._unflushed.clear()
                self._is_well()
        except Damaged as err:
            return self._renew(str(err))
        except Unwritable as err:
            self._leave_out(err)
        except (OSError, sqlite3.Error) as err:
            self._put_off(err)
            return False
        return True

    def _with_loss(self, entries: list[Entry]) -> list[Entry]:
        if not self._lost:
            return entries
        event = Event(id=self._new_id(), kind=_LOST, at_ms=self._now_ms(), count=self._lost)
        return [*entries, Entry(event, Saved())]

    def _write(self, file: JournalFile, entries: list[Entry]) -> None:
        self._tried = entries
        file.write(entries)
        self._tried = []
        self._believe(file)
        self._unflushed = [*self._unflushed, *entries] if file.flushed < file.seq else []
        self._written(entries)
        self._prune(file)
        file.tidy(idle=not any(entry.urgent for entry in entries))

    def _written(self, entries: list[Entry]) -> None:
        with self._lock:
            written = set(map(id, entries))
            self._lost -= sum(entry.event.count for entry in entries if entry.event.kind == _LOST)
            self._pending = deque(entry for entry in self._pending if id(entry) not in written)
        self._is_well()
        for entry in entries:
            entry.saved.done()

    def _is_well(self) -> None:
        if self._why:
            log.info("journal=written_again")
        self._why, self._renewed = "", False

    def _leave_out(self, err: Unwritable) -> None:
        """One event that cannot be put down must not keep the others from it; it is counted as lost."""
        log.error("journal=left_out why=%r", str(err))
        with self._lock:
            self._pending = deque(entry for entry in self._pending if entry is not err.entry)
            self._lose(err.entry.event)

    def _put_off(self, err: Exception) -> None:
        """Try again later; where the disk refused, with a new handle."""
        self._note(str(err))
        if self._file and out_of_reach(err):
            self._file.close()

    def _note(self, why: str) -> None:
        if self._why != why:
            log.error("journal=unwritten why=%r", why)
        self._why = why

    def _prune(self, file: JournalFile) -> None:
        with self._lock:
            acked, self._acked = self._acked, None
        now = self._now_ms()
        if acked is None or abs(now - self._pruned_ms) < PRUNE_EVERY_MS:
            return
        self._pruned_ms = now
        file.prune(acked, now)  # if it fails, the next acknowledgement asks again
        self.recovery.prune(now)

    def prune(self, acked: int) -> None:
        """Drop, with the next write, what the centre has acknowledged and is more than 30 days old."""
        with self._lock:
            self._acked = acked

    # --- reading ---

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
            return read_batch(file.path, asked, file.flushed)
        except Damaged as err:
            with self._lock:
                if not isinstance(err, Short) or self._believes:
                    self._doubt = (file, str(err))
                    self._lock.notify_all()
                self._believes = self._believes and not isinstance(err, Short)
            raise sqlite3.OperationalError(f"{file.path.name} is damaged: {err}") from err

    def hand_out(self, asked: EventsAfter) -> EventBatch:
        """Events for the centre: first those that damaged journals still hold, then ours as :meth:`read` gives them.

        Raises sqlite3.Error; asking again is safe.
        """
        return self.recovery.batch(asked) or self.read(asked)

    def shifts(self, most: int) -> list[ShiftSheet]:
        """The latest shifts in the file, newest first, without their counts; from any thread. Raises sqlite3.Error."""
        return self._look(lambda path: read_shifts(path, most))

    def sheet(self, shift: str) -> ShiftSheet | None:
        """A shift's hand-over sheet, as far as the file has it; from any thread. Raises sqlite3.Error."""
        return self._look(lambda path: read_sheet(path, shift))

    def of_shift(self, shift: str) -> list[Event]:
        """The events of a shift, its beginning first; from any thread. Raises sqlite3.Error."""
        return self._look(lambda path: read_shift(path, shift))

    def of_day(self, since_ms: int) -> list[Event]:
        """The events since then, oldest first; from any thread. Raises sqlite3.Error."""
        return self._look(lambda path: read_day(path, since_ms))

    def _look(self, read: Callable[[Path], T]) -> T:
        with self._lock:
            file = self._file
        if file is None:
            raise sqlite3.OperationalError("there is no journal file just now")
        try:
            return read(file.path)
        except Damaged as err:
            raise sqlite3.OperationalError(str(err)) from err

    def health(self) -> Health:
        with self._lock:
            journal_id, newest = (self._file.journal_id, self._file.seq) if self._file else ("", 0)
            return Health(journal_id, newest, len(self._pending), self._lost, self._why)

    # --- the end ---

    def close(self) -> None:
        """Write what is pending, if the disk lets it, and stop; say in the log what it did not let. Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._lock.notify_all()
        self._thread.join(5)
        if self._file and not self._thread.is_alive():
            self._file.close()
        self._say_unwritten()

    def _say_unwritten(self) -> None:
        with self._lock:
            events, lost, unflushed = list(self._pending), self._lost, len(self._unflushed)
            since = min([*(entry.event.at_ms for entry in events), *([self._lost_since_ms] if lost else [])], default=0)
        if events or lost:
            log.error("journal=not_written events=%d from=%s why=%r", len(events) + lost, _utc(since), self._why)
        if unflushed:
            log.error("journal=not_flushed events=%d why=%r", unflushed, self._why)


def _utc(ms: int) -> str:
    with contextlib.suppress(OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
    return str(ms)
