"""A lane's state machine in pure steps: ``step(state, happening, now) -> (state, actions)``.

It opens by :class:`Open` (a grant, a ruling, an override, a button), :class:`HoldOpen` and fire, and by nothing else.
Our relay only asks the barrier's controller to open; crush protection is the controller's own loop.
Times are seconds of a clock that never goes back.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from hardware import Signal
from sync.terms import PassageOutcome, UnaskedReason

FOLLOWED_S, LATE_S = 5.0, 30.0
"""So long after a passage another is right behind it, and so long after an opening that nobody used one is late."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while the lane runs."""

    has_passage: bool
    mode: Literal["pulse", "hold"] = "pulse"
    pulse_s: float = 0.5
    passage_timeout_s: float = 12.0
    settle_s: float = 1.0
    grant_s: float = 3.0
    other_s: float = 5.0


class Awaited(msgspec.Struct, frozen=True):
    """An opening whose passage has not come yet: the id of what opened it, and until when it may come."""

    about: str
    until: float


class LaneCondition(msgspec.Struct, frozen=True, kw_only=True):
    """``relay_until`` is when the request to open ends; None: not asked for, or held without an end."""

    relay_until: float | None = None
    awaited: tuple[Awaited, ...] = ()
    passing: bool = False
    """Somebody is in the passage input now."""
    doubted: bool = False
    """The passage input says nothing about who passed: it sticks, chatters, or sees nobody."""
    kept_up: bool = False
    """``hold``: the arm was up over the passage when the input began to be doubted; it stays so until it clears."""
    began: float | None = None
    """When the passage input became active."""
    ended: tuple[float, PassageOutcome] | None = None
    """When and how the last opening ended."""
    cleared_at: float | None = None
    """``hold``: when the passage cleared and the settling time began."""
    held: bool = False
    fire: bool = False
    result: Signal = Signal.READY
    result_until: float | None = None
    """The last result and until when it is shown; fire and a held lane show green over it."""
    faulty: bool = False
    relay_on: bool = False
    shown: Signal = Signal.OFF

    @property
    def phase(self) -> str:
        """One word for the guard's page: fire, held, passing, opening, idle."""
        passing = self.passing and not self.doubted
        for name, true in (("fire", self.fire), ("held", self.held), ("passing", passing)):
            if true:
                return name
        return "opening" if self.awaited or self.relay_on else "idle"


# What may happen to a lane.


class Open(msgspec.Struct, frozen=True):
    """Ask the barrier to open, once; ``about`` is the id of the event that stands behind it."""

    about: str


class ShowResult(msgspec.Struct, frozen=True):
    """Show a result that opens nothing."""

    signal: Signal


class Passage(msgspec.Struct, frozen=True):
    """The passage input's level."""

    active: bool


class Doubt(msgspec.Struct, frozen=True):
    """Whether the passage input can no longer be believed."""

    on: bool


class HoldOpen(msgspec.Struct, frozen=True):
    on: bool


class Fire(msgspec.Struct, frozen=True):
    """The fire contact. It opens in wiring; here it also ends every wish to close."""

    on: bool


class Fault(msgspec.Struct, frozen=True):
    """Whether the resting light is the fault light."""

    on: bool


class Tick(msgspec.Struct, frozen=True):
    """Time has gone on."""


LaneInput = Open | ShowResult | Passage | Doubt | HoldOpen | Fire | Fault | Tick

# What the lane wants done.


class MoveRelay(msgspec.Struct, frozen=True):
    on: bool


class Light(msgspec.Struct, frozen=True):
    signal: Signal


class Settled(msgspec.Struct, frozen=True):
    """How the opening ``about`` ended."""

    about: str
    outcome: PassageOutcome


class Unasked(msgspec.Struct, frozen=True):
    """Somebody has passed, and nothing had let them in."""

    reason: UnaskedReason


Action = MoveRelay | Light | Settled | Unasked


def step(
    facts: Facts, state: LaneCondition, happening: LaneInput, now: float
) -> tuple[LaneCondition, tuple[Action, ...]]:
    """The next state and what is to be done. Pure; time that has run out is dealt with first."""
    state, settled = _run_out(facts, state, now)
    state, more = _take(facts, state, happening, now)
    return _drive(state, happening, settled + more)


def next_deadline(facts: Facts, state: LaneCondition) -> float | None:
    """When :class:`Tick` is next needed; None: not before something happens."""
    # A request that may not end yet waits for the passage, not for its time.
    times = [state.result_until, state.cleared_at]
    times += [] if _arm_may_not_fall(facts, state) else [state.relay_until]
    times += [] if state.passing and not state.doubted else [awaited.until for awaited in state.awaited]
    return min((at for at in times if at is not None), default=None)


def _run_out(facts: Facts, state: LaneCondition, now: float) -> tuple[LaneCondition, tuple[Settled, ...]]:
    settled: tuple[Settled, ...] = ()
    if not state.passing or state.doubted:  # a car that stands in the passage is still passing
        outcome: PassageOutcome = "not_passed" if facts.has_passage and not state.doubted else "no_sensor"
        settled = tuple(Settled(awaited.about, outcome) for awaited in state.awaited if awaited.until <= now)
        ended = (max(awaited.until for awaited in state.awaited[: len(settled)]), outcome) if settled else state.ended
        state = replace(state, awaited=tuple(a for a in state.awaited if a.until > now), ended=ended)
    if state.relay_until is not None and state.relay_until <= now and not _arm_may_not_fall(facts, state):
        state = replace(state, relay_until=None)
    if state.cleared_at is not None and state.cleared_at <= now:
        state = replace(state, cleared_at=None, relay_until=None if not state.awaited else state.relay_until)
    if state.result_until is not None and state.result_until <= now:
        state = replace(state, result_until=None)
    return state, settled


def _arm_may_not_fall(facts: Facts, state: LaneCondition) -> bool:
    under = state.kept_up if state.doubted else state.passing
    return facts.mode == "hold" and (under or bool(state.awaited) or state.cleared_at is not None)


def _take(
    facts: Facts, state: LaneCondition, happening: LaneInput, now: float
) -> tuple[LaneCondition, tuple[Settled | Unasked, ...]]:
    match happening:
        case Open(about):
            return _opened(facts, state, about, now), ()
        case ShowResult(signal):
            return replace(state, result=signal, result_until=now + facts.other_s), ()
        case Passage(active):
            return _passage(facts, state, active, now)
        case Doubt(on):
            return _doubted(facts, state, on, now)
        case HoldOpen(on):
            return replace(_over_a_car(facts, state, now), held=on), ()
        case Fire(on):
            return replace(_over_a_car(facts, state, now), fire=on), ()
        case Fault(on):
            return replace(state, faulty=on), ()
        case Tick():
            return state, ()


def _over_a_car(facts: Facts, state: LaneCondition, now: float) -> LaneCondition:
    """Before hold or fire change: what they keep open over something in the passage stays open until that has left."""
    stays = facts.mode == "hold" and state.passing and state.relay_on and state.relay_until is None
    return replace(state, relay_until=now) if stays else state


def _opened(facts: Facts, state: LaneCondition, about: str, now: float) -> LaneCondition:
    wait = facts.passage_timeout_s if facts.has_passage and not state.doubted else facts.pulse_s
    pulse = facts.passage_timeout_s if facts.mode == "hold" and facts.has_passage else facts.pulse_s
    return replace(
        state,
        awaited=(*state.awaited, Awaited(about, now + wait)),
        relay_until=now + pulse,
        cleared_at=None,
        result=Signal.GREEN,
        result_until=now + facts.grant_s,
    )


def _passage(
    facts: Facts, state: LaneCondition, active: bool, now: float
) -> tuple[LaneCondition, tuple[Settled | Unasked, ...]]:
    if active == state.passing:
        return state, ()
    if active:  # anyone who follows within the settling time is under the arm too
        return replace(state, passing=True, began=now, cleared_at=None), ()
    began, state = state.began, replace(state, passing=False, began=None, kept_up=False)
    if state.doubted:
        return _settling(facts, state, now), ()
    if not state.awaited:
        return _settling(facts, state, now), _unasked(state, now if began is None else began)
    settled = Settled(state.awaited[0].about, "passed")
    state = replace(state, awaited=state.awaited[1:], ended=(now, "passed"))
    if not state.awaited and state.result is Signal.GREEN:
        state = replace(state, result_until=None)
    return _settling(facts, state, now), (settled,)


def _unasked(state: LaneCondition, began: float) -> tuple[Unasked, ...]:
    if state.held or state.fire:
        return ()
    at, outcome = state.ended or (float("-inf"), "no_sensor")
    if outcome == "passed" and began - at <= FOLLOWED_S:
        return (Unasked("followed"),)
    return (Unasked("late" if outcome == "not_passed" and began - at <= LATE_S else "alone"),)


def _settling(facts: Facts, state: LaneCondition, now: float) -> LaneCondition:
    """The passage has cleared: an arm that we hold up stays up for a moment."""
    if facts.mode == "hold" and state.relay_until is not None:
        return replace(state, cleared_at=now + facts.settle_s)
    return state


def _doubted(facts: Facts, state: LaneCondition, on: bool, now: float) -> tuple[LaneCondition, tuple[Settled, ...]]:
    """What waits for a passage that nobody can see any longer, or could not, ends without a sensor's word."""
    if on == state.doubted:
        return state, ()
    if on:
        kept_up = facts.mode == "hold" and state.passing and state.relay_on
        return _run_out(facts, replace(state, doubted=True, kept_up=kept_up), now)
    settled = tuple(Settled(awaited.about, "no_sensor") for awaited in state.awaited)
    return replace(state, doubted=False, kept_up=False, awaited=()), settled


def _drive(
    state: LaneCondition, happening: LaneInput, settled: tuple[Settled | Unasked, ...]
) -> tuple[LaneCondition, tuple[Action, ...]]:
    wanted = state.fire or state.held or state.relay_until is not None or state.cleared_at is not None
    light = _light(state)
    actions: list[Action] = [MoveRelay(wanted)] if wanted != state.relay_on else []
    actions += settled
    new_result = isinstance(happening, Open | ShowResult)  # of the same colour it sounds again
    if light is not state.shown or new_result:
        actions.append(Light(light))
    return replace(state, relay_on=wanted, shown=light), tuple(actions)


def _light(state: LaneCondition) -> Signal:
    if state.fire or state.held:
        return Signal.GREEN
    if state.result_until is not None:
        return state.result
    return Signal.FAULT if state.faulty else Signal.READY
