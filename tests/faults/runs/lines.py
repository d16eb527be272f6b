"""Events and lists over a line that loses what it carries, and one that comes and goes.

The agent, its journal, the centre and every socket are real. The agent's own pauses are not waited for: its clock is
told that they have passed.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from kiosk.core.journal import Journal
from kiosk.core.vouching import Anchor
from sync.agent.agent import Agent
from sync.agent.enrol import read_identity
from sync.agent.lists import ListFolder
from sync.agent.wire import Tls
from sync.protocol import Accepted, Acknowledged, Event, EventBatch, EventsAfter, Signed, SyncState
from tests.faults.runs.audit import summary
from tests.faults.runs.kills import Ends
from tests.faults.tally import Tally
from tests.fixtures.both_ends import Clock
from tests.fixtures.processes.centre import COMPOUND, Centre, event_ids, listed_cursor, open_descriptors, wrong_rows
from tests.fixtures.processes.device import Device
from tests.fixtures.processes.line import Line

PASSES = 40
CATCH_UP_S = 120.0
SPARE_DESCRIPTORS = 12
"""For connections that are kept for the next question."""
_READ_AT_ONCE = 1000


class JournalCore:
    """What sync sees of a core (CoreSide): a real journal, and a list that is always believed."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder, lambda: time.time_ns() // 1_000_000)
        self.events_after: Callable[[EventsAfter], EventBatch] = self.journal.read
        self._happened = 0

    def happen(self, count: int) -> None:
        """More events, which are on the disk afterwards."""
        for _ in range(count):
            self._happened += 1
            event = Event(id=f"event-{self._happened}", kind="call", at_ms=time.time_ns() // 1_000_000)
            saved = self.journal.append(event)
        assert saved.wait(30)

    def acknowledged(self, note: Acknowledged) -> None:
        self.journal.prune(note.seq)

    def report(self, state: SyncState) -> Accepted:
        return Accepted(True)

    def nonce(self) -> bytes:
        return bytes(16)

    def time(self, statement: Signed) -> Accepted:
        return Accepted(True)

    def bodies(self) -> dict[tuple[str, int], str]:
        """Everything written, by journal and number."""
        found: dict[tuple[str, int], str] = {}
        while True:
            batch = self.journal.read(EventsAfter(self.journal.health().journal_id, len(found), _READ_AT_ONCE))
            if not batch.events:
                return found
            found.update({(batch.journal_id, n): body for n, body in enumerate(batch.events, batch.first_seq)})


class Stand:
    """A centre, a line to it, and a gate's sync that follows it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.centre = Centre(folder / "centre")
        self.centre.start()
        self.line = Line(self.centre.port, seed)
        self.device = Device(folder / "gate")
        self.centre.enrol(self.device, self.line.url)
        self.core = JournalCore(self.device.core_state)
        self.numbers = [card.number for card in self.centre.issue(PASSES)]
        self._clock = Clock()
        state = self.device.folder / "state" / "sync"
        identity = read_identity(state)
        assert identity
        anchor = msgspec.json.decode((self.device.folder / "anchor.json").read_bytes(), type=Anchor)
        lists = ListFolder(self.device.list_folder, COMPOUND, anchor.root_public)
        sessions = Tls().session
        self._agent = Agent(self.core, lists, state, identity, sessions, clock=self._clock, rng=self.rng)

    def descriptors(self) -> tuple[int, int]:
        """Open ones of the agent (and of this process with it) and of the centre."""
        return open_descriptors("self"), self.centre.descriptors()

    def step(self) -> None:
        self._clock.now += self._agent.step()

    def change_list(self) -> None:
        """One pass is revoked and another one issued."""
        self.centre.revoke(self.numbers.pop(0))
        self.numbers += [card.number for card in self.centre.issue(1)]
        self._agent.wake()

    def catch_up(self) -> list[str]:
        """Let it come to rest on a good line. What is wrong with what the centre and the list then have."""
        self.line.loss, self.line.silent = 0.0, False
        self.line.up()
        newest = self.core.journal.health().newest
        end = time.monotonic() + CATCH_UP_S
        while time.monotonic() < end:
            self.step()
            if listed_cursor(self.device.list_folder) == self.centre.cursor() and not self._unsent(newest):
                break
            self._agent.wake()
        return [*delivered(self.centre, self.core.bodies()), *wrong_rows(self.centre, self.device.list_folder)]

    def _unsent(self, newest: int) -> bool:
        sent = self.device.folder / "state" / "sync" / "sent.json"
        return not sent.exists() or max(msgspec.json.decode(sent.read_bytes()).values(), default=0) < newest

    def close(self) -> None:
        self._agent.close()
        self.core.journal.close()
        self.line.close()
        self.centre.close()
        self.device.remove_sockets()


@contextmanager
def stand(folder: Path, seed: int) -> Iterator[Stand]:
    made = Stand(folder, seed)
    try:
        yield made
    finally:
        made.close()


def delivered(centre: Centre, written: dict[tuple[str, int], str], newest: int | None = None) -> list[str]:
    """What the centre lacks, has twice, or has otherwise than the gate's journal, up to the ``newest`` number."""
    there = {key: text for key, text in centre.events().items() if newest is None or key[1] <= newest}
    lost = [key for key in written if key not in there]
    other = [key for key, text in there.items() if written.get(key) != text]
    twice = [name for name, times in Counter(event_ids(there)).items() if times > 1]
    named = {"events lost": lost, "events that nobody wrote": other, "events doubled": twice}
    found = [f"{what}: {key}" for what, keys in named.items() for key in keys]
    return found + [f"breaks of the chain at the centre: number {number}" for number in range(centre.breaks())]


def lossy(folder: Path, seed: int = 1, minutes: float | None = None, loss: float = 0.15, events: int = 150_000,
          at_once: int = 150) -> Tally:  # fmt: skip
    """Send so many events, and a list that changes, over a line that loses that share of what it carries."""
    ends, happened = Ends(minutes), 0
    with stand(folder, seed) as here:
        here.line.loss = loss
        while happened < events and not ends.reached():
            count = min(here.rng.randint(1, at_once), events - happened)
            here.core.happen(count)
            happened += count
            if here.rng.random() < 0.1:
                here.change_list()
            here.step()
        found = here.catch_up()
        carried, lost = here.line.carried, here.line.lost
    notes = (*summary(seed, found), f"{lost:,} of {carried + lost:,} pieces lost")
    return Tally(f"events over {loss:.0%} loss", happened, max(0, happened - len(found)), notes)


def flapping(folder: Path, seed: int = 1, minutes: float | None = None, flaps: int = 5_000) -> Tally:
    """Cut the line and give it back at any moment, while events and changes of the list go over it."""
    ends, done, stopping = Ends(minutes), [0], threading.Event()
    with stand(folder, seed) as here:
        found = here.catch_up()
        before = here.descriptors()
        flapper = threading.Thread(target=partial(_flap, here.line, random.Random(seed), done, stopping), daemon=True)
        flapper.start()
        try:
            while done[0] < flaps and not ends.reached():
                here.core.happen(here.rng.randint(1, 20))
                if here.rng.random() < 0.02:
                    here.change_list()
                here.step()
        finally:
            stopping.set()
            flapper.join()
        found += [*here.catch_up(), *_left_open(here, before)]
        written = here.core.journal.health().newest
        figures = f"{written:,} events, {here.line.carried:,} pieces carried, {here.line.refused:,} connections refused"
    notes = (*summary(seed, found), figures)
    return Tally("line flaps", done[0], max(0, done[0] - len(found)), notes)


def _left_open(here: Stand, before: tuple[int, int]) -> Iterator[str]:
    """A line that was cut must not cost a descriptor for good, at either end."""
    end = time.monotonic() + CATCH_UP_S
    while (now := here.descriptors()) and time.monotonic() < end:
        if all(there <= was + SPARE_DESCRIPTORS for there, was in zip(now, before, strict=True)):
            return
        time.sleep(0.1)
    yield f"descriptors of agent and centre go from {before} to {now}"


def _flap(line: Line, rng: random.Random, done: list[int], stopping: threading.Event) -> None:
    while not stopping.wait(rng.random() * 0.03):
        line.down()
        stopping.wait(rng.random() * 0.01)
        line.up()
        done[0] += 1


PARTS = {
    "line-loss-15": partial(lossy, loss=0.15),
    "line-loss-25": partial(lossy, loss=0.25),
    "line-flaps": flapping,
}
