"""Visitors a household invites: a pass for one day, for which the household answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, func, insert, select

from sync.protocol import Terms
from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.writing import Centre, Writing, next_number
from sync.server.passes import passes
from sync.server.passes.passes import Order
from sync.server.passes.terms import check_terms, read_window
from sync.server.people import identity
from sync.server.people.households.changes import must_be_able
from sync.server.people.households.households import Household, local_day

MOST_A_DAY = 3
DAYS_AHEAD = 7
ENTRIES = ("", "1", "2", "3")
"""What a household may choose; empty: any number of that day."""
ANY = Terms()
"""No terms of its own."""
_MOST_MADE_A_DAY = 10
"""Made, cancelled ones too: every one of them goes to all gates."""


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """An invited visitor. ``state`` is the pass's: active, revoked (cancelled), suspended."""

    label: str
    plate: str
    day: str
    number: str
    short_code: str
    state: str
    valid_until_ms: int
    terms: str


def visit_terms(entries: str, begins: str, ends: str) -> Terms:
    """What a household chose on its form: how often, and between which times of the day; empty: any. Raises
    CentreError."""
    if entries not in ENTRIES:
        raise CentreError("请选择进门次数。", "Choose how often.")
    try:
        hours = (read_window(f"{begins}-{ends}"),) if begins or ends else ()
        terms = Terms(hours, int(entries or 0))
        check_terms(terms)
    except CentreError as err:
        raise CentreError("时间两个都填，如08:00到12:00。", "Write both times, like 08:00 and 12:00.") from err
    return terms


def invite(
    writing: Writing, centre: Centre, household: Household, name: str, plate: str, day: str, terms: Terms = ANY
) -> Visitor:
    """A visitor's pass, good on that day of the compound from midnight to midnight. Of the name surname and ``*`` are
    kept. Raises CentreError."""
    must_be_able(household, "visitor")
    if household.observed_until_ms > writing.now_ms:
        raise CentreError("居家观察结束后才能邀请访客。", "Visitors can be invited when your home quarantine is over.")
    label = passes.masked(identity.check_name(name))
    plate = identity.check_plate(plate) if plate.strip() else ""
    coming = _coming(writing, day)
    _must_be_few(writing, household, coming)
    order = Order(
        kind="visitor", label=label, plate=plate, terms=terms,
        dwelling=household.dwelling, household=household.household_id,
        valid_from_ms=passes.read_time(coming, writing.compound.timezone, end_of_day=False),
        valid_until_ms=passes.read_time(coming, writing.compound.timezone, end_of_day=True), active=True,
    )  # fmt: skip
    made = passes.issue_in(writing, centre, [order])[0]
    row = {
        "compound_id": writing.compound_id, "household_id": household.household_id,
        "visitor_id": next_number(writing.conn, writing.compound_id, "visitor"), "label": label, "plate": plate,
        "day": coming, "pass_id": made["pass_id"], "created_ms": writing.now_ms,
    }  # fmt: skip
    writing.conn.execute(insert(tables.visitor).values(row))
    writing.audit("invite", made["number"], household.household_id)
    return get_visitor(writing.conn, household, made["number"])


def _coming(writing: Writing, words: str) -> str:
    day, today = identity.read_day(words), local_day(writing.compound, writing.now_ms)
    if not today <= day <= today + timedelta(days=DAYS_AHEAD):
        raise CentreError(
            f"请选择今天起{DAYS_AHEAD}天内的日期。", f"Choose a day from today to {DAYS_AHEAD} days ahead."
        )
    return day.isoformat()


def _must_be_few(writing: Writing, household: Household, day: str) -> None:
    that_day = [one for one in visitors_of(writing.conn, household) if one.day == day and one.state != "revoked"]
    columns = tables.visitor.c
    made = select(func.count()).where(
        columns.compound_id == household.compound_id, columns.household_id == household.household_id,
        columns.created_ms > writing.now_ms - 86_400_000,
    )  # fmt: skip
    if len(that_day) >= MOST_A_DAY or writing.conn.execute(made).scalar_one() >= _MOST_MADE_A_DAY:
        raise CentreError(
            f"每天最多{MOST_A_DAY}位访客，更多请到值班室登记。",
            f"At most {MOST_A_DAY} visitors a day; for more see the guard.",
        )


def cancel(writing: Writing, household: Household, number: str) -> Visitor:
    """The pass no longer opens anything. Raises NoSuchThing, CentreError where it is cancelled already."""
    visitor = get_visitor(writing.conn, household, number)
    passes.revoke_in(writing, visitor.number)
    writing.audit("uninvite", visitor.number, household.household_id)
    return get_visitor(writing.conn, household, number)


def get_visitor(conn: Connection, household: Household, number: str) -> Visitor:
    """By the number of the pass. Raises NoSuchThing."""
    found = _read(conn, household, [tables.pass_.c.number == number])
    if not found:
        raise NoSuchThing(en="There is no such visitor.")
    return found[0]


def visitors_of(conn: Connection, household: Household) -> list[Visitor]:
    """Everybody a household has invited, the last day first."""
    return _read(conn, household, [])


def coming(found: Sequence[Visitor], today: date) -> list[Visitor]:
    """Those of today and later that are not cancelled, the next first."""
    return sorted(
        (one for one in found if one.day >= today.isoformat() and one.state != "revoked"), key=lambda one: one.day
    )


def _read(conn: Connection, household: Household, which: Sequence[ColumnElement[bool]]) -> list[Visitor]:
    of, passed = tables.visitor.c, tables.pass_.c
    wanted = (
        select(of.label, of.plate, of.day, passed.number, passed.short_code, passed.state,
               passed.valid_until_ms, passed.terms)
        .join(tables.pass_, (passed.compound_id == of.compound_id) & (passed.pass_id == of.pass_id))
        .where(of.compound_id == household.compound_id, of.household_id == household.household_id, *which)
        .order_by(of.day.desc(), of.visitor_id.desc())
    )  # fmt: skip
    return [Visitor(**row) for row in conn.execute(wanted).mappings()]
