"""The rows of a journal file that SQLite no longer opens, read from its bytes.

Nothing is written, nor opened by SQLite. A lost header, zeroed pages or a lost index cost only what was in them: every
page of the file and of its log is looked at, and a row counts when the hash chain leads to it.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from kiosk.core.journal.standing import Fact
from sync.protocol import CHAIN_START, chain

_PAGE = 1024
_LOG_HEADER, _FRAME_HEADER = 32, 24
_LEAF = 0x0D
_MOST_LOCAL, _LEAST_LOCAL = _PAGE - 35, (_PAGE - 12) * 32 // 255 - 23
"""SQLite's limits of a row's part that lies in its leaf page."""
_LONGEST_ROW = 1 << 20


class WholeRow(msgspec.Struct, frozen=True):
    """One row of a damaged journal. ``proven``: the chain leads to it from the row before, which is there as well."""

    seq: int
    at_ms: int
    body: str
    chain: bytes
    note: str | None = None
    proven: bool = False


def whole_rows(path: Path, after: int = 0) -> list[WholeRow]:
    """Every whole row above a number, of a journal file and of the log beside it, in order. Raises OSError.

    A row whose predecessor is lost counts where its text is an event's; it is not proven.
    """
    found: dict[int, list[WholeRow]] = {}
    for row in _all_rows(path):
        if row.seq >= after and row not in found.setdefault(row.seq, []):
            found[row.seq].append(row)
    whole: list[WholeRow] = []
    for seq in sorted(seq for seq in found if seq > after):
        links = [row.chain for row in found.get(seq - 1, [])] if seq > 1 else [CHAIN_START]
        good = [row for row in found[seq] if any(chain(link, row.body) == row.chain for link in links)]
        if good:
            whole.append(msgspec.structs.replace(good[-1], proven=True))
        elif not links and _is_event(found[seq][-1].body):
            whole.append(found[seq][-1])
    return whole


def _all_rows(path: Path) -> Iterator[WholeRow]:
    """What looks like a row, anywhere in a journal file and its log. Raises OSError."""
    pages = _Pages(path)
    return _rows(pages, pages)


def highest_row(path: Path) -> int:
    """The highest number of an event in a journal file; 0 without one. Raises OSError."""
    return max((row.seq for row in _all_rows(path) if _is_event(row.body)), default=0)


def _is_event(body: str) -> bool:
    with contextlib.suppress(msgspec.MsgspecError, UnicodeError):
        msgspec.json.decode(body, type=Fact)
        return True
    return False


def rows_of_log(path: Path) -> list[WholeRow]:
    """What looks like a row in the log beside a journal file, in order of its number. Raises OSError."""
    pages = _Pages(path)
    return sorted(_rows(pages, pages.of_log()), key=lambda row: row.seq)


class _Pages:
    """The pages of a file, and all versions that its log has of them. What the card does not give is left out."""

    def __init__(self, path: Path):
        self._path = path
        self._log_path = path.with_name(f"{path.name}-wal")
        if not self._log_path.exists():  # a power cut while it was set aside
            self._log_path = path.with_name(f"{path.name.split('.')[0]}.db-wal")
        self._newest: dict[int, int] = {}
        """Where the log has the newest version of a page, among the frames of one life of it."""
        salt = b""
        for at, head in _pieces(self._log_path, _LOG_HEADER, _FRAME_HEADER + _PAGE, _FRAME_HEADER):
            salt = salt or head[8:16]
            if head[8:16] == salt:
                self._newest[int.from_bytes(head[:4], "big")] = at + _FRAME_HEADER

    def __iter__(self) -> Iterator[bytes]:
        for _, page in _pieces(self._path, 0, _PAGE, _PAGE):
            yield page
        yield from self.of_log()

    def of_log(self) -> Iterator[bytes]:
        for _, page in _pieces(self._log_path, _LOG_HEADER + _FRAME_HEADER, _FRAME_HEADER + _PAGE, _PAGE):
            yield page

    def numbered(self, number: int) -> bytes:
        """The newest version of a page; empty where there is none."""
        at = self._newest.get(number)
        path, at = (self._path, (number - 1) * _PAGE) if at is None else (self._log_path, at)
        return next((page for _, page in _pieces(path, at, _PAGE, _PAGE)), b"")


def _pieces(path: Path, at: int, stride: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Where each piece of a file lies, and what it says. A file that is not there has none."""
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return
    with file:
        end = path.stat().st_size
        while at < end:
            with contextlib.suppress(OSError):
                file.seek(at)
                yield at, file.read(size)
            at += stride


def _rows(pages: _Pages, chosen: Iterable[bytes]) -> Iterator[WholeRow]:
    """What looks like a row of ours in any leaf page, also in one that nothing leads to any longer."""
    for page in chosen:
        if len(page) == _PAGE and page[0] == _LEAF:
            count = min(int.from_bytes(page[3:5], "big"), _PAGE // 4)
            for (at,) in struct.iter_unpack(">H", page[8 : 8 + 2 * count]):
                with contextlib.suppress(IndexError, ValueError, struct.error, OverflowError):
                    yield _row(page, at, pages)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(9):
        byte = raw[at + place]
        if place == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("not a number")


def _row(page: bytes, at: int, pages: _Pages) -> WholeRow:
    """Raises IndexError or ValueError for what is not a row of ours."""
    size, at = _varint(page, at)
    seq, at = _varint(page, at)
    if not 0 < size <= _LONGEST_ROW or seq >= 1 << 62:
        raise ValueError("not a row")
    values = list(_values(_payload(page, at, size, pages)))
    match values:
        case [None, int(at_ms), str(body), bytes(link), (None | str()) as note] if len(link) == len(CHAIN_START):
            return WholeRow(seq, at_ms, body, link, note)
    raise ValueError("not a row of a journal")


def _payload(page: bytes, at: int, size: int, pages: _Pages) -> bytes:
    if size <= _MOST_LOCAL:
        return page[at : at + size]
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (_PAGE - 4)
    local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
    payload, next_ = page[at : at + local], int.from_bytes(page[at + local : at + local + 4], "big")
    while len(payload) < size and next_:
        more = pages.numbered(next_)
        payload, next_ = payload + more[4:], int.from_bytes(more[:4], "big")
        if len(more) < _PAGE:
            break
    return payload[:size]


def _values(payload: bytes) -> Iterator[int | str | bytes | None]:
    """The values of a record of SQLite, those of its types that a journal has."""
    end, at = _varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    for kind in kinds:
        size = (0, 1, 2, 3, 4, 6, 8)[kind] if kind < 7 else (kind - 12) // 2 if kind >= 12 else 0
        raw = payload[at : at + size]
        at += size
        if len(raw) < size or kind in (7, 10, 11):
            raise ValueError("not a value of a journal")
        if kind == 0:
            yield None
        elif kind < 7:
            yield int.from_bytes(raw, "big", signed=True)
        elif kind < 12:
            yield kind - 8
        else:
            yield raw.decode() if kind % 2 else raw
