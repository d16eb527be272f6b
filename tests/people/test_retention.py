"""What is kept until when: every clock at its limit, what a run deletes and what it leaves, and its certificate."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, insert, select, update

from sync.server import words
from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.passes import bulk, compounds, passes
from sync.server.people.households import households, sealed_answers
from sync.server.people.households.application import Applicant
from sync.server.people.households.field_groups import (
    ADVICE,
    ANSWERS,
    CONTACT,
    FIELDS,
    HEALTH,
    IDENTITY,
    JOURNEY,
    LETTER,
    NUMBER,
    RESIDENCE,
    TRAVEL,
    Field,
    asked_of_person,
    emptied_by,
    exported_of_person,
)  # fmt: skip
from sync.server.people.keeping import deleting, erasure, retention
from sync.server.people.keeping.retention import DAY_MS, Periods
from sync.server.people.registers import registers
from tests.fixtures import people
from tests.fixtures.centre import World
from tests.fixtures.office import Office
from tests.fixtures.people import write_over
from tests.fixtures.settled import CHILD, LAST_DAY, NAME, PASSPORT, PHONE, PLATE, TOWN, settle

SECRET_WORDS = (NAME, CHILD, PHONE, PASSPORT, PLATE, TOWN, "她说独一去了独山")


def set_end(world: World, **changes: Any) -> None:
    with world.centre.store.read() as conn:
        periods = retention.read_periods(conn)
    days = dict(periods.days) | changes
    retention.set_periods(world.centre, Periods(measure_end=LAST_DAY, days=days), "zhang")


def end_ms(world: World) -> int:
    """When the measure is over and households are due."""
    zone = compounds.read_compound(world.centre, 7).timezone
    return passes.read_time(LAST_DAY, zone, True) + 30 * DAY_MS


def everything(world: World, compound: int) -> list[Any]:
    found = [table for table in tables.metadata.sorted_tables if "compound_id" in table.c]
    with world.centre.store.read() as conn:
        return [conn.execute(select(table).where(table.c.compound_id == compound)).all() for table in found]


def due(world: World, kind: str) -> int:
    with world.centre.store.read() as conn:
        compound = compounds.read_compound(world.centre, 7)
        found = retention.look(conn, [compound], retention.read_periods(conn), world.now_ms)
    return next(one.due for one in found if one.kind == kind)


def count(world: World, table: Any, compound: int = 7) -> int:
    with world.centre.store.read() as conn:
        wanted = select(func.count()).select_from(table).where(table.c.compound_id == compound)
        return int(conn.execute(wanted).scalar_one())


# A whole household


def test_after_the_run_nothing_of_the_household_is_left_anywhere(world: World) -> None:
    settle(world)
    settle(world, 8)
    others = everything(world, 8)
    set_end(world)
    world.now_ms = end_ms(world)
    made = erasure.erase(world.centre, 7, "timer")
    assert made and made.counts["household"] == 1 and made.counts["person"] == 2 and made.counts["pass"] == 4
    text = repr(everything(world, 7))
    assert [word for word in SECRET_WORDS if word in text] == []
    marks = [world.centre.vault.mark("phone", PHONE), world.centre.vault.mark("doc", f"passport:{PASSPORT}")]
    assert [mark for mark in marks if repr(mark) in text] == []
    assert everything(world, 8) == others
    assert count(world, tables.dwelling) == 1, "dwellings stay"


def test_not_even_in_the_bytes_of_the_file(world: World) -> None:
    settle(world)
    files = [world.state / "centre.db", world.state / "centre.db-wal"]

    def found() -> set[str]:
        data = b"".join(path.read_bytes() for path in files if path.exists())
        return {word for word in SECRET_WORDS if word.encode() in data}

    assert {NAME, CHILD, PLATE} <= found() and TOWN not in found()
    set_end(world)
    world.now_ms = end_ms(world)
    erasure.erase(world.centre, 7, "timer")
    assert found() == set()


def test_gates_forget_its_passes_and_prepared_lists_are_gone(world: World) -> None:
    settle(world)
    staying = world.issue(7, label="物*", kind="property_staff", valid_until_ms=end_ms(world) + DAY_MS)
    gate = world.gate().enrol()
    gate.follow()
    assert len(gate.rows) == 5
    assert gate.get("/snapshot").status_code == 200
    lists = world.state / "snapshots" / "7"
    assert list(lists.glob("list-*"))
    set_end(world)
    world.now_ms = end_ms(world)
    erasure.erase(world.centre, 7, "timer")
    gate.follow()
    states = sorted((row.state, row.label, row.dwelling, row.plate, row.number) for row in gate.rows.values())
    assert states == [("active", "物*", "", "", staying.number), *[("gone", "", "", "", "")] * 4]
    assert not list(lists.glob("list-*"))


def test_a_moment_earlier_nothing_is_touched(world: World) -> None:
    settle(world)
    set_end(world, travel=3650, visitor=3650, activation=3650, draft=3650)
    world.now_ms = end_ms(world) - 1
    before = everything(world, 7)
    assert erasure.erase(world.centre, 7, "timer") is None
    assert everything(world, 7) == before


def test_while_the_measure_is_in_force_its_households_stay(world: World) -> None:
    settle(world)
    world.now_ms += 3000 * DAY_MS
    erasure.erase(world.centre, 7, "timer")
    assert count(world, tables.household) == 1 and count(world, tables.person) == 2
    with world.centre.store.read() as conn:
        names = set(conn.execute(select(tables.person.c.name)).scalars())
        assert names == {NAME, CHILD}
        assert set(conn.execute(select(tables.person.c.sealed_travel)).scalars()) == {b""}
        assert {person.health for person in households.people_of(conn, 7, 1)} == {""}


# Every clock, a moment on each side


def _decided(world: World, state: str) -> None:
    done = people.apply(world.centre)
    with world.centre.writing(7, "wang") as writing:
        if state == "approved":
            households.approve(writing, world.centre, done.household_id)
        elif state in ("cancelled", "moved"):
            households.end(writing, done.household_id, state)
        elif state != "applied":
            households.decide(writing, done.household_id, state, told="x")


def _add(world: World, table: Any, **row: Any) -> None:
    with world.centre.store.write() as conn:
        conn.execute(insert(table).values({"compound_id": 7} | row))


def _event(world: World) -> None:
    _add(world, tables.event, device_id="d1", journal_id="j1", seq=1, at_ms=world.now_ms, kind="decided", lane="in",
         outcome="grant", reason="ok", scope=7, serial=1, event="{}")  # fmt: skip


def _unreadable_event(world: World) -> None:
    _add(world, tables.unreadable_event, device_id="d1", journal_id="j1", seq=1, received_ms=world.now_ms, why="x",
         event="{")  # fmt: skip


def _export(world: World) -> None:
    _add(world, tables.export, export_id="e1", at_ms=world.now_ms, by="wang", what="residents", chosen="", whole=False,
         rows=0, households="[]")  # fmt: skip


def _notice(world: World) -> None:
    done = people.apply(world.centre)
    _add(world, tables.notice, household_id=done.household_id, notice_id="n1", at_ms=0, kind="x",
         sealed_phone=b"", sent_ms=world.now_ms)  # fmt: skip


CLOCKS: dict[str, tuple[Any, int]] = {
    "draft": (lambda w: _add(w, tables.draft, draft_mark=b"1", sealed_body=b"", updated_ms=w.now_ms), 7),
    "ended": (lambda w: _decided(w, "moved"), 30),
    "not_here": (lambda w: _decided(w, "not_here"), 30),
    "travel": (lambda w: _decided(w, "approved"), 30),
    "pass": (lambda w: w.issue(valid_until_ms=w.now_ms + 1), 30),
    "notice": (_notice, 7),
    "passage": (_event, 30),
    "quarantine": (_unreadable_event, 30),
    "export": (_export, 180),
    "audit": (lambda w: w.gate(), 180),
}  # fmt: skip


@pytest.mark.parametrize("kind", CLOCKS)
def test_a_clock_runs_out_to_the_millisecond(world: World, kind: str) -> None:
    world.now_ms += 1000 * DAY_MS
    erasure.erase(world.centre, 7, "before")
    begin, days = CLOCKS[kind]
    begin(world)
    late = 1 if kind == "pass" else 0
    world.now_ms += days * DAY_MS + late - 1
    assert due(world, kind) == 0
    made = erasure.erase(world.centre, 7, "timer")
    assert made is None or kind not in made.counts
    world.now_ms += 1
    assert due(world, kind) > 0
    made = erasure.erase(world.centre, 7, "timer")
    assert made and made.counts[kind if kind not in ("ended", "not_here") else "household"] > 0
    assert due(world, kind) == 0


def test_all_clocks_run_out_in_one_run(world: World) -> None:
    for kind, (begin, _) in CLOCKS.items():
        if kind not in ("ended", "notice"):
            begin(world)
    world.now_ms += 200 * DAY_MS
    made = erasure.erase(world.centre, 7, "timer")
    gone = {"draft", "household", "travel", "pass", "passage", "quarantine", "export", "audit"}
    assert made and gone <= set(made.counts)
    assert {one.due for one in retention.due(world.centre, [7])} == {0}


@pytest.mark.parametrize(("ahead_days", "goes"), [(30, False), (31, True), (10_000, True)])
def test_a_gate_whose_clock_runs_far_ahead_keeps_nothing_for_ever(world: World, ahead_days: int, goes: bool) -> None:
    now_ms = world.now_ms
    world.now_ms += ahead_days * DAY_MS
    _event(world)
    world.now_ms = now_ms
    assert due(world, "passage") == int(goes)
    erasure.erase(world.centre, 7, "timer")
    assert count(world, tables.event) == int(not goes)


@pytest.mark.parametrize("state", ["applied", "correct", "observe"])
def test_what_waits_for_a_decision_keeps_its_travel_and_health(world: World, state: str) -> None:
    _decided(world, state)
    world.now_ms += 100 * DAY_MS
    assert due(world, "travel") == 0


def test_an_objection_keeps_a_household_that_was_said_not_to_live_here(world: World) -> None:
    _decided(world, "not_here")
    with world.centre.store.write() as conn:
        write_over(conn, tables.household, objection="我住这里")
    world.now_ms += 100 * DAY_MS
    assert due(world, "not_here") == 0


def test_a_visitor_goes_with_the_pass_of_the_day_counted_in_local_days(world: World) -> None:
    settle(world)
    zone = compounds.read_compound(world.centre, 7).timezone
    with world.centre.store.read() as conn:
        day = conn.execute(select(tables.visitor.c.day)).scalar_one()
    world.now_ms = passes.read_time(day, zone, False) + 30 * DAY_MS - 1
    assert due(world, "visitor") == 0
    world.now_ms += 1
    assert due(world, "visitor") == 1
    before = count(world, tables.pass_)
    erasure.erase(world.centre, 7, "timer")
    assert count(world, tables.visitor) == 0 and count(world, tables.pass_) == before - 1


@pytest.mark.parametrize("kind", ["document", "signature"])
def test_a_shorter_period_empties_what_it_is_about_and_leaves_the_rest(world: World, kind: str) -> None:
    settle(world)
    set_end(world, **{kind: 0}, travel=3650, visitor=3650)
    world.now_ms = end_ms(world) - 30 * DAY_MS
    assert due(world, kind) == 1
    made = erasure.erase(world.centre, 7, "timer")
    assert made and made.counts[kind] == 1 and "household" not in made.counts
    with world.centre.store.read() as conn:
        home = conn.execute(select(tables.household)).one()
        person = conn.execute(select(tables.person).where(tables.person.c.place == 0)).one()
    assert person.name == NAME and person.doc_masked and home.letter_signed_ms
    emptied = {
        "document": (person.sealed_doc, person.doc_mark, person.sealed_phone, home.sealed_phone, home.phone_mark),
        "signature": (home.sealed_signature, home.sealed_letter_name),
    }
    assert {name: set(values) == {b""} for name, values in emptied.items()} == {name: name == kind for name in emptied}


# Fields of the form


@pytest.mark.parametrize("table", [tables.person, tables.household, tables.vehicle], ids=lambda table: table.name)
def test_every_column_belongs_to_exactly_one_group(table: Any) -> None:
    grouped = sorted(field.column for field in FIELDS if field.table == table.name)
    assert grouped == sorted(table.c.keys()), "give each column its group in people/households/field_groups.py"


def test_every_answer_of_the_form_is_read_from_the_page_and_kept() -> None:
    asked = asked_of_person(*{one.group for one in (*FIELDS, *ANSWERS.values())})
    of_the_form = set(asked) | {"stayed", "journeys", "same_residence", "travelled"}
    assert of_the_form == set(Applicant.__struct_fields__)
    assert set(asked_of_person(IDENTITY, CONTACT, RESIDENCE, JOURNEY, HEALTH)) == set(asked)


def test_the_residents_register_has_every_exported_field() -> None:
    assert set(exported_of_person()) <= set(registers.Resident.__struct_fields__)


SHORT_LIVED = [field for field in FIELDS if field.group in (HEALTH, JOURNEY, ADVICE, NUMBER, LETTER)]


def test_health_and_journeys_are_erased_by_the_clock_of_travel() -> None:
    assert HEALTH.clock == JOURNEY.clock == "travel"
    assert {"contact", "health", "quarantine", "arrived"} <= set(sealed_answers.TRAVELLED)
    assert TRAVEL in emptied_by("travel", "person")
    assert {ANSWERS[name].group.clock for name in sealed_answers.TRAVELLED} == {"travel"}


@pytest.mark.parametrize("field", SHORT_LIVED, ids=lambda field: f"{field.table}.{field.column}")
def test_the_run_empties_a_field_when_the_clock_of_its_group_runs_out(world: World, field: Field) -> None:
    settle(world)
    clock, table = field.group.clock, tables.metadata.tables[field.table]
    column, empty = table.c[field.column], deleting.empty_of(table.c[field.column])
    set_end(world, visitor=3650, **{kind: 0 if kind == clock else 3650 for kind in ("travel", "document", "signature")})
    wipe = {one: deleting.empty_of(one) for columns in deleting.emptied_columns(clock).values() for one in columns}
    with world.centre.store.write() as conn:
        for owner in (tables.person, tables.household):
            mine = {one.name: value for one, value in wipe.items() if one.table is owner}
            if mine:
                conn.execute(update(owner).values(mine))
        conn.execute(update(table).values({field.column: b"x" if empty == b"" else "x"}))
    world.now_ms = end_ms(world) - 30 * DAY_MS
    assert due(world, clock) == 1, "this column alone makes its household due"
    erasure.erase(world.centre, 7, "timer")
    with world.centre.store.read() as conn:
        assert set(conn.execute(select(column)).scalars()) == {empty}


# The run


def test_a_large_run_is_many_small_transactions_and_one_certificate(world: World) -> None:
    for _ in range(7):
        people.approved(world.centre)
    set_end(world)
    world.now_ms = end_ms(world)
    made = erasure.erase(world.centre, 7, "timer", most=3)
    assert made and made.counts["household"] == 7 and made.counts["person"] == 7
    with world.centre.store.read() as conn:
        assert erasure.list_certificates(conn, [7]) == [made]
        assert erasure.get_certificate(conn, 7, made.erasure_id) == made
        with pytest.raises(NoSuchThing):
            erasure.get_certificate(conn, 8, made.erasure_id)
    assert [entry.about for entry in audit.newest(world.centre, 7, "erase")] == [made.erasure_id]


def test_anybody_can_take_the_digest_of_a_certificate_again(world: World) -> None:
    _event(world)
    world.now_ms += 30 * DAY_MS
    made = erasure.erase(world.centre, 7, "timer")
    assert made
    content = erasure.content_of(made)
    assert hashlib.sha256(content.encode()).hexdigest() == made.digest
    told = json.loads(content)
    assert told["counts"] == {"passage": 1} and (told["by"], told["compound_id"]) == ("timer", 7)
    changed = msgspec.structs.replace(made, counts={"passage": 2})
    assert erasure.digest_of(changed) != made.digest


def test_the_whole_run_takes_every_compound_and_the_towns_own_record(world: World) -> None:
    set_end(world)
    for compound in (7, 8):
        settle(world, compound)
    world.now_ms = end_ms(world) + 180 * DAY_MS
    assert {made.compound_id for made in erasure.erase_all(world.centre, "timer")} == {7, 8}
    assert audit.find_town(world.centre, audit.RecordFilter()) == ([], False)
    assert erasure.erase_all(world.centre, "timer") == []
    with pytest.raises(NoSuchThing):
        erasure.erase_all(world.centre, "timer", [9])


# What the town sets


def test_periods_are_kept_with_a_record_of_what_changed(world: World) -> None:
    set_end(world, draft=14)
    with world.centre.store.read() as conn:
        periods = retention.read_periods(conn)
    assert (periods.measure_end, periods.days["draft"], periods.days["travel"]) == (LAST_DAY, 14, 30)
    (entry,) = audit.find_town(world.centre, audit.RecordFilter(what="set-periods"))[0]
    assert (entry.by, entry.about) == ("zhang", f"measure_end {LAST_DAY}, draft 14")


@pytest.mark.parametrize(
    ("measure_end", "days"),
    [("soon", {}), ("2027-02-30", {}), ("", {"draft": -1}), ("", {"draft": 3651}), ("", {"audit": 89}), ("", {"x": 1})],
)
def test_what_is_no_period_is_refused(world: World, measure_end: str, days: dict[str, int]) -> None:
    with pytest.raises(CentreError) as refused:
        retention.set_periods(world.centre, Periods(measure_end=measure_end, days=days), "zhang")
    assert refused.value.zh


def test_a_resident_is_told_every_clock_with_its_last_day_where_that_is_known(world: World) -> None:
    assert {clock.until for clock in retention.clocks(world.centre)} == {""}
    set_end(world)
    told = {clock.kind: clock for clock in retention.clocks(world.centre)}
    assert (told["household"].until, told["travel"].days, told["travel"].until) == ("2027-03-30", 30, "")
    assert {"household", "travel", "document", "signature", "passage", "audit"} <= told.keys()


STAYS = {
    "compound", "counter", "signing_key", "gate", "device", "enrolment", "signed_change", "guard", "journal", "desk",
    "cursor_ahead", "past_life", "rules", "staff", "staff_compound", "setting", "area",  # the centre's own
    "ended_session",  # a hash, until the session would have ended by itself: the next sign-out drops it
    "dwelling", "coverage", "erasure",  # houses, numbers and certificates without a person in them
    "unsealed",  # empty from the moment on in which an older version's words are sealed
    "credential",  # numbers only; deleted passes leave tombstones, which `prune` drops
}  # fmt: skip
WITH_OTHERS = {"vehicle", "person", "browser", "town_audit"}
"""Deleted with their household, their pass, or by the run itself."""


def test_every_table_has_a_clock_or_a_reason_to_stay() -> None:
    clocked = {kind.table.name for kind in retention.ALL_KINDS}
    undecided = {table.name for table in tables.metadata.sorted_tables} - clocked - WITH_OTHERS - STAYS
    assert undecided == set(), "give each of these a clock in people/retention.py, or say here why it stays"
    assert not clocked & STAYS


# The pages


@pytest.fixture
def zhang(world: World) -> Office:
    return Office(world, "zhang", everywhere=True, role="town")


def fields(**changes: str) -> dict[str, str]:
    return {"do": "save", "measure_end": LAST_DAY} | changes


def test_periods_that_make_something_due_at_once_have_to_be_confirmed(world: World) -> None:
    settle(world)
    world.now_ms = end_ms(world)
    zhang = Office(world, "zhang", everywhere=True, role="town")
    asked = zhang.post("/retention", **fields(**{"days-notice": "14"}))
    assert asked.status_code == 409 and 'name="sure"' in asked.text and 'value="14"' in asked.text
    with world.centre.store.read() as conn:
        assert retention.read_periods(conn).measure_end == ""
    assert zhang.post("/retention", **fields(**{"days-notice": "14"}), sure="1").status_code == 302
    with world.centre.store.read() as conn:
        periods = retention.read_periods(conn)
    assert (periods.measure_end, periods.days["notice"]) == (LAST_DAY, 14)


def test_periods_that_make_nothing_due_are_saved_at_once(world: World, zhang: Office) -> None:
    settle(world)
    assert zhang.post("/retention", **fields(measure_end="2029-01-01")).status_code == 302
    shown = zhang.get("/retention").text
    assert "2029-02-01" in shown, "the day on which households are due"
    for wrong in ("", "x", "-1", "٣", "99999"):
        answer = zhang.post("/retention", **fields(**{"days-draft": wrong}))
        assert answer.status_code == 409 and 'role="alert"' in answer.text


def test_what_is_due_is_deleted_on_the_page_and_the_certificate_says_what(world: World, zhang: Office) -> None:
    settle(world)
    zhang.post("/retention", **fields())
    world.now_ms = end_ms(world)
    zhang = Office(world, "second", everywhere=True, role="town")
    assert zhang.post("/retention", do="erase").status_code == 409
    assert count(world, tables.household) == 1
    assert zhang.post("/retention", do="erase", sure="1").location.startswith("/retention?erased=")
    assert count(world, tables.household) == 0
    with world.centre.store.read() as conn:
        (made,) = erasure.list_certificates(conn, [7])
    assert made.erasure_id in zhang.get("/retention").text
    page = zhang.get(f"/c/7/erasures/{made.erasure_id}?lang=en")
    assert made.digest in page.text and "households" in page.text
    file = zhang.get(f"/c/7/erasures/{made.erasure_id}/text")
    assert file.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = file.text.splitlines()
    assert hashlib.sha256(lines[-1].encode()).hexdigest() == lines[-2] == made.digest
    assert "删除证明" in file.text and "Certificate of deletion" in file.text
    assert zhang.get(f"/c/8/erasures/{made.erasure_id}").status_code == 404


def test_who_may_only_look_sees_the_clocks_of_the_own_compounds(world: World) -> None:
    _event(world)
    world.now_ms += 30 * DAY_MS
    mine, other = Office(world, "wang", mine=(7,)), Office(world, "li", mine=(8,))
    assert "<strong>1</strong>" in mine.get("/retention").text
    assert "<strong>1</strong>" not in other.get("/retention").text
    assert 'name="days-draft"' not in mine.get("/retention").text
    assert mine.post("/retention", do="erase", sure="1").status_code == 403


def test_the_record_says_who_did_what_and_is_chosen_by_account_kind_and_day(world: World) -> None:
    world.gate()
    made = world.issue()
    world.now_ms += DAY_MS
    wang = Office(world, "wang", mine=(7,))
    passes.suspend(world.centre, made.number, "li")
    whole = wang.get("/c/7/record").text
    assert all(word in whole for word in ("新增门口", "办证", "暂停出入证", made.number))
    one = wang.get("/c/7/record?by=li&lang=en").text
    assert "<td" in one and "suspended a pass</td>" in one and "new gate</td>" not in one
    assert "suspended a pass</td>" not in wang.get("/c/7/record?what=issue").text
    day = households.local_day(compounds.read_compound(world.centre, 7), world.now_ms)
    assert "suspended a pass</td>" in wang.get(f"/c/7/record?day={day}").text
    assert "issued passes</td>" not in wang.get(f"/c/7/record?day={day}").text
    assert wang.get("/c/7/record?day=yesterday&by=%25&page=-3").status_code == 200
    assert wang.get("/c/7/record?by=%00").status_code == 400


def test_records_are_told_in_words_not_in_codes(world: World, zhang: Office) -> None:
    compounds.set_rule(world.centre, 7, "passback_s", "300", "zhang")
    world.issue()
    bulk.extend_all(world.centre, 7, bulk.Extension(until_ms=world.now_ms + 90 * DAY_MS), "zhang")
    set_end(world, draft=14)
    whole = zhang.get("/c/7/record").text
    assert "同一张证再次使用" in whole and "1 张 → 2027-04-15 16:00：居民、" in whole
    shown = zhang.get("/record?lang=en").text
    assert f"Last day of the measure: {LAST_DAY}, Unsent forms: 14 days" in shown and "zhang town" in shown
    assert Office(world, "wang", mine=(7,)).get("/record").status_code == 403


def test_a_long_record_is_paged(world: World) -> None:
    for number in range(101):
        compounds.set_rule(world.centre, 7, "passback_s", str(number), "test")
    wang = Office(world, "wang", mine=(7,))
    first, second = wang.get("/c/7/record?what=set-rule").text, wang.get("/c/7/record?what=set-rule&page=2").text
    assert first.count("更改规则</td>") == 100 and second.count("更改规则</td>") == 1
    assert "what=set-rule&amp;page=2" in first or "page=2&amp;what=set-rule" in first or "page=2" in first


def test_exports_are_listed_with_who_when_and_why(world: World) -> None:
    settle(world)
    shown = Office(world, "wang", mine=(7,)).get("/c/7/record/exports").text
    assert all(word in shown for word in ("居民", "check", "含完整号码", NAME))
    assert NAME not in Office(world, "li", mine=(8,)).get("/c/8/record/exports").text


def test_every_code_that_is_recorded_has_its_words() -> None:
    source = Path(audit.__file__).parents[1]
    written = "".join(path.read_text("utf-8") for path in source.rglob("*.py"))
    codes = set(re.findall(r'\baudit\(\s*"([a-z_-]+)"', written))
    for way in (r'note_town\([^"]*"([a-z_-]+)"', r'_done\(writing, "([a-z-]+)"',
                r'_look_again\([^"]*"([a-z-]+)"', r'_report\([^"]*"([a-z-]+)"'):  # fmt: skip
        codes |= set(re.findall(way, written))
    assert len(codes) > 30
    assert {code for code in codes if f"did.{code}" not in words.WORDS} == set()
