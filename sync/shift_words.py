"""What a hand-over sheet says, Chinese and English: the post prints it, and the office reads the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sync.shifts import SheetLine, ShiftSheet

Pair = tuple[str, str]

WORDS: dict[str, Pair] = {
    "sheet": ("交接班表", "Hand-over sheet"),
    "of": ("{name} 的班", "{name}'s shift"),
    "from_to": ("{begun} 至 {ended}", "{begun} to {ended}"),
    "from_on": ("{begun} 起，还在值班", "since {begun}, still on duty"),
    "ended_by": ("由{name}结束", "ended by {name}"),
    "ended_by_nobody": ("没人交班，到时自动结束", "nobody handed over; it ended by itself"),
    "counts": ("本班数量", "In numbers"),
    "grant": ("放行", "Let through"),
    "refer": ("请保安核对", "Sent to the guard"),
    "deny": ("不放行", "Refused"),
    "answer.grant": ("核对后放行", "Checked and let through"),
    "answer.deny": ("核对后不放行", "Checked and refused"),
    "answer.unanswered": ("没人答复", "Not answered"),
    "passed": ("已通过", "Passed"),
    "not_passed": ("开了门没通过", "Opened, nobody passed"),
    "opened": ("人工开门", "Opened by a guard"),
    "refused": ("人工拦下", "Stopped by a guard"),
    "buttons": ("按墙上按钮开门", "Opened by a wired button"),
    "unasked": ("没放行就通过", "Passed without being let in"),
    "calls": ("按呼叫", "Calls"),
    "lost": ("没能保存的记录", "Records that were lost"),
    "overrides": ("人工改判", "Overrides"),
    "over_budget": ("超过本班次数", "over the shift's budget"),
    "over_budget_n": ("其中超过本班次数：{n}次", "of them over the shift's budget: {n}"),
    "other_n": ("写“其他”的：{n}次", "with “other”: {n}"),
    "unexplained": ("还没写原因", "Still without a reason"),
    "unexplained_n": ("还没写原因：{n}次", "still without a reason: {n}"),
    "annulled": ("按错了，已作废", "Pressed by mistake, annulled"),
    "faults": ("故障和变动", "Faults and changes"),
    "notes": ("给下一班的话", "For the next shift"),
    "none": ("没有", "none"),
    "more": ("只列最近{n}条", "only the latest {n} are listed"),
    "made_at": ("{at} 打印", "printed {at}"),
    "signed": ("交班人签字", "Handed over by"),
    "taken": ("接班人签字", "Taken over by"),
    "until": ("到{at}", "until {at}"),
    "goes_on": ("还没好", "still so"),
    "camera_fault": ("摄像头", "Camera"),
    "input_fault": ("感应器或按钮", "Sensor or button"),
    "board_fault": ("设备", "Device"),
    "tamper": ("设备箱被打开", "Housing opened"),
    "fire": ("消防开门", "Fire contact"),
    "reader_restarted": ("识别程序重启", "Reader restarted"),
    "journal_set_aside": ("记录文件损坏，已另存", "Damaged record file set aside"),
    "events_lost": ("有{n}条记录没能保存", "{n} records were lost"),
    "boot": ("门控重启", "The gate restarted"),
    "lockdown": ("封闭", "Lockdown"),
    "hold": ("常开", "Held open"),
    "on": ("开始", "on"),
    "off": ("结束", "off"),
    "comma": ("，", ", "),
}

WHY: dict[str, Pair] = {
    "camera": ("打不开", "cannot be opened"),
    "camera_hung": ("没有画面", "gives no picture"),
    "camera_frozen": ("画面不动", "its picture stands still"),
    "camera_black": ("一片黑", "sees only black"),
    "camera_white": ("一片白", "sees only white"),
    "passage_stuck": ("感应器卡住", "the sensor is stuck"),
    "passage_blind": ("感应器感应不到人", "the sensor sees nobody"),
    "button_stuck": ("开门按钮卡住", "a button is stuck"),
    "call_stuck": ("呼叫按钮一直按着", "the call button stays pressed"),
    "input_chatters": ("信号线乱跳", "a wire flickers"),
    "input_taken": ("接不通", "it is not connected"),
    "supply_weak": ("电源太弱", "the power supply is too weak"),
    "too_hot": ("太热", "too hot"),
    "card_errors": ("存储卡出错", "the memory card has errors"),
    "card_worn": ("存储快到寿命", "the storage is nearly worn out"),
    "disk_full": ("存储快满了", "the memory card is nearly full"),
}
"""Why of a fault, for :data:`sync.terms.CAMERA_FAULTS` and the lists beside it."""

REASONS: dict[str, Pair] = {
    "known": ("认识，是本小区的", "Known, lives here"),
    "papers": ("核对过证件", "Papers checked"),
    "registered": ("已登记来访", "Registered as a visitor"),
    "urgent": ("急救、就医", "Medical or urgent"),
    "delivery": ("送货、维修", "Delivery or repair"),
    "desk": ("物业、社区同意", "The desk agreed"),
    "not_holder": ("不是本人", "Not the holder"),
    "refused_check": ("不配合核对", "Would not be checked"),
    "mistake": ("按错了", "Pressed by mistake"),
    "other": ("其他", "Other"),
}
"""Reasons that a guard gives, for :data:`sync.terms.GUARD_REASONS`."""


def say(language: str, key: str, **facts: object) -> str:
    """An entry of :data:`WORDS`; a key that is not there, as a newer gate may send one, is shown as it is."""
    return _pick(language, WORDS, key).format(**facts)


def reason(language: str, given: str) -> str:
    """A guard's reason: a code of the closed list, with free text after a colon."""
    name, _, text = given.partition(":")
    spoken = _pick(language, REASONS, name)
    colon = ": " if language == "en" else "："
    return f"{spoken}{colon}{text.strip()}" if text.strip() else spoken


def counts(language: str, sheet: ShiftSheet) -> list[tuple[str, int]]:
    """The sheet in numbers; what did not happen is there as 0 where a guard would look for it."""
    always = [
        *((say(language, outcome), sheet.decisions.get(outcome, 0)) for outcome in ("grant", "refer", "deny")),
        *((say(language, f"answer.{by}"), sheet.answers.get(by, 0)) for by in ("grant", "deny", "unanswered")),
        (say(language, "opened"), sheet.opened),
        (say(language, "refused"), sheet.refused),
    ]
    seldom = [
        (say(language, "passed"), sheet.passages.get("passed", 0)),
        (say(language, "not_passed"), sheet.passages.get("not_passed", 0)),
        *((say(language, name), getattr(sheet, name)) for name in ("buttons", "unasked", "calls", "lost")),
    ]
    return [*always, *((name, count) for name, count in seldom if count)]


def fault(language: str, line: SheetLine) -> str:
    """What was wrong, or what somebody changed, and who."""
    outcome = "" if line.outcome == "on" and line.kind not in ("lockdown", "hold") else line.outcome
    parts = [
        say(language, line.kind, n=line.count),
        _pick(language, WHY, line.reason) if line.reason in WHY else "",
        say(language, outcome) if outcome else "",
        line.by,
    ]
    return say(language, "comma").join(filter(None, parts))


def override(language: str, line: SheetLine) -> str:
    """What a guard did against a decision, who, and why."""
    ruled = line.kind == "ruled"
    parts = [
        say(language, f"answer.{line.outcome}" if ruled else "opened" if line.outcome == "grant" else "refused"),
        line.dwelling,
        line.by,
        reason(language, line.reason) if line.reason else "" if ruled else say(language, "unexplained"),
        say(language, "over_budget") if line.over_budget else "",
    ]
    return say(language, "comma").join(filter(None, parts))


def _pick(language: str, table: Mapping[str, Pair], key: str) -> str:
    pair = table.get(key, (key, key))
    return pair[1] if language == "en" else pair[0]
