"""The cookie in which a browser keeps the token of its draft, one for each compound, and by what it is known again."""

from __future__ import annotations

import secrets

from flask import current_app, request, session
from werkzeug.wrappers import Response

from sync.server.people.households.drafts import KEPT_MS


def token(compound_id: int) -> str:
    """Empty where this browser has none."""
    return request.cookies.get(_name(compound_id), "")


def browser() -> str:
    """By what this browser is known when it applies again: a word in the signed cookie of the session. Whoever empties
    the cookie is another browser, so it is one sign among others."""
    return str(session.setdefault("browser", secrets.token_urlsafe(12)))


def keep(response: Response, compound_id: int, secret: str) -> Response:
    """For as long as drafts are kept, from now on."""
    response.set_cookie(
        _name(compound_id), secret, max_age=KEPT_MS // 1000, path=_path(compound_id), httponly=True, samesite="Lax",
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
    )  # fmt: skip
    return response


def empty(response: Response, compound_id: int) -> Response:
    """Idempotent."""
    session.pop("browser", None)
    response.delete_cookie(_name(compound_id), path=_path(compound_id), httponly=True, samesite="Lax")
    return response


def _name(compound_id: int) -> str:
    return f"draft_{compound_id}"


def _path(compound_id: int) -> str:
    return f"{request.script_root}/j/{compound_id}"
