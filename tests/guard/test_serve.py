"""The guards' page over true sockets: streaming, slow clients, a port in use."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from sync.serving import ServeError, serve, tls_of
from tests.fixtures.browsers.guard_program import Program, running
from tests.fixtures.tls import AUTHORITY, GOOD, KEY, STRANGER

PATIENCE = 30.0
HEAD_S = 1.5
"""The deadline in these tests. A cut is never earlier; how much later depends on the machine, so no test says."""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    with running(tmp_path, "--head-seconds", str(HEAD_S)) as program:
        yield program


def sign_in(port: int) -> str:
    """The session's cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    body = urlencode({"name": "王建国", "pin": "2468"})
    connection.request("POST", "/sign-in", body, {"Content-Type": "application/x-www-form-urlencoded"})
    cookie = connection.getresponse().getheader("Set-Cookie").partition(";")[0]
    connection.close()
    return cookie


class Events:
    """A stream of server-sent events, read to the event one waits for."""

    def __init__(self, port: int, cookie: str, last: str = ""):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        headers = {"Cookie": cookie} | ({"Last-Event-ID": last} if last else {})
        self._connection.request("GET", "/stream", headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.getheader("Content-Type").startswith("text/event-stream")
        self.seen: list[str] = []
        self.last = last

    def until(self, name: str, holding: str = "") -> str:
        """The first event of this name whose HTML holds the text."""
        event = ""
        while True:
            line = self._answer.readline().decode().rstrip("\n")
            field, _, value = line.partition(": ")
            if field == "event":
                event = value
                self.seen.append(value)
            elif field == "id":
                self.last = value
            elif field == "data" and event == name and holding in json.loads(value):
                return json.loads(value)

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


@pytest.fixture
def events(program: Program) -> Iterator[Events]:
    events = Events(program.port, sign_in(program.port))
    yield events
    events.close()


def test_a_decision_reaches_the_open_page(program: Program, events: Events) -> None:
    events.until("bar", "一切正常")
    program.say("passback")
    assert "12栋2单元1801" in events.until("line")
    assert "放行" in events.until("panel", "李*")


def test_a_page_that_comes_back_hears_only_what_it_missed(program: Program) -> None:
    cookie = sign_in(program.port)
    first = Events(program.port, cookie)
    program.say("grant")
    first.until("line", "3栋")
    first.close()
    program.say("deny")
    again = Events(program.port, cookie, first.last)
    assert "5栋" in again.until("line")
    assert again.seen.count("line") == 1 and "reset" not in again.seen
    again.close()


def test_when_the_core_began_anew_the_page_forgets_what_it_had(program: Program, events: Events) -> None:
    program.say("grant")
    events.until("line", "3栋")
    program.say("restart")
    program.say("deny")
    events.until("reset")
    assert "5栋" in events.until("line")


def test_while_the_core_is_away_the_open_page_says_so_and_then_goes_on(program: Program, events: Events) -> None:
    events.until("bar", "一切正常")
    program.say("away")
    assert "要开门请按墙上的按钮" in events.until("bar")
    program.say("back")
    events.until("bar", "一切正常")
    program.say("grant")
    events.until("line", "3栋")


def get_health(port: int, source: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(source, 0))
    connection.request("GET", "/health")
    status = connection.getresponse().status
    connection.close()
    return status


def slow_connection(port: int, sent: bytes) -> socket.socket:
    slow = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=("127.0.0.1", 0))
    slow.sendall(sent)
    return slow


def is_hung_up(slow: socket.socket) -> bool:
    try:
        while slow.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def test_three_hundred_slow_connections_from_one_address_leave_the_page_to_another(program: Program) -> None:
    slow = [slow_connection(program.port, b"GET / HTTP/1.1\r\nHost: gate\r\nX-Slow: ") for _ in range(300)]
    assert get_health(program.port, "127.0.0.2") == 200
    assert all(is_hung_up(connection) for connection in slow)
    assert get_health(program.port, "127.0.0.1") == 200
    for connection in slow:
        connection.close()


def test_a_head_that_drips_is_cut_off_at_its_deadline(program: Program) -> None:
    began = time.monotonic()
    slow = slow_connection(program.port, b"GET / HTTP/1.1\r\n")
    slow.settimeout(0.2)
    is_cut_off = False
    while not is_cut_off and time.monotonic() - began < PATIENCE:
        with contextlib.suppress(TimeoutError):
            try:
                slow.sendall(b"X: y\r\n")
                is_cut_off = not slow.recv(4096)
            except ConnectionError:
                is_cut_off = True
    assert is_cut_off and time.monotonic() - began >= HEAD_S
    slow.close()


# --- over HTTPS -------------------------------------------------------------------------------------------------------


@pytest.fixture
def papers(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "page.pem").write_text(GOOD)
    (tmp_path / "page.key").write_text(KEY)
    return str(tmp_path / "page.pem"), str(tmp_path / "page.key")


@pytest.fixture
def safe(tmp_path: Path, papers: tuple[str, str]) -> Iterator[Program]:
    with running(tmp_path, "--head-seconds", str(HEAD_S), "--cert", papers[0], "--key", papers[1]) as program:
        yield program


def trusting(authority: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority)


def safe_connection(port: int, source: str = "127.0.0.1") -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=PATIENCE, context=trusting(AUTHORITY), source_address=(source, 0)
    )


def test_the_page_is_served_over_https_and_its_cookie_goes_nowhere_else(safe: Program) -> None:
    connection = safe_connection(safe.port)
    body = urlencode({"name": "王建国", "pin": "2468"})
    head = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://127.0.0.1:{safe.port}"}
    connection.request("POST", "/sign-in", body, head)
    answer = connection.getresponse()
    assert answer.status == 303 and "Secure" in answer.getheader("Set-Cookie")
    answer.read()
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_browser_that_does_not_trust_the_certificate_troubles_nobody_else(safe: Program) -> None:
    with socket.create_connection(("127.0.0.1", safe.port), timeout=PATIENCE) as plain, pytest.raises(ssl.SSLError):
        trusting(STRANGER).wrap_socket(plain, server_hostname="127.0.0.1")
    assert safe_health(safe.port) == 200


def safe_health(port: int, source: str = "127.0.0.1") -> int:
    connection = safe_connection(port, source)
    connection.request("GET", "/health")
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    "sent", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"], ids=["silence", "half a hello", "no TLS"]
)
def test_a_handshake_that_does_not_come_to_an_end_is_cut_off_at_the_same_deadline(safe: Program, sent: bytes) -> None:
    began = time.monotonic()
    with slow_connection(safe.port, sent) as slow:
        assert is_hung_up(slow)
    assert time.monotonic() - began >= HEAD_S or sent.startswith(b"GET")


def test_silent_handshakes_count_against_their_address_and_leave_the_page_to_another(safe: Program) -> None:
    silent = [slow_connection(safe.port, b"") for _ in range(300)]
    assert safe_health(safe.port, "127.0.0.2") == 200
    assert all(is_hung_up(connection) for connection in silent)
    assert safe_health(safe.port) == 200
    for connection in silent:
        connection.close()


def test_a_head_that_never_ends_is_cut_off_over_https_too(safe: Program) -> None:
    began = time.monotonic()
    plain = socket.create_connection(("127.0.0.1", safe.port), timeout=PATIENCE)
    with trusting(AUTHORITY).wrap_socket(plain, server_hostname="127.0.0.1") as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert is_hung_up(slow)
    assert time.monotonic() - began >= HEAD_S


def test_without_papers_the_page_is_plain() -> None:
    assert tls_of("", "", ("guard.tls_cert", "guard.tls_key")) is None


@pytest.mark.parametrize(
    ("cert", "key", "says"),
    [
        ("page.pem", "none.key", "guard.tls_key: .*none.key: No such file"),
        ("none.pem", "page.key", "guard.tls_cert: .*none.pem: No such file"),
        ("page.key", "page.pem", "not a certificate and its key"),
    ],
)
def test_papers_that_cannot_be_used_are_a_clear_error(
    papers: tuple[str, str], tmp_path: Path, cert: str, key: str, says: str
) -> None:
    with pytest.raises(ServeError, match=says):
        tls_of(str(tmp_path / cert), str(tmp_path / key), ("guard.tls_cert", "guard.tls_key"))


def test_a_port_in_use_is_a_clear_error() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    with pytest.raises(ServeError, match=f"port {port} is in use"):
        serve(lambda environ, start: [], "127.0.0.1", port)
    taken.close()
