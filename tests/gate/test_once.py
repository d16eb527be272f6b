"""A guard's act is done in time and once, or not at all; and afterwards says what became of it."""

from __future__ import annotations

import pytest

from kiosk.channel import Refused
from kiosk.core.guards.once import LONGEST_S, Once
from kiosk.verbs import LiveLine, Override

NOW = 5000.0


class Relay:
    """Counts how often an act was done; it may say no."""

    def __init__(self) -> None:
        self.rises, self.no = 0, ""

    def rise(self) -> LiveLine:
        if self.no:
            raise Refused(self.no)
        self.rises += 1
        return LiveLine(number=self.rises, kind="override", outcome="grant")


@pytest.fixture
def relay() -> Relay:
    return Relay()


@pytest.fixture
def once() -> Once:
    return Once("run-1", lambda: NOW)


def tap(mark: str = "a", left_s: float = 2.0, run: str = "run-1") -> Override:
    return Override("token", "entry", True, act=mark, until=NOW + left_s, run=run)


def refusal(once: Once, relay: Relay, asked: Override, about: int = 0) -> str:
    with pytest.raises(Refused) as refused:
        once.carry_out(asked, relay.rise, about)
    return str(refused.value)


@pytest.mark.parametrize("left_s", [0.0, 2.0, LONGEST_S])
def test_an_act_is_done_while_it_is_meant(once: Once, relay: Relay, left_s: float) -> None:
    assert once.carry_out(tap(left_s=left_s), relay.rise).number == 1


@pytest.mark.parametrize("left_s", [-0.001, -50.0, LONGEST_S + 0.001, float("nan"), float("inf"), -float("inf")])
def test_an_act_that_is_late_or_dated_by_another_clock_is_not_done(once: Once, relay: Relay, left_s: float) -> None:
    assert refusal(once, relay, tap(left_s=left_s)) == "too_late"
    assert relay.rises == 0 and once.settle("a").why == "too_late"


def test_the_same_tap_sent_twice_is_done_once_and_answered_alike(once: Once, relay: Relay) -> None:
    first = once.carry_out(tap(), relay.rise)
    assert once.carry_out(tap(), relay.rise) == first == once.settle("a").line
    assert relay.rises == 1
    once.carry_out(tap("b"), relay.rise)
    assert relay.rises == 2


def test_what_was_refused_once_stays_refused_under_its_mark(once: Once, relay: Relay) -> None:
    relay.no = "not_waiting"
    assert refusal(once, relay, tap()) == "not_waiting"
    relay.no = ""
    assert refusal(once, relay, tap()) == "not_waiting" == once.settle("a").why


def test_an_act_that_was_given_up_is_not_done_when_it_comes(once: Once, relay: Relay) -> None:
    assert once.settle("a").why == "given_up"
    assert refusal(once, relay, tap()) == "given_up" and relay.rises == 0


@pytest.mark.parametrize(
    ("run", "about", "refused"), [("run-0", 3, True), ("run-1", 3, False), ("", 3, False), ("run-0", 0, False)]
)
def test_an_answer_to_a_line_of_an_earlier_run_means_nobody_here(
    once: Once, relay: Relay, run: str, about: int, refused: bool
) -> None:
    if refused:
        assert refusal(once, relay, tap(run=run), about) == "line_gone"
    else:
        assert once.carry_out(tap(run=run), relay.rise, about)


def test_of_an_act_that_an_earlier_run_may_have_done_nothing_is_claimed(once: Once, relay: Relay) -> None:
    assert once.settle("a", "run-0").why == "restarted"
    assert refusal(once, relay, tap(run="run-0")) == "restarted"


def test_acts_without_a_mark_are_each_done(once: Once, relay: Relay) -> None:
    for _ in range(2):
        once.carry_out(tap(""), relay.rise)
    assert relay.rises == 2


def test_the_memory_of_acts_has_an_end(once: Once, relay: Relay) -> None:
    for number in range(1000):
        once.settle(str(number))
    assert len(once._became) == 500 and once.settle("999").why == "given_up"
