"""A core whose list is lost, damaged or unreadable still knows its compound, its passes and its guards."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.core.guards.post import GuardSessions
from kiosk.verbs import Presentation, SignIn
from sync.cache import ListReader, ListWriter, get_current
from sync.protocol import Page
from tests.fixtures.gate_parts import (
    COMPOUND,
    EPOCH,
    NOON_MS,
    PIN,
    Bench,
    credential,
    kept_tries,
    row_of,
    text_of,
    usual_changes,
)

CARD = credential(5)
TEXT = text_of(CARD)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, [row_of(CARD)], usual_changes())


def present(bench: Bench, text: str = TEXT) -> tuple[str, str]:
    bench.go(12)
    shown = bench.gate.present(Presentation(lane="entry", text=text))
    return shown.outcome, shown.reason


def sign_in(bench: Bench) -> str:
    post = GuardSessions(lambda: bench.mirror.vouched.accounts, bench.time, kept_tries(bench.folder))
    return post.sign_in(SignIn(name="Lin", pin=PIN)).name


def list_of(bench: Bench) -> Path:
    path = get_current(bench.folder / "list")
    assert path
    return path


def lose_current(bench: Bench) -> None:
    (bench.folder / "list" / "current").write_text("lisu-e1-1.db\n")


def lose_header(bench: Bench) -> None:
    path = list_of(bench)
    raw = path.read_bytes()
    path.write_bytes(bytes(100) + raw[100:])


def lose_folder(bench: Bench) -> None:
    for path in (bench.folder / "list").iterdir():
        path.unlink()


@pytest.mark.parametrize("lose", [lose_current, lose_header, lose_folder])
def test_a_restart_without_a_usable_list_refers_residents_and_lets_guards_sign_in(
    bench: Bench, lose: Callable[[Bench], None]
) -> None:
    assert present(bench) == ("grant", "ok")
    bench.stop()
    lose(bench)
    bench.start()
    assert present(bench) == ("refer", "no_list")
    assert present(bench, text_of(credential(6), key=bytes(32)))[1] == "bad_signature"
    assert sign_in(bench) == "Lin" and bench.mirror.vouched.rules == bench.mirror.vouched.rules
    assert bench.mirror.vouched.gate_name == "North gate"


def test_a_list_that_loses_its_header_while_it_is_read_is_no_list(bench: Bench) -> None:
    assert present(bench) == ("grant", "ok")
    lose_header(bench)
    bench.mirror.refresh()
    assert present(bench)[0] == "refer" or present(bench) == ("grant", "ok")
    assert sign_in(bench) == "Lin"


def test_without_any_key_of_the_compound_nobody_is_called_a_stranger(tmp_path: Path) -> None:
    bench = Bench(tmp_path, changes=None)
    assert present(bench) == ("refer", "no_list")


def flip_signature(path: Path, purpose: str) -> None:
    with sqlite3.connect(path) as conn:
        where, signature = conn.execute("SELECT rowid, signature FROM signed WHERE purpose = ?", (purpose,)).fetchone()
        changed = bytes([signature[0] ^ 4]) + signature[1:]
        conn.execute("UPDATE signed SET signature = ? WHERE rowid = ?", (changed, where))
    conn.close()


@pytest.mark.parametrize(("purpose", "item"), [("key", "7/1"), ("account", "id-Lin"), ("rule", "rules")])
def test_a_statement_with_a_flipped_bit_stays_in_force_as_it_was_and_is_told(
    bench: Bench, purpose: str, item: str
) -> None:
    bench.stop()
    flip_signature(list_of(bench), purpose)
    bench.start()
    assert present(bench) == ("grant", "ok") and sign_in(bench) == "Lin"
    assert bench.mirror.unverified == (f"{purpose} {item}",) and bench.mirror.vouched.forged == 1


def test_a_statement_that_the_list_has_lost_stays_in_force_and_is_told(bench: Bench) -> None:
    bench.stop()
    with sqlite3.connect(list_of(bench)) as conn:
        conn.execute("DELETE FROM signed WHERE purpose = 'key'")
    conn.close()
    bench.start()
    assert present(bench) == ("grant", "ok")
    assert bench.mirror.unverified == ("key 7/1",)


def no_shared_memory(bench: Bench) -> Path:
    """As on a disk that has no room for it: SQLite cannot make ``-shm``, whoever asks."""
    path = list_of(bench)
    shared = path.with_name(f"{path.name}-shm")
    shared.unlink(missing_ok=True)
    shared.mkdir()
    return shared


def test_a_list_whose_shared_memory_cannot_be_made_is_read_all_the_same(bench: Bench) -> None:
    bench.stop()
    shared = no_shared_memory(bench)
    bench.start()
    assert present(bench) == ("grant", "ok") and not bench.mirror.why
    shared.rmdir()


def test_what_a_write_ahead_log_has_more_counts_without_shared_memory_too(bench: Bench) -> None:
    path = list_of(bench)
    bench.mirror.close()
    writer = ListWriter(path)
    revoked = row_of(CARD, state="revoked", revision=2)
    writer.apply(Page(v=1, compound=COMPOUND, epoch=EPOCH, after=1, revision=2, complete=True, as_of_ms=NOON_MS,
                      credentials=[revoked], signed=[], last_serial={COMPOUND: 1000}))  # fmt: skip
    left = {name: path.with_name(path.name + name).read_bytes() for name in ("", "-wal")}
    writer.close()
    bench.stop()
    for name, raw in left.items():  # as a power cut leaves it
        path.with_name(path.name + name).write_bytes(raw)
    shared = no_shared_memory(bench)
    bench.start()
    assert present(bench) == ("deny", "revoked")
    shared.rmdir()


def test_a_list_read_alone_is_followed_again_once_the_disk_has_room(bench: Bench) -> None:
    bench.stop()
    shared = no_shared_memory(bench)
    bench.start()
    shared.rmdir()
    another_process = """
import sys
from pathlib import Path
from sync.cache import ListWriter
from tests.fixtures.gate_parts import COMPOUND, EPOCH, NOON_MS, credential, row_of
from sync.protocol import Page
writer = ListWriter(Path(sys.argv[1]))
revoked = row_of(credential(5), state="revoked", revision=2)
writer.apply(Page(v=1, compound=COMPOUND, epoch=EPOCH, after=1, revision=2, complete=True, as_of_ms=NOON_MS,
                  credentials=[revoked], signed=[], last_serial={}))
print("written", flush=True)
input()
"""
    command = [sys.executable, "-c", another_process, str(list_of(bench))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout and writer.stdout.readline() == b"written\n"
        bench.mirror.refresh()
        assert present(bench) == ("deny", "revoked")
        writer.communicate(b"\n")


# --- bits that a card has lost ----------------------------------------------------------------------------------------


def change(bench: Bench, sql: str) -> None:
    """As a card changes a value: without asking, and without SQLite or us knowing."""
    with sqlite3.connect(list_of(bench)) as conn:
        assert conn.execute(sql).rowcount == 1
    conn.close()
    bench.mirror.refresh()


@pytest.mark.parametrize("sql", [
    "UPDATE credential SET state = 'qctive' WHERE id & 255 = 5",
    "UPDATE credential SET state = 'revoked' WHERE id & 255 = 5",
    "UPDATE credential SET valid_until_ms = 7 WHERE id & 255 = 5",
    "UPDATE credential SET random = random + 1 WHERE id & 255 = 5",
    "UPDATE credential SET mark = mark + 1 WHERE id & 255 = 5",
    "UPDATE credential SET household = 'x' WHERE id & 255 = 5",
])  # fmt: skip
def test_a_row_that_is_not_as_it_was_written_refuses_nobody_and_is_told(tmp_path: Path, sql: str) -> None:
    bench = Bench(tmp_path, [row_of(CARD), row_of(credential(6))], usual_changes())
    change(bench, sql)
    assert present(bench) == ("refer", "no_list")
    assert bench.mirror.take_suspicion() and not bench.mirror.take_suspicion()
    assert present(bench, text_of(credential(6))) == ("grant", "ok"), "one row is not the list"


def test_a_row_that_has_lost_its_number_refuses_nobody_and_is_told(bench: Bench) -> None:
    change(bench, "UPDATE credential SET id = id + 1 WHERE id & 255 = 5")
    assert present(bench) == ("refer", "no_list") and bench.mirror.take_suspicion() and bench.mirror.damaged
    change(bench, "UPDATE credential SET id = id - 1 WHERE id & 255 = 6")
    bench.go(31)
    assert present(bench) == ("grant", "ok") and not bench.mirror.damaged


def test_a_row_that_was_taken_off_a_whole_list_is_refused_and_looked_for_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, look = [], ListReader.look_through
    monkeypatch.setattr(ListReader, "look_through", lambda self, seconds: (looked.append(seconds), look(self, seconds)))
    change(bench, "DELETE FROM credential WHERE id & 255 = 5")
    assert present(bench) == ("deny", "not_on_list") and bench.mirror.take_suspicion()
    bench.go(11)
    assert present(bench) == ("deny", "not_on_list") and len(looked) == 1


@pytest.mark.parametrize("name", ["revision", "as_of_ms", "last_serial/7"])
def test_a_list_that_says_something_else_of_itself_is_no_list(bench: Bench, name: str) -> None:
    bench.stop()
    with sqlite3.connect(list_of(bench)) as conn:
        assert conn.execute("UPDATE meta SET value = value + 1 WHERE name = ?", (name,)).rowcount == 1
    conn.close()
    bench.start()
    assert present(bench) == ("refer", "no_list") and "not as it was written" in bench.mirror.why
