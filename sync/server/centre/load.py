"""Shedding load early: who comes while the centre is full is given an appointment instead of a place in a queue.

Each refused request gets the next free slot of a line that moves at the speed the centre really works at, so a herd of
gates that wakes at once comes back spread out, however large it is. A fixed jitter does not do that.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

_LONGEST_S = 900
_SMOOTHING = 0.05
_FIRST_GUESS_S = 0.02


class Admission:
    """Admits at most ``at_once`` requests at a time. Thread-safe."""

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic):
        self._at_once = at_once
        self._clock = clock
        self._lock = threading.Lock()
        self._inside = 0
        self._service_s = _FIRST_GUESS_S
        self._next_slot = 0.0

    def enter(self) -> int | None:
        """None: come in, and ``leave`` afterwards. Otherwise the seconds to stay away."""
        with self._lock:
            if self._inside < self._at_once:
                self._inside += 1
                return None
            now = self._clock()
            self._next_slot = max(now, self._next_slot) + self._service_s / max(1, self._at_once)
            return max(1, min(_LONGEST_S, math.ceil(self._next_slot - now)))

    def leave(self, seconds: float) -> None:
        """A request that took this long is done."""
        with self._lock:
            self._inside -= 1
            self._service_s += _SMOOTHING * (seconds - self._service_s)


class Tries:
    """How often an address may be wrong: ``most`` times in ``window_s`` seconds, then not at all until it is over.
    Thread-safe; remembers at most 10,000 addresses."""

    _MOST_REMEMBERED = 10_000

    def __init__(self, most: int, window_s: float, clock: Callable[[], float] = time.monotonic):
        self._most = most
        self._window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait_s(self, who: str) -> int:
        """Seconds this one has to wait; 0: may try."""
        with self._lock:
            count, since = self._wrong.get(who, (0, 0.0))
            left = since + self._window_s - self._clock()
            return math.ceil(left) if count >= self._most and left > 0 else 0

    def wrong(self, who: str) -> None:
        """Note a wrong try."""
        with self._lock:
            now = self._clock()
            count, since = self._wrong.pop(who, (0, now))
            if since + self._window_s <= now:
                count, since = 0, now
            if len(self._wrong) >= self._MOST_REMEMBERED:
                del self._wrong[next(iter(self._wrong))]
            self._wrong[who] = (count + 1, since)
