"""The hand-over sheet of a guard's shift, made of a gate's events alone. Pure.

Gate and centre make it by this one module, of the same events: what the post prints is what the office reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from sync.protocol import Event

LONGEST_SHIFT_S = 16 * 3600
"""A shift that nobody ended is over after this: its guard has gone home."""
NOTE_CHARACTERS, NOTES = 300, 10
"""What a guard may write down for the next one: so long a note, and so many in a shift."""
MOST_LINES = 200
"""Of each kind that a sheet names one by one. The counts go on beyond."""
_FAULTS = ("camera_fault", "input_fault", "board_fault", "tamper", "fire")
_ENDS_AT_BOOT = ("camera_fault", "input_fault", "tamper", "fire")
_MOMENTS = ("reader_restarted", "journal_set_aside", "events_lost", "boot", "lockdown", "hold")


class SheetLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One thing that a sheet names: an act, a fault, a note. ``until_ms`` 0: it goes on, or had no length."""

    kind: str
    at_ms: int
    event: str = ""
    lane: str = ""
    outcome: str = ""
    reason: str = ""
    by: str = ""
    dwelling: str = ""
    until_ms: int = 0
    count: int = 0
    over_budget: bool = False


class ShiftSheet(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One shift at one gate, whoever acted in it. ``shift`` is the id of the event that began it.

    ``decisions``, ``answers`` (to yellows; ``unanswered`` among them) and ``passages`` are counted by outcome.
    ``lost``: events the gate could not keep.
    """

    shift: str
    by: str
    begun_ms: int
    ended_ms: int = 0
    ended_by: str = ""
    decisions: dict[str, int] = {}
    answers: dict[str, int] = {}
    passages: dict[str, int] = {}
    opened: int = 0
    refused: int = 0
    """Overrides that opened, and that refused."""
    over_budget: int = 0
    buttons: int = 0
    unasked: int = 0
    calls: int = 0
    lost: int = 0
    other: int = 0
    """Overrides whose guard found no reason of the list that fits."""
    overrides: list[SheetLine] = []
    unexplained: list[SheetLine] = []
    """Overrides without a reason."""
    faults: list[SheetLine] = []
    notes: list[SheetLine] = []
    annulled: list[SheetLine] = []
    """Acts pressed by mistake; they are in no count and no other list."""


def sheets(events: Iterable[Event]) -> list[ShiftSheet]:
    """The shifts that began in these events, oldest first: who, when, until when; without counts and lines."""
    found: dict[str, ShiftSheet] = {}
    for event in events:
        if event.kind == "shift" and event.outcome == "on":
            found[event.id] = ShiftSheet(shift=event.id, by=event.by, begun_ms=event.at_ms)
        elif event.kind == "shift" and event.about in found:
            found[event.about].ended_ms, found[event.about].ended_by = event.at_ms, event.by
    return list(found.values())


def sheet(events: Iterable[Event]) -> ShiftSheet | None:
    """The sheet of the shift that the first event began, of that event and those after it; None: it began none. What
    comes after the shift's end counts as far as it belongs to an act before it: a reason given later, a passage."""
    told = iter(events)
    first = next(told, None)
    if first is None or (first.kind, first.outcome) != ("shift", "on"):
        return None
    return _Writer(first).write(told)


class _Writer:
    def __init__(self, first: Event):
        self._sheet = ShiftSheet(shift=first.id, by=first.by, begun_ms=first.at_ms)
        self._decisions: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()
        self._passages: Counter[str] = Counter()
        self._acts: dict[str, SheetLine] = {}
        """Rulings and overrides by their event."""
        self._passed: dict[str, str] = {}
        """How a passage ended, by the act that opened for it."""
        self._annulled: set[str] = set()
        self._standing: dict[tuple[str, str, str], SheetLine] = {}

    def write(self, events: Iterable[Event]) -> ShiftSheet:
        for event in events:
            self._take(event)
        sheet = self._sheet
        acts = self._acts.values()
        overrides = [act for act in acts if act.kind == "override"]
        counted = (self._decisions, self._answers, self._passages)
        sheet.decisions, sheet.answers, sheet.passages = (dict(+each) for each in counted)
        sheet.opened = sum(act.outcome == "grant" for act in overrides)
        sheet.refused = sum(act.outcome == "deny" for act in overrides)
        sheet.over_budget = sum(act.over_budget for act in overrides)
        sheet.other = sum(act.reason.partition(":")[0] == "other" for act in overrides)
        sheet.overrides = overrides[-MOST_LINES:]
        sheet.unexplained = [act for act in acts if act.kind == "override" and not act.reason][-MOST_LINES:]
        return sheet

    def _take(self, event: Event) -> None:
        if event.kind == "explained" and event.about in self._acts:
            self._acts[event.about].reason = event.why
            self._acts[event.about].dwelling = event.dwelling
        if event.kind == "annulled":
            self._annul(event)
        if self._sheet.ended_ms:
            return
        if event.kind == "shift" and event.about == self._sheet.shift:
            self._sheet.ended_ms, self._sheet.ended_by = event.at_ms, event.by
        elif event.kind == "decided":
            self._decisions[event.outcome] += 1
        elif event.kind == "passage":
            self._pass(event)
        elif event.kind == "ruled":
            self._rule(event)
        elif event.kind == "override":
            over = event.reason == "over_budget"
            self._acts[event.id] = self._line(event, reason=event.why, over_budget=over)
        else:
            self._take_rest(event)

    def _rule(self, event: Event) -> None:
        if event.by:
            self._acts[event.id] = self._line(event, reason=event.reason)
        self._answers[event.outcome if event.by else "unanswered"] += 1

    def _pass(self, event: Event) -> None:
        if event.about not in self._annulled:
            self._passages[event.outcome] += 1
            self._passed[event.about] = event.outcome

    def _annul(self, event: Event) -> None:
        """As if the act had not been."""
        act = self._acts.pop(event.about, None)
        if act is None:
            return
        self._annulled.add(event.about)
        if act.kind == "ruled":
            self._answers[act.outcome] -= 1
        if event.about in self._passed:
            self._passages[self._passed.pop(event.about)] -= 1
        self._sheet.annulled.append(act)

    def _take_rest(self, event: Event) -> None:
        """What is neither a decision nor an answer to one."""
        sheet = self._sheet
        sheet.buttons += event.kind == "opened"
        sheet.unasked += event.count if event.kind == "unasked" and event.reason != "left_open" else 0
        sheet.calls += event.kind == "call" and event.outcome == "on"
        sheet.lost += event.count if event.kind == "events_lost" else 0
        if event.kind == "note":
            sheet.notes.append(self._line(event, reason=event.why))
            del sheet.notes[:-MOST_LINES]
        elif event.kind in _FAULTS:
            self._take_fault(event)
        elif event.kind in _MOMENTS:
            self._end_at_boot(event)
            self._put_fault(self._line(event, reason=event.why, count=event.count))

    def _take_fault(self, event: Event) -> None:
        """One line from its beginning to its end."""
        key = event.kind, event.lane, event.why
        if event.outcome == "off":
            ended = self._standing.pop(key, None)
            if ended is not None:
                ended.until_ms = event.at_ms
            return
        if key not in self._standing:
            self._standing[key] = self._line(event, reason=event.why)
            self._put_fault(self._standing[key])

    def _end_at_boot(self, event: Event) -> None:
        """A start ends faults of cameras and inputs; what is still wrong begins anew."""
        for key in [key for key in self._standing if event.kind == "boot" and key[0] in _ENDS_AT_BOOT]:
            self._standing.pop(key).until_ms = event.at_ms

    def _put_fault(self, line: SheetLine) -> None:
        self._sheet.faults.append(line)
        del self._sheet.faults[:-MOST_LINES]

    def _line(self, event: Event, **fields: object) -> SheetLine:
        usual = {"kind": event.kind, "at_ms": event.at_ms, "event": event.id, "lane": event.lane,
                 "outcome": event.outcome, "by": event.by}  # fmt: skip
        return msgspec.convert(usual | fields, SheetLine)
