"""Trusted time: the core's own clock is CLOCK_BOOTTIME plus an offset. The system clock is never set.

``trusted``: anchored in this boot by a root-signed time statement over the core's own nonce, and not further out than
30 s. ``holdover``: anchored earlier in this boot, or without a signature: by a hardware clock that agreed with the last
statement, or by a signed-in guard, whose word counts more. ``untrusted``: anything else.

Time cannot be before the floor. Signed statements move it; after a restart so does the journal, as far as its events
were dated by a clock that a statement had set. A hardware clock is believed between that floor and 90 days after it,
by its own time and not by the system clock's: that one is set by others too, and after a power cut it goes on from the
last time that a file remembers. Where the two disagree, neither is believed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Literal

import msgspec

from hardware.rtc import RtcTime, boottime, read_rtc
from kiosk.core.kept import Kept, KeptAnchor, Memory
from kiosk.core.policy import Now, TimeState
from sync.protocol import Signed, TimeBody

TRUSTED_WITHIN_MS = 30_000
DRIFT = 100e-6
"""Milliseconds the offset may go wrong per millisecond: a cheap crystal in heat and cold."""
NONCE_S = 60.0
_NONCES = 16
RELEASED_MS = 1_793_491_200_000
"""2026-11-01, the month of the first release: it cannot be earlier than that."""
RTC_AHEAD_MS = 90 * 24 * 3_600_000
"""No gate is without power and centre for longer, so a hardware clock further ahead is wrong."""
GUARD_AHEAD_MS = 2 * 365 * 24 * 3_600_000
"""A guard who says a time further ahead has mistaken the year."""
RTC_WITHIN_MS = 5_000
RTC_UNCERTAINTY_MS = 60_000
RTC_YOUNG_S = 30.0
"""A reading older than this is none: who reads the clock hangs."""
GUARD_UNCERTAINTY_MS = 120_000


class _Anchor(msgspec.Struct, frozen=True):
    offset_ms: int
    at: float
    uncertainty_ms: int
    by: Literal["statement", "rtc", "guard"]


class Clock:
    """The gate's time. Not thread-safe: it belongs to the core's loop.

    ``boot`` gives seconds since boot, ``rtc`` the last reading of the hardware clock, ``system`` the system clock in
    UTC milliseconds (it must agree with the hardware clock at the start, and sets nothing); injected in tests. Within
    the boot of that ``boot_id`` a restart of the core costs no time: what the clock went by is kept.
    """

    def __init__(
        self,
        kept: Kept[Memory],
        boot: Callable[[], float] = boottime,
        system: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        rtc: Callable[[], RtcTime | None] = read_rtc,
        boot_id: str = "",
    ):
        self._kept = kept
        self._boot = boot
        self._system = system
        self._rtc = rtc
        self._nonces: dict[bytes, float] = {}
        self._unsigned_before = kept.now.unsigned_since_ms
        self._known_ms = kept.now.floor_ms
        """The latest time that a signature stands behind, over restarts."""
        self._boot_id = boot_id
        self._began = boot()
        self._anchor = self._from_this_boot() or self._from_rtc()
        self.zone: tzinfo = UTC

    def _from_this_boot(self) -> _Anchor | None:
        """What an earlier run of the core in this boot went by."""
        kept = self._kept.now.anchor
        if kept is None or not self._boot_id or kept.boot != self._boot_id or kept.at > self._began:
            return None
        return _Anchor(kept.offset_ms, kept.at, kept.uncertainty_ms, kept.by)

    def _to_keep(self) -> KeptAnchor | None:
        anchor = self._anchor
        if not self._boot_id or anchor is None or anchor.by == "rtc":
            return None
        return KeptAnchor(
            boot=self._boot_id,
            offset_ms=anchor.offset_ms,
            at=anchor.at,
            uncertainty_ms=anchor.uncertainty_ms,
            by=anchor.by,
        )

    def _from_rtc(self) -> _Anchor | None:
        """The hardware clock's word, if it is the clock that agreed with the last statement, if what it says can be,
        and if the system clock says so too."""
        said, memory = self._rtc_now(), self._kept.now
        if said is None or not memory.rtc_agreed or said.name != memory.rtc_name:
            return None
        plausible = self._known_ms <= said.utc_ms <= max(self._known_ms, RELEASED_MS) + RTC_AHEAD_MS
        drifted_ms = int(max(0, said.utc_ms - memory.rtc_agreed_ms) * DRIFT)
        if not plausible or abs(said.utc_ms - self._system()) > RTC_WITHIN_MS + drifted_ms:
            return None
        return _Anchor(said.utc_ms - int(said.at * 1000), said.at, RTC_UNCERTAINTY_MS + drifted_ms, "rtc")

    def _rtc_now(self) -> RtcTime | None:
        """What the hardware clock would say now, by its last reading."""
        said, at = self._rtc(), self._boot()
        if said is None or at - said.at > RTC_YOUNG_S:
            return None
        return RtcTime(said.name, said.utc_ms + int((at - said.at) * 1000), at)

    def recall(self, newest_ms: int, trusted_ms: int = 0) -> None:
        """Learn from the journal: ``newest_ms`` is the time of its last event whose clock knew the time, ``trusted_ms``
        of the last whose clock was trusted (0: there is none). The hardware clock is looked at again: one that is
        behind the journal is slow."""
        if self._is_signed():
            return
        signed_ms = min(newest_ms, self._unsigned_before) if self._unsigned_before else newest_ms
        self._known_ms = max(self._known_ms, signed_ms, trusted_ms)
        if self._anchor and self._anchor.by == "rtc":
            said = self._rtc_now()
            slow = said is None or said.utc_ms + RTC_WITHIN_MS < newest_ms
            self._anchor = None if slow else self._from_rtc()
        if self._anchor and self._anchor.by == "rtc":
            self._begin_unsigned()

    def _begin_unsigned(self) -> None:
        """From now on the journal's times are vouched for by nobody; remember up to when they were."""
        if not self._kept.now.unsigned_since_ms:
            self._kept.change(unsigned_since_ms=max(1, self._known_ms))

    @property
    def asks(self) -> bool:
        """Whether a guard should compare the time with a watch: nobody better has said it."""
        return self._anchor is None or self._anchor.by == "rtc"

    @property
    def rtc_standing(self) -> Literal["none", "unproven", "proven"]:
        """Whether there is a hardware clock that tells a time, and whether it agreed with the last statement."""
        if self._rtc_now() is None:
            return "none"
        return "proven" if self._kept.now.rtc_agreed else "unproven"

    def now(self) -> Now:
        """The time, its state, how far it may be out (milliseconds), and the floor."""
        boot, floor = self._boot(), self._known_ms
        if self._anchor is None:
            # Nothing is known but that time is after the floor and goes on since this clock began.
            utc = floor + int((boot - self._began) * 1000)
            return Now(utc_ms=utc, state="untrusted", signed=False, floor_ms=floor, zone=self.zone)
        utc = max(self._anchor.offset_ms + int(boot * 1000), floor)
        uncertainty = self._anchor.uncertainty_ms + int((boot - self._anchor.at) * 1000 * DRIFT)
        signed = self._anchor.by == "statement"
        state: TimeState = "trusted" if signed and uncertainty <= TRUSTED_WITHIN_MS else "holdover"
        return Now(utc_ms=utc, state=state, signed=signed, uncertainty_ms=uncertainty, floor_ms=floor, zone=self.zone)

    def nonce(self) -> bytes:
        """A fresh nonce for a time statement: good once, for a minute."""
        now = self._boot()
        young = [(n, t) for n, t in self._nonces.items() if now - t < NONCE_S]
        self._nonces = dict(young[1 - _NONCES :])
        nonce = secrets.token_bytes(16)
        self._nonces[nonce] = now
        return nonce

    def take_statement(self, statement: Signed, root_public: bytes, device: str, compound: int) -> str:
        """Anchor the clock by the centre's signed time. Answers what was wrong with it, empty if nothing was.

        The statement may have been under way for the whole time since the nonce, so that is the uncertainty; its
        middle is the best guess.
        """
        named = (statement.purpose, statement.item, statement.compound) == ("time", device, compound)
        if not named or not statement.is_by(root_public):
            return "not signed for this gate"
        try:
            body = msgspec.json.decode(statement.body, type=TimeBody)
        except msgspec.MsgspecError:
            return "unreadable"
        asked, at = self._nonces.pop(body.nonce, None), self._boot()
        if asked is None or at - asked > NONCE_S:
            return "an old or unknown nonce"
        away_ms = int((at - asked) * 1000)
        signed_before = self._is_signed()
        if not (signed_before and self.now().uncertainty_ms < away_ms):
            # One that was held up on its way must not make a clock worse that is known better.
            self._anchor = _Anchor(body.utc_ms + away_ms // 2 - int(at * 1000), at, away_ms, "statement")
        said, floor_ms = self._rtc_now(), max(self._kept.now.floor_ms, body.utc_ms)
        agreed = said is not None and abs(said.utc_ms - body.utc_ms) <= RTC_WITHIN_MS
        name, agreed_ms = (said.name, body.utc_ms) if said and agreed else ("", 0)
        self._kept.change(
            floor_ms=floor_ms, rtc_agreed=agreed, rtc_name=name, rtc_agreed_ms=agreed_ms, anchor=self._to_keep()
        )
        self._known_ms = floor_ms
        if signed_before:
            self.settle()
        return ""

    def settle(self) -> None:
        """A signature stands behind the journal's times again. Only once an event of that clock is on disk: a power cut
        might else leave one of the wrong clock as the journal's last."""
        self._kept.change(unsigned_since_ms=0)

    def _is_signed(self) -> bool:
        return self._anchor is not None and self._anchor.by == "statement"

    def confirm(self, utc_ms: int) -> str:
        """A signed-in guard says what time it is. Only where no statement did, never before the floor or the release,
        and never two years after both. Answers a code, ``known_already``, ``before_floor`` or ``bad_time``; empty:
        taken.
        """
        if self._is_signed():
            return "known_already"
        earliest = max(self._known_ms, RELEASED_MS)
        if utc_ms < earliest:
            return "before_floor"
        if utc_ms > earliest + GUARD_AHEAD_MS:
            return "bad_time"
        at = self._boot()
        self._anchor = _Anchor(utc_ms - int(at * 1000), at, GUARD_UNCERTAINTY_MS, "guard")
        self._begin_unsigned()
        self._kept.change(anchor=self._to_keep())
        return ""
