"""The frame of the residents' pages: no account, a cookie for the draft, everything under the compound's address."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, g, request
from flask_wtf.csrf import CSRFError

from sync.server import pages
from sync.server.centre.errors import NoSuchThing
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.passes import compounds
from sync.server.people.households.field_groups import ANSWERS, Answer
from sync.server.residents.form import Form
from sync.server.residents.phone import Phone
from sync.server.residents.status import Status
from sync.server.residents.steps import STEP_PAGES, Steps

MOST_BODY_BYTES = 256 << 10
"""Twelve people, or a signature: nothing a resident sends comes near it."""


class Residents:
    """The pages of one centre that anybody may open."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def blueprint(self) -> Blueprint:
        found = pages.dress(Blueprint("residents", __name__))
        rooms = (Form(self._centre), Status(self._centre), Phone(self._centre))
        for route in (route for room in rooms for route in room.routes()):
            view = self._scoped(route.view) if "<int:compound_id>" in route.rule else route.view
            found.add_url_rule(route.rule, route.view.__name__, view, methods=route.methods)
        found.app_context_processor(lambda: {"question": ANSWERS, "questions": _questions})
        found.url_value_preprocessor(_limit)  # before the body is read for the form's token
        found.register_error_handler(CSRFError, self._expired)
        return found

    def _expired(self, error: CSRFError) -> Any:
        """A page whose token ran out. A step of the form comes again with all that was written; nothing is changed."""
        try:
            g.compound = self._compound((request.view_args or {})["compound_id"])
        except NoSuchThing as gone:
            return pages.explain(gone)
        if (request.endpoint or "").startswith(STEP_PAGES):
            return Steps(self._centre).again()
        return pages.explain(error)

    def _compound(self, compound_id: int) -> Compound:
        """Nobody lives in a wider scope. Raises NoSuchThing."""
        found = compounds.read_compound(self._centre, compound_id)
        if found.wide:
            raise NoSuchThing(en=f"There is no compound {compound_id}.")
        return found

    def _scoped(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """The compound of the address, as the view's first argument. Another one's objects are the view's to refuse."""

        @wraps(view)
        def scoped(compound_id: int, **kwargs: Any) -> Any:
            g.compound = self._compound(compound_id)
            return view(g.compound, **kwargs)

        return scoped


def _questions(group: str) -> list[tuple[str, Answer]]:
    """What the form asks about one thing, in its order, for the pages and for the blank form on paper."""
    return [(name, answer) for name, answer in ANSWERS.items() if answer.group.name == group]


def _limit(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    request.max_content_length = MOST_BODY_BYTES
