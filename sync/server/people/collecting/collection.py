"""At the desk: the cards of a household, handed over after three checks, taken back, stopped and made anew.

A hand-over activates the cards that were ticked; the others keep waiting. What is undone is never trusted again: every
card of the household gets a new serial and waits to be printed, no matter who holds the old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import Connection, and_, case, func, select

from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.writing import Centre, Writing
from sync.server.passes import passes
from sync.server.people import identity
from sync.server.people.collecting.finding import FoundHousehold, list_found
from sync.server.people.households import households, phone_pass, slots
from sync.server.people.households.households import Household, local_day

Check = Literal["identity", "letter", "route"]
CHECKS: tuple[Check, ...] = get_args(Check)
"""Identity seen, commitment signed, route of the 15 days gone through."""
Collector = Literal["applicant", "adult", "proxy"]
COLLECTORS: tuple[Collector, ...] = get_args(Collector)
Change = Literal["suspend", "resume", "revoke", "reissue"]
CHANGES: tuple[Change, ...] = get_args(Change)
GROWN_UP = 18
LONGEST_WHY = 200
MOST_LISTED = 200
_h, _pass, _c = (table.c for table in (tables.household, tables.pass_, tables.credential))


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A pass of somebody of the household, or of its car. ``card`` and ``phone`` are the states of its credentials in
    force, empty where there is none. ``person_id`` 0: a car's."""

    number: str
    kind: str
    state: str
    label: str
    plate: str
    short_code: str
    valid_until_ms: int
    person_id: int
    card: str = ""
    phone: str = ""

    @property
    def waiting(self) -> bool:
        """Printed or to be printed, and not collected."""
        return self.state in ("printed", "active") and self.card == "printed"

    @property
    def in_hand(self) -> bool:
        return self.state == "active" and self.card == "active"

    def shown(self, now_ms: int) -> str:
        """What people are told, as ``passes.shown_state`` does; a card that waits is not collected, whatever else the
        pass has in force."""
        if self.state in ("printed", "active") and now_ms >= self.valid_until_ms:
            return "expired"
        return "printed" if self.waiting else self.state


class HandOver(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked, and who takes which cards. ``name`` is a proxy's, or the adult's who came."""

    numbers: tuple[str, ...]
    checks: frozenset[str]
    collector: str = "applicant"
    name: str = ""


class Quarter(msgspec.Struct, frozen=True, kw_only=True):
    """A quarter of an hour: households expected in it, and what became of them so far."""

    at_ms: int
    expected: int
    collected: int
    unreviewed: int

    @property
    def waiting(self) -> int:
        return self.expected - self.collected


def cards_of(conn: Connection, compound_id: int, household_id: int) -> list[Card]:
    """Every pass of its people and vehicles, in the order of the form, cars last; visitors' are not among them."""
    people = households.people_of(conn, compound_id, household_id)
    vehicles = households.vehicles_of(conn, compound_id, household_id)
    owners = {person.pass_id: person.person_id for person in people if person.pass_id}
    owners |= {vehicle.pass_id: 0 for vehicle in vehicles if vehicle.pass_id}
    media: dict[int, dict[str, str]] = {pass_id: {} for pass_id in owners}
    mine = (_c.compound_id == compound_id, _c.pass_id.in_(list(owners)), _c.state.in_(("printed", "active")))
    for row in conn.execute(select(_c.pass_id, _c.medium, _c.state).where(*mine)):
        media[row.pass_id][row.medium] = row.state
    of_pass = (_pass.compound_id == compound_id, _pass.pass_id.in_(list(owners)))
    rows = {row["pass_id"]: row for row in conn.execute(select(tables.pass_).where(*of_pass)).mappings()}
    names = ("number", "kind", "state", "label", "plate", "short_code", "valid_until_ms")
    return [
        Card(
            person_id=person_id, card=media[pass_id].get("card", ""), phone=media[pass_id].get("phone", ""),
            **{name: rows[pass_id][name] for name in names},
        )
        for pass_id, person_id in owners.items()
        if pass_id in rows
    ]  # fmt: skip


def phones_of(conn: Connection, compound_id: int, household_id: int) -> dict[str, int]:
    """Pass number → since when some browser shows it."""
    of = tables.browser.c
    wanted = (
        select(_pass.number, func.max(of.since_ms))
        .join(tables.browser, and_(of.compound_id == _pass.compound_id, of.pass_id == _pass.pass_id))
        .where(_pass.compound_id == compound_id, _pass.household == household_id)
        .group_by(_pass.number)
    )
    return {row[0]: row[1] for row in conn.execute(wanted)}


def adults(people: Iterable[households.Person], today: date) -> list[households.Person]:
    """Who may collect for the household; whose day of birth is not known counts as grown up."""
    latest = f"{today.year - GROWN_UP:04d}-{today:%m-%d}"
    return [person for person in people if person.birth <= latest]


def missing_passes(conn: Connection, compound_id: int, household_id: int) -> int:
    """People and cars of an approved household that have no pass yet: a child born since."""
    place = (conn, compound_id, household_id)
    theirs = [person.pass_id for person in households.people_of(*place)]
    return [*theirs, *(vehicle.pass_id for vehicle in households.vehicles_of(*place))].count(0)


# Handing over


def hand_over(writing: Writing, household_id: int, given: HandOver) -> Household:
    """The ticked cards open from now on. Raises CentreError in the desk's words, with nothing changed."""
    household = households.get_household(writing.conn, writing.compound_id, household_id)
    if household.state != "approved":
        raise CentreError("这户还没有审核通过。", "This application is not approved yet.")
    if missing := [check for check in CHECKS if check not in given.checks]:
        raise CentreError(
            f"还没有核对：{'、'.join(_CHECK_WORDS[check][0] for check in missing)}。",
            f"Not ticked yet: {', '.join(_CHECK_WORDS[check][1] for check in missing)}.",
        )
    note = _collector(given)
    chosen = _waiting(writing, household_id, given.numbers)
    for number in chosen:
        passes.hand_over_in(writing, number)
    households.set_state(
        writing, household_id, collected_ms=household.collected_ms or writing.now_ms, collected_by=writing.by,
        collected_note=note,
    )  # fmt: skip
    writing.audit("collect", f"{household.number}: {', '.join(chosen)}", household_id, why=note)
    return households.get_household(writing.conn, writing.compound_id, household_id)


_CHECK_WORDS = {
    "identity": ("看过身份证件", "identity seen"),
    "letter": ("承诺书已签", "commitment signed"),
    "route": ("15天行程已核对", "route of 15 days checked"),
}


def _collector(given: HandOver) -> str:
    """``applicant``, ``adult 李芳`` or ``proxy 王强``. Raises CentreError."""
    if given.collector not in COLLECTORS:
        raise CentreError("请选择由谁领取。", "Choose who collects.")
    if given.collector == "applicant":
        return "applicant"
    try:
        return f"{given.collector} {identity.check_name(given.name)}"
    except CentreError as error:
        raise CentreError("请填写领取人的姓名。", "Write the name of who collects.") from error


def collector_of(note: str) -> tuple[str, str]:
    """(code, name) of who collected, from ``Household.collected_note``."""
    code, _, name = note.partition(" ")
    return code, name


def _waiting(writing: Writing, household_id: int, numbers: Sequence[str]) -> list[str]:
    """``numbers``, every one of them a card of this household that waits."""
    waiting = [card.number for card in cards_of(writing.conn, writing.compound_id, household_id) if card.waiting]
    chosen = [number for number in waiting if number in numbers]
    if not chosen or len(chosen) != len(set(numbers)):
        raise CentreError(
            "请至少勾选一张还没领的卡。" if not numbers else "有的卡刚被领走或变更，请再看一遍。",
            "Tick at least one card that has not been handed over." if not numbers else
            "Some of these cards were handed over or changed meanwhile. Look again.",
        )  # fmt: skip
    return chosen


def undo(writing: Writing, centre: Centre, household_id: int, why: str) -> Household:
    """Take today's hand-over back: old cards and phones are dead at once, new ones wait to be printed. Raises
    CentreError."""
    household = households.get_household(writing.conn, writing.compound_id, household_id)
    if not household.collected_ms or not _today(writing, household.collected_ms):
        raise CentreError("只能撤回今天的交付。", "Only a hand-over of today can be undone.")
    why = check_why(why)
    for card in cards_of(writing.conn, writing.compound_id, household_id):
        if card.in_hand:
            _again(writing, centre, card, printed=True)
    households.set_state(writing, household_id, collected_ms=0, collected_by="", collected_note="", printed_ms=0)
    writing.audit("collect-undo", household.number, household_id, why=why)
    return households.get_household(writing.conn, writing.compound_id, household_id)


def _today(writing: Writing, at_ms: int) -> bool:
    return local_day(writing.compound, at_ms) == local_day(writing.compound, writing.now_ms)


def check_why(words: str) -> str:
    """A reason, in one line. Raises CentreError."""
    why = identity.one_line(words)
    if not why or len(why) > LONGEST_WHY or not why.isprintable():
        raise CentreError(
            f"请写明原因，一行，最多{LONGEST_WHY}字。", f"Say why, in one line of at most {LONGEST_WHY} characters."
        )
    return why


# Stopping, and making anew


def change(writing: Writing, centre: Centre, household_id: int, what: str, numbers: Sequence[str]) -> list[str]:
    """Suspend, resume or revoke passes of one household, or make lost cards anew: those numbered, in one transaction.

    A card made anew has a new serial and is what the old one was; the old one is dead at once. Raises CentreError, and
    NoSuchThing for a pass of somebody else.
    """
    cards = {card.number: card for card in cards_of(writing.conn, writing.compound_id, household_id)}
    if any(number not in cards for number in numbers):
        raise NoSuchThing(en="That is no pass of this household.")
    if not numbers:
        raise CentreError("请至少勾选一张证。", "Tick at least one pass.")
    for number in dict.fromkeys(numbers):
        _change(writing, centre, what, cards[number])
    return list(dict.fromkeys(numbers))


def _change(writing: Writing, centre: Centre, what: str, card: Card) -> None:
    if what == "suspend":
        passes.suspend_in(writing, card.number)
    elif what == "resume":
        passes.resume_in(writing, card.number)
    elif what == "revoke":
        passes.revoke_in(writing, card.number)
    elif what == "reissue":
        passes.reissue_in(writing, centre, card.number, ("card",))
    else:
        raise CentreError("没有这种操作。", "There is no such change.")


def _again(writing: Writing, centre: Centre, card: Card, printed: bool) -> None:
    media: tuple[Any, ...] = ("card", "phone") if card.phone else ("card",)
    passes.reissue_in(writing, centre, card.number, media, printed)
    phone_pass.end_browser(writing, card.number)


def renew_lost_sheet(writing: Writing, centre: Centre, household_id: int) -> list[str]:
    """Printed cards that went missing before anybody collected them: new serials, the old ones are dead; their numbers.
    The new ones wait to be printed."""
    household = households.get_household(writing.conn, writing.compound_id, household_id)
    waiting = [card for card in cards_of(writing.conn, writing.compound_id, household_id) if card.waiting]
    for card in waiting:
        _again(writing, centre, card, printed=True)
    households.set_state(writing, household_id, printed_ms=0)
    writing.audit("sheet-lost", household.number, household_id)
    return [card.number for card in waiting]


# The day's queue


def quarters(conn: Connection, compound_id: int, from_ms: int, until_ms: int, desk_id: int = 0) -> list[Quarter]:
    """Every quarter of an hour somebody is expected in, of one desk or (0) of all."""
    collected = and_(_h.state == "approved", _h.collected_ms > 0)
    open_ = _h.state.in_(households.OPEN_STATES)
    wanted = (
        select(_h.slot_ms, func.count(), func.sum(case((collected, 1), else_=0)), func.sum(case((open_, 1), else_=0)))
        .where(_h.compound_id == compound_id, *_slot(conn, compound_id, from_ms, until_ms, desk_id))
        .group_by(_h.slot_ms)
        .order_by(_h.slot_ms)
    )
    return [
        Quarter(at_ms=at_ms, expected=expected, collected=int(taken), unreviewed=int(unreviewed))
        for at_ms, expected, taken, unreviewed in conn.execute(wanted)
    ]


def expected(conn: Connection, compound_id: int, from_ms: int, until_ms: int, desk_id: int = 0,
             missing: bool = False) -> tuple[FoundHousehold, ...]:  # fmt: skip
    """Households whose slot begins in a span, in its order; ``missing``: only those that have not collected."""
    which = and_(*_slot(conn, compound_id, from_ms, until_ms, desk_id))
    which = and_(which, _h.collected_ms == 0) if missing else which
    return list_found(conn, compound_id, which, _h.slot_ms, MOST_LISTED)


def _slot(conn: Connection, compound_id: int, from_ms: int, until_ms: int, desk_id: int) -> tuple[Any, ...]:
    desks = [desk_id] if desk_id else [desk.desk_id for desk in slots.list_desks(conn, compound_id)]
    return (
        _h.desk_id.in_(desks), _h.slot_ms >= from_ms, _h.slot_ms < until_ms, *slots.holds_place()
    )  # fmt: skip
