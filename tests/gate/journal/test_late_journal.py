"""What earlier runs left in the journal: taken up whenever the file comes, and however far back it lies."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.core.journal import Standing, UseRow, Uses
from kiosk.core.journal.standing import OpenMatter
from kiosk.verbs import Presentation, PresentationAnswer
from sync.protocol import Event
from tests.fixtures.gate_parts import NOON_MS, Bench, credential, row_of, text_of

CARD, OTHER, SUSPENDED = credential(5), credential(6), credential(8)
ROWS = [
    row_of(CARD), row_of(OTHER, dwelling="1-1-101", household=13), row_of(SUSPENDED, state="suspended", household=15),
]  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "gate", ROWS, lanes={"entry": "in", "side": "in"})
    yield made
    made.stop()


def show(bench: Bench, card: str = text_of(CARD), lane: str = "entry") -> PresentationAnswer:
    return bench.gate.present(Presentation(lane=lane, text=card, source="camera"))


def until(true: Callable[[], bool]) -> bool:
    waiting = threading.Event()
    return any(true() or waiting.wait(0.02) for _ in range(500))


def start_without_its_disk(bench: Bench) -> None:
    """The next run, whose folder is out of reach."""
    core, away = bench.folder / "core", bench.folder / "away"
    bench.stop()
    core.rename(away)
    (bench.folder / "blocked").write_text("a file, and no folder")
    core.symlink_to("blocked")
    bench.start()


def bring_the_disk(bench: Bench) -> None:
    link = bench.folder / "link"
    link.symlink_to("away")
    link.replace(bench.folder / "core")  # at once: the writer must find no place in between
    bench.journal.append(Event(id="mark", kind="mark", at_ms=0)).wait(5)
    assert until(lambda: not bench.journal.health().why)
    bench.gate.tick()


def many_calls(bench: Bench, count: int) -> None:
    for _ in range(count // 250):
        promises = [bench.journal.append(Event(id=f"c{n}", kind="call", at_ms=NOON_MS)) for n in range(250)]
        assert all(promise.wait(10) for promise in promises)


def test_uses_are_taken_up_when_the_file_comes_late_and_none_is_counted_twice(bench: Bench) -> None:
    show(bench)
    bench.drive_through()
    start_without_its_disk(bench)
    assert show(bench, text_of(OTHER)).outcome == "grant"
    bench.drive_through()
    bring_the_disk(bench)
    assert show(bench).reason == "passback"
    assert [bench.gate.uses.today(0, household, 0, ("in",))[1] for household in (12, 13)] == [1, 1]


def test_an_opening_of_an_earlier_run_is_interrupted_late_and_none_of_this_run(bench: Bench) -> None:
    show(bench)
    show(bench, text_of(SUSPENDED), "side")
    start_without_its_disk(bench)
    show(bench, text_of(OTHER))
    bring_the_disk(bench)
    first, yellow, own = bench.events("decided")
    assert [(e.about, e.outcome) for e in bench.events("passage")] == [(first.id, "interrupted")]
    assert [(e.about, e.reason) for e in bench.events("ruled")] == [(yellow.id, "interrupted")]
    bench.drive_through()
    assert [(e.about, e.outcome) for e in bench.events("passage")][1:] == [(own.id, "passed")]


def test_a_lockdown_comes_late_but_not_over_what_this_run_ordered(bench: Bench) -> None:
    for lane in ("entry", "side"):
        bench.acts.lockdown(lane, True, "Zhao", "drill")
    bench.stop()
    (bench.folder / "kept.json").unlink()
    bench.start()  # the journal's word alone
    start_without_its_disk(bench)
    bench.kept.change(lockdown=())
    bench.acts.lockdown("side", False, "Zhao", "over")
    assert show(bench).outcome == "grant"
    bring_the_disk(bench)
    assert bench.kept.now.lockdown == ("entry",)


def test_what_stands_is_found_however_many_events_lie_after_it(bench: Bench) -> None:
    show(bench)
    bench.acts.lockdown("side", True, "Zhao", "drill")
    many_calls(bench, 1500)
    bench.stop()
    (bench.folder / "kept.json").unlink()
    bench.start()
    bench.events("passage")
    assert bench.kept.now.lockdown == ("side",)
    assert bench.journal.past.standing.open.popitem()[1] == OpenMatter("entry", "grant")


def test_a_journal_of_an_older_program_says_what_stands_too(bench: Bench) -> None:
    show(bench)
    bench.acts.lockdown("side", True, "Zhao", "drill")
    many_calls(bench, 1500)
    bench.stop()
    (path,) = (bench.folder / "core").glob("journal-*.db")
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        marks = conn.execute("""UPDATE event SET note = NULL WHERE note LIKE '%"stands"%'""").rowcount
    assert marks > 5
    bench.start()
    assert bench.journal.past.standing.lockdown == {"side": True}
    assert len(bench.journal.past.standing.open) == 1


def test_a_new_journal_goes_on_from_what_stood_in_the_damaged_one(bench: Bench) -> None:
    show(bench)
    core = bench.folder / "core"
    (path,) = core.glob("journal-*.db")
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("DROP TABLE event")
    many_calls(bench, 250)
    bench.restart()
    assert [e.outcome for e in bench.events("passage")] == ["interrupted"]


def test_of_two_steps_of_one_credential_the_higher_stands() -> None:
    uses = Uses([UseRow(1, NOON_MS, "in")], {1: 10, 2: 10})
    uses.take([UseRow(1, NOON_MS + 1, "in")], {1: 9, 2: 11, 3: 5})
    assert uses.steps == {1: 10, 2: 11, 3: 5}
    assert uses.today(1, 0, 0, ("in",)) == (2, 0)


def test_what_stands_ends_with_its_passage_or_its_answer() -> None:
    def event(id_: str, kind: str, **fields: str) -> Event:
        return Event(id=id_, kind=kind, at_ms=0, lane="entry", **fields)  # type: ignore[arg-type]

    asked = [event("a", "decided", outcome="refer"), event("b", "decided", outcome="grant"),
             event("c", "decided", outcome="deny")]  # fmt: skip
    ruled = event("d", "ruled", outcome="grant", about="a")
    left = [event("e", "passage", outcome="not_passed", about="b"), event("f", "override", outcome="deny", about="d")]
    standing = Standing().after(asked)
    assert set(standing.open) == {"a", "b"}
    assert set(standing.after([ruled]).open) == {"b", "d"}
    assert standing.after([ruled, *left]).open == {"d": OpenMatter("entry", "grant")}
