"""The routes of the guards' page. Each one asks the core, and prints what :mod:`kiosk.guard.views` makes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    g,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from kiosk import channel
from kiosk.channel import ChannelError, Happening, LaneState, Refused, Session, Shown, State
from kiosk.guard import demo, doors, views, words
from kiosk.guard.board import Entry
from kiosk.guard.core import Core, GuardSettings
from kiosk.guard.live import Live

MAX_PHOTO = 4 * 1024 * 1024
MAX_REQUEST = MAX_PHOTO + 64 * 1024
"""A photo and the fields around it."""
STREAM_LINES = 40
HEARTBEAT_SECONDS = 12.0
PREFERENCES = {"language": words.LANGUAGES, "theme": ("auto", "day", "night"), "size": ("normal", "large")}
YEAR_SECONDS = 31_536_000
PUBLIC_ENDPOINTS = frozenset({"static", "pages.sign_in", "pages.prefer", "pages.health"})

pages = Blueprint("pages", __name__)

Answer = str | Response | AnyResponse | tuple[str, int]


@dataclass(frozen=True)
class Post:
    """What the routes work with."""

    core: Core
    settings: GuardSettings
    live: Live


def post() -> Post:
    found: Post = current_app.extensions["post"]
    return found


# Every request: language, session, form token, headers.


@pages.before_app_request
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
        return _to_sign_in("")
    g.session = post().core.ask(channel.WHO, channel.Token(token))
    if request.method == "POST" and not doors.token_is_good(token, request.form.get("form_token", "")):
        abort(403)
    return None


@pages.after_app_request
def close_up(response: Response) -> Response:
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "private, max-age=3600"
    return doors.close_up(response)


@pages.app_context_processor
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
        "session": session,
        "who": views.signed_in_as(language, session) if session else "",
        "form_token": doors.form_token(session.token) if session else "",
        "theme": "night" if night else "day",
        "theme_choice": theme,
        "size": request.cookies.get("gate_size", "normal"),
        "preferences": PREFERENCES,
        "here": request.full_path.rstrip("?") if request.method == "GET" else "/",
    }


@pages.app_errorhandler(Refused)
def refused(no: Refused) -> Answer:
    """The core said no. An ended session goes back to signing in; everything else is said as it is."""
    if str(no) == "not_signed_in":
        return _to_sign_in("not_signed_in")
    return _told(views.refusal(g.language, str(no)), 409)


@pages.app_errorhandler(ChannelError)
def away(_: ChannelError) -> Answer:
    """The core cannot be reached: say so, and try again by ourselves."""
    if _wants_json():
        return _json({"ok": False, "sentence": words.say(g.language, words.ERRORS["away"])}, 503)
    return render_template("offline.html", bar=views.bar(g.language, None, False)), 503


@pages.app_errorhandler(RequestEntityTooLarge)
def too_large(_: RequestEntityTooLarge) -> Answer:
    return _told(words.say(g.language, words.ERRORS["too_large"]), 413)


@pages.app_errorhandler(HTTPException)
def no_page(err: HTTPException) -> Answer:
    name = {403: "forged", 404: "not_here", 405: "not_here"}.get(err.code or 500, "fault")
    return _told(words.say(g.get("language", "zh"), words.ERRORS[name]), err.code or 500)


def _told(sentence: str, status: int) -> Answer:
    if _wants_json():
        return _json({"ok": False, "sentence": sentence}, status)
    return render_template("told.html", sentence=sentence), status


def _wants_json() -> bool:
    return request.headers.get("X-Page-Script") == "1"


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), status, mimetype="application/json")


def _to_sign_in(why: str) -> AnyResponse:
    target = url_for("pages.sign_in", why=why) if why else url_for("pages.sign_in")
    response = _json({"ok": False, "go": target}, 401) if _wants_json() else redirect(target, 303)
    if why:
        response.delete_cookie(doors.SESSION_COOKIE)
    return response


# Signing in and out, and what a browser remembers.


@pages.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Answer:
    if request.method == "GET":
        return _sign_in_page(request.args.get("why", ""), 200)
    name, pin = request.form.get("name", "").strip(), request.form.get("pin", "")
    try:
        session = post().core.ask(channel.SIGN_IN, channel.SignIn(name, pin, request.remote_addr or ""))
    except Refused as no:
        return _sign_in_page(str(no), 403, name)
    response = redirect(url_for("pages.index"), 303)
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


@pages.post("/sign-out")
def sign_out() -> Answer:
    post().core.ask(channel.SIGN_OUT, channel.Token(g.session.token))
    return _to_sign_in(" ")


@pages.get("/prefer/<what>/<choice>")
def prefer(what: str, choice: str) -> Answer:
    """Remember a language, theme or text size in this browser."""
    if choice not in PREFERENCES.get(what, ()):
        abort(404)
    target = request.args.get("to", "/")
    response = redirect(target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/", 303)
    response.set_cookie(f"gate_{what}", choice, max_age=YEAR_SECONDS, samesite="Strict", httponly=True)
    return response


# The live list.


@dataclass(frozen=True)
class View:
    """What one open page looks at: the entry its guard chose, and the lane its buttons act on."""

    language: str
    chosen: int
    lane: str


def _view() -> View:
    return View(g.language, request.args.get("show", 0, type=int), request.args.get("lane", ""))


def _lane(state: State, name: str) -> LaneState:
    """The named lane, else the first one."""
    for lane in state.lanes:
        if lane.name == name:
            return lane
    return state.lanes[0]


@pages.get("/")
def index() -> Answer:
    live, view = post().live, _view()
    state = live.refresh(g.session.token)
    board = live.board
    return render_template(
        "post.html",
        state=state,
        lines=[_line(view, entry) for entry in board.entries()[:STREAM_LINES]],
        panel=_panel(view),
        bar=_bar(view),
        lane=_lane(state, view.lane),
        view=view,
        last_event=f"{board.run}:{board.newest}",
        may_present=_may_present(state),
        explaining=request.args.get("explain", 0, type=int),
        reasons=_reasons(),
    )


def _line(view: View, entry: Entry) -> views.Line:
    return views.line(view.language, entry, post().live.board, post().live.state)


def _panel(view: View) -> views.Panel:
    live = post().live
    lane = view.lane or (live.state.lanes[0].name if live.state and live.state.lanes else "")
    return views.panel(view.language, live.board, live.state, live.now_ms(), view.chosen, lane)


def _bar(view: View) -> views.Bar:
    live = post().live
    return views.bar(view.language, live.state, bool(live.board.waiting(live.now_ms())))


def _reasons() -> list[tuple[str, str]]:
    return [(name, words.say(g.language, pair)) for name, pair in words.OVERRIDE_REASONS.items()]


@pages.get("/stream")
def stream() -> Response:
    """Server-sent events ``line``, ``panel``, ``bar``, ``reset`` and ``bye``, each with finished HTML or nothing.

    ``Last-Event-ID`` (or ``?after=`` on the first connection) is ``RUN:NUMBER``. Only what changed since is sent;
    after a restart of the core, ``reset`` and then everything there is.
    """
    last = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    events = stream_with_context(_events(_view(), g.session.token, last))
    return Response(events, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _events(view: View, token: str, last: str) -> Iterator[str]:
    live, shown = post().live, _Shown(view, last)
    yield "retry: 1500\n\n"
    with live.following(token):
        checked = time.monotonic()
        while True:
            version, state = live.board.version, live.state
            yield from shown.news()
            if time.monotonic() - checked > HEARTBEAT_SECONDS:
                checked = time.monotonic()
                if not _still_signed_in(token):
                    yield _event("bye", "")
                    return
                yield ": still here\n\n"
            live.wait(version, state, HEARTBEAT_SECONDS)


def _still_signed_in(token: str) -> bool:
    """False only if the core says so: while it is away, the page waits for it."""
    try:
        post().core.ask(channel.WHO, channel.Token(token))
    except Refused:
        return False
    except ChannelError:
        return True
    return True


class _Shown:
    """What one stream's page already has; :meth:`news` yields the difference."""

    def __init__(self, view: View, last: str):
        self._view = view
        run, _, number = last.rpartition(":")
        self._run, self._number = run, int(number) if number.isdecimal() else 0
        self._version = -1
        self._panel = ""
        self._bar: views.Bar | None = None

    def news(self) -> Iterator[str]:
        board = post().live.board
        if board.run:
            yield from self._lines()
        now = _panel(self._view)
        if now.key != self._panel:
            self._panel = now.key
            yield _event("panel", render_template("_panel.html", panel=now, view=self._view))
        state_bar = _bar(self._view)
        if state_bar != self._bar:
            self._bar = state_bar
            yield _event("bar", render_template("_bar.html", bar=state_bar))

    def _lines(self) -> Iterator[str]:
        board = post().live.board
        if self._run != board.run:
            self._run, self._number, self._version = board.run, 0, -1
            yield _event("reset", "")
        version = board.version
        for entry in board.changed_after(self._version):
            if self._version >= 0 or entry.newest > self._number:
                html = render_template("_line.html", line=_line(self._view, entry))
                yield _event("line", html, f"{board.run}:{board.newest}")
        self._version = version


def _event(name: str, html: str, number: str = "") -> str:
    numbered = f"id: {number}\n" if number else ""
    return f"event: {name}\n{numbered}data: {json.dumps(html, ensure_ascii=False)}\n\n"


# Acting.


@pages.post("/open")
def open_lane() -> Answer:
    return _acted(_answer(True), "opened")


@pages.post("/refuse")
def refuse() -> Answer:
    return _acted(_answer(False), "refused")


def _answer(grant: bool) -> Happening:
    """A ruling where one is asked for; otherwise, or if that came too late, an override."""
    core, token = post().core, g.session.token
    happening = _shown_happening()
    if happening and request.form.get("waits") == "1":
        try:
            return core.ask(channel.RULE, channel.Ruling(token, happening, grant))
        except Refused as no:
            if str(no) == "not_signed_in":
                raise
    return core.ask(channel.OVERRIDE, channel.Override(token, request.form.get("lane", ""), grant, happening))


def _shown_happening() -> int:
    """The decision the guard saw; 0 if the core began anew since, for its numbers then mean other people."""
    happening = request.form.get("happening", 0, type=int)
    if not happening:
        return 0
    state = post().core.ask(channel.STATE, channel.Nothing())
    return happening if state.run == request.form.get("run") else 0


def _acted(happening: Happening, word: str) -> Answer:
    number = happening.number if happening.needs_reason else 0
    if _wants_json():
        acted = words.word(g.language, word)
        sheet = render_template("_why.html", number=number, reasons=_reasons(), acted=acted) if number else ""
        return _json({"ok": True, "sentence": acted, "sheet": sheet})
    return redirect(url_for("pages.index", explain=number or None), 303)


@pages.route("/explain", methods=["GET", "POST"])
def explain() -> Answer:
    """The reason afterwards: of one override, or a list of all that still want one."""
    live = post().live
    if request.method == "GET":
        live.refresh(g.session.token)
        wanting = [views.override_line(g.language, h, live.state) for h in live.board.wanting_reason()]
        return render_template("explain.html", wanting=wanting, reasons=_reasons(), bar=_bar(_view()))
    reason, text = request.form.get("reason", "other"), request.form.get("text", "").strip()[:200]
    if reason not in words.OVERRIDE_REASONS:
        abort(400)
    number = request.form.get("happening", 0, type=int)
    post().core.ask(channel.EXPLAIN, channel.Explain(g.session.token, number, f"{reason}: {text}" if text else reason))
    live.explained(number)
    return _done("saved")


def _done(word: str) -> Answer:
    if _wants_json():
        return _json({"ok": True, "sentence": words.word(g.language, word)})
    return redirect(url_for("pages.index"), 303)


@pages.post("/hold")
def hold() -> Answer:
    on = request.form.get("on") == "1"
    post().core.ask(channel.HOLD, channel.Hold(g.session.token, request.form.get("lane", ""), on))
    return _done("done")


@pages.post("/lockdown")
def lockdown() -> Answer:
    if g.session.role != "supervisor":
        raise Refused("not_allowed")
    on = request.form.get("on") == "1"
    post().core.ask(channel.LOCKDOWN, channel.Lockdown(g.session.token, request.form.get("lane", ""), on))
    return _done("done")


@pages.get("/more")
def more() -> Answer:
    """Everything that is not needed with every car: hold open, lockdown, settings, details."""
    state = post().live.refresh_state()
    return render_template(
        "more.html",
        state=state,
        bar=_bar(_view()),
        may_lock_down=g.session.role == "supervisor",
        may_present=_may_present(state),
    )


@pages.get("/details")
def details() -> Answer:
    state = post().live.refresh_state()
    tables = views.details(g.language, state)
    faults = views.fault_sentences(g.language, state)
    return render_template("details.html", tables=tables, faults=faults, bar=_bar(_view()))


# Looking up.


@pages.route("/look-up", methods=["GET", "POST"])
def look_up() -> Answer:
    """By dwelling, plate, pass number or short code. The term travels in the body: it stays out of histories."""
    state = post().live.refresh_state()
    if request.method == "GET":
        return _look_up_page(state, "", None, "")
    term = request.form.get("term", "").strip()
    if not any(sign.isdigit() for sign in term):
        return _look_up_page(state, term, None, words.say(g.language, words.ERRORS["no_names"]))
    try:
        found = post().core.ask(channel.LOOK_UP, channel.LookUp(g.session.token, term[:40]))
    except Refused as no:
        if str(no) == "not_signed_in":
            raise
        return _look_up_page(state, term, None, views.refusal(g.language, str(no)))
    return _look_up_page(state, term, found, "")


def _look_up_page(state: State, term: str, found: channel.FoundPasses | None, sentence: str) -> Answer:
    passes = [views.found(g.language, item, state) for item in found.passes] if found else []
    return render_template(
        "look_up.html",
        term=term,
        sentence=sentence,
        asked=found is not None,
        passes=passes,
        too_many=found is not None and found.more,
        lane=_lane(state, ""),
        bar=_bar(_view()),
    )


# Showing a code from here.


def _may_present(state: State) -> bool:
    return post().settings.simulated and any("camera" in lane.simulated for lane in state.lanes)


@pages.get("/present")
def present() -> Answer:
    state = post().live.refresh_state()
    simulated = _may_present(state)
    demos = demo.demo_passes(post().settings.demo_passes) if simulated else []
    return _present_page(state, demos, simulated, "", 200)


def _present_page(state: State, demos: list[demo.DemoPass], simulated: bool, sentence: str, status: int) -> Answer:
    tiles = [
        (d.file, d.title(g.language), words.word(g.language, "phone_pass" if d.phone else "card_pass")) for d in demos
    ]
    page = render_template(
        "present.html", tiles=tiles, simulated=simulated, lanes=state.lanes, sentence=sentence, bar=_bar(_view())
    )
    return page, status


@pages.get("/present/tile/<name>")
def tile(name: str) -> Answer:
    folder = _demo_folder()
    if name not in [listed.file for listed in demo.demo_passes(folder)]:
        abort(404)
    return Response((folder / name).read_bytes(), mimetype="image/png")


@pages.post("/present/demo")
def present_demo() -> Answer:
    """Hold a demo pass before the simulated camera of the lane."""
    state, folder = post().core.ask(channel.STATE, channel.Nothing()), _demo_folder()
    chosen = [d for d in demo.demo_passes(folder) if d.file == request.form.get("file")]
    if not chosen or not _may_present(state):
        abort(404)
    return _shown_to_camera(state, demo.picture(chosen[0], folder, state.now_ms / 1000))


def _demo_folder() -> Path:
    folder = post().settings.demo_passes
    if folder is None or not post().settings.simulated:
        abort(404)
    return folder


@pages.post("/present/photo")
def present_photo() -> Answer:
    """A photo of somebody's code: held before a simulated camera, or read by the reader and presented as text."""
    state = post().core.ask(channel.STATE, channel.Nothing())
    photo = request.files.get("photo")
    taken = photo.read() if photo else b""
    if not taken:
        return _photo_refused(state, "no_photo", 400)
    if len(taken) > MAX_PHOTO:
        raise RequestEntityTooLarge
    return _shown_to_camera(state, taken) if _may_present(state) else _read_by_reader(state, taken)


def _shown_to_camera(state: State, taken: bytes) -> Answer:
    lane = _lane(state, request.form.get("lane", "")).name
    try:
        shown = post().core.ask_reader(channel.SHOW, channel.Show(lane, [taken]))
    except ChannelError as err:
        return _photo_refused(state, "bad_picture" if isinstance(err, Refused) else "reader_away", 409)
    if not shown.presented:
        return _photo_refused(state, "bad_picture" if shown.why else "no_code", 409)
    return _presented(shown.presented[-1])


def _read_by_reader(state: State, taken: bytes) -> Answer:
    try:
        read = post().core.ask_reader(channel.PHOTO, channel.Photo(taken))
    except ChannelError as err:
        return _photo_refused(state, "bad_picture" if isinstance(err, Refused) else "reader_away", 409)
    if not read.texts:
        return _photo_refused(state, "bad_picture" if read.why else "no_code", 409)
    lane = _lane(state, request.form.get("lane", "")).name
    return _presented(post().core.ask(channel.PRESENT_TEXT, channel.PresentText(g.session.token, lane, read.texts[0])))


def _presented(shown: Shown) -> Answer:
    return redirect(url_for("pages.index", lane=shown.lane), 303)


def _photo_refused(state: State, name: str, status: int) -> Answer:
    sentence = words.say(g.language, words.ERRORS[name])
    if _wants_json():
        return _json({"ok": False, "sentence": sentence}, status)
    simulated = _may_present(state)
    demos = demo.demo_passes(post().settings.demo_passes) if simulated else []
    return _present_page(state, demos, simulated, sentence, status)


# The clock, and being asked how we are.


@pages.route("/time", methods=["GET", "POST"])
def confirm_time() -> Answer:
    """A guard compares the gate's time with a watch; needed only while the clock is not trusted."""
    state = post().live.refresh_state()
    if request.method == "GET":
        return _time_page(state, "", 200)
    try:
        utc_ms = state.now_ms if request.form.get("right") == "1" else _entered_ms(state)
    except ValueError:
        return _time_page(state, words.say(g.language, words.ERRORS["bad_time"]), 400)
    post().core.ask(channel.CONFIRM_TIME, channel.ConfirmTime(g.session.token, utc_ms))
    return _done("done")


def _entered_ms(state: State) -> int:
    """Date and time of the form, in the compound's zone. Raises ValueError if they are not both there."""
    entered = f"{request.form.get('date', '')}T{request.form.get('clock', '')}"
    return int(datetime.fromisoformat(entered).replace(tzinfo=views.zone(state.timezone)).timestamp() * 1000)


def _time_page(state: State, sentence: str, status: int) -> Answer:
    now = views.local(state.now_ms, state)
    page = render_template(
        "time.html", now=now, asks=state.clock == "untrusted", sentence=sentence, bar=_bar(_view()), zone=state.timezone
    )
    return page, status


@pages.get("/health")
def health() -> Answer:
    """For a monitor: no sign-in, nothing personal. 503 while the core does not answer."""
    try:
        state = post().core.ask(channel.STATE, channel.Nothing())
    except ChannelError:
        return _json({"ok": False, "core": False}, 503)
    return _json(
        {
            "ok": not state.faults,
            "core": True,
            "faults": state.faults,
            "clock": state.clock,
            "list": state.list_state,
            "list_age_s": state.list_age_s,
            "centre_ok": state.centre_ok,
            "simulated": state.simulated,
        }
    )
