"""The numbers of compounds: what they count, once and only once, and what they leave out."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook
from sqlalchemy import insert, select, update

from sync.server import words
from sync.server.__main__ import main
from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import all_compounds
from sync.server.passes import compounds
from sync.server.people.home import Home, get_home, put_home
from sync.server.people.households import households
from sync.server.people.registers import coverage
from sync.server.people.registers.coverage import Appearance, CountRow, Figures, Twice
from sync.server.staff import sign_in
from tests.fixtures import people
from tests.fixtures.centre import World
from tests.fixtures.office import Office

WUHAN = Home("湖北省", "武汉市")


def found(world: World, room: str, finding: str, compound: int = 7) -> int:
    """A dwelling with what a visit found there."""
    dwelling = people.add_dwelling(world.centre, compound, room=room)
    with world.centre.store.write() as conn:
        mine = (tables.dwelling.c.compound_id == compound, tables.dwelling.c.dwelling_id == dwelling)
        conn.execute(update(tables.dwelling).where(*mine).values(found=finding, found_ms=world.now_ms))
    return dwelling


def settle(world: World) -> None:
    """Compound 7: eight dwellings, a collected family, a tenant who waits, and a household with a room nobody knows."""
    form = people.family()
    form.dwelling_id = people.add_dwelling(world.centre)
    done = people.approved(world.centre, form=form)
    with world.centre.writing(7, "wang") as writing:
        households.set_state(writing, done.household_id, collected_ms=world.now_ms)
    tenant = people.applicant(
        relation="tenant", province="广东", city="深圳", doc_number=people.id_number(1, "19790102")
    )
    rented = people.add_dwelling(world.centre, room="502")
    people.apply(world.centre, form=people.application(dwelling_id=rented, people=[tenant]))
    baby = people.applicant(doc_kind="none", doc_number="", sex="f", birth="2026-12-01", phone="", relation="family")
    people.apply(world.centre, form=people.application(dwelling="9-9-999", people=[people.applicant(), baby]))
    gone = people.apply(world.centre, form=people.application(people=[people.applicant()]))
    with world.centre.writing(7, "wang") as writing:
        households.end(writing, gone.household_id, "moved")
    for number, finding in enumerate(("", "present", "vacant", "moved", "not_here", "refused"), 3):
        found(world, f"50{number}", finding)


def count(world: World, compound: int = 7) -> Figures:
    return coverage.count(world.centre, compound, "test")


def lines(world: World) -> list[CountRow]:
    with world.centre.store.read() as conn:
        return coverage.lines(conn, all_compounds(conn), world.now_ms)


def twice(world: World) -> Twice:
    return coverage.count_twice(world.centre)


# What is counted


def test_dwellings_fall_into_states_and_nothing_is_lost(world: World) -> None:
    settle(world)
    figures = count(world)
    assert figures.dwellings == sum(figures.states.values()) == 8
    assert (figures.applied, figures.collected, figures.missing, figures.occupied) == (2, 1, 2, 4)
    assert [figures.of(state) for state in ("vacant", "moved", "not_here", "refused")] == [1, 1, 1, 1]
    assert figures.share == 40


def test_households_people_and_vehicles(world: World) -> None:
    settle(world)
    figures = count(world)
    assert (figures.households, figures.owners, figures.tenants) == (3, 2, 1)
    assert (figures.loose, figures.waiting, figures.vehicles) == (1, 2, 1)
    assert (figures.people, figures.paperless, figures.known, figures.new) == (6, 1, 0, 6)
    assert (figures.here(WUHAN), figures.here(Home("广东", "深圳市"))) == (5, 1)


def test_one_document_in_two_households_of_a_compound_is_one_person(world: World) -> None:
    same = people.id_number(1, "19790102")
    for _ in range(2):
        form = people.application(people=[people.applicant(doc_number=same)])
        people.apply(world.centre, form=form)
    assert (count(world).people, count(world).households) == (1, 2)


def test_who_was_on_the_earlier_list_is_known(world: World) -> None:
    number = people.id_number(1, "19790102")
    mark = world.centre.vault.mark("doc", f"id_card:{number}")
    with world.centre.store.write() as conn:
        conn.execute(insert(tables.roster).values(compound_id=7, doc_mark=mark))
    two = [people.applicant(doc_number=number), people.applicant()]
    people.apply(world.centre, form=people.application(people=two))
    figures = count(world)
    assert (figures.known, figures.new) == (1, 1)


def test_an_empty_compound_has_no_share(world: World) -> None:
    assert (count(world).dwellings, count(world).people, count(world).share) == (0, 0, None)


@pytest.mark.parametrize(
    ("province", "city", "here"),
    [
        ("湖北", "武汉", True),
        ("湖北省", "武汉市", True),
        ("湖北", "襄阳", False),
        ("湖南", "武汉", False),
        ("", "", False),
    ],
)
def test_home_is_home_however_it_is_written(province: str, city: str, here: bool) -> None:
    assert [home.has(province, city) for home in (WUHAN, Home("湖北", "武汉"))] == [here, here]


# Over several compounds


def both(world: World, **second: Any) -> None:
    """One person with a household in 7 and another in 8."""
    number = people.id_number(1, "19790102")
    people.apply(world.centre, 7, people.application(people=[people.applicant(doc_number=number)]))
    people.apply(world.centre, 8, people.application(people=[people.applicant(doc_number=number, **second)]))
    people.apply(world.centre, 8, people.application(people=[people.applicant()]))
    for compound in (7, 8):
        count(world, compound)


def test_somebody_in_two_compounds_is_one_person_in_the_total(world: World) -> None:
    both(world)
    total = coverage.total(lines(world), twice(world))
    assert [line.figures.people for line in lines(world) if line.figures] == [1, 2]
    assert (total.figures.people, total.twice, total.figures.here(WUHAN), total.figures.households) == (2, 1, 2, 3)


def test_two_different_answers_of_one_person_are_counted_once(world: World) -> None:
    both(world, province="广东", city="深圳")
    total = coverage.total(lines(world), twice(world))
    assert (total.figures.here(WUHAN), total.figures.here(Home("广东", "深圳"))) == (2, 0)


def test_who_sees_one_compound_only_has_nobody_taken_off(world: World) -> None:
    both(world)
    total = coverage.total(lines(world)[1:], twice(world))
    assert (total.figures.people, total.twice, total.compounds) == (2, 0, 1)


def test_who_has_moved_away_is_in_one_compound_only(world: World) -> None:
    both(world)
    with world.centre.writing(7, "wang") as writing:
        households.end(writing, 1, "moved")
    count(world, 7)
    total = coverage.total(lines(world), twice(world))
    assert (total.figures.people, total.twice) == (2, 0)


def test_children_without_a_document_are_counted_singly(world: World) -> None:
    baby = people.applicant(doc_kind="none", doc_number="", sex="f", birth="2026-12-01", phone="", relation="family")
    for compound in (7, 8):
        people.apply(world.centre, compound, people.application(people=[people.applicant(), baby]))
        count(world, compound)
    total = coverage.total(lines(world), twice(world))
    assert (total.figures.people, total.figures.paperless, total.twice) == (4, 2, 0)


def test_known_in_one_of_two_compounds_is_known() -> None:
    here = "湖北\t武汉"
    one = Figures(people=1, known=1, places={here: 1})
    other = Figures(people=1, known=0, places={here: 1})
    made = [CountRow(compound=compound_of(number), as_of_ms=number, figures=f) for number, f in ((7, one), (8, other))]
    met = Twice(people=[[Appearance(7, True, here), Appearance(8, False, here)]])
    total = coverage.total(made, met)
    assert (total.figures.people, total.figures.known, total.figures.new, total.as_of_ms) == (1, 1, 0, 7)


def compound_of(number: int) -> Any:
    from sync.server.centre.places import Compound

    return Compound(compound_id=number, name_zh="", name_en="", timezone="UTC", epoch="", revision=0, pruned_revision=0,
                    root_public=b"", sealed_root_seed=b"", sealed_code_key=b"", rules="", created_ms=0)  # fmt: skip


def test_what_is_kept_of_people_in_several_compounds_names_nobody(world: World) -> None:
    both(world)
    twice(world)
    mark = world.centre.vault.mark("doc", f"id_card:{people.id_number(1, '19790102')}")
    with world.centre.store.read() as conn:
        kept = conn.execute(select(tables.setting.c.value).where(tables.setting.c.name == "twice")).scalar_one()
    assert "张伟" not in kept and mark.hex() not in kept and people.id_number(1, "19790102") not in kept


# When it is counted


def test_a_count_is_kept_until_it_is_ten_minutes_old(world: World) -> None:
    settle(world)
    assert coverage.refresh(world.centre, [7, 8], "test") == 2
    people.apply(world.centre)
    assert coverage.refresh(world.centre, [7, 8], "test") == 0
    world.now_ms += coverage.FRESH_MS - 1
    assert coverage.refresh(world.centre, [7, 8], "test") == 0
    world.now_ms += 1
    assert coverage.refresh(world.centre, [7, 8], "test") == 2
    assert [line.figures.households for line in lines(world) if line.figures] == [4, 0]


def test_of_many_old_counts_the_oldest_are_made_again_first(world: World) -> None:
    for compound in (7, 8):
        count(world, compound)
        world.now_ms += 1000
    world.now_ms += coverage.FRESH_MS
    assert coverage.refresh(world.centre, [8, 7], "test", most=1) == 1
    assert [line.as_of_ms == world.now_ms for line in lines(world)] == [True, False]


# The page


def post(office: Office, path: str, **fields: str) -> Any:
    return office.post(path, page="/town", **fields)


@pytest.mark.parametrize("role", ["town", "community", "inspector"])
def test_who_works_with_numbers_meets_them_after_the_sign_in(world: World, role: Any) -> None:
    settle(world)
    office = Office(world, role, mine=(7, 8), role=role)
    shown = office.get("/").text
    assert words.say("zh", "town_title") in shown and "翠湖" in shown and "东湖" in shown
    assert re.search(r'data-label="未申请（套）">2<', shown)


def test_nobodys_record_can_be_reached_from_the_numbers(world: World) -> None:
    settle(world)
    office = Office(world, "li", mine=(7, 8), role="community")
    shown = office.get("/town").text
    assert not [
        secret
        for secret in ("张伟", "张小宝", "3-2-501", "******8000", people.id_number(1, "19790102"))
        if secret in shown
    ]
    assert not re.findall(r'href="/c/\d+/(?:residents|households|applications)', shown)


def test_an_account_sees_its_own_compounds_only(world: World) -> None:
    both(world)
    office = Office(world, "li", mine=(7,), role="community")
    assert "东湖" not in office.get("/town").text
    assert "东湖" in Office(world, "wu", True, role="town").get("/town").text


def test_a_property_manager_of_one_compound_begins_there(world: World) -> None:
    assert "<table" not in Office(world, "wang", mine=(7,)).get("/").text
    assert "<table" in Office(world, "wu", mine=(7, 8)).get("/").text


def test_the_page_says_what_the_numbers_leave_out(world: World) -> None:
    settle(world)
    world.gate(7).enrol()
    world.now_ms += coverage.AWAY_MS + 1
    office = Office(world, "wu", True, role="town")
    for language in ("zh", "en"):
        shown = office.get(f"/town?lang={language}").text
        for key in ("people", "occupied", "owners", "person", "unregistered", "away"):
            assert words.say(language, f"town_what.{key}").split("{")[0][:20] in shown, key
        assert words.say(language, "town_home_first") in shown
    assert "东门" in shown and "not in the register: 1." in shown


def test_home_and_communities_are_said_by_the_town(world: World) -> None:
    both(world)
    office = Office(world, "wu", True, role="town")
    assert post(office, "/town/home", province="湖北", city="武汉").status_code == 302
    with world.centre.store.read() as conn:
        assert get_home(conn) == Home("湖北", "武汉")
    assert post(office, "/town/community", compound="7", zh="翠湖社区", en="Cuihu").status_code == 302
    assert compounds.read_compound(world.centre, 7).community_zh == "翠湖社区"
    shown = office.get("/town").text
    assert "翠湖社区" in shown and words.say("zh", "town_no_community") in shown
    assert words.say("zh", "town_home_first") not in shown
    assert post(office, "/town/community", compound="9", zh="a", en="b").status_code == 404


@pytest.mark.parametrize("fields", [{"province": "", "city": "武汉"}, {"province": "湖" * 31, "city": "武汉"}, {}])
def test_a_wrong_home_is_told_and_nothing_typed_is_lost(world: World, fields: dict[str, str]) -> None:
    office = Office(world, "wu", True, role="town")
    answer = post(office, "/town/home", **fields)
    assert answer.status_code == 409 and 'role="alert"' in answer.text
    assert f'name="city" value="{fields.get("city", "")}"' in answer.text
    with pytest.raises(CentreError):
        put_home(world.centre, fields.get("province", ""), fields.get("city", ""), "test")


def test_a_community_needs_both_its_names(world: World) -> None:
    with pytest.raises(CentreError):
        coverage.put_community(world.centre, 7, "翠湖社区", "", "test")


def test_the_file_has_the_same_numbers_and_no_formula(world: World) -> None:
    settle(world)
    put_home(world.centre, "湖北", "武汉", "test")
    coverage.put_community(world.centre, 7, "=1+1", "=cmd", "test")
    office = Office(world, "wu", True, role="town")
    office.get("/town")
    answer = post(office, "/town.xlsx")
    sheet = load_workbook(io.BytesIO(answer.data)).worksheets[0]
    answer.close()
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    place = next(place for place, row in enumerate(rows) if row[1])
    assert sheet.title == "各小区情况"
    seven = dict(zip(rows[place], rows[place + 1], strict=True))
    assert (seven["未申请（套）"], seven["人数"], seven["本地户籍（人）"], seven["申请率"]) == (2, 6, 5, "40%")
    assert rows[-1][1] == "合计" and len(rows) == place + 4
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    with world.centre.store.read() as conn:
        assert conn.execute(select(tables.town_audit).where(tables.town_audit.c.what == "export-coverage")).first()


def test_the_short_text_is_whole_in_both_languages(world: World) -> None:
    settle(world)
    office = Office(world, "wu", True, role="town")
    for language, piece in (("zh", "未申请2"), ("en", "2 not applied")):
        shown = office.get(f"/town?lang={language}").text
        text = re.search(r"<pre>(.*?)</pre>", shown, re.DOTALL)
        assert text and piece in text[1] and "{" not in text[1]


def test_an_account_without_a_compound_is_told(world: World) -> None:
    sign_in.add_staff(world.centre, "x1", "", True, (), "town")
    office = Office(world, "li", mine=(7,), role="community")
    with world.centre.store.write() as conn:
        conn.execute(tables.staff_compound.delete())
    assert words.say("zh", "no_compounds") in office.get("/town").text


def test_a_timer_counts_every_compound_by_a_command(world: World) -> None:
    settle(world)
    done = CliRunner().invoke(main, ["--state", str(world.state), "count"])
    assert (done.exit_code, done.output.strip()) == (0, "2 compounds counted.")
    assert [line.figures.people for line in lines(world) if line.figures] == [6, 0]
