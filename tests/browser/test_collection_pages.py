"""The collection desk in Chromium: a household handed over in one screen, sheets that are printed and read back, desks,
and a form on paper typed in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.server.passes import passes
from sync.server.passes.compounds import read_compound
from sync.server.people.collecting import collection
from sync.server.people.households import households, phone_pass, slots
from tests.fixtures.browsers.chromium import PICTURES, STORY_LOOKS
from tests.fixtures.browsers.officer_browser import GHOSTSCRIPT, Officer, Town, dark_square
from tests.fixtures.office import token_of
from tests.fixtures.people import add_desk, add_dwelling, application, apply, approved, family, id_number

MINUTE_MS = 60_000
AFTERNOON = "[[900, 1140]]"


class Estate(Town):
    """Town's compound with a desk that is open this afternoon, and households in every state with a slot."""

    def settle(self) -> None:
        self.desk = add_desk(self.centre, hours=AFTERNOON, capacity=3)
        add_desk(self.centre, name_zh="二号台", name_en="Desk 2", hours=AFTERNOON, paper=True)
        self.family = self.household("501", family(), approve=True)
        self.waiting = self.household("502", application(), approve=False)
        for number in range(3):
            self.household(f"60{number + 1}", application(), approve=number != 1)
        self.now_ms += 20 * MINUTE_MS

    def household(self, room: str, form: Any, approve: bool) -> households.Submitted:
        form.dwelling_id, form.dwelling, form.building = add_dwelling(self.centre, room=room), f"3-2-{room}", "3"
        with self.centre.store.read() as conn:
            offered = slots.offer(conn, read_compound(self.centre, 7), "3", self.now_ms)
        best = min(offered, key=lambda one: (one.at_ms, one.desk_id))
        form.desk_id, form.slot_ms = best.desk_id, best.at_ms
        return (approved if approve else apply)(self.centre, 7, form)

    def numbers(self, done: households.Submitted) -> list[str]:
        with self.centre.store.read() as conn:
            return [card.number for card in collection.cards_of(conn, 7, done.household_id)]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Estate]:
    made = Estate(tmp_path / "centre")
    made.settle()
    yield made
    made.close()


@pytest.fixture(params=STORY_LOOKS, ids="-".join)
def officer(browser: Any, town: Estate, request: pytest.FixtureRequest) -> Iterator[Officer]:
    made = Officer(browser, town, *request.param)
    made.sign_in()
    yield made
    made.close()


def step(page: Any, what: str) -> Any:
    return page.locator(f"button[name=do][value={what}]")


def test_a_household_is_handed_over_on_one_screen(officer: Officer, town: Estate) -> None:
    page, done = officer.page, town.family
    officer.go("/c/7/collect")
    officer.picture("collect-1-queue")
    page.keyboard.type("13800138000")
    page.keyboard.press("Enter")
    page.locator("h2 + table").first.wait_for()
    page.locator("input[name=scan][value='13800138000']").wait_for()
    officer.picture("collect-2-several")
    page.fill("input[name=scan]", "")
    page.keyboard.type(f"https://x/j/7/s/{done.link}")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/collect/{done.household_id}")
    officer.picture("collect-3-household")

    first, second, *rest = town.numbers(done)
    page.keyboard.type(passes.credential_text(town.centre, first, "card"))
    page.keyboard.press("Enter")
    page.locator(".good").wait_for()
    assert page.locator("input[name=card]:checked").count() == 1
    page.locator("#desk h1").click()
    page.keyboard.type(passes.credential_text(town.centre, second, "card"))
    page.keyboard.press("Enter")
    page.locator(".good").nth(1).wait_for()
    for number in rest:
        page.check(f"#card-{number}")
    page.check("input[name=check][value=identity]")
    step(page, "hand_over").click()
    page.locator(".wrong").wait_for()
    officer.picture("collect-4-not-checked")
    for check in collection.CHECKS:
        page.check(f"input[name=check][value={check}]")
    step(page, "hand_over").click()
    page.wait_for_url("**done=hand_over")
    officer.picture("collect-5-handed-over")
    assert {passes.get_pass(town.centre, number).state for number in town.numbers(done)} == {"active"}

    page.locator(f"button[form=phone-{first}]").click()
    page.locator("[data-left] span").get_by_text(re.compile("1[45]:")).wait_for()
    officer.picture("collect-6-phone")
    with town.centre.writing(7, "wang") as writing:
        code = phone_pass.open_activation(writing, town.centre, first)
    phone_pass.activate(town.centre, 7, code)
    page.locator("[data-done]").wait_for(state="visible")
    officer.picture("collect-7-phone-set-up")


def test_a_household_is_reviewed_printed_and_handed_over_at_its_slot(officer: Officer, town: Estate) -> None:
    page, done = officer.page, town.waiting
    officer.go(f"/c/7/collect/{done.household_id}")
    officer.picture("collect-8-review")
    page.locator("form[action$=approve] button").click()
    page.wait_for_url("**done=approve")
    officer.picture("collect-9-approved")
    with page.context.expect_page() as opened:
        page.locator("#desk button[formaction$=print]").click()
    opened.value.wait_for_load_state()
    assert opened.value.locator(".card.front").count() == 1
    opened.value.close()
    for check in collection.CHECKS:
        page.check(f"input[name=check][value={check}]")
    page.fill("input[name=proxy]", "王强")
    assert page.is_checked("input[value=proxy]")
    step(page, "hand_over").click()
    page.wait_for_url("**done=hand_over")
    with town.centre.store.read() as conn:
        found = households.get_household(conn, 7, done.household_id)
    assert found.stage == "collected" and collection.collector_of(found.collected_note) == ("proxy", "王强")
    for at in range(page.locator(".more summary").count()):
        page.locator(".more summary").nth(at).click()
    officer.picture("collect-a-more")


def test_desks_are_seen_and_changed(officer: Officer, town: Estate) -> None:
    page = officer.page
    officer.go("/c/7/desks")
    officer.picture("collect-b-desks")
    officer.go(f"/c/7/desks/{town.desk}")
    page.fill("input[name=ends-0]", "16:30")
    step(page, "preview").click()
    page.locator("input[name=sure]").wait_for()
    officer.picture("collect-c-desk-preview")
    page.check("input[name=sure]")
    step(page, "save").click()
    page.wait_for_url("**saved=1**")
    officer.picture("collect-d-desks-lost")


def test_a_form_on_paper_is_typed_in_on_one_page(officer: Officer, town: Estate) -> None:
    page = officer.page
    officer.go("/c/7/paper")
    officer.picture("collect-e-paper")
    page.fill("input[name=dwelling]", "3栋2单元501")
    page.locator("button.main[value=submit]").click()
    page.locator("#wrong").wait_for()
    officer.picture("collect-f-paper-wrong")
    page.fill("#people-0-name", "陈秀英")
    page.fill("#people-0-doc_number", id_number(7, "19480301"))
    page.fill("#people-0-phone", "13700137000")
    page.fill("#people-0-province", "湖北")
    page.fill("#people-0-city", "武汉")
    page.fill("#people-0-arrived", "19700301")
    page.fill("#people-0-came_from", "湖北 黄冈")
    for name, code in (("relation", "owner"), ("transport", "none"), ("stayed", "yes"), ("contact", "no"),
                       ("health", "well"), ("quarantine", "no")):  # fmt: skip
        page.check(f"input[name=people-0-{name}][value={code}]")
    page.locator("button[value=add-person]").click()
    page.locator("#people-1-name").wait_for()
    officer.picture("collect-g-paper-two")
    page.fill("#people-1-name", "")
    page.locator("button.main[value=submit]").click()
    page.wait_for_url("**/paper/*")
    officer.picture("collect-h-slip")
    with town.centre.store.read() as conn:
        found = households.get_household(conn, 7, int(page.url.rsplit("/", 1)[1]))
    assert (found.source, found.dwelling, bool(found.slot_ms)) == ("paper", "3-2-501", True)


def test_a_sheet_printed_the_night_before_is_read_back(browser: Any, town: Estate, tmp_path: Path) -> None:
    from PIL import Image as image

    from hardware.reading import decoder
    from kiosk.reader.pictures import load_picture

    for number in range(3):
        town.household(f"70{number + 1}", family(), approve=True)
    with town.centre.store.read() as conn:
        at_ms = households.get_household(conn, 7, town.family.household_id).slot_ms
    day = households.local_day(read_compound(town.centre, 7), at_ms).isoformat()
    for screen, language in (("phone", "zh"), ("desk", "en")):
        town.gate(name=f"西门{screen}").enrol()
        clerk = Officer(browser, town, screen, language)
        clerk.go(town.link)
        if clerk.page.locator("input[name=password]").count():
            clerk.page.fill("input[name=password]", "correct horse 1")
            clerk.page.click("main button")
            clerk.go(f"/c/7/print?day={day}")
            clerk.picture("collect-i-print-behind")
        clerk.close()

    officer = Officer(browser, town, "desk", "zh")
    officer.page.fill("input[name=account]", "wang")
    officer.page.fill("input[name=password]", "correct horse 1")
    officer.page.click("main button")
    with town.centre.store.write() as conn:
        conn.exec_driver_sql("UPDATE device SET state = 'replaced'")
    officer.go(f"/c/7/print?day={day}")
    officer.picture("collect-j-print-ready")
    officer.page.locator("button.main").click()
    officer.page.wait_for_load_state()
    officer.picture("collect-k-sheets")
    printed = tmp_path / "sheets.pdf"
    officer.page.pdf(path=str(printed), prefer_css_page_size=True, print_background=True)
    fronts = re.findall(r"7-\d{6}", " ".join(officer.page.locator(".fronts .says .no").all_inner_texts()))
    assert token_of(town.client, "/sign-in")
    officer.close()
    boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([0-9.]+) ([0-9.]+) ?\]", printed.read_bytes())
    assert len(boxes) == 1 + 2 * -(-len(fronts) // 8), "a list, and two sides of each sheet"
    assert all(abs(float(w) - 595.3) < 2 and abs(float(h) - 841.9) < 2 for w, h in boxes)
    if not GHOSTSCRIPT.exists():
        pytest.skip("Ghostscript is not installed: the printed codes are not read back")
    pages = PICTURES / "centre-collect-sheet-%d.png"
    subprocess.run([GHOSTSCRIPT, "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=png16m", "-r200", f"-sOutputFile={pages}",
                    str(printed)], check=True)  # fmt: skip
    texts = {passes.credential_text(town.centre, number, "card"): number for number in fronts}
    read: list[str] = []
    for number in range(2, len(boxes) + 1, 2):
        sheet = image.open(PICTURES / f"centre-collect-sheet-{number}.png")
        for place in range(8):
            one = sheet.crop(_place(place, sheet.size))
            one.save(tmp_path / "one.png")
            picture = load_picture((tmp_path / "one.png").read_bytes())
            read += [texts[found.text] for found in decoder.QrDecoder().decode(picture)]
            if place == 0:
                left, top, right, bottom = dark_square(one.convert("L"))
                assert 30 <= (right - left) / 200 * 25.4 <= 35 and abs((right - left) - (bottom - top)) <= 2
    assert read == fronts


def _place(place: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels of one of the eight cards of an A4 page, in the order of the sheet."""
    row, column = divmod(place, 2)
    left, top = 19 + 86 * column, 40.5 + 54 * row
    box = (left / 210 * size[0], top / 297 * size[1], (left + 86) / 210 * size[0], (top + 54) / 297 * size[1])
    return tuple(round(edge) for edge in box)  # type: ignore[return-value]
