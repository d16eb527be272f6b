"""Who did what: in a compound, and to the whole town; and who took which table out as a file."""

from __future__ import annotations

from typing import Any

from flask import g, render_template, request
from sqlalchemy import select

from sync.server import words
from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.office import told
from sync.server.passes import passes
from sync.server.staff import roles
from sync.server.views import Route, language, page_number


class RecordPages:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        read = ("GET",)
        return (
            Route("record", self.record, read, "record"),
            Route("record/exports", self.record_exports, read, "record"),
            Route("/record", self.town_record, read, "town_record"),
        )

    def record(self, compound: Compound) -> Any:
        """Of a compound, the newest first; chosen by account, kind and day."""
        asked, chosen = _asked(compound.timezone)
        found, more = audit.find(self._centre, compound.compound_id, chosen, page_number())
        return self._page("compound", found, more, asked, compound.timezone)

    def town_record(self) -> Any:
        """Of the whole town: accounts, areas, periods."""
        asked, chosen = _asked(g.timezone)
        found, more = audit.find_town(self._centre, chosen, page_number())
        return self._page("town", found, more, asked, g.timezone)

    def _page(self, where: str, found: list[audit.Record], more: bool, asked: dict[str, str], timezone: str) -> str:
        names = self._names()
        return render_template(
            "office/record.html", where=where, found=found, more=more, page=page_number(), asked=asked, names=names,
            kinds_known=_kinds(), did=lambda code: words.coded(language(), "did", code),
            by=lambda record: told.by(record.by, names), about=lambda record: told.about(record, timezone),
            why=lambda record: told.why(record, _sees_persons()),
        )  # fmt: skip

    def record_exports(self, compound: Compound) -> Any:
        """Which tables were taken out, by whom and what for."""
        found, more = audit.find_exports(self._centre, compound.compound_id, page_number())
        names = self._names()
        return render_template(
            "office/record_exports.html", found=found, more=more, page=page_number(),
            chosen=lambda text: told.chosen(text, _sees_persons()),
            by=lambda export: told.by(export.by, names), table=lambda code: words.coded(language(), "exported", code),
        )  # fmt: skip

    def _names(self) -> dict[str, str]:
        columns = tables.staff.c
        with self._centre.store.read() as conn:
            return {row.account: row.name for row in conn.execute(select(columns.account, columns.name))}


def _sees_persons() -> bool:
    return roles.may(g.staff.role, "people")


def _asked(timezone: str) -> tuple[dict[str, str], audit.RecordFilter]:
    """What the query chooses; a day that is none chooses all."""
    asked = {name: request.args.get(name, "").strip()[:40] for name in ("by", "what", "day")}
    try:
        moments = [passes.read_time(asked["day"][:10], timezone, end) for end in (False, True)]
    except CentreError:
        moments = [0, 0]
    return asked, audit.RecordFilter(by=asked["by"], what=asked["what"], from_ms=moments[0], until_ms=moments[1])


def _kinds() -> list[str]:
    return [key.removeprefix("did.") for key in words.WORDS if key.startswith("did.")]
