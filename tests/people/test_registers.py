"""Tables that make themselves, and their exports: what is found, what is masked, what is recorded."""

from __future__ import annotations

import io
import re
import threading
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import event, select, update

from sync.server import words
from sync.server.centre import tables
from sync.server.passes import compounds, passes
from sync.server.people.home import Home
from sync.server.people.households import households
from sync.server.people.registers import exports, registers
from sync.server.people.registers.registers import At, Name, RegisterFilter
from tests.fixtures import people
from tests.fixtures.centre import World
from tests.fixtures.office import Office
from tests.fixtures.people import opened

PLATE = "粤BD12345"


def at(world: World, home: Home | None = None) -> At:
    today = households.local_day(compounds.read_compound(world.centre, 7), world.now_ms)
    return At(compound_id=7, now_ms=world.now_ms, today=today, home=home)


def find(world: World, name: Name = "residents", home: Home | None = None, page: int = 1, size: int = 50,
         **asked: Any) -> registers.RegisterPage:  # fmt: skip
    with world.centre.store.read() as conn:
        return registers.find(conn, at(world, home), name, RegisterFilter(**asked), page, size)


def names(found: registers.RegisterPage) -> list[str]:
    return [row.name for row in found.rows]


def settle(world: World) -> None:
    """A family of three with a car in building 3, collected; a tenant in building 10; one who moved away."""
    home = people.add_dwelling(world.centre)
    form = people.family()
    form.dwelling_id = home
    done = people.approved(world.centre, form=form)
    with world.centre.writing(7, "wang") as writing:
        households.set_state(writing, done.household_id, collected_ms=world.now_ms)
        for number in households.pass_numbers(writing.conn, 7, done.household_id):
            passes.hand_over_in(writing, number)
    tenant = people.applicant(name="陈静", relation="tenant", phone="13700137000", province="广东省", city="深圳市",
                              doc_number=people.id_number(2, "19550505"))  # fmt: skip
    away = people.add_dwelling(world.centre, building="10", unit="1", room="101")
    people.apply(world.centre, form=people.application(dwelling_id=away, dwelling="10-1-101", people=[tenant]))
    gone = people.apply(world.centre, form=people.application(people=[people.applicant(name="钱多")]))
    with world.centre.writing(7, "wang") as writing:
        households.end(writing, gone.household_id, "moved")
    people.apply(world.centre, compound_id=8, form=people.application(people=[people.applicant(name="别处")]))


# Finding


def test_residents_are_there_by_themselves_in_the_order_of_their_dwellings(world: World) -> None:
    settle(world)
    found = find(world)
    assert (names(found), found.total) == (["张伟", "李芳", "张小宝", "陈静"], 4)
    assert "3-2-501" in found.rows[0].dwelling and found.rows[0].pass_state == "active"


def test_who_moved_away_is_shown_only_when_asked_for(world: World) -> None:
    settle(world)
    assert names(find(world, chosen={"there": "no"})) == ["钱多"]
    assert names(find(world, chosen={"stage": "moved"})) == ["钱多"]
    assert find(world, chosen={"there": registers.ANY}).total == 5


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"building": "3"}, ["张伟", "李芳", "张小宝"]),
        ({"building": "10"}, ["陈静"]),
        ({"building": ""}, []),
        ({"relation": "tenant"}, ["陈静"]),
        ({"stage": "collected"}, ["张伟", "李芳", "张小宝"]),
        ({"collected": "no"}, ["陈静"]),
        ({"age": "7"}, ["张小宝"]),
        ({"age": "60"}, ["陈静"]),
        ({"pass": "none"}, ["陈静"]),
        ({"known": "new", "building": "10"}, ["陈静"]),
        ({"registered": "here"}, ["张伟", "李芳", "张小宝"]),
        ({"registered": "elsewhere"}, ["陈静"]),
        ({"relation": "nonsense"}, []),
        ({"nonsense": "x"}, ["张伟", "李芳", "张小宝", "陈静"]),
    ],
)
def test_what_is_chosen_narrows_the_table(world: World, chosen: dict[str, str], expected: list[str]) -> None:
    settle(world)
    found = find(world, home=Home("湖北省", "武汉市"), chosen=chosen)
    assert (names(found), found.total) == (expected, len(expected))


def test_counts_say_what_each_choice_would_leave(world: World) -> None:
    settle(world)
    found = find(world, chosen={"relation": "family"})
    assert found.total == 2
    assert found.counts["relation"] == {"owner": 1, "family": 2, "tenant": 1}
    assert found.counts["building"] == {"3": 2}
    assert found.counts["there"] == {"yes": 2}


def test_age_turns_on_the_birthday(world: World) -> None:
    today = at(world).today
    for years, months in ((7, 0), (7, 1)):
        born = f"{today.year - years}{today.month:02d}{today.day + (1 if months else 0):02d}"
        child = people.applicant(name=f"孩{'零一'[months]}", phone="", doc_number=people.id_number(5, born))
        people.apply(world.centre, form=people.application(people=[people.applicant(), child]))
    assert names(find(world, chosen={"age": "7"})) == ["孩零"]
    assert names(find(world, chosen={"age": "0"})) == ["孩一"]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("李芳", ["李芳"]), ("张", ["张伟", "张小宝"]), ("10-1", ["陈静"]),
        ("3栋2单元501室", ["张伟", "李芳", "张小宝"]),
        ("7-H00002", ["陈静"]), ("7-h00002", ["陈静"]), ("h00002", ["陈静"]), ("2", ["陈静"]), ("%", []), ("_", []),
        ("'; DROP TABLE person; --", []), ("99999999999999999999999", []),
    ],
)  # fmt: skip
def test_a_term_finds_name_dwelling_and_number(world: World, term: str, expected: list[str]) -> None:
    settle(world)
    assert names(find(world, term=term)) == expected


@pytest.mark.parametrize("written", ["13900139000", "139 0013 9000", "+86 13900139000"])
def test_a_full_telephone_number_finds_its_person_however_it_is_written(world: World, written: str) -> None:
    settle(world)
    marks = registers.marks_of(world.centre.vault, "residents", written, at(world).today)
    assert names(find(world, marks=marks)) == ["李芳"]


def test_a_full_document_number_finds_its_person(world: World) -> None:
    settle(world)
    foreign = people.applicant(
        name="Anna Schmidt", doc_kind="passport", doc_number="C01X00T47", sex="f", birth="1990-01-01"
    )
    people.apply(world.centre, form=people.application(people=[foreign]))
    for words_, who in ((people.id_number(2, "19550505").lower(), "陈静"), ("c01x 00t47", "Anna Schmidt")):
        marks = registers.marks_of(world.centre.vault, "residents", words_, at(world).today)
        assert names(find(world, marks=marks)) == [who]
        assert find(world, "applications", marks=marks).total == 1


@pytest.mark.parametrize("term", ["7-H00002", "3-2-501", "张伟", "12345", "", "7-000123", "'" * 64])
def test_an_ordinary_term_is_no_full_number(world: World, term: str) -> None:
    assert registers.marks_of(world.centre.vault, "residents", term, at(world).today) == ()


def test_vehicles_are_found_by_part_of_the_plate_and_by_who_applied(world: World) -> None:
    settle(world)
    for term in (PLATE, "d12345", "粤B", "张伟", "3-2-501"):
        found = find(world, "vehicles", term=term)
        assert [(row.plate, row.name, row.energy) for row in found.rows] == [(PLATE, "张伟", "new")]
    marks = registers.marks_of(world.centre.vault, "vehicles", people.PHONE, at(world).today)
    assert find(world, "vehicles", marks=marks).total == 1
    assert registers.marks_of(world.centre.vault, "vehicles", "BD12345", at(world).today) == ()


def test_applications_show_every_state_the_newest_first(world: World) -> None:
    settle(world)
    found = find(world, "applications")
    assert [row.stage for row in found.rows] and {row.stage for row in found.rows} == {"moved", "applied", "collected"}
    family = next(row for row in found.rows if row.stage == "collected")
    assert (family.people, family.vehicles, family.name) == (3, 1, "张伟")


def test_every_column_sorts_both_ways_and_pages_hold_every_row_once(world: World) -> None:
    for number in range(7):
        people.apply(world.centre, form=people.application(
            dwelling=f"{number % 3}-1-101", people=[people.applicant(name=f"张{'一二三'[number % 3]}")]))  # fmt: skip
    for name in registers.NAMES[:1] + registers.NAMES[2:]:
        for sort in registers.register(name, at(world)).sorts:
            for down in (False, True):
                rows = [row for page in (1, 2, 3, 4)
                        for row in find(world, name, sort=sort, down=down, page=page, size=2).rows]  # fmt: skip
                assert len({row.row_id for row in rows}) == len(rows) == 7, (name, sort, down)
    up = [row.name for row in find(world, sort="name").rows]
    assert up == sorted(up) and names(find(world, sort="name", down=True)) == sorted(up, reverse=True)


def test_a_page_too_far_is_the_last_one(world: World) -> None:
    settle(world)
    found = find(world, page=999, size=3)
    assert (found.page, found.pages, len(found.rows)) == (2, 2, 1)


@pytest.mark.parametrize("name", registers.NAMES)
def test_every_statement_begins_in_the_compounds_own_rows(world: World, name: Name) -> None:
    settle(world)
    asked: list[tuple[str, Any]] = []
    engine = world.centre.store._engine

    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        find(world, name, term="张", chosen={"building": "3"})
        find(world, name, marks=(b"x" * 16,))
    finally:
        event.remove(engine, "before_cursor_execute", note)
    with world.centre.store.read() as conn:
        for statement, parameters in asked:
            if "household" not in statement:
                continue
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            steps = [
                row[3]
                for row in plan
                if re.search(r"\b(person|household|vehicle|dwelling|pass|one|applicant)\b", row[3])
            ]
            assert steps and all("compound_id=?" in step for step in steps if "SEARCH" in step), steps
            assert not [step for step in steps if step.startswith("SCAN")], steps


# The page


def page_of(office: Office, path: str) -> str:
    answer = office.get(path)
    assert answer.status_code == 200
    return str(answer.text)


def test_pages_hold_no_full_number(world: World, office: Office) -> None:
    settle(world)
    with world.centre.store.read() as conn:
        numbers = [opened(conn, tables.person, name) for name in ("doc", "phone")]
    full = [number for found in numbers for number in found if number]
    for name in registers.NAMES:
        for language in ("zh", "en"):
            shown = page_of(office, f"/c/7/{name}?there=any&lang={language}")
            assert not [number for number in full if number in shown]
    assert "别处" not in page_of(office, "/c/7/residents?there=any")


def test_a_full_number_that_was_searched_for_is_not_in_the_address(world: World, office: Office) -> None:
    settle(world)
    answer = office.post("/c/7/residents?relation=family", page="/c/7/residents", q="13900139000")
    assert answer.status_code == 302 and "13900139000" not in answer.location and "relation=family" in answer.location
    shown = page_of(office, answer.location)
    assert "李芳" in shown and "张小宝" not in shown and "13900139000" not in shown
    assert words.say("zh", "registers_by_number") in shown
    plain = office.post("/c/7/residents", page="/c/7/residents", q=" 李芳 ")
    assert "q=%E6%9D%8E%E8%8A%B3" in plain.location


@pytest.mark.parametrize("query", [
    "m=zz", "m=00", "page=-1", "page=99999999999", "size=7", "size=x", "sort=;drop",
    "stage=%3Cscript%3E", "age=" + "9" * 300,
])  # fmt: skip
def test_an_invalid_address_still_gives_a_page_and_never_everything_for_a_wrong_mark(
    world: World, office: Office, query: str
) -> None:  # fmt: skip
    settle(world)
    for name in registers.NAMES:
        shown = page_of(office, f"/c/7/{name}?{query}")
        if query.startswith("m="):
            assert "陈静" not in shown and words.say("zh", "registers_none_found") in shown


def test_names_are_shown_as_text_whatever_they_hold(world: World, office: Office) -> None:
    nasty = people.applicant(name="<script>alert(1)</script>", city="<img src=x onerror=alert(1)>")
    people.apply(world.centre, form=people.application(dwelling="<b>x", people=[nasty]))
    for name in ("residents", "applications"):
        shown = page_of(office, f"/c/7/{name}?q=%3Cscript%3E&building=-")
        assert "<script>alert" not in shown and "<img" not in shown and "<b>x" not in shown


def test_an_empty_register_says_how_it_fills(office: Office) -> None:
    assert words.say("zh", "registers_none") in page_of(office, "/c/7/residents")


# Exports


def sheet_of(answer: Any) -> Any:
    assert answer.status_code == 200 and answer.headers["Content-Type"] == exports_type()
    return load_workbook(io.BytesIO(answer.data)).worksheets[0]


def exports_type() -> str:
    return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def table_of(sheet: Any) -> tuple[list[str], list[dict[str, Any]]]:
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    headings = next(place for place, row in enumerate(rows) if row[1])
    return [row[0] for row in rows[:headings]], [
        dict(zip(rows[headings], row, strict=True)) for row in rows[headings + 1 :]
    ]


def take(office: Office, name: str = "residents", query: str = "", **form: str) -> Any:
    fields = {"why": "visit", "words": "核对3号楼租户"} | form
    return office.post(f"/c/7/{name}/export{query}", page=f"/c/7/{name}", **fields)


def test_an_export_is_masked_as_filtered_and_says_what_it_is(world: World, office: Office) -> None:
    settle(world)
    above, rows = table_of(sheet_of(take(office, query="?relation=family")))
    assert [row["姓名"] for row in rows] == ["李芳", "张小宝"]
    assert all("*" in row["证件号码"] for row in rows) and rows[0]["手机"] == "1******9000"
    told = "\n".join(above)
    for piece in ("翠湖", "2027-01-15", "wang", "上门核对 · 核对3号楼租户", "关系：家属", "打码"):
        assert piece in told


@pytest.mark.parametrize(
    ("ticked", "births"),
    [
        ({}, ["1980", "1980", "2018", "1955"]),
        ({"whole": "1"}, ["1980-01-02", "1980-01-02", "2018-05-06", "1955-05-05"]),
    ],
)
def test_beside_masked_numbers_stands_the_year_of_birth_and_beside_full_ones_the_day(
    world: World, office: Office, ticked: dict[str, str], births: list[str]
) -> None:
    settle(world)
    above, rows = table_of(sheet_of(take(office, **ticked)))
    assert [row["出生日期"] for row in rows] == births
    assert any("出生只写年份" in line for line in above) == (not ticked)


def test_full_numbers_need_their_tick_and_are_there_then(world: World, office: Office) -> None:
    settle(world)
    _, rows = table_of(sheet_of(take(office, query="?relation=tenant", whole="1")))
    assert (rows[0]["证件号码"], rows[0]["手机"]) == (people.id_number(2, "19550505"), "13700137000")
    with world.centre.store.read() as conn:
        assert conn.execute(select(tables.export.c.whole)).scalar_one()


def test_an_export_is_recorded_with_who_when_why_and_whose_records(world: World, office: Office) -> None:
    settle(world)
    take(office)
    take(office, "applications", query="?stage=moved")
    with world.centre.store.read() as conn:
        first = exports.of_household(conn, 7, 1)
        assert [(e.by, e.at_ms, e.what, e.why, e.whole, e.rows) for e in first] == [
            ("wang", world.now_ms, "residents", "visit: 核对3号楼租户", False, 4)
        ]
        assert [len(exports.of_household(conn, 7, household)) for household in (2, 3, 4, 11)] == [1, 1, 0, 0]
        noted = opened(conn, tables.audit, "why", tables.audit.c.what == "export")
    assert noted == ["visit: 核对3号楼租户"] * 2


@pytest.mark.parametrize("form", [
    {"why": ""}, {"why": "nonsense"}, {"words": ""}, {"words": "abc"}, {"words": "x" * 201}, {"words": " \t \n 。"},
])  # fmt: skip
def test_without_a_purpose_there_is_no_file_and_what_was_written_stays(
    world: World, office: Office, form: dict[str, str]
) -> None:  # fmt: skip
    settle(world)
    answer = take(office, whole="1", **form)
    assert answer.status_code == 409 and 'role="alert"' in answer.text
    assert "checked" in answer.text and (form.get("words", "核对3号楼租户").strip()[:20] or "核") in answer.text
    with world.centre.store.read() as conn:
        assert conn.execute(select(tables.export)).all() == []


def test_cells_that_look_like_formulas_are_text(world: World, office: Office) -> None:
    for sign in "=+-@":
        nasty = people.applicant(name=f"{sign}HYPERLINK(A)", city=f"{sign}1+1")
        people.apply(world.centre, form=people.application(dwelling=f"{sign}cmd|x", people=[nasty]))
    for name in ("residents", "applications"):
        sheet = sheet_of(take(office, name, words="=1+1 for a test"))
        cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
        assert not [cell for cell in cells if cell.data_type == "f"]
        assert {"=HYPERLINK(A)", "+HYPERLINK(A)", "-HYPERLINK(A)", "@HYPERLINK(A)"} <= {cell.value for cell in cells}


def test_residents_submit_while_an_export_is_being_written(world: World) -> None:
    """The writing lock is free while rows are read: a form is taken in between two of them."""
    settle(world)
    taken = threading.Event()

    def cells(row: Any, whole: dict[str, str]) -> list[str]:
        if not taken.is_set():
            people.apply(world.centre, form=people.application(people=[people.applicant(name="后来")]))
            taken.set()
        return [row.name]

    sheet = exports.RegisterSheet(title="居民", above=(), headings=("姓名",), cells=cells)
    purpose = exports.check_purpose("visit", "核对租户", False)
    with exports.export(world.centre, at(world), "residents", RegisterFilter(), sheet, purpose, "wang") as file:
        rows = [row[0] for row in load_workbook(file).worksheets[0].iter_rows(values_only=True)]
    assert taken.is_set() and "后来" not in rows and len(rows) == 5
    assert find(world).total == 5


def test_another_roles_export_has_no_full_numbers(world: World) -> None:
    settle(world)
    clerk = Office(world, "clerk", mine=(7,), role="clerk")
    assert take(clerk).status_code == 403
    assert words.say("zh", "registers_export") not in page_of(clerk, "/c/7/residents")


def test_the_export_page_says_how_many_and_what(world: World, office: Office) -> None:
    settle(world)
    take(office, words="第一次核对")
    shown = page_of(office, "/c/7/residents/export?relation=family&q=%E6%9D%8E")
    assert "<strong>1</strong>" in shown and "家属" in shown and "李" in shown and "第一次核对" in shown


def test_times_are_the_compounds(world: World, office: Office) -> None:
    settle(world)
    with world.centre.store.write() as conn:
        conn.execute(update(tables.compound).where(tables.compound.c.compound_id == 7).values(timezone="Asia/Tokyo"))
    assert "2027-01-15 17:00" in page_of(office, "/c/7/applications")
