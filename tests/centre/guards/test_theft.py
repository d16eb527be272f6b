"""A gate was stolen: what one command at the centre ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, event, text

from sync.protocol import AccountBody, CodeKeyBody, Page
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.settings import Settings
from sync.server.centre.writing import Centre
from sync.server.gates import fleet, guards, theft
from sync.server.opening import open_centre
from sync.server.passes import passes
from tests.fixtures.centre import LONG_PIN, NOW, PIN, Gate, World


class Yard:
    """Two gates and three guards: one of both gates, one of the west gate alone, one who came after."""

    def __init__(self, world: World) -> None:
        self.world, self.centre = world, world.centre
        self.east, self.west = world.gate(name="东门").enrol(), world.gate(name="西门").enrol()
        guards.add_guard(world.centre, 7, "赵敏", "supervisor", LONG_PIN, "test")
        guards.add_guard(world.centre, 7, "李强", "guard", PIN, "test", ["g2"])
        for gate in (self.east, self.west):
            gate.follow()

    def report(self, **options: bool) -> theft.Theft:
        return theft.report(self.centre, 7, "g1", "test", **options)

    def account(self, account: str, gate: Gate | None = None) -> AccountBody:
        at = gate or self.west
        at.follow()
        body: AccountBody = at.body("account", account, AccountBody)
        return body

    def pins(self) -> dict[str, str]:
        return {guard.name: guard.pin for guard in guards.list_guards(self.centre, 7)}


@pytest.fixture
def yard(world: World) -> Yard:
    return Yard(world)


def test_one_act_withdraws_the_gate_changes_its_code_key_and_takes_the_pins_it_had(yard: Yard) -> None:
    made = yard.world.issue(phone=True)
    secret = passes.read_phone_code(yard.centre, made.number).secret
    done = yard.report()
    assert yard.east.enrolled is not None
    assert done.devices == [yard.east.enrolled.device] and done.code_key_changed
    assert [guard.name for guard in done.guards] == ["赵敏"]
    page = msgspec.json.decode(yard.east.ask().data, type=Page)
    assert [change.purpose for change in page.signed] == ["withdrawal"]
    assert yard.account("a1").verifier == {} and yard.account("a1").pin_withdrawn, "at no gate of the compound"
    assert set(yard.account("a2").verifier) == {"g2"}, "his verifier was never on the stolen card"
    assert set(yard.west.body("code_key", "7", CodeKeyBody).sealed) == {"g2"}
    assert passes.read_phone_code(yard.centre, made.number).secret != secret
    assert yard.pins() == {"赵敏": "withdrawn", "李强": "good"}


def test_a_gate_of_an_older_version_reads_such_an_account_as_one_without_a_verifier(yard: Yard) -> None:
    class Older(msgspec.Struct, frozen=True):
        account: str
        name: str
        role: str
        active: bool
        verifier: dict[str, bytes]

    yard.report()
    yard.account("a1")
    older = yard.west.body("account", "a1", Older)
    assert (older.name, older.active, older.verifier) == ("赵敏", True, {})


def test_an_account_of_a_centre_of_an_older_version_is_read_as_before() -> None:
    body = b'{"account":"a1","name":"x","role":"guard","active":true,"verifier":{}}'
    assert not msgspec.json.decode(body, type=AccountBody).pin_withdrawn


def test_a_new_pin_lets_the_guard_in_again_but_not_the_one_that_was_stolen(yard: Yard) -> None:
    yard.report()
    with pytest.raises(CentreError, match="was withdrawn"):
        guards.change_guard(yard.centre, 7, "a1", "test", pin=LONG_PIN)
    assert guards.change_guard(yard.centre, 7, "a1", "test", pin="70481926").pin == "good"
    assert set(yard.account("a1").verifier) == {"g2"} and not yard.account("a1").pin_withdrawn


def test_told_again_it_finds_nothing_left_to_do(yard: Yard) -> None:
    yard.report()
    guards.change_guard(yard.centre, 7, "a1", "test", pin="70481926")
    yard.west.follow()
    revision = yard.west.revision
    again = yard.report()
    assert again.nothing_left and not again.code_key_changed
    assert yard.account("a1").verifier and yard.west.revision == revision, "nothing was published"


def test_looking_changes_nothing_and_says_the_same(yard: Yard) -> None:
    seen = theft.look(yard.centre, 7, "g1")
    assert yard.west.ask().status_code == 204 and seen.dry_run
    done = yard.report()
    assert (seen.devices, [g.account for g in seen.guards]) == (done.devices, [g.account for g in done.guards])


def test_a_verifier_that_was_there_before_counts_as_stolen(yard: Yard) -> None:
    """The guard was taken from that gate; what a memory card once held, it may hold still."""
    guards.change_guard(yard.centre, 7, "a1", "test", gates=["g2"])
    assert [guard.account for guard in yard.report().guards] == ["a1"]


def test_a_pin_set_since_the_gate_was_withdrawn_is_not_stolen(yard: Yard) -> None:
    fleet.withdraw(yard.centre, 7, "g1", "test")
    guards.change_guard(yard.centre, 7, "a1", "test", pin="70481926")
    guards.add_guard(yard.centre, 7, "王芳", "guard", PIN, "test")
    assert yard.report().nothing_left


def test_a_gate_that_was_withdrawn_first_still_takes_the_pins_it_had(yard: Yard) -> None:
    fleet.withdraw(yard.centre, 7, "g1", "test")
    done = yard.report()
    assert (done.devices, [guard.account for guard in done.guards]) == ([], ["a1"])


def test_where_a_new_device_is_in_place_already_it_stays_and_the_old_one_is_withdrawn(yard: Yard) -> None:
    stolen = yard.east
    code = fleet.new_code(yard.centre, 7, "g1", "test").enrolment_code
    new = Gate(yard.world, code).enrol()
    done = yard.report(replaced=True)
    assert stolen.enrolled is not None and done.devices == [stolen.enrolled.device]
    assert [guard.account for guard in done.guards] == ["a1"]
    assert fleet.list_gates(yard.centre, 7)[0].state == "active"
    new.follow()
    page = msgspec.json.decode(stolen.ask().data, type=Page)
    assert [change.purpose for change in page.signed] == ["withdrawal"], "should it ever come back, it wipes itself"
    guards.change_guard(yard.centre, 7, "a1", "test", pin="70481926")
    assert yard.report(replaced=True).nothing_left


def test_a_gate_that_never_had_a_device_cannot_be_stolen(world: World) -> None:
    world.gate(name="东门")
    with pytest.raises(NoSuchThing):
        theft.report(world.centre, 7, "g1", "test")


def test_a_compound_has_guards_of_its_own(yard: Yard) -> None:
    yard.world.gate(8).enrol()
    guards.add_guard(yard.centre, 8, "赵敏", "guard", PIN, "test")
    yard.report()
    assert [guard.pin for guard in guards.list_guards(yard.centre, 8)] == ["good"]


# Killed in the middle


def _reports_and_dies(state: Path, at: int) -> None:
    """Report the theft in a process that is killed before its nth statement that writes."""
    centre = open_centre(Settings(state=state, watch=False, clock=lambda: NOW))
    written = 0

    def count(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        nonlocal written
        written += statement.lstrip().startswith(("UPDATE", "INSERT", "DELETE"))
        if written == at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    theft.report(centre, 7, "g1", "test")
    os._exit(0)


def _sight(centre: Centre) -> tuple[object, ...]:
    with centre.store.read() as conn:
        key = conn.execute(text("SELECT sealed_code_key, revision FROM compound WHERE compound_id = 7")).one()
        orders = conn.execute(text("SELECT count(*) FROM signed_change WHERE purpose = 'withdrawal'")).scalar()
    states = [gate.state for gate in fleet.list_gates(centre, 7)]
    return tuple(key), orders, states, [guard.pin for guard in guards.list_guards(centre, 7)]


def test_killed_in_the_middle_nothing_is_half_done(yard: Yard) -> None:
    before = _sight(yard.centre)
    forks = multiprocessing.get_context("fork")
    ends = []
    for at in range(1, 30):
        child = forks.Process(target=_reports_and_dies, args=(yard.world.state, at))
        child.start()
        child.join(30)
        ends.append(child.exitcode)
        if child.exitcode == 0:
            break
        assert _sight(yard.centre) == before, f"killed before its {at}th change"
    assert ends[-1] == 0 and len(ends) > 5
    assert _sight(yard.centre)[1:3] == (1, ["withdrawn", "active"])
