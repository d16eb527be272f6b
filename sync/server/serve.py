"""Serving the centre: one process, since SQLite is written by one. Slow clients cost a greenlet (:mod:`sync.serving`);
a whole request is worked on by a thread.

There are three sets of threads, so that none of the three can keep the others out: people's pages, gates' requests,
and gates' streams, each of which waits in a thread of its own. Among people no address takes more than its share.
"""

from __future__ import annotations

import logging
import resource
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gevent
from flask import Flask
from gevent.lock import BoundedSemaphore
from gevent.threadpool import ThreadPool

from sync.protocol import API
from sync.server.app import MOST_BODY_BYTES, centre_of, close_app, create_app
from sync.server.centre.settings import Settings
from sync.serving import PageServer, ServeError, ServingLimits, tls_of
from sync.serving import serve as listen

PEOPLE, GATES = 32, 24
"""Threads. More do not help: Python works in one of them at a time, the others wait for the database."""
SHARE = 8
"""Requests of one address that are worked on at a time."""
PER_ADDRESS, CONNECTIONS = 256, 2048
"""A whole compound may stand behind one address."""
STOP_S = 3.0
_AT_ONCE = 256 << 10
"""So much of an answer is taken from the application in one go."""
_FILES = 8192

Answer = tuple[str, list[tuple[str, str]]]


class _Shares:
    """How many requests of each address are worked on."""

    def __init__(self, most: int):
        self._most = most
        self._of: dict[str, BoundedSemaphore] = {}
        self._waiting: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def of(self, peer: str) -> Iterator[None]:
        """The block is one of this address, when its turn comes."""
        share = self._of.setdefault(peer, BoundedSemaphore(self._most))
        self._waiting[peer] += 1
        try:
            with share:
                yield
        finally:
            self._waiting[peer] -= 1
            if not self._waiting[peer]:
                del self._waiting[peer], self._of[peer]


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

    def __init__(self, app: Callable[..., Iterable[bytes]], streams: int):
        self._app = app
        self._people, self._gates = ThreadPool(PEOPLE), ThreadPool(GATES)
        self._streams = ThreadPool(streams)
        self._shares = _Shares(SHARE)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        environ["wsgi.multithread"] = True
        call = _Call(self._app, environ)
        path = environ["PATH_INFO"]
        if path == f"{API}/wake":
            yield from _answer(call, self._streams, start)
        elif path.startswith(API):
            yield from _answer(call, self._gates, start)
        else:
            with self._shares.of(environ["REMOTE_ADDR"]):
                yield from _answer(call, self._people, start)


def _answer(call: _Call, pool: ThreadPool, start: Callable[..., Any]) -> Iterator[bytes]:
    (status, headers), pieces = pool.apply(call.begin)
    try:
        start(status, headers)
        while pieces:
            yield from pieces
            pieces = pool.apply(call.take)
    finally:
        pool.apply(call.close)


def serve(settings: Settings, host: str, port: int, ready: Callable[[int], None], tls: tuple[str, str] | None) -> None:
    """Serve until SIGTERM or SIGINT. ``ready`` is called with the port once connections are accepted.

    ``tls`` is certificate and key file (PEM). Raises ServeError.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    _many_files()
    papers = tls_of(*(tls or ("", "")), ("--tls-cert", "--tls-key"))
    app = create_app(settings)
    try:
        server = listen(Threads(app, settings.streams), host, port, _limits(settings), papers)
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
    most = CONNECTIONS + settings.streams
    return ServingLimits(
        exchange_seconds=60,
        body_bytes=MOST_BODY_BYTES,
        per_address=most if settings.proxies else PER_ADDRESS,
        connections=most,
    )


def _many_files() -> None:
    """Each connection is an open file, and most systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


__all__ = ["ServeError", "serve"]
