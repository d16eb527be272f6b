"""The first page of community and town: one row a compound."""

from __future__ import annotations

from sync.server.asked import Route
from sync.server.centre import Centre


class TownPages:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return ()
