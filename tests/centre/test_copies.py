"""Two devices with one identity, as after a card was imaged: both journals are kept, and each copy is answered for its
own events."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from sync.protocol import CHAIN_START, chain
from sync.server.gates.branches import Batch, Branch, BranchesOff, GoesBack, GoesOn, go_on, place
from tests.fixtures.centre import Gate, World
from tests.fixtures.events import Journal, count, event, send


@pytest.fixture
def gate(world: World) -> Gate:
    return world.gate().enrol()


class Copy:
    """A device that sends as a gate does: on from what it was told, and again where an answer was lost."""

    def __init__(self, gate: Gate, events: list[str], name: str, chance: random.Random):
        self.gate = gate
        self.journal = Journal(list(events))
        self.name = name
        self.chance = chance
        self.acked = 0
        self.kept_from = 1

    def happen(self, number: int) -> None:
        known = self.journal
        events = known.events + [event(len(known.events) + n + 1, by=self.name) for n in range(number)]
        self.journal = Journal(events)

    def begin(self) -> int:
        """What a gate sends first after a start: its last answer may be lost, or older than its journal."""
        self.acked = self.chance.choice([0, self.acked, self.acked, max(0, self.acked - self.chance.randrange(30))])
        self.acked = min(self.acked, len(self.journal.events))
        return self.step(0) if self.acked == len(self.journal.events) else self.acked

    def step(self, most: int) -> int:
        """One batch; what was acknowledged, clipped to what there is, as a gate does."""
        first = max(self.acked + 1, self.kept_from)
        upload = msgspec.structs.replace(self.journal.batch(first, most), hole=first > self.acked + 1)
        acked = send(self.gate, upload)
        self.acked = min(acked, len(self.journal.events))
        return acked

    @property
    def done(self) -> bool:
        return self.acked == len(self.journal.events)

    def drain(self) -> None:
        for _ in range(400):
            if self.done:
                return
            self.step(7)
        raise AssertionError(f"{self.name} does not come to an end")


def stored(world: World) -> list[str]:
    with world.centre.store.read() as conn:
        return list(conn.execute(text("SELECT event FROM event")).scalars())


def heads(world: World) -> list[tuple[str, int, int]]:
    with world.centre.store.read() as conn:
        rows = conn.execute(text("SELECT journal_id, begins, acked FROM journal ORDER BY journal_id")).all()
    return [tuple(row) for row in rows]


def two_copies(gate: Gate, common: int) -> tuple[Copy, Copy]:
    chance = random.Random(0)
    first = Copy(gate, [], "common", chance)
    first.happen(common)
    first.drain()
    copies = Copy(gate, first.journal.events, "A", chance), Copy(gate, first.journal.events, "B", chance)
    for copy in copies:
        copy.acked = common
    return copies


def test_both_copies_journals_are_kept_and_each_hears_of_its_own(world: World, gate: Gate) -> None:
    a, b = two_copies(gate, 10)
    a.happen(30)
    b.happen(20)
    a.drain()
    b.drain()
    assert heads(world) == [("j1", 1, 40), ("j1~2", 11, 30)]
    assert sorted(stored(world)) == sorted(a.journal.events + b.journal.events[10:])
    for copy, more in ((b, 40), (a, 5), (b, 1), (a, 60)):
        copy.happen(more)
        copy.drain()
    assert heads(world) == [("j1", 1, 105), ("j1~2", 11, 71)]
    assert sorted(stored(world)) == sorted(a.journal.events + b.journal.events[10:])
    assert count(world, "SELECT count(*) FROM audit WHERE what = 'journal-branched' AND about = 'j1~2/11'") == 1
    assert count(world, "SELECT count(*) FROM audit WHERE what = 'chain-broken'") == 0


def test_the_same_bytes_again_are_no_other_device(world: World, gate: Gate) -> None:
    journal = Journal([event(n) for n in range(1, 41)])
    assert send(gate, journal.batch(1, 40)) == 40
    for first, number in ((1, 40), (5, 10), (40, 1), (1, 1)):
        assert send(gate, journal.batch(first, number)) == first + number - 1
    assert heads(world) == [("j1", 1, 40)] and len(stored(world)) == 40
    assert count(world, "SELECT count(*) FROM audit WHERE what IN ('journal-branched', 'chain-broken')") == 0


def test_a_repeat_is_never_answered_with_what_another_copy_sent(gate: Gate) -> None:
    """A copy that would hear 40 would take its own events 11 … 30 for sent."""
    a, b = two_copies(gate, 10)
    a.happen(30)
    a.drain()
    b.happen(20)
    assert send(gate, b.journal.batch(5, 6)) == 10
    assert send(gate, b.journal.batch(31, 0)) < 30


def test_a_copy_that_fell_back_to_an_older_image_is_a_branch_too(world: World, gate: Gate) -> None:
    a, old = two_copies(gate, 12)
    a.happen(20)
    a.drain()
    assert old.step(0) <= 12 and old.acked <= 12
    old.drain()
    old.happen(3)
    old.drain()
    assert heads(world) == [("j1", 1, 32), ("j1~2", 13, 15)]


def test_a_copy_that_keeps_nothing_older_begins_a_branch_where_it_can(world: World, gate: Gate) -> None:
    a, b = two_copies(gate, 10)
    a.happen(50)
    a.drain()
    b.happen(30)
    b.kept_from = 25
    b.drain()
    assert heads(world) == [("j1", 1, 60), ("j1~2", 25, 40)]
    assert set(b.journal.events[24:]) <= set(stored(world))


def test_unreadable_events_of_both_copies_are_set_aside(world: World, gate: Gate) -> None:
    a, b = two_copies(gate, 4)
    a.journal = Journal([*a.journal.events, "nonsense of A\0", event(6)])
    b.journal = Journal([*b.journal.events, "nonsense of B", event(6)])
    a.drain()
    b.drain()
    a.acked = 0
    a.drain()
    assert heads(world) == [("j1", 1, 6), ("j1~2", 5, 6)]
    assert count(world, "SELECT count(*) FROM quarantine") == 2


@pytest.mark.parametrize("seed", range(6))
def test_no_copy_loses_or_doubles_an_event_however_they_take_turns(world: World, gate: Gate, seed: int) -> None:
    """Three copies, the third of a copy; lost answers, restarts, batches of any size."""
    chance = random.Random(seed)
    first = Copy(gate, [], "common", chance)
    first.happen(chance.randrange(25))
    if chance.random() < 0.7:
        first.drain()
    copies = [Copy(gate, first.journal.events, name, chance) for name in "AB"]
    for turn in range(120):
        if turn == 40:
            image = chance.choice(copies)
            copies.append(Copy(gate, image.journal.events, "C", chance))
            copies[-1].acked = image.acked
        copy = chance.choice(copies)
        act = chance.random()
        if act < 0.3:
            copy.happen(chance.randrange(1, 12))
        elif act < 0.4:
            copy.begin()
        elif not copy.done:
            before = copy.acked
            copy.step(chance.randrange(2, 15))
            if chance.random() < 0.2:
                copy.acked = before  # the answer was lost
        there = set(stored(world))
        assert set(copy.journal.events[: copy.acked]) <= there, "acknowledged, and not here"
    for copy in copies:
        copy.happen(1)
        copy.drain()
    assert sorted(stored(world)) == sorted({text for copy in copies for text in copy.journal.events})
    assert len(heads(world)) == 3 and count(world, "SELECT sum(breaks) FROM journal") == 0


# Where a batch belongs, without a database


def batch(texts: list[str], first: int, hole: bool = False, before: bytes = CHAIN_START) -> Batch:
    chains = [before]
    for entry in texts:
        chains.append(chain(chains[-1], entry))
    return Batch(first=first, texts=texts, chains=chains, hole=hole)


kept_events = st.dictionaries(st.integers(0, 15), st.dictionaries(st.sampled_from("jk"), st.sampled_from("xyz")))


@given(st.lists(st.sampled_from("xyz"), max_size=6), st.integers(1, 9), st.tuples(st.integers(0, 9), st.integers(0, 9)),
       st.booleans(), kept_events)  # fmt: skip
def test_a_gate_that_is_sent_back_is_sent_back_further_than_it_was(
    texts: list[str], first: int, ends: tuple[int, int], hole: bool, kept: dict[int, dict[str, str]]
) -> None:
    """So it comes to an end, whatever it sends and whatever is here."""
    known = [
        Branch(name="j", acked=ends[0], chain=b"j" * 16),
        Branch(name="k", begins=3, acked=ends[1], chain=b"k" * 16),
    ]
    sent = batch(texts, first, hole)
    match go_on(known, sent) or place(known, sent, kept):
        case GoesBack(acked):
            repeated = acked == sent.last and bool(texts)
            assert 0 <= acked < first or repeated or first == 1
        case BranchesOff(begins):
            assert first <= begins <= sent.last
        case GoesOn(branch, _, over_hole):
            assert over_hole or branch.acked + 1 >= first
            assert branch.acked < sent.last
