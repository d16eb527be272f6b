"""Who looks through a lane's camera, and until when: the reader shows its picture to nobody else."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.verbs import VIEW_S


class Viewings:
    """``monotonic`` is CLOCK_MONOTONIC, which the reader goes by, too. Thread-safe to read."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until: dict[str, float] = {}

    def begin(self, lane: str) -> float:
        """Somebody looks from now on; returns until when."""
        self._until[lane] = self._monotonic() + VIEW_S
        return self._until[lane]

    def until(self, lane: str) -> float:
        """Until when the lane's picture may be shown; 0 where nobody has looked."""
        return self._until.get(lane, 0.0)

    def left_s(self, lane: str) -> float:
        return max(0.0, self.until(lane) - self._monotonic())
