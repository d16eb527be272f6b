"""How the centre proves itself: the pinned authority, the name, and dates that count only once time is trusted.

The certificates were made for these tests: an authority (2000 to 2120), a stranger of the same name, and three for one
key: good, long expired, and for another host.
"""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.agent.wire import Tls, UpToDate, Wire, WireError
from sync.cache import Cursor
from tests.fixtures.tls import AUTHORITY, GOOD, KEY, STRANGER

EXPIRED = """\
-----BEGIN CERTIFICATE-----
MIIBmjCCAUCgAwIBAgIBAjAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5UZXN0IGF1
dGhvcml0eTAeFw0wMDAxMDEwMDAwMDBaFw0wMTAxMDEwMDAwMDBaMBExDzANBgNV
BAMMBmNlbnRyZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCmNX4BHRXqLpDkP
ZgS/6wg1yBGN0ejzlZ1tfwQ63EQSLzuJ19//mz9DDUJuFfSbbSWiGce0wo0ltQ1J
Bc6f4iqjgYAwfjAPBgNVHREECDAGhwR/AAABMAkGA1UdEwQCMAAwCwYDVR0PBAQD
AgeAMBMGA1UdJQQMMAoGCCsGAQUFBwMBMB0GA1UdDgQWBBSkihrvOtZjyI/TvFNy
2A7SihmqujAfBgNVHSMEGDAWgBR6S6tZawpVBklqg9V9z7TxSjazyjAKBggqhkjO
PQQDAgNIADBFAiEArTvnTsh72aPgVIsrkrVQDZJ/fKIi0ozcwuFpioQV55ICIFX9
W+pOLuYZS4pIInvrB+JQ5+JQvFQBCmiqopsV5pfo
-----END CERTIFICATE-----
"""
ELSEWHERE = """\
-----BEGIN CERTIFICATE-----
MIIBejCCASGgAwIBAgIBAzAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5UZXN0IGF1
dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowETEPMA0G
A1UEAwwGY2VudHJlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKY1fgEdFeouk
OQ9mBL/rCDXIEY3R6POVnW1/BDrcRBIvO4nX3/+bP0MNQm4V9JttJaIZx7TCjSW1
DUkFzp/iKqNgMF4wHAYDVR0RBBUwE4IRZWxzZXdoZXJlLmV4YW1wbGUwHQYDVR0O
BBYEFKSKGu861mPIj9O8U3LYDtKKGaq6MB8GA1UdIwQYMBaAFHpLq1lrClUGSWqD
1X3PtPFKNrPKMAoGCCqGSM49BAMCA0cAMEQCICzZ5iCYhmbp3VxhDhZCwq6tGllr
OPWF1Xb2bHMDGuK/AiAM7fueqMSwBI+CzAqwDlDy0ur6s3UX7aCRwbWYc/D6aA==
-----END CERTIFICATE-----
"""


class _Centre(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.send_header("As-Of", "5")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Starts a server with a certificate; its address."""
    servers: list[http.server.HTTPServer] = []

    def start(certificate: str) -> str:
        (tmp_path / "cert.pem").write_text(certificate)
        (tmp_path / "key.pem").write_text(KEY)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        server = http.server.HTTPServer(("127.0.0.1", 0), _Centre)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"https://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def pinned(tmp_path: Path, authority: str) -> Tls:
    (tmp_path / "ca.pem").write_text(authority)
    return Tls(tmp_path / "ca.pem")


def ask(url: str, tls: Tls) -> object:
    with tls.session() as session:
        return Wire(url, session).feed(Cursor("e", 1))


def test_certificate_under_the_pinned_authority_is_the_centre(tmp_path: Path, centre: Callable[[str], str]) -> None:
    tls = pinned(tmp_path, AUTHORITY)
    url = centre(GOOD)
    assert ask(url, tls) == UpToDate(5)
    tls.check_dates(True)
    assert ask(url, tls) == UpToDate(5)


@pytest.mark.parametrize("dates", [False, True])
@pytest.mark.parametrize(("certificate", "authority"), [(GOOD, STRANGER), (ELSEWHERE, AUTHORITY)])
def test_stranger_or_another_host_is_refused_whatever_the_time(
    tmp_path: Path, centre: Callable[[str], str], certificate: str, authority: str, dates: bool
) -> None:
    tls = pinned(tmp_path, authority)
    tls.check_dates(dates)
    with pytest.raises(WireError) as caught:
        ask(centre(certificate), tls)
    assert caught.value.code == "tls"


def test_public_authorities_are_not_believed_beside_the_pinned_one(
    tmp_path: Path, centre: Callable[[str], str]
) -> None:
    tls = pinned(tmp_path, AUTHORITY)
    ask(centre(GOOD), tls)
    assert len(tls.context.get_ca_certs()) == 1


def test_dates_count_only_once_time_is_trusted(tmp_path: Path, centre: Callable[[str], str]) -> None:
    tls = pinned(tmp_path, AUTHORITY)
    url = centre(EXPIRED)
    assert ask(url, tls) == UpToDate(5)
    tls.check_dates(True)
    with pytest.raises(WireError) as caught:
        ask(url, tls)
    assert caught.value.code == "tls"
    tls.check_dates(False)
    assert ask(url, tls) == UpToDate(5)


def test_proxy_of_the_environment_is_not_used(
    tmp_path: Path, centre: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert ask(centre(GOOD), pinned(tmp_path, AUTHORITY)) == UpToDate(5)
