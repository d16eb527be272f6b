"""When each device was last heard of, and how far its list is: kept in memory, written down every few seconds.

A write for each poll would cost a disk flush per gate and minute for nothing; what is lost in a crash is a few seconds
of "last seen".
"""

from __future__ import annotations

import logging
import threading

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from sync.server.centre.places import all_places
from sync.server.centre.writing import Centre
from sync.server.gates.fleet import Device
from sync.server.passes import scopes

_log = logging.getLogger(__name__)
_WRITE_EVERY = 5  # looks

_UPDATE = text(
    "UPDATE device SET seen_ms = :seen_ms, seen_epoch = coalesce(:epoch, seen_epoch), "
    "seen_revision = coalesce(:revision, seen_revision) WHERE compound_id = :compound AND device_id = :device"
)


class Presence:
    """Thread-safe."""

    def __init__(self, centre: Centre):
        self._centre = centre
        self._lock = threading.Lock()
        self._seen: dict[tuple[int, str], int] = {}
        self._cursors: dict[tuple[int, str], tuple[str, int]] = {}

    def seen(self, device: Device, now_ms: int) -> None:
        """Note that a device was heard of."""
        with self._lock:
            self._seen[device.compound, device.device] = now_ms

    def has(self, device: Device, epoch: str, revision: int) -> None:
        """Note that a device has everything up to this cursor."""
        with self._lock:
            self._cursors[device.compound, device.device] = epoch, revision

    def write(self) -> None:
        """Put it into the database."""
        with self._lock:
            seen, self._seen = self._seen, {}
            cursors, self._cursors = self._cursors, {}
        rows = []
        for (compound, device), seen_ms in seen.items():
            epoch, revision = cursors.get((compound, device), (None, None))
            rows.append(
                {"compound": compound, "device": device, "seen_ms": seen_ms, "epoch": epoch, "revision": revision}
            )
        if rows:
            with self._centre.store.write() as conn:
                conn.execute(_UPDATE, rows)


class Watch:
    """One thread that looks once a second for commits of other programs (the command line) and wakes their gates, and
    writes presence down."""

    def __init__(self, centre: Centre, presence: Presence):
        self._centre = centre
        self._presence = presence
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and writes down what it knows. Idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._presence.write()

    def _run(self) -> None:
        looks = 0
        while not self._stop.wait(self._centre.settings.watch_every_s):
            looks += 1
            try:
                self.look()
                if looks % _WRITE_EVERY == 0:
                    self._presence.write()
                    scopes.follow_all(self._centre)
            except SQLAlchemyError as err:
                _log.warning("watch=failed why=%s", type(err).__name__)

    def look(self) -> None:
        """Tell every compound's newest revision to those who wait."""
        with self._centre.store.read() as conn:
            for compound in all_places(conn):
                self._centre.wakes.tell(compound.compound_id, compound.revision)
