"""What one device may ask of the centre, so that it starves no other gate and nobody at a page (PROTOCOL.md §9).

A budget fills up to its most and is spent by use. The most is so large that an honest gate does not feel it, also one
that was offline for weeks; what comes in steadily is so little that a device which spends all of it is hardly noticed.
Whom a budget is of was proven before by the token, so strangers cannot spend it.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

AT_ONCE = 4
"""Requests of a device that are worked on at a time. An honest one has one, and a stream of wake-ups beside it."""
DOWNLOADS_AT_ONCE = 2
STREAMS = 2
"""Streams of wake-ups: two copies of one device live side by side until somebody parts them."""
_SOON_S = 1
_MOST_REMEMBERED = 20_000

Kind = Literal["requests", "streams", "downloads", "rows", "bytes"]
Whose = tuple[int, str]
"""Compound and device."""


class Budget(NamedTuple):
    """``most`` can be spent at once; ``a_second`` comes in."""

    most: float
    a_second: float


BUDGETS: dict[Kind, Budget] = {
    "requests": Budget(1_200, 8),
    "streams": Budget(10, 0.1),
    "downloads": Budget(20, 1 / 30),
    "rows": Budget(150_000, 500),
    "bytes": Budget(96 << 20, 256 << 10),
}
"""``rows`` and ``bytes`` are those of uploaded events. 100,000 events, weeks of a busy gate, are 500 requests."""


class _Account(NamedTuple):
    left: float
    at: float


class DeviceLimits:
    """What each device has left. Thread-safe; ``clock`` in seconds, and it may be set back."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: dict[tuple[Whose, Kind], _Account] = {}
        self._inside: Counter[tuple[Whose, str]] = Counter()

    def spend(self, whose: Whose, kind: Kind, amount: float = 1) -> int:
        """Use up so much; 0. Or, where there is less: use none, and return the seconds until there is enough."""
        budget = BUDGETS[kind]
        amount = min(amount, budget.most)
        with self._lock:
            now = self._clock()
            account = self._accounts.pop((whose, kind), _Account(budget.most, now))
            left = min(budget.most, account.left + max(0.0, now - account.at) * budget.a_second)
            enough = left >= amount
            self._accounts[whose, kind] = _Account(left - amount if enough else left, now)
            if len(self._accounts) > _MOST_REMEMBERED * len(BUDGETS):
                del self._accounts[next(iter(self._accounts))]  # the one that was used least lately
            return 0 if enough else math.ceil((amount - left) / budget.a_second)

    def enter(self, whose: Whose, what: str = "", most: int = AT_ONCE) -> int:
        """Begin one of the things of which a device may have ``most`` at a time, and ``leave`` afterwards; 0. Or the
        seconds after which to come again."""
        with self._lock:
            if self._inside[whose, what] >= most:
                return _SOON_S
            self._inside[whose, what] += 1
            return 0

    def leave(self, whose: Whose, what: str = "") -> None:
        """One of them is done."""
        with self._lock:
            self._inside[whose, what] -= 1
            if not self._inside[whose, what]:
                del self._inside[whose, what]

    @contextmanager
    def one(self, whose: Whose) -> Iterator[int]:
        """A request of a device while it is worked on; the seconds to wait instead, or 0."""
        wait_s = self.spend(whose, "requests") or self.enter(whose)
        try:
            yield wait_s
        finally:
            if not wait_s:
                self.leave(whose)


class Recognised:
    """Which tokens were good lately, so that the server can tell a gate's request from a stranger's before any work is
    done for it. It decides whose turn it is, never who may. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[bytes, Whose] = {}

    def note(self, mark: bytes, whose: Whose) -> None:
        """A token with this mark was good."""
        with self._lock:
            self._tokens.pop(mark, None)
            self._tokens[mark] = whose
            if len(self._tokens) > _MOST_REMEMBERED:
                del self._tokens[next(iter(self._tokens))]

    def whose(self, mark: bytes) -> Whose | None:
        """The device whose token it was."""
        return self._tokens.get(mark)
