"""People without a pass of their own, at the guards' page: a household by its dwelling, a family behind one code."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from flask import Flask

from kiosk import verbs
from kiosk.guard import words
from tests.fixtures.browsers.guard_stage import NOW_MS, PEOPLE, Stage, lane_state
from tests.fixtures.guard import Guard


@pytest.fixture
def guard(app: Flask) -> Guard:
    return Guard(app)


def register(guard: Guard, dwelling: str = "3-1-502", **fields: object) -> Any:
    return guard.post("/no-pass", lane="in", dwelling=dwelling, people=3, **fields)


def test_a_registered_household_goes_to_the_core_as_it_was_typed(stage: Stage, guard: Guard) -> None:
    assert register(guard, act="m1").location == "/"
    asked = stage.last(verbs.Admission)
    assert (asked.lane, asked.dwelling, asked.people, asked.unlisted, asked.act) == ("in", "3-1-502", 3, False, "m1")
    assert "没带证，已登记 · 3人 · 王建国" in guard.page() and "3-1-502" in guard.page()


def test_a_registration_that_comes_late_opens_nothing(stage: Stage, guard: Guard) -> None:
    late = register(guard, until=int((time.monotonic() - 1) * 1000))
    assert late.status_code == 409 and words.ERRORS["too_late"][0] in late.text
    assert "没带证，已登记" not in guard.page()


@pytest.mark.parametrize(("dwelling", "why"), [("7-7-777", "dwelling_unlisted"), ("9-1-101", "household_watched")])
def test_what_the_core_refuses_is_said_with_what_to_do(guard: Guard, dwelling: str, why: str) -> None:
    refused = register(guard, dwelling)
    assert refused.status_code == 409 and words.ERRORS[why][0] in refused.text


def test_the_guard_may_say_that_a_household_is_not_on_the_list(stage: Stage, guard: Guard) -> None:
    assert register(guard, "7-7-777", unlisted="1").location == "/"
    assert stage.last(verbs.Admission).unlisted


def test_a_household_that_was_registered_is_let_in_again_with_one_button(stage: Stage, guard: Guard) -> None:
    register(guard)
    page = guard.page("/no-pass")
    form = re.search(r'<section class="again".*?</form>', page, re.S)
    assert form and "王建国登记" in form.group()
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.group()))
    assert guard.http.post("/no-pass", data=fields).location == "/"
    assert (stage.last(verbs.Admission).dwelling, stage.last(verbs.Admission).people) == ("3-1-502", 3)


def test_a_gate_that_does_not_know_the_time_says_no_end(stage: Stage, guard: Guard) -> None:
    register(guard)
    stage.state.clock = "untrusted"
    again = re.search(r'<section class="again".*?</section>', guard.page("/no-pass"), re.S)
    assert again and "王建国登记" in again.group() and ":" not in re.sub("<.*?>", "", again.group())


def test_of_many_households_the_page_offers_the_latest_four(stage: Stage, guard: Guard) -> None:
    for room in range(1, 7):
        register(guard, f"1-1-{room}", unlisted="1")
    assert re.findall(r'name="dwelling" value="([^"]*)"', guard.page("/no-pass")) == [
        "1-1-6", "1-1-5", "1-1-4", "1-1-3",
    ]  # fmt: skip


def test_with_several_lanes_each_has_its_button_and_a_lane_in_hand_stands_alone(stage: Stage, guard: Guard) -> None:
    stage.state.lanes.append(lane_state("out", title_zh="东门出口"))
    assert all(f"<small>{title}" in guard.page("/no-pass") for title in ("东门出口", "东门入口"))
    assert "<small>东门入口" not in guard.page("/no-pass?lane=out")


def test_the_page_is_there_in_english(guard: Guard) -> None:
    guard.http.set_cookie("gate_language", "en")
    page = guard.page("/no-pass")
    assert "Register, open" in page and not re.search("[一-鿿]", re.sub("中文|东门|王建国", "", page))


def test_a_family_follows_the_one_who_showed_a_pass_with_one_tap(stage: Stage, guard: Guard) -> None:
    stage.happen(**PEOPLE["grant"])
    assert guard.page().count('class="follow"') == 1
    assert guard.post("/family", lane="in", happening=1, count=3, act="m1").location == "/"
    asked = stage.last(verbs.Followers)
    assert (asked.lane, asked.happening, asked.count, asked.act) == ("in", 1, 3, "m1")
    assert "家人跟着走 · 3人 · 王建国" in guard.page()


@pytest.mark.parametrize("changes", [
    {"outcome": "deny", "reason": "revoked"}, {"pass_kind": "visitor"}, {"pass_kind": "vehicle"},
    {"at_ms": NOW_MS - 60_000},
])  # fmt: skip
def test_no_family_is_offered_behind_anybody_else(stage: Stage, guard: Guard, changes: dict[str, object]) -> None:
    stage.happen(**(PEOPLE["grant"] | changes))
    assert 'class="follow"' not in guard.page()


def test_a_family_is_offered_when_a_guard_has_let_a_resident_through(stage: Stage, guard: Guard) -> None:
    stage.happen(**(PEOPLE["passback"] | {"pass_kind": "resident"}))
    assert 'class="follow"' not in guard.page()
    stage.happen("ruling", about=1, outcome="grant", by="王建国")
    assert 'class="follow"' in guard.page()


@pytest.mark.parametrize("why", ["not_let_in", "no_household", "family_quota", "how_many"])
def test_why_a_family_was_not_let_in_is_said(stage: Stage, guard: Guard, why: str) -> None:
    stage.refusals["Followers"] = why
    refused = guard.post("/family", lane="in", happening=1, count=3)
    assert refused.status_code == 409 and words.ERRORS[why][0] in refused.text
