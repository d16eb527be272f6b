"""Showing a code from the page: a photo taken by the guard, or a demo pass at a simulated gate."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge

from kiosk import demo_passes as demo
from kiosk import verbs
from kiosk.channel import ChannelError, HungUp, Refused
from kiosk.guard import words
from kiosk.guard.frame import Answer, as_json, bar, lane_named, may_present, post, view_asked, wants_json
from kiosk.verbs import GateState, PresentationAnswer

MAX_PHOTO = 4 * 1024 * 1024
MAX_REQUEST = MAX_PHOTO + 64 * 1024
"""A photo and the fields around it."""

routes = Blueprint("present", __name__)


@routes.get("/present")
def present() -> Answer:
    state = post().live.refresh_state()
    simulated = may_present(state)
    demos = demo.demo_passes(post().settings.demo_passes) if simulated else []
    return _present_page(state, demos, simulated, "", 200)


def _present_page(state: GateState, demos: list[demo.DemoPass], simulated: bool, sentence: str, status: int) -> Answer:
    tiles = [
        (d.file, d.title(g.language), words.word(g.language, "phone_pass" if d.phone else "card_pass")) for d in demos
    ]
    page = render_template(
        "present.html", tiles=tiles, simulated=simulated, lanes=state.lanes, sentence=sentence, bar=bar(view_asked())
    )
    return page, status


@routes.get("/present/tile/<name>")
def tile(name: str) -> Answer:
    folder = _demo_folder()
    if name not in [listed.file for listed in demo.demo_passes(folder)]:
        abort(404)
    return Response((folder / name).read_bytes(), mimetype="image/png")


@routes.post("/present/demo")
def present_demo() -> Answer:
    """Hold a demo pass before the simulated camera of the lane."""
    state, folder = post().core.ask(verbs.STATE, verbs.Nothing()), _demo_folder()
    chosen = [d for d in demo.demo_passes(folder) if d.file == request.form.get("file")]
    if not chosen or not may_present(state):
        abort(404)
    return _shown_to_camera(state, demo.picture(chosen[0], folder, state.now_ms / 1000))


def _demo_folder() -> Path:
    folder = post().settings.demo_passes
    if folder is None or not post().settings.simulated:
        abort(404)
    return folder


@routes.post("/present/photo")
def present_photo() -> Answer:
    """A photo of somebody's code: held before a simulated camera, or read by the reader and presented as text."""
    state = post().core.ask(verbs.STATE, verbs.Nothing())
    photo = request.files.get("photo")
    taken = photo.read() if photo else b""
    if not taken:
        return _photo_refused(state, "no_photo", 400)
    if len(taken) > MAX_PHOTO:
        raise RequestEntityTooLarge
    return _shown_to_camera(state, taken) if may_present(state) else _read_by_reader(state, taken)


def _shown_to_camera(state: GateState, taken: bytes) -> Answer:
    lane = lane_named(state, request.form.get("lane", "")).name
    try:
        shown = post().core.ask_reader(verbs.SHOW, verbs.Show(lane, [taken]), taken, g.session.token)
    except ChannelError as err:
        return _photo_refused(state, _reader_said(err), 409)
    if not shown.presented:
        return _photo_refused(state, "no_code", 409)
    return _presented(shown.presented[-1])


def _read_by_reader(state: GateState, taken: bytes) -> Answer:
    try:
        read = post().core.ask_reader(verbs.PHOTO, verbs.Photo(taken), taken, g.session.token)
    except ChannelError as err:
        return _photo_refused(state, _reader_said(err), 409)
    if not read.texts:
        return _photo_refused(state, "no_code", 409)
    lane = lane_named(state, request.form.get("lane", "")).name
    return _presented(post().core.ask(verbs.PRESENT_TEXT, verbs.PresentText(g.session.token, lane, read.texts[0])))


def _reader_said(err: ChannelError) -> str:
    """The word for a reader that refused (it is still busy, or has no such camera), ended over it, or is not there."""
    if isinstance(err, HungUp):
        return "reader_stopped"
    if not isinstance(err, Refused):
        return "reader_away"
    return str(err) if str(err) in words.ERRORS else "not_possible"


def _presented(shown: PresentationAnswer) -> Answer:
    return redirect(url_for("live_list.index", lane=shown.lane), 303)


def _photo_refused(state: GateState, name: str, status: int) -> Answer:
    sentence = words.say(g.language, words.ERRORS[name])
    if wants_json():
        return as_json({"ok": False, "sentence": sentence}, status)
    simulated = may_present(state)
    demos = demo.demo_passes(post().settings.demo_passes) if simulated else []
    return _present_page(state, demos, simulated, sentence, status)
