"""Presentations of late at a lane, and which of them a new one repeats."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from kiosk.core.judge import Whose
from kiosk.verbs import Limits, PresentationAnswer

REPEAT_S = 10.0
_MOST_RECENT = 20
"""Presentations at a lane that are remembered: more than come in REPEAT_S."""


class Presented(msgspec.Struct):
    """A presentation that was answered: what a repeat is a repeat of."""

    credential: int | None
    whose: Whose
    text_mark: bytes
    at: float
    event: str
    shown: PresentationAnswer
    public: tuple[str, str]
    """Outcome and reason as the lane shows them."""
    limits: Limits
    repeats: int = 0
    by_guard: bool = False
    """A guard's answer stands in place of the gate's."""


class Repeats:
    """The presentations of one lane that may still be repeated."""

    def __init__(self) -> None:
        self._recent: deque[Presented] = deque(maxlen=_MOST_RECENT)

    def remember(self, presented: Presented) -> None:
        self._recent.append(presented)

    def find(
        self, credential: int | None, mark: bytes, now: float, is_open: Callable[[Presented], bool]
    ) -> Presented | None:
        """What is being repeated: the same text, or a granted credential, within REPEAT_S or as long as it ``is_open``.

        What was shown in between makes no difference: two cards in one hand are read in turns.
        """
        for last in reversed(self._recent):
            granted_before = last.shown.outcome == "grant" and credential is not None and credential == last.credential
            if (now - last.at < REPEAT_S or is_open(last)) and (mark == last.text_mark or granted_before):
                return last
        return None

    def forget(self, event: str) -> None:
        """What the event answered came to nothing: the next showing is a new one."""
        for last in [last for last in self._recent if last.event == event]:
            self._recent.remove(last)

    def answered(self, number: int, event: str, outcome: str, public: tuple[str, str]) -> None:
        """A guard answered: from now on that pass repeats what the guard said, not what the gate had said."""
        for last in self._recent:
            if last.shown.happening == number:
                last.event, last.shown = event, msgspec.structs.replace(last.shown, outcome=outcome)
                last.public, last.by_guard = public, True

    def of(self, number: int) -> Presented | None:
        """The presentation with that number of the live list, if it was of late."""
        return next((last for last in self._recent if last.shown.happening == number), None)

    def count(self, event: str) -> int:
        """How often what the event answered was presented again."""
        return sum(last.repeats for last in self._recent if last.event == event)

    def newer_than(self, number: int) -> bool:
        """Whether the lane's latest presentation is another than that number of the live list."""
        return bool(self._recent) and self._recent[-1].shown.happening != number
