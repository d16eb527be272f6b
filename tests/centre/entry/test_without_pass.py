"""Who was let in without a pass: at the desk, on the household's own page, and on nobody else's."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from sync.server.people import without_pass
from sync.server.people.households import households
from tests.fixtures.centre import NOW, World
from tests.fixtures.events import Journal, event, send
from tests.fixtures.office import Office
from tests.fixtures.people import application, apply, approved, neighbour
from tests.fixtures.true_gate import LANE, TrueGate

DAY_MS = 86_400_000


def entry(seq: int, **fields: object) -> str:
    said = {"kind": "provisional", "at_ms": NOW - 60_000 * (9 - seq), "dwelling": "3-2-501", "count": 2, "by": "Lin",
            "until_ms": NOW + DAY_MS}  # fmt: skip
    return event(seq, **(said | fields))


def sent(world: World, *events: str) -> None:
    send(world.gate().enrol(), Journal(list(events)).batch(1, len(events)))


def found(world: World, now_ms: int = NOW) -> list[without_pass.ProvisionalEntry]:
    with world.centre.store.read() as conn:
        return without_pass.find_entries(conn, 7, now_ms)


def own_page(world: World, done: households.Submitted) -> str:
    page: str = world.app.test_client().get(f"/j/7/s/{done.link}").text
    return page


def test_a_household_let_in_twice_is_one_line_with_its_last_count(world: World) -> None:
    sent(world, entry(1), event(2), entry(3, about="e1", count=4), entry(4, dwelling="9-1-1"))
    assert [(one.dwelling, one.people, one.times, one.gate_name) for one in found(world)] == [
        ("9-1-1", 2, 1, "东门"),
        ("3-2-501", 4, 2, "东门"),
    ]


def test_after_three_days_nothing_is_shown(world: World) -> None:
    sent(world, entry(9))
    assert found(world, NOW + 3 * DAY_MS) and not found(world, NOW + 3 * DAY_MS + 1)


def test_a_hostile_gate_breaks_no_page(world: World) -> None:
    lies = ({"dwelling": "x" * 5000}, {"by": "<b>" * 500}, {"until_ms": 1 << 60}, {"count": -5})
    sent(world, *(entry(seq, **lie) for seq, lie in enumerate(lies, 1)))
    page = Office(world, "zhao", mine=(7,), role="clerk").get("/c/7/collect")
    assert page.status_code == 200 and "x" * 50 not in page.text and "<b><b>" not in page.text
    assert len(found(world)) == 3


def test_the_desk_of_that_compound_sees_gate_guard_and_household(world: World) -> None:
    done = approved(world.centre)
    sent(world, entry(1, household=done.household_id))
    clerk = Office(world, "zhao", mine=(7, 8), role="clerk")
    page = clerk.get("/c/7/collect").text
    assert "门口登记后放行" in page and "东门 · Lin" in page and f"/c/7/collect/{done.household_id}" in page
    assert "没带证，Lin登记后放行，2人" in clerk.get(f"/c/7/collect/{done.household_id}").text
    assert "门口登记后放行" not in clerk.get("/c/8/collect").text


def test_the_household_reads_it_and_no_other_does(world: World) -> None:
    done, other = approved(world.centre), approved(world.centre, form=neighbour())
    sent(world, entry(1, household=done.household_id), entry(2, dwelling="3栋2单元501", count=5))
    page = own_page(world, done)
    assert "，东门，2人" in page and "，东门，5人" in page and "Lin" not in page
    assert "东门" not in own_page(world, other)


def test_a_form_for_somebody_elses_dwelling_reads_nothing_before_it_was_checked(world: World) -> None:
    done = apply(world.centre, form=application())
    sent(world, entry(1))
    assert "东门" not in own_page(world, done)


def test_the_record_of_events_says_which_home_and_how_many(world: World) -> None:
    sent(world, entry(1))
    page = Office(world, "wang", mine=(7,)).get("/c/7/events?kind=provisional").text
    assert "没带证，登记后放行" in page and "3-2-501" in page and "Lin" in page


def test_finding_them_reads_no_other_event(world: World) -> None:
    with world.centre.store.read() as conn:
        asked = {"compound": 7, "since": 0, "most": 1}
        plan = conn.execute(text(f"EXPLAIN QUERY PLAN {without_pass.FOUND.text}"), asked)
        assert any("event_provisional" in row.detail for row in plan)


def test_what_a_guard_registers_goes_up_to_the_desk(world: World, tmp_path: Path) -> None:
    done = approved(world.centre)
    gate = TrueGate(world, tmp_path / "gate")
    gate.follow()
    gate.provisional.admit(LANE, "3栋2单元501", 3, False, "Lin")
    gate.later(12)
    gate.follow()
    (one,) = found(world, world.now_ms)
    assert (one.dwelling, one.household, one.people, one.by) == ("3-2-501", done.household_id, 3, "Lin")
    assert one.until_ms == one.at_ms + DAY_MS and gate.opened() == 1
    gate.close()
