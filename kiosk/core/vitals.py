"""How the board is, watched: a thread that reads, faults that are judged, and notes for the journal.

The thread has the readings to itself: a hardware clock on a hanging bus or a dying disk must not hold the loop, by
which guards open.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping

from hardware.rtc import RtcTime
from hardware.vitals import SLOWED_C, Vitals
from kiosk.core.peers import FaultNotes
from sync.protocol import Event
from sync.terms import BOARD_FAULTS, BoardFault, Switched

READ_EVERY_S = 2.0
"""As often as the kernel asks the firmware about the supply: a dip between two readings is still in the second."""
FIRST_WITHIN_S = 3.0
"""How long a start waits for the first reading."""
OLD_S = 30.0
"""A reading older than this says nothing: the thread hangs."""
WEAK_FOR_S = 900.0
"""A weak supply dips with each opening; between two dips it is as weak as before."""
HOT_C, COOL_C = SLOWED_C, 75.0
WORN = 0.9
FULL_BYTES, ROOM_BYTES = 200 << 20, 300 << 20
NOTE_AGAIN_S = 24 * 3600.0
"""How often the journal says again that a fault stands: the centre forgets, and may have been put back."""

log = logging.getLogger("core")


class BoardWatch:
    """The newest readings of a thread; ``read`` may hang. Thread-safe."""

    def __init__(
        self,
        read: Callable[[], Vitals],
        read_rtc: Callable[[], RtcTime | None],
        monotonic: Callable[[], float],
        first_within_s: float = FIRST_WITHIN_S,
    ):
        self._read = read
        self._read_rtc = read_rtc
        self._monotonic = monotonic
        self._first_within_s = first_within_s
        self._now: tuple[float, Vitals, RtcTime | None] = (monotonic(), Vitals(), None)
        self._first = threading.Event()
        self._stop = threading.Event()

    def start(self) -> BoardWatch:
        """Begin, and wait for the first reading, though not long."""
        threading.Thread(target=self._run, name="board", daemon=True).start()
        self._first.wait(self._first_within_s)
        return self

    def _run(self) -> None:
        while not self._stop.is_set():
            rtc = self._read_rtc()  # first, and told at once: the clock needs it, and the disk may hang
            self._now = (self._monotonic(), self._now[1], rtc)
            self._now = (self._monotonic(), self._read(), rtc)
            self._first.set()
            self._stop.wait(READ_EVERY_S)

    def vitals(self) -> Vitals:
        """The newest reading; nothing is known after half a minute without one."""
        at, vitals, _ = self._now
        return vitals if self._monotonic() - at <= OLD_S else Vitals()

    def rtc(self) -> RtcTime | None:
        """The newest reading of the hardware clock, which says itself when it was."""
        return self._now[2]

    def close(self) -> None:
        """Does not wait for a reading that hangs."""
        self._stop.set()


class BoardFaults:
    """What is wrong with the board, from one reading after the other. What was bad must be clearly better to be well
    again. Pure."""

    def __init__(self) -> None:
        self._weak_at = float("-inf")
        self._stand: set[BoardFault] = set()

    def judge(self, vitals: Vitals, now: float) -> set[BoardFault]:
        """The faults that stand. One of which nothing is known is as it was."""
        if vitals.undervoltage:
            self._weak_at = now
        asked: Mapping[BoardFault, bool | None] = {
            "supply_weak": now - self._weak_at < WEAK_FOR_S,
            "too_hot": _over(vitals.celsius, COOL_C if "too_hot" in self._stand else HOT_C),
            "card_errors": _over(vitals.disk_errors, 1),
            "card_worn": vitals.reserve_low or _over(vitals.card_used, WORN),
            "disk_full": _under(vitals.disk_free, ROOM_BYTES if "disk_full" in self._stand else FULL_BYTES),
        }
        self._stand = {fault for fault, true in asked.items() if (fault in self._stand if true is None else true)}
        return set(self._stand)


def _over(value: float | None, limit: float) -> bool | None:
    return None if value is None else value >= limit


def _under(value: float | None, limit: float) -> bool | None:
    return None if value is None else value < limit


class BoardNotes:
    """Beginnings and ends of the board's faults for the journal: of each fault as few as of a camera's. A fault that
    stands is said again each day. Pure."""

    def __init__(self) -> None:
        self._notes = {fault: FaultNotes() for fault in BOARD_FAULTS}
        self._said_at = dict.fromkeys(BOARD_FAULTS, float("-inf"))

    def take_up(self, earlier: Iterable[Event], now: float, now_ms: int) -> None:
        """Go on from what an earlier run noted, so that a start says nothing twice and ends what has ended."""
        for event in earlier:
            fault = next((fault for fault in BOARD_FAULTS if (event.kind, event.why) == ("board_fault", fault)), None)
            if fault is not None:
                self._notes[fault].noted = fault if event.outcome == "on" else ""
                self._said_at[fault] = now - max(0, now_ms - event.at_ms) / 1000

    def step(self, faults: set[BoardFault], now: float) -> list[tuple[Switched, BoardFault]]:
        """What the journal should be told now. To be asked on and on."""
        told: list[tuple[Switched, BoardFault]] = []
        for fault, notes in self._notes.items():
            news = notes.step(fault if fault in faults else "", now)
            again = fault in faults and notes.noted == fault and now - self._said_at[fault] >= NOTE_AGAIN_S
            if news or again:
                self._said_at[fault] = now
                told.append((news[0] if news else "on", fault))
        return told
