"""Events coming up: each kept once, acknowledged without a gap, whatever the gate sends again, in whatever pieces."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from sync.protocol import CHAIN_START, MAX_BATCH, MAX_EVENT_CHARACTERS, Event, EventUpload
from sync.server.app import close_app
from sync.server.centre.load import Admission, Tries
from sync.server.gates import fleet
from sync.server.gates.events import EventFilter, find_events, read_event
from tests.fixtures.centre import Gate, World, code_of
from tests.fixtures.events import Journal, count, event, send


@pytest.fixture
def gate(world: World) -> Gate:
    return world.gate().enrol()


def kept(world: World) -> list[tuple[int, str]]:
    with world.centre.store.read() as conn:
        return [(r.seq, r.event) for r in conn.execute(text("SELECT seq, event FROM event ORDER BY journal_id, seq"))]


@pytest.mark.parametrize("seed", range(8))
def test_any_splits_overlaps_and_repeats_keep_every_event_once(world: World, gate: Gate, seed: int) -> None:
    chance = random.Random(seed)
    journal = Journal([event(n) for n in range(1, 121)])
    acked = 0
    while acked < 120:
        first = max(1, acked + 1 - chance.randrange(30))
        upload = journal.batch(first, chance.randrange(40))
        acked = send(gate, upload)
        for _ in range(chance.randrange(3)):
            assert send(gate, upload) == acked
    assert kept(world) == list(enumerate(journal.events, 1))
    assert count(world, "SELECT sum(breaks) FROM journal") == 0


def test_a_batch_beyond_what_is_here_is_not_kept(world: World, gate: Gate) -> None:
    journal = Journal([event(n) for n in range(1, 11)])
    assert send(gate, journal.batch(5, 3)) == 0
    assert send(gate, journal.batch(1, 3)) == 3
    assert send(gate, journal.batch(5, 3)) == 3
    assert [seq for seq, _ in kept(world)] == [1, 2, 3]


def test_a_hole_is_recorded_and_acknowledged_over(world: World, gate: Gate) -> None:
    journal = Journal([event(n) for n in range(1, 11)])
    assert send(gate, journal.batch(1, 2)) == 2
    upload = msgspec.structs.replace(journal.batch(6, 3), hole=True)
    assert [send(gate, msgspec.structs.replace(upload, events=[])), send(gate, upload), send(gate, upload)] == [2, 8, 8]
    assert send(gate, journal.batch(9, 2)) == 10
    assert [seq for seq, _ in kept(world)] == [1, 2, 6, 7, 8, 9, 10]
    assert count(world, "SELECT count(*) FROM audit WHERE what = 'events-lost' AND about = 'j1/3 … 5'") == 1
    assert count(world, "SELECT breaks FROM journal") == 0


def test_a_hole_that_is_none_changes_nothing(world: World, gate: Gate) -> None:
    journal = Journal([event(n) for n in range(1, 6)])
    assert send(gate, msgspec.structs.replace(journal.batch(1, 5), hole=True)) == 5
    assert count(world, "SELECT count(*) FROM audit WHERE what = 'events-lost'") == 0


def test_an_empty_batch_asks_how_far_the_centre_is(gate: Gate) -> None:
    journal = Journal([event(n) for n in range(1, 4)])
    assert send(gate, journal.batch(1, 0)) == 0
    assert send(gate, journal.batch(1, 3)) == 3
    assert send(gate, journal.batch(1, 0)) == 3


def test_journals_and_devices_are_counted_apart(world: World, gate: Gate) -> None:
    other = world.gate(name="西门").enrol()
    for who, journal_id in ((gate, "a"), (gate, "b"), (other, "a")):
        assert send(who, Journal([event(1)], journal_id).batch(1, 1)) == 1
    assert count(world, "SELECT count(*) FROM event") == 3


BAD = [
    "", "{", "null", "[]", "7", '{"kind":"decided","at_ms":1}', event(1, at_ms=-1), event(1, at_ms=2**80),
    event(1, serial=2**32), event(1, scope=-1), event(1, kind="a\nb"), event(1, lane="x\0"), event(1, also="no"),
    event(1, lane="x" * 201), "x" * (MAX_EVENT_CHARACTERS + 1), "[" * 5000, '{"id":"\\ud800","kind":"x","at_ms":1}\0',
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_event_is_set_aside_and_the_rest_goes_on(world: World, gate: Gate, bad: str) -> None:
    journal = Journal([event(1), bad, event(3)])
    assert send(gate, journal.batch(1, 3)) == 3
    assert [seq for seq, _ in kept(world)] == [1, 3]
    assert count(world, "SELECT seq FROM quarantine") == 2
    assert count(world, "SELECT sum(breaks) FROM journal") == 0
    assert send(gate, journal.batch(1, 3)) == 3


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_reading_an_event_never_raises(words: str) -> None:
    assert isinstance(read_event(words), Event | str)


def test_unknown_fields_and_odd_texts_are_kept_as_they_are(world: World, gate: Gate) -> None:
    odd = ' { "kind":"new-kind", "at_ms": 5, "id":"x", "future": {"a": [1, 2.50, "é✓"]}, "lane":"北门"} '
    assert send(gate, Journal([odd]).batch(1, 1)) == 1
    assert kept(world) == [(1, odd)]
    (shown,), more = find_events(world.centre, 7, EventFilter(gate="g1"))
    assert (shown.kind, shown.lane, shown.at_ms, more) == ("new-kind", "北门", 5, False)


@pytest.mark.parametrize("overlap", [1, 2, 5])
def test_a_chain_that_does_not_continue_is_kept_and_reported(world: World, gate: Gate, overlap: int) -> None:
    """The events are the same, so it is the same device: its journal was damaged."""
    journal = Journal([event(n) for n in range(1, 11)])
    assert send(gate, journal.batch(1, 5)) == 5
    damaged = msgspec.structs.replace(journal.batch(6 - overlap, 5 + overlap), before=b"not the chain 16")
    assert send(gate, damaged) == 10
    assert kept(world) == list(enumerate(journal.events, 1))
    assert count(world, "SELECT breaks FROM journal") == 1
    assert count(world, "SELECT count(*) FROM audit WHERE what = 'chain-broken' AND about = 'j1/6'") == 1


def test_a_chain_that_does_not_continue_is_asked_for_the_last_event_again(world: World, gate: Gate) -> None:
    journal = Journal([event(n) for n in range(1, 11)])
    assert send(gate, journal.batch(1, 5)) == 5
    damaged = msgspec.structs.replace(journal.batch(6, 5), before=b"not the chain 16")
    assert send(gate, damaged) == 3, "two events more, to compare"
    assert len(kept(world)) == 5 and count(world, "SELECT breaks FROM journal") == 0


def test_a_batch_that_is_too_long_is_taken_in_part(gate: Gate) -> None:
    journal = Journal([event(n) for n in range(1, MAX_BATCH + 51)])
    assert send(gate, journal.batch(1, MAX_BATCH + 50)) == MAX_BATCH
    assert send(gate, journal.batch(MAX_BATCH + 1, 50)) == MAX_BATCH + 50


@pytest.mark.parametrize(
    "changed", [{"journal_id": ""}, {"journal_id": "../x"}, {"first_seq": 0}, {"first_seq": 2**63}]
)
def test_a_batch_without_a_place_is_400(gate: Gate, changed: dict[str, Any]) -> None:
    fields = {"v": 1, "journal_id": "j", "first_seq": 1, "before": CHAIN_START, "events": []} | changed
    answer = gate.post("/events", EventUpload(**fields))
    assert (answer.status_code, code_of(answer)) == (400, "not_understood")


def test_a_body_that_is_too_large_is_refused_in_the_protocols_words(gate: Gate) -> None:
    answer = gate.world.client.post("/api/v1/events", data=b" " * (9 << 20), headers=gate.headers)
    assert (answer.status_code, code_of(answer)) == (413, "too_large")


def test_after_a_restored_backup_the_gate_sends_again(world: World, gate: Gate) -> None:
    journal = Journal([event(n) for n in range(1, 11)])
    send(gate, journal.batch(1, 10))
    with world.centre.store.write() as conn:
        conn.execute(text("DELETE FROM event WHERE seq > 4"))
        conn.execute(text("UPDATE journal SET acked = 4, chain = :chain"), {"chain": journal.chain[4]})
    assert send(gate, journal.batch(11, 0)) == 4
    assert send(gate, journal.batch(5, 6)) == 10
    assert len(kept(world)) == 10 and count(world, "SELECT breaks FROM journal") == 0


def test_a_withdrawn_device_may_still_hand_in_what_it_saw(world: World, gate: Gate) -> None:
    fleet.withdraw(world.centre, 7, "g1", "test")
    assert send(gate, Journal([event(1)]).batch(1, 1)) == 1


def test_events_of_a_gate_are_shown_newest_first_and_paged(world: World, gate: Gate) -> None:
    send(gate, Journal([event(n) for n in range(1, 8)]).batch(1, 7))
    pages = [find_events(world.centre, 7, EventFilter(gate="g1"), page, 3) for page in (1, 2, 3)]
    assert [[e.seq for e in found] for found, _ in pages] == [[7, 6, 5], [4, 3, 2], [1]]
    assert [more for _, more in pages] == [True, True, False]
    assert find_events(world.centre, 8, EventFilter()) == ([], False)


# Shedding load


def test_who_comes_too_many_gets_appointments_one_after_another() -> None:
    now = [100.0]
    admission = Admission(2, lambda: now[0])
    for _ in range(500):  # a request takes half a second: four are done in a second
        admission.enter()
        admission.leave(0.5)
    assert [admission.enter(), admission.enter()] == [None, None]
    waits = [admission.enter() for _ in range(40)]
    assert waits[0] == 1 and waits == sorted(w for w in waits if w is not None) and waits[-1] == 10
    admission.leave(0.5)
    assert admission.enter() is None
    now[0] += 3600
    assert admission.enter() == 1


def test_a_full_centre_says_503_and_when_to_come_again(tmp_path: Path) -> None:
    gate = World(tmp_path / "centre").gate().enrol()
    world = gate.world = World(tmp_path / "centre", at_once=0)
    try:
        answer = gate.ask()
        assert (answer.status_code, code_of(answer)) == (503, "busy")
        assert int(answer.headers["Retry-After"]) >= 1
    finally:
        close_app(world.app)


def test_tries_are_forgotten_after_their_window() -> None:
    now = [0.0]
    tries = Tries(2, 60, lambda: now[0])
    tries.wrong("a")
    assert tries.wait_s("a") == 0
    tries.wrong("a")
    assert (tries.wait_s("a"), tries.wait_s("b")) == (60, 0)
    now[0] = 60
    assert tries.wait_s("a") == 0
    tries.wrong("a")
    assert tries.wait_s("a") == 0
