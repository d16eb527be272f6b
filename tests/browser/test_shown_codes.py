"""Cards, phones and pictures with codes as Chromium really draws them: measured, then held before the gates' reader."""

from __future__ import annotations

import base64
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sync.server.passes import card, passes
from tests.fixtures.browsers.chromium import CHROMIUM, PICTURES, QUIET, box
from tests.fixtures.browsers.officer_browser import GHOSTSCRIPT, Officer
from tests.fixtures.browsers.officer_browser import Town as OfficeTown
from tests.fixtures.browsers.phone_browser import Phone, Town, good
from tests.fixtures.pictures.drawn_codes import Drawn, dimmed, faults, held, measure, photographed, watched

DPI = 300
CSS_A_MM = 160 / 25.4
"""Android's nominal 160 to the inch; an iPhone has 153 to 163, a tablet 132."""
NARROWEST_MM = 3 * 25 / 94 * 0.99
"""Three pixels of the camera at 25 cm, where a phone is held: what Q may cost."""
DEVICES = {
    "small": (320, 568, 2.0), "usual": (360, 740, 3.0), "fraction": (412, 915, 2.625), "large": (430, 932, 3.0),
    "old": (360, 640, 1.5), "on-its-side": (740, 360, 3.0), "tablet": (820, 1180, 2.0),
}  # fmt: skip


class Device(Phone):
    """A phone of some size and pixel ratio."""

    def __init__(self, browser: Any, town: Town, device: str, **more: Any):
        width, height, self.ratio = DEVICES[device]
        super().__init__(browser, town, "phone", device_scale_factor=self.ratio, **more)
        self.page.close()
        self.context.close()
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=self.ratio, has_touch=True, locale="zh-CN",
            **more,
        )  # fmt: skip
        self.name = device
        self.open()

    def screen(self) -> np.ndarray:
        """What the screen shows round the code, in its own pixels: the width of the page, and some of what is above
        and below."""
        place = box(self.page, "#passes .code")
        width, height = self.page.viewport_size["width"], self.page.viewport_size["height"]
        top = max(0.0, place["y"] - 10)
        clip = {"x": 0, "y": top, "width": width, "height": min(height - top, place["height"] + 20)}
        shot = Image.open(io.BytesIO(self.page.screenshot(clip=clip))).convert("RGB")
        assert len(set(shot.getpixel((shot.width // 2, 2)))) == 1, "no colour above the code"
        return np.asarray(shot.convert("L"))

    @property
    def pixels_per_mm(self) -> float:
        return CSS_A_MM * self.ratio


def opened(device: Device, number: str) -> Drawn:
    """The pass on the screen, its code measured."""
    device.activate(number)
    device.drawn()
    return measure(device.screen())


def keep(picture: np.ndarray, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    Image.fromarray(picture).save(PICTURES / f"{name}.png")


# Phones


EVERY_DAY = ("usual", "small")


@pytest.mark.parametrize(
    "name", [name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.slow) for name in DEVICES]
)
def test_a_phones_code_is_whole_pixels_large_enough_and_read_where_it_is_held(
    browser: Any, town: Town, name: str
) -> None:
    number = town.issue(label="王*").number
    device = Device(browser, town, name)
    drawn = opened(device, number)
    assert faults(drawn, device.pixels_per_mm, NARROWEST_MM) == []
    assert drawn.text in good(town, number) and drawn.version == 8
    if device.ratio != DEVICES["fraction"][2]:  # there the page itself does not end with a whole pixel
        assert drawn.module == int(drawn.module) and drawn.uneven == 0 and drawn.soft == 0
    screen = device.screen()
    for distance in (16, 25, 30):
        side = held(screen, device.pixels_per_mm, distance)
        assert watched(screen, side, distance, 0.3) is not None, f"{distance} cm"
    assert photographed(screen, held(screen, device.pixels_per_mm, 20), 1, 0.3) == [drawn.text]
    keep(screen, f"shown-{name}")
    device.close()


def test_turning_the_phone_draws_it_anew_in_whole_pixels(browser: Any, town: Town) -> None:
    device = Device(browser, town, "usual")
    upright = opened(device, town.issue().number)
    device.page.set_viewport_size({"width": 740, "height": 300})
    device.until(f"document.querySelector('canvas').width < {round(upright.module * 57)}")
    turned = measure(device.screen())
    assert turned.module == int(turned.module) and turned.uneven == 0
    assert faults(turned, device.pixels_per_mm, NARROWEST_MM) == []
    device.close()


@pytest.mark.parametrize("share", [*(pytest.param(share, marks=pytest.mark.slow) for share in (1.0, 0.25)), 0.12])
def test_a_screen_turned_down_is_read_in_the_dark_lane(browser: Any, town: Town, share: float) -> None:
    device = Device(browser, town, "usual", color_scheme="dark")
    drawn = opened(device, town.issue().number)
    assert faults(drawn, device.pixels_per_mm, NARROWEST_MM) == []
    screen = dimmed(device.screen(), share)
    side = held(screen, device.pixels_per_mm, 25)
    assert watched(screen, side, 5, 0.25) is not None
    device.close()


@pytest.fixture
def darkened(browser: Any) -> Iterator[Any]:
    """A browser that darkens every page that does not forbid it, as those of many phones do."""
    dark = browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=[*QUIET, "--enable-features=WebContentsForceDark", "--blink-settings=forceDarkModeEnabled=true"],
    )
    yield dark
    dark.close()


@pytest.mark.parametrize("script", [True, False], ids=["drawn-here", "by-the-centre"])
def test_a_browser_that_darkens_pages_darkens_no_code(darkened: Any, town: Town, script: bool) -> None:
    device = Device(darkened, town, "usual", color_scheme="dark", java_script_enabled=script)
    device.page.set_content(f"<body>plain{card.drawn('PLAIN')}</body>")
    plain = Image.open(io.BytesIO(device.page.screenshot())).convert("L")
    assert plain.getpixel((2, 2)) < 60, "this browser does darken pages"
    device.go(town.code(town.issue().number))
    device.page.click("main button")
    device.page.wait_for_selector("#passes canvas" if script else "#passes svg")
    assert faults(measure(device.screen()), device.pixels_per_mm, NARROWEST_MM) == []
    device.close()


WAYS: list[dict[str, Any]] = [{"java_script_enabled": False}, {"forced_colors": "active"}]


@pytest.mark.parametrize("how", WAYS, ids=["no-script", "forced-colours"])
def test_what_the_centre_draws_is_black_on_white_with_hard_edges_too(browser: Any, town: Town, how: Any) -> None:
    number = town.issue().number
    device = Device(browser, town, "usual", **how)
    device.go(town.code(number))
    device.page.click("main button")
    device.page.wait_for_selector("#passes article")
    if "forced_colors" in how:
        device.drawn()
    drawn = measure(device.screen())
    assert faults(drawn, device.pixels_per_mm, NARROWEST_MM) == []
    assert drawn.text in good(town, number) and drawn.version == 8
    device.close()


def test_a_phone_that_kept_the_code_of_another_version_asks_anew(browser: Any, town: Town) -> None:
    number = town.issue().number
    device = Device(browser, town, "usual")
    opened(device, number)
    device.page.evaluate("""() => {
      const kept = JSON.parse(localStorage.getItem("pass-7"));
      localStorage.setItem("pass-7", JSON.stringify({ ...kept, v: 1, size: 41, quiet: 2 }));
    }""")
    device.page.reload()
    device.drawn()
    drawn = measure(device.screen())
    assert drawn.text in good(town, number) and drawn.version == 8 and drawn.quiet >= 4
    assert device.page.evaluate("JSON.parse(localStorage.getItem('pass-7')).v") == 2
    device.close()


def test_the_picture_a_visitor_is_sent_has_a_code_as_large_as_it_can_be(browser: Any, town: Town) -> None:
    device = Device(browser, town, "usual")
    device.go(f"/j/7/s/{town.household('collected').link}/visitors")
    device.page.fill("[name=name]", "陈明")
    device.page.click("main form button.main")
    device.page.wait_for_selector("#picture")
    raw = device.page.evaluate("document.getElementById('picture').src").split(",")[1]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(raw))).convert("L"))
    width_mm = device.page.viewport_size["width"] / CSS_A_MM
    device.close()
    drawn = measure(picture)
    assert drawn.text.startswith("G1") and (drawn.version, drawn.level, drawn.uneven, drawn.soft) == (7, "Q", 0, 0)
    assert faults(drawn, picture.shape[1] / width_mm, NARROWEST_MM) == [], "as wide as a phone shows it"
    code = np.ascontiguousarray(picture[drawn.box[1] - 60 : drawn.box[3] + 60])
    assert watched(code, held(code, picture.shape[1] / width_mm, 25), 2, 0.3) is not None


# Cards


@pytest.fixture
def office(tmp_path: Path) -> Iterator[OfficeTown]:
    made = OfficeTown(tmp_path / "office")
    made.furnish()
    yield made
    made.close()


def pages(officer: Officer, folder: Path) -> list[np.ndarray]:
    """What comes out of a printer with 300 dots an inch."""
    printed = folder / "printed.pdf"
    officer.page.pdf(path=str(printed), prefer_css_page_size=True, print_background=True)
    subprocess.run([str(GHOSTSCRIPT), "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pnggray", f"-r{DPI}",
                    f"-sOutputFile={folder}/page-%d.png", str(printed)], check=True)  # fmt: skip
    return [np.asarray(Image.open(path).convert("L")) for path in sorted(folder.glob("page-*.png"))]


@pytest.mark.skipif(not GHOSTSCRIPT.exists(), reason="Ghostscript is not installed: nothing is printed")
def test_a_printed_card_has_modules_of_nine_dots_and_is_read_from_16_to_30_cm(
    browser: Any, office: OfficeTown, tmp_path: Path
) -> None:
    officer = Officer(browser, office, "desk", "zh")
    officer.sign_in()
    officer.go("/c/7/passes/7-000001/card")
    front = pages(officer, tmp_path)[0]
    officer.close()
    dots = DPI / 25.4
    drawn = measure(front)
    assert faults(drawn, dots, card.SMALLEST_MM) == []
    assert drawn.text == passes.credential_text(office.centre, "7-000001", "card")
    assert drawn.version == 7 and drawn.module == pytest.approx(9, abs=0.03)
    for distance in (16, 20, 25, 30):
        side = held(front, dots, distance)
        assert watched(front, side, distance, 0.3) is not None, f"{distance} cm"
        assert photographed(front, side, distance, 0.2) == [drawn.text]
    keep(front, "shown-card")
