"""A disk that was read-only, full or failing heals without a restart, and what it cost is counted exactly."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.core.journal import KEPT_IN_MEMORY, Journal
from sync.protocol import Event
from tests.faults import sick_disks
from tests.faults.disk import BROKEN, FSYNC, FULL, READ_ONLY, SICKNESSES, Disk, Sickness
from tests.faults.sick_disks import PATIENCE_S, happened, ids_of, read_whole
from tests.faults.vfs import reachable
from tests.fixtures.gate_parts import NOON_MS

pytestmark = pytest.mark.skipif(bool(reachable()), reason=reachable() or "-")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with Disk(tmp_path.resolve()).watched() as disk:
        yield disk


def open_on(disk: Disk) -> Journal:
    return Journal(disk.folder, lambda: NOON_MS, retry_s=0.001)


def test_refused_calls_of_a_sample_cost_nothing() -> None:
    tally = sick_disks.run(seed=10, limit=40)
    assert (tally.tried, tally.notes) == (40, ())


@pytest.mark.slow
def test_no_refused_call_costs_anything() -> None:
    tally = sick_disks.run(seed=0)
    assert tally.held == tally.tried > 1000, tally.notes


@pytest.mark.parametrize("sickness", SICKNESSES, ids=lambda sickness: sickness.name)
def test_what_memory_dropped_is_counted_exactly_over_many_failures(disk: Disk, sickness: Sickness) -> None:
    journal = open_on(disk)
    assert journal.append(happened(1)).wait(PATIENCE_S)
    disk.fall_sick(sickness)
    count = KEPT_IN_MEMORY + 37
    for number in range(2, count + 1):
        event = happened(number)
        journal.append(msgspec.structs.replace(event, by="\ud800") if number % 100 == 0 else event)
        if number % 200 == 0:  # the writer tries, and fails, again and again
            seen = disk.refused
            while disk.refused == seen:
                assert not journal.append(happened(10**6)).wait(0.001)
                count += 1
    disk.heal()
    while journal.health().in_memory or journal.health().lost:
        journal.append(happened(10**7)).wait(0.05)
        count += 1
    journal.close()
    again = open_on(disk)
    events = [msgspec.json.decode(text, type=Event) for text in read_whole(again).values()]
    again.close()
    lost = sum(event.count for event in events if event.kind == "events_lost")
    assert sum(event.kind == "call" for event in events) + lost == count
    assert lost > 37


@pytest.mark.parametrize("sickness", [FULL, BROKEN, READ_ONLY], ids=lambda sickness: sickness.name)
def test_an_orderly_stop_says_what_it_could_not_write(
    disk: Disk, caplog: pytest.LogCaptureFixture, sickness: Sickness
) -> None:
    journal = open_on(disk)
    assert journal.append(happened(1)).wait(PATIENCE_S)
    disk.fall_sick(sickness)
    for number in range(2, 7):
        journal.append(happened(number))
    with caplog.at_level(logging.ERROR, "journal"):
        journal.close()
    (said,) = [record.getMessage() for record in caplog.records if "not_written" in record.getMessage()]
    assert "events=5 from=2026-11-23T04:00:00+00:00" in said
    disk.heal()
    again = open_on(disk)
    assert ids_of(read_whole(again)) == [happened(1).id]
    again.close()


def test_a_stop_on_a_disk_that_has_just_healed_writes_what_waited(disk: Disk) -> None:
    journal = Journal(disk.folder, lambda: NOON_MS, retry_s=3600)
    assert journal.append(happened(1)).wait(PATIENCE_S)
    disk.fall_sick(FULL)
    promise = journal.append(happened(2))
    while not journal.health().why:
        assert not promise.wait(0.001)
    disk.heal()
    journal.close()
    again = open_on(disk)
    assert ids_of(read_whole(again)) == [happened(1).id, happened(2).id]
    again.close()


def test_after_a_failed_background_flush_the_events_are_written_again_before_they_are_shown(tmp_path: Path) -> None:
    writes: list[bytes] = []
    disk = Disk(tmp_path.resolve(), lambda call: writes.append(call.content))
    with disk.watched():
        journal = Journal(disk.folder, lambda: NOON_MS, retry_s=0.001, flush_s=0.001)
        assert journal.append(happened(1)).wait(PATIENCE_S)
        disk.fall_sick(FSYNC, count=1)
        assert journal.append(happened(2), urgent=False).wait(PATIENCE_S)
        while len(read_whole(journal)) < 2:
            pass
        assert disk.refused == 1 and sum(happened(2).id.encode() in content for content in writes) >= 2
        journal.close()


def test_a_file_that_lost_what_was_committed_is_set_aside_and_memory_writes_it_anew(disk: Disk) -> None:
    journal = open_on(disk)
    assert journal.append(happened(1)).wait(PATIENCE_S)
    assert journal.append(happened(2), urgent=False).wait(PATIENCE_S)
    (path,) = disk.folder.glob("journal-*.db")
    reader = sqlite3.connect(path)
    reader.execute("DELETE FROM event WHERE seq = 2")  # the page is gone
    reader.commit()
    reader.close()
    disk.fall_sick(FSYNC, count=1)
    assert journal.append(happened(3)).wait(PATIENCE_S)
    kinds_and_ids = read_whole(journal)
    journal.close()
    assert ids_of(kinds_and_ids)[1:] == [happened(2).id, happened(3).id]
    assert "journal_set_aside" in kinds_and_ids[1]
