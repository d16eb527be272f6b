"""Registers as files: written row by row in constant memory, recorded before they are given away.

Nothing is locked while a file is written: rows are read as of one moment, the record of who, when, what and why is one
short transaction after the last row, and only then does anybody get the file.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any

import msgspec
from sqlalchemy import Connection, func, insert, select

from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.writing import Centre
from sync.server.people.identity import one_line
from sync.server.people.registers import registers
from sync.server.people.registers.registers import At, Name, RegisterFilter
from sync.server.people.sheets import write_table

WHY = ("visit", "collection", "proof", "epidemic", "request", "other")
"""What an export can be for."""
_SHORTEST, _LONGEST = 4, 200
_ROWS_AT_A_TIME = 20  # a few milliseconds of work
Cell = str | int


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is for, in one of ``WHY`` and the person's own words; ``whole``: with full numbers."""

    code: str
    words: str
    whole: bool = False

    @property
    def text(self) -> str:
        return f"{self.code}: {self.words}"


class RegisterSheet(msgspec.Struct, frozen=True, kw_only=True):
    """How a table is worded. ``cells`` makes a line of a row and of its full numbers (empty unless they are wanted)."""

    title: str
    above: Sequence[str]
    headings: Sequence[str]
    cells: Callable[[Any, dict[str, str]], Sequence[Cell]]


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """A record of one."""

    export_id: str
    at_ms: int
    by: str
    what: str
    why: str
    whole: bool
    rows: int


def check_purpose(code: str, words: str, whole: bool) -> Purpose:
    """Raises CentreError where it does not say what for."""
    words = one_line(words)
    if code not in WHY:
        raise CentreError("请选择导出用途。", "Choose what the table is for.")
    if len(words) < _SHORTEST or len(words) > _LONGEST or not words.isprintable():
        raise CentreError(
            f"请用{_SHORTEST}到{_LONGEST}个字写明用途，表内居民可以看到。",
            f"Say in {_SHORTEST} to {_LONGEST} characters what it is for; the residents in it can read that.",
        )
    return Purpose(code=code, words=words, whole=whole)


def export(
    centre: Centre, at: At, name: Name, asked: RegisterFilter, sheet: RegisterSheet, purpose: Purpose, by: str
) -> IO[bytes]:
    """The rows asked for as ``.xlsx``, at its beginning; closing it deletes it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the answer closes it when it is sent)
    try:
        households: set[int] = set()
        with centre.store.read() as conn:
            lines = _lines(centre, registers.stream(conn, at, name, asked, purpose.whole), sheet, households)
            rows = write_table(file, sheet.headings, lines, sheet.title, sheet.above)
        _record(centre, at, name, asked, purpose, rows, households, by)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _lines(centre: Centre, found: Iterable[tuple[Any, dict[str, str]]], sheet: RegisterSheet,
           households: set[int]) -> Iterator[Sequence[Cell]]:  # fmt: skip
    for number, (row, full) in enumerate(found):
        if number % _ROWS_AT_A_TIME == 0:
            centre.store.give_way()
        households.add(row.household_id)
        yield sheet.cells(row, full)


def _record(centre: Centre, at: At, name: Name, asked: RegisterFilter, purpose: Purpose, rows: int,
            households: set[int], by: str) -> None:  # fmt: skip
    told = dict(asked.chosen) | ({"term": asked.term} if asked.term else {}) | ({"number": "*"} if asked.marks else {})
    with centre.writing(at.compound_id, by) as writing:
        row = {
            "compound_id": at.compound_id, "export_id": secrets.token_hex(8), "at_ms": writing.now_ms, "by": by,
            "what": name, "chosen": msgspec.json.encode(told).decode(), "why": purpose.text, "whole": purpose.whole,
            "rows": rows, "households": msgspec.json.encode(sorted(households)).decode(),
        }  # fmt: skip
        writing.conn.execute(insert(tables.export).values(row))
        about = f"{name}: {rows}{' whole' if purpose.whole else ''}"
        writing.audit("export", about, why=purpose.text)


def of_household(conn: Connection, compound_id: int, household_id: int, most: int = 100) -> list[Export]:
    """The exports a household's record was in, the newest first, as its own page lists them."""
    columns = tables.export.c
    ids = func.replace(func.replace(columns.households, "[", ","), "]", ",")
    wanted = (
        select(*(columns[name] for name in Export.__struct_fields__))
        .where(columns.compound_id == compound_id, ids.like(f"%,{int(household_id)},%"))
        .order_by(columns.at_ms.desc(), columns.export_id).limit(most)
    )  # fmt: skip
    return [Export(**dict(row) | {"whole": bool(row["whole"])}) for row in conn.execute(wanted).mappings()]


def newest(conn: Connection, compound_id: int, what: Name, most: int = 5) -> list[Export]:
    """The latest exports of one table."""
    columns = tables.export.c
    wanted = (
        select(*(columns[name] for name in Export.__struct_fields__))
        .where(columns.compound_id == compound_id, columns.what == what)
        .order_by(columns.at_ms.desc(), columns.export_id).limit(most)
    )  # fmt: skip
    return [Export(**dict(row) | {"whole": bool(row["whole"])}) for row in conn.execute(wanted).mappings()]
