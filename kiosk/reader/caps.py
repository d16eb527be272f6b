"""What one picture may cost the reader: its time, its memory, and the end of the process where it takes more.

Pictures are hostile and engines are C code, which nothing in this process can interrupt. So a look that lasts too long
ends the process, and what watches over it (systemd, ``run``) starts a new one a second later. A new process is also
what a driver that hangs needs.
"""

from __future__ import annotations

import faulthandler
import itertools
import logging
import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, NamedTuple

Sort = Literal["frame", "photo"]

FRAME_CAP_S = 2.0
"""The worst frame found takes 0.13 s, zbar alone 0.33 s on one made for it; a Pi 4 twice that. The core calls a reader
silent after 3 s."""
PHOTO_CAP_S = 15.0
"""For pictures that are held before a simulated camera; a guard's page waits 20 s. Photos are read apart
(:mod:`.photos`)."""
TURN_S = 0.1
HANG_S = 10.0
"""Where C code holds Python's lock no thread of Python runs: then Python's own watchdog ends the process, this long
after it was last held off."""
DATA_BYTES = 640 << 20
"""Private memory the reader may ask for (RLIMIT_DATA), and ``LimitDATA=`` in its unit. Past it an allocation fails,
which costs a picture, long before the kernel ends a process, which costs them all."""
OVERDUE = 75
"""Exit status of a reader that a picture held for too long (EX_TEMPFAIL)."""

log = logging.getLogger("reader")


class Look(NamedTuple):
    """One look at a picture: a camera's frame at a lane, or what is to be held before a simulated one (no lane)."""

    sort: Sort
    lane: str = ""

    @property
    def longest_s(self) -> float:
        return FRAME_CAP_S if self.sort == "frame" else PHOTO_CAP_S


class Caps:
    """Counts how long each look that is under way has lasted; ``end`` is called once with the first that is overdue.

    Time is counted in turns of a thread of its own, so that a machine that stood still is not taken for a picture that
    takes long: a turn that comes late still counts for one.
    """

    def __init__(self, end: Callable[[Look], None]) -> None:
        self._end = end
        self._numbers = itertools.count()
        self._turns: dict[int, int] = {}
        self._looks: dict[int, Look] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caps", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @contextmanager
    def over(self, look: Look) -> Iterator[None]:
        """The block is that look. From any thread; costs a few microseconds."""
        number = next(self._numbers)
        self._looks[number] = look
        try:
            yield
        finally:
            self._looks.pop(number, None)

    def turn(self) -> None:
        """``TURN_S`` have passed for every look under way."""
        under_way = dict(self._looks)
        self._turns = {number: self._turns.get(number, 0) + 1 for number in under_way}
        for number, look in under_way.items():
            # A look may have begun right before its first turn.
            if (self._turns[number] - 1) * TURN_S > look.longest_s and not self._stop.is_set():
                self._stop.set()
                self._end(look)

    def _run(self) -> None:
        while not self._stop.wait(TURN_S):
            self.turn()

    def close(self) -> None:
        """Idempotent."""
        self._stop.set()


def end_process(look: Look, last_word: Callable[[Look], None]) -> None:
    """Say why, then end at once: no thread is asked, since one of them does not listen."""
    log.critical("reader=ends why=%s lane=%s longest_s=%g", look.sort, look.lane, look.longest_s)
    with suppress(Exception):
        last_word(look)
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    os._exit(OVERDUE)


def hold_off_end(seconds: float = HANG_S) -> None:
    """The process is well now. Not called again for ``seconds``, it is ended from C, with where each thread was."""
    faulthandler.dump_traceback_later(seconds, exit=True)


def limit_memory(most: int = DATA_BYTES) -> None:
    """Let allocations fail that go beyond ``most`` bytes of private memory.

    In the unit's own shell the call is forbidden, and ``LimitDATA=`` holds already.
    """
    with suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def last_in_line() -> None:
    """This process gets a tenth of what others want: a guard's photo waits for the lanes' frames."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 10)
