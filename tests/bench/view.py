"""What a technician who looks through the camera costs the lane: from a card before the camera to light and relay.

    python tests/bench/view.py [--rounds 6] [--shown 10] [--on FOLDER]

Real core and reader, simulated camera and relay. Rounds in which nobody asks, in which three ask for a picture without
a pause and are refused, and in which they get it are taken in turn, so that whatever else this machine does falls on
all. What the picture itself costs is the difference of the last two; a machine that others keep busy favours whatever
is busy, so the processor time of its parts is told, too. By hand; nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from kiosk.channel import ChannelError  # noqa: E402
from kiosk.demo_passes import draw  # noqa: E402
from kiosk.reader.window import Window, packed  # noqa: E402
from kiosk.verbs import CAMERA_PICTURE, FIGURES, SHOW, SIGN_IN, STATE, VIEW, CameraOf, Nothing, Show, SignIn, View  # noqa: E402
from tests.fixtures.gate_parts import PIN, text_of  # noqa: E402
from tests.fixtures.processes.device import Device, card, listed_device, residents  # noqa: E402

LANE = "entry"
LOOKERS = 3
NOBODY, REFUSED, SHOWN = "nobody asks", "three are refused", "three look"
CAMERA = "width = 1280\nheight = 720\n"
console = Console()


class Outputs:
    """What the core's simulated light and relay did, and when."""

    def __init__(self, device: Device) -> None:
        self._path = device.parts / "outputs.jsonl"

    def first(self, since: float) -> tuple[float, float]:
        """When the light became green and the relay closed, both after that time."""
        while True:
            lines = [json.loads(line) for line in self._path.read_text().splitlines()[-12:]]
            later = [line for line in lines if line["t"] > since]
            light = [line["t"] for line in later if line["value"] == "green"]
            relay = [line["t"] for line in later if line["what"] == "relay" and line["value"] is True]
            if light and relay:
                return light[0], relay[0]
            time.sleep(0.005)


class Lane:
    """A running core and reader, and cards that are held up one after the other."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._outputs = Outputs(device)
        self._reader, self._guard = device.client("reader-guard", 30), device.client("core-guard")
        self._token = self._guard.ask(SIGN_IN, SignIn("Wu", PIN)).token
        self._serial = 0

    def wait_for_camera(self) -> None:
        while not self._guard.ask(STATE, Nothing()).lanes[0].camera_ok:
            time.sleep(0.1)

    def hold_up(self) -> tuple[float, float]:
        """Milliseconds from the picture handed to the camera until light and relay."""
        self._serial += 1
        picture = draw(text_of(card(self._serial, self._device.now_ms)))
        began = time.time()
        shown = self._reader.ask(SHOW, Show(LANE, [picture], 6))
        assert [answer.outcome for answer in shown.presented] == ["grant"], shown
        light, relay = self._outputs.first(began)
        for level in (True, False):
            self._device.press(LANE, "passage", level)
            time.sleep(0.15)
        return (light - began) * 1000, (relay - began) * 1000

    def figures(self) -> tuple[int, float]:
        """Looks at frames so far, and their seconds."""
        time.sleep(1.2)  # the reader reports once a second
        reader = self._guard.ask(FIGURES, Nothing()).lanes[0].reader
        assert reader is not None
        return sum(reader.decode_times.counts), reader.decode_times.sum_s

    @contextmanager
    def asked(self, how: str) -> Iterator[list[int]]:
        """While the block runs, several ask for a picture without a pause; how many came is in the list."""
        self._guard.ask(VIEW, View(self._token, LANE))
        time.sleep(1.2)
        lane = LANE if how == SHOWN else "none"
        stop, came = threading.Event(), [0] * LOOKERS

        def look(number: int) -> None:
            client = self._device.client("reader-guard")
            while not stop.wait(0.002):
                try:
                    came[number] += bool(client.ask(CAMERA_PICTURE, CameraOf(lane)).jpeg)
                except ChannelError:
                    continue
            client.close()

        count = 0 if how == NOBODY else LOOKERS
        lookers = [threading.Thread(target=look, args=(number,)) for number in range(count)]
        for looker in lookers:
            looker.start()
        yield came
        stop.set()
        for looker in lookers:
            looker.join()

    def close(self) -> None:
        self._reader.close()
        self._guard.close()


def measure(lane: Lane, rounds: int, shown: int) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {NOBODY: [], REFUSED: [], SHOWN: []}
    looks: dict[str, list[float]] = {name: [] for name in found}
    lane.wait_for_camera()
    lane.hold_up()
    for number in range(rounds * len(found)):
        how = list(found)[number % len(found)]
        with lane.asked(how) as came:
            begun = lane.figures()
            found[how] += [lane.hold_up() for _ in range(shown)]
            ended = lane.figures()
        looks[how].append((ended[1] - begun[1]) / max(1, ended[0] - begun[0]) * 1000)
        console.print(f"{how}: {sum(came)} pictures came")
    for name, ms in looks.items():
        console.print(f"{name}: a look at a frame costs {statistics.mean(ms):.2f} ms on the mean")
    return found


def own_costs(times: int = 200) -> None:
    """Processor time of each part, by its own thread's clock."""
    luma = np.random.default_rng(1).integers(0, 255, (720, 1280), dtype=np.uint8)
    window = Window(time.monotonic)
    parts = {
        "a frame that nobody asked for": lambda: window.offer(luma),
        "a frame that is copied, in the lane's thread": luma.copy,
        "made small and packed, in the asking thread": lambda: packed(luma),
    }
    for name, part in parts.items():
        taken = []
        for _ in range(times):
            began = time.thread_time_ns()
            part()
            taken.append((time.thread_time_ns() - began) / 1000)
        console.print(f"{name}: {statistics.median(taken):.1f} microseconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--shown", type=int, default=10)
    parser.add_argument("--on", type=Path, default=None, help="a folder on the disk to measure")
    asked = parser.parse_args()
    own_costs()
    folder = Path(tempfile.mkdtemp(prefix="view", dir=asked.on))
    passes = 3 * asked.rounds * asked.shown + 10
    device = listed_device(folder, residents(passes), passes, camera=CAMERA)
    try:
        with device.running("core", "reader"):
            lane = Lane(device)
            found = measure(lane, asked.rounds, asked.shown)
            lane.close()
    finally:
        device.remove_sockets()
        shutil.rmtree(folder)
    table = Table("from the picture to", "", "median ms", "p90 ms", "most ms")
    for place, what in enumerate(("light", "relay")):
        for name, taken in found.items():
            times = sorted(each[place] for each in taken)
            row = (statistics.median(times), times[int(len(times) * 0.9)], times[-1])
            table.add_row(what, name, *(f"{ms:.1f}" for ms in row))
    console.print(table)


if __name__ == "__main__":
    main()
