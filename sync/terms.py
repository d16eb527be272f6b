"""The closed lists that both ends of the wire share. Pure. PROTOCOL.md §8 lists them, and a test compares the two.

A writer takes its word from here, and mypy checks it. A reader takes text, since a newer gate may say more.
"""

from __future__ import annotations

from typing import Literal, get_args

# --- deciding --------------------------------------------------------------------------------------------------------

Outcome = Literal["grant", "refer", "deny"]
"""What a decision says. A ruling, an override and a button say grant or deny."""

Misreading = Literal["unreadable", "not_a_pass", "foreign_scope", "unknown_key", "bad_signature"]
"""Reasons for which a text is no credential of ours."""

Reason = Literal[
    Misreading,
    "no_list", "not_on_list", "unlisted", "not_collected", "superseded", "revoked", "suspended", "not_yet_valid",
    "expired", "digits_missing", "digits_stale", "lockdown", "response_level", "wrong_lane", "wrong_kind",
    "outside_hours", "day_over", "used_up", "quota_household", "quota_person", "passback", "list_expired",
    "terms_unread", "attention", "ok",
]  # fmt: skip
REASONS: tuple[Reason, ...] = get_args(Reason)
"""Why a decision is what it is. Among reasons with the same outcome, the first in this order names the decision."""

Look = Literal["person", "plate", "papers", "desk", "community", "lost"]
LOOKS: tuple[Look, ...] = get_args(Look)
"""What a guard shall look for where a pass is marked for attention. ``person``: is it the holder; ``plate``: is it that
car; ``papers``: a letter or a note to be shown; ``desk``: something is to be done at the desk; ``community``: call the
community office first, for whatever cause; ``lost``: the pass was reported lost."""

# --- passing ---------------------------------------------------------------------------------------------------------

PassageOutcome = Literal["passed", "not_passed", "no_sensor", "interrupted"]
"""How a passage ended. ``no_sensor``: the lane cannot see; ``interrupted``: the gate stopped before it ended."""

UnaskedReason = Literal["alone", "followed", "late", "left_open"]
UNASKED_REASONS: tuple[UnaskedReason, ...] = get_args(UnaskedReason)
"""Reason of an event ``unasked``: somebody passed whom nothing let in; one came right behind a passage; one came after
the time of an opening was up; the arm stays open though nothing asks for it."""

Switched = Literal["on", "off"]
"""What a lockdown, a held lane, an input and a fault became."""

# --- guards ----------------------------------------------------------------------------------------------------------

GuardRole = Literal["guard", "supervisor", "technician"]
"""What a person with a PIN may do at a gate. Staff at the centre have roles of another list."""

GuardReason = Literal[
    "known", "papers", "registered", "urgent", "delivery", "desk", "not_holder", "refused_check", "mistake", "other",
]  # fmt: skip
GUARD_REASONS: tuple[GuardReason, ...] = get_args(GuardReason)
"""Reasons a guard chooses from for a ruling or an override."""

GateReason = Literal["unanswered", "over_budget", "interrupted", "guard_button", "exit_button"]
GATE_REASONS: tuple[GateReason, ...] = get_args(GateReason)
"""Reasons the gate gives by itself where nothing was presented or nobody gave one."""

# --- events ----------------------------------------------------------------------------------------------------------

EventKind = Literal[
    "decided", "passage", "ruled", "override", "explained", "opened", "fire", "lockdown", "hold", "call", "tamper",
    "boot", "reader_restarted", "journal_set_aside", "events_lost", "withdrawn", "clock", "sign_in",
    "camera_fault", "input_fault", "board_fault", "acknowledged", "unasked",
    "provisional", "family", "viewed", "shift", "note", "annulled",
]  # fmt: skip
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
"""Kinds of events in a gate's journal. ``opened``: by a wired button; ``viewed``: a technician looked through a
camera."""

CameraFault = Literal["camera", "camera_hung", "camera_frozen", "camera_black", "camera_white"]
CAMERA_FAULTS: tuple[CameraFault, ...] = get_args(CameraFault)
"""Why of an event ``camera_fault``. ``camera``: it is not there or cannot be opened."""

InputFault = Literal["passage_stuck", "passage_blind", "button_stuck", "call_stuck", "input_chatters", "input_taken"]
INPUT_FAULTS: tuple[InputFault, ...] = get_args(InputFault)
"""Why of an event ``input_fault``. ``passage_blind``: the sensor sees nobody; ``input_chatters``: a wire flickers.
``input_taken``: something else on the device holds the input's pin."""

BoardFault = Literal["supply_weak", "too_hot", "card_errors", "card_worn", "disk_full"]
BOARD_FAULTS: tuple[BoardFault, ...] = get_args(BoardFault)
"""Why of an event ``board_fault``. ``card_errors``: the file system has met errors on its disk; ``card_worn``: built-in
memory near the end of its life."""

LiveKind = Literal[
    "decision", "ruling", "override", "explained", "passage", "button", "fire", "lockdown", "held_open", "call",
    "tamper",
    "unasked", "provisional", "family", "annulled",
]  # fmt: skip
LIVE_KINDS: tuple[LiveKind, ...] = get_args(LiveKind)
"""Kinds of lines in the live list that guards watch."""
