"""What is kept until when: a clock for every kind of record.

A clock counts days from something that happened: from a decision, from a visitor's day, from the end of the measure.
The town says when that was; as long as it has not, nothing that hangs on it is ever due. Dwellings, certificates of
what was deleted, and numbers without people in them stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, exists, func, or_, select

from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound, all_places, get_compound
from sync.server.centre.writing import Centre, Writing
from sync.server.passes.passes import read_time
from sync.server.people import identity
from sync.server.people.households.field_groups import ClockName
from sync.server.people.keeping import deleting
from sync.server.people.keeping.deleting import Counts, Keys, table_of
from sync.server.people.town_setting import MEASURE_END, put_setting, read_last_day, read_setting

KEEP = "keep"
"""The setting with the periods, as JSON: kind → days."""
LONGEST_DAYS = 3650
SHORTEST_DAYS = {"audit": 90, "export": 90}
"""Who opened whose record cannot be made to vanish at once."""
DAY_MS = 86_400_000
_FUTURE_MS = 1 << 60


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """What the town has set. ``measure_end`` is the last day of the measure, empty while it is in force."""

    measure_end: str
    days: Mapping[str, int]


class DueErasure(msgspec.Struct, frozen=True, kw_only=True):
    """One kind: how many are due now, and when the next one will be, 0: none, or nobody knows."""

    kind: str
    after: str
    days: int
    due: int = 0
    next_ms: int = 0


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """What a resident is told of one kind: it is kept ``days`` after ``after``; ``until`` is the last day where that is
    known. Words: ``keep.kind.KIND``, ``keep.after.AFTER``."""

    kind: str
    after: str
    days: int
    until: str


class Kind(NamedTuple):
    """``at`` says when the clock of a row began, in ms or as a local day; None: with the end of the measure. ``act``
    deletes those with these keys; ``weight``: how many rows each of them is about."""

    code: str
    after: str
    days: int
    keys: tuple[ColumnElement[Any], ...]
    act: Callable[[Writing, Keys], Counts]
    at: ColumnElement[Any] | None = None
    where: tuple[ColumnElement[bool], ...] = ()
    weight: int = 1

    @property
    def table(self) -> Table:
        return table_of(self.keys)


def _whole(code: str, after: str, days: int, *keys: ColumnElement[Any], at: ColumnElement[Any] | None = None,
           where: tuple[ColumnElement[bool], ...] = ()) -> Kind:  # fmt: skip
    """A kind whose rows go whole."""
    return Kind(code, after, days, keys, lambda writing, found: {code: deleting.rows(writing, keys, found)}, at, where)


_home = tables.household.c


def _theirs(table: Table, *which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a household has such a row."""
    mine = (table.c.compound_id == _home.compound_id, table.c.household_id == _home.household_id)
    return exists().where(*mine, *which)


_ENDED = ("cancelled", "moved")
_DECIDED = (*_ENDED, "approved", "not_here")


def _holds(clock: ClockName) -> ColumnElement[bool]:
    """Whether a household, its people or vehicles hold anything that this clock empties."""
    held = []
    for table, columns in deleting.emptied_columns(clock).items():
        filled = or_(*(column != deleting.empty_of(column) for column in columns))
        held.append(filled if table is tables.household else _theirs(table, filled))
    return or_(*held)


_NO_VISITOR = ~exists().where(
    tables.visitor.c.compound_id == tables.pass_.c.compound_id, tables.visitor.c.pass_id == tables.pass_.c.pass_id
)
_event = tables.event.c
ALL_KINDS: tuple[Kind, ...] = (
    _whole("draft", "touched", 7, tables.draft.c.draft_mark, at=tables.draft.c.updated_ms),
    Kind("household", "measure", 30, (_home.household_id,), deleting.households, weight=10),
    Kind("ended", "ended", 30, (_home.household_id,), deleting.households, _home.ended_ms,
          (_home.state.in_(_ENDED), _home.ended_ms > 0), 10),
    Kind("not_here", "decided", 30, (_home.household_id,), deleting.households, _home.decided_ms,
          (_home.state == "not_here", _home.sealed_objection == b""), 10),
    Kind("travel", "decided", 30, (_home.household_id,), deleting.travel, _home.decided_ms,
          (_home.state.in_(_DECIDED), _home.decided_ms > 0,
           _holds("travel"))),
    Kind("document", "measure", 30, (_home.household_id,), deleting.documents,
          where=(_holds("document"),)),
    Kind("signature", "measure", 30, (_home.household_id,), deleting.signatures,
          where=(_holds("signature"),)),
    Kind("visitor", "day", 30, (tables.visitor.c.visitor_id, tables.visitor.c.pass_id), deleting.visitors,
          tables.visitor.c.day),
    Kind("pass", "ends", 30, (tables.pass_.c.pass_id,),
          lambda writing, found: {"pass": deleting.passes(writing, [key.pass_id for key in found])},
          tables.pass_.c.valid_until_ms, (tables.pass_.c.household == 0, _NO_VISITOR)),
    _whole("notice", "sent", 7, tables.notice.c.notice_id, at=tables.notice.c.sent_ms,
           where=(tables.notice.c.sent_ms > 0,)),
    _whole("activation", "ends", 7, tables.activation.c.code_mark, at=tables.activation.c.ends_ms),
    _whole("upload", "happened", 1, tables.upload.c.upload_mark, at=tables.upload.c.at_ms),
    _whole("visit", "measure", 30, tables.visit.c.dwelling_id, tables.visit.c.visit_id),
    _whole("roster", "measure", 30, tables.roster.c.doc_mark),
    _whole("passage", "happened", 30, _event.device_id, _event.journal_id, _event.seq, at=_event.at_ms),
    _whole("quarantine", "happened", 30, tables.unreadable_event.c.device_id, tables.unreadable_event.c.journal_id,
           tables.unreadable_event.c.seq, at=tables.unreadable_event.c.received_ms),
    _whole("export", "happened", 180, tables.export.c.export_id, at=tables.export.c.at_ms),
    _whole("audit", "happened", 180, tables.audit.c.audit_id, at=tables.audit.c.at_ms),
)  # fmt: skip
KINDS = tuple(kind.code for kind in ALL_KINDS)
_RESIDENT = ("household", "ended", "travel", "document", "signature", "visitor", "notice", "passage", "audit", "draft")


# What the town has set


def read_periods(conn: Connection) -> Periods:
    """With the project's own periods where the town has set none."""
    chosen = msgspec.json.decode(read_setting(conn, KEEP) or "{}", type=dict[str, int])
    days = {kind.code: chosen.get(kind.code, kind.days) for kind in ALL_KINDS}
    return Periods(measure_end=read_last_day(conn, MEASURE_END), days=days)


def check_periods(periods: Periods) -> Periods:
    """With the day as it is kept. Raises CentreError for an invalid day or period."""
    for kind, days in periods.days.items():
        least = SHORTEST_DAYS.get(kind, 0)
        if kind not in KINDS or not least <= days <= LONGEST_DAYS:
            raise CentreError(
                f"这一项的期限是{least}至{LONGEST_DAYS}天。", f"This period is {least} to {LONGEST_DAYS} days."
            )
    day = identity.read_day(periods.measure_end).isoformat() if periods.measure_end else ""
    return msgspec.structs.replace(periods, measure_end=day)


def set_periods(centre: Centre, periods: Periods, by: str) -> None:
    """Raises CentreError for an invalid day or period; the change is recorded."""
    periods = check_periods(periods)
    with centre.store.write() as conn:
        old = read_periods(conn)
        put_setting(conn, MEASURE_END, periods.measure_end)
        put_setting(conn, KEEP, msgspec.json.encode(periods.days).decode())
        changed = [f"{kind} {days}" for kind, days in periods.days.items() if old.days[kind] != days]
        if old.measure_end != periods.measure_end:
            changed.insert(0, f"measure_end {periods.measure_end or '–'}")
        if changed:
            audit.note_town(conn, centre.now_ms(), by, "set-periods", ", ".join(changed))


# What is due


class _Place(NamedTuple):
    """Compounds of one timezone, by the town's periods, at one moment."""

    compound_ids: Sequence[int]
    timezone: str
    periods: Periods
    now_ms: int

    def rows(self, kind: Kind) -> tuple[ColumnElement[bool], ...]:
        return kind.table.c.compound_id.in_(self.compound_ids), *kind.where

    def over_ms(self, kind: Kind) -> int:
        """When what hangs on the end of the measure is due; far away while it is in force."""
        end = self.periods.measure_end
        return read_time(end, self.timezone, True) + self.periods.days[kind.code] * DAY_MS if end else _FUTURE_MS

    def began(self, kind: Kind) -> int | str:
        """Clocks that began then or before have run out."""
        days = self.periods.days[kind.code]
        if kind.after == "day":
            today = datetime.fromtimestamp(self.now_ms / 1000, ZoneInfo(self.timezone)).date()
            return (today - timedelta(days=days)).isoformat()
        return self.now_ms - days * DAY_MS

    def due(self, kind: Kind) -> ColumnElement[bool] | None:
        """Which rows are due; None: none at all. A gate's own clock may be wrong: what it says happened long after now
        is as old as nobody knows, and is due as well."""
        if kind.at is None:
            return and_(*self.rows(kind)) if self.now_ms >= self.over_ms(kind) else None
        over = kind.at <= self.began(kind)
        if kind.at is _event.at_ms:
            over |= kind.at > self.now_ms + self.periods.days[kind.code] * DAY_MS
        return and_(*self.rows(kind), over)


def keys_due(conn: Connection, kind: Kind, compound: Compound, periods: Periods, now_ms: int, most: int) -> Keys:
    """The keys of at most ``most`` rows that are due."""
    which = _Place([compound.compound_id], compound.timezone, periods, now_ms).due(kind) if most > 0 else None
    return [] if which is None else conn.execute(select(*kind.keys).where(which).limit(most)).all()


def look(conn: Connection, compounds: Sequence[Compound], periods: Periods, now_ms: int) -> list[DueErasure]:
    """Every kind in these compounds together."""
    zones: dict[str, list[int]] = {}
    for compound in compounds:
        zones.setdefault(compound.timezone, []).append(compound.compound_id)
    places = [_Place(ids, zone, periods, now_ms) for zone, ids in zones.items()]
    return [_look(conn, kind, places, periods.days[kind.code]) for kind in ALL_KINDS]


def due(centre: Centre, compound_ids: Sequence[int] = ()) -> list[DueErasure]:
    """What is due now in these compounds, or in all and the wider scopes. Raises NoSuchThing."""
    with centre.store.read() as conn:
        wanted = [get_compound(conn, one) for one in compound_ids] or all_places(conn)
        return look(conn, wanted, read_periods(conn), centre.now_ms())


def _look(conn: Connection, kind: Kind, places: Sequence[_Place], days: int) -> DueErasure:
    coming = [next_ms for next_ms in (_next_ms(conn, kind, place) for place in places) if next_ms]
    return DueErasure(
        kind=kind.code, after=kind.after, days=days, due=sum(_count(conn, kind, place) for place in places),
        next_ms=min(coming, default=0),
    )  # fmt: skip


def _count(conn: Connection, kind: Kind, place: _Place) -> int:
    which = place.due(kind)
    if which is None:
        return 0
    return conn.execute(select(func.count()).select_from(kind.table).where(which)).scalar_one()


def _next_ms(conn: Connection, kind: Kind, place: _Place) -> int:
    """When the next one will be due; 0: nobody knows, or there is none."""
    mine = place.rows(kind)
    if kind.at is None:
        over_ms = place.over_ms(kind)
        coming = place.now_ms < over_ms < _FUTURE_MS
        return over_ms if coming and conn.execute(select(kind.keys[0]).where(*mine).limit(1)).first() else 0
    first = conn.execute(select(func.min(kind.at)).where(*mine, kind.at > place.began(kind))).scalar()
    if first is None:
        return 0
    began_ms = read_time(first, place.timezone, False) if kind.after == "day" else int(first)
    return began_ms + place.periods.days[kind.code] * DAY_MS


def clocks(centre: Centre) -> list[Clock]:
    """What is kept of a resident, and until when."""
    with centre.store.read() as conn:
        periods = read_periods(conn)
    kinds = {kind.code: kind for kind in ALL_KINDS}
    return [_clock(kinds[code], periods) for code in _RESIDENT]


def _clock(kind: Kind, periods: Periods) -> Clock:
    days = periods.days[kind.code]
    known = kind.after == "measure" and periods.measure_end
    until = (date.fromisoformat(periods.measure_end) + timedelta(days=days)).isoformat() if known else ""
    return Clock(kind=kind.code, after=kind.after, days=days, until=until)
