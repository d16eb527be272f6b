"""Signing in: a staff account's password, its one-time link, and the compounds it is for.

Staff are the people with an account at the centre. Guards are others: they stand at gates and have a PIN
(sync/server/gates/guards.py). ``accounts`` changes accounts that exist; ``roles`` says what each role may do.

There is no default password. An account begins with a one-time link, shown once by the command that makes it, behind
which its owner chooses a password.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from nacl import pwhash
from nacl.exceptions import CryptoError
from sqlalchemy import Connection, delete, insert, select, update

from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.places import Compound, all_compounds, all_places, get_compound
from sync.server.centre.writing import Centre
from sync.server.staff import roles

LINK_LASTS_MS = 24 * 3_600_000
PASSWORD_CHARACTERS = range(10, 201)
_LONGEST_NAME = 40

# Each check takes 64 MiB; two at a time, so that a flood of sign-ins cannot take the memory of the centre, and none
# waits for long, so that it cannot take its threads either.
_CHECKING = threading.Semaphore(2)
_CHECK_WAIT_S = 5.0
_ended = tables.ended_session.c
_NOBODY = pwhash.argon2id.str(secrets.token_bytes(16), pwhash.argon2id.OPSLIMIT_MIN, pwhash.argon2id.MEMLIMIT_MIN)


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """A person who may sign in. ``version`` changes with the password, the role and the compounds."""

    account: str
    name: str
    role: roles.Role
    everywhere: bool
    version: int


class Busy(CentreError):
    """Too many sign in at once; this one would wait for too long. Try again."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time link's secret; shown once, only its hash is kept."""

    account: str
    path: str
    ends_ms: int


def add_staff(centre: Centre, account: str, name: str, everywhere: bool, compound_ids: Sequence[int],
              role: roles.Role = "property", by: str = "") -> Link:  # fmt: skip
    """A new account, for every compound or for those named. Raises CentreError."""
    name = check_staff(name or account, role, everywhere, compound_ids)
    if not (account.isascii() and account.isalnum() and 2 <= len(account) <= 32):
        raise CentreError("账号由2至32个英文字母和数字组成。", "An account is 2 to 32 letters and digits.")
    secret, ends_ms = secrets.token_urlsafe(32), centre.now_ms() + LINK_LASTS_MS
    with centre.store.write() as conn:
        if _row(conn, account) is not None:
            raise CentreError(f"已有账号 {account}。", f"There is an account {account} already.")
        row = {"account": account, "name": name, "link_hash": _hash(secret), "link_ends_ms": ends_ms,
               "role": role, "everywhere": everywhere, "active": True}  # fmt: skip
        conn.execute(insert(tables.staff).values(row))
        put_compounds(conn, account, compound_ids)
        audit.note_town(conn, centre.now_ms(), by, "add-staff", f"{account} {role}")
    return Link(account=account, path=f"/welcome/{secret}", ends_ms=ends_ms)


def check_staff(name: str, role: str, everywhere: bool, compound_ids: Sequence[int]) -> str:
    """The name in one line. Raises CentreError for what no account can be."""
    if role not in roles.ROLES:
        raise CentreError("请选一个职责。", f"There is no role {role!r}. Roles are: {', '.join(roles.ROLES)}.")
    if not everywhere and not compound_ids:
        raise CentreError("请选小区，或选所有小区。", "Say which compounds the account is for, or everywhere.")
    name = " ".join(name.split())
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        raise CentreError(f"姓名最多{_LONGEST_NAME}字。", f"A name is at most {_LONGEST_NAME} characters.")
    return name


def put_compounds(conn: Connection, account: str, compound_ids: Sequence[int]) -> None:
    """The compounds an account is for: these and no other. Raises NoSuchThing."""
    conn.execute(delete(tables.staff_compound).where(tables.staff_compound.c.account == account))
    for compound_id in sorted(set(compound_ids)):
        get_compound(conn, compound_id)
        conn.execute(insert(tables.staff_compound).values(compound_id=compound_id, account=account))


def new_link(centre: Centre, account: str, by: str = "") -> Link:
    """Another one-time link, for a forgotten password; sessions and the old password end when it is used."""
    secret, ends_ms = secrets.token_urlsafe(32), centre.now_ms() + LINK_LASTS_MS
    with centre.store.write() as conn:
        found = update(tables.staff).where(tables.staff.c.account == account)
        if not conn.execute(found.values(link_hash=_hash(secret), link_ends_ms=ends_ms)).rowcount:
            raise NoSuchThing(en=f"There is no account {account}.")
        audit.note_town(conn, centre.now_ms(), by, "staff-link", account)
    return Link(account=account, path=f"/welcome/{secret}", ends_ms=ends_ms)


def check_password(password: str) -> None:
    """Raises CentreError for one that is too short."""
    if len(password) not in PASSWORD_CHARACTERS or len(set(password)) < 5:
        raise CentreError(
            f"密码至少{PASSWORD_CHARACTERS.start}个字符，不能是同一个字符。",
            f"A password has at least {PASSWORD_CHARACTERS.start} characters, and not the same again.",
        )


def set_password(centre: Centre, account: str, password: str) -> None:
    """Choose a password, end the one-time link and every session. Raises CentreError."""
    check_password(password)
    with centre.store.write() as conn:
        _put_password(conn, tables.staff.c.account == account, password)


def use_link(centre: Centre, secret: str, password: str) -> Staff:
    """Choose a password behind a one-time link; it works once. Raises NoSuchThing for a link that is not good."""
    check_password(password)
    with centre.store.write() as conn:
        found = _by_link(centre, conn, secret)
        _put_password(conn, tables.staff.c.account == found.account, password)
        return _staff(_row(conn, found.account))


def read_link(centre: Centre, secret: str) -> Staff:
    """Whose link this is. Raises NoSuchThing for one that is wrong, used or has ended."""
    with centre.store.read() as conn:
        return _staff(_by_link(centre, conn, secret))


def _by_link(centre: Centre, conn: Connection, secret: str) -> Any:
    columns = tables.staff.c
    wanted = select(tables.staff).where(
        columns.link_hash == _hash(secret), columns.link_ends_ms > centre.now_ms(), columns.active
    )
    found = conn.execute(wanted).first()
    if found is None:
        raise NoSuchThing(en="This link is not good any more; ask for a new one.")
    return found


def _put_password(conn: Connection, who: Any, password: str) -> None:
    columns = tables.staff.c
    with _checking():
        kept = pwhash.argon2id.str(password.encode()).rstrip(b"\0").decode()
    values = {"password_hash": kept, "link_hash": secrets.token_bytes(32), "link_ends_ms": 0}
    conn.execute(update(tables.staff).where(who).values(version=columns.version + 1, **values))


@contextmanager
def _checking() -> Iterator[None]:
    """Raises Busy."""
    if not _CHECKING.acquire(timeout=_CHECK_WAIT_S):
        raise Busy("登录的人太多，请一分钟后再试。", "Many are signing in; try again in a minute.")
    try:
        yield
    finally:
        _CHECKING.release()


def authenticate(centre: Centre, account: str, password: str) -> Staff | None:
    """Who this is, or None; an unknown account takes a check, too. Raises Busy."""
    with centre.store.read() as conn:
        row = _row(conn, account)
    kept = row.password_hash.encode() if row is not None and row.password_hash else _NOBODY
    with _checking():
        try:
            pwhash.argon2id.verify(kept, password[: PASSWORD_CHARACTERS.stop].encode())
        except (CryptoError, ValueError):
            return None
    return _staff(row) if row is not None and row.active and row.password_hash else None


def get_staff(centre: Centre, account: str, version: int, session: str) -> Staff | None:
    """The account of a session; None when the account was stopped, its password changed since, or it was signed out."""
    with centre.store.read() as conn:
        row = _row(conn, account)
        ended = conn.execute(select(_ended.session_hash).where(_ended.session_hash == _hash(session))).first()
    if ended is not None:
        return None
    return _staff(row) if row is not None and row.active and row.version == version else None


def end_session(centre: Centre, session: str, until_ms: int) -> None:
    """A session is good no longer, whoever has a copy of its cookie. It would have ended by itself at ``until_ms``."""
    with centre.store.write() as conn:
        conn.execute(delete(tables.ended_session).where(_ended.until_ms <= centre.now_ms()))
        mine = {"session_hash": _hash(session), "until_ms": until_ms}
        if conn.execute(select(_ended.until_ms).where(_ended.session_hash == _hash(session))).first() is None:
            conn.execute(insert(tables.ended_session).values(mine))


def places_of(centre: Centre, staff: Staff) -> list[Compound]:
    """The compounds an account may see, and the wider scopes for an account that sees all compounds."""
    if not staff.everywhere:
        return compounds_of(centre, staff)
    with centre.store.read() as conn:
        return all_places(conn)


def compounds_of(centre: Centre, staff: Staff) -> list[Compound]:
    """The compounds an account may see."""
    with centre.store.read() as conn:
        if staff.everywhere:
            return all_compounds(conn)
        columns = tables.staff_compound.c
        mine = set(conn.execute(select(columns.compound_id).where(columns.account == staff.account)).scalars())
        return [compound for compound in all_compounds(conn) if compound.compound_id in mine]


def _row(conn: Connection, account: str) -> Any:
    return conn.execute(select(tables.staff).where(tables.staff.c.account == account)).first()


def _staff(row: Any) -> Staff:
    return Staff(
        account=row.account, name=row.name, role=row.role, everywhere=bool(row.everywhere), version=row.version
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
