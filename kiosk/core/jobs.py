"""The jobs of the core's loop: any thread puts them, the loop does them, one after another."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from kiosk.channel import Refused

ANSWER_S = 5.0
_WAITING = 1000

log = logging.getLogger("core")

T = TypeVar("T")


class Jobs:
    """A queue of jobs and of the answers to them. Thread-safe; :meth:`do_next` is the loop's alone."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[Callable[[], Any], Future[Any]]] = queue.Queue(_WAITING)

    def put(self, job: Callable[[], T]) -> Future[T]:
        """Have something done on the loop, and go on."""
        answer: Future[T] = Future()
        self._waiting.put((job, answer), timeout=ANSWER_S)
        return answer

    def ask(self, job: Callable[[], T]) -> T:
        """Run something on the loop and wait for what it answers or raises. Raises Refused ``busy`` when its turn does
        not come in time; it is not run then: nobody may be let in long after they left."""
        answer = self.put(job)
        try:
            return answer.result(ANSWER_S)
        except TimeoutError:
            answer.cancel()
            raise Refused("busy") from None

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
