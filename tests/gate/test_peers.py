"""What the core makes of the reader's word on a camera, of that word's age, and of silence. Time is told to go on."""

from __future__ import annotations

import itertools

import pytest

from kiosk.core.peers import NOTE_EVERY_S, NOTES, CameraNotes, Peers
from kiosk.verbs import STARTING, Ending, ReaderState
from sync.terms import CAMERA_FAULTS


class Core:
    """Peers with a clock, and what they make of a lane over the seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.peers = Peers(lambda: self.now)

    def hears(self, fault: str = "", why: str = "", **fields: object) -> None:
        state = ReaderState(lane="in", ok=not why and not fault, why=why, fault=fault)
        for name, value in fields.items():
            setattr(state, name, value)
        self.peers.reader_said(state, 0)

    def after(self, seconds: float) -> str:
        self.now += seconds
        return self.peers.camera_fault("in")


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.mark.parametrize(
    ("fault", "why", "code"),
    [
        ("", "", ""),
        ("black", "nothing but black", "camera_black"),
        ("white", "nothing but white", "camera_white"),
        ("frozen", "the same picture", "camera_frozen"),
        ("hung", "no frame for 2 s", "camera_hung"),
        ("", "no camera found", "camera"),
        ("a word of later", "something", "camera"),
    ],
)
def test_what_the_reader_says_of_its_camera_has_a_code(core: Core, fault: str, why: str, code: str) -> None:
    core.hears(fault, why)
    assert core.after(0.0) == code
    assert core.peers.camera("in").why == why
    assert code in ("", *CAMERA_FAULTS)


def test_a_driver_that_does_not_come_back_is_told_within_3_s_by_the_age_of_its_last_frame(core: Core) -> None:
    """The reader's own reports go on, one a second, and call the camera well: nobody has told its thread otherwise."""
    told = []
    for second in (0.9, 1.9, 2.9):
        core.now = 1000.0 + second
        core.hears(frame_age_s=second)
        told += [(second + later, core.after(later)) for later in (0.0, 0.59)]
    assert [fault for _, fault in told[:3]] == ["", "", ""]
    first = next(at for at, fault in told if fault)
    assert first < 3.0 and told[-1][1] == "camera_hung"
    assert "no frame for" in core.peers.camera("in").why
    core.hears(frame_age_s=0.03)
    assert core.after(0.0) == ""


@pytest.mark.parametrize("age_s", [0.0, 0.5, 1.0])
def test_a_reader_that_is_silent_is_no_hung_camera(core: Core, age_s: float) -> None:
    """Half a second is a camera of two frames a second."""
    core.hears(frame_age_s=age_s)
    assert {core.after(0.25) for _ in range(12)} == {""}
    assert core.after(0.25) == "reader_silent"


def test_a_camera_that_takes_too_long_to_be_opened_is_hung(core: Core) -> None:
    for second in range(1, 7):
        core.now = 1000.0 + second
        core.hears(why=STARTING, frame_age_s=float(second))
        assert core.after(0.0) == "" and not core.peers.camera("in").ok
    assert core.after(0.5) == "camera_hung"


@pytest.mark.parametrize("fault", ["hung", "frozen", "black"])
def test_a_fault_outlasts_the_restart_of_the_reader_until_there_is_a_picture(core: Core, fault: str) -> None:
    core.hears(fault, "something")
    code = core.after(0.5)
    assert core.after(3.0) == "reader_silent"
    for _ in range(3):
        core.hears(why=STARTING, run="two")
        assert core.after(1.0) == code
    core.hears(run="two")
    assert core.after(0.0) == ""
    core.hears(why=STARTING, run="three")
    assert core.after(0.0) == ""


def test_a_reader_that_ends_to_look_for_its_camera_is_no_restart_and_the_fault_goes_on(core: Core) -> None:
    for run in ("one", "two", "three", "four", "five"):
        core.hears(why="no camera at cam1. Here: imx219 at cam0", run=run)
        assert core.after(1.0) == "camera"
        core.peers.reader_ends(Ending(run=run, why="camera", lane="in"))
        assert core.after(1.0) == "camera"
        core.hears(why=STARTING, run=f"after {run}")
        assert core.after(1.0) == "camera"
        core.peers.reader_ends(Ending(run=f"after {run}", why="camera", lane="in"))
    assert core.peers.restarts("in") == ()
    assert not core.peers.restarts_worth_telling()


def test_a_camera_that_hangs_keeps_no_lamp_lit(core: Core) -> None:
    core.hears(light=True)
    assert core.peers.light_wanted("in")
    core.hears(light=True, frame_age_s=2.6)
    assert not core.peers.light_wanted("in")
    core.hears("black", light=True)
    assert core.peers.light_wanted("in"), "the lamp shows whether the lens is free again"


def test_nonsense_from_a_reader_is_no_fault_of_the_core(core: Core) -> None:
    for age in (float("nan"), -1e300, float("inf")):
        core.hears(frame_age_s=age)
        assert core.after(0.0) in ("", "camera_hung")


# --- what the journal hears -------------------------------------------------------------------------------------------


def test_the_journal_hears_when_a_fault_begins_changes_and_ends_and_nothing_in_between() -> None:
    notes = CameraNotes()
    told = [notes.step(fault, at) for at, fault in enumerate(["", "camera_hung", "camera_hung", "camera", "", ""])]
    assert told == [None, ("on", "camera_hung"), None, ("on", "camera"), ("off", "camera"), None]


def test_a_camera_that_flaps_for_a_day_does_not_fill_the_journal_and_its_last_turn_is_told() -> None:
    notes, day = CameraNotes(), 24 * 3600
    turns = [notes.step("camera_black" if second % 2 else "", float(second)) for second in range(day)]
    told = [turn for turn in turns if turn]
    assert len(told) <= NOTES + day / NOTE_EVERY_S
    assert all(one != other for one, other in itertools.pairwise(told))
    last = [notes.step("", day + second) for second in range(int(2 * NOTE_EVERY_S))]
    assert [*told, *filter(None, last)][-1] == ("off", "camera_black")


def test_a_silent_reader_ends_no_fault_in_the_journal(core: Core) -> None:
    core.hears("frozen", "the same picture")
    assert core.peers.camera_news("in") == ("on", "camera_frozen")
    core.now += 10
    assert core.peers.camera_fault("in") == "reader_silent" and core.peers.camera_news("in") is None
    core.hears()
    assert core.peers.camera_news("in") == ("off", "camera_frozen")
