"""What guards do at the gate: they rule, override, explain, hold a lane open, lock it down, and look passes up."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from kiosk.channel import Refused
from kiosk.core.book import Book
from kiosk.core.gate import NOBODY, Gate, answered_in_public
from kiosk.core.guards.family import FamilyThrough
from kiosk.core.guards.provisional import ProvisionalEntries
from kiosk.core.judge import person_of
from kiosk.core.kept import Kept, KeptOverspent, Memory, with_name
from kiosk.core.lanes import lane as lanes
from kiosk.core.lanes.lane_run import LaneRun
from kiosk.core.mirror import Mirror
from kiosk.core.policy import look_of
from kiosk.verbs import FoundPass, FoundPasses, LiveLine
from sync.cache import credential_id, is_name
from sync.protocol import Event

OVERRIDE_HOURS = 12
_OPENED_KEPT = 100
_OVERSPENT_KEPT = 20
_LONGEST_DWELLING = 40
_MOST_WORDS = 200
"""Characters of a guard's reason that are kept."""


class GuardActs:
    """Each act is recorded, with the guard's name, before it moves anything. On the core's loop only."""

    def __init__(
        self,
        gate: Gate,
        book: Book,
        mirror: Mirror,
        kept: Kept[Memory],
        monotonic: Callable[[], float],
        provisional: ProvisionalEntries,
        family: FamilyThrough,
    ):
        self.provisional = provisional
        self.family = family
        self.unexplained: set[int] = set()
        """Overrides, by their number in the live list, that still wait for a reason."""
        self._gate = gate
        self._book = book
        self._mirror = mirror
        self._kept = kept
        self._monotonic = monotonic
        self._annulled: set[str] = set()
        self._overrides: dict[str, deque[float]] = {}
        self._opened: OrderedDict[int, tuple[str, float]] = OrderedDict()
        """What guards opened of late: the first line of whom it was for, the event, and when."""

    def rule(self, number: int, grant: bool, by: str, reason: str) -> LiveLine:
        """A guard's answer to a refer. Raises Refused when it is not (or no longer) waiting."""
        refer = self._gate.refers.pop(number, None)
        if refer is None:
            raise Refused("not_waiting")
        ruling = self._gate.answer(number, refer, "grant" if grant else "deny", by, reason[:_MOST_WORDS])
        if grant:
            self._note_opened(number, ruling.event)
        return ruling

    def override(self, lane: str, opens: bool, number: int, by: str, reason: str) -> LiveLine:
        """Open or refuse whatever was decided. Never silent, never stopped by a budget.

        Raises Refused ``under_way`` where a guard has just opened for that person: a second car must not follow."""
        run = self._gate.run(lane)
        about = self._book.line(number)
        if about is not None and about.lane != lane:
            about, number = None, 0  # of another lane: it opens all the same
        if opens and about is not None and self._is_under_way(run, number):
            raise Refused("under_way")
        presented = run.repeats.of(number)
        scope, serial = divmod(presented.credential or 0, 1 << 32) if presented else (0, 0)
        over_budget = self._spend(by)
        event, saved = self._book.record(
            "override",
            lane=lane,
            direction=run.section.direction,
            outcome="grant" if opens else "deny",
            about=about.event if about else "",
            scope=scope,
            serial=serial,
            by=by,
            reason="over_budget" if over_budget else "",
            why=reason[:_MOST_WORDS],
        )
        happening = self._book.announce(
            "override",
            lane=lane,
            outcome=event.outcome,
            reason=event.reason,
            about=number,
            by=by,
            event=event.id,
            needs_reason=not reason,
            **_named(about),
        )
        if not reason:
            self.unexplained.add(happening.number)
        self._gate.refers.pop(number, None)
        if presented:
            self._gate.not_used(presented.event)  # this answer stands in its place
        run.repeats.answered(number, event.id, event.outcome, answered_in_public(event))
        if opens:
            self._gate.open(run, event, happening.number, saved, presented.whose if presented else NOBODY)
            self._note_opened(happening.number, event.id)
        else:
            self._gate.show(run, *answered_in_public(event))
        if over_budget:  # the gate has moved by now: the memory is a file, and its disk may be slow
            told = KeptOverspent(event.id, by, lane, event.at_ms)
            self._kept.change(overspent=(*self._kept.now.overspent, told)[-_OVERSPENT_KEPT:])
        return happening

    def _is_under_way(self, run: LaneRun, number: int) -> bool:
        """Whether a guard opened for the one of that line, and the passage has not settled: at least while the lane
        shows green, and at most as long as somebody may take to pass."""
        opened = self._opened.get(self._book.first_of(number))
        if opened is None:
            return False
        event, at = opened
        gone = self._monotonic() - at
        return gone < run.facts.grant_s or (event in self._gate.openings and gone < run.facts.passage_timeout_s)

    def _note_opened(self, number: int, event: str) -> None:
        """Remember that a guard opened for the one of that line."""
        self._opened[self._book.first_of(number)] = event, self._monotonic()
        if len(self._opened) > _OPENED_KEPT:
            self._opened.popitem(last=False)

    def _spend(self, by: str) -> bool:
        now = self._monotonic()
        spent = self._overrides.setdefault(by, deque())
        while spent and now - spent[0] > OVERRIDE_HOURS * 3600:
            spent.popleft()
        spent.append(now)
        return len(spent) > self._mirror.vouched.rules.override_budget

    def heed(self, event: str, by: str) -> None:
        """A supervisor has seen the overrides beyond the budget up to that one. Idempotent."""
        told = self._kept.now.overspent
        place = next((at for at, one in enumerate(told) if one.event == event), None)
        if place is not None:
            self._book.record("acknowledged", by=by, why="over_budget", about=event, count=place + 1)
            self._kept.change(overspent=told[place + 1 :])

    def explain(self, number: int, by: str, reason: str, dwelling: str = "") -> None:
        """The reason of an earlier ruling or override, and whom it was for. Raises Refused: ``unknown_happening``, or
        ``no_names`` for a dwelling without a digit."""
        dwelling = dwelling.strip()[:_LONGEST_DWELLING]
        if dwelling and is_name(dwelling):
            raise Refused("no_names")
        about = self._book.line(number)
        if about is None or about.kind not in ("override", "ruling"):
            raise Refused("unknown_happening")
        why = reason[:_MOST_WORDS]
        event, _ = self._book.record("explained", lane=about.lane, about=about.event, by=by, why=why, dwelling=dwelling)
        self.unexplained.discard(number)
        self._book.announce("explained", lane=about.lane, reason=why, about=number, by=by, event=event.id)

    def annul(self, act: Event, by: str) -> LiveLine:
        """A ruling or override was pressed by mistake: it stays in the journal, and counts as if it had not been, also
        in its guard's budget. Raises Refused ``annulled_before``."""
        if act.id in self._annulled:
            raise Refused("annulled_before")
        self._annulled.add(act.id)
        self._kept.change(overspent=tuple(one for one in self._kept.now.overspent if one.event != act.id))
        event, _ = self._book.record(
            "annulled",
            annuls=self._gate.uses.of_act(act.id),
            lane=act.lane,
            direction=act.direction,
            outcome=act.outcome,
            about=act.id,
            by=by,
        )
        self._gate.annul(act.id)
        line = self._book.line_of(act.id)
        number = line.number if line else 0
        self.unexplained.discard(number)
        if act.kind == "override" and self._overrides.get(act.by):
            self._overrides[act.by].pop()
        return self._book.announce("annulled", lane=act.lane, outcome=act.outcome, about=number, by=by, event=event.id)

    def hold(self, lane: str, on: bool, by: str) -> LiveLine:
        """Hold a lane open, or end that. After a restart a held lane is a question until a guard answers it."""
        run = self._gate.run(lane)
        event, _ = self._book.record("hold", lane=lane, outcome="on" if on else "off", by=by)
        self._gate.drive(run, lanes.HoldOpen(on))  # first the lane, then the books
        self._kept.change(held=with_name(self._kept.now.held, lane, on))
        return self._book.announce("held_open", lane=lane, outcome=event.outcome, by=by, event=event.id)

    def lockdown(self, lane: str, on: bool, by: str, reason: str) -> LiveLine:
        """Refuse everybody at a lane, or end that; it outlasts a restart. Guards and the button still open."""
        self._gate.run(lane)
        why = reason[:_MOST_WORDS]
        event, _ = self._book.record("lockdown", lane=lane, outcome="on" if on else "off", by=by, why=why)
        self._kept.change(lockdown=with_name(self._kept.now.lockdown, lane, on))
        return self._book.announce("lockdown", lane=lane, outcome=event.outcome, by=by, event=event.id)

    def look_up(self, term: str) -> FoundPasses:
        """Passes by dwelling, plate, number or short code."""
        rows = self._mirror.look_up(term.strip())
        found: dict[str, FoundPass] = {}
        for row in rows:
            key = row.number or str(credential_id(row.scope, row.serial))
            last = self._gate.uses.last_ms(person_of(row.scope, row.serial, row)) or 0
            if key in found:  # the card and the phone of one pass are one line
                found[key].last_passage_ms = max(found[key].last_passage_ms, last)
                continue
            found[key] = FoundPass(
                label=row.label,
                dwelling=row.dwelling,
                kind=row.kind,
                plate=row.plate,
                number=row.number,
                state=row.state,
                valid_until_ms=row.valid_until_ms,
                last_passage_ms=last,
                look=look_of(row),
            )
        return FoundPasses(list(found.values()))


def _named(about: LiveLine | None) -> dict[str, str]:
    """Whose pass a line of the live list is about, as another line says it."""
    if about is None:
        return {}
    return {name: getattr(about, name) for name in ("label", "dwelling", "pass_kind", "plate", "pass_number")}
