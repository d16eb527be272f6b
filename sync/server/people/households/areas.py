"""The town's dated list of epidemic areas, and which of them a journey touches.

Only travel counts. Where somebody is registered says nothing of where they have been, and is never compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.places import all_compounds
from sync.server.centre.sealing import open_words, vault_of
from sync.server.centre.writing import Centre
from sync.server.people.households.application import Journey
from sync.server.people.households.field_groups import TRAVEL
from sync.server.people.households.sealed_answers import KEYS, open_travel

UNDECIDED = ("applied", "correct", "observe")
_LONGEST = 30
_PAGE = 500
Travel = tuple[int, Mapping[str, str], Sequence[Journey]]
"""A person's household, answers about travel and health, and stays."""
_ENDINGS = (
    "维吾尔自治区", "壮族自治区", "回族自治区", "特别行政区", "自治区", "自治州", "自治县", "地区", "省", "市",
    "区", "县", "盟",
)  # fmt: skip


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """A place and the days it was, or is, one. An empty ``city`` or ``district`` means all of it, an empty
    ``until_day`` still."""

    area_id: int = 0
    province: str
    city: str = ""
    district: str = ""
    from_day: str
    until_day: str = ""
    added_by: str = ""
    added_ms: int = 0

    @property
    def place(self) -> str:
        return " ".join(part for part in (self.province, self.city, self.district) if part)


def touches(areas: Iterable[Area], journeys: Iterable[Journey]) -> list[Area]:
    """The areas where somebody was on a day of theirs, in the order of ``areas``. Pure.

    Places are compared as far as the area names them, with or without 省, 市, 区 and the like. Somebody who names the
    city and no district may have been in any of its districts.
    """
    stays = list(journeys)
    return [area for area in areas if any(_at_the_time(area, stay) and _there(area, stay) for stay in stays)]


def _at_the_time(area: Area, stay: Journey) -> bool:
    begun = not stay.until_day or area.from_day <= stay.until_day
    return begun and (not area.until_day or stay.from_day <= area.until_day)


def _there(area: Area, stay: Journey) -> bool:
    province = _same(area.province, stay.province)
    city = not area.city or _same(area.city, stay.city)
    return province and city and (not area.district or not stay.district or _same(area.district, stay.district))


def _same(one: str, other: str) -> bool:
    """Whether two names may be one place: 恩施 is 恩施土家族苗族自治州."""
    short, long = sorted((_bare(one), _bare(other)), key=len)
    return short == long or (len(short) > 1 and long.startswith(short))


def _bare(name: str) -> str:
    name = "".join(name.split()).casefold()
    return next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end) and len(name) > len(end) + 1), name)


# The list


def list_areas(conn: Connection) -> list[Area]:
    """By place, the newest of a place first."""
    columns = tables.area.c
    order = (columns.province, columns.city, columns.district, columns.from_day.desc(), columns.area_id)
    return [Area(**row) for row in conn.execute(select(tables.area).order_by(*order)).mappings()]


def add_area(centre: Centre, area: Area, by: str) -> None:
    """Raises CentreError for a place that is none, days that are none, or one that is on the list."""
    area = _checked(area)
    with centre.store.write() as conn:
        if any(_key(known) == _key(area) for known in list_areas(conn)):
            raise CentreError("名单上已有这个地区和这个起始日。", "This area is on the list with this first day.")
        number = (conn.execute(select(func.max(tables.area.c.area_id))).scalar() or 0) + 1
        row = msgspec.structs.asdict(area) | {"area_id": number, "added_by": by, "added_ms": centre.now_ms()}
        conn.execute(insert(tables.area).values(row))
        audit.note_town(conn, centre.now_ms(), by, "add-area", _told(area))


def end_area(centre: Centre, area_id: int, until_day: str, by: str) -> None:
    """Say what the last day was; empty: it still is one. Raises CentreError, NoSuchThing."""
    with centre.store.write() as conn:
        area = _checked(msgspec.structs.replace(_get(conn, area_id), until_day=until_day))
        ended = update(tables.area).where(tables.area.c.area_id == area_id)
        conn.execute(ended.values(until_day=area.until_day))
        audit.note_town(conn, centre.now_ms(), by, "end-area", _told(area))


def remove_area(centre: Centre, area_id: int, by: str) -> None:
    """Take one off the list that should not have been on it; the record says which. Raises NoSuchThing."""
    with centre.store.write() as conn:
        area = _get(conn, area_id)
        conn.execute(delete(tables.area).where(tables.area.c.area_id == area_id))
        audit.note_town(conn, centre.now_ms(), by, "remove-area", _told(area))


def count_undecided(conn: Connection, areas: Iterable[Area]) -> dict[int, int]:
    """Area → applications without a decision in which somebody was there at the time, in all compounds. Only those that
    are marked with ``travel`` are opened whole, as they were marked when they came or when the list last changed."""
    listed = list(areas)
    counted: dict[int, set[tuple[int, int]]] = {area.area_id: set() for area in listed}
    for compound in all_compounds(conn):
        for household_id, _, stays in _travels(conn, compound.compound_id, _marked(conn, compound.compound_id)):
            for area in touches(listed, stays):
                counted[area.area_id].add((compound.compound_id, household_id))
    return {area_id: len(homes) for area_id, homes in counted.items()}


def _marked(conn: Connection, compound_id: int) -> list[int]:
    of, vault = tables.household.c, vault_of(conn)
    wanted = select(of.compound_id, of.household_id, of.sealed_warnings).where(
        *_waiting(compound_id), of.sealed_warnings != b""
    )
    rows = conn.execute(wanted).mappings()
    opened = ((row["household_id"], open_words(vault, tables.household, row, "warnings")["warnings"]) for row in rows)
    return [household_id for household_id, codes in opened if "travel" in codes.split(",")]


def travels_undecided(conn: Connection, compound_id: int) -> Iterator[Travel]:
    """Of everybody in an application without a decision, opened page by page."""
    waiting = select(tables.household.c.household_id).where(*_waiting(compound_id))
    return _travels(conn, compound_id, conn.execute(waiting).scalars().all())


def _waiting(compound_id: int) -> tuple[ColumnElement[bool], ...]:
    of = tables.household.c
    return of.compound_id == compound_id, of.state.in_(UNDECIDED)


def _travels(conn: Connection, compound_id: int, household_ids: Sequence[int]) -> Iterator[Travel]:
    of, vault = tables.person.c, vault_of(conn)
    for at in range(0, len(household_ids), _PAGE):
        mine = (of.compound_id == compound_id, of.household_id.in_(household_ids[at : at + _PAGE]))
        for row in conn.execute(select(*(of[name] for name in (*KEYS, TRAVEL))).where(*mine)).mappings():
            yield row["household_id"], *open_travel(vault, row)


def _get(conn: Connection, area_id: int) -> Area:
    row = conn.execute(select(tables.area).where(tables.area.c.area_id == area_id)).mappings().first()
    if row is None:
        raise NoSuchThing(en="There is no such area.")
    return Area(**row)


def _key(area: Area) -> tuple[str, ...]:
    return _bare(area.province), _bare(area.city), _bare(area.district), area.from_day


def _told(area: Area) -> str:
    return f"{area.place} {area.from_day} – {area.until_day}".rstrip()


def _checked(area: Area) -> Area:
    names = {name: " ".join(getattr(area, name).split()) for name in ("province", "city", "district")}
    if not names["province"] or (names["district"] and not names["city"]):
        raise CentreError("请填省；填区县时也要填市。", "Name the province, and the city of a district.")
    if not all(name.isprintable() and len(name) <= _LONGEST for name in names.values()):
        raise CentreError(f"地名最多{_LONGEST}字。", f"A place is at most {_LONGEST} characters.")
    for day in filter(None, (area.from_day, area.until_day)):
        _check_day(day)
    if not area.from_day:
        raise CentreError("请填起始日。", "Say the first day.")
    if area.until_day and area.until_day < area.from_day:
        raise CentreError("结束日不能早于起始日。", "The last day cannot be before the first.")
    return msgspec.structs.replace(area, **names)


def _check_day(words: str) -> None:
    try:
        if date.fromisoformat(words).isoformat() != words:
            raise ValueError
    except ValueError as err:
        raise CentreError(
            f"{words[:20]}不是日期，请写2026-12-31。", f"{words[:20]} is not a day; write 2026-12-31."
        ) from err
