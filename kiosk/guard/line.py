"""The guard process's ends of its two sockets, and what it may be told to do with them."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from kiosk.channel import Client, HungUp, Refused, Verb
from kiosk.guard.lane.sounds import Sounds
from kiosk.verbs import CAMERA_PICTURE, FIGURES, STATE, CameraOf, Figures, GateState, Nothing

Q = TypeVar("Q")
A = TypeVar("A")

CLIENTS = 4
"""Questions to the core at a time: one hung answer must not keep another guard from opening."""
DOORS = 2
"""Questions of strangers at a time, over connections of their own: a PIN takes about a second to check on a slow board,
and strangers who try, or who invent sessions, must not keep a guard from opening. The core checks as many PINs at once.
"""
DOOR_S = 12.0
CORE_S = 4.0
READER_S = 20.0
READER_TURN_S = 5.0
"""One picture at a time; anyone whose turn does not come by then is told that the reader is busy."""
PACE_S, PACE_WINDOW_S = 40.0, 60.0
"""So much of the reader's time one session's pictures may take in a minute; others have the rest."""
TIMES_STOPPED = 2
"""A picture during which the reader ended this many times is not sent to it again. Once may be chance: a frame
before a camera may have ended it."""
STOPPERS_KEPT = 100
SCREEN_S = 1.0
VIEW_S = 2.0
"""How long a technician's page waits for a picture of the camera: the reader itself gives up after one."""


@dataclass(frozen=True)
class GuardSettings:
    """What the guards' page needs to know beyond what the core answers."""

    simulated: bool = False
    """Passes may be presented from the page: pictures held before a simulated camera."""
    demo_passes: Path | None = None
    """Folder of ``*.png`` with an ``index.json`` beside them; see :mod:`kiosk.demo_passes`."""
    secure_cookies: bool = False
    """True where the page is served over HTTPS."""
    screen_elsewhere: bool = False
    """The lane's screen may be opened from other machines than this one."""
    sounds: Sounds = field(default_factory=Sounds)
    """What the lane's screen lets people hear."""
    hosts: tuple[str, ...] = ()
    """Names under which the page is opened, beside the device's own."""
    session_hours: int = 13
    """How long the browser keeps the cookie; the core ends the session itself."""


class CoreLine:
    """Asks the core and the reader, each over connections that open when needed and again after a failure.

    Every question raises :class:`kiosk.channel.Refused` when the peer says no and
    :class:`kiosk.channel.ChannelError` when it cannot be reached in time.
    """

    def __init__(self, core: Path | str, reader: Path | str, monotonic: Callable[[], float] = time.monotonic):
        self._path = core
        self._monotonic = monotonic
        self._pace = _Pace(monotonic)
        self._reader = Client(reader, READER_S)
        self._reader_turn = threading.Lock()
        self._stopped: Counter[bytes] = Counter()
        self._screens = Client(core, SCREEN_S)
        self._monitors = Client(core, SCREEN_S)
        self._views = Client(reader, VIEW_S)
        self._clients = _Clients(core, CLIENTS)
        self._doors = _Clients(core, DOORS, DOOR_S)

    def ask(self, verb: Verb[Q, A], question: Q) -> A:
        return self._clients.ask(verb, question)

    def ask_at_the_door(self, verb: Verb[Q, A], question: Q) -> A:
        """For those who are not signed in, or not known to be."""
        return self._doors.ask(verb, question)

    def ask_reader(self, verb: Verb[Q, A], question: Q, picture: bytes, session: str = "") -> A:
        """As the core is asked, about a picture. Raises Refused ``busy`` while another is being read, ``photo_pace``
        where this session's pictures took their time of this minute, and ``photo_stops`` for a picture that ended the
        reader before."""
        if not self._pace.may(session):
            raise Refused("photo_pace")
        mark = hashlib.blake2b(picture, digest_size=16).digest()
        if self._stopped[mark] >= TIMES_STOPPED:
            raise Refused("photo_stops")
        if not self._reader_turn.acquire(timeout=READER_TURN_S):
            raise Refused("busy")
        began = self._monotonic()
        try:
            return self._reader.ask(verb, question)
        except HungUp:
            self._note_stopped(mark)
            raise
        finally:
            self._pace.took(session, self._monotonic() - began)
            self._reader_turn.release()

    def _note_stopped(self, mark: bytes) -> None:
        if len(self._stopped) >= STOPPERS_KEPT:
            self._stopped.clear()
        self._stopped[mark] += 1

    def camera_picture(self, lane: str) -> bytes:
        """What the lane's camera sees, as a small JPEG; over a connection of its own, so that nobody's photo waits.
        Raises Refused ``not_viewed`` while nobody looks by the core's word."""
        return self._views.ask(CAMERA_PICTURE, CameraOf(lane)).jpeg

    def state_for_screens(self) -> GateState:
        """How the gate is, over a connection of its own: a lane's screen never takes a guard's place."""
        return self._screens.ask(STATE, Nothing())

    def figures_for_monitors(self) -> Figures:
        """What the core counts, over a connection of its own: a monitor never takes a guard's place, nor a screen's."""
        return self._monitors.ask(FIGURES, Nothing())

    def watcher(self) -> Client:
        """A connection of its own, for questions that wait long. The caller closes it."""
        return Client(self._path, CORE_S)

    def close(self) -> None:
        """Idempotent; questions under way end by themselves."""
        self._reader.close()
        self._screens.close()
        self._monitors.close()
        self._views.close()
        self._clients.close()
        self._doors.close()


class _Pace:
    """How much of the reader's time each session took within the last minute."""

    def __init__(self, monotonic: Callable[[], float]):
        self._monotonic = monotonic
        self._took: dict[str, list[tuple[float, float]]] = {}

    def may(self, session: str) -> bool:
        since = self._monotonic() - PACE_WINDOW_S
        kept = {who: [one for one in took if one[0] > since] for who, took in list(self._took.items())}
        self._took = {who: took for who, took in kept.items() if took}
        return sum(seconds for _, seconds in self._took.get(session, ())) < PACE_S

    def took(self, session: str, seconds: float) -> None:
        self._took.setdefault(session, []).append((self._monotonic(), seconds))


class _Clients:
    """Some connections, each with one question at a time; anyone more waits."""

    def __init__(self, path: Path | str, count: int, timeout_s: float = CORE_S):
        self._free: queue.LifoQueue[Client] = queue.LifoQueue()
        self._count = count
        for _ in range(count):
            self._free.put(Client(path, timeout_s))

    def ask(self, verb: Verb[Q, A], question: Q) -> A:
        client = self._free.get()
        try:
            return client.ask(verb, question)
        finally:
            self._free.put(client)

    def close(self) -> None:
        for client in [self._free.get() for _ in range(self._count)]:
            client.close()
            self._free.put(client)
