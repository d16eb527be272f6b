"""Gates and their devices: one-time enrolment, what only their cores may read, and withdrawal."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from typing import Any

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from sync.protocol import (
    VERSION,
    AccountBody,
    CodeKeyBody,
    Enrolled,
    EnrolRequest,
    GateBody,
    WithdrawalBody,
    enrolment_code,
)
from sync.server.centre import feed, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre, Writing, next_number

CODE_LASTS_MS = 24 * 3_600_000
_SECRET_BYTES = 10
_MOST_LANES = 32
_LONGEST_LANE = 60
_WAYS = ("in", "out", "both")


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A gate as people see it; device fields are empty before enrolment."""

    compound: int
    gate: str
    name: str
    neighbour_zh: str
    neighbour_en: str
    device: str = ""
    state: str = ""
    enrolled_ms: int = 0
    seen_ms: int = 0
    seen_epoch: str = ""
    seen_revision: int = 0
    lanes: str = ""
    """Name → direction of its lanes (JSON), as its device told last; empty: it has not."""
    events_ms: int = 0
    """When its last events came in."""

    def lag(self, compound: Compound) -> int | None:
        """How many changes its list is behind; None where it has to take the whole list, or has none yet."""
        known = self.seen_epoch == compound.epoch and self.seen_revision > 0
        return max(0, compound.revision - self.seen_revision) if known else None


class Device(msgspec.Struct, frozen=True):
    """Who sent an authenticated request."""

    compound: int
    device: str
    gate: str
    state: str


class EnrolmentCode(msgspec.Struct, frozen=True):
    """A one-time enrolment code; shown once, never stored."""

    compound: int
    gate: str
    name: str
    enrolment_code: str
    ends_ms: int


class EnrolmentUsed(CentreError):
    """The secret was used by another device."""


def add_gate(
    centre: Centre, compound_id: int, name: str, by: str, neighbour: tuple[str, str] = ("", "")
) -> EnrolmentCode:
    """A new gate with its first enrolment code; ``neighbour`` (zh, en) is what the lane says when it is closed.

    Raises CentreError for a name already taken.
    """
    with centre.writing(compound_id, by) as writing:
        return _new_code(writing, _put_gate(writing, name, neighbour), name)


def _put_gate(writing: Writing, name: str, neighbour: tuple[str, str]) -> str:
    """The new gate's id."""
    if not name.strip() or "\n" in name:
        raise CentreError("请填写门口名称（一行）。", "A gate needs a name of one line.")
    gate_id = f"g{next_number(writing.conn, writing.compound_id, 'gate')}"
    row = {"compound_id": writing.compound_id, "gate_id": gate_id, "name": name,
           "neighbour_zh": neighbour[0], "neighbour_en": neighbour[1]}  # fmt: skip
    try:
        writing.conn.execute(insert(tables.gate).values(row))
    except IntegrityError as err:
        raise CentreError(
            f"本小区已有门口 {name}。", f"There is a gate called {name} in this compound already."
        ) from err
    body = GateBody(gate=gate_id, name=name, neighbour_zh=neighbour[0], neighbour_en=neighbour[1])
    writing.sign("setting", f"gate/{gate_id}", body)
    writing.audit("add-gate", gate_id)
    return gate_id


def note_lanes(centre: Centre, device: Device, lanes: dict[str, str]) -> None:
    """Keep which lanes a device in service says that it has; a name that no pass could be limited to is left out."""
    known = {name: way for name, way in sorted(lanes.items())[:_MOST_LANES] if _is_lane(name) and way in _WAYS}
    told, columns = msgspec.json.encode(known).decode(), tables.gate.c
    mine = (columns.compound_id == device.compound, columns.gate_id == device.gate)
    if not known or device.state != "active":
        return
    with centre.store.read() as conn:
        if conn.execute(select(columns.lanes).where(*mine)).scalar() == told:
            return
    with centre.store.write() as conn:
        conn.execute(update(tables.gate).where(*mine).values(lanes=told))


def _is_lane(name: str) -> bool:
    return bool(name.strip()) and name.isprintable() and "," not in name and len(name) <= _LONGEST_LANE


def new_code(centre: Centre, compound_id: int, gate_id: str, by: str) -> EnrolmentCode:
    """Another enrolment code for a gate: the device that uses it takes the place of the old one. Codes not used yet
    end at once."""
    with centre.writing(compound_id, by) as writing:
        writing.audit("new-code", gate_id)
        return _only_code(writing, get_gate(writing.conn, compound_id, gate_id))


def new_identity(centre: Centre, compound_id: int, gate_id: str, by: str, own_gate: str = "") -> EnrolmentCode:
    """A code for one of two devices that share the identity of a gate. Nothing ends before it is used. The copy that
    uses it then goes on alone as this gate, and the other is unknown to the centre; or, with the name of an
    ``own_gate``, it is that new gate, and the other goes on as before.

    Raises NoSuchThing where the gate has no device, CentreError for a name already taken.
    """
    with centre.writing(compound_id, by) as writing:
        gate = _with_device(writing, gate_id)
        writing.audit("new-identity", f"{gate_id}/{gate.device}")
        if not own_gate:
            return _only_code(writing, gate)
        made = _put_gate(writing, own_gate, (gate.neighbour_zh, gate.neighbour_en))
        return _new_code(writing, made, own_gate, settles=gate.device)


def _with_device(writing: Writing, gate_id: str) -> Gate:
    gate = get_gate(writing.conn, writing.compound_id, gate_id)
    if gate.state != "active":
        raise NoSuchThing(en=f"Gate {gate.name} has no enrolled device.")
    return gate


def _only_code(writing: Writing, gate: Gate) -> EnrolmentCode:
    """A code for this gate; those not used yet end."""
    columns = tables.enrolment.c
    mine = (columns.compound_id == writing.compound_id, columns.gate_id == gate.gate, columns.device_id == "")
    writing.conn.execute(update(tables.enrolment).where(*mine).values(ends_ms=0))
    return _new_code(writing, gate.gate, gate.name)


def _new_code(writing: Writing, gate_id: str, name: str, settles: str = "") -> EnrolmentCode:
    secret = secrets.token_bytes(_SECRET_BYTES)
    code = enrolment_code(writing.compound.root_public, secret)
    ends_ms = writing.now_ms + CODE_LASTS_MS
    half = code.replace("-", "")[16:]
    row = {"compound_id": writing.compound_id, "secret_hash": _hash(half), "gate_id": gate_id, "ends_ms": ends_ms,
           "settles": settles}  # fmt: skip
    writing.conn.execute(insert(tables.enrolment).values(row))
    return EnrolmentCode(writing.compound_id, gate_id, name, code, ends_ms)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


_GATES = (
    "SELECT g.compound_id AS compound, g.gate_id AS gate, g.name, g.neighbour_zh, g.neighbour_en, g.lanes, "
    "coalesce(d.device_id, '') AS device, coalesce(d.state, '') AS state, coalesce(d.enrolled_ms, 0) AS enrolled_ms, "
    "coalesce(d.seen_ms, 0) AS seen_ms, coalesce(d.seen_epoch, '') AS seen_epoch, "
    "coalesce(d.seen_revision, 0) AS seen_revision, coalesce((SELECT max(j.last_ms) FROM journal j "
    "WHERE j.compound_id = d.compound_id AND j.device_id = d.device_id), 0) AS events_ms FROM gate g "
    "LEFT JOIN device d ON d.compound_id = g.compound_id AND d.device_id = ("
    "SELECT n.device_id FROM device n WHERE n.compound_id = g.compound_id AND n.gate_id = g.gate_id "
    "AND n.state <> 'replaced' ORDER BY n.state, n.enrolled_ms DESC LIMIT 1) "  # active comes before withdrawn
    "WHERE g.compound_id = :compound"
)


def list_gates(centre: Centre, compound_id: int) -> list[Gate]:
    """The gates of a compound with the device last enrolled at each."""
    with centre.store.read() as conn:
        found = conn.execute(text(f"{_GATES} ORDER BY g.name"), {"compound": compound_id}).mappings()
        return [Gate(**values) for values in found]


def get_gate(conn: Connection, compound_id: int, gate_id: str) -> Gate:
    """Raises NoSuchThing."""
    values = conn.execute(
        text(f"{_GATES} AND g.gate_id = :gate"), {"compound": compound_id, "gate": gate_id}
    ).mappings().first()  # fmt: skip
    if values is None:
        raise NoSuchThing(en=f"There is no gate {gate_id} in compound {compound_id}.")
    return Gate(**values)


def find_gate(centre: Centre, compound_id: int, wanted: str) -> Gate:
    """A gate by its id or its exact name. Raises NoSuchThing."""
    for gate in list_gates(centre, compound_id):
        if wanted in (gate.gate, gate.name):
            return gate
    raise NoSuchThing(en=f"There is no gate {wanted!r} in compound {compound_id}.")


# Enrolment


def enrol(centre: Centre, request: EnrolRequest) -> Enrolled:
    """Let a device in by its one-time secret; the same request again gets the same answer.

    Raises NoSuchThing for a secret that is wrong or has ended, EnrolmentUsed when another device used it, CentreError
    for keys of the wrong form.
    """
    _check_keys(request)
    compound_id = _whose(centre, request.secret)
    with centre.writing(compound_id, "gate") as writing:
        row = _enrolment(writing.conn, compound_id, request.secret)
        if row.device_id:
            return _again(writing, row.device_id, row.gate_id, request)
        if row.ends_ms <= writing.now_ms:
            raise NoSuchThing(en="This enrolment code has ended; ask for a new one.")
        device_id = _let_in(writing, row.gate_id, request)
        publish_sealed(writing, centre)
    with centre.store.read() as conn:
        return _enrolled(conn, writing.compound, row.gate_id, device_id)


def _check_keys(request: EnrolRequest) -> None:
    try:
        SealedBox(PublicKey(request.box_public)).encrypt(b"")
    except (CryptoError, ValueError, TypeError, RuntimeError) as err:
        raise CentreError(en="box_public is not an X25519 public key.") from err
    if len(request.token_hash) != hashlib.sha256().digest_size:
        raise CentreError(en="token_hash is not a SHA-256.")


def _whose(centre: Centre, secret: str) -> int:
    """The compound of a secret: a gate that enrols does not know it yet."""
    with centre.store.read() as conn:
        found: int | None = conn.execute(
            select(tables.enrolment.c.compound_id).where(tables.enrolment.c.secret_hash == _hash(secret))
        ).scalar()
    if found is None:
        raise NoSuchThing(en="There is no such enrolment code.")
    return found


def _enrolment(conn: Connection, compound_id: int, secret: str) -> Any:
    columns = tables.enrolment.c
    return conn.execute(
        select(tables.enrolment).where(columns.compound_id == compound_id, columns.secret_hash == _hash(secret))
    ).one()


def _again(writing: Writing, device_id: str, gate_id: str, request: EnrolRequest) -> Enrolled:
    columns = tables.device.c
    device = writing.conn.execute(
        select(tables.device).where(columns.compound_id == writing.compound_id, columns.device_id == device_id)
    ).one()
    same = hmac.compare_digest(device.token_hash + device.box_public, request.token_hash + request.box_public)
    if not same:
        raise EnrolmentUsed(en="This enrolment code was used by another device.")
    return _enrolled(writing.conn, writing.compound, gate_id, device_id)


def _let_in(writing: Writing, gate_id: str, request: EnrolRequest) -> str:
    device_id = f"d{secrets.token_hex(6)}"
    conn, compound_id = writing.conn, writing.compound_id
    conn.execute(
        text("UPDATE device SET state = 'replaced' WHERE compound_id = :c AND gate_id = :g AND state = 'active'"),
        {"c": compound_id, "g": gate_id},
    )
    row = {"compound_id": compound_id, "device_id": device_id, "gate_id": gate_id, "token_hash": request.token_hash,
           "box_public": request.box_public, "state": "active", "enrolled_ms": writing.now_ms}  # fmt: skip
    conn.execute(insert(tables.device).values(row))
    conn.execute(
        text("UPDATE enrolment SET device_id = :d WHERE compound_id = :c AND secret_hash = :s"),
        {"d": device_id, "c": compound_id, "s": _hash(request.secret)},
    )
    writing.audit("enrol", f"{gate_id}/{device_id}")
    _settle(writing, request)
    return device_id


def _settle(writing: Writing, request: EnrolRequest) -> None:
    """Where this code was for a copy of another device, that one is alone now."""
    copied = _enrolment(writing.conn, writing.compound_id, request.secret).settles
    columns = tables.device.c
    mine = (columns.compound_id == writing.compound_id, columns.device_id == copied)
    writing.conn.execute(update(tables.device).where(*mine).values(settled_ms=writing.now_ms))


def _enrolled(conn: Connection, compound: Compound, gate_id: str, device_id: str) -> Enrolled:
    return Enrolled(
        v=VERSION, compound=compound.compound_id, gate=gate_id, device=device_id, root_public=compound.root_public,
        epoch=feed.epoch_change(conn, compound.compound_id),
    )  # fmt: skip


def authenticate(centre: Centre, compound_id: int, device_id: str, token: str) -> Device | None:
    """The device a token (its text, as it is sent) belongs to; withdrawn ones too: they must learn that they are.
    None if none, or if another device has taken its place."""
    columns = tables.device.c
    with centre.store.read() as conn:
        found = conn.execute(
            select(columns.gate_id, columns.token_hash, columns.state).where(
                columns.compound_id == compound_id, columns.device_id == device_id
            )
        ).first()
    if found is None or not hmac.compare_digest(found.token_hash, hashlib.sha256(token.encode()).digest()):
        return None
    return None if found.state == "replaced" else Device(compound_id, device_id, found.gate_id, found.state)


# What only the cores of a compound's gates may read


def seal_for_gates(writing: Writing, secret: bytes, only: Collection[str] = ()) -> dict[str, bytes]:
    """A secret in one sealed box for the core of each gate that is enrolled now; where some are named, of those."""
    found = _enrolled_now(writing, only)
    return {row.gate_id: bytes(SealedBox(PublicKey(row.box_public)).encrypt(secret)) for row in found}


def _enrolled_now(writing: Writing, only: Collection[str] = ()) -> list[Any]:
    """Devices in service, at the named gates or at all."""
    columns = tables.device.c
    mine = (columns.compound_id == writing.compound_id, columns.state == "active")
    found = writing.conn.execute(select(columns.gate_id, columns.device_id, columns.box_public).where(*mine))
    return [row for row in found if not only or row.gate_id in only]


def publish_sealed(writing: Writing, centre: Centre) -> None:
    """Publish the code key and every guard account anew, for the gates enrolled now."""
    publish_code_key(writing, centre.vault.unseal(writing.compound.sealed_code_key))
    guards = select(tables.guard).where(tables.guard.c.compound_id == writing.compound_id)
    for guard in writing.conn.execute(guards).all():
        publish_guard(writing, guard, centre.vault.unseal(guard.sealed_verifier))


def publish_code_key(writing: Writing, key: bytes) -> None:
    scope = writing.compound_id
    writing.sign("code_key", str(scope), CodeKeyBody(scope, seal_for_gates(writing, key)))


def publish_guard(writing: Writing, guard: Any, verifier: bytes) -> None:
    """``guard`` has the columns of the table. Its verifier goes to the gates at which the account works, to none while
    it is stopped or its PIN withdrawn; where it went is remembered."""
    works, gates = guard.active and not guard.stolen_gate, guard.gates.split(",") if guard.gates else ()
    sealed = seal_for_gates(writing, verifier, gates) if works else {}
    now_at = {row.device_id for row in _enrolled_now(writing, gates)} if works else set()
    held_at = ",".join(sorted({*filter(None, guard.held_at.split(",")), *now_at}))
    if held_at != guard.held_at:
        columns = tables.guard.c
        mine = (columns.compound_id == writing.compound_id, columns.account == guard.account)
        writing.conn.execute(update(tables.guard).where(*mine).values(held_at=held_at))
    body = AccountBody(guard.account, guard.name, guard.role, bool(guard.active), sealed, bool(guard.stolen_gate))
    writing.sign("account", guard.account, body)


def withdraw(centre: Centre, compound_id: int, gate_id: str, by: str) -> str:
    """Withdraw the device of a gate that is in good hands (broken, given back). After a theft: ``theft.py``. The
    device's id.

    Raises NoSuchThing where the gate has no device.
    """
    with centre.writing(compound_id, by) as writing:
        gate = _with_device(writing, gate_id)
        withdraw_device(writing, gate_id, gate.device)
        change_code_key(writing, centre)
        writing.audit("withdraw", f"{gate_id}/{gate.device}")
    return gate.device


def withdraw_device(writing: Writing, gate_id: str, device: str) -> None:
    """A signed order to wipe, and nothing sealed for it from now on."""
    columns = tables.device.c
    mine = (columns.compound_id == writing.compound_id, columns.device_id == device)
    ended = {"state": "withdrawn", "withdrawn_ms": writing.now_ms}
    writing.conn.execute(update(tables.device).where(*mine).values(ended))
    writing.sign("withdrawal", device, WithdrawalBody(gate_id, device, writing.now_ms), must=True)


def change_code_key(writing: Writing, centre: Centre) -> None:
    """A new code key, since a withdrawn device held the old one. Phone passes show other digits from now on: their
    pages fetch the new secret within five minutes, and when they are looked at."""
    key = secrets.token_bytes(32)
    mine = tables.compound.c.compound_id == writing.compound_id
    writing.conn.execute(update(tables.compound).where(mine).values(sealed_code_key=centre.vault.seal(key)))
    publish_code_key(writing, key)
