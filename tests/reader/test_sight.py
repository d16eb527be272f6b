"""A camera that is black, white, frozen, hung or gone is told as what it is; night and sun are not; then it reads on.

The eye looks through a simulated camera and reports as the reader does, and the core's view of it is asked frame by
frame. Time is the camera's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segno
from PIL import Image

from hardware import CameraSettings, Exposure, ExposureRange, Found, Frame, Picture, Seen
from hardware.luma import LumaRange
from hardware.opening import open_camera
from hardware.reading.decoder import QrDecoder
from hardware.simulated import SimulatedCamera
from kiosk.channel import Verb
from kiosk.core.peers import Peers
from kiosk.reader.eye import Eye
from kiosk.reader.process import STATE_S
from kiosk.reader.sight import Sight, dim
from kiosk.verbs import PresentationAnswer

TEXT = "G1" + "A" * 120
TOLD_S, READS_S = 3.0, 5.0
FRAME_AGE_S = 8.0


def card() -> Picture:
    file = io.BytesIO()
    segno.make(TEXT, error="m", micro=False).save(file, kind="png", scale=4, border=4)
    return np.asarray(Image.open(file).convert("L"))


class Post:
    """A lane's camera, its eye, and the core's view of both. What happens when is told beforehand by :meth:`at`.

    ``lamp_light`` is the ambient light that the lane's lamp makes; None: there is no lamp.
    """

    def __init__(
        self,
        folder: Path,
        lamp_light: float | None = None,
        luma_range: LumaRange = LumaRange.FULL,
        **settings: Any,
    ) -> None:
        self.settings = CameraSettings(lane="in", part="simulated", width=320, height=240, **settings)
        self.folder, self.luma_range = folder, luma_range
        (folder / "inputs").mkdir(exist_ok=True)
        self.now, self.end = 50.0, 0.0
        self.ambient, self.lamp_light = 1.0, lamp_light
        self.peers = Peers(lambda: self.now)
        self.told: list[tuple[float, str]] = []
        """The fault from when on, as the core knows it."""
        self.lit: list[tuple[float, bool]] = []
        self.ages: list[float] = []
        self.opened: list[float] = []
        self.read: list[float] = []
        self._reading = False
        self._plan: list[tuple[float, Callable[[], None]]] = []
        self._reported = 0.0
        self.eye = Eye(
            self.settings, self, self, self.open, lambda: self.now, self.back_off, self.report,  # type: ignore[arg-type]
            lamp=lamp_light is not None,
        )  # fmt: skip

    # --- what the eye is given ---

    def open(self, settings: CameraSettings) -> SimulatedCamera:
        self.opened.append(self.now)
        self.pass_time(0.05)
        camera = SimulatedCamera(
            settings, lambda: self.now, self.pass_time, folder=str(self.folder), luma_range=self.luma_range
        )
        camera.ambient = self.ambient
        camera.keep(card() if self._reading else None)
        return camera

    def watch(self) -> Post:
        return self

    def look(self, luma: Picture, at: float) -> Seen:
        found = QrDecoder().decode(luma) if self._reading and not self.read else []
        return Seen([Found(code.text, code.engine, code.corners) for code in found], stirred=False)

    def ask(self, verb: Verb[Any, Any], question: Any, timeout: float | None = None) -> PresentationAnswer:
        self.read.append(self.now)
        return PresentationAnswer(outcome="grant", reason="ok", lane="in")

    # --- time ---

    def at(self, second: float, do: Callable[[], None]) -> None:
        self._plan.append((50.0 + second, do))

    def run(self, seconds: float) -> None:
        self.end = 50.0 + seconds
        self.eye._run()

    def back_off(self, seconds: float) -> bool:
        for _ in range(max(1, round(seconds / 0.05))):
            self.pass_time(0.05)
        return self.eye._stop.is_set()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        while self._plan and self._plan[0][0] <= self.now:
            self._plan.pop(0)[1]()
        if self.now - self._reported >= STATE_S:
            self.report()
        light = self.peers.light_wanted("in") and self.lamp_light is not None
        if isinstance(self.eye.camera, SimulatedCamera):
            self.eye.camera.ambient = max(self.ambient, self.lamp_light or 0.0) if light else self.ambient
        self.ages.append(self.eye.alive_age())
        note(self.told, self.now - 50.0, self.peers.camera_fault("in"))
        note(self.lit, self.now - 50.0, light)
        if self.now >= self.end:
            self.suffer("")
            self.eye._stop.set()

    def report(self) -> None:
        self._reported = self.now
        self.peers.reader_said(self.eye.state(), 0)

    # --- what happens ---

    def suffer(self, trouble: str) -> None:
        (self.folder / "inputs" / "in.camera").write_text(trouble)

    def recover(self) -> None:
        """The camera is well again, and somebody holds up a card."""
        self.suffer("")
        self._reading = True
        if isinstance(self.eye.camera, SimulatedCamera):
            self.eye.camera.keep(card())

    def shine(self, ambient: float) -> None:
        self.ambient = ambient

    def faults(self) -> list[str]:
        return [fault for _, fault in self.told if fault]


def note(list_: list[tuple[float, Any]], at: float, value: Any) -> None:
    if not list_ or list_[-1][1] != value:
        list_.append((at, value))


LIMITED = pytest.param(LumaRange.LIMITED, marks=pytest.mark.slow)


@pytest.fixture(params=[LumaRange.FULL, LIMITED])
def post(tmp_path: Path, request: pytest.FixtureRequest) -> Post:
    return Post(tmp_path, luma_range=request.param)


TROUBLES = [
    ("black", "camera_black"),
    ("white", "camera_white"),
    ("frozen", "camera_frozen"),
    ("mute", "camera_hung"),
    ("hangs", "camera_hung"),
    ("dies", "camera"),
]


@pytest.mark.parametrize("lasts", [4.0, 25.0], ids=["short", "long"])
@pytest.mark.parametrize(("trouble", "fault"), TROUBLES)
def test_a_camera_in_trouble_is_told_within_3_s_and_reads_within_5_s_of_recovery(
    post: Post, trouble: str, fault: str, lasts: float
) -> None:
    post.at(4.0, lambda: post.suffer(trouble))
    post.at(4.0 + lasts, post.recover)
    post.run(4.0 + lasts + READS_S + 1)
    began = [at for at, told in post.told if told == fault]
    assert began, post.told
    assert began[0] - 4.0 <= TOLD_S
    # A camera that was pulled out first gives no frames, and then it cannot be opened.
    assert set(post.faults()) <= {fault, *(["camera_hung"] if trouble == "dies" else [])}
    assert len(began) == 1, "it does not come and go"
    assert post.told[-1][1] == ""
    assert post.read and post.read[0] - 50.0 - (4.0 + lasts) <= READS_S


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        ("black", "hangs", "camera_hung"),
        ("frozen", "hangs", "camera_hung"),
        ("white", "mute", "camera_hung"),
        ("frozen", "black", "camera_black"),
        ("black", "white", "camera_white"),
        ("hangs", "frozen", "camera_frozen"),
    ],
)
def test_one_trouble_after_the_other_is_told_as_the_one_it_is(post: Post, first: str, second: str, fault: str) -> None:
    post.at(4.0, lambda: post.suffer(first))
    post.at(8.0, lambda: post.suffer(second))
    post.run(13.0)
    assert post.faults()[-1] == fault
    assert next(at for at, told in post.told if told == fault) - 8.0 <= TOLD_S


@pytest.mark.parametrize("ambient", [0.03, 30.0])
@pytest.mark.parametrize("trouble", ["black", "white"])
def test_a_blind_camera_is_told_in_time_at_noon_and_by_night(post: Post, trouble: str, ambient: float) -> None:
    post.shine(ambient)
    post.at(12.0, lambda: post.suffer(trouble))
    post.at(20.0, post.recover)
    post.run(26.0)
    assert post.faults() == [f"camera_{trouble}"]
    assert post.told[1][0] - 12.0 <= TOLD_S
    assert post.read and post.read[0] - 50.0 - 20.0 <= READS_S


@pytest.mark.parametrize("trouble", ["black", "white"])
def test_what_is_black_or_white_to_a_camera_of_limited_range_is_told_and_read_after(
    tmp_path: Path, trouble: str
) -> None:
    post = Post(tmp_path, luma_range=LumaRange.LIMITED)
    post.at(4.0, lambda: post.suffer(trouble))
    post.at(8.0, post.recover)
    post.run(8.0 + READS_S + 1)
    assert post.faults() == [f"camera_{trouble}"]
    assert post.told[-1][1] == ""
    assert post.read


@pytest.mark.parametrize(("trouble", "fault"), TROUBLES)
def test_a_camera_that_is_in_trouble_from_the_start_is_told(post: Post, trouble: str, fault: str) -> None:
    post.suffer(trouble)
    post.run(10.0)
    assert post.faults()[-1] == fault


# --- what is no fault -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("luma_range", [LumaRange.FULL, LIMITED])
@pytest.mark.parametrize("lamp_light", [None, 0.3], ids=["no lamp", "a lamp"])
def test_night_is_no_fault_however_dark_and_however_suddenly_it_comes(
    tmp_path: Path, lamp_light: float | None, luma_range: LumaRange
) -> None:
    post = Post(tmp_path, lamp_light, luma_range)
    post.at(10.0, lambda: post.shine(0.0))
    post.run(40.0)
    assert post.faults() == []
    assert sum(lit for _, lit in post.lit) <= 1, "the lamp looks once, and does not blink all night"
    assert post.lit[-1][1] is False
    assert max(post.ages[200:]) < 1.0


def test_night_is_no_fault_where_the_lamps_pin_is_taken(tmp_path: Path) -> None:
    post = Post(tmp_path, lamp_light=0.0)
    post.eye.lamp_works(False)
    post.at(10.0, lambda: post.shine(0.0))
    post.run(30.0)
    assert post.faults() == []


def test_a_gate_that_starts_in_a_dark_night_is_well(post: Post) -> None:
    post.shine(0.0)
    post.run(20.0)
    assert post.told[-1][1] == "" and post.faults() == []


def test_the_sun_in_the_lens_for_a_moment_is_no_fault_and_for_long_it_is(post: Post) -> None:
    post.at(10.0, lambda: post.shine(1e9))
    post.at(11.0, lambda: post.shine(1.0))
    post.at(20.0, lambda: post.shine(1e9))
    post.at(30.0, lambda: post.shine(1.0))
    post.run(40.0)
    assert post.faults() == ["camera_white"]
    assert 20.0 < post.told[1][0] < 20.0 + TOLD_S
    assert max(post.ages) < 1.0, "no restart takes the sun away"


def test_an_empty_lane_in_which_nothing_moves_is_not_frozen(post: Post) -> None:
    post.run(60.0)
    assert post.faults() == []


def test_a_camera_of_drawings_may_show_one_for_ever(tmp_path: Path) -> None:
    post = Post(tmp_path, noise=False)
    post.at(3.0, lambda: post.suffer("frozen"))
    post.run(15.0)
    assert post.faults() == []
    assert max(post.ages) < 1.0


# --- the lamp ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("luma_range", [LumaRange.FULL, LIMITED])
@pytest.mark.parametrize("ambient", [30.0, 1.0], ids=["noon", "day"])
def test_a_covered_lens_is_found_with_the_lamp_and_the_lamp_stays_until_it_is_free(
    tmp_path: Path, ambient: float, luma_range: LumaRange
) -> None:
    """Behind a cover a sensor has noise as at night. Only the lamp tells the two apart."""
    post = Post(tmp_path, lamp_light=0.0, luma_range=luma_range)
    post.shine(ambient)
    post.at(10.0, lambda: post.shine(0.0))
    post.at(30.0, lambda: (post.shine(ambient), post.recover()))  # type: ignore[func-returns-value]
    post.run(36.0)
    assert post.faults() == ["camera_black"]
    assert post.told[1][0] - 10.0 <= TOLD_S
    assert post.told[2][0] - 30.0 <= 1.0
    assert [lit for _, lit in post.lit] == [False, True, False]
    assert post.read and post.read[0] - 50.0 - 30.0 <= READS_S


def test_a_part_of_the_picture_that_is_bright_makes_it_not_dim() -> None:
    night = np.abs(np.random.default_rng(1).normal(0, 12, (90, 160))).astype(np.uint8)
    assert dim(night)
    night[40:60, 60:80] = 90
    assert not dim(night)
    assert dim(np.zeros((3, 3), np.uint8)) and not dim(np.full((3, 3), 90, np.uint8))


# --- the watchdog and the way back ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "starves"),
    [("frozen", True), ("black", True), ("mute", True), ("hangs", True), ("dies", False), ("white", False)],
)
def test_the_watchdog_ends_a_reader_whose_camera_gives_nothing_new_and_no_other(
    post: Post, trouble: str, starves: bool
) -> None:
    post.suffer("dies" if trouble == "dies" else "")
    if trouble != "dies":
        post.at(3.0, lambda: post.suffer(trouble))
    post.run(16.0)
    assert (max(post.ages) > FRAME_AGE_S) is starves


def test_a_camera_that_is_away_for_long_is_tried_every_2_s(post: Post) -> None:
    post.suffer("dies")
    post.run(120.0)
    pauses = np.diff(post.opened)
    assert len(pauses) > 50
    assert pauses.max() <= 2.1


# --- frame by frame ---------------------------------------------------------------------------------------------------

LIMITS = ExposureRange(60, 3_000, 1.0, 16.0)
FULL = Exposure(3_000, 16.0)


def shown(value: int, frames: int, exposure: Exposure | None = FULL, limits: ExposureRange | None = LIMITS) -> Sight:
    sight = Sight()
    for number in range(frames):
        sight.step(Frame(np.full((240, 320), value, np.uint8), number / 30, number, exposure), limits, False)
    return sight


@pytest.mark.parametrize(
    ("value", "exposure", "limits", "fault"),
    [
        pytest.param(0, FULL, LIMITS, "black", id="no signal"),
        pytest.param(16, FULL, LIMITS, "black", id="video's black"),
        pytest.param(235, Exposure(60, 1.0), LIMITS, "white", id="video's white"),
        pytest.param(0, Exposure(60, 1.0), LIMITS, "black", id="a camera that does not follow"),
        pytest.param(0, None, LIMITS, "black", id="a camera that does not say how it exposes"),
        pytest.param(0, None, None, "frozen", id="black, exposed by itself"),
        pytest.param(255, None, None, "white", id="white, exposed by itself"),
        pytest.param(128, None, None, "frozen", id="grey"),
        pytest.param(21, FULL, LIMITS, "frozen", id="not quite black"),
    ],
)
def test_a_picture_of_one_value_is_the_fault_it_looks_like(
    value: int, exposure: Exposure | None, limits: ExposureRange | None, fault: str
) -> None:
    assert shown(value, 90, exposure, limits).fault == fault


def test_one_frame_is_not_yet_a_camera_that_sees() -> None:
    assert not shown(90, 1).moves
    sight = shown(90, 10)
    assert not sight.moves
    sight.step(Frame(np.full((240, 320), 91, np.uint8), 1.0, 11), LIMITS, False)
    assert sight.moves


def test_a_few_dead_and_hot_pixels_hide_no_fault() -> None:
    sight, luma = Sight(), np.zeros((720, 1280), np.uint8)
    luma[4::400, 4::400] = 255
    for number in range(60):
        sight.step(Frame(luma, number / 30, number, FULL), LIMITS, False)
    assert sight.fault == "black"


def test_a_slow_camera_takes_at_least_three_frames_alike() -> None:
    sight = Sight()
    for number in range(3):
        sight.step(Frame(np.full((240, 320), 90, np.uint8), number * 2.0, number), None, False)
    assert sight.fault == ""
    sight.step(Frame(np.full((240, 320), 90, np.uint8), 6.0, 3), None, False)
    assert sight.fault == "frozen"


def test_the_switch_of_a_simulated_camera_is_a_word_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    settings = CameraSettings(lane="in", part="simulated", width=320, height=240, frame_us=8_000)
    camera = open_camera(settings, str(tmp_path))
    (tmp_path / "inputs" / "in.camera").write_text("white\n")
    with camera.frame() as frame:
        assert frame.luma.min() == 255
    (tmp_path / "inputs" / "in.camera").write_text("")
    with camera.frame() as frame:
        assert frame.luma.min() < 255
