"""How much of the synthetic gate is there to be read: modules sampled where they truly are, over 8 frames.

    python tests/bench/ceiling.py [--bursts N] [--seed S]

Nobody at a gate knows where a module truly is; this does, from the scene. It takes the mean of each module's pixels,
less that of its surroundings, frame by frame and over the frames, and calls it dark or light. A presentation counts
if no more groups of 2 x 4 modules (about a codeword) are wrong than its error correction mends. It does not sharpen,
so motion and defocus may hold more than it says; elsewhere it is what an ideal finder and sampler would come to.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fixtures.pictures import scenes
from tests.fixtures.pictures.scene_camera import FRAME_S, Picture

FRAMES = 8
MENDED = {45: 0.25}
"""Share of codewords that ECC Q mends (a card's code, 45 modules wide); others count as M."""
MENDED_M = 0.15
SURROUNDINGS = 9
"""Modules across, over which light may change."""
Values = NDArray[np.float64]


def readable(category: str, severity: float, rng: np.random.Generator) -> bool:
    """Whether the presentation holds enough right modules, in its best frame or in all together."""
    stage = scenes.set_stage(category, severity, rng)
    rng.integers(8, 17)  # as scenes.burst draws the number of frames
    scenes.prepare(stage)
    bits, whole, least = stage.code.bits, np.zeros(stage.code.bits.shape), 1.0
    for number in range(FRAMES):
        frame = scenes.shot(stage, number)
        darkness = _darkness(stage, frame, number * FRAME_S) * (-1 if scenes.CATEGORIES[category].dark_mode else 1)
        least = min(least, _wrong_groups((darkness > 0) != bits))
        whole += darkness
    return min(least, _wrong_groups((whole > 0) != bits)) <= MENDED.get(len(bits), MENDED_M)


def _darkness(stage: scenes.Stage, frame: Picture, at: float) -> Values:
    """How much darker than its surroundings each module is."""
    side = len(stage.code.bits)
    grid = stage.camera.grid(stage.sheet, stage.hand, at)
    x, y = ((axis + stage.half) / stage.code.module_mm for axis in (grid.u, grid.v))
    inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    x, y = x[inside], y[inside]
    column, row = x.astype(int), y.astype(int)
    weight = np.exp(-((x - column - 0.5) ** 2 + (y - row - 0.5) ** 2) / (2 * 0.25**2))
    total = np.bincount(row * side + column, weight, side * side)
    light = np.bincount(row * side + column, weight * frame[inside], side * side)
    mean: Values = np.divide(light, total, where=total > 0.02, out=np.full(side * side, frame.mean()))
    module = mean.reshape(side, side)
    return _mean_around(module) - module


def _mean_around(values: Values) -> Values:
    padded = np.pad(values, SURROUNDINGS // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SURROUNDINGS, SURROUNDINGS))
    mean: Values = windows.mean((2, 3))
    return mean


def _wrong_groups(wrong: NDArray[np.bool_]) -> float:
    """Share of groups of 2 x 4 modules of which at least one is wrong."""
    height, width = wrong.shape[0] // 4 * 4, wrong.shape[1] // 2 * 2
    return float(wrong[:height, :width].reshape(height // 4, 4, width // 2, 2).any((1, 3)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bursts", type=int, default=scenes.DEFAULT_BURSTS, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    scenes_of: Counter[str] = Counter()
    held: Counter[str] = Counter()
    plans = list(scenes.plan(asked.seed, asked.bursts))
    for category, severity, rng in track(plans, "sampling", console=Console(stderr=True), transient=True):
        scenes_of[category] += 1
        held[category] += readable(category, severity, rng)
    table = Table("category", "of", "holds enough, %", title="What the synthetic gate holds", title_justify="left")
    for category, count in scenes_of.items():
        table.add_row(category, str(count), f"{100 * held[category] / count:.0f}")
    table.add_section()
    table.add_row("all", str(scenes_of.total()), f"{100 * held.total() / scenes_of.total():.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
