"""All processes of a gate with its line and its centre, and something that goes wrong every few seconds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults.runs.audit import audit, read_books, summary
from tests.faults.runs.kills import Ends, fork_server
from tests.faults.runs.peers import TOLD_S, settle, until
from tests.faults.tally import Tally
from tests.fixtures.processes.crowd import Crowd, Record
from tests.fixtures.processes.town import Town

HOUR = 60.0
"""Minutes of the long run."""
LONGEST_STOP_S = 12.0


def soak(folder: Path, seed: int = 1, minutes: float | None = None) -> Tally:
    """People pass at two lanes while processes are killed and stopped, the line fails and the centre is killed."""
    with fork_server() as forks:
        town = Town(folder / "town", forks, seed, passes=300)
        try:
            chaos = Chaos(town, random.Random(seed))
            found = chaos.run(seed, Ends(HOUR if minutes is None else minutes))
        finally:
            town.close()
    figures = ", ".join(f"{times} {name}" for name, times in sorted(chaos.done.items()))
    notes = (*summary(seed, found), chaos.figures, figures)
    tried = chaos.done.total()
    return Tally("soak with chaos", tried, max(0, tried - len(found)), notes)


class Chaos:
    """What goes wrong in a town, one thing after another. ``done`` counts each."""

    def __init__(self, town: Town, rng: random.Random) -> None:
        self._town, self._rng = town, rng
        self.done: Counter[str] = Counter()
        self.figures = ""
        self._found: list[str] = []
        self._guard = town.device.client("core-guard", TOLD_S)
        self._page: subprocess.Popen[bytes] | None = None
        self._acts: dict[str, Callable[[], None]] = {
            "core killed": lambda: self._kill("core"),
            "sync killed": lambda: self._kill("sync"),
            "reader killed": self._kill_reader,
            "page killed": self._kill_page,
            "line lossy": self._lose,
            "line cut": town.line.cut,
            "line flaps": self._flap,
            "line silent": self._silence,
            "line slow": self._slow,
            "centre killed": self._kill_centre,
            "list changed": town.change_list,
            "sensor held": self._hold_sensor,
            "core stopped": self._stop_core,
        }

    def run(self, seed: int, ends: Ends) -> list[str]:
        """What was found wrong after all of it."""
        town, record = self._town, Record()
        for name in ("core", "reader", "sync"):
            town.start(name)
        self._page = town.device.start_program("guard")
        town.wait_for_list()
        crowd = Crowd(town.device, town.deck, record, seed, pause_s=0.3).start()
        try:
            while not ends.reached():
                name = self._rng.choice(list(self._acts))
                self._acts[name]()
                self.done[name] += 1
                time.sleep(self._rng.random() * 2)
        finally:
            crowd.stop()
            self._page.kill()
            self._page.wait()
        for lane in town.device.lanes:
            for name in ("passage", "guard_button"):
                town.device.press(lane, name, False)
        town.end("reader")
        found = [*self._found, *settle(town)]
        self._guard.close()
        books = read_books(town.device, town.centre.events())
        self.figures = f"{len(record.shown):,} presentations, {len(books.entries):,} events"
        return [*found, *audit(town.device, record, books)]

    def _wrong(self, text: str) -> None:
        self._found.append(f"{text}, after {self.done.total()} acts")

    def _faults(self) -> list[str]:
        state = self._town.device.state(self._guard)
        return state.faults if state else ["no answer"]

    def _told(self, true: Callable[[], bool], what: str) -> None:
        if not until(true, TOLD_S):
            self._wrong(f"{what} within {TOLD_S:g} s: {self._faults()}")

    def _kill(self, name: str) -> None:
        if not self._town.kill(name):
            self._wrong(f"{name} ended by itself: {self._town.device.said(name)[-300:]}")
        self._town.start(name)

    def _kill_reader(self) -> None:
        if not self._town.kill("reader"):
            self._wrong(f"reader ended by itself: {self._town.device.said('reader')[-300:]}")
        if self._rng.random() < 0.5:
            self._told(lambda: "reader_silent" in self._faults(), "a silent reader is not told")
        self._town.start("reader")
        self._told(lambda: not {"reader_silent", "camera"}.intersection(self._faults()), "a reader is not back")

    def _kill_page(self) -> None:
        assert self._page
        self._page.kill()
        self._page.wait()
        self._page = self._town.device.start_program("guard")

    def _lose(self) -> None:
        self._town.line.loss = self._rng.choice((0.0, 0.15, 0.25))

    def _flap(self) -> None:
        for _ in range(self._rng.randint(1, 10)):
            self._town.line.down()
            time.sleep(self._rng.random() * 0.2)
            self._town.line.up()
            time.sleep(self._rng.random() * 0.2)

    def _silence(self) -> None:
        self._town.line.silent = True
        time.sleep(self._rng.random() * 15)
        self._town.line.silent = False

    def _slow(self) -> None:
        self._town.line.delay_s = self._rng.choice((0.0, 0.0, 0.5))

    def _kill_centre(self) -> None:
        self._town.centre.kill()
        time.sleep(self._rng.random() * 3)
        self._town.centre.start()

    def _hold_sensor(self) -> None:
        lane = self._rng.choice(list(self._town.device.lanes))
        self._town.device.press(lane, "passage", True)
        time.sleep(self._rng.random() * 3)
        self._town.device.press(lane, "passage", False)

    def _stop_core(self) -> None:
        """Nothing that was asked for in the meantime may be done afterwards."""
        os.kill(self._town.pids["core"], signal.SIGSTOP)
        time.sleep(self._rng.random() * LONGEST_STOP_S)
        os.kill(self._town.pids["core"], signal.SIGCONT)


PARTS = {"soak": soak}
