"""The core process: one loop that owns gate, clock and list, and the verbs by which the other processes ask it.

Every question that touches the gate is put on the loop and answered from there, in order. Reading events for sync
happens on the asking connection's own thread and never holds the loop.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from hardware.vitals import Vitals
from kiosk import channel as ch
from kiosk import verbs
from kiosk.config import Config
from kiosk.core.book import Book
from kiosk.core.cautions import Cautions
from kiosk.core.clock import Clock
from kiosk.core.gate import Gate
from kiosk.core.guards.acts import GuardActs
from kiosk.core.guards.corrections import Correctable
from kiosk.core.guards.live import LiveList
from kiosk.core.guards.post import GuardSessions
from kiosk.core.guards.shifts import DutyRoster
from kiosk.core.guards.shown import LanesShown
from kiosk.core.guards.verbs import GuardVerbs
from kiosk.core.guards.viewing import Viewings
from kiosk.core.jobs import Jobs
from kiosk.core.journal import Journal
from kiosk.core.kept import Kept, Memory
from kiosk.core.mirror import Mirror
from kiosk.core.peers import Peers, short_word
from kiosk.core.report import GateReport
from kiosk.core.vitals import BoardFaults, BoardNotes
from kiosk.core.vouching import Anchor, zone_of
from kiosk.service import Service
from sync.protocol import Accepted, Acknowledged, EventBatch, EventsAfter, Nonce, Signed, SyncState

LAST_PASSAGE_S = 6.0
"""Less than the unit's TimeoutStopSec."""
REFRESH_S = 0.5
BOARD_EVERY_S = 1.0
SLOW_LIST_S = 0.3
RESTS_TIMES = 10
_LAST_WRITE_S = 2.0

log = logging.getLogger("core")


class CoreLoop:
    """The loop with the parts it is given. It serves until ``service.stopping``.

    ``monotonic`` is the clock of the lanes and of silence, ``vitals`` how the board is by its newest reading,
    ``versions`` what runs here. ``jobs`` runs something on the loop from any thread.
    """

    def __init__(
        self,
        config: Config,
        anchor: Anchor | None,
        gate: Gate,
        book: Book,
        acts: GuardActs,
        live: LiveList,
        journal: Journal,
        mirror: Mirror,
        clock: Clock,
        kept: Kept[Memory],
        post: GuardSessions,
        monotonic: Callable[[], float],
        vitals: Callable[[], Vitals] = Vitals,
        versions: Mapping[str, str] = MappingProxyType({}),
    ):
        self._config = config
        self._anchor = anchor
        self._gate = gate
        self._book = book
        self._journal = journal
        self._mirror = mirror
        self._provisional = acts.provisional
        self._clock = clock
        self._kept = kept
        self._monotonic = monotonic
        self._vitals = vitals
        self._board = BoardFaults()
        self._board_notes = BoardNotes()
        self._board_at = 0.0
        self._peers = Peers(monotonic)
        self._cautions = Cautions()
        self._viewings = Viewings(monotonic)
        self._report = GateReport(
            config, anchor, live.run, gate, book, acts, journal, mirror, clock, kept, self._peers, self._cautions,
            monotonic, versions, self._viewings,
        )  # fmt: skip
        self._report.attended = post.anybody
        self.jobs = Jobs()
        gate.late = self.jobs.late
        self._shown = LanesShown()
        self._roster = DutyRoster(book, journal, clock, kept)
        self._guards = GuardVerbs(
            self.jobs, gate, book, acts, live, clock, post, self._report.state, self._cautions, self._viewings,
            self._roster, Correctable(journal, mirror, clock), self._shown,
        )  # fmt: skip
        self._refresh_at = 0.0
        self._rests_until = 0.0
        self._servers: list[ch.Server] = []
        self._withdrawn = False

    # --- the loop ---

    def begin(self) -> None:
        """Take the list and the inputs as they stand, close what a crash left open, and listen to the inputs: first
        listen, then look, so that nothing falls in between."""
        if self._mirror.vouched.withdrawn:  # in an earlier run, which has recorded it
            self._withdrawn = True
            self._mirror.withdraw()
        self._heed_vouched()
        self._refresh()
        for name, run in self._gate.lanes.items():
            run.parts.inputs.watch(lambda line, level, lane=name: self._input(lane, line, level))  # type: ignore[misc]
        self._board_notes.take_up(self._journal.past.earlier, self._monotonic(), self._clock.now().utc_ms)
        self._gate.begin()

    def _input(self, lane: str, line: str, level: bool) -> None:
        self.jobs.put(lambda: self._gate.input_changed(lane, line, level), time.monotonic())

    def serve(self, listeners: Mapping[str, socket.socket]) -> None:
        """Answer on the three sockets."""
        answers = {
            "core-reader": self.reader_verbs(),
            "core-guard": {**self._guards.answers(), verbs.FIGURES: lambda _: self._figures()},
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
        wait = self._gate.tick(lambda lane: bool(self._report.lane_faults(lane)))
        for name, run in self._gate.lanes.items():
            run.illuminate(self._peers.light_wanted(name))
        self._note_cameras()
        self._look_at_cautions()
        if self._monotonic() >= self._board_at:
            self._look_at_board()
        if self._monotonic() >= self._refresh_at:
            self._refresh()
        self.jobs.do_next(wait)
        self._shown.look(self._report.shown())

    def _look_at_cautions(self) -> None:
        now_ms = self._clock.now().utc_ms
        self._cautions.look(self._report.alarms(), now_ms)
        for code, lane in self._gate.take_suspects():
            self._cautions.tell(code, lane, now_ms)

    def _note_cameras(self) -> None:
        for camera in self._config.camera:
            news = self._peers.camera_news(camera.lane)
            if news:
                outcome, fault = news
                self._book.record("camera_fault", urgent=False, lane=camera.lane, outcome=outcome, why=fault)

    def _look_at_board(self) -> None:
        now, vitals = self._monotonic(), self._vitals()
        self._board_at = now + BOARD_EVERY_S
        self._roster.on()  # a shift that nobody ended is over by itself
        faults = self._board.judge(vitals, now)
        self._report.board = vitals, faults
        for outcome, fault in self._board_notes.step(faults, now):
            log.warning("board=%s fault=%s celsius=%s", outcome, fault, vitals.celsius)
            self._book.record("board_fault", urgent=False, outcome=outcome, why=fault)

    def _refresh(self) -> None:
        began = self._monotonic()
        if began < self._rests_until:
            return
        changed = self._mirror.refresh()
        now = self._monotonic()
        # The file is another process's: a list that answers slowly must not take the loop from guard and button.
        self._rests_until = now + (now - began) * RESTS_TIMES if now - began > SLOW_LIST_S else 0.0
        self._refresh_at = max(now + REFRESH_S, self._rests_until)
        self._provisional.forget()
        if changed:
            self._heed_vouched()

    def _heed_vouched(self) -> None:
        """Follow what is vouched for: the compound's time zone, and the order to be no gate any longer."""
        vouched = self._mirror.vouched
        self._clock.zone = zone_of(vouched.compound)
        if vouched.withdrawn and not self._withdrawn:
            self._withdrawn = True
            log.error("state=withdrawn")
            self._book.record("withdrawn")
            self._mirror.withdraw()
            self._provisional.clear()
            (self._config.core_state / "box.key").unlink(missing_ok=True)

    def close(self) -> None:
        """Relays off first."""
        self._gate.close()
        for server in self._servers:
            server.close()
        self._journal.close()
        self._kept.settle(_LAST_WRITE_S)
        self._mirror.close()

    def _figures(self) -> verbs.Figures:
        figures = self.jobs.ask(self._report.figures)
        return msgspec.structs.replace(figures, oldest_unsent_s=self._report.oldest_unsent_s())

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
        return self.jobs.ask(lambda: self._gate.present(shown), asked.at)

    def _reader_state(self, state: verbs.ReaderState) -> verbs.LampState:
        if state.lane not in self._gate.lanes:
            raise ch.Refused("unknown_lane")
        why = self._peers.reader_said(state, self._clock.now().utc_ms)
        if why:
            self.jobs.put(lambda: self._book.record("reader_restarted", why=why))
        return verbs.LampState(self._gate.lanes[state.lane].lamp_works, self._viewings.until(state.lane))

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
        """Written events for the centre, and which lanes there are."""
        lanes = {name: run.section.direction for name, run in self._gate.lanes.items()}
        return msgspec.structs.replace(self._journal.hand_out(asked), lanes=lanes)

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
        return Accepted(
            not self._mirror.why,
            self._mirror.why,
            time_wanted,
            list(self._mirror.unverified),
            self._mirror.take_suspicion(),
        )

    def take_time(self, statement: Signed) -> Accepted:
        """Anchor the clock by the centre's statement, if it is the centre's."""
        if self._anchor is None:
            return Accepted(False, "not enrolled")
        why = self._gate.take_time(statement, self._anchor)
        return Accepted(not why, why)
