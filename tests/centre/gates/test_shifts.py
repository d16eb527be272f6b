"""Guards' shifts at the centre: the sheet is the gate's own, and other compounds' stay theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.core.guards.shifts import DutyRoster
from kiosk.verbs import Presentation, Session
from sync.protocol import EventsAfter
from sync.server.centre.errors import NoSuchThing
from sync.server.gates import shifts
from sync.shifts import ShiftSheet
from tests.fixtures.centre import HOUR_MS, NOW, Gate, World
from tests.fixtures.events import Journal, event, send
from tests.fixtures.gate_parts import Bench, credential, row_of, text_of, usual_changes
from tests.fixtures.office import Office

LIN = Session(token="", name="Lin", role="guard", ends_in_s=1)


def worked_shift(folder: Path) -> tuple[list[str], ShiftSheet]:
    """The events of a gate at which a shift was worked, a reason given afterwards, and the sheet the gate makes."""
    shown = credential(8)
    bench = Bench(folder, [row_of(shown, state="suspended")], usual_changes(override_budget=1))
    roster = DutyRoster(bench.book, bench.journal, bench.clock, bench.kept)
    roster.begin("Lin")
    yellow = bench.gate.present(Presentation(lane="entry", text=text_of(shown)))
    bench.acts.rule(yellow.happening, True, "Lin", "papers")
    bench.drive_through()
    lines = [bench.acts.override("entry", True, 0, "Lin", "") for _ in range(2) if bench.go(20) is None]
    bench.book.record("camera_fault", lane="entry", outcome="on", why="camera_black")
    roster.note("Lin", "北侧货车明早再来")
    bench.go(20)
    roster.end(LIN, "")
    bench.acts.explain(lines[0].number, "Lin", "delivery")
    bench.events()
    made = roster.sheet(roster.latest()[0].shift)
    bodies = list(bench.journal.read(EventsAfter("", 0, 1000)).events)
    bench.stop()
    return bodies, made


def test_the_centre_makes_the_same_sheet_as_the_gate(world: World, tmp_path: Path) -> None:
    gate = world.gate().enrol()
    bodies, made = worked_shift(tmp_path / "gate")
    send(gate, Journal(bodies).batch(1, len(bodies)))
    world.now_ms = made.ended_ms + HOUR_MS
    (listed,) = shifts.list_shifts(world.centre, 7)
    assert (listed.gate_name, listed.sheet.by, listed.sheet.ended_ms) == ("东门", "Lin", made.ended_ms)
    assert shifts.get_shift(world.centre, 7, listed.gate, made.shift).sheet == made
    assert made.overrides[0].reason == "delivery" and len(made.unexplained) == 1 and made.notes
    (over,) = shifts.over_budget(world.centre, 7, made.begun_ms)
    assert (over.by, over.count, over.gate_name) == ("Lin", 1, "东门")


def on(gate: Gate, *told: str, first: int = 1, journal: str = "j1") -> None:
    send(gate, Journal(list(told), journal).batch(first, len(told)))


def test_a_shift_that_is_still_on_has_a_sheet_and_other_gates_have_theirs(world: World) -> None:
    east, west = world.gate().enrol(), world.gate(name="西门").enrol()
    assert east.enrolled and west.enrolled
    on(east, event(1, id="s1", kind="shift", outcome="on", by="Lin", at_ms=NOW), event(2, at_ms=NOW, outcome="grant"))
    on(west, event(1, id="s2", kind="shift", outcome="on", by="Wang", at_ms=NOW + 1))
    found = shifts.list_shifts(world.centre, 7)
    assert [(shift.gate_name, shift.sheet.by, shift.sheet.ended_ms) for shift in found] == [
        ("西门", "Wang", 0), ("东门", "Lin", 0),
    ]  # fmt: skip
    assert [shift.sheet.by for shift in shifts.list_shifts(world.centre, 7, east.enrolled.gate)] == ["Lin"]
    assert shifts.get_shift(world.centre, 7, east.enrolled.gate, "s1").sheet.decisions == {"grant": 1}
    assert shifts.list_shifts(world.centre, 8) == []
    for compound, gate, shift in ((7, west.enrolled.gate, "s1"), (8, east.enrolled.gate, "s1"), (7, "no", "s1")):
        with pytest.raises(NoSuchThing):
            shifts.get_shift(world.centre, compound, gate, shift)


def test_what_another_journal_or_a_later_shift_tells_is_not_on_the_sheet(world: World) -> None:
    gate = world.gate().enrol()
    assert gate.enrolled
    granted = {"at_ms": NOW, "outcome": "grant"}
    on(gate,
       event(1, id="s1", kind="shift", outcome="on", by="Lin", at_ms=NOW), event(2, **granted),
       event(3, id="x", kind="shift", outcome="off", about="s1", by="Lin", at_ms=NOW), event(4, **granted))  # fmt: skip
    on(gate, event(1, **granted), journal="j2")
    found = shifts.get_shift(world.centre, 7, gate.enrolled.gate, "s1").sheet
    assert (found.decisions, found.ended_by) == ({"grant": 1}, "Lin")


def test_events_that_cannot_be_read_do_not_stop_the_list(world: World) -> None:
    gate = world.gate().enrol()
    on(gate, '{"kind":"shift"', event(2, id="s1", kind="shift", outcome="on", by="Lin", at_ms=NOW))
    assert [shift.sheet.by for shift in shifts.list_shifts(world.centre, 7)] == ["Lin"]


def test_the_two_pages_say_it_in_either_language(world: World, tmp_path: Path) -> None:
    gate = world.gate().enrol()
    assert gate.enrolled
    bodies, made = worked_shift(tmp_path / "gate")
    send(gate, Journal(bodies).batch(1, len(bodies)))
    world.now_ms = made.ended_ms + HOUR_MS
    office = Office(world, "boss", mine=(7,), role="supervisor")
    page = office.get("/c/7/shifts").text
    assert "Lin" in page and "人工改判超过本班次数" in page and "东门，Lin：超出1次" in page
    sheet = office.get(f"/c/7/gates/{gate.enrolled.gate}/shifts/{made.shift}").text
    for told in ("Lin 的班", "北侧货车明早再来", "送货、维修", "摄像头，一片黑 · 还没好", "还没写原因：1次"):
        assert told in sheet


def test_the_office_says_of_an_annulled_act_that_it_was_and_counts_it_nowhere(world: World) -> None:
    gate = world.gate().enrol()
    assert gate.enrolled
    override = {"kind": "override", "outcome": "grant", "by": "Lin", "reason": "over_budget", "at_ms": NOW}
    on(gate,
       event(1, id="s1", kind="shift", outcome="on", by="Lin", at_ms=NOW), event(2, id="o1", **override),
       event(3, id="o2", **override), event(4, kind="annulled", about="o1", by="Lin", outcome="grant", at_ms=NOW + 1,
                                            reason=""))  # fmt: skip
    (over,) = shifts.over_budget(world.centre, 7, NOW)
    assert over.count == 1
    sheet = shifts.get_shift(world.centre, 7, gate.enrolled.gate, "s1").sheet
    assert (sheet.opened, sheet.over_budget, len(sheet.annulled)) == (1, 1, 1)
    office = Office(world, "boss", mine=(7,), role="supervisor")
    page = office.get("/c/7/events").text
    assert page.count("按错了，已作废") == 1 and page.count("人工改判") >= 2


def test_who_overrode_beyond_the_budget_is_told_on_every_page_to_those_who_see_events(world: World) -> None:
    gate = world.gate().enrol()
    override = {"kind": "override", "outcome": "grant", "by": "Lin", "reason": "over_budget", "at_ms": NOW}
    on(gate, event(1, id="o1", **override), event(2, id="o2", **override, dwelling="3-2-501"))
    told = "东门，Lin：超出2次"
    for role, path, seen in (("property", "/c/7/review", True), ("supervisor", "/c/7/guards", True),
                             ("supervisor", "/c/8/guards", False), ("clerk", "/c/7/passes", False)):  # fmt: skip
        office = Office(world, f"{role}{path[3]}", mine=(7, 8), role=role)  # type: ignore[arg-type]
        assert (told in office.get(path).text) is seen, (role, path)
    assert "给3-2-501" in Office(world, "boss", mine=(7,)).get("/c/7/events").text
    world.now_ms += 25 * HOUR_MS
    assert told not in Office(world, "boss2", mine=(7,)).get("/c/7/review").text
