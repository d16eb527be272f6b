"""A stranger who sends forms in bulk, through the pages as anybody does: what is booked out, who still gets a slot."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from sync.server import words
from sync.server.centre import audit, tables
from sync.server.passes.compounds import read_compound
from sync.server.people import town_setting
from sync.server.people.deciding import doubtful, review
from sync.server.people.households import doubts, drafts, households, notices, phone_code, slots
from sync.server.people.households.application import Application
from sync.server.people.households.doubts import Company
from sync.server.people.households.drafts import Draft
from sync.server.people.households.slots import FIRM, GIVES_WAY, NO_PLACE, Holder, Taken
from tests.fixtures.centre import World
from tests.fixtures.office import Office, token_of
from tests.fixtures.people import SIGNATURE, add_desk, applicant, application, apply, id_number, neighbour

PLACES = 12
"""Of the small desk."""
ATTACKS = pytest.mark.parametrize(
    ("forms", "places"), [(16, PLACES), pytest.param(62, 48, marks=pytest.mark.slow, id="as it was found")]
)
"""The attack that was found sent 62 forms in 96 seconds to a desk of 48 places."""
LETTER = {"letter_name": "张伟", "signature": SIGNATURE}


class Browser:
    """A browser without JavaScript that may send many forms; its cookies are kept until it forgets them."""

    def __init__(self, world: World, address: str = "127.0.0.1"):
        self.world, self.address = world, address
        self.forget()

    def forget(self) -> None:
        self.client = self.world.app.test_client()
        self.client.environ_base["REMOTE_ADDR"] = self.address
        self.token = token_of(self.client, "/j/7/state")

    def post(self, path: str, **fields: str) -> Any:
        return self.client.post(f"/j/7{path}", data=fields | {"csrf_token": self.token})

    def sign(self, form: Application) -> Any:
        """The last page of the form, with a draft that says what ``form`` does; the time the page suggests."""
        with self.world.centre.writing(7, "resident") as writing:
            token = drafts.begin(writing, self.world.centre.vault, Draft(application=form))
        self.client.set_cookie("draft_7", token, path="/j/7")
        found = re.search(r'value="([0-9.]+)" checked', self.client.get("/j/7/form/letter").text)
        return self.post("/form/letter", slot=found[1] if found else "", **LETTER)

    def done(self) -> str:
        return str(self.client.get("/j/7/done").text)

    def home(self) -> str:
        found = re.search(r"/j/7(/s/[a-z0-9]+)", self.done())
        assert found
        return found[1]

    def number(self) -> int:
        found = re.search(r"7-H(\d+)", self.done())
        assert found
        return int(found[1])


def whole_form(browser: Browser, phone: str, room: str, slot: str) -> Any:
    """Every page of the form, from the first on."""
    browser.post("/begin")
    browser.post("/form/where", **{
        "people-0-name": "张伟", "people-0-relation": "owner", "people-0-doc_kind": "id_card", "dwelling": room,
        "people-0-doc_number": id_number(11), "people-0-phone": phone,
    })  # fmt: skip
    browser.post("/form/residence", **{
        "people-0-province": "湖北", "people-0-city": "武汉", "people-0-arrived": "20150301",
        "people-0-came_from": "孝感", "people-0-transport": "none",
    })  # fmt: skip
    browser.post("/form/travel", **{
        "people-0-stayed": "yes", "people-0-contact": "no", "people-0-health": "well", "people-0-quarantine": "no",
    })  # fmt: skip
    return browser.post("/form/letter", slot=slot, **LETTER)


def form(phone: str, room: str) -> Application:
    return application(dwelling=room, people=[applicant(phone=phone)], signature="", letter_name="")


def strange(number: int, rooms: int) -> Application:
    """An invented telephone, and one of so many rooms."""
    return form(f"138{number:08d}", f"1-1-{number % rooms + 101}")


def free(world: World, doubt: int = GIVES_WAY) -> int:
    """Places that nobody holds, without those that some would have to give up."""
    with world.centre.store.read() as conn:
        offered = slots.offer(conn, read_compound(world.centre, 7), "", world.now_ms, doubt=doubt)
    return sum(one.left for one in offered)


def small_desk(world: World, places: int = PLACES) -> int:
    """A desk that is open on one day, twelve quarters of an hour."""
    return add_desk(world.centre, capacity=places // 12, hours="[[480,660]]",
                    from_day="2027-01-16", until_day="2027-01-16")  # fmt: skip


def household(world: World, household_id: int) -> households.Household:
    with world.centre.store.read() as conn:
        return households.get_household(conn, 7, household_id)


def everyone(world: World) -> list[households.Household]:
    with world.centre.store.read() as conn:
        ids = conn.execute(select(tables.household.c.household_id)).scalars().all()
        return [households.get_household(conn, 7, one) for one in ids]


def told(world: World, kind: str) -> int:
    with world.centre.store.read() as conn:
        return len(conn.execute(select(tables.notice).where(tables.notice.c.kind == kind)).all())


def honest_household_finds_a_slot(world: World) -> int:
    honest = Browser(world, "198.51.100.7")
    assert honest.sign(form("13900139000", "7-2-701")).location == "/j/7/done"
    mine = household(world, honest.number())
    assert mine.desk_id and mine.slot_ms > world.now_ms and mine.doubt == FIRM
    return mine.household_id


# The attack, three times


@ATTACKS
def test_one_invented_phone_and_one_room_take_one_place(world: World, forms: int, places: int) -> None:
    small_desk(world, places)
    stranger = Browser(world)
    for at in range(forms):
        if at % 8:
            stranger.sign(form("13800138000", "1-1-101"))
        else:
            stranger.forget()
            assert whole_form(stranger, "13800138000", "1-1-101", some_slot(world, at)).location == "/j/7/done"
    assert len(everyone(world)) == forms, "none is refused, none is lost"
    assert free(world) == places - 1
    honest_household_finds_a_slot(world)


def some_slot(world: World, at: int) -> str:
    with world.centre.store.read() as conn:
        offered = slots.offer(conn, read_compound(world.centre, 7), "", world.now_ms)
    one = offered[at % len(offered)]
    return f"{one.desk_id}.{one.at_ms // 60_000}"


@ATTACKS
def test_many_invented_phones_from_one_browser_take_no_more_than_a_helper_needs(
    world: World, forms: int, places: int
) -> None:
    small_desk(world, places)
    stranger = Browser(world)
    for number in range(forms):
        stranger.sign(strange(number, places))
    assert len(everyone(world)) == forms and free(world) == places - doubts.MOST_OF_BROWSER
    page = stranger.done()
    assert words.say("zh", "status_no_time") in page, "the sixth is told plainly to come without a time"
    assert words.say("zh", "status_no_time") in stranger.client.get(f"/j/7{stranger.home()}").text
    honest_household_finds_a_slot(world)


@ATTACKS
def test_a_browser_of_its_own_for_each_form_does_not_book_the_desk_out(world: World, forms: int, places: int) -> None:
    small_desk(world, places)
    for number in range(forms):
        Browser(world).sign(strange(number, places))
    assert len(everyone(world)) == forms and free(world) == 0, "the day is full"
    mine = honest_household_finds_a_slot(world)
    (lost,) = (one for one in everyone(world) if one.released_ms)
    assert lost.state == "applied" and not lost.desk_id and lost.household_id != mine, "its application stands"
    assert told(world, "slot_released") == 1
    link = households.link_of(world.centre.vault, 7, lost.household_id, 1)
    assert words.say("zh", "status_released") in Browser(world).client.get(f"/j/7/s/{link}").text
    shared = forms - places
    assert len(doubtful_ones(world)) == 2 * shared, "the office sees who shares a room and an address"
    for number in range(shared):
        last = Browser(world, "198.51.100.8")
        last.sign(form(f"1390014{number:04d}", f"8-1-{number + 101}"))
    assert [one.desk_id > 0 for one in everyone(world)[forms + 1 :]] == [True] * (shared - 1) + [False]
    assert words.say("zh", "form_slot_later") in last.done(), "whom no place is left for is told so"


def doubtful_ones(world: World) -> list[int]:
    with world.centre.store.read() as conn:
        found = doubtful.find_doubtful(conn, 7)
    return [one.household_id for entries in found.values() for one in entries]


# Nobody learns anything


def test_whether_a_phone_has_applied_is_not_to_be_found_out(world: World) -> None:
    """Number, time and everything else on it are of the same kind, whether or not the number has applied from there."""
    small_desk(world)
    owner, stranger, other = (Browser(world, f"198.51.100.{at}") for at in (1, 2, 3))
    owner.sign(form("13900139000", "3-2-501"))
    seen = []
    for browser, phone in ((stranger, "13900139000"), (other, "13900139001")):
        assert browser.sign(form(phone, "3-2-501")).location == "/j/7/done"
        pages = browser.done(), browser.client.get(f"/j/7{browser.home()}").text
        assert household(world, browser.number()).desk_id, "it has a time"
        seen.append([_shape(page) for page in pages])
    assert seen[0] == seen[1]
    assert household(world, 2).doubt == NO_PLACE and household(world, 3).doubt != NO_PLACE
    assert free(world) == PLACES - 2
    assert told(world, "applied_again") == 1, "the telephone itself is told, and led to what it has"
    link = households.link_of(world.centre.vault, 7, 1, 1)
    assert link not in stranger.done()


def _shape(page: str) -> str:
    """A page without what is another one for every household."""
    page = re.sub(r"<svg.*?</svg>|<pre.*?</pre>|data-code(-rows)?=\"[^\"]*\"|/s/[a-z0-9]+", "", page, flags=re.S)
    return re.sub(r"[0-9]|csrf_token\" value=\"[^\"]*\"", "", page)


def test_a_stranger_who_was_first_keeps_nobody_out(world: World) -> None:
    """Anyone can write somebody else's number and room. The household applies all the same, and has a time."""
    small_desk(world)
    Browser(world).sign(form("13900139000", "3-2-501"))
    mine = Browser(world, "198.51.100.9")
    mine.sign(form("13900139000", "3-2-501"))
    assert household(world, mine.number()).slot_ms and household(world, mine.number()).state == "applied"


# What is honest


def test_a_flat_share_a_helper_and_forms_on_paper_have_their_places(world: World) -> None:
    desk = small_desk(world)
    paper = add_desk(world.centre, paper=True)
    for at in range(doubts.MOST_OF_DWELLING):
        Browser(world, f"198.51.100.{at}").sign(form(f"1390013900{at}", "2-1-201"))
    helper = Browser(world, "198.51.100.20")
    for at in range(doubts.MOST_OF_BROWSER):
        helper.sign(form("13700137000", f"4-1-{at + 101}"))
    assert free(world) == PLACES - doubts.MOST_OF_DWELLING - doubts.MOST_OF_BROWSER
    assert {one.doubt for one in everyone(world)} == {FIRM}
    with world.centre.store.read() as conn:
        best = slots.offer(conn, read_compound(world.centre, 7), "", world.now_ms, paper=True)[0]
    for _ in range(2):
        apply(world.centre, 7, application(paper=True, signature="", desk_id=paper, slot_ms=best.at_ms))
    assert [one.doubt for one in everyone(world)[-2:]] == [FIRM, FIRM] and desk != paper


def test_a_compound_behind_one_address_is_not_suspicious(world: World) -> None:
    small_desk(world, 24)
    for number in range(20):
        Browser(world).sign(form(f"1390013{number:04d}", f"5-1-{number + 101}"))
    assert {one.doubt for one in everyone(world)} == {FIRM}


def test_once_somebody_decides_the_doubt_and_its_traces_are_gone(world: World) -> None:
    small_desk(world)
    for _ in range(2):
        Browser(world).sign(form("13900139000", "3-2-501"))
    assert household(world, 2).doubt == NO_PLACE and free(world) == PLACES - 1
    with world.centre.writing(7, "wang") as writing:
        households.approve(writing, world.centre, 2)
        households.end(writing, 1, "cancelled")
    assert (household(world, 2).doubt, household(world, 2).signs, free(world)) == (FIRM, "", PLACES - 1)
    of = tables.household.c
    with world.centre.store.read() as conn:
        assert set(conn.execute(select(of.browser_mark, of.address_mark))) == {("", "")}


# The rules, alone


@pytest.mark.parametrize(
    ("company", "signs"),
    [
        (Company(), ()),
        (Company(same=1), ("applied_again",)),
        (Company(phone=4), ()), (Company(phone=5), ("phone_many",)),
        (Company(dwelling=3), ()), (Company(dwelling=4), ("dwelling_many",)),
        (Company(browser=4), ()), (Company(browser=5), ("browser_many",)),
        (Company(together=True), ("together",)),
        (Company(same=1, dwelling=9, together=True), ("applied_again", "dwelling_many", "together")),
    ],
)  # fmt: skip
def test_each_limit_holds_on_both_sides(company: Company, signs: tuple[doubts.Sign, ...]) -> None:
    assert doubts.judge(company, False, False) == signs
    assert doubts.judge(company, False, True) == (*signs, "unverified")
    answered = [sign for sign in signs if sign in ("applied_again", "phone_many")]
    assert doubts.judge(company, True, True) == tuple(answered), "a confirmed telephone answers for the rest"
    strong = any(sign != "together" for sign in signs)
    assert doubts.doubt_of(signs) == (NO_PLACE if strong else GIVES_WAY if signs else FIRM)


@pytest.mark.parametrize(
    ("taken", "doubt", "left"),
    [
        ({}, FIRM, {1: 2, 2: 2}),
        ({1: Taken(2, 0)}, FIRM, {2: 2}),
        ({1: Taken(2, 0), 2: Taken(2, 2)}, FIRM, {1: 2}),
        ({1: Taken(2, 1), 2: Taken(2, 2)}, FIRM, {1: 1}),
        ({1: Taken(2, 0), 2: Taken(2, 2)}, GIVES_WAY, {}),
        ({1: Taken(2, 2), 2: Taken(3, 3)}, FIRM, {}),
    ],
)  # fmt: skip
def test_places_are_taken_back_only_on_a_full_day_and_only_for_one_that_is_not_doubted(
    taken: dict[int, Taken], doubt: int, left: dict[int, int]
) -> None:
    assert slots.places_left(2, taken, (1, 2), doubt) == left


def test_the_most_doubted_gives_way_first_then_the_latest() -> None:
    held = [Holder(1, FIRM, 0), Holder(2, GIVES_WAY, 1), Holder(3, GIVES_WAY, 2), Holder(4, GIVES_WAY, 2)]
    assert slots.first_to_give_way(held) == 4 and slots.first_to_give_way(held[:2]) == 2
    assert slots.first_to_give_way(held[:1]) == 0 and slots.first_to_give_way([]) == 0


# The office


@pytest.fixture
def bulk(world: World) -> Office:
    """Three that share a room and an address, and one more that applied twice."""
    small_desk(world)
    for number in range(3):
        Browser(world).sign(strange(number, rooms=1))
    Browser(world).sign(strange(2, rooms=1))
    return Office(world, "zhang", mine=(7,))


def test_the_office_takes_their_times_back_together(world: World, bulk: Office) -> None:
    page = bulk.get("/c/7/review?f=doubtful").text
    assert "/c/7/review/doubtful" in page and page.count("7-H0000") >= 4
    listed = bulk.get("/c/7/review/doubtful").text
    assert [number for number in range(1, 5) if f"7-H0000{number}" in listed] == [1, 2, 3, 4]
    assert bulk.post("/c/7/review/doubtful", household="1", do="release").status_code == 409
    answer = bulk.client.post("/c/7/review/doubtful", data={
        "household": ["1", "2", "9"], "do": "release", "sure": "1", "csrf_token": token_of(bulk.client),
    })  # fmt: skip
    assert answer.location == "/c/7/review/doubtful?did=2&left=1"
    assert [household(world, one).desk_id > 0 for one in (1, 2, 3)] == [False, False, True]
    assert household(world, 1).state == "applied" and household(world, 1).doubt == NO_PLACE
    assert told(world, "slot_released") == 2
    record = audit.newest(world.centre, 7, "doubtful-release")
    assert [(one.by, one.about) for one in record] == [("zhang", "2 of 3")]


def test_one_tick_stands_for_all_of_a_kind_that_were_on_the_page(world: World, bulk: Office) -> None:
    page = bulk.get("/c/7/review/doubtful").text
    as_of = re.search(r'name="as_of" value="(\d+)"', page)
    assert as_of and re.findall(r'name="kind" value="(\w+)"', page) == ["applied_again", "together"]
    world.now_ms += 1
    Browser(world).sign(form("13700137000", "1-1-101"))
    sent = {"kind": "together", "as_of": as_of[1], "do": "reject", "sure": "1"}
    assert bulk.post("/c/7/review/doubtful", **sent).location == "/c/7/review/doubtful?did=3&left=0"
    states = [one.state for one in everyone(world)]
    assert states == ["not_here", "not_here", "not_here", "applied", "applied"]


def test_the_office_rejects_them_together_and_each_phone_hears_once(world: World, bulk: Office) -> None:
    done = doubtful.act_on(world.centre, 7, [1, 2, 3, 4], "reject", "zhang")
    assert done == doubtful.Done(did=4, left=0)
    assert {one.state for one in everyone(world)} == {"not_here"} and free(world) == PLACES
    assert told(world, "not_here") == 3 and doubtful_ones(world) == []
    assert all(one.told == words.say("zh", "review_doubtful_told") for one in everyone(world))
    assert doubtful.act_on(world.centre, 7, [1, 2], "reject", "zhang") == doubtful.Done(did=0, left=2)
    assert len(audit.newest(world.centre, 7, "decide-not_here")) == 4


def test_bulk_does_not_bury_those_who_wait(world: World, bulk: Office) -> None:
    with world.centre.store.read() as conn:
        counted = review.counts(conn, 7)
        found, _ = review.find_cases(conn, world.centre.vault, 7, review.ReviewFilter(only="doubtful"), 1)
    assert (counted["waiting"], counted["warned"], counted["clean"], counted["doubtful"]) == (3, 3, 0, 4)
    assert len(found) == 4


# A code to the telephone


@pytest.fixture
def codes(world: World) -> World:
    town_setting.put_sms_codes(world.centre, "20", "town")
    return world


def sent_codes(world: World, tmp_path: Any) -> list[dict[str, str]]:
    """What the town's program read, of this run."""
    program, letters = tmp_path / "send", tmp_path / "sent"
    program.write_text(f"#!/bin/sh\ncat >> {letters}\necho >> {letters}\n")
    program.chmod(0o700)
    letters.write_text("")
    notices.send_due(world.centre, str(program))
    found = [json.loads(line) for line in letters.read_text().splitlines() if line]
    return [one for one in found if one["kind"] == "code"]


def test_a_code_makes_a_slot_firm_and_a_full_day_makes_room_for_it(codes: World, tmp_path: Any) -> None:
    small_desk(codes)
    for number in range(PLACES):
        Browser(codes).sign(strange(number, PLACES))
    Browser(codes).sign(strange(PLACES, PLACES))
    assert free(codes) == 0 and {one.doubt for one in everyone(codes)} == {GIVES_WAY}
    assert [one.signs for one in everyone(codes)][:2] == ["together,unverified", "unverified"]
    mine = Browser(codes, "198.51.100.9")
    mine.sign(form("13900139000", "7-2-701"))
    assert not household(codes, mine.number()).desk_id
    assert words.say("zh", "status_code_title") in mine.done()
    home = mine.home()
    assert words.say("zh", "status_code_sent") in mine.post(f"{home}/code", do="send").text
    (message,) = sent_codes(codes, tmp_path)
    code = re.search(r"\d{6}", message["text"])
    assert code and message["phone"] == "13900139000" and "/s/" not in message["text"]
    assert mine.post(f"{home}/code", do="check", code=code[0]).location.endswith("?done=code")
    assert household(codes, mine.number()).doubt == FIRM
    page = mine.client.get(f"/j/7{home}/slot").text
    found = re.search(r'name="slot" value="([0-9.]+)"', page)
    assert found and mine.post(f"{home}/slot", slot=found[1]).status_code == 302
    assert household(codes, mine.number()).desk_id and sum(1 for one in everyone(codes) if one.released_ms) == 1
    assert codes.centre.vault and code[0].encode() not in b"".join(
        path.read_bytes() for path in codes.state.glob("centre.db*")
    )


def test_a_code_is_guessed_five_times_and_lasts_ten_minutes(codes: World) -> None:
    mine = Browser(codes)
    mine.sign(form("13900139000", "7-2-701"))
    home, vault = mine.home(), codes.centre.vault

    def answer(code: str) -> str:
        page = mine.post(f"{home}/code", do="check", code=code).text
        return next((what for what in ("wrong", "over") if words.say("zh", f"status_code_{what}") in page), "right")

    assert answer("123456") == "over", "none was sent"
    mine.post(f"{home}/code", do="send")
    right = phone_code.code_of(vault, 7, 1, 1)
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    assert [answer(wrong) for _ in range(5)] == ["wrong"] * 5 and answer(right) == "over"
    codes.now_ms += phone_code.PAUSE_MS
    mine.post(f"{home}/code", do="send")
    right = phone_code.code_of(vault, 7, 1, 2)
    codes.now_ms += phone_code.LASTS_MS - 1
    assert answer(wrong) == "wrong"
    codes.now_ms += 1
    assert answer(right) == "over" and not household(codes, 1).verified_ms
    codes.now_ms += phone_code.PAUSE_MS
    mine.post(f"{home}/code", do="send")
    assert answer(f" {phone_code.code_of(vault, 7, 1, 3)} ") == "right" and household(codes, 1).verified_ms


def test_codes_are_limited_for_a_household_for_a_telephone_and_for_the_town(codes: World, tmp_path: Any) -> None:
    homes = []
    for at in range(3):
        browser = Browser(codes)
        browser.sign(form("13900139000", f"7-2-{at + 701}"))
        homes.append((browser, browser.home()))
    first, home = homes[0]
    assert first.post(f"{home}/code", do="send").status_code == 200
    assert first.post(f"{home}/code", do="send").status_code == 409, "not twice in a minute"
    for browser, other in homes[1:]:
        codes.now_ms += phone_code.PAUSE_MS
        assert browser.post(f"{other}/code", do="send").status_code == 200
    assert len(sent_codes(codes, tmp_path)) == phone_code.MOST_OF_PHONE
    codes.now_ms += phone_code.PAUSE_MS
    assert first.post(f"{home}/code", do="send").status_code == 200, "that others asked for codes is not told"
    assert sent_codes(codes, tmp_path) == []
    town_setting.put_sms_codes(codes.centre, "2", "town")
    fresh = Browser(codes)
    fresh.sign(form("13900139009", "7-2-709"))
    assert fresh.post(f"{fresh.home()}/code", do="send").status_code == 409
    assert words.say("zh", "status_code_desk") in fresh.client.get(f"/j/7{fresh.home()}/code").text
    codes.now_ms += 3_600_000
    assert fresh.post(f"{fresh.home()}/code", do="send").status_code == 200


def test_a_code_nobody_sent_in_time_is_never_sent(codes: World, tmp_path: Any) -> None:
    mine = Browser(codes)
    mine.sign(form("13900139000", "7-2-701"))
    mine.post(f"{mine.home()}/code", do="send")
    codes.now_ms += phone_code.LASTS_MS
    assert sent_codes(codes, tmp_path) == []


def test_a_program_that_follows_sends_what_comes_meanwhile_and_codes_first(codes: World, tmp_path: Any) -> None:
    mine = Browser(codes)
    for _ in range(2):
        mine.sign(form("13900139000", "7-2-701"))
    rounds: list[int] = []

    def wait() -> bool:
        rounds.append(told(codes, "code"))
        mine.post(f"{mine.home()}/code", do="send")
        return len(rounds) > 1

    program, letters = tmp_path / "send", tmp_path / "sent"
    program.write_text(f"#!/bin/sh\ncat >> {letters}\necho >> {letters}\n")
    program.chmod(0o700)
    report = notices.follow(codes.centre, str(program), wait)
    kinds = [json.loads(line)["kind"] for line in letters.read_text().splitlines() if line]
    assert (report.sent, kinds, rounds) == (2, ["applied_again", "code"], [0, 1])
    with codes.centre.writing(7, "test") as writing:
        home = households.get_household(writing.conn, 7, 1)
        notices.queue(writing, codes.centre.vault, home, "correct", ("请更正", "Please correct"))
        notices.queue_code(writing, codes.centre.vault, home)
    with codes.centre.store.read() as conn:
        assert [one.kind for one in notices.due(conn, 7, codes.now_ms)] == ["code", "correct"]


def test_who_holds_the_telephone_is_led_to_what_it_applied_for(codes: World) -> None:
    for _ in range(2):
        mine = Browser(codes)
        mine.sign(form("13900139000", "7-2-701"))
    mine.post(f"{mine.home()}/code", do="send")
    page = mine.post(f"{mine.home()}/code", do="check", code=phone_code.code_of(codes.centre.vault, 7, 2, 1)).text
    assert f"/j/7/s/{households.link_of(codes.centre.vault, 7, 1, 1)}" in page and "7-H00001" in page
    assert (household(codes, 2).doubt, household(codes, 1).doubt) == (FIRM, NO_PLACE), "the confirmed one counts"


def test_without_the_towns_word_nobody_is_asked_for_a_code(world: World) -> None:
    mine = Browser(world)
    mine.sign(form("13900139000", "7-2-701"))
    assert words.say("zh", "status_code_title") not in mine.done()
    assert mine.post(f"{mine.home()}/code", do="send").location.endswith(mine.home()) and told(world, "code") == 0
    done = apply(world.centre, 7, neighbour())
    assert household(world, done.household_id).doubt == FIRM
