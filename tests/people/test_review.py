"""The review: warnings, the queue, one application and its decision, the clean ones together, calls, short messages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from sync.server import words
from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.sealing import open_words
from sync.server.passes import passes
from sync.server.passes.compounds import read_compound
from sync.server.people.deciding import case, review
from sync.server.people.deciding.case import Decision
from sync.server.people.dwellings import visits
from sync.server.people.households import areas, households, notices, record, warnings
from sync.server.people.households.application import Application, Journey
from sync.server.people.households.areas import Area
from sync.server.people.households.households import Household
from tests.fixtures.centre import World
from tests.fixtures.office import Office
from tests.fixtures.people import (
    PHONE,
    add_desk,
    add_dwelling,
    applicant,
    application,
    apply,
    approved,
    family,
    id_number,
    neighbour,
    opened,
    write_over,
)

DAY_MS = 86_400_000
HUBEI = Area(province="湖北省", city="武汉市", from_day="2026-12-01")
STAY = Journey(province="湖北", city="武汉", district="", from_day="2027-01-02", until_day="2027-01-05")


@pytest.fixture
def room(world: World) -> int:
    return add_dwelling(world.centre)


def read(world: World, household_id: int) -> Household:
    with world.centre.store.read() as conn:
        return households.get_household(conn, 7, household_id)


def warned(world: World, form: Application, compound: int = 7) -> set[str]:
    """Codes of the warnings of a household that applies."""
    done = apply(world.centre, compound, form)
    with world.centre.store.read() as conn:
        found = warnings.look(conn, read_compound(world.centre, compound), done.household_id, world.now_ms)
    return {concern.code for concern in found}


def decide(world: World, household_id: int, do: str, **fields: Any) -> Household:
    seen = fields.pop("seen", None) or case.seen_mark(read(world, household_id))
    with world.centre.writing(7, "wang") as writing:
        return case.decide(writing, world.centre, household_id, Decision(do=do, seen=seen, **fields))


def set_town(world: World, name: str, value: str) -> None:
    with world.centre.store.write() as conn:
        conn.execute(insert(tables.setting).values(name=name, value=value))


# Warnings


def test_a_household_in_order_has_no_warning(world: World, room: int) -> None:
    assert warned(world, application(dwelling_id=room)) == set()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"contact": "yes"}, "contact"),
        ({"health": "fever"}, "unwell"),
        ({"quarantine": "yes"}, "quarantine"),
        ({"doc_kind": "passport", "doc_number": "E1234567", "sex": "f", "birth": "1980-01-02"}, "paper"),
        ({"doc_kind": "hk_macau", "doc_number": "H12345678", "sex": "f", "birth": "1980-01-02"}, "paper"),
        ({"arrived": "2027-01-10"}, "arrived_lately"),
        ({"doc_number": id_number(7, "20150203")}, "no_adult"),
    ],
)
def test_what_one_person_wrote_is_pointed_out(world: World, room: int, changed: dict[str, Any], code: str) -> None:
    form = application(dwelling_id=room, people=[applicant(**changed)])
    assert warned(world, form) == {code}


def test_a_residence_permit_with_a_checksum_needs_no_second_look(world: World, room: int) -> None:
    paper = applicant(doc_kind="taiwan", doc_number=id_number(8, province="830000"), sex="m", birth="1980-01-02")
    assert warned(world, application(dwelling_id=room, people=[paper])) == set()


def test_the_same_paper_is_noticed_here_and_elsewhere_but_of_elsewhere_nothing_is_told(world: World) -> None:
    one = applicant()
    apply(world.centre, 8, application(people=[one]))
    first = apply(world.centre, 7, application(people=[one]))
    done = apply(world.centre, 7, application(people=[one]))
    with world.centre.store.read() as conn:
        found = warnings.look(conn, read_compound(world.centre, 7), done.household_id, world.now_ms)
    told = {concern.code: concern.shown for concern in found}
    assert (told["same_doc"], told["same_doc_elsewhere"]) == (first.number, "")
    with world.centre.writing(7, "wang") as writing:
        households.end(writing, first.household_id, "cancelled")
    with world.centre.store.read() as conn:
        found = warnings.look(conn, read_compound(world.centre, 7), done.household_id, world.now_ms)
    assert "same_doc" not in {concern.code for concern in found}


@pytest.mark.parametrize(
    ("stay", "touched"),
    [
        ({}, True),
        ({"district": "江夏区"}, True),
        ({"city": "宜昌"}, False),
        ({"province": "湖南", "city": "长沙"}, False),
    ],
)
def test_travel_through_a_listed_area_is_pointed_out(
    world: World, room: int, stay: dict[str, str], touched: bool
) -> None:
    areas.add_area(world.centre, HUBEI, "town")
    fields = {name: getattr(STAY, name) for name in Journey.__struct_fields__} | stay
    form = application(dwelling_id=room, people=[applicant(stayed="no", journeys=[Journey(**fields)])])
    assert ("travel" in warned(world, form)) is touched


def test_where_somebody_is_registered_is_no_warning(world: World, room: int) -> None:
    areas.add_area(world.centre, HUBEI, "town")
    form = application(dwelling_id=room, people=[applicant(province="湖北", city="武汉", came_from="湖北 武汉")])
    assert warned(world, form) == set()


def test_a_stay_no_longer_counts_once_it_is_fifteen_days_ago(world: World, room: int) -> None:
    areas.add_area(world.centre, HUBEI, "town")
    done = apply(world.centre, 7, application(dwelling_id=room, people=[applicant(stayed="no", journeys=[STAY])]))
    codes = []
    for day in ("2027-01-20", "2027-01-21"):
        now_ms = passes.read_time(day, "Asia/Shanghai", False)
        with world.centre.store.read() as conn:
            found = warnings.look(conn, read_compound(world.centre, 7), done.household_id, now_ms)
        codes.append({concern.code for concern in found})
    assert codes == [{"travel"}, set()]


def test_a_days_old_area_does_not_touch_the_last_fifteen_days_of_a_long_stay(world: World, room: int) -> None:
    areas.add_area(world.centre, Area(province="湖北", from_day="2026-11-01", until_day="2026-12-20"), "town")
    stay = Journey(province="湖北", city="武汉", from_day="2026-11-05", until_day="2027-01-05")
    form = application(dwelling_id=room, people=[applicant(stayed="no", journeys=[stay])])
    assert warned(world, form) == set()


def test_a_changed_list_marks_the_undecided_and_leaves_the_decided(world: World, room: int) -> None:
    form = application(dwelling_id=room, people=[applicant(stayed="no", journeys=[STAY], contact="yes")])
    waiting, there = apply(world.centre, 7, form), approved(world.centre, 7, form)
    apply(world.centre, 8, form)
    areas.add_area(world.centre, HUBEI, "town")
    with world.centre.writing(7, "town") as writing:
        assert (warnings.refresh(writing), warnings.refresh(writing)) == (1, 0)
    marks = read(world, waiting.household_id).warnings, read(world, there.household_id).warnings
    assert "travel" in marks[0].split(",") and "contact" in marks[0] and "travel" not in marks[1]
    (area,) = [area.area_id for area in _areas(world)]
    areas.remove_area(world.centre, area, "town")
    with world.centre.writing(7, "town") as writing:
        assert warnings.refresh(writing) == 1
    assert "travel" not in read(world, waiting.household_id).warnings


def _areas(world: World) -> list[Area]:
    with world.centre.store.read() as conn:
        return areas.list_areas(conn)


def test_dwellings_that_are_full_or_empty_or_unknown_are_pointed_out(world: World, room: int) -> None:
    crowd = [applicant(name=f"张{name}") for name in "一二三四五六"]
    assert warned(world, application(dwelling_id=room, people=crowd)) == set()
    assert warned(world, application(dwelling_id=room, people=[*crowd[:1], applicant()])) >= {"other_household"}
    assert "many_people" in warned(world, application(dwelling_id=room, people=[applicant(), applicant()]))
    elsewhere = {"people": [applicant(phone="13700137000")]}
    assert warned(world, application(dwelling="9-9-999", **elsewhere)) == {"not_in_register"}
    for found in ("vacant", "not_here"):
        other = add_dwelling(world.centre, room="601" if found == "vacant" else "602")
        with world.centre.writing(7, "wang") as writing:
            visits.add_visit(writing, other, found, "")
        assert f"found_{found}" in warned(world, application(dwelling_id=other, **elsewhere))


def test_a_telephone_of_many_households_and_a_slot_that_has_passed_are_pointed_out(world: World) -> None:
    desk = add_desk(world.centre)
    at_ms = passes.read_time("2027-01-16T09:00", "Asia/Shanghai", False)
    rooms = [add_dwelling(world.centre, room=f"70{n}") for n in range(4)]
    for one in rooms[:3]:
        assert warned(world, application(dwelling_id=one)) == set()
    assert warned(world, application(dwelling_id=rooms[3])) == {"phone_often"}
    done = apply(world.centre, 7, application(dwelling_id=rooms[0], desk_id=desk, slot_ms=at_ms))
    with world.centre.store.read() as conn:
        late = warnings.look(conn, read_compound(world.centre, 7), done.household_id, at_ms + 1)
    assert "slot_past" in {concern.code for concern in late}


# Deciding


def test_an_approved_household_is_told_and_has_passes_until_the_measures_end(world: World) -> None:
    set_town(world, "measure_end", "2027-03-31")
    done = apply(world.centre, 7, family())
    decide(world, done.household_id, "approve", evidence=("id", "nonsense"), note="租约看过")
    assert case.read_evidence(read(world, done.household_id).evidence) == (("id",), "租约看过")
    end = passes.read_time("2027-03-31", "Asia/Shanghai", True)
    assert passes.get_pass(world.centre, "7-000001").valid_until_ms == end
    assert [kind for kind, _ in told(world)] == ["approved"]


def told(world: World) -> list[tuple[str, str]]:
    with world.centre.store.read() as conn:
        rows = conn.execute(select(tables.notice).order_by(tables.notice.c.at_ms)).mappings().all()
        return [(row["kind"], open_words(world.centre.vault, tables.notice, row, "words")["words"]) for row in rows]


def test_passes_end_after_thirty_days_where_the_measures_end_is_past_or_no_day(world: World) -> None:
    for value in ("2020-01-01", "soon"):
        with world.centre.store.write() as conn:
            conn.execute(tables.setting.delete())
        set_town(world, "measure_end", value)
        with world.centre.store.read() as conn:
            assert case.pass_end(conn, read_compound(world.centre, 7), world.now_ms) == 0


@pytest.mark.parametrize(
    ("language", "sentence"), [("zh", "请核对车牌号。"), ("en", "Please check the number plate. ")]
)
def test_a_household_that_must_correct_reads_why_in_its_language(world: World, language: str, sentence: str) -> None:
    done = apply(world.centre, 7, application(language=language))
    found = decide(world, done.household_id, "correct", ready=("plate", "nonsense"), own="  D 打头?\n")
    assert (found.state, found.told) == ("correct", f"{sentence}D 打头?")
    assert sentence in told(world)[0][1]


def test_a_household_that_has_to_wait_learns_the_day_and_no_reason_lies_open_in_a_message(world: World) -> None:
    done = apply(world.centre)
    found = decide(world, done.household_id, "observe", ready=("travel",), day="2027-01-29")
    assert found.not_before_ms == passes.read_time("2027-01-29", "Asia/Shanghai", False) and "疫情地区" in found.told
    ((_, text),) = told(world)
    assert "2027-01-29" in text and "疫情" not in text and "不是拒绝" in text


@pytest.mark.parametrize(
    ("do", "fields"),
    [
        ("correct", {}),
        ("correct", {"own": "x" * 301}),
        ("observe", {"own": "x", "day": ""}),
        ("observe", {"own": "x", "day": "2027-01-15"}),
        ("observe", {"own": "x", "day": "2028-01-15"}),
        ("observe", {"own": "x", "day": "tomorrow"}),
        ("not_here", {}),
        ("approve", {"note": "x" * 201}),
        ("refuse", {}),
        ("", {}),
    ],
)
def test_a_decision_with_something_missing_is_none(world: World, do: str, fields: dict[str, str]) -> None:
    done = apply(world.centre)
    with pytest.raises(CentreError) as raised:
        decide(world, done.household_id, do, **fields)
    assert raised.value.zh and read(world, done.household_id).state == "applied" and told(world) == []


def test_what_somebody_else_decided_or_the_resident_corrected_meanwhile_is_not_decided_on(world: World) -> None:
    done = apply(world.centre)
    seen = case.seen_mark(read(world, done.household_id))
    decide(world, done.household_id, "correct", own="房号")
    with pytest.raises(CentreError, match="meanwhile"):
        decide(world, done.household_id, "approve", seen=seen)
    seen = case.seen_mark(read(world, done.household_id))
    world.now_ms += 1000
    households.submit(world.centre, 7, family(), "resident", done.household_id)
    with pytest.raises(CentreError, match="meanwhile"):
        decide(world, done.household_id, "approve", seen=seen)


def test_an_objection_is_answered_by_deciding_again(world: World) -> None:
    done = apply(world.centre)
    decide(world, done.household_id, "not_here", ready=("visited",))
    with world.centre.writing(7, "resident") as writing:
        households.set_state(writing, done.household_id, objection="我住这里")
    assert queue(world, only="objection") == [done.household_id]
    decide(world, done.household_id, "approve")
    assert read(world, done.household_id).objection == "" and queue(world, only="objection") == []


def test_a_free_text_room_is_joined_to_the_register(world: World, room: int) -> None:
    done = apply(world.centre, 7, application(dwelling="3栋2单元501室"))
    seen = case.seen_mark(read(world, done.household_id))
    with world.centre.store.read() as conn:
        found = case.read_case(conn, world.centre.vault, read_compound(world.centre, 7), done.household_id, 1)
    assert found.likely is not None and found.likely.dwelling_id == room and found.home is None
    with pytest.raises(CentreError), world.centre.writing(7, "wang") as writing:
        case.join_dwelling(writing, done.household_id, "9-9-999", seen)
    with world.centre.writing(7, "wang") as writing:
        case.join_dwelling(writing, done.household_id, "3-2-501", seen)
    assert (read(world, done.household_id).dwelling_id, read(world, done.household_id).warnings) == (room, "")


def test_a_person_added_later_waits_in_the_queue_and_gets_a_pass(world: World) -> None:
    done = approved(world.centre)
    assert queue(world, only="addition") == []
    with world.centre.writing(7, "resident") as writing:
        households.add_vehicle(writing, done.household_id, "粤B12345")
    assert queue(world, only="addition") == [done.household_id]
    with world.centre.writing(7, "wang") as writing:
        assert case.issue_additions(writing, world.centre, done.household_id) == 1
    assert queue(world, only="addition") == [] and told(world)[-1][0] == "addition"
    with pytest.raises(CentreError), world.centre.writing(7, "wang") as writing:
        case.issue_additions(writing, world.centre, done.household_id)


def test_a_person_added_wrongly_is_taken_off_and_the_household_told_why(world: World) -> None:
    done = approved(world.centre)
    with world.centre.writing(7, "resident") as writing:
        vehicle_id = households.add_vehicle(writing, done.household_id, "粤B12345")
    for which, why in (
        (f"vehicle-{vehicle_id}", " "),
        ("person-1", "x"),
        ("vehicle-99", "x"),
        ("pass-1", "x"),
        ("", "x"),
    ):
        with pytest.raises(CentreError), world.centre.writing(7, "wang") as writing:
            case.drop_addition(writing, world.centre, done.household_id, which, why)
    with world.centre.writing(7, "wang") as writing:
        case.drop_addition(writing, world.centre, done.household_id, f"vehicle-{vehicle_id}", "不是本户的车")
    assert queue(world, only="addition") == [] and "不是本户的车" in told(world)[-1][1]
    with world.centre.store.read() as conn:
        assert len(households.people_of(conn, 7, done.household_id)) == 1


def test_applications_with_a_room_or_a_person_in_common_stand_beside_it(world: World, room: int) -> None:
    one = applicant(name="李芳")
    same_room = apply(world.centre, 7, application(dwelling_id=room))
    same_person = apply(world.centre, 7, application(dwelling="9-9-999", people=[applicant(), one]))
    apply(world.centre, 7, application(dwelling="9-9-998"))
    apply(world.centre, 8, application(people=[one]))
    done = apply(world.centre, 7, application(dwelling_id=room, people=[one]))
    with world.centre.store.read() as conn:
        found = case.read_case(conn, world.centre.vault, read_compound(world.centre, 7), done.household_id, 1)
    beside = {other.number: (other.same_dwelling, other.same_people) for other in found.earlier}
    assert beside == {same_room.number: (True, ()), same_person.number: (False, ("李芳",))}


# The queue


def queue(world: World, page: int = 1, compound: int = 7, **chosen: Any) -> list[int]:
    with world.centre.store.read() as conn:
        lines, _ = review.find_cases(conn, world.centre.vault, compound, review.ReviewFilter(**chosen), page)
    return [line.household_id for line in lines]


def test_the_soonest_slot_comes_first_and_who_has_none_comes_last(world: World) -> None:
    desk = add_desk(world.centre)
    later, sooner = (passes.read_time(f"2027-01-{day}T09:00", "Asia/Shanghai", False) for day in (17, 16))
    without = apply(world.centre).household_id
    world.now_ms += 1
    for at_ms in (later, sooner):
        apply(world.centre, 7, neighbour(desk_id=desk, slot_ms=at_ms))
        world.now_ms += 1
    assert queue(world, order="slot") == [without + 2, without + 1, without]
    assert queue(world, order="time") == [without, without + 1, without + 2]
    with world.centre.store.read() as conn:
        assert [review.default_order(conn, compound) for compound in (7, 8)] == ["slot", "time"]


def test_each_stands_where_its_state_puts_it_and_is_counted(world: World, room: int) -> None:
    clean = apply(world.centre, 7, application(dwelling_id=room)).household_id
    ids = [apply(world.centre, 7, neighbour()).household_id for _ in range(5)]
    decide(world, ids[0], "correct", own="x")
    decide(world, ids[1], "observe", own="x", day="2027-01-29")
    decide(world, ids[2], "not_here", own="x")
    decide(world, ids[3], "approve")
    with world.centre.writing(7, "wang") as writing:
        case.begin_home_quarantine(writing, ids[3], "2027-01-29")
    apply(world.centre, 8)
    where = {name: queue(world, only=name) for name in review.FILTERS}
    assert where == {
        "waiting": [clean, ids[4]], "warned": [ids[4]], "clean": [clean], "doubtful": [],
        "correct": [ids[0]], "observe": [ids[1]], "addition": [], "objection": [],
        "quarantine": [ids[3]], "not_here": [ids[2]],
    }  # fmt: skip
    with world.centre.store.read() as conn:
        assert review.counts(conn, 7) == {name: len(found) for name, found in where.items()}


@pytest.mark.parametrize(
    "term",
    [
        "7-H00001",
        "h1",
        "1",
        "王小明",
        "小明",
        "12-3-901",
        "３栋",
        PHONE,
        "+86 138-0013-8000",
        "13900139000",
        "E1234567",
    ],
)
def test_a_household_is_found_by_what_is_known_of_it(world: World, term: str) -> None:
    people = [applicant(name="王小明"), applicant(name="李芳", phone="13900139000", doc_kind="passport",
                                                doc_number="E1234567", sex="f", birth="1980-01-02")]  # fmt: skip
    done = apply(world.centre, 7, application(people=people, dwelling="3栋 12-3-901"))
    apply(world.centre, 7, application(dwelling="x-2", people=[applicant(name="赵", phone="13700137000")]))
    apply(world.centre, 8, application(people=people))
    found = queue(world, term=term)
    assert done.household_id in found and (len(found) == 1 or term == "1")


@pytest.mark.parametrize("term", ["1380013800", "%", "_", "'; DROP TABLE household; --", "九" * 400, "9" * 40, "7-H9"])
def test_what_is_not_there_is_not_found(world: World, term: str) -> None:
    apply(world.centre)
    assert queue(world, term=term) == []


def test_the_next_one_is_found_though_this_one_has_left_the_queue(world: World) -> None:
    ids = [apply(world.centre, 7, neighbour()).household_id for _ in range(4)]
    decide(world, ids[1], "approve")
    with world.centre.store.read() as conn:
        before, after = review.around(conn, world.centre.vault, 7, review.ReviewFilter(), ids[1])
    assert [line.household_id for line in before] == ids[:1] and [line.household_id for line in after] == ids[2:]


# The clean ones together


def test_the_clean_ones_are_approved_together_and_looked_at_again(world: World) -> None:
    rooms = [add_dwelling(world.centre, room=f"{n + 1}01") for n in range(3)]
    phones = [f"1370013700{n}" for n in range(4)]
    forms = [
        application(dwelling_id=room, people=[applicant(phone=phone)])
        for room, phone in zip(rooms, phones, strict=False)
    ]
    ids = [apply(world.centre, 7, form).household_id for form in forms]
    warned_id = apply(world.centre).household_id
    double = application(dwelling_id=add_dwelling(world.centre, room="901"), people=forms[0].people)
    apply(world.centre, 7, double)  # the first is clean no more, and its row does not say so yet
    as_of_ms = world.now_ms
    world.now_ms += 1
    late = apply(world.centre, 7, application(dwelling_id=add_dwelling(world.centre, room="902"))).household_id
    done = review.approve_clean(world.centre, 7, as_of_ms, 3, "wang")
    assert (done.approved, done.left, done.still) == (2, 1, 0)
    states = [read(world, household_id).state for household_id in (*ids, warned_id, late)]
    assert states == ["applied", "approved", "approved", "applied", "applied"]
    assert read(world, ids[0]).warnings == "same_doc"


def test_more_than_a_few_are_approved_in_several_transactions(world: World) -> None:
    rooms = [add_dwelling(world.centre, room=f"{n // 8 + 1}{n % 8:02d}") for n in range(30)]
    for n, one in enumerate(rooms):
        apply(world.centre, 7, application(dwelling_id=one, people=[applicant(phone=str(13700137000 + n))]))
    done = review.approve_clean(world.centre, 7, world.now_ms, 30, "wang")
    assert (done.approved, done.left, done.still) == (30, 0, 0)
    assert [row.about for row in recorded(world, "approve-clean")] == ["25 of 25", "5 of 5"]


def test_another_number_than_the_one_that_was_shown_approves_nobody(world: World, room: int) -> None:
    done = apply(world.centre, 7, application(dwelling_id=room))
    with pytest.raises(review.OtherCount):
        review.approve_clean(world.centre, 7, world.now_ms, 2, "wang")
    assert read(world, done.household_id).state == "applied"


# Pages


def seen_on(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', page)
    assert found
    return found[1]


def test_the_next_case_opens_after_a_decision(world: World, office: Office) -> None:
    ids = [apply(world.centre, 7, neighbour()).household_id for _ in range(2)]
    page = office.get(f"/c/7/households/{ids[0]}?f=waiting&by=time").text
    answer = office.post(f"/c/7/households/{ids[0]}?f=waiting&by=time", do="approve", seen=seen_on(page))
    assert answer.status_code == 302 and answer.location.startswith(f"/c/7/households/{ids[1]}?f=waiting&by=time&done=")
    following = office.get(answer.location).text
    assert "已通过：" in following and "7-H00001" in following
    answer = office.post(answer.location, do="correct", seen=seen_on(following), **{"own-correct": "房号"})
    assert answer.location.startswith("/c/7/review?")


def test_a_stale_page_comes_again_with_what_was_written(world: World, office: Office) -> None:
    done = apply(world.centre)
    page = office.get(f"/c/7/households/{done.household_id}").text
    decide(world, done.household_id, "observe", own="x", day="2027-01-29")
    answer = office.post(f"/c/7/households/{done.household_id}", do="correct", seen=seen_on(page), note="见过房产证",
                         **{"own-correct": "<b>请改房号</b>", "ready-correct": "plate"})  # fmt: skip
    assert answer.status_code == 409 and "刚刚被修改或处理过" in answer.text
    assert "&lt;b&gt;请改房号&lt;/b&gt;" in answer.text and "见过房产证" in answer.text and " checked" in answer.text
    assert read(world, done.household_id).state == "observe"


def recorded(world: World, what: str) -> list[Any]:
    with world.centre.store.read() as conn:
        return list(conn.execute(select(tables.audit).where(tables.audit.c.what == what)))


def test_opening_a_case_is_recorded_once_an_hour_for_an_account(world: World, office: Office) -> None:
    done = apply(world.centre)
    path = f"/c/7/households/{done.household_id}"
    for _ in range(3):
        office.get(path)
    Office(world, "li", mine=(7,), role="clerk").get(path)
    world.now_ms += record.OPENED_AGAIN_MS
    office.get(path)
    assert sorted(row.by for row in recorded(world, "open-case")) == ["li", "wang", "wang"]
    assert {row.household for row in recorded(world, "open-case")} == {done.household_id}


def test_opening_a_case_brings_its_warnings_up_to_date(world: World, office: Office, room: int) -> None:
    form = application(dwelling_id=room, people=[applicant(stayed="no", journeys=[STAY])])
    done = apply(world.centre, 7, form)
    areas.add_area(world.centre, HUBEI, "town")
    assert read(world, done.household_id).warnings == ""
    assert "15天内到过疫情地区" in office.get(f"/c/7/households/{done.household_id}").text
    assert read(world, done.household_id).warnings == "travel"


def test_a_full_number_is_shown_once_and_recorded_with_its_purpose(world: World, office: Office) -> None:
    form = application()
    done = apply(world.centre, 7, form)
    path, number = f"/c/7/households/{done.household_id}", form.people[0].doc_number
    assert number not in office.get(path).text and PHONE not in office.get(path).text
    assert office.post(f"{path}/reveal", which="doc-1", purpose="").status_code == 409
    assert office.post(f"{path}/reveal", which="doc-1", purpose="other", why=" ").status_code == 409
    assert recorded(world, "reveal") == []
    assert number in office.post(f"{path}/reveal", which="doc-1", purpose="other", why="派出所来电").text
    assert PHONE in office.post(f"{path}/reveal", which="phone", purpose="call").text
    assert number not in office.get(path).text
    rows = recorded(world, "reveal")
    assert {(row.household, row.by) for row in rows} == {(done.household_id, "wang")}
    with world.centre.store.read() as conn:
        why = opened(conn, tables.audit, "why", tables.audit.c.what == "reveal")
    assert sorted(why) == ["call", "other: 派出所来电"]
    assert not any(number in row.about or PHONE in row.about for row in rows)
    for wrong in ("doc-2", "doc", "signature", "", "doc-99999999999999999999", "doc-x"):
        assert office.post(f"{path}/reveal", which=wrong, purpose="call").status_code == 404


def test_no_page_of_the_review_shows_a_number_that_is_not_there(world: World, office: Office) -> None:
    for path in ("households/1", "households/99999999999999999999999"):
        assert office.get(f"/c/7/{path}").status_code == 404
        assert office.post(f"/c/7/{path}", do="approve", seen="x").status_code == 404
    assert office.post("/c/7/review/calls", household="99999999999999999999999", note="x").status_code == 404


HOSTILE = "<script>alert(1)</script>\"'&"


def test_what_people_wrote_is_text_on_every_page(world: World, office: Office) -> None:
    people = [applicant(name=HOSTILE, province=HOSTILE, came_from=HOSTILE, city=HOSTILE, transport_number=HOSTILE)]
    done = apply(world.centre, 7, application(people=people, dwelling=HOSTILE, letter_name=HOSTILE))
    with world.centre.writing(7, "wang") as writing:
        households.set_state(writing, done.household_id, objection=HOSTILE)
    for path in ("review", f"review?q={HOSTILE}", f"households/{done.household_id}", "review/clean"):
        assert "<script>alert" not in office.get(f"/c/7/{path}").text
    decide(world, done.household_id, "correct", own=HOSTILE)
    for path in ("review?f=correct", "review/calls", f"households/{done.household_id}"):
        page = office.get(f"/c/7/{path}").text
        assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_a_signature_is_drawn_and_nothing_else_ever_is(world: World, office: Office) -> None:
    done = apply(world.centre)
    assert '<path d="M10 200 ' in office.get(f"/c/7/households/{done.household_id}").text
    with world.centre.store.write() as conn:
        write_over(conn, tables.household, signature='M0 0"/><script>')
    assert "<path" not in office.get(f"/c/7/households/{done.household_id}").text


def test_the_clean_ones_are_counted_shown_and_confirmed(world: World, office: Office, room: int) -> None:
    done = apply(world.centre, 7, application(dwelling_id=room))
    page = office.get("/c/7/review/clean").text
    fields = dict(re.findall(r'type="hidden" name="(as_of|counted)" value="(\d+)"', page))
    assert done.number in page and fields["counted"] == "1"
    assert office.post("/c/7/review/clean", **fields).status_code == 409
    assert office.post("/c/7/review/clean", **fields | {"counted": "5"}, sure="1").status_code == 409
    assert read(world, done.household_id).state == "applied"
    answer = office.post("/c/7/review/clean", **fields, sure="1")
    assert answer.status_code == 302 and "<strong>1</strong>" in office.get(answer.location).text
    assert read(world, done.household_id).state == "approved"


def test_those_sent_back_are_called(world: World, office: Office) -> None:
    done = apply(world.centre)
    decide(world, done.household_id, "correct", own="门牌号")
    assert "门牌号" in office.get("/c/7/review/calls").text and PHONE not in office.get("/c/7/review/calls").text
    assert PHONE in office.post("/c/7/review/calls/numbers").text
    assert [row.household for row in recorded(world, "reveal")] == [done.household_id]
    with world.centre.store.read() as conn:
        assert opened(conn, tables.audit, "why", tables.audit.c.what == "reveal") == ["call"]
    fields = {"household": str(done.household_id), "note": "今晚改好"}
    assert office.post("/c/7/review/calls", **fields).status_code == 302
    assert "今晚改好" in office.get("/c/7/review/calls").text
    assert office.post("/c/7/review/calls", **fields | {"note": "x" * 201}).status_code == 409


def test_home_quarantine_and_moving_out_are_on_the_page_of_an_approved_household(world: World, office: Office) -> None:
    done = approved(world.centre)
    path = f"/c/7/households/{done.household_id}"
    assert office.post(path, do="quarantine", until="").status_code == 409
    assert office.post(path, do="quarantine", until="2027-01-29").status_code == 302
    assert passes.get_pass(world.centre, "7-000001").attention
    assert office.post(path, do="quarantine_end").status_code == 302
    assert not passes.get_pass(world.centre, "7-000001").attention
    assert office.post(path, do="moved").status_code == 302
    assert passes.get_pass(world.centre, "7-000001").state == "revoked"


def test_every_code_has_its_words() -> None:
    families = [
        ("review_warning", warnings.WARNINGS), ("review_short", warnings.WARNINGS), ("review_filter", review.FILTERS),
        ("review_purpose", record.PURPOSES), ("review_evidence", case.EVIDENCE),
        *((f"review_{name}", codes) for name, codes in case.READY.items()),
    ]  # fmt: skip
    for name, codes in families:
        for code in codes:
            assert f"{name}.{code}" in words.WORDS


# Short messages

PROGRAM = """#!{python}
import json, pathlib, sys
box = pathlib.Path({box!r})
message = json.load(sys.stdin)
with box.open("a") as file:
    file.write(json.dumps(dict(message, argv=sys.argv[1:])) + "\\n")
sys.exit(int(pathlib.Path({code!r}).read_text()))
"""


class Sender:
    """A real little program that notes down what it shall send, and ends as it is told to."""

    def __init__(self, folder: Path):
        self.box, self.code, self.path = folder / "box", folder / "code", folder / "send"
        self.path.write_text(PROGRAM.format(python=sys.executable, box=str(self.box), code=str(self.code)))
        self.path.chmod(0o755)
        self.ends_with(0)

    def ends_with(self, code: int) -> None:
        self.code.write_text(str(code))

    def got(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.box.read_text("utf-8").splitlines()] if self.box.exists() else []


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(tmp_path)


def send(world: World, sender: Sender) -> notices.Report:
    return notices.send_due(world.centre, str(sender.path))


def test_a_message_is_sent_once_with_the_households_page_in_it(world: World, sender: Sender) -> None:
    set_town(world, "public_url", "https://pass.example/")
    done = apply(world.centre, 7, application(language="en"))
    decide(world, done.household_id, "correct", ready=("plate",))
    assert (send(world, sender).sent, send(world, sender).sent) == (1, 0)
    (message,) = sender.got()
    assert (message["phone"], message["kind"], message["argv"]) == (PHONE, "correct", [])
    assert message["text"].startswith("[Compound 7] 7-H00001: please correct") and message["id"].startswith("7-")
    assert message["text"].endswith(f"https://pass.example/j/7/s/{done.link}")


def test_without_an_address_of_the_centre_the_message_names_the_number_only(world: World, sender: Sender) -> None:
    done = apply(world.centre)
    decide(world, done.household_id, "approve")
    send(world, sender)
    text = sender.got()[0]["text"]
    assert done.number in text and "http" not in text and done.link not in text


def test_the_slot_is_in_the_message(world: World) -> None:
    desk = add_desk(world.centre)
    at_ms = passes.read_time("2027-01-16T09:15", "Asia/Shanghai", False)
    done = apply(world.centre, 7, application(desk_id=desk, slot_ms=at_ms))
    decide(world, done.household_id, "approve")
    assert "2027-01-16 09:15" in told(world)[0][1] and "物业一楼" in told(world)[0][1]


def test_neither_telephone_nor_page_lies_open_among_the_messages(world: World) -> None:
    set_town(world, "public_url", "https://pass.example")
    done = apply(world.centre)
    decide(world, done.household_id, "approve")
    with world.centre.store.read() as conn:
        row = repr(conn.execute(select(tables.notice)).all())
    assert PHONE not in row and done.link not in row and told(world)[0][1] not in row


def test_a_message_that_failed_is_tried_again_later_and_given_up_after_five_tries(world: World, sender: Sender) -> None:
    decide(world, apply(world.centre).household_id, "approve")
    sender.ends_with(3)
    for pause in notices.PAUSES_MS:
        if pause:
            world.now_ms += pause - 1
            assert send(world, sender) == notices.Report()
            world.now_ms += 1
        assert send(world, sender).failed == 1
    world.now_ms += 30 * DAY_MS
    sender.ends_with(0)
    assert send(world, sender) == notices.Report() and len(sender.got()) == 5
    assert len({message["id"] for message in sender.got()}) == 1
    with world.centre.store.read() as conn:
        assert notices.count_given_up(conn, 7) == 1


def test_a_message_whose_program_was_cut_off_is_not_sent_a_second_time(world: World, sender: Sender) -> None:
    decide(world, apply(world.centre).household_id, "approve")
    sender.path.write_text("#!/bin/sh\nkill -9 $$\n")
    assert send(world, sender).unknown == 1
    world.now_ms += DAY_MS
    assert send(world, sender) == notices.Report()


def test_a_program_that_cannot_be_started_costs_no_message_a_try(world: World, sender: Sender) -> None:
    decide(world, apply(world.centre).household_id, "approve")
    for missing in (str(sender.path) + "x", ""):
        with pytest.raises(notices.NoProgram):
            notices.send_due(world.centre, missing)
    assert send(world, sender).sent == 1


def test_two_runs_at_a_time_send_each_message_once(world: World, sender: Sender) -> None:
    decide(world, apply(world.centre).household_id, "approve")
    with world.centre.store.read() as conn:
        (one,) = notices.due(conn, 7, world.now_ms)
    assert notices._take(world.centre, one) is not None
    assert notices._take(world.centre, one) is None and send(world, sender) == notices.Report()


def test_the_command_sends_and_says_how_many(world: World, sender: Sender) -> None:
    decide(world, apply(world.centre).household_id, "approve")
    command = [sys.executable, "-m", "sync.server", "--state", str(world.state), "send-notices", "--with",
               str(sender.path), "--json"]  # fmt: skip
    dry = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=True)
    assert json.loads(dry.stdout) == {"due": {"approved": 1}} and sender.got() == []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"sent": 1, "failed": 0, "unknown": 0}
    assert PHONE not in done.stdout + done.stderr and sender.got()[0]["phone"] == PHONE


def test_another_compounds_household_cannot_be_touched(world: World, office: Office) -> None:
    theirs = apply(world.centre, 8)
    with pytest.raises(NoSuchThing):
        decide(world, theirs.household_id, "approve", seen="x")
    for path in (f"/c/7/households/{theirs.household_id}", f"/c/8/households/{theirs.household_id}"):
        assert office.get(path).status_code == 404
    assert office.post("/c/7/review/calls", household=str(theirs.household_id), note="x").status_code == 404
