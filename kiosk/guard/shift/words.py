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
    "kept": ("本机保留几天，物业那边也有。", "The gate keeps it for some days; the office has it, too."),
}


def word(language: str, key: str, **facts: object) -> str:
    """An entry of :data:`SHIFT`. Raises KeyError for a key that is not there."""
    return say(language, SHIFT[key], **facts)
