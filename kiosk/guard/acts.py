"""What a guard does: open, refuse, give the reason, hold open, lock down, set the time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, g, redirect, render_template, request, url_for

from kiosk import verbs
from kiosk.channel import Refused
from kiosk.guard import views, words
from kiosk.guard.frame import Answer, as_json, bar, done, post, reasons, told, view_asked, wants_json
from kiosk.verbs import GateState, LiveLine

routes = Blueprint("acts", __name__)


@routes.post("/open")
def open_lane() -> Answer:
    return _answered(True)


@routes.post("/refuse")
def refuse() -> Answer:
    return _answered(False)


def _answered(grant: bool) -> Answer:
    """A ruling where one is asked for, otherwise an override; never the one for want of the other."""
    core, happening = post().core, request.form.get("happening", 0, type=int)
    try:
        if happening and request.form.get("waits") == "1":
            line = core.ask(verbs.RULE, verbs.Ruling(g.session.token, happening, grant, **meant()))
        else:
            lane = request.form.get("lane", "")
            line = core.ask(verbs.OVERRIDE, verbs.Override(g.session.token, lane, grant, happening, **meant()))
    except Refused as no:
        if str(no) not in ("not_waiting", "under_way"):
            raise
        return _answered_before(happening, grant)
    return acted(line)


def meant() -> dict[str, Any]:
    """Of a form: until when an act is meant, by whose lines, and the page's mark of it. Without a time it is late."""
    until_ms = request.form.get("until", 0.0, type=float)
    return {"act": request.form.get("act", "")[:64], "run": request.form.get("run", ""), "until": until_ms / 1000}


def _answered_before(number: int, grant: bool) -> Answer:
    """Somebody, or nobody in time, has answered: say what the gate did. Alike is fine; otherwise this did nothing."""
    live = post().live
    live.refresh(g.session.token)
    entry = live.board.find(number)
    answer = entry.answer() if entry else None
    alike = bool(answer and answer.by and answer.outcome == ("grant" if grant else "deny"))
    sentence = views.answered_before(g.language, answer, alike)
    if wants_json():
        return as_json({"ok": alike, "sentence": sentence}, 200 if alike else 409)
    return redirect(url_for("live_list.index"), 303) if alike else told(sentence, 409)


def acted(line: LiveLine) -> Answer:
    """What the gate did at a guard's word: for the page's script, or the post again."""
    number = line.number if line.needs_reason else 0
    if wants_json():
        return as_json(_what_was_done(line))
    return redirect(url_for("live_list.index", explain=number or None), 303)


def _what_was_done(line: LiveLine) -> dict[str, Any]:
    """For the page's script: what the gate did, and the sheet that asks for a reason where one is wanted."""
    acted = views.done_sentence(g.language, line)
    number = line.number if line.needs_reason else 0
    sheet = render_template("_why.html", number=number, reasons=reasons(line.outcome), acted=acted) if number else ""
    return {"ok": True, "sentence": acted, "sheet": sheet, "explain": number}


@routes.post("/settle")
def settle() -> Answer:
    """What became of an act whose answer the page did not get. One that has not come is given up by asking."""
    asked = verbs.Settle(g.session.token, request.form.get("act", "")[:64], request.form.get("run", ""))
    became = post().core.ask(verbs.SETTLE, asked)
    if became.line is not None:
        return as_json(_what_was_done(became.line))
    if became.why in ("not_waiting", "under_way"):
        return _answered_before(request.form.get("happening", 0, type=int), request.form.get("granted") == "1")
    return as_json({"ok": False, "sentence": views.refusal(g.language, became.why)})


@routes.route("/explain", methods=["GET", "POST"])
def explain() -> Answer:
    """The reason afterwards: of one override, or a list of all that still want one."""
    live = post().live
    if request.method == "GET":
        live.refresh(g.session.token)
        wanting = [
            (*views.override_line(g.language, h, live.state), reasons(h.outcome)) for h in live.board.wanting_reason()
        ]
        return render_template("explain.html", wanting=wanting, bar=bar(view_asked()))
    reason, text = request.form.get("reason", ""), request.form.get("text", "").strip()[:200]
    if reason not in words.OVERRIDE_REASONS:
        abort(400)
    number = request.form.get("happening", 0, type=int)
    why, dwelling = f"{reason}: {text}" if text else reason, request.form.get("dwelling", "").strip()[:40]
    post().core.ask(verbs.EXPLAIN, verbs.Explain(g.session.token, number, why, dwelling))
    return done("saved")


@routes.post("/hold")
def hold() -> Answer:
    on = request.form.get("on") == "1"
    post().core.ask(verbs.HOLD, verbs.Hold(g.session.token, request.form.get("lane", ""), on, **meant()))
    return done("done")


@routes.post("/acknowledge")
def acknowledge() -> Answer:
    number = request.form.get("number", 0, type=int)
    post().core.ask(verbs.ACKNOWLEDGE, verbs.Acknowledge(g.session.token, number, **meant()))
    return done("noted")


@routes.post("/heed")
def heed() -> Answer:
    """A supervisor has seen the overrides beyond the budget that the page shows."""
    event = request.form.get("event", "")[:64]
    post().core.ask(verbs.HEED, verbs.Heed(token=g.session.token, event=event, **meant()))
    return done("noted")


@routes.post("/lockdown")
def lockdown() -> Answer:
    if g.session.role != "supervisor":
        raise Refused("not_allowed")
    on = request.form.get("on") == "1"
    post().core.ask(verbs.LOCKDOWN, verbs.Lockdown(g.session.token, request.form.get("lane", ""), on, **meant()))
    return done("done")


@routes.route("/time", methods=["GET", "POST"])
def confirm_time() -> Answer:
    """A guard types what a watch says, or lends the phone's time; needed only while nobody better has said it. The
    gate's own guess is never offered for a yes."""
    state = post().live.refresh_state()
    if request.method == "GET":
        return _time_page(state, "", 200)
    try:
        utc_ms = _entered_ms(state)
    except ValueError:
        return _time_page(state, words.say(g.language, words.ERRORS["bad_time"]), 400)
    try:
        post().core.ask(verbs.CONFIRM_TIME, verbs.ConfirmTime(g.session.token, utc_ms, **meant()))
    except Refused as no:
        if str(no) == "not_signed_in":
            raise
        return _time_page(state, views.refusal(g.language, str(no)), 409)
    return done("done")


def _entered_ms(state: GateState) -> int:
    """The phone's time, or date and time of the form in the compound's zone. Raises ValueError where neither is."""
    if "phone" in request.form:
        return int(request.form["phone"])
    entered = f"{request.form.get('date', '')}T{request.form.get('clock', '')}"
    return int(datetime.fromisoformat(entered).replace(tzinfo=views.zone(state.timezone)).timestamp() * 1000)


def _time_page(state: GateState, sentence: str, status: int) -> Answer:
    if wants_json():
        return as_json({"ok": False, "sentence": sentence}, status)
    page = render_template(
        "time.html",
        now=views.local(state.now_ms, state) if state.clock != "untrusted" else None,
        asks=state.clock_asks,
        sentence=sentence,
        bar=bar(view_asked()),
        zone=state.timezone,
    )
    return page, status
