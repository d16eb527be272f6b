"""When a reader ends itself, so that a new one looks for a camera that this one does not find.

A process may never find it: libcamera's camera manager looks through the system when it is made, and picamera2 keeps
the one it has; the unit's ``DeviceAllow=`` is resolved when the unit starts, perhaps before the driver was there.
So the reader ends after a minute, then after two, four, eight and then every fifteen minutes; a small file keeps the
count. Another lane's camera that works is worth more: beside it the first end comes after a quarter of an hour, and
only while nobody is before it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

FIRST_S, LONGEST_S = 60.0, 900.0
SHARED_FIRST_S, SHARED_LONGEST_S = 900.0, 3600.0
QUIET_S = 10.0
"""So long nobody was before another lane's camera: the new process takes some three seconds to see again."""
_MOST = 20

log = logging.getLogger("reader")


class Sighting(NamedTuple):
    """How one lane's camera is: for how long it could not be opened, None while it could or need not be looked for;
    and how long ago somebody was last before it, None while it is not open."""

    lane: str
    away_s: float | None
    stirred_s: float | None
    why: str = ""


class Search:
    """``path`` is the small file; without one each process begins with the first minute."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._ends = self._read()

    def ends_for(self, sightings: Collection[Sighting]) -> Sighting | None:
        """The camera this process should end for now, if any."""
        away = max((sight for sight in sightings if sight.away_s is not None), key=lambda sight: sight.away_s or 0.0,
                   default=None)  # fmt: skip
        if away is None:
            if all(sight.stirred_s is not None for sight in sightings):
                self._note(0)
            return None
        others = [sight.stirred_s for sight in sightings if sight.stirred_s is not None]
        if (away.away_s or 0.0) < self.patience_s(shared=bool(others)) or any(ago < QUIET_S for ago in others):
            return None
        return away

    def patience_s(self, shared: bool) -> float:
        """How long a camera may be away before this process ends; ``shared``: another one works."""
        first, longest = (SHARED_FIRST_S, SHARED_LONGEST_S) if shared else (FIRST_S, LONGEST_S)
        return min(longest, first * 2.0**self._ends)

    def ends(self, away: Sighting) -> None:
        """Say what was seen, and count."""
        log.error("reader=ends why=camera lane=%s away_s=%.0f saw=%r", away.lane, away.away_s or 0.0, away.why)
        self._note(min(self._ends + 1, _MOST))

    def _read(self) -> int:
        try:
            return max(0, min(int(self._path.read_text("ascii")), _MOST)) if self._path else 0
        except (OSError, ValueError):
            return 0

    def _note(self, ends: int) -> None:
        if ends == self._ends:
            return
        self._ends = ends
        with suppress(OSError):
            if self._path:
                self._path.write_text(str(ends), "ascii")
