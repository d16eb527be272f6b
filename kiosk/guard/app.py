"""The guards' page as a WSGI application, put together from its parts."""

from __future__ import annotations

from flask import Flask

from kiosk.guard import acts, doors, frame, live_list, looks, present, screen
from kiosk.guard.line import CoreLine, GuardSettings
from kiosk.guard.live import Live


def create_app(core: CoreLine, settings: GuardSettings) -> Flask:
    """The WSGI application. Nothing is asked of the core before the first request."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = present.MAX_REQUEST
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["post"] = frame.Post(core, settings, Live(core))
    app.extensions["screens"] = screen.Screens(core)
    for part in (frame, live_list, acts, looks, present, screen):
        app.register_blueprint(part.routes)
    doors.answer_to(app, settings.hosts)
    return app
