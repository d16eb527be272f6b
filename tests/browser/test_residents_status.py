"""The phone pass and a household's own page in Chromium: on a phone, in both languages, with the network there or gone.

What stands on the screen is read with the decoder of the gates, and must be what the gates would let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sync.server.passes import passes
from sync.server.people.households import changes, households, phone_pass, visitors
from tests.fixtures.browsers.chromium import RESIDENT_LOOKS
from tests.fixtures.browsers.phone_browser import Phone, Town, good
from tests.fixtures.events import Journal, event, send
from tests.fixtures.people import PHONE


@pytest.fixture
def phone(browser: Any, town: Town) -> Iterator[Phone]:
    made = Phone(browser, town)
    yield made
    made.close()


# The phone pass


def test_a_phone_activated_at_the_desk_shows_a_good_code_with_the_network_there_and_gone(
    town: Town, phone: Phone
) -> None:
    number = town.issue(label="王*", dwelling="3-2-501").number
    phone.go(town.code(number))
    phone.picture("activate")
    phone.page.click("main button")
    phone.drawn()
    assert set(phone.reads()) <= good(town, number) and len(phone.reads()) == 1
    phone.picture("pass")
    phone.kept()
    fine = good(town, number)
    town.stop()
    phone.page.close()
    phone.open()
    phone.go("/j/7/p")
    phone.drawn()
    assert set(phone.reads()) <= fine and len(phone.reads()) == 1
    phone.picture("pass-offline")
    phone.go("/j/7")
    phone.drawn()
    assert set(phone.reads()) <= fine, "the poster leads to the pass, without network, too"


def test_the_code_changes_with_the_centres_time_and_not_the_phones(town: Town, phone: Phone) -> None:
    number = town.issue().number
    phone.page.clock.install()
    phone.activate(number)
    phone.drawn()
    first = phone.reads()
    phone.page.clock.run_for(31_000)
    second = phone.reads_other_than(first)
    assert len(first) == len(second) == 1
    assert set(first + second) <= good(town, number)


HELD_BACK = """(() => {
  const sign = SubtleCrypto.prototype.sign;
  window.signs = 0;
  SubtleCrypto.prototype.sign = async function (...about) {
    window.signs += 1;
    while (window.slow) await new Promise((go) => setTimeout(go, 5));
    return sign.apply(this, about);
  };
})()"""


def test_a_code_that_is_held_up_stays_on_the_screen_while_the_page_hears_from_the_centre(
    town: Town, phone: Phone
) -> None:
    number = town.issue(label="王*").number
    phone.page.add_init_script(HELD_BACK)
    phone.activate(number)
    phone.drawn()
    phone.page.evaluate("window.slow = true; window.signs = 0; window.dispatchEvent(new Event('online'))")
    phone.until("window.signs > 0")
    assert len(phone.reads()) == 1 and set(phone.reads()) <= good(town, number)
    phone.page.set_viewport_size({"width": 320, "height": 600})
    phone.until("document.querySelector('canvas').width <= 320")
    assert len(phone.reads()) == 1, "turned or folded, too"
    phone.page.evaluate("window.slow = false")
    assert len(phone.reads()) == 1 and set(phone.reads()) <= good(town, number)


def test_a_parent_shows_the_childrens_passes_and_what_became_of_them(town: Town, phone: Phone) -> None:
    numbers = [town.issue(label=label).number for label in ("王*", "李*", "王*")]
    for number in numbers:
        phone.activate(number)
    phone.drawn()
    phone.until("document.querySelectorAll('#passes canvas').length === 3")
    assert phone.page.locator("#people a").count() == 3
    assert len(set(phone.reads())) == 3
    phone.page.click("#people a:nth-child(2)")
    phone.picture("pass-family", whole=False)
    passes.suspend(town.centre, numbers[0], "wang")
    passes.revoke(town.centre, numbers[1], "wang")
    phone.page.reload()
    phone.page.wait_for_selector("#passes .told:not([hidden])")
    assert phone.page.locator("#passes canvas").count() == 1
    phone.page.click("#people a:nth-child(3)")
    phone.page.wait_for_selector("#people a:nth-child(3)[aria-current]")
    phone.until("passes.scrollLeft > passes.scrollWidth - passes.clientWidth - 2")
    phone.picture("pass-told", whole=False)


def test_a_pass_that_went_to_another_phone_is_forgotten_by_this_one(browser: Any, town: Town, phone: Phone) -> None:
    number = town.issue().number
    phone.activate(number)
    phone.kept()
    other = Phone(browser, town)
    other.activate(number)
    other.close()
    phone.page.reload()
    phone.page.wait_for_selector("#gone:not([hidden])")
    assert phone.page.evaluate("localStorage.length") == 0 and phone.reads() == []
    phone.picture("pass-gone")
    phone.until("caches.has('pass').then((there) => !there)")
    phone.go("/j/7/p")
    phone.picture("pass-none")


def test_over_plain_http_the_centre_draws_and_the_page_says_so(town: Town, phone: Phone) -> None:
    number = town.issue(label="王*").number
    phone.address = f"http://centre.test:{town.port}"
    phone.activate(number)
    assert phone.page.evaluate("isSecureContext") is False
    assert set(phone.reads()) <= good(town, number) and len(phone.reads()) == 1
    assert phone.page.is_visible("#server") and not phone.page.is_visible("#live")
    phone.picture("pass-plain-http")


def test_without_a_script_the_code_is_there_too(browser: Any, town: Town) -> None:
    number = town.issue().number
    phone = Phone(browser, town, java_script_enabled=False)
    phone.go(town.code(number))
    phone.page.click("main button")
    assert len(phone.reads()) == 1
    phone.close()


def test_the_code_is_black_on_white_in_the_dark(browser: Any, town: Town) -> None:
    number = town.issue(label="王*").number
    phone = Phone(browser, town, color_scheme="dark")
    phone.activate(number)
    phone.drawn()
    assert phone.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(phone.reads()) == 1
    phone.picture("pass-dark")
    phone.close()


def test_passes_are_taken_off_a_phone_and_its_memory(town: Town, phone: Phone) -> None:
    phone.activate(town.issue().number)
    phone.kept()
    phone.go("/j/7/p/end")
    phone.picture("pass-end")
    phone.page.click("button.stop")
    phone.until("localStorage.length === 0")
    phone.go("/j/7/p")
    assert phone.reads() == []


# The household's own page


@pytest.mark.parametrize("look", RESIDENT_LOOKS, ids="-".join)
def test_the_page_in_every_state(browser: Any, town: Town, look: tuple[str, str]) -> None:
    phone = Phone(browser, town, *look)
    for state in ("applied", "correct", "observe", "not_here", "approved", "collected", "cancelled", "moved"):
        done = town.household(state)
        phone.go(f"/j/7/s/{done.link}?lang={look[1]}")
        phone.picture(f"state-{state}")
    phone.close()


@pytest.mark.parametrize("look", RESIDENT_LOOKS, ids="-".join)
def test_what_a_household_can_do(browser: Any, town: Town, look: tuple[str, str]) -> None:
    phone = Phone(browser, town, *look)
    home = f"/j/7/s/{lived_in(town).link}"
    phone.go(f"{home}?lang={look[1]}")
    for page in ("lost", "plate", "person", "moved", "record", "visitors"):
        phone.go(f"{home}/{page}")
        phone.picture(page)
    phone.page.fill("input[name=name]", "陈")
    phone.page.fill("input[name=plate]", "粤B1")
    phone.page.click("main button.main")
    phone.picture("visitors-wrong")
    phone.page.fill("input[name=plate]", "粤B12345")
    phone.page.click("main button.main")
    phone.page.wait_for_selector("#picture")
    assert len(phone.reads("#picture")) == 1
    phone.picture("visit")
    phone.go(f"{home}/person")
    phone.page.click("main form .actions button.main")
    phone.picture("person-wrong")
    phone.go(f"{home}/lost")
    phone.page.click("main .picks label:has(input[name=number])")
    phone.page.click("main .picks label:has(input[value=card])")
    phone.page.click("button.stop")
    phone.page.wait_for_selector(".note")
    phone.picture("lost-done")
    waiting = town.household("approved")
    phone.go(f"/j/7/s/{waiting.link}/slot")
    phone.picture("slot")
    phone.go(f"/j/7/s/{waiting.link}/cancel")
    phone.picture("cancel")
    phone.go(f"/j/7/s/{town.household('not_here').link}/object")
    phone.picture("object")
    phone.close()


def lived_in(town: Town) -> households.Submitted:
    """A household some days later: passages, a visitor, a new plate, a phone."""
    done = town.household("collected")
    with town.centre.store.read() as conn:
        household = households.get_household(conn, 7, done.household_id)
        mine = changes.passes_of(conn, household)
        vehicle = households.vehicles_of(conn, 7, done.household_id)[0]
    serial = mine[0].credentials[0].serial
    gate = town.gate(name="东门").enrol()
    told: list[dict[str, Any]] = [
        {"outcome": "grant", "direction": "out"}, {"outcome": "grant", "direction": "in"},
        {"outcome": "refer", "reason": "attention", "direction": "in"},
        {"kind": "ruled", "outcome": "grant", "about": "e3", "scope": 0, "serial": 0},
        {"outcome": "deny", "reason": "passback", "direction": "in"},
    ]  # fmt: skip
    texts = [
        event(n, **{"at_ms": town.now_ms - 3_600_000 * (9 - n), "scope": 7, "serial": serial, "lane": "a"} | one)
        for n, one in enumerate(told, 1)
    ]
    texts[3] = event(4, **{"at_ms": town.now_ms - 3_600_000 * 6 + 9000, "lane": "a"} | told[3])
    send(gate, Journal(texts).batch(1, len(texts)))
    phone_pass.activate(town.centre, 7, town.code(mine[0].number).rsplit("/", 1)[1])
    with town.centre.writing(7, f"resident:{done.number}") as writing:
        changes.change_plate(writing, household, vehicle.vehicle_id, "粤B54321")
        visitors.invite(writing, town.centre, household, "陈明", "", "2027-01-16")
    with town.centre.writing(7, "wang") as writing:
        writing.audit("reveal", f"{done.number} doc 1", done.household_id, "identity: 核对门牌")
    return done


def test_a_correction_begins_with_one_tap_and_the_telephone_number(town: Town, phone: Phone) -> None:
    done = town.household("correct")
    phone.go(f"/j/7/s/{done.link}")
    phone.page.click(".stage button.main")
    phone.page.fill("#phone", PHONE)
    phone.page.click(".actions button.main")
    phone.page.wait_for_url("**/form/review")
