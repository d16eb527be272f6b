"""One Chromium for all browser tests of a worker; every test opens a context of its own in it, and closes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.demo_passes import draw
from tests.fixtures.browsers.chromium import CHROMIUM, QUIET, STORY_LOOKS
from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.browsers.guard_program import Program, running
from tests.fixtures.browsers.phone_browser import Town
from tests.fixtures.people import add_desk

HERE = Path(__file__).parent
MARKS = (
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder needs Chromium."""
    for item in items:
        if item.path.is_relative_to(HERE):
            for mark in MARKS:
                item.add_marker(mark)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """A guards' page before a scripted core, with passes to present."""
    passes = tmp_path / "passes"
    passes.mkdir()
    listed = []
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


@pytest.fixture(params=STORY_LOOKS, ids="-".join)
def post(request: pytest.FixtureRequest, browser: Any, program: Program) -> Iterator[Post]:
    """A guard's page on each screen, in each language."""
    post = Post(browser, program, *request.param)
    yield post
    assert not post.complaints
    post.context.close()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A centre that a resident's phone reaches. Modules about another town have a fixture of their own."""
    made = Town(tmp_path / "centre")
    add_desk(made.centre, capacity=20)
    yield made
    made.close()
