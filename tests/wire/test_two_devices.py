"""Two devices with one identity at the true centre: an imaged card, told by its journal and ended by one command."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

from flask import Flask

from sync.agent.enrol import IDENTITY
from sync.server.app import centre_of, close_app, create_app
from sync.server.centre.settings import Settings
from sync.server.centre.writing import Centre
from sync.server.gates import fleet
from sync.server.gates.alarms import Alarms, find_alarms
from sync.server.gates.troubles import find_troubles
from tests.fixtures.both_ends import NOW_MS, Gate, enrolled, issue, new_compound, new_gate, states, stored
from tests.fixtures.wsgi_adapter import WsgiAdapter, WsgiApp


def at_address(app: WsgiApp, address: str) -> WsgiAdapter:
    return WsgiAdapter(lambda environ, start: app(environ | {"REMOTE_ADDR": address}, start))


def imaged(gates: list[Gate], folder: Path, app: Flask, gate: Gate, address: str) -> Gate:
    """A device made of a gate's card while that is switched off: list, identity, journal, all."""
    gate.stop()
    made = new_gate(gates, folder, at_address(app.wsgi_app, address))
    shutil.rmtree(made.folder)
    shutil.copytree(gate.folder, made.folder)
    shutil.copytree(gate.state, made.state)
    made.core.journals = copy.deepcopy(gate.core.journals)
    made.enrolled, made.box = gate.enrolled, gate.box
    return made


def happen(gate: Gate, count: int, who: str) -> None:
    """Events that only this device saw."""
    journal = gate.core.journals[-1]
    for number in range(len(journal.events) + 1, len(journal.events) + count + 1):
        journal.add(f'{{"id":"{who}-{number}","kind":"call","at_ms":{1_700_000_000_000 + number}}}')


def alarms(centre: Centre) -> Alarms:
    with centre.store.read() as conn:
        return find_alarms(conn, [7])


def own_events(gate: Gate, centre: Centre, name: str) -> None:
    """Everything this device saw is at the centre, and it was told so."""
    newest = len(gate.core.journals[-1].events)
    assert gate.core.acked["j1"] == newest and gate.core.told[-1].unsent == 0 and gate.core.told[-1].why == ""
    assert (name, newest) in stored(centre)


def two_devices(tmp_path: Path, app: Flask, gates: list[Gate]) -> tuple[Gate, Gate]:
    first = enrolled(gates, tmp_path, app)
    first.adapter = at_address(app.wsgi_app, "192.0.2.1")
    happen(first, 10, "common")
    first.run(30)
    return first, imaged(gates, tmp_path, app, first, "192.0.2.2")


def test_nothing_of_either_copy_is_lost_and_the_centre_names_both(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    first, second = two_devices(tmp_path, app, gates)
    assert alarms(centre).twins == []
    happen(first, 300, "A")
    happen(second, 250, "B")
    first.run(60)
    second.run(60)
    own_events(first, centre, "j1")
    own_events(second, centre, "j1~2")
    assert len(stored(centre)) == 10 + 300 + 250
    (twins,) = alarms(centre).twins
    assert (twins.gate, sorted(sender.address for sender in twins.senders)) == ("g1", ["192.0.2.1", "192.0.2.2"])
    (trouble,) = find_troubles(centre, 7, "g1")
    assert (trouble.what, trouble.journal_id, trouble.seq, trouble.why) == ("copy", "j1~2", 11, "192.0.2.2")


def test_both_go_on_in_turns_and_over_restarts(tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]) -> None:
    first, second = two_devices(tmp_path, app, gates)
    for turn in range(4):
        for gate, count, who in ((first, 30 + turn, "A"), (second, 45, "B")):
            happen(gate, count, who)
            if turn % 2:
                (gate.state / "sent.json").unlink()
                gate.start()
            gate.run(30)
    own_events(first, centre, "j1")
    own_events(second, centre, "j1~2")
    assert len(stored(centre)) == 10 + 30 + 31 + 32 + 33 + 4 * 45
    assert {name for name, _ in stored(centre)} == {"j1", "j1~2"}


def test_the_copy_with_the_code_is_the_gate_and_the_other_keeps_deciding(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]
) -> None:
    new_compound(centre)
    issue(centre)
    first, second = two_devices(tmp_path, app, gates)
    happen(first, 5, "A")
    happen(second, 5, "B")
    first.run(30)
    second.run(30)
    code = fleet.new_identity(centre, 7, "g1", "test")
    happen(first, 1, "A")
    happen(second, 1, "B")
    first.run(30)
    second.run(30)
    own_events(first, centre, "j1")
    own_events(second, centre, "j1~2")
    assert alarms(centre).twins, "a code that nobody has used yet ends nothing"
    again(second, code.enrolment_code)
    assert alarms(centre).twins == []
    second.run(60)
    assert second.core.told[-1].centre_ok and second.core.acked["j1"] == 16
    first.run(600)
    assert (first.core.told[-1].centre_ok, first.core.told[-1].why) == (False, "refused")
    assert len(states(first)) == 1 and (first.state / IDENTITY).exists(), "it decides by the list it has"


def test_the_copy_with_the_code_can_be_a_gate_of_its_own_and_nothing_ends(tmp_path: Path, gates: list[Gate]) -> None:
    now = [NOW_MS]
    app = create_app(Settings(state=tmp_path / "centre", watch=False, clock=lambda: now[0]))
    centre = centre_of(app)
    first, second = two_devices(tmp_path, app, gates)
    happen(first, 5, "A")
    happen(second, 5, "B")
    first.run(30)
    second.run(30)
    assert alarms(centre).twins
    again(second, fleet.new_identity(centre, 7, "g1", "test", "西门").enrolment_code)
    now[0] += 60_000
    for gate in (first, second):
        happen(gate, 3, "later")
        gate.run(60)
        assert gate.core.told[-1].centre_ok and gate.core.told[-1].unsent == 0
    assert alarms(centre).twins == []
    assert [(gate.name, gate.state) for gate in fleet.list_gates(centre, 7)] == [
        ("gate 1", "active"),
        ("西门", "active"),
    ]
    third = imaged(gates, tmp_path, app, first, "192.0.2.3")
    happen(first, 1, "A")
    happen(third, 1, "C")
    first.run(30)
    third.run(30)
    assert [one.gate for one in alarms(centre).twins] == ["g1"], "one more copy is another alarm"
    close_app(app)


def again(gate: Gate, code: str) -> None:
    """Enrol a device anew, as ``setup.sh gate --enrol`` does on one that was a gate before."""
    gate.stop()
    (gate.state / IDENTITY).unlink()
    gate.enrol(code)
