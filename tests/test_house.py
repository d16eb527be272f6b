"""The house: who may import whom, who may name a vendor's library, how full a room is, what lies at the top."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections import Counter
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
PROCESSES = ("kiosk.core", "kiosk.reader", "kiosk.guard", "sync.agent")
"""The device's four processes, a folder each."""
FLOORS = (
    ("kiosk.__main__", "sync.server.__main__"),
    ("kiosk.demo", "kiosk.selftest"),
    ("kiosk.commands", "sync.server.commands"),
    ("sync.server.serve",),
    ("sync.server.app",),
    ("kiosk.core", "kiosk.reader", "kiosk.guard", "kiosk.courier", "sync.server.office"),
    ("kiosk", "sync.agent", "sync.server.residents"),
    ("sync.server.pages",),
    ("sync.server.views",),
    ("sync.server.people.made_up",),
    ("sync.server.opening",),
    ("sync.server.people.keeping",),
    ("sync.server.people.registers",),
    ("sync.server.people.collecting", "sync.server.people.deciding"),
    ("sync.server.people.households",),
    ("sync.server.people.dwellings",),
    ("sync.server.people",),
    ("sync.server.gates",),
    ("sync.server.passes",),
    ("sync.server.staff",),
    ("sync.server.centre",),
    ("sync.server.words",),
    ("sync.cache", "sync.credential", "sync.shifts", "sync.shift_words", "hardware.opening"),
    (
        "sync.protocol",
        "sync.durable",
        "sync.serving",
        "hardware.camera",
        "hardware.gpio",
        "hardware.simulated",
        "hardware.reading",
    ),
    ("sync.terms", "hardware"),
)
"""The rooms, highest floor first. A module imports from its own floor and from lower ones, never upwards."""
FULL = 15
"""Modules in a folder, beside ``__init__``. A folder with one module a page may hold more."""
ONE_A_PAGE = {"sync/server/office", "tests/browser"}


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


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_of_the_device_imports_no_other(process: str) -> None:
    others = [other for other in PROCESSES if other != process]
    assert [crossing for other in others for crossing in crossings(process, other)] == []


@pytest.mark.parametrize(
    ("importer", "forbidden"),
    [
        ("hardware", "kiosk"),
        ("hardware", "sync"),
        ("sync", "kiosk"),
        ("sync", "hardware"),
        ("kiosk", "sync.server"),
        ("kiosk.guard", "hardware"),
    ],
)
def test_direction_is_held(importer: str, forbidden: str) -> None:
    assert crossings(importer, forbidden) == []


def test_device_side_of_sync_never_meets_the_centre() -> None:
    ours = [name for name in SOURCES if within(name, "sync") and not within(name, "sync.server")]
    assert [crossing for name in ours if name != "sync" for crossing in crossings(name, "sync.server")] == []


def floor_of(module: str) -> int:
    """The floor of the innermost room that a module lies in; the ground floor where none is listed."""
    rooms = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    room = max((room for room in rooms if within(module, room)), key=len, default="")
    return rooms.get(room, len(FLOORS))


def arrows() -> list[tuple[str, str]]:
    """(importer, imported) among our own modules: of a package and a module in it, the module. The migrations read the
    tables of the store that runs them, and are left out."""
    met = [(name, target) for name, targets in IMPORTS.items() for target in sorted(targets & SOURCES.keys())]
    return [
        (name, target)
        for name, target in met
        if target != name
        and not any(within(module, "sync.server.migrations") for module in (name, target))
        and not any(other.startswith(f"{target}.") for other in IMPORTS[name] & SOURCES.keys())
    ]


def test_no_import_leads_upwards() -> None:
    assert [f"{name} imports {target}" for name, target in arrows() if floor_of(target) < floor_of(name)] == []


def test_no_imports_go_in_a_circle() -> None:
    waiting: dict[str, set[str]] = {name: set() for name in SOURCES}
    for importer, target in arrows():
        waiting[importer].add(target)
    while free := [name for name, targets in waiting.items() if not targets & waiting.keys()]:
        for name in free:
            del waiting[name]
    assert sorted(waiting) == []


def test_no_room_is_too_full() -> None:
    modules = Counter(
        str(path.parent.relative_to(ROOT))
        for path in committed()
        if path.suffix == ".py" and path.name not in ("__init__.py", "conftest.py")
    )
    assert {room: count for room, count in modules.items() if count > FULL and room not in ONE_A_PAGE} == {}


def test_no_test_module_is_a_library() -> None:
    lenders = re.compile(r"^\s*from (tests\.[\w.]*\btest_\w+) import", re.MULTILINE)
    tests = [path for path in committed() if path.is_relative_to(ROOT / "tests") and path.suffix == ".py"]
    assert {path.name: found for path in tests if (found := lenders.findall(path.read_text("utf-8")))} == {}


def test_a_browser_test_holds_no_element_that_the_page_may_draw_anew() -> None:
    held = {"query_selector", "query_selector_all", "element_handle", "element_handles", "bounding_box",
            "scroll_into_view_if_needed"}  # fmt: skip
    tests = [path for path in committed() if path.is_relative_to(ROOT / "tests") and path.suffix == ".py"]
    found = []
    for path in tests:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            whose = node.func.value
            of_a_page = getattr(whose, "attr", getattr(whose, "id", "")) in ("page", "screen")
            if node.func.attr in held or (node.func.attr == "screenshot" and not of_a_page):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.func.attr}")
    assert found == []


def test_only_the_main_program_is_imported_by_nobody() -> None:
    assert [crossing for package in PACKAGES for crossing in crossings(package, "kiosk.__main__")] == []


def test_policy_and_wire_are_pure() -> None:
    shells = {"time", "os", "socket", "sqlite3", "random", "threading", "requests", "pathlib", "subprocess"}
    for name in ("kiosk.core.policy", "kiosk.core.lanes.lane", "sync.protocol", "sync.terms"):
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


def test_everything_of_the_product_is_installed() -> None:
    """setuptools takes a folder with ``__init__`` and the other files that pyproject.toml lists, and nothing else."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    data = {path for package, globs in listed.items() for glob in globs
            for path in (ROOT / package.replace(".", "/")).glob(glob)}  # fmt: skip
    ours = [path for path in committed() if path.relative_to(ROOT).parts[0] in PACKAGES]
    assert [path for path in ours if path.suffix != ".py" and path not in data] == []
    assert {path.parent for path in ours if path.suffix == ".py"} <= {path.parent for path in SOURCES.values()}
    assert [path.parent for path in SOURCES.values() if not (path.parent / "__init__.py").exists()] == []


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
