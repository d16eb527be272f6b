"""What the bar says of a gate, in the order of what matters."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from kiosk.guard import views, words
from kiosk.guard.standing import NOTES, ORDER, standing
from kiosk.verbs import Caution, GateState
from tests.fixtures.browsers.guard_stage import NOW_MS, Stage, gate_state, lane_state
from tests.fixtures.guard import Guard

CAUTIONS = {"call", "forced", "bad_signature", "revoked"}
LANES = {"fire", "lockdown", "held_open"}


def gate_where(*codes: str, **changes: Any) -> GateState:
    """A gate where all of these stand."""
    lane = lane_state(**{code: True for code in codes if code in LANES})
    cautions = [Caution(number=n, code=code, lane="in", since_ms=NOW_MS) for n, code in enumerate(codes, 1)]
    return gate_state(
        lanes=[lane],
        faults=[code for code in codes if code not in CAUTIONS | {"held_open"}],
        cautions=[caution for caution in cautions if caution.code in CAUTIONS],
        **changes,
    )


def test_every_fault_of_the_page_has_its_place_and_is_a_state_or_a_note() -> None:
    assert set(ORDER) | NOTES == set(words.FAULTS) and not set(ORDER) & NOTES
    assert len(set(ORDER)) == len(ORDER)


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise(ORDER)))
def test_of_two_the_bar_says_what_matters_more(first: str, second: str) -> None:
    for codes in ((first, second), (second, first)):
        state = gate_where(*codes)
        assert [stands.code for stands in standing(state)] == [first, second]
        bar = views.bar("zh", state, False)
        assert bar.sentence == words.FAULTS[first][0] and "另有 1 项" in bar.more


@pytest.mark.parametrize("code", ORDER)
def test_whatever_stands_the_bar_never_says_that_all_is_well(code: str) -> None:
    for language, well in (("zh", "一切正常"), ("en", "All is well")):
        bar = views.bar(language, gate_where(code), False)
        assert bar.tone in ("stop", "look") and bar.mark != "✓" and well not in bar.sentence


def test_what_is_over_is_a_note_and_stands_before_nothing() -> None:
    lane = lane_state(reader_restarts=1, reader_restarted_ms=NOW_MS)
    over = views.bar("zh", gate_state(lanes=[lane], faults=["reader_restarted"]), False)
    assert (over.tone, over.sentence) == ("ok", "一切正常") and over.reader
    both = views.bar("zh", gate_state(lanes=[lane], faults=["reader_restarted", "centre_away"]), False)
    assert both.sentence == words.FAULTS["centre_away"][0] and not both.more


def test_a_code_of_a_newer_core_is_shown_last_and_as_it_is() -> None:
    state = gate_where("centre_away", "from_the_future")
    assert [stands.code for stands in standing(state)] == ["centre_away", "from_the_future"]
    assert views.bar("zh", gate_where("from_the_future"), False).tone == "look"


def test_where_there_are_several_lanes_the_bar_names_the_one_that_is_open() -> None:
    state = gate_where("held_open")
    assert "东门" not in views.bar("zh", state, False).sentence
    state.lanes.append(lane_state("out", title_zh="东门出口"))
    assert views.bar("zh", state, False).sentence.startswith("东门入口 · 门保持常开")


def test_a_caution_names_the_lane_it_is_about_and_none_where_it_is_about_the_gate() -> None:
    told = [Caution(number=n, code=code, lane=lane, since_ms=NOW_MS) for n, (code, lane) in enumerate(
        [("journal", ""), ("call", "out")])]  # fmt: skip
    state = gate_state(lanes=[lane_state(), lane_state("out", title_zh="东门出口")], cautions=told)
    call, journal = views.bar("zh", state, False).cautions
    assert journal == f"14:05 起：{words.FAULTS['journal'][0]}"
    assert call == f"14:05 起：东门出口 · {words.FAULTS['call'][0]}"


@pytest.mark.parametrize(
    ("code", "told", "button"), [("call", "有人按了呼叫", "我去应答"), ("tamper", "设备箱被打开", "知道了")]
)
def test_a_caution_stays_on_every_page_until_somebody_has_seen_it(
    stage: Stage, app: Any, code: str, told: str, button: str
) -> None:
    guard = Guard(app)
    stage.state.cautions = [Caution(number=7, code=code, lane="in", since_ms=NOW_MS)]
    for path in ("/", "/more", "/look-up", "/details"):
        page = guard.page(path)
        assert f"14:05 起：{told}" in page and button in page, path
    form = re.search(r'<form class="question caution".*?</form>', page, re.S)
    assert form
    guard.http.post("/acknowledge", data=dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.group())))
    assert not stage.state.cautions and button not in guard.page()


@pytest.mark.parametrize(("code", "says"), [("bad_signature", "疑似假证"), ("revoked", "已停用的证")])
def test_a_forged_or_revoked_pass_stays_on_the_bar_until_somebody_has_seen_it(
    stage: Stage, app: Any, code: str, says: str
) -> None:
    guard = Guard(app)
    stage.state.cautions = [Caution(number=7, code=code, lane="in", since_ms=NOW_MS, times=3)]
    stage.happen(outcome="grant", reason="ok", label="张*")
    page = guard.page()
    assert f"14:05：有人出示{says}" in page and "（3 次）" in page and "知道了" in page
    assert "一切正常" not in page, "though the next person is green"
