"""A gate's code is made anew by real pip from a made-up index, without a network: whole, refused, killed, unchanged."""

from __future__ import annotations

import hashlib
import os
import select
import signal
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "setup.sh"
HAS_VENV = subprocess.run(["/usr/bin/python3", "-c", "import ensurepip, venv"], capture_output=True, check=False)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(HAS_VENV.returncode != 0, reason="Debian's python3-venv is not here"),
]

# Builds our own package without setuptools, which no index here has.
BACKEND = """
import zipfile
from pathlib import Path

NEEDS = "camera-glass>=1; extra == 'device'"
ABOUT = {
    "METADATA": "Metadata-Version: 2.1\\nName: gate-kiosk\\nVersion: 1.0\\nProvides-Extra: device\\n"
    "Requires-Dist: " + NEEDS,
    "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "RECORD": "",
}

def build_wheel(folder, settings=None, metadata=None):
    name = "gate_kiosk-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        wheel.write("kiosk/__main__.py")
        wheel.write("kiosk/__init__.py")
        for part, text in ABOUT.items():
            wheel.writestr("gate_kiosk-1.0.dist-info/" + part, text)
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["kiosk"]
"""


def wheel(folder: Path, name: str, version: str, text: str) -> Path:
    """A package of one module with this text."""
    module = name.replace("-", "_")
    about = f"{module}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(f"{module}.py", text)
        made.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        made.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{about}/RECORD", "")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Gate:
    """A folder with a small program of ours, an index of packages, and what setup.sh made of them."""

    folder: Path

    @property
    def here(self) -> Path:
        return self.folder / "project"

    @property
    def current(self) -> Path:
        return (self.folder / "opt/current").resolve()

    def publish(self, path: Path, index: str = "index") -> None:
        """The index lists this file with its hash, in place of one of that name."""
        shelf = self.folder / index / path.name.split("-")[0].replace("_", "-")
        shelf.mkdir(parents=True, exist_ok=True)
        (shelf / path.name).write_bytes(path.read_bytes())
        listed = "".join(f'<a href="{one.name}#sha256={digest(one)}">{one.name}</a>\n' for one in shelf.glob("*.whl"))
        (shelf / "index.html").write_text(f"<!DOCTYPE html><html><body>{listed}</body></html>", "utf-8")

    def require(self, file: str, name: str, version: str, sha256: str) -> None:
        path = self.here / "systemd/requirements" / file
        path.write_text(
            f"--require-hashes\n--only-binary :all:\n\n{name}=={version} \\\n    --hash=sha256:{sha256}\n", "utf-8"
        )

    def start(self, **variables: str) -> subprocess.Popen[str]:
        """setup.sh's step that makes the code."""
        script = f"""
        source {SETUP}; HERE={self.here} REQUIREMENTS={self.here}/systemd/requirements OPT={self.folder}/opt
        mkdir -p "$OPT/releases"; code"""
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "GATE_"))}
        index = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": (self.folder / "index").as_uri()}
        return subprocess.Popen(
            ["bash", "-c", f"set -Eeuo pipefail; {script}"],
            env={**plain, **index, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def code(self, **variables: str) -> tuple[int, str, str]:
        running = self.start(**variables)
        said, complained = running.communicate(timeout=120)
        return running.returncode, said, complained

    def runs(self) -> str:
        """What the code in force says."""
        program = [self.folder / "opt/current/venv/bin/python", "-P", "-m", "kiosk", "--version"]
        return subprocess.run(program, capture_output=True, text=True, check=True).stdout

    def whole(self) -> list[bool]:
        """Of each release, the oldest first, whether it is whole."""
        releases = sorted((self.folder / "opt/releases").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        return [(path / "whole").exists() for path in releases]


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    gate = Gate(tmp_path)
    for room in ("kiosk", "hardware", "sync", "systemd/requirements"):
        (gate.here / room).mkdir(parents=True)
    (gate.here / "pyproject.toml").write_text(PROJECT, "utf-8")
    (gate.here / "kiosk/backend.py").write_text(BACKEND, "utf-8")
    (gate.here / "kiosk/__init__.py").touch()
    (gate.here / "kiosk/__main__.py").write_text("import camera_glass\nprint(camera_glass.WORD)\n", "utf-8")
    for name in ("LICENSE", "setup.sh"):
        (gate.here / name).touch()
    for file, name in (("build.txt", "build-bench"), ("device.txt", "camera-glass")):
        made = wheel(tmp_path / "made", name, "1.0", "WORD = 'first'\n")
        gate.publish(made)
        gate.require(file, name, "1.0", digest(made))
    return gate


def upgrade(gate: Gate, text: str = "WORD = 'second'\n") -> Path:
    """The next version of our program names the next version of a package."""
    made = wheel(gate.folder / "made", "camera-glass", "2.0", text)
    gate.publish(made)
    gate.require("device.txt", "camera-glass", "2.0", digest(made))
    return made


def test_a_run_that_changes_nothing_or_is_killed_leaves_the_code_in_force(gate: Gate) -> None:
    assert gate.code()[0] == 0
    first = gate.current
    code, said, _ = gate.code(PIP_INDEX_URL="file:///nowhere")
    assert (code, said.strip()) == (0, f"unchanged: {first.name}")

    upgrade(gate)
    told, backend = gate.folder / "told", gate.here / "kiosk/backend.py"
    os.mkfifo(told)
    waiting = os.open(told, os.O_RDONLY | os.O_NONBLOCK)
    backend.write_text(f"import signal\nopen({str(told)!r}, 'w').write('building')\nsignal.pause()\n", "utf-8")
    running = gate.start()
    assert select.select([waiting], [], [], 120)[0]
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    os.close(waiting)
    assert list((gate.folder / "opt").rglob("camera_glass-2.0*")), "the packages were there already"
    assert (gate.current, gate.runs(), gate.whole()) == (first, "first\n", [True, False])

    backend.write_text(BACKEND, "utf-8")
    assert gate.code()[0] == 0
    assert gate.runs() == "second\n" and gate.current != first
    assert gate.whole() == [True, True] and first.exists(), "the one before it is kept, and nothing half made"


def test_a_package_with_another_hash_is_refused_before_it_runs_and_the_gate_stays(gate: Gate) -> None:
    assert gate.code()[0] == 0
    first, good = gate.current, upgrade(gate)
    right, trace = good.read_bytes(), gate.folder / "it-ran"
    gate.publish(wheel(gate.folder / "made", "camera-glass", "2.0", f"open({str(trace)!r}, 'w')\nWORD = 'theirs'\n"))
    code, _, complained = gate.code()
    assert code == 1
    last = complained.strip().splitlines()[-1]
    assert last.startswith("setup: REFUSED, and nothing of it ran: a Python package is not the one")
    assert "What ran before still runs." in last and "camera-glass==2.0" in complained
    assert not trace.exists() and not list((gate.folder / "opt").rglob("camera_glass-2.0*"))
    assert (gate.current, gate.runs()) == (first, "first\n")
    good.write_bytes(right)
    gate.publish(good)
    assert gate.code()[0] == 0
    assert gate.runs() == "second\n"


def test_an_index_without_that_version_is_told_as_such(gate: Gate) -> None:
    gate.require("device.txt", "camera-glass", "3.0", "0" * 64)
    code, _, complained = gate.code()
    assert code == 1
    last = complained.strip().splitlines()[-1]
    assert (
        last.startswith("setup: pip did not get every Python package, see above.")
        and "is the network there" in last.lower()
    )
    assert not (gate.folder / "opt/current").exists()


def test_other_builds_of_a_package_elsewhere_do_no_harm(gate: Gate) -> None:
    """Raspberry Pi OS sets up a second index, piwheels, which builds its own wheels; others have a folder of them."""
    theirs = gate.folder / "theirs"
    for version in ("1.0", "9.0"):
        gate.publish(wheel(theirs, "camera-glass", version, "WORD = 'theirs'\n"), index="more")
    assert gate.code(PIP_EXTRA_INDEX_URL=(gate.folder / "more").as_uri(), PIP_FIND_LINKS=str(theirs))[0] == 0
    assert gate.runs() == "first\n"


def test_a_package_that_the_requirements_leave_out_is_not_fetched(gate: Gate) -> None:
    made = wheel(gate.folder / "made", "lens-cap", "1.0", "")
    gate.publish(made)
    (gate.here / "kiosk/backend.py").write_text(
        BACKEND.replace("camera-glass>=1; extra == 'device'", "lens-cap"), "utf-8"
    )
    code, _, complained = gate.code(PIP_FIND_LINKS=str(made.parent))
    assert code == 1 and "lens-cap" in complained
    assert "our own program could not be installed" in complained.strip().splitlines()[-1]


def test_a_release_is_on_the_card_before_it_is_called_whole_and_before_it_is_in_force(gate: Gate) -> None:
    """A power cut keeps a rename and loses contents that were not written yet."""
    order = gate.folder / "order"
    tools = gate.folder / "bin"
    tools.mkdir()
    for tool in ("sync", "touch", "ln", "mv"):
        (tools / tool).write_text(f'#!/bin/sh\necho {tool} "$@" >>{order}\nexec /usr/bin/{tool} "$@"\n', "utf-8")
        (tools / tool).chmod(0o755)
    assert gate.code(PATH=f"{tools}:{os.environ['PATH']}")[0] == 0
    words = [line.split()[0] for line in order.read_text("utf-8").splitlines()]
    assert words == ["sync", "touch", "ln", "mv", "sync"]
