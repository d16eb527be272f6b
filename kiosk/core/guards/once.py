"""A guard's act is done in time and once, or not at all, and afterwards says what became of it."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from kiosk import verbs
from kiosk.channel import Refused

LONGEST_S = 30.0
"""An act that is meant for longer is none of ours: a page without script may be half a minute old, no page older."""
_KEPT = 500

log = logging.getLogger("post")


class Once:
    """The acts of late, by the mark that the page gave each. On the core's loop only; ``monotonic`` is the clock that
    all processes of the device share, in seconds."""

    def __init__(self, run: str, monotonic: Callable[[], float] = time.monotonic):
        self._run = run
        self._monotonic = monotonic
        self._became: OrderedDict[str, verbs.Became] = OrderedDict()

    def carry_out(self, asked: verbs.Act, do: Callable[[], verbs.LiveLine], about: int = 0) -> verbs.LiveLine:
        """Do it, unless it was done or given up before. ``about`` is the line it answers.

        Raises Refused: ``too_late`` past its time, ``line_gone`` where its line is of an earlier run of the core,
        ``given_up`` where its page said so, or what doing it raises. The same mark again gets the same answer."""
        known = self._became.get(asked.act)
        if known is None:
            known = self._done(asked, do, about)
            self._keep(asked.act, known)
        if known.line is None:
            raise Refused(known.why)
        return known.line

    def _done(self, asked: verbs.Act, do: Callable[[], verbs.LiveLine], about: int) -> verbs.Became:
        if self.late(asked):
            return verbs.Became(why="too_late")
        if about and asked.run and asked.run != self._run:
            return verbs.Became(why="line_gone")
        try:
            return verbs.Became(line=do())
        except Refused as no:
            return verbs.Became(why=str(no))

    def late(self, asked: verbs.Act) -> bool:
        """Whether an act is no longer meant, or is meant by a clock that is not ours: of another boot, or no number."""
        late = not 0 <= asked.until - self._monotonic() <= LONGEST_S
        if late:
            log.warning("act=refused why=too_late")
        return late

    def settle(self, mark: str, run: str = "") -> verbs.Became:
        """What became of an act. One that has not come by now is given up: whatever held it, it moves nothing later.
        Of one that an earlier ``run`` may have done, ``restarted`` says that nobody knows."""
        known = self._became.get(mark)
        if known is None:
            known = verbs.Became(why="restarted" if run and run != self._run else "given_up")
            self._keep(mark, known)
        return known

    def _keep(self, mark: str, became: verbs.Became) -> None:
        if mark:
            self._became[mark] = became
            if len(self._became) > _KEPT:
                self._became.popitem(last=False)
