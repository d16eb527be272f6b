"""The signed-in pages: who may see what, object by object, and that every page is whole in both languages."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from sync.server import words
from sync.server.app import close_app, create_app
from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.settings import Settings
from sync.server.gates import fleet, guards
from sync.server.passes import passes
from sync.server.staff import sign_in
from sync.terms import LOOKS
from tests.fixtures.centre import PIN, World
from tests.fixtures.office import PASSWORD, Office, furnish


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


def test_the_office_says_on_the_page_what_guards_shall_look_for(world: World, office: Office) -> None:
    number = furnish(world, 7)["number"]
    path = f"/c/7/passes/{number}"
    for look in (*LOOKS, ""):
        office.post(path, do="attention", look=look)
        found = passes.get_pass(world.centre, number)
        assert (found.attention, found.look) == (True, look)
        page = office.get(path).text
        marked = words.say("zh", "attention") + (f" · {words.say('zh', f'look_for.{look}')}" if look else "")
        assert f"<dd>{marked}</dd>" in page
        assert (f'<option value="{look}" selected>' in page) == bool(look)
    assert office.post(path, do="attention", look="has a fever").status_code == 409
    office.post(path, do="attention", look="plate")
    office.post(path, do="no_attention")
    assert not passes.get_pass(world.centre, number).look
    told = office.get("/c/7/record").text
    assert all(words.say("zh", key) in told for key in ("did.attention", "did.no-attention", "look_for.plate"))


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
    link = sign_in.add_staff(world.centre, "li", "李敏", True, ())
    with pytest.raises(CentreError):
        sign_in.use_link(world.centre, link.path.rsplit("/", 1)[1], "short")
    page = world.client.get(link.path)
    token = re.search(r'csrf_token" value="([^"]+)"', page.text)
    assert token
    assert world.client.post(link.path, data={"csrf_token": token[1], "password": PASSWORD}).location == "/"
    assert world.client.get("/").status_code == 200
    assert world.client.get(link.path).status_code == 404
    late = sign_in.new_link(world.centre, "li")
    world.now_ms += sign_in.LINK_LASTS_MS
    assert world.client.get(late.path).status_code == 404


def test_there_is_no_way_in_before_a_password_is_chosen(world: World) -> None:
    sign_in.add_staff(world.centre, "li", "", True, ())
    assert [sign_in.authenticate(world.centre, "li", password) for password in ("", "li", "\0")] == [None] * 3


def test_wrong_passwords_are_limited(world: World, office: Office) -> None:
    office.post("/sign-out")
    statuses = [
        office.post("/sign-in", page="/sign-in", account="wang", password="wrong").status_code for _ in range(9)
    ]
    assert statuses == [403] * 8 + [429]
    assert office.post("/sign-in", page="/sign-in", account="wang", password=PASSWORD).status_code == 429


def test_a_session_ends_for_every_copy_of_its_cookie_when_it_is_signed_out(world: World, office: Office) -> None:
    other = Office(world, "zhao", everywhere=True)
    copy = world.app.test_client()
    cookie = office.client.get_cookie("centre")
    assert cookie
    copy.set_cookie("centre", cookie.value)
    assert copy.get("/").status_code == 200
    office.post("/sign-out")
    assert (copy.get("/").status_code, office.get("/").status_code) == (302, 302)
    assert other.get("/").status_code == 200
    office.post("/sign-in", page="/sign-in", account="wang", password=PASSWORD)
    assert (office.get("/").status_code, copy.get("/").status_code) == (200, 302)


def test_ended_sessions_are_remembered_only_as_long_as_they_would_have_lasted(world: World, office: Office) -> None:
    office.post("/sign-out")
    world.now_ms += 12 * 3_600_000
    office.post("/sign-in", page="/sign-in", account="wang", password=PASSWORD)
    office.post("/sign-out")
    with world.centre.store.read() as conn:
        assert len(conn.execute(select(tables.ended_session)).all()) == 1


def test_a_page_whose_address_is_a_secret_sends_it_nowhere(world: World) -> None:
    link = sign_in.add_staff(world.centre, "li", "", True, ())
    assert world.client.get(link.path).headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("secure", [True, False])
def test_a_site_behind_tls_asks_for_tls_from_then_on(tmp_path: Path, secure: bool) -> None:
    app = create_app(Settings(state=tmp_path / "centre", secure_cookies=secure, watch=False))
    told = app.test_client().get("/sign-in").headers.get("Strict-Transport-Security", "")
    close_app(app)
    assert told.startswith("max-age=") is secure


def test_the_database_is_its_owners_alone_whatever_the_folder_and_the_umask_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        app = create_app(Settings(state=tmp_path, watch=False))
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("centre.db*")}
        close_app(app)
    finally:
        os.umask(before)
    assert modes.keys() >= {"centre.db", "centre.db-wal"} and set(modes.values()) == {0o600}


def test_a_session_ends_with_its_password_and_after_twelve_hours(world: World, office: Office) -> None:
    assert office.get("/").status_code == 200
    world.now_ms += 12 * 3_600_000
    assert office.get("/").status_code == 302
    world.now_ms -= 1000
    assert office.get("/").status_code == 200
    sign_in.set_password(world.centre, "wang", PASSWORD + "2")
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
        page = client.get("/j/7", base_url="https://localhost")
        found = re.search(r'csrf_token" value="([^"]+)"', page.text)
        assert found
        for token, code in ((found[1], 302), ("", 400)):
            fields = {"csrf_token": token}
            assert client.post("/j/7/begin", data=fields, base_url="https://localhost").status_code == code
    finally:
        close_app(world.app)
