"""What stands above every page of the office: two devices with one identity, a centre that was restored; and what a
centre that waits for a new epoch does and does not do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest

from sync.protocol import HEAD, HeadBody, sign
from sync.server.centre.errors import CentreError, NoSuchThing, Stopped
from sync.server.gates import fleet, restored
from sync.server.gates.fleet import Device
from sync.server.passes import compounds, scopes
from sync.server.people.keeping import erasure
from tests.fixtures.centre import Gate, World
from tests.fixtures.events import Journal, event, send
from tests.fixtures.office import PASSWORD, Office, furnish, token_of
from tests.fixtures.people import add_desk, apply


def stop(world: World, compound: int = 7, gate: Gate | None = None) -> Gate:
    """Have a gate prove that the centre was restored."""
    gate = gate or world.gate(compound, "北门").enrol()
    assert gate.enrolled is not None
    found = compounds.read_compound(world.centre, compound)
    seed, body = world.centre.vault.unseal(found.sealed_root_seed), msgspec.json.encode(HeadBody(found.life))
    device = Device(compound, gate.enrolled.device, gate.enrolled.gate, "active")
    statement = sign(seed, HEAD, compound, found.epoch, found.revision + 30, "feed", body)
    assert restored.prove(world.centre, device, statement)
    return gate


def two_devices(world: World) -> Gate:
    gate = world.gate().enrol()
    first, second = (Journal([event(n, by=who) for n in range(1, 4)]) for who in "AB")
    send(gate, first.batch(1, 3))
    world.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    send(gate, second.batch(1, 3))
    return gate


# Two devices


def test_two_devices_are_told_with_both_addresses_in_both_languages(world: World, office: Office) -> None:
    assert "同一个身份" not in office.get("/c/7/passes").text
    two_devices(world)
    for page in ("/c/7/passes", "/c/7/gates", "/c/7/events", "/c/7/rules"):
        text = office.get(page).text
        assert "两台设备在用同一个身份：东门" in text and "127.0.0.1" in text and "192.0.2.7" in text, page
    assert "new-identity 7 g1 --as 新门口" in office.get("/c/7/gates").text
    english = office.get("/c/7/gates?lang=en").text
    assert "Two devices use one identity: 东门" in english and "new-identity 7 g1 --as NAME" in english
    assert "j1~2 #1 192.0.2.7" in office.get("/c/7/gates/g1/events").text


def test_the_town_reads_in_which_compound(world: World) -> None:
    two_devices(world)
    assert "两台设备在用同一个身份：翠湖 东门" in Office(world, "town", everywhere=True, role="town").get("/town").text


def test_only_who_sees_gates_reads_of_devices_and_only_of_their_own(world: World) -> None:
    two_devices(world)
    clerk = Office(world, "clerk", mine=(7,), role="clerk")
    other = Office(world, "other", mine=(8,), role="property")
    assert "同一个身份" not in clerk.get("/c/7/passes").text
    assert "同一个身份" not in other.get("/c/8/gates").text


def test_a_new_device_ends_the_alarm_and_the_record_stays(world: World, office: Office) -> None:
    two_devices(world)
    code = fleet.new_identity(world.centre, 7, "g1", "test")
    assert "同一个身份" in office.get("/c/7/gates").text
    Gate(world, code.enrolment_code).enrol()
    assert "两台设备在用同一个身份" not in office.get("/c/7/gates").text
    assert "另一台设备以同一身份发来的记录" in office.get("/c/7/events").text


def test_only_a_gate_with_a_device_has_an_identity_to_give(world: World) -> None:
    world.gate()
    with pytest.raises(NoSuchThing, match="no enrolled device"):
        fleet.new_identity(world.centre, 7, "g1", "test")
    gate = world.gate(name="西门").enrol()
    with pytest.raises(CentreError, match="already"):
        fleet.new_identity(world.centre, 7, "g2", "test", "西门")
    assert gate.ask().status_code == 200


# A centre that was restored


@pytest.fixture
def furnished(world: World) -> Iterator[dict[str, str | int]]:
    yield furnish(world, 7)


def test_every_page_that_hands_out_no_code_still_opens(world: World, furnished: dict[str, str | int]) -> None:
    offices = [Office(world, role, mine=(7,), role=role) for role in ("town", "property")]  # type: ignore[arg-type]
    stop(world)
    told, refused = 0, set()
    for rule in world.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or not rule.endpoint.startswith(("office.", "residents.")):
            continue
        values = {"compound_id": 7} | {name: furnished.get(name, "x") for name in rule.arguments - {"compound_id"}}
        with world.app.test_request_context():
            path = world.app.url_for(rule.endpoint, **values)
        for office in offices:
            answer = office.get(path)
            assert answer.status_code in (200, 204, 302, 303, 400, 403, 404, 409), (path, answer.status_code)
            refused |= {rule.endpoint} if answer.status_code == 409 else set()
            told += b"begin-epoch 7" in answer.data
    assert told > 40 and refused == {"office.card", "office.phone"}, "codes handed out now are recorded, or not shown"


def test_nothing_is_changed_but_what_gives_no_number_away(world: World, office: Office) -> None:
    other = Office(world, "other", mine=(8,), role="property")
    gate = stop(world)
    answer = office.post("/c/7/passes", kind="resident", label="王", dwelling="3-2-501", until="2099-12-31")
    assert answer.status_code == 409 and "技术员处理好以前暂停办理" in answer.text and "3-2-501" in answer.text
    assert "Until the technician has seen to it" in office.post("/c/7/gates?lang=en", name="西门").text
    for act in (
        lambda: world.issue(), lambda: compounds.set_rule(world.centre, 7, "passback_s", "9", "test"),
        lambda: fleet.withdraw(world.centre, 7, "g1", "test"), lambda: apply(world.centre),
        lambda: erasure.erase_all(world.centre, "test", [7]),
    ):  # fmt: skip
        with pytest.raises(Stopped):
            act()
    assert send(gate, Journal([event(1)]).batch(1, 1)) == 1
    assert Office(world, "late", mine=(7,)).get("/c/7/passes").status_code == 200, "who signs in now may look"
    assert other.post("/c/8/gates", name="西门").status_code == 200 and world.issue(8)
    assert erasure.erase_all(world.centre, "test") == []


def test_a_resident_loses_nothing_that_was_written(world: World) -> None:
    add_desk(world.centre)
    stop(world)
    browser = world.app.test_client()

    def post(path: str, **fields: str) -> tuple[int, str]:
        token = token_of(browser, "/j/7/state")
        answer = browser.post(f"/j/7/{path}", data=fields | {"csrf_token": token})
        return answer.status_code, answer.text

    assert post("begin")[0] == 302
    assert post("form/where", **{"dwelling": "3-2-501", "people-0-name": "张伟"})[0] in (302, 409)
    assert "张伟" in browser.get("/j/7/form/where").text
    status, page = post("form/letter", letter_name="张伟")
    assert status == 409 and "技术员处理好以前暂停办理，门口照常通行" in re.sub(r"\s+", "", page)
    assert "张伟" in browser.get("/j/7/form/where").text


def test_a_wider_scope_goes_on_when_the_epoch_has_begun(world: World) -> None:
    compounds.add_compound(world.centre, "全镇", "Town", "Asia/Shanghai", 9001, "test", wide=True)
    compounds.set_rule(world.centre, 7, "accepts", "[9001]", "test")
    gate = stop(world)
    world.issue(9001, kind="official")
    scopes.follow_all(world.centre)
    begun = compounds.begin_epoch(world.centre, 7, "test")
    scopes.follow_all(world.centre)
    gate.epoch, gate.revision = begun.epoch, 0
    gate.follow()
    assert [scope for scope, _ in gate.rows] == [9001]


def test_a_claim_without_proof_is_told_and_stops_nothing(world: World, office: Office) -> None:
    gate = world.gate().enrol()
    gate.follow()
    for _ in range(3):
        assert gate.ask(after=gate.revision + 500).status_code == 409
    page = office.get("/c/7/gates").text
    assert "东门说自己的名单比中心新" in page and "现在不能修改" not in page
    assert world.issue() and gate.ask().status_code == 200, "with the cursor it truly has, it goes on"
    compounds.begin_epoch(world.centre, 7, "test")
    assert "比中心新" not in office.get("/c/7/gates").text


def test_the_sign_in_page_says_nothing_of_it(world: World) -> None:
    stop(world)
    browser = world.app.test_client()
    assert "begin-epoch" not in browser.get("/sign-in").text and PASSWORD not in browser.get("/sign-in").text
