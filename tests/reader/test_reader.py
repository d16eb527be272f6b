"""The reader: one presentation per coming into view, whatever cameras, codes, photos and the core do."""

from __future__ import annotations

import io
import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hardware import Camera, CameraSettings, Decoder, Exposure, Found, Frame, HardwareError, Hint, Picture, Seen
from hardware.reading.decoder import QrDecoder
from hardware.simulated import SimulatedCamera
from kiosk.channel import ChannelError, Client, Refused, Server, Verb, listen
from kiosk.reader.eye import GONE_S, LONGEST_TEXT, Eye, Presenter
from kiosk.reader.photos import read
from kiosk.reader.pictures import PHONE, PictureError, load_picture
from kiosk.reader.process import Reader
from kiosk.verbs import (
    ENDING,
    PRESENT,
    READER_STATE,
    SHOW,
    LampState,
    Nothing,
    Photo,
    Presentation,
    PresentationAnswer,
    ReaderState,
    Show,
    Texts,
)
from tests.fixtures.pictures.hostile import slow_jpeg

PASS_A, PASS_B = "G1" + "A" * 120, "G1" + "B" * 120
PHONE_1, PHONE_2 = PASS_A + ".12345678", PASS_A + ".87654321"
POSTER = "https://example.org/poster"
SETTINGS = CameraSettings(lane="in", part="simulated", width=320, height=240)
FRAME_S = 0.033


def found(*texts: str) -> list[Found]:
    return [Found(text, "zxing", ()) for text in texts]


def presented(frames: Sequence[Sequence[str]], step_s: float = FRAME_S) -> list[tuple[int, str]]:
    """(frame number, text) of each presentation."""
    presenter = Presenter("in")
    steps = ((n, presenter.step(found(*texts), n * step_s)) for n, texts in enumerate(frames))
    return [(n, presentation.text) for n, presentation in steps if presentation]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        pytest.param([[PASS_A]] * 200, [(0, PASS_A)], id="held for long is one presentation"),
        pytest.param([[PASS_A], [], [], [PASS_A]], [(0, PASS_A)], id="missed frames do not begin another"),
        pytest.param([[PASS_A], *[[]] * 20, [PASS_A]], [(0, PASS_A)], id="gone for less than the limit"),
        pytest.param([[PASS_A], *[[]] * 22, [PASS_A]], [(0, PASS_A), (23, PASS_A)], id="gone for longer, and back"),
        pytest.param([[PASS_A], [PASS_B]], [(0, PASS_A), (1, PASS_B)], id="another replaces at once"),
        pytest.param([[PASS_A], [PASS_B]] * 9, [(0, PASS_A), (1, PASS_B)], id="two held and read in turns"),
        pytest.param([[PASS_A, PASS_B]] * 9, [(0, PASS_A), (1, PASS_B)], id="two at once, one per frame"),
        pytest.param([[PHONE_1]] * 9 + [[PHONE_2]] * 9, [(0, PHONE_1), (9, PHONE_2)], id="digits that change"),
        pytest.param([[POSTER]] * 9, [(0, POSTER)], id="something else is presented too"),
        pytest.param([[PASS_A, POSTER]] * 9, [(0, PASS_A)], id="ours wins over a poster"),
        pytest.param([[POSTER]] + [[PASS_A, POSTER]] * 9, [(0, POSTER), (1, PASS_A)], id="a pass before a poster"),
        pytest.param([[PASS_A], *[[POSTER]] * 90], [(0, PASS_A)], id="a poster seen behind a pass stays silent"),
        pytest.param([[PASS_A], *[[]] * 23, [POSTER]], [(0, PASS_A), (24, POSTER)], id="a poster after the pass"),
        pytest.param([["x" * 9000]], [(0, "x" * LONGEST_TEXT)], id="texts are cut"),
        pytest.param([[""]], [(0, "")], id="an empty code is a code"),
    ],
)
def test_presentations(frames: list[list[str]], expected: list[tuple[int, str]]) -> None:
    assert presented(frames) == expected


@given(st.lists(st.lists(st.sampled_from([PASS_A, PASS_B, POSTER, ""]), max_size=3), max_size=60))
def test_no_text_is_presented_twice_within_its_time_in_view(frames: list[list[str]]) -> None:
    began: dict[str, int] = {}
    for number, text in presented(frames):
        if text in began:
            unseen = [n for n in range(began[text], number) if text in frames[n]]
            assert (number - unseen[-1]) * FRAME_S >= GONE_S
        assert text in frames[number]
        began[text] = number


@given(st.lists(st.lists(st.sampled_from([PASS_A, PASS_B, POSTER]), max_size=3), max_size=60))
def test_every_pass_that_is_held_long_enough_is_presented(frames: list[list[str]]) -> None:
    texts = {text for _, text in presented([*frames, [PASS_A], [PASS_A, PASS_B], [PASS_A, PASS_B]])}
    assert {PASS_A, PASS_B} <= texts


@given(st.lists(st.lists(st.text(max_size=4), max_size=4), max_size=30))
def test_a_screen_of_changing_codes_is_forgotten_again(frames: list[list[str]]) -> None:
    presenter = Presenter("in")
    for number, texts in enumerate(frames):
        presenter.step(found(*texts), number * 1.0)
        assert len(presenter._seen) <= 4


class Core:
    """An honest stand-in for the core's socket: remembers what it is asked, answers as told."""

    def __init__(self) -> None:
        self.presentations: list[Presentation] = []
        self.states: list[ReaderState] = []
        self.endings: list[Any] = []
        self.gone = False
        self.no = ""
        self.asked = threading.Event()

    def ask(self, verb: Verb[Any, Any], question: Any, timeout: float | None = None) -> Any:
        assert timeout
        if self.gone:
            raise ChannelError("nobody there")
        if self.no:
            raise Refused(self.no)
        if verb is READER_STATE:
            self.states.append(question)
            return LampState()
        if verb is ENDING:
            self.endings.append(question)
            return Nothing()
        self.presentations.append(question)
        self.asked.set()
        return PresentationAnswer(outcome="grant", reason="ok", lane=question.lane, happening=len(self.presentations))

    def texts(self) -> list[str]:
        return [presentation.text for presentation in self.presentations]


class Script:
    """A decoder and its watch that read what they were told to, frame by frame; an exception in the list is raised."""

    def __init__(self, *frames: Sequence[str] | Exception) -> None:
        self.frames = list(frames)

    def decode(self, luma: Picture) -> list[Found]:
        now = self.frames.pop(0)
        if isinstance(now, Exception):
            raise now
        return found(*now)

    def watch(self) -> Script:
        return self

    def look(self, luma: Picture, at: float) -> Seen:
        return Seen(self.decode(luma))


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


class Fast:
    """Time for a simulated camera: as long as its frames last, as short as they take. Yields to the other threads."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds
        threading.Event().wait(0.0002)


class Strip:
    """A camera of grey frames that differ a little, as a sensor's do; each costs 33 ms of ``clock``. ``faults`` are
    raised instead, by frame number."""

    def __init__(self, clock: Clock, faults: dict[int, HardwareError] | None = None) -> None:
        self.clock = clock
        self.faults = faults or {}
        self.number = 0
        self.closed = 0

    @contextmanager
    def frame(self, timeout: float = 2.0) -> Iterator[Frame]:
        self.number += 1
        self.clock.now += FRAME_S
        if self.number in self.faults:
            raise self.faults[self.number]
        yield Frame(np.full((4, 4), 90 + self.number % 2, np.uint8), self.clock.now, self.number)

    exposures = None

    def expose(self, exposure: Exposure) -> None:
        raise AssertionError("not offered")

    nearest_cm = None

    def focus(self, distance_cm: float) -> None:
        raise AssertionError("not offered")

    def describe(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self.closed += 1


def eye_on(decoder: Decoder, core: Core, clock: Clock, open_camera: Callable[[CameraSettings], Camera]) -> Eye:
    return Eye(SETTINGS, decoder, core, open_camera, clock)


def look(decoder: Script, core: Core, before: Callable[[int], None] = lambda n: None) -> Eye:
    clock = Clock()
    camera = Strip(clock)
    eye = eye_on(decoder, core, clock, lambda _: camera)
    for number in range(len(decoder.frames)):
        before(number)
        eye.look(camera)
    return eye


def test_a_presentation_reaches_the_core_with_its_engine_and_time() -> None:
    core = Core()
    look(Script([], [PASS_A], [PASS_A]), core)
    (presentation,) = core.presentations
    assert (presentation.lane, presentation.text, presentation.source) == ("in", PASS_A, "camera")
    assert presentation.engine == "zxing"
    assert presentation.ms >= 0


def test_a_presentation_the_core_did_not_hear_is_made_again_while_the_code_is_held() -> None:
    core = Core()

    def before(number: int) -> None:
        core.gone = number < 3

    look(Script(*[[PASS_A]] * 6), core, before)
    assert core.texts() == [PASS_A]


def test_a_core_that_refuses_is_not_asked_again_for_the_same_showing() -> None:
    core = Core()
    core.no = "unknown_lane"
    eye = look(Script([PASS_A], [PASS_A]), core)
    core.no = ""
    assert eye.state().ok
    assert core.presentations == []


def test_a_decoder_that_raises_costs_one_frame() -> None:
    core = Core()
    look(Script([], RuntimeError("bad picture"), [PASS_A]), core)
    assert core.texts() == [PASS_A]


def test_the_log_has_one_line_per_presentation_and_never_the_credential(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "reader"):
        look(Script([PASS_A], [PASS_A]), Core())
        look(Script(["evil\nlane=out"]), Core())
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("presentation")]
    assert len(lines) == 2
    assert "code=G1 length=122 mark=" in lines[0]
    assert "outcome=grant reason=ok" in lines[0]
    assert "AAA" not in caplog.text
    assert "evil" not in caplog.text


def test_the_state_says_how_the_camera_is() -> None:
    eye = look(Script([], [], []), Core())
    state = eye.state()
    assert (state.lane, state.ok, state.why, state.part, state.frames) == ("in", True, "", "simulated", 3)
    assert state.frame_age_s == 0


class Passing(Script):
    """Looks at one frame in four and passes over the others."""

    def __init__(self, frames: int) -> None:
        self.frames = []
        self.looked = [number % 4 == 0 for number in range(frames)]

    def look(self, luma: Picture, at: float) -> Seen:
        return Seen([], looked=self.looked.pop(0))


def test_the_state_says_how_many_of_the_frames_are_looked_at() -> None:
    clock = Clock()
    eye = eye_on(Passing(3000), Core(), clock, lambda _: Strip(clock))
    assert eye.state().looked == 1
    for _ in range(3000):
        eye.look(Strip(clock))
    assert eye.state().looked == pytest.approx(0.25, abs=0.01)


class Hinting(Script):
    """Sees nothing but the hints it was told, frame by frame."""

    def __init__(self, *hints: Hint | None) -> None:
        self.frames = [[] for _ in hints]
        self.hints = list(hints)

    def look(self, luma: Picture, at: float) -> Seen:
        return Seen([], hint=self.hints.pop(0))


def test_the_core_hears_of_a_hint_when_it_changes_and_not_with_every_frame() -> None:
    clock, core = Clock(), Core()
    camera = Strip(clock)
    told: list[str] = []
    watch = Hinting(None, Hint.CLOSER, Hint.CLOSER, Hint.STILL, Hint.STILL, None, None)
    eye = Eye(SETTINGS, watch, core, lambda _: camera, clock, changed=lambda: told.append(eye.state().hint))
    for _ in range(7):
        eye.look(camera)
    assert told == ["closer", "still", ""]


def test_a_camera_that_broke_hints_at_nothing() -> None:
    clock = Clock()
    camera = Strip(clock)
    eye = eye_on(Hinting(Hint.CLOSER, Hint.CLOSER), Core(), clock, lambda _: camera)
    for _ in range(2):
        eye.look(camera)
    assert eye.state().hint == "closer"
    eye.why = "no camera found"
    assert eye.state().hint == ""


def test_reports_without_a_hint_and_with_words_of_later_are_both_understood() -> None:
    earlier = msgspec.msgpack.encode({"lane": "in", "ok": True})
    told = msgspec.msgpack.decode(earlier, type=ReaderState)
    assert (told.hint, told.looked) == ("", None)
    later = msgspec.msgpack.encode({"lane": "in", "ok": True, "hint": "closer", "pressure": 3})
    assert msgspec.msgpack.decode(later, type=ReaderState).hint == "closer"


def test_a_camera_that_cannot_be_opened_is_told_and_tried_again_until_it_comes() -> None:
    clock, core, opened = Clock(), Core(), threading.Semaphore(0)
    faults = [HardwareError("no camera found"), HardwareError("camera 0 is in use")]
    seen: list[ReaderState] = []

    def open_camera(_: CameraSettings) -> Camera:
        if faults:
            raise faults.pop(0)
        seen.append(eye.state())
        opened.release()
        return SimulatedCamera(SETTINGS)

    def tick() -> float:  # time flies while the reader backs off
        clock.now += 0.5
        return clock.now

    eye = Eye(SETTINGS, Script(*[[]] * 10_000), core, open_camera, tick, lambda seconds: False)
    eye.start()
    assert opened.acquire(timeout=10)
    eye.close()
    assert [(state.ok, state.why) for state in seen] == [(False, "camera 0 is in use")]


def test_a_camera_that_stops_is_closed_and_opened_again() -> None:
    clock, core = Clock(), Core()
    first, second = Strip(clock, {3: HardwareError("no frame for 2 s")}), Strip(clock)
    cameras, reopened = [first, second], threading.Event()

    class Watching(Script):
        def decode(self, luma: Picture) -> list[Found]:
            if second.number:
                reopened.set()
            return []

    def tick() -> float:
        clock.now += 0.2
        return clock.now

    eye = Eye(SETTINGS, Watching(), core, lambda _: cameras.pop(0), tick, lambda seconds: False)
    eye.start()
    assert reopened.wait(10)
    eye.close()
    assert first.closed == 1
    assert second.closed == 1


@pytest.mark.parametrize(
    ("about", "optics", "said"),
    [
        ({"module_px": 3.59, "lens_mm": 4.74}, "", ""),
        ({"module_px": 1.74, "lens_mm": 2.75}, "few", "camera=few_pixels lane=in module_px=1.74 needs=2.5"),
        ({"module_px": None, "lens_mm": None}, "lens", "camera=lens_unknown lane=in"),
        ({"module_px": None, "lens_mm": 4.74}, "", ""),
        ({}, "", ""),
    ],
)
def test_a_camera_that_has_too_few_pixels_says_so_at_the_start(
    about: dict[str, Any], optics: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Described(Strip):
        def describe(self) -> dict[str, Any]:
            return about

    class Watching(Script):
        def decode(self, luma: Picture) -> list[Found]:
            seen.set()
            return []

    clock, seen = Clock(), threading.Event()
    eye = eye_on(Watching(), Core(), clock, lambda _: Described(clock))
    eye.start()
    assert seen.wait(10)
    eye.close()
    assert (eye.state().module_px, eye.state().optics) == (about.get("module_px"), optics)
    assert (said in caplog.text) if said else ("needs=" not in caplog.text)


def test_the_watchdog_age_grows_when_an_opened_camera_gives_nothing_but_not_when_there_is_none() -> None:
    clock = Clock()
    eye = eye_on(Script(), Core(), clock, lambda _: Strip(clock))
    clock.now += 5
    assert eye.alive_age() == 5
    eye._stop.set()  # no waiting in _failed
    eye._failed("no camera found")
    assert eye.alive_age() == 0
    eye._stuck = True
    clock.now += 40
    eye._failed("no frame for 2 s")
    assert eye.alive_age() == 40


def png(text: str, scale: int = 3, **save: object) -> bytes:
    file = io.BytesIO()
    segno.make(text, error="m", micro=False).save(file, kind="png", scale=scale, border=4, **save)
    return file.getvalue()


def encoded(image: Image.Image, kind: str, **save: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


@pytest.fixture
def reader() -> Iterator[tuple[Reader, Core]]:
    core, fast = Core(), Fast()
    cameras = [SETTINGS, CameraSettings(lane="street", part="picamera2")]

    def open_camera(settings: CameraSettings) -> Camera:
        if settings.part != "simulated":
            raise HardwareError("no camera found")
        return SimulatedCamera(settings, fast, fast.wait)

    made = Reader(cameras, QrDecoder(), lambda: core, open_camera, read_photo=read)
    yield made, core
    made.close()


def started(reader: Reader) -> Reader:
    reader.start()
    eye = reader._eyes[0]
    while eye.camera is None:
        threading.Event().wait(0.001)
    return reader


def test_a_shown_picture_goes_the_way_of_a_camera_frame(reader: tuple[Reader, Core]) -> None:
    made, core = reader
    started(made)
    answer = made.show(Show("in", [png(PASS_A)]))
    assert [(shown.outcome, shown.reason) for shown in answer.presented] == [("grant", "ok")]
    assert answer.why == ""
    assert core.texts() == [PASS_A]
    again = made.show(Show("in", [png(PASS_A), png(PASS_B)], 4))
    assert [shown.happening for shown in again.presented] == [2, 3]


def test_showing_nothing_readable_says_so(reader: tuple[Reader, Core]) -> None:
    made, _ = reader
    started(made)
    answer = made.show(Show("in", [encoded(Image.new("L", (50, 50), 200), "PNG")], 2))
    assert answer.presented == []
    assert answer.why


@pytest.mark.parametrize(
    ("question", "code"),
    [
        (Show("street", [b""]), "not_simulated"),
        (Show("nowhere", []), "unknown_lane"),
        (Show("in", [b""] * 3, 500), "too_long"),
        (Show("in", [b""], 0), "too_long"),
    ],
)
def test_a_show_that_cannot_be_is_refused(reader: tuple[Reader, Core], question: Show, code: str) -> None:
    question.pictures = [png(PASS_A) for _ in question.pictures]
    with pytest.raises(Refused, match=code):
        reader[0].show(question)


def test_a_broken_picture_to_show_is_named(reader: tuple[Reader, Core]) -> None:
    assert "not a picture" in started(reader[0]).show(Show("in", [b"GIF99"])).why


def test_the_core_hears_of_every_camera(reader: tuple[Reader, Core]) -> None:
    made, core = reader
    made.report()
    assert [(state.lane, state.ok) for state in core.states] == [("in", False), ("street", False)]
    assert made.frame_age() >= 0


def test_photo_of_a_pass_is_read(reader: tuple[Reader, Core]) -> None:
    answer = reader[0].photo(Photo(png(PASS_A)))
    assert (answer.texts, answer.why) == ([PASS_A], "")


def test_a_reader_that_is_closed_in_order_says_once_that_it_was_asked(reader: tuple[Reader, Core]) -> None:
    made, core = reader
    made.report()
    made.close()
    made.close()
    assert [(ending.run, ending.why) for ending in core.endings] == [(made.run, "asked")]
    assert {state.run for state in core.states} == {made.run}


def test_photos_are_read_one_at_a_time_and_the_next_waits_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.reader.process.PHOTO_WAIT_S", 0.05)
    began, go_on = threading.Event(), threading.Event()

    def slow(raw: bytes) -> Texts:
        began.set()
        go_on.wait(10)
        return Texts([PASS_A], 1.0)

    made = Reader([], QrDecoder(), Core, read_photo=slow)
    first: list[list[str]] = []
    thread = threading.Thread(target=lambda: first.append(made.photo(Photo(png(PASS_A))).texts))
    thread.start()
    assert began.wait(10)
    with pytest.raises(Refused, match="busy"):
        made.photo(Photo(png(PASS_B)))
    go_on.set()
    thread.join(10)
    assert first == [[PASS_A]]
    assert made.photo(Photo(png(PASS_B))).texts == [PASS_A]


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_unpacked() -> None:
    assert load_picture(slow_jpeg(100, (64, 64))).shape == (64, 64)
    with pytest.raises(PictureError, match="too many scans"):
        load_picture(slow_jpeg())


def test_photo_without_a_code_says_so(reader: tuple[Reader, Core]) -> None:
    answer = reader[0].photo(Photo(encoded(Image.new("RGB", (60, 60), "red"), "PNG")))
    assert answer.texts == []
    assert answer.why == "no QR code was found in the picture"


def qr_image() -> Image.Image:
    return Image.open(io.BytesIO(png(PASS_A, 5))).convert("L")


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(lambda image: encoded(image, "JPEG", quality=60), id="jpeg"),
        pytest.param(lambda image: encoded(image.convert("CMYK"), "JPEG"), id="cmyk"),
        pytest.param(lambda image: encoded(image.convert("RGB"), "WEBP"), id="webp"),
        pytest.param(lambda image: encoded(image.convert("1"), "BMP"), id="bmp"),
        pytest.param(lambda image: encoded(image.convert("P"), "GIF"), id="gif"),
        pytest.param(lambda image: encoded(image.convert("RGBA"), "PNG"), id="rgba"),
        pytest.param(lambda image: encoded(image.convert("I;16").point(lambda v: v * 200), "PNG"), id="16 bit"),
        pytest.param(lambda image: encoded(image.rotate(90), "JPEG", exif=orientation(6)), id="turned by exif"),
        pytest.param(
            lambda image: encoded(image, "JPEG", exif=b"Exif\x00\x00II*\x00garbage"),
            id="broken exif",
            marks=pytest.mark.filterwarnings("ignore:Corrupt EXIF"),  # Pillow only warns
        ),
        pytest.param(lambda image: png(PASS_A, 5, light=None), id="black on transparent"),
    ],
)
def test_pictures_of_any_mode_are_read(raw: Callable[[Image.Image], bytes], reader: tuple[Reader, Core]) -> None:
    assert reader[0].photo(Photo(raw(qr_image()))).texts == [PASS_A]


def test_exif_orientation_turns_the_picture() -> None:
    picture = Image.new("L", (40, 20))
    assert load_picture(encoded(picture, "JPEG", exif=orientation(6))).shape == (40, 20)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "not a picture"),
        (b"<svg/>", "not a picture"),
        (b"%PDF-1.4", "not a picture"),
        (bytes(4_000_001), "larger than 4 MB"),
        (png(PASS_A)[:200], "damaged"),
        (encoded(Image.new("L", (64, 64)), "TIFF"), "not a picture"),
        (encoded(Image.new("1", (4096, 3073)), "PNG"), "more than 13 megapixels"),
        (encoded(Image.new("1", (30_000, 30_000)), "PNG"), "more than 13 megapixels"),
    ],
    ids=["empty", "header", "svg", "pdf", "large", "cut", "tiff", "pixels", "bomb"],
)
def test_an_invalid_picture_is_refused_in_words(raw: bytes, words: str, reader: tuple[Reader, Core]) -> None:
    with pytest.raises(PictureError, match=words):
        load_picture(raw)
    assert words in reader[0].photo(Photo(raw)).why


def test_the_largest_phone_picture_is_taken() -> None:
    assert load_picture(encoded(Image.new("1", (4096, 3072)), "PNG"), PHONE).shape == (3072, 4096)


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_no_damaged_picture_raises_anything_else(seed: int) -> None:
    draw = random.Random(seed)
    image = qr_image().resize((60, 60))
    raw = bytearray(encoded(image, draw.choice(["PNG", "JPEG", "GIF", "BMP", "WEBP"])))
    for _ in range(draw.randrange(1, 12)):
        raw[draw.randrange(len(raw))] = draw.randrange(256)
    try:
        assert load_picture(bytes(raw[: draw.randrange(len(raw) + 1)])).dtype == np.uint8
    except PictureError as err:
        assert str(err)


def test_the_whole_way_over_real_sockets(tmp_path: Path) -> None:
    core = Core()
    verbs: dict[Verb[Any, Any], Any] = {
        PRESENT: lambda q: core.ask(PRESENT, q, 1.0),
        READER_STATE: lambda q: core.ask(READER_STATE, q, 1.0),
        ENDING: lambda q: core.ask(ENDING, q, 1.0),
    }
    server = Server(listen(tmp_path / "core.sock"), verbs).start()
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(Client(tmp_path / "core.sock"))
        return clients[-1]

    fast = Fast()
    camera = SimulatedCamera(SETTINGS, fast, fast.wait)
    made = Reader([SETTINGS], QrDecoder(), connect, lambda _: camera)
    guard = Server(listen(tmp_path / "guard.sock"), made.verbs(), 12 * 1024 * 1024).start()
    page = Client(tmp_path / "guard.sock")
    try:
        started(made)
        answer = page.ask(SHOW, Show("in", [png(PASS_B)]))
        assert [shown.outcome for shown in answer.presented] == ["grant"]
        made.report()
        assert msgspec.to_builtins(core.states[-1])["lane"] == "in"
        with pytest.raises(Refused, match="unknown_lane"):
            page.ask(SHOW, Show("no", []))
    finally:
        made.close()
        for part in (page, *clients, guard, server):
            part.close()
