"""Passes: issued, handed over, extended, suspended, revoked, reissued. Each is one transaction with its feed rows.

A pass has at most one card and one phone credential in force. The credential's own state says whether it is printed
(not collected), active, superseded or gone; ``suspended`` and ``revoked`` belong to the pass and cover both, so that a
resumed pass is again exactly what it was.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update
from sqlalchemy import delete as sql_delete

from sync.cache import SHORT_CODE_ALPHABET, SHORT_CODE_CHARACTERS, SIGNS, fold
from sync.credential import (
    EPOCH_MS,
    HOUR_MS,
    KIND_NUMBERS,
    STEP_MS,
    Credential,
    Medium,
    code_secret,
    not_before_step,
    sign_credential,
)
from sync.protocol import Terms, write_terms
from sync.server.centre import feed, tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.places import Lanes, get_compound, lanes_of
from sync.server.centre.writing import Centre, Writing, next_number
from sync.server.passes.compounds import extensions, signed_until, signing_key
from sync.server.passes.terms import check_terms, read_own
from sync.terms import LOOKS

PAGE_ROWS = 50
DEFAULT_VALIDITY_MS = 30 * 24 * HOUR_MS
_MAX_HOURS = 0xFFFF
_LONGEST_WORDS = 60
_DOUBLE_SURNAMES = ("欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "司徒", "令狐", "夏侯")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a new pass shall be. ``label`` is masked already (see ``masked``). Times are UTC milliseconds."""

    valid_from_ms: int
    valid_until_ms: int
    kind: str = "resident"
    label: str = ""
    dwelling: str = ""
    plate: str = ""
    household: int = 0
    lanes: tuple[str, ...] = ()
    terms: Terms = Terms()
    phone: bool = False
    active: bool = False
    """Handed over at once; otherwise printed, and opens nothing until it is collected."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as people see it."""

    scope: int
    serial: int
    medium: Medium
    state: str


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """A pass with the credentials it has had, newest first."""

    compound: int
    number: str
    kind: str
    state: str
    valid_from_ms: int
    valid_until_ms: int
    label: str
    dwelling: str
    plate: str
    short_code: str
    household: int
    attention: bool
    look: str
    lanes: str
    terms: str
    credentials: tuple[Issued, ...] = ()

    @property
    def own(self) -> Terms:
        """Its terms."""
        return read_own(self.terms)


class PhoneCode(msgspec.Struct, frozen=True):
    """What a phone needs to show a pass: the signed text and the TOTP secret (20 bytes)."""

    text: str
    secret: bytes


def masked(name: str) -> str:
    """Surname and ``*``: the most that leaves the centre. A text that is masked already stays as it is."""
    name = name.strip()
    if not name or "*" in name:
        return name
    return (name[:2] if name.startswith(_DOUBLE_SURNAMES) else name[:1]) + "*"


def read_time(words: str, timezone: str, end_of_day: bool) -> int:
    """UTC milliseconds of ``2026-12-31`` (its first or, with ``end_of_day``, last moment) or ``2026-12-31T18:00`` in
    a compound's local time. Raises CentreError."""
    zone = ZoneInfo(timezone)
    try:
        if len(words) <= len("2026-12-31"):
            day = date.fromisoformat(words) + timedelta(days=int(end_of_day))
            moment = datetime.combine(day, time.min, zone)
        else:
            moment = datetime.fromisoformat(words)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as err:
        raise CentreError(
            f"{words} 不是日期，请写成 2026-12-31。",
            f"{words!r} is not a date. Write it like 2026-12-31 or 2026-12-31T18:00.",
        ) from err


def shown_state(found: Pass, now_ms: int) -> str:
    """What people are told: the worst of a pass's state and its time. ``expired`` and ``not_yet_valid`` are no states
    of a pass; they come and go by themselves, at the very millisecond at which gates change their mind."""
    if found.state in ("revoked", "suspended"):
        return found.state
    if now_ms >= found.valid_until_ms:
        return "expired"
    if found.state == "active" and now_ms < found.valid_from_ms:
        return "not_yet_valid"
    return found.state


def compound_of(number: str) -> int:
    """The compound a pass number speaks of. Raises NoSuchThing for what is not a pass number."""
    compound, dash, rest = number.partition("-")
    digits = all(part.isascii() and part.isdigit() for part in (compound, rest))
    if not dash or not digits or len(number) > 20:
        raise NoSuchThing(en=f"{number!r} is not a pass number. One looks like 7-000123.")
    return int(compound)


# Issuing


def issue(centre: Centre, compound_id: int, order: Order, by: str) -> Pass:
    """A new pass. Raises CentreError for an unknown kind or a validity no credential can hold."""
    return issue_many(centre, compound_id, [order], by)[0]


def issue_many(centre: Centre, compound_id: int, orders: Sequence[Order], by: str) -> list[Pass]:
    """New passes in one transaction: all of them or none."""
    with centre.writing(compound_id, by) as writing:
        rows = issue_in(writing, centre, orders)
        return _get_passes(writing.conn, compound_id, [row["number"] for row in rows])


def issue_in(writing: Writing, centre: Centre, orders: Sequence[Order]) -> list[dict[str, Any]]:
    """As part of a transaction that does more; the new rows of ``pass``, in the order of ``orders``."""
    for order in orders:
        _check_order(order)
    _check_lanes(writing, {lane for order in orders for lane in order.lanes})
    first = next_number(writing.conn, writing.compound_id, "pass", len(orders))
    codes = _short_codes(writing.conn, writing.compound_id, len(orders))
    rows = [
        _pass_row(writing, order, pass_id, code)
        for pass_id, (order, code) in enumerate(zip(orders, codes, strict=True), first)
    ]
    writing.conn.execute(insert(tables.pass_), rows)
    both = zip(rows, orders, strict=True)
    wanted = [(row, medium, row["state"]) for row, order in both for medium in _media(order)]
    _add_credentials(writing, centre, wanted)
    writing.audit("issue", rows[0]["number"] if len(rows) == 1 else f"{rows[0]['number']} … {rows[-1]['number']}")
    return rows


def _check_order(order: Order) -> None:
    if order.kind not in KIND_NUMBERS:
        raise CentreError("没有这个类别。", f"There is no kind {order.kind!r}. Kinds are: {', '.join(KIND_NUMBERS)}.")
    if order.valid_until_ms <= order.valid_from_ms:
        raise CentreError("有效期的结束必须晚于开始。", "A pass must end after it begins.")
    check_terms(order.terms)
    shown = (order.label, order.dwelling, order.plate, *order.lanes)
    if not all(words.isprintable() and len(words) <= _LONGEST_WORDS for words in shown):
        raise CentreError(
            f"持证人、房号、车牌、通道各填一行，最多{_LONGEST_WORDS}字。",
            f"Holder, dwelling, plate and lane are one line of at most {_LONGEST_WORDS} characters.",
        )
    _validity(order.valid_from_ms, order.valid_until_ms)


class NoSuchLane(CentreError):
    """No gate of the compound has a lane of that name: the pass would open nothing."""


def _check_lanes(writing: Writing, lanes: Collection[str]) -> None:
    """Raises NoSuchLane, where every gate in service has told its lanes; before that nobody can tell."""
    if any("," in lane or not lane.strip() for lane in lanes):
        raise CentreError("通道名称不能空着，也不能含逗号。", "A lane's name is not empty and holds no comma.")
    known = lanes_of(writing.conn, writing.compound_id) if lanes else Lanes()
    missing = sorted(set(lanes) - set(known.names)) if known.checkable else []
    if missing:
        raise NoSuchLane(
            f"没有通道“{missing[0]}”。现有通道：{'、'.join(known.names)}。",
            f"There is no lane {missing[0]!r}. Lanes are: {', '.join(known.names)}.",
        )


def _validity(from_ms: int, until_ms: int) -> tuple[int, int]:
    """(10-minute step, hours) as a credential holds them."""
    try:
        step = not_before_step(from_ms)
    except ValueError as err:
        raise CentreError("有效期的开始不能早于2020年。", "A pass may begin between 2020 and 2338.") from err
    hours = -(-(until_ms - EPOCH_MS - step * STEP_MS) // HOUR_MS)
    if not 0 < hours <= _MAX_HOURS:
        raise CentreError("有效期最长7年，以后可以再延期。", "A pass may be good for at most 7 years; extend it later.")
    return step, hours


def _media(order: Order) -> tuple[Medium, ...]:
    return ("card", "phone") if order.phone else ("card",)


def _pass_row(writing: Writing, order: Order, pass_id: int, short_code: str) -> dict[str, Any]:
    return {
        "compound_id": writing.compound_id, "pass_id": pass_id, "number": f"{writing.compound_id}-{pass_id:06d}",
        "kind": order.kind, "state": "active" if order.active else "printed", "valid_from_ms": order.valid_from_ms,
        "valid_until_ms": order.valid_until_ms, "label": order.label, "dwelling": order.dwelling, "plate": order.plate,
        "short_code": short_code, "household": order.household, "attention": False, "lanes": ",".join(order.lanes),
        "terms": write_terms(order.terms),
        "created_ms": writing.now_ms,
    }  # fmt: skip


def _short_codes(conn: Connection, compound_id: int, count: int) -> list[str]:
    """New codes, unique in the compound, drawn so that none can be guessed from another."""
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        draft = {_draw() for _ in range(count - len(drawn))}
        for taken in _taken(conn, compound_id, sorted(draft)):
            draft.discard(taken)
        drawn |= dict.fromkeys(draft)
    return list(drawn)


def _draw() -> str:
    return "".join(secrets.choice(SHORT_CODE_ALPHABET) for _ in range(SHORT_CODE_CHARACTERS))


def _taken(conn: Connection, compound_id: int, codes: list[str]) -> Iterable[str]:
    columns = tables.pass_.c
    for at in range(0, len(codes), 500):
        found = select(columns.short_code).where(
            columns.compound_id == compound_id, columns.short_code.in_(codes[at : at + 500])
        )
        yield from conn.execute(found).scalars()


def _add_credentials(writing: Writing, centre: Centre, wanted: Sequence[tuple[Any, Medium, str]]) -> None:
    """New credentials for (pass row, medium, state), with new serials, unnumbered."""
    scope = writing.compound_id
    first = next_number(writing.conn, writing.compound_id, f"serial/{scope}", len(wanted))
    if first + len(wanted) > 1 << 32:
        raise CentreError("序号已用完，请联系技术人员。", "This scope has used up its serial numbers.")
    key_id, _ = signing_key(writing, centre, scope)
    rows = [
        _credential_row(writing, scope, serial, key_id, *entry) for serial, entry in enumerate(wanted, first)
    ]  # fmt: skip
    writing.conn.execute(insert(tables.credential), rows)
    writing.touch()


def _credential_row(writing: Writing, scope: int, serial: int, key_id: int, owner: Any, medium: Medium,
                    state: str) -> dict[str, Any]:  # fmt: skip
    step, hours = _validity(owner["valid_from_ms"], owner["valid_until_ms"])
    return {
        "compound_id": writing.compound_id, "scope": scope, "serial": serial, "pass_id": owner["pass_id"],
        "revision": 0, "medium": medium, "key_id": key_id, "kind": owner["kind"],
        "not_before_step": step, "validity_hours": hours,
        "random": secrets.randbelow(1 << 16), "state": state, "changed_ms": writing.now_ms,
    }  # fmt: skip


# Changing


def hand_over(centre: Centre, number: str, by: str) -> Pass:
    """printed → active: from now on it opens. Raises CentreError where it is not a printed one."""
    with centre.writing(compound_of(number), by) as writing:
        return hand_over_in(writing, number)


def hand_over_in(writing: Writing, number: str) -> Pass:
    """As part of a transaction that does more."""
    found = _get_pass(writing, number)
    _must_live(found)
    in_hand = update(tables.credential).where(*_of(writing, found), tables.credential.c.state == "printed")
    if not writing.conn.execute(in_hand.values(state="active", revision=0, changed_ms=writing.now_ms)).rowcount:
        raise CentreError(f"{number} 已经交付过了。", f"Pass {number} was handed over already.")
    _set(writing, found, state="active")
    return _done(writing, "hand-over", number)


class NeedsReissue(CentreError):
    """Gates would not honour that end with what was signed: the pass needs new credentials."""


def extend(centre: Centre, number: str, until_ms: int, by: str, reissue: bool = False) -> Pass:
    """Give a pass another end, later or earlier; its card stays as it is. ``reissue``: a credential that was signed too
    long ago for gates to honour that end is replaced; without it NeedsReissue is raised. Raises CentreError."""
    with centre.writing(compound_of(number), by) as writing:
        found = _get_pass(writing, number)
        if until_ms <= found["valid_from_ms"]:
            raise CentreError("有效期的结束必须晚于开始。", "A pass must end after it begins.")
        _must_not_be_revoked(found)
        ends = _honoured_ends(writing, found)
        late = [medium for medium, end in ends.items() if end < until_ms]
        if late and not reissue:
            raise _needs_reissue(writing, min(ends.values()))
        _set(writing, found, valid_until_ms=until_ms)
        if late:
            reissue_in(writing, centre, number, late)
        return _done(writing, "extend", number)


def _honoured_ends(writing: Writing, found: Any) -> dict[Medium, int]:
    """Until when gates would honour each credential in force, whatever the list says (UTC milliseconds)."""
    columns = tables.credential.c
    live = select(columns.medium, signed_until(columns)).where(*_of(writing, found), _live(columns))
    more = extensions(writing.conn, writing.compound)[found["kind"]]
    return {medium: end + more for medium, end in writing.conn.execute(live)}


def _needs_reissue(writing: Writing, latest_ms: int) -> NeedsReissue:
    zone = ZoneInfo(writing.compound.timezone)
    latest = datetime.fromtimestamp(latest_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")
    return NeedsReissue(
        f"原来的码最多延到{latest}。要更久，请换新证。",
        f"The present code can be extended to {latest} at most. For longer the pass needs a new one.",
    )


def suspend(centre: Centre, number: str, by: str) -> Pass:
    """Stop a pass for a while. Raises CentreError where it is not in force."""
    with centre.writing(compound_of(number), by) as writing:
        return suspend_in(writing, number)


def suspend_in(writing: Writing, number: str) -> Pass:
    """As part of a transaction that does more."""
    found = _get_pass(writing, number)
    _must_live(found)
    _set(writing, found, state="suspended")
    return _done(writing, "suspend", number)


def resume(centre: Centre, number: str, by: str) -> Pass:
    """A suspended pass becomes what it was before: active, or printed and not collected."""
    with centre.writing(compound_of(number), by) as writing:
        return resume_in(writing, number)


def resume_in(writing: Writing, number: str) -> Pass:
    """As part of a transaction that does more."""
    found = _get_pass(writing, number)
    if found["state"] != "suspended":
        raise CentreError(f"{number} 没有暂停。", f"Pass {number} is not suspended.")
    _set(writing, found, state=_in_hand(writing, found))
    return _done(writing, "resume", number)


def _in_hand(writing: Writing, owner: Any) -> str:
    """``active`` where a credential in force was handed over, ``printed`` where all of them wait."""
    active = select(tables.credential.c.serial).where(*_of(writing, owner), tables.credential.c.state == "active")
    return "active" if writing.conn.execute(active).first() else "printed"


def revoke(centre: Centre, number: str, by: str) -> Pass:
    """End a pass for good: its credentials never open again. Raises CentreError where it is revoked already."""
    with centre.writing(compound_of(number), by) as writing:
        return revoke_in(writing, number)


def revoke_in(writing: Writing, number: str) -> Pass:
    """As part of a transaction that does more."""
    found = _get_pass(writing, number)
    _must_not_be_revoked(found)
    _set(writing, found, state="revoked")
    return _done(writing, "revoke", number)


def delete(centre: Centre, number: str, by: str) -> None:
    """Forget a pass: its row goes, its credentials become tombstones that take it off every gate's list."""
    with centre.writing(compound_of(number), by) as writing:
        found = _get_pass(writing, number)
        tombstone = {"state": "gone", "pass_id": None, "revision": 0, "changed_ms": writing.now_ms}
        writing.conn.execute(update(tables.credential).where(*_of(writing, found)).values(**tombstone))
        columns = tables.pass_.c
        mine = (columns.compound_id == writing.compound_id, columns.pass_id == found["pass_id"])
        writing.conn.execute(sql_delete(tables.pass_).where(*mine))
        writing.touch()
        writing.audit("delete", number)


def prune(centre: Centre, compound_id: int, before_ms: int) -> int:
    """Drop tombstones older than a time; how many. A gate that has not asked since takes a snapshot."""
    with centre.store.write() as conn:
        return feed.prune(conn, compound_id, before_ms)


def set_attention(centre: Centre, number: str, attention: bool, by: str, look: str = "") -> Pass:
    """Ask the guard to look twice at this pass, or no longer. ``look``: for what, of :data:`sync.terms.LOOKS`; where
    it is empty the guard is not told. Raises CentreError for another word."""
    with centre.writing(compound_of(number), by) as writing:
        return set_attention_in(writing, number, attention, look)


def set_attention_in(writing: Writing, number: str, attention: bool, look: str = "") -> Pass:
    """As part of a transaction that does more. The record of deeds has the code as its reason."""
    if look and look not in LOOKS:
        raise CentreError(
            "请从列表里选保安要看什么。", f"Guards can be asked to look for {', '.join(LOOKS)}, not for {look!r}."
        )
    look = look if attention else ""
    _set(writing, _get_pass(writing, number), attention=attention, look=look)
    return _done(writing, "attention", number, look) if attention else _done(writing, "no-attention", number)


def set_terms(centre: Centre, number: str, terms: Terms, by: str) -> Pass:
    """Give a pass other terms of its own; its card stays as it is. Raises CentreError."""
    return limit(centre, number, terms, None, by)


def set_lanes(centre: Centre, number: str, lanes: Sequence[str], by: str) -> Pass:
    """Limit a pass to some lanes; none: it may use all. Raises CentreError, NoSuchLane for one that no gate has."""
    return limit(centre, number, None, lanes, by)


def limit(centre: Centre, number: str, terms: Terms | None, lanes: Sequence[str] | None, by: str) -> Pass:
    """Both at once; None leaves what it has. What changes nothing is not recorded."""
    check_terms(terms or Terms())
    with centre.writing(compound_of(number), by) as writing:
        found = _get_pass(writing, number)
        _must_not_be_revoked(found)
        _check_lanes(writing, set(lanes or ()) - set(found["lanes"].split(",")))
        wanted = {} if terms is None else {"terms": write_terms(terms)}
        wanted |= {} if lanes is None else {"lanes": ",".join(lanes)}
        changed = {name: value for name, value in wanted.items() if found[name] != value}
        if changed:
            _set(writing, found, **changed)
        for name in changed:
            _done(writing, f"set-{name}", number)
        return _get_passes(writing.conn, writing.compound_id, [number])[0]


def passes_without_lane(conn: Connection, compound_id: int) -> list[tuple[str, int]]:
    """(lane, passes limited to it) of lanes that no gate has any more; none where that cannot be told."""
    known, columns = lanes_of(conn, compound_id), tables.pass_.c
    if not known.checkable:
        return []
    wanted = select(columns.lanes, func.count()).where(
        columns.compound_id == compound_id, columns.lanes != "", columns.state != "revoked"
    )
    missing: Counter[str] = Counter()
    for lanes, count in conn.execute(wanted.group_by(columns.lanes)):
        missing.update(dict.fromkeys(set(lanes.split(",")) - set(known.names), count))
    return sorted(missing.items())


def reissue(centre: Centre, number: str, media: Sequence[Medium], by: str, printed: bool = False) -> Pass:
    """New credentials with new serials in place of those in force; the old ones are superseded in the same
    transaction. ``printed``: the new ones wait for hand-over; otherwise they are what the old ones were.

    A medium the pass does not have yet is added. Raises CentreError.
    """
    with centre.writing(compound_of(number), by) as writing:
        return reissue_in(writing, centre, number, media, printed)


def reissue_in(writing: Writing, centre: Centre, number: str, media: Sequence[Medium], printed: bool = False) -> Pass:
    """As part of a transaction that does more."""
    found = _get_pass(writing, number)
    _must_not_be_revoked(found)
    columns = tables.credential.c
    old = writing.conn.execute(
        select(columns.serial, columns.medium, columns.state).where(*_of(writing, found), _live(columns))
    ).all()
    states = {credential.medium: credential.state for credential in old}
    default = "active" if "active" in states.values() else "printed"
    gone = update(tables.credential).where(*_of(writing, found), _live(columns), columns.medium.in_(media))
    writing.conn.execute(gone.values(state="superseded", revision=0, changed_ms=writing.now_ms))
    wanted = [(found, medium, "printed" if printed else states.get(medium, default)) for medium in media]
    _add_credentials(writing, centre, wanted)
    if printed and found["state"] == "active":
        _set(writing, found, state=_in_hand(writing, found))
    return _done(writing, f"reissue-{'-'.join(media)}", number)


def _live(columns: Any) -> Any:
    return columns.state.in_(("printed", "active"))


def _of(writing: Writing, owner: Any) -> tuple[Any, ...]:
    columns = tables.credential.c
    return columns.compound_id == writing.compound_id, columns.pass_id == owner["pass_id"]


def _set(writing: Writing, owner: Any, **values: Any) -> None:
    """Change a pass, and tell the gates about its credentials in force."""
    columns = tables.pass_.c
    mine = (columns.compound_id == writing.compound_id, columns.pass_id == owner["pass_id"])
    writing.conn.execute(update(tables.pass_).where(*mine).values(**values))
    live = update(tables.credential).where(*_of(writing, owner), _live(tables.credential.c))
    writing.conn.execute(live.values(revision=0))
    writing.touch()


def _done(writing: Writing, what: str, number: str, why: str = "") -> Pass:
    done = _get_passes(writing.conn, writing.compound_id, [number])[0]
    writing.audit(what, number, done.household, why)
    return done


def _must_live(found: Any) -> None:
    _must_not_be_revoked(found)
    if found["state"] == "suspended":
        raise CentreError(
            f"{found['number']} 已暂停，请先恢复。", f"Pass {found['number']} is suspended; resume it first."
        )


def _must_not_be_revoked(found: Any) -> None:
    if found["state"] == "revoked":
        raise CentreError(
            f"{found['number']} 已注销，请另办新证。", f"Pass {found['number']} is revoked for good; issue a new one."
        )


# Reading


def _get_pass(writing: Writing, number: str) -> Any:
    columns = tables.pass_.c
    found = select(tables.pass_).where(columns.compound_id == writing.compound_id, columns.number == number)
    if writing.conn.dialect.name == "postgresql":
        found = found.with_for_update()
    row = writing.conn.execute(found).mappings().first()
    if row is None:
        raise NoSuchThing(en=f"There is no pass {number}.")
    return row


def get_pass(centre: Centre, number: str) -> Pass:
    """Raises NoSuchThing."""
    compound_id = compound_of(number)
    with centre.store.read() as conn:
        found = _get_passes(conn, compound_id, [number])
    if not found:
        raise NoSuchThing(en=f"There is no pass {number}.")
    return found[0]


def _folded(column: ColumnElement[str]) -> ColumnElement[str]:
    for sign in SIGNS:
        column = func.replace(column, sign, "")
    return func.upper(column)


def read_passes(conn: Connection, compound_id: int, numbers: Sequence[str]) -> list[Pass]:
    """Passes of one compound in the order of ``numbers``; those that do not exist are left out."""
    return _get_passes(conn, compound_id, numbers)


def find_passes(centre: Centre, compound_id: int, term: str, page: int = 1) -> tuple[list[Pass], bool]:
    """Passes issued in one compound whose number, dwelling or plate begins with ``term`` (as :func:`sync.cache.fold`
    makes it), or whose short code it is, by number, 50 a page; and whether there are more."""
    columns = tables.pass_.c
    found = select(columns.number).where(columns.compound_id == compound_id, columns.home == 0)
    if term.strip():
        wanted = fold(term)
        begins = (_folded(c).startswith(wanted) for c in (columns.number, columns.dwelling, columns.plate) if wanted)
        found = found.where(or_(columns.short_code == wanted, *begins))
    found = found.order_by(columns.pass_id.desc()).limit(PAGE_ROWS + 1).offset((max(1, page) - 1) * PAGE_ROWS)
    with centre.store.read() as conn:
        numbers = list(conn.execute(found).scalars())
        return _get_passes(conn, compound_id, numbers[:PAGE_ROWS]), len(numbers) > PAGE_ROWS


def _get_passes(conn: Connection, compound_id: int, numbers: Sequence[str]) -> list[Pass]:
    """In the order of ``numbers``; those that do not exist are left out."""
    found: dict[str, Pass] = {}
    for at in range(0, len(numbers), 500):
        found |= {p.number: p for p in _some_passes(conn, compound_id, numbers[at : at + 500])}
    return [found[number] for number in numbers if number in found]


def _some_passes(conn: Connection, compound_id: int, numbers: Sequence[str]) -> Iterable[Pass]:
    of_pass, of_credential = tables.pass_.c, tables.credential.c
    rows = conn.execute(
        select(tables.pass_).where(of_pass.compound_id == compound_id, of_pass.number.in_(numbers))
    ).mappings().all()  # fmt: skip
    credentials: dict[int, list[Issued]] = {row["pass_id"]: [] for row in rows}
    of_these = select(tables.credential).where(
        of_credential.compound_id == compound_id, of_credential.pass_id.in_(list(credentials))
    )
    for c in conn.execute(of_these.order_by(of_credential.serial.desc())):
        credentials[c.pass_id].append(Issued(scope=c.scope, serial=c.serial, medium=c.medium, state=c.state))
    for row in rows:
        fields = {name: row[name] for name in Pass.__struct_fields__ if name not in ("compound", "credentials")}
        yield Pass(compound=compound_id, credentials=tuple(credentials[row["pass_id"]]), **fields)


def credential_text(centre: Centre, number: str, medium: Medium) -> str:
    """The 122 characters of a pass's credential in force: signed again, and exactly the same, since it is not kept.

    Raises NoSuchThing where the pass has none. Never log it.
    """
    compound_id = compound_of(number)
    columns, keys, of_pass = tables.credential.c, tables.signing_key.c, tables.pass_.c
    wanted = (
        select(tables.credential, keys.sealed_seed)
        .join(tables.pass_, (of_pass.compound_id == columns.compound_id) & (of_pass.pass_id == columns.pass_id))
        .join(
            tables.signing_key,
            (keys.compound_id == columns.compound_id) & (keys.scope == columns.scope) & (keys.key_id == columns.key_id),
        )
        .where(columns.compound_id == compound_id, of_pass.number == number, columns.medium == medium, _live(columns))
    )
    with centre.store.read() as conn:
        row = conn.execute(wanted).mappings().first()
    if row is None:
        raise NoSuchThing(en=f"Pass {number} has no {medium} in force.")
    fields = ("kind", "medium", "key_id", "scope", "serial", "not_before_step", "validity_hours", "random")
    credential = Credential(**{name: row[name] for name in fields})
    return sign_credential(credential, centre.vault.unseal(row["sealed_seed"]))


def phone_code(centre: Centre, number: str, by: str) -> PhoneCode:
    """What a phone needs to show this pass; the look is recorded. Raises NoSuchThing."""
    code = read_phone_code(centre, number)
    with centre.writing(compound_of(number), by) as writing:
        writing.audit("phone-code", number, _get_pass(writing, number)["household"])
    return code


def read_phone_code(centre: Centre, number: str) -> PhoneCode:
    """Without a record, for a page that was recorded when it was opened."""
    shown = credential_text(centre, number, "phone")
    compound_id = compound_of(number)
    with centre.store.read() as conn:
        compound = get_compound(conn, compound_id)
        credentials = _get_passes(conn, compound_id, [number])[0].credentials
    serial = next(c.serial for c in credentials if c.medium == "phone" and c.state in ("printed", "active"))
    return PhoneCode(shown, code_secret(centre.vault.unseal(compound.sealed_code_key), serial))
