"""Where a dwelling is: building, unit, floor, room, in one form however people write it. Pure.

People say ``3-2-501``, ``3栋2单元501室``, ``3号楼2单元501`` or ``Building 3, Unit 2, Room 501`` and mean one door.
Buildings may have any name (``A座``); numbers in it count as numbers, so that 2 comes before 10.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from sync.server.centre.errors import CentreError

LONGEST_PART = 20
FLOORS = range(-9, 151)
_ANY_DASH = re.compile(r"[-‐-―−﹣－ー~/\\、,，.。·_]+")
_OF_BUILDING = r"(?:号楼|號樓|[栋幢棟座楼樓号號#])"
_OF_UNIT = r"(?:单元|單元|[门門梯])"
_OF_ROOM = r"(?:号房|[室号號房户戶])"
_PLAIN_BUILDING = re.compile(rf"0*(\d+){_OF_BUILDING}?")
_PLAIN_UNIT = re.compile(rf"0*(\d+){_OF_UNIT}?")
_PLAIN_ROOM = re.compile(rf"(.*?[\dA-Z]){_OF_ROOM}")
_LAST_WORD = re.compile(rf"(?<=.)(?:{_OF_BUILDING}|{_OF_UNIT}|{_OF_ROOM})$")
_FLOOR = re.compile(r"(B|-|负|地下)?(\d{1,3})(?:层|層|楼|樓|F)?")
_NUMERAL = re.compile(rf"[一二三四五六七八九十]{{1,3}}(?={_OF_BUILDING}|{_OF_UNIT})")
_ENGLISH = (
    (re.compile(r"\b(?:ROOM|RM|FLAT|APARTMENT|APT)\W*(\w+)\W*"), r"\1室"),
    (re.compile(r"\b(?:UNIT|ENTRANCE)\W*(\w+)\W*"), r"\1单元"),
    (re.compile(r"\b(?:BUILDING|BLDG|BLOCK|BLK|TOWER)\W*(\w+)\W*"), r"\1栋"),
)
_SPOKEN = re.compile(
    rf"(?P<building>[^-]{{1,{LONGEST_PART}}}?{_OF_BUILDING})-?(?:(?P<unit>\w{{1,{LONGEST_PART}}}?)(?:{_OF_UNIT}-?|-))?"
    rf"(?:\d{{1,3}}(?:层|層|楼|樓|F)-?)?(?P<room>[A-Z]?\d{{1,6}}[A-Z]?){_OF_ROOM}?"
)
_DASHED = re.compile(r"(?P<building>[^-]+)-(?:(?P<unit>[^-]+)-)?(?P<room>[^-]*\d[^-]*)")
_RUN_TOGETHER = re.compile(r"(?P<building>[A-Z])(?P<unit>)(?P<room>\d{3,4})")
_ALLOWED = re.compile(r"[\w#()&][\w#()&·.+ -]*")


class Address(msgspec.Struct, frozen=True, array_like=True):
    """One door. ``unit`` is empty where a building has none, ``floor`` 0 where it is not known."""

    building: str
    unit: str
    floor: int
    room: str

    @property
    def name(self) -> str:
        """As people say it: 3-2-501."""
        return "-".join(part for part in (self.building, self.unit, self.room) if part)

    @property
    def place(self) -> str:
        """Sorts as people count: building, unit, floor, room."""
        return "/".join((_padded(self.building), _padded(self.unit), f"{self.floor + 1000:05d}", _padded(self.room)))

    @property
    def key(self) -> tuple[str, str, str]:
        """One value for every way to write one door: ``A座`` and ``a``, ``0501`` and ``501室``."""
        return building_key(self.building), building_key(self.unit), building_key(self.room)


def building_key(words: str) -> str:
    """A building, unit or room without the word that says which of them it is, and without leading zeros."""
    bare = _LAST_WORD.sub("", narrow(words)) or words
    return re.sub(r"(?<!\d)0+(?=\d)", "", bare).casefold()


def narrow(words: str) -> str:
    """Full-width signs narrow, letters capital, no spaces."""
    return "".join(unicodedata.normalize("NFKC", words).upper().split())


def make_address(building: str, unit: str, floor: str, room: str) -> Address:
    """From four fields as somebody typed them; the floor is read off the room where it is not given.

    Raises CentreError, in words that name the field.
    """
    building, unit, room = _tidy(_PLAIN_BUILDING, building), _tidy(_PLAIN_UNIT, unit), _tidy(_PLAIN_ROOM, room)
    if not building:
        raise CentreError("没有楼栋。", "The building is missing.")
    if not room:
        raise CentreError("没有房号。", "The room is missing.")
    for english, chinese, part in (("building", "楼栋", building), ("unit", "单元", unit), ("room", "房号", room)):
        _check(english, chinese, part)
    return Address(building, unit, read_floor(floor) if floor.strip() else floor_of(room), room)


def _tidy(plain: re.Pattern[str], words: str) -> str:
    found = plain.fullmatch(_counted(narrow(words)))
    return found[1] if found else narrow(words)


def _check(english: str, chinese: str, part: str) -> None:
    if len(part) > LONGEST_PART:
        raise CentreError(f"{chinese}超过{LONGEST_PART}个字。", f"The {english} is longer than {LONGEST_PART} signs.")
    if part and not (_ALLOWED.fullmatch(part) and any(sign.isalnum() for sign in part)):
        raise CentreError(f"{chinese}看不懂，只能是字、数字和短横。", f"This cannot be a {english}.")


def read_floor(words: str) -> int:
    """``5``, ``5层``, ``5F``; ``B1`` and ``负1`` are below ground. Raises CentreError."""
    found = _FLOOR.fullmatch(narrow(words))
    floor = (-1 if found and found[1] else 1) * int(found[2]) if found else 0
    if not found or floor not in FLOORS:
        raise CentreError(
            f"楼层要填{FLOORS.start}到{FLOORS.stop - 1}的数字。",
            f"A floor is a number from {FLOORS.start} to {FLOORS.stop - 1}.",
        )
    return floor


def floor_of(room: str) -> int:
    """What the room's number says: 501 and 0501 are on floor 5, 1203 is on 12; 0 where it says nothing."""
    found = re.match(r"[A-Z]*(\d{3,5})(?!\d)", room)
    floor = int(found[1][:-2]) if found else 0
    return floor if floor in FLOORS else 0


def read_words(words: str) -> Address | None:
    """The door somebody means who wrote it in one line; None for what says no building and room."""
    text = unicodedata.normalize("NFKC", words[:100]).upper()
    for pattern, chinese in _ENGLISH:
        text = pattern.sub(chinese, text)
    text = _ANY_DASH.sub("-", _counted("".join(text.split()).rstrip("。.")))
    for form in (_SPOKEN, _DASHED, _RUN_TOGETHER):
        if found := form.fullmatch(text):
            try:
                return make_address(found["building"], found["unit"] or "", "", found["room"])
            except CentreError:
                return None
    return None


def _counted(words: str) -> str:
    """``十二栋`` is 12栋."""
    return _NUMERAL.sub(lambda found: str(_count(found[0])), words)


def _count(numeral: str) -> int:
    tens, ten, ones = numeral.rpartition("十")
    digits = " 一二三四五六七八九"
    if not ten:
        return int("".join(str(digits.index(sign)) for sign in numeral))
    return 10 * (digits.index(tens[-1:]) if tens and tens != "十" else 1) + (digits.index(ones) if ones else 0)


def _padded(words: str) -> str:
    return re.sub(r"\d+", lambda found: found[0].zfill(6), words)
