"""Markup, SQL and formulas in every text field residents and officers fill in: shown as they were written on every page
of the office and of the household, in Chromium; nothing of them becomes an element, a script or a statement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from sync.server.centre import tables
from sync.server.people.households import households
from sync.server.people.households.application import Journey
from tests.fixtures.browsers.officer_browser import Officer, Town
from tests.fixtures.office import furnish
from tests.fixtures.people import add_desk, applicant, application, apply, write_over

MARKUP = "\"'><img src=x onerror=a()><script>a()</script>"
SQL = "x'); DROP TABLE person;--"
FORMULA = '=HYPERLINK("http://x","y")'
MARKS = "img[src=x], script:not([src])"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "centre")
    yield made
    made.close()


def fill(town: Town, words: str) -> households.Submitted:
    """A household whose every text is ``words``, at a desk called so, told and noted so."""
    add_desk(town.centre, name_zh=words, name_en=words, place_zh=words, place_en=words)
    stay = Journey(province=words, city=words, district=words, from_day="2027-01-10", until_day="2027-01-12")
    person = applicant(
        name=words, province=words, city=words, came_from=words, transport_number=words, stayed="no", journeys=[stay]
    )
    done = apply(town.centre, 7, application(dwelling=words, people=[person], letter_name=words))
    with town.centre.writing(7, "wang") as writing:
        households.decide(writing, done.household_id, "not_here", told=words, evidence=words)
        households.set_state(writing, done.household_id, objection=words, collected_note=words, collected_by=words)
        everything = (
            (tables.pass_, {"label": words, "dwelling": words}), (tables.gate, {"neighbour_zh": words}),
            (tables.audit, {"about": words}), (tables.export, {"chosen": words, "why": words}),
        )  # fmt: skip
        for table, values in everything:
            writing.conn.execute(update(table).where(table.c.compound_id == 7).values(values))
        write_over(writing.conn, tables.audit, why=words)
        write_over(writing.conn, tables.visit, note=words)
    return done


def pages(town: Town, objects: dict[str, str], done: households.Submitted) -> list[str]:
    """Every page of the compound's office that is read, and the household's own."""
    values = {name: str(value) for name, value in objects.items()} | {"household_id": str(done.household_id)}
    found = [f"/j/7/s/{done.link}", f"/j/7/s/{done.link}/record", f"/j/7/s/{done.link}/object", "/j/7"]
    for rule in town.app.url_map.iter_rules():
        path = str(rule).replace("<int:compound_id>", "7")
        for name, value in values.items():
            path = path.replace(f"<int:{name}>", value).replace(f"<{name}>", value)
        if path.startswith("/c/7/") and "GET" in (rule.methods or ()) and "<" not in path:
            found.append(path)
    return found


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(MARKUP, id="markup", marks=pytest.mark.slow),
        pytest.param(SQL, id="sql", marks=pytest.mark.slow),
        pytest.param(FORMULA, id="formula", marks=pytest.mark.slow),
    ],
)
def test_words_stay_words_on_every_page(browser: Any, town: Town, words: str) -> None:
    objects = furnish(town, 7)
    done = fill(town, words)
    officer = Officer(browser, town, "desk", "zh")
    officer.sign_in()
    seen = 0
    for path in pages(town, objects, done):
        answer = officer.page.request.get(town.address + path)
        if answer.headers["content-type"].startswith("text/html"):
            officer.go(path)
            assert officer.page.locator(MARKS).count() == 0, path
            seen += words in str(officer.page.content()) or words in str(officer.page.inner_text("body"))
    assert seen > 5, "the words were on pages at all"
    officer.close()
    with town.centre.store.read() as conn:
        assert conn.execute(select(func.count()).select_from(tables.person)).scalar_one() > 0
