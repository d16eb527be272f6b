"""Tables that make themselves: residents, vehicles, applications; and their exports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

import msgspec
from flask import abort, current_app, g, redirect, render_template, request, url_for

from sync.server import words
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.office.attached import attached
from sync.server.people.home import get_home
from sync.server.people.households.households import local_day
from sync.server.people.registers import ages, exports, registers
from sync.server.people.registers.exports import RegisterSheet
from sync.server.people.registers.registers import ANY, SIZES, At, Name, Register, RegisterFilter
from sync.server.staff import roles
from sync.server.views import Route, language, local, or_again, page_number

_LONGEST_TERM = 64
_MOST_MARKS = 5
_NOTHING = b"no such mark"
_EMPTY = "-"
"""How an address says the empty code: a building that is none."""
_SHOWN: Mapping[Name, tuple[str, ...]] = {
    "residents": ("name", "dwelling", "relation", "sex_age", "document", "phone", "residence", "known", "stage",
                  "pass"),
    "vehicles": ("plate", "dwelling", "name", "phone", "energy", "stage", "pass"),
    "applications": ("household", "dwelling", "name", "phone", "people", "vehicles", "source", "warned", "stage",
                     "submitted", "slot"),
}  # fmt: skip
"""Columns of the page; the first one names the row."""
_WRITTEN: Mapping[Name, tuple[str, ...]] = {
    "residents": ("household", "dwelling", "name", "kind", "relation", "sex", "birth", "age", "doc_kind", "doc_number",
                  "phone", "province", "city", "known", "arrived", "stage", "pass_number", "pass_state", "submitted",
                  "collected"),
    "vehicles": ("household", "dwelling", "plate", "energy", "name", "phone", "stage", "pass_number", "pass_state",
                 "submitted", "collected"),
    "applications": ("household", "dwelling", "name", "phone", "people", "vehicles", "source", "warned", "stage",
                     "submitted", "decided", "decided_by", "slot", "collected"),
}  # fmt: skip
"""Columns of the file."""
_SORTS = {"document": "doc_masked", "phone": "phone_masked", "pass": "pass_state", "submitted": "submitted_ms",
          "slot": "slot_ms", "sex_age": "age"}  # fmt: skip
_FIRST_IS_MOST = ("submitted_ms", "slot_ms", "people", "vehicles")
"""What is sorted the other way at the first tap: who taps "submitted" wants the newest."""


class Registers:
    """Views of one centre. Each is given the compound of its address, which the account may see."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        both = ("GET", "POST")
        return (
            Route("residents", self.residents, both, "people"),
            Route("residents/export", self.residents_export, both, "export"),
            Route("vehicles", self.vehicles, both, "people"),
            Route("vehicles/export", self.vehicles_export, both, "export"),
            Route("applications", self.applications, both, "people"),
            Route("applications/export", self.applications_export, both, "export"),
        )

    def residents(self, compound: Compound) -> Any:
        """Who lives here, or said so."""
        return self._table(compound, "residents")

    def vehicles(self, compound: Compound) -> Any:
        """Vehicles of households."""
        return self._table(compound, "vehicles")

    def applications(self, compound: Compound) -> Any:
        """Every application, whatever became of it."""
        return self._table(compound, "applications")

    def residents_export(self, compound: Compound) -> Any:
        """Residents as a file."""
        return self._export(compound, "residents")

    def vehicles_export(self, compound: Compound) -> Any:
        """Vehicles as a file."""
        return self._export(compound, "vehicles")

    def applications_export(self, compound: Compound) -> Any:
        """Applications as a file."""
        return self._export(compound, "applications")

    # The page

    def _table(self, compound: Compound, name: Name) -> Any:
        if request.method == "POST":
            return redirect(self._sought(compound, name).url())
        query, at = read_query(name), self._at(compound)
        with self._centre.store.read() as conn:
            found = registers.find(conn, at, name, query.asked, query.page, query.size, facets=query.filters)
        query = msgspec.structs.replace(query, page=found.page)
        shape = registers.register(name, at)
        picked = registers.chosen(shape, query.asked)
        case = "office.case" if "office.case" in current_app.view_functions else ""
        return render_template(
            "office/register.html", name=name, names=registers.NAMES, found=found, query=query, sizes=SIZES,
            columns=_SHOWN[name], cells=lambda row: [_say(at, row, column) for column in _SHOWN[name]],
            facets=[Choice.of(query, shape, facet, found.counts[facet], picked) for facet in shape.facets
                    if query.filters and (len(found.counts[facet]) > 1 or facet in picked)],
            picked=[(facet, _option(facet, code), query.url(**{facet: _without(shape, facet)}))
                    for facet, code in picked.items()],
            sorts=[Sort.of(query, shape, column) for column in _SHOWN[name]], case=case,
            whose=lambda row: url_for(case, compound_id=compound.compound_id, household_id=row.household_id),
        )  # fmt: skip

    def _at(self, compound: Compound) -> At:
        now_ms = self._centre.now_ms()
        with self._centre.store.read() as conn:
            home = get_home(conn)
        today = local_day(compound, now_ms)
        ages.bring_up_to_date(self._centre, compound, today)
        return At(compound_id=compound.compound_id, now_ms=now_ms, today=today, home=home)

    def _sought(self, compound: Compound, name: Name) -> Query:
        """What the search form asks for. A full number goes into the address as its keyed hash only."""
        term = _clean(request.form.get("q", ""))
        marks = registers.marks_of(self._centre.vault, name, term, local_day(compound, self._centre.now_ms()))
        query = read_query(name)
        asked = msgspec.structs.replace(query.asked, term="" if marks else term, marks=marks)
        return msgspec.structs.replace(query, asked=asked, page=1)

    # The file

    def _export(self, compound: Compound, name: Name) -> Any:
        if request.method == "POST":
            return or_again(
                lambda: self._file(compound, name), "office/export.html", lambda: self._asked(compound, name)
            )
        return render_template("office/export.html", form={}, **self._asked(compound, name))

    def _asked(self, compound: Compound, name: Name) -> dict[str, Any]:
        query, at = read_query(name), self._at(compound)
        with self._centre.store.read() as conn:
            rows = registers.find(conn, at, name, query.asked, 1, 1, facets=False).total
            before = exports.newest(conn, compound.compound_id, name)
        picked = registers.chosen(registers.register(name, at), query.asked)
        return {"name": name, "rows": rows, "query": query, "why": exports.WHY, "before": before,
                "picked": [(facet, _option(facet, code)) for facet, code in picked.items()]}  # fmt: skip

    def _file(self, compound: Compound, name: Name) -> Any:
        form, query, at = request.form, read_query(name), self._at(compound)
        purpose = exports.check_purpose(form.get("why", ""), form.get("words", ""), "whole" in form)
        if purpose.whole and not roles.may(g.staff.role, "reveal"):
            abort(403)
        sheet = _sheet(compound, name, at, query.asked, purpose)
        file = exports.export(self._centre, at, name, query.asked, sheet, purpose, g.staff.account)
        named = f"{compound.compound_id}-{name}-{re.sub('[^0-9]', '', local(at.now_ms))}.xlsx"
        return attached(file, named)


# The address of a table


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What the address of a table says."""

    name: Name
    asked: RegisterFilter
    page: int
    size: int
    filters: bool = False
    """Whether what can be chosen is shown, with its counts."""

    def url(self, **changes: str) -> str:
        """The address of the table with something else asked; a change of what is asked begins at page 1. An empty
        value takes something out."""
        marks = ".".join(mark.hex() for mark in self.asked.marks)
        chosen = {facet: code or _EMPTY for facet, code in self.asked.chosen.items()}
        size = str(self.size) if self.size != SIZES[1] else ""
        down = "1" if self.asked.down else ""
        kept = {"q": self.asked.term, "m": marks, **chosen, "sort": self.asked.sort, "down": down, "size": size,
                "filters": "1" if self.filters else ""}  # fmt: skip
        kept |= {"page": str(self.page) if not changes and self.page > 1 else ""} | changes
        told = urlencode({name: value for name, value in kept.items() if value})
        here = url_for(f"office.{self.name}", compound_id=g.compound.compound_id)
        return f"{here}?{told}" if told else here

    @property
    def told(self) -> str:
        """The part after the question mark."""
        return self.url().partition("?")[2]


def read_query(name: Name) -> Query:
    """The query of the request. Invalid parts are left out, but an invalid mark finds nothing."""
    asked = request.args
    size = asked.get("size", SIZES[1], type=int)
    facets = ("building", "there", "stage", "collected", "relation", "kind", "registered", "known", "pass", "sex",
              "age", "energy", "source", "warned", "slot")  # fmt: skip
    chosen = {facet: _clean(asked[facet]).removeprefix(_EMPTY) for facet in facets if asked.get(facet)}
    return Query(
        name=name, page=page_number(), size=size if size in SIZES else SIZES[1], filters=asked.get("filters") == "1",
        asked=RegisterFilter(term=_clean(asked.get("q", "")), marks=_marks(asked.get("m", "")), chosen=chosen,
                    sort=asked.get("sort", "")[:20], down=asked.get("down") == "1"),
    )  # fmt: skip


def _clean(told: str) -> str:
    """What a person can have typed, of a length nobody needs more of."""
    return "".join(sign for sign in told if sign.isprintable()).strip()[:_LONGEST_TERM]


def _marks(told: str) -> tuple[bytes, ...]:
    if not told:
        return ()
    try:
        return tuple(bytes.fromhex(mark) for mark in told.split(".")[:_MOST_MARKS])
    except ValueError:
        return (_NOTHING,)


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A chip: what it says, how many rows it would leave, where it leads; chosen, it leads back."""

    label: str
    count: int
    url: str
    chosen: bool


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be chosen of a facet."""

    facet: str
    options: Sequence[Option]

    @classmethod
    def of(cls, query: Query, shape: Register, facet: str, counts: Mapping[str, int],
           picked: Mapping[str, str]) -> Choice:  # fmt: skip
        """Its codes in the order of the words, buildings as people count."""
        known = _codes(facet)
        rank = {code: place for place, code in enumerate(known)}
        codes = set(counts) | ({picked[facet]} if facet in picked else set())
        options = [
            Option(
                label=_option(facet, code), count=counts.get(code, 0), chosen=picked.get(facet) == code,
                url=query.url(**{facet: _without(shape, facet) if picked.get(facet) == code else code or _EMPTY}),
            )
            for code in sorted(codes, key=lambda code: (rank.get(code, len(rank)), _counted(code)))
        ]  # fmt: skip
        return cls(facet=facet, options=options)


def _without(shape: Register, facet: str) -> str:
    """What an address says for "whatever": nothing, unless there is a default to undo."""
    return ANY if facet in shape.defaults else ""


def _counted(code: str) -> str:
    return re.sub(r"\d+", lambda found: found[0].zfill(9), code)


class Sort(msgspec.Struct, frozen=True, kw_only=True):
    """A heading: where a tap on it leads (empty: the column cannot be sorted), and how it is sorted now."""

    column: str
    url: str
    now: str

    @classmethod
    def of(cls, query: Query, shape: Register, column: str) -> Sort:
        by = _SORTS.get(column, column)
        if by not in shape.sorts:
            return cls(column=column, url="", now="")
        known = query.asked.sort in shape.sorts
        now, down = (query.asked.sort, query.asked.down) if known else (shape.sort, shape.down)
        turned = not down if now == by else by in _FIRST_IS_MOST
        state = ("descending" if down else "ascending") if now == by else ""
        return cls(column=column, url=query.url(sort=by, down="1" if turned else ""), now=state)


# Words


def _t(key: str) -> str:
    return words.say(language(), key)


def _codes(facet: str) -> list[str]:
    """Codes of a facet in the order of the catalogue."""
    family = f"registers_{facet}."
    return [key.removeprefix(family) for key in words.WORDS if key.startswith(family)]


def _option(facet: str, code: str) -> str:
    if facet == "building":
        return code or _t("registers_no_building")
    return words.coded(language(), f"registers_{facet}", code)


def _age(at: At, born: str) -> int | str:
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return ""
    return at.today.year - day.year - ((at.today.month, at.today.day) < (day.month, day.day))


def _when(utc_ms: int) -> str:
    return local(utc_ms) if utc_ms else ""


def _say(at: At, row: Any, column: str, whole: Mapping[str, str] | None = None) -> str | int:
    """A cell in words. ``whole``: full numbers, in place of the masked ones, and the day of birth in place of its year:
    with the day, few numbers are left that a mask can mean."""
    if column in _CODED:
        return words.coded(language(), f"registers_{_CODED[column]}", getattr(row, column))
    if column in _MADE:
        return _MADE[column](at, row, whole or {})
    value: str | int = getattr(row, column)
    return value


_CODED = {"relation": "relation", "kind": "kind", "known": "known", "stage": "stage", "pass_state": "pass",
          "energy": "energy", "source": "source", "doc_kind": "doc"}  # fmt: skip
_MADE: Mapping[str, Callable[[At, Any, Mapping[str, str]], str | int]] = {
    "birth": lambda at, row, whole: row.birth if whole else row.birth[:4],
    "age": lambda at, row, whole: _age(at, row.birth),
    "sex": lambda at, row, whole: words.coded(language(), "registers_sex", row.sex),
    "sex_age": lambda at, row, whole: f"{words.coded(language(), 'registers_sex', row.sex)} {_age(at, row.birth)}",
    "document": lambda at, row, whole: f"{words.coded(language(), 'registers_doc', row.doc_kind)} {row.doc_masked}",
    "doc_number": lambda at, row, whole: whole.get("doc", row.doc_masked),
    "phone": lambda at, row, whole: whole.get("phone", row.phone_masked),
    "residence": lambda at, row, whole: f"{row.province} {row.city}".strip(),
    "warned": lambda at, row, whole: words.coded(language(), "registers_warned", "yes") if row.warned == "yes" else "",
    "pass": lambda at, row, whole: words.coded(language(), "registers_pass", row.pass_state),
    "submitted": lambda at, row, whole: _when(row.submitted_ms),
    "decided": lambda at, row, whole: _when(row.decided_ms),
    "slot": lambda at, row, whole: _when(row.slot_ms),
    "collected": lambda at, row, whole: _when(row.collected_ms),
}


def _sheet(compound: Compound, name: Name, at: At, asked: RegisterFilter, purpose: exports.Purpose) -> RegisterSheet:
    """How the file is worded: what it is, of when, by whom, what for and with what left out stands above its rows."""
    colon = ": " if language() == "en" else "："
    picked = registers.chosen(registers.register(name, at), asked)
    told = [f"{_t(f'registers_facet.{facet}')}{colon}{_option(facet, code)}" for facet, code in picked.items()]
    told += [asked.term] if asked.term else []
    told += [_t("registers_by_number")] if asked.marks else []
    masked = "registers_masked_residents" if name == "residents" else "registers_masked"
    lines = (
        ("compound", compound.name_en if language() == "en" else compound.name_zh), ("as_of", local(at.now_ms)),
        ("by", f"{g.staff.name} ({g.staff.account})"),
        ("why", f"{words.coded(language(), 'registers_why', purpose.code)} · {purpose.words}"),
        ("chosen", " · ".join(told) or _t("registers_all")),
        ("numbers", _t("registers_whole" if purpose.whole else masked)),
    )  # fmt: skip
    columns = _WRITTEN[name]
    return RegisterSheet(
        title=words.WORDS[f"registers_{name}"][0], above=[f"{_t(f'registers_above.{key}')}{colon}{value}"
                                                           for key, value in lines],
        headings=[_t(f"registers_col.{column}") for column in columns],
        cells=lambda row, whole: [_say(at, row, column, whole) for column in columns],
    )  # fmt: skip
