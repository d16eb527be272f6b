"""The journal: gapless, chained, never overwritten; over threads, kills, full disks and flipped bits."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.core.journal import (
    KEPT_DAYS_MS,
    KEPT_IN_MEMORY,
    PRUNE_EVERY_MS,
    Journal,
    UseRow,
    Uses,
    open_existing,
    read_uses,
)
from sync.protocol import CHAIN_START, Event, EventBatch, EventsAfter, chain
from tests.fixtures.gate_parts import DAY_MS, NOON_MS

ROOT = Path(__file__).parents[2]


class Now:
    def __init__(self) -> None:
        self.ms = NOON_MS

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def now() -> Now:
    return Now()


@contextlib.contextmanager
def opened(folder: Path, now: Callable[[], int] = lambda: NOON_MS) -> Iterator[Journal]:
    journal = Journal(folder, now)
    try:
        yield journal
    finally:
        journal.close()


def event(number: int, kind: str = "call", at_ms: int = NOON_MS) -> Event:
    return Event(id=f"{number:016x}", kind=kind, at_ms=at_ms, lane="entry")


def fill(journal: Journal, count: int, first: int = 1, at_ms: int = NOON_MS) -> None:
    promises = [journal.append(event(number, at_ms=at_ms)) for number in range(first, first + count)]
    assert all(promise.wait(10) for promise in promises)


def whole(journal: Journal) -> list[Event]:
    """Every event, proved: read in batches of 7, without gaps, each chained to the one before."""
    journal_id, after, link, events = "", 0, CHAIN_START, []
    while True:
        batch = journal.read(EventsAfter(journal_id, after, 7))
        assert batch.before == link or after == 0
        link = batch.before
        for number, body in enumerate(batch.events, batch.first_seq):
            link = chain(link, body)
            events.append(msgspec.json.decode(body, type=Event))
            after = number
        journal_id = batch.journal_id
        if after >= batch.newest:
            return events


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- numbers and chain ------------------------------------------------------------------------------------------------


def test_events_are_numbered_without_gaps_and_chained(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 20)
        assert [e.id for e in whole(journal)] == [f"{n:016x}" for n in range(1, 21)]


def test_many_threads_at_once_leave_one_chain_without_gaps(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        threads = [threading.Thread(target=fill, args=(journal, 40, 1000 * n)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        events = whole(journal)
        assert len(events) == 320
        for n in range(8):  # each thread's own events in its own order
            own = [int(e.id, 16) for e in events if int(e.id, 16) // 1000 == n]
            assert own == sorted(own)


def test_a_journal_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 3)
        first = journal.health()
    with opened(tmp_path) as journal:
        assert [e.id for e in journal.past.earlier] == [f"{n:016x}" for n in (1, 2, 3)]
        fill(journal, 2, first=4)
        assert (journal.health().journal_id, journal.health().newest) == (first.journal_id, 5)
        assert len(whole(journal)) == 5


def test_a_use_and_a_step_come_back_with_their_event(tmp_path: Path) -> None:
    use = UseRow(person=7 << 32 | 5, at_ms=NOON_MS, direction="in", household=12)
    with opened(tmp_path) as journal:
        journal.append(event(1), use=use, step=(use.person, 99)).wait(5)
    assert read_uses(tmp_path).last_ms(use.person) == NOON_MS
    with opened(tmp_path) as journal:
        assert (journal.past.counted, journal.past.steps) == ([use], {use.person: 99})


# --- kills ------------------------------------------------------------------------------------------------------------

CHILD = """
import os, sys
from pathlib import Path
from typing import Any
from kiosk.core.journal import Journal
from sync.protocol import Event
run = sys.argv[2]
journal = Journal(Path(sys.argv[1]), lambda: 1)
for number in range(1, 1_000_000):
    saved = [journal.append(Event(id=f"{run}-{number}-{k}", kind="call", at_ms=1)) for k in range(number % 3 + 1)]
    if all(promise.wait(10) for promise in saved):
        os.write(1, f"{run}-{number}-{len(saved) - 1}\\n".encode())
"""


def test_acknowledged_events_outlive_every_kill_and_the_chain_holds(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for run in range(5):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), str(run)], stdout=subprocess.PIPE,
                                 cwd=ROOT)  # fmt: skip
        assert child.stdout
        with child.stdout:
            for _ in range(15 + 7 * run):
                acknowledged.append(child.stdout.readline().decode().strip())
            child.kill()
            child.wait()
            rest = child.stdout.read().decode().split("\n")
        acknowledged += rest[:-1]  # a line cut short was not acknowledged
    with opened(tmp_path) as journal:
        ids = [e.id for e in whole(journal)]
    assert len(acknowledged) > 100 and set(acknowledged) <= set(ids)
    assert len(set(ids)) == len(ids), "an event was written twice"
    assert len(list(tmp_path.glob("journal-*.db"))) == 1


# --- a full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether something came true in time."""
    waiting = threading.Event()
    return any(true() or waiting.wait(0.02) for _ in range(int(seconds / 0.02)))


def test_a_full_disk_costs_nothing_but_what_is_beyond_a_thousand_and_that_is_counted(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with opened(small_disk) as journal:
        fill(journal, 5)
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(b"x" * 1024):
                pass
        number = 5
        while not journal.health().why:  # there may be some room left in the files
            number += 1
            journal.append(event(number)).wait(0.05)
        missing = KEPT_IN_MEMORY - journal.health().in_memory
        for late in range(number + 1, number + missing + 31):
            assert not journal.append(event(late)).wait(0)
        health = journal.health()
        assert (health.in_memory, health.lost) == (KEPT_IN_MEMORY, 30)
        ballast.unlink()
        assert until(lambda: (journal.health().in_memory, journal.health().lost, journal.health().why) == (0, 0, ""))
        events = whole(journal)
        kept = [int(e.id, 16) for e in events if e.kind == "call"]
        assert kept == list(range(1, number + missing + 1))
        # One event says it, or two where the disk healed in the middle of a try.
        assert sum(e.count for e in events if e.kind == "events_lost") == 30
        assert journal.health().lost == 0


def test_what_waits_for_the_disk_is_written_at_the_end_if_there_is_room_again(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with opened(small_disk) as journal:
        fill(journal, 1)
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(b"x" * 1024):
                pass
        while not journal.health().why:
            journal.append(event(2)).wait(0.05)
        ballast.unlink()
        assert until(lambda: not journal.health().why)
    with opened(small_disk) as journal:
        assert {e.id for e in whole(journal)} == {event(1).id, event(2).id}


def test_a_disk_that_is_full_from_the_start_is_used_once_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    with opened(small_disk) as journal:
        saved = journal.append(event(1))
        assert until(lambda: bool(journal.health().why))
        with pytest.raises(sqlite3.Error):
            journal.read(EventsAfter("", 0))
        # It tries again and again, and leaves nothing half made.
        assert until(lambda: [path.name for path in small_disk.iterdir()] == ["ballast"])
        ballast.unlink()
        assert saved.wait(10)
        assert len(whole(journal)) == 1


def test_a_disk_that_is_read_only_at_the_start_is_used_once_it_is_writable(small_disk: Path) -> None:
    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(small_disk)], check=True)

    use = UseRow(1, NOON_MS, "in")
    with opened(small_disk) as journal:
        assert journal.append(event(1), use=use).wait(5)
    remount("ro")
    journal = Journal(small_disk, lambda: NOON_MS, retry_s=0.01)
    saved = journal.append(event(2))
    assert until(lambda: bool(journal.health().why)) and not saved.wait(0) and journal.take_past() is None
    remount("rw")
    assert saved.wait(10)
    past = journal.take_past()
    assert past and past.counted == [use] and [e.id for e in past.earlier] == [event(1).id]
    assert journal.append(event(3)).wait(10) and [e.id for e in whole(journal)] == [event(n).id for n in (1, 2, 3)]
    journal.close()


def test_a_folder_that_cannot_be_made_leaves_the_gate_with_its_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with opened(tmp_path / "file" / "core") as journal:
        assert not journal.append(event(1)).wait(0.05)
        assert until(lambda: journal.health().in_memory == 1 and bool(journal.health().why))
        (tmp_path / "file").unlink()
        assert until(lambda: journal.health().in_memory == 0)


# --- damage -----------------------------------------------------------------------------------------------------------


def damaged_copies(folder: Path) -> list[Path]:
    return [path for path in folder.glob("journal-*.damaged-*") if not path.name.endswith(("-wal", "-shm"))]


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A closed journal of 60 events with uses and steps."""
    folder = tmp_path / "sound"
    with opened(folder) as journal:
        for number in range(1, 61):
            journal.append(event(number), use=UseRow(number % 9, NOON_MS + number, "in", 4), step=(number % 5, number))
        fill(journal, 1, first=61)
    return folder


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bits_never_stop_the_gate_and_never_pass_for_what_was_written(
    tmp_path: Path, sound: Path, seed: int
) -> None:
    rng = random.Random(seed)
    (path,) = sound.glob("journal-*.db")
    written = [event(number).id for number in range(1, 62)]
    raw = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 8, 64])):
        raw[rng.randrange(len(raw) if rng.random() < 0.8 else 200)] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)
    with opened(sound) as journal:
        fill(journal, 3, first=100)
        with contextlib.suppress(sqlite3.Error):  # found only now: set aside, and asked again
            whole(journal)
        assert until(lambda: readable(journal))
        fill(journal, 1, first=103)
        events = whole(journal)
        aside = damaged_copies(sound)
        if aside:
            assert aside[0].name.startswith(path.stem) and not path.exists()
            assert journal.health().journal_id != path.stem.removeprefix("journal-")
            assert "journal_set_aside" in [e.kind for e in events]
        else:  # nothing that matters was hit
            assert [e.id for e in events] == [*written, *(event(n).id for n in range(100, 104))]
            assert path.exists()


def readable(journal: Journal) -> bool:
    with contextlib.suppress(sqlite3.Error):
        whole(journal)
        return True
    return False


def test_a_damaged_file_is_kept_as_it_was_and_reported_in_the_new_one(sound: Path) -> None:
    (path,) = sound.glob("journal-*.db")
    before = b"no database any more" + path.read_bytes()[20:]
    path.write_bytes(before)
    with opened(sound) as journal:
        fill(journal, 1, first=70)
        events = whole(journal)
    (aside,) = damaged_copies(sound)
    assert aside.read_bytes() == before
    assert [e.kind for e in events] == ["journal_set_aside", "call"] and path.stem in events[0].why


def test_two_damaged_files_are_both_kept(sound: Path) -> None:
    for _ in range(2):
        (path,) = sound.glob("journal-*.db")
        path.write_bytes(b"nonsense" * 100)
        with opened(sound) as journal:
            fill(journal, 1)
    assert len(damaged_copies(sound)) == 2 and len(list(sound.glob("journal-*.db"))) == 1


@pytest.mark.parametrize("raw", [b"", b"SQLite format 3\0" + bytes(84)])
def test_an_emptied_file_is_not_taken_for_a_new_journal_with_the_old_numbers(sound: Path, raw: bytes) -> None:
    (path,) = sound.glob("journal-*.db")
    path.write_bytes(raw)
    with opened(sound) as journal:
        fill(journal, 1)
        assert journal.health().journal_id != path.stem.removeprefix("journal-")
    assert damaged_copies(sound)


def test_a_changed_event_breaks_the_chain(sound: Path) -> None:
    (path,) = sound.glob("journal-*.db")
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE event SET body = replace(body, 'entry', 'exit!') WHERE seq = 30")
    with opened(sound) as journal:
        assert journal.past.earlier == []
        fill(journal, 1)
        assert "chain breaks at 30" in whole(journal)[0].why


def test_a_row_that_nobody_wrote_among_the_uses_does_not_reach_the_gate(sound: Path) -> None:
    (path,) = sound.glob("journal-*.db")
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("""UPDATE event SET note = '{"use":{"credential":"three"}}' WHERE seq = 3""")
    assert read_uses(sound).last_ms(3) is None
    with opened(sound) as journal:
        assert journal.past.counted == []


def test_a_table_that_is_gone_is_damage_and_not_something_to_wait_for(sound: Path) -> None:
    (path,) = sound.glob("journal-*.db")
    with opened(sound) as journal:
        with contextlib.closing(sqlite3.connect(path)) as conn, conn:
            conn.execute("DROP TABLE event")
        assert journal.append(event(70)).wait(10)
        assert journal.health().journal_id != path.stem.removeprefix("journal-")


def test_damage_in_the_middle_is_found_when_it_is_read(sound: Path) -> None:
    (path,) = sound.glob("journal-*.db")
    with opened(sound) as journal:
        with contextlib.closing(sqlite3.connect(path)) as conn, conn:
            conn.execute("DELETE FROM event WHERE seq = 30")
        with pytest.raises(sqlite3.Error):
            journal.read(EventsAfter(journal.health().journal_id, 20))
        assert until(lambda: readable(journal))
        fill(journal, 1, first=90)
        assert [e.kind for e in whole(journal)] == ["journal_set_aside", "call"]


def test_a_journal_that_lost_events_it_had_handed_out_gives_no_number_twice(tmp_path: Path) -> None:
    # A card that lies about its flushes: what was sent already is no longer in the file.
    with opened(tmp_path) as journal:
        fill(journal, 10)
        journal_id = journal.health().journal_id
    (path,) = tmp_path.glob("journal-*.db")
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("DELETE FROM event WHERE seq > 7")
    with opened(tmp_path) as journal:
        with pytest.raises(sqlite3.Error):
            journal.read(EventsAfter(journal_id, 10))
        assert until(lambda: readable(journal))
        fill(journal, 1, first=11)
        assert journal.health().journal_id != journal_id


@pytest.mark.parametrize("said", [10**9, 2**63])
def test_a_reader_that_makes_losses_up_is_believed_once_at_most(tmp_path: Path, said: int) -> None:
    with opened(tmp_path) as journal:
        for _ in range(5):
            fill(journal, 3)
            with pytest.raises(sqlite3.Error):
                journal.read(EventsAfter(journal.health().journal_id, said))
            assert until(lambda: readable(journal))
    assert len(damaged_copies(tmp_path)) == 1


def test_reading_a_journal_that_was_just_set_aside_leaves_no_empty_one_in_its_place(tmp_path: Path) -> None:
    gone = tmp_path / "journal-0123456789abcdef.db"
    with pytest.raises(sqlite3.Error):
        open_existing(gone, 1)
    assert not gone.exists()


@pytest.mark.parametrize(("seq", "limit"), [(-5, 10), (0, -1), (-(2**62), 0)])
def test_a_reader_with_an_invalid_question_harms_nothing(tmp_path: Path, seq: int, limit: int) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 3)
        assert journal.read(EventsAfter(journal.health().journal_id, seq, limit)).first_seq == 1
        assert readable(journal)
    assert damaged_copies(tmp_path) == []


@pytest.mark.parametrize("broken", [{"at_ms": 2**64}, {"by": "\ud800"}])
def test_an_event_that_cannot_be_written_is_counted_and_keeps_no_other_from_the_journal(
    tmp_path: Path, broken: dict[str, Any]
) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 1)
        journal.append(msgspec.structs.replace(event(2), **broken))
        fill(journal, 1, first=3)
        assert until(lambda: [e.kind for e in whole(journal)] == ["call", "call", "events_lost"])


# --- reading and pruning ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "limit", "expected"), [(0, 3, [1, 2, 3]), (5, 3, [6, 7, 8]), (8, 9, [9, 10]), (10, 9, [])]
)
def test_sync_reads_from_wherever_it_is(tmp_path: Path, after: int, limit: int, expected: list[int]) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 10)
        batch = journal.read(EventsAfter(journal.health().journal_id, after, limit))
        assert [int(msgspec.json.decode(body)["id"], 16) for body in batch.events] == expected
        assert (batch.first_seq, batch.newest) == (after + 1, 10)
        assert (batch.before == CHAIN_START) == (after == 0)


def test_an_unknown_journal_is_answered_with_ours_from_its_beginning(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 3)
        batch = journal.read(EventsAfter("of another life", 99, 2))
        assert (batch.journal_id, batch.first_seq, len(batch.events)) == (journal.health().journal_id, 1, 2)


def acknowledge(journal: Journal, now: Now, seq: int, number: int) -> None:
    now.ms += PRUNE_EVERY_MS
    journal.prune(seq)
    fill(journal, 1, first=number, at_ms=now.ms)
    fill(journal, 1, first=number + 1, at_ms=now.ms)  # the first one's pruning is over now


def first_kept(journal: Journal) -> EventBatch:
    return journal.read(EventsAfter(journal.health().journal_id, 0))


def test_what_the_centre_has_is_kept_for_thirty_days_and_the_rest_is_still_proved(tmp_path: Path, now: Now) -> None:
    with opened(tmp_path, now) as journal:
        fill(journal, 10)
        now.ms += KEPT_DAYS_MS - PRUNE_EVERY_MS - 1
        acknowledge(journal, now, 8, 11)
        assert first_kept(journal).first_seq == 1
        now.ms += 1
        acknowledge(journal, now, 8, 13)
        batch = first_kept(journal)
        assert (batch.first_seq, batch.newest) == (9, 14)  # the 8th stays as what the 9th is chained to
        assert batch.before != CHAIN_START
        assert [int(e.id, 16) for e in whole(journal)] == list(range(9, 15))
    with opened(tmp_path, now) as journal:
        assert len(whole(journal)) == 6


def test_nothing_that_the_centre_has_not_is_dropped_however_old(tmp_path: Path, now: Now) -> None:
    with opened(tmp_path, now) as journal:
        fill(journal, 10)
        now.ms += 90 * DAY_MS
        acknowledge(journal, now, 0, 11)
        assert first_kept(journal).first_seq == 1


def test_an_event_dated_by_an_unset_clock_leaves_no_hole_in_the_middle(tmp_path: Path, now: Now) -> None:
    with opened(tmp_path, now) as journal:
        fill(journal, 3)
        fill(journal, 1, first=4, at_ms=1000)
        fill(journal, 3, first=5)
        acknowledge(journal, now, 7, 8)
        assert [int(e.id, 16) for e in whole(journal)] == list(range(1, 10))
    with opened(tmp_path, now) as journal:
        assert journal.health().newest == 9 and not damaged_copies(tmp_path)


def test_old_uses_are_not_remembered(tmp_path: Path, now: Now) -> None:
    with opened(tmp_path, now) as journal:
        journal.append(event(1), use=UseRow(1, NOON_MS, "in"), step=(1, 5))
        now.ms += 4 * DAY_MS
        journal.append(event(2, at_ms=now.ms), use=UseRow(2, now.ms, "in"), step=(2, 9))
        journal.append(event(3, at_ms=1000), use=UseRow(3, 1000, "in"))  # by a clock that did not know the time
        journal.append(event(4, at_ms=now.ms), use=UseRow(2, now.ms + 5, "in"), step=(2, 10)).wait(5)
    with opened(tmp_path, now) as journal:
        assert [(use.person, use.at_ms) for use in journal.past.counted] == [(2, now.ms), (2, now.ms + 5)]
        assert journal.past.steps == {2: 10}


def test_an_event_that_is_not_urgent_is_shown_to_nobody_before_it_is_on_the_card(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 2)
        assert journal.append(event(3), urgent=False).wait(5)
        batch = journal.read(EventsAfter("", 0))
        assert (len(batch.events), batch.newest) == (2, 2)
        fill(journal, 1, first=4)
        assert len(whole(journal)) == 4
    with opened(tmp_path) as journal:
        assert len(whole(journal)) == 4


def test_an_event_that_is_not_urgent_outlives_a_kill_and_is_on_the_card_after_the_next_start(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", CHILD_LAZY, str(tmp_path)], cwd=ROOT)
    assert child.returncode == -9
    with opened(tmp_path) as journal:
        assert [e.id for e in whole(journal)] == ["urgent", "not urgent"]


CHILD_LAZY = """
import os, signal, sys
from pathlib import Path
from kiosk.core.journal import Journal
from sync.protocol import Event
journal = Journal(Path(sys.argv[1]), lambda: 1)
journal.append(Event(id="urgent", kind="call", at_ms=1)).wait(10)
journal.append(Event(id="not urgent", kind="call", at_ms=1), urgent=False).wait(10)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_readers_and_the_writer_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 50)
        (path,) = tmp_path.glob("journal-*.db")
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM event").fetchone()  # a reader that takes its time
            fill(journal, 50, first=51)
            assert len(whole(journal)) == 100
            assert other.execute("SELECT count(*) FROM event").fetchone() == (50,)


def test_closing_twice_is_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path, lambda: NOON_MS)
    saved = journal.append(event(1))
    journal.close()
    journal.close()
    assert saved.wait(0)


def test_the_write_ahead_log_does_not_grow_without_end(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        for number in range(1200):
            journal.append(event(number), urgent=number % 50 == 0).wait(10)
        (log,) = tmp_path.glob("journal-*.db-wal")
        (path,) = tmp_path.glob("journal-*.db")
        assert log.stat().st_size < 1_500_000 and path.stat().st_size > 100_000
        journal.append(event(1200)).wait(10)
        assert len(whole(journal)) == 1201


# --- uses -------------------------------------------------------------------------------------------------------------


def test_uses_are_counted_by_person_household_direction_and_day() -> None:
    uses = Uses([
        UseRow(1, NOON_MS - DAY_MS, "in", 12), UseRow(1, NOON_MS, "in", 12), UseRow(1, NOON_MS + 5, "out", 12),
        UseRow(2, NOON_MS + 9, "in", 12), UseRow(3, NOON_MS, "in"),
    ])  # fmt: skip
    assert (uses.last_ms(1), uses.last_ms(9)) == (NOON_MS + 5, None)
    assert uses.today(1, 12, NOON_MS - 1000, ("in",)) == (1, 2)
    assert uses.today(3, 0, NOON_MS - 1000, ("in",)) == (1, 0)
    assert uses.today(1, 12, NOON_MS - 1000, ("in", "out")) == (2, 3)


@pytest.mark.parametrize(
    ("counted", "under_way", "until", "last"),
    [
        ([(0, "in")], [], 9, 0),
        ([(0, "in"), (5, "out")], [], 9, None),
        ([(0, "in"), (5, "both")], [], 9, None),
        ([(5, "out"), (6, "in")], [], 9, 6),
        ([(0, "in"), (5, "out")], [], 4, 0),
        ([(9, "in")], [], 9, 9),
        ([(10, "in")], [], 9, None),
        ([], [(3, "in")], 9, 3),
        ([(0, "in")], [(3, "out")], 9, 0),
        ([(0, "in"), (5, "out")], [(6, "in")], 9, 6),
        ([], [], 9, None),
    ],
)
def test_the_other_direction_clears_a_use_once_somebody_has_passed(
    counted: list[tuple[int, str]], under_way: list[tuple[int, str]], until: int, last: int | None
) -> None:
    uses = Uses(UseRow(1, at, direction) for at, direction in counted)
    begun = [UseRow(1, at, direction) for at, direction in under_way] + [UseRow(2, 8, "in")]
    assert uses.since_other_way(1, "in", 0, until, begun) == last


@pytest.mark.parametrize(("from_ms", "last"), [(5, 5), (6, None)])
def test_a_use_before_what_a_clock_knows_says_nothing(from_ms: int, last: int | None) -> None:
    assert Uses([UseRow(1, 5, "in")]).since_other_way(1, "in", from_ms, 9) == last


def test_forgotten_uses_are_gone() -> None:
    uses = Uses([UseRow(1, NOON_MS, "in", 12), UseRow(2, NOON_MS + 9, "in", 12)])
    uses.forget(NOON_MS + 1, NOON_MS)
    assert (uses.last_ms(1), uses.last_ms(2), uses.today(2, 12, 0, ("in",))) == (None, NOON_MS + 9, (1, 1))
