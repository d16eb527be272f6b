"""Cards on paper: the night before, by slot and building; and whether the gates are ready for them.

A printed card is not collected and opens nothing at a gate that knows it. A gate that has not heard of it takes it for
a pass newer than its list, and may let residents in: so sheets wait until every gate in service has the state. Printing
again gives the very same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, Select, and_, func, select, update

from sync.credential import Credential, sign_credential
from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre, Writing
from sync.server.passes import card as drawing
from sync.server.people.households import households, slots

MOST_HOUSEHOLDS = 200
"""In one go, which takes seconds; a day with more is printed in several."""
_SOME = 500
_h, _d, _pass, _c, _keys, _device, _gate = (
    table.c
    for table in (
        tables.household, tables.dwelling, tables.pass_, tables.credential, tables.signing_key, tables.device,
        tables.gate,
    )
)  # fmt: skip


class CardToPrint(msgspec.Struct, frozen=True, kw_only=True):
    """A household with its cards to print, as the cover list has it."""

    household_id: int
    number: str
    dwelling: str
    building: str
    desk_id: int
    slot_ms: int
    printed_ms: int
    numbers: tuple[str, ...] = ()


class Face(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on a card. ``text`` is what its code says: never log it."""

    number: str
    short_code: str
    label: str
    plate: str
    kind: str
    building: str
    text: str


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """A gate in service that has not got the state of the cards; ``seen_ms`` 0: it was never heard of."""

    gate: str
    seen_ms: int


class PrintFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Whose cards: slots that begin in a span, at one desk or (0) any, of one building or (empty) any. ``again``: those
    that are printed already, too."""

    from_ms: int
    until_ms: int
    desk_id: int = 0
    building: str = ""
    again: bool = False


# Whose


def due(conn: Connection, compound_id: int, wanted: PrintFilter) -> list[CardToPrint]:
    """Approved households that have not collected, by slot, building and place, with the cards that wait."""
    desks = [wanted.desk_id] if wanted.desk_id else [desk.desk_id for desk in slots.list_desks(conn, compound_id)]
    home = and_(_d.compound_id == _h.compound_id, _d.dwelling_id == _h.dwelling_id)
    building = func.coalesce(_d.building, "").label("building")
    names = ("household_id", "number", "dwelling", "desk_id", "slot_ms", "printed_ms")
    found = (
        select(*(_h[name] for name in names), building)
        .join(tables.dwelling, home, isouter=True)
        .where(
            _h.compound_id == compound_id, _h.desk_id.in_(desks), _h.slot_ms >= wanted.from_ms,
            _h.slot_ms < wanted.until_ms, _h.state == "approved", _h.collected_ms == 0,
        )
        .order_by(_h.slot_ms, func.coalesce(_d.place, _h.dwelling), _h.household_id)
    )  # fmt: skip
    found = found.where(_d.building == wanted.building) if wanted.building else found
    found = found if wanted.again else found.where(_h.printed_ms == 0)
    rows = [CardToPrint(**row) for row in conn.execute(found.limit(MOST_HOUSEHOLDS + 1)).mappings()]
    waiting = _waiting(conn, compound_id, [row.household_id for row in rows])
    full = (msgspec.structs.replace(row, numbers=tuple(waiting.get(row.household_id, ()))) for row in rows)
    return [row for row in full if row.numbers]


def _waiting(conn: Connection, compound_id: int, household_ids: Sequence[int]) -> dict[int, list[str]]:
    """Household → numbers of its passes whose card was not handed over; a visitor's is none."""
    found: dict[int, list[str]] = {}
    for some in _portions(household_ids):
        wanted = (
            select(_pass.household, _pass.number)
            .join(tables.credential, and_(_c.compound_id == _pass.compound_id, _c.pass_id == _pass.pass_id))
            .where(
                _pass.compound_id == compound_id, _pass.household.in_(some), _pass.kind != "visitor",
                _pass.state.in_(("printed", "active")), _c.medium == "card", _c.state == "printed",
            )
            .order_by(_pass.pass_id)
        )  # fmt: skip
        for household_id, number in conn.execute(wanted):
            found.setdefault(household_id, []).append(number)
    return found


def buildings_due(conn: Connection, compound_id: int, wanted: PrintFilter) -> list[str]:
    """Buildings somebody comes from in a span, in the order people count."""
    home = and_(_d.compound_id == _h.compound_id, _d.dwelling_id == _h.dwelling_id)
    found = (
        select(_d.building).join(tables.household, home)
        .where(_h.compound_id == compound_id, _h.slot_ms >= wanted.from_ms, _h.slot_ms < wanted.until_ms)
        .group_by(_d.building).order_by(func.min(_d.place))
    )  # fmt: skip
    return list(conn.execute(found).scalars())


def unreviewed(conn: Connection, compound_id: int, wanted: PrintFilter) -> int:
    """Households with a slot in the span that nobody has decided on: no card of theirs can be printed yet."""
    counted = select(func.count()).where(
        _h.compound_id == compound_id, _h.slot_ms >= wanted.from_ms, _h.slot_ms < wanted.until_ms,
        _h.state.in_(households.OPEN_STATES),
    )  # fmt: skip
    return int(conn.execute(counted).scalar_one())


# Whether the gates know


def ready(conn: Connection, compound: Compound, numbers: Sequence[str]) -> list[Behind]:
    """Gates in service that have not got the present state of these cards; empty: sheets may be printed."""
    needed = 0
    for some in _portions(numbers):
        newest = (
            select(func.max(_c.revision))
            .join(tables.pass_, and_(_pass.compound_id == _c.compound_id, _pass.pass_id == _c.pass_id))
            .where(_c.compound_id == compound.compound_id, _pass.number.in_(some), _c.medium == "card",
                   _c.state.in_(("printed", "active")))
        )  # fmt: skip
        needed = max(needed, conn.execute(newest).scalar() or 0)
    lacking = (
        select(_gate.name, _device.seen_ms)
        .join(tables.gate, and_(_gate.compound_id == _device.compound_id, _gate.gate_id == _device.gate_id))
        .where(
            _device.compound_id == compound.compound_id, _device.state == "active",
            (_device.seen_epoch != compound.epoch) | (_device.seen_revision < needed),
        )
        .order_by(_gate.name)
    )  # fmt: skip
    return [Behind(gate=name, seen_ms=seen_ms) for name, seen_ms in conn.execute(lacking)]


class NotReady(CentreError):
    """Some gate in service does not know these cards yet."""

    def __init__(self, behind: Sequence[Behind]):
        gates = [one.gate for one in behind]
        super().__init__(
            f"没有打印：{'、'.join(gates)}还没有收到这些卡的状态。",
            f"Not printed: {', '.join(gates)} has not got the state of these cards.",
        )
        self.behind = behind


def record(writing: Writing, printed: Sequence[CardToPrint], why: str = "") -> None:
    """Note that these are printed now. Raises NotReady, unless ``why`` says for what reason they are printed all the
    same."""
    behind = ready(writing.conn, writing.compound, [number for one in printed for number in one.numbers])
    if behind and not why:
        raise NotReady(behind)
    for one in printed:
        note(writing, one.household_id, one.number, len(one.numbers), bool(one.printed_ms), why if behind else "")


def note(writing: Writing, household_id: int, number: str, cards: int, again: bool, why: str = "") -> None:
    """Record one household's cards as printed; at the desk they are handed over in the same minute, so no gate has to
    know them first."""
    mine = (_h.compound_id == writing.compound_id, _h.household_id == household_id)
    writing.conn.execute(update(tables.household).where(*mine).values(printed_ms=writing.now_ms))
    writing.audit("print-again" if again else "print", f"{number}: {cards}", household_id, why=why)


# What stands on them


def faces(conn: Connection, centre: Centre, compound_id: int, numbers: Sequence[str]) -> list[Face]:
    """The cards in force of these passes, in their order; a pass without one is left out."""
    found: dict[str, Face] = {}
    seeds: dict[int, bytes] = {}
    for some in _portions(numbers):
        for row in conn.execute(_faces(compound_id, some)).mappings():
            if row["key_id"] not in seeds:
                seeds[row["key_id"]] = centre.vault.unseal(row["sealed_seed"])
            found[row["number"]] = _face(row, seeds[row["key_id"]])
    return [found[number] for number in numbers if number in found]


_CREDENTIAL = ("kind", "medium", "key_id", "scope", "serial", "not_before_step", "validity_hours", "random")


def _faces(compound_id: int, numbers: Sequence[str]) -> Select[Any]:
    return (
        select(_pass.number, _pass.short_code, _pass.label, _pass.plate, _pass.dwelling, _keys.sealed_seed,
               *(_c[name] for name in _CREDENTIAL))
        .join(tables.credential, and_(_c.compound_id == _pass.compound_id, _c.pass_id == _pass.pass_id))
        .join(tables.signing_key, and_(_keys.compound_id == _c.compound_id, _keys.scope == _c.scope,
                                       _keys.key_id == _c.key_id))
        .where(_pass.compound_id == compound_id, _pass.number.in_(numbers), _pass.state != "revoked",
               _c.medium == "card", _c.state.in_(("printed", "active")))
    )  # fmt: skip


def _face(row: RowMapping, seed: bytes) -> Face:
    credential = Credential(**{name: row[name] for name in _CREDENTIAL})
    same = ("number", "short_code", "label", "plate", "kind")
    return Face(
        building=drawing.building(row["dwelling"]), text=sign_credential(credential, seed),
        **{name: row[name] for name in same},
    )  # fmt: skip


def _portions(whole: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (whole[at : at + _SOME] for at in range(0, len(whole), _SOME))
