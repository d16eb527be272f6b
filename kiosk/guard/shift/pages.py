"""The pages of a shift: take the post over, leave notes, hand over, and print the sheet."""

from __future__ import annotations

from flask import Blueprint, g, redirect, render_template, request, url_for

from kiosk import verbs
from kiosk.channel import Refused
from kiosk.guard import views
from kiosk.guard.acts import meant
from kiosk.guard.frame import Answer, as_json, bar, post, view_asked, wants_json
from kiosk.guard.shift import sheet, words
from sync import shift_words
from sync.shifts import ShiftSheet

routes = Blueprint("shift", __name__)


@routes.get("/shift")
def shifts() -> Answer:
    """Who is on duty, what the last shift left, and the acts: begin, note, end."""
    state, language = post().live.refresh_state(), g.language
    found = post().core.ask(verbs.SHIFTS, verbs.Token(g.session.token))
    over = [one for one in found.latest if one.ended_ms]
    last = _sheet(over[0].shift) if over else None
    return render_template(
        "shift.html",
        s=lambda key, **facts: words.word(language, key, **facts),
        bar=bar(view_asked()),
        mine=next((on for on in found.on if on.name == g.session.name), None),
        on=[(on, words.word(language, "since", name=on.name, at=_at(on.begun_ms))) for on in found.on],
        may_end_others=g.session.role == "supervisor",
        latest=[(one.shift, one.by, sheet.head(language, one, state)) for one in found.latest],
        unread=bool(found.why),
        notes=sheet.view(language, last, state).sections[0].rows if last else [],
    )


def _at(ms: int) -> str:
    return views.local(ms, post().live.state).strftime("%m-%d %H:%M")


def _sheet(shift: str) -> ShiftSheet:
    return post().core.ask(verbs.SHEET, verbs.AskSheet(g.session.token, shift))


@routes.get("/shift/sheet/<shift>")
def one_sheet(shift: str) -> Answer:
    """A hand-over sheet, to read and to print: also of a shift that is still on."""
    found = _sheet(shift[:64])
    state, language = post().live.refresh_state(), g.language
    return render_template(
        "shift_sheet.html",
        s=lambda key, **facts: words.word(language, key, **facts),
        x=lambda key, **facts: shift_words.say(language, key, **facts),
        sheet=sheet.view(language, found, state),
        gate=" · ".join(filter(None, [state.compound_en if language == "en" else state.compound_zh, state.gate])),
        made=_at(state.now_ms),
        bar=bar(view_asked()),
    )


@routes.post("/shift/begin")
def begin() -> Answer:
    post().core.ask(verbs.BEGIN_SHIFT, verbs.BeginShift(token=g.session.token, **meant()))
    return _went(url_for("live_list.index"))


@routes.post("/shift/note")
def note() -> Answer:
    text = request.form.get("text", "")[:2000]
    post().core.ask(verbs.NOTE, verbs.Note(token=g.session.token, text=text, **meant()))
    return _went(url_for("shift.shifts"))


@routes.post("/shift/end")
def end() -> Answer:
    shift = request.form.get("shift", "")[:64]
    post().core.ask(verbs.END_SHIFT, verbs.EndShift(token=g.session.token, shift=shift, **meant()))
    return _went(url_for("shift.one_sheet", shift=shift) if shift else url_for("shift.shifts"))


@routes.get("/shift/acts")
def acts() -> Answer:
    """What this guard did of late, each to be taken back with a tap and a yes."""
    state, language = post().live.refresh_state(), g.language
    supervisor, on_duty = g.session.role == "supervisor", True
    try:
        found = post().core.ask(verbs.ACTS, verbs.Token(g.session.token)).acts
    except Refused as no:
        if str(no) != "not_on_duty":
            raise
        found, on_duty = [], False
    return render_template(
        "shift_acts.html",
        s=lambda key, **facts: words.word(language, key, **facts),
        acts=[(act, sheet.act(language, act, state)) for act in found],
        on_duty=on_duty or supervisor,
        supervisor=supervisor,
        bar=bar(view_asked()),
    )


@routes.post("/shift/annul")
def annul() -> Answer:
    event = request.form.get("event", "")[:64]
    post().core.ask(verbs.ANNUL, verbs.Annul(token=g.session.token, event=event, **meant()))
    return _went(url_for("shift.acts"))


def _went(target: str) -> Answer:
    return as_json({"ok": True, "go": target}) if wants_json() else redirect(target, 303)
