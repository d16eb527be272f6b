"""The night before: whose cards, whether the gates know them, the sheet of eight and the single card, and the list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from flask import g, render_template, request, url_for

from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.passes import card
from sync.server.people import identity
from sync.server.people.collecting import collection, printing
from sync.server.people.collecting.printing import CardToPrint, Face, PrintFilter
from sync.server.people.households import slots
from sync.server.people.households.households import local_day
from sync.server.staff import roles
from sync.server.views import Route, error_text, sent_number

ON_A_SHEET = 8
LAYOUTS = ("duplex", "fronts", "cards")
"""A sheet of eight with backs on the next page, mirrored; fronts alone; a page of 86 × 54 mm for each side."""
_MIRRORED = (1, 0, 3, 2, 5, 4, 7, 6)
Drawn = tuple[Face, Any]


class Printing:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("print", self.print_choose, ("GET",), "collect"),
            Route("print/sheet", self.print_sheet, ("POST",), "collect"),
            Route("print/anyway", self.print_anyway, ("POST",), "review"),
        )

    def print_choose(self, compound: Compound) -> Any:
        """The day, and what would come out."""
        return self._choose(compound)

    def _choose(self, compound: Compound, wrong: str = "") -> str:
        day, wanted, mistaken = self._wanted(compound)
        with self._centre.store.read() as conn:
            rows = printing.due(conn, compound.compound_id, wanted)
            more, rows = len(rows) > printing.MOST_HOUSEHOLDS, rows[: printing.MOST_HOUSEHOLDS]
            numbers = [number for one in rows for number in one.numbers]
            shown = {
                "behind": printing.ready(conn, compound, numbers) if numbers else [],
                "buildings": printing.buildings_due(conn, compound.compound_id, wanted),
                "unreviewed": printing.unreviewed(conn, compound.compound_id, wanted),
                "desks": slots.list_desks(conn, compound.compound_id),
            }
        return render_template(
            "office/print.html", day=day.isoformat(), wanted=wanted, rows=rows, more=more,
            cards=len(numbers), sheets=-(-len(numbers) // ON_A_SHEET),
            layouts=LAYOUTS, layout=_layout(), wrong=wrong or mistaken, may_force=roles.may(g.staff.role, "review"),
            form=request.form, **shown,
        )  # fmt: skip

    def _wanted(self, compound: Compound) -> tuple[date, PrintFilter, str]:
        """The day, whose cards, and what is wrong with the day that was asked for."""
        asked, wrong = request.values, ""
        day = local_day(compound, self._centre.now_ms()) + timedelta(days=1)
        if asked.get("day"):
            try:
                day = identity.read_day(asked["day"])
            except CentreError as error:
                wrong = error_text(error)
        from_ms, until_ms = slots.day_span(compound, day)
        return day, PrintFilter(
            from_ms=from_ms, until_ms=until_ms, desk_id=sent_number(asked, "desk"),
            building=asked.get("building", "")[:40], again="again" in asked,
        ), wrong  # fmt: skip

    def print_sheet(self, compound: Compound) -> Any:
        """The cards on paper, recorded; only where every gate in service knows them."""
        return self._print(compound, "")

    def print_anyway(self, compound: Compound) -> Any:
        """Print although a gate lacks the cards, by somebody who may decide that, with a reason that is recorded."""
        try:
            reason = collection.check_why(request.form.get("why", ""))
        except CentreError as error:
            return self._choose(compound, error_text(error)), 409
        if "sure" not in request.form:
            return self._choose(compound, error_text(CentreError("请先勾选。", "Tick the box first."))), 409
        return self._print(compound, reason)

    def _print(self, compound: Compound, reason: str) -> Any:
        day, wanted, _ = self._wanted(compound)
        try:
            with self._centre.writing(compound.compound_id, g.staff.account) as writing:
                rows = printing.due(writing.conn, compound.compound_id, wanted)[: printing.MOST_HOUSEHOLDS]
                printing.record(writing, rows, reason)
        except CentreError as error:
            return self._choose(compound, error_text(error)), 409
        if not rows:
            return self._choose(compound), 409
        with self._centre.store.read() as conn:
            numbers = [number for one in rows for number in one.numbers]
            faces = printing.faces(conn, self._centre, compound.compound_id, numbers)
            desks = {desk.desk_id: desk for desk in slots.list_desks(conn, compound.compound_id)}
        layout, drawn = _layout(), [(face, card.drawn(face.text)) for face in faces]
        return render_template(
            "office/print_cards.html", single=layout == "cards", faces=drawn, rows=rows, desks=desks,
            sheets=_sheets(drawn), backs=layout == "duplex", mirrored=_MIRRORED, day=day.isoformat(),
            first_sheet=_first_sheets(rows),
            back_to=url_for("office.print_choose", compound_id=compound.compound_id, day=day.isoformat()),
        )  # fmt: skip


def _layout() -> str:
    asked = request.values.get("layout", "")
    return asked if asked in LAYOUTS else LAYOUTS[0]


def _sheets(drawn: Sequence[Drawn]) -> list[list[Drawn | None]]:
    """Eight to a sheet; the last is filled up, so that backs stand behind their fronts."""
    sheets = [list[Drawn | None](drawn[at : at + ON_A_SHEET]) for at in range(0, len(drawn), ON_A_SHEET)]
    for sheet in sheets[-1:]:
        sheet += [None] * (ON_A_SHEET - len(sheet))
    return sheets


def _first_sheets(rows: Sequence[CardToPrint]) -> dict[int, int]:
    """Household → the sheet its first card is on, from 1."""
    found, before = {}, 0
    for one in rows:
        found[one.household_id] = before // ON_A_SHEET + 1
        before += len(one.numbers)
    return found
