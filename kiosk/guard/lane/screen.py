"""The residents' screen of a lane: no sign-in, nothing personal, and for the display on this very device only.

The page asks ``/screen/LANE/now`` a few times a second and shows the face it is given; after three seconds without an
answer it shows that nothing is read here, and goes on asking.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, abort, current_app, render_template, request

from kiosk.channel import ChannelError
from kiosk.guard import doors
from kiosk.guard.frame import Answer, as_json, post
from kiosk.guard.lane import faces
from kiosk.guard.line import CoreLine
from kiosk.verbs import GateState, LaneState

FRESH_S = 0.25
RETRY_S = 1.0
_PARTS = ("static/tokens.css", "static/screen.css", "static/screen.js", "templates/screen.html", "templates/_face.html")

routes = Blueprint("screen", __name__)


class Screens:
    """The gate's state for screens and monitors, which have no session: asked of the core at most four times a
    second, however many look."""

    def __init__(self, core: CoreLine, monotonic: Callable[[], float] = time.monotonic):
        self.version = _version()
        """Changes with the page's own files: a page of an earlier version then loads itself anew."""
        self._core = core
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: GateState | None = None
        self._answers = False
        self._ask_at = -1.0

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
        self._ask_at = self._monotonic() + (FRESH_S if self._answers else RETRY_S)


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


def _looked(name: str) -> tuple[faces.Face, faces.Face, bool]:
    """The lane's face, the one for when nobody answers, and whether the core answers now."""
    state, answers = screens().state()
    lane = _lane(state, name)
    lost = faces.lost(state, lane)
    return faces.face(state, lane) if state and lane and answers else lost, lost, answers


def _lane(state: GateState | None, name: str) -> LaneState | None:
    """None only before the core has ever answered."""
    if state is None:
        return None
    lane = next((lane for lane in state.lanes if lane.name == name), None)
    return lane or abort(404)


@routes.get("/screen/<lane>")
def page(lane: str) -> Answer:
    face, lost, _ = _looked(lane)
    return render_template("screen.html", name=lane, face=face, lost=lost, version=screens().version)


@routes.get("/screen/<lane>/now")
def now(lane: str) -> Answer:
    """The face as finished HTML; 503 while the core does not answer."""
    face, lost, answers = _looked(lane)
    faces_now = {
        "face": render_template("_face.html", face=face),
        "lost": render_template("_face.html", face=lost),
        "page": screens().version,
    }
    return as_json(faces_now, 200 if answers else 503)
