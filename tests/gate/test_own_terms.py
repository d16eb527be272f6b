"""Passes with terms of their own at a real gate: what is counted outlasts restarts, pruning and a damaged file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.core.journal import Journal, UseRow
from kiosk.core.journal.uses import Uses, lasting
from kiosk.verbs import Presentation, PresentationAnswer
from sync.protocol import CredentialRow, Event, Terms, Window, write_terms
from tests.fixtures.gate_parts import (
    DAY_MS,
    NOON_MS,
    Bench,
    credential,
    row_of,
    text_of,
    usual_changes,
)

VISITOR = credential(70, kind="visitor")
OTHER = credential(71, kind="visitor")
CARD = credential(72)
PHONE = credential(73, medium="phone")
Maker = Callable[..., Bench]


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Maker:
    def made(*rows: CredentialRow, lanes: dict[str, str] | None = None, **rules: object) -> Bench:
        bench = Bench(tmp_path, rows, usual_changes(passback_s=0, **rules), lanes, inputs=("passage",))
        request.addfinalizer(bench.stop)
        return bench

    return made


def limited(**terms: object) -> CredentialRow:
    return row_of(VISITOR, terms=write_terms(Terms(**terms)))  # type: ignore[arg-type]


def show(bench: Bench, text: str = "", lane: str = "entry") -> PresentationAnswer:
    return bench.gate.present(Presentation(lane=lane, text=text or text_of(VISITOR), source="camera"))


def come_in(bench: Bench, lane: str = "entry") -> str:
    """Show the visitor's pass and drive through where it opens; the reason."""
    shown = show(bench, lane=lane)
    if shown.outcome == "grant":
        bench.drive_through(lane)
    bench.go(15)
    return shown.reason


def leap(bench: Bench, seconds: float) -> None:
    """Let time go on in one step, with nobody there."""
    bench.time.go(seconds)
    bench.gate.tick()


def test_a_forwarded_picture_does_not_open_a_second_time_where_the_rule_says_one(make: Maker) -> None:
    bench = make(row_of(VISITOR), row_of(OTHER), lanes={"entry": "in", "exit": "out"}, entries_kind={"visitor": 1})
    assert [come_in(bench) for _ in range(3)] == ["ok", "used_up", "used_up"]
    assert show(bench, text_of(OTHER)).outcome == "grant", "another visitor's own"
    assert come_in(bench, "exit") == "ok", "nobody is kept in"
    bench.restart()
    counted_ = bench.journal.past.counted
    assert sorted((row.direction, row.kept_until_ms > 0) for row in counted_) == [("in", True), ("out", False)]


def test_two_who_hold_the_same_picture_up_at_once_are_one_entry(make: Maker) -> None:
    bench = make(limited(entries=1), lanes={"entry": "in", "side": "in"})
    assert show(bench).outcome == "grant"
    assert show(bench, lane="side").reason == "used_up", "the first is on the way through"


def test_who_did_not_pass_has_used_no_entry(make: Maker) -> None:
    bench = make(limited(entries=1))
    assert show(bench).outcome == "grant"
    bench.go(40)
    assert come_in(bench) == "ok" and come_in(bench) == "used_up"


def test_card_and_phone_share_the_entries_of_their_pass(make: Maker) -> None:
    terms = write_terms(Terms(entries=1))
    bench = make(row_of(CARD, number="A-1", terms=terms), row_of(PHONE, number="A-1", terms=terms))
    assert show(bench, text_of(CARD)).outcome == "grant"
    bench.drive_through()
    bench.go(15)
    assert show(bench, text_of(PHONE, bench.time.utc_ms)).reason == "used_up"


def test_an_entry_by_a_guards_word_counts(make: Maker) -> None:
    bench = make(limited(entries=2))
    assert come_in(bench) == "ok"
    bench.acts.override("entry", True, bench.live[0].number, "Lin", "known")
    bench.drive_through()
    bench.go(15)
    assert come_in(bench) == "used_up"


def test_entries_are_remembered_over_restarts_and_long_after_other_uses(make: Maker) -> None:
    bench = make(limited(entries=2))
    assert come_in(bench) == "ok"
    bench.restart()
    assert come_in(bench) == "ok"
    leap(bench, 5 * 24 * 3600)
    assert come_in(bench) == "used_up", "forgotten in memory"
    bench.restart()
    assert come_in(bench) == "used_up", "forgotten on disk"


def test_a_restart_without_the_time_still_knows_the_entries(make: Maker) -> None:
    bench = make(limited(entries=1))
    assert come_in(bench) == "ok"
    bench.restart(trusted=False)
    assert bench.clock.now().state == "untrusted" and come_in(bench) == "used_up"


@pytest.mark.parametrize(("seconds", "reason"), [(-1, "ok"), (0, "day_over"), (1, "day_over")])
def test_a_pass_for_one_day_is_over_at_midnight_whatever_was_restarted(make: Maker, seconds: int, reason: str) -> None:
    bench = make(limited(one_day=True))
    assert come_in(bench) == "ok"
    bench.restart()
    leap(bench, (NOON_MS + DAY_MS // 2 - bench.time.utc_ms) / 1000 + seconds)
    assert show(bench).reason == reason


def test_an_entry_without_the_time_begins_no_day(make: Maker) -> None:
    """Such a clock may be days behind: the day it says would be over at once."""
    bench = make(limited(one_day=True))
    bench.restart(trusted=False)
    assert come_in(bench) == "ok"
    bench.restart()
    leap(bench, 24 * 3600)
    assert come_in(bench) == "ok" and come_in(bench) == "ok"


def test_guards_read_hours_and_entries_and_the_lane_shows_none(make: Maker) -> None:
    bench = make(limited(entries=3, hours=(Window(0, 1440),)))
    come_in(bench)
    come_in(bench)
    lines = [line for line in bench.live if line.kind == "decision"]
    assert [(line.terms.entries, line.entered) for line in lines] == [(3, 0), (3, 1)]
    assert lines[0].terms.hours == (Window(0, 1440),)
    assert bench.gate.lanes["entry"].told.limits.hours == ()


def test_the_lane_shows_bystanders_the_hours_of_a_kind_and_not_of_one_person(make: Maker) -> None:
    windows = (Window(0, 60),)
    bench = make(limited(hours=windows), row_of(OTHER), hours={"visitor": (Window(0, 120),)})
    for text, hours, at_lane in ((text_of(VISITOR), windows, ()), (text_of(OTHER), *[(Window(0, 120),)] * 2)):
        assert show(bench, text).reason == "outside_hours"
        told = bench.gate.lanes["entry"].told
        assert (told.reason, told.limits.hours) == ("outside_hours", at_lane)
        assert bench.live[-1].limits.hours == hours
        bench.go(15)


# --- the journal ------------------------------------------------------------------------------------------------------

KEPT = UseRow(5, NOON_MS, "in", 0, NOON_MS + 40 * DAY_MS)


def filled(folder: Path, days: int, rows: int, first: UseRow | None = KEPT) -> None:
    """A journal with that use at its beginning and so many events some days later, all of them acknowledged."""
    at = NOON_MS
    journal = Journal(folder, lambda: at)
    journal.append(Event(id="first", kind="passage", at_ms=at), use=first).wait(5)
    at = NOON_MS + days * DAY_MS
    for number in range(rows):
        journal.append(Event(id=f"{number}", kind="call", at_ms=at), urgent=False)
    journal.prune(rows)
    journal.append(Event(id="last", kind="call", at_ms=at)).wait(10)
    journal.append(Event(id="after", kind="call", at_ms=at)).wait(10)
    journal.close()


def counted(folder: Path) -> list[UseRow]:
    journal = Journal(folder, lambda: NOON_MS)
    found = journal.past.counted
    journal.close()
    return found


def oldest(folder: Path) -> int:
    (path,) = folder.glob("journal-*.db")
    with closing(sqlite3.connect(path)) as conn:
        return int(conn.execute("SELECT min(seq) FROM event").fetchone()[0])


def test_a_use_that_lasts_outlives_the_row_it_stood_in(tmp_path: Path) -> None:
    filled(tmp_path, 31, 450)
    assert oldest(tmp_path) > 1, "its row is pruned"
    assert counted(tmp_path) == [KEPT]


@pytest.mark.parametrize(("days", "kept"), [(39, [KEPT]), (41, [])])
def test_a_use_lasts_until_its_pass_has_ended(tmp_path: Path, days: int, kept: list[UseRow]) -> None:
    filled(tmp_path, days, 450)
    assert counted(tmp_path) == kept


def test_a_use_that_lasts_is_taken_along_when_a_damaged_journal_is_set_aside(tmp_path: Path) -> None:
    filled(tmp_path, 1, 5)
    (path,) = tmp_path.glob("journal-*.db")
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE event SET chain = x'00' WHERE seq = 4")
    assert counted(tmp_path) == [KEPT]
    assert counted(tmp_path) == [KEPT], "and stands in the new one"
    assert list(tmp_path.glob("*damaged*"))


@pytest.mark.parametrize(
    ("seconds", "kept"), [(-1, [KEPT]), (0, []), (1, [])],
)  # fmt: skip
def test_what_lasts_is_forgotten_with_the_second(seconds: int, kept: list[UseRow]) -> None:
    now_ms = KEPT.kept_until_ms + seconds * 1000
    assert lasting([KEPT, KEPT], now_ms) == kept
    uses = Uses([KEPT, UseRow(6, NOON_MS, "in")])
    uses.forget(now_ms, now_ms)
    assert uses.entries(5, ("in",))[0] == len(kept) and uses.entries(6, ("in",)) == (0, None)


def test_a_pass_that_was_extended_keeps_its_earlier_entries() -> None:
    later = UseRow(5, NOON_MS + DAY_MS, "in", 0, NOON_MS + 99 * DAY_MS)
    assert lasting([KEPT, later], KEPT.kept_until_ms + 1) == [KEPT, later]
