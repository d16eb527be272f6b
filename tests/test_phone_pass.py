"""The phone pass: one code, once, one browser; and what that browser draws is what the gate reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.server import passes
from sync.server.app import close_app
from sync.server.centre import CentreError, NoSuchThing
from sync.server.people import phone_pass
from tests.test_centre import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "centre")
    yield made
    close_app(made.app)


def offer(world: World, number: str, compound: int = 7) -> str:
    """A code, as the desk opens it."""
    with world.centre.writing(compound, "wang") as writing:
        return phone_pass.open_activation(writing, world.centre, number)


def shown(world: World, secret: str, compound: int = 7) -> str:
    """The pass a browser shows; empty for none."""
    with world.centre.store.read() as conn:
        try:
            return phone_pass.pass_of_browser(conn, world.centre.vault, compound, secret)
        except NoSuchThing:
            return ""


# Activation


def test_a_code_from_the_desk_binds_a_pass_to_one_browser(world: World) -> None:
    number = world.issue(label="王*").number
    code = offer(world, number)
    assert phone_pass.read_activation(world.centre, 7, code).label == "王*"
    done = phone_pass.activate(world.centre, 7, code)
    assert (done.number, shown(world, done.browser_secret)) == (number, number)
    assert [(c.medium, c.state) for c in passes.get_pass(world.centre, number).credentials] == [
        ("phone", "active"), ("card", "active"),
    ]  # fmt: skip


def test_a_code_works_once(world: World) -> None:
    code = offer(world, world.issue().number)
    phone_pass.activate(world.centre, 7, code)
    for use in (phone_pass.activate, phone_pass.read_activation):
        with pytest.raises(NoSuchThing):
            use(world.centre, 7, code)


@pytest.mark.parametrize(("late_ms", "works"), [(-1, True), (0, False), (1, False)])
def test_a_code_is_good_for_fifteen_minutes(world: World, late_ms: int, works: bool) -> None:
    code = offer(world, world.issue().number)
    world.now_ms += phone_pass.CODE_LASTS_MS + late_ms
    if works:
        assert phone_pass.activate(world.centre, 7, code).number
        return
    with pytest.raises(NoSuchThing):
        phone_pass.activate(world.centre, 7, code)


def test_a_new_code_ends_the_one_before_but_not_another_passes(world: World) -> None:
    one, two = world.issue().number, world.issue().number
    first, other, second = offer(world, one), offer(world, two), offer(world, one)
    with pytest.raises(NoSuchThing):
        phone_pass.activate(world.centre, 7, first)
    assert [phone_pass.activate(world.centre, 7, code).number for code in (second, other)] == [one, two]


def test_activating_again_moves_the_pass_to_the_other_browser_and_keeps_its_credential(world: World) -> None:
    number = world.issue().number
    first = phone_pass.activate(world.centre, 7, offer(world, number))
    serials = passes.get_pass(world.centre, number).credentials
    second = phone_pass.activate(world.centre, 7, offer(world, number))
    assert (shown(world, first.browser_secret), shown(world, second.browser_secret)) == ("", number)
    assert passes.get_pass(world.centre, number).credentials == serials


def test_a_pass_that_was_not_handed_over_has_no_phone_pass(world: World) -> None:
    number = world.issue(active=False).number
    with pytest.raises(CentreError, match="not handed over"):
        offer(world, number)
    passes.hand_over(world.centre, number, "wang")
    offer(world, number)


def test_a_pass_that_ended_since_is_not_activated(world: World) -> None:
    number = world.issue().number
    code = offer(world, number)
    passes.revoke(world.centre, number, "wang")
    with pytest.raises(CentreError):
        phone_pass.activate(world.centre, 7, code)
    with pytest.raises(CentreError):
        offer(world, number)


def test_codes_secrets_and_passes_belong_to_one_compound(world: World) -> None:
    code = offer(world, world.issue().number)
    with pytest.raises(NoSuchThing):
        phone_pass.activate(world.centre, 8, code)
    with pytest.raises(NoSuchThing):
        offer(world, "7-000001", compound=8)
    secret = phone_pass.activate(world.centre, 7, code).browser_secret
    assert (shown(world, secret, 8), shown(world, ""), shown(world, secret + "x"), shown(world, "x" * 9000)) == (
        "",
    ) * 4


def test_an_ended_browser_shows_nothing_and_an_open_code_ends_with_it(world: World) -> None:
    number = world.issue().number
    done = phone_pass.activate(world.centre, 7, offer(world, number))
    code = offer(world, number)
    for _ in range(2):
        with world.centre.writing(7, "wang") as writing:
            phone_pass.end_browser(writing, number)
    assert shown(world, done.browser_secret) == ""
    with pytest.raises(NoSuchThing):
        phone_pass.activate(world.centre, 7, code)


def test_neither_code_nor_secret_lies_in_the_database(world: World) -> None:
    code = offer(world, world.issue().number)
    secret = phone_pass.activate(world.centre, 7, code).browser_secret
    world.centre.close()
    everything = b"".join(path.read_bytes() for path in world.state.glob("centre.db*"))
    assert code.encode() not in everything and secret.encode() not in everything
