"""Desks are opened, changed and closed. People whose slot a desk no longer has are told, and get another.

A desk is never deleted: its number stands in the records of who collected where. Closing it sets its last day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, and_, func, insert, select, update

from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Writing, next_number
from sync.server.people import identity
from sync.server.people.collecting.finding import FoundHousehold, list_found
from sync.server.people.households import households, notices, slots
from sync.server.people.households.slots import HELD_STATES, CollectionDesk
from sync.server.words.collection import NOTICES

MOST_CAPACITY = 60
MOST_WINDOWS = 4
LONGEST = 60
DAY_MINUTES = 24 * 60
QUARTER_MINUTES = 15
MOST_LISTED = 200
_h = tables.household.c


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A desk and what it offers: places on a day it is open, and those taken from now on."""

    desk: CollectionDesk
    places: int
    taken: int
    open: bool


def check_desk(desk: CollectionDesk) -> None:
    """Raises CentreError, in words that name the field."""
    for zh, en, value in (
        ("中文名称", "the Chinese name", desk.name_zh), ("英文名称", "the English name", desk.name_en),
        ("中文地点", "the place in Chinese", desk.place_zh), ("英文地点", "the place in English", desk.place_en),
    ):  # fmt: skip
        if not value or len(value) > LONGEST or not value.isprintable():
            raise CentreError(
                f"请填写{zh}，一行，最多{LONGEST}字。", f"Fill in {en}: one line of at most {LONGEST} characters."
            )
    if not 1 <= desk.capacity <= MOST_CAPACITY:
        raise CentreError(
            f"每刻钟1到{MOST_CAPACITY}户。", f"A desk takes 1 to {MOST_CAPACITY} households in a quarter of an hour."
        )
    if not desk.weekdays or not set(desk.weekdays) <= set(range(1, 8)):
        raise CentreError("请至少选一个星期几。", "Tick at least one weekday.")
    _check_days(desk)
    _check_hours(desk.hours)
    if any("," in name or len(name) > LONGEST for name in desk.buildings):
        raise CentreError("楼栋之间用逗号隔开。", "Separate buildings by commas.")


def _check_days(desk: CollectionDesk) -> None:
    if identity.read_day(desk.from_day) > identity.read_day(desk.until_day):
        raise CentreError("最后一天不能早于第一天。", "The last day cannot be before the first.")


def _check_hours(hours: Sequence[tuple[int, int]]) -> None:
    if not 1 <= len(hours) <= MOST_WINDOWS:
        raise CentreError(f"请填写一到{MOST_WINDOWS}段时间。", f"Write one to {MOST_WINDOWS} spans of hours.")
    last = 0
    for begins, ends in sorted(hours):
        if not 0 <= begins < ends <= DAY_MINUTES or ends - begins < QUARTER_MINUTES:
            raise CentreError(
                "开始要早于结束，至少一刻钟。", "Hours begin before they end, and last a quarter of an hour at least."
            )
        if begins % QUARTER_MINUTES or ends % QUARTER_MINUTES:
            raise CentreError("时间按刻钟填写，如09:00、09:15。", "Hours begin and end on a quarter: 09:00, 09:15.")
        if begins < last:
            raise CentreError("两段时间重叠了。", "Two spans of hours overlap.")
        last = ends


def places_a_day(desk: CollectionDesk) -> int:
    """Households it takes on a day it is open."""
    return desk.capacity * sum((ends - begins) // QUARTER_MINUTES for begins, ends in desk.hours)


def days_open(desk: CollectionDesk, today: date, ahead: int = slots.DAYS_OFFERED) -> list[date]:
    """Of the coming days, those on which it is open."""
    days = (today + timedelta(days=number) for number in range(ahead))
    return [day for day in days if _open_on(desk, day)]


def _open_on(desk: CollectionDesk, day: date) -> bool:
    return day.isoweekday() in desk.weekdays and desk.from_day <= day.isoformat() <= desk.until_day


def loads(conn: Connection, compound_id: int, today: date, now_ms: int) -> list[Load]:
    """Every desk, those that are closed for good last."""
    counted = (
        select(_h.desk_id, func.count())
        .where(_h.compound_id == compound_id, _h.slot_ms > now_ms, *_waiting(), *slots.holds_place())
        .group_by(_h.desk_id)
    )
    taken = {row[0]: row[1] for row in conn.execute(counted)}
    found = [
        Load(desk=desk, places=places_a_day(desk), taken=taken.get(desk.desk_id, 0),
             open=desk.until_day >= today.isoformat())
        for desk in slots.list_desks(conn, compound_id)
    ]  # fmt: skip
    return sorted(found, key=lambda load: not load.open)


def _waiting() -> tuple[Any, ...]:
    return _h.state.in_(HELD_STATES), _h.collected_ms == 0


# Changing


def put_desk(writing: Writing, vault: Vault, desk: CollectionDesk) -> tuple[int, list[int]]:
    """Make (``desk_id`` 0) or change a desk: its number, and the households that lost their slot by it.

    Raises CentreError, and NoSuchThing for a desk of another compound.
    """
    check_desk(desk)
    row = _row(desk)
    if desk.desk_id:
        slots.get_desk(writing.conn, writing.compound_id, desk.desk_id)
        lost = impossible(writing.conn, writing.compound, desk, writing.now_ms)
        columns = tables.desk.c
        mine = (columns.compound_id == writing.compound_id, columns.desk_id == desk.desk_id)
        writing.conn.execute(update(tables.desk).where(*mine).values(row))
        writing.audit("desk-change", f"{desk.desk_id} {desk.name_zh}")
        _clear(writing, vault, desk, lost)
        return desk.desk_id, lost
    desk_id = next_number(writing.conn, writing.compound_id, "desk")
    values = row | {"compound_id": writing.compound_id, "desk_id": desk_id}
    writing.conn.execute(insert(tables.desk).values(values))
    writing.audit("desk-add", f"{desk_id} {desk.name_zh}")
    return desk_id, []


def _row(desk: CollectionDesk) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.structs.asdict(desk)
    del fields["desk_id"]
    return fields | {
        "hours": msgspec.json.encode(desk.hours).decode(), "weekdays": ",".join(str(day) for day in desk.weekdays),
        "buildings": ",".join(desk.buildings),
    }  # fmt: skip


def impossible(conn: Connection, compound: Compound, desk: CollectionDesk, now_ms: int) -> list[int]:
    """Households with a coming slot at this desk that it would not have as it is wanted now; where a quarter of an hour
    becomes too small for all, those who came last. The first is lost first."""
    wanted = (
        select(_h.household_id, _h.slot_ms, _h.doubt)
        .where(_h.compound_id == compound.compound_id, _h.desk_id == desk.desk_id, _h.slot_ms > now_ms,
               *_waiting())
        .order_by(_h.slot_ms, _h.household_id)
    )  # fmt: skip
    zone, held, lost = ZoneInfo(compound.timezone), Counter[int](), []
    for household_id, slot_ms, doubt in conn.execute(wanted):
        held[slot_ms] += doubt < slots.NO_PLACE
        if not slots.has_quarter(desk, zone, slot_ms) or held[slot_ms] > desk.capacity:
            lost.append(household_id)
    return lost


def _clear(writing: Writing, vault: Vault, desk: CollectionDesk, household_ids: Sequence[int]) -> None:
    """Take their slots, and tell them to choose another one."""
    for household_id in household_ids:
        household = households.get_household(writing.conn, writing.compound_id, household_id)
        households.set_state(writing, household_id, desk_id=0, slot_ms=0)
        writing.audit("slot-lost", household.number, household_id, why=desk.name_zh)
        zh, en = (words.format(number=household.number) for words in NOTICES["slot_lost"])
        notices.queue(writing, vault, household, "slot_lost", (zh, en))


def without_slot(conn: Connection, compound_id: int) -> tuple[FoundHousehold, ...]:
    """Households that have not collected and have no slot: those whose desk was closed, and who never chose one."""
    which = and_(*_waiting(), _h.slot_ms == 0)
    return list_found(conn, compound_id, which, _h.household_id, MOST_LISTED)
