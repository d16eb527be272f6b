"""Trusted time: the core's own clock is CLOCK_BOOTTIME plus an offset. The system clock is never set.

``trusted``: anchored in this boot by a root-signed time statement over the core's own nonce, and not further out than
30 s. ``holdover``: anchored earlier in this boot, or by a hardware clock that agreed with the last statement, or by a
signed-in guard who confirmed the time. ``untrusted``: anything else. The floor moves by signed statements only.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, tzinfo
from pathlib import Path

import msgspec

from kiosk.core.kept import Kept, Memory
from kiosk.core.policy import Now, TimeState
from sync.protocol import Signed, TimeBody

TRUSTED_WITHIN_MS = 30_000
DRIFT = 100e-6
"""Milliseconds the offset may go wrong per millisecond: a cheap crystal in heat and cold."""
NONCE_S = 60.0
_NONCES = 16
_LATEST_MS = 4_102_444_800_000
"""2100: no guard means that, and no calendar reckons with everything."""
RTC_WITHIN_MS = 5_000
RTC_UNCERTAINTY_MS = 60_000
GUARD_UNCERTAINTY_MS = 120_000


def boottime() -> float:
    """Seconds since boot, suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Anchor(msgspec.Struct, frozen=True):
    offset_ms: int
    at: float
    uncertainty_ms: int
    signed: bool


class Clock:
    """The gate's time. Not thread-safe: it belongs to the core's loop.

    ``boot`` gives seconds since boot, ``system`` the system clock in UTC milliseconds (read only to use a hardware
    clock that proved right before); both are injected in tests.
    """

    def __init__(
        self,
        kept: Kept[Memory],
        boot: Callable[[], float] = boottime,
        system: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        has_rtc: Callable[[], bool] = lambda: Path("/dev/rtc0").exists(),
    ):
        self._kept = kept
        self._boot = boot
        self._system = system
        self._has_rtc = has_rtc
        self._nonces: dict[bytes, float] = {}
        self._anchor = self._from_rtc()
        self.zone: tzinfo = UTC

    def _from_rtc(self) -> _Anchor | None:
        system = self._system()
        memory = self._kept.now
        if not (memory.rtc_agreed and self._has_rtc() and system >= memory.floor_ms):
            return None
        at = self._boot()
        return _Anchor(system - int(at * 1000), at, RTC_UNCERTAINTY_MS, signed=False)

    def now(self) -> Now:
        """The time, its state, how far it may be out (milliseconds), and the floor."""
        boot, floor = self._boot(), self._kept.now.floor_ms
        if self._anchor is None:
            # Nothing is known but that time is after the floor and goes on.
            return Now(utc_ms=floor + int(boot * 1000), state="untrusted", floor_ms=floor, zone=self.zone)
        utc = max(self._anchor.offset_ms + int(boot * 1000), floor)
        uncertainty = self._anchor.uncertainty_ms + int((boot - self._anchor.at) * 1000 * DRIFT)
        trusted = self._anchor.signed and uncertainty <= TRUSTED_WITHIN_MS
        state: TimeState = "trusted" if trusted else "holdover"
        return Now(utc_ms=utc, state=state, uncertainty_ms=uncertainty, floor_ms=floor, zone=self.zone)

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
        if not (self._anchor and self._anchor.signed and self.now().uncertainty_ms < away_ms):
            # One that was held up on its way must not make a clock worse that is known better.
            self._anchor = _Anchor(body.utc_ms + away_ms // 2 - int(at * 1000), at, away_ms, signed=True)
        agreed = self._has_rtc() and abs(self._system() - body.utc_ms) <= RTC_WITHIN_MS
        self._kept.change(floor_ms=max(self._kept.now.floor_ms, body.utc_ms), rtc_agreed=agreed)
        return ""

    def confirm(self, utc_ms: int) -> str:
        """A signed-in guard says what time it is. Only without anything better, and never before the floor.

        Answers a code, ``known_already``, ``before_floor`` or ``bad_time``; empty: taken.
        """
        if self.now().state != "untrusted":
            return "known_already"
        if utc_ms < self._kept.now.floor_ms:
            return "before_floor"
        if utc_ms >= _LATEST_MS:
            return "bad_time"
        at = self._boot()
        self._anchor = _Anchor(utc_ms - int(at * 1000), at, GUARD_UNCERTAINTY_MS, signed=False)
        return ""
