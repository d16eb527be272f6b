"""The live list of the gate: what the guards' pages wait for."""

from __future__ import annotations

import secrets
import threading
from collections import deque

from kiosk import verbs

LONGEST_WAIT_S = 25.0
_KEPT = 200
_FIRST = 50


class LiveList:
    """The latest lines, and waiting for the next. Thread-safe."""

    def __init__(self) -> None:
        self.run = secrets.token_hex(4)
        self._items: deque[verbs.LiveLine] = deque(maxlen=_KEPT)
        self._news = threading.Condition()

    def tell(self, line: verbs.LiveLine) -> None:
        with self._news:
            self._items.append(line)
            self._news.notify_all()

    def after(self, number: int, wait_s: float) -> verbs.LiveLines:
        """What came after a number, waiting for it if need be; the latest fifty for 0. A number of an earlier run is
        answered at once, so that the page sees that this is another run."""
        with self._news:
            if number <= self._newest():
                self._news.wait_for(lambda: self._newest() > number, min(wait_s, LONGEST_WAIT_S))
            items = [line for line in self._items if line.number > number]
            return verbs.LiveLines(items[-_FIRST:] if number == 0 else items, self._newest(), self.run)

    def _newest(self) -> int:
        return self._items[-1].number if self._items else 0
