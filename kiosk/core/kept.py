"""What the core must remember over a restart besides the journal: small JSON files, replaced atomically.

They change seldom (a signed time statement, a lockdown, a lane held open, a new rule), never per passage.
"""

from __future__ import annotations

import logging
import threading
import zlib
from pathlib import Path
from typing import Generic, Literal, TypeVar

import msgspec

from sync.durable import replace_durably
from sync.protocol import Signed

RETRY_S = 10.0

log = logging.getLogger("kept")


class KeptAnchor(msgspec.Struct, frozen=True, kw_only=True):
    """UTC is ``offset_ms`` and the milliseconds since that ``boot``; known at ``at`` (seconds of the boot) to so many
    milliseconds, by a statement or a guard. Another boot counts from another moment."""

    boot: str
    offset_ms: int
    at: float
    uncertainty_ms: int
    by: Literal["statement", "guard"]


class KeptShift(msgspec.Struct, frozen=True):
    """A shift that is on: the event that began it, whose it is, since when, and by a clock in which state."""

    event: str
    name: str
    begun_ms: int
    clock: str


class KeptOverspent(msgspec.Struct, frozen=True):
    """An override beyond the budget that no supervisor has seen."""

    event: str
    by: str
    lane: str
    at_ms: int


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """``floor_ms``: time cannot be before this; ``rtc_agreed``: the hardware clock ``rtc_name`` agreed by its own time
    with the last statement, at ``rtc_agreed_ms``;
    ``unsigned_since_ms``: the last time that a signature stood behind, while the clock goes by a hardware clock or a
    guard's word (0: it does not); ``quiet_starts``: starts in a row between which nothing happened; ``seen``: the
    highest revision of each signed item in ``seen_epoch``, and ``past_epochs`` the epochs before it, so that an older
    one never comes back; ``epoch_order``: the order of ``seen_epoch`` that the root signed (0: none yet); ``root``: the
    mark of the root key all four belong to; ``anchor``: by what this boot's clock goes; ``shifts``: who is on duty;
    ``overspent``: for a supervisor."""

    floor_ms: int = 0
    anchor: KeptAnchor | None = None
    rtc_agreed: bool = False
    rtc_name: str = ""
    rtc_agreed_ms: int = 0
    unsigned_since_ms: int = 0
    quiet_starts: int = 0
    lockdown: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    shifts: tuple[KeptShift, ...] = ()
    overspent: tuple[KeptOverspent, ...] = ()
    seen: dict[str, int] = {}
    seen_epoch: str = ""
    past_epochs: tuple[str, ...] = ()
    epoch_order: int = 0
    root: str = ""


class Statements(msgspec.Struct, frozen=True):
    """Every root-signed statement in force, as last verified: keys, accounts, rules, names. The list brings them, but a
    gate whose list is lost or damaged still knows its compound by these, and none is lifted by leaving it out."""

    signed: tuple[Signed, ...] = ()


T = TypeVar("T", bound=msgspec.Struct)


class Kept(Generic[T]):
    """A memory in a file. A damaged or missing file reads as ``fresh``: it only ever makes the gate careful. A mark in
    the second line (CRC-32) shows a bit that the card has lost; a file of an older version has none.

    A thread of its own writes: who changes something waits ``patience_s`` for the disk at most. A write that fails (a
    full disk) is logged and tried again every ``retry_s``; until then the gate goes on with its memory. With
    ``writes=False`` nothing is ever written: for a program that only looks.
    """

    def __init__(self, path: Path, fresh: T, writes: bool = True, patience_s: float = 5.0, retry_s: float = RETRY_S):
        self._path = path
        self._fresh = fresh
        self._writes = writes
        self._patience_s = patience_s
        self._retry_s = retry_s
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self.now: T = self._read()
        self._tried: T = self.now
        self._written: T = self.now

    def _read(self) -> T:
        try:
            found: T = msgspec.json.decode(_unmarked(self._path.read_bytes()), type=type(self._fresh))
        except FileNotFoundError:
            return self._fresh
        except (OSError, ValueError) as err:
            log.error("kept=unreadable name=%s why=%r", self._path.name, str(err))
            return self._fresh
        return found

    def change(self, **fields: object) -> None:
        """Replace some fields, durably if the disk allows. From one thread at a time."""
        new = msgspec.structs.replace(self.now, **fields)
        if new == self.now:
            return
        with self._lock:
            self.now = new
            if not self._writes:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_on, name="kept", daemon=True)
                self._thread.start()
            self._lock.notify_all()
            self._lock.wait_for(lambda: self._tried is new, self._patience_s)

    def settle(self, seconds: float) -> bool:
        """Wait until all is written; whether it is."""
        with self._lock:
            return not self._writes or self._lock.wait_for(lambda: self._written is self.now, seconds)

    def _write_on(self) -> None:
        why = ""
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._tried is not self.now, self._retry_s if why else None)
                new = self.now
            try:
                replace_durably(self._path, _marked(msgspec.json.encode(new)))
                failed = ""
            except OSError as err:
                failed = err.strerror or str(err)
            if failed and failed != why:
                log.error("kept=unwritten name=%s why=%r", self._path.name, failed)
            why = failed
            with self._lock:
                self._tried = new
                self._written = self._written if failed else new
                self._lock.notify_all()


def _marked(content: bytes) -> bytes:
    return b"%s\n%08x\n" % (content, zlib.crc32(content))


def _unmarked(raw: bytes) -> bytes:
    """Raises ValueError where the content is not as it was written."""
    content, _, mark = raw.partition(b"\n")
    if mark and mark.strip() != b"%08x" % zlib.crc32(content):
        raise ValueError("it is not as it was written")
    return content


def with_name(names: tuple[str, ...], name: str, present: bool) -> tuple[str, ...]:
    """The names with that one among them, or without it."""
    rest = tuple(other for other in names if other != name)
    return (*rest, name) if present else rest
