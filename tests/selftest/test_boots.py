"""Boots and power cuts: each counted once as what it was, and what a cut took from a journal is seen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.core.journal import Journal
from kiosk.selftest import days, power, watch
from kiosk.selftest.bench import Ran
from kiosk.selftest.power import Boot, Boots, Whole
from kiosk.selftest.watch import after_boot, looked, note, written
from tests.selftest.scripted import ScriptedBoard


@pytest.fixture
def board(tmp_path: Path) -> ScriptedBoard:
    return ScriptedBoard(tmp_path)


class Stops:
    """An event that is set at the wait after these many."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.waited: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.left -= 1
        return self.left < 0


def boots_again(board: ScriptedBoard, boot_id: str, orderly: bool) -> Boots:
    board.machine.put("/proc/sys/kernel/random/boot_id", boot_id)
    if orderly:
        (board.folder / power.ORDERLY).write_text("")
    return note(board.bench)


def begun(board: ScriptedBoard, phase: power.Phase) -> None:
    power.keep(board.folder, Boots(phase=phase, begun_in="boot-1"))


def test_the_boot_in_which_it_began_is_not_counted_and_every_other_once(board: ScriptedBoard) -> None:
    begun(board, "warm_boots")
    assert boots_again(board, "boot-1", False).boots == []
    for _ in range(2):
        assert len(boots_again(board, "boot-2", True).boots) == 1
    assert len(boots_again(board, "boot-3", True).counted("warm_boots")) == 2


def test_without_a_phase_no_boot_is_noted(board: ScriptedBoard) -> None:
    assert boots_again(board, "boot-2", False).boots == []


@pytest.mark.parametrize(
    ("phase", "orderly", "counts"),
    [("warm_boots", True, 1), ("warm_boots", False, 0), ("power_cuts", True, 0), ("power_cuts", False, 1)],
)
def test_a_cut_is_no_boot_in_order_and_the_other_way_round(
    board: ScriptedBoard, phase: power.Phase, orderly: bool, counts: int
) -> None:
    begun(board, phase)
    assert len(boots_again(board, "boot-2", orderly).counted(phase)) == counts
    assert not (board.folder / power.ORDERLY).exists()


def test_a_boot_after_which_the_gate_does_not_come_up_is_noted_as_such(board: ScriptedBoard) -> None:
    begun(board, "warm_boots")
    board.machine.answers[("systemctl", "is-active", "gate-kiosk-sync")] = Ran(3, "failed\n")
    (boot,) = boots_again(board, "boot-2", True).boots
    assert boot.well_s is None
    saw = power.counted(board.bench, "warm_boots")
    assert power.counted_judged(saw) == ["1 of 10", "1 times the gate did not come up"]


def test_ten_boots_that_are_well_hold(board: ScriptedBoard) -> None:
    begun(board, "cold_boots")
    for number in range(10):
        boots_again(board, f"cold-{number}", True)
    assert power.counted_judged(power.counted(board.bench, "cold_boots")) == []


def test_the_board_boots_itself_until_it_is_enough(board: ScriptedBoard) -> None:
    begun(board, "warm_boots")
    (board.folder / power.ORDERLY).write_text("")
    for number in range(12):
        board.machine.put("/proc/sys/kernel/random/boot_id", f"warm-{number}")
        after_boot(board.bench, Stops(1))  # type: ignore[arg-type]
    assert board.machine.ran.count(("systemctl", "reboot")) == 9


def test_boots_that_never_end_in_order_end_nevertheless(board: ScriptedBoard) -> None:
    begun(board, "warm_boots")
    for number in range(30):
        (board.folder / power.ORDERLY).unlink(missing_ok=True)
        board.machine.put("/proc/sys/kernel/random/boot_id", f"warm-{number}")
        after_boot(board.bench, Stops(1))  # type: ignore[arg-type]
    assert board.machine.ran.count(("systemctl", "reboot")) == 19


def test_somebody_can_stop_the_boots_between_two(board: ScriptedBoard) -> None:
    begun(board, "warm_boots")
    board.machine.put("/proc/sys/kernel/random/boot_id", "warm-1")
    after_boot(board.bench, Stops(0))  # type: ignore[arg-type]
    assert ("systemctl", "reboot") not in board.machine.ran


def test_an_orderly_end_leaves_its_mark_and_a_sample(board: ScriptedBoard) -> None:
    after_boot(board.bench, Stops(2))  # type: ignore[arg-type]
    assert (board.folder / power.ORDERLY).read_text() == "boot-1"
    assert len(days.samples(board.folder)) == 2


def test_the_green_light_says_when_the_plug_may_be_pulled_and_when_it_is_enough(board: ScriptedBoard) -> None:
    begun(board, "power_cuts")
    lit: list[str | None] = []

    class Watched(Stops):
        def wait(self, seconds: float) -> bool:
            lit.append(board.machine.text(watch.LED))
            return super().wait(seconds)

    after_boot(board.bench, Watched(1))  # type: ignore[arg-type]
    assert (lit[0] or "").startswith("heartbeat")
    enough = [Boot(boot_id=str(n), phase="power_cuts", orderly=False, at="", well_s=1.0) for n in range(50)]
    power.keep(board.folder, Boots(phase="power_cuts", boots=enough, begun_in="boot-1"))
    lit.clear()
    after_boot(board.bench, Watched(1))  # type: ignore[arg-type]
    assert (lit[0] or "").startswith("default-on")


# --- what a cut takes -------------------------------------------------------------------------------------------------


@pytest.fixture
def journal(board: ScriptedBoard) -> Iterator[Journal]:
    journal = Journal(board.folder / power.OWN, lambda: 1, lambda: "id")
    yield journal
    journal.close()


@pytest.fixture(autouse=True)
def own_folder(board: ScriptedBoard) -> None:
    (board.folder / power.OWN).mkdir()


def cut(board: ScriptedBoard) -> list[Whole]:
    return looked(board.bench, "power_cuts", False).journals


def test_a_journal_that_has_all_that_was_acknowledged_is_whole(board: ScriptedBoard, journal: Journal) -> None:
    for _ in range(3):
        written(journal, board.bench)
    (whole,) = cut(board)
    assert (whole.last, whole.witnessed, whole.wrong) == (3, 3, [])


def test_a_card_that_lost_what_it_acknowledged_is_seen(board: ScriptedBoard, journal: Journal, tmp_path: Path) -> None:
    for _ in range(2):
        written(journal, board.bench)
    shutil.copytree(board.folder / power.OWN, tmp_path / "card")
    for _ in range(2):
        written(journal, board.bench)
    journal.close()
    shutil.rmtree(board.folder / power.OWN)
    shutil.move(tmp_path / "card", board.folder / power.OWN)
    (whole,) = cut(board)
    assert whole.wrong == [f"{whole.name} ends at 2, acknowledged 4"]


def test_a_hole_a_doubt_or_damage_is_wrong_and_reaches_the_verdict(board: ScriptedBoard) -> None:
    holes = [Whole("a", 9, 1, 0, False), Whole("b", 9, 0, 2, False), Whole("c", 9, 0, 0, True)]
    assert [bool(one.wrong) for one in [*holes, Whole("d", 9, 0, 0, False, 9)]] == [True, True, True, False]
    boot = Boot(boot_id="b", phase="power_cuts", orderly=False, at="", well_s=1.0, journals=holes)
    power.keep(board.folder, Boots(phase="power_cuts", boots=[boot] * 50))
    assert len(power.counted_judged(power.counted(board.bench, "power_cuts"))) == 150


def test_a_half_written_record_of_boots_is_a_beginning_not_a_crash(board: ScriptedBoard) -> None:
    (board.folder / power.BOOTS).write_bytes(msgspec.json.encode(Boots(phase="power_cuts"))[:-3])
    assert power.load(board.folder) == Boots()
