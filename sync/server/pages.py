"""The frame of the signed-in pages: who, where, in which language.

Every look-up carries the compound of the address, and the account is asked whether it may see that compound before
anything else happens: another compound's object is 404, as if it did not exist.
"""

from __future__ import annotations

from functools import wraps
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, g, redirect, render_template, request, session, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from sync.credential import KIND_NUMBERS
from sync.server import passes, staff, words
from sync.server.asked import Route, View, language, local, until, why
from sync.server.centre import Centre, CentreError, NoSuchThing
from sync.server.desk import Desk
from sync.server.load import Tries
from sync.server.site import Site

_SESSION_MS = 12 * 3_600_000
_WRONG_PASSWORDS = 8
_WRONG_PASSWORDS_WINDOW_S = 600
_CSP = "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
_CSP += "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


class Pages:
    """The pages of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre
        self._addresses = Tries(_WRONG_PASSWORDS * 4, _WRONG_PASSWORDS_WINDOW_S)
        self._accounts = Tries(_WRONG_PASSWORDS, _WRONG_PASSWORDS_WINDOW_S)

    def blueprint(self) -> Blueprint:
        found = Blueprint("pages", __name__)
        found.before_request(self._before)
        found.after_request(_protect)
        found.app_context_processor(self._context)
        for kind in (CentreError, CSRFError, HTTPException):
            found.register_error_handler(kind, explain)
        open_to_all: tuple[Route, ...] = (
            ("/sign-in", self.sign_in, ("GET", "POST")),
            ("/sign-out", self.sign_out, ("POST",)),
            ("/welcome/<secret>", self.welcome, ("GET", "POST")),
            ("/", self._signed_in(self.compounds), ("GET",)),
        )
        for rule, view, methods in open_to_all:
            found.add_url_rule(rule, view.__name__, view, methods=methods)
        for rule, view, methods in (*Desk(self._centre).routes(), *Site(self._centre).routes()):
            scoped = self._signed_in(self._scoped(view))
            found.add_url_rule(f"/c/<int:compound_id>/{rule}", view.__name__, scoped, methods=methods)
        return found

    # Who, where, in which language

    def _before(self) -> AnyResponse | None:
        wanted = request.args.get("lang")
        if wanted in ("zh", "en"):
            session["language"] = wanted
        g.language = session.get("language", "zh")
        return None

    def _context(self) -> dict[str, Any]:
        tongue = language()
        return {
            "t": lambda key: words.say(tongue, key), "language": tongue, "kinds": list(KIND_NUMBERS),
            "staff": g.get("staff"), "compound": g.get("compound"), "local": local,
            "until_words": until, "both": words.WORDS.get, "here": _other_language,
        }  # fmt: skip

    def _signed_in(self, view: View) -> View:
        @wraps(view)
        def signed_in(**kwargs: Any) -> Any:
            fresh = session.get("since", 0) + _SESSION_MS > self._centre.now_ms()
            who = (
                staff.get_staff(self._centre, session.get("account", ""), session.get("version", 0)) if fresh else None
            )
            if who is None:
                return redirect(url_for("pages.sign_in"))
            g.staff = who
            return view(**kwargs)

        return signed_in

    def _scoped(self, view: View) -> View:
        @wraps(view)
        def scoped(compound_id: int, **kwargs: Any) -> Any:
            mine = {compound.compound_id: compound for compound in staff.compounds_of(self._centre, g.staff)}
            if compound_id not in mine:
                abort(404)
            if "number" in kwargs and passes.compound_of(kwargs["number"]) != compound_id:
                abort(404)
            g.compound = mine[compound_id]
            return view(g.compound, **kwargs)

        return scoped

    def sign_in(self) -> Any:
        """Account and password; tries are limited per account and per address."""
        wrong = ""
        if request.method == "POST":
            account, address = request.form.get("account", "")[:64], request.remote_addr or ""
            if self._accounts.wait_s(account) or self._addresses.wait_s(address):
                return render_template("sign_in.html", wrong="too_many"), 429
            who = staff.sign_in(self._centre, account, request.form.get("password", ""))
            if who is not None:
                return self._begin(who)
            self._accounts.wrong(account)
            self._addresses.wrong(address)
            wrong = "wrong_password"
        return render_template("sign_in.html", wrong=wrong), 403 if wrong else 200

    def _begin(self, who: staff.Staff) -> AnyResponse:
        language = session.get("language", "zh")
        session.clear()
        session.update(account=who.account, version=who.version, since=self._centre.now_ms(), language=language)
        return redirect(url_for("pages.compounds"))

    def sign_out(self) -> AnyResponse:
        session.clear()
        return redirect(url_for("pages.sign_in"))

    def welcome(self, secret: str) -> Any:
        """Behind a one-time link: choose a password."""
        address = request.remote_addr or ""
        if self._addresses.wait_s(address):
            return render_template("sign_in.html", wrong="too_many"), 429
        try:
            who = staff.read_link(self._centre, secret)
            if request.method == "POST":
                return self._begin(staff.use_link(self._centre, secret, request.form.get("password", "")))
        except NoSuchThing:
            self._addresses.wrong(address)
            raise
        return render_template("welcome.html", who=who)

    def compounds(self) -> Any:
        """The compounds this account may see."""
        return render_template("compounds.html", found=staff.compounds_of(self._centre, g.staff))


def _other_language() -> str:
    """This page in the other language, with what else was asked; the first page, from one that only answers forms."""
    tongue = "zh" if language() == "en" else "en"
    if request.url_rule is not None and "GET" not in (request.url_rule.methods or ()):
        return url_for("pages.compounds", lang=tongue)
    return "?" + urlencode(dict(request.args.items()) | {"lang": tongue})


def _protect(response: Response) -> Response:
    response.headers.update({
        "Content-Security-Policy": _CSP, "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    })  # fmt: skip
    return response


def explain(error: Exception) -> tuple[str, int]:
    """An error as a page, in words, in the language of the session."""
    g.setdefault("language", session.get("language", "zh"))
    if isinstance(error, NoSuchThing) or (isinstance(error, HTTPException) and error.code == 404):
        return render_template("error.html", key="not_found", why=""), 404
    if isinstance(error, CSRFError):
        return render_template("error.html", key="form_expired", why=""), 400
    if isinstance(error, CentreError):
        return render_template("error.html", key="not_done", why=why(error)), 409
    code = error.code if isinstance(error, HTTPException) and error.code else 500
    return render_template("error.html", key="broken" if code >= 500 else "not_done", why=""), code
