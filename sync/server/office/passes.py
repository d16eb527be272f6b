"""The pages of passes: search, issue, change, extend everybody, print, show on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sync.credential import DIGITS_STEP_S, KIND_NUMBERS, digits_at
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.centre.places import Compound, lanes_of
from sync.server.centre.writing import Centre
from sync.server.office import terms_form
from sync.server.passes import bulk, card, passes
from sync.server.passes.passes import Order, Pass
from sync.server.passes.terms import tell_terms
from sync.server.people.collecting import printing
from sync.server.views import Route, error_text, language, or_again, page_number, until
from sync.server.words import coded
from sync.terms import LOOKS

_LONGEST_EXTENSION_MS = 400 * 86_400_000
"""A slip of the pen (2206 for 2026) must not make the passes of a whole compound good for ever."""


class Desk:
    """Views over one centre's passes. Each is given the compound of its address, which the account may see."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        read, post = ("GET",), ("GET", "POST")
        return (
            Route("passes", self.passes, post, "passes", "pass_change"),
            Route("passes/<number>", self.one_pass, post, "passes", "pass_change"),
            Route("passes/<number>/card", self.card, read, "collect"),
            Route("passes/<number>/phone", self.phone, read, "pass_change"),
            Route("passes/<number>/phone.svg", self.phone_svg, read, "pass_change"),
            Route("extend", self.extend_all, post, "pass_change"),
        )

    def passes(self, compound: Compound) -> Any:
        """Search, and issue."""
        if request.method == "POST":
            return or_again(lambda: self._issue(compound), "office/passes.html", lambda: self._found(compound))
        return render_template("office/passes.html", form={}, **self._found(compound))

    def _terms_asked(self, compound: Compound) -> dict[str, Any]:
        """The part of a form about a pass's own terms: as it was sent, and which lanes it can offer."""
        with self._centre.store.read() as conn:
            lanes, gone = lanes_of(conn, compound.compound_id), passes.passes_without_lane(conn, compound.compound_id)
        return {"own": terms_form.TermsForm(request.form.to_dict(flat=False)), "lanes": lanes, "lanes_gone": gone}

    def _found(self, compound: Compound) -> dict[str, Any]:
        term, page = request.args.get("q", "").strip()[:64], page_number()
        found, more = passes.find_passes(self._centre, compound.compound_id, term, page)
        return {"found": found, "term": term, "page": page, "more": more, "shown": self._shown,
                **self._terms_asked(compound)}  # fmt: skip

    def _shown(self, found: Pass) -> str:
        return passes.shown_state(found, self._centre.now_ms())

    def _issue(self, compound: Compound) -> AnyResponse:
        made = passes.issue(self._centre, compound.compound_id, self._order(compound), g.staff.account)
        return redirect(url_for("office.one_pass", compound_id=compound.compound_id, number=made.number))

    def _order(self, compound: Compound) -> Order:
        form, now_ms = request.form, self._centre.now_ms()
        ends = form.get("until", "")
        until_ms = passes.read_time(ends, compound.timezone, True) if ends else now_ms + passes.DEFAULT_VALIDITY_MS
        terms, lanes = terms_form.read(form.to_dict(flat=False))
        return Order(
            kind=form.get("kind", ""), label=passes.masked(form.get("label", "")),
            dwelling=form.get("dwelling", "").strip(), plate=form.get("plate", "").strip(),
            valid_from_ms=now_ms, valid_until_ms=until_ms, phone="phone" in form, terms=terms, lanes=lanes,
        )  # fmt: skip

    def one_pass(self, compound: Compound, number: str) -> Any:
        """One pass, and what may be done with it."""
        wrong = ""
        if request.method == "POST":
            try:
                self._act(compound, number, request.form.get("do", ""))
                return redirect(request.path)
            except NoSuchThing:
                raise
            except CentreError as err:
                if not isinstance(err, passes.NeedsReissue) and request.form.get("do") != "terms":
                    raise
                wrong = error_text(err)
        found = passes.get_pass(self._centre, number)
        asked = self._terms_asked(compound)
        own_lanes = tuple(lane for lane in found.lanes.split(",") if lane)
        if request.form.get("do") != "terms":
            asked["own"] = terms_form.write(found.own, own_lanes)
        gone = [lane for lane in own_lanes if asked["lanes"].checkable and lane not in asked["lanes"].names]
        live = {c.medium for c in found.credentials if c.state in ("printed", "active")}
        page = render_template(
            "office/pass.html", found=found, live=live, shown=self._shown(found), wrong=wrong,
            until=request.form.get("until", ""), told_terms=tell_terms(language(), found.own), gone=gone, looks=LOOKS,
            look=lambda code: coded(language(), "look_for", code), **asked,
        )  # fmt: skip
        return (page, 409) if wrong else page

    def _act(self, compound: Compound, number: str, what: str) -> None:
        centre, by = self._centre, g.staff.account

        def until_ms() -> int:
            return passes.read_time(request.form.get("until", ""), compound.timezone, True)

        actions: dict[str, Callable[[], Pass]] = {
            "hand_over": lambda: passes.hand_over(centre, number, by),
            "suspend": lambda: passes.suspend(centre, number, by),
            "resume": lambda: passes.resume(centre, number, by),
            "revoke": lambda: passes.revoke(centre, number, by),
            "attention": lambda: passes.set_attention(centre, number, True, by, request.form.get("look", "")),
            "no_attention": lambda: passes.set_attention(centre, number, False, by),
            "terms": lambda: passes.limit(centre, number, *terms_form.read(request.form.to_dict(flat=False)), by),
            "reissue_card": lambda: passes.reissue(centre, number, ("card",), by),
            "reissue_phone": lambda: passes.reissue(centre, number, ("phone",), by),
            "extend": lambda: passes.extend(centre, number, until_ms(), by),
            "extend_reissue": lambda: passes.extend(centre, number, until_ms(), by, reissue=True),
        }
        if what not in actions:
            abort(400)
        actions[what]()

    # Extending everybody: first the count, then the deed

    def extend_all(self, compound: Compound) -> Any:
        """Choose, see how many, confirm. Nothing is changed before the number was shown and ticked."""
        asked = request.values
        chosen = [kind for kind in KIND_NUMBERS if kind in asked.getlist("kind")]
        draft: dict[str, Any] = {
            "until": asked.get("until", ""), "chosen": chosen if asked else bulk.EXTENDED_KINDS,
            "ended": "ended" in asked, "done": request.args.get("done", type=int), "count": None, "wrong": "",
        }  # fmt: skip
        if draft["done"] is not None or not ("until" in asked or "kind" in asked):
            return render_template("office/extend.html", **draft | {"chosen": bulk.EXTENDED_KINDS})
        extension = self._extension(compound, draft)
        if extension is None:
            return render_template("office/extend.html", **draft), 409 if request.method == "POST" else 200
        draft["new_end"] = until(extension.until_ms)
        if request.method == "POST" and "sure" not in request.form:
            draft["wrong"] = "extend_tick"
        elif request.method == "POST":
            counted = request.form.get("counted", -1, type=int)
            try:
                done = bulk.extend_all(self._centre, compound.compound_id, extension, g.staff.account, counted)
                return redirect(url_for("office.extend_all", compound_id=compound.compound_id, done=done))
            except bulk.PassCountChanged:
                draft["wrong"] = "extend_recount"
        draft["count"] = bulk.count(self._centre, compound.compound_id, extension)
        return render_template("office/extend.html", **draft), 409 if draft["wrong"] else 200

    def _extension(self, compound: Compound, draft: dict[str, Any]) -> bulk.Extension | None:
        """What the form asks for; None where ``draft`` now says what is wrong with it."""
        now_ms = self._centre.now_ms()
        try:
            until_ms = passes.read_time(draft["until"], compound.timezone, True)
        except CentreError:
            until_ms = 0
        if not now_ms < until_ms <= now_ms + _LONGEST_EXTENSION_MS:
            draft["wrong"] = "bad_day"
        elif not draft["chosen"]:
            draft["wrong"] = "pick_kind"
        else:
            running = 0 if draft["ended"] else _start_of_minute(now_ms)
            return bulk.Extension(until_ms=until_ms, kinds=draft["chosen"], running_at_ms=running)
        return None

    # On paper and on a phone

    def card(self, compound: Compound, number: str) -> Any:
        """A card to print, 86 × 54 mm, front and back; opening it is recorded."""
        found = passes.get_pass(self._centre, number)
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            faces = printing.faces(writing.conn, self._centre, compound.compound_id, [number])
            if not faces:
                raise NoSuchThing(en=f"Pass {number} has no card in force.")
            writing.audit("print", number, found.household)
        return render_template("office/card.html", found=found, face=faces[0], code=card.drawn(faces[0].text))

    def phone(self, compound: Compound, number: str) -> Any:
        """The live phone code; opening it is recorded."""
        passes.phone_code(self._centre, number, g.staff.account)
        return render_template("office/phone.html", found=passes.get_pass(self._centre, number))

    def phone_svg(self, compound: Compound, number: str) -> Any:
        """The phone's code at this moment, by the centre's clock; ``Next-In`` says in how many ms it changes."""
        code, now_ms = passes.read_phone_code(self._centre, number), self._centre.now_ms()
        step, into_ms = divmod(now_ms, DIGITS_STEP_S * 1000)
        drawn = make_response(card.drawn(f"{code.text}.{digits_at(code.secret, step)}"))
        drawn.headers.update({"Content-Type": "image/svg+xml", "Next-In": str(DIGITS_STEP_S * 1000 - into_ms)})
        return drawn


def _start_of_minute(utc_ms: int) -> int:
    return utc_ms // 60_000 * 60_000
