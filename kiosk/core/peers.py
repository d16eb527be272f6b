"""What the other processes said last, and what their silence means. Knows nothing of gate, journal and list."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kiosk import verbs
from kiosk.restarts import Restart, Restarts
from sync.protocol import SyncState
from sync.terms import CameraFault, Switched

READER_SILENT_S = 3.0
SYNC_SILENT_S = 45.0
STARTING = verbs.STARTING
HUNG_S, LATE_S = 2.5, 1.0
"""No frame for the first: the camera hangs. The reader itself must have missed it for the second, else it is the
reader that is silent."""
OPENING_S = 6.0
"""How long a camera may take to be opened for the first time; libcamera takes two."""
CAMERA_FAULTS: Mapping[str, CameraFault] = {
    "black": "camera_black",
    "white": "camera_white",
    "frozen": "camera_frozen",
    "hung": "camera_hung",
}
NOTES, NOTE_EVERY_S = 4.0, 300.0
"""Beginnings and ends of faults that go into the journal one after the other, and how soon another one may: a camera
that flaps must not fill it."""
_LONGEST_WORD = 20
_RESTART_NOTED_S = 60.0
"""At most one line in the journal in this time: a picture that stays before a camera must not fill it."""

log = logging.getLogger("core")


class CameraHealth(NamedTuple):
    """``why`` is for a technician; ``fault`` is the code, "" for none."""

    ok: bool
    why: str
    fault: str


class CentreHealth(NamedTuple):
    """``seen_s`` is the time in seconds since the centre last answered; -1: never."""

    ok: bool
    why: str
    seen_s: int


class FaultNotes:
    """Beginnings and ends of the faults of one camera, or of one part of the board, of which some go into the journal.
    The last always does, sooner or later. ``noted`` is what the journal says now. Pure."""

    def __init__(self) -> None:
        self.noted = ""
        self._left = NOTES
        self._at = float("-inf")

    def step(self, fault: str, now: float) -> tuple[Switched, str] | None:
        """``on`` and the fault that begins, ``off`` and the one that ended, or nothing."""
        if fault == self.noted:
            return None
        left = min(NOTES, self._left + (now - self._at) / NOTE_EVERY_S)
        if left < 1:
            return None
        self._left, self._at = left - 1, now
        ended, self.noted = self.noted, fault
        return ("on", fault) if fault else ("off", ended)


class Peers:
    """Reader and sync, as the core last heard of them. ``monotonic`` is the clock of silence."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._started = monotonic()
        self._readers: dict[str, tuple[float, verbs.ReaderState]] = {}
        self._standing: dict[str, str] = {}  # the fault of before for a lane whose reader has just begun anew
        self._notes: dict[str, FaultNotes] = {}
        self._restarts = Restarts()
        self._restart_noted_at = float("-inf")
        self._sync: SyncState | None = None
        self._sync_at = self._started
        self._centre_at: float | None = None

    # --- reader ---

    def reader_said(self, state: verbs.ReaderState, now_ms: int) -> str:
        """Take note of a reader's state. Returns what a restart that belongs in the journal now was for, or ""."""
        now = self._monotonic()
        before = self.reader(state.lane)
        # A new reader knows nothing yet: what was wrong with the camera still is.
        standing = self._heard_of(before, 0.0).fault if before and state.why == STARTING else ""
        self._standing[state.lane] = standing
        self._readers[state.lane] = (now, state)
        return self._restarted(state.run, now, now_ms) if len(state.run) <= _LONGEST_WORD else ""

    def _restarted(self, run: str, now: float, now_ms: int) -> str:
        restart = self._restarts.heard(run, now, now_ms)
        if restart is None:
            return ""
        times = len(self._restarts.last_hour(now))
        log.warning("reader=restarted why=%s lane=%s last_hour=%d", restart.why or "unknown", restart.lane, times)
        if now - self._restart_noted_at < _RESTART_NOTED_S:
            return ""
        self._restart_noted_at = now
        return f"{restart.why or 'unknown'} {restart.lane}".strip()

    def reader_ends(self, said: verbs.Ending) -> None:
        """Take note of a reader's last word."""
        self._restarts.ending(said)

    def reader(self, lane: str) -> verbs.ReaderState | None:
        """The last state heard, of any age; None: none so far."""
        heard = self._readers.get(lane)
        return heard[1] if heard else None

    def restarts(self, lane: str) -> tuple[Restart, ...]:
        """The reader's restarts of the last hour, of all lanes; none as long as this lane was not heard of."""
        return self._restarts.last_hour(self._monotonic()) if lane in self._readers else ()

    @property
    def restart_count(self) -> int:
        """The reader's restarts that nobody asked for, since the core began."""
        return self._restarts.count

    def figures(self, lane: str) -> verbs.ReaderFigures | None:
        """What the lane's reader counted; None while it is silent."""
        heard = self._readers.get(lane)
        silent = heard is None or self._monotonic() - heard[0] > READER_SILENT_S
        return None if silent or heard is None else heard[1].figures

    def restarts_worth_telling(self) -> bool:
        """Whether a guard should hear of the reader's restarts."""
        return self._restarts.worth_telling(self._monotonic())

    def camera(self, lane: str) -> CameraHealth:
        """How the lane's camera is. A silent reader is a fault, one that has just begun is not."""
        heard = self._readers.get(lane)
        since = self._monotonic() - (heard[0] if heard else self._started)
        if since > READER_SILENT_S:
            return CameraHealth(False, "reader_silent", "reader_silent")
        if heard is None:
            return CameraHealth(False, STARTING, "")
        return self._heard_of(heard[1], since)

    def _heard_of(self, state: verbs.ReaderState, since: float) -> CameraHealth:
        age = state.frame_age_s + since
        if state.why == STARTING:
            standing = self._standing.get(state.lane, "")
            return CameraHealth(False, STARTING, "camera_hung" if age > OPENING_S else standing)
        opened = state.ok or state.fault  # else no frame is to be had, and the reader says why
        if opened and age > HUNG_S and state.frame_age_s > LATE_S:
            return CameraHealth(False, f"no frame for {age:.0f} s, and the driver does not answer", "camera_hung")
        fault = CAMERA_FAULTS.get(state.fault, "camera")
        return CameraHealth(state.ok, state.why, "" if state.ok else fault)

    def camera_fault(self, lane: str) -> str:
        """The fault's code: reader_silent, a :data:`sync.terms.CameraFault`, or "" for none."""
        return self.camera(lane).fault

    def camera_news(self, lane: str) -> tuple[Switched, str] | None:
        """The beginning or end of a camera's fault that belongs in the journal now. To be asked on and on."""
        fault = self.camera_fault(lane)
        notes = self._notes.setdefault(lane, FaultNotes())
        return None if fault == "reader_silent" else notes.step(fault, self._monotonic())

    def light_wanted(self, lane: str) -> bool:
        """Whether a reader that is not silent wants the lane's lamp."""
        heard = self._readers.get(lane)
        blind = self.camera_fault(lane) in ("reader_silent", "camera_hung")
        return heard is not None and heard[1].light and not blind

    def hint(self, lane: str) -> str:
        """The hint of a reader whose camera is well; "" for none."""
        heard = self._readers.get(lane)
        return short_word(heard[1].hint) if heard and self.camera(lane).ok else ""

    # --- sync ---

    def sync_said(self, state: SyncState) -> None:
        """Take note of how sync and the centre are."""
        self._sync, self._sync_at = state, self._monotonic()
        if state.centre_ok:
            self._centre_at = self._sync_at

    def centre(self) -> CentreHealth:
        """How the centre is, by sync's last word; a silent sync is a fault of its own."""
        now = self._monotonic()
        seen = -1 if self._centre_at is None else int(now - self._centre_at)
        silent = now - self._sync_at > SYNC_SILENT_S
        if self._sync is None or silent:
            return CentreHealth(False, "sync_silent" if silent else STARTING, seen)
        return CentreHealth(self._sync.centre_ok, self._sync.why, seen)

    @property
    def sync_up_s(self) -> float | None:
        """How long sync has run; None while it is silent or does not say."""
        silent = self._sync is None or self._monotonic() - self._sync_at > SYNC_SILENT_S
        return None if silent or self._sync is None else self._sync.up_s

    @property
    def unsent(self) -> int:
        """Events that the centre does not have yet, by sync's last word."""
        return self._sync.unsent if self._sync else 0


def short_word(said: str) -> str:
    """What another process says of itself, if it is a short identifier and so fit for log and page; otherwise ""."""
    return said if len(said) <= _LONGEST_WORD and said.isidentifier() else ""
