"""Sync, reader and guard killed at random points, and the core beside each of them that must go on and say so."""

from __future__ import annotations

import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from kiosk.demo_passes import draw
from kiosk.guard.doors import SESSION_COOKIE, form_token
from kiosk.verbs import SHOW, Show
from tests.faults.runs.audit import Books, audit, read_books, summary
from tests.faults.runs.kills import LANES, Ends, deck_of, fork_server, passes, wait_until_idle
from tests.faults.runs.lines import delivered
from tests.faults.tally import Tally
from tests.fixtures.gate_parts import PIN
from tests.fixtures.processes.centre import wrong_rows
from tests.fixtures.processes.crowd import Crowd, Deck, Pressed, Record, Shown
from tests.fixtures.processes.device import Device, ask, listed_device, notified
from tests.fixtures.processes.forks import ForkServer
from tests.fixtures.processes.town import SMALL_CAMERA, Town

TOLD_S = 5.0
"""Within which a guard has to be told, and the part has to work again once it is back."""
CATCH_UP_S = 120.0
_OF_ONE_TOWN = 400
_OF_ONE_DEVICE = 100


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether something came true within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.03)
    return true()


def in_turns(
    name: str, seed: int, wanted: int, most: int, minutes: float | None, turn: Callable[[int, int, Ends], _Turn]
) -> Tally:
    """Turn after turn, each on a device of its own: ``turn`` is given its number and how many faults it may make."""
    ends, done, held, notes, figures = Ends(minutes), 0, 0, [], 0
    while done < wanted and not ends.reached():
        tried, found, events = turn(done, min(most, wanted - done), ends)
        notes += summary(seed + done, found)
        done, held, figures = done + tried, held + max(0, tried - len(found)), figures + events
    return Tally(name, done, held, (*notes, f"{figures:,} events"))


_Turn = tuple[int, list[str], int]


# --- sync -------------------------------------------------------------------------------------------------------------


def sync(folder: Path, seed: int = 1, minutes: float | None = None, kills: int = 1_600) -> Tally:
    """Kill sync between a core at work and a centre that changes its list, over a line that loses a little."""
    with fork_server() as forks:

        def turn(number: int, most: int, ends: Ends) -> _Turn:
            town = Town(folder / f"town-{number}", forks, seed + number)
            try:
                return _sync_killed(town, random.Random(seed + number), seed + number, most, ends)
            finally:
                town.close()

        return in_turns("sync killed", seed, kills, _OF_ONE_TOWN, minutes, turn)


def _sync_killed(town: Town, rng: random.Random, seed: int, most: int, ends: Ends) -> _Turn:
    for name in ("core", "sync"):
        town.start(name)
    town.wait_for_list()
    record, found, done = Record(), [], 0
    crowd = Crowd(town.device, town.deck, record, seed, pause_s=0.05).start()
    while done < most and not ends.reached():
        done += 1
        town.line.loss = rng.choice((0.0, 0.0, 0.1))
        if rng.random() < 0.05:
            town.change_list()
        time.sleep(rng.random() * rng.choice((0.05, 0.2, 0.6)))
        if not town.kill("sync"):
            found.append(f"sync ended by itself: {town.device.said('sync')[-300:]}")
        town.start("sync", wait=rng.random() > 0.15)
    crowd.stop()
    found += settle(town)
    books = read_books(town.device, town.centre.events())
    return done, found + audit(town.device, record, books), len(books.entries)


def settle(town: Town) -> list[str]:
    """Let everything come to rest on a good line, stop it, and compare both ends."""
    town.line.loss, town.line.delay_s, town.line.silent = 0.0, 0.0, False
    town.line.up()
    found = wait_until_idle(town.device)
    found += [f"the core's orderly stop ended with {status}" for status in [town.end("core")] if status]
    town.start("core")  # what was left open is closed now
    found += wait_until_idle(town.device)
    books = read_books(town.device, town.centre.events())
    wanted = {(books.journal_id, entry.seq): entry.body for entry in books.entries}
    until(lambda: town.is_caught_up() and wanted.keys() <= town.centre.events().keys(), CATCH_UP_S)
    for name in ("sync", "core"):
        found += [f"{name}'s orderly stop ended with {status}" for status in [town.end(name)] if status]
    return [*found, *delivered(town.centre, wanted, len(wanted)), *wrong_rows(town.centre, town.device.list_folder)]


# --- reader -----------------------------------------------------------------------------------------------------------


def reader(folder: Path, seed: int = 1, minutes: float | None = None, kills: int = 200) -> Tally:
    """Kill the reader: the core tells the guard, and reading begins again."""
    with fork_server() as forks:

        def turn(number: int, most: int, ends: Ends) -> _Turn:
            count = 20 + most * 4
            device = listed_device(folder / f"reader-{number}", passes(count), count, lanes=LANES, camera=SMALL_CAMERA)
            eyes = _Eyes(device, forks, deck_of(device, count))
            try:
                return eyes.killed(random.Random(seed + number), most, ends)
            finally:
                device.remove_sockets()

        return in_turns("reader killed", seed, kills, _OF_ONE_DEVICE, minutes, turn)


class _Eyes:
    """A reader that is killed and comes back, and cards to hold before its camera."""

    def __init__(self, device: Device, forks: ForkServer, deck: Deck) -> None:
        self._device, self._forks, self._deck = device, forks, deck
        self._record = Record()
        self._guard = device.client("core-guard")
        self._camera = device.client("reader-guard", 10.0)

    def killed(self, rng: random.Random, most: int, ends: Ends) -> _Turn:
        core, found, done = self._forks.start(self._device, "core"), [], 0
        pid = self._forks.start(self._device, "reader")
        found += self._reads("at first")
        while done < most and not ends.reached():
            done += 1
            time.sleep(rng.random() * 0.3)
            if not self._forks.kill(pid):
                found.append(f"the reader ended by itself: {self._device.said('reader')[-300:]}")
            if rng.random() < 0.4 and not until(lambda: "reader_silent" in self._faults(), TOLD_S):
                found.append(f"the guard is not told in {TOLD_S:g} s: kill {done}")
            pid = self._forks.start(self._device, "reader")
            found += self._reads(f"kill {done}")
            if not until(lambda: "reader_silent" not in self._faults(), TOLD_S):
                found.append(f"the guard is told of a silent reader that reads: kill {done}")
        self._forks.end(pid)
        found += wait_until_idle(self._device)
        for _ in range(2):  # the second start closes what the first left open
            self._forks.end(core)
            core = self._forks.start(self._device, "core")
        self._forks.end(core)
        for client in (self._guard, self._camera):
            client.close()
        return done, found + audit(self._device, self._record), len(read_books(self._device).entries)

    def _faults(self) -> list[str]:
        state = self._device.state(self._guard)
        return state.faults if state else []

    def _reads(self, when: str) -> list[str]:
        """A card held before the camera is granted, in time."""
        began = time.monotonic()
        while time.monotonic() - began < TOLD_S:
            serial = next(n for n in iter(self._deck.draw, None) if self._deck.expects(n, "entry") == "grant")
            at = time.time()
            shown = ask(self._camera, SHOW, Show("entry", [draw(self._deck.text(serial))]))
            if shown and shown.presented:
                self._record.shown.append(Shown(serial, "entry", at, shown.presented[0], "grant"))
                return []
            self._record.shown.append(Shown(serial, "entry", at, None, "grant"))
        return [f"nothing is read for {TOLD_S:g} s: {when}"]


# --- guard ------------------------------------------------------------------------------------------------------------


def guard(folder: Path, seed: int = 1, minutes: float | None = None, kills: int = 200) -> Tally:
    """Kill the guards' page, or the core behind it, while a guard opens: each press opens once at most."""
    with fork_server() as forks:

        def turn(number: int, most: int, ends: Ends) -> _Turn:
            device = listed_device(folder / f"guard-{number}", passes(10), 10, lanes=LANES)
            post = _Post(device, forks)
            try:
                return post.killed(random.Random(seed + number), most, ends)
            finally:
                post.close()

        return in_turns("guard killed", seed, kills, _OF_ONE_DEVICE, minutes, turn)


class _Post:
    """A guard's browser at a page that is killed and comes back."""

    def __init__(self, device: Device, forks: ForkServer) -> None:
        self._device, self._forks = device, forks
        self._record = Record()
        self._answered = self._starts = 0
        self._browser = requests.Session()
        self._browser.trust_env = False
        self._core = forks.start(device, "core")
        self._start_page()
        self._sign_in()

    def _start_page(self) -> None:
        with notified(self._device.run / "notify-guard") as wait_until_ready:
            self._page = self._device.start_program("guard")
            wait_until_ready(self._page.poll)
        self._starts += 1
        until(lambda: len(self._ports()) >= self._starts, TOLD_S)
        self._url = f"http://127.0.0.1:{self._ports()[-1]}"

    def _ports(self) -> list[str]:
        """Of each start, as the log says it."""
        return re.findall(r"state=ready port=(\d+)", (self._device.folder / "guard.log").read_text())

    def _get(self, path: str) -> requests.Response | None:
        try:
            return self._browser.get(self._url + path, timeout=TOLD_S, allow_redirects=False)
        except requests.RequestException:
            return None

    def _sign_in(self) -> None:
        self._browser.post(f"{self._url}/sign-in", data={"name": "Lin", "pin": PIN}, timeout=10, allow_redirects=False)

    def _open(self) -> None:
        token = form_token(self._browser.cookies[SESSION_COOKIE])
        self._record.pressed.append(Pressed("entry", time.time()))
        try:
            form = {"form_token": token, "lane": "entry", "until": int((time.monotonic() + TOLD_S) * 1000)}
            done = self._browser.post(f"{self._url}/open", data=form, timeout=TOLD_S, allow_redirects=False)
            self._answered += done.status_code == 303
        except requests.RequestException:
            pass

    def _answers(self, core: bool) -> Callable[[], bool]:
        """Whether a monitor is told that the core answers, or that it does not."""

        def true() -> bool:
            answer = self._get("/health")
            return answer is not None and f'"core": {str(core).lower()}' in answer.text

        return true

    def killed(self, rng: random.Random, most: int, ends: Ends) -> _Turn:
        found: list[str] = []
        done = 0
        while done < most and not ends.reached():
            done += 1
            press = threading.Thread(target=self._open, daemon=True)
            press.start()
            time.sleep(rng.random() * 0.04)
            found += [f"{text}: kill {done}" for text in (self._core_dies if done % 5 == 0 else self._page_dies)()]
            press.join()
        found += wait_until_idle(self._device)
        for _ in range(2):
            self._forks.end(self._core)
            self._core = self._forks.start(self._device, "core")
        self._forks.end(self._core)
        books = read_books(self._device)
        return done, found + audit(self._device, self._record) + self._presses(books), len(books.entries)

    def _page_dies(self) -> Iterator[str]:
        self._page.send_signal(signal.SIGKILL)
        self._page.wait()
        self._start_page()
        page = self._get("/")
        if page is None or page.status_code != 200:
            yield "the guard is no longer signed in"

    def _core_dies(self) -> Iterator[str]:
        self._forks.kill(self._core)
        if not until(self._answers(False), TOLD_S):
            yield f"the page does not say within {TOLD_S:g} s that the core is gone"
        self._core = self._forks.start(self._device, "core")
        if not until(self._answers(True), TOLD_S):
            yield f"the page does not say within {TOLD_S:g} s that the core is back"
        self._sign_in()

    def _presses(self, books: Books) -> list[str]:
        opened = len(list(books.of("override")))
        right = self._answered <= opened <= len(self._record.pressed)
        return [] if right else [f"{len(self._record.pressed)} presses, {self._answered} answered, {opened} written"]

    def close(self) -> None:
        self._page.kill()
        self._page.wait()
        self._browser.close()
        self._device.remove_sockets()


PARTS: dict[str, Any] = {"kills-sync": sync, "kills-reader": reader, "kills-guard": guard}
