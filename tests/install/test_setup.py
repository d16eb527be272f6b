"""setup.sh before it touches the machine: its help, its wrong usage, its refusals."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "setup.sh"
SCRIPTS = [SETUP, ROOT / ".ci/run", *sorted(path for path in (ROOT / "tests/guest").iterdir() if path.suffix != ".py")]


def setup(*arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, "bash", str(SETUP), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_is_well_formed(script: Path) -> None:
    if script.suffix in ("", ".sh"):
        subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_shellcheck_has_nothing_to_say() -> None:
    said = subprocess.run(
        ["shellcheck", "-x", *(str(path) for path in SCRIPTS if path.suffix in ("", ".sh"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout == ""


def test_help_names_every_command_and_option_and_exits_0() -> None:
    said = setup("--help")
    assert said.returncode == 0
    commands = ("demo", "test", "gate", "board", "centre", "requirements")
    options = ("--enrol", "--centre", "--ca", "--config", "--screen", "--simulated", "--yes", "--long")
    for word in (*commands, *options):
        assert word in said.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Usage:"),
        (("gaet",), "unknown command gaet"),
        (("gate", "--enroll", "X"), "gate: unknown argument --enroll"),
        (("gate", "--enrol"), "gate: --enrol needs a value"),
        (("centre", "--port"), "centre: unknown argument --port"),
        (("gate", "--yes", "--centre"), "gate: --centre needs a value"),
    ],
)
def test_wrong_usage_says_what_is_wrong_and_exits_2(arguments: tuple[str, ...], words: str) -> None:
    said = setup(*arguments)
    assert (said.returncode, said.stdout) == (2, "")
    assert words in said.stderr
    assert "Traceback" not in said.stderr


def test_gate_is_refused_to_anybody_but_root() -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    said = setup("gate", "--enrol", "CODE", "--centre", "https://centre.example.org", "--yes", prefix=nobody)
    assert said.returncode == 1
    assert "sudo ./setup.sh gate" in said.stderr


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd runs here: this would begin to install")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets so far")
def test_gate_is_refused_where_systemd_does_not_run() -> None:
    said = setup("gate", "--enrol", "CODE", "--centre", "https://centre.example.org", "--yes")
    assert said.returncode == 1
    assert "systemd does not run here" in said.stderr


ONE_STEP = """
source <(sed -n '/^say()/p; /^install_file()/,/^}/p; /^display_is_hdmi()/,/^}/p' "$SETUP")
CHANGED=(); display_is_hdmi; display_is_hdmi; echo "${#CHANGED[@]}"
"""


@pytest.mark.parametrize(
    "text",
    [
        (ROOT / "systemd/kiosk.example.toml").read_text("utf-8"),
        (ROOT / "kiosk/laptop.toml").read_text("utf-8"),
        "[screen]\ngrant_s = 2.0\n[guard]\nport = 1\n",
        "[guard]\nport = 1\n[screen] # last\n",
        '[screen]\n  display="none" # "hdmi"\n[[lane]]\ndisplay = "none"\n',
    ],
    ids=["example", "no section", "no key", "last section", "indented"],
)
def test_screen_sets_the_display_whatever_stands_there_and_nothing_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(text, "utf-8")
    told = {**os.environ, "SETUP": str(SETUP), "ETC": str(tmp_path)}
    said = subprocess.run(["bash", "-ec", ONE_STEP], env=told, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "1", "the second time changes nothing"
    wanted = tomllib.loads(text)
    wanted.setdefault("screen", {})["display"] = "hdmi"
    assert tomllib.loads(path.read_text("utf-8")) == wanted
