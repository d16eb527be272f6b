"""Frames to presentations: the process that has the camera and the decoders, and nothing else.

One thread per camera takes frames, decodes them and asks the core; another tells the core once a
second how the cameras are. Pictures are hostile: nothing in one may end a thread.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import msgspec

from hardware import Camera, CameraSettings, Decoder
from hardware.opening import open_camera
from kiosk.channel import ChannelError, Refused, Verb
from kiosk.reader.absence import Search, Sighting
from kiosk.reader.caps import Caps, Look, end_process
from kiosk.reader.eye import CoreClient, Eye
from kiosk.reader.photos import read_apart
from kiosk.reader.pictures import PictureError, load_picture
from kiosk.verbs import (
    CAMERA_PICTURE,
    ENDING,
    PHOTO,
    READER_STATE,
    SHOW,
    CameraOf,
    CameraPicture,
    Ending,
    Photo,
    Show,
    ShownTexts,
    Texts,
)

STATE_S = 1.0
PHOTO_WAIT_S = 3.0
"""Photos are read one at a time; a second one waits so long for its turn."""
LAST_WORD_S = 0.3
SHOW_FRAMES = 600

log = logging.getLogger("reader")


class Reader:
    """All cameras of the device, what the core hears of them, and what a guard's page may ask of them.

    ``connect`` makes a client of the core's socket; it is called once per camera, once for the reports and once for
    the last word, since a client carries one question at a time. ``end`` ends the process over a look that lasts too
    long, after a last word to the core. ``lamps`` are the lanes whose lamp is wired. ``search`` counts the ends that
    were for a camera's sake. ``read_photo`` reads a guard's photo, apart from the lanes' frames.
    """

    def __init__(
        self,
        cameras: Sequence[CameraSettings],
        decoder: Decoder,
        connect: Callable[[], CoreClient],
        open_camera: Callable[[CameraSettings], Camera] = open_camera,
        clock: Callable[[], float] = time.monotonic,
        end: Callable[[Look, Callable[[Look], None]], None] = end_process,
        lamps: Collection[str] = (),
        search: Search | None = None,
        read_photo: Callable[[bytes], Texts] = read_apart,
    ) -> None:
        self.run = secrets.token_hex(4)
        self._search = search or Search(None)
        self._ends_for: Sighting | None = None
        self._read_photo = read_photo
        self._stop = threading.Event()
        self._caps = Caps(lambda look: end(look, lambda look: self._last_word(look.sort, look.lane)))
        self._one_photo = threading.Lock()
        self._news = threading.Event()
        self._eyes = [
            Eye(
                settings, decoder, connect(), open_camera, clock, changed=self._news.set, over=self._caps.over,
                lamp=settings.lane in lamps,
            )
            for settings in cameras
        ]  # fmt: skip
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

    def looks_anew(self) -> bool:
        """Whether this process should end now, so that another one may find a camera. To be asked on and on."""
        if self._ends_for is None and (away := self._search.ends_for([eye.sighting() for eye in self._eyes])):
            self._ends_for = away
            self._search.ends(away)
        return self._ends_for is not None

    def verbs(self) -> Mapping[Verb[Any, Any], Callable[[Any], Any]]:
        """What to answer on the reader-guard socket."""
        return {PHOTO: self.photo, SHOW: self.show, CAMERA_PICTURE: self.camera_picture}

    def photo(self, question: Photo) -> Texts:
        """The texts of a guard's photo; ``why`` in the guard's words when there are none.

        One at a time, and behind the lanes' frames. Raises Refused ``busy`` when its turn does not come.
        """
        if not self._one_photo.acquire(timeout=PHOTO_WAIT_S):
            raise Refused("busy")
        try:
            return self._read_photo(question.picture)
        finally:
            self._one_photo.release()

    def camera_picture(self, question: CameraOf) -> CameraPicture:
        """What a lane's camera sees, small, while the core says that somebody looks. Raises Refused (see
        :meth:`Window.picture`, and ``unknown_lane``)."""
        return self._eye(question.lane).window.picture()

    def _eye(self, lane: str) -> Eye:
        eye = next((eye for eye in self._eyes if eye.settings.lane == lane), None)
        if eye is None:
            raise Refused("unknown_lane")
        return eye

    def show(self, question: Show) -> ShownTexts:
        """Simulated cameras only. Raises Refused (see :meth:`Eye.show`, and ``unknown_lane``, ``too_long``)."""
        eye = self._eye(question.lane)
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
        """Tell the core how each camera is, and hear of its lamp. Raises ChannelError."""
        for eye in self._eyes:
            lamp = self._core.ask(READER_STATE, msgspec.structs.replace(eye.state(), run=self.run), STATE_S)
            eye.lamp_works(lamp.works)
            eye.window.until = lamp.viewed_until

    def _last_word(self, why: Literal["asked", "camera", "frame", "photo"], lane: str = "") -> None:
        """Tell the core what ends this run."""
        self._end_core.ask(ENDING, Ending(run=self.run, why=why, lane=lane), LAST_WORD_S)

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
                if self._ends_for:
                    self._last_word("camera", self._ends_for.lane)
                else:
                    self._last_word("asked")
        self._stop.set()
        self._caps.close()
        self._news.set()
        for eye in self._eyes:
            eye.close()
        if self._reports.is_alive():
            self._reports.join(STATE_S * 2)
