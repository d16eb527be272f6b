"""What a monitor on this device asks: ``/health`` in words and ``/metrics`` in figures. No sign-in, nothing personal.

Both are answered while the core is dead or hangs, within the time that a lane's screen waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, current_app
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from kiosk.channel import ChannelError
from kiosk.guard import words
from kiosk.guard.frame import Answer, as_json
from kiosk.guard.lane import screen
from kiosk.guard.line import CoreLine
from kiosk.guard.live import Live
from kiosk.guard.standing import Standing, faults, notes
from kiosk.guard.technician.metrics import OwnFigures, families
from kiosk.verbs import GateState

CORE_AWAY = "core_away"
"""The code of the one fault that only this process can know."""

routes = Blueprint("monitor", __name__)


class GateCollector(Collector):
    """What Prometheus is told, gathered anew at each scrape. A registry of this one alone tells nothing of Python or
    of the process."""

    def __init__(self, core: CoreLine, live: Live, state: Callable[[], GateState | None]):
        self._core = core
        self._live = live
        self._state = state
        self._began = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        state, figures = self._state(), None
        if state is not None:
            try:
                figures = self._core.figures_for_monitors()
            except ChannelError:  # it has just gone, or is of an older version: what is known is told
                figures = None
        own = OwnFigures(time.monotonic() - self._began, self._live.streams)
        yield from (family for family in families(state, figures, own) if family.samples)


def registry(core: CoreLine, live: Live) -> CollectorRegistry:
    """The page's own registry; nothing is asked of the core before the first scrape."""
    found = CollectorRegistry()
    found.register(GateCollector(core, live, _state_now))
    return found


def _state_now() -> GateState | None:
    state, answers = screen.screens().state()
    return state if answers else None


routes.before_request(screen.only_here)


@routes.get("/health")
def health() -> Answer:
    """503 while a fault stands, as monitors expect of a part that is down; notes leave it at 200."""
    told = judged(_state_now())
    return as_json(told, 200 if told["ok"] else 503)


def judged(state: GateState | None) -> dict[str, Any]:
    """The answer of ``/health``; ``state`` None means that the core does not answer. Pure."""
    if state is None:
        zh, en = words.WORDS["offline"]
        away = {"code": CORE_AWAY, "lanes": [], "zh": zh, "en": en}
        return {"ok": False, "core": False, "faults": [away], "notes": []}
    wrong = faults(state)
    return {
        "ok": not wrong,
        "core": True,
        "faults": [_told(one) for one in wrong],
        "notes": [_told(one) for one in notes(state)],
        "clock": state.clock,
        "list": state.list_state,
        "list_age_s": state.list_age_s,
        "centre_ok": state.centre_ok,
        "simulated": state.simulated,
    }


def _told(one: Standing) -> dict[str, Any]:
    zh, en = words.FAULTS.get(one.code, (one.code, one.code))
    return {"code": one.code, "lanes": list(one.lanes), "zh": zh, "en": en}


@routes.get("/metrics")
def figures() -> Answer:
    """What ``/health`` says and more, in figures that a monitor keeps."""
    page = generate_latest(current_app.extensions["monitor"])
    return Response(page, content_type=CONTENT_TYPE_PLAIN_0_0_4)
