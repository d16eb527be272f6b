"""The stream of wake-ups: the centre says that it has something new."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Protocol

import requests

from sync.agent.enrol import Identity
from sync.agent.pauses import Backoff
from sync.agent.wire import Wire, WireError

LOST_STREAM_S = 3.0
"""Within which an agent asks the centre itself after its stream of wake-ups broke off."""


class Woken(Protocol):
    """What a waker wakes. Both may be called from any thread."""

    def wake(self) -> None:
        """The centre has something new."""
        ...

    def line_is_up(self) -> None:
        """The centre answered on the stream."""
        ...


class Waker:
    """Waits on the centre's stream of wake-ups. A lost one costs nothing: the agent polls as well."""

    def __init__(
        self,
        agent: Woken,
        identity: Identity,
        sessions: Callable[[], requests.Session],
        rng: random.Random,
    ):
        self._agent = agent
        self._wire = Wire(identity.url, sessions(), identity.authorization)
        self._rng = rng
        self._backoff = Backoff(rng)

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set, or a while longer where the stream is silent."""
        while not stop.is_set():
            stop.wait(self.listen(stop))

    def listen(self, stop: threading.Event) -> float:
        """Follow one stream to its end; the seconds to wait before the next."""
        asked_s, was_up = None, False
        try:
            with self._wire.wakes() as wakes:
                was_up = True
                self._backoff.reset()
                self._agent.line_is_up()
                for _ in wakes:
                    self._agent.wake()
                    if stop.is_set():
                        break
        except WireError as err:
            asked_s = err.retry_after_s
        if was_up and not stop.wait(self._rng.uniform(0, LOST_STREAM_S)):
            self._agent.wake()  # to learn soon whether the centre is gone; not all gates in the same moment
        return self._backoff.next_s(asked_s)
