"""From the submitted form to passes, without a page: what is taken, and what is refused."""

from __future__ import annotations

import sqlite3
from datetime import date

import pytest

from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.passes import compounds, passes
from sync.server.people import identity
from sync.server.people.households import households, slots
from sync.server.people.households.application import Applicant, Journey, check
from tests.fixtures.centre import World
from tests.fixtures.people import (
    PHONE,
    SIGNATURE,
    add_desk,
    add_dwelling,
    applicant,
    application,
    apply,
    approved,
    family,
    id_number,
)

TODAY = date(2027, 1, 15)


def read(world: World, household_id: int, compound: int = 7) -> households.Household:
    with world.centre.store.read() as conn:
        return households.get_household(conn, compound, household_id)


# Documents, telephones, plates


@pytest.mark.parametrize(
    ("kind", "written", "number"),
    [
        ("id_card", "11010519491231002x", "11010519491231002X"),
        ("id_card", "1101 0519 4912 3100 2Ｘ", "11010519491231002X"),
        ("hk_macau", "h12345678", "H12345678"),
        ("taiwan", "0123 4567", "01234567"),
        ("passport", "e1234-5678", "E12345678"),
        ("none", "", ""),
    ],
)
def test_a_paper_is_taken_as_people_write_it(kind: str, written: str, number: str) -> None:
    assert identity.check_document(kind, written, TODAY).number == number


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("id_card", "110105194912310021"),
        ("id_card", "11010519491331002X"),
        ("id_card", "1101051949123100"),
        ("id_card", "99010519491231002X"),
        ("id_card", ""),
        ("hk_macau", "X12345678"),
        ("taiwan", "1"),
        ("passport", "A B"),
        ("none", "5"),
        ("library", "5"),
        ("id_card", "１" * 4000),
    ],
)
def test_a_wrong_paper_is_told_in_both_languages(kind: str, written: str) -> None:
    with pytest.raises(CentreError) as raised:
        identity.check_document(kind, written, TODAY)
    assert raised.value.zh and str(raised.value) != raised.value.zh


def test_every_single_wrong_digit_of_an_id_number_is_noticed() -> None:
    good = id_number(123)
    for place in range(18):
        for digit in "0123456789X":
            changed = good[:place] + digit + good[place + 1 :]
            if changed != good:
                with pytest.raises(CentreError):
                    identity.check_document("id_card", changed, TODAY)


def test_sex_and_day_of_birth_come_from_the_id_card() -> None:
    found = identity.check_document("id_card", id_number(124, "19900229".replace("0229", "0228")), TODAY)
    assert (found.sex, found.birth) == ("f", "1990-02-28")
    assert identity.check_document("id_card", id_number(125), TODAY).sex == "m"


@pytest.mark.parametrize(
    "written",
    ["13800138000", "+86 138 0013 8000", "86-13800138000", "１３８００１３８０００", "16600000000", "19912345678"],
)
def test_any_mobile_number_is_taken(written: str) -> None:
    assert len(identity.check_phone(written)) == 11


@pytest.mark.parametrize("written", ["", "2380013800", "138001380001", "abc", "+1", "1380013800a"])
def test_an_invalid_mobile_number_is_refused(written: str) -> None:
    with pytest.raises(CentreError):
        identity.check_phone(written)


@pytest.mark.parametrize(
    ("written", "plate"),
    [("粤b·12345", "粤B12345"), ("粤BD12345", "粤BD12345"), ("鄂A12345F", "鄂A12345F"), ("京A1234警", "京A1234警")],
)
def test_plates_of_seven_and_of_eight_places(written: str, plate: str) -> None:
    assert identity.check_plate(written) == plate


@pytest.mark.parametrize("written", ["", "粤B1234", "B12345", "粤BO2345", "粤B123456", "=1+1"])
def test_an_invalid_plate_is_refused(written: str) -> None:
    with pytest.raises(CentreError):
        identity.check_plate(written)


# The form


def test_nothing_about_health_or_travel_has_a_default() -> None:
    fields = {mistake.field for mistake in check(application(people=[Applicant()]), TODAY)}
    assert {
        f"people.0.{name}" for name in ("stayed", "contact", "health", "quarantine", "transport", "arrived")
    } <= fields


def test_a_form_filled_in_well_has_no_mistake() -> None:
    stay = Journey(province="湖北", city="武汉", from_day="2027-01-02", until_day="2027-01-05")
    form = family()
    form.people[0].stayed, form.people[0].journeys = "no", [stay]
    assert check(form, TODAY) == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"until_day": "2027-01-16"}, "people.0.journeys.0.until_day"),
        ({"until_day": "2026-12-01", "from_day": "2026-11-01"}, "people.0.journeys.0.until_day"),
        ({"city": ""}, "people.0.journeys.0.city"),
        ({"from_day": "soon"}, "people.0.journeys.0.from_day"),
        ({"from_day": "2027-01-06"}, "people.0.journeys.0.until_day"),
    ],
)
def test_a_stay_that_cannot_be_is_said_at_its_field(changed: dict[str, str], field: str) -> None:
    fields = {"province": "湖北", "city": "武汉", "from_day": "2027-01-02", "until_day": "2027-01-05"} | changed
    form = application(people=[applicant(stayed="no", journeys=[Journey(**fields)])])
    assert [mistake.field for mistake in check(form, TODAY)] == [field]


def test_the_same_paper_twice_in_a_household_is_noticed() -> None:
    one = applicant()
    form = application(people=[one, applicant(doc_number=one.doc_number)])
    assert [mistake.field for mistake in check(form, TODAY)] == ["people.1.doc_number"]


@pytest.mark.parametrize("drawn", ["", "M1 1", "M1 1 L<script>", SIGNATURE + "Z", SIGNATURE * 300])
def test_an_invalid_signature_is_refused(drawn: str) -> None:
    assert [mistake.field for mistake in check(application(signature=drawn), TODAY)] == ["signature"]
    assert bool(check(application(signature=drawn, paper=True), TODAY)) == bool(drawn)


# Submitting


def test_a_household_submits_and_reads_what_it_wrote(world: World) -> None:
    form = family()
    form.people[0].stayed = "no"
    form.people[0].journeys = [Journey(province="湖北", city="武汉", from_day="2027-01-02", until_day="2027-01-10")]
    form.dwelling_id = add_dwelling(world.centre)
    form.building = "3"
    done = apply(world.centre, 7, form)
    found = read(world, done.household_id)
    assert (found.number, found.state, found.dwelling_id) == ("7-H00001", "applied", form.dwelling_id)
    with world.centre.store.read() as conn:
        for person, birth in zip(form.people, ("1980-01-02", "1980-01-02", "2018-05-06"), strict=True):
            person.birth = birth  # what the form leaves to the identity card
            person.sex = "m" if int(person.doc_number[16]) % 2 else "f"
        assert households.read_application(conn, world.centre.vault, found) == form
        assert households.by_link(conn, world.centre.vault, 7, done.link.upper()) == found
        for compound, link in ((8, done.link), (7, done.link[:-1]), (7, "")):
            with pytest.raises(NoSuchThing):
                households.by_link(conn, world.centre.vault, compound, link)


def test_a_room_of_another_compound_is_not_taken(world: World) -> None:
    other = add_dwelling(world.centre, 8)
    assert read(world, apply(world.centre, 7, application(dwelling_id=other)).household_id).dwelling_id == 0


def test_no_number_of_a_paper_or_telephone_lies_open_in_the_database(world: World) -> None:
    form = family()
    apply(world.centre, 7, form)
    world.centre.close()
    everything = b"".join(path.read_bytes() for path in world.state.glob("centre.db*"))
    for person in form.people:
        assert person.doc_number.encode() not in everything
    assert PHONE.encode() not in everything and SIGNATURE[20:60].encode() not in everything


def test_an_incomplete_form_leaves_nothing_behind(world: World) -> None:
    with pytest.raises(households.Incomplete) as raised:
        apply(world.centre, 7, application(letter_name=""))
    assert [mistake.field for mistake in raised.value.mistakes] == ["letter_name"]
    with sqlite3.connect(world.state / "centre.db") as db:
        assert db.execute("SELECT count(*) FROM household").fetchone() == (0,)
    db.close()


def test_a_form_is_corrected_until_it_is_decided(world: World) -> None:
    done = apply(world.centre)
    with world.centre.writing(7, "wang") as writing:
        households.decide(writing, done.household_id, "correct", told="门牌号")
    form = family()
    assert households.submit(world.centre, 7, form, "resident", done.household_id).link == done.link
    assert read(world, done.household_id).state == "applied"
    with world.centre.writing(7, "wang") as writing:
        households.approve(writing, world.centre, done.household_id)
    with pytest.raises(CentreError):
        households.submit(world.centre, 7, form, "resident", done.household_id)
    with pytest.raises(NoSuchThing):
        households.submit(world.centre, 8, form, "resident", done.household_id)


def test_a_new_link_ends_the_old_one(world: World) -> None:
    done = apply(world.centre)
    with world.centre.writing(7, "wang") as writing:
        renewed = households.renew_link(writing, world.centre.vault, done.household_id)
    with world.centre.store.read() as conn:
        assert households.by_link(conn, world.centre.vault, 7, renewed).household_id == done.household_id
        with pytest.raises(NoSuchThing):
            households.by_link(conn, world.centre.vault, 7, done.link)


# Slots


def test_slots_are_booked_up_to_their_capacity_and_neighbours_are_spread(world: World) -> None:
    desk = add_desk(world.centre)
    rooms = [add_dwelling(world.centre, room=f"{floor}01") for floor in range(1, 4)]
    compound = world.centre
    got = []
    for room in rooms:
        with compound.store.read() as conn:
            best = slots.offer(conn, households_compound(world), "3", world.now_ms)[0]
        form = application(dwelling_id=room, building="3", desk_id=desk, slot_ms=best.at_ms)
        got.append(read(world, apply(world.centre, 7, form).household_id).slot_ms)
    assert len(set(got)) == 3
    for _ in range(1):
        apply(world.centre, 7, application(building="5", desk_id=desk, slot_ms=got[0]))
    with pytest.raises(CentreError, match="just been taken"):
        apply(world.centre, 7, application(building="5", desk_id=desk, slot_ms=got[0]))
    with pytest.raises(CentreError):
        apply(world.centre, 7, application(desk_id=desk, slot_ms=got[0] + 60_000))


def households_compound(world: World):  # type: ignore[no-untyped-def]
    from sync.server.passes.compounds import read_compound

    return read_compound(world.centre, 7)


def test_one_slot_looked_up_alone_is_what_the_whole_offer_says_of_it(world: World) -> None:
    desk, full = add_desk(world.centre, capacity=2), add_desk(world.centre, buildings="9")
    with world.centre.store.read() as conn:
        compound = compounds.read_compound(world.centre, 7)
        first = slots.offer(conn, compound, "3", world.now_ms)[0]
    apply(world.centre, 7, application(desk_id=desk, slot_ms=first.at_ms))
    with world.centre.store.read() as conn:
        for keep in ((0, 0), (desk, first.at_ms)):
            whole = slots.offer(conn, compound, "3", world.now_ms, keep=keep)
            offered = {(one.desk_id, one.at_ms): one for one in whole}
            times = [first.at_ms + n * slots.QUARTER_MS for n in (-999, -1, 0, 1, 40, 700)]
            wanted = [(which, at_ms) for which in (desk, full, 99) for at_ms in times]
            for one in [*wanted, (desk, first.at_ms + 1), (whole[-1].desk_id, whole[-1].at_ms)]:
                alone = slots.offer_one(conn, compound, "3", world.now_ms, one, keep=keep)
                assert alone == ([offered[one]] if one in offered else [])


def test_a_slot_is_free_again_when_the_household_moved(world: World) -> None:
    desk = add_desk(world.centre, capacity=1)
    with world.centre.store.read() as conn:
        best = slots.offer(conn, households_compound(world), "3", world.now_ms)[0]
    done = apply(world.centre, 7, application(desk_id=desk, slot_ms=best.at_ms))
    with world.centre.writing(7, "wang") as writing:
        households.end(writing, done.household_id, "cancelled")
    assert read(world, apply(world.centre, 7, application(desk_id=desk, slot_ms=best.at_ms)).household_id).slot_ms


# Decisions


def test_an_approved_household_has_a_printed_pass_for_everybody_and_the_car(world: World) -> None:
    done = approved(world.centre, 7, family())
    with world.centre.store.read() as conn:
        numbers = households.pass_numbers(conn, 7, done.household_id)
        people = households.people_of(conn, 7, done.household_id)
    found = [passes.get_pass(world.centre, number) for number in numbers]
    assert [(p.kind, p.state, p.label, p.household) for p in found] == [
        ("resident", "printed", "张*", done.household_id),
        ("resident", "printed", "李*", done.household_id),
        ("resident", "printed", "张*", done.household_id),
        ("vehicle", "printed", "", done.household_id),
    ]
    assert all(person.pass_id for person in people)
    with pytest.raises(CentreError), world.centre.writing(7, "li") as writing:
        households.approve(writing, world.centre, done.household_id)


def test_a_household_that_moved_out_has_no_pass(world: World) -> None:
    done = approved(world.centre, 7, family())
    with world.centre.writing(7, "wang") as writing:
        households.end(writing, done.household_id, "moved")
    with world.centre.store.read() as conn:
        numbers = households.pass_numbers(conn, 7, done.household_id)
    assert {passes.get_pass(world.centre, number).state for number in numbers} == {"revoked"}
    assert read(world, done.household_id).stage == "moved"


def test_home_quarantine_asks_the_guard_to_look(world: World) -> None:
    done = approved(world.centre)
    for until_ms, attention in ((world.now_ms + 1, True), (0, False)):
        with world.centre.writing(7, "wang") as writing:
            households.set_home_quarantine(writing, done.household_id, until_ms)
        assert passes.get_pass(world.centre, "7-000001").attention is attention


def test_home_quarantine_has_no_word_of_its_own_at_the_gate_and_leaves_other_marks_alone(world: World) -> None:
    """A guard reads to call the community office, as for dues or a wrong number; nobody learns who is at home."""
    done = approved(world.centre, 7, family())
    with world.centre.store.read() as conn:
        numbers = households.pass_numbers(conn, 7, done.household_id)

    def looks() -> list[tuple[bool, str]]:
        found = [passes.get_pass(world.centre, number) for number in numbers]
        return [(one.attention, one.look) for one in found]

    with world.centre.writing(7, "wang") as writing:
        households.set_home_quarantine(writing, done.household_id, world.now_ms + 1)
    assert len(numbers) > 1 and set(looks()) == {(True, "community")}
    passes.set_attention(world.centre, numbers[0], True, "wang", "lost")
    with world.centre.writing(7, "wang") as writing:
        households.set_home_quarantine(writing, done.household_id, 0)
    assert looks() == [(True, "lost"), *[(False, "")] * (len(numbers) - 1)]


@pytest.mark.parametrize("days", [0, 1])
def test_a_pass_that_is_added_during_home_quarantine_is_marked_as_the_others_are(world: World, days: int) -> None:
    done = approved(world.centre)
    with world.centre.writing(7, "wang") as writing:
        households.set_home_quarantine(writing, done.household_id, days and world.now_ms + days)
        households.add_vehicle(writing, done.household_id, "粤B12345")
        (added,) = households.issue_missing(writing, world.centre, done.household_id)
    found = passes.get_pass(world.centre, added)
    assert (found.attention, found.look) == ((True, "community") if days else (False, ""))


def test_what_is_done_is_recorded_with_whose_record_it_is(world: World) -> None:
    done = approved(world.centre)
    with world.centre.store.read() as conn:
        told = conn.execute(tables.audit.select().where(tables.audit.c.household == done.household_id)).all()
    assert {row.what for row in told} == {"apply", "decide-approved"}
