"""The signed-in pages: who may see what, object by object, and that every page is whole in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, func, insert, select, update

from sync.server import words
from sync.server.app import close_app
from sync.server.centre import tables
from sync.server.centre.writing import CentreError, next_number
from sync.server.gates import fleet, guards
from sync.server.passes import passes
from sync.server.people.households import phone_pass
from sync.server.staff import roles
from sync.server.staff import sign_in as staff
from tests.centre.test_centre import PIN, World

PASSWORD = "correct horse 1"


class Office:
    """A signed-in browser."""

    def __init__(self, world: World, account: str, everywhere: bool = False, mine: tuple[int, ...] = (),
                 role: roles.Role = "property"):  # fmt: skip
        self.client = world.app.test_client()
        staff.add_staff(world.centre, account, "", everywhere, mine, role)
        staff.set_password(world.centre, account, PASSWORD)
        answer = self.post("/sign-in", page="/sign-in", account=account, password=PASSWORD)
        assert answer.status_code == 302

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, page: str = "/", **fields: str) -> Any:
        return self.client.post(path, data=fields | {"csrf_token": token_of(self.client, page)})


def token_of(client: Any, page: str = "/") -> str:
    """What a form of this browser's session sends along."""
    found = re.search(r'csrf_token" value="([^"]+)"', client.get(page).text)
    assert found, f"no form on {page}"
    return found[1]


def furnish(world: World, compound: int) -> dict[str, str | int]:
    """One more of everything in a compound, by the names that variables of addresses have. A route with a new variable
    needs its value here, nothing else: the tests of rights and of pages find it by the name."""
    made = world.issue(compound, label="王*", dwelling="3-2-501", phone=True)
    gate = world.gate(compound, f"东门{made.number}").enrol()
    guard = guards.add_guard(world.centre, compound, f"李强{made.number}", "guard", PIN, "test")
    assert gate.enrolled is not None
    who = f"new{made.number.replace('-', 'x')}"
    things: dict[str, str | int] = {
        "number": made.number, "gate_id": gate.enrolled.gate, "account": guard.account, "who": who,
        "secret": staff.add_staff(world.centre, who, "", False, (compound,)).path.rsplit("/", 1)[1],
    }  # fmt: skip
    with world.centre.writing(compound, "test") as writing:
        things["code"] = phone_pass.open_activation(writing, world.centre, made.number)
    return things | settle(world, compound, made.number)


def settle(world: World, compound: int, pass_number: str) -> dict[str, str | int]:
    """A household of one person with a car and a visitor in a dwelling of the register, and what hangs on it."""
    centre, now_ms = world.centre, world.now_ms
    vault = centre.vault
    with centre.store.write() as conn:
        ids = {
            name: next_number(conn, compound, name)
            for name in ("household", "person", "vehicle", "dwelling", "desk", "visitor")
        }
        at = ids["household"]
        link = f"link-{compound}-{at}"
        pass_id = conn.execute(select(tables.pass_.c.pass_id).where(tables.pass_.c.number == pass_number)).scalar_one()

        conn.execute(update(tables.pass_).where(tables.pass_.c.number == pass_number).values(household=at))

        def add(table: Table, **row: Any) -> None:
            conn.execute(insert(table).values(compound_id=compound, **row))

        add(tables.dwelling, dwelling_id=ids["dwelling"], building="3", unit="2", floor=5, room=f"5{at:02d}",
            name=f"3-2-5{at:02d}", place=f"0003 0002 0005 05{at:02d}", proposed=False)  # fmt: skip
        add(tables.visit, dwelling_id=ids["dwelling"], visit_id=f"v{at}", at_ms=now_ms, by="test", found="present")
        add(tables.household, household_id=at, number=f"{compound}-H{at:05d}", state="applied",
            dwelling_id=ids["dwelling"], dwelling=f"3-2-5{at:02d}", source="online", language="zh",
            link_mark=vault.mark("link", link), phone_mark=vault.mark("phone", f"1380000{at:04d}"),
            sealed_phone=vault.seal_text(f"1380000{at:04d}"), phone_masked=f"138****{at:04d}", submitted_ms=now_ms,
            letter_version="1", letter_signed_ms=now_ms, letter_name="王小明", sealed_signature=b"")  # fmt: skip
        add(tables.person, household_id=at, person_id=ids["person"], place=0, name="王小明", kind="resident",
            relation="owner", doc_kind="passport", sealed_doc=vault.seal_text(f"E{at:08d}"),
            doc_mark=vault.mark("doc", f"passport:E{at:08d}"), doc_masked=f"E****{at:04d}", sealed_phone=b"",
            phone_mark=b"", known=False, pass_id=pass_id)  # fmt: skip
        add(tables.journey, household_id=at, person_id=ids["person"], seq=1, province="湖北", city="武汉",
            from_day="2027-01-02", until_day="2027-01-05")  # fmt: skip
        add(tables.vehicle, household_id=at, vehicle_id=ids["vehicle"], plate=f"粤B{at:05d}")
        add(tables.visitor, household_id=at, visitor_id=ids["visitor"], label="陈*", day="2027-01-15", pass_id=pass_id,
            created_ms=now_ms)  # fmt: skip
        add(tables.erasure, erasure_id=f"e{compound}x{at}", at_ms=now_ms, by="test", counts='{"person":1}', digest="0")
        area_id = conn.execute(select(func.count()).select_from(tables.area)).scalar_one() + 1
        area = {"area_id": area_id, "province": "湖北", "from_day": f"2027-01-{area_id:02d}", "added_by": "test",
                "added_ms": now_ms}  # fmt: skip
        conn.execute(insert(tables.area).values(area))
        add(tables.desk, desk_id=ids["desk"], name_zh="物业一楼", name_en="Ground floor", place_zh="1号楼",
            place_en="1", capacity=6, hours="[[540, 1080]]", from_day="2027-01-01", until_day="2027-12-31",
            weekdays="1,2,3,4,5,6,7", paper=False)  # fmt: skip
    return {
        "household_id": at, "household": f"{compound}-H{at:05d}", "person_id": ids["person"], "link": link,
        "vehicle_id": ids["vehicle"], "visitor_id": ids["visitor"], "dwelling_id": ids["dwelling"],
        "desk_id": ids["desk"], "area_id": area_id, "erasure_id": f"e{compound}x{at}",
    }  # fmt: skip


def test_a_guard_of_another_compound_cannot_be_changed(world: World, office: Office) -> None:
    furnish(world, 7)
    for _ in range(2):
        other = guards.add_guard(world.centre, 8, f"李{_}", "guard", PIN, "test")
    assert office.post(f"/c/7/guards/{other.account}", do="stop").status_code == 404
    assert all(guard.active for guard in guards.list_guards(world.centre, 8))


def test_a_page_that_is_not_there_is_told_in_words(world: World) -> None:
    answer = world.client.get("/nothing")
    assert answer.status_code == 404 and words.say("zh", "not_found") in answer.text


def test_a_pass_goes_its_whole_way_on_the_page(world: World, office: Office) -> None:
    made = office.post(
        "/c/7/passes", kind="resident", label="欧阳娜", dwelling="1-1-101", phone="on", until="2027-12-31"
    )
    number = made.location.rsplit("/", 1)[1]

    def state() -> str:
        return passes.get_pass(world.centre, number).state

    assert (state(), passes.get_pass(world.centre, number).label) == ("printed", "欧阳*")
    for what, after in (("hand_over", "active"), ("suspend", "suspended"), ("resume", "active")):
        assert office.post(made.location, do=what).status_code == 302
        assert state() == after
    for what in ("reissue_card", "reissue_phone", "attention", "no_attention"):
        assert office.post(made.location, do=what).status_code == 302
    assert len(passes.get_pass(world.centre, number).credentials) == 4
    assert office.post(made.location, do="extend", until="2028-12-31").status_code == 302
    assert number in office.get("/c/7/passes?q=1-1-").text
    assert number not in office.get("/c/7/passes?q=%25").text
    assert office.post(made.location, do="revoke").status_code == 302
    refused = office.post(made.location, do="revoke")
    assert refused.status_code == 409 and words.say("zh", "not_done") in refused.text


def test_the_phone_page_shows_the_digits_of_the_centres_time(world: World, office: Office) -> None:
    number = furnish(world, 7)["number"]
    path = f"/c/7/passes/{number}/phone.svg"
    first = office.get(path)
    assert first.headers["Content-Type"].startswith("image/svg+xml") and first.headers["Next-In"] == "30000"
    world.now_ms += 29_999
    later = office.get(path)
    assert (later.data, later.headers["Next-In"]) == (first.data, "1")
    world.now_ms += 1
    assert office.get(path).data != first.data


def test_an_enrolment_code_is_shown_once(world: World, office: Office) -> None:
    made = office.post("/c/7/gates", name="东门")
    code = re.search(r"<code>([^<]+)</code>", made.text)
    assert code and code[1] not in office.get("/c/7/gates").text
    assert "<code>" in office.post("/c/7/gates/g1/code").text
    assert office.post("/c/7/gates", name="东门").status_code == 409


def test_text_fields_are_shown_as_text(world: World, office: Office) -> None:
    nasty = "<script>alert(1)</script>'\""
    made = office.post("/c/7/passes", kind="resident", label="*" + nasty, dwelling=nasty, plate=nasty)
    office.post("/c/7/gates", name=nasty)
    for path in ("/c/7/passes", made.location, made.location + "/card", "/c/7/gates", f"/c/7/passes?q={nasty}"):
        assert "<script>alert" not in office.get(path).text


# Signing in


def test_a_link_works_once_and_ends_after_a_day(world: World) -> None:
    link = staff.add_staff(world.centre, "li", "李敏", True, ())
    with pytest.raises(CentreError):
        staff.use_link(world.centre, link.path.rsplit("/", 1)[1], "short")
    page = world.client.get(link.path)
    token = re.search(r'csrf_token" value="([^"]+)"', page.text)
    assert token
    assert world.client.post(link.path, data={"csrf_token": token[1], "password": PASSWORD}).location == "/"
    assert world.client.get("/").status_code == 200
    assert world.client.get(link.path).status_code == 404
    late = staff.new_link(world.centre, "li")
    world.now_ms += staff.LINK_LASTS_MS
    assert world.client.get(late.path).status_code == 404


def test_there_is_no_way_in_before_a_password_is_chosen(world: World) -> None:
    staff.add_staff(world.centre, "li", "", True, ())
    assert [staff.sign_in(world.centre, "li", password) for password in ("", "li", "\0")] == [None] * 3


def test_wrong_passwords_are_limited(world: World, office: Office) -> None:
    office.post("/sign-out")
    statuses = [
        office.post("/sign-in", page="/sign-in", account="wang", password="wrong").status_code for _ in range(9)
    ]
    assert statuses == [403] * 8 + [429]
    assert office.post("/sign-in", page="/sign-in", account="wang", password=PASSWORD).status_code == 429


def test_a_session_ends_with_its_password_and_after_twelve_hours(world: World, office: Office) -> None:
    assert office.get("/").status_code == 200
    world.now_ms += 12 * 3_600_000
    assert office.get("/").status_code == 302
    world.now_ms -= 1000
    assert office.get("/").status_code == 200
    staff.set_password(world.centre, "wang", PASSWORD + "2")
    assert office.get("/").status_code == 302


def test_the_cookie_is_closed_to_scripts_and_other_sites(tmp_path: Path) -> None:
    world = World(tmp_path / "centre", secure_cookies=True)
    try:
        cookie = world.client.get("/sign-in").headers["Set-Cookie"]
        assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax"))
    finally:
        close_app(world.app)


def test_every_word_is_there_in_both_languages_and_every_used_word_is_known() -> None:
    assert all(all(both) and both[0] != both[1] for key, both in words.WORDS.items() if key != "pin")
    templates = Path(words.__file__).parents[1] / "templates"
    used = {
        key for path in templates.rglob("*.html") for key in re.findall(r"\bt\('([a-z_.]+)'\)", path.read_text("utf-8"))
    }
    assert used and used <= set(words.WORDS)


def test_fleet_names_gates_in_their_own_compound_only(world: World) -> None:
    world.gate(7)
    with pytest.raises(CentreError):
        fleet.withdraw(world.centre, 8, "g1", "test")


@pytest.mark.parametrize("page", ["passes", "gates", "guards"])
def test_what_cannot_be_done_is_said_in_the_language_of_the_page(world: World, office: Office, page: str) -> None:
    wrong = {"kind": "alien", "name": "", "pin": "1", "role": "guard"}
    for language, chinese in (("zh", True), ("en", False)):
        office.get(f"/c/7/passes?lang={language}")
        why = re.search(r'role="alert">([^<]+)<', office.post(f"/c/7/{page}", **wrong).text)
        assert why and any("\u4e00" <= sign <= "\u9fff" for sign in why[1]) == chinese


def test_over_https_a_form_needs_its_token_and_no_referer(tmp_path: Path) -> None:
    """A household's page sends none, since its address is a secret."""
    world = World(tmp_path / "centre", secure_cookies=True)
    try:
        client = world.app.test_client()
        page = client.get("/j/7", base_url="https://pass.example.org")
        found = re.search(r'csrf_token" value="([^"]+)"', page.text)
        assert found
        for token, code in ((found[1], 302), ("", 400)):
            fields = {"csrf_token": token}
            assert client.post("/j/7/begin", data=fields, base_url="https://pass.example.org").status_code == code
    finally:
        close_app(world.app)
