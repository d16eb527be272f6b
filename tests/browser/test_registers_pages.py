"""Registers, exports and the town's first page in Chromium: phone and desk, both languages, hostile names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import update

from sync.server.centre import tables
from sync.server.passes import compounds, passes
from sync.server.people.home import put_home
from sync.server.people.households import households
from sync.server.people.registers import coverage
from sync.server.staff import sign_in
from tests.fixtures import people
from tests.fixtures.browsers.chromium import LONG_STORY_LOOKS
from tests.fixtures.browsers.officer_browser import PASSWORD, Officer, Town

SURNAMES, GIVEN = "王李张刘陈杨黄赵吴周", ("伟", "芳", "建国", "秀英", "子涵", "梓萱", "明", "丽华")
NASTY = "<img src=x onerror=document.title='owned'>"


class Settled(Town):
    """Sixty households in two buildings in every state, a hostile one, and four more compounds for the town."""

    def furnish(self) -> None:
        for number in range(60):
            self.move_in(number)
        hostile = people.applicant(name=NASTY, city="=HYPERLINK(1)", doc_number=people.id_number(999, "19700707"))
        people.apply(self.centre, form=people.application(dwelling="<script>x", people=[hostile]))
        for number, zh, en in ((9, "阳光花园", "Sunshine Garden"), (10, "金色家园", "Golden Homes"),
                               (11, "滨江一号", "Riverside One")):  # fmt: skip
            compounds.add_compound(self.centre, zh, en, "Asia/Shanghai", number, "test")
        for number, zh, en in ((7, "湖滨社区", "Lakeside community"), (8, "湖滨社区", "Lakeside community"),
                               (9, "城东社区", "East community")):  # fmt: skip
            coverage.put_community(self.centre, number, zh, en, "test")
        people.add_dwelling(self.centre, 8, room="601")
        twice = people.application(people=[people.applicant(doc_number=people.id_number(0, "19600203"))])
        people.apply(self.centre, 8, twice)
        self.gate(7, "东门").enrol()
        self.now_ms += coverage.AWAY_MS + 60_000

    def move_in(self, number: int) -> None:
        building, floor = ("3", "12")[number % 2], number // 8 + 1
        dwelling = people.add_dwelling(self.centre, building=building, unit=str(number % 3 + 1),
                                       room=f"{floor}{number % 8 + 1:02d}")  # fmt: skip
        if number % 6 == 5:
            return self.visit(dwelling, ("", "vacant", "present", "moved", "refused")[number // 6 % 5])
        head = people.applicant(name=SURNAMES[number % 10] + GIVEN[number % 8], phone=f"138{number:08d}",
                                relation=("owner", "tenant")[number % 4 == 3], city=("武汉", "襄阳")[number % 5 == 4],
                                doc_number=people.id_number(number, f"19{60 + number % 40}0203"))  # fmt: skip
        child = people.applicant(name=SURNAMES[number % 10] + "小宝", phone="", relation="family",
                                 doc_number=people.id_number(number, "20180506"))  # fmt: skip
        room = f"{building}-{number % 3 + 1}-{floor}{number % 8 + 1:02d}"
        form = people.application(dwelling_id=dwelling, dwelling=room,
                                  people=[head, child][: 1 + number % 2],
                                  plates=[f"粤B{number:05d}"] if number % 3 == 0 else [])  # fmt: skip
        done = people.apply(self.centre, form=form)
        self.decide(done.household_id, number)
        return None

    def decide(self, household: int, number: int) -> None:
        with self.centre.writing(7, "wang") as writing:
            if number % 5 == 1:
                households.decide(writing, household, "correct", told="请核对证件号")
            elif number % 5 != 2:
                households.approve(writing, self.centre, household)
            if number % 5 > 2:
                households.set_state(writing, household, collected_ms=writing.now_ms)
                for one in households.pass_numbers(writing.conn, 7, household):
                    passes.hand_over_in(writing, one)

    def visit(self, dwelling: int, found: str) -> None:
        with self.centre.store.write() as conn:
            mine = (tables.dwelling.c.compound_id == 7, tables.dwelling.c.dwelling_id == dwelling)
            conn.execute(update(tables.dwelling).where(*mine).values(found=found))


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    made = Settled(tmp_path_factory.mktemp("registers") / "centre")
    made.furnish()
    yield made
    made.close()


@pytest.fixture(params=LONG_STORY_LOOKS, ids="-".join)
def officer(browser: Any, settled: Settled, request: pytest.FixtureRequest) -> Iterator[Officer]:
    made = Officer(browser, settled, *request.param)
    yield made
    made.close()


def sign_officer_in(officer: Officer, town: Town, role: Any) -> None:
    """As a new account of a role that sees every compound, or 7 alone as its property manager."""
    account = f"{role}{officer.name.replace('-', '')}"
    link = sign_in.add_staff(town.centre, account, "王敏", role == "town", (7,) if role != "town" else (), role).path
    officer.go(link)
    officer.page.fill("input[name=password]", PASSWORD)
    officer.page.click("main button")


def test_tables_are_searched_filtered_sorted_and_taken_away(officer: Officer, settled: Settled, tmp_path: Path) -> None:
    page = officer.page
    sign_officer_in(officer, settled, "property")
    officer.go("/c/7/residents")
    officer.picture("registers-1-residents")
    page.click(".filters .open")
    officer.picture("registers-2-filters")
    page.click(".filters a[href*='relation=tenant']")
    page.wait_for_url("**relation=tenant*")
    assert page.locator("tbody tr").count() == 10
    officer.picture("registers-3-tenants")
    page.fill("input[name=q]", "138 0000 0003")
    page.click("form[role=search] button")
    page.wait_for_url("**m=*")
    assert page.locator("tbody tr").count() == 1 and "13800000003" not in page.url + page.content()
    officer.picture("registers-4-by-number")
    officer.go("/c/7/residents?sort=age&down=1&size=25&page=2")
    officer.picture("registers-5-page")
    officer.go("/c/7/residents?q=nobody")
    officer.picture("registers-6-none")
    officer.go("/c/7/vehicles")
    officer.picture("registers-7-vehicles")
    officer.go("/c/7/applications")
    officer.picture("registers-8-applications")
    assert page.title() != "owned" and NASTY in page.inner_text("tbody")

    page.click(".bar a.button")
    page.wait_for_selector(".export")
    officer.picture("registers-9-export")
    page.click(".export button.main")
    page.wait_for_selector("[role=alert]")
    officer.picture("registers-a-export-wrong")
    page.select_option("#why", "visit")
    page.fill("input[name=words]", "核对12号楼租户")
    with page.expect_download() as taken:
        page.click(".export button.main")
    kept = tmp_path / "taken.xlsx"
    taken.value.save_as(kept)
    sheet = load_workbook(kept).worksheets[0]
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    officer.go("/c/7/residents/export")
    officer.picture("registers-b-export-before")


def test_the_town_sees_numbers_and_says_where_home_is(officer: Officer, settled: Settled) -> None:
    page = officer.page
    put_home(settled.centre, "湖北", "武汉", "test")
    sign_officer_in(officer, settled, "town")
    officer.picture("town-1-first")
    page.click("details summary")
    page.fill("input[name=province]", "")
    page.click("form[action$=home] button")
    page.wait_for_selector("[role=alert]")
    officer.picture("town-2-wrong")
    page.fill("input[name=province]", "湖北")
    page.click("form[action$=home] button")
    page.wait_for_url("**/town")
    with page.expect_download():
        page.click("form[action$='town.xlsx'] button")


def test_the_numbers_in_the_dark(browser: Any, settled: Settled) -> None:
    for screen in ("phone", "desk"):
        officer = Officer(browser, settled, screen, "zh")
        officer.name = f"dark-{screen}"
        officer.page.emulate_media(color_scheme="dark")
        sign_officer_in(officer, settled, "town")
        officer.picture("town-3")
        officer.go("/c/7/passes")
        officer.close()


def test_a_community_before_anything_is_counted(browser: Any, settled: Settled) -> None:
    officer = Officer(browser, settled, "phone", "zh")
    officer.name = "community-phone"
    sign_officer_in(officer, settled, "community")
    officer.picture("town-4")
    officer.close()
