"""What a technician finds after a crash: the last warnings, errors, starts and stops, in two small files on the card.

Raspberry Pi OS keeps its journal in memory, and so do we: a slow or broken card must never hold up a process that
logs. This program alone reads that journal and copies the few lines that matter, a bounded number of them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import selectors
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

UNITS = ("core", "reader", "guard", "sync", "screen")
FILES = ("lines.log", "lines.1.log")
"""The newer and the older one."""
MOST_BYTES = 128 * 1024
"""Of one file; then it becomes the older one."""
BURST = 200
A_LINE_AGAIN_S = 10.0
"""After a burst one line is kept in this time, so a loop of crashes writes 2 MB a day and no more."""
LONGEST_LINE = 500
WARNING = 4
"""Of syslog's priorities; lower is worse."""
WAIT_S = 1.0
_CHUNK = 65536
_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_TRANSPORT,UNIT"
_IDLE_TALK = re.compile(r"(INFO|DEBUG) |\[[\d:. ]+\] *\[\d+\] +(INFO|DEBUG) ")
"""Of our own processes, and of libcamera in the reader."""
_SCREENS_OWN = re.compile(r"(WARNING|ERROR|CRITICAL|Error:) ?")
"""Of the screen's program; its compositor and browser complain about much that is not there."""

log = logging.getLogger("breadcrumb")


def line_of(entry: Mapping[str, Any]) -> str | None:
    """The line to keep of an entry of the journal; None for most. Pure."""
    message = entry.get("MESSAGE")
    if isinstance(message, list):  # bytes that are not text
        message = bytes(message).decode("utf-8", "replace")
    if not isinstance(message, str) or not _matters(entry, message):
        return None
    try:
        at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        up_s = int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6
    except (KeyError, ValueError, OverflowError, OSError):
        return None
    who = entry.get("SYSLOG_IDENTIFIER", "?")
    said = " ".join(message.split())[:LONGEST_LINE]
    return f"{at.strftime('%Y-%m-%dT%H:%M:%S.%f')[:-3]}Z up={up_s:.3f} {who}: {said}"


def _matters(entry: Mapping[str, Any], message: str) -> bool:
    if "UNIT" in entry:
        return True  # systemd on the start, stop or end of one of our units
    if entry.get("_TRANSPORT") == "kernel":
        return str(entry.get("PRIORITY", "6")) <= str(WARNING)
    if entry.get("SYSLOG_IDENTIFIER") == "gate-screen":
        return bool(_SCREENS_OWN.match(message))
    return not _IDLE_TALK.match(message)


class Allowance:
    """How many lines may still be written: a burst, then one in a while. Pure, but for the clock it is given."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._left = float(BURST)
        self._at = monotonic()
        self.left_out = 0
        """Since the last line that was taken."""

    def take(self) -> bool:
        now = self._monotonic()
        self._left = min(BURST, self._left + (now - self._at) / A_LINE_AGAIN_S)
        self._at = now
        if self._left < 1:
            self.left_out += 1
            return False
        self._left -= 1
        return True


class Breadcrumb:
    """Two files of bounded size in ``folder``. A card that fails costs lines, never the program."""

    def __init__(self, folder: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._newer, self._older = (folder / name for name in FILES)
        self._allowance = Allowance(monotonic)
        self._fails = False

    def keep(self, lines: list[str]) -> None:
        """On the card when this returns, if it takes them."""
        allowed: list[str] = []
        for line in lines:
            left_out = self._allowance.left_out
            if self._allowance.take():
                self._allowance.left_out = 0
                allowed += [f"… {left_out} lines left out", line] if left_out else [line]
        if allowed:
            self._written("".join(f"{line}\n" for line in allowed).encode("utf-8", "replace"))

    def _written(self, text: bytes) -> None:
        try:
            if self._newer.exists() and self._newer.stat().st_size + len(text) > MOST_BYTES:
                self._newer.replace(self._older)
            with self._newer.open("ab", 0) as file:
                file.write(text)
                os.fdatasync(file.fileno())
            self._fails = False
        except OSError as err:
            if not self._fails:
                log.error("breadcrumb=unwritten why=%r", err.strerror or str(err))
            self._fails = True


def command(since: str | None) -> list[str]:
    """journalctl that follows what may matter: since a moment in seconds, else from the start of this boot."""
    matches = ["_TRANSPORT=kernel"]
    for unit in UNITS:
        matches += ["+", f"_SYSTEMD_UNIT=gate-kiosk-{unit}.service", "+", f"UNIT=gate-kiosk-{unit}.service"]
    begin = ["--since", f"@{since}"] if since else []
    return ["journalctl", "--boot", "--follow", "--no-tail", "--output=json", "--all", f"--output-fields={_FIELDS}",
            *begin, *matches]  # fmt: skip


def follow(folder: Path, run_folder: Path, stopping: threading.Event, alive: Callable[[], None]) -> None:
    """Copy what matters until asked to stop. Raises OSError where there is no journalctl, EOFError when it ends.

    ``run_folder`` outlasts a restart of this program and no reboot: what was kept in this boot is not kept twice.
    """
    crumb, seen = Breadcrumb(folder), run_folder / "seen"
    since = seen.read_text("ascii") if seen.exists() else None
    system = os.uname()
    crumb.keep([f"--- {'again' if since else 'boot'}: {system.nodename}, kernel {system.release}"])
    answers, theirs = os.pipe()
    try:
        journal = subprocess.Popen(command(since), stdout=theirs)  # noqa: S603 - our own words
    except OSError:
        os.close(answers)
        raise
    finally:
        os.close(theirs)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(answers, selectors.EVENT_READ)
            waiting = b""
            while not stopping.is_set():
                alive()
                if not selector.select(WAIT_S):
                    continue
                more = os.read(answers, _CHUNK)
                if not more:
                    raise EOFError("journalctl has ended")
                *whole, waiting = (waiting + more).split(b"\n")
                _keep(crumb, whole, seen)
        crumb.keep(["--- stopped in order"])
    finally:
        os.close(answers)
        journal.terminate()
        journal.wait()


def _keep(crumb: Breadcrumb, entries: list[bytes], seen: Path) -> None:
    lines: list[str] = []
    for text in entries:
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        if line := line_of(entry):
            lines.append(line)
            # Where the next start goes on: a microsecond after this line.
            seen.write_text(f"{(int(entry['__REALTIME_TIMESTAMP']) + 1) / 1e6:.6f}", "ascii")
    if lines:
        crumb.keep(lines)
