"""A real centre and strangers who are slow: people and gates get their answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.processes.centre import COMPOUND, Centre

PATIENCE = 15.0
SLOW = {
    "heads": b"GET /sign-in HTTP/1.1\r\nHost: centre\r\nX-Slow: ",
    "bodies": b"POST /sign-in HTTP/1.1\r\nHost: centre\r\nContent-Length: 4000\r\n\r\nname=",
}


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre")
    made.start()
    yield made
    made.close()


def status(port: int, path: str, source: str) -> int:
    """What somebody gets who asks again when turned away, as a browser does."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(source, 0))
        with contextlib.closing(connection), contextlib.suppress(ConnectionError, http.client.RemoteDisconnected):
            connection.request("GET", path)
            return connection.getresponse().status
    return 0


def test_hundreds_of_slow_requests_of_one_address_keep_nobody_out(centre: Centre) -> None:
    with contextlib.ExitStack() as open_:
        for sent in SLOW.values():
            for _ in range(300):
                slow = socket.create_connection(("127.0.0.1", centre.port), PATIENCE, ("127.0.0.1", 0))
                open_.enter_context(slow)
                with contextlib.suppress(ConnectionError):
                    slow.sendall(sent)
        for source in ("127.0.0.1", "127.0.0.2"):
            assert status(centre.port, "/sign-in", source) == 200
            assert status(centre.port, f"/j/{COMPOUND}", source) == 200
            assert status(centre.port, "/api/v1/feed", source) == 401
