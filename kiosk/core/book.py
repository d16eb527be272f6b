"""What happens at the gate is put down twice: as an event of the journal, and as a line of the live list."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kiosk.core.clock import Clock
from kiosk.core.journal import Journal, Saved, UseRow, new_event_id
from kiosk.verbs import LiveLine
from sync.protocol import Event
from sync.terms import EventKind, LiveKind

_LINES_KEPT = 500


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
