"""Where the desk is, and until when somebody is there today, in words for the lane's screen. Pure."""

from __future__ import annotations

from datetime import datetime

from kiosk.guard import words
from kiosk.guard.limits import UNBROKEN
from kiosk.guard.words import Pair, say
from kiosk.verbs import GateState
from sync.protocol import Window


def line(reason: str, state: GateState, ended: Pair, now: datetime | None) -> Pair | None:
    """The lane's second line of a reason that is settled at the desk, with the desk; None where it is not, or the
    compound has not said where its desk is. ``ended`` is the day of an expired pass, empty where nobody says it;
    ``now`` the compound's wall clock, None while nobody knows it."""
    if reason not in words.DESK or not state.desk_zh:
        return None
    sentence = words.DESK["ended" if reason == "expired" and ended[0] else reason]
    zh, en = (hours(language, state.desk_hours, now) for language in ("zh", "en"))
    return (
        sentence[0].format(desk=state.desk_zh, hours=zh, when=ended[0]),
        sentence[1].format(desk=state.desk_en, hours=en, when=ended[1]),
    )


def hours(language: str, windows: tuple[Window, ...], now: datetime | None) -> str:
    """Until when somebody is there, or from when next. Empty where nobody says so."""
    if now is None or not windows:
        return ""
    minute, today = now.hour * 60 + now.minute, _on(windows, now.isoweekday())
    for window in today:
        if window.from_minute <= minute < window.to_minute:
            return say(language, words.DESK_HOURS["until"], at=_clock(window.to_minute))
        if minute < window.from_minute:
            span = f"{_clock(window.from_minute)}{UNBROKEN}–{UNBROKEN}{_clock(window.to_minute)}"
            return say(language, words.DESK_HOURS["today"], span=span)
    for ahead in range(1, 8):
        day = (now.isoweekday() + ahead - 1) % 7 + 1
        if found := _on(windows, day):
            at, name = _clock(found[0].from_minute), say(language, words.DAYS[day - 1])
            return say(language, words.DESK_HOURS["tomorrow" if ahead == 1 else "day"], at=at, day=name)
    return ""


def _on(windows: tuple[Window, ...], day: int) -> list[Window]:
    return sorted((window for window in windows if day in window.days), key=lambda window: window.from_minute)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
