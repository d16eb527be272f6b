"""Much traffic in little time: what it costs the core in memory and descriptors, and whether its books stay right."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kiosk.channel import ChannelError, Client
from kiosk.verbs import HOLD, RULE, SIGN_IN, WATCH, Hold, Ruling, SignIn, Watch
from tests.faults.runs.audit import audit, read_books, summary
from tests.faults.runs.kills import LANES, Ends, deck_of, passes, wait_until_answered, wait_until_idle
from tests.faults.tally import Tally
from tests.fixtures.gate_parts import PIN
from tests.fixtures.processes.crowd import Crowd, Pressed, Record
from tests.fixtures.processes.device import Device, listed_device

SAMPLES = 60
BYTES_EACH = 100.0
"""The least that a forgotten object costs; what a presentation leaves behind for ever must be less."""
_SLACK = 4 << 20
"""What memory goes up and down by itself: SQLite takes and gives back two megabytes."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """After so many presentations: resident bytes, open descriptors, threads."""

    shown: int
    memory: int
    descriptors: int
    threads: int


def sample(pid: int, shown: int) -> Sample:
    folder = Path(f"/proc/{pid}")
    memory = int((folder / "statm").read_text().split()[1]) * _PAGE
    return Sample(shown, memory, len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir())))


def slope(samples: list[Sample], of: Callable[[Sample], int]) -> float:
    """How much there is more of it with each presentation, by least squares."""
    x_mean = sum(one.shown for one in samples) / len(samples)
    y_mean = sum(of(one) for one in samples) / len(samples)
    spread = sum((one.shown - x_mean) ** 2 for one in samples)
    return sum((one.shown - x_mean) * (of(one) - y_mean) for one in samples) / spread if spread else 0.0


def growth(samples: list[Sample]) -> list[str]:
    """What goes on growing after the first third of the samples, in which caches fill."""
    later = samples[len(samples) // 3 :]
    shown = later[-1].shown - later[0].shown
    found = []
    each = slope(later, lambda one: one.memory)
    if each * shown > BYTES_EACH * shown + _SLACK:
        found.append(f"memory grows by {each:.0f} bytes with each presentation")
    for what, of in (("descriptors", lambda one: one.descriptors), ("threads", lambda one: one.threads)):
        if slope(later, of) * shown > 1:
            found.append(f"{what} go from {of(later[0])} to {of(later[-1])}")
    return found


def presentations(folder: Path, seed: int = 1, minutes: float | None = None, shown: int = 50_000) -> Tally:
    """Hold up so many passes as fast as the core answers. Nobody walks through: what is counted is kept for days."""
    count = min(shown + 100, 8_000)
    rules = {"refer_s": 1, "passback_s": 0}
    device = listed_device(folder / "device", passes(count), count, lanes=LANES, rules=rules)
    record = Record()
    samples: list[Sample] = []
    ends = Ends(minutes)
    with device.running("core") as started:
        pid = started["core"][0]
        crowd = Crowd(device, deck_of(device, count), record, seed, pause_s=0.0, presses=False, walks=0.0).start()
        for number in range(1, SAMPLES + 1):
            wanted = shown * number // SAMPLES
            while len(record.shown) < wanted and not ends.reached():
                time.sleep(0.005)
            samples.append(sample(pid, len(record.shown)))
        crowd.stop()
        found = [*wait_until_answered(device), *wait_until_idle(device)]
    found += _books(device, record) + growth(samples)
    notes = summary(seed, found)
    first, last = samples[SAMPLES // 3], samples[-1]
    notes.append(f"memory {first.memory / 1e6:.1f} MB after {first.shown:,} and {last.memory / 1e6:.1f} MB after "
                 f"{last.shown:,}; descriptors {first.descriptors} and {last.descriptors}, "
                 f"threads {first.threads} and {last.threads}")  # fmt: skip
    return Tally("presentations", len(record.shown), max(0, len(record.shown) - len(found)), tuple(notes))


def _books(device: Device, record: Record) -> list[str]:
    """After one more start, which closes what the stop left open."""
    with device.running("core"):
        found = wait_until_idle(device)
    device.remove_sockets()
    return found + audit(device, record)


def day(folder: Path, seed: int = 1, minutes: float | None = None, shown: int = 20_000) -> Tally:
    """A day of a large compound in minutes: rushes and calm, people who pass and who do not, a guard who rules."""
    count = min(shown, 6_000)
    device = listed_device(folder / "device", passes(count), count, lanes=LANES, rules={"passback_s": 0})
    record, rng, ends, deck = Record(), random.Random(seed), Ends(minutes), deck_of(device, count)
    with device.running("core"):
        post = _Post(device, record, random.Random(f"{seed} guard"))
        while len(record.shown) < shown and not ends.reached():
            crowd = Crowd(device, deck, record, rng.randrange(1 << 30), pause_s=rng.choice((0.0, 0.005, 0.05))).start()
            until = min(shown, len(record.shown) + max(20, shown // 24))
            while len(record.shown) < until and not ends.reached():
                time.sleep(0.01)
            crowd.stop()
            post.hold(rng.choice(list(LANES)))
        post.stop()
        found = wait_until_idle(device)
    found += _books(device, record)
    written = read_books(device)
    figures = f"{len(written.entries):,} events, {len(list(written.of('ruled'))):,} rulings"
    notes = (*summary(seed, found), figures)
    return Tally("a day of traffic", len(record.shown), max(0, len(record.shown) - len(found)), notes)


class _Post:
    """A guard who answers every yellow case at once, and holds a lane open now and then."""

    def __init__(self, device: Device, record: Record, rng: random.Random) -> None:
        self._record, self._rng = record, rng
        self._client = device.client("core-guard", 10.0)
        self._watch = device.client("core-guard", 10.0)
        self._token = self._client.ask(SIGN_IN, SignIn("Lin", PIN)).token
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._rule, daemon=True)
        self._thread.start()

    def _rule(self) -> None:
        after = 0
        while not self._stopping.is_set():
            lines = self._watch.ask(WATCH, Watch(self._token, after, 0.2))
            after = max(after, *(line.number for line in lines.items), after)
            for line in lines.items:
                if line.kind == "decision" and line.outcome == "refer":
                    self._act(self._watch, line.lane, line.number)

    def _act(self, client: Client, lane: str, number: int) -> None:
        grant = self._rng.random() < 0.5
        if grant:
            self._record.pressed.append(Pressed(lane, time.time()))
        with suppress(ChannelError):  # it may have been answered by time
            client.ask(RULE, Ruling(self._token, number, grant))

    def hold(self, lane: str) -> None:
        """Hold a lane open, and let it go."""
        for on in (True, False):
            self._record.pressed.append(Pressed(lane, time.time()))
            self._client.ask(HOLD, Hold(self._token, lane, on))

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        for client in (self._client, self._watch):
            client.close()


PARTS = {"presentations": presentations, "day": day}
