"""Accounts, epidemic areas, retention and the record in Chromium, on a phone and at a desk, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.server.people.households import areas
from sync.server.people.keeping import retention
from sync.server.people.keeping.retention import DAY_MS
from sync.server.staff import accounts, sign_in
from tests.fixtures.browsers.chromium import STORY_LOOKS
from tests.fixtures.browsers.officer_browser import PASSWORD, Officer, Town, button
from tests.fixtures.settled import LAST_DAY, settle


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town whose administrator has a link, with a household whose record is due before long."""
    made = Town(tmp_path / "centre")
    made.link = sign_in.add_staff(made.centre, "zhang", "张建国", True, (), "town").path
    sign_in.add_staff(made.centre, "li", "李敏", False, (7, 8), "community")
    settle(made)
    yield made
    made.close()


@pytest.fixture(params=STORY_LOOKS, ids="-".join)
def officer(browser: Any, town: Town, request: pytest.FixtureRequest) -> Iterator[Officer]:
    made = Officer(browser, town, *request.param)
    made.go(town.link)
    made.page.fill("input[name=password]", PASSWORD)
    made.page.click("main button")
    yield made
    made.close()


def test_an_administrator_makes_accounts(officer: Officer, town: Town) -> None:
    page = officer.page
    officer.go("/accounts")
    officer.picture("accounts-1")
    page.fill("input[name=account]", "zhao")
    page.fill("input[name=name]", "赵敏")
    page.check("input[name=role][value=clerk]")
    page.click("button.main")
    assert page.input_value("input[name=account]") == "zhao", "no compound was ticked; what was written stays"
    officer.picture("accounts-2-wrong")
    page.check("input[name=compound][value='7']")
    page.click("button.main")
    officer.picture("accounts-3-link")
    link = page.inner_text(".enrol code")
    officer.go("/accounts/zhao")
    officer.picture("accounts-4-one")
    page.check("input[name=role][value=technician]")
    button(page, "save").click()
    assert accounts.get_account(town.centre, "zhao").role == "technician"
    button(page, "stop").click()
    officer.go("/accounts")
    officer.picture("accounts-5-stopped")
    officer.go(link.removeprefix(town.address))
    officer.picture("accounts-6-dead-link")
    officer.go("/me")
    officer.picture("accounts-7-me")
    page.fill("input[name=old]", "wrong")
    page.fill("input[name=password]", "another one 2")
    button(page, "password").click()
    officer.picture("accounts-8-me-wrong")
    page.fill("input[name=old]", PASSWORD)
    page.fill("input[name=password]", "another one 2")
    button(page, "password").click()
    page.wait_for_load_state()
    assert page.locator(".note").count() == 1 and sign_in.authenticate(town.centre, "zhang", "another one 2")


def test_areas_retention_and_the_record(officer: Officer, town: Town) -> None:
    page = officer.page
    officer.go("/areas")
    officer.picture("areas-1-empty")
    for province, city in (("湖北", "武汉"), ("浙江", "")):
        page.fill("input[name=province]", province)
        page.fill("input[name=city]", city)
        page.fill("input[name=from_day]", "2027-01-01")
        page.click("button.main")
    page.click("tbody tr:first-child summary")
    officer.picture("areas-2")
    page.fill("tbody tr:first-child input[name=until_day]", "2027-01-31")
    page.locator("tbody tr:first-child").locator("button[value=end]").click()
    with town.centre.store.read() as conn:
        assert [area.until_day for area in areas.list_areas(conn)] == ["2027-01-31", ""]

    officer.go("/retention")
    officer.picture("retention-1")
    town.now_ms += 100 * DAY_MS
    town.link = sign_in.new_link(town.centre, "zhang").path
    officer.go(town.link)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    officer.go("/retention")
    page.fill("input[name=measure_end]", LAST_DAY)
    button(page, "save").click()
    officer.picture("retention-2-sure")
    page.check("#more input[name=sure]")
    button(page, "save").click()
    with town.centre.store.read() as conn:
        assert retention.read_periods(conn).measure_end == LAST_DAY
    officer.picture("retention-3-due")
    page.check("form.confirm input[name=sure]")
    button(page, "erase").click()
    officer.picture("retention-4-erased")
    page.click("tbody a")
    officer.picture("retention-5-certificate")
    officer.go("/c/7/record")
    officer.picture("record-1")
    officer.go("/c/7/record/exports")
    officer.picture("record-2-exports")
    officer.go("/record")
    officer.picture("record-3-town")
