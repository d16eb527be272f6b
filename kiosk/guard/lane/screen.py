"""The residents' screen of a lane: no sign-in, nothing personal, and for the display on this very device only.

The page listens to ``/screen/LANE/stream`` and shows each decision as it falls. Where no stream comes through, it asks
``/screen/LANE/now`` a few times a second. After three seconds without an answer it shows that nothing is read here, and
goes on asking.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, current_app, render_template, request, url_for
from jinja2 import Template

from kiosk.channel import ChannelError
from kiosk.guard import doors, views
from kiosk.guard.frame import Answer, as_json, event, post
from kiosk.guard.lane import faces
from kiosk.guard.lane.places import StreamPlaces
from kiosk.guard.lane.sounds import Sounds
from kiosk.guard.line import SCREEN_S, CoreLine
from kiosk.verbs import SHOWN, GateState, LaneState, ShownAfter
from sync.places import origin_of

FRESH_S = 0.25
RETRY_S = 1.0
WAIT_S = 1.0
"""A lane's clock, its notes and whether the core answers are at most so old on a screen that listens."""
BEAT_S = 1.0
_PARTS = (
    *(f"static/{name}" for name in ("tokens.css", "screen.css", "screen.js", "sounds.js")),
    *(f"templates/{name}" for name in ("screen.html", "_face.html")),
)

routes = Blueprint("screen", __name__)


class Screens:
    """The gate's state for screens and monitors, which have no session: asked of the core at most four times a
    second, however many look. While a screen listens, one thread waits at the core until a lane shows something else.
    """

    def __init__(self, core: CoreLine, monotonic: Callable[[], float] = time.monotonic):
        self.version = _version()
        """Changes with the page's own files: a page of an earlier version then loads itself anew."""
        self._core = core
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: GateState | None = None
        self._answers = False
        self._ask_at = -1.0
        self.life = secrets.token_hex(4)
        self._order = 0
        self.heard = 0
        """Grows with each answer of the core while a screen listens."""
        self.places = StreamPlaces()
        self._news = threading.Condition()
        self._idle = threading.Event()
        self._listening = 0
        self._watches = False

    def state(self) -> tuple[GateState | None, bool]:
        """The state as last heard, and whether the core answers now."""
        with self._lock:
            if self._monotonic() >= self._ask_at:
                self._ask()
            return self._known, self._answers

    def _ask(self) -> None:
        try:
            self._known, self._answers = self._core.state_for_screens(), True
        except ChannelError:
            self._answers = False
        self._order += 1
        self._ask_at = self._monotonic() + (FRESH_S if self._answers else RETRY_S)

    def heard_last(self) -> tuple[GateState | None, bool, int]:
        """As :meth:`state`, without a question to the core, and the place of that answer in the order of all."""
        with self._lock:
            return self._known, self._answers, self._order

    def wait(self, heard: int, seconds: float) -> None:
        """Until the core has said more than at ``heard``, or the time is up."""
        with self._news:
            self._news.wait_for(lambda: self.heard != heard, seconds)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear each change while the block runs."""
        with self._news:
            self._listening += 1
            self._idle.clear()
            if not self._watches:
                self._watches = True
                threading.Thread(target=self._watch, name="guard-screens", daemon=True).start()
        try:
            yield
        finally:
            with self._news:
                self._listening -= 1
                if not self._listening:
                    self._idle.set()

    def _watch(self) -> None:
        with contextlib.closing(self._core.watcher()) as core:
            asked = ShownAfter(wait_s=0)
            while self._goes_on():
                try:
                    said = core.ask(SHOWN, asked, WAIT_S + SCREEN_S)
                except ChannelError:
                    self._hear(None)
                    self._idle.wait(RETRY_S)
                else:
                    asked = ShownAfter(said.state.run, said.number, WAIT_S)
                    self._hear(said.state)

    def _goes_on(self) -> bool:
        # Leaving is decided under the lock, so that a screen that comes now starts a new thread.
        with self._news:
            self._watches = self._listening > 0
            return self._watches

    def _hear(self, state: GateState | None) -> None:
        with self._lock:
            self._known, self._answers = state or self._known, state is not None
            self._order += 1
        with self._news:
            self.heard += 1
            self._news.notify_all()


def _version() -> str:
    folder = Path(__file__).parents[1]
    return hashlib.blake2b(b"".join((folder / part).read_bytes() for part in _PARTS), digest_size=6).hexdigest()


@routes.before_request
def only_here() -> None:
    if not (post().settings.screen_elsewhere or doors.is_this_machine(request)):
        abort(404)


def screens() -> Screens:
    found: Screens = current_app.extensions["screens"]
    return found


def _looked(name: str) -> tuple[GateState | None, bool]:
    """The gate's state, and whether the core answers now; only for a lane that it has, as far as is known."""
    state, answers = screens().state()
    if state is not None and _lane(state, name) is None:
        abort(404)
    return state, answers


def _lane(state: GateState | None, name: str) -> LaneState | None:
    return next((lane for lane in state.lanes if lane.name == name), None) if state else None


def _faces(state: GateState | None, answers: bool, name: str) -> tuple[faces.Face, faces.Face]:
    """The lane's face, and the one for when nobody answers."""
    lane = _lane(state, name)
    lost = faces.lost(state, lane)
    return faces.face(state, lane) if state and lane and answers else lost, lost


@routes.get("/screen/<lane>")
def page(lane: str) -> Answer:
    face, lost = _faces(*_looked(lane), lane)
    sounds = post().settings.sounds
    voices = {word: [url_for("screen.voice", name=name) for name in names] for word, names in sounds.spoken().items()}
    version = screens().version
    return render_template("screen.html", name=lane, face=face, lost=lost, version=version, voices=json.dumps(voices))


@routes.get("/screen-voice/<name>")
def voice(name: str) -> Answer:
    """A file of spoken words."""
    found = post().settings.sounds.file(name)
    return Response(found.read_bytes(), mimetype="application/octet-stream") if found else abort(404)


@routes.get("/screen/<lane>/now")
def now(lane: str) -> Answer:
    """The face as finished HTML; 503 while the core does not answer."""
    _looked(lane)
    told = _telling(lane).face(*screens().heard_last())
    return as_json(told, 200 if told["answers"] else 503)


def _telling(lane: str) -> _Telling:
    return _Telling(screens(), current_app.jinja_env.get_template("_face.html"), lane, post().settings.sounds)


class _Telling:
    """What a page is told of its lane; needs no request, so that it can go on for as long as a stream does."""

    def __init__(self, screens: Screens, template: Template, lane: str, sounds: Sounds):
        self._screens = screens
        self._sounds = sounds
        self._template = template
        self._lane = lane

    def face(self, state: GateState | None, answers: bool, order: int) -> dict[str, Any]:
        knows = state is not None and state.clock != "untrusted"
        volume = self._sounds.volume_at(views.local(state.now_ms, state) if state and knows else None)
        face, lost = (self._template.render(face=face, volume=volume) for face in _faces(state, answers, self._lane))
        return {"face": face, "lost": lost, **self.beat(answers, order)}

    def beat(self, answers: bool, order: int) -> dict[str, Any]:
        """``at`` is when it is said, by this device's clock: a page sees by it that a stream is held up somewhere. Of
        two sayings of one ``life`` the one with the higher ``order`` counts, whichever came last."""
        screens = self._screens
        said = {"page": screens.version, "answers": answers, "at": doors.clock_ms()}
        return said | {"life": screens.life, "order": order}

    def events(self) -> Iterator[str]:
        screens, shown, beat_at = self._screens, "", 0.0
        yield "retry: 1000\n\n"
        with screens.listening():
            while True:
                heard, (state, answers, order) = screens.heard, screens.heard_last()
                told = self.face(state, answers, order)
                showing = f"{answers}{told['face']}{told['lost']}"
                if showing != shown:
                    shown, beat_at = showing, time.monotonic() + BEAT_S
                    yield event("face", told)
                elif time.monotonic() >= beat_at:
                    beat_at = time.monotonic() + BEAT_S
                    yield event("beat", self.beat(answers, order))
                screens.wait(heard, BEAT_S / 2)


@routes.get("/screen/<lane>/stream")
def stream(lane: str) -> Answer:
    """Server-sent events: ``face`` with what ``now`` answers whenever it changes, else a ``beat`` every :data:`BEAT_S`.
    503 where no more screens may listen: those ask instead."""
    _looked(lane)
    places = screens().places
    origin = "" if doors.is_this_machine(request) else origin_of(request.remote_addr or "")
    if not places.take(origin):
        return as_json({}, 503)
    answer = Response(_telling(lane).events(), mimetype="text/event-stream")
    answer.headers["X-Accel-Buffering"] = "no"
    answer.call_on_close(lambda: places.give_back(origin))
    return answer
