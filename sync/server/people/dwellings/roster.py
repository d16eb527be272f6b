"""The people the community knew before: its earlier list, kept as keyed hashes of document numbers and nothing else.

It answers one question, which of the people who applied are newly found; nobody can read a name or number out of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import IO

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Writing
from sync.server.people.identity import check_document, plain
from sync.server.people.sheets import write_table
from sync.server.people.unfolding import Line
from sync.server.people.uploads import MOST_SHOWN, LineMistake, find_columns

HEADINGS = {
    "kind": ("证件类型", "证件种类", "类型", "documentkind", "documenttype", "kind"),
    "number": ("证件号码", "证件号", "身份证", "身份证号", "身份证号码", "公民身份号码", "号码", "documentnumber",
               "idnumber", "document", "number"),
}  # fmt: skip
KINDS = {
    "id_card": ("", "身份证", "居民身份证", "二代身份证", "idcard", "id", "identitycard", "id_card"),
    "hk_macau": ("港澳居民来往内地通行证", "港澳通行证", "回乡证", "港澳居民居住证", "hk_macau", "hongkong", "macau",
                 "hongkongormacaupermit"),
    "taiwan": ("台湾居民来往大陆通行证", "台胞证", "台湾居民居住证", "taiwan", "taiwanpermit"),
    "passport": ("护照", "外国护照", "passport"),
}  # fmt: skip
_KIND_OF = {word: kind for kind, words in KINDS.items() for word in words}
_CHUNK = 400

_r, _person = tables.roster.c, tables.person.c


class RosterSheet(msgspec.Struct, frozen=True, kw_only=True):
    """A list that was read: marks of the people on it, how many lines said somebody twice, and what is wrong."""

    marks: list[bytes]
    twice: int
    mistakes: list[LineMistake]
    wrong: int


def read_roster(lines: Sequence[Line], vault: Vault, today: date) -> RosterSheet:
    """Every line's person as a keyed hash. Raises CentreError where there is no column of document numbers."""
    table = find_columns(lines, HEADINGS)
    if "number" not in table.places:
        raise CentreError(
            "第一行要写列名：证件类型、证件号码。",
            "The first line must name the columns: document kind, document number.",
        )
    marks: dict[bytes, None] = {}
    mistakes: list[LineMistake] = []
    good = 0
    for number, row in table.rows():
        try:
            marks[_mark(row, vault, today)] = None
            good += 1
        except CentreError as error:
            mistakes.append(LineMistake(number, "", (error.zh, str(error))))
    return RosterSheet(marks=list(marks), twice=good - len(marks), mistakes=mistakes[:MOST_SHOWN], wrong=len(mistakes))


def _mark(row: dict[str, str], vault: Vault, today: date) -> bytes:
    kind = _KIND_OF.get("".join(row.get("kind", "").lower().split()))
    number = plain(row["number"])
    if kind is None:
        raise CentreError("不认识这种证件类型。", "This kind of document is not known.")
    if not number:
        raise CentreError("没有证件号码。", "The document number is missing.")
    try:
        return vault.mark("doc", check_document(kind, number, today).text)
    except CentreError as error:
        if kind != "id_card" or not re.fullmatch(r"\d{15}000", number):
            raise
        raise CentreError(
            "表格软件把这个号码四舍五入了。请把这一列设为文本格式后重填。",
            "The table's program has rounded this number. Format the column as text and enter it again.",
        ) from error


def count_known(conn: Connection, compound_id: int, marks: Sequence[bytes]) -> int:
    """How many of these are on the list already."""
    number = 0
    for start in range(0, len(marks), _CHUNK):
        mine = (_r.compound_id == compound_id, _r.doc_mark.in_(marks[start : start + _CHUNK]))
        number += conn.execute(select(func.count()).select_from(tables.roster).where(*mine)).scalar_one()
    return number


def count(conn: Connection, compound_id: int) -> int:
    """People on the list."""
    mine = select(func.count()).select_from(tables.roster).where(_r.compound_id == compound_id)
    return conn.execute(mine).scalar_one()


def add_roster(writing: Writing, marks: Sequence[bytes]) -> int:
    """Add people to the list; how many are new to it. Everybody who applied is known or newly found by it at once."""
    known = set(writing.conn.execute(select(_r.doc_mark).where(_r.compound_id == writing.compound_id)).scalars())
    new = [mark for mark in dict.fromkeys(marks) if mark not in known]
    if new:
        rows = [{"compound_id": writing.compound_id, "doc_mark": mark} for mark in new]
        writing.conn.execute(insert(tables.roster), rows)
    _recount(writing)
    writing.audit("roster", f"+{len(new)}")
    return len(new)


def clear_roster(writing: Writing) -> int:
    """Forget the whole list; how many were on it. Nobody is known from before then."""
    gone = writing.conn.execute(delete(tables.roster).where(_r.compound_id == writing.compound_id)).rowcount
    _recount(writing)
    writing.audit("roster", f"-{gone}")
    return gone


def _recount(writing: Writing) -> None:
    listed = (
        select(_r.doc_mark).where(_r.compound_id == _person.compound_id, _r.doc_mark == _person.doc_mark).exists()
    )  # fmt: skip
    for known in (True, False):
        stale = (_person.compound_id == writing.compound_id, _person.known != known, listed if known else ~listed)
        writing.conn.execute(update(tables.person).where(*stale).values(known=known))


def write_template(file: IO[bytes], headings: Sequence[str], title: str) -> None:
    """An empty table with two lines to show how; the numbers are nobody's."""
    write_table(file, headings, (("身份证", "11010119900307002X"), ("护照", "E00000000")), title)


def encode(marks: Sequence[bytes]) -> bytes:
    return msgspec.json.encode(marks)


def decode(body: bytes) -> list[bytes]:
    return msgspec.json.decode(body, type=list[bytes])
