"""Input lines as debounced levels, sampled by a small thread.

Sampling, not edges: an edge that was missed (a slow kernel, a suppressed bounce) would leave a
remembered state wrong for good, while the next sample of a level puts it right. gpiozero's
``bounce_time`` drops the release that follows a short press (gpiozero issue 1039).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from hardware import HardwareError

log = logging.getLogger("hardware")

CLOSE_S = 2.0
"""Not for ever: a watcher may wait for a lock that the closing thread holds."""


class Debounce:
    """Pure: raw levels in, changes out. A change counts once its level has held for ``holds[name]`` seconds."""

    def __init__(self, raw: Mapping[str, bool], holds: Mapping[str, float]) -> None:
        self.levels = dict(raw)
        self._holds = holds
        self._since: dict[str, float] = {}

    def step(self, raw: Mapping[str, bool], now: float) -> list[tuple[str, bool]]:
        """The inputs whose level changed with this sample, each once."""
        changes = []
        for name, level in raw.items():
            if level == self.levels[name]:
                self._since.pop(name, None)
            elif now - self._since.setdefault(name, now) >= self._holds.get(name, 0.0):
                self.levels[name] = level
                del self._since[name]
                changes.append((name, level))
        return changes


class SampledInputs:
    """:class:`hardware.Inputs` over a function that reads all raw levels.

    ``holds`` is how long a level must hold to count, in seconds, by input; one that is not named counts at once.
    ``sample`` raises HardwareError when the lines cannot be read: the last levels stay, the log
    says so once, and sampling goes on. ``poll_s=None`` starts no thread: then :meth:`poll` is the
    caller's. ``released`` runs once when closed.
    """

    def __init__(
        self,
        sample: Callable[[], Mapping[str, bool]],
        holds: Mapping[str, float],
        poll_s: float | None,
        clock: Callable[[], float] = time.monotonic,
        released: Callable[[], None] = lambda: None,
    ) -> None:
        self._sample = sample
        self._clock = clock
        self._released = released
        self._debounce = Debounce(sample(), holds)
        self._watchers: list[Callable[[str, bool], None]] = []
        self._failing = False
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        if poll_s is not None:
            self._thread = threading.Thread(target=self._run, args=(poll_s,), name="inputs", daemon=True)
            self._thread.start()

    def read(self) -> Mapping[str, bool]:
        """Debounced level of every input by name."""
        with self._lock:
            return dict(self._debounce.levels)

    def watch(self, changed: Callable[[str, bool], None]) -> None:
        """Call ``changed(name, level)`` from the sampling thread after each change, once per change."""
        self._watchers.append(changed)

    def poll(self) -> None:
        """Take one sample and tell the watchers what changed. Never raises."""
        try:
            raw = self._sample()
        except HardwareError as err:
            if not self._failing:
                log.error("inputs=failed why=%r", str(err))
            self._failing = True
            return
        if self._failing:
            log.info("inputs=back")
            self._failing = False
        with self._lock:
            changes = self._debounce.step(raw, self._clock())
        for name, level in changes:
            for changed in self._watchers:
                self._tell(changed, name, level)

    @staticmethod
    def _tell(changed: Callable[[str, bool], None], name: str, level: bool) -> None:
        try:
            changed(name, level)
        except Exception:
            # One watcher's fault must not stop the fire contact from being heard by the next sample.
            log.exception("inputs=watcher_failed name=%s level=%s", name, level)

    def _run(self, poll_s: float) -> None:
        while not self._stop.wait(poll_s):
            self.poll()

    def close(self) -> None:
        """Idempotent. No watcher is called after it returns, but for one that was busy for CLOSE_S already."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)
        self._watchers.clear()
        self._released()
