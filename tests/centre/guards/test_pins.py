"""PINs of guards: what is refused, and what a gate is given of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from sync.protocol import AccountBody
from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.settings import Settings
from sync.server.gates import guards, pins
from sync.terms import GuardRole
from tests.fixtures.centre import LONG_PIN, PIN, Gate, World


@pytest.mark.parametrize(
    "pin", ["", "12345", "111111", "123456", "654321", "890123", "121212", "123123", "48x817", "٤٥٦٧٨٩"]
)
def test_a_bad_pin_is_refused(pin: str) -> None:
    with pytest.raises(CentreError, match="PIN"):
        pins.check_pin(pin, "guard")


@pytest.mark.parametrize(
    ("pin", "why"),
    [
        ("12341234", "popular"), ("112233", "popular"), ("123321", "popular"), ("799779", "popular"),
        ("147258", "popular"), ("5201314", "popular"),
        ("850612", "date"), ("120685", "date"), ("061285", "date"), ("198506", "date"), ("19850612", "date"),
        ("12061985", "date"), ("06121985", "date"),
        ("007412", "own number"), ("384412", "own number"), ("9384412", "own number"),
    ],
)  # fmt: skip
def test_a_pin_that_people_would_try_early_is_refused_in_words(pin: str, why: str) -> None:
    with pytest.raises(CentreError, match=why) as refused:
        pins.check_pin(pin, "guard", "李强 384412", "a7412")
    assert refused.value.zh.startswith("这个PIN太好猜")


@pytest.mark.parametrize("role", ["supervisor", "technician"])
def test_whoever_may_do_more_than_open_needs_eight_digits(role: GuardRole) -> None:
    with pytest.raises(CentreError, match="8 to 12 digits") as refused:
        pins.check_pin("4938175", role)
    assert refused.value.zh == "这个职责的PIN是8至12位数字。"
    pins.check_pin(LONG_PIN, role)
    pins.check_pin(PIN, "guard")


@pytest.mark.parametrize("role", guards.ROLES)
def test_a_drawn_pin_is_as_long_as_the_role_needs_and_never_a_bad_one(role: GuardRole) -> None:
    for _ in range(200):
        pin = pins.draw_pin(role)
        assert len(pin) == pins.LEAST[role]
        pins.check_pin(pin, role)


def test_a_verifier_says_with_what_it_was_made(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    made = pins.make_verifier(PIN, settings)
    assert made.startswith(b"$argon2id$v=19$m=65536,t=3,p=1$")
    assert (pins.is_weak(made, settings), pins.is_weak(OLD, settings)) == (False, True)


# What stands at the centre from before


OLD = b"$argon2id$v=19$m=7,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""Of less memory than even tests take."""


def as_before(world: World, account: str) -> None:
    """The row of a guard as an older version left it, after the migration."""
    with world.centre.store.write() as conn:
        chosen = update(tables.guard).where(tables.guard.c.account == account)
        conn.execute(chosen.values(pin_digits=0, held_at="*", sealed_verifier=world.centre.vault.seal(OLD)))


def test_an_old_pin_goes_on_and_the_centre_knows_whose_are_to_be_made_anew(world: World) -> None:
    for name, role in (("李强", "guard"), ("赵敏", "supervisor"), ("王芳", "supervisor")):
        guards.add_guard(world.centre, 7, name, role, LONG_PIN, "test")  # type: ignore[arg-type]
    as_before(world, "a1")
    as_before(world, "a2")
    gate = world.gate().enrol()
    gate.follow()
    assert gate.open(gate.body("account", "a2", AccountBody).verifier["g1"]) == OLD
    states = {guard.name: guard.pin for guard in guards.list_guards(world.centre, 7)}
    assert states == {"李强": "old", "赵敏": "short", "王芳": "good"}
    assert guards.draw_new_pin(world.centre, 7, "a2", "test").guard.pin == "good"


# At which gates


@pytest.fixture
def two(world: World) -> tuple[Gate, Gate]:
    return world.gate(name="东门").enrol(), world.gate(name="西门").enrol()


def sealed_at(gate: Gate, account: str = "a1") -> set[str]:
    gate.follow()
    return set(gate.body("account", account, AccountBody).verifier)


def test_a_verifier_goes_to_the_gates_of_its_account_and_to_no_other(world: World, two: tuple[Gate, Gate]) -> None:
    guards.add_guard(world.centre, 7, "李强", "guard", PIN, "test", ["g2"])
    assert sealed_at(two[0]) == {"g2"}
    world.gate(name="南门").enrol()
    assert sealed_at(two[0]) == {"g2"}, "a gate that is enrolled later gets none of it"


def test_a_gate_taken_from_an_account_loses_its_verifier_with_the_next_feed(
    world: World, two: tuple[Gate, Gate]
) -> None:
    guards.add_guard(world.centre, 7, "李强", "guard", PIN, "test")
    assert sealed_at(two[0]) == {"g1", "g2"}, "nobody is shut out who was not restricted"
    assert guards.change_guard(world.centre, 7, "a1", "test", gates=["g1"]).gates == ["g1"]
    assert sealed_at(two[1]) == {"g1"}
    assert guards.change_guard(world.centre, 7, "a1", "test", gates=[]).gates == []
    assert sealed_at(two[1]) == {"g1", "g2"}


def test_an_account_is_not_given_a_gate_that_is_not_there(world: World) -> None:
    with pytest.raises(CentreError, match="no gate g9"):
        guards.add_guard(world.centre, 7, "李强", "guard", PIN, "test", ["g9"])
    assert guards.list_guards(world.centre, 7) == []
