"""Staff accounts: made by the town, each with a one-time link; and one's own account."""

from __future__ import annotations

from typing import Any

from flask import abort, g, redirect, render_template, request, session, url_for

from sync.server.centre.errors import CentreError
from sync.server.centre.load import Tries
from sync.server.centre.writing import Centre
from sync.server.passes import card
from sync.server.staff import accounts, roles, sign_in
from sync.server.views import Route, address_to_give, error_text, local, or_again

_WRONG_PASSWORDS = 8
_WRONG_PASSWORDS_WINDOW_S = 600


class Accounts:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        post = ("GET", "POST")
        return (
            Route("/accounts", self.accounts, post, "accounts"),
            Route("/accounts/<who>", self.one_account, post, "accounts"),
        )

    def accounts(self) -> Any:
        """Everybody's, and a new one, whose link is shown once."""
        if request.method == "POST":
            return or_again(self._make, "office/accounts.html", self._list)
        return render_template("office/accounts.html", form={}, **self._list())

    def _list(self) -> dict[str, Any]:
        names = {compound.compound_id: compound for compound in self._compounds()}
        chosen = {int(text) for text in request.form.getlist("compound") if text.isdecimal() and len(text) < 10}
        found = accounts.list_accounts(self._centre)
        return {"found": found, "names": names, "roles": roles.ROLES, "chosen": chosen, "now_ms": self._centre.now_ms()}

    def _compounds(self) -> Any:
        return sign_in.compounds_of(self._centre, g.staff)

    def _make(self) -> str:
        account, name = request.form.get("account", "").strip(), request.form.get("name", "").strip()
        role, everywhere, mine = _wanted()
        base = self._base()
        made = sign_in.add_staff(self._centre, account, name, everywhere, mine, role, g.staff.account)
        return self._show_link(base, made)

    def _base(self) -> str:
        """Where everybody reaches the centre. Raises NoPublicAddress, before a link is made that cannot be shown."""
        with self._centre.store.read() as conn:
            return address_to_give(conn, "")

    def _show_link(self, base: str, link: sign_in.Link) -> str:
        """Once, large; nothing else is on that page."""
        address = base + link.path
        code = card.drawn(address)
        return render_template("office/link.html", link=link, address=address, code=code, until=local(link.ends_ms))

    def one_account(self, who: str) -> Any:
        """One account: its name, role and compounds; another link; stopped or let in."""
        accounts.get_account(self._centre, who)
        if request.method == "POST":
            return or_again(lambda: self._act(who), "office/account.html", lambda: self._one(who))
        return render_template("office/account.html", form={}, **self._one(who))

    def _one(self, who: str) -> dict[str, Any]:
        found = self._list()
        one = accounts.get_account(self._centre, who)
        asked = request.form.get("do") == "save"
        return found | {"one": one, "chosen": found["chosen"] if asked else set(one.compound_ids)}

    def _act(self, who: str) -> Any:
        what, by = request.form.get("do", ""), g.staff.account
        if what == "link":
            return self._show_link(self._base(), sign_in.new_link(self._centre, who, by))
        if what in ("stop", "let_in"):
            accounts.set_active(self._centre, who, what == "let_in", by)
        elif what == "save":
            accounts.change(self._centre, who, request.form.get("name", ""), *_wanted(), by)
        else:
            abort(400)
        return redirect(url_for("office.one_account", who=who, saved=1))


def _wanted() -> tuple[Any, bool, list[int]]:
    """(role, everywhere, compounds) of a form. The town's own accounts are for all of it."""
    role = request.form.get("role", "")
    everywhere = role == "town" or request.form.get("where") == "everywhere"
    mine = [int(text) for text in request.form.getlist("compound") if text.isdecimal() and len(text) < 10]
    return role, everywhere, [] if everywhere else mine


class Me:
    """The page of one's own account."""

    def __init__(self, centre: Centre):
        self._centre = centre
        self._tries = Tries(_WRONG_PASSWORDS, _WRONG_PASSWORDS_WINDOW_S)

    def me(self) -> Any:
        """Who am I, and what may I; another password, with the old one; sign out everywhere."""
        what = request.form.get("do", "")
        if what == "everywhere":
            accounts.end_sessions(self._centre, g.staff.account)
            session.clear()
            return redirect(url_for("office.sign_in"))
        if request.method == "POST":
            return self._password() if what == "password" else abort(400)
        return self._page()

    def _page(self, wrong: str = "") -> str:
        mine = sign_in.compounds_of(self._centre, g.staff)
        return render_template("office/me.html", mine=mine, rights=roles.MAY[g.staff.role], wrong=wrong)

    def _password(self) -> Any:
        account, old, new = g.staff.account, request.form.get("old", ""), request.form.get("password", "")
        if self._tries.wait_s(account):
            return self._page("too_many"), 429
        try:
            if not accounts.change_password(self._centre, account, old, new):
                self._tries.wrong(account)
                return self._page("me.wrong_old"), 409
        except CentreError as error:
            return render_template("error.html", key="not_done", why=error_text(error)), 409
        now = sign_in.authenticate(self._centre, account, new)
        session["version"] = now.version if now else 0
        return redirect(url_for("office.me", saved=1))
