"""A press of the lane's call button waits until a guard answers it, by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.core.gate import ANSWER_TOLD_S
from tests.fixtures.gate_parts import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "gate", lanes={"entry": "in", "exit": "out"}, inputs=("passage", "call"))
    yield bench
    bench.stop()


def press(bench: Bench, lane: str = "entry") -> None:
    for level in (True, False):
        bench.gate.input_changed(lane, "call", level)
        bench.go(1)


def test_a_call_waits_until_a_guard_answers_and_every_page_reads_who(bench: Bench) -> None:
    assert bench.gate.called("entry") == ""
    press(bench)
    bench.go(3600)
    assert (bench.gate.called("entry"), bench.gate.called("exit")) == ("waiting", "")
    call = next(line for line in bench.live if line.kind == "call")
    bench.gate.call_answered("entry", "Lin")
    told = bench.live[-1]
    assert (told.kind, told.outcome, told.about, told.by) == ("call", "answered", call.number, "Lin")
    assert bench.gate.called("entry") == "answered"
    bench.go(ANSWER_TOLD_S + 1)
    assert bench.gate.called("entry") == ""


def test_the_first_who_answers_is_named_and_a_press_afterwards_calls_anew(bench: Bench) -> None:
    press(bench)
    press(bench)
    bench.gate.call_answered("entry", "Lin")
    bench.gate.call_answered("entry", "Wang")
    assert [line.by for line in bench.live if line.outcome == "answered"] == ["Lin"]
    press(bench)
    assert bench.gate.called("entry") == "waiting"


def test_nobody_answers_where_nobody_called(bench: Bench) -> None:
    bench.gate.call_answered("entry", "Lin")
    assert bench.live == []
