"""Drafts of the form: one a browser, sealed, found by the keyed hash of a token only that browser has.

A submitted draft stays behind as a stub with the household's link and nothing else: a second tap on "submit", or the
back button, finds it and becomes no second household.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from sync.server.centre import sealing, tables
from sync.server.centre.errors import NoSuchThing
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Centre, Writing
from sync.server.people.households import households, notices
from sync.server.people.households.application import Application
from sync.server.people.households.doubts import Origin

KEPT_MS = 30 * 86_400_000
"""A draft nobody has touched for this long is no longer found."""
_TOKEN_BYTES = 16
_LONGEST_TOKEN = 64
_columns = tables.draft.c
Act = Callable[[Connection, Application], None]
"""Changes a form, reading in the transaction that will keep it."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A form on its way. ``household_id`` is the household it corrects, 0: a new one; ``link`` its page's secret, known
    from the beginning for a correction and for the rest once ``submitted``."""

    application: Application
    household_id: int = 0
    link: str = ""
    submitted: bool = False
    updated_ms: int = 0


def begin(writing: Writing, vault: Vault, draft: Draft) -> str:
    """Keep a new draft; its token."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    row = {"compound_id": writing.compound_id, "draft_mark": _mark(vault, token)}
    writing.conn.execute(insert(tables.draft).values(row | _values(writing, vault, token, draft)))
    return token


def read(conn: Connection, vault: Vault, compound_id: int, token: str, now_ms: int) -> Draft | None:
    """The draft of a token; None where there is none in this compound, it was left alone for too long, or the
    link it began with no longer leads anywhere: people whom the household got rid of correct nothing."""
    mine = (_columns.compound_id == compound_id, _columns.draft_mark == _mark(vault, token))
    wanted = select(tables.draft).where(*mine, _columns.updated_ms > now_ms - KEPT_MS)
    row = conn.execute(wanted).mappings().first()
    if row is None:
        return None
    found = msgspec.json.decode(sealing.unseal(vault, tables.draft, row, "sealed_body"), type=Draft)
    if found.household_id and not _leads(conn, vault, compound_id, found):
        return None
    return msgspec.structs.replace(found, updated_ms=row["updated_ms"])


def _leads(conn: Connection, vault: Vault, compound_id: int, correction: Draft) -> bool:
    try:
        found = households.by_link(conn, vault, compound_id, correction.link)
    except NoSuchThing:
        return False
    return found.household_id == correction.household_id


def change(centre: Centre, compound_id: int, token: str, act: Act) -> Draft | None:
    """Let ``act`` change the form of a draft that is not submitted, and keep it. What another tab wrote into other
    fields meanwhile stays. None where there is no draft. A draft has no number of its own, so it is kept even while the
    compound waits for a new epoch."""
    with centre.writing(compound_id, "resident", even_stopped=True) as writing:
        draft = read(writing.conn, centre.vault, compound_id, token, writing.now_ms)
        if draft is not None and not draft.submitted:
            act(writing.conn, draft.application)
            _put(writing, centre.vault, token, draft)
        return draft


def submit(centre: Centre, compound_id: int, token: str, act: Act, origin: Origin = households.NOWHERE) -> Draft | None:
    """Submit a draft after ``act`` has put in what was written last, and leave the stub; all of it or nothing.

    Submitting it again gives the same stub. None where there is no draft. Raises what ``households.submit`` raises.
    """
    with centre.writing(compound_id, "resident") as writing:
        draft = read(writing.conn, centre.vault, compound_id, token, writing.now_ms)
        if draft is None or draft.submitted:
            return draft
        act(writing.conn, draft.application)
        done = households.submit_in(writing, centre, draft.application, draft.household_id, origin)
        notices.tell_others(writing, centre.vault, done)
        stub = Draft(application=Application(), link=done.link, submitted=True)
        _put(writing, centre.vault, token, stub)
        return stub


def forget(writing: Writing, vault: Vault, token: str) -> None:
    """Idempotent."""
    mine = (_columns.compound_id == writing.compound_id, _columns.draft_mark == _mark(vault, token))
    writing.conn.execute(delete(tables.draft).where(*mine))


def _put(writing: Writing, vault: Vault, token: str, draft: Draft) -> None:
    mine = (_columns.compound_id == writing.compound_id, _columns.draft_mark == _mark(vault, token))
    writing.conn.execute(update(tables.draft).where(*mine).values(_values(writing, vault, token, draft)))


def _values(writing: Writing, vault: Vault, token: str, draft: Draft) -> dict[str, object]:
    row = {"compound_id": writing.compound_id, "draft_mark": _mark(vault, token), "household_id": draft.household_id}
    body = sealing.seal(vault, tables.draft, row, "sealed_body", msgspec.json.encode(draft))
    return {"household_id": draft.household_id, "sealed_body": body, "updated_ms": writing.now_ms}


def _mark(vault: Vault, token: str) -> bytes:
    return vault.mark("draft", token[:_LONGEST_TOKEN])
