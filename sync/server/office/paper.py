"""A form on paper, typed in at the desk: one page, all fields, from the keyboard; and the slip the household keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import g, redirect, render_template, request, url_for
from sqlalchemy import Connection

from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.passes import card
from sync.server.people.households import application as form
from sync.server.people.households import households, record, slots
from sync.server.people.households.application import Applicant, Application
from sync.server.people.households.households import Household, local_day
from sync.server.residents import fields, letter
from sync.server.views import Route, error_text, language, whole_address


class Paper:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("paper", self.paper, ("GET", "POST"), "collect"),
            Route("paper/<int:household_id>", self.paper_slip, ("GET",), "collect"),
        )

    def paper(self, compound: Compound) -> Any:
        """The whole form on one page. What is typed stays, whatever is wrong with it."""
        today = local_day(compound, self._centre.now_ms())
        wrote = Application(people=[Applicant()], paper=True)
        if request.method == "GET":
            return self._page(compound, wrote)
        with self._centre.store.read() as conn:
            fields.read_fields(request.form, wrote, today)
            fields.settle_dwelling(conn, compound.compound_id, wrote)
        wrote.letter_name = wrote.letter_name or wrote.people[0].name
        wrote.language = "en" if request.form.get("tongue") == "en" else "zh"
        wrote.signature = ""
        if request.form.get("do") != "submit":
            return self._page(compound, wrote)
        try:
            done = households.submit(self._centre, compound.compound_id, wrote, g.staff.account)
        except households.Incomplete as error:
            return self._page(compound, wrote, error.mistakes), 409
        except CentreError as error:
            return self._page(compound, wrote, trouble=error_text(error)), 409
        address = url_for("office.paper_slip", compound_id=compound.compound_id, household_id=done.household_id)
        return redirect(address)

    def _page(self, compound: Compound, wrote: Application, mistakes: Any = (), trouble: str = "") -> str:
        now_ms = self._centre.now_ms()
        today = local_day(compound, now_ms)
        with self._centre.store.read() as conn:
            days, chosen = self._days(conn, compound, wrote)
        asked = request.form.get("do", "")
        people, rows = _room(wrote, asked)
        return render_template(
            "office/paper.html", application=wrote, people=people, rows=rows, mistakes=mistakes, trouble=trouble,
            wrong=fields.wrong_fields(mistakes, language()), days=days, chosen=chosen, today=today.isoformat(),
            first_day=(today - timedelta(days=form.JOURNEY_DAYS)).isoformat(), most_people=form.MOST_PEOPLE,
            where_is=lambda field: f"#{fields.field_name(field)}", label_of=fields.label_of, tongue=wrote.language,
            focus=f"people-{len(people) - 1}-name" if asked == "add-person" else "dwelling",
        )  # fmt: skip

    def _days(self, conn: Connection, compound: Compound, wrote: Application) -> tuple[list[letter.Day], str]:
        """What is free, and the time that is ticked: the first where none was chosen."""
        offered = slots.offer(conn, compound, wrote.building, self._centre.now_ms(), paper=True)
        chosen = letter.slot_value(wrote.desk_id, wrote.slot_ms)
        free = [letter.slot_value(one.desk_id, one.at_ms) for one in offered]
        chosen = chosen if chosen in free else next(iter(free), "")
        desks, zone = slots.list_desks(conn, compound.compound_id), ZoneInfo(compound.timezone)
        return letter.days(offered, desks, zone, chosen), chosen

    def paper_slip(self, compound: Compound, household_id: int) -> Any:
        """What the household takes away: number and slot; anyone who applied on paper gets the code of its own page."""
        with self._centre.writing(compound.compound_id, g.staff.account, even_stopped=True) as writing:
            record.note_opened(writing, household_id)
        with self._centre.store.read() as conn:
            household = households.get_household(conn, compound.compound_id, household_id)
            code = card.drawn(self._code(conn, household)) if household.source == "paper" else ""
            desk = slots.get_desk(conn, compound.compound_id, household.desk_id) if household.desk_id else None
            people = households.people_of(conn, compound.compound_id, household_id)
        return render_template(
            "office/paper_slip.html", household=household, desk=desk, people=people, code=code,
        )  # fmt: skip

    def _code(self, conn: Connection, household: Household) -> str:
        """What the slip's code says: where the household's page is, else its number. The desk reads both."""
        link = households.link_of(
            self._centre.vault, household.compound_id, household.household_id, household.link_version
        )
        return whole_address(conn, letter.home_path(household.compound_id, link)) or household.number


def _room(wrote: Application, asked: str) -> tuple[list[Applicant], int]:
    """People to show, an empty one at the end where one was asked for; and rows of places."""
    people = list(wrote.people) or [Applicant()]
    if asked == "add-person" and len(people) < form.MOST_PEOPLE:
        people.append(Applicant(same_residence="yes", travelled="yes"))
    rows = max((len(person.journeys) for person in people), default=0)
    return people, min(rows + asked.startswith("add-journeys"), form.MOST_JOURNEYS)
