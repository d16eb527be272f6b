"""The live list as a value."""

from __future__ import annotations

from kiosk.guard.board import KEPT, Board
from kiosk.verbs import LiveLine, LiveLines

NOW = 1_000_000


def decision(number: int, outcome: str = "grant", **values: object) -> LiveLine:
    return LiveLine(number=number, kind="decision", outcome=outcome, **values)


def board_with(*items: LiveLine, run: str = "r") -> Board:
    board = Board()
    board.take(LiveLines(list(items), max((h.number for h in items), default=0), run))
    return board


def test_taking_the_same_happenings_twice_changes_nothing() -> None:
    board = board_with(decision(1), decision(2))
    assert not board.take(LiveLines([decision(1), decision(2)], 2, "r"))
    assert [entry.number for entry in board.entries()] == [2, 1]


def test_a_ruling_settles_its_refer_and_is_no_line_of_its_own() -> None:
    board = board_with(decision(1, "refer", open_until_ms=NOW + 1))
    assert board.waiting(NOW)
    board.take(LiveLines([LiveLine(number=2, kind="ruling", about=1, outcome="grant")], 2, "r"))
    assert not board.waiting(NOW) and len(board.entries()) == 1


def test_the_passage_after_a_ruling_belongs_to_the_decision() -> None:
    board = board_with(decision(1, "refer", open_until_ms=NOW + 1))
    board.take(LiveLines([LiveLine(number=2, kind="ruling", about=1, outcome="grant", by="x")], 2, "r"))
    board.take(LiveLines([LiveLine(number=3, kind="passage", about=2, outcome="passed")], 3, "r"))
    assert [h.kind for h in board.find(1).everything] == ["decision", "ruling", "passage"]


def test_a_refer_waits_until_its_time_is_up_and_not_a_moment_longer() -> None:
    board = board_with(decision(1, "refer", open_until_ms=NOW))
    assert board.waiting(NOW - 1) and not board.waiting(NOW)


def test_people_are_answered_in_the_order_they_came() -> None:
    board = board_with(decision(1, "refer", open_until_ms=NOW + 9), decision(2, "refer", open_until_ms=NOW + 9))
    assert board.current(NOW).number == 1


def test_with_nobody_waiting_the_newest_decision_is_current() -> None:
    board = board_with(decision(1, "deny"), decision(2), LiveLine(number=3, kind="button"))
    assert board.current(NOW).number == 2


def test_another_run_of_the_core_empties_the_board() -> None:
    board = board_with(decision(1), decision(2))
    before = board.version
    assert board.take(LiveLines([decision(1, "deny")], 1, "another"))
    assert [entry.first.outcome for entry in board.entries()] == ["deny"]
    assert board.version > before


def test_a_reason_is_wanted_until_it_is_given() -> None:
    board = board_with(
        decision(1, "deny"), LiveLine(number=2, kind="override", about=1, needs_reason=True, reason="over_budget")
    )
    assert [h.number for h in board.wanting_reason()] == [2]
    version = board.version
    board.take(LiveLines([LiveLine(number=3, kind="explained", about=2, reason="papers", by="x")], 3, "r"))
    assert not board.wanting_reason()
    assert [entry.number for entry in board.changed_after(version)] == [1]
    assert (board.find(1).newest, board.find(1).newest_act) == (3, 2)


def test_a_reason_for_something_long_forgotten_is_no_line() -> None:
    assert not board_with(LiveLine(number=500, kind="explained", about=3)).entries()


def test_the_board_keeps_only_the_latest_entries() -> None:
    board = board_with(*[decision(number) for number in range(1, KEPT + 50)])
    assert len(board.entries()) == KEPT and board.find(1) is None


def test_what_settles_a_forgotten_decision_is_a_line_of_its_own() -> None:
    board = board_with(LiveLine(number=500, kind="passage", about=3, outcome="passed"))
    assert board.entries()[0].first.kind == "passage"
