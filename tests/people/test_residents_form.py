"""The residents' form over HTTP: from the poster's address to the submitted application, and what must not happen."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from sync.server import words
from sync.server.centre import tables
from sync.server.people.households import households
from sync.server.people.households.application import Application
from tests.fixtures.centre import World
from tests.fixtures.office import token_of
from tests.fixtures.people import PHONE, SIGNATURE, add_desk, add_dwelling, application, apply, id_number

STATIC = Path(words.__file__).parents[1] / "static"
WHO = {
    "people-0-name": "张伟", "people-0-relation": "owner", "people-0-doc_kind": "id_card",
    "people-0-doc_number": id_number(11), "people-0-phone": PHONE,
}  # fmt: skip
RESIDENCE = {
    "people-0-province": "湖北", "people-0-city": "武汉", "people-0-arrived": "20150301", "people-0-came_from": "孝感",
    "people-0-transport": "train", "people-0-transport_number": "G1234",
}  # fmt: skip
HEALTH = {
    "people-0-stayed": "yes", "people-0-contact": "no", "people-0-health": "well", "people-0-quarantine": "no",
}  # fmt: skip
CHILD = {
    "people-1-kind": "resident", "people-1-name": "张小宝", "people-1-doc_kind": "id_card",
    "people-1-doc_number": id_number(13, "20180506"), "people-1-relation": "family", "people-1-same_residence": "yes",
    "people-1-travelled": "yes", "people-1-contact": "no", "people-1-health": "well", "people-1-quarantine": "no",
}  # fmt: skip
LETTER = {"letter_name": "张伟", "signature": SIGNATURE}


class Phone:
    """A resident's browser, without JavaScript."""

    def __init__(self, world: World, compound: int = 7):
        self.world, self.start = world, f"/j/{compound}"
        self.client = world.app.test_client()

    def get(self, path: str) -> Any:
        return self.client.get(self.start + path)

    def post(self, path: str, **fields: str) -> Any:
        sent = {name.replace("__", "-"): value for name, value in fields.items()}
        token = token_of(self.client, f"{self.start}/state")
        return self.client.post(self.start + path, data=sent | {"csrf_token": token})

    def begin(self) -> Phone:
        answer = self.post("/begin")
        assert answer.location == f"{self.start}/form/where"
        return self

    def step(self, name: str, **fields: str) -> str:
        """Send a step; the address it leads to."""
        answer = self.post(f"/form/{name}", **fields)
        assert answer.status_code == 302, wrong_in(answer.text)
        return str(answer.location).removeprefix(self.start)

    def fill(self, **where: str) -> Phone:
        """A household of two with a car, up to the letter."""
        self.begin()
        assert self.step("where", **WHO | ({"dwelling": "3-2-501"} | where)) == "/form/residence"
        assert self.step("residence", **RESIDENCE) == "/form/travel"
        assert self.step("travel", **HEALTH) == "/form/family"
        assert self.step("family", do="add-person") == "/form/person?n=1"
        assert self.step("person?n=1", **CHILD) == "/form/family"
        assert self.step("family", **{"plates-0": "粤bd12345"}) == "/form/review"
        assert self.step("review") == "/form/letter"
        return self

    def draft_cookie(self) -> str:
        found = self.client.get_cookie("draft_7", path="/j/7")
        return found.value if found else ""


def wrong_in(page: str) -> list[str]:
    return re.findall(r'href="#?([^"]*)">[^<]*</a></li>', page)


def wrote(world: World, household_id: int = 1, compound: int = 7) -> Application:
    with world.centre.store.read() as conn:
        household = households.get_household(conn, compound, household_id)
        return households.read_application(conn, world.centre.vault, household)


def count(world: World, table: Any = tables.household) -> int:
    with world.centre.store.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture
def phone(world: World) -> Phone:
    return Phone(world)


# The whole way


def test_a_household_applies_and_takes_its_number_away(world: World, phone: Phone) -> None:
    room, desk = add_dwelling(world.centre), add_desk(world.centre)
    phone.fill(building="3", unit="2", dwelling_id=str(room))
    letter = phone.get("/form/letter").text
    slot = re.search(r'value="([0-9.]+)" checked', letter)
    assert slot and slot[1].startswith(f"{desk}.")
    assert phone.step("letter", slot=slot[1], **LETTER) == "/done"
    done = phone.get("/done").text
    assert "7-H00001" in done and "物业一楼" in done
    found = wrote(world)
    assert (found.dwelling_id, found.dwelling, found.building) == (room, "3-2-501", "3")
    assert [person.name for person in found.people] == ["张伟", "张小宝"]
    child = found.people[1]
    assert (child.province, child.arrived, child.transport_number, child.birth) == (
        "湖北",
        "2015-03-01",
        "G1234",
        "2018-05-06",
    )
    assert (found.plates, f"{found.desk_id}.{found.slot_ms // 60_000}") == (["粤BD12345"], slot[1])


def test_a_second_tap_makes_no_second_household(world: World, phone: Phone) -> None:
    phone.fill()
    for _ in range(2):
        assert phone.step("letter", **LETTER) == "/done"
    assert count(world) == 1
    assert phone.step("where", **WHO) == "/done"
    for page in ("/form/where", "/form/letter", "/form/person?n=1"):
        assert phone.get(page).location == "/j/7/done"
    entry = phone.get("").text
    assert words.say("zh", "entry_applied") in entry and "/j/7/s/" in entry


def test_another_household_is_applied_for_from_the_same_phone(world: World, phone: Phone) -> None:
    phone.fill().step("letter", **LETTER)
    first = phone.draft_cookie()
    phone.fill()
    assert phone.draft_cookie() != first
    assert phone.step("letter", **LETTER) == "/done" and count(world) == 2


def test_a_phone_forgets_what_it_is_told_to(world: World, phone: Phone) -> None:
    phone.fill().step("letter", **LETTER)
    kept = phone.draft_cookie()
    assert phone.post("/forget").location == "/j/7?forgotten=1"
    assert count(world, tables.draft) == 0 and phone.draft_cookie() == ""
    phone.client.set_cookie("draft_7", kept, path="/j/7")
    assert phone.get("/done").location == "/j/7"


def test_a_household_is_corrected_on_the_same_steps_and_signs_again(world: World, phone: Phone) -> None:
    desk = add_desk(world.centre)
    phone.fill()
    slot = re.search(r'value="([0-9.]+)" checked', phone.get("/form/letter").text)
    assert slot
    phone.step("letter", slot=slot[1], **LETTER)
    home = re.search(r"/j/7(/s/[a-z0-9]+)", phone.get("/done").text)
    assert home
    other = Phone(world)
    assert other.post(f"{home[1]}/correct", phone=PHONE).location == "/j/7/form/review"
    assert "张小宝" in other.get("/form/review").text
    assert other.step("family", **{"plates-0": "粤B54321"}) == "/form/review"
    page = other.get("/form/letter").text
    assert f'value="{slot[1]}" checked' in page and SIGNATURE not in page
    assert other.step("letter", slot=slot[1], **LETTER) == "/done"
    found = wrote(world)
    assert (count(world), found.plates, found.desk_id) == (1, ["粤B54321"], desk)
    assert home[1] in other.get("/done").text


def test_a_decided_application_is_no_longer_corrected(world: World, phone: Phone) -> None:
    done = apply(world.centre)
    assert phone.post(f"/s/{done.link}/correct", phone=PHONE).status_code == 302
    with world.centre.writing(7, "wang") as writing:
        households.approve(writing, world.centre, done.household_id)
    answer = phone.post("/form/letter", **LETTER)
    assert answer.status_code == 409 and "申请已办结" in answer.text
    assert Phone(world).post(f"/s/{done.link}/correct").status_code == 409
    assert Phone(world, 8).post(f"/s/{done.link}/correct").status_code == 404
    assert Phone(world).post("/s/wrong/correct").status_code == 404


def test_a_link_alone_shows_no_whole_number(world: World) -> None:
    """It may be seen at the desk or forwarded; who did not apply in this browser says the telephone number first."""
    form = application()
    number = form.people[0].doc_number
    shown = f"{number[:6]} {number[6:14]} {number[14:]}"
    done = apply(world.centre, 7, form)
    stranger = Phone(world)
    for sent, code in (({}, 200), ({"phone": "13900000000"}, 409), ({"phone": "x"}, 409)):
        answer = stranger.post(f"/s/{done.link}/correct", **sent)
        assert answer.status_code == code and shown not in answer.text and number not in answer.text
    assert count(world, tables.draft) == 0
    theirs = Phone(world)
    assert theirs.post(f"/s/{done.link}/correct", phone=PHONE).status_code == 302
    assert shown in theirs.get("/form/review").text
    for _ in range(10):
        stranger.post(f"/s/{done.link}/correct", phone="13900000001")
    assert stranger.post(f"/s/{done.link}/correct", phone=PHONE).status_code == 429


# Nothing typed is lost


def test_what_is_wrong_is_said_on_top_and_at_its_field_and_what_was_typed_stays(world: World, phone: Phone) -> None:
    answer = phone.begin().post("/form/where", **(WHO | {"people-0-doc_number": "123", "dwelling": ""}))
    assert answer.status_code == 409
    assert wrong_in(answer.text) == ["dwelling", "people-0-doc_number"]
    assert answer.text.count('aria-invalid="true"') == 2 and 'value="张伟"' in answer.text
    assert 'value="123"' in phone.get("/form/where").text, "kept before it was checked"


def test_a_page_that_was_open_too_long_comes_again_with_what_was_typed(world: World, phone: Phone) -> None:
    phone.begin()
    answer = phone.client.post("/j/7/form/where", data=WHO | {"csrf_token": "old"})
    assert answer.status_code == 400 and words.say("zh", "form_expired_kept") in answer.text
    assert 'value="张伟"' in answer.text
    assert 'value="张伟"' not in phone.get("/form/where").text, "nobody knows who sent it, so it is not kept yet"
    phone.fill()
    answer = phone.client.post("/j/7/form/letter", data=LETTER)
    assert answer.status_code == 400 and SIGNATURE in answer.text and count(world) == 0


def test_a_slot_taken_meanwhile_loses_neither_signature_nor_form(world: World, phone: Phone) -> None:
    add_desk(world.centre, capacity=1)
    phone.fill()
    slot = re.search(r'value="([0-9.]+)" checked', phone.get("/form/letter").text)
    assert slot
    other = Phone(world).fill(dwelling="1-1-101")
    assert other.step("letter", slot=slot[1], **LETTER) == "/done"
    answer = phone.post("/form/letter", slot=slot[1], **LETTER)
    assert answer.status_code == 409 and "刚被约满" in answer.text and SIGNATURE in answer.text
    free = re.search(r'value="([0-9.]+)" checked', answer.text)
    assert free and free[1] != slot[1] and count(world) == 1
    assert phone.step("letter", slot=free[1], **LETTER) == "/done"


def test_two_open_pages_keep_what_each_of_them_wrote(world: World, phone: Phone) -> None:
    phone.fill()
    phone.step("residence", **(RESIDENCE | {"people-0-city": "孝感"}))
    phone.step("travel", **(HEALTH | {"people-0-health": "cough"}))
    page = phone.get("/form/review").text
    assert "湖北 孝感" in page and words.say("zh", "form_health.cough") in page


def test_what_who_applies_corrects_is_corrected_for_who_travelled_along(world: World, phone: Phone) -> None:
    phone.fill()
    phone.step("residence", **(RESIDENCE | {"people-0-city": "孝感", "people-0-transport_number": "D77"}))
    phone.step("letter", **LETTER)
    assert [(person.city, person.transport_number) for person in wrote(world).people] == [("孝感", "D77")] * 2


def test_signing_waits_until_every_page_is_complete(world: World, phone: Phone) -> None:
    phone.begin().step("where", **WHO, dwelling="3-2-501")
    assert phone.step("letter", **LETTER) == "/form/review?check=1"
    page = phone.get("/form/review?check=1").text
    assert "/j/7/form/travel?to=review&amp;check=1#people-0-health" in page
    assert count(world) == 0
    assert phone.post("/form/review").status_code == 409


# Persons, rows, rooms


def test_a_person_is_changed_and_taken_out(world: World, phone: Phone) -> None:
    phone.fill()
    phone.step("person?n=1", **(CHILD | {"people-1-name": "张大宝"}))
    assert "张大宝" in phone.get("/form/family").text
    assert (
        phone.post("/form/person?n=1", **(CHILD | {"people-1-health": ""})).location == "/j/7/form/person?n=1&check=1"
    )
    assert wrong_in(phone.get("/form/person?n=1&check=1").text) == ["people-1-health"]
    assert wrong_in(phone.post("/form/family").text) == ["people-1"]
    assert phone.step("person?n=1", do="remove-person") == "/form/family"
    assert "张大宝" not in phone.get("/form/family").text
    assert phone.step("person?n=0", do="remove-person") == "/form/family"
    assert "张伟" in phone.get("/form/family").text


def test_a_room_in_words_finds_its_place_in_the_register(world: World, phone: Phone) -> None:
    room = add_dwelling(world.centre)
    phone.fill(dwelling="3栋2单元501室").step("letter", **LETTER)
    assert (wrote(world).dwelling_id, wrote(world).dwelling) == (room, "3-2-501")


def test_a_room_the_register_has_not_is_taken_as_it_is_written(world: World, phone: Phone) -> None:
    add_dwelling(world.centre)
    phone.fill(building="3", dwelling="地下室3号").step("letter", **LETTER)
    assert (wrote(world).dwelling_id, wrote(world).dwelling) == (0, "地下室3号")


def test_rooms_and_desks_of_another_compound_are_not_taken(world: World, phone: Phone) -> None:
    add_dwelling(world.centre)
    foreign = [add_dwelling(world.centre, 8, room=f"{floor}01") for floor in range(1, 4)][-1]
    phone.begin()
    answer = phone.post("/form/where", **WHO, dwelling_id=str(foreign))
    assert answer.status_code == 409 and wrong_in(answer.text) == ["dwelling"]
    add_desk(world.centre, 8)
    desk = add_desk(world.centre, 8)
    phone.fill()
    answer = phone.post("/form/letter", slot=f"{desk}.{world.now_ms // 60_000 + 1440}", **LETTER)
    assert answer.status_code == 409 and count(world) == 0


# Strangers


def test_a_draft_is_its_browsers_own(world: World, phone: Phone) -> None:
    phone.fill()
    for other in (Phone(world), Phone(world, 8)):
        assert other.get("/form/where").location == other.start
        assert "张伟" not in other.get("").text
    stranger = Phone(world, 8)
    stranger.client.set_cookie("draft_8", phone.draft_cookie(), path="/j/8")
    assert stranger.get("/form/where").location == "/j/8"
    for guess in ("", "a", "x" * 3000, "é"):
        stranger.client.set_cookie("draft_8", guess, path="/j/8")
        assert stranger.get("/form/where").location == "/j/8"


def test_a_draft_lies_sealed_and_its_cookie_is_no_scripts_business(world: World, phone: Phone) -> None:
    phone.begin()
    answer = phone.post("/form/where", **WHO, dwelling="3-2-501")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Max-Age=2592000" in cookie
    world.centre.close()
    everything = b"".join(path.read_bytes() for path in world.state.glob("centre.db*"))
    for secret in (phone.draft_cookie(), WHO["people-0-doc_number"], PHONE, "张伟"):
        assert secret.encode() not in everything


@pytest.mark.slow
def test_an_address_begins_no_more_drafts_than_a_compound_needs(world: World) -> None:
    """On its first day 2,000 households of a compound come from one address in two hours, and half of them twice."""
    client = world.app.test_client()
    sent = {"csrf_token": token_of(client, "/j/7/state")}
    codes = []
    for _ in range(3002):
        codes.append(client.post("/j/7/begin", data=sent).status_code)
        client.delete_cookie("draft_7", path="/j/7")
    assert codes.count(302) == 3000 and codes[-1] == 429


HOSTILE = (
    "<script>alert(1)</script>",
    "=1+1",
    "{{7*7}}",
    "'; DROP TABLE draft; --",
    "a\x00b",
    "\U0001f600",
    "长" * 900,
)


@pytest.mark.parametrize("words_sent", HOSTILE)
def test_what_is_hostile_is_shown_as_it_is_or_refused(world: World, phone: Phone, words_sent: str) -> None:
    phone.begin()
    for step, fields in (("where", WHO), ("residence", RESIDENCE), ("travel", HEALTH), ("person?n=1", CHILD)):
        for sent in (dict.fromkeys(fields, words_sent), fields):
            answer = phone.post(f"/form/{step}", **sent, dwelling=words_sent, building=words_sent, unit=words_sent)
            assert answer.status_code in (302, 400, 409), step
            page = phone.get(f"/form/{step}").text
            assert "<script>alert" not in page and ">49<" not in page
    review = phone.get("/form/review?check=1")
    assert review.status_code == 200 and "<script>alert" not in review.text
    answer = phone.post(
        "/form/letter", **dict.fromkeys(("letter_name", "signature", "slot", "sign_at_desk"), words_sent)
    )
    assert answer.status_code in (302, 400, 409) and count(world) == 0


def test_lists_have_an_end(world: World, phone: Phone) -> None:
    phone.begin()
    rows = {f"people-0-journeys-{row}-city": "x" for row in range(900)}
    assert phone.post("/form/travel", **HEALTH | {"people-0-stayed": "no"}, **rows).status_code == 409
    assert phone.get("/form/travel?rows=100000").text.count("data-row>") == 15
    for n in ("99999999999999999999", "-1", "x", "12"):
        assert phone.get(f"/form/person?n={n}").status_code in (200, 302)
        assert phone.post(f"/form/person?n={n}", **CHILD).status_code in (302, 409)
    for _ in range(20):
        phone.post("/form/person?n=11", **CHILD)
    assert phone.get("/form/family").text.count("form/person?n=") <= 11
    assert phone.post("/form/family", **{f"plates-{row}": "粤B12345" for row in range(50)}).status_code in (302, 409)
    answer = phone.client.post("/j/7/form/where", data={"dwelling": "x" * 300_000})
    assert answer.status_code == 413


def test_the_host_a_stranger_names_is_refused_and_never_printed(world: World, phone: Phone) -> None:
    phone.fill().step("letter", **LETTER)
    with world.centre.store.write() as conn:
        conn.execute(tables.setting.insert().values(name="public_url", value="https://pass.example.org/"))
    page = phone.client.get("/j/7/done", headers={"Host": "evil.example"}, base_url="https://evil.example")
    assert page.status_code == 421 and "evil" not in page.text
    page = phone.get("/done")
    assert "https://pass.example.org/j/7/s/" in page.text and "evil" not in page.text


# Number and phone


def test_number_and_phone_show_the_state_and_nothing_else(world: World, phone: Phone) -> None:
    done = apply(world.centre)
    answer = phone.post("/state", number=done.number.lower(), phone=PHONE)
    assert answer.status_code == 200 and words.say("zh", "found_state.applied") in answer.text
    assert done.link not in answer.text and "张" not in answer.text and "3-2-501" not in answer.text


def test_a_wrong_pair_is_told_the_same_whatever_was_wrong(world: World, phone: Phone) -> None:
    done = apply(world.centre)
    pairs = ((done.number, "13900000000"), ("7-H99999", PHONE), (done.number, "x"), ("", ""), ("8-H00001", PHONE))
    pages = []
    for number, tried in pairs:
        answer = phone.post("/state", number=number, phone=tried)
        assert answer.status_code == 409
        pages.append(re.sub(r'value="[^"]*"', "", answer.text))
    assert len(set(pages)) == 1


def test_guessing_phones_for_a_number_comes_to_an_end(world: World, phone: Phone) -> None:
    done = apply(world.centre)
    for guess in range(10):
        phone.post("/state", number=done.number, phone=f"1380000{guess:04}")
    assert phone.post("/state", number=done.number, phone=PHONE).status_code == 429


# The poster's address


def test_a_browser_that_holds_a_pass_is_led_to_it(world: World, phone: Phone) -> None:
    assert phone.get("").status_code == 200
    phone.client.set_cookie("pass_7", "x", path="/j/7")
    assert phone.get("").location == "/j/7/p"
    assert phone.get("?stay=1").status_code == 200
    assert Phone(world, 8).get("").status_code == 200


def test_every_page_is_small_and_needs_nothing_from_elsewhere(world: World, phone: Phone) -> None:
    add_desk(world.centre, hours="[[480, 1080]]")
    phone.fill()
    styles = sum((STATIC / name).stat().st_size for name in ("style.css", "form.css"))
    for page in ("", "/form/where", "/form/residence", "/form/travel", "/form/family", "/form/person?n=1",
                 "/form/review", "/form/letter", "/privacy", "/state"):  # fmt: skip
        text = phone.get(page).text
        assert len(text.encode()) + styles < 40_000, (page, len(text), styles)
        assert not re.search(r'(src|href)="(https?:)?//', text)


def test_every_word_of_the_pages_has_its_english(world: World, phone: Phone) -> None:
    phone.fill()
    phone.get("?lang=en")
    for page in ("", "/form/where", "/form/residence", "/form/family", "/form/person?n=1", "/privacy", "/state"):
        text = re.sub(r"<datalist.*?</datalist>|value=\"[^\"]*\"|<b>[^<]*</b>", "", phone.get(page).text, flags=re.S)
        left = set(re.findall(r"[\u4e00-\u9fff]+", text)) - {"中文", "张小宝", "张伟", "粤", "翠湖"}
        assert not left, (page, left)


def test_two_taps_at_the_same_moment_are_one_household(world: World, phone: Phone) -> None:
    phone.fill()
    token, cookies = token_of(phone.client, "/j/7/state"), phone.client.get_cookie("centre")
    assert cookies
    answers: list[str] = []

    def tap() -> None:
        client = world.app.test_client()
        client.set_cookie("draft_7", phone.draft_cookie(), path="/j/7")
        client.set_cookie("centre", cookies.value)
        answers.append(str(client.post("/j/7/form/letter", data=LETTER | {"csrf_token": token}).location))

    taps = [threading.Thread(target=tap) for _ in range(4)]
    for one in taps:
        one.start()
    for one in taps:
        one.join()
    assert answers == ["/j/7/done"] * 4 and count(world) == 1
