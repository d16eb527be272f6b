"""The long run: every fault many times, and a table of what was tried and what held.

    ./setup.sh test --long [PART ...] [--seed N] [--minutes M]
    python -m tests.faults --list                  the parts
    python -m tests.faults kills-core --seed 7     one part again, as the table names it

A part is a function of a module in this folder: each one in a module's ``PARTS``, or the module's own ``run``. It is
given what it takes of a folder, the seed, the minutes it may last, and a number of COUNTS. Ends with 1 where something
did not hold.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.tally import Tally

Part = Callable[..., Tally]
FOLDER = Path(__file__).parent
COUNTS = {"flips": 1_000, "jumps": 1_000, "steps": 100_000}
"""How many a part tries that leaves this to its caller, by the name of its parameter."""
PORTIONS = 20
"""In which such a part is carried out, each with a seed of its own: between two of them its minutes may end."""


def parts() -> dict[str, Part]:
    """Every part by its name."""
    found: dict[str, Part] = {}
    for path in sorted(FOLDER.rglob("*.py")):
        if path.name.startswith(("_", "test_")):
            continue
        module = ".".join(["tests.faults", *path.relative_to(FOLDER).with_suffix("").parts])
        has = vars(importlib.import_module(module))
        found |= has.get("PARTS") or ({path.stem.replace("_", "-"): has["run"]} if "run" in has else {})
    return found


def carry_out(part: Part, seed: int, minutes: float | None) -> Tally:
    """Run a part in a folder of its own, which is removed afterwards."""
    takes = inspect.signature(part).parameters
    count = next((name for name in COUNTS if name in takes), None)
    if count:
        return _in_portions(part, count, seed, minutes)
    with tempfile.TemporaryDirectory(prefix="gate-faults-") as folder:
        offered = {"folder": Path(folder), "seed": seed, "minutes": minutes}
        return part(**{name: value for name, value in offered.items() if name in takes})


def _in_portions(part: Part, count: str, seed: int, minutes: float | None) -> Tally:
    began, tallies, notes = time.monotonic(), [], []
    for number in range(PORTIONS):
        seed_now = seed * PORTIONS + number
        tallies.append(part(seed=seed_now, **{count: COUNTS[count] // PORTIONS}))
        notes += [f"seed {seed_now}: {note}" for note in tallies[-1].notes]
        if minutes is not None and time.monotonic() - began >= minutes * 60:
            break
    tried, held = sum(one.tried for one in tallies), sum(one.held for one in tallies)
    return Tally(tallies[0].name, tried, held, tuple(notes))


def main() -> int:
    """0 where all held."""
    every = parts()
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these; all others are left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="end each part after so long, however far it is")
    parser.add_argument("--list", action="store_true", help="print the names of the parts")
    asked = parser.parse_args()
    if unknown := [name for name in asked.parts if name not in every]:
        parser.error(f"there is no part {', '.join(unknown)}: there are {', '.join(every)}")
    if asked.list:
        print("\n".join(every))
        return 0
    logging.basicConfig(level=logging.CRITICAL)
    return run(every, asked.parts or list(every), asked.seed, asked.minutes)


def run(every: Mapping[str, Part], names: list[str], seed: int, minutes: float | None) -> int:
    """Print a line as each part ends, and the table at the end. 0 where all held."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table("part", "tried", "held", "minutes", "notes", title=f"Faults, seed {seed}", title_justify="left")
    wrong = 0
    for name in names:
        began = time.monotonic()
        tally = carry_out(every[name], seed, minutes)
        wrong += tally.held < tally.tried
        took = (time.monotonic() - began) / 60
        console.print(f"{name}: {tally.held:,} of {tally.tried:,} held, {took:.1f} min", highlight=False)
        table.add_row(name, f"{tally.tried:,}", f"{tally.held:,}", f"{took:.1f}", "\n".join(tally.notes))
    console.print(table, highlight=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
