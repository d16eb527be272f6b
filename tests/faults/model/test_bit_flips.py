"""A flipped bit in any file of a device is harmless, or told."""

from __future__ import annotations

import pytest

from tests.faults.model.bit_flips import run


def test_a_flipped_bit_opens_to_nobody_and_locks_nobody_out() -> None:
    tally = run(seed=1, flips=24)
    assert tally.held == tally.tried, tally.notes


@pytest.mark.slow
def test_a_thousand_flipped_bits_open_to_nobody_and_lock_nobody_out() -> None:
    tally = run(seed=2, flips=1000)
    assert tally.held == tally.tried, tally.notes
