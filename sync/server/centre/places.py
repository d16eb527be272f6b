"""Compounds and wider scopes, as rows: what every change is made within."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sync.server.centre import tables
from sync.server.centre.errors import NoSuchThing


class Compound(msgspec.Struct, frozen=True, kw_only=True):
    """A compound's row. ``compound_id`` is also the number of its own scope."""

    compound_id: int
    name_zh: str
    name_en: str
    timezone: str
    epoch: str
    epoch_order: int = 0
    """The epoch's place among the epochs, as gates know it from the root; 0: it has none yet."""
    revision: int
    pruned_revision: int
    root_public: bytes
    sealed_root_seed: bytes
    sealed_code_key: bytes
    rules: str
    created_ms: int
    community_zh: str = ""
    community_en: str = ""
    office_phone: str = ""
    wide: int = 0
    """1: no compound but a wider scope (scopes.py)."""
    life: str = ""
    """Which run of the centre gives the revisions now (gates/restored.py)."""
    ages_day: str = ""
    """The day on which the age bands of its people were last true (people/registers/ages.py)."""
    lane_screen: str = ""
    """What its lanes tell everybody who stands there (passes/lane_screen.py)."""
    restored_ms: int = 0
    """Since when nothing is changed here, until a new epoch begins (gates/restored.py); 0: not so."""


class Lanes(msgspec.Struct, frozen=True):
    """What the gates in service told of their lanes: all names, and the gates that have told none (an older program, or
    one that was not on the line yet)."""

    names: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def checkable(self) -> bool:
        """Whether a name that is not among them is of no lane."""
        return bool(self.names) and not self.silent


def lanes_of(conn: Connection, compound_id: int) -> Lanes:
    """The lanes of a compound's gates that have a device."""
    gate, device = tables.gate.c, tables.device.c
    in_service = select(device.gate_id).where(device.compound_id == compound_id, device.state == "active")
    wanted = select(gate.name, gate.lanes).where(gate.compound_id == compound_id, gate.gate_id.in_(in_service))
    rows = conn.execute(wanted.order_by(gate.name)).all()
    told = (name for row in rows if row.lanes for name in msgspec.json.decode(row.lanes, type=dict[str, str]))
    return Lanes(tuple(sorted(set(told))), tuple(row.name for row in rows if not row.lanes))


def get_compound(conn: Connection, compound_id: int, alone: bool = False) -> Compound:
    """Raises NoSuchThing. ``alone``: on PostgreSQL, anyone else who wants to change this compound waits for this
    transaction to end, as on SQLite everybody does, so that what it read stays true until it has written."""
    wanted = select(tables.compound).where(tables.compound.c.compound_id == compound_id)
    row = conn.execute(wanted.with_for_update(key_share=True) if alone else wanted).mappings().first()
    if row is None:
        raise NoSuchThing(en=f"There is no compound {compound_id}.")
    return _compound(dict(row))


def all_compounds(conn: Connection) -> list[Compound]:
    """Compounds, without wider scopes, in order of their numbers."""
    return [compound for compound in all_places(conn) if not compound.wide]


def all_places(conn: Connection) -> list[Compound]:
    """Compounds and wider scopes, in order of their numbers."""
    rows = conn.execute(select(tables.compound).order_by(tables.compound.c.compound_id)).mappings()
    return [_compound(dict(row)) for row in rows]


def _compound(row: dict[str, Any]) -> Compound:
    return Compound(**row)
