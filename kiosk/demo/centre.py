"""The demo's centre: started as the program it is, and spoken to through its command line."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kiosk.together import Child, wait_until

START_S = 120.0  # nothing waits so long where it starts sooner
OURS = range(20_000, 32_000)
"""Ports below those that Linux lends to connections (from 32768, net.ipv4.ip_local_port_range)."""
_TRIES = 200


class DemoError(Exception):
    """The demo could not be set up; the text says which part and where its log is."""


class Centre:
    """The centre as a running program and as a command line."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._log = folder / "centre.log"
        self._child: Child | None = None
        self.url = ""

    def start(self) -> None:
        """Serve, always at the same address: also where it was killed and its watcher started it again."""
        port = str(urlsplit(self.url).port or free_port())
        heard = self._log.stat().st_size if self._log.exists() else 0
        command = [*self._command, "run", "--port", port, "--json"]
        self._child = Child("centre", command, self._log)

        def ready() -> bool:
            with self._log.open("rb") as log:
                log.seek(heard)
                urls = [json.loads(line)["url"] for line in log if line.startswith(b'{"')]
            self.url = urls[-1] if urls else self.url
            return bool(urls)

        if not wait_until(ready, START_S):
            raise DemoError(f"the centre did not start; see {self._log}")

    def stop(self) -> None:
        """Idempotent: for the gate this is the network being gone."""
        if self._child:
            self._child.stop()
            self._child = None

    @property
    def pid(self) -> int:
        """The process id, 0 while it is stopped."""
        return self._child.pid if self._child else 0

    def kill(self) -> int:
        """kill -9, as a crash would; it is started again. Returns the process id that was killed."""
        if self._child is None:
            raise DemoError("the centre is not running")
        return self._child.kill()

    @property
    def _command(self) -> list[str]:
        return [sys.executable, "-m", "sync.server", "--state", str(self._folder)]

    def say(self, *args: str) -> Any:
        """One command with ``--json``; what it printed. Raises DemoError with what it said."""
        done = subprocess.run(  # noqa: S603 - our own program with our own arguments
            [*self._command, *args, "--json"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DemoError(f"sync.server {' '.join(args[:2])}: {done.stderr.strip()}")
        return json.loads(done.stdout)


def free_port() -> int:
    """A port of loopback that nobody has now, and that no connection is lent before a program listens on it.

    Raises DemoError where there is none.
    """
    for _ in range(_TRIES):
        port = secrets.choice(OURS)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise DemoError(f"no port of loopback is free from {OURS.start} to {OURS.stop}")
