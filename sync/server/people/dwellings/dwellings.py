"""The dwelling register of a compound: what there is, in the order people count, and who is meant by a written room.

A dwelling is ``proposed`` while only a resident has said that it exists; such rows are in no list of the register until
somebody takes them in (proposals.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from sync.server.centre import tables
from sync.server.centre.errors import NoSuchThing
from sync.server.centre.places import get_compound
from sync.server.centre.writing import Writing, next_number
from sync.server.people.address import Address, building_key, make_address, narrow, read_words

__all__ = [
    "Added", "Address", "Doors", "Dwelling", "buildings", "count", "get_dwelling", "insert_many", "known_keys",
    "make_address", "match", "remove_unused", "rooms", "units",
]  # fmt: skip

_columns = tables.dwelling.c
_SHOWN = ("dwelling_id", "building", "unit", "floor", "room", "name", "found", "found_ms", "proposed")


class Dwelling(msgspec.Struct, frozen=True, kw_only=True):
    """One dwelling. ``found`` is what the last visit that settled anything found; empty: none yet."""

    dwelling_id: int
    building: str
    unit: str
    floor: int
    room: str
    name: str
    found: str
    found_ms: int
    proposed: bool

    @property
    def address(self) -> Address:
        return Address(self.building, self.unit, self.floor, self.room)


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What taking addresses into the register did: new ones, proposed ones that are of the register now, and those that
    were there. New ones are numbered from ``first_id`` on, in the order they were given."""

    new: int
    taken: int
    there: int
    first_id: int = 0

    @property
    def changed(self) -> int:
        return self.new + self.taken


# Writing


def insert_many(writing: Writing, rows: Iterable[Address]) -> Added:
    """Take addresses into the register. Idempotent: a door that is there already, however it was written, stays.

    Two statements for any number of rows. Not recorded: the caller says what it was.
    """
    known = _known(writing.conn, writing.compound_id)
    new: dict[tuple[str, str, str], Address] = {}
    proposed: dict[int, Address] = {}
    there = 0
    for row in rows:
        found = known.get(row.key)
        if found is None:
            new.setdefault(row.key, row)
        elif found[1]:
            proposed.setdefault(found[0], row)
        else:
            there += 1
    first_id = _insert(writing, list(new.values())) if new else 0
    for dwelling_id, row in proposed.items():
        mine = _of(update(tables.dwelling), writing.compound_id, dwelling_id)
        writing.conn.execute(mine.values(**_row(row), found="", found_ms=0))
    return Added(new=len(new), taken=len(proposed), there=there, first_id=first_id)


def _known(conn: Connection, compound_id: int) -> dict[tuple[str, str, str], tuple[int, bool]]:
    """(number, proposed) of every door."""
    wanted = select(
        _columns.building, _columns.unit, _columns.room, _columns.dwelling_id, _columns.proposed
    ).where(_columns.compound_id == compound_id)  # fmt: skip
    return {
        Address(building, unit, 0, room).key: (dwelling_id, proposed)
        for building, unit, room, dwelling_id, proposed in conn.execute(wanted)
    }


def _insert(writing: Writing, rows: list[Address]) -> int:
    first_id = next_number(writing.conn, writing.compound_id, "dwelling", len(rows))
    writing.conn.execute(insert(tables.dwelling), [
        {"compound_id": writing.compound_id, "dwelling_id": dwelling_id, **_row(row)}
        for dwelling_id, row in enumerate(rows, first_id)
    ])  # fmt: skip
    return first_id


def _row(address: Address) -> dict[str, Any]:
    return {"building": address.building, "unit": address.unit, "floor": address.floor, "room": address.room,
            "name": address.name, "place": address.place, "proposed": False}  # fmt: skip


def remove_unused(writing: Writing, building: str) -> int:
    """Take a building's dwellings out of the register that nobody applied from and nobody visited; how many."""
    household, visit = tables.household.c, tables.visit.c
    same = (household.compound_id == writing.compound_id, household.dwelling_id == _columns.dwelling_id)
    seen = (visit.compound_id == writing.compound_id, visit.dwelling_id == _columns.dwelling_id)
    unused = delete(tables.dwelling).where(
        _columns.compound_id == writing.compound_id, _columns.building == building, ~_columns.proposed,
        ~select(household.household_id).where(*same).exists(), ~select(visit.visit_id).where(*seen).exists(),
    )  # fmt: skip
    removed = writing.conn.execute(unused).rowcount
    writing.audit("dwellings-removed", f"{building}: {removed}")
    return removed


def _of(statement: Any, compound_id: int, dwelling_id: int) -> Any:
    return statement.where(_columns.compound_id == compound_id, _columns.dwelling_id == dwelling_id)


# Reading


def get_dwelling(conn: Connection, compound_id: int, dwelling_id: int) -> Dwelling:
    """Raises NoSuchThing."""
    row = conn.execute(_of(_dwellings(), compound_id, dwelling_id)).mappings().first()
    if row is None:
        raise NoSuchThing(en=f"There is no dwelling {dwelling_id} in this compound.")
    return _dwelling(row)


def buildings(conn: Connection, compound_id: int) -> list[str]:
    """Buildings of the register, in the order people count."""
    first = func.min(_columns.place)
    wanted = select(_columns.building).where(*_registered(compound_id)).group_by(_columns.building).order_by(first)
    return list(conn.execute(wanted).scalars())


def units(conn: Connection, compound_id: int, building: str) -> list[str]:
    """Units of a building; one empty text where it has none."""
    first = func.min(_columns.place)
    chosen = (*_registered(compound_id), _columns.building == building)
    wanted = select(_columns.unit).where(*chosen).group_by(_columns.unit).order_by(first)
    return list(conn.execute(wanted).scalars())


def rooms(conn: Connection, compound_id: int, building: str, unit: str) -> list[Dwelling]:
    """Dwellings of a unit by floor and room."""
    chosen = (*_registered(compound_id), _columns.building == building, _columns.unit == unit)
    return [_dwelling(row) for row in conn.execute(_dwellings().where(*chosen).order_by(_columns.place)).mappings()]


def count(conn: Connection, compound_id: int) -> int:
    """Dwellings of the register."""
    return conn.execute(select(func.count()).select_from(tables.dwelling).where(*_registered(compound_id))).scalar_one()


def known_keys(conn: Connection, compound_id: int) -> frozenset[tuple[str, str, str]]:
    """The doors of the register, by ``Address.key``."""
    return frozenset(key for key, (_, proposed) in _known(conn, compound_id).items() if not proposed)


def match(conn: Connection, compound_id: int, words: str) -> int:
    """The dwelling of the register somebody means by ``3-2-501``, ``3栋2单元501室`` and the like; 0 where there is
    none, or more than one. Without its unit a room is known where only one unit of the building has it."""
    return Doors(conn, compound_id).match(words)


class Doors:
    """Finds dwellings of one compound by what people wrote. What it has read of the register it does not read again:
    one for each transaction."""

    def __init__(self, conn: Connection, compound_id: int):
        self._conn, self._compound_id = conn, compound_id
        self._rooms: dict[tuple[str, str], list[tuple[int, str]]] = {}

    @cached_property
    def _name(self) -> str:
        return narrow(get_compound(self._conn, self._compound_id).name_zh)

    @cached_property
    def _entrances(self) -> list[tuple[str, str]]:
        wanted = select(_columns.building, _columns.unit).where(_columns.compound_id == self._compound_id).distinct()
        return [(building, unit) for building, unit in self._conn.execute(wanted)]

    def match(self, words: str) -> int:
        """See ``match``."""
        wanted = read_words(narrow(words).removeprefix(self._name)) or read_words(words)
        if wanted is None:
            return 0
        building, unit, room = wanted.key
        found = {
            dwelling_id
            for entrance in self._entrances
            if building_key(entrance[0]) == building and (not wanted.unit or building_key(entrance[1]) == unit)
            for dwelling_id, key in self._rooms_of(entrance)
            if key == room
        }
        return found.pop() if len(found) == 1 else 0

    def _rooms_of(self, entrance: tuple[str, str]) -> list[tuple[int, str]]:
        if entrance not in self._rooms:
            chosen = (*_registered(self._compound_id), _columns.building == entrance[0], _columns.unit == entrance[1])
            rows = self._conn.execute(select(_columns.dwelling_id, _columns.room).where(*chosen))
            self._rooms[entrance] = [(dwelling_id, building_key(room)) for dwelling_id, room in rows]
        return self._rooms[entrance]


def _registered(compound_id: int) -> tuple[Any, ...]:
    return _columns.compound_id == compound_id, ~_columns.proposed


def _dwellings() -> Select[Any]:
    return select(*(_columns[name] for name in _SHOWN))


def _dwelling(row: RowMapping) -> Dwelling:
    return Dwelling(**dict(row) | {"proposed": bool(row["proposed"])})
