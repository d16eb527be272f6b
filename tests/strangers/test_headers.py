"""The headers of every answer of both sites, by a walk over all routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.routing import Rule

from kiosk.guard.app import create_app
from kiosk.guard.line import CoreLine, GuardSettings
from sync.protocol import API
from sync.server.pages import SECRETS
from tests.fixtures.browsers.guard_stage import Stage
from tests.fixtures.centre import World
from tests.fixtures.guard import Guard
from tests.fixtures.office import Office, furnish


def is_closed_up(headers: Any, secret: bool = False) -> None:
    """No type is guessed, no page is framed, no script is inline, and no address is told to other sites."""
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["Referrer-Policy"] in (("no-referrer",) if secret else ("no-referrer", "same-origin"))


def is_kept_nowhere(headers: Any) -> None:
    assert headers["Cache-Control"] == "no-store"


# --- the centre -------------------------------------------------------------------------------------------------------


@pytest.fixture
def things(world: World) -> dict[str, str | int]:
    return {"compound_id": 7, "name": "x", "filename": "style.css", **furnish(world, 7)}


def path_of(world: World, rule: Rule, things: dict[str, str | int]) -> str:
    with world.app.test_request_context():
        return str(world.app.url_for(rule.endpoint, **{name: things[name] for name in rule.arguments}))


def is_file(rule: Rule) -> bool:
    return rule.endpoint in ("static", "api.snapshot_file")


def test_every_answer_of_the_centre_is_closed_up_and_no_page_with_people_is_kept(
    world: World, things: dict[str, str | int]
) -> None:
    signed_in, stranger = Office(world, "everywhere", everywhere=True), world.app.test_client()
    rules = [rule for rule in world.app.url_map.iter_rules() if rule.endpoint != "api.wake"]
    seen = 0
    for rule in sorted(rules, key=str):
        if str(rule) == "/sign-out":
            continue
        path = path_of(world, rule, things)
        secret = bool(rule.arguments & SECRETS)
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            for client in (signed_in.client, stranger):
                answer = client.open(path, method=method)
                is_closed_up(answer.headers, secret)
                if not is_file(rule) or answer.status_code != 200:
                    is_kept_nowhere(answer.headers)
                assert "Strict-Transport-Security" not in answer.headers, "it is plain HTTP"
                seen += answer.status_code == 200
                answer.close()
    assert seen > 60, "most are shown"
    for path in ("/nowhere", f"{API}/nowhere", "/c/7/nowhere", "/j/7/s", "/sign-out"):
        for method in ("GET", "POST", "DELETE"):
            answer = stranger.open(path, method=method)
            is_closed_up(answer.headers)
            is_kept_nowhere(answer.headers)


def test_every_address_that_is_a_secret_is_known_as_one(world: World) -> None:
    """A household's link, a visitor's behind it, the one-time link of an account, the code of a phone pass."""
    secret = {re.sub(r"\.\w+$", "", str(rule)) for rule in world.app.url_map.iter_rules() if rule.arguments & SECRETS}
    assert {"/welcome/<secret>", "/j/<int:compound_id>/p/a/<code>", "/j/<int:compound_id>/s/<link>"} <= secret
    assert all(path.startswith(("/welcome/", "/j/<int:compound_id>/")) for path in secret)
    open_to_all = [str(rule) for rule in world.app.url_map.iter_rules() if str(rule).startswith("/j/")]
    known = {"compound_id", "link", "secret", "code", "visitor_id", "number"}
    assert {name for rule in open_to_all for name in re.findall(r"<(?:\w+:)?(\w+)>", rule)} <= known, (
        "a secret, or not?"
    )


def test_over_https_every_answer_of_the_centre_asks_for_https_from_then_on(tmp_path: Path) -> None:
    world = World(tmp_path / "centre", secure_cookies=True)
    for path in ("/sign-in", "/static/style.css", "/j/7", f"{API}/feed", "/nowhere", "/welcome/x"):
        answer = world.client.get(path, base_url="https://localhost")
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000", path
        answer.close()
    world.centre.close()


# --- the guards' page -------------------------------------------------------------------------------------------------


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path).start()
    yield made
    made.stop()


@pytest.mark.parametrize("https", [False, True])
def test_every_answer_of_the_guards_page_is_closed_up_and_none_with_people_is_kept(stage: Stage, https: bool) -> None:
    line = CoreLine(stage.core_path, stage.reader_path)
    app = create_app(line, GuardSettings(secure_cookies=https))
    base = "https://localhost" if https else "http://localhost"
    guard, stranger = Guard(app), app.test_client()
    things = {"filename": "guard.css", "what": "theme", "choice": "night", "lane": "in", "name": "x", "number": 1}
    rules = sorted((rule for rule in app.url_map.iter_rules() if rule.endpoint != "live_list.stream"), key=str)
    for rule in rules:
        path = app.url_map.bind("localhost").build(
            rule.endpoint, {name: things.get(name, 1) for name in rule.arguments}
        )
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            for client in (guard.http, stranger):
                if str(rule) == "/sign-out" and client is guard.http:
                    continue
                answer = client.open(path, method=method, base_url=base)
                is_closed_up(answer.headers)
                if rule.endpoint != "static":
                    is_kept_nowhere(answer.headers)
                assert ("Strict-Transport-Security" in answer.headers) is https
                answer.close()
    is_closed_up(stranger.get("/nowhere", base_url=base).headers)
    line.close()
