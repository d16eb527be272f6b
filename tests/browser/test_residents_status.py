"""The phone pass and a household's own page in Chromium: on a phone, in both languages, with the network there or gone.

What stands on the screen is read with the decoder of the gates, and must be what the gates would let through.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from sync.credential import digits_at
from sync.server.app import close_app
from sync.server.passes import passes
from sync.server.people.households import changes, households, phone_pass, visitors
from tests.centre.test_centre import World
from tests.centre.test_events import Journal, event, send
from tests.fixtures.people import PHONE, add_desk, apply, approved, family

playwright_api = pytest.importorskip("playwright.sync_api")
zxingcpp = pytest.importorskip("zxingcpp")
Image = pytest.importorskip("PIL.Image")

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP centre.test 127.0.0.1",
]  # fmt: skip
SCREENS = {"phone": (360, 740), "desk": (1280, 800)}
PICTURES = Path(__file__).parents[1] / "screenshots"
DAY_MS = 86_400_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Town(World):
    """A centre on a port, whose clock stands still more than a month away from the browser's."""

    def __init__(self, state: Path):
        super().__init__(state)
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.port = self.server.server_port
        self.address = f"http://127.0.0.1:{self.port}"
        self.down = False

    def stop(self) -> None:
        if not self.down:
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()
        self.down = True

    def close(self) -> None:
        self.stop()
        close_app(self.app)

    def household(self, state: str) -> households.Submitted:
        """A family of three with a car, in a state."""
        form = family()
        form.desk_id, form.slot_ms = 1, self.now_ms // DAY_MS * DAY_MS + DAY_MS + 30 * 60_000
        if state in ("approved", "collected", "moved"):
            done = approved(self.centre, 7, form)
        else:
            done = apply(self.centre, 7, form)
        with self.centre.writing(7, "wang") as writing:
            if state in ("collected", "moved"):
                for number in households.pass_numbers(writing.conn, 7, done.household_id):
                    passes.hand_over_in(writing, number)
                households.set_state(writing, done.household_id, collected_ms=writing.now_ms)
            if state in ("correct", "observe", "not_here"):
                told = {
                    "correct": "房号请写全：几栋几单元几室。",
                    "observe": "您2月16日从疫情地区返回。",
                    "not_here": "房东说已退租。",
                }
                until_ms = writing.now_ms + 12 * DAY_MS if state == "observe" else 0
                households.decide(writing, done.household_id, state, told[state], until_ms)
            if state in ("cancelled", "moved"):
                households.end(writing, done.household_id, state)
        return done

    def code(self, number: str) -> str:
        """Where the QR at the desk leads."""
        with self.centre.writing(7, "wang") as writing:
            return phone_pass.activation_path(7, phone_pass.open_activation(writing, self.centre, number))


class Phone:
    """A resident's browser."""

    def __init__(self, browser: Any, town: Town, screen: str = "phone", language: str = "zh", **more: Any):
        width, height = SCREENS[screen]
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, has_touch=screen == "phone",
            locale={"zh": "zh-CN", "en": "en-GB"}[language], **more,
        )  # fmt: skip
        self.town, self.name, self.address = town, f"{screen}-{language}", town.address
        self.complaints: list[str] = []
        self.open()
        self.language = language

    def open(self) -> None:
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if "Policy" in said.text else None)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def activate(self, number: str) -> None:
        self.go(self.town.code(number))
        self.page.click("main button")
        self.page.wait_for_selector("#passes article")

    def drawn(self) -> None:
        self.page.wait_for_selector("#passes canvas")
        self.until("document.querySelector('#live').hidden === false")

    def until(self, true: str) -> None:
        """Until an expression is true. The page's own policy forbids playwright's way of waiting for one."""
        for _ in range(300):
            if self.page.evaluate(true):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never: {true}")

    def kept(self) -> None:
        """Until the page has put itself away for a time without network."""
        self.page.wait_for_selector("#passes[data-kept=yes]")

    def reads(self, place: str = "#passes .code") -> list[str]:
        """What a gate's decoder reads off the screen."""
        codes = []
        for code in self.page.query_selector_all(place):
            code.scroll_into_view_if_needed()
            shot = Image.open(io.BytesIO(code.screenshot())).convert("L")
            codes += [found.text for found in zxingcpp.read_barcodes(shot, formats=zxingcpp.BarcodeFormat.QRCode)]
        return codes

    def picture(self, name: str, whole: bool = True) -> None:
        """A screenshot of the whole page, on which nothing may stick out at the side and no finger may miss."""
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"status-{name}-{self.name}.png"), full_page=whole)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"
        small = self.page.evaluate(
            "[...document.querySelectorAll('main button, a.button, .deeds a, .lines a, #people a, select')]"
            ".filter(e => e.offsetParent && !e.classList.contains('first') && e.getBoundingClientRect().height < 44)"
            ".map(e => e.outerHTML.slice(0, 90))"
        )
        assert small == [], f"{name}: too small for a finger"

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "centre")
    add_desk(made.centre, capacity=20)
    yield made
    made.close()


@pytest.fixture
def phone(browser: Any, town: Town) -> Iterator[Phone]:
    made = Phone(browser, town)
    yield made
    made.close()


def good(town: Town, number: str) -> set[str]:
    """Every text a gate would take in the next minutes."""
    code = passes.read_phone_code(town.centre, number)
    step = town.now_ms // 30_000
    return {f"{code.text}.{digits_at(code.secret, at)}" for at in range(step, step + 8)}


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
    phone.page.wait_for_timeout(200)
    second = phone.reads()
    assert len(first) == len(second) == 1 and first != second
    assert set(first + second) <= good(town, number)


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


@pytest.mark.parametrize(("screen", "language"), [("phone", "zh"), ("phone", "en"), ("desk", "zh")])
def test_the_page_in_every_state(browser: Any, town: Town, screen: str, language: str) -> None:
    phone = Phone(browser, town, screen, language)
    for state in ("applied", "correct", "observe", "not_here", "approved", "collected", "cancelled", "moved"):
        done = town.household(state)
        phone.go(f"/j/7/s/{done.link}?lang={language}")
        phone.picture(f"state-{state}")
    phone.close()


@pytest.mark.parametrize(("screen", "language"), [("phone", "zh"), ("phone", "en"), ("desk", "zh")])
def test_what_a_household_can_do(browser: Any, town: Town, screen: str, language: str) -> None:
    phone = Phone(browser, town, screen, language)
    home = f"/j/7/s/{lived_in(town).link}"
    phone.go(f"{home}?lang={language}")
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
