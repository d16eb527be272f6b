"""The pages of a compound's gates, their events, and its rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from flask import g, redirect, render_template, request, url_for

from sync.protocol import Event
from sync.server import words
from sync.server.centre import audit
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.gates import boards, events, fleet, shifts, troubles
from sync.server.gates.events import StoredEvent
from sync.server.office import rule_form
from sync.server.passes import compounds, passes
from sync.server.views import Route, language, local, or_again, page_number, whole_address

_AWAY_MS = 10 * 60_000
_WEEK_MS = 7 * 24 * 3_600_000
"""A gate asks at least every few minutes; one that has not for so long is out of contact."""


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """An event in words."""

    at: str
    gate: str
    gate_name: str
    lane: str
    kind: str
    what: str
    outcome: str
    outcome_words: str
    reason: str
    number: str
    details: list[str]


class Site:
    """Views over gates, events and rules. Each is given the compound of its address."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        read, post = ("GET",), ("GET", "POST")
        return (
            Route("gates", self.gates, post, "gates", "gate_change"),
            Route("gates/<gate_id>/code", self.gate_code, ("POST",), "gate_change"),
            Route("gates/<gate_id>/withdraw", self.gate_withdraw, ("POST",), "gate_change"),
            Route("gates/<gate_id>/events", self.gate_events, read, "events"),
            Route("events", self.events, read, "events"),
            Route("rules", self.rules, post, "rules"),
        )

    # Gates

    def gates(self, compound: Compound) -> Any:
        """Gates with their devices; a new one shows its enrolment code once."""
        if request.method == "POST":
            return or_again(lambda: self._add_gate(compound), "office/gates.html", lambda: self._gates(compound))
        return render_template("office/gates.html", form={}, **self._gates(compound))

    def _add_gate(self, compound: Compound) -> str:
        name = request.form.get("name", "").strip()
        return self._show_code(compound, fleet.add_gate(self._centre, compound.compound_id, name, g.staff.account))

    def _show_code(self, compound: Compound, code: fleet.EnrolmentCode) -> str:
        """Once, large, with the line to type; nothing else is on that page."""
        with self._centre.store.read() as conn:
            url = whole_address(conn, "")
        return render_template("office/code.html", code=code, url=url, until=local(code.ends_ms))

    def _gates(self, compound: Compound) -> dict[str, Any]:
        found, now_ms = fleet.list_gates(self._centre, compound.compound_id), self._centre.now_ms()
        faults = boards.find_board_faults(self._centre, compound.compound_id)
        unasked = events.count_unasked(self._centre, compound.compound_id, now_ms - _WEEK_MS)

        def lag(gate: fleet.Gate) -> str:
            behind = gate.lag(compound)
            if behind is None:
                return words.say(language(), "list_whole")
            return words.say(language(), "list_behind" if behind else "list_newest").format(n=behind)

        def ill(gate: fleet.Gate) -> str:
            said = _listed(words.coded(language(), "reason", fault) for fault in faults.get(gate.device, ()))
            return words.say(language(), "gate_ill").format(said=said) if said else ""

        return {
            "found": found, "lag": lag, "ill": ill, "unasked": unasked,
            "lanes": lambda gate: ", ".join(msgspec.json.decode(gate.lanes or "{}")),
            "ago": lambda at_ms: words.ago(language(), max(0, now_ms - at_ms) // 1000),
            "away": lambda gate: gate.state == "active" and now_ms - max(gate.seen_ms, gate.enrolled_ms) > _AWAY_MS,
        }  # fmt: skip

    def gate_code(self, compound: Compound, gate_id: str) -> Any:
        """Another enrolment code, shown once."""
        code = fleet.new_code(self._centre, compound.compound_id, gate_id, g.staff.account)
        return self._show_code(compound, code)

    def gate_withdraw(self, compound: Compound, gate_id: str) -> Any:
        """The root-signed order to wipe."""
        fleet.withdraw(self._centre, compound.compound_id, gate_id, g.staff.account)
        return redirect(url_for("office.gates", compound_id=compound.compound_id))

    # Events

    def gate_events(self, compound: Compound, gate_id: str) -> Any:
        """Events of one gate, the newest first."""
        return self._events(compound, fleet.find_gate(self._centre, compound.compound_id, gate_id))

    def events(self, compound: Compound) -> Any:
        """Events of the whole compound."""
        return self._events(compound, None)

    def _events(self, compound: Compound, gate: fleet.Gate | None) -> str:
        asked = {name: request.args.get(name, "")[:40] for name in ("kind", "outcome", "day")}
        from_ms, until_ms = _day(asked["day"], compound.timezone)
        gate_id = gate.gate if gate else None
        chosen = events.EventFilter(
            gate=gate_id, kind=asked["kind"], outcome=asked["outcome"], from_ms=from_ms, until_ms=until_ms
        )
        page = page_number()
        found, more = events.find_events(self._centre, compound.compound_id, chosen, page)
        found_troubles = troubles.find_troubles(self._centre, compound.compound_id, gate_id)
        counts = {what: sum(t.count for t in found_troubles if t.what == what) for what in troubles.SORTS}
        return render_template(
            "office/events.html", gate=gate, found=self._lines(compound, found), page=page, more=more, asked=asked,
            troubles=found_troubles[:50], counts={what: count for what, count in counts.items() if count},
            kinds_known=_family("event"), outcomes_known=_family("outcome"),
        )  # fmt: skip

    def _lines(self, compound: Compound, found: list[StoredEvent]) -> list[EventRow]:
        """In words, and what was taken back as such."""
        since_ms = min((kept.at_ms for kept in found), default=self._centre.now_ms())
        return _lines(found, shifts.annulled(self._centre, compound.compound_id, since_ms))

    # Rules

    def rules(self, compound: Compound) -> Any:
        """Every rule, saved together or not at all; on any error what was written stays in the form."""
        old, zone = compounds.read_rules(compound), compound.timezone
        if request.method == "GET":
            return self._show_rules(compound, rule_form.write(old, zone))
        form = rule_form.RuleForm(dict(request.form.lists()), more=request.form.get("more", ""))
        if "more" in request.form:
            return self._show_rules(compound, form)
        rules = rule_form.read(form, old, zone)
        if rules is None:
            return self._show_rules(compound, form), 409
        try:
            seen = request.form.get("seen", "")
            done = compounds.set_rules(self._centre, compound.compound_id, rules, g.staff.account, seen)
        except compounds.RulesChanged:
            now = compounds.read_compound(self._centre, compound.compound_id)
            return self._show_rules(now, form, "rules_changed"), 409
        except compounds.PromiseBroken as err:
            form.wrong(f"extension-{err.kind}", err.zh, str(err))
            return self._show_rules(compound, form), 409
        return redirect(url_for("office.rules", compound_id=compound.compound_id, saved=done))

    def _show_rules(self, compound: Compound, form: rule_form.RuleForm, warning: str = "") -> str:
        zone, rules = compound.timezone, compounds.read_rules(compound)
        log = [
            (entry, *rule_form.change_in_words(entry.about, language(), zone))
            for entry in audit.newest(self._centre, compound.compound_id, "set-rule")
        ]
        begun = [stage for stage in rules.enforcement if stage.from_ms <= self._centre.now_ms()]
        return render_template(
            "office/rules.html", form=form, warning=warning, log=log, mark=compounds.rules_mark(compound),
            saved=request.args.get("saved", type=int), stages=rule_form.STAGES, passback=rule_form.PASSBACK,
            in_force=max(begun, key=lambda stage: stage.from_ms).stage if begun else "strict",
            told=lambda error: words.pick(language(), error), about=_about,
            kinds_with_quota=rule_form.KINDS_WITH_QUOTA,
        )  # fmt: skip


def _about(field: str) -> str:
    """Which rule a field of the form belongs to, as the page calls it."""
    sections = {"stage": "enforcement", "hours": "hours", "lane": "lane_kinds", "extension": "extension_hours",
                "quota": "quota_kind_day", "entries": "entries_kind"}  # fmt: skip
    section = sections.get(field.partition("-")[0], field)
    return words.say(language(), f"rule.{section}")


def _day(text: str, timezone: str) -> tuple[int | None, int | None]:
    """The moments a local day begins and ends; (None, None) for an invalid day."""
    try:
        return tuple(passes.read_time(text, timezone, end) for end in (False, True))  # type: ignore[return-value]
    except CentreError:
        return None, None


def _family(family: str) -> list[str]:
    return [key.removeprefix(f"{family}.") for key in words.WORDS if key.startswith(f"{family}.")]


def _lines(found: list[StoredEvent], annulled: set[str]) -> list[EventRow]:
    """In words; an event about another one on the page is about its pass, too. ``annulled`` are ids of acts."""
    read = [(kept, _read(kept)) for kept in found]
    numbers = {event.id: kept.number for kept, event in read if kept.number and event.id}
    return [
        _line(kept, event, kept.number or numbers.get(event.about, ""), event.id in annulled) for kept, event in read
    ]


def _read(kept: StoredEvent) -> Event:
    event = events.read_event(kept.event)
    return event if isinstance(event, Event) else Event(id="", kind=kept.kind, at_ms=kept.at_ms)


def _line(kept: StoredEvent, event: Event, number: str, annulled: bool) -> EventRow:
    tongue = language()
    return EventRow(
        at=local(kept.at_ms, seconds=True), gate=kept.gate, gate_name=kept.gate_name, lane=kept.lane, kind=kept.kind,
        what=words.coded(tongue, "event", kept.kind), outcome=kept.outcome,
        outcome_words=words.coded(tongue, "outcome", kept.outcome) if kept.outcome else "",
        reason=words.coded(tongue, "reason", kept.reason) if kept.reason else "", number=number,
        details=[*([words.say(tongue, "annulled")] if annulled else []), *_details(event, tongue)],
    )  # fmt: skip


def _listed(names: Iterable[str]) -> str:
    return (", " if language() == "en" else "、").join(names)


def _details(event: Event, tongue: words.Language) -> list[str]:
    """What else an officer may want to know of an event."""

    def say(key: str, said: object = "") -> str:
        return words.say(tongue, key).format(said=said)

    also = _listed(words.coded(tongue, "reason", reason) for reason in event.also)
    softened = event.guidance if event.guidance != "ok" else ""
    told = (
        (softened, say("softened", words.coded(tongue, "reason", softened))),
        (event.also, say("also", also)),
        (event.source in ("guard_button", "exit_button"), words.coded(tongue, "reason", event.source)),
        (event.dwelling, say("for_dwelling", event.dwelling)),
        (event.by, say("by", event.by)),
        (event.why, words.coded(tongue, "reason", event.why)),
        (event.dwelling, event.dwelling[:40]),
        (event.count, say("count", event.count)),
        (event.repeats, say("repeats", event.repeats)),
        (event.clock == "untrusted", say("clock_untrusted")),
        (event.slow_disk, say("slow_disk")),
        (event.recovered, say("recovered", event.recovered)),
    )  # fmt: skip
    return [line for said, line in told if said]
