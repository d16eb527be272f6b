"""The phone pass, in the one browser that was activated at the desk."""

from __future__ import annotations

from sync.server.asked import OpenRoute
from sync.server.centre import Centre


class Phone:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[OpenRoute, ...]:
        return ()
