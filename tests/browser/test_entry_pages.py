"""People without a pass of their own, on a guard's phone before the four real processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.processes.running_post import PASSES, RunningPost

pytestmark = pytest.mark.slow
PATIENCE_MS = 60_000


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[RunningPost]:
    """One for each test: a sensor that sees ten passages within 10 s is a loose wire, and a quick machine plays as many
    in two tests."""
    running = RunningPost(tmp_path, passage_s=60)
    yield running
    running.close()


class Thumb:
    """A guard's thumb: it counts what it taps, from the post page on; ``needed`` leaves out what a slow machine lets
    come late, and what is tapped again."""

    def __init__(self, post: Post) -> None:
        self.page, self.taps, self._began = post.page, 0, time.monotonic()
        self._last, self.needed = "", 0

    def tap(self, what: str) -> None:
        self.taps += 1
        self.needed += what != self._last
        self._last = what
        self.page.locator(what).click()

    def tell(self, what: str) -> None:
        """The seconds are the page's own, since this thumb does not have to look; people are slower."""
        print(f"{what}: {self.taps} taps, {time.monotonic() - self._began:.1f} s")


def sign_in(browser: Any, gate: RunningPost, language: str) -> Post:
    post = Post(browser, gate, "phone", language)  # type: ignore[arg-type]
    post.page.set_default_timeout(PATIENCE_MS)
    post.page.set_viewport_size({"width": 360, "height": 740})
    post.sign_in("Lin")
    return post


SAYS = {
    "zh": {"done": "没带证，已登记 · 4人 · Lin", "unlisted": "名单里没有这一户", "watched": "这一户有证暂停",
           "family": "家人跟着走 · 3人 · Lin", "again": "再放行",
           "passed": "已通过"},
    "en": {"done": "No pass, registered · 4 people · Lin", "unlisted": "does not have that home",
           "watched": "suspended or marked", "family": "Family follows · 3 people · Lin", "again": "let in",
           "passed": "passed"},
}  # fmt: skip


@pytest.mark.parametrize(("language", "dwelling"), [("zh", f"{PASSES + 1}-1-101"), ("en", f"{PASSES + 2}-1-101")])
def test_a_household_without_a_pass_is_registered_and_let_in_again(
    browser: Any, gate: RunningPost, language: str, dwelling: str
) -> None:
    post, says, before = sign_in(browser, gate, language), SAYS[language], gate.rises()
    thumb, page = Thumb(post), post.page
    thumb.tap("a.tool[href='/no-pass']")
    page.wait_for_selector("body.live .keypad:not([hidden])")
    assert post.wide_as_the_screen()
    post.shoot("no-pass")
    for sign in dwelling:
        thumb.tap(f".keypad [data-digit='{sign}']")
    thumb.tap(".people label:has([value='4'])")
    done = f"#lines li:has-text('{says['done']}'):has-text('{dwelling}')"
    post.insist(lambda: thumb.tap("#entry .act.open[value=entry]"), done)
    thumb.tell(f"no pass ({language})")
    assert gate.risen(before + 1) == before + 1 and thumb.needed == len(dwelling) + 3
    gate.settle()
    thumb = Thumb(post)
    thumb.tap("a.tool[href='/no-pass']")
    page.wait_for_selector("body.live")
    again = f".again form:has([value='{dwelling}']) button[value=entry]:has-text('{says['again']}')"
    post.insist(lambda: thumb.tap(again), f"#lines :nth-match(li:has-text('{dwelling}'), 2)")
    thumb.tell(f"no pass, again ({language})")
    assert gate.risen(before + 2) == before + 2 and thumb.needed == 2
    gate.settle()
    assert not post.complaints
    post.context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_wrong_dwelling_opens_nothing_and_says_what_to_do(browser: Any, gate: RunningPost, language: str) -> None:
    post, before = sign_in(browser, gate, language), gate.rises()
    post.go("/no-pass")
    for dwelling, why in (("99-9-999", "unlisted"), ("1-1-101", "watched")):
        post.page.wait_for_selector("body.live")
        post.page.fill("#term", dwelling)
        post.page.locator("#entry .act.open[value=entry]").click()
        post.page.wait_for_selector(f"#toast:has-text('{SAYS[language][why]}')")
    assert post.page.input_value("#term") == "1-1-101" and gate.rises() == before
    post.context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_family_of_four_goes_through_behind_one_code(browser: Any, gate: RunningPost, language: str) -> None:
    post, before = sign_in(browser, gate, language), gate.rises()
    serial = gate.let_in()
    post.page.wait_for_selector(f".panel:has-text('{serial}-1-101') .follow")
    post.settled()
    post.shoot("family")
    thumb = Thumb(post)
    family = f"#lines li:has-text('{serial}-1-101'):has(.badge:has-text('{SAYS[language]['family']}'))"
    post.insist(lambda: thumb.tap(".follow button[value='3']"), family)
    thumb.tell(f"family of four ({language})")
    for _ in range(4):
        gate.settle()
    badges = post.page.locator(f"{family} .badge:has-text('{SAYS[language]['passed']}')")
    badges.nth(3).wait_for()
    assert badges.count() == 4 and gate.rises() > before and thumb.needed == 1
    assert not post.complaints
    post.context.close()
