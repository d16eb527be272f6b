"""The list file: pages, cursors, kills, readers of another user, replaced and damaged files."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sync import cache
from sync.cache import Cursor, ListError, ListReader, ListUnwritten, ListWriter, get_current, set_current
from sync.protocol import sign
from tests.fixtures.pages import page, row

ROOT = Path(__file__).parents[2]
SEED = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "list-e-1.db"
    cache.create(made, 7, "e")
    return made


@pytest.fixture
def writer(path: Path) -> Iterator[ListWriter]:
    opened = ListWriter(path)
    yield opened
    opened.close()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[ListReader]:
    reader = ListReader(path)
    try:
        yield reader
    finally:
        reader.close()


def test_page_and_cursor_are_there_together(path: Path, writer: ListWriter) -> None:
    writer.apply(page(0, row(1, 1), row(2, 2)))
    assert writer.cursor == Cursor("e", 2)
    with reading(path) as reader:
        assert reader.find(7, 1) == row(1, 1)
        assert reader.find(7, 3) is None and reader.find(8, 1) is None
        assert reader.count() == 2
        meta = reader.meta()
    assert (meta["revision"], meta["as_of_ms"], meta["last_serial/7"]) == ("2", "99", "1000")


def test_last_serial_comes_only_with_the_page_that_ends_the_catch_up(path: Path, writer: ListWriter) -> None:
    writer.apply(page(0, row(1, 1), complete=False))
    with reading(path) as reader:
        assert "last_serial/7" not in reader.meta() and reader.meta()["as_of_ms"] == "0"


def test_same_page_again_changes_nothing(path: Path, writer: ListWriter) -> None:
    first, second = page(0, row(1, 1)), page(1, row(1, 2, "revoked"))
    for each in (first, second, second, first):
        writer.apply(each)
    assert writer.cursor.revision == 2
    with reading(path) as reader:
        found = reader.find(7, 1)
        assert found and found.state == "revoked"


def test_tombstone_takes_the_row_away(path: Path, writer: ListWriter) -> None:
    writer.apply(page(0, row(1, 1), row(2, 2)))
    writer.apply(page(2, row(1, 3, "gone")))
    with reading(path) as reader:
        assert reader.find(7, 1) is None and reader.count() == 1


def test_page_that_leaves_a_gap_or_is_for_another_list_is_refused(writer: ListWriter) -> None:
    writer.apply(page(0, row(1, 1)))
    wrong = page(5, row(2, 6))
    other_compound, other_epoch = page(1, row(2, 2)), page(1, row(2, 2))
    other_compound.compound, other_epoch.epoch = 8, "f"
    for each in (wrong, other_compound, other_epoch):
        with pytest.raises(ListError):
            writer.apply(each)
    assert writer.cursor == Cursor("e", 1)


def test_signed_change_replaces_the_one_before_of_the_same_item(path: Path, writer: ListWriter) -> None:
    changes = [sign(SEED, "rule", 7, "e", n, "rules", str(n).encode()) for n in (1, 2)]
    for n, change in enumerate(changes):
        each = page(n, row(1, n + 1))
        each.signed = [change]
        writer.apply(each)
    with reading(path) as reader:
        assert reader.signed() == [changes[1]]


@pytest.mark.parametrize(
    "term",
    ["3-2-1201", "3－2－1201", "3栋2单元1201室", "３栋２单元１２０１", " 3 2 1201", "321201",  # the dwelling
     "京A12345", "京a·12345", "京A 12345", "京Ａ－１２３４５",  # the plate
     "7-000005", "7 000005", "ACDEFG", "acd efg", "ａｃｄｅｆｇ", "AC-DE-FG"],
)  # fmt: skip
def test_look_up_finds_a_pass_however_it_is_written(path: Path, writer: ListWriter, term: str) -> None:
    mine = replace(row(5, 1), dwelling="3-2-1201", plate="京A·12345", number="7-000005", short_code="ACDEFG")
    other = replace(row(6, 2), dwelling="3-2-1202", plate="京A12346", number="7-000006", short_code="ACDEFH")
    writer.apply(page(0, mine, other))
    with reading(path) as reader:
        assert [found.serial for found in reader.look_up(term)] == [5]


def test_look_up_is_by_an_index_also_in_a_list_of_an_earlier_version(path: Path, writer: ListWriter) -> None:
    writer.close()
    with contextlib.closing(sqlite3.connect(path)) as conn:
        for name in ("dwelling", "plate", "number", "short_code"):
            conn.execute(f"DROP INDEX folded_{name}")
            conn.execute(f"CREATE INDEX credential_{name} ON credential ({name}) WHERE {name} <> ''")
    ListWriter(path).close()
    asked = cache._LOOK_UP.format("SELECT id FROM credential")
    with contextlib.closing(sqlite3.connect(path)) as conn:
        plan = str(conn.execute(f"EXPLAIN QUERY PLAN {asked}", ("X", 20)).fetchall())
    assert plan.count("USING INDEX folded_") == 4


def test_look_up_is_of_the_whole_term_and_never_lists_everybody(path: Path, writer: ListWriter) -> None:
    rows = [row(n, n, dwelling="3-2-501" if n <= 30 else "") for n in range(1, 41)]
    writer.apply(page(0, *rows))
    with reading(path) as reader:
        assert len(reader.look_up("3-2-501")) == 20
        assert (
            reader.look_up("3-2-50") == reader.look_up("") == reader.look_up("%") == reader.look_up("' OR 1=1 --") == []
        )


def test_file_that_is_there_is_not_made_again(path: Path) -> None:
    with pytest.raises(ListError):
        cache.create(path, 7, "e")


def test_failed_page_leaves_neither_rows_nor_cursor(path: Path, writer: ListWriter) -> None:
    writer.apply(page(0, row(1, 1)))
    (pages,) = writer._conn.execute("PRAGMA page_count").fetchone()
    writer._conn.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(ListUnwritten) as caught:
        writer.apply(page(1, *(row(n, n, dwelling="x" * 200) for n in range(2, 500))))
    assert caught.value.full
    assert writer.cursor.revision == 1
    writer._conn.execute("PRAGMA max_page_count = 100000")
    writer.apply(page(1, row(2, 2)))
    with reading(path) as reader:
        assert reader.count() == 2 and reader.meta()["revision"] == "2"


WRITE_ON = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from sync.cache import ListWriter
from tests.fixtures.pages import page, row
writer = ListWriter(Path(sys.argv[1]))
while True:
    at = writer.cursor.revision
    writer.apply(page(at, *(row(n, n) for n in range(at + 1, at + 51))))
    print(at, flush=True)
"""


def test_writer_killed_at_any_moment_leaves_whole_pages(path: Path) -> None:
    rng = random.Random(3)
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITE_ON, str(path), str(ROOT)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout
        for _ in range(rng.randint(2, 9)):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        with reading(path) as reader:
            assert reader.count() == int(reader.meta()["revision"]) > 0
        cache.check(path, 7, "e")


def test_reader_sees_only_whole_pages_while_the_writer_works(path: Path, writer: ListWriter) -> None:
    done, wrong = threading.Event(), []

    def look(reader: ListReader) -> None:
        revision = int(reader.meta()["revision"])
        found = reader.find(7, revision) if revision else None
        if revision and (found is None or found.revision < revision):
            wrong.append(f"{revision}: {found}")

    def read() -> None:
        with reading(path) as reader:
            while not done.is_set():
                try:
                    look(reader)
                except ListError as err:  # a slow machine may have no answer in time, but never a wrong one
                    if "no answer" not in str(err):
                        wrong.append(str(err))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for at in range(0, 3000, 10):
        writer.apply(page(at, *(row(n, n) for n in range(at + 1, at + 11))))
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_reader_notices_that_something_was_written(path: Path, writer: ListWriter) -> None:
    with reading(path) as reader:
        before = reader.version()
        assert reader.version() == before
        writer.stamp(5)
        assert reader.version() != before


def test_reader_cannot_write(path: Path) -> None:
    with reading(path) as reader, pytest.raises(ListError):
        reader._all("DELETE FROM meta")


def test_current_names_a_list_of_its_own_folder_or_none(tmp_path: Path) -> None:
    assert get_current(tmp_path) is None
    set_current(tmp_path, "list-e-1.db")
    assert get_current(tmp_path) == tmp_path / "list-e-1.db"
    for name in ("../list-e-1.db", "list-/etc/passwd", "/etc/passwd", "", "other.db", "\xff"):
        (tmp_path / "current").write_bytes(name.encode("latin-1"))
        assert get_current(tmp_path) is None


def test_current_that_is_a_pipe_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "current")
    assert get_current(tmp_path) is None


ENDLESS = "WITH RECURSIVE t(name, value) AS (SELECT '', '' UNION ALL SELECT name, value FROM t) SELECT * FROM t"


def test_list_with_something_endless_in_it_is_a_list_error_in_time(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("ALTER TABLE meta RENAME TO other")
        conn.execute(f"CREATE VIEW meta AS {ENDLESS} WHERE name = 'never'")
    with pytest.raises(ListError):
        ListReader(path, patience_s=0.1)


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000, "-1", "1.5"])
def test_list_whose_numbers_are_none_is_a_list_error(path: Path, number: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE meta SET value = ? WHERE name = 'revision'", (number,))
    with pytest.raises(ListError):
        ListReader(path)


def test_list_that_is_held_locked_costs_one_wait_and_answers_again_when_let_go(path: Path, writer: ListWriter) -> None:
    writer.apply(page(0, row(1, 1)))
    with reading(path) as reader, HoldsLocks(path) as holder:
        with pytest.raises(ListError, match="no answer"):
            reader.find(7, 1)
        with pytest.raises(ListError, match="still"):
            reader.find(7, 1)
        holder.let_go()
        assert until(lambda: found(reader))


HOLD_LOCKS = """
import fcntl, os, sys
fcntl.lockf(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX, 8, 120)
print("held", flush=True)
sys.stdin.read()
"""


class HoldsLocks:
    """A writer gone bad: another process that holds every lock a reader of this list needs."""

    def __init__(self, path: Path):
        command = [sys.executable, "-c", HOLD_LOCKS, f"{path}-shm"]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> HoldsLocks:
        assert self._child.stdout
        assert self._child.stdout.readline() == "held\n"
        return self

    def let_go(self) -> None:
        self._child.communicate()

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self.let_go()


def found(reader: ListReader) -> bool:
    with contextlib.suppress(ListError):
        return reader.find(7, 1) is not None
    return False


def until(true: Callable[[], bool], seconds: float = 15.0) -> bool:
    ends = time.monotonic() + seconds
    while not true():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True


def test_old_list_stays_readable_while_a_new_one_comes_into_force(tmp_path: Path, path: Path) -> None:
    """And none of the old file's rows is in the new one, whatever its -wal held."""
    old = ListWriter(path)
    old.apply(page(0, row(1, 1), row(2, 2)))
    set_current(tmp_path, path.name)
    with reading(path) as held:
        new_path = tmp_path / "list-e-2.db"
        cache.create(new_path, 7, "e")
        new = ListWriter(new_path)
        new.apply(page(0, row(2, 5)))
        set_current(tmp_path, new_path.name)
        assert held.count() == 2
        old.close()
        for part in ("", "-wal", "-shm"):
            path.with_name(path.name + part).unlink(missing_ok=True)
        assert held.count() == 2
        current = get_current(tmp_path)
        assert current
        with reading(current) as reader:
            assert reader.count() == 1 and reader.find(7, 1) is None
        new.close()


READ_AS_ANOTHER = """
import encodings.ascii, os, sys  # before the interpreter's folder may be closed to us
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from sync.cache import ListReader, get_current
os.setgroups([int(sys.argv[2])])
os.setgid(65534)
os.setuid(65534)
os.umask(0o007)
reader = None
for _ in sys.stdin:
    path = get_current(Path(sys.argv[1]))
    if reader is None or reader.path != path:
        new = ListReader(path)
        if reader:
            reader.close()
        reader = new
    print(path.name, reader.count(), reader.meta()["revision"], flush=True)
reader.close()
"""


class AnotherUser:
    """A process of another user in the folder's group that follows ``current``, as the core does."""

    def __init__(self, folder: Path, group: int):
        command = [sys.executable, "-c", READ_AS_ANOTHER, str(folder), str(group), str(ROOT)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def sees(self) -> tuple[str, int, int]:
        """(name, credentials, revision) of the list in force."""
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        name, count, revision = self._child.stdout.readline().split()
        return name, int(count), int(revision)

    def close(self) -> None:
        assert self._child.stdin and self._child.stdout
        self._child.stdin.close()
        self._child.stdout.close()
        assert self._child.wait(10) == 0


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder as the device has it: of a group, setgid, closed to all others. pytest's own let nobody through."""
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, 0, 64_000)
    folder.chmod(0o2770)
    yield folder
    shutil.rmtree(folder)


def in_force(folder: Path, number: int) -> Path:
    path = folder / f"list-e-{number}.db"
    cache.create(path, 7, "e")
    path.chmod(0o660)
    set_current(folder, path.name)
    return path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_reader_of_another_user_outlives_clean_stops_kills_and_new_lists(shared: Path) -> None:
    path = in_force(shared, 1)
    early, late = AnotherUser(shared, 64_000), AnotherUser(shared, 64_000)
    writer = ListWriter(path)
    writer.apply(page(0, row(1, 1)))
    assert early.sees() == (path.name, 1, 1)
    writer.close()
    assert early.sees() == (path.name, 1, 1)
    early.close()  # the last one takes -wal and -shm away
    assert not path.with_name(path.name + "-wal").exists()
    assert late.sees() == (path.name, 1, 1)  # and another user makes them again
    writer = ListWriter(path)
    writer.apply(page(1, row(2, 2)))
    assert late.sees() == (path.name, 2, 2)
    writer.close()

    child = subprocess.Popen([sys.executable, "-c", WRITE_ON, str(path), str(ROOT)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    child.stdout.readline()
    child.kill()
    child.wait()
    child.stdout.close()
    _, count, revision = late.sees()
    assert count == revision > 2

    new = ListWriter(in_force(shared, 2))
    new.apply(page(0, row(9, 5)))
    assert late.sees() == ("list-e-2.db", 1, 5)
    for part in ("", "-wal", "-shm"):
        path.with_name(path.name + part).unlink(missing_ok=True)
    new.close()
    assert late.sees() == ("list-e-2.db", 1, 5)
    late.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "list-e-1.db"
    cache.create(path, 7, "e")
    writer = ListWriter(path, wal=False)
    rows = [row(n, n, dwelling=f"{n}-1") for n in range(1, 120)]
    writer.fill(rows, [sign(SEED, "rule", 7, "e", 1, "rules", b"{}")], 200, 5, {7: 119})
    writer.close()
    return path


def read_through(path: Path) -> None:
    """Every method of a reader; ListError is the only way to fail."""
    with contextlib.suppress(ListError), reading(path) as reader:
        for ask in (lambda: reader.find(7, 5), lambda: reader.look_up("5-1"), reader.meta, reader.signed,
                    reader.count, reader.version, lambda: [reader.find(7, n) for n in range(1, 120)]):  # fmt: skip
            with contextlib.suppress(ListError):
                ask()
    with contextlib.suppress(ListError):
        cache.check(path, 7, "e")
    with contextlib.suppress(ListError, ListUnwritten):
        opened = ListWriter(path)
        try:
            opened.apply(page(200, row(5, 201, "revoked")))
        finally:
            opened.close()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=64)), min_size=1, max_size=8),
       cut=st.one_of(st.none(), st.integers(0, 1 << 20)))  # fmt: skip
def test_damaged_file_is_a_list_error_and_nothing_else(
    tmp_path: Path, whole: Path, places: list[tuple[int, bytes]], cut: int | None
) -> None:
    damaged = bytearray(whole.read_bytes())
    for at, bad in places:
        at %= len(damaged)
        damaged[at : at + len(bad)] = bad
    path = tmp_path / "list-e-9.db"
    for part in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + part).unlink(missing_ok=True)
    path.write_bytes(bytes(damaged if cut is None else damaged[: cut % len(damaged)]))
    read_through(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET value = 'x' WHERE name = 'revision'",
        "DELETE FROM meta WHERE name = 'compound'",
        "UPDATE meta SET value = '2' WHERE name = 'schema'",
        "UPDATE meta SET value = NULL WHERE name = 'epoch'",
        "UPDATE credential SET state = 'open'",
        "UPDATE credential SET kind = x'00'",
        "UPDATE signed SET body = 5",
        "DROP TABLE credential",
        "ALTER TABLE credential DROP COLUMN label",
    ],
)
def test_file_that_says_what_no_writer_wrote_is_a_list_error(tmp_path: Path, whole: Path, statement: str) -> None:
    path = tmp_path / "list-e-9.db"
    path.write_bytes(whole.read_bytes())
    conn = sqlite3.connect(path)
    conn.execute(statement)
    conn.commit()
    conn.close()
    with pytest.raises(ListError), reading(path) as reader:
        reader.find(7, 5)
        reader.signed()


@pytest.mark.parametrize("content", [None, b"", b"SQLite format 3\0", b"hello" * 1000])
def test_file_that_is_missing_empty_or_something_else_is_a_list_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "list-e-9.db"
    if content is not None:
        path.write_bytes(content)
    for open_it in (ListReader, ListWriter):
        with pytest.raises(ListError):
            open_it(path)
    with pytest.raises(ListError):
        cache.check(path, 7, "e")


def test_list_of_another_compound_or_epoch_is_not_taken(path: Path) -> None:
    for compound, epoch in ((8, "e"), (7, "f")):
        with pytest.raises(ListError):
            cache.check(path, compound, epoch)
