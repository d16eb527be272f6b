"""What the centre writes is its owner's alone, whatever the umask and the folder are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.server.centre.vault import KEY_FILE
from tests.fixtures.centre import World

ROOT = Path(__file__).parents[2]


@contextmanager
def everything_allowed() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """The files below that other users of the machine can reach."""
    found = []
    for path in folder.iterdir():
        if path.stat().st_mode & 0o077:
            found += open_to_others(path) if path.is_dir() else [str(path)]
    return found


def test_neither_database_key_nor_snapshot_is_open_to_others(tmp_path: Path) -> None:
    state = tmp_path / "centre"
    world = World(state)
    state.chmod(0o755)
    with everything_allowed():
        world.issue(label="王*")
        gate = world.gate().enrol()
        head = gate.get("/snapshot").json
        gate.get(f"/snapshot/{head['name']}").close()
    assert open_to_others(state) == []
    folder = state / "snapshots"
    assert folder.stat().st_mode & 0o777 == 0o700 and list(folder.rglob("*.db"))
    world.centre.close()


def test_a_key_that_a_backup_brought_back_open_is_closed(tmp_path: Path) -> None:
    World(tmp_path / "centre").centre.close()
    key = tmp_path / "centre" / KEY_FILE
    key.chmod(0o644)
    World(tmp_path / "centre").centre.close()
    assert key.stat().st_mode & 0o777 == 0o600


def test_whatever_the_program_writes_elsewhere_is_closed_too(tmp_path: Path) -> None:
    """The picture of a card opens a gate."""
    world = World(tmp_path / "centre")
    number = world.issue(label="王*").number
    world.centre.close()
    card = tmp_path / "card.svg"
    program = [sys.executable, "-m", "sync.server", "--state", str(tmp_path / "centre")]
    subprocess.run([*program, "print-card", number, "--out", str(card)], cwd=ROOT, umask=0, check=True)
    assert card.stat().st_mode & 0o777 == 0o600
