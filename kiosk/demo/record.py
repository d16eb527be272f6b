"""What came of the story: its steps, printed one by one, then as a table and a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import requests
from rich.console import Console
from rich.table import Table

from kiosk import channel as ch

console = Console()


class Step(msgspec.Struct):
    """One step of the story: what should come, what came, and how long it took (seconds)."""

    name: str
    expected: str
    got: str
    ok: bool
    seconds: float


class StoryRecord:
    """The steps in the order in which they were played. Its clock runs from the moment it is made."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._begun = time.monotonic()
        self._seconds = 0.0

    def expect(self, name: str, expected: str, act: Callable[[], str]) -> None:
        """One step: ``act`` does it and returns what came."""
        begun = time.monotonic()
        try:
            got = act()
        except (ch.ChannelError, requests.RequestException, OSError) as err:
            got = f"{type(err).__name__}: {err}"
        step = Step(name, expected, got, got == expected, round(time.monotonic() - begun, 2))
        self.steps.append(step)
        console.print(f"{'[green]✓[/]' if step.ok else '[red]✕[/]'} {name}: {got}", highlight=False)

    def note(self, name: str, value: str) -> None:
        """A figure worth reporting beside the steps."""
        self.steps.append(Step(name, value, value, True, 0.0))
        console.print(f"  {name}: {value}", highlight=False)

    def finish(self, report: Path | None) -> None:
        """Stop the clock, print the steps as a table, and write the report if one is wanted."""
        self._seconds = time.monotonic() - self._begun
        console.print(self._table())
        if report:
            content = {"ok": not self._wrong(), "seconds": round(self._seconds, 1), "steps": self.steps}
            report.write_bytes(msgspec.json.format(msgspec.json.encode(content)))

    def verdict(self) -> bool:
        """Whether every step came out right; prints how many did."""
        right = len(self.steps) - len(self._wrong())
        console.print(f"{right} of {len(self.steps)} steps came out right, in {self._seconds:.0f} s")
        return not self._wrong()

    def _wrong(self) -> list[Step]:
        return [step for step in self.steps if not step.ok]

    def _table(self) -> Table:
        table = Table(title="the story of a gate")
        for column in ("", "step", "expected", "got", "s"):
            table.add_column(column, justify="right" if column == "s" else "left")
        for step in self.steps:
            mark = "[green]✓[/]" if step.ok else "[red]✕[/]"
            table.add_row(mark, step.name, step.expected, step.got if not step.ok else "", f"{step.seconds:.1f}")
        return table
