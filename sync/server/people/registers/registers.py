"""Tables that make themselves: residents, vehicles and applications of one compound, searched, filtered, sorted and
paged in the database.

What is shown is masked. A full telephone or document number finds its person by its keyed hash and is never compared,
kept or put into an address as it is. Days of birth and arrival stand sealed and are opened row by row, so nothing is
sorted or chosen by them: an age is chosen by its band (ages.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, case, func, literal, or_, select

from sync.server.centre import sealing, tables
from sync.server.centre.errors import CentreError
from sync.server.centre.vault import Vault
from sync.server.people import identity
from sync.server.people.address import read_words
from sync.server.people.home import Home
from sync.server.people.households.field_groups import BIRTH, TRAVEL, exported_of_person
from sync.server.people.households.households import LIVE_STATES
from sync.server.people.households.sealed_answers import AGE_BANDS, open_answers

Name = Literal["residents", "vehicles", "applications"]
NAMES: tuple[Name, ...] = get_args(Name)
SIZES = (25, 50, 100, 200)
ANY = "any"
"""Chosen for a facet that would otherwise have its default."""

_h, _p, _v, _d, _pass = (
    tables.household.c, tables.person.c, tables.vehicle.c, tables.dwelling.c, tables.pass_.c
)  # fmt: skip
_PASSPORT = re.compile(r"(?=(?:[A-Z]*[0-9]){5})[A-Z0-9]{7,20}")
_OUR_NUMBER = re.compile(r"\s*[0-9]+-H?[0-9]+\s*", re.IGNORECASE)


class At(msgspec.Struct, frozen=True, kw_only=True):
    """Which compound, at which moment; ``today`` in its timezone. ``home`` None: nobody has said where here is."""

    compound_id: int
    now_ms: int
    today: date
    home: Home | None


class RegisterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to see. ``marks`` are keyed hashes of a full number, in place of a term. ``chosen`` is
    facet → code."""

    term: str = ""
    marks: tuple[bytes, ...] = ()
    chosen: Mapping[str, str] = {}
    sort: str = ""
    down: bool = False


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """A person of a household. ``pass_number`` is empty before the approval."""

    row_id: int
    household_id: int
    household: str
    name: str
    dwelling: str
    relation: str
    kind: str
    sex: str
    birth: str
    doc_kind: str
    doc_masked: str
    phone_masked: str
    province: str
    city: str
    known: str
    arrived: str
    stage: str
    pass_number: str
    pass_state: str
    submitted_ms: int
    collected_ms: int


class Car(msgspec.Struct, frozen=True, kw_only=True):
    """A vehicle of a household, and who applied."""

    row_id: int
    household_id: int
    household: str
    plate: str
    energy: str
    dwelling: str
    name: str
    phone_masked: str
    stage: str
    pass_number: str
    pass_state: str
    submitted_ms: int
    collected_ms: int


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """An application, who made it, and how many it is for."""

    row_id: int
    household_id: int
    household: str
    name: str
    dwelling: str
    phone_masked: str
    people: int
    vehicles: int
    source: str
    warned: str
    stage: str
    decided_by: str
    submitted_ms: int
    decided_ms: int
    slot_ms: int
    collected_ms: int


Row = Resident | Car | Applied


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """One table: ``row`` is made of ``shown`` and of what ``opens`` reads in the sealed ``answers``. ``full`` are the
    numbers that stand sealed in the row of ``owner``. ``facets`` are what can be chosen, ``defaults`` what is unless
    said otherwise."""

    row: type[Row]
    table: Any
    source: FromClause
    shown: Mapping[str, ColumnElement[Any]]
    owner: Table
    full: tuple[str, ...]
    sorts: Mapping[str, ColumnElement[Any]]
    facets: Mapping[str, ColumnElement[Any]]
    matches: Callable[[RegisterFilter], list[ColumnElement[bool]]]
    sort: str
    down: bool = False
    defaults: Mapping[str, str] = {}
    answers: tuple[str, ...] = ()
    opens: Callable[[Vault, sealing.RowValues], dict[str, str]] = lambda vault, row: {}

    def hidden(self, whole: bool) -> dict[str, ColumnElement[Any]]:
        """Columns beside ``shown``: the key, what is opened in every row, and full numbers if ``whole``."""
        full = tuple(f"sealed_{name}" for name in self.full) if whole else ()
        names = (*sealing.key_of(self.owner), *self.answers, *full)
        return {name: self.owner.c[name] for name in names if name not in self.shown}

    def made(self, vault: Vault, row: sealing.RowValues) -> Row:
        """Raises VaultError."""
        return self.row(**{name: row[name] for name in self.shown} | self.opens(vault, row))

    @property
    def key(self) -> ColumnElement[Any]:
        return self.shown["row_id"]


class RegisterPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of rows; ``total`` of all pages. ``counts`` is facet → code → rows there would be with that code and all
    else as chosen."""

    rows: list[Any]
    total: int
    page: int
    pages: int
    counts: dict[str, dict[str, int]]


# The three registers


def register(name: Name, at: At) -> Register:
    """The table of that name."""
    return {"residents": _residents, "vehicles": _vehicles, "applications": _applications}[name](at)


_STAGE: ColumnElement[str] = case(((_h.state == "approved") & (_h.collected_ms > 0), "collected"), else_=_h.state)
_BUILDING: ColumnElement[str] = func.coalesce(_d.building, "")
_PLACE: ColumnElement[str] = func.coalesce(_d.place, literal("~") + _h.dwelling)
_COLLECTED = case((_h.collected_ms > 0, "yes"), else_="no")
_THERE = case((_h.state.in_(LIVE_STATES), "yes"), else_="no")


def _pass_state(at: At) -> ColumnElement[str]:
    return case(
        (_pass.pass_id.is_(None), "none"), (_pass.state.in_(("revoked", "suspended")), _pass.state),
        (_pass.valid_until_ms <= at.now_ms, "expired"), else_=_pass.state,
    )  # fmt: skip


def _joined(table: Any) -> FromClause:
    """A table of a household's things with their household, dwelling and pass."""
    of = table.c
    return (  # type: ignore[no-any-return]
        table.join(tables.household, (_h.compound_id == of.compound_id) & (_h.household_id == of.household_id))
        .outerjoin(tables.dwelling, (_d.compound_id == _h.compound_id) & (_d.dwelling_id == _h.dwelling_id))
        .outerjoin(tables.pass_, (_pass.compound_id == of.compound_id) & (_pass.pass_id == of.pass_id))
    )


def _common(at: At) -> dict[str, ColumnElement[Any]]:
    return {"household_id": _h.household_id, "household": _h.number, "dwelling": _h.dwelling, "stage": _STAGE,
            "submitted_ms": _h.submitted_ms, "collected_ms": _h.collected_ms}  # fmt: skip


def _of_pass(at: At) -> dict[str, ColumnElement[Any]]:
    return {"pass_number": func.coalesce(_pass.number, ""), "pass_state": _pass_state(at)}


def _residents(at: At) -> Register:
    known = case((_p.known, "known"), else_="new")
    shown = {"row_id": _p.person_id, "known": known, **_common(at), **_of_pass(at),
             **{name: _p[name] for name in exported_of_person() if name in _p}}  # fmt: skip
    facets = {
        "building": _BUILDING, "there": _THERE, "stage": _STAGE, "collected": _COLLECTED, "relation": _p.relation,
        "kind": _p.kind, "registered": _registered(at), "known": known, "pass": _pass_state(at), "sex": _p.sex,
        "age": _AGE,
    }  # fmt: skip
    sorts = {name: shown[name] for name in ("name", "relation", "sex", "stage", "household", "known", "pass_state",
                                            "doc_masked", "phone_masked", "submitted_ms")}  # fmt: skip
    residence = (_p.province + literal(" ") + _p.city).label("residence")
    return Register(
        row=Resident, table=tables.person, source=_joined(tables.person), shown=shown, facets=facets,
        owner=tables.person, full=("doc", "phone"), matches=_match_person, answers=(BIRTH, TRAVEL), opens=_open_person,
        sorts={**sorts, "age": _p.age_band, "dwelling": _PLACE, "residence": residence}, sort="dwelling",
        defaults={"there": "yes"},
    )  # fmt: skip


def _registered(at: At) -> ColumnElement[Any]:
    if at.home is None:
        return literal("unset")
    here = _p.province.in_(at.home.provinces) & _p.city.in_(at.home.cities)
    return case((here, "here"), else_="elsewhere")


_AGE = case(
    *((_p.age_band == years, str(years)) for years in AGE_BANDS), else_="unknown",
)  # fmt: skip


def _open_person(vault: Vault, row: sealing.RowValues) -> dict[str, str]:
    opened = open_answers(vault, row)
    return {name: opened[name] for name in exported_of_person() if name in opened}


def _vehicles(at: At) -> Register:
    energy = case((func.length(_v.plate) == 8, "new"), else_="fuel")
    shown = {"row_id": _v.vehicle_id, "plate": _v.plate, "energy": energy, "name": _applicant(_v), **_common(at),
             **_of_pass(at), "phone_masked": _h.phone_masked}  # fmt: skip
    facets = {"building": _BUILDING, "there": _THERE, "stage": _STAGE, "collected": _COLLECTED,
              "pass": _pass_state(at), "energy": energy}  # fmt: skip
    names = ("plate", "energy", "name", "phone_masked", "stage", "household", "pass_state", "submitted_ms")
    return Register(
        row=Car, table=tables.vehicle, source=_joined(tables.vehicle), shown=shown, facets=facets,
        owner=tables.household, full=("phone",), matches=_match_vehicle, sort="dwelling", defaults={"there": "yes"},
        sorts={name: shown[name] for name in names} | {"dwelling": _PLACE},
    )  # fmt: skip


def _applications(at: At) -> Register:
    warned = case((_h.sealed_warnings != b"", "yes"), else_="no")
    same = ("phone_masked", "source", "decided_by", "decided_ms", "slot_ms")
    shown = {
        "row_id": _h.household_id, "name": _applicant(_h), "warned": warned, **_common(at),
        "people": _how_many(tables.person), "vehicles": _how_many(tables.vehicle), **{name: _h[name] for name in same},
    }  # fmt: skip
    facets = {
        "building": _BUILDING, "stage": _STAGE, "collected": _COLLECTED, "source": _h.source, "warned": warned,
        "slot": case((_h.slot_ms > 0, "yes"), else_="no"),
    }  # fmt: skip
    names = ("household", "name", "phone_masked", "people", "vehicles", "source", "warned", "stage", "submitted_ms",
             "slot_ms", "collected_ms")  # fmt: skip
    source = tables.household.outerjoin(
        tables.dwelling, (_d.compound_id == _h.compound_id) & (_d.dwelling_id == _h.dwelling_id)
    )
    return Register(
        row=Applied, table=tables.household, source=source, shown=shown, facets=facets, sort="submitted_ms", down=True,
        owner=tables.household, full=("phone",), matches=_match_application,
        sorts={name: shown[name] for name in names} | {"dwelling": _PLACE},
    )  # fmt: skip


def _applicant(of: Any) -> ColumnElement[Any]:
    first = tables.person.alias("applicant")
    mine = (first.c.compound_id == of.compound_id, first.c.household_id == of.household_id, first.c.place == 0)
    return func.coalesce(select(first.c.name).where(*mine).limit(1).scalar_subquery(), "")


def _how_many(table: Any) -> ColumnElement[Any]:
    mine = (table.c.compound_id == _h.compound_id, table.c.household_id == _h.household_id)
    return select(func.count()).select_from(table).where(*mine).correlate(tables.household).scalar_subquery()


# Searching


def marks_of(vault: Vault, name: Name, words: str, today: date) -> tuple[bytes, ...]:
    """The keyed hashes of what is a full telephone or document number; none for any other term."""
    found = []
    with suppress(CentreError):
        found.append(vault.mark("phone", identity.check_phone(words)))
    kinds: Sequence[str] = ("id_card", "hk_macau", "taiwan")
    if name != "vehicles" and _PASSPORT.fullmatch(identity.plain(words)) and not _OUR_NUMBER.fullmatch(words):
        kinds = (*kinds, "passport")
    for kind in kinds:
        with suppress(CentreError):
            found.append(vault.mark("doc", identity.check_document(kind, words, today).text))
    return tuple(found)


def _match_household(asked: RegisterFilter) -> list[ColumnElement[bool]]:
    """Conditions of which one is enough."""
    if asked.marks:
        return [_h.phone_mark.in_(asked.marks)]
    number = asked.term.upper()
    found: list[ColumnElement[bool]] = [
        _h.dwelling.startswith(asked.term, autoescape=True), _h.number.startswith(number, autoescape=True)
    ]  # fmt: skip
    if (address := read_words(asked.term)) is not None:
        found.append(_h.dwelling == address.name)
    if number.removeprefix("H").isdecimal():
        found.append(_h.household_id == min(int(number.removeprefix("H")), 2**62))
    return found


def _match_person(asked: RegisterFilter) -> list[ColumnElement[bool]]:
    if asked.marks:
        return [_p.phone_mark.in_(asked.marks), _p.doc_mark.in_(asked.marks)]
    return [_p.name.contains(asked.term, autoescape=True), *_match_household(asked)]


def _somebody(asked: RegisterFilter) -> ColumnElement[bool]:
    """A person of the household is meant."""
    one = tables.person.alias("one")
    meant = (
        or_(one.c.phone_mark.in_(asked.marks), one.c.doc_mark.in_(asked.marks))
        if asked.marks
        else one.c.name.contains(asked.term, autoescape=True)
    )
    mine = (one.c.compound_id == _h.compound_id, one.c.household_id == _h.household_id)
    return select(one.c.person_id).where(*mine, meant).correlate(tables.household).exists()


def _match_vehicle(asked: RegisterFilter) -> list[ColumnElement[bool]]:
    plate = identity.plain(asked.term)
    by_plate = [_v.plate.contains(plate, autoescape=True)] if plate else []
    return [*by_plate, _somebody(asked), *_match_household(asked)]


def _match_application(asked: RegisterFilter) -> list[ColumnElement[bool]]:
    return [_somebody(asked), *_match_household(asked)]


# Reading


def chosen(found: Register, asked: RegisterFilter) -> dict[str, str]:
    """What is chosen, defaults included. A stage somebody asks for is not hidden by a default."""
    picked = {facet: code for facet, code in asked.chosen.items() if facet in found.facets}
    defaults = {} if "stage" in picked else dict(found.defaults)
    return {facet: code for facet, code in (defaults | picked).items() if code != ANY}


def find(
    conn: Connection, at: At, name: Name, asked: RegisterFilter, page: int, size: int, facets: bool = True
) -> RegisterPage:
    """A page of a table; the last one where there are fewer pages. Three statements, whatever is asked. Without
    ``facets`` only the rows are counted, which is most of the work less."""
    found = register(name, at)
    picked = chosen(found, asked)
    total, counts = _fold(conn, at, found, asked, picked) if facets else (_total(conn, at, found, asked, picked), {})
    pages = max(1, -(-total // size))
    page = max(1, min(page, pages))
    keys = _ordered(select(found.key), at, found, asked, picked).limit(size).offset((page - 1) * size)
    wanted = list(conn.execute(keys).scalars())
    return RegisterPage(rows=_rows(conn, at, found, wanted), total=total, page=page, pages=pages, counts=counts)


def _rows(conn: Connection, at: At, found: Register, keys: list[int]) -> list[Row]:
    shown = _base(_select({**found.shown, **found.hidden(False)}), at, found).where(found.key.in_(keys))
    vault = sealing.vault_of(conn)
    rows = {row["row_id"]: found.made(vault, row) for row in conn.execute(shown).mappings()}
    return [rows[key] for key in keys]


def stream(
    conn: Connection, at: At, name: Name, asked: RegisterFilter, whole: bool
) -> Iterator[tuple[Any, dict[str, str]]]:
    """Every row that is asked for, in order, without holding them: (row, full numbers, only if ``whole``)."""
    found, vault = register(name, at), sealing.vault_of(conn)
    columns = _select({**found.shown, **found.hidden(whole)})
    wanted = _ordered(columns, at, found, asked, chosen(found, asked))
    for row in conn.execution_options(yield_per=500).execute(wanted).mappings():
        full = sealing.open_words(vault, found.owner, row, *found.full) if whole else {}
        yield found.made(vault, row), full


def _select(columns: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
    return select(*(column.label(name) for name, column in columns.items()))


def _base(wanted: Select[Any], at: At, found: Register) -> Select[Any]:
    """The rows of a compound. That a household has a number makes the database read them household by household, in
    the order in which what they are joined with lies beside each other: three times as fast."""
    of = found.table.c
    return wanted.select_from(found.source).where(of.compound_id == at.compound_id, of.household_id > 0)


def _searched(wanted: Select[Any], at: At, found: Register, asked: RegisterFilter) -> Select[Any]:
    wanted = _base(wanted, at, found)
    return wanted.where(or_(*found.matches(asked))) if asked.term or asked.marks else wanted


def _ordered(
    wanted: Select[Any], at: At, found: Register, asked: RegisterFilter, picked: Mapping[str, str]
) -> Select[Any]:
    wanted = _searched(wanted, at, found, asked).where(*(found.facets[facet] == code for facet, code in picked.items()))
    known = asked.sort in found.sorts
    column, down = found.sorts[asked.sort if known else found.sort], asked.down if known else found.down
    return wanted.order_by(column.desc(), found.key.desc()) if down else wanted.order_by(column, found.key)


def _total(conn: Connection, at: At, found: Register, asked: RegisterFilter, picked: Mapping[str, str]) -> int:
    wanted = _searched(select(func.count()), at, found, asked)
    wanted = wanted.where(*(found.facets[facet] == code for facet, code in picked.items()))
    total: int = conn.execute(wanted).scalar_one()
    return total


def _fold(conn: Connection, at: At, found: Register, asked: RegisterFilter,
          picked: Mapping[str, str]) -> tuple[int, dict[str, dict[str, int]]]:  # fmt: skip
    """(rows, facet → code → rows), out of one grouped query over all facets."""
    facets = list(found.facets)
    expressions = [found.facets[facet].label(f"f{place}") for place, facet in enumerate(facets)]
    inner = _searched(select(*expressions), at, found, asked).subquery()
    grouped = select(*inner.c, func.count()).group_by(*inner.c)
    wanted = [(place, picked[facet]) for place, facet in enumerate(facets) if facet in picked]
    counts: list[dict[str, int]] = [{} for _ in facets]
    total = 0
    for row in conn.execute(grouped).all():
        number = row[-1]
        missed = [place for place, code in wanted if row[place] != code]
        if not missed:
            total += number
            for place, counted in enumerate(counts):
                counted[row[place]] = counted.get(row[place], 0) + number
        elif len(missed) == 1:
            counted = counts[missed[0]]
            counted[row[missed[0]]] = counted.get(row[missed[0]], 0) + number
    return total, dict(zip(facets, counts, strict=True))
