"""One presentation, ruling, override or button carried through: read, judge, record, act.

Everything here runs on the core's one loop. The rules are in :mod:`kiosk.core.policy`, the lane's behaviour in
:mod:`kiosk.core.lanes.lane`; here the facts are gathered, the decision is put on disk before the relay moves, and the
outcome after it.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from hardware import Signal
from kiosk.channel import Refused
from kiosk.core.book import Book
from kiosk.core.clock import Clock
from kiosk.core.journal import Journal, Saved, UseRow, Uses
from kiosk.core.judge import Decision, Judge, Whose
from kiosk.core.kept import Kept, Memory, with_name
from kiosk.core.lanes import lane as lanes
from kiosk.core.lanes.lane_run import Call, LaneRun
from kiosk.core.lanes.repeats import Presented
from kiosk.core.mirror import Mirror
from kiosk.core.policy import PLEASE_SEE_GUARD, Verdict, in_public
from kiosk.core.vouching import Anchor
from kiosk.verbs import Limits, LiveLine, Presentation, PresentationAnswer
from sync.cache import credential_id
from sync.credential import Credential, Reading, read_credential
from sync.protocol import Event, Signed
from sync.terms import LiveKind, Outcome, Switched

DISK_S = 0.1
"""How long an opening waits for its decision to be on disk."""
SLOW_DISK = "disk=slow answered_before=on_disk"
"""In the log for each answer whose record a kill or a power cut may still lose."""
ANSWER_TOLD_S = 60.0
"""So long the lane says that somebody comes."""
_FORGET_EVERY_S = 3600.0
_USES_KEPT_MS = 3 * 24 * 3_600_000
_OF_A_START = ("clock", "camera_fault", "input_fault", "board_fault", "reader_restarted")
"""Kinds of events that a start brings by itself, without anybody being there."""
_KNEW = ("trusted", "holdover")
_BUTTONS = ("guard_button", "exit_button")
_SUSPECT = ("bad_signature", "revoked")
"""What a guard should have seen of a pass, also when the next person is green."""
_SUSPECTS_KEPT = 20
_PUBLIC_LABEL = re.compile(r"\w{1,2}\*{1,2}")
_SIGNALS = {"grant": Signal.GREEN, "refer": Signal.YELLOW, "deny": Signal.RED}

log = logging.getLogger("gate")


NOBODY, NO_LIMITS = Whose(), Limits()


class Opening(msgspec.Struct):
    """An opening that was asked for and whose passage is not settled yet."""

    lane: str
    happening: int
    commanded_ms: int
    whose: Whose
    slow_disk: bool
    undated: bool


class Turn(msgspec.Struct):
    """One of several who go through one after another, and whose turn has not come."""

    event: Event
    happening: int
    saved: Saved
    whose: Whose


class Refer(msgspec.Struct):
    """A yellow case that waits for a guard."""

    lane: str
    event: str
    until: float
    whose: Whose


class Gate:
    """The gate: all lanes of this device. ``monotonic`` is in seconds."""

    def __init__(
        self,
        lane_runs: Mapping[str, LaneRun],
        book: Book,
        journal: Journal,
        mirror: Mirror,
        clock: Clock,
        kept: Kept[Memory],
        own_scope: int,
        monotonic: Callable[[], float],
    ):
        self.lanes = lane_runs
        self.refers: dict[int, Refer] = {}
        self.openings: dict[str, Opening] = {}
        self._turns: dict[str, deque[Turn]] = {name: deque() for name in lane_runs}
        self.late: Callable[[], bool] = lambda: False
        """Whether what is being done was asked too long ago to open anything: the loop knows."""
        self.quiet = False
        """Nothing but starts was in the journal when this one began."""
        self.uses = Uses()
        self._suspects: deque[tuple[str, str]] = deque(maxlen=_SUSPECTS_KEPT)
        self._book = book
        self._journal = journal
        self._awaited = Saved()
        """The last record that was waited for."""
        self._awaited.done()
        self._mirror = mirror
        self._clock = clock
        self._kept = kept
        self._judge = Judge(mirror, self.uses, kept, own_scope, clock.now)
        self._monotonic = monotonic
        self._forget_at = monotonic() + _FORGET_EVERY_S

    # --- beginning ---

    def begin(self) -> None:
        """Close what a crash left open, resume lockdown, and take the inputs as they stand. Opens nothing."""
        self._record_start()
        self._take_up_past()
        for run in self.lanes.values():
            run.levels = dict(run.parts.inputs.read())
            for name in ("fire", "passage"):
                if run.levels.get(name):
                    self._take_level(run, name, True)
            self.drive(run, lanes.Tick())

    def _record_start(self) -> None:
        """A start is an event, but in a restart loop only the first, the tenth, the hundredth … are: nothing happened
        in between, and nothing should push what did happen off the card."""
        earlier = self._journal.past.earlier
        self._recall(earlier)
        since = list(itertools.takewhile(lambda event: event.kind != "boot", reversed(earlier)))
        self.quiet = len(since) < len(earlier) and all(event.kind in _OF_A_START for event in since)
        starts = self._kept.now.quiet_starts + 1 if self.quiet else 0
        self._kept.change(quiet_starts=starts)
        if starts == 0 or re.fullmatch("10+", str(starts)):
            self._book.record("boot", count=starts, why=f"{len(earlier)} events found")

    def _recall(self, earlier: Sequence[Event]) -> None:
        """Tell the clock what time it was when it was last known."""
        newest_ms = next((event.at_ms for event in reversed(earlier) if event.clock in _KNEW), 0)
        trusted_ms = next((event.at_ms for event in reversed(earlier) if event.clock == "trusted"), 0)
        self._clock.recall(newest_ms, trusted_ms)

    def _take_up_past(self) -> None:
        """Go on from what earlier runs left in the journal: at the start, or when its disk gives it late."""
        past = self._journal.take_past()
        if past is None:
            return
        self._recall(past.earlier)
        self.uses.take(past.counted, past.steps, past.of_acts)
        for lane, on in past.standing.lockdown.items():
            if lane in self.lanes:  # the journal's word counts, also where the memory of it was damaged
                self._kept.change(lockdown=with_name(self._kept.now.lockdown, lane, on))
        for about, matter in past.standing.open.items():
            if matter.outcome == "grant":
                why = "the core stopped; the relay may have moved"
                self._book.record("passage", lane=matter.lane, about=about, outcome="interrupted", why=why)
                self._tell_cut_short(about, past.earlier, "passage", "interrupted")
            else:
                self._book.record("ruled", lane=matter.lane, about=about, outcome="deny", reason="interrupted")
                self._tell_cut_short(about, past.earlier, "ruling", "deny", "interrupted")

    def _tell_cut_short(
        self, about: str, earlier: Sequence[Event], kind: LiveKind, outcome: str, reason: str = ""
    ) -> None:
        """Tell the guards how a matter of an earlier run ended: who stood there, and that the restart cut it short."""
        events = {event.id: event for event in earlier}
        event = events.get(about)
        while event is not None and event.about:
            event = events.get(event.about)
        if event is None or event.kind != "decided":
            return
        row = self._mirror.find(event.scope, event.serial).row if event.scope else None
        asked = self._book.announce(
            "decision",
            lane=event.lane,
            at_ms=event.at_ms,
            outcome=event.outcome,
            reason=event.reason,
            label=row.label if row else "",
            dwelling=row.dwelling if row else "",
            plate=row.plate if row else "",
            pass_number=row.number if row else "",
            event=event.id,
            clock=event.clock,
        )
        self._book.announce(kind, lane=event.lane, outcome=outcome, reason=reason, about=asked.number)

    # --- presentations ---

    def present(self, shown: Presentation) -> PresentationAnswer:
        """Carry a presentation through. Raises Refused for a lane that is not here."""
        run = self.run(shown.lane)
        self._book.tally.presentation(shown.lane, shown.source)
        reading = read_credential(shown.text, self._mirror.vouched.keys)
        mark = hashlib.blake2b(shown.text.encode("utf-8", "replace"), digest_size=16).digest()
        last = self._earlier(run, reading, mark)
        if last and (last.by_guard or last.shown.outcome != "deny"):
            return self._repeat(run, last)
        decision = self._judge.judge(reading, run.section.name, run.section.direction, self._under_way())
        verdict = decision.verdict
        if last and (verdict.outcome, verdict.reason) == (last.shown.outcome, last.shown.reason):
            return self._repeat(run, last)
        return self._carry_out(run, shown, decision, mark)  # the cause of a refusal may have been lifted meanwhile

    def _earlier(self, run: LaneRun, reading: Reading, mark: bytes) -> Presented | None:
        credential = credential_id(reading.scope, reading.serial) if isinstance(reading, Credential) else None
        return run.repeats.find(credential, mark, self._monotonic(), self._is_open)

    def _repeat(self, run: LaneRun, last: Presented) -> PresentationAnswer:
        last.repeats += 1
        if last.shown.outcome != "grant":
            self.show(run, *last.public, last.limits)
        return msgspec.structs.replace(last.shown, repeat=True)

    def _is_open(self, presented: Presented) -> bool:
        """Whether what was answered is still under way. An opening is, at most as long as somebody may take to pass: a
        sensor that sticks must not make everybody's next visit a repeat."""
        if presented.shown.happening in self.refers:
            return True
        opening = self.openings.get(presented.event)
        if opening is None:
            return False
        run = self.lanes[opening.lane]
        return run.state.relay_on or self._monotonic() - presented.at < run.facts.passage_timeout_s

    def _under_way(self) -> list[UseRow]:
        """Passages that began and have not been counted yet."""
        return [use for opening in self.openings.values() if (use := self._use(opening)) is not None]

    def _use(self, opening: Opening) -> UseRow | None:
        """What an opening counts as once somebody has passed; None where it is nobody's."""
        who, direction = opening.whose.person, self.lanes[opening.lane].section.direction
        if who is None:
            return None
        whose, at_ms = opening.whose, opening.commanded_ms
        kept_until_ms = whose.kept_until_ms if direction != "out" else 0  # only entries are counted
        return UseRow(who, at_ms, direction, whose.household, kept_until_ms, opening.undated)

    def _carry_out(self, run: LaneRun, shown: Presentation, decision: Decision, mark: bytes) -> PresentationAnswer:
        verdict, reading = decision.verdict, decision.reading
        event, saved = self._book.record(
            "decided",
            step=decision.step if verdict.outcome != "deny" else None,
            lane=shown.lane,
            direction=run.section.direction,
            outcome=verdict.outcome,
            reason=verdict.reason,
            guidance=verdict.guidance,
            also=verdict.also,
            scope=reading.scope if isinstance(reading, Credential) else 0,
            serial=reading.serial if isinstance(reading, Credential) else 0,
            source=shown.source,
            list_revision=self._mirror.revision,
            list_age_s=self._mirror.age_s(),
        )
        if decision.step and verdict.outcome != "deny":
            self.uses.steps[decision.step[0]] = decision.step[1]
        found = {verdict.reason, verdict.guidance, *verdict.also}
        self._suspects.extend((reason, shown.lane) for reason in _SUSPECT if reason in found)
        happening = self._announce_decision(run, shown, decision, event)
        answer = PresentationAnswer(
            outcome=verdict.outcome, reason=verdict.reason, lane=shown.lane, happening=happening.number
        )
        public = _decided_in_public(verdict)
        at = self._monotonic()
        run.repeats.remember(
            Presented(decision.credential, decision.whose, mark, at, event.id, answer, public, verdict.limits)
        )
        log.info(
            "lane=%s outcome=%s reason=%s source=%s engine=%s frames=%d",
            shown.lane, verdict.outcome, verdict.reason, shown.source, shown.engine, shown.frames,
        )  # fmt: skip
        if verdict.outcome == "grant":
            label = self._label_in_public(decision)
            self.open(run, event, happening.number, saved, decision.whose, verdict.limits, label)
        else:
            self._on_disk(saved)  # what was answered once is there after a power cut, too
            self.show(run, *public, verdict.limits)
        return answer

    def _label_in_public(self, decision: Decision) -> str:
        """The masked name for everybody at the lane, where the compound has it shown: a surname and a star at most."""
        label = decision.row.label if decision.row and self._mirror.vouched.compound.label_shown else ""
        return label if _PUBLIC_LABEL.fullmatch(label) else ""

    def _announce_decision(self, run: LaneRun, shown: Presentation, decision: Decision, event: Event) -> LiveLine:
        verdict, row, reading = decision.verdict, decision.row, decision.reading
        refer_s = self._mirror.vouched.rules.refer_s
        who = decision.whose.person
        last = self.uses.last_ms(who) if who is not None else None
        happening = self._book.announce(
            "decision",
            lane=shown.lane,
            outcome=verdict.outcome,
            reason=verdict.reason,
            guidance=verdict.guidance,
            source=shown.source,
            label=row.label if row else "",
            dwelling=row.dwelling if row else "",
            pass_kind=reading.kind if isinstance(reading, Credential) else "",
            plate=row.plate if row else "",
            pass_number=row.number if row else "",
            last_passage_ms=last or 0,
            event=event.id,
            open_until_ms=event.at_ms + refer_s * 1000 if verdict.outcome == "refer" else 0,
            list_age_s=event.list_age_s,
            clock=event.clock,
            limits=verdict.limits,
            terms=decision.terms,
            entered=decision.entered,
            look=verdict.look,
        )
        if verdict.outcome == "refer":
            until = self._monotonic() + refer_s
            self.refers[happening.number] = Refer(shown.lane, event.id, until, decision.whose)
        return happening

    def take_suspects(self) -> list[tuple[str, str]]:
        """What was found of passes since this was last asked that a guard should have seen, and at which lane."""
        taken = list(self._suspects)
        self._suspects.clear()
        return taken

    # --- opening and settling ---

    def open(
        self,
        run: LaneRun,
        event: Event,
        happening: int,
        saved: Saved,
        whose: Whose = NOBODY,
        limits: Limits = NO_LIMITS,
        label: str = "",
    ) -> None:
        """Open a lane for a recorded event, which is on disk by then unless the disk is slow or full."""
        on_disk = self._on_disk(saved)
        if self.late():  # the core stood still between the decision and here
            run.repeats.forget(event.id)
            self._book.record("passage", lane=run.section.name, about=event.id, outcome="interrupted", why="too late")
            self._book.announce("passage", lane=run.section.name, outcome="interrupted", about=happening)
            return
        now, name = self._clock.now(), run.section.name
        commanded = now.utc_ms
        self.openings[event.id] = Opening(name, happening, commanded, whose, not on_disk, not now.judged)
        self.drive(run, lanes.Open(event.id))
        # An event of a decision carries what its holder should be told on the way in.
        run.tell(*in_public("grant", event.guidance or "ok"), limits, commanded, self._monotonic(), label)

    def open_in_turn(self, run: LaneRun, event: Event, happening: int, saved: Saved, whose: Whose) -> None:
        """Open for a recorded event when those who are under way at the lane have passed: at once if nobody is. If one
        of them does not come, those behind are not let in either."""
        if self._is_in_use(run) or self._turns[run.section.name]:
            self._turns[run.section.name].append(Turn(event, happening, saved, whose))
        else:
            self.open(run, event, happening, saved, whose)

    def _is_in_use(self, run: LaneRun) -> bool:
        return self._is_awaited(run) or not run.is_ready(self._monotonic())

    def _is_awaited(self, run: LaneRun) -> bool:
        return any(opening.lane == run.section.name for opening in self.openings.values())

    def _give_turn(self, run: LaneRun) -> None:
        """Open for the next of those who wait for their turn, when it has come."""
        if self._turns[run.section.name] and not self._is_in_use(run):
            self._open_next(run)

    def _give_turn_to_who_comes(self, run: LaneRun) -> None:
        """Somebody is in the passage right behind the one before, and nobody else is awaited: it is their turn."""
        if self._turns[run.section.name] and not self._is_awaited(run):
            self._open_next(run)

    def _open_next(self, run: LaneRun) -> None:
        turn = self._turns[run.section.name].popleft()
        self.open(run, turn.event, turn.happening, turn.saved, turn.whose)

    def _end_turns(self, lane: str) -> None:
        """One who was let in has not come: nobody behind is let in."""
        waiting = self._turns[lane]
        while waiting:
            turn = waiting.popleft()
            self._book.record("passage", urgent=False, lane=lane, about=turn.event.id, outcome="not_passed")
            self._book.announce("passage", lane=lane, outcome="not_passed", about=turn.happening)

    def on_their_way(self, household: int) -> int:
        """How many of a household are let in and have not been counted yet."""
        let_in = [opening.whose.household for opening in self.openings.values()]
        let_in += [turn.whose.household for waiting in self._turns.values() for turn in waiting]
        return let_in.count(household)

    def _on_disk(self, saved: Saved) -> bool:
        """Wait for a record, unless the disk is full or failing, or hangs: then the one before still waits, too."""
        if self._journal.health().why or not self._awaited.wait(0):
            return False
        self._awaited = saved
        on_disk = saved.wait(DISK_S)
        if not on_disk:
            log.warning(SLOW_DISK)
        return on_disk

    def show(self, run: LaneRun, outcome: str, reason: str, limits: Limits = NO_LIMITS) -> None:
        """Show a result that opens nothing."""
        self.drive(run, lanes.ShowResult(_SIGNALS[outcome]))
        run.tell(outcome, reason, limits, self._clock.now().utc_ms, self._monotonic())

    def drive(self, run: LaneRun, happening: lanes.LaneInput) -> None:
        for end in run.drive(happening, self._monotonic()):
            opening = self.openings.pop(end.about, None)
            if opening is None:
                continue
            run = self.lanes[opening.lane]
            run.inputs.settled(end.outcome)
            use = self._use(opening) if end.outcome != "not_passed" else None
            if use is not None:
                self.uses.count(use, end.about)
            self._book.record(
                "passage",
                use=use,
                urgent=use is not None and use.kept_until_ms > 0,
                lane=opening.lane,
                direction=run.section.direction,
                about=end.about,
                outcome=end.outcome,
                commanded_ms=opening.commanded_ms,
                repeats=run.repeats.count(end.about),
                slow_disk=opening.slow_disk,
            )
            self._book.announce("passage", lane=opening.lane, outcome=end.outcome, about=opening.happening)
            if end.outcome == "not_passed":
                self._end_turns(opening.lane)

    # --- answers to a refer ---

    def answer(self, number: int, refer: Refer, outcome: str, by: str, reason: str) -> LiveLine:
        """Carry out what a guard, or nobody in time, answered to a refer that no longer waits."""
        run = self.lanes[refer.lane]
        event, saved = self._book.record(
            "ruled",
            lane=refer.lane,
            direction=run.section.direction,
            about=refer.event,
            outcome=outcome,
            by=by,
            reason=reason,
        )
        happening = self._book.announce(
            "ruling", lane=refer.lane, outcome=outcome, reason=reason, about=number, by=by, event=event.id
        )
        run.repeats.answered(number, event.id, event.outcome, answered_in_public(event))
        if outcome == "grant":
            self.open(run, event, happening.number, saved, refer.whose)
        elif not run.repeats.newer_than(number):
            self.show(run, *answered_in_public(event))
        return happening

    def _unanswered(self, lane: str) -> Outcome:
        """What a yellow comes to that nobody answered: nobody is kept in, except by a lockdown."""
        leads_out = self.lanes[lane].section.direction == "out"
        return "grant" if leads_out and lane not in self._kept.now.lockdown else "deny"

    def not_used(self, event: str) -> None:
        """A guard answered otherwise than the event that opened a lane: its person has used nothing by it, and may be
        sent to another lane."""
        if event in self.openings:
            self.openings[event].whose = NOBODY

    def annul(self, act: str) -> None:
        """What a guard did by mistake uses nothing: neither what has passed by it, nor what is about to."""
        self.uses.annul(act)
        self.not_used(act)

    # --- inputs and time ---

    def input_changed(self, lane: str, name: str, level: bool) -> None:
        """A debounced level has changed. A button pressed too long ago opens nothing."""
        run = self.run(lane)
        if run.levels.get(name) == level:
            return
        run.levels[name] = level
        if name in _BUTTONS and self.late():
            log.warning("lane=%s input=%s why=too_late", lane, name)
            return
        self._take_level(run, name, level)

    def _take_level(self, run: LaneRun, name: str, level: bool) -> None:
        lane, now = run.section.name, self._monotonic()
        run.inputs.changed(name, level, now)
        if name != "passage" and run.inputs.chatters(name, now):
            return  # a loose wire; :meth:`_look_at_inputs` takes up its level once it is quiet
        if name == "passage":
            if level:
                self._give_turn_to_who_comes(run)
            self.drive(run, lanes.Passage(level))
        elif name == "fire":
            self.drive(run, lanes.Fire(level))  # first the lane, then the books
            self._note("fire", lane, "on" if level else "off")
        elif name in _BUTTONS and level:
            event, saved = self._book.record(
                "opened", lane=lane, direction=run.section.direction, outcome="grant", source=name
            )
            happening = self._book.announce("button", lane=lane, outcome="grant", reason=name, event=event.id)
            self.open(run, event, happening.number, saved)
        elif name == "arm_open":
            run.arm_moved(level, now)
        elif name == "call":
            run.calls = level
            number = self._note("call", lane, "on" if level else "off")
            if level and run.call.answers:  # who presses again while nobody has answered calls still
                run.call = Call(number, answers=False)
        elif name == "tamper":
            self._note("tamper", lane, "on" if level else "off")

    def _look_at_inputs(self, run: LaneRun) -> None:
        """Tell what is newly wrong with a lane's inputs, and what no longer is."""
        now, lane = self._monotonic(), run.section.name
        if run.inputs.passage_doubted(now) != run.state.doubted:
            self.drive(run, lanes.Doubt(not run.state.doubted))
        self._tell_unasked(run, now)
        faults = run.inputs.faults(now)
        for fault in sorted(faults ^ run.input_faults):
            self._book.record("input_fault", lane=lane, outcome="on" if fault in faults else "off", why=fault)
        run.input_faults = faults
        if run.levels.get("fire", False) != run.state.fire and not run.inputs.chatters("fire", now):
            self._take_level(run, "fire", run.levels["fire"])

    def _tell_unasked(self, run: LaneRun, now: float) -> None:
        state, lane = run.state, run.section.name
        run.unasked.look_at_arm(run.levels.get("arm_open", False), state.relay_on, now)
        for reason, count in run.unasked.take_due(now).items():
            direction = run.section.direction
            event, _ = self._book.record("unasked", lane=lane, direction=direction, reason=reason, count=count)
            self._book.announce("unasked", lane=lane, reason=reason, repeats=count, event=event.id)

    def _note(self, kind: Literal["fire", "call", "tamper"], lane: str, outcome: Switched) -> int:
        """The number of its line."""
        event, _ = self._book.record(kind, lane=lane, outcome=outcome)
        return self._book.announce(kind, lane=lane, outcome=outcome, event=event.id).number

    def call_answered(self, lane: str, by: str) -> None:
        """A guard goes to see who called: every page says who, and the lane that somebody comes."""
        call = self.run(lane).call
        if not call.answers:
            call.answers, call.told_until = True, self._monotonic() + ANSWER_TOLD_S
            self._book.announce("call", lane=lane, outcome="answered", about=call.line, by=by)

    def called(self, lane: str) -> str:
        """``waiting``: somebody called, and no guard has answered; ``answered``: one just did; or empty."""
        call = self.run(lane).call
        if not call.answers:
            return "waiting"
        return "answered" if self._monotonic() < call.told_until else ""

    def tick(self, faulty: Callable[[str], bool] = lambda lane: False) -> float:
        """Let time go on. Answers in how many seconds it is next needed, at most 0.25."""
        self._take_up_past()
        now = self._monotonic()
        for number in [number for number, refer in self.refers.items() if refer.until <= now]:
            refer = self.refers.pop(number)
            self.answer(number, refer, self._unanswered(refer.lane), "", "unanswered")
        for run in self.lanes.values():
            self._look_at_inputs(run)
            self.drive(run, lanes.Fault(faulty(run.section.name)))
            self._give_turn(run)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_S
            now_ms = self._clock.now().utc_ms
            self.uses.forget(now_ms - _USES_KEPT_MS, now_ms)
        deadlines = [lanes.next_deadline(run.facts, run.state) for run in self.lanes.values()]
        return min([0.25, *(max(0.0, at - now) for at in deadlines if at is not None)])

    def take_time(self, statement: Signed, anchor: Anchor) -> str:
        """Anchor the clock by the centre's statement. Returns what was wrong with it, or ""."""
        before = self._clock.now().state
        why = self._clock.take_statement(statement, anchor.root_public, anchor.device, anchor.compound)
        after = self._clock.now().state
        if before != after and not self.quiet:
            _, saved = self._book.record("clock", why=f"{before} to {after}")
            if after == "trusted" and saved.wait(DISK_S):
                self._clock.settle()
        return why

    def run(self, lane: str) -> LaneRun:
        """A lane by its name. Raises Refused for one that is not here."""
        try:
            return self.lanes[lane]
        except KeyError:
            raise Refused("unknown_lane") from None

    def close(self) -> None:
        """Let go of every relay; what is open in the journal is closed at the next start."""
        for run in self.lanes.values():
            run.close()


def _decided_in_public(verdict: Verdict) -> tuple[str, str]:
    return in_public(verdict.outcome, (verdict.guidance or "ok") if verdict.outcome == "grant" else verdict.reason)


def answered_in_public(event: Event) -> tuple[str, str]:
    """A guard's no, and nobody's answer, say nothing of what the gate had found."""
    if event.outcome == "grant":
        return in_public("grant", "ok")
    return in_public(event.outcome, PLEASE_SEE_GUARD if event.by else "unanswered")
