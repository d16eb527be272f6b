"""The residents' form in Chromium: a family applies on a phone, on a desk's screen, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.server.people.households import households
from tests.fixtures.browsers.chromium import LONG_STORY_LOOKS, box, shot
from tests.fixtures.browsers.officer_browser import Officer, Town
from tests.fixtures.browsers.resident_browser import Resident
from tests.fixtures.people import PHONE, add_desk, add_dwelling, id_number


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "centre")
    for building in ("1", "3"):
        for unit in ("1", "2"):
            for floor in range(1, 7):
                for room in ("01", "02"):
                    add_dwelling(made.centre, building=building, unit=unit, room=f"{floor}{room}")
    add_desk(made.centre)
    yield made
    made.close()


@pytest.mark.parametrize("look", LONG_STORY_LOOKS[:3], ids="-".join)
def test_a_family_applies(browser: Any, town: Town, look: tuple[str, str]) -> None:
    one = Resident(browser, town, *look)
    page = one.page
    one.picture("1-entry")
    page.click("main form button")
    one.next()
    one.picture("2-where-mistakes")
    page.select_option("#building", "3")
    page.select_option("#unit", "2")
    page.select_option("#dwelling_id", label="501")
    one.fill(people__0__name="张伟", people__0__doc_number=id_number(11), people__0__phone=PHONE)
    one.tick("people-0-relation", "owner")
    assert "1980-01-02" in page.inner_text("#people-0-read")
    one.picture("3-where")
    one.next()
    one.fill(people__0__province="湖北", people__0__city="武汉", people__0__arrived="20150301")
    one.fill(people__0__came_from="湖北孝感")
    one.tick("people-0-transport", "train")
    one.fill(people__0__transport_number="G1234")
    one.picture("4-residence")
    one.next()
    one.picture("5-travel-empty")
    one.tick("people-0-stayed", "no")
    day = page.inner_text("#people-0-journeys legend .soft").split()[-1]
    one.fill(people__0__journeys__0__province="湖北", people__0__journeys__0__city="武汉")
    one.fill(people__0__journeys__0__from_day=day, people__0__journeys__0__until_day=day)
    page.click("[data-add]")
    one.fill(people__0__journeys__1__province="湖南", people__0__journeys__1__city="长沙")
    one.fill(people__0__journeys__1__from_day=day, people__0__journeys__1__until_day=day)
    page.click("[data-add]")
    page.click("#people-0-journeys-2 [data-remove]")
    one.healthy(0)
    one.picture("6-travel")
    one.next()
    one.picture("7-family-empty")
    page.click("button[value=add-person]")
    one.tick("people-1-kind", "resident")
    one.fill(people__1__name="张小宝", people__1__doc_number=id_number(13, "20180506"))
    one.tick("people-1-relation", "family")
    page.check("[name=people-1-same_residence]")
    page.check("[name=people-1-travelled]")
    one.healthy(1)
    one.picture("8-person")
    one.next()
    one.fill(plates__0="粤BD12345")
    one.picture("9-family")
    one.next()
    one.picture("a-review")
    one.next()
    one.next()
    one.picture("b-letter-mistakes")
    one.sign()
    one.picture("c-letter")
    one.next()
    page.wait_for_selector("#picture")
    one.picture("d-done")
    with town.centre.store.read() as conn:
        found = households.get_household(conn, 7, 1)
        wrote = households.read_application(conn, town.centre.vault, found)
    assert found.dwelling == "3-2-501" and found.desk_id == 1
    assert [stay.city for stay in wrote.people[1].journeys] == ["武汉", "长沙"]
    one.go("/j/7")
    one.picture("e-entry-again")
    one.go("/j/7/privacy")
    one.picture("f-privacy")
    one.go("/j/7/state")
    one.fill(number=found.number, phone=PHONE)
    one.next()
    one.picture("g-state")
    one.context.close()


# The poster


def test_what_is_hung_up_is_printed_on_whole_sheets_and_its_code_leads_to_the_form(browser: Any, town: Town,
                                                                                   tmp_path: Path) -> None:  # fmt: skip
    officer = Officer(browser, town, "desk", "zh")
    officer.sign_in()
    for name, path, sheets in (("poster", "", 1), ("paper", "/paper", 2), ("slips", "/slips?building=3", 3)):
        officer.go(f"/c/7/poster{path}")
        officer.picture(f"poster-{name}")
        printed = tmp_path / f"{name}.pdf"
        officer.page.pdf(path=str(printed), prefer_css_page_size=True, print_background=True)
        boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([0-9.]+) ([0-9.]+) ?\]", printed.read_bytes())
        assert len(boxes) == sheets, f"{name} has {len(boxes)} pages"
        assert all(abs(float(w) / 72 * 25.4 - 210) < 1 and abs(float(h) / 72 * 25.4 - 297) < 1 for w, h in boxes)
        if name != "paper":
            assert read_codes(shot(officer.page, ".sheet")) == {f"{town.address}/j/7"}
    officer.go("/c/7/poster")
    width = box(officer.page, ".poster .big-code svg")["width"] * 25.4 / 96
    modules = int(officer.page.get_attribute(".poster .big-code svg", "viewBox").split()[2])
    assert abs(width * (modules - 8) / modules - 120) < 0.5
    officer.go("/c/7/poster/texts")
    officer.picture("poster-texts")
    officer.close()


def read_codes(picture: bytes) -> set[str]:
    from hardware.reading import decoder
    from kiosk.reader.pictures import load_picture

    return {one.text for one in decoder.QrDecoder().decode(load_picture(picture))}


def test_a_building_chosen_before_the_script_has_come_is_asked_for_when_it_comes(browser: Any, town: Town) -> None:
    one = Resident(browser, town, "phone", "zh")
    script: list[Any] = []
    chosen = False
    one.page.route("**/form.js", lambda route: route.continue_() if chosen else script.append(route))
    with one.page.expect_request("**/form.js"):
        one.page.click("main form button", no_wait_after=True)
    one.page.select_option("#building", "3")
    chosen = True
    for route in script:
        route.continue_()
    one.page.wait_for_selector("#unit")
    assert one.page.input_value("#building") == "3"
    one.context.close()


def test_the_form_needs_no_script(browser: Any, town: Town) -> None:
    one = Resident(browser, town, "phone", "zh", script=False)
    one.name += "-plain"
    page = one.page
    page.click("main form button")
    page.select_option("#building", "3")
    page.click("button.narrow")
    page.select_option("#unit", "2")
    page.click("button.narrow")
    page.select_option("#dwelling_id", label="501")
    one.fill(people__0__name="张伟", people__0__doc_number=id_number(11), people__0__phone=PHONE)
    one.tick("people-0-relation", "owner")
    one.picture("3-where")
    page.press("[name=people-0-phone]", "Enter")
    one.fill(
        people__0__province="湖北", people__0__city="武汉", people__0__arrived="2015/3/1", people__0__came_from="孝感"
    )
    one.tick("people-0-transport", "none")
    one.next()
    one.tick("people-0-stayed", "no")
    page.click("button[value=add-journeys-0]")
    day = page.inner_text("#people-0-journeys legend .soft").split()[-1]
    one.fill(people__0__journeys__0__province="湖北", people__0__journeys__0__city="武汉")
    one.fill(people__0__journeys__0__from_day=day, people__0__journeys__0__until_day=day)
    page.click("button[value=add-journeys-0]")
    one.fill(people__0__journeys__1__province="湖南", people__0__journeys__1__city="长沙")
    page.click("button[value=remove-journeys-0-1]")
    one.healthy(0)
    one.picture("6-travel")
    one.next()
    one.next()
    one.next()
    one.picture("c-letter")
    page.check("[name=sign_at_desk]")
    one.next()
    one.picture("d-done")
    with town.centre.store.read() as conn:
        wrote = households.read_application(conn, town.centre.vault, households.get_household(conn, 7, 1))
    assert (
        wrote.sign_at_desk
        and wrote.dwelling == "3-2-501"
        and [stay.city for stay in wrote.people[0].journeys] == ["武汉"]
    )
    one.context.close()
