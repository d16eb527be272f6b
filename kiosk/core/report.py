"""How the gate is, in the words that the guards' page and ``check`` turn into sentences."""

from __future__ import annotations

import contextlib
import platform
import sqlite3
from collections.abc import Callable, Hashable, Iterator, Mapping
from importlib import metadata

import msgspec

from hardware.board import read_board
from hardware.vitals import Vitals
from kiosk import verbs
from kiosk.config import Config
from kiosk.core.book import Book
from kiosk.core.cautions import Cautions
from kiosk.core.clock import Clock
from kiosk.core.gate import Gate
from kiosk.core.guards.acts import GuardActs
from kiosk.core.guards.viewing import Viewings
from kiosk.core.journal import Journal
from kiosk.core.kept import Kept, Memory
from kiosk.core.mirror import Mirror
from kiosk.core.peers import CentreHealth, Peers, short_word
from kiosk.core.policy import stage_in_force
from kiosk.core.vouching import Anchor
from sync.protocol import EventsAfter
from sync.terms import BOARD_FAULTS, CAMERA_FAULTS, INPUT_FAULTS, BoardFault


def versions() -> dict[str, str]:
    """What runs here: our program, Python, the kernel and the board; empty where nothing says it."""
    program = ""
    with contextlib.suppress(metadata.PackageNotFoundError):
        program = metadata.version("gate-kiosk")
    found = {"program": program, "python": platform.python_version(), "kernel": platform.release()}
    return {**found, "board": read_board().model}


class _Dated(msgspec.Struct):
    """The time of an event, of all that it says."""

    at_ms: int


class GateReport:
    """Reads every part of the core and changes none. ``run`` is the live list's, ``monotonic`` the clock by which the
    core's own time is counted, ``versions`` what runs here."""

    def __init__(
        self,
        config: Config,
        anchor: Anchor | None,
        run: str,
        gate: Gate,
        book: Book,
        acts: GuardActs,
        journal: Journal,
        mirror: Mirror,
        clock: Clock,
        kept: Kept[Memory],
        peers: Peers,
        cautions: Cautions,
        monotonic: Callable[[], float],
        versions: Mapping[str, str],
        viewings: Viewings,
    ):
        self._config = config
        self._anchor = anchor
        self._run = run
        self._gate = gate
        self._book = book
        self._acts = acts
        self._journal = journal
        self._mirror = mirror
        self._clock = clock
        self._kept = kept
        self._peers = peers
        self._cautions = cautions
        self._monotonic = monotonic
        self._began = monotonic()
        self._versions = versions
        self._viewings = viewings
        self.board: tuple[Vitals, set[BoardFault]] = Vitals(), set()
        """How the board is, and what is wrong with it: the loop says."""
        self.attended: Callable[[], bool] = lambda: False
        """Whether a guard is signed in: the loop says."""

    def state(self) -> verbs.GateState:
        """Everything the guards' page and ``check`` want to know. On the loop only."""
        now, vouched, health = self._clock.now(), self._mirror.vouched, self._journal.health()
        centre = self._peers.centre()
        return verbs.GateState(
            run=self._run,
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
            clock_asks=self._clock.asks,
            rtc=self._clock.rtc_standing,
            clock_uncertainty_ms=now.uncertainty_ms,
            now_ms=now.utc_ms,
            timezone=vouched.compound.timezone,
            centre_ok=centre.ok,
            centre_why=centre.why,
            centre_seen_s=centre.seen_s,
            unsent=self._peers.unsent,
            journal_ok=not health.why,
            events_in_memory=health.in_memory,
            faults=self._faults(centre),
            cautions=list(self._cautions.told),
            unexplained=len(self._acts.unexplained),
            overspent=[verbs.Overspent(one.event, one.by, one.lane, one.at_ms) for one in self._kept.now.overspent],
            attended=self.attended(),
            on_duty=[shift.name for shift in self._kept.now.shifts],
            simulated=self._config.simulated_parts(),
            neighbour_zh=vouched.neighbour[0],
            neighbour_en=vouched.neighbour[1],
            desk_zh=vouched.compound.desk_zh,
            desk_en=vouched.compound.desk_en or vouched.compound.desk_zh,
            desk_hours=vouched.compound.desk_hours,
            form_url=vouched.compound.form_url,
            vitals=self.board[0],
        )

    def oldest_unsent_s(self) -> int | None:
        """How old the oldest event is that the centre does not have, by sync's last word; None: there is none, or the
        journal cannot be read just now. From any thread: it reads a file."""
        unsent, health = self._peers.unsent, self._journal.health()
        if not unsent:
            return None
        try:
            batch = self._journal.read(EventsAfter(health.journal_id, max(0, health.newest - unsent), limit=1))
            at_ms = msgspec.json.decode(batch.events[0], type=_Dated).at_ms if batch.events else None
        except (sqlite3.Error, msgspec.MsgspecError):
            return None
        return None if at_ms is None else max(0, (self._clock.now().utc_ms - at_ms) // 1000)

    def figures(self) -> verbs.Figures:
        """What technicians and monitors count, but for the age of what is unsent. On the loop only."""
        tally, gate = self._book.tally, self._gate
        return verbs.Figures(
            up_s=self._monotonic() - self._began,
            happened=tally.happened(),
            presented=tally.presented(),
            lanes=[
                verbs.LaneFigures(
                    name=name,
                    relay_pulses=run.pulses,
                    reader=self._peers.figures(name),
                    viewed_s=self._viewings.left_s(name),
                )
                for name, run in gate.lanes.items()
            ],
            reader_restarts=self._peers.restart_count,
            sync_up_s=self._peers.sync_up_s,
            versions=dict(self._versions),
        )

    def _faults(self, centre: CentreHealth) -> list[str]:
        """Codes of what is wrong, worst first."""
        gate, kept, health, vouched = self._gate, self._kept.now, self._journal.health(), self._mirror.vouched
        lane_faults = {fault for lane in gate.lanes for fault in self.lane_faults(lane)}
        state, restored = self._mirror.list_state(), not centre.ok and centre.why == "restored"
        asked = [
            ("fire", any(run.state.fire for run in gate.lanes.values())),
            ("withdrawn", vouched.withdrawn),
            ("relay", "relay" in lane_faults),
            ("lockdown", bool(kept.lockdown)),
            ("tamper", any(run.levels.get("tamper") for run in gate.lanes.values())),
            ("held_open_question", any(lane in gate.lanes and not gate.lanes[lane].state.held for lane in kept.held)),
            *((fault, fault in lane_faults) for fault in CAMERA_FAULTS),
            ("reader_silent", "reader_silent" in lane_faults),
            *((fault, fault in lane_faults) for fault in INPUT_FAULTS),
            ("lights", "lights" in lane_faults),
            ("reader_restarted", self._peers.restarts_worth_telling()),
            ("journal_lost", health.lost > 0),
            ("journal", bool(health.why)),
            *((fault, fault in self.board[1]) for fault in BOARD_FAULTS),
            ("no_list", state == "none"),
            ("list_expired", state == "expired"),
            ("list_stale", state == "stale"),
            ("list_damaged", bool(self._mirror.damaged)),
            ("list_forged", vouched.forged > 0),
            ("list_not_understood", vouched.not_understood),
            ("clock_untrusted", self._clock.now().state == "untrusted"),
            ("centre_restored", restored),
            ("centre_away", not centre.ok and not restored),
        ]
        return [code for code, true in asked if true]

    def shown(self) -> tuple[tuple[Hashable, ...], ...]:
        """What each lane shows everybody who stands there. Cheap; on the loop only."""
        return tuple(
            (run.state.phase, run.state.shown, run.told, name in self._kept.now.lockdown, self._hint(name))
            for name, run in self._gate.lanes.items()
        )

    def alarms(self) -> Iterator[tuple[str, str]]:
        """What a guard must have seen once it began, as pairs of a code and a lane. On the loop only."""
        if self._mirror.vouched.withdrawn:
            yield "withdrawn", ""
        if self._journal.health().why:
            yield "journal", ""
        for name, run in self._gate.lanes.items():
            stands = {
                "fire": run.state.fire,
                "forced": run.forced,
                "call": run.calls,
                "tamper": bool(run.levels.get("tamper")),
                "relay": bool(run.relay_fault),
            }
            yield from ((code, name) for code, true in stands.items() if true)

    def lane_faults(self, lane: str) -> list[str]:
        """Codes of what is wrong at a lane. On the loop only."""
        run = self._gate.lanes[lane]
        parts = ("relay" if run.relay_fault else "", self._camera_fault(lane), "lights" if run.lights_fault else "")
        return [*filter(None, parts), *sorted(run.input_faults)]

    def _camera_fault(self, lane: str) -> str:
        return self._peers.camera_fault(lane) if self._has_camera(lane) else ""

    def _has_camera(self, lane: str) -> bool:
        return any(camera.lane == lane for camera in self._config.camera)

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
            pins_why=run.pins_why,
            has_camera=self._has_camera(name),
            camera_ok=camera.ok,
            camera_why=camera.why,
            camera_fault=self._camera_fault(name),
            decode_ms=reader.decode_ms if reader else 0.0,
            looked=reader.looked if reader else None,
            module_px=reader.module_px if reader else None,
            optics=short_word(reader.optics) if reader else "",
            reader_restarts=len(restarts),
            reader_restarted_ms=restarts[-1].at_ms if restarts else 0,
            reader_blames=sum(restart.lane == name for restart in restarts),
            simulated=[part for part in self._config.simulated_parts() if part.endswith(f" {name}")],
            called=self._gate.called(name),
            shown_outcome=run.told.outcome,
            shown_reason=run.told.reason,
            shown_until_ms=run.told.until_ms,
            shown_limits=run.told.limits,
            shown_label=run.told.label,
            hint=self._hint(name),
        )

    def _hint(self, lane: str) -> str:
        """The reader's hint, none while a result is shown: the answer is what counts then."""
        return "" if self._gate.lanes[lane].told.outcome else self._peers.hint(lane)
