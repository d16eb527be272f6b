"""What the journals of a gate still say, read from their bytes: nothing is written, and the core may be running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from kiosk.core.journal.recovery import set_aside_in
from kiosk.core.journal.salvage import whole_rows


class Survey(msgspec.Struct, frozen=True):
    """One journal file: its whole events, how many numbers between them are missing, how many nothing proves."""

    name: str
    state: str
    events: int
    first: int
    last: int
    missing: int
    unproven: int

    def __str__(self) -> str:
        text = f"{self.name:52} {self.state:9} {self.events:8} events"
        text += f", {self.first} to {self.last}" if self.events else ""
        text += f", {self.missing} missing" if self.missing else ""
        return text + (f", {self.unproven} unproven" if self.unproven else "")


def surveys(folder: Path) -> Iterator[Survey]:
    """Each journal of a folder, the one in use first. Raises OSError."""
    for path in sorted(folder.glob("journal-*.db")):
        yield _survey(path, "in use")
    for one in set_aside_in(folder):
        yield _survey(one.damaged, "sent" if one.sent.exists() else "damaged")


def _survey(path: Path, state: str) -> Survey:
    rows = whole_rows(path)
    first, last = (rows[0].seq, rows[-1].seq) if rows else (0, 0)
    missing = last - first + 1 - len(rows) if rows else 0
    unproven = sum(not row.proven for row in rows[1:])  # before the first one, rows were pruned
    return Survey(path.name, state, len(rows), first, last, missing, unproven)


def as_lines(path: Path) -> Iterator[str]:
    """The whole events of a journal file, one JSON object a line, in order. Raises OSError."""
    for row in whole_rows(path):
        event = msgspec.json.decode(row.body)
        yield msgspec.json.encode({"seq": row.seq, "proven": row.proven, "event": event}).decode()
