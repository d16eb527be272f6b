"""The dwelling register: how rooms are written, made and imported, who has not applied, and what visits found."""

from __future__ import annotations

import io
import itertools
import re
import resource
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from sqlalchemy import select, text

from sync.credential import HOUR_MS
from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.passes import passes
from sync.server.people import sheets, unfolding, uploads
from sync.server.people.address import Address, make_address, read_words
from sync.server.people.dwellings import applied, dwellings, pattern, proposals, roster, visits
from sync.server.people.dwellings import sheet as dwelling_sheet
from tests.fixtures.centre import NOW, World
from tests.fixtures.events import Journal, event, send
from tests.fixtures.office import Office
from tests.fixtures.register import household, id_number, person, xlsx

DAY_MS = 24 * HOUR_MS


def register(world: World, *names: str, compound: int = 7) -> list[int]:
    """Dwellings of the register by what people call them; their numbers."""
    rows = [read_words(name) for name in names]
    assert all(rows)
    with world.centre.writing(compound, "test") as writing:
        first = dwellings.insert_many(writing, [row for row in rows if row]).first_id
    return list(range(first, first + len(names)))


def names(world: World, compound: int = 7) -> list[str]:
    columns = tables.dwelling.c
    with world.centre.store.read() as conn:
        wanted = select(columns.name).where(columns.compound_id == compound, ~columns.proposed).order_by(columns.place)
        return list(conn.execute(wanted).scalars())


def match(world: World, words: str, compound: int = 7) -> int:
    with world.centre.store.read() as conn:
        return dwellings.match(conn, compound, words)


# How rooms are written


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("3-2-501", "3-2-501"), (" ３－２－５０１ ", "3-2-501"), ("3栋2单元501室", "3-2-501"),
        ("3号楼2单元501", "3-2-501"),
        ("三栋二单元501", "3-2-501"), ("二十一幢三单元1203室", "21-3-1203"), ("03—02—501", "3-2-501"),
        ("3栋 2单元 5层 501号", "3-2-501"), ("3#2-501", "3-2-501"), ("3-501", "3-501"), ("A座501", "A座-501"),
        ("Building 3, Unit 2, Room 501", "3-2-501"), ("Block A Flat 1203", "A栋-1203"), ("a501", "A-501"),
        ("翠竹苑-2-501", "翠竹苑-2-501"),
    ],
)  # fmt: skip
def test_a_room_is_understood_however_people_write_it(words: str, name: str) -> None:
    found = read_words(words)
    assert found is not None and found.name == name


@pytest.mark.parametrize(
    "words",
    ["", "501", "3栋", "我家", "3-2-", "-", "=1+1-5", "<b>3</b>-2-501", "3-2-501\0", "1" * 500, "3-2-\u202e501"],
)
def test_words_without_building_and_room_name_no_room(words: str) -> None:
    assert read_words(words) is None


@pytest.mark.parametrize(
    ("room", "floor"), [("501", 5), ("0501", 5), ("1203", 12), ("B101", 1), ("12", 0), ("A", 0), ("99901", 0)]
)
def test_the_floor_is_read_off_the_room(room: str, floor: int) -> None:
    assert make_address("1", "", "", room).floor == floor


@pytest.mark.parametrize(
    ("words", "floor"), [("5", 5), ("5层", 5), ("１２Ｆ", 12), ("B1", -1), ("负2层", -2), ("地下1层", -1)]
)
def test_a_floor_is_read_as_people_write_it(words: str, floor: int) -> None:
    assert make_address("1", "", words, "x1").floor == floor


def test_places_sort_as_people_count() -> None:
    wanted = ["2-1-901", "2-1-1001", "2-2-101", "10-1-101", "A座-101", "B座-101"]
    rows = [found for name in wanted if (found := read_words(name))]
    assert [row.name for row in sorted([*rows[3:], *rows[:3]], key=lambda row: row.place)] == wanted


@given(st.text(max_size=120))
def test_whatever_is_written_is_a_room_or_none(words: str) -> None:
    found = read_words(words)
    assert found is None or (found.building and found.room and found.name.isprintable())


# By pattern


def made(**form: str) -> list[str]:
    read, wrong = pattern.read_pattern({"buildings": "1", "floors": "1-2", "doors": "01-02"} | form)
    assert read is not None, wrong
    return [address.name for address in read.addresses()]


def test_a_pattern_makes_buildings_units_floors_and_rooms() -> None:
    assert made(buildings="1-2", units="1-2", floors="1,B1") == [
        f"{b}-{u}-{f}{d}" for b in (1, 2) for u in (1, 2) for f in ("1", "B1") for d in ("01", "02")
    ]
    assert made(buildings="A座－C座", floors="3", doors="A、B") == [f"{b}座-3{d}" for b in "ABC" for d in "AB"]
    assert made(buildings="9 - 11 会所", floors="1", doors="1") == ["9-101", "10-101", "11-101", "会所-101"]


def test_gaps_are_left_out() -> None:
    assert made(floors="3-5", no_floors="4", no_rooms="301，502") == ["1-302", "1-501"]
    assert made(floors="12-15", doors="01-05", no_floors="13-14", no_doors="04") == [
        f"1-{f}{d}" for f in (12, 15) for d in ("01", "02", "03", "05")
    ]
    assert made(floors="5", wide="1") == ["1-0501", "1-0502"]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("buildings", ""), ("buildings", "9-1"), ("buildings", "1-99999"), ("buildings", "<b>"),
        ("buildings", "x" * 21),
        ("floors", "0-3"), ("floors", "five"), ("floors", "1-151"), ("doors", "001"), ("doors", ""), ("units", "=1"),
        ("no_floors", "1-2"), ("no_doors", "x1x1"), ("buildings", "1-500"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_pattern_is_said_of_its_field(field: str, words: str) -> None:
    form = {"buildings": "1", "floors": "1-32" if words == "1-500" else "1-2", "doors": "01-06"} | {field: words}
    read, wrong = pattern.read_pattern(form)
    assert read is None and set(wrong) == {"floors" if field == "no_floors" else field}
    assert all(zh != en for zh, en in wrong.values())


def test_generating_again_adds_only_what_is_missing(world: World) -> None:
    read, _ = pattern.read_pattern({"buildings": "1", "floors": "1-2", "doors": "01-02"})
    assert read is not None
    register(world, "1栋102")
    with world.centre.writing(7, "test") as writing:
        first = dwellings.insert_many(writing, read.addresses())
        again = dwellings.insert_many(writing, read.addresses())
    assert (first.new, first.there, again.new, again.there) == (3, 1, 0, 4)
    assert names(world) == ["1-101", "1-102", "1-201", "1-202"]
    assert names(world, 8) == []


def test_the_officer_sees_what_a_pattern_makes_before_it_is_written(world: World, office: Office) -> None:
    register(world, "1-1-101")
    form = {"buildings": "1-2", "units": "1-2", "floors": "1-3", "doors": "01-03", "no_floors": "2", "no_rooms": "303"}
    shown = office.post("/c/7/dwellings/generate", do="look", **form)
    assert shown.status_code == 200 and len(names(world)) == 1
    assert ">19<" in shown.text and "1-1-102" in shown.text and "2-2-302" in shown.text
    done = office.post("/c/7/dwellings/generate", do="write", **form)
    assert done.status_code == 200 and len(names(world)) == 20
    assert 'value="1-2"' in done.text, "what was typed stays, for the next building"
    wrong = office.post("/c/7/dwellings/generate", do="write", **(form | {"floors": "nine"}))
    assert wrong.status_code == 409 and 'value="nine"' in wrong.text and len(names(world)) == 20


# From a table


def read(content: bytes) -> dwelling_sheet.DwellingSheet:
    return dwelling_sheet.read_dwellings(sheets.read_table(content))


@pytest.mark.parametrize(
    "content",
    [
        xlsx(("楼栋", "单元", "楼层", "房号"), (3, 2, 5, 501), ("A座", None, "12层", "1203室")),
        xlsx(("Room", "Building", "Note", "Unit"), (501.0, "3栋", "x", "2单元"), (), (1203, "A座", "", "")),
        "房屋\n3栋2单元501\nA座1203\n".encode("gb18030"),
        "\ufeff房号,备注\r\n3-2-501,\r\nA座-1203,好\r\n".encode(),
        "楼栋;单元;房号\n3;2;501\nA座;;1203\n".encode(),
        "building\tunit\troom\n3\t2\t501\nA座\t\t1203\n".encode("utf-16"),
        "3-2-501\nA座-1203".encode(),
    ],
    ids=["xlsx-zh", "xlsx-en", "gb18030", "bom", "semicolons", "utf-16", "no-heading"],
)  # fmt: skip
def test_a_table_is_read_whatever_program_wrote_it(content: bytes) -> None:
    found = read(content)
    assert found.mistakes == []
    assert [(row.name, row.floor) for row in found.addresses] == [("3-2-501", 5), ("A座-1203", 12)]


def test_what_is_wrong_is_told_by_line(world: World) -> None:
    found = read(
        "楼栋,单元,楼层,房号\n3,2,5,501\n3,2,5,\n,2,5,502\n三栋,２,,0501\n3,2,九百,503\n"
        f"3,2,5,{'5' * 21}\n3,2,5,=1+1\n3,2,5,<script>\n".encode()
    )
    assert [mistake.line for mistake in found.mistakes] == [3, 4, 5, 6, 7, 8, 9]
    assert "第2行" in found.mistakes[2].why[0] and "line 2" in found.mistakes[2].why[1]
    assert all(zh != en for zh, en in (mistake.why for mistake in found.mistakes))


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (65 << 20))
    return file.getvalue()


def with_declaration() -> bytes:
    source, file = zipfile.ZipFile(io.BytesIO(xlsx(("房屋",), ("3-2-501",)))), io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in source.namelist():
            declared = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' if name == "xl/worksheets/sheet1.xml" else b""
            archive.writestr(name, declared + source.read(name))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"   \n\n", b"PK\x03\x04 not really", xlsx()[:-100], xlsx(), bomb(), with_declaration(),
        b"\xd0\xcf\x11\xe0old",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xff\xff\xff", b"a" * 200_000, b'"' + b"a" * 200_000,
        xlsx(("colour", "size"), ("red", 1)), "楼栋,单元\n1,2".encode(), b"x",
    ],
)  # fmt: skip
def test_what_is_no_table_is_one_clear_sentence(content: bytes) -> None:
    with pytest.raises(CentreError) as error:
        read(content)
    assert error.value.zh and str(error.value) != error.value.zh


def with_styles(count: int) -> bytes:
    """A small table whose styles are many: they pack to next to nothing."""
    source, file = zipfile.ZipFile(io.BytesIO(xlsx(("房屋",), ("3-2-501",)))), io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            part = source.read(name)
            if name == "xl/styles.xml":
                part = part.replace(b"</cellXfs>", b"<xf/>" * count + b"</cellXfs>")
            archive.writestr(name, part)
    return file.getvalue()


@pytest.mark.slow
def test_a_small_file_that_takes_a_gigabyte_to_read_is_ended_at_its_limits_and_is_one_sentence() -> None:
    content = with_styles(2_000_000)
    assert len(content) < 200_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CentreError) as error:
        read(content)
    assert error.value.zh == unfolding.TOO_COSTLY[0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_what_a_file_makes_of_its_reader_changes_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfolding, "LONGEST_S", 0.0)
    with pytest.raises(CentreError) as error:
        read(xlsx(("房屋",), ("3-2-501",)))
    assert error.value.zh == unfolding.TOO_COSTLY[0]


@given(st.binary(max_size=400))
def test_whatever_is_sent_is_a_table_or_a_sentence(content: bytes) -> None:
    unfolded = unfolding.read(b"PK\x03\x04" + content)
    assert unfolded.lines or unfolded.why
    for start in (b"", "房屋\n".encode()):
        try:
            assert read(start + content) is not None
        except CentreError as error:
            assert error.zh


def test_a_table_may_have_fifty_thousand_lines_and_no_more() -> None:
    lines = "房屋\n" + "".join(f"{n // 100 + 1}-{n % 100 + 101}\n" for n in range(unfolding.MOST_ROWS))
    assert len(read(lines.encode()).addresses) == unfolding.MOST_ROWS
    with pytest.raises(CentreError):
        read((lines + "900-101\n").encode())


def send_table(office: Office, content: bytes, page: str = "/c/7/dwellings/import", name: str = "t.xlsx") -> Any:
    token = re.search(r'csrf_token" value="([^"]+)"', office.get(page).text)
    assert token
    form = {"csrf_token": token[1], "table": (io.BytesIO(content), name)}
    return office.client.post(page, data=form, content_type="multipart/form-data")


def ticket(answer: Any) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', answer.text)
    assert found, answer.text
    return found[1]


def test_a_table_is_shown_first_and_then_taken_over_whole(world: World, office: Office) -> None:
    register(world, "3-2-501")
    shown = send_table(office, xlsx(("房屋",), ("3-2-501",), ("3-2-502",), ("4-1-101",)))
    assert shown.status_code == 200 and names(world) == ["3-2-501"]
    assert ">2<" in shown.text and "3-2-502" in shown.text
    done = office.post("/c/7/dwellings/import", ticket=ticket(shown))
    assert done.status_code == 302 and "new=2" in done.location and "there=1" in done.location
    assert names(world) == ["3-2-501", "3-2-502", "4-1-101"]
    again = office.post("/c/7/dwellings/import", ticket=ticket(shown))
    assert again.status_code == 409 and len(names(world)) == 3


def test_nothing_is_imported_while_a_line_is_wrong(world: World, office: Office) -> None:
    shown = send_table(office, xlsx(("房屋",), ("3-2-501",), ("<script>alert(1)</script>",)))
    assert shown.status_code == 409 and 'name="ticket"' not in shown.text
    assert "<script>alert" not in shown.text and "&lt;script&gt;" in shown.text
    assert names(world) == []


def test_a_preview_is_of_its_compound_and_of_its_hour(world: World, office: Office) -> None:
    other = Office(world, "li", mine=(8,))
    shown = send_table(office, xlsx(("房屋",), ("3-2-501",)))
    foreign = other.post("/c/8/dwellings/import", page="/c/8/passes", ticket=ticket(shown))
    assert foreign.status_code == 409 and names(world, 8) == []
    wrong_kind = office.post("/c/7/dwellings/roster", ticket=ticket(shown))
    assert wrong_kind.status_code == 409
    world.now_ms += uploads.KEPT_MS
    assert office.post("/c/7/dwellings/import", ticket=ticket(shown)).status_code == 409
    send_table(office, xlsx(("房屋",), ("3-2-502",)))
    with world.centre.store.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM upload")).scalar() == 1, "the old one is deleted"


def test_a_file_that_is_no_table_leaves_the_page_with_a_sentence(world: World, office: Office) -> None:
    for content in (b"", b"PK\x03\x04", bomb()):
        answer = send_table(office, content)
        assert answer.status_code == 409 and 'role="alert"' in answer.text
    assert office.post("/c/7/dwellings/import").status_code == 409
    too_large = office.client.post("/c/7/dwellings/import", data=b"x" * (9 << 20), content_type="multipart/form-data")
    assert too_large.status_code == 413 and "8 MB" in too_large.text


def test_the_empty_tables_are_tables_their_pages_take(office: Office) -> None:
    for path, page in (("template.xlsx", "import"), ("roster.xlsx", "roster")):
        for language in ("zh", "en"):
            sample = office.get(f"/c/7/dwellings/{path}?lang={language}")
            assert send_table(office, sample.data, f"/c/7/dwellings/{page}").status_code == 200


# Who is meant


def test_a_room_is_found_however_it_was_written(world: World) -> None:
    ids = register(world, "3-2-501", "3-1-501", "3-1-502", "A座-1203", "10-0101")
    register(world, "3-2-501", compound=8)
    for words in ("3-2-501", "3栋2单元501室", "３号楼２单元５０１", "翠湖3栋2单元501"):
        assert match(world, words) == ids[0]
    assert match(world, "3-502") == ids[2], "only one unit of the building has it"
    assert match(world, "3-501") == 0, "two units have it"
    assert [match(world, words) for words in ("a座1203", "A-1203", "A栋1203", "10栋101")] == [ids[3]] * 3 + [ids[4]]
    assert [match(world, words) for words in ("9-9-999", "", "hello", "翠湖", "3-2-501-1-2")] == [0] * 5


def test_the_form_is_offered_buildings_units_and_rooms_in_the_order_people_count(world: World) -> None:
    register(world, "10-1-101", "2-2-101", "2-1-1001", "2-1-901", "A座-101")
    with world.centre.writing(7, "test") as writing:
        proposals.dismiss(writing, "99-1-101")
    with world.centre.store.read() as conn:
        assert dwellings.buildings(conn, 7) == ["2", "10", "A座"]
        assert dwellings.units(conn, 7, "2") == ["1", "2"] and dwellings.units(conn, 7, "A座") == [""]
        found = dwellings.rooms(conn, 7, "2", "1")
        assert [(d.name, d.floor) for d in found] == [("2-1-901", 9), ("2-1-1001", 10)]
        assert dwellings.get_dwelling(conn, 7, found[0].dwelling_id) == found[0]
        with pytest.raises(NoSuchThing):
            dwellings.get_dwelling(conn, 8, found[0].dwelling_id)


# Who has not applied

HOUSEHOLDS = ("applied", "correct", "observe", "approved", "not_here", "cancelled", "moved")
FOUND = ("", *visits.FOUND)


@pytest.mark.parametrize(
    ("households", "found", "state"),
    [
        ([], "", "none"), ([], "present", "none"), ([], "nobody", "none"), ([], "vacant", "vacant"),
        ([], "not_here", "not_here"), ([], "moved", "moved"), ([], "refused", "refused"),
        ([("applied", 0)], "vacant", "applied"), ([("correct", 0)], "", "applied"), ([("observe", 0)], "", "applied"),
        ([("approved", 0)], "", "applied"), ([("approved", 5)], "moved", "collected"),
        ([("cancelled", 0)], "", "none"), ([("moved", 5)], "", "none"), ([("not_here", 0)], "not_here", "not_here"),
        ([("moved", 5), ("applied", 0)], "", "applied"), ([("applied", 0), ("approved", 5)], "", "collected"),
    ],
)  # fmt: skip
def test_the_state_of_a_dwelling(households: list[tuple[str, int]], found: str, state: str) -> None:
    assert applied.state_of(households, found) == state


def test_the_database_says_the_same_states(world: World) -> None:
    choices = [*((h, 0) for h in HOUSEHOLDS), ("approved", 5), ("moved", 5)]
    cases = [(hs, f) for n in (0, 1) for hs in itertools.combinations(choices, n) for f in FOUND]
    cases += [(hs, "vacant") for hs in itertools.combinations(choices, 2)]
    ids = register(world, *(f"1-{n // 9 + 1}0{n % 9 + 1}" for n in range(len(cases))))
    for dwelling_id, (households, found) in zip(ids, cases, strict=True):
        for state, collected_ms in households:
            household(world, dwelling_id, state, collected_ms)
        if found:
            visit(world, dwelling_id, found)
    with world.centre.store.read() as conn:
        told = {cell.dwelling_id: cell.state for cell in applied.cells(conn, 7, "1")}
        counts = applied.counts(conn, 7)["1"]
    wanted = {i: applied.state_of(hs, f) for i, (hs, f) in zip(ids, cases, strict=True)}
    assert told == wanted
    assert counts == {state: list(wanted.values()).count(state) for state in applied.STATES}


def visit(world: World, dwelling_id: int, found: str, note: str = "", compound: int = 7) -> None:
    with world.centre.writing(compound, "wang") as writing:
        visits.add_visit(writing, dwelling_id, found, note)


def missing(world: World, page: int = 1, **chosen: Any) -> list[str]:
    with world.centre.store.read() as conn:
        return [row.name for row in applied.find_missing(conn, 7, applied.DwellingFilter(**chosen), page)[0]]


def test_who_has_not_applied_is_a_list_and_a_number(world: World) -> None:
    ids = register(world, "1-101", "1-102", "1-201", "2-101", "2-102", "10-101")
    household(world, ids[0])
    household(world, ids[1], "cancelled")
    household(world, ids[3], compound=8)
    visit(world, ids[2], "vacant")
    visit(world, ids[4], "present")
    assert missing(world) == ["1-102", "2-101", "2-102", "10-101"]
    assert missing(world, everything=True) == ["1-102", "1-201", "2-101", "2-102", "10-101"]
    assert missing(world, building="2") == ["2-101", "2-102"]
    assert missing(world, found="vacant") == ["1-201"] and missing(world, found="present") == ["2-102"]
    assert missing(world, found="") == ["1-102", "2-101", "10-101"]
    with world.centre.store.read() as conn:
        counts = applied.count_missing(conn, 7)
    assert list(counts) == ["1", "2", "10"] and counts["1"] == dict.fromkeys(applied.FINDINGS, 0) | {"": 1, "vacant": 1}


def test_the_list_is_paged_in_the_database(world: World, office: Office) -> None:
    register(world, *(f"{n}-101" for n in range(1, applied.PAGE_ROWS + 2)))
    assert len(missing(world)) == applied.PAGE_ROWS and missing(world, 2) == [f"{applied.PAGE_ROWS + 1}-101"]
    assert f"{applied.PAGE_ROWS + 1}-101" in office.get("/c/7/dwellings/missing?page=2").text


def test_seven_thousand_dwellings_are_looked_up_by_indexes(world: World) -> None:
    plans = []
    with world.centre.store.read() as conn:
        for statement in (
            applied._missing(7, applied.DwellingFilter()),
            applied._missing(7, applied.DwellingFilter(building="3")),
        ):
            compiled = statement.compile(conn.engine, compile_kwargs={"literal_binds": True})
            plans.append([row[3] for row in conn.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))])
    for plan in plans:
        assert not any(step.startswith("SCAN") for step in plan), plan
        assert any("household_dwelling" in step and "COVERING" in step for step in plan), plan


def test_the_export_is_recorded_and_nothing_in_it_is_a_formula(world: World, office: Office) -> None:
    register(world, "1-101", "2-101")
    with world.centre.writing(7, "test") as writing:
        dwellings.insert_many(writing, [Address("=HYPERLINK(1)", "", 0, "+1"), Address("@x", "", 0, "-1")])
    answer = office.post("/c/7/dwellings/missing.xlsx", building="", found="")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].isascii()
    sheet = load_workbook(io.BytesIO(answer.data)).active
    rows = list(sheet.iter_rows(min_row=2))
    assert [row[1].value for row in rows] == ["1-101", "2-101", "=HYPERLINK(1)-+1", "@x--1"]
    assert all(cell.data_type in ("s", "inlineStr", "n") for row in rows for cell in row)
    assert rows[2][0].quotePrefix and rows[3][0].quotePrefix
    only = load_workbook(io.BytesIO(office.post("/c/7/dwellings/missing.xlsx", building="2", found="").data)).active
    assert [row[1].value for row in only.iter_rows(min_row=2)] == ["2-101"]
    with world.centre.store.read() as conn:
        kept = conn.execute(select(tables.export).order_by(tables.export.c.rows.desc())).all()
        audited = conn.execute(select(tables.audit.c.by).where(tables.audit.c.what == "export")).scalars().all()
    assert [(row.by, row.what, row.rows, row.households) for row in kept] == [
        ("wang", "dwellings-missing", 4, "[]"), ("wang", "dwellings-missing", 1, "[]")
    ]  # fmt: skip
    assert audited == ["wang", "wang"]


# Visits


def test_a_visit_is_noted_and_its_finding_is_the_dwellings(world: World, office: Office) -> None:
    (dwelling_id,) = register(world, "1-101")
    path = f"/c/7/dwellings/{dwelling_id}"
    assert office.post(path, found="vacant", note="  窗户  封着 ").status_code == 302
    world.now_ms += 1000
    assert office.post(path, found="nobody").status_code == 302
    with world.centre.store.read() as conn:
        assert dwellings.get_dwelling(conn, 7, dwelling_id).found == "vacant", "nobody at home unsays nothing"
        noted = visits.list_visits(conn, 7, dwelling_id)
    assert [(v.found, v.note, v.by) for v in noted] == [("nobody", "", "wang"), ("vacant", "窗户 封着", "wang")]
    assert office.post(path, found="present").status_code == 302
    with world.centre.store.read() as conn:
        assert dwellings.get_dwelling(conn, 7, dwelling_id).found == "present"
    for wrong in ({"found": "burnt", "note": "x"}, {"found": "vacant", "note": "x" * 301}):
        answer = office.post(path, **wrong)
        assert answer.status_code == 409 and wrong["note"] in answer.text, "what was typed stays"


def test_a_dwellings_page_shows_its_people_masked(world: World, office: Office) -> None:
    ids = register(world, "1-101", "1-102")
    mine, other = household(world, ids[0], "approved", 5), household(world, ids[1])
    person(world, mine, "欧阳娜娜")
    person(world, other, "赵敏")
    page = office.get(f"/c/7/dwellings/{ids[0]}").text
    assert "欧阳*" in page and "娜" not in page and "赵" not in page and "7-H00001" in page
    assert office.get("/c/7/dwellings/999").status_code == 404


def test_a_dwelling_of_another_compound_is_not_there(world: World, office: Office) -> None:
    register(world, "1-101")
    (foreign,) = register(world, "1-101", compound=8)
    (foreign,) = register(world, "1-102", compound=8)
    assert office.get(f"/c/7/dwellings/{foreign}").status_code == 404
    assert office.post(f"/c/7/dwellings/{foreign}", found="vacant").status_code == 404
    assert office.get(f"/c/8/dwellings/{foreign}").status_code == 404


# Passes nobody was seen with


def idle(world: World) -> list[tuple[str, int]]:
    with world.centre.store.read() as conn:
        return [(found.dwelling, found.last_ms) for found in visits.find_idle(conn, 7, world.now_ms, 1)[0]]


def test_passes_without_passage_for_fourteen_days_are_a_visit_list(world: World) -> None:
    register(world, "2-101", "10-101")
    far = world.now_ms + 90 * DAY_MS
    for number, order in enumerate((
        {"dwelling": "10-101"}, {"dwelling": "2-101"}, {"dwelling": "3-101"}, {"dwelling": "4-101", "active": False},
        {"dwelling": "5-101", "kind": "shop"}, {"dwelling": "6-101", "valid_until_ms": world.now_ms + DAY_MS},
        {"dwelling": "7-101"},
    ), 1):  # fmt: skip
        assert world.issue(label="王*", **({"valid_until_ms": far} | order)).credentials[0].serial == number
    assert idle(world) == [], "none is older than 14 days"
    start = world.now_ms
    world.now_ms += 15 * DAY_MS
    seen = [
        event(1, at_ms=start + 60_000, kind="decided", outcome="grant", reason="ok", scope=7, serial=2),
        event(2, at_ms=world.now_ms - DAY_MS, kind="decided", outcome="grant", reason="ok", scope=7, serial=3),
        event(3, at_ms=world.now_ms - DAY_MS, kind="decided", outcome="deny", reason="revoked", scope=7, serial=1),
        event(4, at_ms=world.now_ms - DAY_MS, kind="decided", outcome="refer", reason="attention", scope=7, serial=7),
    ]
    send(world.gate().enrol(), Journal(seen).batch(1, 4))
    assert idle(world) == [("2-101", start + 60_000), ("10-101", 0)]
    page = Office(world, "li", mine=(7,)).get("/c/7/dwellings/idle").text
    assert "2-101" in page and "3-101" not in page


def test_idle_passes_are_looked_up_by_the_serials_of_their_credentials(world: World) -> None:
    with world.centre.store.read() as conn:
        compiled = visits._idle(7, NOW).compile(conn.engine, compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in conn.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
    assert [step for step in plan if " event " in step] == [
        "SEARCH event USING INDEX event_serial (compound_id=? AND scope=? AND serial=? AND at_ms>?)"
    ]


# Rooms residents wrote


def listed(world: World) -> list[proposals.Proposal]:
    with world.centre.store.read() as conn:
        return proposals.list_proposals(conn, 7)


def waiting(world: World) -> int:
    with world.centre.store.read() as conn:
        return proposals.count_proposals(conn, 7)


def of_household(world: World, household_id: int) -> Any:
    columns = tables.household.c
    with world.centre.store.read() as conn:
        wanted = select(columns.dwelling_id, columns.dwelling).where(columns.household_id == household_id)
        return conn.execute(wanted).one()


def test_a_written_room_is_taken_in_with_one_tap(world: World, office: Office) -> None:
    first, second = (household(world, 0, words="3栋2单元501") for _ in range(2))
    pass_ = world.issue(household=first, dwelling="3栋2单元501")
    gate = world.gate().enrol()
    gate.follow()
    (found,) = listed(world)
    assert (found.words, found.households, found.same) == ("3栋2单元501", 2, None)
    assert waiting(world) == 1
    page = office.get("/c/7/dwellings/proposed")
    fields = dict(re.findall(r'type="hidden" name="(building|unit|floor|room)" value="([^"]*)"', page.text))
    done = office.post("/c/7/dwellings/proposed", do="take", words=found.words, **fields)
    assert done.status_code == 302 and names(world) == ["3-2-501"] and listed(world) == []
    assert {of_household(world, n) for n in (first, second)} == {(match(world, "3-2-501"), "3-2-501")}
    assert passes.get_pass(world.centre, pass_.number).dwelling == "3-2-501"
    gate.follow()
    assert {row.dwelling for row in gate.rows.values()} == {"3-2-501"}, "gates are told"
    with world.centre.store.read() as conn:
        joined = select(tables.audit.c.household).where(tables.audit.c.what == "dwelling-joined")
        assert set(conn.execute(joined).scalars()) == {0, first, second}


def test_a_written_room_is_joined_to_the_one_that_is_there(world: World, office: Office) -> None:
    (dwelling_id,) = register(world, "3-2-501")
    mine, other = household(world, 0, words="三栋二单元五零一"), household(world, 0, words="3号楼2单元501室")
    assert [(p.words, p.same and p.same.name) for p in listed(world)] == [
        ("3号楼2单元501室", "3-2-501"), ("三栋二单元五零一", None)
    ]  # fmt: skip
    refused = office.post("/c/7/dwellings/proposed", do="join", words="三栋二单元五零一", to="9-9-999")
    assert refused.status_code == 409 and 'value="9-9-999"' in refused.text
    for words in ("三栋二单元五零一", "3号楼2单元501室"):
        assert office.post("/c/7/dwellings/proposed", do="join", words=words, to="3-2-501").status_code == 302
    assert {of_household(world, n)[0] for n in (mine, other)} == {dwelling_id} and listed(world) == []


def test_a_dismissed_room_is_not_asked_about_again(world: World, office: Office) -> None:
    number = household(world, 0, words="<script>alert(1)</script>")
    household(world, 0, "cancelled", words="1-101")
    household(world, 0, compound=8, words="2-101")
    page = office.get("/c/7/dwellings/proposed").text
    assert "<script>alert" not in page and "2-101" not in page and "1-101" not in page
    assert office.post("/c/7/dwellings/proposed", do="dismiss", words="<script>alert(1)</script>").status_code == 302
    assert listed(world) == [] and of_household(world, number)[0] == 0 and names(world) == []
    assert waiting(world) == 0
    with world.centre.writing(7, "test") as writing:
        proposals.dismiss(writing, "<script>alert(1)</script>")
    assert office.post("/c/7/dwellings/proposed", do="eat", words="x").status_code == 400


def test_a_proposed_dwelling_becomes_one_of_the_register(world: World) -> None:
    (dwelling_id,) = register(world, "3-2-501")
    with world.centre.store.write() as conn:
        conn.execute(text("UPDATE dwelling SET proposed = true, name = '3栋2单元501'"))
    number = household(world, dwelling_id)
    assert names(world) == [] and match(world, "3-2-501") == 0
    assert [(p.words, p.dwelling_id, p.households) for p in listed(world)] == [("3栋2单元501", dwelling_id, 1)]
    with world.centre.writing(7, "test") as writing:
        assert dwellings.insert_many(writing, [Address("3", "2", 5, "501")]).taken == 1
    assert names(world) == ["3-2-501"] and of_household(world, number)[0] == dwelling_id and listed(world) == []


# Mistakes


def test_a_building_made_by_mistake_is_removed_but_for_what_is_used(world: World, office: Office) -> None:
    ids = register(world, "1-101", "1-102", "1-103", "2-101")
    household(world, ids[0], "cancelled")
    visit(world, ids[1], "vacant")
    assert office.post("/c/7/dwellings", building="1").location.endswith("removed=1")
    assert names(world) == ["1-101", "1-102", "2-101"]


# The earlier list


def test_the_earlier_list_is_kept_as_fingerprints_only(world: World, office: Office) -> None:
    numbers = [id_number(n) for n in range(3)]
    known, unknown = (household(world, 0, words=f"1-10{n}") for n in (1, 2))
    person(world, known, "赵敏", f"id_card:{numbers[0]}")
    person(world, unknown, "钱强", f"id_card:{id_number(9)}")
    table = xlsx(("证件类型", "证件号码"), ("身份证", numbers[0].lower()), ("", numbers[1]), ("", numbers[1]),
                 ("护照", "E1234567"))  # fmt: skip
    shown = send_table(office, table, "/c/7/dwellings/roster")
    assert shown.status_code == 200 and flags(world) == [False, False]
    assert office.post("/c/7/dwellings/roster", ticket=ticket(shown)).location.endswith("new=3")
    assert flags(world) == [True, False]
    for path in world.state.glob("centre.db*"):
        assert not any(number.encode() in path.read_bytes() for number in numbers)
    again = send_table(office, table, "/c/7/dwellings/roster")
    assert office.post("/c/7/dwellings/roster", ticket=ticket(again)).location.endswith("new=0")
    assert office.post("/c/7/dwellings/roster", do="clear").location.endswith("gone=3")
    assert flags(world) == [False, False]


def flags(world: World) -> list[bool]:
    with world.centre.store.read() as conn:
        return list(conn.execute(select(tables.person.c.known).order_by(tables.person.c.person_id)).scalars())


def test_a_wrong_line_of_the_earlier_list_is_told_without_its_number(world: World, office: Office) -> None:
    good = id_number(1)
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    lines = (
        "证件类型,证件号码",
        f"身份证,{good}",
        f"身份证,{wrong}",
        "学生证,123456",
        "身份证,",
        f"身份证,{good[:15]}000",
    )
    shown = send_table(office, "\n".join(lines).encode(), "/c/7/dwellings/roster", "t.csv")
    assert shown.status_code == 409 and wrong not in shown.text and good not in shown.text
    assert re.findall(r'行号">(\d+)<', shown.text) == ["3", "4", "5", "6"] and "四舍五入" in shown.text
    with world.centre.store.read() as conn:
        assert roster.count(conn, 7) == 0


# Pages


def test_the_grid_shows_every_state_with_a_sign_and_a_word(world: World, office: Office) -> None:
    ids = register(world, *(f"1-{n}01" for n in range(1, 8)), "2-101")
    household(world, ids[0])
    household(world, ids[1], "approved", 5)
    for dwelling_id, found in zip(ids[2:6], applied.SETTLED, strict=True):
        visit(world, dwelling_id, found)
    page = office.get("/c/7/dwellings?building=1&lang=en").text
    for state in applied.STATES:
        assert f"cell is-{state}" in page and f"sign is-{state}" in page
    assert page.index("1-701") < page.index("1-601") < page.index("1-101"), "the top floor first"
    css = (Path(sheets.__file__).parents[1] / "static" / "grid.css").read_text("utf-8")
    signs = [re.search(rf'\.is-{state}::before {{ content: "(.)"', css) for state in applied.STATES]
    assert len({sign[1] for sign in signs if sign}) == len(applied.STATES), "each state has a sign of its own"
    assert office.get("/c/7/dwellings?building=nowhere").status_code == 200
    assert office.get("/c/8/dwellings").status_code == 404


def test_an_empty_register_says_how_to_begin(office: Office) -> None:
    page = office.get("/c/7/dwellings").text
    assert "/c/7/dwellings/generate" in page and "/c/7/dwellings/import" in page
    for path in ("missing", "idle", "proposed", "generate", "import", "roster"):
        for language in ("zh", "en"):
            assert office.get(f"/c/7/dwellings/{path}?lang={language}").status_code == 200
