"""How long after the light a lane's screen shows a decision: told by its stream, and asking as it would without one.

    python tests/bench/screen.py [--cards 100]

A gate's four real processes with simulated parts; two headless Chromium pages of the same lane, one with its stream and
one without. Each card changes the light, and both pages note when they drew it, so the two are measured in the same
moments. Printed: median and p99 in milliseconds; the aim is a median of 50 with the stream. By hand.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fixtures.browsers.chromium import CHROMIUM, QUIET
from tests.fixtures.processes import running_post
from tests.fixtures.processes.running_post import RunningPost

AIM_MS = 50.0
WATCHER = """
window.drawn = {};
document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  const face = document.getElementById("face");
  window.drawn[face.dataset.shown] = window.drawn[face.dataset.shown] || performance.timeOrigin + performance.now();
}).observe(document.body, {childList: true}));
"""
WITHOUT_STREAM = "delete window.EventSource;"


def lights(post: RunningPost) -> list[float]:
    """When the lane's light was last set, in milliseconds of the wall clock, the oldest first."""
    lines = [json.loads(line) for line in (post.device.parts / "outputs.jsonl").read_text().splitlines()]
    return [line["t"] * 1000 for line in lines if line["what"] == "light" and line["value"] in ("yellow", "red")]


def measure(post: RunningPost, pages: dict[str, Any], cards: int) -> dict[str, list[float]]:
    """By page, milliseconds from the light to the drawn face, card by card."""
    waited: dict[str, list[float]] = {name: [] for name in pages}
    for number in range(cards):
        before = len(lights(post))
        post.show(red=number % 2 == 0)
        lit = lights(post)[before]
        for name, page in pages.items():
            page.wait_for_function("since => Object.values(drawn).some((at) => at > since)", arg=lit - 5)
            drawn = min(at for at in page.evaluate("Object.values(drawn)") if at > lit - 5)
            waited[name].append(drawn - lit)
    return waited


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cards", type=int, default=100)
    cards = parser.parse_args().cards
    running_post.PASSES = 2 * cards + 2
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        post = RunningPost(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            pages = {"stream": browser.new_page(), "asking": browser.new_page()}
            pages["asking"].add_init_script(WITHOUT_STREAM)
            for page in pages.values():
                page.add_init_script(WATCHER)
                page.goto(f"{post.address}/screen/entry")
                page.wait_for_selector("#face")
            waited = measure(post, pages, cards)
        finally:
            browser.close()
            post.close()
    for name, times in waited.items():
        p99 = statistics.quantiles(times, n=100)[98] if len(times) > 1 else times[0]
        Console().print(f"{name}: p50 {statistics.median(times):.0f} ms, p99 {p99:.0f} ms, {len(times)} cards")
    return 0 if statistics.median(waited["stream"]) <= AIM_MS else 1


if __name__ == "__main__":
    sys.exit(main())
