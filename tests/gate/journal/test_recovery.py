"""A damaged journal: what is whole in it reaches the centre once, marked, whatever restarts in between."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.core.journal import Journal
from kiosk.core.journal.salvage import whole_rows
from sync.agent.outbox import Outbox
from sync.protocol import CHAIN_START, Event, EventReceipt, EventUpload, chain
from tests.fixtures.gate_parts import DAY_MS, NOON_MS

PAGE = 1024
SENT, ALL = 50, 120


def happened(number: int) -> Event:
    why = "很长" * 300 if number % 40 == 7 else ""  # spreads over pages of its own
    return Event(id=f"{number:016x}", kind="call", at_ms=NOON_MS + number, lane="entry", why=why)


class Centre:
    """A centre's side of the upload: each journal in order, each event once, every chain whole."""

    def __init__(self) -> None:
        self.journals: dict[str, list[str]] = {}
        self.links: dict[str, bytes] = {}

    def take(self, upload: EventUpload) -> EventReceipt:
        kept = self.journals.setdefault(upload.journal_id, [])
        link = upload.before
        for seq, body in enumerate(upload.events, upload.first_seq):
            assert link == self.links.get(f"{upload.journal_id}/{seq - 1}", CHAIN_START)
            self.links[f"{upload.journal_id}/{seq}"] = link = chain(link, body)
            assert seq <= len(kept) + 1 and kept[seq - 1 : seq] in ([], [body])
            kept[seq - 1 : seq] = [body]
        return EventReceipt(1, len(kept))

    def events(self) -> list[Event]:
        return [msgspec.json.decode(body, type=Event) for bodies in self.journals.values() for body in bodies]


class Gate:
    """Journal and outbox of one gate, which can be restarted."""

    def __init__(self, folder: Path, centre: Centre):
        self.folder, self.centre, self.now_ms = folder, centre, NOON_MS
        self.start()

    def start(self) -> None:
        self.journal = Journal(self.folder, lambda: self.now_ms)
        self.outbox = Outbox(self.folder, self.journal.hand_out, lambda told: None, self.centre.take)

    def restart(self, forgets: bool = False) -> None:
        self.journal.close()
        if forgets:
            (self.folder / "sent.json").unlink(missing_ok=True)
        self.start()

    def events(self, numbers: range) -> None:
        promises = [self.journal.append(happened(n)) for n in numbers]
        assert all(promise.wait(10) for promise in promises)

    def send(self, steps: int = 10_000) -> None:
        """So many steps, or until it rests."""
        rests = 0
        for _ in range(steps):
            try:
                rests = 0 if self.outbox.step() else rests + 1
            except sqlite3.Error:
                rests = 0
            if rests > 3:
                return
            self.journal.recovery.wait(10)

    def damaged(self) -> list[Path]:
        return [p for p in self.folder.glob("journal-*.damaged-*") if not p.name.endswith(("-wal", "-shm"))]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    made = Gate(tmp_path / "core", Centre())
    yield made
    made.journal.close()


def crash(gate: Gate, harm: Callable[[Path], None]) -> None:
    """The files as a kill leaves them, log and all, and harmed."""
    (path,) = gate.folder.glob("journal-*.db")
    kept = gate.folder.parent / "kept"
    shutil.copytree(gate.folder, kept)
    gate.journal.close()
    shutil.rmtree(gate.folder)
    kept.rename(gate.folder)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    harm(path)
    gate.start()


def lost_header(path: Path) -> None:
    path.write_bytes(bytes(PAGE) + path.read_bytes()[PAGE:])
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        log.write_bytes(bytes(32) + log.read_bytes()[32:])


def zeroed_page(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[PAGE : 2 * PAGE] = bytes(PAGE)  # the root of the table: nothing leads to its leaves
    path.write_bytes(raw)


def table_gone(path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"CREATE TABLE event", b"CREATE TABLE exent"))


def nonsense(path: Path) -> None:
    path.write_bytes(b"no database" + path.read_bytes()[11:])


@pytest.mark.parametrize("harm", [lost_header, zeroed_page, table_gone, nonsense])
@pytest.mark.parametrize("orderly", [True, False])
def test_every_event_of_a_file_that_lost_only_its_way_in_reaches_the_centre_once(
    gate: Gate, harm: Callable[[Path], None], orderly: bool
) -> None:
    gate.events(range(1, SENT + 1))
    gate.send()
    if orderly:
        gate.restart()
    gate.events(range(SENT + 1, ALL + 1))
    if orderly:
        gate.restart()
    crash(gate, harm)
    gate.send(3)
    gate.restart(forgets=True)
    gate.send()
    gate.events(range(ALL + 1, ALL + 4))
    gate.send()
    calls = [event for event in gate.centre.events() if event.kind == "call"]
    assert sorted(event.id for event in calls) == [happened(n).id for n in range(1, ALL + 4)]
    marked = [event for event in calls if event.recovered]
    assert len(marked) == (ALL - SENT if gate.damaged() else 0)
    assert all(event.recovered.endswith(f"/{int(event.id, 16)}") for event in marked)


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits_cost_only_what_they_hit(gate: Gate, seed: int) -> None:
    rng = random.Random(seed)
    gate.events(range(1, SENT + 1))
    gate.send()
    gate.events(range(SENT + 1, ALL + 1))
    gate.restart()
    gate.restart()

    def flip(path: Path) -> None:
        raw = bytearray(path.read_bytes())
        raw[:16] = bytes(16)
        for _ in range(4):
            raw[rng.randrange(2 * PAGE, len(raw))] ^= 1 << rng.randrange(8)
        path.write_bytes(raw)

    crash(gate, flip)
    for _ in range(3):
        gate.send(rng.randrange(6))
        gate.restart(rng.random() < 0.5)
    gate.send()
    ids = [event.id for event in gate.centre.events() if event.kind == "call"]
    assert len(set(ids)) == len(ids) > ALL - 20
    assert set(ids) <= {happened(n).id for n in range(1, ALL + 1)}


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_in_the_log_costs_none_of_the_events_after_it(gate: Gate, seed: int) -> None:
    rng = random.Random(seed)
    gate.events(range(1, SENT + 1))
    gate.send()
    for number in range(SENT + 1, ALL + 1):  # as they happen, so that later pages say again what earlier ones said
        gate.events(range(number, number + 1))

    def flip(path: Path) -> None:
        log = path.with_name(f"{path.name}-wal")
        raw = bytearray(log.read_bytes())
        first = raw.index(happened(SENT + 1).id.encode())
        raw[rng.randrange(32) if seed % 2 else rng.randrange(first, len(raw) - 8 * PAGE)] ^= 1 << rng.randrange(8)
        log.write_bytes(raw)

    crash(gate, flip)
    gate.send()
    ids = [event.id for event in gate.centre.events() if event.kind == "call"]
    assert ids == [happened(n).id for n in range(1, ALL + 1)]


def test_a_changed_row_is_left_out_and_one_without_its_predecessor_is_marked(gate: Gate) -> None:
    gate.events(range(1, 11))
    gate.restart()

    def harm(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as conn, conn:
            conn.execute("UPDATE event SET body = replace(body, 'entry', 'exit!') WHERE seq = 4")
            conn.execute("DELETE FROM event WHERE seq = 7")

    crash(gate, harm)
    gate.send()
    calls = {int(event.id, 16): event.recovered for event in gate.centre.events() if event.kind == "call"}
    assert sorted(calls) == [1, 2, 3, 5, 6, 8, 9, 10]
    assert [number for number, mark in calls.items() if mark.endswith("?")] == [8]


def test_what_memory_wrote_again_is_not_recovered_as_well(gate: Gate) -> None:
    gate.events(range(1, 5))
    assert gate.journal.append(happened(5), urgent=False).wait(10)
    (path,) = gate.folder.glob("journal-*.db")
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("ALTER TABLE event RENAME TO gone")
    gate.events(range(6, 8))
    gate.send()
    ids = [event.id for event in gate.centre.events() if event.kind == "call"]
    assert sorted(ids) == [happened(n).id for n in range(1, 8)]


def test_a_damaged_file_stays_as_it_was(gate: Gate) -> None:
    gate.events(range(1, 30))
    gate.restart()
    crash(gate, nonsense)
    (damaged,) = gate.damaged()
    before = damaged.read_bytes()
    gate.send()
    assert damaged.read_bytes() == before
    assert [path.suffix[:5] for path in sorted(gate.folder.glob("journal-*.sent-*"))] == [".sent"]


def test_a_log_that_was_not_set_aside_with_its_file_is_found(gate: Gate) -> None:
    gate.events(range(1, 30))
    (path,) = gate.folder.glob("journal-*.db")
    aside = path.with_name(f"{path.stem}.damaged-abc")
    shutil.copy(path, aside)
    assert [row.seq for row in whole_rows(aside)] == list(range(1, 30))


def test_a_sound_journal_reads_from_its_bytes_as_from_sqlite(gate: Gate) -> None:
    gate.events(range(1, 300))
    (path,) = gate.folder.glob("journal-*.db")
    rows = whole_rows(path)
    assert [json.loads(row.body)["id"] for row in rows] == [happened(n).id for n in range(1, 300)]
    assert all(row.proven for row in rows)


def aged(gate: Gate, days: int) -> list[str]:
    """What is left of a damaged journal when the centre acknowledges an event of so many days later."""
    gate.now_ms = NOON_MS + days * DAY_MS
    gate.journal.prune(1)
    for number in (ALL + 2 * days, ALL + 2 * days + 1):  # the second is written after the first has pruned
        gate.events(range(number, number + 1))
    return sorted(path.name.split(".")[1].split("-")[0] for path in gate.folder.glob("journal-*.[ds][ae]*"))


def test_a_damaged_journal_goes_with_what_was_recovered_of_it_thirty_days_after_its_last_event(gate: Gate) -> None:
    gate.events(range(1, ALL + 1))
    crash(gate, lost_header)
    gate.send()
    assert {"damaged", "sent"} == set(aged(gate, 29))
    assert aged(gate, 31) == []


def test_a_damaged_journal_that_the_centre_does_not_have_stays_however_old_it_is(gate: Gate) -> None:
    gate.events(range(1, ALL + 1))
    crash(gate, lost_header)
    assert "damaged" in aged(gate, 90)
    gate.send()
    assert len(gate.centre.events()) >= ALL
