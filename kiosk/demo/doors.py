"""The demo's one page: a door for each person, and what to try behind it.

It runs on this machine only. Its addresses are short and stay good for as long as the demo runs; behind a door to the
centre the browser is given the session of that officer, so that a second click works as the first did.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import requests
from flask import Flask, Response, abort, g, make_response, redirect, render_template, request, url_for
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as AnyResponse

from kiosk.demo import words
from kiosk.demo.centre import DemoError
from kiosk.demo.officer import COOKIE, Officer
from kiosk.demo.town import COMPOUND, GUARD, OFFICERS, SUPERVISOR, TECHNICIAN, Town, console
from sync.hosts import KnownHosts

HOST = "127.0.0.1"
PORT = 8090
"""Taken if it is free and no other port was asked for."""
_IDLE_S = 10.0
_LANGUAGE = "gate_language"
"""The guards' page keeps its language in a cookie of this name: one choice serves both."""
_OFFICE = {"property": f"/c/{COMPOUND}/review", "clerk": f"/c/{COMPOUND}/collect", "town": "/"}
_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

log = logging.getLogger("demo")


class Door(NamedTuple):
    """A person. ``ways`` are the last parts of the addresses behind it, ``accounts`` (name, PIN) to type there."""

    person: str
    ways: tuple[str, ...]
    accounts: tuple[tuple[str, str], ...] = ()
    officer: str = ""


def doors_of(town: Town) -> list[Door]:
    """The doors in the order of a pass's way, from the form to the town's numbers."""
    guards = tuple((name, town.pins[name]) for name in (GUARD, SUPERVISOR, TECHNICIAN))
    office = [Door(role, (role,), officer=name) for role, name in OFFICERS.items()]
    lanes = tuple(lane.name for lane in town.config.lane)
    resident, screen, guard = Door("resident", ("resident",)), Door("screen", lanes), Door("guard", ("guard",), guards)
    return [resident, office[0], office[1], guard, screen, office[2]]


def create_page(town: Town, officers: Sequence[Officer]) -> Flask:
    """The WSGI application."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 1_000
    doors, by_role = doors_of(town), {officer.role: officer for officer in officers}
    places = places_of(town)

    @app.before_request
    def receive() -> AnyResponse | None:
        asked = request.args.get("language", request.cookies.get(_LANGUAGE, "zh"))
        g.language = asked if asked in words.LANGUAGES else "zh"
        # Cookies belong to a host's name: under another one the doors to the centre would not open.
        if request.host.rsplit(":", 1)[0] != HOST:
            return redirect(f"http://{HOST}:{request.environ['SERVER_PORT']}{request.full_path}")
        return None

    @app.after_request
    def close_up(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _CSP
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        if request.args.get("language") in words.LANGUAGES:
            response.set_cookie(_LANGUAGE, g.language, samesite="Strict", httponly=True)
        return response

    @app.context_processor
    def said() -> dict[str, Any]:
        def say(table: Mapping[str, words.Pair], key: str, /, **facts: object) -> str:
            return words.say(g.language, table[key], **facts)

        other = "zh" if g.language == "en" else "en"
        return {"say": say, "words": words, "language": g.language, "other": other}

    @app.get("/")
    def page() -> str:
        def lines(person: str) -> list[str]:
            return [words.say(g.language, pair) for pair in words.TRY[person]]

        return render_template("doors.html", doors=doors, lines=lines, logs=town.folder / "logs")

    @app.get("/go/<way>")
    def go(way: str) -> AnyResponse:
        if way in by_role:
            return enter(by_role[way])
        return redirect(f"{places[way]}?lang={g.language}", 303) if way in places else abort(404)

    def enter(officer: Officer) -> AnyResponse:
        try:
            cookie = officer.cookie()
        except (DemoError, requests.RequestException) as err:
            log.warning("door=%s why=%r", officer.role, str(err))
            return make_response(render_template("away.html"), 503)
        response = redirect(f"{town.centre.url}{_OFFICE[officer.role]}?lang={g.language}", 303)
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="Lax")
        return response

    @app.get("/favicon.ico")
    def icon() -> AnyResponse:
        return redirect(url_for("static", filename="door.svg"))

    app.wsgi_app = KnownHosts(app.wsgi_app, lambda: (HOST,), _other_host)  # type: ignore[method-assign]
    return app


def _other_host(_: Mapping[str, Any]) -> tuple[str, str]:
    zh, en = words.OTHER_HOST
    return "text/plain; charset=utf-8", f"{zh}\n{en}\n"


def places_of(town: Town) -> dict[str, str]:
    """Way → address, of the doors that need no session."""
    # Another name of this machine keeps the resident's cookies apart from the officers'.
    form = town.centre.url.replace(HOST, "localhost")
    screens = {lane.name: f"{town.page}/screen/{lane.name}" for lane in town.config.lane}
    return {"resident": f"{form}/j/{COMPOUND}", "guard": f"{town.page}/", **screens}


class _Handler(WSGIRequestHandler):
    timeout = _IDLE_S

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: the terminal shows the one address."""


def _listen(port: int | None) -> socket.socket:
    """Raises DemoError where the port asked for cannot be had."""
    if port is None:
        with contextlib.suppress(OSError):
            return socket.create_server((HOST, PORT))
    try:
        return socket.create_server((HOST, port or 0))
    except OSError as err:
        raise DemoError(f"the page cannot listen on {HOST} port {port}: {err.strerror or err}") from err


@contextlib.contextmanager
def served(app: Flask, port: int | None) -> Iterator[str]:
    """The page, answering; its address. None takes the usual port, or a free one; 0 takes a free one."""
    with _listen(port) as listener:
        server: BaseWSGIServer = make_server(
            HOST, listener.getsockname()[1], app, threaded=True, request_handler=_Handler, fd=listener.fileno()
        )
    serving = threading.Thread(target=server.serve_forever, name="doors", daemon=True)
    serving.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        serving.join(2)


def stay_open(town: Town, port: int | None) -> None:
    """Serve the page, print its address, and keep running until Ctrl-C. Raises DemoError."""
    with console.status("people"):
        officers = town.people()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with served(create_page(town, officers), port) as address:
        console.print(f"\nOpen in a browser:  [bold]{address}[/]\nCtrl-C ends everything.\n", highlight=False)
        stopped.wait()
    console.print("stopping")
