"""A code of six digits that shows whether a household's telephone is its own, where the town lets codes be sent.

The code stands nowhere, not even as a hash: it is made of the key file and of how many codes the household was sent, so
that a copy of the database does not tell it. It goes out as a notice of its own kind (notices.py). Nothing hangs on it:
anyone whom no code reaches keeps the application, and the desk.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select, update

from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Writing
from sync.server.people.households import doubts, slots
from sync.server.people.households.households import OPEN_STATES, Household
from sync.server.people.town_setting import SMS_CODES, read_count

KIND = "code"
"""Of its notices."""
LASTS_MS = 10 * 60_000
MOST_TRIES = 5
MOST_OF_PHONE = 3
"""Codes to one telephone in an hour, in all compounds: messages cost money, and are a nuisance."""
PAUSE_MS = 60_000
"""Between two codes to one household."""
_HOUR_MS = 3_600_000
_h, _n = tables.household.c, tables.notice.c
Answer = Literal["right", "wrong", "over"]


def is_asked(conn: Connection, household: Household) -> bool:
    """Whether a household may confirm its telephone."""
    fresh = household.state in OPEN_STATES and household.source == "online" and not household.verified_ms
    return fresh and bool(household.phone_masked) and read_count(conn, SMS_CODES, 0) > 0


def code_of(vault: Vault, compound_id: int, household_id: int, version: int) -> str:
    """The code a household was sent as its so-manieth."""
    drawn = hmac.new(
        vault.derive("phone-code").encode(), f"{compound_id}/{household_id}/{version}".encode(), hashlib.sha256
    ).digest()
    return f"{int.from_bytes(drawn[:8]) % 1_000_000:06d}"


def begin(writing: Writing, household_id: int) -> bool:
    """Let a new code count, whose notice the caller queues; the one before ends, sent or not. False where the telephone
    got enough by other households' codes: nothing goes out then, and the page does not tell, since it would tell that
    somebody applied with that number. Raises CentreError where this household, or the town, has asked too often."""
    mine = _this(writing, household_id)
    row = writing.conn.execute(select(tables.household).where(*mine)).one()
    since_ms = writing.now_ms - _HOUR_MS
    if writing.now_ms < row.code_ms + PAUSE_MS or _sent(writing, since_ms, *mine) >= MOST_OF_PHONE:
        raise CentreError(
            "刚发过验证码。请过一会儿再试，或直接到物业：申请不受影响。",
            "A code was sent a short while ago. Try again later, or ask the desk: your application stands.",
        )
    if _sent(writing, since_ms) >= read_count(writing.conn, SMS_CODES, 0):
        raise CentreError(
            "现在要验证码的人太多。请过一小时再试，或直接到物业：申请不受影响。",
            "Too many people ask for codes now. Try again in an hour, or ask the desk: your application stands.",
        )
    unsent = (_n.compound_id == writing.compound_id, _n.household_id == household_id, _n.kind == KIND, _n.sent_ms == 0)
    writing.conn.execute(tables.notice.delete().where(*unsent))
    _put(writing, household_id, code_version=row.code_version + 1, code_ms=writing.now_ms, code_tries=0)
    return _sent(writing, since_ms, _h.phone_mark == row.phone_mark) < MOST_OF_PHONE


def _sent(writing: Writing, since_ms: int, *whose: ColumnElement[bool]) -> int:
    """Codes since a moment in all compounds: of some households, or of all."""
    same = (_h.compound_id == _n.compound_id) & (_h.household_id == _n.household_id)
    wanted = select(func.count()).select_from(tables.notice.join(tables.household, same))
    return writing.conn.execute(wanted.where(_n.kind == KIND, _n.at_ms > since_ms, *whose)).scalar_one()


def check(writing: Writing, vault: Vault, household_id: int, written: str) -> tuple[Answer, int]:
    """Whether this is the code; if so the telephone is confirmed, and the household that gave way to it is returned, 0:
    none. A wrong one counts as a try; after five, or ten minutes, no code is right until another is sent."""
    row = writing.conn.execute(select(tables.household).where(*_this(writing, household_id))).one()
    if not row.code_version or row.code_tries >= MOST_TRIES or writing.now_ms >= row.code_ms + LASTS_MS:
        return "over", 0
    code = code_of(vault, writing.compound_id, household_id, row.code_version)
    digits = "".join(sign for sign in written if sign.isascii() and sign.isdigit())
    if not hmac.compare_digest(digits, code):
        _put(writing, household_id, code_tries=row.code_tries + 1)
        return "wrong", 0
    _put(writing, household_id, code_tries=MOST_TRIES)
    doubts.verify(writing, household_id)
    writing.audit("phone-confirmed", row.number, household_id)
    return "right", slots.make_room(writing, household_id)


def _this(writing: Writing, household_id: int) -> tuple[Any, ...]:
    return _h.compound_id == writing.compound_id, _h.household_id == household_id


def _put(writing: Writing, household_id: int, **values: int) -> None:
    writing.conn.execute(update(tables.household).where(*_this(writing, household_id)).values(**values))
