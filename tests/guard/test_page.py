"""The guards' page against a scripted core on a true unix socket."""

from __future__ import annotations

import html
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from kiosk import verbs
from kiosk.core.guards.once import LONGEST_S
from kiosk.guard import words
from kiosk.guard.app import create_app
from kiosk.guard.limits import UNBROKEN
from kiosk.guard.line import CoreLine, GuardSettings
from kiosk.verbs import PresentationAnswer
from sync import terms
from sync.protocol import Terms, Window
from tests.fixtures.browsers.guard_stage import NOW_MS, PEOPLE, Stage, lane_state
from tests.fixtures.guard import Guard

PNG = b"\x89PNG not looked at by this process"


@pytest.fixture
def guard(app: Flask) -> Guard:
    return Guard(app)


def test_a_named_guard_signs_in_and_the_cookie_is_out_of_reach_of_scripts_and_other_sites(guard: Guard) -> None:
    cookie = guard.signed_in.headers["Set-Cookie"]
    assert guard.signed_in.location == "/"
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Secure" not in cookie


def test_over_https_the_cookie_is_secure(stage: Stage) -> None:
    core = CoreLine(stage.core_path, stage.reader_path)
    secure = Guard(create_app(core, GuardSettings(secure_cookies=True)))
    assert "Secure" in secure.signed_in.headers["Set-Cookie"]
    core.close()


def test_the_core_learns_where_the_page_was_opened(stage: Stage, guard: Guard) -> None:
    assert stage.last(verbs.SignIn).address == "127.0.0.1"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("wrong_pin", "姓名或密码不对"),
        ("locked_out:45", "45秒后再试"),
        ("locked_out:3301", "55分钟后再试"),
        ("locked_out:3302", "56分钟后再试"),
        ("no_accounts", "还没有保安账号"),
    ],
)
def test_a_refused_sign_in_says_why_and_sets_no_cookie(stage: Stage, app: Flask, code: str, says: str) -> None:
    stage.refusals["SignIn"] = code
    refused = Guard(app).signed_in
    assert refused.status_code == 403 and says in refused.text
    assert "Set-Cookie" not in refused.headers


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("zh", ["16分钟后再试", "同事用自己的姓名照样能登录", "自己登录过的手机", "墙上的按钮"]),
        ("en", ["in 16 min", "colleagues sign in under their own names", "where you signed in before", "wired button"]),
    ],
)
def test_who_has_to_wait_is_told_how_long_and_what_to_do_instead(
    stage: Stage, app: Flask, language: str, says: list[str]
) -> None:
    stage.refusals["SignIn"] = "locked_out:961"
    browser = app.test_client()
    browser.get(f"/prefer/language/{language}?to=/")
    refused = browser.post("/sign-in", data={"name": "Lin", "pin": "0000"})
    assert refused.status_code == 403
    assert [text for text in says if text not in refused.text] == []


def test_a_wrong_pin_is_not_repeated_on_the_page(app: Flask) -> None:
    refused = Guard(app, pin="987654").signed_in
    assert refused.status_code == 403 and "987654" not in refused.text


def test_every_page_but_the_public_ones_needs_a_session(app: Flask) -> None:
    public = {"static", "frame.sign_in", "frame.prefer", "monitor.health", "monitor.figures"}
    public |= {"screen.page", "screen.now", "screen.stream", "screen.voice"}
    for rule in app.url_map.iter_rules():
        if rule.endpoint in public:
            continue
        url = app.url_map.bind("localhost").build(rule.endpoint, dict.fromkeys(rule.arguments, "x"))
        for method in rule.methods & {"GET", "POST"}:
            answer = app.test_client().open(url, method=method)
            if rule.endpoint == "live_list.stream":  # a browser gives up on what is no stream
                assert re.fullmatch(r'event: bye\ndata: \{"clock": \d+\}\n\n', answer.text)
                continue
            assert (answer.status_code, answer.location) == (303, "/sign-in"), f"{method} {url}"


def test_an_ended_session_goes_back_to_signing_in_and_says_so(stage: Stage, guard: Guard) -> None:
    stage.sessions.clear()
    answer = guard.http.get("/")
    assert answer.location == "/sign-in?why=not_signed_in"
    assert "登录已过期" in guard.page(answer.location)


def test_signing_out_ends_the_session_in_the_core(stage: Stage, guard: Guard) -> None:
    guard.post("/sign-out")
    assert not stage.sessions
    assert guard.http.get_cookie("gate_session") is None


@pytest.mark.parametrize("token", ["", "guessed", "猜"])
def test_a_form_without_its_token_does_nothing(stage: Stage, guard: Guard, token: str) -> None:
    guard.token = token
    assert guard.post("/open", lane="in").status_code == 403
    assert not any(isinstance(question, verbs.Override) for question in stage.asked)


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", "http://["])
def test_a_form_from_another_site_does_nothing_even_with_the_token(guard: Guard, origin: str) -> None:
    headers = {"Origin": origin}
    fields = {"form_token": guard.token, "lane": "in"}
    assert guard.http.post("/open", data=fields, headers=headers).status_code == 403
    assert guard.http.post("/sign-in", data={"name": "x", "pin": "1"}, headers=headers).status_code == 403


def test_every_answer_forbids_inline_script_frames_and_copies(guard: Guard) -> None:
    for path in ("/", "/sign-in", "/health", "/nowhere"):
        headers = guard.http.get(path).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY" and headers["Cache-Control"] == "no-store"


def test_what_a_pass_carries_is_escaped_wherever_it_is_shown(stage: Stage, guard: Guard) -> None:
    evil = "<img src=x onerror=alert(1)>"
    stage.happen(outcome="deny", reason=evil, label=evil, dwelling=evil, plate=evil, pass_number=evil, pass_kind=evil)
    stage.happen("override", about=1, by=evil, reason=f"other: {evil}")
    assert evil not in guard.page()
    assert "&lt;img src=x" in guard.page()


def test_a_yellow_is_answered_by_a_ruling(stage: Stage, guard: Guard) -> None:
    stage.happen(**PEOPLE["passback"])
    assert guard.press("/open").location == "/"
    ruling = stage.last(verbs.Ruling)
    assert (ruling.happening, ruling.grant) == (1, True)


@pytest.mark.parametrize(
    ("code", "says"), [("too_late", "到得太晚，门没有动"), ("not_waiting", "已按不放行处理，门没有动")]
)
def test_a_ruling_that_comes_too_late_never_becomes_an_override(
    stage: Stage, guard: Guard, code: str, says: str
) -> None:
    stage.happen(**PEOPLE["passback"])
    stage.refusals["Ruling"] = code
    answer = guard.press("/open")
    assert answer.status_code == 409 and says in answer.text
    assert not any(isinstance(question, verbs.Override) for question in stage.asked)


@pytest.mark.parametrize("until", ["", "0", "nan", "inf", "x", "-5", "99999999999999"])
@pytest.mark.parametrize("path", ["/open", "/refuse", "/hold"])
def test_an_act_without_a_time_or_with_one_that_is_over_does_nothing(
    stage: Stage, guard: Guard, path: str, until: str
) -> None:
    answer = guard.post(path, lane="in", on="1", until=until)
    assert answer.status_code == 409 and "到得太晚，门没有动" in answer.text
    assert 'id="line-' not in guard.page() and not stage.state.lanes[0].held_open


def test_every_form_that_acts_carries_its_mark_and_until_when_it_is_meant(stage: Stage, app: Flask) -> None:
    stage.state.clock_asks = stage.state.lanes[0].held_before_restart = True
    supervisor = Guard(app, "李主管", "1357")
    pages = [supervisor.page(path) for path in ("/", "/more", "/time")]
    pages.append(supervisor.post("/look-up", term="3-1-502").text)
    forms = [form for page in pages for form in re.findall(r"<form.*?</form>", page, re.S)]
    acting = [form for form in forms if re.search(r'action="/(open|hold|lockdown|time)"', form)]
    assert len(acting) >= 8
    marks = set()
    for form in acting:
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        assert 0 < int(fields["until"]) / 1000 - time.monotonic() <= LONGEST_S
        marks.add(fields["act"])
    assert len(marks) == len(acting)


def test_a_page_whose_answer_was_lost_hears_what_the_gate_did_and_the_same_tap_acts_once(
    stage: Stage, guard: Guard
) -> None:
    stage.happen(**PEOPLE["passback"])
    fields = {"lane": "in", "happening": "1", "run": "r1", "waits": "1", "act": "tap-1"}
    for _ in range(2):
        guard.post("/open", **fields)
    answer = guard.post("/settle", act="tap-1").json
    assert answer == {"ok": True, "sentence": "已发出开门", "sheet": "", "explain": 0}
    assert guard.page().count('class="badge tone-ok"') == 1


def test_a_tap_that_its_page_has_given_up_does_nothing_when_it_comes(stage: Stage, guard: Guard) -> None:
    given_up = guard.post("/settle", act="tap-2").json
    assert not given_up["ok"] and "没有送到，门没有动" in given_up["sentence"]
    late = guard.post("/open", lane="in", act="tap-2")
    assert late.status_code == 409 and "没有送到，门没有动" in late.text
    assert 'id="line-' not in guard.page()


def test_where_two_guards_answer_differently_the_page_says_what_the_gate_did(
    stage: Stage, guard: Guard, app: Flask
) -> None:
    stage.happen(**PEOPLE["passback"])
    stage.happen("ruling", about=1, outcome="grant", by="李主管")
    stage.refusals["Ruling"] = "not_waiting"
    fields = {"lane": "in", "happening": "1", "run": "r1", "waits": "1"}
    refused = guard.post("/refuse", **fields)
    assert refused.status_code == 409 and "李主管已经放行，门开过了。您这一下没有起作用" in refused.text
    script = {"X-Page-Script": "1"}
    fields |= {"form_token": guard.token}
    alike = guard.http.post("/open", data=fields, headers=script).json
    assert alike == {"ok": True, "sentence": "李主管已经放行，门开过了，没有再开。"}


def test_a_yellow_that_a_colleague_just_let_through_is_not_opened_twice(stage: Stage, guard: Guard) -> None:
    stage.happen(**PEOPLE["passback"])
    guard.page()
    stage.happen("ruling", about=1, outcome="grant", by="李主管")
    stage.refusals["Ruling"] = "not_waiting"
    guard.post("/open", lane="in", happening="1", run="r1", waits="1")
    assert not any(isinstance(question, verbs.Override) for question in stage.asked)


def test_a_red_is_overridden_at_once_and_the_reason_asked_afterwards(stage: Stage, guard: Guard) -> None:
    stage.happen(**PEOPLE["deny"])
    answer = guard.press("/open")
    assert (stage.last(verbs.Override).happening, stage.last(verbs.Override).reason) == (1, "")
    assert answer.location == "/?explain=2"
    assert "认识，是本小区的" in guard.page(answer.location)
    assert "1 次没写原因" in guard.page()
    guard.post("/explain", happening="2", reason="papers", text="看过身份证")
    explain = stage.last(verbs.Explain)
    assert (explain.happening, explain.reason) == (2, "papers: 看过身份证")
    assert "没写原因" not in guard.page()


def test_the_lane_opens_with_nobody_presenting(stage: Stage, guard: Guard) -> None:
    guard.press("/open")
    override = stage.last(verbs.Override)
    assert (override.lane, override.happening, override.open) == ("in", 0, True)


@pytest.mark.parametrize("waits", ["0", "1"])
def test_a_button_pressed_on_a_page_from_before_a_restart_acts_on_nobody_and_says_so(
    stage: Stage, guard: Guard, waits: str
) -> None:
    stage.happen(**PEOPLE["passback"])
    answer = guard.post("/open", lane="in", happening="1", run="an earlier run", waits=waits)
    assert answer.status_code == 409 and "门控重启过，门没有动" in answer.text
    assert "已答复" not in guard.page()


def test_the_longest_waiting_yellow_stays_in_front_when_others_come(stage: Stage, guard: Guard) -> None:
    stage.happen(**PEOPLE["passback"])
    stage.happen(**PEOPLE["grant"])
    panel = re.search(r'<section class="panel.*?</section>', guard.page(), re.S).group()
    assert "12栋2单元1801" in panel and "3栋1单元502" not in panel


def test_the_last_passage_is_shown_only_where_it_bears_on_the_decision(stage: Stage, guard: Guard) -> None:
    stage.happen(**(PEOPLE["grant"] | {"last_passage_ms": NOW_MS - 5000}))
    assert "上次通行" not in guard.page()
    stage.happen(**PEOPLE["passback"])
    assert "上次通行" in guard.page()


def test_a_presentation_of_long_ago_is_not_what_the_buttons_act_on(stage: Stage, guard: Guard) -> None:
    stage.happen(**PEOPLE["deny"])
    stage.state.now_ms += 120_000
    guard.press("/open")
    assert stage.last(verbs.Override).happening == 0


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("look", [*terms.LOOKS, "attention", "from_the_future", ""])
def test_the_guard_reads_in_line_and_panel_what_to_look_for(
    stage: Stage, guard: Guard, look: str, language: str
) -> None:
    """A code that this page does not know, of a newer centre, asks for a second look as one without a code does."""
    guard.http.get(f"/prefer/language/{language}?to=/")
    stage.happen(**PEOPLE["marked"] | {"look": look})
    sentence = words.say(language, words.LOOKS.get(look, words.GUARD["attention"]))
    panel, _, lines = html.unescape(guard.page()).partition('id="lines"')
    assert (panel.count(sentence), lines.count(sentence)) == (1, 1)


def test_what_to_look_for_is_read_beside_another_reason_too(stage: Stage, guard: Guard) -> None:
    stage.happen(**PEOPLE["passback"], look="person")
    panel, _, lines = guard.page().partition('id="lines"')
    for place in (panel, lines):
        assert "可能传给了别人" in place and "另有提示：看人" in place
    stage.happen(**PEOPLE["guided"] | {"guidance": "attention"}, look="desk")
    assert "放行，并提醒：请本人去一趟领证台" in guard.page() and "另有提示：请本人" not in guard.page()


def test_who_is_looked_up_without_a_code_is_marked_too(stage: Stage, guard: Guard) -> None:
    stage.look = "community"
    assert words.LOOKS["community"][0] in guard.post("/look-up", term="3-1-502").text
    stage.look = ""
    assert words.LOOKS["community"][0] not in guard.post("/look-up", term="3-1-502").text


def test_the_lanes_screen_says_nothing_of_what_to_look_for(stage: Stage, app: Flask) -> None:
    stage.happen(**PEOPLE["marked"] | {"look": "community"})
    stage.state.lanes[0].shown_outcome, stage.state.lanes[0].shown_reason = "refer", "please_see_guard"
    shown = app.test_client().get("/screen/in").text
    assert "保安" in shown
    assert [sentence for pair in words.LOOKS.values() for sentence in pair if sentence in html.unescape(shown)] == []


def test_the_guard_reads_when_a_pass_ended(stage: Stage, guard: Guard) -> None:
    stage.happen(**(PEOPLE["deny"] | {"reason": "expired", "limits": verbs.Limits(until_ms=NOW_MS - 60_000)}))
    assert re.search(r"\d+月\d+日\d\d:\d\d已到期。提醒到物业延期。", guard.page())


def test_the_guard_reads_all_hours_of_a_kind(stage: Stage, guard: Guard) -> None:
    hours = (Window(480, 720, (1, 4)), Window(840, 1440))
    stage.happen(**(PEOPLE["deny"] | {"reason": "outside_hours", "limits": verbs.Limits(hours=hours)}))
    assert "只能在周一、周四 08:00–12:00，14:00–24:00通行。" in guard.page().replace(UNBROKEN, "")
    guard.http.get("/prefer/language/en?to=/")
    assert "Only Mon Thu 08:00–12:00, 14:00–24:00. Ask why, then decide." in guard.page().replace(UNBROKEN, "")


def test_the_guard_reads_the_terms_of_one_pass(stage: Stage, guard: Guard) -> None:
    terms = Terms((Window(480, 720, (1, 4)),), 3, True)
    stage.happen(**(PEOPLE["deny"] | {"reason": "used_up", "terms": terms, "entered": 3}))
    page = guard.page().replace(UNBROKEN, "")
    assert "周一、周四 08:00–12:00" in page and "已用3次，共3次" in page and "首次进入当天有效" in page
    assert "次数用完了" in page
    guard.http.get("/prefer/language/en?to=/")
    page = guard.page().replace(UNBROKEN, "")
    assert "Mon Thu 08:00–12:00" in page and "3 of 3 used" in page and "the day of its first entry" in page


def test_a_pass_without_terms_of_its_own_has_no_lines_about_them(stage: Stage, guard: Guard) -> None:
    stage.happen(**PEOPLE["deny"])
    page = guard.page()
    assert not any(words.WORDS[name][0] in page for name in ("own_hours", "entries", "one_day"))


@pytest.mark.parametrize("term", ["张三", "zhang", "Zhang San", "王小明", "acdefgh", ""])
def test_nobody_is_looked_up_by_name(stage: Stage, guard: Guard, term: str) -> None:
    assert "不按姓名查。" in guard.post("/look-up", term=term).text
    assert not any(isinstance(question, verbs.LookUp) for question in stage.asked)


@pytest.mark.parametrize("term", ["ACDEFG", "acd-efg", "ＡＣＤＥＦＧ", "7-000005", "京A12345"])
def test_a_code_without_a_digit_is_no_name(stage: Stage, guard: Guard, term: str) -> None:
    assert "不按姓名查。" not in guard.post("/look-up", term=term).text
    assert stage.last(verbs.LookUp).term == term


def test_a_dwelling_is_looked_up_without_leaving_a_trace_in_the_address(stage: Stage, guard: Guard) -> None:
    page = guard.post("/look-up", term=" 3-1-502 ")
    assert "3栋1单元502" in page.text and "张*" in page.text and "有效" in page.text
    assert stage.last(verbs.LookUp).term == "3-1-502"
    assert page.request.path == "/look-up" and not page.request.query_string


def test_lockdown_is_for_supervisors_only(stage: Stage, app: Flask, guard: Guard) -> None:
    assert "封闭" not in guard.page("/more")
    assert guard.post("/lockdown", lane="in", on="1").status_code == 409
    assert not stage.state.lanes[0].lockdown
    supervisor = Guard(app, "李主管", "1357")
    assert supervisor.post("/lockdown", lane="in", on="1").location == "/"
    assert stage.state.lanes[0].lockdown


def test_holding_open_begins_and_ends(stage: Stage, guard: Guard) -> None:
    guard.post("/hold", lane="in", on="1")
    assert stage.state.lanes[0].held_open
    assert "结束常开" in guard.page("/more")
    guard.post("/hold", lane="in", on="0")
    assert not stage.state.lanes[0].held_open


def test_on_a_real_gate_a_photo_is_read_and_presented_as_from_a_phone(stage: Stage, guard: Guard) -> None:
    answer = guard.post("/present/photo", lane="in", photo=(io.BytesIO(PNG), "pass.jpg"))
    assert answer.location == "/?lane=in"
    presented = stage.last(verbs.PresentText)
    assert (presented.text, presented.source, presented.lane) == ("G1TEXT", "phone", "in")


def test_a_photo_without_a_code_is_said_to_have_none(stage: Stage, guard: Guard) -> None:
    stage.read_texts = []
    assert "没读到新的二维码" in guard.post("/present/photo", photo=(io.BytesIO(PNG), "sky.jpg")).text


@pytest.mark.parametrize("excess", [1, 200_000])
def test_a_photo_over_four_megabytes_is_refused_with_a_plain_sentence(guard: Guard, excess: int) -> None:
    head = f'--b\r\nContent-Disposition: form-data; name="form_token"\r\n\r\n{guard.token}\r\n--b\r\n'
    head += 'Content-Disposition: form-data; name="photo"; filename="big.jpg"\r\n\r\n'
    body = head.encode() + bytes(4 * 1024 * 1024 + excess) + b"\r\n--b--\r\n"
    answer = guard.http.post("/present/photo", data=body, content_type="multipart/form-data; boundary=b")
    assert answer.status_code == 413 and "照片超过 4 MB" in answer.text


def test_the_clock_is_confirmed_by_a_guard(stage: Stage, guard: Guard) -> None:
    stage.state.clock, stage.state.clock_asks = "untrusted", True
    assert "对时间" in guard.page()
    guard.post("/time", date="2026-11-23", clock="14:15")
    assert stage.last(verbs.ConfirmTime).utc_ms == NOW_MS + 600_000
    guard.post("/time", phone=str(NOW_MS + 7_000))
    assert stage.last(verbs.ConfirmTime).utc_ms == NOW_MS + 7_000
    assert guard.post("/time", phone="soon").status_code == 400
    assert guard.post("/time", date="2026-11-23", clock="soon").status_code == 400


def test_a_time_that_the_gate_only_guesses_is_neither_shown_nor_offered_for_a_yes(stage: Stage, guard: Guard) -> None:
    stage.state.clock, stage.state.clock_asks = "untrusted", True
    page = guard.page("/time")
    assert "门不知道现在几点" in page and "14:05" not in page and "2026-11-23" not in page
    assert guard.post("/time", right="1").status_code == 400
    assert not any(isinstance(question, verbs.ConfirmTime) for question in stage.asked)
    stage.state.clock = "holdover"
    assert "14:05" in guard.page("/time") and 'name="right"' not in guard.page("/time")


@pytest.mark.parametrize(("code", "says"), [("before_floor", "比门确知的时间还早"), ("known_already", "已经知道时间")])
def test_a_time_the_core_does_not_take_is_said_where_the_guard_enters_it(
    stage: Stage, guard: Guard, code: str, says: str
) -> None:
    stage.state.clock, stage.state.clock_asks = "untrusted", True
    stage.refusals["ConfirmTime"] = code
    answer = guard.post("/time", date="2016-11-23", clock="14:15")
    assert answer.status_code == 409 and says in answer.text and 'type="date"' in answer.text


def test_guards_read_titles_and_the_technician_the_names(stage: Stage, guard: Guard) -> None:
    stage.state.lanes[0].held_before_restart = True
    stage.state.lanes.append(lane_state("out", title_zh="东门出口", title_en="East gate, out"))
    stage.happen(**PEOPLE["deny"])
    guard.press("/open")
    for path, titles in {"/": 5, "/more": 1, "/look-up": 0, "/present": 1, "/explain": 1, "/details": 1}.items():
        page = guard.page(path)
        seen = re.sub(r"<[^>]*>", " ", page)
        assert seen.count("东门入口") >= titles, path
        assert bool(re.search(r"\b(in|out)\b", seen)) == (path == "/details"), path
    assert '<option value="out">东门出口</option>' in guard.page("/present")
    guard.http.get("/prefer/language/en")
    assert "East gate, out" in guard.page()


def in_hand(page: str) -> set[str]:
    """Every lane that the post calls the one its buttons act on."""
    seen = re.findall(r'in-hand"[^>]*>(?:<span[^>]*>▶</span> )?([^<]*)<', page)
    seen += re.findall(r'class="tool lane chosen"[^>]*>([^<]*)<', page)
    names = {"in": "东门入口", "out": "东门出口"}
    seen += [names[name] for name in re.findall(r'data-lane="(\w+)">\s*<p class="in-hand', page)]
    return {*seen, names[re.search(r'name="lane" value="(\w+)"', page).group(1)]}  # type: ignore[union-attr]


def test_one_lane_is_in_hand_wherever_the_page_names_one(stage: Stage, guard: Guard) -> None:
    stage.state.lanes.append(lane_state("out", title_zh="东门出口"))
    assert in_hand(guard.page()) == {"东门入口"}
    stage.happen(**PEOPLE["passback"], lane="out")
    assert in_hand(guard.page()) == {"东门出口"}, "nobody chose a lane: the one who waits is in hand"
    kept = guard.page("/?hand=in")
    assert in_hand(kept) == {"东门入口"} and "东门出口 · 还有 1 人在等" in kept
    assert "12栋" not in kept.split('id="lines"')[0]
    guard.page("/more")
    assert in_hand(guard.page()) == {"东门入口"}, "it stays in hand"
    found = guard.post("/look-up", term="3-1-502").text
    assert re.findall(r'name="lane" value="(\w+)"', found) == ["in"]
    assert in_hand(guard.page("/?hand=")) == {"东门出口"}
    found = guard.post("/look-up", term="3-1-502").text
    assert re.findall(r'name="lane" value="(\w+)"', found) == ["in", "out"]


def test_somebody_of_a_moment_ago_at_another_lane_is_not_shown_over_buttons_of_this_one(
    stage: Stage, guard: Guard
) -> None:
    stage.state.lanes.append(lane_state("out", title_zh="东门出口"))
    stage.happen(**PEOPLE["deny"], lane="out")
    assert in_hand(guard.page()) == {"东门出口"}
    stage.state.now_ms += 120_000
    page = guard.page()
    assert in_hand(page) == {"东门入口"} and "5栋" not in page.split('id="lines"')[0]


def test_a_lane_without_a_title_is_called_by_its_name(stage: Stage, guard: Guard) -> None:
    stage.state.lanes[0].title_zh = ""
    assert "<small>in</small>" in guard.page()


def test_a_reason_a_colleague_gave_clears_the_mark_on_every_page(stage: Stage, guard: Guard, app: Flask) -> None:
    guard.post("/open", lane="in")
    colleague = Guard(app, "李主管", "1357")
    assert "补一句原因" in guard.page("/explain") and "badge ask" in guard.page()
    colleague.post("/explain", happening="1", reason="papers")
    assert "badge ask" not in guard.page() and "都写好了" in guard.page("/explain")
    assert "核对过证件 · 李主管" in guard.page()


def test_while_the_core_is_away_the_page_says_so_and_comes_back_by_itself(stage: Stage, guard: Guard) -> None:
    stage.stop()
    away = guard.http.get("/")
    assert away.status_code == 503 and "要开门请按墙上的按钮" in away.text and 'http-equiv="refresh"' in away.text
    told = guard.http.get("/health").json
    assert (told["ok"], told["core"], told["faults"][0]["code"]) == (False, False, "core_away")
    stage.start()
    assert guard.http.get("/").status_code == 200


def test_an_action_that_did_not_reach_the_core_is_never_reported_as_done(stage: Stage, guard: Guard) -> None:
    stage.stop()
    fields = {"form_token": guard.token, "lane": "in"}
    answer = guard.http.post("/open", data=fields, headers={"X-Page-Script": "1"})
    assert answer.status_code == 503 and not answer.json["ok"] and "没有成功" in answer.json["sentence"]


def test_health_answers_a_monitor_enough_and_nothing_personal(stage: Stage, app: Flask) -> None:
    stage.happen(**PEOPLE["deny"])
    stage.state.faults = ["camera"]
    health = app.test_client().get("/health").json
    assert (health["ok"], health["clock"], health["faults"][0]["code"]) == (False, "trusted", "camera")
    assert "5栋" not in str(health)


def test_the_banner_names_the_simulated_parts(guard: Guard) -> None:
    assert "演示 · 模拟的有：道闸、摄像头<" in guard.page()


def test_where_only_some_lanes_are_simulated_the_banner_names_them(stage: Stage, guard: Guard) -> None:
    stage.state.lanes.append(lane_state("out", simulated=[], title_zh="东门出口"))
    assert "演示 · 模拟的有：道闸 东门入口、摄像头 东门入口<" in guard.page()


def test_a_gate_with_real_parts_has_no_banner(stage: Stage, guard: Guard) -> None:
    stage.state.simulated = []
    assert "演示" not in guard.page()


def test_the_worst_fault_is_named_first_and_the_others_counted(stage: Stage, guard: Guard) -> None:
    stage.state.faults = ["camera:no frames", "list_stale", "centre_away"]
    bar = re.search(r'<div class="bar.*?</div>', guard.page(), re.S).group()
    assert "摄像头坏了" in bar and "另有 2 项" in bar


def test_what_keeps_a_code_from_being_read_is_told_to_the_guard(stage: Stage, guard: Guard) -> None:
    assert 'id="hint"' in guard.page() and "靠近" not in guard.page()
    stage.state.lanes[0].hint = "closer"
    assert words.GUARD_HINTS["closer"][0] in guard.page()
    stage.state.lanes.append(lane_state("out", title_zh="东门出口", title_en="East gate, out", hint="glare"))
    page = guard.page()
    assert "东门入口 · 码拿得太远" in page and "东门出口 · 码上有反光" in page
    stage.state.lanes[0].hint = stage.state.lanes[1].hint = "from_the_future"
    assert "from_the_future" not in guard.page()


def test_english_is_one_tap_away_and_remembered(guard: Guard) -> None:
    assert guard.http.get("/prefer/language/en?to=/more").location == "/more"
    page = guard.page()
    assert 'lang="en"' in page and "Waiting for a pass" in page and "All is well" in page


@pytest.mark.parametrize(
    "target",
    [
        "//elsewhere.example",
        "https://elsewhere.example",
        "/\\elsewhere.example",
        "/\t/elsewhere.example",
        "/\n/elsewhere.example",
    ],
)
def test_choosing_a_language_never_leads_to_another_site(app: Flask, target: str) -> None:
    assert app.test_client().get("/prefer/language/en", query_string={"to": target}).location == "/"


def test_in_the_evening_the_page_is_dark_unless_the_guard_chose(stage: Stage, guard: Guard) -> None:
    assert 'data-theme="day"' in guard.page()
    stage.state.now_ms += 6 * 3_600_000
    assert 'data-theme="night"' in guard.page()
    guard.http.get("/prefer/theme/day")
    assert 'data-theme="day"' in guard.page()


class TestSimulatedGate:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "passes"
        folder.mkdir()
        (folder / "card.png").write_bytes(PNG)
        (folder / "phone.png").write_bytes(PNG)
        (folder / "index.json").write_text(
            '[{"file":"card.png","title_zh":"居民卡","title_en":"Resident card","phone":null},'
            '{"file":"phone.png","title_zh":"手机证","title_en":"Phone","phone":{"text":"G1ABC","secret":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}},'
            '{"file":"../secret.png","title_zh":"外面","title_en":"outside","phone":null}]'
        )
        return folder

    @pytest.fixture
    def guard(self, stage: Stage, folder: Path) -> Iterator[Guard]:
        core = CoreLine(stage.core_path, stage.reader_path)
        yield Guard(create_app(core, GuardSettings(simulated=True, demo_passes=folder)))
        core.close()

    def test_the_demo_passes_are_tiles_and_files_outside_the_folder_are_not(self, guard: Guard) -> None:
        page = guard.page("/present")
        assert "居民卡" in page and "动态码" in page and "外面" not in page
        assert guard.http.get("/present/tile/card.png").data == PNG

    def test_a_card_is_held_before_the_camera_as_it_is(self, stage: Stage, guard: Guard) -> None:
        stage.presented = [PresentationAnswer(outcome="grant", reason="ok", lane="in")]
        assert guard.post("/present/demo", lane="in", file="card.png").location == "/?lane=in"
        assert stage.last(verbs.Show).pictures == [PNG]

    def test_a_phone_pass_is_drawn_with_the_digits_of_the_gates_time(self, stage: Stage, guard: Guard) -> None:
        import pyotp

        from kiosk.demo_passes import draw

        guard.post("/present/demo", lane="in", file="phone.png")
        digits = pyotp.TOTP("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", digits=8).at(NOW_MS // 1000)
        assert stage.last(verbs.Show).pictures == [draw(f"G1ABC.{digits}")]

    def test_a_photo_is_held_before_the_simulated_camera(self, stage: Stage, guard: Guard) -> None:
        guard.post("/present/photo", lane="in", photo=(io.BytesIO(PNG), "x.png"))
        assert stage.last(verbs.Show).pictures == [PNG]
        assert not any(isinstance(question, verbs.Photo) for question in stage.asked)

    def test_a_gate_with_a_real_camera_has_no_demo_passes_whatever_is_configured(
        self, stage: Stage, guard: Guard
    ) -> None:
        stage.state.lanes[0].simulated = []
        assert "居民卡" not in guard.page("/present")
        assert guard.post("/present/demo", lane="in", file="card.png").status_code == 404
