"""The way of a gate's events to the centre: each once, in order, whatever is lost on the way.

The core keeps the journals; here is only how far the centre has each of them, and what it would not take.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from sync.agent.wire import Unacceptable
from sync.protocol import (
    REFUSED_BY_CENTRE,
    VERSION,
    Acknowledged,
    Event,
    EventBatch,
    EventReceipt,
    EventsAfter,
    EventUpload,
)
from sync.terms import EventKind

BATCH = 200
SENT = "sent.json"
REFUSED = "refused"
_MOST_REFUSED = 1000
_LOST: EventKind = "events_lost"

log = logging.getLogger("outbox")


class Stuck(Exception):
    """The centre takes neither these events nor what stands in for one of them. All are kept; try again much later."""


class Outbox:
    """Not thread-safe. ``sent.json`` may be lost without harm: the centre says again what it holds."""

    def __init__(
        self,
        state: Path,
        events_after: Callable[[EventsAfter], EventBatch],
        acknowledged: Callable[[Acknowledged], None],
        send: Callable[[EventUpload], EventReceipt | Unacceptable],
    ):
        self._state = state
        self._events_after = events_after
        self._acknowledged = acknowledged
        self._send = send
        self._acked = self._read()
        self._agreed: set[str] = set()
        self._journal = ""
        self._next = False
        self._limit = BATCH
        self.unsent = 0
        """Events of the journal at hand that the centre has not acknowledged."""

    def _read(self) -> dict[str, int]:
        try:
            return msgspec.json.decode((self._state / SENT).read_bytes(), type=dict[str, int])
        except (OSError, msgspec.MsgspecError):
            return {}

    def ask_again(self) -> None:
        """Ask the centre how far it is with each journal that is kept: it may have less than it acknowledged."""
        self._agreed.clear()
        self._journal, self._next = "", False

    def look(self) -> None:
        """Count what is unsent, without the centre. Raises what asking the core raises."""
        seq = self._acked.get(self._journal, 0)
        batch = self._events_after(EventsAfter(self._journal, seq, 1, self._next))
        self.unsent = max(0, batch.newest - self._acked.get(batch.journal_id, 0))

    def step(self) -> bool:
        """Move at most one batch; whether there may be more. Raises what asking the core and sending raise, and Stuck.

        Safe to repeat after any of them.
        """
        seq = self._acked.get(self._journal, 0)
        batch = self._events_after(EventsAfter(self._journal, seq, self._limit, self._next))
        if batch.journal_id != self._journal:
            self._journal, self._next = batch.journal_id, False
            if self._acked.get(self._journal, 0) >= batch.first_seq:
                return True  # it begins before what the centre has
        self.unsent = max(0, batch.newest - self._acked.get(self._journal, 0))
        if batch.events or self._journal not in self._agreed:
            return self._deliver(batch)
        go_on = batch.closed and not self._next
        self._next = batch.closed
        return go_on

    def _deliver(self, batch: EventBatch) -> bool:
        known = self._acked.get(batch.journal_id, 0)
        receipt = self._send(_upload(batch, hole=batch.first_seq > known + 1))
        if isinstance(receipt, Unacceptable):
            if len(batch.events) > 1:
                self._limit = max(1, len(batch.events) // 2)
                return True
            receipt = self._replace(batch, receipt)
        self._take(batch, receipt.acked)
        self._limit = min(BATCH, self._limit * 2)
        return True

    def _take(self, batch: EventBatch, acked: int) -> None:
        asked_again = batch.journal_id in self._agreed
        last = batch.first_seq + len(batch.events) - 1
        if asked_again and acked == self._acked.get(batch.journal_id, 0) < last:
            raise Stuck(f"the centre has {acked} and does not go on from there")
        if acked < self._acked.get(batch.journal_id, 0):
            log.warning("events=again journal=%s from=%d", batch.journal_id, acked + 1)
        self._agreed.add(batch.journal_id)
        acked = min(acked, batch.newest)  # a centre that has more than we wrote would skip what comes
        self.unsent = batch.newest - acked
        self._acknowledged(Acknowledged(batch.journal_id, acked))
        if self._acked.get(batch.journal_id) != acked:
            self._acked[batch.journal_id] = acked
            self._write()

    def _write(self) -> None:
        new = self._state / f"{SENT}.new"
        with suppress(OSError):  # a full disk: nothing is lost with it
            new.write_bytes(msgspec.json.encode(self._acked))
            new.replace(self._state / SENT)

    def _replace(self, batch: EventBatch, why: Unacceptable) -> EventReceipt:
        """Set one event aside and send an ``events_lost`` under its number, so that the rest can follow."""
        if not batch.events:
            raise Stuck(why.text)
        self._keep(batch)
        event = Event(id=f"refused-{batch.first_seq}", kind=_LOST, at_ms=0, count=1, why=REFUSED_BY_CENTRE)
        stand_in = msgspec.structs.replace(batch, events=[msgspec.json.encode(event).decode()])
        receipt = self._send(_upload(stand_in, hole=False))
        if isinstance(receipt, Unacceptable):
            raise Stuck(receipt.text)
        log.error("event=refused journal=%s seq=%d", batch.journal_id, batch.first_seq)
        return receipt

    def _keep(self, batch: EventBatch) -> None:
        folder = self._state / REFUSED
        folder.mkdir(exist_ok=True, mode=0o700)
        if sum(1 for _ in folder.iterdir()) < _MOST_REFUSED:
            (folder / f"{batch.journal_id}-{batch.first_seq}.json").write_text(batch.events[0], "utf-8")

    def wipe(self) -> None:
        """Delete what is kept here. Idempotent."""
        (self._state / SENT).unlink(missing_ok=True)
        for path in (self._state / REFUSED).glob("*.json"):
            path.unlink(missing_ok=True)


def _upload(batch: EventBatch, hole: bool) -> EventUpload:
    return EventUpload(
        v=VERSION,
        journal_id=batch.journal_id,
        first_seq=batch.first_seq,
        before=batch.before,
        events=batch.events,
        hole=hole,
        lanes=batch.lanes,
    )
