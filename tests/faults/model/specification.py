"""What a lane owes: a small executable specification, against which :mod:`tests.faults.model.model` holds the gate.

It is written from the design, not from the gate's code: plain functions over plain facts. Each yields the promises
that were broken, as sentences; nothing means that all of them held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from sync.protocol import Event

PULSE_S, SETTLE_S, PASSAGE_S = 0.5, 1.0, 12.0
REPEAT_S, REFER_S, PASSBACK_S, QUOTA = 10.0, 30.0, 180.0, 3
CHATTER_S = 10.5
"""A contact that chatters counts again when it was quiet for so long; until then either level is right."""
SENSOR_S, BUTTON_S = 62.0, 32.0
"""After so long an active input is broken, and the guard is told."""
LONGEST_S = 120.0
"""No opening is under way, and nothing is a repeat, for longer than this: a sensor that stays active is broken."""
CAUSES = ("decided", "ruled", "override", "opened")
"""Kinds of event that open a lane when their outcome is a grant; a hold and a fire are no openings, but states."""
NEVER_OF_A_VALID_PASS = {"foreign_scope", "unknown_key", "bad_signature", "not_on_list", "expired", "not_yet_valid"}


class Showing(msgspec.Struct, frozen=True, kw_only=True):
    """One presentation and what is true of it, beside what the gate can know. None: it cannot be sure."""

    stands: Literal["active", "revoked", "suspended", "foreign", "forged"]
    expired: bool
    """By the true time."""
    known_expired: bool
    """By a time that was signed, and that the gate has written down or still counts on from."""
    list_whole: bool
    clock_doubtful: bool
    """A hardware clock or a guard said the time, and nobody signed it: it may be wrong."""
    lockdown: bool | None
    just_passed: bool | None
    """Within the passback time, or with a passage still under way."""
    quota_full: bool | None = False
    """As many counted passages on this day of the compound as a person may have."""
    digits_sure: bool = True


def broken_by_answer(shown: Showing, outcome: str, reason: str) -> Iterator[str]:
    """A presentation that is no repeat has this answer."""
    valid = shown.stands == "active" and not shown.expired
    if outcome == "grant":
        if shown.stands != "active":
            yield f"a pass that is {shown.stands} is never let in"
        if shown.known_expired:
            yield "an expired pass is not let in once the gate knew better"
        if shown.lockdown:
            yield "lockdown lets nobody in, also after a restart"
        if shown.just_passed:
            yield "a second passage within the passback time is for the guard, also after a restart"
        if shown.quota_full:
            yield "a passage beyond the day's quota is for the guard, also after a restart"
    if valid and outcome == "deny" and shown.lockdown is False:
        yield f"a valid pass is never refused, here as {reason}"
    if valid and reason in NEVER_OF_A_VALID_PASS:
        yield f"a valid pass is never called {reason}"
    if not shown.list_whole:
        return
    nothing_against = shown.lockdown is shown.just_passed is shown.quota_full is False
    gate_knows_all = shown.digits_sure and not shown.clock_doubtful and nothing_against
    if valid and gate_knows_all and outcome != "grant":
        yield f"a valid pass is let in where the gate knows all, here {outcome} {reason}"
    if shown.stands == "revoked" and (outcome, reason) != ("deny", "revoked"):
        yield f"a revoked pass is refused as revoked, here {outcome} {reason}"
    if shown.stands == "suspended" and outcome == "refer" and reason != "suspended":
        yield f"a suspended pass is for the guard, here {reason}"


class Before(msgspec.Struct):
    """The last presentation of the same pass that was no repeat."""

    at: float
    text: str
    outcome: str
    event: str = ""


def broken_by_repeat(
    before: Before | None, text: str, now: float, under_way: bool | None, repeat: bool
) -> Iterator[str]:
    """Whether the answer called it a repeat. ``under_way``: the earlier one's passage or question is still open."""
    if not repeat:
        if before and before.text == text and now - before.at < REPEAT_S - 0.5:
            yield "the same pass again at once is a repeat"
        return
    if before is None:
        yield "nothing is a repeat of what this gate never answered"
        return
    age = now - before.at
    if age > LONGEST_S:
        yield f"nothing is a repeat of what was shown {age:.0f} s ago"
    elif age > REPEAT_S + 0.5 and under_way is False:
        yield f"nothing is a repeat after {age:.0f} s when its passage is over"


def broken_by_relay(on: bool, since_s: float, held: bool, hold_mode: bool, under: bool) -> Iterator[str]:
    """The relay after an act, ``since_s`` after the last opening. ``under``: somebody is or was a moment ago in the
    passage, or is awaited there: in hold mode the arm does not fall on them."""
    longest = PASSAGE_S if hold_mode else PULSE_S
    if (held and not on) or (not held and on and since_s > longest + 0.1 and not (hold_mode and under)):
        yield f"the relay is {'on' if on else 'off'} {since_s:.1f} s after the last opening"


def broken_by_journal(events: Sequence[Event], running: Collection[str], waiting: Collection[str]) -> Iterator[str]:
    """Everything written so far. ``running``: openings that may still be under way; ``waiting``: open questions."""
    openings = [event.id for event in events if event.kind in CAUSES and event.outcome == "grant"]
    ends = Counter(event.about for event in events if event.kind == "passage")
    for opening in openings:
        if ends[opening] > 1:
            yield f"opening {opening} has {ends[opening]} outcomes"
        if not ends[opening] and opening not in running:
            yield f"opening {opening} has no outcome"
    if set(ends) - set(openings):
        yield "a passage is told of an opening that nobody recorded"
    refers = [event.id for event in events if event.kind == "decided" and event.outcome == "refer"]
    answers = Counter(event.about for event in events if event.kind in ("ruled", "override"))
    for refer in refers:
        if not answers[refer] and refer not in waiting:
            yield f"question {refer} was never answered"
    if len({event.id for event in events}) < len([event for event in events if event.kind != "mark"]):
        yield "an event was written twice"
    if any(event.kind in ("events_lost", "journal_set_aside") for event in events):
        yield "events were lost"


def broken_by_silence(trouble: Mapping[str, bool], told: Collection[str]) -> Iterator[str]:
    """``trouble``: what is wrong, by the code that tells it; of several codes in one text one is enough."""
    for codes, wrong in trouble.items():
        if wrong and not set(codes.split()) & set(told):
            yield f"{codes} is told to the guard"
