"""The pages of guards' shifts: who was on duty at which gate, and each hand-over sheet as the post printed it."""

from __future__ import annotations

from typing import Any

from flask import render_template

from sync import shift_words
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.gates import fleet, shifts
from sync.server.views import Route, language, local
from sync.shifts import SheetLine

_LASTS = ("camera_fault", "input_fault", "board_fault", "tamper", "fire")


class ShiftPages:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        read = ("GET",)
        return (
            Route("shifts", self.shifts, read, "events"),
            Route("gates/<gate_id>/shifts", self.gate_shifts, read, "events"),
            Route("gates/<gate_id>/shifts/<shift>", self.shift_sheet, read, "events"),
        )

    def shifts(self, compound: Compound) -> Any:
        """Of all gates, the newest first."""
        return self._page(compound, None)

    def gate_shifts(self, compound: Compound, gate_id: str) -> Any:
        """Of one gate."""
        return self._page(compound, fleet.find_gate(self._centre, compound.compound_id, gate_id))

    def _page(self, compound: Compound, gate: fleet.Gate | None) -> str:
        gate_id = gate.gate if gate else None
        return render_template(
            "office/shifts.html", gate=gate, days=shifts.DAYS,
            found=shifts.list_shifts(self._centre, compound.compound_id, gate_id),
        )  # fmt: skip

    def shift_sheet(self, compound: Compound, gate_id: str, shift: str) -> Any:
        """To read and to print."""
        found = shifts.get_shift(self._centre, compound.compound_id, gate_id, shift)
        tongue = language()
        return render_template(
            "office/shift_sheet.html", gate=found.gate_name, gate_id=gate_id, sheet=found.sheet,
            x=lambda key, **facts: shift_words.say(tongue, key, **facts),
            counts=shift_words.counts(tongue, found.sheet), fault=_fault,
            override=lambda line: shift_words.override(tongue, line),
        )  # fmt: skip


def _fault(line: SheetLine) -> str:
    tongue = language()
    said = shift_words.fault(tongue, line)
    if line.until_ms:
        return f"{said} · {shift_words.say(tongue, 'until', at=local(line.until_ms))}"
    return f"{said} · {shift_words.say(tongue, 'goes_on')}" if line.kind in _LASTS else said
