"""What one camera's frames are like, counted since the reader began: when they came, what they cost, their light."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from hardware import Exposure
from kiosk.verbs import DECODE_TIMES_S, FRAME_TIMES_S, ReaderFigures, Spread

OF_LATE = 30
"""Frames that frames a second are a mean of: about one second."""


class Spreading:
    """Measurements by size; ``bounds`` in seconds, growing."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum_s += seconds

    def spread(self) -> Spread:
        return Spread(list(self._counts), round(self._sum_s, 6))


class EyeFigures:
    """Fed by the eye's thread with each frame; read by the one that reports. ``now`` is when the eye began."""

    def __init__(self, now: float) -> None:
        self.frames = 0
        self.decode_ms = 0.0
        """What a frame costs, of late."""
        self._began = now
        self._last: float | None = None
        self._frame_s = 0.0
        self._frame_times = Spreading(FRAME_TIMES_S)
        self._decode_times = Spreading(DECODE_TIMES_S)
        self._brightness: float | None = None
        self._exposure: Exposure | None = None

    def step(self, at: float, ms: float, brightness: float, exposure: Exposure | None) -> None:
        """Count a frame that came ``at`` that time, and whose look took ``ms``."""
        self.frames += 1
        self.decode_ms += (ms - self.decode_ms) / 30
        self._decode_times.add(ms / 1000)
        self._brightness, self._exposure = brightness, exposure
        if self._last is not None:
            since = max(0.0, at - self._last)
            self._frame_times.add(since)
            self._frame_s += (since - self._frame_s) / OF_LATE if self._frame_s else since
        self._last = at

    def pause(self) -> None:
        """The camera was closed: the time until its next frame is no frame's."""
        self._last, self._frame_s = None, 0.0

    def told(self, now: float) -> ReaderFigures:
        """All of it, for the core."""
        waited = 0.0 if self._last is None else now - self._last
        slowest = max(self._frame_s, waited if waited > FRAME_TIMES_S[-1] else 0.0)
        return ReaderFigures(
            up_s=round(now - self._began, 1),
            frames=self.frames,
            fps=round(1 / slowest, 1) if slowest else 0.0,
            frame_times=self._frame_times.spread(),
            decode_times=self._decode_times.spread(),
            brightness=None if self._brightness is None else round(self._brightness, 1),
            exposure_us=None if self._exposure is None else self._exposure.us,
            gain=None if self._exposure is None else round(self._exposure.gain, 2),
        )
