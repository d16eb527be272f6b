"""A Chromium that is spoken to through two pipes: no port that anybody else could ask.

``--remote-debugging-pipe`` reads commands from file descriptor 3 and writes answers to 4, each a JSON text that ends
with a zero byte (https://chromedevtools.github.io/devtools-protocol/). A compositor between us and the browser hands
both descriptors on.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import time
from collections.abc import Mapping
from typing import Any

COMMANDS_FD, ANSWERS_FD = 3, 4
END_S = 5.0
_CHUNK = 65536
_MOST_BYTES = 4_000_000


class BrowserError(Exception):
    """The browser has ended, or what it says cannot be understood: start another one."""


class Silent(BrowserError):
    """No answer in time; a later question may get one."""


class Browser:
    """The program in ``command``, started at once. Not thread-safe.

    Raises BrowserError where it cannot be started.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        theirs, self._commands = _pipe()
        self._answers, theirs_too = _pipe()
        hand_on = [(os.POSIX_SPAWN_DUP2, theirs, COMMANDS_FD), (os.POSIX_SPAWN_DUP2, theirs_too, ANSWERS_FD)]
        try:
            # A group of its own, so that close() reaches the compositor's children as well.
            self.pid = os.posix_spawnp(command[0], command, environment, file_actions=hand_on, setpgroup=0)
        except OSError as err:
            os.close(self._commands)
            os.close(self._answers)
            raise BrowserError(f"{command[0]} cannot be started: {err.strerror or err}") from err
        finally:
            os.close(theirs)
            os.close(theirs_too)
        os.set_blocking(self._commands, False)
        self._said = b""
        self._asked = 0
        self._session = ""

    def look(self, expression: str, timeout: float) -> str:
        """What the page makes of a JavaScript ``expression``; "" when it makes nothing of it."""
        answer = self._ask_page("Runtime.evaluate", {"expression": expression, "returnByValue": True}, timeout)
        return str(answer.get("result", {}).get("value", ""))

    def go(self, address: str, timeout: float) -> None:
        self._ask_page("Page.navigate", {"url": address}, timeout)

    def close(self) -> None:
        """Idempotent. Ends the browser and all it started."""
        if self.pid:
            os.close(self._commands)
            os.close(self._answers)
            _end(self.pid)
            self.pid = 0

    def _ask_page(self, method: str, parameters: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        until = time.monotonic() + timeout
        if not self._session:
            self._session = self._attached(until)
        try:
            return self._ask(method, parameters, until, self._session)
        except BrowserError:
            self._session = ""  # a page whose process died is attached to anew
            raise

    def _attached(self, until: float) -> str:
        targets = self._ask("Target.getTargets", {}, until).get("targetInfos", [])
        page = next((target for target in targets if target.get("type") == "page"), None)
        if page is None:
            raise Silent("the browser has no page yet")
        attached = self._ask("Target.attachToTarget", {"targetId": page["targetId"], "flatten": True}, until)
        return str(attached.get("sessionId", ""))

    def _ask(
        self, method: str, parameters: Mapping[str, Any], until: float, session: str | None = None
    ) -> dict[str, Any]:
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._send(json.dumps(message).encode() + b"\0")
        while True:
            said = self._heard(until)
            if said.get("id") != self._asked:
                continue  # an event, or a late answer
            if "error" in said:
                raise Silent(f"{method}: {said['error'].get('message', '')}")
            result: dict[str, Any] = said.get("result", {})
            return result

    def _send(self, message: bytes) -> None:
        try:
            sent = os.write(self._commands, message)
        except BlockingIOError as err:
            raise BrowserError("the browser reads nothing") from err
        except OSError as err:
            raise BrowserError(f"the browser is gone: {err.strerror}") from err
        if sent != len(message):
            raise BrowserError("the browser reads too slowly")

    def _heard(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._said:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise Silent("the browser does not answer")
            more = os.read(self._answers, _CHUNK)
            if not more or len(self._said) > _MOST_BYTES:
                raise BrowserError("the browser has ended" if not more else "the browser says too much")
            self._said += more
        message, _, self._said = self._said.partition(b"\0")
        try:
            said: dict[str, Any] = json.loads(message)
        except ValueError as err:
            raise BrowserError("the browser does not speak JSON") from err
        return said


def _pipe() -> tuple[int, int]:
    """Both ends above the descriptors that the browser gets, so that placing one does not close the other."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, ANSWERS_FD + 1) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _end(pid: int) -> None:
    """SIGTERM to the whole group, then SIGKILL; returns when the first process is gone."""
    until = time.monotonic() + END_S
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    while time.monotonic() < until:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
                continue
        break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
