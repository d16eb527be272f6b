"""What a guard's page may ask of the core: each verb checks the session, then puts its question on the loop.

Waiting for news and checking a PIN happen on the asking connection's own thread and never hold the loop.
"""

from __future__ import annotations

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
from kiosk.core.guards.live import LiveList
from kiosk.core.guards.once import Once
from kiosk.core.guards.post import GuardSessions
from kiosk.core.guards.shown import LanesShown
from kiosk.core.jobs import Jobs

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
            verbs.HOLD: self._hold,
            verbs.LOCKDOWN: self._lockdown,
            verbs.LOOK_UP: self._look_up,
            verbs.PRESENT_TEXT: self._present_text,
            verbs.CONFIRM_TIME: self._confirm_time,
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
        self._jobs.ask(lambda: self._acts.explain(asked.happening, by, asked.reason))
        return verbs.Nothing()

    def _acknowledge(self, asked: verbs.Acknowledge) -> verbs.Nothing:
        by = self._post.who(asked.token).name

        def acknowledge() -> verbs.LiveLine:
            for seen in self._cautions.acknowledge(asked.number):
                self._book.record("acknowledged", lane=seen.lane, by=by, why=seen.code)
            return _NO_LINE

        self._jobs.ask(lambda: self._once.carry_out(asked, acknowledge), asked.at)
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
