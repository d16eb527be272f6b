"""Guards: people at gates with a PIN. Made here, checked by the core of each gate.

A guard cannot sign in to the centre's pages: that takes a staff account (sync/server/staff)."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import msgspec
from nacl import pwhash
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.writing import Centre, next_number
from sync.server.gates.fleet import publish_guard

GuardRole = Literal["guard", "supervisor", "technician"]
ROLES: tuple[GuardRole, ...] = ("guard", "supervisor", "technician")
PIN_DIGITS = range(6, 13)

# Argon2id for the gate's core: 16 MiB, because four processes share the memory of a Pi, and three passes, which a Pi 4
# takes about 100 ms for (a guess from its memory speed; here 20 ms). What protects a PIN is first that its verifier is
# sealed for the cores and that they limit tries: six digits alone are no match for a stolen verifier.
_PASSES = 3
_MEMORY_BYTES = 16 << 20


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """A guard account as people see it."""

    compound: int
    account: str
    name: str
    role: str
    active: bool


def check_pin(pin: str) -> None:
    """Raises CentreError for a PIN that is too short or the first that anybody would try."""
    if not (pin.isascii() and pin.isdigit() and len(pin) in PIN_DIGITS):
        raise CentreError("PIN是6至12位数字。", f"A PIN has {PIN_DIGITS.start} to {PIN_DIGITS.stop - 1} digits.")
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    halves = any(len(pin) % n == 0 and pin == pin[:n] * (len(pin) // n) for n in (1, 2, 3))
    if halves or steps in ({1}, {9}):
        raise CentreError(
            "这个PIN太好猜，请不要用重复或连续的数字。",
            "This PIN is too easy to guess: no repeated or counted digits, please.",
        )


def add_guard(centre: Centre, compound_id: int, name: str, role: GuardRole, pin: str, by: str) -> Guard:
    """A new account, published to the gates. Raises CentreError for a name already taken, a bad role or PIN."""
    check_pin(pin)
    if role not in ROLES:
        raise CentreError("没有这个职责。", f"There is no role {role!r}. Roles are: {', '.join(ROLES)}.")
    if not name.strip() or not name.isprintable() or len(name) > 40:
        raise CentreError(
            "请填写保安姓名（一行，最多40字）。", "A guard needs a name of one line, at most 40 characters."
        )
    verifier = _verifier(pin)
    with centre.writing(compound_id, by) as writing:
        account = f"a{next_number(writing.conn, compound_id, 'account')}"
        row = {"compound_id": compound_id, "account": account, "name": name, "role": role, "active": True,
               "sealed_verifier": centre.vault.seal(verifier)}  # fmt: skip
        try:
            writing.conn.execute(insert(tables.guard).values(row))
        except IntegrityError as err:
            raise CentreError(
                f"本小区已有保安 {name}。", f"There is a guard called {name} in this compound already."
            ) from err
        publish_guard(writing, _row(writing.conn, compound_id, account), verifier)
        writing.audit("add-guard", account)
        return _guard(_row(writing.conn, compound_id, account))


def change_guard(centre: Centre, compound_id: int, account: str, by: str, *, pin: str | None = None,
                 active: bool | None = None) -> Guard:  # fmt: skip
    """A new PIN, or an account stopped or let in again. Raises NoSuchThing, CentreError."""
    if pin is not None:
        check_pin(pin)
    with centre.writing(compound_id, by) as writing:
        before = _row(writing.conn, compound_id, account)
        verifier = centre.vault.unseal(before.sealed_verifier) if pin is None else _verifier(pin)
        columns = tables.guard.c
        writing.conn.execute(
            update(tables.guard)
            .where(columns.compound_id == compound_id, columns.account == account)
            .values(sealed_verifier=centre.vault.seal(verifier), active=before.active if active is None else active)
        )
        guard = _row(writing.conn, compound_id, account)
        publish_guard(writing, guard, verifier)
        writing.audit("change-guard", account)
        return _guard(guard)


def list_guards(centre: Centre, compound_id: int) -> list[Guard]:
    """By name."""
    with centre.store.read() as conn:
        found = select(tables.guard).where(tables.guard.c.compound_id == compound_id).order_by(tables.guard.c.name)
        return [_guard(row) for row in conn.execute(found)]


def _verifier(pin: str) -> bytes:
    """libsodium's text form of Argon2id, without the zero bytes at its end."""
    return pwhash.argon2id.str(pin.encode(), _PASSES, _MEMORY_BYTES).rstrip(b"\0")


def _row(conn: Any, compound_id: int, account: str) -> Any:
    columns = tables.guard.c
    wanted = select(tables.guard).where(columns.compound_id == compound_id, columns.account == account)
    row = conn.execute(wanted).first()
    if row is None:
        raise NoSuchThing(en=f"There is no guard account {account} in compound {compound_id}.")
    return row


def _guard(row: Any) -> Guard:
    return Guard(compound=row.compound_id, account=row.account, name=row.name, role=row.role, active=bool(row.active))
