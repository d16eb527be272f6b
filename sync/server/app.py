"""The centre as a WSGI application."""

from __future__ import annotations

import atexit
from typing import cast

from flask import Flask
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from sync.server.api import GateApi
from sync.server.centre import Centre, open_centre
from sync.server.pages import Pages
from sync.server.presence import Presence, Watch
from sync.server.settings import Settings

MOST_BODY_BYTES = 8 << 20  # 500 events of 8,192 characters, escaped


def create_app(settings: Settings) -> Flask:
    """The application on a state folder, with its database at the newest version. ``close_app`` it.

    Raises StoreError or VaultError where the state cannot be used.
    """
    centre = open_centre(settings)
    presence = Presence(centre)
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=centre.vault.derive("session"),
        MAX_CONTENT_LENGTH=MOST_BODY_BYTES,
        SESSION_COOKIE_NAME="centre",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    api = GateApi(centre, presence).blueprint()
    CSRFProtect(app).exempt(api)  # gates send a token in a header, which no other site can make a browser send
    app.register_blueprint(api)
    app.register_blueprint(Pages(centre).blueprint())
    watch = Watch(centre, presence)
    app.extensions.update(centre=centre, presence=presence, watch=watch)
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)  # type: ignore[method-assign]
    if settings.watch:
        watch.start()
    atexit.register(close_app, app)
    return app


def centre_of(app: Flask) -> Centre:
    return cast(Centre, app.extensions["centre"])


def close_app(app: Flask) -> None:
    """Stop the watching thread, end every stream, close the database. Idempotent."""
    atexit.unregister(close_app)
    cast(Watch, app.extensions["watch"]).stop()
    centre_of(app).close()
