"""Staff accounts as the town makes and changes them, one's own account, and signing in under attack."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from sync.server import words
from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.staff import accounts, roles, sign_in
from tests.fixtures.centre import World
from tests.fixtures.office import PASSWORD, Office, token_of


@pytest.fixture
def town(world: World) -> Office:
    return Office(world, "zhang", everywhere=True, role="town")


def link_in(answer: Any) -> str:
    found = re.search(r"<code>http://localhost(/welcome/[^<]+)</code>", answer.text)
    assert found, answer.text
    return found[1]


def did(world: World) -> list[tuple[str, str, str]]:
    return [(entry.by, entry.what, entry.about) for entry in audit.find_town(world.centre, audit.RecordFilter())[0]]


def test_an_account_is_made_with_a_link_that_is_shown_once_and_nowhere_kept(world: World, town: Office) -> None:
    made = town.post("/accounts", account="wang", name="王敏", role="property", compound="7")
    path = link_in(made)
    assert path not in town.get("/accounts").text + town.get("/accounts/wang").text
    with world.centre.store.read() as conn:
        kept = "".join(repr(conn.execute(select(table)).all()) for table in tables.metadata.sorted_tables)
    assert path.rsplit("/", 1)[1] not in kept
    owner = world.app.test_client()
    assert owner.post(path, data={"password": PASSWORD, "csrf_token": token_of(owner, path)}).status_code == 302
    assert "翠湖" in owner.get("/").text and "东湖" not in owner.get("/").text
    assert ("zhang", "add-staff", "wang property") in did(world)


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": "zhang"}, {"account": "w"}, {"account": "王敏"}, {"account": "a b"}, {"account": "a" * 33},
        {"role": ""}, {"role": "root"}, {"compound": ""}, {"name": "王" * 41}, {"compound": "seven"},
    ],
)  # fmt: skip
def test_what_is_no_account_is_told_in_words_and_what_was_written_stays(town: Office, wrong: dict[str, str]) -> None:
    fields = {"account": "wang", "name": "王敏", "role": "property", "compound": "7"} | wrong
    for language in ("en", "zh"):
        town.get(f"/accounts?lang={language}")
        answer = town.post("/accounts", **fields)
        why = re.search(r'role="alert">([^<]+)<', answer.text)
        assert answer.status_code == 409 and why
        assert any("\u4e00" <= sign <= "\u9fff" for sign in why[1]) == (language == "zh")
        assert f'name="account" value="{fields["account"]}"' in answer.text


def test_another_role_or_other_compounds_end_the_sessions_and_another_name_does_not(world: World, town: Office) -> None:
    wang = Office(world, "wang", mine=(7,))

    def change(**fields: str) -> None:
        answer = town.post("/accounts/wang", do="save", **fields)
        assert answer.status_code == 302, answer.text

    change(name="王芳", role="property", compound="7")
    assert "王芳" in wang.get("/").text
    change(name="王芳", role="clerk", compound="7")
    assert wang.get("/").location == "/sign-in"
    assert accounts.get_account(world.centre, "wang").role == "clerk"
    change(name="王芳", role="clerk", compound="8")
    assert accounts.get_account(world.centre, "wang").compound_ids == (8,)
    change(name="王芳", role="inspector", where="everywhere", compound="8")
    found = accounts.get_account(world.centre, "wang")
    assert (found.everywhere, found.compound_ids) == (True, ())
    assert [what for by, what, _ in did(world) if by == "zhang"].count("change-staff") == 4


def test_a_stopped_account_is_out_at_once_and_its_link_leads_nowhere(world: World, town: Office) -> None:
    wang = Office(world, "wang", mine=(7,))
    path = link_in(town.post("/accounts/wang", do="link"))
    assert town.post("/accounts/wang", do="stop").status_code == 302
    assert wang.get("/").location == "/sign-in" and world.client.get(path).status_code == 404
    assert sign_in.authenticate(world.centre, "wang", PASSWORD) is None
    town.post("/accounts/wang", do="let_in")
    assert wang.get("/").location == "/sign-in", "an old session does not come back"
    assert sign_in.authenticate(world.centre, "wang", PASSWORD)


@pytest.mark.parametrize("fields", [{"do": "stop"}, {"do": "save", "name": "z", "role": "clerk", "compound": "7"}])
def test_the_last_account_of_the_town_stays(world: World, town: Office, fields: dict[str, str]) -> None:
    sign_in.add_staff(world.centre, "unused", "", True, (), "town")
    assert town.post("/accounts/zhang", **fields).status_code == 409
    assert town.get("/accounts").status_code == 200
    Office(world, "second", everywhere=True, role="town")
    assert town.post("/accounts/zhang", **fields).status_code == 302
    assert town.get("/accounts").location == "/sign-in"


def test_the_towns_own_accounts_are_always_for_all_of_it(world: World, town: Office) -> None:
    town.post("/accounts", account="li", name="李", role="town", compound="7")
    assert accounts.get_account(world.centre, "li").everywhere


def test_an_account_that_is_not_there_is_not_found(world: World, town: Office) -> None:
    assert town.get("/accounts/nobody").status_code == 404
    assert town.post("/accounts/zhang", do="dance").status_code == 400
    for act in (
        lambda: accounts.set_active(world.centre, "nobody", False, "test"),
        lambda: accounts.change(world.centre, "nobody", "x", "clerk", True, (), "test"),
    ):
        with pytest.raises(NoSuchThing):
            act()


def test_names_are_shown_as_text(town: Office) -> None:
    nasty = "<script>alert(1)</script>'\""
    town.post("/accounts", account="eve", name=nasty, role="clerk", compound="7")
    for path in ("/accounts", "/accounts/eve"):
        assert "<script>" not in town.get(path).text and "&lt;script&gt;" in town.get(path).text


# One's own


def test_a_password_is_changed_with_the_old_one_and_ends_the_other_sessions(world: World) -> None:
    wang = Office(world, "wang", mine=(7,))
    elsewhere = world.app.test_client()
    token = token_of(elsewhere, "/sign-in")
    elsewhere.post("/sign-in", data={"account": "wang", "password": PASSWORD, "csrf_token": token})
    assert wang.post("/me", do="password", old="wrong", password="another one 2").status_code == 409
    assert wang.post("/me", do="password", old=PASSWORD, password="short").status_code == 409
    assert elsewhere.get("/").status_code == 200
    assert wang.post("/me", do="password", old=PASSWORD, password="another one 2").location == "/me?saved=1"
    assert wang.get("/me").status_code == 200 and elsewhere.get("/").location == "/sign-in"
    assert sign_in.authenticate(world.centre, "wang", "another one 2")


def test_old_passwords_cannot_be_guessed_in_a_session_left_open(world: World) -> None:
    wang = Office(world, "wang", mine=(7,))
    statuses = [wang.post("/me", do="password", old=str(n), password="another one 2").status_code for n in range(9)]
    assert statuses == [409] * 8 + [429]
    assert wang.post("/me", do="password", old=PASSWORD, password="another one 2").status_code == 429


def test_signing_out_everywhere_ends_every_session(world: World) -> None:
    wang = Office(world, "wang", mine=(7,))
    stolen = wang.client.get_cookie("centre")
    assert stolen
    assert wang.post("/me", do="everywhere").location == "/sign-in"
    thief = world.app.test_client()
    thief.set_cookie("centre", stolen.value)
    assert thief.get("/").location == "/sign-in"


@pytest.mark.parametrize("role", roles.ROLES)
def test_everybody_sees_what_their_role_may(world: World, role: roles.Role) -> None:
    office = Office(world, "wang", mine=(7,), role=role)
    shown = office.get("/me").text
    assert words.say("zh", f"accounts.does.{role}") in shown and "翠湖" in shown


# Signing in, seen by somebody who wants in, or wants others out


def knock(world: World, account: str, address: str, chosen: str = "wrong") -> int:
    client = world.app.test_client()
    token = token_of(client, "/sign-in")
    fields = {"account": account, "password": chosen, "csrf_token": token}
    answer = client.post("/sign-in", data=fields, environ_base={"REMOTE_ADDR": address})
    return int(answer.status_code)


def test_a_stranger_cannot_lock_an_account_for_its_owner(world: World) -> None:
    Office(world, "wang", mine=(7,))
    assert [knock(world, "wang", "203.0.113.5") for _ in range(9)] == [403] * 8 + [429]
    assert knock(world, "wang", "203.0.113.5", PASSWORD) == 429
    assert knock(world, "wang", "198.51.100.7", PASSWORD) == 302


def test_an_address_is_stopped_whatever_accounts_it_tries(world: World) -> None:
    statuses = [knock(world, f"account{n}", "203.0.113.5") for n in range(33)]
    assert statuses == [403] * 32 + [429]


def test_one_customers_many_ipv6_addresses_are_one(world: World) -> None:
    assert [knock(world, "wang", f"2001:db8:1:2::{n}") for n in range(1, 10)] == [403] * 8 + [429]
    assert knock(world, "wang", "2001:db8:1:3::1") == 403


def test_many_addresses_together_do_not_get_endless_tries_at_one_account(world: World) -> None:
    statuses = [knock(world, "wang", f"203.0.113.{n}") for n in range(16) for _ in range(8)]
    assert set(statuses) == {403} and knock(world, "wang", "198.51.100.7") == 429


def test_who_would_wait_too_long_for_a_check_is_told_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    Office(world, "wang", mine=(7,))
    monkeypatch.setattr(sign_in, "_CHECK_WAIT_S", 0.0)
    with sign_in._checking(), sign_in._checking(), pytest.raises(sign_in.Busy) as refused:
        sign_in.authenticate(world.centre, "wang", PASSWORD)
    assert refused.value.zh and isinstance(refused.value, CentreError)
    assert sign_in.authenticate(world.centre, "wang", PASSWORD)
