"""The first page of community and town: one row a compound, no person in it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from flask import abort, g, redirect, render_template, request, url_for

from sync.server import words
from sync.server.centre import audit
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.office.attached import attached
from sync.server.people.home import Home, get_home, put_home
from sync.server.people.registers import coverage
from sync.server.people.registers.coverage import CountRow, Figures, Total, Twice
from sync.server.people.sheets import write_table
from sync.server.staff import sign_in
from sync.server.views import Route, language, or_again

_COUNTED_NOW = 12
_GATES_NAMED = 12
COLUMNS = ("dwellings", "occupied", "applied", "collected", "missing", "owners", "tenants", "people", "here",
           "elsewhere", "known", "new", "vehicles")  # fmt: skip

_OF_DWELLINGS = COLUMNS[:5]


class CommunityFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Compounds of one community, and their sum; ``total`` None where one row would only be said twice."""

    name: str
    lines: list[CountRow]
    total: Total | None


class Town(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the page."""

    lines: list[CountRow]
    groups: list[CommunityFigures]
    total: Total
    home: Home | None

    def number(self, figures: Figures, column: str) -> int | None:
        """A cell; None where it cannot be said: nobody has said where home is, or there is no dwelling register."""
        if column in ("here", "elsewhere"):
            here = None if self.home is None else figures.here(self.home)
            return figures.people - here if here is not None and column == "elsewhere" else here
        if column in _OF_DWELLINGS and not figures.dwellings:
            return None
        found: int = getattr(figures, column)
        return found

    @property
    def unregistered(self) -> list[Compound]:
        """Compounds without a dwelling register: nobody can say there who has not applied."""
        return [line.compound for line in self.lines if line.figures is not None and not line.figures.dwellings]

    @property
    def uncounted(self) -> list[Compound]:
        return [line.compound for line in self.lines if line.figures is None]

    @property
    def away(self) -> list[tuple[Compound, str, int]]:
        """(compound, gate, when it was heard of last)."""
        return [(line.compound, *gate) for line in self.lines for gate in line.away]


class TownPages:
    """Views of one centre, over the compounds the account may see."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        post = ("POST",)
        return (
            Route("/town", self.town, ("GET",), "coverage"),
            Route("/town/count", self.town_count, post, "coverage"),
            Route("/town.xlsx", self.town_sheet, post, "coverage"),
            Route("/town/home", self.town_home, post, "accounts"),
            Route("/town/community", self.town_community, post, "accounts"),
        )

    def town(self) -> Any:
        """The numbers, counted again where they are old: a few compounds at a time."""
        coverage.refresh(self._centre, [one.compound_id for one in self._mine()], g.staff.account)
        return render_template("office/town.html", form={}, **self._shown())

    def town_count(self) -> Any:
        """Count now, the oldest first."""
        mine = [one.compound_id for one in self._mine()]
        coverage.refresh(self._centre, mine, g.staff.account, _COUNTED_NOW, old_ms=0)
        return redirect(url_for("office.town"))

    def town_home(self) -> Any:
        """Say where here is."""
        return or_again(self._put_home, "office/town.html", self._shown)

    def _put_home(self) -> Any:
        put_home(self._centre, request.form.get("province", ""), request.form.get("city", ""), g.staff.account)
        return redirect(url_for("office.town"))

    def town_community(self) -> Any:
        """Say which community a compound belongs to."""
        return or_again(self._put_community, "office/town.html", self._shown)

    def _put_community(self) -> Any:
        form, chosen = request.form, request.form.get("compound", 0, type=int)
        if chosen not in {one.compound_id for one in self._mine()}:
            abort(400 if "compound" not in form else 404)
        coverage.put_community(self._centre, chosen, form.get("zh", ""), form.get("en", ""), g.staff.account)
        return redirect(url_for("office.town"))

    def town_sheet(self) -> Any:
        """The page as a file."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 (the answer closes it when it is sent)
        found, now = self._read(), self._moment(self._centre.now_ms())
        above = [f"{_t('town_as_of')} {now}", *(line for line in told(found, self._moment).splitlines()[1:])]
        headings = [_t("town_community"), _t("town_compound"), *(_t(f"town_col.{column}") for column in COLUMNS),
                    _t("town_share"), _t("town_counted")]  # fmt: skip
        write_table(file, headings, self._rows(found), words.WORDS["town_title"][0], above)
        with self._centre.store.write() as conn:
            audit.note_town(conn, self._centre.now_ms(), g.staff.account, "export-coverage", f"{len(found.lines)}")
        return attached(file, f"coverage-{now[:10]}.xlsx")

    def _rows(self, found: Town) -> Iterator[Sequence[str | int]]:
        for line in found.lines:
            compound, figures = line.compound, line.figures
            name = (_named(compound.community_zh, compound.community_en), _named(compound.name_zh, compound.name_en))
            if figures is not None:
                yield (*name, *_cells(found, figures), self._moment(line.as_of_ms))
            else:
                yield (*name, *("" for _ in COLUMNS), "", _t("town_never"))
        yield ("", _t("town_total"), *_cells(found, found.total.figures), "")

    def _shown(self) -> dict[str, Any]:
        found = self._read()
        return {"found": found, "columns": COLUMNS, "moment": self._moment, "paste": told(found, self._moment),
                "old": self._old, "gates_named": _GATES_NAMED}  # fmt: skip

    def _old(self, as_of_ms: int) -> bool:
        return as_of_ms <= self._centre.now_ms() - coverage.FRESH_MS

    def _mine(self) -> list[Compound]:
        found: list[Compound] = sign_in.compounds_of(self._centre, g.staff)
        return found

    def _read(self) -> Town:
        mine = self._mine()
        with self._centre.store.read() as conn:
            lines = coverage.lines(conn, mine, self._centre.now_ms())
            home, twice = get_home(conn), coverage.get_twice(conn)
        return Town(lines=lines, groups=_groups(lines, twice), total=coverage.total(lines, twice), home=home)

    def _moment(self, utc_ms: int) -> str:
        """A time as the town's clocks show it: its compounds lie in one timezone."""
        zone = next((one.timezone for one in self._mine()), "UTC")
        return datetime.fromtimestamp(utc_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def _groups(lines: Sequence[CountRow], twice: Twice) -> list[CommunityFigures]:
    """By community, in the order of the first compound of each; those without one come last."""
    found: dict[tuple[str, str], list[CountRow]] = {}
    for line in lines:
        found.setdefault((line.compound.community_zh, line.compound.community_en), []).append(line)
    none = found.pop(("", ""), None)
    named = [
        CommunityFigures(name=_named(*names), lines=inside, total=coverage.total(inside, twice))
        for names, inside in found.items()
    ]
    if none:
        total = coverage.total(none, twice) if named else None
        named.append(CommunityFigures(name=_t("town_no_community") if named else "", lines=none, total=total))
    return named


def _t(key: str) -> str:
    return words.say(language(), key)


def _named(zh: str, en: str) -> str:
    return (language() == "en" and en) or zh


def _cells(found: Town, figures: Figures) -> list[str | int]:
    numbers = [found.number(figures, column) for column in COLUMNS]
    share = "" if figures.share is None else f"{figures.share}%"
    return [*("" if number is None else number for number in numbers), share]


def told(found: Town, moment: Callable[[int], str]) -> str:
    """A few lines to paste into a chat: the numbers, and what they leave out."""
    total, figures = found.total, found.total.figures
    values = {column: found.number(figures, column) or 0 for column in COLUMNS} | {
        "compounds": total.compounds, "share": "–" if figures.share is None else f"{figures.share}%",
        "as_of": moment(total.as_of_ms) if total.as_of_ms else "–", "waiting": figures.waiting, "loose": figures.loose,
        "vacant": figures.of("vacant"), "elsewhere_homes": figures.of("not_here", "moved"),
        "refused": figures.of("refused"), "twice": total.twice, "paperless": figures.paperless,
    }  # fmt: skip
    keys = ["town_paste.head", "town_paste.homes", "town_paste.people"]
    keys += ["town_paste.registered"] if found.home is not None else []
    keys += ["town_paste.left_out"]
    return "\n".join(_t(key).format(**values) for key in keys)
