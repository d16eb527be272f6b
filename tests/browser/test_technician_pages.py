"""The details page before the four real processes: what the camera sees, a reader that dies, and who looked."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.faults.runs.audit import read_books
from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.processes.running_post import WAIT_S, RunningPost

pytestmark = pytest.mark.slow

PICTURE = "img[data-picture]"
SEEN = """() => {
    const picture = document.querySelector("img[data-picture]");
    const top = document.querySelector("header.top").getBoundingClientRect().bottom;
    return !picture.hidden && picture.naturalWidth === 320 && picture.getBoundingClientRect().top >= top;
}"""
"""A picture of the camera's is shown, and the bar does not hide it."""
FRAMES = """name => Array.from(document.querySelectorAll("#tables tr")).some(
    row => row.cells[0].textContent === name && parseFloat(row.cells[1].textContent) > 1)"""
"""The tables say that frames come; they are drawn anew while the page is open."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPost]:
    running = RunningPost(tmp_path_factory.mktemp("gate"))
    yield running
    running.close()


def technician(browser: Any, gate: RunningPost, screen: str, language: str, theme: str = "day") -> Post:
    """Signed in, and looking through the camera."""
    post = Post(browser, gate, screen, language)  # type: ignore[arg-type]
    post.page.set_default_timeout(40_000)
    post.sign_in("Wu")
    post.go(f"/prefer/theme/{theme}?to=/details")
    post.page.locator("#camera-entry button").click()
    sees(post)
    return post


def sees(post: Post) -> None:
    """The page shows a picture that came from the camera."""
    post.page.wait_for_function(SEEN)


def looks(gate: RunningPost, fewest: int = 0) -> list[tuple[str, str]]:
    """Who looked where, by the journal, once it has so many looks."""
    found: list[tuple[str, str]] = []
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found = [(event.lane, event.by) for event in read_books(gate.device).of("viewed")]
        if len(found) >= fewest:
            break
    return found


@pytest.mark.parametrize(
    ("screen", "language", "theme"), [("phone", "zh", "night"), ("desk", "en", "day"), ("phone", "en", "day")]
)
def test_a_technician_sees_through_the_camera_and_the_page_says_when_the_reader_dies(
    browser: Any, gate: RunningPost, screen: str, language: str, theme: str
) -> None:
    before = len(looks(gate))
    post = technician(browser, gate, screen, language, theme)
    page = post.page
    assert looks(gate, before + 1)[before:] == [("entry", "Wu")]
    page.wait_for_function(FRAMES, arg="每秒画面" if language == "zh" else "Frames a second")
    assert post.wide_as_the_screen()
    assert page.locator("section[id^=camera-]").count() == 1, "the other lane has no camera"
    post.shoot(f"details-{theme}")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")  # no element: tables are drawn anew meanwhile
    post.shoot(f"details-tables-{theme}")
    gate.send("reader", signal.SIGKILL)
    lost = "识别程序没有回应" if language == "zh" else "The reader does not answer"
    page.locator("#camera-entry [data-words]", has_text=lost).wait_for()
    page.locator(PICTURE).wait_for(state="hidden")
    post.shoot(f"details-reader-dead-{theme}")
    page.evaluate("scrollTo(0, 0)")
    gate.start("reader")
    sees(post)  # the look goes on, and was not begun again
    assert len(looks(gate)) == before + 1
    assert not post.complaints
    post.context.close()


def test_no_frame_is_asked_for_once_the_page_is_closed_and_no_guard_sees_any(browser: Any, gate: RunningPost) -> None:
    post = technician(browser, gate, "desk", "zh")
    cookies = {cookie["name"]: cookie["value"] for cookie in post.context.cookies()}
    post.context.close()
    path = f"{gate.address}/details/picture/entry"
    assert requests.get(path, cookies=cookies, timeout=20).headers["Content-Type"] == "image/jpeg"
    assert requests.get(path, allow_redirects=False, timeout=20).status_code == 303
    guard = Post(browser, gate, "desk", "zh")  # type: ignore[arg-type]
    guard.sign_in("Lin")
    guard.go("/details")
    guard.page.locator("text=摄像头画面只给技术员看").wait_for()
    assert guard.page.locator(PICTURE).count() == 0
    guard.context.close()
