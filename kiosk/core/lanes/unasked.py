"""Passages at a lane that nothing had let in, until they are told. The first is told at once; then once a minute."""

from __future__ import annotations

from collections import Counter

from sync.terms import UnaskedReason

TOGETHER_S = 60.0
"""What comes within so long after something was told is told together."""
LEFT_OPEN_S = 60.0
"""An arm that stays open so long though nothing asks for it was left open, or does not close."""


class UnaskedPassages:
    """Times are seconds that never go back."""

    def __init__(self) -> None:
        self._untold: Counter[UnaskedReason] = Counter()
        self._told_at = float("-inf")
        self._open_since: float | None = None

    def count(self, reason: UnaskedReason) -> None:
        """Take note of one."""
        self._untold[reason] += 1

    def look_at_arm(self, is_open: bool, asked: bool, now: float) -> None:
        """Take note of an arm that stays open though nothing asks for it: once, until it was closed or asked for."""
        if not is_open or asked:
            self._open_since = None
        elif self._open_since is None:
            self._open_since = now
        elif now - self._open_since >= LEFT_OPEN_S:
            self._open_since = float("inf")
            self.count("left_open")

    def take_due(self, now: float) -> dict[UnaskedReason, int]:
        """What is to be told now, by reason; nothing is given twice."""
        if not self._untold or now - self._told_at < TOGETHER_S:
            return {}
        due, self._untold, self._told_at = dict(self._untold), Counter(), now
        return due
