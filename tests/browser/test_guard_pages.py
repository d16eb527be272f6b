"""The post in Chromium: what a guard sees and does, on a phone and at a desk, in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.browsers.chromium import EVERY_LOOK, box, boxes
from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.browsers.guard_program import Program
from tests.fixtures.browsers.guard_stage import NOW_MS
from tests.fixtures.browsers.old_browsers import ALL_OF_THEM, LACKS, UNREADABLE


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
        targets = boxes(post.page, "button, .tool, .button, .language, .chip")
        assert targets and not [one["text"] for one in targets if one["height"] < 44], path
        assert post.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 20


def test_the_two_actions_are_on_the_first_screen_of_a_phone(phone: Post) -> None:
    phone.sign_in()
    phone.program.say("passback")
    phone.page.wait_for_selector(".panel.waits")
    acts = boxes(phone.page, ".act")
    assert len(acts) == 2 and all(act["y"] + act["height"] <= 740 and act["height"] >= 90 for act in acts)


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
    phone.page.click("[data-press]")
    assert phone.page.url.endswith("/more")
    sent: list[str] = []
    phone.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    place = box(phone.page, "[data-press]")
    phone.page.mouse.move(place["x"] + 20, place["y"] + 20)
    phone.page.mouse.down()
    phone.page.wait_for_selector("#lines .line")
    phone.page.mouse.up()
    assert [url.rpartition("/")[2] for url in sent] == ["hold"], "posted twice"
    assert "常开" in phone.page.inner_text("#lines")


@pytest.mark.slow
@pytest.mark.parametrize(("begun", "ended"), [("held_open", "hold"), ("lockdown", "lockdown")])
def test_ending_it_needs_a_long_press_too(phone: Post, begun: str, ended: str) -> None:
    """One unconfirmed tap ended it."""
    phone.program.say(f"lane {begun}=true")
    phone.sign_in("李主管", "1357")
    phone.go("/more")
    sent: list[str] = []
    phone.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    button = phone.page.locator(f"form[action='/{ended}'] [data-press]")
    assert button.get_attribute("value") == "0"
    button.evaluate("at => ['pointerdown', 'pointerup'].forEach(name => at.dispatchEvent(new PointerEvent(name)))")
    assert phone.page.url.endswith("/more") and not sent, "a tap is too short"
    button.dispatch_event("pointerdown")
    phone.page.wait_for_url("**/")
    assert [url.rpartition("/")[2] for url in sent].count(ended) == 1


@pytest.mark.slow
def test_a_tap_meant_for_the_one_before_does_not_fall_on_the_one_after(phone: Post) -> None:
    phone.sign_in()
    sent: list[str] = []
    phone.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    phone.page.evaluate(
        """() => new MutationObserver((_, watch) => {
            watch.disconnect();
            document.querySelector(".act.open").click();
            document.body.setAttribute("data-tapped", "at once");
        }).observe(document.getElementById("panel"), { childList: true })"""
    )
    phone.program.say("passback")
    phone.page.wait_for_selector("body[data-tapped]")
    phone.settled()
    assert not sent and phone.page.locator(".panel.waits").count() == 1
    phone.page.click(".act.open")
    phone.page.wait_for_selector(".panel.tone-ok:has-text('已放行 · 王建国')")
    assert [url.rpartition("/")[2] for url in sent].count("open") == 1


@pytest.mark.slow
def test_the_buttons_act_on_the_lane_that_the_page_names_as_people_come_and_go(phone: Post) -> None:
    """The frame was on one lane, and Open acted on another."""
    phone.program.say("second_lane")
    phone.sign_in()
    page = phone.page

    def wait_for(lane: str, title: str, other: str) -> None:
        page.wait_for_selector(f".panel[data-lane={lane}] .in-hand:has-text('{title}')")
        phone.settled()
        assert page.input_value(".actions [name=lane]") == lane
        assert title in page.inner_text(".act.open")
        assert page.locator(f".tool.lane.chosen:text-is('{title}')").count() == 1
        assert page.locator(f".tool.lane.chosen:text-is('{other}')").count() == 0

    wait_for("in", "东门入口", "东门出口")
    phone.program.say("passback out")
    wait_for("out", "东门出口", "东门入口")
    with page.expect_request("**/open") as opened:
        page.click(".act.open")
    assert "lane=out" in (opened.value.post_data or "")
    phone.program.say("deny in")
    wait_for("in", "东门入口", "东门出口")
    with page.expect_request("**/open") as opened:
        page.click(".act.open")
    assert "lane=in" in (opened.value.post_data or "")


@pytest.mark.slow
def test_a_page_that_is_cut_off_is_heard_as_well_as_seen(phone: Post) -> None:
    phone.page.add_init_script(
        """window.AudioContext = function () {
            const sound = () => document.body.setAttribute("data-heard", "");
            const tone = { frequency: {}, connect: () => 0, start: sound, stop: () => 0 };
            return { currentTime: 0, destination: {}, createOscillator: () => tone };
        }"""
    )
    phone.sign_in()
    assert phone.page.locator("body[data-heard]").count() == 0
    phone.program.say("away")
    phone.page.wait_for_selector("#cut:visible")
    phone.page.wait_for_selector("body[data-heard]")
    phone.program.say("back")
    phone.page.wait_for_selector("#cut", state="hidden")


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


def test_a_page_that_hears_no_beat_says_so_within_six_seconds(phone: Post) -> None:
    phone.page.clock.install()
    phone.sign_in()
    phone.page.wait_for_selector("#cut", state="hidden")
    phone.page.clock.run_for(6000)  # of the page's own clock: how long the machine takes is no matter
    assert phone.page.is_visible("#cut") and "断开" in phone.page.inner_text("#cut")
    assert phone.page.locator(".act:visible").count() == 0


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
    open_at = boxes(post.page, ".act.open")
    post.program.say('lane hint="brighter"')
    post.page.wait_for_selector(".hints p")
    post.shoot("c-hint")
    assert boxes(post.page, ".act.open") == open_at
    (hint,), (act,) = boxes(post.page, ".hints p"), open_at
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
    post.page.route("**/post.js*", lambda route: route.fulfill(body=UNREADABLE, content_type="text/javascript"))
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
