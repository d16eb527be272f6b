"""A sentence in both languages."""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]
Pair = tuple[str, str]
"""Chinese, English."""


def pick(language: Language, pair: Pair) -> str:
    return pair[language == "en"]
