"""Passes of a wider scope: good in every compound that accepts it, under one number, from one place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from sync.credential import HOUR_MS, read_credential
from sync.protocol import KeyBody
from sync.server.app import close_app
from sync.server.passes import bulk, compounds, passes, scopes
from tests.fixtures.centre import Gate, World

SCOPE = 9001


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "centre")
    compounds.add_compound(made.centre, "全镇公务", "Town officials", "Asia/Shanghai", SCOPE, "test", wide=True)
    yield made
    close_app(made.app)


def accept(world: World, compound: int) -> None:
    compounds.set_rule(world.centre, compound, "accepts", f"[{SCOPE}]", "test")


def official(world: World, **order: object) -> passes.Pass:
    return world.issue(SCOPE, kind="official", label="陈*", **order)


def gate_at(world: World, compound: int) -> Gate:
    gate = world.gate(compound).enrol()
    gate.follow()
    return gate


def shown(gate: Gate) -> list[tuple[int, str, str]]:
    gate.follow()
    return [(serial, row.state, row.number) for (scope, serial), row in sorted(gate.rows.items()) if scope == SCOPE]


def test_one_official_pass_is_on_the_list_of_every_compound_that_accepts_it(world: World) -> None:
    accept(world, 7)
    made = official(world)
    accept(world, 8)
    gates = [gate_at(world, 7), gate_at(world, 8)]
    world.issue(7)
    for gate in gates:
        assert shown(gate) == [(1, "active", "9001-000001")]
        key = gate.body("key", f"{SCOPE}/1", KeyBody)
        card = read_credential(passes.credential_text(world.centre, made.number, "card"), {(SCOPE, 1): key.public})
        assert (card.scope, card.serial) == (SCOPE, 1)
        row = gate.rows[SCOPE, 1]
        assert (row.not_before_step, row.validity_hours, row.random) == (
            card.not_before_step,
            card.validity_hours,
            card.random,
        )


def test_a_compound_that_does_not_accept_the_scope_hears_nothing_of_it(world: World) -> None:
    accept(world, 7)
    official(world)
    assert shown(gate_at(world, 8)) == []


@pytest.mark.parametrize(
    ("act", "state"),
    [
        (lambda w, n: passes.suspend(w.centre, n, "test"), "suspended"),
        (lambda w, n: passes.revoke(w.centre, n, "test"), "revoked"),
        (lambda w, n: passes.extend(w.centre, n, w.now_ms + 90 * 24 * HOUR_MS, "test"), "active"),
    ],
)
def test_what_is_done_at_home_reaches_every_gate(world: World, act: object, state: str) -> None:
    accept(world, 7)
    made = official(world)
    gate = gate_at(world, 7)
    act(world, made.number)  # type: ignore[operator]
    assert shown(gate) == [(1, state, made.number)]
    assert gate.rows[SCOPE, 1].valid_until_ms == passes.get_pass(world.centre, made.number).valid_until_ms


def test_a_lost_card_is_superseded_everywhere_and_a_deleted_pass_is_gone(world: World) -> None:
    accept(world, 7)
    made = official(world)
    gate = gate_at(world, 7)
    passes.reissue(world.centre, made.number, ("card",), "test")
    assert [(serial, state) for serial, state, _ in shown(gate)] == [(1, "superseded"), (2, "active")]
    passes.delete(world.centre, made.number, "test")
    assert {state for _, state, _ in shown(gate)} == {"gone"}


def test_a_printed_card_opens_nowhere_until_it_is_handed_over(world: World) -> None:
    accept(world, 7)
    made = official(world, active=False)
    gate = gate_at(world, 7)
    assert shown(gate) == [(1, "printed", made.number)]
    passes.hand_over(world.centre, made.number, "test")
    assert shown(gate) == [(1, "active", made.number)]


def test_copies_are_not_found_extended_or_changed_where_they_are_copies(world: World) -> None:
    accept(world, 7)
    official(world)
    own = world.issue(7, kind="official")
    found, _ = passes.find_passes(world.centre, 7, "")
    assert [p.number for p in found] == [own.number]
    assert bulk.count(world.centre, 7, bulk.Extension(until_ms=world.now_ms + 400 * 24 * HOUR_MS)).total == 1


@pytest.mark.parametrize("term", ["3-2-12", "3－2－1201", "京a·123", "京A-12345", "7 000001", "{code}", " {code} "])
def test_a_pass_is_found_however_its_number_dwelling_plate_or_code_is_written(world: World, term: str) -> None:
    made = world.issue(7, dwelling="3-2-1201", plate="京A12345")
    world.issue(7, dwelling="4-2-1201", plate="沪A12345")
    found, _ = passes.find_passes(world.centre, 7, term.format(code=made.short_code.lower()))
    assert [p.number for p in found] == [made.number]


def test_a_copy_cut_off_between_two_transactions_goes_on_at_the_next_look(world: World) -> None:
    accept(world, 7)
    listeners, world.centre.listeners[:] = list(world.centre.listeners), []
    official(world)
    gate = gate_at(world, 7)
    assert shown(gate) == []
    world.centre.listeners[:] = listeners
    scopes.follow_all(world.centre)
    assert shown(gate) == [(1, "active", "9001-000001")]
    before = compounds.read_compound(world.centre, 7).revision
    scopes.follow_all(world.centre)
    assert compounds.read_compound(world.centre, 7).revision == before


def test_after_a_restored_backup_the_copies_are_what_the_scope_has(world: World) -> None:
    accept(world, 7)
    kept, lost = official(world), official(world)
    gate = gate_at(world, 7)
    with world.centre.store.write() as conn:  # the backup is older than the second pass
        conn.execute(text("DELETE FROM credential WHERE compound_id = 9001 AND serial = 2"))
        conn.execute(text("UPDATE compound SET pruned_revision = 1 WHERE compound_id = 9001"))
    compounds.begin_epoch(world.centre, SCOPE, "test")
    assert [(state, number) for _, state, number in shown(gate)] == [("active", kept.number), ("gone", "")]
    assert lost.number != kept.number


def test_a_short_code_that_is_taken_in_a_compound_is_replaced_by_the_number(world: World) -> None:
    made = official(world)
    own = world.issue(7)
    with world.centre.store.write() as conn:
        conn.execute(
            text("UPDATE pass SET short_code = :code WHERE number = :number"),
            {"code": made.short_code, "number": own.number},
        )
    accept(world, 7)
    gate = gate_at(world, 7)
    shown(gate)
    assert gate.rows[SCOPE, 1].short_code == made.number


def test_a_wider_scope_is_no_compound(world: World) -> None:
    assert [c.compound_id for c in compounds.list_compounds(world.centre)] == [7, 8]
