"""What the core must remember over a restart besides the journal: one small JSON file, replaced atomically.

It changes seldom (a signed time statement, a lockdown, a lane held open), never per passage.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from sync.durable import replace_durably

log = logging.getLogger("kept")


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """``floor_ms``: time cannot be before this; ``rtc_agreed``: the hardware clock agreed with the last statement;
    ``seen``: the highest revision of each signed item in ``seen_epoch``, and ``past_epochs`` the epochs before it, so
    that an older one never comes back."""

    floor_ms: int = 0
    rtc_agreed: bool = False
    lockdown: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    seen: dict[str, int] = {}
    seen_epoch: str = ""
    past_epochs: tuple[str, ...] = ()


class Kept:
    """The memory in a file. A damaged or missing file reads as a fresh memory: it only ever makes the gate careful.

    A write that fails (full disk) is logged and kept in memory: the gate goes on. With ``writes=False`` nothing is ever
    written: for whoever only looks.
    """

    def __init__(self, path: Path, writes: bool = True):
        self._path = path
        self._writes = writes
        self.now = self._read()

    def _read(self) -> Memory:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Memory)
        except FileNotFoundError:
            return Memory()
        except (OSError, msgspec.MsgspecError) as err:
            log.error("kept=unreadable why=%r", str(err))
            return Memory()

    def change(self, **fields: object) -> None:
        """Replace some fields, durably if the disk allows."""
        new = msgspec.structs.replace(self.now, **fields)
        if new == self.now:
            return
        self.now = new
        try:
            if self._writes:
                replace_durably(self._path, msgspec.json.encode(new))
        except OSError as err:
            log.error("kept=unwritten why=%r", err.strerror)
