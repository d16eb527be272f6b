"""Applications that may be a stranger's bulk: seen together, and acted on together, by somebody who looked at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from sync.server.centre import tables
from sync.server.centre.writing import Centre, Writing
from sync.server.people.households import doubts, households, notices, slots
from sync.server.words import Language, say

Act = Literal["release", "reject"]
"""``release``: their times go back, and they wait on without one. ``reject``: they are noted as not living here."""
ACTS: tuple[Act, ...] = get_args(Act)
MOST_LISTED = 500
_A_FEW = 25
_h, _p = tables.household.c, tables.person.c
BULK: ColumnElement[bool] = or_(*(_h.signs.startswith(sign) for sign in doubts.WITHOUT_PLACE))
"""Their time takes no place. They stand in a queue of their own, so that bulk does not bury those who wait."""
DOUBTFUL = and_(_h.state == "applied", _h.signs.not_in(("", "unverified")))


class DoubtfulEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An application with what speaks against it, the gravest first. ``name`` is who applied."""

    household_id: int
    number: str
    dwelling: str
    name: str
    phone_masked: str
    signs: tuple[str, ...]
    submitted_ms: int
    slot_ms: int

    @property
    def shown(self) -> list[str]:
        """What speaks against it, as the office reads it: an unconfirmed telephone alone is nothing."""
        return [sign for sign in self.signs if sign != "unverified"]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How many were acted on; ``left``: were decided or corrected meanwhile."""

    did: int
    left: int


def find_doubtful(conn: Connection, compound_id: int) -> dict[str, list[DoubtfulEntry]]:
    """By the gravest sign, those of one telephone, browser and dwelling beside each other; at most 500."""
    lead = and_(_p.compound_id == _h.compound_id, _p.household_id == _h.household_id, _p.place == 0)
    same = [_h[name] for name in DoubtfulEntry.__struct_fields__ if name in _h]
    wanted = (
        select(*same, _p.name).join(tables.person, lead, isouter=True)
        .where(_h.compound_id == compound_id, DOUBTFUL)
        .order_by(_h.phone_mark, _h.browser_mark, _h.dwelling, _h.household_id).limit(MOST_LISTED)
    )  # fmt: skip
    found: dict[str, list[DoubtfulEntry]] = {sign: [] for sign in doubts.SIGNS}
    for row in conn.execute(wanted).mappings():
        signs = tuple(row["signs"].split(","))
        found[signs[0]].append(DoubtfulEntry(**dict(row) | {"name": row["name"] or "", "signs": signs}))
    return {sign: entries for sign, entries in found.items() if entries}


def act_on(centre: Centre, compound_id: int, household_ids: Sequence[int], act: Act, by: str) -> Done:
    """Act on those that are doubtful still, a few in a transaction, so that residents who submit meanwhile do not wait
    for all of them. Each is told on its page, each telephone by one message."""
    did, told = 0, set[bytes]()
    chosen = list(dict.fromkeys(household_ids))[:MOST_LISTED]
    for start in range(0, len(chosen), _A_FEW):
        with centre.writing(compound_id, by) as writing:
            did += _act_on_few(writing, centre, chosen[start : start + _A_FEW], act, told)
    return Done(did=did, left=len(chosen) - did)


def _act_on_few(writing: Writing, centre: Centre, ids: Sequence[int], act: Act, told: set[bytes]) -> int:
    still = (_h.compound_id == writing.compound_id, DOUBTFUL, _h.household_id.in_(ids))
    wanted = select(_h.household_id, _h.phone_mark, _h.language, _h.desk_id).where(*still).order_by(_h.household_id)
    rows = writing.conn.execute(wanted).all()
    for row in rows:
        if act == "release":
            _release(writing, centre, row)
        else:
            _reject(writing, centre, row, told)
    writing.audit(f"doubtful-{act}", f"{len(rows)} of {len(ids)}")
    return len(rows)


def _release(writing: Writing, centre: Centre, row: Any) -> None:
    """From now on it takes no place, whatever time it chooses."""
    if row.desk_id:
        slots.release(writing, row.household_id)
        notices.tell_released(writing, centre.vault, row.household_id)
    households.set_state(writing, row.household_id, doubt=slots.NO_PLACE)


def _reject(writing: Writing, centre: Centre, row: Any, told: set[bytes]) -> None:
    language: Language = "en" if row.language == "en" else "zh"
    why = say(language, "review_doubtful_told")
    household = households.decide(writing, row.household_id, "not_here", why)
    if row.phone_mark not in told:
        notices.tell_decision(writing, centre.vault, household)
    told.add(row.phone_mark)
