"""What stands at the end of a journal: openings and refers without an end, and the last word on each lockdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sync.protocol import Event

_ASKED = ("decided", "ruled", "override", "opened", "provisional", "family")
_ENDS = {"grant": ("passage",), "refer": ("ruled", "override")}


class Fact(msgspec.Struct, frozen=True):
    """What an event says about openings and lockdown."""

    id: str
    kind: str
    lane: str = ""
    outcome: str = ""
    about: str = ""


class OpenMatter(msgspec.Struct, frozen=True):
    """An opening whose passage is not settled, or a refer that nobody has answered."""

    lane: str
    outcome: str


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """``open`` by the id of its event; ``lockdown`` has the last word on each lane that had one."""

    open: dict[str, OpenMatter] = {}
    lockdown: dict[str, bool] = {}

    def after(self, facts: Iterable[Fact | Event]) -> Standing:
        """What stands when these have happened as well."""
        open_, lockdown = dict(self.open), dict(self.lockdown)
        for fact in facts:
            ended = open_.get(fact.about)
            if ended and fact.kind in _ENDS[ended.outcome]:
                del open_[fact.about]
            if fact.kind in _ASKED and fact.outcome in ("grant", "refer"):
                open_[fact.id] = OpenMatter(fact.lane, fact.outcome)
            if fact.kind == "lockdown":
                lockdown[fact.lane] = fact.outcome == "on"
        return Standing(open_, lockdown)
