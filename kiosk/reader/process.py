"""Frames to presentations: the process that has the camera and the decoders, and nothing else.

One thread per camera takes frames, decodes them and asks the core; another tells the core once a
second how the cameras are. Pictures are hostile: nothing in one may end a thread.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hardware import OURS, Camera, CameraSettings, Decoder, Found, Frame, HardwareError, Hint, Picture, Seen
from hardware.exposure import DARKEST, Bracket, Lamp, brightness
from hardware.opening import open_camera
from hardware.simulated import SimulatedCamera
from kiosk.channel import A, ChannelError, Q, Refused, Verb
from kiosk.reader.caps import Caps, Look, end_process, last_in_line
from kiosk.verbs import (
    ENDING,
    PHOTO,
    PRESENT,
    READER_STATE,
    SHOW,
    Ending,
    Photo,
    Presentation,
    ReaderState,
    Show,
    Shown,
    ShownTexts,
    Texts,
)

GONE_S = 0.7
"""A code not read for so long has left; shown again it is a new presentation."""
LONGEST_TEXT = 4_296
"""Alphanumeric characters of the largest QR code."""
PRESENT_S = 1.5
"""Frames wait so long for the core's answer, then go on without it."""
STATE_S = 1.0
FRAME_S = 2.0
LOOKED_FRAMES = 300
"""About so many frames, ten seconds, make the share that is looked at."""
BACK_OFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
MOST_SCANS = 500
"""A camera's JPEG has one scan, a progressive one about ten. Each passes over the whole picture, however little it
says: the 140,000 that 4 MB can hold take four minutes."""
PHOTO_WAIT_S = 3.0
"""Photos are read one at a time; a second one waits so long for its turn."""
LAST_WORD_S = 0.3
SHOW_FRAMES = 600
SHOW_EXTRA_S = 10.0

log = logging.getLogger("reader")


class Limits(NamedTuple):
    """How large a picture file may be before it is looked at, and how many pixels it may unpack to."""

    bytes: int
    pixels: int


PHONE = Limits(bytes=4_000_000, pixels=4096 * 3072)
"""A "12 megapixel" phone takes up to 4096 x 3072."""


class Core(Protocol):
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


class PictureError(Exception):
    """A file is not a picture we take. The text is for the person who chose it; another file may work."""


def load_picture(raw: bytes, limits: Limits = PHONE) -> Picture:
    """The grey values of a picture file, upright. Transparent parts are white paper.

    Size and format are judged from the header, before any pixel is unpacked. Raises PictureError.
    """
    if len(raw) > limits.bytes:
        raise PictureError(f"the picture is larger than {limits.bytes / 1e6:.0f} MB")
    if raw[:2] == b"\xff\xd8" and raw.count(b"\xff\xda") > MOST_SCANS:
        raise PictureError("the picture is made of too many scans")
    too_large = f"the picture has more than {limits.pixels / 1e6:.0f} megapixels"
    try:
        with Image.open(io.BytesIO(raw), formats=PHOTO_FORMATS) as image:
            if image.width * image.height > limits.pixels:
                raise PictureError(too_large)
            image.draft("L", image.size)  # JPEG: unpack the luma only
            return _grey(_upright(image))
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise PictureError(too_large) from err
    except UnidentifiedImageError as err:
        raise PictureError(f"not a picture, or not one of {', '.join(PHOTO_FORMATS)}") from err
    except MemoryError as err:
        raise PictureError("the picture needs more memory than there is") from err
    except Exception as err:  # a damaged file makes Pillow raise nearly anything
        raise PictureError(f"the picture is damaged ({type(err).__name__})") from err


def _upright(image: Image.Image) -> Image.Image:
    image.load()  # first, and outside: a damaged picture must not pass for one with broken EXIF
    with suppress(Exception):  # broken EXIF is no reason to refuse: a code is read upside down as well
        return ImageOps.exif_transpose(image)
    return image


def _grey(image: Image.Image) -> Picture:
    if image.mode[0] in "IF":  # 16 or 32 bits a pixel: Pillow would clip where it should scale
        deep = np.nan_to_num(np.asarray(image, dtype=np.float32))
        return (deep * (255 / max(1.0, float(deep.max())))).clip(0, 255).astype(np.uint8)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image)
        image = paper
    return np.array(image.convert("L"), dtype=np.uint8)


def read_photo(decoder: Decoder, raw: bytes) -> list[Found]:
    """The codes of a picture file, passes first. Raises PictureError."""
    return decoder.decode(load_picture(raw))


class Eye:
    """One camera with its thread: opens it, looks, presents, and after a fault opens it again, for ever.

    ``wait`` passes seconds between the attempts; it returns true when the eye is being closed. ``changed`` is called
    when the core should hear of :meth:`state` at once.
    """

    def __init__(
        self,
        settings: CameraSettings,
        decoder: Decoder,
        core: Core,
        open_camera: Callable[[CameraSettings], Camera],
        clock: Callable[[], float],
        wait: Callable[[float], bool] | None = None,
        changed: Callable[[], None] = lambda: None,
        over: Callable[[Look], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.settings = settings
        self.camera: Camera | None = None
        self.why = "starting"
        self._decoder = decoder
        self._watching = decoder.watch()
        self._core = core
        self._open = open_camera
        self._clock = clock
        self._over = over
        self._changed = changed
        self._presenter = Presenter(settings.lane)
        self._bracket: Bracket | None = None
        self._lamp = Lamp()
        self._light = False
        self._hint: Hint | None = None
        self._frames = 0
        self._decode_ms = 0.0
        self._looked = 1.0
        self._frame_at = self._alive_at = clock()
        self._failures = 0
        self._stuck = False
        self._core_lost = False
        self._heard: list[Shown] | None = None
        self._showing = threading.Lock()
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self._thread = threading.Thread(target=self._run, name=f"eye-{settings.lane}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def alive_age(self) -> float:
        """Seconds since this thread last had a frame, or an answer that there is no camera to be had.

        It grows when a driver hangs and when an opened camera gives no frames: that is retried here a
        few times, but libcamera often needs a new process, which is what the watchdog is for.
        """
        return self._clock() - self._alive_at

    def state(self) -> ReaderState:
        """What the core is told once a second."""
        return ReaderState(
            lane=self.settings.lane,
            ok=not self.why,
            why=self.why,
            part=self.settings.part,
            frames=self._frames,
            decode_ms=round(self._decode_ms, 2),
            looked=round(self._looked, 3),
            frame_age_s=round(self._clock() - self._frame_at, 3),
            light=self._light and not self.why,
            hint=self._hint.value if self._hint and not self.why else "",
        )

    def look(self, camera: Camera) -> None:
        """Take one frame, decode it, present what came into view. Raises HardwareError when no frame comes."""
        with camera.frame(FRAME_S) as frame:
            started = time.perf_counter()
            seen = self._seen(frame)
            self._expose(camera, frame, seen)
            ms, at = (time.perf_counter() - started) * 1000, frame.at
        self._frames += 1
        self._frame_at = self._alive_at = self._clock()
        self._decode_ms += (ms - self._decode_ms) / 30
        self._looked += (seen.looked - self._looked) / LOOKED_FRAMES
        if self.why:
            log.info("camera=ok lane=%s part=%s", self.settings.lane, self.settings.part)
            self.why, self._failures, self._stuck = "", 0, False
        if seen.hint is not self._hint:
            self._hint = seen.hint
            self._changed()
        if presentation := self._presenter.step(seen.found, at):
            presentation.ms = round(ms, 3)
            self._present(presentation)
            self._alive_at = self._clock()

    def _seen(self, frame: Frame) -> Seen:
        try:
            with self._over(Look("frame", self.settings.lane)):
                return self._watching.look(frame.luma, frame.at)
        except Exception:  # a Watch promises not to; a picture that breaks the promise must not close the gate
            log.exception("decode=failed lane=%s", self.settings.lane)
            self._watching = self._decoder.watch()
            return Seen([])

    def _expose(self, camera: Camera, frame: Frame, seen: Seen) -> None:
        if self._bracket is None and camera.exposures:
            self._bracket = Bracket(camera.exposures)
        shown, read = brightness(frame.luma), bool(seen.found)
        dark = shown.mean < DARKEST
        if self._bracket and frame.exposure:
            camera.expose(self._bracket.step(frame.exposure, shown, seen.stirred, read, frame.at))
            dark = self._bracket.dark
        light = self._lamp.step(seen.stirred, read or bool(seen.symbols), dark, frame.at)
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

    def show(self, pictures: Sequence[Picture], frames_each: int) -> list[Shown]:
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
            heard: list[Shown] = []
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
                log.exception("camera=broke lane=%s", self.settings.lane)
                self._failed(f"{type(err).__name__}: {err}")

    def _watch(self) -> None:
        camera = self.camera = self._open(self.settings)
        self._bracket = None
        try:
            log.info("camera=open lane=%s about=%s", self.settings.lane, json.dumps(dict(camera.describe())))
            while not self._stop.is_set():
                self.look(camera)
        except HardwareError:
            self._stuck = True
            raise
        finally:
            self.camera = None
            camera.close()

    def _failed(self, why: str) -> None:
        if why != self.why:
            log.error("camera=failed lane=%s why=%r", self.settings.lane, why)
        self.why = why
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


class Reader:
    """All cameras of the device, what the core hears of them, and what a guard's page may ask of them.

    ``connect`` makes a client of the core's socket; it is called once per camera, once for the reports and once for
    the last word, since a client carries one question at a time. ``end`` ends the process over a look that lasts too
    long, after a last word to the core.
    """

    def __init__(
        self,
        cameras: Sequence[CameraSettings],
        decoder: Decoder,
        connect: Callable[[], Core],
        open_camera: Callable[[CameraSettings], Camera] = open_camera,
        clock: Callable[[], float] = time.monotonic,
        end: Callable[[Look, Callable[[Look], None]], None] = end_process,
    ) -> None:
        self.run = secrets.token_hex(4)
        self._decoder = decoder
        self._stop = threading.Event()
        self._caps = Caps(lambda look: end(look, self._last_word))
        self._one_photo = threading.Lock()
        self._news = threading.Event()
        self._eyes = [
            Eye(settings, decoder, connect(), open_camera, clock, changed=self._news.set, over=self._caps.over)
            for settings in cameras
        ]
        self._core, self._end_core = connect(), connect()
        self._reports = threading.Thread(target=self._report_always, name="reader-state", daemon=True)

    def start(self) -> None:
        self._caps.start()
        for eye in self._eyes:
            eye.start()
        self._reports.start()

    def frame_age(self) -> float:
        """For the watchdog: the largest :meth:`Eye.alive_age`. A missing camera does not make it grow."""
        return max((eye.alive_age() for eye in self._eyes), default=0.0)

    def verbs(self) -> Mapping[Verb[Any, Any], Callable[[Any], Any]]:
        """What to answer on the reader-guard socket."""
        return {PHOTO: self.photo, SHOW: self.show}

    def photo(self, question: Photo) -> Texts:
        """The texts of a guard's photo; ``why`` in the guard's words when there are none.

        One at a time, and behind the lanes' frames. Raises Refused ``busy`` when its turn does not come.
        """
        if not self._one_photo.acquire(timeout=PHOTO_WAIT_S):
            raise Refused("busy")
        try:
            last_in_line()
            with self._caps.over(Look("photo")):
                return self._texts(question.picture)
        finally:
            self._one_photo.release()

    def _texts(self, raw: bytes) -> Texts:
        started = time.perf_counter()
        texts, why = [], ""
        try:
            texts = [code.text[:LONGEST_TEXT] for code in read_photo(self._decoder, raw)]
            why = "" if texts else "no QR code was found in the picture"
        except PictureError as err:
            why = str(err)
        return Texts(texts, round((time.perf_counter() - started) * 1000, 2), why)

    def show(self, question: Show) -> ShownTexts:
        """Simulated cameras only. Raises Refused (see :meth:`Eye.show`, and ``unknown_lane``, ``too_long``)."""
        eye = next((eye for eye in self._eyes if eye.settings.lane == question.lane), None)
        if eye is None:
            raise Refused("unknown_lane")
        if question.frames_each < 1 or len(question.pictures) * question.frames_each > SHOW_FRAMES:
            raise Refused("too_long")
        try:
            with self._caps.over(Look("photo")):
                pictures = [load_picture(raw) for raw in question.pictures]
        except PictureError as err:
            return ShownTexts([], str(err))
        heard = eye.show(pictures, question.frames_each)
        return ShownTexts(heard, "" if heard else "no new code was read, or the core did not answer")

    def report(self) -> None:
        """Tell the core how each camera is. Raises ChannelError."""
        for eye in self._eyes:
            self._core.ask(READER_STATE, msgspec.structs.replace(eye.state(), run=self.run), STATE_S)

    def _last_word(self, look: Look | None) -> None:
        """Tell the core what ends this run; None: it was asked to end."""
        ending = Ending(run=self.run, why=look.sort if look else "asked", lane=look.lane if look else "")
        self._end_core.ask(ENDING, ending, LAST_WORD_S)

    def _next_report(self) -> bool:
        """Wait for news or the next second; false: it is over."""
        self._news.wait(STATE_S)
        self._news.clear()
        return not self._stop.is_set()

    def _report_always(self) -> None:
        lost = False
        while self._next_report():
            try:
                self.report()
            except ChannelError as err:
                if not lost:
                    log.warning("core=lost why=%r", str(err))
                lost = True
            else:
                if lost:
                    log.info("core=back")
                lost = False

    def close(self) -> None:
        """Stop the threads and give the cameras back. Idempotent."""
        if not self._stop.is_set():
            with suppress(ChannelError):
                self._last_word(None)
        self._stop.set()
        self._caps.close()
        self._news.set()
        for eye in self._eyes:
            eye.close()
        if self._reports.is_alive():
            self._reports.join(STATE_S * 2)
