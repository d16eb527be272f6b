"""What a power cut leaves of a folder: a record of everything done to its files, and images of any moment in it.

A file's content and a folder's names reach the disk by a flush of the file or of the folder. What was not flushed may
have reached it or not: nothing of it, all of it, what came first, or any sectors of 512 bytes and any names.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests.faults.disk import AnyCall, OwnCall

SECTOR = 512
Mode = Literal["none", "all", "prefix", "random"]
MODES: tuple[Mode, ...] = ("none", "all", "prefix", "random")
_APPLIED = 0.6


class Step(msgspec.Struct, frozen=True):
    """One thing done. Files are numbered, since names come and go."""

    kind: Literal["link", "unlink", "rename", "write", "truncate", "flush", "names", "lost", "promise"]
    file: int = 0
    path: Path = Path()
    to: Path = Path()
    at: int = 0
    content: bytes = b""
    promise: Any = None


class Image(msgspec.Struct, frozen=True):
    """What is on the disk, and what was promised before the cut."""

    moment: int
    mode: Mode
    files: dict[Path, bytes]
    promises: tuple[Any, ...]

    def write_to(self, folder: Path) -> None:
        for path, content in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


class Record:
    """Hears a :class:`tests.faults.disk.Disk` and keeps what it hears in order, from any thread."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.RLock()
        self._names: dict[Path, int] = {}
        self._seen: dict[int, bytes] = {}
        """Contents of files that SQLite does not write: what it writes is heard."""
        self.steps: list[Step] = []
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.look(path)
        for file in set(self._names.values()):
            self._add(Step("flush", file))
        for path in {path.parent for path in self._names}:
            self._add(Step("names", path=path.relative_to(folder)))
        self.began = len(self.steps)

    def _add(self, step: Step) -> None:
        self.steps.append(step)

    def promise(self, what: Any) -> None:
        """Note that somebody was told so."""
        with self._lock:
            self._add(Step("promise", promise=what))

    def _link(self, path: Path) -> int:
        self._names[path] = file = len(self._seen) + 1
        self._seen[file] = b""
        self._add(Step("link", file, path.relative_to(self._folder)))
        return file

    def look(self, path: Path) -> None:
        """Take in what Python's own files, whose writing is not heard, have become."""
        if not path.exists():
            return
        file = self._names.get(path) or self._link(path)
        content = path.read_bytes()
        if content != self._seen[file]:
            self._seen[file] = content
            self._add(Step("truncate", file))
            self._add(Step("write", file, content=content))

    def hear(self, call: AnyCall) -> None:
        with self._lock:
            if call.failed:
                if call.kind == "sync" and call.path in self._names:
                    self._add(Step("lost", self._names[call.path]))
            elif isinstance(call, OwnCall):
                self._own(call)
            else:
                self._sqlite(call.kind, call)

    def _sqlite(self, kind: str, call: Any) -> None:
        if kind == "open" and call.path not in self._names:
            if call.new:
                self._link(call.path)
            else:
                self.look(call.path)
        file = self._names.get(call.path, 0)
        if kind == "write":
            self._add(Step("write", file, at=call.at, content=call.content))
        elif kind == "truncate":
            self._add(Step("truncate", file, at=call.at))
        elif kind == "sync":
            self._add(Step("flush", file))
        elif kind == "delete":
            self._unlink(call.path)
        if call.folder:
            self._add(Step("names", path=call.path.parent.relative_to(self._folder)))

    def _own(self, call: OwnCall) -> None:
        path, kind = call.path, call.kind
        if kind == "open" or (kind == "sync" and not self._is_sqlites(path)):
            self.look(path)
        if kind == "sync":
            self._add(Step("flush", self._names.get(path, 0)))
        elif kind == "folder":
            self._add(Step("names", path=path.relative_to(self._folder)))
        elif kind == "write" and path in self._names:
            self._add(Step("write", self._names[path], at=call.at, content=call.content))
        elif kind == "delete":
            self._unlink(path)
        elif kind == "rename":
            self._rename(path, call.to)

    def _is_sqlites(self, path: Path) -> bool:
        return ".db" in path.name

    def _unlink(self, path: Path) -> None:
        if self._names.pop(path, None):
            self._add(Step("unlink", path=path.relative_to(self._folder)))

    def _rename(self, old: Path, new: Path) -> None:
        if old not in self._names:  # written by Python, and heard of only now, under its new name
            self._names[old] = file = len(self._seen) + 1
            self._seen[file] = content = new.read_bytes()
            self._add(Step("link", file, old.relative_to(self._folder)))
            self._add(Step("write", file, content=content))
        self._names[new] = file = self._names.pop(old)
        self._add(Step("rename", file, old.relative_to(self._folder), new.relative_to(self._folder)))

    def images(self, rng: random.Random, draws: int = 2) -> Iterator[Image]:
        """A cut after every step, in every mode, with so many draws of those that chance shapes."""
        disk = _Disk()
        promises: list[Any] = []
        for moment, step in enumerate(self.steps):
            if step.kind == "promise":
                promises.append(step.promise)
            disk.take(step)
            if moment < self.began - 1:
                continue
            for mode in MODES:
                for _ in range(draws if mode in ("prefix", "random") and disk.waiting else 1):
                    yield Image(moment, mode, disk.after_a_cut(mode, rng), tuple(promises))


class _Disk:
    """What is on the disk for good, and what waits."""

    def __init__(self) -> None:
        self._names: dict[Path, int] = {}
        self._contents: dict[int, bytearray] = {}
        self.waiting: list[Step] = []

    def take(self, step: Step) -> None:
        if step.kind in ("link", "unlink", "rename", "write", "truncate"):
            self.waiting.append(step)
        elif step.kind == "flush":
            self._settle(lambda waits: waits.kind in ("write", "truncate") and waits.file == step.file)
        elif step.kind == "names":
            self._settle(lambda waits: waits.kind not in ("write", "truncate") and waits.path.parent == step.path)
        elif step.kind == "lost":
            lost = [waits for waits in self.waiting if waits.kind == "write" and waits.file == step.file]
            self.waiting = [waits for waits in self.waiting if waits not in lost]

    def _settle(self, chosen: Callable[[Step], bool]) -> None:
        for step in filter(chosen, self.waiting):
            _apply(step, self._names, self._contents)
        self.waiting = [step for step in self.waiting if not chosen(step)]

    def after_a_cut(self, mode: Mode, rng: random.Random) -> dict[Path, bytes]:
        names, contents = dict(self._names), {file: bytearray(raw) for file, raw in self._contents.items()}
        for step in self._survivors(mode, rng):
            _apply(step, names, contents)
        return {path: bytes(contents.get(file, b"")) for path, file in names.items()}

    def _survivors(self, mode: Mode, rng: random.Random) -> Iterator[Step]:
        if mode == "all":
            yield from self.waiting
        elif mode == "prefix":
            yield from self.waiting[: rng.randrange(len(self.waiting) + 1)]
        elif mode == "random":
            for step in self.waiting:
                yield from _sectors(step, rng) if step.kind == "write" else [step] * (rng.random() < _APPLIED)


def _sectors(step: Step, rng: random.Random) -> Iterator[Step]:
    """Some sectors of a write."""
    at = step.at
    end = at + len(step.content)
    while at < end:
        next_ = min(end, (at // SECTOR + 1) * SECTOR)
        if rng.random() < _APPLIED:
            yield msgspec.structs.replace(step, at=at, content=step.content[at - step.at : next_ - step.at])
        at = next_


def _apply(step: Step, names: dict[Path, int], contents: dict[int, bytearray]) -> None:
    if step.kind == "link":
        names[step.path] = step.file
    elif step.kind == "unlink":
        names.pop(step.path, None)
    elif step.kind == "rename":
        names.pop(step.path, None)
        names[step.to] = step.file
    else:
        raw = contents.setdefault(step.file, bytearray())
        size = step.at if step.kind == "truncate" else step.at + len(step.content)
        if step.kind == "truncate":
            del raw[size:]
        raw.extend(bytes(max(0, size - len(raw))))
        if step.kind == "write":
            raw[step.at : size] = step.content
