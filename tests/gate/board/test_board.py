"""What the core makes of the board's readings: faults with a margin, few notes, and a thread that may hang."""

from __future__ import annotations

import threading

import pytest

from hardware.rtc import RtcTime
from hardware.vitals import Vitals
from kiosk.core.vitals import (
    COOL_C,
    FULL_BYTES,
    HOT_C,
    NOTE_AGAIN_S,
    OLD_S,
    ROOM_BYTES,
    WEAK_FOR_S,
    BoardFaults,
    BoardNotes,
    BoardWatch,
)
from sync.protocol import Event
from tests.fixtures.gate_parts import NOON_MS

RTC = RtcTime("rtc-ds1307 1-0068", NOON_MS, 20.0)


@pytest.mark.parametrize(
    ("vitals", "stand"),
    [
        (Vitals(), set()),
        (Vitals(undervoltage=False, celsius=HOT_C - 0.1, disk_errors=0, card_used=0.8, disk_free=FULL_BYTES), set()),
        (Vitals(undervoltage=True), {"supply_weak"}),
        (Vitals(celsius=HOT_C), {"too_hot"}),
        (Vitals(disk_errors=1), {"card_errors"}),
        (Vitals(card_used=0.9), {"card_worn"}),
        (Vitals(card_used=0.3, reserve_low=True), {"card_worn"}),
        (Vitals(disk_free=FULL_BYTES - 1), {"disk_full"}),
    ],
)
def test_each_reading_has_its_fault(vitals: Vitals, stand: set[str]) -> None:
    assert BoardFaults().judge(vitals, 0.0) == stand


def test_a_supply_that_dips_with_each_opening_is_weak_in_between_too() -> None:
    faults = BoardFaults()
    assert faults.judge(Vitals(undervoltage=True), 0.0) == {"supply_weak"}
    assert faults.judge(Vitals(undervoltage=False), WEAK_FOR_S - 1) == {"supply_weak"}
    assert faults.judge(Vitals(undervoltage=False), WEAK_FOR_S) == set()


@pytest.mark.parametrize(
    ("bad", "better", "well"),
    [
        (Vitals(celsius=HOT_C), Vitals(celsius=COOL_C), Vitals(celsius=COOL_C - 0.1)),
        (Vitals(disk_free=FULL_BYTES - 1), Vitals(disk_free=ROOM_BYTES - 1), Vitals(disk_free=ROOM_BYTES)),
    ],
)
def test_what_was_bad_must_be_clearly_better_and_silence_changes_nothing(
    bad: Vitals, better: Vitals, well: Vitals
) -> None:
    faults = BoardFaults()
    stand = [len(faults.judge(vitals, 0.0)) for vitals in (better, bad, better, Vitals(), well, better)]
    assert stand == [0, 1, 1, 1, 0, 0]


def test_the_journal_hears_of_each_fault_when_it_begins_when_it_ends_and_each_day() -> None:
    notes = BoardNotes()
    assert notes.step(set(), 0.0) == []
    assert notes.step({"too_hot", "card_errors"}, 1.0) == [("on", "too_hot"), ("on", "card_errors")]
    assert notes.step({"card_errors"}, 2.0) == [("off", "too_hot")]
    assert notes.step({"card_errors"}, NOTE_AGAIN_S) == []
    assert notes.step({"card_errors"}, NOTE_AGAIN_S + 1) == [("on", "card_errors")]
    assert notes.step({"card_errors"}, NOTE_AGAIN_S + 2) == []


def test_a_supply_that_comes_and_goes_for_a_day_fills_no_journal() -> None:
    notes, told = BoardNotes(), 0
    for minute in range(24 * 60):
        told += len(notes.step({"supply_weak"} if minute % 2 else set(), minute * 60.0))
    assert told <= 4 + 24 * 12


def an_event(at_ms: int, outcome: str, why: str, kind: str = "board_fault") -> Event:
    return Event(id=f"e{at_ms}", kind=kind, at_ms=at_ms, outcome=outcome, why=why)


def test_a_start_says_nothing_twice_and_ends_what_has_ended() -> None:
    notes, hour = BoardNotes(), 3_600_000
    earlier = [
        an_event(NOON_MS, "on", "too_hot"),
        an_event(NOON_MS, "on", "card_errors"),
        an_event(NOON_MS, "on", "supply_weak"),
        an_event(NOON_MS + 1, "off", "supply_weak"),
        an_event(NOON_MS + 2, "on", "of_a_later_version"),
        an_event(NOON_MS + 3, "on", "camera_hung", "camera_fault"),
    ]
    notes.take_up(earlier, 1000.0, NOON_MS + hour)
    assert notes.step({"card_errors"}, 1000.0) == [("off", "too_hot")]
    assert notes.step({"card_errors"}, 1000.0 + NOTE_AGAIN_S - 3600) == [("on", "card_errors")], "said 24 h ago"


# The thread


def test_a_start_has_the_first_reading() -> None:
    watch = BoardWatch(lambda: Vitals(celsius=50.0), lambda: RTC, lambda: 0.0).start()
    assert (watch.vitals().celsius, watch.rtc()) == (50.0, RTC)
    watch.close()


def test_a_disk_that_hangs_holds_nobody_and_the_clock_is_there_all_the_same() -> None:
    now, hanging, reached = [0.0], threading.Event(), threading.Event()

    def read() -> Vitals:
        reached.set()
        hanging.wait(30)
        return Vitals(celsius=50.0)

    watch = BoardWatch(read, lambda: RTC, lambda: now[0], first_within_s=0.01).start()
    assert reached.wait(10)
    assert (watch.vitals(), watch.rtc()) == (Vitals(), RTC)
    watch.close()
    hanging.set()


def test_an_old_reading_says_nothing() -> None:
    now = [0.0]
    watch = BoardWatch(lambda: Vitals(celsius=50.0), lambda: None, lambda: now[0]).start()
    watch.close()
    now[0] = OLD_S + 1
    assert watch.vitals() == Vitals()
