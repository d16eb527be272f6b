"""The agent's own habits: when it asks, what it says, how it waits."""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path

import pytest
import requests
from flask import Flask
from werkzeug.wrappers import Response

from sync.agent.agent import build_agent
from sync.agent.outbox import Outbox, Stuck
from sync.agent.pauses import LONGEST_S, Backoff
from sync.agent.wire import Unacceptable, Wire, WireError, check_url
from sync.cache import Cursor, ListReader, get_current
from sync.protocol import VERSION, Accepted, EventReceipt, EventUpload
from sync.server.app import centre_of
from tests.fixtures.both_ends import FakeCore, Gate, KeptJournal, enrolled, issue
from tests.fixtures.wsgi_adapter import WsgiAdapter, WsgiApp, session_on

URL = "http://127.0.0.1:8080"


def asked(gate: Gate) -> Counter[str]:
    return Counter(path.partition("?")[0].removeprefix("/api/v1/") for _, path in gate.adapter.seen)


# Waiting


def test_pauses_grow_to_five_minutes_and_are_never_alike() -> None:
    backoff = Backoff(random.Random(1))
    pauses = [backoff.next_s() for _ in range(40)]
    assert all(1 <= pause <= LONGEST_S for pause in pauses)
    assert pauses[0] <= 2 and min(pauses[10:]) > LONGEST_S / 4 and len(set(pauses[10:])) == 30
    backoff.reset()
    assert backoff.next_s() <= 2


def test_pause_the_centre_asked_for_is_kept_and_spread() -> None:
    rng = random.Random(1)
    pauses = [Backoff(rng).next_s(100) for _ in range(100)]
    assert min(pauses) >= 100 and max(pauses) > 120


def test_idle_gate_polls_about_once_a_minute_and_asks_the_time_once_an_hour(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.run(10)
    gate.adapter.seen.clear()
    gate.run(3600)
    count = asked(gate)
    assert 50 <= count["feed"] <= 75 and count["time"] == 1 and set(count) == {"feed", "time"}


def test_time_is_asked_for_every_minute_until_the_core_accepts_it(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.core.time_answer = Accepted(False, "nonce")
    gate.run(600)
    assert 9 <= asked(gate)["time"] <= 11
    gate.core.time_answer = Accepted(True)
    gate.run(600)
    assert asked(gate)["time"] <= 12


def test_list_file_is_stamped_at_most_every_ten_minutes(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.run(10)
    path = get_current(gate.folder)
    assert path
    reader = ListReader(path)
    before, stamps = reader.version(), 0
    for _ in range(60):
        gate.run(60)
        stamps += reader.version() != before
        before = reader.version()
    reader.close()
    assert 5 <= stamps <= 6


def test_core_hears_of_sync_every_few_seconds_and_of_each_change_at_once(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.run(60)
    gate.core.told.clear()
    gate.run(100)
    assert 10 <= len(gate.core.told) <= 16
    gate.core.told.clear()
    issue(centre_of(app))
    gate.agent.wake()
    gate.run(0.1)
    assert gate.core.told[-1].list_changed and gate.core.told[-1].caught_up


def test_caught_up_is_said_once_and_not_kept_for_a_core_that_was_away(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.run(10)
    gate.core.told.clear()
    gate.run(20)
    assert not any(told.caught_up for told in gate.core.told)


def test_gate_that_is_told_to_slow_down_waits_follows_its_list_and_loses_nothing(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.run(10)
    slowed = Response(
        '{"v":1,"code":"slow_down","text":""}', 429, {"Retry-After": "100"}, content_type="application/json"
    )

    def full(environ: dict[str, str], start_response: object) -> object:
        return (slowed if environ["PATH_INFO"].endswith("/events") else app.wsgi_app)(environ, start_response)  # type: ignore[arg-type]

    gate.adapter.app = full  # type: ignore[assignment]
    gate.core.happen(500)
    gate.run(10)
    issue(centre_of(app))
    gate.agent.wake()
    gate.adapter.seen.clear()
    gate.run(80)
    assert asked(gate)["events"] == 0 and asked(gate)["feed"] >= 1
    assert gate.core.told[-1].list_changed or gate.core.told[-1].centre_ok
    gate.adapter.app = app.wsgi_app
    gate.run(60)
    assert gate.core.acked == {"j1": 500}


def test_line_that_comes_back_is_used_at_once(tmp_path: Path, app: Flask, gates: list[Gate]) -> None:
    gate = enrolled(gates, tmp_path, app)
    gate.run(10)

    def unplugged(environ: object, start_response: object) -> object:
        raise requests.ConnectionError("no route")

    gate.adapter.app = unplugged  # type: ignore[assignment]
    gate.run(3600)
    gate.core.happen(2)
    gate.adapter.app = app.wsgi_app
    gate.agent.line_is_up()
    gate.run(2)
    assert gate.core.acked == {"j1": 2}


def test_program_stops_when_told_and_says_meanwhile_that_it_lives(
    tmp_path: Path, app: Flask, gates: list[Gate]
) -> None:
    gate = enrolled(gates, tmp_path, app)
    stop, lived = threading.Event(), threading.Event()
    thread = threading.Thread(target=gate.agent.run, args=(stop, lived.set))
    thread.start()
    try:
        assert lived.wait(30)
    finally:
        stop.set()
        centre_of(app).wakes.close()
        thread.join(30)
    assert not thread.is_alive()


def test_device_that_is_not_enrolled_only_says_so(tmp_path: Path) -> None:
    core = FakeCore()
    agent = build_agent(core, tmp_path / "list", tmp_path / "sync", 7, bytes(32))
    assert agent.step() > 0
    assert (core.told[-1].centre_ok, core.told[-1].why) == (False, "not_enrolled")


# The outbox alone


class Receiver:
    """A centre that takes events as the norm says, or not."""

    def __init__(self, knows_holes: bool = True):
        self.acked: dict[str, int] = {}
        self.taken: list[tuple[str, int]] = []
        self.holes = 0
        self.knows_holes = knows_holes

    def __call__(self, upload: EventUpload) -> EventReceipt | Unacceptable:
        acked = self.acked.get(upload.journal_id, 0)
        if upload.first_seq > acked + 1 and upload.hole and self.knows_holes:
            self.holes += 1
            acked = upload.first_seq - 1
        last = upload.first_seq + len(upload.events) - 1
        if upload.first_seq <= acked + 1 and last > acked:
            self.taken += [(upload.journal_id, seq) for seq in range(acked + 1, last + 1)]
            acked = last
        self.acked[upload.journal_id] = acked
        return EventReceipt(VERSION, acked)


def outbox(tmp_path: Path, core: FakeCore, centre: Receiver) -> Outbox:
    return Outbox(tmp_path, core.events_after, core.acknowledged, centre)


def drain(box: Outbox, limit: int = 1000) -> None:
    for _ in range(limit):
        if not box.step():
            return
    raise AssertionError("it does not come to rest")


def test_pruned_events_are_a_hole_the_centre_goes_over(tmp_path: Path) -> None:
    core, centre = FakeCore(), Receiver()
    core.happen(50)
    core.journals[0].kept_from = 21
    box = outbox(tmp_path, core, centre)
    drain(box)
    assert centre.taken == [("j1", seq) for seq in range(21, 51)] and centre.holes == 1
    assert core.acked == {"j1": 50} and box.unsent == 0


def test_centre_that_will_not_go_on_is_left_alone_and_nothing_is_lost(tmp_path: Path) -> None:
    core, centre = FakeCore(), Receiver(knows_holes=False)
    core.happen(50)
    core.journals[0].kept_from = 21
    with pytest.raises(Stuck):
        drain(outbox(tmp_path, core, centre))
    assert core.acked == {"j1": 0}


def test_several_closed_journals_are_sent_one_after_the_other(tmp_path: Path) -> None:
    core, centre = FakeCore(), Receiver()
    for name in ("j1", "j2", "j3"):
        if name != "j1":
            core.journals.append(KeptJournal(name))
        core.happen(210)
        core.journals[-1].closed = name != "j3"
    box = outbox(tmp_path, core, centre)
    drain(box)
    assert centre.acked == core.acked == {"j1": 210, "j2": 210, "j3": 210}
    core.happen(1)
    drain(box)
    assert centre.acked["j3"] == 211


def test_journal_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    core, centre = FakeCore(), Receiver()
    core.happen(5)
    box = outbox(tmp_path, core, centre)
    drain(box)
    core.journals = [KeptJournal("j9")]
    core.happen(3)
    drain(box)
    assert centre.acked == {"j1": 5, "j9": 3}


def test_lost_note_of_what_was_sent_costs_a_repetition_and_no_double(tmp_path: Path) -> None:
    core, centre = FakeCore(), Receiver()
    core.happen(450)
    drain(outbox(tmp_path, core, centre))
    (tmp_path / "sent.json").write_text("{")
    core.happen(10)
    drain(outbox(tmp_path, core, centre))
    assert centre.taken == [("j1", seq) for seq in range(1, 461)]


def test_centre_that_went_back_gets_the_rest_again_when_asked(tmp_path: Path) -> None:
    core, centre = FakeCore(), Receiver()
    core.happen(450)
    box = outbox(tmp_path, core, centre)
    drain(box)
    centre.acked["j1"] = 100
    centre.taken.clear()
    drain(box)
    assert centre.taken == []  # nobody asked
    box.ask_again()
    drain(box)
    assert centre.taken == [("j1", seq) for seq in range(101, 451)]


# The wire alone


def wire(app: WsgiApp) -> Wire:
    return Wire(URL, session_on(WsgiAdapter(app)))


def test_answer_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.agent.wire.MAX_BODY", 100_000)

    def endless(environ: object, start_response: object) -> object:
        def pieces() -> object:
            while True:
                yield b" " * 1000

        start_response("200 OK", [("Content-Type", "application/json")])  # type: ignore[operator]
        return pieces()

    with pytest.raises(WireError, match="does not end"):
        wire(endless).feed(Cursor("e", 0))  # type: ignore[arg-type]


def test_answer_that_drips_is_cut_off() -> None:
    now = [0.0]

    def dripping(environ: object, start_response: object) -> object:
        def pieces() -> object:
            while True:
                now[0] += 5
                yield b" "

        start_response("200 OK", [("Content-Type", "application/json")])  # type: ignore[operator]
        return pieces()

    slow = Wire(URL, session_on(WsgiAdapter(dripping)), clock=lambda: now[0])  # type: ignore[arg-type]
    with pytest.raises(WireError, match="does not end"):
        slow.snapshot()
    assert now[0] < 200


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response("{", content_type="application/json"), "not_understood"),
        (Response('{"v":2,"name":"n"}', content_type="application/json"), "not_understood"),
        (Response("[]", content_type="application/json"), "not_understood"),
        (Response(b"\xff", content_type="application/json"), "not_understood"),
        (Response("{}", 404, content_type="application/json"), "not_understood"),
        (Response("<html>", 404, content_type="text/html"), "not_the_centre"),
        (Response('{"v":1,"code":"x","text":"y"}', 404, content_type="application/json"), "refused"),
        (Response("<html>", 200, content_type="text/html"), "not_the_centre"),
        (Response("", 301, headers={"Location": "http://127.0.0.1/"}), "not_the_centre"),
        (Response("", 204), "not_the_centre"),
        (Response("", 500), "not_the_centre"),
        (Response("", 504), "busy"),
        (Response("<html>", 429, content_type="text/html"), "busy"),
        (Response('{"v":1,"code":"other","text":"y"}', 429, content_type="application/json"), "busy"),
        (Response('{"v":1,"code":"slow_down","text":"y"}', 429, content_type="application/json"), "slow_down"),
        (Response("", 503, headers={"Retry-After": "-5"}), "busy"),
        (Response("", 503, headers={"Retry-After": "99999999999"}), "busy"),
    ],
)
def test_each_wrong_answer_is_named(answer: Response, code: str) -> None:
    with pytest.raises(WireError) as caught:
        wire(answer).snapshot()
    assert caught.value.code == code
    assert caught.value.retry_after_s is None or 0 <= caught.value.retry_after_s <= 3600


def test_token_is_never_in_an_error(tmp_path: Path) -> None:
    with requests.Session() as session, pytest.raises(WireError) as caught:
        Wire("http://127.0.0.1:1", session, "Gate 7.d1.secret-token").snapshot()
    assert caught.value.code == "offline" and "secret-token" not in str(caught.value)


def test_wake_ups_are_the_data_lines_of_the_stream() -> None:
    body = b": hello\n\nevent: wake\ndata: {}\n\n: still here\n\nevent: wa" + b"ke\ndata: {}\n\n"
    with wire(Response(body, content_type="text/event-stream")).wakes() as wakes:
        assert len(list(wakes)) == 2


@pytest.mark.parametrize(
    "answer",
    [Response("<html>", content_type="text/html"), Response(b"x" * 100_000, content_type="text/event-stream")],
)
def test_stream_that_is_none_is_given_up(answer: Response) -> None:
    with pytest.raises(WireError), wire(answer).wakes() as wakes:
        list(wakes)


@pytest.mark.parametrize("url", ["https://centre.example/", "https://centre.example:8443/gate", "http://localhost:80",
                                 "http://127.0.0.1:8080", "http://[::1]:8080"])  # fmt: skip
def test_address_of_a_centre_is_https_or_this_machine(url: str) -> None:
    assert check_url(f" {url} ") == url.rstrip("/")
