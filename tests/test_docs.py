"""The documents speak of this repository: their links, paths, commands and words are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WITH_LINKS = (*sorted(ROOT.glob("*.md")), ROOT / "hardware/reading/README.md", *sorted((ROOT / "systemd").glob("*.md")))
WITH_PATHS = ("README.md", "CONTRIBUTING.md", "DECISIONS.md", "hardware/reading/README.md")
FOLDERS = ("kiosk", "hardware", "sync", "systemd", "tests")
WORDS = {
    "pass", "credential", "serial", "scope", "holder", "label", "compound", "dwelling", "household", "application",
    "slot", "hand-over", "gate", "lane", "lock", "reader", "presentation", "repeat", "decision", "grant", "refer",
    "deny", "reason", "ruling", "override", "passage", "use", "passback", "journal", "event", "list", "feed", "cursor",
    "epoch", "snapshot", "enrolment", "withdrawal", "anchor", "enforcement", "lockdown", "time state", "verb", "right",
    "role",
}  # fmt: skip


def committed() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git working tree")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def blocks(document: str) -> list[str]:
    """The blocks of commands: those that name no language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / document).read_text("utf-8"), re.DOTALL | re.M)
    return [block for language, block in fenced if not language]


def named_paths(document: str) -> set[str]:
    """What stands in backticks and is a folder or a file of ours, with or without the way to it."""
    prose = re.sub(r"```.*?```", "", (ROOT / document).read_text("utf-8"), flags=re.DOTALL)
    quoted = re.findall(r"`([\w./-]+)(?:::\w+)?`", prose)
    ours = rf"({'|'.join(FOLDERS)})/.*|[^/].*\.(py|md|html)|[^/].*/"
    return {path for path in quoted if re.fullmatch(ours, path)}


def exists(path: str, files: list[str], beside: Path) -> bool:
    if (ROOT / path).exists() or (beside / path).exists():
        return True
    if path.endswith("/"):
        return any(f"/{path}" in f"/{name}" for name in files)
    return any(f"/{name}".endswith(f"/{path}") for name in files)


@pytest.mark.parametrize("document", WITH_LINKS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text("utf-8"))
    relative = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in relative if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", WITH_PATHS)
def test_every_path_in_backticks_exists(document: str) -> None:
    files, paths = committed(), named_paths(document)
    assert paths
    assert [path for path in sorted(paths) if not exists(path, files, (ROOT / document).parent)] == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_script_in_a_command_exists(document: str) -> None:
    scripts = [word for block in blocks(document) for word in re.findall(r"^(?:sudo |python )?([\w./]+)", block, re.M)]
    ours = [script for script in scripts if script.startswith(("./", "tests/"))]
    assert ours
    assert [script for script in ours if not (ROOT / script).is_file()] == []


@pytest.mark.parametrize("program", ["kiosk", "sync.server"])
def test_every_command_of_the_readme_is_one_the_program_lists(program: str) -> None:
    text = "".join(blocks("README.md"))
    commands = set(re.findall(rf"python -m {re.escape(program)} ([a-z][a-z-]+)", text))
    told = subprocess.run(
        [sys.executable, "-m", program, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = set(re.findall(r"^  ([a-z][a-z-]+) ", told.stdout, re.M))
    assert commands
    assert commands <= listed


def test_each_line_about_a_compromised_part_names_tests_that_are_here() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    section = readme.partition("## What a compromised part can do, and cannot\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^- \*\*.*?(?=^- \*\*|^$|\Z)", section, re.DOTALL | re.M)
    assert len(lines) >= 10
    for line in lines:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert named, f"no test is named: {line}"
        for path, test in named:
            assert re.search(rf"^def {test}\(", (ROOT / path).read_text("utf-8"), re.M), f"{path} has no {test}"


def test_the_glossary_has_its_words() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (\*\*.+) \|$", contributing, re.M)
    assert set(re.findall(r"\*\*([^*]+)\*\*", "\n".join(rows))) >= WORDS


def test_every_decision_has_a_date_and_a_cost() -> None:
    decisions = (ROOT / "DECISIONS.md").read_text("utf-8")
    entries = re.findall(r"^(\d+)\. (.+?)(?=^\d+\. |^#|\Z)", decisions, re.M | re.DOTALL)
    assert sorted(int(number) for number, _ in entries) == list(range(1, len(entries) + 1))
    for number, entry in entries:
        assert re.search(r"\(20\d\d-\d\d-\d\d\)", entry) and "*Cost:*" in entry, number
        assert len(entry.strip().splitlines()) <= 4, number


def test_no_file_refers_to_a_document_that_is_not_here() -> None:
    files = committed()
    here = {Path(name).name for name in files}
    for name in files:
        text = (ROOT / name).read_bytes().decode("utf-8", "ignore")
        assert set(re.findall(r"\b[A-Z]{3,}\.md\b", text)) <= here, name
