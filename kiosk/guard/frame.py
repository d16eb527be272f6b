"""What every request goes through: language, session, form token, headers, errors; and signing in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, current_app, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from kiosk import verbs
from kiosk.channel import ChannelError, Refused
from kiosk.guard import doors, views, words
from kiosk.guard.line import CoreLine, GuardSettings
from kiosk.guard.live import Live
from kiosk.verbs import GateState, LaneState, Session

PREFERENCES = {"language": words.LANGUAGES, "theme": ("auto", "day", "night"), "size": ("normal", "large")}
LANE_COOKIE = "gate_lane"
YEAR_S = 31_536_000
LONGEST_NAME, LONGEST_PIN = 64, 64
"""Of what a stranger may send to the core; names and PINs are shorter."""
PUBLIC_ENDPOINTS = frozenset(
    {
        "static",
        "frame.sign_in",
        "frame.prefer",
        "monitor.health",
        "monitor.figures",
        "screen.page",
        "screen.now",
        "screen.stream",
        "screen.voice",
    }
)

routes = Blueprint("frame", __name__)

Answer = str | Response | AnyResponse | tuple[str, int]


@dataclass(frozen=True)
class Post:
    """What the routes work with."""

    core: CoreLine
    settings: GuardSettings
    live: Live
    signed_in: doors.SignedIn


def post() -> Post:
    found: Post = current_app.extensions["post"]
    return found


@dataclass(frozen=True)
class View:
    """What one open page looks at: the entry its guard chose, and the lane its guard has in hand; "": all of them."""

    language: str
    chosen: int
    lane: str


@routes.before_app_request
def receive() -> AnyResponse | None:
    """Nothing but the public pages is answered without a session, and no form without its token."""
    g.language = request.cookies.get("gate_language", "zh")
    g.session = None
    if request.method == "POST" and not doors.origin_is_ours(request):
        abort(403)
    if request.endpoint in PUBLIC_ENDPOINTS:
        return None
    token = request.cookies.get(doors.SESSION_COOKIE, "")
    if not token:
        return to_sign_in("")
    g.session = _session(token)
    if request.method == "POST" and not doors.token_is_good(token, request.form.get("form_token", "")):
        abort(403)
    return None


def _session(token: str) -> Session:
    """The guard behind a cookie. One that the core has not known yet is asked about where strangers are."""
    core, signed_in = post().core, post().signed_in
    ask = core.ask if signed_in.knows(token) else core.ask_at_the_door
    try:
        session = ask(verbs.WHO, verbs.Token(token))
    except Refused:
        signed_in.note(token, False)
        raise
    signed_in.note(token, True)
    return session


@routes.after_app_request
def close_up(response: Response) -> Response:
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "private, max-age=3600"
    return doors.close_up(response, post().settings.secure_cookies)


@routes.app_context_processor
def spoken() -> dict[str, Any]:
    """What every template may use; it decides nothing."""
    language = g.get("language", "zh")
    session: Session | None = g.get("session")
    theme = request.cookies.get("gate_theme", "auto")
    night = theme == "night" or (theme == "auto" and views.is_night(post().live.state))
    return {
        "language": language,
        "html_language": "en" if language == "en" else "zh-CN",
        "other_language": "zh" if language == "en" else "en",
        "w": lambda key, **facts: words.word(language, key, **facts),
        "lane_title": lambda lane: views.lane_title(language, lane),
        "session": session,
        "who": views.signed_in_as(language, session) if session else "",
        "form_token": doors.form_token(session.token) if session else "",
        "act": doors.new_act,
        "clock": doors.clock_ms,
        "run": state.run if (state := post().live.state) else "",
        "theme": "night" if night else "day",
        "theme_choice": theme,
        "size": request.cookies.get("gate_size", "normal"),
        "preferences": PREFERENCES,
        "here": request.full_path.rstrip("?") if request.method == "GET" else "/",
    }


@routes.app_errorhandler(Refused)
def refused(no: Refused) -> Answer:
    """The core said no. An ended session goes back to signing in; everything else is said as it is."""
    if str(no) == "not_signed_in":
        return to_sign_in("not_signed_in")
    return told(views.refusal(g.language, str(no)), 409)


@routes.app_errorhandler(ChannelError)
def away(_: ChannelError) -> Answer:
    """The core cannot be reached: say so, and try again by ourselves."""
    if wants_events():
        return as_events("away")
    if wants_json():
        return as_json({"ok": False, "sentence": words.say(g.language, words.ERRORS["away"])}, 503)
    return render_template("offline.html", bar=views.bar(g.language, None, False)), 503


@routes.app_errorhandler(RequestEntityTooLarge)
def too_large(_: RequestEntityTooLarge) -> Answer:
    return told(words.say(g.language, words.ERRORS["too_large"]), 413)


@routes.app_errorhandler(HTTPException)
def no_page(err: HTTPException) -> Answer:
    name = {403: "forged", 404: "not_here", 405: "not_here"}.get(err.code or 500, "fault")
    return told(words.say(g.get("language", "zh"), words.ERRORS[name]), err.code or 500)


def wants_events() -> bool:
    return request.endpoint == "live_list.stream"


def as_events(name: str) -> Response:
    """A stream of one event: a browser gives up for good on an answer that is no stream."""
    return Response(event(name, {"clock": doors.clock_ms()}), mimetype="text/event-stream")


def event(name: str, content: object, number: str = "") -> str:
    """A server-sent event; ``number`` is where a later stream goes on."""
    numbered = f"id: {number}\n" if number else ""
    return f"event: {name}\n{numbered}data: {json.dumps(content, ensure_ascii=False)}\n\n"


def told(sentence: str, status: int) -> Answer:
    if wants_json():
        return as_json({"ok": False, "sentence": sentence}, status)
    return render_template("told.html", sentence=sentence), status


def wants_json() -> bool:
    return request.headers.get("X-Page-Script") == "1"


def as_json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), status, mimetype="application/json")


def to_sign_in(why: str) -> AnyResponse:
    if wants_events():
        return as_events("bye")
    target = url_for("frame.sign_in", why=why) if why else url_for("frame.sign_in")
    response = as_json({"ok": False, "go": target}, 401) if wants_json() else redirect(target, 303)
    if why:
        response.delete_cookie(doors.SESSION_COOKIE)
    return response


def done(word: str) -> Answer:
    if wants_json():
        return as_json({"ok": True, "sentence": words.word(g.language, word)})
    return redirect(url_for("live_list.index"), 303)


def view_asked() -> View:
    """``lane`` is for this page alone; the lane of ``hand`` stays in hand."""
    lane = request.args.get("lane", request.args.get("hand", request.cookies.get(LANE_COOKIE, "")))
    state = post().live.state
    here = state is None or any(each.name == lane for each in state.lanes)
    return View(g.language, request.args.get("show", 0, type=int), lane if here else "")


def bar(view: View) -> views.Bar:
    live = post().live
    return views.bar(view.language, live.state, bool(live.board.waiting(live.now_ms())), g.get("session"))


def lane_named(state: GateState, name: str) -> LaneState:
    """The named lane, else the first one."""
    for lane in state.lanes:
        if lane.name == name:
            return lane
    return state.lanes[0]


def may_present(state: GateState) -> bool:
    return post().settings.simulated and any(
        part.startswith("camera") for lane in state.lanes for part in lane.simulated
    )


def reasons(outcome: str) -> list[tuple[str, str]]:
    """Those that fit what a guard did."""
    names = words.OPENING_REASONS if outcome == "grant" else words.REFUSING_REASONS
    return [(name, words.say(g.language, words.OVERRIDE_REASONS[name])) for name in names]


@routes.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Answer:
    if request.method == "GET":
        return _sign_in_page(request.args.get("why", ""), 200)
    name, pin = request.form.get("name", "").strip()[:LONGEST_NAME], request.form.get("pin", "")[:LONGEST_PIN]
    try:
        session = post().core.ask_at_the_door(verbs.SIGN_IN, verbs.SignIn(name, pin, request.remote_addr or ""))
    except Refused as no:
        return _sign_in_page(str(no), 403, name)
    post().signed_in.note(session.token, True)
    response = redirect(url_for("live_list.index"), 303)
    response.set_cookie(
        doors.SESSION_COOKIE,
        session.token,
        max_age=min(session.ends_in_s, post().settings.session_hours * 3600),
        httponly=True,
        secure=post().settings.secure_cookies,
        samesite="Strict",
    )
    return response


def _sign_in_page(why: str, status: int, name: str = "") -> Answer:
    known = why.partition(":")[0] in words.ERRORS
    sentence = views.refusal(g.language, why) if known or status != 200 else ""
    return render_template("sign_in.html", sentence=sentence, name=name), status


@routes.post("/sign-out")
def sign_out() -> Answer:
    post().core.ask(verbs.SIGN_OUT, verbs.Token(g.session.token))
    response = to_sign_in("")
    response.delete_cookie(doors.SESSION_COOKIE)
    return response


@routes.get("/prefer/<what>/<choice>")
def prefer(what: str, choice: str) -> Answer:
    """Remember a language, theme or text size in this browser."""
    if choice not in PREFERENCES.get(what, ()):
        abort(404)
    target = request.args.get("to", "/")
    response = redirect(target if doors.is_ours(target) else "/", 303)
    response.set_cookie(f"gate_{what}", choice, max_age=YEAR_S, samesite="Strict", httponly=True)
    return response
