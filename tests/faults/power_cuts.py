"""A power cut after every single call to the disk, of a gate's work and of a centre's.

The true programs start on what is left, and nothing that was promised may be lost, doubled or renumbered. The gate's
work has a journal (checkpoint, restart, pruning), a list that is changed and switched, kept facts and an outbox.
Its centre is another machine, which no cut of the gate's power reaches. The centre's work is taking uploads.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from nacl.public import PrivateKey
from sqlalchemy import text

from kiosk.core.journal import KEPT_DAYS_MS, PRUNE_EVERY_MS, Journal
from kiosk.core.kept import Kept, Memory
from sync.agent.lists import ListFolder, SnapshotRefused
from sync.agent.outbox import Outbox
from sync.cache import ListError, check, get_current
from sync.protocol import (
    CHAIN_START,
    EnrolRequest,
    EventReceipt,
    EventsAfter,
    EventUpload,
    chain,
    read_enrolment_code,
)
from sync.server.centre.errors import CentreError
from sync.server.centre.settings import Settings
from sync.server.centre.store import StoreError
from sync.server.gates import fleet
from sync.server.gates.events import take_events
from sync.server.opening import open_centre
from tests.faults.disk import FSYNC, Disk
from tests.faults.images import Image, Record
from tests.faults.sick_disks import (
    EXPECTED,
    PATIENCE_S,
    Fell,
    happened,
    held,
    ids_of,
    list_steps,
    serials_in,
    snapshot,
)
from tests.faults.tally import Tally
from tests.fixtures.both_ends import NOW_MS, new_compound
from tests.fixtures.centre import copy_empty
from tests.fixtures.gate_parts import COMPOUND, NOON_MS, ROOT_PUBLIC, credential, row_of, usual_changes, write_list


class Acknowledged(msgspec.Struct, frozen=True):
    """The core was told that this event is on disk."""

    id: str


class Stored(msgspec.Struct, frozen=True):
    """The centre holds this, and says so."""

    journal_id: str
    seq: int
    text: str


class Listed(msgspec.Struct, frozen=True):
    """So many steps of the list were done."""

    steps: int


class Remembered(msgspec.Struct, frozen=True):
    """The kept facts have this floor."""

    floor_ms: int


class FarCentre:
    """A centre on another machine: what it acknowledged it has."""

    def __init__(self, stored: Iterable[Stored] = (), told: Callable[[Stored], None] = lambda stored: None):
        self.journals: dict[str, dict[int, str]] = {}
        self._told = told
        for event in stored:
            self.journals.setdefault(event.journal_id, {})[event.seq] = event.text

    def take(self, upload: EventUpload) -> EventReceipt:
        kept = self.journals.setdefault(upload.journal_id, {})
        for seq, body in enumerate(upload.events, upload.first_seq):
            held(seq <= len(kept) + 1, f"{upload.journal_id} has a hole before {seq}")
            held(kept.get(seq, body) == body, f"{upload.journal_id} has another event as {seq}")
            if seq not in kept:
                kept[seq] = body
                self._told(Stored(upload.journal_id, seq, body))
        return EventReceipt(1, len(kept))


# --- a gate's work ----------------------------------------------------------------------------------------------------


class _Work:
    """One life of a gate's stores; every promise goes into the record."""

    def __init__(self, folder: Path, record: Record, disk: Disk):
        self.folder, self.record, self.disk = folder, record, disk
        self.now_ms = NOON_MS
        self.kept = Kept(folder / "kept.json", Memory())
        self.head, self.raw = snapshot(folder.parent)
        self.lists = ListFolder(folder / "list", COMPOUND, ROOT_PUBLIC, lambda _: 1 << 40)
        self._listed = self._number = self._promised = 0
        self.journal = self._open()

    def _open(self) -> Journal:
        return Journal(self.folder / "core", lambda: self.now_ms, retry_s=0.001)

    def events(self, count: int, urgent: bool = True) -> None:
        """Events one by one, each in a transaction of its own."""
        for _ in range(count):
            self._number += 1
            event = msgspec.structs.replace(happened(self._number), at_ms=self.now_ms)
            held(self.journal.append(event, urgent=urgent).wait(PATIENCE_S), "a sound disk was not written to")
            if urgent:
                for number in range(self._promised + 1, self._number + 1):
                    self.record.promise(Acknowledged(happened(number).id))
                self._promised = self._number

    def list_step(self) -> None:
        list_steps(self.lists, self.head, self.raw)[self._listed]()
        self._listed += 1
        self.record.promise(Listed(self._listed))

    def remember(self, floor_ms: int) -> None:
        self.kept.change(floor_ms=floor_ms)
        held(self.kept.settle(PATIENCE_S), "a sound disk was not written to")
        self.record.promise(Remembered(floor_ms))

    def send(self) -> None:
        send_all(self.folder, self.journal, FarCentre(_stored(self.record), self.record.promise))

    def restart(self) -> None:
        self.journal.close()
        self.journal = self._open()

    def fail_a_flush(self) -> None:
        """The background flush of what is not urgent fails once, and its pages are gone."""
        self.disk.fall_sick(FSYNC, count=1)
        self.events(2, urgent=False)
        self.events(1)
        self.disk.heal()

    def prune(self) -> None:
        self.now_ms += KEPT_DAYS_MS + PRUNE_EVERY_MS
        self.journal.prune(5)
        self.events(2)

    def close(self) -> None:
        self.journal.close()
        self.lists.close()


def _stored(record: Record) -> list[Stored]:
    return [step.promise for step in record.steps if isinstance(step.promise, Stored)]


def send_all(folder: Path, journal: Journal, centre: FarCentre) -> None:
    (folder / "sync").mkdir(exist_ok=True)
    outbox = Outbox(folder / "sync", journal.read, lambda told: None, centre.take)
    for _ in range(100):
        if not outbox.step():
            return
    raise Fell("the outbox does not come to rest")


def gate_work(folder: Path, commits: int) -> Record:
    """The record of a gate's work with so many commits between two checkpoints."""
    home = folder / "gate"
    for name in ("core", "list", "sync"):
        (home / name).mkdir(parents=True)
    write_list(home / "list", [row_of(credential(1)), row_of(credential(2))], usual_changes())
    record = Record(home)
    disk = Disk(home, record.hear)
    with disk.watched():
        work = _Work(home, record, disk)
        try:
            for act in (
                lambda: work.events(3), work.list_step, lambda: work.remember(1), lambda: work.events(2, False),
                work.send, lambda: work.events(2), work.send, work.list_step, work.list_step, work.fail_a_flush,
                work.restart, lambda: work.events(commits, False), lambda: work.events(2), lambda: work.remember(2),
                work.list_step, work.prune, work.list_step, work.send, work.restart, lambda: work.events(1), work.send,
            ):  # fmt: skip
                act()
        finally:
            work.close()
    return record


def audit_gate(folder: Path, image: Image) -> None:
    """Start the true stores on what a cut left. Raises Fell."""
    _audit_journal(folder, image)
    _audit_list(folder, max((p.steps for p in image.promises if isinstance(p, Listed)), default=0))
    floor = max((p.floor_ms for p in image.promises if isinstance(p, Remembered)), default=0)
    held(Kept(folder / "kept.json", Memory()).now.floor_ms in (floor, floor + 1), "the kept facts are gone")


def _audit_journal(folder: Path, image: Image) -> None:
    centre = FarCentre(p for p in image.promises if isinstance(p, Stored))
    acknowledged = {p.id for p in image.promises if isinstance(p, Acknowledged)}
    for name in ("core", "list", "sync"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "core", lambda: NOON_MS)
    try:
        held(not journal.health().why, f"the journal does not open: {journal.health().why}")
        held(journal.append(happened(10**6)).wait(PATIENCE_S), "the journal cannot be written")
        held(not list((folder / "core").glob("*damaged*")), "the journal is damaged")
        own = read_from_its_oldest(journal)
        for seq, body in centre.journals.get(journal.health().journal_id, {}).items():
            held(own.get(seq, body) == body, f"{seq} is another event than the centre has")
        send_all(folder, journal, centre)
    finally:
        journal.close()
    there = [id_ for texts in centre.journals.values() for id_ in ids_of(texts)]
    held(len(set(there)) == len(there), "an event was written twice")
    held(acknowledged <= set(there), f"{len(acknowledged - set(there))} acknowledged events are lost")


def read_from_its_oldest(journal: Journal) -> dict[int, str]:
    """What is shown, where the beginning may be pruned."""
    batch = journal.read(EventsAfter("", 0, 1000))
    link = batch.before
    for body in batch.events:
        link = chain(link, body)
    rest = journal.read(EventsAfter(batch.journal_id, batch.newest, 1))
    held(rest.before == link, "the chain does not hold")
    return dict(enumerate(batch.events, batch.first_seq))


def _audit_list(folder: Path, done: int) -> None:
    allowed = EXPECTED[max(0, done - 1) : done + 1] if done else ({1, 2}, EXPECTED[0])
    found = serials_in(folder / "list")
    held(found in allowed, f"after {done} steps the list holds {sorted(found)}")
    path = get_current(folder / "list")
    assert path
    check(path, COMPOUND, path.name.split("-")[1])
    head, raw = snapshot(folder)
    lists = ListFolder(folder / "list", COMPOUND, ROOT_PUBLIC, lambda _: 1 << 40)
    try:
        for step in list_steps(lists, head, raw)[max(2, done) if lists.cursor().epoch == "e2" else 0 :]:
            try:
                step()
            except SnapshotRefused:  # a download that was cut is begun again
                step()
    finally:
        lists.close()
    held(serials_in(folder / "list") == EXPECTED[-1], "the list cannot go on")


# --- a centre's work --------------------------------------------------------------------------------------------------


def _uploads() -> list[EventUpload]:
    """Six batches of four events of one journal."""
    bodies = [msgspec.json.encode(happened(number)).decode() for number in range(1, 25)]
    links = list(itertools.accumulate(bodies, chain, initial=CHAIN_START))
    return [
        EventUpload(v=1, journal_id="j", first_seq=first + 1, before=links[first], events=bodies[first : first + 4])
        for first in range(0, 24, 4)
    ]


def centre_work(folder: Path) -> tuple[Record, fleet.Device]:
    """The record of a centre that takes events and acknowledges them, and whose they are."""
    copy_empty(folder / "centre")
    settings = Settings(state=folder / "centre", watch=False, clock=lambda: NOW_MS)
    centre = open_centre(settings)
    compound = new_compound(centre)
    _, secret = read_enrolment_code(fleet.add_gate(centre, compound, "north", "test").enrolment_code)
    token = base64.urlsafe_b64encode(bytes(32)).decode()
    enrolled = fleet.enrol(centre, EnrolRequest(v=1, secret=secret, token_hash=hashlib.sha256(token.encode()).digest(),
                                                box_public=bytes(PrivateKey.generate().public_key)))  # fmt: skip
    device = fleet.authenticate(centre, compound, enrolled.device, token)
    assert device
    centre.store.close()
    record = Record(folder / "centre")
    with Disk(folder / "centre", record.hear).watched():
        centre = open_centre(settings)
        for upload in _uploads():
            acked = take_events(centre, device, upload)
            record.promise(Stored("j", acked, ""))
        centre.store.scrub()
        centre.store.close()
    return record, device


def audit_centre(folder: Path, image: Image, device: fleet.Device) -> None:
    """Open the centre on what a cut left, and send the rest. Raises Fell."""
    centre = open_centre(Settings(state=folder, watch=False, clock=lambda: NOW_MS))
    try:
        question = EventUpload(v=1, journal_id="j", first_seq=1, before=CHAIN_START, events=[])
        acked = take_events(centre, device, question)
        held(acked >= max((p.seq for p in image.promises), default=0), f"it has {acked} only")
        for upload in _uploads():
            take_events(centre, device, upload)
        with centre.store.read() as conn:
            found = [seq for (seq,) in conn.execute(text("SELECT seq FROM event WHERE journal_id = 'j' ORDER BY seq"))]
        held(found == list(range(1, 25)), f"it holds {found}")
    finally:
        centre.store.close()


# --- running them -----------------------------------------------------------------------------------------------------


@contextmanager
def _place(image: Image) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        image.write_to(Path(name))
        yield Path(name)


def _fall(image: Image, audit: Callable[[Path, Image], None]) -> str:
    """Why an image did not hold; empty if it did."""
    with _place(image) as folder:
        try:
            audit(folder, image)
        except (Fell, ListError, StoreError, CentreError, SnapshotRefused, sqlite3.Error, OSError) as err:
            return f"after {image.moment} {image.mode}: {err!r}"
    return ""


def tally(name: str, record: Record, audit: Callable[[Path, Image], None], seed: int, limit: int | None) -> Tally:
    rng = random.Random(seed)
    images: Iterable[Image] = record.images(rng)
    if limit is not None:
        every = list(images)
        images = rng.sample(every, min(limit, len(every)))
    tried, fell = 0, []
    for image in images:
        tried += 1
        why = _fall(image, audit)
        if why:
            fell.append(why)
    return Tally(name, tried, tried - len(fell), tuple(fell[:20]))


def run_gate(seed: int, limit: int | None = None, commits: int = 260) -> Tally:
    """Cuts of a gate's power: all, or ``limit`` of them drawn by the seed."""
    with tempfile.TemporaryDirectory() as name:
        record = gate_work(Path(name).resolve(), commits)
    return tally("power cuts of a gate", record, audit_gate, seed, limit)


def run_centre(seed: int, limit: int | None = None) -> Tally:
    """Cuts of a centre's power."""
    with tempfile.TemporaryDirectory() as name:
        record, device = centre_work(Path(name).resolve())
    return tally("power cuts of a centre", record, lambda at, image: audit_centre(at, image, device), seed, limit)


def run(seed: int, limit: int | None = None) -> Tally:
    """Both, as one."""
    parts = [run_gate(seed, limit), run_centre(seed, limit)]
    notes = tuple(note for part in parts for note in part.notes)
    return Tally("power cuts", sum(p.tried for p in parts), sum(p.held for p in parts), notes)
