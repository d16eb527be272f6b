"""The dwelling register, the grid of who has not applied, and visit notes."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import current_app, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sync.server import words
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.office.dwelling_entry import DwellingEntry, table_answer
from sync.server.people.dwellings import applied, dwellings, proposals, visits
from sync.server.people.dwellings.applied import Cell, DwellingFilter, State
from sync.server.staff import roles
from sync.server.views import Route, language, local, or_again, page_number


class Floor(msgspec.Struct, frozen=True):
    """A row of the grid; 0: floor not known."""

    number: int
    cells: list[Cell]


class Entrance(msgspec.Struct, frozen=True):
    """A unit of a building, the top floor first."""

    unit: str
    floors: list[Floor]


class Dwellings:
    """Views of one centre. Each is given the compound of its address, which the account may see."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        read, post = ("GET",), ("GET", "POST")
        return (
            Route("dwellings", self.dwellings, post, "dwellings", "register"),
            Route("dwellings/missing", self.dwellings_missing, read, "dwellings"),
            Route("dwellings/missing.xlsx", self.dwellings_missing_file, ("POST",), "dwellings"),
            Route("dwellings/idle", self.dwellings_idle, read, "dwellings"),
            Route("dwellings/<int:dwelling_id>", self.one_dwelling, post, "dwellings", "register"),
            *DwellingEntry(self._centre).routes(),
        )

    # The grid

    def dwellings(self, compound: Compound) -> Any:
        """Building by building: floors as rows, dwellings as cells."""
        if request.method == "POST":
            return self._remove(compound)
        with self._centre.store.read() as conn:
            counts = applied.counts(conn, compound.compound_id)
            building = request.args.get("building", "")
            building = building if building in counts else next(iter(counts), "")
            cells = applied.cells(conn, compound.compound_id, building) if building else []
            waiting = proposals.count_proposals(conn, compound.compound_id)
        return render_template(
            "office/dwellings.html", counts=counts, building=building, entrances=_entrances(cells), waiting=waiting,
            states=applied.STATES, whole=_sum(counts), removed=request.args.get("removed", type=int),
        )  # fmt: skip

    def _remove(self, compound: Compound) -> AnyResponse:
        building = request.form.get("building", "")
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            removed = dwellings.remove_unused(writing, building)
        return redirect(
            url_for("office.dwellings", compound_id=compound.compound_id, building=building, removed=removed)
        )

    # One dwelling

    def one_dwelling(self, compound: Compound, dwelling_id: int) -> Any:
        """Its people, masked, and its visits."""
        if request.method == "POST":
            return or_again(
                lambda: self._visit(compound, dwelling_id), "office/dwellings_one.html",
                lambda: self._dwelling(compound, dwelling_id),
            )  # fmt: skip
        return render_template("office/dwellings_one.html", form={}, **self._dwelling(compound, dwelling_id))

    def _dwelling(self, compound: Compound, dwelling_id: int) -> dict[str, Any]:
        with self._centre.store.read() as conn:
            found = dwellings.get_dwelling(conn, compound.compound_id, dwelling_id)
            return {
                "found": found, "state": applied.dwelling_state(conn, compound.compound_id, dwelling_id),
                "cases": visits.list_households(conn, compound.compound_id, dwelling_id), "case_address": _case_address,
                "visits": visits.list_visits(conn, compound.compound_id, dwelling_id), "findings": visits.FOUND,
            }  # fmt: skip

    def _visit(self, compound: Compound, dwelling_id: int) -> AnyResponse:
        form = request.form
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            visits.add_visit(writing, dwelling_id, form.get("found", ""), form.get("note", ""))
        return redirect(request.path)

    # Who has not applied

    def dwellings_missing(self, compound: Compound) -> Any:
        """The reverse look-up: a number, and a list to walk along."""
        asked = _asked(request.args)
        with self._centre.store.read() as conn:
            found, more = applied.find_missing(conn, compound.compound_id, _chosen(asked), page_number())
            missing = applied.count_missing(conn, compound.compound_id)
            total = dwellings.count(conn, compound.compound_id)
        by_finding = _total(missing, asked["building"])
        return render_template(
            "office/dwellings_missing.html", found=found, more=more, page=page_number(), asked=asked, total=total,
            missing={building: _to_visit(counts) for building, counts in missing.items()}, by_finding=by_finding,
            choices=_CHOICES, everything=_total(missing, ""), number=_to_visit(by_finding),
        )  # fmt: skip

    def dwellings_missing_file(self, compound: Compound) -> Any:
        """The list to take away; recorded."""
        tongue = language()

        def say(key: str) -> str:
            return words.say(tongue, key)

        sheet = applied.MissingSheet(
            title=say("dwellings_sheet_title"),
            headings=tuple(say(f"dwellings_{key}") for key in (
                "building", "room", "head.floor", "visit_result", "last_visit"
            )),
            findings={finding: say(f"dwellings_found.{finding}") for finding in applied.FINDINGS}, day=local,
        )  # fmt: skip
        chosen = _chosen(_asked(request.form))
        file = applied.export_missing(self._centre, compound.compound_id, chosen, sheet, g.staff.account)
        name = f"{say('dwellings_sheet_title')}-{compound.compound_id}-{local(self._centre.now_ms())[:10]}.xlsx"
        return table_answer(file, name)

    def dwellings_idle(self, compound: Compound) -> Any:
        """Passes nobody came through with for 14 days."""
        page = page_number()
        with self._centre.store.read() as conn:
            found, more = visits.find_idle(conn, compound.compound_id, self._centre.now_ms(), page)
        return render_template("office/dwellings_idle.html", found=found, more=more, page=page)


_CHOICES = ("", "unvisited", "present", "nobody", *applied.SETTLED, "everything")


def _asked(form: Any) -> dict[str, str]:
    found = form.get("found", "")
    return {"building": form.get("building", "")[:64], "found": found if found in _CHOICES else ""}


def _chosen(asked: dict[str, str]) -> DwellingFilter:
    found = asked["found"]
    if found in ("", "everything"):
        return DwellingFilter(building=asked["building"], everything=found == "everything")
    return DwellingFilter(building=asked["building"], found="" if found == "unvisited" else found)


def _to_visit(counts: dict[str, int]) -> int:
    return sum(number for finding, number in counts.items() if finding not in applied.SETTLED)


def _total(missing: dict[str, dict[str, int]], building: str) -> dict[str, int]:
    """Of one building, or of all."""
    chosen = [counts for name, counts in missing.items() if building in ("", name)]
    return {finding: sum(counts[finding] for counts in chosen) for finding in applied.FINDINGS}


def _sum(counts: dict[str, dict[State, int]]) -> dict[State, int]:
    return {state: sum(found[state] for found in counts.values()) for state in applied.STATES}


def _entrances(cells: list[Cell]) -> list[Entrance]:
    """By unit in their order; floors from the top, those not known at the end."""
    found: dict[str, dict[int, list[Cell]]] = {}
    for cell in cells:
        found.setdefault(cell.unit, {}).setdefault(cell.floor, []).append(cell)
    return [
        Entrance(unit, [Floor(n, floors[n]) for n in sorted(floors, key=lambda n: (n == 0, -n))])
        for unit, floors in found.items()
    ]


def _case_address(household_id: int) -> str:
    """Where a household's case is reviewed; empty where this account may not, or there is no such page."""
    if "office.case" not in current_app.view_functions or not roles.may(g.staff.role, "people"):
        return ""
    return url_for("office.case", compound_id=g.compound.compound_id, household_id=household_id)
