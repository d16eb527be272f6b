"""The rules of the house: who may import whom, who may name a vendor's library, what lies at the top."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("kiosk", "hardware", "sync")
TOP = {
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "DECISIONS.md", "LICENSE", "pyproject.toml", "setup.sh",
    "kiosk", "hardware", "sync", "systemd", "tests",
}  # fmt: skip
ONLY_IN = {
    "picamera2": "hardware/camera.py",
    "libcamera": "hardware/camera.py",
    "zxingcpp": "hardware/reading/engines.py",
    "pyzbar": "hardware/reading/engines.py",
    "gpiozero": "hardware/gpio.py",
    "lgpio": "hardware/gpio.py",
}
# Who may meet whom, outermost first: a module imports modules of its own rank or of a later one.
ORDER = (
    ("kiosk.__main__",),
    ("kiosk.core.gate",),
    ("kiosk.core.policy",),
    ("sync.credential", "sync.cache"),
    ("sync.protocol",),
)


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git working tree")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """Every module a file names, wherever in it the import stands."""
    package = module_name(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


SOURCES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}
IMPORTS = {name: set(imported(path)) for name, path in SOURCES.items()}


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def crossings(importer: str, forbidden: str) -> list[str]:
    """Imports of anything in ``forbidden`` by anything in ``importer``."""
    return [
        f"{name} imports {target}"
        for name, targets in IMPORTS.items()
        if within(name, importer)
        for target in sorted(targets)
        if within(target, forbidden)
    ]


@pytest.mark.parametrize(
    ("importer", "forbidden"),
    [
        ("hardware", "kiosk"),
        ("hardware", "sync"),
        ("sync", "kiosk"),
        ("sync", "hardware"),
        ("kiosk", "sync.server"),
        ("sync.protocol", "sync.credential"),
        ("sync.protocol", "sync.cache"),
        ("kiosk.guard", "kiosk.core.gate"),
        ("kiosk.guard", "kiosk.core.journal"),
        ("kiosk.guard", "hardware"),
        ("kiosk.reader.process", "kiosk.core.gate"),
        ("kiosk.reader.process", "kiosk.core.journal"),
    ],
)
def test_direction_is_held(importer: str, forbidden: str) -> None:
    assert crossings(importer, forbidden) == []


def test_device_side_of_sync_never_meets_the_centre() -> None:
    ours = [name for name in SOURCES if within(name, "sync") and not within(name, "sync.server")]
    assert [crossing for name in ours if name != "sync" for crossing in crossings(name, "sync.server")] == []


def test_inner_modules_do_not_know_the_outer_ones() -> None:
    for rank, modules in enumerate(ORDER):
        outer = [name for names in ORDER[:rank] for name in names]
        for module in modules:
            assert [crossing for name in outer for crossing in crossings(module, name)] == []


def test_only_the_main_program_is_imported_by_nobody() -> None:
    assert [crossing for package in PACKAGES for crossing in crossings(package, "kiosk.__main__")] == []


def test_policy_and_wire_are_pure() -> None:
    shells = {"time", "os", "socket", "sqlite3", "random", "threading", "requests", "pathlib", "subprocess"}
    for name in ("kiosk.core.policy", "kiosk.core.lane", "sync.protocol"):
        if name in IMPORTS:
            assert not {target.split(".")[0] for target in IMPORTS[name]} & shells, name


@pytest.mark.parametrize(("library", "home"), ONLY_IN.items())
def test_vendor_library_is_named_in_one_file(library: str, home: str) -> None:
    users = {
        str(SOURCES[name].relative_to(ROOT))
        for name, targets in IMPORTS.items()
        if any(within(target, library) for target in targets)
    }
    assert users <= {home}


def test_top_level_holds_the_house_and_nothing_else() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in committed()}
    assert {name for name in top if not name.startswith(".")} <= TOP


def test_no_cluttered_modules() -> None:
    assert not [name for name in SOURCES if re.search(r"(^|\.)_?(utils?|helpers?|common|misc|manager)$", name)]


def test_readme_says_the_two_commands_first() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = [
        line.split("#")[0].strip()
        for block in re.findall(r"```(?:\w*)\n(.*?)```", readme, re.DOTALL)
        for line in block.splitlines()
        if re.match(r"(sudo )?\./|(sudo )?(apt|pip|git|python|bash)\b", line)
    ]
    assert commands[:2] == ["./setup.sh demo", "./setup.sh test"]
    assert len(readme.splitlines()) <= 200


def test_no_file_names_a_developers_machine() -> None:
    # Put together here, so that this file does not name them either.
    machine = re.compile("|".join(rf"/{folder}/" for folder in ("wor" + "k", r"\.libr" + "ary", "opt/py" + "pi")))
    for path in committed():
        text = path.read_bytes().decode("utf-8", "ignore")
        assert not machine.search(text), path


def test_no_secret_is_committed() -> None:
    """Outside the tests, which carry made-up ones of their own."""
    secret = re.compile("-----BEGIN [A-Z ]*" + "PRIVATE KEY-----|" + "gh[pousr]_" + "[A-Za-z0-9]{30}|AKIA[A-Z0-9]{16}")
    for path in committed():
        if path.is_relative_to(ROOT / "tests"):
            continue
        assert not secret.search(path.read_bytes().decode("utf-8", "ignore")), path
        assert path.suffix not in {".key", ".pem", ".db", ".sqlite"}, path
