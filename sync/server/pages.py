"""What every page of the centre shares: its language, its words, its headers, and errors told in words."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, current_app, g, render_template, request, session, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from sync.credential import KIND_NUMBERS
from sync.server import words
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.people.public_address import NoPublicAddress
from sync.server.views import error_text, language, local, until

_CSP = "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
_CSP += "manifest-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


SECRETS = frozenset({"link", "secret", "code"})
"""Variables of addresses that open something to anyone who has the address."""


MOST_FIELD = 64_000
"""Characters of one field: a signature has up to 60,000, words a few hundred."""


def dress(blueprint: Blueprint) -> Blueprint:
    """Give a blueprint's pages all of it."""
    blueprint.before_request(_choose_language)
    blueprint.before_request(_refuse_impossible)
    for kind in (CentreError, CSRFError, HTTPException):
        blueprint.register_error_handler(kind, explain)
    return blueprint


def _choose_language() -> None:
    wanted = request.args.get("lang")
    if wanted in ("zh", "en"):
        session["language"] = wanted
    g.language = session.get("language", "zh")


def _refuse_impossible() -> None:
    """What nobody writes into a form: zero bytes, of which PostgreSQL keeps none, and more than a drawn signature."""
    sent = [value for _, value in request.values.items(multi=True)]
    if "\0" in request.path or any("\0" in value for value in sent):
        abort(400)
    if any(len(value) > MOST_FIELD for value in sent):
        abort(413)


def context() -> dict[str, Any]:
    """What templates know without being told."""
    tongue = language()
    return {
        "t": lambda key: words.say(tongue, key), "language": tongue, "kinds": list(KIND_NUMBERS),
        "staff": g.get("staff"), "compound": g.get("compound"), "local": local,
        "until_words": until, "both": words.WORDS.get, "here": _other_language,
        "pair": lambda zh, en: (tongue == "en" and en) or zh,
    }  # fmt: skip


def _other_language() -> str:
    """This page in the other language, with what else was asked; the first page, from one that only answers forms."""
    tongue = "zh" if language() == "en" else "en"
    if request.url_rule is not None and "GET" not in (request.url_rule.methods or ()):
        return url_for("office.compounds", lang=tongue)
    return "?" + urlencode(dict(request.args.items()) | {"lang": tongue})


def protect(response: Response) -> Response:
    """The headers of every answer, whatever made it: a page, a file, the API, an error."""
    # What a page's address holds must not be told to any page one goes to from there.
    secret = not SECRETS.isdisjoint(request.view_args or {})
    headers = {
        "Content-Security-Policy": _CSP, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer" if secret else "same-origin",
    }  # fmt: skip
    if current_app.config["SESSION_COOKIE_SECURE"]:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response


def explain(error: Exception) -> tuple[str, int]:
    """An error as a page, in words, in the language of the session."""
    g.setdefault("language", session.get("language", "zh"))
    page = "residents/error.html" if request.blueprint == "residents" else "error.html"
    if isinstance(error, NoSuchThing) or (isinstance(error, HTTPException) and error.code == 404):
        return render_template(page, key="not_found", why=""), 404
    if isinstance(error, CSRFError):
        return render_template(page, key="form_expired", why=""), 400
    if isinstance(error, NoPublicAddress):
        return render_template(page, key="not_done", why=error_text(error), lead="settings.lead"), 409
    if isinstance(error, CentreError):
        return render_template(page, key="not_done", why=error_text(error)), 409
    if isinstance(error, HTTPException) and error.code == 403:
        return render_template(page, key="not_allowed", why=""), 403
    code = error.code if isinstance(error, HTTPException) and error.code else 500
    key = "too_large" if code == 413 else "broken" if code >= 500 else "not_done"
    return render_template(page, key=key, why=""), code
