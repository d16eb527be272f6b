"""A guard at the guards' page, as the story plays one: over HTTP, with the forms that the page's script sends."""

from __future__ import annotations

import re
import time

import requests

from kiosk.verbs import TIMELY_S

_ANSWER_S = 10.0


class Post:
    """One guard's session at the page of ``address``."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False

    def sign_in(self, name: str, pin: str) -> str:
        """``signed in``, or the status of the refusal."""
        answer = self._session.post(f"{self._address}/sign-in", data={"name": name, "pin": pin}, timeout=_ANSWER_S)
        return "signed in" if answer.ok and name in answer.text else f"HTTP {answer.status_code}"

    def tap_open(self, line: int = 0, held_up_s: float = 0.0) -> str:
        """A tap on Open at the entry: for whoever waits in that line of the list, or for nobody in particular. The tap
        is underway for so long. What came of it: ``done`` or ``refused``."""
        form = {
            "lane": "entry",
            "form_token": self._form_token(),
            "until": int((time.monotonic() + TIMELY_S) * 1000),
            "happening": line,
            "waits": int(line > 0),
        }
        time.sleep(held_up_s)
        headers = {"X-Page-Script": "1"}
        answer = self._session.post(f"{self._address}/open", data=form, headers=headers, timeout=_ANSWER_S)
        return "done" if answer.json()["ok"] else "refused"

    def _form_token(self) -> str:
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', self.read())
        return found[1] if found else ""

    def read(self, line: int = 0) -> str:
        """The page as it is drawn now, about that line of the list, or about whoever matters most."""
        return self._session.get(f"{self._address}/", params={"show": line}, timeout=_ANSWER_S).text

    def look_up(self, term: str) -> str:
        """The page of what was found."""
        form = {"term": term, "form_token": self._form_token()}
        return self._session.post(f"{self._address}/look-up", data=form, timeout=_ANSWER_S).text

    def close(self) -> None:
        self._session.close()
