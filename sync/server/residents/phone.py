"""The phone pass, in the one browser that was activated at the desk."""

from __future__ import annotations

import base64
from typing import Any

from flask import current_app, jsonify, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.wrappers import Response as AnyResponse

from sync.credential import DIGITS_STEP_S
from sync.server import words
from sync.server.centre.errors import NoSuchThing
from sync.server.centre.load import Tries
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.passes import card, compounds, moving_code
from sync.server.passes.terms import tell_terms
from sync.server.people.households import phone_pass
from sync.server.people.households.phone_pass import PassOnPhone
from sync.server.views import OpenRoute, client_network, until

COOKIE_S = 400 * 86_400
MOST_PASSES = 12
"""Passes one browser shows: a parent's, with those of the children."""
_BUNDLE_VERSION = 2
"""2: the code is of version 8. What a phone has kept of another version is asked for anew, matrices and all."""
_WINDOW_S = 600
_WRONG_CODES = 20
_BUNDLES = 200
_NO_CODE = {"suspended": "phone_suspended", "expired": "phone_expired"}


def cookie_name(compound_id: int) -> str:
    """What a browser with a pass of this compound sends along."""
    return f"pass_{compound_id}"


class Phone:
    """Views of one centre. Nothing here is logged: addresses and cookies are secrets."""

    def __init__(self, centre: Centre):
        self._centre = centre
        self._wrong = Tries(_WRONG_CODES, _WINDOW_S)
        self._bundles = Tries(_BUNDLES, _WINDOW_S)

    def routes(self) -> tuple[OpenRoute, ...]:
        read, post = ("GET",), ("GET", "POST")
        return (
            OpenRoute("/j/worker.js", self.phone_worker, read),
            OpenRoute("/j/<int:compound_id>/p", self.phone_pass, read),
            OpenRoute("/j/<int:compound_id>/p/bundle", self.phone_bundle, read),
            OpenRoute("/j/<int:compound_id>/p/end", self.phone_end, post),
            OpenRoute("/j/<int:compound_id>/p/a/<code>", self.phone_activate, post),
            OpenRoute("/j/<int:compound_id>/p/<number>/code.svg", self.phone_code, read),
        )

    # Activating

    def phone_activate(self, compound: Compound, code: str) -> Any:
        """Whose pass it is, and a button: a scanner that looks ahead must not use the code up."""
        try:
            offer = phone_pass.read_activation(self._centre, compound.compound_id, code)
            if request.method == "GET":
                return render_template("residents/phone_activate.html", offer=offer)
            done = phone_pass.activate(self._centre, compound.compound_id, code)
        except NoSuchThing:
            self._note_wrong()
            return render_template("residents/phone_none.html", why="phone_code_over"), 404
        kept = [secret for secret in self._mine(compound) if secret != done.browser_secret]
        answer = redirect(url_for("residents.phone_pass", compound_id=compound.compound_id, new=1))
        return self._keep(compound, answer, [done.browser_secret, *kept][:MOST_PASSES])

    def _note_wrong(self) -> None:
        """Who guesses too often is told to wait; a right code or cookie is never stopped by what others did."""
        self._wrong.wrong(client_network())
        if wait_s := self._wrong.wait_s(client_network()):
            raise TooManyRequests(retry_after=wait_s)

    def _mine(self, compound: Compound) -> dict[str, str]:
        """Secret → pass number, of this browser's passes."""
        sent = request.cookies.get(cookie_name(compound.compound_id), "").split(".")[:MOST_PASSES]
        return phone_pass.passes_of(self._centre, compound.compound_id, [secret for secret in sent if secret])

    def _keep(self, compound: Compound, answer: AnyResponse, secrets: list[str]) -> AnyResponse:
        """Give the browser its cookie, or take it away where it no longer shows anything."""
        secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
        answer.set_cookie(
            cookie_name(compound.compound_id), ".".join(secrets), max_age=COOKIE_S if secrets else 0, httponly=True,
            samesite="Lax", secure=secure, path=f"/j/{compound.compound_id}",
        )  # fmt: skip
        return answer

    # Showing

    def phone_pass(self, compound: Compound) -> Any:
        """Every pass of this browser, with its code at once; ``bare``: without, to be kept for a time without network,
        when the script fills it in."""
        mine = self._mine(compound)
        if not mine:
            none = make_response(render_template("residents/phone_none.html", why=""), 404)
            return self._keep(compound, none, []) if cookie_name(compound.compound_id) in request.cookies else none
        bare = "bare" in request.args
        shown = [] if bare else [phone_pass.read_shown(self._centre, number) for number in mine.values()]
        page = render_template("residents/phone.html", shown=shown, told=_told, drawn=self._drawn, step_s=DIGITS_STEP_S,
                               terms=lambda one: _terms(compound, one))  # fmt: skip
        return self._keep(compound, make_response(page), list(mine))

    def _drawn(self, shown: PassOnPhone) -> Markup:
        """The code of this moment; empty where there is none."""
        if shown.code is None:
            return Markup("")
        text, _ = phone_pass.text_at(shown.code, self._centre.now_ms())
        return moving_code.picture(text)

    def phone_code(self, compound: Compound, number: str) -> Any:
        """The code of this moment for a browser that cannot draw it; ``Next-In`` says in how many ms it changes."""
        if number not in self._asked(compound).values():
            raise NotFound
        shown = phone_pass.read_shown(self._centre, number)
        if shown.code is None:
            raise NotFound
        text, next_in_ms = phone_pass.text_at(shown.code, self._centre.now_ms())
        drawn = make_response(moving_code.picture(text))
        drawn.headers.update({"Content-Type": "image/svg+xml", "Next-In": str(next_in_ms)})
        return drawn

    def phone_bundle(self, compound: Compound) -> Any:
        """What the browser needs to draw its codes without us, and the centre's time. With ``moves``, the matrices that
        are the same for everybody, too."""
        mine = self._asked(compound)
        passes = [_bundled(compound, phone_pass.read_shown(self._centre, number)) for number in mine.values()]
        bundle: dict[str, Any] = {
            "v": _BUNDLE_VERSION, "now_ms": self._centre.now_ms(), "passes": passes, "size": moving_code.SIZE,
            "quiet": card.QUIET_MODULES,
        }  # fmt: skip
        if "moves" in request.args:
            bundle["moves"] = [_base64(moving_code.packed(move)) for move in moving_code.moves()]
        return jsonify(bundle)

    def _asked(self, compound: Compound) -> dict[str, str]:
        """This browser's passes, for a program. Aborts with 404 where it has none, with 429 where it asks too often."""
        mine = self._mine(compound)
        if not mine:
            self._note_wrong()
            raise NotFound
        who = next(iter(mine.values()))
        if wait_s := self._bundles.wait_s(who):
            raise TooManyRequests(retry_after=wait_s)
        self._bundles.wrong(who)
        return mine

    def phone_end(self, compound: Compound) -> Any:
        """Take the passes off this phone; after a question."""
        mine = self._mine(compound)
        if not mine:
            return render_template("residents/phone_none.html", why=""), 404
        if request.method == "GET":
            return render_template("residents/phone_end.html")
        with self._centre.writing(compound.compound_id, "resident") as writing:
            for number in mine.values():
                phone_pass.take_off(writing, self._centre, number)
        answer = make_response(render_template("residents/phone_none.html", why="phone_taken_off"))
        return self._keep(compound, answer, [])

    def phone_worker(self) -> Any:
        """The script that keeps the page of the phone pass for a time without network."""
        with current_app.open_resource("static/worker.js") as script:
            worker = make_response(script.read())
        worker.headers.update({"Content-Type": "text/javascript; charset=utf-8", "Service-Worker-Allowed": "/j/"})
        return worker


def _told(shown: PassOnPhone) -> words.Pair:
    """What is said in place of a code; empty where there is one."""
    if shown.code is not None:
        return "", ""
    return words.WORDS[_NO_CODE.get(shown.state, "phone_gone")]


def _terms(compound: Compound, shown: PassOnPhone) -> words.Pair:
    """At which hours it is good, and how often; empty where it is as good as any other."""
    terms = compounds.read_rules(compound).terms_for(shown.kind, shown.own)
    return "，".join(tell_terms("zh", terms)), ", ".join(tell_terms("en", terms))


def _bundled(compound: Compound, shown: PassOnPhone) -> dict[str, Any]:
    bundled: dict[str, Any] = {
        "number": shown.number, "label": shown.label, "plate": shown.plate, "short_code": shown.short_code,
        "kind": words.WORDS[f"kind.{shown.kind}"], "until": until(shown.valid_until_ms), "told": _told(shown),
        "terms": _terms(compound, shown),
    }  # fmt: skip
    if shown.code is not None:
        matrix = moving_code.packed(moving_code.base(shown.code.text))
        bundled |= {"base": _base64(matrix), "secret": _base64(shown.code.secret)}
    return bundled


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
