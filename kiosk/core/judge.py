"""Gathers what is known about a credential and has :mod:`kiosk.core.policy` decide. Records nothing, moves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from kiosk.core.journal.uses import UseRow, Uses
from kiosk.core.kept import Kept, Memory
from kiosk.core.mirror import Mirror
from kiosk.core.policy import (
    Digits,
    Direction,
    Known,
    Lane,
    Now,
    Use,
    Verdict,
    decide,
    entrances,
    judge_digits,
    terms_of,
)
from sync.cache import credential_id
from sync.credential import Credential, Reading, code_secret
from sync.protocol import CredentialRow, Terms

_AHEAD_MS = 120_000
"""A use further in the future than a clock's correction explains was dated by a clock that knew more than this one
does (a restart without time): it says nothing about how long ago it was."""


_KEPT_AFTER_MS = 3 * 24 * 3_600_000
"""So long after the end of a pass its entries are remembered: it may be extended."""


class Whose(msgspec.Struct, frozen=True):
    """Whose passage it will be, for passback and quotas; nobody's, where a guard opens without a presentation.
    ``kept_until_ms``: how long it counts; 0: some days."""

    person: int | None = None
    household: int = 0
    kept_until_ms: int = 0


def person_of(scope: int, serial: int, row: CredentialRow | None) -> int:
    """Whose use it is: card and phone of one pass are one person; what is not listed counts for itself."""
    if row is None or not row.number:
        return credential_id(scope, serial)
    mark = hashlib.blake2b(row.number.encode(), digest_size=7).digest()
    return 1 << 56 | int.from_bytes(mark, "big")  # above every credential's own number


class Decision(msgspec.Struct, frozen=True):
    """What a presentation came to, with what it was judged by. ``step``: the digits' step, to be used up with it.
    ``terms``: those of the pass and of the rules together; ``entered``: how often it came in before."""

    verdict: Verdict
    reading: Reading
    row: CredentialRow | None = None
    step: tuple[int, int] | None = None
    terms: Terms = Terms()
    entered: int = 0

    @property
    def credential(self) -> int | None:
        """Which credential it was; None for what was not one of ours."""
        shown = self.reading
        return credential_id(shown.scope, shown.serial) if isinstance(shown, Credential) else None

    @property
    def whose(self) -> Whose:
        shown, row = self.reading, self.row
        if not isinstance(shown, Credential):
            return Whose()
        # A household's quota is its residents': not its car's, nor its visitors'.
        household = row.household if row and row.kind == "resident" else 0
        ends = max(shown.valid_until_ms, row.valid_until_ms if row else 0)
        kept_until_ms = ends + _KEPT_AFTER_MS if self.terms.counted else 0
        return Whose(person_of(shown.scope, shown.serial, row), household, kept_until_ms)


class Judge:
    """Decides on readings with this gate's list, uses and time. Belongs to the thread that owns the list."""

    def __init__(self, mirror: Mirror, uses: Uses, kept: Kept[Memory], own_scope: int, now: Callable[[], Now]):
        self._mirror = mirror
        self._uses = uses
        self._kept = kept
        self._own_scope = own_scope
        self._now = now

    def judge(self, reading: Reading, lane: str, direction: Direction, under_way: Sequence[UseRow]) -> Decision:
        """The decision at a lane. ``under_way``: passages that began and are not counted yet."""
        now, rules = self._now(), self._mirror.vouched.rules
        at = Lane(name=lane, direction=direction, lockdown=lane in self._kept.now.lockdown)
        if not isinstance(reading, Credential):
            has_keys = any(scope == self._own_scope for scope, _ in self._mirror.vouched.keys)
            known = Known(own_scope=self._own_scope, has_keys=has_keys, age=self._mirror.list_state())
            return Decision(decide(reading, known, Use(), rules, at, now), reading)
        row, last_serial, age = self._mirror.find(reading.scope, reading.serial)
        known = Known(own_scope=self._own_scope, row=row, last_serial=last_serial, age=age)
        digits, step = self._digits(reading, now)
        use = self._use(reading, row, direction, digits, now, under_way)
        terms = terms_of(reading.kind, row, rules)
        return Decision(decide(reading, known, use, rules, at, now), reading, row, step, terms, use.entries)

    def _digits(self, shown: Credential, now: Now) -> tuple[Digits, tuple[int, int] | None]:
        number = credential_id(shown.scope, shown.serial)
        code_key = self._mirror.vouched.code_keys.get(shown.scope)
        secret = code_secret(code_key, shown.serial) if code_key else None
        digits, step = judge_digits(shown, secret, self._uses.steps.get(number), now)
        return digits, (number, step) if step is not None and digits == "good" else None

    def _use(
        self,
        shown: Credential,
        row: CredentialRow | None,
        direction: Direction,
        digits: Digits,
        now: Now,
        under_way: Sequence[UseRow],
    ) -> Use:
        who = person_of(shown.scope, shown.serial, row)
        # A clock that does not know the time begins at its floor: how long ago anything before that was, nobody knows.
        from_ms = 0 if now.judged else now.floor_ms
        last = self._uses.since_other_way(who, direction, from_ms, now.utc_ms + _AHEAD_MS, under_way)
        counted_as_entries = entrances(self._mirror.vouched.rules)
        person, household = self._uses.today(who, row.household if row else 0, now.midnight_ms, counted_as_entries)
        entries, first_ms = self._uses.entries(who, counted_as_entries, under_way)
        return Use(
            entries=entries,
            first_entry_ms=first_ms,
            since_last_s=None if last is None else max(0.0, (now.utc_ms - last) / 1000),
            person_today=person,
            household_today=household,
            digits=digits,
        )
