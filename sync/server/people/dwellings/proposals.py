"""Rooms residents typed because the register did not offer theirs: taken in, joined to an existing one, or set aside.

A written room is known by its words. Once it belongs to a dwelling, every application that says it points there, and
the passes of those households tell gates the dwelling's name.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, delete, func, insert, or_, select, update

from sync.server.centre import tables
from sync.server.centre.writing import Writing, next_number
from sync.server.people.address import Address, read_words
from sync.server.people.dwellings import dwellings
from sync.server.people.dwellings.applied import STANDING
from sync.server.people.dwellings.dwellings import Dwelling

DISMISSED = "dismissed"
MOST = 200
_LONGEST = 100

_d, _h = tables.dwelling.c, tables.household.c


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A room that is not of the register. ``dwelling_id`` is 0 where only applications say it. ``read``: the door it
    seems to mean; ``same``: the dwelling of the register that already is that door."""

    words: str
    dwelling_id: int
    households: int
    read: Address | None
    same: Dwelling | None


def list_proposals(conn: Connection, compound_id: int) -> list[Proposal]:
    """Those nobody has decided on, by their words; at most 200."""
    proposed = _proposed(conn, compound_id)
    rows = [(words, dwelling_id) for words, dwelling_id, found in proposed if found != DISMISSED]
    aside = {words for words, _, found in proposed if found == DISMISSED}
    numbers, doors = _written(conn, compound_id), dwellings.Doors(conn, compound_id)
    rows += [(words, 0) for words in numbers if words not in aside and words not in {row[0] for row in rows}]
    return [
        Proposal(
            words=words, dwelling_id=dwelling_id,
            households=numbers.get(words, 0) + _pointing(conn, compound_id, dwelling_id),
            read=read_words(words), same=_same(conn, compound_id, doors.match(words)),
        )
        for words, dwelling_id in sorted(rows)[:MOST]
    ]  # fmt: skip


def count_proposals(conn: Connection, compound_id: int) -> int:
    """How many wait for a decision."""
    known = select(_d.name).where(_d.compound_id == compound_id, _d.proposed)
    proposed = (
        select(func.count())
        .select_from(tables.dwelling)
        .where(_d.compound_id == compound_id, _d.proposed, _d.found != DISMISSED)
    )
    written = select(func.count(_h.dwelling.distinct())).where(
        _h.compound_id == compound_id, _h.dwelling_id == 0, _h.state.in_(STANDING), _h.dwelling.not_in(known)
    )
    return conn.execute(proposed).scalar_one() + conn.execute(written).scalar_one()


def _proposed(conn: Connection, compound_id: int) -> list[tuple[str, int, str]]:
    wanted = select(_d.name, _d.dwelling_id, _d.found).where(_d.compound_id == compound_id, _d.proposed)
    return [(name, dwelling_id, found) for name, dwelling_id, found in conn.execute(wanted)]


def _written(conn: Connection, compound_id: int) -> dict[str, int]:
    """Words → standing applications that say them and point to no dwelling."""
    wanted = (
        select(_h.dwelling, func.count())
        .where(_h.compound_id == compound_id, _h.dwelling_id == 0, _h.state.in_(STANDING)).group_by(_h.dwelling)
    )  # fmt: skip
    return {row[0]: row[1] for row in conn.execute(wanted)}


def _pointing(conn: Connection, compound_id: int, dwelling_id: int) -> int:
    if not dwelling_id:
        return 0
    mine = (_h.compound_id == compound_id, _h.dwelling_id == dwelling_id, _h.state.in_(STANDING))
    return conn.execute(select(func.count()).select_from(tables.household).where(*mine)).scalar_one()


def _same(conn: Connection, compound_id: int, dwelling_id: int) -> Dwelling | None:
    return dwellings.get_dwelling(conn, compound_id, dwelling_id) if dwelling_id else None


def take_in(writing: Writing, words: str, address: Address) -> Dwelling:
    """Make it a dwelling of the register, at this address, and join the applications to it."""
    dwellings.insert_many(writing, [address])
    found = _at(writing, address)
    join(writing, words, found)
    return found


def join(writing: Writing, words: str, to: Dwelling) -> int:
    """Every application that says these words belongs to that dwelling; how many. Gates get the dwelling's name."""
    conn, compound_id = writing.conn, writing.compound_id
    old = [row[1] for row in _proposed(conn, compound_id) if row[0] == words and row[1] != to.dwelling_id]
    theirs = (_h.compound_id == compound_id,
              or_((_h.dwelling_id == 0) & (_h.dwelling == words), _h.dwelling_id.in_(old)))  # fmt: skip
    moved = list(conn.execute(select(_h.household_id).where(*theirs)).scalars())
    conn.execute(update(tables.household).where(*theirs).values(dwelling_id=to.dwelling_id, dwelling=to.name))
    _tell_gates(writing, moved, to.name)
    _forget(writing, old, to)
    for household_id in moved:
        writing.audit("dwelling-joined", f"{words[:_LONGEST]} → {to.name}", household=household_id)
    writing.audit("dwelling-joined", f"{words[:_LONGEST]} → {to.name}: {len(moved)}")
    return len(moved)


def dismiss(writing: Writing, words: str) -> None:
    """It is no dwelling of the register, and is not asked about again. Applications stay as they are: they are decided
    on in the review."""
    mine = (_d.compound_id == writing.compound_id, _d.proposed, _d.name == words)
    if not writing.conn.execute(update(tables.dwelling).where(*mine).values(found=DISMISSED)).rowcount:
        dwelling_id = next_number(writing.conn, writing.compound_id, "dwelling")
        writing.conn.execute(insert(tables.dwelling).values(
            compound_id=writing.compound_id, dwelling_id=dwelling_id, building="", unit=f"?{dwelling_id}", room=words,
            name=words, place="", proposed=True, found=DISMISSED,
        ))  # fmt: skip
    writing.audit("dwelling-dismissed", words[:_LONGEST])


def _at(writing: Writing, address: Address) -> Dwelling:
    """The dwelling of the register at an address that is in it, however it was written there."""
    known = {found.address.key: found for found in _of_building(writing, address)}
    return known[address.key]


def _of_building(writing: Writing, address: Address) -> list[Dwelling]:
    conn, compound_id = writing.conn, writing.compound_id
    return [
        dwelling
        for building in dwellings.buildings(conn, compound_id)
        if Address(building, "", 0, "").key[0] == address.key[0]
        for unit in dwellings.units(conn, compound_id, building)
        for dwelling in dwellings.rooms(conn, compound_id, building, unit)
    ]


def _tell_gates(writing: Writing, households: list[int], name: str) -> None:
    if not households:
        return
    p, c = tables.pass_.c, tables.credential.c
    theirs = (p.compound_id == writing.compound_id, p.household.in_(households))
    ids = list(writing.conn.execute(select(p.pass_id).where(*theirs)).scalars())
    if not ids:
        return
    writing.conn.execute(update(tables.pass_).where(*theirs).values(dwelling=name))
    live = (c.compound_id == writing.compound_id, c.pass_id.in_(ids), c.state.in_(("printed", "active")))
    writing.conn.execute(update(tables.credential).where(*live).values(revision=0))
    writing.touch()


def _forget(writing: Writing, old: list[int], to: Dwelling) -> None:
    """The proposed rows; their visits are the dwelling's."""
    v = tables.visit.c
    moved = update(tables.visit).where(v.compound_id == writing.compound_id, v.dwelling_id.in_(old))
    writing.conn.execute(moved.values(dwelling_id=to.dwelling_id))
    writing.conn.execute(
        delete(tables.dwelling).where(_d.compound_id == writing.compound_id, _d.dwelling_id.in_(old), _d.proposed)
    )
