"""A guards' page before the four real processes, when Wi-Fi fails, a process is killed, or two guards answer."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.processes.running_post import RunningPost

pytestmark = pytest.mark.slow
REFER_S = 20
"""Long enough for a slow machine to draw two pages and press a button on each."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPost]:
    running = RunningPost(tmp_path_factory.mktemp("gate"), refer_s=REFER_S)
    yield running
    running.close()


def sign_in(browser: Any, gate: RunningPost, screen: str = "phone", name: str = "Lin", language: str = "zh") -> Post:
    post = Post(browser, gate, screen, language)  # type: ignore[arg-type]
    post.page.set_default_timeout(40_000)
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
    page.click(".act.open")
    page.wait_for_selector(f".panel.tone-ok:has-text('已放行 · Lin'):has-text('{serial}-1-101')")
    post.shoot("answered")
    post.settled()
    assert page.locator(".act.open").is_disabled()
    page.keyboard.press("o")
    page.wait_for_selector(".act.open:not([disabled])")
    assert gate.rises() == before + 1


def test_two_guards_who_answer_differently_read_what_the_gate_did(browser: Any, gate: RunningPost, post: Post) -> None:
    other, before = sign_in(browser, gate, "desk", "Zhao"), gate.rises()
    waiting(gate, post, other)
    other.page.evaluate("source.close()")  # what the other guard still sees
    post.page.click(".act.open")
    post.page.wait_for_selector(".panel.tone-ok")
    other.page.click(".act.refuse")
    other.page.wait_for_selector("#toast:has-text('Lin已经放行，门开过了。您这一下没有起作用。')")
    assert gate.rises() == before + 1
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
    waiting(gate, post)
    page.click(".act.open")
    page.wait_for_selector(".panel.tone-ok:has-text('已放行 · Lin')")
    assert gate.rises() == before + 1


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
