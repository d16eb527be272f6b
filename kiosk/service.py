"""Being a good daemon: ready, watchdog, signals, sockets handed over by systemd, logging to stdout."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import sdnotify

from kiosk.channel import listen

FIRST_FD = 3  # sd_listen_fds(3)


class Service:
    """One daemon's dealings with systemd; all of it does nothing where there is no systemd."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._notifier = sdnotify.SystemdNotifier() if os.environ.get("NOTIFY_SOCKET") else None
        self._ready = False

    def on_signals(self) -> None:
        """SIGTERM and SIGINT ask for an orderly stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())

    def ready(self, status: str) -> None:
        """Tell systemd once that the service does its work."""
        if not self._ready:
            self._ready = True
            self._notify(f"READY=1\nSTATUS={status}")
            logging.getLogger("service").info("state=ready %s", status)

    def alive(self) -> None:
        """Feed the watchdog. Call it from the work itself, never from a thread of its own."""
        self._notify("WATCHDOG=1")

    def stop(self) -> None:
        self._notify("STOPPING=1")

    def _notify(self, state: str) -> None:
        if self._notifier:
            self._notifier.notify(state)


def listener(name: str, path: Path) -> socket.socket:
    """The listening socket of that name from systemd (``FileDescriptorName=``), else a new one at ``path``."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        names = os.environ.get("LISTEN_FDNAMES", "").split(":")
        if name in names:
            return socket.socket(fileno=FIRST_FD + names.index(name))
    return listen(path)


def log_to_stdout(level: int = logging.INFO) -> None:
    """One ``key=value`` line per change of state; the journal of the machine adds the time."""
    logging.basicConfig(stream=sys.stdout, level=level, format="%(levelname)s %(name)s %(message)s", force=True)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
