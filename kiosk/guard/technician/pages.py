"""The details page: tables that stay fresh, and for technicians a small live picture of what a camera sees.

The picture comes from the reader, past the core, and goes to nobody but a technician whose look the journal has. It is
kept nowhere: not here, not by the browser.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from flask import Blueprint, Response, abort, current_app, g, redirect, render_template, request, url_for

from kiosk import verbs
from kiosk.channel import ChannelError, Refused
from kiosk.guard import views, words
from kiosk.guard.frame import Answer, as_json, bar, lane_named, post, view_asked
from kiosk.guard.line import CoreLine
from kiosk.guard.technician import tables
from kiosk.verbs import Figures, GateState

EVERY_S = 0.3
"""However many look at a lane, the reader is asked no more often."""

routes = Blueprint("technician", __name__)


class Pictures:
    """The newest picture of each lane, for those who look at the same time; forgotten with the next."""

    def __init__(self, core: CoreLine, monotonic: Callable[[], float] = time.monotonic):
        self.began = monotonic()
        self._core = core
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._newest: tuple[float, str, bytes] | None = None

    def picture(self, lane: str) -> bytes:
        """A JPEG. Raises ChannelError where there is none."""
        with self._lock:
            at, name, jpeg = self._newest or (0.0, "", b"")
            if name != lane or self._monotonic() - at >= EVERY_S:
                self._newest = None
                jpeg = self._core.camera_picture(lane)
                self._newest = self._monotonic(), lane, jpeg
            return jpeg

    def up_s(self) -> float:
        return self._monotonic() - self.began


def _pictures() -> Pictures:
    found: Pictures = current_app.extensions["pictures"]
    return found


def _is_technician() -> bool:
    session: verbs.Session = g.session
    return session.role == "technician"


@routes.get("/details")
def details() -> Answer:
    """Who looks at a camera finds its picture on top."""
    state = post().live.refresh_state()
    figures = _figures()
    left = {lane.name: round(lane.viewed_s) for lane in figures.lanes} if figures else {}
    cameras = [(lane, left.get(lane.name, 0)) for lane in state.lanes if lane.has_camera]
    return render_template(
        "details.html",
        tables=_tables(state, figures),
        faults=views.fault_sentences(g.language, state),
        notes=views.note_sentences(g.language, state),
        bar=bar(view_asked()),
        may_look=_is_technician(),
        cameras=sorted(cameras, key=lambda camera: not camera[1]),
    )


@routes.get("/details/tables")
def tables_now() -> Answer:
    """The tables alone, for a page that is open."""
    return render_template("_tables.html", tables=_tables(post().live.refresh_state(), _figures()))


def _figures() -> Figures | None:
    """None where the core does not count, as one of an older version."""
    try:
        return post().core.ask(verbs.FIGURES, verbs.Nothing())
    except Refused:
        return None


def _tables(state: GateState, figures: Figures | None) -> list[tuple[str, tables.Rows]]:
    return tables.details(g.language, state, figures, _pictures().up_s())


@routes.post("/details/view")
def view() -> Answer:
    """A technician looks through a camera: from now on, for two minutes, and recorded."""
    lane = lane_named(post().live.refresh_state(), request.form.get("lane", "")).name
    post().core.ask(verbs.VIEW, verbs.View(g.session.token, lane))
    return redirect(url_for("technician.details"), 303)


@routes.get("/details/picture/<lane>")
def picture(lane: str) -> Answer:
    if not _is_technician():
        abort(403)
    try:
        jpeg = _pictures().picture(lane)
    except Refused as no:
        return _none(str(no), 409)
    except ChannelError:
        return _none("reader_gone", 503)
    return Response(jpeg, mimetype="image/jpeg")


def _none(why: str, status: int) -> Answer:
    pair = words.NO_PICTURE.get(why, words.NO_PICTURE["no_picture"])
    return as_json({"ok": False, "why": why, "sentence": words.say(g.language, pair)}, status)
