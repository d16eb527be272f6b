"""What the page of each step asks: taken into the form, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from flask import request
from sqlalchemy import Connection

from sync.server.centre.places import Compound
from sync.server.people.households import application as form
from sync.server.people.households import drafts
from sync.server.people.households.application import Applicant, Application, FieldMistake, copy_ticked
from sync.server.residents import fields
from sync.server.views import language


class StepRequest(NamedTuple):
    """One request for a step: which, of which compound and person, on what day there."""

    step: str
    compound: Compound
    n: int
    today: date


def taking(asked: StepRequest) -> drafts.Act:
    """What was sent, to be taken in the transaction that keeps it."""
    return lambda conn, wrote: take(asked, conn, wrote)


def take(asked: StepRequest, conn: Connection, wrote: Application) -> None:
    """Put into the form what the page of a step asks for, and nothing else."""
    sent: fields.Sent = request.form
    did = sent.get("do", "next")
    if did.startswith("remove-journeys-"):
        person, _, row = did.removeprefix("remove-journeys-").partition("-")
        sent = fields.without_row(sent, f"people-{person}-journeys-{row}-")
    first = wrote.people[0]
    if asked.step == "where":
        fields.read_where(sent, wrote)
        fields.read_identity(sent, first, 0, asked.today)
        fields.settle_dwelling(conn, asked.compound.compound_id, wrote, sent.get("unit"))
    elif asked.step == "residence":
        fields.read_residence(sent, first, 0)
    elif asked.step == "travel":
        fields.read_travel(sent, first, 0)
        fields.read_health(sent, first, 0)
    elif asked.step == "family":
        fields.read_plates(sent, wrote)
    elif asked.step == "person":
        _take_person(asked, sent, wrote, did)
    elif asked.step == "letter":
        fields.read_letter(sent, wrote)
        wrote.letter_version, wrote.language = form.LETTER_VERSION, language()
    copy_ticked(wrote)


def _take_person(asked: StepRequest, sent: fields.Sent, wrote: Application, did: str) -> None:
    if did == "remove-person":
        if asked.n < len(wrote.people):
            del wrote.people[asked.n]
        return
    if asked.n >= len(wrote.people):
        wrote.people.append(Applicant())
    fields.read_person(sent, wrote.people[min(asked.n, len(wrote.people) - 1)], asked.n, asked.today)


def mistakes(asked: StepRequest, wrote: Application) -> Iterator[FieldMistake]:
    """What is wrong on the page of a step; before signing, what is wrong on any."""
    first = wrote.people[0]
    if asked.step == "where":
        yield from form.check_dwelling(wrote)
        yield from form.check_identity(first, "people.0", asked.today, first=True)
    elif asked.step == "residence":
        yield from form.check_residence(first, "people.0", asked.today)
    elif asked.step == "travel":
        yield from form.check_health(first, "people.0", asked.today)
    elif asked.step == "family":
        yield from _family(wrote, asked.today)
    elif asked.step == "person":
        yield from form.check_person(wrote.people[asked.n], asked.n, asked.today)
    elif asked.step == "review":
        yield from (one for one in form.check(wrote, asked.today) if one.field not in ("letter_name", "signature"))


def _family(wrote: Application, today: date) -> Iterator[FieldMistake]:
    """What is wrong with a co-resident is told on that one's own page, here only that something is."""
    for one in form.check_family(wrote, today):
        if not re.fullmatch(r"people\.[0-9]+\..*", one.field):
            yield one
    for n in incomplete(wrote, today):
        name = wrote.people[n].name
        yield FieldMistake(field=f"people.{n}", words=(f"{name}：还没填完整。", f"{name}: not complete yet."))


def incomplete(wrote: Application, today: date) -> list[int]:
    """Places of co-residents of whom something is missing."""
    return [n for n, person in enumerate(wrote.people) if n and any(form.check_person(person, n, today))]
