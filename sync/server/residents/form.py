"""From the poster to the application: the form's steps, the letter, the slot."""

from __future__ import annotations

from typing import Any

from flask import render_template

from sync.server.asked import OpenRoute
from sync.server.centre import Centre, Compound


class Form:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[OpenRoute, ...]:
        return (OpenRoute("/j/<int:compound_id>", self.entry, ("GET",)),)

    def entry(self, compound: Compound) -> Any:
        """Where the poster's code leads."""
        return render_template("residents/entry.html")
