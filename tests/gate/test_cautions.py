"""The master caution: what began stays told until a guard has seen it."""

from __future__ import annotations

from kiosk.core.cautions import Cautions

CALL, FIRE = ("call", "entry"), ("fire", "entry")


def told(cautions: Cautions) -> list[tuple[int, str, int]]:
    return [(caution.number, caution.code, caution.since_ms) for caution in cautions.told]


def test_what_began_and_is_over_is_told_until_it_is_acknowledged() -> None:
    cautions = Cautions()
    cautions.look([CALL], 5)
    cautions.look([], 9)
    assert told(cautions) == [(1, "call", 5)]
    assert [caution.code for caution in cautions.acknowledge(1)] == ["call"]
    assert told(cautions) == []


def test_what_goes_on_is_not_told_again_once_it_was_acknowledged() -> None:
    cautions = Cautions()
    for at in (5, 6):
        cautions.look([FIRE], at)
        cautions.acknowledge(1)
    assert told(cautions) == []
    cautions.look([], 7)
    cautions.look([FIRE], 8)
    assert told(cautions) == [(2, "fire", 8)]


def test_what_comes_and_goes_is_one_caution_since_it_first_began() -> None:
    cautions = Cautions()
    for at in range(100):
        cautions.look([CALL] if at % 2 else [], at)
    assert told(cautions) == [(1, "call", 1)]


def test_what_began_after_the_page_was_drawn_is_not_acknowledged_by_it() -> None:
    cautions = Cautions()
    cautions.look([CALL], 5)
    cautions.look([CALL, FIRE], 6)
    cautions.acknowledge(1)
    assert told(cautions) == [(2, "fire", 6)]


def test_there_is_an_end_to_what_is_remembered() -> None:
    cautions = Cautions()
    for number in range(1000):
        cautions.look([("call", f"lane {number}")], number)
    assert len(cautions.told) == 20


def test_what_is_shown_again_before_anybody_has_seen_it_is_counted_under_a_new_number() -> None:
    cautions = Cautions()
    cautions.tell("revoked", "entry", 5)
    cautions.tell("revoked", "exit", 6)
    cautions.tell("revoked", "entry", 7)
    assert [(c.number, c.lane, c.since_ms, c.times) for c in cautions.told] == [(2, "exit", 6, 1), (3, "entry", 5, 2)]
    assert [c.lane for c in cautions.acknowledge(2)] == ["exit"], "the second showing was not on that page yet"
    cautions.tell("revoked", "exit", 9)
    assert [(c.lane, c.since_ms, c.times) for c in cautions.told] == [("entry", 5, 2), ("exit", 9, 1)]


def test_codes_that_are_shown_without_end_fill_no_memory() -> None:
    cautions = Cautions()
    for number in range(100):
        cautions.tell("revoked", f"lane {number}", number)
    assert len(cautions.told) == 20
