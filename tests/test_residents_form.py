"""The residents' form over HTTP: from the poster's address to the submitted application, and what must not happen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from sync.server import tables, words
from sync.server.app import close_app
from sync.server.people import households
from sync.server.people.application import Application
from tests.people import PHONE, SIGNATURE, add_desk, add_dwelling, apply, id_number
from tests.test_centre import World
from tests.test_centre_pages import token_of

START = "/j/7"
WHO = {
    "people-0-name": "张伟", "people-0-relation": "owner", "people-0-doc_kind": "id_card",
    "people-0-doc_number": id_number(11), "people-0-phone": PHONE,
}  # fmt: skip
RESIDENCE = {
    "people-0-province": "湖北", "people-0-city": "武汉", "people-0-arrived": "20150301", "people-0-came_from": "孝感",
    "people-0-transport": "train", "people-0-transport_number": "G1234",
}  # fmt: skip
HEALTH = {
    "people-0-stayed": "yes", "people-0-contact": "no", "people-0-health": "well", "people-0-quarantine": "no",
}  # fmt: skip
CHILD = {
    "people-1-kind": "resident", "people-1-name": "张小宝", "people-1-doc_kind": "id_card",
    "people-1-doc_number": id_number(13, "20180506"), "people-1-relation": "family", "people-1-same_residence": "yes",
    "people-1-travelled": "yes", "people-1-contact": "no", "people-1-health": "well", "people-1-quarantine": "no",
}  # fmt: skip
LETTER = {"letter_name": "张伟", "signature": SIGNATURE}


class Phone:
    """A resident's browser, without JavaScript."""

    def __init__(self, world: World, compound: int = 7):
        self.world, self.start = world, f"/j/{compound}"
        self.client = world.app.test_client()

    def get(self, path: str) -> Any:
        return self.client.get(self.start + path)

    def post(self, path: str, **fields: str) -> Any:
        sent = {name.replace("__", "-"): value for name, value in fields.items()}
        token = token_of(self.client, f"{self.start}/state")
        return self.client.post(self.start + path, data=sent | {"csrf_token": token})

    def begin(self) -> Phone:
        answer = self.post("/begin")
        assert answer.location == f"{self.start}/form/where"
        return self

    def step(self, name: str, **fields: str) -> str:
        """Send a step; the address it leads to."""
        answer = self.post(f"/form/{name}", **fields)
        assert answer.status_code == 302, wrong_in(answer.text)
        return str(answer.location).removeprefix(self.start)

    def fill(self, **where: str) -> Phone:
        """A household of two with a car, up to the letter."""
        self.begin()
        assert self.step("where", **WHO | ({"dwelling": "3-2-501"} | where)) == "/form/residence"
        assert self.step("residence", **RESIDENCE) == "/form/travel"
        assert self.step("travel", **HEALTH) == "/form/family"
        assert self.step("family", do="add-person") == "/form/person?n=1"
        assert self.step("person?n=1", **CHILD) == "/form/family"
        assert self.step("family", **{"plates-0": "粤bd12345"}) == "/form/review"
        assert self.step("review") == "/form/letter"
        return self

    def draft_cookie(self) -> str:
        found = self.client.get_cookie("draft_7", path="/j/7")
        return found.value if found else ""


def wrong_in(page: str) -> list[str]:
    return re.findall(r'href="#?([^"]*)">[^<]*</a></li>', page)


def wrote(world: World, household_id: int = 1, compound: int = 7) -> Application:
    with world.centre.store.read() as conn:
        household = households.get_household(conn, compound, household_id)
        return households.read_application(conn, world.centre.vault, household)


def count(world: World, table: Any = tables.household) -> int:
    with world.centre.store.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "centre")
    yield made
    close_app(made.app)


@pytest.fixture
def phone(world: World) -> Phone:
    return Phone(world)


# The whole way


def test_a_household_applies_and_takes_its_number_away(world: World, phone: Phone) -> None:
    room, desk = add_dwelling(world.centre), add_desk(world.centre)
    phone.fill(building="3", unit="2", dwelling_id=str(room))
    letter = phone.get("/form/letter").text
    slot = re.search(r'value="([0-9.]+)" checked', letter)
    assert slot and slot[1].startswith(f"{desk}.")
    assert phone.step("letter", slot=slot[1], **LETTER) == "/done"
    done = phone.get("/done").text
    assert "7-H00001" in done and "物业一楼" in done
    found = wrote(world)
    assert (found.dwelling_id, found.dwelling, found.building) == (room, "3-2-501", "3")
    assert [person.name for person in found.people] == ["张伟", "张小宝"]
    child = found.people[1]
    assert (child.province, child.arrived, child.transport_number, child.birth) == ("湖北", "2015-03-01", "G1234", "2018-05-06")
    assert (found.plates, f"{found.desk_id}.{found.slot_ms}") == (["粤BD12345"], slot[1])
