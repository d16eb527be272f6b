"""Dwellings by pattern: buildings × units × floors × doors, without those that are left out. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from sync.server.centre.errors import CentreError
from sync.server.people.address import Address, make_address, narrow, read_floor
from sync.server.words.pairs import Pair

Part = TypeVar("Part")
MOST_DWELLINGS = 50_000
FIELDS = ("buildings", "units", "floors", "doors", "no_floors", "no_doors", "no_rooms", "wide")
_MOST_IN_A_LIST = 500
_NUMBERS = re.compile(r"([^\d-]*)(\d{1,6})([^\d-]*)-([^\d-]*)(\d{1,6})([^\d-]*)")
_LETTERS = re.compile(r"([A-Z])(\D?)-([A-Z])(\D?)")


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """What to make. ``no_rooms`` are whole room numbers (501); ``wide``: floors of two digits, 0501."""

    buildings: tuple[str, ...]
    units: tuple[str, ...]
    floors: tuple[int, ...]
    doors: tuple[str, ...]
    no_rooms: frozenset[str] = frozenset()
    wide: bool = False

    @property
    def most(self) -> int:
        return len(self.buildings) * len(self.units) * len(self.floors) * len(self.doors)

    def addresses(self) -> Iterator[Address]:
        """Every dwelling once, in the order people count."""
        for building in self.buildings:
            for unit in self.units:
                for floor in self.floors:
                    for room in self._rooms(floor):
                        yield Address(building, unit, floor, room)

    def _rooms(self, floor: int) -> Iterator[str]:
        before = f"B{-floor}" if floor < 0 else f"{floor:02d}" if self.wide else str(floor)
        for door in self.doors:
            if (room := before + door) not in self.no_rooms:
                yield room


def read_pattern(form: Mapping[str, str]) -> tuple[Pattern | None, dict[str, Pair]]:
    """The pattern of a form with ``FIELDS``, or what is wrong with which field."""
    asked = _Asked(form)
    no_floors, no_doors = asked.list("no_floors", _floor), asked.list("no_doors", _door)
    pattern = Pattern(
        buildings=asked.list("buildings", _building, needed=True),
        units=asked.list("units", _unit) or ("",),
        floors=tuple(floor for floor in asked.list("floors", _floor, needed=True) if floor not in no_floors),
        doors=tuple(door for door in asked.list("doors", _door, needed=True) if door not in no_doors),
        no_rooms=frozenset(asked.list("no_rooms", narrow)), wide="wide" in form,
    )  # fmt: skip
    if not asked.wrong:
        _check_size(pattern, asked.wrong)
    return (None if asked.wrong else pattern), asked.wrong


class _Asked:
    """A form being read, and what is wrong with it so far."""

    def __init__(self, form: Mapping[str, str]):
        self._form = form
        self.wrong: dict[str, Pair] = {}

    def list(self, field: str, read: Callable[[str], Part], needed: bool = False) -> tuple[Part, ...]:
        """Each part of a field once; none where something is wrong with it."""
        try:
            found = tuple(dict.fromkeys(read(words) for words in spread(self._form.get(field, ""))))
        except CentreError as error:
            self.wrong[field] = (error.zh, str(error))
            return ()
        if needed and not found:
            self.wrong[field] = ("请填写这一项。", "Please fill this in.")
        return found


def _check_size(pattern: Pattern, wrong: dict[str, Pair]) -> None:
    if pattern.most > MOST_DWELLINGS:
        wrong["buildings"] = (
            f"这样有{pattern.most}套，一次最多{MOST_DWELLINGS}套。请分几次。",
            f"That would be {pattern.most} dwellings; at most {MOST_DWELLINGS} at a time.",
        )
    elif next(pattern.addresses(), None) is None:
        wrong["floors"] = ("这样一套也没有。", "That leaves no dwelling at all.")


def _building(words: str) -> str:
    return make_address(words, "", "", "1").building


def _unit(words: str) -> str:
    return make_address("1", words, "", "1").unit


def _floor(words: str) -> int:
    floor = read_floor(words)
    if not floor:
        raise CentreError("没有0层，地面是1层。", "There is no floor 0; the ground floor is 1.")
    return floor


def _door(words: str) -> str:
    door = narrow(words)
    if not re.fullmatch(r"[A-Z]?\d{1,2}[A-Z]?|[A-Z]", door):
        raise CentreError("门号如01、A，不带楼层。", "A door is like 01 or A: without the floor.")
    return door.zfill(2) if door.isdigit() else door


def spread(words: str) -> list[str]:
    """``1-3, 5, A座-C座`` as a list, in the order written. Raises CentreError."""
    found: list[str] = []
    joined = re.sub(r"\s*([~至到]|[-‐-―−﹣]+)\s*", "-", unicodedata.normalize("NFKC", words))
    for piece in re.split(r"[\s,、;]+", joined):
        if bare := narrow(piece):
            found.extend(_span(bare))
        if len(found) > _MOST_IN_A_LIST:
            raise CentreError(f"一项里最多{_MOST_IN_A_LIST}个。", f"More than {_MOST_IN_A_LIST} in one list.")
    return found


def _span(piece: str) -> list[str]:
    if letters := _LETTERS.fullmatch(piece):
        first, last = ord(letters[1]), ord(letters[3])
        return [chr(sign) + letters[4] for sign in _counting(piece, first, last)]
    numbers = _NUMBERS.fullmatch(piece)
    if not numbers or (numbers[4] and numbers[4] != numbers[1]):
        return [piece]
    before, first_words, after = numbers[1], numbers[2], numbers[6]
    width = len(first_words) if first_words.startswith("0") else 0
    return [f"{before}{n:0{width}d}{after}" for n in _counting(piece, int(first_words), int(numbers[5]))]


def _counting(piece: str, first: int, last: int) -> range:
    if last < first or last - first >= _MOST_IN_A_LIST:
        raise CentreError(f"“{piece[:40]}”要从小到大，而且不能太多。", f"“{piece[:40]}” does not count upwards.")
    return range(first, last + 1)
