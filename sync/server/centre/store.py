"""The database: opened, brought to the newest version, and its transactions.

SQLite by default: one serving process, WAL, ``synchronous=FULL`` (an acknowledged commit survives a power cut). A
writing transaction begins with BEGIN IMMEDIATE, because one that reads first and writes later fails at once when
another writer was faster, whatever the busy timeout. ``secure_delete`` overwrites what is deleted or changed with
zeros: people were promised that it is gone, and the price is a few pages more in a write.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from sync.server.centre.vault import Vault
from sync.server.migrations import HEAD

_BUSY_TIMEOUT_MS = 15_000
_GIVES_WAY_S = 0.05
_UPGRADING = 0x67617465  # the lock on PostgreSQL that an upgrade of the tables takes


class StoreError(Exception):
    """The database cannot be opened, in words for the person who runs the centre."""


class Store:
    """Transactions on one database. Thread-safe. Raises StoreError for an address that is none."""

    def __init__(self, url: str | URL):
        self._engine = _make_engine(url)
        self.dialect = self._engine.dialect.name
        if self.dialect == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._writer = self._engine.execution_options(writing=True)
        self._vault: Vault | None = None
        self._turn = threading.Lock()  # SQLite lets one write at a time; a lock queues fairly, its busy wait does not

    def give(self, vault: Vault) -> None:
        """Let connections know the vault with which sealed columns are opened (sealing.py)."""
        self._vault = vault

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A writing transaction: committed at the end, rolled back by any exception."""
        with self._turn, self._writer.begin() as conn:
            conn.execution_options(vault=self._vault)
            yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A reading transaction: everything in it is of one moment."""
        with self._engine.connect() as conn:
            conn.execution_options(vault=self._vault)
            if self.dialect == "postgresql":
                conn.execution_options(isolation_level="REPEATABLE READ")
            with conn.begin():
                yield conn

    def give_way(self) -> None:
        """Let those go first who wait to write, for a moment at most: for long reading and computing in this process.
        Call it every few milliseconds. Threads share one interpreter; without this a long table makes every
        statement of a short transaction wait for its turn, while all other writers wait behind it."""
        if self.dialect == "sqlite" and self._turn.acquire(timeout=_GIVES_WAY_S):
            self._turn.release()

    def is_new(self) -> bool:
        """Whether no centre has ever used it. Raises StoreError."""
        with _opening(), self.read() as conn:
            return _version(conn) is None

    def upgrade(self) -> None:
        """Bring the tables to the newest version. Safe to run from two programs at once. Raises StoreError."""
        with _opening():
            with self.read() as conn:
                if _version(conn) == HEAD:
                    return
            with self.write() as conn:
                self.alone(conn)
                _run_migrations(conn)

    def scrub(self) -> None:
        """Leave no deleted row in the write-ahead log: fold it into the file and empty it. A reader that is busy just
        now keeps it until the next time. Elsewhere than on SQLite this does nothing."""
        if self.dialect == "sqlite":
            with self._turn, self._engine.connect() as conn:
                conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def rewrite(self, names: Sequence[str]) -> bool:
        """Write the database anew, on PostgreSQL these tables of it, so that nothing deleted is left in freed pages or
        the write-ahead log. False where another program was reading just then, and the log could not be emptied."""
        far = self.dialect != "sqlite"
        with self._turn, self._engine.connect() as conn:
            if far:
                conn.execution_options(isolation_level="AUTOCOMMIT")
                for name in names:
                    conn.exec_driver_sql(f'VACUUM FULL "{name}"')
                return True
            cursor = conn.connection.cursor()
            cursor.execute("VACUUM")
            busy: int = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not busy

    def alone(self, conn: Connection) -> None:
        """Let no other upgrade run until this transaction ends; on SQLite none does."""
        if self.dialect == "postgresql":
            conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADING})

    def close(self) -> None:
        """Idempotent."""
        self._engine.dispose()


@contextmanager
def _opening() -> Iterator[None]:
    try:
        yield
    except DatabaseError as err:
        raise StoreError(f"the database cannot be opened: {err.orig}") from err


def _make_engine(url: str | URL) -> Engine:
    """What is wrong with an address is said without the address: a password may be in it."""
    try:
        chosen = make_url(url)
        if chosen.drivername in ("postgresql", "postgres"):
            chosen = chosen.set(drivername="postgresql+psycopg")
        far = chosen.get_backend_name() != "sqlite"  # a connection may have died in the pool
        # Nobody's name or plate is in what an error says.
        return create_engine(chosen, pool_size=16, max_overflow=64, pool_pre_ping=far, hide_parameters=True)
    except (ArgumentError, ValueError):
        words = "the database's address is not one; it looks like postgresql://USER:PASSWORD@HOST/NAME"
        raise StoreError(words) from None
    except ImportError as err:
        raise StoreError(f"the database's driver is not installed: {err}") from None


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
    pragmas = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON")
    for pragma in (f"busy_timeout = {_BUSY_TIMEOUT_MS}", *pragmas):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("writing") else "BEGIN")
