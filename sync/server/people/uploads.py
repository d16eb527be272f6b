"""Files of an officer, read and shown before anything is taken over.

What was read is kept sealed for an hour, and taken over is exactly that: no row can change between what was shown and
what is written. The file itself is not kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from sqlalchemy import delete, insert, select

from sync.server.centre import sealing, tables
from sync.server.centre.errors import CentreError
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Writing
from sync.server.people.unfolding import Line
from sync.server.words.pairs import Pair

KEPT_MS = 3_600_000
MOST_SHOWN = 100

_u = tables.upload.c


class LineMistake(msgspec.Struct, frozen=True):
    """What is wrong with a line of the file. ``words`` is what stands there, empty where that is nobody's business."""

    line: int
    words: str
    why: Pair


class Columns(msgspec.Struct, frozen=True):
    """Where in a table each field stands, and the lines below its headings."""

    places: Mapping[str, int]
    lines: Sequence[Line]

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """(line number, field → text) of every line; what a line does not have is empty."""
        for number, cells in self.lines:
            yield number, {name: cells[at] if at < len(cells) else "" for name, at in self.places.items()}


def find_columns(lines: Sequence[Line], headings: Mapping[str, Sequence[str]]) -> Columns:
    """By the words of the first line, in Chinese or English, whatever their order."""
    known = {word: field for field, words in headings.items() for word in words}
    places: dict[str, int] = {}
    for at, cell in enumerate(lines[0][1]):
        field = known.get("".join(cell.lower().split()).rstrip("*：:"))
        if field is not None:
            places.setdefault(field, at)
    return Columns(places, lines[1:])


def keep(writing: Writing, vault: Vault, what: str, body: bytes) -> str:
    """Seal what was read; the ticket to take it with. Those older than an hour are deleted."""
    old = (_u.compound_id == writing.compound_id, _u.at_ms <= writing.now_ms - KEPT_MS)
    writing.conn.execute(delete(tables.upload).where(*old))
    ticket = secrets.token_urlsafe(24)
    row = {"compound_id": writing.compound_id, "upload_mark": vault.mark("upload", ticket), "what": what,
           "at_ms": writing.now_ms}  # fmt: skip
    sealed = sealing.seal(vault, tables.upload, row, "sealed_rows", body)
    writing.conn.execute(insert(tables.upload).values(row | {"sealed_rows": sealed}))
    return ticket


def take(writing: Writing, vault: Vault, what: str, ticket: str) -> bytes:
    """What was kept, once. Raises CentreError where it is too old or was taken already."""
    mine = (_u.compound_id == writing.compound_id, _u.upload_mark == vault.mark("upload", ticket), _u.what == what,
            _u.at_ms > writing.now_ms - KEPT_MS)  # fmt: skip
    row = writing.conn.execute(select(tables.upload).where(*mine)).mappings().first()
    if row is None:
        raise CentreError(
            "这份预览已经导入过，或超过一小时了。请重新上传。",
            "This preview was taken over already, or is older than an hour. Send the file again.",
        )
    writing.conn.execute(delete(tables.upload).where(*mine))
    return sealing.unseal(vault, tables.upload, row, "sealed_rows")
