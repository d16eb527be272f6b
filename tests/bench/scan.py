"""Side by side on the same pictures, one after the other: zbar alone, zxing-cpp alone, ours.

    python tests/bench/scan.py [FOLDER] [--bursts N] [--stills N] [--negatives N] [--seed S] [--only ours,zxing]

FOLDER holds pictures and truth.jsonl, lines of {"file", "text"} or {"file", "texts"}; an empty text is a picture
without a code. A picture's category is its file's name before the last "-". Then come the synthetic gate, stills and
negatives of ``tests/fixtures/pictures/scenes.py``, empty frames and easy ones; 0 leaves a part out. It asserts
nothing.

Times are CPU milliseconds of the whole process (wall-clock ones are in --json FILE). Ours reads a photo by
``QrDecoder().decode`` and a burst by a fresh ``QrDecoder().watch()``. A text is wrong if it is none of those in view.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in kiosk; before numpy

import numpy as np
import zxingcpp
from pyzbar.pyzbar import ZBarSymbol
from pyzbar.pyzbar import decode as zbar_decode
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from hardware import Picture
from hardware.reading.decoder import QrDecoder
from kiosk.reader.pictures import load_picture
from tests.fixtures.pictures import scenes

PHOTOS = Path(__file__).parents[3] / "shared" / "photos"
EARLY = 8
"""Frames within which a presentation should be read: a quarter of a second."""
FRAMES_S = 30
SETTLING = 3 * FRAMES_S
"""Frames in which a watch may get used to a lane; an empty one stays so for hours."""
_QR: Any = getattr(zxingcpp.BarcodeFormat, "QRCodeModel2", zxingcpp.BarcodeFormat.QRCode)

Read = Callable[[Picture], list[str]]
Look = Callable[[Picture, float], list[str]]


class Engine(NamedTuple):
    """How one engine reads a photo, and how it begins to look at the frames of one camera."""

    photo: Read
    watch: Callable[[], Look]


def zbar(luma: Picture) -> list[str]:
    height, width = luma.shape
    codes = zbar_decode((luma.tobytes(), width, height), symbols=[ZBarSymbol.QRCODE])
    return [code.data.decode("utf-8", "replace") for code in codes]


def zxing(luma: Picture) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(luma, formats=_QR, text_mode=zxingcpp.TextMode.Plain)]


def ours(luma: Picture) -> list[str]:
    return [code.text for code in QrDecoder().decode(luma)]


def our_watch() -> Look:
    watch = QrDecoder().watch()
    return lambda luma, at: [code.text for code in watch.look(luma, at).found]


def frame_by_frame(read: Read) -> Callable[[], Look]:
    return lambda: lambda luma, at: read(luma)


ENGINES = {
    "zbar": Engine(zbar, frame_by_frame(zbar)),
    "zxing": Engine(zxing, frame_by_frame(zxing)),
    "ours": Engine(ours, our_watch),
}


class Timed(NamedTuple):
    texts: list[str]
    cpu_ms: float
    wall_ms: float


@dataclass
class Tally:
    """What one engine made of one category: codes or presentations read (``early``: within 8 frames), and its times."""

    of: int = 0
    read: int = 0
    early: int = 0
    wrong: list[str] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def ran(self, run: Timed, truth: Iterable[str]) -> None:
        """Count one picture's time, and what it read that is not there."""
        self.cpu_ms.append(run.cpu_ms)
        self.wall_ms.append(run.wall_ms)
        self.wrong += sorted(set(run.texts) - set(truth))

    def share(self, early: bool = False) -> float:
        return 100 * (self.early if early else self.read) / max(1, self.of)

    def as_json(self) -> dict[str, Any]:
        return {"of": self.of, "read": self.read, "within_8_frames": self.early, "wrong": self.wrong,
                "cpu_ms": spread(self.cpu_ms), "wall_ms": spread(self.wall_ms)}  # fmt: skip


Part = dict[str, dict[str, Tally]]
"""Category -> engine -> tally."""


def spread(ms: list[float]) -> dict[str, float]:
    if not ms:
        return {}
    median, p95, p99 = percentiles(ms)
    named = {"mean": float(np.mean(ms)), "median": median, "p95": p95, "p99": p99, "most": max(ms)}
    return {name: round(value, 3) for name, value in named.items()}


def percentiles(ms: list[float]) -> tuple[float, float, float]:
    median, p95, p99 = np.percentile(ms, (50, 95, 99))
    return float(median), float(p95), float(p99)


def timed(look: Callable[[], list[str]]) -> Timed:
    cpu, wall = time.process_time(), time.perf_counter()
    texts = look()
    return Timed(texts, (time.process_time() - cpu) * 1000, (time.perf_counter() - wall) * 1000)


class Bench:
    """The runs of the chosen engines, picture by picture, each beginning in turn."""

    def __init__(self, chosen: Sequence[str]) -> None:
        self.chosen = list(chosen)
        self.parts: dict[str, Part] = {}

    def tallies(self, part: str, category: str) -> dict[str, Tally]:
        return self.parts.setdefault(part, {}).setdefault(category, {name: Tally() for name in self.chosen})

    def photo(self, part: str, category: str, luma: Picture, truth: Sequence[str]) -> None:
        tallies = self.tallies(part, category)
        for name, tally in self._in_turn(tallies):
            run = timed(partial(ENGINES[name].photo, luma))
            tally.ran(run, truth)
            tally.of += len(truth)
            tally.read += sum(text in run.texts for text in truth)

    def burst(self, part: str, category: str, frames: Iterable[Picture], texts: Sequence[str], wanted: Sequence[str],
              skip: int = 0) -> None:  # fmt: skip
        """All frames of a presentation through one watch each; the first ``skip`` only to get used to the place."""
        tallies = self.tallies(part, category)
        looks = {name: ENGINES[name].watch() for name in tallies}
        first: dict[str, int] = {}
        for number, frame in enumerate(frames):
            for name, tally in self._in_turn(tallies):
                run = timed(partial(looks[name], frame, number / FRAMES_S))
                if number >= skip:
                    tally.ran(run, texts)
                if set(run.texts) & set(wanted):
                    first.setdefault(name, number)
        for name, tally in tallies.items():
            tally.of += 1
            tally.read += name in first
            tally.early += first.get(name, EARLY) < EARLY

    def _in_turn(self, tallies: dict[str, Tally]) -> list[tuple[str, Tally]]:
        """The engines, another one first each time: the first one pays for a cold cache."""
        self.chosen = self.chosen[1:] + self.chosen[:1]
        return [(name, tallies[name]) for name in self.chosen]

    def total(self, part: str, engine: str) -> Tally:
        whole = Tally()
        for tallies in self.parts.get(part, {}).values():
            whole.add(tallies[engine])
        return whole

    def mean_share(self, part: str, engine: str) -> float:
        """Per cent read, every category weighing the same; of presentations within 8 frames."""
        return float(np.mean([row[engine].share(early=part == "gate") for row in self.parts[part].values()]))

    def as_json(self) -> dict[str, Any]:
        return {
            part: {
                category: {name: tally.as_json() for name, tally in tallies.items()}
                for category, tallies in self.with_total(part).items()
            }
            for part in self.parts
        }

    def with_total(self, part: str) -> Part:
        """The categories of a part and "all"."""
        return self.parts[part] | {"all": {name: self.total(part, name) for name in self.chosen}}


def photos(bench: Bench, folder: Path) -> None:
    rows = [json.loads(row) for row in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in track(rows, "photos", console=STDERR, transient=True):
        truth = row.get("texts") or [text for text in [row["text"]] if text]
        luma = load_picture((folder / row["file"]).read_bytes())
        part = "photos" if truth else "photos without a code"
        bench.photo(part, Path(row["file"]).stem.rpartition("-")[0], luma, truth)


def gate(bench: Bench, seed: int, count: int) -> None:
    for scene in track(scenes.bursts(seed, count), "gate", count, console=STDERR, transient=True):
        bench.burst("gate", scene.category, scene.frames, scene.texts, scene.wanted)


def stills(bench: Bench, seed: int, count: int) -> None:
    for photo in track(scenes.stills(seed, count), "stills", count, console=STDERR, transient=True):
        bench.photo("stills", photo.category, photo.picture, photo.texts)


def negatives(bench: Bench, seed: int, count: int) -> None:
    for scene in track(scenes.negatives(seed, count), "negatives", count, console=STDERR, transient=True):
        bench.burst("negatives", scene.category, scene.frames, (), ())


def empty(bench: Bench, seed: int, frames: int = 300, skip: int = SETTLING) -> None:
    """Frames of a running camera with nobody before it; what it takes to get used to the lane is told apart."""
    for name in track(scenes.LIGHT_LEVELS, "empty frames", console=STDERR, transient=True):
        bench.burst("empty", name, scenes.empty_lane(seed, name, frames), (), (), skip)
    bench.burst("settling", "day", scenes.empty_lane(seed, "day", skip), (), ())
    walk = scenes.empty_lane(seed, "day", 220, walker=True)
    bench.burst("passing", "someone walks by", walk, (), (), skip)


def easy(bench: Bench, seed: int, count: int = 12) -> None:
    """Frames with a code that everybody can read."""
    for number in track(range(count), "easy frames", console=STDERR, transient=True):
        scene = scenes.burst("nominal", 0.2 * number / count, np.random.default_rng([seed, number, 3]))
        bench.burst("easy", "nominal", scene.frames, scene.texts, scene.wanted)


def ms(values: list[float]) -> str:
    return " / ".join(f"{value:.1f}" if value < 100 else f"{value:.0f}" for value in percentiles(values))


def _table(bench: Bench, part: str, title: str, heading: str, figure: Callable[[Tally], str]) -> Table:
    """A row for each category and one for all: of each engine a figure, its wrong texts if any, and its times."""
    chosen = [name for name in ENGINES if name in bench.chosen]
    columns = [column for name in chosen for column in (f"{name} {heading}", "ms 50/95/99 %")]
    table = Table("category", "of", *columns, title=title, title_justify="left")
    if figure in (_read, _within):
        means = (f"{name} {bench.mean_share(part, name):.1f}" for name in chosen)
        table.caption = "mean of the categories, %: " + ", ".join(means)
    rows = bench.with_total(part)
    for category, row in rows.items():
        cells = [cell for name in chosen for cell in (figure(row[name]), ms(row[name].cpu_ms))]
        first = row[chosen[0]]
        table.add_row(category, str(first.of or len(first.cpu_ms)), *cells, end_section=category == list(rows)[-2])
    return table


def _read(tally: Tally) -> str:
    return f"{tally.share():.1f}" + _wrong(tally)


def _within(tally: Tally) -> str:
    return f"{tally.share(early=True):.0f} | {tally.share():.0f}" + _wrong(tally)


def _wrong(tally: Tally) -> str:
    return f" [red]{len(tally.wrong)} wrong[/red]" if tally.wrong else ""


def _false(tally: Tally) -> str:
    return str(len(tally.wrong))


def _mean(tally: Tally) -> str:
    return f"{np.mean(tally.cpu_ms):.2f}"


class Aim(NamedTuple):
    """What issue 4 asks for, what came out (None: not measured), and whether that is enough."""

    what: str
    figure: float | None
    met: Callable[[float], bool]


def aims(bench: Bench) -> Iterator[Aim]:
    """Issue 4's aims. Times are of single frames; photos may take their time."""

    def of(figure: Callable[[Tally], float], *parts: str, engine: str = "ours") -> float | None:
        whole = Tally()
        for part in parts:
            if engine in bench.chosen:
                whole.add(bench.total(part, engine))
        return figure(whole) if whole.cpu_ms else None

    def early(tally: Tally) -> float:
        return tally.share(early=True)

    def median(tally: Tally) -> float:
        return percentiles(tally.cpu_ms)[0]

    def p99(tally: Tally) -> float:
        return percentiles(tally.cpu_ms)[2]

    def wrong(tally: Tally) -> float:
        return len(tally.wrong)

    everything = ("easy", "gate", "negatives", "settling", "empty", "passing")
    nothing_there = ("photos without a code", "negatives", "settling", "empty", "passing")
    yield Aim(
        "empty frame, settled, ms mean: at most 3", of(lambda t: float(np.mean(t.cpu_ms)), "empty"), lambda x: x <= 3
    )
    yield Aim("easy frame with a code, ms median: at most 5", of(median, "easy"), lambda x: x <= 5)
    yield Aim("easy and harsh frames, ms median: at most 5", of(median, "easy", "gate"), lambda x: x <= 5)
    yield Aim("easy frame with a code, ms p99: at most 33", of(p99, "easy"), lambda x: x <= 33)
    yield Aim("any frame at all, ms p99: at most 33", of(p99, *everything), lambda x: x <= 33)
    yield Aim("shared photos, % of codes read: at least 97", of(Tally.share, "photos"), lambda x: x >= 97)
    zxing_alone = of(early, "gate", engine="zxing")
    yield Aim("gate, zxing-cpp alone, % within 8 frames: 50 to 60", zxing_alone, lambda x: 50 <= x <= 60)
    yield Aim("gate, ours, % within 8 frames: at least 80", of(early, "gate"), lambda x: x >= 80)
    yield Aim("false decodes where there is no code: 0", of(wrong, *nothing_there), lambda x: x == 0)
    yield Aim("wrong texts: 0", of(wrong, "photos", "gate", "stills", "easy"), lambda x: x == 0)


def aims_table(bench: Bench) -> Table:
    table = Table("aim of issue 4", "measured", "", title="Aims", title_justify="left")
    for aim in aims(bench):
        verdict = "not measured" if aim.figure is None else "[green]met" if aim.met(aim.figure) else "[red]missed"
        table.add_row(aim.what, "" if aim.figure is None else f"{aim.figure:.4g}", verdict)
    return table


TABLES: dict[str, tuple[str, str, Callable[[Tally], str]]] = {
    "photos": ("Photos: share of the codes read, CPU ms", "%", _read),
    "photos without a code": ("Photos without a code: false decodes, CPU ms", "false", _false),
    "gate": ("Synthetic gate: presentations read, CPU ms a frame", "in 8 | all, %", _within),
    "stills": ("Synthetic stills: share of the codes read, CPU ms", "%", _read),
    "negatives": ("Synthetic negatives: false decodes, CPU ms a frame", "false", _false),
    "settling": ("Nobody there, the first 3 seconds of a watch: CPU ms a frame", "mean", _mean),
    "empty": ("Nobody there, from 3 to 10 seconds: CPU ms a frame", "mean", _mean),
    "passing": ("Nothing held up, but something moves: CPU ms a frame", "mean", _mean),
    "easy": ("A code that is easily read: CPU ms a frame", "mean", _mean),
}
"""Of each part: title, heading of an engine's figure, the figure."""
STDERR = Console(stderr=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=PHOTOS, help="pictures with truth.jsonl")
    parser.add_argument("--no-photos", action="store_true")
    parser.add_argument("--bursts", type=int, default=scenes.DEFAULT_BURSTS, metavar="N")
    parser.add_argument("--stills", type=int, default=scenes.DEFAULT_STILLS, metavar="N")
    parser.add_argument("--negatives", type=int, default=scenes.DEFAULT_NEGATIVES, metavar="N")
    parser.add_argument("--no-empty", action="store_true", help="leave out the empty and the easy frames")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(ENGINES), help="engines, with commas: " + ", ".join(ENGINES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    asked = parser.parse_args()
    chosen = asked.only.split(",")
    if unknown := [name for name in chosen if name not in ENGINES]:
        parser.error(f"there is no engine {', '.join(unknown)}: there are {', '.join(ENGINES)}")
    if not asked.no_photos and not (asked.folder / "truth.jsonl").is_file():
        parser.error(f"{asked.folder} has no truth.jsonl; --no-photos leaves the photos out")
    bench = Bench(chosen)
    _run(bench, asked)
    console = Console() if sys.stdout.isatty() else Console(width=150)
    for part in TABLES:
        if part in bench.parts:
            console.print(_table(bench, part, *TABLES[part]), "")
    console.print(aims_table(bench))
    if asked.json:
        asked.json.write_text(json.dumps(bench.as_json(), ensure_ascii=False, indent=1), encoding="utf-8")


def _run(bench: Bench, asked: argparse.Namespace) -> None:
    if not asked.no_photos:
        photos(bench, asked.folder)
    if asked.bursts:
        gate(bench, asked.seed, asked.bursts)
    if asked.stills:
        stills(bench, asked.seed, asked.stills)
    if asked.negatives:
        negatives(bench, asked.seed, asked.negatives)
    if not asked.no_empty:
        empty(bench, asked.seed)
        easy(bench, asked.seed)


if __name__ == "__main__":
    main()
