"""How often a code is read in the light of a gate: a phone at night, the sun behind, a lamp that flickers.

Frames are taken and read as the reader does it: the same watch, the same steps of exposure.
"""

from __future__ import annotations

import statistics

from hardware import Camera
from hardware.exposure import Bracket, brightness
from hardware.reading.decoder import QrDecoder
from kiosk.guard.words import Pair
from kiosk.selftest.bench import Bench
from kiosk.selftest.step import Figures, only_if
from kiosk.selftest.words import RUN

SHOWN = 10
"""How often the person holds the code up, each time when told to."""
UP_S, AWAY_S = 4.0, 2.0
LEAST_READ = 0.9
LONGEST_MEDIAN_S = 1.0


class Looking:
    """A camera and what reads its frames, for some seconds at a time."""

    def __init__(self, camera: Camera) -> None:
        self.means: list[float] = []
        self._camera = camera
        self._watch = QrDecoder().watch()
        self._bracket = Bracket(camera.exposures) if camera.exposures else None

    def look(self, seconds: float) -> tuple[float | None, float | None]:
        """When in these seconds a code was first seen, and when one was read; None: never."""
        seen_at: float | None = None
        read_at: float | None = None
        ends: float | None = None
        while True:
            with self._camera.frame() as frame:
                seen = self._watch.look(frame.luma, frame.at)
                bright = brightness(frame.luma)
                now, exposure = frame.at, frame.exposure
            self.means.append(bright.mean)
            if self._bracket and exposure:
                self._camera.expose(self._bracket.step(exposure, bright, seen.stirred, bool(seen.found), now))
            if seen.found or seen.symbols:
                seen_at = now if seen_at is None else seen_at
            if seen.found and read_at is None:
                read_at = now
            ends = now + seconds if ends is None else ends
            if now >= ends:
                return seen_at, read_at


def read_rate(bench: Bench, lane: str, wanted: int = SHOWN) -> Figures:
    """Tell the person to hold a code up, and to take it away, ``wanted`` times.

    ``times_s`` run from the first frame in which a code was seen to the one in which it was read.
    """
    times, seen = [], 0
    with bench.camera(lane) as camera:
        looking = Looking(camera)
        looking.look(AWAY_S)
        for number in range(1, wanted + 1):
            bench.person.tell(_numbered(RUN["hold_up"], number, wanted))
            seen_at, read_at = looking.look(UP_S)
            seen += seen_at is not None
            if seen_at is not None and read_at is not None:
                times.append(round(read_at - seen_at, 2))
            bench.person.tell(RUN["take_away"])
            looking.look(AWAY_S)
    return {
        "held_up": wanted,
        "seen": seen,
        "read": len(times),
        "median_s": statistics.median(times) if times else None,
        "times_s": times,
        "brightness": round(statistics.fmean(looking.means), 1),
    }


def _numbered(text: Pair, number: int, wanted: int) -> Pair:
    zh, en = text
    return zh.format(number=number, of=wanted), en.format(number=number, of=wanted)


def read_rate_judged(saw: Figures) -> list[str]:
    few = saw["read"] < LEAST_READ * saw["held_up"]
    wrong = only_if(few, f"{saw['read']} of {saw['held_up']} were read, {saw['seen']} were seen")
    slow = saw["median_s"] is not None and saw["median_s"] > LONGEST_MEDIAN_S
    return wrong + only_if(slow, f"half of them took {saw['median_s']} s or longer")
