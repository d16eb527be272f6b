"""The long run: every fault many times, and a table of what was tried and what held.

    ./setup.sh test --long [PART ...] [--seed N] [--minutes M]
    python -m tests.faults --list                  the parts
    python -m tests.faults kills-core --seed 7     one part again, as the table names it

A part is a function of a module here: each in a module's ``PARTS``, or the module's own ``run``. It is given what it
takes of a folder, the seed and the minutes it may last. Ends with 1 where something did not hold.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import logging
import pkgutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

import tests.faults
from tests.faults.tally import Tally

Part = Callable[..., Tally]
console = Console(width=None if sys.stdout.isatty() else 150)


def parts() -> dict[str, Part]:
    """Every part by its name."""
    found: dict[str, Part] = {}
    for module in sorted(one.name for one in pkgutil.iter_modules(tests.faults.__path__)):
        if module.startswith(("_", "test_")):
            continue
        has = vars(importlib.import_module(f"tests.faults.{module}"))
        found |= has.get("PARTS") or ({module.replace("_", "-"): has["run"]} if "run" in has else {})
    return found


def carry_out(part: Part, seed: int, minutes: float | None) -> Tally:
    """Run a part in a folder of its own, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="gate-faults-") as folder:
        offered = {"folder": Path(folder), "seed": seed, "minutes": minutes}
        takes = inspect.signature(part).parameters
        return part(**{name: value for name, value in offered.items() if name in takes})


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


def run(every: dict[str, Part], names: list[str], seed: int, minutes: float | None) -> int:
    """Print a line as each part ends, and the table at the end."""
    table = Table("part", "tried", "held", "minutes", "notes", title=f"Faults, seed {seed}", title_justify="left")
    wrong = 0
    for name in names:
        began = time.monotonic()
        tally = carry_out(every[name], seed, minutes)
        wrong += tally.held < tally.tried
        took = (time.monotonic() - began) / 60
        console.print(f"{name}: {tally.held:,} of {tally.tried:,} held, {took:.1f} min", highlight=False)
        table.add_row(name, f"{tally.tried:,}", f"{tally.held:,}", f"{took:.1f}", "\n".join(tally.notes))
    console.print(table)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
