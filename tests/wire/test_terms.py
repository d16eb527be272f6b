"""The closed lists: the norm lists the same words, and nobody writes a word that is not in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from kiosk.guard import words
from sync import terms

NORM = (Path(__file__).parents[2] / "sync" / "PROTOCOL.md").read_text("utf-8")


def in_norm(title: str) -> tuple[str, ...]:
    """The words of one line of the norm's section of closed lists, in its order."""
    line = re.search(rf"^\| {re.escape(title)} \| (.+) \|$", NORM, re.MULTILINE)
    assert line, f"PROTOCOL.md lists no {title}"
    return tuple(re.findall(r"`(\w+)`", line[1]))


@pytest.mark.parametrize(
    ("title", "closed"),
    [
        ("outcome of a decision", terms.Outcome),
        ("reason of a decision", terms.Reason),
        ("what to look for, of a row with `attention`", terms.Look),
        ("outcome of a passage", terms.PassageOutcome),
        ("lockdown, hold, inputs, camera fault", terms.Switched),
        ("role of a guard", terms.GuardRole),
        ("reason of a guard", terms.GuardReason),
        ("reason of the gate", terms.GateReason),
        ("kind of event", terms.EventKind),
        ("reason of an unasked passage", terms.UnaskedReason),
        ("why of a camera fault", terms.CameraFault),
        ("why of a board fault", terms.BoardFault),
    ],
)
def test_the_norm_lists_the_same_words_in_the_same_order(title: str, closed: object) -> None:
    assert in_norm(title) == get_args(closed)


def test_the_guards_page_has_words_for_every_closed_list() -> None:
    assert set(words.KINDS) == set(terms.LIVE_KINDS)
    assert set(words.OVERRIDE_REASONS) == set(terms.GUARD_REASONS)
    assert set(words.LOOKS) == set(terms.LOOKS)
    spoken = {*words.OTHER_REASONS, *words.GUARD}
    assert {*terms.GATE_REASONS, *terms.UNASKED_REASONS} <= spoken and set(terms.REASONS) <= spoken
