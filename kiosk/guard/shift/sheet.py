"""The hand-over sheet as the guard's page prints it: finished sentences. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.guard import views
from kiosk.verbs import GateState, GuardAct
from sync import shift_words
from sync.shifts import MOST_LINES, SheetLine, ShiftSheet


@dataclass(frozen=True)
class Row:
    """One line: when, at which lane, what."""

    time: str
    lane: str
    text: str


@dataclass(frozen=True)
class Section:
    """A part of the sheet; ``hint`` says more of its rows, empty: nothing."""

    title: str
    rows: list[Row]
    hint: str = ""


@dataclass(frozen=True)
class SheetView:
    title: str
    when: str
    counts: list[tuple[str, int]]
    sections: list[Section]


def head(language: str, sheet: ShiftSheet, state: GateState) -> str:
    """From when until when, and who ended it."""
    begun = _time(sheet.begun_ms, state)
    if not sheet.ended_ms:
        return shift_words.say(language, "from_on", begun=begun)
    parts = [shift_words.say(language, "from_to", begun=begun, ended=_time(sheet.ended_ms, state))]
    if not sheet.ended_by:
        parts.append(shift_words.say(language, "ended_by_nobody"))
    elif sheet.ended_by != sheet.by:
        parts.append(shift_words.say(language, "ended_by", name=sheet.ended_by))
    return shift_words.say(language, "comma").join(parts)


def view(language: str, sheet: ShiftSheet, state: GateState) -> SheetView:
    """The whole sheet."""

    def rows(lines: list[SheetLine], texts: list[str]) -> list[Row]:
        return [
            Row(_time(line.at_ms, state), views.title_of(language, state, line.lane), text)
            for line, text in zip(lines, texts, strict=True)
        ]

    def section(key: str, lines: list[SheetLine], texts: list[str], *hints: str) -> Section:
        more = shift_words.say(language, "more", n=MOST_LINES) if len(lines) >= MOST_LINES else ""
        hint = shift_words.say(language, "comma").join(filter(None, [*hints, more]))
        return Section(shift_words.say(language, key), rows(lines, texts), hint)

    return SheetView(
        title=shift_words.say(language, "of", name=sheet.by),
        when=head(language, sheet, state),
        counts=shift_words.counts(language, sheet),
        sections=[
            section("notes", sheet.notes, [f"{line.reason} ({line.by})" for line in sheet.notes]),
            section(
                "overrides",
                sheet.overrides,
                [shift_words.override(language, line) for line in sheet.overrides],
                shift_words.say(language, "over_budget_n", n=sheet.over_budget) if sheet.over_budget else "",
                shift_words.say(language, "other_n", n=sheet.other) if sheet.other else "",
                shift_words.say(language, "unexplained_n", n=len(sheet.unexplained)) if sheet.unexplained else "",
            ),
            *(
                [section("annulled", sheet.annulled, [shift_words.override(language, line) for line in sheet.annulled])]
                if sheet.annulled
                else []
            ),
            section("faults", sheet.faults, [_fault(language, line, state) for line in sheet.faults]),
        ],
    )


def act(language: str, done: GuardAct, state: GateState) -> str:
    """What a guard did, at which lane, for whom, by whom."""
    what = "answer." + done.outcome if done.kind == "ruling" else "opened" if done.outcome == "grant" else "refused"
    at = views.local(done.at_ms, state).strftime("%H:%M:%S")
    lane = views.title_of(language, state, done.lane)
    parts = [at, shift_words.say(language, what), lane, done.dwelling, done.label, done.by]
    return " · ".join(filter(None, parts))


def _fault(language: str, line: SheetLine, state: GateState) -> str:
    said = shift_words.fault(language, line)
    if line.until_ms:
        return f"{said} · {shift_words.say(language, 'until', at=_time(line.until_ms, state))}"
    lasts = line.kind in ("camera_fault", "input_fault", "board_fault", "tamper", "fire")
    return f"{said} · {shift_words.say(language, 'goes_on')}" if lasts else said


def _time(ms: int, state: GateState) -> str:
    return views.local(ms, state).strftime("%m-%d %H:%M")
