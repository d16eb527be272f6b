"""Who is on duty at the gate: shifts begin and end by name, and hand over with notes and a sheet."""

from __future__ import annotations

import logging
import sqlite3

from kiosk.channel import Refused
from kiosk.core.book import Book
from kiosk.core.clock import Clock
from kiosk.core.journal import Journal, Saved
from kiosk.core.kept import Kept, KeptShift, Memory
from kiosk.verbs import OnDuty, Session
from sync.shifts import LONGEST_SHIFT_S, NOTE_CHARACTERS, NOTES, ShiftSheet

LATEST = 12
MOST_ON = 16
"""Shifts that are on at a time; the oldest gives way."""

log = logging.getLogger("post")


class DutyRoster:
    """The shifts of one gate. What changes one runs on the core's loop, and says when it can be read back; reading runs
    anywhere."""

    def __init__(self, book: Book, journal: Journal, clock: Clock, kept: Kept[Memory]):
        self._book = book
        self._journal = journal
        self._clock = clock
        self._kept = kept
        self._notes: dict[str, int] = {}

    def on(self) -> list[OnDuty]:
        """Who is on duty; a shift of longer than 16 hours is ended first, by nobody."""
        for shift in self._kept.now.shifts:
            if self._is_over(shift):
                self._end(shift, "")
        return [OnDuty(shift.event, shift.name, shift.begun_ms) for shift in self._kept.now.shifts]

    def _is_over(self, shift: KeptShift) -> bool:
        """A time that was not known when it began says nothing of how long it lasts."""
        now = self._clock.now()
        untold = "untrusted" in (shift.clock, now.state)
        return not untold and now.utc_ms - shift.begun_ms > LONGEST_SHIFT_S * 1000

    def begin(self, name: str) -> Saved | None:
        """Idempotent while it is on."""
        if any(shift.name == name for shift in self.on()):
            return None
        for oldest in self._kept.now.shifts[: -MOST_ON + 1]:
            self._end(oldest, "")
        event, saved = self._book.record("shift", outcome="on", by=name)
        self._kept.change(shifts=(*self._kept.now.shifts, KeptShift(event.id, name, event.at_ms, event.clock)))
        return saved

    def end(self, by: Session, shift: str) -> Saved | None:
        """End one's own shift; a supervisor ends anybody's. One that is over stays as it ended.

        Raises Refused ``not_allowed``, or ``not_on_duty`` where a guard has none."""
        self.on()
        mine = [held for held in self._kept.now.shifts if shift == held.event or (not shift and held.name == by.name)]
        if not mine and not shift:
            raise Refused("not_on_duty")
        saved = None
        for held in mine:
            if held.name != by.name and by.role != "supervisor":
                raise Refused("not_allowed")
            saved = self._end(held, by.name)
        return saved

    def _end(self, shift: KeptShift, by: str) -> Saved:
        _, saved = self._book.record("shift", outcome="off", about=shift.event, by=by)
        self._kept.change(shifts=tuple(held for held in self._kept.now.shifts if held != shift))
        self._notes.pop(shift.event, None)
        return saved

    def note(self, name: str, text: str) -> Saved:
        """Raises Refused: ``not_on_duty``, ``note_empty``, ``note_long``, ``notes_full``."""
        mine = next((held.shift for held in self.on() if held.name == name), None)
        text = " ".join(text.split())
        if mine is None:
            raise Refused("not_on_duty")
        if not text:
            raise Refused("note_empty")
        if len(text) > NOTE_CHARACTERS:
            raise Refused("note_long")
        if self._notes.get(mine, 0) >= NOTES:
            raise Refused("notes_full")
        self._notes[mine] = self._notes.get(mine, 0) + 1
        return self._book.record("note", by=name, about=mine, why=text)[1]

    def latest(self) -> list[ShiftSheet]:
        """The latest shifts, newest first. Raises sqlite3.Error; from any thread."""
        return self._journal.shifts(LATEST)

    def sheet(self, shift: str) -> ShiftSheet:
        """Raises Refused: ``no_such_shift``, or ``records_unread`` (asking again is safe); from any thread."""
        try:
            found = self._journal.sheet(shift)
        except sqlite3.Error as err:
            log.error("sheet=unread why=%r", str(err))
            raise Refused("records_unread") from err
        if found is None:
            raise Refused("no_such_shift")
        return found
