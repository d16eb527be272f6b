"""The figures of a frame: brightness, noise, sharpness and glare, whatever its size and content."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given as example
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from hardware import Picture
from hardware.luma import limited, stretched
from hardware.reading.analysis import Region, analyse

seeds = st.integers(0, 2**31)


def code(module: int, dark: int = 40, light: int = 220, seed: int = 1) -> Picture:
    random = np.random.default_rng(seed)
    modules = np.where(random.random((45, 45)) < 0.5, dark, light).astype(np.uint8)
    return np.kron(modules, np.ones((module, module), np.uint8))


def blurred(luma: Picture, across: float, down: float | None = None) -> Picture:
    radius = (across, across if down is None else down)
    return np.asarray(Image.fromarray(luma).filter(ImageFilter.GaussianBlur(radius)))


def noisy(luma: NDArray[np.generic], sigma: float, seed: int = 1) -> Picture:
    noise = np.random.default_rng(seed).normal(0, sigma, luma.shape)
    return np.clip(luma + noise, 0, 255).round().astype(np.uint8)


def full_range(luma: Picture) -> Picture:
    return luma


def limited_range(luma: Picture) -> Picture:
    """What becomes of a picture in a camera whose white is 235."""
    return stretched(limited(luma))


GIVEN = pytest.mark.parametrize("given", [full_range, limited_range])
Given = Callable[[Picture], Picture]


@GIVEN
@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0, 8.0, 12.0])
def test_noise_is_measured_on_a_slope_with_a_code_in_it(sigma: float, given: Given) -> None:
    lane = np.add.outer(np.linspace(60, 180, 720), np.linspace(0, 20, 1280))
    lane[200:380, 500:680] = code(4)
    assert analyse(given(noisy(lane, sigma))).noise == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("module", [3, 4, 6, 8, 10])
@pytest.mark.parametrize(("blur", "wanted"), [(0.0, 0.97), (1.0, 0.39), (2.0, 0.17), (3.0, 0.11)])
def test_sharpness_measures_the_blur_whatever_the_size_of_the_modules_and_the_brightness(
    module: int, blur: float, wanted: float
) -> None:
    for dark, light in ((40, 220), (30, 90), (150, 240)):
        scene = analyse(noisy(blurred(code(module, dark, light), blur), 1.0))
        assert scene.sharpness == pytest.approx(wanted, abs=0.06)


def test_motion_blurs_one_direction_only() -> None:
    scene = analyse(noisy(blurred(code(6), 4.0, 0.0), 2.0))
    assert scene.sharp_across < 0.4 * scene.sharp_down
    scene = analyse(noisy(blurred(code(6), 0.0, 4.0), 2.0))
    assert scene.sharp_down < 0.4 * scene.sharp_across


def test_noise_alone_is_not_sharp() -> None:
    assert analyse(noisy(np.full((720, 1280), 90), 8.0)).sharpness < 0.25
    assert analyse(np.full((720, 1280), 90, np.uint8)).sharpness == 0


@GIVEN
def test_light_figures_are_those_of_the_region(given: Given) -> None:
    luma = np.full((720, 1280), 100, np.uint8)
    luma[100:200, 300:400] = 255
    luma[100:110, 300:400] = 5
    luma = given(luma)
    scene = analyse(luma, (300, 100, 400, 200))
    assert (scene.size, scene.p2, scene.p50, scene.p98) == ((1280, 720), 5, 255, 255)
    assert scene.clipped == pytest.approx(0.9, abs=0.02) and scene.dark == pytest.approx(0.1, abs=0.02)
    whole = analyse(luma)
    assert (whole.p2, whole.p50, whole.contrast) == (100, 100, 0)
    assert whole.clipped == pytest.approx(0.01, abs=0.005) and whole.dark < 0.005


@GIVEN
def test_glare_is_a_spot_and_a_bright_code_has_none(given: Given) -> None:
    bright = code(6, 60, 255)
    assert analyse(given(bright)).glare == 0 and analyse(given(bright)).clipped > 0.4
    bright[80:180, 100:200] = 255
    assert analyse(given(bright)).glare > 0.03


regions = st.tuples(*[st.integers(-300, 500)] * 4)


@settings(deadline=None, max_examples=150)
@example(height=st.integers(1, 200), width=st.integers(1, 200), region=st.none() | regions, seed=seeds)
def test_any_size_and_any_region_gives_figures_in_their_range(
    height: int, width: int, region: Region | None, seed: int
) -> None:
    scene = analyse(np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8), region)
    assert 0 <= scene.p2 <= scene.p50 <= scene.p98 <= 255 and 0 <= scene.mean <= 255
    shares = (scene.clipped, scene.dark, scene.sharp_across, scene.sharp_down, scene.glare)
    assert all(0 <= share <= 1 for share in shares) and 0 <= scene.noise < 500


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_frames_have_no_contrast(value: int) -> None:
    scene = analyse(np.full((720, 1280), value, np.uint8))
    assert (scene.mean, scene.contrast, scene.sharpness) == (value, 0, 0)
    assert (scene.dark, scene.clipped) == ((1, 0) if value == 0 else (0, 1))
