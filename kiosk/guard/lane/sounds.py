"""What a lane's screen lets everybody hear: a tone for each outcome, and spoken words where somebody put them there.

No sound says a reason: everyone in the lane hears it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

WORDS = ("grant", "refer", "deny", "closer")
"""What may be spoken: please go through, please see the guard (twice), a little closer."""
_FILE = re.compile(rf"({'|'.join(WORDS)})(\.[a-z0-9_-]{{1,20}})?\.(wav|ogg|opus|mp3)")
_MOST_BYTES = 2_000_000


@dataclass(frozen=True)
class Sounds:
    """``volume`` and ``night_volume`` in percent; ``night`` from one minute of the day to another, over midnight where
    it ends earlier; none where both are the same. ``voices`` is the folder of spoken words."""

    volume: int = 80
    night_volume: int = 30
    night: tuple[int, int] = (22 * 60, 7 * 60)
    voices: Path | None = None

    def volume_at(self, now: datetime | None) -> int:
        """The volume by the compound's wall clock; the lower one while nobody knows the time."""
        if now is None:
            return min(self.volume, self.night_volume)
        minute, (begins, ends) = now.hour * 60 + now.minute, self.night
        is_night = begins <= minute < ends if begins <= ends else minute >= begins or minute < ends
        return self.night_volume if is_night else self.volume

    def spoken(self) -> dict[str, list[str]]:
        """By word, the names of its files in the order in which they are played. Files of other names are left out."""
        found: dict[str, list[str]] = {}
        for name in sorted(path.name for path in self._files()):
            found.setdefault(name.partition(".")[0], []).append(name)
        return found

    def file(self, name: str) -> Path | None:
        """The file of that name, if it is spoken."""
        return next((path for path in self._files() if path.name == name), None)

    def _files(self) -> Iterator[Path]:
        if self.voices is None or not self.voices.is_dir():
            return
        for path in self.voices.iterdir():
            if _FILE.fullmatch(path.name) and path.is_file() and path.stat().st_size <= _MOST_BYTES:
                yield path
