"""How many PINs may be tried: by name, by address, over restarts.

A name is tried ten times an hour from wherever it never signed in, all addresses together, so that six digits last
longer than anybody's patience; and ten times from each place where it did, which strangers elsewhere cannot use up. The
fifth wrong one costs a minute, each further one twice as long as the one before. A right PIN gives back what it used.

So one name's tries never keep another name out. An address only slows those who never signed in there: after ten wrong
ones of theirs it gives a try every six minutes, whatever the names, and so twenty an hour at most. OWASP ASVS 5.0
(6.1.1, 6.3.1) asks for limits that a stranger cannot turn into a lock for others.

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
AT_ONCE = OF_AN_ADDRESS // 2
SLOWED_S = HOUR_S / (OF_AN_ADDRESS - AT_ONCE)
"""From the :data:`AT_ONCE`-th on: whoever waits so long before each has no more than :data:`OF_AN_ADDRESS` an hour."""
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
    before_the_start: bool = False


class Tries:
    """The tries of a gate. Thread-safe. ``monotonic`` in seconds; what was kept counts as tried at the start, and its
    pause as over: else a core that restarts often would keep a guard out for ever."""

    def __init__(self, kept: Kept[KeptTries], monotonic: Callable[[], float]):
        self._kept = kept
        self._monotonic = monotonic
        self._lock = threading.Lock()
        kept_one = _Try(monotonic(), before_the_start=True)
        self._wrong = {door: [kept_one] * count for door, count in kept.now.wrong.items()}
        self._lasting = set(self._wrong)
        """The doors of names that exist."""

    def spend(self, name: str, address: str, exists: bool) -> float:
        """Use up a try, before its PIN is looked at. 0, or the seconds until there is one again: then none is used."""
        now = self._monotonic()
        with self._lock:
            self._forget(now)
            doors = self._doors(name, address)
            left = max(until(self._wrong.get(door, [])) for door, until in doors.items()) - now
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
                tries = self._wrong.get(door, [])
                self._wrong[door] = [tried for tried in tries if (tried.name, tried.address) != place]
            self._wrong.pop(_at_place(place), None)
            others = [other for other in self._kept.now.familiar if other != place]
            mine = [other for other in others if other[0] == name]
            crowded = mine[: max(0, len(mine) + 1 - PLACES_OF_A_NAME)]
            familiar = [*(other for other in others if other not in crowded), place][-_FAMILIAR:]
            self._keep(tuple(familiar))

    def _doors(self, name: str, address: str) -> dict[str, Callable[[Sequence[_Try]], float]]:
        """What a try is counted at, and until when each is shut: the name's own door first."""
        place = (name, address)
        if place in self._kept.now.familiar:
            return {_at_place(place): _name_until}
        return {f"name {name}": _name_until, f"address {address}": _address_until}

    def _forget(self, now: float) -> None:
        """Drop what is older than an hour; of too many doors those of no account that have the fewest tries."""
        for door, tries in list(self._wrong.items()):
            self._wrong[door] = [tried for tried in tries if tried.at > now - HOUR_S]
            if not self._wrong[door]:
                del self._wrong[door]
        crowd = [door for door in self._wrong if door not in self._lasting]
        crowd.sort(key=lambda door: len(self._wrong[door]))
        for door in crowd[: max(0, len(crowd) - _REMEMBERED)]:
            del self._wrong[door]

    def _keep(self, familiar: tuple[Place, ...] | None = None) -> None:
        """Addresses and names that do not exist are not kept: there is no end of them, and a card wears."""
        self._lasting &= self._wrong.keys()
        wrong = {door: len(self._wrong[door]) for door in sorted(self._lasting)}
        self._kept.change(wrong=wrong, familiar=self._kept.now.familiar if familiar is None else familiar)


def _at_place(place: Place) -> str:
    return f"place {place[0]} {place[1]}"


def _name_until(tries: Sequence[_Try]) -> float:
    """When a name may be tried again at one of its doors, in seconds of the clock; 0 at once."""
    if len(tries) >= OF_A_NAME:
        return tries[-OF_A_NAME].at + HOUR_S
    if len(tries) >= IN_A_ROW and not tries[-1].before_the_start:
        return tries[-1].at + PAUSE_S * 2.0 ** (len(tries) - IN_A_ROW)
    return 0.0


def _address_until(tries: Sequence[_Try]) -> float:
    """When names that never signed in at an address may be tried there again."""
    return tries[-1].at + SLOWED_S if len(tries) >= AT_ONCE else 0.0
