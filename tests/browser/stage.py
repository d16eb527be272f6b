"""A scripted core and reader on true sockets, for tests of the guards' page; also a program that serves that page.

``python tests/browser/stage.py FOLDER [--port N]`` prints the port and serves until its input ends. Lines on its input
are commands: ``refer``, ``grant``, ``deny``, ``restart``, ``away``, ``back``, ``fault CODE`` and so on.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from typing import Any

import msgspec

from kiosk import channel
from kiosk.channel import Happening, Happenings, LaneState, Refused, Session, Shown, State

NOW_MS = 1_795_413_900_000  # 2026-11-23 14:05 in Shanghai
PINS = {"王建国": ("2468", "guard"), "李主管": ("1357", "supervisor")}


def lane_state(name: str = "in", **changes: Any) -> LaneState:
    values: dict[str, Any] = {
        "name": name, "direction": "in", "lock": "barrier", "signal": "ready", "relay_on": False, "phase": "idle",
        "title_zh": "东门入口", "title_en": "East gate, in",
        "camera_ok": True, "decode_ms": 6.4, "simulated": ["barrier in", "camera in"],
    }  # fmt: skip
    return LaneState(**(values | changes))


def gate_state(**changes: Any) -> State:
    values: dict[str, Any] = {
        "run": "r1", "gate": "东门", "compound_zh": "幸福里小区", "compound_en": "Xingfuli", "enforcement": "strict",
        "lanes": [lane_state()], "list_state": "fresh", "list_age_s": 40, "list_revision": 712, "list_passes": 5400,
        "clock": "trusted", "clock_uncertainty_ms": 400, "now_ms": NOW_MS, "timezone": "Asia/Shanghai",
        "centre_ok": True, "centre_why": "", "centre_seen_s": 12, "unsent": 0, "journal_ok": True,
        "events_in_memory": 0, "faults": [], "unexplained": 0, "simulated": ["barrier in", "camera in"],
    }  # fmt: skip
    return State(**(values | changes))


class Stage:
    """Plays core and reader. Tests read ``asked`` and change ``state``; :meth:`happen` adds to the live list."""

    def __init__(self, folder: Path):
        self.core_path, self.reader_path = folder / "core.sock", folder / "reader.sock"
        self.state = gate_state()
        self.asked: list[Any] = []
        self.read_texts: list[str] = ["G1TEXT"]
        self.presented: list[Shown] = []
        self.refusals: dict[str, str] = {}
        self.sessions: dict[str, Session] = {}
        self._items: list[Happening] = []
        self._changed = threading.Condition()
        self._servers: list[channel.Server] = []

    def start(self) -> Stage:
        core = {
            channel.SIGN_IN: self._sign_in, channel.SIGN_OUT: self._sign_out, channel.WHO: self._who,
            channel.WATCH: self._watch, channel.STATE: lambda _: self.state, channel.RULE: self._rule,
            channel.OVERRIDE: self._override, channel.EXPLAIN: self._explain, channel.HOLD: self._hold,
            channel.LOCKDOWN: self._lockdown, channel.LOOK_UP: self._look_up,
            channel.PRESENT_TEXT: self._present_text, channel.CONFIRM_TIME: self._confirm_time,
        }  # fmt: skip
        reader = {channel.PHOTO: self._photo, channel.SHOW: self._show}
        self._servers = [
            channel.Server(channel.listen(self.core_path), core).start(),
            channel.Server(channel.listen(self.reader_path), reader, channel.MAX_PHOTO_MESSAGE).start(),
        ]
        return self

    def stop(self) -> None:
        for server in self._servers:
            server.close()
        with self._changed:
            self._servers = []
            self._changed.notify_all()

    def happen(self, kind: str = "decision", **values: Any) -> Happening:
        with self._changed:
            number = len(self._items) + 1
            defaults = {"lane": "in", "at_ms": self.state.now_ms, "clock": "trusted", "list_age_s": 40}
            happening = Happening(number=number, kind=kind, **(defaults | values))
            self._items.append(happening)
            self._changed.notify_all()
            return happening

    def restart(self) -> None:
        """As a core that was killed and came back: another run, nothing remembered."""
        self.stop()
        with self._changed:
            self._items = []
            self.state.run = self.state.run + "+"
        self.start()

    def last(self, kind: type) -> Any:
        return [question for question in self.asked if isinstance(question, kind)][-1]

    def _heard(self, question: Any) -> None:
        self.asked.append(question)
        name = type(question).__name__
        if name in self.refusals:
            raise Refused(self.refusals[name])

    def _session(self, question: Any) -> Session:
        self._heard(question)
        if question.token not in self.sessions:
            raise Refused("not_signed_in")
        return self.sessions[question.token]

    def _sign_in(self, asked: channel.SignIn) -> Session:
        self._heard(asked)
        pin, role = PINS.get(asked.name, ("", ""))
        if not pin or asked.pin != pin:
            raise Refused("wrong_pin")
        session = Session(token=f"token{len(self.sessions)}-{role}", name=asked.name, role=role, ends_in_s=3600)
        self.sessions[session.token] = session
        return session

    def _sign_out(self, asked: channel.Token) -> channel.Nothing:
        self.sessions.pop(asked.token, None)
        return channel.Nothing()

    def _who(self, asked: channel.Token) -> Session:
        return self._session(asked)

    def _watch(self, asked: channel.Watch) -> Happenings:
        self._session(asked)
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) > asked.after or not self._servers, asked.wait_s)
            items = self._items[asked.after :] if asked.after else self._items[-50:]
            return Happenings(list(items), len(self._items), self.state.run)

    def _rule(self, asked: channel.Ruling) -> Happening:
        session = self._session(asked)
        outcome = "grant" if asked.grant else "deny"
        return self.happen("ruling", about=asked.happening, outcome=outcome, by=session.name)

    def _override(self, asked: channel.Override) -> Happening:
        session = self._session(asked)
        self.state.unexplained += 1
        outcome = "grant" if asked.open else "deny"
        return self.happen("override", about=asked.happening, outcome=outcome, by=session.name, needs_reason=True)

    def _explain(self, asked: channel.Explain) -> channel.Nothing:
        session = self._session(asked)
        self.state.unexplained -= 1
        self.happen("explained", about=asked.happening, by=session.name, reason=asked.reason)
        return channel.Nothing()

    def _hold(self, asked: channel.Hold) -> Happening:
        session = self._session(asked)
        self.state.lanes[0].held_open = asked.open
        return self.happen("held_open", by=session.name)

    def _lockdown(self, asked: channel.Lockdown) -> Happening:
        session = self._session(asked)
        self.state.lanes[0].lockdown = asked.on
        return self.happen("lockdown", by=session.name)

    def _look_up(self, asked: channel.LookUp) -> channel.FoundPasses:
        self._session(asked)
        if asked.term != "3-1-502":
            return channel.FoundPasses([])
        found = channel.FoundPass(
            label="张*", dwelling="3栋1单元502", kind="resident", plate="", number="000123", state="active",
            valid_until_ms=NOW_MS + 40 * 86_400_000, last_passage_ms=NOW_MS - 3_600_000,
        )  # fmt: skip
        return channel.FoundPasses([found])

    def _present_text(self, asked: channel.PresentText) -> Shown:
        self._session(asked)
        self.happen(outcome="grant", reason="ok", label="张*", source="phone")
        return Shown(outcome="grant", reason="ok", lane=asked.lane)

    def _confirm_time(self, asked: channel.ConfirmTime) -> channel.Nothing:
        self._session(asked)
        return channel.Nothing()

    def _photo(self, asked: channel.Photo) -> channel.Texts:
        self.asked.append(asked)
        return channel.Texts(self.read_texts, 12.0)

    def _show(self, asked: channel.Show) -> channel.ShownTexts:
        self.asked.append(asked)
        return channel.ShownTexts(self.presented)


PEOPLE: dict[str, dict[str, Any]] = {
    "grant": {
        "outcome": "grant", "reason": "ok", "label": "张*", "dwelling": "3栋1单元502", "pass_kind": "resident",
        "pass_number": "000123",
    },
    "deny": {
        "outcome": "deny", "reason": "revoked", "label": "赵*", "dwelling": "5栋2单元1104", "pass_kind": "resident",
        "pass_number": "000871",
    },
    "passback": {
        "outcome": "refer", "reason": "passback", "label": "李*", "dwelling": "12栋2单元1801", "pass_kind": "vehicle",
        "plate": "鲁A·8K321", "pass_number": "004410", "last_passage_ms": NOW_MS - 95_000,
        "open_until_ms": NOW_MS + 30_000,
    },
    "guided": {
        "outcome": "grant", "reason": "ok", "guidance": "expired", "label": "周*", "dwelling": "1栋1单元201",
        "pass_kind": "visitor", "pass_number": "002210",
    },
}  # fmt: skip


def play(stage: Stage, command: str) -> None:
    """One line of the program's input."""
    verb, _, argument = command.strip().partition(" ")
    if verb == "restart":
        stage.restart()
    elif verb == "away":
        stage.stop()
    elif verb == "back":
        stage.start()
    elif verb == "end_sessions":
        stage.sessions.clear()
    elif verb == "faults":
        stage.state.faults = argument.split()
    elif verb == "clock":
        stage.state.clock = argument
    elif verb == "now":
        stage.state.now_ms = int(argument)
    elif verb == "lane":
        for change in argument.split():
            name, _, value = change.partition("=")
            setattr(stage.state.lanes[0], name, msgspec.json.decode(value))
    elif verb == "list":
        stage.state.list_state, age_s = argument.split()
        stage.state.list_age_s = int(age_s)
    elif verb == "neighbour":
        stage.state.neighbour_zh, stage.state.neighbour_en = argument.split("|")
    elif verb in PEOPLE:
        stage.happen(**PEOPLE[verb])
    elif verb in ("passage", "button", "call"):
        stage.happen(verb, outcome=argument, about=len(stage._items) if verb == "passage" else 0)


def main() -> None:
    from kiosk.guard import Core, GuardSettings, create_app
    from kiosk.guard.serve import Limits, serve, tls_of

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--head-seconds", type=float, default=10.0)
    parser.add_argument("--cert", default="")
    parser.add_argument("--key", default="")
    options = parser.parse_args()
    stage = Stage(options.folder).start()
    settings = GuardSettings(simulated=True, demo_passes=options.folder / "passes", secure_cookies=bool(options.cert))
    app = create_app(Core(stage.core_path, stage.reader_path), settings)
    tls = tls_of(options.cert, options.key)
    server = serve(app, "0.0.0.0", options.port, Limits(head_seconds=options.head_seconds), tls)

    def listen_to_input() -> None:
        from gevent.fileobject import FileObject

        for command in FileObject(sys.stdin.buffer, "rb"):
            play(stage, command.decode())
            print("done", flush=True)
        server.close()

    import gevent

    gevent.spawn(listen_to_input)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
