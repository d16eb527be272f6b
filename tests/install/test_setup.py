"""setup.sh before it touches the machine: its help, its wrong usage, its refusals."""

from __future__ import annotations

import os
import shutil
import subprocess
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
        timeout=20,
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
    for word in ("demo", "test", "gate", "--enrol", "--centre", "--ca", "--config", "--simulated", "--yes", "--long"):
        assert word in said.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Usage:"),
        (("gaet",), "unknown command gaet"),
        (("gate", "--enroll", "X"), "gate: unknown argument --enroll"),
        (("gate", "--enrol"), "gate: --enrol needs a value"),
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
