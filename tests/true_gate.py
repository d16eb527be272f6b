"""A gate from the camera's picture to the relay, against the true centre: real optics, decoder, agent, list, rules and
journal; only the pins are simulated, and time goes on when a test says so."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from hardware import Picture
from hardware.decoder import QrDecoder
from hardware.optics import burst
from kiosk.channel import Presentation, Shown
from kiosk.clock import Clock
from kiosk.config import LaneSection, ScreenSection
from kiosk.gate import REPEAT_SECONDS, Gate, LaneRun
from kiosk.journal import Journal
from kiosk.kept import Kept
from kiosk.mirror import Anchor, Mirror
from sync.protocol import Accepted, Acknowledged, EventBatch, EventsAfter, Signed, SyncState
from sync.server import fleet
from tests import both_ends, gate_parts
from tests.test_centre import World
from tests.wsgi_adapter import WsgiAdapter

LANE = "entry"
FRAMES = 8


class _Core:
    """The core as sync sees it (CoreSide), without a socket between them."""

    def __init__(self, gate: TrueGate):
        self._gate = gate

    def events_after(self, asked: EventsAfter) -> EventBatch:
        return self._gate.journal.read(asked)

    def acknowledged(self, note: Acknowledged) -> None:
        self._gate.acked = note.seq

    def report(self, state: SyncState) -> Accepted:
        return Accepted(True)

    def nonce(self) -> bytes:
        return self._gate.clock.nonce()

    def time(self, statement: Signed) -> Accepted:
        anchor = self._gate.anchor
        why = self._gate.clock.take_statement(statement, anchor.root_public, anchor.device, anchor.compound)
        return Accepted(not why)


class TrueGate:
    """One gate with one lane of a compound of ``world``, whose clock it follows. ``close`` it."""

    def __init__(self, world: World, folder: Path, compound: int = 7, name: str = "东门"):
        self.world, self.acked = world, 0
        self.sync = both_ends.Gate(folder, WsgiAdapter(world.app.wsgi_app))
        enrolled = self.sync.enrol(fleet.add_gate(world.centre, compound, name, "test").enrolment_code)
        self.anchor = Anchor(compound, enrolled.gate, enrolled.device, enrolled.root_public)
        self.time = gate_parts.Time(world.now_ms)
        self.kept = Kept(folder / "kept.json")
        self.clock = Clock(self.kept, boot=self.time, system=lambda: 0, has_rtc=lambda: False)
        self.clock.zone = gate_parts.ZONE
        self.journal = Journal(folder / "core", lambda: self.clock.now().utc_ms)
        self.mirror = Mirror(self.sync.folder, self.anchor, self.sync.box, self.kept, self.clock.now)
        self.parts = gate_parts.Parts("passage")
        section = LaneSection(name=LANE, direction="in", part="simulated")
        runs = {LANE: LaneRun(section, ScreenSection(), self.parts.lane())}
        self.gate = Gate(runs, self.journal, self.mirror, self.clock, self.kept, compound, lambda _: None, self.time)
        self.gate.begin()
        self.sync.core = _Core(self)  # type: ignore[assignment]
        self._decoder = QrDecoder()
        self._seed = 0

    def follow(self) -> None:
        """Let sync do its rounds: list, events, time, and what devices have of it, as the centre knows."""
        self.sync.run(400)
        self.mirror.refresh()
        self.world.app.extensions["presence"].write()

    def later(self, seconds: float) -> None:
        """Time goes on, for the gate and for the centre."""
        self.world.now_ms += int(seconds * 1000)
        end = self.time.s + seconds
        while self.time.s < end:
            self.time.go(min(self.gate.tick() + 0.001, end - self.time.s))
        self.gate.tick()

    def skip(self, seconds: float) -> None:
        """Nothing happens at the gate for a long time."""
        self.world.now_ms += int(seconds * 1000)
        self.time.go(seconds)
        self.gate.tick()

    def hold_up(self, picture: Picture, difficulty: float = 0.5) -> Shown | None:
        """Hold a printed or shown code before the camera: tilted, blurred, badly lit, noisy. None: it was not read.

        Whoever is let through has gone, and the next one comes, when this returns.
        """
        self._seed += 1
        found = None
        for frame in burst(picture, self._seed, FRAMES, difficulty=difficulty):
            texts = [code.text for code in self._decoder.decode(frame)]
            if texts:
                found = self.gate.present(Presentation(lane=LANE, text=texts[0]))
                break
        if self.parts.is_on:
            self.gate.tick()
        for level in (True, False) if found is not None and found.outcome == "grant" else ():
            self.parts.levels["passage"] = level
            self.gate.input_changed(LANE, "passage", level)
            self.later(0.5)
        self.later(REPEAT_SECONDS + 1)
        return found

    def opened(self) -> int:
        """How often the relay was moved to open."""
        return self.parts.rises

    def close(self) -> None:
        self.gate.close()
        self.journal.close()
        self.mirror.close()
        self.sync.stop()


def grey(raw: bytes) -> Picture:
    """A screenshot as a grey picture."""
    with Image.open(io.BytesIO(raw)) as image:
        return np.asarray(image.convert("L"), dtype=np.uint8)


def state_of(shown: Shown | None) -> tuple[str, str]:
    """Outcome and reason; ("", "") where nothing was read."""
    return (shown.outcome, shown.reason) if shown else ("", "")


def event_kinds(gate: TrueGate) -> list[str]:
    """What the gate's journal has, in order."""
    batch = gate.journal.read(EventsAfter("", 0, 10_000))
    return [msgspec.json.decode(text)["kind"] for text in batch.events]
