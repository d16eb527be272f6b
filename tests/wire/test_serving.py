"""The web server of both sites over true sockets: slow heads and bodies, heads cut off, and who makes room for whom."""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from sync.serving import ServingLimits, serve

PATIENCE = 15.0
LIMITS = ServingLimits(
    head_seconds=8, exchange_seconds=10, grace_seconds=0, body_bytes=100_000, per_address=6, connections=12
)
DRIPPING = b"GET / HTTP/1.1\r\nHost: gate\r\nX-Slow: "
HALF_A_BODY = b"POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 1000\r\n\r\n12345"


class Site:
    """A server in a thread of its own whose application answers with what it was asked, and remembers it."""

    def __init__(self, limits: ServingLimits = LIMITS):
        self.asked: list[tuple[str, bytes]] = []
        self._limits = limits
        self._told: queue.Queue[tuple[int, Callable[[], None]]] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.port, self._close = self._told.get(timeout=PATIENCE)

    def _run(self) -> None:
        import gevent

        server = serve(self._answer, "127.0.0.1", 0, self._limits)
        loop = gevent.get_hub().loop
        self._told.put((server.port, lambda: loop.run_callback_threadsafe(server.close)))
        server.serve_forever(0.1)

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        self.asked.append((environ["PATH_INFO"], body))
        told = f"{environ.get('CONTENT_LENGTH')} {len(body)}".encode()
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(told)))])
        return [told]

    def connect(self, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE, source_address=(source, 0))
        made.sendall(sent)
        return made

    def get(self, path: str = "/", source: str = "127.0.0.1") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE, source_address=(source, 0))
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    def close(self) -> None:
        self._close()
        self._thread.join(PATIENCE)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side hangs up."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(4096):
            received += piece
    return received


def is_answered(site: Site, source: str = "127.0.0.1") -> bool:
    """Whether somebody who tries again when turned away gets an answer, as a browser does."""
    for _ in range(200):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return site.get(source=source) == 200
    return False


@pytest.mark.parametrize("sent", [b"", DRIPPING, HALF_A_BODY], ids=["silent", "slow head", "slow body"])
def test_one_who_is_slow_makes_room_for_another_of_the_same_address(site: Site, sent: bytes) -> None:
    slow = [site.connect(sent) for _ in range(LIMITS.per_address)]
    assert is_answered(site)
    for connection in slow:
        connection.close()


def test_slow_ones_of_crowded_addresses_make_room_for_one_of_a_new_address(site: Site) -> None:
    slow = [site.connect(DRIPPING, f"127.0.0.{number // 4 + 2}") for number in range(LIMITS.connections)]
    assert is_answered(site, "127.0.0.9")
    for connection in slow:
        connection.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /cut",
        b"GET /cut HTTP/1.1",
        b"GET /cut HTTP/1.1\r\n",
        b"GET /cut HTTP/1.1\r\nHost: gate\r\n",
        b"GET /cut HTTP/1.1\r\nHost: gate\r\nX: y",
        b"POST /cut HTTP/1.1\r\nHost: gate\r\nContent-Length: 3\r\n",
        b"POST /cut HTTP/1.1\r\nHost: gate\r\nContent-Length: 30\r\n\r\nabc",
        b"POST /cut HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_a_request_that_was_cut_off_is_not_carried_out(site: Site, sent: bytes) -> None:
    cut = site.connect(sent)
    cut.shutdown(socket.SHUT_WR)
    assert not all_of(cut).startswith(b"HTTP/1.1 2")
    assert site.get("/whole") == 200
    assert [path for path, _ in site.asked] == ["/whole"]
    cut.close()


@pytest.mark.parametrize(
    ("head", "body", "told"),
    [
        ({"Content-Length": "5"}, b"abcde", b"5 5"),
        ({"Transfer-Encoding": "chunked"}, b"5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n", b"8 8"),
        ({}, b"", b"0 0"),
    ],
)
def test_a_whole_body_reaches_the_application(site: Site, head: dict[str, str], body: bytes, told: bytes) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    asked = site.connect(f"POST / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n{lines}\r\n".encode() + body)
    assert all_of(asked).endswith(told if head else b"None 0")
    asked.close()


def test_of_a_body_that_is_too_large_the_application_hears_the_size_alone(site: Site) -> None:
    size = LIMITS.body_bytes + 1
    asked = site.connect(f"POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size))
    assert all_of(asked).endswith(f"{size} 0".encode())
    asked.close()


def test_a_body_in_pieces_that_is_too_large_is_not_kept(site: Site) -> None:
    piece = b"2710\r\n" + bytes(10_000) + b"\r\n"
    asked = site.connect(b"POST / HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n")
    asked.sendall(piece * 12 + b"0\r\n\r\n")
    assert all_of(asked).endswith(b" 0")
    asked.close()


def test_two_requests_of_one_connection_are_two(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    for path in ("/one", "/two"):
        connection.request("POST", path, b"body")
        assert connection.getresponse().read() == b"4 4"
    connection.close()
    assert site.asked == [("/one", b"body"), ("/two", b"body")]
