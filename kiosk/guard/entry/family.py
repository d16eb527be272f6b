"""A family behind one code: the guard taps how many follow."""

from __future__ import annotations

from flask import Blueprint, g, request

from kiosk import verbs
from kiosk.guard.acts import acted, meant
from kiosk.guard.frame import Answer, post

routes = Blueprint("family", __name__)


@routes.post("/family")
def follow() -> Answer:
    form = request.form
    asked = verbs.Followers(
        token=g.session.token,
        lane=form.get("lane", ""),
        happening=form.get("happening", 0, type=int),
        count=form.get("count", 0, type=int),
        **meant(),
    )
    return acted(post().core.ask(verbs.FOLLOW, asked))
