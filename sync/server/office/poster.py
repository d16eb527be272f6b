"""What is printed and hung up, put into letter boxes and sent to owners' groups: all of it leads to the form."""

from __future__ import annotations

from typing import Any

from flask import render_template, request

from sync.server.centre.errors import NoSuchThing
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.passes import card
from sync.server.people.dwellings import applied
from sync.server.people.households import application
from sync.server.people.public_address import public_base
from sync.server.residents import letter
from sync.server.views import Route, whole_address

POSTER_CODE_MM = 120.0
SLIPS_A_SHEET = 8
PAPER_PEOPLE = 3
PAPER_JOURNEYS = 8
_STILL_TO_APPLY: tuple[applied.State, ...] = ("none", "refused")


class Poster:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        read = ("GET",)
        return (
            Route("poster", self.poster, read, "poster"),
            Route("poster/paper", self.poster_paper, read, "poster"),
            Route("poster/texts", self.poster_texts, read, "poster"),
            Route("poster/slips", self.poster_slips, read, "dwellings"),
        )

    def poster(self, compound: Compound) -> Any:
        """A4, to print."""
        address, fixed = self._address(compound)
        code = card.draw(address, POSTER_CODE_MM).svg(POSTER_CODE_MM) if address else ""
        return render_template("office/poster.html", address=address, fixed=fixed, code=code)

    def poster_paper(self, compound: Compound) -> Any:
        """The blank form and the letter, A4, for who does not use a phone."""
        versions = {tongue: letter.paragraphs(tongue, application.LETTER_VERSION) for tongue in ("zh", "en")}
        return render_template(
            "office/poster_paper.html", letter=list(zip(versions["zh"], versions["en"], strict=True)),
            people=range(1, PAPER_PEOPLE + 1), journeys=range(PAPER_JOURNEYS),
        )  # fmt: skip

    def poster_texts(self, compound: Compound) -> Any:
        """Ready texts with the address in them."""
        address, fixed = self._address(compound)
        return render_template("office/poster_texts.html", address=address, fixed=fixed)

    def poster_slips(self, compound: Compound) -> Any:
        """A slip for each door of a building from which nobody has applied, eight on a sheet."""
        address, fixed = self._address(compound)
        if not address:
            return render_template("office/poster_slips.html", address="")
        building = request.args.get("building", "")
        with self._centre.store.read() as conn:
            counts = applied.counts(conn, compound.compound_id)
            if building and building not in counts:
                raise NoSuchThing(en="There is no such building.")
            cells = applied.cells(conn, compound.compound_id, building) if building else []
        doors = [cell.name for cell in cells if cell.state in _STILL_TO_APPLY]
        sheets = [doors[at : at + SLIPS_A_SHEET] for at in range(0, len(doors), SLIPS_A_SHEET)]
        missing = {name: sum(states[state] for state in _STILL_TO_APPLY) for name, states in counts.items()}
        code = card.draw(address)
        return render_template(
            "office/poster_slips.html", address=address, fixed=fixed, code=code, code_mm=code.whole_mm(card.CODE_MM),
            sheets=sheets, doors=len(doors), missing=missing, building=building,
        )  # fmt: skip

    def _address(self, compound: Compound) -> tuple[str, bool]:
        """Where the code leads, and whether that is the address the town has set."""
        with self._centre.store.read() as conn:
            address = whole_address(conn, f"/j/{compound.compound_id}")
            return address, bool(public_base(conn))
