"""What a stolen card's PINs cost to guess, and what checking one costs a gate.

    python tests/bench/pins.py [--seconds 5] [--opening] [--rounds 4]

A verifier of an older version and one of today are tried for some seconds on one processor: guesses a second, and the
core-hours until all PINs of a length are tried (half of it is the mean). A fast machine of today; a rented one is not
much faster at a guess, but there are many. ``--opening``: a real core answers presentations while nobody signs in, and
while two strangers try PINs without a pause, in turns. Bounded, on this machine alone; nothing is asserted.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from nacl import pwhash
from nacl.exceptions import InvalidkeyError
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from kiosk.channel import ChannelError, Client
from kiosk.verbs import PRESENT, SIGN_IN, Presentation, SignIn
from sync.server.centre.errors import CentreError
from sync.server.centre.settings import Settings
from sync.server.gates import pins
from tests.fixtures.centre import LONG_PIN
from tests.fixtures.processes.centre import Centre, listed_cursor
from tests.fixtures.processes.device import Device

BEFORE = (3, 16 << 20)
HUMAN_BITS = 13.2
"""Of a six-digit PIN that a person chose, against guessing offline (Wang and others, AsiaCCS 2017)."""
DRAWN = 20_000
CARDS = 60
WAIT_S = 60.0
console = Console()


def seconds_of_a_guess(passes: int, memory: int, seconds: float) -> float:
    """Processor time of one check."""
    verifier = pwhash.argon2id.str(LONG_PIN.encode(), passes, memory)
    count, begun = 0, time.process_time()
    while time.process_time() < begun + seconds:
        with suppress(InvalidkeyError):
            pwhash.verify(verifier, f"{count:08d}".encode())
        count += 1
    return (time.process_time() - begun) / count


def guessing(seconds: float) -> None:
    settings = Settings(state=Path())
    today = (settings.pin_passes, settings.pin_memory_bytes)
    table = Table("verifier", "ms a guess", "guesses/s/core", "6 digits", "6, chosen", "8 digits", title="core-hours")
    for name, (passes, memory) in (("before", BEFORE), ("today", today)):
        each = seconds_of_a_guess(passes, memory, seconds)
        hours = [f"{count * each / 3600:,.2f}" for count in (10**6, 2**HUMAN_BITS, 10**8)]
        table.add_row(f"{name}: {memory >> 20} MiB, {passes}", f"{each * 1000:.1f}", f"{1 / each:.1f}", *hours)
    console.print(table)


def refused_share() -> None:
    """How much of the room for PINs the rules take away: a thief need not try those."""
    rng = random.Random(1)
    for role, least in pins.LEAST.items():
        refused = 0
        for _ in range(DRAWN):
            try:
                pins.check_pin(f"{rng.randrange(10**least):0{least}d}", role)
            except CentreError:
                refused += 1
        console.print(f"{role}: of {DRAWN} drawn PINs of {least} digits {refused / DRAWN:.1%} are refused")


class Strangers:
    """Two who try PINs without a pause, each from ever new addresses."""

    def __init__(self, device: Device) -> None:
        self.tried = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._try, args=(device, n)) for n in range(2)]
        for thread in self._threads:
            thread.start()

    def _try(self, device: Device, which: int) -> None:
        client, number = device.client("core-guard", 20.0), 0
        while not self._stop.is_set():
            number += 1
            with suppress(ChannelError):
                client.ask(SIGN_IN, SignIn(f"nobody{number}", "000000", f"10.{which}.{number >> 8}.{number & 255}"))
            self.tried += 1
        client.close()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def opening(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        centre, device = Centre(Path(folder) / "centre"), Device(Path(folder) / "gate")
        try:
            centre.start()
            centre.enrol(device, f"http://127.0.0.1:{centre.port}")
            texts = [card.text for card in centre.issue(CARDS)]
            with device.running("core", "sync") as running:
                _wait(device, centre)
                _measure(device, texts, rounds)
                status = Path(f"/proc/{running['core'][0]}/status").read_text()
                console.print("core:", next(line for line in status.splitlines() if line.startswith("VmHWM")))
        finally:
            centre.close()


def _wait(device: Device, centre: Centre) -> None:
    client, end = device.client("core-guard"), time.monotonic() + WAIT_S
    while listed_cursor(device.list_folder) != centre.cursor() or not getattr(device.state(client), "list_passes", 0):
        if time.monotonic() > end:
            raise SystemExit(device.said("core"))
        time.sleep(0.05)
    client.close()


def _measure(device: Device, texts: list[str], rounds: int) -> None:
    reader = device.client("core-reader")
    taken: dict[str, list[float]] = {"idle": [], "attacked": []}
    tried = 0
    for _ in range(rounds):
        for kind, times in taken.items():
            strangers = Strangers(device) if kind == "attacked" else None
            times += [_present(reader, text) for text in texts]
            if strangers:
                strangers.end()
                tried += strangers.tried
    reader.close()
    table = Table("", "p50 ms", "p99 ms", title=f"a presentation; {tried} PINs tried")
    for kind, times in taken.items():
        order = sorted(times)
        table.add_row(kind, f"{order[len(order) // 2] * 1000:.1f}", f"{order[int(len(order) * 0.99)] * 1000:.1f}")
    console.print(table)


def _present(reader: Client, text: str) -> float:
    begun = time.perf_counter()
    reader.ask(PRESENT, Presentation(lane="entry", text=text))
    taken = time.perf_counter() - begun
    time.sleep(0.02)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--opening", action="store_true")
    parser.add_argument("--rounds", type=int, default=4)
    asked = parser.parse_args()
    guessing(asked.seconds)
    refused_share()
    if asked.opening:
        opening(asked.rounds)


if __name__ == "__main__":
    main()
