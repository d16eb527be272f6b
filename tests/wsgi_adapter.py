"""Requests to a WSGI application in this very process: the true client against the true server, without a socket."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3.response import HTTPResponse

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Body(io.RawIOBase):
    """The pieces of a WSGI answer as a file; nothing is asked of the application before it is read."""

    def __init__(self, pieces: Iterable[bytes]):
        self._pieces = pieces
        self._iterator: Iterator[bytes] = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._iterator)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def read1(self, amount: int = -1) -> bytes:
        return self.read(amount if amount and amount > 0 else 65536) or b""

    def close(self) -> None:
        if not self.closed and hasattr(self._pieces, "close"):
            self._pieces.close()
        super().close()


class WsgiAdapter(BaseAdapter):
    """``seen`` holds (method, path with query) of every request that reached the application."""

    def __init__(self, app: WsgiApp):
        super().__init__()
        self.app = app
        self.seen: list[tuple[str, str]] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        self.seen.append((request.method or "", f"{parts.path}?{parts.query}"))
        started: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started.update(status=status, headers=headers)

        pieces = self.app(_environ(request), start_response)
        code, _, reason = started["status"].partition(" ")
        raw = HTTPResponse(
            _Body(pieces), headers=started["headers"], status=int(code), reason=reason, preload_content=False
        )
        response = requests.Response()
        response.status_code, response.raw = int(code), raw
        response.headers = requests.structures.CaseInsensitiveDict(started["headers"])
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        pass


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    parts = urlsplit(request.url or "")
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name.lower() not in ("content-type", "content-length"):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ


class BadLine(WsgiAdapter):
    """A line that loses requests before, and answers after, the application has worked on them."""

    def __init__(self, app: WsgiApp, requests_lost: float, answers_lost: float, seed: int):
        super().__init__(app)
        self._lost = (requests_lost, answers_lost)
        self._rng = random.Random(seed)
        self.lost = [0, 0]

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if self._rng.random() < self._lost[0]:
            self.lost[0] += 1
            raise requests.ConnectionError("lost on the way there")
        response = super().send(request, *args, **kwargs)
        if self._rng.random() < self._lost[1]:
            self.lost[1] += 1
            response.close()
            raise requests.ReadTimeout("lost on the way back")
        return response


def session_on(adapter: BaseAdapter) -> requests.Session:
    """A session all of whose requests go to this adapter."""
    session = requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
