"""The web server of both sites over true sockets: slow heads and bodies, heads cut off, and who makes room for whom."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import queue
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from sync.places import ServingLimits, Turns, origin_of
from sync.serving import serve

PATIENCE = 15.0
LIMITS = ServingLimits(
    head_seconds=8, exchange_seconds=10, grace_seconds=0, body_bytes=100_000, held_bytes=400_000, per_address=6,
    connections=12, streams=3,
)  # fmt: skip
PATIENT = dataclasses.replace(LIMITS, grace_seconds=60, head_seconds=60, exchange_seconds=60)
"""Nobody makes room by being slow."""
LARGE = 4 << 20
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
        if environ["PATH_INFO"] == "/stream":
            start("200 OK", [("Content-Type", "text/event-stream")])
            return self._events()
        if environ["PATH_INFO"] == "/large":
            start("200 OK", [("Content-Length", str(LARGE))])
            return [bytes(LARGE)]
        told = f"{environ.get('CONTENT_LENGTH')} {len(body)}".encode()
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(told)))])
        return [told]

    def _events(self) -> Iterator[bytes]:
        from gevent import sleep

        while True:
            yield b": still here\n\n"
            sleep(0.01)

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


def test_two_requests_of_one_connection_are_two(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    for path in ("/one", "/two"):
        connection.request("POST", path, b"body")
        assert connection.getresponse().read() == b"4 4"
    connection.close()
    assert site.asked == [("/one", b"body"), ("/two", b"body")]


# --- what strangers try beside being slow -----------------------------------------------------------------------------


@pytest.fixture
def patient() -> Iterator[Site]:
    made = Site(PATIENT)
    yield made
    made.close()


def unread(site: Site, source: str) -> socket.socket:
    """Asks for a large answer and does not take it."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.bind((source, 0))
    made.connect(("127.0.0.1", site.port))
    made.sendall(b"GET /large HTTP/1.1\r\nHost: gate\r\n\r\n")
    made.settimeout(PATIENCE)
    assert made.recv(1)
    return made


def test_those_who_do_not_take_their_answers_make_room_for_one_of_a_new_address(patient: Site) -> None:
    slow = [unread(patient, f"127.0.0.{number // 6 + 2}") for number in range(LIMITS.connections)]
    assert is_answered(patient, "127.0.0.9")
    for connection in slow:
        connection.close()


def test_those_who_do_not_take_their_answers_make_room_for_one_of_the_same_address(patient: Site) -> None:
    slow = [unread(patient, "127.0.0.1") for _ in range(LIMITS.per_address)]
    assert is_answered(patient)
    for connection in slow:
        connection.close()


def test_many_who_have_only_just_come_keep_nobody_out(patient: Site) -> None:
    quick = [patient.connect(DRIPPING, f"127.0.0.{number // 6 + 2}") for number in range(LIMITS.connections)]
    for source in ("127.0.0.9", "127.0.0.2"):
        assert is_answered(patient, source)
    for connection in quick:
        connection.close()


class Greedy(threading.Thread):
    """Sends on and on over one connection, as fast as it is taken, and lets what is answered go."""

    def __init__(self, site: Site, begins: bytes, goes_on: bytes):
        super().__init__(daemon=True)
        self._connection = site.connect(begins)
        self._goes_on = goes_on
        self.ended = threading.Event()
        threading.Thread(target=self._drop_answers, daemon=True).start()

    def _drop_answers(self) -> None:
        with contextlib.suppress(OSError):
            all_of(self._connection)

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while not self.ended.is_set():
                self._connection.sendall(self._goes_on)

    def end(self) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self.join(PATIENCE)
        self._connection.close()


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"", b"GET /greedy HTTP/1.1\r\nHost: gate\r\n\r\n" * 500),
        (b"POST /greedy HTTP/1.1\r\nHost: gate\r\nContent-Length: 999999999999\r\n\r\n", bytes(1 << 20)),
        (b"POST /greedy HTTP/1.1\r\nHost: gate\r\nContent-Length: 33000000\r\n\r\n", bytes(1 << 20)),
        (b"POST /greedy HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 50_000),
    ],
    ids=["requests", "endless body", "large body", "tiny chunks"],
)
def test_one_who_sends_without_a_pause_does_not_take_the_others_turns(
    site: Site, begins: bytes, goes_on: bytes
) -> None:
    greedy = Greedy(site, begins, goes_on)
    greedy.start()
    try:
        assert all(is_answered(site) for _ in range(5))
    finally:
        greedy.end()


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: gate\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + SMUGGLED


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (b"Transfer-Encoding: chunked", CHUNKED),
        (b"Transfer-Encoding: gzip, chunked", CHUNKED),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5", CHUNKED),
        (b"Transfer-Encoding: identity", SMUGGLED),
        (b"Transfer-Encoding : chunked", CHUNKED),
        (b"Content-Length: 0\r\nContent-Length: 45", SMUGGLED),
        (b"Content-Length: 45, 0", SMUGGLED),
        (b"Content-Length: +0", SMUGGLED),
        (b"Content-Length: 0_0", SMUGGLED),
        (b"Content-Length : 45", SMUGGLED),
        (b"Not a field\r\nContent-Length: 45", SMUGGLED),
        (b"X: y\r\n Content-Length: 45", SMUGGLED),
        (b"X: y\rContent-Length: 45", SMUGGLED),
        (b"X: \x00", SMUGGLED),
    ],
)
def test_a_head_that_two_readers_could_take_for_different_ones_is_no_request(
    site: Site, lines: bytes, body: bytes
) -> None:
    asked = site.connect(b"POST /asked HTTP/1.1\r\nHost: gate\r\n" + lines + b"\r\n\r\n" + body)
    assert all_of(asked)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 411")
    assert site.asked == []
    asked.close()


@pytest.mark.parametrize(
    "line",
    [b"GET /asked", b"GET /asked HTTP/0.9", b"GET /asked HTTP/2.0", b"get /asked HTTP/1.1", b"GET  /asked HTTP/1.1"],
)
def test_a_first_line_of_another_kind_is_no_request(site: Site, line: bytes) -> None:
    asked = site.connect(line + b"\r\nHost: gate\r\n\r\n")
    assert all_of(asked).startswith(b"HTTP/1.1 400")
    assert site.asked == []
    asked.close()


def test_a_head_that_is_too_large_is_not_kept(site: Site) -> None:
    asked = site.connect(b"GET / HTTP/1.1\r\nHost: gate\r\n")
    with contextlib.suppress(ConnectionError):
        asked.sendall(b"X: " + b"y" * 40_000 + b"\r\n\r\n")
    assert all_of(asked)[:12] in (b"HTTP/1.1 431", b"")
    assert site.asked == []
    asked.close()


def test_a_request_of_an_old_client_is_answered_and_its_connection_closed(site: Site) -> None:
    asked = site.connect(b"GET /old HTTP/1.0\r\n\r\n")
    asked.shutdown(socket.SHUT_WR)
    assert all_of(asked).endswith(b"None 0")
    asked.close()


def test_bodies_under_way_are_kept_up_to_a_sum_and_the_greediest_address_makes_room(site: Site) -> None:
    begun = b"POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 100000\r\n\r\n" + bytes(99_000)
    greedy = [site.connect(begun, "127.0.0.2") for _ in range(6)]
    one = site.connect(b"POST /whole HTTP/1.1\r\nHost: gate\r\nContent-Length: 90000\r\n\r\n", "127.0.0.9")
    one.sendall(bytes(90_000))
    assert one.recv(100).startswith(b"HTTP/1.1 200")
    assert ("/whole", bytes(90_000)) in site.asked
    assert select.select(greedy, [], [], PATIENCE)[0]
    for connection in (one, *greedy):
        connection.close()


def test_an_open_stream_keeps_its_place_and_takes_nobody_elses(site: Site) -> None:
    streams = [site.connect(b"GET /stream HTTP/1.1\r\nHost: gate\r\n\r\n") for _ in range(LIMITS.streams)]
    for stream in streams:
        assert stream.recv(15) == b"HTTP/1.1 200 OK"
    slow = [site.connect(DRIPPING, f"127.0.0.{number % 3 + 1}") for number in range(30)]
    assert is_answered(site)
    for stream in streams:
        assert all(stream.recv(4096) for _ in range(3))
    for connection in (*streams, *slow):
        connection.close()


def test_one_stream_more_than_there_are_places_for_ends_the_oldest(site: Site) -> None:
    streams = [site.connect(b"GET /stream HTTP/1.1\r\nHost: gate\r\n\r\n") for _ in range(LIMITS.streams)]
    for stream in streams:
        assert stream.recv(15) == b"HTTP/1.1 200 OK"
    newest = site.connect(b"GET /stream HTTP/1.1\r\nHost: gate\r\n\r\n")
    assert newest.recv(15) == b"HTTP/1.1 200 OK"
    assert all_of(streams[0])
    assert all(newest.recv(4096) for _ in range(3))
    for stream in (*streams, newest):
        stream.close()


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("@", "@"),
    ],
)
def test_a_stranger_is_an_ipv4_address_or_a_network_of_ipv6(address: str, origin: str) -> None:
    assert origin_of(address) == origin


def test_turns_go_round_by_who_asks_and_nobody_has_more_than_a_share() -> None:
    from gevent import joinall, sleep, spawn

    turns, order, together = Turns(at_once=3, share=2), [], []

    def work(who: str) -> None:
        with turns.of(who):
            order.append(who)
            together.append(who)
            assert together.count(who) <= 2 and len(together) <= 3
            sleep(0)
            together.remove(who)

    joinall([spawn(work, who) for who in ["much"] * 20 + ["one", "two"]], raise_error=True)
    assert len(order) == 22
    assert set(order[:5]) == {"much", "one", "two"}


def test_a_turn_that_comes_when_nobody_waits_any_longer_is_passed_on() -> None:
    turns = Turns(at_once=1, share=1)
    with pytest.raises(ConnectionAbortedError), turns.of("gone", lambda: True):
        raise AssertionError
    with turns.of("here"):
        pass
