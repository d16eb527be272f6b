"""Serving the centre: one process, since SQLite is written by one. Slow clients cost a greenlet (:mod:`sync.serving`);
a whole request is worked on by a thread.

There are three sets of threads, so that none of the three can keep the others out: people's pages, gates' requests,
and gates' streams, each of which waits in a thread of its own. People have their turns by address, gates by device: a
whole town's gates may come from one address, and one device from many. Anyone who says to be a gate waits among people
until the token has proven it.
"""

from __future__ import annotations

import logging
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import gevent
from flask import Flask
from gevent.threadpool import ThreadPool

from sync.places import ServingLimits, Turns, origin_of
from sync.protocol import API
from sync.server.app import MOST_BODY_BYTES, centre_of, close_app, create_app, gates_of
from sync.server.centre.settings import Settings
from sync.server.gates.api import mark_of
from sync.server.gates.limits import AT_ONCE, Recognised
from sync.serving import PageServer, ServeError, tls_of
from sync.serving import serve as listen

PEOPLE, GATES = 32, 24
"""Threads. More do not help: Python works in one of them at a time, the others wait for the database."""
SHARE = 8
"""Requests of one address that are worked on at a time."""
PER_ADDRESS, CONNECTIONS = 256, 2048
"""A whole compound may stand behind one address."""
HELD_BYTES = 256 << 20
STOP_S = 3.0
_AT_ONCE = 256 << 10
"""So much of an answer is taken from the application in one go."""
_FILES = 8192

Answer = tuple[str, list[tuple[str, str]]]


@dataclass
class _Call:
    """One request in the application's threads. ``take`` gives the next pieces of the answer; none: it has ended."""

    app: Callable[..., Iterable[bytes]]
    environ: dict[str, Any]

    def begin(self) -> tuple[Answer, list[bytes]]:
        """Status, headers and the first pieces of the answer."""
        told: list[Answer] = []
        self._result = self.app(self.environ, lambda status, headers, exc_info=None: told.append((status, headers)))
        self._pieces = iter(self._result)
        pieces = self.take()  # an application may call start_response as late as with its first piece
        return told[0], pieces

    def take(self) -> list[bytes]:
        pieces: list[bytes] = []
        size = 0
        while size < _AT_ONCE and (piece := next(self._pieces, None)) is not None:
            pieces.append(piece)
            size += len(piece)
            if piece.startswith((b"event:", b": ")):
                break  # of a stream of events each one goes out at once
        return pieces

    def close(self) -> None:
        if hasattr(self._result, "close"):
            self._result.close()


class Threads:
    """A WSGI application for greenlets that has another one work in threads."""

    def __init__(self, app: Callable[..., Iterable[bytes]], settings: Settings, recognised: Recognised):
        self._app = app
        self._proxies = settings.proxies
        self._recognised = recognised
        self._people, self._gates = ThreadPool(PEOPLE), ThreadPool(GATES)
        self._streams = ThreadPool(settings.streams)
        self._peoples_turns, self._gates_turns = Turns(PEOPLE, SHARE), Turns(GATES, AT_ONCE)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        environ["wsgi.multithread"] = True
        call = _Call(self._app, environ)
        gate = self._recognised.whose(mark_of(environ.get("HTTP_AUTHORIZATION", "")))
        who, turns, pool = (
            (self._origin(environ), self._peoples_turns, self._people)
            if gate is None or not environ["PATH_INFO"].startswith(API)
            else ("{}.{}".format(*gate), self._gates_turns, self._gates)
        )
        with turns.of(who, environ["serving.gone"]):  # not while the answer is taken: one who is slow would hold it
            (status, headers), pieces = pool.apply(call.begin)
        if environ["PATH_INFO"] == f"{API}/wake" and status.startswith("200"):
            pool = self._streams
        try:
            start(status, headers)
            while pieces:
                yield from pieces
                pieces = pool.apply(call.take)
        finally:
            pool.apply(call.close)

    def _origin(self, environ: dict[str, Any]) -> str:
        """The nearest address that is not one of our own proxies."""
        named = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        through = self._proxies and len(named) >= self._proxies
        return origin_of(named[-self._proxies].strip() if through else environ["REMOTE_ADDR"])


def serve(settings: Settings, host: str, port: int, ready: Callable[[int], None], tls: tuple[str, str] | None) -> None:
    """Serve until SIGTERM or SIGINT. ``ready`` is called with the port once connections are accepted.

    ``tls`` is certificate and key file (PEM). Raises ServeError.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    _many_files()
    papers = tls_of(*(tls or ("", "")), ("--tls-cert", "--tls-key"))
    app = create_app(settings)
    try:
        server = listen(Threads(app, settings, gates_of(app).recognised), host, port, _limits(settings), papers)
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, _stop, server, app)
        gevent.spawn(ready, server.port)
        server.serve_forever(STOP_S)
    finally:
        close_app(app)


def _stop(server: PageServer, app: Flask) -> None:
    centre_of(app).wakes.close()
    server.close()


def _limits(settings: Settings) -> ServingLimits:
    """Behind a proxy all people have its address, and it is for the proxy to keep slow ones off."""
    return ServingLimits(
        exchange_seconds=60,
        body_bytes=MOST_BODY_BYTES,
        held_bytes=HELD_BYTES,
        per_address=CONNECTIONS if settings.proxies else PER_ADDRESS,
        connections=CONNECTIONS,
        streams=settings.streams,
    )


def _many_files() -> None:
    """Each connection is an open file, and most systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


__all__ = ["ServeError", "serve"]
