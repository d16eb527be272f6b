"""A whole gate against a whole centre: what a fault on the gate's card comes to while the centre is there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.verbs import Presentation
from sync.cache import get_current
from sync.credential import HOUR_MS
from sync.server.passes.passes import credential_text
from tests.fixtures.centre import NOW, World
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


def test_a_hostile_list_does_not_make_an_ended_visitor_pass_good_again(world: World, tmp_path: Path) -> None:
    """Sync may write what it likes into rows: an end in 2100, no end, another kind, or no row at all."""
    gate = TrueGate(world, tmp_path / "gate")
    text = credential_text(world.centre, world.issue(kind="visitor", valid_until_ms=NOW + HOUR_MS).number, "card")
    gate.follow()
    assert present(gate, text) == ("grant", "ok")
    gate.skip(2 * HOUR_MS / 1000)
    gate.follow()
    gate.sync.stop()
    listed = get_current(gate.sync.folder)
    assert listed
    for lie in (
        "UPDATE credential SET valid_until_ms = 4102444800000, state = 'active', mark = NULL",
        "UPDATE credential SET kind = 'resident', mark = NULL",
        "UPDATE credential SET kind = 'visitor', validity_hours = 60000, mark = NULL",
        "UPDATE meta SET value = '0' WHERE name LIKE 'last_serial/%'",
    ):
        with closing(sqlite3.connect(listed)) as conn, conn:
            conn.execute("DELETE FROM meta WHERE name = 'mark'")
            assert conn.execute(lie).rowcount
        gate.mirror.refresh()
        outcome, _ = present(gate, text)
        assert outcome == "deny", lie
    gate.close()
