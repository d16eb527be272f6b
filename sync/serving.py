"""A web server for strangers: slow and silent connections cost a greenlet, have deadlines, and make room for others.

A request is read whole, head and body, before the application sees it, so a client that drips holds nothing but its own
connection. Each request has one deadline for its head (and one for the handshake of TLS before it), and one from the
head to the end of the answer; only a stream of events has none. Where there is no place left, the connection that has
made the least of its own is hung up for the newcomer (:mod:`sync.places`): an honest one ends its request in a moment.

The deadline hangs up the socket instead of raising: the reader of that moment gets the end of the file. A head or body
that ends so is no request. Nor is one that two readers could take for different ones (RFC 9112 §11.2): a body's length
is its Content-Length, once and in digits. Between two pieces of work of one client the others get their turn.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import re
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import gevent
import gevent.socket
import gevent.ssl
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from sync.hosts import REACHED
from sync.places import ANSWER_PIECE, Connection, Places, ServingLimits

log = logging.getLogger("serving")

BACKLOG = 1024
_PIECE = 64 << 10
_IN_MEMORY = 256 << 10
"""A body beyond lies in a temporary file: five hundred that drip must not fill the memory."""
_ANSWER_RATE = 50 << 10
"""Bytes a second at which a long answer gets more time."""
_HEAD_BYTES = 32 << 10
_DROPPED_BYTES = 32 << 20
"""A body that is too large is let come and dropped, so that its sender hears why; one that is larger still is not."""
_TOLD_EVERY_S = 60.0
_USUAL = ServingLimits()
_REQUEST = re.compile(r"[A-Z]{1,20} [^\x00-\x20\x7f]+ HTTP/1\.[01]\r?\n")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*\r?\n")


class ServeError(Exception):
    """The page cannot be served; the text says why and what to change."""


class _NoRequest(ValueError):
    """What came is not a request that we read. ``status`` is the answer to it."""

    def __init__(self, status: str, why: str):
        super().__init__(why)
        self.status = status


class _Head:
    """The lines of a request's head; whether the empty one that ends it came. Raises _NoRequest."""

    def __init__(self, file: Any):
        self._file = file
        self._left = _HEAD_BYTES
        self.whole = False

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._file.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise _NoRequest("431 Request Header Fields Too Large", "the head is too large")
        self.whole = line in (b"\r\n", b"\n")
        if line and not self.whole and not _FIELD.fullmatch(line):
            raise _NoRequest("400 Bad Request", "a line of the head is not a field")
        return line


class _Handler(WSGIHandler):  # type: ignore[misc]
    """One connection."""

    connection: Connection
    rfile: Any
    close_connection: bool

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
            gevent.sleep(0)  # one who sends request after request never lets us wait for him
            return super().handle_one_request()
        finally:
            self._timer.kill(block=False)

    def read_request(self, raw_requestline: str) -> Any:
        """Raises _NoRequest for a head that was cut off (a deadline must not turn half a request into a whole one), and
        for one in which others might read another request."""
        if not _REQUEST.fullmatch(raw_requestline):
            raise _NoRequest("400 Bad Request", "the first line is not a request")
        plain, head = self.rfile, _Head(self.rfile)
        self.rfile = head
        try:
            read = super().read_request(raw_requestline)
        finally:
            self.rfile = plain
        if not head.whole:
            raise _NoRequest("400 Bad Request", "the head was cut off")
        self._check_length()
        return read

    def _check_length(self) -> None:
        if "Transfer-Encoding" in self.headers:
            raise _NoRequest("411 Length Required", "a body without its length")
        lengths = self.headers.get_all("Content-Length", [])
        if len(lengths) > 1 or not all(length.isascii() and length.isdigit() for length in lengths):
            raise _NoRequest("400 Bad Request", "a length that is not one number")

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        status = ex.status if isinstance(ex, _NoRequest) else "400 Bad Request"
        self.log_error("")
        return status[:3], f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()

    def get_environ(self) -> Any:
        """With the address of ours at which this connection arrived."""
        environ = super().get_environ()
        with contextlib.suppress(OSError):  # hung up on
            environ[REACHED] = self.socket.getsockname()[0]
        return environ

    def handle_one_response(self) -> None:
        self._hang_up_in(self._limits.exchange_seconds)
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
            try:
                self._take_body(body)
                self.environ["wsgi.input"] = body
                self.environ["wsgi.input_terminated"] = True
                self.environ["serving.gone"] = lambda: self.connection.gone
                self.connection.begin("answer")
                super().handle_one_response()
            finally:
                self.server.places.release(self.connection)

    def _take_body(self, body: IO[bytes]) -> None:
        """The whole body. Of one that is too large only its size is told: the application has the words for that. One
        that was cut off raises OSError."""
        self.connection.begin("body")
        told = self.content_length or 0
        fits = told <= self._limits.body_bytes
        self.close_connection = self.close_connection or not fits
        if told > _DROPPED_BYTES:
            self.wsgi_input.position = told  # not even read
            return
        while piece := self.wsgi_input.read(_PIECE):
            self.connection.received += len(piece)
            if fits:
                body.write(piece)
                self.server.places.hold(self.connection, len(piece))
            gevent.sleep(0)
            if self.connection.gone:
                raise ConnectionAbortedError("hung up on")
        body.seek(0)

    def _sendall(self, data: bytes | bytearray) -> None:
        """Piece by piece, so that one who does not take them can be told from one who does so slowly."""
        state = self.connection.state
        for start in range(0, len(data), ANSWER_PIECE):
            if state != "stream":
                self.connection.begin("taking")
            super()._sendall(memoryview(data)[start : start + ANSWER_PIECE])
        if state != "stream":
            self.connection.begin("answer")

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """A stream of events lasts, a long answer gets more time."""
        told = {name.lower(): value for name, value in headers}
        if told.get("content-type", "").startswith("text/event-stream"):
            self._timer.kill(block=False)
            self.close_connection = True
            self.server.places.streams(self.connection)
        elif (size := int(told.get("content-length", "0"))) > _ANSWER_RATE:
            self._hang_up_in(self._limits.exchange_seconds + size / _ANSWER_RATE)
        return super().start_response(status, headers, exc_info)

    def _hang_up_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.kill(block=False)
        self._timer = gevent.spawn_later(seconds, self.connection.hang_up)

    def handle_error(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, OSError):
            # A peer that went to sleep or was hung up on is no fault of ours.
            self.close_connection = True
            return
        super().handle_error(kind, error, trace)

    def log_error(self, msg: str, *args: Any) -> None:
        # Not the message: it quotes what the peer sent. And seldom: a flood must not fill a card.
        if time.monotonic() - self.server.told_at >= _TOLD_EVERY_S:
            self.server.told_at = time.monotonic()
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
        self.places = Places(limits)
        self.told_at = -_TOLD_EVERY_S

    def handle(self, sock: Any, address: Any) -> None:
        with self.places.place(address[0], sock) as connection:
            if connection is None:
                return
            if self._tls is None:
                self._serve(connection, sock, address)
            else:
                self._serve_tls(self._tls, connection, sock, address)

    def _serve(self, connection: Connection, sock: Any, address: Any) -> None:
        handler = _Handler(sock, address, self)
        handler.connection = connection
        handler.handle()

    def _serve_tls(self, tls: ssl.SSLContext, connection: Connection, plain: Any, address: Any) -> None:
        plain.settimeout(self.limits.send_seconds)
        with contextlib.closing(tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)) as sock:
            connection.sock = sock
            timer = gevent.spawn_later(self.limits.head_seconds, connection.hang_up)
            try:
                sock.do_handshake()
            except OSError:
                return  # silent, not TLS at all, or does not trust the certificate: nothing to tell it
            finally:
                timer.kill(block=False)
            self._serve(connection, sock, address)


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
    limits: ServingLimits = _USUAL,
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
    context.options |= ssl.OP_NO_RENEGOTIATION
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
