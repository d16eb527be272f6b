"""One application as the officer sees it, and what the officer decides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, delete, select

from sync.server.centre import audit, sealing, tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Centre, Writing
from sync.server.passes.passes import read_time
from sync.server.people.dwellings.dwellings import Dwelling, get_dwelling, match
from sync.server.people.dwellings.visits import Visit, list_visits
from sync.server.people.households import households, notices, warnings
from sync.server.people.households.application import Journey
from sync.server.people.households.households import Household, Person, Vehicle
from sync.server.people.households.warnings import Concern
from sync.server.people.identity import one_line
from sync.server.people.town_setting import MEASURE_END, read_last_day
from sync.server.words import Language, say

EVIDENCE = ("id", "lease", "deed", "health_code", "travel_code", "call")
READY: Mapping[str, tuple[str, ...]] = {
    "correct": ("room", "document", "phone", "travel", "family", "lease", "plate", "letter"),
    "observe": ("travel", "contact", "unwell", "quarantine"),
    "not_here": ("visited", "others", "empty"),
}
"""Sentences that are ready in both languages, by decision."""
LONGEST_TOLD = 300
LONGEST_NOTE = 200
MOST_EARLIER = 20
LONGEST_WAIT_MS = 90 * 86_400_000
LARGEST_ID = 1 << 53
"""Numbers beyond it are nobody's."""
_DRAWN = re.compile(r"[ML0-9 ]+")

_MEMBERS: Mapping[str, Table] = {"person": tables.person, "vehicle": tables.vehicle}
_h, _p, _a = tables.household.c, tables.person.c, tables.audit.c
_STEP = (_a.compound_id, _a.audit_id, _a.at_ms, _a.by, _a.what, _a.sealed_why)


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """Another application that has the dwelling or a person in common with this one."""

    household_id: int
    number: str
    state: str
    collected_ms: int
    dwelling: str
    submitted_ms: int
    told: str
    same_dwelling: bool
    same_people: tuple[str, ...]

    @property
    def stage(self) -> str:
        """As people see it, see ``Household.stage``."""
        return "collected" if self.state == "approved" and self.collected_ms else self.state


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done about the household."""

    at_ms: int
    by: str
    what: str
    why: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that is seen of one application. ``home``: its dwelling in the register; ``likely``: the one its words seem
    to mean where it points to none; ``drawn``: the signature's path in a 1000 × 400 field."""

    household: Household
    people: list[Person]
    vehicles: list[Vehicle]
    journeys: dict[int, list[Journey]]
    concerns: list[Concern]
    home: Dwelling | None
    likely: Dwelling | None
    visits: list[Visit]
    earlier: list[Earlier]
    history: list[Step]
    drawn: str

    @property
    def seen(self) -> str:
        """Changes with everything somebody else may do to it meanwhile."""
        return seen_mark(self.household)

    @property
    def additions(self) -> bool:
        """Whether a person or vehicle of an approved household waits for a pass."""
        members: Sequence[Person | Vehicle] = [*self.people, *self.vehicles]
        return self.household.state == "approved" and any(not member.pass_id for member in members)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What an officer decided, as the form said it. ``do``: approve, correct, observe, not_here. ``ready``: codes of
    sentences that are ready, ``own``: a sentence of one's own, ``seen``: ``Case.seen`` of the page."""

    do: str
    seen: str
    ready: tuple[str, ...] = ()
    own: str = ""
    day: str = ""
    evidence: tuple[str, ...] = ()
    note: str = ""


def seen_mark(household: Household) -> str:
    return f"{household.state}.{household.submitted_ms}.{household.decided_ms}.{household.dwelling_id}"


# Reading


def read_case(conn: Connection, vault: Vault, compound: Compound, household_id: int, now_ms: int) -> Case:
    """Raises NoSuchThing."""
    here = (conn, compound.compound_id)
    household = households.get_household(*here, household_id)
    people = households.people_of(*here, household_id)
    home = get_dwelling(*here, household.dwelling_id) if household.dwelling_id else None
    likely = 0 if home and not home.proposed else match(*here, household.dwelling)
    return Case(
        household=household, people=people, vehicles=households.vehicles_of(*here, household_id),
        journeys=households.journeys_of(*here, household_id),
        concerns=warnings.look(conn, compound, household_id, now_ms), home=home,
        likely=get_dwelling(*here, likely) if likely else None,
        visits=list_visits(*here, household.dwelling_id)[:5] if home else [],
        earlier=_earlier(conn, household), history=_history(conn, household), drawn=_signature(conn, vault, household),
    )  # fmt: skip


def _signature(conn: Connection, vault: Vault, household: Household) -> str:
    """Only what can be a path of straight strokes."""
    wanted = select(_h.compound_id, _h.household_id, _h.sealed_signature).where(*_is(household))
    row = conn.execute(wanted).mappings().one()
    drawn = sealing.open_words(vault, tables.household, row, "signature")["signature"]
    return drawn if _DRAWN.fullmatch(drawn) else ""


def _is(household: Household) -> tuple[Any, ...]:
    return _h.compound_id == household.compound_id, _h.household_id == household.household_id


def _earlier(conn: Connection, household: Household) -> list[Earlier]:
    """The newest first."""
    same = _same_people(conn, household)
    here = _h.dwelling_id == household.dwelling_id if household.dwelling_id else _h.dwelling == household.dwelling
    wanted = (
        select(_h.compound_id, _h.household_id, _h.number, _h.state, _h.collected_ms, _h.dwelling, _h.submitted_ms,
               _h.sealed_told, here.label("same_dwelling"))
        .where(_h.compound_id == household.compound_id, _h.household_id != household.household_id,
               here | _h.household_id.in_(same))
        .order_by(_h.submitted_ms.desc(), _h.household_id.desc()).limit(MOST_EARLIER)
    )  # fmt: skip
    return [_line(conn, row, same.get(row["household_id"], ())) for row in conn.execute(wanted).mappings()]


def _line(conn: Connection, row: sealing.RowValues, same_people: Sequence[str]) -> Earlier:
    clear = {name: row[name] for name in Earlier.__struct_fields__ if name in row}
    told = sealing.open_words(sealing.vault_of(conn), tables.household, row, "told")
    return Earlier(
        **clear | told | {"same_dwelling": bool(row["same_dwelling"]), "same_people": tuple(same_people)}
    )  # fmt: skip


def _same_people(conn: Connection, household: Household) -> dict[int, list[str]]:
    """Other household → names of those in it who have a document of this one."""
    mine = (_p.compound_id == household.compound_id, _p.household_id == household.household_id, _p.doc_mark != b"")
    marks = conn.execute(select(_p.doc_mark).where(*mine)).scalars().all()
    others = select(_p.household_id, _p.name).where(
        _p.compound_id == household.compound_id, _p.household_id != household.household_id, _p.doc_mark.in_(marks)
    )
    found: dict[int, list[str]] = {}
    for household_id, name in conn.execute(others.order_by(_p.place)):
        found.setdefault(household_id, []).append(name)
    return found


def _history(conn: Connection, household: Household) -> list[Step]:
    mine = (_a.compound_id == household.compound_id, _a.household == household.household_id)
    wanted = select(*_STEP).where(*mine).order_by(_a.at_ms.desc(), _a.audit_id).limit(30)
    return [_step(conn, row) for row in conn.execute(wanted).mappings()]


def _step(conn: Connection, row: sealing.RowValues) -> Step:
    return Step(at_ms=row["at_ms"], by=row["by"], what=row["what"], **audit.open_why(conn, row))


def read_evidence(written: str) -> tuple[tuple[str, ...], str]:
    """(codes, note) of a household's ``evidence``."""
    first, _, note = written.partition("\n")
    return tuple(code for code in first.split(",") if code in EVIDENCE), note


def pass_end(conn: Connection, compound: Compound, now_ms: int) -> int:
    """When new passes end: with the town's measure, where its last day is set and still to come; otherwise 0, which
    stands for 30 days."""
    day = read_last_day(conn, MEASURE_END)
    end_ms = read_time(day, compound.timezone, True) if day else 0
    return end_ms if end_ms > now_ms else 0


# Deciding


def decide(writing: Writing, centre: Centre, household_id: int, decision: Decision) -> Household:
    """Carry a decision out, and tell the household. Raises CentreError where something is missing in it or the
    application is not what the officer saw."""
    household = _unchanged(writing, household_id, decision.seen)
    evidence = _evidence(decision)
    if decision.do == "approve":
        until_ms = pass_end(writing.conn, writing.compound, writing.now_ms)
        done = households.approve(writing, centre, household_id, until_ms, evidence)
    elif decision.do in READY:
        told = _told(household, decision)
        not_before_ms = coming_day(writing, decision.day) if decision.do == "observe" else 0
        done = households.decide(writing, household_id, decision.do, told, not_before_ms, evidence)
    else:
        raise CentreError("请选择怎样处理。", "Choose what you decide.")
    found = warnings.find_warnings(writing, household_id)
    households.set_state(writing, household_id, objection="", warnings=",".join(found))
    notices.tell_decision(writing, centre.vault, done)
    return done


def _unchanged(writing: Writing, household_id: int, seen: str) -> Household:
    household = households.get_household(writing.conn, writing.compound_id, household_id)
    if seen_mark(household) != seen:
        raise CentreError(
            f"{household.number} 刚刚被修改或处理过，请看过再决定。",
            f"{household.number} was changed or decided meanwhile. Please look at it again.",
        )
    return household


def _told(household: Household, decision: Decision) -> str:
    """What the resident reads, in the household's language."""
    language: Language = "en" if household.language == "en" else "zh"
    ready = [say(language, f"review_{decision.do}.{code}") for code in decision.ready if code in READY[decision.do]]
    own = one_line(decision.own)
    if len(own) > LONGEST_TOLD or not own.isprintable():
        raise CentreError(f"最多{LONGEST_TOLD}字。", f"At most {LONGEST_TOLD} characters.")
    if not ready and not own:
        raise CentreError("请写明原因，让居民知道该怎么办。", "Say why, so that the resident knows what to do.")
    return (" " if language == "en" else "").join(filter(None, [*ready, own]))


def coming_day(writing: Writing, day: str, end_of_day: bool = False) -> int:
    """A moment in the next 90 days. Raises CentreError for any other day."""
    at_ms = read_time(day, writing.compound.timezone, end_of_day)
    if not writing.now_ms < at_ms <= writing.now_ms + LONGEST_WAIT_MS:
        raise CentreError("请选择今后90天内的日期。", "Choose a day in the coming 90 days.")
    return at_ms


def _evidence(decision: Decision) -> str:
    note = one_line(decision.note)
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise CentreError(f"备注最多{LONGEST_NOTE}字。", f"A note has at most {LONGEST_NOTE} characters.")
    seen = ",".join(code for code in EVIDENCE if code in decision.evidence)
    return f"{seen}\n{note}" if note else seen


def join_dwelling(writing: Writing, household_id: int, words: str, seen: str) -> Dwelling:
    """This application belongs to the dwelling of the register that ``words`` mean. Raises CentreError."""
    household = _unchanged(writing, household_id, seen)
    if household.state not in (*households.OPEN_STATES, "not_here"):
        raise CentreError("已通过的申请不能在这里改房号。", "It is approved; its passes name the dwelling.")
    found = match(writing.conn, writing.compound_id, one_line(words)[:60])
    if not found:
        raise CentreError("房屋册里没有这个房号，请写成3-2-501。",
                          "There is no such room in the register. Write it like 3-2-501.")  # fmt: skip
    dwelling = get_dwelling(writing.conn, writing.compound_id, found)
    households.set_state(writing, household_id, dwelling_id=found, dwelling=dwelling.name)
    _look_again(writing, household_id)
    writing.audit("dwelling-joined", f"{household.number}: {household.dwelling} → {dwelling.name}", household_id)
    return dwelling


def _look_again(writing: Writing, household_id: int) -> None:
    """Bring the stored warnings up to date."""
    found = ",".join(warnings.find_warnings(writing, household_id))
    households.set_state(writing, household_id, warnings=found)


def issue_additions(writing: Writing, centre: Centre, household_id: int) -> int:
    """Passes for those of an approved household who have none; how many, and the household is told."""
    until_ms = pass_end(writing.conn, writing.compound, writing.now_ms)
    numbers = households.issue_missing(writing, centre, household_id, until_ms)
    household = households.get_household(writing.conn, writing.compound_id, household_id)
    if not numbers:
        raise CentreError("这一户没有待发的证。", "Nobody waits for a pass here.")
    writing.audit("issue-additions", f"{household.number}: {', '.join(numbers)}", household_id)
    notices.tell_additions(writing, centre.vault, household)
    return len(numbers)


def drop_addition(writing: Writing, centre: Centre, household_id: int, which: str, words: str) -> None:
    """Take a person or vehicle without a pass off an approved household, and tell it why. ``which``: ``person-12``.

    Raises CentreError where it has a pass by now, or nothing is said.
    """
    household = households.get_household(writing.conn, writing.compound_id, household_id)
    why = one_line(words)
    if not why or len(why) > LONGEST_TOLD or not why.isprintable():
        raise CentreError("请写明原因，让居民知道该怎么办。", "Say why, so that the resident knows what to do.")
    what, _, member = which.partition("-")
    if household.state != "approved" or what not in _MEMBERS or not member.isdecimal() or len(member) > 15:
        raise CentreError("这一户没有待发的证。", "Nobody waits for a pass here.")
    if not _has_no_pass(writing, household_id, what, int(member)):
        raise CentreError("已经发证了，请刷新再看。", "It has a pass by now.")
    table = _MEMBERS[what]
    writing.conn.execute(delete(table).where(*_member(writing, table, household_id, what, int(member))))
    _look_again(writing, household_id)
    writing.audit("drop-addition", f"{household.number} {which}", household_id, why)
    notices.tell_dropped(writing, centre.vault, household, why)


def _member(writing: Writing, table: Table, household_id: int, what: str, member: int) -> tuple[Any, ...]:
    of = table.c
    return of.compound_id == writing.compound_id, of.household_id == household_id, of[f"{what}_id"] == member


def _has_no_pass(writing: Writing, household_id: int, what: str, member: int) -> bool:
    table = _MEMBERS[what]
    mine = _member(writing, table, household_id, what, member)
    return writing.conn.execute(select(table.c.pass_id).where(*mine)).scalar() == 0


def begin_home_quarantine(writing: Writing, household_id: int, day: str) -> None:
    """Home quarantine until a day, it included. Raises CentreError."""
    household = households.get_household(writing.conn, writing.compound_id, household_id)
    if household.state != "approved":
        raise CentreError("只有已通过的家庭才能设居家观察。", "Only an approved household has passes to watch.")
    households.set_home_quarantine(writing, household_id, coming_day(writing, day, end_of_day=True))


def note_called(writing: Writing, household_id: int, note: str) -> None:
    """Write down that somebody called the household, and what came of it. Raises CentreError, NoSuchThing."""
    household = households.get_household(writing.conn, writing.compound_id, household_id)
    note = one_line(note)
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise CentreError(f"备注最多{LONGEST_NOTE}字。", f"A note has at most {LONGEST_NOTE} characters.")
    writing.audit("called", household.number, household_id, note)


def last_calls(conn: Connection, compound_id: int, household_ids: Sequence[int]) -> dict[int, Step]:
    """Household → its last call."""
    mine = (_a.compound_id == compound_id, _a.household.in_(household_ids), _a.what == "called")
    wanted = select(_a.household, *_STEP).where(*mine).order_by(_a.at_ms)
    return {row["household"]: _step(conn, row) for row in conn.execute(wanted).mappings()}
