"""What a guard does: open, refuse, give the reason, hold open, lock down, confirm the time."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, abort, g, redirect, render_template, request, url_for

from kiosk import verbs
from kiosk.channel import Refused
from kiosk.guard import views, words
from kiosk.guard.frame import Answer, as_json, bar, done, post, reasons, view_asked, wants_json
from kiosk.verbs import GateState, LiveLine

routes = Blueprint("acts", __name__)


@routes.post("/open")
def open_lane() -> Answer:
    return _acted(_answer(True), "opened")


@routes.post("/refuse")
def refuse() -> Answer:
    return _acted(_answer(False), "refused")


def _answer(grant: bool) -> LiveLine:
    """A ruling where one is asked for; otherwise, or if that came too late, an override."""
    core, token = post().core, g.session.token
    happening = _shown_happening()
    if happening and request.form.get("waits") == "1":
        try:
            return core.ask(verbs.RULE, verbs.Ruling(token, happening, grant))
        except Refused as no:
            if str(no) == "not_signed_in":
                raise
            answered = _answered_alike(happening, grant)
            if answered:
                return answered
    return core.ask(verbs.OVERRIDE, verbs.Override(token, request.form.get("lane", ""), grant, happening))


def _answered_alike(number: int, grant: bool) -> LiveLine | None:
    """A colleague's ruling of the same kind, a moment earlier: opening again could let a second car in."""
    live = post().live
    live.refresh(g.session.token)
    entry = live.board.find(number)
    answer = entry.answer() if entry else None
    return answer if answer and answer.by and answer.outcome == ("grant" if grant else "deny") else None


def _shown_happening() -> int:
    """The decision the guard saw; 0 if the core began anew since, for its numbers then mean other people."""
    happening = request.form.get("happening", 0, type=int)
    if not happening:
        return 0
    state = post().core.ask(verbs.STATE, verbs.Nothing())
    return happening if state.run == request.form.get("run") else 0


def _acted(happening: LiveLine, word: str) -> Answer:
    number = happening.number if happening.needs_reason else 0
    if wants_json():
        acted = words.word(g.language, word)
        sheet = render_template("_why.html", number=number, reasons=reasons(), acted=acted) if number else ""
        return as_json({"ok": True, "sentence": acted, "sheet": sheet})
    return redirect(url_for("live_list.index", explain=number or None), 303)


@routes.route("/explain", methods=["GET", "POST"])
def explain() -> Answer:
    """The reason afterwards: of one override, or a list of all that still want one."""
    live = post().live
    if request.method == "GET":
        live.refresh(g.session.token)
        wanting = [views.override_line(g.language, h, live.state) for h in live.board.wanting_reason()]
        return render_template("explain.html", wanting=wanting, reasons=reasons(), bar=bar(view_asked()))
    reason, text = request.form.get("reason", "other"), request.form.get("text", "").strip()[:200]
    if reason not in words.OVERRIDE_REASONS:
        abort(400)
    number = request.form.get("happening", 0, type=int)
    post().core.ask(verbs.EXPLAIN, verbs.Explain(g.session.token, number, f"{reason}: {text}" if text else reason))
    return done("saved")


@routes.post("/hold")
def hold() -> Answer:
    on = request.form.get("on") == "1"
    post().core.ask(verbs.HOLD, verbs.Hold(g.session.token, request.form.get("lane", ""), on))
    return done("done")


@routes.post("/lockdown")
def lockdown() -> Answer:
    if g.session.role != "supervisor":
        raise Refused("not_allowed")
    on = request.form.get("on") == "1"
    post().core.ask(verbs.LOCKDOWN, verbs.Lockdown(g.session.token, request.form.get("lane", ""), on))
    return done("done")


@routes.route("/time", methods=["GET", "POST"])
def confirm_time() -> Answer:
    """A guard compares the gate's time with a watch; needed only while nobody better has said the time."""
    state = post().live.refresh_state()
    if request.method == "GET":
        return _time_page(state, "", 200)
    try:
        utc_ms = state.now_ms if request.form.get("right") == "1" else _entered_ms(state)
    except ValueError:
        return _time_page(state, words.say(g.language, words.ERRORS["bad_time"]), 400)
    try:
        post().core.ask(verbs.CONFIRM_TIME, verbs.ConfirmTime(g.session.token, utc_ms))
    except Refused as no:
        if str(no) == "not_signed_in":
            raise
        return _time_page(state, views.refusal(g.language, str(no)), 409)
    return done("done")


def _entered_ms(state: GateState) -> int:
    """Date and time of the form, in the compound's zone. Raises ValueError if they are not both there."""
    entered = f"{request.form.get('date', '')}T{request.form.get('clock', '')}"
    return int(datetime.fromisoformat(entered).replace(tzinfo=views.zone(state.timezone)).timestamp() * 1000)


def _time_page(state: GateState, sentence: str, status: int) -> Answer:
    now = views.local(state.now_ms, state)
    page = render_template(
        "time.html",
        now=now,
        asks=state.clock_asks,
        sentence=sentence,
        bar=bar(view_asked()),
        zone=state.timezone,
    )
    return page, status
