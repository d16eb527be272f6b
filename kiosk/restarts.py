"""How often the reader began anew without being asked to, and what had ended it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from kiosk.verbs import Ending

IN_ORDER = ("asked", "camera")
"""Ends that are no failure of the reader. A camera that is not there has a fault of its own, which stays."""

HOUR_S = 3600.0
TOLD_S = 600.0
"""How long a guard is told of one restart; several are told for the whole hour."""
SEVERAL = 3
KEPT = 200
SOONEST_S = 0.5
"""A process takes longer than that to start. What claims to be a newer one sooner is not believed, and fills no log."""


class Restart(NamedTuple):
    """``at`` is monotonic, ``at_ms`` the gate's clock. ``why`` is frame, photo, or "" where it could not say; ``lane``
    is where the frame was seen."""

    at: float
    at_ms: int
    why: str = ""
    lane: str = ""


class Restarts:
    """Fed with each run the reader names and each last word it gets out; thread-safe to read."""

    def __init__(self) -> None:
        self._run = ""
        self._ending: Ending | None = None
        self._known: tuple[Restart, ...] = ()
        self.count = 0
        """All of them so far."""

    def ending(self, said: Ending) -> None:
        self._ending = said

    def heard(self, run: str, now: float, now_ms: int) -> Restart | None:
        """The restart that this run is, if it is one: not the first run heard of, and not after one that ended in
        order."""
        before, self._run = self._run, run or self._run
        if not before or self._run == before or (self._known and now - self._known[-1].at < SOONEST_S):
            return None
        said = self._ending if self._ending and self._ending.run == before else None
        if said and said.why in IN_ORDER:
            return None
        restart = Restart(now, now_ms, said.why if said else "", said.lane if said else "")
        self._known = (*self._known[-KEPT:], restart)
        self.count += 1
        return restart

    def last_hour(self, now: float) -> tuple[Restart, ...]:
        return tuple(restart for restart in self._known if now - restart.at < HOUR_S)

    def worth_telling(self, now: float) -> bool:
        """Whether a guard should be told."""
        recent = self.last_hour(now)
        return len(recent) >= SEVERAL or bool(recent and now - recent[-1].at < TOLD_S)
