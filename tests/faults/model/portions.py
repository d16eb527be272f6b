"""Long runs in processes of their own: each start of a gate leaves threads behind, which only a process takes along."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.faults.tally import Tally


def in_portions(part: Callable[[int, int], Tally], seed: int, count: int, at_once: int) -> Tally:
    """``part(seed, count)``, where that is more than ``at_once`` in portions whose seeds follow from the seed."""
    if count <= at_once:
        return part(seed, count)
    counts = [min(at_once, count - begun) for begun in range(0, count, at_once)]
    seeds = [seed * 10_000 + number for number in range(len(counts))]
    pool = ProcessPoolExecutor(1, get_context("spawn"), logging.disable, (logging.CRITICAL,), max_tasks_per_child=1)
    with pool:
        tallies = list(pool.map(part, seeds, counts))
    tried, held = sum(tally.tried for tally in tallies), sum(tally.held for tally in tallies)
    return Tally(tallies[0].name, tried, held, tuple(note for tally in tallies for note in tally.notes))
