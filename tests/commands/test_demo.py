"""The whole chain over real processes: the centre, the four processes of a gate, and what people do there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests

from kiosk.demo.centre import Centre, free_port
from kiosk.demo.town import day
from kiosk.together import wait_until

MUST_BE_TOLD = {
    "card photographed badly",
    "passage sensed, barrier opened once",
    "the same card again at once",
    "a second time within the passback",
    "phone code with old digits",
    "card: forged",
    "revoked card at the exit",
    "guard opens by the wired button",
    "a guard's tap that comes late",
    "the guard lets them in, and taps again: it stays answered",
    "and comes in again: went out, so no passback",
    "nobody answers at the exit: it opens",
    "a short code without a digit, as somebody says it",
    "revoked at the centre: red at the gate",
    "extended at the centre: the old card opens",
    "core killed mid-passage: back by itself",
    "nothing opened twice",
    "network cut: still decides",
    "every event at the centre exactly once",
    "peak: at least 20 people a minute",
}


@pytest.mark.slow
def test_the_story_of_a_gate_comes_out_right_in_every_step(tmp_path: Path) -> None:
    report = tmp_path / "story.json"
    command = [sys.executable, "-m", "kiosk", "demo", "--once", "--report", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert report.exists(), done.stderr
    story = json.loads(report.read_text())
    wrong = [step for step in story["steps"] if not step["ok"]]
    assert not wrong, done.stdout
    assert done.returncode == 0
    assert {step["name"] for step in story["steps"]} >= MUST_BE_TOLD


@pytest.mark.slow
def test_the_demos_centre_comes_back_at_its_address_when_it_is_killed(tmp_path: Path) -> None:
    centre = Centre(tmp_path / "centre")
    centre.start()
    try:
        killed, url = centre.kill(), centre.url
        assert wait_until(lambda: answers(url) and centre.pid != killed, 120)
    finally:
        centre.stop()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code < 500
    except requests.RequestException:
        return False


def test_a_demo_that_cannot_start_says_so_in_one_sentence(tmp_path: Path) -> None:
    taken = tmp_path / "centre"
    taken.write_text("a file where the centre's folder should be")
    command = [sys.executable, "-m", "kiosk", "demo", "--once", "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(taken) in done.stderr


def test_a_port_of_the_demo_is_none_that_linux_lends_to_connections() -> None:
    assert all(1024 < free_port() < 32_768 for _ in range(20))


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock on the wall is a whole day ahead of China's."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "FAR-32")
        time.tzset()
        yield
    time.tzset()


def test_a_day_of_the_demo_is_one_of_the_compound_wherever_the_machine_stands(far_east: None) -> None:
    before, today, after = datetime.now(ZoneInfo("Asia/Shanghai")), day(0), datetime.now(ZoneInfo("Asia/Shanghai"))
    assert today in (before.date().isoformat(), after.date().isoformat())
