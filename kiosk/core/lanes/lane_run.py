"""One lane of this device: the pure state machine of :mod:`kiosk.core.lanes.lane`, and the parts that it moves."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial

import msgspec

from hardware import INPUTS, HardwareError, LaneParts
from kiosk.config import LaneSection, ScreenSection
from kiosk.core.lanes import lane as lanes
from kiosk.core.lanes.inputs import InputWatch
from kiosk.core.lanes.repeats import Repeats
from kiosk.core.lanes.unasked import UnaskedPassages
from kiosk.verbs import Limits
from sync.terms import InputFault

ARM_S = 15.0
"""How long after a request to open an arm may still come up by it."""
REST_S = 0.3
"""So long a relay must have been off, that a lock takes the next request for another one."""
ABOUT_TIME = ("not_yet_valid", "expired", "outside_hours")

log = logging.getLogger("gate")


class Told(msgspec.Struct, frozen=True):
    """What the lane shows everybody who stands there, and until when by the gate's clock. Never a sensitive reason."""

    outcome: str = ""
    reason: str = ""
    until_ms: int = 0
    limits: Limits = Limits()
    label: str = ""


NOTHING = Told()


class Call(msgspec.Struct):
    """The last press of the call button: its ``line`` in the live list, and whether somebody ``answers``; an answer is
    told to the lane until then (``told_until``)."""

    line: int = 0
    answers: bool = True
    told_until: float = -math.inf


class LaneRun:
    """One lane: its parts, driven by the pure state machine."""

    def __init__(self, section: LaneSection, screen: ScreenSection, parts: LaneParts):
        self.section = section
        self.parts = parts
        self.state = lanes.LaneCondition()
        self.levels = dict(parts.inputs.read())
        self.repeats = Repeats()
        self.unasked = UnaskedPassages()
        taken = [name for name in parts.missing if name in INPUTS]
        self.inputs = InputWatch(taken)
        self.input_faults: frozenset[InputFault] = frozenset()
        """What was wrong with the inputs when the gate last looked."""
        self.forced = False
        """The arm went up, and this gate had not asked for it."""
        self.pulses = 0
        """How often the relay was asked to open."""
        self.calls = False
        """The call button is pressed."""
        self.call = Call()
        self._asked_at = -math.inf
        self._dropped_at = -math.inf
        self._told = NOTHING
        self._faults: dict[str, str] = {}
        self.facts = lanes.Facts(
            has_passage="passage" in self.levels or "passage" in taken,
            mode=section.mode,
            pulse_s=section.pulse_ms / 1000,
            passage_timeout_s=section.passage_timeout_s,
            settle_s=section.settle_s,
            grant_s=screen.grant_s,
            other_s=screen.other_s,
        )
        for name, why in parts.missing.items():
            log.error("lane=%s part=%s fault=%r", section.name, name, why)

    def drive(self, happening: lanes.LaneInput, now: float) -> list[lanes.Settled]:
        """Let something happen to the lane; move relay and lights; answer what settled. :attr:`unasked` takes note of
        who passed though nothing let them in."""
        self.state, actions = lanes.step(self.facts, self.state, happening, now)
        if self.state.relay_on:
            self._asked_at = now
        settled = []
        for action in actions:
            match action:
                case lanes.MoveRelay(on):
                    self.pulses += on
                    self._dropped_at = self._dropped_at if on else now
                    self._safely("relay", self.parts.relay.on if on else self.parts.relay.off)
                case lanes.Light(signal):
                    self._safely("lights", partial(self.parts.lights.show, signal))
                case lanes.Settled():
                    settled.append(action)
                case lanes.Unasked(reason):
                    self.unasked.count(reason)
        return settled

    def is_ready(self, now: float) -> bool:
        """Whether a further request would let one more through: a lock that takes pulses tells two apart only when its
        relay has been off between them."""
        state = self.state
        stays_open = state.held or state.fire or self.section.mode == "hold"
        return stays_open or (not state.relay_on and now - self._dropped_at >= REST_S)

    def arm_moved(self, up: bool, now: float) -> None:
        """Take note of the arm: one that goes up while nothing was asked of it lately was forced, or opened by others'
        means."""
        asked = self.state.phase != "idle" or now - self._asked_at < ARM_S
        self.forced = up and (self.forced or not asked)

    def illuminate(self, on: bool) -> None:
        """Have the lamp beside the camera lit or not; nothing happens when it is so already."""
        lamp = self.parts.illumination
        if lamp.is_on != on:
            self._safely("illumination", lamp.on if on else lamp.off)

    def tell(self, outcome: str, reason: str, limits: Limits, now_ms: int, now: float, label: str = "") -> None:
        """Note what the result is that has just begun to be shown; ``limits`` where the reason speaks of them, and not
        of this pass alone."""
        until = self.state.result_until
        told = limits if reason in ABOUT_TIME and not limits.own else Limits()
        until_ms = now_ms + int((until - now) * 1000) if until is not None else 0
        self._told = Told(outcome, reason, until_ms, told, label) if until is not None else NOTHING

    @property
    def told(self) -> Told:
        """What is being told now; nothing once its time is up or the passage has come."""
        return self._told if self.state.result_until is not None else NOTHING

    @property
    def relay_fault(self) -> str:
        """Why the relay does not move; empty once it moves again."""
        return self._faults.get("relay", "")

    @property
    def lights_fault(self) -> str:
        """Why a lamp, the buzzer or the illumination does not work; empty while all that are wired do."""
        taken = [why for name, why in self.parts.missing.items() if name not in INPUTS]
        return "; ".join([*taken, *(why for part, why in self._faults.items() if part != "relay")])

    @property
    def lamp_works(self) -> bool:
        """Whether the lamp beside the camera can be lit, as far as its pin says."""
        return "illumination" not in self.parts.missing and "illumination" not in self._faults

    @property
    def pins_why(self) -> str:
        """What is wrong with the lane's pins, for a technician; empty: nothing."""
        taken = [why for name, why in self.parts.missing.items() if name in INPUTS]
        return "; ".join(filter(None, [self.relay_fault, self.lights_fault, *taken]))

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
        for name in ("relay", "lights", "inputs", "illumination"):
            self._safely(name, getattr(self.parts, name).close)
