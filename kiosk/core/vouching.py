"""What the compound's root key vouches for: keys, accounts, rules and names, verified against the enrolment's anchor.

The list brings the statements. The core keeps them beside it in a file of its own: a gate whose list is lost or damaged
still knows its compound's passes and its guards.

Epochs have an order that the root signs too. Once a gate knows the order of its epoch, nothing counts that is of an
epoch with a lower order or without one, whether it ever saw that epoch or not (PROTOCOL.md §3).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from kiosk.core.kept import Kept, Memory, Statements
from sync.protocol import (
    EPOCH,
    AccountBody,
    CodeKeyBody,
    CompoundBody,
    EpochBody,
    GateBody,
    KeyBody,
    Rules,
    Signed,
    WithdrawalBody,
    order_of,
    root_mark,
)
from sync.terms import GuardRole

log = logging.getLogger("vouching")

_MOST_FORGED = 50
"""Changes that are not our root's, after which no more are looked at: each costs a check of a signature."""
_LONGEST_NAME = 100

Name = tuple[str, str]
"""Purpose and item of a statement: the newest of a name is in force."""


class Anchor(msgspec.Struct, frozen=True):
    """Whom this device trusts and which one it is; ``anchor.json``, written by root at enrolment. ``epoch`` was in
    force then, with the order that the root gave it (0: none)."""

    compound: int
    gate: str
    device: str
    root_public: bytes
    epoch: str = ""
    epoch_order: int = 0


class Account(msgspec.Struct, frozen=True):
    """A guard of this compound; ``verifier`` is the Argon2id text of the PIN, None if it was not sealed for us."""

    account: str
    name: str
    role: GuardRole
    verifier: bytes | None


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """Everything root-signed that is in force, as one immutable value: safe to read from any thread."""

    rules: Rules = Rules()
    keys: Mapping[tuple[int, int], bytes] = {}
    code_keys: Mapping[int, bytes] = {}
    accounts: Mapping[str, Account] = {}
    """By lower-case name."""
    compound: CompoundBody = CompoundBody(name_zh="", name_en="")
    gate_name: str = ""
    neighbour: tuple[str, str] = ("", "")
    """(zh, en) Where to send people while this gate is closed."""
    withdrawn: bool = False
    not_understood: bool = False
    """A change that must be understood was not: its rules stay as they were."""
    forged: int = 0
    """Signed changes in the list that our root did not sign."""


class Vouching:
    """The statements in force. Belongs to the core's loop, but for :attr:`vouched`. ``box`` opens what was sealed for
    this gate's core; ``kept`` remembers what was seen, ``statements`` the statements themselves."""

    def __init__(
        self,
        anchor: Anchor | None,
        box: PrivateKey | None,
        kept: Kept[Memory],
        statements: Kept[Statements],
    ):
        self.anchor = anchor
        self._box = box
        self._kept = kept
        self._statements = statements
        self._root = root_mark(anchor.root_public) if anchor else ""
        self._forget_other_root()
        self._epoch, self._order = kept.now.seen_epoch, kept.now.epoch_order
        if anchor and anchor.epoch_order > self._order:
            self._epoch, self._order = anchor.epoch, anchor.epoch_order
        self._good: dict[Name, tuple[Signed, Body]] = {}
        self.unverified: tuple[str, ...] = ()
        """Statements that the list should hold and does not: forged, damaged or left out. ``PURPOSE ITEM`` each."""
        self._go_on(statements.now.signed)
        for change in statements.now.signed:
            if self._is_ours(change):
                with suppress(KeyError, msgspec.MsgspecError):
                    self._good[_name(change)] = (change, _read_body(change))
        if self._order:
            self._remember([])  # what one of the files has lost, the other or the anchor knew
        self.vouched = self._sum_up()

    def _forget_other_root(self) -> None:
        """What was seen under the root key of an earlier enrolment says nothing of this one's epochs."""
        if self._root and self._kept.now.root not in ("", self._root):
            self._kept.change(root=self._root, seen={}, seen_epoch="", past_epochs=(), epoch_order=0)

    def is_over(self, epoch: str) -> bool:
        """Whether a list of this epoch counts no longer. False for any epoch, as long as no order is known."""
        return bool(self._order) and epoch != self._epoch

    def _go_on(self, signed: Iterable[Signed]) -> None:
        """Go on to the latest epoch that the root put after this one."""
        named = (change for change in signed if _name(change) == (EPOCH, EPOCH))
        for change in islice(named, _MOST_FORGED):
            order = order_of(change)
            if order > self._order and self._is_by_root(change):
                self._epoch, self._order = change.epoch, order
                log.info("epoch=%s order=%d", change.epoch, order)

    def take(self, signed: Sequence[Signed]) -> None:
        """Take the statements of a list: what is good replaces what was in force under its name."""
        self._go_on(signed)
        listed: set[Name] = set()
        forged: list[Name] = []
        fresh: list[Signed] = []
        not_understood = False
        for change in signed:
            name = _name(change)
            if name in self._good and self._good[name][0] == change:
                listed.add(name)
                continue
            if len(forged) >= _MOST_FORGED:
                continue
            if not self._is_ours(change):
                forged.append(name)
                log.error("signed=refused purpose=%s item=%s revision=%d", change.purpose, change.item, change.revision)
                continue
            listed.add(name)
            try:
                self._good[name] = (change, _read_body(change))
            except (KeyError, msgspec.MsgspecError) as err:
                # The old one stays in force; a newer centre says with ``must`` whether that matters.
                log.error("signed=not_understood purpose=%s item=%s why=%r", change.purpose, change.item, str(err))
                not_understood = not_understood or change.must
                continue
            fresh.append(change)
        self._keep(fresh, {*listed, *forged})
        left_out = [name for name in self._good if name not in listed and name not in forged]
        self.unverified = tuple(" ".join(name)[:_LONGEST_NAME] for name in (*forged, *left_out))[:_MOST_FORGED]
        self.vouched = self._sum_up(len(forged) + len(left_out), not_understood)

    def _keep(self, fresh: list[Signed], named: set[Name]) -> None:
        """Remember what is in force. What a past epoch said, and this one's list does not name, no longer is."""
        epoch = self._begun(fresh)
        for name, (change, _) in list(self._good.items()):
            if change.epoch != epoch and name not in named:
                del self._good[name]
        # First the statements themselves: what was seen forbids anything older.
        self._statements.change(signed=tuple(change for change, _ in self._good.values()))
        self._remember(fresh)

    def _sum_up(self, forged: int = 0, not_understood: bool = False) -> Vouched:
        vouched = Vouched(forged=forged, not_understood=not_understood)
        for _, body in self._good.values():
            vouched = self._with(vouched, body)
        return vouched

    def withdraw(self) -> None:
        """Forget keys and accounts for good, but not that the device was withdrawn."""
        self._good = {name: good for name, good in self._good.items() if isinstance(good[1], WithdrawalBody)}
        self._statements.change(signed=tuple(change for change, _ in self._good.values()))
        self.vouched = Vouched(withdrawn=True, compound=self.vouched.compound, gate_name=self.vouched.gate_name)

    def _is_by_root(self, change: Signed) -> bool:
        anchor = self.anchor
        return anchor is not None and change.compound == anchor.compound and change.is_by(anchor.root_public)

    def _is_ours(self, change: Signed) -> bool:
        """Whether the root signed it, in an epoch that is not over, and nothing newer of that name was seen."""
        if not self._is_by_root(change):
            return False
        kept = self._kept.now
        if change.epoch != self._epoch:
            return not self._order and change.epoch not in kept.past_epochs
        seen = kept.seen.get(f"{change.purpose} {change.item}", 0) if kept.seen_epoch == self._epoch else 0
        good = self._good.get(_name(change))
        return change.revision >= max(seen, good[0].revision if good and good[0].epoch == self._epoch else 0)

    def _begun(self, fresh: list[Signed]) -> str:
        """The epoch after these changes. Without an order a new one begins with any change of it."""
        if self._order:
            return self._epoch
        return next((change.epoch for change in fresh if change.epoch != self._epoch), self._epoch)

    def _remember(self, changes: list[Signed]) -> None:
        """What was seen once is the least that is taken from now on. One write for all of them, and for what is in
        force, should the memory of it have been lost."""
        kept, self._epoch = self._kept.now, self._begun(changes)
        seen, past = dict(kept.seen), kept.past_epochs
        if self._epoch != kept.seen_epoch:
            seen, past = {}, (*past, kept.seen_epoch) if kept.seen_epoch else past
        for change in (*(good for good, _ in self._good.values()), *changes):
            if change.epoch == self._epoch:
                name = f"{change.purpose} {change.item}"
                seen[name] = max(seen.get(name, 0), change.revision)
        self._kept.change(seen=seen, seen_epoch=self._epoch, past_epochs=past, epoch_order=self._order, root=self._root)

    def _with(self, so_far: Vouched, body: Body) -> Vouched:
        replace = msgspec.structs.replace
        match body:
            case Rules():
                return replace(so_far, rules=body)
            case KeyBody(active=True):
                return replace(so_far, keys={**so_far.keys, (body.scope, body.key_id): body.public})
            case CodeKeyBody():
                key = self._unseal(body.sealed)
                return replace(so_far, code_keys={**so_far.code_keys, body.scope: key}) if key else so_far
            case AccountBody(active=True):
                account = Account(body.account, body.name, body.role, self._unseal(body.verifier))
                return replace(so_far, accounts={**so_far.accounts, body.name.lower(): account})
            case CompoundBody():
                return replace(so_far, compound=body)
            case GateBody() if self.anchor and body.gate == self.anchor.gate:
                return replace(so_far, gate_name=body.name, neighbour=(body.neighbour_zh, body.neighbour_en))
            case WithdrawalBody() if self.anchor and body.device == self.anchor.device:
                return replace(so_far, withdrawn=True)
        return so_far

    def _unseal(self, sealed: Mapping[str, bytes]) -> bytes | None:
        if self._box is None or self.anchor is None or self.anchor.gate not in sealed:
            return None
        try:
            return bytes(SealedBox(self._box).decrypt(sealed[self.anchor.gate]))
        except (CryptoError, ValueError, TypeError):
            return None


def _name(change: Signed) -> Name:
    return change.purpose, change.item


Body = Rules | KeyBody | CodeKeyBody | AccountBody | CompoundBody | GateBody | WithdrawalBody | EpochBody

_BODIES: dict[str, type[Body]] = {
    "key": KeyBody,
    "code_key": CodeKeyBody,
    "account": AccountBody,
    "rule": Rules,
    "withdrawal": WithdrawalBody,
    EPOCH: EpochBody,
}


def _read_body(change: Signed) -> Body:
    """The body of a change by its purpose. Raises KeyError for an unknown one, MsgspecError for a broken one."""
    if change.purpose != "setting":
        return msgspec.json.decode(change.body, type=_BODIES[change.purpose])
    if change.item == "compound":
        body = msgspec.json.decode(change.body, type=CompoundBody)
        zone_of(body)
        return body
    return msgspec.json.decode(change.body, type=GateBody)


def zone_of(compound: CompoundBody) -> ZoneInfo:
    """The compound's time zone. Raises KeyError for one that this machine does not know."""
    try:
        return ZoneInfo(compound.timezone)
    except (ValueError, OSError) as err:
        raise KeyError(compound.timezone) from err
