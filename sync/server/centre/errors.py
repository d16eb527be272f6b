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
