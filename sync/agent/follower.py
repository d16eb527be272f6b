"""Following the centre's list: pages are applied, a damaged list is rebuilt, and a snapshot takes its place."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import NoReturn

from sync.agent.lists import ListFolder, SnapshotRefused
from sync.agent.pauses import Backoff
from sync.agent.wire import CentreBehind, StartAgain, UpToDate, Wire, WireError
from sync.cache import Cursor, ListError
from sync.protocol import Page

POLL_S = 60.0
STAMP_S = 600.0
CHECK_LIST_S = 600.0
CHECK_ANYWAY_S = 86_400.0
"""A list is looked through once a day, and when sync starts: cards lose bits."""
REBUILD_PAUSES = 10

log = logging.getLogger("sync")


class ListNews:
    """What the core should hear of the list. ``changed``: rows were applied, or another file is in force, and the core
    does not follow it yet; at the start, perhaps. ``urgent``: it should hear at once."""

    def __init__(self) -> None:
        self.changed = True
        self.caught_up = False
        self.urgent = False

    def told(self) -> None:
        self.caught_up = self.urgent = False


class ListFollower:
    """Keeps the list folder where the centre's feed is. Not thread-safe.

    ``new_epoch`` is called when the centre goes on under another epoch: a restored centre may have lost events.
    """

    def __init__(
        self,
        lists: ListFolder,
        wire: Wire,
        new_epoch: Callable[[], None],
        news: ListNews,
        clock: Callable[[], float],
        rng: random.Random,
    ):
        self._lists = lists
        self._wire = wire
        self._new_epoch = new_epoch
        self._news = news
        self._clock = clock
        self._rng = rng
        self._epoch = ""
        self._stamped = -STAMP_S
        self._suspect = False
        self._looks_at = 0.0
        self._looked_through = -CHECK_LIST_S
        self._unverified: list[str] = []
        self._distrusted = -CHECK_LIST_S
        self._rebuilds = Backoff(rng)
        self._rebuild_after = 0.0
        self._completes_at = 0.0

    def suspect(self) -> bool:
        """The core cannot use the list: have it looked through at the next pull, at most every ten minutes. Whether
        that pull should come at once."""
        if self._clock() - self._looked_through < CHECK_LIST_S:
            return False
        self._suspect, self._looked_through = True, self._clock()
        return True

    def distrust(self, unverified: list[str]) -> bool:
        """The core could not verify statements of the list: have it built anew at the next pull, at most every ten
        minutes. Whether that pull should come at once."""
        if self._clock() - self._distrusted < CHECK_LIST_S:
            return False
        self._unverified, self._distrusted = unverified, self._clock()
        return True

    def pull(self) -> float:
        """Take what is new; the seconds until the next look. Raises WireError, ListError, DiskFull, SnapshotRefused."""
        try:
            cursor = self._lists.cursor()
            if self._suspect or self._clock() >= self._looks_at:
                self._suspect, self._looks_at = False, self._clock() + CHECK_ANYWAY_S
                self._lists.check()
            self._follow_epoch(cursor)
            if self._unverified:
                raise ListError(f"the core could not verify {', '.join(self._unverified[:3])}")
            return self._complete(self._take(self._wire.feed(cursor, proof=self._lists.proof())))
        except ListError as err:
            log.warning("list=rebuilding why=%r", str(err))
            self._lists.close()
            return self._rebuild()

    def _take(self, answer: Page | UpToDate | StartAgain | CentreBehind) -> float:
        match answer:
            case CentreBehind():
                self._prove()
            case StartAgain():
                return self._rebuild()
            case UpToDate():
                self._news.urgent = self._news.caught_up = True
                self._rebuilds.reset()
                self._stamp(answer.as_of_ms)
                return self._until_poll()
        self._lists.apply(answer)
        self._news.changed = self._news.urgent = True
        self._news.caught_up = answer.complete
        self._rebuilds.reset()
        return self._until_poll() if answer.complete else 0.0

    def _complete(self, seconds: float) -> float:
        """Fetch a list whole that an earlier version of this program wrote: that one dropped what it did not know of
        rows. Until then, and where that fails, the list is followed as it is."""
        if not self._lists.partial() or self._clock() < self._completes_at:
            return seconds
        self._completes_at = self._clock() + CHECK_LIST_S
        return self._rebuild()

    def _prove(self) -> NoReturn:
        """Show a restored centre what it lacks. The list stays as it is until a new epoch begins: an older one would
        let in what was revoked since."""
        proof = self._lists.proof()
        proven = proof is not None and self._wire.prove_ahead(proof)
        raise WireError("restored", f"the centre was put back to an older backup; proven={proven}")

    def _until_poll(self) -> float:
        return POLL_S * self._rng.uniform(0.75, 1.25)

    def _stamp(self, as_of_ms: int) -> None:
        """Seldom: each stamp is a disk flush."""
        if self._clock() - self._stamped >= STAMP_S:
            self._lists.stamp(as_of_ms)
            self._stamped = self._clock()

    def _rebuild(self) -> float:
        """Put a snapshot in force. One that cannot be continued either is not fetched over and over: cards wear. One of
        an epoch that is over is not fetched at all."""
        if self._clock() < self._rebuild_after:
            raise SnapshotRefused("the list just rebuilt cannot be continued")
        head = self._wire.snapshot()
        if self._lists.is_past(head):
            self._prove()
        self._lists.install(head, self._wire.download)
        self._unverified = []
        self._rebuild_after = self._clock() + REBUILD_PAUSES * self._rebuilds.next_s()
        self._news.changed = self._news.urgent = True
        return 0.0

    def _follow_epoch(self, cursor: Cursor) -> None:
        if self._epoch and cursor.epoch != self._epoch:
            self._new_epoch()
        self._epoch = cursor.epoch
