"""The pages of a shift, without a browser: begin, note, end, and the sheet in both languages."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask

from kiosk import verbs
from kiosk.guard.lane.faces import face
from sync.shifts import SheetLine, ShiftSheet
from tests.fixtures.browsers.guard_stage import NOW_MS, Stage, gate_state, lane_state
from tests.fixtures.guard import Guard


@pytest.fixture
def guard(app: Flask) -> Guard:
    return Guard(app)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


WHOLE = ShiftSheet(
    shift="s7", by="王建国", begun_ms=NOW_MS - 8 * 3_600_000, ended_ms=NOW_MS, ended_by="李主管",
    decisions={"grant": 812, "refer": 31, "deny": 9}, answers={"grant": 25, "deny": 4, "unanswered": 2},
    passages={"passed": 830}, opened=2, refused=0, over_budget=1, calls=3,
    overrides=[
        SheetLine(kind="override", at_ms=NOW_MS, lane="in", outcome="grant", by="王建国", reason="delivery"),
        SheetLine(kind="override", at_ms=NOW_MS, lane="in", outcome="grant", by="王建国", over_budget=True),
    ],
    unexplained=[SheetLine(kind="override", at_ms=NOW_MS - 60_000)],
    faults=[SheetLine(kind="camera_fault", at_ms=NOW_MS - 120_000, lane="in", outcome="on", reason="camera_black")],
    notes=[SheetLine(kind="note", at_ms=NOW_MS, by="王建国", reason="北侧 <b>货车</b> 明早再来")],
)  # fmt: skip


def test_a_guard_is_asked_in_the_bar_to_begin_and_a_supervisor_is_not(stage: Stage, app: Flask, guard: Guard) -> None:
    assert 'href="/shift">接班<' not in Guard(app, "李主管", "1357").page()
    assert 'href="/shift">接班<' in guard.page()
    answer = guard.post("/shift/begin")
    assert (answer.status_code, answer.location) == (303, "/")
    assert 'href="/shift">接班<' not in guard.page()
    assert "王建国，11-23 14:05 起" in guard.page("/shift")
    begun = stage.last(verbs.BeginShift)
    assert begun.until > 0


def test_a_guard_hands_over_with_a_note_and_gets_the_sheet(stage: Stage, guard: Guard) -> None:
    guard.post("/shift/begin")
    guard.post("/shift/note", text="北侧货车明早再来")
    answer = guard.post("/shift/end", shift=stage.shifts[0].shift)
    assert answer.location == f"/shift/sheet/{stage.shifts[0].shift}"
    assert "北侧货车明早再来" in guard.page(answer.location)
    assert "上一班留的话" in guard.page("/shift") and "北侧货车明早再来" in guard.page("/shift")
    assert 'href="/shift">接班<' in guard.page()


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("zh", ["王建国 的班", "由李主管结束", "812", "没人答复 2", "人工开门，王建国，送货、维修", "超过本班次数：1次",
                "还没写原因：1次", "摄像头，一片黑 · 还没好", "东门入口", "交班人签字"]),
        ("en", ["王建国's shift", "ended by 李主管", "812", "Not answered 2", "Camera, sees only black · still so",
                "Opened by a guard, 王建国, Delivery or repair", "of them over the shift's budget: 1",
                "still without a reason: 1", "East gate, in", "Handed over by"]),
    ],
)  # fmt: skip
def test_the_sheet_says_all_of_a_shift_in_either_language(
    stage: Stage, guard: Guard, language: str, told: list[str]
) -> None:
    stage.shifts = [WHOLE]
    guard.http.get(f"/prefer/language/{language}?to=/")
    page = guard.page("/shift/sheet/s7")
    assert [words for words in told if words not in text_of(page)] == []
    assert "&lt;b&gt;货车" in page and "<b>货车" not in page


def test_a_supervisor_may_end_anothers_shift_and_a_guard_may_not(stage: Stage, app: Flask, guard: Guard) -> None:
    guard.post("/shift/begin")
    other = Guard(app, "李主管", "1357")
    assert "替王建国交班" in other.page("/shift")
    assert "替" not in guard.page("/shift")


def test_what_the_core_refuses_is_said(stage: Stage, guard: Guard) -> None:
    stage.refusals["Note"] = "notes_full"
    assert "已满10条" in guard.post("/shift/note", text="x").text
    assert "找不到这一班" in guard.page("/shift/sheet/none")


def test_the_pages_of_a_shift_need_a_session(app: Flask) -> None:
    for path in ("/shift", "/shift/sheet/s7"):
        assert app.test_client().get(path).status_code == 303


def test_an_act_is_taken_back_with_a_tap_and_a_yes_and_then_says_so(stage: Stage, guard: Guard) -> None:
    act = verbs.GuardAct(
        event="e1", at_ms=NOW_MS, lane="in", kind="ruling", outcome="grant", by="王建国", dwelling="3栋1单元502"
    )
    stage.acts = [act]
    page = text_of(guard.page("/shift/acts"))
    assert "14:05:00 · 核对后放行 · 东门入口 · 3栋1单元502" in page and "确认作废" in page
    assert guard.post("/shift/annul", event="e1").location == "/shift/acts"
    assert stage.last(verbs.Annul).event == "e1"
    page = text_of(guard.page("/shift/acts"))
    assert "已作废" in page and "确认作废" not in page
    guard.http.get("/prefer/language/en?to=/")
    assert "Checked and let through" in text_of(guard.page("/shift/acts"))


def test_who_is_not_on_duty_reads_why_nothing_can_be_taken_back(stage: Stage, guard: Guard) -> None:
    stage.refusals["acts"] = "not_on_duty"
    assert "先接班" in guard.page("/shift/acts")


def test_an_annulled_act_is_said_in_the_list_and_wants_no_reason(stage: Stage, guard: Guard) -> None:
    override = stage.happen("override", outcome="grant", by="王建国", needs_reason=True)
    assert "补一句原因" in guard.page()
    stage.happen("annulled", outcome="grant", about=override.number, by="王建国")
    assert "按错了，已作废，王建国" in guard.page() and "data-explain" not in guard.page()


def test_overrides_beyond_the_budget_stand_in_a_supervisors_bar_until_seen(
    stage: Stage, app: Flask, guard: Guard
) -> None:
    stage.state.overspent = [verbs.Overspent(event, "王建国", "in", NOW_MS) for event in ("o1", "o2")]
    told = "王建国改判超过本班次数：2次，最近14:05"
    supervisor = Guard(app, "李主管", "1357")
    assert told in supervisor.page() and told in supervisor.page("/shift") and told not in guard.page()
    assert guard.post("/heed", event="o2").status_code == 409
    supervisor.post("/heed", event="o2")
    assert stage.last(verbs.Heed).event == "o2" and told not in supervisor.page()


def test_the_reasons_offered_fit_what_was_done(stage: Stage, guard: Guard) -> None:
    for outcome, there, not_there in (("grant", "送货、维修", "不配合核对"), ("deny", "不配合核对", "送货、维修")):
        line = stage.happen("override", outcome=outcome, by="王建国", needs_reason=True)
        page = guard.page(f"/?explain={line.number}")
        sheet = page[page.index('id="sheet"') :]
        assert there in sheet and not_there not in sheet and "其他" in sheet
    guard.post("/explain", happening=1, reason="delivery", dwelling="3-2-501")
    assert stage.last(verbs.Explain).dwelling == "3-2-501"


def test_a_call_rings_on_every_page_until_a_guard_answers_and_then_says_who(stage: Stage, guard: Guard) -> None:
    call = stage.happen("call", outcome="on")
    stage.state.cautions = [verbs.Caution(number=1, code="call", lane="in", since_ms=NOW_MS)]
    for path in ("/", "/shift", "/more"):
        page = guard.page(path)
        assert "data-rings" in page and "我去应答" in page
    guard.post("/acknowledge", number=1)
    stage.happen("call", outcome="answered", about=call.number, by="王建国")
    assert "data-rings" not in guard.page() and "王建国去应答了" in guard.page()


@pytest.mark.parametrize(
    ("called", "attended", "told"),
    [("waiting", True, "已呼叫值班室"), ("waiting", False, "值班室暂时没人"), ("answered", True, "保安马上就来"),
     ("", True, "请出示出入证")],
)  # fmt: skip
def test_the_lane_says_what_became_of_a_call_and_never_who_comes(called: str, attended: bool, told: str) -> None:
    state = gate_state(attended=attended)
    assert face(state, lane_state(called=called)).headline[0] == told
    assert len(told) <= 12


def test_a_yellow_that_nobody_answered_is_marked_for_the_page_that_slept(stage: Stage, guard: Guard) -> None:
    yellow = stage.happen(outcome="refer", reason="passback", label="李*")
    assert 'data-missed="1"' not in guard.page()
    stage.happen("ruling", outcome="deny", reason="unanswered", about=yellow.number)
    assert f'data-missed="{yellow.number}"' in guard.page()
