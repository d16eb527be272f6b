"""What a guard may take back: acts of the shift that is on, pressed by mistake."""

from __future__ import annotations

import logging
import sqlite3

from kiosk.channel import Refused
from kiosk.core.clock import Clock
from kiosk.core.journal import Journal
from kiosk.core.mirror import Mirror
from kiosk.verbs import GuardAct, OnDuty, Session
from sync.protocol import Event

LISTED = 20
_DAY_MS = 24 * 3_600_000

log = logging.getLogger("post")


class Correctable:
    """Acts that may be annulled: one's own within one's shift; a supervisor's, anybody's within a day."""

    def __init__(self, journal: Journal, mirror: Mirror, clock: Clock):
        self._journal = journal
        self._mirror = mirror
        self._clock = clock

    def read(self, who: Session, on: list[OnDuty]) -> dict[str, Event]:
        """The events in which such acts stand, by id, oldest first; from any thread.

        Raises Refused: ``not_on_duty``, or ``records_unread`` (asking again is safe)."""
        mine = next((duty.shift for duty in on if duty.name == who.name), None)
        try:
            if who.role == "supervisor":
                found = self._journal.of_day(self._clock.now().utc_ms - _DAY_MS)
            elif mine is None:
                raise Refused("not_on_duty")
            else:
                found = self._journal.of_shift(mine)
        except sqlite3.Error as err:
            log.error("acts=unread why=%r", str(err))
            raise Refused("records_unread") from err
        return {event.id: event for event in found}

    def act(self, who: Session, events: dict[str, Event], act: str) -> Event:
        """Raises Refused: ``not_your_act``, ``annulled_before``."""
        found = events.get(act)
        if found is None or not _may(who, found):
            raise Refused("not_your_act")
        if act in _annulled(events):
            raise Refused("annulled_before")
        return found

    def tell(self, who: Session, events: dict[str, Event]) -> list[GuardAct]:
        """The latest acts, newest first, with whom they were for. On the loop, which the list belongs to."""
        acts = [event for event in reversed(events.values()) if _may(who, event)][:LISTED]
        annulled = _annulled(events)
        return [self._told(act, events, act.id in annulled) for act in acts]

    def _told(self, act: Event, events: dict[str, Event], annulled: bool) -> GuardAct:
        about = act
        while not about.scope and about.about in events:
            about = events[about.about]
        row = self._mirror.find(about.scope, about.serial).row if about.scope else None
        return GuardAct(
            event=act.id,
            at_ms=act.at_ms,
            lane=act.lane,
            kind="ruling" if act.kind == "ruled" else act.kind,
            outcome=act.outcome,
            by=act.by,
            label=row.label if row else "",
            dwelling=row.dwelling if row else "",
            annulled=annulled,
        )


def _may(who: Session, act: Event) -> bool:
    done = act.kind in ("ruled", "override") and bool(act.by)
    return done and (act.by == who.name or who.role == "supervisor")


def _annulled(events: dict[str, Event]) -> set[str]:
    return {event.about for event in events.values() if event.kind == "annulled"}
