"""``python -m kiosk focus``: how sharp a camera sees, while somebody sets its distance or turns its lens.

:class:`Aid` takes the camera's frames and makes figures of them; the terminal and a page
(:mod:`kiosk.commands.focus_page`) show the same ones. Nothing is kept: a picture is gone with the next frame.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import click
import msgspec
import numpy as np
from PIL import Image

from hardware import Camera, CameraSettings, Decoder, Exposure, Found, HardwareError, PartInUse, Picture, Seen
from hardware.exposure import Bracket, brightness
from hardware.modules import FEW_PIXELS
from hardware.opening import open_camera
from hardware.simulated import SimulatedCamera

CENTRE = (480, 360)
"""Width and height of what is measured and shown pixel by pixel; the whole frame where that is smaller."""
SHOWN_WIDTH = 640
LEAST_CONTRAST = 40
"""Between nearly the darkest and nearly the brightest values: less has no edge to focus on."""
STEEPEST = 0.01
"""This share of the pixels, where the picture changes most, is what sharpness is about: a few edges are enough."""
SMOOTHING = 0.3
"""Weight of a new frame in the number: a hand trembles, noise flickers."""
STEADY_FRAMES = 5
"""A best number counts from so many frames on."""
SETTLED_FRAMES = 60
TOLD_FRAMES = 8
SAMPLE = "G1" + "0123456789ABCDEF" * 7 + "FOCUS+FOCU"
"""Before a simulated camera: as long as a pass, and none."""
SIMULATED_OFF_CM = 4.0
STOP_READER = "sudo systemctl stop gate-kiosk-reader"
START_READER = "sudo systemctl start gate-kiosk-reader"
NEAR_BEST = 0.93
WATCHES_FRAMES = 25
"""A watch is a new one so often: it must not take a sheet that stands still for the empty lane."""
DARK, BRIGHT = 40, 215

Advice = Literal["sweeping", "dark", "bright", "nothing", "turn", "closer", "unread", "onward", "good"]


class FocusFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one frame showed. ``sharpness`` and ``best`` are 0..100: the share of the full contrast that lies between
    two neighbouring pixels where the picture is steepest; to be compared for the same sheet at the same place only."""

    frame: int
    sharpness: float
    best: float
    contrast: int
    brightness: int
    code: bool
    engine: str = ""
    module_px: float | None = None
    exposure_us: int | None = None
    gain: float | None = None
    lens_cm: float | None = None
    """Where the lens is set; None: it is turned by hand."""
    advice: Advice = "nothing"
    sweep: int | None = None
    """How much of a search for the distance is done, in percent; None: none is running."""
    found_cm: float | None = None
    """What the last search found."""
    searched: bool = False
    passed: bool = False
    """The best number was left behind once: it was a peak, and not just as far as somebody turned."""


def centre(luma: Picture) -> Picture:
    """The middle of the picture, CENTRE at most."""
    height, width = luma.shape
    top, left = max(0, height - CENTRE[1]) // 2, max(0, width - CENTRE[0]) // 2
    return luma[top : top + CENTRE[1], left : left + CENTRE[0]]


def sharpness(luma: Picture) -> tuple[float, int]:
    """(sharpness 0..100, contrast 0..255) of the picture's centre. Without contrast nothing is sharp: 0.

    Light, amount of print and noise hardly matter: contrast is divided out, only the steepest pixels count, and
    neighbours are averaged first. Blur with a sigma of one pixel makes 100 into about 65, of two 38.
    """
    part = centre(luma).astype(np.float32)
    if min(part.shape) < 4:
        return 0.0, 0
    low, high = np.percentile(part, (2, 98))
    if high - low < LEAST_CONTRAST:
        return 0.0, int(high - low)
    soft = (part[:-1, :-1] + part[1:, :-1] + part[:-1, 1:] + part[1:, 1:]) / 4
    steps = np.maximum(np.abs(np.diff(soft, axis=1))[:-1], np.abs(np.diff(soft, axis=0))[:, :-1]).ravel()
    few = max(1, int(len(steps) * STEEPEST))
    steepest = float(np.partition(steps, -few)[-few:].mean())
    return min(100.0, 200 * steepest / float(high - low)), int(high - low)


def module_px(luma: Picture, corners: tuple[tuple[int, int], ...]) -> float | None:
    """Pixels of one module's side of a symbol with these corners (clockwise); None where that cannot be told.

    The number of modules is counted: row and column 7 of a symbol alternate (ISO/IEC 18004, timing pattern).
    """
    if len(corners) != 4:
        return None
    square = np.array(corners, dtype=np.float64)
    side = float(np.linalg.norm(square - np.roll(square, -1, axis=0), axis=1).mean())
    best = max((_alternation(luma, np.roll(square, turn, axis=0), n), n) for turn in range(4) for n in _sides(side))
    return round(side / best[1], 2) if best[0] > 0 else None


def _sides(side: float) -> Iterator[int]:
    """Modules along the side of versions 1 to 40 that would be a pixel wide at least."""
    yield from (n for n in range(21, 178, 4) if n == 21 or n <= side)


def _alternation(luma: Picture, corners: np.ndarray[tuple[int, ...], np.dtype[np.float64]], n: int) -> float:
    """How well row and column 7 alternate if the side has ``n`` modules; a guess is at about 0."""
    along = (np.arange(8, n - 8) + 0.5) / n
    across = np.full_like(along, 6.5 / n)
    total = 0.0
    for u, v in ((along, across), (across, along)):
        weights = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1)
        x, y = (weights @ corners).T.astype(int)
        values = luma[np.clip(y, 0, luma.shape[0] - 1), np.clip(x, 0, luma.shape[1] - 1)].astype(float)
        dark = values < (values.max() + values.min()) / 2
        total += float((dark == (np.arange(8, n - 8) % 2 == 0)).mean()) - 0.75
    return total * float(np.sqrt(len(along)))


class Sweep:
    """Pure: the sharpness at each place of the lens goes in, the next place comes out, and at the end the best one.

    Places are dioptres (1 / metres), in which the depth of field is about the same everywhere: coarse steps over the
    whole range first, then fine ones around the best.
    """

    COARSE, FINE = 0.5, 0.1
    NEAREST_CM = 8.0
    """Nearer than that nobody holds a card, whatever the lens can."""
    SETTLES = 12
    """Frames until lens and picture have followed."""
    TAKES = 3
    CLEAR = 1.25
    """A peak is one if it is so much sharper than the places usually are."""

    def __init__(self, nearest_cm: float) -> None:
        most = 100 / max(nearest_cm, self.NEAREST_CM)
        self._coarse = [float(place) for place in np.arange(0.5, most + 0.01, self.COARSE)]
        self._plan = list(self._coarse)
        self._most = most
        self._results: dict[float, float] = {}
        self._taken: list[float] = []
        self._frames = 0

    @property
    def distance_cm(self) -> float:
        """Where the lens should be now."""
        return 100 / self._plan[0]

    @property
    def over(self) -> bool:
        return not self._plan

    @property
    def percent(self) -> int:
        fine = 0 if self._fine_begun else 9
        done = len(self._results)
        return round(100 * done / (done + len(self._plan) + fine))

    @property
    def _fine_begun(self) -> bool:
        return len(self._results) + len(self._plan) > len(self._coarse)

    def step(self, sharp: float) -> None:
        """What a frame at this place showed."""
        self._frames += 1
        if self._frames <= self.SETTLES:
            return
        self._taken.append(sharp)
        if len(self._taken) < self.TAKES:
            return
        self._results[self._plan.pop(0)] = float(np.median(self._taken))
        self._taken, self._frames = [], 0
        if not self._plan and not self._fine_begun:
            best = max(self._results, key=self._results.__getitem__)
            around = np.arange(best - 0.4, best + 0.41, self.FINE)
            self._plan = [float(place) for place in around if 0.3 <= place <= self._most and abs(place - best) > 0.01]

    def best_cm(self) -> float | None:
        """The sharpest distance, to half a centimetre; None while it is not over or where no place is clearly best."""
        if not self.over:
            return None
        best = max(self._results, key=self._results.__getitem__)
        usual = float(np.median([self._results[place] for place in self._coarse]))
        if self._results[best] < max(self.CLEAR * usual, 1.0):
            return None
        near = [place for place in self._results if abs(place - best) <= 0.25]
        weights = np.array([self._results[place] for place in near]) ** 4
        return round(2 * 100 / float(np.average(near, weights=weights))) / 2


class Shot(NamedTuple):
    """One frame and what it showed; the picture is ours."""

    figures: FocusFigures
    luma: Picture


class Aid:
    """One camera, looked through frame by frame with :meth:`turn`; everything else may be called by any thread."""

    def __init__(self, camera: Camera, decoder: Decoder, distance_cm: float) -> None:
        self.nearest_cm = camera.nearest_cm
        self.distance_cm = distance_cm
        self.expected_px: float | None = camera.describe().get("module_px")
        """Pixels of a card's module at that distance, by the optics; None: unknown."""
        self._camera = camera
        self._decoder = decoder
        self._watch = decoder.watch()
        self._turns = 0
        self._bracket = Bracket(camera.exposures) if camera.exposures else None
        self._lens_cm = distance_cm if camera.nearest_cm else None
        self._lock = threading.Lock()
        self._shot: Shot | None = None
        self._sweep: Sweep | None = None
        self._found_cm: float | None = None
        self._searched = False
        self._smooth = self._best = 0.0
        self._steady = 0
        self._passed = False

    def turn(self) -> FocusFigures:
        """Look at the next frame. Raises HardwareError when none comes."""
        self._turns += 1
        if self._turns % WATCHES_FRAMES == 0:
            self._watch = self._decoder.watch()
        with self._camera.frame() as frame:
            seen = Seen([]) if self._sweep else self._watch.look(frame.luma, frame.at)  # blurred: only costs time
            luma, exposure, number = frame.luma.copy(), frame.exposure, frame.number
            shown = brightness(luma)
            if self._bracket and exposure:
                self._camera.expose(self._bracket.step(exposure, shown, False, False, frame.at))
        sharp, contrast = sharpness(luma)
        with self._lock:
            self._note(sharp)
            self._search(sharp)
            code = seen.found[0] if seen.found else None
            figures = self._figures(number, contrast, round(shown.mean), code, luma, exposure)
            self._shot = Shot(figures, luma)
        return figures

    def _note(self, sharp: float) -> None:
        self._steady = self._steady + 1 if sharp else 0
        self._smooth = self._smooth + SMOOTHING * (sharp - self._smooth) if self._steady > 1 else sharp
        if self._steady >= STEADY_FRAMES and self._sweep is None:
            self._best = max(self._best, self._smooth)
            self._passed |= self._smooth < NEAR_BEST * self._best

    def _search(self, sharp: float) -> None:
        sweep = self._sweep
        if sweep is None:
            return
        sweep.step(sharp)
        if sweep.over:
            self._found_cm, self._searched, self._sweep = sweep.best_cm(), True, None
            self._best, self._steady, self._passed = 0.0, 0, self._found_cm is not None
        self._focus(sweep.distance_cm if not sweep.over else self._found_cm or self.distance_cm)

    def _focus(self, distance_cm: float) -> None:
        if distance_cm != self._lens_cm:
            self._camera.focus(distance_cm)
            self._lens_cm = distance_cm

    def _figures(
        self, number: int, contrast: int, mean: int, code: Found | None, luma: Picture, exposure: Exposure | None
    ) -> FocusFigures:
        figures = FocusFigures(
            frame=number,
            sharpness=round(self._smooth, 1),
            best=round(self._best, 1),
            contrast=contrast,
            brightness=mean,
            code=code is not None,
            engine=code.engine if code else "",
            module_px=module_px(luma, code.corners) if code else None,
            exposure_us=exposure.us if exposure else None,
            gain=round(exposure.gain, 1) if exposure else None,
            lens_cm=round(self._lens_cm, 1) if self._lens_cm else None,
            sweep=self._sweep.percent if self._sweep else None,
            found_cm=self._found_cm,
            searched=self._searched,
            passed=self._passed,
        )
        return msgspec.structs.replace(figures, advice=advice(figures))

    def search(self) -> bool:
        """Begin to look for the best distance; false where the lens is turned by hand."""
        with self._lock:
            if self.nearest_cm and self._sweep is None:
                self._sweep, self._found_cm, self._searched = Sweep(self.nearest_cm), None, False
            return self._sweep is not None

    def begin_anew(self) -> None:
        """Forget the best number: another sheet, another place."""
        with self._lock:
            self._best, self._steady, self._passed = 0.0, 0, False

    def figures(self) -> FocusFigures | None:
        """Of the newest frame; None before the first."""
        with self._lock:
            return self._shot.figures if self._shot else None

    def jpeg(self, close: bool) -> bytes | None:
        """The newest frame, SHOWN_WIDTH wide, or with ``close`` its centre pixel by pixel; None before the first."""
        with self._lock:
            shot = self._shot
        if shot is None:
            return None
        picture = Image.fromarray(centre(shot.luma) if close else shot.luma)
        if not close and picture.width > SHOWN_WIDTH:
            picture = picture.resize((SHOWN_WIDTH, picture.height * SHOWN_WIDTH // picture.width))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=85)
        return file.getvalue()


def advice(figures: FocusFigures) -> Advice:
    """What to do first."""
    if figures.sweep is not None:
        return "sweeping"
    if figures.sharpness == 0:
        if figures.brightness < DARK:
            return "dark"
        return "bright" if figures.brightness > BRIGHT else "nothing"
    if figures.best and figures.sharpness < NEAR_BEST * figures.best:
        return "turn"
    if not figures.code:
        return "unread"
    if figures.module_px is not None and figures.module_px < FEW_PIXELS:
        return "closer"
    return "good" if figures.passed else "onward"


def in_words(figures: FocusFigures, lane: str) -> str:
    """The figures in one line of a terminal; after a search what it found, and the line to write."""
    if figures.searched:
        return _found(figures, lane)
    bar = "█" * round(figures.sharpness / 5)
    code = f"read by {figures.engine}" if figures.code else "not read"
    module = f", {figures.module_px:.1f} px a module" if figures.module_px else ""
    light = f"{figures.exposure_us} us x {figures.gain:g}" if figures.exposure_us else "by itself"
    lens = f"  lens {figures.lens_cm:g} cm" if figures.lens_cm else ""
    search = f"  searching {figures.sweep} %" if figures.sweep is not None else ""
    return (
        f"sharpness {figures.sharpness:5.1f} (best {figures.best:5.1f}) {bar:20}  code {code}{module}  "
        f"brightness {figures.brightness} ({light}){lens}{search}"
    )


def _found(figures: FocusFigures, lane: str) -> str:
    if figures.found_cm is None:
        return "No distance was clearly the sharpest. Hold the sheet still in the middle, well lit, and search again."
    return (
        f"Sharpest at {figures.found_cm:g} cm. Write into the [[camera]] of lane {lane!r} in kiosk.toml, "
        f"and start the reader again:\ndistance_cm = {figures.found_cm:.1f}"
    )


def as_json(figures: FocusFigures, lane: str) -> str:
    """The figures as one JSON object in one line."""
    return json.dumps({"lane": lane} | msgspec.to_builtins(figures))


@contextmanager
def in_place(terminal: bool) -> Iterator[Callable[[str], None]]:
    """Prints lines: each in the place of the one before on a terminal, else one after the other."""
    if not terminal:
        yield click.echo
        return
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        yield lambda said: live.update(Text(said, no_wrap=True, overflow="ellipsis"), refresh=True)


def open_for_focus(settings: CameraSettings, opened: Callable[[CameraSettings], Camera] = open_camera) -> Camera:
    """The camera; before a simulated one a card is kept, some centimetres from where the lens is set.

    Raises HardwareError; where the gate's own reader has the camera, it says how to stop that.
    """
    try:
        camera = opened(settings)
    except PartInUse as err:
        raise HardwareError(
            f"{err}. If it is this gate's reader: {STOP_READER}, and afterwards {START_READER}"
        ) from err
    if isinstance(camera, SimulatedCamera):
        from kiosk.demo_passes import draw

        camera.keep(np.asarray(Image.open(io.BytesIO(draw(SAMPLE, "q"))).convert("L")))
        camera.held_cm = settings.distance_cm + SIMULATED_OFF_CM
    return camera


def look_once(aid: Aid) -> FocusFigures:
    """The figures when light and number have settled, or when a search is over."""
    for _ in range(SETTLED_FRAMES):
        figures = aid.turn()
    while figures.sweep is not None:
        figures = aid.turn()
    return figures


def look_until(aid: Aid, over: Callable[[], bool], tell: Callable[[FocusFigures], None]) -> None:
    """Look frame by frame, and ``tell`` some times a second, until it is ``over``."""
    while not over():
        figures = aid.turn()
        if figures.frame % TOLD_FRAMES == 0:
            tell(figures)
