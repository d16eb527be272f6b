"""Whether a lane's inputs can be believed: one that sticks, chatters, or never sees anybody is a fault of the lane."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from sync.terms import InputFault, PassageOutcome

STUCK_S: Mapping[str, float] = {"passage": 60.0, "guard_button": 30.0, "exit_button": 30.0, "call": 120.0}
"""Seconds after which an active input is no longer plausible. Fire and tamper may last."""
_STUCK: dict[str, InputFault] = {
    "passage": "passage_stuck", "guard_button": "button_stuck", "exit_button": "button_stuck", "call": "call_stuck",
}  # fmt: skip
CHATTER_CHANGES = 20
CHATTER_S = 10.0
"""An input that changes so often within this time is a loose wire, until it was quiet for as long."""
BLIND_OPENINGS = 20
"""Openings in a row that nobody is seen to use: the sensor is unplugged or out of line."""


class InputWatch:
    """The inputs of one lane. Pure: levels and outcomes go in with a time that never goes back, in seconds.

    ``missing`` are wired and could not be had: their pins are taken.
    """

    def __init__(self, missing: Collection[str] = ()) -> None:
        self._missing = missing
        self._active: dict[str, float] = {}
        self._changes: dict[str, deque[float]] = {}
        self._chatters: set[str] = set()
        self._unused = 0

    def changed(self, name: str, level: bool, now: float) -> None:
        """Take note of a level."""
        changes = self._changes.setdefault(name, deque(maxlen=CHATTER_CHANGES))
        changes.append(now)
        if len(changes) == CHATTER_CHANGES and now - changes[0] <= CHATTER_S:
            self._chatters.add(name)
        if not level:
            self._active.pop(name, None)
        else:
            self._active.setdefault(name, now)
            if name == "passage":
                self._unused = 0

    def settled(self, outcome: PassageOutcome) -> None:
        """Take note of how an opening ended."""
        self._unused = self._unused + 1 if outcome == "not_passed" else self._unused

    def chatters(self, name: str, now: float) -> bool:
        """Whether an input changes too often to mean anything."""
        if name in self._chatters and now - self._changes[name][-1] > CHATTER_S:
            self._chatters.discard(name)
            self._changes[name].clear()
        return name in self._chatters

    def faults(self, now: float) -> frozenset[InputFault]:
        """What is wrong with the inputs now."""
        found: set[InputFault] = {
            _STUCK[name] for name, since in self._active.items() if now - since >= STUCK_S.get(name, float("inf"))
        }
        if self._unused >= BLIND_OPENINGS:
            found.add("passage_blind")
        if any(self.chatters(name, now) for name in tuple(self._chatters)):
            found.add("input_chatters")
        if self._missing:
            found.add("input_taken")
        return frozenset(found)

    def passage_doubted(self, now: float) -> bool:
        """Whether the passage input says nothing about who passed."""
        stuck_or_blind = {"passage_stuck", "passage_blind"} & self.faults(now)
        return "passage" in self._missing or bool(stuck_or_blind) or self.chatters("passage", now)
