"""What the pages of guards' shifts say beside the sheet itself (:mod:`sync.shift_words`)."""

from __future__ import annotations

from collections.abc import Mapping

from sync.server.words.pairs import Pair

WORDS: Mapping[str, Pair] = {
    "shifts": ("交接班", "Shifts"),
    "shifts_hint": (
        "最近{days}天保安在门口接班、交班的记录。门口断网时，恢复后才传到。",
        "Shifts at the gates in the last {days} days. Those of a gate without a network arrive when it is back.",
    ),
    "shift_guard": ("保安", "Guard"),
    "shift_begun": ("接班", "Began"),
    "shift_ended": ("交班", "Ended"),
    "shift_on": ("还在值班", "still on duty"),
    "shift_nobody": ("没人交班，到时自动结束", "nobody handed over; it ended by itself"),
    "shift_sheet": ("交接班表", "Hand-over sheet"),
    "shift_over_budget": ("24小时内，人工改判超过本班次数：", "Overrides over the shift's budget within 24 hours:"),
    "shift_over_budget_one": ("{gate}，{by}：超出{n}次，最近{at}", "{gate}, {by}: {n} over, the last at {at}"),
    "shift_print": ("用浏览器的“打印”，一张A4纸。", "Use the browser's Print: one A4 page."),
}
