"""Tables people send and take away: ``.xlsx`` and ``.csv`` in, ``.xlsx`` out.

What comes in is hostile until it is read: archives that unfold to more than 40 MiB, XML with declarations of its own,
other formats under a table's name are one clear sentence. What goes out is inert: a cell that would be read as a
formula is text, whatever program opens it.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from sync.server.centre.errors import CentreError

MOST_ROWS = 50_000
MOST_COLUMNS = 40
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MOST_UNFOLDED = 40 << 20
_MOST_EMPTY_ROWS = 10_000
_DECLARATIONS = tuple("<!DOCTYPE".encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be"))
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_BROKEN = (InvalidFileException, zipfile.BadZipFile, ParseError, KeyError, ValueError, TypeError, AttributeError,
           IndexError, OSError, EOFError, NotImplementedError, OverflowError, RuntimeError)  # fmt: skip

Line = tuple[int, list[str]]
"""The number of a line in its file, and its cells as text."""


def read_table(content: bytes) -> list[Line]:
    """Every line that is not empty. Raises CentreError for an invalid table, in words for its sender."""
    if not content:
        raise CentreError("文件是空的。", "The file is empty.")
    if content.startswith(b"PK"):
        return _limited(_read_xlsx(content))
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise CentreError(
            "这是旧的.xls或加了密码的文件。请另存为.xlsx，不加密码。",
            "This is an old .xls, or protected by a password. Save it as .xlsx without one.",
        )
    return _limited(_read_csv(content))


def _limited(lines: Iterator[Line]) -> list[Line]:
    found: list[Line] = []
    for number, cells in lines:
        cells = [cell.strip() for cell in cells[:MOST_COLUMNS]]
        if any(cells):
            found.append((number, cells))
        if len(found) > MOST_ROWS + 1 or number > MOST_ROWS + _MOST_EMPTY_ROWS:
            raise CentreError(f"超过{MOST_ROWS}行，请分几次。", f"More than {MOST_ROWS} lines. Send it in parts.")
    if not found:
        raise CentreError("表里没有内容。", "There is nothing in this table.")
    return found


def _read_xlsx(content: bytes) -> Iterator[Line]:
    try:
        _check_archive(content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True), 1):
            yield number, [_text(value) for value in row]
    except _BROKEN as err:
        raise CentreError("文件损坏，或不是.xlsx表格。", "This file is damaged, or no .xlsx table.") from err


def _check_archive(content: bytes) -> None:
    """Nothing in it is larger than it says: reading stops at the size an entry declares."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if len(entries) > 2000 or sum(entry.file_size for entry in entries) > _MOST_UNFOLDED:
            raise CentreError("这个文件解开后太大，不能读。", "This file unfolds to far too much.")
        for entry in entries:
            if entry.filename.endswith((".xml", ".rels")) and _declares(archive, entry):
                raise CentreError("文件里有不该有的内容，不能读。", "This file holds what no table has.")


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
