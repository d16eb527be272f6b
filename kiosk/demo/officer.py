"""Somebody who works at the demo's centre, and how a browser becomes that person."""

from __future__ import annotations

import re
import secrets
import threading
from typing import Any

import requests

from kiosk.demo.centre import Centre, DemoError

COOKIE = "centre"
"""The centre's session cookie. Cookies have no port: what the demo's page sets, the centre gets."""
_TIMEOUT_S = 20.0


class Officer:
    """One account of the centre, signed in by the demo so that its door opens at every click."""

    def __init__(self, centre: Centre, role: str, path: str):
        self.role = role
        self._centre = centre
        self._path = path
        self._session = requests.Session()
        self._session.trust_env = False
        self._one_at_a_time = threading.Lock()

    def cookie(self) -> str:
        """The session cookie of this person, good now. Raises DemoError, requests.RequestException."""
        with self._one_at_a_time:
            if not self._is_signed_in():
                self._sign_in(self._path or self._new_path())
                self._path = ""
                if not self._is_signed_in():
                    raise DemoError(f"the centre does not let {self.role} in")
            return str(self._session.cookies[COOKIE])

    def _is_signed_in(self) -> bool:
        return self._ask("GET", "/me").status_code == 200

    def _new_path(self) -> str:
        """A fresh one-time link: somebody ended the session, or chose another password."""
        return str(self._centre.say("staff-link", self.role)["path"])

    def _sign_in(self, path: str) -> None:
        """Use a one-time link with a password that nobody needs to know."""
        self._session.cookies.clear()
        found = re.search(r'name="csrf_token" value="([^"]+)"', self._ask("GET", path).text)
        form = {"csrf_token": found[1] if found else "", "password": secrets.token_urlsafe(24)}
        self._ask("POST", path, data=form)

    def _ask(self, method: str, path: str, **content: Any) -> requests.Response:
        address = self._centre.url + path
        return self._session.request(method, address, timeout=_TIMEOUT_S, allow_redirects=False, **content)
