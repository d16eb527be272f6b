"""Every rule of the gate: each reason with its outcome, each limit from both sides, and who wins among several."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.core.policy import Known, Lane, Now, Use, Verdict, decide, entrances, judge_digits, stage_in_force
from kiosk.verbs import Limits
from sync.credential import EPOCH_MS, KINDS, STEP_MS, Credential, Misread, code_secret, digits_at
from sync.protocol import Rules, StageFrom, Terms, Window, write_terms
from sync.terms import REASONS
from tests.fixtures.gate_parts import CODE_KEY, COMPOUND, DAY_MS, HOUR_MS, NOON_MS, ZONE, credential, row_of

WEIGHT = {"deny": 0, "refer": 1, "grant": 2}
LATER = credential(not_before_step=(NOON_MS + HOUR_MS - EPOCH_MS) // STEP_MS)


def judge(**changes: Any) -> Verdict:
    """The verdict on an ordinary listed card at noon, but for these changes: ``row_…``, ``shown_…``, ``known_…``,
    ``use_…``, ``rules_…``, ``lane_…``, ``now_…``; ``listed=False`` takes it from the list."""
    parts: dict[str, dict[str, Any]] = {part: {} for part in ("shown", "row", "known", "use", "rules", "lane", "now")}
    listed = changes.pop("listed", True)
    for name, value in changes.items():
        part, _, field = name.partition("_")
        parts[part][field] = value
    shown = credential(**parts["shown"])
    known: dict[str, Any] = {"own_scope": COMPOUND, "last_serial": 1000, "age": "fresh", **parts["known"]}
    return decide(
        shown,
        Known(row=row_of(shown, **parts["row"]) if listed else None, **known),
        Use(**parts["use"]),
        Rules(**parts["rules"]),
        Lane(**{"name": "entry", **parts["lane"]}),
        Now(**{"utc_ms": NOON_MS, "state": "trusted", "zone": ZONE, **parts["now"]}),
    )


SITUATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "foreign_scope": ({"shown_scope": 99}, "deny"),
    "no_list": ({"listed": False, "known_age": "none", "known_last_serial": None}, "refer"),
    "not_on_list": ({"listed": False}, "deny"),
    "unlisted": ({"listed": False, "known_last_serial": 0}, "grant"),
    "not_collected": ({"row_state": "printed"}, "deny"),
    "superseded": ({"row_state": "superseded"}, "deny"),
    "revoked": ({"row_state": "revoked"}, "deny"),
    "suspended": ({"row_state": "suspended"}, "refer"),
    "not_yet_valid": ({"shown_not_before_step": LATER.not_before_step}, "deny"),
    "expired": ({"row_valid_until_ms": NOON_MS, "shown_validity_hours": 0}, "deny"),
    "digits_missing": ({"use_digits": "missing"}, "deny"),
    "digits_stale": ({"use_digits": "stale"}, "refer"),
    "lockdown": ({"lane_lockdown": True}, "deny"),
    "response_level": ({"rules_admits": ("official",)}, "deny"),
    "wrong_lane": ({"row_lanes": "garage,back"}, "deny"),
    "wrong_kind": ({"rules_lane_kinds": {"entry": ("vehicle",)}}, "deny"),
    "outside_hours": ({"rules_hours": {"resident": (), "visitor": ()}}, "deny"),
    "day_over": ({"row_terms": '{"one_day":true}', "use_first_entry_ms": NOON_MS - DAY_MS}, "deny"),
    "used_up": ({"rules_entries_kind": {"resident": 2, "visitor": 2}, "use_entries": 2}, "deny"),
    "quota_household": ({"rules_quota_household_day": 2, "use_household_today": 2}, "refer"),
    "quota_person": ({"rules_quota_person_day": 2, "use_person_today": 2}, "refer"),
    "passback": ({"use_since_last_s": 10.0}, "refer"),
    "list_expired": ({"known_age": "expired", "shown_kind": "visitor"}, "refer"),
    "terms_unread": ({"row_terms": '{"moon":"full"}'}, "refer"),
    "attention": ({"row_attention": True}, "refer"),
    "ok": ({}, "grant"),
}
"""One way for each reason a credential can have to be true, with the outcome it asks for."""

MISREAD = ("unreadable", "not_a_pass", "foreign_scope", "unknown_key", "bad_signature")


def test_every_reason_of_the_closed_list_is_tried_here() -> None:
    assert set(SITUATIONS) | set(MISREAD) == set(REASONS)


@pytest.mark.parametrize("reason", SITUATIONS)
def test_each_reason_has_its_outcome(reason: str) -> None:
    changes, outcome = SITUATIONS[reason]
    verdict = judge(**changes)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


@pytest.mark.parametrize("reason", MISREAD)
def test_an_invalid_credential_is_refused_with_its_reason(reason: Any) -> None:
    here = Known(own_scope=COMPOUND), Use(), Rules(), Lane(name="entry"), _noon()
    assert decide(Misread(reason), *here) == Verdict(outcome="deny", reason=reason)


def _noon(**fields: Any) -> Now:
    return Now(**{"utc_ms": NOON_MS, "state": "trusted", "zone": ZONE, **fields})


def test_a_verdict_says_the_times_that_it_goes_by() -> None:
    window = Window(0, 1, (1,))
    ended = judge(row_valid_until_ms=NOON_MS - 5, rules_hours={"resident": (window,)})
    assert (ended.reason, ended.also) == ("expired", ("outside_hours",))
    assert ended.limits == Limits(until_ms=NOON_MS - 5, hours=(window,))
    early = judge(shown_not_before_step=LATER.not_before_step)
    assert early.limits == Limits(from_ms=LATER.not_before_ms)
    assert judge().limits == judge(row_state="revoked").limits == Limits()


# --- who wins ---------------------------------------------------------------------------------------------------------


def _compatible(one: str, other: str) -> dict[str, Any] | None:
    """Both situations at once; None where one fact would have to be two things."""
    first, second = SITUATIONS[one][0], SITUATIONS[other][0]
    if any(first[name] != second[name] for name in first.keys() & second.keys()):
        return None
    return {**first, **second}


def _asked(reason: str, changes: dict[str, Any]) -> str:
    """What a reason asks for in this situation: who is not the compound's own is not let in unlisted."""
    stranger = changes.get("shown_scope", COMPOUND) != COMPOUND or changes.get("shown_kind") == "visitor"
    return "refer" if reason == "unlisted" and stranger else SITUATIONS[reason][1]


PAIRS = [
    (one, other, changes)
    for one, other in itertools.combinations([reason for reason in REASONS if reason in SITUATIONS], 2)
    if (changes := _compatible(one, other)) is not None
    and {one, other} - {"ok"} <= {(v := judge(**changes)).reason, *v.also}
]


def test_nearly_all_pairs_of_reasons_can_be_true_together() -> None:
    assert len(PAIRS) > 180


@pytest.mark.parametrize(("one", "other", "changes"), PAIRS, ids=[f"{one} and {other}" for one, other, _ in PAIRS])
def test_deny_beats_refer_beats_grant_and_the_first_in_order_wins(
    one: str, other: str, changes: dict[str, Any]
) -> None:
    verdict = judge(**changes)
    present = sorted({verdict.reason, *verdict.also, "ok"}, key=REASONS.index)
    first = min(present, key=lambda reason: WEIGHT[_asked(reason, changes)])
    assert (verdict.reason, verdict.outcome) == (first, _asked(first, changes))
    assert verdict.also == tuple(reason for reason in present if reason not in (first, "ok"))


def test_nothing_that_was_true_is_forgotten() -> None:
    verdict = judge(row_state="suspended", row_attention=True, use_since_last_s=1.0, lane_lockdown=True)
    assert (verdict.reason, verdict.also) == ("lockdown", ("suspended", "passback", "attention"))


@pytest.mark.parametrize(
    ("marked", "code", "look"),
    [
        (True, "plate", "plate"),
        (True, "", "attention"),
        (True, "from_the_future", "from_the_future"),
        (False, "plate", ""),
        (False, "", ""),
    ],
)
def test_a_mark_asks_the_guard_and_says_what_to_look_for_where_the_row_does(marked: bool, code: str, look: str) -> None:
    verdict = judge(row_attention=marked, row_look=code)
    assert (verdict.outcome, verdict.reason) == (("refer", "attention") if marked else ("grant", "ok"))
    assert verdict.look == look


@pytest.mark.parametrize("changes", [{"row_state": "revoked"}, {"use_since_last_s": 1.0}])
def test_what_to_look_for_is_told_beside_another_reason_too(changes: dict[str, Any]) -> None:
    verdict = judge(row_attention=True, row_look="person", **changes)
    assert verdict.reason != "attention" and "attention" in verdict.also and verdict.look == "person"


def test_a_row_of_another_pass_says_nothing_to_look_for() -> None:
    assert judge(row_attention=True, row_look="person", row_random=1).look == ""


def test_a_forged_pass_in_a_locked_lane_is_forged_first() -> None:
    here = Known(own_scope=COMPOUND), Use(), Rules(), Lane(name="entry", lockdown=True), _noon()
    assert decide(Misread("bad_signature"), *here).also == ("lockdown",)


def test_revoked_pass_is_refused_even_if_the_signature_is_good() -> None:
    assert judge(row_state="revoked").outcome == "deny"


# --- the list ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["kind", "medium", "not_before_step", "validity_hours", "random"])
def test_a_row_that_differs_from_the_credential_in_one_field_is_not_its_row(field: str) -> None:
    other = {"kind": "visitor", "medium": "phone"}.get(field, 5)
    verdict = judge(**{f"row_{field}": other})
    assert (verdict.reason, verdict.listed) == ("not_on_list", False)


@pytest.mark.parametrize(
    ("serial", "last", "reason"),
    [(10, 9, "unlisted"), (10, 10, "not_on_list"), (10, 11, "not_on_list"), (10, None, "unlisted")],
)
def test_a_serial_younger_than_the_list_is_unlisted_and_any_other_is_not_on_it(
    serial: int, last: int | None, reason: str
) -> None:
    assert judge(listed=False, shown_serial=serial, known_last_serial=last).reason == reason


@pytest.mark.parametrize("kind", KINDS.values())
def test_unlisted_residents_and_staff_come_in_and_everybody_else_waits_for_the_guard(kind: str) -> None:
    verdict = judge(listed=False, known_last_serial=0, shown_kind=kind)
    own = kind in ("resident", "household_staff", "property_staff", "vehicle")
    assert (verdict.outcome, verdict.reason) == ("grant" if own else "refer", "unlisted")


def test_unlisted_of_an_accepted_scope_waits_for_the_guard() -> None:
    verdict = judge(listed=False, known_last_serial=0, shown_scope=99, rules_accepts=(99,))
    assert (verdict.outcome, verdict.reason) == ("refer", "unlisted")


def test_a_listed_pass_of_an_accepted_scope_comes_in() -> None:
    assert judge(shown_scope=99, rules_accepts=(99,)).reason == "ok"


def test_extending_a_pass_at_the_centre_needs_no_new_card() -> None:
    verdict = judge(shown_validity_hours=1, row_valid_until_ms=NOON_MS + DAY_MS)
    assert (verdict.outcome, verdict.reason) == ("grant", "ok")


def test_shortening_a_pass_at_the_centre_ends_it_although_the_card_says_otherwise() -> None:
    assert judge(row_valid_until_ms=NOON_MS - DAY_MS).reason == "expired"


@pytest.mark.parametrize(
    ("kind", "outcome"), [("resident", "grant"), ("property_staff", "grant"), ("visitor", "refer")]
)
def test_an_expired_list_still_admits_listed_residents_and_staff(kind: str, outcome: str) -> None:
    assert judge(known_age="expired", shown_kind=kind).outcome == outcome


def test_an_expired_list_needs_the_guard_for_anyone_who_is_not_on_it() -> None:
    verdict = judge(known_age="expired", listed=False, known_last_serial=0)
    assert (verdict.outcome, verdict.reason) == ("refer", "list_expired")


def test_a_stale_list_decides_as_ever() -> None:
    assert judge(known_age="stale") == judge()


# --- limits, one second each side -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "reason"), [(-1, "ok"), (0, "expired"), (1, "expired")])
def test_a_listed_pass_expires_with_its_row(seconds: int, reason: str) -> None:
    assert judge(row_valid_until_ms=NOON_MS, now_utc_ms=NOON_MS + seconds * 1000).reason == reason


@pytest.mark.parametrize(("seconds", "reason"), [(-1, "unlisted"), (0, "expired"), (1, "expired")])
def test_an_unlisted_pass_expires_as_printed(seconds: int, reason: str) -> None:
    until = credential().valid_until_ms
    verdict = judge(listed=False, known_last_serial=0, now_utc_ms=until + seconds * 1000)
    assert verdict.reason == reason


@pytest.mark.parametrize(("seconds", "reason"), [(-1, "not_yet_valid"), (0, "ok"), (1, "ok")])
def test_a_pass_begins_with_its_not_before(seconds: int, reason: str) -> None:
    assert judge(now_utc_ms=credential().not_before_ms + seconds * 1000).reason == reason


@pytest.mark.parametrize(("since", "reason"), [(0.0, "passback"), (179.0, "passback"), (180.0, "ok"), (181.0, "ok")])
def test_passback_ends_after_three_minutes(since: float, reason: str) -> None:
    assert judge(use_since_last_s=since).reason == reason


@pytest.mark.parametrize(
    ("counted", "reasons"), [(False, ["ok"] * 3), (True, ["passback", "quota_person", "quota_household"])]
)
def test_a_lane_for_both_directions_is_judged_only_where_a_rule_says_so(counted: bool, reasons: list[str]) -> None:
    used: tuple[dict[str, Any], ...] = (
        {"use_since_last_s": 1.0},
        {"use_person_today": 2, "rules_quota_person_day": 2},
        {"use_household_today": 2, "rules_quota_household_day": 2},
    )
    found = [judge(lane_direction="both", rules_both_ways_counted=counted, **use).reason for use in used]
    assert found == reasons
    assert entrances(Rules(both_ways_counted=counted)) == (("in", "both") if counted else ("in",))


@pytest.mark.parametrize("outcome", ["grant", "refer", "deny"])
def test_passback_is_what_the_compound_made_it(outcome: str) -> None:
    verdict = judge(use_since_last_s=1.0, rules_passback=outcome)
    assert (verdict.outcome, verdict.reason) == (outcome, "passback")


@pytest.mark.parametrize("whose", ["person", "household"])
@pytest.mark.parametrize(("used", "over"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_quota_of_two_is_two_entries(whose: str, used: int, over: bool) -> None:
    verdict = judge(**{f"rules_quota_{whose}_day": 2, f"use_{whose}_today": used})
    assert verdict.reason == (f"quota_{whose}" if over else "ok")


@pytest.mark.parametrize("changes", [{"shown_kind": "visitor"}, {"lane_direction": "out"}, {"now_state": "untrusted"}])
def test_quotas_are_of_residents_who_come_in_on_a_known_day(changes: dict[str, Any]) -> None:
    assert judge(rules_quota_person_day=1, use_person_today=9, **changes).reason == "ok"


MONDAY = datetime(2026, 11, 23, tzinfo=ZONE)
DAY_SHIFT = Window(6 * 60, 22 * 60)
NIGHT = Window(22 * 60, 6 * 60, (1, 2, 3, 4, 5))
WORKDAYS = Window(8 * 60, 18 * 60, (1, 2, 3, 4, 5))
ALL_DAY = Window(0, 1440)


@pytest.mark.parametrize(
    ("window", "day", "clock", "inside"),
    [
        (DAY_SHIFT, 0, "05:59:59", False),
        (DAY_SHIFT, 0, "06:00:00", True),
        (DAY_SHIFT, 0, "22:00:00", True),
        (DAY_SHIFT, 0, "22:05:59", True),  # the minute that was typed is the last one, and five more are its grace
        (DAY_SHIFT, 0, "22:06:00", False),
        (WORKDAYS, 4, "18:05:59", True),
        (WORKDAYS, 4, "18:06:00", False),
        (WORKDAYS, 5, "12:00:00", False),
        (NIGHT, 0, "05:59:59", False),  # Monday before dawn belongs to Sunday night
        (NIGHT, 0, "21:59:59", False),
        (NIGHT, 0, "22:00:00", True),
        (NIGHT, 1, "00:00:00", True),
        (NIGHT, 1, "06:05:59", True),
        (NIGHT, 1, "06:06:00", False),
        (NIGHT, 5, "06:05:59", True),  # Saturday before dawn belongs to Friday night
        (NIGHT, 5, "22:00:00", False),
        (NIGHT, 6, "00:00:00", False),
        (ALL_DAY, 6, "00:00:00", True),
        (ALL_DAY, 6, "23:59:59", True),
    ],
)
def test_hours_are_of_the_compounds_own_day(window: Window, day: int, clock: str, inside: bool) -> None:
    at = datetime.combine((MONDAY + timedelta(days=day)).date(), datetime.strptime(clock, "%H:%M:%S").time(), ZONE)  # noqa: DTZ007
    verdict = judge(
        rules_hours={"resident": (window,)},
        now_utc_ms=int(at.timestamp() * 1000),
        shown_not_before_step=0, shown_validity_hours=0xFFFF, row_valid_until_ms=1 << 45,
    )  # fmt: skip
    assert verdict.reason == ("ok" if inside else "outside_hours")


EXTENDED = credential().valid_until_ms
"""When the ordinary card ends by what is signed in it."""


@pytest.mark.parametrize(
    ("kind", "hours", "seconds", "reason"),
    [
        ("visitor", None, -1, "ok"), ("visitor", None, 0, "expired"), ("visitor", None, 1, "expired"),
        ("contractor", None, -1, "ok"), ("contractor", None, 0, "expired"), ("contractor", None, 1, "expired"),
        ("resident", None, 400 * 86400 - 1, "ok"), ("resident", None, 400 * 86400, "expired"),
        ("resident", None, 400 * 86400 + 1, "expired"), ("vehicle", None, 400 * 86400 - 1, "ok"),
        ("vehicle", None, 400 * 86400, "expired"), ("official", None, 400 * 86400, "expired"),
        ("resident", {}, -1, "ok"), ("resident", {}, 0, "expired"), ("resident", {"shop": 24}, 0, "expired"),
        ("visitor", {"visitor": 2}, 7199, "ok"), ("visitor", {"visitor": 2}, 7200, "expired"),
        ("visitor", {"visitor": 2}, 7201, "expired"), ("of_another_day", None, 0, "expired"),
    ],
)  # fmt: skip
def test_a_list_extends_a_pass_as_far_as_the_signed_rule_for_its_kind(
    kind: str, hours: dict[str, int] | None, seconds: int, reason: str
) -> None:
    """The row says for ever. Before there was the rule, it was believed."""
    rule = {} if hours is None else {"rules_extension_hours": hours}
    at = {"now_utc_ms": EXTENDED + seconds * 1000, "row_valid_until_ms": 1 << 45}
    assert judge(shown_kind=kind, **at, **rule).reason == reason


@pytest.mark.parametrize(("seconds", "reason"), [(-1, "ok"), (0, "expired"), (1, "expired")])
def test_a_floor_beyond_what_may_be_extended_ends_a_pass_without_a_clock(seconds: int, reason: str) -> None:
    now = {"now_state": "untrusted", "now_signed": False, "now_floor_ms": EXTENDED + seconds * 1000}
    assert judge(shown_kind="visitor", row_valid_until_ms=1 << 45, **now).reason == reason


@pytest.mark.parametrize(("seconds", "reason"), [(-1, "ok"), (0, "expired"), (1, "expired")])
def test_a_row_may_still_end_a_pass_before_what_may_be_extended(seconds: int, reason: str) -> None:
    end = EXTENDED + 5 * DAY_MS
    assert judge(row_valid_until_ms=end, now_utc_ms=end + seconds * 1000).reason == reason


rows = st.fixed_dictionaries({}, optional={
    "row_state": st.sampled_from(["printed", "active", "suspended", "revoked", "superseded", "gone"]),
    "row_valid_until_ms": st.integers(0, 1 << 45),
    "row_lanes": st.sampled_from(["", "entry", "garage", "entry,garage"]),
    "row_attention": st.booleans(), "row_household": st.integers(0, 99), "row_number": st.text(max_size=4),
    "row_kind": st.sampled_from(sorted(KINDS.values())), "row_medium": st.sampled_from(["card", "phone"]),
    "row_not_before_step": st.integers(0, 1 << 20), "row_validity_hours": st.integers(0, 0xFFFF),
    "row_random": st.integers(0, 9), "row_label": st.text(max_size=4), "row_plate": st.text(max_size=4),
    "listed": st.booleans(), "known_last_serial": st.none() | st.integers(0, 2000),
    "known_age": st.sampled_from(["fresh", "stale", "expired", "none"]),
})  # fmt: skip
SIGNED: dict[str, dict[str, Any]] = {
    "not_yet_valid": {"now_utc_ms": credential().not_before_ms - 1000},
    "expired": {"now_utc_ms": EXTENDED + 400 * DAY_MS},
    "digits_missing": {"use_digits": "missing"},
    "lockdown": {"lane_lockdown": True},
    "response_level": {"rules_admits": ("official",)},
    "wrong_kind": {"rules_lane_kinds": {"entry": ("vehicle",)}},
    "outside_hours": {"rules_hours": {"resident": ()}},
    "foreign_scope": {"shown_scope": 99},
}
"""What the card's signature, the rules' and the clock refuse, each by itself."""


@given(st.sampled_from(sorted(SIGNED)), rows)
def test_no_list_opens_what_signatures_and_clock_refuse(reason: str, hostile: dict[str, Any]) -> None:
    verdict = judge(**hostile | SIGNED[reason])
    assert verdict.outcome == "deny" and reason in (verdict.reason, *verdict.also)


@given(st.sampled_from(["visitor", "contractor", "shop", "official"]), rows)
def test_a_list_that_drops_a_stranger_can_only_bring_the_guard(kind: str, hostile: dict[str, Any]) -> None:
    """Without its own row a pass of these kinds opens nothing by itself, whatever else the list says."""
    assert judge(**hostile | {"shown_kind": kind, "listed": False}).outcome != "grant"


@pytest.mark.parametrize(("grace_s", "clock", "inside"), [(0, "22:00:59", True), (0, "22:01:00", False),
                                                          (60, "22:01:59", True), (60, "22:02:00", False)])  # fmt: skip
def test_grace_is_as_long_as_the_compound_made_it(grace_s: int, clock: str, inside: bool) -> None:
    at = datetime.combine(MONDAY.date(), datetime.strptime(clock, "%H:%M:%S").time(), ZONE)  # noqa: DTZ007
    verdict = judge(rules_hours={"resident": (DAY_SHIFT,)}, rules_grace_s=grace_s,
                    now_utc_ms=int(at.timestamp() * 1000))  # fmt: skip
    assert verdict.reason == ("ok" if inside else "outside_hours")


@pytest.mark.parametrize(("kind", "quotas", "used", "reason"), [
    ("visitor", {"visitor": 1}, 0, "ok"), ("visitor", {"visitor": 1}, 1, "quota_person"),
    ("visitor", {"contractor": 1}, 5, "ok"), ("visitor", {}, 99, "ok"),
    ("vehicle", {"vehicle": 2}, 1, "ok"), ("vehicle", {"vehicle": 2}, 2, "quota_person"),
    ("resident", {"visitor": 1}, 3, "quota_person"), ("resident", {"resident": 4}, 3, "ok"),
])  # fmt: skip
def test_quotas_are_by_kind(kind: str, quotas: dict[str, int], used: int, reason: str) -> None:
    verdict = judge(shown_kind=kind, rules_quota_kind_day=quotas, rules_quota_person_day=3, use_person_today=used,
                    lane_direction="in")  # fmt: skip
    assert verdict.reason == reason
    assert judge(shown_kind=kind, rules_quota_kind_day=quotas, use_person_today=99, lane_direction="out").reason == "ok"


def at_clock(day: int, clock: str) -> dict[str, Any]:
    """A moment of the week that begins with MONDAY, for a pass that is good all week."""
    at = datetime.combine((MONDAY + timedelta(days=day)).date(), datetime.strptime(clock, "%H:%M:%S").time(), ZONE)  # noqa: DTZ007
    return {"now_utc_ms": int(at.timestamp() * 1000), "shown_not_before_step": 0, "shown_validity_hours": 0xFFFF,
            "row_valid_until_ms": 1 << 45}  # fmt: skip


CLEANER = write_terms(Terms(hours=(Window(480, 720, (1, 4)),)))


@pytest.mark.parametrize(
    ("day", "clock", "inside"),
    [
        (0, "07:59:59", False), (0, "08:00:00", True), (0, "12:00:59", True), (0, "12:05:59", True),
        (0, "12:06:00", False), (1, "10:00:00", False), (3, "08:00:00", True), (3, "07:59:59", False),
        (3, "12:05:59", True), (3, "12:06:00", False), (6, "10:00:00", False),
    ],
)  # fmt: skip
def test_a_cleaner_comes_in_on_monday_and_thursday_from_eight_to_twelve(day: int, clock: str, inside: bool) -> None:
    verdict = judge(shown_kind="contractor", row_terms=CLEANER, **at_clock(day, clock))
    assert verdict.reason == ("ok" if inside else "outside_hours")
    assert verdict.limits.hours == (() if inside else (Window(480, 720, (1, 4)),))


@pytest.mark.parametrize(
    ("clock", "hours"),
    [
        ("10:59:59", Window(660, 1080)), ("11:00:00", None), ("12:05:59", None), ("12:06:00", Window(480, 720, (1, 4))),
    ],
)  # fmt: skip
def test_own_hours_take_away_from_those_of_the_kind_and_add_nothing(clock: str, hours: Window | None) -> None:
    kinds = {"contractor": (Window(660, 1080),)}
    verdict = judge(shown_kind="contractor", row_terms=CLEANER, rules_hours=kinds, **at_clock(0, clock))
    assert verdict.limits.hours == (() if hours is None else (hours,))
    assert (verdict.reason == "ok") == (hours is None)


@pytest.mark.parametrize(
    ("own", "rule", "entries", "reason"),
    [
        (0, {}, 999, "ok"), (1, {}, 0, "ok"), (1, {}, 1, "used_up"), (1, {}, 2, "used_up"), (3, {}, 2, "ok"),
        (3, {}, 3, "used_up"), (0, {"visitor": 1}, 0, "ok"), (0, {"visitor": 1}, 1, "used_up"),
        (5, {"visitor": 1}, 1, "used_up"), (1, {"visitor": 5}, 1, "used_up"), (0, {"contractor": 1}, 9, "ok"),
    ],
)  # fmt: skip
def test_a_pass_is_good_for_so_many_entries(own: int, rule: dict[str, int], entries: int, reason: str) -> None:
    """The fewest that the pass or the rule for its kind allows; no clock is needed."""
    shown = {"shown_kind": "visitor", "row_terms": write_terms(Terms(entries=own)), "rules_entries_kind": rule,
             "use_entries": entries}  # fmt: skip
    assert judge(**shown).reason == judge(**shown, now_state="untrusted").reason == reason
    assert judge(**shown, lane_direction="out").reason == "ok", "nobody is kept in"
    assert judge(**shown, lane_direction="both").reason == "ok", "nobody knows which way it was"
    assert judge(**shown, lane_direction="both", rules_both_ways_counted=True).reason == reason


@pytest.mark.parametrize(
    ("day", "clock", "reason"),
    [(0, "08:00:01", "ok"), (0, "23:59:59", "ok"), (1, "00:00:00", "day_over"), (1, "00:00:01", "day_over"),
     (6, "09:00:00", "day_over")],
)  # fmt: skip
def test_a_pass_for_one_day_ends_with_the_day_of_its_first_entry(day: int, clock: str, reason: str) -> None:
    first = at_clock(0, "08:00:00")["now_utc_ms"]
    shown = {"shown_kind": "visitor", "row_terms": '{"one_day":true}', "use_entries": 1, **at_clock(day, clock)}
    assert judge(**shown, use_first_entry_ms=first).reason == reason
    assert judge(**shown).reason == "ok", "no entry of it is known with its time"
    assert judge(**shown, use_first_entry_ms=first, lane_direction="out").reason == "ok"
    assert judge(**shown, use_first_entry_ms=first, now_state="untrusted", now_signed=False).reason == "ok"


@pytest.mark.parametrize(
    "text", ["{", "[]", "1", '{"entries":-1}', '{"entries":1001}', '{"hours":[{"from_minute":5,"to_minute":5}]}',
             '{"hours":[{"from_minute":0,"to_minute":1441}]}', '{"one_day":1}', '{"entries":1,"twins":true}'],
)  # fmt: skip
def test_terms_that_a_gate_does_not_know_are_for_the_guard(text: str) -> None:
    verdict = judge(row_terms=text, rules_entries_kind={"resident": 1}, use_entries=0)
    assert (verdict.outcome, verdict.reason) == ("refer", "terms_unread")
    used = judge(row_terms=text, rules_entries_kind={"resident": 1}, use_entries=1)
    assert (used.outcome, used.reason, used.also) == ("deny", "used_up", ("terms_unread",))


@given(rows, st.one_of(st.text(max_size=8), st.builds(Terms, st.lists(st.builds(
    Window, st.integers(0, 1439), st.integers(1, 1440)), max_size=2).map(tuple), st.integers(0, 3),
    st.booleans()).map(write_terms)), st.integers(0, 4))  # fmt: skip
def test_a_rows_terms_never_open_what_is_closed_without_them(row: dict[str, Any], terms: str, entries: int) -> None:
    used = {"use_entries": entries, "use_first_entry_ms": NOON_MS - DAY_MS}
    without, with_ = judge(**row | used), judge(**row | used | {"row_terms": terms})
    assert WEIGHT[with_.outcome] <= WEIGHT[without.outcome]


def test_hours_follow_the_clocks_when_they_are_put_forward() -> None:
    zone = ZoneInfo("Europe/Berlin")
    at = datetime(2026, 3, 29, 3, 30, tzinfo=zone)  # an hour that night has no 02:30
    window = {"resident": (Window(3 * 60, 4 * 60),)}
    verdict = judge(rules_hours=window, now_utc_ms=int(at.timestamp() * 1000), now_zone=zone,
                    shown_not_before_step=0, shown_validity_hours=0xFFFF, row_valid_until_ms=1 << 45)  # fmt: skip
    assert verdict.reason == "ok"


def test_a_kind_without_hours_may_come_at_any_hour() -> None:
    assert judge(rules_hours={"visitor": ()}).reason == "ok"


def test_a_response_level_admits_only_the_kinds_it_names() -> None:
    assert judge(rules_admits=("resident",)).reason == "ok"
    assert judge(rules_admits=()).reason == "response_level"


def test_a_pass_for_certain_lanes_opens_these() -> None:
    assert judge(row_lanes="garage,entry").reason == "ok"


# --- digits -----------------------------------------------------------------------------------------------------------

SECRET = code_secret(CODE_KEY, 1)
STEP = NOON_MS // 30_000


def phone(step: int | None) -> Credential:
    return credential(medium="phone", digits=None if step is None else digits_at(SECRET, step))


@pytest.mark.parametrize(
    ("away", "uncertainty_ms", "answer"),
    [
        (0, 0, "good"), (-1, 0, "good"), (1, 0, "good"), (-2, 0, "stale"), (2, 0, "stale"),
        (2, 1, "good"), (-2, 30_000, "good"), (3, 30_000, "stale"), (3, 30_001, "good"),
        (20, 19 * 30_000, "good"), (21, 19 * 30_000, "stale"), (0, 19 * 30_000 + 1, "unjudged"),
    ],
)  # fmt: skip
def test_digits_are_good_one_step_each_way_and_as_far_as_the_clock_may_be_out(
    away: int, uncertainty_ms: int, answer: str
) -> None:
    digits, step = judge_digits(phone(STEP + away), SECRET, None, _noon(uncertainty_ms=uncertainty_ms))
    assert (digits, step) == (answer, STEP + away if answer == "good" else None)


@pytest.mark.parametrize(("ms", "answer"), [(-1, "stale"), (0, "good"), (59_999 + 30_000, "good"), (90_000, "stale")])
def test_the_window_of_a_step_opens_thirty_seconds_early_and_closes_thirty_late(ms: int, answer: str) -> None:
    at = _noon(utc_ms=(STEP - 1) * 30_000 + ms)
    assert judge_digits(phone(STEP), SECRET, None, at)[0] == answer


@pytest.mark.parametrize(("last", "answer"), [(None, "good"), (STEP - 1, "good"), (STEP, "stale"), (STEP + 1, "stale")])
def test_a_step_that_was_accepted_is_not_accepted_again(last: int | None, answer: str) -> None:
    assert judge_digits(phone(STEP), SECRET, last, _noon())[0] == answer


def test_a_phone_without_digits_is_missing_them_and_a_card_has_none() -> None:
    assert judge_digits(phone(None), SECRET, None, _noon()) == ("missing", None)
    assert judge_digits(credential(), SECRET, None, _noon()) == ("unjudged", None)


def test_digits_are_not_judged_without_time_or_code_key() -> None:
    assert judge_digits(phone(STEP + 99), SECRET, None, _noon(state="untrusted"))[0] == "unjudged"
    assert judge_digits(phone(STEP + 99), None, None, _noon())[0] == "unjudged"


# --- time that is not known -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"shown_not_before_step": LATER.not_before_step},
        {"rules_hours": {"resident": ()}},
        {"rules_quota_person_day": 1, "use_person_today": 5},
        {"rules_quota_household_day": 1, "use_household_today": 5},
        {"known_age": "expired", "shown_kind": "visitor"},
        {"row_valid_until_ms": NOON_MS - DAY_MS},
    ],
)
def test_without_time_nothing_is_judged_by_it_and_listed_passes_come_in(changes: dict[str, Any]) -> None:
    assert judge(**changes).outcome != "grant"
    assert judge(now_state="untrusted", **changes).reason == "ok"


@pytest.mark.parametrize(("seconds", "reason"), [(-1, "ok"), (0, "expired"), (1, "expired")])
def test_without_time_a_pass_expires_against_the_floor_only(seconds: int, reason: str) -> None:
    floor = NOON_MS + seconds * 1000
    assert judge(row_valid_until_ms=NOON_MS, now_state="untrusted", now_floor_ms=floor).reason == reason


def test_in_holdover_everything_is_judged() -> None:
    for reason in ("not_yet_valid", "expired", "outside_hours", "quota_person"):
        assert judge(now_state="holdover", **SITUATIONS[reason][0]).reason == reason


# --- enforcement ------------------------------------------------------------------------------------------------------


def _stage(*stages: tuple[str, int]) -> tuple[StageFrom, ...]:
    return tuple(StageFrom(stage, NOON_MS + seconds * 1000) for stage, seconds in stages)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stages", "in_force"),
    [
        ((), "strict"),
        ((("introduce", 1),), "strict"),
        ((("introduce", 0),), "introduce"),
        ((("introduce", -9), ("guard", 1), ("strict", 99)), "introduce"),
        ((("introduce", -9), ("guard", 0), ("strict", 99)), "guard"),
        ((("strict", -1), ("guard", -2), ("introduce", -9)), "strict"),
    ],
)
def test_the_latest_stage_that_has_begun_is_in_force(stages: tuple[tuple[str, int], ...], in_force: str) -> None:
    assert stage_in_force(Rules(enforcement=_stage(*stages)), _noon()) == in_force


def test_without_time_a_stage_has_begun_when_the_floor_is_past_it() -> None:
    begun = Rules(enforcement=_stage(("introduce", -99), ("strict", 0)))
    assert stage_in_force(begun, _noon(utc_ms=5, floor_ms=NOON_MS, state="untrusted")) == "strict"


@pytest.mark.parametrize("reason", SITUATIONS)
def test_introducing_refuses_nobody_and_says_what_it_would_have_found(reason: str) -> None:
    changes = SITUATIONS[reason][0]
    verdict = judge(**changes, rules_enforcement=_stage(("introduce", -1)))
    if reason == "lockdown":  # a supervisor has shut the lane for the moment
        assert verdict.outcome == "deny"
        return
    plain = judge(**changes)
    guidance = plain.reason if plain.outcome != "grant" else ""
    assert verdict == replace(plain, outcome="grant", guidance=guidance)


@pytest.mark.parametrize("reason", MISREAD)
def test_introducing_refuses_nothing_but_a_forged_signature(reason: Any) -> None:
    rules = Rules(enforcement=_stage(("introduce", -1)))
    verdict = decide(Misread(reason), Known(own_scope=COMPOUND), Use(), rules, Lane(name="entry"), _noon())
    assert verdict.outcome == ("deny" if reason == "bad_signature" else "grant")


@pytest.mark.parametrize("reason", SITUATIONS)
def test_at_the_guards_stage_a_deny_becomes_a_refer_and_nothing_else_changes(reason: str) -> None:
    plain = judge(**SITUATIONS[reason][0])
    verdict = judge(**SITUATIONS[reason][0], rules_enforcement=_stage(("guard", -1)))
    softened = replace(plain, outcome="refer", guidance=plain.reason)
    assert verdict == (softened if plain.outcome == "deny" else plain)


# --- whatever it is given ---------------------------------------------------------------------------------------------

_u32 = st.integers(0, 2**32 - 1)
_kinds = st.sampled_from(sorted(KINDS.values()))
_few = st.integers(0, 3)
_times = st.one_of(st.integers(NOON_MS - 3 * DAY_MS, NOON_MS + 3 * DAY_MS), st.integers(0, 1 << 43))
_minutes = st.integers(0, 1440)
_windows = st.builds(Window, _minutes, _minutes, st.lists(st.integers(1, 7), max_size=7).map(tuple))
_lane_names = st.sampled_from(["entry", "exit", "garage"])
_credentials = st.builds(
    Credential,
    kind=_kinds, medium=st.sampled_from(["card", "phone"]), key_id=st.integers(0, 255),
    scope=st.sampled_from([COMPOUND, 99, 0, 2**24 - 1]), serial=_few, validity_hours=st.integers(0, 0xFFFF),
    not_before_step=st.one_of(st.just(credential().not_before_step), st.integers(0, 2**24 - 1)),
    random=st.sampled_from([0, 4711]), digits=st.sampled_from([None, "00000000", "12345678"]),
)  # fmt: skip
_states = st.sampled_from(["printed", "active", "suspended", "revoked", "superseded", "gone"])


@st.composite
def _situations(draw: st.DrawFn) -> tuple[Any, Known, Use, Rules, Lane, Now]:
    shown = draw(_credentials)
    reading = draw(st.one_of(st.just(shown), st.builds(Misread, st.sampled_from(MISREAD))))
    row = row_of(
        shown, state=draw(_states), valid_until_ms=draw(_times), attention=draw(st.booleans()),
        lanes=draw(st.sampled_from(["", "entry", "garage,exit", ","])),
        kind=draw(st.one_of(st.just(shown.kind), _kinds)),
    )  # fmt: skip
    known = Known(
        own_scope=COMPOUND, row=draw(st.sampled_from([None, row])), last_serial=draw(st.one_of(st.none(), _few)),
        age=draw(st.sampled_from(["fresh", "stale", "expired", "none"])),
    )  # fmt: skip
    use = draw(st.builds(
        Use, since_last_s=st.one_of(st.none(), st.floats(0, 1e6)), person_today=_few, household_today=_few,
        entries=_few, first_entry_ms=st.one_of(st.none(), _times),
        digits=st.sampled_from(["good", "missing", "stale", "unjudged"]),
    ))  # fmt: skip
    rules = draw(st.builds(
        Rules,
        accepts=st.sampled_from([(), (99,), (99, 0)]),
        enforcement=st.lists(
            st.builds(StageFrom, st.sampled_from(["introduce", "guard", "strict"]), _times), max_size=3
        ).map(tuple),
        passback_s=st.sampled_from([0, 180]), passback=st.sampled_from(["grant", "refer", "deny"]),
        both_ways_counted=st.booleans(), grace_s=st.sampled_from([0, 300]),
        quota_kind_day=st.dictionaries(_kinds, _few, max_size=3),
        entries_kind=st.dictionaries(_kinds, _few, max_size=3),
        hours=st.dictionaries(_kinds, st.lists(_windows, max_size=2).map(tuple), max_size=3),
        admits=st.one_of(st.none(), st.lists(_kinds, max_size=4).map(tuple)),
        lane_kinds=st.dictionaries(_lane_names, st.lists(_kinds, max_size=4).map(tuple), max_size=2),
        quota_household_day=st.one_of(st.none(), _few), quota_person_day=st.one_of(st.none(), _few),
        unlisted_admits=st.lists(_kinds, max_size=4).map(tuple),
    ))  # fmt: skip
    lane = draw(st.builds(Lane, name=_lane_names, direction=st.sampled_from(["in", "out", "both"]),
                          lockdown=st.booleans()))  # fmt: skip
    now = draw(st.builds(
        Now, utc_ms=_times, state=st.sampled_from(["trusted", "holdover", "untrusted"]),
        uncertainty_ms=st.integers(0, 10**7), floor_ms=_times,
        zone=st.sampled_from([ZONE, ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")]),
    ))  # fmt: skip
    return reading, known, use, rules, lane, now


@settings(max_examples=150, deadline=None)
@given(_situations())
def test_whatever_is_shown_there_is_one_answer_with_a_reason_of_the_closed_list(
    situation: tuple[Any, Known, Use, Rules, Lane, Now],
) -> None:
    verdict = decide(*situation)
    assert verdict.reason in REASONS and set(verdict.also) <= set(REASONS)
    assert verdict.outcome in WEIGHT
    assert verdict == decide(*situation)


@settings(max_examples=80, deadline=None)
@given(_situations())
def test_an_exit_lane_never_refuses(situation: tuple[Any, Known, Use, Rules, Lane, Now]) -> None:
    reading, known, use, rules, lane, now = situation
    assert decide(reading, known, use, rules, replace(lane, direction="out"), now).outcome in ("grant", "refer")


@settings(max_examples=80, deadline=None)
@given(_situations())
def test_softening_never_hardens_and_never_hides_the_reason(
    situation: tuple[Any, Known, Use, Rules, Lane, Now],
) -> None:
    reading, known, use, rules, lane, now = situation
    strict = decide(reading, known, use, replace(rules, enforcement=()), lane, now)
    verdict = decide(*situation)
    assert WEIGHT[verdict.outcome] >= WEIGHT[strict.outcome]
    assert (verdict.reason, verdict.also, verdict.listed) == (strict.reason, strict.also, strict.listed)


@settings(max_examples=80, deadline=None)
@given(_situations())
def test_introducing_refuses_only_forgeries_and_locked_lanes(
    situation: tuple[Any, Known, Use, Rules, Lane, Now],
) -> None:
    reading, known, use, rules, lane, now = situation
    verdict = decide(reading, known, use, replace(rules, enforcement=(StageFrom("introduce", 0),)), lane, now)
    assert verdict.outcome == "grant" or reading == Misread("bad_signature") or lane.lockdown


@settings(max_examples=100, deadline=None)
@given(_credentials, st.one_of(st.none(), st.binary(min_size=20, max_size=20)), st.integers(0, 1 << 40), _times)
def test_digits_are_judged_whatever_they_are(
    shown: Credential, secret: bytes | None, uncertainty_ms: int, at: int
) -> None:
    digits, step = judge_digits(shown, secret, None, _noon(utc_ms=at, uncertainty_ms=uncertainty_ms))
    assert (digits == "good") == (step is not None)


@pytest.mark.parametrize(("ahead_days", "left_days", "outcome"), [
    (1, 0.5, "refer"), (10, 6.5, "refer"), (10, 7.5, "grant"), (60, 7.5, "grant"), (80, 100, "grant"), (80, -1, "deny"),
])  # fmt: skip
def test_a_clock_without_a_signature_refuses_nobody_and_refers_for_a_week_after_the_floor(
    ahead_days: float, left_days: float, outcome: str
) -> None:
    until = NOON_MS + int(left_days * DAY_MS)
    now = Now(utc_ms=NOON_MS + int(ahead_days * DAY_MS), state="holdover", signed=False, floor_ms=NOON_MS, zone=ZONE)
    known = Known(own_scope=COMPOUND, row=row_of(credential(), valid_until_ms=until), last_serial=9, age="fresh")
    found = decide(credential(), known, Use(), Rules(), Lane(name="entry"), now)
    assert (found.outcome, found.reason) == (outcome, "ok" if outcome == "grant" else "expired")
