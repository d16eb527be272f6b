"""What officers read and write on the pages: rules as a form, states, events in words, everybody extended, rights."""

from __future__ import annotations

import html
import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.credential import HOUR_MS, KIND_NUMBERS
from sync.protocol import CHAIN_START, EventUpload, Rules, StageFrom, Window
from sync.server import words
from sync.server.centre import audit
from sync.server.centre.errors import CentreError
from sync.server.gates import fleet
from sync.server.gates.troubles import find_troubles
from sync.server.office import rule_form
from sync.server.passes import bulk, compounds, passes
from sync.terms import (
    BOARD_FAULTS,
    CAMERA_FAULTS,
    EVENT_KINDS,
    GATE_REASONS,
    GUARD_REASONS,
    REASONS,
    Outcome,
    PassageOutcome,
    Switched,
)
from tests.fixtures.centre import NOW, World
from tests.fixtures.events import Journal, event, send
from tests.fixtures.office import Office

ZONE = "Asia/Shanghai"
DAY_MS = 24 * HOUR_MS


def in_force(world: World) -> Rules:
    return compounds.read_rules(compounds.read_compound(world.centre, 7))


# The rules as a form

kinds = st.lists(st.sampled_from(list(KIND_NUMBERS)), unique=True).map(
    lambda found: tuple(k for k in KIND_NUMBERS if k in found)
)
windows = st.builds(
    Window, st.integers(0, 700), st.integers(701, 1440),
    st.sets(st.integers(1, 7), min_size=1).map(lambda days: tuple(sorted(days))),
)  # fmt: skip
stages = st.sampled_from(rule_form.STAGES)
all_rules = st.builds(
    Rules, accepts=st.lists(st.integers(1, 1 << 23), unique=True).map(tuple),
    enforcement=st.lists(st.integers(0, 1 << 42), unique_by=lambda ms: ms // 60_000, max_size=4).flatmap(
        lambda begins: st.tuples(*(st.builds(StageFrom, stages, st.just(begin)) for begin in sorted(begins)))
    ),
    passback_s=st.integers(0, 1 << 20), passback=st.sampled_from(rule_form.PASSBACK),
    hours=st.dictionaries(st.sampled_from(list(KIND_NUMBERS)), st.lists(windows, max_size=3).map(tuple)),
    admits=st.none() | kinds, lane_kinds=st.dictionaries(st.sampled_from(["in", "out", "东1"]), kinds),
    quota_household_day=st.none() | st.integers(0, 5000), unlisted_admits=kinds,
    both_ways_counted=st.booleans(), grace_s=st.integers(0, 9999),
    quota_kind_day=st.dictionaries(st.sampled_from(list(KIND_NUMBERS)), st.integers(0, 2000)),
    entries_kind=st.dictionaries(st.sampled_from(list(KIND_NUMBERS)), st.integers(1, 1000)),
    stale_after_s=st.integers(0, 86400), expired_after_s=st.integers(86400, 1 << 30), refer_s=st.integers(0, 9999),
    provisional_days=st.integers(1, 3),
    extension_hours=st.dictionaries(st.sampled_from(list(KIND_NUMBERS)), st.integers(0, 2700 * 24)),
)  # fmt: skip


@given(all_rules)
def test_looking_at_rules_and_saving_them_changes_nothing(rules: Rules) -> None:
    form = rule_form.write(rules, ZONE)
    assert rule_form.read(form, rules, ZONE) == rules, form.errors


@given(all_rules)
def test_every_rule_can_be_told_in_words_and_in_the_record_of_changes(rules: Rules) -> None:
    import msgspec

    for name, value in msgspec.to_builtins(rules).items():
        about = f"{name}: {msgspec.json.encode(value).decode()} → {msgspec.json.encode(value).decode()}"
        for language in ("zh", "en"):
            told = rule_form.describe(name, value, language, ZONE)
            label, before, after = rule_form.change_in_words(about, language, ZONE)
            assert told and (label, before, after) == (words.say(language, f"rule.{name}"), told, told)


@given(st.dictionaries(st.from_regex(r"(stage|hours|lane)-\d-(stage|from|to|kind|day|name|gone|never)|passback_s|extension-visitor|"
                                     r"accepts|admits|admits_all|passback|refer_s", fullmatch=True),
                       st.lists(st.text(max_size=8), max_size=3)))  # fmt: skip
def test_no_form_breaks_the_centre(fields: dict[str, list[str]]) -> None:
    form = rule_form.RuleForm(fields)
    rules = rule_form.read(form, Rules(), ZONE)
    assert (rules is None) == bool(form.errors)


WRONG = [
    ({"passback_s": "soon"}, "passback_s"), ({"passback_s": "-1"}, "passback_s"), ({"refer_s": "2"}, "refer_s"),
    ({"refer_s": "30.5"}, "refer_s"), ({"provisional_days": "0"}, "provisional_days"),
    ({"provisional_days": "4"}, "provisional_days"),
    ({"quota_person_day": "0"}, "quota_person_day"), ({"passback": "x"}, "passback"),
    ({"stale_after_s": "100", "expired_after_s": "1"}, "expired_after_s"), ({"accepts": "8, east"}, "accepts"),
    ({"admits_all": None}, "admits"), ({"stage-0-from": "2027-01-01"}, "stage-0-stage"),
    ({"stage-0-stage": "strict"}, "stage-0-from"), ({"hours-0-from": "08:00"}, "hours-0-kind"),
    ({"hours-0-kind": "visitor", "hours-0-from": "08:00", "hours-0-to": "09:00"}, "hours-0-day"),
    ({"hours-0-kind": "visitor", "hours-0-day": "1", "hours-0-from": "8", "hours-0-to": "09:00"}, "hours-0-from"),
    ({"hours-0-kind": "visitor", "hours-0-day": "1", "hours-0-from": "09:00", "hours-0-to": "09:00"}, "hours-0-to"),
    ({"lane-0-name": "in"}, "lane-0-kind"), ({"extension-visitor": "-1"}, "extension-visitor"),
    ({"quota-visitor": "0"}, "quota-visitor"),
    ({"entries-visitor": "1001"}, "entries-visitor"), ({"quota-vehicle": "1.5"}, "quota-vehicle"),
    ({"extension-shop": ""}, "extension-shop"), ({"extension-shop": None}, "extension-shop"),
    ({"extension-resident": "2701"}, "extension-resident"),
]  # fmt: skip


def filled(rules: Rules, changed: dict[str, str | None]) -> dict[str, Any]:
    """The fields a browser sends for these rules, with some of them changed."""
    written = rule_form.write(rules, ZONE)._fields
    fields = {name: list(values) for name, values in written.items()}
    fields |= {name: [value] for name, value in changed.items() if value is not None}
    return {name: values for name, values in fields.items() if not (name in changed and changed[name] is None)}


@pytest.mark.parametrize(("changed", "field"), WRONG)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    world: World, office: Office, changed: dict[str, str | None], field: str
) -> None:
    before = in_force(world)
    for language in ("zh", "en"):
        mark = compounds.rules_mark(compounds.read_compound(world.centre, 7))
        answer = office.post(f"/c/7/rules?lang={language}", **filled(before, changed | {"seen": mark}))
        assert answer.status_code == 409
        said = re.search(f'id="wrong-{field}">([^<]+)<', answer.text)
        assert said and bool(re.search("[\u4e00-\u9fff]", said[1])) == (language == "zh")
        shown = html.unescape(answer.text)
        written = [value for name, value in changed.items() if value and name not in ("passback", "stage-0-stage")]
        assert all(f'value="{value}"' in shown for value in written)
    assert in_force(world) == before


def test_saved_rules_are_in_force_and_recorded_with_old_and_new_value(world: World, office: Office) -> None:
    mark = compounds.rules_mark(compounds.read_compound(world.centre, 7))
    answer = office.post("/c/7/rules", **filled(Rules(), {
        "seen": mark, "passback_s": "5", "stage-0-stage": "introduce", "stage-0-from": "2027-01-01", "accepts": "8、9",
        "hours-0-kind": "visitor", "hours-0-day": "6", "hours-0-from": "22:00", "hours-0-to": "06:00",
    }))  # fmt: skip
    assert answer.location.endswith("saved=4")
    rules = in_force(world)
    assert (rules.passback_s, rules.accepts, rules.hours) == (300, (8, 9), {"visitor": (Window(1320, 360, (6,)),)})
    assert rules.enforcement == (StageFrom("introduce", passes.read_time("2027-01-01", ZONE, False)),)
    log = {entry.about for entry in audit.newest(world.centre, 7, "set-rule")}
    assert "passback_s: 180 → 300" in log and "accepts: [] → [8,9]" in log and len(log) == 4
    page = office.get("/c/7/rules").text
    assert "3 分钟内" in page and "5 分钟内" in page and "访客 六 22:00–06:00" in page


def test_saving_what_is_in_force_signs_and_records_nothing(world: World, office: Office) -> None:
    before = compounds.read_compound(world.centre, 7)
    fields = filled(in_force(world), {"seen": compounds.rules_mark(before)})
    assert office.post("/c/7/rules", **fields).location.endswith("saved=0")
    assert compounds.read_compound(world.centre, 7).revision == before.revision
    assert audit.newest(world.centre, 7, "set-rule") == []


def test_who_saves_second_is_told_and_loses_nothing(world: World, office: Office) -> None:
    mark = compounds.rules_mark(compounds.read_compound(world.centre, 7))
    compounds.set_rule(world.centre, 7, "refer_s", "45", "li")
    answer = office.post("/c/7/rules", **filled(Rules(), {"seen": mark, "passback_s": "7"}))
    assert answer.status_code == 409 and words.say("zh", "rules_changed") in answer.text and 'value="7"' in answer.text
    assert (in_force(world).refer_s, in_force(world).passback_s) == (45, 180)


def test_rows_are_added_and_removed_without_a_script(world: World, office: Office) -> None:
    more = office.post("/c/7/rules", more="hours", **{"hours-0-kind": "shop"}).text
    assert 'name="hours-3-kind"' in more and in_force(world) == Rules()
    rules = Rules(lane_kinds={"in": ("shop",)}, enforcement=(StageFrom("guard", 0),))
    compounds.set_rules(world.centre, 7, rules, "li")
    mark = compounds.rules_mark(compounds.read_compound(world.centre, 7))
    gone = filled(rules, {"seen": mark, "lane-0-gone": "1", "stage-0-gone": "1"})
    assert office.post("/c/7/rules", **gone).status_code == 302
    assert in_force(world) == Rules()


# States and time


@pytest.mark.parametrize(
    ("state", "after_begin_ms", "shown"),
    [
        ("active", -1, "not_yet_valid"), ("active", 0, "active"), ("active", DAY_MS - 1, "active"),
        ("active", DAY_MS, "expired"), ("printed", -1, "printed"), ("printed", DAY_MS, "expired"),
        ("suspended", DAY_MS, "suspended"), ("revoked", DAY_MS, "revoked"),
    ],
)  # fmt: skip
def test_the_worst_of_state_and_time_is_shown(world: World, state: str, after_begin_ms: int, shown: str) -> None:
    found = world.issue(valid_from_ms=NOW, valid_until_ms=NOW + DAY_MS, active=state != "printed")
    if state in ("suspended", "revoked"):
        found = (passes.suspend if state == "suspended" else passes.revoke)(world.centre, found.number, "test")
    assert passes.shown_state(found, NOW + after_begin_ms) == shown


def test_an_expired_pass_is_nowhere_called_good(world: World, office: Office) -> None:
    number = world.issue(valid_until_ms=NOW + 1).number
    world.now_ms += 1
    for path in ("/c/7/passes", f"/c/7/passes/{number}"):
        page = office.get(path).text
        assert words.say("zh", "state.expired") in page and f">{words.say('zh', 'state.active')}<" not in page


# Everybody extended


def test_everybody_is_extended_only_after_the_number_was_seen(world: World, office: Office) -> None:
    def ends(number: str) -> int:
        return passes.get_pass(world.centre, number).valid_until_ms

    first, shop, visitor = world.issue().number, world.issue(kind="shop").number, world.issue(kind="visitor").number
    ended = world.issue(valid_from_ms=NOW - DAY_MS, valid_until_ms=NOW - 1).number
    until = "2027-06-30"
    wanted = passes.read_time(until, ZONE, True)
    page = office.get(f"/c/7/extend?until={until}&kind=resident&kind=visitor&kind=shop").text
    assert 'name="counted" value="2"' in page
    both = {"until": until, "kind": ["resident", "shop", "visitor"]}
    for missing in ({"counted": "2"}, {"counted": "3", "sure": "1"}, {"sure": "1"}):
        assert office.post("/c/7/extend", page="/c/7/extend", **both, **missing).status_code == 409
    assert ends(first) < wanted
    done = office.post("/c/7/extend", page="/c/7/extend", **both, counted="2", sure="1")
    assert done.location.endswith("done=2") and ends(first) == ends(shop) == wanted
    assert ends(visitor) == NOW + 30 * DAY_MS and f"1 {words.say('zh', 'extend_left')}" in page
    assert ends(ended) == NOW - 1
    assert office.post("/c/7/extend", **both, counted="1", sure="1", ended="1").status_code == 302
    assert ends(ended) == wanted


@pytest.mark.parametrize("asked", ["until=2206-01-01&kind=resident", "until=2020-01-01&kind=resident",
                                   "until=x&kind=resident", "until=2027-06-30", "kind=resident"])  # fmt: skip
def test_a_slip_of_the_pen_extends_nobody(world: World, office: Office, asked: str) -> None:
    world.issue()
    page = office.get(f"/c/7/extend?{asked}").text
    assert 'role="alert"' in page and "counted" not in page


def test_nothing_is_changed_where_the_number_is_another(world: World) -> None:
    before = world.issue()
    with pytest.raises(bulk.PassCountChanged):
        bulk.extend_all(world.centre, 7, bulk.Extension(until_ms=NOW + 300 * DAY_MS), "test", counted=5)
    assert passes.get_pass(world.centre, before.number) == before


# Events in words


def test_there_are_words_for_every_reason_kind_and_outcome() -> None:
    for reason in (*REASONS, *GUARD_REASONS, *GATE_REASONS, *BOARD_FAULTS, *CAMERA_FAULTS):
        assert f"reason.{reason}" in words.WORDS, reason
    assert {code for code in words.WORDS if code.startswith("event.")} == {f"event.{kind}" for kind in EVENT_KINDS}
    for outcome in (*get_args(Outcome), *get_args(PassageOutcome), *get_args(Switched)):
        assert f"outcome.{outcome}" in words.WORDS


def test_events_are_told_in_words_with_their_pass_and_chosen_by_kind_and_day(world: World, office: Office) -> None:
    number = world.issue().number
    gate = world.gate().enrol()
    told = [event(1, at_ms=NOW, kind="decided", outcome="refer", reason="passback", scope=7, serial=1),
            event(2, at_ms=NOW + DAY_MS, kind="ruled", outcome="deny", reason="not_holder", about="e1", by="李强"),
            event(3, at_ms=NOW + DAY_MS, kind="decided", outcome="grant", reason="ok", scope=8, serial=1,
                  recovered="j0/12"),
            event(4, at_ms=NOW + DAY_MS, kind="of_a_newer_gate", reason="unheard_of")]  # fmt: skip
    send(gate, Journal(told).batch(1, 4))
    page = office.get("/c/7/gates/g1/events").text
    assert page.count(f"/c/7/passes/{number}") == 2, "the ruling is about the same pass; scope 8 is not ours"
    for said in ("刚用过", "交保安", "不是本人", "经手：李强", "of_a_newer_gate", "unheard_of", "2027-01-15 16:00:00",
                 "从损坏的记录文件中恢复：j0/12"):  # fmt: skip
        assert said in page
    counted = {"": 4, "kind=decided": 2, "kind=decided&outcome=grant": 1, "day=2027-01-15": 1, "day=2027-01-16": 3,
               "day=never": 4, "kind=x": 0}  # fmt: skip
    for asked, rows in counted.items():
        assert office.get(f"/c/7/events?{asked}").text.count('<td class="lead">') == rows, asked
    english = office.get("/c/7/events?lang=en&kind=decided").text
    assert "used a moment ago" in english and "lang=zh" in english and "kind=decided" in english


def test_quarantine_breaks_and_holes_are_warned_of_with_counts(world: World, office: Office) -> None:
    gate, other = world.gate().enrol(), world.gate(8).enrol()
    assert "记录有问题" not in office.get("/c/7/gates/g1/events").text
    send(gate, Journal([event(1), "nonsense"]).batch(1, 2))
    lost = event(10, kind="events_lost", count=4)
    send(gate, EventUpload(v=1, journal_id="j1", first_seq=10, before=CHAIN_START, events=[lost], hole=True))
    send(gate, EventUpload(v=1, journal_id="j1", first_seq=10, before=bytes([1] * 16), events=[lost, event(11)]))
    send(other, Journal(["nonsense"]).batch(1, 1))
    found = {trouble.what: trouble.count for trouble in find_troubles(world.centre, 7, "g1")}
    assert found == {"quarantine": 1, "break": 1, "hole": 7, "lost": 4}
    assert len(find_troubles(world.centre, 7, None)) == 4 and find_troubles(world.centre, 7, "g2") == []
    page = office.get("/c/7/gates/g1/events").text
    assert "记录有问题" in page and "缺失、再也补不上的记录：<strong>7</strong>" in page


# Gates


def test_how_far_a_gates_list_is_behind_is_said_in_words(world: World, office: Office) -> None:
    gate = world.gate().enrol()
    presence = world.app.extensions["presence"]

    def page() -> str:
        presence.write()
        return str(office.get("/c/7/gates").text)

    assert "要重取整份名单" in page()
    gate.follow()
    assert "名单是最新的" in page() and "刚刚" in page()
    for _ in range(3):
        world.issue()
    assert "差3条" in page()
    world.now_ms += 11 * 60_000
    assert "11分钟前" in page() and words.say("zh", "gate_away") in page()
    compounds.begin_epoch(world.centre, 7, "test")
    assert "要重取整份名单" in page()
    assert fleet.find_gate(world.centre, 7, "g1").seen_ms == NOW


def test_the_gates_page_says_what_is_wrong_with_a_device_until_it_has_ended(world: World, office: Office) -> None:
    gate = world.gate().enrol()

    def told(seq: int, outcome: str, why: str, days_ago: float = 0.0) -> str:
        return event(seq, kind="board_fault", outcome=outcome, why=why, at_ms=NOW + seq - int(days_ago * DAY_MS))

    journal = Journal([told(1, "on", "card_worn", 2.01), told(2, "on", "disk_full", 1.99), told(3, "on", "too_hot"),
                       told(4, "on", "supply_weak"), told(5, "off", "too_hot")])  # fmt: skip
    send(gate, journal.batch(1, 5))
    page = office.get("/c/7/gates").text
    assert "设备有故障，请告诉技术员：存储快满了、电源太弱。" in page
    english = office.get("/c/7/gates?lang=en").text
    assert "tell the technician: the memory card is nearly full, the power supply is too weak." in english
    events_page = office.get("/c/7/gates/g1/events?kind=board_fault&lang=zh").text
    assert "设备供电、温度或存储有故障" in events_page and "设备太热" in events_page
    fleet.withdraw(world.centre, 7, "g1", "test")
    assert "设备有故障" not in office.get("/c/7/gates").text, "it is out of service"


def test_the_gates_page_counts_who_passed_without_being_let_in(world: World, office: Office) -> None:
    gate = world.gate().enrol()
    assert "没放行就通过" not in office.get("/c/7/gates").text

    def passed(seq: int, reason: str, count: int, days_ago: float = 0.0) -> str:
        at_ms = NOW + seq - int(days_ago * DAY_MS)
        return event(seq, kind="unasked", reason=reason, count=count, lane="in", at_ms=at_ms)

    told = [passed(1, "alone", 9, 7.01), passed(2, "alone", 1, 6.99), passed(3, "followed", 3),
            passed(4, "left_open", 1)]  # fmt: skip
    send(gate, Journal(told).batch(1, 4))
    assert "7天内没放行就通过：4次" in office.get("/c/7/gates").text
    listed = office.get("/c/7/gates/g1/events?kind=unasked&lang=en").text
    assert "right behind somebody else" in listed and "the arm was left open" in listed


def test_a_fault_that_only_a_newer_gate_knows_is_shown_by_its_code(world: World, office: Office) -> None:
    told = event(1, kind="board_fault", outcome="on", why="of_a_later_version", at_ms=NOW)
    send(world.gate().enrol(), Journal([told]).batch(1, 1))
    assert "of_a_later_version" in office.get("/c/7/gates").text


def test_a_new_gates_code_comes_with_the_line_to_type(world: World, office: Office) -> None:
    page = office.post("/c/7/gates", name="东门").text
    code = re.search(r"<code>([^<]+)</code>", page)
    assert code and f"sudo ./setup.sh gate --enrol {code[1]} --centre http://localhost" in page
    again = office.post("/c/7/gates/g1/code").text
    other = re.search(r'<a href="([^"]+lang=en[^"]*)"', again)
    assert other and office.get(other[1]).status_code == 200, "that page answers forms only, and has no address"


def test_what_was_written_in_a_form_is_still_there_when_it_was_wrong(world: World, office: Office) -> None:
    answer = office.post("/c/7/passes", kind="shop", label="王", dwelling="3-2-501", until="never")
    assert answer.status_code == 409 and 'value="3-2-501"' in answer.text and 'value="shop" selected' in answer.text
    world.gate()
    assert 'value="东门"' in office.post("/c/7/gates", name="东门").text


def test_a_link_of_another_compound_is_never_drawn(world: World, office: Office) -> None:
    """An event that names another compound's credential has no pass to go to."""
    world.issue(8)
    gate = world.gate().enrol()
    send(gate, Journal([event(1, scope=8, serial=1)]).batch(1, 1))
    assert "8-000001" not in office.get("/c/7/events").text
    with pytest.raises(CentreError):
        fleet.find_gate(world.centre, 7, "g2")
