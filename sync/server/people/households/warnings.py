"""What an officer should look at before deciding on an application, in the order of how grave it is.

Nothing here decides: a household with a concern is a household somebody looks at. Where somebody is registered is none;
only where they have been is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Row, func, select, update

from sync.server.centre import tables
from sync.server.centre.places import Compound
from sync.server.centre.sealing import RowValues, open_words, seal_words, vault_of
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Writing
from sync.server.people.households.application import JOURNEY_DAYS, Journey
from sync.server.people.households.areas import UNDECIDED, Area, list_areas, touches, travels_undecided
from sync.server.people.households.sealed_answers import open_birth, open_travel
from sync.server.people.town_setting import DWELLING_MOST_PEOPLE, USUAL_MOST_PEOPLE, read_count

WARNINGS = (
    "same_doc", "same_doc_elsewhere", "travel", "contact", "unwell", "quarantine", "applied_again", "phone_many",
    "dwelling_many", "browser_many", "together", "many_people", "found_not_here",
    "found_vacant", "other_household", "arrived_lately", "not_in_register", "no_adult", "paper", "phone_often",
    "slot_past",
)  # fmt: skip
"""Every code, the gravest first."""
LIVE = (*UNDECIDED, "approved")
MOST_OF_A_PHONE = 3
GROWN_UP = 14
_CHECKED_PLACES = 18
"""A document of 18 places, an identity card or a residence permit, carries a checksum that was verified."""

_h, _p, _d = tables.household.c, tables.person.c, tables.dwelling.c


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at: of one person where ``person_id`` is not 0. ``shown`` is what shows it: another household's
    number, how many, an area; with the area's days, the last of them empty where it still is one."""

    code: str
    person_id: int = 0
    shown: str = ""
    from_day: str = ""
    until_day: str = ""


def find_warnings(writing: Writing, household_id: int) -> tuple[str, ...]:
    """Codes, the gravest first; empty: a clean one."""
    return codes(look(writing.conn, writing.compound, household_id, writing.now_ms))


def codes(found: Iterable[Concern]) -> tuple[str, ...]:
    """Each code once, the gravest first."""
    there = {concern.code for concern in found}
    return tuple(code for code in WARNINGS if code in there)


def look(conn: Connection, compound: Compound, household_id: int, now_ms: int) -> list[Concern]:
    """Everything there is to look at, the gravest first; nothing for a household that is not there."""
    mine = (_h.compound_id == compound.compound_id, _h.household_id == household_id)
    home = conn.execute(select(tables.household).where(*mine)).first()
    if home is None:
        return []
    theirs = (_p.compound_id == compound.compound_id, _p.household_id == household_id)
    rows = conn.execute(select(tables.person).where(*theirs).order_by(_p.place, _p.person_id)).mappings()
    people = [_someone(vault_of(conn), row) for row in rows]
    today = _day(compound, now_ms)
    found = [
        *_documents(conn, home, people), *_travel(conn, people, today), *_health(people),
        *_dwelling(conn, home, len(people)), *_papers(people, today), *_telephone(conn, home), *_slot(home, now_ms),
        *(Concern(code=sign) for sign in home.signs.split(",") if sign in WARNINGS),
    ]  # fmt: skip
    return sorted(found, key=lambda concern: WARNINGS.index(concern.code))


class _Someone(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of a person here."""

    person_id: int
    doc_kind: str
    doc_mark: bytes
    doc_masked: str
    birth: str
    said: Mapping[str, str]
    stays: Sequence[Journey]


def _someone(vault: Vault, row: RowValues) -> _Someone:
    said, stays = open_travel(vault, row)
    return _Someone(
        person_id=row["person_id"], doc_kind=row["doc_kind"], doc_mark=row["doc_mark"], doc_masked=row["doc_masked"],
        birth=open_birth(vault, row), said=said, stays=stays,
    )  # fmt: skip


def _day(compound: Compound, now_ms: int) -> date:
    return datetime.fromtimestamp(now_ms / 1000, ZoneInfo(compound.timezone)).date()


def _documents(conn: Connection, home: Row[Any], people: Sequence[_Someone]) -> Iterator[Concern]:
    """A paper that another living household has too. Of other compounds nothing is told but that there is one."""
    marks = {person.doc_mark: person.person_id for person in people if person.doc_mark}
    everywhere = select(tables.compound.c.compound_id)  # compound by compound, so that the index on the mark serves
    wanted = (
        select(_p.doc_mark, _h.compound_id, _h.number)
        .join(tables.household, (_h.compound_id == _p.compound_id) & (_h.household_id == _p.household_id))
        .where(_p.compound_id.in_(everywhere), _p.doc_mark.in_(marks), _h.state.in_(LIVE))
        .where((_h.compound_id != home.compound_id) | (_h.household_id != home.household_id))
        .order_by(_h.number)
    )
    for row in conn.execute(wanted) if marks else ():
        if row.compound_id == home.compound_id:
            yield Concern(code="same_doc", person_id=marks[row.doc_mark], shown=row.number)
        else:
            yield Concern(code="same_doc_elsewhere", person_id=marks[row.doc_mark])


# Where people have been


def _travel(conn: Connection, people: Sequence[_Someone], today: date) -> Iterator[Concern]:
    areas = list_areas(conn)
    for person in people:
        for area in _touched(areas, person.stays, person.said, today):
            days = {"from_day": area.from_day, "until_day": area.until_day}
            yield Concern(code="travel", person_id=person.person_id, shown=area.place, **days)
        arrived = person.said["arrived"]
        if not person.stays and _first_day(today) < arrived != person.birth:
            yield Concern(code="arrived_lately", person_id=person.person_id, shown=arrived)


def _first_day(today: date) -> str:
    return (today - timedelta(days=JOURNEY_DAYS)).isoformat()


def _touched(areas: Sequence[Area], stays: Iterable[Journey], said: Mapping[str, str], today: date) -> list[Area]:
    """Areas of the last 15 days; what lies before them does not count. Arriving in these days is a stay elsewhere."""
    first = _first_day(today)
    lately = [
        msgspec.structs.replace(stay, from_day=max(stay.from_day, first)) for stay in stays if stay.until_day >= first
    ]
    place = said["came_from"].split()
    if said["arrived"] >= first and len(place) > 1:
        lately.append(Journey(province=place[0], city=place[1], from_day=first, until_day=said["arrived"]))
    return touches(areas, lately)


# Who they are, and where they live


def _health(people: Iterable[_Someone]) -> Iterator[Concern]:
    for person in people:
        if person.said["contact"] == "yes":
            yield Concern(code="contact", person_id=person.person_id)
        if person.said["health"] not in ("well", ""):
            yield Concern(code="unwell", person_id=person.person_id, shown=person.said["health"])
        if person.said["quarantine"] == "yes":
            yield Concern(code="quarantine", person_id=person.person_id)


def _dwelling(conn: Connection, home: Row[Any], people: int) -> Iterator[Concern]:
    mine = (_d.compound_id == home.compound_id, _d.dwelling_id == home.dwelling_id, ~_d.proposed)
    registered = conn.execute(select(_d.found).where(*mine)).first()
    if registered is None:
        yield Concern(code="not_in_register", shown=home.dwelling)
    elif registered.found in ("vacant", "not_here"):
        yield Concern(code=f"found_{registered.found}")
    others = _neighbours(conn, home) if home.dwelling_id else []
    for other in others:
        yield Concern(code="other_household", shown=other.number)
    total = people + sum(other.people for other in others)
    if total > read_count(conn, DWELLING_MOST_PEOPLE, USUAL_MOST_PEOPLE):
        yield Concern(code="many_people", shown=str(total))


def _neighbours(conn: Connection, home: Row[Any]) -> list[Row[Any]]:
    """(number, people) of the other living households of the dwelling."""
    people = (
        select(func.count()).select_from(tables.person)
        .where(_p.compound_id == _h.compound_id, _p.household_id == _h.household_id).scalar_subquery()
    )  # fmt: skip
    here = (_h.compound_id == home.compound_id, _h.dwelling_id == home.dwelling_id, _h.state.in_(LIVE))
    wanted = select(_h.number, people.label("people")).where(*here, _h.household_id != home.household_id)
    return list(conn.execute(wanted.order_by(_h.household_id)))


def _papers(people: Sequence[_Someone], today: date) -> Iterator[Concern]:
    for person in people:
        if len(person.doc_masked) != _CHECKED_PLACES:
            yield Concern(code="paper", person_id=person.person_id, shown=person.doc_kind)
    child = today.replace(year=today.year - GROWN_UP, day=min(today.day, 28)).isoformat()
    if people and all(person.birth > child for person in people):
        yield Concern(code="no_adult")


def _telephone(conn: Connection, home: Row[Any]) -> Iterator[Concern]:
    same = (_h.compound_id == home.compound_id, _h.phone_mark == home.phone_mark, _h.state.in_(LIVE))
    count = conn.execute(select(func.count()).select_from(tables.household).where(*same)).scalar_one()
    if home.phone_mark and count > MOST_OF_A_PHONE:
        yield Concern(code="phone_often", shown=str(count))


def _slot(home: Row[Any], now_ms: int) -> Iterator[Concern]:
    if home.desk_id and home.slot_ms < now_ms and not home.collected_ms:
        yield Concern(code="slot_past")


# When the town's list has changed


def refresh(writing: Writing) -> int:
    """Compare every application without a decision with the town's list as it is now; how many are marked otherwise.

    What people said is opened page by page; three statements for any number of households, and one for each that
    changes.
    """
    conn, compound_id = writing.conn, writing.compound_id
    areas, today, vault = list_areas(conn), _day(writing.compound, writing.now_ms), vault_of(conn)
    waiting = (_h.compound_id == compound_id, _h.state.in_(UNDECIDED))
    wanted = select(_h.compound_id, _h.household_id, _h.sealed_warnings).where(*waiting)
    travelled = travels_undecided(conn, compound_id)
    touched = {home for home, said, stays in travelled if _touched(areas, stays, said, today)}
    changed = 0
    for row in conn.execute(wanted).mappings().all():
        stored = open_words(vault, tables.household, row, "warnings")["warnings"]
        marked = _with(stored, "travel", row["household_id"] in touched)
        if marked != stored:
            mine = (_h.compound_id == compound_id, _h.household_id == row["household_id"])
            sealed = seal_words(vault, tables.household, row, warnings=marked)
            conn.execute(update(tables.household).where(*mine).values(**sealed))
            changed += 1
    return changed


def _with(stored: str, code: str, there: bool) -> str:
    kept = {word for word in stored.split(",") if word and word != code} | ({code} if there else set())
    return ",".join(word for word in WARNINGS if word in kept)
