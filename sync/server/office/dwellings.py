"""The dwelling register, the grid of who has not applied, and visit notes."""

from __future__ import annotations

from sync.server.asked import Route
from sync.server.centre import Centre


class Dwellings:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return ()
