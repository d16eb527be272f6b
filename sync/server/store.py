"""The database: opened, brought to the newest version, and its transactions.

SQLite by default: one serving process, WAL, ``synchronous=FULL`` (an acknowledged commit survives a power cut). A
writing transaction begins with BEGIN IMMEDIATE, because one that reads first and writes later fails at once when
another writer was faster, whatever the busy timeout.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError

from sync.server.migrations import HEAD

_BUSY_TIMEOUT_MS = 15_000


class StoreError(Exception):
    """The database cannot be opened, in words for the person who runs the centre."""


class Store:
    """Transactions on one database. Thread-safe."""

    def __init__(self, url: str | URL):
        self._engine = create_engine(url, pool_size=16, max_overflow=64)
        self.dialect = self._engine.dialect.name
        if self.dialect == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._writer = self._engine.execution_options(writing=True)
        self._turn = threading.Lock()  # SQLite lets one write at a time; a lock queues fairly, its busy wait does not

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A writing transaction: committed at the end, rolled back by any exception."""
        with self._turn, self._writer.begin() as conn:
            yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A reading transaction: everything in it is of one moment."""
        with self._engine.connect() as conn:
            if self.dialect == "postgresql":
                conn.execution_options(isolation_level="REPEATABLE READ")
            with conn.begin():
                yield conn

    def upgrade(self) -> None:
        """Bring the tables to the newest version. Safe to run from two programs at once."""
        try:
            with self.read() as conn:
                if _version(conn) == HEAD:
                    return
            with self.write() as conn:
                _run_migrations(conn)
        except DatabaseError as err:
            raise StoreError(f"the database cannot be opened: {err.orig}") from err

    def close(self) -> None:
        """Idempotent."""
        self._engine.dispose()


def sqlite_url(path: Path) -> URL:
    return URL.create("sqlite", database=str(path))


def _version(conn: Connection) -> str | None:
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _run_migrations(conn: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "sync.server:migrations")
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin_sqlite
    for pragma in (f"busy_timeout = {_BUSY_TIMEOUT_MS}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("writing") else "BEGIN")
