"""A centre that was put back to an older backup without telling: a gate proves it, and all wait for a new epoch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import msgspec
import pytest
from flask import Flask
from nacl.signing import SigningKey
from werkzeug.wrappers import Response

from kiosk.commands.enrolment import anchor_of
from kiosk.core.kept import Kept, Memory, Statements
from kiosk.core.mirror import Mirror
from kiosk.core.policy import Now
from kiosk.core.vouching import Vouching
from sync.agent.enrol import EnrolError
from sync.agent.lists import PROOF
from sync.protocol import Refusal, Signed, order_of, sign
from sync.server.app import centre_of, close_app, create_app
from sync.server.centre.errors import Stopped
from sync.server.centre.settings import Settings
from sync.server.centre.writing import Centre
from sync.server.gates import fleet
from sync.server.gates.alarms import Alarms, find_alarms
from sync.server.opening import open_centre
from sync.server.passes import compounds, passes
from tests.fixtures.both_ends import NOW_MS, Gate, enrolled, issue, new_gate, states, stored
from tests.fixtures.wsgi_adapter import WsgiAdapter


class Town:
    """A centre whose state folder can be put back, with what is connected to it."""

    def __init__(self, folder: Path, gates: list[Gate]):
        self.folder = folder
        self.gates = gates
        self.app = self._open()

    def _open(self) -> Flask:
        return create_app(Settings(state=self.folder / "centre", watch=False, clock=lambda: NOW_MS))

    @property
    def centre(self) -> Centre:
        return centre_of(self.app)

    def gate(self) -> Gate:
        return enrolled(self.gates, self.folder, self.app)

    def back_up(self) -> None:
        close_app(self.app)
        shutil.copytree(self.folder / "centre", self.folder / "backup")
        self.reopen()

    def restore(self) -> None:
        close_app(self.app)
        shutil.rmtree(self.folder / "centre")
        shutil.copytree(self.folder / "backup", self.folder / "centre")
        self.reopen()

    def reopen(self) -> None:
        self.app = self._open()
        for gate in self.gates:
            gate.adapter.app = self.app.wsgi_app

    def alarms(self) -> Alarms:
        with self.centre.store.read() as conn:
            return find_alarms(conn, [7])

    def revision(self) -> int:
        return compounds.read_compound(self.centre, 7).revision


@pytest.fixture
def town(tmp_path: Path, gates: list[Gate]) -> Iterator[Town]:
    made = Town(tmp_path, gates)
    yield made
    close_app(made.app)


def lose_a_revocation(town: Town) -> tuple[Gate, int]:
    """A pass revoked after the backup was made; the gate's list says so, the restored centre's does not."""
    gate = town.gate()
    made = issue(town.centre)[0]
    gate.run()
    town.back_up()
    passes.revoke(town.centre, made.number, "test")
    gate.run(100)
    serial = made.credentials[0].serial
    assert states(gate)[serial] == "revoked"
    town.restore()
    return gate, serial


def test_a_gate_proves_it_and_keeps_its_list(town: Town) -> None:
    gate, serial = lose_a_revocation(town)
    gate.adapter.seen.clear()
    gate.core.happen(20)
    gate.run(2000)
    assert states(gate)[serial] == "revoked", "an older list would let in what was revoked since"
    assert not [path for _, path in gate.adapter.seen if "snapshot" in path]
    assert (gate.core.told[-1].centre_ok, gate.core.told[-1].why) == (False, "restored")
    assert town.alarms().stopped == [7] and [one.gate for one in town.alarms().ahead] == ["g1"]
    assert stored(town.centre) == [("j1", seq) for seq in range(1, 21)], "events are taken as ever"
    with pytest.raises(Stopped):
        issue(town.centre)


def test_a_new_epoch_ends_it(town: Town) -> None:
    gate, serial = lose_a_revocation(town)
    ahead = gate.agent._lists.cursor().revision
    gate.run(600)
    before = compounds.begin_epoch(town.centre, 7, "test")
    assert before.revision > ahead + 1_000_000 and before.restored_ms == 0
    gate.agent.wake()
    gate.run(30)
    assert gate.core.told[-1].centre_ok and town.alarms() == Alarms([], [])
    assert states(gate)[serial] == "active", "the loss must be entered again, as the office is told"
    assert issue(town.centre)[0].credentials[0].serial > serial + 1_000_000


def test_a_centre_that_has_given_the_same_numbers_again_is_found_out(town: Town) -> None:
    """Somebody was faster than the first gate: its cursor lies within what the centre has."""
    gate, serial = lose_a_revocation(town)
    issue(town.centre, 5)
    assert town.revision() > gate.agent._lists.cursor().revision
    gate.run(100)
    assert town.alarms().stopped == [7] and states(gate) == {serial: "revoked"}
    town.reopen()
    gate.run(1000)
    assert town.alarms().stopped == [7]


def test_restarts_and_commands_of_a_centre_that_was_not_restored_alarm_nobody(town: Town) -> None:
    gate, other = town.gate(), town.gate()
    for _ in range(3):
        issue(town.centre, 2)
        gate.run(100)
        town.reopen()
        gate.run(100)
        beside = open_centre(Settings(state=town.folder / "centre", watch=False, clock=lambda: NOW_MS))
        issue(beside)
        gate.run(100)
        issue(town.centre)
        beside.close()
    other.run(100)
    gate.run(300)
    assert town.alarms() == Alarms([], []) and gate.core.told[-1].centre_ok and other.core.told[-1].centre_ok
    assert len(states(gate)) == len(states(other)) == 12


def test_it_is_known_over_a_restart_of_the_centre_and_found_once(town: Town) -> None:
    gate, _ = lose_a_revocation(town)
    gate.run(300)
    town.reopen()
    gate.run(3000)
    assert town.alarms().stopped == [7]
    with town.centre.store.read() as conn:
        found = conn.exec_driver_sql("SELECT count(*) FROM audit WHERE what = 'found-restored'").scalar()
    assert found == 1


def test_a_gate_whose_list_came_as_a_snapshot_can_prove_it_too(town: Town) -> None:
    town.gate()
    issue(town.centre)
    town.back_up()
    issue(town.centre, 3)
    late = town.gates[0]
    late.run()
    assert len(states(late)) == 4 and (late.folder / PROOF).exists()
    town.restore()
    late.run(100)
    assert town.alarms().stopped == [7]


def test_a_cursor_without_a_proof_stops_nobody_but_the_gate_itself(town: Town) -> None:
    """An older gate keeps no proof; a hostile one may invent a cursor."""
    gate, serial = lose_a_revocation(town)
    (gate.folder / PROOF).unlink()
    gate.run(600)
    (claim,) = town.alarms().claimed
    assert (claim.gate, claim.proven, town.alarms().stopped) == ("g1", False, [])
    issue(town.centre, 5)
    assert town.revision() > gate.agent._lists.cursor().revision, "the centre has gone on past what the gate has"
    gate.agent.wake()
    gate.run(600)
    assert states(gate) == {serial: "revoked"}, "what came between is not all that it lacks, so it waits"
    assert gate.core.told[-1].why == "restored"
    compounds.begin_epoch(town.centre, 7, "test")
    gate.agent.wake()
    gate.run(30)
    assert len(states(gate)) == 6 and gate.core.told[-1].centre_ok and town.alarms() == Alarms([], [])


def test_an_older_gate_takes_the_answer_for_a_refusal_and_keeps_its_list(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    """Whatever 409 it does not know: it asks for no snapshot, and sends its events."""
    gate = enrolled(gates, tmp_path, app)
    made = issue(centre_of(app))[0]
    gate.run()

    def conflict(environ: dict[str, object], start: object) -> object:
        if environ["PATH_INFO"] != "/api/v1/feed":
            return app.wsgi_app(environ, start)
        body = msgspec.json.encode(Refusal(1, "of_another_day", "wait"))
        return Response(body, 409, content_type="application/json")(environ, start)  # type: ignore[arg-type]

    gate.adapter = WsgiAdapter(conflict)  # type: ignore[arg-type]
    gate.start()
    gate.core.happen(3)
    gate.run(600)
    assert gate.core.told[-1].why == "refused" and gate.core.told[-1].unsent == 0
    assert states(gate) == {made.credentials[0].serial: "active"}
    assert not [path for _, path in gate.adapter.seen if "snapshot" in path]


def test_only_the_root_can_prove_anything(town: Town) -> None:
    gate = town.gate()
    issue(town.centre)
    gate.run()
    true = msgspec.json.decode((gate.folder / PROOF).read_bytes(), type=Signed)
    wire = gate.agent._wire
    forged = [
        true,  # nothing newer than the centre
        msgspec.structs.replace(true, revision=true.revision + 1),
        msgspec.structs.replace(true, body=b'{"life":"another"}'),
        msgspec.structs.replace(true, revision=true.revision + 1, epoch="another"),
        msgspec.structs.replace(true, revision=true.revision + 1, compound=8),
        sign(bytes(SigningKey.generate()), "head", 7, true.epoch, true.revision + 1, "feed", b"{}"),
    ]
    seed = town.centre.vault.unseal(compounds.read_compound(town.centre, 7).sealed_root_seed)
    newer = true.revision + 1
    forged += [
        sign(seed, purpose, 7, true.epoch, newer, "feed", b"{}") for purpose in ("withdrawal", "time", "of another day")
    ]
    forged.append(sign(seed, "head", 7, "another", newer, "feed", b"{}"))
    assert [wire.prove_ahead(one) for one in forged] == [False] * len(forged)
    assert town.alarms() == Alarms([], []) and issue(town.centre)
    assert wire.prove_ahead(sign(seed, "head", 7, true.epoch, 1, "feed", b'{"life":"of another centre"}'))
    assert town.alarms().stopped == [7]


def test_a_gate_that_is_enrolled_meanwhile_is_told_why_not(town: Town) -> None:
    gate = town.gate()
    gate.run()
    code = fleet.add_gate(town.centre, 7, "西门", "test").enrolment_code
    town.back_up()
    issue(town.centre)
    gate.run(100)
    town.restore()
    gate.run(100)
    with pytest.raises(EnrolError, match="older backup"):
        new_gate(town.gates, town.folder, town.app.wsgi_app).enrol(code)


# A backup older than the last new epoch: what it lacks is a whole epoch, which the root has put in order.


def core_of(gate: Gate) -> Mirror:
    """A true core on what this gate's sync has; what it keeps lies beside the list."""
    assert gate.enrolled
    kept = Kept(gate.state / "kept.json", Memory()), Kept(gate.state / "vouched.json", Statements())
    now = Now(utc_ms=NOW_MS, state="trusted", zone=UTC)
    mirror = Mirror(gate.folder, Vouching(anchor_of(gate.enrolled), gate.box, *kept), lambda: now)
    mirror.refresh()
    return mirror


def lose_an_epoch(town: Town) -> tuple[Gate, int]:
    """The backup is of before an epoch in which a pass was revoked; the gate is in that epoch."""
    gate = town.gate()
    made = issue(town.centre)[0]
    gate.run()
    town.back_up()
    compounds.begin_epoch(town.centre, 7, "test")
    passes.revoke(town.centre, made.number, "test")
    gate.run(200)
    serial = made.credentials[0].serial
    assert states(gate)[serial] == "revoked"
    town.restore()
    return gate, serial


def test_a_backup_older_than_the_epoch_is_proven_by_its_order_and_its_list_is_not_fetched(town: Town) -> None:
    gate, serial = lose_an_epoch(town)
    gate.adapter.seen.clear()
    gate.run(2000)
    assert states(gate)[serial] == "revoked" and gate.core.told[-1].why == "restored"
    assert not [path for _, path in gate.adapter.seen if "snapshot/" in path], "the head says enough"
    assert town.alarms().stopped == [7]
    with pytest.raises(Stopped):
        issue(town.centre)


def test_a_new_epoch_comes_after_the_lost_one_though_the_clock_says_the_same(town: Town) -> None:
    gate, serial = lose_an_epoch(town)
    core = core_of(gate)
    lost = core._vouching._order
    gate.run(300)
    begun = compounds.begin_epoch(town.centre, 7, "test")
    assert begun.epoch_order == lost + 1 == NOW_MS + 1 and town.alarms() == Alarms([], [])
    gate.agent.wake()
    gate.run(300)
    core.refresh()
    assert gate.core.told[-1].centre_ok and states(gate)[serial] == "active"
    assert core.vouched.forged == 0 and core.why == "" and core.find(7, serial).row
    core.close()


def test_of_two_epochs_begun_from_one_backup_a_gate_stays_in_the_later_one(town: Town) -> None:
    """The clock of the second machine is behind, so it has to be told before its epoch counts."""
    gate, _ = lose_an_epoch(town)
    first = compounds.begin_epoch(town.centre, 7, "test")
    assert first.epoch_order == NOW_MS, "nobody has told it yet"
    gate.run(300)
    assert gate.core.told[-1].why == "restored" and town.alarms().stopped == [7]
    second = compounds.begin_epoch(town.centre, 7, "test")
    gate.agent.wake()
    gate.run(300)
    assert gate.core.told[-1].centre_ok and second.epoch_order == NOW_MS + 1
    core = core_of(gate)
    assert not core._vouching.is_over(second.epoch) and core._vouching.is_over(first.epoch)
    core.close()


def test_a_core_does_not_follow_a_lost_epoch_that_its_sync_was_given(town: Town) -> None:
    """Without its proof the honest sync takes the older list; the core has the order, and keeps what it has."""
    gate, serial = lose_an_epoch(town)
    core = core_of(gate)
    found = core.find(7, serial).row
    assert found and found.state == "revoked"
    (gate.folder / PROOF).unlink()
    gate.run(100)
    assert states(gate)[serial] == "active"
    core.refresh()
    found = core.find(7, serial).row
    assert found and found.state == "revoked" and "over" in core.why
    core.close()
    core = core_of(gate)
    assert core.find(7, serial).row is None and core.list_state() == "none" and core.vouched.keys
    core.close()


def forget_the_order(town: Town) -> None:
    """The centre as it was before epochs had an order."""
    with town.centre.store.write() as conn:
        conn.exec_driver_sql("UPDATE compound SET epoch_order = 0")
        conn.exec_driver_sql("DELETE FROM signed_change WHERE purpose = 'epoch'")


def test_the_epoch_in_force_gets_the_first_order_with_the_next_change(town: Town) -> None:
    town.gate()
    forget_the_order(town)
    gate = town.gate()
    assert gate.enrolled and gate.enrolled.epoch and order_of(gate.enrolled.epoch) == 1, "enrolling is a change"
    forget_the_order(town)
    assert compounds.read_compound(town.centre, 7).epoch_order == 0
    issue(town.centre)
    assert compounds.read_compound(town.centre, 7).epoch_order == 1
    gate.run(100)
    core = core_of(gate)
    assert core._vouching.is_over("another") and core.vouched.forged == 0
    core.close()


def test_a_gate_goes_on_with_a_centre_that_knows_no_order(town: Town) -> None:
    gate = town.gate()
    gate.enrolled = msgspec.structs.replace(gate.enrolled, epoch=None) if gate.enrolled else None
    made = issue(town.centre)[0]
    forget_the_order(town)
    gate.run(100)
    core = core_of(gate)
    assert core.find(7, made.credentials[0].serial).row and core.vouched.keys
    assert not core._vouching.is_over("any other")
    core.close()


def test_only_the_order_of_an_epoch_not_begun_here_proves_anything(town: Town) -> None:
    gate = town.gate()
    compounds.begin_epoch(town.centre, 7, "test")
    gate.run(100)
    compound = compounds.read_compound(town.centre, 7)
    seed, wire = town.centre.vault.unseal(compound.sealed_root_seed), gate.agent._wire
    order = compound.epoch_order
    vain = [
        sign(seed, "head", 7, "another", 1, "feed", b'{"order":%d}' % (order - 1)),
        sign(seed, "head", 7, "another", 1, "feed", b"{}"),
        sign(seed, "rule", 7, "another", 1, "rules", b'{"order":%d}' % (order + 1)),
        sign(seed, "head", 8, "another", 1, "feed", b'{"order":%d}' % (order + 1)),
        sign(bytes(32), "head", 7, "another", 1, "feed", b'{"order":%d}' % (order + 1)),
    ]
    assert [wire.prove_ahead(one) for one in vain] == [False] * len(vain) and town.alarms() == Alarms([], [])
    assert wire.prove_ahead(sign(seed, "epoch", 7, "another", 1, "epoch", b'{"order":%d}' % order))
    assert town.alarms().stopped == [7]
