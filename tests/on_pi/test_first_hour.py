"""On a Raspberry Pi only: the steps of the first hour as tests, for a developer with a board.

The command is ``python -m kiosk selftest --first-hour``; here its steps run one by one:

    sudo .venv/bin/python -m pytest -n 0 -s tests/on_pi

GATE_KIOSK_CONFIG names the configuration. With ``-s`` at a terminal the steps that ask do ask; without, they are
skipped. Steps that go on over a boot are the command's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.board import read_board
from kiosk.config import load
from kiosk.selftest.bench import Bench, Machine, Terminal
from kiosk.selftest.plan import plan
from kiosk.selftest.run import Run
from kiosk.selftest.step import Step
from kiosk.selftest.words import STEPS

CONFIG = Path(os.environ.get("GATE_KIOSK_CONFIG", "/etc/gate-kiosk/kiosk.toml"))
HERE = read_board().is_pi and CONFIG.exists()

pytestmark = pytest.mark.skipif(not HERE, reason="no Raspberry Pi with a gate's configuration")


def steps() -> list[Step]:
    return [step for step in plan(load(CONFIG)) if not step.beginning and not step.long] if HERE else []


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(load(CONFIG), tmp_path_factory.mktemp("first-hour"), Terminal(print, input), Machine())
    yield bench
    bench.restore()


@pytest.mark.parametrize("step", steps(), ids=lambda step: step.name)
def test_what_the_board_shows_holds(bench: Bench, step: Step) -> None:
    if STEPS[step.kind].ask and not sys.stdin.isatty():
        pytest.skip("it asks a person: -s at a terminal")
    run = Run(bench, [step], print, keeps=False)
    run.go()
    result = run.progress.results.get(step.name)
    if result is None or result.verdict == "skipped":
        pytest.skip("; ".join(result.why) if result else "stopped by the person")
    assert result.why == []
