"""The core over its real sockets, and as the real process that is killed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hardware.vitals import Vitals
from kiosk import channel as ch
from kiosk import verbs
from kiosk.commands.check import pins_of
from kiosk.config import Config, parse
from kiosk.core.guards.live import LiveList
from kiosk.core.guards.post import GuardSessions
from kiosk.core.journal import Journal
from kiosk.core.loop import BOARD_EVERY_S, CoreLoop
from kiosk.guard.technician.tables import details
from kiosk.service import Service
from sync.protocol import Acknowledged, Event, EventsAfter, SyncState, WithdrawalBody
from sync.shifts import LONGEST_SHIFT_S
from tests.fixtures.gate_parts import (
    ANCHOR,
    BOX,
    DEVICE,
    GATE,
    NOON_MS,
    PIN,
    Bench,
    account,
    credential,
    kept_entries,
    kept_tries,
    read_events,
    row_of,
    rules,
    signed,
    statement,
    text_of,
    usual_changes,
    write_list,
)

ROOT = Path(__file__).parents[2]
CARD, SUSPENDED, REVOKED = credential(5), credential(8), credential(9)
ROWS = [
    row_of(CARD),
    row_of(SUSPENDED, state="suspended", household=15),
    row_of(REVOKED, state="revoked", household=16, dwelling="9-9-901"),
]
PAIRS = ("core-reader", "core-guard", "core-sync")
CONFIG = parse('[[lane]]\nname = "entry"\npart = "simulated"\ndirection = "in"\n'
               '[[camera]]\nlane = "entry"\npart = "simulated"\n')  # fmt: skip


class Here:
    """A core that runs on a thread, and a client for each of its sockets."""

    def __init__(self, folder: Path, missing: Mapping[str, str] | None = None) -> None:
        self._missing = missing
        self.live = LiveList()
        self.sockets = Path(tempfile.mkdtemp(prefix="gk"))  # short: a socket's path has at most 107 characters
        self.now = 1000.0
        self.vitals = Vitals()
        self.service = Service()
        self._folder = folder
        self._up = threading.Event()
        self._loop = threading.Thread(target=self._run, daemon=True)
        self._loop.start()
        assert self._up.wait(10)
        self._clients = {pair: ch.Client(self.sockets / pair) for pair in PAIRS}

    def _run(self) -> None:
        """Everything on the loop's own thread, which the list belongs to."""
        people = [*usual_changes(), account("Wu", "technician")]
        self.bench = bench = Bench(self._folder / "gate", ROWS, people, tell=self.live.tell, missing=self._missing)
        config = replace(CONFIG, gate=replace(CONFIG.gate, state=str(self._folder)))
        self.core = CoreLoop(
            config, ANCHOR, bench.gate, bench.book, bench.acts, self.live, bench.journal, bench.mirror,
            bench.clock, bench.kept, GuardSessions(
                lambda: bench.mirror.vouched.accounts, lambda: self.now, kept_tries(bench.folder)
            ),
            lambda: self.now, lambda: self.vitals,
        )  # fmt: skip
        self.core.begin()
        self.core.serve({pair: ch.listen(self.sockets / pair) for pair in PAIRS})
        self._up.set()
        self.core.run(self.service)

    def ask(self, pair: str, verb: ch.Verb[Any, Any], question: Any) -> Any:
        return self._clients[pair].ask(verb, question)

    def guard(self, verb: ch.Verb[Any, Any], question: Any) -> Any:
        return self.ask("core-guard", verb, question)

    def token(self, name: str = "Lin") -> str:
        token: str = self.guard(verbs.SIGN_IN, verbs.SignIn(name, PIN, "10.0.0.5")).token
        return token

    def present(self, text: str = text_of(CARD), lane: str = "entry") -> verbs.PresentationAnswer:
        shown: verbs.PresentationAnswer = self.ask(
            "core-reader", verbs.PRESENT, verbs.Presentation(lane=lane, text=text)
        )
        return shown

    def state(self) -> verbs.GateState:
        state: verbs.GateState = self.guard(verbs.STATE, verbs.Nothing())
        return state

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.service.stopping.set()
        self._loop.join(10)
        shutil.rmtree(self.sockets)


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Here]:
    here = Here(tmp_path)
    yield here
    here.close()


def refusal(ask: Callable[[], Any]) -> str:
    with pytest.raises(ch.Refused) as refused:
        ask()
    return str(refused.value)


# --- sockets ----------------------------------------------------------------------------------------------------------

VERBS = {
    "core-reader": {
        verbs.PRESENT: verbs.Presentation(lane="entry", text=""),
        verbs.READER_STATE: verbs.ReaderState(lane="entry", ok=True),
        verbs.ENDING: verbs.Ending(run="r", why="asked"),
    },
    "core-guard": {
        verbs.SIGN_IN: verbs.SignIn("a", "b"),
        verbs.SIGN_OUT: verbs.Token(""), verbs.WHO: verbs.Token(""),
        verbs.WATCH: verbs.Watch("", 0), verbs.STATE: verbs.Nothing(), verbs.RULE: verbs.Ruling("", 1, True),
        verbs.OVERRIDE: verbs.Override("", "entry", True), verbs.EXPLAIN: verbs.Explain("", 1, ""),
        verbs.HOLD: verbs.Hold("", "entry", True), verbs.SETTLE: verbs.Settle("", "tap"),
        verbs.ACKNOWLEDGE: verbs.Acknowledge("", 1), verbs.ADMIT: verbs.Admission("", "entry", ""),
        verbs.LASTING: verbs.Token(""), verbs.FOLLOW: verbs.Followers("", "entry", 1, 1),
        verbs.SHOWN: verbs.ShownAfter(wait_s=0),
        verbs.LOCKDOWN: verbs.Lockdown("", "entry", True), verbs.LOOK_UP: verbs.LookUp("", ""),
        verbs.PRESENT_TEXT: verbs.PresentText("", "entry", ""), verbs.CONFIRM_TIME: verbs.ConfirmTime("", 1),
        verbs.VIEW: verbs.View("", "entry"), verbs.FIGURES: verbs.Nothing(),
    },
    "core-sync": {
        verbs.EVENTS: EventsAfter("", 0), verbs.ACKNOWLEDGED: Acknowledged("", 0),
        verbs.SYNC_STATE: SyncState(centre_ok=True),
        verbs.NONCE: verbs.Nothing(), verbs.TIME: statement(bytes(16), NOON_MS),
    },
}  # fmt: skip


def test_a_reader_gone_bad_fills_no_memory_with_lanes_that_are_not_here(core: Here) -> None:
    state = verbs.ReaderState(lane="x" * 100_000, ok=True)
    assert refusal(lambda: core.ask("core-reader", verbs.READER_STATE, state)) == "unknown_lane"


def test_a_reader_gone_bad_speaks_for_nobody_and_writes_no_lines_into_the_log(
    core: Here, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "gate")
    shown = verbs.Presentation(
        lane="entry", text=text_of(CARD), source="hand" * 9999, engine="a\nlane=entry outcome=grant"
    )
    core.ask("core-reader", verbs.PRESENT, shown)
    (decided,) = [event for event in read_events(core.bench.journal) if event.kind == "decided"]
    assert decided.source == "camera"
    assert "\n" not in caplog.text.strip()


@pytest.mark.parametrize("name", ["up_s", "fps", "brightness", "gain"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0])
def test_figures_of_a_reader_gone_bad_that_are_no_measurements_are_left_out(
    core: Here, name: str, number: float
) -> None:
    times = verbs.Spread([0])
    told = replace(verbs.ReaderFigures(up_s=1.0, frame_times=times, decode_times=times), **{name: number})
    core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True, figures=told))
    assert core.guard(verbs.FIGURES, verbs.Nothing()).lanes[0].reader is None


ORDERS = {
    "rules that the root signed": msgspec.json.encode(rules(99, passback_s=0)).decode(),
    "an account that the root signed": msgspec.json.encode(account("Mallory", "supervisor", revision=99)).decode(),
    "a withdrawal that the root signed": msgspec.json.encode(
        signed("withdrawal", DEVICE, WithdrawalBody(GATE, DEVICE, NOON_MS), 99)
    ).decode(),
    "an enrolment code": "9VZR-GGVH-AS9P-1P67-000G-40R4-0M30-E209",
    "a configuration": '[[lane]]\nname = "entry"\nlock = "maglock"\n[policy]\nenforcement = "introduce"',
    "a network": "WIFI:T:WPA;S=free;P=12345678;H:true;;",
    "an address": "http://127.0.0.1:8080/act/open?lane=entry",
    "a command": "$(systemctl reboot); `id` | sh\x00\x1b]0;owned\x07",
    "a template": "{{ config }} ${jndi:ldap://x/a} %s%n ../../../etc/passwd' OR 1=1; --",
    "the longest code there is": "7" * 7_089,
}


@pytest.mark.parametrize("text", ORDERS.values(), ids=ORDERS)
def test_a_code_that_gives_orders_is_not_a_pass_and_changes_nothing(core: Here, text: str, tmp_path: Path) -> None:
    def kept() -> dict[str, bytes]:
        """Every file of the gate but its journal, which has the refusal."""
        files = (path for path in tmp_path.rglob("*") if path.is_file() and "journal" not in str(path))
        return {str(path): path.read_bytes() for path in files}

    files, vouched = kept(), core.bench.mirror.vouched
    shown = core.present(text)
    assert files
    assert (shown.outcome, shown.reason) == ("deny", "not_a_pass")
    assert core.bench.mirror.vouched is vouched and kept() == files
    assert core.bench.parts["entry"].rises == 0 and core.present().outcome == "grant"


def test_each_socket_accepts_its_own_verbs_and_nobody_elses(core: Here) -> None:
    for pair, (owner, questions) in itertools.product(PAIRS, VERBS.items()):
        for verb, question in questions.items():
            answer = ""
            with contextlib.suppress(ch.ChannelError):
                try:
                    core.ask(pair, verb, question)
                except ch.Refused as no:
                    answer = str(no)
            assert (answer == "unknown_verb") == (pair != owner), f"{verb.name} on {pair}: {answer}"


@pytest.mark.parametrize(
    "verb",
    [
        v
        for v in VERBS["core-guard"]
        if v not in (verbs.SIGN_IN, verbs.SIGN_OUT, verbs.STATE, verbs.SHOWN, verbs.FIGURES)
    ],
    ids=lambda verb: verb.name,
)
def test_every_verb_of_the_page_but_signing_in_and_state_needs_a_session(core: Here, verb: ch.Verb[Any, Any]) -> None:
    assert refusal(lambda: core.guard(verb, VERBS["core-guard"][verb])) == "not_signed_in"
    assert core.bench.parts["entry"].rises == 0


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff" * 50, b"\x00\x00\x00\x05hello", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x01\xc0", b"\x00\x00\x00\x00"],
)
def test_a_peer_that_breaks_the_framing_is_hung_up_on_and_troubles_nobody(core: Here, raw: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(core.sockets / "core-guard"))
        peer.sendall(raw)
        peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):  # what it did not read is answered so
            assert peer.recv(100) == b""
    assert core.state().lanes[0].name == "entry"


@pytest.mark.parametrize(("field", "value"), [("v", 99), ("verb", "nonsense"), ("body", {"lane": 5})])
def test_a_question_that_is_not_understood_is_refused_in_words(core: Here, field: str, value: Any) -> None:
    asked = {"v": 1, "id": 7, "verb": "present", "body": {"lane": "entry", "text": ""}, field: value}
    raw = msgspec.msgpack.encode(asked)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(core.sockets / "core-reader"))
        peer.sendall(struct.pack(">I", len(raw)) + raw)
        answer = msgspec.msgpack.decode(peer.recv(4096)[4:])
    assert (answer["ok"], answer["id"]) == (False, 7)
    assert answer["error"] in ("unknown_version", "unknown_verb", "malformed")


# --- signing in -------------------------------------------------------------------------------------------------------


def test_a_guard_signs_in_and_out_and_it_is_in_the_journal(core: Here) -> None:
    token = core.token()
    assert core.guard(verbs.WHO, verbs.Token(token)).name == "Lin"
    core.guard(verbs.SIGN_OUT, verbs.Token(token))
    assert refusal(lambda: core.guard(verbs.WHO, verbs.Token(token))) == "not_signed_in"
    core.state()  # the event was put on the loop, which answers in order
    assert [(e.kind, e.by) for e in core.bench.events("sign_in")] == [("sign_in", "Lin")]


def test_wrong_pins_lock_out(core: Here) -> None:
    wrong = verbs.SignIn("Lin", "0000", "10.0.0.5")
    answers = [refusal(lambda: core.guard(verbs.SIGN_IN, wrong)) for _ in range(6)]
    assert answers == ["wrong_pin"] * 5 + ["locked_out:61"]
    core.now += 61
    assert core.token()


def test_wrong_pins_keep_nobody_else_out_at_the_same_address(core: Here) -> None:
    for _ in range(6):
        refusal(lambda: core.guard(verbs.SIGN_IN, verbs.SignIn("Lin", "0000", "10.0.0.5")))
    supervisor = core.guard(verbs.SIGN_IN, verbs.SignIn("Zhao", "2468", "10.0.0.5"))
    assert supervisor.role == "supervisor"


# --- the page's verbs -------------------------------------------------------------------------------------------------


def test_a_yellow_is_presented_watched_and_answered(core: Here) -> None:
    token, shown = core.token(), core.present(text_of(SUSPENDED))
    heard = core.guard(verbs.WATCH, verbs.Watch(token, 0))
    assert [h.reason for h in heard.items] == ["suspended"] and heard.newest == shown.happening
    core.guard(verbs.RULE, verbs.Ruling(token, shown.happening, True, "known"))
    assert core.bench.parts["entry"].rises == 1
    assert [h.kind for h in core.guard(verbs.WATCH, verbs.Watch(token, shown.happening)).items] == ["ruling"]


def test_a_watcher_waits_for_news_and_is_woken_by_it(core: Here) -> None:
    token = core.token()
    heard: list[verbs.LiveLines] = []
    client = ch.Client(core.sockets / "core-guard", 30)
    watcher = threading.Thread(target=lambda: heard.append(client.ask(verbs.WATCH, verbs.Watch(token, 0, 20.0))))
    watcher.start()
    core.present()
    watcher.join(10)
    client.close()
    assert heard[0].items[0].outcome == "grant"


def test_a_watcher_that_hears_nothing_is_answered_all_the_same(core: Here) -> None:
    assert core.guard(verbs.WATCH, verbs.Watch(core.token(), 0, 0.01)).items == []


def test_a_watcher_of_an_earlier_run_is_told_at_once_that_this_is_another(core: Here) -> None:
    core.present()
    heard = core.guard(verbs.WATCH, verbs.Watch(core.token(), 5000, 25.0))
    assert (heard.items, heard.newest, heard.run) == ([], 1, core.state().run)


def test_the_live_list_begins_with_the_latest_fifty(core: Here) -> None:
    for _ in range(60):
        core.live.tell(verbs.LiveLine(number=core.live._newest() + 1, kind="call"))
    heard = core.guard(verbs.WATCH, verbs.Watch(core.token(), 0))
    assert [h.number for h in heard.items] == list(range(11, 61))


def test_only_a_supervisor_shuts_a_lane(core: Here) -> None:
    assert refusal(lambda: core.guard(verbs.LOCKDOWN, verbs.Lockdown(core.token(), "entry", True))) == "not_allowed"
    assert core.present().outcome == "grant"
    core.guard(verbs.LOCKDOWN, verbs.Lockdown(core.token("Zhao"), "entry", True, "drill"))
    assert "lockdown" in core.state().faults
    assert core.present(text_of(SUSPENDED)).reason == "lockdown"


def test_a_screen_that_waits_hears_the_decision_that_its_lane_shows(core: Here) -> None:
    before = core.guard(verbs.SHOWN, verbs.ShownAfter())
    core.present()
    heard = core.guard(verbs.SHOWN, verbs.ShownAfter(before.state.run, before.number, 5.0))
    lane = heard.state.lanes[0]
    assert (lane.shown_outcome, lane.signal, heard.number != before.number) == ("grant", "green", True)


def test_a_lane_that_shows_the_same_as_before_wakes_no_screen(core: Here) -> None:
    core.state()  # the loop has looked once
    before = core.guard(verbs.SHOWN, verbs.ShownAfter())
    core.guard(verbs.WHO, verbs.Token(core.token()))
    after = core.guard(verbs.SHOWN, verbs.ShownAfter(before.state.run, before.number, 0.0))
    assert after.number == before.number


def test_a_screen_that_knew_an_earlier_run_of_the_core_is_answered_at_once(core: Here) -> None:
    before = core.guard(verbs.SHOWN, verbs.ShownAfter())
    assert core.guard(verbs.SHOWN, verbs.ShownAfter("earlier", before.number, 60.0)).state.run == before.state.run


def test_override_explain_hold_look_up_and_present_do_what_they_say(core: Here) -> None:
    token = core.token()
    override = core.guard(verbs.OVERRIDE, verbs.Override(token, "entry", True))
    assert core.state().unexplained == 1
    core.guard(verbs.EXPLAIN, verbs.Explain(token, override.number, "ambulance"))
    assert core.state().unexplained == 0
    core.guard(verbs.HOLD, verbs.Hold(token, "entry", True))
    assert core.state().lanes[0].held_open
    core.guard(verbs.HOLD, verbs.Hold(token, "entry", False))
    assert core.guard(verbs.LOOK_UP, verbs.LookUp(token, "3-2-1201")).passes
    assert (
        core.guard(verbs.PRESENT_TEXT, verbs.PresentText(token, "entry", text_of(CARD), "anything")).outcome == "grant"
    )
    assert core.bench.events("decided")[0].source == "phone"


def test_a_household_without_a_pass_is_let_in_once_for_each_tap_and_only_by_a_guard(core: Here) -> None:
    token = core.token()

    def tap(act: str, left_s: float = 20.0, token: str = token) -> verbs.LiveLine:
        until = time.monotonic() + left_s
        asked = verbs.Admission(token, "entry", "7-1-101", 2, unlisted=True, act=act, until=until)
        line: verbs.LiveLine = core.guard(verbs.ADMIT, asked)
        return line

    assert tap("m1") == tap("m1") and core.bench.parts["entry"].rises == 1
    assert refusal(lambda: tap("m2", -1)) == "too_late"
    assert refusal(lambda: tap("m3", token="")) == "not_signed_in"
    assert refusal(lambda: core.guard(verbs.LASTING, verbs.Token(""))) == "not_signed_in"
    (lasting,) = core.guard(verbs.LASTING, verbs.Token(token)).entries
    assert (lasting.dwelling, lasting.people, lasting.by) == ("7-1-101", 2, "Lin")
    assert [(event.by, event.count) for event in core.bench.events("provisional")] == [("Lin", 2)]


def test_a_family_is_let_in_once_for_each_tap_and_only_by_a_guard(core: Here) -> None:
    token, number = core.token(), core.present().happening

    def tap(act: str, left_s: float = 20.0, token: str = token, run: str = "") -> verbs.LiveLine:
        until = time.monotonic() + left_s
        line: verbs.LiveLine = core.guard(
            verbs.FOLLOW, verbs.Followers(token, "entry", number, 2, act=act, until=until, run=run)
        )
        return line

    assert tap("m1") == tap("m1")
    assert refusal(lambda: tap("m2", -1)) == "too_late"
    assert refusal(lambda: tap("m3", run="another")) == "line_gone"
    assert refusal(lambda: tap("m4", token="")) == "not_signed_in"
    assert [event.by for event in core.bench.events("family")] == ["Lin", "Lin"]


def test_a_call_stays_told_until_a_guard_has_seen_it_and_whose_word_that_was_is_recorded(core: Here) -> None:
    gate, token = core.bench.gate, core.token()
    for level in (True, False):
        core.core.jobs.ask(lambda level=level: gate.input_changed("entry", "call", level))  # type: ignore[misc]
    (caution,) = core.state().cautions
    assert (caution.code, caution.lane, "call" in core.state().faults) == ("call", "entry", False)
    late = verbs.Acknowledge(token, caution.number, until=time.monotonic() - 1)
    assert refusal(lambda: core.guard(verbs.ACKNOWLEDGE, late)) == "too_late"
    assert refusal(lambda: core.guard(verbs.ACKNOWLEDGE, verbs.Acknowledge("", 1))) == "not_signed_in"
    assert core.state().cautions == [caution]
    core.guard(verbs.ACKNOWLEDGE, verbs.Acknowledge(token, caution.number))
    assert core.state().cautions == []
    (seen,) = core.bench.events("acknowledged")
    assert (seen.by, seen.lane, seen.why) == ("Lin", "entry", "call")


FORGED = text_of(CARD)[:-1] + ("0" if text_of(CARD)[-1] != "0" else "1")


@pytest.mark.parametrize(
    ("text", "code"), [(FORGED, "bad_signature"), (text_of(REVOKED), "revoked")], ids=["forged", "revoked"]
)
def test_a_forged_or_revoked_pass_stays_told_though_the_next_person_is_green(core: Here, text: str, code: str) -> None:
    assert core.present(text).reason == code
    assert core.present().outcome == "grant"
    (caution,) = core.state().cautions
    assert (caution.code, caution.lane, caution.times) == (code, "entry", 1)
    core.guard(verbs.ACKNOWLEDGE, verbs.Acknowledge(core.token(), caution.number))
    assert core.state().cautions == []
    (seen,) = core.bench.events("acknowledged")
    assert (seen.by, seen.why) == ("Lin", code)


def test_a_pass_that_is_merely_not_good_here_leaves_no_caution(core: Here) -> None:
    assert core.present(text_of(SUSPENDED)).reason == "suspended"
    assert core.state().cautions == []


@pytest.mark.parametrize(
    "question",
    [(verbs.OVERRIDE, lambda t: verbs.Override(t, "garage", True)),
     (verbs.HOLD, lambda t: verbs.Hold(t, "garage", True)),
     (verbs.FOLLOW, lambda t: verbs.Followers(t, "garage", 1, 1)),
     (verbs.ADMIT, lambda t: verbs.Admission(t, "garage", "3-2-1201")),
     (verbs.PRESENT_TEXT, lambda t: verbs.PresentText(t, "garage", ""))],
)  # fmt: skip
def test_a_lane_that_is_not_here_is_refused(core: Here, question: Any) -> None:
    verb, ask = question
    assert refusal(lambda: core.guard(verb, ask(core.token()))) == "unknown_lane"


def test_a_guard_confirms_the_time_only_where_nobody_knows_better(core: Here) -> None:
    assert refusal(lambda: core.guard(verbs.CONFIRM_TIME, verbs.ConfirmTime(core.token(), NOON_MS))) == "known_already"


# --- sync's verbs -----------------------------------------------------------------------------------------------------


def test_sync_reads_events_and_asks_for_time(core: Here) -> None:
    core.present()
    core.bench.events()
    batch = core.ask("core-sync", verbs.EVENTS, EventsAfter("", 0))
    assert any('"decided"' in body for body in batch.events)
    assert batch.lanes == {name: run.section.direction for name, run in core.bench.gate.lanes.items()} != {}
    core.ask("core-sync", verbs.ACKNOWLEDGED, Acknowledged(batch.journal_id, batch.newest))
    nonce = core.ask("core-sync", verbs.NONCE, verbs.Nothing()).nonce
    assert core.ask("core-sync", verbs.TIME, statement(nonce, NOON_MS)).ok
    again = core.ask("core-sync", verbs.TIME, statement(nonce, NOON_MS))
    assert (again.ok, again.why) == (False, "an old or unknown nonce")


def test_a_list_that_sync_has_put_in_force_is_followed_at_once(core: Here) -> None:
    write_list(core.bench.folder / "list", [replace(row_of(CARD), state="revoked")], usual_changes(), 2)
    assert core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True, list_changed=True)).ok
    assert core.present().reason == "revoked"


def test_a_withdrawn_gate_forgets_whom_it_knew_and_what_was_sealed_for_it(core: Here, tmp_path: Path) -> None:
    token = core.token()
    core.guard(verbs.ADMIT, verbs.Admission(token, "entry", "7-1-101", unlisted=True))
    box = tmp_path / "core" / "box.key"
    box.parent.mkdir(exist_ok=True)
    box.write_bytes(b"k" * 32)
    order = signed("withdrawal", DEVICE, WithdrawalBody(GATE, DEVICE, NOON_MS), 9)
    write_list(core.bench.folder / "list", ROWS, [*usual_changes(), order], 2)
    told = core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True, list_changed=True))
    assert (told.ok, told.why) == (False, "withdrawn")
    assert not box.exists() and not kept_entries(core.bench.folder).now.entries
    assert "withdrawn" in core.state().faults
    assert (core.present().outcome, core.present().reason) == ("refer", "no_list")
    assert refusal(lambda: core.guard(verbs.OVERRIDE, verbs.Override(token, "entry", True))) == "not_signed_in"
    assert "withdrawn" in [event.kind for event in core.bench.events()]


def test_a_list_that_cannot_be_used_is_told_to_sync_and_the_old_one_stays(core: Here) -> None:
    folder = core.bench.folder / "list"
    (folder / "list-e1-9.db").write_bytes(b"nonsense")
    (folder / "current").write_text("list-e1-9.db\n")
    accepted = core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True, list_changed=True))
    assert not accepted.ok and "list-e1-9.db" in accepted.why
    assert core.present().outcome == "grant"


def test_the_state_says_how_reader_and_centre_are(core: Here) -> None:
    assert "centre_away" in core.state().faults
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True, unsent=4))
    core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True, decode_ms=3.5, looked=0.12))
    state = core.state()
    assert (state.faults, state.unsent, state.lanes[0].camera_ok, state.lanes[0].decode_ms) == ([], 4, True, 3.5)
    assert state.lanes[0].looked == 0.12
    assert (state.gate, state.compound_zh, state.clock, state.list_passes) == (
        "North gate",
        "桃园",
        "trusted",
        len(ROWS),
    )
    core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=False, why="no camera"))
    assert core.state().faults == ["camera"]
    core.now += 4
    assert core.state().faults == ["reader_silent"]
    core.now += 60
    assert core.state().faults == ["reader_silent", "centre_away"]


def test_a_centre_that_was_put_back_is_told_as_that_and_not_as_one_that_is_away(core: Here) -> None:
    core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True))
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=False, why="restored"))
    assert core.state().faults == ["centre_restored"]
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=False, why="offline"))
    assert core.state().faults == ["centre_away"]


# What technicians and monitors count


def happened(figures: verbs.Figures) -> dict[tuple[str, str, str], int]:
    return {(one.kind, one.outcome, one.reason): one.times for one in figures.happened}


def test_the_core_counts_what_is_shown_decided_and_opened(core: Here) -> None:
    token = core.token()
    core.present()
    core.present()
    refused = core.present(text_of(SUSPENDED))
    act = verbs.Override(token=token, lane="entry", open=True, happening=refused.happening, reason="other: 张三说的")
    core.guard(verbs.OVERRIDE, act)
    shown = verbs.PresentText(token, "entry", "no pass at all", "hand")
    core.guard(verbs.PRESENT_TEXT, shown)
    figures = core.guard(verbs.FIGURES, verbs.Nothing())
    counted = happened(figures)
    assert (counted["decided", "grant", "ok"], counted["decided", "refer", "suspended"]) == (1, 1), "a repeat is none"
    assert counted["decided", "deny", "not_a_pass"] == 1 and counted["override", "grant", ""] == 1
    assert {one.source: one.times for one in figures.presented} == {"camera": 3, "hand": 1}
    assert figures.lanes[0].relay_pulses >= 1 and figures.up_s == 0
    assert "张三" not in str(figures) and "Lin" not in str(figures)


def test_the_core_passes_on_what_a_reader_counted_until_it_is_silent(core: Here) -> None:
    told = verbs.ReaderFigures(
        up_s=3.0, frames=90, fps=30.0, frame_times=verbs.Spread([0]), decode_times=verbs.Spread([0])
    )
    core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True, figures=told))
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True, up_s=12.0))
    figures = core.guard(verbs.FIGURES, verbs.Nothing())
    assert (figures.lanes[0].reader, figures.sync_up_s) == (told, 12.0)
    core.now += 4
    figures = core.guard(verbs.FIGURES, verbs.Nothing())
    assert figures.lanes[0].reader is None and figures.up_s == 4 and figures.sync_up_s == 12.0
    core.now += 60
    assert core.guard(verbs.FIGURES, verbs.Nothing()).sync_up_s is None


def test_the_core_counts_the_readers_restarts(core: Here) -> None:
    for run in ("a", "b", "c"):
        core.now += 2
        core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True, run=run))
    assert core.guard(verbs.FIGURES, verbs.Nothing()).reader_restarts == 2


def test_the_oldest_event_that_the_centre_lacks_has_an_age(core: Here) -> None:
    core.present()
    core.bench.journal.append(Event(id="late", kind="call", at_ms=core.bench.clock.now().utc_ms - 90_000)).wait(5)
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True, unsent=1))
    assert core.guard(verbs.FIGURES, verbs.Nothing()).oldest_unsent_s in range(90, 100)
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True, unsent=0))
    assert core.guard(verbs.FIGURES, verbs.Nothing()).oldest_unsent_s is None


@pytest.mark.parametrize(("name", "fault"), [("yellow", "lights"), ("illumination", "lights"), ("call", "input_taken")])
def test_a_pin_that_is_taken_is_a_fault_with_its_light_and_a_finding_and_the_lane_opens(
    tmp_path: Path, name: str, fault: str
) -> None:
    why = f"{name}: GPIO12 cannot be had: GPIO busy, held by 'fan'"
    core = Here(tmp_path, {name: why})
    try:
        core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True))
        lamp = core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True))
        assert lamp.works is (name != "illumination")
        core.state()
        told = core.state()
        assert (told.faults, told.lanes[0].signal, told.lanes[0].pins_why) == ([fault], "fault", why)
        pins = pins_of(told.lanes[0])
        assert not pins.ok and pins.text == f"entry: {why}" and "restart the core" in pins.do
        assert ("引脚", why) in details("zh", told)[-1][1]
        assert core.present().outcome == "grant" and core.bench.parts["entry"].rises == 1
    finally:
        core.close()


@pytest.mark.parametrize("fault", ["black", "white", "frozen", "hung"])
def test_a_blind_camera_is_a_fault_of_the_lane_with_its_light_and_its_events(core: Here, fault: str) -> None:
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True))

    def after(state: verbs.ReaderState) -> tuple[list[str], str, str]:
        core.ask("core-reader", verbs.READER_STATE, state)
        core.state()
        told = core.state()  # the turn before this answer began after the first
        assert told.lanes[0].camera_ok is not bool(told.faults)
        return told.faults, told.lanes[0].camera_fault, told.lanes[0].signal

    well = verbs.ReaderState(lane="entry", ok=True)
    code = f"camera_{fault}"
    assert after(well) == ([], "", "ready")
    assert after(verbs.ReaderState(lane="entry", ok=False, why="so", fault=fault)) == ([code], code, "fault")
    assert core.present().outcome == "grant", "a phone's photo is still read"
    core.bench.parts["entry"].set("passage", True)
    core.bench.parts["entry"].set("passage", False)
    assert after(well) == ([], "", "ready")
    noted = [event for event in core.bench.events() if event.kind == "camera_fault"]
    assert [(event.lane, event.outcome, event.why) for event in noted] == [
        ("entry", "on", code),
        ("entry", "off", code),
    ]


def test_a_fault_of_the_board_is_told_noted_and_no_fault_of_the_lane(core: Here) -> None:
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True))
    core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True))

    def after(vitals: Vitals) -> verbs.GateState:
        core.vitals, core.now = vitals, core.now + 1.0
        core.state()
        return core.state()  # the turn before this answer began after the first

    hot = after(Vitals(celsius=81.0, disk_errors=2))
    assert (hot.faults, hot.vitals.celsius, hot.lanes[0].signal) == (["too_hot", "card_errors"], 81.0, "ready")
    assert core.present().outcome == "grant"
    assert after(Vitals(celsius=60.0, disk_errors=2)).faults == ["card_errors"]
    noted = [(event.outcome, event.why) for event in core.bench.events() if event.kind == "board_fault"]
    assert noted == [("on", "too_hot"), ("on", "card_errors"), ("off", "too_hot")]


def test_the_lamp_follows_the_reader_and_is_dark_when_the_reader_falls_silent_or_the_core_ends(core: Here) -> None:
    lamp = core.bench.parts["entry"].lamp

    def lamp_after_a_turn() -> bool:
        core.state()
        core.state()  # the turn before this answer began after the first
        return lamp.is_on

    def lit_after(light: bool) -> bool:
        core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True, light=light))
        return lamp_after_a_turn()

    assert not lit_after(False)
    assert lit_after(True)
    assert not lit_after(False)
    assert lit_after(True)
    core.now += 4
    assert not lamp_after_a_turn()
    assert lit_after(True)
    core.service.stopping.set()
    core._loop.join(10)
    assert lamp.closed
    assert not lamp.is_on


def test_the_readers_hint_is_shown_until_there_is_an_answer_or_the_reader_is_silent(core: Here) -> None:
    def hint_after(hint: str, ok: bool = True) -> str:
        core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=ok, hint=hint))
        return core.state().lanes[0].hint

    assert [hint_after("closer"), hint_after("still"), hint_after("")] == ["closer", "still", ""]
    assert hint_after("closer", ok=False) == ""
    assert hint_after("x" * 100) == hint_after("<b>") == ""
    assert hint_after("closer") == "closer"
    core.now += 4
    assert core.state().lanes[0].hint == ""
    assert hint_after("closer") == "closer"
    core.present()
    assert hint_after("closer") == ""


def test_a_reader_that_began_anew_is_counted_told_and_put_in_the_journal(core: Here) -> None:
    def run(name: str, seconds: float = 5.0) -> None:
        core.now += seconds
        core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True, run=name))

    run("one")
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True))
    assert core.state().faults == []
    core.ask("core-reader", verbs.ENDING, verbs.Ending(run="one", why="frame", lane="entry"))
    run("two")
    run("three")
    core.ask("core-reader", verbs.ENDING, verbs.Ending(run="three", why="asked"))
    run("four")
    state = core.state()
    (lane,) = state.lanes
    assert (state.faults, lane.reader_restarts, lane.reader_blames) == (["reader_restarted"], 2, 1)
    assert lane.reader_restarted_ms == state.now_ms
    run("four", 700)
    core.ask("core-sync", verbs.SYNC_STATE, SyncState(centre_ok=True))
    state = core.state()
    assert (state.faults, state.lanes[0].reader_restarts) == ([], 2)
    core.now += 3600
    assert core.state().lanes[0].reader_restarts == 0
    noted = [event for event in core.bench.events() if event.kind == "reader_restarted"]
    assert [event.why for event in noted] == ["frame entry"], "one line a minute at most"


def test_a_last_word_about_a_lane_that_is_not_here_is_refused(core: Here) -> None:
    ending = verbs.Ending(run="r", why="frame", lane="x" * 100_000)
    assert refusal(lambda: core.ask("core-reader", verbs.ENDING, ending)) == "unknown_lane"


# --- the loop ---------------------------------------------------------------------------------------------------------


def test_a_fault_in_one_job_is_its_askers_and_does_not_stop_the_loop(core: Here) -> None:
    with pytest.raises(ZeroDivisionError):
        core.core.jobs.ask(lambda: 1 / 0)
    assert core.present().outcome == "grant"


def test_a_button_works_while_everybody_else_asks(core: Here) -> None:
    core.bench.parts["entry"].set("guard_button", True)
    core.state()  # behind it in the queue
    assert core.bench.parts["entry"].rises == 1


def test_sixteen_peers_are_served_and_a_seventeenth_is_turned_away(core: Here) -> None:
    clients = [ch.Client(core.sockets / "core-sync") for _ in range(ch.MAX_PEERS + 1)]
    answered = 0
    for client in clients:
        with contextlib.suppress(ch.ChannelError):
            client.ask(verbs.NONCE, verbs.Nothing())
            answered += 1
    for client in clients:
        client.close()
    assert answered == ch.MAX_PEERS


# --- as a process -----------------------------------------------------------------------------------------------------


class Process:
    """``python -m kiosk core`` with simulated hardware, enrolled, with a list."""

    def __init__(self, folder: Path, passage_after_s: float | None = None) -> None:
        self.folder = folder
        self.run = Path(tempfile.mkdtemp(prefix="gk"))
        car = f"passage_after_s = {passage_after_s}" if passage_after_s else ""
        (folder / "kiosk.toml").write_text(f"""
[gate]
state = "{folder}/state"
run = "{self.run}"
anchor = "{folder}/anchor.json"
[simulated]
folder = "{folder}/parts"
{car}
[[lane]]
name = "entry"
part = "simulated"
direction = "in"
pulse_ms = 5000
""")
        (folder / "anchor.json").write_bytes(msgspec.json.encode(ANCHOR))
        core = folder / "state" / "core"
        core.mkdir(parents=True)
        (core / "box.key").write_bytes(bytes(BOX))
        now = time.time_ns() // 1_000_000
        step = (now - 1_577_836_800_000) // 600_000 - 6
        self.card = credential(5, not_before_step=step)
        write_list(folder / "state" / "list", [row_of(self.card)], usual_changes(), as_of_ms=now)
        self.client = ch.Client(self.run / "core-reader.sock")
        self.start()

    @property
    def config(self) -> Config:
        return parse((self.folder / "kiosk.toml").read_text())

    def start(self) -> None:
        command = [sys.executable, "-m", "kiosk", "core", "--config", str(self.folder / "kiosk.toml")]
        with (self.folder / "core.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        assert until(lambda: self.answers() or self.process.poll() is not None, 60), self.said()
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        return (self.folder / "core.log").read_text()

    def answers(self) -> bool:
        with contextlib.suppress(ch.ChannelError):
            self.client.ask(verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True))
            return True
        return False

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.client.close()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        shutil.rmtree(self.run)

    def relay(self) -> list[bool]:
        path = self.folder / "parts" / "outputs.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line["value"] for line in lines if line["what"] == "relay"]

    def present(self) -> verbs.PresentationAnswer:
        return self.client.ask(verbs.PRESENT, verbs.Presentation(lane="entry", text=text_of(self.card)))

    def events(self) -> list[Any]:
        journal = Journal(self.folder / "state" / "core", lambda: 0)
        try:
            return read_events(journal)
        finally:
            journal.close()


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    waiting = threading.Event()
    return any(true() or waiting.wait(0.02) for _ in range(int(seconds / 0.02)))


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.close()


def test_a_core_killed_in_the_middle_of_a_passage_opens_nothing_again_and_loses_nothing(process: Process) -> None:
    for crash in range(1, 4):
        shown = process.present()
        assert (shown.outcome, shown.repeat) == ("grant", False), process.said()
        assert process.relay() == [True, False] * (crash - 1) + [True]
        process.end(signal.SIGKILL)
        process.start()
        assert process.relay() == [True, False] * crash, "a start lets go of the relay and opens nothing"
    assert process.end(signal.SIGTERM) == 0
    events = [e for e in process.events() if e.kind in ("decided", "passage")]
    assert [e.kind for e in events] == ["decided", "passage"] * 3
    assert [e.outcome for e in events] == ["grant", "interrupted"] * 3
    assert [e.about for e in events if e.kind == "passage"] == [e.id for e in events if e.kind == "decided"]


def test_sigterm_lets_go_of_the_relay_and_ends_well(process: Process) -> None:
    process.present()
    assert process.relay() == [True]
    assert process.end(signal.SIGTERM) == 0, process.said()
    assert process.relay() == [True, False]
    with contextlib.closing(sqlite3.connect(next((process.folder / "state" / "core").glob("journal-*.db")))) as conn:
        assert conn.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert [e.kind for e in process.events()] == ["boot", "decided"], "it did not wait for the end of the passage"


def test_the_log_says_nothing_personal(process: Process) -> None:
    process.present()
    said = process.said()
    assert "reason=ok" in said or "reason=unlisted" in said
    for secret in (text_of(process.card), "王**", "3-2-1201", PIN):
        assert secret not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be kept out by nothing")
def test_a_state_folder_that_cannot_be_made_leaves_the_gate_deciding(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.end(signal.SIGTERM)
    shutil.move(tmp_path / "state" / "core", tmp_path / "away")
    (tmp_path / "state" / "core").write_text("in the way")
    process.start()
    assert process.present().outcome == "grant" and process.relay()[-1] is True
    process.close()


# --- too late ---------------------------------------------------------------------------------------------------------


def test_what_was_asked_before_the_core_stood_still_opens_nothing(core: Here) -> None:
    long_ago, token = time.monotonic() - verbs.TIMELY_S - 0.1, core.token()
    asked: list[tuple[str, ch.Verb[Any, Any], Any]] = [
        ("core-reader", verbs.PRESENT, verbs.Presentation(lane="entry", text=text_of(CARD), at=long_ago)),
        ("core-guard", verbs.OVERRIDE, verbs.Override(token, "entry", True, at=long_ago)),
        ("core-guard", verbs.HOLD, verbs.Hold(token, "entry", True, at=long_ago)),
        ("core-guard", verbs.RULE, verbs.Ruling(token, 1, True, at=long_ago)),
        ("core-guard", verbs.PRESENT_TEXT, verbs.PresentText(token, "entry", text_of(CARD), at=long_ago)),
        ("core-reader", verbs.PRESENT, verbs.Presentation(lane="entry", text=text_of(CARD), at=float("nan"))),
    ]
    for pair, verb, question in asked:
        with pytest.raises(ch.Refused, match="too_late"):
            core.ask(pair, verb, question)
    assert core.bench.parts["entry"].rises == 0 and core.bench.events("decided", "override", "hold") == []
    assert core.present().outcome == "grant"


def test_an_act_whose_time_is_over_is_refused_by_the_core_however_fresh_the_question_is(core: Here) -> None:
    token, over = core.token("Zhao"), time.monotonic() - 0.1
    yellow = core.present(text_of(SUSPENDED)).happening
    asked: list[tuple[ch.Verb[Any, Any], Any]] = [
        (verbs.RULE, verbs.Ruling(token, yellow, True, until=over)),
        (verbs.OVERRIDE, verbs.Override(token, "entry", True, yellow, until=over)),
        (verbs.OVERRIDE, verbs.Override(token, "entry", True, until=over)),
        (verbs.HOLD, verbs.Hold(token, "entry", True, until=over)),
        (verbs.HOLD, verbs.Hold(token, "entry", False, until=over)),
        (verbs.LOCKDOWN, verbs.Lockdown(token, "entry", True, until=over)),
        (verbs.CONFIRM_TIME, verbs.ConfirmTime(token, NOON_MS, until=over)),
    ]
    for verb, question in asked:
        assert refusal(lambda verb=verb, question=question: core.guard(verb, question)) == "too_late"  # type: ignore[misc]
    assert core.bench.parts["entry"].rises == 0 and core.bench.events("ruled", "override", "hold", "lockdown") == []
    assert core.guard(verbs.RULE, verbs.Ruling(token, yellow, True)).outcome == "grant", "it waits on"


def test_the_core_says_what_became_of_a_tap_and_does_none_that_was_given_up(core: Here) -> None:
    token = core.token()
    opened = core.guard(verbs.OVERRIDE, verbs.Override(token, "entry", True, act="first"))
    assert core.guard(verbs.SETTLE, verbs.Settle(token, "first")).line == opened
    assert core.guard(verbs.SETTLE, verbs.Settle(token, "second")).why == "given_up"
    late = verbs.Override(token, "entry", True, act="second")
    assert refusal(lambda: core.guard(verbs.OVERRIDE, late)) == "given_up"
    assert refusal(lambda: core.guard(verbs.SETTLE, verbs.Settle("", "first"))) == "not_signed_in"
    assert core.bench.parts["entry"].rises == 1


def test_an_answer_to_a_line_of_an_earlier_run_of_the_core_opens_nothing(core: Here) -> None:
    token, yellow = core.token(), core.present(text_of(SUSPENDED)).happening
    for verb, question in (
        (verbs.RULE, verbs.Ruling(token, yellow, True, run="earlier")),
        (verbs.OVERRIDE, verbs.Override(token, "entry", True, yellow, run="earlier")),
    ):
        assert refusal(lambda verb=verb, question=question: core.guard(verb, question)) == "line_gone"  # type: ignore[misc]
    assert core.bench.parts["entry"].rises == 0
    assert core.guard(verbs.RULE, verbs.Ruling(token, yellow, True, run=core.live.run)).outcome == "grant"


def test_a_button_pressed_before_the_core_stood_still_opens_nothing_and_fire_does(core: Here) -> None:
    gate, jobs, long_ago = core.bench.gate, core.core.jobs, time.monotonic() - verbs.TIMELY_S - 0.1
    for level in (True, False):
        jobs.put(lambda level=level: gate.input_changed("entry", "guard_button", level), long_ago).result(5)  # type: ignore[misc]
    assert core.bench.parts["entry"].rises == 0
    jobs.put(lambda: gate.input_changed("entry", "guard_button", True), time.monotonic()).result(5)
    jobs.put(lambda: gate.input_changed("entry", "fire", True), long_ago).result(5)
    assert core.bench.parts["entry"].rises == 1 and core.bench.gate.lanes["entry"].state.fire


def test_a_core_that_stood_still_between_decision_and_opening_opens_nothing(core: Here) -> None:
    late = iter([False, True])  # before the decision, and after its record is on disk
    core.bench.gate.late = lambda: next(late, False)
    core.core.jobs.late = lambda: next(late, False)  # type: ignore[method-assign]
    assert core.present().outcome == "grant" and core.bench.parts["entry"].rises == 0
    (passage,) = core.bench.events("passage")
    assert (passage.outcome, passage.why) == ("interrupted", "too late")
    assert not core.present().repeat and core.bench.parts["entry"].rises == 1, "shown again, it opens"


# A technician looks through a camera


def test_a_technicians_look_is_recorded_before_the_reader_hears_of_it_and_ends_by_itself(core: Here) -> None:
    state = verbs.ReaderState(lane="entry", ok=True)
    assert core.ask("core-reader", verbs.READER_STATE, state).viewed_until == 0
    core.guard(verbs.VIEW, verbs.View(core.token("Wu"), "entry"))
    assert [(event.lane, event.by) for event in core.bench.events("viewed")] == [("entry", "Wu")]
    assert core.ask("core-reader", verbs.READER_STATE, state).viewed_until == core.now + verbs.VIEW_S
    assert core.guard(verbs.FIGURES, verbs.Nothing()).lanes[0].viewed_s == verbs.VIEW_S
    core.now += verbs.VIEW_S
    assert core.ask("core-reader", verbs.READER_STATE, state).viewed_until == core.now, "over"
    assert core.guard(verbs.FIGURES, verbs.Nothing()).lanes[0].viewed_s == 0


@pytest.mark.parametrize("name", ["Lin", "Zhao"])
def test_nobody_but_a_technician_may_look_through_a_camera(core: Here, name: str) -> None:
    look = verbs.View(core.token(name), "entry")
    assert refusal(lambda: core.guard(verbs.VIEW, look)) == "technician_only"
    assert refusal(lambda: core.guard(verbs.VIEW, verbs.View("", "entry"))) == "not_signed_in"
    assert core.bench.events("viewed") == []
    told = core.ask("core-reader", verbs.READER_STATE, verbs.ReaderState(lane="entry", ok=True))
    assert told.viewed_until == 0


def test_a_look_at_a_lane_that_is_not_here_is_refused_and_not_recorded(core: Here) -> None:
    look = verbs.View(core.token("Wu"), "cellar")
    assert refusal(lambda: core.guard(verbs.VIEW, look)) == "unknown_lane"
    assert core.bench.events("viewed") == []


# --- shifts -----------------------------------------------------------------------------------------------------------


def test_a_shift_is_begun_ended_and_read_back_over_the_sockets(core: Here) -> None:
    token = core.token()
    core.guard(verbs.BEGIN_SHIFT, verbs.BeginShift(token=token, act="a1"))
    core.guard(verbs.BEGIN_SHIFT, verbs.BeginShift(token=token, act="a1"))
    assert core.state().on_duty == ["Lin"]
    core.guard(verbs.NOTE, verbs.Note(token=token, text="the lorry comes again"))
    (on,) = core.guard(verbs.SHIFTS, verbs.Token(token)).on
    core.guard(verbs.END_SHIFT, verbs.EndShift(token=token, shift=on.shift))
    sheet = core.guard(verbs.SHEET, verbs.AskSheet(token, on.shift))
    assert (sheet.by, sheet.ended_by, [note.reason for note in sheet.notes]) == (
        "Lin", "Lin", ["the lorry comes again"],
    )  # fmt: skip
    assert core.state().on_duty == []


def test_an_act_of_a_shift_that_comes_too_late_changes_nothing(core: Here) -> None:
    token = core.token()
    with pytest.raises(ch.Refused, match="too_late"):
        core.guard(verbs.BEGIN_SHIFT, verbs.BeginShift(token=token, until=time.monotonic() - 1))
    with pytest.raises(ch.Refused, match="not_signed_in"):
        core.guard(verbs.SHEET, verbs.AskSheet("no token", "any"))
    assert core.state().on_duty == []


def test_a_guard_takes_an_act_back_over_the_sockets_and_once(core: Here) -> None:
    token = core.token()
    core.guard(verbs.BEGIN_SHIFT, verbs.BeginShift(token=token))
    line = core.guard(verbs.OVERRIDE, verbs.Override(token=token, lane="entry", open=True, reason="known"))
    (act,) = core.guard(verbs.ACTS, verbs.Token(token)).acts
    assert act.event == line.event
    for mark in ("m1", "m1"):
        told = core.guard(verbs.ANNUL, verbs.Annul(token=token, event=act.event, act=mark))
        assert (told.kind, told.about) == ("annulled", line.number)
    assert len(core.bench.events("annulled")) == 1
    assert core.guard(verbs.ACTS, verbs.Token(token)).acts[0].annulled
    assert refusal(lambda: core.guard(verbs.ANNUL, verbs.Annul(token=token, event=act.event))) == "annulled_before"


def test_a_call_is_answered_by_name_and_the_lane_reads_whether_somebody_is_there(core: Here) -> None:
    assert not core.state().attended
    core.bench.parts["entry"].set("call", True)
    token = core.token()
    state = core.state()
    assert state.attended and state.lanes[0].called == "waiting"
    (caution,) = [caution for caution in state.cautions if caution.code == "call"]
    core.guard(verbs.ACKNOWLEDGE, verbs.Acknowledge(token=token, number=caution.number))
    assert core.state().lanes[0].called == "answered"
    told = core.guard(verbs.WATCH, verbs.Watch(token, 0, 0.0)).items[-1]
    assert (told.kind, told.outcome, told.by) == ("call", "answered", "Lin")
    core.guard(verbs.SIGN_OUT, verbs.Token(token))
    assert not core.state().attended


def test_a_shift_that_nobody_ended_is_over_by_itself_and_no_longer_on_the_page(core: Here) -> None:
    core.guard(verbs.BEGIN_SHIFT, verbs.BeginShift(token=core.token()))
    core.bench.time.go(LONGEST_SHIFT_S + 1)
    core.now += BOARD_EVERY_S + 1
    assert until(lambda: core.state().on_duty == [])
    assert [event.by for event in core.bench.events("shift")] == ["Lin", ""]
