"""The motion gate: nothing that could be a presentation is lost, and an empty lane costs almost nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hardware import Picture
from hardware.luma import limited, stretched
from hardware.reading.motion import (
    EMPTY_EVERY,
    FIRST_FRAMES,
    GONE_S,
    HOLD_S,
    RESTLESS_EVERY,
    RESTLESS_S,
    SETTLED_S,
    STANDING_EVERY,
    MotionGate,
    block_means,
)
from tests.fixtures.pictures.scene_camera import Mains

HEIGHT, WIDTH = 360, 640
FRAME_S = 1 / 30
CALM_S = GONE_S + FRAME_S
Light = Callable[[float], "NDArray[np.float32] | float"]

sigmas = st.sampled_from([1.0, 2.0, 4.0, 8.0, 12.0])
seeds = st.integers(0, 2**31)


class Gate:
    """A lane, its light and its noise before a gate. What is held up is a patch of grey values."""

    def __init__(self, sigma: float = 2.0, seed: int = 1, light: Light = lambda at: 1.0) -> None:
        self.gate = MotionGate()
        self.at = 100.0
        self.sigma: float | NDArray[np.float32] = sigma
        self.light = light
        self.held: tuple[int, int, NDArray[np.float32]] | None = None
        self.frame_s = FRAME_S
        self._random = np.random.default_rng(seed)
        self._noise = self._random.normal(0, 1, HEIGHT * WIDTH * 2).astype(np.float32)
        self._lane = lane(self._random)
        self.given: Callable[[Picture], Picture] = lambda luma: luma
        """What the camera makes of a frame in full range."""

    def frame(self) -> Picture:
        grey = self._lane
        if self.held:
            top, left, patch = self.held
            grey = grey.copy()
            grey[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
        begin = int(self._random.integers(HEIGHT * WIDTH))
        noise = self._noise[begin : begin + HEIGHT * WIDTH].reshape(HEIGHT, WIDTH)
        seen: NDArray[np.float32] = grey * self.light(self.at) + noise * np.asarray(self.sigma, np.float32)
        return self.given(np.clip(seen, 0, 255).astype(np.uint8))

    def step(self) -> bool:
        self.at += self.frame_s
        return self.gate.step(self.frame(), self.at)

    def lasts(self, seconds: float) -> list[bool]:
        return [self.step() for _ in range(round(seconds / self.frame_s))]

    def settled(self) -> Gate:
        self.lasts(FIRST_FRAMES * FRAME_S + 4.0)
        assert not self.gate.occupied
        return self


def lane(random: np.random.Generator) -> NDArray[np.float32]:
    """Road and walls: a slope of brightness with edges. Under the brightest cloud nothing of it is clipped."""
    grey = np.outer(np.linspace(70, 150, HEIGHT), np.linspace(1.2, 0.7, WIDTH)).astype(np.float32)
    for _ in range(8):
        top, left = int(random.integers(HEIGHT - 60)), int(random.integers(WIDTH - 60))
        grey[top : top + 60, left : left + 60] *= random.uniform(0.6, 1.4)
    return np.minimum(grey, 175)


def code(random: np.random.Generator, side: int, dark: float, light: float) -> NDArray[np.float32]:
    """As many modules as a pass has (45), one in two dark, on a light margin."""
    modules = np.where(random.random((53, 53)) < 0.5, dark, light)
    modules[:4] = modules[-4:] = modules[:, :4] = modules[:, -4:] = light
    at = np.arange(side) * 53 // side
    return modules[at][:, at].astype(np.float32)


def mains(at: float) -> NDArray[np.float32]:
    """100 Hz light before a rolling shutter: bands that wander through the picture."""
    rows = np.arange(HEIGHT) / HEIGHT * FRAME_S + at * 1.003
    return (1 + 0.06 * np.sin(2 * np.pi * 100 * rows)).astype(np.float32)[:, None]


def lamps(depth: float, hz: float = 50.01) -> Light:
    """Light of LEDs on a cheap supply, which swings by ``depth``, from one side of the lane."""
    share = np.linspace(1, 0.2, WIDTH // 16, dtype=np.float32)  # powers are dear

    def light(at: float) -> NDArray[np.float32]:
        swing = Mains(depth, hz).seen(np.arange(HEIGHT) / HEIGHT * 0.02 + at, 0.003) - 1
        seen: NDArray[np.float32] = (1 + swing[:, None] * share) ** np.float32(1 / 2.2)
        return np.repeat(seen, 16, axis=1)

    return light


def wobble(at: float) -> float:
    return 1 + 0.08 * float(np.sin(at * 40))


def cloud(at: float) -> float:
    return 1 + 0.3 * float(np.sin(at / 3))


LIGHTS: dict[str, Light] = {
    "steady": lambda at: 1.0,
    "mains": mains,
    "lamps": lamps(0.6),
    "wobble": wobble,
    "cloud": cloud,
}


@settings(deadline=None, max_examples=20)
@given(sigma=sigmas, seed=seeds, light=st.sampled_from(sorted(LIGHTS)))
def test_an_empty_lane_is_looked_at_in_one_frame_of_eight_whatever_its_noise_and_light(
    sigma: float, seed: int, light: str
) -> None:
    looks = Gate(sigma, seed, LIGHTS[light]).settled().lasts(5)
    assert sum(looks) <= len(looks) / EMPTY_EVERY + 1
    assert longest_pause(looks) == EMPTY_EVERY - 1


@pytest.mark.slow
@pytest.mark.parametrize("hz", [49.9, 50.01, 50.1])
def test_where_the_worst_lamps_keep_it_busy_frames_of_40_ms_calm_it_within_a_minute(hz: float) -> None:
    gate = Gate(light=lamps(0.95, hz))
    gate.frame_s = 0.040
    gate.lasts(60)
    looks = gate.lasts(5)
    assert sum(looks) <= len(looks) / EMPTY_EVERY + 1 and not gate.gate.occupied
    gate.held = (100, 200, code(np.random.default_rng(3), 60, 40, 200))
    assert all(gate.lasts(1))


@pytest.mark.parametrize("seed", range(3))
def test_a_lane_whose_dark_parts_are_the_noisiest_is_calm_from_its_first_seconds_on(seed: int) -> None:
    gate = Gate(seed=seed)
    gate.sigma = np.where(np.arange(WIDTH) < WIDTH / 3, np.float32(28), np.float32(8))
    gate.lasts(CALM_S)
    looks = gate.lasts(20)
    assert sum(looks) <= len(looks) / EMPTY_EVERY + 1
    gate.held = (100, 100, code(np.random.default_rng(seed), 80, 40, 220))
    assert all(gate.lasts(HOLD_S - 0.1))


def test_somebody_there_from_the_first_frame_on_does_not_leave_noise_behind_for_long() -> None:
    gate = Gate(3.0)
    for _ in range(150):
        moved(gate)
    gate.held = None
    gate.lasts(SETTLED_S + 10)
    assert longest_pause(gate.lasts(3)) == EMPTY_EVERY - 1
    gate.held = (130, 330, code(np.random.default_rng(5), 60, 40, 220))
    assert all(gate.lasts(HOLD_S - 0.1))


@settings(deadline=None, max_examples=15)
@given(
    sigma=sigmas,
    seed=seeds,
    light=st.sampled_from(sorted(LIGHTS)),
    top=st.integers(0, HEIGHT - 60),
    left=st.integers(0, WIDTH - 60),
    wait=st.integers(0, 8),
)
def test_a_tiny_code_is_looked_at_from_its_first_frame_and_for_as_long_as_every_extra_needs(
    sigma: float, seed: int, light: str, top: int, left: int, wait: int
) -> None:
    gate = Gate(sigma, seed, LIGHTS[light]).settled()
    gate.lasts(wait * FRAME_S)
    gate.held = (top, left, code(np.random.default_rng(seed), 60, 40, 220))
    assert all(gate.lasts(HOLD_S - 0.1)) and gate.gate.occupied


@settings(deadline=None, max_examples=20)
@given(sigma=sigmas, seed=seeds, top=st.integers(0, HEIGHT - 120), left=st.integers(0, WIDTH - 120))
def test_a_dim_code_of_low_contrast_is_looked_at_from_its_first_frame(
    sigma: float, seed: int, top: int, left: int
) -> None:
    gate = Gate(sigma, seed).settled()
    gate.held = (top, left, code(np.random.default_rng(seed), 120, 35, 60))
    assert all(gate.lasts(HOLD_S - 0.1))


@pytest.mark.parametrize("sigma", [1.0, 4.0, 12.0])
def test_a_phone_lighting_up_in_place_is_looked_at_from_its_first_frame(sigma: float) -> None:
    gate = Gate(sigma)
    gate.held = (100, 200, np.full((140, 70), 25, np.float32))
    gate.settled()
    gate.held = (100, 200, code(np.random.default_rng(3), 140, 20, 110)[:, :70])
    assert all(gate.lasts(HOLD_S - 0.1))


def test_what_stands_still_for_long_is_looked_at_now_and_then_and_in_full_when_it_moves_again() -> None:
    gate = Gate(3.0).settled()
    card = code(np.random.default_rng(3), 150, 40, 220)
    gate.held = (100, 200, card)
    gate.lasts(HOLD_S + 1)
    looks = gate.lasts(5)
    assert longest_pause(looks) == STANDING_EVERY - 1 and sum(looks) <= len(looks) / STANDING_EVERY + 1
    gate.held = (104, 203, card)
    assert all(gate.lasts(HOLD_S - 0.1))


def test_what_stands_still_becomes_part_of_the_lane_and_its_leaving_is_seen() -> None:
    gate = Gate(3.0).settled()
    gate.held = (100, 200, code(np.random.default_rng(3), 100, 40, 220))
    gate.lasts(240)
    assert not gate.gate.occupied
    assert longest_pause(gate.lasts(3)) == EMPTY_EVERY - 1
    gate.held = None
    assert gate.step()


def test_full_speed_ends_soon_after_the_lane_is_empty_again() -> None:
    gate = Gate(3.0).settled()
    gate.held = (100, 200, code(np.random.default_rng(3), 100, 40, 220))
    assert all(gate.lasts(1))
    gate.held = None
    gate.lasts(3)
    assert not gate.gate.occupied and longest_pause(gate.lasts(2)) == EMPTY_EVERY - 1


def test_a_hand_that_never_rests_is_looked_at_in_every_frame_while_its_codes_are_seen() -> None:
    gate = Gate(3.0).settled()
    looks = [moved(gate, seen=True) for _ in range(round(60 / FRAME_S))]
    assert all(looks)


def test_a_branch_that_never_rests_is_looked_at_in_one_frame_of_three_and_a_card_before_it_in_every_one() -> None:
    gate = Gate(3.0).settled()
    for _ in range(round((RESTLESS_S + 4) / FRAME_S)):
        moved(gate)
    looks = [moved(gate) for _ in range(300)]
    assert sum(looks) <= 110 and longest_pause(looks) <= EMPTY_EVERY - 1
    gate.held = (40, 100, code(np.random.default_rng(5), 250, 40, 220))
    assert all(gate.lasts(HOLD_S - 0.1))


def moved(gate: Gate, seen: bool = False) -> bool:
    """One frame with a patch swaying from side to side."""
    left = 300 + round(12 * float(np.sin(gate.at * 5)))
    gate.held = (100, left, code(np.random.default_rng(3), 100, 40, 220))
    look = gate.step()
    if seen and look:
        gate.gate.seen([(left, 100), (left + 100, 100), (left + 100, 200), (left, 200)], gate.at)
    return look


@pytest.mark.parametrize(("before", "after"), [(1.0, 0.4), (0.3, 1.0), (1.0, 1.5)])
def test_sudden_light_is_looked_at_and_soon_taken_for_granted(before: float, after: float) -> None:
    gate = Gate(3.0, light=lambda at: before if at < 110 else after).settled()
    gate.lasts(12)
    assert not gate.gate.occupied
    gate.held = (100, 200, code(np.random.default_rng(3), 60, 40, 220))
    assert gate.step()


def test_exposures_in_turn_do_not_keep_an_empty_lane_busy() -> None:
    gate = Gate(3.0, light=lambda at: (0.5, 1.0, 1.6)[round(at / FRAME_S) % 3])
    gate.lasts(60)
    assert sum(gate.lasts(3)) <= 90 / EMPTY_EVERY + 1


@pytest.mark.parametrize(("light", "every"), [(1.4, EMPTY_EVERY), (2.2, RESTLESS_EVERY), (4.0, RESTLESS_EVERY)])
@pytest.mark.parametrize("kind", ["mains", "wobble"])
@pytest.mark.parametrize("limits", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["full", "limited"])
def test_a_clipped_sky_in_flickering_light_does_not_keep_it_busy_and_a_card_before_it_is_seen(
    light: float, every: int, kind: str, limits: bool
) -> None:
    gate = Gate(3.0, light=lambda at: light * LIGHTS[kind](at))
    if limits:
        gate.given = lambda luma: stretched(limited(luma))
    gate.lasts(45)
    assert sum(gate.lasts(3)) <= 90 / every + 1
    gate.held = (100, 200, code(np.random.default_rng(3), 80, 30 / light, 230 / light))
    assert all(gate.lasts(HOLD_S - 0.1))


@pytest.mark.parametrize("louder", [4.0, 10.0])
def test_noise_that_grows_at_dusk_is_learned_within_seconds(louder: float) -> None:
    gate = Gate(1.0).settled()
    gate.sigma = louder
    gate.lasts(10)
    assert sum(gate.lasts(3)) <= 90 / EMPTY_EVERY + 1


def test_the_first_frames_and_those_after_another_size_are_all_looked_at() -> None:
    gate = MotionGate()
    small, large = np.zeros((360, 640), np.uint8), np.zeros((720, 1280), np.uint8)
    looks = [gate.step(small, i * FRAME_S) for i in range(FIRST_FRAMES)]
    assert all(looks)
    for i in range(200):
        gate.step(small, 10 + i * FRAME_S)
    assert not gate.occupied
    looks = [gate.step(large, 30 + i * FRAME_S) for i in range(FIRST_FRAMES)]
    assert all(looks) and gate.occupied


def test_looked_and_skipped_count_every_frame() -> None:
    gate = Gate(2.0)
    looks = gate.lasts(10)
    assert (gate.gate.looked, gate.gate.skipped) == (sum(looks), len(looks) - sum(looks))
    assert gate.gate.skipped > 100


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    height, width = draw(st.integers(0, 200)), draw(st.integers(0, 200))
    kind = draw(st.sampled_from(["noise", "black", "white", "stripes"]))
    random = np.random.default_rng(draw(seeds))
    if kind == "noise":
        return random.integers(0, 256, (height, width), dtype=np.uint8)
    full = np.full((height, width), 255 if kind == "white" else 0, np.uint8)
    if kind == "stripes":
        full[::2] = 255
    return full


@settings(deadline=None, max_examples=60)
@given(frames=st.lists(pictures(), max_size=8), repeats=st.integers(1, 40))
def test_no_picture_of_any_size_or_content_makes_it_raise(frames: list[Picture], repeats: int) -> None:
    gate = MotionGate()
    for number, luma in enumerate(frame for frame in frames for _ in range(repeats)):
        gate.step(luma, number * FRAME_S)


@pytest.mark.parametrize("frame", [np.zeros(5, np.uint8), np.zeros((90, 90, 3), np.uint8), np.zeros((90, 90))])
def test_an_invalid_picture_is_left_to_the_decoder(frame: Picture) -> None:
    assert MotionGate().step(frame, 0.0)


@settings(deadline=None)
@given(at=st.lists(st.floats(allow_nan=False, min_value=0, max_value=1e9), min_size=40, max_size=80).map(sorted))
def test_frames_that_come_at_any_times_are_never_skipped_more_than_seven_in_a_row(at: list[float]) -> None:
    gate = MotionGate()
    luma = np.full((72, 96), 90, np.uint8)
    assert longest_pause([gate.step(luma, moment) for moment in at]) < EMPTY_EVERY


@given(height=st.integers(64, 150), width=st.integers(64, 150), block=st.sampled_from([8, 16, 32]), seed=seeds)
def test_block_means_are_the_means_of_four_rows_of_each_block(height: int, width: int, block: int, seed: int) -> None:
    luma = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    down, across = height // block, width // block
    squares = luma[: down * block, : across * block].reshape(down, block, across, block)
    wanted = squares[:, block // 8 :: block // 4].mean(axis=(1, 3))
    assert np.allclose(block_means(luma, block), wanted, atol=1e-3)
    padded = np.zeros((height, width + 13), np.uint8)[:, :width]
    padded[:] = luma
    assert np.allclose(block_means(padded, block), wanted, atol=1e-3)


def longest_pause(looks: list[bool]) -> int:
    """Most frames in a row that were not looked at."""
    return max((len(run) for run in "".join("x" if look else "." for look in looks).split("x")), default=0)
