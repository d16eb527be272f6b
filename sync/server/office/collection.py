"""The collection desk: one field that takes a scan or a number, one check list, one big button per step."""

from __future__ import annotations

from typing import Any

from flask import abort, g, jsonify, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from sync.server.centre.errors import NoSuchThing
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.office.desks import Desks
from sync.server.office.paper import Paper
from sync.server.office.printing import Printing
from sync.server.passes import card
from sync.server.people import without_pass
from sync.server.people.collecting import collection, finding, printing
from sync.server.people.collecting.collection import HandOver
from sync.server.people.collecting.finding import Finding
from sync.server.people.deciding import case
from sync.server.people.households import households, phone_pass, record, slots
from sync.server.people.households.households import Household, local_day
from sync.server.residents import letter
from sync.server.staff import roles
from sync.server.views import Route, address_to_give, language, or_again, sent_number
from sync.server.words import say

_AROUND_MS = 2 * slots.QUARTER_MS
"""How far ahead the queue is shown household by household."""
DONE = ("hand_over", "approve", "undo", "sheet_lost", *collection.CHANGES)
"""Steps whose end is said on the household's page."""


class Collection:
    """Views of one centre. Each is given the compound of its address, which the account may see."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        post, change = ("GET", "POST"), ("POST",)
        here = "collect/<int:household_id>"
        return (
            Route("collect", self.collect, post, "collect"),
            Route(here, self.collect_household, post, "collect"),
            Route(f"{here}/approve", self.collect_approve, change, "review"),
            Route(f"{here}/change", self.collect_change, change, "pass_change"),
            Route(f"{here}/print", self.collect_print, change, "collect"),
            Route(f"{here}/link", self.collect_link, change, "collect"),
            Route(f"{here}/phone/<number>", self.collect_phone, change, "collect"),
            Route(f"{here}/phone/<number>/used", self.collect_phone_used, ("GET",), "collect"),
            *(route for room in (Printing, Desks, Paper) for route in room(self._centre).routes()),
        )

    # Finding

    def collect(self, compound: Compound) -> Any:
        """The field, and the day's queue."""
        if request.method == "POST":
            return self._find(compound, request.form.get("scan", ""))
        return self._start(compound, Finding(), "")

    def _find(self, compound: Compound, words: str) -> Any:
        found = self._look(compound, words)
        if there := _only(compound, found):
            return redirect(there)
        again = "" if finding.is_card(words) or "/s/" in words else words[:60]
        return self._start(compound, found, again), 200 if found.households else 409

    def _look(self, compound: Compound, words: str) -> Finding:
        with self._centre.store.read() as conn:
            return finding.find(conn, self._centre.vault, compound.compound_id, words)

    def _start(self, compound: Compound, found: Finding, words: str) -> str:
        desk_id, now_ms = sent_number(request.args, "desk"), self._centre.now_ms()
        from_ms, until_ms = slots.day_span(compound, local_day(compound, now_ms))
        at_ms = sent_number(request.args, "at")
        with self._centre.store.read() as conn:
            desks = slots.list_desks(conn, compound.compound_id)
            quarters = collection.quarters(conn, compound.compound_id, from_ms, until_ms, desk_id)
            if "missing" in request.args:
                span = from_ms, now_ms - slots.QUARTER_MS
            elif from_ms <= at_ms < until_ms:
                span = at_ms, at_ms + slots.QUARTER_MS
            else:
                span = _quarter(now_ms), _quarter(now_ms) + _AROUND_MS
            missing = "missing" in request.args
            rows = collection.expected(conn, compound.compound_id, *span, desk_id, missing)
            entries = without_pass.find_entries(conn, compound.compound_id, now_ms)
        return render_template(
            "office/collect.html", found=found, words=words, quarters=quarters, rows=rows, desk_id=desk_id,
            desks=[desk for desk in desks if desk.until_day >= local_day(compound, now_ms).isoformat()], span=span,
            entries=entries, missing=missing, late_ms=now_ms - slots.QUARTER_MS, now_at_ms=_quarter(now_ms),
        )  # fmt: skip

    # One household

    def collect_household(self, compound: Compound, household_id: int) -> Any:
        """Who they are, the check list, and the one step that comes next."""
        if request.method == "GET":
            self._note_opened(compound, household_id)
            shown = self._household(compound, household_id)
            return render_template("office/collect_household.html", form=request.form, **shown)
        return or_again(
            lambda: self._act(compound, household_id), "office/collect_household.html",
            lambda: self._household(compound, household_id),
        )  # fmt: skip

    def _note_opened(self, compound: Compound, household_id: int) -> None:
        by, now_ms = g.staff.account, self._centre.now_ms()
        with self._centre.store.read() as conn:
            if record.opened_lately(conn, compound.compound_id, household_id, by, now_ms):
                return
        with self._centre.writing(compound.compound_id, by) as writing:
            record.note_opened(writing, household_id)

    def _act(self, compound: Compound, household_id: int) -> Any:
        what, form = request.form.get("do", ""), request.form
        if what == "scan":
            return self._scan(compound, household_id, form.get("scan", ""))
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            if what == "hand_over":
                collection.hand_over(writing, household_id, _given())
            elif what == "undo":
                collection.undo(writing, self._centre, household_id, form.get("why", ""))
            elif what == "sheet_lost":
                collection.renew_lost_sheet(writing, self._centre, household_id)
            else:
                abort(400)
        return redirect(_here(compound, household_id, done=what))

    def _scan(self, compound: Compound, household_id: int, words: str) -> Any:
        """A card of this household is ticked; anything else leads to the household it means. What is ticked stays."""
        shown = self._household(compound, household_id)
        number, dead = self._own_card(compound, words, {one.number for one in shown["cards"]})
        if dead:
            shown["dead"] = True
        elif number:
            before = set(request.form.getlist("scanned"))
            ticked = set(request.form.getlist("card")) if before else set()
            shown |= {"scanned": before | {number}, "ticked": ticked | {number}}
        elif words.strip():
            found = self._look(compound, words)
            if there := _only(compound, found):
                return redirect(there)
            if found.households:
                return self._start(compound, found, words[:60])
            shown["wrong"] = say(language(), f"collect_why.{found.why}")
        return render_template("office/collect_household.html", form=request.form, **shown)

    def _own_card(self, compound: Compound, words: str, mine: set[str]) -> tuple[str, bool]:
        """(pass number, dead) of a scanned card that is one of ``mine``."""
        if not finding.is_card(words):
            return "", False
        with self._centre.store.read() as conn:
            number, dead, _ = finding.pass_of_card(conn, compound.compound_id, words)
        return (number, dead) if number in mine else ("", False)

    def _household(self, compound: Compound, household_id: int) -> dict[str, Any]:
        now_ms, compound_id = self._centre.now_ms(), compound.compound_id
        with self._centre.store.read() as conn:
            found = case.read_case(conn, self._centre.vault, compound, household_id, now_ms)
            cards = collection.cards_of(conn, compound_id, household_id)
            desk = _desk(conn, found.household)
            phones = collection.phones_of(conn, compound_id, household_id)
            entries = without_pass.entries_of(conn, compound_id, household_id, found.household.dwelling, now_ms)
        today, done = local_day(compound, now_ms), request.args.get("done", "")
        posted = request.form.get("do") in ("hand_over", "scan")
        waiting = {one.number for one in cards if one.waiting}
        return {
            "case": found, "entries": entries, "household": found.household,
            "cards": cards, "desk": desk, "phones": phones,
            "by_person": {one.person_id: one for one in cards if one.person_id},
            "grown_up": [one for one in collection.adults(found.people, today) if one.place],
            "checks": collection.CHECKS,
            "ticked": set(request.form.getlist("card")) if posted else waiting,
            "scanned": set(request.form.getlist("scanned")) & waiting,
            "waiting": waiting, "slot_note": _slot_note(found.household, compound, now_ms),
            "collector": collection.collector_of(found.household.collected_note), "dead": "dead" in request.args,
            "today_collected": bool(found.household.collected_ms)
            and local_day(compound, found.household.collected_ms) == today,
            "done": done if done in DONE else "", "changed": request.args.getlist("changed"),
            "evidence": case.EVIDENCE, "now_ms": now_ms,
            "case_page": _case_page(compound, household_id),
        }  # fmt: skip

    # Steps with a right or a page of their own

    def collect_approve(self, compound: Compound, household_id: int) -> Any:
        """Reviewed at its slot: nobody is sent home."""
        form = request.form
        wanted = case.Decision(
            do="approve", seen=form.get("seen", ""), evidence=tuple(form.getlist("evidence")), note=form.get("note", "")
        )
        return or_again(
            lambda: self._approve(compound, household_id, wanted), "office/collect_household.html",
            lambda: self._household(compound, household_id),
        )  # fmt: skip

    def _approve(self, compound: Compound, household_id: int, wanted: case.Decision) -> AnyResponse:
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            case.decide(writing, self._centre, household_id, wanted)
        return redirect(_here(compound, household_id, done="approve"))

    def collect_change(self, compound: Compound, household_id: int) -> Any:
        """Suspend, resume, revoke, or make a lost card anew."""
        return or_again(
            lambda: self._change(compound, household_id), "office/collect_household.html",
            lambda: self._household(compound, household_id),
        )  # fmt: skip

    def _change(self, compound: Compound, household_id: int) -> AnyResponse:
        what = request.form.get("do", "")
        if what not in collection.CHANGES:
            abort(400)
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            changed = collection.change(writing, self._centre, household_id, what, request.form.getlist("pass"))
        return redirect(_here(compound, household_id, done=what, changed=changed))

    def collect_print(self, compound: Compound, household_id: int) -> Any:
        """This household's cards on paper, here and now; recorded. They are handed over in the same minute, so gates
        need not know them first."""
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            household = households.get_household(writing.conn, compound.compound_id, household_id)
            cards = collection.cards_of(writing.conn, compound.compound_id, household_id)
            asked = {*request.form.getlist("card"), *request.form.getlist("pass")}
            chosen = [one.number for one in cards if one.card and (one.number in asked or not asked)]
            faces = printing.faces(writing.conn, self._centre, compound.compound_id, chosen)
            printing.note(writing, household_id, household.number, len(faces), bool(household.printed_ms))
        return render_template(
            "office/print_cards.html", faces=[(face, card.drawn(face.text)) for face in faces], single=True,
            back_to=_here(compound, household_id), rows=[], words="",
        )  # fmt: skip

    def collect_link(self, compound: Compound, household_id: int) -> Any:
        """Another address for the household's page, shown once as a code to scan; the old one is dead."""
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            link = households.renew_link(writing, self._centre.vault, household_id)
            household = households.get_household(writing.conn, compound.compound_id, household_id)
            address = address_to_give(writing.conn, letter.home_path(compound.compound_id, link))
        return render_template("office/collect_link.html", household=household, code=card.drawn(address))

    def collect_phone(self, compound: Compound, household_id: int, number: str) -> Any:
        """A code that binds one pass to one browser, large, with its countdown."""
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            one = _card(writing.conn, compound, household_id, number)
            code = phone_pass.open_activation(writing, self._centre, number)
            address = address_to_give(writing.conn, phone_pass.activation_path(compound.compound_id, code))
        return render_template(
            "office/collect_phone.html", household_id=household_id, card=one, code=card.drawn(address),
            seconds=phone_pass.CODE_LASTS_MS // 1000, since=self._centre.now_ms(),
        )  # fmt: skip

    def collect_phone_used(self, compound: Compound, household_id: int, number: str) -> Any:
        """Whether some browser shows the pass since a moment: asked every two seconds while the code is shown."""
        with self._centre.store.read() as conn:
            _card(conn, compound, household_id, number)
            since_ms = collection.phones_of(conn, compound.compound_id, household_id).get(number, 0)
        return jsonify(used=since_ms >= request.args.get("since", 1, type=int))


def _only(compound: Compound, found: Finding) -> str:
    """The address of what was found, where it is one thing; empty otherwise."""
    if len(found.households) == 1:
        return _here(compound, found.households[0].household_id, dead=int(found.dead) or None)
    if found.number and not found.households:
        return url_for("office.one_pass", compound_id=compound.compound_id, number=found.number)
    return ""


def _here(compound: Compound, household_id: int, **more: Any) -> str:
    return url_for("office.collect_household", compound_id=compound.compound_id, household_id=household_id, **more)


def _case_page(compound: Compound, household_id: int) -> str:
    """The application, where this account may see it."""
    if not roles.may(g.staff.role, "people"):
        return ""
    return url_for("office.case", compound_id=compound.compound_id, household_id=household_id)


def _card(conn: Connection, compound: Compound, household_id: int, number: str) -> collection.Card:
    households.get_household(conn, compound.compound_id, household_id)
    for one in collection.cards_of(conn, compound.compound_id, household_id):
        if one.number == number:
            return one
    raise NoSuchThing(en="That is no pass of this household.")


def _desk(conn: Connection, household: Household) -> slots.CollectionDesk | None:
    return slots.get_desk(conn, household.compound_id, household.desk_id) if household.desk_id else None


def _given() -> HandOver:
    """Who collects: the applicant, ``adult NAME`` of the household, or a proxy whose name is written."""
    form = request.form
    who, _, name = form.get("collector", "").partition(" ")
    return HandOver(
        numbers=tuple(form.getlist("card")), checks=frozenset(form.getlist("check")), collector=who,
        name=form.get("proxy", "") if who == "proxy" else name,
    )  # fmt: skip


def _slot_note(household: Household, compound: Compound, now_ms: int) -> str:
    """``none``, ``day``, ``early``, ``late``, ``now``. It is told, and changes nothing: nobody is sent home."""
    if not household.slot_ms:
        return "none"
    if local_day(compound, household.slot_ms) != local_day(compound, now_ms):
        return "day"
    if now_ms < household.slot_ms:
        return "early"
    return "late" if now_ms >= household.slot_ms + slots.QUARTER_MS else "now"


def _quarter(now_ms: int) -> int:
    return now_ms // slots.QUARTER_MS * slots.QUARTER_MS
