"""The town that does not exist: the same for the same seed, and nothing in it that could not have been entered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from sync.credential import read_credential
from sync.protocol import KeyBody
from sync.server.__main__ import main
from sync.server.app import centre_of, close_app, create_app
from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.settings import Settings
from sync.server.centre.writing import Centre
from sync.server.gates import events, fleet
from sync.server.passes import passes
from sync.server.people import identity
from sync.server.people.dwellings import visits
from sync.server.people.households import households, slots
from sync.server.people.households.application import Application, check
from sync.server.people.made_up.town import LARGEST, Made, _shares, make_town
from tests.fixtures.centre import NOW, Gate

RESIDENTS = 300
TODAY = date(2027, 1, 15)


class Town:
    """A centre with a made-up town, and a clock that stands still."""

    def __init__(self, state: Path, seed: int = 1):
        self.app = create_app(Settings(state=state, clock=lambda: NOW, watch=False, secure_cookies=False))
        self.centre: Centre = centre_of(self.app)
        self.client = self.app.test_client()
        self.steps: list[int] = []
        self.made: Made = make_town(self.centre, 2, RESIDENTS, seed, False, "demo-data", self.steps.append)

    def column(self, column: Any) -> list[Any]:
        with self.centre.store.read() as conn:
            return list(conn.execute(select(column)).scalars())

    def count(self, table: Any) -> int:
        with self.centre.store.read() as conn:
            return conn.execute(select(func.count()).select_from(table)).scalar_one()

    def forms(self) -> list[tuple[households.Household, Application]]:
        of = tables.household.c
        with self.centre.store.read() as conn:
            keys = conn.execute(select(of.compound_id, of.household_id).order_by(of.compound_id, of.household_id)).all()
            found = [households.get_household(conn, *key) for key in keys]
            return [(home, households.read_application(conn, self.centre.vault, home)) for home in found]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(tmp_path_factory.mktemp("town"))
    yield made
    close_app(made.app)


def test_the_same_seed_makes_the_same_people(town: Town, tmp_path: Path) -> None:
    same, other = Town(tmp_path / "same"), Town(tmp_path / "other", seed=2)
    try:
        assert [form for _, form in same.forms()] == [form for _, form in town.forms()]
        assert same.made == town.made
        names = [person.name for _, form in town.forms() for person in form.people]
        assert [person.name for _, form in other.forms() for person in form.people] != names
    finally:
        close_app(same.app)
        close_app(other.app)


def test_it_has_as_many_people_as_asked_for_and_says_what_it_made(town: Town) -> None:
    tables_of = {"compounds": tables.compound, "dwellings": tables.dwelling, "households": tables.household,
                 "residents": tables.person, "passes": tables.pass_, "events": tables.event}  # fmt: skip
    assert {name: town.count(table) for name, table in tables_of.items()} == {
        name: getattr(town.made, name) for name in tables_of
    }
    assert town.made.residents == RESIDENTS == sum(town.steps)


def test_a_town_of_the_towns_size_has_one_compound_of_seven_thousand_dwellings() -> None:
    shares = _shares(42, 140_000, Random("1"))
    assert len(shares) == 42 and sum(shares) == 140_000 and min(shares) > 500
    assert max(shares) == shares[0] > LARGEST and shares[0] > 2 * sorted(shares)[-2]


def test_every_form_is_complete_and_every_paper_good(town: Town) -> None:
    kinds = Counter()
    for home, form in town.forms():
        mistakes = check(form, TODAY)
        if home.state in households.OPEN_STATES:
            assert mistakes == []
        assert not [mistake for mistake in mistakes if not mistake.field.endswith("until_day")]
        for person in form.people:
            document = identity.check_document(person.doc_kind, person.doc_number, TODAY)
            assert (document.sex or person.sex, document.birth or person.birth) == (person.sex, person.birth)
            kinds[person.doc_kind] += 1
    assert kinds["id_card"] > 0.9 * RESIDENTS


def test_families_are_families(town: Town) -> None:
    sizes = Counter(len(form.people) for _, form in town.forms())
    assert set(sizes) <= {1, 2, 3, 4, 5, 6} and 2.2 < RESIDENTS / sum(sizes.values()) < 3.1
    for _, form in town.forms():
        births = [date.fromisoformat(person.birth) for person in form.people]
        assert TODAY.year - births[0].year >= 18 and form.people[0].phone


def test_what_became_of_them_is_plausible(town: Town) -> None:
    stages = Counter(home.stage for home, _ in town.forms())
    number = sum(stages.values())
    assert 0.45 < stages["collected"] / number < 0.75
    assert 0.05 < stages["approved"] / number < 0.28 and 0.05 < stages["applied"] / number < 0.28
    standing = {(home.compound_id, home.dwelling_id) for home, _ in town.forms() if home.state in slots.HELD_STATES}
    assert 0.6 < len(standing) / town.made.dwellings < 0.8
    known = town.column(tables.person.c.known)
    assert 0.5 < sum(known) / len(known) < 0.7
    assert {"vacant", "nobody"} <= set(town.column(tables.dwelling.c.found))
    assert town.count(tables.area) and town.count(tables.visit) and town.count(tables.desk) == 4


def test_links_lead_to_their_households(town: Town) -> None:
    vault = town.centre.vault
    for home, _ in town.forms()[:20]:
        link = households.link_of(vault, home.compound_id, home.household_id, home.link_version)
        with town.centre.store.read() as conn:
            assert households.by_link(conn, vault, home.compound_id, link) == home


def test_everybody_approved_has_a_pass_that_gates_learn_and_that_verifies(town: Town) -> None:
    new = fleet.new_code(town.centre, 1, fleet.list_gates(town.centre, 1)[0].gate, "test")
    gate = Gate(town, new.enrolment_code).enrol()  # type: ignore[arg-type]  # it needs a client and a centre
    assert gate.get("/snapshot").status_code == 200
    gate.follow()
    by_number = {row.number: row for row in gate.rows.values() if row.state != "superseded"}
    keys = {(body.scope, body.key_id): body.public for body in
            [gate.body("key", item, KeyBody) for purpose, item in gate.signed if purpose == "key"]}  # fmt: skip
    with town.centre.store.read() as conn:
        for home, form in town.forms():
            if home.compound_id != 1:
                continue
            numbers = households.pass_numbers(conn, 1, home.household_id)
            states = {by_number[number].state for number in numbers}
            expected = {"collected": {"active"}, "approved": {"printed"}, "moved": {"revoked"}}.get(home.stage, set())
            assert states == expected and len(numbers) == (len(form.people) + len(form.plates)) * bool(expected)
    active = next(row for row in by_number.values() if row.state == "active")
    assert read_credential(passes.credential_text(town.centre, active.number, "card"), keys).serial == active.serial


def test_the_office_may_go_on_with_them(town: Town) -> None:
    home = next(home for home, _ in town.forms() if home.state == "applied" and home.compound_id == 2)
    with town.centre.writing(2, "wang") as writing:
        assert households.approve(writing, town.centre, home.household_id).state == "approved"
        households.end(writing, home.household_id, "moved")


def test_slots_are_not_overbooked(town: Town) -> None:
    ahead = Counter((home.compound_id, home.desk_id, home.slot_ms) for home, _ in town.forms() if home.slot_ms > NOW)
    with town.centre.store.read() as conn:
        capacity = {(c, desk.desk_id): desk.capacity for c in (1, 2) for desk in slots.list_desks(conn, c)}
    assert ahead and all(count <= capacity[key[:2]] for key, count in ahead.items())


def test_some_came_through_the_gates_and_some_have_not_been_seen(town: Town) -> None:
    found, more = events.find_events(town.centre, 1, events.EventFilter(kind="decided"), rows=500)
    assert found and not more and {event.number for event in found} - {""}
    with town.centre.store.read() as conn:
        idle, _ = visits.find_idle(conn, 1, NOW, 1)
    assert idle
    assert not town.column(tables.journal.c.breaks).count(1)


def test_nobody_can_sign_in_and_no_guard_has_a_pin(town: Town) -> None:
    assert not town.count(tables.staff) and not town.count(tables.guard)


def test_a_centre_with_compounds_is_left_alone_unless_told_to_add(town: Town) -> None:
    with pytest.raises(CentreError):
        make_town(town.centre, 1, 10, 1, False, "demo-data", lambda more: None)


def test_the_command_says_what_it_made_and_refuses_a_second_time(tmp_path: Path) -> None:
    state = ["--state", str(tmp_path / "state")]
    asked = ["demo-data", "--compounds", "1", "--residents", "30", "--json"]
    done = CliRunner().invoke(main, [*state, *asked])
    assert done.exit_code == 0 and json.loads(done.stdout)["residents"] == 30
    again = CliRunner().invoke(main, [*state, *asked])
    assert again.exit_code == 1 and "--add" in again.stderr
    assert CliRunner().invoke(main, [*state, *asked, "--add"]).exit_code == 0
    listed = CliRunner().invoke(main, [*state, "compounds", "--json"])
    assert len({one["name_zh"] for one in json.loads(listed.stdout)}) == 2
