"""The dwelling register in Chromium: made in minutes; who has not applied, seen at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.server.people.address import read_words
from sync.server.people.dwellings import dwellings, visits
from sync.server.people.dwellings.applied import SETTLED
from tests.fixtures.browsers.chromium import LONG_STORY_LOOKS, boxes
from tests.fixtures.browsers.officer_browser import DAY_MS, Officer, Town
from tests.fixtures.register import household, id_number, person, xlsx


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "centre")
    yield made
    made.close()


@pytest.fixture(params=LONG_STORY_LOOKS, ids="-".join)
def officer(browser: Any, town: Town, request: pytest.FixtureRequest) -> Iterator[Officer]:
    made = Officer(browser, town, *request.param)
    made.sign_in()
    yield made
    made.close()


def send(officer: Officer, folder: Path, content: bytes, name: str = "table.xlsx") -> None:
    (folder / name).write_bytes(content)
    officer.page.set_input_files("input[name=table]", str(folder / name))
    officer.page.click("form:has(input[name=table]) button")


def live(town: Town) -> None:
    """Applications, collections and visits in building 1, as after some weeks."""
    with town.centre.store.read() as conn:
        rooms = [dwelling for unit in ("1", "2") for dwelling in dwellings.rooms(conn, 7, "1", unit)]
    for place, dwelling in enumerate(rooms):
        if place % 3:
            number = household(town, dwelling.dwelling_id, "approved", town.now_ms if place % 3 == 1 else 0)
            person(town, number, "欧阳娜")
        elif place % 2:
            with town.centre.writing(7, "li") as writing:
                visits.add_visit(writing, dwelling.dwelling_id, (*SETTLED, "nobody", "present")[place // 3 % 6], "")


def test_the_register_is_made_and_seen(officer: Officer, town: Town, tmp_path: Path) -> None:
    page = officer.page
    officer.go("/c/7/dwellings")
    officer.picture("dwellings-0-empty")
    page.click("main a[href$=generate] >> nth=-1")

    # by pattern: wrong, looked at, written
    page.fill("input[name=buildings]", "1-2")
    page.fill("input[name=units]", "1-2")
    page.fill("input[name=floors]", "1-12, nine")
    page.fill("input[name=doors]", "01-06")
    page.fill("input[name=no_floors]", "4")
    page.fill("input[name=no_rooms]", "101-103")
    page.click("button[value=look]")
    officer.picture("dwellings-1-pattern-wrong")
    assert page.input_value("input[name=floors]") == "1-12, nine"
    page.fill("input[name=floors]", "1-12")
    page.click("button[value=look]")
    officer.picture("dwellings-2-pattern-look")
    page.click("button[value=write]")
    officer.picture("dwellings-3-pattern-written")
    with town.centre.store.read() as conn:
        assert dwellings.count(conn, 7) == 2 * 2 * (11 * 6 - 3)

    # from a table: wrong, looked at, taken over
    officer.go("/c/7/dwellings/import")
    headings = ("楼栋", "单元", "楼层", "房号")
    wrong = ((3, 1, 5, "501"), (3, 1, "五百", "502"), ("", 1, 5, "503"), (3, 1, 5, "501室"))
    send(officer, tmp_path, xlsx(headings, *wrong))
    officer.picture("dwellings-4-table-wrong")
    rows = [(f"{b}座", "", floor, f"{floor}0{door}") for b in "AB" for floor in range(1, 7) for door in range(1, 5)]
    send(officer, tmp_path, xlsx(headings, *rows, ("1", "1", 5, "501")))
    officer.picture("dwellings-5-table-look")
    page.click(".confirm button")
    officer.picture("dwellings-6-table-taken")

    # the grid, one dwelling, a visit
    live(town)
    officer.go("/c/7/dwellings?building=1")
    officer.picture("dwellings-7-grid")
    cells = boxes(page, ".cell")[:7]
    assert len(cells) == 7 and all(cell["width"] >= 44 and cell["height"] >= 44 for cell in cells)
    page.click(".cell.is-none >> nth=0")
    page.check("input[value=vacant]")
    page.fill("input[name=note]", "窗户封着，邻居说过年后没见过人")
    page.click("form:has(input[name=note]) button")
    officer.picture("dwellings-8-one-vacant")
    officer.go("/c/7/dwellings?building=1")
    page.click(".cell.is-collected >> nth=0")
    officer.picture("dwellings-9-one-collected")

    # who has not applied, and taken away as a table
    officer.go("/c/7/dwellings/missing")
    officer.picture("dwellings-a-missing")
    officer.go("/c/7/dwellings/missing?building=1&found=everything")
    officer.picture("dwellings-b-missing-everything")
    with page.expect_download() as download:
        page.click("form[action$='missing.xlsx'] button")
    assert download.value.suggested_filename.endswith(".xlsx")


def test_what_waits_for_an_officer(officer: Officer, town: Town, tmp_path: Path) -> None:
    page = officer.page
    with town.centre.writing(7, "li") as writing:
        dwellings.insert_many(writing, [row for name in ("3-2-501", "10-1-101") if (row := read_words(name))])
    for words in ("3栋2单元501室", "12号楼1单元302", "门口小卖部二楼", "12号楼1单元302"):
        household(town, 0, words=words)
    town.issue(label="王*", dwelling="10-1-101", valid_until_ms=town.now_ms + 90 * DAY_MS)
    town.issue(label="李*", dwelling="3-2-501", valid_until_ms=town.now_ms + 90 * DAY_MS)

    officer.go("/c/7/dwellings")
    officer.picture("dwellings-c-waiting")
    officer.go("/c/7/dwellings/proposed")
    page.click("details >> nth=0")
    officer.picture("dwellings-d-proposed")
    page.click("section:has-text('12号楼1单元302') > form button[value=take]")
    officer.picture("dwellings-e-taken")
    page.click("section:has-text('3栋2单元501室') > form button[value=join]")
    page.fill("section:has-text('门口小卖部二楼') input[name=to]", "小卖部")
    page.click("section:has-text('门口小卖部二楼') button[value=join]")
    officer.picture("dwellings-f-unknown")
    page.click("section:has-text('门口小卖部二楼') button[value=dismiss]")
    officer.picture("dwellings-g-none-left")

    officer.go("/c/7/dwellings/roster")
    send(
        officer,
        tmp_path,
        f"证件类型,证件号码\n身份证,{id_number(1)}\n身份证,{id_number(2)[:-1]}*\n".encode(),
        "list.csv",
    )
    officer.picture("dwellings-h-roster-wrong")
    send(officer, tmp_path, xlsx(("证件类型", "证件号码"), *(("身份证", id_number(n)) for n in (1, 2, 2))))
    officer.picture("dwellings-i-roster-look")
    page.click(".confirm button")
    officer.picture("dwellings-j-roster-taken")

    town.now_ms += 15 * DAY_MS
    again = Officer(officer.context.browser, town, *officer.name.split("-"))
    again.page.fill("input[name=account]", "wang")
    again.page.fill("input[name=password]", "correct horse 1")
    again.page.click("main button")
    again.go("/c/7/dwellings/idle")
    again.picture("dwellings-k-idle")
    again.close()
