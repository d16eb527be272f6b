"""The live list as a value: happenings come in, entries (a decision and what became of it) come out. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from kiosk.verbs import LiveLine, LiveLines

KEPT = 200
REST_MS = 3_000
LONGEST_REST_MS = 30_000
"""The core says when opening rests no longer; a page that has not heard it does not ask for ever."""


@dataclass
class Entry:
    """One line of the list: what happened first, and the rulings, overrides and passages that followed it."""

    first: LiveLine
    followers: list[LiveLine] = field(default_factory=list)
    changed: int = 0
    """The board's ``version`` when this entry last changed."""

    @property
    def number(self) -> int:
        return self.first.number

    @property
    def newest(self) -> int:
        return max(h.number for h in self.everything)

    @property
    def newest_act(self) -> int:
        """As :attr:`newest`, but for reasons given afterwards: they change nothing for anyone at the gate."""
        return max(h.number for h in self.everything if h.kind != "explained")

    @property
    def everything(self) -> list[LiveLine]:
        return [self.first, *self.followers]

    def answer(self) -> LiveLine | None:
        """The last ruling or override, or the core's own end of an unanswered refer."""
        answers = [h for h in self.followers if h.kind in ("ruling", "override") or h.reason == "unanswered"]
        return answers[-1] if answers else None

    def rests(self, now_ms: int) -> bool:
        """Whether a guard opened for them a moment ago: until the passage settles, and while the lane shows green."""
        answer = self.answer()
        if answer is None or answer.outcome != "grant" or not answer.by:
            return False
        settled = any(h.kind == "passage" and h.number > answer.number for h in self.followers)
        return now_ms - answer.at_ms < (REST_MS if settled else LONGEST_REST_MS)

    def is_open(self, now_ms: int) -> bool:
        """A refer that still can be ruled on."""
        return self.first.outcome == "refer" and self.answer() is None and now_ms < self.first.open_until_ms


class Board:
    """The last :data:`KEPT` entries of one run of the core.

    Taking the same happenings twice changes nothing. ``version`` grows with every change, over runs too.
    """

    def __init__(self) -> None:
        self.run = ""
        self.newest = 0
        self.version = 0
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._entry_of: dict[int, int] = {}
        """Which entry a follower belongs to: a passage may be about a ruling that was about a decision."""
        self._explained: set[int] = set()

    def take(self, happenings: LiveLines) -> bool:
        """Whether anything changed. Another ``run`` empties the board first."""
        before = self.version
        if happenings.run != self.run:
            self._begin(happenings.run)
        for happening in sorted(happenings.items, key=lambda h: h.number):
            if happening.number > self.newest:
                self._add(happening)
        return self.version != before

    def _begin(self, run: str) -> None:
        self.run, self.newest = run, 0
        self._entries.clear()
        self._entry_of.clear()
        self._explained.clear()
        self.version += 1

    def _add(self, happening: LiveLine) -> None:
        self.version += 1
        self.newest = happening.number
        entry = self._entries.get(self._entry_of.get(happening.about, happening.about))
        if happening.kind in ("explained", "annulled"):  # an act that was a mistake needs no reason
            self._explained.add(happening.about)
            if entry is None and happening.kind == "explained":
                return
        if entry is None:
            entry = self._entries[happening.number] = Entry(happening)
            self._forget_oldest()
        else:
            entry.followers.append(happening)
            self._entry_of[happening.number] = entry.number
        entry.changed = self.version

    def _forget_oldest(self) -> None:
        if len(self._entries) > KEPT:
            _, oldest = self._entries.popitem(last=False)
            for follower in oldest.followers:
                self._entry_of.pop(follower.number, None)

    def entries(self) -> list[Entry]:
        """Newest first."""
        return list(reversed(self._entries.values()))

    def changed_after(self, version: int) -> list[Entry]:
        """Entries changed since ``version``, oldest first."""
        return [entry for entry in self._entries.values() if entry.changed > version]

    def find(self, number: int) -> Entry | None:
        return self._entries.get(number)

    def wanting_reason(self) -> list[LiveLine]:
        """Overrides and rulings whose reason is still asked for, newest first."""
        return [h for entry in self.entries() for h in entry.everything if self.wants_reason(h)]

    def wants_reason(self, happening: LiveLine) -> bool:
        return happening.needs_reason and happening.number not in self._explained

    def waiting(self, now_ms: int) -> list[Entry]:
        """Refers that still can be answered, oldest first: the order people stand in."""
        return [entry for entry in self._entries.values() if entry.is_open(now_ms)]

    def current(self, now_ms: int, lane: str = "") -> Entry | None:
        """What the guard should look at: the longest waiting refer, else the newest decision; of that lane, if any."""

        def is_here(entry: Entry) -> bool:
            return not lane or entry.first.lane == lane

        decided = (e for e in self.entries() if e.first.kind == "decision" and is_here(e))
        return first(filter(is_here, self.waiting(now_ms))) or first(decided)


def first(entries: Iterable[Entry]) -> Entry | None:
    return next(iter(entries), None)
