"""Guards: people at gates with a PIN. Made here, checked by the core of each gate.

A guard cannot sign in to the centre's pages: that takes a staff account (sync/server/staff)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, get_args

import msgspec
from nacl import pwhash
from nacl.exceptions import CryptoError
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.writing import Centre, Writing, next_number
from sync.server.gates import pins
from sync.server.gates.fleet import publish_guard
from sync.terms import GuardRole

ROLES: tuple[GuardRole, ...] = get_args(GuardRole)
PinState = Literal["good", "short", "old", "withdrawn"]
"""``short``: it may have fewer digits than this role now needs; ``old``: its verifier costs less to guess than one made
today; ``withdrawn``: a gate that had its verifier was stolen."""


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """A guard account as people see it. ``gates``: ids of those at which it works; none: at every one."""

    compound: int
    account: str
    name: str
    role: str
    active: bool
    gates: list[str] = []
    pin: PinState = "good"
    stolen_gate: str = ""
    """By whose theft the PIN was withdrawn."""


class Drawn(msgspec.Struct, frozen=True):
    """A guard whose PIN the centre drew: shown once, never stored."""

    guard: Guard
    pin: str


def add_guard(centre: Centre, compound_id: int, name: str, role: GuardRole, pin: str, by: str,
              gates: Sequence[str] = ()) -> Guard:  # fmt: skip
    """A new account, published to the gates. Raises CentreError for a name already taken, a bad role, gate or PIN."""
    if role not in ROLES:
        raise CentreError("没有这个职责。", f"There is no role {role!r}. Roles are: {', '.join(ROLES)}.")
    if not name.strip() or not name.isprintable() or len(name) > 40:
        raise CentreError(
            "请填写保安姓名（一行，最多40字）。", "A guard needs a name of one line, at most 40 characters."
        )
    pins.check_pin(pin, role, name)
    verifier = pins.make_verifier(pin, centre.settings)
    with centre.writing(compound_id, by) as writing:
        account = f"a{next_number(writing.conn, compound_id, 'account')}"
        pins.check_pin(pin, role, name, account)
        row = {"compound_id": compound_id, "account": account, "name": name, "role": role, "active": True,
               "gates": _gates(writing, gates), "pin_digits": pins.LEAST[role],
               "sealed_verifier": centre.vault.seal(verifier)}  # fmt: skip
        try:
            writing.conn.execute(insert(tables.guard).values(row))
        except IntegrityError as err:
            raise CentreError(
                f"本小区已有保安 {name}。", f"There is a guard called {name} in this compound already."
            ) from err
        publish_guard(writing, _row(writing.conn, compound_id, account), verifier)
        writing.audit("add-guard", account)
        return _guard(centre, _row(writing.conn, compound_id, account))


def add_guard_drawn(centre: Centre, compound_id: int, name: str, role: GuardRole, by: str,
                    gates: Sequence[str] = ()) -> Drawn:  # fmt: skip
    """As :func:`add_guard`, with a PIN that is drawn here."""
    pin = pins.draw_pin(role if role in ROLES else "guard", name)
    return Drawn(add_guard(centre, compound_id, name, role, pin, by, gates), pin)


def change_guard(centre: Centre, compound_id: int, account: str, by: str, *, pin: str | None = None,
                 active: bool | None = None, gates: Sequence[str] | None = None) -> Guard:  # fmt: skip
    """A new PIN, an account stopped or let in again, or the gates at which it works (none: every one).

    Raises NoSuchThing, CentreError.
    """
    changed: dict[str, Any] = {} if pin is None else _new_pin(centre, compound_id, account, pin)
    if active is not None:
        changed["active"] = active
    with centre.writing(compound_id, by) as writing:
        if gates is not None:
            changed["gates"] = _gates(writing, gates)
        columns = tables.guard.c
        mine = (columns.compound_id == compound_id, columns.account == account)
        if changed:
            writing.conn.execute(update(tables.guard).where(*mine).values(changed))
        guard = _row(writing.conn, compound_id, account)
        publish_guard(writing, guard, centre.vault.unseal(guard.sealed_verifier))
        writing.audit("new-pin" if pin is not None else "change-guard", account)
        return _guard(centre, guard)


def draw_new_pin(centre: Centre, compound_id: int, account: str, by: str) -> Drawn:
    """As :func:`change_guard`, with a PIN that is drawn here."""
    with centre.store.read() as conn:
        row = _row(conn, compound_id, account)
    pin = pins.draw_pin(row.role, row.name, account)
    return Drawn(change_guard(centre, compound_id, account, by, pin=pin), pin)


def list_guards(centre: Centre, compound_id: int) -> list[Guard]:
    """By name."""
    with centre.store.read() as conn:
        found = select(tables.guard).where(tables.guard.c.compound_id == compound_id).order_by(tables.guard.c.name)
        return [_guard(centre, row) for row in conn.execute(found)]


def find_guard(centre: Centre, compound_id: int, wanted: str) -> Guard:
    """A guard by account or exact name. Raises NoSuchThing."""
    for guard in list_guards(centre, compound_id):
        if wanted in (guard.account, guard.name):
            return guard
    raise NoSuchThing(en=f"There is no guard {wanted!r} in compound {compound_id}.")


def withdraw_pins(writing: Writing, centre: Centre, gate_id: str, devices: Collection[str]) -> list[Guard]:
    """Take the PIN from everyone whose verifier one of these devices of a gate ever had: no gate gets one until they
    have a new PIN. The verifier stays here, so that the old PIN is not chosen again. Whose; nobody twice."""
    withdrawn = []
    columns = tables.guard.c
    for row in exposed(writing.conn, writing.compound_id, devices):
        mine = (columns.compound_id == writing.compound_id, columns.account == row.account)
        writing.conn.execute(update(tables.guard).where(*mine).values(stolen_gate=gate_id))
        guard = _row(writing.conn, writing.compound_id, row.account)
        publish_guard(writing, guard, b"")
        withdrawn.append(_guard(centre, guard))
    return withdrawn


def exposed(conn: Any, compound_id: int, devices: Collection[str]) -> list[Any]:
    """The rows of guards with a PIN in force whose verifier one of these devices ever had."""
    columns = tables.guard.c
    wanted = select(tables.guard).where(columns.compound_id == compound_id, columns.stolen_gate == "")
    rows = conn.execute(wanted.order_by(columns.name))
    return [row for row in rows if devices and {"*", *devices} & set(row.held_at.split(","))]


def _new_pin(centre: Centre, compound_id: int, account: str, pin: str) -> dict[str, Any]:
    """The columns of a new PIN, made before the transaction: it takes long. Raises CentreError, also for the PIN that
    was withdrawn."""
    with centre.store.read() as conn:
        row = _row(conn, compound_id, account)
    pins.check_pin(pin, row.role, row.name, account)
    if row.stolen_gate and _is_pin(centre.vault.unseal(row.sealed_verifier), pin):
        raise CentreError(
            "这正是已经作废的那个PIN，偷走设备的人可能已经知道。请换一个。",
            "This is the PIN that was withdrawn, and the thief may know it. Please take another.",
        )
    sealed = centre.vault.seal(pins.make_verifier(pin, centre.settings))
    return {"sealed_verifier": sealed, "pin_digits": pins.LEAST[row.role], "held_at": "", "stolen_gate": ""}


def _is_pin(verifier: bytes, pin: str) -> bool:
    try:
        return pwhash.verify(verifier, pin.encode())
    except (CryptoError, ValueError):
        return False


def _gates(writing: Writing, wanted: Sequence[str]) -> str:
    """As the column keeps them. Raises CentreError for a gate that is not of this compound."""
    columns = tables.gate.c
    here = select(columns.gate_id).where(columns.compound_id == writing.compound_id)
    unknown = sorted(set(wanted) - set(writing.conn.execute(here).scalars()))
    if unknown:
        raise CentreError(f"没有这个门口：{unknown[0]}。", f"There is no gate {unknown[0]} in this compound.")
    return ",".join(sorted(set(wanted)))


def _row(conn: Any, compound_id: int, account: str) -> Any:
    columns = tables.guard.c
    wanted = select(tables.guard).where(columns.compound_id == compound_id, columns.account == account)
    row = conn.execute(wanted).first()
    if row is None:
        raise NoSuchThing(en=f"There is no guard account {account} in compound {compound_id}.")
    return row


def _guard(centre: Centre, row: Any) -> Guard:
    return Guard(
        compound=row.compound_id, account=row.account, name=row.name, role=row.role, active=bool(row.active),
        gates=row.gates.split(",") if row.gates else [], pin=_pin_state(centre, row), stolen_gate=row.stolen_gate,
    )  # fmt: skip


def _pin_state(centre: Centre, row: Any) -> PinState:
    if row.stolen_gate:
        return "withdrawn"
    if row.role != "guard" and row.pin_digits < pins.LEAST[row.role]:
        return "short"
    return "old" if pins.is_weak(centre.vault.unseal(row.sealed_verifier), centre.settings) else "good"
