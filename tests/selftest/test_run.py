"""Going through the first hour: asked, skipped, stopped, gone on with after a boot, reported, finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware import HardwareError
from kiosk.guard.words import Pair
from kiosk.selftest import days, power
from kiosk.selftest.bench import Answer, Bench, Machine, Ran, Terminal
from kiosk.selftest.plan import plan
from kiosk.selftest.run import Run, load
from kiosk.selftest.step import CannotTell, Figures, Step, in_next_boot
from tests.selftest.scripted import ScriptedBoard

ROOT = Path(__file__).parents[2]


@pytest.fixture
def board(tmp_path: Path) -> ScriptedBoard:
    return ScriptedBoard(tmp_path)


def saw(figures: Figures) -> Callable[[Bench], Figures]:
    return lambda bench: figures


def fine(figures: Figures) -> list[str]:
    return []


def bad(figures: Figures) -> list[str]:
    return ["no good"]


def raises(err: Exception) -> Callable[[Bench], Figures]:
    def measure(bench: Bench) -> Figures:
        raise err

    return measure


def go(board: ScriptedBoard, *steps: Step, finish: bool = False) -> tuple[str, Run]:
    run = Run(board.bench, steps, board.said.append)
    return run.go(finish), run


def verdicts(run: Run) -> dict[str, str]:
    return {name: result.verdict for name, result in run.progress.results.items()}


def test_a_step_prints_what_it_saw_and_what_it_expected(board: ScriptedBoard) -> None:
    go(board, Step("supply", saw({"alarm": 0}), fine))
    text = "\n".join(board.said)
    assert 'saw       {"alarm": 0}' in text
    assert "expected  no under-voltage since this boot / 这次开机以来没有欠压" in text
    assert "HELD" in text


def test_one_step_that_fails_does_not_end_the_others(board: ScriptedBoard) -> None:
    ended, run = go(
        board,
        Step("board", raises(HardwareError("no camera found")), fine),
        Step("supply", raises(ValueError("odd")), fine),
        Step("rtc", raises(CannotTell("no hardware clock")), fine),
        Step("chip", saw({}), bad),
        Step("gate", saw({}), fine),
    )
    assert ended == "over"
    assert verdicts(run) == {
        "board": "not held",
        "supply": "not held",
        "rtc": "skipped",
        "chip": "not held",
        "gate": "held",
    }
    assert run.progress.results["board"].why == ["HardwareError: no camera found"]
    assert not run.held


def test_figures_of_any_kind_reach_the_report(board: ScriptedBoard) -> None:
    _, run = go(board, Step("in_force:entry", saw({"controls": {"mode": Path("/x"), "limits": (1, 2)}}), fine))
    assert run.progress.results["in_force:entry"].saw == {"controls": {"mode": "/x", "limits": [1, 2]}}


def test_what_is_done_is_not_done_again_unless_asked_for(board: ScriptedBoard) -> None:
    steps = [Step("board", saw({"a": 1}), bad), Step("lens_cap:entry", saw({"min": 0}), fine)]
    go(board, *steps)
    assert len(board.person.asked) == 1
    go(board, *steps)
    assert len(board.person.asked) == 1
    again = Run(board.bench, steps, board.said.append)
    again.forget(["lens_cap"])
    again.go()
    assert len(board.person.asked) == 2


def test_a_machine_that_could_not_is_asked_again_and_a_person_who_would_not_is_left_in_peace(
    board: ScriptedBoard,
) -> None:
    board.person.usually = "skip"
    needs = Step("supply", saw({}), fine, (lambda bench: "not here",))
    _, run = go(board, needs, Step("lens_cap:entry", saw({}), fine))
    assert run.progress.results["supply"].why == ["not here"]
    assert run.progress.results["lens_cap:entry"].why == ["skipped by the person"]
    _, run = go(board, needs._replace(needs=()), Step("lens_cap:entry", saw({}), fine))
    assert verdicts(run) == {"supply": "held", "lens_cap:entry": "skipped"}
    assert len(board.person.asked) == 1


def test_stop_keeps_what_is_done(board: ScriptedBoard) -> None:
    board.person.usually = "stop"
    ended, _ = go(board, Step("board", saw({}), fine), Step("lens_cap:entry", saw({}), fine))
    assert ended == "stopped"
    assert list(load(board.folder).results) == ["board"]


def test_without_a_person_what_asks_is_skipped(board: ScriptedBoard) -> None:
    board.person.usually = "nobody"
    _, run = go(board, Step("lens_cap:entry", saw({}), fine))
    assert run.progress.results["lens_cap:entry"].why == ["nobody was there to ask"]


@pytest.mark.parametrize(("answer", "verdict"), [("done", "held"), ("no", "not held"), ("skip", "held")])
def test_what_only_a_person_can_see_is_the_persons_word(board: ScriptedBoard, answer: Answer, verdict: str) -> None:
    board.person.does["Is the screen lit"] = lambda: answer
    _, run = go(board, Step("screen_day", saw({}), fine))
    assert verdicts(run) == {"screen_day": verdict}


def test_lanes_are_named_in_both_languages(board: ScriptedBoard) -> None:
    told: list[Pair] = []
    board.person.tell = told.append  # type: ignore[method-assign]
    go(board, Step("lens_cap:entry", saw({}), fine))
    assert told == [("可以松开了。", "Uncover the lens.")]
    assert board.person.asked == ["Cover the lens completely (Entry): a cap, or your palm."]


# --- over a boot ------------------------------------------------------------------------------------------------------


def test_a_step_that_needs_a_boot_ends_the_run_and_is_measured_after_it(board: ScriptedBoard) -> None:
    step = Step("weak_supply", saw({"alarm": 1}), fine, beginning=in_next_boot("weak_supply"))
    last = Step("gate", saw({}), fine)
    ended, run = go(board, step, last)
    assert (ended, verdicts(run)) == ("paused", {"weak_supply": "skipped"})
    ended, run = go(board, step, last)  # the same boot: asked again, not measured
    assert ended == "paused"
    board.machine.put("/proc/sys/kernel/random/boot_id", "boot-2")
    ended, run = go(board, step, last)
    assert (ended, verdicts(run)) == ("over", {"weak_supply": "held", "gate": "held"})
    assert len(board.person.asked) == 2


def test_a_kernel_is_stopped_only_when_the_person_says_so(board: ScriptedBoard) -> None:
    board.machine.put("/proc/sysrq-trigger", "-")
    bites = next(step for step in plan(board.config) if step.name == "watchdog_bites")
    board.person.usually = "skip"
    go(board, bites)
    assert board.machine.text("/proc/sysrq-trigger") == "-"
    board.person.usually = "done"
    run = Run(board.bench, [bites], board.said.append)
    run.forget(["watchdog_bites"])
    assert run.go() == "paused"
    assert board.machine.text("/proc/sysrq-trigger") == "c"


def test_counting_boots_begins_the_watcher_and_the_first_boot(board: ScriptedBoard) -> None:
    warm = next(step for step in plan(board.config) if step.name == "warm_boots")
    ended, _ = go(board, warm)
    assert ended == "paused"
    unit = board.machine.text(f"/etc/systemd/system/{power.UNIT}") or ""
    assert "selftest --after-boot --config /etc/gate-kiosk/kiosk.toml" in unit
    assert "Before=gate-kiosk-core.service" in (board.machine.text(f"/etc/systemd/system/{power.EARLY_UNIT}") or "")
    assert board.machine.ran[-1] == ("systemctl", "reboot")
    assert power.load(board.folder).begun_in == "boot-1"


def test_a_person_may_end_the_counting_early_and_it_does_not_hold(board: ScriptedBoard) -> None:
    boot = power.Boot(boot_id="b", phase="power_cuts", orderly=False, at="", well_s=9.0)
    power.keep(board.folder, power.Boots(phase="power_cuts", boots=[boot]))
    board.person.usually = "skip"
    cuts = next(step for step in plan(board.config) if step.name == "power_cuts")
    _, run = go(board, cuts)
    assert run.progress.results["power_cuts"].why == ["1 of 50"]
    assert "    1 of 50 so far" in board.said


def test_the_day_is_begun_and_finished_by_a_second_call(board: ScriptedBoard) -> None:
    day = next(step for step in plan(board.config) if step.name == "memory_day")
    ended, run = go(board, day)
    assert (ended, run.progress.results["memory_day"].why) == ("over", ["measured by --finish, after a day"])
    assert board.machine.text(f"/etc/systemd/system/{power.UNIT}")
    ended, run = go(board, Step("gate", saw({}), fine), day, finish=True)
    assert run.progress.results["memory_day"].why == ["0.0 hours without a boot were watched, 20 are needed"]
    assert (ended, list(run.progress.results)) == ("paused", ["memory_day"])
    assert board.machine.text(f"/etc/systemd/system/{power.UNIT}")
    for hour in range(25):
        days.add(board.folder, calm(hour))
    ended, run = go(board, day, finish=True)
    assert (ended, verdicts(run)) == ("over", {"memory_day": "held"})
    assert board.machine.text(f"/etc/systemd/system/{power.UNIT}") is None
    assert ("systemctl", "disable", "--now", power.EARLY_UNIT, power.UNIT) in board.machine.ran


def calm(hour: int) -> days.Sample:
    return days.Sample(
        at_s=0, uptime_s=3600.0 * hour, available_mb=7000, cma_free_mb=40, cma_total_mb=64, celsius=50,
        under_voltage=False, rss_mb={}, files={}, restarts={},
    )  # fmt: skip


# --- the report -------------------------------------------------------------------------------------------------------


def test_the_report_is_one_file_for_people_and_programs(board: ScriptedBoard, tmp_path: Path) -> None:
    boot = power.Boot(boot_id="b", phase="power_cuts", orderly=False, at="2026-11-30", well_s=9.0)
    power.keep(board.folder, power.Boots(phase="power_cuts", boots=[boot]))
    _, run = go(board, Step("supply", saw({"alarm": 1}), bad), Step("gate", saw({"clock": "trusted"}), fine))
    run.report(tmp_path / "report.zip")
    with zipfile.ZipFile(tmp_path / "report.zip") as file:
        assert file.namelist() == ["report.md", "report.json", "boots.json"]
        text, figures = file.read("report.md").decode(), json.loads(file.read("report.json"))
    assert "1 held, 1 not held, 0 skipped" in text
    assert "- not held  supply                 no good" in text
    assert "expected: no under-voltage since this boot" in text
    assert figures["steps"]["supply"]["saw"] == {"alarm": 1}


def test_the_report_of_a_whole_run_names_no_secret_and_nobody(board: ScriptedBoard, tmp_path: Path) -> None:
    board.person.usually = "nobody"
    run = Run(
        board.bench, [step for step in plan(board.config) if step.kind not in ("frames", "exposure")], lambda line: None
    )
    assert run.go() == "over"
    run.report(tmp_path / "report.zip")
    with zipfile.ZipFile(tmp_path / "report.zip") as file:
        whole = "".join(file.read(name).decode() for name in file.namelist())
    assert {name.partition(":")[0] for name in run.progress.results} == {step.kind for step in plan(board.config)} - {
        "frames", "exposure",
    }  # fmt: skip
    for word in ("secret", "Cuihu", "翠湖", str(tmp_path), os.uname().nodename):
        assert word not in whole, word


# --- people and machines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "answer"),
    [([""], "done"), (["Y"], "done"), (["n"], "no"), (["what?", " s "], "skip"), (["q"], "stop"), ([], "nobody")],
)
def test_a_person_at_a_terminal_answers_with_one_key(lines: list[str], answer: Answer) -> None:
    said: list[str] = []

    def line() -> str:
        if not lines:
            raise EOFError
        return lines.pop(0)

    assert Terminal(said.append, line).ask(("盖住镜头。", "Cover the lens.")) == answer
    assert said[0] == "    Cover the lens.\n    盖住镜头。"


def test_a_real_machine_is_read_without_raising(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.text("/proc/nothing") is None
    assert not machine.write("/proc/nothing", "c")
    assert machine.run("no-such-program-here") is None
    assert machine.run("sh", "-c", "echo out; echo err >&2; exit 3") == Ran(3, "out\nerr\n")
    assert machine.run("sleep", "60", timeout=0.01) is None


def test_a_pin_that_cannot_be_had_is_told_by_the_one_who_holds_it() -> None:
    with pytest.raises(HardwareError), Machine().holding(17, True):
        pass


CONFIG = """
[gate]
state = "{folder}/state"
run = "{folder}/run"
[[lane]]
name = "entry"
part = "simulated"
direction = "in"
[[camera]]
lane = "entry"
part = "simulated"
width = 320
height = 240
"""


def test_the_command_stops_goes_on_and_leaves_its_report(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(CONFIG.format(folder=tmp_path))
    skips = [word for name in ("frames", "exposure", "focus", "no_frames") for word in ("--skip", name)]
    command = [sys.executable, "-m", "kiosk", "selftest", "--first-hour", *skips, "--config", str(config)]

    def ran(keys: str) -> str:
        done = subprocess.run(command, input=keys, capture_output=True, text=True, cwd=ROOT, check=False)
        assert "Traceback" not in done.stderr
        return done.stdout

    first = ran("q\n")
    assert "in_force:entry" in first and "Stopped here." in first
    second = ran("s\n" * 20)
    assert "held     in_force:entry (done before)" in second and "The first hour is over." in second
    assert (tmp_path / "state/selftest/first-hour.zip").exists()
