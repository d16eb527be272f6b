"""Writes ``systemd/requirements``: which Python packages setup.sh installs, each of their files by its hash.

``./setup.sh requirements`` runs this with uv and packaging, in a virtual environment that is thrown away. uv chooses
the versions and lists their files. What is written names, for each of ``PYTHONS`` on each of ``MACHINES``, the one file
that pip takes there. Versions stay as they are written, unless pyproject.toml or ``--upgrade`` wants others.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "systemd/requirements"
SETS = {"device": ("device",), "centre": ("centre",), "test": ("device", "centre", "test")}
"""The files of our own program, and the extras of pyproject.toml that each is for."""
PYTHONS = ((3, 11), (3, 13))
"""Those of Debian 12 and 13. setup.sh refuses others."""
MACHINES = ("x86_64", "aarch64")
PLACES = tuple(product(PYTHONS, MACHINES))
GLIBC = 36
"""2.36 is Debian 12's; Debian 13's is newer and runs the same wheels."""
SOURCES = ("sdnotify",)
"""No wheel of these is on the index. Pure Python: the setuptools of ``build.txt`` builds it at the installation."""
TOOL = ("uv", "packaging")
HEAD = """\
# Written by ./setup.sh requirements, see CONTRIBUTING.md. Do not change it by hand.
# Each package stands below the names of its files; its hashes are in their order.
--require-hashes
--only-binary :all:
"""


class Unfit(Exception):
    """A package has no file for one of the places. Another version of it may have one."""


def taken_tags(python: tuple[int, int], machine: str) -> list[Tag]:
    """The tags of wheels that pip takes there, the best first (PEP 425 and 600)."""
    linux = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC, 4, -1)]
    old_names = {"manylinux_2_17": "manylinux2014", "manylinux_2_12": "manylinux2010", "manylinux_2_5": "manylinux1"}
    for name, old in old_names.items():
        linux.insert(linux.index(f"{name}_{machine}") + 1, f"{old}_{machine}")
    linux.append(f"linux_{machine}")
    return [
        *cpython_tags(python, platforms=linux),
        *compatible_tags(python, f"cp{python[0]}{python[1]}", linux),
    ]


RANKS = {place: {tag: rank for rank, tag in enumerate(taken_tags(*place))} for place in PLACES}


def is_wanted(package: Mapping[str, Any], python: tuple[int, int], machine: str) -> bool:
    version = f"{python[0]}.{python[1]}"
    return "marker" not in package or Marker(package["marker"]).evaluate(
        {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{version}.0",
            "python_version": version,
            "sys_platform": "linux",
        }
    )


def file_name(file: Mapping[str, Any]) -> str:
    return unquote(str(file["url"]).rsplit("/", 1)[1])


def taken_file(package: Mapping[str, Any], place: tuple[tuple[int, int], str]) -> Mapping[str, Any]:
    """The file of this package that pip takes at that place.

    Raises:
        Unfit: there is none, or only a source that was not looked at.
    """
    ranked = []
    for wheel in package.get("wheels", ()):
        _, _, build, tags = parse_wheel_filename(file_name(wheel))
        ranks = [RANKS[place][tag] for tag in tags if tag in RANKS[place]]
        if ranks:
            ranked.append((min(ranks), tuple(-part if isinstance(part, int) else part for part in build), wheel))
    if ranked:
        return min(ranked, key=lambda one: one[:2])[2]
    if package["name"] in SOURCES:
        return package["sdist"]
    (major, minor), machine = place
    raise Unfit(f"{package['name']} {package['version']} has no wheel for Python {major}.{minor} on {machine}")


def entry(package: Mapping[str, Any]) -> str:
    """One package as pip reads it; nothing where no place wants it."""
    wanted = [place for place in PLACES if is_wanted(package, *place)]
    if not wanted:
        return ""
    files = {file_name(file): file["hashes"]["sha256"] for file in (taken_file(package, place) for place in wanted)}
    names = "".join(f"# {name}\n" for name in sorted(files))
    hashes = "".join(f" \\\n    --hash=sha256:{files[name]}" for name in sorted(files))
    marker = f" ; {package['marker']}" if len(wanted) < len(PLACES) else ""
    return f"\n{names}{package['name']}=={package['version']}{marker}{hashes}\n"


def rendered(lock: Mapping[str, Any]) -> str:
    """A file of requirements.

    Args:
        lock: as uv writes it, by PEP 751: ``packages``, each with ``name``, ``version``, ``wheels``, ``sdist``.
    """
    packages = sorted(lock["packages"], key=lambda package: package["name"])
    sources = "".join(f"--no-binary {name}\n" for name in SOURCES)  # in each: of two files the last one's options hold
    return HEAD + sources + "".join(map(entry, packages))


class Uv:
    """uv, asked for the packages of pyproject.toml. It finds the index by its own configuration."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self._folder, self._options = folder, options

    def versions(self, upgrades: Sequence[str]) -> Path:
        """One version of each package for everything that is installed anywhere, those of today where they fit."""
        path = self._folder / "versions.txt"
        today = {pin for file in FOLDER.glob("*.txt") for pin in re.findall(r"^[\w-]+==[\w.]+", file.read_text(), re.M)}
        path.write_text("\n".join(sorted(today)))
        self._compile(
            path, [ROOT / "pyproject.toml", self._list(*TOOL, *build_requirements())], "--all-extras", *upgrades
        )
        return path

    def lock(self, versions: Path, *wanted: str, extras: Sequence[str] = ()) -> Mapping[str, Any]:
        """The files of our program with these extras, or else of the packages wanted."""
        path = self._folder / "pylock.toml"
        path.unlink(missing_ok=True)
        source = ROOT / "pyproject.toml" if extras else self._list(*wanted)
        options = [option for extra in extras for option in ("--extra", extra)]
        self._compile(path, [source], "--constraints", str(versions), "--format", "pylock.toml", *options)
        return tomllib.loads(path.read_text("utf-8"))

    def _list(self, *wanted: str) -> Path:
        path = self._folder / "wanted.in"
        path.write_text("\n".join(wanted))
        return path

    def _compile(self, output: Path, sources: Sequence[Path], *options: str) -> None:
        program = Path(sys.executable).with_name("uv")
        version = f"{PYTHONS[0][0]}.{PYTHONS[0][1]}"
        always = ("--quiet", "--universal", "--python-version", version, "--fork-strategy", "fewest", "--system-certs")
        subprocess.run(
            [program, "pip", "compile", *always, *options, *self._options, "-o", output, *sources], cwd=ROOT, check=True
        )


def build_requirements() -> list[str]:
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"])


def files(uv: Uv, upgrades: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and contents."""
    versions = uv.versions(upgrades)
    yield "build.txt", rendered(uv.lock(versions, *build_requirements()))
    yield "tool.txt", rendered(uv.lock(versions, *TOOL))
    for name, extras in SETS.items():
        yield f"{name}.txt", rendered(uv.lock(versions, extras=extras))


def hashes(text: str) -> dict[str, str]:
    """Of one of our files: the hash of each file it names."""
    names = re.findall(r"^# (\S+\.(?:whl|tar\.gz))$", text, re.M)
    return dict(zip(names, re.findall(r"--hash=sha256:(\S+)", text), strict=True))


def exchanged(before: str, after: str) -> list[str]:
    """The files that have another hash under the same name. An index never exchanges a file: somebody did."""
    known = hashes(before)
    return sorted(name for name, now in hashes(after).items() if known.get(name, now) != now)


def main() -> None:
    parser = argparse.ArgumentParser(prog="./setup.sh requirements", epilog="Other arguments go to uv pip compile.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    parser.add_argument("--upgrade-package", metavar="NAME", action="append", default=[], help="of this package alone")
    given, options = parser.parse_known_args()
    upgrades = [
        *(["--upgrade"] if given.upgrade else []),
        *(f"--upgrade-package={one}" for one in given.upgrade_package),
    ]
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = dict(files(Uv(Path(folder), options), upgrades))
        except Unfit as unfit:
            sys.exit(f"requirements: {unfit}. Bound it in pyproject.toml, and run this again; nothing was written")
        except subprocess.CalledProcessError:
            sys.exit("requirements: uv found no versions, see above; nothing was written")
    before = {name: (FOLDER / name).read_text("utf-8") for name in written if (FOLDER / name).exists()}
    if strange := sorted({file for name, text in before.items() for file in exchanged(text, written[name])}):
        sys.exit(f"requirements: other hashes than before for {', '.join(strange)}: an alarm. Nothing was written")
    for name, text in written.items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
