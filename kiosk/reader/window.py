"""A small picture of what a camera sees, for a technician who looks: made when asked for, shown, and kept nowhere.

The core says until when somebody looks, and has recorded who. The eye's thread only copies the next frame; making it
small and packing it is the asking thread's work, behind the lanes' frames.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

from PIL import Image

from hardware import Picture
from kiosk.channel import Refused
from kiosk.verbs import CameraPicture

WIDTH = 320
"""Enough to see where the camera looks, whether it is sharp and how it is lit. Codes are not read from it."""
QUALITY = 50
EVERY_S = 0.3
"""However many ask, a picture is made no more often; in between all get the same."""
FRAME_WAIT_S = 1.0


class Window:
    """One camera's. ``clock`` is CLOCK_MONOTONIC; ``until`` is until when somebody may look."""

    def __init__(self, clock: Callable[[], float], wait_s: float = FRAME_WAIT_S) -> None:
        self.until = 0.0
        self._clock = clock
        self._wait_s = wait_s
        self._turn = threading.Lock()
        self._wanted = False
        self._came = threading.Event()
        self._frame: Picture | None = None
        self._shown: tuple[float, CameraPicture] | None = None

    def offer(self, luma: Picture) -> None:
        """The eye has a frame. Costs nothing unless somebody waits for one; then a copy."""
        if self._wanted:
            self._wanted = False
            self._frame = luma.copy()
            self._came.set()

    def picture(self) -> CameraPicture:
        """Raises Refused ``not_viewed`` while nobody may look, and ``no_picture`` where the camera gives no frame."""
        with self._turn:
            now = self._clock()
            if now >= self.until:
                self._shown = None
                raise Refused("not_viewed")
            if self._shown is None or now - self._shown[0] >= EVERY_S:
                self._shown = None
                self._shown = now, CameraPicture(packed(self._next_frame()))
            return self._shown[1]

    def _next_frame(self) -> Picture:
        self._came.clear()
        self._wanted = True
        came = self._came.wait(self._wait_s)
        self._wanted = False
        frame, self._frame = self._frame, None
        if not came or frame is None:
            raise Refused("no_picture")
        return frame


def packed(luma: Picture) -> bytes:
    """A JPEG about :data:`WIDTH` pixels wide, never wider than twice that."""
    image = Image.fromarray(luma).reduce(max(1, round(luma.shape[1] / WIDTH)))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
