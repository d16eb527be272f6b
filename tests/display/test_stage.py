"""The lane's screen on this device's display, with a real program in the place of compositor and browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.config import Config, parse
from kiosk.display import stage
from kiosk.display.browser import Browser, BrowserError, Silent
from kiosk.display.stage import Patience, Seen, Stage

CAGE = Path(__file__).with_name("cage.py")
LANE = '[[lane]]\nname = "entry"\npart = "simulated"\ndirection = "in"\n'


def config(port: int = 8080, screen: str = "", guard: str = "") -> Config:
    return parse(f'[guard]\nhost = "127.0.0.1"\nport = {port}\n{guard}\n[screen]\ndisplay = "hdmi"\n{screen}\n{LANE}')


class Installed:
    """A folder of programs that stand for cage, chromium and wlr-randr, and what they were told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "bin/cage").symlink_to(CAGE)
        self.program("chromium", "exit 1")
        self.does("well")

    def program(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        path.chmod(0o755)

    def does(self, *what: str) -> None:
        (self.folder / "does.new").write_text(" ".join(what), "utf-8")
        (self.folder / "does.new").rename(self.folder / "does")

    def environment(self) -> dict[str, str]:
        return {**os.environ, "FOLDER": str(self.folder)}

    def shows(self, address: str) -> None:
        (self.folder / "at").write_text(address, "utf-8")

    @property
    def at(self) -> str:
        return (self.folder / "at").read_text("utf-8") if (self.folder / "at").exists() else ""

    @property
    def started(self) -> list[list[str]]:
        path = self.folder / "started"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FOLDER", str(tmp_path))
    return Installed(tmp_path)


@pytest.fixture
def page() -> Iterator[int]:
    """A port that answers, as the guards' page does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


class Running:
    """A stage in a thread, as its unit runs it. ``stopping`` and the beats are what systemd sees."""

    def __init__(self, installed: Installed, config: Config) -> None:
        self.stopping = threading.Event()
        self.beats = 0
        self.states: list[str] = []
        self.error: BrowserError | None = None
        self._stage = Stage(config, self, installed.folder, 0.01, installed.environment())
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def ready(self, status: str) -> None:
        self.states.append(status)

    def alive(self) -> None:
        self.beats += 1

    def _run(self) -> None:
        try:
            self._stage.run()
        except BrowserError as err:
            self.error = err

    def beaten(self, more: int) -> None:
        until = self.beats + more
        wait_for(lambda: self.beats >= until)

    def ended(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        self.stopping.set()
        self.ended()


def wait_for(true: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.fixture
def running(installed: Installed, page: int) -> Iterator[Running]:
    stage = Running(installed, config(page))
    yield stage
    stage.stop()


def test_the_browser_is_started_on_the_lanes_screen(installed: Installed, page: int, running: Running) -> None:
    running.beaten(3)
    (command,) = installed.started
    assert command[-1] == f"http://127.0.0.1:{page}/screen/entry"
    assert running.states == ["lane=entry"]
    assert not [word for word in command if word.startswith("--remote-debugging-port")]
    assert "--autoplay-policy=no-user-gesture-required" in command, "nobody touches the page before its first tone"


def test_a_page_that_went_elsewhere_is_led_back(installed: Installed, page: int, running: Running) -> None:
    running.beaten(3)
    installed.shows("chrome-error://chromewebdata/")
    wait_for(lambda: installed.at == f"http://127.0.0.1:{page}/screen/entry")


def test_a_browser_that_ends_ends_the_program(installed: Installed, running: Running) -> None:
    running.beaten(3)
    installed.does("ends")
    running.ended()
    assert str(running.error) == "the browser has ended" or "is gone" in str(running.error)


def test_a_page_that_never_shows_the_lane_is_given_up(installed: Installed, running: Running) -> None:
    running.beaten(3)
    installed.does("lost")
    running.ended()
    assert "does not come back" in str(running.error)


def test_nothing_is_started_before_the_guards_page_answers(installed: Installed) -> None:
    with socket.socket() as page:
        page.bind(("127.0.0.1", 0))  # ours, but it does not listen yet
        waiting = Running(installed, config(page.getsockname()[1]))
        waiting.beaten(3)
        assert installed.started == []
        page.listen()
        wait_for(lambda: installed.started)
        waiting.stop()
    assert waiting.error is None


def test_a_guards_page_that_is_away_costs_no_browser(installed: Installed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = Running(installed, config(listening.getsockname()[1]))
        running.beaten(3)
    installed.does("lost")
    running.beaten(2 * Patience.USUAL)
    running.stop()
    assert running.error is None and len(installed.started) == 1


def test_what_was_started_is_gone_after_a_stop(installed: Installed) -> None:
    browser = Browser(["cage", "x/screen/entry"], installed.environment())
    assert browser.look("where", 10) == "/screen/entry/now"
    pid = browser.pid
    browser.close()
    browser.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_hung_browser_is_silent_and_may_come_back(installed: Installed) -> None:
    browser = Browser(["cage", "x/screen/entry"], installed.environment())
    try:
        assert browser.look("where", 10)
        os.kill(browser.pid, signal.SIGSTOP)
        with pytest.raises(Silent):
            browser.look("where", 0.01)
        os.kill(browser.pid, signal.SIGCONT)
        assert browser.look("where", 10) == "/screen/entry/now"
    finally:
        browser.close()


def test_a_browser_without_a_page_is_silent(installed: Installed) -> None:
    installed.does("starts")
    browser = Browser(["cage", "x"], installed.environment())
    try:
        with pytest.raises(Silent, match="no page yet"):
            browser.look("where", 10)
    finally:
        browser.close()


def test_a_program_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(BrowserError, match="no-such-cage cannot be started: No such file"):
        Browser(["no-such-cage"], {})


@pytest.mark.parametrize(
    ("looks", "over"),
    [
        ([Seen.SILENT] * 11, False),
        ([Seen.SILENT] * 12, True),
        ([Seen.SHOWN, *[Seen.SILENT] * 3], False),
        ([Seen.SHOWN, *[Seen.SILENT] * 4], True),
        ([Seen.SHOWN, *[Seen.ELSEWHERE] * 11], False),
        ([Seen.SHOWN, *[Seen.ELSEWHERE] * 12], True),
        ([Seen.SHOWN, *[Seen.SILENT, Seen.ELSEWHERE] * 3], True),
        ([Seen.SHOWN, *[Seen.SILENT] * 3, Seen.SHOWN, *[Seen.SILENT] * 3], False),
    ],
)
def test_patience_ends_on_its_limit(looks: list[Seen], over: bool) -> None:
    patience = Patience()
    assert [patience.is_over(seen) for seen in looks][-1] is over


RANDR = """HDMI-A-1 "Make Model Serial (HDMI-A-1)"
  Enabled: yes
  Modes:
    1920x1080 px, 60.000000 Hz (preferred, current)
  Position: 0,0
  Transform: {}
  Scale: 1.000000
HDMI-A-2 "Other"
  Enabled: no
  Transform: 90
"""


@pytest.mark.parametrize(("now", "unturned"), [("normal", ["HDMI-A-1"]), ("270", ["HDMI-A-1"]), ("90", [])])
def test_only_a_display_that_is_not_turned_yet_is_turned(now: str, unturned: list[str]) -> None:
    assert list(stage.unturned(RANDR.format(now), 90)) == unturned


def test_a_display_that_is_plugged_in_again_is_turned_again(installed: Installed, page: int) -> None:
    installed.program("wlr-randr", 'echo "$WAYLAND_DISPLAY $*" >>"$FOLDER/randr"; printf "A\\n  Transform: normal\\n"')
    (installed.folder / "wayland-0").touch()
    running = Running(installed, config(page, "rotate = 90"))
    running.beaten(4)
    running.stop()
    asked = (installed.folder / "randr").read_text("utf-8").splitlines()
    assert asked.count("wayland-0 --output A --transform 90") >= 2


def test_an_older_compositor_turns_by_itself(installed: Installed, page: int) -> None:
    (installed.folder / "usage").write_text(" -r\t Rotate the output", "utf-8")
    running = Running(installed, config(page, "rotate = 270"))
    running.beaten(3)
    running.stop()
    (command,) = installed.started
    assert command.count("-r") == 3


def test_a_turned_display_without_a_compositor_is_one_sentence(
    tmp_path: Path, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/chromium").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    installed = Installed.__new__(Installed)
    installed.folder = tmp_path
    running = Running(installed, config(page, "rotate = 90"))
    running.ended()
    assert str(running.error) == "cage cannot be started: No such file or directory"


def test_without_touch_no_input_device_is_read(tmp_path: Path) -> None:
    assert stage.surroundings(config(), tmp_path, {})["WLR_BACKENDS"] == "drm"
    assert stage.surroundings(config(screen="touch = true"), tmp_path, {})["WLR_BACKENDS"] == "drm,libinput"


def test_what_a_unit_sets_stays_but_for_the_folder(tmp_path: Path) -> None:
    around = stage.surroundings(config(), tmp_path, {"WLR_BACKENDS": "headless", "HOME": "/root"})
    assert (around["WLR_BACKENDS"], around["HOME"]) == ("headless", str(tmp_path))


def test_each_browser_gets_a_profile_of_its_own_that_offers_no_translation(tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile/left").write_text("by a browser before", "utf-8")
    stage.prepare_profile(tmp_path)
    assert [path.name for path in (tmp_path / "profile").iterdir()] == ["Default"]
    preferences = json.loads((tmp_path / "profile/Default/Preferences").read_text("utf-8"))
    assert preferences["translate"] == {"enabled": False}


def test_sound_goes_to_the_card_that_is_named_and_else_nowhere(tmp_path: Path) -> None:
    (tmp_path / "vc4hdmi0").mkdir()
    assert stage.sound("hdmi", tmp_path) == ["--alsa-output-device=default:CARD=vc4hdmi0"]
    assert stage.sound("jack", tmp_path) == ["--mute-audio"]
    assert stage.sound("none", tmp_path) == ["--mute-audio"]


def test_with_https_the_name_in_the_certificate_leads_to_this_device(tmp_path: Path) -> None:
    https = config(screen='tls_name = "gate.example"', guard='tls_cert = "c"\ntls_key = "k"')
    command = stage.command(https, tmp_path, False, lambda name: name)
    assert command[-1] == "https://gate.example:8080/screen/entry"
    assert "--host-resolver-rules=MAP gate.example 127.0.0.1" in command


def test_either_name_of_the_browser_will_do(tmp_path: Path) -> None:
    assert "chromium-browser" in stage.command(config(), tmp_path, False, {"chromium-browser": "chromium-browser"}.get)
