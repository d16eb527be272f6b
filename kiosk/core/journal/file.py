"""One journal file: numbered, hash-chained rows in SQLite, written by one thread and read by anybody."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from kiosk.core.journal.salvage import WholeRow, rows_of_log
from kiosk.core.journal.standing import Fact, Standing
from kiosk.core.journal.uses import UseRow, Uses, lasting, without
from sync.durable import flush_folder, write_again
from sync.protocol import CHAIN_START, Event, EventBatch, EventsAfter, chain

KEPT_DAYS_MS = 30 * 24 * 3_600_000
ACTS_KEPT_MS = 24 * 3_600_000
USES_KEPT_MS = 3 * 24 * 3_600_000
_PRUNED_AT_ONCE = 2000
_TAIL = 500
_SEARCHED_FOR_USES = 50_000
_MARK_EVERY = 200
"""Rows after which one says what stands, so that a start need not read further back."""
_TIDY_IDLE, _TIDY_ANYWAY = 250, 1000
"""Commits after which the write-ahead log is taken into the file: after a passage, and at the latest."""
_READ_AT_ONCE = 1000
_OUT_OF_REACH = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}
_PASSING = _OUT_OF_REACH | {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM}
_UNREADABLE = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ}

log = logging.getLogger("journal")


class Saved:
    """The promise of a write; of one that is on the card, if it was urgent."""

    def __init__(self) -> None:
        self._done = threading.Event()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it is on disk, waiting at most that long."""
        return self._done.wait(seconds)

    def done(self) -> None:
        self._done.set()


class Entry(msgspec.Struct, eq=False):
    """An event on its way into the journal, with the use or the accepted digit step that goes with it."""

    event: Event
    saved: Saved
    use: UseRow | None = None
    step: tuple[int, int] | None = None
    urgent: bool = True
    annuls: UseRow | None = None


class _Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a row keeps beside its event: the use it counts or annuls, the digits' step it accepts, what stands after
    it, and which uses last (None: written by an earlier version, which knew of none)."""

    use: UseRow | None = None
    step: tuple[int, int] | None = None
    stands: Standing | None = None
    lasts: tuple[UseRow, ...] | None = None
    annuls: UseRow | None = None


class Past(msgspec.Struct, frozen=True):
    """What a journal said of earlier runs when it was opened: its newest events (oldest first), uses and digit steps of
    the last days, the uses of the last day by the act that opened for them, and what stood at its end."""

    earlier: list[Event] = []
    counted: list[UseRow] = []
    steps: dict[int, int] = {}
    of_acts: dict[str, UseRow] = {}
    standing: Standing = Standing()


class Damaged(Exception):
    """The file can no longer be used as a journal."""


class Short(Damaged):
    """It has less than its reader says it was given."""


class Unwritable(Exception):
    """An entry that can never be written; ``entry`` is the one."""

    def __init__(self, entry: Entry, why: str):
        super().__init__(why)
        self.entry = entry


def _code(err: Exception) -> int:
    code: int = getattr(err, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code


def out_of_reach(err: Exception) -> bool:
    """Whether the disk, and not what is in the file, refused: SQLite then has to open the file anew.

    A handle opened on a read-only disk stays read-only, and after a failed fsync nothing says which pages are gone.
    """
    return isinstance(err, OSError) or _code(err) & 0xFF in _OUT_OF_REACH


def _damage(err: sqlite3.Error) -> Damaged | None:
    """What an error says of the file: damaged, or (None) only full, busy or out of reach just now."""
    passes = _code(err) & 0xFF in _PASSING and _code(err) not in _UNREADABLE
    return None if passes or isinstance(err, sqlite3.ProgrammingError) else Damaged(str(err))


@contextlib.contextmanager
def telling_damage() -> Iterator[None]:
    """Raises Damaged where the block met a damaged file; what may pass stays a sqlite3.Error."""
    try:
        yield
    except sqlite3.Error as err:
        damage = _damage(err)
        if damage:
            raise damage from err
        raise
    except (msgspec.MsgspecError, TypeError, ValueError) as err:
        raise Damaged(f"a row that nobody wrote: {err}") from err


@contextlib.contextmanager
def created(path: Path) -> Iterator[sqlite3.Connection]:
    """An empty journal to be filled in one transaction. It bears its name, durably, only when it is whole: a file of
    that name without tables is damaged."""
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
            yield conn
            conn.execute("COMMIT")
        new.rename(path)
        flush_folder(path.parent)
    except (OSError, sqlite3.Error):
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def journals(folder: Path) -> list[Path]:
    """The journals in a folder that were not set aside."""
    return sorted(folder.glob("journal-*.db"), reverse=True)


class JournalFile:
    """One journal file. Belongs to the writer's thread. Opening raises Damaged, OSError or sqlite3.Error (try again).

    Whatever an earlier handle left unflushed, or failed to flush, is on the card once this one is open. With
    ``adopts``, events that an earlier run left in the log are put in though SQLite passes over them.
    """

    def __init__(self, path: Path, adopts: bool = True):
        self.path = path
        self.journal_id = path.stem.removeprefix("journal-")
        self.closed = False
        self._log = path.with_name(f"{path.name}-wal")
        write_again(self._log)
        log_before = self._log.read_bytes() if self._log.exists() else b""
        in_log = rows_of_log(path) if adopts and log_before else []
        self._conn = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        self._commits = 0
        try:
            with telling_damage():
                self._conn.execute("PRAGMA journal_mode = WAL")
                self._conn.execute("PRAGMA wal_autocheckpoint = 0")  # that is for :meth:`tidy`
                self.seq, self.chain = self._last()
                self._adopt(in_log)
                self.standing, self._unmarked = _standing(self._conn)
                self.lasting = _lasting(_notes(self._conn))
        except BaseException:
            self._conn.close()
            with contextlib.suppress(OSError):  # SQLite deletes the log of a file that it cannot read
                if log_before and not self._log.exists():
                    self._log.write_bytes(log_before)
            raise
        self.flushed = self.seq

    def _last(self) -> tuple[int, bytes]:
        rows = self._conn.execute("SELECT seq, body, chain FROM event ORDER BY seq DESC LIMIT ?", (_TAIL,)).fetchall()
        for (seq, body, link), (before_seq, _, before) in itertools.pairwise(rows):
            if before_seq != seq - 1 or chain(before, body) != link:
                raise Damaged(f"the chain breaks at {seq}")
        return (rows[0][0], rows[0][2]) if rows else (0, CHAIN_START)

    def _adopt(self, rows: Iterable[WholeRow]) -> None:
        """Put in what the log holds and SQLite passed over: one flipped bit, and it drops all that comes after it."""
        missed = []
        for row in rows:
            if row.seq == self.seq + 1 and chain(self.chain, row.body) == row.chain:
                self.seq, self.chain = row.seq, row.chain
                missed.append((row.seq, row.at_ms, row.body, row.chain, row.note))
        if missed:
            self._conn.execute("BEGIN IMMEDIATE")
            self._conn.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?)", missed)
            self._conn.execute("COMMIT")
            log.warning("journal=taken_from_its_log events=%d", len(missed))

    def past(self) -> Past:
        """What it says of earlier runs. Raises Damaged, or sqlite3.Error (try again)."""
        with telling_damage():
            counted, steps, of_acts = _uses(self._conn)
            return Past(self._tail(), [*self.lasting, *counted], steps, of_acts, self.standing)

    def _tail(self) -> list[Event]:
        """The newest events, oldest first; one that cannot be read is passed over."""
        rows = self._conn.execute("SELECT body FROM event ORDER BY seq DESC LIMIT ?", (_TAIL,)).fetchall()
        events = []
        for (body,) in reversed(rows):
            with contextlib.suppress(msgspec.MsgspecError):
                events.append(msgspec.json.decode(body, type=Event))
        return events

    def holds(self, seq: int, link: bytes) -> bool:
        """Whether that event is in it, with that chain."""
        with telling_damage():
            found = self._conn.execute("SELECT chain FROM event WHERE seq = ?", (seq,)).fetchone()
        return seq == 0 or found == (link,)

    def ids_after(self, seq: int) -> set[str]:
        """The ids of what is written above a number."""
        with telling_damage():
            rows = self._conn.execute("SELECT body FROM event WHERE seq > ?", (seq,)).fetchall()
            return {msgspec.json.decode(body, type=Fact).id for (body,) in rows}

    def write(self, entries: Sequence[Entry]) -> None:
        """Put entries down in one transaction. Raises sqlite3.Error (try again), Damaged, or Unwritable."""
        seq, link = self.seq, self.chain
        urgent = any(entry.urgent for entry in entries)
        standing = self.standing.after(entry.event for entry in entries)
        mark = standing if self._unmarked + len(entries) > _MARK_EVERY else None
        lasts = [*self.lasting, *(entry.use for entry in entries if entry.use and entry.use.kept_until_ms)]
        lasts = without(lasts, (entry.annuls for entry in entries if entry.annuls))
        if mark:
            lasts = lasting(lasts, entries[-1].event.at_ms)
        try:
            self._conn.execute(f"PRAGMA synchronous = {'FULL' if urgent else 'NORMAL'}")
            self._conn.execute("BEGIN IMMEDIATE")
            for entry in entries:
                note = _Note(entry.use, entry.step, annuls=entry.annuls)
                if mark and entry is entries[-1]:
                    note = msgspec.structs.replace(note, stands=mark, lasts=tuple(lasts))
                seq, link = self._put(entry, note, seq + 1, link)
            self._conn.execute("COMMIT")
        except (sqlite3.Error, Unwritable) as err:
            with contextlib.suppress(sqlite3.Error):
                self._conn.execute("ROLLBACK")
            damage = _damage(err) if isinstance(err, sqlite3.Error) else None
            if damage:
                raise damage from err
            raise
        self.seq, self.chain, self.standing, self.lasting = seq, link, standing, lasts
        self._unmarked = 0 if mark else self._unmarked + len(entries)
        self._commits += 1
        if urgent:
            self.flushed = seq

    def _put(self, entry: Entry, note: _Note, seq: int, before: bytes) -> tuple[int, bytes]:
        try:
            body = msgspec.json.encode(entry.event).decode()
            link = chain(before, body)
            text = None if note == _Note() else msgspec.json.encode(note).decode()
            self._conn.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", (seq, entry.event.at_ms, body, link, text))
        except (OverflowError, UnicodeError, sqlite3.DataError) as err:
            raise Unwritable(entry, f"{entry.event.kind}: {err}") from err
        return seq, link

    def carry(self, standing: Standing, lasts: Iterable[UseRow]) -> None:
        """Begin with what stood at the end of the journal before this one, and with its uses that last."""
        self.lasting = list(dict.fromkeys([*lasts, *self.lasting]))
        own = self.standing
        self.standing = Standing(own.open | standing.open, own.lockdown | standing.lockdown)
        self._unmarked = _MARK_EVERY

    def tidy(self, idle: bool) -> None:
        """Take the write-ahead log into the file, which takes a card its time: while nobody waits, or when it must.

        Raises Damaged, or sqlite3.Error (try again).
        """
        if self._commits >= (_TIDY_IDLE if idle else _TIDY_ANYWAY):
            with telling_damage():
                self._conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._commits = 0

    def flush(self) -> None:
        """Have all that is committed on the card. Raises OSError: only a new handle can say then what is there."""
        with contextlib.suppress(FileNotFoundError), self._log.open("rb") as written:
            os.fsync(written.fileno())
        self.flushed = self.seq

    def prune(self, acked: int, now_ms: int) -> None:
        """Drop from the beginning what the centre has and is old. The last of them stays: the chain of the next begins
        with it. What an unset clock dated long ago stays too, as long as something before it does.

        Raises Damaged, or sqlite3.Error (try again).
        """
        young = "SELECT min(seq) FROM event WHERE at_ms >= ?"
        with telling_damage():
            (oldest,) = self._conn.execute("SELECT min(seq) FROM event").fetchone()
            (first_young,) = self._conn.execute(young, (now_ms - KEPT_DAYS_MS,)).fetchone()
            ends = [acked, self.seq, (oldest or 0) + _PRUNED_AT_ONCE]
            keep_from = min(ends if first_young is None else [*ends, first_young])
            self._conn.execute("DELETE FROM event WHERE seq < ?", (keep_from,))

    def close(self) -> None:
        """Let go of the file; what was last known of it can still be asked. Idempotent."""
        self.closed = True
        self._conn.close()


def _standing(conn: sqlite3.Connection) -> tuple[Standing, int]:
    """What stands at the end, and how many rows after the last one that says so."""
    newest = conn.execute("SELECT seq, note FROM event ORDER BY seq DESC LIMIT ?", (2 * _MARK_EVERY,))
    mark, stands = 0, Standing()
    for seq, text in newest:
        note = msgspec.json.decode(text, type=_Note) if text else _Note()
        if note.stands is not None:
            mark, stands = seq, note.stands
            break
    rows = conn.execute("SELECT body FROM event WHERE seq > ? ORDER BY seq", (mark,))
    unmarked = itertools.count()
    facts = (msgspec.json.decode(body, type=Fact) for (body,), _ in zip(rows, unmarked, strict=False))
    return stands.after(facts), next(unmarked)


def _uses(conn: sqlite3.Connection) -> tuple[list[UseRow], dict[int, int], dict[str, UseRow]]:
    """The uses and steps of the last days, but for uses that last longer, and the uses of the last day by act. What was
    annulled is left out."""
    counted: list[UseRow] = []
    steps: dict[int, int] = {}
    of_acts: dict[str, UseRow] = {}
    annulled: list[UseRow] = []
    newest_ms = 0
    rows = conn.execute("SELECT at_ms, note, body FROM event ORDER BY seq DESC LIMIT ?", (_SEARCHED_FOR_USES,))
    for at_ms, text, body in rows:
        newest_ms = max(newest_ms, at_ms)
        if text is None or at_ms < newest_ms - USES_KEPT_MS:
            continue
        note = msgspec.json.decode(text, type=_Note)
        if note.annuls:
            annulled.append(note.annuls)
        if note.use in annulled:
            annulled.remove(note.use)
        elif note.use:
            if not note.use.kept_until_ms:
                counted.append(note.use)
            if at_ms >= newest_ms - ACTS_KEPT_MS:
                of_acts[msgspec.json.decode(body, type=Fact).about] = note.use
        if note.step:
            steps.setdefault(*note.step)
    return counted[::-1], steps, of_acts


def _lasting(notes: Iterable[str | None]) -> list[UseRow]:
    """The uses that last longer than some days, by the notes of a journal, the newest first: what the first one that
    tells them says, and those before it."""
    found: list[UseRow] = []
    annulled: list[UseRow] = []
    earlier: tuple[UseRow, ...] = ()
    for text in notes:
        note = msgspec.json.decode(text, type=_Note) if text else _Note()
        if note.lasts is not None:
            earlier = note.lasts
            break
        found += [note.use] if note.use and note.use.kept_until_ms else []
        annulled += [note.annuls] if note.annuls else []
    return without([*earlier, *reversed(found)], annulled)


def _notes(conn: sqlite3.Connection) -> Iterator[str | None]:
    rows = conn.execute("SELECT note FROM event ORDER BY seq DESC LIMIT ?", (_SEARCHED_FOR_USES,))
    return (text for (text,) in rows)


def open_existing(path: Path, timeout: float) -> sqlite3.Connection:
    """A journal to read from. Raises sqlite3.Error where it is not there: SQLite would otherwise make an empty one in
    the place of a journal that was set aside a moment ago."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=timeout, isolation_level=None)


def read_batch(path: Path, asked: EventsAfter, flushed: int) -> EventBatch:
    """Events up to ``flushed``. Raises Damaged, or sqlite3.Error (try again)."""
    with contextlib.closing(open_existing(path, 5)) as conn, telling_damage():
        conn.execute("PRAGMA query_only = 1")
        conn.execute("BEGIN")  # one moment for all of it
        oldest, newest = conn.execute("SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM event").fetchone()
        if asked.seq > newest:
            raise Short(f"it ends at {newest}, and {asked.seq} was read from it before")
        after = max(0, asked.seq) if oldest == 1 else max(asked.seq, oldest)
        before = conn.execute("SELECT chain FROM event WHERE seq = ?", (after,)).fetchone()
        rows = conn.execute(
            "SELECT seq, body FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (after, flushed, max(1, min(asked.limit, _READ_AT_ONCE))),
        ).fetchall()
        if [seq for seq, _ in rows] != list(range(after + 1, after + 1 + len(rows))):
            raise Damaged(f"events are missing after {after}")
        fields = {
            "journal_id": path.stem.removeprefix("journal-"),
            "first_seq": after + 1,
            "before": before[0] if before else CHAIN_START,
            "events": [body for _, body in rows],
            "newest": min(newest, flushed),
        }
        return msgspec.convert(fields, EventBatch)


def lasting_of(path: Path) -> list[UseRow]:
    """What a damaged journal still says of the uses that last, as far as it can be read. It is left as it is: SQLite
    would delete the log of a file that it cannot open."""
    found: list[UseRow] = []
    with contextlib.suppress(OSError, Damaged, sqlite3.Error), telling_damage():
        in_log = sorted(rows_of_log(path), key=lambda row: row.seq, reverse=True)
        found = _lasting(row.note for row in in_log)
        untouched = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(untouched, uri=True, isolation_level=None)) as conn:
            found = _lasting(itertools.chain((row.note for row in in_log), _notes(conn)))
    return found


def read_uses(folder: Path) -> Uses:
    """The uses as they stand on disk, read only; none where there is no journal or it cannot be read."""
    for path in journals(folder):
        with (
            contextlib.suppress(sqlite3.Error, Damaged),
            contextlib.closing(open_existing(path, 2)) as conn,
            telling_damage(),
        ):
            conn.execute("PRAGMA query_only = 1")
            counted, steps, of_acts = _uses(conn)
            return Uses([*_lasting(_notes(conn)), *counted], steps, of_acts)
    return Uses()
