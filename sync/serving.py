"""A web server for strangers: slow and silent connections cost a greenlet, have deadlines, and make room for others.

A request is read whole, head and body, before the application sees it, so a client that drips holds nothing but its own
connection. Each request has one deadline for its head (and one for the handshake of TLS before it), and one from the
head to the end of the answer; only a stream of events has none. Where an address, or the server, has no place left, the
connection that has made the least of its own is hung up for the newcomer: an honest one ends its request in a moment.

The deadline hangs up the socket instead of raising: the reader of that moment gets the end of the file. A head or body
that ends so is no request.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import gevent
import gevent.socket
import gevent.ssl
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from sync.hosts import REACHED

log = logging.getLogger("serving")

BACKLOG = 1024
_PIECE = 64 << 10
_IN_MEMORY = 256 << 10
"""A body beyond lies in a temporary file: five hundred that drip must not fill the memory."""
_LEAST_RATE = 4 << 10
"""Bytes a second below which a body that is being sent makes room for others."""
_ANSWER_RATE = 50 << 10
"""Bytes a second at which a long answer gets more time."""


class ServeError(Exception):
    """The page cannot be served; the text says why and what to change."""


@dataclass(frozen=True)
class ServingLimits:
    head_seconds: float = 10.0
    """From the first moment of waiting for a request to the last line of its head; as long again for a handshake."""
    exchange_seconds: float = 40.0
    """From the head to the end of the answer (a 4 MB photo over poor wireless); a long answer gets more."""
    send_seconds: float = 20.0
    """For the peer to take one piece of an answer."""
    grace_seconds: float = 0.5
    """So long a connection is let be: an honest head or the next piece of a body comes within it."""
    body_bytes: int = 8 << 20
    per_address: int = 24
    connections: int = 240


State = Literal["head", "body", "answer"]


class _Connection:
    """What one connection is doing, since when (seconds), and how many bytes of a body came."""

    def __init__(self, peer: str, sock: Any):
        self.peer = peer
        self.sock = sock
        self.begin("head")

    def begin(self, state: State) -> None:
        self.state: State = state
        self.since = time.monotonic()
        self.received = 0

    def spare(self, grace_s: float) -> float | None:
        """How well it can be spared, more for more; None: not at all."""
        lasted = time.monotonic() - self.since
        if self.state == "answer" or lasted < grace_s:
            return None
        return lasted if self.state == "head" or self.received < _LEAST_RATE * lasted else None


class _Places:
    """The open connections of each address, and which of them makes room for another."""

    def __init__(self, limits: ServingLimits):
        self._limits = limits
        self._open: dict[str, set[_Connection]] = {}
        self._count = 0

    @contextlib.contextmanager
    def place(self, peer: str, sock: Any) -> Iterator[_Connection | None]:
        """A place for a connection; None where nobody can be spared for it."""
        if not self._has_room(peer):
            yield None
            return
        connection = _Connection(peer, sock)
        self._open.setdefault(peer, set()).add(connection)
        self._count += 1
        try:
            yield connection
        finally:
            self._give_back(connection)

    def end(self) -> None:
        """Hang up on everybody who waits to ask something."""
        for one in [one for ours in self._open.values() for one in ours if one.state == "head"]:
            _hang_up(one.sock)

    def _give_back(self, connection: _Connection) -> None:
        ours = self._open.get(connection.peer, set())
        if connection in ours:
            ours.remove(connection)
            self._count -= 1
        if not ours:
            self._open.pop(connection.peer, None)

    def _has_room(self, peer: str) -> bool:
        ours = self._open.get(peer, set())
        if len(ours) >= self._limits.per_address and not self._spare(ours):
            return False
        if self._count < self._limits.connections:
            return True
        crowded = sorted(self._open.values(), key=len, reverse=True)
        return any(self._spare(theirs) for theirs in crowded if len(theirs) > len(ours))

    def _spare(self, among: set[_Connection]) -> bool:
        """Hang up on the one of these that can best be spared."""
        grace_s = self._limits.grace_seconds
        spares = [(spare, one) for one in among if (spare := one.spare(grace_s)) is not None]
        if not spares:
            return False
        _, one = max(spares, key=lambda pair: pair[0])
        _hang_up(one.sock)
        self._give_back(one)
        return True


class _Head:
    """The lines of a request's head; whether the empty one that ends it came."""

    def __init__(self, file: Any):
        self._file = file
        self.whole = False

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._file.readline(size)
        self.whole = line in (b"\r\n", b"\n")
        return line


class _Handler(WSGIHandler):  # type: ignore[misc]
    """One connection."""

    connection: _Connection
    rfile: Any

    def __init__(self, sock: Any, address: Any, server: _Listener):
        sock.settimeout(server.limits.send_seconds)
        super().__init__(sock, address, server)
        self._limits = server.limits
        self._timer: Any = None

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def handle_one_request(self) -> Any:
        self.connection.begin("head")
        self._hang_up_in(self._limits.head_seconds)
        try:
            return super().handle_one_request()
        finally:
            self._timer.kill(block=False)

    def read_request(self, raw_requestline: str) -> Any:
        """Raises ValueError for a head that was cut off: a deadline must not turn half a request into a whole one."""
        plain, head = self.rfile, _Head(self.rfile)
        self.rfile = head
        try:
            read = super().read_request(raw_requestline)
        finally:
            self.rfile = plain
        if not (raw_requestline.endswith("\n") and head.whole):
            raise ValueError("the head was cut off")
        return read

    def get_environ(self) -> Any:
        """With the address of ours at which this connection arrived."""
        environ = super().get_environ()
        with contextlib.suppress(OSError):  # hung up on
            environ[REACHED] = self.socket.getsockname()[0]
        return environ

    def handle_one_response(self) -> None:
        self._hang_up_in(self._limits.exchange_seconds)
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
            self._take_body(body)
            self.environ["wsgi.input"] = body
            self.environ["wsgi.input_terminated"] = True
            self.connection.begin("answer")
            super().handle_one_response()

    def _take_body(self, body: IO[bytes]) -> None:
        """The whole body. Of one that is too large only its size is told: the application has the words for that. One
        that was cut off raises ConnectionError."""
        self.connection.begin("body")
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        told = None if chunked else (self.content_length or 0)
        fits = (told or 0) <= self._limits.body_bytes
        while fits and (piece := self.wsgi_input.read(_PIECE)):
            self.connection.received += body.write(piece)
            fits = self.connection.received <= self._limits.body_bytes
        if not fits:
            self.close_connection = True
            body.truncate(0)
        elif told is not None and self.connection.received < told:
            raise ConnectionError("the body was cut off")
        if told is None:
            self.environ["CONTENT_LENGTH"] = str(self.connection.received)
        body.seek(0)

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """A stream of events lasts, a long answer gets more time."""
        told = {name.lower(): value for name, value in headers}
        if told.get("content-type", "").startswith("text/event-stream"):
            self._timer.kill(block=False)
        elif (size := int(told.get("content-length", "0"))) > _ANSWER_RATE:
            self._hang_up_in(self._limits.exchange_seconds + size / _ANSWER_RATE)
        return super().start_response(status, headers, exc_info)

    def _hang_up_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.kill(block=False)
        self._timer = gevent.spawn_later(seconds, _hang_up, self.socket)

    def handle_error(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, OSError):
            # A peer that went to sleep or was hung up on is no fault of ours.
            self.close_connection = True
            return
        super().handle_error(kind, error, trace)

    def log_error(self, msg: str, *args: Any) -> None:
        # Not the message: it quotes what the peer sent.
        log.info("serving=bad_request from=%s", self.client_address[0])


class _Listener(WSGIServer):  # type: ignore[misc]
    """Accepts, and gives each connection a place."""

    def __init__(self, sock: Any, app: Callable[..., Any], limits: ServingLimits, tls: ssl.SSLContext | None):
        # gevent is not given the certificate: it would shake hands before a connection is counted, and for ever.
        super().__init__(
            sock,
            app,
            log=None,
            error_log=logging.getLogger("serving.server"),
            handler_class=_Handler,
            spawn=Pool(),
            environ={"wsgi.url_scheme": "https"} if tls else None,
        )
        self.limits = limits
        self._tls = tls
        self.places = _Places(limits)

    def handle(self, sock: Any, address: Any) -> None:
        with self.places.place(address[0], sock) as connection:
            if connection is None:
                return
            if self._tls is None:
                self._serve(connection, sock, address)
            else:
                self._serve_tls(self._tls, connection, sock, address)

    def _serve(self, connection: _Connection, sock: Any, address: Any) -> None:
        handler = _Handler(sock, address, self)
        handler.connection = connection
        handler.handle()

    def _serve_tls(self, tls: ssl.SSLContext, connection: _Connection, plain: Any, address: Any) -> None:
        plain.settimeout(self.limits.send_seconds)
        with contextlib.closing(tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)) as sock:
            connection.sock = sock
            timer = gevent.spawn_later(self.limits.head_seconds, _hang_up, sock)
            try:
                sock.do_handshake()
            except OSError:
                return  # silent, not TLS at all, or does not trust the certificate: nothing to tell it
            finally:
                timer.kill(block=False)
            self._serve(connection, sock, address)


def _hang_up(sock: Any) -> None:
    # The connection beneath: shutting down a TLS socket would take the encryption from under its reader.
    with contextlib.suppress(OSError, AttributeError):
        sock._sock.shutdown(socket.SHUT_RDWR)


class PageServer:
    """A listening server. ``port`` is the true one, also where 0 was asked for."""

    def __init__(self, listener: _Listener):
        self._listener = listener
        self.port: int = listener.server_port

    def serve_forever(self, stop_s: float = 1.0) -> None:
        """Until :meth:`close`, from a signal or another greenlet; requests under way get ``stop_s`` to end."""
        self._listener.serve_forever(stop_timeout=stop_s)

    def close(self) -> None:
        """Stop listening; open streams end with the process. Idempotent."""
        self._listener.close()
        self._listener.places.end()


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
            raise ServeError(f"port {port} is in use by another program; choose another") from err
        raise ServeError(f"cannot listen on {host} port {port}: {err.strerror or err}") from err


def tls_of(cert: str, key: str, names: tuple[str, str]) -> ssl.SSLContext | None:
    """What these PEM files prove the page by; None where none are named. ``names`` are those of the settings that name
    the files. Raises ServeError if they cannot be used."""
    if not cert:
        return None
    context: ssl.SSLContext = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name, path in zip(names, (cert, key), strict=True):
        try:
            Path(path).read_bytes()
        except OSError as err:
            raise ServeError(f"{name}: {path}: {err.strerror}") from err
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, ValueError) as err:
        raise ServeError(f"{', '.join(names)}: not a certificate and its key without a password: {err}") from err
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
