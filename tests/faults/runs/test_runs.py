"""The everyday part of the fault runs, and the audit that judges all of them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.faults import __main__ as runner
from tests.faults.runs import kills, lines, peers, soak, traffic
from tests.faults.runs.audit import audit, summary
from tests.faults.tally import Tally
from tests.fixtures.processes.crowd import Crowd, Record
from tests.fixtures.processes.device import Device, listed_device
from tests.fixtures.processes.forks import ForkServer


def assert_held(tally: Tally, tried: int) -> None:
    assert tally.tried >= tried
    assert tally.held == tally.tried, tally.notes


@pytest.fixture(scope="module")
def forks() -> Iterator[ForkServer]:
    made = ForkServer()
    yield made
    made.close()


def test_a_core_that_is_killed_loses_no_opening_doubles_none_and_opens_by_nothing(tmp_path: Path) -> None:
    """Of yellow and red answers a kill within a millisecond may lose one: the long run says how many."""
    assert_held(kills.core(tmp_path, seed=1, kills=6), 6)


def test_events_and_list_arrive_once_over_a_line_that_loses_a_quarter(tmp_path: Path) -> None:
    assert_held(lines.lossy(tmp_path, seed=1, loss=0.25, events=300, at_once=15), 300)


def test_events_and_list_arrive_once_over_a_line_that_flaps(tmp_path: Path) -> None:
    assert_held(lines.flapping(tmp_path, seed=1, flaps=20), 20)


def test_presentations_leave_no_memory_and_no_descriptors_behind(tmp_path: Path) -> None:
    assert_held(traffic.presentations(tmp_path, seed=1, shown=500), 500)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "tried"),
    [
        pytest.param(partial(peers.sync, kills=5), 5, id="sync"),
        pytest.param(partial(peers.reader, kills=3), 3, id="reader"),
        pytest.param(partial(peers.guard, kills=5), 5, id="guard"),
        pytest.param(partial(traffic.day, shown=600), 600, id="day"),
        # A core stopped between its look at the time and the relay opens late: that is for the long run to say.
        pytest.param(partial(soak.soak, minutes=0.3), 3, id="soak"),
    ],
)
def test_a_small_part_of_the_long_run_holds(tmp_path: Path, part: Callable[..., Tally], tried: int) -> None:
    assert_held(part(tmp_path, seed=1), tried)


# --- the audit itself -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, forks: ForkServer) -> Iterator[tuple[Device, Record]]:
    """A device that has stopped after some traffic, and what people saw at its lanes."""
    folder = tmp_path_factory.mktemp("lived")
    device = listed_device(folder / "device", kills.passes(400), 400, lanes=kills.LANES)
    record = Record()
    for people in (80, 0):  # the second start closes what the first left open
        pid = forks.start(device, "core")
        crowd = Crowd(device, kills.deck_of(device, 400), record, seed=2).start() if people else None
        peers.until(lambda: len(record.shown) >= 80 and bool(record.handed), 30)
        if crowd:
            crowd.stop()
        assert kills.wait_until_idle(device) == []
        assert forks.end(pid) == 0
    assert audit(device, record) == []
    yield device, record
    device.remove_sockets()


def _shown(record: Record, **changed: object) -> Record:
    """The record with an answered grant more, which is not in the journal as it is told here."""
    other = Record()
    granted = next(s for s in record.shown if s.answer and s.answer.outcome == "grant" and not s.answer.repeat)
    other.shown = [*record.shown, granted._replace(**changed)]
    other.pressed, other.handed = record.pressed, record.handed
    return other


def test_the_audit_finds_an_answer_that_is_not_written(lived: tuple[Device, Record]) -> None:
    device, record = lived
    assert any("lost" in text for text in audit(device, _shown(record, serial=399_999)))


def test_the_audit_finds_a_presentation_written_twice(lived: tuple[Device, Record]) -> None:
    device, record = lived
    fewer = _shown(record)
    fewer.shown = [shown for shown in record.shown if shown.serial != fewer.shown[-1].serial]
    assert any("doubled" in text for text in audit(device, fewer))


def test_the_audit_finds_a_listed_resident_who_was_refused(lived: tuple[Device, Record]) -> None:
    device, record = lived
    assert any("decided wrongly" in text for text in audit(device, _shown(record, expects="deny")))


def test_the_audit_finds_an_event_that_sync_had_and_that_is_another_now(lived: tuple[Device, Record]) -> None:
    device, record = lived
    assert record.handed
    other = Record()
    other.shown, other.pressed = record.shown, record.pressed
    other.handed = {key: f"{text} " for key, text in record.handed.items()}
    assert any("given to sync and gone" in text for text in audit(device, other))


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM event WHERE seq = 5", "breaks of the chain"),
        ('UPDATE event SET body = replace(body, \'"kind":"passage"\', \'"kind":"call"\')', "without an outcome"),
        ("UPDATE event SET note = NULL", "uses counted wrongly"),
        ('UPDATE event SET body = replace(body, \'"kind":"ruled"\', \'"kind":"call"\')', "refers without an answer"),
    ],
)
def test_the_audit_finds_what_is_missing_in_a_journal(
    lived: tuple[Device, Record], tmp_path: Path, statement: str, says: str
) -> None:
    device, record = lived
    copy = _copy(device, tmp_path)
    (path,) = copy.core_state.glob("journal-*.db")
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(statement)
    assert any(says in text for text in audit(copy, record))


@pytest.mark.parametrize(("after_s", "value", "says"), [(3.0, True, "nobody asked for"), (0.0, True, "left on")])
def test_the_audit_finds_a_relay_that_opens_late_or_stays_on(
    lived: tuple[Device, Record], tmp_path: Path, after_s: float, value: bool, says: str
) -> None:
    device, record = lived
    copy = _copy(device, tmp_path)
    at = max([shown.at for shown in record.shown] + [pressed.at for pressed in record.pressed]) + after_s
    move = {"t": at, "lane": "entry", "what": "relay", "value": value}
    with (copy.parts / "outputs.jsonl").open("a") as outputs:
        outputs.write(json.dumps(move) + "\n")
    assert any(says in text for text in audit(copy, record))


def _copy(device: Device, folder: Path) -> Device:
    copy = Device(folder / "copy", device.lanes)
    copy.remove_sockets()
    shutil.copytree(device.folder, copy.folder, dirs_exist_ok=True)
    return copy


# --- the runner -------------------------------------------------------------------------------------------------------


def test_the_runner_finds_every_part() -> None:
    names = runner.parts()
    assert {"kills-core", "kills-sync", "kills-reader", "kills-guard", "line-flaps", "soak"} <= names.keys()


def test_the_table_tells_what_did_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    parts = {"good": lambda seed: Tally("good", seed, seed), "bad": lambda: Tally("bad", 5, 4, ("seed 3: one lost",))}
    assert runner.run(parts, ["good"], 3, None) == 0
    assert runner.run(parts, ["good", "bad"], 3, None) == 1
    said = capsys.readouterr().out
    assert "bad: 4 of 5 held" in said
    assert "seed 3: one lost" in said


def test_a_part_that_leaves_its_number_to_the_caller_is_carried_out_in_portions_with_seeds_of_their_own() -> None:
    asked = []

    def part(seed: int, flips: int) -> Tally:
        asked.append((seed, flips))
        return Tally("flips", flips, flips - (seed % 20 == 3), ("one fell",) if seed % 20 == 3 else ())

    assert runner.carry_out(part, 2, None) == Tally("flips", 1_000, 999, ("seed 43: one fell",))
    assert asked == [(seed, 50) for seed in range(40, 60)]
    assert runner.carry_out(part, 2, 0.0).tried == 50


def test_a_summary_counts_each_kind_of_finding() -> None:
    assert summary(4, ["relays left on: entry", "events lost: 7", "events lost: 9"]) == [
        "seed 4: 1 relays left on, first entry",
        "seed 4: 2 events lost, first 7",
    ]
