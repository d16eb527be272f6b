"""The messages between a gate and the centre, and what the root key signs. Pure. The norm is PROTOCOL.md.

Everything is JSON with ``v`` in every message; bytes are Base64; times are UTC milliseconds; unknown fields are
ignored, so a newer centre can talk to an older gate.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

import msgspec
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from sync.terms import GuardRole, Outcome

VERSION = 1
API = "/api/v1"
MAX_PAGE = 2000
MAX_BATCH = 500
MAX_EVENT_CHARACTERS = 8192

HEAD = "head"
"""The purpose under which the root signs that the centre's feed had come so far."""
REFUSED_BY_CENTRE = "refused_by_centre"
"""Why an ``events_lost`` stands in for an event that the centre would not take."""
EPOCH = "epoch"
"""Purpose and item of the change that says which place its epoch has in the order of epochs."""
CHANGE_KINDS = frozenset({"key", "code_key", "account", "rule", "setting", "withdrawal", EPOCH})
MAX_ORDER = (1 << 53) - 1


class ProtocolError(Exception):
    """A message that breaks the protocol. Sending it again will not help."""


# --- what the root key signs ----------------------------------------------------------------------------------------


def signing_input(purpose: str, compound: int, epoch: str, revision: int, item: str, body: bytes) -> bytes:
    """The bytes a root signature covers. Raises ProtocolError when a part could be mistaken for two."""
    parts = (purpose, str(compound), epoch, str(revision), item)
    if any("\n" in part for part in parts):
        raise ProtocolError("a signed name may not hold a line break")
    return "\n".join(("gate-kiosk/1", *parts, "")).encode() + body


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """One root-signed statement: a change, a snapshot's hash, how far a feed was, or a time."""

    purpose: str
    compound: int
    epoch: str
    revision: int
    item: str
    body: bytes
    signature: bytes
    must: bool = False
    """A gate that does not know this kind shows a fault and keeps its old rules."""

    def is_by(self, root_public: bytes) -> bool:
        """Whether the root key with this public half (32 bytes) signed it. Never raises."""
        try:
            covered = signing_input(self.purpose, self.compound, self.epoch, self.revision, self.item, self.body)
            VerifyKey(root_public).verify(covered, self.signature)
        except (CryptoError, ValueError, TypeError, ProtocolError):
            return False
        return True


def sign(
    root_seed: bytes,
    purpose: str,
    compound: int,
    epoch: str,
    revision: int,
    item: str,
    body: bytes,
    must: bool = False,
) -> Signed:
    """A statement under the compound's root key (Ed25519 seed, 32 bytes)."""
    covered = signing_input(purpose, compound, epoch, revision, item, body)
    return Signed(
        purpose=purpose, compound=compound, epoch=epoch, revision=revision, item=item, body=body,
        signature=SigningKey(root_seed).sign(covered).signature, must=must,
    )  # fmt: skip


# --- bodies of signed changes (JSON) --------------------------------------------------------------------------------


class KeyBody(msgspec.Struct, frozen=True):
    """``key``, item ``SCOPE/KEY_ID``: an Ed25519 public key that signs credentials of a scope."""

    scope: int
    key_id: int
    public: bytes
    active: bool = True


class CodeKeyBody(msgspec.Struct, frozen=True):
    """``code_key``, item ``SCOPE``: the scope's code key (32 bytes), sealed for each gate's core by its id."""

    scope: int
    sealed: dict[str, bytes]


class AccountBody(msgspec.Struct, frozen=True):
    """``account``, item the account's id: a guard of this compound. ``verifier`` is the Argon2id hash of the PIN
    (libsodium's text form), sealed for each gate's core by its id, so that only the core can test a PIN. A gate
    at which the account does not work has none. ``pin_withdrawn``: no gate has one, since one that had it was stolen.
    """

    account: str
    name: str
    role: GuardRole
    active: bool
    verifier: dict[str, bytes]
    pin_withdrawn: bool = False


class StageFrom(msgspec.Struct, frozen=True):
    """An enforcement stage and when it begins."""

    stage: Literal["introduce", "guard", "strict"]
    from_ms: int


class Window(msgspec.Struct, frozen=True):
    """Minutes of the compound's local day in which a kind may pass, on ISO weekdays 1 (Monday) … 7."""

    from_minute: int
    to_minute: int
    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)

    @property
    def can_be(self) -> bool:
        """One that ends before it begins goes over midnight; it belongs to the day on which it began."""
        begins, ends = 0 <= self.from_minute < 1440, 0 < self.to_minute <= 1440
        return begins and ends and self.from_minute != self.to_minute and set(self.days) <= set(range(1, 8))


MOST_ENTRIES = 1000


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A pass's own terms. They take away from what the rules leave open, and add nothing. ``hours``: only in these
    windows; none: at any hour. ``entries``: so many in all; 0: any number. ``one_day``: after its first entry it is
    good on that day only."""

    hours: tuple[Window, ...] = ()
    entries: int = 0
    one_day: bool = False

    @property
    def counted(self) -> bool:
        """Whether a gate must remember the entries of the pass as long as it is good."""
        return self.entries > 0 or self.one_day


def read_terms(text: str) -> Terms:
    """The terms of a row; an empty text says none. Raises ProtocolError for terms that this program does not know."""
    try:
        terms = msgspec.json.decode(text, type=Terms) if text else Terms()
    except msgspec.MsgspecError as err:
        raise ProtocolError(f"unknown terms: {err}") from err
    if not (all(window.can_be for window in terms.hours) and 0 <= terms.entries <= MOST_ENTRIES):
        raise ProtocolError("terms that cannot be")
    return terms


def write_terms(terms: Terms) -> str:
    """As a row has them: an empty text where there are none."""
    return "" if terms == Terms() else msgspec.json.encode(terms).decode()


EXTENSION_HOURS = 400 * 24
"""The office extends by 400 days at most in one go; that much a card of any age may be extended, unless the compound
says otherwise."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """``rule``, item ``rules``: everything a compound decides for itself."""

    accepts: tuple[int, ...] = ()
    """Scopes admitted beside the compound's own."""
    enforcement: tuple[StageFrom, ...] = ()
    """In force is the latest that has begun; none: strict."""
    passback_s: int = 180
    passback: Outcome = "refer"
    hours: dict[str, tuple[Window, ...]] = {}
    """By kind; a kind that is not named may pass at any hour."""
    admits: tuple[str, ...] | None = None
    """Kinds admitted at the present response level; None: all."""
    lane_kinds: dict[str, tuple[str, ...]] = {}
    """By lane; a lane that is not named takes every kind."""
    quota_household_day: int | None = None
    quota_person_day: int | None = None
    """Uses of an entry lane in the compound's local day, for residents."""
    quota_kind_day: dict[str, int] = {}
    """The same by kind of pass, for other kinds than residents: a visitor's, a contractor's, a car's."""
    entries_kind: dict[str, int] = {}
    """By kind: entries of one pass in all; a kind that is not named has any number."""
    grace_s: int = 300
    """So long after the end of its hours a kind is still let in."""
    both_ways_counted: bool = False
    """Whether a lane for both directions is judged for passback, and its uses count as entries."""
    unlisted_admits: tuple[str, ...] = ("resident", "household_staff", "property_staff", "vehicle")
    """Kinds of the compound's own scope granted when younger than the list."""
    stale_after_s: int = 24 * 3600
    expired_after_s: int = 7 * 24 * 3600
    refer_s: int = 30
    """How long a refer waits for the guard before it is a deny."""
    override_budget: int = 10
    """Overrides of one guard in 12 hours before the supervisor is told; they still open."""
    provisional_days: int = 1
    """How long a household without a pass is let in after a guard has registered it."""
    extension_hours: dict[str, int] = msgspec.field(
        default_factory=lambda: dict.fromkeys(
            ("resident", "household_staff", "property_staff", "shop", "official", "vehicle"), EXTENSION_HOURS
        )
    )
    """By kind: how long after the end that is signed in it a credential may be good because the list says so. A kind
    that is not named (visitors, contractors): not at all. The root does not sign the list's rows."""

    def terms_for(self, kind: str, own: Terms) -> Terms:
        """What holds for one pass beside what holds for all: its own terms, and the fewest entries that they or the
        rule for its kind allow."""
        entries = [most for most in (own.entries, self.entries_kind.get(kind, 0)) if most]
        return msgspec.structs.replace(own, entries=min(entries, default=0))

    def honoured_ms(self, kind: str, signed_until_ms: int) -> int:
        """The latest end (UTC milliseconds) that a list may give to a credential, by the end that is signed in it."""
        return signed_until_ms + self.extension_hours.get(kind, 0) * 3_600_000


class CompoundBody(msgspec.Struct, frozen=True, kw_only=True):
    """``setting``, item ``compound``. What follows the time zone is for the lanes' screens; an older centre says none
    of it, and an older gate ignores it."""

    name_zh: str
    name_en: str
    timezone: str = "Asia/Shanghai"
    desk_zh: str = ""
    desk_en: str = ""
    """Where passes are collected and extended."""
    desk_hours: tuple[Window, ...] = ()
    """When somebody is there; empty: not said."""
    form_url: str = ""
    """Where people apply who have no pass; empty: not said."""
    label_shown: bool = False
    """Whether a lane shows the masked name of whom it lets in."""


class GateBody(msgspec.Struct, frozen=True, kw_only=True):
    """``setting``, item ``gate/ID``. ``neighbour`` is what the lane says when this gate is closed."""

    gate: str
    name: str
    neighbour_zh: str = ""
    neighbour_en: str = ""


class WithdrawalBody(msgspec.Struct, frozen=True):
    """``withdrawal``, item the device's id: this device, and no other, wipes itself."""

    gate: str
    device: str
    at_ms: int


class EpochBody(msgspec.Struct, frozen=True):
    """``epoch``, item ``epoch``: the epoch it is signed under comes after every epoch with a lower ``order`` (from 1).
    Statements and lists of those never count again."""

    order: int


class SnapshotBody(msgspec.Struct, frozen=True):
    """``snapshot``, item the file's name: BLAKE2b-256 of the file, hexadecimal, and its size; and, as ``HeadBody``, the
    run of the centre that made it, and its epoch's order."""

    hash: str
    size: int
    life: str = ""
    order: int = 0


class HeadBody(msgspec.Struct, frozen=True):
    """``head``, item ``feed``: the centre's feed had come to this revision. ``life`` names the run of the centre that
    numbered it: a restored centre gives the same numbers again, but not in the same life. ``order`` is the epoch's (0:
    this centre has given it none)."""

    life: str | None = None
    order: int = 0


def order_of(statement: Signed) -> int:
    """The order of its epoch that a statement (``epoch``, ``head`` or ``snapshot``) speaks of; 0: of none. Whether the
    root signed it is for the asker to find out."""
    if statement.purpose not in (EPOCH, HEAD, "snapshot"):
        return 0
    try:
        order = msgspec.json.decode(statement.body, type=HeadBody).order
    except msgspec.MsgspecError:
        return 0
    return order if 0 < order <= MAX_ORDER else 0


class TimeBody(msgspec.Struct, frozen=True):
    """``time``, item the device's id: the centre's time, for the core that made the nonce."""

    nonce: bytes
    utc_ms: int


# --- down: the feed -------------------------------------------------------------------------------------------------

CredentialState = Literal["printed", "active", "suspended", "revoked", "superseded", "gone"]


class CredentialRow(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of one credential, as gates may know it: nothing but a masked label, dwelling, kind, plate
    and number. ``gone`` is a tombstone: the row leaves the list."""

    revision: int
    scope: int
    serial: int
    kind: str
    medium: Literal["card", "phone"]
    not_before_step: int
    validity_hours: int
    random: int
    state: CredentialState
    valid_until_ms: int
    number: str = ""
    label: str = ""
    dwelling: str = ""
    plate: str = ""
    short_code: str = ""
    household: int = 0
    attention: bool = False
    lanes: str = ""
    """Names of the lanes it may use, comma-separated; empty: all."""
    terms: str = ""
    """The pass's own terms (:class:`Terms` as JSON); empty: none."""
    look: str = ""
    """What a guard shall look for where ``attention`` is set, of :data:`sync.terms.LOOKS`; empty: nothing is told."""


class Page(msgspec.Struct, kw_only=True):
    """Changes after a cursor in order of revision. ``complete`` ends the catch-up and brings ``last_serial``. ``head``
    says under the root key that the feed had come to ``revision``: the gate keeps it as its proof."""

    v: int
    compound: int
    epoch: str
    after: int
    revision: int
    complete: bool
    as_of_ms: int = 0
    """The centre's time when it answered; an empty answer (204) brings it in the header ``As-Of``."""
    credentials: list[CredentialRow] = []
    signed: list[Signed] = []
    last_serial: dict[int, int] = {}
    head: Signed | None = None


class SnapshotHead(msgspec.Struct, kw_only=True):
    """Where a prepared list is, at which cursor, and the signed hash of the file."""

    v: int
    name: str
    signed: Signed


# --- up: events, enrolment, time ------------------------------------------------------------------------------------


class Event(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One fact of a gate, as the journal keeps it.

    ``kind`` is a :data:`sync.terms.EventKind`, ``reason`` a word of :mod:`sync.terms`; both are read as text, since a
    newer gate may say more.
    """

    id: str
    kind: str
    at_ms: int
    clock: str = ""
    lane: str = ""
    direction: str = ""
    outcome: str = ""
    reason: str = ""
    guidance: str = ""
    """The reason enforcement softened away."""
    also: tuple[str, ...] = ()
    """Further reasons that were true, in order."""
    scope: int = 0
    serial: int = 0
    source: str = ""
    about: str = ""
    """The id of the event this one settles."""
    commanded_ms: int = 0
    by: str = ""
    why: str = ""
    dwelling: str = ""
    """For which dwelling a guard opened or refused, where the guard says so: as the list writes it, or as typed."""
    count: int = 0
    repeats: int = 0
    household: int = 0
    """Of a ``provisional``: the household's number in the list; 0: it is not in this gate's list."""
    until_ms: int = 0
    list_revision: int = 0
    list_age_s: int = -1
    slow_disk: bool = False
    recovered: str = ""
    """Where it stood in a damaged journal, as ``JOURNAL/SEQ``; with ``?`` where no event before it is left, so that the
    chain does not prove it."""


class EventUpload(msgspec.Struct, kw_only=True):
    """Consecutive events as the JSON texts the chain runs over; ``before`` is the chain before the first. Without
    events it is the question how far the centre is. ``hole``: the gate keeps nothing before ``first_seq``,
    so what the centre misses before it is gone for good, and it goes on from there."""

    v: int
    journal_id: str
    first_seq: int
    before: bytes
    events: list[str]
    hole: bool = False
    lanes: dict[str, str] = {}
    """Name → direction of each lane that the device has."""


class EventReceipt(msgspec.Struct):
    """``acked`` is the highest seq below which the centre holds everything of that journal."""

    v: int
    acked: int


class AheadProof(msgspec.Struct, kw_only=True):
    """What a gate has that the centre lacks: a statement that the root signed under the epoch both are in, with a
    higher revision than the centre's, or than the centre came to in the life it names."""

    v: int
    statement: Signed


class AheadReceipt(msgspec.Struct):
    """Whether it proves that the centre was restored from a backup."""

    v: int
    proven: bool


class EnrolRequest(msgspec.Struct, kw_only=True):
    """``secret`` is the code's one-time half; ``token_hash`` is SHA-256 of the token the device made for itself;
    ``box_public`` is the core's X25519 public key. The same request again gets the same answer."""

    v: int
    secret: str
    token_hash: bytes
    box_public: bytes


class Enrolled(msgspec.Struct, kw_only=True):
    v: int
    compound: int
    gate: str
    device: str
    root_public: bytes
    epoch: Signed | None = None
    """The ``epoch`` change in force; an older centre has none."""


class TimeRequest(msgspec.Struct):
    v: int
    nonce: bytes


class Refusal(msgspec.Struct):
    """The body of every answer that is not 2xx: a code for programs, a sentence for people."""

    v: int
    code: str
    text: str


# --- between a gate's sync process and its core --------------------------------------------------------------------


class EventsAfter(msgspec.Struct):
    """Events numbered above ``seq`` of the given journal, at most ``limit``.

    Where events above ``seq`` are pruned, the answer begins at the oldest kept one. A ``journal_id`` that is empty or
    no longer kept is answered with the oldest journal kept, from its oldest event. With ``next`` the named journal
    is closed and sent whole: the answer is the one made after it, from its oldest event, or, where there is none, an
    empty batch of the named one.
    """

    journal_id: str
    seq: int
    limit: int = 200
    next: bool = False


class EventBatch(msgspec.Struct):
    """Consecutive events as the texts the chain runs over (JSON). ``before`` is the chain before ``first_seq``, in an
    empty batch too; ``newest`` is the highest seq written in that journal. ``closed``: a journal set aside, to which
    nothing is added; when all of it is sent, the next one is asked for."""

    journal_id: str
    first_seq: int
    before: bytes
    events: list[str]
    newest: int
    closed: bool = False
    lanes: dict[str, str] = {}
    """Name → direction of each lane that this device has."""


class Acknowledged(msgspec.Struct):
    """The centre holds everything of that journal up to ``seq``. It may go back: a restored centre has less."""

    journal_id: str
    seq: int


class SyncState(msgspec.Struct, kw_only=True):
    """How the centre is, for the guard to see. ``caught_up``: the list was complete just now (the core stamps it with
    its own clock); ``list_changed``: rows were applied or another file is in force. Accepted says whether the core
    follows the file now in force."""

    centre_ok: bool
    why: str = ""
    unsent: int = 0
    caught_up: bool = False
    list_changed: bool = False
    up_s: float | None = None
    """How long this run of sync has lasted."""


class Nonce(msgspec.Struct):
    """A fresh nonce for a time statement; it is good once, for a minute."""

    nonce: bytes


class Accepted(msgspec.Struct):
    """Whether the core could use it, and why not. ``time_wanted``: its clock is not trusted, as after a restart.
    ``unverified``: statements (``PURPOSE ITEM``) that the list should hold and does not: it is to be built anew.
    ``suspect``: a row was damaged or missing: the list is to be looked through."""

    ok: bool
    why: str = ""
    time_wanted: bool = False
    unverified: list[str] = []
    suspect: bool = False


# --- journal chain --------------------------------------------------------------------------------------------------

CHAIN_START = bytes(16)


def chain(before: bytes, event: str) -> bytes:
    """BLAKE2b, 16 bytes, over the chain before and the event's text."""
    return hashlib.blake2b(before + event.encode(), digest_size=16).digest()


# --- enrolment code -------------------------------------------------------------------------------------------------

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HALF_BYTES = 10
CODE_CHARACTERS = 32


def _crockford(raw: bytes) -> str:
    number = int.from_bytes(raw, "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(len(raw) * 8 - 5, -1, -5))


def root_mark(root_public: bytes) -> str:
    """80 bits of the root key's hash, 16 characters: what the code says of whom to trust."""
    return _crockford(hashlib.blake2b(root_public, digest_size=_HALF_BYTES).digest())


def enrolment_code(root_public: bytes, secret: bytes) -> str:
    """The code a technician types: root mark and one-time secret (10 bytes) in eight groups of four."""
    text = root_mark(root_public) + _crockford(secret)
    return "-".join(text[at : at + 4] for at in range(0, CODE_CHARACTERS, 4))


def read_enrolment_code(code: str) -> tuple[str, str]:
    """(root mark, secret), 16 characters each; forgives case, spaces, O for 0 and I or L for 1.

    Raises ProtocolError in words for the technician.
    """
    text = "".join(c for c in code.upper() if c not in "- \t\r\n").translate(str.maketrans("OIL", "011"))
    if len(text) != CODE_CHARACTERS or any(c not in _ALPHABET for c in text):
        raise ProtocolError(f"An enrolment code has {CODE_CHARACTERS} letters and digits; this one has {len(text)}.")
    return text[:16], text[16:]


def trusts(root_public: bytes, mark: str) -> bool:
    """Whether a root key is the one the code speaks of."""
    return hmac.compare_digest(root_mark(root_public), mark)
