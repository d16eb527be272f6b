"""At the collection desk: found by one field, handed over after three checks, printed the night before, made anew."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from sync.server import words
from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.passes import passes
from sync.server.people.collecting import collection, desks, finding, printing
from sync.server.people.collecting.collection import HandOver
from sync.server.people.collecting.finding import Finding
from sync.server.people.households import households, phone_pass, slots
from sync.server.people.households.application import Application
from sync.server.people.households.households import Submitted
from sync.server.residents import letter
from sync.server.staff import roles
from tests.fixtures.centre import NOW, World
from tests.fixtures.office import Office
from tests.fixtures.people import add_desk, add_dwelling, application, apply, approved, family, neighbour, opened

ALL = frozenset(collection.CHECKS)
DAY_MS = 86_400_000


@pytest.fixture
def clerk(world: World) -> Office:
    return Office(world, "zhao", mine=(7,), role="clerk")


def find(world: World, words_: str, compound: int = 7) -> Finding:
    with world.centre.store.read() as conn:
        return finding.find(conn, world.centre.vault, compound, words_)


def found_ids(world: World, words_: str, compound: int = 7) -> list[int]:
    return [one.household_id for one in find(world, words_, compound).households]


def household(world: World, household_id: int, compound: int = 7) -> households.Household:
    with world.centre.store.read() as conn:
        return households.get_household(conn, compound, household_id)


def cards(world: World, household_id: int) -> list[collection.Card]:
    with world.centre.store.read() as conn:
        return collection.cards_of(conn, 7, household_id)


def numbers(world: World, done: Submitted) -> list[str]:
    return [card.number for card in cards(world, done.household_id)]


def hand_over(world: World, done: Submitted, *chosen: str, **given: Any) -> households.Household:
    fields = {"numbers": chosen or tuple(numbers(world, done)), "checks": ALL} | given
    with world.centre.writing(7, "wang") as writing:
        return collection.hand_over(writing, done.household_id, HandOver(**fields))


def states(world: World, *number: str) -> list[str]:
    return [passes.get_pass(world.centre, one).state for one in number]


def in_slot(world: World, form: Application | None = None, at: int = 0) -> Application:
    """The form with a slot: the ``at``-th that is offered, of a desk made for it where there is none."""
    form = form or neighbour()
    with world.centre.store.read() as conn:
        there = slots.list_desks(conn, 7)
    if not there:
        add_desk(world.centre)
    from sync.server.passes.compounds import read_compound

    with world.centre.store.read() as conn:
        offered = sorted(
            slots.offer(conn, read_compound(world.centre, 7), "3", world.now_ms), key=lambda one: one.at_ms
        )
    form.desk_id, form.slot_ms = offered[at].desk_id, offered[at].at_ms
    return form


# Finding


def test_every_way_to_name_a_household_leads_to_it(world: World) -> None:
    room = add_dwelling(world.centre)
    done = approved(world.centre, 7, _at(family(), room))
    other = approved(world.centre, 7, application(dwelling="9-1-101"))
    number = numbers(world, done)[0]
    code = passes.get_pass(world.centre, number).short_code
    text = passes.credential_text(world.centre, number, "card")
    for written in (
        f"https://a.example/j/7/s/{done.link}", f"http://x/j/7/s/{done.link.upper()}?lang=en", "7-H00001", "h1", "1",
        "00001", "７-Ｈ００００１", number, code, code.lower(), text, text.lower(), text + "\r\n", "13900139000",
        "+86 139 0013 9000", "3-2-501", "3栋2单元501室", "粤BD12345", "粤b·d12345",
    ):  # fmt: skip
        assert found_ids(world, written) == [done.household_id], written
    assert found_ids(world, "9-1-101") == [other.household_id]


def _at(form: Application, dwelling_id: int) -> Application:
    form.dwelling_id = dwelling_id
    return form


def test_a_telephone_of_two_households_gives_a_short_list_without_whole_names(world: World) -> None:
    first, second = approved(world.centre), approved(world.centre, 7, application(dwelling="3-2-502"))
    found = find(world, "13800138000")
    assert [one.household_id for one in found.households] == [second.household_id, first.household_id]
    assert all((one.label, one.phone_masked) == ("张*", "1******8000") for one in found.households)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "nothing"), ("   ", "nothing"), ("nobody", "nothing"), ("99", "nothing"), ("8-H00001", "foreign"),
        ("8-000001", "foreign"), ("/j/8/s/" + "a" * 26, "foreign"), ("/j/7/s/" + "a" * 26, "nothing"),
        ("G1" + "1" * 110, "unreadable"), ("G1" + "A" * 300, "unreadable"), ("x" * 5000, "unreadable"),
        ("' OR 1=1 --", "nothing"), ("<script>alert(1)</script>", "nothing"), ("\x00\ud83d", "nothing"),
    ],
)  # fmt: skip
def test_what_leads_nowhere_says_why(world: World, written: str, why: str) -> None:
    approved(world.centre)
    found = find(world, written.encode("utf-8", "replace").decode())
    assert (found.households, found.why) == ((), why)


def test_nothing_of_another_compound_is_found(world: World) -> None:
    done = approved(world.centre, 8, family())
    with world.centre.store.read() as conn:
        number = households.pass_numbers(conn, 8, done.household_id)[0]
    text = passes.credential_text(world.centre, number, "card")
    for written in (done.link, f"/j/8/s/{done.link}", done.number, number, text, "1", "13800138000", "粤BD12345"):
        assert found_ids(world, written) == [], written
    assert find(world, text).why == "foreign"


def test_a_replaced_card_is_known_as_dead_and_still_leads_to_its_household(world: World) -> None:
    done = approved(world.centre)
    number = numbers(world, done)[0]
    old = passes.credential_text(world.centre, number, "card")
    passes.reissue(world.centre, number, ("card",), "wang")
    assert find(world, old).dead and found_ids(world, old) == [done.household_id]
    assert not find(world, passes.credential_text(world.centre, number, "card")).dead


def test_a_pass_without_a_household_is_found_as_a_pass(world: World) -> None:
    made = world.issue(kind="contractor", label="赵*")
    found = find(world, made.number)
    assert (found.number, found.households, found.why) == (made.number, (), "")


# Handing over


def test_a_handed_over_household_opens_and_says_who_took_what(world: World) -> None:
    done = approved(world.centre, 7, family())
    after = hand_over(world, done, collector="proxy", name=" 王  强 ")
    assert set(states(world, *numbers(world, done))) == {"active"}
    assert (after.stage, after.collected_ms, after.collected_by) == ("collected", NOW, "wang")
    assert collection.collector_of(after.collected_note) == ("proxy", "王 强")
    with world.centre.store.read() as conn:
        told = conn.execute(select(tables.audit).where(tables.audit.c.household == done.household_id)).all()
    assert [row.what for row in told].count("collect") == 1
    assert [row.what for row in told].count("hand-over") == 4


def test_one_of_a_household_may_be_left_for_later(world: World) -> None:
    done = approved(world.centre, 7, family())
    first, *rest = numbers(world, done)
    hand_over(world, done, first)
    assert states(world, first, *rest) == ["active", "printed", "printed", "printed"]
    with pytest.raises(CentreError):
        hand_over(world, done, first, rest[0])
    assert states(world, rest[0]) == ["printed"], "all of them or none"
    hand_over(world, done, *rest)
    assert set(states(world, *rest)) == {"active"}


@pytest.mark.parametrize(
    "given",
    [
        {"checks": frozenset()}, {"checks": ALL - {"route"}}, {"checks": ALL - {"identity"}}, {"collector": "nobody"},
        {"collector": "proxy"}, {"collector": "proxy", "name": "  "}, {"collector": "adult", "name": "\n"},
        {"numbers": ("7-999999",)}, {"numbers": ("8-000001",)},
    ],
)  # fmt: skip
def test_without_all_checks_and_a_collector_nothing_is_handed_over(world: World, given: dict[str, Any]) -> None:
    done = approved(world.centre)
    with pytest.raises(CentreError) as raised:
        hand_over(world, done, **given)
    assert raised.value.zh and not household(world, done.household_id).collected_ms
    assert states(world, *numbers(world, done)) == ["printed"]


def test_nothing_is_handed_over_before_it_is_approved_or_for_somebody_else(world: World) -> None:
    waiting, others = apply(world.centre), approved(world.centre, 7, family())
    for done, number in ((waiting, "7-000001"), (approved(world.centre), numbers(world, others)[0])):
        with pytest.raises(CentreError):
            hand_over(world, done, number)
    with pytest.raises(NoSuchThing), world.centre.writing(8, "li") as writing:
        collection.hand_over(writing, others.household_id, HandOver(numbers=("7-000001",), checks=ALL))


def test_a_hand_over_undone_today_leaves_no_card_or_phone_that_opens(world: World) -> None:
    done = approved(world.centre, 7, family())
    gate = world.gate().enrol()
    hand_over(world, done)
    number = numbers(world, done)[0]
    with world.centre.writing(7, "wang") as writing:
        code = phone_pass.open_activation(writing, world.centre, number)
    phone_pass.activate(world.centre, 7, code)
    old = {card.number: _serials(world, card.number) for card in cards(world, done.household_id)}
    with world.centre.writing(7, "wang") as writing:
        collection.undo(writing, world.centre, done.household_id, "给错人了")
    gate.follow()
    assert not household(world, done.household_id).collected_ms and not household(world, done.household_id).printed_ms
    for card in cards(world, done.household_id):
        assert card.waiting and not card.in_hand
        assert {gate.rows[7, serial].state for serial in old[card.number]} == {"superseded"}
        assert {gate.rows[7, serial].state for serial in _serials(world, card.number)} == {"printed"}
    assert passes.get_pass(world.centre, number).state == "printed"
    with world.centre.store.read() as conn:
        assert collection.phones_of(conn, 7, done.household_id) == {}
    hand_over(world, done)


def _serials(world: World, number: str) -> set[int]:
    found = passes.get_pass(world.centre, number).credentials
    return {one.serial for one in found if one.state in ("printed", "active")}


def test_undoing_needs_a_reason_and_the_same_day(world: World) -> None:
    done = approved(world.centre)
    with pytest.raises(CentreError), world.centre.writing(7, "wang") as writing:
        collection.undo(writing, world.centre, done.household_id, "还没领")
    hand_over(world, done)
    with pytest.raises(CentreError), world.centre.writing(7, "wang") as writing:
        collection.undo(writing, world.centre, done.household_id, " ")
    world.now_ms += DAY_MS
    with pytest.raises(CentreError), world.centre.writing(7, "wang") as writing:
        collection.undo(writing, world.centre, done.household_id, "昨天给错了")
    assert states(world, *numbers(world, done)) == ["active"]


def test_a_lost_card_is_made_anew_and_the_old_one_is_dead_at_the_gate(world: World) -> None:
    done = approved(world.centre)
    hand_over(world, done)
    gate, number = world.gate().enrol(), numbers(world, done)[0]
    old = _serials(world, number)
    with world.centre.writing(7, "wang") as writing:
        collection.change(writing, world.centre, done.household_id, "reissue", [number])
    gate.follow()
    assert {gate.rows[7, serial].state for serial in old} == {"superseded"}
    assert {gate.rows[7, serial].state for serial in _serials(world, number)} == {"active"}


def test_a_whole_household_is_suspended_resumed_and_revoked(world: World) -> None:
    done = approved(world.centre, 7, family())
    hand_over(world, done)
    mine = numbers(world, done)
    for what, state in (("suspend", "suspended"), ("resume", "active"), ("revoke", "revoked")):
        with world.centre.writing(7, "wang") as writing:
            assert collection.change(writing, world.centre, done.household_id, what, mine) == mine
        assert set(states(world, *mine)) == {state}
    with world.centre.store.read() as conn:
        of = tables.audit.c
        told = conn.execute(select(of.what).where(of.household == done.household_id)).scalars().all()
    assert told.count("suspend") == 4


def test_only_passes_of_the_household_are_changed_and_all_or_none(world: World) -> None:
    done, other = approved(world.centre, 7, family()), approved(world.centre)
    mine, foreign = numbers(world, done), numbers(world, other)[0]
    for what, chosen in (("suspend", [mine[0], foreign]), ("suspend", []), ("burn", mine)):
        with pytest.raises(CentreError), world.centre.writing(7, "wang") as writing:
            collection.change(writing, world.centre, done.household_id, what, chosen)
    assert set(states(world, *mine, foreign)) == {"printed"}


# Printing the night before


def everything() -> printing.PrintFilter:
    return printing.PrintFilter(from_ms=NOW - 9 * DAY_MS, until_ms=NOW + 9 * DAY_MS)


def due(world: World, wanted: printing.PrintFilter | None = None) -> list[printing.CardToPrint]:
    with world.centre.store.read() as conn:
        return printing.due(conn, 7, wanted or everything())


def behind(world: World, *number: str) -> list[str]:
    from sync.server.passes.compounds import read_compound

    compound = read_compound(world.centre, 7)
    with world.centre.store.read() as conn:
        return [one.gate for one in printing.ready(conn, compound, number)]


def seen(world: World, gate: Any) -> None:
    """A gate asks for what is newer than its list, and the centre writes down how far it is."""
    gate.follow()
    world.app.extensions["presence"].write()


def test_cards_come_by_slot_and_building_and_only_of_those_who_wait(world: World) -> None:
    late = approved(world.centre, 7, in_slot(world, family(), at=5))
    early = approved(world.centre, 7, in_slot(world, at=0))
    apply(world.centre, 7, in_slot(world, at=1))
    gone = approved(world.centre, 7, in_slot(world, at=2))
    hand_over(world, gone)
    found = due(world)
    assert [one.household_id for one in found] == [early.household_id, late.household_id]
    assert [len(one.numbers) for one in found] == [1, 4]
    with world.centre.store.read() as conn:
        assert printing.unreviewed(conn, 7, everything()) == 1
    assert due(world, printing.PrintFilter(from_ms=0, until_ms=NOW)) == []


def test_sheets_are_printed_only_when_every_gate_in_service_knows_the_cards(world: World) -> None:
    east, west = world.gate(name="东门").enrol(), world.gate(name="西门").enrol()
    seen(world, east)
    seen(world, west)
    done = approved(world.centre, 7, in_slot(world))
    mine = numbers(world, done)
    assert behind(world, *mine) == ["东门", "西门"]
    with pytest.raises(printing.NotReady), world.centre.writing(7, "wang") as writing:
        printing.record(writing, due(world))
    assert not household(world, done.household_id).printed_ms
    seen(world, east)
    assert behind(world, *mine) == ["西门"]
    seen(world, west)
    assert behind(world, *mine) == []
    with world.centre.writing(7, "wang") as writing:
        printing.record(writing, due(world))
    assert household(world, done.household_id).printed_ms == NOW
    assert due(world) == []
    assert states(world, *mine) == ["printed"], "printing opens nothing"


def test_printing_all_the_same_is_recorded_with_its_reason(world: World) -> None:
    world.gate(name="西门").enrol()
    done = approved(world.centre, 7, in_slot(world))
    with world.centre.writing(7, "wang") as writing:
        printing.record(writing, due(world), "西门明天才装好")
    with world.centre.store.read() as conn:
        of = tables.audit.c
        printed = (of.what == "print", of.household == done.household_id)
        assert opened(conn, tables.audit, "why", *printed) == ["西门明天才装好"]


def test_printing_again_gives_the_same_text_and_a_lost_sheet_new_serials(world: World) -> None:
    done = approved(world.centre, 7, in_slot(world, family()))
    mine = numbers(world, done)

    def texts() -> list[str]:
        with world.centre.store.read() as conn:
            return [face.text for face in printing.faces(conn, world.centre, 7, mine)]

    first = texts()
    assert texts() == first == [passes.credential_text(world.centre, number, "card") for number in mine]
    with world.centre.writing(7, "wang") as writing:
        printing.record(writing, due(world))
        assert collection.renew_lost_sheet(writing, world.centre, done.household_id) == mine
    assert not set(texts()) & set(first) and not household(world, done.household_id).printed_ms


def test_a_card_says_no_dwelling_and_no_name(world: World) -> None:
    done = approved(world.centre, 7, family())
    with world.centre.store.read() as conn:
        faces = printing.faces(conn, world.centre, 7, numbers(world, done))
    assert [(face.label, face.plate, face.building) for face in faces] == [
        ("张*", "", "3"), ("李*", "", "3"), ("张*", "", "3"), ("", "粤BD12345", "3"),
    ]  # fmt: skip


# Desks


def a_desk(**changes: Any) -> slots.CollectionDesk:
    fields: dict[str, Any] = {
        "desk_id": 0, "name_zh": "一号台", "name_en": "Desk 1", "place_zh": "物业", "place_en": "Office", "capacity": 2,
        "hours": [(540, 720)], "from_day": "2027-01-01", "until_day": "2027-12-31", "weekdays": (1, 2, 3, 4, 5, 6, 7),
        "buildings": (), "paper": False,
    }  # fmt: skip
    return slots.CollectionDesk(**(fields | changes))


def test_a_desk_is_made_and_offers_what_was_said(world: World) -> None:
    with world.centre.writing(7, "wang") as writing:
        desk_id, lost = desks.put_desk(writing, world.centre.vault, a_desk(hours=[(540, 720), (840, 900)]))
    assert (desk_id, lost, desks.places_a_day(a_desk(hours=[(540, 720), (840, 900)]))) == (1, [], 32)
    with world.centre.store.read() as conn:
        assert slots.get_desk(conn, 7, desk_id).hours == [(540, 720), (840, 900)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name_zh": ""}, {"place_en": "x" * 61}, {"capacity": 0}, {"capacity": 999}, {"hours": []},
        {"hours": [(600, 540)]}, {"hours": [(540, 545)]}, {"hours": [(541, 720)]}, {"hours": [(540, 720), (700, 800)]},
        {"hours": [(0, 9999)]}, {"weekdays": ()}, {"weekdays": (0,)}, {"from_day": "2028-01-01"}, {"from_day": "soon"},
        {"name_en": "a\nb"},
    ],
)  # fmt: skip
def test_a_desk_that_cannot_be_is_said_in_both_languages(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(CentreError) as raised, world.centre.writing(7, "wang") as writing:
        desks.put_desk(writing, world.centre.vault, a_desk(**wrong))
    assert raised.value.zh
    with world.centre.store.read() as conn:
        assert slots.list_desks(conn, 7) == []


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"hours": [(480, 720)]}, 0), ({"hours": [(600, 720)]}, 3), ({"weekdays": (7,)}, 3), ({"capacity": 1}, 1),
        ({"until_day": "2020-01-02"}, 3), ({"hours": [(495, 720)], "capacity": 2}, 2),
    ],
)  # fmt: skip
def test_a_smaller_desk_takes_slots_away_and_tells(world: World, changes: dict[str, Any], lost: int) -> None:
    mine = [apply(world.centre, 7, in_slot(world, at=at)) for at in (0, 0, 0)]
    assert [_minute(household(world, one.household_id).slot_ms) for one in mine] == [480, 480, 495]
    with world.centre.store.read() as conn:
        old = slots.list_desks(conn, 7)[0]
    import msgspec

    with world.centre.writing(7, "wang") as writing:
        _, gone = desks.put_desk(writing, world.centre.vault, msgspec.structs.replace(old, **changes))
    assert len(gone) == lost
    with world.centre.store.read() as conn:
        assert {one.household_id for one in desks.without_slot(conn, 7)} == set(gone)
        told = conn.execute(select(tables.notice.c.household_id)).scalars().all()
    assert sorted(told) == sorted(gone)


def _minute(at_ms: int) -> int:
    return (at_ms // 60_000 + 8 * 60) % 1440


def test_a_desk_of_another_compound_is_not_there(world: World) -> None:
    desk_id = add_desk(world.centre, 8)
    with pytest.raises(NoSuchThing), world.centre.writing(7, "wang") as writing:
        desks.put_desk(writing, world.centre.vault, a_desk(desk_id=desk_id))


# The pages


def desk_form(done: Submitted, *chosen: str, **more: Any) -> dict[str, Any]:
    return {"card": list(chosen), "check": list(collection.CHECKS), "collector": "applicant", "do": "hand_over"} | more


def post(office: Office, path: str, **fields: Any) -> Any:
    from tests.fixtures.office import token_of

    return office.client.post(path, data=fields | {"csrf_token": token_of(office.client)})


def test_one_scan_opens_the_household_and_one_button_hands_over(world: World, clerk: Office) -> None:
    done = approved(world.centre, 7, family())
    answer = post(clerk, "/c/7/collect", scan=f"https://x/j/7/s/{done.link}")
    assert answer.location == f"/c/7/collect/{done.household_id}"
    page = clerk.get(answer.location).text
    assert "张伟" in page and "粤BD12345" in page and words.say("zh", "collect_not_printed") in page
    mine = numbers(world, done)
    answer = post(clerk, f"/c/7/collect/{done.household_id}", **desk_form(done, *mine))
    assert answer.status_code == 302 and set(states(world, *mine)) == {"active"}
    assert words.say("zh", "collect_done.hand_over") in clerk.get(answer.location).text


def test_what_was_ticked_stays_when_something_is_missing(world: World, clerk: Office) -> None:
    done = approved(world.centre, 7, family())
    first, second, *_ = numbers(world, done)
    form = desk_form(done, second, check=["identity"], collector="proxy", proxy="王<强>")
    answer = post(clerk, f"/c/7/collect/{done.household_id}", **form)
    assert answer.status_code == 409 and "承诺书已签、15天行程已核对" in answer.text
    assert re.search(rf'value="{second}"[^>]* checked', answer.text)
    assert not re.search(rf'value="{first}"[^>]* checked', answer.text)
    assert 'value="identity" checked' in answer.text and "王&lt;强&gt;" in answer.text


def test_scanning_the_printed_cards_ticks_them_and_nothing_else_is_lost(world: World, clerk: Office) -> None:
    done, other = approved(world.centre, 7, family()), approved(world.centre, 7, application(dwelling="1-1-101"))
    first, second, *_ = numbers(world, done)
    path = f"/c/7/collect/{done.household_id}"
    text = passes.credential_text(world.centre, second, "card")
    answer = post(clerk, path, **desk_form(done, *numbers(world, done), do="scan", scan=text))
    assert answer.status_code == 200
    ticked = re.findall(r'name="card" value="([^"]+)"[^>]* checked', answer.text)
    assert ticked == [second] and answer.text.count('name="check"') == answer.text.count('" checked> <span>') - 1
    text = passes.credential_text(world.centre, first, "card")
    answer = post(clerk, path, **desk_form(done, second, do="scan", scan=text, scanned=[second]))
    assert re.findall(r'name="card" value="([^"]+)"[^>]* checked', answer.text) == [first, second]
    text = passes.credential_text(world.centre, numbers(world, other)[0], "card")
    answer = post(clerk, path, **desk_form(done, do="scan", scan=text))
    assert answer.location == f"/c/7/collect/{other.household_id}"


def test_a_household_is_reviewed_at_its_slot_by_anyone_who_may(world: World, office: Office, clerk: Office) -> None:
    done = apply(world.centre, 7, in_slot(world))
    path = f"/c/7/collect/{done.household_id}"
    page = clerk.get(path).text
    assert words.say("zh", "collect_ask_colleague") in page and "/approve" not in page
    seen_mark = re.search(r'name="seen" value="([^"]+)"', office.get(path).text)
    assert seen_mark
    assert post(clerk, f"{path}/approve", seen=seen_mark[1]).status_code == 403
    answer = post(office, f"{path}/approve", seen=seen_mark[1], evidence=["id"])
    assert answer.status_code == 302 and household(world, done.household_id).state == "approved"
    answer = post(office, path, **desk_form(done, *numbers(world, done)))
    assert household(world, done.household_id).stage == "collected"


def test_the_day_is_counted_by_quarter_of_an_hour(world: World) -> None:
    world.now_ms = NOW - NOW % DAY_MS - 8 * 3_600_000 + DAY_MS  # midnight there
    came = approved(world.centre, 7, in_slot(world, at=0))
    apply(world.centre, 7, in_slot(world, at=0))
    approved(world.centre, 7, in_slot(world, at=0))
    hand_over(world, came)
    with world.centre.store.read() as conn:
        found = collection.quarters(conn, 7, world.now_ms, world.now_ms + DAY_MS)
    assert [(_minute(one.at_ms), one.expected, one.collected, one.unreviewed) for one in found] == [
        (480, 2, 1, 1), (495, 1, 0, 0),
    ]  # fmt: skip
    world.now_ms += 9 * 3_600_000
    clerk = Office(world, "zhao", mine=(7,), role="clerk")
    page = clerk.get("/c/7/collect?missing=1").text
    assert "7-H00002" in page and "7-H00003" in page and "7-H00001" not in page
    assert "7-H00001" in clerk.get(f"/c/7/collect?at={found[0].at_ms}").text


def test_the_phone_is_set_up_with_a_code_and_the_page_notices(world: World, clerk: Office) -> None:
    done = approved(world.centre)
    number = numbers(world, done)[0]
    path = f"/c/7/collect/{done.household_id}/phone/{number}"
    assert post(clerk, path).status_code == 409
    hand_over(world, done)
    answer = post(clerk, path)
    assert answer.status_code == 200 and "<svg" in answer.text
    assert clerk.get(f"{path}/used?since={NOW}").json == {"used": False}
    with world.centre.writing(7, "wang") as writing:
        code = phone_pass.open_activation(writing, world.centre, number)
    phone_pass.activate(world.centre, 7, code)
    assert clerk.get(f"{path}/used?since={NOW}").json == {"used": True}
    assert clerk.get(f"{path}/used?since={NOW + 1}").json == {"used": False}
    assert code not in str(world.centre.store.dialect)


def test_a_new_link_for_the_household_ends_the_old_one(world: World, clerk: Office) -> None:
    done = approved(world.centre)
    answer = post(clerk, f"/c/7/collect/{done.household_id}/link")
    assert answer.status_code == 200 and "<svg" in answer.text
    assert found_ids(world, f"/j/7/s/{done.link}") == []


def test_the_night_before_page_prints_a_list_and_sheets_of_eight(world: World, clerk: Office) -> None:
    done = [approved(world.centre, 7, in_slot(world, family(), at=at)) for at in range(3)]
    day = (date(2027, 1, 15) + timedelta(days=1)).isoformat()
    with world.centre.store.read() as conn:
        day = str(households.local_day(_compound(world), household(world, done[0].household_id).slot_ms))
        assert conn is not None
    page = clerk.get(f"/c/7/print?day={day}").text
    assert words.say("zh", "sheet_ready") in page
    answer = post(clerk, "/c/7/print/sheet", day=day, layout="duplex")
    assert answer.status_code == 200
    assert answer.text.count('class="sheet fronts"') == 2 and answer.text.count('class="sheet backs"') == 2
    assert answer.text.count('class="card front') == answer.text.count('class="card back"') == 12
    fronts, backs = _places(answer.text, "fronts"), _places(answer.text, "backs")
    assert [backs[place] for place in (1, 0, 3, 2, 5, 4, 7, 6)] == fronts
    assert words.say("zh", "sheet_none") in clerk.get(f"/c/7/print?day={day}").text
    again = post(clerk, "/c/7/print/sheet", day=day, layout="cards", again="1")
    assert again.text.count('class="card front') == 12 and 'class="sheet' not in again.text


def _compound(world: World) -> Any:
    from sync.server.passes.compounds import read_compound

    return read_compound(world.centre, 7)


def _places(page: str, side: str) -> list[str]:
    sheet = page.split(f'class="sheet {side}"')[1].split("</section>")[0]
    return [(re.findall(r"7-\d{6}", place) or [""])[0] for place in sheet.split('class="place"')[1:]]


def test_a_clerk_cannot_print_past_a_gate_that_lacks_the_state(world: World, office: Office, clerk: Office) -> None:
    world.gate(name="西门").enrol()
    done = approved(world.centre, 7, in_slot(world))
    day = str(households.local_day(_compound(world), household(world, done.household_id).slot_ms))
    page = clerk.get(f"/c/7/print?day={day}").text
    assert "西门" in page and words.say("zh", "sheet_colleague") in page
    assert post(clerk, "/c/7/print/sheet", day=day).status_code == 409
    assert post(clerk, "/c/7/print/anyway", day=day, sure="1", why="x").status_code == 403
    assert post(office, "/c/7/print/anyway", day=day, sure="1", why=" ").status_code == 409
    assert post(office, "/c/7/print/anyway", day=day, why="今晚停电").status_code == 409
    assert not household(world, done.household_id).printed_ms
    assert post(office, "/c/7/print/anyway", day=day, sure="1", why="今晚停电").status_code == 200
    assert household(world, done.household_id).printed_ms


def test_closing_a_desk_shows_who_loses_a_slot_before_it_is_done(world: World, office: Office) -> None:
    done = apply(world.centre, 7, in_slot(world))
    form = {
        "name_zh": "一号台", "name_en": "Desk 1", "place_zh": "物业一楼", "place_en": "Office", "capacity": "2",
        "begins-0": "14:00", "ends-0": "16:00", "from_day": "2027-01-01", "until_day": "2027-12-31",
        "weekday": ["1", "2", "3", "4", "5", "6", "7"], "do": "save",
    }  # fmt: skip
    answer = post(office, "/c/7/desks/1", **form)
    assert answer.status_code == 200 and done.number in answer.text and 'name="sure"' in answer.text
    assert household(world, done.household_id).slot_ms
    answer = post(office, "/c/7/desks/1", **form, sure="1")
    assert answer.status_code == 302 and not household(world, done.household_id).slot_ms
    assert done.number in office.get(answer.location).text
    wrong = post(office, "/c/7/desks/1", **(form | {"begins-0": "zwei", "name_en": "<b>"}))
    assert wrong.status_code == 409 and "&lt;b&gt;" in wrong.text and 'value="zwei"' in wrong.text


# On paper


def paper_form(form: Application, **more: str) -> dict[str, str]:
    sent = {"dwelling": form.dwelling, "letter_name": "", "do": "submit"}
    for n, person in enumerate(form.people):
        for name in person.__struct_fields__:
            value = getattr(person, name)
            if isinstance(value, str):
                sent[f"people-{n}-{name}"] = value
    sent |= {f"plates-{n}": plate for n, plate in enumerate(form.plates)}
    return sent | more


def test_a_form_on_paper_is_taken_in_on_one_page_with_a_slip(world: World, clerk: Office) -> None:
    desk = add_desk(world.centre, paper=True)
    with world.centre.store.read() as conn:
        best = slots.offer(conn, _compound(world), "3", world.now_ms, paper=True)[0]
    answer = post(clerk, "/c/7/paper", **paper_form(family(), slot=letter.slot_value(desk, best.at_ms)))
    assert answer.status_code == 302, answer.text
    found = household(world, 1)
    assert (found.source, found.state, found.slot_ms, found.letter_name) == ("paper", "applied", best.at_ms, "张伟")
    slip = clerk.get(answer.location).text
    assert "7-H00001" in slip and "<svg" in slip


def test_a_mistake_on_the_paper_page_loses_nothing(world: World, clerk: Office) -> None:
    form = family()
    form.people[1].doc_number = "110105194912310021"
    answer = post(clerk, "/c/7/paper", **paper_form(form))
    assert answer.status_code == 409 and "110105194912310021" in answer.text and form.people[2].name in answer.text
    assert 'href="#people-1-doc_number"' in answer.text
    more = post(clerk, "/c/7/paper", **paper_form(form, do="add-person"))
    assert more.status_code == 200 and 'name="people-3-name"' in more.text


def test_the_slip_of_a_household_that_applied_by_itself_does_not_give_its_page_away(
    world: World, clerk: Office
) -> None:
    done = apply(world.centre)
    slip = clerk.get(f"/c/7/paper/{done.household_id}").text
    assert done.number in slip and "<svg" not in slip


def test_no_page_of_the_desk_has_a_secret_of_the_card_in_it(world: World, clerk: Office) -> None:
    done = approved(world.centre, 7, family())
    page = clerk.get(f"/c/7/collect/{done.household_id}").text
    assert done.link not in page
    assert not any(passes.credential_text(world.centre, number, "card") in page for number in numbers(world, done))
    assert roles.may("clerk", "collect")


def test_an_ended_pass_is_not_shown_as_good(world: World) -> None:
    done = approved(world.centre)
    hand_over(world, done)
    with world.centre.store.write() as conn:
        conn.execute(update(tables.pass_).values(valid_until_ms=NOW))
    assert [card.shown(NOW) for card in cards(world, done.household_id)] == ["expired"]


def test_a_slip_of_the_scanner_loses_nothing_that_was_ticked(world: World, clerk: Office) -> None:
    done = approved(world.centre, 7, family())
    first, *_ = numbers(world, done)
    path = f"/c/7/collect/{done.household_id}"
    old = passes.credential_text(world.centre, first, "card")
    passes.reissue(world.centre, first, ("card",), "wang")
    for scanned, told in (
        ("", ""), ("nobody", "collect_why.nothing"), ("8-H00001", "collect_why.foreign"), (old, "collect_dead"),
    ):  # fmt: skip
        form = desk_form(done, first, do="scan", scan=scanned, proxy="王强", scanned=[first])
        answer = post(clerk, path, **form)
        assert answer.status_code == 200 and "王强" in answer.text
        assert re.findall(r'name="card" value="([^"]+)"[^>]* checked', answer.text) == [first]
        assert answer.text.count('class="wrong"') == bool(told) and (not told or words.say("zh", told) in answer.text)


def test_a_lost_card_is_made_anew_at_the_desk_and_printed_at_once(world: World, office: Office, clerk: Office) -> None:
    done = approved(world.centre, 7, family())
    hand_over(world, done)
    first, *_ = numbers(world, done)
    path = f"/c/7/collect/{done.household_id}"
    assert post(clerk, f"{path}/change", **{"pass": first}, do="reissue").status_code == 403
    answer = post(office, f"{path}/change", **{"pass": first}, do="reissue")
    assert answer.status_code == 302 and first in answer.location
    printed = post(clerk, f"{path}/print", **{"pass": first})
    assert printed.text.count('class="card front') == 1 and first in printed.text
    with world.centre.store.read() as conn:
        of = tables.audit.c
        told = conn.execute(select(of.what).where(of.household == done.household_id)).scalars().all()
    assert {"reissue-card", "print"} <= set(told)


def test_residents_read_whom_to_call(world: World, office: Office) -> None:
    done = apply(world.centre)
    for wrong in ("call me", "<b>1234567</b>", "1" * 60):
        assert office.post("/c/7/desks/phone", page="/c/7/desks", phone=wrong).status_code == 409
    assert office.post("/c/7/desks/phone", page="/c/7/desks", phone=" 027-8888 1234 ").status_code == 302
    for page in ("/j/7", f"/j/7/s/{done.link}"):
        assert 'href="tel:027-88881234"' in world.client.get(page).text
    assert "027-8888" not in world.client.get("/j/8").text
