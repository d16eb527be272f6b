"""What guards' pages and lane screens say of a gate in trouble: real processes and a real centre, with parts, lines and
programs that fail. Each fault is brought about once, and read on both screens in both languages."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from kiosk.guard import words
from kiosk.guard.standing import standing
from tests.fixtures.browsers.chromium import EVERY_LOOK
from tests.fixtures.browsers.guard_browser import Post
from tests.fixtures.processes.centre import GUARD
from tests.fixtures.processes.running_post import SUPERVISOR, PostWithCentre

pytestmark = pytest.mark.slow

PATIENCE_MS = 90_000
"""Sync may be silent for 45 s before the core calls the centre away."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostWithCentre]:
    running = PostWithCentre(tmp_path_factory.mktemp("gate"))
    yield running
    running.close()


class Pages:
    """A guard's page for each look, the last one a supervisor's, and a lane's screen."""

    def __init__(self, browser: Any, gate: PostWithCentre) -> None:
        self.gate = gate
        self.posts = [Post(browser, gate, *look) for look in EVERY_LOOK]  # type: ignore[arg-type]
        for post in self.posts:
            post.page.set_default_timeout(PATIENCE_MS)
            name = SUPERVISOR if post is self.posts[-1] else GUARD
            post.sign_in(name, gate.pins[name])
        self.screen = browser.new_page(viewport={"width": 800, "height": 480})
        self.screen.set_default_timeout(PATIENCE_MS)
        self.screen.goto(f"{gate.address}/screen/entry")

    def say(self, place: str, pair: words.Pair, more: str = "") -> None:
        """Wait until each page says it there, in its own language."""
        for post in self.posts:
            sentence = pair[words.LANGUAGES.index(post.name.rpartition("-")[2])]
            post.page.wait_for_selector(f'{place}:visible:has-text("{sentence}"){more}')

    def lack(self, selector: str) -> None:
        """Wait until no page shows it."""
        for post in self.posts:
            post.page.wait_for_selector(selector, state="hidden")

    def faces(self, word: str) -> None:
        """Wait until the lane's screen shows that face."""
        self.screen.wait_for_selector(f'#face:has-text("{words.LANE[word].headline[0]}")')

    def stand(self, code: str) -> None:
        """Wait until this is what matters most at the gate, and each page's bar says so."""
        self.gate.until(lambda state: [one.code for one in standing(state)][:1] == [code])
        self.say(".bar-sentence", words.FAULTS[code])

    def be_well(self) -> None:
        """Wait until nothing stands, and each page says so and can act."""
        self.gate.until(lambda state: not standing(state))
        self.say(".bar.tone-ok .bar-sentence", words.WORDS["fine"])
        self.lack("#cut")
        self.faces("ready")

    def open_somewhere(self) -> None:
        """A guard opens, whatever is broken; the reason can wait."""
        before, post = self.gate.rises(), self.posts[0]

        def tap() -> None:
            assert self.gate.rises() == before
            post.settled()
            post.page.click(".act.open")

        post.insist(tap, "#sheet .choices")
        assert self.gate.rises() == before + 1
        post.page.keyboard.press("Escape")
        post.page.wait_for_selector("#sheet", state="hidden")
        self.gate.settle()

    def acknowledge(self) -> None:
        """One guard has seen what began; then no page asks any more."""
        post = self.posts[1]
        post.insist(lambda: post.page.click(".caution button"), ".caution", "hidden")
        self.lack(".caution")

    def close(self) -> None:
        assert not [said for post in self.posts for said in post.complaints]
        self.screen.close()
        for post in self.posts:
            post.context.close()


@pytest.fixture(scope="module")
def pages(browser: Any, gate: PostWithCentre) -> Iterator[Pages]:
    opened = Pages(browser, gate)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def well_before_and_after(pages: Pages) -> Iterator[None]:
    pages.be_well()
    yield
    pages.be_well()


# --- states -----------------------------------------------------------------------------------------------------------


class State(NamedTuple):
    """How an input or a part brings a state about. ``lasts``: a guard has to have seen it, even if it is over."""

    code: str
    lane: str
    part: str
    word: str
    lasts: bool = False


STATES = [
    State("fire", "entry", "fire", "1", lasts=True),
    State("forced", "exit", "arm_open", "1", lasts=True),
    State("tamper", "entry", "tamper", "1", lasts=True),
    State("call", "exit", "call", "1", lasts=True),
    State("camera_black", "entry", "camera", "black"),
    State("camera_hung", "entry", "camera", "mute"),
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.code)
def test_what_stands_at_the_gate_is_said_on_every_page_until_it_is_over(
    gate: PostWithCentre, pages: Pages, state: State
) -> None:
    gate.device.put(state.lane, state.part, state.word)
    pages.stand(state.code)
    pages.posts[0].shoot(f"stands-{state.code}")
    gate.device.put(state.lane, state.part, "0")
    if state.lasts:
        gate.until(lambda now: state.code not in now.faults)
        pages.say(".caution", words.FAULTS[state.code])
        pages.acknowledge()


def press_and_hold(post: Post, act: str, lane: str, on: int) -> None:
    """A guard's long press, up to the page that follows it."""
    wanted = post.page.locator(f"form[action='/{act}']:has([name=lane][value={lane}]) [data-press][value='{on}']")

    def press() -> None:
        post.go("/more")
        post.page.wait_for_selector("body.live")
        if wanted.count():
            wanted.dispatch_event("pointerdown")
        else:  # it was done, though no answer came
            post.go("/")

    post.insist(press, ".panel")
    post.page.wait_for_selector("body.live")


@pytest.mark.parametrize(("code", "act"), [("held_open", "hold"), ("lockdown", "lockdown")])
def test_what_a_guard_ordered_stands_on_every_page_until_it_is_ended(
    gate: PostWithCentre, pages: Pages, code: str, act: str
) -> None:
    supervisor = pages.posts[-1]
    press_and_hold(supervisor, act, "entry", on=1)
    pages.stand(code)
    pages.faces("open" if code == "held_open" else "closed")
    supervisor.shoot(f"stands-{code}")
    press_and_hold(supervisor, act, "entry", on=0)
    gate.until(lambda state: not standing(state))


def test_people_come_before_parts_and_parts_before_the_line(gate: PostWithCentre, pages: Pages) -> None:
    gate.far_line.down()
    pages.stand("centre_away")
    gate.device.put("entry", "camera", "black")
    pages.stand("camera_black")
    gate.device.press("exit", "call", True)
    pages.stand("call")
    gate.device.press("entry", "fire", True)
    pages.stand("fire")
    pages.posts[0].shoot("stands-four")
    for part in ("fire", "camera"):
        gate.device.put("entry", part, "0")
    gate.device.press("exit", "call", False)
    gate.until(lambda state: not {"fire", "camera_black"} & set(state.faults))
    pages.stand("call")
    pages.acknowledge()
    pages.stand("centre_away")
    gate.far_line.up()


def test_a_journal_that_cannot_be_written_is_said_until_it_can(gate: PostWithCentre, pages: Pages) -> None:
    gate.write_nothing("core", True)
    gate.hold_up("no pass")
    try:
        pages.stand("journal")
        pages.posts[0].shoot("stands-journal")
    finally:
        gate.write_nothing("core", False)
    gate.until(lambda state: "journal" not in state.faults)
    pages.acknowledge()


def test_a_gate_without_its_list_says_so_and_opens_for_a_guard(gate: PostWithCentre, pages: Pages) -> None:
    gate.far_line.down()
    for name in ("sync", "core"):
        gate.send(name, signal.SIGKILL)
    for file in gate.device.list_folder.iterdir():
        file.unlink()
    gate.start("core", "sync")
    pages.stand("no_list")
    pages.lack("#cut")
    pages.posts[0].shoot("stands-no-list")
    pages.open_somewhere()
    gate.far_line.up()


# --- lines ------------------------------------------------------------------------------------------------------------


def cut_off(pages: Pages, *words_of_it: str) -> None:
    """Wait until every page says that it is cut off, in one of these ways, and offers nothing to press."""
    for post in pages.posts:
        which = words.LANGUAGES.index(post.name.rpartition("-")[2])
        said = [words.WORDS[word][which] for word in words_of_it]
        post.page.wait_for_selector(", ".join(f'#cut:visible h1:text-is("{one}")' for one in said))
        assert post.page.title().startswith(tuple(f"✕ {one}" for one in said))
        assert words.WORDS["button_works"][which] in post.page.inner_text("#cut")
        assert post.page.locator(".act:visible").count() == 0
    pages.faces("fault")


@pytest.mark.parametrize("how", ["silent", "down"])
def test_every_page_says_that_its_line_is_gone_and_that_it_is_back(
    gate: PostWithCentre, pages: Pages, how: str
) -> None:
    if how == "silent":
        gate.line.silent = True
    else:
        gate.line.down()
    try:
        cut_off(pages, "cut")
        for post in pages.posts:
            post.shoot(f"line-{how}")
    finally:
        gate.line.silent = False
        gate.line.up()
    pages.lack("#cut")
    pages.open_somewhere()


@pytest.mark.parametrize("how", ["line down", "line silent", "killed"])
def test_a_centre_that_is_gone_is_said_and_the_gate_goes_on_until_it_is_back(
    gate: PostWithCentre, pages: Pages, how: str
) -> None:
    if how == "line down":
        gate.far_line.down()
    elif how == "line silent":
        gate.far_line.silent = True
    else:
        gate.centre.kill()
    pages.open_somewhere()  # an event that is sent at once: a silent line is not found out before something is asked
    pages.stand("centre_away")
    pages.lack("#cut")
    pages.open_somewhere()
    if how == "killed":
        gate.centre.start()
    gate.far_line.silent = False
    gate.far_line.up()


# --- programs ---------------------------------------------------------------------------------------------------------


def stop(gate: PostWithCentre, name: str, number: int) -> Callable[[], None]:
    """Kill one of the four, or have it stand still. Returns what brings it back."""
    gate.send(name, number)
    if number == signal.SIGSTOP:
        return lambda: gate.send(name, signal.SIGCONT)
    return gate.restart_guard if name == "guard" else lambda: gate.start(name)


BOTH_WAYS = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])


@BOTH_WAYS
@pytest.mark.parametrize("name", ["core", "guard"])
def test_a_program_that_the_page_lives_by_is_missed_on_every_page_and_screen(
    gate: PostWithCentre, pages: Pages, name: str, number: int
) -> None:
    bring_back = stop(gate, name, number)
    try:
        cut_off(pages, *(("cut", "away") if name == "core" else ("cut",)))
        for post in pages.posts:
            post.shoot(f"{name}-{number}")
    finally:
        bring_back()
    pages.lack("#cut")
    assert all("/sign-in" not in post.page.url for post in pages.posts)
    pages.open_somewhere()


@BOTH_WAYS
@pytest.mark.parametrize(("name", "code"), [("reader", "reader_silent"), ("sync", "centre_away")])
def test_a_program_that_the_page_can_do_without_is_told_in_the_bar_and_guards_open_meanwhile(
    gate: PostWithCentre, pages: Pages, name: str, code: str, number: int
) -> None:
    bring_back = stop(gate, name, number)
    try:
        pages.stand(code)
        pages.lack("#cut")
        pages.open_somewhere()
    finally:
        bring_back()
    gate.until(lambda state: code not in state.faults)
