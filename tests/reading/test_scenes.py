"""The synthetic gate: one seed always gives the same pixels, its easy scenes can be read, its negatives say nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from click.testing import CliRunner

from hardware import Picture
from hardware.luma import stretched
from hardware.reading.decoder import QrDecoder
from kiosk.commands.scan import scan
from tests.fixtures.pictures import scenes
from tests.fixtures.pictures.scene_camera import Mains
from tests.fixtures.pictures.scenes import (
    CATEGORIES,
    NEGATIVES,
    STILLS,
    bursts,
    negatives,
    stills,
    write_bursts,
    write_stills,
)


def zxing(luma: Picture) -> set[str]:
    return {code.text for code in zxingcpp.read_barcodes(luma, formats=zxingcpp.BarcodeFormat.QRCode)}


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others() -> None:
    (first,), (again,), (other,) = (list(bursts(seed, 1)) for seed in (7, 7, 8))
    assert first.texts == again.texts != other.texts
    assert all((a == b).all() for a, b in zip(first.frames, again.frames, strict=True))
    assert (first.frames[0] != other.frames[0]).any()


def test_a_scene_does_not_depend_on_how_many_were_asked_for() -> None:
    assert (next(stills(7, 1)).picture == next(stills(7, 50)).picture).all()


def test_frames_are_what_a_camera_gives() -> None:
    (scene,) = bursts(7, 1)
    assert 8 <= len(scene.frames) <= 16
    assert all(frame.shape == (720, 1280) and frame.dtype == np.uint8 for frame in scene.frames)
    assert set(scene.wanted) <= set(scene.texts)


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_of_the_gate_can_be_set_at_both_ends(category: str) -> None:
    for severity in (0.0, 1.0):
        stage = scenes.set_stage(category, severity, np.random.default_rng([7, 5]))
        (frame,) = scenes.filmed(stage, 1)
        assert frame.shape == (720, 1280)
        assert stage.wanted


def test_lamps_on_the_mains_make_bands_that_stand_still_where_a_frame_takes_whole_swings() -> None:
    def bands(frame_s: float, exposure_s: float = 0.003) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        mains = Mains(0.6)
        frames = scenes.empty_lane(7, "day", 2, mains=mains, exposure_s=exposure_s, frame_s=frame_s)
        return np.array([frame.mean(axis=1) for frame in frames])

    still, walking, calm = bands(0.030), bands(1 / 30), bands(1 / 30, 0.010)
    assert np.abs(still[1] - still[0]).max() < 2
    assert np.abs(walking[1] - walking[0]).max() > 30
    assert np.abs(calm[1] - calm[0]).max() < 2


def test_a_screen_shines_by_itself_and_a_card_does_not() -> None:
    def change(phone: bool) -> float:
        """Of the middle of the code, in the darkest moment of the lamps."""
        stage = scenes.set_stage("nominal", 0.0, np.random.default_rng(7), phone=phone)
        scenes.prepare(stage)
        held = [(stage.sheet, stage.hand)]
        stage.camera.optics.readout_s, stage.camera.optics.exposure_s = 1e-6, 1e-6
        lit = stage.camera.frame(held, 0.0, np.random.default_rng(1))
        stage.camera.mains = Mains(0.9, phase=np.pi)
        dark = stage.camera.frame(held, 0.0, np.random.default_rng(1))
        x, y, depth = stage.hand.place
        across, down = (round(half + way / depth * stage.camera.optics.focal) for half, way in ((640, x), (360, y)))
        middle = np.s_[down - 20 : down + 20, across - 20 : across + 20]
        return float(dark[middle].mean() / lit[middle].mean())

    assert change(phone=True) > 0.9
    assert change(phone=False) < 0.7


def test_a_camera_of_limited_range_shows_no_more_than_16_to_235() -> None:
    stage = scenes.set_stage("bright phone", 1.0, np.random.default_rng(7))
    stage.camera.sensor.limited = True
    (frame,) = scenes.filmed(stage, 1)
    assert 16 <= frame.min() < 30
    assert frame.max() == 235


@pytest.mark.slow
@pytest.mark.parametrize("given", [lambda luma: luma, stretched], ids=["as given", "stretched"])
@pytest.mark.parametrize("category", ["nominal", "bright phone", "glare", "low light", "backlight"])
def test_a_mild_scene_is_read_in_limited_range_as_well(category: str, given: Callable[[Picture], Picture]) -> None:
    stage = scenes.set_stage(category, 0.0, np.random.default_rng([7, 1]))
    stage.camera.sensor.limited = True
    watch = QrDecoder().watch()
    frames = enumerate(scenes.filmed(stage, 8))
    read = {code.text for at, luma in frames for code in watch.look(given(luma), at / 30).found}
    assert set(stage.wanted) <= read


@pytest.mark.parametrize("category", STILLS)
def test_every_category_of_the_stills_yields_a_photo(category: str) -> None:
    photo = scenes.still(category, 0.5, np.random.default_rng(7))
    assert photo.picture.shape == (720, 1280)
    assert all(photo.texts)


def test_easy_bursts_are_read_by_zxing_in_every_frame() -> None:
    for number in range(3):
        scene = scenes.burst("nominal", 0.0, np.random.default_rng([7, number]))
        assert all(zxing(frame) == set(scene.texts) for frame in scene.frames[:4])


def test_nothing_is_read_where_there_is_no_code() -> None:
    seen = set()
    for scene in negatives(7, len(NEGATIVES)):
        seen.add(scene.category)
        assert not any(zxing(frame) for frame in scene.frames[:2])
        assert scene.texts == ()
    assert seen == set(NEGATIVES)


def test_what_is_written_can_be_scanned_by_anyone(tmp_path: Path) -> None:
    easy = [scenes.burst("nominal", 0.0, np.random.default_rng([7, number])) for number in range(2)]
    assert write_bursts(tmp_path / "bursts", iter(easy)) == 2
    assert write_stills(tmp_path / "stills", stills(7, 1)) == 1
    rows = [json.loads(row) for row in (tmp_path / "bursts" / "truth.jsonl").read_text().splitlines()]
    result = CliRunner().invoke(scan, ["--burst", "--json", str(tmp_path / "bursts")])
    records = [json.loads(row) for row in result.stdout.splitlines()]
    assert [Path(record["path"]).name for record in records] == [row["path"] for row in rows]
    assert [[text["text"] for text in record["texts"]] for record in records] == [row["texts"] for row in rows]
