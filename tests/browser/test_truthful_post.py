"""A guards' page before the four real processes, when Wi-Fi fails, a process is killed, or two guards answer."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.browsers.old_browsers import LACKS, UNREADABLE
from tests.fixtures.processes.running_post import RunningPost

pytestmark = pytest.mark.slow
REFER_S = 20
"""Long enough for a slow machine to draw two pages and press a button on each."""

REFER_S = 45
"""Long enough for a guard to answer on a slow machine."""
HELD_PANEL = """() => {
  const real = Element.prototype.getAttribute;
  Element.prototype.getAttribute = function (name) { return name === 'data-key' ? 'held' : real.call(this, name); };
}"""
"""What the page shows of people stays as it is, though it goes on hearing the gate."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPost]:
    running = RunningPost(tmp_path_factory.mktemp("gate"), refer_s=REFER_S)
    yield running
    running.close()


def sign_in(browser: Any, gate: RunningPost, screen: str = "phone", name: str = "Lin", language: str = "zh") -> Post:
    post = Post(browser, gate, screen, language)  # type: ignore[arg-type]
    post.page.set_default_timeout(60_000)
    post.sign_in(name)
    return post


@pytest.fixture
def post(browser: Any, gate: RunningPost) -> Iterator[Post]:
    gate.line.silent = False
    post = sign_in(browser, gate)
    yield post
    assert not post.complaints
    post.context.close()


def waiting(gate: RunningPost, *posts: Post, red: bool = False) -> int:
    """Somebody new stands at the lane, and each page shows it."""
    serial = gate.show(red)
    for post in posts:
        post.page.wait_for_selector(f".panel.tone-{'stop' if red else 'look'} .dwelling:text-is('{serial}-1-101')")
        post.settled()
    return serial


def let_in(post: Post, serial: int) -> None:
    """The guard answers with a yes, until the panel says that it counts."""
    tap, page = ".act.open:not([disabled])", post.page

    def answer() -> None:
        if page.locator(tap).count():
            page.click(tap)

    rests = "#panel:has(.act.open[disabled])"
    post.insist(answer, f"{rests} .panel.tone-ok:has-text('已放行 · Lin'):has-text('{serial}-1-101')")


def test_a_tap_made_while_wifi_is_black_opens_nothing_when_it_comes_back(gate: RunningPost, post: Post) -> None:
    page, before = post.page, gate.rises()
    serial = waiting(gate, post)
    gate.line.silent = True
    page.click(".act.open")
    page.wait_for_selector("#toast:has-text('没有回音')")
    page.wait_for_selector("#cut:visible:has-text('断开')")
    told = page.inner_text("#cut")
    assert "墙上的按钮随时能开门" in told and "已经" in told and page.title().startswith("✕ 断开")
    assert page.locator(".act:visible").count() == 0
    post.shoot("cut-off")
    page.wait_for_selector(f"#cut .since:text-matches('{REFER_S + 2}')")
    gate.line.silent = False
    page.wait_for_selector("#cut", state="hidden")
    page.wait_for_selector("#toast:has-text('门没有动')")  # the tap comes late, or its page asks about it first
    page.wait_for_selector(".panel .answer:has-text('没人答复') >> nth=0")
    assert f"{serial}-1-101" in page.inner_text(".panel .who")
    assert gate.rises() == before and page.locator(".badge.ask").count() == 0


def test_an_answer_that_is_lost_is_asked_for_and_the_page_says_what_the_gate_did(gate: RunningPost, post: Post) -> None:
    page, before = post.page, gate.rises()
    waiting(gate, post)

    def lose_the_answer(route: Any) -> None:
        route.fetch()
        route.abort()

    page.route("**/open", lose_the_answer)
    page.click(".act.open")
    page.wait_for_selector("#toast:has-text('已发出开门')")
    assert gate.rises() == before + 1
    page.unroute("**/open")
    gate.settle()


def test_an_answered_yellow_turns_green_at_once_and_a_second_tap_opens_nothing(gate: RunningPost, post: Post) -> None:
    page, before = post.page, gate.rises()
    serial = waiting(gate, post)
    let_in(post, serial)
    post.shoot("answered")
    post.settled()
    assert page.locator(".act.open").is_disabled()
    page.keyboard.press("o")
    gate.settle()
    page.wait_for_selector(".act.open:not([disabled])")
    assert gate.rises() == before + 1


@pytest.mark.parametrize("lacks", list(LACKS))
def test_an_old_browser_opens_the_gate_once_with_each_button_that_says_so(
    gate: RunningPost, post: Post, lacks: str
) -> None:
    before = gate.rises()
    post.page.add_init_script(LACKS[lacks])
    post.go("/")
    post.page.wait_for_selector("body.live")
    let_in(post, waiting(gate, post))
    assert gate.rises() == before + 1
    gate.settle()
    serial = waiting(gate, post)
    refused = f".panel:has-text('不放行，Lin'):has-text('{serial}-1-101')"
    post.insist(lambda: post.page.click(".act.refuse:not([disabled])"), refused)
    assert gate.rises() == before + 1


def test_a_page_whose_script_cannot_be_read_says_so_before_the_gate_too(gate: RunningPost, post: Post) -> None:
    post.page.route("**/post.js*", lambda route: route.fulfill(body=UNREADABLE, content_type="text/javascript"))
    post.go("/")
    post.page.wait_for_selector("#cut:visible:has-text('这一页没有在运行')")
    assert "墙上的按钮随时能开门" in post.page.inner_text("#cut")
    post.page.unroute("**/post.js*")
    post.page.wait_for_selector("body.live")
    post.complaints.clear()  # the browser's, of that script


def test_two_guards_who_answer_differently_read_what_the_gate_did(browser: Any, gate: RunningPost, post: Post) -> None:
    other, before = sign_in(browser, gate, "desk", "Zhao"), gate.rises()
    serial = waiting(gate, post, other)
    other.page.evaluate(HELD_PANEL)
    let_in(post, serial)
    said = "#toast:has-text('Lin已经放行，门开过了。您这一下没有起作用。')"
    other.insist(lambda: other.page.click(".act.refuse"), said)
    assert gate.rises() == before + 1
    gate.settle()
    other.context.close()


def test_a_core_that_is_killed_is_told_at_once_and_costs_no_new_sign_in(gate: RunningPost, post: Post) -> None:
    page, before = post.page, gate.rises()
    serial = waiting(gate, post)
    gate.send("core", signal.SIGKILL)
    page.wait_for_selector("#cut:visible:has-text('门控没有回应')")
    assert page.locator(".act:visible").count() == 0
    post.shoot("core-away")
    gate.start("core")
    page.wait_for_selector("#cut", state="hidden")
    page.wait_for_selector(".panel .answer:has-text('重启') >> nth=0")
    assert f"{serial}-1-101" in page.inner_text(".panel .who")
    post.shoot("core-back")
    let_in(post, waiting(gate, post))
    assert gate.rises() == before + 1
    gate.settle()


@pytest.mark.parametrize("name", ["core", "guard"])
def test_a_process_that_stands_still_is_told_and_nothing_tapped_meanwhile_is_done_later(
    gate: RunningPost, post: Post, name: str
) -> None:
    page, before = post.page, gate.rises()
    waiting(gate, post, red=True)
    gate.send(name, signal.SIGSTOP)
    try:
        page.click(".act.open")
        page.wait_for_selector("#cut:visible")
        page.keyboard.press("o")
    finally:
        gate.send(name, signal.SIGCONT)
    page.wait_for_selector("#cut", state="hidden")
    page.wait_for_selector("#toast:has-text('门没有动')")
    assert gate.rises() == before


def test_a_guard_process_that_is_killed_is_told_and_the_page_comes_back(gate: RunningPost, post: Post) -> None:
    gate.send("guard", signal.SIGKILL)
    post.page.wait_for_selector("#cut:visible:has-text('断开')")
    gate.restart_guard()
    post.page.wait_for_selector("#cut", state="hidden")
    waiting(gate, post)
