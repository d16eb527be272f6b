"""The master caution: what began at the gate stays told until a guard says that it was seen, even if it is over."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.verbs import Caution

_KEPT = 20


class Cautions:
    """Pure: what stands goes in as pairs of a code and a lane, with the gate's time. ``told`` are those not yet seen by
    anybody, the oldest first."""

    def __init__(self) -> None:
        self.told: list[Caution] = []
        self._standing: frozenset[tuple[str, str]] = frozenset()
        self._number = 0

    def look(self, standing: Iterable[tuple[str, str]], now_ms: int) -> None:
        """Take note of what stands now."""
        now = frozenset(standing)
        for code, lane in sorted(now - self._standing):
            if not any((told.code, told.lane) == (code, lane) for told in self.told):
                self._number += 1
                self.told.append(Caution(number=self._number, code=code, lane=lane, since_ms=now_ms))
        self._standing = now
        del self.told[:-_KEPT]

    def tell(self, code: str, lane: str, now_ms: int) -> None:
        """Take note of what happened and is over. Once more of what nobody has seen yet is counted with it, under a
        new number: seeing the first is not seeing the second."""
        before = next((told for told in self.told if (told.code, told.lane) == (code, lane)), None)
        if before is not None:
            self.told.remove(before)
        self._number += 1
        since_ms, times = (before.since_ms, before.times + 1) if before else (now_ms, 1)
        self.told.append(Caution(number=self._number, code=code, lane=lane, since_ms=since_ms, times=times))
        del self.told[:-_KEPT]

    def acknowledge(self, number: int) -> list[Caution]:
        """Those up to that number were seen; a later one was not on the page yet. What was newly acknowledged."""
        seen = [caution for caution in self.told if caution.number <= number]
        self.told = [caution for caution in self.told if caution.number > number]
        return seen
