"""Every rule of the gate, pure: :func:`decide` turns what is known about a presentation into a verdict.

All rules are evaluated. Deny beats refer beats grant. Among equals, the first in :data:`sync.terms.REASONS` names the
reason.
Afterwards the compound's enforcement stage and the lane's direction may soften the outcome, never harden it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta, tzinfo
from typing import Literal

import msgspec

from kiosk.verbs import Limits
from sync.credential import DIGITS_STEP_S, Credential, Misread, Reading, find_step
from sync.protocol import CredentialRow, ProtocolError, Rules, Terms, Window, read_terms
from sync.terms import Outcome, Reason

TimeState = Literal["trusted", "holdover", "untrusted"]
ListState = Literal["fresh", "stale", "expired", "none"]
Digits = Literal["good", "missing", "stale", "unjudged"]
Direction = Literal["in", "out", "both"]

SENSITIVE = frozenset({"suspended", "attention", "passback", "response_level", "unanswered"})
"""Reasons that bystanders must not be able to tell apart."""
PLEASE_SEE_GUARD = "please_see_guard"
"""What the lane says instead of them, and of whatever a guard refused."""

DIGITS_SLACK_STEPS = 1
DIGITS_JUDGED_STEPS = 20
"""Digits are not judged by a clock that may be further out than this many steps."""

UNSIGNED_ENDS_MS = 7 * 24 * 3_600_000
"""What ended by an unsigned clock only is referred, if it ended within this time after the floor, or else let in."""

_WEIGHT: dict[Outcome, int] = {"deny": 0, "refer": 1, "grant": 2}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the list says. ``own_scope`` is the compound's; ``last_serial`` the highest the list speaks for in the
    credential's scope, None where it says nothing; ``age`` is ``none`` where no complete list is there. ``has_keys``:
    a key of the own scope is known, without which nobody can tell the compound's passes from others."""

    own_scope: int
    has_keys: bool = True
    row: CredentialRow | None = None
    last_serial: int | None = None
    age: ListState = "none"


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate remembers of this person. ``since_last_s``: seconds since the last use in this direction; None
    where there is none, or where another direction was used since. ``person_today``, ``household_today``: entries.
    ``entries``: of this person in all, also one that is under way; ``first_entry_ms``: the first whose time was known.
    """

    since_last_s: float | None = None
    person_today: int = 0
    household_today: int = 0
    entries: int = 0
    first_entry_ms: int | None = None
    digits: Digits = "unjudged"


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """The lane at which it was shown."""

    name: str
    direction: Direction = "in"
    lockdown: bool = False


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's time: UTC milliseconds, how far they may be out, and the floor that time cannot be before. ``signed``:
    the centre's word stands behind it, and not only a hardware clock's or a guard's."""

    utc_ms: int
    state: TimeState
    signed: bool = True
    uncertainty_ms: int = 0
    floor_ms: int = 0
    zone: tzinfo

    @property
    def judged(self) -> bool:
        """Whether rules about time of day, age and not-before may be judged at all."""
        return self.state != "untrusted"

    @property
    def local(self) -> datetime:
        """The compound's wall clock."""
        return datetime.fromtimestamp(self.utc_ms / 1000, self.zone)

    @property
    def midnight_ms(self) -> int:
        """When the local day began."""
        return int(datetime.combine(self.local.date(), time(), self.zone).timestamp() * 1000)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """``reason`` always says what was found; ``guidance`` repeats it where enforcement softened the outcome;
    ``also`` holds every further reason that was true, in order; ``limits`` what those about time go by. ``look``: what
    a guard shall look for, of whatever list; ``attention`` where the row says no more; empty where there is no mark."""

    outcome: Outcome
    reason: Reason
    also: tuple[Reason, ...] = ()
    guidance: str = ""
    listed: bool = False
    limits: Limits = Limits()
    look: str = ""


class _Case(msgspec.Struct, frozen=True):
    credential: Credential
    known: Known
    use: Use
    rules: Rules
    lane: Lane
    now: Now

    @property
    def row(self) -> CredentialRow | None:
        """The list's row, if it speaks of this very credential."""
        row, shown = self.known.row, self.credential
        same = row is not None and (
            row.kind == shown.kind
            and row.medium == shown.medium
            and row.not_before_step == shown.not_before_step
            and row.validity_hours == shown.validity_hours
            and row.random == shown.random
        )
        return row if same else None

    @property
    def until_ms(self) -> int:
        """The row is not signed: it may end a pass at any time, and extend it as far as the root-signed rule goes."""
        shown = self.credential
        honoured = self.rules.honoured_ms(shown.kind, shown.valid_until_ms)
        return min(self.row.valid_until_ms, honoured) if self.row else shown.valid_until_ms

    @property
    def state(self) -> str:
        return self.row.state if self.row else ""

    @property
    def younger_than_list(self) -> bool:
        return self.known.last_serial is None or self.credential.serial > self.known.last_serial

    @property
    def admitted_unlisted(self) -> bool:
        own = self.credential.scope == self.known.own_scope
        return own and self.credential.kind in self.rules.unlisted_admits

    @property
    def is_entry(self) -> bool:
        return self.lane.direction in entrances(self.rules)

    @property
    def counts_for_quota(self) -> bool:
        return self.now.judged and self.is_entry

    @property
    def terms(self) -> Terms:
        return terms_of(self.credential.kind, self.row, self.rules)


def _foreign_scope(case: _Case) -> Outcome | None:
    scope = case.credential.scope
    return None if scope == case.known.own_scope or scope in case.rules.accepts else "deny"


def _no_list(case: _Case) -> Outcome | None:
    return "refer" if case.known.age == "none" and case.row is None else None


def _not_on_list(case: _Case) -> Outcome | None:
    missing = case.known.age != "none" and case.row is None and not case.younger_than_list
    return "deny" if missing else None


def _unlisted(case: _Case) -> Outcome | None:
    if case.known.age == "none" or case.row is not None or not case.younger_than_list:
        return None
    return "grant" if case.admitted_unlisted else "refer"


def _in_state(state: str, outcome: Outcome) -> Callable[[_Case], Outcome | None]:
    return lambda case: outcome if case.state == state else None


def _not_yet_valid(case: _Case) -> Outcome | None:
    return "deny" if case.now.judged and case.now.utc_ms < case.credential.not_before_ms else None


def _expired(case: _Case) -> Outcome | None:
    until, now = case.until_ms, case.now
    if until <= (now.utc_ms if now.judged and now.signed else now.floor_ms):
        return "deny"
    # A clock that no signature stands behind may be far ahead: it refuses nobody, and asks the guard within limits.
    doubtful = now.judged and until <= min(now.utc_ms, now.floor_ms + UNSIGNED_ENDS_MS)
    return "refer" if doubtful else None


def _digits_missing(case: _Case) -> Outcome | None:
    return "deny" if case.use.digits == "missing" else None


def _digits_stale(case: _Case) -> Outcome | None:
    return "refer" if case.use.digits == "stale" else None


def _lockdown(case: _Case) -> Outcome | None:
    return "deny" if case.lane.lockdown else None


def _response_level(case: _Case) -> Outcome | None:
    admits = case.rules.admits
    return "deny" if admits is not None and case.credential.kind not in admits else None


def _wrong_lane(case: _Case) -> Outcome | None:
    lanes = case.row.lanes.split(",") if case.row and case.row.lanes else ()
    return "deny" if lanes and case.lane.name not in lanes else None


def _wrong_kind(case: _Case) -> Outcome | None:
    kinds = case.rules.lane_kinds.get(case.lane.name)
    return "deny" if kinds is not None and case.credential.kind not in kinds else None


def _outside_hours(case: _Case) -> Outcome | None:
    return None if _missed_hours(case) is None else "deny"


def _missed_hours(case: _Case) -> tuple[Window, ...] | None:
    """The hours outside of which it is: the pass's own, or those of its kind; None where it is in both."""
    if not case.now.judged:
        return None
    local, grace = case.now.local, timedelta(seconds=case.rules.grace_s)
    for windows in (case.terms.hours or None, case.rules.hours.get(case.credential.kind)):
        inside = (_is_within(window, local) or _is_within(window, local - grace) for window in windows or ())
        if windows is not None and not any(inside):
            return windows
    return None


def _is_within(window: Window, local: datetime) -> bool:
    """The minute that an officer typed as the end still belongs to the window: until 12:00 is until 12:00:59."""
    minute = local.hour * 60 + local.minute
    if window.from_minute <= window.to_minute:
        return local.isoweekday() in window.days and window.from_minute <= minute <= window.to_minute
    # A window over midnight belongs to the day on which it began.
    if minute >= window.from_minute:
        return local.isoweekday() in window.days
    return minute <= window.to_minute and (local - timedelta(days=1)).isoweekday() in window.days


def _day_over(case: _Case) -> Outcome | None:
    first = case.use.first_entry_ms
    if first is None or not (case.terms.one_day and case.counts_for_quota):
        return None
    day = datetime.fromtimestamp(first / 1000, case.now.zone).date()
    return "deny" if case.now.local.date() > day else None


def _used_up(case: _Case) -> Outcome | None:
    most = case.terms.entries
    return "deny" if most and case.is_entry and case.use.entries >= most else None


def _terms_unread(case: _Case) -> Outcome | None:
    return "refer" if case.row and _own_terms(case.row) is None else None


def _quota_household(case: _Case) -> Outcome | None:
    quota = case.rules.quota_household_day if case.credential.kind == "resident" else None
    over = quota is not None and case.counts_for_quota and case.use.household_today >= quota
    return "refer" if over else None


def _quota_person(case: _Case) -> Outcome | None:
    kind, rules = case.credential.kind, case.rules
    quota = rules.quota_kind_day.get(kind, rules.quota_person_day if kind == "resident" else None)
    over = quota is not None and case.counts_for_quota and case.use.person_today >= quota
    return "refer" if over else None


def _passback(case: _Case) -> Outcome | None:
    since, told_apart = case.use.since_last_s, case.lane.direction != "both" or case.rules.both_ways_counted
    return case.rules.passback if told_apart and since is not None and since < case.rules.passback_s else None


def _list_expired(case: _Case) -> Outcome | None:
    old = case.now.judged and case.known.age == "expired"
    trusted = case.row is not None and case.admitted_unlisted
    return "refer" if old and not trusted else None


def _attention(case: _Case) -> Outcome | None:
    return "refer" if look_of(case.row) else None


def look_of(row: CredentialRow | None) -> str:
    """What a guard shall look for; ``attention`` where the row says no more; empty where it is not marked."""
    return (row.look or "attention") if row and row.attention else ""


_RULES: tuple[tuple[Reason, Callable[[_Case], Outcome | None]], ...] = (
    ("foreign_scope", _foreign_scope),
    ("no_list", _no_list),
    ("not_on_list", _not_on_list),
    ("unlisted", _unlisted),
    ("not_collected", _in_state("printed", "deny")),
    ("superseded", _in_state("superseded", "deny")),
    ("revoked", _in_state("revoked", "deny")),
    ("suspended", _in_state("suspended", "refer")),
    ("not_yet_valid", _not_yet_valid),
    ("expired", _expired),
    ("digits_missing", _digits_missing),
    ("digits_stale", _digits_stale),
    ("lockdown", _lockdown),
    ("response_level", _response_level),
    ("wrong_lane", _wrong_lane),
    ("wrong_kind", _wrong_kind),
    ("outside_hours", _outside_hours),
    ("day_over", _day_over),
    ("used_up", _used_up),
    ("quota_household", _quota_household),
    ("quota_person", _quota_person),
    ("passback", _passback),
    ("list_expired", _list_expired),
    ("terms_unread", _terms_unread),
    ("attention", _attention),
    ("ok", lambda case: "grant"),
)


def entrances(rules: Rules) -> tuple[Direction, ...]:
    """Directions of lanes whose uses are entries. At a lane for both directions nobody knows which it was."""
    return ("in", "both") if rules.both_ways_counted else ("in",)


def terms_of(kind: str, row: CredentialRow | None, rules: Rules) -> Terms:
    """What holds for one pass beside the rules for all. Terms that this gate does not know say nothing here."""
    return rules.terms_for(kind, (_own_terms(row) if row else None) or Terms())


def _own_terms(row: CredentialRow) -> Terms | None:
    """None where this gate does not know such terms."""
    try:
        return read_terms(row.terms)
    except ProtocolError:
        return None


def decide(reading: Reading, known: Known, use: Use, rules: Rules, lane: Lane, now: Now) -> Verdict:
    """What the gate makes of one presentation. Pure and total: an answer for whatever a reader may bring."""
    if isinstance(reading, Misread):
        found: list[tuple[Reason, Outcome]] = [_misread(reading, known)]
        found += [("lockdown", "deny")] if lane.lockdown else []
        return _soften(_verdict(found, listed=False), rules, lane, now)
    case = _Case(reading, known, use, rules, lane, now)
    answers = ((reason, rule(case)) for reason, rule in _RULES)
    found = [(reason, outcome) for reason, outcome in answers if outcome is not None]
    verdict = _verdict(found, listed=case.row is not None)
    verdict = msgspec.structs.replace(verdict, limits=_limits(case, found), look=look_of(case.row))
    return _soften(verdict, rules, lane, now)


def _limits(case: _Case, found: list[tuple[Reason, Outcome]]) -> Limits:
    reasons = {reason for reason, _ in found}
    hours = (_missed_hours(case) or ()) if "outside_hours" in reasons else ()
    return Limits(
        case.credential.not_before_ms if "not_yet_valid" in reasons else 0,
        case.until_ms if "expired" in reasons else 0,
        hours,
        bool(hours) and hours == case.terms.hours,
    )


def _misread(reading: Misread, known: Known) -> tuple[Reason, Outcome]:
    if reading.reason == "foreign_scope" and not known.has_keys:
        return "no_list", "refer"
    return reading.reason, "deny"


def _verdict(found: list[tuple[Reason, Outcome]], listed: bool) -> Verdict:
    reason, outcome = min(found, key=lambda answer: _WEIGHT[answer[1]])  # min keeps the first among equals
    also = tuple(other for other, _ in found if other not in (reason, "ok"))
    return Verdict(outcome=outcome, reason=reason, also=also, listed=listed)


def in_public(outcome: str, reason: str) -> tuple[str, str]:
    """Outcome and reason as lamps and screen may show them: behind every sensitive reason the same yellow. Who has only
    to collect an approved pass sees yellow too, and no red cross."""
    if outcome == "grant":
        return outcome, "ok" if reason in SENSITIVE else reason
    if reason == "not_collected":
        return "refer", reason
    return ("refer", PLEASE_SEE_GUARD) if reason in SENSITIVE else (outcome, reason)


def stage_in_force(rules: Rules, now: Now) -> str:
    """The enforcement stage: the latest that has begun; ``strict`` where none is set."""
    at = max(now.utc_ms, now.floor_ms)
    begun = [stage for stage in rules.enforcement if stage.from_ms <= at]
    return max(begun, key=lambda stage: stage.from_ms).stage if begun else "strict"


def _soften(verdict: Verdict, rules: Rules, lane: Lane, now: Now) -> Verdict:
    outcome, stage = verdict.outcome, stage_in_force(rules, now)
    if stage == "introduce" and not {"bad_signature", "lockdown"} & {verdict.reason, *verdict.also}:
        # A forged signature stays refused, and so does a lane that a supervisor has shut for the moment.
        outcome = "grant"
    elif outcome == "deny" and (stage == "guard" or lane.direction == "out"):
        outcome = "refer"
    if outcome == verdict.outcome:
        return verdict
    return msgspec.structs.replace(verdict, outcome=outcome, guidance=verdict.reason)


def judge_digits(
    credential: Credential, secret: bytes | None, last_step: int | None, now: Now
) -> tuple[Digits, int | None]:
    """How a phone's digits stand, and the step they belong to.

    One step either way is accepted, widened by the clock's uncertainty; a step that was accepted before is stale.
    ``secret`` is None where the scope's code key is not known here: digits are then asked for, but not judged.
    """
    if credential.medium == "card":
        return "unjudged", None
    slack = DIGITS_SLACK_STEPS + -(-now.uncertainty_ms // (DIGITS_STEP_S * 1000))
    if not now.judged or slack > DIGITS_JUDGED_STEPS:
        return "unjudged", None
    if credential.digits is None:
        return "missing", None
    if secret is None:
        return "unjudged", None
    middle = now.utc_ms // (DIGITS_STEP_S * 1000)
    steps = sorted(range(middle - slack, middle + slack + 1), key=lambda step: abs(step - middle))
    step = find_step(secret, credential.digits, steps)
    fresh = step is not None and (last_step is None or step > last_step)
    return ("good", step) if fresh else ("stale", step)
