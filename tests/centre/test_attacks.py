"""Strangers, curious residents and dishonest clerks: what they try at the pages, and what they get."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.passes import compounds, passes
from sync.server.people import identity
from sync.server.people.collecting import collection
from sync.server.people.collecting.collection import HandOver
from sync.server.people.deciding import review
from sync.server.people.households import drafts, households, phone_pass
from sync.server.people.keeping import erasure, retention
from sync.server.staff import roles
from tests.fixtures.centre import World
from tests.fixtures.office import Office, furnish, token_of
from tests.fixtures.people import PHONE, SIGNATURE, add_dwelling, application, apply, approved

DAY_MS = 86_400_000
HUGE = (str(1 << 53), str(1 << 63), "9" * 1500)


def correcting(world: World, done: households.Submitted) -> Any:
    """A browser that has begun to correct a household's form."""
    client = world.app.test_client()
    home = f"/j/7/s/{done.link}"
    answer = client.post(f"{home}/correct", data={"csrf_token": token_of(client, home), "phone": PHONE})
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


def test_who_was_told_to_wait_and_then_changed_the_form_is_not_approved_with_the_clean_ones(world: World) -> None:
    room = add_dwelling(world.centre)
    done = apply(world.centre, 7, application(dwelling_id=room))
    with world.centre.writing(7, "wang") as writing:
        households.decide(writing, done.household_id, "observe", "风险地区", world.now_ms + 14 * DAY_MS)
    client = correcting(world, done)
    signed = {"csrf_token": token_of(client, "/j/7/form/letter"), "letter_name": "张伟", "signature": SIGNATURE}
    assert client.post("/j/7/form/letter", data=signed).location == "/j/7/done"
    with world.centre.store.read() as conn:
        found = households.get_household(conn, 7, done.household_id)
        clean = review.count_clean(conn, world.centre.vault, 7, world.now_ms).count
    assert (found.state, found.warnings, clean) == ("applied", "", 0)


# A phone that was given up


def test_what_a_phone_has_kept_opens_nothing_once_the_pass_is_elsewhere_or_taken_off(world: World) -> None:
    number = world.issue().number
    kept = []
    for _ in range(2):
        client = activated(world, number)
        kept.append(client.get("/j/7/p/bundle").json["passes"][0]["secret"])
    assert kept[0] != kept[1]
    ended = {"csrf_token": token_of(client, "/j/7/p/end")}
    assert client.post("/j/7/p/end", data=ended).status_code == 200
    live = {one.serial for one in passes.get_pass(world.centre, number).credentials if one.state == "active"}
    secret = base64.b64encode(passes.read_phone_code(world.centre, number).secret).decode()
    assert len(live) == 2 and secret not in kept


def activated(world: World, number: str) -> Any:
    with world.centre.writing(7, "wang") as writing:
        code = phone_pass.open_activation(writing, world.centre, number)
    client, page = world.app.test_client(), f"/j/7/p/a/{code}"
    assert client.post(page, data={"csrf_token": token_of(client, page)}).status_code == 302
    return client


def test_a_phone_is_lost_once_so_that_nobody_floods_the_gates_with_new_serials(world: World) -> None:
    done = approved(world.centre)
    with world.centre.store.read() as conn:
        number = households.pass_numbers(conn, 7, done.household_id)[0]
    with world.centre.writing(7, "wang") as writing:
        given = HandOver(numbers=(number,), checks=frozenset(collection.CHECKS))
        collection.hand_over(writing, done.household_id, given)
    activated(world, number)
    page = f"/j/7/s/{done.link}/lost"
    lost = {"csrf_token": token_of(world.client, page), "number": number, "what": "phone"}
    assert [world.client.post(page, data=lost).status_code for _ in range(3)] == [302, 409, 409]
    assert len(passes.get_pass(world.centre, number).credentials) == 3


# Names


@pytest.mark.parametrize("name", ["\u3164\u3164", "\u115f", "张\uffa0伟", "张\u2800", "张" + "\u0336" * 8 + "伟"])
def test_a_name_nobody_can_read_is_no_name(name: str) -> None:
    with pytest.raises(CentreError):
        identity.check_name(name)


@pytest.mark.parametrize("name", ["张伟", "买买提·吐尔逊", "Nguyễn Thị Hạnh", "สมชาย ตั้งใจ", "José Núñez", "𠮷田"])
def test_names_of_all_peoples_are_names(name: str) -> None:
    assert identity.check_name(name)


# Clerks and the town


def test_anyone_who_opens_a_card_to_print_is_recorded(world: World) -> None:
    clerk, number = Office(world, "clerk1", mine=(7,), role="clerk"), world.issue().number
    assert clerk.get(f"/c/7/passes/{number}/card").status_code == 200
    assert [(one.by, one.about) for one in audit.find(world.centre, 7, audit.RecordFilter(what="print"))[0]] == [
        ("clerk1", number)
    ]


@pytest.mark.parametrize(("role", "sees"), [("property", True), ("town", False), ("inspector", False)])
def test_the_record_names_persons_only_to_those_who_see_persons(world: World, role: roles.Role, sees: bool) -> None:
    with world.centre.writing(7, "clerk1") as writing:
        writing.audit("collect", "7-H00001: 7-000001", 1, why="proxy 欧阳娜")
        writing.audit("reveal", "7-H00001 phone", 1, why="call: 回访")
        row = {"compound_id": 7, "export_id": "e1", "at_ms": world.now_ms, "by": "clerk1", "what": "residents",
               "chosen": '{"building":"3","term":"司马光"}', "why": "visit: 上门", "whole": False, "rows": 1,
               "households": "[1]"}  # fmt: skip
        writing.conn.execute(insert(tables.export).values(row))
    office = Office(world, "wang", everywhere=True, role=role)
    record, exported = office.get("/c/7/record").text, office.get("/c/7/record/exports").text
    assert ("欧阳娜" in record, "司马光" in exported) == (sees, sees)
    assert "回访" in record and "上门" in exported


# Who asks


def test_a_customer_with_a_whole_network_of_addresses_is_one(world: World) -> None:
    def guesses(address: str) -> int:
        code: int = world.client.get("/j/7/s/wrong", environ_base={"REMOTE_ADDR": address}).status_code
        return code

    assert {guesses(f"2001:db8::{number:x}") for number in range(40)} == {404, 429}
    assert guesses("2001:db8:0:1::1") == 404


# Deleting


def test_passes_of_a_wider_scope_are_deleted_like_others(world: World) -> None:
    compounds.add_compound(world.centre, "全镇公务", "Town officials", "Asia/Shanghai", 9001, "test", wide=True)
    made = world.issue(9001, label="王*")
    world.now_ms += 90 * DAY_MS
    assert any(one.kind == "pass" and one.due for one in retention.due(world.centre))
    erasure.erase_all(world.centre, "test")
    with pytest.raises(NoSuchThing):
        passes.get_pass(world.centre, made.number)


# Numbers no database keeps


@pytest.mark.parametrize("number", HUGE)
def test_a_number_too_large_for_a_database_belongs_to_nobody(world: World, number: str) -> None:
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
