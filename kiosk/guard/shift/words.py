"""What the pages of a shift say beside the sheet itself, in Chinese and English."""

from __future__ import annotations

from kiosk.guard.words import Pair, say

SHIFT: dict[str, Pair] = {
    "title": ("交接班", "Shift"),
    "on_duty": ("正在值班", "On duty"),
    "nobody": ("现在没人值班", "Nobody is on duty"),
    "since": ("{name}，{at} 起", "{name}, since {at}"),
    "begin": ("接班", "Begin my shift"),
    "begin_hint": (
        "先看上一班的话，再接班。接班后，这里的开门、改判和故障都记在您的交接班表里。",
        "Read the last shift's notes, then begin. Your hand-over sheet counts what happens from then on.",
    ),
    "end": ("交班", "End my shift"),
    "end_hint": (
        "交班后给出交接班表，可以打印。没写的原因，交班后还可以补。",
        "You then get the hand-over sheet, to print. Reasons can still be added later.",
    ),
    "end_sure": ("我确认交班", "Yes, I hand over"),
    "end_press": ("按住 1 秒交班", "Press for 1 s to hand over"),
    "end_other": ("替{name}交班", "End {name}'s shift"),
    "note": ("给下一班的话", "Note for the next shift"),
    "note_hint": (
        "最多300字，一班10条，会传到物业。不要写住户的姓名、电话、证件号；写房号就够了。",
        "At most 300 characters, 10 a shift; the office sees them. No residents' names, phones or document "
        "numbers: a dwelling is enough.",
    ),
    "note_save": ("留言", "Leave the note"),
    "my_sheet": ("本班到现在的交接班表", "My sheet so far"),
    "latest": ("最近几班", "Latest shifts"),
    "latest_none": ("还没有交接班记录", "No shift yet"),
    "latest_unread": ("记录现在读不出来，值班照常。", "The records cannot be read just now; go on as usual."),
    "last_notes": ("上一班留的话", "The last shift's notes"),
    "print": ("打印", "Print"),
    "print_hint": ("用浏览器的“打印”，一张A4纸。", "Use the browser's Print: one A4 page."),
    "acts": ("按错了？", "Pressed the wrong button?"),
    "acts_hint": (
        "这里是您本班最近的操作。作废后，次数和重复使用都按没发生过算，记录还在，物业看得到。门已经开过的，不会再动。",
        "Your latest acts of this shift. Annulled, one counts for no trip and no second use. It stays on record, and "
        "the office sees it. The gate does not move.",
    ),
    "acts_any": ("您是主管：一天内谁的操作都能作废。", "As supervisor you may annul anyone's act of the last day."),
    "acts_none": ("本班还没有操作。", "Nothing done in this shift yet."),
    "acts_no_duty": ("先接班。只能改本班的操作。", "Begin your shift first: only its acts can be taken back."),
    "annul": ("按错了，作废", "Pressed by mistake: annul"),
    "annulled": ("已作废", "Annulled"),
    "annul_sure": ("确认作废", "Yes, annul it"),
    "kept": ("本机保留几天，物业那边也有。", "The gate keeps it for some days; the office has it, too."),
}


def word(language: str, key: str, **facts: object) -> str:
    """An entry of :data:`SHIFT`. Raises KeyError for a key that is not there."""
    return say(language, SHIFT[key], **facts)
