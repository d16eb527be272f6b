"""The steps of the form, one page each, kept in the draft with every step.

What was written is kept before it is checked, so a mistake, a closed page or a page that was open for too long loses
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from flask import g, redirect, render_template, request, url_for

from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.people import identity
from sync.server.people.households import application as form
from sync.server.people.households import doubts, drafts, households, slots
from sync.server.people.households.application import Applicant, Application, FieldMistake
from sync.server.people.households.doubts import Origin
from sync.server.people.households.drafts import Draft
from sync.server.residents import answers, fields, jar, letter
from sync.server.residents.answers import StepRequest
from sync.server.views import OpenRoute, client_network, error_text, language

STEPS = ("where", "residence", "travel", "family", "review", "letter")
"""In this order; each has a page ``form_…`` and a template. A co-resident's is ``person``, reached from ``family``."""
STEP_PAGES = "residents.form_"
_NUMBERS = {"where": 1, "residence": 2, "travel": 3, "family": 4, "person": 4, "review": 5, "letter": 5}
_CODES = {"doc_kinds": identity.DOC_KINDS, "most_people": form.MOST_PEOPLE}


class Steps:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[OpenRoute, ...]:
        views = (self.form_where, self.form_residence, self.form_travel, self.form_family, self.form_person,
                 self.form_review, self.form_letter)  # fmt: skip
        rule = "/j/<int:compound_id>/form/"
        return tuple(OpenRoute(rule + view.__name__.removeprefix("form_"), view, ("GET", "POST")) for view in views)

    def form_where(self, compound: Compound) -> Any:
        """Where, and who applies."""
        return self._step("where", compound)

    def form_residence(self, compound: Compound) -> Any:
        """Registered residence, arrival."""
        return self._step("residence", compound)

    def form_travel(self, compound: Compound) -> Any:
        """The last 15 days, and health."""
        return self._step("travel", compound)

    def form_family(self, compound: Compound) -> Any:
        """Who else, and vehicles."""
        return self._step("family", compound)

    def form_person(self, compound: Compound) -> Any:
        """One more person of the household."""
        return self._step("person", compound)

    def form_review(self, compound: Compound) -> Any:
        """Everything once more, before signing."""
        return self._step("review", compound)

    def form_letter(self, compound: Compound) -> Any:
        """The letter, the slot, and submitting."""
        return self._step("letter", compound)

    # One step

    def _step(self, step: str, compound: Compound) -> Any:
        asked = self._asked(step, compound)
        if request.method == "POST":
            return self._submit(asked) if step == "letter" else self._keep(asked)
        draft = self._read(compound)
        if draft is None or draft.submitted:
            return redirect(_url("entry" if draft is None else "done", compound))
        if asked.n > len(draft.application.people):
            return redirect(_url("form_family", compound))
        return self._page(asked, draft)

    def _asked(self, step: str, compound: Compound) -> StepRequest:
        n = request.args.get("n", 0, type=int) if step == "person" else 0
        today = households.local_day(compound, self._centre.now_ms())
        return StepRequest(step, compound, min(max(n, int(step == "person")), form.MOST_PEOPLE - 1), today)

    def _read(self, compound: Compound) -> Draft | None:
        with self._centre.store.read() as conn:
            token, now_ms = jar.token(compound.compound_id), self._centre.now_ms()
            return drafts.read(conn, self._centre.vault, compound.compound_id, token, now_ms)

    def _keep(self, asked: StepRequest) -> Any:
        """Put what was written into the draft, then go where it was asked for, or show what is wrong."""
        compound_id, did = asked.compound.compound_id, request.form.get("do", "next")
        token = jar.token(compound_id)
        draft = drafts.change(self._centre, compound_id, token, answers.taking(asked))
        if draft is None or draft.submitted:
            return redirect(_url("entry" if draft is None else "done", asked.compound))
        asked = asked._replace(n=min(asked.n, len(draft.application.people) - 1))
        mistakes = list(answers.mistakes(asked, draft.application)) if did == "next" else []
        if mistakes and asked.step == "person":
            return redirect(_url("form_person", asked.compound, n=asked.n, check=1))
        if mistakes:
            return self._page(asked, draft, mistakes), 409
        return jar.keep(redirect(self._after(asked, draft, did)), compound_id, token)

    def _after(self, asked: StepRequest, draft: Draft, did: str) -> str:
        """The next page's address."""
        compound, to = asked.compound, request.args.get("to", "")
        kept = {"to": to} if to == "review" else {}
        if did == "add-person":
            return _url("form_person", compound, n=len(draft.application.people))
        if did == "narrow":
            return _url("form_where", compound, unit=request.form.get("unit", "")[:20], _anchor="where", **kept)
        if "journeys" in did:
            rows = len(draft.application.people[asked.n].journeys) + did.startswith("add-")
            at = {"n": asked.n} if asked.step == "person" else {}
            anchor = f"people-{asked.n}-journeys-{max(rows - 1, 0)}"
            return _url(f"form_{asked.step}", compound, rows=rows, _anchor=anchor, **at, **kept)
        if to == "review":
            return _url("form_review", compound)
        return _url("form_family" if asked.step == "person" else f"form_{_beside(asked.step, 1)}", compound)

    # Submitting

    def _submit(self, asked: StepRequest) -> Any:
        """One transaction; a second tap finds the stub of the first."""
        compound_id = asked.compound.compound_id
        token = jar.token(compound_id)
        try:
            done = drafts.submit(self._centre, compound_id, token, answers.taking(asked), self._origin())
        except CentreError as error:
            return self._not_submitted(asked, error)
        return jar.keep(redirect(_url("entry" if done is None else "done", asked.compound)), compound_id, token)

    def _origin(self) -> Origin:
        """Which browser and address sends this, as nobody can read it back."""
        browser, address = (
            self._centre.vault.mark(f"form-{what}", said).hex()
            for what, said in (("browser", jar.browser()), ("address", client_network()))
        )
        return Origin(browser=browser, address=address)

    def _not_submitted(self, asked: StepRequest, error: CentreError) -> Any:
        """The page again, with what was signed and chosen; a mistake of an earlier step leads to the review."""
        draft = self._read(asked.compound)
        if draft is None:
            return redirect(_url("entry", asked.compound))
        mistakes = list(error.mistakes) if isinstance(error, households.Incomplete) else []
        if any(one.field not in ("letter_name", "signature") for one in mistakes):
            return redirect(_url("form_review", asked.compound, check=1))
        self._put_sent(asked, draft)
        return self._page(asked, draft, mistakes, "" if mistakes else error_text(error)), 409

    # Showing

    def again(self) -> Any:
        """The page of a step whose token ran out, with everything that was written on it. Nothing is kept yet: who
        sent it is not known."""
        step = (request.endpoint or "").removeprefix(STEP_PAGES)
        asked = self._asked(step, g.compound)
        draft = self._read(g.compound)
        if draft is None or draft.submitted:
            draft = Draft(application=Application(people=[Applicant()]))
        self._put_sent(asked, draft)
        return self._page(asked, draft, expired=True), 400

    def _put_sent(self, asked: StepRequest, draft: Draft) -> None:
        """What was sent, into a draft that is only shown."""
        with self._centre.store.read() as conn:
            answers.take(asked, conn, draft.application)

    def _page(self, asked: StepRequest, draft: Draft, mistakes: list[FieldMistake] | None = None, trouble: str = "",
              expired: bool = False) -> str:  # fmt: skip
        wrote = draft.application
        if mistakes is None and "check" in request.args:
            mistakes = list(answers.mistakes(asked, wrote))
        before = "form_family" if asked.step == "person" else f"form_{_beside(asked.step, -1)}"
        known: dict[str, Any] = {
            "application": wrote, "at_step": _NUMBERS[asked.step], "mistakes": mistakes or [], "n": asked.n,
            "wrong": fields.wrong_fields(mistakes or [], language()), "trouble": trouble, "expired": expired,
            "before": _url(before if asked.step != "where" else "entry", asked.compound),
            "back_to_review": request.args.get("to") == "review", "today": asked.today.isoformat(),
            "first_day": (asked.today - timedelta(days=form.JOURNEY_DAYS)).isoformat(),
            "label_of": fields.label_of, "lists": asked.step in ("residence", "travel", "person"),
            "where_is": lambda field: _where_is(asked, field),
            "rows": min(request.args.get("rows", 0, type=int), form.MOST_JOURNEYS),
        }  # fmt: skip
        return render_template(f"residents/{asked.step}.html", **known | _CODES | self._more(asked, draft))

    def _more(self, asked: StepRequest, draft: Draft) -> dict[str, Any]:
        """What only one step's page shows."""
        more: dict[str, Callable[[], dict[str, Any]]] = {
            "where": lambda: self._where(asked.compound, draft.application),
            "family": lambda: {"incomplete": answers.incomplete(draft.application, asked.today)},
            "person": lambda: _person(asked, draft.application),
            "letter": lambda: self._letter(asked.compound, draft),
        }
        return more[asked.step]() if asked.step in more else {}

    def _where(self, compound: Compound, wrote: Application) -> dict[str, Any]:
        unit = request.values.get("unit", "")
        with self._centre.store.read() as conn:
            if wrote.dwelling_id and not unit:
                unit = fields.unit_of(conn, compound.compound_id, wrote.dwelling_id)
            return {"choices": fields.choices(conn, compound.compound_id, wrote.building, unit)}

    def _letter(self, compound: Compound, draft: Draft) -> dict[str, Any]:
        wrote, now_ms = draft.application, self._centre.now_ms()
        with self._centre.store.read() as conn:
            held = (0, 0)
            if draft.household_id:
                old = households.get_household(conn, compound.compound_id, draft.household_id)
                held = old.desk_id, old.slot_ms
            doubt = doubts.of_strangers(conn)
            offered = slots.offer(conn, compound, wrote.building, now_ms, keep=held, doubt=doubt)
            desks = slots.list_desks(conn, compound.compound_id)
        if held[0] and held not in ((one.desk_id, one.at_ms) for one in offered):
            offered.append(slots.Slot(desk_id=held[0], at_ms=held[1], left=1))
        free = [letter.slot_value(one.desk_id, one.at_ms) for one in offered]
        wanted = letter.slot_value(wrote.desk_id, wrote.slot_ms) or letter.slot_value(*held)
        chosen = wanted if wanted in free else letter.suggest(free, jar.token(compound.compound_id))
        if not wrote.letter_name:
            wrote = msgspec.structs.replace(wrote, letter_name=wrote.people[0].name)
        return {
            "application": wrote, "chosen": chosen, "letter": letter.paragraphs(language(), form.LETTER_VERSION),
            "days": letter.days(offered, desks, ZoneInfo(compound.timezone), chosen),
        }  # fmt: skip


def _person(asked: StepRequest, wrote: Application) -> dict[str, Any]:
    there = asked.n < len(wrote.people)
    return {"person": wrote.people[asked.n] if there else Applicant(), "there": there}


def _where_is(asked: StepRequest, field: str) -> str:
    """The address of a mistake's field: on this page, or on the one where it can be changed."""
    step, n = fields.step_of(field)
    name = fields.field_name(field)
    if asked.step != "review":
        return f"#{name}"
    at = {"n": n} if step == "person" else {}
    return _url(f"form_{step}", asked.compound, to="review", check=1, _anchor=name, **at)


def _beside(step: str, by: int) -> str:
    return STEPS[STEPS.index(step) + by] if step in STEPS and 0 <= STEPS.index(step) + by < len(STEPS) else step


def _url(view: str, compound: Compound, **more: Any) -> str:
    return url_for(f"residents.{view}", compound_id=compound.compound_id, **more)
