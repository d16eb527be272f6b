"""What hostile pictures cost each engine and the whole way, in a process of its own for each: CPU time, memory, crash.

    python tests/fuzz/hostile.py [--minutes 2] [--on zxing zbar photo watch file] [--seed 1] [--worst 5]

``photo`` and ``watch`` are ours whole: a picture as a guard's photo, and as eight frames of a camera, of which the
slowest counts. ``file`` is a damaged or deceitful file on the way of a guard's photo. By hand; it ends with 1 where
anything crashed, raised, or took longer than the reader allows. Name, size and seed draw a picture again:
``SIGHTS[name](np.random.default_rng(seed), size)``, ``FILES[name](np.random.default_rng(seed))``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in kiosk; before numpy

import numpy as np
import zxingcpp
from pyzbar.pyzbar import ZBarSymbol
from pyzbar.pyzbar import decode as zbar_decode
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from hardware import Picture
from hardware.reading.decoder import QrDecoder
from kiosk.reader.caps import FRAME_CAP_S
from kiosk.reader.photos import CPU_S, read
from tests.fixtures.pictures.hostile import FILES, ODD, PHOTO, SIGHTS, VGA, Size

LONGEST_S = 60
FRAMES = 8


class Cost(NamedTuple):
    """Of one look: seconds of CPU, and peak megabytes above what was there. ``end`` is "" where all went well."""

    on: str
    name: str
    size: str
    seed: int
    cpu_s: float
    grew_mb: float
    end: str


def slowest_frame(luma: Picture) -> float:
    watch, longest = QrDecoder().watch(), 0.0
    for number in range(FRAMES):
        began = time.process_time()
        watch.look(luma, number * 0.033)
        longest = max(longest, time.process_time() - began)
    return longest


def zxing(luma: Picture) -> object:
    return zxingcpp.read_barcodes(luma, formats=zxingcpp.BarcodeFormat.QRCode, return_errors=True)


def zbar_at_half(luma: Picture) -> object:
    small = np.ascontiguousarray(luma[::2, ::2])
    return zbar_decode((small.tobytes(), small.shape[1], small.shape[0]), symbols=[ZBarSymbol.QRCODE])


def timed(work: Callable[[Picture], object]) -> Callable[[Picture], float]:
    def timed_work(luma: Picture) -> float:
        began = time.process_time()
        work(luma)
        return time.process_time() - began

    return timed_work


ENGINES: dict[str, Callable[[Picture], float]] = {
    "zxing": timed(zxing),
    "zbar": timed(zbar_at_half),
    "photo": timed(QrDecoder().decode),
    "watch": slowest_frame,
}
CAPS = {"watch": FRAME_CAP_S, "zxing": FRAME_CAP_S, "zbar": FRAME_CAP_S, "photo": CPU_S, "file": CPU_S}


def file_read(raw: bytes) -> float:
    began = time.process_time()
    read(raw)
    return time.process_time() - began


def measured(work: Callable[[], float]) -> tuple[float, float, str]:
    """Seconds that ``work`` says, peak megabytes, and how it ended, of a child that does it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(LONGEST_S)
        os.write(writing, str(work()).encode())
        os._exit(0)
    os.close(writing)
    _, status, usage = os.wait4(child, 0)
    with os.fdopen(reading) as said:
        seconds = float(said.read() or "nan")
    end = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else ""
    return seconds, usage.ru_maxrss / 1024, end or ("raised" if os.WEXITSTATUS(status) else "")


def looks(first_seed: int, on: list[str]) -> Iterator[tuple[str, str, str, int, Callable[[], float]]]:
    """What to do next, for ever: on what, which picture, its size, its seed, and the work itself."""
    for seed in range(first_seed, 10**9):
        for name, size in ((name, size) for size in (VGA, PHOTO, ODD[seed % len(ODD)]) for name in SIGHTS):
            luma = SIGHTS[name](np.random.default_rng(seed), size)
            for engine in ENGINES:
                if engine in on and (engine != "watch" or size != PHOTO):
                    yield engine, name, as_words(size), seed, lambda: ENGINES[engine](luma)  # noqa: B023
        for name, file in FILES.items() if "file" in on else ():
            raw = file(np.random.default_rng(seed))
            yield "file", name, f"{len(raw)} bytes", seed, lambda: file_read(raw)  # noqa: B023


def as_words(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def costs(seconds: float, seed: int, on: list[str]) -> Iterator[Cost]:
    end = time.monotonic() + seconds
    for what, name, size, at, work in looks(seed, on):
        _, base, _ = measured(lambda: 0.0)
        cpu, peak, ended = measured(work)
        ended = ended or ("too long" if cpu > CAPS[what] else "")
        yield Cost(what, name, size, at, cpu, peak - base, ended)
        if time.monotonic() > end:
            return


def worst(found: list[Cost], count: int) -> Table:
    table = Table("on", "worst in", "size", "picture", "seed", "CPU s", "MB", "end")
    groups = {(c.on, {as_words(VGA): 0, as_words(PHOTO): 1}.get(c.size, 2)) for c in found}
    for on, sort in sorted(groups):
        those = [c for c in found if c.on == on and {as_words(VGA): 0, as_words(PHOTO): 1}.get(c.size, 2) == sort]
        for field, many in (("cpu_s", count), ("grew_mb", 1)):
            for c in sorted(those, key=lambda c: -getattr(c, field))[:many]:
                table.add_row(c.on, field, c.size, c.name, str(c.seed), f"{c.cpu_s:.3f}", f"{c.grew_mb:.0f}", c.end)
    return table


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--minutes", type=float, default=2)
    asked.add_argument("--on", nargs="+", choices=list(CAPS), default=list(CAPS))
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--worst", type=int, default=5)
    args = asked.parse_args()
    warnings.simplefilter("ignore")  # Pillow's, about what is wrong with a file
    found = list(costs(args.minutes * 60, args.seed, args.on))
    console = Console(width=120)
    console.print(worst(found, args.worst))
    bad = [c for c in found if c.end]
    console.print(f"{len(found)} looks, {len(bad)} of them bad", *bad, sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
