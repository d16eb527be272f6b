"""``python -m kiosk scan``: one record per picture or burst, whatever the paths lead to."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import segno
from click.testing import CliRunner, Result
from PIL import Image

from hardware.reading.decoder import QrDecoder
from kiosk.commands.scan import folders, line, pictures, scan, scan_burst, scan_picture


def qr(path: Path, text: str = "G1TEXT") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    segno.make(text, micro=False).save(str(path), kind="png", scale=4, border=4)
    return path


def blank(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (80, 80), 120).save(path)
    return path


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(scan, [str(arg) for arg in args])


def records(*args: str | Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in run("--json", *args).stdout.splitlines()]


def test_a_picture_is_one_json_line(tmp_path: Path) -> None:
    path = qr(tmp_path / "a.png", "任何 QR")
    result = run("--json", path)
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert list(record) == ["path", "texts", "ms"]
    assert record["path"] == str(path)
    (text,) = record["texts"]
    assert (text["text"], text["engine"]) == ("任何 QR", "zxing")
    assert 0 <= text["ms"] <= record["ms"]


def test_a_picture_without_a_code_is_no_error(tmp_path: Path) -> None:
    result = run("--json", blank(tmp_path / "a.png"))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["texts"] == []


def test_broken_pictures_are_reported_and_the_others_read(tmp_path: Path) -> None:
    qr(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"no picture at all")
    (tmp_path / "3.jpg").write_bytes(b"")
    (tmp_path / "4.png").write_bytes((tmp_path / "1.png").read_bytes()[:150])
    qr(tmp_path / "5.png", "LAST")
    result = run("--json", tmp_path)
    assert result.exit_code == 1
    rows = [json.loads(row) for row in result.stdout.splitlines()]
    assert [Path(row["path"]).name for row in rows] == ["1.png", "2.png", "3.jpg", "4.png", "5.png"]
    assert [bool(row["texts"]) for row in rows] == [True, False, False, False, True]
    assert ["error" in row for row in rows] == [False, True, True, True, False]
    assert "damaged" in rows[3]["error"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is no such file or folder"),
        (lambda path: path.mkdir(), "there are no pictures in this folder"),
        (lambda path: os.mkfifo(path), "is not a file or folder of pictures"),
        (lambda path: path.symlink_to(path), "there is no such file or folder"),
        (lambda path: path.write_text("hello"), "not a picture"),
    ],
    ids=["missing", "empty folder", "pipe", "link to itself", "text"],
)
def test_a_named_path_that_is_nothing_is_said_so(tmp_path: Path, make: Any, words: str) -> None:
    make(tmp_path / "x")
    for args in ((), ("--burst",)):
        result = run("--json", *args, tmp_path / "x")
        assert result.exit_code == 1
        record = json.loads(result.stdout)
        assert record["texts"] == []
        if not args:
            assert words in record["error"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_said_so(tmp_path: Path) -> None:
    qr(tmp_path / "a.png").chmod(0)
    assert "cannot be read" in records(tmp_path)[0]["error"]


def test_folders_give_their_pictures_sorted_and_skip_the_rest(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/10.jpg", "a/1.png", "top.webp"):
        blank(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("not a picture")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    listed = [str(path.relative_to(tmp_path)) for path in pictures([tmp_path])]
    assert listed == ["top.webp", "a/1.png", "b/10.jpg", "b/2.PNG"]


def test_a_named_file_is_tried_whatever_it_is_called(tmp_path: Path) -> None:
    path = qr(tmp_path / "a.png").rename(tmp_path / "upload.tmp")
    assert records(path)[0]["texts"][0]["text"] == "G1TEXT"


def test_names_and_texts_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    path = qr(tmp_path / "\x1b[31mred.png", "\x1b]0;owned\x07")
    result = run(path)
    assert "\x1b" not in result.stdout
    assert "\\x1b]0;owned\\x07" in result.stdout


def test_a_name_that_is_no_unicode_is_still_a_line_of_json(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path / "x") + b"\xff.png"))
    qr(tmp_path / "a.png").rename(path)
    (record,) = records(tmp_path)
    assert record["path"].endswith("x\ufffd.png")
    assert record["texts"]


def test_lines_for_people_say_what_was_read(tmp_path: Path) -> None:
    result = run(qr(tmp_path / "a.png"), blank(tmp_path / "b.png"), tmp_path / "c.png")
    first, second, third = result.stdout.splitlines()
    assert first.endswith("G1TEXT")
    assert second.endswith("no QR code")
    assert third.endswith("error: there is no such file or folder")


def test_a_burst_is_one_record_with_the_frames_it_took(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        blank(tmp_path / "card" / f"{number}.png")
    qr(tmp_path / "card" / "4.png")
    qr(tmp_path / "card" / "5.png", "LATER")
    blank(tmp_path / "none" / "1.png")
    first, second = records("--burst", tmp_path)
    assert first["path"] == str(tmp_path / "card")
    assert [text["text"] for text in first["texts"]] == ["G1TEXT"]
    assert first["frames"] == 4
    assert (second["texts"], second["frames"]) == ([], None)
    assert list(first) == ["path", "texts", "ms", "frames"]


def test_a_burst_goes_on_over_a_broken_frame_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"?")
    qr(tmp_path / "2.png")
    result = run("--burst", "--json", tmp_path)
    record = json.loads(result.stdout)
    assert record["frames"] == 2
    assert record["texts"]
    assert record["error"].startswith("1.png: not a picture")
    assert result.exit_code == 1


def test_each_folder_with_pictures_is_a_burst_of_its_own(tmp_path: Path) -> None:
    for name in ("b/1.png", "a/x/1.png", "a/1.png"):
        blank(tmp_path / name)
    assert [str(path.relative_to(tmp_path)) for path in folders([tmp_path])] == ["a", "a/x", "b"]


def test_nothing_named_is_a_usage_error() -> None:
    assert run().exit_code == 2


def test_help_has_examples() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "python -m kiosk scan --json photos/" in result.output


def test_records_are_made_of_the_decoders_findings(tmp_path: Path) -> None:
    record = scan_picture(QrDecoder(), qr(tmp_path / "a.png"))
    assert "G1TEXT" in line(record)
    assert scan_burst(QrDecoder(), tmp_path)["frames"] == 1


def test_a_picture_larger_than_a_phones_is_still_the_users_own(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("1", (5000, 4000), 1).save(file, "PNG")
    (tmp_path / "large.png").write_bytes(file.getvalue())
    assert "error" not in records(tmp_path)[0]


def test_a_process_that_only_knows_the_command_carries_no_decoders() -> None:
    carried = "{'numpy', 'PIL', 'zxingcpp', 'pyzbar'} & set(sys.modules)"
    check = f"import sys, hardware, kiosk.commands.scan; sys.exit(bool({carried}))"
    assert subprocess.run([sys.executable, "-c", check], cwd=Path(__file__).parents[2], check=False).returncode == 0
