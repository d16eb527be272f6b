"""The list file: a compound's credentials and signed changes at a cursor.

One process writes it (sync on a gate; the centre, when it prepares a snapshot), others read it under their own uid.
The file in force is named by the text file ``current`` beside it and is never renamed over: a new opener would replay
the old file's ``-wal`` and bring revoked passes back. So a rebuilt list is a new file, and ``current`` is replaced.

Cards lose bits. SQLite sees that in its pages, seldom in their content: so each row, and what the list says of itself,
bears a mark over its values (CRC-32). What was written before there were marks is taken as it is. What rows have got
since has a mark of its own, so that earlier versions still find the first one right.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import sqlite3
import threading
import time
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import msgspec
from sqlite_utils import Database

from sync.durable import replace_durably, write_again
from sync.protocol import CredentialRow, Page, Signed

T = TypeVar("T")

SCHEMA_VERSION = 1
CURRENT = "current"
FIND_S = 1.0
PATIENCE_S = 3.0
"""How long a reader waits for a look-up, and for everything else."""
CHECK_S = 600.0
ALONE_S = 10.0
"""How long a file is read alone before it is opened in the ordinary way again."""
LOOK_UP_LIMIT = 20
_MOST_SIGNED = 20_000
_MOST_META = 1000
_LONGEST_NAME = 300
_LONGEST_VALUE = 1 << 20
_LONGEST_NUMBER = 18
_STEPS_BETWEEN_LOOKS = 10_000
_READ_AT_ONCE = 5000

_COLUMNS: dict[str, Any] = {
    "id": int,  # scope << 32 | serial
    "revision": int,
    "kind": str,
    "medium": str,
    "not_before_step": int,
    "validity_hours": int,
    "random": int,
    "state": str,
    "valid_until_ms": int,
    "number": str,
    "label": str,
    "dwelling": str,
    "plate": str,
    "short_code": str,
    "household": int,
    "attention": int,
    "lanes": str,
}
_FURTHER: dict[str, Any] = {"terms": str, "look": str}
"""What rows have got since there were lists. NULL, with its mark, in a row that has nothing of it."""
_ADDED: dict[str, Any] = {"mark": int, **_FURTHER, "further_mark": int}
_WRITTEN = {**_COLUMNS, **_ADDED}
_UPSERT = f"INSERT OR REPLACE INTO credential ({', '.join(_WRITTEN)}) VALUES ({', '.join('?' * len(_WRITTEN))})"  # noqa: S608
_FURTHER_UNTIL = "further"
"""Up to this revision every row was written by a program that knows all of :data:`_FURTHER`."""
_UPSERT_SIGNED = (
    "INSERT OR REPLACE INTO signed (purpose, item, compound, epoch, revision, body, signature, must) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SEARCHED = ("dwelling", "plate", "number", "short_code")
SIGNS = "-· .#+&()"
"""What stands in a dwelling, plate, number or code beside letters and digits, and is no difference in a search."""
SHORT_CODE_ALPHABET = "2346789ACDEFGHJKMNPQRTUVWXY"  # nothing that looks or sounds like another in it
SHORT_CODE_CHARACTERS = 6
_SHORT_CODE = re.compile(f"[{SHORT_CODE_ALPHABET}]{{{SHORT_CODE_CHARACTERS}}}")
_ADDRESS_WORDS = re.compile("号楼|號樓|单元|單元|[栋幢棟座楼樓号號室房户戶门門梯]")


class ListError(Exception):
    """The list file is missing, damaged or of another compound or schema: rebuild it from the centre."""


class RowDamaged(ListError):
    """One row, or its place, is not as it was written; the others can be read."""


class ListUnwritten(Exception):
    """The list could not be written just now and is as it was before; trying again is safe. ``full``: no space left."""

    def __init__(self, text: str, full: bool):
        super().__init__(text)
        self.full = full


_PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR}  # fmt: skip
_UNREADABLE = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ}


# Beside its own errors: a damaged schema or text that is not UTF-8, met in a value or in SQLite's very error message.
_FAILURES = (sqlite3.Error, UnicodeError)


def _named(path: Path, err: Exception) -> ListError | ListUnwritten:
    """What a failed write means: a card that cannot be read needs a new file, a full or busy one needs patience."""
    code: int = getattr(err, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if code & 0xFF in _PASSING and code not in _UNREADABLE:
        return ListUnwritten(f"{path.name}: {err}", full=code == sqlite3.SQLITE_FULL)
    return ListError(f"{path.name}: {err}")


def _cannot_write(err: sqlite3.Error) -> bool:
    """Whether the disk, and not the file, keeps SQLite from opening it."""
    return getattr(err, "sqlite_errorcode", 0) & 0xFF in _PASSING - {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Cursor(msgspec.Struct, frozen=True):
    """How far a list has come: the centre's epoch and the highest revision applied."""

    epoch: str
    revision: int


def fold(term: str) -> str:
    """One text for every way to write a dwelling, plate, number or short code: capital letters and digits only."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", term).upper() if sign.isalnum())


def is_name(term: str) -> bool:
    """Whether a term can only be somebody's name: it has no digit, and is no short code."""
    folded = fold(term)
    return not _SHORT_CODE.fullmatch(folded) and not any(sign.isdigit() for sign in folded)


def fold_dwelling(term: str) -> str:
    """As :func:`fold`, for a dwelling: words such as 栋 and 室 make no difference either."""
    return fold(_ADDRESS_WORDS.sub("", fold(term)))


def _folded(column: str) -> str:
    """The same of a column, as SQL; an index is over it."""
    for sign in SIGNS:
        column = f"replace({column}, '{sign}', '')"
    return f"upper({column})"


_LOOK_UP = (
    "{} WHERE "
    + " OR ".join(f"({_folded(column)} = ?1 AND {column} <> '')" for column in _SEARCHED)
    + " ORDER BY number LIMIT ?2"
)


def _index_searched(conn: sqlite3.Connection) -> None:
    for column in _SEARCHED:
        conn.execute(
            f"CREATE INDEX IF NOT EXISTS folded_{column} ON credential ({_folded(column)}) WHERE {column} <> ''"
        )


def credential_id(scope: int, serial: int) -> int:
    """The key of a credential in one integer: scope (24 bits), serial (32 bits)."""
    return scope << 32 | serial


def _mark(values: object) -> int:
    return zlib.crc32(msgspec.msgpack.encode(values))


def _values(row: CredentialRow) -> tuple[Any, ...]:
    """What is written of a row, in order of the columns."""
    values = (
        credential_id(row.scope, row.serial), row.revision, row.kind, row.medium, row.not_before_step,
        row.validity_hours, row.random, row.state, row.valid_until_ms, row.number, row.label, row.dwelling,
        row.plate, row.short_code, row.household, int(row.attention), row.lanes,
    )  # fmt: skip
    further = (row.terms, row.look)
    return (*values, _mark(values), *(_marked_further(values, further) if any(further) else (None,) * 3))


def _marked_further(values: Iterable[Any], further: Sequence[Any]) -> tuple[Any, ...]:
    """With a mark that ties them to this very writing of the row."""
    return (*further, _mark([*values, *further]))


def _row(values: tuple[Any, ...]) -> CredentialRow:
    """Raises RowDamaged where the file holds what no writer of ours put there."""
    written, (mark, *further) = values[: len(_COLUMNS)], values[len(_COLUMNS) :]
    number, *rest = written
    if not isinstance(number, int):
        raise RowDamaged("a credential has no number")
    if mark is not None and mark != _mark(written):
        raise RowDamaged(f"credential {number} is not as it was written")
    if any(value is not None for value in further) and tuple(further) != _marked_further(written, further[:-1]):
        raise RowDamaged(f"credential {number}: its terms are not as they were written")
    fields = dict(zip([*_COLUMNS][1:], rest, strict=True))
    fields |= {name: value or "" for name, value in zip(_FURTHER, further, strict=False)}
    fields |= {"scope": number >> 32, "serial": number & 0xFFFFFFFF, "attention": bool(fields["attention"])}
    try:
        return msgspec.convert(fields, CredentialRow)
    except msgspec.ValidationError as err:
        raise RowDamaged(f"credential {number}: {err}") from err


def create(path: Path, compound: int, epoch: str) -> None:
    """Make an empty list file. Raises ListError if there is one."""
    if path.exists():
        raise ListError(f"{path} exists")
    db = Database(path)
    try:
        db.conn.execute("PRAGMA page_size = 4096")
        db["credential"].create(_WRITTEN, pk="id")  # type: ignore[union-attr]
        _index_searched(db.conn)
        db["signed"].create(  # type: ignore[union-attr]
            {"purpose": str, "item": str, "compound": int, "epoch": str, "revision": int, "body": bytes,
             "signature": bytes, "must": int},
            pk=("purpose", "item"),
        )  # fmt: skip
        db["meta"].create({"name": str, "value": str}, pk="name")  # type: ignore[union-attr]
        meta = {"schema": SCHEMA_VERSION, "compound": compound, "epoch": epoch, "revision": 0, "as_of_ms": 0,
                _FURTHER_UNTIL: 0}  # fmt: skip
        texts = _marked({name: str(value) for name, value in meta.items()})
        db.conn.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", list(texts.items()))
        db.conn.commit()
    finally:
        db.close()


class ListWriter:
    """The one writer of a list file. Not thread-safe.

    Every method raises ListError where the file is not a whole list, ListUnwritten where it cannot be written just now.
    """

    def __init__(self, path: Path, wal: bool = True):
        if not path.exists():
            raise ListError(f"{path.name} is missing")
        self._path = path
        try:
            write_again(path.with_name(f"{path.name}-wal"))
            self._conn = sqlite3.connect(path, timeout=10, isolation_level=None)
        except OSError as err:
            raise ListUnwritten(f"{path.name}: {err}", full=err.errno == errno.ENOSPC) from err
        except _FAILURES as err:
            raise _named(path, err) from err
        try:
            self._conn.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
            self._conn.execute("PRAGMA synchronous = FULL")
            self._meta = _read_meta(self._conn)
            for column in _ADDED.keys() - _columns_of(self._conn):
                kind = "INTEGER" if _ADDED[column] is int else "TEXT"
                self._conn.execute(f"ALTER TABLE credential ADD COLUMN {column} {kind}")
            with suppress(sqlite3.OperationalError):  # of an earlier version; without an index it is only slow
                _index_searched(self._conn)
        except _FAILURES as err:
            self._conn.close()
            raise _named(path, err) from err
        except ListError:
            self._conn.close()
            raise

    @property
    def cursor(self) -> Cursor:
        return Cursor(self._meta["epoch"], int(self._meta["revision"]))

    @property
    def compound(self) -> int:
        return int(self._meta["compound"])

    @property
    def partial(self) -> bool:
        """Whether an earlier version wrote rows of it, so that what rows have got since may be missing in them."""
        return self._meta.get(_FURTHER_UNTIL) != self._meta["revision"]

    def vouch(self) -> None:
        """Note that every row is as whole as the centre has it: the list just came from there."""
        self._write((), (), {_FURTHER_UNTIL: self.cursor.revision})

    def apply(self, page: Page) -> None:
        """Put a page's rows, its cursor and, when it ends the catch-up, ``last_serial`` in one transaction.

        The same page again changes nothing. Raises ListError for another compound or epoch, or a page that does not
        follow the cursor.
        """
        if page.compound != self.compound or page.epoch != self.cursor.epoch or page.after > self.cursor.revision:
            raise ListError("the page does not continue this list")
        if page.revision < self.cursor.revision:
            return
        meta = {"revision": page.revision}
        if page.complete:
            meta["as_of_ms"] = page.as_of_ms
            meta |= {f"last_serial/{scope}": serial for scope, serial in page.last_serial.items()}
        self._write(page.credentials, page.signed, meta)

    def fill(self, rows: Iterable[CredentialRow], signed: Iterable[Signed], revision: int, as_of_ms: int,
             last_serial: Mapping[int, int]) -> None:  # fmt: skip
        """Put a whole list at once (the centre, preparing a snapshot)."""
        meta = {"revision": revision, "as_of_ms": as_of_ms}
        self._write(rows, signed, meta | {f"last_serial/{scope}": n for scope, n in last_serial.items()})

    def stamp(self, as_of_ms: int) -> None:
        """Note that the centre had nothing newer at this time."""
        self._write((), (), {"as_of_ms": as_of_ms})

    def _write(self, rows: Iterable[CredentialRow], signed: Iterable[Signed], meta: Mapping[str, int]) -> None:
        whole = {} if self.partial or "revision" not in meta else {_FURTHER_UNTIL: meta["revision"]}
        texts = _marked(self._meta | {name: str(value) for name, value in {**meta, **whole}.items()})
        try:
            with _transaction(self._conn) as conn:
                conn.executemany(_UPSERT, _kept(conn, rows))
                conn.executemany(_UPSERT_SIGNED, map(_signed_values, signed))
                conn.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(texts.items()))
        except _FAILURES as err:
            raise _named(self._path, err) from err
        self._meta = texts
        # A log that loses a bit is read up to there, and what was revoked after it would come back: so it stays empty.
        with suppress(*_FAILURES):  # a full disk, or a reader just then: with the next write
            self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Idempotent."""
        self._conn.close()


@contextmanager
def _transaction(conn: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing. IMMEDIATE, because a deferred transaction that reads first can fail at once when busy."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield conn
        conn.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled it back already
            conn.execute("ROLLBACK")
        raise


def _signed_values(s: Signed) -> tuple[Any, ...]:
    return (s.purpose, s.item, s.compound, s.epoch, s.revision, s.body, s.signature, int(s.must))


def _kept(conn: sqlite3.Connection, rows: Iterable[CredentialRow]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        if row.state == "gone":
            conn.execute("DELETE FROM credential WHERE id = ?", (credential_id(row.scope, row.serial),))
        else:
            yield _values(row)


def _columns_of(conn: sqlite3.Connection) -> set[str]:
    return {column[1] for column in conn.execute("PRAGMA table_info(credential)")}


def _selecting(columns: set[str]) -> str:
    """Reads rows of a list of whatever version: NULL stands for a column that this one has not."""
    named = (name if name in columns or name in _COLUMNS else "NULL" for name in _WRITTEN)
    return f"SELECT {', '.join(named)} FROM credential"  # noqa: S608


def _marked(meta: Mapping[str, str]) -> dict[str, str]:
    """What a list says of itself, with its mark."""
    unmarked = {name: value for name, value in meta.items() if name != "mark"}
    return {**unmarked, "mark": str(_mark(sorted(unmarked.items())))}


def _read_meta(conn: sqlite3.Connection) -> dict[str, str]:
    """Raises ListError unless what every list says of itself is there."""
    meta: dict[str, str] = dict(conn.execute("SELECT name, value FROM meta LIMIT ?", (_MOST_META,)).fetchall())
    if meta.get("schema") != str(SCHEMA_VERSION):
        raise ListError(f"the list has schema {meta.get('schema')}, not {SCHEMA_VERSION}")
    numbers = [meta.get(name) for name in ("compound", "revision", "as_of_ms")]
    numbers += [value for name, value in meta.items() if name.startswith("last_serial/")]
    if not meta.get("epoch") or not all(map(_is_number, numbers)):
        raise ListError("the list does not say what it is")
    if "mark" in meta and meta != _marked(meta):
        raise ListError("what the list says of itself is not as it was written")
    return meta


def _is_number(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


class ListReader:
    """A reader of a list file, kept open: opening costs more than a look-up. Not thread-safe.

    Every method raises ListError when the file turns out to be damaged, or does not answer in time. The file belongs to
    another process, which may lock it or put something endless there: so it is read on a thread of its own, and the
    asker waits ``patience_s`` at most (FIND_S for a look-up), and not at all while an earlier question still hangs.

    Where SQLite cannot make ``-shm`` (a full or read-only disk), the file is read alone: as it lies there, or, where a
    ``-wal`` has more, under a lock that keeps its writer out. That ends when :meth:`outdated` says so.
    """

    def __init__(self, path: Path, patience_s: float = PATIENCE_S):
        self.path = path
        self._patience_s = patience_s
        self._until = 0.0
        self._alone_until: float | None = None
        self._immutable = False
        self._asked: SimpleQueue[tuple[Callable[[], Any], float, Future[Any]] | None] = SimpleQueue()
        self._last: Future[Any] = Future()
        self._last.set_result(None)
        self._thread = threading.Thread(target=self._answer, name="list", daemon=True)
        self._thread.start()
        try:
            self._conn: sqlite3.Connection = self._ask(self._open, patience_s)
            self.meta()
        except ListError:
            self.close()
            raise

    def _open(self) -> sqlite3.Connection:
        # Not mode=ro: a reader of another user must be able to make -shm again after the writer closed cleanly.
        if not self.path.is_file():
            raise ListError(f"{self.path.name} is missing")
        try:
            return self._opened(str(self.path))
        except sqlite3.Error as err:
            if not _cannot_write(err):
                raise
        self._alone_until = time.monotonic() + ALONE_S
        if self._has_more():
            return self._opened(str(self.path), alone=True)
        self._immutable = True
        return self._opened(f"{self.path.resolve().as_uri()}?mode=ro&immutable=1")

    def _has_more(self) -> bool:
        """Whether a write-ahead log holds what the file itself does not."""
        try:
            return self._wal.stat().st_size > 0
        except FileNotFoundError:
            return False

    @property
    def _wal(self) -> Path:
        return self.path.with_name(f"{self.path.name}-wal")

    def outdated(self) -> bool:
        """Whether a file read alone should be opened again: somebody writes it, or might be able to by now."""
        if self._alone_until is None:
            return False
        return time.monotonic() > self._alone_until or (self._immutable and self._wal.exists())

    def _opened(self, name: str, alone: bool = False) -> sqlite3.Connection:
        conn = sqlite3.connect(name, timeout=FIND_S, isolation_level=None, uri=name.startswith("file:"))
        try:
            conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            conn.set_progress_handler(lambda: time.monotonic() > self._until, _STEPS_BETWEEN_LOOKS)
            conn.execute("PRAGMA trusted_schema = 0")
            conn.execute("PRAGMA query_only = 1")
            if alone:
                conn.execute("PRAGMA locking_mode = EXCLUSIVE")  # needs no -shm: the index of the log is in memory
            self._columns = _columns_of(conn)  # the first look at the file itself
        except BaseException:
            conn.close()
            raise
        return conn

    def _answer(self) -> None:
        conn: sqlite3.Connection | None = None
        while asked := self._asked.get():
            job, seconds, answer = asked
            self._until = time.monotonic() + seconds
            try:
                found = job()
                conn = found if isinstance(found, sqlite3.Connection) else conn
                answer.set_result(found)
            except Exception as err:  # noqa: BLE001 - it belongs to the asker
                answer.set_exception(err)
        if conn:
            conn.close()

    def _ask(self, job: Callable[[], T], seconds: float) -> T:
        if not self._last.done():
            raise ListError(f"{self.path.name}: it still does not answer")
        self._last = answer = Future[Any]()
        self._asked.put((job, seconds, answer))
        try:
            found: T = answer.result(seconds)
        except (*_FAILURES, OSError) as err:
            if isinstance(err, TimeoutError):
                raise ListError(f"{self.path.name}: no answer in {seconds:g} s") from err
            raise ListError(f"{self.path.name}: {err}") from err
        return found

    def _rows(self, sql: str, values: tuple[Any, ...], seconds: float) -> list[Any]:
        """``{}`` in the statement stands for the selection of rows. The writer may have added columns since."""

        def read() -> list[Any]:
            if not _WRITTEN.keys() <= self._columns:
                self._columns = _columns_of(self._conn)
            return self._conn.execute(sql.format(_selecting(self._columns)), values).fetchall()

        return self._ask(read, seconds)

    def _all(self, sql: str, values: tuple[Any, ...] = (), seconds: float = 0.0) -> list[Any]:
        return self._ask(lambda: self._conn.execute(sql, values).fetchall(), seconds or self._patience_s)

    def find(self, scope: int, serial: int) -> CredentialRow | None:
        """The row of one credential. Raises RowDamaged for one that is not as it was written."""
        found = self._rows("{} WHERE id = ?", (credential_id(scope, serial),), FIND_S)
        return _row(found[0]) if found else None

    def look_up(self, term: str, most: int = LOOK_UP_LIMIT) -> list[CredentialRow]:
        """Rows whose dwelling, plate, number or short code is ``term`` (:func:`fold`), with or without words such as
        栋 and 室; at most ``most``, in order of number. Part of it finds nothing."""
        folded = fold(term)
        wanted = dict.fromkeys(text for text in (folded, fold_dwelling(term)) if text)
        found = (row for text in wanted for row in self._rows(_LOOK_UP, (text, most), FIND_S))
        return [_row(values) for values in itertools.islice(found, most)]

    def meta(self) -> dict[str, str]:
        """schema, compound, epoch, revision, as_of_ms and ``last_serial/SCOPE``, as texts."""
        return self._ask(lambda: _read_meta(self._conn), self._patience_s)

    def signed(self) -> list[Signed]:
        """All signed changes, unverified: the core verifies them against its anchor."""
        rows = self._all(
            "SELECT purpose, item, compound, epoch, revision, body, signature, must FROM signed LIMIT ?",
            (_MOST_SIGNED + 1,),
        )
        if len(rows) > _MOST_SIGNED:
            raise ListError(f"{self.path.name}: more signed changes than any compound has")
        return [_signed(values) for values in rows]

    def look_through(self, seconds: float = CHECK_S) -> None:
        """Look at the whole file: its pages and every row. Raises ListError where it is damaged, or too long to look
        through in that time."""
        until = time.monotonic() + seconds
        if self._all("PRAGMA quick_check(1)", (), seconds) != [("ok",)]:
            raise ListError(f"{self.path.name} is damaged")
        after = -1
        asked = "{} WHERE id > ? ORDER BY id LIMIT ?"
        while rows := self._rows(asked, (after, _READ_AT_ONCE), max(0.01, until - time.monotonic())):
            for values in rows:
                _row(values)
            after = rows[-1][0]

    def count(self) -> int:
        """How many credentials are listed."""
        return int(self._all("SELECT count(*) FROM credential")[0][0])

    def version(self) -> int:
        """A number that changes when another connection has written (``PRAGMA data_version``)."""
        return int(self._all("PRAGMA data_version")[0][0])

    def close(self) -> None:
        """Idempotent. A question that hangs is left alone: its thread closes the file when it comes back."""
        self._asked.put(None)
        if self._last.done():
            self._thread.join()


def _signed(values: tuple[Any, ...]) -> Signed:
    purpose, item, compound, epoch, revision, body, signature, must = values
    fields = {"purpose": purpose, "item": item, "compound": compound, "epoch": epoch, "revision": revision,
              "body": body, "signature": signature, "must": bool(must)}  # fmt: skip
    try:
        return msgspec.convert(fields, Signed)
    except msgspec.ValidationError as err:
        raise ListError(f"a signed change: {err}") from err


def check(path: Path, compound: int, epoch: str) -> None:
    """Read a whole list file through before it is used. Raises ListError."""
    reader = ListReader(path, CHECK_S)
    try:
        reader.look_through()
        meta = reader.meta()
        if (meta["compound"], meta["epoch"]) != (str(compound), epoch):
            raise ListError(f"{path.name} is the list of another compound or epoch")
    finally:
        reader.close()


def set_current(folder: Path, name: str) -> None:
    """Atomically and durably name the list file in force. The core reads it through the common group."""
    replace_durably(folder / CURRENT, f"{name}\n".encode("ascii"), 0o660)


def get_current(folder: Path) -> Path | None:
    """The list file in force, or None before the first one. A name that points elsewhere is not followed."""
    try:
        fd = os.open(folder / CURRENT, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # not to wait at a pipe for ever
        with os.fdopen(fd, "rb") as file:
            name = (file.read(_LONGEST_NAME) or b"").decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return folder / name if name.startswith("list-") and "/" not in name else None
