"""Processes that are killed at random points, and what they left behind."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sync.protocol import CredentialRow
from tests.faults.runs.audit import Books, audit, read_books, relay_rises, slow_answers, summary
from tests.faults.tally import Tally
from tests.fixtures.gate_parts import row_of, text_of
from tests.fixtures.processes.crowd import Crowd, Deck, Record, hold_up
from tests.fixtures.processes.device import Device, NotReady, card, listed_device
from tests.fixtures.processes.forks import ForkServer

LANES = {"entry": "in", "exit": "out"}
KILLS = 250
"""Of one device; then comes another one, with an empty journal."""
BUSY_S, _BUSY = 12.0, 0.01
"""One life of a hundred is a busy one: thousands of events, and many cases open at its end."""
IDLE_S = 60.0
_PASSBACK_S = 150.0
"""Somewhat less than the rule's."""
_TRIED_AGAIN = 8


def state_of(serial: int) -> str:
    """Of every 13 passes one is suspended, and of every 17 one is revoked."""
    return "suspended" if serial % 13 == 0 else "revoked" if serial % 17 == 0 else "active"


def expected(serial: int, lane: str) -> str:
    """Exit lanes never deny."""
    usual = {"active": "grant", "suspended": "refer", "revoked": "deny"}[state_of(serial)]
    return "refer" if usual == "deny" and LANES[lane] == "out" else usual


def passes(count: int) -> Callable[[int], Iterator[CredentialRow]]:
    return lambda now_ms: (
        row_of(card(n, now_ms), number=f"A-{n:06d}", household=n // 3 + 1, state=state_of(n))
        for n in range(1, count + 1)
    )


def deck_of(device: Device, count: int) -> Deck:
    """All passes."""
    return Deck(list(range(1, count + 1)), lambda n: text_of(card(n, device.now_ms)), expected)


class Ends:
    """When a part has had its time; never, where no minutes are given."""

    def __init__(self, minutes: float | None) -> None:
        self._at = None if minutes is None else time.monotonic() + minutes * 60

    def reached(self) -> bool:
        return self._at is not None and time.monotonic() >= self._at


@contextmanager
def fork_server() -> Iterator[ForkServer]:
    forks = ForkServer()
    try:
        yield forks
    finally:
        forks.close()


def core(folder: Path, seed: int = 1, minutes: float | None = None, kills: int = 8_000) -> Tally:
    """Kill the core while people pass at two lanes, at a random point of its start or of its work."""
    ends, done, held, notes = Ends(minutes), 0, 0, []
    figures = {"presentations": 0, "answered": 0, "of them before a slow disk": 0, "events": 0, "openings": 0}
    first: Device | None = None
    count = min(kills, KILLS) * 30 + 3_000
    with fork_server() as forks:
        while done < kills and not ends.reached():
            wanted = min(KILLS, kills - done)
            device = listed_device(folder / f"device-{done}", passes(count), count, first, lanes=LANES)
            first = first or device
            life = _Lives(device, forks, deck_of(device, count), seed + done)
            tried, found = life.run(wanted, ends)
            notes += summary(seed + done, found)
            done, held = done + tried, held + max(0, tried - len(found))
            for name, value in life.figures().items():
                figures[name] += value
            device.remove_sockets()
    notes.append(", ".join(f"{value:,} {name}" for name, value in figures.items()))
    return Tally("core killed", done, held, tuple(notes))


class _Lives:
    """The lives of one core, and the books at the end of them."""

    def __init__(self, device: Device, forks: ForkServer, deck: Deck, seed: int) -> None:
        self._device, self._forks, self._deck, self._seed = device, forks, deck, seed
        self._rng = random.Random(seed)
        self.record = Record()

    def run(self, kills: int, ends: Ends) -> tuple[int, list[str]]:
        """How many kills there were, and what was found wrong after them."""
        found: list[str] = []
        crowd = Crowd(self._device, self._deck, self.record, self._seed).start()
        done = 0
        try:
            while done < kills and not ends.reached() and self._deck.left:
                done += 1
                found += self._live_and_die()
        finally:
            crowd.stop()
        for lane in LANES:
            for name in ("passage", "guard_button"):
                self._device.press(lane, name, False)
        return done, [*found, *self._settle(), *audit(self._device, self.record)]

    def _live_and_die(self) -> Iterator[str]:
        rng = self._rng
        early = rng.random() < 0.15
        try:
            pid = self._forks.start(self._device, "core", wait=not early)
        except NotReady as err:
            yield f"{err}: {self._device.said('core')[-300:]}"
            return
        longest = 0.12 if early else BUSY_S if rng.random() < _BUSY else rng.choice((0.03, 0.1, 0.25))
        time.sleep(rng.random() * longest)
        if not self._forks.kill(pid):
            yield f"the core ended by itself: {self._device.said('core')[-300:]}"

    def _settle(self) -> list[str]:
        """Two more starts without a kill; people who passed and people who did not come again at the first one."""
        found = self._quiet_life(list)
        found += self._quiet_life(partial(self._come_again, read_books(self._device)))
        return found + self._quiet_life(list)

    def _quiet_life(self, act: Callable[[], list[str]]) -> list[str]:
        pid = self._forks.start(self._device, "core")
        found = act() + wait_until_idle(self._device)
        status = self._forks.end(pid)
        return [*found, *([f"an orderly stop ended with {status}"] if status else [])]

    def _come_again(self, books: Books) -> list[str]:
        """Who has passed of late is referred as coming back; whose passage came to nothing is not."""
        now_ms = max(entry.event.at_ms for entry in books.entries)
        decided = {event.id: event for event in books.of("decided") if event.outcome == "grant"}
        passed, vain = {}, {}
        for entry in books.entries:
            shown = decided.get(entry.event.about)
            if entry.event.kind != "passage" or shown is None or now_ms - shown.at_ms > _PASSBACK_S * 1000:
                continue
            (passed if entry.use else vain)[shown.serial, shown.lane] = entry.event.outcome
        vain = {key: outcome for key, outcome in vain.items() if key not in passed}
        client = self._device.client("core-reader")
        for people, expects in ((passed, "refer"), (vain, "grant")):
            for serial, lane in self._rng.sample(sorted(people), min(_TRIED_AGAIN, len(people))):
                hold_up(client, self.record, self._deck, serial, lane, expects)
        client.close()
        return []

    def figures(self) -> dict[str, int]:
        shown = self.record.shown
        return {
            "presentations": len(shown),
            "answered": sum(s.answer is not None for s in shown),
            "events": len(read_books(self._device).entries),
            "of them before a slow disk": slow_answers(self._device),
            "openings": sum(len(rises.at) for rises in relay_rises(self._device).values()),
        }


def wait_until_idle(device: Device) -> list[str]:
    """Until every passage is settled and written. What is wrong if that does not come."""
    client = device.client("core-guard")
    end = time.monotonic() + IDLE_S
    state: Any = None
    while time.monotonic() < end:
        state = device.state(client)
        if state and not state.events_in_memory and all(lane.phase == "idle" for lane in state.lanes):
            client.close()
            return []
        time.sleep(0.02)
    client.close()
    return [f"lanes do not come to rest: {[lane.phase for lane in state.lanes] if state else 'no answer'}"]


def wait_until_answered(device: Device) -> list[str]:
    """Until every yellow case has its answer in the journal. What is wrong if that does not come."""
    end = time.monotonic() + IDLE_S
    while time.monotonic() < end:
        books = read_books(device)
        answered = {event.about for event in books.of("ruled", "override")}
        if all(event.id in answered for event in books.of("decided") if event.outcome == "refer"):
            return []
        time.sleep(0.1)
    return ["yellow cases are not answered by time"]


PARTS = {"kills-core": core}
