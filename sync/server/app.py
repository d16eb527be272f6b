"""The centre as a WSGI application."""

from __future__ import annotations

import atexit
import functools
import logging
from collections.abc import Callable
from typing import Any, cast

import msgspec
from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, ServiceUnavailable
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map, Rule, ValidationError

from sync.hosts import KnownHosts
from sync.protocol import API, VERSION, Refusal
from sync.server.centre.settings import Settings
from sync.server.centre.writing import Centre
from sync.server.gates.api import GateApi, refuse
from sync.server.gates.presence import Presence, Watch
from sync.server.office.frame import Office
from sync.server.opening import open_centre
from sync.server.pages import explain, protect
from sync.server.people.public_address import PublicHost
from sync.server.residents.frame import Residents
from sync.server.views import LARGEST_NUMBER
from sync.server.words import WORDS

_log = logging.getLogger(__name__)
_BUSY_S = 5
MOST_BODY_BYTES = 8 << 20  # 500 events of 8,192 characters, escaped


class _Number(IntegerConverter):
    """A number in an address; one that no database keeps is nobody's."""

    def __init__(self, url_map: Map, *args: Any, **kwargs: Any):
        super().__init__(url_map, *args, **{"max": LARGEST_NUMBER} | kwargs)

    def to_python(self, value: str) -> int:
        if len(value) > len(str(LARGEST_NUMBER)):
            raise ValidationError
        return int(super().to_python(value))


class _Route(Rule):
    """A route whose links are compiled when the first one is written: of all routes that was most of a start's time."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = functools.cache(lambda: super(_Route, self)._compile_builder(append_unknown))
        return lambda *values, **named: compiled()(*values, **named)


class _Application(Flask):
    """Flask that writes no address down when a page fails: a link or a code in it is somebody's secret."""

    url_rule_class = _Route

    def log_exception(self, exc_info: Any) -> None:
        _log.error("page=failed endpoint=%s method=%s", request.endpoint, request.method, exc_info=exc_info)


def create_app(settings: Settings) -> Flask:
    """The application on a state folder, with its database at the newest version. ``close_app`` it.

    Raises StoreError or VaultError where the state cannot be used.
    """
    centre = open_centre(settings)
    presence = Presence(centre)
    app = _Application(__name__)
    app.url_map.converters["int"] = _Number
    app.config.update(
        SECRET_KEY=centre.vault.derive("session"),
        MAX_CONTENT_LENGTH=MOST_BODY_BYTES,
        SESSION_COOKIE_NAME="centre",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        # A household's page sends no Referer, since its address is a secret, and some phones never do: the token that
        # every form carries, bound to a SameSite cookie, is what protects it.
        WTF_CSRF_SSL_STRICT=False,
    )
    gates = GateApi(centre, presence)
    api = gates.blueprint()
    CSRFProtect(app).exempt(api)  # gates send a token in a header, which no other site can make a browser send
    app.register_blueprint(api)
    app.register_blueprint(Office(centre).blueprint())
    app.register_blueprint(Residents(centre).blueprint())
    app.after_request(protect)
    for kind in (HTTPException, OperationalError):
        app.register_error_handler(kind, _explain)
    watch = Watch(centre, presence)
    app.extensions.update(centre=centre, presence=presence, watch=watch, gates=gates)
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)  # type: ignore[method-assign]
    _answer_to_own_names(app, centre)
    if settings.watch:
        watch.start()
    atexit.register(close_app, app)
    return app


def _answer_to_own_names(app: Flask, centre: Centre) -> None:
    settings, public = centre.settings, PublicHost(centre.store)
    app.wsgi_app = KnownHosts(  # type: ignore[method-assign]
        app.wsgi_app, lambda: {*settings.host_names, public.read()}, _other_host, any_address=settings.proxies > 0
    )


def _other_host(environ: dict[str, Any]) -> tuple[str, str]:
    """Why a request under another name is not answered."""
    if environ.get("PATH_INFO", "").startswith(API):
        words = "This centre does not answer to this name; its operator allows it with run --host-name."
        return "application/json", msgspec.json.encode(Refusal(VERSION, "other_host", words)).decode()
    return "text/plain; charset=utf-8", "".join(f"{words}\n" for words in WORDS["other_host"])


def _explain(error: Exception) -> ResponseReturnValue:
    """What went wrong, for a program under the API's path, for a person elsewhere."""
    if isinstance(error, OperationalError):
        _log.warning("database=busy why=%s", error.orig)
        error = ServiceUnavailable()
    code = error.code if isinstance(error, HTTPException) and error.code else 500
    if not request.path.startswith(API):
        return explain(error)
    words = error.description if isinstance(error, HTTPException) and error.description else "The centre failed."
    return refuse(code, "busy" if code == 503 else f"http_{code}", words, _BUSY_S if code == 503 else None)


def centre_of(app: Flask) -> Centre:
    return cast(Centre, app.extensions["centre"])


def gates_of(app: Flask) -> GateApi:
    return cast(GateApi, app.extensions["gates"])


def close_app(app: Flask) -> None:
    """Stop the watching thread, end every stream, close the database. Idempotent."""
    atexit.unregister(close_app)
    cast(Watch, app.extensions["watch"]).stop()
    centre_of(app).close()
