"""From the poster to the application: the form's steps, the letter, the slot."""

from __future__ import annotations

from sync.server.asked import OpenRoute
from sync.server.centre import Centre


class Form:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[OpenRoute, ...]:
        return ()
