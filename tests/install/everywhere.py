"""By hand, with the network: whether systemd/requirements can be installed wherever it says.

For each Python and machine every file is fetched with its hash, as pip would there. For each of those Pythons that is
here, all of it is installed in a new virtual environment and the program is started. Takes some minutes and 1 GB.
Exit code 0: all of it went well.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.install.requirements import FOLDER, PLACES, PYTHONS, RANKS, ROOT, SETS

INSTALL = """
source "$1/setup.sh"; PYTHON=$2
python_fits
"$PYTHON" -m venv "$3"
python_packages "$3" "$4[$5]" "$REQUIREMENTS/$6.txt"
"""
PROGRAMS = {"device": ("kiosk",), "centre": ("sync.server",), "test": ("kiosk", "sync.server", "pytest")}


def fetched(place: tuple[tuple[int, int], str], folder: Path) -> bool:
    """Whether pip takes every file of ``test.txt``, which holds those of the others, for that place."""
    (major, minor), machine = place
    platforms = dict.fromkeys(tag.platform for tag in RANKS[place] if tag.platform != "any")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
        + [f"--python-version={major}.{minor}", "--implementation=cp"]
        + [f"--abi={abi}" for abi in (f"cp{major}{minor}", "abi3", "none")]
        + [f"--platform={platform}" for platform in platforms]
        + [f"--requirement={FOLDER / 'test.txt'}", f"--dest={folder}"],
        check=False,
    )
    print(f"Python {major}.{minor} on {machine}: {len(list(folder.iterdir()))} files, exit code {done.returncode}")
    return done.returncode == 0


def installed(python: str, name: str, folder: Path) -> bool:
    source, venv = folder / "source", folder / "venv"
    source.mkdir()
    for part in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / part, source)
    for room in ("kiosk", "hardware", "sync"):
        shutil.copytree(ROOT / room, source / room)
    told = [str(ROOT), python, str(venv), str(source), ",".join(SETS[name]), name]
    done = subprocess.run(["bash", "-ec", INSTALL, "install", *told], check=False).returncode == 0
    started = done and all(
        subprocess.run(
            [venv / "bin/python", "-P", "-m", program, "--help"], cwd=folder, stdout=subprocess.DEVNULL, check=False
        ).returncode
        == 0
        for program in PROGRAMS[name]
    )
    print(f"{python}, {name}.txt: {'installed, and starts' if started else 'FAILED'}")
    return started


def main() -> int:
    outcomes = []
    for place in PLACES:
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(fetched(place, Path(folder)))
    for major, minor in PYTHONS:
        python = shutil.which(f"python{major}.{minor}")
        if python is None or subprocess.run([python, "-V"], capture_output=True, check=False).returncode:
            print(f"Python {major}.{minor} is not here: not installed with it")
            continue
        for name in SETS:
            with tempfile.TemporaryDirectory() as folder:
                outcomes.append(installed(python, name, Path(folder)))
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
