"""The uses of the last days in memory: what passback and quotas ask. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

MOST_LASTING = 5000
"""Uses that are kept longer than the last days, at most: the newest."""


class UseRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One counted passage: whose (:func:`kiosk.core.judge.person_of`), when, in which direction, of which household.
    ``kept_until_ms``: as long it is remembered, since the pass is good for some entries only; 0: some days.
    ``undated``: the clock did not know the time."""

    person: int
    at_ms: int
    direction: str
    household: int = 0
    kept_until_ms: int = 0
    undated: bool = False


def lasting(rows: Iterable[UseRow], now_ms: int) -> list[UseRow]:
    """Those that must be remembered longer than the last days, each once. Of one person all or none: a pass that was
    extended still has the entries that it had before."""
    kept = dict.fromkeys(row for row in rows if row.kept_until_ms)
    persons = {row.person for row in kept if row.kept_until_ms > now_ms}
    return [row for row in kept if row.person in persons][-MOST_LASTING:]


def without(rows: Iterable[UseRow], annulled: Iterable[UseRow]) -> list[UseRow]:
    """Those rows, but for what was annulled: each once."""
    kept = list(rows)
    for row in annulled:
        if row in kept:
            kept.remove(row)
    return kept


class Uses:
    """The counted passages of the last days. Not thread-safe."""

    def __init__(
        self,
        counted: Iterable[UseRow] = (),
        steps: Mapping[int, int] | None = None,
        of_acts: Mapping[str, UseRow] | None = None,
    ):
        self._by_person: dict[int, list[UseRow]] = {}
        self._by_household: dict[int, list[UseRow]] = {}
        self.steps: dict[int, int] = {}
        """The last accepted digit step by credential."""
        self._of_acts: dict[str, UseRow] = {}
        """Which use an act brought about, by its event: what a guard may still take back."""
        self.take(counted, steps or {}, of_acts)

    def take(
        self, counted: Iterable[UseRow], steps: Mapping[int, int], of_acts: Mapping[str, UseRow] | None = None
    ) -> None:
        """Add what an earlier run counted; of two steps of one credential the higher stands."""
        self._of_acts |= of_acts or {}
        for row in counted:
            self.count(row)
        for credential, step in steps.items():
            self.steps[credential] = max(step, self.steps.get(credential, step))

    def count(self, row: UseRow, act: str = "") -> None:
        """``act`` is the event that opened for it."""
        if act:
            self._of_acts[act] = row
        self._by_person.setdefault(row.person, []).append(row)
        if row.household:
            self._by_household.setdefault(row.household, []).append(row)

    def of_act(self, act: str) -> UseRow | None:
        """The use that an act brought about; None: none, or long ago."""
        return self._of_acts.get(act)

    def annul(self, act: str) -> None:
        """That act was a mistake: its use has not been. Idempotent."""
        row = self._of_acts.pop(act, None)
        if row is not None:
            self._by_person[row.person].remove(row)
            if row.household:
                self._by_household[row.household].remove(row)

    def last_ms(self, person: int) -> int | None:
        """When they last passed."""
        return max((row.at_ms for row in self._by_person.get(person, ())), default=None)

    def since_other_way(
        self, person: int, direction: str, from_ms: int, until_ms: int, under_way: Iterable[UseRow] = ()
    ) -> int | None:
        """When they last passed in that direction, unless they passed in another since: who went in and out again has
        used nothing up. What is dated before ``from_ms`` or after ``until_ms`` says nothing. ``under_way``: passages
        not counted yet; they use something up, but clear nothing, since nobody may come of them."""
        counted = (row for row in self._by_person.get(person, ()) if from_ms <= row.at_ms <= until_ms)
        begun = (row for row in under_way if (row.person, row.direction) == (person, direction))
        rows = (*counted, *begun)
        last = max(rows, key=lambda row: row.at_ms, default=None)
        return last.at_ms if last is not None and last.direction == direction else None

    def today(self, person: int, household: int, day_start_ms: int, entrances: tuple[str, ...]) -> tuple[int, int]:
        """Uses since then in these directions: of the person, and of the household."""

        def entries(rows: Iterable[UseRow]) -> int:
            return sum(1 for row in rows if row.at_ms >= day_start_ms and row.direction in entrances)

        return entries(self._by_person.get(person, ())), entries(self._by_household.get(household, ()))

    def entries(
        self, person: int, entrances: tuple[str, ...], under_way: Iterable[UseRow] = ()
    ) -> tuple[int, int | None]:
        """How often they came in, also with what is under way, and when first (UTC milliseconds; None where that is not
        known)."""
        rows = [*self._by_person.get(person, ()), *(row for row in under_way if row.person == person)]
        counted = [row for row in rows if row.direction in entrances]
        return len(counted), min((row.at_ms for row in counted if not row.undated), default=None)

    def forget(self, before_ms: int, now_ms: int) -> None:
        """Drop what is older and need not last, so that memory stays small."""
        self._of_acts = {act: row for act, row in self._of_acts.items() if row.at_ms >= before_ms}
        lasts = set(lasting((row for rows in self._by_person.values() for row in rows), now_ms))
        for index in (self._by_person, self._by_household):
            for key in list(index):
                kept = [row for row in index[key] if row.at_ms >= before_ms or row in lasts]
                if kept:
                    index[key] = kept
                else:
                    del index[key]
