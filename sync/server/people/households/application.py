"""What a household says of itself on the form, and whether that is complete. Pure.

The sixteen fields of the town: compound (from the poster's code), dwelling, name, document, sex, birth, mobile, owner
or tenant, registered residence, arrival, where from, transport, places of the last 15 days, contact with an epidemic
area, health, vehicle. No question about health or travel has a default answer: unanswered is empty, and empty is a
mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import msgspec

from sync.server.centre.errors import CentreError
from sync.server.people import identity
from sync.server.people.households.field_groups import (
    ANSWERS,
    HEALTH,
    JOURNEY,
    NO_YES,
    RESIDENCE,
    Answers,
    answers_of,
)
from sync.server.people.identity import Document
from sync.server.words.pairs import Pair

JOURNEY_DAYS = 15
MOST_PEOPLE = 12
MOST_VEHICLES = 4
MOST_JOURNEYS = 15
MOST_SIGNATURE = 60_000
LETTER_VERSION = "2026-11"
_LONGEST = 60
_SIGNATURE = re.compile(r"(M[0-9]{1,4} [0-9]{1,4}( ?L[0-9]{1,4} [0-9]{1,4})* ?)+")


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """A stay in the last 15 days. Days are ``2026-12-31``, both included."""

    province: str = ""
    city: str = ""
    district: str = ""
    from_day: str = ""
    until_day: str = ""


class Applicant(Answers, kw_only=True):
    """One person, as written. ``stayed`` is "yes" where the person was in town for all of the 15 days, "no" where
    ``journeys`` says where else. ``same_residence`` and ``travelled`` are "yes" where a co-resident ticked that
    registered residence, or arrival and journeys, are those of who applies: see ``copy_ticked``."""

    doc_number: str = ""
    phone: str = ""
    stayed: str = ""
    journeys: list[Journey] = msgspec.field(default_factory=list)
    same_residence: str = ""
    travelled: str = ""


class Application(msgspec.Struct, kw_only=True):
    """A household's form. The first of ``people`` is who applies. ``dwelling_id`` is 0 where the room is not in the
    register; ``dwelling`` is its name or what was typed. ``signature`` is an SVG path of M and L in a 1000 × 400 field;
    on paper it is empty, and where ``sign_at_desk`` says that the household will sign a printed letter."""

    dwelling_id: int = 0
    building: str = ""
    dwelling: str = ""
    people: list[Applicant] = []
    plates: list[str] = []
    desk_id: int = 0
    slot_ms: int = 0
    letter_version: str = LETTER_VERSION
    letter_name: str = ""
    signature: str = ""
    language: str = "zh"
    paper: bool = False
    sign_at_desk: bool = False


def copy_ticked(application: Application) -> None:
    """Give co-residents the residence and the journey they ticked to share with who applies: what that one corrects
    later is corrected for them, too."""
    for person in application.people[1:]:
        first = application.people[0]
        names = tuple(answers_of(RESIDENCE)) if person.same_residence == "yes" else ()
        if person.travelled == "yes":
            names += (*answers_of(JOURNEY), "stayed")
            person.journeys = list(first.journeys)
        for name in names:
            setattr(person, name, getattr(first, name))


class CheckedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person whose answers were checked, with the values that were read out of them."""

    wrote: Applicant
    name: str
    document: Document
    phone: str


class CheckedForm(msgspec.Struct, frozen=True, kw_only=True):
    """A form without mistakes, with the values that were read out of it: nothing after this reads them again."""

    wrote: Application
    dwelling: str
    people: tuple[CheckedPerson, ...]
    plates: tuple[str, ...]
    letter_name: str


def read_person(person: Applicant, today: date) -> CheckedPerson:
    """The values of somebody about whom ``check_person`` finds nothing; raises CentreError otherwise."""
    return CheckedPerson(
        wrote=person, name=identity.check_name(person.name),
        document=identity.check_document(person.doc_kind, person.doc_number, today),
        phone=identity.check_phone(person.phone) if person.phone else "",
    )  # fmt: skip


def read_form(application: Application, today: date) -> CheckedForm:
    """The values of a form in which ``check`` finds nothing; raises CentreError otherwise."""
    return CheckedForm(
        wrote=application, dwelling=identity.one_line(application.dwelling),
        people=tuple(read_person(person, today) for person in application.people),
        plates=tuple(identity.check_plate(plate) for plate in application.plates),
        letter_name=identity.check_name(application.letter_name),
    )  # fmt: skip


class FieldMistake(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one field: ``people.0.doc_number``, ``plates.1``, ``dwelling``, ``signature``."""

    field: str
    words: Pair


def _of(error: CentreError) -> Pair:
    return error.zh or str(error), str(error)


def _try(field: str, check: Callable[[], object]) -> Iterator[FieldMistake]:
    try:
        check()
    except CentreError as error:
        yield FieldMistake(field=field, words=_of(error))


_NEEDED: Pair = ("请回答这一项。", "Please answer this.")
_LONG: Pair = (f"请填一行，最多{_LONGEST}字。", f"One line, please, at most {_LONGEST} characters.")


def _choice(field: str, value: str, choices: tuple[str, ...]) -> Iterator[FieldMistake]:
    if value not in choices:
        yield FieldMistake(field=field, words=_NEEDED)


def _words(field: str, value: str, needed: bool = True) -> Iterator[FieldMistake]:
    if needed and not value.strip():
        yield FieldMistake(field=field, words=_NEEDED)
    elif len(value) > _LONGEST or not value.isprintable():
        yield FieldMistake(field=field, words=_LONG)


def _answer(person: Applicant, name: str, at: str, today: date) -> Iterator[FieldMistake]:
    """One answer, by the way it is asked: a choice, a day of the past, or words."""
    asked, field, value = ANSWERS[name], f"{at}.{name}", getattr(person, name)
    if asked.choices:
        yield from _choice(field, value, asked.choices)
    elif asked.day:
        yield from _day(field, value, None, today)
    else:
        yield from _words(field, value, needed=name != "transport_number" or person.transport in ("train", "plane"))


def check_dwelling(application: Application) -> Iterator[FieldMistake]:
    """Step one: where."""
    yield from _words("dwelling", application.dwelling)


def check_identity(person: Applicant, at: str, today: date, first: bool) -> Iterator[FieldMistake]:
    """Who: name, document, relation; sex and birth where the document does not say them. ``first`` needs a phone."""
    yield from _try(f"{at}.name", lambda: identity.check_name(person.name))
    yield from _answer(person, "relation", at, today)
    yield from _answer(person, "kind", at, today)
    yield from _try(f"{at}.doc_number", lambda: identity.check_document(person.doc_kind, person.doc_number, today))
    if person.doc_kind != "id_card":
        yield from _answer(person, "sex", at, today)
        yield from _answer(person, "birth", at, today)
    if first or person.phone:
        yield from _try(f"{at}.phone", lambda: identity.check_phone(person.phone))


def check_residence(person: Applicant, at: str, today: date) -> Iterator[FieldMistake]:
    """Registered residence and arrival in town."""
    for name in answers_of(RESIDENCE, JOURNEY):
        yield from _answer(person, name, at, today)


def check_health(person: Applicant, at: str, today: date) -> Iterator[FieldMistake]:
    """The last 15 days, contact, health. None of it has a default."""
    yield from _choice(f"{at}.stayed", person.stayed, NO_YES)
    if person.stayed == "no":
        yield from _journeys(person, at, today)
    for name in answers_of(HEALTH):
        yield from _answer(person, name, at, today)


def _journeys(person: Applicant, at: str, today: date) -> Iterator[FieldMistake]:
    if not 1 <= len(person.journeys) <= MOST_JOURNEYS:
        yield FieldMistake(field=f"{at}.journeys", words=("请填写这15天去过的地方。", "Say where you were, please."))
    earliest = today - timedelta(days=JOURNEY_DAYS)
    for number, journey in enumerate(person.journeys):
        here = f"{at}.journeys.{number}"
        yield from _words(f"{here}.province", journey.province)
        yield from _words(f"{here}.city", journey.city)
        yield from _words(f"{here}.district", journey.district, needed=False)
        days = [*_day(f"{here}.from_day", journey.from_day, None, today),
                *_day(f"{here}.until_day", journey.until_day, earliest, today)]  # fmt: skip
        yield from days
        if not days and journey.from_day > journey.until_day:
            yield FieldMistake(
                field=f"{here}.until_day", words=("离开不能早于到达。", "Leaving cannot be before arriving.")
            )


def _day(field: str, value: str, earliest: date | None, latest: date) -> Iterator[FieldMistake]:
    if not value:
        yield FieldMistake(field=field, words=_NEEDED)
        return
    try:
        day = identity.read_day(value)
    except CentreError as error:
        yield FieldMistake(field=field, words=_of(error))
        return
    if day > latest:
        yield FieldMistake(field=field, words=("不能晚于今天。", "It cannot be after today."))
    elif earliest is not None and day < earliest:
        yield FieldMistake(field=field, words=(f"只填最近{JOURNEY_DAYS}天。", f"Only the last {JOURNEY_DAYS} days."))


def check_family(application: Application, today: date) -> Iterator[FieldMistake]:
    """Co-residents, whole, and vehicles."""
    if not 1 <= len(application.people) <= MOST_PEOPLE:
        yield FieldMistake(field="people", words=(f"一户最多{MOST_PEOPLE}人，更多请到物业。",
                                             f"At most {MOST_PEOPLE} people; for more see the desk."))  # fmt: skip
    for number, person in enumerate(application.people):
        if number:
            yield from check_person(person, number, today)
    if len(application.plates) > MOST_VEHICLES:
        yield FieldMistake(field="plates", words=(f"最多{MOST_VEHICLES}辆车。", f"At most {MOST_VEHICLES} vehicles."))
    for number, plate in enumerate(application.plates):
        yield from _try(f"plates.{number}", lambda plate=plate: identity.check_plate(plate))  # type: ignore[misc]


def check_person(person: Applicant, number: int, today: date) -> Iterator[FieldMistake]:
    """All that is asked of one person; the first of a household needs a telephone."""
    at = f"people.{number}"
    yield from check_identity(person, at, today, first=number == 0)
    yield from check_residence(person, at, today)
    yield from check_health(person, at, today)


def check_letter(application: Application) -> Iterator[FieldMistake]:
    """The commitment letter: a name, and on the phone a signature drawn by hand."""
    yield from _try("letter_name", lambda: identity.check_name(application.letter_name))
    drawn = application.signature
    if (application.paper or application.sign_at_desk) and not drawn:
        return
    if len(drawn) < 40 or len(drawn) > MOST_SIGNATURE or not _SIGNATURE.fullmatch(drawn):
        yield FieldMistake(
            field="signature", words=("请用手指在框里签名。", "Please sign in the box with your finger.")
        )


def check(application: Application, today: date) -> list[FieldMistake]:
    """Everything that is still wrong, in the order of the form; empty: it may be submitted."""
    found = list(check_dwelling(application))
    if application.people:
        found += check_person(application.people[0], 0, today)
    found += check_family(application, today)
    found += check_letter(application)
    return found + list(_twice(application))


def _twice(application: Application) -> Iterator[FieldMistake]:
    seen: set[str] = set()
    for number, person in enumerate(application.people):
        key = f"{person.doc_kind}:{identity.plain(person.doc_number)}"
        if person.doc_number and key in seen:
            yield FieldMistake(
                field=f"people.{number}.doc_number", words=("这个证件号填了两次。", "This number is there twice.")
            )
        seen.add(key)
