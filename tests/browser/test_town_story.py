"""The whole way, in browsers and at a true gate: a family applies, the office approves and prints, the desk hands over,
printed and shown codes open the barrier or do not; somebody corrects, somebody loses a card, all are extended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hardware import Picture
from hardware.reading.decoder import QrDecoder
from sync.server import words
from sync.server.passes import passes
from sync.server.people.households import households
from sync.server.staff import sign_in
from tests.fixtures.browsers.chromium import boxes, shot
from tests.fixtures.browsers.officer_browser import Officer, Town
from tests.fixtures.browsers.resident_browser import Resident
from tests.fixtures.people import PHONE, add_desk, add_dwelling, application, apply, id_number
from tests.fixtures.true_gate import TrueGate, grey, state_of

DAY_S = 86_400.0


class Story(Town):
    """A compound with rooms, a desk, an officer and a gate that follows the centre."""

    def __init__(self, folder: Path):
        super().__init__(folder / "centre")
        for building, unit, room in (("3", "1", "501"), ("3", "2", "501"), ("3", "2", "601"), ("5", "1", "101")):
            add_dwelling(self.centre, building=building, unit=unit, room=room)
        add_desk(self.centre)
        self.gate = TrueGate(self, folder)
        self.gate.follow()

    def household(self, household_id: int) -> households.Household:
        with self.centre.store.read() as conn:
            return households.get_household(conn, 7, household_id)

    def close(self) -> None:
        self.gate.close()
        super().close()


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    yield made
    made.close()


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    """Browsers to close."""
    made: list[Any] = []
    yield made
    for one in made:
        one.context.close()


def apply_as_family(one: Resident) -> None:
    """Two adults, a child and a car, from the poster's address to the number in large type."""
    page = one.page
    page.click("main form button")
    page.select_option("#building", "3")
    page.select_option("#unit", "2")
    page.select_option("#dwelling_id", label="501")
    one.fill(people__0__name="张伟", people__0__doc_number=id_number(11), people__0__phone=PHONE)
    one.tick("people-0-relation", "owner")
    one.next()
    one.fill(people__0__province="湖北", people__0__city="武汉", people__0__arrived="20150301")
    one.fill(people__0__came_from="湖北孝感")
    one.tick("people-0-transport", "train")
    one.fill(people__0__transport_number="G1234")
    one.next()
    one.tick("people-0-stayed", "yes")
    one.healthy(0)
    one.next()
    for number, name, paper in ((1, "李芳", id_number(12)), (2, "张小宝", id_number(13, "20180506"))):
        page.click("button[value=add-person]")
        one.tick(f"people-{number}-kind", "resident")
        one.fill(**{f"people__{number}__name": name, f"people__{number}__doc_number": paper})
        one.tick(f"people-{number}-relation", "family")
        page.check(f"[name=people-{number}-same_residence]")
        page.check(f"[name=people-{number}-travelled]")
        one.healthy(number)
        one.next()
    one.fill(plates__0="粤BD12345")
    one.next()
    one.next()
    sign_and_submit(one)


def sign_and_submit(one: Resident) -> None:
    one.sign()
    one.next()
    one.page.wait_for_selector("#picture")


def approve(officer: Officer, household_id: int) -> None:
    """With the keyboard, as somebody with three hundred cases before lunch does it."""
    officer.go(f"/c/7/households/{household_id}")
    officer.picture("story-case")
    officer.page.keyboard.press("a")
    officer.page.click("button[name=do][value=approve]")


def print_cards(officer: Officer, household: households.Household, sharp: Any) -> dict[str, Picture]:
    """The night before: every card of the household, as it comes out of the printer, by its number."""
    day = officer.page.evaluate("ms => new Date(ms + 8 * 3600e3).toISOString().slice(0, 10)", household.slot_ms)
    sharp.go(f"/c/7/print?day={day}&layout=cards")
    sharp.page.check("input[name=layout][value=cards]")
    sharp.picture("story-print")
    sharp.page.click("form[action$='/print/sheet'] button")
    sharp.page.wait_for_selector(".card.front")
    numbers = [front["text"] for front in boxes(sharp.page, ".card.front .no:first-of-type")]
    return {number: grey(shot(sharp.page, ".card.front .code", at)) for at, number in enumerate(numbers)}


def hand_over(officer: Officer, number: str) -> None:
    officer.go("/c/7/collect")
    officer.page.fill("[name=scan]", number)
    officer.page.keyboard.press("Enter")
    officer.page.wait_for_selector("button[value=hand_over]")
    for at in range(len(boxes(officer.page, "input[name=check]"))):
        officer.page.locator("input[name=check]").nth(at).check()
    officer.picture("story-collect")
    officer.page.click("button[value=hand_over]")
    officer.picture("story-handed-over")


def activate(officer: Officer, phone: Any, number: str) -> None:
    """The desk shows the code, the phone's camera reads it."""
    officer.page.click(f"button[form='phone-{number}']")
    officer.page.wait_for_selector("#activation .code svg")
    officer.picture("story-activation")
    read = QrDecoder().decode(grey(shot(officer.page, "#activation .code")))
    phone.go(urlsplit(read[0].text).path)
    phone.page.click("main form button")
    phone.page.wait_for_selector(".code canvas, .code svg")


def phone_code(phone: Any) -> Picture:
    """What the phone shows at this moment."""
    phone.go("/j/7/p")
    phone.page.wait_for_selector("#live:not([hidden])")
    phone.picture("story-pass")
    return grey(shot(phone.page, "article .code"))


def ask_to_correct(officer: Officer, household_id: int, told: str) -> None:
    officer.go(f"/c/7/households/{household_id}")
    officer.page.keyboard.press("c")
    officer.page.fill("textarea[name=own-correct]", told)
    officer.picture("story-ask-to-correct")
    officer.page.click("button[name=do][value=correct]")


def officer_of(story: Story, browser: Any, opened: list[Any], language: str, sharp: bool = False) -> Officer:
    account = "sharp" if sharp else "wang"
    if sharp:
        story.link = sign_in.add_staff(story.centre, account, "李敏", False, (7,)).path
    made = Officer(browser, story, "desk", language)
    opened.append(made)
    made.sign_in()
    return made


@pytest.mark.slow
@pytest.mark.parametrize("language", ["zh", "en"])
def test_from_the_poster_to_the_barrier(browser: Any, story: Story, opened: list[Any], language: str) -> None:
    def resident(screen: str = "phone") -> Resident:
        made = Resident(browser, story, screen, language)
        opened.append(made)
        return made

    gate, family, officer = story.gate, resident(), officer_of(story, browser, opened, language)
    apply_as_family(family)
    home = f"/j/7/s/{link_of(story, 1)}"
    approve(officer, 1)
    assert story.household(1).state == "approved"
    gate.follow()

    cards = print_cards(officer, story.household(1), officer)
    assert sorted(cards) == [f"7-00000{number}" for number in (1, 2, 3, 4)]
    assert state_of(gate.hold_up(cards["7-000001"])) == ("deny", "not_collected") and gate.opened() == 0

    hand_over(officer, "7-H00001")
    gate.follow()
    assert state_of(gate.hold_up(cards["7-000001"])) == ("grant", "ok") and gate.opened() == 1
    assert state_of(gate.hold_up(cards["7-000004"])) == ("grant", "ok"), "the car"

    phone = resident()
    activate(officer, phone, "7-000002")
    gate.follow()
    shown = phone_code(phone)
    assert state_of(gate.hold_up(shown)) == ("grant", "ok")
    gate.later(80)
    assert state_of(gate.hold_up(shown))[0] != "grant", "a screenshot opens nothing a minute later"

    lose_and_find(story, family, home, cards["7-000003"])
    correct(story, browser, resident(), officer)
    extend_everybody(story, officer, cards["7-000002"])
    family.go(home)
    family.picture("story-home-at-the-end")
    family.page.click("a[href$='/record']")
    family.picture("story-record")
    assert words.WORDS["status_passages"][language == "en"] in family.page.inner_text("main")


def link_of(story: Story, household_id: int) -> str:
    return households.link_of(story.centre.vault, 7, household_id, 1)


def lose_and_find(story: Story, family: Resident, home: str, card: Picture) -> None:
    """A card that opened a minute ago opens nothing from the moment it is reported lost."""
    assert state_of(story.gate.hold_up(card)) == ("grant", "ok")
    before = story.gate.opened()
    family.go(home)
    family.picture("story-home")
    family.page.click("a[href$='/lost']")
    family.tick("number", "7-000003")
    family.tick("what", "card")
    family.picture("story-lost")
    family.page.click("button.stop")
    family.picture("story-lost-done")
    story.gate.follow()
    story.gate.later(300)
    assert state_of(story.gate.hold_up(card)) == ("deny", "superseded") and story.gate.opened() == before


def correct(story: Story, browser: Any, neighbour: Resident, officer: Officer) -> None:
    """One asked to correct learns what, and does it."""
    told = "请写楼栋和房号"
    done = apply(story.centre, 7, application(dwelling="那边那栋"))
    ask_to_correct(officer, done.household_id, told)
    neighbour.go(f"/j/7/s/{done.link}")
    neighbour.picture("story-correct")
    assert told in neighbour.page.inner_text("main")
    neighbour.page.click("form[action$='/correct'] button.main")
    neighbour.picture("story-whose")
    neighbour.fill(phone=PHONE)
    neighbour.next()
    neighbour.page.click("a[href*='/where']")
    neighbour.page.select_option("#building", "3")
    neighbour.page.select_option("#unit", "2")
    neighbour.page.select_option("#dwelling_id", label="601")
    neighbour.next()
    neighbour.next()
    sign_and_submit(neighbour)
    found = story.household(done.household_id)
    assert (found.state, found.dwelling, found.told) == ("applied", "3-2-601", "")


def extend_everybody(story: Story, officer: Officer, card: Picture) -> None:
    """The old card opens after its printed end."""
    officer.go("/c/7/extend")
    day = officer.page.evaluate("ms => new Date(ms).toISOString().slice(0, 10)", story.now_ms + 90 * DAY_S * 1000)
    officer.page.fill("input[name=until]", day)
    officer.page.click("form[method=get] button")
    officer.page.check("input[name=sure]")
    officer.page.click(".confirm button")
    story.gate.skip(40 * DAY_S)
    story.gate.follow()
    assert passes.get_pass(story.centre, "7-000002").valid_until_ms > story.now_ms
    assert state_of(story.gate.hold_up(card)) == ("grant", "ok")
