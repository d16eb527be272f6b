"""What a guard looks up: passes and settings."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request

from kiosk import verbs
from kiosk.channel import Refused
from kiosk.guard import views, words
from kiosk.guard.frame import Answer, bar, may_present, post, view_asked
from kiosk.verbs import GateState
from sync.cache import is_name

routes = Blueprint("looks", __name__)


@routes.get("/more")
def more() -> Answer:
    """Everything that is not needed with every car: hold open, lockdown, settings, details."""
    state = post().live.refresh_state()
    return render_template(
        "more.html",
        state=state,
        bar=bar(view_asked()),
        may_lock_down=g.session.role == "supervisor",
        may_present=may_present(state),
    )


@routes.route("/look-up", methods=["GET", "POST"])
def look_up() -> Answer:
    """By dwelling, plate, pass number or short code. The term travels in the body: it stays out of histories."""
    state = post().live.refresh_state()
    if request.method == "GET":
        return _look_up_page(state, "", None, "")
    term = request.form.get("term", "").strip()
    if is_name(term):
        return _look_up_page(state, term, None, words.say(g.language, words.ERRORS["no_names"]))
    try:
        found = post().core.ask(verbs.LOOK_UP, verbs.LookUp(g.session.token, term[:40]))
    except Refused as no:
        if str(no) == "not_signed_in":
            raise
        return _look_up_page(state, term, None, views.refusal(g.language, str(no)))
    return _look_up_page(state, term, found, "")


def _look_up_page(state: GateState, term: str, found: verbs.FoundPasses | None, sentence: str) -> Answer:
    passes = [views.found(g.language, item, state) for item in found.passes] if found else []
    return render_template(
        "look_up.html",
        term=term,
        sentence=sentence,
        asked=found is not None,
        passes=passes,
        too_many=found is not None and found.more,
        lanes=[lane for lane in state.lanes if view_asked().lane in ("", lane.name)],
        bar=bar(view_asked()),
    )
