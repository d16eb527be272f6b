"""The list in force, as the core reads it: the rows are what sync wrote, what is signed goes to :mod:`vouching`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kiosk.core.policy import ListState, Now
from kiosk.core.vouching import Vouched, Vouching
from sync.cache import LOOK_UP_LIMIT, ListError, ListReader, RowDamaged, get_current
from sync.protocol import CredentialRow

log = logging.getLogger("mirror")

_COUNT_EVERY_MS = 60_000


LOOK_THROUGH_S = 1.0
"""Reading a list of 10,000 credentials takes 0.2 s, on a small board about four times that."""


class Listed(NamedTuple):
    """A credential's row, the highest serial the list speaks for in its scope, and the list's state."""

    row: CredentialRow | None
    last_serial: int | None
    age: ListState


class _EpochOver(ListError):
    """A list of an epoch that the root has put others after."""


NOT_LISTED = Listed(None, None, "none")


class Mirror:
    """Follows ``current`` in the list folder. Belongs to the core's loop, but for :attr:`vouched`.

    ``vouching`` takes the list's statements; ``now`` gives the core's time for the age of the list.
    """

    def __init__(self, folder: Path, vouching: Vouching, now: Callable[[], Now]):
        self._folder = folder
        self._vouching = vouching
        self._now = now
        self._withdrawn = False
        self._suspect = False
        self._looked_through: tuple[Path, int] | None = None
        self.damaged = ""
        """What was found wrong in this version of the list, which is used all the same; empty: nothing."""
        self._reader: ListReader | None = None
        self._version = -1
        self._meta: dict[str, str] = {}
        self._caught_up: int | None = None
        self.passes = 0
        """How many credentials the list has, counted anew about once a minute: it reads the whole file."""
        self._counted: Path | None = None
        self._counted_ms = 0
        self.why = "no list yet"
        """Why there is no list, in words for a technician; empty while there is one."""

    @property
    def vouched(self) -> Vouched:
        """What is vouched for, with or without a list. From any thread."""
        return self._vouching.vouched

    @property
    def unverified(self) -> tuple[str, ...]:
        """Statements that the list in force should hold and does not."""
        return self._vouching.unverified

    def refresh(self) -> bool:
        """Follow ``current`` and what was written to it; whether anything changed. Keeps the old list if the new one
        fails, and goes without one only where there never was a whole one."""
        if self._withdrawn:
            return False
        path = get_current(self._folder)
        try:
            if self._reader is not None and self._reader.outdated():
                self._reader.close()  # first: it may hold the lock that the next one waits for
                self._reader = None
            if path is not None and (self._reader is None or self._reader.path != path):
                self._switch(ListReader(path))
                return True
            if self._reader is not None and self._reader.version() != self._version:
                self._take()
                return True
        except ListError as err:
            if self.why != str(err):
                log.error("list=unusable why=%r", str(err))
            self.why = str(err)
            if isinstance(err, _EpochOver) and self._reader is not None and self._reader.path == path:
                self._fail(err)  # it was written under our hands
        return False

    def withdraw(self) -> None:
        """Forget list, keys and accounts for good: this device is no longer a gate."""
        self._withdrawn, self.why = True, "withdrawn"
        self._vouching.withdraw()
        self.close()

    def _switch(self, reader: ListReader) -> None:
        old, self._reader = self._reader, reader
        try:
            anchor = self._vouching.anchor
            if reader.meta().get("compound") != str(anchor.compound if anchor else None):
                raise ListError(f"{reader.path.name} is the list of another compound")
            self._take()
        except ListError:
            self._reader = old
            reader.close()
            raise
        if old:
            old.close()

    def _take(self) -> None:
        reader = self._reader
        assert reader  # noqa: S101 - both callers hold one
        version = reader.version()
        meta, signed = reader.meta(), reader.signed()
        self._vouching.take(signed)
        if self._vouching.is_over(meta["epoch"]):
            raise _EpochOver(f"{reader.path.name} is the list of an epoch that is over")
        now_ms = self._now().utc_ms
        if self._counted != reader.path or abs(now_ms - self._counted_ms) >= _COUNT_EVERY_MS:
            with suppress(ListError):  # a card too slow for that is no reason to go without the list
                self.passes = reader.count()
            self._counted, self._counted_ms = reader.path, now_ms
        self._meta, self._version, self.why, self.damaged = meta, version, "", ""
        log.info("list=%s revision=%s passes=%d", reader.path.name, meta.get("revision"), self.passes)

    # --- what the list says ---

    def find(self, scope: int, serial: int) -> Listed:
        """What the list says of a credential: nothing, as before the first list, while it cannot be read
        (:attr:`why`), or where that row is damaged."""
        if self._reader is None:
            return NOT_LISTED
        try:
            row = self._reader.find(scope, serial)
        except RowDamaged as err:
            self._suspect, self.damaged = True, str(err)
            log.error("list=damaged why=%r", self.damaged)
            return NOT_LISTED
        except ListError as err:
            self._fail(err)
            return NOT_LISTED
        self._suspect = self._suspect or row is None
        last_serial = self.last_serial(scope)
        if row is None and last_serial is not None and serial <= last_serial and not self._is_whole():
            return NOT_LISTED
        return Listed(row, last_serial, self.list_state())

    def _is_whole(self) -> bool:
        """Whether no row can have lost its number: found out once for each version of the list, since it reads all of
        it, and only when a row is missing. A pass that is not on a whole list was taken off it."""
        reader = self._reader
        if reader is not None and self._looked_through != (reader.path, self._version):
            self._looked_through = (reader.path, self._version)
            try:
                reader.look_through(LOOK_THROUGH_S)
            except ListError as err:
                self.damaged = str(err)
                log.error("list=damaged why=%r", self.damaged)
        return not self.damaged

    def take_suspicion(self) -> bool:
        """Whether the list should be looked through, since last asked: a row was damaged, or one was missing."""
        suspect, self._suspect = self._suspect, False
        return suspect

    def look_up(self, term: str, most: int = LOOK_UP_LIMIT) -> list[CredentialRow]:
        """Rows by dwelling, plate, number or short code."""
        if self._reader is None:
            return []
        try:
            return self._reader.look_up(term, most)
        except ListError as err:
            self._fail(err)
            return []

    def _fail(self, err: ListError) -> None:
        log.error("list=unreadable why=%r", str(err))
        if self._reader:
            self._reader.close()
        self._reader, self.why = None, str(err)

    def last_serial(self, scope: int) -> int | None:
        """The highest serial the list speaks for in a scope; None where it says nothing."""
        text = self._meta.get(f"last_serial/{scope}")
        return int(text) if text else None

    @property
    def revision(self) -> int:
        return int(self._meta.get("revision", 0))

    @property
    def complete(self) -> bool:
        """Whether a whole list is there: its first catch-up has ended."""
        return self._reader is not None and int(self._meta.get("as_of_ms", 0)) > 0

    def caught_up(self) -> None:
        """Sync says the list was complete just now."""
        self._caught_up = self._now().utc_ms

    def age_s(self) -> int:
        """Seconds since the list was last known to be complete; -1: there is none."""
        if not self.complete:
            return -1
        now = self._now().utc_ms
        # What was stamped by a clock that has been put back since says nothing.
        caught_up = self._caught_up if self._caught_up is not None and self._caught_up <= now else 0
        return max(0, (now - max(int(self._meta.get("as_of_ms", 0)), caught_up)) // 1000)

    def list_state(self) -> ListState:
        """fresh, stale, expired, or none. An untrusted clock cannot call a list old."""
        age = self.age_s()
        if age < 0:
            return "none"
        rules = self.vouched.rules
        if not self._now().judged or age <= rules.stale_after_s:
            return "fresh"
        return "stale" if age <= rules.expired_after_s else "expired"

    def close(self) -> None:
        """Idempotent."""
        if self._reader:
            self._reader.close()
            self._reader = None
