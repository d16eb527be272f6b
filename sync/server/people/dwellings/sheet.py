"""The dwelling register from a table: all of it or nothing, with what is wrong told by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

import msgspec

from sync.server.centre.errors import CentreError
from sync.server.people import unfolding
from sync.server.people.address import Address, make_address, narrow, read_words
from sync.server.people.sheets import write_table
from sync.server.people.unfolding import Line
from sync.server.people.uploads import MOST_SHOWN, Columns, LineMistake, find_columns

HEADINGS = {
    "building": ("楼栋", "楼号", "楼栋号", "栋", "栋号", "幢", "幢号", "楼", "座", "building", "block", "bldg"),
    "unit": ("单元", "单元号", "门", "unit", "entrance"),
    "floor": ("楼层", "层", "层数", "所在楼层", "floor", "storey"),
    "room": ("房号", "房间", "房间号", "室", "室号", "房屋号", "户号", "门牌", "门牌号", "room", "flat", "door"),
    "dwelling": ("房屋", "地址", "住址", "房屋地址", "完整房号", "dwelling", "address", "name"),
}  # fmt: skip
TEMPLATE = (("3", "2", 5, "501"), ("3", "2", 5, "502"), ("A座", "", 12, "1203"))


class DwellingSheet(msgspec.Struct, frozen=True, kw_only=True):
    """A table that was read: its dwellings, and the first hundred lines with something wrong of all such lines."""

    addresses: list[Address]
    mistakes: list[LineMistake]
    wrong: int


def read_dwellings(lines: Sequence[Line]) -> DwellingSheet:
    """Every line's dwelling. Raises CentreError where the table's columns are not known."""
    table = _columns(lines)
    if len(table.lines) > unfolding.MOST_ROWS:
        raise CentreError(*unfolding.TOO_MANY)
    first_lines: dict[tuple[str, str, str], int] = {}
    found: list[Address] = []
    mistakes: list[LineMistake] = []
    for number, row in table.rows():
        try:
            address = _address(row)
            first = first_lines.setdefault(address.key, number)
            if first != number:
                raise CentreError(f"和第{first}行是同一套房。", f"The same dwelling as in line {first}.")
            found.append(address)
        except CentreError as error:
            mistakes.append(LineMistake(number, _shown(row), (error.zh, str(error))))
    return DwellingSheet(addresses=found, mistakes=mistakes[:MOST_SHOWN], wrong=len(mistakes))


def _columns(lines: Sequence[Line]) -> Columns:
    """By its headings; a table of one column without any is dwellings from the first line on."""
    found = find_columns(lines, HEADINGS)
    if {"building", "room"} <= set(found.places) or "dwelling" in found.places:
        return found
    if "room" in found.places:
        return Columns({"dwelling": found.places["room"]}, found.lines)
    if not found.places and read_words(lines[0][1][0]):
        return Columns({"dwelling": 0}, lines)
    raise CentreError(
        "第一行要写列名：楼栋、单元、楼层、房号；或者只有一列“房屋”，写3-2-501这样的。",
        "The first line must name the columns: building, unit, floor, room; or one column, dwelling, like 3-2-501.",
    )


def _address(row: dict[str, str]) -> Address:
    if "room" in row and "building" in row and (row["room"] or not row.get("dwelling")):
        return make_address(row["building"], row.get("unit", ""), row.get("floor", ""), row["room"])
    if not narrow(row["dwelling"]):
        raise CentreError("没有房屋。", "The dwelling is missing.")
    found = read_words(row["dwelling"])
    if found is None:
        raise CentreError(
            "看不懂。请写成3-2-501这样的（并把这一列设为文本格式）。",
            "This is no dwelling. Write it like 3-2-501 (and format the column as text).",
        )
    return found


def _shown(row: dict[str, str]) -> str:
    words = " | ".join(row.get(name, "") for name in HEADINGS if name in row)
    words = "".join(sign if sign.isprintable() else "\ufffd" for sign in words)
    return words if len(words) <= 60 else words[:59] + "…"


def write_template(file: IO[bytes], headings: Sequence[str], title: str) -> None:
    """An empty table with three lines to show how."""
    write_table(file, headings, TEMPLATE, title)


def encode(addresses: Sequence[Address]) -> bytes:
    return msgspec.json.encode(addresses)


def decode(body: bytes) -> list[Address]:
    return msgspec.json.decode(body, type=list[Address])
