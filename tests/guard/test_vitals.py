"""How the board is: what the guard is told, what the technician sees, and what a monitor may keep."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from hardware.vitals import Vitals
from kiosk.guard.lane.screen import FRESH_S, Screens
from kiosk.guard.line import CoreLine
from kiosk.metrics import metrics
from sync.terms import BOARD_FAULTS
from tests.fixtures.browsers.guard_stage import Stage, gate_state, lane_state
from tests.fixtures.guard import Guard

WELL = Vitals(undervoltage=False, celsius=52.094, disk_errors=0, card_used=0.2, disk_free=12_345_000_000,
              memory_free=2_912_820 * 1024, load=0.42)  # fmt: skip


@pytest.fixture
def guard(app: Flask) -> Guard:
    return Guard(app)


def rows(page: str) -> dict[str, str]:
    return dict(re.findall(r'<th scope="row">([^<]*)</th><td>([^<]*)</td>', page))


@pytest.mark.parametrize("fault", BOARD_FAULTS)
def test_a_fault_of_the_board_is_a_sentence_with_what_to_do_and_no_alarm(
    stage: Stage, guard: Guard, fault: str
) -> None:
    stage.state.faults = [fault]
    page = guard.page()
    assert "技术员" in re.search(r'<div id="bar".*?</header>', page, re.DOTALL).group()
    assert 'class="bar tone-look"' in page


def test_the_details_show_supply_heat_and_memory_in_both_languages(stage: Stage, guard: Guard) -> None:
    stage.state.vitals, stage.state.rtc = WELL, "proven"
    zh = rows(guard.page("/details"))
    assert (zh["电源"], zh["处理器温度"], zh["存储剩余"], zh["硬件时钟"]) == (
        "正常",
        "52 °C",
        "12,345 MB",
        "和中心一致",
    )
    guard.http.get("/prefer/language/en?to=/")
    en = rows(guard.page("/details"))
    assert (en["Power supply"], en["File system errors"], en["Storage life used"]) == ("good", "0", "20%")
    assert en["Hardware clock"] == "agrees with the centre"


def test_a_weak_supply_stays_on_the_details_between_two_dips(stage: Stage, guard: Guard) -> None:
    stage.state.vitals, stage.state.faults = WELL, ["supply_weak"]
    assert rows(guard.page("/details"))["电源"] == "电压低"


def test_what_the_board_does_not_say_is_a_dash(guard: Guard) -> None:
    told = rows(guard.page("/details"))
    assert {told[name] for name in ("电源", "处理器温度", "文件系统错误数", "存储寿命已用", "内存剩余")} == {"—"}


# Metrics


def figures(page: str) -> dict[str, float]:
    """Every sample of a page in the text format, which this reads strictly."""
    found: dict[str, float] = {}
    for line in page.splitlines():
        sample = re.fullmatch(r'(gate_kiosk_\w+(?:\{\w+="(?:[^"\\\n]|\\["\\n])*"\})?) (\S+)', line)
        assert sample or re.fullmatch(r"# (HELP|TYPE) gate_kiosk_\w+ .+", line), line
        if sample:
            assert sample[1] not in found
            found[sample[1]] = float(sample[2])
    return found


def test_a_monitor_on_this_device_gets_every_figure_and_nothing_personal(stage: Stage, app: Flask) -> None:
    stage.state.vitals, stage.state.faults, stage.state.unsent = WELL, ["too_hot"], 4
    answer = app.test_client().get("/metrics")
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    told = figures(answer.text)
    assert told["gate_kiosk_up"] == 1 and told['gate_kiosk_fault{code="too_hot"}'] == 1
    assert (told["gate_kiosk_processor_celsius"], told["gate_kiosk_undervoltage"]) == (52.094, 0)
    assert told["gate_kiosk_disk_free_bytes"] == 12_345_000_000 and told["gate_kiosk_events_unsent"] == 4
    assert told['gate_kiosk_clock{state="trusted"}'] == 1 and told['gate_kiosk_clock{state="holdover"}'] == 0
    assert told['gate_kiosk_camera_up{lane="in"}'] in (0, 1)


def test_metrics_are_for_this_device_only(app: Flask) -> None:
    elsewhere = {"REMOTE_ADDR": "192.168.1.20"}
    assert app.test_client().get("/metrics", environ_overrides=elsewhere).status_code == 404


def test_a_core_that_does_not_answer_is_down_and_tells_no_old_figures(stage: Stage, app: Flask) -> None:
    now, core = [0.0], CoreLine(stage.core_path, stage.reader_path)
    app.extensions["screens"] = Screens(core, lambda: now[0])
    assert figures(app.test_client().get("/metrics").text)["gate_kiosk_up"] == 1
    stage.stop()
    now[0] += FRESH_S
    assert figures(app.test_client().get("/metrics").text) == {"gate_kiosk_up": 0}
    core.close()


def test_a_figure_that_nobody_tells_is_left_out() -> None:
    told = figures(metrics(gate_state(centre_seen_s=-1)))
    assert not {name for name in told if "celsius" in name or "centre_seen" in name or "disk" in name}


def test_a_name_cannot_break_out_of_its_label() -> None:
    lanes = [lane_state('a"b\\c\nd')]
    assert 'gate_kiosk_camera_up{lane="a\\"b\\\\c\\nd"}' in figures(metrics(gate_state(lanes=lanes)))
