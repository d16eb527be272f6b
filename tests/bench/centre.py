"""How fast the centre is, printed as a table. Run by hand: ``python tests/bench/centre.py [--passes 150000]``.

One process, one thread, through the WSGI application (so without the network), database on disk with synchronous=FULL.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sync.credential import HOUR_MS
from sync.protocol import CHAIN_START, EventUpload, SnapshotHead, chain
from sync.server.app import close_app
from sync.server.passes import bulk, passes
from tests.fixtures.centre import NOW, Gate, World


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=150_000)
    wanted = parser.parse_args().passes
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            measure(world, wanted)
        finally:
            close_app(world.app)


def measure(world: World, wanted: int) -> None:
    gate = world.gate().enrol()
    order = passes.Order(valid_from_ms=NOW, valid_until_ms=NOW + 30 * 24 * HOUR_MS, active=True)
    once(f"issue {wanted} passes, 5,000 a transaction", lambda: [
        passes.issue_many(world.centre, 7, [order] * min(5000, wanted - at), "bench") for at in range(0, wanted, 5000)
    ])  # fmt: skip
    once("snapshot, built", lambda: gate.get("/snapshot"))
    many("snapshot, ready", lambda: gate.get("/snapshot"), 200)
    gate.revision = msgspec.json.decode(gate.get("/snapshot").data, type=SnapshotHead).signed.revision
    gate.follow()
    many("feed, nothing new (204)", lambda: gate.ask(), 2000)
    many("feed, one row", lambda: gate.ask(gate.revision - 1), 1000)
    many("feed, a page of 2,000", lambda: gate.ask(0), 20)
    many("issue one pass (flushed to disk)", lambda: world.issue(), 200)
    many("time statement", lambda: gate.post("/time", {"v": 1, "nonce": "A" * 22 + "=="}), 1000)
    upload = Uploads(gate)
    many("100 events (flushed to disk)", upload.send, 200)
    once(
        "extend every pass",
        lambda: bulk.extend_all(world.centre, 7, bulk.Extension(until_ms=NOW + 365 * 24 * HOUR_MS), "bench"),
    )


class Uploads:
    """A journal that grows by a hundred events at a time."""

    def __init__(self, gate: Gate):
        self._gate = gate
        self._next = 1
        self._chain = CHAIN_START

    def send(self) -> None:
        events = [
            json.dumps({"id": f"{n:x}", "kind": "decided", "at_ms": NOW + n, "lane": "in", "direction": "in",
                        "outcome": "grant", "reason": "ok", "scope": 7, "serial": n})
            for n in range(self._next, self._next + 100)
        ]  # fmt: skip
        upload = EventUpload(v=1, journal_id="bench", first_seq=self._next, before=self._chain, events=events)
        for event in events:
            self._chain = chain(self._chain, event)
        self._next += 100
        answer = self._gate.post("/events", upload)
        if json.loads(answer.data)["acked"] != self._next - 1:
            raise RuntimeError("events were not taken")


def once(name: str, work: Callable[[], object]) -> None:
    began = time.perf_counter()
    work()
    print(f"{name:<45} {time.perf_counter() - began:>10.2f} s")


def many(name: str, work: Callable[[], object], count: int) -> None:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    taken.sort()
    p50, p99 = taken[count // 2] * 1000, taken[count * 99 // 100] * 1000
    print(f"{name:<45} {count / sum(taken):>8.0f}/s  p50 {p50:>7.2f} ms  p99 {p99:>7.2f} ms")


if __name__ == "__main__":
    main()
