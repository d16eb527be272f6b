"""Who has a place at a server, who makes room for whom, and whose turn it is to be worked on.

Strangers are told apart by where they come from, and a whole compound may come from one address. So an address is not
shut out, its share is: the connection that has made the least of its place makes room, and the request of an address
that asks much waits behind those of the same address.
"""

from __future__ import annotations

import contextlib
import ipaddress
import random
import socket
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from gevent.event import Event

_LEAST_RATE = 4 << 10
"""Bytes a second below which a body that comes, or an answer that is taken, makes room for others."""
ANSWER_PIECE = 16 << 10
"""Of an answer so much is given to the peer in one go."""
_IPV6_OF_ONE = 64
"""Bits of an IPv6 address that a network is given; the others its machines choose as they like (RFC 4291 §2.5.1)."""

State = Literal["head", "body", "answer", "taking", "stream"]


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
    held_bytes: int = 48 << 20
    """Of all bodies under way together."""
    per_address: int = 24
    connections: int = 240
    streams: int = 120
    """Open streams, beside the connections and whatever their addresses."""


@lru_cache(4096)
def origin_of(address: str) -> str:
    """What counts as one stranger: an IPv4 address, or the /64 of an IPv6 address. A text that is no address stands
    for itself."""
    try:
        read = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(read, ipaddress.IPv4Address):
        return str(read)
    return str(read.ipv4_mapped or ipaddress.ip_network((read, _IPV6_OF_ONE), strict=False))


class Connection:
    """What one connection is doing, since when (seconds), and how many bytes of a body came."""

    def __init__(self, origin: str, sock: Any):
        self.origin = origin
        self.sock = sock
        self.gone = False
        self.held = 0
        self.begin("head")

    def begin(self, state: State) -> None:
        self.state: State = state
        self.since = time.monotonic()
        self.received = 0

    def spare(self, grace_s: float) -> float | None:
        """How well it can be spared, more for more; None: not at all, or not yet."""
        lasted = time.monotonic() - self.since
        match self.state:
            case "answer" | "stream":
                return None
            case "body" if self.received >= _LEAST_RATE * lasted:
                return None
            case "taking" if lasted <= ANSWER_PIECE / _LEAST_RATE:
                return None
        return lasted if lasted >= grace_s else None

    def hang_up(self) -> None:
        """From beneath: shutting down a TLS socket would take the encryption from under its reader."""
        self.gone = True
        with contextlib.suppress(OSError, AttributeError):
            self.sock._sock.shutdown(socket.SHUT_RDWR)


class Places:
    """The open connections of each origin, and which of them makes room for another.

    Where all are still in their grace, one of them goes by lot (as sshd's MaxStartups has it): the oldest would be an
    honest one on a slow line as often as the newcomer would be honest.
    """

    def __init__(self, limits: ServingLimits, lot: random.Random | None = None):
        self._limits = limits
        self._lot = lot or random.Random()  # noqa: S311 - nothing secret hangs on it
        self._open: dict[str, set[Connection]] = {}
        self._streams: list[Connection] = []
        self._count = 0
        self._held = 0

    @contextlib.contextmanager
    def place(self, address: str, sock: Any) -> Iterator[Connection | None]:
        """A place for a connection; None where nobody can be spared for it."""
        connection = Connection(origin_of(address), sock)
        if not self._has_room(connection.origin):
            yield None
            return
        self._open.setdefault(connection.origin, set()).add(connection)
        self._count += 1
        try:
            yield connection
        finally:
            self._give_back(connection)

    def streams(self, connection: Connection) -> None:
        """From now on this is an open stream: it counts among those alone, of which the oldest makes room."""
        self._give_back(connection)
        connection.begin("stream")
        if len(self._streams) >= self._limits.streams:
            self._streams.pop(0).hang_up()
        self._streams.append(connection)

    def hold(self, connection: Connection, size: int) -> None:
        """So much more of a body is kept. Too much: the largest body of the origin that holds most makes room."""
        connection.held += size
        self._held += size
        while self._held > self._limits.held_bytes and (bodies := self._bodies()):
            of_origin: defaultdict[str, int] = defaultdict(int)
            for one in bodies:
                of_origin[one.origin] += one.held
            most = max(of_origin, key=lambda origin: of_origin[origin])
            self._end(max((one for one in bodies if one.origin == most), key=lambda one: one.held))

    def release(self, connection: Connection) -> None:
        """Its body is no longer kept. Idempotent."""
        self._held -= connection.held
        connection.held = 0

    def end(self) -> None:
        """Hang up on everybody who waits to ask something."""
        for one in [one for ours in self._open.values() for one in ours if one.state == "head"]:
            one.hang_up()

    def _bodies(self) -> list[Connection]:
        return [one for ours in self._open.values() for one in ours if one.held]

    def _end(self, connection: Connection) -> None:
        connection.hang_up()
        self.release(connection)
        self._give_back(connection)

    def _give_back(self, connection: Connection) -> None:
        ours = self._open.get(connection.origin, set())
        if connection in ours:
            ours.remove(connection)
            self._count -= 1
            if not ours:
                del self._open[connection.origin]
        elif connection in self._streams:
            self._streams.remove(connection)

    def _has_room(self, origin: str) -> bool:
        ours = self._open.get(origin, set())
        if len(ours) >= self._limits.per_address:
            return self._spare(ours) or self._draw(ours, working=False)
        if self._count < self._limits.connections:
            return True
        crowded = sorted(self._open.values(), key=len, reverse=True)
        larger = [theirs for theirs in crowded if len(theirs) > len(ours)]
        return (
            any(self._spare(theirs) for theirs in crowded)
            or any(self._draw(theirs, working=False) for theirs in larger)
            or any(self._draw(theirs, working=True) for theirs in larger)
        )

    def _spare(self, among: set[Connection]) -> bool:
        """Hang up on the one of these that can best be spared."""
        grace_s = self._limits.grace_seconds
        spares = [(spare, one) for one in among if (spare := one.spare(grace_s)) is not None]
        if not spares:
            return False
        self._end(max(spares, key=lambda pair: pair[0])[1])
        return True

    def _draw(self, among: set[Connection], working: bool) -> bool:
        """Hang up on one of these by lot, if need be on one whose request is worked on."""
        drawn = [one for one in among if working or one.state != "answer"]
        if not drawn:
            return False
        self._end(self._lot.choice(drawn))
        return True


class Turns:
    """So many are worked on at a time, and of each who asks at most a share; those who wait get their turns in rotation
    by who they are, so one who asks much waits for himself. For greenlets of one thread."""

    def __init__(self, at_once: int, share: int):
        self._free = at_once
        self._share = share
        self._inside: defaultdict[str, int] = defaultdict(int)
        self._waiting: dict[str, deque[Event]] = {}

    @contextlib.contextmanager
    def of(self, who: str, gone: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """The block is worked on when its turn comes. Raises ConnectionAbortedError if ``gone`` by then."""
        self._wait(who)
        try:
            if gone():
                raise ConnectionAbortedError("nobody waits for this answer")
            yield
        finally:
            self._inside[who] -= 1
            if not self._inside[who]:
                del self._inside[who]
            self._free += 1
            self._go_on()

    def _wait(self, who: str) -> None:
        turn = Event()
        self._waiting.setdefault(who, deque()).append(turn)
        self._go_on()
        turn.wait()

    def _go_on(self) -> None:
        """Let in who may come in."""
        for who in list(self._waiting):
            if not self._free:
                return
            if self._inside.get(who, 0) < self._share:
                self._let_in(who)

    def _let_in(self, who: str) -> None:
        line = self._waiting.pop(who)
        self._free -= 1
        self._inside[who] += 1
        line.popleft().set()
        if line:
            self._waiting[who] = line  # at the end: the others come first
