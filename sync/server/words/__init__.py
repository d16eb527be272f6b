"""Every word of the centre's pages, Chinese and English: one module for each room, one catalogue for all."""

from __future__ import annotations

from collections.abc import Mapping

from sync.server.words import (
    accounts,
    collection,
    dwellings,
    office,
    registers,
    residents,
    review,
    shifts,
    status,
    town,
)
from sync.server.words.pairs import Language, Pair, pick

__all__ = ["WORDS", "Language", "Pair", "ago", "coded", "pick", "say"]


def _catalogue(*rooms: Mapping[str, Pair]) -> dict[str, Pair]:
    """All words together; a key that two rooms use is a mistake, and said at once."""
    found: dict[str, Pair] = {}
    for room in rooms:
        if twice := found.keys() & room.keys():
            raise ValueError(f"words twice: {', '.join(sorted(twice))}")
        found |= room
    return found


WORDS: Mapping[str, Pair] = _catalogue(
    office.WORDS, residents.WORDS, status.WORDS, review.WORDS, collection.WORDS, dwellings.WORDS, registers.WORDS,
    town.WORDS, accounts.WORDS, shifts.WORDS,
)  # fmt: skip


def say(language: Language, key: str) -> str:
    """The words for a key. Raises KeyError for one that is not in the catalogue."""
    return pick(language, WORDS[key])


def coded(language: Language, family: str, code: str) -> str:
    """The words for a code of a closed list; a newer gate's code that is not in it stays as it is."""
    return pick(language, WORDS.get(f"{family}.{code}", (code, code)))


def ago(language: Language, past_s: int) -> str:
    """How long ago, in the largest unit that says it."""
    for seconds, key in ((86400, "ago_days"), (3600, "ago_hours"), (60, "ago_minutes")):
        if past_s >= seconds:
            return say(language, key).format(n=past_s // seconds)
    return say(language, "ago_now")
