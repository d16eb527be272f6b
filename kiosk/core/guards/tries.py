"""How many PINs may be tried: by name, by address, over restarts.

A name is tried ten times an hour from wherever it never signed in, all addresses together, so that six digits last
longer than anybody's patience; and ten times from each place where it did, which strangers cannot use up. An address
has twenty tries, whatever the names. Five wrong ones in a row cost a minute. A right PIN gives back what it used.

What is remembered over a restart: at which addresses guards signed in, and the wrong tries for names that exist.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from kiosk.core.kept import Kept

HOUR_S = 3600.0
OF_A_NAME, OF_AN_ADDRESS = 10, 20
IN_A_ROW, PAUSE_S = 5, 60.0
PLACES_OF_A_NAME = 5
_REMEMBERED = 1000
_FAMILIAR = 200

Place = tuple[str, str]
"""A name and the address where it is typed."""


class KeptTries(msgspec.Struct, frozen=True, omit_defaults=True):
    """``familiar``: where guards signed in, the latest last; ``wrong``: how many tries of the last hour were wrong, by
    door, for names that exist."""

    familiar: tuple[Place, ...] = ()
    wrong: dict[str, int] = {}


class _Try(NamedTuple):
    at: float
    name: str = ""
    address: str = ""


class Tries:
    """The tries of a gate. Thread-safe. ``monotonic`` in seconds; what was kept counts as tried a minute
    before the start."""

    def __init__(self, kept: Kept[KeptTries], monotonic: Callable[[], float]):
        self._kept = kept
        self._monotonic = monotonic
        self._lock = threading.Lock()
        before = monotonic() - PAUSE_S
        self._wrong = {door: [_Try(before)] * count for door, count in kept.now.wrong.items()}
        self._lasting = set(self._wrong)
        """The doors of names that exist."""

    def spend(self, name: str, address: str, exists: bool) -> float:
        """Use up a try, before its PIN is looked at. 0, or the seconds until there is one again: then none is used."""
        now = self._monotonic()
        with self._lock:
            self._forget(now)
            doors = self._doors(name, address)
            left = max(_left(self._wrong.get(door, []), most, now) for door, most in doors.items())
            if left > 0:
                return left
            for door in doors:
                self._wrong.setdefault(door, []).append(_Try(now, name, address))
            if exists:
                self._lasting.add(next(iter(doors)))
                self._keep()
            return 0.0

    def forgive(self, name: str, address: str) -> None:
        """The try just spent was right: it counts nowhere, nor do the wrong ones of its place before it."""
        with self._lock:
            place = (name, address)
            for door in self._doors(name, address):
                self._wrong[door] = [tried for tried in self._wrong.get(door, []) if tried[1:] != place]
            self._wrong.pop(_at_place(place), None)
            others = [other for other in self._kept.now.familiar if other != place]
            mine = [other for other in others if other[0] == name]
            crowded = mine[: max(0, len(mine) + 1 - PLACES_OF_A_NAME)]
            familiar = [*(other for other in others if other not in crowded), place][-_FAMILIAR:]
            self._keep(tuple(familiar))

    def _doors(self, name: str, address: str) -> dict[str, int]:
        """What a try is counted at, and how many each may have: the name's own door first."""
        known = (name, address) in self._kept.now.familiar
        own = _at_place((name, address)) if known else f"name {name}"
        return {own: OF_A_NAME, f"address {address}": OF_AN_ADDRESS}

    def _forget(self, now: float) -> None:
        """Drop what is older than an hour; of too many doors those with the fewest tries, which cost least."""
        for door, tries in list(self._wrong.items()):
            self._wrong[door] = [tried for tried in tries if tried.at > now - HOUR_S]
            if not self._wrong[door]:
                del self._wrong[door]
        if len(self._wrong) > _REMEMBERED:
            fewest = sorted(self._wrong, key=lambda door: len(self._wrong[door]))
            for door in fewest[: len(self._wrong) - _REMEMBERED]:
                del self._wrong[door]

    def _keep(self, familiar: tuple[Place, ...] | None = None) -> None:
        """Addresses and names that do not exist are not kept: there is no end of them, and a card wears."""
        self._lasting &= self._wrong.keys()
        wrong = {door: len(self._wrong[door]) for door in sorted(self._lasting)}
        self._kept.change(wrong=wrong, familiar=self._kept.now.familiar if familiar is None else familiar)


def _at_place(place: Place) -> str:
    return f"place {place[0]} {place[1]}"


def _left(tries: Sequence[_Try], most: int, now: float) -> float:
    """Seconds until there is a try again."""
    if len(tries) >= most:
        return tries[-most].at + HOUR_S - now
    if tries and len(tries) % IN_A_ROW == 0:
        return tries[-1].at + PAUSE_S - now
    return 0.0
