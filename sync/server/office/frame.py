"""The frame of the signed-in pages: who, where, and whether they may.

Every look-up carries the compound of the address, and the account is asked whether it may see that compound before
anything else happens: another compound's object is 404, as if it did not exist. What the account's role may not do is
403. A route without a right cannot be made.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any

from flask import Blueprint, abort, g, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from sync.server import pages
from sync.server.centre.errors import NoSuchThing
from sync.server.centre.load import Tries
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.gates import alarms, shifts
from sync.server.office.accounts import Accounts, Me
from sync.server.office.areas import Areas
from sync.server.office.collection import Collection
from sync.server.office.dwellings import Dwellings
from sync.server.office.guards import GuardPages
from sync.server.office.passes import Desk
from sync.server.office.poster import Poster
from sync.server.office.record import RecordPages
from sync.server.office.registers import Registers
from sync.server.office.retention import Retention
from sync.server.office.review import Review
from sync.server.office.settings import TownSettings
from sync.server.office.shifts import ShiftPages
from sync.server.office.site import Site
from sync.server.office.town import TownPages
from sync.server.passes import passes
from sync.server.staff import roles, sign_in
from sync.server.staff.sign_in import Staff
from sync.server.views import Route, View, client_network, language

_DAY_MS = 24 * 3_600_000
_SESSION_MS = 12 * 3_600_000
_WRONG_PASSWORDS = 8
_WRONG_PASSWORDS_WINDOW_S = 600

MENU: tuple[tuple[str, str, roles.Right], ...] = (
    ("review", "review", "people"),
    ("collect", "collect", "collect"),
    ("dwellings", "dwellings", "dwellings"),
    ("poster", "poster_menu", "poster"),
    ("residents", "registers", "people"),
    ("passes", "passes", "passes"),
    ("gates", "gates", "gates"),
    ("events", "events", "events"),
    ("shifts", "shifts", "events"),
    ("guards", "guards", "guards"),
    ("rules", "rules", "rules"),
    ("record", "record.title", "record"),
)
"""(view, word, right) of a compound's pages, in the order of the day's work."""

TOWN_MENU: tuple[tuple[str, str, roles.Right], ...] = (
    ("town", "town_title", "coverage"),
    ("areas", "areas.title", "areas"),
    ("accounts", "accounts.title", "accounts"),
    ("retention", "keep.title", "retention"),
    ("town_record", "record.title", "town_record"),
    ("town_settings", "settings.title", "accounts"),
)
"""For the pages of the whole town."""


class ShownAlarms:
    """Alarms with the names of their compounds, where the page is not of one."""

    def __init__(
        self,
        found: alarms.Alarms,
        compounds: Mapping[int, Compound],
        of_one: bool,
        overspent: Sequence[shifts.OverBudget] = (),
    ):
        self.overspent = overspent
        self._compounds = compounds
        self._of_one = of_one
        self.twins = found.twins
        self.claimed = found.claimed
        self.stopped = [compounds[compound_id] for compound_id in found.stopped]

    def name_of(self, one: alarms.Twins | alarms.Ahead) -> str:
        """The gate, as people on this page call it."""
        whose = self._compounds[one.compound_id]
        name = (language() == "en" and whose.name_en) or whose.name_zh
        return one.gate_name if self._of_one else f"{name} {one.gate_name}"


class Office:
    """The pages of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre
        self._town = TownPages(centre)
        self._pairs = Tries(_WRONG_PASSWORDS, _WRONG_PASSWORDS_WINDOW_S)
        self._addresses = Tries(_WRONG_PASSWORDS * 4, _WRONG_PASSWORDS_WINDOW_S)
        self._accounts = Tries(_WRONG_PASSWORDS * 16, _WRONG_PASSWORDS_WINDOW_S)

    def blueprint(self) -> Blueprint:
        found = pages.dress(Blueprint("office", __name__))
        found.app_context_processor(pages.context)
        found.app_context_processor(
            lambda: {"may": self._may, "menu": self._menu, "town_menu": self._town_menu, "alarms": self._alarms}
        )
        open_to_all: tuple[tuple[str, View, tuple[str, ...]], ...] = (
            ("/sign-in", self.sign_in, ("GET", "POST")),
            ("/sign-out", self.sign_out, ("POST",)),
            ("/welcome/<secret>", self.welcome, ("GET", "POST")),
            ("/", self._signed_in(self.compounds), ("GET",)),
            ("/me", self._signed_in(Me(self._centre).me), ("GET", "POST")),
        )
        for rule, view, methods in open_to_all:
            found.add_url_rule(rule, view.__name__, view, methods=methods)
        for route in self.rooms():
            town = route.rule.startswith("/")
            guarded = self._signed_in(self._allowed(route) if town else self._scoped(route))
            rule = route.rule if town else f"/c/<int:compound_id>/{route.rule}"
            found.add_url_rule(rule, route.view.__name__, guarded, methods=route.methods)
        return found

    def rooms(self) -> tuple[Route, ...]:
        """Every page behind the sign-in."""
        rooms = (
            Review, Collection, Dwellings, Registers, Desk, Site, GuardPages, Poster, TownPages, TownSettings,
            Accounts, Areas, Retention, RecordPages, ShiftPages,
        )  # fmt: skip
        return tuple(route for room in rooms for route in room(self._centre).routes())

    # Who may what, where

    def _signed_in(self, view: View) -> View:
        @wraps(view)
        def signed_in(**kwargs: Any) -> Any:
            fresh = "id" in session and session["since"] + _SESSION_MS > self._centre.now_ms()
            who = (
                sign_in.get_staff(self._centre, session["account"], session["version"], session["id"])
                if fresh
                else None
            )
            if who is None:
                return redirect(url_for("office.sign_in"))
            g.staff = who
            return view(**kwargs)

        return signed_in

    def _allowed(self, route: Route) -> View:
        """A page of the whole town: the role decides; which compounds are in it is the view's to ask."""

        @wraps(route.view)
        def allowed(**kwargs: Any) -> Any:
            _must_have(route)
            g.timezone = next((one.timezone for one in sign_in.compounds_of(self._centre, g.staff)), "UTC")
            return route.view(**kwargs)

        return allowed

    def _scoped(self, route: Route) -> View:
        @wraps(route.view)
        def scoped(compound_id: int, **kwargs: Any) -> Any:
            mine = {compound.compound_id: compound for compound in sign_in.places_of(self._centre, g.staff)}
            if compound_id not in mine:
                abort(404)
            if "number" in kwargs and passes.compound_of(kwargs["number"]) != compound_id:
                abort(404)
            g.compound = mine[compound_id]
            _must_have(route)
            return route.view(g.compound, **kwargs)

        return scoped

    def _may(self, right: roles.Right) -> bool:
        return "staff" in g and roles.may(g.staff.role, right)

    def _menu(self) -> list[tuple[str, str]]:
        """(endpoint, word) of the pages of the compound that this account may open."""
        return [(f"office.{name}", word) for name, word, right in MENU if self._may(right)]

    def _town_menu(self) -> list[tuple[str, str]]:
        """For the pages of the whole town."""
        return [(f"office.{name}", word) for name, word, right in TOWN_MENU if self._may(right)]

    def _alarms(self) -> ShownAlarms:
        """What stands above every page: of its compound, or of all that the account may see. That nothing can be
        changed concerns everybody, gates only those who see them."""
        mine = [g.compound] if "compound" in g else sign_in.compounds_of(self._centre, g.staff)
        names = {compound.compound_id: compound for compound in mine}
        with self._centre.store.read() as conn:
            found = alarms.find_alarms(conn, list(names))
        shown = found if self._may("gates") else found.of_everybody()
        return ShownAlarms(shown, names, "compound" in g, self._overspent())

    def _overspent(self) -> list[shifts.OverBudget]:
        """Who overrode beyond the budget within a day: told on every page of the compound to those who see events."""
        if "compound" not in g or not self._may("events"):
            return []
        return shifts.over_budget(self._centre, g.compound.compound_id, self._centre.now_ms() - _DAY_MS)

    def sign_in(self) -> Any:
        """Account and password. Wrong ones are limited for an account from one address, so that a stranger elsewhere
        cannot lock its owner out; for an address, whatever the accounts; and, far higher, for an account from
        everywhere."""
        wrong = ""
        if request.method == "POST":
            account, address = request.form.get("account", "")[:64], client_network()
            tried = ((self._pairs, f"{account} {address}"), (self._addresses, address), (self._accounts, account))
            if any(tries.wait_s(who) for tries, who in tried):
                return render_template("office/sign_in.html", wrong="too_many"), 429
            who = sign_in.authenticate(self._centre, account, request.form.get("password", ""))
            if who is not None:
                return self._begin(who)
            for tries, whose in tried:
                tries.wrong(whose)
            wrong = "wrong_password"
        return render_template("office/sign_in.html", wrong=wrong), 403 if wrong else 200

    def _begin(self, who: Staff) -> AnyResponse:
        language = session.get("language", "zh")
        session.clear()
        session.update(
            id=secrets.token_urlsafe(16), account=who.account, version=who.version, since=self._centre.now_ms(),
            language=language,
        )  # fmt: skip
        return redirect(url_for("office.compounds"))

    def sign_out(self) -> AnyResponse:
        if "id" in session:
            sign_in.end_session(self._centre, session["id"], session["since"] + _SESSION_MS)
        session.clear()
        return redirect(url_for("office.sign_in"))

    def welcome(self, secret: str) -> Any:
        """Behind a one-time link: choose a password."""
        address = client_network()
        if self._addresses.wait_s(address):
            return render_template("office/sign_in.html", wrong="too_many"), 429
        try:
            who = sign_in.read_link(self._centre, secret)
            if request.method == "POST":
                return self._begin(sign_in.use_link(self._centre, secret, request.form.get("password", "")))
        except NoSuchThing:
            self._addresses.wrong(address)
            raise
        return render_template("office/welcome.html", who=who)

    def compounds(self) -> Any:
        """The compounds this account may see: their numbers, for who works with those or has several."""
        mine = sign_in.compounds_of(self._centre, g.staff)
        if self._may("coverage") and (len(mine) > 1 or not self._may("people")):
            return self._town.town()
        return render_template("office/compounds.html", found=mine)


def _must_have(route: Route) -> None:
    """What a page does with a GET may need less than what it does with a POST. Aborts with 403."""
    right = route.right if request.method in ("GET", "HEAD") or route.to_change is None else route.to_change
    if not roles.may(g.staff.role, right):
        abort(403)
