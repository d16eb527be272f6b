"""Whatever a stranger or an account can send is bounded in what it costs before anything works on it.

Photos: tests/reader/test_photos.py. Tables: tests/people/test_dwellings.py. Here: words, and the messages of gates.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk import verbs
from kiosk.guard.app import create_app
from kiosk.guard.line import CoreLine, GuardSettings
from sync.server.pages import MOST_FIELD
from tests.fixtures.browsers.guard_stage import Stage
from tests.fixtures.centre import World, code_of
from tests.fixtures.office import Office, token_of


@pytest.mark.parametrize("path", ["/accounts", "/settings", "/c/7/passes", "/c/7/dwellings/generate", "/c/7/rules"])
def test_no_field_of_a_form_is_longer_than_a_drawn_signature(world: World, path: str) -> None:
    office = Office(world, "everywhere", everywhere=True)
    fields = {"csrf_token": token_of(office.client), "name": "1-" * MOST_FIELD}
    answer = office.client.post(path, data=fields)
    assert answer.status_code == 413 and "太大" in answer.text


def test_the_query_of_an_address_is_no_longer_either(world: World) -> None:
    assert Office(world, "wang", mine=(7,)).get(f"/c/7/passes?q={'x' * (MOST_FIELD + 1)}").status_code == 413


def test_a_stranger_who_enrols_sends_a_small_message_or_none_that_is_read(world: World) -> None:
    large = msgspec.json.encode({"v": 1, "secret": "x" * 200_000})
    answer = world.client.post("/api/v1/enrol", data=large)
    assert answer.status_code == 413 and code_of(answer) == "too_large"


def test_a_gates_questions_are_small_and_only_its_events_may_be_large(world: World) -> None:
    gate = world.gate().enrol()
    large = {"v": 1, "x": "y" * 200_000}
    assert [gate.post(path, large).status_code for path in ("/time", "/ahead", "/events")] == [413, 413, 400]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path).start()
    yield made
    made.stop()


def test_a_stranger_at_the_guards_page_hands_the_core_no_more_than_a_name_and_a_pin(stage: Stage) -> None:
    line = CoreLine(stage.core_path, stage.reader_path)
    page = create_app(line, GuardSettings()).test_client()
    page.post("/sign-in", data={"name": "王" * 100_000, "pin": "1" * 200_000})
    asked = stage.last(verbs.SignIn)
    assert (len(asked.name), len(asked.pin)) == (64, 64)
    line.close()


def test_a_stranger_at_the_guards_page_sends_no_photo(stage: Stage) -> None:
    line = CoreLine(stage.core_path, stage.reader_path)
    page = create_app(line, GuardSettings()).test_client()
    answer = page.post("/present/photo", data={"photo": (io.BytesIO(b"photo"), "p.jpg")})
    assert answer.status_code == 303 and answer.location.startswith("/sign-in")
    assert not any(isinstance(asked, verbs.Photo | verbs.Show) for asked in stage.asked)
    line.close()
