"""The calibration sheet, drawn, written, photographed and read back with the gates' own decoder."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from hardware import optics
from hardware.reading import decoder
from kiosk.__main__ import main
from kiosk.commands import sheet
from sync.credential import Misread, read_credential
from sync.server.passes import card

GHOSTSCRIPT = Path("/usr/bin/gs")
DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
SIZES = tuple(sheet.size_mm(dots) for dots in sheet.DOTS)
SMALL_ONES_MM = (144, 125, 202, 240)
"""Left, top, right, bottom of the part of the sheet where the small codes are."""


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    try:
        return sheet.draw()[0]
    except sheet.SheetError as err:
        pytest.skip(str(err))


def texts(picture: np.ndarray) -> list[str]:
    return [found.text for found in decoder.QrDecoder().decode(picture)]


def part(drawn: np.ndarray, box_mm: tuple[float, float, float, float]) -> np.ndarray:
    left, top, right, bottom = (round(mm / sheet.DOT_MM) for mm in box_mm)
    return drawn[top:bottom, left:right]


def smallest_at(drawn: np.ndarray, distance_cm: float, difficulty: float) -> float:
    """The smallest size that is read of a photo of the small codes from so far away."""
    held = part(drawn, SMALL_ONES_MM)
    side = (SMALL_ONES_MM[3] - SMALL_ONES_MM[1]) * optics.pixels_per_mm(distance_cm)
    found = [
        text for seed in range(4) for text in texts(optics.photograph(held, seed, difficulty=difficulty, side=side))
    ]
    return sheet.reading(found).smallest_mm or 9.9


# Drawn


def test_the_whole_sheet_is_read_back_with_every_size_and_the_inverted_code(drawn: np.ndarray) -> None:
    assert drawn.shape == (3508, 2480) and drawn.dtype == np.uint8
    assert sheet.reading(texts(drawn)) == sheet.Reading(SIZES, inverted=True)
    assert SIZES[0] == 0.25 and SIZES[-1] == 1.44 and 0.76 in SIZES


def test_no_code_of_the_sheet_is_a_pass_or_starts_like_one(drawn: np.ndarray) -> None:
    found = texts(drawn)
    assert len(found) == len(SIZES) + 1
    for text in found:
        assert not text.startswith("G1")
        assert read_credential(text, {}) == Misread("not_a_pass")


@pytest.mark.parametrize("dots", sheet.DOTS)
def test_a_code_has_modules_of_the_size_it_names_and_four_of_them_around_it(dots: int) -> None:
    code = sheet.code(dots)
    black = np.argwhere(code == 0)
    (top, left), (bottom, right) = black.min(axis=0), black.max(axis=0)
    quiet = 4 * dots
    assert (top, left, bottom, right) == (quiet, quiet, len(code) - quiet - 1, len(code) - quiet - 1)
    assert (bottom - top + 1) / 45 == dots, "version 7, as on a card"
    assert set(np.unique(code)) == {0, 255}
    assert texts(code) == [f"SHEET {dots * 25.4 / 300:.2f} MM Q"]
    assert np.array_equal(code.reshape(53, dots, 53, dots).max(axis=(1, 3)), code[::dots, ::dots])


def test_the_size_of_a_card_on_the_sheet_is_what_the_centre_prints() -> None:
    code = card.draw("G1" + "0" * 120)
    assert code.module_mm(card.CODE_MM) == pytest.approx(sheet.CARD_DOTS * sheet.DOT_MM)
    assert code.size == len(sheet.code(1))


def test_nothing_lies_on_anything_else(drawn: np.ndarray) -> None:
    for dots, (left, top) in sheet._PLACES.items():
        x, y = round(left / sheet.DOT_MM), round(top / sheet.DOT_MM)
        code = sheet.code(dots)
        assert np.array_equal(drawn[y : y + len(code), x : x + len(code)], code), f"{sheet.size_mm(dots)} mm"


def test_the_ruler_is_eighteen_centimetres_long(drawn: np.ndarray) -> None:
    line = np.flatnonzero(drawn[round(273.5 / sheet.DOT_MM)] < 128)
    ticks = line[np.flatnonzero(np.diff(line, prepend=-9) > 2)]
    assert (ticks[-1] - ticks[0]) * sheet.DOT_MM == pytest.approx(180, abs=0.1)
    assert len(ticks) == 18 * 2 + 1, "every half centimetre is as long as this"


def test_the_greys_are_eleven_equal_steps(drawn: np.ndarray) -> None:
    y = round(251 / sheet.DOT_MM)
    steps = [int(drawn[y, round((10 + 17 * (step + 0.5)) / sheet.DOT_MM)]) for step in range(11)]
    assert steps[0] == 0 and steps[-1] == 255 and set(np.diff(steps)) <= {25, 26}


# Written


def test_the_pdf_is_one_page_of_a4_with_the_very_same_dots(drawn: np.ndarray, tmp_path: Path) -> None:
    if not GHOSTSCRIPT.exists():
        pytest.skip("Ghostscript is not installed")
    sheet.save(drawn, tmp_path / "sheet.pdf")
    raw = (tmp_path / "sheet.pdf").read_bytes()
    [box] = re.findall(rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", raw)
    assert [round(float(points) / 72 * 25.4, 1) for points in box] == [210, 297]
    assert b"/PrintScaling /None" in raw
    out = tmp_path / "back.png"
    subprocess.run([str(GHOSTSCRIPT), "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pnggray", "-r300", f"-sOutputFile={out}",
                    str(tmp_path / "sheet.pdf")], check=True)  # fmt: skip
    printed = np.asarray(Image.open(out))
    assert printed.shape == drawn.shape
    assert np.mean(printed != drawn) < 0.02
    assert sheet.reading(texts(printed)) == sheet.Reading(SIZES, inverted=True)


def test_the_png_says_how_large_it_is(drawn: np.ndarray, tmp_path: Path) -> None:
    sheet.save(drawn, tmp_path / "sheet.PNG")
    with Image.open(tmp_path / "sheet.PNG") as back:
        assert back.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert np.array_equal(np.asarray(back), drawn)


# Photographed


def test_the_smallest_code_that_is_read_grows_with_the_distance(drawn: np.ndarray) -> None:
    near, usual, far = (smallest_at(drawn, distance, 0.1) for distance in (16, 25, 40))
    assert near <= usual <= far and near < far
    assert usual <= 0.68, "a card's 0.76 mm with some reserve at 25 cm"
    assert far >= 0.51, "less than two camera pixels a module"


def test_a_camera_out_of_focus_reads_large_codes_only(drawn: np.ndarray) -> None:
    sharp = part(drawn, SMALL_ONES_MM)
    side = (SMALL_ONES_MM[3] - SMALL_ONES_MM[1]) * optics.pixels_per_mm(16)
    photo = Image.fromarray(optics.photograph(sharp, 1, difficulty=0.0, side=side))
    from PIL import ImageFilter

    soft = np.asarray(photo.filter(ImageFilter.GaussianBlur(3.0)))
    in_focus, out_of_focus = sheet.reading(texts(np.asarray(photo))), sheet.reading(texts(soft))
    assert in_focus.reads_cards and in_focus.smallest_mm is not None and in_focus.smallest_mm <= 0.51
    assert out_of_focus.smallest_mm is None or out_of_focus.smallest_mm > in_focus.smallest_mm


def test_a_telephones_photo_of_the_whole_sheet_is_read(drawn: np.ndarray) -> None:
    photo = optics.photograph(drawn, 3, difficulty=0.2, size=(3000, 4000), side=3400)
    read = sheet.reading(texts(photo))
    assert read.reads_cards and read.inverted and read.missed == ()


# What is said of it


@pytest.mark.parametrize(
    ("read", "says"),
    [
        ((), "no code of the sheet was read"),
        (("SHEET 0.76 MM Q INVERTED",), "no code of the sheet was read but the inverted one"),
        (("G1ABC", "SHEET 9.99 MM Q", "SHEET 0.34 MM QX", "sheet 0.34 mm q"), "no code of the sheet was read"),
        (
            ("SHEET 1.02 MM Q", "SHEET 1.44 MM Q"),
            "smallest module read: 1.02 mm (not small enough: cards have 0.76 mm); inverted code: not read; "
            "larger ones not read: 1.19",
        ),
        (
            (*(f"SHEET {size:.2f} MM Q" for size in SIZES if size >= 0.34), "SHEET 0.76 MM Q INVERTED"),
            "smallest module read: 0.34 mm (cards, 0.76 mm, are read); inverted code: read",
        ),
    ],
    ids=["nothing", "inverted", "foreign", "large", "good"],
)
def test_a_reading_in_words(read: tuple[str, ...], says: str) -> None:
    assert sheet.told(sheet.reading(read)) == says


def run(*args: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["sheet", *map(str, args)])
    return done.exit_code, done.output


def test_the_command_writes_the_sheet_and_reads_photos_of_it(drawn: np.ndarray, tmp_path: Path) -> None:
    code, said = run(tmp_path / "sheet.pdf")
    assert code == 0 and "print it at 100 %" in said and (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")
    Image.fromarray(part(drawn, (0, 75, 210, 165))).save(tmp_path / "upper.png")
    Image.fromarray(part(drawn, (0, 165, 210, 242))).save(tmp_path / "lower.png")
    code, said = run("--check", tmp_path / "upper.png")
    assert code == 0 and said.startswith("smallest module read: 0.68 mm") and "larger ones not read: 0.76, 1.02" in said
    code, said = run("--check", tmp_path / "upper.png", tmp_path / "lower.png")
    assert code == 0 and said.startswith("smallest module read: 0.25 mm") and "not read" not in said


def test_a_photo_with_nothing_on_it_or_that_is_none_ends_with_one(tmp_path: Path) -> None:
    Image.new("L", (640, 480), 200).save(tmp_path / "empty.png")
    (tmp_path / "words.jpg").write_text("words")
    assert run("--check", tmp_path / "empty.png") == (1, "no code of the sheet was read\n")
    code, said = run("--check", tmp_path / "words.jpg", tmp_path / "gone.png")
    assert code == 1 and "words.jpg: " in said and "gone.png: " in said


def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    assert run(tmp_path / "sheet.docx") == (1, "Error: The file's name must end in .pdf or .png.\n")
    code, said = run(tmp_path / "none" / "sheet.pdf")
    assert code == 1 and said.startswith("Error: ") and "cannot be written: No such file" in said
    assert run(tmp_path / "a.pdf", tmp_path / "b.pdf")[0] == 2
    (tmp_path / "font.ttf").write_text("words")
    code, said = run(tmp_path / "sheet.pdf", "--font", tmp_path / "font.ttf")
    assert code == 1 and "is no font that can be opened" in said


@pytest.mark.skipif(not DEJAVU.exists(), reason="DejaVu Sans is not installed")
def test_without_chinese_characters_it_is_in_english_and_says_so(drawn: np.ndarray, tmp_path: Path) -> None:
    code, said = run(tmp_path / "sheet.png", "--font", DEJAVU)
    assert code == 0 and "in English only" in said and "fonts-noto-cjk" in said
    english = np.asarray(Image.open(io.BytesIO((tmp_path / "sheet.png").read_bytes())))
    assert sheet.reading(texts(english)) == sheet.Reading(SIZES, inverted=True)
    top = round(75 / sheet.DOT_MM)
    assert np.mean(english[:top] < 128) < np.mean(drawn[:top] < 128), "no boxes in place of characters"
