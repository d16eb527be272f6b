"""The signed-in pages, first form. Every look-up carries the compound of the address, and the account is asked whether
it may see that compound before anything else happens: another compound's object is 404, as if it did not exist."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
from flask import Blueprint, Response, abort, g, make_response, redirect, render_template, request, session, url_for
from flask_wtf.csrf import CSRFError
from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from sync.credential import DIGITS_STEP_S, KIND_NUMBERS, digits_at
from sync.protocol import Rules
from sync.server import card, compounds, events, fleet, guards, passes, staff, words
from sync.server.centre import Centre, CentreError, Compound, NoSuchThing
from sync.server.load import Tries
from sync.server.passes import Order

_SESSION_MS = 12 * 3_600_000
_WRONG_PASSWORDS = 8
_WRONG_PASSWORDS_WINDOW_S = 600
_CSP = "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
_CSP += "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

View = Callable[..., Any]


class Pages:
    """The pages of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre
        self._addresses = Tries(_WRONG_PASSWORDS * 4, _WRONG_PASSWORDS_WINDOW_S)
        self._accounts = Tries(_WRONG_PASSWORDS, _WRONG_PASSWORDS_WINDOW_S)

    def blueprint(self) -> Blueprint:
        found = Blueprint("pages", __name__)
        found.before_request(self._before)
        found.after_request(_protect)
        found.app_context_processor(self._context)
        for kind in (CentreError, CSRFError, HTTPException):
            found.register_error_handler(kind, explain)
        open_to_all: tuple[tuple[str, View, tuple[str, ...]], ...] = (
            ("/sign-in", self.sign_in, ("GET", "POST")),
            ("/sign-out", self.sign_out, ("POST",)),
            ("/welcome/<secret>", self.welcome, ("GET", "POST")),
            ("/", self._signed_in(self.compounds), ("GET",)),
        )
        for rule, view, methods in open_to_all:
            found.add_url_rule(rule, view.__name__, view, methods=methods)
        of_compound: tuple[tuple[str, View, tuple[str, ...]], ...] = (
            ("passes", self.passes, ("GET", "POST")),
            ("passes/<number>", self.one_pass, ("GET", "POST")),
            ("passes/<number>/card", self.card, ("GET",)),
            ("passes/<number>/phone", self.phone, ("GET",)),
            ("passes/<number>/phone.svg", self.phone_svg, ("GET",)),
            ("gates", self.gates, ("GET", "POST")),
            ("gates/<gate_id>/code", self.gate_code, ("POST",)),
            ("gates/<gate_id>/withdraw", self.gate_withdraw, ("POST",)),
            ("gates/<gate_id>/events", self.events, ("GET",)),
            ("guards", self.guards, ("GET", "POST")),
            ("guards/<account>", self.guard, ("POST",)),
            ("rules", self.rules, ("GET", "POST")),
        )
        for rule, view, methods in of_compound:
            scoped = self._signed_in(self._scoped(view))
            found.add_url_rule(f"/c/<int:compound_id>/{rule}", view.__name__, scoped, methods=methods)
        return found

    # Who, where, in which language

    def _before(self) -> AnyResponse | None:
        wanted = request.args.get("lang")
        if wanted in ("zh", "en"):
            session["language"] = wanted
        g.language = session.get("language", "zh")
        return None

    def _context(self) -> dict[str, Any]:
        language: words.Language = "en" if g.get("language") == "en" else "zh"
        return {
            "t": lambda key: words.say(language, key), "language": language, "kinds": list(KIND_NUMBERS),
            "staff": g.get("staff"), "compound": g.get("compound"), "local": _local,
        }  # fmt: skip

    def _signed_in(self, view: View) -> View:
        @wraps(view)
        def signed_in(**kwargs: Any) -> Any:
            fresh = session.get("since", 0) + _SESSION_MS > self._centre.now_ms()
            who = (
                staff.get_staff(self._centre, session.get("account", ""), session.get("version", 0)) if fresh else None
            )
            if who is None:
                return redirect(url_for("pages.sign_in"))
            g.staff = who
            return view(**kwargs)

        return signed_in

    def _scoped(self, view: View) -> View:
        @wraps(view)
        def scoped(compound_id: int, **kwargs: Any) -> Any:
            mine = {compound.compound_id: compound for compound in staff.compounds_of(self._centre, g.staff)}
            if compound_id not in mine:
                abort(404)
            if "number" in kwargs and passes.compound_of(kwargs["number"]) != compound_id:
                abort(404)
            g.compound = mine[compound_id]
            return view(g.compound, **kwargs)

        return scoped

    def sign_in(self) -> Any:
        """Account and password; tries are limited per account and per address."""
        wrong = ""
        if request.method == "POST":
            account, address = request.form.get("account", "")[:64], request.remote_addr or ""
            if self._accounts.wait_s(account) or self._addresses.wait_s(address):
                return render_template("sign_in.html", wrong="too_many"), 429
            who = staff.sign_in(self._centre, account, request.form.get("password", ""))
            if who is not None:
                return self._begin(who)
            self._accounts.wrong(account)
            self._addresses.wrong(address)
            wrong = "wrong_password"
        return render_template("sign_in.html", wrong=wrong), 403 if wrong else 200

    def _begin(self, who: staff.Staff) -> AnyResponse:
        language = session.get("language", "zh")
        session.clear()
        session.update(account=who.account, version=who.version, since=self._centre.now_ms(), language=language)
        return redirect(url_for("pages.compounds"))

    def sign_out(self) -> AnyResponse:
        session.clear()
        return redirect(url_for("pages.sign_in"))

    def welcome(self, secret: str) -> Any:
        """Behind a one-time link: choose a password."""
        address = request.remote_addr or ""
        if self._addresses.wait_s(address):
            return render_template("sign_in.html", wrong="too_many"), 429
        try:
            who = staff.read_link(self._centre, secret)
            if request.method == "POST":
                return self._begin(staff.use_link(self._centre, secret, request.form.get("password", "")))
        except NoSuchThing:
            self._addresses.wrong(address)
            raise
        return render_template("welcome.html", who=who)

    def compounds(self) -> Any:
        """The compounds this account may see."""
        return render_template("compounds.html", found=staff.compounds_of(self._centre, g.staff))

    # Passes

    def passes(self, compound: Compound) -> Any:
        """Search, and issue."""
        if request.method == "POST":
            made = passes.issue(self._centre, compound.compound_id, self._order(compound), g.staff.account)
            return redirect(url_for("pages.one_pass", compound_id=compound.compound_id, number=made.number))
        term, page = request.args.get("q", "").strip()[:64], _page()
        found, more = passes.find_passes(self._centre, compound.compound_id, term, page)
        return render_template("passes.html", found=found, term=term, page=page, more=more)

    def _order(self, compound: Compound) -> Order:
        form, now_ms = request.form, self._centre.now_ms()
        ends = form.get("until", "")
        until_ms = passes.read_time(ends, compound.timezone, True) if ends else now_ms + passes.DEFAULT_VALIDITY_MS
        return Order(
            kind=form.get("kind", ""), label=passes.masked(form.get("label", "")),
            dwelling=form.get("dwelling", "").strip(), plate=form.get("plate", "").strip(),
            valid_from_ms=now_ms, valid_until_ms=until_ms, phone="phone" in form,
        )  # fmt: skip

    def one_pass(self, compound: Compound, number: str) -> Any:
        """One pass, and what may be done with it."""
        if request.method == "POST":
            self._act(compound, number, request.form.get("do", ""))
            return redirect(request.path)
        found = passes.get_pass(self._centre, number)
        live = {c.medium for c in found.credentials if c.state in ("printed", "active")}
        return render_template("pass.html", found=found, live=live)

    def _act(self, compound: Compound, number: str, what: str) -> None:
        centre, by = self._centre, g.staff.account
        actions: dict[str, Callable[[], passes.Pass]] = {
            "hand_over": lambda: passes.hand_over(centre, number, by),
            "suspend": lambda: passes.suspend(centre, number, by),
            "resume": lambda: passes.resume(centre, number, by),
            "revoke": lambda: passes.revoke(centre, number, by),
            "attention": lambda: passes.set_attention(centre, number, True, by),
            "no_attention": lambda: passes.set_attention(centre, number, False, by),
            "reissue_card": lambda: passes.reissue(centre, number, ("card",), by),
            "reissue_phone": lambda: passes.reissue(centre, number, ("phone",), by),
            "extend": lambda: passes.extend(
                centre, number, passes.read_time(request.form.get("until", ""), compound.timezone, True), by
            ),
        }
        if what not in actions:
            abort(400)
        actions[what]()

    def card(self, compound: Compound, number: str) -> Any:
        """A card to print, 86 × 54 mm."""
        found = passes.get_pass(self._centre, number)
        code = card.svg(passes.credential_text(self._centre, number, "card"))
        return render_template("card.html", found=found, code=Markup(code))  # noqa: S704 (drawn by us, no text in it)

    def phone(self, compound: Compound, number: str) -> Any:
        """The live phone code; opening it is recorded."""
        passes.phone_code(self._centre, number, g.staff.account)
        return render_template("phone.html", found=passes.get_pass(self._centre, number))

    def phone_svg(self, compound: Compound, number: str) -> Any:
        """The phone's code at this moment, by the centre's clock; ``Next-In`` says in how many ms it changes."""
        code, now_ms = passes.read_phone_code(self._centre, number), self._centre.now_ms()
        step, into_ms = divmod(now_ms, DIGITS_STEP_S * 1000)
        drawn = make_response(card.svg(f"{code.text}.{digits_at(code.secret, step)}"))
        drawn.headers.update({"Content-Type": "image/svg+xml", "Next-In": str(DIGITS_STEP_S * 1000 - into_ms)})
        return drawn

    # Gates

    def gates(self, compound: Compound) -> Any:
        """Gates with their devices; a new one shows its enrolment code once."""
        code = None
        if request.method == "POST":
            code = fleet.add_gate(
                self._centre, compound.compound_id, request.form.get("name", "").strip(), g.staff.account
            )
        return self._show_gates(compound, code)

    def _show_gates(self, compound: Compound, code: fleet.Code | None) -> str:
        return render_template("gates.html", found=fleet.list_gates(self._centre, compound.compound_id), code=code)

    def gate_code(self, compound: Compound, gate_id: str) -> Any:
        return self._show_gates(compound, fleet.new_code(self._centre, compound.compound_id, gate_id, g.staff.account))

    def gate_withdraw(self, compound: Compound, gate_id: str) -> Any:
        fleet.withdraw(self._centre, compound.compound_id, gate_id, g.staff.account)
        return redirect(url_for("pages.gates", compound_id=compound.compound_id))

    def events(self, compound: Compound, gate_id: str) -> Any:
        """Events of one gate, the newest first."""
        gate = fleet.find_gate(self._centre, compound.compound_id, gate_id)
        page = _page()
        found, more = events.find_events(self._centre, compound.compound_id, gate.gate, page)
        return render_template("events.html", gate=gate, found=found, page=page, more=more)

    # Guards and rules

    def guards(self, compound: Compound) -> Any:
        """Guard accounts."""
        if request.method == "POST":
            role = cast(guards.Role, request.form.get("role", ""))
            name, pin = request.form.get("name", "").strip(), request.form.get("pin", "")
            guards.add_guard(self._centre, compound.compound_id, name, role, pin, g.staff.account)
            return redirect(request.path)
        return render_template(
            "guards.html", found=guards.list_guards(self._centre, compound.compound_id), roles=guards.ROLES
        )

    def guard(self, compound: Compound, account: str) -> Any:
        """A new PIN, or stopped, or let in again."""
        what, by = request.form.get("do", ""), g.staff.account
        if what == "pin":
            guards.change_guard(self._centre, compound.compound_id, account, by, pin=request.form.get("pin", ""))
        elif what in ("stop", "let_in"):
            guards.change_guard(self._centre, compound.compound_id, account, by, active=what == "let_in")
        else:
            abort(400)
        return redirect(url_for("pages.guards", compound_id=compound.compound_id))

    def rules(self, compound: Compound) -> Any:
        """Every rule as JSON, saved together."""
        if request.method == "POST":
            fields = {name: request.form.get(name, "null") for name in Rules.__struct_fields__}
            written = "{" + ",".join(f'"{name}":{value or "null"}' for name, value in fields.items()) + "}"
            compounds.set_rules(self._centre, compound.compound_id, compounds.parse_rules(written), g.staff.account)
            return redirect(request.path)
        rules = msgspec.to_builtins(compounds.read_rules(compound))
        return render_template("rules.html", rules={k: msgspec.json.encode(v).decode() for k, v in rules.items()})


def _page() -> int:
    value = request.args.get("page", "1")
    return int(value) if value.isascii() and value.isdigit() and 1 <= len(value) <= 6 else 1


def _local(utc_ms: int) -> str:
    """A time in the compound's timezone, as people write it."""
    zone = ZoneInfo(g.compound.timezone) if g.get("compound") else UTC
    return datetime.fromtimestamp(utc_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")


def _protect(response: Response) -> Response:
    response.headers.update({
        "Content-Security-Policy": _CSP, "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    })  # fmt: skip
    return response


def explain(error: Exception) -> tuple[str, int]:
    """An error as a page, in words, in the language of the session."""
    g.setdefault("language", session.get("language", "zh"))
    if isinstance(error, NoSuchThing) or (isinstance(error, HTTPException) and error.code == 404):
        return render_template("error.html", key="not_found", why=""), 404
    if isinstance(error, CSRFError):
        return render_template("error.html", key="form_expired", why=""), 400
    if isinstance(error, CentreError):
        why = (g.get("language") != "en" and error.chinese) or str(error)
        return render_template("error.html", key="not_done", why=why), 409
    code = error.code if isinstance(error, HTTPException) and error.code else 500
    return render_template("error.html", key="broken" if code >= 500 else "not_done", why=""), code
