"""SQLite's own file layer with a gate in it: every open, read, write, truncation, flush, deletion and mapping of the
very libsqlite3 that Python uses passes a Python function, which may note it or refuse it.

It is a copy of the default VFS, registered as the new default: connections opened from then on use it. There is no
compiler and no tracing in it. ``ctypes`` has to find the library that :mod:`_sqlite3` is linked to.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

Kind = Literal["open", "read", "write", "truncate", "sync", "delete", "map"]
NAMES_A_FILE = 0x00000800 | 0x00080000
"""SQLITE_OPEN_MAIN_JOURNAL and SQLITE_OPEN_WAL: the first flush of such a file flushes its folder, too."""
_OPEN_CREATE = 0x4

_P, _I, _L = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_OPEN = ctypes.CFUNCTYPE(_I, _P, _P, _P, _I, _P)
_DELETE = ctypes.CFUNCTYPE(_I, _P, _P, _I)
_CLOSE = ctypes.CFUNCTYPE(_I, _P)
_RW = ctypes.CFUNCTYPE(_I, _P, _P, _I, _L)
_TRUNCATE = ctypes.CFUNCTYPE(_I, _P, _L)
_SYNC = ctypes.CFUNCTYPE(_I, _P, _I)
_MAP = ctypes.CFUNCTYPE(_I, _P, _I, _I, _I, _P)


class _Vfs(ctypes.Structure):
    _fields_ = (
        [("iVersion", _I), ("szOsFile", _I), ("mxPathname", _I), ("pNext", _P), ("zName", ctypes.c_char_p),
         ("pAppData", _P), ("xOpen", _P), ("xDelete", _P)]
        + [(f"other{n}", _P) for n in range(14)]
    )  # fmt: skip


class _Methods(ctypes.Structure):
    _fields_ = (
        [("iVersion", _I), ("xClose", _P), ("xRead", _P), ("xWrite", _P), ("xTruncate", _P), ("xSync", _P)]
        + [(f"other{n}", _P) for n in range(7)]
        + [("xShmMap", _P)]
        + [(f"last{n}", _P) for n in range(5)]
    )


class _File(ctypes.Structure):
    _fields_ = [("pMethods", ctypes.POINTER(_Methods))]


class Call(msgspec.Struct, frozen=True):
    """One call of SQLite to its files. ``new``: the file was not there before; ``folder``: this call brings the file's
    name, or its end, to the disk as well."""

    kind: Kind
    path: Path
    at: int = 0
    content: bytes = b""
    new: bool = False
    folder: bool = False


Gate = Callable[[Call], int]
"""Asked before a call: 0 lets it pass, anything else is SQLite's error code in its place."""


class Unreachable(Exception):
    """There is no library here that the shim can stand in."""


def _library() -> Any:
    """The library that is loaded already, found by the address of one of its own functions."""
    try:
        loaded = [line.split()[-1] for line in Path("/proc/self/maps").read_text("ascii", "replace").splitlines()
                  if "libsqlite3" in line]  # fmt: skip
        found = ctypes.CDLL(loaded[0] if loaded else _sqlite3.__file__)
        found.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        found.sqlite3_libversion.restype = ctypes.c_char_p
    except (OSError, AttributeError, IndexError) as err:
        raise Unreachable(f"ctypes finds no libsqlite3 under Python's sqlite3: {err}") from err
    if found.sqlite3_libversion().decode() != sqlite3.sqlite_version:
        raise Unreachable("the libsqlite3 that ctypes finds is another one than Python's")
    return found


class Shim:
    """Stands between SQLite and its files while :meth:`standing`. One at a time in a process."""

    def __init__(self, gate: Gate, told: Callable[[Call], None] = lambda call: None):
        self._library = _library()
        self._gate = gate
        self._told = told
        self._files: dict[int, tuple[Path, bool]] = {}
        self._unnamed: set[Path] = set()
        self._tables: dict[int, _Methods] = {}
        self._alive: list[Any] = []
        """What SQLite may still call: connections can outlive the shim."""
        self._lock = threading.RLock()
        self._below = self._library.sqlite3_vfs_find(None)
        self._vfs = _Vfs.from_buffer_copy(self._below.contents)
        self._vfs.pNext, self._vfs.zName = None, b"faults"
        self._vfs.xOpen = self._callback(_OPEN(self._open))
        self._vfs.xDelete = self._callback(_DELETE(self._delete))

    def _callback(self, function: Any) -> int:
        self._alive.append(function)
        return ctypes.cast(function, _P).value or 0

    @contextmanager
    def standing(self) -> Iterator[Shim]:
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        _KEPT.append(self)
        try:
            yield self
        finally:
            self._library.sqlite3_vfs_register(self._below, 1)
            self._gate = lambda call: 0
            self._told = lambda call: None

    def _pass(self, call: Call, through: Callable[[], int]) -> int:
        with self._lock:
            refused = self._gate(call)
            if refused:
                return refused
            code = through()
            if code == 0:
                self._told(call)
            return code

    def _open(self, _: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        path = Path(ctypes.string_at(name).decode()) if name else Path()
        new = bool(name) and bool(flags & _OPEN_CREATE) and not path.exists()
        below = _OPEN(self._below.contents.xOpen)

        def through() -> int:
            return below(ctypes.addressof(self._below.contents), name, file, flags, out)

        opened = ctypes.cast(file, ctypes.POINTER(_File)).contents
        opened.pMethods = ctypes.POINTER(_Methods)()
        code = self._pass(Call("open", path, new=new), through) if name else through()
        if code == 0 and name and opened.pMethods:
            self._files[file] = (path, bool(flags & NAMES_A_FILE))
            if new and flags & NAMES_A_FILE:
                self._unnamed.add(path)
            opened.pMethods = ctypes.pointer(self._table(opened.pMethods))
        return code

    def _table(self, below: Any) -> _Methods:
        """SQLite's table of file functions with ours in it."""
        at = ctypes.addressof(below.contents)
        if at not in self._tables:
            table = _Methods.from_buffer_copy(below.contents)
            old = below.contents
            close, read, write = _CLOSE(old.xClose), _RW(old.xRead), _RW(old.xWrite)
            truncate, sync = _TRUNCATE(old.xTruncate), _SYNC(old.xSync)

            def closed(file: int) -> int:
                self._files.pop(file, None)
                return close(file)

            def reads(file: int, into: int, count: int, offset: int) -> int:
                return self._pass(Call("read", self._files[file][0], offset), lambda: read(file, into, count, offset))

            def writes(file: int, content: int, count: int, offset: int) -> int:
                call = Call("write", self._files[file][0], offset, ctypes.string_at(content, count))
                return self._pass(call, lambda: write(file, content, count, offset))

            def truncates(file: int, size: int) -> int:
                return self._pass(Call("truncate", self._files[file][0], size), lambda: truncate(file, size))

            def syncs(file: int, flags: int) -> int:
                path, _ = self._files[file]
                call = Call("sync", path, folder=path in self._unnamed)
                code = self._pass(call, lambda: sync(file, flags))
                if code == 0:
                    self._unnamed.discard(path)
                return code

            table.xClose, table.xRead = self._callback(_CLOSE(closed)), self._callback(_RW(reads))
            table.xWrite, table.xTruncate = self._callback(_RW(writes)), self._callback(_TRUNCATE(truncates))
            table.xSync = self._callback(_SYNC(syncs))
            if old.xShmMap:
                shm = _MAP(old.xShmMap)

                def maps(file: int, page: int, size: int, extend: int, into: int) -> int:
                    call = Call("map", self._files[file][0])
                    return self._pass(call, lambda: shm(file, page, size, extend, into))

                table.xShmMap = self._callback(_MAP(maps))
            self._tables[at] = table
        return self._tables[at]

    def _delete(self, _: int, name: int, folder: int) -> int:
        path = Path(ctypes.string_at(name).decode())
        below = _DELETE(self._below.contents.xDelete)
        call = Call("delete", path, folder=bool(folder))
        return self._pass(call, lambda: below(ctypes.addressof(self._below.contents), name, folder))


_KEPT: list[Shim] = []
"""Shims that stood: a connection that was opened under one calls it until it is closed."""


def reachable() -> str:
    """Why the shim cannot stand here; empty where it can."""
    try:
        _library()
    except Unreachable as err:
        return str(err)
    return ""
