"""The commitment letter in its versions, the times to choose from, and the path of a household's page."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import count, takewhile
from zoneinfo import ZoneInfo

import msgspec

from sync.server import words
from sync.server.people.households.slots import CollectionDesk, Slot

MINUTE_MS = 60_000
_SUGGESTED = 24
_MOST_DIGITS = 9


class Time(msgspec.Struct, frozen=True, kw_only=True):
    """A quarter of an hour; ``value`` is what the form sends."""

    value: str
    label: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A desk's times of one day."""

    desk: CollectionDesk
    times: list[Time]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What is free on a day. ``chosen``: the time that is ticked is in it."""

    label: str
    weekday: int
    places: list[Place]
    chosen: bool

    @property
    def free(self) -> int:
        return sum(len(place.times) for place in self.places)


def paragraphs(language: words.Language, version: str) -> list[str]:
    """Title and sentences of a version; empty for an unknown one."""
    keys = (f"letter.{version}.{number}" for number in count())
    return [words.say(language, key) for key in takewhile(words.WORDS.__contains__, keys)]


def slot_value(desk_id: int, at_ms: int) -> str:
    """As the form sends it: the desk's number, a dot, the minute."""
    return f"{desk_id}.{at_ms // MINUTE_MS}" if desk_id else ""


def read_slot(sent: str) -> tuple[int, int]:
    """(desk, time) of what the form sends; (0, 0) for an invalid slot."""
    desk, _, minute = sent.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= _MOST_DIGITS for part in (desk, minute)):
        return 0, 0
    return int(desk), int(minute) * MINUTE_MS


def suggest(free: Sequence[str], browser: str) -> str:
    """One of the best, the same for a browser while it is free. Thousands open this page on the first evening: were
    all of them offered the very best, all but a few would be told that it has just been taken."""
    best = free[:_SUGGESTED]
    return best[zlib.crc32(browser.encode()) % len(best)] if best else ""


def days(offered: Iterable[Slot], desks: Sequence[CollectionDesk], zone: ZoneInfo, chosen: str) -> list[Day]:
    """Offered slots by day, in it by desk, in it by time."""
    by_id = {desk.desk_id: desk for desk in desks}
    found: dict[tuple[str, int], dict[int, list[Time]]] = {}
    for slot in sorted(offered, key=lambda one: (one.at_ms, one.desk_id)):
        at = datetime.fromtimestamp(slot.at_ms / 1000, zone)
        places = found.setdefault((f"{at:%m-%d}", at.isoweekday()), {})
        time = Time(value=slot_value(slot.desk_id, slot.at_ms), label=f"{at:%H:%M}")
        places.setdefault(slot.desk_id, []).append(time)
    return [
        Day(
            label=label, weekday=weekday,
            places=[Place(desk=by_id[desk], times=times) for desk, times in places.items()],
            chosen=any(time.value == chosen for times in places.values() for time in times),
        )
        for (label, weekday), places in found.items()
    ]  # fmt: skip


def home_path(compound_id: int, link: str) -> str:
    """Of a household's own page."""
    return f"/j/{compound_id}/s/{link}"
