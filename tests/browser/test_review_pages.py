"""The review in Chromium: queue, case, decisions by mouse and by keys, the clean ones together, calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.server.passes import passes
from sync.server.people.deciding import case
from sync.server.people.deciding.case import Decision
from sync.server.people.dwellings import visits
from sync.server.people.households import areas, households
from sync.server.people.households.application import Journey
from sync.server.people.households.areas import Area
from sync.server.people.households.households import Household
from sync.server.staff import sign_in
from tests.fixtures.browsers.chromium import LONG_STORY_LOOKS
from tests.fixtures.browsers.officer_browser import PASSWORD, Officer, Town
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
)

SLOT = "2027-01-16T09:00"
LONG = "那年夏天从很远的地方搬来的欧阳上官司马诸葛尉迟公孙"


def fill(town: Town) -> dict[str, int]:
    """Applications of every sort, by what is special about them."""
    centre = town.centre
    areas.add_area(centre, Area(province="湖北省", city="武汉市", from_day="2026-12-01"), "town")
    desk, at_ms = add_desk(centre, capacity=20), passes.read_time(SLOT, "Asia/Shanghai", False)
    rooms = [add_dwelling(centre, building=str(1 + n // 4), unit="1", room=f"{n % 4 + 1}01") for n in range(16)]
    stay = Journey(province="湖北", city="武汉", district="江夏区", from_day="2027-01-02", until_day="2027-01-05")
    twice = applicant(name="赵丽颖", phone="13700137001")

    def one(n: int, **changes: Any) -> int:
        number = changes.pop("number", 13700137000 + n)
        person = applicant(name=f"王{'一二三四五六七八九十'[n % 10]}明", phone=str(number), **changes.pop("person", {}))
        fields = {"dwelling_id": rooms[n], "dwelling": f"{1 + n // 4}-1-{n % 4 + 1}01", "building": str(1 + n // 4),
                  "people": [person], "desk_id": desk, "slot_ms": at_ms + n // 2 * 900_000}  # fmt: skip
        town.now_ms += 60_000
        return apply(centre, 7, application(**(fields | changes))).household_id

    ids = {f"clean{n}": one(n) for n in range(5)}
    crowd = family()
    crowd.people[0].stayed, crowd.people[0].journeys, crowd.people[0].health = "no", [stay], "cough"
    crowd.people[1].contact = "yes"
    crowd.people[1].doc_kind, crowd.people[1].doc_number = "passport", "E12345678"
    crowd.people[1].sex, crowd.people[1].birth = "f", "1985-06-07"
    ids["first"] = one(5, people=[twice], desk_id=0, slot_ms=0)
    ids["grave"] = one(
        5, people=[*crowd.people, twice, applicant(name=LONG, phone="")], plates=["粤BD12345", "鄂A12345F"]
    )
    ids["unknown"] = one(6, dwelling_id=0, dwelling="3号楼1单元201室", person={"doc_number": id_number(9, "20150101")})
    ids["sent_back"] = one(7)
    ids["waiting"] = one(8)
    ids["elsewhere"] = one(9, language="en")
    with centre.writing(7, "wang") as writing:
        visits.add_visit(writing, rooms[9], "vacant", "邻居说去年就搬走了")
    for what, fields in (("sent_back", {"do": "correct", "ready": ("plate", "phone"), "own": "车牌少一位"}),
                         ("waiting", {"do": "observe", "ready": ("travel",), "day": "2027-01-20"}),
                         ("elsewhere", {"do": "not_here", "ready": ("empty",)})):  # fmt: skip
        with centre.writing(7, "wang") as writing:
            seen = case.seen_mark(households.get_household(writing.conn, 7, ids[what]))
            case.decide(writing, centre, ids[what], Decision(seen=seen, **fields))  # type: ignore[arg-type]
    ids["approved"] = approved(centre, 7, application(dwelling="4-1-101", dwelling_id=rooms[12])).household_id
    with centre.writing(7, "resident") as writing:
        households.set_state(writing, ids["elsewhere"], objection="我上周才租的，合同可以带来")
        households.add_vehicle(writing, ids["approved"], "粤B12345")
    return ids


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "centre")
    yield made
    made.close()


def sign_officer_in(officer: Officer, town: Town) -> Officer:
    officer.go(town.link)
    officer.page.fill("input[name=password]", PASSWORD)
    officer.page.click("main button")
    return officer


@pytest.fixture(params=LONG_STORY_LOOKS, ids="-".join)
def officer(browser: Any, town: Town, request: pytest.FixtureRequest) -> Iterator[Officer]:
    made = sign_officer_in(Officer(browser, town, *request.param), town)
    yield made
    made.close()


def read(town: Town, household_id: int) -> Household:
    with town.centre.store.read() as conn:
        return households.get_household(conn, 7, household_id)


def test_an_officer_reviews(officer: Officer, town: Town) -> None:
    ids, page = fill(town), officer.page
    officer.go("/c/7/review")
    officer.picture("review-1-queue")
    officer.go("/c/7/review?f=warned")
    officer.picture("review-2-warned")

    # a grave one: what is to be seen, a full number, sent back
    officer.go(f"/c/7/households/{ids['grave']}")
    officer.picture("review-3-grave")
    page.click("details:has(select[name=purpose]) > summary")
    page.select_option("select[name=which]", "phone")
    page.select_option("select[name=purpose]", "call")
    page.click("form:has(select[name=purpose]) button")
    assert PHONE in officer.text()
    officer.picture("review-4-revealed")
    page.check("input[name=evidence][value=id]")
    page.fill("input[name=note]", "电话里说下周回")
    page.click("#do-observe summary")
    page.fill("input[name=day]", "2026-01-01")
    page.check("input[name=ready-observe][value=travel]")
    page.click("#do-observe button")
    officer.picture("review-5-wrong-day")
    assert page.is_checked("input[name=ready-observe][value=travel]") and page.is_checked("input[value=id]")
    page.fill("input[name=day]", "2027-01-29")
    page.click("#do-observe button")
    assert read(town, ids["grave"]).state == "observe"
    officer.picture("review-6-next")

    # a room that is not in the register
    officer.go(f"/c/7/households/{ids['unknown']}?f=warned")
    officer.picture("review-7-unknown-room")
    page.click("button[value=join]")
    assert read(town, ids["unknown"]).dwelling == "3-1-201"

    # an approved one, an objection, a search
    officer.go(f"/c/7/households/{ids['approved']}")
    officer.picture("review-8-approved")
    officer.go(f"/c/7/households/{ids['elsewhere']}?f=objection")
    officer.picture("review-9-objection")
    for name in ("correct", "observe", "addition", "not_here"):
        officer.go(f"/c/7/review?f={name}")
        officer.picture(f"review-a-{name}")
    page.fill("#find", "王三明")
    page.click("form[role=search] button")
    officer.picture("review-b-search")

    # the clean ones together
    officer.go("/c/7/review/clean")
    officer.picture("review-c-clean")
    page.check("input[name=sure]")
    page.click(".confirm button")
    officer.picture("review-d-approved")
    assert {read(town, ids[f"clean{n}"]).state for n in range(5)} == {"approved"}

    # calls
    officer.go("/c/7/review/calls")
    page.fill("input[name=note]", "今晚改")
    page.click("td button")
    page.click("main form[action$='numbers?page=1'] button")
    officer.picture("review-e-calls")
    assert "13700137007" in officer.text() and "今晚改" in officer.text()


def test_the_keys_go_through_the_queue_and_never_decide_alone(browser: Any, town: Town) -> None:
    ids = fill(town)
    officer = sign_officer_in(Officer(browser, town, "desk", "zh"), town)
    page, keys = officer.page, officer.page.keyboard
    officer.go("/c/7/review?f=clean")
    keys.press("j")
    keys.press("j")
    keys.press("k")
    keys.press("Enter")
    page.wait_for_url(f"**/households/{ids['clean0']}?**")
    keys.press("a")
    assert page.evaluate("document.activeElement.value") == "approve"
    assert read(town, ids["clean0"]).state == "applied"
    keys.press("Enter")
    page.wait_for_url(f"**/households/{ids['clean1']}?**")
    assert read(town, ids["clean0"]).state == "approved"
    keys.press("j")
    page.wait_for_url(f"**/households/{ids['clean2']}?**")
    keys.press("k")
    page.wait_for_url(f"**/households/{ids['clean1']}?**")

    # in a field keys are letters, and Enter presses the open decision's button
    page.fill("input[name=note]", "")
    page.focus("input[name=note]")
    keys.type("canoj")
    assert page.input_value("input[name=note]") == "canoj"
    with page.expect_navigation():
        keys.press("Enter")
    assert read(town, ids["clean1"]).state == "applied" and "请选择怎样处理" in officer.text()
    assert page.input_value("input[name=note]") == "canoj"
    keys.press("c")
    keys.press("Space")
    officer.picture("review-f-keys")
    keys.press("Enter")
    page.wait_for_url(f"**/households/{ids['clean2']}?**")
    assert read(town, ids["clean1"]).state == "correct"
    keys.press("/")
    page.wait_for_url("**/review?**")
    keys.type("7-H")
    assert page.input_value("#find") == "7-H"
    officer.close()


def test_the_page_decides_without_a_script(browser: Any, town: Town) -> None:
    ids = fill(town)
    sign_in.set_password(town.centre, "wang", PASSWORD)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{town.address}/sign-in")
    page.fill("input[name=account]", "wang")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    page.goto(f"{town.address}/c/7/households/{ids['clean0']}")
    page.click("#do-approve summary")
    page.click("#do-approve button")
    assert read(town, ids["clean0"]).state == "approved"
    context.close()


def test_a_page_in_the_dark_and_on_paper(browser: Any, town: Town, tmp_path: Path) -> None:
    ids = fill(town)
    officer = sign_officer_in(Officer(browser, town, "desk", "zh"), town)
    officer.page.emulate_media(color_scheme="dark")
    officer.go(f"/c/7/households/{ids['grave']}")
    officer.picture("review-g-dark")
    officer.go("/c/7/review/calls")
    officer.page.emulate_media(media="print", color_scheme="light")
    officer.picture("review-h-print")
    assert not officer.page.is_visible("td button")
    officer.close()
