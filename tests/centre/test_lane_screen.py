"""What a compound sets for its lanes' screens, on a page, and what gates then hear under the root key."""

from __future__ import annotations

import msgspec
import pytest

from sync.protocol import CompoundBody, Window
from sync.server.centre import feed
from sync.server.passes import compounds
from sync.server.people.town_setting import put_public_url
from tests.fixtures.centre import World
from tests.fixtures.office import Office


@pytest.fixture
def office(world: World) -> Office:
    return Office(world, "zhang", mine=(7,))


def heard(world: World, compound: int = 7) -> CompoundBody:
    """What gates of the compound hear of it."""
    with world.centre.store.read() as conn:
        signed = feed.all_signed(conn, compound)
    (body,) = (one.body for one in signed if (one.purpose, one.item) == ("setting", "compound"))
    return msgspec.json.decode(body, type=CompoundBody)


def save(office: Office, **fields: object) -> int:
    form = {"lane_zh": "物业一楼", "lane_en": "the office", "begins-0": "09:00", "ends-0": "18:00"} | fields
    answer = office.post("/c/7/desks/lane", page="/c/7/desks", weekday=["1", "2"], **form)  # type: ignore[arg-type]
    return int(answer.status_code)


def test_gates_hear_where_the_desk_is_and_when_somebody_is_there(world: World, office: Office) -> None:
    assert save(office, label_shown="1") == 302
    body = heard(world)
    assert (body.desk_zh, body.desk_en, body.label_shown) == ("物业一楼", "the office", True)
    assert body.desk_hours == (Window(540, 1080, (1, 2)),)
    page = office.get("/c/7/desks").text
    assert "物业一楼" in page and 'value="09:00"' in page
    assert save(office, lane_zh="", lane_en="", **{"begins-0": "", "ends-0": ""}) == 302
    assert heard(world) == CompoundBody(name_zh=body.name_zh, name_en=body.name_en, timezone=body.timezone)


def test_what_did_not_change_is_not_told_again(world: World, office: Office) -> None:
    save(office)
    before = compounds.read_compound(world.centre, 7).revision
    save(office)
    assert compounds.read_compound(world.centre, 7).revision == before


@pytest.mark.parametrize(
    "fields",
    [{"lane_en": ""}, {"lane_zh": "一" * 21}, {"lane_en": "a" * 41}, {"begins-0": "18:00", "ends-0": "09:00"},
     {"begins-0": "nine"}, {"lane_zh": "", "lane_en": ""}],
)  # fmt: skip
def test_what_no_screen_could_show_is_refused_in_words(world: World, office: Office, fields: dict[str, str]) -> None:
    assert save(office, **fields) == 409
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
