"""A PostgreSQL server of a test's own: in a folder of its own, on a socket in it, run by nobody in particular."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

USER = "gate"


def find_programs() -> Path | None:
    """Where initdb and pg_ctl are: Debian keeps them off the PATH, in a folder per version."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    found = [*(Path(on_path).resolve(),) * bool(on_path), *debian]
    return found[-1].parent if found else None


class Server:
    """Started when made; ``stop`` ends it and deletes its folder. It refuses to be root's: as root it is nobody's."""

    def __init__(self, programs: Path):
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="gate-pg-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._made = 0
        try:
            self._run(
                "initdb", "--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"
            )
            quick = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=60"
            self._run("pg_ctl", "start", "--wait", "--silent", "--log", str(self.folder / "log"), "--options", quick)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _run(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), *words, "--pgdata", str(self.folder / "db")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=60, **self._as)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")

    def url(self, name: str) -> str:
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    def database(self) -> str:
        """The address of a new, empty database."""
        self._made += 1
        self.do(f"CREATE DATABASE d{self._made}")
        return self.url(f"d{self._made}")

    def do(self, words: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            conn.execute(words)  # type: ignore[arg-type]  # a test's own words

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--silent", "--mode", "immediate")
        shutil.rmtree(self.folder)
