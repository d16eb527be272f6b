"""One lane of this device: the pure state machine of :mod:`kiosk.core.lanes.lane`, and the parts that it moves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import msgspec

from hardware import HardwareError, LaneParts
from kiosk.config import LaneSection, ScreenSection
from kiosk.core.lanes import lane as lanes
from kiosk.core.lanes.inputs import InputWatch
from kiosk.core.lanes.repeats import Repeats
from sync.terms import InputFault

log = logging.getLogger("gate")


class Told(msgspec.Struct, frozen=True):
    """What the lane shows everybody who stands there, and until when by the gate's clock. Never a sensitive reason."""

    outcome: str = ""
    reason: str = ""
    until_ms: int = 0


NOTHING = Told()


class LaneRun:
    """One lane: its parts, driven by the pure state machine."""

    def __init__(self, section: LaneSection, screen: ScreenSection, parts: LaneParts):
        self.section = section
        self.parts = parts
        self.state = lanes.LaneCondition()
        self.levels = dict(parts.inputs.read())
        self.repeats = Repeats()
        self.inputs = InputWatch()
        self.input_faults: frozenset[InputFault] = frozenset()
        """What was wrong with the inputs when the gate last looked."""
        self._told = NOTHING
        self._faults: dict[str, str] = {}
        self.facts = lanes.Facts(
            has_passage="passage" in self.levels,
            mode=section.mode,
            pulse_s=section.pulse_ms / 1000,
            passage_timeout_s=section.passage_timeout_s,
            settle_s=section.settle_s,
            grant_s=screen.grant_s,
            other_s=screen.other_s,
        )

    def drive(self, happening: lanes.LaneInput, now: float) -> list[lanes.Settled]:
        """Let something happen to the lane; move relay and lights; answer what settled."""
        self.state, actions = lanes.step(self.facts, self.state, happening, now)
        settled = []
        for action in actions:
            match action:
                case lanes.MoveRelay(on):
                    self._safely("relay", self.parts.relay.on if on else self.parts.relay.off)
                case lanes.Light(signal):
                    self._safely("lights", partial(self.parts.lights.show, signal))
                case lanes.Settled():
                    settled.append(action)
        return settled

    def illuminate(self, on: bool) -> None:
        """Have the lamp beside the camera lit or not; nothing happens when it is so already."""
        lamp = self.parts.illumination
        if lamp.is_on != on:
            self._safely("illumination", lamp.on if on else lamp.off)

    def tell(self, outcome: str, reason: str, now_ms: int, now: float) -> None:
        """Note what the result is that has just begun to be shown."""
        until = self.state.result_until
        self._told = Told(outcome, reason, now_ms + int((until - now) * 1000)) if until is not None else NOTHING

    @property
    def told(self) -> Told:
        """What is being told now; nothing once its time is up or the passage has come."""
        return self._told if self.state.result_until is not None else NOTHING

    @property
    def fault(self) -> str:
        """What is wrong with relay, lights or illumination; empty once they move again."""
        return "; ".join(self._faults.values())

    def _safely(self, part: str, move: Callable[[], None]) -> None:
        """A broken lamp must not keep the relay from moving, nor the other way round."""
        try:
            move()
        except HardwareError as err:
            if part not in self._faults:
                log.error("lane=%s part=%s fault=%r", self.section.name, part, str(err))
            self._faults[part] = str(err)
        else:
            if self._faults.pop(part, ""):
                log.info("lane=%s part=%s fault=over", self.section.name, part)

    @property
    def somebody_is_under(self) -> bool:
        """Whether the arm would fall on them if this lane's request to open ended now."""
        return self.section.mode == "hold" and (self.state.passing or self.state.cleared_at is not None)

    def close(self) -> None:
        """Relay off first, then everything else."""
        for name, part in self.parts._asdict().items():
            self._safely(name, part.close)
