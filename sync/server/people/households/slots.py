"""Collection slots: a quarter of an hour at a desk, for a whole household.

A desk takes ``capacity`` households in a quarter of an hour. What is offered to a building is spread: where its
neighbours already come, others are offered first, so that nobody crowds and no staircase leaves at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, func, select, update

from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.places import Compound
from sync.server.centre.writing import Writing

QUARTER_MS = 15 * 60_000
DAYS_OFFERED = 7
HELD_STATES = ("applied", "correct", "observe", "approved")
"""A household in one of these keeps its slot."""


class CollectionDesk(msgspec.Struct, frozen=True, kw_only=True):
    """Where passes are collected. ``hours`` are minutes of a day; days are ``2026-12-31``."""

    desk_id: int
    name_zh: str
    name_en: str
    place_zh: str
    place_en: str
    capacity: int
    hours: list[tuple[int, int]]
    from_day: str
    until_day: str
    weekdays: tuple[int, ...]
    buildings: tuple[str, ...]
    paper: bool


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A quarter of an hour at a desk that still has ``left`` places."""

    desk_id: int
    at_ms: int
    left: int


def list_desks(conn: Connection, compound_id: int) -> list[CollectionDesk]:
    """By number."""
    columns = tables.desk.c
    found = conn.execute(select(tables.desk).where(columns.compound_id == compound_id).order_by(columns.desk_id))
    return [_desk(row) for row in found.mappings()]


def get_desk(conn: Connection, compound_id: int, desk_id: int) -> CollectionDesk:
    """Raises NoSuchThing."""
    columns = tables.desk.c
    wanted = select(tables.desk).where(columns.compound_id == compound_id, columns.desk_id == desk_id)
    row = conn.execute(wanted).mappings().first()
    if row is None:
        raise NoSuchThing(en=f"There is no desk {desk_id} in compound {compound_id}.")
    return _desk(row)


def _desk(row: Any) -> CollectionDesk:
    fields = {name: row[name] for name in CollectionDesk.__struct_fields__}
    fields["hours"] = msgspec.json.decode(row["hours"], type=list[tuple[int, int]])
    fields["weekdays"] = tuple(int(day) for day in row["weekdays"].split(",") if day)
    fields["buildings"] = tuple(name for name in row["buildings"].split(",") if name)
    return CollectionDesk(**fields)


def offer(conn: Connection, compound: Compound, building: str, now_ms: int, paper: bool = False,
          keep: tuple[int, int] = (0, 0)) -> list[Slot]:  # fmt: skip
    """Free slots of the coming days for a building, best first: the day that is free first, in it those where fewest
    neighbours come. ``keep`` is the (desk, time) the household has now: one of its own places counts as free."""
    found: list[tuple[date, int, Slot]] = []
    zone = ZoneInfo(compound.timezone)
    for desk in list_desks(conn, compound.compound_id):
        if desk.paper != paper or (desk.buildings and building not in desk.buildings):
            continue
        taken = _taken(conn, compound.compound_id, desk.desk_id, now_ms)
        near = _taken(conn, compound.compound_id, desk.desk_id, now_ms, building)
        for at_ms in _times(desk, zone, now_ms):
            left = desk.capacity - taken.get(at_ms, 0) + (keep == (desk.desk_id, at_ms))
            if left > 0:
                day = datetime.fromtimestamp(at_ms / 1000, zone).date()
                found.append((day, near.get(at_ms, 0), Slot(desk_id=desk.desk_id, at_ms=at_ms, left=left)))
    found.sort(key=lambda one: (one[0], one[1], one[2].at_ms, one[2].desk_id))
    return [slot for _, _, slot in found]


def offer_one(conn: Connection, compound: Compound, building: str, now_ms: int, wanted: tuple[int, int],
              paper: bool = False, keep: tuple[int, int] = (0, 0)) -> list[Slot]:  # fmt: skip
    """The one of what ``offer`` says that is at a (desk, time), without looking at all the others; nothing where it is
    not among them."""
    desk = next((one for one in list_desks(conn, compound.compound_id) if one.desk_id == wanted[0]), None)
    if desk is None or desk.paper != paper or (desk.buildings and building not in desk.buildings):
        return []
    zone, at_ms = ZoneInfo(compound.timezone), wanted[1]
    if not now_ms < at_ms < now_ms + (DAYS_OFFERED + 1) * 86_400_000 or at_ms not in _times(desk, zone, now_ms):
        return []
    of = tables.household.c
    mine = (of.compound_id == compound.compound_id, of.desk_id == desk.desk_id, of.slot_ms == at_ms)
    taken = conn.execute(
        select(func.count()).select_from(tables.household).where(*mine, of.state.in_(HELD_STATES))
    ).scalar_one()
    left = desk.capacity - taken + (keep == wanted)
    return [Slot(desk_id=desk.desk_id, at_ms=at_ms, left=left)] if left > 0 else []


def _times(desk: CollectionDesk, zone: ZoneInfo, now_ms: int) -> Iterator[int]:
    """Every quarter of an hour of a desk in the coming days that has not begun."""
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    for day in (today + timedelta(days=ahead) for ahead in range(DAYS_OFFERED)):
        if day.isoweekday() not in desk.weekdays or not desk.from_day <= day.isoformat() <= desk.until_day:
            continue
        midnight = datetime.combine(day, time.min, zone)
        for begins, ends in desk.hours:
            for minute in range(begins, ends - 14, 15):
                at_ms = int((midnight + timedelta(minutes=minute)).timestamp() * 1000)
                if at_ms > now_ms:
                    yield at_ms


def day_span(compound: Compound, day: date) -> tuple[int, int]:
    """First millisecond of a day in a compound, and of the day after."""
    both = (datetime.combine(one, time.min, ZoneInfo(compound.timezone)) for one in (day, day + timedelta(days=1)))
    begins, ends = (int(moment.timestamp() * 1000) for moment in both)
    return begins, ends


def has_quarter(desk: CollectionDesk, zone: ZoneInfo, at_ms: int) -> bool:
    """Whether a desk is open in the quarter of an hour that begins then."""
    at = datetime.fromtimestamp(at_ms / 1000, zone)
    if at.isoweekday() not in desk.weekdays or not desk.from_day <= at.date().isoformat() <= desk.until_day:
        return False
    minute = at.hour * 60 + at.minute
    return any(begins <= minute <= ends - 15 and (minute - begins) % 15 == 0 for begins, ends in desk.hours)


def _taken(conn: Connection, compound_id: int, desk_id: int, from_ms: int, building: str = "") -> dict[int, int]:
    """Households by slot, from a moment on; of one building where it is given."""
    of, home = tables.household.c, tables.dwelling.c
    counted = select(of.slot_ms, func.count().label("households")).where(
        of.compound_id == compound_id, of.desk_id == desk_id, of.slot_ms >= from_ms, of.state.in_(HELD_STATES)
    )
    if building:
        counted = counted.join(
            tables.dwelling, (home.compound_id == of.compound_id) & (home.dwelling_id == of.dwelling_id)
        ).where(home.building == building)
    return {row.slot_ms: row.households for row in conn.execute(counted.group_by(of.slot_ms))}


def book(writing: Writing, household_id: int, desk_id: int, at_ms: int, chosen_from: Sequence[Slot]) -> None:
    """Give a household a slot out of what ``offer`` says in this very transaction. ``desk_id`` 0 gives it none.

    Raises CentreError where somebody else was faster, or it was never offered.
    """
    if desk_id and not any((slot.desk_id, slot.at_ms) == (desk_id, at_ms) for slot in chosen_from):
        raise CentreError("这个时间刚被约满，请另选一个。", "This time has just been taken. Please choose another one.")
    columns = tables.household.c
    mine = (columns.compound_id == writing.compound_id, columns.household_id == household_id)
    writing.conn.execute(update(tables.household).where(*mine).values(desk_id=desk_id, slot_ms=at_ms if desk_id else 0))
