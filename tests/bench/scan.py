"""Side by side on real photos: zbar alone, zxing-cpp alone, ours on one frame, ours on one photo.

    python tests/bench/scan.py [FOLDER] [--bursts N]

FOLDER holds pictures and truth.jsonl, lines of {"file", "text"}; an empty text is a picture without a
code. ``--bursts`` adds simulated presentations of 8 frames each, by difficulty. By hand; nothing is asserted.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import segno
import zxingcpp
from PIL import Image
from pyzbar.pyzbar import ZBarSymbol
from pyzbar.pyzbar import decode as zbar_decode
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from hardware import Picture
from hardware.decoder import QrDecoder
from hardware.optics import burst
from kiosk.reader import load_picture

PHOTOS = Path(__file__).parents[3] / "shared" / "photos"
Engine = Callable[[Picture], list[str]]


def zbar(luma: Picture) -> list[str]:
    height, width = luma.shape
    codes = zbar_decode((luma.tobytes(), width, height), symbols=[ZBarSymbol.QRCODE])
    return [code.data.decode("utf-8", "replace") for code in codes]


def zxing(luma: Picture) -> list[str]:
    codes = zxingcpp.read_barcodes(luma, formats=zxingcpp.BarcodeFormat.QRCode, text_mode=zxingcpp.TextMode.Plain)
    return [code.text for code in codes]


def ours_frame(luma: Picture) -> list[str]:
    return [code.text for code in QrDecoder().decode(luma)]


def ours_photo(luma: Picture) -> list[str]:
    return [code.text for code in QrDecoder().decode(luma)]


ENGINES: dict[str, Engine] = {
    "zbar": zbar,
    "zxing-cpp": zxing,
    "ours, a frame": ours_frame,
    "ours, a photo": ours_photo,
}


def timed(engine: Engine, luma: Picture) -> tuple[list[str], float]:
    started = time.process_time()
    texts = engine(luma)
    return texts, (time.process_time() - started) * 1000


def photo_table(folder: Path) -> Table:
    truth = [json.loads(row) for row in (folder / "truth.jsonl").read_text().splitlines()]
    loaded = [(entry["text"], load_picture((folder / entry["file"]).read_bytes())) for entry in truth]
    table = Table("engine", "read", "wrong or false", "CPU ms, code", "CPU ms, none", "worst", title=str(folder))
    for name, engine in ENGINES.items():
        runs = [(text, *timed(engine, luma)) for text, luma in loaded]
        with_code = [ms for text, _, ms in runs if text]
        without = [ms for text, _, ms in runs if not text]
        table.add_row(
            name,
            f"{sum(bool(text) and text in texts for text, texts, _ in runs)} of {len(with_code)}",
            str(sum(bool(set(texts) - {text}) for text, texts, _ in runs)),
            f"{np.mean(with_code):.1f}",
            f"{np.mean(without):.1f}",
            f"{max(with_code + without):.0f}",
        )
    return table


def burst_texts(name: str, frames: list[Picture]) -> set[str]:
    watch = QrDecoder().watch()
    if name == "ours, a frame":
        return {code.text for number, frame in enumerate(frames) for code in watch.look(frame, number / 30).found}
    return {text for frame in frames for text in ENGINES[name](frame)}


def burst_table(count: int) -> Table:
    text = "G1" + "A7B.Z0" * 20
    file = io.BytesIO()
    segno.make(text, error="q", micro=False).save(file, kind="png", scale=6, border=4)
    code = np.asarray(Image.open(file).convert("L"))
    table = Table("difficulty", *(f"{name}: in 8 frames" for name in list(ENGINES)[:3]), title=f"{count} bursts each")
    for difficulty in (0.5, 0.7, 0.85, 1.0, 1.15):
        bursts = [burst(code, seed, difficulty=difficulty) for seed in range(count)]
        row = []
        for name in list(ENGINES)[:3]:
            decoder = QrDecoder()  # one for a whole burst: its engines take turns
            engine = (
                ENGINES[name]
                if name != "ours, a frame"
                else (lambda luma, w=decoder.watch(): [c.text for c in w.look(luma, 0.0).found])
            )
            row.append(f"{sum(any(text in engine(frame) for frame in frames) for frames in bursts)} of {count}")
        table.add_row(str(difficulty), *row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=PHOTOS)
    parser.add_argument("--bursts", type=int, default=0, metavar="N")
    asked = parser.parse_args()
    console = Console()
    if not (asked.folder / "truth.jsonl").is_file():
        parser.error(f"{asked.folder} has no truth.jsonl")
    console.print(photo_table(asked.folder))
    if asked.bursts:
        console.print(burst_table(asked.bursts))


if __name__ == "__main__":
    main()
