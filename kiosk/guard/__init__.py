"""The guards' page: watch, answer, override, look up. It holds nothing but what the core tells it."""

from __future__ import annotations

from flask import Flask

from kiosk.guard.core import Core, GuardSettings
from kiosk.guard.live import Live
from kiosk.guard.pages import MAX_REQUEST, Post, pages

__all__ = ["Core", "GuardSettings", "create_app"]


def create_app(core: Core, settings: GuardSettings) -> Flask:
    """The WSGI application. Nothing is asked of the core before the first request."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["post"] = Post(core, settings, Live(core))
    app.register_blueprint(pages)
    return app
