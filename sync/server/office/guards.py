"""The pages of a compound's guards: accounts, PINs, at which gates they work; and of a gate that was stolen."""

from __future__ import annotations

from typing import Any, cast

from flask import abort, g, redirect, render_template, request, url_for

from sync.server import words
from sync.server.centre.errors import NoSuchThing
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.gates import fleet, guards, theft
from sync.server.views import Route, language, or_again
from sync.terms import GuardRole


class GuardPages:
    """Views over guards. Each is given the compound of its address."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        post = ("GET", "POST")
        return (
            Route("guards", self.guards, post, "guards"),
            Route("guards/<account>", self.guard, ("POST",), "guards"),
            Route("gates/<gate_id>/theft", self.gate_theft, post, "gate_change"),
        )

    def guards(self, compound: Compound) -> Any:
        """Guard accounts, and whose PIN has to be made anew."""
        if request.method == "POST":
            return or_again(lambda: self._add(compound), "office/guards.html", lambda: self._guards(compound))
        return render_template("office/guards.html", form={}, **self._guards(compound))

    def _guards(self, compound: Compound) -> dict[str, Any]:
        found = guards.list_guards(self._centre, compound.compound_id)
        gates = {gate.gate: gate.name for gate in fleet.list_gates(self._centre, compound.compound_id)}
        wanting = {
            state: [guard.name for guard in found if guard.active and guard.pin == state]
            for state in ("withdrawn", "short", "old")
        }
        return {"found": found, "roles": guards.ROLES, "gates": gates, "wanting": wanting}

    def _add(self, compound: Compound) -> Any:
        role = cast(GuardRole, request.form.get("role", ""))
        name, pin = request.form.get("name", "").strip(), request.form.get("pin", "")
        gates, by, centre = request.form.getlist("gate"), g.staff.account, self._centre
        if not pin:
            return _show_pin(guards.add_guard_drawn(centre, compound.compound_id, name, role, by, gates))
        guards.add_guard(centre, compound.compound_id, name, role, pin, by, gates)
        return redirect(request.path)

    def guard(self, compound: Compound, account: str) -> Any:
        """A new PIN (an empty one is drawn, and shown once), the gates, stopped, or let in again."""
        what, by, pin = request.form.get("do", ""), g.staff.account, request.form.get("pin", "")
        centre, here = self._centre, compound.compound_id
        if what == "pin" and not pin:
            return _show_pin(guards.draw_new_pin(centre, here, account, by))
        if what == "pin":
            guards.change_guard(centre, here, account, by, pin=pin)
        elif what == "gates":
            guards.change_guard(centre, here, account, by, gates=request.form.getlist("gate"))
        elif what in ("stop", "let_in"):
            guards.change_guard(centre, here, account, by, active=what == "let_in")
        else:
            abort(400)
        return redirect(url_for("office.guards", compound_id=here))

    def gate_theft(self, compound: Compound, gate_id: str) -> Any:
        """What would be done, and what a thief can read; by POST it is done."""
        centre, here = self._centre, compound.compound_id
        if request.method == "POST":
            replaced = request.form.get("which") == "replaced"
            done = theft.report(centre, here, gate_id, g.staff.account, replaced)
            return render_template("office/theft.html", done=done, name=done.name, looks=[], **_told())
        looks = []
        for replaced in (False, True):
            try:
                looks.append((replaced, theft.look(centre, here, gate_id, replaced)))
            except NoSuchThing:
                continue
        if not looks:
            abort(404)
        return render_template("office/theft.html", done=None, name=looks[0][1].name, looks=looks, **_told())


def _show_pin(drawn: guards.Drawn) -> str:
    """Once, large."""
    return render_template("office/pin.html", drawn=drawn)


def _told() -> dict[str, list[str]]:
    tongue = language()
    return {"card": [words.pick(tongue, pair) for pair in theft.ON_THE_CARD],
            "remains": [words.pick(tongue, pair) for pair in theft.REMAINS]}  # fmt: skip
