"""The collection desk: print, check, hand over; forms on paper; desks and their slots."""

from __future__ import annotations

from sync.server.asked import Route
from sync.server.centre import Centre


class Collection:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return ()
