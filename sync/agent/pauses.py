"""How long a gate waits before it tries again."""

from __future__ import annotations

import random

LONGEST_S = 300.0


class Backoff:
    """Ever longer pauses, 1 … 300 s, each with a random part: gates that fail together do not return together."""

    def __init__(self, rng: random.Random):
        self._rng = rng
        self._failures = 0

    def next_s(self, asked_s: float | None = None) -> float:
        """The pause after one more failure; never shorter than what the centre asked for, and a random part more."""
        self._failures += 1
        if asked_s is not None:
            return asked_s + self._rng.uniform(0, max(1.0, asked_s / 4))
        return max(1.0, min(LONGEST_S, 2.0 ** min(self._failures, 16)) * self._rng.uniform(0.5, 1.0))

    def reset(self) -> None:
        self._failures = 0
