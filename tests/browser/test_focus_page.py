"""The focus aid in Chromium: what a technician with a phone or a laptop sees of a live camera."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from hardware import CameraSettings
from hardware.reading.decoder import QrDecoder
from kiosk.commands.focus import Aid, open_for_focus
from kiosk.commands.focus_page import FocusServer, Keys, create_page
from tests.fixtures.browsers.chromium import PICTURES

SCREENS = {"phone": (360, 740), "desk": (1280, 860)}


@pytest.fixture
def address() -> Iterator[str]:
    """The address in the terminal of a running aid, its camera simulated, its card 4 cm behind the focus."""
    camera = open_for_focus(CameraSettings(lane="entry", part="simulated", frame_us=15_000))
    aid, keys, over = Aid(camera, QrDecoder(), 25.0), Keys(), threading.Event()
    aid.expected_px = 1.74  # the longest words
    server = FocusServer("127.0.0.1", 0, create_page(aid, "entry", keys, lambda: 800.0))

    def look() -> None:
        while not over.is_set():
            aid.turn()

    threads = [threading.Thread(target=look), threading.Thread(target=server.serve_forever)]
    for thread in threads:
        thread.start()
    yield f"http://127.0.0.1:{server.port}/enter/{keys.token}"
    over.set()
    server.shutdown()
    server.server_close()
    for thread in threads:
        thread.join()


def shoot(page, what: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"focus-{what}.png", full_page=True)


@pytest.mark.slow
def test_live_figures_then_a_search_that_ends_with_the_line_to_write(browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Policy" in said.text else None)
    page.goto(address)
    start = page.url
    page.wait_for_selector("#advice.tone-ok")
    for screen, (width, height) in SCREENS.items():
        for language in ("zh", "en"):
            for scheme in ("light", "dark"):
                page.set_viewport_size({"width": width, "height": height})
                page.emulate_media(color_scheme=scheme)
                page.goto(f"{start}?language={language}")
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
                small = "[...document.querySelectorAll('a, button')].filter(e => e.getBoundingClientRect().height < 44)"
                assert page.evaluate(f"{small}.length") == 0
                shoot(page, f"{screen}-{language}-{scheme}")
    first = page.get_attribute("#whole", "src")
    page.wait_for_selector(f"#whole:not([src='{first}'])")
    page.click("#search")
    page.wait_for_selector("#search[disabled]")
    shoot(page, "searching")
    page.wait_for_selector("#found:not([hidden])")
    line = page.text_content("[data-say=line]")
    assert line.startswith("distance_cm = ")
    assert abs(100 / float(line.split("=")[1]) - 100 / 29) < 0.2
    shoot(page, "found-en")
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="light")
    page.goto(f"{start}?language=zh")
    shoot(page, "found-zh-phone")
    assert not complaints
    context.close()


@pytest.mark.slow
def test_an_old_browser_shows_live_figures_too(browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        "delete AbortSignal.timeout; delete window.fetch; MediaQueryList.prototype.addEventListener = undefined"
    )
    page.goto(address)
    first = page.get_attribute("#whole", "src")
    page.wait_for_selector(f"#whole:not([src='{first}'])")
    with page.expect_response("**/again"):
        page.click("#again")
    page.wait_for_selector("#cut-off", state="hidden")
    context.close()


def test_without_a_script_the_page_shows_the_same_and_reloads_itself(browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("[data-say=sharpness]")
    page.click("#again")
    page.wait_for_selector("[data-say=sharpness]")
    context.close()
