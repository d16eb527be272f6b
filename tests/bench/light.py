"""What the range of the grey values and lamps on the mains cost: cameras that give 16 to 235, bands that walk or stand.

    python tests/bench/light.py [--range] [--mains] [--lane] [--count N] [--seed S] [--json FILE]

Without a choice all three parts run: about an hour. ``--range``: presentations that need another exposure, and scenes
with much black or white, in full range, in limited range as it is given, and stretched. ``--mains``: cards under lamps,
for several frame durations, exposures and depths of their light's swing. ``--lane``: how often an empty lane under
such lamps is looked at, taken for stirred, and lights the lane's lamp. It asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in kiosk; before numpy

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from hardware import Exposure, ExposureRange, Frame, Picture
from hardware.exposure import Bracket, Lamp, brightness
from hardware.luma import LumaRange, limited, stretched
from hardware.reading.decoder import QrDecoder
from hardware.simulated import SimulatedCamera
from tests.fixtures.pictures import scenes
from tests.fixtures.pictures.held_up import CARD_AGAINST_THE_SUN, PHONE_AT_NIGHT, Noticing, read_within
from tests.fixtures.pictures.scene_camera import Mains

STDERR = Console(stderr=True)
RANGE_SEEDS = 4
HELD_FRAMES = 45
BRIGHT_AND_DARK = ("bright phone", "dim phone", "glare", "shadow", "backlight", "low light")
FRAMES_US = (30_000, 33_333, 40_000)
EXPOSURES_US = (1_000, 3_000, 8_000)
DEPTHS = (0.0, 0.3, 0.6, 0.95)
MAINS_HZ = 50.01
"""A grid is hardly ever at 50 exactly: what stands still wanders through the picture in some seconds."""
CARDS = ("nominal", "low light", "defocus", "perspective", "occlusion", "tiny", "motion", "curved")
EASIEST = 0.4
"""Severities below are read in the first frame, whatever the lamps do."""
EARLY_S, HELD_S = 8 / 30, 1.0
USUAL_GAIN, FOLLOWS_AFTER = 4.0, 8
"""Of the middle exposure, and the frames until another is in force."""
LANE_S, SETTLING_S = 10.0, 3.0

Row = dict[str, Any]


class AsGiven(SimulatedCamera):
    """A camera of limited range whose frames nobody stretches."""

    @contextmanager
    def frame(self, timeout: float = 2.0) -> Iterator[Frame]:
        with super().frame(timeout) as frame:
            yield frame._replace(luma=limited(frame.luma))


RANGES: dict[str, tuple[type[SimulatedCamera], LumaRange]] = {
    "full": (SimulatedCamera, LumaRange.FULL),
    "limited, as given": (AsGiven, LumaRange.FULL),
    "limited, stretched": (SimulatedCamera, LumaRange.LIMITED),
}
LUMA: dict[str, Callable[[Picture], Picture]] = {
    "full": lambda luma: luma,
    "limited, as given": limited,
    "limited, stretched": lambda luma: stretched(limited(luma)),
}


def first_read_s(frames: Iterable[Picture], wanted: Iterable[str], frame_s: float) -> float | None:
    watch = QrDecoder().watch()
    for number, luma in enumerate(frames):
        if {code.text for code in watch.look(luma, number * frame_s).found} & set(wanted):
            return number * frame_s
    return None


def ranges(seed: int, count: int) -> Iterator[Row]:
    """Presentations through eye and exposure, then bursts as they are."""
    things = {"a phone at night": PHONE_AT_NIGHT, "a card against the sun": CARD_AGAINST_THE_SUN}
    for name, thing in things.items():
        for range_name, (camera, luma_range) in RANGES.items():
            within = [
                read_within(Noticing(), thing, HELD_FRAMES, one, luma_range, camera) for one in range(RANGE_SEEDS)
            ]
            read = sum(number is not None for number in within)
            yield {"scene": name, "range": range_name, "of": RANGE_SEEDS, "read": read}
    for category in BRIGHT_AND_DARK:
        bursts = [
            scenes.burst(category, number / count, np.random.default_rng([seed, number, 5])) for number in range(count)
        ]
        for range_name, given in LUMA.items():
            first = [first_read_s([given(frame) for frame in one.frames], one.wanted, 1 / 30) for one in bursts]
            yield {"scene": category, "range": range_name, "of": count, "read": sum(at is not None for at in first)}


def under_mains(seed: int, count: int) -> Iterator[Row]:
    """``count`` cards for each combination, the same ones for all; ``first`` in the first frame, ``early`` within
    0.27 s, ``read`` within a second."""
    for exposure_us in EXPOSURES_US:
        for depth in DEPTHS:
            for frame_us in FRAMES_US:
                first = [card_under_mains(seed, number, exposure_us, depth, frame_us) for number in range(count)]
                at_once = sum(at == 0 for at in first)
                early = sum(at is not None and at < EARLY_S - 1e-6 for at in first)
                read = sum(at is not None for at in first)
                yield {"exposure_us": exposure_us, "depth": depth, "frame_us": frame_us, "of": count,
                       "first": at_once, "early": early, "read": read}  # fmt: skip


def card_under_mains(seed: int, number: int, exposure_us: int, depth: float, frame_us: int) -> float | None:
    rng = np.random.default_rng([seed, number, 6])
    mains = Mains(depth, MAINS_HZ, float(rng.uniform(0, 2 * np.pi)))
    severity = EASIEST + (1 - EASIEST) * (number * scenes.GOLDEN % 1)
    stage = scenes.under_lamps(CARDS[number % len(CARDS)], severity, rng, mains, exposure_us / 1e6)
    return first_read_s(exposed(stage, exposure_us, frame_us / 1e6), stage.wanted, frame_us / 1e6)


def exposed(stage: scenes.Stage, exposure_us: int, frame_s: float) -> Iterator[Picture]:
    """Frames of a card that nobody has read yet: the exposure follows our steps, by gain alone and some frames late."""
    usual, sensor = Exposure(exposure_us, USUAL_GAIN), stage.camera.sensor
    gain, electrons = sensor.gain, sensor.electrons
    bracket = Bracket(ExposureRange(60, exposure_us, 1.0, USUAL_GAIN**2))
    coming = deque([usual] * FOLLOWS_AFTER)
    for number in range(round(HELD_S / frame_s)):
        exposure = coming.popleft()
        times = exposure.light / usual.light
        sensor.gain, sensor.electrons = partial(_amplified, gain, times), electrons / times
        luma = scenes.shot(stage, number, frame_s)
        yield luma
        coming.append(bracket.step(exposure, brightness(luma), stirred=True, read=False, now=number * frame_s))


def _amplified(gain: Callable[[float], float], times: float, at: float) -> float:
    return gain(at) * times


def empty_lanes(seed: int, exposure_us: int = 3_000) -> Iterator[Row]:
    """``looked`` and ``stirred`` are per cent of the frames after the first seconds, ``lit`` how often the lamp comes
    on in a lane that is dark; CPU milliseconds are of one second of camera."""
    for shares in ((1.0, 1.0), (1.0, 0.2)):
        for depth in DEPTHS:
            for frame_us in FRAMES_US:
                mains = replace(Mains(depth, MAINS_HZ), shares=shares)
                yield {"even": shares[0] == shares[1], "depth": depth, "frame_us": frame_us,
                       **empty_lane(seed, mains, exposure_us / 1e6, frame_us / 1e6)}  # fmt: skip


def empty_lane(seed: int, mains: Mains, exposure_s: float, frame_s: float) -> Row:
    watch, lamp = QrDecoder().watch(), Lamp()
    skip = round(SETTLING_S / frame_s)
    frames = skip + round(LANE_S / frame_s)
    looked = stirred = lit = 0
    on, cpu_s = False, 0.0
    lane = scenes.empty_lane(seed, "lamp", frames, mains=mains, exposure_s=exposure_s, frame_s=frame_s)
    for number, luma in enumerate(lane):
        began = time.process_time()
        seen = watch.look(luma, number * frame_s)
        if number < skip:
            continue
        cpu_s += time.process_time() - began
        looked, stirred = looked + seen.looked, stirred + seen.stirred
        was, on = on, lamp.step(seen.stirred, bool(seen.symbols), True, number * frame_s)
        lit += on and not was
    after = frames - skip
    return {"looked": round(100 * looked / after, 1), "stirred": round(100 * stirred / after, 1), "lit": lit,
            "cpu_ms_a_s": round(1000 * cpu_s / LANE_S, 1)}  # fmt: skip


def table(title: str, rows: list[Row]) -> Table:
    shown = Table(*rows[0], title=title, title_justify="left")
    for row in rows:
        shown.add_row(*map(str, row.values()))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for part in ("range", "mains", "lane"):
        parser.add_argument(f"--{part}", action="store_true")
    parser.add_argument("--count", type=int, default=32, metavar="N", help="presentations of each case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    asked = parser.parse_args()
    parts: dict[str, tuple[bool, str, Iterator[Row]]] = {
        "range": (asked.range, "Range of the grey values: presentations read", ranges(asked.seed, asked.count)),
        "mains": (
            asked.mains,
            "Cards under lamps on the mains: presentations read",
            under_mains(asked.seed, asked.count),
        ),
        "lane": (asked.lane, "Nobody there, under lamps on the mains", empty_lanes(asked.seed)),
    }
    everything = not any(chosen for chosen, _, _ in parts.values())
    console = Console() if sys.stdout.isatty() else Console(width=150)
    figures: dict[str, list[Row]] = {}
    for name, (chosen, title, rows) in parts.items():
        if chosen or everything:
            figures[name] = list(track(rows, name, total=None, console=STDERR, transient=True))
            console.print(table(title, figures[name]), "")
    if asked.json:
        asked.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
