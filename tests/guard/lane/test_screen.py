"""The residents' screen: what it shows in which state, to whom, and how seldom it troubles the core."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from hardware import Hint
from kiosk import channel, verbs
from kiosk.core.policy import PLEASE_SEE_GUARD, SENSITIVE
from kiosk.guard import words
from kiosk.guard.app import create_app
from kiosk.guard.lane.faces import Face, face, lost
from kiosk.guard.lane.places import ELSEWHERE, OF_ONE
from kiosk.guard.lane.screen import FRESH_S, RETRY_S, Screens
from kiosk.guard.limits import UNBROKEN
from kiosk.guard.line import CoreLine, GuardSettings
from kiosk.verbs import Limits
from sync.places import ServingLimits
from sync.protocol import Window
from sync.terms import REASONS
from tests.fixtures.browsers.guard_stage import PEOPLE, Stage, gate_state, lane_state


def looks(lane: dict[str, Any] | None = None, **state: Any) -> Face:
    shown = lane_state(**(lane or {}))
    return face(gate_state(lanes=[shown], **state), shown)


def result(outcome: str, reason: str) -> dict[str, Any]:
    return {"shown_outcome": outcome, "shown_reason": reason, "shown_until_ms": 7}


def _at(*parts: int) -> int:
    """That moment in Shanghai, in milliseconds."""
    return int(datetime(*parts, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)  # type: ignore[arg-type,misc]


def test_a_resting_lane_is_ready_and_shows_its_place_and_the_time() -> None:
    at_rest = looks()
    assert (at_rest.tone, at_rest.headline[0], at_rest.clock) == ("ready", "请出示出入证", "14:05")
    assert at_rest.lane == ("东门入口", "East gate, in") and at_rest.place == ("幸福里小区 · 东门", "Xingfuli")


@pytest.mark.parametrize("outcome", ["grant", "refer", "deny"])
@pytest.mark.parametrize("reason", sorted(set(REASONS) - SENSITIVE))
def test_a_result_has_its_colour_and_its_sentences(outcome: str, reason: str) -> None:
    shown = looks(result(outcome, reason))
    assert (shown.tone, shown.shown) == (outcome, 7)
    assert words.PUBLIC[reason].headline[0] in (shown.headline[0] + shown.line[0])


def test_who_is_let_in_with_a_reminder_still_sees_first_that_the_way_is_free() -> None:
    shown = looks(result("grant", "expired"))
    assert shown.headline == words.PUBLIC["ok"].headline and "出入证已到期" in shown.line[0]


DESK = {"desk_zh": "物业一楼", "desk_en": "the office"}
OFFICE_HOURS = (Window(9 * 60, 12 * 60, (1, 2)), Window(14 * 60, 18 * 60, (1, 2, 4)))


@pytest.mark.parametrize(
    ("at", "zh", "en"),
    [
        ((2026, 11, 23, 8, 59), "（今天09:00–12:00）", ", open today 09:00–12:00"),
        ((2026, 11, 23, 9, 0), "（今天12:00前）", ", open until 12:00"),
        ((2026, 11, 23, 11, 59), "（今天12:00前）", ", open until 12:00"),
        ((2026, 11, 23, 12, 0), "（今天14:00–18:00）", ", open today 14:00–18:00"),
        ((2026, 11, 23, 18, 0), "（明天09:00起）", ", open from 09:00 tomorrow"),
        ((2026, 11, 24, 18, 0), "（周四14:00起）", ", open from 14:00 on Thu"),
        ((2026, 11, 26, 18, 0), "（周一09:00起）", ", open from 09:00 on Mon"),
    ],
)
def test_the_lane_says_where_the_desk_is_and_when_somebody_is_there(at: tuple[int, ...], zh: str, en: str) -> None:
    shown = looks(result("refer", "not_collected"), now_ms=_at(*at), desk_hours=OFFICE_HOURS, **DESK)
    assert shown.line[0].replace(UNBROKEN, "") == f"带身份证到物业一楼领取{zh}，家人可代领"
    assert shown.line[1].replace(UNBROKEN, "") == f"Bring ID to the office{en}; family may collect"


@pytest.mark.parametrize("changes", [{"clock": "untrusted", "desk_hours": OFFICE_HOURS}, {"desk_hours": ()}])
def test_a_gate_that_does_not_know_the_time_or_the_hours_says_just_where_the_desk_is(changes: dict[str, Any]) -> None:
    assert looks(result("refer", "revoked"), **DESK, **changes).line[0] == "请找保安，或到物业一楼补办"


@pytest.mark.parametrize("reason", sorted(set(words.DESK) - {"ended"}))
def test_without_a_place_from_the_compound_no_floor_is_made_up(reason: str) -> None:
    assert looks(result("deny", reason)).line == words.PUBLIC[reason].line
    assert "一楼" not in words.PUBLIC[reason].line[0]
    assert "物业一楼" in looks(result("deny", reason), **DESK).line[0]


def test_an_expired_pass_has_its_day_and_the_desk() -> None:
    lane = result("deny", "expired") | {"shown_limits": Limits(until_ms=_at(2026, 11, 20))}
    assert looks(lane, **DESK).line[0] == "11月19日已到期；到物业一楼办延期"


def test_only_what_is_settled_at_the_desk_names_it() -> None:
    for reason in sorted(set(REASONS) - set(words.DESK)):
        assert "物业一楼" not in looks(result("refer", reason), **DESK).line[0]


def test_a_pass_that_waits_to_be_collected_has_a_counter_and_no_cross() -> None:
    waits = looks(result("refer", "not_collected"))
    assert (waits.tone, waits.sign) == ("refer", "counter")
    assert looks(result("grant", "not_collected")).sign == "tick"


def test_whom_the_lane_lets_in_may_see_their_masked_name_and_nobody_else_does() -> None:
    label = {"shown_label": "张*"}
    assert looks(result("grant", "ok") | label).line == ("张*，谢谢配合", "Thank you, 张*")
    for outcome in ("refer", "deny"):
        assert "张" not in looks(result(outcome, "revoked") | label).line[0]


def test_people_with_nothing_to_show_are_led_to_the_form_and_to_the_guard() -> None:
    led = looks(form_url="https://pass.example.org/j/7")
    assert led.form.startswith("<svg") and led.no_pass == words.NO_PASS["form"]
    assert looks().form == "" and looks().no_pass == words.NO_PASS["guard"]
    assert looks({"hint": "closer"}).no_pass is None and looks(result("deny", "ok")).no_pass is None


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://" + "a" * 300, "https://a\n", "<svg>"])
def test_what_is_no_address_of_a_page_is_never_drawn(url: str) -> None:
    assert looks(form_url=url).form == ""


MONDAYS, TUESDAYS = Window(8 * 60, 12 * 60, (1, 4)), Window(9 * 60, 12 * 60, (2,))
EVENINGS = Window(14 * 60, 1440)


@pytest.mark.parametrize(
    ("reason", "limits", "zh", "en"),
    [
        ("not_yet_valid", Limits(from_ms=_at(2026, 12, 1)), "12月1日起生效", "Valid from 1 Dec;"),
        ("not_yet_valid", Limits(from_ms=_at(2027, 1, 2, 8, 30)), "2027年1月2日08:30起生效", "from 2 Jan 2027, 08:30;"),
        ("expired", Limits(until_ms=_at(2026, 11, 20)), "11月19日已到期", "Ended 19 Nov."),
        ("expired", Limits(until_ms=_at(2026, 11, 20, 18)), "11月20日18:00已到期", "Ended 20 Nov, 18:00."),
        ("expired", Limits(until_ms=_at(2026, 1, 1)), "2025年12月31日已到期", "Ended 31 Dec 2025."),
        ("outside_hours", Limits(hours=(MONDAYS, EVENINGS, TUESDAYS)), "今天08:00–12:00，14:00–24:00可以通行",
         "Today 08:00–12:00, 14:00–24:00."),
    ],
)  # fmt: skip
def test_the_lane_says_from_when_until_when_and_at_which_hours(reason: str, limits: Limits, zh: str, en: str) -> None:
    shown = looks(result("deny", reason) | {"shown_limits": limits})
    assert shown.headline == words.PUBLIC[reason].headline
    assert zh in shown.line[0].replace(UNBROKEN, "") and en in shown.line[1].replace(UNBROKEN, "")


def test_a_day_without_hours_has_the_general_sentence() -> None:
    shown = looks(result("deny", "outside_hours") | {"shown_limits": Limits(hours=(TUESDAYS,))})
    assert shown.line == words.PUBLIC["outside_hours"].line, "it is Monday"


@pytest.mark.parametrize("reason", ["not_yet_valid", "expired", "outside_hours"])
def test_a_core_that_does_not_say_when_has_a_sentence_too(reason: str) -> None:
    assert looks(result("deny", reason)).line == words.PUBLIC[reason].line


@pytest.mark.parametrize("reason", [PLEASE_SEE_GUARD, "from_the_future", *sorted(SENSITIVE)])
def test_what_may_not_be_told_sends_to_the_post(reason: str) -> None:
    shown = looks(result("refer", reason))
    assert (shown.headline, shown.line) == words.AT_THE_POST


@pytest.mark.parametrize("phase", ["fire", "held"])
def test_an_open_gate_is_green_whatever_was_shown_last(phase: str) -> None:
    assert looks({"phase": phase, **result("deny", "expired")}).headline[0] == "门开着，请通行"


def test_a_result_goes_before_a_fault_and_a_fault_before_a_closed_lane() -> None:
    broken = {"signal": "fault", "lockdown": True}
    assert looks(broken | result("grant", "ok")).tone == "grant"
    assert looks(broken).tone == "fault"
    assert looks({"lockdown": True}).tone == "closed"
    assert looks(faults=["withdrawn"]).tone == "fault"


@pytest.mark.parametrize("hint", [hint.value for hint in Hint])
def test_a_code_that_is_not_read_gets_its_hint_and_a_result_goes_before_it(hint: str) -> None:
    shown = looks({"hint": hint})
    assert (shown.tone, shown.sign, shown.headline) == ("ready", f"hint-{hint}", words.HINTS[hint].headline)
    for other in (result("deny", "expired"), {"signal": "fault"}, {"lockdown": True}, {"phase": "held"}):
        assert looks(other | {"hint": hint}) == looks(other)


def test_a_hint_that_is_newer_than_this_page_shows_a_lane_that_is_ready() -> None:
    assert looks({"hint": "from_the_future"}) == looks()


def test_every_hint_has_its_picture() -> None:
    page = (Path(words.__file__).parent / "templates" / "screen.html").read_text()
    assert all(f'id="sign-hint-{hint}"' in page for hint in words.HINTS)


@pytest.mark.parametrize("lane", [{"signal": "fault"}, {"lockdown": True}])
def test_a_gate_that_reads_nothing_names_its_neighbour(lane: dict[str, Any]) -> None:
    there = looks(lane, neighbour_zh="3号门，向左80米", neighbour_en="gate 3")
    assert there.line[0].endswith("，或走3号门，向左80米") and there.line[1].endswith(", or gate 3")
    assert looks(lane, neighbour_zh="3号门").line[1].endswith(", or 3号门")
    assert "或走" not in looks(lane).line[0]


def test_before_the_core_has_ever_answered_there_is_a_face_too() -> None:
    nobody = lost(None, None)
    assert (nobody.tone, nobody.clock, nobody.way, nobody.notes) == ("fault", "", "", ())


def test_an_old_list_is_a_thin_line_with_its_age_and_no_red_page() -> None:
    old = looks(list_state="stale", list_age_s=200_000, simulated=[])
    assert old.tone == "ready" and old.notes == (("名单是2天前的，照常验证", "List of 2 days ago, still deciding"),)
    assert looks(simulated=[]).notes == ()


def test_a_gate_that_does_not_know_the_time_shows_none() -> None:
    assert looks(clock="untrusted").clock == ""


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path).start()
    yield stage
    stage.stop()


@pytest.fixture
def core(stage: Stage) -> Iterator[CoreLine]:
    core = CoreLine(stage.core_path, stage.reader_path)
    yield core
    core.close()


@pytest.fixture
def app(core: CoreLine) -> Flask:
    return create_app(core, GuardSettings())


def get(app: Flask, path: str, address: str = "127.0.0.1", **headers: str) -> Any:
    return app.test_client().get(path, environ_base={"REMOTE_ADDR": address}, headers=headers)


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("192.168.1.20", {}, 404),
        ("::ffff:192.168.1.20", {}, 404),
        ("", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 404),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, 404),
    ],
)
@pytest.mark.parametrize("path", ["/screen/in", "/screen/in/now"])
def test_only_this_very_device_is_shown_the_screen(
    app: Flask, path: str, address: str, headers: dict[str, str], status: int
) -> None:
    assert get(app, path, address, **headers).status_code == status


def test_a_screen_on_another_machine_has_to_be_allowed(core: CoreLine) -> None:
    app = create_app(core, GuardSettings(screen_elsewhere=True))
    assert get(app, "/screen/in", "192.168.1.20").status_code == 200


def test_the_screen_needs_no_sign_in_and_says_nothing_of_anybody(stage: Stage, app: Flask) -> None:
    stage.happen(**PEOPLE["passback"])
    for path in ("/screen/in", "/screen/in/now"):
        answer = get(app, path)
        assert answer.status_code == 200
        assert not any(value in answer.text for value in PEOPLE["passback"].values() if isinstance(value, str))
    assert {type(question) for question in stage.asked} == set()


def test_a_lane_that_is_not_there_has_no_screen(app: Flask) -> None:
    assert get(app, "/screen/elsewhere").status_code == 404


def test_the_page_says_again_that_nothing_is_read_while_the_core_is_away(stage: Stage, app: Flask) -> None:
    stage.stop()
    page, now = get(app, "/screen/in"), get(app, "/screen/in/now")
    assert page.status_code == 200 and "本门暂停识别" in page.text
    assert now.status_code == 503 and now.json["face"] == now.json["lost"]


# --- the stream -------------------------------------------------------------------------------------------------------


class Listener:
    """A screen that listens; it reads one event at a time."""

    def __init__(self, app: Flask, address: str = "127.0.0.1", lane: str = "in"):
        client = app.test_client()
        self.answer = client.get(f"/screen/{lane}/stream", environ_base={"REMOTE_ADDR": address}, buffered=False)
        self._pieces = iter(self.answer.response)

    def hear(self) -> tuple[str, dict[str, Any]]:
        """The next event and what it says."""
        for piece in self._pieces:
            found = re.fullmatch(r"event: (\w+)\ndata: (.*)\n\n", piece if isinstance(piece, str) else piece.decode())
            if found:
                return found[1], json.loads(found[2])
        raise AssertionError("the stream ended")

    def hear_face(self, says: str) -> dict[str, Any]:
        """The first face with these words, within the next twenty events."""
        for _ in range(20):
            name, told = self.hear()
            if name == "face" and says in told["face"]:
                return told
        raise AssertionError(f"nobody says {says}")

    def close(self) -> None:
        self.answer.close()


@pytest.fixture
def listen(app: Flask) -> Iterator[Callable[..., Listener]]:
    listeners: list[Listener] = []

    def listen(address: str = "127.0.0.1", lane: str = "in", on: Flask = app) -> Listener:
        listeners.append(Listener(on, address, lane))
        return listeners[-1]

    yield listen
    for listener in listeners:
        listener.close()


def test_a_screen_that_listens_is_told_each_result_and_need_not_ask(stage: Stage, listen: Any) -> None:
    screen = listen()
    assert "请出示出入证" in screen.hear()[1]["face"]
    for until, (outcome, reason) in enumerate([("grant", "ok"), ("deny", "unreadable"), ("deny", "unreadable")], 1):
        lane = stage.state.lanes[0]
        lane.shown_outcome, lane.shown_reason, lane.shown_until_ms = outcome, reason, until
        stage.turn()
        told = screen.hear_face(f'data-shown="{until}"')
        assert words.PUBLIC[reason].headline[0] in told["face"] and told["answers"]


def test_a_screen_on_which_nothing_changes_hears_a_beat(listen: Any) -> None:
    screen = listen()
    assert screen.hear()[0] == "face"
    name, told = screen.hear()
    assert (name, told["answers"]) == ("beat", True) and told["at"] > 0 and told["page"]


def test_a_screen_that_listens_hears_that_the_core_is_away_and_that_it_is_back(stage: Stage, listen: Any) -> None:
    screen = listen()
    screen.hear()
    stage.stop()
    told = screen.hear_face("本门暂停识别")
    assert not told["answers"]
    stage.start()
    assert screen.hear_face("请出示出入证")["answers"]


def test_a_lane_that_is_not_there_has_no_stream(listen: Any) -> None:
    assert listen(lane="elsewhere").answer.status_code == 404


def test_screens_that_strangers_open_take_nobody_elses_place(core: CoreLine, listen: Any) -> None:
    app = create_app(core, GuardSettings(screen_elsewhere=True))
    opened = [listen(f"192.168.1.{number // OF_ONE}", on=app) for number in range(ELSEWHERE + OF_ONE)]
    assert [one.answer.status_code for one in opened].count(200) == ELSEWHERE
    assert listen("127.0.0.1", on=app).answer.status_code == 200, "this very device has places of its own"
    opened[0].close()
    assert listen("192.168.2.1", on=app).answer.status_code == 200, "what is closed is free"


def test_one_machine_has_its_share_of_the_streams(core: CoreLine, listen: Any) -> None:
    app = create_app(core, GuardSettings(screen_elsewhere=True))
    assert [listen("192.168.1.20", on=app).answer.status_code for _ in range(OF_ONE + 1)] == [200] * OF_ONE + [503]


def test_streams_of_screens_leave_most_places_of_the_server_to_guards() -> None:
    assert ServingLimits().streams >= 2 * (ELSEWHERE + OF_ONE)


class Counting:
    """Counts the questions; answers, or does not."""

    def __init__(self) -> None:
        self.asked, self.away, self.s = 0, False, 100.0

    def state_for_screens(self) -> verbs.GateState:
        self.asked += 1
        if self.away:
            raise channel.ChannelError("hung up")
        return gate_state(now_ms=self.asked)

    def __call__(self) -> float:
        return self.s


def test_however_many_screens_look_the_core_is_asked_four_times_a_second() -> None:
    core = Counting()
    screens = Screens(core, core)
    for _ in range(1000):
        screens.state()
        core.s += 0.01
    assert 10 / FRESH_S - 1 <= core.asked <= 10 / FRESH_S + 1


def test_a_core_that_is_away_is_asked_less_often_and_what_was_known_is_kept() -> None:
    core = Counting()
    screens = Screens(core, core)
    assert screens.state()[1]
    core.away = True
    core.s += FRESH_S
    known, answers = screens.state()
    assert known is not None and not answers
    core.s += RETRY_S / 2
    screens.state()
    assert core.asked == 2
    core.away = False
    core.s += RETRY_S / 2
    assert screens.state()[1]
