"""The list folder of a gate: its one writer, and how a whole new list takes the place of an old one.

    folder/current                         the name of the list in force (cache.py)
    folder/list-EPOCH-N.db                 lists; all but the one in force go when the core has let go of them
    folder/snapshot-EPOCH-REVISION.part    a download that may go on after the line was lost
    folder/proof.json                      the newest word of the root key on how far the centre was

A list that is damaged stays where it is until a new one is in force: the core may still be reading it.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from sync.cache import Cursor, ListError, ListUnwritten, ListWriter, check, get_current, set_current
from sync.durable import flush_folder
from sync.protocol import Page, Signed, SnapshotBody, SnapshotHead, order_of

MAX_SNAPSHOT = 1 << 30
PROOF = "proof.json"
KEPT_FREE = 32 * 1024 * 1024
"""Bytes of the disk that a download leaves to the journal, which shares it."""
MODE = 0o660
"""The core reads under another user of the same group, and must be able to make ``-wal`` and ``-shm`` again."""
_HASH_BYTES = 32
_EPOCH = re.compile(r"[A-Za-z0-9_]{1,64}")

log = logging.getLogger("lists")

T = TypeVar("T")

Download = Callable[[str, int], AbstractContextManager[tuple[int, Iterable[bytes]]]]
"""(name, start) -> (true start, pieces), as :meth:`sync.agent.wire.Wire.download`."""


class DiskFull(Exception):
    """No room; the list in force is as it was. Trying again is safe."""


class SnapshotRefused(Exception):
    """The snapshot is not what the compound's root key signed, or not a list. The list in force is as it was."""


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class ListFolder:
    """Not thread-safe. Methods raise ListError where the list in force must be rebuilt, DiskFull, or OSError."""

    def __init__(self, folder: Path, compound: int, root_public: bytes, free: Callable[[Path], int] = _free_bytes):
        self._folder = folder
        self._compound = compound
        self._root_public = root_public
        self._free = free
        self._writer: ListWriter | None = None

    def cursor(self) -> Cursor:
        """How far the list in force is. Raises ListError where there is none that can be used."""
        return self._open().cursor

    def partial(self) -> bool:
        """Whether an earlier version wrote rows of the list in force: the centre may have more of them."""
        return self._open().partial

    def _open(self) -> ListWriter:
        if self._writer is None:
            path = get_current(self._folder)
            if path is None:
                raise ListError("there is no list yet")
            writer = _writing(lambda: ListWriter(path))
            if writer.compound != self._compound:
                writer.close()
                raise ListError(f"{path.name} is the list of another compound")
            self._writer = writer
        return self._writer

    def apply(self, page: Page) -> None:
        """Put a page in. Rows and cursor commit together.

        A statement our root did not sign stays out: the core would refuse it, and the true one it replaced in the
        file would be gone after a restart.
        """
        writer = self._open()
        ours = [change for change in page.signed if change.is_by(self._root_public)]
        if len(ours) < len(page.signed):
            log.error("signed=dropped count=%d revision=%d", len(page.signed) - len(ours), page.revision)
        self._put(lambda: writer.apply(msgspec.structs.replace(page, signed=ours)))
        if page.head is not None and page.head.is_by(self._root_public):
            self._keep_proof(page.head)

    def _keep_proof(self, statement: Signed) -> None:
        """Not flushed, and lost without harm: each page brings the next."""
        new = self._folder / f"{PROOF}.new"
        with suppress(OSError):
            new.write_bytes(msgspec.json.encode(statement))
            new.replace(self._folder / PROOF)

    def proof(self) -> Signed | None:
        """What shows a restored centre that it has less than it had."""
        try:
            return msgspec.json.decode((self._folder / PROOF).read_bytes(), type=Signed)
        except (OSError, msgspec.MsgspecError):
            return None

    def is_past(self, head: SnapshotHead) -> bool:
        """Whether a snapshot is of an epoch that the root put before the one our proof is of. Raises SnapshotRefused
        for one that our root did not sign."""
        self._vouched(head)
        proof = self.proof()
        if proof is None or proof.epoch == head.signed.epoch or not proof.is_by(self._root_public):
            return False
        return 0 < order_of(proof) >= order_of(head.signed)

    def stamp(self, as_of_ms: int) -> None:
        """Note that the centre had nothing newer at this time."""
        writer = self._open()
        self._put(lambda: writer.stamp(as_of_ms))

    def _put(self, act: Callable[[], None]) -> None:
        """A handle that the disk refused goes: opening anew also writes again what a failed flush may have lost."""
        try:
            _writing(act)
        except (DiskFull, OSError):
            self.close()
            raise

    def check(self) -> None:
        """Read the list in force through. Raises ListError."""
        path = get_current(self._folder)
        if path is None:
            raise ListError("there is no list yet")
        check(path, self._compound, self.cursor().epoch)

    def close(self) -> None:
        """Let go of the list in force; the next method opens it again. Idempotent."""
        if self._writer:
            self._writer.close()
            self._writer = None

    # Taking a snapshot

    def install(self, head: SnapshotHead, download: Download) -> None:
        """Fetch a prepared list, check it, and put it in force. Raises SnapshotRefused.

        What was fetched before the line was lost is kept, and the next call goes on from there.
        """
        body = self._vouched(head)
        part = self._folder / f"snapshot-{head.signed.epoch}-{head.signed.revision}.part"
        self._remove(p for p in self._folder.glob("*.part*") if p != part)
        try:
            self._fetch(part, head.name, body, download)
            self._check(part, head, body)
            self._put_in_force(part, head.signed.epoch)
            self._keep_proof(head.signed)
        except OSError as err:
            if err.errno in (errno.ENOSPC, errno.EDQUOT):
                part.unlink(missing_ok=True)
                raise DiskFull("no room for the list") from err
            raise

    def _vouched(self, head: SnapshotHead) -> SnapshotBody:
        signed = head.signed
        if (signed.purpose, signed.compound, signed.item) != ("snapshot", self._compound, head.name):
            raise SnapshotRefused("the signature is for something else")
        if not signed.is_by(self._root_public):
            raise SnapshotRefused("it is not signed by this compound's root key")
        try:
            body = msgspec.json.decode(signed.body, type=SnapshotBody)
        except msgspec.MsgspecError as err:
            raise SnapshotRefused("what is signed is not understood") from err
        if not _EPOCH.fullmatch(signed.epoch) or not 0 < body.size <= MAX_SNAPSHOT:
            raise SnapshotRefused("its epoch or size cannot be")
        return body

    def _fetch(self, part: Path, name: str, body: SnapshotBody, download: Download) -> None:
        start = part.stat().st_size if part.exists() else 0
        if start == body.size:
            return
        start = start if start < body.size else 0
        if self._free(self._folder) < body.size - start + KEPT_FREE:
            raise DiskFull(f"no room for a list of {body.size} bytes")
        with download(name, start) as (at, pieces), part.open("r+b" if part.exists() else "xb") as file:
            os.fchmod(file.fileno(), MODE)
            file.seek(at)
            file.truncate()
            for piece in pieces:
                at += len(piece)
                if at > body.size:
                    break  # the hash will not fit either
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())

    def _check(self, part: Path, head: SnapshotHead, body: SnapshotBody) -> None:
        if part.stat().st_size < body.size:
            raise SnapshotRefused("it ended early")
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_HASH_BYTES)).hexdigest()
        if digest != body.hash:
            part.unlink()
            raise SnapshotRefused("its hash is another one than the root key signed")
        try:
            check(part, self._compound, head.signed.epoch)
        except ListError as err:
            part.unlink()
            raise SnapshotRefused(str(err)) from err

    def _put_in_force(self, part: Path, epoch: str) -> None:
        path = self._fresh(epoch)
        part.replace(path)
        flush_folder(self._folder)
        writer = _writing(lambda: ListWriter(path))
        _writing(writer.vouch)
        set_current(self._folder, path.name)
        self.close()
        self._writer = writer
        log.info("list=%s revision=%d", path.name, writer.cursor.revision)

    def _fresh(self, epoch: str) -> Path:
        """A name that no list, nor what SQLite left of one, has had: an old ``-wal`` would be replayed into it."""
        used = [int(m[1]) for p in self._folder.glob("list-*") if (m := re.match(r"list-.*-(\d+)\.db", p.name))]
        return self._folder / f"list-{epoch}-{max(used, default=0) + 1}.db"

    def tidy(self) -> None:
        """Delete every list but the one in force. Only when the core follows that one."""
        current = get_current(self._folder)
        if current is not None and current.exists():
            self._remove(p for p in self._folder.glob("list-*") if not p.name.startswith(current.name))

    def wipe(self) -> None:
        """Delete every list, the one in force first of all. Only on the core's word. Idempotent."""
        self.close()
        self._remove([self._folder / "current", self._folder / PROOF])
        self._remove(p for pattern in ("list-*", "*.part*") for p in self._folder.glob(pattern))

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in list(paths):
            with suppress(FileNotFoundError):
                path.unlink()


def _writing(act: Callable[[], T]) -> T:
    try:
        return act()
    except ListUnwritten as err:
        if err.full:
            raise DiskFull(str(err)) from err
        raise OSError(errno.EAGAIN, str(err)) from err
