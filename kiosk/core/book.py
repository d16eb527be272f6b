"""What happens at the gate is put down twice: as an event of the journal, and as a line of the live list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from kiosk.core.clock import Clock
from kiosk.core.journal import Journal, Saved, UseRow, new_event_id
from kiosk.verbs import Happened, LiveLine, Presented
from sync.protocol import Event
from sync.terms import GATE_REASONS, REASONS, UNASKED_REASONS, EventKind, LiveKind

_LINES_KEPT = 500
_COUNTED = ("decided", "ruled", "override", "passage", "opened", "unasked")
_CLOSED = frozenset({*REASONS, *GATE_REASONS, *UNASKED_REASONS})


class Tally:
    """How often what happened at the gate, since the core began, for those who count. By words of closed lists only:
    neither a name nor a guard's own words can come into it. Belongs to the core's loop."""

    def __init__(self) -> None:
        self._happened: Counter[tuple[str, str, str, str]] = Counter()
        self._presented: Counter[tuple[str, str]] = Counter()

    def event(self, event: Event) -> None:
        if event.kind in _COUNTED:
            reason = event.reason if event.reason in _CLOSED else ""
            self._happened[event.kind, event.lane, event.outcome, reason] += max(1, event.count)

    def presentation(self, lane: str, source: str) -> None:
        self._presented[lane, source] += 1

    def happened(self) -> list[Happened]:
        return [Happened(*what, times) for what, times in self._happened.items()]

    def presented(self) -> list[Presented]:
        return [Presented(*what, times) for what, times in self._presented.items()]


class Book:
    """Journal and live list of one gate. Belongs to the core's loop; ``tell`` receives each line of the live list."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        tell: Callable[[LiveLine], None],
        new_id: Callable[[], str] = new_event_id,
    ):
        self._journal = journal
        self._clock = clock
        self.tally = Tally()
        self._tell = tell
        self._new_id = new_id
        self._lines: dict[int, LiveLine] = {}
        self._number = 0

    def record(
        self,
        kind: EventKind,
        use: UseRow | None = None,
        step: tuple[int, int] | None = None,
        urgent: bool = True,
        annuls: UseRow | None = None,
        **fields: object,
    ) -> tuple[Event, Saved]:
        """Put an event in the journal, with the use it counts or annuls, or the digits' step that goes with it."""
        now = self._clock.now()
        event = msgspec.convert(
            {"id": self._new_id(), "kind": kind, "at_ms": now.utc_ms, "clock": now.state, **fields}, Event
        )
        self.tally.event(event)
        return event, self._journal.append(event, use, step, urgent, annuls)

    def announce(self, kind: LiveKind, **fields: object) -> LiveLine:
        """Tell the guards' pages."""
        self._number += 1
        at_ms = self._clock.now().utc_ms
        line = msgspec.convert({"number": self._number, "kind": kind, "at_ms": at_ms, **fields}, LiveLine)
        self._lines[self._number] = line
        self._lines.pop(self._number - _LINES_KEPT, None)
        self._tell(line)
        return line

    def line(self, number: int) -> LiveLine | None:
        """A line of late by its number."""
        return self._lines.get(number)

    def line_of(self, event: str) -> LiveLine | None:
        """The line of late that tells of an event."""
        return next((line for line in reversed(self._lines.values()) if line.event == event), None)

    def first_of(self, number: int) -> int:
        """The line that a line is about, in the end: of a ruling on somebody, that somebody's."""
        line = self._lines.get(number)
        while line is not None and line.about:
            number, line = line.about, self._lines.get(line.about)
        return number
