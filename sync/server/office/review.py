"""The review queue: which applications wait, what is to be seen in them, and what is decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import msgspec
from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre, Writing
from sync.server.people.deciding import case, doubtful, review
from sync.server.people.deciding.case import Case, Decision
from sync.server.people.households import households, notices, record
from sync.server.people.households.households import local_day
from sync.server.people.households.record import RevealedNumber, SealedNumber
from sync.server.people.households.warnings import codes
from sync.server.views import Route, language, or_again, page_number, sent_number
from sync.server.words import coded

_DECISIONS = ("approve", "correct", "observe", "not_here")
_KEYS = {"approve": "a", "correct": "c", "observe": "o", "not_here": "n"}
_DONE = (*_DECISIONS, "issue", "moved", "quarantine", "quarantine_end", "join", "drop")
_HOME_QUARANTINE_DAYS = 14
_HOUSEHOLD = f"<int(max={case.LARGEST_ID}):household_id>"


class Review:
    """Views of one centre. Each is given the compound of its address, which the account may see."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        read, post = ("GET",), ("GET", "POST")
        return (
            Route("review", self.review, read, "people"),
            Route("review/clean", self.approve_clean, post, "review"),
            Route("review/doubtful", self.doubtful, post, "review"),
            Route("review/calls", self.call_list, post, "people", "review"),
            Route("review/calls/numbers", self.call_numbers, ("POST",), "reveal"),
            Route(f"households/{_HOUSEHOLD}", self.case, post, "people", "review"),
            Route(f"households/{_HOUSEHOLD}/reveal", self.reveal_number, ("POST",), "reveal"),
        )

    # The queue

    def review(self, compound: Compound) -> Any:
        """Search, filter, order."""
        centre, page, compound_id = self._centre, page_number(), compound.compound_id
        with centre.store.read() as conn:
            chosen = _chosen(review.default_order(conn, compound_id))
            found, more = review.find_cases(conn, centre.vault, compound_id, chosen, page)
            counted = review.counts(conn, compound_id)
        return render_template(
            "office/review.html", found=found, more=more, page=page, counts=counted, now_ms=centre.now_ms(),
            **_kept(chosen), **_done(compound),
        )  # fmt: skip

    # One application

    def case(self, compound: Compound, household_id: int) -> Any:
        """What they wrote beside what is known; and the decision."""
        if request.method == "GET":
            return self._show(compound, household_id)
        return or_again(
            lambda: self._act(compound, household_id), "office/case.html", lambda: self._seen(compound, household_id)
        )

    def _show(self, compound: Compound, household_id: int, shown: RevealedNumber | None = None) -> str:
        seen = self._seen(compound, household_id)
        self._opened(compound, seen["case"])
        return render_template("office/case.html", form={}, shown=shown, **seen, **_done(compound))

    def _seen(self, compound: Compound, household_id: int) -> dict[str, Any]:
        centre, compound_id, now_ms = self._centre, compound.compound_id, self._centre.now_ms()
        with centre.store.read() as conn:
            found = case.read_case(conn, centre.vault, compound, household_id, now_ms)
            chosen = _chosen(review.default_order(conn, compound_id))
            before, after = review.around(conn, centre.vault, compound_id, chosen, household_id)
        today = local_day(compound, now_ms)
        return {
            "case": found, "home": found.household, "before": before, "after": after, "today": today,
            "decisions": _DECISIONS, "keys": _KEYS, "ready": case.READY, "evidence_known": case.EVIDENCE,
            "purposes": record.PURPOSES, "evidence": case.read_evidence(found.household.evidence),
            "open": found.household.state in (*households.OPEN_STATES, "not_here"), "now_ms": now_ms,
            "names": {person.person_id: person.name for person in found.people}, "age": lambda born: _age(born, today),
            "in_two_weeks": (today + timedelta(days=_HOME_QUARANTINE_DAYS)).isoformat(), "quoted": request.form.getlist,
            "did": lambda what: coded(language(), "review_did", what), "for_what": _for_what,
            **_kept(chosen),
        }  # fmt: skip

    def _opened(self, compound: Compound, found: Case) -> None:
        """Write down who opened whose record, and the warnings as they are now; nothing where both stand already."""
        household, centre, by = found.household, self._centre, g.staff.account
        warned = ",".join(codes(found.concerns))
        mine = (compound.compound_id, household.household_id)
        with centre.store.read() as conn:
            known = record.opened_lately(conn, *mine, by, centre.now_ms())
        stale = warned != household.warnings and household.state in households.OPEN_STATES
        if known and not stale:
            return
        with centre.writing(compound.compound_id, by, even_stopped=True) as writing:
            record.note_opened(writing, household.household_id)
            if stale:
                households.set_state(writing, household.household_id, warnings=warned)

    def _act(self, compound: Compound, household_id: int) -> AnyResponse:
        """Do what the form asks; after a decision the next one opens."""
        centre, what = self._centre, request.form.get("do", "")
        if what not in _DECISIONS:
            with centre.writing(compound.compound_id, g.staff.account) as writing:
                self._change(writing, household_id, what)
            return redirect(_address("office.case", compound, household_id=household_id, done=what, who=household_id))
        with centre.store.read() as conn:
            chosen = _chosen(review.default_order(conn, compound.compound_id))
            households.get_household(conn, compound.compound_id, household_id)
            _, after = review.around(conn, centre.vault, compound.compound_id, chosen, household_id, 0, 1)
        with centre.writing(compound.compound_id, g.staff.account) as writing:
            case.decide(writing, centre, household_id, _decision(what))
        if after:
            following = after[0].household_id
            return redirect(_address("office.case", compound, household_id=following, done=what, who=household_id))
        return redirect(_address("office.review", compound, done=what, who=household_id))

    def _change(self, writing: Writing, household_id: int, what: str) -> None:
        """Everything on the page that is no decision on an application."""
        form = request.form
        acts: dict[str, Callable[[], object]] = {
            "issue": lambda: case.issue_additions(writing, self._centre, household_id),
            "drop": lambda: case.drop_addition(
                writing, self._centre, household_id, form.get("which", ""), form.get("own-drop", "")
            ),
            "moved": lambda: households.end(writing, household_id, "moved"),
            "quarantine": lambda: case.begin_home_quarantine(writing, household_id, form.get("until", "")),
            "quarantine_end": lambda: households.set_home_quarantine(writing, household_id, 0),
            "join": lambda: case.join_dwelling(writing, household_id, form.get("room", ""), form.get("seen", "")),
        }
        if what not in acts:
            raise CentreError("请选择怎样处理。", "Choose what you decide.")
        acts[what]()

    def reveal_number(self, compound: Compound, household_id: int) -> Any:
        """The page with one number in full on it, this once."""

        def show() -> Any:
            form = request.form
            purpose = record.purpose_of(form.get("purpose", ""), form.get("why", ""))
            what, _, person = form.get("which", "").partition("-")
            wanted = SealedNumber(what=what, person_id=int(person) if person.isdecimal() and len(person) < 16 else 0)
            by = g.staff.account
            shown = record.reveal(self._centre, compound.compound_id, household_id, wanted, purpose, by)
            return self._show(compound, household_id, shown)

        return or_again(show, "office/case.html", lambda: self._seen(compound, household_id))

    # The clean ones together: first the count, then the deed

    def approve_clean(self, compound: Compound) -> Any:
        """See how many and which, confirm. Nothing is approved before the number was shown and ticked."""
        wrong = ""
        if request.method == "POST" and "sure" not in request.form:
            wrong = "review_together_tick"
        elif request.method == "POST":
            form = request.form
            as_of_ms = min(sent_number(form, "as_of"), self._centre.now_ms())
            counted = form.get("counted", -1, type=int)
            try:
                done = review.approve_clean(self._centre, compound.compound_id, as_of_ms, counted, g.staff.account)
                return redirect(_address("office.approve_clean", compound, **msgspec.structs.asdict(done)))
            except review.OtherCount:
                wrong = "review_together_recount"
        with self._centre.store.read() as conn:
            now_ms = self._centre.now_ms()
            clean = review.count_clean(conn, self._centre.vault, compound.compound_id, now_ms)
        before = {name: request.args.get(name, type=int) for name in ("approved", "left", "still")}
        page = render_template(
            "office/approve_clean.html", clean=clean, most=review.MOST_AT_ONCE, wrong=wrong, **before
        )
        return page, 409 if wrong else 200

    # Those that may be bulk

    def doubtful(self, compound: Compound) -> Any:
        """See them together, tick some or all of a kind, and act on them at once. A tick for all is one for those that
        were on the page."""
        form, wrong = request.form, ""
        act = next((one for one in doubtful.ACTS if one == form.get("do")), None)
        with self._centre.store.read() as conn:
            found = doubtful.find_doubtful(conn, compound.compound_id)
        ticked, kinds, as_of_ms = _ticked(), form.getlist("kind"), sent_number(form, "as_of")
        of_kinds = [one for kind in kinds for one in found.get(kind, ()) if one.submitted_ms <= as_of_ms]
        chosen = [*ticked, *(one.household_id for one in of_kinds)]
        if request.method == "POST" and not (act and chosen and "sure" in form):
            wrong = "review_doubtful_tick"
        elif act:
            done = doubtful.act_on(self._centre, compound.compound_id, chosen, act, g.staff.account)
            return redirect(_address("office.doubtful", compound, **msgspec.structs.asdict(done)))
        page = render_template(
            "office/doubtful.html", found=found, ticked=ticked, kinds=kinds, wrong=wrong,
            as_of_ms=self._centre.now_ms(), **{name: request.args.get(name, type=int) for name in ("did", "left")},
        )  # fmt: skip
        return page, 409 if wrong else 200

    # Calling those who were sent back

    def call_list(self, compound: Compound) -> Any:
        """The people to call, why, and what came of it."""
        if request.method == "POST":
            return or_again(lambda: self._called(compound), "office/calls.html", lambda: self._calls(compound))
        return render_template("office/calls.html", **self._calls(compound))

    def _calls(self, compound: Compound) -> dict[str, Any]:
        page, compound_id = page_number(), compound.compound_id
        chosen = review.ReviewFilter(only="correct", order="time")
        with self._centre.store.read() as conn:
            found, more = review.find_cases(conn, self._centre.vault, compound_id, chosen, page)
            last = case.last_calls(conn, compound_id, [line.household_id for line in found])
            unsent = notices.count_given_up(conn, compound_id)
        return {
            "found": found, "more": more, "page": page, "last": last, "unsent": unsent, "numbers": {},
            "now_ms": self._centre.now_ms(),
        }  # fmt: skip

    def _called(self, compound: Compound) -> AnyResponse:
        if not (household_id := sent_number(request.form, "household")):
            raise CentreError("请选择打给哪一户。", "Say which household was called.")
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            case.note_called(writing, household_id, request.form.get("note", ""))
        return redirect(url_for("office.call_list", compound_id=compound.compound_id, page=page_number()))

    def call_numbers(self, compound: Compound) -> Any:
        """The list of calls with every telephone number on it in full, recorded for each household."""
        listed = self._calls(compound)
        numbers = {}
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            for line in listed["found"]:
                wanted = SealedNumber(what="phone")
                shown = record.reveal_in(writing, self._centre.vault, line.household_id, wanted, "call")
                numbers[line.household_id] = shown.number
        return render_template("office/calls.html", **listed | {"numbers": numbers})


def _ticked() -> list[int]:
    """Households ticked one by one; an invalid number is nobody's."""
    sent = request.form.getlist("household")
    return [int(one) for one in sent if one.isascii() and one.isdigit() and len(one) < len(str(case.LARGEST_ID))]


def _chosen(order: review.Order) -> review.ReviewFilter:
    """What the address asks for; what it does not know is what comes first."""
    only, asked = request.args.get("f", ""), request.args.get("by", "")
    return review.ReviewFilter(
        only=only if only in review.FILTERS else "waiting",
        order=asked if asked in review.ORDERS else order,
        term=request.args.get("q", "").strip()[:40],
    )


def _kept(chosen: review.ReviewFilter) -> dict[str, Any]:
    """What links of a page carry on."""
    kept = {"f": chosen.only, "by": chosen.order} | ({"q": chosen.term} if chosen.term else {})
    return {"chosen": chosen, "kept": kept, "filters": review.FILTERS}


def _address(endpoint: str, compound: Compound, **values: Any) -> str:
    kept: dict[str, Any] = {name: request.args[name][:60] for name in ("f", "by", "q") if name in request.args}
    return url_for(endpoint, compound_id=compound.compound_id, **kept, **values)


def _done(compound: Compound) -> dict[str, str]:
    """What the page before did, and to which household."""
    what, who = request.args.get("done", ""), request.args.get("who", 0, type=int)
    if what not in _DONE or not 0 < who < case.LARGEST_ID:
        return {"done": "", "done_to": ""}
    return {"done": what, "done_to": households.household_number(compound.compound_id, who)}


def _decision(what: str) -> Decision:
    form = request.form
    return Decision(
        do=what, seen=form.get("seen", ""), ready=tuple(form.getlist(f"ready-{what}")), own=form.get(f"own-{what}", ""),
        day=form.get("day", ""), evidence=tuple(form.getlist("evidence")), note=form.get("note", ""),
    )  # fmt: skip


def _for_what(why: str) -> str:
    """A purpose or a note, in the language of the page."""
    code, colon, added = why.partition(":")
    return coded(language(), "review_purpose", code) + colon + added


def _age(born: str, today: date) -> int | None:
    """Whole years; None where the day is not known."""
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return None
    return today.year - day.year - ((today.month, today.day) < (day.month, day.day))
