"""Prepared lists: a compound's whole state in one SQLite file, built once for a herd of gates.

A snapshot may be behind the feed; the gate goes on from its cursor. A file is built under another name and renamed when
whole, so anyone who sees ``list-EPOCH-REVISION.db`` sees all of it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from pathlib import Path

import msgspec

from sync import cache
from sync.protocol import MAX_PAGE, VERSION, SnapshotBody, SnapshotHead, sign
from sync.server.centre import feed
from sync.server.centre.places import Compound, get_compound
from sync.server.centre.writing import Centre

_FOLDER = "snapshots"
_KEPT = 2  # a gate may still be fetching the one before the newest


class Snapshots:
    """The snapshots of a centre on disk. Thread-safe."""

    def __init__(self, centre: Centre):
        self._centre = centre
        self._folder = centre.settings.state / _FOLDER
        self._building: dict[int, threading.Lock] = defaultdict(threading.Lock)

    def head(self, compound_id: int) -> SnapshotHead:
        """The newest snapshot of a compound; built now where there is none that a page or two of the feed bring up to
        date. Callers that come meanwhile wait for the one build."""
        with self._building[compound_id]:
            with self._centre.store.read() as conn:
                compound = get_compound(conn, compound_id)
            ready = self._newest(compound)
            return ready or self._build(compound_id)

    def file(self, compound_id: int, name: str) -> Path | None:
        """Where a snapshot is, or None: names are looked up, never followed."""
        return {path.name: path for path in self._files(compound_id)}.get(name)

    def _files(self, compound_id: int) -> list[Path]:
        """Whole snapshots, those with the highest revision last."""
        found = (self._folder / str(compound_id)).glob("list-*-*.db")
        return sorted((p for p in found if p.with_suffix(".json").exists()), key=lambda p: p.stat().st_mtime_ns)

    def _newest(self, compound: Compound) -> SnapshotHead | None:
        for path in reversed(self._files(compound.compound_id)):
            head = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=SnapshotHead)
            revision = head.signed.revision
            if head.signed.epoch == compound.epoch and revision >= max(compound.pruned_revision,
                                                                      compound.revision - MAX_PAGE):  # fmt: skip
                return head
        return None

    def _build(self, compound_id: int) -> SnapshotHead:
        folder = self._folder / str(compound_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = folder / "draft"
        draft.unlink(missing_ok=True)
        compound = self._fill(draft, compound_id)
        name = f"list-{compound.epoch}-{compound.revision}.db"
        body = SnapshotBody(_hash(draft), draft.stat().st_size, compound.life, compound.epoch_order)
        seed = self._centre.vault.unseal(compound.sealed_root_seed)
        signed = sign(seed, "snapshot", compound_id, compound.epoch, compound.revision, name, msgspec.json.encode(body))
        head = SnapshotHead(v=VERSION, name=name, signed=signed)
        draft.replace(folder / name)
        (folder / "draft.json").write_bytes(msgspec.json.encode(head))
        (folder / "draft.json").replace((folder / name).with_suffix(".json"))
        for old in self._files(compound_id)[:-_KEPT]:
            old.with_suffix(".json").unlink(missing_ok=True)
            old.unlink(missing_ok=True)
        return head

    def _fill(self, path: Path, compound_id: int) -> Compound:
        """Write a moment's whole state; the compound at that moment."""
        with self._centre.store.read() as conn:
            compound = get_compound(conn, compound_id)
            cache.create(path, compound_id, compound.epoch)
            writer = cache.ListWriter(path, wal=False)
            try:
                writer.fill(
                    feed.all_rows(conn, compound_id), feed.all_signed(conn, compound_id), compound.revision,
                    self._centre.now_ms(), feed.last_serials(conn, compound_id),
                )  # fmt: skip
            finally:
                writer.close()
        return compound


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32))
    return digest.hexdigest()


def forget(state: Path, compound_id: int) -> None:
    """Remove a compound's prepared lists, because of what is in them; the next gate that asks gets a new one. Who is
    fetching one has it open, and gets the rest of it."""
    for path in (state / _FOLDER / str(compound_id)).glob("list-*"):
        path.unlink(missing_ok=True)
