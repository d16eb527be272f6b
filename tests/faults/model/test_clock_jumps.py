"""A hardware clock that is wrong, or missing, wrongs nobody."""

from __future__ import annotations

import pytest

from tests.faults.model.clock_jumps import run


def test_no_power_cut_and_no_hardware_clock_refuses_a_resident_or_brings_an_old_pass_back() -> None:
    tally = run(seed=1, jumps=40)
    assert tally.held == tally.tried, tally.notes


@pytest.mark.slow
def test_a_thousand_power_cuts_with_and_without_a_hardware_clock_wrong_nobody() -> None:
    tally = run(seed=2, jumps=1000)
    assert tally.held == tally.tried, tally.notes
