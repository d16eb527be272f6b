"""A program that reads one photo from its input and ends: ``python -m kiosk.reader.photos``.

A guard's photo is hostile until it is read, and the engines are C code that nothing in their process can interrupt. So
photos are read apart from the lanes' frames: the system ends this program at its limits, it works when nobody else
wants to, and what it does to itself the reader only hears of.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

import kiosk
from kiosk.reader.caps import last_in_line, limit_memory
from kiosk.verbs import Texts

LADDER_S = 3.0
"""Processor seconds after which no further rung is begun. Photos of 12 megapixels without a code take 0.7 s, the worst
found 4 s; a Pi 4 takes twice that."""
CPU_S = 8.0
"""Processor seconds after which the system ends the program, its start included (1.5 s on a Pi 4)."""
LONGEST_S = 15.0
"""A guard's page waits 20 s."""
MEMORY_BYTES = 400 << 20
LONGEST_TEXT = 4_296
"""Alphanumeric characters of the largest QR code."""
NO_CODE = "no QR code was found in the picture"
TOO_COSTLY = "the picture takes too much to read"

log = logging.getLogger("reader")


PROGRAM = (sys.executable, "-P", "-m", "kiosk.reader.photos")


def read_apart(raw: bytes, program: Sequence[str] = PROGRAM) -> Texts:
    """The texts of a picture file, read in a program of its own; ``why`` where there are none."""
    began = time.perf_counter()
    home = {"PYTHONPATH": str(Path(kiosk.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1", "PATH": os.environ.get("PATH", os.defpath)}  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            program, input=raw, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=home, timeout=LONGEST_S,
            check=True,
        )  # fmt: skip
        texts = msgspec.msgpack.decode(done.stdout, type=Texts)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as err:
        log.warning("photo=ended why=%s status=%s", type(err).__name__, getattr(err, "returncode", None))
        texts = Texts([], 0.0, TOO_COSTLY)
    texts.ms = round((time.perf_counter() - began) * 1000, 2)
    return texts


def read(raw: bytes, spent: Callable[[], float] = time.process_time) -> Texts:
    """The texts of a picture file, ours first. ``spent`` tells the seconds that count against ``LADDER_S``."""
    from hardware.reading.decoder import QrDecoder
    from kiosk.reader.pictures import PictureError, load_picture

    try:
        luma = load_picture(raw)
    except PictureError as err:
        return Texts([], 0.0, str(err))
    until = spent() + LADDER_S
    found = QrDecoder().decode(luma, lambda: spent() < until)
    texts = [code.text[:LONGEST_TEXT] for code in found]
    return Texts(texts, 0.0, "" if texts else NO_CODE)


def main() -> None:
    """Read within the limits, and say what was found. Killed by the system where that takes too much."""
    # Not a limit of resources: a unit's filter of system calls forbids those. This timer counts processor time as well.
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    last_in_line()
    limit_memory(MEMORY_BYTES)
    with suppress(OSError):  # where the unit's memory is out, this program goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    sys.stdout.buffer.write(msgspec.msgpack.encode(read(sys.stdin.buffer.read())))


if __name__ == "__main__":
    main()
