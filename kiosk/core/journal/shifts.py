"""The shifts that a journal tells of, read from its file by anybody."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from kiosk.core.journal.file import open_existing, telling_damage
from sync.protocol import Event
from sync.shifts import ShiftSheet, sheet, sheets

SEARCHED = 50_000
"""Rows that are looked through: some days of a busy gate."""


def read_shifts(path: Path, most: int) -> list[ShiftSheet]:
    """The latest shifts, newest first, without their counts. Raises Damaged, or sqlite3.Error (try again)."""
    with _reading(path) as conn:
        rows = conn.execute(
            "SELECT body FROM (SELECT seq, body FROM event ORDER BY seq DESC LIMIT ?) "
            'WHERE instr(body, \'"kind":"shift"\') ORDER BY seq',
            (SEARCHED,),
        ).fetchall()
    return sheets(_events(rows))[: -most - 1 : -1]


def read_shift(path: Path, shift: str) -> list[Event]:
    """The events of a shift, its beginning first, and what was said afterwards about acts; none where no such shift is
    found. Raises Damaged, or sqlite3.Error (try again)."""
    with _reading(path) as conn:
        rows = conn.execute(
            "SELECT seq, body FROM (SELECT seq, body FROM event ORDER BY seq DESC LIMIT ?) "
            'WHERE instr(body, \'"kind":"shift"\') ORDER BY seq',
            (SEARCHED,),
        ).fetchall()
        told = [(seq, event) for seq, body in rows for event in _events([(body,)])]
        first = next((seq for seq, event in told if event.id == shift and event.outcome == "on"), None)
        last = next((seq for seq, event in told if event.about == shift), 1 << 62)
        if first is None:
            return []
        rows = conn.execute(
            "SELECT body FROM event WHERE seq >= ? AND (seq <= ? OR "
            'instr(body, \'"kind":"explained"\') OR instr(body, \'"kind":"annulled"\')) ORDER BY seq LIMIT ?',
            (first, last, SEARCHED),
        ).fetchall()
    return list(_events(rows))


def read_day(path: Path, since_ms: int) -> list[Event]:
    """The events since then, as far back as is looked through. Raises Damaged, or sqlite3.Error (try again)."""
    with _reading(path) as conn:
        rows = conn.execute(
            "SELECT body FROM (SELECT seq, at_ms, body FROM event ORDER BY seq DESC LIMIT ?) "
            "WHERE at_ms >= ? ORDER BY seq",
            (SEARCHED, since_ms),
        ).fetchall()
    return list(_events(rows))


def read_sheet(path: Path, shift: str) -> ShiftSheet | None:
    """The hand-over sheet; None where no such shift is found. Raises as :func:`read_shift`."""
    return sheet(read_shift(path, shift))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(open_existing(path, 2)) as conn, telling_damage():
        conn.execute("PRAGMA query_only = 1")
        conn.execute("BEGIN")  # one moment for all of it
        yield conn


def _events(rows: Iterable[tuple[str]]) -> Iterator[Event]:
    """One that cannot be read is passed over."""
    for (body,) in rows:
        with contextlib.suppress(msgspec.MsgspecError):
            yield msgspec.json.decode(body, type=Event)
