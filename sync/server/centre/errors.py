"""What a person asked for cannot be done: said in their words, in both languages."""

from __future__ import annotations


class CentreError(Exception):
    """Something a person asked for cannot be done; both texts say why, in their words. Nothing was changed.

    The order is that of every pair of texts: Chinese, English. ``CentreError(en="…")`` has no Chinese: only the command
    line or a gate can meet it. ``str()`` gives the English text.
    """

    def __init__(self, zh: str = "", en: str = ""):
        super().__init__(en)
        self.zh = zh


class NoSuchThing(CentreError):
    """It does not exist, or not in this compound."""


class Stopped(CentreError):
    """The compound waits for a new epoch; trying again is safe, and helps once it has begun."""

    def __init__(self) -> None:
        super().__init__(
            "系统刚恢复过旧备份，技术员处理好以前暂停办理，门口照常通行。请过几小时再试。",
            "An older backup of this system was restored. Until the technician has seen to it, nothing can be changed; "
            "the gates work as usual. Please try again in a few hours.",
        )
