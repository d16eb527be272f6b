"""A pass's own terms and lanes at the centre: set, refused, told to gates, and on the pages of the office."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from sync.protocol import Terms, Window, read_terms, write_terms
from sync.server.__main__ import main
from sync.server.centre import audit
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Lanes, lanes_of
from sync.server.gates import fleet
from sync.server.passes import passes
from sync.server.passes.terms import read_window, tell_terms
from tests.fixtures.centre import Gate, World
from tests.fixtures.events import Journal, send
from tests.fixtures.office import Office

CLEANER = Terms(hours=(Window(480, 720, (1, 4)),))


def tell_lanes(gate: Gate, **lanes: str) -> None:
    """What a gate's first upload after a start says: no event, and its lanes."""
    send(gate, msgspec.structs.replace(Journal([]).batch(1, 0), lanes=lanes))


def known(world: World) -> Lanes:
    with world.centre.store.read() as conn:
        return lanes_of(conn, 7)


# --- terms ------------------------------------------------------------------------------------------------------------


def test_terms_go_to_the_gates_without_a_new_credential(world: World) -> None:
    gate = world.gate().enrol()
    made = world.issue(kind="contractor", terms=CLEANER)
    gate.follow()
    (serial,) = (one.serial for one in made.credentials)
    assert read_terms(gate.rows[7, serial].terms) == CLEANER and made.own == CLEANER
    passes.set_terms(world.centre, made.number, Terms(entries=2, one_day=True), "test")
    gate.follow()
    assert read_terms(gate.rows[7, serial].terms) == Terms(entries=2, one_day=True) and len(gate.rows) == 1
    passes.set_terms(world.centre, made.number, Terms(), "test")
    gate.follow()
    assert gate.rows[7, serial].terms == "" and gate.rows[7, serial].state == "active"


def test_terms_that_stay_as_they_are_change_and_record_nothing(world: World) -> None:
    made = world.issue(terms=CLEANER)
    gate = world.gate().enrol()
    gate.follow()
    passes.set_terms(world.centre, made.number, CLEANER, "test")
    assert gate.follow() == 0
    passes.set_terms(world.centre, made.number, Terms(), "test")
    assert gate.follow() == 1
    assert [entry.about for entry in audit.newest(world.centre, 7, "set-terms")] == [made.number]


@pytest.mark.parametrize("terms", [
    Terms(entries=-1), Terms(entries=1001), Terms(hours=(Window(480, 480),)), Terms(hours=(Window(480, 1441),)),
    Terms(hours=(Window(480, 720, ()),)), Terms(hours=(Window(480, 720, (0,)),)), Terms(hours=(Window(0, 1),) * 15),
])  # fmt: skip
def test_terms_that_a_gate_could_not_read_are_refused(world: World, terms: Terms) -> None:
    made = world.issue()
    with pytest.raises(CentreError):
        world.issue(terms=terms)
    with pytest.raises(CentreError):
        passes.set_terms(world.centre, made.number, terms, "test")
    assert passes.get_pass(world.centre, made.number).own == Terms()


def test_a_revoked_pass_gets_no_terms(world: World) -> None:
    made = world.issue()
    passes.revoke(world.centre, made.number, "test")
    with pytest.raises(CentreError):
        passes.set_terms(world.centre, made.number, CLEANER, "test")


@pytest.mark.parametrize(("words", "window"), [
    ("mon,thu 08:00-12:00", Window(480, 720, (1, 4))), ("8:00-12:00", Window(480, 720)),
    ("SUN 22:00-06:00", Window(1320, 360, (7,))), ("thu,mon,thu 00:00-24:00", Window(0, 1440, (1, 4))),
])  # fmt: skip
def test_hours_are_written_as_people_say_them(words: str, window: Window) -> None:
    assert read_window(words) == window


@pytest.mark.parametrize("words", ["", "mon", "8-12", "moon 08:00-12:00", "mon thu 08:00-12:00", "08:60-12:00"])
def test_what_are_no_hours_is_refused(words: str) -> None:
    with pytest.raises(CentreError):
        read_window(words)


def test_terms_are_told_in_both_languages() -> None:
    terms = Terms((Window(480, 720, (1, 4)), Window(840, 1440)), 3, True)
    assert tell_terms("en", terms) == ["Mo Th 08:00–12:00", "14:00–24:00", "good for 3 entries",
                                       "for one day: that of its first entry"]  # fmt: skip
    assert tell_terms("zh", terms)[:3] == ["周一、四 08:00–12:00", "14:00–24:00", "总共能进3次"]
    assert tell_terms("zh", Terms(entries=1)) == ["总共能进1次"] and tell_terms("zh", Terms()) == []


# --- lanes ------------------------------------------------------------------------------------------------------------


def test_a_lane_that_no_gate_has_is_refused_when_the_pass_is_made(world: World) -> None:
    gate = world.gate().enrol()
    tell_lanes(gate, entry="in", exit="out")
    assert world.issue(lanes=("entry",)).lanes == "entry"
    with pytest.raises(passes.NoSuchLane, match="entry, exit"):
        world.issue(lanes=("entry", "entrence"))
    made = world.issue()
    with pytest.raises(passes.NoSuchLane):
        passes.set_lanes(world.centre, made.number, ("garage",), "test")
    passes.set_lanes(world.centre, made.number, ("exit",), "test")
    gate.follow()
    assert gate.rows[7, made.credentials[0].serial].lanes == "exit"


def test_before_every_gate_has_told_its_lanes_nobody_can_tell(world: World) -> None:
    assert known(world) == Lanes() and world.issue(lanes=("garage",)).lanes == "garage"
    first, second = world.gate(name="东门").enrol(), world.gate(name="西门").enrol()
    world.gate(name="未装的门")
    assert known(world) == Lanes((), ("东门", "西门"))
    tell_lanes(first, entry="in")
    assert not known(world).checkable and world.issue(lanes=("garage",)).lanes == "garage"
    tell_lanes(second, side="both")
    assert known(world) == Lanes(("entry", "side"))
    with pytest.raises(passes.NoSuchLane):
        world.issue(lanes=("garage",))


def test_an_older_gate_tells_none_and_a_withdrawn_one_is_not_asked(world: World) -> None:
    gate = world.gate().enrol()
    tell_lanes(gate)
    assert known(world) == Lanes((), ("东门",))
    assert gate.enrolled
    fleet.withdraw(world.centre, 7, gate.enrolled.gate, "test")
    tell_lanes(gate, entry="in")
    assert known(world) == Lanes()


@pytest.mark.parametrize("lanes", [
    {"a,b": "in", "entry": "in"}, {"": "in", "entry": "in"}, {"entry": "in", "up": "upwards"},
    {"entry": "in", "a\nb": "out"}, {"entry": "in", "x" * 61: "in"},
])  # fmt: skip
def test_names_that_no_pass_could_bear_are_left_out(world: World, lanes: dict[str, str]) -> None:
    tell_lanes(world.gate().enrol(), **lanes)
    assert known(world) == Lanes(("entry",))


@pytest.mark.parametrize("lanes", [("entry,exit",), ("",), (" ",)])
def test_names_that_are_none_are_refused(world: World, lanes: tuple[str, ...]) -> None:
    with pytest.raises(CentreError):
        world.issue(lanes=lanes)


def test_a_lane_that_later_disappears_is_a_warning_at_the_office(world: World, office: Office) -> None:
    gate = world.gate().enrol()
    tell_lanes(gate, entry="in", side="in")
    made = world.issue(lanes=("side",))
    world.issue(lanes=("entry", "side"))
    assert "which no gate has" not in office.get("/c/7/passes?lang=en").text
    tell_lanes(gate, entry="in")
    assert "2 passes are limited to lane side, which no gate has." in office.get("/c/7/passes?lang=en").text
    page = office.get(f"/c/7/passes/{made.number}?lang=en").text
    assert "Lane side is no longer there" in page
    assert "entry" in office.get("/c/7/gates").text


# --- the office's pages and commands ----------------------------------------------------------------------------------


def cleaner_form(**more: Any) -> dict[str, Any]:
    return {"hours-0-day": ["1", "4"], "hours-0-from": "08:00", "hours-0-to": "12:00", **more}


def test_an_officer_issues_a_cleaners_pass_and_changes_it(world: World, office: Office) -> None:
    tell_lanes(world.gate().enrol(), entry="in", side="in")
    path = "/c/7/passes"
    answer = office.post(path, path, kind="contractor", label="张三", **cleaner_form(lane=["entry"], entries="9"))
    assert answer.status_code == 302
    number = answer.location.rpartition("/")[2]
    made = passes.get_pass(world.centre, number)
    assert (made.own, made.lanes) == (Terms((Window(480, 720, (1, 4)),), 9), "entry")
    path = f"{path}/{number}"
    page = office.get(f"{path}?lang=en").text
    assert "Mo Th 08:00–12:00" in page and "good for 9 entries" in page
    assert office.post(path, path, do="terms", **cleaner_form(**{"hours-0-to": "10:00"})).status_code == 302
    changed = passes.get_pass(world.centre, number)
    assert (changed.own, changed.lanes) == (Terms((Window(480, 600, (1, 4)),)), "")


@pytest.mark.parametrize(("fields", "said"), [
    ({"hours-0-day": "1"}, "Hours: Write a time, like 08:30."),
    ({"hours-0-from": "08:00", "hours-0-to": "12:00"}, "Hours: Tick at least one day."),
    ({"entries": "many"}, "Write the entries as a number"), ({"entries": "1001"}, "Entries are from 1 to 1000."),
    ({"entries": "9" * 5000}, "Write the entries as a number"),
    ({"lane": "garage"}, "There is no lane &#39;garage&#39;"),
])  # fmt: skip
def test_what_is_wrong_with_terms_is_said_and_nothing_is_lost(
    world: World, office: Office, fields: dict[str, str], said: str
) -> None:
    tell_lanes(world.gate().enrol(), entry="in")
    made = world.issue(terms=CLEANER)
    path = f"/c/7/passes/{made.number}"
    office.get(f"{path}?lang=en")
    answer = office.post(f"{path}?lang=en", path, do="terms", one_day="1", **fields)
    assert answer.status_code == 409 and said in answer.text
    assert 'name="one_day" value="1" checked' in answer.text, "what was ticked is still ticked"
    assert passes.get_pass(world.centre, made.number).own == CLEANER
    answer = office.post("/c/7/passes?lang=en", path, kind="visitor", one_day="1", **fields)
    assert answer.status_code == 409 and said in answer.text
    assert 'name="one_day" value="1" checked' in answer.text


def test_the_office_says_plainly_that_lanes_cannot_be_checked(world: World, office: Office) -> None:
    assert "no gate is in service" in office.get("/c/7/passes?lang=en").text
    world.gate().enrol()
    assert "东门 has not told its lanes" in office.get("/c/7/passes?lang=en").text


def test_commands_set_terms_and_lanes_and_say_what_they_cannot_check(world: World) -> None:
    def run(*line: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["--state", str(world.state), *line])
        assert result.exit_code == code, result.output
        return result.output

    told = run("issue", "7", "--kind", "contractor", "--hours", "mon,thu 08:00-12:00", "--lane", "entry", "--active")
    assert "Mo Th 08:00–12:00." in told and "cannot be checked" in told and "no gate is in service" in told
    tell_lanes(world.gate().enrol(), entry="in")
    number = told.split()[1].rstrip(",")
    told = run("terms", number, "--entries", "3", "--one-day")
    assert "good for 3 entries. for one day" in told and "08:00" not in told and "cannot be checked" not in told
    assert passes.get_pass(world.centre, number).terms == write_terms(Terms(entries=3, one_day=True))
    assert "There is no lane 'garage'. Lanes are: entry." in run("lanes", number, "--lane", "garage", code=1)
    assert "Lanes" not in run("lanes", number)
    assert "good for 3 entries" in run("show", number)
    assert "no hours" in run("terms", number, "--hours", "8-12", code=1)
