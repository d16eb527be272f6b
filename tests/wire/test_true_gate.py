"""A whole gate against a whole centre: what a fault on the gate's card comes to while the centre is there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.verbs import Presentation
from sync.cache import get_current
from sync.server.passes.passes import credential_text
from tests.fixtures.centre import World
from tests.fixtures.true_gate import LANE, TrueGate


def present(gate: TrueGate, text: str) -> tuple[str, str]:
    gate.later(12)
    shown = gate.gate.present(Presentation(lane=LANE, text=text))
    gate.later(12)
    return shown.outcome, shown.reason


@pytest.mark.parametrize("purpose", ["key", "setting"])
def test_a_flipped_bit_in_a_signed_row_closes_nothing_and_heals_from_the_centre(
    world: World, tmp_path: Path, purpose: str
) -> None:
    gate = TrueGate(world, tmp_path / "gate")
    text = credential_text(world.centre, world.issue().number, "card")
    gate.follow()
    assert present(gate, text) == ("grant", "ok")
    gate.sync.stop()
    listed = get_current(gate.sync.folder)
    assert listed
    with closing(sqlite3.connect(listed)) as conn, conn:
        flip = "UPDATE signed SET signature = ? WHERE rowid = (SELECT min(rowid) FROM signed WHERE purpose = ?)"
        assert conn.execute(flip, (bytes(64), purpose)).rowcount == 1
    gate.restart_core()
    assert gate.mirror.vouched.forged == 1 and present(gate, text) == ("grant", "ok")
    gate.sync.start()
    gate.follow()
    assert gate.mirror.vouched.forged == 0 and present(gate, text) == ("grant", "ok")
    gate.close()


@pytest.mark.parametrize("sql", [
    "UPDATE credential SET state = 'qctive'",
    "UPDATE credential SET id = id + 4096",
    "UPDATE meta SET value = value + 1 WHERE name = 'revision'",
])  # fmt: skip
def test_a_flipped_bit_in_the_rows_heals_from_the_centre(world: World, tmp_path: Path, sql: str) -> None:
    gate = TrueGate(world, tmp_path / "gate")
    text = credential_text(world.centre, world.issue().number, "card")
    gate.follow()
    gate.sync.run(1000)  # what was looked through at the start is not, for ten minutes
    listed = get_current(gate.sync.folder)
    assert listed
    gate.sync.stop()
    with closing(sqlite3.connect(listed)) as conn, conn:
        assert conn.execute(sql).rowcount >= 1
    gate.sync.start()
    gate.mirror.refresh()
    present(gate, text)
    gate.follow()
    gate.later(120)  # what was referred waits for a guard, and then no longer
    assert get_current(gate.sync.folder) != listed and present(gate, text) == ("grant", "ok")
    gate.close()
