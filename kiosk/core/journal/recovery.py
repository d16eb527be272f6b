"""The whole rows of damaged journals, handed to sync as closed journals.

A journal that was set aside lies there as ``journal-ID.damaged-MARK`` and stays as it is. Sync asks the centre how far
it has that. What is whole above becomes ``journal-ID.recovered-MARK``, a journal of its own whose events say where they
stood. When the centre has all of it, it is called ``.sent-MARK``; 30 days after its last event both are deleted.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections import Counter
from pathlib import Path

import msgspec

from kiosk.core.journal.file import KEPT_DAYS_MS, Damaged, Short, created, journals, open_existing, read_batch
from kiosk.core.journal.salvage import highest_row, whole_rows
from kiosk.core.journal.standing import Fact
from sync.protocol import CHAIN_START, EventBatch, EventsAfter, chain

_WRITTEN_AGAIN = 3000
"""Rows at a journal's beginning among which are those that memory wrote again when the one before was set aside."""
_READ_ALL = 1 << 62
_TRIES = 3
"""How often a damaged journal that cannot be read is tried in one run."""

log = logging.getLogger("journal")


class Recovering(sqlite3.OperationalError):
    """The whole rows are being read just now; asking again is safe."""


class SetAside(msgspec.Struct, frozen=True):
    """A damaged journal by its id and its mark."""

    folder: Path
    journal_id: str
    mark: str

    def _named(self, what: str) -> Path:
        return self.folder / f"journal-{self.journal_id}.{what}-{self.mark}"

    @property
    def damaged(self) -> Path:
        return self._named("damaged")

    @property
    def recovered(self) -> Path:
        return self._named("recovered")

    @property
    def sent(self) -> Path:
        return self._named("sent")

    @property
    def recovered_id(self) -> str:
        """The id of the journal of what is recovered. No dot: a centre takes none in an id."""
        return f"{self.journal_id}-recovered-{self.mark}"

    def delete(self) -> None:
        """What was recovered goes last: as long as it lies there, the centre is known to have it. Raises OSError."""
        for path in (self.damaged, self.sent):
            for part in ("-wal", "-shm", ""):
                path.with_name(path.name + part).unlink(missing_ok=True)


def set_aside_in(folder: Path) -> list[SetAside]:
    """The damaged journals of a folder."""
    names = [path.name.removeprefix("journal-") for path in sorted(folder.glob("journal-*.damaged-*"))]
    return [SetAside(folder, *name.split(".damaged-")) for name in names if not name.endswith(("-wal", "-shm"))]


class Recovery:
    """Recovers the damaged journals of a folder on a thread of its own. Its methods may be called from any thread."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.Condition()
        self._newest: dict[SetAside, int] = {}
        """The highest number in each journal that was looked at."""
        self._acked: dict[SetAside, int] = {}
        """How far the centre has each one whose whole rows sync asked for."""
        self._failed: Counter[SetAside] = Counter()
        self._sent: set[SetAside] = set()
        self._reading = False

    def batch(self, asked: EventsAfter) -> EventBatch | None:
        """What sync is told of damaged journals; None where the answer is the journal in use.

        Raises Recovering, or another sqlite3.Error (try again).
        """
        self._look()
        with self._lock:
            known = [one for one in set_aside_in(self._folder) if one in self._newest]
        for one in known:
            if asked.journal_id == one.journal_id:
                return self._recovered(one, asked.seq) if asked.next else self._question(one)
            if asked.journal_id == one.recovered_id and not asked.next and one.recovered.exists():
                return _batch_of(one, asked)
            if asked.journal_id == one.recovered_id and asked.next:
                self._is_sent(one)
        waiting = [one for one in known if not self._was_sent(one)]
        return self._question(waiting[0]) if waiting else None

    def _question(self, one: SetAside) -> EventBatch:
        """The damaged journal itself, closed and without events: sync asks the centre how far it has that. From the
        first event on, the one place whose chain is known: anywhere else the centre would ask for events to compare."""
        return EventBatch(one.journal_id, 1, CHAIN_START, [], self._newest[one], closed=True)

    def _recovered(self, one: SetAside, acked: int) -> EventBatch:
        if not one.recovered.exists() and not self._was_sent(one):
            with self._lock:
                self._acked.setdefault(one, acked)
            self._look()
            raise Recovering(f"{one.damaged.name} is being read")
        return _batch_of(one, EventsAfter("", 0))

    def _was_sent(self, one: SetAside) -> bool:
        return one in self._sent or one.sent.exists()

    def _is_sent(self, one: SetAside) -> None:
        self._sent.add(one)
        with contextlib.suppress(OSError):  # a disk that refuses: after a restart the centre says again that it has it
            one.recovered.rename(one.sent)

    def prune(self, now_ms: int) -> None:
        """Delete the damaged journals whose whole rows the centre has and whose last event is more than 30 days old."""
        for one in set_aside_in(self._folder):
            if one.sent.exists():
                with contextlib.suppress(OSError, sqlite3.Error):  # the next time asks again
                    if _last_ms(one) < now_ms - KEPT_DAYS_MS:
                        one.delete()

    # --- reading ---

    def _look(self) -> None:
        """Begin to read what is new among the damaged journals."""
        with self._lock:
            if not self._reading and self._unread():
                self._reading = True
                threading.Thread(target=self._read, name="recovery", daemon=True).start()

    def _unread(self) -> list[SetAside]:
        return [
            one
            for one in set_aside_in(self._folder)
            if not self._was_sent(one)
            and self._failed[one] < _TRIES
            and (one not in self._newest or (one in self._acked and not one.recovered.exists()))
        ]

    def _read(self) -> None:
        for one in self._unread():
            try:
                self._newest[one] = highest_row(one.damaged)
                if one in self._acked and not one.recovered.exists():
                    _build(one, self._acked[one])
            except (OSError, sqlite3.Error) as err:
                self._failed[one] += 1
                log.error("journal=unrecovered name=%s why=%r", one.damaged.name, str(err))
        with self._lock:
            self._reading = False
            self._lock.notify_all()

    def wait(self, seconds: float) -> bool:
        """Whether nothing is being read any longer, waiting at most that long."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._reading, seconds)


def _last_ms(one: SetAside) -> int:
    """When the last recovered event was; of a journal that held nothing new, when that was found. Raises OSError or
    sqlite3.Error."""
    with contextlib.closing(open_existing(one.sent, 5)) as conn:
        (last_ms,) = conn.execute("SELECT max(at_ms) FROM event").fetchone()
    return one.sent.stat().st_mtime_ns // 1_000_000 if last_ms is None else int(last_ms)


def _batch_of(one: SetAside, asked: EventsAfter) -> EventBatch:
    path = one.sent if one.sent.exists() else one.recovered
    try:
        batch = read_batch(path, asked, _READ_ALL)
    except Short:
        return EventBatch(one.recovered_id, asked.seq + 1, CHAIN_START, [], asked.seq, closed=True)
    except Damaged as err:
        path.unlink(missing_ok=True)  # it is made again
        raise Recovering(f"{path.name}: {err}") from err
    return msgspec.structs.replace(batch, journal_id=one.recovered_id, closed=True)


def _build(one: SetAside, acked: int) -> None:
    """Write the journal of what the centre does not have. What memory wrote again elsewhere is left out."""
    elsewhere = _written_again(one.folder)
    rows = [
        row for row in whole_rows(one.damaged, acked) if msgspec.json.decode(row.body, type=Fact).id not in elsewhere
    ]
    link = CHAIN_START
    with created(one.recovered) as conn:
        for seq, row in enumerate(rows, 1):
            place = f"{one.journal_id}/{row.seq}{'' if row.proven else '?'}"
            body = msgspec.json.encode(msgspec.json.decode(row.body) | {"recovered": place}).decode()
            link = chain(link, body)
            conn.execute("INSERT INTO event VALUES (?, ?, ?, ?, NULL)", (seq, row.at_ms, body, link))
    log.info("journal=recovered name=%s events=%d", one.damaged.name, len(rows))


def _written_again(folder: Path) -> set[str]:
    ids: set[str] = set()
    for path in journals(folder):
        with contextlib.closing(open_existing(path, 5)) as conn:
            conn.execute("PRAGMA query_only = 1")
            rows = conn.execute("SELECT body FROM event ORDER BY seq LIMIT ?", (_WRITTEN_AGAIN,))
            ids |= {msgspec.json.decode(body, type=Fact).id for (body,) in rows}
    return ids
