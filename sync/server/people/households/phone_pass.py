"""The phone pass: bound at the desk to one browser, by a code that works once.

The desk shows the code as a QR after the hand-over. The browser that opens it keeps a secret, of which only the keyed
mark is kept here; activating again moves the pass to the other browser. Neither code nor secret is ever logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from sync.credential import DIGITS_STEP_S, digits_at
from sync.protocol import Terms
from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Centre, Writing
from sync.server.passes import passes
from sync.server.passes.passes import Pass, PhoneCode

CODE_LASTS_MS = 15 * 60_000
_SECRET_BYTES = 16
_MOST_SECRET_CHARACTERS = 64


class Activated(msgspec.Struct, frozen=True, kw_only=True):
    """The pass a browser may show now, and the secret by which it is known again."""

    number: str
    browser_secret: str


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a code that still works stands for."""

    number: str
    label: str
    kind: str
    plate: str


class PassOnPhone(msgspec.Struct, frozen=True, kw_only=True):
    """A pass on its phone. ``code`` is None where it has none to show; ``state`` says why."""

    number: str
    kind: str
    label: str
    plate: str
    short_code: str
    valid_until_ms: int
    state: str
    own: Terms
    """Its own terms, without what the rules say of its kind."""
    code: PhoneCode | None = None


def activation_path(compound_id: int, code: str) -> str:
    """Where the code leads: the address to draw at the desk, without the centre's own."""
    return f"/j/{compound_id}/p/a/{code}"


def open_activation(writing: Writing, centre: Centre, number: str) -> str:
    """A code that works once, for 15 minutes, in one browser; the pass gets its phone credential if it has none yet.

    An older code that nobody used ends. Raises NoSuchThing, and CentreError where the pass is not handed over.
    """
    found = _pass_row(writing.conn, writing.compound_id, tables.pass_.c.number == number)
    live = _live_media(writing.conn, writing.compound_id, found["pass_id"])
    if found["state"] != "active" or "active" not in live.values():
        raise CentreError(
            f"{number} 还没有交付，交付以后才能开通手机证。",
            f"Pass {number} is not handed over; a phone can be set up afterwards.",
        )
    if "phone" not in live:
        passes.reissue_in(writing, centre, number, ("phone",))
    _end_codes(writing, found["pass_id"])
    code = secrets.token_urlsafe(_SECRET_BYTES)
    row = {"compound_id": writing.compound_id, "code_mark": _mark(centre.vault, "activation", code),
           "pass_id": found["pass_id"], "ends_ms": writing.now_ms + CODE_LASTS_MS}  # fmt: skip
    writing.conn.execute(insert(tables.activation).values(row))
    writing.audit("phone-offer", number, found["household"])
    return code


def read_activation(centre: Centre, compound_id: int, code: str) -> Offer:
    """What a code is for; looking does not use it up. Raises NoSuchThing for one that is wrong, used or over."""
    with centre.store.read() as conn:
        row = _open_code(conn, centre, compound_id, code)
        found = _pass_row(conn, compound_id, tables.pass_.c.pass_id == row["pass_id"])
    return Offer(number=found["number"], label=found["label"], kind=found["kind"], plate=found["plate"])


def activate(centre: Centre, compound_id: int, code: str) -> Activated:
    """Use a code up: its pass belongs to this browser now, and to no other. Raises NoSuchThing, CentreError."""
    with centre.writing(compound_id, "resident") as writing:
        row = _open_code(writing.conn, centre, compound_id, code)
        found = _pass_row(writing.conn, compound_id, tables.pass_.c.pass_id == row["pass_id"])
        if found["state"] != "active":
            raise CentreError("这张证现在无效，请到物业。", "This pass is not in force. Please ask the desk.")
        _use(writing, row["code_mark"])
        take_off(writing, centre, found["number"])
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        values = {"compound_id": compound_id, "browser_mark": _mark(centre.vault, "browser", secret),
                  "pass_id": found["pass_id"], "since_ms": writing.now_ms}  # fmt: skip
        writing.conn.execute(insert(tables.browser).values(values))
        writing.audit("phone-activate", found["number"], found["household"])
    return Activated(number=found["number"], browser_secret=secret)


def pass_of_browser(conn: Connection, vault: Vault, compound_id: int, secret: str) -> str:
    """The number of the pass a browser may show. Raises NoSuchThing for a secret that is wrong or was ended."""
    of, passed = tables.browser.c, tables.pass_.c
    wanted = (
        select(passed.number)
        .join(tables.browser, (of.compound_id == passed.compound_id) & (of.pass_id == passed.pass_id))
        .where(of.compound_id == compound_id, of.browser_mark == _mark(vault, "browser", secret))
    )
    number = conn.execute(wanted).scalar()
    if number is None:
        raise NoSuchThing(en="This browser shows no pass.")
    return str(number)


def end_browser(writing: Writing, number: str) -> None:
    """No browser shows this pass until one is activated again. Codes not used yet end, too. Idempotent."""
    found = _pass_row(writing.conn, writing.compound_id, tables.pass_.c.number == number)
    columns = tables.browser.c
    mine = (columns.compound_id == writing.compound_id, columns.pass_id == found["pass_id"])
    if writing.conn.execute(delete(tables.browser).where(*mine)).rowcount:
        writing.audit("phone-end", number, found["household"])
    _end_codes(writing, found["pass_id"])


def take_off(writing: Writing, centre: Centre, number: str) -> None:
    """End it, and make worthless what the browser kept of the pass: a copy, or a phone without network, could show
    that for as long as the pass is good. Nothing happens where no browser shows it."""
    if has_browser(writing.conn, writing.compound_id, number):
        found = _pass_row(writing.conn, writing.compound_id, tables.pass_.c.number == number)
        if found["state"] != "revoked":
            passes.reissue_in(writing, centre, number, ("phone",))
    end_browser(writing, number)


def has_browser(conn: Connection, compound_id: int, number: str) -> bool:
    """Whether some browser shows this pass."""
    of, passed = tables.browser.c, tables.pass_.c
    wanted = (
        select(of.pass_id)
        .join(tables.pass_, (of.compound_id == passed.compound_id) & (of.pass_id == passed.pass_id))
        .where(passed.compound_id == compound_id, passed.number == number)
    )
    return conn.execute(wanted).first() is not None


def passes_of(centre: Centre, compound_id: int, browser_secrets: Sequence[str]) -> dict[str, str]:
    """Secret → number of the pass, of those that are still known, in their order."""
    found: dict[str, str] = {}
    with centre.store.read() as conn:
        for secret in browser_secrets:
            try:
                found[secret] = pass_of_browser(conn, centre.vault, compound_id, secret)
            except NoSuchThing:
                continue
    return found


def read_shown(centre: Centre, number: str) -> PassOnPhone:
    """A pass as its phone shows it at this moment. Raises NoSuchThing."""
    found = passes.get_pass(centre, number)
    state = passes.shown_state(found, centre.now_ms())
    if state == "active" and not _has_phone(found):
        state = "superseded"
    names = ("number", "kind", "label", "plate", "short_code", "valid_until_ms", "own")
    same = {name: getattr(found, name) for name in names}
    code = passes.read_phone_code(centre, number) if state in ("active", "not_yet_valid") else None
    return PassOnPhone(state=state, code=code, **same)


def _has_phone(found: Pass) -> bool:
    return any(one.medium == "phone" and one.state == "active" for one in found.credentials)


def text_at(code: PhoneCode, now_ms: int) -> tuple[str, int]:
    """The 131 characters of a moment, and in how many milliseconds they change."""
    step, into_ms = divmod(now_ms, DIGITS_STEP_S * 1000)
    return f"{code.text}.{digits_at(code.secret, step)}", DIGITS_STEP_S * 1000 - into_ms


def _mark(vault: Vault, purpose: str, secret: str) -> bytes:
    return vault.mark(purpose, secret[:_MOST_SECRET_CHARACTERS])


def _pass_row(conn: Connection, compound_id: int, which: Any) -> Any:
    row = conn.execute(select(tables.pass_).where(tables.pass_.c.compound_id == compound_id, which)).mappings().first()
    if row is None:
        raise NoSuchThing(en="There is no such pass.")
    return row


def _live_media(conn: Connection, compound_id: int, pass_id: int) -> dict[str, str]:
    """Medium → state of the credentials in force."""
    columns = tables.credential.c
    mine = (columns.compound_id == compound_id, columns.pass_id == pass_id, columns.state.in_(("printed", "active")))
    return {row.medium: row.state for row in conn.execute(select(columns.medium, columns.state).where(*mine))}


def _open_code(conn: Connection, centre: Centre, compound_id: int, code: str) -> Any:
    columns = tables.activation.c
    wanted = select(tables.activation).where(
        columns.compound_id == compound_id, columns.code_mark == _mark(centre.vault, "activation", code),
        columns.used_ms == 0, columns.ends_ms > centre.now_ms(),
    )  # fmt: skip
    row = conn.execute(wanted).mappings().first()
    if row is None:
        raise NoSuchThing(en="This code is used or over.")
    return row


def _use(writing: Writing, code_mark: bytes) -> None:
    columns = tables.activation.c
    unused = (columns.compound_id == writing.compound_id, columns.code_mark == code_mark, columns.used_ms == 0)
    if not writing.conn.execute(update(tables.activation).where(*unused).values(used_ms=writing.now_ms)).rowcount:
        raise NoSuchThing(en="This code is used or over.")


def _end_codes(writing: Writing, pass_id: int) -> None:
    columns = tables.activation.c
    unused = (columns.compound_id == writing.compound_id, columns.pass_id == pass_id, columns.used_ms == 0,
              columns.ends_ms > writing.now_ms)  # fmt: skip
    writing.conn.execute(update(tables.activation).where(*unused).values(ends_ms=writing.now_ms))
