"""Wake-ups: telling waiting gates that their compound has a new revision. A lost one costs nothing but a minute."""

from __future__ import annotations

import threading


class Wakes:
    """The newest revision of each compound, and threads that wait for a newer one."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._newest: dict[int, int] = {}
        self._closed = False

    def tell(self, compound_id: int, revision: int) -> None:
        """Wake everybody who waits for this compound, if the revision is another one."""
        with self._told:
            if self._newest.get(compound_id) != revision:
                self._newest[compound_id] = revision
                self._told.notify_all()

    def wait(self, compound_id: int, known: int | None, timeout_s: float) -> int | None:
        """The newest revision as soon as it is not ``known``; ``known`` itself when the time is over."""
        with self._told:
            self._told.wait_for(lambda: self._closed or self._newest.get(compound_id) != known, timeout_s)
            return self._newest.get(compound_id)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Let go of everybody who waits. Idempotent."""
        with self._told:
            self._closed = True
            self._told.notify_all()
