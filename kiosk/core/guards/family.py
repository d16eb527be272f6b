"""A family behind one code: the guard counts how many of that household follow, and each is let in for itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from kiosk.channel import Refused
from kiosk.core.book import Book
from kiosk.core.clock import Clock
from kiosk.core.gate import Gate
from kiosk.core.judge import Whose
from kiosk.core.lanes.lane_run import LaneRun
from kiosk.core.mirror import Mirror
from kiosk.core.policy import entrances, stage_in_force
from kiosk.verbs import LiveLine

MOST_FOLLOWERS = 6
FOLLOWS_S = 60.0
"""So long after a code was shown its family may follow."""


class FamilyThrough:
    """On the core's loop only. ``monotonic`` is the clock of the lanes, in seconds."""

    def __init__(self, gate: Gate, book: Book, mirror: Mirror, clock: Clock, monotonic: Callable[[], float]):
        self._gate = gate
        self._book = book
        self._mirror = mirror
        self._clock = clock
        self._monotonic = monotonic

    def follow(self, lane: str, number: int, count: int, by: str) -> LiveLine:
        """Let so many of the household in behind the one whose line has that number, one after another.

        Each has an event, a passage and a use for the household's quota, and nobody's passback is touched. Raises
        Refused: ``how_many``; ``not_let_in`` where that one was not, or is of another lane or too long ago;
        ``no_household`` where the pass is none of a household; ``family_quota`` where the household may not come so
        often today.
        """
        run = self._gate.run(lane)
        if not 1 <= count <= MOST_FOLLOWERS:
            raise Refused("how_many")
        shown = run.repeats.of(number)
        if shown is None or shown.shown.outcome != "grant" or self._monotonic() - shown.at > FOLLOWS_S:
            raise Refused("not_let_in")
        household = shown.whose.household
        if not household:
            raise Refused("no_household")
        if not self._quota_allows(run, household, count):
            raise Refused("family_quota")
        direction = run.section.direction
        recorded = [
            self._book.record("family", lane=lane, direction=direction, outcome="grant", about=shown.event, by=by)
            for _ in range(count)
        ]
        line = self._book.announce(
            "family", lane=lane, outcome="grant", about=number, by=by, repeats=count, event=recorded[0][0].id
        )
        for event, saved in recorded:
            self._gate.open_in_turn(run, event, line.number, saved, Whose(_nobody_else(event.id), household))
        return line

    def _quota_allows(self, run: LaneRun, household: int, count: int) -> bool:
        """Whether so many more may come today. It is judged where a code's quota is: at entries, by a clock that knows
        the day, and not while the compound introduces its passes."""
        rules, now = self._mirror.vouched.rules, self._clock.now()
        counted = entrances(rules)
        quota = rules.quota_household_day
        if quota is None or not now.judged or run.section.direction not in counted:
            return True
        if stage_in_force(rules, now) == "introduce":
            return True
        _, today = self._gate.uses.today(0, household, now.midnight_ms, counted)
        return today + self._gate.on_their_way(household) + count <= quota


def _nobody_else(event: str) -> int:
    """A number of this one follower's own, above every pass's and credential's: nobody knows who it was."""
    return 1 << 57 | int.from_bytes(hashlib.blake2b(event.encode(), digest_size=7).digest(), "big")
