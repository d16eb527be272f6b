"""What a guard sees in Chromium while the reader is down and after it began anew: without a reload, and in the way of
nothing."""

from __future__ import annotations

import pytest

from tests.fixtures.browsers.chromium import boxes
from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.browsers.guard_stage import NOW_MS


def act_is_in_view(post: Post) -> bool:
    (act,) = boxes(post.page, ".act.open")
    return bool(act["y"] + act["height"] <= post.page.viewport_size["height"])


def test_a_reader_goes_down_and_comes_back_before_the_guards_eyes(post: Post) -> None:
    page, program = post.page, post.program
    post.sign_in()
    program.say("grant")
    page.wait_for_selector(".panel.tone-ok")
    assert page.locator(".reader-note").count() == 0
    program.say('lane camera_ok=false camera_why="reader_silent" signal="fault"')
    program.say("faults reader_silent")
    page.wait_for_selector(".bar.tone-stop")
    assert page.locator(".reader-note").inner_text()
    assert post.wide_as_the_screen() and act_is_in_view(post)
    post.shoot("reader-down")
    program.say('lane camera_ok=true camera_why="" signal="ready"')
    program.say(f"lane reader_restarts=4 reader_blames=2 reader_restarted_ms={NOW_MS - 60_000}")
    program.say("faults reader_restarted")
    page.wait_for_selector(".bar.tone-ok")  # it is over: a note, and no state of the gate
    assert "14:04" in page.locator(".reader-note").inner_text()
    assert post.wide_as_the_screen() and act_is_in_view(post)
    post.shoot("reader-restarted")
    post.go("/details")
    post.shoot("reader-details")


@pytest.mark.parametrize("theme", ["night"])
def test_the_note_is_legible_at_night(post: Post, theme: str) -> None:
    post.sign_in()
    post.go(f"/prefer/theme/{theme}?to=/")
    post.program.say(f"lane reader_restarts=1 reader_restarted_ms={NOW_MS - 60_000}")
    post.program.say("faults reader_restarted")
    post.page.wait_for_selector(".reader-note")
    post.shoot(f"reader-restarted-{theme}")
