"""What the lanes show everybody who stands there, and waiting for it to change."""

from __future__ import annotations

import threading
from collections.abc import Hashable

LONGEST_WAIT_S = 5.0


class LanesShown:
    """Numbers what the lanes show: another number, another thing to see. :meth:`look` belongs to the core's loop,
    :meth:`after` may be called from any thread."""

    def __init__(self) -> None:
        self._number = 1
        self._shown: Hashable = None
        self._news = threading.Condition()

    def look(self, shown: Hashable) -> None:
        """Take note of what all lanes show now."""
        if shown == self._shown:
            return
        with self._news:
            self._shown = shown
            self._number += 1
            self._news.notify_all()

    def after(self, number: int, wait_s: float) -> int:
        """The number of what is shown, once it is another than ``number`` or the time is up."""
        with self._news:
            self._news.wait_for(lambda: self._number != number, min(wait_s, LONGEST_WAIT_S))
            return self._number
