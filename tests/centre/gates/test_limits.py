"""What one device may ask of the centre: it starves nobody, and an honest gate does not feel it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest

from sync.protocol import CHAIN_START, Event, EventUpload, SnapshotHead
from sync.server.app import gates_of
from sync.server.centre.settings import Settings
from sync.server.gates.limits import AT_ONCE, BUDGETS, DOWNLOADS_AT_ONCE, STREAMS, DeviceLimits, Kind, Recognised
from sync.server.serve import Threads
from sync.server.views import client_network
from tests.fixtures.centre import Gate, World, code_of

WHOSE, OTHER = (7, "d1"), (7, "d2")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("kind", BUDGETS)
def test_what_is_spent_comes_in_again_as_fast_as_it_says(kind: Kind) -> None:
    clock, budget = Clock(), BUDGETS[kind]
    limits = DeviceLimits(clock)
    assert limits.spend(WHOSE, kind, budget.most) == 0
    wait_s = limits.spend(WHOSE, kind)
    assert wait_s >= 1
    clock.now = wait_s - 1
    assert (limits.spend(WHOSE, kind) > 0) or budget.a_second > 1
    clock.now = wait_s
    assert limits.spend(WHOSE, kind) == 0
    assert limits.spend(OTHER, kind, budget.most) == 0


def test_more_than_a_budget_ever_holds_costs_all_of_it_and_is_not_refused_for_ever() -> None:
    limits = DeviceLimits(Clock())
    assert limits.spend(WHOSE, "requests", BUDGETS["requests"].most * 10) == 0
    assert limits.spend(WHOSE, "requests") == 1


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    clock = Clock()
    limits = DeviceLimits(clock)
    limits.spend(WHOSE, "streams", 10)
    clock.now = -1_000_000
    assert limits.spend(WHOSE, "streams") == 10
    clock.now += 10
    assert limits.spend(WHOSE, "streams") == 0


def test_a_device_has_so_many_requests_at_a_time_and_another_has_its_own() -> None:
    limits = DeviceLimits(Clock())
    with ExitStack() as open_:
        assert [open_.enter_context(limits.one(WHOSE)) for _ in range(AT_ONCE + 1)] == [0] * AT_ONCE + [1]
        assert open_.enter_context(limits.one(OTHER)) == 0
    with limits.one(WHOSE) as wait_s:
        assert wait_s == 0


def test_a_hundred_thousand_events_in_one_go_are_within_every_budget() -> None:
    limits = DeviceLimits(Clock())
    for _ in range(500):
        with limits.one(WHOSE) as wait_s:
            assert wait_s == limits.spend(WHOSE, "rows", 200) == limits.spend(WHOSE, "bytes", 200 * 900) == 0


def test_only_the_latest_tokens_are_remembered() -> None:
    recognised = Recognised()
    for number in range(20_001):
        recognised.note(number.to_bytes(4), (7, str(number)))
    assert recognised.whose((0).to_bytes(4)) is None and recognised.whose((20_000).to_bytes(4)) == (7, "20000")


# --- over the wire ----------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield World(tmp_path / "centre", comment_every_s=0.01)


def spent(world: World, gate: Gate, kind: Kind) -> None:
    assert gate.enrolled
    gates_of(world.app).limits.spend((gate.enrolled.compound, gate.enrolled.device), kind, BUDGETS[kind].most)


def upload(count: int = 3) -> EventUpload:
    texts = [msgspec.json.encode(Event(id=str(n), kind="call", at_ms=n)).decode() for n in range(count)]
    return EventUpload(v=1, journal_id="j1", first_seq=1, before=CHAIN_START, events=texts, hole=False)


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        ("requests", lambda gate: gate.ask()),
        ("requests", lambda gate: gate.post("/time", {"v": 1, "nonce": ""})),
        ("streams", lambda gate: gate.get("/wake")),
        ("rows", lambda gate: gate.post("/events", upload())),
        ("bytes", lambda gate: gate.post("/events", upload())),
    ],
)
def test_a_device_that_asks_more_than_its_share_is_told_when_to_come_again_and_another_is_served(
    world: World, kind: Kind, ask: Any
) -> None:
    gate, other = world.gate().enrol(), world.gate(name="西门").enrol()
    spent(world, gate, kind)
    answer = ask(gate)
    assert (answer.status_code, code_of(answer)) == (429, "slow_down")
    assert int(answer.headers["Retry-After"]) >= 1
    assert ask(other).status_code != 429
    world.now_ms += 1000 * int(answer.headers["Retry-After"])
    assert ask(gate).status_code != 429


def test_events_that_were_not_taken_are_taken_later_as_if_they_had_come_for_the_first_time(world: World) -> None:
    gate = world.gate().enrol()
    spent(world, gate, "rows")
    assert gate.post("/events", upload()).status_code == 429
    world.now_ms += 1000
    assert msgspec.json.decode(gate.post("/events", upload()).data)["acked"] == 3


def test_a_wrong_token_spends_nothing_of_the_devices(world: World) -> None:
    gate = world.gate().enrol()
    right, gate.token = gate.token, "wrong"
    for _ in range(30):
        assert gate.get("/wake").status_code == gate.get("/snapshot/x").status_code == 401
    gate.token = right
    assert gate.get("/wake").status_code == 200


def test_a_third_stream_of_a_device_ends_its_oldest_and_no_other_gates(world: World) -> None:
    gate, other = world.gate().enrol(), world.gate(name="西门").enrol()
    theirs, *ours = [each.get("/wake") for each in (other, *[gate] * (STREAMS + 1))]
    streams = [iter(answer.response) for answer in (theirs, *ours)]
    assert all(b"event: wake" in next(stream) for stream in streams)
    assert next(streams[1], None) is None
    assert all(b"still here" in next(stream) for stream in (streams[0], *streams[2:]))
    for answer in (theirs, *ours):
        answer.close()


def test_one_device_cannot_hold_all_the_streams(tmp_path: Path) -> None:
    world = World(tmp_path / "centre", streams=20)
    gate, other = world.gate().enrol(), world.gate(name="西门").enrol()
    answers = [gate.get("/wake") for _ in range(20)]
    answers.append(other.get("/wake"))
    assert answers[-1].status_code == 200
    for answer in answers:
        answer.close()


def test_a_device_has_so_many_downloads_at_a_time(world: World) -> None:
    gate = world.gate().enrol()
    name = msgspec.json.decode(gate.get("/snapshot").data, type=SnapshotHead).name
    answers = [gate.get(f"/snapshot/{name}") for _ in range(DOWNLOADS_AT_ONCE + 1)]
    assert [answer.status_code for answer in answers] == [200] * DOWNLOADS_AT_ONCE + [429]
    answers[0].close()
    answers.append(gate.get(f"/snapshot/{name}"))
    assert answers[-1].status_code == 200
    for answer in answers:
        answer.close()


def test_strangers_who_say_to_be_gates_take_no_gates_appointment(tmp_path: Path) -> None:
    """A wrong token is looked at before a place among the gates' requests is given."""
    full = World(tmp_path / "centre", at_once=0)
    stranger = full.client.get("/api/v1/feed", headers={"Authorization": "Gate 7.d1.wrong"})
    assert stranger.status_code == 401
    assert full.client.post("/api/v1/enrol", data=b"{}").status_code == 400


def test_people_behind_ipv4_are_told_apart_where_the_centre_listens_on_ipv6(world: World) -> None:
    with world.app.test_request_context(environ_base={"REMOTE_ADDR": "::ffff:10.1.2.3"}):
        assert client_network() == "10.1.2.3"


def test_a_stream_that_is_refused_waits_for_none_that_is_open() -> None:
    over = threading.Event()

    def comments() -> Iterator[bytes]:
        yield b": open\n\n"
        over.wait(20)

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        is_open = environ["REMOTE_ADDR"] == "127.0.0.1"
        start("200 OK" if is_open else "429 Too Many Requests", [])
        return comments() if is_open else [b"later"]

    threads = Threads(answer, Settings(state=Path(), streams=1), Recognised())

    def ask(address: str) -> bytes:
        environ = {"REMOTE_ADDR": address, "PATH_INFO": "/api/v1/wake", "serving.gone": lambda: False}
        return b"".join(threads(environ, lambda *_: None))

    opened = gevent.spawn(ask, "127.0.0.1")
    gevent.sleep(0)
    assert gevent.spawn(ask, "127.0.0.2").get(timeout=10) == b"later"
    over.set()
    assert opened.get(timeout=10) == b": open\n\n"
