"""The fixture that measures and photographs elements, before pages that draw themselves anew at any moment."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from tests.fixtures.browsers.chromium import box, boxes, shot

RESTLESS = """<body style="margin: 0"><p style="height: 900px"></p><main></main><script>
  const draw = () => {
    document.querySelector("main").innerHTML =
      "<i style='display: block; width: 40.5px; height: 30px; margin-left: 10.2px; background: #f00'>a</i>";
  };
  const again = () => { draw(); setTimeout(again, 0); };
  again();
  const frame = () => { draw(); requestAnimationFrame(frame); };
  frame();
</script></body>"""

TALL = """<body style="margin: 0"><p style="height: 90px; margin: 0"></p>
<main style="height: 1500px; border: 3px solid #00f; box-sizing: border-box"></main></body>"""


def test_an_element_that_is_drawn_anew_all_the_time_is_photographed_and_measured(browser: Any) -> None:
    page = browser.new_page()
    page.set_content(RESTLESS)
    picture = Image.open(io.BytesIO(shot(page, "main i"))).convert("RGB")
    assert picture.size == (41, 30) and picture.getpixel((20, 25)) == (255, 0, 0)
    assert box(page, "main i")["width"] == 40.5
    assert [one["text"] for one in boxes(page, "main i")] == ["a"]
    page.close()


def test_an_element_larger_than_the_window_is_photographed_whole(browser: Any) -> None:
    page = browser.new_page(viewport={"width": 300, "height": 200})
    page.set_content(TALL)
    picture = Image.open(io.BytesIO(shot(page, "main"))).convert("RGB")
    assert picture.size == (300, 1500)
    assert {picture.getpixel((x, y)) for x in (1, 298) for y in (1, 1498)} == {(0, 0, 255)}
    page.close()
