"""An epoch that is over does not come back: the order that the root signs, on real list files and what the core keeps.

The attacker here has what the root signed in other epochs, and writes the list: a compromised sync, or the line.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from kiosk.commands.enrolment import anchor_of
from kiosk.core.kept import Kept, Memory, Statements
from kiosk.core.mirror import Mirror
from kiosk.core.policy import Now
from kiosk.core.vouching import Anchor, Vouching
from sync.cache import get_current
from sync.protocol import EPOCH, Enrolled, EpochBody, KeyBody, Rules, Signed, WithdrawalBody, order_of, sign
from tests.fixtures.gate_parts import (
    ANCHOR,
    BOX,
    COMPOUND,
    DEVICE,
    GATE,
    NOON_MS,
    OTHER_ROOT,
    ROOT,
    ROOT_PUBLIC,
    ZONE,
    account,
    credential,
    row_of,
    signed,
    write_list,
)
from tests.fixtures.vectors import vectors

VECTORS = vectors("epochs")
OLD_KEY = KeyBody(COMPOUND, 9, bytes(range(32)))


class Core:
    """A core's view of a list folder; what is kept may be lost."""

    def __init__(self, folder: Path, anchor: Anchor = ANCHOR):
        self.folder, self._number = folder, 0
        self.anchor = anchor
        self._open()

    def _open(self) -> None:
        self.vouching = Vouching(
            self.anchor, BOX, Kept(self.folder / "kept.json", Memory()),
            Kept(self.folder / "vouched.json", Statements()),
        )  # fmt: skip
        now = Now(utc_ms=NOON_MS, state="trusted", zone=ZONE)
        self.mirror = Mirror(self.folder / "list", self.vouching, lambda: now)

    def restart(self, *lost: str, listed: bool = True, anchor: Anchor | None = None) -> None:
        self.mirror.close()
        for name in lost:
            (self.folder / name).unlink(missing_ok=True)
        if not listed:
            (self.folder / "list" / "current").unlink(missing_ok=True)
        self.anchor = anchor or self.anchor
        self._open()
        self.mirror.refresh()

    def read(self, epoch: str, changes: Iterable[Signed], serial: int = 5) -> None:
        """A whole list of that epoch, with one pass, put in force by sync."""
        self._number += 1
        write_list(self.folder / "list", [row_of(credential(serial))], changes, self._number, epoch=epoch)
        self.mirror.refresh()

    @property
    def key_ids(self) -> set[int]:
        return {key_id for _, key_id in self.mirror.vouched.keys}

    def lists(self, serial: int) -> bool:
        return self.mirror.find(COMPOUND, serial).row is not None

    def close(self) -> None:
        self.mirror.close()


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return Core(tmp_path)


def place(epoch: str, order: int, revision: int = 1, **fields: Any) -> Signed:
    return signed(EPOCH, EPOCH, EpochBody(order), revision, epoch=epoch, **fields)


def statements(epoch: str, order: int | None, key_id: int, revision: int = 1) -> list[Signed]:
    """What a centre says under an epoch: a key by whose number it is told from others, rules, its order."""
    key = KeyBody(COMPOUND, key_id, bytes(range(32)))
    changes = [
        signed("key", f"{COMPOUND}/{key_id}", key, revision, epoch=epoch),
        signed("rule", "rules", Rules(passback_s=key_id), revision, epoch=epoch),
    ]
    return [*changes, place(epoch, order, revision)] if order else changes


def test_the_vectors_are_what_the_root_signs() -> None:
    root = vectors("root")
    for vector in VECTORS["signed"]:
        made = sign(bytes.fromhex(root["root_seed"]), EPOCH, 7, vector["epoch"], vector["revision"], EPOCH,
                    vector["body"].encode())  # fmt: skip
        assert made.signature.hex() == vector["signature"] and order_of(made) == vector["order"]
        assert msgspec.json.decode(made.body, type=EpochBody).order == vector["order"]


def test_lists_offered_one_after_the_other_end_in_the_epoch_of_the_vectors(core: Core) -> None:
    for number, offered in enumerate(VECTORS["offered"], 1):
        core.read(offered["epoch"], statements(offered["epoch"], offered["order"], number))
        assert core.vouching._epoch == offered["in_force"], offered["why"]
        core.restart()
        assert core.vouching._epoch == offered["in_force"], f"{offered['why']}, after a restart"
        assert core.lists(5) is (offered["epoch"] == offered["in_force"]), offered["why"]


@pytest.mark.parametrize("order", [None, 4, 5])
def test_an_epoch_the_gate_never_saw_does_not_come_back(core: Core, order: int | None) -> None:
    """Before there was an order it was believed, and the true epoch was then over for good."""
    true = statements("e2", 5, 1)
    core.read("e2", true)
    old = [*statements("e0", order, 9, revision=900), account("Fired", revision=900, epoch="e0")]
    core.read("e0", old, serial=66)
    core.restart()
    core.read("e2", old, serial=77)  # the same rows under the true epoch's name
    for _ in range(2):
        vouched = core.mirror.vouched
        assert core.key_ids == {1} and vouched.accounts == {} and vouched.rules.passback_s == 1
        assert vouched.forged and not core.lists(66)
        core.restart()
    core.read("e2", [*true, signed("rule", "rules", Rules(passback_s=2), 7, epoch="e2")])
    assert core.mirror.vouched.rules.passback_s == 2 and core.mirror.vouched.forged == 0


def test_the_list_of_an_epoch_that_is_over_leaves_the_one_in_force(core: Core) -> None:
    core.read("e2", statements("e2", 5, 1), serial=5)
    core.read("e0", statements("e0", 4, 9), serial=66)
    assert (core.lists(5), core.lists(66)) == (True, False)
    assert "over" in core.mirror.why
    core.read("e2", statements("e2", 5, 1), serial=7)
    assert core.lists(7) and core.mirror.why == ""


def test_a_list_that_is_made_one_of_an_old_epoch_under_the_cores_hands_counts_no_longer(core: Core) -> None:
    core.read("e2", statements("e2", 5, 1))
    path = get_current(core.folder / "list")
    assert path
    core.mirror.close()
    core.restart()
    assert core.lists(5)
    conn = sqlite3.connect(path)
    conn.execute("UPDATE meta SET value = 'e0' WHERE name = 'epoch'")
    conn.execute("DELETE FROM meta WHERE name = 'mark'")
    conn.commit()
    conn.close()
    core.mirror.refresh()
    assert not core.lists(5) and core.mirror.list_state() == "none"
    core.mirror.refresh()
    assert not core.lists(5) and core.key_ids == {1}


def test_an_old_epochs_withdrawal_wipes_nobody(core: Core) -> None:
    """A backup in which the device was in service again was put back; the order to wipe it is of the lost epoch."""
    core.read("e2", statements("e2", 5, 1))
    order = signed("withdrawal", DEVICE, WithdrawalBody(GATE, DEVICE, NOON_MS), 900, epoch="e1")
    core.read("e2", [*statements("e2", 5, 1), order])
    assert not core.mirror.vouched.withdrawn
    core.restart()
    assert not core.mirror.vouched.withdrawn
    own = signed("withdrawal", DEVICE, WithdrawalBody(GATE, DEVICE, NOON_MS), 2, epoch="e2")
    core.read("e2", [*statements("e2", 5, 1), own])
    assert core.mirror.vouched.withdrawn


def test_a_gate_that_was_led_to_an_old_epoch_comes_back_to_the_one_with_an_order(core: Core) -> None:
    core.read("e1", statements("e1", None, 1))
    core.read("e0", statements("e0", None, 9))
    assert core.key_ids == {9}, "nothing is known of any order yet"
    core.read("e1", statements("e1", 1, 1, revision=2))
    assert core.key_ids == {1} and core.lists(5)


@pytest.mark.parametrize("change", [
    pytest.param(place("e9", 99, root=OTHER_ROOT), id="another root"),
    pytest.param(place("e9", 99, compound=8), id="another compound"),
    pytest.param(signed(EPOCH, "another item", EpochBody(99), epoch="e9"), id="another item"),
    pytest.param(signed(EPOCH, EPOCH, {"order": -1}, epoch="e9"), id="a negative order"),
    pytest.param(signed(EPOCH, EPOCH, {"order": 1 << 60}, epoch="e9"), id="an order beyond all"),
    pytest.param(signed(EPOCH, EPOCH, {"order": "99"}, epoch="e9"), id="not a number"),
    pytest.param(signed("head", EPOCH, EpochBody(99), epoch="e9"), id="another purpose"),
])  # fmt: skip
def test_only_the_root_puts_epochs_in_order(core: Core, change: Signed) -> None:
    core.read("e2", statements("e2", 5, 1))
    core.read("e9", [change, signed("key", f"{COMPOUND}/9", OLD_KEY, epoch="e9")], serial=66)
    assert core.key_ids == {1} and not core.lists(66)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("lost", ["kept.json", "vouched.json"])
def test_either_file_of_the_core_brings_the_order_back(core: Core, lost: str, listed: bool) -> None:
    core.read("e2", statements("e2", 5, 1))
    core.restart(lost, listed=listed)
    core.read("e0", statements("e0", 4, 9, revision=900), serial=66)
    assert 9 not in core.key_ids and not core.lists(66)


def test_with_one_file_lost_an_older_revision_does_not_come_back_either(core: Core) -> None:
    core.read("e2", [*statements("e2", 5, 1), account("Wang", active=False, revision=3, epoch="e2")])
    for lost in ("kept.json", "vouched.json"):
        core.mirror.close()
        core.read("e2", [*statements("e2", 5, 1), account("Wang", revision=2, epoch="e2")])
        core.restart(lost)
        assert core.mirror.vouched.accounts == {} and core.mirror.vouched.forged


def test_what_was_over_at_enrolment_stays_so_whatever_is_lost(tmp_path: Path) -> None:
    enrolled = Enrolled(v=1, compound=COMPOUND, gate=GATE, device=DEVICE, root_public=ROOT_PUBLIC, epoch=place("e2", 5))
    core = Core(tmp_path, anchor_of(enrolled))
    core.restart("kept.json", "vouched.json", listed=False)
    for order in (None, 4, 5):
        core.read("e0", statements("e0", order, 9), serial=66)
        assert core.key_ids == set() and not core.lists(66)
    core.read("e2", statements("e2", None, 1))
    assert core.key_ids == {1} and core.lists(5), "the order itself may be missing from the list"
    core.read("e3", statements("e3", 6, 3))
    assert core.key_ids == {3}


@pytest.mark.parametrize("said", [
    None, place("e2", 5, root=OTHER_ROOT), place("e2", 5, compound=8), signed("rule", "rules", Rules(), epoch="e2"),
])  # fmt: skip
def test_an_enrolment_without_the_roots_word_on_an_order_knows_none(said: Signed | None) -> None:
    enrolled = Enrolled(v=1, compound=COMPOUND, gate=GATE, device=DEVICE, root_public=ROOT_PUBLIC, epoch=said)
    assert anchor_of(enrolled) == ANCHOR


def test_a_device_that_was_another_compounds_gate_begins_its_order_anew(core: Core) -> None:
    """And back again: under the root key of then, epochs that it left are not over."""
    other = Anchor(COMPOUND, GATE, "device-2", bytes(SigningKey(OTHER_ROOT).verify_key))
    core.read("e2", statements("e2", 500, 1))
    core.restart(listed=False, anchor=other)
    theirs = [place("f1", 3, root=OTHER_ROOT), signed("key", "7/4", KeyBody(COMPOUND, 4, bytes(32)), epoch="f1",
                                                      root=OTHER_ROOT)]  # fmt: skip
    core.read("f1", theirs)
    assert core.key_ids == {4} and core.lists(5)
    core.restart(listed=False, anchor=ANCHOR)
    core.read("e2", statements("e2", 500, 1))
    assert core.key_ids == {1} and core.lists(5)


EPOCHS = {f"e{order}": (order, sign(ROOT, EPOCH, COMPOUND, f"e{order}", 1, EPOCH, b'{"order":%d}' % order))
          for order in range(1, 7)}  # fmt: skip
KEYS = {
    name: signed("key", f"{COMPOUND}/{order}", KeyBody(COMPOUND, order, bytes(32)), epoch=name)
    for name, (order, _) in EPOCHS.items()
}
ACTS = st.one_of(
    st.tuples(st.just("read"), st.sampled_from(sorted(EPOCHS)), st.booleans()),
    st.tuples(st.just("restart"), st.sampled_from(["", "kept.json"]), st.booleans()),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.lists(ACTS, max_size=7))
def test_whatever_is_offered_in_whatever_order_the_epoch_in_force_only_goes_up(
    enrolled_at: int, acts: list[tuple[str, str, bool]]
) -> None:
    """Lists of any epoch, with their order or without; restarts with a file of the core's lost."""
    anchor = ANCHOR if not enrolled_at else msgspec.structs.replace(ANCHOR, epoch=f"e{enrolled_at}",
                                                                    epoch_order=enrolled_at)  # fmt: skip
    with TemporaryDirectory() as folder:
        core, highest = Core(Path(folder), anchor), enrolled_at
        for act, name, flag in acts:
            if act == "restart":
                core.restart(*filter(None, [name]), listed=flag)
            else:
                order, said = EPOCHS[name]
                core.read(name, [KEYS[name], *([said] if flag else [])])
                highest = max(highest, order if flag else 0)
            assert core.vouching._order == highest
            if highest:
                assert core.key_ids <= {highest}
        core.close()
