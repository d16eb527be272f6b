"""The synthetic gate: one seed always gives the same pixels, its easy scenes can be read, its negatives say nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from click.testing import CliRunner

from hardware import Picture
from kiosk.commands.scan import scan
from tests.fixtures.pictures import scenes
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
