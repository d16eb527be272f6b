"""One folder's disk: it notes what reaches it, by SQLite and by our own calls, and refuses what a test says."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests.faults.vfs import Call, Shim

OwnKind = Literal["open", "write", "sync", "folder", "rename", "delete"]


class OwnCall(msgspec.Struct, frozen=True):
    """One call of our own code to the system. ``to``: the new name."""

    kind: OwnKind
    path: Path
    at: int = 0
    content: bytes = b""
    to: Path = Path()


AnyCall = Call | OwnCall


class Sickness(msgspec.Struct, frozen=True):
    """What a sick disk says: SQLite's code by kind of call, and the errno of our own calls of those kinds."""

    name: str
    codes: Mapping[str, int]
    errno: int
    own: tuple[OwnKind, ...]


_FULL, _CANTOPEN, _READONLY, _IOERR = (
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
)  # fmt: skip
FULL = Sickness(
    "full", {"write": _FULL, "map": _IOERR | 19 << 8, "open": _CANTOPEN}, errno.ENOSPC, ("write", "sync", "open")
)
BROKEN = Sickness(
    "broken",
    {"write": _IOERR | 3 << 8, "sync": _IOERR | 4 << 8, "truncate": _IOERR | 6 << 8, "delete": _IOERR | 10 << 8,
     "map": _IOERR | 21 << 8, "open": _CANTOPEN},
    errno.EIO,
    ("write", "sync", "folder", "rename", "delete", "open"),
)  # fmt: skip
FSYNC = Sickness("fsync", {"sync": _IOERR | 4 << 8}, errno.EIO, ("sync", "folder"))
READ_ONLY = Sickness(
    "read-only",
    {"write": _READONLY, "truncate": _READONLY, "delete": _IOERR | 10 << 8, "map": _READONLY | 5 << 8,
     "open": _CANTOPEN},
    errno.EROFS,
    ("write", "rename", "delete", "open"),
)  # fmt: skip
SICKNESSES = (FULL, BROKEN, FSYNC, READ_ONLY)


class Disk:
    """What happens under ``folder`` while :meth:`watched`. ``gate`` is asked first; ``told`` hears what was done."""

    def __init__(self, folder: Path, told: Callable[[AnyCall], None] = lambda call: None):
        self.folder = folder
        self._told = told
        self._sick: Sickness | None = None
        self._from = self._until = 0
        self.calls = 0
        """Calls that the sickness of now concerns, since it began."""
        self.refused = 0

    def fall_sick(self, sickness: Sickness, first: int = 0, count: int = 1 << 60) -> None:
        """From the ``first`` call of a kind that the sickness knows, refuse ``count`` of them."""
        self._sick, self._from, self._until = sickness, first, first + count
        self.calls = self.refused = 0

    def heal(self) -> None:
        self._sick = None

    @contextmanager
    def watched(self) -> Iterator[Disk]:
        with ExitStack() as stack:
            stack.enter_context(Shim(self._ask_sqlite, self._tell).standing())
            for name, kind in _OWN.items():
                stack.enter_context(self._own(name, kind))
            yield self

    def _concerns(self, path: Path) -> bool:
        return path.is_relative_to(self.folder)

    def _tell(self, call: AnyCall) -> None:
        if self._concerns(call.path):
            self._told(call)

    def _is_refused(self) -> bool:
        self.calls += 1
        refused = self._from < self.calls <= self._until
        self.refused += refused
        return refused

    def _ask_sqlite(self, call: Call) -> int:
        sick = self._sick
        if sick is None or call.kind not in sick.codes or not self._concerns(call.path):
            return 0
        if call.kind == "open" and not call.new:
            return 0
        return sick.codes[call.kind] if self._is_refused() else 0

    def _ask_own(self, call: OwnCall) -> None:
        sick = self._sick
        if sick and call.kind in sick.own and self._concerns(call.path) and self._is_refused():
            raise OSError(sick.errno, os.strerror(sick.errno), str(call.path))

    @contextmanager
    def _own(self, name: str, kind: OwnKind) -> Iterator[None]:
        """One function of :mod:`os` with this disk in it."""
        real = getattr(os, name)

        def watched(*args: Any, **named: Any) -> Any:
            call = _own_call(kind, args)
            if call is None:
                return real(*args, **named)
            self._ask_own(call)
            done = real(*args, **named)
            self._tell(call)
            return done

        setattr(os, name, watched)
        try:
            yield
        finally:
            setattr(os, name, real)


_OWN: dict[str, OwnKind] = {
    "open": "open", "pwrite": "write", "fsync": "sync", "rename": "rename", "replace": "rename", "unlink": "delete",
}  # fmt: skip


def _own_call(kind: OwnKind, args: tuple[Any, ...]) -> OwnCall | None:
    """What a call of our own does; None where it changes nothing."""
    if kind == "rename":
        return OwnCall(kind, Path(args[0]), to=Path(args[1]))
    if kind == "delete":
        return OwnCall(kind, Path(args[0]))
    if kind == "open":
        return OwnCall(kind, Path(args[0])) if args[1] & os.O_ACCMODE else None
    path = Path(f"/proc/self/fd/{args[0]}").readlink()
    if kind == "write":
        return OwnCall(kind, path, args[2], bytes(args[1]))
    return OwnCall("folder" if path.is_dir() else kind, path)
