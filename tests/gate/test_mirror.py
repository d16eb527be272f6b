"""What the core takes from the list: rows as written, everything that matters only with the root's signature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

from kiosk.core.kept import Kept, Memory, Statements
from kiosk.core.mirror import NOT_LISTED, Mirror
from kiosk.core.policy import Now
from kiosk.core.vouching import Anchor, Vouching
from sync.cache import ListWriter, get_current, set_current
from sync.protocol import (
    CodeKeyBody,
    CompoundBody,
    CredentialRow,
    GateBody,
    KeyBody,
    Page,
    Rules,
    Signed,
    WithdrawalBody,
)
from tests.fixtures.gate_parts import (
    ANCHOR,
    BOX,
    CODE_KEY,
    COMPOUND,
    DAY_MS,
    DEVICE,
    EPOCH,
    GATE,
    NOON_MS,
    OTHER_ROOT,
    ZONE,
    account,
    credential,
    row_of,
    rules,
    sealed,
    signed,
    usual_changes,
    write_list,
)

ROW = row_of(credential(5), dwelling="3-2-1201", plate="鄂A12345", number="A-000005", short_code="K7Q2")


class Core:
    """A core's view of a list folder; :meth:`restart` keeps only what is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "list"
        self._kept = folder / "kept.json"
        self._statements = folder / "vouched.json"
        self.now = Now(utc_ms=NOON_MS, state="trusted", zone=ZONE)
        self.mirror = self._open()

    def _open(self, anchor: Anchor | None = ANCHOR, box: PrivateKey | None = BOX) -> Mirror:
        statements = Kept(self._statements, Statements())
        return Mirror(self.folder, Vouching(anchor, box, Kept(self._kept, Memory()), statements), lambda: self.now)

    def restart(self, anchor: Anchor | None = ANCHOR, box: PrivateKey | None = BOX) -> Mirror:
        self.mirror.close()
        self.mirror = self._open(anchor, box)
        self.mirror.refresh()
        return self.mirror

    def write(self, rows: list[CredentialRow], changes: list[Signed], number: int = 1, **fields: Any) -> Mirror:
        write_list(self.folder, rows, changes, number, **fields)
        self.mirror.refresh()
        return self.mirror

    def add(self, *changes: Signed, rows: tuple[CredentialRow, ...] = (), last_serial: int = 1000) -> Mirror:
        path = get_current(self.folder)
        assert path
        writer = ListWriter(path)
        after = writer.cursor.revision
        writer.apply(Page(v=1, compound=COMPOUND, epoch=EPOCH, after=after, revision=after + 1, complete=True,
                          as_of_ms=NOON_MS, credentials=list(rows), signed=list(changes),
                          last_serial={COMPOUND: last_serial}))  # fmt: skip
        writer.close()
        assert self.mirror.refresh()
        return self.mirror


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return Core(tmp_path)


def test_before_the_first_list_there_is_none_and_nothing_is_known(core: Core) -> None:
    assert not core.mirror.refresh()
    assert (core.mirror.list_state(), core.mirror.age_s(), core.mirror.find(COMPOUND, 5)) == ("none", -1, NOT_LISTED)
    assert core.mirror.why and core.mirror.look_up("3-2-1201") == []


def test_a_whole_list_brings_rows_keys_rules_names_and_accounts(core: Core) -> None:
    mirror = core.write([ROW], usual_changes(passback_s=99))
    vouched = mirror.vouched
    assert mirror.find(COMPOUND, 5).row == ROW and mirror.find(COMPOUND, 6).row is None
    assert (mirror.why, mirror.passes, mirror.last_serial(COMPOUND), mirror.last_serial(99)) == ("", 1, 1000, None)
    assert vouched.rules.passback_s == 99
    assert set(vouched.keys) == {(COMPOUND, 1)} and vouched.code_keys == {COMPOUND: CODE_KEY}
    assert set(vouched.accounts) == {"lin", "zhao"} and vouched.accounts["zhao"].role == "supervisor"
    assert (vouched.gate_name, vouched.compound.name_zh) == ("North gate", "桃园")
    assert not mirror.refresh(), "nothing has changed since"


@pytest.mark.parametrize("term", ["3-2-1201", "鄂A12345", "A-000005", "K7Q2"])
def test_rows_are_found_by_dwelling_plate_number_and_short_code(core: Core, term: str) -> None:
    assert core.write([ROW, row_of(credential(6), dwelling="1-1-101")], usual_changes()).look_up(term) == [ROW]


@pytest.mark.parametrize("term", ["", "3-2", "%", "3-2-1201' OR 1=1 --", "王**", "x" * 10_000])
def test_nothing_else_finds_anybody(core: Core, term: str) -> None:
    assert core.write([ROW], usual_changes()).look_up(term) == []


def test_a_page_written_by_sync_is_followed(core: Core) -> None:
    core.write([ROW], usual_changes())
    revoked = row_of(credential(5), state="revoked", revision=2)
    mirror = core.add(rules(2, passback_s=7), rows=(revoked,), last_serial=2000)
    found = mirror.find(COMPOUND, 5).row
    assert found and found.state == "revoked"
    assert (mirror.vouched.rules.passback_s, mirror.last_serial(COMPOUND), mirror.revision) == (7, 2000, 2)


# --- signatures -------------------------------------------------------------------------------------------------------

MINT = KeyBody(COMPOUND, 9, bytes(32))
FORGED = {
    "another root": signed("key", "7/9", MINT, root=OTHER_ROOT),
    "another compound": signed("key", "7/9", MINT, compound=8),
    "a signature for something else": Signed(
        purpose="key", compound=COMPOUND, epoch=EPOCH, revision=2, item="7/9", body=rules().body,
        signature=rules().signature,
    ),
    "no signature": Signed(
        purpose="key", compound=COMPOUND, epoch=EPOCH, revision=2, item="7/9", body=b"{}", signature=b""
    ),
    "a line break in a name": Signed(
        purpose="key", compound=COMPOUND, epoch="e1\n", revision=2, item="7/9", body=b"{}", signature=bytes(64)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_change_is_refused_and_the_rest_is_taken(core: Core, name: str) -> None:
    vouched = core.write([ROW], [FORGED[name], *usual_changes()]).vouched
    assert (vouched.forged, (COMPOUND, 9) in vouched.keys, len(vouched.accounts)) == (1, False, 2)


def test_a_forged_change_over_a_good_one_leaves_the_good_one(core: Core) -> None:
    core.write([ROW], usual_changes(passback_s=99))
    vouched = core.add(signed("rule", "rules", Rules(passback_s=1), 5, root=OTHER_ROOT)).vouched
    assert (vouched.forged, vouched.rules.passback_s) == (1, 99)
    assert core.add(rules(6, passback_s=2)).vouched.forged == 0


def test_without_an_anchor_nothing_is_vouched_for(core: Core) -> None:
    core.write([ROW], usual_changes())
    mirror = core.restart(anchor=None)
    assert (mirror.vouched.keys, mirror.vouched.accounts, mirror.list_state()) == ({}, {}, "none")


def test_an_older_revision_never_comes_back(core: Core) -> None:
    core.write([ROW], [*usual_changes(), account("Wang", revision=2)])
    assert "wang" not in core.add(account("Wang", active=False, revision=3)).vouched.accounts
    vouched = core.add(account("Wang", revision=2)).vouched
    assert "wang" not in vouched.accounts and vouched.forged == 1


def test_an_older_revision_does_not_come_back_after_a_restart_or_in_another_file(core: Core) -> None:
    core.write([ROW], [*usual_changes(), account("Wang", active=False, revision=3)])
    core.mirror.close()
    write_list(core.folder, [ROW], [*usual_changes(), account("Wang", revision=2)], 2)
    vouched = core.restart().vouched
    assert "wang" not in vouched.accounts and vouched.forged == 1


@pytest.mark.parametrize("instead", [[], [signed("rule", "rules", Rules(), 99, root=OTHER_ROOT)]])
def test_rules_are_not_lifted_by_leaving_them_out_of_the_list_over_a_restart(core: Core, instead: list[Signed]) -> None:
    core.write([ROW], [*usual_changes(), rules(7, admits=("resident",))])
    core.mirror.close()
    others = [change for change in usual_changes() if change.purpose != "rule"]
    write_list(core.folder, [ROW], [*others, *instead], 2)
    for vouched in (core.restart().vouched, core.restart().vouched):
        assert (vouched.rules.admits, vouched.forged) == (("resident",), 1)


def test_a_new_epoch_begins_at_any_revision_and_the_one_before_it_never_comes_back(core: Core) -> None:
    core.write([ROW], [rules(900, passback_s=9)])
    begun = signed("rule", "rules", Rules(passback_s=2), 5, epoch="e2")
    assert core.write([ROW], [begun], 2, epoch="e2").vouched.rules.passback_s == 2
    core.mirror.close()
    write_list(core.folder, [ROW], [rules(901, passback_s=9)], 3)
    vouched = core.restart().vouched
    assert (vouched.rules.passback_s, vouched.forged) == (2, 1)
    assert core.write([ROW], [begun], 4, epoch="e2").vouched.rules.passback_s == 2


def test_a_mixture_of_epochs_does_not_shut_out_the_new_one(core: Core) -> None:
    begun = [signed("rule", "rules", Rules(passback_s=n), 5 + n, epoch="e2") for n in (1, 2)]
    core.write([ROW], [rules(9)])
    core.write([ROW], [begun[0], account("Lin", revision=10)], 2, epoch="e2")
    assert core.write([ROW], [begun[1]], 3, epoch="e2").vouched.rules.passback_s == 2


def test_a_restart_with_nothing_new_writes_nothing(core: Core) -> None:
    core.folder.mkdir()
    core.write([ROW], usual_changes())
    kept = core.folder.parent / "kept.json"
    before = kept.stat().st_ino, kept.stat().st_mtime_ns
    core.restart()
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == before


# --- what is not understood -------------------------------------------------------------------------------------------

NOT_UNDERSTOOD = [
    pytest.param("levels", "x", {"level": 3}, id="an unknown kind"),
    pytest.param("rule", "rules", {"passback": "shoot"}, id="an unknown word in a known kind"),
    pytest.param("rule", "rules", b"\xff", id="not even JSON"),
    pytest.param("setting", "compound", CompoundBody(name_zh="桃", name_en="P", timezone="Moon/Crater"), id="no zone"),
    pytest.param("setting", "compound", CompoundBody(name_zh="桃", name_en="P", timezone="Asia"), id="half a zone"),
    pytest.param("setting", "compound", CompoundBody(name_zh="桃", name_en="P", timezone="/etc"), id="a path"),
]


@pytest.mark.parametrize("must", [True, False])
@pytest.mark.parametrize(("purpose", "item", "body"), NOT_UNDERSTOOD)
def test_a_change_that_is_not_understood_keeps_what_was_and_shows_when_it_must_be(
    core: Core, purpose: str, item: str, body: Any, must: bool
) -> None:
    core.write([ROW], usual_changes(passback_s=99))
    vouched = core.add(signed(purpose, item, body, 5, must=must)).vouched
    assert (vouched.not_understood, vouched.forged) == (must, 0)
    assert (vouched.rules.passback_s, vouched.compound.name_zh, len(vouched.accounts)) == (99, "桃园", 2)


def test_a_newer_change_that_is_understood_ends_it(core: Core) -> None:
    core.write([ROW], usual_changes())
    core.add(signed("rule", "rules", {"passback": "shoot"}, 5, must=True))
    vouched = core.add(rules(6, passback_s=3)).vouched
    assert (vouched.not_understood, vouched.rules.passback_s) == (False, 3)


def test_fields_of_a_newer_centre_are_ignored(core: Core) -> None:
    vouched = core.write([ROW], [signed("rule", "rules", {"passback_s": 5, "drones": True})]).vouched
    assert (vouched.rules.passback_s, vouched.not_understood) == (5, False)


# --- accounts, secrets, withdrawal ------------------------------------------------------------------------------------


def test_an_account_that_is_no_longer_active_is_gone(core: Core) -> None:
    core.write([ROW], usual_changes())
    assert set(core.add(account("Lin", active=False, revision=2)).vouched.accounts) == {"zhao"}


def test_a_key_that_is_no_longer_active_is_gone(core: Core) -> None:
    core.write([ROW], usual_changes())
    ended = KeyBody(COMPOUND, 1, bytes(32), active=False)
    assert core.add(signed("key", f"{COMPOUND}/1", ended, 2)).vouched.keys == {}


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(sealed(CODE_KEY, gate="south"), id="for another gate"),
        pytest.param(sealed(CODE_KEY, box=PrivateKey.generate()), id="for another box"),
        pytest.param({GATE: b"not sealed at all"}, id="nonsense"),
        pytest.param({}, id="for nobody"),
    ],
)
def test_a_secret_that_was_not_sealed_for_this_gate_stays_shut(core: Core, secret: dict[str, bytes]) -> None:
    assert core.write([ROW], [signed("code_key", "7", CodeKeyBody(COMPOUND, secret))]).vouched.code_keys == {}


def test_without_its_box_a_gate_opens_no_secret_and_knows_no_pin(core: Core) -> None:
    core.write([ROW], usual_changes())
    vouched = core.restart(box=None).vouched
    assert vouched.code_keys == {} and vouched.accounts["lin"].verifier is None


@pytest.mark.parametrize(("device", "withdrawn"), [(DEVICE, True), ("device-2", False)])
def test_only_the_device_that_is_named_is_withdrawn(core: Core, device: str, withdrawn: bool) -> None:
    order = signed("withdrawal", device, WithdrawalBody(GATE, device, NOON_MS))
    assert core.write([ROW], [order]).vouched.withdrawn is withdrawn


def test_a_withdrawn_device_stays_so_over_a_restart_and_keeps_no_key(core: Core) -> None:
    mirror = core.write([ROW], [*usual_changes(), signed("withdrawal", DEVICE, WithdrawalBody(GATE, DEVICE, NOON_MS))])
    mirror.withdraw()
    (core.folder / "current").unlink()
    vouched = core.restart().vouched
    assert vouched.withdrawn and not vouched.keys and not vouched.accounts


def test_a_forged_withdrawal_withdraws_nobody(core: Core) -> None:
    order = signed("withdrawal", DEVICE, WithdrawalBody(GATE, DEVICE, NOON_MS), root=OTHER_ROOT)
    assert not core.write([ROW], [order]).vouched.withdrawn


def test_another_gates_name_is_not_ours(core: Core) -> None:
    change = signed("setting", "gate/south", GateBody(gate="south", name="South gate"))
    assert core.write([ROW], [change]).vouched.gate_name == ""


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_list_put_in_force_under_it_is_followed(core: Core) -> None:
    core.write([ROW], usual_changes())
    mirror = core.write([row_of(credential(6))], usual_changes(), 2)
    assert mirror.find(COMPOUND, 5).row is None and mirror.find(COMPOUND, 6).row


def test_a_damaged_new_list_leaves_the_old_one_in_force(core: Core) -> None:
    core.write([ROW], usual_changes())
    (core.folder / "list-e1-2.db").write_bytes(b"nonsense" * 1000)
    set_current(core.folder, "list-e1-2.db")
    for _ in range(3):
        assert not core.mirror.refresh()
        assert core.mirror.why and core.mirror.find(COMPOUND, 5).row == ROW
        assert core.mirror.list_state() == "fresh"
    assert core.write([ROW], usual_changes(), 3).why == ""


@pytest.mark.parametrize("name", ["list-e1-9.db", "../list/list-e1-1.db", "nonsense", ""])
def test_a_current_that_names_no_list_leaves_the_old_one_in_force(core: Core, name: str) -> None:
    core.write([ROW], usual_changes())
    set_current(core.folder, name)
    core.mirror.refresh()
    assert core.mirror.find(COMPOUND, 5).row == ROW


def test_the_list_of_another_compound_is_not_taken(core: Core) -> None:
    mirror = core.write([ROW], usual_changes(), compound=8)
    assert "another compound" in mirror.why and mirror.list_state() == "none" and mirror.vouched.keys == {}


def test_a_list_that_turns_out_damaged_is_no_list_and_a_rebuilt_one_is_taken(core: Core) -> None:
    rows = [row_of(credential(n), label="王" * 20) for n in range(1, 2000)]
    path = write_list(core.folder, rows, usual_changes())
    raw = bytearray(path.read_bytes())
    for at in range(4096 * 20, len(raw) - 4096 * 30, 4096):
        raw[at : at + 100] = bytes(100)
    path.write_bytes(raw)
    core.mirror.refresh()
    for serial in range(1, 2000, 50):
        core.mirror.find(COMPOUND, serial)  # never raises
    assert core.mirror.list_state() == "none" and core.mirror.why
    mirror = core.write(rows, usual_changes(), 2)
    assert (mirror.find(COMPOUND, 1000).row, mirror.why) == (rows[999], "")


def test_closing_twice_is_once(core: Core) -> None:
    core.write([ROW], usual_changes())
    core.mirror.close()
    core.mirror.close()


# --- age --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(0, "fresh"), (86_400, "fresh"), (86_401, "stale"), (7 * 86_400, "stale"), (7 * 86_400 + 1, "expired")],
)
def test_a_list_ages(core: Core, seconds: int, state: str) -> None:
    mirror = core.write([ROW], usual_changes())
    core.now = Now(utc_ms=NOON_MS + seconds * 1000, state="trusted", zone=ZONE)
    assert (mirror.list_state(), mirror.age_s()) == (state, seconds)


def test_a_clock_that_does_not_know_the_time_calls_no_list_old(core: Core) -> None:
    mirror = core.write([ROW], usual_changes())
    core.now = Now(utc_ms=NOON_MS + 90 * DAY_MS, state="untrusted", zone=ZONE)
    assert mirror.list_state() == "fresh"


def test_a_list_that_was_complete_just_now_is_fresh_although_nothing_changed(core: Core) -> None:
    mirror = core.write([ROW], usual_changes())
    core.now = Now(utc_ms=NOON_MS + 9 * DAY_MS, state="trusted", zone=ZONE)
    assert mirror.list_state() == "expired"
    mirror.caught_up()
    assert (mirror.list_state(), mirror.age_s()) == ("fresh", 0)


def test_a_list_does_not_stay_fresh_because_a_clock_was_ahead_when_it_was_stamped(core: Core) -> None:
    mirror = core.write([ROW], usual_changes())
    core.now = Now(utc_ms=NOON_MS + 900 * DAY_MS, state="holdover", zone=ZONE)
    mirror.caught_up()
    core.now = Now(utc_ms=NOON_MS + 2 * DAY_MS, state="trusted", zone=ZONE)
    assert mirror.list_state() == "stale"


def test_a_list_that_never_was_whole_is_none(core: Core) -> None:
    assert core.write([ROW], usual_changes(), as_of_ms=0).list_state() == "none"
