"""Camera modules: the figures of issue 11 by picamera2's own choice of mode, and what ours makes of the same ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hardware.modules import ENOUGH_PIXELS, FEW_PIXELS, MODULES, Optics, SensorMode, best_mode, crop_of, module_of

SIZE, FRAME_US = (1280, 720), 33_333
LENS_MM = 6.0
MODELS = ("imx219", "imx708", "imx708_wide", "imx296", "imx477", "imx500", "ov5647")


def optics(model: str, distance_cm: float = 25.0) -> Optics:
    module = MODULES[model]
    return Optics(module.lens_mm or LENS_MM, module.pixel_um, distance_cm)


def librarys_choice(modes: tuple[SensorMode, ...], size: tuple[int, int]) -> SensorMode:
    """The mode picamera2 0.3.38 takes for a frame of that size at the sensor's full depth: the nearest in size and
    shape, where too small weighs eight times as much as too large."""

    def miss(wanted: float, has: float) -> float:
        return (has - wanted) / 4 if has > wanted else (wanted - has) * 2

    def score(mode: SensorMode) -> float:
        shape = miss(size[0] / size[1], mode.size[0] / mode.size[1])
        depth = max(mode.bits for mode in modes) - mode.bits
        return miss(size[0], mode.size[0]) + miss(size[1], mode.size[1]) + 1500 * shape + 500 * depth

    return min(modes, key=score)


def pixels(model: str, mode: SensorMode, chosen: Optics | None, size: tuple[int, int] = SIZE) -> float:
    across = crop_of((0, 0, *mode.crop), mode.binning, chosen, size)[2]
    return optics(model).module_px(across, size[0], mode.binning)


@pytest.mark.parametrize(
    ("model", "measured"),
    [("imx219", 3.84), ("imx708", 2.99), ("imx296", 3.24), ("imx477", 2.74), ("imx500", 2.05), ("imx708_wide", 1.74)],
)
def test_the_librarys_own_mode_gives_the_pixels_of_issue_11(model: str, measured: float) -> None:
    mode = librarys_choice(MODULES[model].modes, SIZE)
    assert pixels(model, mode, None) == pytest.approx(measured, abs=0.005)


def test_a_module_3_at_its_native_size_has_3_6_pixels() -> None:
    native = (1536, 864)
    mode = librarys_choice(MODULES["imx708"].modes, native)
    assert mode.size == native
    assert pixels("imx708", mode, None, native) == pytest.approx(3.6, abs=0.02)


@pytest.mark.parametrize(
    ("model", "size", "ours"),
    [
        ("imx219", (1920, 1080), 3.84),
        ("imx708", (1536, 864), 3.59),
        ("imx708_wide", (1536, 864), 2.08),
        ("imx296", (1456, 1088), 3.60),
        ("imx477", (2028, 1080), 3.60),
        ("imx500", (2028, 1520), 3.24),
        ("ov5647", (1920, 1080), 3.63),
    ],
)
def test_our_mode_and_crop_give_at_least_as_many(model: str, size: tuple[int, int], ours: float) -> None:
    mode = best_mode(MODULES[model], optics(model), SIZE, FRAME_US)
    found = pixels(model, mode, optics(model))
    assert mode.size == size
    assert found == pytest.approx(ours, abs=0.01)
    assert found >= pixels(model, librarys_choice(MODULES[model].modes, SIZE), None) - 0.01
    assert (found < FEW_PIXELS) is (model == "imx708_wide")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("distance_cm", [5.0, 12.5, 25.0, 40.0, 300.0])
@pytest.mark.parametrize("size", [SIZE, (640, 480), (1536, 864), (4608, 2592)])
def test_a_crop_lies_within_its_mode_and_has_the_frames_shape(
    model: str, distance_cm: float, size: tuple[int, int]
) -> None:
    held = optics(model, distance_cm)
    mode = best_mode(MODULES[model], held, size, FRAME_US)
    left, top, width, height = crop_of((8, 16, *mode.crop), mode.binning, held, size)
    assert left >= 8 and left + width <= 8 + mode.crop[0]
    assert top >= 16 and top + height <= 16 + mode.crop[1]
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
    assert width % 2 == height % 2 == 0


def test_near_codes_are_seen_as_wide_as_enough_pixels_allow() -> None:
    near = optics("imx708", 20.0)
    mode = best_mode(MODULES["imx708"], near, SIZE, FRAME_US)
    across = crop_of((0, 0, *mode.crop), mode.binning, near, SIZE)[2]
    assert mode.size == (2304, 1296)
    assert near.module_px(across, SIZE[0], mode.binning) == pytest.approx(ENOUGH_PIXELS, abs=0.01)


def test_a_mode_is_fast_enough_where_there_is_one() -> None:
    assert best_mode(MODULES["imx500"], optics("imx500"), SIZE, FRAME_US).fps > 29.7
    assert best_mode(MODULES["imx708_wide"], optics("imx708_wide"), SIZE, 100_000).size == (4608, 2592)
    assert best_mode(MODULES["imx500"], optics("imx500"), SIZE, 8_000) in MODULES["imx500"].modes


@pytest.mark.parametrize("sheet", ["MOUNTING.md", "MOUNTING.zh.md"])
def test_the_mounting_sheet_tells_the_figures_of_every_module(sheet: str) -> None:
    text = (Path(__file__).parents[2] / "systemd" / sheet).read_text("utf-8")
    rows = dict(re.findall(r"^\| ([A-Z][^|,]+)(?:, 6 mm lens)? \| (\d\.\d \| \d\.\d) \|", text, re.M))
    told = {}
    for model in MODELS:
        ours = pixels(model, best_mode(MODULES[model], optics(model), SIZE, FRAME_US), optics(model))
        librarys = pixels(model, librarys_choice(MODULES[model].modes, SIZE), None)
        told[MODULES[model].name] = f"{ours:.1f} | {librarys:.1f}"
    assert rows == told


def test_a_wide_module_is_readable_nearer_as_the_sheet_says() -> None:
    held = optics("imx708_wide", 15.0)
    mode = best_mode(MODULES["imx708_wide"], held, SIZE, FRAME_US)
    across = crop_of((0, 0, *mode.crop), mode.binning, held, SIZE)[2]
    assert held.module_px(across, SIZE[0], mode.binning) > FEW_PIXELS


def test_a_module_without_infrared_filter_is_the_same_module() -> None:
    assert module_of("imx708_wide_noir") is MODULES["imx708_wide"]
    assert module_of("imx708_noir") is MODULES["imx708"]
    assert module_of("a webcam") is None
