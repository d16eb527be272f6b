"""The office's pages of guards and of a gate that was stolen."""

from __future__ import annotations

import re

import pytest

from sync.server.gates import fleet, guards
from tests.fixtures.centre import LONG_PIN, PIN, World
from tests.fixtures.office import Office


@pytest.fixture
def office(world: World) -> Office:
    world.gate(name="东门").enrol()
    world.gate(name="西门").enrol()
    return Office(world, "li", mine=(7,))


def listed(world: World) -> list[guards.Guard]:
    return guards.list_guards(world.centre, 7)


def test_a_drawn_pin_is_shown_once_and_reaches_no_address(world: World, office: Office) -> None:
    page = office.post("/c/7/guards", page="/c/7/guards", name="赵敏", role="supervisor", pin="")
    pin = re.search(r"<code>(\d{8})</code>", page.text)
    assert page.status_code == 200 and pin and pin[1] not in office.get("/c/7/guards").text
    again = office.post("/c/7/guards/a1", page="/c/7/guards", do="pin", pin="")
    other = re.search(r"<code>(\d{8})</code>", again.text)
    assert other and other[1] != pin[1]


@pytest.mark.parametrize(
    ("role", "pin", "told"),
    [("supervisor", PIN, "8至12位"), ("guard", "850612", "日期"), ("guard", "112233", "太好猜")],
)
def test_a_bad_pin_is_refused_on_the_page_with_why(
    world: World, office: Office, role: str, pin: str, told: str
) -> None:
    page = office.post("/c/7/guards", page="/c/7/guards", name="赵敏", role=role, pin=pin)
    assert page.status_code == 409 and told in page.text and pin not in page.text
    assert listed(world) == []


def test_ticked_gates_are_where_an_account_works(world: World, office: Office) -> None:
    office.post("/c/7/guards", page="/c/7/guards", name="李强", role="guard", pin=PIN, gate="g2")
    assert [guard.gates for guard in listed(world)] == [["g2"]]
    office.post("/c/7/guards/a1", page="/c/7/guards", do="gates")
    assert [guard.gates for guard in listed(world)] == [[]] and "所有门口" in office.get("/c/7/guards").text


def test_a_theft_is_looked_at_then_reported_and_the_guards_page_says_who_needs_a_pin(
    world: World, office: Office
) -> None:
    guards.add_guard(world.centre, 7, "赵敏", "supervisor", LONG_PIN, "test", ["g1"])
    guards.add_guard(world.centre, 7, "李强", "guard", PIN, "test", ["g2"])
    shown = office.get("/c/7/gates/g1/theft").text
    assert "赵敏" in shown and "李强" not in shown and "最近30天的通行记录" in shown
    assert {gate.state for gate in fleet.list_gates(world.centre, 7)} == {"active"}
    done = office.post("/c/7/gates/g1/theft", page="/c/7/gates/g1/theft", which="present").text
    assert "已经办好" in done and "赵敏" in done and "警" in done
    assert {gate.name: gate.state for gate in fleet.list_gates(world.centre, 7)}["东门"] == "withdrawn"
    warned = office.get("/c/7/guards").text
    assert "这些人的PIN已作废" in warned and warned.count("PIN已作废") == 2, "one warning, one row"
    assert "没有要办的了" in office.get("/c/7/gates/g1/theft").text


def test_a_gate_without_a_device_has_no_page_of_theft(world: World, office: Office) -> None:
    world.gate(name="南门")
    assert office.get("/c/7/gates/g3/theft").status_code == 404
