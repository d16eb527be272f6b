"""Which names and addresses a site answers to."""

from __future__ import annotations

from typing import Any

import pytest

from sync.hosts import REACHED, KnownHosts, asked, host_of

HERE = "192.168.1.20"


def answered(host: str | None, reached: str = HERE, any_address: bool = False) -> str:
    """The status of a site called ``gate.example`` to a request that arrived at an address of it."""
    told: list[str] = []

    def inner(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b""]

    site = KnownHosts(inner, lambda: {"gate.example"}, lambda environ: ("text/plain", "no"), any_address)
    environ = {REACHED: reached} | ({} if host is None else {"HTTP_HOST": host})
    list(site(environ, lambda status, headers: told.append(status)))
    return told[0]


@pytest.mark.parametrize(
    "host",
    ["gate.example", "Gate.Example:8080", "gate.example.", "localhost", "localhost:5000", HERE, f"{HERE}:8080"],
)
def test_a_site_answers_to_its_names_and_to_the_address_a_request_arrived_at(host: str) -> None:
    assert answered(host) == "200 OK"


@pytest.mark.parametrize(
    ("host", "reached"),
    [("[2001:db8::1]:8080", "2001:db8::1"), ("[fe80::1]", "fe80::1%eth0"), ("10.0.0.7", "::ffff:10.0.0.7"),
     ("127.0.0.2", "127.0.0.2"), ("[::1]", "::1")],
)  # fmt: skip
def test_it_knows_its_address_in_every_spelling(host: str, reached: str) -> None:
    assert answered(host, reached) == "200 OK"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "gate.example.evil.example", "192.168.1.20.evil.example", "192.168.1.21", "127.0.0.1", "gate",
     "localhost.evil.example", "[::1]", "2130706433", "0x7f.1"],
)  # fmt: skip
def test_another_name_or_address_is_misdirected(host: str) -> None:
    assert answered(host) == "421 Misdirected Request"


@pytest.mark.parametrize(
    "host",
    [None, "", ":80", "gate.example:x", "gate.example,evil.example", "gate example", "gate.example/x",
     "user@gate.example", "[gate.example]", "[::1", "gáte.example", "gate.example\n", "a" * 300],
)  # fmt: skip
def test_a_request_that_names_no_place_or_two_is_refused(host: str | None) -> None:
    assert answered(host) == "400 Bad Request"


def test_behind_a_proxy_an_address_in_figures_is_nobodys_name() -> None:
    assert answered("203.0.113.9", "127.0.0.1", any_address=True) == "200 OK"
    assert answered("evil.example", "127.0.0.1", any_address=True) == "421 Misdirected Request"


@pytest.mark.parametrize(
    ("host", "came_from", "loopback"),
    [("127.0.0.1:8000", "127.0.0.1", True), ("localhost", "127.0.0.9", True), ("[::1]", "::1", True),
     (HERE, HERE, False), ("127.0.0.1", HERE, False), ("localhost", HERE, False), ("localhost", "", False),
     ("gate.example", "127.0.0.1", False)],
)  # fmt: skip
def test_only_this_machine_itself_asks_over_loopback(host: str, came_from: str, loopback: bool) -> None:
    place = asked({"HTTP_HOST": host, "REMOTE_ADDR": came_from})
    assert place is not None and place.is_loopback is loopback


def test_a_proxy_on_this_machine_asks_for_somebody_else() -> None:
    place = asked({"HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"})
    assert place is not None and not place.is_loopback


def test_a_host_is_read_without_port_and_in_small_letters() -> None:
    assert [host_of(words) for words in ("A.B:1", "[::1]:8", "a.b.", "..", "-")] == ["a.b", "::1", "a.b", ".", "-"]


def test_a_name_is_logged_once_and_no_stranger_fills_the_log(caplog: pytest.LogCaptureFixture) -> None:
    site = KnownHosts(lambda environ, start: [], set, lambda environ: ("text/plain", "no"))
    for number in range(50):
        for _ in range(2):
            site({"HTTP_HOST": f"name{number}.example"}, lambda status, headers: None)
    assert [record.getMessage() for record in caplog.records][:1] == ["host=refused name=name0.example"]
    assert len(caplog.records) == 20
