"""What stands at a gate, in the order of what matters to its guard. Pure."""

from __future__ import annotations

from typing import NamedTuple

from kiosk.verbs import GateState
from sync.terms import BOARD_FAULTS, CAMERA_FAULTS, INPUT_FAULTS

ORDER = (
    "fire", "withdrawn", "forced", "relay", "tamper", "call", "bad_signature", "revoked",
    "lockdown", "held_open_question", "held_open",
    *CAMERA_FAULTS, "reader_silent", "no_list", "clock_untrusted", "journal", "list_expired",
    *INPUT_FAULTS, "lights", *BOARD_FAULTS, "journal_lost", "list_damaged", "list_forged",
    "list_not_understood",
    "list_stale", "centre_restored", "centre_away",
)  # fmt: skip
"""People first, then what keeps the gate from opening, then what a guard does otherwise meanwhile, then what a
technician should know."""
NOTES = frozenset({"reader_restarted"})
"""What is over. It is told as a note, and is no state of the gate."""
DOINGS = frozenset({"forced", "call", "lockdown", "held_open_question", "held_open"})
"""What people do at a gate that works. Its guards must know; a monitor that calls a technician need not."""
ALARMING = frozenset({
    *CAMERA_FAULTS, "fire", "withdrawn", "forced", "relay", "tamper", "reader_silent", "no_list", "journal",
    "journal_lost", "bad_signature",
})  # fmt: skip
SHOWN = frozenset({"bad_signature", "revoked"})
"""What a pass was that somebody showed: it happened, and does not go on."""
WAITING = frozenset({"call", "forced"}) | SHOWN
"""Cautions that the bar tells until a guard has seen them, whether or not they go on."""
_PLACES = {name: place for place, name in enumerate(ORDER)}


class Standing(NamedTuple):
    """A code of the page's list of faults, and the lanes where it stands; none for what concerns the whole gate."""

    code: str
    lanes: tuple[str, ...] = ()

    @property
    def tone(self) -> str:
        return "stop" if self.code in ALARMING else "look"


def place(code: str) -> int:
    """Where a code stands in :data:`ORDER`; what a newer core says comes last."""
    return _PLACES.get(code, len(ORDER))


def standing(state: GateState) -> list[Standing]:
    """Everything that stands, what matters most first. Empty: all is well."""
    where: dict[str, list[str]] = {name.partition(":")[0]: [] for name in state.faults}
    for lane in state.lanes:
        at = {"fire": lane.fire, "lockdown": lane.lockdown, "held_open": lane.held_open}
        for name in (name for name, true in at.items() if true):
            where.setdefault(name, []).append(lane.name)
    for caution in state.cautions:
        if caution.code in WAITING:
            where.setdefault(caution.code, []).append(caution.lane)
    codes = sorted(where.keys() - NOTES, key=lambda code: (place(code), code))
    return [Standing(code, tuple(where[code])) for code in codes]


def faults(state: GateState) -> list[Standing]:
    """What is wrong with the gate now, what matters most first. Empty: it works."""
    return [one for one in standing(state) if one.code not in DOINGS]


def notes(state: GateState) -> list[Standing]:
    """What else there is to know of a gate: what people do there, then what is over."""
    over = sorted(NOTES & {name.partition(":")[0] for name in state.faults})
    return [*(one for one in standing(state) if one.code in DOINGS), *map(Standing, over)]
