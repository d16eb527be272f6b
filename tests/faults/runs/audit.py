"""The books of a device after its faults: what was answered against what is written, and what the relay did."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import msgspec

from kiosk.core.gate import SLOW_DISK
from sync.protocol import CHAIN_START, Event, chain
from tests.fixtures.processes.crowd import LATE_S, Record
from tests.fixtures.processes.device import Device

_OPENINGS = ("decided", "ruled", "override", "opened")


class Entry(NamedTuple):
    """A row of the journal. ``use`` is what it counts, or empty."""

    seq: int
    body: str
    link: bytes
    event: Event
    use: dict[str, Any]


class Books(NamedTuple):
    """The journal of a device; ``files`` are all of its journals, damaged ones among them."""

    journal_id: str
    entries: list[Entry]
    files: list[str]

    def of(self, *kinds: str) -> Iterator[Event]:
        return (entry.event for entry in self.entries if entry.event.kind in kinds)


def read_books(device: Device, sent: Mapping[tuple[str, int], str] | None = None) -> Books:
    """The journal as it lies on the disk. What was pruned at its beginning is taken from what was ``sent``."""
    files = sorted(path.name for path in device.core_state.glob("journal-*") if path.name.endswith(".db"))
    with closing(sqlite3.connect(device.core_state / files[0])) as conn:
        rows = conn.execute("SELECT seq, body, chain, note FROM event ORDER BY seq").fetchall()
    journal_id = files[0].removeprefix("journal-").removesuffix(".db")
    before, pruned = CHAIN_START, []
    for seq in range(1, rows[0][0] if rows else 1):
        body = (sent or {})[journal_id, seq]
        before = chain(before, body)
        pruned.append((seq, body, before, None))
    entries = [
        Entry(seq, body, link, msgspec.json.decode(body, type=Event), (json.loads(note) if note else {}).get("use", {}))
        for seq, body, link, note in [*pruned, *rows]
    ]
    aside = [path.name for path in device.core_state.glob("*damaged*")]
    return Books(journal_id, entries, sorted({*files, *aside}))


def audit(device: Device, record: Record, books: Books | None = None) -> list[str]:
    """What is wrong, a sentence for each thing, which begins with its kind; empty: everything held."""
    books = books or read_books(device)
    found = [
        *_chain(books),
        *_presentations(books, record, slow_answers(device)),
        *_openings(books),
        *_uses(books),
        *_handed(books, record),
    ]
    return [*found, *_relay(device, books, record)]


def _told(what: str, found: Iterable[object]) -> Iterator[str]:
    return (f"{what}: {one}" for one in found)


def summary(seed: object, found: Iterable[str]) -> list[str]:
    """For each kind of finding one sentence, with its number and the first of them."""
    kinds: dict[str, list[str]] = {}
    for text in found:
        what, _, one = text.partition(": ")
        kinds.setdefault(what, []).append(one)
    return [f"seed {seed}: {len(ones):,} {what}, first {ones[0]}" for what, ones in kinds.items()]


def _chain(books: Books) -> Iterator[str]:
    before, broken = CHAIN_START, []
    for number, entry in enumerate(books.entries, 1):
        if entry.seq != number or chain(before, entry.body) != entry.link:
            broken.append(number)
        before = entry.link
    yield from _told("breaks of the chain", broken)
    yield from _told("journals beside the first", books.files[1:])
    ids = Counter(entry.event.id for entry in books.entries)
    yield from _told("event ids used twice", [name for name, times in ids.items() if times > 1])


def slow_answers(device: Device) -> int:
    """How often the core said that a disk was too slow for an answer to wait for it (DECISIONS 11)."""
    return device.whole_log("core").count(SLOW_DISK)


def _presentations(books: Books, record: Record, slow: int) -> Iterator[str]:
    """Everything answered is there once, as it was answered, but for what a slow disk may have cost; what was not
    answered may be there once."""
    written = Counter((event.serial, event.lane, event.outcome) for event in books.of("decided"))
    answered: Counter[tuple[int, str, str]] = Counter()
    unanswered: Counter[tuple[int, str]] = Counter()
    for shown in record.shown:
        if shown.answer is None:
            unanswered[shown.serial, shown.lane] += 1
        elif not shown.answer.repeat:
            answered[shown.serial, shown.lane, shown.answer.outcome] += 1
    lost = answered - written
    yield from _told("presentations lost", [key for key in lost if lost.total() > slow])
    more = Counter({key[:2]: 0 for key in written})
    for key, times in written.items():
        more[key[:2]] += times - answered[key]
    yield from _told("presentations doubled", [key for key, times in more.items() if times > unanswered[key]])
    wrong = [s for s in record.shown if s.answer and s.expects and s.answer.outcome != s.expects]
    yield from _told("passes decided wrongly", wrong)
    yield from _told("presentations refused by the core", record.refused)


def _openings(books: Books) -> Iterator[str]:
    grants = [event.id for event in books.of(*_OPENINGS) if event.outcome == "grant"]
    passages = Counter(event.about for event in books.of("passage"))
    yield from _told("openings without an outcome", [about for about in grants if not passages[about]])
    yield from _told("openings with two outcomes", [about for about, times in passages.items() if times > 1])
    yield from _told("outcomes without an opening", passages.keys() - set(grants))
    answers = Counter(event.about for event in books.of("ruled"))
    answers.update(event.about for event in books.of("override") if event.about)
    refers = [event.id for event in books.of("decided") if event.outcome == "refer"]
    yield from _told("refers without an answer", [about for about in refers if not answers[about]])
    ruled = Counter(event.about for event in books.of("ruled"))
    yield from _told("refers answered twice", [about for about, times in ruled.items() if times > 1])


def _uses(books: Books) -> Iterator[str]:
    """Each passage of a person counts once, with the time of its opening; what nobody passed counts for nobody."""
    people = {event.id for event in books.of("decided", "ruled") if event.outcome == "grant"}
    wrong = []
    for entry in books.entries:
        event = entry.event
        counts = event.kind == "passage" and event.outcome in ("passed", "no_sensor") and event.about in people
        if counts != bool(entry.use) or (entry.use and entry.use["at_ms"] != event.commanded_ms):
            wrong.append(entry.seq)
    yield from _told("uses counted wrongly", wrong)


def _handed(books: Books, record: Record) -> Iterator[str]:
    yield from _told("numbers given to sync for two contents", record.changed)
    bodies = {(books.journal_id, entry.seq): entry.body for entry in books.entries}
    yield from _told("events given to sync and gone", [k for k, text in record.handed.items() if bodies.get(k) != text])


class Rises(NamedTuple):
    """When a lane's relay began to open, and whether it still does."""

    at: list[float]
    is_on: bool


def relay_rises(device: Device) -> dict[str, Rises]:
    """By lane, from what the simulated parts wrote down."""
    path = device.parts / "outputs.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    moves = [line for line in lines if line["what"] == "relay"]
    found = {}
    for lane in device.lanes:
        mine = [line for line in moves if line["lane"] == lane]
        found[lane] = Rises([line["t"] for line in mine if line["value"]], bool(mine) and mine[-1]["value"])
    return found


def _relay(device: Device, books: Books, record: Record) -> Iterator[str]:
    """Each rise has a recorded opening of its own, asked for not longer than LATE_S before; none is left on."""
    granted = {(event.serial, event.lane) for event in books.of("decided") if event.outcome == "grant"}
    causes: dict[str, list[float]] = defaultdict(list)
    for shown in record.shown:
        if (shown.serial, shown.lane) in granted:
            causes[shown.lane].append(shown.at)
    for pressed in record.pressed:
        causes[pressed.lane].append(pressed.at)
    for lane, rises in relay_rises(device).items():
        yield from _told(f"openings at {lane} that nobody asked for", _uncaused(rises.at, sorted(causes[lane])))
        yield from _told(f"relays left on at {lane}", [lane] if rises.is_on else [])


def _uncaused(rises: list[float], causes: list[float]) -> Iterator[str]:
    """Rises without a wish of their own, and how long before them the last one was."""
    waiting = iter(causes)
    cause = next(waiting, None)
    for at in rises:
        while cause is not None and cause < at - LATE_S:
            cause = next(waiting, None)
        if cause is None or cause > at:
            before = [each for each in causes if each <= at]
            yield f"at {at:.3f}, {at - before[-1]:.3f} s after the last wish" if before else f"at {at:.3f}"
        else:
            cause = next(waiting, None)
