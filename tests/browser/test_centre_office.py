"""The centre's pages in Chromium: what an officer sees and does, on a phone and at a desk, in both languages."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from sync.credential import HOUR_MS
from sync.protocol import CHAIN_START, EventUpload
from sync.server.app import close_app
from sync.server.passes import compounds, passes
from sync.server.staff import sign_in as staff
from tests.centre.test_centre import World
from tests.centre.test_events import Journal, event, send

playwright_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = "/usr/bin/chromium"
GHOSTSCRIPT = Path("/usr/bin/gs")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SCREENS = {"phone": (360, 740), "desk": (1280, 800)}
PICTURES = Path(__file__).parents[1] / "screenshots"
PASSWORD = "correct horse 1"
DAY_MS = 24 * HOUR_MS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Town(World):
    """A centre on a port, with passes in every state, a gate that has sent events, and an account with its link."""

    def __init__(self, state: Path):
        super().__init__(state)
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.link = staff.add_staff(self.centre, "wang", "王敏", False, (7,)).path

    def furnish(self) -> None:
        """One pass of each sort, and a gate whose journal has a hole, a break and an event nobody can read."""
        past = self.now_ms - 40 * DAY_MS
        wanted: list[dict[str, Any]] = [
            {"label": "王*"}, {"label": "李*", "active": False},
            {"label": "赵*", "valid_from_ms": past, "valid_until_ms": self.now_ms - DAY_MS},
            {"label": "孙*", "valid_from_ms": self.now_ms + DAY_MS},
            {"label": "钱*", "kind": "vehicle", "plate": "粤B12345"},
        ]  # fmt: skip
        for number, fields in enumerate(wanted):
            self.issue(dwelling=f"3-2-50{number}", **fields)
        gate = self.gate(name="东门").enrol()
        gate.follow()
        told: list[dict[str, Any]] = [
            {"kind": "decided", "outcome": "grant", "reason": "ok", "scope": 7, "serial": 1},
            {"kind": "passage", "outcome": "passed", "about": "e1"},
            {"kind": "decided", "outcome": "refer", "reason": "passback", "scope": 7, "serial": 1,
             "also": ["attention"]},
            {"kind": "ruled", "outcome": "deny", "reason": "not_holder", "about": "e3", "by": "李强"},
            {"kind": "decided", "outcome": "deny", "reason": "bad_signature"},
            {"kind": "decided", "outcome": "grant", "reason": "expired", "guidance": "expired", "scope": 7,
             "serial": 3},
            {"kind": "override", "outcome": "grant", "reason": "over_budget", "by": "李强", "why": "急救"},
        ]  # fmt: skip
        texts = [event(n, **{"at_ms": self.now_ms + 60_000 * n, "lane": "in"} | e) for n, e in enumerate(told, 1)]
        journal = Journal([*texts, "nonsense"])
        send(gate, journal.batch(1, 8))
        lost = event(12, kind="events_lost", at_ms=self.now_ms, count=4)
        send(gate, EventUpload(v=1, journal_id="j1", first_seq=12, before=CHAIN_START, events=[lost], hole=True))
        send(gate, EventUpload(v=1, journal_id="j1", first_seq=13, before=CHAIN_START, events=[event(13)]))
        passes.set_attention(self.centre, "7-000001", True, "test")
        passes.set_attention(self.centre, "7-000001", False, "test")
        self.app.extensions["presence"].write()
        self.gate(name="西门")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        close_app(self.app)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "centre")
    made.furnish()
    yield made
    made.close()


class Officer:
    """One open browser page."""

    def __init__(self, browser: Any, town: Town, screen: str, language: str):
        width, height = SCREENS[screen]
        self.context = browser.new_context(viewport={"width": width, "height": height}, has_touch=screen == "phone",
                                           locale={"zh": "zh-CN", "en": "en-GB"}[language])  # fmt: skip
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if "Policy" in said.text else None)
        self.town, self.name = town, f"{screen}-{language}"
        self.go(f"/sign-in?lang={language}")

    def go(self, path: str) -> None:
        self.page.goto(self.town.address + path)

    def sign_in(self) -> None:
        self.go(self.town.link)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.click("main button")
        self.go("/c/7/passes")

    def picture(self, name: str) -> None:
        """A screenshot of the whole page, on which nothing may stick out at the side."""
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"centre-{name}-{self.name}.png"), full_page=True)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"

    def text(self) -> str:
        return str(self.page.inner_text("main"))

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []


@pytest.fixture(params=[("phone", "zh"), ("desk", "zh"), ("phone", "en"), ("desk", "en")], ids="-".join)
def officer(browser: Any, town: Town, request: pytest.FixtureRequest) -> Iterator[Officer]:
    made = Officer(browser, town, *request.param)
    yield made
    made.close()


def button(page: Any, what: str) -> Any:
    return page.locator(f"button[name=do][value={what}]")


def test_an_officers_day(officer: Officer, town: Town) -> None:
    page = officer.page
    officer.go(town.link)
    officer.picture("0-welcome")
    officer.sign_in()
    officer.picture("1-passes")

    # issue, hand over, extend, revoke
    page.fill("input[name=label]", "欧阳娜")
    page.fill("input[name=dwelling]", "1-1-101")
    page.check("input[name=phone]")
    page.click("form:has(select[name=kind]) button.main")
    number = page.url.rsplit("/", 1)[1]
    officer.picture("2-pass-printed")
    button(page, "hand_over").click()
    page.fill("input[name=until]", "2028-12-31")
    button(page, "extend").click()
    found = passes.get_pass(town.centre, number)
    assert (found.state, found.valid_until_ms) == ("active", passes.read_time("2028-12-31", "Asia/Shanghai", True))
    page.click("details.stop summary")
    officer.picture("3-pass-revoke")
    button(page, "revoke").click()
    assert passes.get_pass(town.centre, number).state == "revoked"
    officer.go("/c/7/passes/7-000003")
    officer.picture("4-pass-expired")

    # the rules
    officer.go("/c/7/rules")
    officer.picture("5-rules")
    page.select_option("#stage-0-stage", "introduce")
    page.fill("#stage-0-from", "2027-01-01")
    page.select_option("#hours-0-kind", "visitor")
    page.fill("#passback_s", "soon")
    page.click(".sticky button")
    officer.picture("6-rules-wrong")
    assert page.input_value("#passback_s") == "soon" and page.input_value("#stage-0-from") == "2027-01-01"
    page.fill("#passback_s", "5")
    page.check("input[name=hours-0-day][value='6']")
    page.fill("#hours-0-from", "08:00")
    page.fill("#hours-0-to", "20:30")
    page.click(".sticky button")
    officer.picture("7-rules-saved")
    rules = compounds.read_rules(compounds.read_compound(town.centre, 7))
    assert (rules.passback_s, rules.enforcement[0].stage, rules.hours["visitor"][0].to_minute) == (
        300,
        "introduce",
        1230,
    )

    # a gate
    officer.go("/c/7/gates")
    officer.picture("8-gates")
    page.fill("input[name=name]", "北门")
    page.click("form.row button.main")
    assert re.search(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){7}", officer.text())
    officer.picture("9-code")

    # events, guards, and everybody extended
    officer.go("/c/7/gates/g1/events")
    officer.picture("a-events")
    officer.go("/c/7/guards")
    officer.picture("b-guards")
    officer.go("/c/7/extend")
    officer.picture("c-extend")
    soon = datetime.fromtimestamp(town.now_ms / 1000 + 86400 * 90).strftime("%Y-%m-%d")  # noqa: DTZ006 (a coming day)
    page.fill("input[name=until]", soon)
    page.click("form[method=get] button")
    officer.picture("d-extend-counted")
    page.check("input[name=sure]")
    page.click(".confirm button")
    officer.picture("e-extended")
    assert passes.get_pass(town.centre, "7-000001").valid_until_ms == passes.read_time(soon, "Asia/Shanghai", True)


def test_a_button_stands_level_with_its_field(browser: Any, town: Town) -> None:
    officer = Officer(browser, town, "desk", "zh")
    officer.sign_in()
    field = officer.page.locator("input[name=q]").bounding_box()
    beside = officer.page.locator("form[role=search] button").bounding_box()
    assert abs(field["y"] + field["height"] - beside["y"] - beside["height"]) < 1
    officer.close()


def test_a_printed_card_is_a_card_and_its_code_is_read(browser: Any, town: Town, tmp_path: Path) -> None:
    decoder = pytest.importorskip("hardware.reading.decoder")
    image = pytest.importorskip("PIL.Image")
    load_picture = pytest.importorskip("kiosk.reader.process").load_picture
    officer = Officer(browser, town, "desk", "zh")
    officer.sign_in()
    officer.go("/c/7/passes/7-000001/card")
    officer.picture("f-card")
    for side in officer.page.locator(".card").all():
        assert side.evaluate("c => c.scrollHeight <= c.clientHeight && c.scrollWidth <= c.clientWidth")
    text = passes.credential_text(town.centre, "7-000001", "card")

    def read(path: Path) -> list[str]:
        return [found.text for found in decoder.QrDecoder().decode(load_picture(path.read_bytes()))]

    shot = tmp_path / "card.png"
    officer.page.locator("#front").screenshot(path=str(shot))
    assert read(shot) == [text]
    printed = tmp_path / "card.pdf"
    officer.page.pdf(path=str(printed), prefer_css_page_size=True, print_background=True)
    officer.close()
    boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([0-9.]+) ([0-9.]+) ?\]", printed.read_bytes())
    assert len(boxes) == 2, "front and back, and nothing else"
    assert all(abs(float(w) / 72 * 25.4 - 86) < 0.4 and abs(float(h) / 72 * 25.4 - 54) < 0.4 for w, h in boxes)
    if not GHOSTSCRIPT.exists():
        pytest.skip("Ghostscript is not installed: the printed size of the code is not measured")
    sides = PICTURES / "centre-card-%d.png"
    subprocess.run([GHOSTSCRIPT, "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=png16m", "-r300", f"-sOutputFile={sides}",
                    str(printed)], check=True)  # fmt: skip
    front = PICTURES / "centre-card-1.png"
    assert read(front) == [text]
    left, top, right, bottom = dark_square(image.open(front).convert("L"))
    assert 30 <= (right - left) / 300 * 25.4 <= 35 and abs((right - left) - (bottom - top)) <= 2


def dark_square(picture: Any) -> tuple[int, int, int, int]:
    """The code on a printed front: all that is dark left of the words and below the band, with four modules of white
    around it."""
    width, height = picture.size
    beside = picture.crop((0, round(height * 6.6 / 54), round(width * 42.6 / 86), height))
    area = beside.point(lambda p: 255 * (p < 128))
    left, top, right, bottom = area.getbbox()
    quiet = (right - left) / 45 * 4 - 2
    assert min(left, top, area.size[0] - right, area.size[1] - bottom) >= quiet
    return left, top, right, bottom
