"""The guards' page as a program of its own: gevent patches a whole process, so tests do not share theirs with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STAGE = Path(__file__).with_name("stage.py")


class Program:
    """A running ``stage.py``; :meth:`say` sends one command and returns when it has been carried out."""

    def __init__(self, folder: Path, *options: str):
        command = [sys.executable, "-W", "error", str(STAGE), str(folder), *options]
        self._program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._answer())
        self.address = f"http://127.0.0.1:{self.port}"

    def _answer(self) -> str:
        line = self._program.stdout.readline()
        assert line, "the program ended"
        return line.strip()

    def say(self, command: str) -> None:
        self._program.stdin.write(command + "\n")
        self._program.stdin.flush()
        assert self._answer() == "done"

    def close(self) -> int:
        self._program.stdin.close()
        try:
            return self._program.wait(20)
        finally:
            self._program.kill()
            self._program.stdout.close()
            self._program.wait()


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Program]:
    program = Program(folder, *options)
    try:
        yield program
    finally:
        program.close()
