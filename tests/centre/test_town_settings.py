"""What the town sets for all its compounds, and a compound for its lanes' screens: on pages, and what they refuse."""

from __future__ import annotations

import msgspec
import pytest

from sync.protocol import CompoundBody, Window
from sync.server.centre import audit, feed
from sync.server.passes import compounds
from sync.server.people.town_setting import (
    DWELLING_MOST_PEOPLE,
    PUBLIC_URL,
    SMS_CODES,
    put_public_url,
    read_count,
    read_setting,
)
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


# --- the lanes' screens


@pytest.fixture
def office(world: World) -> Office:
    return Office(world, "zhang", mine=(7,))


def heard(world: World, compound: int = 7) -> CompoundBody:
    """What gates of the compound hear of it."""
    with world.centre.store.read() as conn:
        signed = feed.all_signed(conn, compound)
    (body,) = (one.body for one in signed if (one.purpose, one.item) == ("setting", "compound"))
    return msgspec.json.decode(body, type=CompoundBody)


def save_lane(office: Office, **fields: object) -> int:
    form = {"lane_zh": "物业一楼", "lane_en": "the office", "begins-0": "09:00", "ends-0": "18:00"} | fields
    answer = office.post("/c/7/desks/lane", page="/c/7/desks", weekday=["1", "2"], **form)  # type: ignore[arg-type]
    return int(answer.status_code)


def test_gates_hear_where_the_desk_is_and_when_somebody_is_there(world: World, office: Office) -> None:
    assert save_lane(office, label_shown="1") == 302
    body = heard(world)
    assert (body.desk_zh, body.desk_en, body.label_shown) == ("物业一楼", "the office", True)
    assert body.desk_hours == (Window(540, 1080, (1, 2)),)
    page = office.get("/c/7/desks").text
    assert "物业一楼" in page and 'value="09:00"' in page
    assert save_lane(office, lane_zh="", lane_en="", **{"begins-0": "", "ends-0": ""}) == 302
    assert heard(world) == CompoundBody(name_zh=body.name_zh, name_en=body.name_en, timezone=body.timezone)


def test_what_did_not_change_is_not_told_again(world: World, office: Office) -> None:
    save_lane(office)
    before = compounds.read_compound(world.centre, 7).revision
    save_lane(office)
    assert compounds.read_compound(world.centre, 7).revision == before


@pytest.mark.parametrize(
    "fields",
    [{"lane_en": ""}, {"lane_zh": "一" * 21}, {"lane_en": "a" * 41}, {"begins-0": "18:00", "ends-0": "09:00"},
     {"begins-0": "nine"}, {"lane_zh": "", "lane_en": ""}],
)  # fmt: skip
def test_what_no_screen_could_show_is_refused_in_words(world: World, office: Office, fields: dict[str, str]) -> None:
    assert save_lane(office, **fields) == 409
    assert heard(world).desk_zh == ""


def test_gates_hear_the_address_of_the_form_once_the_town_has_set_it(world: World) -> None:
    assert heard(world).form_url == ""
    put_public_url(world.centre, "https://pass.example.org/", "test")
    assert (heard(world, 7).form_url, heard(world, 8).form_url) == (
        "https://pass.example.org/j/7",
        "https://pass.example.org/j/8",
    )
    made = compounds.add_compound(world.centre, "新城", "New Town", "Asia/Shanghai", None, "test")
    assert heard(world, made.compound_id).form_url.endswith(f"/j/{made.compound_id}")
    area = compounds.add_compound(world.centre, "街道", "Sub-district", "Asia/Shanghai", None, "test", wide=True)
    assert heard(world, area.compound_id).form_url == "", "nobody applies to a wider area"
