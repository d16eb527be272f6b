"""What a picture may cost the reader, and that a reader that is held too long ends, says why and is counted."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.channel import Server, Verb, listen
from kiosk.reader.caps import FRAME_CAP_S, OVERDUE, PHOTO_CAP_S, TURN_S, Caps, Look
from kiosk.restarts import HOUR_S, SEVERAL, TOLD_S, Restart, Restarts
from kiosk.verbs import ENDING, READER_STATE, Ending, LampState, Nothing

ROOT = Path(__file__).parents[2]
FRAME, PHOTO = Look("frame", "entry"), Look("photo")


def turns(seconds: float) -> int:
    return round(seconds / TURN_S)


class Ended:
    def __init__(self) -> None:
        self.looks: list[Look] = []
        self.caps = Caps(self.looks.append)

    def turn(self, seconds: float) -> None:
        for _ in range(turns(seconds)):
            self.caps.turn()


@pytest.mark.parametrize(("look", "longest"), [(FRAME, FRAME_CAP_S), (PHOTO, PHOTO_CAP_S)])
def test_a_look_that_lasts_too_long_ends_the_reader_once(look: Look, longest: float) -> None:
    ended = Ended()
    with ended.caps.over(look):
        ended.turn(longest)
        assert ended.looks == []
        ended.turn(TURN_S * 3)
    assert ended.looks == [look]


def test_many_looks_one_after_the_other_are_not_added_up() -> None:
    ended = Ended()
    for _ in range(20):
        with ended.caps.over(FRAME):
            ended.turn(FRAME_CAP_S / 2)
    assert ended.looks == []


def test_a_frame_that_holds_its_camera_is_found_while_other_cameras_go_on() -> None:
    ended, other = Ended(), Look("frame", "exit")
    with ended.caps.over(FRAME):
        for _ in range(turns(FRAME_CAP_S) + 2):
            with ended.caps.over(other), ended.caps.over(PHOTO):
                ended.caps.turn()
    assert ended.looks == [FRAME]


def test_a_look_that_raises_is_over() -> None:
    ended = Ended()
    with pytest.raises(ValueError), ended.caps.over(FRAME):
        raise ValueError
    ended.turn(FRAME_CAP_S * 2)
    assert ended.looks == []


def test_looks_from_many_threads_are_counted_each_for_itself() -> None:
    ended, go_on = Ended(), threading.Event()
    inside = threading.Barrier(9)

    def hold(lane: int) -> None:
        with ended.caps.over(Look("frame", str(lane))):
            inside.wait(10)
            go_on.wait(10)

    threads = [threading.Thread(target=hold, args=(lane,)) for lane in range(8)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    ended.turn(FRAME_CAP_S)
    assert ended.looks == []
    go_on.set()
    for thread in threads:
        thread.join(10)
    ended.turn(FRAME_CAP_S)
    assert ended.looks == []


# --- as a process of its own ------------------------------------------------------------------------------------------

HELD = """
import sys, threading
from hardware import CameraSettings
from hardware.simulated import SimulatedCamera
from kiosk.channel import Client
from kiosk.reader.process import Reader

class Held:
    "A decoder as one that met a picture it cannot cope with."
    def decode(self, luma): threading.Event().wait()
    def watch(self): return self
    def look(self, luma, at): threading.Event().wait()

settings = CameraSettings(lane="entry", part="simulated", width=320, height=240)
reader = Reader([settings], Held(), lambda: Client({core!r}), SimulatedCamera)
reader.start()
threading.Event().wait()
"""


def python(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture
def endings() -> Iterator[tuple[Path, list[Ending]]]:
    """The core's socket as far as a reader that ends needs it, and what was said there."""
    said: list[Ending] = []

    def hear(ending: Ending) -> Nothing:
        said.append(ending)
        return Nothing()

    verbs: dict[Verb[Any, Any], Any] = {READER_STATE: lambda _: LampState(), ENDING: hear}
    with tempfile.TemporaryDirectory(prefix="gk") as folder:
        path = Path(folder) / "core.sock"
        server = Server(listen(path), verbs).start()
        yield path, said
        server.close()


def test_a_frame_that_holds_the_reader_ends_it_with_a_last_word(endings: tuple[Path, list[Ending]]) -> None:
    path, said = endings
    done = python(HELD.format(core=str(path)))
    assert done.returncode == OVERDUE, done.stderr
    assert [(ending.why, ending.lane) for ending in said] == [("frame", "entry")]
    assert "reader=ends why=frame lane=entry" in done.stderr
    assert "in look" in done.stderr, "it says where each thread was"


def test_without_a_core_it_ends_as_well(tmp_path: Path) -> None:
    assert python(HELD.format(core=str(tmp_path / "nobody.sock"))).returncode == OVERDUE


def test_c_code_that_lets_no_thread_of_python_run_is_ended_by_pythons_own_watchdog() -> None:
    done = python("""
import ctypes
from kiosk.reader.caps import hold_off_end
hold_off_end(60)
hold_off_end(0.3)
ctypes.PyDLL(None).sleep(50)  # with Python's lock held
""")
    assert done.returncode == 1
    assert "Timeout" in done.stderr


def test_a_picture_that_needs_more_memory_than_there_is_costs_itself_and_nothing_else() -> None:
    done = python("""
import re, numpy as np
from pathlib import Path
from kiosk.reader.caps import limit_memory
from kiosk.reader.pictures import PictureError, load_picture
from hardware.reading.decoder import QrDecoder
from tests.fixtures.pictures.hostile import a_code, as_file, deep
from PIL import Image
draw = np.random.default_rng(1)
small, large = as_file(a_code(draw), "PNG"), as_file(Image.new("RGBA", (4000, 3000)), "PNG")
QrDecoder().decode(load_picture(small))
used = int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
limit_memory(used + (40 << 20))
for _ in range(3):
    try:
        load_picture(large)
    except PictureError as err:
        print(err)
print(len(QrDecoder().decode(load_picture(small))))
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["the picture needs more memory than there is"] * 3 + ["1"]


def test_no_process_of_the_gate_shares_out_its_small_matrices_over_threads() -> None:
    done = python("""
import os, kiosk.reader.process, numpy as np
np.linalg.inv(np.eye(200))
print(os.environ["OPENBLAS_NUM_THREADS"], len(os.listdir("/proc/self/task")))
""")
    assert done.stdout == "1 1\n", done.stderr


# --- how often --------------------------------------------------------------------------------------------------------


def restarts(*runs: tuple[str, float], endings: dict[str, Ending] | None = None) -> Restarts:
    heard, before = Restarts(), ""
    for run, at in runs:
        if before != run and before in (endings or {}):
            heard.ending((endings or {})[before])
        heard.heard(run, at, int(at * 1000))
        before = run
    return heard


def ended(run: str, why: Any, lane: str = "") -> dict[str, Ending]:
    return {run: Ending(run=run, why=why, lane=lane)}


def test_the_first_run_heard_of_and_the_same_run_are_no_restart() -> None:
    assert restarts(("a", 0), ("a", 1), ("a", 2)).last_hour(3) == ()


def test_another_run_is_a_restart_and_carries_what_ended_the_one_before() -> None:
    assert restarts(("a", 0), ("b", 9)).last_hour(10) == (Restart(9, 9000),)
    blamed = restarts(("a", 0), ("b", 9), endings=ended("a", "frame", "entry"))
    assert blamed.last_hour(10) == (Restart(9, 9000, "frame", "entry"),)


@pytest.mark.parametrize("why", ["asked", "camera"])
def test_a_reader_that_was_asked_to_end_or_looks_for_its_camera_did_not_restart(why: str) -> None:
    assert restarts(("a", 0), ("b", 9), endings=ended("a", why)).last_hour(10) == ()


def test_the_last_word_of_an_earlier_run_says_nothing_of_a_later_one() -> None:
    heard = restarts(("a", 0), ("b", 9), ("c", 18), endings=ended("a", "asked"))
    assert heard.last_hour(20) == (Restart(18, 18000),)


def test_restarts_are_forgotten_after_an_hour() -> None:
    heard = restarts(("a", 0), ("b", 9))
    assert len(heard.last_hour(9 + HOUR_S - 1)) == 1
    assert heard.last_hour(9 + HOUR_S + 1) == ()


def test_one_restart_is_told_for_a_while_and_several_for_the_hour() -> None:
    one = restarts(("a", 0), ("b", 9))
    assert one.worth_telling(9 + TOLD_S - 1)
    assert not one.worth_telling(9 + TOLD_S + 1)
    several = restarts(*[(str(n), n * 2.0) for n in range(SEVERAL + 1)])
    assert several.worth_telling(HOUR_S - 60)
    assert not several.worth_telling(HOUR_S + 60)


def test_a_reader_gone_bad_that_is_another_with_each_message_fills_nothing() -> None:
    heard = restarts(*[(str(n), n * 0.001) for n in range(3000)])
    assert len(heard.last_hour(3)) < 10
    assert len(restarts(*[(str(n), n * 1.0) for n in range(3000)]).last_hour(3000)) < 300
    assert not restarts(("", 0), ("", 5), ("a", 9), ("", 12)).last_hour(20)
