"""Who may send what to the page: cookies, the form token, and the headers of every answer.

A form is believed when its token is the HMAC of the session's token (which no other site can read, the cookie being
HttpOnly and SameSite=Strict) and when the browser names our own address as its origin, if it names one. Signing in
has no session yet: there the origin alone is asked.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
import threading
import time
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response

from kiosk.guard import words
from sync.hosts import REACHED, KnownHosts

HTTPS_ONLY_S = 30 * 86_400
"""So long a browser that saw the page over HTTPS asks for it in no other way."""
PAGE_S = 30.0
"""A page without script is drawn anew every five seconds; its buttons are good for a little longer."""
SESSION_COOKIE = "gate_session"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


_REMEMBERED = 256


class SignedIn:
    """Which sessions the core knew when it was last asked. It says whose request is worked on first, never who may: of
    that the core is asked each time. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks: dict[bytes, None] = {}

    def note(self, session_token: str, known: bool) -> None:
        """What the core says of this session."""
        mark = _mark(session_token)
        with self._lock:
            self._marks.pop(mark, None)
            if known:
                self._marks[mark] = None
            if len(self._marks) > _REMEMBERED:
                del self._marks[next(iter(self._marks))]

    def knows(self, session_token: str) -> bool:
        return _mark(session_token) in self._marks


def _mark(session_token: str) -> bytes:
    return hashlib.sha256(session_token.encode("utf-8", "replace")).digest()


def answer_to(app: Flask, hosts: Collection[str]) -> None:
    """Have a page of this device answer to the device's own names and addresses, and to ``hosts``; to no other."""
    names = frozenset({*own_names(), *(host.lower() for host in hosts)})
    app.wsgi_app = KnownHosts(app.wsgi_app, lambda: names, _other_host)  # type: ignore[method-assign]


def own_names() -> set[str]:
    """Under which people in the yard may know this device: its name, and the one it tells by multicast."""
    name = socket.gethostname().lower().removesuffix(".local")
    short = name.partition(".")[0]
    return {name, f"{name}.local", short, f"{short}.local"}


def _other_host(environ: dict[str, Any]) -> tuple[str, str]:
    """Why a page under another name is not shown, and the address that leads to it."""
    reached = environ.get(REACHED, "")
    host = f"[{reached}]" if ":" in reached else reached
    address = f"{environ['wsgi.url_scheme']}://{host}:{environ['SERVER_PORT']}/" if host else ""
    link = f'<p><a href="{address}">{address}</a></p>' if address and "%" not in address else ""
    zh, en = words.ERRORS["other_host"]
    head = '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>421</title>'
    return "text/html; charset=utf-8", f'{head}<p>{zh}</p><p lang="en">{en}</p>{link}'


def form_token(session_token: str) -> str:
    """What a form of this session must carry. Derived, so nothing has to be kept."""
    return hmac.new(session_token.encode(), b"gate guard form", hashlib.sha256).hexdigest()


def new_act() -> tuple[str, int]:
    """The mark of an act that a form may carry out, and until when it is meant, in milliseconds of CLOCK_MONOTONIC. A
    page's script says both anew at the tap; without script the form is good for :data:`PAGE_S`."""
    return secrets.token_hex(8), clock_ms() + int(PAGE_S * 1000)


def clock_ms() -> int:
    """Milliseconds of CLOCK_MONOTONIC, by which guards' acts are dated: all processes of the device share it."""
    return int(time.monotonic() * 1000)


def token_is_good(session_token: str, given: str) -> bool:
    return hmac.compare_digest(form_token(session_token).encode(), given.encode("utf-8", "replace"))


def origin_is_ours(request: Request) -> bool:
    """False only if the browser says that another site sent this."""
    origin = request.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.host
    except ValueError:
        return False


def is_ours(target: str) -> bool:
    """Whether an address leads to a page of ours. Browsers drop tabs and line ends, and read a backslash as a slash."""
    return target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()


def is_this_machine(request: Request) -> bool:
    """Whether a browser on this very device asks: not from the network, nor through somebody's proxy on it."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def close_up(response: Response, https: bool = False) -> Response:
    """Headers for every answer: no inline script, no frame, no copy kept (but of our own static files)."""
    if https:
        response.headers["Strict-Transport-Security"] = f"max-age={HTTPS_ONLY_S}"
    response.headers["Content-Security-Policy"] = CSP
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Not "no-referrer": browsers would then send "Origin: null" with our own forms.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
