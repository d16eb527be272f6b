"""The guards' page answers to the device's own names and addresses: a stranger's name for it is refused."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from kiosk.guard.app import create_app
from kiosk.guard.line import CoreLine, GuardSettings
from tests.fixtures.browsers.guard_program import Program, running
from tests.fixtures.browsers.guard_stage import Stage

NAME = socket.gethostname().lower().removesuffix(".local")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    with running(tmp_path) as program:
        yield program


def asked(port: int, host: str, path: str = "/sign-in", at: str = "127.0.0.1") -> tuple[int, str]:
    """What the page answers at one of this machine's addresses to a browser that calls it ``host``."""
    connection = http.client.HTTPConnection(at, port, timeout=15)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_a_strangers_name_for_the_device_shows_nothing_and_says_where_the_page_is(program: Program) -> None:
    """DNS rebinding: the browser asks the device for the stranger's site."""
    for path in ("/", "/sign-in", "/health", "/metrics", "/screen/in", "/static/guard.css", "/no-such-page"):
        status, said = asked(program.port, f"evil.example:{program.port}", path)
        assert status == 421, path
        assert "evil" not in said and f"http://127.0.0.1:{program.port}/" in said
        assert "这台设备不用这个网址" in said and "does not answer to that address" in said


def test_a_technician_who_types_an_address_the_device_has_gets_the_page(program: Program) -> None:
    for address in ("127.0.0.1", "127.0.0.2"):  # any of them, whatever was configured: DHCP may have given it just now
        assert asked(program.port, f"{address}:{program.port}", at=address)[0] == 200
    assert asked(program.port, "192.168.7.7", at="127.0.0.2")[0] == 421


@pytest.mark.parametrize("host", ["localhost", NAME, f"{NAME}.local", NAME.upper(), "Gate.Yard.Example", "10.9.8.7"])
def test_its_names_and_those_of_its_configuration_are_answered(stage: Stage, host: str) -> None:
    assert open_sign_in(stage, host) == 200


def open_sign_in(stage: Stage, host: str) -> int:
    core = CoreLine(stage.core_path, stage.reader_path)
    app: Flask = create_app(core, GuardSettings(hosts=("gate.yard.example", "10.9.8.7")))
    status: int = app.test_client().get("/sign-in", headers={"Host": host}).status_code
    core.close()
    return status


def test_a_name_like_ours_is_not_ours(stage: Stage) -> None:
    assert open_sign_in(stage, f"{NAME}.evil.example") == 421
    assert open_sign_in(stage, "yard.example") == 421
