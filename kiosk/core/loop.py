"""The core process: one loop that owns gate, clock and list, and the verbs by which the other processes ask it.

Every question that touches the gate is put on the loop and answered from there, in order. Reading events for sync
happens on the asking connection's own thread and never holds the loop.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kiosk import channel as ch
from kiosk import verbs
from kiosk.config import Config
from kiosk.core.clock import Clock
from kiosk.core.gate import Gate
from kiosk.core.guards.live import LiveList
from kiosk.core.guards.post import GuardSessions
from kiosk.core.guards.verbs import GuardVerbs
from kiosk.core.jobs import Jobs
from kiosk.core.journal import Journal
from kiosk.core.kept import Kept
from kiosk.core.mirror import Anchor, Mirror, zone_of
from kiosk.core.peers import Peers, short_word
from kiosk.core.policy import stage_in_force
from kiosk.service import Service
from sync.protocol import Accepted, Acknowledged, EventBatch, EventsAfter, Nonce, Signed, SyncState

LAST_PASSAGE_S = 6.0
"""Less than the unit's TimeoutStopSec."""
REFRESH_S = 0.5
SLOW_LIST_S = 0.3
RESTS_TIMES = 10
_LAST_WRITE_S = 2.0

log = logging.getLogger("core")


class CoreLoop:
    """The loop with the parts it is given. It serves until ``service.stopping``.

    ``monotonic`` is the clock of the lanes and of silence. ``jobs`` runs something on the loop from any thread.
    """

    def __init__(
        self,
        config: Config,
        anchor: Anchor | None,
        gate: Gate,
        live: LiveList,
        journal: Journal,
        mirror: Mirror,
        clock: Clock,
        kept: Kept,
        post: GuardSessions,
        monotonic: Callable[[], float],
    ):
        self._config = config
        self._anchor = anchor
        self._gate = gate
        self._live = live
        self._journal = journal
        self._mirror = mirror
        self._clock = clock
        self._kept = kept
        self._monotonic = monotonic
        self._peers = Peers(monotonic)
        self.jobs = Jobs()
        self._guards = GuardVerbs(self.jobs, gate, live, clock, post, self.state)
        self._refresh_at = 0.0
        self._rests_until = 0.0
        self._servers: list[ch.Server] = []
        self._withdrawn = False

    # --- the loop ---

    def begin(self) -> None:
        """Take the list and the inputs as they stand, close what a crash left open, and listen to the inputs: first
        listen, then look, so that nothing falls in between."""
        self._refresh()
        for name, run in self._gate.lanes.items():
            run.parts.inputs.watch(lambda line, level, lane=name: self._input(lane, line, level))  # type: ignore[misc]
        self._gate.begin()

    def _input(self, lane: str, line: str, level: bool) -> None:
        self.jobs.put(lambda: self._gate.input_changed(lane, line, level))

    def serve(self, listeners: Mapping[str, socket.socket]) -> None:
        """Answer on the three sockets."""
        answers = {
            "core-reader": self.reader_verbs(),
            "core-guard": self._guards.answers(),
            "core-sync": self.sync_verbs(),
        }
        self._servers = [ch.Server(listeners[name], answers[name]).start() for name in answers]

    def run(self, service: Service) -> None:
        """The loop, until the service is stopping; then let go of everything in order."""
        try:
            while not service.stopping.is_set():
                self.turn()
                service.alive()
            self._see_them_through()
        finally:
            self.close()

    def _see_them_through(self) -> None:
        """An orderly stop does not drop an arm that we hold up on anyone who is under it: they have a few seconds."""
        end = self._monotonic() + LAST_PASSAGE_S
        while self._monotonic() < end and any(run.somebody_is_under for run in self._gate.lanes.values()):
            self.turn()

    def turn(self) -> None:
        """One turn of the loop: time goes on, then the next job, if one comes in time."""
        wait = self._gate.tick(lambda lane: bool(self._lane_faults(lane)))
        for name, run in self._gate.lanes.items():
            run.illuminate(self._peers.light_wanted(name))
        if self._monotonic() >= self._refresh_at:
            self._refresh()
        self.jobs.do_next(wait)

    def _refresh(self) -> None:
        began = self._monotonic()
        if began < self._rests_until:
            return
        changed = self._mirror.refresh()
        now = self._monotonic()
        # The file is another process's: a list that answers slowly must not take the loop from guard and button.
        self._rests_until = now + (now - began) * RESTS_TIMES if now - began > SLOW_LIST_S else 0.0
        self._refresh_at = max(now + REFRESH_S, self._rests_until)
        if not changed:
            return
        vouched = self._mirror.vouched
        self._clock.zone = zone_of(vouched.compound)
        if vouched.withdrawn and not self._withdrawn:
            self._withdrawn = True
            log.error("state=withdrawn")
            self._gate.record("withdrawn")
            self._mirror.withdraw()
            (self._config.core_state / "box.key").unlink(missing_ok=True)

    def close(self) -> None:
        """Relays off first."""
        self._gate.close()
        for server in self._servers:
            server.close()
        self._journal.close()
        self._kept.settle(_LAST_WRITE_S)
        self._mirror.close()

    # --- reader ---

    def reader_verbs(self) -> dict[ch.Verb[Any, Any], Callable[[Any], Any]]:
        return {
            verbs.PRESENT: self._present,
            verbs.READER_STATE: self._reader_state,
            verbs.ENDING: self._reader_ends,
        }

    def _present(self, asked: verbs.Presentation) -> verbs.PresentationAnswer:
        """What the reader says of itself goes into log and journal: nothing but short words, and never a guard's."""
        shown = msgspec.structs.replace(asked, source="camera", engine=short_word(asked.engine))
        return self.jobs.ask(lambda: self._gate.present(shown))

    def _reader_state(self, state: verbs.ReaderState) -> verbs.Nothing:
        if state.lane not in self._gate.lanes:
            raise ch.Refused("unknown_lane")
        why = self._peers.reader_said(state, self._clock.now().utc_ms)
        if why:
            self.jobs.put(lambda: self._gate.record("reader_restarted", why=why))
        return verbs.Nothing()

    def _reader_ends(self, said: verbs.Ending) -> verbs.Nothing:
        if said.lane and said.lane not in self._gate.lanes:
            raise ch.Refused("unknown_lane")
        self._peers.reader_ends(said)
        return verbs.Nothing()

    # --- sync ---

    def sync_verbs(self) -> dict[ch.Verb[Any, Any], Callable[[Any], Any]]:
        return {
            verbs.EVENTS: self.events,
            verbs.ACKNOWLEDGED: self.acknowledged,
            verbs.SYNC_STATE: lambda asked: self.jobs.ask(lambda: self.sync_state(asked)),
            verbs.NONCE: lambda _: self.jobs.ask(lambda: Nonce(self._clock.nonce())),
            verbs.TIME: lambda asked: self.jobs.ask(lambda: self.take_time(asked)),
        }

    def events(self, asked: EventsAfter) -> EventBatch:
        """Written events for the centre."""
        return self._journal.read(asked)

    def acknowledged(self, asked: Acknowledged) -> verbs.Nothing:
        """The centre has everything up to there."""
        if asked.journal_id == self._journal.health().journal_id:
            self._journal.prune(asked.seq)
        return verbs.Nothing()

    def sync_state(self, state: SyncState) -> Accepted:
        """Take note of how the centre is; follow the list if it changed."""
        self._peers.sync_said(state)
        if state.list_changed:
            self._refresh()
        if state.caught_up:
            self._mirror.caught_up()
        if self._mirror.vouched.withdrawn:
            return Accepted(False, "withdrawn")
        time_wanted = self._clock.now().state != "trusted"
        return Accepted(not self._mirror.why, self._mirror.why, time_wanted)

    def take_time(self, statement: Signed) -> Accepted:
        """Anchor the clock by the centre's statement, if it is the centre's."""
        if self._anchor is None:
            return Accepted(False, "not enrolled")
        before = self._clock.now().state
        anchor = self._anchor
        why = self._clock.take_statement(statement, anchor.root_public, anchor.device, anchor.compound)
        after = self._clock.now().state
        if before != after:
            self._gate.record("clock", why=f"{before} to {after}")
        return Accepted(not why, why)

    # --- how the gate is ---

    def _lane_faults(self, lane: str) -> list[str]:
        run = self._gate.lanes[lane]
        faults = ["relay"] if run.fault else []
        if any(camera.lane == lane for camera in self._config.camera):
            fault = self._peers.camera_fault(lane)
            faults += [fault] if fault else []
        return faults

    def _hint(self, lane: str) -> str:
        """The reader's hint, none while a result is shown: the answer is what counts then."""
        return "" if self._gate.lanes[lane].told.outcome else self._peers.hint(lane)

    def _faults(self, centre_ok: bool) -> list[str]:
        """Codes of what is wrong, worst first."""
        gate, kept, health, vouched = self._gate, self._kept.now, self._journal.health(), self._mirror.vouched
        lane_faults = {fault for lane in gate.lanes for fault in self._lane_faults(lane)}
        state = self._mirror.list_state()
        asked = [
            ("fire", any(run.state.fire for run in gate.lanes.values())),
            ("withdrawn", vouched.withdrawn),
            ("relay", "relay" in lane_faults),
            ("lockdown", bool(kept.lockdown)),
            ("tamper", any(run.levels.get("tamper") for run in gate.lanes.values())),
            ("held_open_question", any(lane in gate.lanes and not gate.lanes[lane].state.held for lane in kept.held)),
            ("camera", "camera" in lane_faults),
            ("reader_silent", "reader_silent" in lane_faults),
            ("reader_restarted", self._peers.restarts_worth_telling()),
            ("journal_lost", health.lost > 0),
            ("journal", bool(health.why)),
            ("no_list", state == "none"),
            ("list_expired", state == "expired"),
            ("list_stale", state == "stale"),
            ("list_forged", vouched.forged > 0),
            ("list_not_understood", vouched.not_understood),
            ("clock_untrusted", self._clock.now().state == "untrusted"),
            ("centre_away", not centre_ok),
        ]
        return [code for code, true in asked if true]

    def state(self) -> verbs.GateState:
        """Everything the guards' page and ``check`` want to know. On the loop only."""
        now, vouched, health = self._clock.now(), self._mirror.vouched, self._journal.health()
        centre = self._peers.centre()
        return verbs.GateState(
            run=self._live.run,
            gate=vouched.gate_name or (self._anchor.gate if self._anchor else ""),
            compound_zh=vouched.compound.name_zh,
            compound_en=vouched.compound.name_en,
            enforcement=stage_in_force(vouched.rules, now),
            lanes=[self._lane_state(name) for name in self._gate.lanes],
            list_state=self._mirror.list_state(),
            list_age_s=self._mirror.age_s(),
            list_revision=self._mirror.revision,
            list_passes=self._mirror.passes,
            clock=now.state,
            clock_uncertainty_ms=now.uncertainty_ms,
            now_ms=now.utc_ms,
            timezone=vouched.compound.timezone,
            centre_ok=centre.ok,
            centre_why=centre.why,
            centre_seen_s=centre.seen_s,
            unsent=self._peers.unsent,
            journal_ok=not health.why,
            events_in_memory=health.in_memory,
            faults=self._faults(centre.ok),
            unexplained=len(self._gate.unexplained),
            simulated=self._config.simulated_parts(),
            neighbour_zh=vouched.neighbour[0],
            neighbour_en=vouched.neighbour[1],
        )

    def _lane_state(self, name: str) -> verbs.LaneState:
        run, kept = self._gate.lanes[name], self._kept.now
        camera, reader, restarts = self._peers.camera(name), self._peers.reader(name), self._peers.restarts(name)
        title_zh, title_en = self._config.title(run.section)
        return verbs.LaneState(
            name=name,
            title_zh=title_zh,
            title_en=title_en,
            direction=run.section.direction,
            lock=run.section.lock,
            signal=run.state.shown.value,
            relay_on=run.state.relay_on,
            phase=run.state.phase,
            held_open=run.state.held,
            held_before_restart=name in kept.held and not run.state.held,
            lockdown=name in kept.lockdown,
            fire=run.state.fire,
            arm_open=run.levels.get("arm_open"),
            camera_ok=camera.ok,
            camera_why=camera.why,
            decode_ms=reader.decode_ms if reader else 0.0,
            looked=reader.looked if reader else None,
            reader_restarts=len(restarts),
            reader_restarted_ms=restarts[-1].at_ms if restarts else 0,
            reader_blames=sum(restart.lane == name for restart in restarts),
            simulated=[part for part in self._config.simulated_parts() if part.endswith(f" {name}")],
            shown_outcome=run.told.outcome,
            shown_reason=run.told.reason,
            shown_until_ms=run.told.until_ms,
            hint=self._hint(name),
        )
