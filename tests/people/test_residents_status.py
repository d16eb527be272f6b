"""A household's own page: every state in plain words, every deed asked first, and nothing of anybody else."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest

from sync.protocol import Terms, Window
from sync.server import words
from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.passes import compounds, passes
from sync.server.passes.compounds import read_compound
from sync.server.people.households import changes, households, phone_pass, slots, visitors
from sync.server.people.households.households import Household
from sync.server.people.registers import own_record
from sync.server.residents import letter
from sync.server.staff import sign_in
from sync.terms import LOOKS, REASONS
from tests.fixtures.centre import World
from tests.fixtures.events import Journal, event, send
from tests.fixtures.office import token_of
from tests.fixtures.people import add_desk, applicant, application, apply, approved, family, id_number

DAY_MS = 86_400_000
TODAY = date(2027, 1, 15)


class Home:
    """A household with its link, and the browser that opened it."""

    def __init__(self, world: World, done: households.Submitted, compound: int = 7):
        self.world, self.done, self.compound = world, done, compound
        self.client = world.app.test_client()
        self.path = f"/j/{compound}/s/{done.link}"

    def row(self) -> Household:
        with self.world.centre.store.read() as conn:
            return households.get_household(conn, self.compound, self.done.household_id)

    def get(self, page: str = "") -> Any:
        return self.client.get(self.path + page)

    def post(self, page: str, **fields: str) -> Any:
        token = token_of(self.client, self.path + page)
        return self.client.post(self.path + page, data=fields | {"csrf_token": token})

    def passes(self) -> list[passes.Pass]:
        with self.world.centre.store.read() as conn:
            return changes.passes_of(conn, self.row())

    def act(self, deed: Any) -> Any:
        with self.world.centre.writing(self.compound, f"resident:{self.done.number}") as writing:
            return deed(writing)


def collected(world: World, form: Any = None, compound: int = 7) -> Home:
    """A household whose passes were handed over."""
    home = Home(world, approved(world.centre, compound, form or family()), compound)
    with world.centre.writing(compound, "wang") as writing:
        for number in households.pass_numbers(writing.conn, compound, home.done.household_id):
            passes.hand_over_in(writing, number)
        households.set_state(writing, home.done.household_id, collected_ms=writing.now_ms, collected_by="wang")
    return home


def decided(world: World, state: str, **more: Any) -> Home:
    home = Home(world, apply(world.centre))
    with world.centre.writing(7, "wang") as writing:
        households.decide(writing, home.done.household_id, state, **more)
    return home


# The page


def test_every_state_is_said_in_plain_words_and_in_both_languages(world: World) -> None:
    until_ms = world.now_ms + 10 * DAY_MS
    homes = {
        "applied": Home(world, apply(world.centre)),
        "correct": decided(world, "correct", told="门牌号请写全"),
        "observe": decided(world, "observe", told="您2月16日返回", not_before_ms=until_ms),
        "not_here": decided(world, "not_here", told="房东说已退租"),
        "approved": Home(world, approved(world.centre)),
        "collected": collected(world),
        "cancelled": Home(world, apply(world.centre)),
        "moved": collected(world),
    }
    homes["cancelled"].act(lambda writing: changes.cancel(writing, homes["cancelled"].row()))
    homes["moved"].act(lambda writing: changes.move_out(writing, homes["moved"].row()))
    for state, home in homes.items():
        for language in ("en", "zh"):
            page = home.get(f"?lang={language}")
            assert page.status_code == 200 and words.say(language, f"status_stage.{state}") in page.text
            assert "拒绝" not in page.text.replace("不是拒绝", "") and "refused" not in page.text
            assert home.done.number in page.text and page.headers["Referrer-Policy"] == "no-referrer"
    assert "门牌号请写全" in homes["correct"].get().text and "/correct" in homes["correct"].get().text
    assert "2027-01-25起" in homes["observe"].get().text and "您2月16日返回" in homes["observe"].get().text


def test_a_wrong_link_is_nothing_and_guessing_has_an_end(world: World) -> None:
    home = Home(world, apply(world.centre))
    for path in (f"/j/8/s/{home.done.link}", f"/j/7/s/{home.done.link[:-1]}x", "/j/7/s/x/record", "/j/7/s/x/cancel"):
        assert world.client.get(path).status_code == 404
    statuses = [world.client.get(f"/j/7/s/{n}").status_code for n in range(26)]
    assert statuses == [404] * 25 + [429]
    assert home.get().status_code == 200, "a right link is not stopped by who guesses at the same address"


def test_a_page_shows_one_household_only(world: World) -> None:
    one, two = collected(world), collected(world, application(people=[applicant(name="赵强")], dwelling="8-1-101"))
    text = "".join(one.get(page).text for page in ("", "/record", "/visitors", "/lost", "/plate"))
    assert "赵" not in text and two.done.number not in text and "8-1-101" not in text
    for found in two.passes():
        assert one.post("/lost", number=found.number, what="card").status_code == 404
        assert one.get(f"/visitors/{found.number}").status_code == 404
    assert [found.credentials[0].state for found in two.passes()] == ["active"]


def test_what_a_state_does_not_allow_is_led_back_and_not_done(world: World) -> None:
    home = Home(world, apply(world.centre))
    for page in ("lost", "plate", "person", "moved", "object", "visitors"):
        assert (home.get(f"/{page}").status_code, home.get(f"/{page}").location) == (302, home.path)
    token = token_of(home.client, home.path + "/cancel")
    answer = home.client.post(home.path + "/moved", data={"csrf_token": token, "sure": "yes"})
    assert answer.status_code == 409 and home.row().state == "applied"


# Before the passes are collected


def test_cancelling_asks_first_and_gives_the_slot_back(world: World) -> None:
    desk = add_desk(world.centre, capacity=1)
    at_ms = free(world)[0].at_ms
    home = Home(world, apply(world.centre, 7, application(desk_id=desk, slot_ms=at_ms)))
    assert home.post("/cancel").status_code == 409 and home.row().state == "applied"
    answer = home.post("/cancel", sure="yes")
    assert answer.status_code == 302 and words.say("zh", "status_done.cancel") in home.client.get(answer.location).text
    assert home.row().state == "cancelled" and free(world)[0].at_ms == at_ms
    assert home.get("/cancel").location == home.path


def free(world: World) -> list[slots.Slot]:
    with world.centre.store.read() as conn:
        return slots.offer(conn, read_compound(world.centre, 7), "3", world.now_ms)


def test_another_slot_is_taken_out_of_those_that_are_free(world: World) -> None:
    desk = add_desk(world.centre, capacity=1)
    first, second = (slot.at_ms for slot in free(world)[:2])
    home = Home(world, apply(world.centre, 7, application(desk_id=desk, slot_ms=first)))
    offered = re.findall(r'name="slot" value="([^"]+)"', home.get("/slot").text)
    assert letter.slot_value(desk, second) in offered
    assert home.post("/slot", slot=letter.slot_value(desk, second)).status_code == 302
    assert (home.row().desk_id, home.row().slot_ms) == (desk, second)
    other = Home(world, apply(world.centre))
    taken = letter.slot_value(desk, second)
    for wrong in (taken, f"{taken}1", f"{desk}.{'9' * 400}", "", "x.y", letter.slot_value(99, first)):
        assert other.post("/slot", slot=wrong).status_code == 409
    assert other.row().slot_ms == 0
    assert home.post("/slot").status_code == 409 and home.row().slot_ms == second
    assert "ticket" in home.get().text and "ticket" not in other.get().text


def test_a_household_said_not_to_live_here_can_object(world: World) -> None:
    home = decided(world, "not_here")
    assert home.post("/object", words="  ").status_code == 409
    long = home.post("/object", words="住" * 301)
    assert long.status_code == 409 and "住" * 301 in long.text
    assert home.post("/object", words="我是租户，房东电话在合同上").status_code == 302
    assert home.row().objection in home.get().text and home.row().state == "not_here"


# Lost


def serials(home: Home, number: str) -> dict[str, tuple[int, str]]:
    found = next(one for one in home.passes() if one.number == number)
    live = [one for one in found.credentials if one.state in ("printed", "active")]
    return {one.medium: (one.serial, one.state) for one in live}


def on_phone(world: World, number: str) -> str:
    with world.centre.writing(7, "wang") as writing:
        code = phone_pass.open_activation(writing, world.centre, number)
    return phone_pass.activate(world.centre, 7, code).browser_secret


def shows(world: World, secret: str) -> bool:
    with world.centre.store.read() as conn:
        try:
            return bool(phone_pass.pass_of_browser(conn, world.centre.vault, 7, secret))
        except NoSuchThing:
            return False


@pytest.mark.parametrize(
    ("what", "card", "phone"), [("card", "printed", True), ("phone", "active", False), ("both", "printed", False)]
)
def test_what_was_lost_stops_and_the_rest_works_on(world: World, what: str, card: str, phone: bool) -> None:
    home = collected(world)
    number = home.passes()[1].number
    secret = on_phone(world, number)
    before = serials(home, number)
    answer = home.post("/lost", number=number, what=what)
    assert answer.status_code == 302, answer.text
    after = serials(home, number)
    assert (after["card"][1], after["card"] != before["card"]) == (card, what != "phone")
    assert (after["phone"] == before["phone"], shows(world, secret)) == (phone, phone)
    assert after["phone"][1] == "active"
    page = home.client.get(answer.location).text
    assert "已挂失" in page and (words.say("zh", "status_new_card") in page) == (card == "printed")


def test_a_loss_is_reported_once_and_of_what_is_there(world: World) -> None:
    home = collected(world)
    number = home.passes()[0].number
    assert home.post("/lost", number=number, what="card").status_code == 302
    before = serials(home, number)
    for what in ("card", "both", "phone", "hat", ""):
        assert home.post("/lost", number=number, what=what).status_code == 409
    assert home.post("/lost", number="", what="card").status_code == 404
    assert serials(home, number) == before


# People and vehicles


def test_another_plate_waits_and_the_old_pass_ends(world: World) -> None:
    home = collected(world)
    old = next(one for one in home.passes() if one.kind == "vehicle")
    with world.centre.store.read() as conn:
        vehicle = households.vehicles_of(conn, 7, home.done.household_id)[0]
    wrong = home.post("/plate", vehicle=str(vehicle.vehicle_id), plate="粤B1")
    assert wrong.status_code == 409 and 'value="粤B1"' in wrong.text
    assert home.post("/plate", vehicle="9999", plate="粤B54321").status_code == 404
    assert home.post("/plate", vehicle=str(vehicle.vehicle_id), plate="粤b·54321").status_code == 302
    assert passes.get_pass(world.centre, old.number).state == "revoked"
    assert home.post("/plate", vehicle="0", plate="粤B99999").status_code == 302
    assert home.post("/plate", vehicle="0", plate="粤B99999").status_code == 409
    with world.centre.store.read() as conn:
        found = households.vehicles_of(conn, 7, home.done.household_id)
    assert [(one.plate, one.pass_id) for one in found] == [("粤B54321", 0), ("粤B99999", 0)]
    assert "粤B54321" in home.get().text and words.say("zh", "status_waiting") in home.get().text


def person_fields(**changes_: str) -> dict[str, str]:
    fields = {
        "name": "张小妹", "kind": "resident", "doc_kind": "none", "doc_number": "", "sex": "f", "birth": "2027-01-10",
        "relation": "family", "same_residence": "yes", "travelled": "", "province": "", "city": "",
        "arrived": "2027-01-10", "came_from": "本地", "transport": "none", "stayed": "yes", "contact": "no",
        "health": "well", "quarantine": "no",
    }  # fmt: skip
    return {f"people-1-{name}": value for name, value in (fields | changes_).items()}


def test_a_baby_is_added_without_a_pass_and_waits_for_the_office(world: World) -> None:
    home = collected(world)
    answer = home.post("/person", do="next", **person_fields())
    assert answer.status_code == 302, answer.text
    with world.centre.store.read() as conn:
        people = households.people_of(conn, 7, home.done.household_id)
    assert [(one.name, one.province, one.pass_id) for one in people[3:]] == [("张小妹", "湖北", 0)]
    assert len(home.passes()) == 4 and "张小妹" in home.get().text


def test_what_is_wrong_with_a_new_person_is_said_and_what_was_typed_stays(world: World) -> None:
    home = collected(world)
    answer = home.post("/person", do="next", **person_fields(health="", name=""))
    assert answer.status_code == 409 and 'value="2027-01-10"' in answer.text
    assert 'href="#people-1-health"' in answer.text and 'href="#people-1-name"' in answer.text
    more = home.post("/person", do="add-journeys-1", **person_fields(stayed="no"))
    assert more.status_code == 200 and "张小妹" in more.text
    with world.centre.store.read() as conn:
        assert len(households.people_of(conn, 7, home.done.household_id)) == 3


def test_nobody_is_in_a_household_twice(world: World) -> None:
    same = id_number(777, "19900101")
    home = collected(world, application(people=[applicant(doc_number=same)]))
    again = person_fields(doc_kind="id_card", doc_number=same, name="张伟")
    assert home.post("/person", do="next", **again).status_code == 409
    full = collected(world, application(people=[applicant() for _ in range(12)]))
    assert full.post("/person", do="next", **person_fields()).status_code == 409


def test_a_household_that_moved_out_has_no_pass_and_no_visitor(world: World) -> None:
    home = collected(world)
    visitor = invited(home)
    numbers = [one.number for one in home.passes()] + [visitor.number]
    assert home.post("/moved").status_code == 409
    assert home.post("/moved", sure="yes").status_code == 302
    assert {passes.get_pass(world.centre, number).state for number in numbers} == {"revoked"}


# Visitors


def invited(home: Home, name: str = "陈明", plate: str = "", day: str = TODAY.isoformat()) -> visitors.Visitor:
    found = home.act(lambda writing: visitors.invite(writing, home.world.centre, home.row(), name, plate, day))
    assert isinstance(found, visitors.Visitor)
    return found


def test_a_visitors_pass_is_good_from_midnight_to_midnight_and_says_no_more_than_it_must(world: World) -> None:
    home = collected(world)
    answer = home.post("/visitors", name="陈明", plate="粤B12345", day="2027-01-16")
    assert answer.status_code == 302
    number = answer.location.rsplit("/", 1)[1]
    found = passes.get_pass(world.centre, number)
    assert (found.kind, found.label, found.plate, found.dwelling, found.state) == (
        "visitor", "陈*", "粤B12345", "3-2-501", "active",
    )  # fmt: skip
    begin = passes.read_time("2027-01-16", "Asia/Shanghai", False)
    assert (found.valid_from_ms, found.valid_until_ms) == (begin, begin + DAY_MS)
    page = home.client.get(answer.location).text
    assert "<svg" in page and found.short_code in page and "陈明" not in page
    assert found.household == home.done.household_id and "陈*" in home.get().text


def test_a_household_chooses_how_often_and_when_its_visitor_comes_in(world: World) -> None:
    home = collected(world)
    asked = {"name": "陈明", "plate": "", "day": "2027-01-16"}
    answer = home.post("/visitors", **asked, entries="1", **{"from": "08:00", "to": "12:30"})
    found = passes.get_pass(world.centre, answer.location.rsplit("/", 1)[1])
    assert found.own == Terms((Window(480, 750),), 1)
    page = home.client.get(answer.location).text
    assert page.count("总共能进1次") == 3 and "08:00–12:30" in page, "beside the code, in the picture, in the text"
    plain = home.post("/visitors", **asked)
    assert passes.get_pass(world.centre, plain.location.rsplit("/", 1)[1]).terms == ""
    compounds.set_rule(world.centre, 7, "entries_kind", '{"visitor":2}', "test")
    offered = re.findall(r"<option value=\"(.?)\"[^>]*>([^<]+)", home.get("/visitors").text)
    assert offered == [("", "按小区规定，总共2次"), ("1", "1次")]
    assert "总共能进2次" in home.client.get(plain.location).text


def test_a_household_reads_how_often_its_visitor_came_in(world: World) -> None:
    home = collected(world)
    found = invited(home)
    serial = passes.get_pass(world.centre, found.number).credentials[0].serial
    told: list[dict[str, Any]] = [
        {"outcome": "grant", "serial": serial, "direction": "in"},
        {"kind": "passage", "outcome": "passed", "about": "e1", "direction": "in"},
        {"outcome": "grant", "serial": serial, "direction": "in"},
        {"kind": "passage", "outcome": "not_passed", "about": "e3", "direction": "in"},
        {"outcome": "grant", "serial": serial, "direction": "out"},
        {"kind": "passage", "outcome": "passed", "about": "e5", "direction": "out"},
        {"outcome": "refer", "serial": serial, "direction": "in"},
        {"kind": "ruled", "outcome": "grant", "about": "e7", "direction": "in"},
        {"kind": "passage", "outcome": "no_sensor", "about": "e8", "direction": "in"},
        {"outcome": "deny", "serial": serial, "direction": "in"},
        {"kind": "override", "outcome": "grant", "serial": serial, "about": "e10", "direction": "in"},
        {"kind": "passage", "outcome": "passed", "about": "e11", "direction": "in"},
    ]
    texts = [event(n, **{"at_ms": world.now_ms + n, "lane": "a", "scope": 7} | one) for n, one in enumerate(told, 1)]
    gate = world.gate().enrol()
    assert "已知进门" not in home.get(f"/visitors/{found.number}").text
    send(gate, Journal(texts).batch(1, len(texts)))
    assert "已知进门3次。" in home.get(f"/visitors/{found.number}").text


@pytest.mark.parametrize(
    ("fields"),
    [{"name": ""}, {"plate": "粤B"}, {"day": "2027-01-14"}, {"day": "2027-01-23"}, {"day": "soon"}, {"day": ""},
     {"entries": "0"}, {"entries": "4"}, {"from": "08:00"}, {"to": "12:00"}, {"from": "08:00", "to": "08:00"}],
)  # fmt: skip
def test_an_invitation_that_cannot_be_keeps_what_was_typed(world: World, fields: dict[str, str]) -> None:
    home = collected(world)
    answer = home.post("/visitors", **({"name": "陈明", "plate": "", "day": "2027-01-15"} | fields))
    assert answer.status_code == 409
    assert fields.get("name", "陈明") in answer.text and fields.get("plate", "") in answer.text


def test_three_visitors_a_day_and_a_cancelled_one_makes_room(world: World) -> None:
    home = collected(world)
    made = [invited(home) for _ in range(3)]
    with pytest.raises(CentreError):
        invited(home)
    invited(home, day="2027-01-16")
    path = f"/visitors/{made[0].number}"
    assert home.post(path).status_code == 302
    assert passes.get_pass(world.centre, made[0].number).state == "revoked"
    assert words.say("zh", "status_visit_cancelled") in home.get(path).text and "<svg" not in home.get(path).text
    invited(home)
    for _ in range(5):
        home.act(lambda writing: visitors.cancel(writing, home.row(), invited_in(writing, home).number))
    with pytest.raises(CentreError):
        invited(home, day="2027-01-20")


def invited_in(writing: Any, home: Home) -> visitors.Visitor:
    return visitors.invite(writing, home.world.centre, home.row(), "陈明", "", "2027-01-17")


def test_a_day_that_is_over_shows_no_code(world: World) -> None:
    home = collected(world)
    number = invited(home).number
    world.now_ms += DAY_MS
    page = home.get(f"/visitors/{number}").text
    assert words.say("zh", "status_visit_over") in page and "<svg" not in page
    assert "陈*" not in home.get().text


def test_only_a_household_that_collected_and_is_not_in_home_quarantine_invites(world: World) -> None:
    waiting = Home(world, approved(world.centre))
    with pytest.raises(CentreError):
        invited(waiting)
    home = collected(world)
    with world.centre.writing(7, "wang") as writing:
        households.set_home_quarantine(writing, home.done.household_id, world.now_ms + DAY_MS)
    with pytest.raises(CentreError, match="quarantine"):
        invited(home)
    assert "2027-01-16" in home.get().text


# What is known of the household


UNTOLD = {
    "unreadable", "not_a_pass", "foreign_scope", "unknown_key", "bad_signature", "no_list", "not_on_list", "unlisted",
    "suspended", "lockdown", "response_level", "list_expired", "terms_unread", "attention", "ok",
}  # fmt: skip
"""Reasons that a household is told as "please ask the guard post": no household's pass, or not for its page."""


def test_each_reason_is_told_to_households_or_left_to_the_guard_on_purpose() -> None:
    told = {code.removeprefix("status_reason.") for code in words.WORDS if code.startswith("status_reason.")}
    assert told - {"other"} == set(REASONS) - UNTOLD


def test_a_household_sees_its_own_passages_in_plain_words(world: World) -> None:
    home, other = collected(world), collected(world)
    mine, theirs = home.passes()[0].credentials[0].serial, other.passes()[0].credentials[0].serial
    gate = world.gate(name="东门").enrol()
    told: list[dict[str, Any]] = [
        {"outcome": "grant", "reason": "ok", "serial": mine, "direction": "in"},
        {"outcome": "refer", "reason": "attention", "serial": mine, "direction": "out"},
        {"kind": "ruled", "outcome": "grant", "reason": "known", "about": "e2", "by": "李强"},
        {"outcome": "deny", "reason": "passback", "serial": mine, "direction": "in"},
        {"outcome": "grant", "reason": "ok", "serial": theirs, "direction": "in"},
        {"outcome": "grant", "reason": "ok", "serial": mine, "at_ms": world.now_ms - 31 * DAY_MS},
    ]
    texts = [event(n, **{"at_ms": world.now_ms + n, "lane": "a", "scope": 7} | one) for n, one in enumerate(told, 1)]
    send(gate, Journal(texts).batch(1, len(texts)))
    with world.centre.store.read() as conn:
        found = own_record.passages(conn, home.row(), world.now_ms)
    assert [(one.outcome, one.reason, one.direction, one.gate) for one in found] == [
        ("deny", "passback", "in", "东门"), ("guard_grant", "", "out", "东门"), ("grant", "", "in", "东门"),
    ]  # fmt: skip
    page = home.get("/record").text
    assert words.say("zh", "status_reason.passback") in page
    assert "李强" not in page and words.say("zh", "reason.attention") not in page


def test_a_household_sees_that_guards_look_twice_and_not_for_what(world: World) -> None:
    """Anyone who has the link reads the page."""
    home = collected(world)
    for look in LOOKS:
        passes.set_attention(world.centre, home.passes()[0].number, True, "wang", look)
    page = home.get("/record?lang=zh").text
    assert words.say("zh", "status_what.attention") in page
    told = [look for look in LOOKS if f"{look}<" in page or words.say("zh", f"look_for.{look}") in page]
    assert told == []
    assert words.say("zh", "review_purpose.other") not in page


def test_a_household_sees_who_opened_its_record_by_role_and_why(world: World) -> None:
    home = collected(world)
    sign_in.add_staff(world.centre, "wang", "王敏", False, (7,), "property")
    with world.centre.writing(7, "wang") as writing:
        writing.audit("reveal", f"{home.done.number} doc 1", home.done.household_id, "identity: 核对门牌")
        writing.audit("something-new", "x", home.done.household_id)
        row = {"compound_id": 7, "export_id": "e1", "at_ms": world.now_ms, "by": "wang", "what": "residents",
               "chosen": "{}", "why": "visit: 上门核实", "whole": True, "rows": 2,
               "households": json.dumps([home.done.household_id, 99], separators=(",", ":"))}  # fmt: skip
        writing.conn.execute(tables.export.insert().values(row))
    with world.centre.store.read() as conn:
        found = {(look.what, look.role) for look in own_record.looks(conn, home.row())}
    assert {("apply", "self"), ("reveal", "property"), ("table", "property")} <= found
    page = home.get("/record?lang=zh").text
    for key in ("status_what.reveal", "status_what.table", "status_what.other", "accounts.role.property"):
        assert words.say("zh", key) in page
    assert "核对门牌" in page and "上门核实" in page and "王敏" not in page and "wang" not in page


def test_what_is_kept_until_when_stands_on_the_page(world: World) -> None:
    home = Home(world, apply(world.centre))
    assert words.say("zh", "keep.kind.passage") in home.get("/record").text


def test_every_deed_is_recorded_in_the_name_of_the_household(world: World) -> None:
    home = collected(world)
    home.post("/lost", number=home.passes()[0].number, what="card")
    home.post("/visitors", name="陈明", plate="", day=TODAY.isoformat())
    with world.centre.store.read() as conn:
        rows = conn.execute(tables.audit.select().where(tables.audit.c.by == f"resident:{home.done.number}")).all()
    assert {"lost-card", "reissue-card", "invite", "issue"} <= {row.what for row in rows}
    assert {row.household for row in rows if row.what in ("lost-card", "invite")} == {home.done.household_id}


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "'; DROP TABLE household; --", "=1+1", "字" * 5000, "\0"]
)
def test_hostile_words_are_only_words(world: World, hostile: str) -> None:
    home = collected(world)
    for page, fields in (
        ("/visitors", {"name": hostile, "plate": hostile, "day": hostile}),
        ("/plate", {"vehicle": hostile, "plate": hostile}),
        ("/person", {"do": hostile} | person_fields(name=hostile, doc_number=hostile, birth=hostile)),
    ):
        answer = home.post(page, **fields)
        assert answer.status_code in (200, 400, 409) and "<script>alert" not in answer.text
    objecting = decided(world, "not_here")
    objecting.post("/object", words=hostile)
    assert "<script>alert" not in objecting.get().text


def test_days_of_invitations_are_those_of_the_compound(world: World) -> None:
    home = collected(world)
    page = home.get("/visitors").text
    for ahead in range(8):
        assert f">{TODAY + timedelta(days=ahead)}</option>" in page


def test_a_household_that_has_to_wait_collects_when_the_day_has_come(world: World) -> None:
    desk = add_desk(world.centre)
    early = free(world)[0].at_ms
    home = Home(world, apply(world.centre, 7, application(desk_id=desk, slot_ms=early)))
    with world.centre.writing(7, "wang") as writing:
        households.decide(writing, home.done.household_id, "observe", "", world.now_ms + 3 * DAY_MS)
    page = home.get().text
    assert "ticket" not in page and words.say("zh", "status_slot_later") in page
    assert home.post("/slot", slot=letter.slot_value(desk, early)).status_code == 409
    late = next(slot.at_ms for slot in free(world) if slot.at_ms > world.now_ms + 3 * DAY_MS)
    assert home.post("/slot", slot=letter.slot_value(desk, late)).status_code == 302
    assert "ticket" in home.get().text


def test_the_same_deed_on_several_passes_is_one_line(world: World) -> None:
    home = collected(world)
    with world.centre.store.read() as conn:
        times = {look.what: look.times for look in own_record.looks(conn, home.row())}
    assert times["hand-over"] == 4 and "×4" in home.get("/record").text
