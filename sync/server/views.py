"""What every view needs: its route, what the browser sent, times and errors in the words of the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import g, render_template, request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from sync.hosts import asked
from sync.places import origin_of
from sync.server import words
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.people import public_address
from sync.server.people.public_address import NoPublicAddress
from sync.server.staff import roles

View = Callable[..., Any]


class Route(NamedTuple):
    """A page behind the sign-in, and the right it needs. ``rule`` is below the compound's address, or, where it begins
    with ``/``, of the whole town; the view is named by its function. ``to_change``: another right for anything but
    reading."""

    rule: str
    view: View
    methods: tuple[str, ...]
    right: roles.Right
    to_change: roles.Right | None = None


class OpenRoute(NamedTuple):
    """A page anybody may open: what protects its objects is an unguessable part of the address, or a cookie."""

    rule: str
    view: View
    methods: tuple[str, ...]


_MOST_PAGES = 1_000_000
LARGEST_NUMBER = 1 << 53
"""No number of ours is beyond it."""


def language() -> words.Language:
    """The language of the page being made."""
    return "en" if g.get("language") == "en" else "zh"


def page_number() -> int:
    """Of the query; 1 for an invalid page."""
    return max(1, min(request.args.get("page", 1, type=int), _MOST_PAGES))


def sent_number(sent: MultiDict[str, str], name: str, otherwise: int = 0) -> int:
    """What was sent under a name, or the nearest that a database keeps; ``otherwise`` for an invalid number."""
    return max(-LARGEST_NUMBER, min(sent.get(name, otherwise, type=int), LARGEST_NUMBER))


def client_network() -> str:
    """Who asks, for counting."""
    return origin_of(request.remote_addr or "")


def whole_address(conn: Connection, path: str) -> str:
    """Where others open a page of the centre: under the town's public address. Empty where it has set none, unless a
    browser on this very machine asks."""
    place = asked(request.environ)
    return public_address.public_address(conn, path, request.url_root if place and place.is_loopback else "")


def address_to_give(conn: Connection, path: str) -> str:
    """As :func:`whole_address`, to be asked for before the secret in it is made. Raises NoPublicAddress."""
    found = whole_address(conn, path)
    if not found:
        raise NoPublicAddress
    return found


def zone() -> ZoneInfo:
    """The timezone of the compound whose page it is; on a page of the whole town that of its compounds."""
    return ZoneInfo(g.compound.timezone if g.get("compound") else g.get("timezone", "UTC"))


def local(utc_ms: int, seconds: bool = False) -> str:
    """A time in the compound's timezone, as people write it."""
    return datetime.fromtimestamp(utc_ms / 1000, zone()).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def until(utc_ms: int) -> str:
    """The end of a validity: one at midnight is the end of the day before, as people say it."""
    told = local(utc_ms)
    return f"{local(utc_ms - 1)[:10]} 24:00" if told.endswith(" 00:00") else told


def error_text(error: CentreError) -> str:
    """What cannot be done, in the language of the page."""
    return (language() != "en" and error.zh) or str(error)


def or_again(act: Callable[[], Any], template: str, again: Callable[[], dict[str, Any]]) -> Any:
    """What ``act`` answers; where it cannot be done, the page again with why, and with what was written in it."""
    try:
        return act()
    except (NoSuchThing, NoPublicAddress):
        raise
    except CentreError as error:
        return render_template(template, wrong=error_text(error), form=request.form, **again()), 409
