"""The lane's state machine: what moves the relay, what never does, and that every opening ends exactly once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardware import Signal
from kiosk.core.lanes.lane import (
    Action,
    Doubt,
    Facts,
    Fault,
    Fire,
    HoldOpen,
    LaneCondition,
    LaneInput,
    Light,
    MoveRelay,
    Open,
    Passage,
    Settled,
    ShowResult,
    Tick,
    Unasked,
    next_deadline,
    step,
)

PULSE = Facts(has_passage=True)
BLIND = Facts(has_passage=False)
HOLD = Facts(has_passage=True, mode="hold")


def play(facts: Facts, *timed: tuple[float, LaneInput], until: float = 60.0) -> list[tuple[float, Action]]:
    """What the lane did, and when: every happening at its time, and a tick whenever the lane asked for one."""
    state, now, done = LaneCondition(), 0.0, []
    queue = [*timed, (until, Tick())]
    while queue:
        due = next_deadline(facts, state)
        at, happening = queue[0]
        if due is not None and due < at:
            at, happening = max(due, now), Tick()
        else:
            queue.pop(0)
        now = at
        state, actions = step(facts, state, happening, now)
        done += [(now, action) for action in actions]
        if isinstance(happening, Tick):
            due = next_deadline(facts, state)
            assert due is None or due > now, f"after a tick at {now} the lane wants another at {due}"
    return done


def unasked(done: Iterable[tuple[float, Action]]) -> list[tuple[float, str]]:
    return [(at, action.reason) for at, action in done if isinstance(action, Unasked)]


def relay(done: Iterable[tuple[float, Action]]) -> list[tuple[float, bool]]:
    return [(at, action.on) for at, action in done if isinstance(action, MoveRelay)]


def settled(done: Iterable[tuple[float, Action]]) -> list[tuple[float, str, str]]:
    return [(at, action.about, action.outcome) for at, action in done if isinstance(action, Settled)]


def lights(done: Iterable[tuple[float, Action]]) -> list[tuple[float, str]]:
    return [(at, action.signal.value) for at, action in done if isinstance(action, Light)]


# --- opening and settling ---


def test_a_pulse_lasts_as_long_as_configured_and_comes_once() -> None:
    done = play(Facts(has_passage=True, pulse_s=0.7), (1.0, Open("a")))
    assert relay(done) == [(1.0, True), (1.7, False)]


def test_a_second_grant_during_the_pulse_makes_it_longer_without_an_edge() -> None:
    done = play(PULSE, (1.0, Open("a")), (1.25, Open("b")))
    assert relay(done) == [(1.0, True), (1.75, False)]


def test_an_opening_ends_when_its_passage_clears() -> None:
    done = play(PULSE, (1.0, Open("a")), (2.0, Passage(True)), (3.0, Passage(False)))
    assert settled(done) == [(3.0, "a", "passed")]


def test_an_opening_nobody_used_is_not_passed_after_the_timeout() -> None:
    assert settled(play(PULSE, (1.0, Open("a")))) == [(13.0, "a", "not_passed")]


def test_a_lane_without_a_sensor_says_so_when_the_pulse_is_over() -> None:
    assert settled(play(BLIND, (1.0, Open("a")))) == [(1.5, "a", "no_sensor")]


def test_who_stands_in_the_passage_when_the_time_is_up_is_still_passing() -> None:
    done = play(PULSE, (1.0, Open("a")), (12.0, Passage(True)), (40.0, Passage(False)))
    assert settled(done) == [(40.0, "a", "passed")]


def test_passages_settle_openings_in_their_order() -> None:
    one, two = [(2.0, Passage(True)), (3.0, Passage(False))], [(4.0, Passage(True)), (5.0, Passage(False))]
    done = play(PULSE, (0.0, Open("a")), (1.0, Open("b")), *one, *two)
    assert settled(done) == [(3.0, "a", "passed"), (5.0, "b", "passed")]


def test_a_passage_nobody_opened_for_settles_nothing_and_opens_nothing() -> None:
    done = play(PULSE, (1.0, Passage(True)), (2.0, Passage(False)))
    assert (settled(done), relay(done), unasked(done)) == ([], [], [(2.0, "alone")])


ONE = [(0.0, Open("a")), (1.0, Passage(True)), (2.0, Passage(False))]


@pytest.mark.parametrize(
    ("timed", "found"),
    [
        (ONE, []),
        ([*ONE, (7.0, Passage(True)), (9.0, Passage(False))], [(9.0, "followed")]),
        ([*ONE, (7.1, Passage(True)), (9.0, Passage(False))], [(9.0, "alone")]),
        ([(0.0, Open("a")), (42.0, Passage(True)), (43.0, Passage(False))], [(43.0, "late")]),
        ([(0.0, Open("a")), (42.1, Passage(True)), (43.0, Passage(False))], [(43.0, "alone")]),
        ([(0.0, Open("a")), (0.5, Open("b")), *ONE[1:], (3.0, Passage(True)), (4.0, Passage(False))], []),
        ([(1.0, Passage(True)), (2.0, Open("a")), (3.0, Passage(False))], []),
        ([(0.0, HoldOpen(True)), (1.0, Passage(True)), (2.0, Passage(False))], []),
        ([(0.0, Fire(True)), (1.0, Passage(True)), (2.0, Passage(False))], []),
        ([(0.0, Doubt(True)), (1.0, Passage(True)), (2.0, Passage(False))], []),
    ],
)
@pytest.mark.parametrize("facts", [PULSE, HOLD], ids=["pulse", "hold"])
def test_who_passes_without_being_let_in_is_noticed(
    facts: Facts, timed: list[tuple[float, LaneInput]], found: list[tuple[float, str]]
) -> None:
    done = play(facts, *timed)
    assert unasked(done) == found and not settled(done)[2:]


def test_a_level_that_is_told_twice_is_one_passage() -> None:
    done = play(PULSE, (0.0, Open("a")), (0.0, Open("b")), (1.0, Passage(True)), (2.0, Passage(True)),
                (3.0, Passage(False)), (4.0, Passage(False)))  # fmt: skip
    assert settled(done) == [(3.0, "a", "passed"), (12.0, "b", "not_passed")]


# --- hold mode ---


def test_hold_mode_asks_until_the_car_has_left_and_the_settling_time_is_over() -> None:
    done = play(HOLD, (1.0, Open("a")), (2.0, Passage(True)), (5.0, Passage(False)))
    assert relay(done) == [(1.0, True), (6.0, False)]


def test_hold_mode_gives_up_when_nobody_comes() -> None:
    assert relay(play(HOLD, (1.0, Open("a")))) == [(1.0, True), (13.0, False)]


def test_a_car_that_stands_under_the_arm_keeps_it_up_for_as_long_as_it_stands() -> None:
    done = play(HOLD, (1.0, Open("a")), (2.0, Passage(True)), (50.0, Passage(False)))
    assert relay(done) == [(1.0, True), (51.0, False)]


def test_a_second_car_within_the_settling_time_keeps_the_arm_up() -> None:
    done = play(HOLD, (1.0, Open("a")), (2.0, Passage(True)), (5.0, Passage(False)), (5.5, Passage(True)),
                (20.0, Passage(False)))  # fmt: skip
    assert relay(done) == [(1.0, True), (21.0, False)]


def test_the_settling_time_holds_also_when_another_opening_has_run_out_meanwhile() -> None:
    done = play(HOLD, (1.0, Open("a")), (1.0, Open("b")), (2.0, Passage(True)), (30.0, Passage(False)))
    assert relay(done) == [(1.0, True), (31.0, False)]


@pytest.mark.parametrize("held_by", [HoldOpen, Fire])
def test_ending_a_hold_or_a_fire_over_a_car_waits_for_the_car(held_by: type[HoldOpen | Fire]) -> None:
    done = play(HOLD, (1.0, held_by(True)), (2.0, Passage(True)), (3.0, held_by(False)), (9.0, Passage(False)))
    assert relay(done) == [(1.0, True), (10.0, False)]


def test_ending_a_hold_that_is_not_opens_nothing_even_over_a_car() -> None:
    assert relay(play(HOLD, (1.0, Passage(True)), (2.0, HoldOpen(False)), (3.0, Fire(False)))) == []


# --- held, fire, lights ---


def test_a_held_lane_stays_open_until_it_is_let_go() -> None:
    assert relay(play(PULSE, (1.0, HoldOpen(True)), (50.0, HoldOpen(False)))) == [(1.0, True), (50.0, False)]


def test_fire_outlasts_the_end_of_a_hold_and_of_every_pulse() -> None:
    done = play(
        PULSE, (1.0, HoldOpen(True)), (2.0, Fire(True)), (3.0, HoldOpen(False)), (4.0, Open("a")), (9.0, Fire(False))
    )
    assert relay(done) == [(1.0, True), (9.0, False)]


def test_fire_is_green_whatever_is_shown() -> None:
    done = play(PULSE, (1.0, Fire(True)), (2.0, ShowResult(Signal.RED)), (3.0, Fault(True)), (30.0, Fire(False)))
    assert {signal for at, signal in lights(done) if 1.0 <= at < 30.0} == {"green"}


def test_lights_show_the_result_and_then_rest() -> None:
    done = play(
        PULSE, (0.0, Tick()), (1.0, ShowResult(Signal.YELLOW)), (2.0, ShowResult(Signal.RED)), (20.0, Open("a"))
    )
    shown = [(0.0, "ready"), (1.0, "yellow"), (2.0, "red"), (7.0, "ready"), (20.0, "green"), (23.0, "ready")]
    assert lights(done) == shown


def test_the_same_colour_for_the_next_person_is_shown_again_so_that_it_sounds_again() -> None:
    done = play(PULSE, (1.0, ShowResult(Signal.RED)), (2.0, ShowResult(Signal.RED)))
    assert lights(done)[:2] == [(1.0, "red"), (2.0, "red")]


def test_green_ends_when_the_last_one_awaited_has_passed() -> None:
    done = play(PULSE, (1.0, Open("a")), (1.5, Passage(True)), (2.0, Passage(False)))
    assert lights(done) == [(1.0, "green"), (2.0, "ready")]


def test_a_fault_is_the_resting_light_and_a_result_is_shown_over_it() -> None:
    done = play(PULSE, (1.0, Fault(True)), (2.0, Open("a")), (6.0, Fault(False)))
    assert lights(done) == [(1.0, "fault"), (2.0, "green"), (5.0, "fault"), (6.0, "ready")]


@pytest.mark.parametrize(
    ("happenings", "phase"),
    [
        ([], "idle"),
        ([Open("a")], "opening"),
        ([Open("a"), Passage(True)], "passing"),
        ([Open("a"), Passage(True), HoldOpen(True)], "held"),
        ([HoldOpen(True), Fire(True)], "fire"),
    ],
)
def test_the_phase_is_one_word_for_the_guard(happenings: list[LaneInput], phase: str) -> None:
    state = LaneCondition()
    for happening in happenings:
        state, _ = step(PULSE, state, happening, 1.0)
    assert state.phase == phase


# --- whatever happens ---


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Facts, list[tuple[float, LaneInput]]]:
    mode = draw(st.sampled_from(["pulse", "hold"]))
    has_passage = mode == "hold" or draw(st.booleans())
    facts = Facts(
        has_passage=has_passage,
        mode=mode,
        pulse_s=draw(st.sampled_from([0.05, 0.5, 5.0])),
        passage_timeout_s=draw(st.sampled_from([1.0, 12.0])),
        settle_s=draw(st.sampled_from([0.0, 1.0, 30.0])),
    )
    level = st.booleans()
    happenings = st.one_of(
        st.just("open"),
        st.builds(ShowResult, st.sampled_from([Signal.YELLOW, Signal.RED])),
        st.builds(Passage, level if has_passage else st.just(False)),
        st.builds(Doubt, level if has_passage else st.just(False)),
        st.builds(HoldOpen, level),
        st.builds(Fire, level),
        st.builds(Fault, level),
        st.just(Tick()),
    )
    steps = draw(st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.5, 1.0, 3.0, 12.0, 40.0]), happenings), max_size=40))
    now, timed = 0.0, []
    for number, (wait, happening) in enumerate(steps):
        now += wait
        timed.append((now, Open(f"event {number}") if happening == "open" else happening))
    return facts, timed


class Watched:
    """A lane under a schedule, with every promise checked at every step."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.state = LaneCondition()
        self.now = 0.0
        self.opened: list[str] = []
        self.settled: list[str] = []

    def take(self, happening: LaneInput, now: float) -> None:
        while (due := next_deadline(self.facts, self.state)) is not None and due < now:
            self._step(Tick(), max(due, self.now))
        self._step(happening, now)

    def _step(self, happening: LaneInput, now: float) -> None:
        before = self.state
        self.state, actions = step(self.facts, before, happening, now)
        self.now = now
        if isinstance(happening, Open):
            self.opened.append(happening.about)
        for action in actions:
            self._check(action, happening, before)
        self._check_state(happening, now)

    def _check(self, action: Action, happening: LaneInput, before: LaneCondition) -> None:
        match action:
            case MoveRelay(True):
                rises = isinstance(happening, Open) or (isinstance(happening, HoldOpen | Fire) and happening.on)
                assert rises, f"the relay rose by {happening}"
            case MoveRelay(False):
                seen = before.passing and self.state.passing and not (before.doubted or self.state.doubted)
                under_the_arm = self.facts.mode == "hold" and (seen or (before.kept_up and self.state.kept_up))
                assert not (self.state.fire or self.state.held or under_the_arm), f"the relay fell at {happening}"
            case Settled(about, outcome):
                assert about in self.opened and about not in self.settled
                unseen = not self.facts.has_passage or before.doubted or self.state.doubted
                assert outcome in (("no_sensor", "passed") if unseen else ("passed", "not_passed"))
                self.settled.append(about)

    def _check_state(self, happening: LaneInput, now: float) -> None:
        due = next_deadline(self.facts, self.state)
        assert not isinstance(happening, Tick) or due is None or due > now, "it would be ticked without end"
        if self.state.fire or self.state.held:
            assert self.state.relay_on and self.state.shown is Signal.GREEN


@settings(max_examples=300, deadline=None)
@given(schedules())
def test_over_any_schedule_the_relay_rises_only_when_asked_and_every_opening_is_settled_once(
    schedule: tuple[Facts, list[tuple[float, LaneInput]]],
) -> None:
    facts, timed = schedule
    lane = Watched(facts)
    for now, happening in timed:
        lane.take(happening, now)
    end = lane.now
    for last in (Passage(False), Doubt(False), HoldOpen(False), Fire(False)):
        lane.take(last, end)
    lane.take(Tick(), end + 200.0)
    assert sorted(lane.settled) == sorted(lane.opened)
    assert not lane.state.relay_on and next_deadline(facts, lane.state) is None


@settings(max_examples=100, deadline=None)
@given(schedules())
def test_openings_are_settled_in_their_order_by_passages(
    schedule: tuple[Facts, list[tuple[float, LaneInput]]],
) -> None:
    facts, timed = schedule
    passed = [about for _, about, outcome in settled(play(facts, *timed, until=10_000.0)) if outcome == "passed"]
    opened = [happening.about for _, happening in timed if isinstance(happening, Open)]
    assert passed == [about for about in opened if about in passed]


AT_ITS_END = Facts(
    has_passage=False, mode="pulse", pulse_s=0.5, passage_timeout_s=1.0, settle_s=0.0, grant_s=3.0, other_s=5.0
)


@settings(max_examples=100, deadline=None)
@example((AT_ITS_END, [(0.0, Open("a")), (0.5, Passage(False)), (0.5, Open("b"))]))
@given(schedules())
def test_a_pulse_is_never_longer_than_configured_after_the_last_grant(
    schedule: tuple[Facts, list[tuple[float, LaneInput]]],
) -> None:
    facts, timed = schedule
    if facts.mode != "pulse":
        return
    only_opens = [(at, happening) for at, happening in timed if not isinstance(happening, HoldOpen | Fire)]
    opens = [at for at, happening in only_opens if isinstance(happening, Open)]
    for at, on in relay(play(facts, *only_opens, until=10_000.0)):
        # An opening at the very moment a pulse ends begins another pulse: it ends none.
        last = max(opened for opened in opens if (opened <= at if on else opened < at))
        assert at == last if on else at == pytest.approx(last + facts.pulse_s)
