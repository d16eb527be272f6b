"""Trusted time: what anchors it, what does not, how it drifts, and the floor that never goes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.rtc import RtcTime
from kiosk.core.clock import DRIFT, RELEASED_MS, RTC_UNCERTAINTY_MS, RTC_YOUNG_S, Clock
from kiosk.core.kept import Kept, Memory
from sync.protocol import Signed
from tests.fixtures.gate_parts import (
    COMPOUND,
    DAY_MS,
    DEVICE,
    HOUR_MS,
    NOON_MS,
    OTHER_ROOT,
    ROOT_PUBLIC,
    Time,
    signed,
    statement,
)


class Machine:
    """A device that can be started again: what it keeps, its time since boot, its system clock and its RTC."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "kept.json"
        self.rtc = False
        self.rtc_name = "rtc-ds1307 1-0068"
        self.rtc_ms: int | None = None
        """The hardware clock's own time; None: the kernel set the system clock by it, and nobody has since."""
        self.system_ms = 0
        self.start()

    def start(self) -> None:
        self.time = Time()
        self.time.s = 20.0
        self.start_core()

    def start_core(self, boot_id: str = "") -> None:
        """A restart of the core alone; with the kernel's name of a boot, that boot goes on."""
        self.kept = Kept(self.path, Memory())
        self.clock = Clock(self.kept, boot=self.time, system=lambda: self.system_ms, rtc=self.read_rtc, boot_id=boot_id)

    def read_rtc(self) -> RtcTime | None:
        utc_ms = self.system_ms if self.rtc_ms is None else self.rtc_ms
        return RtcTime(self.rtc_name, utc_ms, self.time()) if self.rtc else None

    def hear(self, utc_ms: int, away_s: float = 0.0) -> str:
        nonce = self.clock.nonce()
        self.time.go(away_s)
        return self.take(statement(nonce, utc_ms))

    def take(self, said: Signed) -> str:
        return self.clock.take_statement(said, ROOT_PUBLIC, DEVICE, COMPOUND)

    @property
    def state(self) -> str:
        return self.clock.now().state


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_fresh_gate_does_not_know_the_time(machine: Machine) -> None:
    now = machine.clock.now()
    assert (now.state, now.judged, now.floor_ms) == ("untrusted", False, 0)


def test_the_centres_statement_is_trusted_and_time_goes_on_from_it(machine: Machine) -> None:
    assert machine.hear(NOON_MS) == ""
    machine.time.go(60)
    now = machine.clock.now()
    assert (now.state, now.utc_ms, now.floor_ms) == ("trusted", NOON_MS + 60_000, NOON_MS)


def test_the_way_of_a_statement_is_its_uncertainty_and_its_middle_the_best_guess(machine: Machine) -> None:
    assert machine.hear(NOON_MS, away_s=8.0) == ""
    now = machine.clock.now()
    assert (now.utc_ms, now.uncertainty_ms, now.state) == (NOON_MS + 4_000, 8_000, "trusted")


def test_a_statement_that_took_more_than_half_a_minute_is_only_holdover(machine: Machine) -> None:
    assert machine.hear(NOON_MS, away_s=30.0) == "" and machine.state == "trusted"
    assert machine.hear(NOON_MS, away_s=31.0) == "" and machine.state == "holdover"


WRONG: dict[str, Callable[[bytes], Signed]] = {
    "another root": lambda nonce: statement(nonce, NOON_MS, root=OTHER_ROOT),
    "another device": lambda nonce: statement(nonce, NOON_MS, item="device-2"),
    "another compound": lambda nonce: statement(nonce, NOON_MS, compound=8),
    "another purpose": lambda nonce: statement(nonce, NOON_MS, purpose="snapshot"),
    "another's nonce": lambda nonce: statement(bytes(16), NOON_MS),
    "a body that is not one": lambda nonce: signed("time", DEVICE, b"{", 0),
    "a body of something else": lambda nonce: signed("time", DEVICE, {"utc_ms": 5}, 0),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_not_the_centres_or_not_to_us_changes_nothing(machine: Machine, name: str) -> None:
    assert machine.take(WRONG[name](machine.clock.nonce()))
    assert (machine.state, machine.kept.now.floor_ms) == ("untrusted", 0)


def test_a_changed_statement_is_nobodys(machine: Machine) -> None:
    import msgspec

    said = statement(machine.clock.nonce(), NOON_MS)
    later = msgspec.structs.replace(said, body=said.body.replace(b"17954", b"27954"))
    assert later != said and machine.take(later) == "not signed for this gate"


def test_a_nonce_is_good_for_a_minute(machine: Machine) -> None:
    assert machine.hear(NOON_MS, away_s=60.0) == ""
    assert machine.hear(NOON_MS, away_s=60.001) == "an old or unknown nonce"


def test_asking_for_nonces_without_end_takes_no_more_memory_than_asking_for_a_few(machine: Machine) -> None:
    first = statement(machine.clock.nonce(), NOON_MS)
    nonces = [machine.clock.nonce() for _ in range(1000)]
    assert machine.take(first) == "an old or unknown nonce"
    assert machine.take(statement(nonces[-16], NOON_MS)) == ""


def test_a_statement_that_was_held_up_makes_a_trusted_clock_no_worse(machine: Machine) -> None:
    machine.hear(NOON_MS)
    known = machine.clock.now()
    assert machine.hear(NOON_MS, away_s=59.0) == ""
    assert machine.clock.now().uncertainty_ms < known.uncertainty_ms + 10
    assert machine.state == "trusted"


@pytest.mark.parametrize("utc_ms", [4_102_444_800_000, 10**15, 2**64 - 1])
def test_no_guard_may_say_that_it_is_another_century(machine: Machine, utc_ms: int) -> None:
    assert machine.clock.confirm(utc_ms) == "bad_time"
    assert machine.state == "untrusted"


def test_a_nonce_is_good_once(machine: Machine) -> None:
    said = statement(machine.clock.nonce(), NOON_MS)
    assert machine.take(said) == ""
    machine.time.go(10)
    assert machine.take(said) == "an old or unknown nonce"
    assert machine.clock.now().utc_ms == NOON_MS + 10_000


def test_several_nonces_may_be_under_way(machine: Machine) -> None:
    first, second = machine.clock.nonce(), machine.clock.nonce()
    assert first != second
    assert machine.take(statement(second, NOON_MS)) == "" and machine.take(statement(first, NOON_MS)) == ""


def test_a_trusted_clock_drifts_into_holdover_and_a_statement_brings_it_back(machine: Machine) -> None:
    machine.hear(NOON_MS)
    days = 30_000 / DRIFT / DAY_MS
    machine.time.go(days * 86_400 - 60)
    assert machine.state == "trusted"
    machine.time.go(120)
    assert machine.state == "holdover" and machine.clock.now().judged
    machine.hear(NOON_MS + int(days * DAY_MS))
    assert machine.state == "trusted"


def test_the_floor_is_kept_over_a_restart_and_time_is_not_before_it(machine: Machine) -> None:
    machine.hear(NOON_MS)
    machine.start()
    now = machine.clock.now()
    assert (now.state, now.floor_ms) == ("untrusted", NOON_MS)
    assert now.utc_ms >= NOON_MS


@pytest.mark.parametrize("uptime_s", [20.0, 6 * 3600.0, 40 * 24 * 3600.0])
def test_a_clock_that_knows_nothing_goes_on_from_the_floor_and_not_by_the_machines_uptime(
    machine: Machine, uptime_s: float
) -> None:
    machine.hear(NOON_MS)
    machine.time.s = uptime_s
    machine.start_core()
    assert (machine.state, machine.clock.now().utc_ms) == ("untrusted", NOON_MS)
    machine.time.go(5)
    assert machine.clock.now().utc_ms == NOON_MS + 5_000


@pytest.mark.parametrize("by", ["statement", "guard"])
def test_a_restart_of_the_core_costs_no_time_within_one_boot(machine: Machine, by: str) -> None:
    machine.start_core("boot-1")
    assert (machine.hear(NOON_MS) if by == "statement" else machine.clock.confirm(NOON_MS)) == ""
    machine.time.go(3600)
    before = machine.clock.now()
    machine.start_core("boot-1")
    machine.clock.recall(NOON_MS + 60_000)
    after = machine.clock.now()
    assert (after.utc_ms, after.state, after.signed) == (before.utc_ms, before.state, before.signed)
    assert after.utc_ms == NOON_MS + 3_600_000 and after.uncertainty_ms == before.uncertainty_ms
    assert machine.clock.confirm(NOON_MS + 4_000_000) == ("known_already" if by == "statement" else "")


@pytest.mark.parametrize("boot_id", ["boot-2", ""])
def test_what_another_boot_went_by_says_nothing(machine: Machine, boot_id: str) -> None:
    machine.start_core("boot-1")
    machine.hear(NOON_MS)
    machine.time.go(3600)
    machine.start_core(boot_id)
    assert (machine.state, machine.clock.now().utc_ms) == ("untrusted", NOON_MS)


def test_what_was_known_later_than_now_is_of_no_boot_of_ours(machine: Machine) -> None:
    machine.start_core("boot-1")
    machine.time.s = 5000.0
    machine.hear(NOON_MS)
    machine.time.s = 100.0
    machine.start_core("boot-1")
    assert machine.state == "untrusted"


def test_an_older_statement_does_not_move_the_floor_back(machine: Machine) -> None:
    machine.hear(NOON_MS)
    assert machine.hear(NOON_MS - HOUR_MS) == ""
    now = machine.clock.now()
    assert now.floor_ms == NOON_MS and now.utc_ms >= NOON_MS


def test_a_hardware_clock_that_agreed_carries_the_time_over_a_restart(machine: Machine) -> None:
    machine.rtc, machine.system_ms = True, NOON_MS + 4_000
    machine.hear(NOON_MS)
    machine.system_ms = NOON_MS + HOUR_MS
    machine.start()
    now = machine.clock.now()
    assert (now.state, now.utc_ms) == ("holdover", NOON_MS + HOUR_MS)
    assert now.uncertainty_ms >= 30_000


@pytest.mark.parametrize(
    ("rtc", "off_by", "later"),
    [
        pytest.param(True, 5_001, HOUR_MS, id="one that disagreed"),
        pytest.param(True, -5_001, HOUR_MS, id="one that was behind"),
        pytest.param(False, 0, HOUR_MS, id="none at all"),
        pytest.param(True, 0, -1, id="one that is before the floor now"),
    ],
)
def test_an_unproven_hardware_clock_is_not_believed(machine: Machine, rtc: bool, off_by: int, later: int) -> None:
    machine.rtc, machine.system_ms = rtc, NOON_MS + off_by
    machine.hear(NOON_MS)
    machine.system_ms = NOON_MS + later
    machine.start()
    assert machine.state == "untrusted"


def proven(machine: Machine, later_ms: int = 0) -> None:
    """A statement at noon with which the hardware clock agreed; then a restart, and what the RTC says by then."""
    machine.rtc, machine.system_ms = True, NOON_MS
    assert machine.hear(NOON_MS) == "" and machine.kept.now.rtc_agreed
    machine.system_ms = NOON_MS + later_ms
    machine.start()


JUST_BOOTED_MS = 9_000
"""1970 and nine seconds: what a Pi 5 without its battery says after a power cut."""


def test_a_board_without_a_battery_is_not_believed_after_a_cut_though_its_system_clock_goes_on(
    machine: Machine,
) -> None:
    """While it has power, NTP keeps the system clock right and the kernel the hardware clock by it: both agree. After
    the cut the one goes on from the time a file remembers, and the other began at 1970."""
    proven(machine)
    machine.rtc_ms, machine.system_ms = JUST_BOOTED_MS, NOON_MS + HOUR_MS
    machine.start()
    machine.clock.recall(NOON_MS + HOUR_MS - 5_000)
    assert (machine.state, machine.clock.asks) == ("untrusted", True)


def test_a_system_clock_kept_by_ntp_proves_no_hardware_clock(machine: Machine) -> None:
    machine.rtc, machine.system_ms, machine.rtc_ms = True, NOON_MS, JUST_BOOTED_MS
    assert machine.hear(NOON_MS) == "" and not machine.kept.now.rtc_agreed
    machine.system_ms, machine.rtc_ms = NOON_MS + HOUR_MS, NOON_MS + HOUR_MS
    machine.start()
    assert machine.state == "untrusted"


@pytest.mark.parametrize(("apart_ms", "state"), [(5_000, "holdover"), (-5_000, "holdover"), (5_001, "untrusted")])
def test_at_the_start_the_hardware_clock_must_say_what_the_system_clock_says(
    machine: Machine, apart_ms: int, state: str
) -> None:
    proven(machine)
    machine.rtc_ms, machine.system_ms = NOON_MS, NOON_MS + apart_ms
    machine.start()
    assert machine.state == state


@pytest.mark.parametrize(("apart_s", "state"), [(5 + 60, "holdover"), (5 + 61, "untrusted")])
def test_a_week_of_drift_is_allowed_for_and_told_as_uncertainty(machine: Machine, apart_s: int, state: str) -> None:
    week_ms = 7 * DAY_MS
    proven(machine)
    machine.rtc_ms, machine.system_ms = NOON_MS + week_ms, NOON_MS + week_ms + apart_s * 1000
    machine.start()
    assert machine.state == state
    if state == "holdover":
        assert machine.clock.now().uncertainty_ms == RTC_UNCERTAINTY_MS + week_ms * DRIFT


@pytest.mark.parametrize("name", ["", "rpi-rtc soc:rpi_rtc"])
def test_another_hardware_clock_than_the_one_that_agreed_is_not_believed(machine: Machine, name: str) -> None:
    proven(machine)
    machine.rtc_name = name
    machine.start()
    assert machine.state == "untrusted"


def test_a_memory_of_before_the_hardware_clocks_own_time_was_compared_proves_nothing(machine: Machine) -> None:
    proven(machine)
    machine.kept.change(rtc_name="", rtc_agreed_ms=0)
    machine.start()
    assert machine.state == "untrusted"


def test_a_hardware_clock_that_no_longer_answers_is_none(machine: Machine) -> None:
    proven(machine)
    stale = RtcTime(machine.rtc_name, NOON_MS, machine.time() - RTC_YOUNG_S - 1)
    clock = Clock(machine.kept, boot=machine.time, system=lambda: machine.system_ms, rtc=lambda: stale)
    assert clock.now().state == "untrusted"


@pytest.mark.parametrize("days", [91, 365, 20 * 365])
def test_a_hardware_clock_that_is_far_ahead_is_not_believed_and_a_guard_may_say_the_time(
    machine: Machine, days: int
) -> None:
    proven(machine, days * DAY_MS)
    assert machine.state == "untrusted" and machine.clock.confirm(NOON_MS + HOUR_MS) == ""
    assert machine.clock.now().utc_ms == NOON_MS + HOUR_MS


def test_a_hardware_clock_behind_the_journal_is_slow_and_the_journal_is_the_floor(machine: Machine) -> None:
    proven(machine, 3 * DAY_MS)
    machine.clock.recall(NOON_MS + 20 * DAY_MS)
    now = machine.clock.now()
    assert (now.state, now.floor_ms) == ("untrusted", NOON_MS + 20 * DAY_MS) and now.utc_ms >= now.floor_ms


def test_a_power_cut_after_weeks_offline_does_not_bring_back_old_time(machine: Machine) -> None:
    machine.hear(NOON_MS)
    machine.time.go(21 * 86_400)
    at_the_cut = machine.clock.now().utc_ms
    machine.start()
    machine.clock.recall(at_the_cut)
    now = machine.clock.now()
    assert (now.state, now.floor_ms) == ("untrusted", at_the_cut)
    assert machine.clock.confirm(NOON_MS) == "before_floor"


@pytest.mark.parametrize("by", ["rtc", "guard"])
def test_what_an_unsigned_clock_dated_is_no_floor(machine: Machine, by: str) -> None:
    proven(machine, 60 * DAY_MS)
    machine.rtc = by == "rtc"
    if by == "guard":
        machine.start()
        assert machine.clock.confirm(NOON_MS + 60 * DAY_MS) == ""
    machine.clock.recall(NOON_MS + HOUR_MS)
    wrong = machine.clock.now().utc_ms
    machine.rtc = False
    machine.start()
    machine.clock.recall(wrong)
    assert machine.clock.now().floor_ms == NOON_MS + (HOUR_MS if by == "rtc" else 0)


def test_a_statement_after_a_wrong_clock_makes_the_journal_a_floor_again_with_the_second(machine: Machine) -> None:
    proven(machine, 60 * DAY_MS)
    machine.clock.recall(NOON_MS)
    wrong = machine.clock.now().utc_ms
    machine.hear(NOON_MS + HOUR_MS)
    machine.rtc = False
    machine.start()
    machine.clock.recall(wrong)  # power went before the event that says so was written
    assert machine.clock.now().floor_ms == NOON_MS + HOUR_MS
    for hours in (2, 3):
        machine.hear(NOON_MS + hours * HOUR_MS)
    machine.start()
    machine.clock.recall(NOON_MS + 9 * HOUR_MS)
    assert machine.clock.now().floor_ms == NOON_MS + 9 * HOUR_MS


def test_a_guards_word_counts_more_than_a_hardware_clocks(machine: Machine) -> None:
    proven(machine, 10 * DAY_MS)
    assert machine.state == "holdover" and machine.clock.asks
    assert machine.clock.confirm(NOON_MS + HOUR_MS) == "" and not machine.clock.asks
    assert machine.clock.now().utc_ms == NOON_MS + HOUR_MS
    assert machine.clock.confirm(NOON_MS + 2 * HOUR_MS) == "", "a slip of the pen can be put right"


@pytest.mark.parametrize(("days", "said"), [(-1, "before_floor"), (0, ""), (729, ""), (732, "bad_time")])
def test_a_guard_is_believed_between_the_release_and_two_years_after_it(machine: Machine, days: int, said: str) -> None:
    assert machine.clock.confirm(RELEASED_MS + days * DAY_MS) == said


def test_a_guard_can_say_the_time_when_nobody_else_does(machine: Machine) -> None:
    assert machine.clock.confirm(NOON_MS) == ""
    now = machine.clock.now()
    assert (now.state, now.utc_ms, now.uncertainty_ms) == ("holdover", NOON_MS, 120_000)
    assert now.floor_ms == 0, "only signed statements move the floor"


def test_a_guard_cannot_overrule_the_centre(machine: Machine) -> None:
    machine.hear(NOON_MS)
    assert machine.clock.confirm(NOON_MS + DAY_MS) == "known_already"
    assert machine.clock.now().utc_ms == NOON_MS


@pytest.mark.parametrize(("away", "taken"), [(-1, False), (0, True), (1, True)])
def test_a_guard_cannot_put_time_before_the_floor(machine: Machine, away: int, taken: bool) -> None:
    machine.hear(NOON_MS)
    machine.start()
    assert (machine.clock.confirm(NOON_MS + away) == "") is taken
    assert (machine.state == "holdover") is taken


def test_the_centre_corrects_what_a_guard_said(machine: Machine) -> None:
    machine.clock.confirm(NOON_MS + DAY_MS)
    machine.hear(NOON_MS)
    assert (machine.state, machine.clock.now().utc_ms) == ("trusted", NOON_MS)


def test_a_memory_whose_disk_hangs_holds_nobody_and_is_written_when_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    hanging = path.with_name("kept.json.new")
    os.mkfifo(hanging)  # opening it to write waits for a reader
    kept = Kept(path, Memory(), patience_s=0.05, retry_s=0.05)
    kept.change(lockdown=("entry",))
    kept.change(floor_ms=5)
    assert (kept.now.lockdown, kept.now.floor_ms) == (("entry",), 5)
    assert not kept.settle(0.01)
    reader = os.open(hanging, os.O_RDONLY | os.O_NONBLOCK)
    hanging.unlink()
    os.close(reader)
    assert kept.settle(20.0)
    assert (Kept(path, Memory()).now.lockdown, Kept(path, Memory()).now.floor_ms) == (("entry",), 5)


def test_a_damaged_memory_reads_as_a_fresh_one_and_is_replaced(machine: Machine) -> None:
    machine.hear(NOON_MS)
    machine.path.write_bytes(b"\x00garbage")
    machine.start()
    assert machine.clock.now().floor_ms == 0
    machine.hear(NOON_MS)
    machine.start()
    assert machine.clock.now().floor_ms == NOON_MS


def test_a_memory_that_cannot_be_written_is_still_a_memory(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "missing" / "kept.json", Memory())
    kept.change(floor_ms=5)
    assert kept.now.floor_ms == 5


def test_a_program_that_only_looks_writes_nothing(tmp_path: Path) -> None:
    Kept(tmp_path / "kept.json", Memory(), writes=False).change(floor_ms=5)
    assert list(tmp_path.iterdir()) == []


_moves = st.one_of(
    st.tuples(st.just("hear"), st.integers(0, 1 << 42), st.floats(0, 90)),
    st.tuples(st.just("guard"), st.integers(0, 1 << 42), st.just(0.0)),
    st.tuples(st.just("wait"), st.just(0), st.floats(0, 1e7)),
    st.tuples(st.just("restart"), st.integers(0, 1 << 42), st.just(0.0)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_moves, max_size=12))
def test_over_anything_the_floor_never_goes_back_and_time_is_never_before_it(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int, float]]
) -> None:
    machine = Machine(tmp_path_factory.mktemp("clock"))
    machine.rtc = True
    floor = 0
    for what, ms, seconds in moves:
        act: dict[str, Callable[[], Any]] = {
            "hear": lambda ms=ms, seconds=seconds: machine.hear(ms, seconds),
            "guard": lambda ms=ms: machine.clock.confirm(ms),
            "wait": lambda seconds=seconds: machine.time.go(seconds),
            "restart": lambda: machine.start(),
        }
        machine.system_ms = ms
        act[what]()
        now = machine.clock.now()
        assert now.floor_ms >= floor and now.utc_ms >= now.floor_ms
        floor = now.floor_ms
