"""The post in Chromium: what a guard sees and does, on a phone and at a desk, in both languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.guard_program import Program, running
from tests.fixtures.guard_stage import NOW_MS

playwright_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENS = {"phone": (360, 740), "desk": (1280, 800)}
PICTURES = Path(__file__).parents[1] / "screenshots"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    passes = tmp_path / "passes"
    passes.mkdir()
    listed = []
    from kiosk.demo_passes import draw

    titles = [
        ("居民卡，有效", "Resident card, good"),
        ("已挂失的卡", "Lost card"),
        ("手机证", "Phone pass"),
        ("伪造", "Forged"),
    ]
    for number, (zh, en) in enumerate(titles):
        (passes / f"{number}.png").write_bytes(draw(f"G1{zh}"))
        phone = {"text": "G1X", "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"} if number == 2 else None
        listed.append({"file": f"{number}.png", "title_zh": zh, "title_en": en, "phone": phone})
    (passes / "index.json").write_text(json.dumps(listed))
    with running(tmp_path) as program:
        yield program


class Post:
    """One open browser page of a guard."""

    def __init__(self, browser, program: Program, screen: str, language: str, script: bool = True):
        width, height = SCREENS[screen]
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, has_touch=screen == "phone", java_script_enabled=script
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if "Policy" in said.text else None)
        self.program, self.name = program, f"{screen}-{language}"
        self.go(f"/prefer/language/{language}?to=/sign-in")

    def go(self, path: str) -> None:
        self.page.goto(self.program.address + path)

    def sign_in(self, name: str = "王建国", pin: str = "2468") -> None:
        self.page.fill("[name=name]", name)
        self.page.fill("[name=pin]", pin)
        self.page.click("button.act")
        self.page.wait_for_selector(".panel")
        if self.page.evaluate("matchMedia('(scripting: enabled)').matches"):
            self.page.wait_for_selector("body.live")

    def shoot(self, what: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{what}-{self.name}.png")

    def settled(self) -> None:
        self.page.wait_for_selector("#panel:not(.unsettled)")

    def wide_as_the_screen(self) -> bool:
        return self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.fixture(params=[(s, lang) for s in SCREENS for lang in ("zh", "en")], ids="-".join)
def post(request: pytest.FixtureRequest, browser, program: Program) -> Iterator[Post]:
    post = Post(browser, program, *request.param)
    yield post
    assert not post.complaints
    post.context.close()


@pytest.fixture
def phone(browser, program: Program) -> Iterator[Post]:
    post = Post(browser, program, "phone", "zh")
    yield post
    assert not post.complaints
    post.context.close()


def test_a_shift_from_signing_in_to_a_reason_given_afterwards(post: Post) -> None:
    page, program = post.page, post.program
    post.shoot("1-sign-in")
    post.sign_in()
    post.shoot("2-empty")
    for command in ("grant", "passage passed", "guided", "deny"):
        program.say(command)
    page.wait_for_selector(".panel.tone-stop")
    post.settled()
    post.shoot("3-red")
    program.say("passback")
    page.wait_for_selector(".panel.waits")
    post.settled()
    post.shoot("4-yellow")
    assert post.wide_as_the_screen()
    page.click(".act.open")
    page.wait_for_selector(".panel .answer")
    program.say("deny")
    page.wait_for_selector(".panel.tone-stop")
    post.settled()
    page.click(".act.open")
    page.wait_for_selector("#sheet .choices")
    post.shoot("5-why")
    page.click("#sheet .choices button >> nth=0")
    page.wait_for_selector("#sheet", state="hidden")
    post.settled()
    assert page.locator(".badge.ask").count() == 0
    post.shoot("6-answered")


def test_every_page_fits_the_screen_and_has_targets_for_a_thumb(post: Post) -> None:
    post.sign_in("李主管", "1357")
    for path in ("/", "/more", "/look-up", "/present", "/details", "/time", "/explain"):
        post.go(path)
        assert post.wide_as_the_screen(), path
        post.shoot("page" + (path.replace("/", "-") if path != "/" else "-post"))
        boxes = post.page.locator("button:visible, .tool:visible, .button:visible, .language, .chip:visible")
        small = [box.inner_text() for box in boxes.all() if box.bounding_box()["height"] < 44]
        assert not small, path
        assert post.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 20


def test_the_two_actions_are_on_the_first_screen_of_a_phone(phone: Post) -> None:
    phone.sign_in()
    phone.program.say("passback")
    phone.page.wait_for_selector(".panel.waits")
    for button in phone.page.locator(".act").all():
        box = button.bounding_box()
        assert box["y"] + box["height"] <= 740 and box["height"] >= 90


def test_keys_open_refuse_and_look_up_at_a_desk(browser, program: Program) -> None:
    post = Post(browser, program, "desk", "zh")
    post.sign_in()
    program.say("passback")
    post.page.wait_for_selector(".panel.waits")
    post.settled()
    post.page.keyboard.press("r")
    post.page.wait_for_selector(".panel .answer")
    assert "不放行" in post.page.inner_text(".panel .answer")
    post.page.keyboard.press("/")
    post.page.keyboard.type("3-1-502")
    post.page.keyboard.press("Enter")
    post.page.wait_for_selector(".card")
    assert "3栋1单元502" in post.page.inner_text(".card")
    post.shoot("7-found")
    assert not post.complaints
    post.context.close()


def test_hold_open_needs_a_long_press(phone: Post) -> None:
    phone.sign_in()
    phone.go("/more")
    button = phone.page.locator("[data-press]")
    button.click()
    assert phone.page.url.endswith("/more")
    box = button.bounding_box()
    phone.page.mouse.move(box["x"] + 20, box["y"] + 20)
    phone.page.mouse.down()
    phone.page.wait_for_selector("#lines .line")
    phone.page.mouse.up()
    assert "常开" in phone.page.inner_text("#lines")


def test_losing_the_core_is_said_plainly_and_mended_without_a_reload(phone: Post) -> None:
    phone.sign_in()
    phone.program.say("away")
    phone.page.wait_for_selector(".bar.tone-fault")
    assert "要开门请按墙上的按钮" in phone.page.inner_text(".bar")
    phone.shoot("8-offline")
    phone.page.click(".act.open")
    phone.page.wait_for_selector("#toast:visible")
    assert "没有成功" in phone.page.inner_text("#toast")
    phone.program.say("back")
    phone.page.wait_for_selector(".bar.tone-ok")
    phone.program.say("grant")
    phone.page.wait_for_selector(".panel.tone-ok")


def test_an_ended_session_is_said_on_the_way_back_to_signing_in(phone: Post) -> None:
    phone.sign_in()
    phone.program.say("end_sessions")
    phone.page.click(".act.open")
    phone.page.wait_for_selector(".problem")
    assert "登录已过期" in phone.page.inner_text(".problem")
    phone.shoot("9-expired")


def test_in_the_evening_with_faults_and_large_type(post: Post) -> None:
    post.program.say(f"now {NOW_MS + 6 * 3_600_000}")
    post.program.say("clock holdover")
    post.program.say("faults camera list_stale centre_away")
    post.sign_in()
    post.program.say("deny")
    post.page.wait_for_selector(".panel.tone-stop")
    post.settled()
    post.shoot("a-night")
    post.go("/prefer/size/large?to=/")
    post.page.wait_for_selector("body.live")
    post.shoot("b-large")
    assert post.wide_as_the_screen()


def test_a_code_that_is_not_read_is_told_to_the_guard_and_moves_nothing(post: Post) -> None:
    post.sign_in()
    post.program.say("grant")
    post.page.wait_for_selector(".panel.tone-ok")
    post.settled()
    open_at = post.page.locator(".act.open").bounding_box()
    post.program.say('lane hint="brighter"')
    post.page.wait_for_selector(".hints p")
    post.shoot("c-hint")
    assert post.page.locator(".act.open").bounding_box() == open_at
    hint, act = post.page.locator(".hints p").bounding_box(), open_at
    assert hint["y"] + hint["height"] <= act["y"] or hint["x"] + hint["width"] <= act["x"]
    assert post.wide_as_the_screen()
    post.program.say('lane hint=""')
    post.page.wait_for_selector(".hints p", state="detached")
    post.program.say(f"now {NOW_MS + 6 * 3_600_000}")
    post.program.say('lane hint="closer"')
    post.go("/")
    post.page.wait_for_selector(".hints p")
    post.shoot("d-hint-night")


def test_without_script_the_post_still_opens(browser, program: Program) -> None:
    post = Post(browser, program, "phone", "zh", script=False)
    post.page.fill("[name=name]", "王建国")
    post.page.fill("[name=pin]", "2468")
    post.page.click("button.act")
    post.page.wait_for_selector(".panel")
    program.say("deny")
    post.page.reload()
    post.page.click(".act.open")
    post.page.wait_for_selector("#sheet .choices")
    post.shoot("c-no-script")
    post.page.click("#sheet .choices button >> nth=1")
    post.page.wait_for_selector("#sheet", state="hidden")
    assert "放行，王建国" in post.page.inner_text("#lines")
    assert post.page.locator(".badge.ask").count() == 0
    post.context.close()
