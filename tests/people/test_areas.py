"""The town's list of epidemic areas: which journeys touch one, and how the list is kept."""

from __future__ import annotations

from typing import Any

import pytest

from sync.server.centre import audit
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.passes import compounds
from sync.server.people.households import areas
from sync.server.people.households.application import Journey
from sync.server.people.households.areas import Area
from sync.server.people.households.households import get_household, local_day
from tests.fixtures import people
from tests.fixtures.centre import World
from tests.fixtures.office import Office

HUBEI = Area(area_id=1, province="湖北", from_day="2027-01-01")
WUHAN = Area(area_id=2, province="湖北省", city="武汉", from_day="2027-01-01", until_day="2027-01-31")
HANKOU = Area(area_id=3, province="湖北", city="武汉市", district="江汉区", from_day="2027-01-10")


def stay(**changes: str) -> Journey:
    fields = {"province": "湖北", "city": "武汉", "from_day": "2027-01-05", "until_day": "2027-01-08"}
    return Journey(**(fields | changes))


@pytest.mark.parametrize(
    ("journey", "touched"),
    [
        (stay(), [HUBEI, WUHAN]),
        (stay(province="湖北省", city="武汉市"), [HUBEI, WUHAN]),
        (stay(city="宜昌"), [HUBEI]),
        (stay(province="湖南", city="武汉"), []),
        (stay(from_day="2026-12-20", until_day="2026-12-31"), []),
        (stay(from_day="2026-12-20", until_day="2027-01-01"), [HUBEI, WUHAN]),
        (stay(from_day="2027-01-31", until_day="2027-02-03"), [HUBEI, WUHAN, HANKOU]),
        (stay(from_day="2027-02-01", until_day="2027-02-03"), [HUBEI, HANKOU]),
        (stay(district="江汉", from_day="2027-01-09", until_day="2027-01-10"), [HUBEI, WUHAN, HANKOU]),
        (stay(district="武昌区", from_day="2027-01-09", until_day="2027-01-12"), [HUBEI, WUHAN]),
        (stay(until_day=""), [HUBEI, WUHAN, HANKOU]),
        (stay(province="", city=""), []),
    ],
)
def test_a_stay_touches_what_names_its_place_on_one_of_its_days(journey: Journey, touched: list[Area]) -> None:
    assert areas.touches([HUBEI, WUHAN, HANKOU], [journey]) == touched


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("内蒙古自治区", "内蒙古", True), ("广西壮族自治区", "广西", True), ("恩施", "恩施土家族苗族自治州", True),
        ("沙市区", "沙市", True), ("河南", "河北", False), ("海", "海南", False), ("吉林省", "吉林市", True),
        (" 武 汉 ", "武汉", True), ("Wuhan", "wuhan", True),
    ],
)  # fmt: skip
def test_places_are_the_same_with_and_without_their_endings(one: str, other: str, same: bool) -> None:
    area = Area(province=one, from_day="2027-01-01")
    assert bool(areas.touches([area], [stay(province=other)])) == same


def test_no_journey_touches_nothing() -> None:
    assert areas.touches([HUBEI], []) == [] == areas.touches([], [stay()])


def test_the_list_is_kept_with_a_record_of_who_did_what(world: World) -> None:
    centre = world.centre
    areas.add_area(centre, Area(province=" 湖北 ", city="武汉市", from_day="2027-01-01"), "zhang")
    areas.add_area(centre, Area(province="河南", from_day="2027-01-01"), "zhang")
    with centre.store.read() as conn:
        wuhan, henan = sorted(areas.list_areas(conn), key=lambda area: area.area_id)
    assert (wuhan.province, wuhan.added_by, wuhan.until_day) == ("湖北", "zhang", "")
    areas.end_area(centre, wuhan.area_id, "2027-02-01", "li")
    areas.remove_area(centre, henan.area_id, "li")
    with centre.store.read() as conn:
        assert [area.until_day for area in areas.list_areas(conn)] == ["2027-02-01"]
    found, more = audit.find_town(centre, audit.RecordFilter())
    assert {(entry.by, entry.what) for entry in found} == {
        ("zhang", "add-area"), ("li", "end-area"), ("li", "remove-area"),
    } and not more  # fmt: skip
    assert [entry.about for entry in audit.find_town(centre, audit.RecordFilter(what="remove-area"))[0]] == [
        "河南 2027-01-01 –"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"province": ""}, {"district": "江汉"}, {"from_day": ""}, {"from_day": "yesterday"}, {"from_day": "20270101"},
        {"until_day": "2026-12-31"}, {"city": "武" * 31}, {"city": "武\x00汉"}, {"from_day": "2027-02-30"},
    ],
)  # fmt: skip
def test_what_is_no_area_is_refused(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(CentreError) as refused:
        areas.add_area(world.centre, Area(**({"province": "湖北", "from_day": "2027-01-01"} | changes)), "zhang")
    assert refused.value.zh


def test_an_area_stands_once_and_one_that_is_not_there_cannot_be_ended(world: World) -> None:
    areas.add_area(world.centre, Area(province="湖北", from_day="2027-01-01"), "zhang")
    with pytest.raises(CentreError):
        areas.add_area(world.centre, Area(province="湖北省", from_day="2027-01-01"), "zhang")
    for act in (lambda: areas.end_area(world.centre, 9, "", "li"), lambda: areas.remove_area(world.centre, 9, "li")):
        with pytest.raises(NoSuchThing):
            act()


def test_undecided_applications_are_counted_once_in_every_compound(world: World) -> None:
    centre, today = world.centre, "2027-01-15"
    areas.add_area(centre, Area(province="湖北", from_day="2027-01-01"), "zhang")
    areas.add_area(centre, Area(province="湖北", city="宜昌", from_day="2027-01-01"), "zhang")
    stays = [stay(until_day=today), stay(city="武汉市", until_day=today)]
    away = people.applicant(stayed="no", journeys=stays)
    for compound in (7, 8):
        people.apply(centre, compound, people.application(people=[away, people.applicant(stayed="no", journeys=stays)]))
    people.approved(centre, 7, people.application(people=[people.applicant(stayed="no", journeys=stays)]))
    people.apply(centre, 7)
    with centre.store.read() as conn:
        found = areas.list_areas(conn)
        assert areas.count_undecided(conn, found) == {1: 2, 2: 0}


# The page


def test_the_page_keeps_the_list_and_compares_every_undecided_application_anew(world: World) -> None:
    zhang = Office(world, "zhang", everywhere=True, role="town")
    today = local_day(compounds.read_compound(world.centre, 7), world.now_ms).isoformat()
    away = people.applicant(stayed="no", journeys=[stay(from_day=today, until_day=today)])
    done = people.apply(world.centre, 7, people.application(people=[away]))

    def warned() -> bool:
        with world.centre.store.read() as conn:
            return "travel" in get_household(conn, 7, done.household_id).warnings.split(",")

    assert not warned() and done.household_id
    assert zhang.post("/areas", province="湖北", city="武汉", from_day="2027-01-01").status_code == 302
    assert warned() and ">1</td>" in zhang.get("/areas").text
    assert zhang.post("/areas/1", do="end", until_day="2027-01-02").status_code == 302
    assert not warned() and "2027-01-02" in zhang.get("/areas").text
    assert zhang.post("/areas/1", do="end", until_day="2026-01-02").status_code == 409
    assert zhang.post("/areas/1", do="end", until_day="").status_code == 302 and warned()
    assert zhang.post("/areas/1", do="remove").status_code == 302 and not warned()
    assert zhang.post("/areas/1", do="remove").status_code == 404


def test_what_was_written_of_a_wrong_area_is_still_there(world: World) -> None:
    zhang = Office(world, "zhang", everywhere=True, role="town")
    answer = zhang.post("/areas", province="湖北", district="江汉", from_day="2027-01-01")
    assert answer.status_code == 409
    assert all(f'value="{value}"' in answer.text for value in ("湖北", "江汉", "2027-01-01"))
