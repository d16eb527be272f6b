"""The centre over HTTP, as a gate sees it: enrolment, feed, snapshot, time. Other test files use ``World``, too."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.public import PrivateKey
from nacl.pwhash import argon2id

from sync import cache
from sync.cache import SHORT_CODE_ALPHABET
from sync.credential import HOUR_MS, Credential, code_secret, read_credential
from sync.protocol import (
    AccountBody,
    CodeKeyBody,
    KeyBody,
    Page,
    Signed,
    SnapshotBody,
    SnapshotHead,
    TimeBody,
    TimeRequest,
    WithdrawalBody,
    trusts,
)
from sync.server.app import close_app, create_app
from sync.server.centre.errors import CentreError
from sync.server.centre.settings import Settings
from sync.server.gates import fleet, guards
from sync.server.passes import bulk, compounds, passes
from tests.fixtures.centre import LONG_PIN, NOW, PIN, Gate, World, code_of

# Enrolment


def test_a_gate_enrols_once_and_the_same_request_gets_the_same_answer(world: World) -> None:
    gate = world.gate()
    assert gate.enrol().enrolled == gate.enrol().enrolled
    assert gate.enrolled is not None and trusts(gate.enrolled.root_public, gate.mark)
    assert [g.state for g in fleet.list_gates(world.centre, 7)] == ["active"]


def test_a_lost_answer_may_be_asked_for_again_after_the_code_has_ended(world: World) -> None:
    gate = world.gate()
    first = gate.enrol().enrolled
    world.now_ms += fleet.CODE_LASTS_MS + 1
    assert gate.enrol().enrolled == first


@pytest.mark.parametrize(
    "changed", [{"token_hash": bytes(32)}, {"box_public": bytes(PrivateKey.generate().public_key)}]
)
def test_another_device_cannot_use_a_used_code(world: World, changed: dict[str, Any]) -> None:
    gate = world.gate().enrol()
    answer = world.client.post("/api/v1/enrol", data=gate.enrol_request(**changed))
    assert (answer.status_code, code_of(answer)) == (409, "used")


@pytest.mark.parametrize(("late_ms", "status"), [(-1, 200), (0, 404), (1, 404)])
def test_a_code_ends_after_a_day(world: World, late_ms: int, status: int) -> None:
    gate = world.gate()
    world.now_ms += fleet.CODE_LASTS_MS + late_ms
    assert world.client.post("/api/v1/enrol", data=gate.enrol_request()).status_code == status


def test_a_new_code_ends_the_one_before_and_replaces_the_device(world: World) -> None:
    old, unused = world.gate().enrol(), fleet.new_code(world.centre, 7, "g1", "test")
    new = Gate(world, fleet.new_code(world.centre, 7, "g1", "test").enrolment_code).enrol()
    late = Gate(world, unused.enrolment_code)
    assert world.client.post("/api/v1/enrol", data=late.enrol_request()).status_code == 404
    assert (old.ask(0).status_code, new.ask(0).status_code) == (401, 200)


def test_wrong_codes_are_limited_per_address_and_right_ones_are_not(world: World) -> None:
    gates = [world.gate(name=f"门{n}") for n in range(12)]
    assert [gate.enrol() is gate for gate in gates] == [True] * 12
    wrong = gates[0].enrol_request(secret="0" * 16)
    statuses = [world.client.post("/api/v1/enrol", data=wrong).status_code for _ in range(11)]
    assert statuses == [404] * 10 + [429]
    other = world.client.post("/api/v1/enrol", data=wrong, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    assert other.status_code == 404


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b'{"v":2}', b"\xff", b"[" * 100_000])
def test_an_invalid_message_is_refused_in_words(world: World, body: bytes) -> None:
    answer = world.client.post("/api/v1/enrol", data=body)
    assert (answer.status_code, code_of(answer)) == (400, "not_understood")


@pytest.mark.parametrize("box", [b"", bytes(32), b"1" * 31])
def test_a_box_key_that_nothing_can_be_sealed_for_is_refused(world: World, box: bytes) -> None:
    assert world.client.post("/api/v1/enrol", data=world.gate().enrol_request(box_public=box)).status_code == 400


@pytest.mark.parametrize(
    "header", ["", "Gate", "Gate 7", "Gate 7.x.y", "Bearer 7.a.b", "Gate ٧.a.b", "Gate 99999999999.a.b"]
)
def test_a_stranger_is_401(world: World, header: str) -> None:
    answer = world.client.get(
        "/api/v1/feed?epoch=x&after=0", headers={"Authorization": header.encode().decode("latin-1")}
    )
    assert (answer.status_code, code_of(answer)) == (401, "unknown_device")


def test_a_token_is_good_for_its_own_compound_only(world: World) -> None:
    gate = world.gate().enrol()
    assert gate.enrolled is not None
    forged = {"Authorization": f"Gate 8.{gate.enrolled.device}.{gate.token}"}
    assert world.client.get("/api/v1/feed?epoch=x&after=0", headers=forged).status_code == 401


# Feed


def test_a_gate_learns_keys_rules_names_and_passes(world: World) -> None:
    made = world.issue(label="王*", dwelling="3-2-501", phone=True)
    gate = world.gate().enrol()
    gate.follow()
    key = gate.body("key", "7/1", KeyBody)
    card = read_credential(passes.credential_text(world.centre, made.number, "card"), {(7, 1): key.public})
    assert isinstance(card, Credential)
    row = gate.rows[7, card.serial]
    assert (row.kind, row.not_before_step, row.validity_hours, row.random) == (
        card.kind, card.not_before_step, card.validity_hours, card.random)  # fmt: skip
    assert (row.label, row.dwelling, row.number, row.state) == ("王*", "3-2-501", made.number, "active")
    assert {("rule", "rules"), ("setting", "compound"), ("setting", "gate/g1"), ("code_key", "7")} <= set(gate.signed)
    phone = passes.phone_code(world.centre, made.number, "test")
    code_key = gate.open(gate.body("code_key", "7", CodeKeyBody).sealed["g1"])
    serial = next(c.serial for c in made.credentials if c.medium == "phone")
    assert code_secret(code_key, serial) == phone.secret


def test_nothing_of_another_compound_is_ever_in_a_feed(world: World) -> None:
    world.issue(8)
    mine, other = world.gate(7).enrol(), world.gate(8).enrol()
    mine.follow()
    other.follow()
    assert mine.rows == {} and len(other.rows) == 1
    assert {s.compound for s in mine.signed.values()} == {7}


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 100, 2000, 5000])
def test_pages_of_any_size_bring_the_same_list(world: World, limit: int) -> None:
    gate = world.gate().enrol()
    for at in range(9):
        made = world.issue(phone=at % 2 == 0)
        compounds.set_rule(world.centre, 7, "passback_s", str(at), "test")
        if at % 3 == 0:
            passes.revoke(world.centre, made.number, "test")
    gate.follow(limit)
    assert len(gate.rows) == 14
    assert gate.revision == compounds.read_compound(world.centre, 7).revision
    states = sorted(row.state for row in gate.rows.values())
    assert states.count("revoked") == 5
    pages = [gate.ask(after, limit) for after in range(gate.revision)]
    for after, answer in enumerate(pages):
        page = msgspec.json.decode(answer.data, type=Page)
        assert after < page.revision and len(page.credentials) + len(page.signed) <= min(limit, 2000)
        assert page.complete == (page.revision == gate.revision)


def test_nothing_new_is_204_with_the_centres_time(world: World) -> None:
    gate = world.gate().enrol()
    gate.follow()
    world.now_ms += 5000
    answer = gate.ask()
    assert (answer.status_code, answer.headers["As-Of"], answer.data) == (204, str(NOW + 5000), b"")


def test_cursors_that_cannot_be_continued_start_again(world: World) -> None:
    made = world.issue()
    gate = world.gate().enrol()
    gate.follow()
    assert gate.ask(gate.revision + 1).status_code == 409, "from there no snapshot helps: see test_restored"
    before = gate.revision
    passes.delete(world.centre, made.number, "test")
    assert passes.prune(world.centre, 7, world.now_ms) == 0
    world.now_ms += 1000
    assert passes.prune(world.centre, 7, world.now_ms) == 1
    assert code_of(gate.ask(before)) == "start_again"
    gate.epoch = "other"
    assert gate.ask(before).status_code == 410


@pytest.mark.parametrize("query", ["", "?after=x", "?after=-1", "?after=1&limit=x", f"?after={'9' * 30}"])
def test_a_feed_request_without_numbers_is_400(world: World, query: str) -> None:
    assert world.gate().enrol().get(f"/feed{query}").status_code == 400


def test_a_deleted_pass_is_a_tombstone(world: World) -> None:
    made = world.issue(label="王*", dwelling="3-2-501")
    gate = world.gate().enrol()
    gate.follow()
    passes.delete(world.centre, made.number, "test")
    gate.follow()
    (row,) = gate.rows.values()
    assert (row.state, row.label, row.dwelling, row.number) == ("gone", "", "", "")


def test_last_serial_comes_only_with_the_last_page(world: World) -> None:
    gate = world.gate().enrol()
    made = world.issue(phone=True)
    first = msgspec.json.decode(gate.ask(limit=1).data, type=Page)
    whole = msgspec.json.decode(gate.ask().data, type=Page)
    assert (first.complete, first.last_serial) == (False, {})
    assert (whole.complete, whole.last_serial) == (True, {7: max(c.serial for c in made.credentials)})


def test_no_reader_loses_a_row_while_many_write(world: World) -> None:
    gate = world.gate().enrol()
    failed: list[BaseException] = []
    done = threading.Event()

    def write(which: int) -> None:
        try:
            for at in range(8):
                made = world.issue(phone=which % 2 == 0)
                if at % 2:
                    passes.revoke(world.centre, made.number, "test")
                compounds.set_rule(world.centre, 7, "passback_s", str(which * 100 + at), "test")
        except BaseException as err:  # noqa: BLE001 (shown by the assertion)
            failed.append(err)

    def read() -> None:
        try:
            while not done.is_set():
                gate.follow(limit=3)
        except BaseException as err:  # noqa: BLE001 (shown by the assertion)
            failed.append(err)

    writers = [threading.Thread(target=write, args=(which,)) for which in range(6)]
    reader = threading.Thread(target=read)
    reader.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert not failed
    gate.follow()
    fresh = world.gate(name="西门").enrol()
    gate.follow()
    fresh.follow()
    assert gate.rows == fresh.rows and len(gate.rows) == 6 * 8 + 3 * 8
    assert gate.signed == fresh.signed
    assert gate.revision == fresh.revision


def test_a_failed_transaction_takes_no_revision(world: World) -> None:
    before = compounds.read_compound(world.centre, 7).revision
    with pytest.raises(RuntimeError), world.centre.writing(7, "test") as writing:
        writing.sign("rule", "rules", compounds.Rules())
        raise RuntimeError
    assert compounds.read_compound(world.centre, 7).revision == before


# Passes


def test_the_states_of_a_pass_as_gates_see_them(world: World) -> None:
    gate = world.gate().enrol()
    made = world.issue(active=False, phone=True)

    def states() -> set[str]:
        gate.follow()
        return {row.state for row in gate.rows.values()}

    assert states() == {"printed"}
    passes.suspend(world.centre, made.number, "test")
    assert states() == {"suspended"}
    assert passes.resume(world.centre, made.number, "test").state == "printed"
    assert states() == {"printed"}
    passes.hand_over(world.centre, made.number, "test")
    assert states() == {"active"}
    passes.suspend(world.centre, made.number, "test")
    assert passes.resume(world.centre, made.number, "test").state == "active"
    passes.revoke(world.centre, made.number, "test")
    assert states() == {"revoked"}


def test_reissue_supersedes_the_old_card_in_the_same_page_and_leaves_the_phone(world: World) -> None:
    gate = world.gate().enrol()
    made = world.issue(phone=True)
    gate.follow()
    again = passes.reissue(world.centre, made.number, ("card",), "test")
    page = msgspec.json.decode(gate.ask().data, type=Page)
    assert sorted(row.state for row in page.credentials) == ["active", "superseded"]
    assert {(c.medium, c.state) for c in again.credentials} == {
        ("card", "active"), ("card", "superseded"), ("phone", "active")}  # fmt: skip
    passes.revoke(world.centre, made.number, "test")
    gate.follow()
    assert sorted(row.state for row in gate.rows.values()) == ["revoked", "revoked", "superseded"]


def test_extending_everybody_prints_nothing_again_and_leaves_visitors(world: World) -> None:
    made = [world.issue(phone=True) for _ in range(3)]
    visitor, gone = world.issue(kind="visitor"), world.issue()
    passes.revoke(world.centre, gone.number, "test")
    texts = [passes.credential_text(world.centre, p.number, "card") for p in made]
    until = NOW + 365 * 24 * HOUR_MS
    gate = world.gate().enrol()
    gate.follow()
    before = gate.revision
    assert bulk.extend_all(world.centre, 7, bulk.Extension(until_ms=until), "test") == 3
    assert gate.follow() == 1 and gate.revision == before + 6
    assert sum(row.valid_until_ms == until for row in gate.rows.values()) == 6
    assert passes.get_pass(world.centre, visitor.number).valid_until_ms == visitor.valid_until_ms
    assert [passes.credential_text(world.centre, p.number, "card") for p in made] == texts
    assert bulk.extend_all(world.centre, 7, bulk.Extension(until_ms=until), "test") == 0


def test_attention_reaches_the_gate(world: World) -> None:
    gate, made = world.gate().enrol(), world.issue()
    passes.set_attention(world.centre, made.number, True, "test")
    gate.follow()
    assert [row.attention for row in gate.rows.values()] == [True]


def test_what_to_look_for_reaches_the_gate_and_ends_with_the_mark(world: World) -> None:
    gate, made = world.gate().enrol(), world.issue()
    steps = [(True, "plate", "plate"), (True, "", ""), (True, "lost", "lost"), (False, "plate", "")]
    for attention, look, told in steps:
        done = passes.set_attention(world.centre, made.number, attention, "test", look)
        gate.follow()
        assert [(row.attention, row.look) for row in gate.rows.values()] == [(attention, told)]
        assert (done.attention, done.look) == (attention, told)


def test_nothing_but_a_word_of_the_closed_list_is_to_be_looked_for(world: World) -> None:
    made = world.issue()
    with pytest.raises(CentreError):
        passes.set_attention(world.centre, made.number, True, "test", "has a fever")
    assert not passes.get_pass(world.centre, made.number).attention


def test_short_codes_and_numbers_are_unique_and_easy_to_say(world: World) -> None:
    order = passes.Order(valid_from_ms=NOW, valid_until_ms=NOW + HOUR_MS)
    made = passes.issue_many(world.centre, 7, [order] * 700, "test")
    assert len({p.short_code for p in made}) == len({p.number for p in made}) == 700
    assert set("".join(p.short_code for p in made)) <= set(SHORT_CODE_ALPHABET)
    assert not set("01IOSLBZ5") & set(SHORT_CODE_ALPHABET)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("王小明", "王*"), ("欧阳娜", "欧阳*"), ("王*", "王*"), ("", ""), (" 李四 ", "李*"), ("Smith", "S*")],
)
def test_only_the_surname_is_kept(name: str, kept: str) -> None:
    assert passes.masked(name) == kept


@pytest.mark.parametrize(
    ("words", "end", "utc"),
    [("2026-12-31", True, "2026-12-31T16:00:00Z"), ("2026-12-31", False, "2026-12-30T16:00:00Z"),
     ("2026-12-31T18:00", True, "2026-12-31T10:00:00Z"), ("2026-12-31T18:00:00+00:00", True, "2026-12-31T18:00:00Z")],
)  # fmt: skip
def test_dates_are_of_the_compounds_day(words: str, end: bool, utc: str) -> None:
    assert passes.read_time(words, "Asia/Shanghai", end) == passes.read_time(utc, "UTC", end)


@pytest.mark.parametrize("words", ["", "tomorrow", "2026-13-01", "31.12.2026", "9999-12-31"])
def test_a_wrong_date_is_told_in_words(words: str) -> None:
    with pytest.raises(CentreError, match="not a date"):
        passes.read_time(words, "Asia/Shanghai", True)


@pytest.mark.parametrize(
    "number", ["", "7", "7-", "-1", "x-1", "7-1-1", "٧-1", "7-" + "1" * 30, "9-000001", "8-000001", "7-000001'"]
)
def test_a_wrong_pass_number_is_told_in_words(world: World, number: str) -> None:
    world.issue(7)
    with pytest.raises(CentreError):
        passes.revoke(world.centre, number, "test")


# Accounts, keys, withdrawal


def test_a_guards_pin_reaches_every_core_and_only_cores(world: World) -> None:
    east = world.gate(name="东门").enrol()
    guard = guards.add_guard(world.centre, 7, "李强", "supervisor", LONG_PIN, "test")
    west = world.gate(name="西门").enrol()
    for gate in (east, west):
        gate.follow()
        body = gate.body("account", guard.account, AccountBody)
        assert gate.enrolled is not None and set(body.verifier) == {"g1", "g2"}
        assert argon2id.verify(gate.open(body.verifier[gate.enrolled.gate]), LONG_PIN.encode())
        assert (body.name, body.role, body.active) == ("李强", "supervisor", True)
    guards.change_guard(world.centre, 7, guard.account, "test", active=False)
    east.follow()
    body = east.body("account", guard.account, AccountBody)
    assert (body.active, body.verifier) == (False, {})


def test_a_withdrawn_device_gets_its_order_and_nothing_else(world: World) -> None:
    stolen, other = world.gate(name="东门").enrol(), world.gate(name="西门").enrol()
    made = world.issue(phone=True)
    stolen.follow()
    other.follow()
    secret = passes.phone_code(world.centre, made.number, "test").secret
    cursor = stolen.revision
    device = fleet.withdraw(world.centre, 7, "g1", "test")
    world.issue()
    page = msgspec.json.decode(stolen.ask(cursor).data, type=Page)
    assert ([s.purpose for s in page.signed], page.credentials, page.complete) == (["withdrawal"], [], False)
    assert page.signed[0].must and page.signed[0].is_by(stolen.enrolled.root_public)
    assert msgspec.json.decode(page.signed[0].body, type=WithdrawalBody).device == device
    assert stolen.ask(page.revision).status_code == 204
    stolen.epoch, stolen.revision = "an-epoch-that-is-over", 5_000_000
    late = msgspec.json.decode(stolen.ask().data, type=Page)
    assert (late.epoch, late.after, late.revision) == (stolen.epoch, 5_000_000, 5_000_001)
    assert late.signed[0].is_by(stolen.enrolled.root_public) and late.signed[0].epoch == stolen.epoch
    stolen.epoch = "two%0Alines"
    assert stolen.ask().status_code == 400
    assert stolen.get("/snapshot").status_code == 403
    other.follow()
    assert set(other.body("code_key", "7", CodeKeyBody).sealed) == {"g2"}
    assert passes.phone_code(world.centre, made.number, "test").secret != secret


def test_a_new_signing_key_signs_only_when_every_gate_has_it(world: World) -> None:
    gate = world.gate().enrol()
    with world.centre.writing(7, "test") as writing:
        compounds.add_signing_key(writing, world.centre, 7)

    def key_of_next() -> int:
        text = passes.credential_text(world.centre, world.issue().number, "card")
        gate.follow()
        keys = {(7, n): gate.body("key", f"7/{n}", KeyBody).public for n in (1, 2)}
        read = read_credential(text, keys)
        assert isinstance(read, Credential)
        return read.key_id

    assert key_of_next() == 1
    world.app.extensions["presence"].write()
    assert key_of_next() == 2


def test_a_restored_centre_begins_a_new_epoch_far_above(world: World) -> None:
    made, gate = world.issue(), world.gate().enrol()
    gate.follow()
    before, old_epoch = gate.revision, gate.epoch
    restored = compounds.begin_epoch(world.centre, 7, "test")
    assert restored.epoch != old_epoch and restored.revision > before + 1_000_000
    assert gate.ask().status_code == 410
    head = msgspec.json.decode(gate.get("/snapshot").data, type=SnapshotHead)
    assert head.signed.epoch == restored.epoch
    gate.epoch, gate.revision = restored.epoch, 0
    gate.follow()
    assert {s.epoch for s in gate.signed.values()} == {restored.epoch}
    later = world.issue()
    assert max(c.serial for c in later.credentials) > made.credentials[0].serial + 1_000_000
    assert int(later.number.partition("-")[2]) > int(made.number.partition("-")[2]) + 1_000, "printed since the backup"


def test_every_refusal_has_the_protocols_body(world: World) -> None:
    for method, path, status in (("GET", "/api/v1/nothing", 404), ("GET", "/api/v1/enrol", 405)):
        answer = world.client.open(path, method=method)
        assert (answer.status_code, code_of(answer)) == (status, f"http_{status}")
    with world.centre.store.write() as conn:
        conn.exec_driver_sql("ALTER TABLE device RENAME TO away")
    answer = world.client.get("/api/v1/feed?epoch=x&after=0", headers={"Authorization": "Gate 7.d.t"})
    assert (answer.status_code, code_of(answer), answer.headers["Retry-After"]) == (503, "busy", "5")


# Snapshot and time


def fetch(gate: Gate, folder: Path) -> tuple[SnapshotHead, Path]:
    head = msgspec.json.decode(gate.get("/snapshot").data, type=SnapshotHead)
    path = folder / head.name
    with gate.get(f"/snapshot/{head.name}") as answer:
        path.write_bytes(answer.data)
    return head, path


def test_a_snapshot_is_the_feed_in_one_signed_file(world: World, tmp_path: Path) -> None:
    gate = world.gate().enrol()
    for _ in range(3):
        passes.delete(world.centre, world.issue().number, "test")
        world.issue(phone=True)
    head, path = fetch(gate, tmp_path)
    body = msgspec.json.decode(head.signed.body, type=SnapshotBody)
    assert gate.enrolled is not None and head.signed.is_by(gate.enrolled.root_public)
    assert body.hash == hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest()
    assert (body.size, head.signed.item) == (path.stat().st_size, head.name)
    cache.check(path, 7, head.signed.epoch)
    gate.follow()
    reader = cache.ListReader(path)
    live = {key: row for key, row in gate.rows.items() if row.state != "gone"}
    assert {key: reader.find(*key) for key in live} == live and reader.count() == len(live) == 6
    assert {(s.purpose, s.item): s for s in reader.signed()} == gate.signed
    meta = reader.meta()
    assert (meta["revision"], meta["last_serial/7"]) == (str(head.signed.revision), "9")
    reader.close()


def test_a_herd_gets_one_build_and_goes_on_with_the_feed(world: World, tmp_path: Path) -> None:
    gate = world.gate().enrol()
    first, _ = fetch(gate, tmp_path)
    world.issue()
    assert fetch(gate, tmp_path)[0] == first
    gate.revision = first.signed.revision
    gate.follow()
    assert len(gate.rows) == 1


def test_a_snapshot_far_behind_or_before_a_dropped_tombstone_is_built_anew(world: World, tmp_path: Path) -> None:
    gate = world.gate().enrol()
    first, _ = fetch(gate, tmp_path)
    order = passes.Order(valid_from_ms=NOW, valid_until_ms=NOW + HOUR_MS)
    made = passes.issue_many(world.centre, 7, [order] * 2001, "test")
    second, _ = fetch(gate, tmp_path)
    passes.delete(world.centre, made[0].number, "test")
    passes.prune(world.centre, 7, world.now_ms + 1)
    third, _ = fetch(gate, tmp_path)
    assert first.name != second.name != third.name
    names = [p.name for p in (world.state / "snapshots" / "7").iterdir() if p.suffix == ".db"]
    assert sorted(names) == sorted([second.name, third.name])
    assert gate.get(f"/snapshot/{first.name}").status_code == 404


def test_a_snapshot_may_be_fetched_in_parts_and_of_ones_own_compound_only(world: World) -> None:
    gate, other = world.gate(7).enrol(), world.gate(8).enrol()
    head = msgspec.json.decode(gate.get("/snapshot").data, type=SnapshotHead)
    path = f"/api/v1/snapshot/{head.name}"
    with world.client.get(path, headers=gate.headers) as answer:
        whole = answer.data
    with world.client.get(path, headers=gate.headers | {"Range": "bytes=100-199"}) as part:
        assert (part.status_code, part.data) == (206, whole[100:200])
    assert other.get(f"/snapshot/{head.name}").status_code == 404
    assert gate.get("/snapshot/..%2f..%2fcentre.db").status_code == 404


def test_time_is_signed_over_the_cores_nonce(world: World) -> None:
    gate, nonce = world.gate().enrol(), os.urandom(16)
    signed = msgspec.json.decode(gate.post("/time", TimeRequest(1, nonce)).data, type=Signed)
    assert gate.enrolled is not None and signed.is_by(gate.enrolled.root_public)
    assert (signed.purpose, signed.item, signed.revision) == ("time", gate.enrolled.device, 0)
    assert msgspec.json.decode(signed.body, type=TimeBody) == TimeBody(nonce, NOW)
    assert gate.post("/time", TimeRequest(1, b"short")).status_code == 400


# At rest


def test_the_database_holds_no_secret_in_the_open(world: World) -> None:
    gate = world.gate().enrol()
    guards.add_guard(world.centre, 7, "李强", "guard", PIN, "test")
    compound = compounds.read_compound(world.centre, 7)
    seed = world.centre.vault.unseal(compound.sealed_root_seed)
    code_key = world.centre.vault.unseal(compound.sealed_code_key)
    kept = b"".join(p.read_bytes() for p in world.state.glob("centre.db*"))
    assert not [s for s in (seed, code_key, gate.token.encode(), gate.secret.encode(), b"$argon2id$") if s in kept]
    assert stat.S_IMODE((world.state / "centre.key").stat().st_mode) == 0o600


def test_a_state_folder_without_its_key_is_refused_not_given_a_new_one(world: World) -> None:
    close_app(world.app)
    (world.state / "centre.key").unlink()
    with pytest.raises(Exception, match=r"centre\.key cannot be read"):
        create_app(Settings(state=world.state, watch=False))
    assert not (world.state / "centre.key").exists()


def test_migrations_make_exactly_the_tables_the_code_knows(world: World) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from sync.server.centre.tables import metadata

    with world.centre.store.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
    with sqlite3.connect(world.state / "centre.db") as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_every_key_of_a_compounds_table_begins_with_its_compound() -> None:
    from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

    from sync.server.centre.tables import metadata

    for table in metadata.tables.values():
        if table.name in ("staff", "ended_session", "area", "setting", "town_audit"):  # of the whole town
            continue
        for constraint in table.constraints:
            if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
                assert next(iter(constraint.columns)).name == "compound_id", table.name
