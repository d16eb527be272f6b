"""The four processes in one terminal, for a laptop and for the demo: started, watched, restarted, stopped."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

PROCESSES = ("core", "reader", "guard", "sync")
RESTART_S = 0.5
STOP_S = 8.0

log = logging.getLogger("together")


class Child:
    """One program that is started again when it ends, until :meth:`stop`. ``log_file`` receives what it prints."""

    def __init__(self, name: str, command: list[str], log_file: Path | None = None):
        self.name = name
        self._command = command
        self._log_file = log_file
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch, name=f"watch-{name}", daemon=True)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        output = self._log_file.open("ab") if self._log_file else None
        try:
            # The command is this very program with arguments of our own.
            return subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT if output else None)  # noqa: S603
        finally:
            if output:
                output.close()

    def _watch(self) -> None:
        while True:
            code = self._process.wait()
            if self._stopping.is_set():
                return
            log.warning("process=%s ended=%d", self.name, code)
            self._stopping.wait(RESTART_S)
            with self._lock:
                if self._stopping.is_set():
                    return
                self._process = self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> int:
        """kill -9, as a crash would; it is started again. Answers the process id that was killed."""
        process = self._process
        process.kill()
        return process.pid

    def stop(self) -> None:
        """Ask it to end, and make it end if it does not. Idempotent."""
        with self._lock:
            self._stopping.set()
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join(STOP_S)


class Together:
    """The device's processes with one configuration file."""

    def __init__(self, config: Path, log_folder: Path | None = None, names: tuple[str, ...] = PROCESSES):
        self.children = {
            name: Child(
                name,
                [sys.executable, "-m", "kiosk", name, "--config", str(config)],
                log_folder / f"{name}.log" if log_folder else None,
            )
            for name in names
        }

    def stop(self) -> None:
        """Reader and guard first, the core last: what they asked for is still carried out."""
        for name in sorted(self.children, key=lambda name: name == "core"):
            self.children[name].stop()


def wait_until(true: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Whether something came true within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(every)
    return true()
