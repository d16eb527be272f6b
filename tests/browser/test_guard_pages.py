"""The post in Chromium: what a guard sees and does, on a phone and at a desk, in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.browsers.chromium import EVERY_LOOK
from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.browsers.guard_program import Program
from tests.fixtures.browsers.guard_stage import NOW_MS


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


@pytest.mark.parametrize("post", EVERY_LOOK, ids="-".join, indirect=True)
def test_every_page_fits_the_screen_and_has_targets_for_a_thumb(post: Post) -> None:
    post.sign_in("李主管", "1357")
    for path in ("/", "/more", "/look-up", "/present", "/details", "/time", "/explain", "/shift", "/shift/acts"):
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
    sent: list[str] = []
    phone.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    box = button.bounding_box()
    phone.page.mouse.move(box["x"] + 20, box["y"] + 20)
    phone.page.mouse.down()
    phone.page.wait_for_selector("#lines .line")
    phone.page.mouse.up()
    assert [url.rpartition("/")[2] for url in sent] == ["hold"], "posted twice"
    assert "常开" in phone.page.inner_text("#lines")


def test_losing_the_core_is_said_plainly_and_mended_without_a_reload(phone: Post) -> None:
    phone.sign_in()
    phone.program.say("away")
    phone.page.wait_for_selector(".bar.tone-fault", state="attached")
    phone.page.wait_for_selector("#cut:visible")
    told = phone.page.inner_text("#cut")
    assert "门控没有回应" in told and "墙上的按钮随时能开门" in told and "不用重新登录" in told
    assert phone.page.title().startswith("✕ 门控没有回应")
    phone.shoot("8-offline")
    assert phone.page.locator(".act:visible").count() == 0
    phone.page.keyboard.press("o")
    phone.program.say("back")
    phone.page.wait_for_selector("#cut", state="hidden")
    phone.page.wait_for_selector(".bar.tone-ok")
    assert phone.page.title() == "值班台" and phone.page.locator("#lines .line").count() == 0
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


# --- old browsers -----------------------------------------------------------------------------------------------------

LACKS = {
    "event.submitter": "delete SubmitEvent.prototype.submitter",
    "requestSubmit": "delete HTMLFormElement.prototype.requestSubmit",
    "FormData with a button": "const F = FormData; window.FormData = function (form) { return new F(form); }",
    "AbortSignal.timeout": "delete AbortSignal.timeout",
    "replaceChildren": "for (const of of [Element, Document, DocumentFragment]) delete of.prototype.replaceChildren",
    "prepend and replaceWith": "for (const name of ['prepend', 'append', 'replaceWith', 'before', 'after']) "
    "for (const of of [Element, CharacterData, DocumentFragment]) delete of.prototype[name]",
    "pointer events": "delete window.PointerEvent",
    "fetch": "delete window.fetch; delete window.AbortController",
    "sound": "delete window.AudioContext; delete window.webkitAudioContext",
}
ALL_OF_THEM = "; ".join(LACKS.values())


@pytest.mark.parametrize(
    "lacks",
    [pytest.param(ALL_OF_THEM, id="all"), *(pytest.param(v, id=k, marks=pytest.mark.slow) for k, v in LACKS.items())],
)
def test_in_an_old_browser_each_button_does_what_it_says(phone: Post, lacks: str) -> None:
    page, program = phone.page, phone.program
    page.add_init_script(lacks)
    phone.sign_in()
    program.say("passback")
    page.wait_for_selector(".panel.waits")
    phone.settled()
    page.tap(".act.open")
    page.wait_for_selector(".panel.tone-ok:has-text('已放行 · 王建国')")
    program.say("deny")
    page.wait_for_selector(".panel.tone-stop")
    phone.settled()
    page.tap(".act.open")
    page.tap("#sheet .choices button >> nth=1")
    page.wait_for_selector(".badge:has-text('核对过证件 · 王建国')")
    phone.go("/more")
    button = page.locator("[data-press]")
    button.dispatch_event("pointerdown" if "PointerEvent" not in lacks else "touchstart")
    page.wait_for_selector("#lines .line:has-text('常开')")


def test_a_lane_screen_in_an_old_browser_shows_the_lane(browser, program: Program) -> None:
    page = browser.new_page()
    page.add_init_script(ALL_OF_THEM)
    page.goto(f"{program.address}/screen/in")
    page.wait_for_selector("h1:has-text('请出示出入证')")
    program.say('lane shown_outcome="deny" shown_reason="expired" shown_until_ms=1')
    page.wait_for_selector("h1:has-text('出入证已到期')")
    program.say("away")
    page.wait_for_selector("h1:has-text('本门暂停识别')")
    page.close()


@pytest.mark.slow
def test_a_page_whose_script_cannot_be_read_says_so_and_draws_itself_anew(browser, program: Program) -> None:
    post = Post(browser, program, "phone", "zh")
    post.page.route(
        "**/post.js*", lambda route: route.fulfill(body="a ||= b ??= c?.(; }", content_type="text/javascript")
    )
    post.page.fill("[name=name]", "王建国")
    post.page.fill("[name=pin]", "2468")
    post.page.click("button.act")
    post.page.wait_for_selector("#cut:visible:has-text('这一页没有在运行')")
    assert "墙上的按钮随时能开门" in post.page.inner_text("#cut") and post.page.title().startswith("✕")
    post.shoot("e-dead")
    program.say("grant")
    post.page.wait_for_selector(".panel.tone-ok")
    post.context.close()


@pytest.mark.slow
def test_a_script_that_stops_is_noticed(phone: Post) -> None:
    phone.sign_in()
    phone.page.evaluate("setInterval(() => { window.postTicks = 7; }, 10)")
    phone.page.wait_for_selector("#cut:visible:has-text('这一页没有在运行')")
