"""The guards' page as a WSGI application, put together from its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Request

from kiosk.guard import acts, doors, frame, live_list, looks, present
from kiosk.guard.entry import family, no_pass
from kiosk.guard.lane import screen
from kiosk.guard.line import DOORS, CoreLine, GuardSettings
from kiosk.guard.live import Live
from kiosk.guard.shift import pages as shift_pages
from kiosk.guard.technician import monitor, pages
from sync.places import Turns, origin_of

STRANGERS, SHARE = 2 * DOORS, 2
"""Requests of strangers that are worked on at a time, and of one address: while some wait for their PINs to be checked,
others get a page."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def create_app(core: CoreLine, settings: GuardSettings) -> Flask:
    """The WSGI application. Nothing is asked of the core before the first request."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = present.MAX_REQUEST
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    signed_in = doors.SignedIn()
    live = Live(core)
    app.extensions["post"] = frame.Post(core, settings, live, signed_in)
    app.extensions["pictures"] = pages.Pictures(core)
    app.extensions["monitor"] = monitor.registry(core, live)
    app.extensions["screens"] = screen.Screens(core)
    for part in (frame, live_list, acts, looks, present, no_pass, family, screen, monitor, pages, shift_pages):
        app.register_blueprint(part.routes)
    app.wsgi_app = InTurn(app.wsgi_app, signed_in)  # type: ignore[method-assign, assignment]
    doors.answer_to(app, settings.hosts)
    return app


class InTurn:
    """Strangers are worked on a few at a time, in turns by address. Guards who signed in, and the lane's screen on this
    very device, never wait for them."""

    def __init__(self, app: Application, signed_in: doors.SignedIn):
        self._app = app
        self._signed_in = signed_in
        self._turns = Turns(STRANGERS, SHARE)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        token = request.cookies.get(doors.SESSION_COOKIE, "")
        if self._signed_in.knows(token) or doors.is_this_machine(request):
            return self._app(environ, start)
        with self._turns.of(origin_of(request.remote_addr or ""), environ.get("serving.gone", _never)):
            return self._app(environ, start)


def _never() -> bool:
    return False
