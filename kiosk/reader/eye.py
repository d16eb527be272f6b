"""One camera with its thread: frames go in, presentations come out and are put to the core."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from hardware import OURS, Camera, CameraSettings, Decoder, Found, Frame, HardwareError, Hint, PartInUse, Picture, Seen
from hardware.exposure import DARKEST, Bracket, Lamp, brightness
from hardware.modules import FEW_PIXELS
from hardware.simulated import SimulatedCamera
from kiosk.channel import A, ChannelError, Q, Refused, Verb
from kiosk.reader.absence import Sighting
from kiosk.reader.caps import Look
from kiosk.reader.figures import EyeFigures
from kiosk.reader.photos import LONGEST_TEXT
from kiosk.reader.sight import Sight
from kiosk.reader.window import Window
from kiosk.verbs import PRESENT, STARTING, Presentation, PresentationAnswer, ReaderState

GONE_S = 0.7
"""A code not read for this time has left; shown again it is a new presentation."""
PRESENT_S = 1.5
"""How long frames wait for the core's answer before they go on without it."""
FRAME_S = 2.0
LOOKED_FRAMES = 300
"""About this number of frames, ten seconds, makes the share that is looked at."""
BACK_OFF_S = (1.0, 2.0)
"""Never longer, however long a camera was away: it reads again within 5 s of coming back."""
SHOW_EXTRA_S = 10.0
ADVICE = {
    "black": "nothing but black, even in full light: look at the lens, then at the ribbon cable",
    "white": "nothing but white at the shortest exposure: look what shines into the lens, then at the ribbon cable",
    "frozen": "each frame is the same picture: look at the ribbon cable, then at the power supply",
}
"""What a technician should look at."""
OPTICS_ADVICE = {
    "few": "hold codes nearer (distance_cm), or take another module: MOUNTING.md",
    "lens": "set lens_mm in its [[camera]] to the focal length of its lens",
}

log = logging.getLogger("reader")


class CoreClient(Protocol):
    """The reader's side of the socket to the core: :class:`kiosk.channel.Client`."""

    def ask(self, verb: Verb[Q, A], question: Q, timeout: float | None = None) -> A: ...


class Presenter:
    """Pure: what is found in each frame goes in, at most one presentation per frame comes out.

    A text is presented when it comes into view, and not again before it was gone for ``GONE_S``.
    Whatever is not a pass is presented only while no pass is in view: a poster behind the resident
    must not answer for the card. Of several new passes one is presented per frame.
    """

    def __init__(self, lane: str) -> None:
        self._lane = lane
        self._seen: dict[str, float] = {}  # texts in view: when last read

    def step(self, found: Sequence[Found], now: float) -> Presentation | None:
        """The presentation this frame begins, if any. ``now`` never goes back."""
        self._seen = {text: at for text, at in self._seen.items() if now - at < GONE_S}
        codes = {code.text[:LONGEST_TEXT]: code for code in reversed(found)}
        new = [text for text in reversed(codes) if text not in self._seen]
        self._seen.update({text: now for text in codes if text in self._seen})
        ours = [text for text in new if text.startswith(OURS)]
        if not ours and any(text.startswith(OURS) for text in self._seen):
            self._seen.update(dict.fromkeys(new, now))
            return None
        if not new:
            return None
        text = (ours or new)[0]
        if ours:
            self._seen.update({other: now for other in new if not other.startswith(OURS)})
        self._seen[text] = now
        return Presentation(lane=self._lane, text=text, engine=codes[text].engine)

    def forget(self, text: str) -> None:
        """The presentation did not reach the core: begin it again with the next frame that shows it."""
        self._seen.pop(text, None)


class Eye:
    """One camera with its thread: opens it, looks, presents, and after a fault opens it again, for ever.

    ``wait`` passes seconds between the attempts; it returns true when the eye is being closed. ``changed`` is called
    when the core should hear of :meth:`state` at once. ``lamp``: the lane has one, which the core lights when asked.
    """

    def __init__(
        self,
        settings: CameraSettings,
        decoder: Decoder,
        core: CoreClient,
        open_camera: Callable[[CameraSettings], Camera],
        clock: Callable[[], float],
        wait: Callable[[float], bool] | None = None,
        changed: Callable[[], None] = lambda: None,
        over: Callable[[Look], AbstractContextManager[object]] = nullcontext,
        lamp: bool = False,
    ) -> None:
        self.settings = settings
        self.camera: Camera | None = None
        self.why = STARTING
        self._decoder = decoder
        self._watching = decoder.watch()
        self._core = core
        self._open = open_camera
        self._clock = clock
        self._over = over
        self._changed = changed
        self._presenter = Presenter(settings.lane)
        self._lamp_wired = lamp
        self._sight = Sight(lamp, settings.noise)
        self._fault = ""
        self.window = Window(clock)
        self._bracket: Bracket | None = None
        self._lamp = Lamp()
        self._light = False
        self._hint: Hint | None = None
        self._figures = EyeFigures(clock())
        self._brightness = 0.0
        self._looked = 1.0
        self._frame_at = self._alive_at = clock()
        self._failures = 0
        self._stuck = self._gives_none = False
        self._module_px: float | None = None
        self._optics = ""
        self._away_since: float | None = None
        self._stirred_at = clock()
        self._core_lost = False
        self._heard: list[PresentationAnswer] | None = None
        self._showing = threading.Lock()
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self._thread = threading.Thread(target=self._run, name=f"eye-{settings.lane}", daemon=True)

    def lamp_works(self, works: bool) -> None:
        """Take note of whether the core can light the lamp, where the lane has one."""
        self._sight.lamp = self._lamp_wired and works

    def start(self) -> None:
        self._thread.start()

    def alive_age(self) -> float:
        """Seconds since this thread last had a frame, or an answer that there is no camera to be had.

        It grows when a driver hangs and when an opened camera gives no frames, or always the same: that is retried
        here a few times, but libcamera often needs a new process, which is what the watchdog is for.
        """
        return self._clock() - self._alive_at

    def state(self) -> ReaderState:
        """What the core is told once a second."""
        return ReaderState(
            lane=self.settings.lane,
            ok=not self.why and not self._fault,
            why=self.why or ADVICE.get(self._fault, ""),
            fault=self._fault,
            part=self.settings.part,
            frames=self._figures.frames,
            decode_ms=round(self._figures.decode_ms, 2),
            looked=round(self._looked, 3),
            frame_age_s=round(self._clock() - self._frame_at, 3),
            light=self._light and not self.why,
            module_px=self._module_px,
            optics=self._optics,
            hint=self._hint.value if self._hint and not self.why and not self._fault else "",
            figures=self._figures.told(self._clock()),
        )

    def sighting(self) -> Sighting:
        """Whether this camera is away, and when somebody was last before it. Simulated ones are never looked for."""
        now, since = self._clock(), self._away_since
        away = since is not None and self.settings.part != "simulated"
        stirred_s = None if self.camera is None or self.why else now - self._stirred_at
        return Sighting(self.settings.lane, now - since if away and since is not None else None, stirred_s, self.why)

    def look(self, camera: Camera) -> None:
        """Take one frame, decode it, present what came into view. Raises HardwareError when no frame comes."""
        with camera.frame(FRAME_S) as frame:
            started = time.perf_counter()
            seen = self._seen(frame)
            self._sight.step(frame, camera.exposures, self._light and not self.why)
            self._expose(camera, frame, seen)
            ms, at = (time.perf_counter() - started) * 1000, frame.at
            self._figures.step(at, ms, self._brightness, frame.exposure)
            self.window.offer(frame.luma)
        self._frame_at = self._clock()
        if seen.stirred:
            self._stirred_at = self._frame_at
        self._looked += (seen.looked - self._looked) / LOOKED_FRAMES
        self._judge()
        if seen.hint is not self._hint:
            self._hint = seen.hint
            self._changed()
        if presentation := self._presenter.step(seen.found, at):
            presentation.ms = round(ms, 3)
            self._present(presentation)
        if not self._sight.still:
            self._alive_at = self._clock()

    def _judge(self) -> None:
        """One frame says nothing yet: a camera that froze before it was opened again gives one, too."""
        if not self.why or self._sight.moves or self._sight.fault:
            self._failures, self._stuck = 0, False
            self._says("", self._sight.fault)

    def _says(self, why: str, fault: str) -> None:
        """Tell log and core how the camera is, if that is new."""
        if (why, fault) == (self.why, self._fault):
            return
        if why or fault:
            log.error("camera=%s lane=%s why=%r", fault or "failed", self.settings.lane, why or ADVICE[fault])
        else:
            log.info("camera=ok lane=%s part=%s", self.settings.lane, self.settings.part)
        began, self.why, self._fault = self.why == STARTING, why, fault
        if not began or why or fault:
            self._changed()

    def _seen(self, frame: Frame) -> Seen:
        try:
            with self._over(Look("frame", self.settings.lane)):
                return self._watching.look(frame.luma, frame.at)
        except Exception:  # a FrameWatch promises not to; a picture that breaks the promise must not close the gate
            log.exception("decode=failed lane=%s", self.settings.lane)
            self._watching = self._decoder.watch()
            return Seen([])

    def _expose(self, camera: Camera, frame: Frame, seen: Seen) -> None:
        if self._bracket is None and camera.exposures:
            self._bracket = Bracket(camera.exposures)
        shown, read = brightness(frame.luma), bool(seen.found)
        self._brightness = shown.mean
        dark = shown.mean < DARKEST
        if self._bracket and self._sight.asks:
            self._bracket.hold(frame.at)
            camera.expose(self._sight.asks)
        elif self._bracket and frame.exposure:
            camera.expose(self._bracket.step(frame.exposure, shown, seen.stirred, read, frame.at))
        dark = self._bracket.dark if self._bracket and frame.exposure else dark
        light = self._lamp.step(seen.stirred, read or bool(seen.symbols), dark, frame.at) or self._sight.wants_light
        if light != self._light:
            self._light = light
            self._changed()

    def _present(self, presentation: Presentation) -> None:
        outcome = "unanswered"
        try:
            shown = self._core.ask(PRESENT, presentation, PRESENT_S)
            outcome = f"{shown.outcome} reason={shown.reason}"
            if self._heard is not None:
                self._heard.append(shown)
            self._core_lost = False
        except Refused as no:
            outcome = f"refused reason={no}"
        except ChannelError as err:
            # Safe to ask again: the core takes the same serial at the same lane as a repeat.
            self._presenter.forget(presentation.text)
            if self._core_lost:
                return
            self._core_lost = True
            outcome = f"unanswered why={str(err)!r}"
        log.info("presentation %s outcome=%s", traceless(presentation), outcome)

    def show(self, pictures: Sequence[Picture], frames_each: int) -> list[PresentationAnswer]:
        """Hold pictures before a simulated camera and return the core's answers.

        Raises Refused: ``not_simulated``, ``busy`` while another showing runs, ``no_camera``.
        """
        if self.settings.part != "simulated":
            raise Refused("not_simulated")
        camera = self.camera
        if not isinstance(camera, SimulatedCamera):
            raise Refused("no_camera")
        if not self._showing.acquire(blocking=False):
            raise Refused("busy")
        try:
            heard: list[PresentationAnswer] = []
            self._heard = heard
            lasts = len(pictures) * frames_each * self.settings.frame_us / 1e6
            camera.show(pictures, frames_each).wait(lasts * 2 + SHOW_EXTRA_S)
            return heard
        finally:
            self._heard = None
            self._showing.release()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except HardwareError as err:
                self._failed(str(err))
            except Exception as err:
                why = f"{type(err).__name__}: {err}"
                if why != self.why:
                    log.exception("camera=broke lane=%s", self.settings.lane)
                self._failed(why)

    def _watch(self) -> None:
        self._gives_none = False
        camera = self.camera = self._opened()
        self._bracket = None
        try:
            about = dict(camera.describe())
            log.info("camera=open lane=%s about=%s", self.settings.lane, json.dumps(about))
            self._measure(about)
            while not self._stop.is_set():
                self.look(camera)
        except HardwareError:
            self._stuck = self._gives_none = True
            raise
        finally:
            self.camera = None
            self._figures.pause()
            camera.close()

    def _opened(self) -> Camera:
        try:
            camera = self._open(self.settings)
        except PartInUse:
            self._away_since = None
            raise
        except Exception:
            self._away_since = self._clock() if self._away_since is None else self._away_since
            raise
        self._away_since = None
        return camera

    def _measure(self, about: Mapping[str, Any]) -> None:
        """Keep how many pixels a module has; a technician should hear of too few where the camera is set up."""
        self._module_px = about.get("module_px")
        if self._module_px is not None:
            self._optics = "few" if self._module_px < FEW_PIXELS else ""
        else:
            self._optics = "lens" if about.get("lens_mm", 0.0) is None else ""
        if self._optics:
            log.warning(
                "camera=%s lane=%s module_px=%s needs=%g distance_cm=%g do=%r",
                "few_pixels" if self._optics == "few" else "lens_unknown", self.settings.lane, self._module_px,
                FEW_PIXELS, self.settings.distance_cm, OPTICS_ADVICE[self._optics],
            )  # fmt: skip

    def _failed(self, why: str) -> None:
        self._says(why, "hung" if self._gives_none else "")
        self._lives()
        pause = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        self._failures += 1
        until = self._clock() + pause
        while (left := until - self._clock()) > 0 and not self._wait(min(left, 1.0)):
            self._lives()

    def _lives(self) -> None:
        if not self._stuck:
            self._alive_at = self._clock()

    def close(self) -> None:
        """Idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(FRAME_S + PRESENT_S)


def traceless(presentation: Presentation) -> str:
    """A presentation for the log: enough to tell two apart, not enough to show one at a gate."""
    text = presentation.text
    kind = OURS if text.startswith(OURS) else "other"
    mark = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return (
        f"lane={presentation.lane} code={kind} length={len(text)} mark={mark} "
        f"engine={presentation.engine} ms={presentation.ms}"
    )
