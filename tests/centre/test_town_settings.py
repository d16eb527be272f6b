"""What the town sets for all its compounds, on a page, and what it refuses."""

from __future__ import annotations

import pytest

from sync.server.centre import audit
from sync.server.people.town_setting import DWELLING_MOST_PEOPLE, PUBLIC_URL, SMS_CODES, read_count, read_setting
from sync.server.staff import sign_in
from tests.fixtures.centre import World
from tests.fixtures.office import PASSWORD, Office


@pytest.fixture
def town(world: World) -> Office:
    made = Office(world, "zhang", mine=(7,))
    link = sign_in.add_staff(world.centre, "town", "", True, (), "town")
    assert link.account == "town"
    sign_in.set_password(world.centre, "town", PASSWORD)
    assert made.post("/sign-in", page="/sign-in", account="town", password=PASSWORD).status_code == 302
    return made


def kept(world: World) -> tuple[str, int]:
    with world.centre.store.read() as conn:
        return read_setting(conn, PUBLIC_URL), read_count(conn, DWELLING_MOST_PEOPLE, 8)


def save(town: Office, url: str, most: str) -> int:
    return int(town.post("/settings", page="/settings", public_url=url, most_people=most).status_code)


def test_the_address_of_the_town_is_on_the_poster_once_it_is_set(world: World, town: Office) -> None:
    assert save(town, " https://pass.example.org/ ", "9") == 302
    assert kept(world) == ("https://pass.example.org", 9)
    assert "https://pass.example.org/j/7" in town.get("/c/7/poster").text
    assert save(town, "", "9") == 302
    assert kept(world) == ("", 9)
    found, _ = audit.find_town(world.centre, audit.RecordFilter())
    assert [record.about for record in found if record.what == "set-town"].count("public_url: ") == 1


@pytest.mark.parametrize(
    ("url", "most"),
    [
        ("javascript:alert(1)", "8"), ("https://", "8"), ("pass.example.org", "8"), ("https://a@b.example", "8"),
        ("https://pass.example.org/?x=1", "8"), ("https://镇.example\n", "8"), ("https://" + "a" * 200, "8"),
        ("", "1"), ("", "99"), ("", "many"), ("", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_and_stays_in_the_form(world: World, town: Office, url: str, most: str) -> None:
    answer = town.post("/settings", page="/settings", public_url=url, most_people=most)
    assert answer.status_code == 409 and 'role="alert"' in answer.text
    assert kept(world) == ("", 8)


@pytest.mark.parametrize(("wrote", "kept_as"), [("600", 600), ("", 0), ("0", 0), ("0600", 600)])
def test_codes_to_telephones_are_sent_only_where_the_town_says_how_many(
    world: World, town: Office, wrote: str, kept_as: int
) -> None:
    assert town.post("/settings", page="/settings", public_url="", most_people="8", sms_codes=wrote).status_code == 302
    with world.centre.store.read() as conn:
        assert read_count(conn, SMS_CODES, 0) == kept_as
    assert f'name="sms_codes" inputmode="numeric" maxlength="5" value="{kept_as}"' in town.get("/settings").text


@pytest.mark.parametrize("wrote", ["-1", "10001", "many", "1.5", "６００"])
def test_an_invalid_number_of_codes_is_refused(world: World, town: Office, wrote: str) -> None:
    sent = {"public_url": "", "most_people": "8", "sms_codes": wrote}
    assert town.post("/settings", page="/settings", **sent).status_code == 409
    with world.centre.store.read() as conn:
        assert read_count(conn, SMS_CODES, 0) == 0
