"""Whatever call a power cut follows, gate and centre go on from what they promised."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults import power_cuts
from tests.faults.images import Record
from tests.faults.vfs import reachable

pytestmark = pytest.mark.skipif(bool(reachable()), reason=reachable() or "-")


def test_a_gate_loses_doubles_and_renumbers_nothing_after_cuts_of_a_sample() -> None:
    tally = power_cuts.run_gate(seed=10, limit=50, commits=5)
    assert (tally.tried, tally.notes) == (50, ())


def test_a_centre_still_has_what_it_acknowledged_after_cuts_of_a_sample() -> None:
    tally = power_cuts.run_centre(seed=10, limit=40)
    assert (tally.tried, tally.notes) == (40, ())


@pytest.mark.slow
def test_no_cut_costs_anything() -> None:
    tally = power_cuts.run(seed=0)
    assert tally.held == tally.tried > 2000, tally.notes


def test_a_cut_leaves_what_was_flushed_and_any_of_the_rest(tmp_path: Path) -> None:
    record = Record(tmp_path.resolve())
    (tmp_path / "new").write_bytes(b"a" * 1024)
    record.look(tmp_path.resolve() / "new")
    images = list(record.images(random.Random(1), 20))
    left = {image.files.get(Path("new")) for image in images}
    assert {None, b"", b"a" * 1024} <= left
    assert any(raw and set(raw) == {0, ord("a")} for raw in left), "a sector that did not come reads as zeros"
