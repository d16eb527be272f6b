"""The demo's page in Chromium, against the true demo: every door leads to a page of that person, at every click."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fixtures.browsers.chromium import PICTURES, SCREENS

START_S = 600.0
BEHIND = {
    "resident": ("/j/1", ""),
    "property": ("/c/1/review", "王敏"),
    "clerk": ("/c/1/collect", "李娜"),
    "guard": ("/sign-in", ""),
    "entry": ("/screen/entry", ""),
    "exit": ("/screen/exit", ""),
    "town": ("/", "周洁"),
}
"""Door → the path behind it, and whose name stands there."""


@pytest.fixture
def address() -> Iterator[str]:
    """The one address that a running demo prints."""
    command = [sys.executable, "-m", "kiosk", "demo", "--port", "0"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert demo.stdout
    try:
        begun, found = time.monotonic(), None
        while found is None and time.monotonic() - begun < START_S:
            line = demo.stdout.readline()
            assert line, "the demo ended"
            assert len(line) < 80
            found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found
        yield found[0]
    finally:
        demo.terminate()
        demo.communicate(timeout=60)


def present_as_the_shown_guard(page: Any, context: Any) -> None:
    """Sign in with the name and PIN on the page, present the first demo pass, and see it granted."""
    name, pin = page.locator(".guard tbody tr").first.locator("td").all_inner_texts()
    with context.expect_page() as opened:
        page.click("a[href='/go/guard']")
    post = opened.value
    post.fill("[name=name]", name)
    post.fill("[name=pin]", pin)
    post.click("button.act")
    post.click("a[href='/present']")
    post.locator("button[name=file]").first.click()
    post.locator("#panel .reason", has_text="证有效，放行。").wait_for()
    post.close()


@pytest.mark.slow
def test_every_door_leads_to_its_person_at_the_first_click_and_at_the_second(browser: Any, address: str) -> None:
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if "Policy" in said.text else None)
    PICTURES.mkdir(exist_ok=True)
    for screen, (width, height) in SCREENS.items():
        page.set_viewport_size({"width": width, "height": height})
        for language, scheme in (("en", "dark"), ("zh", "light")):
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{address}?language={language}")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            small = "[...document.querySelectorAll('a')].filter(e => e.getBoundingClientRect().height < 44).length"
            assert page.evaluate(small) == 0
            page.screenshot(path=PICTURES / f"demo-{screen}-{language}-{scheme}.png", full_page=True)
    assert page.locator("section").count() == 6
    assert page.locator("ol").evaluate_all("lists => lists.map(list => list.children.length)") == [3] * 6
    for _ in range(2):
        for door, (path, name) in BEHIND.items():
            with context.expect_page() as opened:
                page.click(f"a[href='/go/{door}']")
            behind = opened.value
            behind.wait_for_load_state()
            assert urlsplit(behind.url).path == path, door
            assert name in behind.inner_text("body"), door
            behind.close()
    present_as_the_shown_guard(page, context)
    assert not complaints
    context.close()
