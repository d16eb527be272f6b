"""Tables people send and take away: ``.xlsx`` and ``.csv`` in, ``.xlsx`` out.

What comes in is hostile until it is read: archives that unfold to more than 40 MiB, or cost more than they should
(:mod:`.unfolding`), XML with declarations of its own, other formats under a table's name are one clear sentence. What
goes out is inert: a cell that would be read as a formula is text, whatever program opens it.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

import sync
from sync.server.centre.errors import CentreError
from sync.server.people import unfolding
from sync.server.people.unfolding import Line, TooMany, limited

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_UNFOLDING = threading.Semaphore(2)
"""Each takes a processor while it lasts."""


def read_table(content: bytes) -> list[Line]:
    """Every line that is not empty. Raises CentreError for an invalid table, in words for its sender."""
    if not content:
        raise CentreError("文件是空的。", "The file is empty.")
    if content.startswith(b"PK"):
        return _not_empty(_unfold(content))
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise CentreError(
            "这是旧的.xls或加了密码的文件。请另存为.xlsx，不加密码。",
            "This is an old .xls, or protected by a password. Save it as .xlsx without one.",
        )
    return _not_empty(_limited(_read_csv(content)))


def _not_empty(lines: list[Line]) -> list[Line]:
    if not lines:
        raise CentreError("表里没有内容。", "There is nothing in this table.")
    return lines


def _limited(lines: Iterator[Line]) -> list[Line]:
    try:
        return limited(lines)
    except TooMany:
        raise CentreError(*unfolding.TOO_MANY) from None


def _unfold(content: bytes) -> list[Line]:
    """An .xlsx is read in a program of its own, which may take only so much time and memory."""
    command = [sys.executable, "-P", "-m", unfolding.__name__]
    home = {"PYTHONPATH": str(Path(sync.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    with _UNFOLDING:
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                command, input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=home,
                timeout=unfolding.LONGEST_S, check=True,
            )  # fmt: skip
            unfolded = msgspec.msgpack.decode(done.stdout, type=unfolding.Unfolded)
        except (subprocess.SubprocessError, msgspec.MsgspecError):
            raise CentreError(*unfolding.TOO_COSTLY) from None
    if unfolded.why:
        raise CentreError(*unfolded.why)
    return unfolded.lines


def _read_csv(content: bytes) -> Iterator[Line]:
    words = _decoded(content)
    if "\0" in words:
        raise CentreError("这不是表格。请用.xlsx或.csv。", "This is no table. Send .xlsx or .csv.")
    first = words.lstrip().split("\n", 1)[0]
    reader = csv.reader(io.StringIO(words, newline=""), delimiter=max(",;\t", key=first.count))
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as err:
        raise CentreError(
            f"这个.csv的第{reader.line_num}行读不出来。", f"Line {reader.line_num} of this .csv cannot be read."
        ) from err


def _decoded(content: bytes) -> str:
    codes = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for code in codes:
        try:
            return content.decode(code)
        except UnicodeDecodeError:
            continue
    raise CentreError(
        "文件里的字读不出来。请另存为.xlsx，或UTF-8的.csv。",
        "The signs in this file cannot be read. Save it as .xlsx, or .csv in UTF-8.",
    )


def write_table(file: IO[bytes], headings: Sequence[str], rows: Iterable[Sequence[str | int]], title: str,
                above: Sequence[str] = ()) -> int:  # fmt: skip
    """An ``.xlsx`` with a heading line that stays in sight, written row by row in constant memory; how many rows.
    ``above`` are lines over the headings, one cell each."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    sheet.freeze_panes = f"A{len(above) + 2}"
    for column, heading in enumerate(headings, 1):
        sheet.column_dimensions[get_column_letter(column)].width = max(12, 2 * len(heading))
    for line in above:
        sheet.append([_cell(sheet, line)])
    sheet.append([_cell(sheet, heading, bold=True) for heading in headings])
    count = 0
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
        count += 1
    book.save(file)
    return count


def _cell(sheet: Any, value: str | int, bold: bool = False) -> Any:
    if isinstance(value, int):
        return value
    value = "".join(sign if sign.isprintable() or sign in "\t\r\n" else "\ufffd" for sign in value)
    if not bold and not value.startswith(_FORMULA_SIGNS):
        return value
    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    cell.quotePrefix = True
    if bold:
        cell.font = Font(bold=True)
        cell.alignment = Alignment(vertical="center")
    return cell
