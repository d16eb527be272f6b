"""What a monitor on this device asks: ``/health`` in words and ``/metrics`` in figures. No sign-in, nothing personal.

Both are answered while the core is dead or hangs, within the time that a lane's screen waits for it.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from kiosk.guard import words
from kiosk.guard.frame import Answer, as_json
from kiosk.guard.lane import screen
from kiosk.guard.standing import Standing, faults, notes
from kiosk.metrics import CONTENT_TYPE, metrics
from kiosk.verbs import GateState

CORE_AWAY = "core_away"
"""The code of the one fault that only this process can know."""

routes = Blueprint("monitor", __name__)
routes.before_request(screen.only_here)


@routes.get("/health")
def health() -> Answer:
    """503 while a fault stands, as monitors expect of a part that is down; notes leave it at 200."""
    state, answers = screen.screens().state()
    told = judged(state if answers else None)
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
    state, answers = screen.screens().state()
    return Response(metrics(state if answers else None), content_type=CONTENT_TYPE)
