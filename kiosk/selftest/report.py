"""The report: one .zip with a text to read and the figures as JSON. Nothing in it is secret or about a person.

Left out on purpose: the configuration, host name, addresses, serial numbers, logs and pictures.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from kiosk.selftest import days, power
from kiosk.selftest.step import Result
from kiosk.selftest.words import STEPS
from sync.durable import replace_durably

WHOLE = (power.BOOTS, days.SAMPLES)
"""Files that go in as they are: every boot, every sample of the day."""


def in_words(begun: str, results: Mapping[str, Result]) -> str:
    """For people: a table of all steps, then each with what it saw and what was expected."""
    counts = Counter(result.verdict for result in results.values())
    lines = [
        "# First hour on a board",
        "",
        f"Begun {begun}. {counts['held']} held, {counts['not held']} not held, {counts['skipped']} skipped.",
        "",
        *(_row(name, result) for name, result in results.items()),
        "",
    ]
    for name, result in results.items():
        lines += _section(name, result)
    return "\n".join(lines)


def _row(name: str, result: Result) -> str:
    return f"- {result.verdict:8}  {name:22} {'; '.join(result.why)}".rstrip()


def _section(name: str, result: Result) -> list[str]:
    words = STEPS[name.partition(":")[0]]
    title = words.title[1].format(lane=name.partition(":")[2])
    lines = [f"## {name}: {title}", "", f"expected: {words.expected[1]}", f"verdict: {result.verdict}"]
    lines += [f"why: {why}" for why in result.why]
    lines += [f"when: {result.at}, {result.took_s} s", ""]
    lines += [f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in result.saw.items()]
    return [*lines, ""]


def write(path: Path, begun: str, results: Mapping[str, Result], folder: Path) -> None:
    """Replace the report at ``path``. Raises OSError."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("report.md", in_words(begun, results))
        figures = {"begun": begun, "steps": msgspec.to_builtins(dict(results))}
        file.writestr("report.json", json.dumps(figures, indent=1, ensure_ascii=False))
        for name in WHOLE:
            if (folder / name).exists():
                file.writestr(name, (folder / name).read_bytes())
    replace_durably(path, packed.getvalue(), mode=0o644)
