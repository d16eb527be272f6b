"""One flipped bit anywhere in the files of a device: no accident, no lock-out, no crash."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kiosk.channel import Refused
from kiosk.core.guards.post import GuardSessions
from kiosk.verbs import Presentation, SignIn
from sync.agent.lists import ListFolder
from sync.agent.outbox import Outbox
from sync.cache import ListError, ListWriter, get_current
from sync.protocol import Acknowledged, EventReceipt, EventUpload, Page
from tests.faults.model.portions import in_portions
from tests.faults.model.stage import Stage
from tests.faults.tally import Tally
from tests.fixtures.gate_parts import (
    COMPOUND,
    EPOCH,
    NOON_MS,
    PIN,
    ROOT_PUBLIC,
    Bench,
    Time,
    credential,
    kept_tries,
    row_of,
    text_of,
)

RESIDENT, REVOKED, LATE = credential(1), credential(2), credential(1001)
ROWS = [
    row_of(RESIDENT),
    row_of(REVOKED, state="revoked"),
    *(row_of(credential(n)) for n in range(10, 60)),
]

FLIPS_AT_ONCE = 48


def device(folder: Path) -> Path:
    """Everything a gate has on its card after a kill in the midst of its work, with a page just come in."""
    stage = Stage(folder / "before", ROWS)
    for serial in range(10, 22):
        stage.gate.present(Presentation(lane="entry", text=text_of(credential(serial))))
        stage.drive_through()
        stage.go(3)
    writer = ListWriter(get_current(stage.folder / "list") or folder)
    page = Page(
        v=1, compound=COMPOUND, epoch=EPOCH, after=1, revision=2, complete=True, as_of_ms=NOON_MS,
        credentials=[row_of(LATE, revision=2)], signed=[], last_serial={COMPOUND: LATE.serial},
    )  # fmt: skip
    writer.apply(page)
    stage.mirror.refresh()
    _sync(stage)
    stage.written()
    image = folder / "device"
    shutil.copytree(stage.folder, image)
    writer.close()
    stage.close()
    return image


def _sync(bench: Bench) -> None:
    """What sync does with its own files and the core's events: a round without anything new from the centre."""

    def send(upload: EventUpload) -> EventReceipt:
        return EventReceipt(1, upload.first_seq + len(upload.events) - 1)

    def taken(note: Acknowledged) -> None:
        bench.journal.prune(note.seq)

    (bench.folder / "sync").mkdir(exist_ok=True)
    outbox = Outbox(bench.folder / "sync", bench.journal.read, taken, send)
    with contextlib.suppress(sqlite3.Error):  # the journal turns out to be damaged and is set aside
        for _ in range(20):
            if not outbox.step():
                break
    lists = ListFolder(bench.folder / "list", COMPOUND, ROOT_PUBLIC)
    with contextlib.suppress(ListError):  # sync fetches a whole new one
        lists.check()
    lists.close()


def places(image: Path) -> list[Path]:
    """The files in which a bit may flip. Anyone who opens a database first makes its ``-shm`` anew."""
    files = (path for path in image.rglob("*") if path.is_file())
    return sorted(path.relative_to(image) for path in files if path.stat().st_size and not path.name.endswith("-shm"))


def broken_by_flip(image: Path, place: Path, bit: int) -> Iterator[str]:
    """Start a gate on a copy of the device with that bit flipped, and let a few people come."""
    with tempfile.TemporaryDirectory(prefix="flip") as folder:
        life = Path(folder) / "life"
        shutil.copytree(image, life)
        for path in life.rglob("*-shm"):
            path.unlink()
        raw = bytearray((life / place).read_bytes())
        raw[bit // 8] ^= 1 << bit % 8
        (life / place).write_bytes(raw)
        bench = _started(life)
        yield from _people_come(bench)
        _sync(bench)
        bench.go(31)
        bench.restart()
        yield from _people_come(bench)
        bench.stop()


def _started(folder: Path) -> Bench:
    return Bench(folder, now=Time(NOON_MS + 600_000))


def _people_come(bench: Bench) -> Iterator[str]:
    for pass_ in (RESIDENT, LATE):
        answer = bench.gate.present(Presentation(lane="entry", text=text_of(pass_)))
        if answer.outcome == "deny":
            yield f"a resident was refused as {answer.reason}"
        if answer.outcome == "refer" and not _told(bench):
            yield f"a resident was sent to the guard as {answer.reason}, and no fault was told"
        bench.go(13)
    if bench.gate.present(Presentation(lane="entry", text=text_of(REVOKED))).outcome == "grant":
        yield "a revoked pass was let in"
    bench.go(13)
    post = GuardSessions(lambda: bench.mirror.vouched.accounts, bench.time, kept_tries(bench.folder))
    try:
        post.sign_in(SignIn(name="Lin", pin=PIN))
    except Refused as err:
        yield f"a guard was kept out: {err}"
    rises = bench.parts["entry"].rises
    bench.acts.override("entry", True, 0, "Lin", "knows him")
    if bench.parts["entry"].rises == rises:
        yield "a guard's override did not open"
    bench.go(13)


def _told(bench: Bench) -> bool:
    return bool(bench.mirror.why or bench.mirror.damaged or bench.mirror.vouched.forged or bench.journal.health().why)


def run(seed: int, flips: int) -> Tally:
    """That many flips over all files, each file as often as every other; held are those that did no harm."""
    return in_portions(_flips, seed, flips, FLIPS_AT_ONCE)


def _flips(seed: int, flips: int) -> Tally:
    rng, notes, held = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory(prefix="flips") as folder:
        image = device(Path(folder))
        files = places(image)
        for number in range(flips):
            place = files[number % len(files)]
            bit = rng.randrange((image / place).stat().st_size * 8)
            broken = list(broken_by_flip(image, place, bit))
            held += not broken
            notes += [f"seed {seed}, {place.name} bit {bit}: {why}" for why in broken]
    return Tally("bit flips", flips, held, tuple(notes))
