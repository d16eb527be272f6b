"""Strangers, curious residents and dishonest clerks: what they try at the pages, and what they get."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from sync.server import compounds, tables
from sync.server.people import drafts, households
from tests.people import SIGNATURE, apply
from tests.test_centre import World
from tests.test_centre_pages import Office, furnish, token_of

HUGE = (str(1 << 53), str(1 << 63), "9" * 1500)


def correcting(world: World, done: households.Submitted) -> Any:
    """A browser that has begun to correct a household's form."""
    client = world.app.test_client()
    home = f"/j/7/s/{done.link}"
    answer = client.post(f"{home}/correct", data={"csrf_token": token_of(client, home)})
    assert answer.status_code == 302
    return client


# Residents' links


def test_a_correction_that_was_begun_ends_with_the_link_it_was_begun_with(world: World) -> None:
    done = apply(world.centre)
    client = correcting(world, done)
    token = token_of(client, "/j/7/form/review")
    with world.centre.writing(7, "wang") as writing:
        link = households.renew_link(writing, world.centre.vault, done.household_id)
    signed = {"csrf_token": token, "letter_name": "张伟", "signature": SIGNATURE}
    assert client.post("/j/7/form/letter", data=signed).location == "/j/7"
    assert client.get("/j/7/form/review").location == "/j/7"
    assert link not in client.get("/j/7/done", follow_redirects=True).text
    with world.centre.store.read() as conn:
        assert households.get_household(conn, 7, done.household_id).submitted_ms == world.now_ms
        kept = drafts.read(conn, world.centre.vault, 7, client.get_cookie("draft_7", path="/j/7").value, world.now_ms)
    assert kept is None


def test_nobody_applies_to_a_wider_scope(world: World) -> None:
    compounds.add_compound(world.centre, "全镇公务", "Town officials", "Asia/Shanghai", 9001, "test", wide=True)
    token = token_of(world.client, "/j/7")
    assert [world.client.get(page).status_code for page in ("/j/9001", "/j/9001/privacy", "/j/9001/p")] == [404] * 3
    assert world.client.post("/j/9001/begin", data={"csrf_token": token}).status_code == 404
    assert world.client.post("/j/9001/begin").status_code == 404


# Numbers no database keeps


@pytest.mark.parametrize("number", HUGE)
def test_a_number_no_database_keeps_is_nobodys(world: World, number: str) -> None:
    office, pages = Office(world, "wang", everywhere=True), furnish(world, 7)
    open_to_all = ("", "/state", "/form/where", "/s/x", "/p", "/p/bundle", f"/p/a/{pages['code']}")
    assert {world.client.get(f"/j/{number}{page}").status_code for page in open_to_all} == {404}
    for page in (f"/c/{number}/collect", f"/c/7/collect/{number}", f"/c/7/dwellings/{number}", f"/c/7/desks/{number}",
                 f"/c/7/paper/{number}", f"/c/7/households/{number}"):  # fmt: skip
        assert office.get(page).status_code == 404
    for query in (f"collect?desk={number}", f"collect?at=-{number}", f"print?desk=-{number}", f"review?page={number}"):
        assert office.get(f"/c/7/{query}").status_code == 200
    assert office.post("/c/7/review/calls", household=number, note="x").status_code in (404, 409)
    assert office.post("/c/7/review/clean", sure="yes", as_of=f"-{number}", counted=number).status_code == 409


def test_a_sign_that_only_looks_like_a_digit_breaks_no_page(world: World) -> None:
    done = apply(world.centre)
    with world.centre.writing(7, "wang") as writing:
        households.approve(writing, world.centre, done.household_id)
    page = f"/j/7/s/{done.link}/person"
    sent = {"csrf_token": token_of(world.client, page), "do": "remove-journeys-1-²"}
    assert world.client.post(page, data=sent).status_code == 200


# What is written down


def test_a_page_that_fails_leaves_no_link_and_nothing_of_a_person_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = apply(world.centre)

    def fails(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(households, "by_link", fails)
    with caplog.at_level(logging.INFO):
        assert world.client.get(f"/j/7/s/{done.link}").status_code == 500
    assert "broken" in caplog.text and "residents.household" in caplog.text
    assert done.link not in caplog.text


def test_an_error_of_the_database_says_nothing_of_a_person(world: World) -> None:
    row = {"compound_id": 7, "household_id": 1, "vehicle_id": 1, "plate": "粤BD12345"}
    with pytest.raises(IntegrityError) as failed, world.centre.store.write() as conn:
        conn.execute(insert(tables.vehicle), [row, row])
    assert "粤BD12345" not in str(failed.value)
