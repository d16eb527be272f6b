"""What the core holds of the centre: the list in force, and the keys, rules, names and accounts it vouches for.

The rows of the list are what sync wrote. Everything that could mint a pass, add a guard or move a rule is signed by the
compound's root key and is verified here, against the anchor that root wrote at enrolment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from kiosk.core.kept import Kept
from kiosk.core.policy import ListState, Now
from sync.cache import ListError, ListReader, get_current
from sync.protocol import (
    AccountBody,
    CodeKeyBody,
    CompoundBody,
    CredentialRow,
    GateBody,
    KeyBody,
    Rules,
    Signed,
    WithdrawalBody,
)
from sync.terms import GuardRole

log = logging.getLogger("mirror")

_COUNT_EVERY_MS = 60_000
_MOST_FORGED = 50
"""Changes that are not our root's, after which no more are looked at: each costs a check of a signature."""


class Anchor(msgspec.Struct, frozen=True):
    """Whom this device trusts and which one it is; ``anchor.json``, written by root at enrolment."""

    compound: int
    gate: str
    device: str
    root_public: bytes


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


class Mirror:
    """Follows ``current`` in the list folder. Belongs to the core's loop, but for :attr:`vouched`.

    ``box`` opens what was sealed for this gate's core. ``utc_ms`` gives the core's time for the age of the list.
    """

    def __init__(self, folder: Path, anchor: Anchor | None, box: PrivateKey | None, kept: Kept, now: Callable[[], Now]):
        self._folder = folder
        self._anchor = anchor
        self._box = box
        self._kept = kept
        self._now = now
        self._withdrawn = False
        self._reader: ListReader | None = None
        self._version = -1
        self._meta: dict[str, str] = {}
        self._good: dict[tuple[str, str], tuple[Signed, Body]] = {}
        self._caught_up: int | None = None
        self.passes = 0
        """How many credentials the list has, counted anew about once a minute: it reads the whole file."""
        self._counted: Path | None = None
        self._counted_ms = 0
        self.vouched = Vouched()
        self.why = "no list yet"
        """Why there is no list, in words for a technician; empty while there is one."""

    def refresh(self) -> bool:
        """Follow ``current`` and what was written to it; whether anything changed. Keeps the old list if the new one
        fails, and goes without one only where there never was a whole one."""
        if self._withdrawn:
            return False
        path = get_current(self._folder)
        try:
            if path is not None and (self._reader is None or self._reader.path != path):
                self._switch(ListReader(path))
                return True
            if self._reader is not None and self._reader.version() != self._version:
                self._take()
                return True
        except ListError as err:
            if self.why != str(err):
                log.error("list=unusable why=%r", str(err))
            self.why = str(err)
        return False

    def withdraw(self) -> None:
        """Forget list, keys and accounts for good: this device is no longer a gate."""
        self._withdrawn, self.why = True, "withdrawn"
        self._good.clear()
        self.vouched = Vouched(withdrawn=True, compound=self.vouched.compound, gate_name=self.vouched.gate_name)
        self.close()

    def _switch(self, reader: ListReader) -> None:
        old, self._reader = self._reader, reader
        try:
            if reader.meta().get("compound") != str(self._anchor.compound if self._anchor else None):
                raise ListError(f"{reader.path.name} is the list of another compound")
            self._take()
        except ListError:
            self._reader = old
            reader.close()
            raise
        if old:
            old.close()

    def _take(self) -> None:
        reader = self._reader
        assert reader  # noqa: S101 - both callers hold one
        version = reader.version()
        meta, signed = reader.meta(), reader.signed()
        now_ms = self._now().utc_ms
        if self._counted != reader.path or abs(now_ms - self._counted_ms) >= _COUNT_EVERY_MS:
            with suppress(ListError):  # a card too slow for that is no reason to go without the list
                self.passes = reader.count()
            self._counted, self._counted_ms = reader.path, now_ms
        self._meta, self._version, self.why = meta, version, ""
        self._vouch(signed)
        log.info("list=%s revision=%s passes=%d", reader.path.name, meta.get("revision"), self.passes)

    # --- what is signed ---

    def _vouch(self, signed: list[Signed]) -> None:
        forged, not_understood, fresh = 0, False, []
        for change in signed:
            name = (change.purpose, change.item)
            if name in self._good and self._good[name][0] == change:
                continue
            if forged >= _MOST_FORGED:
                continue
            if not self._is_ours(change):
                forged += 1
                log.error("signed=refused purpose=%s item=%s revision=%d", change.purpose, change.item, change.revision)
                continue
            try:
                self._good[name] = (change, _read_body(change))
            except (KeyError, msgspec.MsgspecError) as err:
                # The old one stays in force; a newer centre says with ``must`` whether that matters.
                log.error("signed=not_understood purpose=%s item=%s why=%r", change.purpose, change.item, str(err))
                not_understood = not_understood or change.must
                continue
            fresh.append(change)
        self._remember(fresh)
        forged += self._left_out(signed)
        vouched = Vouched(forged=forged, not_understood=not_understood)
        for _, body in self._good.values():
            vouched = self._with(vouched, body)
        self.vouched = vouched

    def _left_out(self, signed: list[Signed]) -> int:
        """The rules last in force stay so over a restart, whatever the list has in their place; 1 if it has none."""
        kept = self._kept.now.rule
        if kept is None or not self._is_ours(kept):
            return 0
        name = (kept.purpose, kept.item)
        if name not in self._good:
            with suppress(KeyError, msgspec.MsgspecError):
                self._good[name] = (kept, _read_body(kept))
        return int(name not in {(change.purpose, change.item) for change in signed})

    def _is_ours(self, change: Signed) -> bool:
        anchor = self._anchor
        if anchor is None or change.compound != anchor.compound or not change.is_by(anchor.root_public):
            return False
        name, kept = f"{change.purpose} {change.item}", self._kept.now
        if change.epoch != kept.seen_epoch:
            return change.epoch not in kept.past_epochs
        return change.revision >= kept.seen.get(name, 0)

    def _remember(self, changes: list[Signed]) -> None:
        """What was seen once is the least that is taken from now on. One write for all of them."""
        kept = self._kept.now
        epoch, seen, past = kept.seen_epoch, dict(kept.seen), kept.past_epochs
        begun = next((change.epoch for change in changes if change.epoch != epoch), epoch)
        if begun != epoch:
            epoch, seen, past = begun, {}, (*past, epoch) if epoch else past
        seen |= {f"{change.purpose} {change.item}": change.revision for change in changes if change.epoch == epoch}
        rule = next((change for change in changes if change.purpose == "rule" and change.epoch == epoch), kept.rule)
        self._kept.change(seen=seen, seen_epoch=epoch, past_epochs=past, rule=rule)

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
            case GateBody() if self._anchor and body.gate == self._anchor.gate:
                return replace(so_far, gate_name=body.name, neighbour=(body.neighbour_zh, body.neighbour_en))
            case WithdrawalBody() if self._anchor and body.device == self._anchor.device:
                return replace(so_far, withdrawn=True)
        return so_far

    def _unseal(self, sealed: Mapping[str, bytes]) -> bytes | None:
        if self._box is None or self._anchor is None or self._anchor.gate not in sealed:
            return None
        try:
            return bytes(SealedBox(self._box).decrypt(sealed[self._anchor.gate]))
        except (CryptoError, ValueError, TypeError):
            return None

    # --- what the list says ---

    def find(self, scope: int, serial: int) -> CredentialRow | None:
        """The row of a credential; None too while the file cannot be read (:attr:`why` says so)."""
        if self._reader is None:
            return None
        try:
            return self._reader.find(scope, serial)
        except ListError as err:
            self._fail(err)
            return None

    def look_up(self, term: str) -> list[CredentialRow]:
        """Rows by dwelling, plate, number or short code."""
        if self._reader is None:
            return []
        try:
            return self._reader.look_up(term)
        except ListError as err:
            self._fail(err)
            return []

    def _fail(self, err: ListError) -> None:
        log.error("list=unreadable why=%r", str(err))
        if self._reader:
            self._reader.close()
        self._reader, self.why = None, str(err)

    def last_serial(self, scope: int) -> int | None:
        """The highest serial the list speaks for in a scope; None where it says nothing."""
        text = self._meta.get(f"last_serial/{scope}")
        return int(text) if text else None

    @property
    def revision(self) -> int:
        return int(self._meta.get("revision", 0))

    @property
    def complete(self) -> bool:
        """Whether a whole list is there: its first catch-up has ended."""
        return self._reader is not None and int(self._meta.get("as_of_ms", 0)) > 0

    def caught_up(self) -> None:
        """Sync says the list was complete just now."""
        self._caught_up = self._now().utc_ms

    def age_s(self) -> int:
        """Seconds since the list was last known to be complete; -1: there is none."""
        if not self.complete:
            return -1
        now = self._now().utc_ms
        # What was stamped by a clock that has been put back since says nothing.
        caught_up = self._caught_up if self._caught_up is not None and self._caught_up <= now else 0
        return max(0, (now - max(int(self._meta.get("as_of_ms", 0)), caught_up)) // 1000)

    def list_state(self) -> ListState:
        """fresh, stale, expired, or none. An untrusted clock cannot call a list old."""
        age = self.age_s()
        if age < 0:
            return "none"
        rules = self.vouched.rules
        if not self._now().judged or age <= rules.stale_after_s:
            return "fresh"
        return "stale" if age <= rules.expired_after_s else "expired"

    def close(self) -> None:
        """Idempotent."""
        if self._reader:
            self._reader.close()
            self._reader = None


Body = Rules | KeyBody | CodeKeyBody | AccountBody | CompoundBody | GateBody | WithdrawalBody

_BODIES: dict[str, type[Body]] = {
    "key": KeyBody,
    "code_key": CodeKeyBody,
    "account": AccountBody,
    "rule": Rules,
    "withdrawal": WithdrawalBody,
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
