"""The centre's pages in Chromium: what an officer sees and does, on a phone and at a desk, in both languages."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sync.server.passes import compounds, passes
from tests.fixtures.browsers.chromium import PICTURES, STORY_LOOKS, box, shot
from tests.fixtures.browsers.officer_browser import GHOSTSCRIPT, Officer, Town, button, dark_square


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "centre")
    made.furnish()
    yield made
    made.close()


@pytest.fixture(params=STORY_LOOKS, ids="-".join)
def officer(browser: Any, town: Town, request: pytest.FixtureRequest) -> Iterator[Officer]:
    made = Officer(browser, town, *request.param)
    yield made
    made.close()


def test_an_officers_day(officer: Officer, town: Town) -> None:
    page = officer.page
    officer.go(town.link)
    officer.picture("0-welcome")
    officer.sign_in()
    officer.picture("1-passes")

    # issue, hand over, extend, revoke
    page.fill("input[name=label]", "欧阳娜")
    page.fill("input[name=dwelling]", "1-1-101")
    page.check("input[name=phone]")
    page.click("form:has(select[name=kind]) button.main")
    page.wait_for_url("**/passes/7-*")
    number = page.url.rsplit("/", 1)[1]
    officer.picture("2-pass-printed")
    button(page, "hand_over").click()
    page.fill("input[name=until]", "2028-12-31")
    button(page, "extend").click()
    officer.picture("2-pass-too-long")
    button(page, "extend_reissue").click()
    found = passes.get_pass(town.centre, number)
    assert (found.state, found.valid_until_ms) == ("active", passes.read_time("2028-12-31", "Asia/Shanghai", True))
    page.click("details.stop summary")
    officer.picture("3-pass-revoke")
    button(page, "revoke").click()
    assert passes.get_pass(town.centre, number).state == "revoked"
    officer.go("/c/7/passes/7-000003")
    officer.picture("4-pass-expired")

    # the rules
    officer.go("/c/7/rules")
    officer.picture("5-rules")
    page.select_option("#stage-0-stage", "introduce")
    page.fill("#stage-0-from", "2027-01-01")
    page.select_option("#hours-0-kind", "visitor")
    page.fill("#passback_s", "soon")
    page.click(".sticky button")
    officer.picture("6-rules-wrong")
    assert page.input_value("#passback_s") == "soon" and page.input_value("#stage-0-from") == "2027-01-01"
    page.fill("#passback_s", "5")
    page.check("input[name=hours-0-day][value='6']")
    page.fill("#hours-0-from", "08:00")
    page.fill("#hours-0-to", "20:30")
    page.click(".sticky button")
    officer.picture("7-rules-saved")
    rules = compounds.read_rules(compounds.read_compound(town.centre, 7))
    assert (rules.passback_s, rules.enforcement[0].stage, rules.hours["visitor"][0].to_minute) == (
        300,
        "introduce",
        1230,
    )

    # a gate
    officer.go("/c/7/gates")
    officer.picture("8-gates")
    page.fill("input[name=name]", "北门")
    page.click("form.row button.main")
    assert re.search(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){7}", officer.text())
    officer.picture("9-code")

    # events, guards, and everybody extended
    officer.go("/c/7/gates/g1/events")
    officer.picture("a-events")
    officer.go("/c/7/guards")
    officer.picture("b-guards")
    officer.go("/c/7/extend")
    officer.picture("c-extend")
    soon = datetime.fromtimestamp(town.now_ms / 1000 + 86400 * 90).strftime("%Y-%m-%d")  # noqa: DTZ006 (a coming day)
    page.fill("input[name=until]", soon)
    page.click("form[method=get] button")
    officer.picture("d-extend-counted")
    page.check("input[name=sure]")
    page.click(".confirm button")
    officer.picture("e-extended")
    assert passes.get_pass(town.centre, "7-000001").valid_until_ms == passes.read_time(soon, "Asia/Shanghai", True)


def test_a_button_stands_level_with_its_field(browser: Any, town: Town) -> None:
    officer = Officer(browser, town, "desk", "zh")
    officer.sign_in()
    field = box(officer.page, "input[name=q]")
    beside = box(officer.page, "form[role=search] button")
    assert abs(field["y"] + field["height"] - beside["y"] - beside["height"]) < 1
    officer.close()


def test_a_printed_card_is_a_card_and_its_code_is_read(browser: Any, town: Town, tmp_path: Path) -> None:
    from PIL import Image as image

    from hardware.reading import decoder
    from kiosk.reader.pictures import load_picture

    officer = Officer(browser, town, "desk", "zh")
    officer.sign_in()
    officer.go("/c/7/passes/7-000001/card")
    officer.picture("f-card")
    overfull = "sides => sides.map((c) => c.scrollHeight > c.clientHeight || c.scrollWidth > c.clientWidth)"
    assert officer.page.locator(".card").evaluate_all(overfull) == [False, False]
    text = passes.credential_text(town.centre, "7-000001", "card")

    def read(picture: bytes) -> list[str]:
        return [found.text for found in decoder.QrDecoder().decode(load_picture(picture))]

    assert read(shot(officer.page, "#front")) == [text]
    printed = tmp_path / "card.pdf"
    officer.page.pdf(path=str(printed), prefer_css_page_size=True, print_background=True)
    officer.close()
    boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([0-9.]+) ([0-9.]+) ?\]", printed.read_bytes())
    assert len(boxes) == 2, "front and back, and nothing else"
    assert all(abs(float(w) / 72 * 25.4 - 86) < 0.4 and abs(float(h) / 72 * 25.4 - 54) < 0.4 for w, h in boxes)
    if not GHOSTSCRIPT.exists():
        pytest.skip("Ghostscript is not installed: the printed size of the code is not measured")
    sides = PICTURES / "centre-card-%d.png"
    subprocess.run([GHOSTSCRIPT, "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=png16m", "-r300", f"-sOutputFile={sides}",
                    str(printed)], check=True)  # fmt: skip
    front = PICTURES / "centre-card-1.png"
    assert read(front.read_bytes()) == [text]
    left, top, right, bottom = dark_square(image.open(front).convert("L"))
    assert 30 <= (right - left) / 300 * 25.4 <= 35 and abs((right - left) - (bottom - top)) <= 2
