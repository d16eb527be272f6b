"""One presentation, ruling, override or button carried through, with a real journal and a real list."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.channel import Refused
from kiosk.core.gate import DISK_S, SLOW_DISK
from kiosk.core.journal import Saved
from kiosk.core.judge import person_of
from kiosk.verbs import Presentation, PresentationAnswer
from sync.protocol import Rules
from tests.fixtures.gate_parts import (
    COMPOUND,
    DAY_MS,
    NOON_MS,
    PASS_KEY,
    Bench,
    clock_at,
    credential,
    row_of,
    signed,
    text_of,
    usual_changes,
)

CARD = credential(5)
OTHER = credential(6)
PHONE = credential(7, medium="phone")
SUSPENDED = credential(8)
REVOKED = credential(9)
ROWS = [
    row_of(CARD), row_of(OTHER, dwelling="1-1-101", household=13), row_of(PHONE, household=14),
    row_of(SUSPENDED, state="suspended", household=15), row_of(REVOKED, state="revoked", household=16),
]  # fmt: skip


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def build(**fields: Any) -> Bench:
        made.append(Bench(tmp_path / f"gate{len(made)}", **{"rows": ROWS, **fields}))
        return made[-1]

    yield build
    for bench in made:
        bench.stop()


@pytest.fixture
def bench(make: Callable[..., Bench]) -> Bench:
    return make()


def show(bench: Bench, text: str, lane: str = "entry", source: str = "camera") -> PresentationAnswer:
    return bench.gate.present(Presentation(lane=lane, text=text, source=source))


# --- granting ---------------------------------------------------------------------------------------------------------


def test_a_good_card_opens_once_and_is_written_down_with_what_it_rested_on(bench: Bench) -> None:
    shown = show(bench, text_of(CARD))
    assert (shown.outcome, shown.reason, shown.repeat) == ("grant", "ok", False)
    assert bench.parts["entry"].changes == [True] and bench.parts["entry"].shown.value == "green"
    bench.go(1.0)
    assert bench.parts["entry"].changes == [True, False]
    bench.drive_through()
    decided, passage = bench.events()
    assert (decided.kind, decided.outcome, decided.reason, decided.scope, decided.serial, decided.list_revision) == (
        "decided", "grant", "ok", COMPOUND, 5, 1,
    )  # fmt: skip
    assert (passage.kind, passage.outcome, passage.about, passage.slow_disk) == ("passage", "passed", decided.id, False)
    assert passage.commanded_ms >= decided.at_ms and decided.clock == "trusted"


def test_the_decision_is_on_disk_before_the_relay_moves(tmp_path: Path) -> None:
    found: list[list[str]] = []
    folder = tmp_path / "gate"

    def look(on: bool) -> None:
        (path,) = (folder / "core").glob("journal-*.db")
        with contextlib.closing(sqlite3.connect(path)) as conn:
            found.append([body for (body,) in conn.execute("SELECT body FROM event") if '"decided"' in body])

    bench = Bench(folder, ROWS)
    bench.stop()
    bench.start(moved=look)
    show(bench, text_of(CARD))
    bench.stop()
    assert len(found[0]) == 1 and '"serial":5' in found[0][0]


def test_the_live_list_has_the_decision_and_then_its_passage(bench: Bench) -> None:
    show(bench, text_of(CARD))
    bench.drive_through()
    decision, passage = bench.live
    assert (decision.kind, decision.label, decision.dwelling, decision.pass_number) == (
        "decision", "王**", "3-2-1201", "A-000005",
    )  # fmt: skip
    assert (passage.kind, passage.outcome, passage.about) == ("passage", "passed", decision.number)


def test_a_refused_person_sees_red_and_nothing_moves(bench: Bench) -> None:
    shown = show(bench, text_of(REVOKED))
    assert (shown.outcome, shown.reason) == ("deny", "revoked")
    assert bench.parts["entry"].changes == [] and bench.parts["entry"].shown.value == "red"
    assert [(e.kind, e.outcome) for e in bench.events()] == [("decided", "deny")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unreadable"),
        ("https://example.org", "not_a_pass"),
        ("G1" + "A" * 400, "unreadable"),
        (text_of(CARD, key=bytes(32)), "bad_signature"),
        (text_of(credential(5, key_id=9), key=PASS_KEY), "unknown_key"),
        (text_of(credential(5, scope=99)), "foreign_scope"),
        ("\ud800\x00" * 2000, "not_a_pass"),
    ],
)
def test_whatever_text_is_shown_there_is_an_answer_and_an_event(bench: Bench, text: str, reason: str) -> None:
    assert show(bench, text).reason == reason
    (event,) = bench.events()
    assert (event.reason, event.serial) == (reason, 0)


def test_the_lane_and_the_guards_line_say_when_a_pass_ended(bench: Bench) -> None:
    bench.time.go(91 * DAY_MS / 1000)
    shown = show(bench, text_of(CARD))
    assert shown.reason == "expired"
    assert bench.live[-1].limits.until_ms == bench.gate.lanes["entry"].told.limits.until_ms == CARD.valid_until_ms
    show(bench, text_of(CARD))
    assert bench.gate.lanes["entry"].told.limits.until_ms == CARD.valid_until_ms, "a repeat says so, too"
    bench.acts.override("entry", False, shown.happening, "Lin", "no")
    assert bench.gate.lanes["entry"].told.limits.until_ms == 0, "a guard's no has a reason of its own"


def test_a_lane_that_is_not_here_is_said_so(bench: Bench) -> None:
    with pytest.raises(Refused, match="unknown_lane"):
        show(bench, text_of(CARD), lane="garage")


def test_twenty_people_a_minute_pass_one_after_the_other(tmp_path: Path) -> None:
    people = [credential(100 + n) for n in range(20)]
    bench = Bench(tmp_path, [row_of(person, household=person.serial) for person in people])
    began = bench.time.s
    for person in people:
        assert show(bench, text_of(person)).outcome == "grant"
        bench.go(1.5)
        bench.drive_through()
        bench.go(0.5)
    assert bench.time.s - began <= 60.0 and bench.parts["entry"].rises == 20
    assert [e.outcome for e in bench.events("passage")] == ["passed"] * 20
    bench.stop()


# --- repeats and passback ---------------------------------------------------------------------------------------------


def test_the_same_card_again_at_once_is_a_repeat_and_no_event(bench: Bench) -> None:
    first = show(bench, text_of(CARD))
    bench.go(3.0)
    again = show(bench, text_of(CARD))
    assert (again.outcome, again.repeat, again.happening) == ("grant", True, first.happening)
    assert bench.parts["entry"].rises == 1 and len(bench.events("decided")) == 1
    bench.drive_through()
    assert bench.events("passage")[0].repeats == 1


@pytest.mark.parametrize("between", [text_of(REVOKED), text_of(OTHER), "https://example.com/", ""])
def test_what_is_seen_in_between_makes_no_second_presentation_of_a_card(bench: Bench, between: str) -> None:
    first = show(bench, text_of(CARD))
    show(bench, between)
    again = show(bench, text_of(CARD))
    assert (again.outcome, again.repeat, again.happening) == ("grant", True, first.happening)
    assert show(bench, between).repeat
    assert len(bench.events("decided")) == 2


def test_two_passes_in_turns_before_a_guard_are_one_question_each(bench: Bench) -> None:
    asked = [show(bench, text_of(pass_)).happening for pass_ in (SUSPENDED, REVOKED, SUSPENDED, REVOKED, SUSPENDED)]
    assert len(set(asked)) == 2 and list(bench.gate.refers) == [asked[0]]
    bench.acts.rule(asked[0], True, "Lin", "known")
    assert (show(bench, text_of(SUSPENDED)).outcome, show(bench, text_of(REVOKED)).outcome) == ("grant", "deny")
    assert bench.parts["entry"].changes == [True]


@pytest.mark.parametrize(("seconds", "repeat"), [(9.9, True), (10.1, False)])
def test_a_repeat_ends_after_ten_seconds(bench: Bench, seconds: float, repeat: bool) -> None:
    show(bench, text_of(REVOKED))
    bench.go(seconds)
    assert show(bench, text_of(REVOKED)).repeat is repeat


def test_while_its_passage_is_open_the_same_card_is_a_repeat_however_late(bench: Bench) -> None:
    show(bench, text_of(CARD))
    bench.go(11.0)
    assert show(bench, text_of(CARD)).repeat
    bench.go(2.0)
    assert bench.events("passage")[0].outcome == "not_passed"
    assert not show(bench, text_of(CARD)).repeat, "nobody passed: the card is good again"
    assert bench.parts["entry"].rises == 2


def test_another_card_in_between_is_judged_for_itself(bench: Bench) -> None:
    show(bench, text_of(CARD))
    assert not show(bench, text_of(OTHER)).repeat
    assert len(bench.events("decided")) == 2


def test_a_second_passage_within_the_passback_time_is_for_the_guard(bench: Bench) -> None:
    show(bench, text_of(CARD))
    bench.drive_through()
    bench.go(60)
    shown = show(bench, text_of(CARD))
    assert (shown.outcome, shown.reason, bench.parts["entry"].shown.value) == ("refer", "passback", "yellow")
    bench.go(180)
    assert show(bench, text_of(CARD)).outcome == "grant"


def test_card_and_phone_of_one_pass_are_one_person(make: Callable[..., Bench]) -> None:
    rows = [row_of(CARD, number="A-1"), row_of(PHONE, number="A-1")]
    bench = make(rows=rows)
    show(bench, text_of(CARD))
    assert show(bench, text_of(PHONE, bench.time.utc_ms)).reason == "passback", "while the passage is open"
    bench.drive_through()
    bench.go(40)
    assert show(bench, text_of(PHONE, bench.time.utc_ms)).reason == "passback"


def test_a_households_car_does_not_use_up_its_residents_quota(make: Callable[..., Bench]) -> None:
    car = credential(60, kind="vehicle")
    bench = make(rows=[row_of(CARD), row_of(car)], changes=usual_changes(quota_household_day=1))
    show(bench, text_of(car))
    bench.drive_through()
    assert show(bench, text_of(CARD)).outcome == "grant"


def test_passback_is_of_one_direction(make: Callable[..., Bench]) -> None:
    bench = make(lanes={"entry": "in", "exit": "out", "side": "in"})
    show(bench, text_of(CARD))
    assert show(bench, text_of(CARD), lane="side").reason == "passback", "its passage is still open"
    bench.drive_through()
    assert show(bench, text_of(CARD), lane="exit").outcome == "grant"


def test_passback_ends_when_the_person_went_out(make: Callable[..., Bench]) -> None:
    bench = make(lanes={"entry": "in", "exit": "out"})
    show(bench, text_of(CARD))
    bench.drive_through()
    show(bench, text_of(CARD), lane="exit")
    bench.go(20)  # nobody passed: the one who came in is still in
    assert show(bench, text_of(CARD)).reason == "passback"
    bench.go(31)  # until that yellow is over
    show(bench, text_of(CARD), lane="exit")
    bench.drive_through("exit")
    bench.go(11)
    assert show(bench, text_of(CARD)).outcome == "grant"


def test_a_lane_for_both_directions_lets_the_same_person_in_and_out(make: Callable[..., Bench]) -> None:
    bench = make(lanes={"gate": "both"}, changes=usual_changes(quota_person_day=1))
    for _ in range(3):
        assert show(bench, text_of(CARD), lane="gate").outcome == "grant"
        bench.drive_through("gate")
        bench.go(11)


def test_who_did_not_pass_has_used_nothing(bench: Bench) -> None:
    show(bench, text_of(CARD))
    bench.go(30)
    assert show(bench, text_of(CARD)).outcome == "grant"


def test_a_lane_without_a_sensor_counts_from_the_command(make: Callable[..., Bench]) -> None:
    bench = make(inputs=("fire",))
    show(bench, text_of(CARD))
    bench.go(15)
    assert bench.events("passage")[0].outcome == "no_sensor"
    assert show(bench, text_of(CARD)).reason == "passback"


def test_passback_is_remembered_over_a_restart(bench: Bench) -> None:
    show(bench, text_of(CARD))
    bench.drive_through()
    bench.restart()
    assert show(bench, text_of(CARD)).reason == "passback"


def test_a_restart_without_time_does_not_take_the_morning_for_a_moment_ago(bench: Bench) -> None:
    bench.go(3600)  # the last statement is an hour old: after the restart the clock only knows that much
    show(bench, text_of(CARD))
    bench.drive_through()
    bench.restart(trusted=False)
    assert bench.clock.now().state == "untrusted"
    assert show(bench, text_of(CARD)).outcome == "grant"
    bench.drive_through()
    bench.go(20)
    assert show(bench, text_of(CARD)).reason == "passback", "what happens from now on is known"


def test_a_households_quota_counts_its_other_members(make: Callable[..., Bench]) -> None:
    bench = make(changes=usual_changes(quota_household_day=1))
    show(bench, text_of(CARD))
    bench.drive_through()
    mate = credential(50)
    assert show(bench, text_of(mate)).reason == "not_on_list"
    bench.go(3600)
    assert show(bench, text_of(CARD)).reason == "quota_household"
    bench.go(12 * 3600)
    assert show(bench, text_of(CARD)).outcome == "grant", "it is tomorrow in Shanghai"


# --- phones -----------------------------------------------------------------------------------------------------------


def test_a_phones_step_is_used_once(bench: Bench) -> None:
    text = text_of(PHONE, bench.time.utc_ms)
    assert show(bench, text).outcome == "grant"
    assert show(bench, text).repeat
    bench.go(14)  # nobody passed: no passback
    assert show(bench, text).reason == "digits_stale"
    bench.go(30)
    assert show(bench, text_of(PHONE, bench.time.utc_ms)).outcome == "grant"


def test_a_phones_step_stays_used_over_a_restart(bench: Bench) -> None:
    text = text_of(PHONE, bench.time.utc_ms)
    show(bench, text)
    bench.restart()
    assert show(bench, text).reason == "digits_stale"


def test_a_phone_without_digits_is_told_so_and_uses_up_nothing(bench: Bench) -> None:
    assert show(bench, text_of(PHONE)).reason == "digits_missing"
    assert show(bench, text_of(PHONE, bench.time.utc_ms)).outcome == "grant"


def test_other_digits_while_the_passage_is_open_are_a_repeat(bench: Bench) -> None:
    show(bench, text_of(PHONE, bench.time.utc_ms))
    assert show(bench, text_of(PHONE, bench.time.utc_ms + 30_000)).repeat
    assert bench.parts["entry"].rises == 1


# --- the guard --------------------------------------------------------------------------------------------------------


def test_a_guards_yes_to_a_yellow_opens_and_is_counted(bench: Bench) -> None:
    yellow = show(bench, text_of(SUSPENDED))
    assert yellow.outcome == "refer" and bench.parts["entry"].rises == 0
    ruling = bench.acts.rule(yellow.happening, True, "Lin", "known to me")
    assert (ruling.kind, ruling.outcome, ruling.about) == ("ruling", "grant", yellow.happening)
    assert bench.parts["entry"].rises == 1
    bench.drive_through()
    decided, ruled, passage = bench.events()
    assert (ruled.about, ruled.by, passage.about) == (decided.id, "Lin", ruled.id)
    bench.go(20)
    assert "passback" in bench_last(bench, SUSPENDED)


def bench_last(bench: Bench, shown: Any) -> tuple[str, ...]:
    show(bench, text_of(shown))
    last = bench.events("decided")[-1]
    return (last.reason, *last.also)


def test_a_guards_no_to_a_yellow_is_red(bench: Bench) -> None:
    yellow = show(bench, text_of(SUSPENDED))
    assert bench.acts.rule(yellow.happening, False, "Lin", "").outcome == "deny"
    assert bench.parts["entry"].rises == 0 and bench.parts["entry"].shown.value == "red"


def test_a_yellow_is_answered_once(bench: Bench) -> None:
    yellow = show(bench, text_of(SUSPENDED))
    bench.acts.rule(yellow.happening, True, "Lin", "")
    for number in (yellow.happening, 999, 0):
        with pytest.raises(Refused, match="not_waiting"):
            bench.acts.rule(number, True, "Zhao", "")
    assert bench.parts["entry"].rises == 1


@pytest.mark.parametrize(("seconds", "kinds"), [(29.0, ["decided"]), (30.5, ["decided", "ruled"])])
def test_a_yellow_nobody_answers_is_refused_after_thirty_seconds(
    bench: Bench, seconds: float, kinds: list[str]
) -> None:
    yellow = show(bench, text_of(SUSPENDED))
    bench.go(seconds)
    assert [e.kind for e in bench.events()] == kinds
    if len(kinds) > 1:
        ruled = bench.events("ruled")[0]
        assert (ruled.outcome, ruled.reason, ruled.by) == ("deny", "unanswered", "")
        with pytest.raises(Refused):
            bench.acts.rule(yellow.happening, True, "Lin", "too late")


@pytest.mark.parametrize(
    ("text", "reason"),
    [(text_of(SUSPENDED), "suspended"), (text_of(REVOKED), "revoked"), ("https://example.com", "not_a_pass")],
)
def test_an_exit_opens_where_nobody_answers(make: Callable[..., Bench], text: str, reason: str) -> None:
    bench = make(lanes={"exit": "out"})
    shown = show(bench, text, lane="exit")
    assert (shown.outcome, shown.reason) == ("refer", reason)
    bench.go(29)
    assert bench.parts["exit"].rises == 0
    bench.go(2)
    ruled = bench.events("ruled")[0]
    assert (ruled.outcome, ruled.reason, ruled.by, bench.parts["exit"].rises) == ("grant", "unanswered", "", 1)


def test_an_exit_without_any_list_keeps_nobody_in(make: Callable[..., Bench]) -> None:
    bench = make(rows=[], lanes={"exit": "out"})
    assert show(bench, text_of(CARD), lane="exit").outcome == "refer"
    bench.go(31)
    assert bench.parts["exit"].rises == 1


def test_a_locked_exit_stays_shut_and_the_button_opens_it(make: Callable[..., Bench]) -> None:
    bench = make(lanes={"exit": "out"})
    bench.acts.lockdown("exit", True, "Zhou", "fight outside")
    assert show(bench, text_of(CARD), lane="exit").reason == "lockdown"
    bench.go(31)
    assert (bench.events("ruled")[0].outcome, bench.parts["exit"].rises) == ("deny", 0)
    bench.gate.input_changed("exit", "exit_button", True)
    assert bench.parts["exit"].rises == 1


def test_while_a_yellow_waits_the_same_pass_is_a_repeat(bench: Bench) -> None:
    show(bench, text_of(SUSPENDED))
    bench.go(25)
    assert show(bench, text_of(SUSPENDED)).repeat and len(bench.events("decided")) == 1


def test_after_the_guards_yes_the_same_pass_is_a_repeat_until_its_passage_is_over(bench: Bench) -> None:
    yellow = show(bench, text_of(SUSPENDED))
    bench.go(15)
    bench.acts.rule(yellow.happening, True, "Lin", "")
    again = show(bench, text_of(SUSPENDED))
    assert (again.repeat, again.outcome) == (True, "grant")
    assert bench.parts["entry"].shown.value == "green" and bench.parts["entry"].rises == 1


def test_after_an_override_the_same_pass_is_not_red_again(bench: Bench) -> None:
    red = show(bench, text_of(REVOKED))
    bench.acts.override("entry", True, red.happening, "Lin", "the doctor")
    assert show(bench, text_of(REVOKED)).outcome == "grant"
    assert bench.parts["entry"].shown.value == "green"


def test_an_override_opens_whatever_was_decided_and_may_be_explained_afterwards(bench: Bench) -> None:
    red = show(bench, text_of(REVOKED))
    override = bench.acts.override("entry", True, red.happening, "Lin", "")
    assert bench.parts["entry"].rises == 1 and override.needs_reason
    assert bench.acts.unexplained == {override.number}
    bench.acts.explain(override.number, "Lin", "ambulance " * 100)
    assert bench.acts.unexplained == set()
    decided, overridden, explained = bench.events()
    assert (overridden.about, overridden.by, explained.about) == (decided.id, "Lin", overridden.id)
    assert len(explained.why) == 200


def test_an_override_of_a_refusal_is_that_persons_passage(bench: Bench) -> None:
    red = show(bench, text_of(REVOKED))
    line = bench.acts.override("entry", True, red.happening, "Lin", "known")
    assert (line.pass_number, line.dwelling, line.label) == ("A-000009", "3-2-1201", "王**")
    event = bench.events("override")[0]
    assert (event.scope, event.serial) == (REVOKED.scope, REVOKED.serial)
    bench.drive_through()
    assert bench.gate.uses.last_ms(person_of(REVOKED.scope, REVOKED.serial, ROWS[-1])) is not None
    bench.go(20)
    shown = show(bench, text_of(REVOKED))
    assert (shown.reason, bench.events("decided")[-1].also) == ("revoked", ("passback",))


def test_an_override_about_nothing_names_nobody(bench: Bench) -> None:
    line = bench.acts.override("entry", True, 0, "Lin", "delivery")
    event = bench.events("override")[0]
    assert (line.pass_number, event.scope, event.serial) == ("", 0, 0)
    bench.drive_through()
    assert [passage.outcome for passage in bench.events("passage")] == ["passed"]


@pytest.mark.parametrize("inputs", [("passage", "fire"), ("fire",)])
def test_who_is_sent_to_another_lane_has_not_passed_twice(make: Callable[..., Bench], inputs: tuple[str, ...]) -> None:
    bench = make(lanes={"entry": "in", "side": "in"}, inputs=inputs)
    shown = show(bench, text_of(CARD))
    bench.acts.override("entry", False, shown.happening, "Lin", "use the side lane")
    assert show(bench, text_of(CARD), lane="side").outcome == "grant"


def test_what_a_guard_opens_again_is_one_passage(make: Callable[..., Bench]) -> None:
    bench = make(changes=usual_changes(quota_person_day=2))
    shown = show(bench, text_of(CARD))
    bench.acts.override("entry", True, shown.happening, "Lin", "the arm had stopped")
    bench.drive_through()
    bench.go(200)
    assert show(bench, text_of(CARD)).outcome == "grant", "the first of two a day"


def test_a_refusal_whose_cause_was_lifted_is_judged_anew_at_once(bench: Bench) -> None:
    bench.acts.lockdown("entry", True, "Zhou", "fight")
    assert show(bench, text_of(CARD)).reason == "lockdown"
    assert show(bench, text_of(CARD)).repeat and len(bench.events("decided")) == 1
    bench.acts.lockdown("entry", False, "Zhou", "over")
    shown = show(bench, text_of(CARD))
    assert (shown.outcome, shown.repeat, bench.parts["entry"].rises) == ("grant", False, 1)


def test_what_a_guard_refused_is_not_judged_anew(bench: Bench) -> None:
    shown = show(bench, text_of(CARD))
    bench.acts.override("entry", False, shown.happening, "Lin", "not the holder")
    again = show(bench, text_of(CARD))
    assert (again.outcome, again.repeat, bench.parts["entry"].rises) == ("deny", True, 1)


def test_an_override_can_refuse_what_was_granted(bench: Bench) -> None:
    green = show(bench, text_of(CARD))
    bench.acts.override("entry", False, green.happening, "Lin", "not his card")
    assert bench.parts["entry"].shown.value == "red" and bench.parts["entry"].rises == 1
    assert bench.events("override")[0].outcome == "deny"


@pytest.mark.parametrize("yellow", [True, False])
def test_opening_for_somebody_rests_until_the_passage_settles(bench: Bench, yellow: bool) -> None:
    number = show(bench, text_of(SUSPENDED if yellow else REVOKED)).happening
    if yellow:
        bench.acts.rule(number, True, "Lin", "")
    else:
        bench.acts.override("entry", True, number, "Lin", "")
    for seconds in (0.8, 1.0, 9.0):
        bench.go(seconds)
        with pytest.raises(Refused, match="under_way"):
            bench.acts.override("entry", True, number, "Zhao", "")
    assert bench.parts["entry"].rises == 1
    bench.drive_through()
    bench.acts.override("entry", True, number, "Lin", "the car had stalled")
    assert bench.parts["entry"].rises == 2


@pytest.mark.parametrize(("seconds", "opens"), [(2.9, False), (3.1, True)])
def test_where_no_sensor_sees_the_passage_opening_rests_while_the_lane_shows_green(
    make: Callable[..., Bench], seconds: float, opens: bool
) -> None:
    bench = make(inputs=("fire", "guard_button"))
    number = show(bench, text_of(SUSPENDED)).happening
    bench.acts.rule(number, True, "Lin", "")
    bench.go(seconds)
    if opens:
        bench.acts.override("entry", True, number, "Lin", "")
    else:
        with pytest.raises(Refused, match="under_way"):
            bench.acts.override("entry", True, number, "Lin", "")
    assert bench.parts["entry"].rises == 1 + opens


def test_while_opening_rests_for_one_the_next_one_and_the_lane_itself_open(bench: Bench) -> None:
    first, second = (show(bench, text_of(shown)).happening for shown in (SUSPENDED, REVOKED))
    bench.acts.rule(first, True, "Lin", "")
    bench.acts.override("entry", True, second, "Lin", "")
    bench.acts.override("entry", True, 0, "Lin", "")
    assert len(bench.events("override")) == 2


def test_a_restart_tells_the_guards_who_was_waiting_and_how_it_ended(bench: Bench) -> None:
    show(bench, text_of(SUSPENDED))
    bench.restart()
    asked, ruling = bench.live
    assert (asked.kind, asked.outcome, asked.label, asked.dwelling) == ("decision", "refer", "王**", "3-2-1201")
    assert asked.open_until_ms == 0 and asked.number not in bench.gate.refers
    assert (ruling.kind, ruling.about, ruling.outcome, ruling.reason) == ("ruling", asked.number, "deny", "interrupted")


def test_a_restart_tells_the_guards_whose_opening_it_cut_short(bench: Bench) -> None:
    bench.acts.rule(show(bench, text_of(SUSPENDED)).happening, True, "Lin", "")
    bench.restart()
    asked, passage = bench.live
    assert (asked.label, passage.kind, passage.outcome, passage.about) == (
        "王**",
        "passage",
        "interrupted",
        asked.number,
    )


@pytest.mark.parametrize(("seconds", "forced"), [(14.9, False), (15.6, True)])
def test_an_arm_that_goes_up_long_after_the_gate_asked_for_it_was_forced(
    bench: Bench, seconds: float, forced: bool
) -> None:
    bench.acts.override("entry", True, 0, "Lin", "")
    bench.go(seconds)  # the request itself takes half a second
    bench.gate.input_changed("entry", "arm_open", True)
    assert bench.gate.lanes["entry"].forced is forced
    bench.gate.input_changed("entry", "arm_open", False)
    assert not bench.gate.lanes["entry"].forced


@pytest.mark.parametrize("asked", ["held", "fire", "opening"])
def test_an_arm_that_goes_up_because_it_was_asked_to_is_not_forced(bench: Bench, asked: str) -> None:
    if asked == "held":
        bench.acts.hold("entry", True, "Lin")
    elif asked == "fire":
        bench.gate.input_changed("entry", "fire", True)
    else:
        show(bench, text_of(CARD))
    bench.go(3)
    bench.gate.input_changed("entry", "arm_open", True)
    assert not bench.gate.lanes["entry"].forced


def test_an_override_needs_no_presentation_and_takes_no_essay(bench: Bench) -> None:
    bench.acts.override("entry", True, 0, "Lin", "x" * 100_000)
    (event,) = bench.events()
    assert (event.outcome, event.about, len(event.why)) == ("grant", "", 200)


def test_an_override_answers_the_yellow_it_is_about_and_no_other_lanes(make: Callable[..., Bench]) -> None:
    bench = make(lanes={"entry": "in", "side": "in"})
    yellow = show(bench, text_of(SUSPENDED))
    bench.acts.override("side", True, yellow.happening, "Lin", "")
    assert bench.parts["side"].rises == 1 and yellow.happening in bench.gate.refers
    bench.acts.override("entry", True, yellow.happening, "Lin", "")
    assert bench.parts["entry"].rises == 1 and not bench.gate.refers


def test_beyond_the_budget_overrides_still_open_and_say_so(make: Callable[..., Bench]) -> None:
    bench = make(changes=usual_changes(override_budget=2))
    for _ in range(3):
        bench.acts.override("entry", True, 0, "Lin", "")
        bench.go(20)
    bench.acts.override("entry", True, 0, "Zhao", "")
    assert [e.reason for e in bench.events("override")] == ["", "", "over_budget", ""]
    assert bench.parts["entry"].rises == 4


def test_only_what_a_guard_did_can_be_explained(bench: Bench) -> None:
    shown = show(bench, text_of(CARD))
    for number in (shown.happening, 999):
        with pytest.raises(Refused, match="unknown_happening"):
            bench.acts.explain(number, "Lin", "why not")


# --- buttons, fire, held, locked --------------------------------------------------------------------------------------


@pytest.mark.parametrize("button", ["guard_button", "exit_button"])
def test_a_wired_button_opens_with_no_list_no_camera_and_no_time(tmp_path: Path, button: str) -> None:
    bench = Bench(tmp_path, inputs=("passage", "guard_button", "exit_button"))
    bench.restart(trusted=False)
    assert bench.mirror.list_state() == "none"
    bench.gate.input_changed("entry", button, True)
    assert bench.parts["entry"].rises == 1
    bench.gate.input_changed("entry", button, False)
    assert bench.parts["entry"].rises == 1
    (event,) = bench.events()
    assert (event.kind, event.source, event.outcome) == ("opened", button, "grant")
    bench.stop()


def test_a_level_that_is_told_twice_happened_once(bench: Bench) -> None:
    for _ in range(2):
        bench.gate.input_changed("entry", "guard_button", True)
    assert len(bench.events("opened")) == 1


def test_a_button_that_is_stuck_at_the_start_opens_nothing(bench: Bench) -> None:
    bench.stop()
    bench.start()
    bench.parts["entry"].levels["guard_button"] = True
    bench.gate.begin()
    assert bench.parts["entry"].rises == 0


def test_fire_opens_before_anything_is_written_and_keeps_open(bench: Bench) -> None:
    bench.gate.input_changed("entry", "fire", True)
    bench.acts.lockdown("entry", True, "Zhao", "")
    bench.go(100)
    assert bench.parts["entry"].changes == [True] and bench.parts["entry"].shown.value == "green"
    bench.gate.input_changed("entry", "fire", False)
    assert bench.parts["entry"].changes == [True, False]
    assert [e.outcome for e in bench.events("fire")] == ["on", "off"]


def test_a_fire_that_burns_at_the_start_is_seen(bench: Bench) -> None:
    bench.parts["entry"].levels["fire"] = True
    bench.gate.begin()
    assert bench.parts["entry"].is_on


def test_who_walks_in_without_a_pass_is_told_at_once_and_the_rest_of_a_minute_together(bench: Bench) -> None:
    for _ in range(4):
        bench.drive_through()
        bench.go(7)
    assert [(event.reason, event.count) for event in bench.events("unasked")] == [("alone", 1)]
    bench.go(60)
    assert [(event.reason, event.count) for event in bench.events("unasked")] == [("alone", 1), ("alone", 3)]
    told = [line for line in bench.live if line.kind == "unasked"]
    assert [(line.lane, line.reason, line.repeats) for line in told] == [("entry", "alone", 1), ("entry", "alone", 3)]
    assert bench.parts["entry"].rises == 0


def test_one_pass_is_one_person(bench: Bench) -> None:
    show(bench, text_of(CARD))
    bench.drive_through()
    bench.drive_through()
    assert [event.reason for event in bench.events("unasked")] == ["followed"]
    assert len(bench.events("passage")) == 1


@pytest.mark.parametrize(("seconds", "reasons"), [(59, []), (61, ["left_open"]), (300, ["left_open"])])
def test_an_arm_that_stays_open_is_told_once(make: Callable[..., Bench], seconds: float, reasons: list[str]) -> None:
    bench = make(inputs=("passage", "arm_open"))
    bench.gate.input_changed("entry", "arm_open", True)
    bench.go(seconds)
    assert [event.reason for event in bench.events("unasked")] == reasons


def test_an_arm_that_is_held_open_is_no_news(make: Callable[..., Bench]) -> None:
    bench = make(inputs=("passage", "arm_open"))
    bench.acts.hold("entry", True, "Zhou")
    bench.gate.input_changed("entry", "arm_open", True)
    bench.drive_through()
    bench.go(300)
    assert bench.events("unasked") == []


@pytest.mark.parametrize("name", ["call", "tamper"])
def test_call_and_tamper_are_told_and_written(make: Callable[..., Bench], name: str) -> None:
    bench = make(inputs=("passage", name))
    bench.gate.input_changed("entry", name, True)
    assert [(e.kind, e.outcome) for e in bench.events()] == [(name, "on")]
    assert bench.live[-1].kind == name and bench.parts["entry"].rises == 0


def test_a_held_lane_is_open_until_it_is_let_go(bench: Bench) -> None:
    bench.acts.hold("entry", True, "Lin")
    bench.go(100)
    assert bench.parts["entry"].changes == [True]
    bench.acts.hold("entry", False, "Lin")
    assert bench.parts["entry"].changes == [True, False]
    assert [(e.outcome, e.by) for e in bench.events("hold")] == [("on", "Lin"), ("off", "Lin")]


def test_a_held_lane_is_a_question_after_a_restart_and_not_open(bench: Bench) -> None:
    bench.acts.hold("entry", True, "Lin")
    bench.restart()
    assert bench.parts["entry"].rises == 0
    assert bench.kept.now.held == ("entry",) and not bench.gate.lanes["entry"].state.held
    bench.acts.hold("entry", False, "Lin")
    assert bench.kept.now.held == () and bench.parts["entry"].rises == 0


def test_lockdown_refuses_everybody_but_guards_and_the_button(bench: Bench) -> None:
    bench.acts.lockdown("entry", True, "Zhao", "drill")
    assert show(bench, text_of(CARD)).reason == "lockdown"
    bench.acts.override("entry", True, 0, "Lin", "")
    bench.gate.input_changed("entry", "guard_button", True)
    assert bench.parts["entry"].changes[0] and len(bench.events("override", "opened")) == 2


def test_lockdown_goes_on_after_a_restart_until_it_is_ended(bench: Bench) -> None:
    bench.acts.lockdown("entry", True, "Zhao", "drill")
    bench.restart()
    assert show(bench, text_of(CARD)).reason == "lockdown"
    bench.acts.lockdown("entry", False, "Zhao", "over")
    bench.restart()
    assert show(bench, text_of(CARD)).outcome == "grant"


def test_an_orderly_stop_knows_who_is_under_an_arm_that_is_held_up(make: Callable[..., Bench]) -> None:
    bench = make(mode="hold", inputs=("passage",))
    lane = bench.gate.lanes["entry"]
    show(bench, text_of(CARD))
    assert not lane.somebody_is_under, "the car has not moved yet"
    bench.gate.input_changed("entry", "passage", True)
    assert lane.somebody_is_under
    bench.gate.input_changed("entry", "passage", False)
    assert lane.somebody_is_under, "while the settling time runs"
    bench.go(2)
    assert not lane.somebody_is_under


def test_lockdown_goes_on_though_the_memory_of_it_was_damaged(bench: Bench) -> None:
    bench.acts.lockdown("entry", True, "Zhao", "drill")
    bench.events()
    bench.stop()
    (bench.folder / "kept.json").write_bytes(b"\0" * 40)
    bench.start()
    assert show(bench, text_of(CARD)).reason == "lockdown"


# --- restarts and kills -----------------------------------------------------------------------------------------------


def after_a_crash(bench: Bench) -> Bench:
    """The gate begins anew without having ended: its journal is closed (nothing in it is), the rest forgotten."""
    bench.journal.close()
    bench.mirror.close()
    bench.start()
    return bench


def test_a_passage_cut_off_by_a_crash_is_closed_as_interrupted_and_nothing_opens(bench: Bench) -> None:
    show(bench, text_of(CARD))
    after_a_crash(bench)
    assert bench.parts["entry"].rises == 0
    decided, interrupted = bench.events()
    assert (interrupted.kind, interrupted.outcome, interrupted.about) == ("passage", "interrupted", decided.id)
    assert "relay may have moved" in interrupted.why
    assert show(bench, text_of(CARD)).outcome == "grant", "what was interrupted is no use"


def test_an_interrupted_passage_is_closed_once(bench: Bench) -> None:
    show(bench, text_of(CARD))
    for _ in range(3):
        after_a_crash(bench)
    assert len(bench.events("passage")) == 1


def test_a_yellow_cut_off_by_a_crash_is_refused_as_interrupted(bench: Bench) -> None:
    show(bench, text_of(SUSPENDED))
    after_a_crash(bench)
    ruled = bench.events("ruled")[0]
    assert (ruled.outcome, ruled.reason, bench.parts["entry"].rises) == ("deny", "interrupted", 0)


def test_an_opening_that_a_guard_contradicted_is_still_closed_as_interrupted(bench: Bench) -> None:
    green = show(bench, text_of(CARD))
    bench.acts.override("entry", False, green.happening, "Lin", "")
    after_a_crash(bench)
    decided = bench.events("decided")[0]
    assert [(e.about, e.outcome) for e in bench.events("passage")] == [(decided.id, "interrupted")]


def test_openings_by_ruling_override_and_button_are_interrupted_too(bench: Bench) -> None:
    bench.acts.rule(show(bench, text_of(SUSPENDED)).happening, True, "Lin", "")
    bench.acts.override("entry", True, 0, "Lin", "")
    bench.gate.input_changed("entry", "guard_button", True)
    after_a_crash(bench)
    openings = {e.id for e in bench.events("ruled", "override", "opened")}
    assert {e.about for e in bench.events("passage")} == openings and len(openings) == 3


def test_what_was_settled_before_a_restart_is_left_alone(bench: Bench) -> None:
    show(bench, text_of(CARD))
    bench.drive_through()
    bench.restart()
    assert [e.outcome for e in bench.events("passage")] == ["passed"]


# --- things that break ------------------------------------------------------------------------------------------------


def test_a_slow_disk_does_not_keep_the_gate_shut_and_the_event_says_so(bench: Bench) -> None:
    (path,) = (bench.folder / "core").glob("journal-*.db")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # a lock on the file makes the disk slow
        show(bench, text_of(CARD))
        assert bench.parts["entry"].rises == 1 and DISK_S == 0.1
        other.execute("ROLLBACK")
    bench.drive_through()
    assert bench.events("passage")[0].slow_disk


def test_a_disk_that_hangs_is_waited_for_once_and_again_when_it_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Saved, "wait", lambda self, seconds: [waited.append(seconds), self._done.is_set()][1])
    saved = [Saved(), Saved(), Saved()]
    assert [bench.gate._on_disk(one) for one in saved[:2]] == [False, False]
    assert waited.count(DISK_S) == 1 and caplog.text.count(SLOW_DISK) == 1
    saved[0].done()
    saved[2].done()
    assert bench.gate._on_disk(saved[2]) and waited.count(DISK_S) == 2


def test_a_journal_that_cannot_be_written_does_not_keep_the_gate_shut(bench: Bench) -> None:
    bench.stop()
    core = bench.folder / "core"
    core.rename(bench.folder / "away")
    core.write_text("in the way")
    bench.start()
    assert bench.journal.health().why
    assert show(bench, text_of(CARD)).outcome == "grant" and bench.parts["entry"].rises == 1
    assert bench.gate.openings.popitem()[1].slow_disk


def test_a_broken_lamp_does_not_keep_the_relay_from_moving(bench: Bench) -> None:
    bench.parts["entry"].broken = "lights"
    show(bench, text_of(CARD))
    assert bench.parts["entry"].rises == 1 and "lamp" in bench.gate.lanes["entry"].lights_fault
    assert not bench.gate.lanes["entry"].relay_fault
    bench.go(1.0)
    assert not bench.parts["entry"].is_on


def test_a_broken_relay_does_not_keep_the_lamps_from_showing_and_is_over_when_it_moves(bench: Bench) -> None:
    bench.parts["entry"].broken = "relay"
    show(bench, text_of(CARD))
    assert bench.parts["entry"].shown.value == "green" and "relay" in bench.gate.lanes["entry"].relay_fault
    assert not bench.gate.lanes["entry"].lights_fault
    bench.go(20)
    bench.parts["entry"].broken = ""
    bench.acts.override("entry", True, 0, "Lin", "")
    assert bench.parts["entry"].is_on and not bench.gate.lanes["entry"].pins_why


def test_the_list_gone_while_running_leaves_the_guard_and_refers_the_rest(bench: Bench) -> None:
    bench.mirror.close()
    shown = show(bench, text_of(CARD))
    assert (shown.outcome, shown.reason) == ("refer", "no_list")
    assert bench.acts.rule(shown.happening, True, "Lin", "").outcome == "grant"


def test_closing_lets_go_of_every_relay(make: Callable[..., Bench]) -> None:
    bench = make(lanes={"entry": "in", "exit": "out"})
    for lane in ("entry", "exit"):
        bench.acts.hold(lane, True, "Lin")
    bench.gate.close()
    assert all(parts.closed and not parts.is_on for parts in bench.parts.values())


def test_an_exit_never_refuses_not_even_a_forgery(make: Callable[..., Bench]) -> None:
    bench = make(lanes={"exit": "out"})
    for shown in (text_of(REVOKED), text_of(CARD, key=bytes(32)), "nonsense"):
        assert show(bench, shown, lane="exit").outcome == "refer"


def test_while_introducing_nobody_is_refused_and_the_guidance_says_why(make: Callable[..., Bench]) -> None:
    from sync.protocol import StageFrom

    bench = make(changes=usual_changes(enforcement=(StageFrom("introduce", NOON_MS - 1),)))
    assert show(bench, text_of(REVOKED)).outcome == "grant"
    assert (bench.live[-1].guidance, bench.events("decided")[0].guidance) == ("revoked", "revoked")
    assert show(bench, text_of(CARD, key=bytes(32))).outcome == "deny"


# --- looking up -------------------------------------------------------------------------------------------------------


def test_a_look_up_is_one_line_per_pass_with_its_last_passage(tmp_path: Path) -> None:
    card, phone = credential(5), credential(6, medium="phone")
    rows = [row_of(shown, number="A-1", plate="") for shown in (card, phone)]
    bench = Bench(tmp_path, [*rows, row_of(OTHER, serial=60, number="A-2", dwelling="9-9-909")])
    show(bench, text_of(card))
    bench.drive_through()
    (found,) = bench.acts.look_up(" 3-2-1201 ").passes
    assert (found.number, found.state, found.label) == ("A-1", "active", "王**")
    assert found.last_passage_ms >= NOON_MS
    assert bench.acts.look_up("nobody").passes == []
    bench.stop()


def test_the_gate_wants_to_be_asked_again_in_time_but_never_without_pause(bench: Bench) -> None:
    assert bench.gate.tick() == 0.25
    show(bench, text_of(CARD))
    waits = []
    for _ in range(200):
        waits.append(bench.gate.tick())
        bench.time.go(max(waits[-1], 1e-6))
    assert waits.count(0.0) <= 3 and max(waits) <= 0.25


def test_rules_of_a_new_page_hold_for_the_next_person(bench: Bench) -> None:
    from sync.cache import ListWriter
    from sync.protocol import Page

    writer = ListWriter(bench.folder / "list" / "list-e1-1.db")
    change = signed("rule", "rules", Rules(admits=("official",)), 2)
    writer.apply(Page(v=1, compound=COMPOUND, epoch="e1", after=1, revision=2, complete=True, as_of_ms=NOON_MS,
                      signed=[change], last_serial={COMPOUND: 1000}))  # fmt: skip
    writer.close()
    assert bench.mirror.refresh()
    assert show(bench, text_of(CARD)).reason == "response_level"


def test_a_second_clock_on_the_same_memory_has_the_same_floor(bench: Bench) -> None:
    assert clock_at(bench.kept, bench.time, trusted=False).now().floor_ms == bench.clock.now().floor_ms


def test_a_restart_loop_writes_one_event_and_not_one_for_each_start(bench: Bench) -> None:
    show(bench, text_of(CARD))
    bench.drive_through()
    for _ in range(11):
        bench.restart()
    assert [event.count for event in bench.events("boot")] == [0, 0, 10], "the tenth start without a person is told"
    show(bench, text_of(CARD))
    bench.restart()
    assert [event.count for event in bench.events("boot")][3:] == [0]
