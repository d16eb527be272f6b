"""The sockets between the four processes: one per pair, each with verbs of its own (:mod:`kiosk.verbs`).

A message is a 4-byte big-endian length and that many bytes of MessagePack: ``{v, id, verb, body}`` one way,
``{v, id, ok, body}`` or ``{v, id, ok: false, error}`` the other. A server accepts only the verbs it was given,
closes a connection that breaks the framing, and never lets one peer's mistake reach another. Who may connect is
decided by the socket file's owner, group and mode (0660), set by the ``.socket`` units.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

VERSION = 1
MAX_MESSAGE = 256 * 1024
MAX_PHOTO_MESSAGE = 12 * 1024 * 1024
"""Room for a 4 MB photo, or for the frames of a simulated presentation."""
BODY_S = 10.0
MAX_PEERS = 16
_ACCEPT_PAUSE_S = 0.1

log = logging.getLogger("channel")

Q = TypeVar("Q")
A = TypeVar("A")


class ChannelError(Exception):
    """The peer is not there, hung up, or did not understand. Asking again is safe for verbs that only read."""


class HungUp(ChannelError):
    """The peer had the question and ended before it answered: perhaps because of it."""


class Refused(ChannelError):
    """The peer understood and said no; the text is its code (``not_signed_in``, ``unknown_verb`` …)."""


class Verb(msgspec.Struct, Generic[Q, A], frozen=True):
    """A question one process may put to another, with the types of question and answer."""

    name: str
    asks: type[Q]
    answers: type[A]


class _Request(msgspec.Struct):
    v: int
    id: int
    verb: str
    body: msgspec.Raw


class _Answer(msgspec.Struct, omit_defaults=True):
    v: int
    id: int
    ok: bool
    body: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: str = ""


def _receive_exactly(sock: socket.socket, size: int) -> bytes:
    chunks = bytearray()
    while len(chunks) < size:
        chunk = sock.recv(min(size - len(chunks), 1 << 20))
        if not chunk:
            raise HungUp("hung up")
        chunks += chunk
    return bytes(chunks)


def _receive(sock: socket.socket, limit: int, idle: float | None, body_seconds: float | None) -> bytes:
    sock.settimeout(idle)
    head = _receive_exactly(sock, 4)
    sock.settimeout(body_seconds)
    (size,) = struct.unpack(">I", head)
    if size > limit:
        raise ChannelError(f"message of {size} bytes, limit {limit}")
    return _receive_exactly(sock, size)


def _send(sock: socket.socket, message: object) -> None:
    body = msgspec.msgpack.encode(message)
    sock.sendall(struct.pack(">I", len(body)) + body)


Answering = Callable[[Any], Any]


class Server:
    """Answers verbs on a listening unix socket, one thread per peer.

    ``verbs`` maps each accepted verb to the function that answers it; the function may raise :class:`Refused`.
    Any other exception is logged and answered as ``fault``: the peer learns nothing of it.
    """

    def __init__(self, listener: socket.socket, verbs: Mapping[Verb[Any, Any], Answering], limit: int = MAX_MESSAGE):
        self._listener = listener
        self._verbs = {verb.name: (verb, answer) for verb, answer in verbs.items()}
        self._limit = limit
        self._peers: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name="channel-accept", daemon=True)

    def start(self) -> Server:
        self._thread.start()
        return self

    def _accept(self) -> None:
        while not self._closing:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                if self._closing:
                    return
                time.sleep(_ACCEPT_PAUSE_S)  # out of descriptors for a moment is no reason to be deaf for ever
                continue
            with self._lock:
                full = self._closing or len(self._peers) >= MAX_PEERS
                if not full:
                    self._peers.add(peer)
            if full:
                peer.close()
                continue
            try:
                threading.Thread(target=self._serve, args=(peer,), name="channel-peer", daemon=True).start()
            except RuntimeError:  # out of memory for a moment: this one is turned away, the next may be served
                self._hang_up(peer)

    def _hang_up(self, peer: socket.socket) -> None:
        with self._lock:
            self._peers.discard(peer)
        peer.close()

    def _serve(self, peer: socket.socket) -> None:
        try:
            while True:
                raw = _receive(peer, self._limit, None, BODY_S)
                _send(peer, self._answer(msgspec.msgpack.decode(raw, type=_Request)))
        except (ChannelError, OSError):
            pass
        except msgspec.MsgspecError as err:
            log.warning("channel=closed why=%r", str(err))
        finally:
            self._hang_up(peer)

    def _answer(self, request: _Request) -> _Answer:
        if request.v != VERSION:
            return _Answer(VERSION, request.id, False, error="unknown_version")
        known = self._verbs.get(request.verb)
        if known is None:
            return _Answer(VERSION, request.id, False, error="unknown_verb")
        verb, answer = known
        try:
            question = msgspec.msgpack.decode(request.body, type=verb.asks)
        except (msgspec.DecodeError, UnicodeError):
            return _Answer(VERSION, request.id, False, error="malformed")
        try:
            body = msgspec.msgpack.encode(answer(question))
        except Refused as no:
            return _Answer(VERSION, request.id, False, error=str(no))
        except Exception:
            log.exception("channel=fault verb=%s", request.verb)
            return _Answer(VERSION, request.id, False, error="fault")
        return _Answer(VERSION, request.id, True, body=msgspec.Raw(body))

    def close(self) -> None:
        """Stop listening and hang up on every peer. Idempotent."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            peers = list(self._peers)
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


class Client:
    """Asks verbs over one connection, which it opens when first needed and again after a failure.

    One question at a time (a lock holds the others); use one client per thread that waits long.
    """

    def __init__(self, path: Path | str, timeout: float = 5.0, limit: int = MAX_PHOTO_MESSAGE):
        self._path = str(path)
        self._timeout = timeout
        self._limit = limit
        self._ids = itertools.count(1)
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()

    def ask(self, verb: Verb[Q, A], question: Q, timeout: float | None = None) -> A:
        """The peer's answer. Raises Refused when it says no, HungUp when it ended over the question, and ChannelError
        when it cannot be reached in time."""
        raw = msgspec.Raw(msgspec.msgpack.encode(question))
        with self._lock:
            number = next(self._ids)
            try:
                sock = self._sent(_Request(VERSION, number, verb.name, raw))
                answer = self._await(sock, number, timeout or self._timeout)
            except (OSError, msgspec.MsgspecError, ChannelError) as err:
                self._drop()
                failure = HungUp if isinstance(err, HungUp | ConnectionResetError) else ChannelError
                raise failure(f"{verb.name}: {err or type(err).__name__}") from err
        if not answer.ok:
            raise Refused(answer.error)
        try:
            return msgspec.msgpack.decode(answer.body, type=verb.answers)
        except (msgspec.DecodeError, UnicodeError) as err:
            raise ChannelError(f"{verb.name}: {err}") from err

    def _sent(self, request: _Request) -> socket.socket:
        """Send on the open connection; on a new one where the peer was restarted since and never got the request."""
        kept = self._sock is not None
        try:
            sock = self._connected()
            _send(sock, request)
        except (BrokenPipeError, ConnectionResetError):
            if not kept:
                raise
            self._drop()
            sock = self._connected()
            _send(sock, request)
        return sock

    def _connected(self) -> socket.socket:
        if self._sock is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(self._timeout)
            try:
                sock.connect(self._path)
            except OSError:
                sock.close()
                raise
            self._sock = sock
        return self._sock

    def _await(self, sock: socket.socket, number: int, timeout: float) -> _Answer:
        raw = _receive(sock, self._limit, timeout, timeout)
        answer = msgspec.msgpack.decode(raw, type=_Answer)
        if answer.id != number:
            raise ChannelError("answer to another question")
        return answer

    def _drop(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            self._drop()


def listen(path: Path, mode: int = 0o660) -> socket.socket:
    """A listening unix socket at ``path``, replacing a stale one. For runs without systemd's socket units."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    path.chmod(mode)
    sock.listen(MAX_PEERS)
    return sock
