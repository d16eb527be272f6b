"""Staff accounts as the town sees and changes them: their role, their compounds, stopped and let in again.

Each change is one transaction with its record, and ends the sessions of its account. New accounts, passwords and
one-time links are in ``sign_in``. Guards have no staff account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.writing import Centre
from sync.server.staff import roles, sign_in


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account as the town sees it. ``compound_ids`` is empty where it is for all of them. ``link_ends_ms`` is not 0
    while a one-time link waits to be used."""

    account: str
    name: str
    role: roles.Role
    everywhere: bool
    active: bool
    has_password: bool
    link_ends_ms: int
    compound_ids: tuple[int, ...]


def list_accounts(centre: Centre) -> list[Account]:
    """Active ones first, by role and name of the account."""
    with centre.store.read() as conn:
        found = [_account(conn, row) for row in conn.execute(select(tables.staff)).all()]
    return sorted(found, key=lambda a: (not a.active, roles.ROLES.index(a.role), a.account))


def get_account(centre: Centre, account: str) -> Account:
    """Raises NoSuchThing."""
    with centre.store.read() as conn:
        return _account(conn, _row(conn, account))


def change(centre: Centre, account: str, name: str, role: roles.Role, everywhere: bool, compound_ids: Sequence[int],
           by: str) -> None:  # fmt: skip
    """Another name, role or compounds. Raises CentreError for the last account of the town, NoSuchThing."""
    name = sign_in.check_staff(name or account, role, everywhere, compound_ids)
    mine = () if everywhere else tuple(sorted(set(compound_ids)))
    with centre.store.write() as conn:
        old = _account(conn, _row(conn, account))
        if role != "town":
            _keep_one(conn, old)
        sign_in.put_compounds(conn, account, mine)
        same = (old.role, old.everywhere, old.compound_ids) == (role, everywhere, mine)
        _put(conn, account, not same, name=name, role=role, everywhere=everywhere)
        where = "everywhere" if everywhere else ", ".join(map(str, mine))
        audit.note_town(conn, centre.now_ms(), by, "change-staff", f"{account} {role}: {where}")


def set_active(centre: Centre, account: str, active: bool, by: str) -> None:
    """Stop an account, at once and with all its sessions, or let it in again. Raises CentreError for the last account
    of the town, NoSuchThing."""
    with centre.store.write() as conn:
        old = _account(conn, _row(conn, account))
        if not active:
            _keep_one(conn, old)
        _put(conn, account, True, active=active)
        audit.note_town(conn, centre.now_ms(), by, "let-in-staff" if active else "stop-staff", account)


def change_password(centre: Centre, account: str, old: str, new: str) -> bool:
    """One's own; False where the old one is wrong. Every session ends. Raises CentreError for one that is too short."""
    sign_in.check_password(new)
    if sign_in.authenticate(centre, account, old) is None:
        return False
    sign_in.set_password(centre, account, new)
    return True


def end_sessions(centre: Centre, account: str) -> None:
    """Sign an account out of every browser."""
    with centre.store.write() as conn:
        _put(conn, account, True)


def _keep_one(conn: Connection, old: Account) -> None:
    """Somebody must be left who can make accounts. The rows are locked, so that two cannot take each other away."""
    columns = tables.staff.c
    able = select(columns.account).where(columns.role == "town", columns.active, columns.password_hash != "")
    if conn.dialect.name == "postgresql":
        able = able.with_for_update()
    if old.role == "town" and not set(conn.execute(able).scalars()) - {old.account}:
        raise CentreError(
            "这是最后一个镇级账号，请先另建一个。", "This is the last account of the town; make another one first."
        )


def _put(conn: Connection, account: str, end_sessions: bool, **values: Any) -> None:
    columns = tables.staff.c
    version = columns.version + int(end_sessions)
    conn.execute(update(tables.staff).where(columns.account == account).values(version=version, **values))


def _row(conn: Connection, account: str) -> Any:
    row = conn.execute(select(tables.staff).where(tables.staff.c.account == account)).first()
    if row is None:
        raise NoSuchThing(en=f"There is no account {account}.")
    return row


def _account(conn: Connection, row: Any) -> Account:
    columns = tables.staff_compound.c
    mine = select(columns.compound_id).where(columns.account == row.account).order_by(columns.compound_id)
    return Account(
        account=row.account, name=row.name, role=row.role, everywhere=bool(row.everywhere), active=bool(row.active),
        has_password=bool(row.password_hash), link_ends_ms=row.link_ends_ms,
        compound_ids=tuple(conn.execute(mine).scalars()),
    )  # fmt: skip
