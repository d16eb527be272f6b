"""Which staff role may do what at the centre. Pure. A guard's role at a gate is another thing (``guards.GuardRole``).

A role says what an account may do, its compounds where; both are asked before a page does anything. Nobody has more
than the work needs: who reads the numbers of the town sees no person, who sees persons sees one compound's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["town", "community", "inspector", "property", "clerk", "supervisor", "technician"]
Right = Literal[
    "coverage",     # the numbers of compounds, no person in them
    "people",       # residents, applications, vehicles of a compound, masked
    "reveal",       # a full document or phone number, with a purpose; recorded and shown to the resident
    "export",       # tables as files; recorded and shown to the resident
    "review",       # decide on applications
    "collect",      # print cards, hand passes over, enter forms on paper
    "dwellings",    # see the dwelling register and who has not applied
    "register",     # change the dwelling register, visit notes, desks and their slots
    "passes",       # see passes with their masked label
    "pass_change",  # issue, suspend, revoke, reissue, extend
    "gates",        # see gates
    "gate_change",  # enrol and withdraw devices
    "events",       # what happened at the gates
    "guards",       # accounts and PINs of guards
    "rules",        # the compound's rules, response level, enforcement
    "poster",       # poster, texts and door slips
    "accounts",     # staff accounts
    "areas",        # the town's dated list of epidemic areas
    "retention",    # what is kept until when, and what was deleted
    "erase",        # end the measure, delete what is due
    "record",       # who did what, who opened whose record
    "town_record",  # what was done to the whole town: accounts, areas, periods
]  # fmt: skip
ROLES: tuple[Role, ...] = get_args(Role)
RIGHTS: tuple[Right, ...] = get_args(Right)

_OFFICE: frozenset[Right] = frozenset(RIGHTS) - {"accounts", "areas", "erase", "town_record"}
MAY: Mapping[Role, frozenset[Right]] = {
    "town": frozenset(
        ("coverage", "passes", "pass_change", "gates", "gate_change", "events", "guards", "rules", "poster", "accounts",
         "areas", "retention", "erase", "record", "town_record")
    ),
    "community": frozenset(("coverage", "poster", "retention")),
    "inspector": frozenset(("coverage", "retention", "record", "town_record")),
    "property": _OFFICE,
    "clerk": frozenset(("people", "collect", "dwellings", "passes", "poster")),
    "supervisor": frozenset(("passes", "gates", "events", "guards")),
    "technician": frozenset(("gates", "gate_change", "events")),
}  # fmt: skip


def may(role: Role, right: Right) -> bool:
    return right in MAY[role]
