"""What a centre, a line, a disk or a stranger in between can do to a gate's sync, and what it must survive."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask
from nacl.signing import SigningKey
from werkzeug.wrappers import Response

from sync.agent.agent import CoreAway
from sync.agent.enrol import IDENTITY, read_identity
from sync.agent.waker import Waker
from sync.cache import get_current
from sync.protocol import Accepted, Refusal, SnapshotHead, sign
from sync.server.app import centre_of, close_app, create_app
from sync.server.centre.settings import Settings
from sync.server.centre.writing import Centre
from sync.server.gates import fleet
from sync.server.passes import compounds, passes
from tests.fixtures.both_ends import DAY_MS, NOW_MS, Gate, KeptJournal, enrolled, issue, states, stored
from tests.fixtures.wsgi_adapter import WsgiAdapter, WsgiApp

Answer = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def instead(app: WsgiApp, where: str, answer: Callable[[], Response], times: int = 1 << 30) -> WsgiApp:
    """The application, but for paths that contain ``where``, answered otherwise ``times`` times."""
    left = [times]

    def meddled(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if where in environ["PATH_INFO"] and left[0] > 0:
            left[0] -= 1
            return answer()(environ, start_response)
        return app(environ, start_response)

    return meddled


def changed(app: WsgiApp, where: str, change: Callable[[bytes], bytes]) -> WsgiApp:
    """The application, with the bodies of answers at ``where`` changed on the way."""

    def meddled(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if where not in environ["PATH_INFO"]:
            return app(environ, start_response)
        with Response.from_app(app, environ) as answer:
            answer.set_data(change(answer.get_data()))
        return answer(environ, start_response)

    return meddled


def login_page() -> Response:
    return Response("<html>Welcome to the hotel</html>", content_type="text/html")


def busy() -> Response:
    body = msgspec.json.encode(Refusal(1, "busy", "later"))
    return Response(body, 503, content_type="application/json", headers={"Retry-After": "40"})


def file_in_force(gate: Gate) -> Path:
    path = get_current(gate.folder)
    assert path
    return path


def with_list(tmp_path: Path, app: Flask, gates: list[Gate]) -> Gate:
    gate = enrolled(gates, tmp_path, app)
    issue(centre_of(app))
    gate.run()
    assert len(states(gate)) == 1
    return gate


@pytest.mark.parametrize(
    "answer",
    [login_page, lambda: Response(status=302, headers={"Location": "http://portal.example/"}),
     lambda: Response("gone", 404), lambda: Response("", 204), lambda: Response("{}", content_type="application/json")],
)  # fmt: skip
def test_something_else_than_the_centre_wipes_nothing(
    tmp_path: Path, app: Flask, gates: list[Gate], answer: Callable[[], Response]
) -> None:
    gate = with_list(tmp_path, app, gates)
    gate.core.happen(3)
    gate.adapter.app = instead(app.wsgi_app, "/", answer)
    gate.run(3600)
    assert len(states(gate)) == 1 and (gate.state / IDENTITY).exists()
    gate.adapter.app = app.wsgi_app
    gate.run(400)
    assert gate.core.told[-1].centre_ok and gate.core.told[-1].why == ""
    assert len(stored(centre_of(app))) == 3


def test_login_page_is_named_for_what_it_is(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = with_list(tmp_path, app, gates)
    gate.adapter.app = instead(app.wsgi_app, "/", login_page)
    gate.run(100)
    assert (gate.core.told[-1].centre_ok, gate.core.told[-1].why) == (False, "not_the_centre")


def test_unknown_token_wipes_nothing(tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate]) -> None:
    gate = with_list(tmp_path, app, gates)
    with centre.store.write() as conn:
        conn.exec_driver_sql("DELETE FROM device")
    gate.run(7200)
    assert (gate.core.told[-1].centre_ok, gate.core.told[-1].why) == (False, "refused")
    assert len(states(gate)) == 1 and (gate.state / IDENTITY).exists()


def test_busy_centre_is_left_alone_for_as_long_as_it_asked_and_longer(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = with_list(tmp_path, app, gates)
    gate.adapter.app = instead(app.wsgi_app, "/", busy)
    gate.run(100)
    assert gate.core.told[-1].why == "busy"
    gate.adapter.seen.clear()
    gate.run(40 * 10)
    assert 1 <= len(gate.adapter.seen) <= 10


def test_new_epoch_is_taken_as_a_snapshot_and_events_are_offered_again(
    tmp_path: Path,
    app: Flask,
    centre: Centre,
    gates: list[Gate],
) -> None:
    gate = with_list(tmp_path, app, gates)
    gate.core.happen(30)
    gate.run()
    old = file_in_force(gate)
    with centre.store.write() as conn:
        conn.exec_driver_sql("DELETE FROM event")
        conn.exec_driver_sql("DELETE FROM journal")
    compounds.begin_epoch(centre, 7, "test")
    gate.run(200)
    assert file_in_force(gate) != old and not old.exists()
    assert len(states(gate)) == 1
    assert stored(centre) == [("j1", seq) for seq in range(1, 31)]


def test_restored_backup_gets_again_what_it_lost(tmp_path: Path, gates: list[Gate]) -> None:
    settings = Settings(state=tmp_path / "centre", watch=False, clock=lambda: NOW_MS)
    before = create_app(settings)
    gate = enrolled(gates, tmp_path, before)
    gate.core.happen(10)
    gate.run()
    close_app(before)
    shutil.copytree(tmp_path / "centre", tmp_path / "backup")
    lost = create_app(settings)
    gate.adapter.app = lost.wsgi_app
    gate.core.happen(15)
    revoked_later = issue(centre_of(lost))[0]
    gate.run(100)
    assert len(stored(centre_of(lost))) == 25
    close_app(lost)
    shutil.rmtree(tmp_path / "centre")
    shutil.copytree(tmp_path / "backup", tmp_path / "centre")
    restored = create_app(settings)
    compounds.begin_epoch(centre_of(restored), 7, "test")
    gate.adapter.app = restored.wsgi_app
    gate.run(400)
    try:
        assert stored(centre_of(restored)) == [("j1", seq) for seq in range(1, 26)]
        assert revoked_later.credentials[0].serial not in states(gate)
    finally:
        close_app(restored)


def test_cursor_older_than_a_pruned_tombstone_starts_again(
    tmp_path: Path,
    app: Flask,
    centre: Centre,
    gates: list[Gate],
) -> None:
    gate = with_list(tmp_path, app, gates)
    issue(centre)
    with centre.store.write() as conn:
        conn.exec_driver_sql("UPDATE compound SET pruned_revision = revision")
    gate.run(200)
    assert len(states(gate)) == 2
    assert len(list(gate.folder.glob("list-*.db"))) == 1


def flip_last(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("/snapshot/", flip_last),
        ("/snapshot/", lambda body: body[: len(body) // 2]),
        ("/snapshot/", lambda body: body + b"more"),
        ("/snapshot/", lambda _: b""),
        ("/snapshot", lambda body: body.replace(b'"compound":7', b'"compound":8')),
        ("/snapshot", lambda body: body[:-20]),
    ],
)
def test_snapshot_that_is_not_whole_or_not_signed_never_comes_into_force(
    tmp_path: Path, app: Flask, centre: Centre, gates: list[Gate],
    where: str, change: Callable[[bytes], bytes],
) -> None:  # fmt: skip
    gate = with_list(tmp_path, app, gates)
    old = file_in_force(gate)
    compounds.begin_epoch(centre, 7, "test")

    def only(body: bytes) -> bytes:
        return change(body) if where == "/snapshot/" or body.startswith(b"{") else body

    gate.adapter.app = changed(app.wsgi_app, where, only)
    gate.run(600)
    assert file_in_force(gate) == old and len(states(gate)) == 1
    assert gate.core.told[-1].why in ("bad_snapshot", "not_understood")
    gate.adapter.app = app.wsgi_app
    gate.run(700)
    assert file_in_force(gate) != old and len(states(gate)) == 1


def test_snapshot_signed_by_another_root_is_refused(
    tmp_path: Path,
    app: Flask,
    centre: Centre,
    gates: list[Gate],
) -> None:
    gate = with_list(tmp_path, app, gates)
    old = file_in_force(gate)
    compounds.begin_epoch(centre, 7, "test")
    stranger = bytes(SigningKey.generate())

    def forged(body: bytes) -> bytes:
        if not body.startswith(b"{"):
            return body
        head = msgspec.json.decode(body, type=SnapshotHead)
        s = head.signed
        head.signed = sign(stranger, s.purpose, s.compound, s.epoch, s.revision, s.item, s.body)
        return msgspec.json.encode(head)

    gate.adapter.app = changed(app.wsgi_app, "/snapshot", forged)
    gate.run(600)
    assert file_in_force(gate) == old
    assert gate.core.told[-1].why == "bad_snapshot"


class _CutOff:
    """An answer whose line breaks after a number of bytes."""

    def __init__(self, body: bytes, size: int):
        self._body, self._size = body, size

    def __iter__(self) -> Any:
        yield self._body[: self._size]
        raise ConnectionResetError("line lost")


def test_download_goes_on_where_the_line_was_lost(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = enrolled(gates, tmp_path, app)
    issue(centre_of(app), 200)
    asked: list[str] = []

    def cut(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "/snapshot/" not in environ["PATH_INFO"]:
            return app.wsgi_app(environ, start_response)
        asked.append(environ.get("HTTP_RANGE", ""))
        with Response.from_app(app.wsgi_app, environ) as answer:
            start_response(answer.status, [(k, v) for k, v in answer.headers if k != "Content-Length"])
            return _CutOff(answer.get_data(), 40_000)

    gate.adapter.app = cut
    gate.run(30)
    gate.adapter.app = app.wsgi_app
    gate.run(300)
    assert asked[0] == "" and asked[1].startswith("bytes=40000-")
    assert len(list(gate.folder.glob("*.part*"))) == 0
    assert len(states(gate)) == 20  # a look-up shows no more


def test_full_disk_keeps_the_old_list_and_says_so(
    tmp_path: Path,
    app: Flask,
    centre: Centre,
    gates: list[Gate],
) -> None:
    gate = with_list(tmp_path, app, gates)
    old = file_in_force(gate)
    compounds.begin_epoch(centre, 7, "test")
    gate.free = 1_000_000
    gate.core.happen(2)
    gate.run(200)
    assert file_in_force(gate) == old and len(states(gate)) == 1
    assert (gate.core.told[-1].centre_ok, gate.core.told[-1].why) == (True, "disk_full")
    assert len(stored(centre)) == 2  # events go on
    gate.free = 1 << 40
    gate.run(700)
    assert file_in_force(gate) != old and gate.core.told[-1].why == ""


def test_damaged_list_is_rebuilt_and_kept_until_then(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = with_list(tmp_path, app, gates)
    gate.stop()
    old = file_in_force(gate)
    old.write_bytes(b"SQLite format 3\0" + bytes(5000))
    gate.adapter.app = instead(app.wsgi_app, "/snapshot", login_page)
    gate.run(60)
    assert file_in_force(gate) == old and old.exists()
    gate.adapter.app = app.wsgi_app
    gate.run(700)
    assert file_in_force(gate) != old and len(states(gate)) == 1 and not old.exists()


def test_list_that_only_the_core_finds_damaged_is_looked_through_and_rebuilt(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = with_list(tmp_path, app, gates)
    issue(centre_of(app), 500)
    gate.run(100)
    gate.stop()
    old = file_in_force(gate)
    with old.open("r+b") as file:  # the first pages stay good: opening it shows nothing
        file.seek(old.stat().st_size - 20_000)
        file.write(b"\xff" * 20_000)
    gate.core.answer = Accepted(False, "damaged")
    gate.run(100)
    assert file_in_force(gate) != old
    assert old.exists()  # the core has not let go of it
    gate.core.answer = Accepted(True)
    gate.run(100)
    assert not old.exists()


def test_a_statement_that_the_core_cannot_verify_has_the_list_built_anew_once_in_ten_minutes(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = with_list(tmp_path, app, gates)
    gate.core.answer = Accepted(True, unverified=["key 7/1"])
    old = file_in_force(gate)
    gate.run(100)
    anew = file_in_force(gate)
    assert anew != old, "the file itself is whole: only the core knows the root's key"
    gate.run(300)
    assert file_in_force(gate) == anew, "cards wear: it is not fetched over and over"
    gate.run(400)
    assert file_in_force(gate) != anew


def test_list_of_the_feed_that_cannot_be_continued_is_not_rebuilt_over_and_over(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = with_list(tmp_path, app, gates)
    issue(centre_of(app))
    gate.adapter.app = changed(app.wsgi_app, "/feed", lambda body: body.replace(b'"compound":7', b'"compound":8'))
    gate.adapter.seen.clear()
    gate.run(3600)
    assert len([path for _, path in gate.adapter.seen if path.startswith("/api/v1/snapshot/")]) < 15
    assert len(states(gate)) >= 1


def test_event_the_centre_will_not_take_stops_no_other_and_is_kept(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = with_list(tmp_path, app, gates)
    gate.core.happen(50)
    gate.core.journals[0].add('{"id":"poison"}')
    gate.core.happen(50)

    def refusing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        environ["wsgi.input"].seek(0)
        if b"poison" in body:
            refusal = msgspec.json.encode(Refusal(1, "not_understood", "no"))
            return Response(refusal, 400, content_type="application/json")(environ, start_response)
        return app.wsgi_app(environ, start_response)

    gate.adapter.app = refusing
    gate.run(60)
    assert stored(centre_of(app)) == [("j1", seq) for seq in range(1, 102)]
    assert [path.read_text() for path in (gate.state / "refused").iterdir()] == ['{"id":"poison"}']


def test_centre_that_takes_no_events_at_all_loses_none(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = with_list(tmp_path, app, gates)
    gate.core.happen(20)
    refusal = msgspec.json.encode(Refusal(1, "not_understood", "no"))
    gate.adapter.app = instead(app.wsgi_app, "/events", lambda: Response(refusal, 400, content_type="application/json"))
    gate.run(3600)
    assert (gate.core.told[-1].why == "events_refused" and gate.core.acked == {"j1": 0}) or gate.core.acked == {}
    gate.adapter.app = app.wsgi_app
    gate.run(400)
    assert len(stored(centre_of(app))) == 20


def test_journal_set_aside_is_sent_whole_before_the_next(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.core.happen(250)
    gate.core.journals[0].closed = True
    gate.core.journals.append(KeptJournal("j2"))
    gate.core.happen(20)
    gate.run(30)
    gate.core.happen(5)
    gate.run(30)
    expected = [("j1", seq) for seq in range(1, 251)] + [("j2", seq) for seq in range(1, 26)]
    assert stored(centre_of(app)) == expected
    gate.start()
    gate.core.happen(1)
    gate.run(30)
    assert stored(centre_of(app)) == [*expected, ("j2", 26)]


def test_core_that_is_away_stops_neither_list_nor_program(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.core.away = CoreAway("no socket")
    issue(centre_of(app))
    gate.run(30)
    assert len(states(gate)) == 1
    gate.core.away = None
    gate.core.happen(3)
    gate.run(30)
    assert gate.core.told[-1].why == "" and len(stored(centre_of(app))) == 3
    assert any(told.list_changed for told in gate.core.told)


def test_unsent_events_are_counted_while_the_line_is_down(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = with_list(tmp_path, app, gates)
    gate.adapter.app = instead(app.wsgi_app, "/", lambda: Response("", 502))
    gate.run(120)
    gate.core.happen(7)
    gate.run(60)
    assert (gate.core.told[-1].centre_ok, gate.core.told[-1].unsent) == (False, 7)


def test_only_the_core_can_have_the_device_wiped(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = with_list(tmp_path, app, gates)
    centre = centre_of(app)
    gate.core.happen(4)
    fleet.withdraw(centre, 7, "g1", "test")
    gate.run(100)
    assert len(states(gate)) == 1 and (gate.state / IDENTITY).exists()
    gate.core.answer = Accepted(False, "withdrawn")
    gate.core.happen(2)
    gate.run(100)
    assert [path.name for path in gate.folder.iterdir()] == [] and not (gate.state / IDENTITY).exists()
    assert len(stored(centre)) == 6
    gate.start()
    gate.adapter.seen.clear()
    gate.run(100)
    assert gate.adapter.seen == [] and gate.core.told[-1].why == "not_enrolled"


def test_wake_up_brings_a_pull_long_before_the_poll(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = with_list(tmp_path, app, gates)
    centre = centre_of(app)
    gate.run(10)
    agent = gate.agent
    woken = threading.Event()
    agent.wake = woken.set  # type: ignore[method-assign]
    identity = read_identity(gate.state)
    assert identity
    waker = Waker(agent, identity, gate.session, random.Random(1))
    thread = threading.Thread(target=waker.listen, args=(threading.Event(),))
    thread.start()
    try:
        assert woken.wait(30)  # the revision now
        woken.clear()
        passes.issue(centre, 7, passes.Order(valid_from_ms=NOW_MS, valid_until_ms=NOW_MS + DAY_MS), "test")
        assert woken.wait(30)
    finally:
        centre.wakes.close()
        thread.join(30)
    assert not thread.is_alive()


def test_signed_change_the_line_forged_does_not_take_the_place_of_the_true_one(
    tmp_path: Path,
    app: Flask,
    centre: Centre,
    gates: list[Gate],
) -> None:
    gate = with_list(tmp_path, app, gates)
    before = rules_in_force(gate)
    compounds.set_rule(centre, 7, "passback_s", "7", "test")
    gate.adapter.app = changed(
        app.wsgi_app, "/feed", lambda body: re.sub(rb'("item":"rules","body":")[^"]*', rb"\1e30=", body)
    )
    gate.run(100)
    assert rules_in_force(gate) == before
    gate.adapter.app = app.wsgi_app
    compounds.set_rule(centre, 7, "passback_s", "8", "test")
    gate.agent.wake()
    gate.run(100)
    assert b'"passback_s":8' in rules_in_force(gate)


def rules_in_force(gate: Gate) -> bytes:
    with closing(sqlite3.connect(file_in_force(gate))) as conn:
        (body,) = conn.execute("SELECT body FROM signed WHERE purpose = 'rule'").fetchone()
    return bytes(body)


def test_two_gates_at_one_centre_keep_their_journals_apart(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    one, two = enrolled(gates, tmp_path, app), enrolled(gates, tmp_path, app)
    one.core.happen(3)
    two.core.happen(5)
    one.run()
    two.run()
    assert len(stored(centre_of(app))) == 8
    assert isinstance(one.adapter, WsgiAdapter) and one.core.acked == {"j1": 3} and two.core.acked == {"j1": 5}
