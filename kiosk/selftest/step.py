"""What a step is, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from kiosk.selftest.bench import Bench
from sync.durable import replace_durably

Figures = dict[str, Any]
"""What a step saw, JSON-safe."""

Verdict = Literal["held", "not held", "skipped"]


class CannotTell(Exception):
    """A step finds that it cannot be done here; the text says why. It is skipped, and tried again by the next run."""


class Beginning(NamedTuple):
    """``begin`` sets a step going that goes on over a boot; ``ready``: it can be measured. ``so_far`` says how much of
    it there is that could be judged already, or nothing."""

    begin: Callable[[Bench], None]
    ready: Callable[[Bench], bool]
    so_far: Callable[[Bench], str] = lambda bench: ""


class Step(NamedTuple):
    """One thing to be seen on a board.

    ``name`` is a key of :data:`kiosk.selftest.words.STEPS`, with ``:LANE`` where it is one lane's. ``needs`` say why
    it cannot be done here, or nothing. ``judge`` lists what did not hold of the figures. A step that outlives this
    boot has a ``beginning``; the run ends there, unless the step is ``long`` and waits for a second call.
    """

    name: str
    measure: Callable[[Bench], Figures]
    judge: Callable[[Figures], list[str]]
    needs: tuple[Callable[[Bench], str], ...] = ()
    beginning: Beginning | None = None
    running: bool = False
    """The gate's processes run while it is asked and measured."""
    quick: bool = False
    """Asks nobody, stops nothing, takes seconds."""
    long: bool = False

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]

    @property
    def lane(self) -> str:
        return self.name.partition(":")[2]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a step. ``why``: what did not hold, or why it was skipped; ``final``: the next run leaves it."""

    verdict: Verdict
    saw: Figures = {}
    why: list[str] = []
    at: str = ""
    took_s: float = 0.0
    final: bool = True


def judged(saw: Figures, wrong: list[str]) -> Result:
    return Result(verdict="not held" if wrong else "held", saw=saw, why=wrong)


def installed(bench: Bench) -> str:
    return "" if bench.installed() else "the gate's units are not installed here (setup.sh gate)"


def as_root(bench: Bench) -> str:
    return "" if bench.machine.is_root else "needs root: run it with sudo"


def is_board(bench: Bench) -> str:
    return "" if bench.machine.text("/proc/device-tree/model") else "this machine is not a board with a device tree"


def only_if(wrong: bool, text: str) -> list[str]:
    """A judgement of one fact."""
    return [text] if wrong else []


def in_next_boot(step: str, act: Callable[[Bench], None] = lambda bench: None) -> Beginning:
    """Of a step that is measured in the boot after the one in which it was begun; ``act`` begins it."""
    name = f"{step}.boot"

    def begin(bench: Bench) -> None:
        replace_durably(bench.folder / name, bench.machine.boot_id.encode())
        act(bench)

    def ready(bench: Bench) -> bool:
        try:
            return (bench.folder / name).read_text() != bench.machine.boot_id
        except OSError:
            return False

    return Beginning(begin, ready)
