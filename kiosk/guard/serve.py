"""A web server for the yard: slow and silent connections are cut off, and one address cannot take all the places.

Threaded servers die of a hundred slow clients. Here a connection costs a greenlet, and each has deadlines: for the
head of a request (and for the handshake of TLS before it), for its body together with the answer, and for the peer to
take what is sent. The deadline hangs up the socket instead of raising: the reader of that moment, the application or
the server draining a body that was not wanted, gets the end of the file.

The caller must have applied gevent's monkey patching before importing this.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import gevent.ssl
from gevent.pywsgi import WSGIHandler, WSGIServer

log = logging.getLogger("guard")

BACKLOG = 128


class ServeError(Exception):
    """The page cannot be served; the text says why and what to change."""


@dataclass(frozen=True)
class ServingLimits:
    head_seconds: float = 10.0
    """From the first moment of waiting for a request to the last line of its head; as long again for a handshake."""
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
            with _hanging_up_after(self.socket, self._limits.body_seconds):
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

    def __init__(self, sock: Any, app: Callable[..., Any], limits: ServingLimits, tls: ssl.SSLContext | None):
        # gevent is not given the certificate: it would shake hands before a connection is counted, and for ever.
        super().__init__(
            sock,
            app,
            log=None,
            error_log=logging.getLogger("guard.server"),
            handler_class=_Handler,
            environ={"wsgi.url_scheme": "https"} if tls else None,
        )
        self.limits = limits
        self._tls = tls
        self._open: Counter[str] = Counter()

    def handle(self, sock: Any, address: Any) -> None:
        peer = address[0]
        if self._open[peer] >= self.limits.per_address or self._open.total() >= self.limits.connections:
            return
        self._open[peer] += 1
        try:
            if self._tls is None:
                super().handle(sock, address)
            else:
                self._handle_tls(self._tls, sock, address)
        finally:
            self._open[peer] -= 1
            if not self._open[peer]:
                del self._open[peer]

    def _handle_tls(self, tls: ssl.SSLContext, plain: Any, address: Any) -> None:
        plain.settimeout(self.limits.send_seconds)
        with contextlib.closing(tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)) as sock:
            try:
                with _hanging_up_after(sock, self.limits.head_seconds):
                    sock.do_handshake()
            except OSError:
                return  # silent, not TLS at all, or does not trust the certificate: nothing to tell it
            super().handle(sock, address)


@contextlib.contextmanager
def _hanging_up_after(sock: Any, seconds: float) -> Iterator[None]:
    timer = gevent.spawn_later(seconds, _hang_up, sock)
    try:
        yield
    finally:
        timer.kill(block=False)


def _hang_up(sock: Any) -> None:
    # The connection beneath: shutting down a TLS socket would take the encryption from under its reader.
    with contextlib.suppress(OSError, AttributeError):
        sock._sock.shutdown(socket.SHUT_RDWR)


class PageServer:
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


def serve(
    app: Callable[..., Any],
    host: str,
    port: int,
    limits: ServingLimits = ServingLimits(),
    tls: ssl.SSLContext | None = None,
) -> PageServer:
    """Listen now, serve with :meth:`PageServer.serve_forever`. Raises ServeError where the address cannot be had."""
    try:
        return PageServer(_Listener(_listening(host, port), app, limits, tls))
    except OSError as err:
        if err.errno == errno.EADDRINUSE:
            raise ServeError(f"port {port} is in use by another program; choose another for the guards' page") from err
        raise ServeError(f"cannot listen on {host} port {port}: {err.strerror or err}") from err


def tls_of(cert: str, key: str) -> ssl.SSLContext | None:
    """What these PEM files prove the page by; None where none are named. Raises ServeError if they cannot be used."""
    if not cert:
        return None
    context: ssl.SSLContext = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name, path in (("guard.tls_cert", cert), ("guard.tls_key", key)):
        try:
            Path(path).read_bytes()
        except OSError as err:
            raise ServeError(f"{name}: {path}: {err.strerror}") from err
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, ValueError) as err:
        raise ServeError(
            f"guard.tls_cert, guard.tls_key: not a certificate and its key without a password: {err}"
        ) from err
    return context


def _no_password() -> str:
    return ""  # else OpenSSL asks on the terminal


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
