"""How the board is: what the guard is told, what the technician sees, and what a monitor may keep."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from hardware.vitals import Vitals
from sync.terms import BOARD_FAULTS
from tests.fixtures.browsers.guard_stage import Stage
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
