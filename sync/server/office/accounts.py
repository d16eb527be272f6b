"""Staff accounts, the town's list of epidemic areas, retention, and the record of who did what."""

from __future__ import annotations

from sync.server.asked import Route
from sync.server.centre import Centre


class Accounts:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return ()
