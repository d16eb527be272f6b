"""Keeps the lane's screen on the display, whatever restarts: compositor, browser, page, the guards' page behind it.

This program ends when the browser is beyond help; its unit starts all of it anew.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import ClassVar, Protocol

from kiosk.config import Config, ConfigError
from kiosk.display.browser import Browser, BrowserError, Silent

LOOK_S = 3.0
ANSWER_S = 5.0
BROWSERS = ("chromium", "chromium-browser")
"""Debian's name, and the older one of Raspberry Pi OS bookworm."""
PREFERENCES = {"translate": {"enabled": False}, "credentials_enable_service": False}
"""Of the browser's profile: else it offers to translate, in the corner where the clock is."""
SHOWN_PAGE = "(window.oncontextmenu ??= (event) => event.preventDefault(), document.body?.dataset.now ?? '')"
"""Only a lane's screen has it. On the way a long touch is kept from opening the browser's menu."""

log = logging.getLogger("screen")


class Seen(Enum):
    SHOWN = "shown"
    ELSEWHERE = "elsewhere"
    """Another page, most often the browser's own about a server that did not answer."""
    SILENT = "silent"
    """A page whose process died, or a browser that hangs."""


class Patience:
    """How long a screen that is not shown is put up with. Pure."""

    STARTING = 36
    """A browser takes up to a minute to start on a Pi 3B+; a look without an answer takes 8 to 13 seconds."""
    USUAL = 12
    COSTS: ClassVar = {Seen.SILENT: 3, Seen.ELSEWHERE: 1}

    def __init__(self) -> None:
        self._left = self.STARTING

    def is_over(self, seen: Seen) -> bool:
        """Whether to give this browser up."""
        if seen is Seen.SHOWN:
            self._left = self.USUAL
            return False
        self._left -= self.COSTS[seen]
        return self._left <= 0


class Service(Protocol):
    """What the stage needs of :class:`kiosk.service.Service`."""

    stopping: threading.Event

    def ready(self, status: str) -> None: ...
    def alive(self) -> None: ...


class Stage:
    """One lane's screen on this device's display. ``run`` returns when it is asked to stop, or raises BrowserError."""

    def __init__(
        self,
        config: Config,
        service: Service,
        run_folder: Path,
        look_s: float = LOOK_S,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._config = config
        self._service = service
        self._folder = run_folder
        self._look_s = look_s
        self._environment = surroundings(config, run_folder, environment)
        self._lane = config.screen_lane
        self._rotate = config.screen.rotate
        self._cage_turns = bool(self._rotate) and compositor_turns()

    def run(self) -> None:
        self._service.ready(f"lane={self._lane}")
        while not self._page_answers():
            self._service.alive()
            if self._service.stopping.wait(self._look_s):
                return
        prepare_profile(self._folder)
        browser = Browser(command(self._config, self._folder, self._cage_turns), self._environment)
        try:
            self._keep(browser)
        finally:
            browser.close()

    def _keep(self, browser: Browser) -> None:
        patience, before = Patience(), None
        while not self._service.stopping.wait(self._look_s):
            self._service.alive()
            self._turn()
            seen = self._seen(browser)
            if seen is not before:
                log.info("screen=%s lane=%s", seen.value, self._lane)
                before = seen
            if not self._page_answers():
                continue  # the page shows that nothing is read, and a new browser would show less
            if patience.is_over(seen):
                raise BrowserError(f"the lane's screen does not come back: {seen.value}")
            if seen is not Seen.SHOWN:
                self._lead_back(browser)

    def _seen(self, browser: Browser) -> Seen:
        try:
            shown = browser.look(SHOWN_PAGE, ANSWER_S)
        except Silent:
            return Seen.SILENT
        return Seen.SHOWN if shown == f"/screen/{self._lane}/now" else Seen.ELSEWHERE

    def _lead_back(self, browser: Browser) -> None:
        try:
            browser.go(address(self._config), ANSWER_S)
        except Silent as err:
            log.info("screen=not_led_back why=%r", str(err))

    def _page_answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._config.guard.port), 1.0).close()
        except OSError:
            return False
        return True

    def _turn(self) -> None:
        """Turns every display that is not yet turned: one that is plugged in again comes back upright."""
        if not self._rotate or self._cage_turns:
            return
        for output in unturned(self._randr(), self._rotate):
            self._randr("--output", output, "--transform", str(self._rotate))
            log.info("screen=turned output=%s rotate=%d", output, self._rotate)

    def _randr(self, *arguments: str) -> str:
        sockets = sorted(path.name for path in self._folder.glob("wayland-?"))
        if not sockets:
            return ""
        try:
            said = subprocess.run(  # noqa: S603 - our own arguments
                ["wlr-randr", *arguments],  # noqa: S607 - where Debian puts it
                env={**self._environment, "WAYLAND_DISPLAY": sockets[-1]},
                capture_output=True,
                text=True,
                timeout=ANSWER_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            log.warning("screen=not_turned why=%r", str(err))
            return ""
        return said.stdout


def unturned(randr: str, rotate: int) -> Iterator[str]:
    """Names of the displays in a text of wlr-randr that are not rotated by that much."""
    name = ""
    for line in randr.splitlines():
        if line and not line[0].isspace():
            name = line.split()[0]
        elif line.strip().startswith("Transform:") and line.split()[-1] != str(rotate):
            yield name


def compositor_turns() -> bool:
    """Whether cage turns by itself, as it did up to 0.1.4 (bookworm); newer ones leave it to wlr-randr."""
    try:
        told = subprocess.run(["cage", "-h"], capture_output=True, text=True, timeout=ANSWER_S, check=False)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return False  # starting it will say what is wrong
    return " -r" in told.stdout + told.stderr


def address(config: Config) -> str:
    scheme, host = ("https", config.screen.tls_name) if config.guard.tls_cert else ("http", "127.0.0.1")
    return f"{scheme}://{host}:{config.guard.port}/screen/{config.screen_lane}"


def command(
    config: Config, run_folder: Path, cage_turns: bool, find: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """The compositor with the browser in it. Raises ConfigError where no browser is installed."""
    browser = next((found for name in BROWSERS if (found := find(name))), None)
    if browser is None:
        raise ConfigError("screen.display: no chromium is installed; run sudo ./setup.sh gate")
    turns = ["-r"] * (config.screen.rotate // 90) if cage_turns else []
    name = config.screen.tls_name
    return [
        "cage", "-d", "-m", "last", *turns, "--",
        browser,
        "--kiosk", "--ozone-platform=wayland", "--remote-debugging-pipe",
        f"--user-data-dir={run_folder / 'profile'}", f"--disk-cache-dir={run_folder / 'cache'}",
        "--disk-cache-size=1000000", "--no-first-run", "--no-default-browser-check", "--noerrdialogs",
        "--password-store=basic", "--lang=zh-CN",
        # Nothing is drawn by the graphics chip: its buffers are contiguous memory, which belongs to the camera.
        "--disable-gpu", "--disable-software-rasterizer",
        # No machine code is made at run time, so that the unit can forbid memory to be written and run.
        "--js-flags=--jitless",
        "--disable-pinch", "--overscroll-history-navigation=0",
        "--disable-sync", "--disable-extensions", "--disable-component-update", "--disable-background-networking",
        "--disable-breakpad", "--disable-dev-shm-usage", "--no-proxy-server", "--no-pings",
        *([f"--host-resolver-rules=MAP {name} 127.0.0.1"] if name else []),
        # Nobody touches the page before its first tone.
        "--autoplay-policy=no-user-gesture-required",
        *sound(config.screen.sound),
        address(config),
    ]  # fmt: skip


def prepare_profile(run_folder: Path) -> None:
    """A new profile at every start; what an earlier browser left in it is gone."""
    profile = run_folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(PREFERENCES), "utf-8")


def sound(where: str, cards: Path = Path("/proc/asound")) -> list[str]:
    """The browser's options that lead sound to the card of that kind, mute where there is none."""
    kinds = {"hdmi": "vc4hdmi*", "jack": "Headphones"}
    card = next((path.name for path in sorted(cards.glob(kinds[where]))), None) if where in kinds else None
    return [f"--alsa-output-device=default:CARD={card}"] if card else ["--mute-audio"]


def surroundings(config: Config, run_folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Environment of compositor and browser. What the unit, or a lab, has set stays."""
    ours = {
        "XDG_RUNTIME_DIR": str(run_folder),
        "HOME": str(run_folder),
        "TMPDIR": str(run_folder),
        "LIBSEAT_BACKEND": "seatd",
        # Without touch no key, mouse or finger is read at all.
        "WLR_BACKENDS": "drm,libinput" if config.screen.touch else "drm",
        "WLR_LIBINPUT_NO_DEVICES": "1",
        "WLR_RENDERER": "pixman",
        "WLR_XWAYLAND": "/bin/false",
        "LANGUAGE": "zh_CN",
    }
    return {**ours, **given, "XDG_RUNTIME_DIR": str(run_folder), "HOME": str(run_folder)}
