"""``python -m kiosk scan``: what the reader makes of pictures on disk, one record per picture or burst.

The pictures go through the reader's own loading and decoding. Any QR code counts here, ours or not.
The decoders are imported when there is something to decode: the command is known to every process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hardware import Decoder, Found, Picture

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})
"""What counts as a picture in a folder; a file that is named is tried whatever it is called."""
MOST_BYTES, MOST_PIXELS = 40_000_000, 64_000_000
"""These are the user's own files, not a stranger's upload."""
FRAMES_S = 30
"""Pictures of a burst are taken to be so many a second."""

Record = dict[str, Any]


def pictures(paths: Iterable[Path]) -> Iterator[Path]:
    """The files to scan: named ones as they are, folders by their pictures, sorted, links to folders not followed.

    A folder without any picture is given out itself, so that it is not passed over in silence.
    """
    for path in paths:
        found = False
        for folder in folders([path]) if path.is_dir() else ():
            for picture in _in_folder(folder):
                found = True
                yield picture
        if not found:
            yield path


def folders(paths: Iterable[Path]) -> Iterator[Path]:
    """Each folder, at any depth, that holds pictures itself; a path without one is given out itself."""
    for path in paths:
        holding = False
        for here, below, files in os.walk(path):
            below.sort()
            if any(Path(name).suffix.lower() in SUFFIXES for name in files):
                holding = True
                yield Path(here)
        if not holding:
            yield path


def _in_folder(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    except OSError:
        return []


def scan_picture(decoder: Decoder, path: Path) -> Record:
    """``{"path", "texts": [{"text", "engine", "ms"}], "ms"}``, and "error" in the user's words when it is no picture.

    "ms" of a text is the decoding, of the record loading and decoding, both in wall-clock milliseconds.
    """
    started = time.perf_counter()
    texts, error = _look(decoder.decode, path)
    return _record(path, texts, started, error)


def scan_burst(decoder: Decoder, folder: Path) -> Record:
    """As :func:`scan_picture` for the successive frames of one presentation, the files of ``folder`` by name.

    It ends with the first frame that shows a code; "frames" says how many that took, null: none did.
    Frames that are no pictures are named in "error"; the others are still looked at.
    """
    started = time.perf_counter()
    broken = []
    watch = decoder.watch()
    for number, path in enumerate(frames := _in_folder(folder), start=1):

        def read(luma: Picture, at: float = number / FRAMES_S) -> list[Found]:
            return watch.look(luma, at).found

        texts, error = _look(read, path)
        if error:
            broken.append(f"{path.name}: {error}")
        if texts:
            return _record(folder, texts, started, "; ".join(broken), frames=number)
    if not frames:
        broken = [_why_empty(folder)]
    return _record(folder, [], started, "; ".join(broken), frames=None)


def _look(read: Callable[[Picture], list[Found]], path: Path) -> tuple[list[Record], str]:
    """The texts of one picture and, when it could not be looked at, why."""
    from kiosk.reader.pictures import PictureError, PictureLimits, load_picture

    try:
        if not path.is_file():
            return [], _why_empty(path)
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        picture = load_picture(raw, PictureLimits(MOST_BYTES, MOST_PIXELS))
    except OSError as err:
        return [], f"cannot be read: {err.strerror}"
    except PictureError as err:
        return [], str(err)
    started = time.perf_counter()
    found = read(picture)
    return _texts(found, _ms_since(started)), ""


def _why_empty(path: Path) -> str:
    if path.is_dir():
        return "cannot be opened" if not os.access(path, os.R_OK | os.X_OK) else "there are no pictures in this folder"
    return "is not a file or folder of pictures" if path.exists() else "there is no such file or folder"


def _texts(found: Sequence[Found], ms: float) -> list[Record]:
    return [{"text": code.text, "engine": code.engine, "ms": ms} for code in found]


def _record(path: Path, texts: list[Record], started: float, error: str = "", **more: Any) -> Record:
    record: Record = {"path": _printable_path(path), "texts": texts, "ms": _ms_since(started), **more}
    return {**record, "error": error} if error else record


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)


def _printable_path(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def line(record: Record) -> str:
    """A record for people. Nothing a code says reaches the terminal as a control character."""
    texts = "  ".join(_visible(text["text"]) for text in record["texts"])
    frames = f" frame {record['frames']}" if record.get("frames") else ""
    what = texts or ("" if "error" in record else "no QR code")
    error = f"error: {record['error']}" if "error" in record else ""
    return f"{_visible(record['path'])}  [{record['ms']:.0f} ms{frames}]  {'  '.join(filter(None, (what, error)))}"


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def scan_all(paths: Sequence[Path], one: Callable[[Path], Record], quiet: bool) -> Iterator[Record]:
    """The records in order, with a progress bar on stderr unless ``quiet``."""
    from rich.console import Console
    from rich.progress import Progress

    # Rich may take over stdout only where both are the same terminal: else the records would end up in stderr.
    with Progress(
        console=Console(stderr=True), transient=True, disable=quiet, redirect_stdout=sys.stdout.isatty()
    ) as progress:
        for path in progress.track(paths, description="scanning"):
            yield one(path)


@click.command(
    epilog="""\b
Examples:
  python -m kiosk scan photo.jpg
  python -m kiosk scan --json photos/ more.png > found.jsonl
  python -m kiosk scan --burst --json bursts/
"""
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, for scripts.")
@click.option("--burst", is_flag=True, help="Each folder is the successive frames of one presentation, sorted by name.")
def scan(paths: tuple[Path, ...], as_json: bool, burst: bool) -> None:
    """Read the QR codes of pictures, or of all pictures in folders, the way the gate's reader does.

    Exit code 0: every picture could be looked at, with or without a code in it. 1: some could not;
    each of these says why, and the others were still read.
    """
    from hardware.reading.decoder import QrDecoder

    todo = list(folders(paths) if burst else pictures(paths))
    decoder = QrDecoder()

    def one(path: Path) -> Record:
        return scan_burst(decoder, path) if burst else scan_picture(decoder, path)

    failed = False
    for record in scan_all(todo, one, quiet=not sys.stderr.isatty()):
        failed |= "error" in record
        click.echo(json.dumps(record, ensure_ascii=False) if as_json else line(record))
    sys.exit(1 if failed else 0)
