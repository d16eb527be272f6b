"""One watcher for everybody who is signed in: it asks the core once and wakes every open page.

Threads only, so that the same code runs under gevent's monkey patching and in an ordinary test.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kiosk.channel import ChannelError, Refused
from kiosk.guard.board import Board
from kiosk.guard.line import CoreLine
from kiosk.verbs import STATE, WATCH, GateState, LiveLines, Nothing, Watch

WAIT_S = 20.0
STATE_S = 1.0
"""A hint to the resident lasts for 1.5 s and more: the guard sees it, too."""
RETRY_S = 1.0

log = logging.getLogger("guard")


class Live:
    """The board, the gate's last known state, and a bell that rings when either changes.

    While at least one page follows, two threads keep them fresh; with nobody there, none runs.
    """

    def __init__(self, core: CoreLine, monotonic: Callable[[], float] = time.monotonic):
        self.board = Board()
        self._core = core
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._tokens: Counter[str] = Counter()
        self._running: set[str] = set()
        self._idle = threading.Event()
        self._watcher = core.watcher()
        self._after = 0
        self._state: GateState | None = None
        self._state_at = 0.0

    @property
    def state(self) -> GateState | None:
        """The gate's state as last heard, None while the core does not answer."""
        return self._state

    @property
    def streams(self) -> int:
        """Open pages that are kept fresh."""
        with self._changed:
            return self._tokens.total()

    def silent_s(self) -> float:
        """Seconds since the core last answered, endless while it cannot be reached."""
        return self._monotonic() - self._state_at if self._state else math.inf

    def now_ms(self) -> int:
        """The gate's own clock, carried on since it was last heard; 0 before that."""
        if self._state is None:
            return 0
        return self._state.now_ms + int((self._monotonic() - self._state_at) * 1000)

    def refresh(self, token: str) -> GateState:
        """The state now, with the latest happenings taken in. For a page that is being drawn."""
        self._take(self._core.ask(WATCH, Watch(token, 0, 0.0)))
        return self.refresh_state()

    def refresh_state(self) -> GateState:
        try:
            state = self._core.ask(STATE, Nothing())
        except ChannelError:
            self._set_state(None)
            raise
        self._set_state(state)
        return state

    def wait(self, version: int, shown: GateState | None, seconds: float) -> None:
        """Until the board is past ``version``, the state is no longer ``shown``, or the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self.board.version > version or self._state is not shown, seconds)

    @contextmanager
    def following(self, token: str) -> Iterator[None]:
        """Keep board and state fresh while the block runs, on behalf of this session."""
        with self._changed:
            self._tokens[token] += 1
            self._idle.clear()
            self._start("watch", self._watch)
            self._start("poll", self._poll)
        try:
            yield
        finally:
            with self._changed:
                self._tokens[token] -= 1
                self._tokens += Counter()  # drops what is not above zero
                if not self._tokens:
                    self._idle.set()

    def _start(self, name: str, step: Callable[[], None]) -> None:
        if name not in self._running:
            self._running.add(name)
            threading.Thread(target=self._run, args=(name, step), name=f"guard-{name}", daemon=True).start()

    def _run(self, name: str, step: Callable[[], None]) -> None:
        try:
            while self._goes_on(name):
                step()
        finally:
            with self._changed:
                self._running.discard(name)

    def _goes_on(self, name: str) -> bool:
        # Leaving is decided under the lock, so that a page that comes now starts a new thread.
        with self._changed:
            if not self._tokens:
                self._running.discard(name)
            return bool(self._tokens)

    def _watch(self) -> None:
        with self._changed:
            token = next(iter(self._tokens), "")
        try:
            heard = self._watcher.ask(WATCH, Watch(token, self._after, WAIT_S), WAIT_S + 5)
        except Refused:
            self._forget(token)
        except ChannelError:
            # The core may have begun anew: ask for the latest again, the board knows what it has.
            self._after = 0
            self._set_state(None)
            self._idle.wait(RETRY_S)
        else:
            self._after = heard.newest
            self._take(heard)

    def _poll(self) -> None:
        try:
            self.refresh_state()
        except ChannelError:
            self._idle.wait(RETRY_S)
        else:
            self._idle.wait(STATE_S)

    def _forget(self, token: str) -> None:
        """A session that ended: its pages notice by themselves, the watcher goes on with another's."""
        with self._changed:
            self._tokens.pop(token, None)
            self._changed.notify_all()

    def _take(self, happenings: LiveLines) -> None:
        with self._changed:
            if self.board.take(happenings):
                self._changed.notify_all()

    def _set_state(self, state: GateState | None) -> None:
        with self._changed:
            if (state is None) != (self._state is None):
                log.log(logging.INFO if state else logging.WARNING, "guard=core %s", "back" if state else "away")
            self._state, self._state_at = state, self._monotonic()
            self._changed.notify_all()
