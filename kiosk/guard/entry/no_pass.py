"""A household without a pass: its dwelling and how many they are, and the lane opens."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, g, render_template, request

from kiosk import verbs
from kiosk.guard import views, words
from kiosk.guard.acts import acted, meant
from kiosk.guard.frame import Answer, bar, post, view_asked
from kiosk.verbs import GateState

MOST_PEOPLE = 12
_SHOWN = 4
"""Entries that the page offers for one tap; any other household is found by its dwelling."""

routes = Blueprint("no_pass", __name__)


@dataclass(frozen=True)
class EntryRow:
    """A household that was registered, and may be let in again."""

    dwelling: str
    people: int
    count: str
    until: str


@routes.get("/no-pass")
def page() -> Answer:
    state = post().live.refresh_state()
    lasting = post().core.ask(verbs.LASTING, verbs.Token(g.session.token))
    return render_template(
        "no_pass.html",
        rows=[_row(entry, state) for entry in lasting.entries[:_SHOWN]],
        days=lasting.days,
        most=MOST_PEOPLE,
        lanes=[lane for lane in state.lanes if view_asked().lane in ("", lane.name)],
        bar=bar(view_asked()),
    )


def _row(entry: verbs.ProvisionalEntry, state: GateState) -> EntryRow:
    until = views.local(entry.until_ms, state).strftime("%m-%d %H:%M")
    known = state.clock != "untrusted"
    registered = "good_until" if known else "registered_by"
    return EntryRow(
        dwelling=entry.dwelling,
        people=entry.people,
        count=words.word(g.language, "people", n=entry.people),
        until=words.word(g.language, registered, time=until, name=entry.by),
    )


@routes.post("/no-pass")
def admit() -> Answer:
    form = request.form
    asked = verbs.Admission(
        token=g.session.token,
        lane=form.get("lane", ""),
        dwelling=form.get("dwelling", "").strip()[:40],
        people=form.get("people", 0, type=int),
        unlisted=form.get("unlisted") == "1",
        **meant(),
    )
    return acted(post().core.ask(verbs.ADMIT, asked))
