"""Collection slots: a quarter of an hour at a desk, for a whole household.

A desk takes ``capacity`` households in a quarter of an hour. What is offered to a building is spread: where its
neighbours already come, others are offered first, so that nobody crowds and no staircase leaves at once.

A place is what a slot takes away from others, and what bulk is denied. Where a household is doubted (doubts.py), its
place gives way once the desk's day is full, or its time takes no place at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, case, func, select, update

from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.places import Compound
from sync.server.centre.writing import Writing

QUARTER_MS = 15 * 60_000
DAYS_OFFERED = 7
HELD_STATES = ("applied", "correct", "observe", "approved")
"""A household in one of these keeps its slot."""
FIRM, GIVES_WAY, NO_PLACE = 0, 1, 2
"""``household.doubt``: its place stands; it gives way to others on a full day; its time takes no place from anybody."""
_h = tables.household.c


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
    """A quarter of an hour at a desk that still has ``left`` places. ``taken_back``: only because others give way."""

    desk_id: int
    at_ms: int
    left: int
    taken_back: bool = False


class Taken(NamedTuple):
    """Places taken in a quarter of an hour, and how many of them stand whatever happens."""

    places: int = 0
    firm: int = 0


class Holder(NamedTuple):
    """A household that holds a place, and how many signs speak against it."""

    household_id: int
    doubt: int
    signs: int


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


# Which places are free


def places_left(capacity: int, taken: Mapping[int, Taken], times: Iterable[int], doubt: int) -> dict[int, int]:
    """Places of one day at a desk, by quarter of an hour, for a household doubted so much. On a day that is full, those
    of households that give way are there for one that is not doubted."""
    held = {at_ms: taken.get(at_ms, Taken()) for at_ms in times}
    left = {at_ms: capacity - one.places for at_ms, one in held.items()}
    if doubt == FIRM and all(places <= 0 for places in left.values()):
        left = {at_ms: capacity - one.firm for at_ms, one in held.items()}
    return {at_ms: places for at_ms, places in left.items() if places > 0}


def first_to_give_way(holders: Iterable[Holder]) -> int:
    """Whose place in a quarter of an hour is taken back first: most signs, then the latest application; 0: nobody's."""
    doubted = [holder for holder in holders if holder.doubt == GIVES_WAY]
    return max(doubted, key=lambda holder: (holder.signs, holder.household_id)).household_id if doubted else 0


def offer(conn: Connection, compound: Compound, building: str, now_ms: int, paper: bool = False,
          keep: tuple[int, int] = (0, 0), doubt: int = FIRM) -> list[Slot]:  # fmt: skip
    """Free slots of the coming days for a building, best first: the day that is free first, in it those where fewest
    neighbours come; those that others must give up stand last. ``keep`` is the (desk, time) the household has now: one
    of its own places counts as free."""
    found: list[tuple[bool, date, int, Slot]] = []
    zone = ZoneInfo(compound.timezone)
    for desk in list_desks(conn, compound.compound_id):
        if desk.paper != paper or (desk.buildings and building not in desk.buildings):
            continue
        taken = _taken(conn, compound.compound_id, desk.desk_id, now_ms)
        near = _taken(conn, compound.compound_id, desk.desk_id, now_ms, building)
        for day, times in _days(desk, zone, now_ms):
            for slot in _free(desk, taken, times, doubt, keep):
                found.append((slot.taken_back, day, near.get(slot.at_ms, Taken()).places, slot))
    found.sort(key=lambda one: (*one[:3], one[3].at_ms, one[3].desk_id))
    return [slot for *_, slot in found]


def _free(desk: CollectionDesk, taken: Mapping[int, Taken], times: Sequence[int], doubt: int,
          keep: tuple[int, int]) -> Iterator[Slot]:  # fmt: skip
    """What one day at a desk has left."""
    left = places_left(desk.capacity, taken, times, doubt)
    for at_ms in times:
        places = left.get(at_ms, 0) + (keep == (desk.desk_id, at_ms))
        if places > 0:
            back = taken.get(at_ms, Taken()).places >= desk.capacity and keep != (desk.desk_id, at_ms)
            yield Slot(desk_id=desk.desk_id, at_ms=at_ms, left=places, taken_back=back)


def offer_one(conn: Connection, compound: Compound, building: str, now_ms: int, wanted: tuple[int, int],
              paper: bool = False, keep: tuple[int, int] = (0, 0), doubt: int = FIRM) -> list[Slot]:  # fmt: skip
    """The one of what ``offer`` says that is at a (desk, time), without looking at all the others; nothing where it is
    not among them."""
    desk = next((one for one in list_desks(conn, compound.compound_id) if one.desk_id == wanted[0]), None)
    if desk is None or desk.paper != paper or (desk.buildings and building not in desk.buildings):
        return []
    zone, at_ms = ZoneInfo(compound.timezone), wanted[1]
    if not now_ms < at_ms < now_ms + (DAYS_OFFERED + 1) * 86_400_000:
        return []
    times = next((times for _, times in _days(desk, zone, now_ms) if at_ms in times), [])
    taken = _taken(conn, compound.compound_id, desk.desk_id, times[0], until_ms=times[-1]) if times else {}
    return [slot for slot in _free(desk, taken, times, doubt, keep) if slot.at_ms == at_ms]


def _days(desk: CollectionDesk, zone: ZoneInfo, now_ms: int) -> Iterator[tuple[date, list[int]]]:
    """Every quarter of an hour of a desk in the coming days that has not begun, by day."""
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    for day in (today + timedelta(days=ahead) for ahead in range(DAYS_OFFERED)):
        if day.isoweekday() not in desk.weekdays or not desk.from_day <= day.isoformat() <= desk.until_day:
            continue
        midnight = datetime.combine(day, time.min, zone)
        minutes = (minute for begins, ends in desk.hours for minute in range(begins, ends - 14, 15))
        times = (int((midnight + timedelta(minutes=minute)).timestamp() * 1000) for minute in minutes)
        if coming := [at_ms for at_ms in times if at_ms > now_ms]:
            yield day, coming


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


def holds_place() -> tuple[Any, ...]:
    """Which households take a place away from others at the time they have."""
    return _h.state.in_(HELD_STATES), _h.doubt < NO_PLACE


def _taken(conn: Connection, compound_id: int, desk_id: int, from_ms: int, building: str = "",
           until_ms: int = 0) -> dict[int, Taken]:  # fmt: skip
    """Places by slot, from a moment on; of one building where it is given."""
    home, firm = tables.dwelling.c, func.sum(case((_h.doubt == FIRM, 1), else_=0))
    counted = select(_h.slot_ms, func.count().label("places"), firm.label("firm")).where(
        _h.compound_id == compound_id, _h.desk_id == desk_id, _h.slot_ms >= from_ms, *holds_place()
    )
    if until_ms:
        counted = counted.where(_h.slot_ms <= until_ms)
    if building:
        counted = counted.join(
            tables.dwelling, (home.compound_id == _h.compound_id) & (home.dwelling_id == _h.dwelling_id)
        ).where(home.building == building)
    found = conn.execute(counted.group_by(_h.slot_ms))
    return {row.slot_ms: Taken(places=row.places, firm=int(row.firm)) for row in found}


# Taking one


def book(writing: Writing, household_id: int, desk_id: int, at_ms: int, chosen_from: Sequence[Slot]) -> int:
    """Give a household a slot out of what ``offer`` says in this very transaction. ``desk_id`` 0 gives it none. The
    household that lost its slot by it, to be told; 0: nobody did.

    Raises CentreError where somebody else was faster, or it was never offered.
    """
    if desk_id and not any((slot.desk_id, slot.at_ms) == (desk_id, at_ms) for slot in chosen_from):
        raise CentreError("这个时间刚被约满，请另选一个。", "This time has just been taken. Please choose another one.")
    _put(writing, household_id, desk_id=desk_id, slot_ms=at_ms if desk_id else 0, released_ms=0)
    return make_room(writing, household_id) if desk_id else 0


def make_room(writing: Writing, household_id: int) -> int:
    """Let a household's time take a place. Where its quarter of an hour is full, the first to give way loses its slot
    and is returned, to be told; where nobody gives way to this one, its time takes no place, and it is told no other
    than anybody else: what it was doubted for is nobody's business."""
    mine = (_h.compound_id == writing.compound_id, _h.household_id == household_id)
    row = writing.conn.execute(select(_h.desk_id, _h.slot_ms, _h.doubt).where(*mine)).one()
    if not row.desk_id or row.doubt == NO_PLACE:
        return 0
    others = _holders(writing, row.desk_id, row.slot_ms, household_id)
    if len(others) < get_desk(writing.conn, writing.compound_id, row.desk_id).capacity:
        return 0
    loses = first_to_give_way(others) if row.doubt == FIRM else 0
    if loses:
        release(writing, loses)
    else:
        _put(writing, household_id, doubt=NO_PLACE)
    return loses


def _holders(writing: Writing, desk_id: int, at_ms: int, but: int) -> list[Holder]:
    there = (_h.compound_id == writing.compound_id, _h.desk_id == desk_id, _h.slot_ms == at_ms)
    wanted = select(_h.household_id, _h.doubt, _h.signs).where(*there, *holds_place(), _h.household_id != but)
    return [
        Holder(row.household_id, row.doubt, len(row.signs.split(",")) if row.signs else 0)
        for row in writing.conn.execute(wanted)
    ]


def release(writing: Writing, household_id: int) -> None:
    """Take a household's slot back. Its application stands, and its page says what happened; it is to be told."""
    mine = (_h.compound_id == writing.compound_id, _h.household_id == household_id)
    number = writing.conn.execute(select(_h.number).where(*mine)).scalar_one()
    _put(writing, household_id, desk_id=0, slot_ms=0, released_ms=writing.now_ms)
    writing.audit("slot-released", number, household_id)


def _put(writing: Writing, household_id: int, **values: int) -> None:
    mine = (_h.compound_id == writing.compound_id, _h.household_id == household_id)
    writing.conn.execute(update(tables.household).where(*mine).values(**values))
