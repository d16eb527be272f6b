"""The town's dated list of epidemic areas: shown, added to, ended, mended."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import abort, g, redirect, render_template, request, url_for

from sync.server.centre.writing import Centre
from sync.server.passes import compounds
from sync.server.people.households import areas, warnings
from sync.server.people.households.areas import Area
from sync.server.views import Route, or_again

_FIELDS = ("province", "city", "district", "from_day", "until_day")


class Areas:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("/areas", self.areas, ("GET", "POST"), "areas"),
            Route("/areas/<int:area_id>", self.one_area, ("POST",), "areas"),
        )

    def areas(self) -> Any:
        """The list, with how many undecided applications each area touches now; and a new one."""
        if request.method == "POST":
            return or_again(self._add, "office/areas.html", self._list)
        return render_template("office/areas.html", form={}, **self._list())

    def _list(self) -> dict[str, Any]:
        with self._centre.store.read() as conn:
            found = areas.list_areas(conn)
            return {"found": found, "counts": areas.count_undecided(conn, found)}

    def _add(self) -> Any:
        asked = {name: request.form.get(name, "").strip() for name in _FIELDS}
        areas.add_area(self._centre, msgspec.convert(asked, Area), g.staff.account)
        return self._compared()

    def _compared(self) -> Any:
        """Every undecided application against the list as it is now."""
        for compound in compounds.list_compounds(self._centre):
            with self._centre.writing(compound.compound_id, g.staff.account, even_stopped=True) as writing:
                warnings.refresh(writing)
        return redirect(url_for("office.areas", saved=1))

    def one_area(self, area_id: int) -> Any:
        """Another last day, or off the list."""
        what, by = request.form.get("do", ""), g.staff.account

        def act() -> Any:
            if what == "end":
                areas.end_area(self._centre, area_id, request.form.get("until_day", "").strip(), by)
            elif what == "remove":
                areas.remove_area(self._centre, area_id, by)
            else:
                abort(400)
            return self._compared()

        return or_again(act, "office/areas.html", self._list)
