"""Every page of the centre against every role, every method and other compounds' objects, generated from one table.

**A new page** needs a row in ``ROWS``: endpoint → (right to read, right to change, where). ``None`` stands for "does
not answer that". ``where`` is

- ``compound``: a page of one compound (``/c/7/…``): its role decides, another compound's page or object is 404;
- ``town``: a page of the whole town behind the sign-in; without any right it is for everybody who is signed in;
- ``open``: anybody may ask; what it shows hangs on a secret in the address or on a cookie.

A page with a new variable in its address needs its value in ``furnish`` (tests/centre/test_pages.py). Where a form
names an object, put its fields into ``FORMS``, the objects in braces by the same names: they are sent by those who may
and by those who may not, and with another compound's objects. ``WHO`` says who has a right a second time, by hand: who
changes ``roles.MAY`` must mean it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import pytest
from sqlalchemy import select, update
from werkzeug.routing import Rule

from sync.protocol import API
from sync.server import words
from sync.server.app import close_app
from sync.server.centre import tables
from sync.server.office.frame import Office as Frame
from sync.server.staff import roles
from tests.fixtures.centre import World
from tests.fixtures.office import Office, furnish, token_of

Where = Literal["compound", "town", "open"]
Things = dict[str, str | int]
Row = tuple[roles.Right | None, roles.Right | None, Where]

ROWS: dict[str, Row] = {
    # the frame
    "office.sign_in": (None, None, "open"),
    "office.welcome": (None, None, "open"),
    "office.sign_out": (None, None, "open"),
    "office.compounds": (None, None, "town"),
    "office.me": (None, None, "town"),
    # the review
    "office.review": ("people", None, "compound"),
    "office.case": ("people", "review", "compound"),
    "office.reveal_number": (None, "reveal", "compound"),
    "office.approve_clean": ("review", "review", "compound"),
    "office.doubtful": ("review", "review", "compound"),
    "office.call_list": ("people", "review", "compound"),
    "office.call_numbers": (None, "reveal", "compound"),
    # the collection desk, printing, desks, paper
    "office.collect": ("collect", "collect", "compound"),
    "office.collect_household": ("collect", "collect", "compound"),
    "office.collect_approve": (None, "review", "compound"),
    "office.collect_change": (None, "pass_change", "compound"),
    "office.collect_print": (None, "collect", "compound"),
    "office.collect_link": (None, "collect", "compound"),
    "office.collect_phone": (None, "collect", "compound"),
    "office.collect_phone_used": ("collect", None, "compound"),
    "office.print_choose": ("collect", None, "compound"),
    "office.print_sheet": (None, "collect", "compound"),
    "office.print_anyway": (None, "review", "compound"),
    "office.desks": ("people", "register", "compound"),
    "office.one_desk": ("people", "register", "compound"),
    "office.office_phone": (None, "register", "compound"),
    "office.lane_screen": (None, "register", "compound"),
    "office.paper": ("collect", "collect", "compound"),
    "office.paper_slip": ("collect", None, "compound"),
    # passes
    "office.passes": ("passes", "pass_change", "compound"),
    "office.one_pass": ("passes", "pass_change", "compound"),
    "office.card": ("collect", None, "compound"),
    "office.phone": ("pass_change", None, "compound"),
    "office.phone_svg": ("pass_change", None, "compound"),
    "office.extend_all": ("pass_change", "pass_change", "compound"),
    # gates, events, guards, rules
    "office.gates": ("gates", "gate_change", "compound"),
    "office.gate_code": (None, "gate_change", "compound"),
    "office.gate_withdraw": (None, "gate_change", "compound"),
    "office.gate_theft": ("gate_change", "gate_change", "compound"),
    "office.gate_events": ("events", None, "compound"),
    "office.events": ("events", None, "compound"),
    "office.shifts": ("events", None, "compound"),
    "office.gate_shifts": ("events", None, "compound"),
    "office.shift_sheet": ("events", None, "compound"),
    "office.guards": ("guards", "guards", "compound"),
    "office.guard": (None, "guards", "compound"),
    "office.rules": ("rules", "rules", "compound"),
    # accounts, areas, retention, the record
    "office.accounts": ("accounts", "accounts", "town"),
    "office.one_account": ("accounts", "accounts", "town"),
    "office.areas": ("areas", "areas", "town"),
    "office.town_settings": ("accounts", "accounts", "town"),
    "office.one_area": (None, "areas", "town"),
    "office.retention": ("retention", "erase", "town"),
    "office.record": ("record", None, "compound"),
    "office.record_exports": ("record", None, "compound"),
    "office.town_record": ("town_record", None, "town"),
    "office.certificate": ("retention", None, "compound"),
    "office.certificate_text": ("retention", None, "compound"),
    # registers, exports, the town's first page
    "office.residents": ("people", "people", "compound"),
    "office.residents_export": ("export", "export", "compound"),
    "office.vehicles": ("people", "people", "compound"),
    "office.vehicles_export": ("export", "export", "compound"),
    "office.applications": ("people", "people", "compound"),
    "office.applications_export": ("export", "export", "compound"),
    "office.town": ("coverage", None, "town"),
    "office.town_count": (None, "coverage", "town"),
    "office.town_sheet": (None, "coverage", "town"),
    "office.town_home": (None, "accounts", "town"),
    "office.town_community": (None, "accounts", "town"),
    # the dwelling register
    "office.dwellings": ("dwellings", "register", "compound"),
    "office.one_dwelling": ("dwellings", "register", "compound"),
    "office.dwellings_missing": ("dwellings", None, "compound"),
    "office.dwellings_missing_file": (None, "dwellings", "compound"),
    "office.dwellings_idle": ("dwellings", None, "compound"),
    "office.dwelling_proposed": ("dwellings", "register", "compound"),
    "office.dwelling_generate": ("register", "register", "compound"),
    "office.dwelling_import": ("register", "register", "compound"),
    "office.dwelling_template": ("register", None, "compound"),
    "office.dwelling_roster": ("register", "register", "compound"),
    "office.dwelling_roster_template": ("register", None, "compound"),
    # the poster
    "office.poster": ("poster", None, "compound"),
    "office.poster_paper": ("poster", None, "compound"),
    "office.poster_texts": ("poster", None, "compound"),
    "office.poster_slips": ("dwellings", None, "compound"),
    # residents: the form
    "residents.entry": (None, None, "open"),
    "residents.privacy": (None, None, "open"),
    "residents.begin": (None, None, "open"),
    "residents.forget": (None, None, "open"),
    "residents.done": (None, None, "open"),
    "residents.find_state": (None, None, "open"),
    "residents.correct": (None, None, "open"),
    "residents.form_where": (None, None, "open"),
    "residents.form_residence": (None, None, "open"),
    "residents.form_travel": (None, None, "open"),
    "residents.form_family": (None, None, "open"),
    "residents.form_person": (None, None, "open"),
    "residents.form_review": (None, None, "open"),
    "residents.form_letter": (None, None, "open"),
    "residents.household": (None, None, "open"),
    "residents.household_code": (None, None, "open"),
    "residents.household_slot": (None, None, "open"),
    "residents.household_cancel": (None, None, "open"),
    "residents.household_moved": (None, None, "open"),
    "residents.household_object": (None, None, "open"),
    "residents.household_lost": (None, None, "open"),
    "residents.household_plate": (None, None, "open"),
    "residents.household_person": (None, None, "open"),
    "residents.household_record": (None, None, "open"),
    "residents.household_visitors": (None, None, "open"),
    "residents.household_visitor": (None, None, "open"),
    "residents.phone_worker": (None, None, "open"),
    "residents.phone_pass": (None, None, "open"),
    "residents.phone_bundle": (None, None, "open"),
    "residents.phone_end": (None, None, "open"),
    "residents.phone_activate": (None, None, "open"),
    "residents.phone_code": (None, None, "open"),
}
FORMS: dict[str, dict[str, str]] = {
    "office.case": {"do": "quarantine_end", "seen": "applied"},
    "office.reveal_number": {"which": "doc-{person_id}", "purpose": "identity"},
    "office.call_list": {"household": "{household_id}", "note": "17:00"},
    "office.lane_screen": {"lane_zh": "物业一楼", "lane_en": "the office"},
    "office.collect": {"scan": "{household}"},
    "office.collect_household": {"do": "hand_over", "card": "{number}", "check": "identity"},
    "office.collect_change": {"do": "suspend", "pass": "{number}"},
    "office.collect_print": {"card": "{number}"},
    "office.print_anyway": {"sure": "1", "why": "x", "day": "2027-01-16"},
    "office.one_pass": {"do": "suspend"},
    "office.guard": {"do": "stop"},
    "office.dwellings": {"building": "3"},
    "office.one_dwelling": {"found": "vacant", "note": "x"},
    "office.dwelling_proposed": {"do": "dismiss", "words": "9-9-999"},
    "office.dwelling_generate": {"do": "write", "buildings": "9", "floors": "1", "doors": "01"},
    "office.dwelling_roster": {"do": "clear"},
    "office.residents_export": {"why": "visit", "words": "核对租户", "whole": "1"},
    "office.vehicles_export": {"why": "visit", "words": "核对车辆"},
    "office.applications_export": {"why": "visit", "words": "核对申请"},
    "office.town_home": {"province": "湖北", "city": "武汉"},
    "office.town_community": {"compound": "7", "zh": "翠湖社区", "en": "Cuihu community"},
    "office.accounts": {"account": "hacker1", "name": "x", "role": "town"},
    "office.areas": {"province": "湖北", "from_day": "2027-01-01"},
    "office.town_settings": {"public_url": "https://pass.example.org", "most_people": "9"},
    "office.one_area": {"do": "remove"},
    "office.one_account": {"do": "save", "name": "x", "role": "clerk", "compound": "7"},
}
WHO: dict[roles.Right, str] = {
    "coverage": "town community inspector property",
    "people": "property clerk",
    "reveal": "property",
    "export": "property",
    "review": "property",
    "collect": "property clerk",
    "dwellings": "property clerk",
    "register": "property",
    "passes": "town property clerk supervisor",
    "pass_change": "town property",
    "gates": "town property supervisor technician",
    "gate_change": "town property technician",
    "events": "town property supervisor technician",
    "guards": "town property supervisor",
    "rules": "town property",
    "poster": "town community property clerk",
    "accounts": "town",
    "areas": "town",
    "retention": "town community inspector property",
    "erase": "town",
    "record": "town inspector property",
    "town_record": "town inspector",
}
PLAIN = {"compound_id", "step"}
"""Variables of open pages that are no secret."""

DONE = {200, 204, 302, 303, 400, 409}
"""What somebody who may is answered, whatever the form holds."""

_ASKED = [endpoint for endpoint, (_, _, where) in ROWS.items() if where != "open"]
_IN_COMPOUND = [endpoint for endpoint in _ASKED if ROWS[endpoint][2] == "compound"]
_OPEN = [endpoint for endpoint, (_, _, where) in ROWS.items() if where == "open"]


class Case(NamedTuple):
    """One way to ask a page."""

    method: Literal["GET", "POST"]
    right: roles.Right | None


class Town:
    """A furnished centre, and one signed-in browser of each role that may see compound 7 and no other."""

    def __init__(self, world: World):
        self.world = world
        self.rules = {rule.endpoint: rule for rule in world.app.url_map.iter_rules() if not _for_machines(rule)}
        self.mine = furnish(world, 7)
        furnish(world, 8)
        self.theirs = furnish(world, 8)
        self.offices = {role: Office(world, f"{role}7", mine=(7,), role=role) for role in roles.ROLES}
        self.everywhere = Office(world, "everywhere", everywhere=True)
        self.stopped = Office(world, "stopped", everywhere=True, role="town")
        with world.centre.store.write() as conn:
            conn.execute(update(tables.staff).where(tables.staff.c.account == "stopped").values(active=False))
        self.tokens = {role: token_of(office.client) for role, office in self.offices.items()}

    def rule(self, endpoint: str) -> Rule:
        if endpoint not in self.rules:
            pytest.fail(f"{endpoint} has a row and no route")
        return self.rules[endpoint]

    def cases(self, endpoint: str) -> list[Case]:
        methods = self.rule(endpoint).methods or set()
        read, change, _ = ROWS[endpoint]
        rights = {"GET": read, "POST": change}
        return [Case(method, rights[method]) for method in ("GET", "POST") if method in methods]

    def path(self, endpoint: str, compound: int, things: Things) -> str:
        rule = self.rule(endpoint)
        values = {"compound_id": compound} | things
        if missing := rule.arguments - values.keys():
            pytest.fail(f"furnish() in tests/centre/test_pages.py has no value for {missing}, a variable of {rule}")
        with self.world.app.test_request_context():
            return str(self.world.app.url_for(endpoint, **{name: values[name] for name in rule.arguments}))

    def ask(self, role: roles.Role, case: Case, path: str, form: dict[str, str]) -> Any:
        client = self.offices[role].client
        if case.method == "GET":
            return client.get(path)
        return client.post(path, data=form | {"csrf_token": self.tokens[role]})

    def change(self, role: roles.Role, case: Case, endpoint: str, things: Things, filled: bool) -> Any:
        form = form_of(endpoint, things) if filled else {}
        return self.ask(role, case, self.path(endpoint, 7, things), form)

    def of_compound(self, compound: int) -> list[Any]:
        """Every row of a compound."""
        found = [table for table in tables.metadata.sorted_tables if "compound_id" in table.c]
        with self.world.centre.store.read() as conn:
            return [conn.execute(select(table).where(table.c.compound_id == compound)).all() for table in found]

    def everything(self) -> dict[str, str]:
        """A fingerprint of each table: what was not changed is the same."""
        with self.world.centre.store.read() as conn:
            return {
                table.name: hashlib.sha256(repr(conn.execute(select(table)).all()).encode()).hexdigest()
                for table in tables.metadata.sorted_tables
            }


def _for_machines(rule: Rule) -> bool:
    return rule.endpoint == "static" or str(rule).startswith(API)


def form_of(endpoint: str, things: Things) -> dict[str, str]:
    return {name: value.format(**things) for name, value in FORMS.get(endpoint, {}).items()}


def who_may(right: roles.Right | None) -> list[roles.Role]:
    return [role for role in roles.ROLES if right is None or roles.may(role, right)]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    world = World(tmp_path_factory.mktemp("rights") / "centre")
    yield Town(world)
    close_app(world.app)


# The table itself


def test_every_route_has_a_row_and_every_row_a_route(town: Town) -> None:
    assert sorted(town.rules.keys() - ROWS.keys()) == [], "add a row for each of these to ROWS in this file"
    assert sorted(ROWS.keys() - town.rules.keys()) == [], "these rows have no route any more"


def test_rows_say_what_the_routes_themselves_declare(town: Town) -> None:
    for route in Frame(town.world.centre).rooms():
        endpoint = f"office.{route.view.__name__}"
        read = route.right if "GET" in route.methods else None
        change = (route.to_change or route.right) if "POST" in route.methods else None
        declared = (read, change, "town" if route.rule.startswith("/") else "compound")
        assert ROWS.get(endpoint, declared) == declared, endpoint


def test_rows_stand_where_their_addresses_do(town: Town) -> None:
    for endpoint in ROWS:
        rule, (_, _, where) = town.rule(endpoint), ROWS[endpoint]
        office = str(rule).startswith("/c/<int:compound_id>/")
        assert office == (where == "compound") or (where == "open" and endpoint.startswith("residents.")), rule
        assert (rule.methods or set()) <= {"GET", "HEAD", "OPTIONS", "POST"}, rule


def test_every_right_is_had_by_those_whom_the_second_list_names_too() -> None:
    assert {right: " ".join(who_may(right)) for right in roles.RIGHTS} == WHO


def test_objects_of_the_two_compounds_have_nothing_in_common(town: Town) -> None:
    assert [name for name, value in town.mine.items() if town.theirs[name] == value] == []


# Who may look and who may not, before anything is changed


@pytest.mark.parametrize("endpoint", _ASKED)
def test_who_may_read_sees_the_page_in_both_languages(town: Town, endpoint: str) -> None:
    path = town.path(endpoint, 7, town.mine)
    for case in (case for case in town.cases(endpoint) if case.method == "GET"):
        for role in who_may(case.right):
            for language in ("en", "zh"):
                answer = town.ask(role, case, f"{path}?lang={language}", {})
                assert answer.status_code == 200, (role, path, answer.text)
            assert answer.headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("endpoint", _ASKED)
def test_who_lacks_the_right_is_told_so_and_changes_nothing(town: Town, endpoint: str) -> None:
    path, before = town.path(endpoint, 7, town.mine), town.everything()
    for case in town.cases(endpoint):
        for role in roles.ROLES:
            if role not in who_may(case.right):
                answer = town.ask(role, case, path, form_of(endpoint, town.mine))
                assert answer.status_code == 403 and words.say("zh", "not_allowed") in answer.text, (role, case, path)
    assert town.everything() == before


@pytest.mark.parametrize("endpoint", _IN_COMPOUND)
def test_another_compound_is_not_there_for_any_role(town: Town, endpoint: str) -> None:
    before = town.everything()
    for things in (town.theirs, town.mine):
        path = town.path(endpoint, 8, things)
        for case in town.cases(endpoint):
            for role in roles.ROLES:
                answer = town.ask(role, case, path, form_of(endpoint, things))
                assert answer.status_code == 404, (role, case, path)
    assert town.everything() == before


@pytest.mark.parametrize("endpoint", _IN_COMPOUND)
def test_another_compounds_objects_are_not_in_this_one(town: Town, endpoint: str) -> None:
    before = town.everything()
    variables = town.rule(endpoint).arguments - {"compound_id"}
    for name in sorted(variables):
        path = town.path(endpoint, 7, town.mine | {name: town.theirs[name]})
        for case in town.cases(endpoint):
            for role in who_may(case.right):
                answer = town.ask(role, case, path, form_of(endpoint, town.mine))
                assert answer.status_code == 404, (role, case, path)
    assert town.everything() == before


@pytest.mark.parametrize("endpoint", _IN_COMPOUND)
def test_an_account_for_every_compound_sees_both(town: Town, endpoint: str) -> None:
    if "GET" in (town.rule(endpoint).methods or ()) and roles.may("property", ROWS[endpoint][0] or "people"):
        for compound, things in ((7, town.mine), (8, town.theirs)):
            assert town.everywhere.get(town.path(endpoint, compound, things)).status_code == 200


@pytest.mark.parametrize("endpoint", _ASKED)
def test_a_stranger_and_a_stopped_account_are_led_to_the_sign_in(town: Town, endpoint: str) -> None:
    path, before = town.path(endpoint, 7, town.mine), town.everything()
    for stranger in (town.world.app.test_client(), town.stopped.client):
        token = token_of(stranger, "/sign-in")
        for case in town.cases(endpoint):
            form = form_of(endpoint, town.mine) | {"csrf_token": token}
            answer = stranger.get(path) if case.method == "GET" else stranger.post(path, data=form)
            assert (answer.status_code, answer.location) == (302, "/sign-in"), (case, path)
    assert town.everything() == before


@pytest.mark.parametrize("endpoint", ROWS)
def test_a_form_without_its_token_changes_nothing(town: Town, endpoint: str) -> None:
    if "POST" not in (town.rule(endpoint).methods or ()):
        return
    before, form = town.everything(), form_of(endpoint, town.mine)
    path = town.path(endpoint, 7, town.mine)
    for client in (town.world.app.test_client(), *(office.client for office in town.offices.values())):
        answer = client.post(path, data=form)
        assert answer.status_code == 400 and words.say("zh", "form_expired") in answer.text, path
    assert town.everything() == before


# Pages anybody may ask


@pytest.mark.parametrize("endpoint", _OPEN)
def test_a_wrong_or_foreign_secret_is_nothing_at_all(town: Town, endpoint: str) -> None:
    stranger, rule = town.world.app.test_client(), town.rule(endpoint)
    secrets = rule.arguments - PLAIN
    if "GET" not in (rule.methods or ()):
        return
    if not secrets:
        answer = stranger.get(town.path(endpoint, 7, town.mine))
        assert answer.status_code in (200, 302, 404), (rule, answer.status_code)
        return
    foreign = [town.theirs] if "compound_id" in rule.arguments else []
    for things in (dict.fromkeys(secrets, "wrong"), *foreign):
        path = town.path(endpoint, 7, town.mine | things)
        answer = stranger.get(path)
        assert answer.status_code == 404, (rule, answer.status_code)


@pytest.mark.parametrize("endpoint", _OPEN)
def test_a_compound_that_is_not_there_has_no_open_page(town: Town, endpoint: str) -> None:
    rule = town.rule(endpoint)
    if "compound_id" in rule.arguments and "GET" in (rule.methods or ()):
        assert town.world.app.test_client().get(town.path(endpoint, 999, town.mine)).status_code == 404


# Last, since this changes things: who may change, and what a form with another compound's objects does


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in _IN_COMPOUND if FORMS.get(endpoint)])
def test_a_form_that_names_another_compounds_objects_changes_nothing_there(town: Town, endpoint: str) -> None:
    for case in (case for case in town.cases(endpoint) if case.method == "POST"):
        before = town.of_compound(8)
        for role in who_may(case.right):
            answer = town.ask(role, case, town.path(endpoint, 7, town.mine), form_of(endpoint, town.theirs))
            assert answer.status_code in DONE | {404}, (role, endpoint, answer.status_code)
        assert town.of_compound(8) == before


@pytest.mark.parametrize("endpoint", _ASKED)
def test_who_may_change_is_not_sent_away(town: Town, endpoint: str) -> None:
    things = town.mine
    for case in (case for case in town.cases(endpoint) if case.method == "POST"):
        for role in who_may(case.right):
            for filled in (False, True):
                answer = town.change(role, case, endpoint, things, filled)
                if answer.status_code == 404:  # the one before has ended it for good
                    things = furnish(town.world, 7)
                    answer = town.change(role, case, endpoint, things, filled)
                nothing = {404} if endpoint in FORMS and not filled else set()  # an empty form names no object
                assert answer.status_code in DONE | nothing, (role, endpoint, filled, answer.status_code, answer.text)
