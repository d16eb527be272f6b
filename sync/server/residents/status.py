"""A household's own page behind its unguessable link."""

from __future__ import annotations

from sync.server.asked import OpenRoute
from sync.server.centre import Centre


class Status:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[OpenRoute, ...]:
        return ()
