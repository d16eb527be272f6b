"""The command line, and one real server process: what scripts and the demo build on."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyotp
import pytest
from click.testing import CliRunner, Result
from nacl.public import PrivateKey

from sync.protocol import Enrolled, EnrolRequest, read_enrolment_code
from sync.server.__main__ import main
from sync.server.centre.settings import Settings
from sync.server.gates import fleet
from sync.server.opening import open_centre

PIN = "493817"


class Shell:
    """The command line on one state folder."""

    def __init__(self, state: Path):
        self.state = state

    def run(self, *words: str, given: str = "") -> Result:
        return CliRunner().invoke(main, ["--state", str(self.state), *words], input=given)

    def json(self, *words: str, given: str = "") -> Any:
        result = self.run(*words, "--json", given=given)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def fails(self, *words: str, given: str = "") -> str:
        result = self.run(*words, given=given)
        assert result.exit_code == 1, result.output
        assert result.output.startswith("Error: ") and "Traceback" not in result.output
        return result.output


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path / "centre")
    made.json("add-compound", "翠湖花园", "Cuihu Garden", "--id", "7")
    return made


def test_a_first_day(shell: Shell, tmp_path: Path) -> None:
    code = shell.json("add-gate", "翠湖花园", "东门")
    assert read_enrolment_code(code["enrolment_code"]) and code["gate"] == "g1"
    made = shell.json("issue", "7", "--holder", "王小明", "--dwelling", "3-2-501", "--until", "2099-12-31", "--phone",
                      "--from", "2098-01-01")  # fmt: skip
    assert (made["number"], made["state"], made["label"]) == ("7-000001", "printed", "王*")
    shell.json("issue", "7", "--card", str(tmp_path / "new.png"))
    assert (tmp_path / "new.png").stat().st_size > 500
    assert shell.json("hand-over", "7-000001")["state"] == "active"
    assert shell.json("extend", "7-000001", "--until", "2100-01-31")["valid_until_ms"] > made["valid_until_ms"]
    everybody = shell.json("extend", "--compound", "7", "--until", "2100-12-31")
    assert (everybody["extended"], everybody["left"]) == (1, 1), "one of them was signed for 30 days from today"
    assert "needs a new one" in shell.fails("extend", "7-000002", "--until", "2100-12-31")
    until = shell.json("extend", "7-000002", "--until", "2030-12-31", "--reissue")
    assert [one["state"] for one in until["credentials"]] == ["printed", "superseded"]
    assert shell.json("suspend", "7-000001")["state"] == "suspended"
    assert shell.json("resume", "7-000001")["state"] == "active"
    assert shell.json("attention", "7-000001")["attention"] is True
    assert shell.json("attention", "7-000001", "--look", "plate")["look"] == "plate"
    assert shell.run("attention", "7-000001", "--look", "has a fever").exit_code == 2
    assert len(shell.json("reissue", "7-000001", "--medium", "both")["credentials"]) == 4
    phone = shell.json("phone-code", "7-000001")
    assert len(phone["text"]) == 122 and len(pyotp.TOTP(phone["secret"], digits=8).at(0)) == 8
    for name in ("card.png", "card.svg"):
        shell.json("print-card", "7-000001", "--out", str(tmp_path / name))
        assert (tmp_path / name).stat().st_size > 500
    assert shell.json("show", "7-000001")["number"] == shell.json("passes", "7", "3-2")[0]["number"]
    assert shell.json("revoke", "7-000001")["state"] == "revoked"
    assert shell.json("delete", "7-000001", "--yes")["state"] == "gone"
    assert shell.json("prune", "7")["dropped"] == 0
    assert shell.json("set-rule", "7", "passback", "deny")["passback"] == "deny"
    assert shell.json("rules", "7")["passback"] == "deny"
    guard = shell.json("add-guard", "7", "李强", "--pin-stdin", given=f"{PIN}\n")
    assert (guard["account"], PIN in json.dumps(guard)) == ("a1", False)
    assert shell.json("add-staff", "wang", "--everywhere")["path"].startswith("/welcome/")
    assert shell.json("add-staff", "li", "--compound", "7", "--password-stdin", given="correct horse 1\n")
    assert shell.json("staff-link", "wang")["path"].startswith("/welcome/")
    assert [g["name"] for g in shell.json("gates", "7")] == ["东门"]
    assert shell.json("events", "7", "--gate", "东门") == []
    assert shell.json("new-code", "7", "g1")["gate"] == "g1"
    rooms = ("add-dwellings", "7", "--buildings", "1-2", "--floors", "1-6", "--doors", "01-03", "--no-floors", "4")
    assert (shell.json(*rooms)["new"], shell.json(*rooms)["there"]) == (30, 30)
    desk = ("add-desk", "7", "一号台", "Desk 1", "--place-zh", "物业一楼", "--place-en", "Ground floor")
    assert shell.json(*desk) == {"compound": 7, "desk": 1}
    before = shell.json("compounds")[0]
    assert shell.json("begin-epoch", "7", "--yes")["epoch"] != before["epoch"]


def test_every_place_of_a_backup_begins_anew_with_one_command(shell: Shell) -> None:
    shell.json("add-compound", "东湖", "East Lake", "--id", "8")
    shell.json("add-scope", "全镇", "Town", "--id", "9001")
    before = {one["compound"]: one["epoch"] for one in shell.json("compounds")}
    after = {one["compound"]: one["epoch"] for one in shell.json("begin-epoch", "--all", "--yes")}
    assert after.keys() == {7, 8, 9001} and not set(before.values()) & set(after.values())
    assert "Name one compound, or say --all" in shell.fails("begin-epoch", "--yes")
    assert "Name one compound, or say --all" in shell.fails("begin-epoch", "7", "--all", "--yes")


def test_a_pin_asked_at_the_prompt_is_not_shown(shell: Shell) -> None:
    result = shell.run("add-guard", "7", "李强", given=f"{PIN}\n{PIN}\n")
    assert result.exit_code == 0 and PIN not in result.output


def test_guards_get_drawn_pins_and_their_gates(shell: Shell) -> None:
    shell.json("add-gate", "7", "东门")
    drawn = shell.json("add-guard", "7", "赵敏", "--role", "supervisor", "--gate", "东门", "--draw")
    assert (drawn["guard"]["gates"], len(drawn["pin"]), drawn["pin"].isdigit()) == (["g1"], 8, True)
    assert shell.json("new-pin", "7", "赵敏")["pin"] != drawn["pin"]
    assert "8 to 12 digits" in shell.fails("new-pin", "7", "赵敏", "--pin-stdin", given=f"{PIN}\n")
    assert shell.json("guard-gates", "7", "a1")["gates"] == []
    assert [(g["name"], g["pin"]) for g in shell.json("guards", "7")] == [("赵敏", "good")]
    assert "There is no guard '李四'" in shell.fails("new-pin", "7", "李四")


def test_a_theft_is_reported_once_with_what_was_done_and_what_remains(shell: Shell) -> None:
    shell.json("add-gate", "7", "东门")
    assert "no such device" in shell.fails("report-theft", "7", "东门", "--yes")
    enrolled(shell)
    shell.json("add-guard", "7", "赵敏", "--draw")
    seen = shell.run("report-theft", "7", "东门", "--dry-run")
    assert "would be done" in seen.output and shell.json("gates", "7")[0]["state"] == "active"
    asked = shell.run("report-theft", "7", "东门", given="n\n")
    assert asked.exit_code == 1 and shell.json("gates", "7")[0]["state"] == "active"
    done = shell.run("report-theft", "7", "东门", "--yes")
    for told in ("devices withdrawn: d", "changed: yes", "赵敏 (a1)", "30 days of passages", "dwellings", "token",
                 "new PIN: in person", "police"):  # fmt: skip
        assert told in done.output, told
    assert shell.json("gates", "7")[0]["state"] == "withdrawn"
    again = shell.json("report-theft", "7", "东门", "--yes")
    assert (again["devices"], again["guards"], again["code_key_changed"]) == ([], [], False)
    assert "nothing is left to do" in shell.run("report-theft", "7", "东门").output
    assert "NO PIN: a gate was stolen" in shell.run("guards", "7").output


def enrolled(shell: Shell) -> None:
    """Make a device of the east gate, as its API would."""
    centre = open_centre(Settings(state=shell.state, watch=False))
    secret = read_enrolment_code(fleet.new_code(centre, 7, "g1", "test").enrolment_code)[1]
    fleet.enrol(centre, EnrolRequest(v=1, secret=secret, token_hash=bytes(32),
                                     box_public=bytes(PrivateKey.generate().public_key)))  # fmt: skip
    centre.close()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add-compound", "翠湖花园", "Other"), "already"),
        (("add-compound", "东湖", "Donghu", "--id", "7"), "already"),
        (("add-compound", "东湖", "Donghu", "--id", "0"), "between 1 and"),
        (("add-compound", "东湖", "Donghu", "--timezone", "Mars/Base"), "no timezone"),
        (("add-gate", "9", "东门"), "There is no compound '9'"),
        (("issue", "7", "--until", "31.12.2026"), "not a date"),
        (("issue", "7", "--until", "2020-12-31"), "end after it begins"),
        (("issue", "7", "--until", "2099-12-31"), "at most 7 years"),
        (("revoke", "7-000009"), "There is no pass"),
        (("revoke", "seven"), "not a pass number"),
        (("print-card", "7-000009", "--out", "x.png"), "no card in force"),
        (("extend", "--until", "2030-01-01"), "either a pass number or"),
        (("set-rule", "7", "pasback_s", "3"), "There is no rule 'pasback_s'"),
        (("set-rule", "7", "passback_s", "soon"), "passback_s cannot be"),
        (("set-rule", "7", "admits", '["alien"]'), "There is no kind 'alien'"),
        (("withdraw", "7", "东门"), "There is no gate"),
        (("new-identity", "7", "东门"), "There is no gate"),
        (("add-staff", "li"), "Say which compounds"),
        (("add-staff", "a b", "--everywhere"), "letters and digits"),
        (("staff-link", "nobody"), "There is no account"),
        (("add-dwellings", "7", "--buildings", "1", "--floors", "x", "--doors", "01"), "--floors: "),
        (("add-desk", "7", "台", "D", "--place-zh", "楼", "--place-en", "P", "--from", "9"), "not a time of day"),
        (("add-desk", "7", "台", "D", "--place-zh", "楼", "--place-en", "P", "--from", "18:00"), "begin before"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_in_words(shell: Shell, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(*words)


def test_an_easy_pin_is_refused(shell: Shell) -> None:
    assert "too easy" in shell.fails("add-guard", "7", "李强", "--pin-stdin", given="111111\n")


def test_a_lost_key_file_is_told_in_words(shell: Shell) -> None:
    (shell.state / "centre.key").unlink()
    assert "cannot be read" in shell.fails("compounds")


def test_every_command_explains_itself() -> None:
    for name in main.commands:
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0 and "Usage:" in result.output


def test_the_centre_never_loads_the_gate() -> None:
    script = (
        "import sys, sync.server.__main__, sync.server.serve\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('kiosk', 'hardware')])"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


def test_a_port_in_use_is_told_in_words(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} is in use by another program" in shell.fails("run", "--port", str(port))


# A real server


@pytest.fixture
def port(shell: Shell) -> Iterator[int]:
    command = [sys.executable, "-m", "sync.server", "--state", str(shell.state), "run", "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield json.loads(server.stdout.readline())["port"]
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def enrol(port: int, code: str) -> dict[str, str]:
    token = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    import hashlib

    request = EnrolRequest(
        v=1, secret=read_enrolment_code(code)[1], token_hash=hashlib.sha256(token.encode()).digest(),
        box_public=bytes(PrivateKey.generate().public_key),
    )  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/api/v1/enrol", msgspec.json.encode(request))
    enrolled = msgspec.json.decode(connection.getresponse().read(), type=Enrolled)
    connection.close()
    return {"Authorization": f"Gate {enrolled.compound}.{enrolled.device}.{token}"}


def test_a_command_in_another_process_wakes_a_waiting_gate_and_sigterm_ends_it(shell: Shell, port: int) -> None:
    headers = enrol(port, shell.json("add-gate", "7", "东门")["enrolment_code"])
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    stream.request("GET", "/api/v1/wake", headers=headers)
    answer = stream.getresponse()
    assert answer.headers["Content-Type"].startswith("text/event-stream")

    def next_revision() -> int:
        while True:
            line = answer.readline()
            assert line
            if line.startswith(b"data: "):
                found: int = json.loads(line.removeprefix(b"data: "))["revision"]
                return found

    first = next_revision()
    shell.json("issue", "7", "--active")
    assert next_revision() == first + 1
    shell.json("revoke", "7-000001")
    assert next_revision() == first + 2
    stream.close()


def test_what_is_due_is_told_and_then_deleted(shell: Shell) -> None:
    shell.run("issue", "7", "--kind", "shop", "--from", "2021-01-01", "--until", "2021-02-01")
    assert [(one["kind"], one["due"]) for one in shell.json("erase", "--dry-run")] == [("pass", 1)]
    (made,) = shell.json("erase")
    assert (made["compound_id"], made["counts"]) == (7, {"pass": 1})
    assert shell.json("erase", "--compound", "7") == [] and shell.json("erase", "--dry-run") == []
    assert shell.run("erase").output == "Nothing was due.\n"
    assert "9" in shell.fails("erase", "--compound", "9")
