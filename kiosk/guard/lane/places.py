"""How many screens may listen, so that guards' streams never make room for theirs."""

from __future__ import annotations

import threading
from collections import Counter

OF_ONE, ELSEWHERE = 4, 24
"""Streams of one machine, and of all but this very device. The server has places for 120 streams and takes the oldest
for the newest: a screen beyond these gets none and goes on asking."""


class StreamPlaces:
    """Which machines' screens have a stream. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, origin: str) -> bool:
        """A place for a screen of that machine, "" for this very device; False where there is none left."""
        with self._lock:
            elsewhere = sum(count for other, count in self._taken.items() if other)
            if self._taken[origin] >= OF_ONE or (origin and elsewhere >= ELSEWHERE):
                return False
            self._taken[origin] += 1
            return True

    def give_back(self, origin: str) -> None:
        with self._lock:
            self._taken[origin] -= 1
            self._taken += Counter()  # drops what is not above zero
