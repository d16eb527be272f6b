"""A program that reads one ``.xlsx`` from its input and ends: ``python -m sync.server.people.unfolding``.

A table is hostile until it is read. A file of 96 kB can hold two million styles, which cost a minute and a gigabyte,
and what was allocated once stays. So nothing here is read in the process that serves the town, and the system ends this
one at its limits. What comes out are the lines, or the words of what is wrong.
"""

from __future__ import annotations

import io
import resource
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any
from xml.etree.ElementTree import ParseError

import msgspec

MOST_ROWS = 50_000
MOST_COLUMNS = 40
MOST_EMPTY_ROWS = 10_000
CPU_S = 30
"""50,000 lines of 11 columns took 9 s, and 146 MB, on a busy machine."""
LONGEST_S = 60.0
MEMORY_BYTES = 512 << 20
_MOST_UNFOLDED = 40 << 20
_BROKEN = (zipfile.BadZipFile, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError, OSError,
           EOFError, NotImplementedError, OverflowError, RuntimeError)  # fmt: skip
"""What openpyxl and its parts raise on hostile input; its own errors are ValueErrors."""
_DECLARATIONS = tuple("<!DOCTYPE".encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be"))

Line = tuple[int, list[str]]
"""The number of a line in its file, and its cells as text."""


class Unfolded(msgspec.Struct):
    """What was read. ``why`` (zh, en) is set where the file was not taken."""

    lines: list[Line] = []
    why: tuple[str, str] | None = None


class _Refused(Exception):
    """A table that is not taken; the words are for its sender."""


DAMAGED = ("文件损坏，或不是.xlsx表格。", "This file is damaged, or no .xlsx table.")
TOO_COSTLY = (
    "这个文件太复杂，读不了。请只留下表格里的字，另存为新的.xlsx或.csv。",
    "This file takes too much to read. Copy the words alone into a new .xlsx or .csv.",
)
TOO_LARGE = ("这个文件解开后太大，不能读。", "This file unfolds to far too much.")
TOO_MANY = (f"超过{MOST_ROWS}行，请分几次。", f"More than {MOST_ROWS} lines. Send it in parts.")
NOT_A_TABLE = ("文件里有不该有的内容，不能读。", "This file holds what no table has.")


def main() -> None:
    """Read within the limits, and say what was found. Killed by the system where that takes too much."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    sys.stdout.buffer.write(msgspec.msgpack.encode(read(sys.stdin.buffer.read())))


def read(content: bytes) -> Unfolded:
    """The lines of the first sheet that are not empty."""
    from openpyxl import load_workbook

    try:
        _check_archive(content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        rows = enumerate(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True), 1)
        return Unfolded(limited((number, [_text(value) for value in row]) for number, row in rows))
    except TooMany:
        return Unfolded(why=TOO_MANY)
    except _Refused as err:
        return Unfolded(why=err.args[0])
    except MemoryError:
        return Unfolded(why=TOO_COSTLY)
    except _BROKEN:
        return Unfolded(why=DAMAGED)


class TooMany(Exception):
    """More lines than are taken at once."""


def limited(lines: Iterator[Line]) -> list[Line]:
    """The lines that are not empty. Raises TooMany."""
    found: list[Line] = []
    for number, cells in lines:
        cells = [cell.strip() for cell in cells[:MOST_COLUMNS]]
        if any(cells):
            found.append((number, cells))
        if len(found) > MOST_ROWS + 1 or number > MOST_ROWS + MOST_EMPTY_ROWS:
            raise TooMany
    return found


def _check_archive(content: bytes) -> None:
    """Nothing in it is larger than it says: reading stops at the size an entry declares."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if len(entries) > 2000 or sum(entry.file_size for entry in entries) > _MOST_UNFOLDED:
            raise _Refused(TOO_LARGE)
        for entry in entries:
            if entry.filename.endswith((".xml", ".rels")) and _declares(archive, entry):
                raise _Refused(NOT_A_TABLE)


def _declares(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    with archive.open(entry) as part:
        head = part.read(4096)
    return any(declaration in head for declaration in _DECLARATIONS)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)


if __name__ == "__main__":
    main()
