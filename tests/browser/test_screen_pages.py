"""The residents' screen in Chromium: HDMI and the small panel, every state, and coming back by itself."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import TimeoutError

from hardware.reading.decoder import QrDecoder
from tests.fixtures.browsers.chromium import PATIENCE_S, PICTURES
from tests.fixtures.browsers.guard_program import Program, shared

SIZES = {"hdmi": (1920, 1080), "panel": (800, 480), "upright": (720, 1280)}
NEIGHBOUR = "neighbour 3号门，向左80米|gate 3, 80 m to the left"
DESK = "desk 物业一楼大厅|the office, ground floor"
STATES: dict[str, tuple[list[str], str]] = {
    "ready": ([], "今天请找保安登记"),
    "form": (["form https://pass.xingfuli.example.org/j/7"], "扫码填写；今天请找保安登记"),
    "collect": (
        [DESK, 'lane shown_outcome="refer" shown_reason="not_collected" shown_until_ms=8'],
        "带身份证到物业一楼大厅领取（今天18:00前），家人可代领",
    ),
    "desk": (
        [DESK, 'lane shown_outcome="deny" shown_reason="superseded" shown_until_ms=9'],
        "没有新证请到物业一楼大厅",
    ),
    "label": (['lane shown_outcome="grant" shown_reason="ok" shown_label="欧阳*" shown_until_ms=9'], "欧阳*"),
    "grant": (['lane shown_outcome="grant" shown_reason="ok" shown_until_ms=1'], "请通行"),
    "guided": (['lane shown_outcome="grant" shown_reason="not_collected" shown_until_ms=2'], "已通过，请来领证"),
    "sensitive": (['lane shown_outcome="refer" shown_reason="please_see_guard" shown_until_ms=3'], "请到值班室"),
    "digits": (['lane shown_outcome="refer" shown_reason="digits_stale" shown_until_ms=4'], "码已过时，请刷新"),
    "deny": (['lane shown_outcome="deny" shown_reason="unreadable" shown_until_ms=5'], "没看清，请再试"),
    "hours": (
        [
            'lane shown_limits={"hours":[{"from_minute":480,"to_minute":720},{"from_minute":840,"to_minute":1080}]}',
            'lane shown_outcome="deny" shown_reason="outside_hours" shown_until_ms=6',
        ],
        "可以通行；急事请找保安",
    ),
    "ended": (
        ['lane shown_limits={"until_ms":1000}', 'lane shown_outcome="deny" shown_reason="expired" shown_until_ms=7'],
        "已到期；",
    ),
    "open": (['lane phase="held"'], "门开着，请通行"),
    "closed": ([NEIGHBOUR, "lane lockdown=true"], "或走3号门"),
    "fault": ([NEIGHBOUR, 'lane signal="fault"'], "或走3号门"),
    "stale": (["list stale 200000"], "名单是2天前的"),
    "hint-closer": (['lane hint="closer"'], "靠近一点"),
    "hint-further": (['lane hint="further"'], "拿远一点"),
    "hint-flatter": (['lane hint="flatter"'], "正对镜头"),
    "hint-brighter": (['lane hint="brighter"'], "把屏幕调亮"),
    "hint-glare": (['lane hint="glare"'], "避开反光"),
    "hint-still": (['lane hint="still"'], "拿稳不动"),
    "untrusted": (["clock untrusted", "list none -1"], "本门的名单还没到"),
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Program]]:
    with shared(tmp_path_factory.mktemp("screens")) as get:
        yield get


@pytest.fixture
def program(programs: Callable[[], Program]) -> Program:
    """One for all these tests: it costs more than most of them."""
    return programs()


@pytest.fixture(params=SIZES)
def screen(request: pytest.FixtureRequest, browser, program: Program) -> Iterator[object]:
    width, height = SIZES[request.param]
    page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE_S * 1000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Policy" in said.text else None)
    page.goto(f"{program.address}/screen/in")
    page.size_name = request.param
    yield page
    page.close()
    assert not complaints


LUMINANCE = """() => {
  const lit = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => part / 255).map(
      (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const face = getComputedStyle(document.getElementById("face"));
  const colours = (face.backgroundImage + face.backgroundColor).matchAll(/rgb\\([^)]*\\)/g);
  const papers = [...colours].map((found) => lit(found[0]));
  const ink = lit(face.color);
  return Math.min(...papers.map((paper) => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)));
}"""
LEGIBLE_MM = 3000 * math.tan(math.radians(10 / 60))
"""Height of a letter that 6/12 vision reads from 3 m: twice the 5 minutes of arc that 6/6 vision reads (ISO 8596)."""
CAPITALS = """(selector) => [...document.querySelectorAll(selector)].map((part) => {
  const pen = document.createElement("canvas").getContext("2d");
  const style = getComputedStyle(part);
  pen.font = style.fontWeight + " " + style.fontSize + " " + style.fontFamily;
  return pen.measureText("H").actualBoundingBoxAscent;
})"""
OUTSIDE = """() => [...document.querySelectorAll("#face p, #face h1, #face svg")].filter((part) => {
  const box = part.getBoundingClientRect();
  return box.width && (box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > innerHeight);
}).map((part) => part.outerHTML)"""
OVERLAPPING = """() => {
  const boxes = [...document.querySelectorAll("#face header p, #face .signs, #face section > *, #face footer p")]
    .map((part) => [part, part.getBoundingClientRect()]).filter(([, box]) => box.width && box.height);
  return boxes.flatMap(([one, a], at) => boxes.slice(at + 1).filter(([, b]) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
    .map(([other]) => one.textContent.trim() + " / " + other.textContent.trim()));
}"""


@pytest.mark.parametrize("name", STATES)
def test_every_state_fits_the_screen_in_colours_to_be_read_from_afar(screen, program: Program, name: str) -> None:
    commands, says = STATES[name]
    for command in commands:
        program.say(command)
    screen.wait_for_function("says => document.getElementById('face').innerText.includes(says)", arg=says)
    PICTURES.mkdir(exist_ok=True)
    screen.screenshot(path=PICTURES / f"screen-{name}-{screen.size_name}.png")
    assert screen.evaluate(LUMINANCE) >= 7
    assert screen.evaluate(OUTSIDE) == []
    assert screen.evaluate(OVERLAPPING) == []
    assert screen.evaluate("document.querySelectorAll('#face use').length") >= 2
    if screen.size_name != "upright":
        assert screen.evaluate("document.querySelector('.sign').getBoundingClientRect().height / innerHeight") > 0.599
        assert capitals_mm(screen, "#face .english strong", inches=10) >= LEGIBLE_MM, "what to do, on a 10 inch screen"
    assert capitals_mm(screen, "#face .english", inches=24) >= LEGIBLE_MM, "every word, on a 24 inch screen"


def capitals_mm(page, selector: str, inches: float) -> float:
    """The smallest capital among these texts, in millimetres on a screen of that diagonal."""
    width, height = SIZES[page.size_name]
    return min(page.evaluate(CAPITALS, selector)) * inches * 25.4 / math.hypot(width, height)


@pytest.mark.parametrize("screen", ["hdmi"], indirect=True)
def test_the_code_of_the_form_is_read_from_the_screen_itself(screen, program: Program) -> None:
    program.say("form https://pass.xingfuli.example.org/j/7")
    screen.wait_for_selector("#face .form svg")
    picture = np.asarray(Image.open(io.BytesIO(screen.screenshot())).convert("L"))
    assert [found.text for found in QrDecoder().decode(picture)] == ["https://pass.xingfuli.example.org/j/7"]


@pytest.mark.parametrize("screen", ["panel"], indirect=True)
def test_a_pass_that_waits_to_be_collected_is_amber_with_a_counter(screen, program: Program) -> None:
    for command in STATES["collect"][0]:
        program.say(command)
    screen.wait_for_selector('#face.refer[data-sign="counter"]')


@pytest.mark.parametrize("screen", ["panel"], indirect=True)
def test_a_hint_gives_way_to_the_answer_and_to_an_empty_lane(screen, program: Program) -> None:
    program.say('lane hint="closer"')
    screen.wait_for_selector('#face[data-sign="hint-closer"]')
    program.say('lane shown_outcome="grant" shown_reason="ok" shown_until_ms=9')
    screen.wait_for_selector("#face.grant")
    program.say('lane shown_outcome="" shown_reason="" hint="still"')
    screen.wait_for_selector('#face[data-sign="hint-still"]')
    program.say('lane hint=""')
    screen.wait_for_selector('#face[data-sign="frame"]')


@pytest.mark.parametrize("screen", ["panel"], indirect=True)
def test_without_the_core_it_says_so_and_comes_back_by_itself(screen, program: Program) -> None:
    program.say("away")
    screen.wait_for_selector("#face.fault")
    assert "本门暂停识别" in screen.inner_text("h1")
    program.say("back")
    screen.wait_for_selector("#face.ready")


@pytest.mark.parametrize("screen", ["panel"], indirect=True)
def test_without_the_guard_process_it_says_so_too(screen, program: Program) -> None:
    program.say(NEIGHBOUR)
    screen.wait_for_function("document.body.dataset.now")
    with screen.expect_response(lambda answer: "3号门" in answer.text()):
        pass
    program.close()
    screen.wait_for_selector("#face.fault")
    assert "3号门" in screen.inner_text(".line")


@pytest.mark.parametrize("screen", ["panel"], indirect=True)
def test_a_screen_that_listens_shows_a_result_without_asking(screen, program: Program) -> None:
    screen.wait_for_function("() => compared && !doubted")
    screen.route("**/now?*", lambda route: route.abort())
    for until in range(9, 29):  # on a machine that stands still for seconds the page asks, and is not answered here
        program.say(f'lane shown_outcome="grant" shown_reason="ok" shown_until_ms={until}')
        with contextlib.suppress(TimeoutError):
            screen.wait_for_selector("#face.grant", timeout=3000)
            return
    raise AssertionError("no result came by the stream")


def test_an_answer_that_was_overtaken_by_the_stream_counts_for_nothing(browser, program: Program) -> None:
    page = browser.new_page()
    page.goto(f"{program.address}/screen/in")
    page.wait_for_function("() => compared && newest > 0")
    page.evaluate("old = {answers: true, life, page, order: newest - 1, face: '<main id=face class=deny></main>'}")
    page.evaluate("take(old)")
    assert page.locator("#face.deny").count() == 0
    page.evaluate("take(Object.assign(old, {face: '', order: newest + 1000}))")
    assert page.evaluate("newest >= 1000"), "the same, said later, counts"
    page.close()


PLAYER = """
window.heard = [];
window.AudioContext = class {
  constructor() { this.state = "running"; this.currentTime = 0; this.destination = {}; }
  createGain() { return {gain: {value: 0}, connect() { window.heard.push(["volume", this.gain.value]); }}; }
  createOscillator() {
    const frequency = {value: 0};
    return {frequency, connect() {}, stop() {}, start(at) { window.heard.push([frequency.value, at]); }};
  }
};
"""


def test_each_outcome_has_a_sound_of_its_own_and_all_that_send_to_the_post_sound_alike(
    browser, program: Program
) -> None:
    page = browser.new_page()
    page.add_init_script(PLAYER)
    page.goto(f"{program.address}/screen/in")
    heard = {}
    shown = [("grant", "ok"), ("refer", "digits_stale"), ("refer", "please_see_guard"), ("deny", "revoked"),
             ("deny", "unreadable"), ("refer", "not_collected")]  # fmt: skip
    for until, (outcome, reason) in enumerate(shown, 1):
        page.evaluate("window.heard = []")
        program.say(f'lane shown_outcome="{outcome}" shown_reason="{reason}" shown_until_ms={until}')
        page.wait_for_selector(f'#face[data-shown="{until}"]')
        heard[outcome, reason] = page.evaluate("window.heard")
    (grant, refer, deny) = (heard[key] for key in (("grant", "ok"), ("refer", "digits_stale"), ("deny", "revoked")))
    assert [note for note in grant if note[0] == "volume"] == [["volume", 0.8]]
    rises, twice, falls = (tuple(pitch for pitch, _ in tune if pitch != "volume") for tune in (grant, refer, deny))
    assert rises[0] < rises[1] and twice[0] == twice[1] and falls[0] > falls[1]
    assert heard["refer", "please_see_guard"] == refer == heard["refer", "not_collected"], "no sound says a reason"
    assert heard["deny", "unreadable"] == deny
    page.evaluate("window.heard = []")
    program.say('lane shown_outcome="" shown_reason="" shown_until_ms=0')
    page.wait_for_selector("#face.ready")
    assert page.evaluate("window.heard") == []
    page.close()


def test_a_browser_without_sound_shows_the_lane_all_the_same(browser, program: Program) -> None:
    page = browser.new_page()
    page.add_init_script("delete window.AudioContext; delete window.webkitAudioContext")
    page.goto(f"{program.address}/screen/in")
    program.say('lane shown_outcome="grant" shown_reason="ok" shown_until_ms=9')
    page.wait_for_selector("#face.grant")
    page.close()


OLD_BROWSERS = {
    "one without streams": "delete window.EventSource",
    "a proxy that keeps streams back": "window.EventSource = function () { this.addEventListener = () => {}; }",
    "a stream that comes late": """(() => {
      const True = window.EventSource;
      window.EventSource = function (url) {
        const stream = new True(url), listen = stream.addEventListener.bind(stream);
        stream.addEventListener = (name, heard) => listen(name, (event) => setTimeout(() => heard(event), 4000));
        return stream;
      };
    })()""",
}


@pytest.mark.parametrize("name", OLD_BROWSERS)
def test_a_screen_whose_stream_does_not_come_through_asks(browser, program: Program, name: str) -> None:
    page = browser.new_page()
    page.add_init_script(OLD_BROWSERS[name])
    page.goto(f"{program.address}/screen/in")
    for until in (8, 9):
        program.say(f'lane shown_outcome="grant" shown_reason="ok" shown_until_ms={until}')
        page.wait_for_selector(f'#face.grant[data-shown="{until}"]')
    program.say('lane shown_outcome="deny" shown_reason="unreadable" shown_until_ms=10')
    page.wait_for_selector("#face.deny")
    page.close()


@pytest.mark.slow
def test_a_screen_whose_script_has_stopped_says_that_nothing_is_read(browser, program: Program) -> None:
    page = browser.new_page()
    page.route("**/screen.js*", lambda route: route.fulfill(body="let;let", content_type="text/javascript"))
    page.goto(f"{program.address}/screen/in")
    page.wait_for_function("() => (document.getElementById('cut') || document.body).innerText.includes('本门暂停识别')")
    page.close()


@pytest.mark.parametrize("screen", ["panel"], indirect=True)
def test_the_same_result_again_is_seen_to_be_new(screen, program: Program) -> None:
    for until in (1000, 2000):
        program.say(f'lane shown_outcome="deny" shown_reason="unreadable" shown_until_ms={until}')
        screen.wait_for_selector(f'#face.deny[data-shown="{until}"]')


def test_colours_of_results_differ_in_lightness_for_those_who_do_not_see_red_and_green(
    browser, program: Program
) -> None:
    page = browser.new_page()
    page.goto(f"{program.address}/screen/in")
    lightness = []
    for outcome in ("grant", "refer", "deny"):
        program.say(f'lane shown_outcome="{outcome}" shown_reason="ok"')
        page.wait_for_selector(f"#face.{outcome}")
        colour = page.evaluate("getComputedStyle(document.getElementById('face')).backgroundColor")
        red, green, blue = (int(part) for part in colour[4:-1].split(","))
        lightness.append(0.2126 * (red / 255) ** 2.2 + 0.7152 * (green / 255) ** 2.2 + 0.0722 * (blue / 255) ** 2.2)
    page.close()
    go, look, no = lightness
    assert look > go + 0.15 and go > no + 0.15
