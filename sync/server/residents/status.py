"""A household's own page behind its unguessable link: how it stands, and what the household may change by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.exceptions import TooManyRequests

from sync.protocol import Terms
from sync.server import words
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.load import Tries
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre, Writing
from sync.server.passes import card, compounds, passes
from sync.server.passes.terms import read_own, tell_terms
from sync.server.people import without_pass
from sync.server.people.households import application as form
from sync.server.people.households import changes, doubts, households, notices, phone_code, phone_pass, slots, visitors
from sync.server.people.households.application import Applicant
from sync.server.people.households.households import Household
from sync.server.people.households.visitors import Visitor
from sync.server.people.keeping import retention
from sync.server.people.registers import own_record
from sync.server.residents import fields, letter
from sync.server.views import OpenRoute, client_network, error_text, language, whole_address

_WRONG_LINKS = 30
_WINDOW_S = 3600
Act = Callable[[Writing, Household], object]
STEPS = ("applied", "checked", "approved", "collected")
"""The line of steps, as people see them."""
_AT: dict[str, int] = {"applied": 1, "correct": 1, "observe": 1, "not_here": 1, "approved": 2, "collected": 4}


class Status:
    """Views of one centre. The link in the address is a secret: no page names it to another site, nothing logs it."""

    def __init__(self, centre: Centre):
        self._centre = centre
        self._wrong = Tries(_WRONG_LINKS, _WINDOW_S)

    def routes(self) -> tuple[OpenRoute, ...]:
        home, read, post = "/j/<int:compound_id>/s/<link>", ("GET",), ("GET", "POST")
        return (
            OpenRoute(home, self.household, read),
            OpenRoute(f"{home}/slot", self.household_slot, post),
            OpenRoute(f"{home}/code", self.household_code, post),
            OpenRoute(f"{home}/cancel", self.household_cancel, post),
            OpenRoute(f"{home}/moved", self.household_moved, post),
            OpenRoute(f"{home}/object", self.household_object, post),
            OpenRoute(f"{home}/lost", self.household_lost, post),
            OpenRoute(f"{home}/plate", self.household_plate, post),
            OpenRoute(f"{home}/person", self.household_person, post),
            OpenRoute(f"{home}/record", self.household_record, read),
            OpenRoute(f"{home}/visitors", self.household_visitors, post),
            OpenRoute(f"{home}/visitors/<number>", self.household_visitor, post),
        )

    # Whose page it is

    def _whose(self, conn: Connection, compound: Compound, link: str) -> Household:
        """Raises NoSuchThing; anyone who guesses too often waits, but nobody with a right link."""
        try:
            return households.by_link(conn, self._centre.vault, compound.compound_id, link)
        except NoSuchThing:
            self._wrong.wrong(client_network())
            if wait_s := self._wrong.wait_s(client_network()):
                raise TooManyRequests(retry_after=wait_s) from None
            raise

    def _read(self, compound: Compound, link: str) -> Household:
        with self._centre.store.read() as conn:
            return self._whose(conn, compound, link)

    def _do(self, compound: Compound, link: str, act: Act) -> None:
        """Let the household do something, in its own name."""
        number = self._read(compound, link).number
        with self._centre.writing(compound.compound_id, f"resident:{number}") as writing:
            act(writing, self._whose(writing.conn, compound, link))

    def _deed(self, compound: Compound, link: str, deed: str, act: Act, more: Callable[[Household], Any]) -> Any:
        """A page that asks, and does it when it is sent; what cannot be done is told on it, with what was typed."""
        household = self._read(compound, link)
        if request.method == "GET" and deed not in changes.deeds(household):
            return redirect(_home(compound, link))
        trouble = ""
        if request.method == "POST":
            try:
                self._do(compound, link, act)
                return redirect(_home(compound, link, done=deed))
            except NoSuchThing:
                raise
            except CentreError as error:
                trouble, household = error_text(error), self._read(compound, link)
        known = {"household": household, "link": link, "wrong": trouble, "form": request.form, "deed": deed}
        page = render_template(f"residents/status_{deed}.html", **known | more(household))
        return page, 409 if trouble else 200

    # The page itself

    def household(self, compound: Compound, link: str) -> Any:
        """How it stands, and what can be done now."""
        now_ms = self._centre.now_ms()
        with self._centre.store.read() as conn:
            household = self._whose(conn, compound, link)
            approved = household.state == "approved"
            people = households.people_of(conn, compound.compound_id, household.household_id)
            vehicles = households.vehicles_of(conn, compound.compound_id, household.household_id)
            mine = changes.passes_of(conn, household)
            phones = {one.number for one in mine if phone_pass.has_browser(conn, compound.compound_id, one.number)}
            desk, names = _desk(conn, household), changes.names_of(conn, household)
            coming = visitors.coming(visitors.visitors_of(conn, household), self._today(compound))
            address = whole_address(conn, letter.home_path(compound.compound_id, link))
            asks_code = phone_code.is_asked(conn, household)
            # Not before somebody has checked that they live there: the gate's record is about the dwelling.
            mine_to_see = compound.compound_id, household.household_id, household.dwelling
            entries = without_pass.entries_of(conn, *mine_to_see, now_ms) if approved else []
        return render_template(
            "residents/status.html", household=household, link=link, deeds=changes.deeds(household), mine=mine,
            names=names, slot_stands=changes.slot_stands(household), can_choose=_soon(household, now_ms),
            phones=phones, desk=desk, coming=coming, steps=STEPS, at=_AT.get(household.stage, 0),
            waiting=[p.name for p in people if approved and not p.pass_id]
            + [v.plate for v in vehicles if approved and not v.pass_id],
            shown=lambda one: passes.shown_state(one, now_ms),
            told=lambda one: self._told(compound, one.kind, one.own), observed=household.observed_until_ms > now_ms,
            entries=entries, done=_done(), asks_code=asks_code, may_choose=doubts.may_choose(household.signs),
            **_drawn(address or household.number),
        )  # fmt: skip

    def _today(self, compound: Compound) -> Any:
        return households.local_day(compound, self._centre.now_ms())

    # Deeds

    def household_slot(self, compound: Compound, link: str) -> Any:
        """Another time to collect."""

        def act(writing: Writing, household: Household) -> None:
            desk_id, at_ms = letter.read_slot(request.form.get("slot", ""))
            if not desk_id:
                raise CentreError("请选择一个时间。", "Please choose a time.")
            changes.change_slot(writing, self._centre.vault, household, desk_id, at_ms)

        def more(household: Household) -> dict[str, Any]:
            chosen = request.form.get("slot") or letter.slot_value(household.desk_id, household.slot_ms)
            with self._centre.store.read() as conn:
                free = changes.free_slots(conn, household, compound, self._centre.now_ms())
                desks = slots.list_desks(conn, compound.compound_id)
            return {"days": letter.days(free, desks, ZoneInfo(compound.timezone), chosen), "chosen": chosen}

        return self._deed(compound, link, "slot", act, more)

    def household_code(self, compound: Compound, link: str) -> Any:
        """Have a code sent to the household's telephone, and confirm it. Nothing hangs on it but the slot."""
        with self._centre.store.read() as conn:
            household = self._whose(conn, compound, link)
            asked = phone_code.is_asked(conn, household)
        if not asked:
            return redirect(_home(compound, link))
        trouble, sent = "", request.form.get("do") == "send"
        if request.method == "POST":
            answers: list[Any] = []
            act = self._send_code if sent else self._check_code
            try:
                self._do(compound, link, lambda writing, mine: answers.append(act(writing, mine)))
                if not sent and not (trouble := answers[0]):
                    return self._confirmed(compound, link)
            except NoSuchThing:
                raise
            except CentreError as error:
                trouble = error_text(error)
        page = render_template(
            "residents/status_code.html", household=household, link=link, wrong=trouble, sent=sent and not trouble,
            first=None,
        )  # fmt: skip
        return page, 409 if trouble else 200

    def _send_code(self, writing: Writing, household: Household) -> None:
        if phone_code.begin(writing, household.household_id):
            notices.queue_code(writing, self._centre.vault, household)

    def _check_code(self, writing: Writing, household: Household) -> str:
        """What is wrong with it; empty: the telephone is confirmed."""
        vault, wrote = self._centre.vault, request.form.get("code", "")[:20]
        answer, gave_way = phone_code.check(writing, vault, household.household_id, wrote)
        if gave_way:
            notices.tell_released(writing, vault, gave_way)
        return "" if answer == "right" else words.say(language(), f"status_code_{answer}")

    def _confirmed(self, compound: Compound, link: str) -> Any:
        """The page; whoever holds the telephone is led to what it applied for first, once, now that this is known."""
        vault = self._centre.vault
        with self._centre.store.read() as conn:
            household = households.by_link(conn, vault, compound.compound_id, link)
            first = households.first_of(conn, household)
        if first is None:
            return redirect(_home(compound, link, done="code"))
        address = households.link_of(vault, compound.compound_id, first.household_id, first.link_version)
        return render_template(
            "residents/status_code.html", household=household, link=link, wrong="", sent=False, first=first,
            first_page=letter.home_path(compound.compound_id, address),
        )  # fmt: skip

    def household_cancel(self, compound: Compound, link: str) -> Any:
        """The household wants no passes after all."""
        return self._deed(compound, link, "cancel", lambda w, h: _sure(changes.cancel, w, h), _nothing)

    def household_moved(self, compound: Compound, link: str) -> Any:
        """The household no longer lives here."""
        return self._deed(compound, link, "moved", lambda w, h: _sure(changes.move_out, w, h), _nothing)

    def household_object(self, compound: Compound, link: str) -> Any:
        """The household does live here."""
        said = request.form.get("words", "")
        return self._deed(compound, link, "object", lambda w, h: changes.object_to(w, h, said), _nothing)

    def household_lost(self, compound: Compound, link: str) -> Any:
        """A card or phone was lost: the old one stops working."""

        def act(writing: Writing, household: Household) -> None:
            number, what = request.form.get("number", ""), request.form.get("what", "")
            changes.report_lost(writing, self._centre, household, number, what)

        def more(household: Household) -> dict[str, Any]:
            with self._centre.store.read() as conn:
                mine, names = changes.passes_of(conn, household), changes.names_of(conn, household)
            return {"mine": mine, "names": names, "what": changes.LOST}

        return self._deed(compound, link, "lost", act, more)

    def household_plate(self, compound: Compound, link: str) -> Any:
        """Another plate, or one more vehicle."""

        def act(writing: Writing, household: Household) -> None:
            vehicle, plate = request.form.get("vehicle", ""), request.form.get("plate", "")
            changes.change_plate(writing, household, _whole(vehicle), plate)

        def more(household: Household) -> dict[str, Any]:
            with self._centre.store.read() as conn:
                return {"vehicles": households.vehicles_of(conn, compound.compound_id, household.household_id)}

        return self._deed(compound, link, "plate", act, more)

    def household_person(self, compound: Compound, link: str) -> Any:
        """A baby, or somebody who moved in: the same questions as on the form."""
        household, today, did = self._read(compound, link), self._today(compound), request.form.get("do", "next")
        person, mistakes, trouble = Applicant(), [], ""
        if "person" not in changes.deeds(household):
            return redirect(_home(compound, link))
        if request.method == "POST":
            fields.read_person(request.form, person, 1, today)
            if did == "next":
                try:
                    self._do(compound, link, lambda w, h: changes.add_person(w, self._centre.vault, h, person))
                    return redirect(_home(compound, link, done="person"))
                except households.Incomplete as error:
                    mistakes = list(error.mistakes)
                except CentreError as error:
                    trouble = error_text(error)
        page = render_template(
            "residents/status_person.html", household=household, link=link, person=person, mistakes=mistakes,
            wrong=fields.wrong_fields(mistakes, language()), trouble=trouble, rows=_rows(person, did),
            where_is=lambda field: f"#{fields.field_name(field)}", label_of=fields.label_of,
            today=today.isoformat(), first_day=(today - timedelta(days=form.JOURNEY_DAYS)).isoformat(),
        )  # fmt: skip
        return page, 409 if mistakes or trouble else 200

    # What is known of the household

    def household_record(self, compound: Compound, link: str) -> Any:
        """Passages, who had the record before them, and what is kept until when."""
        with self._centre.store.read() as conn:
            household = self._whose(conn, compound, link)
            passages = own_record.passages(conn, household, self._centre.now_ms())
            looks = own_record.looks(conn, household)
        clocks = retention.clocks(self._centre)
        return render_template(
            "residents/status_record.html", household=household, link=link, passages=passages, looks=looks,
            clocks=clocks, purpose=_purpose, known=_known, days=own_record.DAYS,
        )  # fmt: skip

    # Visitors

    def household_visitors(self, compound: Compound, link: str) -> Any:
        """Invite somebody for a day, and who is invited."""
        made: list[Visitor] = []

        def act(writing: Writing, household: Household) -> None:
            name, plate, day, *limits = (
                request.form.get(field, "") for field in ("name", "plate", "day", "entries", "from", "to")
            )
            terms = visitors.visit_terms(*limits)
            made.append(visitors.invite(writing, self._centre, household, name, plate, day, terms))

        def more(household: Household) -> dict[str, Any]:
            today = self._today(compound)
            with self._centre.store.read() as conn:
                found = visitors.visitors_of(conn, household)
            rule = self._terms(compound, "visitor", Terms()).entries
            days = [(today + timedelta(days=ahead)).isoformat() for ahead in range(visitors.DAYS_AHEAD + 1)]
            entries = [n for n in visitors.ENTRIES if not rule or int(n or 0) < rule]
            return {"coming": visitors.coming(found, today), "days": days, "most": visitors.MOST_A_DAY,
                    "entries": entries, "rule": rule}  # fmt: skip

        answer = self._deed(compound, link, "visitor", act, more)
        return redirect(_visitor(compound, link, made[0].number)) if made else answer

    def household_visitor(self, compound: Compound, link: str, number: str) -> Any:
        """One visitor's code, to be sent on as a picture; and to take it back."""
        with self._centre.store.read() as conn:
            household = self._whose(conn, compound, link)
            visitor = visitors.get_visitor(conn, household, number)
            entered = own_record.entries(conn, compound.compound_id, number)
        if request.method == "POST":
            self._do(compound, link, lambda writing, mine: visitors.cancel(writing, mine, number))
            return redirect(_visitor(compound, link, number))
        over = visitor.valid_until_ms <= self._centre.now_ms()
        shown = (
            {} if over or visitor.state != "active" else _drawn(passes.credential_text(self._centre, number, "card"))
        )
        return render_template(
            "residents/status_visited.html", household=household, link=link, visitor=visitor, over=over,
            terms=self._told(compound, "visitor", read_own(visitor.terms)), entered=entered, **shown,
        )  # fmt: skip

    def _terms(self, compound: Compound, kind: str, own: Terms) -> Terms:
        return compounds.read_rules(compound).terms_for(kind, own)

    def _told(self, compound: Compound, kind: str, own: Terms) -> list[str]:
        """What holds for one pass alone, in the language of the page."""
        return tell_terms(language(), self._terms(compound, kind, own))


def _drawn(text: str) -> dict[str, Any]:
    """A code for the page, and its modules for the script that makes one picture of it and what stands beside it."""
    code = card.draw(text)
    return {"code": code.svg(), "code_rows": " ".join(code.rows)}


def _home(compound: Compound, link: str, **more: Any) -> str:
    return url_for("residents.household", compound_id=compound.compound_id, link=link, **more)


def _visitor(compound: Compound, link: str, number: str) -> str:
    return url_for("residents.household_visitor", compound_id=compound.compound_id, link=link, number=number)


def _sure(act: Act, writing: Writing, household: Household) -> None:
    """What cannot be taken back needs its tick."""
    if "sure" not in request.form:
        raise CentreError("请先勾选确认。", "Please tick that you are sure.")
    act(writing, household)


def _nothing(household: Household) -> dict[str, Any]:
    return {}


def _done() -> str:
    """The words for what was just done; empty for an unknown deed."""
    key = f"status_done.{request.args.get('done', '')}"
    return words.say(language(), key) if key in words.WORDS else ""


def _desk(conn: Connection, household: Household) -> slots.CollectionDesk | None:
    if not household.desk_id:
        return None
    try:
        return slots.get_desk(conn, household.compound_id, household.desk_id)
    except NoSuchThing:
        return None


def _rows(person: Applicant, did: str) -> int:
    """How many rows of places the page shows; a row is added or taken away without a script, too."""
    row = did.removeprefix("remove-journeys-1-")
    if row != did and row in map(str, range(len(person.journeys))):
        del person.journeys[int(row)]
    return min(len(person.journeys) + did.startswith("add-journeys"), form.MOST_JOURNEYS)


def _known(family: str, code: str) -> str:
    """The words for a code of a closed list; for one that is not in it, those for anything else."""
    key = f"{family}.{code}"
    return words.say(language(), key if key in words.WORDS else f"{family}.other")


def _purpose(look: own_record.Look) -> str:
    """Why somebody looked: the code in words, and what was written beside it. What guards were asked to look for is
    between office and guards: anyone who has the link reads this page."""
    if look.what == "attention":
        return ""
    code, _, said = look.why.partition(": ")
    family = "registers_why" if look.what == "table" else "review_purpose"
    return " · ".join(part for part in (_known(family, code) if code else "", said) if part)


def _soon(household: Household, now_ms: int) -> bool:
    """Whether slots on or after the day from which it may collect are offered by now."""
    return household.not_before_ms < now_ms + slots.DAYS_OFFERED * 86_400_000


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
