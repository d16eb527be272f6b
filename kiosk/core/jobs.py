"""The jobs of the core's loop: any thread puts them, the loop does them, one after another."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from kiosk.channel import Refused
from kiosk.verbs import TIMELY_S

ANSWER_S = 5.0
_WAITING = 1000

log = logging.getLogger("core")

T = TypeVar("T")


class Jobs:
    """A queue of jobs and of the answers to them. Thread-safe; :meth:`do_next` is the loop's alone."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._asked_at: float | None = None
        self._waiting: queue.Queue[tuple[Callable[[], Any], Future[Any]]] = queue.Queue(_WAITING)

    def put(self, job: Callable[[], T], asked_at: float | None = None) -> Future[T]:
        """Have something done on the loop, and go on. ``asked_at`` (CLOCK_MONOTONIC): see :meth:`late`."""
        answer: Future[T] = Future()
        self._waiting.put((job if asked_at is None else lambda: self._dated(job, asked_at), answer), timeout=ANSWER_S)
        return answer

    def ask(self, job: Callable[[], T], asked_at: float | None = None) -> T:
        """Run something on the loop and wait for what it answers or raises. Raises Refused ``busy`` when its turn does
        not come in time, and ``too_late`` when it comes TIMELY_S after ``asked_at`` (a core that was stopped, or whose
        peer wrote long ago). It is not run then: nobody may be let in after they left."""
        answer = self.put(job if asked_at is None else lambda: self._timely(job), asked_at)
        try:
            return answer.result(ANSWER_S)
        except TimeoutError:
            answer.cancel()
            raise Refused("busy") from None

    def _dated(self, job: Callable[[], T], asked_at: float) -> T:
        self._asked_at = asked_at
        try:
            return job()
        finally:
            self._asked_at = None

    def _timely(self, job: Callable[[], T]) -> T:
        if self.late():
            raise Refused("too_late")
        return job()

    def late(self) -> bool:
        """Whether what is being done now was asked too long ago to open anything. On the loop only."""
        asked_at = self._asked_at
        return asked_at is not None and not self._monotonic() - asked_at <= TIMELY_S  # no number is late as well

    def do_next(self, wait_s: float) -> None:
        """Do one job, if one comes in time. What it raises belongs to the one who asked; the loop goes on."""
        try:
            job, answer = self._waiting.get(timeout=wait_s)
        except queue.Empty:
            return
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(job())
        except Exception as err:
            answer.set_exception(err)
            if not isinstance(err, Refused):
                log.exception("core=fault")
