"""The review queue: which applications wait, what is to be seen in them, and what is decided."""

from __future__ import annotations

from sync.server.asked import Route
from sync.server.centre import Centre


class Review:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return ()
