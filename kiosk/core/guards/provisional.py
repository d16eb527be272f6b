"""Provisional entries: a household that has no pass to show, let in by a named guard for the days that the rule allows.

Each is an event, and goes up with the others. What lasts is kept over a restart, and forgotten when it ends.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import msgspec

from kiosk.channel import Refused
from kiosk.core.book import Book
from kiosk.core.clock import Clock
from kiosk.core.gate import Gate
from kiosk.core.kept import Kept
from kiosk.core.mirror import Mirror
from kiosk.verbs import LiveLine, ProvisionalEntry
from kiosk.verbs import ProvisionalEntries as Lasting
from sync.cache import fold_dwelling, is_name
from sync.protocol import CredentialRow

MOST_PEOPLE = 12
"""As many as one form has room for."""
DAY_MS = 24 * 3_600_000
LONGEST_MS = 3 * DAY_MS
"""What the rule allows at most: an end beyond it was reckoned by a clock that was wrong."""
_LONGEST_DWELLING = 24
_MOST_KEPT = 500
_MOST_PASSES = 100
"""Of one dwelling: twelve people have a card and a phone each, and cars and visitors."""
_PAST = ("revoked", "superseded")


class KeptEntry(msgspec.Struct, frozen=True, kw_only=True):
    """``event`` is the id of the first; ``household`` its number in the list, or 0."""

    dwelling: str
    household: int
    people: int
    until_ms: int
    by: str
    event: str


class KeptEntries(msgspec.Struct, frozen=True, omit_defaults=True):
    """The entries that last, the latest last."""

    entries: tuple[KeptEntry, ...] = ()


class ProvisionalEntries:
    """One entry for each household at a time. On the core's loop only."""

    def __init__(self, gate: Gate, book: Book, mirror: Mirror, clock: Clock, kept: Kept[KeptEntries]):
        self._gate = gate
        self._book = book
        self._mirror = mirror
        self._clock = clock
        self._kept = kept

    def admit(self, lane: str, typed: str, people: int, unlisted: bool, by: str) -> LiveLine:
        """Register a household by its dwelling, and open. While its entry lasts it is let in again: that changes how
        many people there are, and never the end.

        Raises Refused: ``no_dwelling`` for what cannot be one, ``how_many`` for too few or too many people,
        ``dwelling_unlisted`` where the list does not know it and the guard has not said that this may be, and
        ``household_watched`` where a pass of it is suspended or marked for attention.
        """
        run = self._gate.run(lane)
        if not 1 <= people <= MOST_PEOPLE:
            raise Refused("how_many")
        dwelling = _as_dwelling(typed)
        rows = self._rows(dwelling)
        if any(row.state == "suspended" or row.attention for row in rows):
            raise Refused("household_watched")
        lasting = self._find(dwelling)
        if not rows and lasting is None and not unlisted:
            raise Refused("dwelling_unlisted")
        until_ms = self._clock.now().utc_ms + self._mirror.vouched.rules.provisional_days * DAY_MS
        entry = KeptEntry(
            dwelling=rows[0].dwelling if rows else lasting.dwelling if lasting else dwelling,
            household=next((row.household for row in rows if row.state not in _PAST and row.household), 0),
            people=people,
            until_ms=lasting.until_ms if lasting else until_ms,
            by=by,
            event=lasting.event if lasting else "",
        )
        event, saved = self._book.record(
            "provisional",
            lane=lane,
            direction=run.section.direction,
            outcome="grant",
            about=entry.event,
            dwelling=entry.dwelling,
            household=entry.household,
            count=people,
            until_ms=entry.until_ms,
            by=by,
        )
        line = self._book.announce(
            "provisional",
            lane=lane,
            outcome="grant",
            dwelling=entry.dwelling,
            repeats=people,
            by=by,
            event=event.id,
        )
        self._gate.open(run, event, line.number, saved)
        self._keep(msgspec.structs.replace(entry, event=entry.event or event.id))  # first the lane, then the books
        return line

    def lasting(self) -> Lasting:
        """The entries that have not ended, the newest first."""
        entries = [
            ProvisionalEntry(dwelling=kept.dwelling, people=kept.people, until_ms=kept.until_ms, by=kept.by)
            for kept in reversed(self._lasting())
        ]
        return Lasting(entries, self._mirror.vouched.rules.provisional_days)

    def _lasting(self) -> list[KeptEntry]:
        now_ms = self._clock.now().utc_ms
        return [kept for kept in self._kept.now.entries if 0 < kept.until_ms - now_ms <= LONGEST_MS]

    def forget(self) -> None:
        """Drop what has ended, once the clock knows; nothing is written where nothing has."""
        if self._clock.now().judged:
            self._kept.change(entries=tuple(self._lasting()))

    def clear(self) -> None:
        """This device is no longer a gate: it keeps nothing of anybody."""
        self._kept.change(entries=())

    def _find(self, dwelling: str) -> KeptEntry | None:
        folded = fold_dwelling(dwelling)
        return next((kept for kept in self._lasting() if fold_dwelling(kept.dwelling) == folded), None)

    def _rows(self, dwelling: str) -> Sequence[CredentialRow]:
        """The passes of a dwelling. What is a plate, a number or a short code is no dwelling."""
        folded = fold_dwelling(dwelling)
        found = self._mirror.look_up(dwelling, _MOST_PASSES)
        return [row for row in found if fold_dwelling(row.dwelling) == folded]

    def _keep(self, entry: KeptEntry) -> None:
        folded = fold_dwelling(entry.dwelling)
        others = [kept for kept in self._kept.now.entries if fold_dwelling(kept.dwelling) != folded]
        self._kept.change(entries=(*others, entry)[-_MOST_KEPT:])


def _as_dwelling(typed: str) -> str:
    """A dwelling as a guard typed it. Raises Refused for what can be none: a name has no digit, a dwelling has."""
    dwelling = "".join(sign for sign in unicodedata.normalize("NFKC", typed) if sign.isprintable()).strip()
    if is_name(dwelling) or not fold_dwelling(dwelling) or len(dwelling) > _LONGEST_DWELLING:
        raise Refused("no_dwelling")
    return dwelling
