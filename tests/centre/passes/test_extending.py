"""Extending a pass: the centre promises no end that gates would not honour with what was signed."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from sync.credential import HOUR_MS, KIND_NUMBERS, STEP_MS
from sync.protocol import CredentialRow, Rules
from sync.server.centre import feed
from sync.server.office import rule_form
from sync.server.passes import bulk, compounds, passes
from sync.server.passes.passes import NeedsReissue
from tests.fixtures.centre import NOW, World
from tests.fixtures.office import Office

DAY_MS = 24 * HOUR_MS
LATEST = NOW + 30 * DAY_MS + 400 * DAY_MS
"""Until when a resident's pass of 30 days may be extended by the rules that a compound begins with."""


def listed(world: World, compound: int = 7) -> list[CredentialRow]:
    """What gates are told of credentials in force."""
    with world.centre.store.read() as conn:
        return [row for row in feed.all_rows(conn, compound) if row.state in ("printed", "active")]


def ends(world: World, number: str) -> int:
    return passes.get_pass(world.centre, number).valid_until_ms


def honoured(world: World, row: CredentialRow, compound: int = 7) -> bool:
    """Whether a gate of that compound takes the list's word for the end."""
    rules = compounds.read_rules(compounds.read_compound(world.centre, compound))
    signed = 1_577_836_800_000 + row.not_before_step * STEP_MS + row.validity_hours * HOUR_MS
    return row.valid_until_ms <= rules.honoured_ms(row.kind, signed)


@pytest.mark.parametrize("kind", KIND_NUMBERS)
def test_what_is_issued_is_honoured_to_its_end(world: World, kind: str) -> None:
    compounds.set_rule(world.centre, 7, "extension_hours", "{}", "test")
    for length in (1, HOUR_MS, HOUR_MS + 1, 30 * DAY_MS - 12345):
        world.issue(kind=kind, valid_from_ms=NOW + 777, valid_until_ms=NOW + 777 + length, phone=True)
    rows = listed(world)
    assert len(rows) == 8 and all(honoured(world, row) for row in rows)


@pytest.mark.parametrize(("kind", "days"), [("resident", 400), ("vehicle", 400), ("visitor", 0), ("contractor", 0)])
def test_a_pass_is_extended_as_far_as_gates_honour_and_not_a_second_further(world: World, kind: str, days: int) -> None:
    number, latest = world.issue(kind=kind).number, LATEST + (days - 400) * DAY_MS
    assert passes.extend(world.centre, number, latest, "test").valid_until_ms == latest
    assert all(honoured(world, row) for row in listed(world))
    before = passes.get_pass(world.centre, number)
    with pytest.raises(NeedsReissue, match=r"at most") as told:
        passes.extend(world.centre, number, latest + 1000, "test")
    assert "换新证" in told.value.zh
    assert passes.get_pass(world.centre, number) == before


def test_with_new_credentials_it_goes_further_and_only_those_that_need_it_are_replaced(world: World) -> None:
    number = world.issue(phone=True).number
    passes.extend(world.centre, number, LATEST, "test")
    passes.reissue(world.centre, number, ("phone",), "test")
    far = LATEST + 100 * DAY_MS
    done = passes.extend(world.centre, number, far, "test", reissue=True)
    states = [(one.medium, one.state) for one in done.credentials]
    assert states == [("card", "active"), ("phone", "active"), ("phone", "superseded"), ("card", "superseded")]
    assert done.valid_until_ms == far and done.state == "active"
    rows = listed(world)
    assert len(rows) == 2 and all(honoured(world, row) for row in rows)


def test_a_pass_that_waits_is_extended_and_still_waits(world: World) -> None:
    number = world.issue(active=False, kind="visitor").number
    done = passes.extend(world.centre, number, LATEST, "test", reissue=True)
    assert done.state == "printed" and [one.state for one in done.credentials] == ["printed", "superseded"]


def test_a_shorter_end_needs_no_new_credential(world: World) -> None:
    number = world.issue(kind="visitor").number
    assert passes.extend(world.centre, number, NOW + 1000, "test").valid_until_ms == NOW + 1000


def test_everybody_is_extended_but_those_who_need_new_credentials(world: World) -> None:
    young = world.issue(valid_until_ms=NOW + 60 * DAY_MS).number
    old = world.issue(valid_until_ms=NOW + 10 * DAY_MS, phone=True).number
    passes.reissue(world.centre, old, ("phone",), "test")
    extension = bulk.Extension(until_ms=NOW + 450 * DAY_MS)
    count = bulk.count(world.centre, 7, extension)
    assert (count.total, count.left) == (1, 1)
    assert bulk.extend_all(world.centre, 7, extension, "test", counted=1) == 1
    assert (ends(world, young), ends(world, old)) == (NOW + 450 * DAY_MS, NOW + 10 * DAY_MS)
    assert all(honoured(world, row) for row in listed(world))
    passes.reissue(world.centre, old, ("card", "phone"), "test")
    assert bulk.count(world.centre, 7, extension).left == 1, "a new code is signed until the pass's own end"
    passes.extend(world.centre, old, NOW + 450 * DAY_MS, "test", reissue=True)
    assert bulk.count(world.centre, 7, extension).left == 0


def test_a_wider_scope_is_extended_as_far_as_the_strictest_compound_that_accepts_it(world: World) -> None:
    compounds.add_compound(world.centre, "公务", "Officials", "Asia/Shanghai", 900, "test", wide=True)
    for compound, hours in ((7, 48), (8, 24)):
        compounds.set_rule(
            world.centre, compound, "extension_hours", msgspec.json.encode({"official": hours}).decode(), "t"
        )
    number = world.issue(compound=900, kind="official").number
    assert passes.extend(world.centre, number, NOW + 200 * DAY_MS, "test"), "nobody accepts it: its own rules hold"
    other = world.issue(compound=900, kind="official").number
    for compound in (7, 8):
        compounds.set_rule(world.centre, compound, "accepts", "[900]", "test")
    with pytest.raises(NeedsReissue):
        passes.extend(world.centre, other, NOW + 32 * DAY_MS, "test")
    assert passes.extend(world.centre, other, NOW + 31 * DAY_MS, "test")


def test_a_narrower_rule_waits_until_it_breaks_no_promise(world: World) -> None:
    number, gone = world.issue().number, world.issue().number
    for one in (number, gone):
        passes.extend(world.centre, one, NOW + 130 * DAY_MS, "test")
    passes.revoke(world.centre, gone, "test")
    before = compounds.read_rules(compounds.read_compound(world.centre, 7))
    for narrower in ({}, {"resident": 99 * 24}):
        with pytest.raises(compounds.PromiseBroken, match=r"at least 100 days") as told:
            compounds.set_rule(world.centre, 7, "extension_hours", msgspec.json.encode(narrower).decode(), "test")
        assert told.value.kind == "resident" and "100天" in told.value.zh
    assert compounds.read_rules(compounds.read_compound(world.centre, 7)) == before
    compounds.set_rule(world.centre, 7, "extension_hours", '{"resident": 2400}', "test")
    passes.reissue(world.centre, number, ("card",), "test")
    assert compounds.set_rule(world.centre, 7, "extension_hours", "{}", "test") == msgspec.structs.replace(
        before, extension_hours={}
    )


def test_a_pass_that_has_ended_holds_no_rule_up(world: World) -> None:
    number = world.issue().number
    passes.extend(world.centre, number, NOW + 130 * DAY_MS, "test")
    world.now_ms += 130 * DAY_MS
    assert compounds.set_rule(world.centre, 7, "extension_hours", "{}", "test").extension_hours == {}


@pytest.mark.parametrize(
    "value", ['{"resident": -1}', '{"lorry": 5}', '{"resident": 64801}', "[1]", '{"resident": "x"}']
)
def test_an_invalid_extension_is_refused(world: World, value: str) -> None:
    with pytest.raises(compounds.CentreError):
        compounds.set_rule(world.centre, 7, "extension_hours", value, "test")


def test_rules_of_an_older_centre_bound_extensions_too() -> None:
    rules = msgspec.json.decode(b'{"passback_s":300}', type=Rules)
    assert rules.honoured_ms("visitor", 5) == 5 and rules.honoured_ms("resident", 5) == 5 + 400 * DAY_MS


# On the page


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_of_a_pass_says_how_far_and_offers_a_new_code(world: World, office: Office, language: str) -> None:
    number = world.issue(kind="visitor").number
    page = f"/c/7/passes/{number}"
    answer = office.post(f"{page}?lang={language}", do="extend", until="2027-12-31")
    assert answer.status_code == 409 and 'value="extend_reissue"' in answer.text
    assert re.search(r'role="alert"><p>[^<]*2027-02-14 [^<]*<', answer.text), answer.text
    assert ends(world, number) == NOW + 30 * DAY_MS
    done: Any = office.post(page, do="extend_reissue", until="2027-12-31")
    assert done.status_code == 302
    assert ends(world, number) == passes.read_time("2027-12-31", "Asia/Shanghai", True)
    assert all(honoured(world, row) for row in listed(world))


def test_the_rule_form_says_at_its_kind_which_promise_it_would_break(world: World, office: Office) -> None:
    number = world.issue().number
    passes.extend(world.centre, number, NOW + 130 * DAY_MS, "test")
    compound = compounds.read_compound(world.centre, 7)
    fields = {
        name: list(values) for name, values in rule_form.write(compounds.read_rules(compound), "UTC")._fields.items()
    }
    answer = office.post("/c/7/rules", **fields | {"extension-resident": ["7"], "seen": compounds.rules_mark(compound)})
    assert answer.status_code == 409 and re.search(r'id="wrong-extension-resident">[^<]*100天', answer.text)
    assert 'name="extension-resident" value="7"' in answer.text
