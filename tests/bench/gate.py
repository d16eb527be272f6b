"""How fast, how big and how gentle to its card the gate is.

    python tests/bench/gate.py [--passes 240000] [--shown 300] [--passages 5000] [--on FOLDER] [--alone]

A real core in a process of its own answers over its real socket; its simulated relay notes when it was commanded, and
the clock of this machine is the same for both. By hand; nothing is asserted. ``--on`` is a folder on the disk to
measure (``.bench`` by default); without fsync means the same under /dev/shm. Waiting for a processor is told apart
from work by the core's own /proc/PID/schedstat, because a busy machine says nothing about the gate.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from kiosk.channel import Client  # noqa: E402
from kiosk.verbs import PRESENT, Presentation  # noqa: E402
from sync.cache import ListReader  # noqa: E402
from sync.credential import EPOCH_MS, STEP_MS, read_credential  # noqa: E402
from tests.fixtures.gate_parts import (  # noqa: E402
    COMPOUND,
    HOUR_MS,
    NOON_MS,
    PASS_KEY,
    Bench,
    SigningKey,
    credential,
    row_of,
    text_of,
)
from tests.fixtures.processes.device import Device, card, listed_device, residents  # noqa: E402

NAMES = ("core", "reader", "guard", "sync")
console = Console()


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Relay:
    """Reads what the core's simulated relay did, and when."""

    def __init__(self, device: Device) -> None:
        self._file = (device.folder / "parts" / "outputs.jsonl").open()
        self._file.seek(0, os.SEEK_END)

    def next(self, value: bool) -> float:
        """When the relay next changed to this, waiting for it."""
        while True:
            line = self._file.readline()
            if not line.endswith("\n"):
                self._file.seek(self._file.tell() - len(line))
                time.sleep(0.001)
                continue
            change = json.loads(line)
            if (change["what"], change["value"]) == ("relay", value):
                return float(change["t"])


def waited_ms(pid: int) -> float:
    """How long the threads of a process have been ready to run and had to wait for a processor."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e6


def latencies(device: Device, pid: int, shown: int, passes: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the question put on the socket to the relay commanded, and the part of the core's that was
    spent waiting for a processor."""
    commanded, waits = [], []
    serials = random.Random(1).sample(range(1, passes + 1), shown)
    client = Client(device.run / "core-reader.sock")
    relay = Relay(device)
    for serial in track(serials, "presenting", console=console, transient=True):
        text = text_of(card(serial, device.now_ms))
        before, began = waited_ms(pid), time.time()
        answer = client.ask(PRESENT, Presentation(lane="entry", text=text))
        waits.append(waited_ms(pid) - before)
        assert answer.outcome == "grant", answer
        commanded.append((relay.next(True) - began) * 1000)
        relay.next(False)
    client.close()
    return commanded, waits


def own(commanded: list[float], waits: list[float]) -> list[float]:
    """What is left of each when the time in which no processor was free is taken off."""
    return [max(0.0, all_of_it - waited) for all_of_it, waited in zip(commanded, waits, strict=True)]


def flushes(folder: Path, times: int) -> list[float]:
    """Milliseconds of writing 2 kB at the end of a file and flushing it: what this disk gives anybody now."""
    taken = []
    with (folder / "flushed").open("wb", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(2048))
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(0.02)
    return taken


def each(times: int, what: object) -> list[float]:
    """Microseconds of each call of a list of prepared calls."""
    assert isinstance(what, list)
    taken = []
    for call in what[:times]:
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1e6)
    return taken


def pss_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def written_by(passages: int, folder: Path) -> tuple[float, float, float]:
    """Megabytes this process wrote for so many passages (commits one by one, as in life), the journal's size, and the
    milliseconds of a passage."""
    people = [credential(n, not_before_step=(NOON_MS - HOUR_MS - EPOCH_MS) // STEP_MS) for n in range(1, passages + 1)]
    texts = [text_of(person) for person in people]
    bench = Bench(folder, [row_of(person, household=person.serial) for person in people])
    bench.events()
    before, began = _write_bytes(), time.monotonic()
    for text in track(texts, "passing", console=console, transient=True):
        assert bench.gate.present(Presentation(lane="entry", text=text)).outcome == "grant"
        bench.time.go(1.0)
        for level in (True, False):
            bench.gate.input_changed("entry", "passage", level)
        bench.time.go(1.0)
        bench.gate.tick()
        while bench.journal.health().in_memory:
            time.sleep(0.0002)
    taken = (time.monotonic() - began) * 1000 / passages
    bench.stop()
    written = (_write_bytes() - before) / 1e6
    size = sum(path.stat().st_size for path in (folder / "core").glob("journal-*")) / 1e6
    return written, size, taken


def _write_bytes() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=240_000)
    parser.add_argument("--shown", type=int, default=300)
    parser.add_argument("--passages", type=int, default=5000)
    parser.add_argument("--on", type=Path, default=ROOT / ".bench")
    parser.add_argument("--alone", action="store_true", help="before all others on a busy machine (SCHED_RR; root)")
    asked = parser.parse_args()
    if asked.alone:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))  # its children are too
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    table = Table(title=f"The gate with {asked.passes:,} listed passes; load {load} on {os.cpu_count()} processors")
    for column in ("what", "p50", "p95", "p99", "aim"):
        table.add_column(column, justify="left" if column == "what" else "right")

    def row(what: str, values: list[float], unit: str, aim: str = "") -> None:
        table.add_row(what, *(f"{percentile(values, share):.2f} {unit}" for share in (0.5, 0.95, 0.99)), aim)

    asked.on.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked.on) as disk, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        first = listed_device(Path(disk), residents(asked.passes), asked.passes)
        with first.running("core") as processes:
            commanded, waits = latencies(first, processes["core"][0], asked.shown, asked.passes)
            row("socket to relay, fsync", commanded, "ms", "p99 < 15 ms")
            row("  without waiting for a processor", own(commanded, waits), "ms")
            row("  a bare flush of this disk", flushes(Path(disk), asked.shown), "ms")
        second = listed_device(Path(memory), residents(asked.passes), asked.passes, first)
        with second.running("core") as processes:
            commanded, waits = latencies(second, processes["core"][0], asked.shown, asked.passes)
            row("socket to relay, no fsync", commanded, "ms", "p99 < 5 ms")
            row("  without waiting for a processor", own(commanded, waits), "ms")
        reader = ListReader(next(first.list_folder.glob("list-*.db")))
        serials = random.Random(2).sample(range(1, asked.passes + 1), 2000)
        row("list look-up", each(2000, [lambda n=n: reader.find(COMPOUND, n) for n in serials]), "us")
        reader.close()
        keys = {(COMPOUND, 1): bytes(SigningKey(PASS_KEY).verify_key)}
        texts = [text_of(credential(n)) for n in range(1000)]
        row("verify", each(1000, [lambda text=text: read_credential(text, keys) for text in texts]), "us")
        with first.running(*NAMES) as processes:
            time.sleep(3)
            total = 0.0
            for name, (pid, ready) in processes.items():
                megabytes = pss_mb(pid)
                total += megabytes
                table.add_row(f"{name}: ready in {ready:.2f} s", f"{megabytes:.1f} MB", "", "", "< 3 s")
            table.add_row("PSS of all four", f"{total:.1f} MB", "", "", "< 200 MB")
        written, size, taken = written_by(asked.passages, Path(disk) / "passages")
        table.add_row(f"written for {asked.passages:,} passages", f"{written:.1f} MB", "", "", "< 50 MB")
        table.add_row("journal after them", f"{size:.1f} MB", "", f"{taken:.1f} ms each", "")
    for folder in (asked.on, first.run, second.run):
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table)


if __name__ == "__main__":
    main()
