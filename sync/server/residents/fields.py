"""What a browser sent, put into an application: the names of the form's fields are here and nowhere else.

A field is named like its mistake with dashes for dots: ``people-0-doc_number``, ``people-1-journeys-0-city``,
``plates-0``, ``dwelling``, ``signature``. The macros of ``residents/_fields.html`` draw them, one macro a group:
``where_fields``, ``identity_fields``, ``residence_fields``, ``travel_fields``, ``health_fields``, ``plate_fields``.

For a form on paper that somebody types in on one page: ``read_fields`` reads all groups at once, then
``settle_dwelling`` finds the room in the register, then ``application.check``.

Nothing here refuses anything. What is written stays as written, cut where no honest answer could be that long.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.people import address, identity
from sync.server.people.dwellings import dwellings
from sync.server.people.households.application import (
    MOST_JOURNEYS,
    MOST_PEOPLE,
    MOST_SIGNATURE,
    MOST_VEHICLES,
    Applicant,
    Application,
    Journey,
    copy_ticked,
)
from sync.server.people.households.field_groups import (
    ANSWERS,
    CONTACT,
    HEALTH,
    IDENTITY,
    JOURNEY,
    RESIDENCE,
    asked_of_person,
)
from sync.server.residents.letter import read_slot

Sent = MultiDict[str, str]
_LONGEST = 100
_MOST_DIGITS = 15
_DAY = re.compile(r"(\d{4})(?:[-/.年\s]*)(\d{1,2})(?:[-/.月\s]*)(\d{1,2})日?")
_DAYS = (*(name for name, answer in ANSWERS.items() if answer.day), "from_day", "until_day")
_IDENTITY = asked_of_person(IDENTITY, CONTACT)
_RESIDENCE = asked_of_person(RESIDENCE, JOURNEY)
_HEALTH = asked_of_person(HEALTH)
_NO_LABEL = ("journeys", "plates", "people", "signature", "slot")
_JOURNEY = Journey.__struct_fields__


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What the register offers for the selects of the dwelling: units and rooms of what is chosen so far."""

    buildings: list[str] = []
    building: str = ""
    units: list[str] = []
    unit: str = ""
    rooms: list[dwellings.Dwelling] = []


def field_name(field: str) -> str:
    """The name, and the id on the page, of a mistake's field."""
    return field.replace(".", "-")


def read_fields(form: Sent, application: Application, today: date) -> Application:
    """Everything that can be written on the form. People and rows with nothing in them are left out."""
    read_where(form, application)
    people = []
    for number in range(MOST_PEOPLE):
        person = application.people[number] if number < len(application.people) else Applicant()
        if number == 0 or _written(form, f"people-{number}-", ("name", "doc_number")):
            read_person(form, person, number, today)
            people.append(person)
    application.people = people
    read_plates(form, application)
    read_letter(form, application)
    copy_ticked(application)
    return application


def read_where(form: Sent, application: Application) -> None:
    """Building, room of the register, or the room in words."""
    application.building = _text(form, "building")
    application.dwelling_id = _whole(form, "dwelling_id")
    application.dwelling = _text(form, "dwelling")


def read_person(form: Sent, person: Applicant, number: int, today: date) -> None:
    """All groups of one person."""
    read_identity(form, person, number, today)
    read_residence(form, person, number)
    read_travel(form, person, number)
    read_health(form, person, number)


def read_identity(form: Sent, person: Applicant, number: int, today: date) -> None:
    """Who; what an identity card says of sex and birth is read off it."""
    _take(form, person, f"people-{number}-", _IDENTITY)
    person.kind = person.kind or "resident"
    try:
        document = identity.check_document(person.doc_kind, person.doc_number, today)
    except CentreError:
        return
    person.sex, person.birth = document.sex or person.sex, document.birth or person.birth


def read_residence(form: Sent, person: Applicant, number: int) -> None:
    """Registered residence and arrival."""
    _take(form, person, f"people-{number}-", _RESIDENCE)
    person.same_residence = _text(form, f"people-{number}-same_residence") if number else ""


def read_travel(form: Sent, person: Applicant, number: int) -> None:
    """The last 15 days."""
    person.stayed = _text(form, f"people-{number}-stayed")
    person.travelled = _text(form, f"people-{number}-travelled") if number else ""
    before = f"people-{number}-journeys-"
    person.journeys = [
        Journey(**{name: _value(form, f"{before}{row}-{name}", name) for name in _JOURNEY})
        for row in range(MOST_JOURNEYS)
        if _written(form, f"{before}{row}-", _JOURNEY)
    ]


def read_health(form: Sent, person: Applicant, number: int) -> None:
    """Contact, health, home quarantine: what is not answered is empty."""
    _take(form, person, f"people-{number}-", _HEALTH)


def read_plates(form: Sent, application: Application) -> None:
    """Number plates; empty rows are left out."""
    written = [_text(form, f"plates-{row}") for row in range(MOST_VEHICLES)]
    application.plates = [plate for plate in written if plate]


def read_letter(form: Sent, application: Application) -> None:
    """The letter's name and signature, and the slot as ``letter.slot_value`` writes it."""
    application.letter_name = _text(form, "letter_name")
    application.signature = form.get("signature", "")[: MOST_SIGNATURE + 1].strip()
    application.sign_at_desk = form.get("sign_at_desk") == "yes"
    both = read_slot(form.get("slot", ""))
    application.desk_id, application.slot_ms = both if all(both) else (0, 0)


def settle_dwelling(conn: Connection, compound_id: int, application: Application, unit: str | None = None) -> None:
    """Make the dwelling what the register says: the chosen room's name, or the room that is meant in words. A room
    of another compound, or not of the chosen building and ``unit``, is not chosen."""
    found = _chosen(conn, compound_id, application, unit)
    if found is None and application.dwelling:
        number = dwellings.match(conn, compound_id, application.dwelling)
        found = dwellings.get_dwelling(conn, compound_id, number) if number else None
    if found is not None:
        application.dwelling_id, application.dwelling, application.building = (
            found.dwelling_id,
            found.name,
            found.building,
        )
        return
    application.dwelling_id = 0
    meant = address.read_words(application.dwelling)
    if meant is not None and not application.building:
        application.building = meant.building


def unit_of(conn: Connection, compound_id: int, dwelling_id: int) -> str:
    """The unit a room of the register is in; empty where there is none."""
    try:
        return dwellings.get_dwelling(conn, compound_id, dwelling_id).unit
    except NoSuchThing:
        return ""


def _chosen(
    conn: Connection, compound_id: int, application: Application, unit: str | None
) -> dwellings.Dwelling | None:
    if not application.dwelling_id:
        return None
    try:
        found = dwellings.get_dwelling(conn, compound_id, application.dwelling_id)
    except NoSuchThing:
        return None
    same = application.building in ("", found.building) and unit in (None, "", found.unit)
    return found if same and not found.proposed else None


def choices(conn: Connection, compound_id: int, building: str, unit: str = "") -> Choices:
    """What the selects offer. A building with one unit, or none, needs no unit to be chosen."""
    buildings = dwellings.buildings(conn, compound_id)
    if building not in buildings:
        return Choices(buildings=buildings)
    units = dwellings.units(conn, compound_id, building)
    unit = units[0] if len(units) == 1 else unit
    rooms = dwellings.rooms(conn, compound_id, building, unit) if unit in units else []
    return Choices(buildings=buildings, building=building, units=units, unit=unit, rooms=rooms)


def without_row(form: Sent, before: str) -> Sent:
    """What was sent, without the fields whose names begin so."""
    return MultiDict((name, value) for name, value in form.items(multi=True) if not name.startswith(before))


def step_of(field: str) -> tuple[str, int]:
    """On which step's page a mistake's field is, and of which person."""
    parts = field.split(".")
    if parts[0] != "people":
        return {"dwelling": "where", "plates": "family"}.get(parts[0], "letter"), 0
    if len(parts) == 1:
        return "family", 0
    if parts[1] != "0":
        return "person", int(parts[1])
    name = parts[2] if len(parts) > 2 else ""
    return "where" if name in _IDENTITY else "residence" if name in _RESIDENCE else "travel", 0


def label_of(field: str) -> str:
    """The word for the label of a field; empty where a mistake speaks for itself."""
    name = field.rsplit(".", 1)[-1]
    return "" if name.isdigit() or name in _NO_LABEL else f"form_{name}"


def _take(form: Sent, person: Applicant, before: str, names: tuple[str, ...]) -> None:
    for name in names:
        setattr(person, name, _value(form, before + name, name))


def _value(form: Sent, field: str, name: str) -> str:
    return _tidy_day(_text(form, field)) if name in _DAYS else _text(form, field)


def _text(form: Sent, name: str) -> str:
    return form.get(name, "")[:_LONGEST].strip()


def _written(form: Sent, before: str, names: tuple[str, ...]) -> bool:
    return any(form.get(before + name, "").strip() for name in names)


def _whole(form: Sent, name: str) -> int:
    words = form.get(name, "")
    return int(words) if words.isascii() and words.isdigit() and len(words) <= _MOST_DIGITS else 0


def _tidy_day(words: str) -> str:
    """20150301, 2015/3/1 and 2015年3月1日 as 2015-03-01; an invalid day stays as it is."""
    found = _DAY.fullmatch(unicodedata.normalize("NFKC", words))
    try:
        return date(*(int(part) for part in found.groups())).isoformat() if found else words
    except ValueError:
        return words


def wrong_fields(mistakes: Any, tongue: str) -> dict[str, str]:
    """Field of a mistake → what to say at it; of two about one field, the first."""
    found: dict[str, str] = {}
    for mistake in mistakes:
        found.setdefault(mistake.field, mistake.words[tongue == "en"])
    return found
