"""The page of ``python -m kiosk focus``: live picture and figures for the technician who turns the lens.

It is no part of the guards' page: a server of its own that lives for some minutes, for one browser. The address in the
terminal carries a token that is good once; it is exchanged for a cookie, and without that cookie nothing is answered.
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from flask import Blueprint, Flask, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response as AnyResponse

from hardware.modules import FEW_PIXELS
from kiosk.commands import focus_words
from kiosk.guard import doors, words
from sync.hosts import REACHED

if TYPE_CHECKING:
    from kiosk.commands.focus import FocusFigures

COOKIE = "focus_key"
CONNECTIONS = 16
IDLE_S = 10.0
"""A connection that says nothing for so long is closed."""
TONES = {
    "good": "ok",
    "onward": "ok",
    "dark": "stop",
    "bright": "stop",
    "turn": "look",
    "unread": "look",
    "closer": "look",
}
MARKS = {"ok": "✓", "stop": "✕", "look": "!", "plain": "·"}


class WatchedAid(Protocol):
    """What the page looks at: :class:`kiosk.commands.focus.Aid`."""

    nearest_cm: float | None
    distance_cm: float
    expected_px: float | None

    def figures(self) -> FocusFigures | None: ...

    def jpeg(self, close: bool) -> bytes | None: ...

    def search(self) -> bool: ...

    def begin_anew(self) -> None: ...


class Shown(NamedTuple):
    """What changes on the page, as it is shown: words by name, and the numbers of the bar."""

    words: dict[str, str]
    tone: str
    sharpness: float
    best: float
    frame: int
    found: bool
    searching: bool


class Keys:
    """The token of the address, good once, and the browser's key that came of it."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(18)
        self._key = ""
        self._lock = threading.Lock()

    def exchange(self, token: str) -> str:
        """The key for a cookie, at the first and only right try; else empty."""
        with self._lock:
            if self._key or not hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode()):
                return ""
            self._key = secrets.token_urlsafe(24)
            return self._key

    def fits(self, key: str) -> bool:
        return bool(self._key) and hmac.compare_digest(key.encode("utf-8", "replace"), self._key.encode())


def create_page(aid: WatchedAid, lane: str, keys: Keys, seconds_left: Callable[[], float]) -> Flask:
    """The WSGI application. Everything but the exchange of the token needs its cookie, static files too: its own
    and, under ``/shared``, those it shares with the guards' page."""
    app = Flask(__name__)
    app.register_blueprint(Blueprint("shared", "kiosk.guard", static_folder="static", static_url_path="/shared"))
    app.config["MAX_CONTENT_LENGTH"] = 1_000

    def shown() -> Shown | None:
        figures = aid.figures()
        return shown_of(g.language, figures, aid, lane, seconds_left()) if figures else None

    @app.before_request
    def receive() -> AnyResponse | None:
        asked = request.args.get("language", request.cookies.get("gate_language", "zh"))
        g.language = asked if asked in words.LANGUAGES else "zh"
        if request.endpoint != "enter" and not keys.fits(request.cookies.get(COOKIE, "")):
            return refused()
        if request.method == "POST" and not doors.origin_is_ours(request):
            abort(403)
        return None

    @app.after_request
    def close_up(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response = doors.close_up(response)
        if request.endpoint == "enter":  # the address is the key
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def refused() -> Response:
        both = "\n".join(focus_words.FOCUS["refused"]) + "\n"
        return Response(both, 403, mimetype="text/plain")

    @app.get("/enter/<token>")
    def enter(token: str) -> AnyResponse:
        key = keys.exchange(token)
        if not key:
            return redirect(url_for("page"), 303) if keys.fits(request.cookies.get(COOKIE, "")) else refused()
        response = redirect(url_for("page"), 303)
        response.set_cookie(COOKIE, key, httponly=True, samesite="Strict")
        return response

    @app.get("/")
    def page() -> AnyResponse:
        language = g.language

        def say(name: str, **facts: object) -> str:
            return words.say(language, focus_words.FOCUS[name], **facts)

        content = render_template(
            "focus.html",
            say=say,
            other_language=words.word(language, "other_language"),
            language=language,
            lane=lane,
            shown=shown(),
            search=aid.nearest_cm is not None,
        )
        response = Response(content)
        if "language" in request.args:
            response.set_cookie("gate_language", language, samesite="Strict")
        return response

    @app.get("/now")
    def now() -> Response:
        current = shown()
        content: dict[str, Any] = current._asdict() if current else {}
        return Response(json.dumps(content, ensure_ascii=False), mimetype="application/json")

    @app.get("/picture/<any(whole, close):part>")
    def picture(part: str) -> Response:
        jpeg = aid.jpeg(part == "close")
        return Response(jpeg, mimetype="image/jpeg") if jpeg else Response(status=503)

    @app.post("/search")
    def search() -> AnyResponse:
        aid.search()
        return redirect(url_for("page"), 303)

    @app.post("/again")
    def again() -> AnyResponse:
        aid.begin_anew()
        return redirect(url_for("page"), 303)

    doors.answer_to(app, ())
    return app


def shown_of(language: str, figures: FocusFigures, aid: WatchedAid, lane: str, seconds_left: float) -> Shown:
    """The figures in words."""

    def say(name: str, **facts: object) -> str:
        return words.say(language, focus_words.FOCUS[name], **facts)

    advice: str = figures.advice
    tone = TONES.get(advice, "plain")
    if advice in ("unread", "onward") and aid.nearest_cm is not None:
        advice += "_lens"
    told = words.say(
        language,
        focus_words.FOCUS_ADVICE[advice],
        cm=f"{aid.distance_cm:g}",
        percent=figures.sweep if figures.sweep else 0,
    )
    exposure = say("by_itself")
    if figures.exposure_us is not None:
        exposure = say("exposure_of", ms=f"{figures.exposure_us / 1000:.2g}", gain=f"{figures.gain:g}")
    said = {
        "mark": MARKS[tone],
        "advice": told,
        "sharpness": f"{figures.sharpness:.0f}",
        "best": say("best", best=f"{figures.best:.0f}"),
        "code": say("read" if figures.code else "not_read"),
        "engine": figures.engine or say("none"),
        "module": f"{figures.module_px:.1f}" if figures.module_px else say("none"),
        "expected": _expected(language, aid),
        "brightness": str(figures.brightness),
        "exposure": exposure,
        "lens": say("cm", cm=f"{figures.lens_cm:g}") if figures.lens_cm else say("by_hand"),
        "minutes_left": say("minutes_left", minutes=max(1, round(seconds_left / 60))),
        "found": "",
        "write": "",
        "line": "",
    }
    if figures.found_cm:
        said["found"] = say("found", cm=f"{figures.found_cm:g}")
        said["write"] = say("write", lane=lane)
        said["line"] = f"distance_cm = {figures.found_cm:.1f}"
    elif figures.searched:
        said["found"] = say("not_found")
    found = bool(said["found"])
    return Shown(said, tone, figures.sharpness, figures.best, figures.frame, found, figures.sweep is not None)


def _expected(language: str, aid: WatchedAid) -> str:
    """How many pixels a card's module has where codes are held, and whether that is enough."""
    if aid.expected_px is None:
        return words.say(language, focus_words.FOCUS["none"])
    name = "expected_few" if aid.expected_px < FEW_PIXELS else "expected_px"
    px, cm, needs = f"{aid.expected_px:.1f}", f"{aid.distance_cm:g}", f"{FEW_PIXELS:g}"
    return words.say(language, focus_words.FOCUS[name], px=px, cm=cm, needs=needs)


class _Handler(WSGIRequestHandler):
    timeout = IDLE_S

    def make_environ(self) -> Any:
        """With the address of ours at which this connection arrived."""
        return {**super().make_environ(), REACHED: self.connection.getsockname()[0]}

    def log(self, type: str, message: str, *args: Any) -> None:
        pass  # the address of the first request is the key


class FocusServer(ThreadedWSGIServer):
    """Answers from threads, a few at once: anyone who comes on top of them is turned away."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, port: int, app: Flask) -> None:
        """Raises OSError where the address cannot be had."""
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.create_server((address, port), family=family) as listener:  # werkzeug would print and exit
            super().__init__(address, port, app, handler=_Handler, fd=listener.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()
