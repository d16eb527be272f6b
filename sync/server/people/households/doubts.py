"""Which applications may be a stranger's bulk, and what follows for the slot; no application is refused for it.

What limits is a place at the desk, never the application. A household that is doubted gets the same pages as any other,
and its time: whether a telephone number applied, or who lives in a dwelling, is not to be found out by applying. Only
that this very browser has applied too often is told, since it knows that itself.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from sync.server.centre import tables
from sync.server.centre.writing import Writing
from sync.server.people.households import slots
from sync.server.people.town_setting import SMS_CODES, read_count

Sign = Literal["applied_again", "phone_many", "dwelling_many", "browser_many", "together", "unverified"]
SIGNS: tuple[Sign, ...] = get_args(Sign)
"""The gravest first, as they are written down: the same telephone for the same dwelling; too many open ones of a
telephone, dwelling or browser; one dwelling from one address; no confirmed telephone where the town confirms them."""
MOST_OF_PHONE = 5
"""Open applications: whoever helps old neighbours is honest."""
MOST_OF_DWELLING = 4
"""Applications nobody has looked at: people who share a flat, a family and the tenant before them."""
MOST_OF_BROWSER = 5
WITHOUT_PLACE: tuple[Sign, ...] = ("applied_again", "phone_many", "dwelling_many", "browser_many")
"""With one of these a household's time takes no place."""
_OPEN = ("applied", "correct", "observe")
_MOST_LOOKED_AT = 100
_h = tables.household.c


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Whence a form was sent, as keyed hashes; empty where that says nothing, as for a form on paper."""

    browser: str = ""
    address: str = ""


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """Open applications that stand before one: of its telephone and dwelling, its telephone, its dwelling, its browser.
    ``together``: whether another one came for the same dwelling from the same address."""

    same: int = 0
    phone: int = 0
    dwelling: int = 0
    browser: int = 0
    together: bool = False


def judge(company: Company, verified: bool, codes_asked: bool) -> tuple[Sign, ...]:
    """What speaks against an application, the gravest first. A confirmed telephone answers for all but its own
    number of applications."""
    speaks: dict[Sign, bool] = {
        "applied_again": company.same > 0,
        "phone_many": company.phone >= MOST_OF_PHONE,
        "dwelling_many": company.dwelling >= MOST_OF_DWELLING and not verified,
        "browser_many": company.browser >= MOST_OF_BROWSER and not verified,
        "together": company.together and not verified,
        "unverified": codes_asked and not verified,
    }
    return tuple(sign for sign in SIGNS if speaks[sign])


def doubt_of(signs: tuple[Sign, ...]) -> int:
    """As ``household.doubt`` has it."""
    if any(sign in WITHOUT_PLACE for sign in signs):
        return slots.NO_PLACE
    return slots.GIVES_WAY if signs else slots.FIRM


def look(writing: Writing, household_id: int) -> tuple[Sign, ...]:
    """Judge an application that nobody has decided on, and write down what was found. Forms on paper passed through the
    office's hands and are never doubted, nor is anything once somebody has looked at it."""
    row = writing.conn.execute(select(tables.household).where(*_this(writing, household_id))).one()
    if row.source == "paper" or row.decided_ms or row.state not in _OPEN:
        return ()
    signs = judge(_company(writing, row), row.verified_ms > 0, read_count(writing.conn, SMS_CODES, 0) > 0)
    found = {"doubt": doubt_of(signs), "signs": ",".join(signs)}
    writing.conn.execute(update(tables.household).where(*_this(writing, household_id)).values(**found))
    if "together" in signs:
        _mark_together(writing, row)
    return signs


def verify(writing: Writing, household_id: int) -> None:
    """Note that a household's telephone is its own, and judge it anew, and with it those of the same number."""
    this = _this(writing, household_id)
    writing.conn.execute(update(tables.household).where(*this).values(verified_ms=writing.now_ms))
    mine = writing.conn.execute(select(_h.phone_mark).where(*this)).scalar_one()
    same = (_h.compound_id == writing.compound_id, _h.phone_mark == mine, _h.state.in_(_OPEN))
    theirs = select(_h.household_id).where(*same, _h.household_id != household_id).order_by(_h.household_id)
    for one in (household_id, *writing.conn.execute(theirs.limit(_MOST_LOOKED_AT)).scalars().all()):
        look(writing, one)


def may_choose(signs: str) -> bool:
    """Whether a household may choose a time, by ``household.signs``. From a browser that applied too often it comes
    without one."""
    return "browser_many" not in signs.split(",")


def of_strangers(conn: Connection) -> int:
    """How much anybody who has only filled a form in is doubted: for what the form offers, the same for everybody."""
    return slots.GIVES_WAY if read_count(conn, SMS_CODES, 0) else slots.FIRM


def first_of(conn: Connection, compound_id: int, household_id: int) -> int:
    """The first open application of the same telephone and dwelling; 0 where it is this one."""
    this = (_h.compound_id == compound_id, _h.household_id == household_id)
    row = conn.execute(select(tables.household).where(*this)).one()
    same = (_h.compound_id == compound_id, _h.phone_mark == row.phone_mark, _h.phone_mark != b"", _h.state.in_(_OPEN))
    wanted = select(_h.household_id).where(*same, _home(row), _h.household_id < household_id)
    return conn.execute(wanted.order_by(_h.household_id).limit(1)).scalar() or 0


def settled() -> dict[str, Any]:
    """What a row has once somebody decided on the application."""
    return {"doubt": slots.FIRM, "signs": "", "browser_mark": "", "address_mark": ""}


def _this(writing: Writing, household_id: int) -> tuple[ColumnElement[bool], ...]:
    return _h.compound_id == writing.compound_id, _h.household_id == household_id


def _company(writing: Writing, row: Any) -> Company:
    before = or_(_h.verified_ms > 0, _h.household_id < row.household_id)
    if row.verified_ms:
        before = and_(_h.verified_ms > 0, _h.household_id < row.household_id)
    unseen = and_(_h.state == "applied", _h.decided_ms == 0)

    def count(*which: ColumnElement[bool]) -> int:
        others = (_h.compound_id == writing.compound_id, _h.household_id != row.household_id, *which)
        return writing.conn.execute(select(func.count()).select_from(tables.household).where(*others)).scalar_one()

    phone = and_(_h.phone_mark == row.phone_mark, _h.state.in_(_OPEN))
    return Company(
        same=count(phone, _home(row), before) if row.phone_mark else 0,
        phone=count(phone, before) if row.phone_mark else 0,
        dwelling=count(_home(row), unseen, before),
        browser=count(_h.browser_mark == row.browser_mark, unseen, before) if row.browser_mark else 0,
        together=bool(row.address_mark) and count(_home(row), unseen, _h.address_mark == row.address_mark) > 0,
    )


def _home(row: Any) -> ColumnElement[bool]:
    """The same room of the register; outside it, the same words."""
    same = _h.dwelling_id == row.dwelling_id
    return same if row.dwelling_id else and_(same, _h.dwelling == row.dwelling)


def _mark_together(writing: Writing, row: Any) -> None:
    """The others of the dwelling and address, who came when this did not speak against them yet."""
    others = (_h.compound_id == writing.compound_id, _home(row), _h.address_mark == row.address_mark)
    unseen = (_h.state == "applied", _h.decided_ms == 0, _h.verified_ms == 0)
    for before, after in (("", "together"), ("unverified", "together,unverified")):
        marked = update(tables.household).where(*others, *unseen, _h.signs == before)
        writing.conn.execute(marked.values(doubt=slots.GIVES_WAY, signs=after))
