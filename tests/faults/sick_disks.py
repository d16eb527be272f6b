"""A disk that refuses one call, some, or all of them from one on, and heals: what journal and list make of it.

Every call that the workload makes is refused once, for a while, and for good (healed later), at the start and while
running. Afterwards nothing may be lost, doubled, renumbered or renamed.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from kiosk.core.journal import Journal
from sync.agent.lists import DiskFull, ListFolder
from sync.cache import ListError, ListReader, ListWriter, check, create, get_current
from sync.protocol import CHAIN_START, Event, EventsAfter, Page, SnapshotBody, SnapshotHead, chain
from tests.faults.disk import SICKNESSES, Disk, Sickness
from tests.faults.tally import Tally
from tests.fixtures.gate_parts import (
    COMPOUND,
    EPOCH,
    NOON_MS,
    ROOT,
    ROOT_PUBLIC,
    credential,
    row_of,
    signed,
    usual_changes,
    write_list,
)

LENGTHS = (1, 4, 1 << 60)
PATIENCE_S = 20.0
_TRIES = 200


class Trial(msgspec.Struct, frozen=True):
    """One sickness: from which call on, how many, and whether the disk was sick before the start."""

    part: str
    sickness: Sickness
    first: int
    count: int
    at_start: bool

    def __str__(self) -> str:
        return f"{self.part} {self.sickness.name} {self.first} {self.count} {'start' if self.at_start else 'running'}"


class Fell(Exception):
    """Something did not hold."""


def held(true: bool, what: str) -> None:
    if not true:
        raise Fell(what)


# --- the journal ------------------------------------------------------------------------------------------------------


def happened(number: int) -> Event:
    return Event(id=f"{number:016x}", kind="call", at_ms=NOON_MS + number, lane="entry")


def read_whole(journal: Journal) -> dict[int, str]:
    """Every event that is shown, by its number; proved by the chain."""
    texts: dict[int, str] = {}
    after, link = 0, CHAIN_START
    while True:
        batch = journal.read(EventsAfter(journal.health().journal_id, after, 50))
        held(batch.before == link, f"the chain breaks after {after}")
        for after, text in enumerate(batch.events, batch.first_seq):
            link = chain(link, text)
            texts[after] = text
        if after >= batch.newest:
            return texts


def ids_of(texts: dict[int, str]) -> list[str]:
    return [msgspec.json.decode(text, type=Event).id for text in texts.values()]


def journal_trial(disk: Disk, trial: Trial) -> int:
    """The calls that the sickness concerned. Raises Fell."""
    folder = disk.folder / "core"
    if trial.at_start:
        disk.fall_sick(trial.sickness, trial.first, trial.count)
    journal = Journal(folder, lambda: NOON_MS, retry_s=0.001)
    try:
        if not trial.at_start:
            held(all(journal.append(happened(n)).wait(PATIENCE_S) for n in (1, 2)), "a sound disk was not written to")
            disk.fall_sick(trial.sickness, trial.first, trial.count)
        promises = []
        shown: dict[int, str] = {}
        for number in range(3, 12):
            promise = journal.append(happened(number), urgent=number % 3 != 0)
            promises.append(promise)
            while not (promise.wait(0.002) or journal.health().why):
                pass
            with suppress(sqlite3.Error):
                shown |= read_whole(journal)
        calls = disk.calls
        disk.heal()
        held(all(promise.wait(PATIENCE_S) for promise in promises), "a healed disk is not written to")
    finally:
        disk.heal()
        journal.close()
    _audit_journal(folder, shown, range(1 if not trial.at_start else 3, 12))
    return calls


def _audit_journal(folder: Path, shown: dict[int, str], numbers: range) -> None:
    held([path.suffix for path in folder.glob("journal-*") if "damaged" in path.name] == [], "a journal was set aside")
    again = Journal(folder, lambda: NOON_MS)
    try:
        texts = read_whole(again)
    finally:
        again.close()
    held(ids_of(texts) == [happened(n).id for n in numbers], f"there is {ids_of(texts)}")
    held(shown.items() <= texts.items(), "what was shown has another number now")


# --- the list ---------------------------------------------------------------------------------------------------------


def page(after: int, revision: int, serials: range, epoch: str = EPOCH) -> Page:
    rows = [row_of(credential(serial), revision=revision) for serial in serials]
    return Page(v=1, compound=COMPOUND, epoch=epoch, after=after, revision=revision, complete=True, as_of_ms=NOON_MS,
                credentials=rows, last_serial={COMPOUND: 1000})  # fmt: skip


def snapshot(folder: Path, epoch: str = "e2") -> tuple[SnapshotHead, bytes]:
    """A prepared list of ten passes in a new epoch, as the centre would hand it out."""
    path = folder / "prepared.db"
    create(path, COMPOUND, epoch)
    writer = ListWriter(path, wal=False)
    rows = [row_of(credential(serial), revision=100) for serial in range(1, 11)]
    writer.fill(rows, usual_changes(), 100, NOON_MS, {COMPOUND: 1000})
    writer.close()
    raw = path.read_bytes()
    path.unlink()
    body = SnapshotBody(hashlib.blake2b(raw, digest_size=32).hexdigest(), len(raw))
    return SnapshotHead(v=1, name="s", signed=signed("snapshot", "s", body, 100, epoch=epoch, root=ROOT)), raw


@contextmanager
def download(raw: bytes, start: int) -> Iterator[tuple[int, list[bytes]]]:
    yield start, [raw[start : start + 20_000], raw[start + 20_000 :]]


def serials_in(folder: Path) -> set[int]:
    """What the list in force holds, as the core reads it. Raises ListError."""
    path = get_current(folder)
    held(path is not None and path.exists(), "current names no list")
    assert path
    reader = ListReader(path)
    try:
        return {row.serial for row in reader.look_up("3-2-1201")}
    finally:
        reader.close()


def list_steps(lists: ListFolder, head: SnapshotHead, raw: bytes) -> list[Callable[[], None]]:
    return [
        lambda: lists.apply(page(1, 5, range(3, 6))),
        lambda: lists.stamp(NOON_MS + 1),
        lambda: lists.install(head, lambda name, start: download(raw, start)),
        lambda: lists.apply(page(100, 105, range(11, 15), "e2")),
        lists.tidy,
    ]


EXPECTED = ({1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, set(range(1, 11)), set(range(1, 15)), set(range(1, 15)))


def list_trial(disk: Disk, trial: Trial) -> int:
    """The calls that the sickness concerned. Raises Fell."""
    folder = disk.folder / "list"
    head, raw = snapshot(disk.folder)
    write_list(folder, [row_of(credential(1)), row_of(credential(2))], usual_changes())
    disk.fall_sick(trial.sickness, trial.first, trial.count)
    lists = ListFolder(folder, COMPOUND, ROOT_PUBLIC, lambda _: 1 << 40)
    calls = 0
    try:
        for step, expected in zip(list_steps(lists, head, raw), EXPECTED, strict=True):
            for tried in range(_TRIES):
                if tried == 3:
                    calls += disk.calls
                    disk.heal()
                with suppress(DiskFull, OSError):
                    step()
                    break
            else:
                raise Fell("a healed disk is not written to")
            with suppress(ListError):  # on a sick disk it may be out of reach
                held(serials_in(folder) == expected, f"the list holds {serials_in(folder)}, not {expected}")
        calls += disk.calls
    except ListError as err:
        raise Fell(f"the list has to be rebuilt: {err}") from err
    finally:
        disk.heal()
        lists.close()
    path = get_current(folder)
    assert path
    check(path, COMPOUND, "e2")
    held(serials_in(folder) == EXPECTED[-1], f"the list holds {serials_in(folder)} at the end")
    return calls


# --- running them -----------------------------------------------------------------------------------------------------

_PARTS: dict[str, Callable[[Disk, Trial], int]] = {"journal": journal_trial, "list": list_trial}


def attempt(trial: Trial) -> tuple[str, int]:
    """Why it did not hold, empty if it did; and how many calls the sickness concerned."""
    with tempfile.TemporaryDirectory() as name:
        disk = Disk(Path(name).resolve())
        try:
            with disk.watched():
                return "", _PARTS[trial.part](disk, trial)
        except (Fell, ListError, sqlite3.Error, OSError) as err:
            return f"{trial}: {err!r}", 0


def trials() -> list[Trial]:
    """Every call of the workload, by every sickness and length."""
    made = []
    for part in _PARTS:
        for sickness in SICKNESSES:
            for at_start in (False, True) if part == "journal" else (True,):
                _, calls = attempt(Trial(part, sickness, 1 << 50, 1, at_start))
                made += [Trial(part, sickness, first, count, at_start) for first in range(calls) for count in LENGTHS]
    return made


def run(seed: int, limit: int | None = None) -> Tally:
    """All trials, or ``limit`` of them drawn by the seed."""
    chosen = trials()
    if limit is not None:
        chosen = random.Random(seed).sample(chosen, min(limit, len(chosen)))
    fell = [why for trial in chosen if (why := attempt(trial)[0])]
    return Tally("sick disks", len(chosen), len(chosen) - len(fell), tuple(fell[:20]))
