"""From when, until when and at which hours a pass is good, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

import msgspec

from kiosk.guard import words
from kiosk.guard.words import say
from kiosk.verbs import Limits
from sync.protocol import Window

UNBROKEN = "\u2060"
"""No line ends here: of two hours nobody should read one alone."""
_WEEK = tuple(range(1, 8))


def for_guard(language: str, reason: str, limits: Limits, now: datetime) -> str:
    """The guard's sentence of a reason with the time it goes by; empty where there is none. ``now`` is the compound's
    wall clock."""
    when = _when(language, reason, limits, now)
    return say(language, words.GUARD_LIMITS[reason], when=when) if when else ""


def for_lane(language: str, reason: str, limits: Limits, now: datetime) -> str:
    """As :func:`for_guard`, for the lane's one short line: of the hours only today's."""
    today = tuple(Window(w.from_minute, w.to_minute) for w in limits.hours if now.isoweekday() in w.days)
    when = _when(language, reason, msgspec.structs.replace(limits, hours=today), now)
    return say(language, words.PUBLIC_LIMITS[reason], when=when) if when else ""


def ended(language: str, limits: Limits, now: datetime) -> str:
    """The day on which a pass ended; empty where the gate did not say."""
    return _when(language, "expired", limits, now)


def _when(language: str, reason: str, limits: Limits, now: datetime) -> str:
    if reason == "not_yet_valid" and limits.from_ms:
        return _moment(language, limits.from_ms, now, ends=False)
    if reason == "expired" and limits.until_ms:
        return _moment(language, limits.until_ms, now, ends=True)
    if reason == "outside_hours" and limits.hours:
        return hours(language, limits.hours)
    return ""


def hours(language: str, windows: Sequence[Window]) -> str:
    """Windows one after the other, each with its days."""
    return say(language, words.LIMITS["comma"]).join(_window(language, window) for window in windows)


def _moment(language: str, ms: int, now: datetime, ends: bool) -> str:
    """A day, with its time where it does not begin or end there, and its year where that is another."""
    zone: tzinfo | None = now.tzinfo
    at = datetime.fromtimestamp(ms / 1000, zone)
    whole_day = (at.hour, at.minute) == (0, 0)
    day = datetime.fromtimestamp((ms - 1) / 1000, zone) if ends and whole_day else at
    key = ("day" if whole_day else "time") + ("" if day.year == now.year else "_year")
    month = words.MONTHS[day.month - 1]
    return say(language, words.LIMITS[key], year=day.year, month=say(language, month), day=day.day, at=f"{at:%H:%M}")


def _window(language: str, window: Window) -> str:
    hours = f"{_clock(window.from_minute)}{UNBROKEN}–{UNBROKEN}{_clock(window.to_minute)}"
    if tuple(sorted(window.days)) == _WEEK:
        return hours
    names = say(language, words.LIMITS["day_comma"]).join(say(language, words.DAYS[day - 1]) for day in window.days)
    return f"{names} {hours}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
