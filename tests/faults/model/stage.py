"""A gate whose process is killed, whose power, card, list, memory and clock fail when a test says so."""

from __future__ import annotations

import contextlib
import resource
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from kiosk.config import Config
from kiosk.core.cautions import Cautions
from kiosk.core.guards.viewing import Viewings
from kiosk.core.journal import Health
from kiosk.core.peers import Peers
from kiosk.core.report import GateReport
from sync.cache import get_current
from sync.protocol import CredentialRow, Event
from tests.fixtures.gate_parts import (
    ANCHOR,
    Bench,
    statement,
    usual_changes,
    write_list,
)

LIST_FAULTS = (
    "current_gone",
    "current_wrong",
    "file_gone",
    "header_zeroed",
    "key_flipped",
    "account_flipped",
    "rows_flipped",
)


@contextlib.contextmanager
def refusing_card() -> Iterator[None]:
    """No file of this process can be written to: SQLite, the memory and the list meet the kernel's true refusal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Stage(Bench):
    """A bench with one lane, ``entry``. ``close`` it."""

    def __init__(self, folder: Path, rows: Iterable[CredentialRow], mode: str = "pulse", **rules: Any):
        self.edges: list[bool] = []
        self._rows = list(rows)
        self._base = folder
        self._lives = 0
        self._lists, self._flips = 1, 0
        self._refusal = contextlib.ExitStack()
        self.card_refuses = False
        self._rules = rules
        super().__init__(folder / "life0", self._rows, usual_changes(**rules), mode=mode)

    def start(self, trusted: bool = True, moved: Callable[[bool], None] = lambda on: None) -> None:
        super().start(trusted, lambda on: self.edges.append(on))

    # --- card ---

    def refuse(self) -> None:
        """From now on the card takes nothing."""
        if not self.card_refuses:
            self._refusal.enter_context(refusing_card())
            self.card_refuses = True

    def heal(self) -> None:
        self._refusal.close()
        self.card_refuses = False

    def written(self) -> bool:
        """Have everything on the card that the card takes; whether that is all."""
        if self.card_refuses:
            return False
        return self.journal.append(Event(id="mark", kind="mark", at_ms=0)).wait(5) and not self.health().in_memory

    def health(self) -> Health:
        return self.journal.health()

    def is_refused_something(self) -> bool:
        """Whether an event waits for the card, once the writer has had its turn."""
        turn = threading.Event()
        while self.health().in_memory and not self.health().why:
            turn.wait(0.005)
        return bool(self.health().in_memory)

    def faults(self) -> list[str]:
        """The codes that the guards' page would show now."""
        sections = tuple(run.section for run in self.gate.lanes.values())
        config, peers = Config(lane=sections), Peers(self.time)
        parts = (self.gate, self.book, self.acts, self.journal, self.mirror, self.clock, self.kept, peers, Cautions())
        seen = Viewings(self.time)
        return GateReport(config, ANCHOR, "run", *parts, self.time, {}, seen).state().faults

    # --- process and power ---

    def kill(self, power_s: float = 0.0, memory: bytes | None = None) -> None:
        """End as by a kill, or a power cut of that many seconds; ``memory`` is what is then in ``kept.json``.

        The next life begins with a copy of what is on the card now.
        """
        self.written()
        refused = self.card_refuses
        self.heal()  # for our own copy
        self._lives += 1
        after = self._base / f"life{self._lives}"
        shutil.copytree(self.folder, after, copy_function=_copy)
        if memory is not None:
            (after / "kept.json").write_bytes(memory)
        if refused:
            self.refuse()
        self._let_go()
        if power_s:
            self.time.boot_anew(power_s)
            for path in after.rglob("*-shm"):
                path.unlink()
        self.folder = after
        self.start(trusted=False)

    def stop_and_start(self) -> None:
        """An orderly stop, and a new process."""
        self.restart(trusted=False)

    def _let_go(self) -> None:
        self.journal.close()
        self.mirror.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        self.heal()
        self.stop()

    # --- list and time ---

    def hear_time(self) -> str:
        """The centre says what time it is. Returns what was wrong with that."""
        said = statement(self.clock.nonce(), self.time.utc_ms)
        return self.gate.take_time(said, ANCHOR)

    def spoil_list(self, how: str) -> None:
        """Damage the list in force in one of LIST_FAULTS."""
        path = get_current(self.folder / "list")
        current = self.folder / "list" / "current"
        if how == "current_gone":
            current.unlink(missing_ok=True)
        elif how == "current_wrong":
            current.write_text("lisu-e1-1.db\n")
        elif path is None or not path.exists():
            return
        elif how == "file_gone":
            path.unlink()
        elif how == "header_zeroed":
            with path.open("r+b") as file:
                file.write(bytes(100))
        elif how == "rows_flipped":
            _flip_rows(path)
        else:
            self._flips += 1
            _flip_signature(path, how.removesuffix("_flipped"), self._flips % 64)

    def send_list(self) -> None:
        """The centre's list comes anew."""
        self._lists += 1
        write_list(self.folder / "list", self._rows, usual_changes(**self._rules), self._lists, self.time.utc_ms)
        self.mirror.refresh()


def _copy(source: str, target: str) -> None:
    """SQLite may take a file away at the same moment."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


def _flip_rows(path: Path) -> None:
    """A bit of each row, as a card loses it: in the content, where SQLite sees nothing."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("UPDATE credential SET random = random + 1 - 2 * (random & 1)")


def _flip_signature(path: Path, purpose: str, byte: int) -> None:
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for rowid, signature in conn.execute(
            "SELECT rowid, signature FROM signed WHERE purpose = ?", (purpose,)
        ).fetchall():
            flipped = signature[:byte] + bytes([signature[byte] ^ 1]) + signature[byte + 1 :]
            conn.execute("UPDATE signed SET signature = ? WHERE rowid = ?", (flipped, rowid))
