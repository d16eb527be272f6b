"""Whose request at the guards' page is worked on first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gevent
from flask import Flask
from gevent.event import Event

from kiosk.__main__ import PAGE_NICE
from kiosk.guard.app import SHARE, STRANGERS, InTurn
from kiosk.guard.doors import SESSION_COOKIE, SignedIn
from tests.fixtures.browsers.guard_stage import Stage
from tests.fixtures.processes.device import Device


class Desk:
    """An application that is busy with each stranger until told."""

    def __init__(self) -> None:
        self.signed_in = SignedIn()
        self.signed_in.note("good", True)
        self.done = Event()
        self.at_work: list[str] = []
        self._app = InTurn(self._work, self.signed_in)

    def _work(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.at_work.append(environ["REMOTE_ADDR"])
        if "good" not in environ.get("HTTP_COOKIE", ""):
            self.done.wait()
        return [b"answered"]

    def come(self, address: str, session: str = "") -> gevent.Greenlet:
        environ = {"REMOTE_ADDR": address, "HTTP_COOKIE": f"{SESSION_COOKIE}={session}"}
        coming = gevent.spawn(self._app, environ, lambda *_: None)
        gevent.sleep(0)
        return coming


def test_a_guard_who_signed_in_never_waits_for_strangers() -> None:
    desk = Desk()
    strangers = [desk.come(f"10.0.0.{number // 24}", "invented") for number in range(240)]
    assert len(desk.at_work) == STRANGERS
    assert desk.come("10.0.0.1", "good").get(timeout=5) == [b"answered"]
    assert not any(stranger.ready() for stranger in strangers)
    desk.done.set()
    gevent.joinall(strangers, timeout=5, raise_error=True)
    assert len(desk.at_work) == 241


def test_the_lanes_screen_on_this_device_never_waits_for_strangers() -> None:
    desk = Desk()
    strangers = [desk.come("10.0.0.1") for _ in range(24)]
    assert desk.at_work == ["10.0.0.1"] * SHARE
    screen = desk.come("127.0.0.1")
    assert desk.at_work[-1] == "127.0.0.1"
    desk.done.set()
    gevent.joinall([screen, *strangers], timeout=5, raise_error=True)


def test_a_session_that_the_core_no_longer_knows_is_a_strangers() -> None:
    signed_in = SignedIn()
    signed_in.note("t", True)
    assert signed_in.knows("t")
    signed_in.note("t", False)
    assert not signed_in.knows("t") and not signed_in.knows("")


def test_only_the_latest_sessions_are_remembered() -> None:
    signed_in = SignedIn()
    for number in range(300):
        signed_in.note(str(number), True)
    assert signed_in.knows("299") and not signed_in.knows("0")


def test_one_who_signs_in_and_out_is_known_meanwhile(app: Flask, stage: Stage) -> None:
    post, client = app.extensions["post"], app.test_client()
    client.post("/sign-in", data={"name": "王建国", "pin": "2468"})
    token = next(iter(stage.sessions))
    assert post.signed_in.knows(token)
    stage.sessions.clear()
    assert client.get("/").status_code == 303
    assert not post.signed_in.knows(token)


def test_the_pages_process_lets_the_core_go_first(tmp_path: Path) -> None:
    device = Device(tmp_path)
    with device.running("guard") as processes:
        pages, ours = (os.getpriority(os.PRIO_PROCESS, pid) for pid in (processes["guard"][0], 0))
    assert pages == min(19, ours + PAGE_NICE)
    device.remove_sockets()
