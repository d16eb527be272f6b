"""The numbers of compounds: who applied, who did not, who lives there, and what the numbers leave out.

Counted per compound, each in a transaction of its own, and kept with the moment of counting; a page reads what was
counted. There is no person in any of it: where somebody is in two compounds, what is kept says so without a name, a
number or a keyed hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, select, update

from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound, get_compound
from sync.server.centre.writing import Centre
from sync.server.people.dwellings import applied
from sync.server.people.dwellings.applied import State
from sync.server.people.home import Home
from sync.server.people.households.households import LIVE_STATES
from sync.server.people.identity import one_line
from sync.server.people.town_setting import put_setting

FRESH_MS = 10 * 60_000
MOST_AT_ONCE = 6
"""Compounds counted while somebody waits for a page; the rest keep their older time."""
AWAY_MS = 10 * 60_000
_TWICE = "twice"
_LONGEST_COMMUNITY = 60

_h, _p = tables.household.c, tables.person.c
_live = (_h.compound_id == _p.compound_id) & (_h.household_id == _p.household_id) & _h.state.in_(LIVE_STATES)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A compound at one moment. ``states`` counts dwellings of the register; ``present`` of those without an
    application where a visit met somebody. ``loose``: households whose room is not in the register; ``waiting``: not
    decided yet. ``people`` counts each paper once, and each of ``paperless`` by itself; ``places`` says where they are
    registered (``province city``), ``known`` how many the community knew before."""

    dwellings: int = 0
    states: dict[State, int] = {}
    present: int = 0
    households: int = 0
    owners: int = 0
    tenants: int = 0
    loose: int = 0
    waiting: int = 0
    people: int = 0
    paperless: int = 0
    known: int = 0
    places: dict[str, int] = {}
    vehicles: int = 0

    def of(self, *states: State) -> int:
        return sum(self.states.get(state, 0) for state in states)

    @property
    def occupied(self) -> int:
        """Dwellings with an application, and those where a visit met somebody."""
        return self.of("collected", "applied", "refused") + self.present

    @property
    def applied(self) -> int:
        """Dwellings with an application, collected or not."""
        return self.of("collected", "applied")

    @property
    def collected(self) -> int:
        return self.of("collected")

    @property
    def missing(self) -> int:
        """Dwellings that have to apply and have not."""
        return self.of("none")

    @property
    def new(self) -> int:
        return self.people - self.known

    @property
    def share(self) -> int | None:
        """Of the dwellings that have to apply, those that did, in percent, rounded down; None where there are none."""
        asked = self.applied + self.missing + self.of("refused")
        return self.applied * 100 // asked if asked else None

    def here(self, home: Home) -> int:
        """People registered at home."""
        return sum(number for place, number in self.places.items() if home.has(*_parted(place)))


class CountRow(msgspec.Struct, frozen=True, kw_only=True):
    """A compound's row. ``figures`` is None where it was never counted; ``away`` are its gates that have not been
    heard of, with the time they were last."""

    compound: Compound
    as_of_ms: int = 0
    figures: Figures | None = None
    away: tuple[tuple[str, int], ...] = ()


class Appearance(msgspec.Struct, frozen=True, array_like=True):
    """Somebody in one of several compounds."""

    compound_id: int
    known: bool
    place: str


class Twice(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody who is in more than one compound, by what is different there."""

    as_of_ms: int = 0
    people: list[list[Appearance]] = []


def _placed(province: str, city: str) -> str:
    return f"{province.strip()}\t{city.strip()}"


def _parted(place: str) -> tuple[str, str]:
    province, _, city = place.partition("\t")
    return province, city


# Counting


def count(centre: Centre, compound_id: int, by: str) -> Figures:
    """Count a compound anew and keep it. Raises NoSuchThing."""
    with centre.store.read() as conn:
        get_compound(conn, compound_id)
        figures, now_ms = measure(conn, compound_id), centre.now_ms()
    kept = {"as_of_ms": now_ms, "figures": msgspec.json.encode(figures).decode()}
    with centre.writing(compound_id, by, even_stopped=True) as writing:
        mine = tables.coverage.c.compound_id == compound_id
        writing.conn.execute(delete(tables.coverage).where(mine))
        writing.conn.execute(insert(tables.coverage).values(compound_id=compound_id, **kept))
    return figures


def measure(conn: Connection, compound_id: int) -> Figures:
    """The numbers of this moment."""
    states: Counter[State] = Counter()
    for counted in applied.counts(conn, compound_id).values():
        states.update(counted)
    present = sum(found["present"] for found in applied.count_missing(conn, compound_id).values())
    vehicles = (
        select(func.count()).select_from(tables.vehicle)
        .join(tables.household, (_h.compound_id == tables.vehicle.c.compound_id)
              & (_h.household_id == tables.vehicle.c.household_id))
        .where(tables.vehicle.c.compound_id == compound_id, _h.state.in_(LIVE_STATES))
    )  # fmt: skip
    return Figures(
        dwellings=sum(states.values()), states=dict(states), present=present,
        vehicles=conn.execute(vehicles).scalar_one(), **_households(conn, compound_id), **_people(conn, compound_id),
    )  # fmt: skip


def _households(conn: Connection, compound_id: int) -> dict[str, Any]:
    d = tables.dwelling.c
    same = (_p.compound_id == _h.compound_id, _p.household_id == _h.household_id)

    def with_one(relation: str) -> ColumnElement[bool]:
        return select(_p.person_id).where(*same, _p.relation == relation).correlate(tables.household).exists()

    def number(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    loose = d.dwelling_id.is_(None) | d.proposed
    wanted = (
        select(func.count(), number(with_one("owner")), number(~with_one("owner") & with_one("tenant")), number(loose),
               number(_h.state != "approved"))
        .select_from(tables.household)
        .outerjoin(tables.dwelling, (d.compound_id == _h.compound_id) & (d.dwelling_id == _h.dwelling_id))
        .where(_h.compound_id == compound_id, _h.state.in_(LIVE_STATES))
    )  # fmt: skip
    found = conn.execute(wanted).one()
    return dict(zip(("households", "owners", "tenants", "loose", "waiting"), map(int, found), strict=True))


def _people(conn: Connection, compound_id: int) -> dict[str, Any]:
    wanted = (
        select(_p.doc_mark, _p.known, _p.province, _p.city).join(tables.household, _live)
        .where(_p.compound_id == compound_id).order_by(_p.person_id)
    )  # fmt: skip
    seen: set[bytes] = set()
    places: Counter[str] = Counter()
    people = paperless = known = 0
    for row in conn.execute(wanted):
        if row.doc_mark in seen:
            continue
        if row.doc_mark:
            seen.add(row.doc_mark)
        people += 1
        paperless += not row.doc_mark
        known += bool(row.known)
        places[_placed(row.province, row.city)] += 1
    return {"people": people, "paperless": paperless, "known": known, "places": dict(places)}


def count_twice(centre: Centre) -> Twice:
    """Look for people who are in several compounds, and keep what the totals need of them: one read of everybody."""
    with centre.store.read() as conn:
        found = Twice(as_of_ms=centre.now_ms(), people=_appearances(conn))
    kept = msgspec.json.encode(found).decode()
    with centre.store.write() as conn:
        put_setting(conn, _TWICE, kept)
    return found


def _appearances(conn: Connection) -> list[list[Appearance]]:
    several = (
        select(_p.doc_mark).where(_p.doc_mark != b"").group_by(_p.doc_mark)
        .having(func.min(_p.compound_id) != func.max(_p.compound_id)).subquery()
    )  # fmt: skip
    wanted = (
        select(_p.doc_mark, _p.compound_id, _p.known, _p.province, _p.city)
        .join(several, several.c.doc_mark == _p.doc_mark).join(tables.household, _live)
        .order_by(_p.compound_id, _p.person_id)
    )  # fmt: skip
    found: dict[bytes, dict[int, Appearance]] = {}
    for row in conn.execute(wanted):
        seen = Appearance(row.compound_id, bool(row.known), _placed(row.province, row.city))
        found.setdefault(row.doc_mark, {}).setdefault(row.compound_id, seen)
    return [list(once.values()) for once in found.values() if len(once) > 1]


def refresh(
    centre: Centre, compound_ids: Iterable[int], by: str, most: int = MOST_AT_ONCE, old_ms: int = FRESH_MS
) -> int:
    """Count those compounds again whose numbers are older than ``old_ms``, the oldest first, at most ``most``; how many
    were. With them, at most once, who is in several."""
    wanted, before_ms = list(compound_ids), centre.now_ms() - old_ms
    with centre.store.read() as conn:
        known = _as_of(conn, wanted)
        twice = _twice(conn)
    due = sorted((known.get(compound_id, 0), compound_id) for compound_id in wanted)
    due = [(as_of_ms, compound_id) for as_of_ms, compound_id in due if as_of_ms <= before_ms][:most]
    for _, compound_id in due:
        count(centre, compound_id, by)
    if len(wanted) > 1 and twice.as_of_ms <= before_ms:
        count_twice(centre)
    return len(due)


# Reading


def _as_of(conn: Connection, compound_ids: Sequence[int]) -> dict[int, int]:
    columns = tables.coverage.c
    wanted = select(columns.compound_id, columns.as_of_ms).where(columns.compound_id.in_(compound_ids))
    return {row.compound_id: row.as_of_ms for row in conn.execute(wanted)}


def _twice(conn: Connection) -> Twice:
    kept = conn.execute(select(tables.setting.c.value).where(tables.setting.c.name == _TWICE)).scalar()
    return msgspec.json.decode(kept, type=Twice) if kept else Twice()


def lines(conn: Connection, compounds: Sequence[Compound], now_ms: int) -> list[CountRow]:
    """What was counted last of each compound, in their order; nothing is counted."""
    ids, columns = [compound.compound_id for compound in compounds], tables.coverage.c
    kept = {row.compound_id: row for row in conn.execute(select(tables.coverage).where(columns.compound_id.in_(ids)))}
    away = _away(conn, ids, now_ms)
    found = []
    for compound in compounds:
        row, gates = kept.get(compound.compound_id), tuple(away.get(compound.compound_id, ()))
        figures = None if row is None else msgspec.json.decode(row.figures, type=Figures)
        as_of_ms = 0 if row is None else row.as_of_ms
        found.append(CountRow(compound=compound, as_of_ms=as_of_ms, figures=figures, away=gates))
    return found


def _away(conn: Connection, compound_ids: Sequence[int], now_ms: int) -> dict[int, list[tuple[str, int]]]:
    device, gate = tables.device.c, tables.gate.c
    heard = case((device.seen_ms > device.enrolled_ms, device.seen_ms), else_=device.enrolled_ms)
    wanted = (
        select(device.compound_id, gate.name, heard.label("heard_ms"))
        .join(tables.gate, (gate.compound_id == device.compound_id) & (gate.gate_id == device.gate_id))
        .where(device.compound_id.in_(compound_ids), device.state == "active", heard < now_ms - AWAY_MS)
        .order_by(device.compound_id, heard)
    )  # fmt: skip
    found: dict[int, list[tuple[str, int]]] = {}
    for row in conn.execute(wanted):
        found.setdefault(row.compound_id, []).append((row.name, row.heard_ms))
    return found


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """Of several compounds: the sum, in which ``twice`` people who are in more than one are counted once."""

    figures: Figures
    twice: int
    compounds: int
    as_of_ms: int
    """The oldest of the times of counting."""


def get_twice(conn: Connection) -> Twice:
    """Who is in several compounds, as it was looked for last."""
    return _twice(conn)


def total(found: Iterable[CountRow], twice: Twice) -> Total:
    """The sum of those that were counted. Pure."""
    counted = {line.compound.compound_id: line for line in found if line.figures is not None}
    figures = [line.figures for line in counted.values() if line.figures is not None]
    summed: dict[str, Any] = {
        name: sum(getattr(one, name) for one in figures)
        for name in Figures.__struct_fields__ if name not in ("states", "places")
    }  # fmt: skip
    summed["states"], summed["places"] = _added(one.states for one in figures), _added(one.places for one in figures)
    several = [met for met in ([at for at in one if at.compound_id in counted] for one in twice.people) if len(met) > 1]
    for met in several:
        _once(summed, met)
    return Total(figures=Figures(**summed), twice=len(several), compounds=len(counted),
                 as_of_ms=min((line.as_of_ms for line in counted.values()), default=0))  # fmt: skip


def _added(counts: Iterable[Mapping[Any, int]]) -> dict[Any, int]:
    found: Counter[Any] = Counter()
    for one in counts:
        found.update(one)
    return dict(found)


def _once(summed: dict[str, Any], met: Sequence[Appearance]) -> None:
    """Take all but one appearance out of the sum: who is known anywhere is known, and is registered where the first
    form says."""
    summed["people"] -= len(met) - 1
    known = sum(at.known for at in met)
    summed["known"] -= max(0, known - 1)
    for at in met[1:]:
        summed["places"][at.place] = max(0, summed["places"].get(at.place, 0) - 1)


# Communities


def put_community(centre: Centre, compound_id: int, zh: str, en: str, by: str) -> None:
    """Say which community a compound belongs to; empty: none. Raises CentreError, NoSuchThing."""
    zh, en = one_line(zh), one_line(en)
    if bool(zh) != bool(en) or not all(name.isprintable() and len(name) <= _LONGEST_COMMUNITY for name in (zh, en)):
        raise CentreError(
            f"社区要有中文名和英文名，各不超过{_LONGEST_COMMUNITY}字。",
            f"A community has a Chinese and an English name, at most {_LONGEST_COMMUNITY} characters each.",
        )
    with centre.writing(compound_id, by) as writing:
        mine = tables.compound.c.compound_id == compound_id
        writing.conn.execute(update(tables.compound).where(mine).values(community_zh=zh, community_en=en))
        writing.audit("community", zh)
        audit.note_town(writing.conn, writing.now_ms, by, "community", f"{compound_id} {zh}".strip())
