"""Putting a file in place of another so that a power cut leaves one of the two, whole."""

from __future__ import annotations

import os
from pathlib import Path


def replace_durably(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write beside ``path``, flush, rename over it, and flush the folder. ``mode`` holds whatever the umask says.

    Raises OSError; the old file is then still there.
    """
    new = path.with_name(path.name + ".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, mode)
        file.write(content)
        file.flush()
        os.fsync(fd)
    new.replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Have a rename or a new name in a folder on disk."""
    fd = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_again(path: Path) -> None:
    """Bring a file to the disk whatever became of earlier flushes; nothing happens where there is none.

    After a failed fsync the kernel holds pages for written that are lost, and the next fsync says that all is well. So
    the same bytes are written anew first. Raises OSError; trying again is safe.
    """
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return
    with os.fdopen(fd, "rb") as file:
        content = file.read()
        at = 0
        while at < len(content):
            at += os.pwrite(fd, content[at:], at)
        os.fsync(fd)
