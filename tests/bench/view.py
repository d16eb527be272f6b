"""What a technician who looks through the camera costs the lane: from a card before the camera to light and relay.

    python tests/bench/view.py [--rounds 6] [--shown 10] [--on FOLDER]

Real core and reader, simulated camera and relay. Rounds in which nobody looks and rounds in which three pages ask for
the picture without a pause are taken in turn, so that whatever else this machine does falls on both. By hand; nothing
is asserted, and on a busy machine only the difference says something.
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

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from kiosk.channel import ChannelError  # noqa: E402
from kiosk.demo_passes import draw  # noqa: E402
from kiosk.verbs import CAMERA_PICTURE, FIGURES, SHOW, SIGN_IN, STATE, VIEW, CameraOf, Nothing, Show, SignIn, View  # noqa: E402
from tests.fixtures.gate_parts import PIN, text_of  # noqa: E402
from tests.fixtures.processes.device import Device, card, listed_device, residents  # noqa: E402

LANE = "entry"
LOOKERS = 3
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
    def looked_at(self) -> Iterator[list[int]]:
        """While the block runs, several ask for the picture without a pause; how many came is in the list."""
        self._guard.ask(VIEW, View(self._token, LANE))
        time.sleep(1.2)
        stop, came = threading.Event(), [0] * LOOKERS

        def look(number: int) -> None:
            client = self._device.client("reader-guard")
            while not stop.wait(0.002):
                try:
                    came[number] += bool(client.ask(CAMERA_PICTURE, CameraOf(LANE)).jpeg)
                except ChannelError:
                    continue
            client.close()

        lookers = [threading.Thread(target=look, args=(number,)) for number in range(LOOKERS)]
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
    found: dict[str, list[tuple[float, float]]] = {"nobody looks": [], "three look": []}
    looks: dict[str, list[float]] = {name: [] for name in found}
    lane.wait_for_camera()
    lane.hold_up()
    for _ in range(rounds):
        before = lane.figures()
        found["nobody looks"] += [lane.hold_up() for _ in range(shown)]
        between = lane.figures()
        with lane.looked_at() as came:
            start = lane.figures()
            found["three look"] += [lane.hold_up() for _ in range(shown)]
            end = lane.figures()
        console.print(f"pictures that came: {sum(came)}")
        looks["nobody looks"].append((between[1] - before[1]) / max(1, between[0] - before[0]) * 1000)
        looks["three look"].append((end[1] - start[1]) / max(1, end[0] - start[0]) * 1000)
    for name, ms in looks.items():
        console.print(f"{name}: a look at a frame costs {statistics.mean(ms):.2f} ms on the mean")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--shown", type=int, default=10)
    parser.add_argument("--on", type=Path, default=None, help="a folder on the disk to measure")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="view", dir=asked.on))
    passes = 2 * asked.rounds * asked.shown + 10
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
