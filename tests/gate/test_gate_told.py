"""What a lane shows everybody who stands there: the result, for its time, and never a sensitive reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware import Signal
from kiosk.core.lanes.lane_run import NOTHING
from kiosk.core.policy import PLEASE_SEE_GUARD, SENSITIVE, in_public
from kiosk.verbs import LaneState, Presentation
from sync.protocol import CompoundBody, StageFrom
from sync.terms import LOOKS, REASONS
from tests.fixtures.gate_parts import Bench, credential, row_of, signed, text_of, usual_changes

GOOD, SUSPENDED, REVOKED, MARKED = (credential(serial) for serial in (1, 2, 3, 4))
ROWS = [
    row_of(GOOD, household=1),
    row_of(SUSPENDED, state="suspended", household=2),
    row_of(REVOKED, state="revoked", household=3),
    row_of(MARKED, attention=True, household=4),
]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, ROWS)
    yield bench
    bench.stop()


def show(bench: Bench, shown: object) -> int:
    return bench.gate.present(Presentation(lane="entry", text=text_of(shown))).happening


def told(bench: Bench) -> tuple[str, str]:
    now = bench.gate.lanes["entry"].told
    return now.outcome, now.reason


def lamp(bench: Bench) -> Signal:
    return bench.parts["entry"].shown


def test_a_grant_is_told_for_three_seconds_or_until_somebody_has_passed(bench: Bench) -> None:
    show(bench, GOOD)
    assert told(bench) == ("grant", "ok")
    assert bench.gate.lanes["entry"].told.until_ms == bench.time.utc_ms + 3000
    bench.drive_through()
    assert bench.gate.lanes["entry"].told is NOTHING


def test_a_refusal_is_told_for_five_seconds_and_replaced_at_once(bench: Bench) -> None:
    show(bench, REVOKED)
    assert told(bench) == ("deny", "revoked")
    bench.go(1)
    show(bench, GOOD)
    assert told(bench) == ("grant", "ok")
    bench.go(1)
    show(bench, MARKED)
    bench.go(4.9)
    assert told(bench) == ("refer", PLEASE_SEE_GUARD)
    bench.go(0.2)
    assert told(bench) == ("", "")


def test_the_same_code_again_is_told_anew(bench: Bench) -> None:
    show(bench, REVOKED)
    first = bench.gate.lanes["entry"].told
    bench.go(4)
    show(bench, REVOKED)
    again = bench.gate.lanes["entry"].told
    assert (again.reason, again.until_ms) == ("revoked", first.until_ms + 4000)


@pytest.mark.parametrize("shown", [SUSPENDED, MARKED])
def test_sensitive_reasons_look_alike_and_so_do_their_repeats(bench: Bench, shown: object) -> None:
    for _ in range(2):
        show(bench, shown)
        assert told(bench) == ("refer", PLEASE_SEE_GUARD) and lamp(bench) is Signal.YELLOW


@pytest.mark.parametrize("look", [LOOKS[0], "from_the_future", ""])
def test_the_guard_is_told_what_to_look_for_and_bystanders_see_the_yellow_of_ever(tmp_path: Path, look: str) -> None:
    bench = Bench(tmp_path, [row_of(MARKED, attention=True, look=look, household=4)])
    happening = show(bench, MARKED)
    (line,) = [line for line in bench.live if line.number == happening]
    assert (line.reason, line.look) == ("attention", look or "attention")
    (found,) = bench.acts.look_up("3-2-1201").passes
    assert found.look == line.look
    assert told(bench) == ("refer", PLEASE_SEE_GUARD) and lamp(bench) is Signal.YELLOW
    assert not re.search(rf"attention|{look or 'attention'}", repr(bench.gate.lanes["entry"].told))
    assert "look" not in LaneState.__struct_fields__
    bench.stop()


@pytest.mark.parametrize("reason", sorted(SENSITIVE))
@pytest.mark.parametrize("outcome", ["refer", "deny"])
def test_a_sensitive_refusal_is_the_same_yellow_as_a_sensitive_question(outcome: str, reason: str) -> None:
    assert in_public(outcome, reason) == ("refer", PLEASE_SEE_GUARD)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("outcome", ["grant", "refer", "deny"])
def test_no_sensitive_reason_is_ever_public(outcome: str, reason: str) -> None:
    assert in_public(outcome, reason)[1] not in SENSITIVE


def test_a_kind_that_the_response_level_keeps_out_is_yellow_and_not_red(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ROWS, usual_changes(admits=("official",)))
    shown = bench.gate.present(Presentation(lane="entry", text=text_of(GOOD)))
    assert (shown.outcome, shown.reason) == ("deny", "response_level")
    assert told(bench) == ("refer", PLEASE_SEE_GUARD) and lamp(bench) is Signal.YELLOW
    bench.stop()


def test_a_guards_no_says_nothing_of_the_reason_whatever_it_was(bench: Bench) -> None:
    for shown in (SUSPENDED, MARKED):
        bench.acts.rule(show(bench, shown), False, "Lin", "")
        assert told(bench) == ("deny", PLEASE_SEE_GUARD) and lamp(bench) is Signal.RED
    bench.acts.override("entry", False, show(bench, GOOD), "Lin", "not the holder")
    assert told(bench) == ("deny", PLEASE_SEE_GUARD)
    show(bench, GOOD)
    assert told(bench) == ("deny", PLEASE_SEE_GUARD), "shown again, the guard's word holds"


def test_a_guards_yes_is_a_plain_green(bench: Bench) -> None:
    bench.acts.rule(show(bench, SUSPENDED), True, "Lin", "papers")
    assert told(bench) == ("grant", "ok")


def test_nobodys_answer_is_yellow_again(bench: Bench) -> None:
    show(bench, SUSPENDED)
    bench.go(30.1)
    assert told(bench) == ("refer", PLEASE_SEE_GUARD) and lamp(bench) is Signal.YELLOW


@pytest.mark.parametrize(("shown", "reason"), [(REVOKED, "revoked"), (SUSPENDED, "ok"), (GOOD, "ok")])
def test_while_a_compound_introduces_the_green_carries_the_advice_that_may_be_told(
    tmp_path: Path, shown: object, reason: str
) -> None:
    bench = Bench(tmp_path, ROWS, usual_changes(enforcement=(StageFrom("introduce", 0),)))
    show(bench, shown)
    assert told(bench) == ("grant", reason)
    bench.stop()


def test_a_reason_given_afterwards_is_told_to_every_page(bench: Bench) -> None:
    override = bench.acts.override("entry", True, 0, "Lin", "")
    assert override.needs_reason
    bench.acts.explain(override.number, "Zhao", "papers: seen")
    told = bench.live[-1]
    assert (told.kind, told.about, told.by, told.reason) == ("explained", override.number, "Zhao", "papers: seen")


PRINTED, VAN, LONG = (credential(serial) for serial in (5, 6, 7))


@pytest.fixture
def open_names(tmp_path: Path) -> Iterator[Bench]:
    """A compound whose lanes show the masked name."""
    rows = [
        row_of(GOOD, household=1, label="张*"),
        row_of(VAN, household=2, label="顺丰 鄂A12345"),
        row_of(LONG, household=3, label="王建国"),
        row_of(SUSPENDED, household=4, label="李*", state="suspended"),
        row_of(PRINTED, household=5, state="printed"),
    ]
    body = CompoundBody(name_zh="桃园", name_en="Peach Garden", label_shown=True)
    others = [change for change in usual_changes() if change.item != "compound"]
    bench = Bench(tmp_path / "open", rows, [*others, signed("setting", "compound", body)])
    yield bench
    bench.stop()


def label(bench: Bench) -> str:
    return bench.gate.lanes["entry"].told.label


def test_a_lane_shows_a_surname_and_a_star_at_most_and_only_where_the_compound_says_so(
    bench: Bench, open_names: Bench
) -> None:
    show(bench, GOOD)
    assert label(bench) == ""
    for shown, name in ((GOOD, "张*"), (VAN, ""), (LONG, ""), (SUSPENDED, "")):
        show(open_names, shown)
        assert label(open_names) == name


def test_a_pass_that_waits_to_be_collected_is_yellow_and_stays_a_refusal(open_names: Bench) -> None:
    answer = open_names.gate.present(Presentation(lane="entry", text=text_of(PRINTED)))
    assert (answer.outcome, answer.reason) == ("deny", "not_collected")
    assert told(open_names) == ("refer", "not_collected") and lamp(open_names) is Signal.YELLOW
    assert open_names.parts["entry"].rises == 0
