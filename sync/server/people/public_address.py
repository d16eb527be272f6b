"""The public address: the one place that makes whole addresses of pages, for posters, papers, messages and links.

Never from what a browser calls the centre: that name is anyone's to choose, and it ends in print and in other people's
phones.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from sync.hosts import host_of
from sync.server.centre.errors import CentreError
from sync.server.centre.store import Store
from sync.server.passes.lane_screen import PUBLIC_URL
from sync.server.people.town_setting import read_setting

_log = logging.getLogger(__name__)


class NoPublicAddress(CentreError):
    """A link or a code was asked for, and nobody knows under which address others reach the centre."""

    def __init__(self) -> None:
        super().__init__(
            "还没有设置居民用的网址，所以给不出链接和二维码。请镇级账号在“全镇设置”里填上。",
            "The town has not set the address residents use, so there is no link and no code to give. An account of "
            "the town sets it in Town settings.",
        )


def public_base(conn: Connection) -> str:
    """What the town has set, without a last slash; empty where it has set none."""
    return read_setting(conn, PUBLIC_URL).rstrip("/")


def public_address(conn: Connection, path: str, this_machine: str = "") -> str:
    """Where a page of the centre is for everybody; empty where nobody knows. ``this_machine`` is its address on
    loopback, for a town tried out on one machine."""
    base = public_base(conn) or this_machine.rstrip("/")
    return base + path if base else ""


class PublicHost:
    """The name in the town's public address, read anew at each request: it may be set at any moment."""

    def __init__(self, store: Store):
        self._store = store
        self._last = ""

    def read(self) -> str:
        """Empty where none is set. While the database does not answer, what it said last."""
        try:
            with self._store.read() as conn:
                self._last = host_of(urlsplit(public_base(conn)).netloc)
        except SQLAlchemyError as err:
            _log.warning("public_address=unknown why=%s", type(err).__name__)
        return self._last
