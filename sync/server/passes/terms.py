"""A pass's own terms as people write and read them: hours, entries, one day. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sync.protocol import MOST_ENTRIES, ProtocolError, Terms, Window, read_terms
from sync.server.centre.errors import CentreError
from sync.server.words import Language, say

MOST_WINDOWS = 14
_WEEK = tuple(range(1, 8))
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(?:([\w,]+)\s+)?([0-9]{1,2}):([0-5][0-9])-([0-9]{1,2}):([0-5][0-9])")


def check_terms(terms: Terms) -> None:
    """Raises CentreError for terms that gates could not read, or that would never let anybody in."""
    if not 0 <= terms.entries <= MOST_ENTRIES:
        raise CentreError(f"次数请填1至{MOST_ENTRIES}，不限就空着。", f"Entries are from 1 to {MOST_ENTRIES}.")
    if len(terms.hours) > MOST_WINDOWS:
        raise CentreError(f"一张证最多{MOST_WINDOWS}个时段。", f"A pass has at most {MOST_WINDOWS} hours of its own.")
    if not all(window.can_be and window.days for window in terms.hours):
        raise CentreError("时段的开始和结束不能相同，请至少选一天。", "Hours begin and end, on at least one day.")


def read_own(text: str) -> Terms:
    """The terms that a row says; none where a newer centre wrote some that this one does not know."""
    try:
        return read_terms(text)
    except ProtocolError:
        return Terms()


def read_window(words: str) -> Window:
    """``mon,thu 08:00-12:00``, or ``08:00-12:00`` for every day. Raises CentreError."""
    found = _WINDOW.fullmatch(words.strip().lower())
    days = _read_days(found[1]) if found else None
    if found is None or days is None:
        raise CentreError(en=f"{words!r} are no hours. Write them like mon,thu 08:00-12:00 or 08:00-12:00.")
    begins, ends = int(found[2]) * 60 + int(found[3]), int(found[4]) * 60 + int(found[5])
    return Window(begins, ends, days)


def _read_days(words: str | None) -> tuple[int, ...] | None:
    names = words.split(",") if words else _DAYS
    known = [_DAYS.index(name) + 1 for name in names if name in _DAYS]
    return tuple(sorted(set(known))) if len(known) == len(names) else None


def tell_terms(language: Language, terms: Terms) -> list[str]:
    """What holds for this pass alone, a line each; none where it is as good as any other."""
    lines = [tell_window(language, window) for window in terms.hours]
    lines += [say(language, "terms_entries").format(n=terms.entries)] if terms.entries == 1 else []
    lines += [say(language, "terms_entries_many").format(n=terms.entries)] if terms.entries > 1 else []
    return [*lines, say(language, "terms_one_day")] if terms.one_day else lines


def tell_window(language: Language, window: Window) -> str:
    """``Mo Th 08:00–12:00``; of every day the hours alone."""
    hours = f"{_clock(window.from_minute)}–{_clock(window.to_minute)}"
    return hours if sorted(window.days) == list(_WEEK) else f"{_days(language, window.days)} {hours}"


def _days(language: Language, days: Sequence[int]) -> str:
    names = (say(language, f"day.{day}") for day in days)
    return " ".join(names) if language == "en" else "周" + "、".join(names)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
