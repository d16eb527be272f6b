"""The commands people type, as they type them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.commands.check import frames_of, pixels_of, ports_of
from kiosk.config import parse
from kiosk.core.journal import Journal
from kiosk.verbs import LaneState
from sync.credential import EPOCH_MS, STEP_MS, Credential
from sync.protocol import Event
from tests.fixtures.gate_parts import ANCHOR, BOX, HOUR_MS, credential, row_of, text_of, usual_changes, write_list

ROOT = Path(__file__).parents[2]


def kiosk(*words: str, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "GATE_KIOSK_CONFIG"}
    command = [sys.executable, "-W", "error", "-m", "kiosk", *words, *(["--config", str(config)] if config else [])]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, env=env)


class Device:
    """A configured device; :meth:`enrol` makes it a gate with a list."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder = folder
        self.config = folder / "kiosk.toml"
        self.config.write_text(f"""
[gate]
state = "{folder}/state"
run = "{folder}/run"
anchor = "{folder}/anchor.json"
[simulated]
folder = "{folder}/parts"
[[lane]]
name = "entry"
part = "simulated"
direction = "in"
[[lane]]
name = "exit"
part = "simulated"
direction = "out"
{extra}
""")
        now_ms = time.time_ns() // 1_000_000
        self.card: Credential = credential(5, not_before_step=(now_ms - HOUR_MS - EPOCH_MS) // STEP_MS)
        self.now_ms = now_ms

    def enrol(self, **fields: Any) -> Device:
        core = self.folder / "state" / "core"
        core.mkdir(parents=True)
        (core / "box.key").write_bytes(bytes(BOX))
        (self.folder / "anchor.json").write_bytes(msgspec.json.encode(ANCHOR))
        row = row_of(self.card, **fields)
        write_list(self.folder / "state" / "list", [row], usual_changes(), as_of_ms=self.now_ms)
        return self

    def decide(self, text: str, *words: str) -> dict[str, Any]:
        done = kiosk("decide", text, "--json", *words, config=self.config)
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_help_names_every_command_with_examples() -> None:
    done = kiosk("--help")
    assert done.returncode == 0 and "python -m kiosk scan photo.jpg" in done.stdout
    for name in (
        "check",
        "config",
        "core",
        "decide",
        "demo",
        "enrol",
        "focus",
        "guard",
        "reader",
        "run",
        "scan",
        "sync",
    ):
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", ["check", "config", "decide", "demo", "enrol", "focus"])
def test_every_command_has_help_of_its_own(name: str) -> None:
    done = kiosk(name, "--help")
    assert done.returncode == 0 and done.stdout.startswith("Usage:")


def test_config_prints_what_is_in_force(device: Device) -> None:
    done = kiosk("config", config=device.config)
    said = json.loads(done.stdout)
    assert (said["guard"]["port"], said["lane"][1]["name"]) == (8080, "exit")


@pytest.mark.parametrize("command", ["config", "core", "reader", "guard", "sync", "run", "check"])
def test_a_mistake_in_the_configuration_is_one_sentence_and_exit_1(tmp_path: Path, command: str) -> None:
    device = Device(tmp_path, "[guard]\nprot = 1")
    done = kiosk(command, config=device.config)
    assert (done.returncode, done.stderr) == (1, f"Error: {device.config}: guard.prot: unknown key\n")


def test_a_configuration_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = kiosk("config", config=tmp_path / "none.toml")
    assert (done.returncode, done.stderr) == (1, f"Error: {tmp_path / 'none.toml'}: No such file or directory\n")


def test_a_broken_anchor_is_one_sentence(device: Device) -> None:
    (device.folder / "anchor.json").write_text("{")
    done = kiosk("core", config=device.config)
    assert done.returncode == 1 and "enrol this gate again" in done.stderr and "Traceback" not in done.stderr


def test_a_damaged_identity_of_sync_is_one_sentence(device: Device) -> None:
    device.enrol()
    identity = device.folder / "state" / "sync" / "identity.json"
    identity.parent.mkdir()
    identity.write_text("{")
    done = kiosk("sync", config=device.config)
    assert done.returncode == 1
    assert str(identity) in done.stderr and "--replace" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_socket_that_cannot_be_made_is_one_sentence(device: Device) -> None:
    (device.folder / "run").write_text("in the way")
    done = kiosk("core", config=device.config)
    assert done.returncode == 1 and "gate.run: no socket can be made" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = kiosk("guard", config=Device(tmp_path, f'[guard]\nhost = "127.0.0.1"\nport = {port}').config)
    assert done.returncode == 1 and str(port) in done.stderr and "Traceback" not in done.stderr


# --- decide -----------------------------------------------------------------------------------------------------------


def test_decide_says_what_would_happen_and_records_nothing(device: Device) -> None:
    device.enrol()
    before = sorted(str(path) for path in device.folder.rglob("*"))
    said = device.decide(text_of(device.card))
    assert (said["outcome"], said["reason"], said["lane"], said["serial"]) == ("grant", "ok", "entry", 5)
    assert (said["list"], said["enforcement"]) == ("fresh", "strict")
    after = {str(path) for path in device.folder.rglob("*")}
    assert {name for name in after - set(before) if not name.endswith(("-wal", "-shm"))} == set()


def test_decide_says_what_the_guard_is_asked_to_look_for(device: Device) -> None:
    said = device.enrol(attention=True, look="papers").decide(text_of(device.card))
    assert (said["outcome"], said["reason"], said["look"]) == ("refer", "attention", "papers")


def test_decide_without_a_list_refers_with_and_without_a_key(device: Device) -> None:
    assert device.decide(text_of(device.card))["reason"] == "no_list"
    device.enrol()
    (device.folder / "state" / "list" / "current").unlink()
    assert device.decide(text_of(device.card))["list"] == "none"


@pytest.mark.parametrize(
    ("words", "reason"),
    [(("--lane", "exit"), "ok"), (("--at", "2020-01-01T10:00"), "not_yet_valid"), (("--at", "2031-01-01"), "expired")],
)
def test_decide_at_another_lane_or_time(device: Device, words: tuple[str, ...], reason: str) -> None:
    assert device.enrol().decide(text_of(device.card), *words)["reason"] == reason


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lane", "garage"), "no lane is named 'garage'; there are entry, exit"),
        (("--at", "noon"), "'noon' is not a time"),
    ],
)
def test_decide_says_what_it_does_not_understand(device: Device, words: tuple[str, ...], said: str) -> None:
    done = kiosk("decide", "G1", *words, config=device.config)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


def test_decide_in_words_for_people(device: Device) -> None:
    done = kiosk("decide", text_of(device.enrol(state="revoked").card), config=device.config)
    assert "outcome      deny\nreason       revoked\n" in done.stdout


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_of_a_box_that_is_no_gate_yet_says_what_to_do(device: Device) -> None:
    done = kiosk("check", config=device.config)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("BAD enrolment") and "kiosk enrol CODE" in line]
    assert [line for line in lines if line.startswith("ok  decoder")]


def test_check_looks_into_the_files_while_nothing_runs(device: Device) -> None:
    device.enrol()
    (device.folder / "state" / "core" / "journal-abc.db").write_bytes(b"nonsense" * 99)
    done = kiosk("check", "--json", config=device.config)
    found = {(line["part"], line["ok"]) for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert {("enrolment", True), ("list", True), ("journal", False), ("core", False)} <= found


@pytest.mark.parametrize(("looked", "said"), [(0.124, ", 12 % of frames looked at"), (None, "")])
def test_check_says_what_a_frame_costs_and_how_many_are_looked_at(looked: float | None, said: str) -> None:
    lane = LaneState(name="in", direction="entry", lock="secure", signal="ready", relay_on=False, phase="idle",
                     camera_ok=True, decode_ms=2.14, looked=looked)  # fmt: skip
    assert frames_of(lane) == f"fine, 2.1 ms a frame{said}"


def test_check_says_how_many_pixels_a_module_has_and_when_they_are_too_few() -> None:
    lane = LaneState(name="in", direction="in", lock="barrier", signal="ready", relay_on=False, phase="idle",
                     camera_ok=True, decode_ms=2.14, module_px=3.59)  # fmt: skip
    assert frames_of(lane) == "fine, 2.1 ms a frame, 3.6 pixels a module"
    assert not list(pixels_of(lane))
    [found] = pixels_of(msgspec.structs.replace(lane, module_px=2.08, optics="few"))
    assert (found.ok, found.text) == (False, "in: 2.1 camera pixels a module, 2.5 are needed")
    assert "MOUNTING.md" in found.do
    [found] = pixels_of(msgspec.structs.replace(lane, module_px=None, optics="lens"))
    assert not found.ok and "set lens_mm" in found.do


def test_check_asks_for_the_ports_of_several_cameras_and_not_for_that_of_one() -> None:
    lanes = '[[lane]]\nname = "{0}"\ndirection = "in"\npart = "simulated"\n[[camera]]\nlane = "{0}"\n'
    one, two = lanes.format("entry"), lanes.format("entry") + 'port = "cam0"\n' + lanes.format("exit")
    assert not list(ports_of(parse(one)))
    with_port, without = ports_of(parse(two))
    assert (with_port.ok, with_port.text) == (True, "entry: its camera is at cam0")
    assert not without.ok and "exit: its camera has no port" in without.text and "rpicam-hello" in without.do


def test_check_of_a_whole_gate_that_runs(device: Device) -> None:
    device.enrol()
    command = [sys.executable, "-m", "kiosk", "core", "--config", str(device.config)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as core:
        assert core.stdout
        for line in core.stdout:
            if "state=ready" in line:
                break
        done = kiosk("check", "--json", config=device.config)
        core.terminate()
    found = {line["part"]: line["ok"] for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1, "it has no centre"
    assert (found["core"], found["journal"], found["list"], found["list age"], found["pins"]) == (True,) * 5
    assert (found["clock"], found["centre"]) == (False, False)


def test_journal_lists_what_is_whole_in_damaged_files_and_prints_it(device: Device) -> None:
    core = device.folder / "state" / "core"
    assert "there is no event of a journal here" in kiosk("journal", config=device.config).stderr
    journal = Journal(core, lambda: device.now_ms)
    assert all(journal.append(Event(id=f"{n:016x}", kind="call", at_ms=device.now_ms)).wait(10) for n in range(7))
    journal.close()
    (path,) = core.glob("journal-*.db")
    damaged = path.with_name(f"{path.stem}.damaged-abc")
    damaged.write_bytes(b"nonsense" + path.read_bytes()[8:])
    listed = kiosk("journal", config=device.config).stdout.splitlines()
    assert [line.split()[1:] for line in listed] == [
        ["in", "use", "7", "events,", "1", "to", "7"],
        ["damaged", "7", "events,", "1", "to", "7"],
    ]
    read = kiosk("journal", "--read", str(damaged), config=device.config)
    events = [json.loads(line) for line in read.stdout.splitlines()]
    assert [(said["seq"], said["proven"]) for said in events] == [(n, True) for n in range(1, 8)]
    assert events[6]["event"]["id"] == f"{6:016x}"
    assert set(core.glob("*")) == {damaged, path}
