"""Households: from the submitted form over the decision to passes, and what happens to them later.

States: ``applied`` waits for review, ``correct`` was sent back to be corrected, ``observe`` waits for a date,
``approved`` has passes (printed; active once collected), ``not_here`` does not live here, ``cancelled`` and ``moved``
have ended.
A resident is never told "refused".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, update

from sync.server.centre import sealing, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.places import Compound
from sync.server.centre.sealing import vault_of
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Centre, Writing, next_number
from sync.server.passes import passes
from sync.server.people import identity
from sync.server.people.households import doubts, slots
from sync.server.people.households.application import (
    Applicant,
    Application,
    CheckedForm,
    CheckedPerson,
    FieldMistake,
    Journey,
    check,
    read_form,
)
from sync.server.people.households.doubts import Origin
from sync.server.people.households.field_groups import ANSWERS, BIRTH, TRAVEL, Answers
from sync.server.people.households.sealed_answers import (
    KEYS,
    open_answers,
    open_birth,
    open_travel,
    seal_answers,
    stays_in,
    stays_of,
)
from sync.server.people.households.warnings import find_warnings
from sync.terms import Look

OPEN_STATES = ("applied", "correct", "observe")
"""Waiting for the office or for the household; its form may still be changed."""
LIVE_STATES = (*OPEN_STATES, "approved")
QUARANTINE_LOOK: Look = "community"
"""What gates ask of a household in home quarantine: no word of its own, so that none tells who is in it."""
_LINK_BYTES = 16
NOWHERE = Origin()


class Household(msgspec.Struct, frozen=True, kw_only=True):
    """A household as its row has it, its words opened; without the telephone number and the signature."""

    compound_id: int
    household_id: int
    number: str
    state: str
    dwelling_id: int
    dwelling: str
    source: str
    language: str
    link_version: int
    phone_masked: str
    submitted_ms: int
    decided_ms: int
    decided_by: str
    told: str
    not_before_ms: int
    evidence: str
    warnings: str
    desk_id: int
    slot_ms: int
    letter_version: str
    letter_signed_ms: int
    letter_name: str
    observed_until_ms: int
    printed_ms: int
    collected_ms: int
    collected_by: str
    collected_note: str
    objection: str
    ended_ms: int
    doubt: int
    signs: str
    verified_ms: int
    released_ms: int

    @property
    def stage(self) -> str:
        """The state as people see it: ``approved`` becomes ``collected`` with the hand-over."""
        return "collected" if self.state == "approved" and self.collected_ms else self.state


SEALED_WORDS = tuple(name for name in Household.__struct_fields__ if name not in tables.household.c)
"""What is said of a household in words: sealed in its row."""


class Person(Answers, frozen=True, kw_only=True):  # type: ignore[misc]  # msgspec may freeze, a dataclass not
    """A person as its row has it, answers opened; without full numbers."""

    person_id: int
    household_id: int
    place: int
    doc_masked: str
    phone_masked: str
    known: bool
    pass_id: int


class Vehicle(msgspec.Struct, frozen=True, kw_only=True):
    """A vehicle of a household; ``pass_id`` 0: no pass yet."""

    vehicle_id: int
    plate: str
    pass_id: int


class Incomplete(CentreError):
    """The form is not complete; ``mistakes`` says where."""

    def __init__(self, mistakes: Sequence[FieldMistake]):
        super().__init__("表还没有填完整。", "The form is not complete yet.")
        self.mistakes = mistakes


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """What the applicant takes away: the number, and the secret part of the address of the household's own page.
    ``gave_way`` lost its slot to this one, ``repeats`` is what stands already for its telephone and dwelling: both are
    to be told, by ``notices.tell_others``; 0: none."""

    household_id: int
    number: str
    link: str
    gave_way: int = 0
    repeats: int = 0


# Submitting, and correcting


def local_day(compound: Compound, utc_ms: int) -> date:
    """The day it is in a compound."""
    return datetime.fromtimestamp(utc_ms / 1000, ZoneInfo(compound.timezone)).date()


def submit(centre: Centre, compound_id: int, application: Application, by: str, household_id: int = 0) -> Submitted:
    """Take a form in, or the corrected form of a household that is still open. All of it or nothing.

    Raises Incomplete, CentreError (the slot is taken, the household is decided already), NoSuchThing.
    """
    with centre.writing(compound_id, by) as writing:
        return submit_in(writing, centre, application, household_id)


def submit_in(writing: Writing, centre: Centre, application: Application, household_id: int = 0,
              origin: Origin = NOWHERE) -> Submitted:  # fmt: skip
    """Do what ``submit`` does, inside a transaction that does more, for a form that was sent from somewhere."""
    today = local_day(writing.compound, writing.now_ms)
    if mistakes := check(application, today):
        raise Incomplete(mistakes)
    form = read_form(application, today)
    old = get_household(writing.conn, writing.compound_id, household_id) if household_id else None
    if old is not None and old.state not in OPEN_STATES:
        raise CentreError("申请已办结，需要更改请到物业。", "This application is decided already; ask the desk.")
    household_id = household_id or next_number(writing.conn, writing.compound_id, "household")
    _put_household(writing, centre.vault, form, household_id, old)
    if old is not None:
        _forget_people(writing, household_id)
    _put_people(writing, centre.vault, form, household_id)
    if origin != NOWHERE:
        set_state(writing, household_id, browser_mark=origin.browser, address_mark=origin.address)
    signs = doubts.look(writing, household_id)
    gave_way = _put_slot(writing, application, household_id, old, signs)
    set_state(writing, household_id, state="applied", warnings=",".join(find_warnings(writing, household_id)))
    number = household_number(writing.compound_id, household_id)
    writing.audit("correct" if old else "apply", number, household_id)
    link = link_of(centre.vault, writing.compound_id, household_id, old.link_version if old else 1)
    again = old is None and "applied_again" in signs
    repeats = doubts.first_of(writing.conn, writing.compound_id, household_id) if again else 0
    return Submitted(household_id=household_id, number=number, link=link, gave_way=gave_way, repeats=repeats)


def household_number(compound_id: int, household_id: int) -> str:
    return f"{compound_id}-H{household_id:05d}"


def _put_household(writing: Writing, vault: Vault, form: CheckedForm, household_id: int,
                   old: Household | None) -> None:  # fmt: skip
    dwelling_id = _dwelling_id(writing, form.wrote)
    if old is None:
        row = new_row(vault, form, writing.compound_id, household_id, dwelling_id, writing.now_ms)
        writing.conn.execute(insert(tables.household).values(row))
    else:
        keys = {"compound_id": writing.compound_id, "household_id": household_id}
        set_state(writing, household_id, **_said(vault, form, keys, dwelling_id, writing.now_ms))


def new_row(vault: Vault, form: CheckedForm, compound_id: int, household_id: int, dwelling_id: int,
            now_ms: int) -> dict[str, Any]:  # fmt: skip
    """The row of a household that has just applied."""
    link = link_of(vault, compound_id, household_id, 1)
    keys = {"compound_id": compound_id, "household_id": household_id}
    return keys | _said(vault, form, keys, dwelling_id, now_ms) | {
        "number": household_number(compound_id, household_id), "link_mark": vault.mark("link", link),
    }  # fmt: skip


def _said(vault: Vault, form: CheckedForm, keys: Mapping[str, Any], dwelling_id: int,
          now_ms: int) -> dict[str, Any]:  # fmt: skip
    """What a form says of the household itself."""
    wrote, table = form.wrote, tables.household
    words = {"letter_name": form.letter_name, "signature": wrote.signature, "told": ""}
    return _sealed_phone(vault, table, keys, form.people[0].phone) | sealing.seal_words(vault, table, keys, **words) | {
        "state": "applied", "dwelling_id": dwelling_id, "dwelling": form.dwelling,
        "source": "paper" if wrote.paper else "online", "language": wrote.language, "submitted_ms": now_ms,
        "letter_version": wrote.letter_version, "letter_signed_ms": now_ms,
    }  # fmt: skip


def _sealed_phone(vault: Vault, table: Table, keys: Mapping[str, Any], phone: str) -> dict[str, Any]:
    """A telephone number as a row has it: sealed, found by its hash, shown masked."""
    masked = identity.mask_phone(phone) if phone else ""
    sealed = sealing.seal_words(vault, table, keys, phone=phone)
    return sealed | {"phone_mark": vault.mark("phone", phone), "phone_masked": masked}


def _dwelling_id(writing: Writing, application: Application) -> int:
    """The chosen room, where it really is one of this compound's register; 0 otherwise."""
    columns = tables.dwelling.c
    wanted = select(columns.dwelling_id).where(
        columns.compound_id == writing.compound_id, columns.dwelling_id == application.dwelling_id
    )
    return writing.conn.execute(wanted).scalar() or 0


def _forget_people(writing: Writing, household_id: int) -> None:
    """Before a corrected form is put in their place; an open household has no pass that could be lost."""
    for table in (tables.person, tables.vehicle):
        mine = (table.c.compound_id == writing.compound_id, table.c.household_id == household_id)
        writing.conn.execute(delete(table).where(*mine))


def _put_people(writing: Writing, vault: Vault, form: CheckedForm, household_id: int) -> None:
    """People and vehicles as the form has them."""
    first = next_number(writing.conn, writing.compound_id, "person", len(form.people))
    _add_people(writing, vault, form.people, household_id, first, 0)
    for plate in form.plates:
        add_vehicle(writing, household_id, plate)


def add_person(writing: Writing, vault: Vault, person: CheckedPerson, household_id: int, person_id: int,
               place: int) -> None:  # fmt: skip
    """One person more."""
    _add_people(writing, vault, [person], household_id, person_id, place)


def _add_people(writing: Writing, vault: Vault, added: Sequence[CheckedPerson], household_id: int, person_id: int,
                place: int) -> None:  # fmt: skip
    """The numbers and places of the others follow the first one's."""
    today = local_day(writing.compound, writing.now_ms)
    people: list[dict[str, Any]] = []
    for at, person in enumerate(added):
        keys = {"compound_id": writing.compound_id, "household_id": household_id, "person_id": person_id + at}
        people.append(keys | {"place": place + at} | person_row(vault, person, keys, today))
    known = _known(writing, [row["doc_mark"] for row in people if row["doc_mark"]])
    writing.conn.execute(insert(tables.person), [row | {"known": row["doc_mark"] in known} for row in people])


def person_row(vault: Vault, person: CheckedPerson, keys: Mapping[str, Any], today: date) -> dict[str, Any]:
    """What a form says of a person, sealed where it must be: all but the keys, the place and whether it was known."""
    document, table = person.document, tables.person
    said = {name: getattr(person.wrote, name).strip() for name in ANSWERS} | {
        "name": person.name, "doc_kind": document.kind, "sex": document.sex or person.wrote.sex,
        "birth": document.birth or person.wrote.birth,
    }  # fmt: skip
    return {name: said[name] for name in ANSWERS if name in table.c} | {
        **seal_answers(vault, keys, said, stays_in(person.wrote), today),
        **_sealed_phone(vault, table, keys, person.phone),
        **sealing.seal_words(vault, table, keys, doc=document.number),
        "doc_mark": vault.mark("doc", document.text), "doc_masked": document.masked,
    }  # fmt: skip


def _known(writing: Writing, marks: Sequence[bytes]) -> set[bytes]:
    """Those of them that are on the list the community had before."""
    columns = tables.roster.c
    wanted = select(columns.doc_mark).where(columns.compound_id == writing.compound_id, columns.doc_mark.in_(marks))
    return set(writing.conn.execute(wanted).scalars()) if marks else set()


def add_vehicle(writing: Writing, household_id: int, plate: str) -> int:
    """Its number; ``plate`` is one that ``identity.check_plate`` returned."""
    vehicle_id = next_number(writing.conn, writing.compound_id, "vehicle")
    row = {"compound_id": writing.compound_id, "household_id": household_id, "vehicle_id": vehicle_id,
           "plate": plate}  # fmt: skip
    writing.conn.execute(insert(tables.vehicle).values(row))
    return vehicle_id


def _put_slot(writing: Writing, application: Application, household_id: int, old: Household | None,
              signs: Sequence[doubts.Sign]) -> int:  # fmt: skip
    """A slot stands unless another one is chosen; a browser that applied too often gets none. Who gave way."""
    keep = (old.desk_id, old.slot_ms) if old else (0, 0)
    wanted = (application.desk_id, application.slot_ms)
    if not doubts.may_choose(",".join(signs)):
        return slots.book(writing, household_id, 0, 0, ())
    if not application.desk_id or wanted == keep:
        return slots.make_room(writing, household_id)
    offered = slots.offer_one(
        writing.conn, writing.compound, application.building, writing.now_ms, wanted, application.paper, keep,
        doubts.of_strangers(writing.conn),
    )  # fmt: skip
    return slots.book(writing, household_id, *wanted, offered)


# The household's own link


def link_of(vault: Vault, compound_id: int, household_id: int, version: int) -> str:
    """The secret part of the address of a household's page, 26 characters; the next version ends the last one."""
    key = vault.derive("household-link").encode()
    drawn = hmac.new(key, f"{compound_id}/{household_id}/{version}".encode(), hashlib.sha256).digest()[:_LINK_BYTES]
    return base64.b32encode(drawn).decode().rstrip("=").lower()


def by_link(conn: Connection, vault: Vault, compound_id: int, link: str) -> Household:
    """Raises NoSuchThing."""
    columns = tables.household.c
    return _one(conn, columns.compound_id == compound_id, columns.link_mark == vault.mark("link", link[:64].lower()))


def renew_link(writing: Writing, vault: Vault, household_id: int) -> str:
    """Another link; the old one leads nowhere from now on."""
    old = get_household(writing.conn, writing.compound_id, household_id)
    link = link_of(vault, writing.compound_id, household_id, old.link_version + 1)
    set_state(writing, household_id, link_version=old.link_version + 1, link_mark=vault.mark("link", link))
    writing.audit("renew-link", old.number, household_id)
    return link


# Reading


def get_household(conn: Connection, compound_id: int, household_id: int) -> Household:
    """Raises NoSuchThing."""
    columns = tables.household.c
    return _one(conn, columns.compound_id == compound_id, columns.household_id == household_id)


def _one(conn: Connection, *which: Any) -> Household:
    of = tables.household.c
    columns = [of[name if name in of else f"sealed_{name}"] for name in Household.__struct_fields__]
    row = conn.execute(select(*columns).where(*which)).mappings().first()
    if row is None:
        raise NoSuchThing(en="There is no such household.")
    clear = {name: row[name] for name in Household.__struct_fields__ if name in of}
    return Household(**clear | sealing.open_words(vault_of(conn), tables.household, row, *SEALED_WORDS))


def first_of(conn: Connection, household: Household) -> Household | None:
    """The first open application of the same telephone and dwelling, if it is not this one."""
    found = doubts.first_of(conn, household.compound_id, household.household_id)
    return get_household(conn, household.compound_id, found) if found else None


def people_of(conn: Connection, compound_id: int, household_id: int) -> list[Person]:
    """In the order of the form."""
    table = tables.person
    clear = [name for name in Person.__struct_fields__ if name in table.c]
    columns = (table.c[name] for name in dict.fromkeys((*clear, *KEYS, BIRTH, TRAVEL)))
    mine = (table.c.compound_id == compound_id, table.c.household_id == household_id)
    found = conn.execute(select(*columns).where(*mine).order_by(table.c.place, table.c.person_id)).mappings()
    vault = vault_of(conn)
    return [
        Person(**{name: row[name] for name in clear} | open_answers(vault, row) | {"known": bool(row["known"])})
        for row in found
    ]


def vehicles_of(conn: Connection, compound_id: int, household_id: int) -> list[Vehicle]:
    table = tables.vehicle
    mine = (table.c.compound_id == compound_id, table.c.household_id == household_id)
    wanted = select(table.c.vehicle_id, table.c.plate, table.c.pass_id).where(*mine).order_by(table.c.vehicle_id)
    return [Vehicle(**row) for row in conn.execute(wanted).mappings()]


def journeys_of(conn: Connection, compound_id: int, household_id: int) -> dict[int, list[Journey]]:
    """Person → stays, of those who were away, in the order of the form."""
    table = tables.person
    mine = (table.c.compound_id == compound_id, table.c.household_id == household_id)
    wanted = select(*(table.c[name] for name in (*KEYS, TRAVEL))).where(*mine).order_by(table.c.person_id)
    return stays_of(vault_of(conn), conn.execute(wanted).mappings())


def read_application(conn: Connection, vault: Vault, household: Household) -> Application:
    """The form as it was submitted, opened, for the household itself to correct, or the desk with it."""
    table, of = tables.person, tables.household.c
    mine = (table.c.compound_id == household.compound_id, table.c.household_id == household.household_id)
    rows = conn.execute(select(table).where(*mine).order_by(table.c.place)).mappings().all()
    mine = (of.compound_id == household.compound_id, of.household_id == household.household_id)
    row = conn.execute(select(of.compound_id, of.household_id, of.sealed_signature).where(*mine)).mappings().one()
    drawn = sealing.open_words(vault, tables.household, row, "signature")["signature"]
    home = tables.dwelling.c
    here = (home.compound_id == household.compound_id, home.dwelling_id == household.dwelling_id)
    return Application(
        dwelling_id=household.dwelling_id, dwelling=household.dwelling, language=household.language,
        building=conn.execute(select(home.building).where(*here)).scalar() or "",
        people=[_applicant(row, vault) for row in rows],
        plates=[vehicle.plate for vehicle in vehicles_of(conn, household.compound_id, household.household_id)],
        desk_id=household.desk_id, slot_ms=household.slot_ms, letter_version=household.letter_version,
        letter_name=household.letter_name, signature=drawn, paper=household.source == "paper",
        sign_at_desk=household.source == "online" and not drawn,
    )  # fmt: skip


def _applicant(row: Any, vault: Vault) -> Applicant:
    numbers = sealing.open_words(vault, tables.person, row, "doc", "phone")
    travel, stays = open_travel(vault, row)
    said = {name: row[name] for name in ANSWERS if name in row} | {"birth": open_birth(vault, row)} | travel
    return Applicant(
        **said, doc_number=numbers["doc"], phone=numbers["phone"], stayed="no" if stays else "yes", journeys=stays
    )


# Deciding


def set_state(writing: Writing, household_id: int, **values: Any) -> None:
    """Change a household's row; words are sealed on the way."""
    columns = tables.household.c
    keys = {"compound_id": writing.compound_id, "household_id": household_id}
    words = {name: values.pop(name) for name in SEALED_WORDS if name in values}
    values |= sealing.seal_words(vault_of(writing.conn), tables.household, keys, **words)
    mine = (columns.compound_id == writing.compound_id, columns.household_id == household_id)
    writing.conn.execute(update(tables.household).where(*mine).values(**values))


def decide(writing: Writing, household_id: int, state: str, told: str = "", not_before_ms: int = 0,
           evidence: str = "") -> Household:  # fmt: skip
    """``correct`` (``told`` says what), ``observe`` (until ``not_before_ms``) or ``not_here``. Raises CentreError where
    it is decided already."""
    household = _must_be(writing, household_id, (*OPEN_STATES, "not_here"))
    set_state(
        writing, household_id, state=state, told=told, not_before_ms=not_before_ms, decided_ms=writing.now_ms,
        decided_by=writing.by, evidence=evidence or household.evidence, **doubts.settled(),
    )  # fmt: skip
    writing.audit(f"decide-{state}", household.number, household_id)
    return get_household(writing.conn, writing.compound_id, household_id)


def approve(writing: Writing, centre: Centre, household_id: int, until_ms: int = 0, evidence: str = "") -> Household:
    """Approve: every person and vehicle gets a pass, printed and not collected. Raises CentreError where it is decided
    already. ``until_ms`` 0: 30 days."""
    household = _must_be(writing, household_id, (*OPEN_STATES, "not_here"))
    set_state(
        writing, household_id, state="approved", told="", not_before_ms=0, decided_ms=writing.now_ms,
        decided_by=writing.by, evidence=evidence or household.evidence, **doubts.settled(),
    )  # fmt: skip
    writing.audit("decide-approved", household.number, household_id)
    issue_missing(writing, centre, household_id, until_ms)
    return get_household(writing.conn, writing.compound_id, household_id)


def issue_missing(writing: Writing, centre: Centre, household_id: int, until_ms: int = 0) -> list[str]:
    """A printed pass for every person and vehicle of an approved household that has none; their numbers. In home
    quarantine they are marked as those before them are."""
    household = _must_be(writing, household_id, ("approved",))
    place = (writing.conn, writing.compound_id, household_id)
    waiting: list[tuple[Any, int, passes.Order]] = []

    def order(**fields: str) -> passes.Order:
        end = until_ms or writing.now_ms + passes.DEFAULT_VALIDITY_MS
        return passes.Order(valid_from_ms=writing.now_ms, valid_until_ms=end, dwelling=household.dwelling,
                            household=household_id, **fields)  # type: ignore[arg-type]  # fmt: skip

    for person in people_of(*place):
        if not person.pass_id:
            ordered = order(kind=person.kind, label=passes.masked(person.name))
            waiting.append((tables.person.c.person_id, person.person_id, ordered))
    for vehicle in vehicles_of(*place):
        if not vehicle.pass_id:
            waiting.append(
                (tables.vehicle.c.vehicle_id, vehicle.vehicle_id, order(kind="vehicle", plate=vehicle.plate))
            )
    if not waiting:
        return []
    rows = passes.issue_in(writing, centre, [ordered for _, _, ordered in waiting])
    for (column, key, _), row in zip(waiting, rows, strict=True):
        mine = (column.table.c.compound_id == writing.compound_id, column == key)
        writing.conn.execute(update(column.table).where(*mine).values(pass_id=row["pass_id"]))
        if household.observed_until_ms:
            passes.set_attention_in(writing, row["number"], True, QUARANTINE_LOOK)
    return [row["number"] for row in rows]


def _must_be(writing: Writing, household_id: int, states: Sequence[str]) -> Household:
    household = get_household(writing.conn, writing.compound_id, household_id)
    if household.state not in states:
        raise CentreError(
            f"{household.number} 的状态已变，请刷新再看。",
            f"{household.number} cannot be changed this way: somebody decided on it meanwhile.",
        )
    return household


# Passes of a household


def pass_numbers(conn: Connection, compound_id: int, household_id: int) -> list[str]:
    """Every pass that hangs on it, people's, vehicles' and visitors', by number; revoked ones too."""
    columns = tables.pass_.c
    mine = (columns.compound_id == compound_id, columns.household == household_id)
    return list(conn.execute(select(columns.number).where(*mine).order_by(columns.pass_id)).scalars())


def end(writing: Writing, household_id: int, state: str) -> None:
    """``cancelled`` (before passes were collected) or ``moved``: every pass is revoked, the slot is free again."""
    household = _must_be(writing, household_id, (*LIVE_STATES, "not_here"))
    _each_live_pass(writing, household_id, lambda number: passes.revoke_in(writing, number))
    set_state(writing, household_id, state=state, ended_ms=writing.now_ms, desk_id=0, slot_ms=0, **doubts.settled())
    writing.audit(f"household-{state}", household.number, household_id)


def set_home_quarantine(writing: Writing, household_id: int, until_ms: int) -> None:
    """Home quarantine until a moment, 0 ends it: gates show the same yellow as ever, and ask the guard to call the
    community office, as for many other causes. A mark that somebody set for another one stays when it ends."""
    household = get_household(writing.conn, writing.compound_id, household_id)
    set_state(writing, household_id, observed_until_ms=until_ms)
    if until_ms:
        marked = partial(passes.set_attention_in, writing, attention=True, look=QUARANTINE_LOOK)
        _each_live_pass(writing, household_id, marked)
    else:
        unmarked = partial(passes.set_attention_in, writing, attention=False)
        columns = tables.pass_.c
        _each_live_pass(writing, household_id, unmarked, columns.attention, columns.look.in_(("", QUARANTINE_LOOK)))
    writing.audit("observe" if until_ms else "observe-end", household.number, household_id)


def _each_live_pass(
    writing: Writing, household_id: int, act: Callable[[str], object], *which: ColumnElement[bool]
) -> None:
    columns = tables.pass_.c
    mine = (columns.compound_id == writing.compound_id, columns.household == household_id)
    live = select(columns.number).where(*mine, columns.state != "revoked", *which)
    for number in writing.conn.execute(live).scalars().all():
        act(number)
