"""What the database shows without its key: every column decided, sealed answers bound to their place, nothing planted
found in the bytes, and an older database sealed without losing or leaving a word."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Table, Text, select, update

from sync.server.centre import sealing, tables
from sync.server.centre.settings import Settings
from sync.server.centre.store import Store, sqlite_url
from sync.server.centre.vault import Vault, VaultError, open_vault
from sync.server.opening import open_centre
from sync.server.passes import compounds
from sync.server.people import identity
from sync.server.people.dwellings import visits
from sync.server.people.households import households, sealed_answers
from sync.server.people.households.application import Journey
from sync.server.people.households.field_groups import KEPT
from sync.server.people.registers import ages
from tests.fixtures import people
from tests.fixtures.centre import NOW, World
from tests.fixtures.people import opened
from tests.fixtures.settled import OLD_DOC, OLD_PHONE, OLD_WORDS, Planted, old_database, raw_found

SEALED = {(one.table, one.column) for one in KEPT if one.kept.how == "sealed"}
ABOUT_PEOPLE = sorted({one.table for one in KEPT})
NOBODYS = {
    "compound", "counter", "signing_key", "gate", "device", "enrolment", "credential", "signed_change", "guard",
    "journal", "past_life", "cursor_ahead", "staff", "ended_session", "staff_compound", "desk", "activation", "browser",
    "erasure", "coverage", "area", "setting", "town_audit",  # the centre's own, gates', accounts', numbers
    "event", "quarantine",  # what gates tell of passes, by their serials
    "unsealed",  # empty once the centre is open
}  # fmt: skip


# Every column has decided


@pytest.mark.parametrize("name", ABOUT_PEOPLE)
def test_every_column_about_people_says_how_it_is_kept(name: str) -> None:
    decided = [one.column for one in KEPT if one.table == name]
    assert sorted(decided) == sorted(tables.metadata.tables[name].c.keys()), "decide in households/field_groups.py"


def test_every_table_is_about_people_or_nobodys() -> None:
    assert set(ABOUT_PEOPLE) | NOBODYS == set(tables.metadata.tables) and not set(ABOUT_PEOPLE) & NOBODYS


def test_what_a_column_says_of_itself_is_what_it_is() -> None:
    for one in KEPT:
        column = tables.metadata.tables[one.table].c[one.column]
        hidden = isinstance(column.type, LargeBinary)
        assert (one.kept.how == "sealed") == one.column.startswith("sealed_") == (hidden and one.kept.how != "mark")
        assert (one.kept.how == "mark") == one.column.endswith("_mark")
        assert one.kept.how == "sealed" or one.kept.why


# The raw bytes


def raw(state: Path) -> bytes:
    files = [path for path in sorted(state.rglob("*")) if path.is_file() and path.name != "centre.key"]
    return b"\n".join(path.read_bytes() for path in files)


def test_nothing_that_is_sealed_lies_in_any_file_of_the_centre(world: World) -> None:
    planted = Planted(world)
    assert set(planted.held) == SEALED, "plant something in a new sealed column: tests/fixtures/settled.py"
    planted.write()
    for (name, column), words in planted.held.items():
        table = tables.metadata.tables[name]
        with world.centre.store.read() as conn:
            rows = conn.execute(select(table)).mappings().all()
            whole = b"".join(sealing.unseal(world.centre.vault, table, row, column) for row in rows)
        assert {word for word in words if word.encode() not in whole} == set(), f"not planted in {name}.{column}"
    lies = raw(world.state)
    assert raw_found(["独孤求", "3-2-501"], lies) == {"独孤求", "3-2-501"}, "what stands in clear is found"
    assert raw_found({word for words in planted.held.values() for word in words}, lies) == set()


def test_no_clear_cell_is_a_sealed_answer(world: World) -> None:
    """Short answers, which chance would find in any file, are looked for cell by cell."""
    planted = Planted(world)
    planted.write()
    said = {word for words in planted.held.values() for word in words}
    with world.centre.store.read() as conn:
        for table in tables.metadata.sorted_tables:
            texts = [column for column in table.c if isinstance(column.type, Text)]
            for row in conn.execute(select(*texts)).all() if texts else ():
                assert not said & {piece for cell in row for piece in str(cell).replace(",", " ").split()}, table.name


def test_answers_of_few_choices_are_sealed_anew_each_time_and_as_long_as_each_other(world: World) -> None:
    for contact, health, stayed in (("no", "well", "yes"), ("yes", "fever", "no"), ("no", "well", "yes")):
        stays = [
            Journey(province="湖北省", city="武汉市", district="武昌区", from_day="2027-01-05", until_day="2027-01-08")
        ]
        one = people.applicant(contact=contact, health=health, stayed=stayed, journeys=stays * 2)
        people.apply(world.centre, 7, people.application(people=[one]))
    with world.centre.store.read() as conn:
        travel = conn.execute(select(tables.person.c.sealed_travel)).scalars().all()
        births = conn.execute(select(tables.person.c.sealed_birth)).scalars().all()
    assert len(set(travel)) == 3 and len({len(one) for one in travel}) == 1
    assert len(set(births)) == 3 and len({len(one) for one in births}) == 1


# Bound to their place


@pytest.mark.parametrize(("name", "column"), sorted(SEALED))
def test_a_sealed_value_opens_in_its_own_row_and_column_only(name: str, column: str) -> None:
    table, vault = tables.metadata.tables[name], Vault(b"k" * 32)
    key = {one: b"\x01" if one.endswith("_mark") else 1 for one in sealing.key_of(table)}
    value = sealing.seal(vault, table, key, column, b"secret")

    def opens(where: Table, row: dict[str, Any], sealed: bytes) -> bool:
        try:
            return sealing.unseal(vault, where, row | {column: sealed}, column) == b"secret"
        except VaultError:
            return False

    assert opens(table, key, value)
    for moved, at in key.items():
        assert not opens(table, key | {moved: b"\x02" if isinstance(at, bytes) else 2}, value)
    for foreign in {tables.person, tables.household, tables.visit} - {table}:
        assert not opens(foreign, dict.fromkeys(sealing.key_of(foreign), 1), value)
    assert not opens(table, key, vault.seal(b"secret")), "what an older version sealed is bound to no place"
    with pytest.raises(VaultError):
        sealing.unseal(Vault(b"z" * 32), table, key | {column: value}, column)


def test_one_households_answers_cannot_be_put_into_another(world: World) -> None:
    ill = people.applicant(health="fever", doc_number=people.id_number(3))
    for person in (ill, people.applicant()):
        people.apply(world.centre, 7, people.application(people=[person]))
    of = tables.person.c
    with world.centre.store.write() as conn:
        taken = conn.execute(select(of.sealed_travel, of.sealed_doc).where(of.household_id == 1)).one()
        for name, value in taken._mapping.items():
            conn.execute(update(tables.person).where(of.household_id == 2).values({name: value}))
    with world.centre.store.read() as conn:
        assert households.people_of(conn, 7, 1)[0].health == "fever"
        with pytest.raises(VaultError):
            households.people_of(conn, 7, 2)
        with pytest.raises(VaultError):
            households.read_application(conn, world.centre.vault, households.get_household(conn, 7, 2))


# Masks and age bands


def days_by_band(today: date) -> dict[int, list[str]]:
    """Age band → days of birth in it, a hundred years back."""
    found: dict[int, list[str]] = {}
    for back in range(36_525):
        day = today - timedelta(days=back)
        found.setdefault(sealed_answers.age_band(day.isoformat(), today), []).append(f"{day:%Y%m%d}")
    return found


def candidates(region: str, mask: str, days: Iterable[str]) -> int:
    """Identity numbers with this region, one of these days, and the places that the mask shows."""
    tails = [f"{two:02d}{mask[16]}" for two in range(100)]
    left = dict.fromkeys("10X98765432", 0)
    for tail in tails:
        left[identity.id_checksum("0" * 14 + tail)] += 1
    shift = "10X98765432".index  # a check digit's place is its remainder, so two parts add up
    total = 0
    for day in days:
        mine = shift(identity.id_checksum(f"{region}{day}000"))
        total += left["10X98765432"[(shift(mask[17]) - mine) % 11]]
    return total


def test_what_stands_in_clear_leaves_more_than_ten_thousand_identity_numbers(world: World) -> None:
    """Against the worst case: the stranger knows the district of the number, all six places of it."""
    births = ("20260301", "20150607", "19870412", "19551230", "19310723")
    numbers = [people.id_number(137, birth, province="420106") for birth in births]
    family = [people.applicant(doc_number=number) for number in numbers]
    people.apply(world.centre, 7, people.application(people=family))
    with sqlite3.connect(world.state / "centre.db") as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute("SELECT * FROM person ORDER BY place")]
    db.close()
    today = households.local_day(compounds.read_compound(world.centre, 7), NOW)
    days, left = days_by_band(today), []
    for row, birth, number in zip(rows, births, numbers, strict=True):
        clear = {name: value for name, value in row.items() if not isinstance(value, bytes)}
        assert not [name for name, value in clear.items() if birth[2:] in str(value).replace("-", "")]
        mask = clear["doc_masked"]
        assert mask == number[:3] + "*" * 13 + number[-2:]
        assert candidates("420106", mask, [birth]) <= 10, "beside the day of birth next to nothing would be left"
        left.append(candidates("420106", mask, days[clear["age_band"]]))
    assert [row["age_band"] for row in rows] == [0, 7, 18, 60, 80]
    assert min(left) > 10_000 and left[0] == min(left)


def test_a_telephone_number_is_masked_but_for_its_last_four_places() -> None:
    assert [identity.mask_phone(one) for one in ("13800138000", "+85261234567", "")] == [
        "1******8000", "+*******4567", "****",
    ]  # fmt: skip


def test_age_bands_turn_on_the_birthday_and_are_brought_up_to_date_once_a_day(world: World) -> None:
    child = people.applicant(doc_number=people.id_number(5, "20200116"), phone="")
    people.apply(world.centre, 7, people.application(people=[people.applicant(), child]))

    def bands() -> list[int]:
        with world.centre.store.read() as conn:
            return list(conn.execute(select(tables.person.c.age_band).order_by(tables.person.c.place)).scalars())

    def update_bands() -> int:
        compound = compounds.read_compound(world.centre, 7)
        return ages.bring_up_to_date(world.centre, compound, households.local_day(compound, world.now_ms))

    assert bands() == [18, 0] and update_bands() == 0
    world.now_ms += 86_400_000
    assert (update_bands(), bands()) == (1, [18, 7])
    assert compounds.read_compound(world.centre, 7).ages_day == "2027-01-16"
    assert update_bands() == 0


# A database of the version before


def old_centre(state: Path, records: int = 0) -> Settings:
    state.mkdir()
    store, vault = Store(sqlite_url(state / "centre.db")), open_vault(state, new=True)
    old_database(store, vault, records)
    store.close()
    return Settings(state=state, watch=False, clock=lambda: NOW)


def must_be_whole(settings: Settings, records: int) -> None:
    """Everything the old database said is read, from rows in which it is sealed."""
    centre = open_centre(settings)
    with centre.store.read() as conn:
        home = households.get_household(conn, 7, 1)
        wrote = households.read_application(conn, centre.vault, home).people[0]
        why = opened(conn, tables.audit, "why")
        assert conn.execute(select(tables.unsealed)).all() == []
        assert [visit.note for visit in visits.list_visits(conn, 7, 1)] == ["旧便条"]
        assert opened(conn, tables.notice, "words") == ["旧短信"]
        assert opened(conn, tables.notice, "phone") == [OLD_PHONE]
        assert opened(conn, tables.draft, "body") == ['{"application":{}}']
        row = conn.execute(select(tables.person)).mappings().one()
        assert (row["age_band"], row["doc_masked"]) == (80, identity.mask(OLD_DOC))
    assert (home.told, home.evidence, home.objection) == ("旧话告知", "id\n旧证据", "旧异议")
    assert (home.warnings, home.letter_name, home.collected_note) == ("unwell,contact", "旧签名者", "proxy\n旧代领")
    assert home.phone_masked == "1******4627"
    assert (wrote.birth, wrote.arrived, wrote.came_from) == ("1931-07-23", "2026-02-03", "旧路省 旧路市")
    assert (wrote.transport_number, wrote.contact, wrote.health) == ("旧车次K9", "yes", "cough")
    assert (wrote.doc_number, wrote.journeys[0].district, wrote.journeys[0].from_day) == (OLD_DOC, "旧区", "2027-01-09")
    assert why == ["other: 旧用途", *(f"旧用途{number}" for number in range(records))]
    centre.close()


def test_an_older_database_is_sealed_when_it_is_opened_and_its_bytes_are_clean(tmp_path: Path) -> None:
    settings = old_centre(tmp_path / "centre")
    assert raw_found(OLD_WORDS, raw(settings.state)) == set(OLD_WORDS), "the database before shows everything"
    centre = open_centre(settings)
    assert raw_found(OLD_WORDS, raw(settings.state)) == set(), "the log and freed pages included"
    centre.close()
    assert raw_found(OLD_WORDS, raw(settings.state)) == set()
    must_be_whole(settings, 0)


def test_a_key_of_another_centre_seals_nothing(tmp_path: Path) -> None:
    settings = old_centre(tmp_path / "centre")
    key = settings.state / "centre.key"
    true = key.read_bytes()
    key.write_bytes(b"x" * 32)
    with pytest.raises(VaultError):
        open_centre(settings)
    key.write_bytes(true)
    must_be_whole(settings, 0)


KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sync.server.centre.settings import Settings
from sync.server.centre import store
from sync.server.opening import open_centre

left = int(sys.argv[3])
class Dying(store.Store):
    def __init__(self, url):
        super().__init__(url)
        event.listen(self._engine, "before_cursor_execute", self._count)
    def _count(self, conn, cursor, statement, *rest):
        global left
        left -= f"{statement}$".startswith(sys.argv[2])
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
import sync.server.opening
sync.server.opening.Store = Dying
open_centre(Settings(state=Path(sys.argv[1]), watch=False))
"""


@pytest.mark.parametrize(
    ("statement", "after"),
    [
        pytest.param("ALTER TABLE person DROP", 3, marks=pytest.mark.slow),  # while the words are put aside
        ("UPDATE household SET", 0),  # in the page after the records of deeds
        pytest.param("DELETE FROM unsealed$", 0, marks=pytest.mark.slow),  # all is sealed and the file written anew
    ],
)  # fmt: skip
def test_a_centre_killed_while_it_seals_goes_on_where_it_was(tmp_path: Path, statement: str, after: int) -> None:
    settings = old_centre(tmp_path / "centre", records=430)
    words = [str(settings.state), statement, str(after)]
    died = subprocess.run([sys.executable, "-c", KILLED, *words], check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL
    if statement.startswith("UPDATE"):
        with sqlite3.connect(settings.state / "centre.db") as db:
            waiting = db.execute("SELECT count(*) FROM unsealed").fetchone()[0]
        db.close()
        assert 0 < waiting < 430, "some pages are sealed, the one in which it died is not"
    must_be_whole(settings, 430)
    assert raw_found((*OLD_WORDS, "旧用途7"), raw(settings.state)) == set()
