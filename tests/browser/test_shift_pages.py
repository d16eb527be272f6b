"""A guard's shift in Chromium, before the four real processes: taken over, handed over, printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.browsers.guard_program import Program
from tests.fixtures.processes.running_post import RunningPost

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPost]:
    running = RunningPost(tmp_path_factory.mktemp("gate"), refer_s=20)
    yield running
    running.close()


def sign_in(browser: Any, gate: RunningPost, screen: str, language: str, name: str = "Lin") -> Post:
    post = Post(browser, gate, screen, language)  # type: ignore[arg-type]
    post.page.set_default_timeout(40_000)
    post.sign_in(name)
    return post


WORDS = {
    "zh": {"none": "接班", "sheet": "交接班表 · Lin 的班", "opened": "人工开门 1", "note": "北侧货车明早再来"},
    "en": {"none": "Begin a shift", "sheet": "Hand-over sheet · Lin's shift", "opened": "Opened by a guard 1",
           "note": "The lorry at the north side comes again"},
}  # fmt: skip


@pytest.mark.parametrize(("screen", "language"), [("phone", "zh"), ("desk", "en")])
def test_a_guard_takes_over_opens_once_hands_over_and_prints_the_sheet(
    browser: Any, gate: RunningPost, screen: str, language: str
) -> None:
    post, told = sign_in(browser, gate, screen, language), WORDS[language]
    page = post.page
    page.click(f".chip:has-text('{told['none']}')")
    page.wait_for_selector("body.live")
    post.shoot("shift-begin")
    post.insist(lambda: page.click("main .act.open"), ".post")
    page.wait_for_selector("body.live")
    post.settled()
    assert page.locator(f".chip:has-text('{told['none']}')").count() == 0
    rises = gate.rises()
    post.insist(lambda: page.click(".act.open"), "#sheet .why")
    assert gate.risen(rises + 1) == rises + 1
    gate.settle()
    post.go("/shift")
    page.wait_for_selector("body.live")
    page.fill("textarea", told["note"])
    page.click("form[action='/shift/note'] button")
    page.wait_for_selector("body.live")
    page.wait_for_selector("form[action='/shift/end'] [data-press]")
    post.shoot("shift-on")
    end = page.locator("form[action='/shift/end'] button")
    end.focus()
    page.keyboard.down("Enter")
    page.wait_for_selector(".signatures")
    page.keyboard.up("Enter")
    sheet = " ".join(page.inner_text("main").split())
    assert told["sheet"] in sheet and told["opened"] in sheet and told["note"] in sheet
    assert post.wide_as_the_screen()
    post.shoot("shift-sheet")
    page.emulate_media(media="print")
    assert page.locator(".top").is_hidden() and page.locator(".signatures").is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    post.shoot("shift-paper")
    assert not post.complaints
    post.context.close()


@pytest.mark.parametrize(("screen", "language", "told"), [("phone", "zh", "已作废"), ("desk", "en", "Annulled")])
def test_a_guard_takes_back_what_was_pressed_by_mistake(
    browser: Any, gate: RunningPost, screen: str, language: str, told: str
) -> None:
    post = sign_in(browser, gate, screen, language)
    page = post.page
    post.go("/shift")
    page.wait_for_selector("body.live")
    post.insist(lambda: page.click("form[action='/shift/begin'] button"), ".post")
    page.wait_for_selector("body.live")
    serial = gate.show()
    page.wait_for_selector(f".panel.waits .dwelling:text-is('{serial}-1-101')")
    post.settled()
    post.insist(lambda: page.click(".act.open"), ".panel .answer")
    gate.settle()
    post.go("/shift/acts")
    page.wait_for_selector("body.live")
    card = page.locator(f".card:has-text('{serial}-1-101')")
    card.locator("summary").click()
    card.locator("form button").wait_for()
    post.shoot("annul")
    post.insist(card.locator("form button").click, f".card:has-text('{serial}-1-101') .hint:text-is('{told}')")
    post.shoot("annulled")
    assert post.wide_as_the_screen()
    post.go("/")
    page.wait_for_selector(f".line:has-text('{serial}-1-101') .badge:has-text('Lin')")
    assert not post.complaints
    post.go("/shift")
    page.wait_for_selector("body.live")
    end = page.locator("form[action='/shift/end'] button")
    end.focus()
    page.keyboard.down("Enter")
    page.wait_for_selector(".signatures")
    page.keyboard.up("Enter")
    assert serial and page.locator("h2:has-text('作废'), h2:has-text('annulled')").count() == 1
    post.context.close()


CALLED = {"zh": ("☎ 呼叫 · 值班台", "Lin去应答了"), "en": ("☎ Call · Guard post", "Lin answers")}


@pytest.mark.parametrize(("screen", "language"), [("phone", "zh"), ("desk", "en")])
def test_a_call_rings_until_somebody_answers_and_both_posts_read_who(
    browser: Any, gate: RunningPost, screen: str, language: str
) -> None:
    from playwright.sync_api import expect

    first = sign_in(browser, gate, screen, language)
    second = sign_in(browser, gate, "desk", language, "Zhao")
    title, told = CALLED[language]
    gate.device.press("entry", "call", True)
    for post in (first, second):
        post.page.wait_for_selector("[data-rings]")
        expect(post.page).to_have_title(title, timeout=40_000)
        post.page.wait_for_selector("body[data-rung]:not([data-rung='1'])")  # again, while nobody answers
        assert "icon-call.svg" in (post.page.get_attribute("link[rel=icon]", "href") or "")
    first.shoot("call")
    gate.device.press("entry", "call", False)
    first.insist(lambda: first.page.click("[data-rings] button"), "[data-rings]", "detached")
    for post in (first, second):
        post.page.wait_for_selector(f".badge:has-text('{told}')")
        post.page.wait_for_selector("[data-rings]", state="detached")
        assert not post.complaints
    first.shoot("call-answered")
    for post in (first, second):
        post.context.close()


def test_a_yellow_that_came_and_went_while_the_page_slept_is_told_on_waking(browser: Any, gate: RunningPost) -> None:
    post = sign_in(browser, gate, "phone", "zh")
    page = post.page
    page.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    serial = gate.show()
    page.wait_for_selector(f".line[data-missed]:has-text('{serial}-1-101')")  # nobody answered in time
    assert page.locator("#missed").is_hidden()
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("#missed:visible:has-text('1 个请核对没人答复')")
    post.shoot("missed")
    page.click("#missed")
    page.wait_for_selector("#missed", state="hidden")
    assert not post.complaints
    post.context.close()


@pytest.mark.parametrize(
    ("screen", "language", "told"),
    [("phone", "zh", "王建国改判超过本班次数：1次"), ("desk", "en", "王建国: overrides over the shift's budget: 1")],
)
def test_an_override_beyond_the_budget_stands_in_the_supervisors_bar_until_seen(
    browser: Any, program: Program, screen: str, language: str, told: str
) -> None:
    supervisor = Post(browser, program, screen, language)
    supervisor.page.set_default_timeout(40_000)
    supervisor.sign_in("李主管", "1357")
    program.say("overspent o1")
    bar = supervisor.page.locator("#bar form[action='/heed']")
    bar.locator(f'strong:has-text("{told}")').wait_for()
    supervisor.shoot("overspent")
    supervisor.insist(bar.locator("button").click, "#bar form[action='/heed']", "detached")
    assert not supervisor.complaints
    supervisor.context.close()
