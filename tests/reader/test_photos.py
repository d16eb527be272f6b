"""A guard's photo is read in a program of its own: what it costs is bounded, and the lanes never pay for it."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hardware.reading.decoder import QrDecoder
from kiosk.reader.photos import LADDER_S, NO_CODE, TOO_COSTLY, read, read_apart
from kiosk.reader.process import Reader
from kiosk.verbs import Photo
from tests.fixtures.pictures.hostile import FILES, SIGHTS, a_code, as_file

ROOT = Path(__file__).parents[2]
WITHOUT = SIGHTS["noise"](np.random.default_rng(1), (320, 240))


def code_file(seed: int = 1) -> bytes:
    return as_file(a_code(np.random.default_rng(seed)), "PNG")


def png_of(name: str, size: tuple[int, int] = (640, 480)) -> bytes:
    from PIL import Image

    return as_file(Image.fromarray(SIGHTS[name](np.random.default_rng(3), size)), "PNG")


# --- rungs ------------------------------------------------------------------------------------------------------------


def test_no_rung_is_begun_once_the_time_is_up() -> None:
    asked = itertools.count(1)
    assert QrDecoder().decode(WITHOUT, lambda: next(asked) <= 3) == []
    assert next(asked) == 5, "three rungs were climbed, and the fourth was not begun"


def test_a_photo_without_a_code_has_every_rung_while_there_is_time() -> None:
    asked = itertools.count()
    QrDecoder().decode(WITHOUT, lambda: next(asked) >= 0)
    assert next(asked) == 13


def test_the_first_look_is_always_given() -> None:
    luma = np.asarray(a_code(np.random.default_rng(1)).convert("L"))
    assert QrDecoder().decode(luma, lambda: False)


def test_the_ladder_of_a_photo_ends_with_its_seconds() -> None:
    seconds = itertools.count(0.0, LADDER_S / 4)
    assert read(png_of("noise"), lambda: next(seconds)).why == NO_CODE
    assert next(seconds) <= 2 * LADDER_S


# --- as a program -----------------------------------------------------------------------------------------------------


def test_a_good_photo_is_read_and_an_invalid_one_is_refused_in_words() -> None:
    read_it = read_apart(code_file())
    assert len(read_it.texts) == 1 and read_it.why == "" and read_it.ms > 0
    assert "not a picture" in read_apart(b"<svg/>").why


def program(does: str, **limits: float) -> list[str]:
    """The photos' program with other limits, and with something else to do than to read."""
    changed = "\n".join(f"photos.{name} = {value}" for name, value in limits.items())
    return [sys.executable, "-P", "-c", f"from kiosk.reader import photos\n{changed}\n{does}\nphotos.main()"]


ENDLESS = "def spin(raw):\n    while True: pass\nphotos.read = spin"
GREEDY = "photos.read = lambda raw: bytearray(1 << 30)"


def test_the_system_ends_a_photo_that_takes_more_than_its_processor_time() -> None:
    done = subprocess.run(program(ENDLESS, CPU_S=0.2), input=b"", cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -signal.SIGPROF


@pytest.mark.parametrize(
    "does",
    [
        pytest.param("import os; photos.main = os.abort", id="a decoder that crashes"),
        pytest.param("photos.main = lambda: print('what no program of ours says')", id="one that was taken over"),
        pytest.param(GREEDY, id="memory"),
    ],
)
def test_a_photo_that_ends_its_program_costs_no_more_than_an_answer(
    does: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = Reader([], QrDecoder(), lambda: None, read_photo=lambda raw: read_apart(raw, program(does)))  # type: ignore[arg-type,return-value]
    assert made.photo(Photo(b"x")).why == TOO_COSTLY
    assert "photo=ended" in caplog.text
    assert made.photo(Photo(b"x")).texts == [], "and the next one is taken"


def test_a_photo_works_when_no_other_wants_to_with_a_bound_on_its_memory() -> None:
    does = (
        "import os, resource\nfrom kiosk.verbs import Texts\n"
        "photos.read = lambda raw: Texts([str(os.getpriority(os.PRIO_PROCESS, 0)),"
        " str(resource.getrlimit(resource.RLIMIT_DATA)[0] >> 20), open('/proc/self/oom_score_adj').read().strip()], 0)"
    )
    nice, megabytes, first = read_apart(b"", program(does)).texts
    assert int(nice) >= 10 and int(megabytes) <= 400 and int(first) == 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SIGHTS, *FILES])
def test_hostile_photos_are_answered_within_their_processor_time(name: str) -> None:
    raw = FILES[name](np.random.default_rng(2)) if name in FILES else png_of(name, (4000, 3000))
    answer = read_apart(raw)
    assert answer.why != TOO_COSTLY and (answer.why or answer.texts)
