"""Every error people meet has its texts in one order: Chinese, then English."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sync.server
from sync.server.centre.errors import CentreError, NoSuchThing

SERVER = Path(sync.server.__file__).parent
HAN = re.compile(r"[\u4e00-\u9fff]")


def classes_and_calls() -> tuple[set[str], list[tuple[Path, str, ast.Call]]]:
    """The names of CentreError and all its subclasses; every call in the centre, by the name that is called."""
    nodes = [(path, n) for path in SERVER.rglob("*.py") for n in ast.walk(ast.parse(path.read_text("utf-8")))]
    classes = [node for _, node in nodes if isinstance(node, ast.ClassDef)]
    errors, before = {"CentreError"}, 0
    while before != len(errors):
        before = len(errors)
        errors |= {c.name for c in classes if any(ast.unparse(base).split(".")[-1] in errors for base in c.bases)}
    calls = [(path, node) for path, node in nodes if isinstance(node, ast.Call)]
    calls += [(path, call) for path, c in nodes if isinstance(c, ast.ClassDef) for call in _of_super(c, errors)]
    return errors, [(path, ast.unparse(call.func).split(".")[-1], call) for path, call in calls]


def _of_super(made: ast.ClassDef, errors: set[str]) -> Iterator[ast.Call]:
    """What an error class gives its base, under the name of the base."""
    for call in ast.walk(made):
        if (
            made.name in errors - {"CentreError"}
            and isinstance(call, ast.Call)
            and ast.unparse(call.func) == "super().__init__"
        ):
            yield ast.Call(ast.Name("CentreError"), call.args, call.keywords)


def test_every_error_in_two_languages_has_its_chinese_text_first() -> None:
    errors, calls = classes_and_calls()
    pairs = [(path, call) for path, name, call in calls if name in errors and len(call.args) == 2]
    assert len(pairs) > 140
    for path, call in pairs:
        zh = ast.unparse(call.args[0])
        assert HAN.search(zh), f"{path}: {zh}"


def test_a_single_text_is_said_to_be_english() -> None:
    """A single text by position would be taken for the Chinese one."""
    own = {"Incomplete", "NotReady"}  # they take something else and make their own texts
    errors, calls = classes_and_calls()
    single = [(path, c) for path, name, c in calls if name in errors - own and len(c.args) + len(c.keywords) == 1]
    for path, call in single:
        wanted = isinstance(call.args[0], ast.Starred) if call.args else call.keywords[0].arg == "en"
        assert wanted, f"{path}: {ast.unparse(call)}"


@pytest.mark.parametrize("kind", [CentreError, NoSuchThing])
def test_an_error_reads_english_as_its_text_and_keeps_the_chinese(kind: type[CentreError]) -> None:
    assert (str(kind("没有", "None")), kind("没有", "None").zh) == ("None", "没有")
    assert (str(kind(en="None")), kind(en="None").zh) == ("None", "")
