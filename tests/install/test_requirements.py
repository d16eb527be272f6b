"""systemd/requirements: what is in the files, how they are made, and that nothing else is installed as root."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from tests.install.requirements import (
    PLACES,
    RANKS,
    SETS,
    SOURCES,
    TOOL,
    Unfit,
    build_requirements,
    exchanged,
    rendered,
)

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "systemd/requirements"
SETUP = ROOT / "setup.sh"
FILES = ("build", "tool", *SETS)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ENTRY = re.compile(
    r"(?P<names>(?:# \S+\n)+)(?P<pin>\S+==\S+)(?: ; .+?)?(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


@dataclass(frozen=True)
class Entry:
    """A package as it stands in a file."""

    name: str
    version: str
    files: tuple[str, ...]
    hashes: tuple[str, ...]


OPTIONS = ["--require-hashes", "--only-binary :all:", *(f"--no-binary {name}" for name in SOURCES)]
"""The same in each file: where pip is given two, the options of the last one hold for both."""


def entries(name: str) -> dict[str, Entry]:
    head, _, body = (FOLDER / f"{name}.txt").read_text("utf-8").partition("\n\n")
    assert [line for line in head.splitlines() if not line.startswith("#")] == OPTIONS
    found = {}
    for block in body.rstrip("\n").split("\n\n"):
        match = ENTRY.fullmatch(block + "\n")
        assert match, block
        package, _, version = match["pin"].partition("==")
        names = tuple(line.removeprefix("# ") for line in match["names"].splitlines())
        found[package] = Entry(package, version, names, tuple(re.findall(r"sha256:(\w+)", match["hashes"])))
    return found


def wanted(name: str) -> list[str]:
    """What is asked for, with its bounds."""
    if name in SETS:
        return [
            *PROJECT["dependencies"],
            *(one for extra in SETS[name] for one in PROJECT["optional-dependencies"][extra]),
        ]
    return build_requirements() if name == "build" else list(TOOL)


@pytest.mark.parametrize("name", FILES)
def test_every_package_of_pyproject_stands_there_within_its_bounds(name: str) -> None:
    found = entries(name)
    for requirement in map(Requirement, wanted(name)):
        entry = found.get(canonicalize_name(requirement.name))
        assert entry, f"{requirement.name} is missing: ./setup.sh requirements"
        assert requirement.specifier.contains(entry.version), f"{requirement}: ./setup.sh requirements"


@pytest.mark.parametrize("name", FILES)
def test_every_package_has_one_file_for_each_python_on_each_machine(name: str) -> None:
    for entry in entries(name).values():
        assert len(set(entry.files)) == len(set(entry.hashes)) == len(entry.files) == len(entry.hashes), entry.name
        if entry.name in SOURCES:
            assert [str(parse_sdist_filename(file)[1]) for file in entry.files] == [entry.version]
            continue
        wheels = [parse_wheel_filename(file) for file in entry.files]
        assert {(wheel[0], str(wheel[1])) for wheel in wheels} == {(entry.name, entry.version)}
        for place in PLACES:
            assert any(tag in RANKS[place] for wheel in wheels for tag in wheel[3]), (entry.name, place)


def test_no_file_names_an_index_or_takes_a_package_from_elsewhere() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8")
        options = {line.split()[0] for line in text.splitlines() if line.startswith("-")}
        assert options <= {"--require-hashes", "--only-binary", "--no-binary"}, path.name
        assert not re.search(r"://|@|\.(org|com|net|io)\b", text), path.name
        assert set(re.findall(r"--no-binary (\S+)", text)) <= set(SOURCES)


def test_what_two_files_name_is_the_same_in_both() -> None:
    seen: dict[str, Entry] = {}
    for name in FILES:
        for package, entry in entries(name).items():
            assert seen.setdefault(package, entry) == entry
    assert {path.stem for path in FOLDER.iterdir()} == set(FILES)
    assert {*entries("device"), *entries("centre")} <= set(entries("test"))


def wheel(name: str) -> dict[str, Any]:
    return {"url": f"https://index.example/{name}", "hashes": {"sha256": f"{name}'s"}}


def lock(*wheels: str, name: str = "fast", **more: Any) -> dict[str, Any]:
    sdist = wheel(f"{name}-1.0.tar.gz")
    return {"packages": [{"name": name, "version": "1.0", "wheels": list(map(wheel, wheels)), "sdist": sdist, **more}]}


ABI3 = ("fast-1.0-cp39-abi3-manylinux_2_17_x86_64.whl", "fast-1.0-cp39-abi3-manylinux2014_aarch64.whl")


def named(text: str) -> list[str]:
    return re.findall(r"^# (fast\S+)$", text, re.M)


def test_only_what_pip_takes_at_one_of_the_places_is_named() -> None:
    others = [
        "fast-1.0-cp39-abi3-manylinux_2_17_armv7l.whl",
        "fast-1.0-cp39-abi3-musllinux_1_2_x86_64.whl",
        "fast-1.0-cp39-abi3-macosx_11_0_arm64.whl",
        "fast-1.0-cp39-abi3-manylinux_2_39_x86_64.whl",  # Debian 12 has glibc 2.36
        "fast-1.0-cp314-cp314-manylinux_2_17_x86_64.whl",
        "fast-1.0-py3-none-any.whl",  # slower, and nobody takes it
    ]
    assert named(rendered(lock(*others, *ABI3))) == sorted(ABI3)


def test_a_wheel_made_for_one_python_is_taken_before_one_for_many() -> None:
    own = "fast-1.0-cp313-cp313-manylinux_2_28_aarch64.whl"
    assert named(rendered(lock(*ABI3, own))) == sorted((*ABI3, own))


def test_names_and_hashes_stand_in_the_same_order() -> None:
    text = rendered(lock(*reversed(ABI3)))
    assert re.findall(r"--hash=sha256:(\S+)'s", text) == named(text)


def test_a_package_without_a_wheel_for_one_place_is_refused_by_name() -> None:
    with pytest.raises(Unfit, match=r"fast 1\.0 has no wheel for Python 3\.11 on aarch64"):
        rendered(lock(ABI3[0]))
    with pytest.raises(Unfit):
        rendered(lock())
    assert "# sdnotify-1.0.tar.gz" in rendered(lock(name="sdnotify"))


def test_a_renewal_tells_a_file_that_was_exchanged_from_a_new_one() -> None:
    before = rendered(lock(*ABI3))
    assert exchanged(before, before) == exchanged("", before) == []
    assert exchanged(before, rendered(lock(*ABI3, "fast-1.0-cp313-cp313-manylinux_2_28_aarch64.whl"))) == []
    assert exchanged(before, before.replace(f"{ABI3[1]}'s", "another")) == [ABI3[1]]


def test_a_package_for_some_places_keeps_its_condition_and_one_for_none_is_left_out() -> None:
    assert "fast==1.0 \\" in rendered(lock(*ABI3, marker="sys_platform == 'linux'"))
    assert "fast==1.0 ; python_version < '3.12' \\" in rendered(lock(*ABI3, marker="python_version < '3.12'"))
    assert "fast" not in rendered(lock(*ABI3, marker="sys_platform == 'win32'"))
    assert named(rendered(lock(*ABI3, marker="platform_machine == 'aarch64'"))) == [ABI3[1]]


def from_setup(script: str, **variables: str) -> str:
    said = subprocess.run(
        ["bash", "-c", f"set -Eeuo pipefail; source {SETUP}; {script}"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout


def test_setup_knows_the_places_that_the_files_are_for() -> None:
    listed = re.findall(r"'(\d)\.(\d+) (\w+)'", from_setup("declare -f python_fits"))
    assert [((int(major), int(minor)), machine) for major, minor, machine in listed] == list(PLACES)


def test_another_python_is_refused_before_anything_is_fetched_for_it(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho 3.12 x86_64\n", "utf-8")
    python.chmod(0o755)
    said = from_setup(f"PYTHON={python}; (python_fits) 2>&1 || echo refused")
    assert "is Python 3.12 on x86_64, and nobody checked our packages for it" in said and said.endswith("refused\n")


def test_what_apt_installed_is_left_to_apt_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "apt.txt").write_text("numpy==1.24.2\nPillow==9.4.0\n", "utf-8")
    device = FOLDER / "device.txt"
    left = from_setup(f"left_to_pip {device} {tmp_path}/apt.txt")
    (tmp_path / "apt.txt").write_text("", "utf-8")
    assert from_setup(f"left_to_pip {device} {tmp_path}/apt.txt") == device.read_text("utf-8")
    gone = [line for line in device.read_text("utf-8").splitlines() if line not in left.splitlines()]
    assert [line for line in gone if "==" in line] == [
        f"{name}=={entries('device')[name].version} \\" for name in ("numpy", "pillow")
    ]
    hashes = {f"sha256:{one}" for name in ("numpy", "pillow") for one in entries("device")[name].hashes}
    assert {line.strip(" \\").removeprefix("--hash=") for line in gone if "--hash" in line} == hashes


def test_nothing_is_fetched_past_the_hashes_and_apts_signatures() -> None:
    scripts = [
        SETUP,
        ROOT / ".ci/run",
        *(path for path in (ROOT / "tests/guest").iterdir() if path.suffix in ("", ".sh")),
    ]
    for path in scripts:
        text = path.read_text("utf-8").replace("\\\n", "")
        calls = [line for line in text.splitlines() if re.search(r"\bpip\b.* install\b", line)]
        assert all("--require-hashes" in call or "--no-index" in call for call in calls), (path.name, calls)
        unsigned = r"\b(curl|wget|apt-key|add-apt-repository)\b|trusted=yes|unauthenticated|playwright install|npm|npx"
        assert not re.search(unsigned, text, re.I), path.name
