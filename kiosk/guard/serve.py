"""A web server for the yard: slow and silent connections are cut off, and one address cannot take all the places.

Threaded servers die of a hundred slow clients. Here a connection costs a greenlet, and each has deadlines: for the
head of a request, for its body together with the answer, and for the peer to take what is sent. The deadline hangs
up the socket instead of raising: whoever is reading just then, the application or the server draining a body that
was not wanted, gets the end of the file.

The caller must have applied gevent's monkey patching before importing this.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gevent
import gevent.socket
from gevent.pywsgi import WSGIHandler, WSGIServer

log = logging.getLogger("guard")

BACKLOG = 128


class ServeError(Exception):
    """The page cannot be served; the text says why and what to change."""


@dataclass(frozen=True)
class Limits:
    head_seconds: float = 10.0
    """From the first moment of waiting for a request to the last line of its head."""
    body_seconds: float = 40.0
    """From the head to the end of the answer, for requests that bring a body (a 4 MB photo over poor wireless)."""
    send_seconds: float = 20.0
    """For the peer to take one piece of an answer."""
    per_address: int = 24
    connections: int = 240


class _Handler(WSGIHandler):  # type: ignore[misc]
    """One connection."""

    def __init__(self, sock: Any, address: Any, server: _Listener):
        sock.settimeout(server.limits.send_seconds)
        super().__init__(sock, address, server)
        self._limits = server.limits
        self._head_timer: Any = None

    @contextlib.contextmanager
    def _hanging_up_after(self, seconds: float) -> Iterator[None]:
        timer = gevent.spawn_later(seconds, _hang_up, self.socket)
        try:
            yield
        finally:
            timer.kill(block=False)

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def handle_one_request(self) -> Any:
        self._head_timer = gevent.spawn_later(self._limits.head_seconds, _hang_up, self.socket)
        try:
            return super().handle_one_request()
        finally:
            self._head_timer.kill(block=False)

    def handle_one_response(self) -> None:
        self._head_timer.kill(block=False)
        if self.content_length or self.headers.get("Transfer-Encoding"):
            with self._hanging_up_after(self._limits.body_seconds):
                super().handle_one_response()
        else:
            super().handle_one_response()

    def handle_error(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, OSError):
            # A peer that went to sleep or was hung up on is no fault of ours.
            self.close_connection = True
            return
        super().handle_error(kind, error, trace)

    def log_error(self, msg: str, *args: Any) -> None:
        # Not the message: it quotes what the peer sent.
        log.info("guard=bad_request from=%s", self.client_address[0])


class _Listener(WSGIServer):  # type: ignore[misc]
    """Accepts, and turns away who has too many connections already."""

    def __init__(self, sock: Any, app: Callable[..., Any], limits: Limits):
        super().__init__(sock, app, log=None, error_log=logging.getLogger("guard.server"), handler_class=_Handler)
        self.limits = limits
        self._open: Counter[str] = Counter()

    def handle(self, sock: Any, address: Any) -> None:
        peer = address[0]
        if self._open[peer] >= self.limits.per_address or self._open.total() >= self.limits.connections:
            return
        self._open[peer] += 1
        try:
            super().handle(sock, address)
        finally:
            self._open[peer] -= 1
            if not self._open[peer]:
                del self._open[peer]


def _hang_up(sock: Any) -> None:
    with contextlib.suppress(OSError, AttributeError):
        sock.shutdown(socket.SHUT_RDWR)


class Server:
    """A listening page. ``port`` is the true one, also where 0 was asked for."""

    def __init__(self, listener: _Listener):
        self._listener = listener
        self.port: int = listener.server_port

    def serve_forever(self) -> None:
        """Until :meth:`close`, from a signal or another greenlet."""
        self._listener.serve_forever(stop_timeout=1)

    def close(self) -> None:
        """Stop listening; open streams end with the process. Idempotent."""
        self._listener.close()


def serve(app: Callable[..., Any], host: str, port: int, limits: Limits = Limits()) -> Server:
    """Listen now, serve with :meth:`Server.serve_forever`. Raises ServeError where the address cannot be had."""
    try:
        return Server(_Listener(_listening(host, port), app, limits))
    except OSError as err:
        if err.errno == errno.EADDRINUSE:
            raise ServeError(f"port {port} is in use by another program; choose another for the guards' page") from err
        raise ServeError(f"cannot listen on {host} port {port}: {err.strerror or err}") from err


def _listening(host: str, port: int) -> Any:
    sock = gevent.socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
