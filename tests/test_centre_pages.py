"""The signed-in pages: who may see what, object by object, and that every page is whole in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.routing import Rule

from sync.server import compounds, fleet, guards, passes, staff, words
from sync.server.app import close_app
from sync.server.centre import CentreError
from tests.test_centre import PIN, World

PASSWORD = "correct horse 1"


class Office:
    """A signed-in browser."""

    def __init__(self, world: World, account: str, everywhere: bool = False, mine: tuple[int, ...] = ()):
        self.client = world.app.test_client()
        staff.add_staff(world.centre, account, "", everywhere, mine)
        staff.set_password(world.centre, account, PASSWORD)
        answer = self.post("/sign-in", page="/sign-in", account=account, password=PASSWORD)
        assert answer.status_code == 302

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, page: str = "/c/7/passes", **fields: str) -> Any:
        found = re.search(r'csrf_token" value="([^"]+)"', self.client.get(page).text)
        assert found
        return self.client.post(path, data=fields | {"csrf_token": found[1]})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "centre")
    yield made
    close_app(made.app)


@pytest.fixture
def office(world: World) -> Office:
    return Office(world, "wang", mine=(7,))


def furnish(world: World, compound: int) -> dict[str, str]:
    """One of everything in a compound, by the names routes use."""
    made = world.issue(compound, label="王*", dwelling="3-2-501", phone=True)
    world.gate(compound).enrol()
    guard = guards.add_guard(world.centre, compound, "李强", "guard", PIN, "test")
    return {"number": made.number, "gate_id": "g1", "account": guard.account}


def scoped_rules(world: World) -> list[Rule]:
    return [rule for rule in world.app.url_map.iter_rules() if "compound_id" in rule.arguments]


def path_of(rule: Rule, compound: int, objects: dict[str, str]) -> str:
    path = str(rule).replace("<int:compound_id>", str(compound))
    for name, value in objects.items():
        path = path.replace(f"<{name}>", value)
    assert "<" not in path
    return path


def test_every_page_of_ones_own_compound_is_there_in_both_languages(world: World, office: Office) -> None:
    objects = furnish(world, 7)
    for rule in scoped_rules(world):
        for language in ("zh", "en"):
            if "GET" in (rule.methods or ()):
                answer = office.get(f"{path_of(rule, 7, objects)}?lang={language}")
                assert answer.status_code == 200, (rule, answer.text)
                assert answer.headers["Cache-Control"] == "no-store"
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_nothing_of_another_compound_can_be_seen_or_changed(world: World, office: Office) -> None:
    mine, other = furnish(world, 7), furnish(world, 8)
    world.gate(8, "西门")
    before = compounds.read_compound(world.centre, 8).revision
    for rule in scoped_rules(world):
        for compound, objects in ((8, other), (8, mine), (7, other | {"gate_id": "g2", "account": "a9"})):
            if compound == 7 and not rule.arguments & {"number", "gate_id", "account"}:
                continue
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                path = path_of(rule, compound, objects)
                answer = office.get(path) if method == "GET" else office.post(path, do="revoke", pin=PIN, name="x")
                wanted = {404} if "account" not in rule.arguments or compound == 8 else {400, 404}
                assert answer.status_code in wanted, (method, path)
    assert compounds.read_compound(world.centre, 8).revision == before


def test_a_guard_of_another_compound_cannot_be_changed(world: World, office: Office) -> None:
    furnish(world, 7)
    for _ in range(2):
        other = guards.add_guard(world.centre, 8, f"李{_}", "guard", PIN, "test")
    assert office.post(f"/c/7/guards/{other.account}", do="stop").status_code == 404
    assert all(guard.active for guard in guards.list_guards(world.centre, 8))


def test_without_signing_in_every_page_leads_to_the_sign_in(world: World) -> None:
    objects = furnish(world, 7)
    for path in ["/", *(path_of(rule, 7, objects) for rule in scoped_rules(world) if "GET" in (rule.methods or ()))]:
        answer = world.client.get(path)
        assert (answer.status_code, answer.location) == (302, "/sign-in"), path


def test_a_page_that_is_not_there_is_told_in_words(world: World) -> None:
    answer = world.client.get("/nothing")
    assert answer.status_code == 404 and words.say("zh", "not_found") in answer.text


def test_a_form_without_its_token_changes_nothing(world: World, office: Office) -> None:
    objects = furnish(world, 7)
    before = compounds.read_compound(world.centre, 7).revision
    for rule in scoped_rules(world):
        if "POST" in (rule.methods or ()):
            answer = office.client.post(path_of(rule, 7, objects), data={"do": "revoke"})
            assert answer.status_code == 400
            assert "form_expired" not in answer.text and words.say("zh", "form_expired") in answer.text
    assert compounds.read_compound(world.centre, 7).revision == before


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
