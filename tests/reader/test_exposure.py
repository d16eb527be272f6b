"""How frames are exposed: the policy on figures alone, and with a camera, the reader's eye and the true decoder."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import segno
from PIL import Image

from hardware import CameraSettings, Exposure, ExposureRange, Found, Picture, Seen
from hardware.exposure import (
    BRIGHTEST,
    DARKEST,
    LAMP_FRAMES,
    LAMP_LATE_S,
    LAMP_S,
    LAMP_STIRS_S,
    READ_REST_S,
    REST_S,
    ROUND_S,
    TARGET,
    Bracket,
    Brightness,
    Lamp,
    brightness,
    split,
)
from hardware.reading.decoder import QrDecoder
from hardware.simulated import SimulatedCamera
from kiosk.channel import Verb
from kiosk.reader.eye import Eye
from kiosk.verbs import READER_STATE, LampState, Presentation, PresentationAnswer

LIMITS = ExposureRange(60, 3_000, 1.0, 16.0)
FRAME_S = 1 / 30
TEXT = "G1" + "A7B.Z0" * 20
SHORT = Exposure(1_500, 1.0)
GOOD = Brightness(TARGET, 0.0, 0.0)
PHONE_AT_NIGHT = Brightness(TARGET, 0.05, 0.5)
AGAINST_THE_SUN = Brightness(TARGET, 0.2, 0.4)


class Lane:
    """A policy with a camera that follows after eight frames; ``shows(light)`` is what the lane looks like in it."""

    def __init__(self, shows: Callable[[float], Brightness], begin: Exposure = SHORT) -> None:
        self.bracket = Bracket(LIMITS)
        self.shows = shows
        self.coming = deque([begin] * 8)
        self.now = 100.0

    def run(
        self, seconds: float, stirred: bool = False, read: Callable[[Exposure], bool] = lambda _: False
    ) -> list[Exposure]:
        """The exposures that were asked for, frame by frame."""
        asked = []
        for _ in range(round(seconds / FRAME_S)):
            now = self.coming.popleft()
            asked.append(self.bracket.step(now, self.shows(now.light), stirred, read(now), self.now))
            self.coming.append(asked[-1])
            self.now += FRAME_S
        return asked


def lit(ambient: float, gamma: float = 2.2) -> Callable[[float], Brightness]:
    """A lane that is at the target's mean with 1,000 us at ambient 1."""

    def shows(light: float) -> Brightness:
        mean = min(255.0, TARGET * (light * ambient / 1_000) ** (1 / gamma))
        return Brightness(mean, float(mean > 250), float(mean < 30))

    return shows


def lights(asked: list[Exposure]) -> set[float]:
    return {round(exposure.light, -1) for exposure in asked}


@pytest.mark.parametrize("gamma", [1.0, 2.2])
@pytest.mark.parametrize("ambient", [0.03, 0.1, 1.0, 8.0, 15.0])
@pytest.mark.parametrize("begin", [Exposure(60, 1.0), Exposure(3_000, 16.0)])
def test_the_light_of_the_lane_is_followed_to_a_standstill(gamma: float, ambient: float, begin: Exposure) -> None:
    lane = Lane(lit(ambient, gamma), begin)
    lane.run(12)
    asked = lane.run(5)
    assert len(set(asked)) == 1
    assert DARKEST <= lane.shows(asked[-1].light).mean <= BRIGHTEST


def test_in_direct_sun_the_shutter_is_open_for_much_less_than_the_limit() -> None:
    lane = Lane(lit(10.0), Exposure(3_000, 1.0))
    lane.run(10)
    assert lane.run(1)[-1].us < 500


def test_at_night_the_gain_rises_and_the_shutter_never_stays_open_longer_than_the_limit() -> None:
    lane = Lane(lit(0.001))
    asked = lane.run(20)
    assert max(exposure.us for exposure in asked) == LIMITS.longest_us
    assert asked[-1] == Exposure(LIMITS.longest_us, LIMITS.most_gain)
    assert lane.bracket.dark


def test_a_lane_in_daylight_is_not_dark() -> None:
    lane = Lane(lit(0.5))
    lane.run(10)
    assert not lane.bracket.dark


@pytest.mark.parametrize("light", [10, 60, 500, 1_500, 2_500, 3_000, 5_000, 20_000, 48_000, 10**6])
def test_time_and_gain_make_the_light_asked_for_where_the_camera_can(light: float) -> None:
    exposure = split(light, LIMITS)
    assert exposure.light == pytest.approx(max(60, min(light, 48_000)), rel=0.01)
    assert 60 <= exposure.us <= 3_000
    assert exposure.us <= 1_500 or exposure.gain >= 2


def test_an_empty_lane_is_never_bracketed_however_it_looks() -> None:
    for shown in (GOOD, PHONE_AT_NIGHT, AGAINST_THE_SUN):
        assert lights(Lane(lambda _, shown=shown: shown).run(30)) == {1_500.0}  # type: ignore[misc]


def test_what_is_clipped_is_tried_darker_and_what_is_dark_brighter() -> None:
    phone = Lane(lambda _: PHONE_AT_NIGHT, Exposure(3_000, 16.0))
    assert lights(phone.run(3, stirred=True)) == {48_000.0, 8_000.0, 1_330.0}
    card = Lane(lambda _: Brightness(TARGET, 0.0, 0.4), Exposure(300, 1.0))
    assert lights(card.run(3, stirred=True)) == {300.0, 1_800.0, 10_800.0}


def test_against_the_sun_both_are_tried() -> None:
    asked = Lane(lambda _: AGAINST_THE_SUN, Exposure(300, 1.0)).run(3, stirred=True)
    assert lights(asked) == {300.0, 60.0, 1_800.0, 10_800.0}  # 60: the least this camera can do


def test_two_of_three_frames_stay_as_they_are_and_no_two_steps_follow_each_other() -> None:
    asked = Lane(lambda _: AGAINST_THE_SUN, Exposure(300, 1.0)).run(4, stirred=True)
    stepped = [number for number, exposure in enumerate(asked) if exposure.light != 300]
    assert set(np.diff(stepped)) == {3}


def test_where_nothing_shows_why_it_is_not_read_steps_are_small_and_late() -> None:
    lane = Lane(lambda _: GOOD)
    assert lights(lane.run(0.9, stirred=True)) == {1_500.0}
    assert lights(lane.run(2, stirred=True)) == {1_500.0, 500.0, 4_500.0}


def test_what_was_read_ends_the_steps_at_once_and_for_a_while() -> None:
    lane = Lane(lambda _: PHONE_AT_NIGHT, Exposure(3_000, 16.0))
    lane.run(1, stirred=True)
    lane.run(FRAME_S, stirred=True, read=lambda _: True)
    assert lights(lane.run(READ_REST_S - 0.1, stirred=True)) == {48_000.0}


def test_steps_end_when_the_lane_is_empty_again() -> None:
    lane = Lane(lambda _: PHONE_AT_NIGHT, Exposure(3_000, 16.0))
    lane.run(1, stirred=True)
    lane.run(0.2)
    assert lights(lane.run(20)) == {48_000.0}


def test_steps_in_vain_pause_for_longer_and_longer_since_they_stir_the_picture_themselves() -> None:
    lane = Lane(lambda _: PHONE_AT_NIGHT, Exposure(3_000, 16.0))
    asked = lane.run(60, stirred=True)
    stepped = [number * FRAME_S for number, exposure in enumerate(asked) if exposure.light < 48_000]
    pauses = [round(step) for step in np.diff(stepped) if step > 1]
    assert pauses == [REST_S, 2 * REST_S, 4 * REST_S]
    assert stepped[-1] - stepped[0] > 4 * ROUND_S


def test_a_camera_that_does_something_else_is_believed() -> None:
    lane = Lane(lit(1.0), Exposure(100, 1.0))
    lane.run(1)
    for _ in range(100):
        asked = lane.bracket.step(Exposure(2_000, 1.0), GOOD, False, False, lane.now)
        lane.now += FRAME_S
    assert asked.light == pytest.approx(2_000, rel=0.01)


@pytest.mark.parametrize("shape", [(720, 1280), (1, 1), (3, 900), (480, 640)])
def test_brightness_is_known_of_any_picture(shape: tuple[int, int]) -> None:
    assert brightness(np.full(shape, 255, np.uint8)) == (255, 1, 0)
    assert brightness(np.zeros(shape, np.uint8)) == (0, 0, 1)


# --- the lamp --------------------------------------------------------------------------------------------------------


def lamp_over(*times: tuple[float, bool, bool], code: bool = False) -> list[bool]:
    """The lamp after each of (seconds, stirred, dark)."""
    lamp, now, shown = Lamp(), 10.0, []
    for seconds, stirred, dark in times:
        for _ in range(round(seconds / FRAME_S)):
            on = lamp.step(stirred, code, dark, now)
            now += FRAME_S
        shown.append(on)
    return shown


def test_the_lamp_is_on_in_the_dark_while_somebody_is_there_and_some_seconds_longer() -> None:
    here, gone = (LAMP_FRAMES * FRAME_S, True, True), (LAMP_S - 0.1, False, True)
    assert lamp_over((3, False, True), here, gone, (0.3, False, True)) == [False, True, True, False]


def test_single_looks_at_an_empty_lane_light_no_lamp() -> None:
    looks = [(FRAME_S, True, True), (7 * FRAME_S, False, True)] * 20
    assert not any(lamp_over(*looks))


def test_the_lamp_stays_dark_by_day() -> None:
    assert lamp_over((20, True, False)) == [False]


def test_the_lamp_is_not_put_out_by_its_own_light() -> None:
    assert lamp_over((1, True, True), (30, True, False)) == [True, True]


def test_going_out_the_lamp_does_not_light_itself_again() -> None:
    out = (LAMP_S + 0.2, False, False)
    assert lamp_over((1, True, True), out, (LAMP_STIRS_S - 1, True, True)) == [True, False, False]
    calm = (LAMP_LATE_S, False, True)
    assert lamp_over((1, True, True), out, calm, (0.1, True, True)) == [True, False, False, True]


def test_a_code_lights_the_lamp_even_when_it_has_just_gone_out() -> None:
    assert lamp_over((1, True, True), (LAMP_S + 0.2, False, False), (0.1, True, True), code=True)[-1]


# --- with a camera, the eye and the decoder --------------------------------------------------------------------------


class Core:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def ask(self, verb: Verb[Any, Any], question: Any, timeout: float | None = None) -> Any:
        if verb is READER_STATE:
            return LampState()
        assert isinstance(question, Presentation)
        self.texts.append(question.text)
        return PresentationAnswer(outcome="grant", reason="ok", lane=question.lane, happening=1)


class Noticing:
    """The true decoder and its watch; whether something is there is told by the test. ``never`` makes it blind to it:
    then the light of the lane is followed, and no step is ever taken."""

    def __init__(self, never: bool = False) -> None:
        self.stirred = False
        self._never = never
        self._decoder = QrDecoder()
        self._watch = self._decoder.watch()

    def decode(self, luma: Picture) -> list[Found]:
        return self._decoder.decode(luma)

    def watch(self) -> Noticing:
        return self

    def look(self, luma: Picture, at: float) -> Seen:
        return self._watch.look(luma, at)._replace(stirred=self.stirred and not self._never)


def code(black: int) -> Picture:
    """A code whose black is grey: light scattered in the lens, a screen that shines through."""
    file = io.BytesIO()
    segno.make(TEXT, error="q", micro=False).save(file, kind="png", scale=4, border=4)
    sharp = np.asarray(Image.open(file).convert("L"), dtype=np.float32)
    return (black + sharp * (255 - black) / 255).astype(np.uint8)


def read_within(decoder: Noticing, ambient: float, black: int, light: float, frames: int, seed: int = 0) -> int | None:
    """After how many frames in the lane's own light the core hears of a code held up; None: of no code."""
    now = [50.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    settings = CameraSettings(lane="in", part="simulated", width=640, height=360)
    camera = SimulatedCamera(settings, lambda: now[0], wait, seed)
    camera.ambient = ambient
    core = Core()
    eye = Eye(settings, decoder, core, lambda _: camera, lambda: now[0])
    for _ in range(150):  # five seconds of the empty lane
        eye.look(camera)
    camera.show([code(black)], frames, light)
    decoder.stirred = True
    for number in range(1, frames + 1):
        eye.look(camera)
        if core.texts:
            assert core.texts == [TEXT]
            return number
    return None


@pytest.mark.parametrize(
    ("ambient", "black", "light"),
    [pytest.param(0.02, 60, 20.0, id="a phone at night"), pytest.param(10.0, 170, 0.006, id="a card against the sun")],
)
def test_what_is_readable_in_another_exposure_only_is_read_through_eye_camera_and_decoder(
    ambient: float, black: int, light: float
) -> None:
    frames = 45  # held for a second and a half
    assert read_within(Noticing(never=True), ambient, black, light, frames) is None
    within = read_within(Noticing(), ambient, black, light, frames)
    assert within is not None
    assert within <= 30


def test_an_ordinary_card_is_read_at_once() -> None:
    assert read_within(Noticing(), 1.0, 0, 1.0, 10) == 1


def test_the_reader_asks_for_light_in_the_dark_and_says_so_at_once() -> None:
    settings = CameraSettings(lane="in", part="simulated", width=320, height=240)
    now, told, decoder = [50.0], [0], Noticing()
    camera = SimulatedCamera(settings, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    camera.ambient = 0.002

    def changed() -> None:
        told[0] += 1

    eye = Eye(settings, decoder, Core(), lambda _: camera, lambda: now[0], changed=changed)
    for _ in range(150):
        eye.look(camera)
    assert not eye.state().light
    before = told[0]
    decoder.stirred = True
    for _ in range(LAMP_FRAMES):
        eye.look(camera)
    assert eye.state().light
    assert told[0] > before


@pytest.mark.slow
def test_with_the_true_gate_steps_and_lamp_end_by_themselves_when_the_lane_is_empty_again() -> None:
    """Neither our own steps nor the lamp's light may pass for somebody who is there."""
    now = [50.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    settings = CameraSettings(lane="in", part="simulated", width=640, height=360)
    camera, core = SimulatedCamera(settings, lambda: now[0], wait), Core()
    eye = Eye(settings, QrDecoder(), core, lambda _: camera, lambda: now[0])

    def look(seconds: float) -> list[tuple[bool, Exposure]]:
        """The lamp, and the exposure in force, frame by frame; the lamp is as bright as ten lanes at night."""
        shown = []
        for _ in range(round(seconds / FRAME_S)):
            eye.look(camera)
            camera.ambient = 0.22 if eye.state().light else 0.02
            shown.append((eye.state().light, camera._coming[0]))
        return shown

    look(25)
    assert not any(lit for lit, _ in look(5))
    camera.show([code(60)], 90, 20.0)
    held = look(3)
    assert core.texts[0] == TEXT
    assert any(lit for lit, _ in held)
    look(30)
    calm = look(30)
    assert {lit for lit, _ in calm} == {False}
    assert len({exposure for _, exposure in calm}) == 1
