"""From the poster to the application: the first page, the draft, and what the applicant takes away. The steps between
are in steps.py."""

from __future__ import annotations

from typing import Any

from flask import current_app, redirect, render_template, request, url_for
from sqlalchemy import Connection, select

from sync.server.centre import tables
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.load import Tries
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.passes import card
from sync.server.people import identity
from sync.server.people.households import doubts, drafts, households, phone_code, slots
from sync.server.people.households.application import Applicant, Application
from sync.server.people.households.drafts import Draft
from sync.server.people.households.households import Household
from sync.server.people.keeping import retention
from sync.server.residents import jar, letter
from sync.server.residents.steps import Steps
from sync.server.views import OpenRoute, client_network, language, local, whole_address
from sync.server.words import say

MOST_DRAFTS = 3000
"""Drafts an address may begin in an hour: a whole compound may share one, and on its first day 2,000 households apply
in two hours, some of them twice."""
MOST_WRONG = 30
MOST_WRONG_FOR_ONE = 10
MOST_WRONG_OF_ALL = 200
"""Wrong phones for one number, from anywhere: far above what one stranger is let try, so that none locks it alone."""
_HOUR_S = 3600
_PHONE_PAGE = "residents.phone_pass"


class Form:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre
        self._begun = Tries(MOST_DRAFTS, _HOUR_S)
        self._wrong = Tries(MOST_WRONG, _HOUR_S)
        self._wrong_for = Tries(MOST_WRONG_FOR_ONE, _HOUR_S)
        self._wrong_of_all = Tries(MOST_WRONG_OF_ALL, _HOUR_S)

    def routes(self) -> tuple[OpenRoute, ...]:
        read, post = ("GET",), ("POST",)
        return (
            OpenRoute("/j/<int:compound_id>", self.entry, read),
            OpenRoute("/j/<int:compound_id>/privacy", self.privacy, read),
            OpenRoute("/j/<int:compound_id>/begin", self.begin, post),
            OpenRoute("/j/<int:compound_id>/forget", self.forget, post),
            OpenRoute("/j/<int:compound_id>/done", self.done, read),
            OpenRoute("/j/<int:compound_id>/state", self.find_state, ("GET", "POST")),
            OpenRoute("/j/<int:compound_id>/s/<link>/correct", self.correct, post),
            *Steps(self._centre).routes(),
        )

    def entry(self, compound: Compound) -> Any:
        """Where the poster's code leads; a browser that holds a pass is led to it, unless it asks to ``stay``."""
        holds = f"pass_{compound.compound_id}" in request.cookies and _PHONE_PAGE in current_app.view_functions
        if holds and "stay" not in request.args:
            return redirect(url_for(_PHONE_PAGE, compound_id=compound.compound_id))
        with self._centre.store.read() as conn:
            draft = self._draft(conn, compound)
            if draft is not None and draft.submitted and not self._leads(conn, compound, draft.link):
                draft = None
            kept_until = _kept_until(conn)
        home = letter.home_path(compound.compound_id, draft.link) if draft else ""
        forgotten = "forgotten" in request.args
        return render_template(
            "residents/entry.html", draft=draft, home=home, kept_until=kept_until, forgotten=forgotten
        )

    def _leads(self, conn: Connection, compound: Compound, link: str) -> bool:
        """Whether a household's link still leads to it."""
        try:
            return bool(households.by_link(conn, self._centre.vault, compound.compound_id, link))
        except NoSuchThing:
            return False

    def privacy(self, compound: Compound) -> Any:
        """What is asked, why, who sees it, and until when."""
        with self._centre.store.read() as conn:
            kept_until = _kept_until(conn)
        return render_template("residents/privacy.html", kept_until=kept_until, clocks=retention.clocks(self._centre))

    def _draft(self, conn: Connection, compound: Compound) -> Draft | None:
        token = jar.token(compound.compound_id)
        return drafts.read(conn, self._centre.vault, compound.compound_id, token, self._centre.now_ms())

    # The draft

    def begin(self, compound: Compound) -> Any:
        """Begin a draft; one that is there already is gone on with."""
        with self._centre.store.read() as conn:
            there = self._draft(conn, compound)
        if there is not None and not there.submitted:
            return redirect(url_for("residents.form_where", compound_id=compound.compound_id))
        return self._begin(compound, Draft(application=Application(people=[Applicant()], language=language())))

    def _begin(self, compound: Compound, draft: Draft) -> Any:
        compound_id, address = compound.compound_id, client_network()
        if self._begun.wait_s(address):
            return render_template("residents/error.html", key="too_many", why=""), 429
        self._begun.wrong(address)
        with self._centre.writing(compound_id, "resident", even_stopped=True) as writing:
            token = drafts.begin(writing, self._centre.vault, draft)
        page = "form_review" if draft.household_id else "form_where"
        return jar.keep(redirect(url_for(f"residents.{page}", compound_id=compound_id)), compound_id, token)

    def forget(self, compound: Compound) -> Any:
        """Delete this browser's draft, and what it remembers of an application."""
        compound_id = compound.compound_id
        if token := jar.token(compound_id):
            with self._centre.writing(compound_id, "resident", even_stopped=True) as writing:
                drafts.forget(writing, self._centre.vault, token)
        return jar.empty(redirect(url_for("residents.entry", compound_id=compound_id, forgotten=1)), compound_id)

    def correct(self, compound: Compound, link: str) -> Any:
        """Begin a draft from what a household has submitted; the steps are the same, and it is signed again.

        The form shows whole numbers, and a link can be seen by others, at the desk or forwarded: a browser that did not
        apply itself is asked for the household's telephone number first.
        """
        vault = self._centre.vault
        with self._centre.store.read() as conn:
            household = households.by_link(conn, vault, compound.compound_id, link)
            there = self._draft(conn, compound)
            wrote = households.read_application(conn, vault, household)
        if household.state not in households.OPEN_STATES:
            raise CentreError("申请已办结，需要更改请到物业。", "This application is decided already; ask the desk.")
        if (there is None or there.link != link) and (asked := self._ask_phone(household)) is not None:
            return asked
        if there is not None and not there.submitted and there.household_id == household.household_id:
            return redirect(url_for("residents.form_review", compound_id=compound.compound_id))
        wrote.signature, wrote.paper, wrote.sign_at_desk = "", False, False
        return self._begin(compound, Draft(application=wrote, household_id=household.household_id, link=link))

    def _ask_phone(self, household: Household) -> Any:
        """None where the telephone number that was sent along is the household's; otherwise the page that asks."""
        phone = request.form.get("phone", "")[:30]
        if self._waits(household.number):
            return render_template("residents/whose.html", wrong="too_many"), 429
        if not phone:
            return render_template("residents/whose.html", wrong="")
        if self._state(household.compound_id, household.number, phone):
            return None
        self._note_wrong(household.number)
        return render_template("residents/whose.html", wrong="found_other_phone"), 409

    # Guessing has an end

    def _tried(self, number: str) -> tuple[tuple[Tries, str], ...]:
        address = client_network()
        return (self._wrong, address), (self._wrong_for, f"{number} {address}"), (self._wrong_of_all, number)

    def _waits(self, number: str) -> bool:
        return any(tries.wait_s(who) for tries, who in self._tried(number))

    def _note_wrong(self, number: str) -> None:
        for tries, who in self._tried(number):
            tries.wrong(who)

    # After submitting

    def done(self, compound: Compound) -> Any:
        """The number, the slot, and the address of the household's own page."""
        compound_id = compound.compound_id
        with self._centre.store.read() as conn:
            draft = self._draft(conn, compound)
            if draft is None or not draft.submitted:
                return redirect(url_for("residents.entry", compound_id=compound_id))
            found = households.by_link(conn, self._centre.vault, compound_id, draft.link)
            address = whole_address(conn, letter.home_path(compound_id, draft.link))
            place = _place(conn, found)
            signed = tables.household.c.sealed_signature
            mine = (tables.household.c.compound_id == compound_id,
                    tables.household.c.household_id == found.household_id)  # fmt: skip
            asks_code = phone_code.is_asked(conn, found)
            unsigned = not conn.execute(select(signed).where(*mine)).scalar_one()
        code = card.draw(address or found.number)  # the desk reads both
        return render_template(
            "residents/done.html", found=found, home=letter.home_path(compound_id, draft.link), address=address,
            slot=local(found.slot_ms) if found.desk_id else "", place=place, sign_at_desk=unsigned,
            code=code.svg(), code_rows=" ".join(code.rows), link=draft.link, asks_code=asks_code,
            may_choose=doubts.may_choose(found.signs),
        )  # fmt: skip

    def find_state(self, compound: Compound) -> Any:
        """The state, and nothing else, for a number and the phone that belongs to it. Which of the two was wrong is not
        said, and neither is whether there is such a number."""
        if request.method == "GET":
            return render_template("residents/state.html", state="", wrong="", number="")
        number = request.form.get("number", "").strip().upper()[:20]
        if self._waits(number):
            return render_template("residents/state.html", state="", wrong="too_many", number=number), 429
        state = self._state(compound.compound_id, number, request.form.get("phone", "")[:30])
        if not state:
            self._note_wrong(number)
        wrong = "" if state else "found_nothing"
        return render_template("residents/state.html", state=state, wrong=wrong, number=number), 409 if wrong else 200

    def _state(self, compound_id: int, number: str, phone: str) -> str:
        """Empty where number and phone do not belong together."""
        try:
            mark = self._centre.vault.mark("phone", identity.check_phone(phone))
        except CentreError:
            return ""
        columns = tables.household.c
        mine = (columns.compound_id == compound_id, columns.number == number, columns.phone_mark == mark)
        with self._centre.store.read() as conn:
            found = conn.execute(select(columns.household_id).where(*mine)).scalar()
            return households.get_household(conn, compound_id, found).stage if found else ""


def _kept_until(conn: Connection) -> str:
    """When applications are deleted, in the language of the page."""
    periods = retention.read_periods(conn)
    key = "privacy_until_day" if periods.measure_end else "privacy_until_open"
    return say(language(), key).format(day=periods.measure_end, n=periods.days["household"])


def _place(conn: Connection, found: Household) -> str:
    try:
        desk = slots.get_desk(conn, found.compound_id, found.desk_id)
    except NoSuchThing:
        return ""
    return " · ".join((desk.name_en, desk.place_en) if language() == "en" else (desk.name_zh, desk.place_zh))
