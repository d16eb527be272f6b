"""The device side of sync: the list comes down, events go up, the time is asked for, wake-ups are waited for.

:meth:`Agent.step` does what is due and says how long it may rest; it never raises for what a centre, a line, a disk or
a core can do. Nothing here decides who may pass, and nothing but the core's word that a root-signed withdrawal names
this device makes it delete anything that cannot be fetched again.
"""

from __future__ import annotations

import errno
import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
import requests

from sync.agent.enrol import Identity, forget, read_identity
from sync.agent.follower import ListFollower, ListNews
from sync.agent.lists import DiskFull, ListFolder, SnapshotRefused
from sync.agent.outbox import Outbox, Stuck
from sync.agent.pauses import Backoff
from sync.agent.waker import Waker
from sync.agent.wire import Tls, Wire, WireError
from sync.cache import ListError
from sync.protocol import (
    Accepted,
    Acknowledged,
    EventBatch,
    EventsAfter,
    Signed,
    SyncState,
    TimeBody,
)

PUSH_S = 1.0
"""How often the core is asked for new events; the centre is asked only when there are some."""
REPORT_S = 8.0
TIME_S = 3600.0
TIME_UNTIL_ACCEPTED_S = 60.0
CLOCKS_AGREE_S = 3600.0
_NOTICE_STOP_S = 0.5

log = logging.getLogger("sync")


class CoreAway(Exception):
    """The core cannot be asked just now; asking again is safe."""


class CoreSide(Protocol):
    """The core as sync sees it. Every method raises CoreAway. All but ``nonce`` and ``time`` may be repeated."""

    def events_after(self, asked: EventsAfter) -> EventBatch: ...
    def acknowledged(self, note: Acknowledged) -> None: ...
    def report(self, state: SyncState) -> Accepted: ...
    def nonce(self) -> bytes: ...
    def time(self, statement: Signed) -> Accepted: ...


class _Job:
    """Something done again and again. ``act`` returns the seconds until it is due again."""

    def __init__(self, name: str, act: Callable[[], float], backoff: Backoff):
        self.name = name
        self.act = act
        self.backoff = backoff
        self.due = 0.0
        self.waits_for_line = False
        self.why = ""


class Agent:
    """One gate's sync. Not thread-safe, but for :meth:`wake` and :meth:`line_is_up`; :meth:`run` has a thread for the
    stream of wake-ups, which needs a session of its own."""

    def __init__(
        self,
        core: CoreSide,
        lists: ListFolder,
        state: Path,
        identity: Identity | None,
        sessions: Callable[[], requests.Session],
        tls: Tls | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ):
        self._core = core
        self._lists = lists
        self._state = state
        self._identity = identity
        self._sessions = sessions
        self._tls = tls
        self._clock = clock
        self._began = clock()
        self._wall = wall
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._alive: Callable[[], None] = lambda: None
        # Set from other threads
        self._nudge = threading.Event()
        self._woken = False
        self._line_came_back = False
        # The line
        self._line = Backoff(self._rng)
        self._line_until = 0.0
        self._line_why = "" if identity else "not_enrolled"
        # What the core is told
        self._reported: tuple[bool, str, int] | None = None
        self._report_due = 0.0
        self._news = ListNews()
        self._core_away = False
        self._withdrawn = False
        self._jobs: list[_Job] = []
        if identity:
            self._open(identity)

    def _open(self, identity: Identity) -> None:
        self._wire = Wire(identity.url, self._sessions(), identity.authorization, self._clock, self._beat)
        self._outbox = Outbox(self._state, self._core.events_after, self._core.acknowledged, self._wire.send)
        self._follower = ListFollower(
            self._lists, self._wire, self._outbox.ask_again, self._news, self._clock, self._rng
        )
        self._pull_job = _Job("pull", self._follower.pull, Backoff(self._rng))
        self._push_job = _Job("push", self._push, Backoff(self._rng))
        self._time_job = _Job("time", self._ask_time, Backoff(self._rng))
        self._jobs = [self._time_job, self._pull_job, self._push_job]

    # Stepping

    def step(self) -> float:
        """Do what is due; the seconds until something is again."""
        if self._line_came_back and self._line_why:
            self._line_until = 0.0
            self._hurry()
        self._line_came_back = False
        if self._woken and self._jobs:
            self._woken, self._pull_job.due = False, 0.0
        for job in self._jobs:
            if job.due <= self._clock():
                self._try(job)
        self._report()
        if self._withdrawn and self._jobs:
            self._withdraw()
        return max(0.0, min([job.due for job in self._jobs] + [self._report_due]) - self._clock())

    def _try(self, job: _Job) -> None:
        if self._line_until > self._clock():
            job.due, job.waits_for_line = self._line_until, True
            return
        job.waits_for_line = False
        answers = self._wire.answers
        try:
            pause = job.act()
        except WireError as err:
            self._failed(job, err)
        except (CoreAway, ListError, DiskFull, SnapshotRefused, Stuck, OSError) as err:
            self._failed(job, err)
        else:
            job.due = self._clock() + pause
            self._well(job, answers != self._wire.answers)

    def _well(self, job: _Job, heard: bool) -> None:
        if job.why:
            log.info("%s=well_again", job.name)
        job.why = ""
        job.backoff.reset()
        if heard:
            self._line_works()

    def _failed(self, job: _Job, err: Exception) -> None:
        if isinstance(err, WireError) and err.code == "slow_down":
            # No fault, and nothing that the other jobs have to wait for: what was not taken is asked again.
            log.info("%s=slowed_down retry_after_s=%s", job.name, err.retry_after_s)
            job.due = self._clock() + job.backoff.next_s(err.retry_after_s)
            self._line_works()
            return
        if isinstance(err, WireError) and err.code in _OF_THE_LINE:
            self._line_failed(err)
            job.due, job.waits_for_line = self._line_until, True
            return
        why = _why(err)
        if job.why != why:
            log.warning("%s=failed why=%s text=%r", job.name, why, str(err))
        job.why = why
        job.due = self._clock() + (PUSH_S if isinstance(err, CoreAway) else job.backoff.next_s())

    def _line_failed(self, err: WireError) -> None:
        """There is no way to the centre, or it has no time: nothing else is tried for a while."""
        if self._line_why != err.code:
            log.warning("centre=lost why=%s text=%r", err.code, str(err))
        self._line_why = err.code
        self._line_until = self._clock() + self._line.next_s(err.retry_after_s)

    def _line_works(self) -> None:
        if self._line_why:
            log.info("centre=back")
            self._hurry()
        self._line_why = ""
        self._line.reset()

    def _hurry(self) -> None:
        """Have everything done that waited for the line."""
        for job in self._jobs:
            if job.waits_for_line:
                job.due = min(job.due, self._clock())

    # Telling the core

    def _beat(self) -> None:
        """While an answer comes in: we are alive, and the core hears so in time."""
        self._alive()
        self._report()

    def _report(self) -> None:
        """Tell the core how things are: on each change, and every few seconds so that it sees us alive."""
        now = self._clock()
        if self._line_why and self._jobs and now >= self._report_due:
            self._count()
        state = self._now()
        known = (state.centre_ok, state.why, state.unsent)
        if now < self._report_due and known == self._reported and not self._news.urgent:
            return
        self._report_due, self._reported = now + REPORT_S, known
        self._news.told()
        try:
            accepted = self._core.report(state)
        except CoreAway as err:
            self._core_lost(err)
            return
        if self._core_away:
            log.info("core=back")
        self._core_away = False
        self._heed(state, accepted)

    def _now(self) -> SyncState:
        whys = [why for why in (self._line_why, *(job.why for job in self._jobs)) if why]
        return SyncState(
            centre_ok=not self._line_why and not _NOT_WELL.intersection(whys),
            why=whys[0] if whys else "",
            unsent=self._outbox.unsent if self._jobs else 0,
            caught_up=self._news.caught_up,
            list_changed=self._news.changed,
            up_s=round(self._clock() - self._began, 1),
        )

    def _core_lost(self, err: CoreAway) -> None:
        if not self._core_away:
            log.warning("core=away text=%r", str(err))
        self._core_away = True
        self._news.changed = True  # a core that starts again has to be told

    def _heed(self, told: SyncState, accepted: Accepted) -> None:
        if accepted.time_wanted and self._jobs and self._time_job.due > self._clock() + TIME_UNTIL_ACCEPTED_S:
            self._time_job.due = self._clock()  # the core began anew and has lost what it was told
        if accepted.ok and told.list_changed:
            self._news.changed = False
            with suppress(OSError):  # the next change tries again
                self._lists.tidy()
        elif accepted.why == "withdrawn":
            self._withdrawn = True
        doubted = accepted.suspect or not accepted.ok
        if doubted and not self._withdrawn and self._jobs and self._follower.suspect():
            # The core cannot use the list in force: look it through, and rebuild it if it is damaged.
            self._pull_job.due = min(self._pull_job.due, self._clock())
        if accepted.unverified and self._jobs and self._follower.distrust(accepted.unverified):
            self._pull_job.due = min(self._pull_job.due, self._clock())

    # Events and time

    def _push(self) -> float:
        return 0.0 if self._outbox.step() else PUSH_S

    def _count(self) -> None:
        """Keep the number of unsent events true while the centre is away."""
        with suppress(CoreAway):
            self._outbox.look()

    def _ask_time(self) -> float:
        statement = self._wire.time(self._core.nonce())
        accepted = self._core.time(statement)
        if self._tls:
            self._tls.check_dates(accepted.ok and self._clock_agrees(statement))
        return TIME_S if accepted.ok else TIME_UNTIL_ACCEPTED_S

    def _clock_agrees(self, statement: Signed) -> bool:
        """Whether this machine's clock, by which certificates are judged, is near the time the core has accepted."""
        try:
            utc_ms = msgspec.json.decode(statement.body, type=TimeBody).utc_ms
        except msgspec.MsgspecError:
            return False
        return abs(utc_ms / 1000 - self._wall()) < CLOCKS_AGREE_S

    # Withdrawal

    def _withdraw(self) -> None:
        """The core has read the root-signed order: the list goes at once, the identity after a last delivery."""
        log.warning("state=withdrawn")
        jobs, self._jobs, self._line_why = self._jobs, [], "withdrawn"
        with suppress(OSError):
            self._lists.wipe()
        with suppress(WireError, CoreAway, Stuck, OSError):
            while jobs and self._outbox.step():
                self._alive()
        with suppress(OSError):
            self._outbox.wipe()
            forget(self._state)

    # Running

    def wake(self) -> None:
        """The centre has something new. From any thread."""
        self._woken = True
        self._nudge.set()

    def line_is_up(self) -> None:
        """The centre answered on the other line: no need to wait longer. From any thread."""
        if self._line_why != "busy":
            self._line_came_back = True
            self._nudge.set()

    def run(self, stop: threading.Event, alive: Callable[[], None] = lambda: None) -> None:
        """Until ``stop`` is set. ``alive`` is called at least every 20 s or so while all is well."""
        self._alive = alive
        if self._identity:
            waker = Waker(self, self._identity, self._sessions, self._rng)
            threading.Thread(target=waker.run, args=(stop,), name="wake", daemon=True).start()
        while not stop.is_set():
            pause = self.step()
            alive()
            self._nudge.wait(min(pause, _NOTICE_STOP_S))
            self._nudge.clear()
        self.close()

    def close(self) -> None:
        """Let go of the list file. Idempotent."""
        self._lists.close()


_OF_THE_LINE = {"offline", "tls", "busy"}
_NOT_WELL = {*_OF_THE_LINE, "refused", "not_the_centre", "not_understood", "not_enrolled", "withdrawn", "restored"}
_WHY: dict[type[Exception], str] = {
    CoreAway: "core_away",
    ListError: "list_damaged",
    DiskFull: "disk_full",
    SnapshotRefused: "bad_snapshot",
    Stuck: "events_refused",
}


def _why(err: Exception) -> str:
    """The code the core is told."""
    if isinstance(err, WireError):
        return err.code
    if isinstance(err, OSError):
        return "disk_full" if err.errno in (errno.ENOSPC, errno.EDQUOT) else "disk"
    return _WHY[type(err)]


def build_agent(core: CoreSide, lists: Path, state: Path, compound: int, root_public: bytes, ca: str = "") -> Agent:
    """The agent of an enrolled device. ``lists`` and ``state`` are its folders, ``ca`` a PEM file (empty: the system's
    authorities). Without an identity, or with another compound's, it only reports that to the core. Raises EnrolError,
    OSError for a broken one or ``ca``.
    """
    tls = Tls(Path(ca) if ca else None)
    folder = ListFolder(lists, compound, root_public)
    identity = read_identity(state)
    if identity and identity.compound != compound:
        log.error("identity=another_compound do=%r", "enrol this gate again")
        identity = None
    return Agent(core, folder, state, identity, tls.session, tls)
