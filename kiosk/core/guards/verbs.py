"""What a guard's page may ask of the core: each verb checks the session, then puts its question on the loop.

Waiting for news and checking a PIN happen on the asking connection's own thread and never hold the loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from kiosk import verbs
from kiosk.channel import Refused, Verb
from kiosk.core.book import Book
from kiosk.core.cautions import Cautions
from kiosk.core.clock import Clock
from kiosk.core.gate import Gate
from kiosk.core.guards.acts import GuardActs
from kiosk.core.guards.corrections import Correctable
from kiosk.core.guards.live import LiveList
from kiosk.core.guards.once import Once
from kiosk.core.guards.post import GuardSessions
from kiosk.core.guards.shifts import DutyRoster
from kiosk.core.guards.shown import LanesShown
from kiosk.core.guards.viewing import Viewings
from kiosk.core.jobs import Jobs
from kiosk.core.journal import Saved
from sync.shifts import ShiftSheet

READ_BACK_S = 1.0
_NO_LINE = verbs.LiveLine(number=0, kind="state")
"""What became of an act that no line of the live list tells."""


class GuardVerbs:
    """``state`` is run on the loop and answers how the gate is."""

    def __init__(
        self,
        jobs: Jobs,
        gate: Gate,
        book: Book,
        acts: GuardActs,
        live: LiveList,
        clock: Clock,
        post: GuardSessions,
        state: Callable[[], verbs.GateState],
        cautions: Cautions,
        viewings: Viewings,
        roster: DutyRoster,
        correctable: Correctable,
        shown: LanesShown,
    ):
        self._jobs = jobs
        self._gate = gate
        self._book = book
        self._acts = acts
        self._live = live
        self._clock = clock
        self._post = post
        self._state = state
        self._cautions = cautions
        self._viewings = viewings
        self._roster = roster
        self._correctable = correctable
        self._lanes_shown = shown
        self._once = Once(live.run)

    def answers(self) -> dict[Verb[Any, Any], Callable[[Any], Any]]:
        return {
            verbs.SIGN_IN: self._sign_in,
            verbs.SIGN_OUT: self._sign_out,
            verbs.WHO: lambda asked: self._post.who(asked.token),
            verbs.WATCH: self._watch,
            verbs.STATE: lambda _: self._jobs.ask(self._state),
            verbs.SHOWN: self._shown,
            verbs.RULE: self._rule,
            verbs.OVERRIDE: self._override,
            verbs.SETTLE: self._settle,
            verbs.EXPLAIN: self._explain,
            verbs.ACKNOWLEDGE: self._acknowledge,
            verbs.ADMIT: self._admit,
            verbs.LASTING: self._lasting,
            verbs.FOLLOW: self._follow,
            verbs.VIEW: self._view,
            verbs.HEED: self._heed,
            verbs.HOLD: self._hold,
            verbs.LOCKDOWN: self._lockdown,
            verbs.LOOK_UP: self._look_up,
            verbs.PRESENT_TEXT: self._present_text,
            verbs.CONFIRM_TIME: self._confirm_time,
            verbs.BEGIN_SHIFT: self._begin_shift,
            verbs.END_SHIFT: self._end_shift,
            verbs.NOTE: self._note,
            verbs.SHIFTS: self._shifts,
            verbs.SHEET: self._sheet,
            verbs.ACTS: self._guard_acts,
            verbs.ANNUL: self._annul,
        }

    def _sign_in(self, asked: verbs.SignIn) -> verbs.Session:
        session = self._post.sign_in(asked)
        self._jobs.put(lambda: self._book.record("sign_in", by=session.name))
        return session

    def _sign_out(self, asked: verbs.Token) -> verbs.Nothing:
        self._post.sign_out(asked.token)
        return verbs.Nothing()

    def _watch(self, asked: verbs.Watch) -> verbs.LiveLines:
        self._post.who(asked.token)
        return self._live.after(asked.after, asked.wait_s)

    def _shown(self, asked: verbs.ShownAfter) -> verbs.Shown:
        number = self._lanes_shown.after(asked.number if asked.run == self._live.run else 0, asked.wait_s)
        return verbs.Shown(number, self._jobs.ask(self._state))

    def _rule(self, asked: verbs.Ruling) -> verbs.LiveLine:
        by = self._post.who(asked.token).name
        act = partial(self._acts.rule, asked.happening, asked.grant, by, asked.reason)
        return self._jobs.ask(lambda: self._once.carry_out(asked, act, asked.happening), asked.at)

    def _override(self, asked: verbs.Override) -> verbs.LiveLine:
        by = self._post.who(asked.token).name
        act = partial(self._acts.override, asked.lane, asked.open, asked.happening, by, asked.reason)
        return self._jobs.ask(lambda: self._once.carry_out(asked, act, asked.happening), asked.at)

    def _settle(self, asked: verbs.Settle) -> verbs.Became:
        self._post.who(asked.token)
        return self._jobs.ask(lambda: self._once.settle(asked.act, asked.run))

    def _explain(self, asked: verbs.Explain) -> verbs.Nothing:
        by = self._post.who(asked.token).name
        self._jobs.ask(lambda: self._acts.explain(asked.happening, by, asked.reason, asked.dwelling))
        return verbs.Nothing()

    def _acknowledge(self, asked: verbs.Acknowledge) -> verbs.Nothing:
        by = self._post.who(asked.token).name

        def acknowledge() -> verbs.LiveLine:
            for seen in self._cautions.acknowledge(asked.number):
                self._book.record("acknowledged", lane=seen.lane, by=by, why=seen.code)
                if seen.code == "call":
                    self._gate.call_answered(seen.lane, by)
            return _NO_LINE

        self._jobs.ask(lambda: self._once.carry_out(asked, acknowledge), asked.at)
        return verbs.Nothing()

    def _admit(self, asked: verbs.Admission) -> verbs.LiveLine:
        by = self._post.who(asked.token).name
        entries = self._acts.provisional
        act = partial(entries.admit, asked.lane, asked.dwelling, asked.people, asked.unlisted, by)
        return self._jobs.ask(lambda: self._once.carry_out(asked, act), asked.at)

    def _follow(self, asked: verbs.Followers) -> verbs.LiveLine:
        by = self._post.who(asked.token).name
        act = partial(self._acts.family.follow, asked.lane, asked.happening, asked.count, by)
        return self._jobs.ask(lambda: self._once.carry_out(asked, act, asked.happening), asked.at)

    def _lasting(self, asked: verbs.Token) -> verbs.ProvisionalEntries:
        self._post.who(asked.token)
        return self._jobs.ask(self._acts.provisional.lasting)

    def _view(self, asked: verbs.View) -> verbs.Nothing:
        """Recorded before the reader hears of it. An act of a technician's, and none of the gate's."""
        by = self._post.technician(asked.token).name

        def view() -> verbs.Nothing:
            self._gate.run(asked.lane)
            self._book.record("viewed", lane=asked.lane, by=by)
            self._viewings.begin(asked.lane)
            return verbs.Nothing()

        return self._jobs.ask(view)

    def _heed(self, asked: verbs.Heed) -> verbs.Nothing:
        by = self._post.supervisor(asked.token).name

        def heed() -> verbs.LiveLine:
            self._acts.heed(asked.event, by)
            return _NO_LINE

        self._jobs.ask(lambda: self._once.carry_out(asked, heed), asked.at)
        return verbs.Nothing()

    def _hold(self, asked: verbs.Hold) -> verbs.LiveLine:
        act = partial(self._acts.hold, asked.lane, asked.open, self._post.who(asked.token).name)
        return self._jobs.ask(lambda: self._once.carry_out(asked, act), asked.at)

    def _lockdown(self, asked: verbs.Lockdown) -> verbs.LiveLine:
        by = self._post.supervisor(asked.token).name
        act = partial(self._acts.lockdown, asked.lane, asked.on, by, asked.reason)
        return self._jobs.ask(lambda: self._once.carry_out(asked, act), asked.at)

    def _look_up(self, asked: verbs.LookUp) -> verbs.FoundPasses:
        self._post.who(asked.token)
        return self._jobs.ask(lambda: self._acts.look_up(asked.term))

    def _present_text(self, asked: verbs.PresentText) -> verbs.PresentationAnswer:
        self._post.who(asked.token)
        source = asked.source if asked.source in ("phone", "hand") else "phone"
        shown = verbs.Presentation(lane=asked.lane, text=asked.text, source=source)
        return self._jobs.ask(lambda: self._gate.present(shown), asked.at)

    def _confirm_time(self, asked: verbs.ConfirmTime) -> verbs.Nothing:
        by = self._post.who(asked.token).name

        def confirm() -> verbs.LiveLine:
            why = self._clock.confirm(asked.utc_ms)
            if why:
                raise Refused(why)
            self._book.record("clock", by=by, why="a guard confirmed the time")
            return _NO_LINE

        self._jobs.ask(lambda: self._once.carry_out(asked, confirm), asked.at)
        return verbs.Nothing()

    def _begin_shift(self, asked: verbs.BeginShift) -> verbs.Nothing:
        by = self._post.who(asked.token).name
        return self._change(asked, lambda: self._roster.begin(by))

    def _end_shift(self, asked: verbs.EndShift) -> verbs.Nothing:
        by = self._post.who(asked.token)
        return self._change(asked, lambda: self._roster.end(by, asked.shift))

    def _note(self, asked: verbs.Note) -> verbs.Nothing:
        by = self._post.who(asked.token).name
        return self._change(asked, lambda: self._roster.note(by, asked.text))

    def _change(self, asked: verbs.Act, change: Callable[[], Saved | None]) -> verbs.Nothing:
        """Carry out an act that no line of the live list tells. It can be read back by then, unless the disk is slow;
        that is waited for on the asking connection's own thread."""
        on_disk: list[Saved | None] = []

        def act() -> verbs.LiveLine:
            on_disk.append(change())
            return _NO_LINE

        self._jobs.ask(lambda: self._once.carry_out(asked, act), asked.at)
        for saved in filter(None, on_disk):
            saved.wait(READ_BACK_S)
        return verbs.Nothing()

    def _shifts(self, asked: verbs.Token) -> verbs.Shifts:
        """The journal is read on the asking connection's own thread; who is on duty needs no journal."""
        self._post.who(asked.token)
        on = self._jobs.ask(self._roster.on)
        try:
            return verbs.Shifts(on, self._roster.latest())
        except sqlite3.Error:
            return verbs.Shifts(on, why="records_unread")

    def _sheet(self, asked: verbs.AskSheet) -> ShiftSheet:
        self._post.who(asked.token)
        return self._roster.sheet(asked.shift)

    def _guard_acts(self, asked: verbs.Token) -> verbs.GuardActs:
        who = self._post.who(asked.token)
        events = self._correctable.read(who, self._jobs.ask(self._roster.on))
        return verbs.GuardActs(self._jobs.ask(lambda: self._correctable.tell(who, events)))

    def _annul(self, asked: verbs.Annul) -> verbs.LiveLine:
        """The journal is read before, on the asking connection's own thread; the act itself is the loop's."""
        who = self._post.who(asked.token)
        events = self._correctable.read(who, self._jobs.ask(self._roster.on))

        def annul() -> verbs.LiveLine:
            return self._acts.annul(self._correctable.act(who, events, asked.event), who.name)

        return self._jobs.ask(lambda: self._once.carry_out(asked, annul), asked.at)
