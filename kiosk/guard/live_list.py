"""The post itself: the current presentation, the list, and the stream that keeps both live."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Blueprint, Response, g, make_response, render_template, request, stream_with_context

from kiosk import verbs
from kiosk.channel import ChannelError, Refused
from kiosk.guard import doors, views
from kiosk.guard.board import Entry
from kiosk.guard.frame import LANE_COOKIE, Answer, View, bar, event, lane_named, may_present, post, reasons, view_asked

STREAM_LINES = 40
BEAT_S = 3.0
"""A page that hears no beat for twice as long says that it is cut off. A comment line would not reach its script."""
SILENT_S = 3.0
"""A core that has not answered for so long is away, whatever it said before."""
CHECK_S = 12.0

routes = Blueprint("live_list", __name__)


@routes.get("/")
def index() -> Answer:
    live, view = post().live, view_asked()
    state = live.refresh(g.session.token)
    board = live.board
    page = render_template(
        "post.html",
        state=state,
        lines=[_line(view, entry) for entry in board.entries()[:STREAM_LINES]],
        panel=_panel(view),
        bar=bar(view),
        hints=views.hints(view.language, state),
        lane=lane_named(state, view.lane),
        view=view,
        last_event=f"{board.run}:{board.newest}",
        may_present=may_present(state),
        explaining=request.args.get("explain", 0, type=int),
        reasons=reasons(_outcome(request.args.get("explain", 0, type=int))),
    )
    response = make_response(page)
    if "hand" in request.args:  # taken in hand until another one is, on whatever page
        response.set_cookie(LANE_COOKIE, view.lane, samesite="Strict", httponly=True)
    return response


def _outcome(number: int) -> str:
    """What the act of that line did, as far as the board knows it."""
    lines = (line for entry in post().live.board.entries() for line in entry.everything)
    return next((line.outcome for line in lines if line.number == number), "grant")


def _line(view: View, entry: Entry) -> views.StreamLine:
    return views.line(view.language, entry, post().live.board, post().live.state)


def _panel(view: View) -> views.Panel:
    live = post().live
    lane = view.lane or (live.state.lanes[0].name if live.state and live.state.lanes else "")
    return views.panel(view.language, live.board, live.state, live.now_ms(), view.chosen, lane, bool(view.lane))


@routes.get("/stream")
def stream() -> Response:
    """Server-sent events ``line``, ``panel``, ``bar``, ``hint``, ``reset``, ``bye``, with finished HTML or nothing;
    ``beat`` every :data:`BEAT_S` while the core is heard, else ``away``, with the clock that acts are dated by.

    ``Last-Event-ID`` (or ``?after=`` on the first connection) is ``RUN:NUMBER``. Only what changed since is sent;
    after a restart of the core, ``reset`` and then everything there is. ``?only=bar``: no lines and no panel.
    """
    last = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    shown = _Shown(view_asked(), last, request.args.get("only") == "bar")
    events = stream_with_context(_events(shown, g.session.token))
    return Response(events, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _events(shown: _Shown, token: str) -> Iterator[str]:
    live, beats = post().live, _Beats()
    yield "retry: 1500\n\n"
    with live.following(token):
        checked = time.monotonic()
        while True:
            version, state = live.board.version, live.state
            yield from shown.news()
            yield from beats.due(live.silent_s() <= SILENT_S)
            if beats.heard and time.monotonic() - checked > CHECK_S:
                checked = time.monotonic()
                if not _still_signed_in(token):
                    yield event("bye", "")
                    return
            live.wait(version, state, 1.0)


class _Beats:
    """When one stream's page is next told that the core is heard, or is not; at once when that changes."""

    def __init__(self) -> None:
        self.heard: bool | None = None
        self._at = 0.0

    def due(self, heard: bool) -> Iterator[str]:
        now = time.monotonic()
        if heard == self.heard and now - self._at < BEAT_S:
            return
        self.heard, self._at = heard, now
        yield event("beat" if heard else "away", {"clock": doors.clock_ms(), "run": post().live.board.run})


def _still_signed_in(token: str) -> bool:
    """False only if the core says so: while it is away, the page waits for it."""
    try:
        post().core.ask(verbs.WHO, verbs.Token(token))
    except Refused:
        return False
    except ChannelError:
        return True
    return True


class _Shown:
    """What one stream's page already has; :meth:`news` yields the difference."""

    def __init__(self, view: View, last: str, only_bar: bool = False):
        self._view = view
        self._only_bar = only_bar
        run, _, number = last.rpartition(":")
        self._run, self._number = run, int(number) if number.isdecimal() else 0
        self._version = -1
        self._panel = ""
        self._bar: views.Bar | None = None
        self._hints: list[str] | None = None

    def news(self) -> Iterator[str]:
        state_bar = bar(self._view)
        if state_bar != self._bar:
            self._bar = state_bar
            yield event("bar", render_template("_bar.html", bar=state_bar))
        if not self._only_bar:
            yield from self._people()

    def _people(self) -> Iterator[str]:
        if post().live.board.run:
            yield from self._lines()
        if post().live.state is not None:
            yield from self._newer_panel()
        hints = views.hints(self._view.language, post().live.state)
        if hints != self._hints:
            self._hints = hints
            yield event("hint", render_template("_hint.html", hints=hints))

    def _newer_panel(self) -> Iterator[str]:
        now = _panel(self._view)
        if now.key != self._panel:
            self._panel = now.key
            yield event("panel", render_template("_panel.html", panel=now, view=self._view))

    def _lines(self) -> Iterator[str]:
        board = post().live.board
        if self._run != board.run:
            self._run, self._number, self._version = board.run, 0, -1
            yield event("reset", "")
        version = board.version
        for entry in board.changed_after(self._version):
            if self._version >= 0 or entry.newest > self._number:
                html = render_template("_line.html", line=_line(self._view, entry))
                yield event("line", html, f"{board.run}:{board.newest}")
        self._version = version
