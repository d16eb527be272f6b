"""What setup.sh says of a machine before it installs anything: boards, systems and versions, all of them faked."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "setup.sh"
GOOD = {"python3-picamera2": "0.3.31-1", "python3-gpiozero": "2.0.1-0+rpt1", "python3-lgpio": "0.2.2-1~rpt1"}

pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="versions are compared by dpkg")

FAKES = {
    "uname": 'printf "%s\\n" "$KERNEL"',
    "dpkg": 'if [ "$1" = --print-architecture ]; then echo "$PACKAGES_FOR"; else exec "$REAL_DPKG" "$@"; fi',
    # The format asks for the version or the state; the last names are the package and its t64 twin.
    "dpkg-query": """
case "$3" in *Version*) cat "$FACTS/installed/$4" ;; *) [ ! -e "$FACTS/installed/$4" ] || echo installed ;; esac""",
    "apt-cache": """
[ -e "$FACTS/offered/$2" ] || exit 0
printf '%s:\\n  Installed: (none)\\n  Candidate: %s\\n' "$2" "$(cat "$FACTS/offered/$2")\"""",
    "apt-get": 'echo "$@" >>"$FACTS/asked"; exit 100',
    "sudo": '"$@"',
}


@dataclass
class Machine:
    """A machine as setup.sh sees it; good until a test changes something."""

    folder: Path
    model: str | None = "Raspberry Pi 5 Model B Rev 1.0"
    system: str = 'ID=debian\nVERSION_ID="13"\n'
    kernel: str = "aarch64"
    packages_for: str = "arm64"
    installed: dict[str, str] = field(default_factory=dict)
    offered: dict[str, str] = field(default_factory=lambda: dict(GOOD))

    def board(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        root = self.folder / "root"
        self._write(root / "etc/os-release", self.system)
        if self.model is not None:
            self._write(root / "proc/device-tree/model", f"{self.model}\0")
        for kind, versions in (("installed", self.installed), ("offered", self.offered)):
            for name, version in versions.items():
                self._write(self.folder / kind / name, version)
        for name, script in FAKES.items():
            self._write(self.folder / "bin" / name, f"#!/bin/sh\n{script}\n").chmod(0o755)
        told = {"FACTS": str(self.folder), "GATE_ROOT": str(root), "KERNEL": self.kernel}
        told |= {"PACKAGES_FOR": self.packages_for, "REAL_DPKG": str(shutil.which("dpkg"))}
        return subprocess.run(
            ["bash", str(SETUP), "board", *arguments],
            env={**os.environ, **told, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @staticmethod
    def _write(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def refused(said: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a refusal."""
    assert said.returncode == 1, said.stdout
    assert said.stderr.startswith("setup: ") and said.stderr.count("\n") == 1, said.stderr
    return said.stderr


@pytest.mark.parametrize(
    "model",
    [
        "Raspberry Pi 3 Model B Plus Rev 1.3",
        "Raspberry Pi 4 Model B Rev 1.5",
        "Raspberry Pi 400 Rev 1.0",
        "Raspberry Pi 5 Model B Rev 1.1",
        "Raspberry Pi 500 Rev 1.0",
        "Raspberry Pi Compute Module 4 Rev 1.1",
        "Raspberry Pi Compute Module 5 Rev 1.0",
    ],
)
def test_a_board_that_fits_is_named(machine: Machine, model: str) -> None:
    machine.model = model
    said = machine.board()
    assert (said.returncode, said.stderr) == (0, "")
    assert f"board: {model}" in said.stdout
    assert said.stdout.endswith("This machine can be a gate.\n")


@pytest.mark.parametrize("model", ["Raspberry Pi Zero 2 W Rev 1.0", "Raspberry Pi 3 Model A Plus Rev 1.1"])
def test_a_board_with_half_a_gigabyte_is_refused_with_the_reason(machine: Machine, model: str) -> None:
    machine.model = model
    said = refused(machine.board())
    assert model in said and "512 MB" in said and "CMA" in said


@pytest.mark.parametrize("model", ["Raspberry Pi 3 Model B Rev 1.2", "Raspberry Pi Compute Module 3", "Raspberry Pi 6"])
@pytest.mark.parametrize("arguments", [(), ("--yes",)])
def test_an_untried_board_is_refused_where_nobody_can_be_asked(
    machine: Machine, model: str, arguments: tuple[str, ...]
) -> None:
    machine.model = model
    assert f"{model} was never tried as a gate" in refused(machine.board(*arguments))


@pytest.mark.parametrize(("model", "words"), [(None, "/proc/device-tree/model"), ("Radxa ROCK 5B", "Radxa ROCK 5B")])
def test_a_machine_that_is_no_raspberry_pi_hears_of_simulated(machine: Machine, model: str | None, words: str) -> None:
    machine.model = model
    said = refused(machine.board())
    assert words in said and "--simulated" in said


@pytest.mark.parametrize(
    ("packages_for", "kernel", "words"),
    [
        ("armhf", "aarch64", "put Raspberry Pi OS (64-bit) on the card"),
        ("armhf", "armv7l", "put Raspberry Pi OS (64-bit) on the card"),
        ("arm64", "armv8l", "arm_64bit"),
        ("amd64", "x86_64", "--simulated"),
    ],
)
def test_both_the_kernel_and_the_system_must_be_64_bit(
    machine: Machine, packages_for: str, kernel: str, words: str
) -> None:
    machine.packages_for, machine.kernel = packages_for, kernel
    assert words in refused(machine.board())


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ('ID=debian\nVERSION_ID="11"\n', "Debian 11 is too old"),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', "this system is ubuntu"),
        ("", "this system is unknown"),
    ],
)
def test_another_system_is_refused_also_for_a_simulated_gate(machine: Machine, system: str, words: str) -> None:
    machine.system = system
    assert words in refused(machine.board())
    assert words in refused(machine.board("--simulated"))


@pytest.mark.parametrize("version", ['VERSION_ID="14"\n', ""])
def test_a_newer_system_is_noted_and_goes_on(machine: Machine, version: str) -> None:
    machine.system = f"ID=debian\n{version}"
    said = machine.board()
    assert said.returncode == 0
    assert "NOTE: " in said.stdout


def test_a_simulated_gate_needs_no_board_and_no_camera_package(machine: Machine) -> None:
    machine.model, machine.packages_for, machine.kernel, machine.offered = None, "amd64", "x86_64", {}
    assert machine.board("--simulated").returncode == 0


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("python3-picamera2", "0.3.19-1"),
        ("python3-picamera2", "0.3.12-2"),
        ("python3-picamera2", "0.3.26-1"),
        ("python3-gpiozero", "1.6.2-1"),
        ("python3-lgpio", "0.0.0.2-1"),
    ],
)
def test_what_apt_would_install_is_judged_before_it_does(machine: Machine, name: str, version: str) -> None:
    machine.offered[name] = version
    said = refused(machine.board())
    assert f"apt offers {name} {version}" in said
    assert "sudo apt-get update" in said


@pytest.mark.parametrize("name", GOOD)
def test_a_package_that_apt_does_not_know_is_named(machine: Machine, name: str) -> None:
    del machine.offered[name]
    assert f"apt offers no {name}" in refused(machine.board())


def test_versions_on_the_limits_fit(machine: Machine) -> None:
    machine.offered |= {"python3-picamera2": "0.3.20-1", "python3-gpiozero": "1:2.0-1+rpt1", "python3-lgpio": "0.2-1"}
    assert machine.board().returncode == 0


def test_only_what_is_missing_or_too_old_is_upgraded(machine: Machine) -> None:
    machine.installed = {**GOOD, "python3-picamera2": "0.3.12-2"}
    said = machine.board().stdout
    assert "python3-picamera2: 0.3.12-2; setup installs 0.3.31-1" in said
    assert "python3-gpiozero: 2.0.1-0+rpt1\n" in said and "python3-lgpio: 0.2.2-1~rpt1\n" in said


def test_what_is_installed_and_fits_asks_nothing_of_apt(machine: Machine) -> None:
    machine.installed, machine.offered = dict(GOOD), {}
    assert machine.board().returncode == 0


def test_looking_at_a_machine_changes_nothing(machine: Machine) -> None:
    machine.installed = {"python3-picamera2": "0.3.12-2"}
    assert machine.board().returncode == 0
    assert not (machine.folder / "asked").exists()
