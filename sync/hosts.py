"""Which names a site answers to, of those that browsers put into ``Host``.

A stranger's page can have its own name lead to a device in the yard (DNS rebinding): the browser then takes the device
for that stranger's site, and lets his script read what it answers. Only the name gives it away. So a name that is not
the site's own is refused before anything else. An address in figures is the site's own where the connection arrived at
it: no name can be made to lead there.

Source: RFC 9110 §7.2 and §15.5.20 (421, Misdirected Request).
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("serving")

REACHED = "serving.reached"
"""In a request's environment: the address of ours at which its connection arrived."""
LOCALHOST = "localhost"
"""Browsers resolve it themselves, to this machine."""
_MOST_TOLD = 20
_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_.-]{1,253}))(?::[0-9]{0,5})?")

Application = Callable[..., Iterable[bytes]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Asked:
    """What a request says of the place it is for: the name or address in its ``Host``, where it arrived, and from where
    it came."""

    host: str
    reached: str
    came_from: str

    @property
    def address(self) -> Address | None:
        """Where ``Host`` is an address in figures."""
        return _address(self.host)

    @property
    def is_own(self) -> bool:
        """Whether the request names the address it arrived at, or this very machine."""
        address = self.address
        arrived = address is not None and address == _address(self.reached)
        return arrived or self.host == LOCALHOST or self.is_loopback

    @property
    def is_loopback(self) -> bool:
        """Whether a program on this machine asks for this machine, and no proxy for somebody else."""
        came_from, address = _address(self.came_from), self.address
        here = self.host == LOCALHOST or (address is not None and address.is_loopback)
        return here and came_from is not None and came_from.is_loopback


def asked(environ: Mapping[str, Any]) -> Asked | None:
    """None for a request with an invalid ``Host``, or none."""
    host = host_of(environ.get("HTTP_HOST", ""))
    forwarded = "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ
    came_from = "" if forwarded else environ.get("REMOTE_ADDR", "")
    return Asked(host, environ.get(REACHED, ""), came_from) if host else None


def host_of(words: str) -> str:
    """The name or address of a ``Host`` field, in small letters without a port or a last dot; empty where invalid."""
    found = _HOST.fullmatch(words.lower())
    return (found[1] or found[2]).removesuffix(".") if found else ""


def _address(words: str) -> Address | None:
    try:
        address = ipaddress.ip_address(words.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class KnownHosts:
    """A WSGI application that refuses requests for other names than its own, before the inner one sees them.

    ``names`` are asked for each request that does not name an address of its own. ``any_address``: behind a proxy
    nobody knows at which address a request arrived, and an address in figures is no stranger's name. ``refusal`` makes
    the answer to a request that is refused: its content type and its words.
    """

    def __init__(
        self,
        app: Application,
        names: Callable[[], Collection[str]],
        refusal: Callable[[dict[str, Any]], tuple[str, str]],
        any_address: bool = False,
    ):
        self._app = app
        self._names = names
        self._refusal = refusal
        self._any_address = any_address
        self._told: set[str] = set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        place = asked(environ)
        if place is not None and (place.is_own or (self._any_address and place.address) or place.host in self._names()):
            return self._app(environ, start_response)
        self._tell(place.host if place else "")
        kind, words = self._refusal(environ)
        body = words.encode()
        headers = [
            ("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ]  # fmt: skip
        start_response("421 Misdirected Request" if place else "400 Bad Request", headers)
        return [body]

    def _tell(self, host: str) -> None:
        """Once for each name, so that its operator sees which one to allow, and no stranger fills the log."""
        if host not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(host)
            log.warning("host=refused name=%s", host[:100] or "invalid")
