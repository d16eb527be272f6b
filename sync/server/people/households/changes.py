"""What a household may change by itself on its own page. Whatever it does is recorded with its own number as the doer.

Nothing here makes a pass: a new person or plate waits until somebody of the office has looked at it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, select, update

from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.places import Compound
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Centre, Writing, next_number
from sync.server.passes import passes
from sync.server.passes.passes import Pass
from sync.server.people import identity
from sync.server.people.households import doubts, households, notices, phone_pass, slots
from sync.server.people.households.application import (
    MOST_PEOPLE,
    MOST_VEHICLES,
    Applicant,
    Application,
    FieldMistake,
    check_person,
    copy_ticked,
    read_person,
)
from sync.server.people.households.households import Household, Incomplete, local_day
from sync.server.people.households.warnings import find_warnings
from sync.server.people.identity import Document

LOST = ("card", "phone", "both")
MOST_OBJECTION = 300


def deeds(household: Household) -> tuple[str, ...]:
    """What the household may do in its state: ``correct``, ``slot``, ``cancel``, ``object``, ``lost``, ``plate``,
    ``person``, ``visitor``, ``moved``."""
    if household.state in households.OPEN_STATES:
        return ("correct", "slot", "cancel") if doubts.may_choose(household.signs) else ("correct", "cancel")
    if household.stage == "approved":
        return ("slot", "plate", "person", "cancel")
    if household.stage == "collected":
        return ("visitor", "lost", "plate", "person", "moved")
    return ("object", "cancel") if household.state == "not_here" else ()


def must_be_able(household: Household, deed: str) -> None:
    """Raises CentreError where the household is in another state by now."""
    if deed not in deeds(household):
        raise CentreError(
            "现在不能这样做了，请重新看一下本页。", "This cannot be done any more; please look at your page again."
        )


# Ending, and the slot


def cancel(writing: Writing, household: Household) -> None:
    """Before passes were collected: the application ends, the slot is free."""
    must_be_able(household, "cancel")
    households.end(writing, household.household_id, "cancelled")


def move_out(writing: Writing, household: Household) -> None:
    """Every pass of the household, visitors' too, is revoked."""
    must_be_able(household, "moved")
    households.end(writing, household.household_id, "moved")


def free_slots(conn: Connection, household: Household, compound: Compound, now_ms: int) -> list[slots.Slot]:
    """What may be chosen now, not before the day from which it may collect; its own place is among them."""
    home = tables.dwelling.c
    here = (home.compound_id == household.compound_id, home.dwelling_id == household.dwelling_id)
    building = conn.execute(select(home.building).where(*here)).scalar() or ""
    keep = (household.desk_id, household.slot_ms)
    doubt = doubts.of_strangers(conn) if household.doubt else slots.FIRM
    found = slots.offer(conn, compound, building, now_ms, household.source == "paper", keep, doubt)
    return [slot for slot in found if slot.at_ms >= household.not_before_ms]


def slot_stands(household: Household) -> bool:
    """Whether it has a time at which it can really collect."""
    return household.desk_id > 0 and household.slot_ms >= household.not_before_ms


def change_slot(writing: Writing, vault: Vault, household: Household, desk_id: int, at_ms: int) -> None:
    """Another time to collect; who gives way to it is told. Raises CentreError where it was taken meanwhile."""
    must_be_able(household, "slot")
    offered = free_slots(writing.conn, household, writing.compound, writing.now_ms)
    gave_way = slots.book(writing, household.household_id, desk_id, at_ms, offered)
    if gave_way:
        notices.tell_released(writing, vault, gave_way)
    writing.audit("slot", household.number, household.household_id)


def object_to(writing: Writing, household: Household, words: str) -> None:
    """Say that the household does live here; the office looks again."""
    must_be_able(household, "object")
    said = identity.one_line(words)
    if not said or len(said) > MOST_OBJECTION or not said.isprintable():
        raise CentreError(
            f"请写明情况，最多{MOST_OBJECTION}字。", f"Please say in at most {MOST_OBJECTION} characters why."
        )
    households.set_state(writing, household.household_id, objection=said)
    writing.audit("object", household.number, household.household_id)


# People and vehicles


def add_person(writing: Writing, vault: Vault, household: Household, applicant: Applicant) -> None:
    """A baby, or anyone who moved in: without a pass until the office has looked.

    Raises Incomplete with fields ``people.1.…``, CentreError.
    """
    must_be_able(household, "person")
    place = (writing.conn, writing.compound_id, household.household_id)
    people, today = households.people_of(*place), local_day(writing.compound, writing.now_ms)
    if len(people) >= MOST_PEOPLE:
        raise CentreError(
            f"一户最多{MOST_PEOPLE}人，更多请到物业。", f"At most {MOST_PEOPLE} people; for more see the desk."
        )
    first = households.read_application(writing.conn, vault, household).people[:1] or [Applicant()]
    copy_ticked(Application(people=[first[0], applicant]))
    if mistakes := list(check_person(applicant, 1, today)):
        raise Incomplete(mistakes)
    person = read_person(applicant, today)
    if mistakes := _known_already(writing, vault, household, person.document):
        raise Incomplete(mistakes)
    person_id = next_number(writing.conn, writing.compound_id, "person")
    after = max(person.place for person in people) + 1 if people else 0
    households.add_person(writing, vault, person, household.household_id, person_id, after)
    _look_again(writing, household, "add-person")


def _known_already(writing: Writing, vault: Vault, household: Household, document: Document) -> list[FieldMistake]:
    text = document.text
    columns = tables.person.c
    same = select(columns.person_id).where(
        *_mine(tables.person, household), columns.doc_mark == vault.mark("doc", text), columns.doc_mark != b""
    )
    if not text or writing.conn.execute(same).first() is None:
        return []
    words = ("这个人已经在本户里了。", "This person is of your household already.")
    return [FieldMistake(field="people.1.doc_number", words=words)]


def change_plate(writing: Writing, household: Household, vehicle_id: int, plate: str) -> None:
    """Another plate for a vehicle, 0 for one more vehicle: the old plate's pass is revoked at once, the new one waits.

    Raises CentreError, NoSuchThing.
    """
    must_be_able(household, "plate")
    plate = identity.check_plate(plate)
    mine = households.vehicles_of(writing.conn, writing.compound_id, household.household_id)
    if any(vehicle.plate == plate for vehicle in mine):
        raise CentreError("这个车牌已经在本户里了。", "This plate is of your household already.")
    if not vehicle_id:
        if len(mine) >= MOST_VEHICLES:
            raise CentreError(f"最多{MOST_VEHICLES}辆车。", f"At most {MOST_VEHICLES} vehicles.")
        households.add_vehicle(writing, household.household_id, plate)
    elif (old := next((one for one in mine if one.vehicle_id == vehicle_id), None)) is None:
        raise NoSuchThing(en="There is no such vehicle.")
    else:
        _revoke(writing, old.pass_id)
        columns = tables.vehicle.c
        this = (*_mine(tables.vehicle, household), columns.vehicle_id == vehicle_id)
        writing.conn.execute(update(tables.vehicle).where(*this).values(plate=plate, pass_id=0))
    _look_again(writing, household, "change-plate")


def _revoke(writing: Writing, pass_id: int) -> None:
    columns = tables.pass_.c
    this = (columns.compound_id == writing.compound_id, columns.pass_id == pass_id, columns.state != "revoked")
    number = writing.conn.execute(select(columns.number).where(*this)).scalar()
    if number is not None:
        passes.revoke_in(writing, number)


def _look_again(writing: Writing, household: Household, what: str) -> None:
    found = ",".join(find_warnings(writing, household.household_id))
    households.set_state(writing, household.household_id, warnings=found)
    writing.audit(what, household.number, household.household_id)


def _mine(table: Table, household: Household) -> tuple[Any, ...]:
    return table.c.compound_id == household.compound_id, table.c.household_id == household.household_id


# Lost


def report_lost(writing: Writing, centre: Centre, household: Household, number: str, what: str) -> Pass:
    """A lost ``card``: its serial is dead at once, a new one waits at the desk, the phone works on. A lost ``phone``:
    its serial is dead and no browser shows the pass now. Or ``both``. Raises CentreError, NoSuchThing."""
    must_be_able(household, "lost")
    if what not in LOST:
        raise CentreError("请选择丢了什么。", "Please choose what was lost.")
    found = pass_of(writing, household, number)
    live = {one.medium: one.state for one in found.credentials if one.state in ("printed", "active")}
    if what in ("card", "both"):
        if live.get("card") != "active":
            raise CentreError("新卡已经在物业等您领取了。", "A new card is waiting at the desk already.")
        passes.reissue_in(writing, centre, number, ("card",), printed=True)
    if what in ("phone", "both"):
        _end_phone(writing, centre, number, alone=what == "phone")
    writing.audit(f"lost-{what}", number, household.household_id)
    return pass_of(writing, household, number)


def _end_phone(writing: Writing, centre: Centre, number: str, alone: bool) -> None:
    if phone_pass.has_browser(writing.conn, writing.compound_id, number):
        phone_pass.take_off(writing, centre, number)
    elif alone:
        raise CentreError("这张证没有开通手机证。", "This pass is on no phone.")


def pass_of(writing: Writing, household: Household, number: str) -> Pass:
    """A pass of a person or vehicle of the household. Raises NoSuchThing, for a visitor's too."""
    found = next((one for one in passes_of(writing.conn, household) if one.number == number), None)
    if found is None:
        raise NoSuchThing(en="There is no such pass in this household.")
    return found


def passes_of(conn: Connection, household: Household) -> list[Pass]:
    """Of its people and vehicles, by number, without revoked ones; visitors' are not among them."""
    columns = tables.pass_.c
    mine = (columns.compound_id == household.compound_id, columns.household == household.household_id)
    wanted = select(columns.number).where(*mine, columns.kind != "visitor", columns.state != "revoked")
    numbers = conn.execute(wanted.order_by(columns.pass_id)).scalars().all()
    return passes.read_passes(conn, household.compound_id, numbers)


def names_of(conn: Connection, household: Household) -> dict[str, str]:
    """Number of a pass → the name of its person, in full: for the household itself."""
    of, passed = tables.person.c, tables.pass_.c
    joined = (passed.compound_id == of.compound_id) & (passed.pass_id == of.pass_id)
    wanted = select(passed.number, of.name).join(tables.pass_, joined).where(*_mine(tables.person, household))
    return {row.number: row.name for row in conn.execute(wanted)}
