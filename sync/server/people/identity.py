"""Documents, telephones, plates and names as people write them: checked, brought into one form, masked. Pure.

Anyone who has another paper than the mainland's identity card is no exception: each kind has its own form, and what
cannot be checked by a checksum is taken as written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Literal, get_args

import msgspec

from sync.server.centre.errors import CentreError

DocKind = Literal["id_card", "hk_macau", "taiwan", "passport", "none"]
DOC_KINDS: tuple[DocKind, ...] = get_args(DocKind)
Sex = Literal["m", "f", ""]
_NAME_CHARACTERS = 60
_MOST_MARKS = 3
_UNSEEN = re.compile("[\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
"""Letters and signs that Python calls printable and that show nothing."""
_OLDEST = 130

# GB 11643-1999 with ISO 7064, MOD 11-2: the last of 18 places; codes of provinces after GB/T 2260, and 81 to 83 for the
# residence permits of people from Hong Kong, Macao and Taiwan, which carry the same form.
_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))
_CHECKS = "10X98765432"
_PROVINCES = frozenset(
    str(number)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83), (91, 91))
    for number in range(first, last + 1)
)
_FORMS: Mapping[str, re.Pattern[str]] = {
    "hk_macau": re.compile(r"[HM][0-9]{8}([0-9]{2})?"),  # Mainland Travel Permit, with or without its issue number
    "taiwan": re.compile(r"[0-9]{8}([0-9]{2})?|[A-Z][0-9]{9}"),
    "passport": re.compile(r"[A-Z0-9]{5,20}"),
}
_PLATE_PLACES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使"
_LETTERS = "A-HJ-NP-Z"
# GA 36-2018: seven characters; eight for new energy, with a letter first or last of the six (small and large vehicles).
_PLATE = re.compile(
    rf"[{_PLATE_PLACES}][A-Z]([{_LETTERS}0-9]{{4}}[{_LETTERS}0-9学警港澳挂领]|[A-K][{_LETTERS}0-9][0-9]{{4}}|[0-9]{{5}}[A-K])"
)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A paper, checked. ``number`` is in one form: capital letters, no spaces. What it does not say is empty."""

    kind: DocKind
    number: str
    masked: str
    sex: Sex = ""
    birth: str = ""

    @property
    def text(self) -> str:
        """What its keyed hash is made of; empty for no paper."""
        return f"{self.kind}:{self.number}" if self.number else ""


def plain(words: str) -> str:
    """Full-width signs as narrow ones, capital letters, no spaces or dashes."""
    narrow = unicodedata.normalize("NFKC", words).upper()
    return re.sub(r"[\s\-‐-―·.•_]+", "", narrow)


def one_line(words: str) -> str:
    """Trimmed, inner spaces single, full-width letters narrow."""
    return " ".join(unicodedata.normalize("NFKC", words).split())


def check_name(words: str) -> str:
    """A name in one line. Raises CentreError."""
    name = one_line(words)
    readable = name.isprintable() and not _UNSEEN.search(name) and not _piled(name)
    if not readable or len(name) > _NAME_CHARACTERS or not any(sign.isalpha() for sign in name):
        raise CentreError("请按证件填写姓名。", "Please write the name as it stands on the paper.")
    return name


def _piled(words: str) -> bool:
    """Whether the marks on one letter are too many and cover the lines around it."""
    in_a_row = 0
    for sign in words:
        in_a_row = in_a_row + 1 if unicodedata.category(sign) == "Mn" else 0
        if in_a_row > _MOST_MARKS:
            return True
    return False


def read_day(words: str) -> date:
    """A day written 2026-12-31. Raises CentreError."""
    try:
        day = date.fromisoformat(unicodedata.normalize("NFKC", words).strip().replace("/", "-").replace(".", "-"))
    except ValueError as err:
        raise CentreError("日期请写成2026-12-31。", "Please write the date like 2026-12-31.") from err
    if not 1900 <= day.year <= 2200:
        raise CentreError("请核对年份。", "Please check the year.")
    return day


def check_document(kind: str, words: str, today: date) -> Document:
    """A document of one of ``DOC_KINDS``, with the sex and day of birth an identity card carries.

    ``none`` is for a newborn whose paper is not made yet. Raises CentreError, in words that say what to look at.
    """
    number = plain(words)
    if kind == "none" and not number:
        return Document(kind="none", number="", masked="")
    if kind == "id_card":
        return _check_id_card(number, today)
    if kind in ("hk_macau", "taiwan") and len(number) == 18:  # a residence permit has the identity card's form
        return msgspec.structs.replace(_check_id_card(number, today), kind=kind)
    form = _FORMS.get(kind)
    if form is None:
        raise CentreError("请选择证件类型。", "Please choose which document it is.")
    if not form.fullmatch(number):
        raise CentreError(
            "这个号码和所选的证件类型不符，请核对类型和号码。",
            "This number does not look like that document's. Please check document and number.",
        )
    return Document(kind=kind, number=number, masked=mask(number))  # type: ignore[arg-type]  # one of _FORMS


def _check_id_card(number: str, today: date) -> Document:
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        raise CentreError("身份证号是18位，最后一位可以是X。", "An ID number has 18 places; the last may be X.")
    if number[-1] != id_checksum(number) or number[:2] not in _PROVINCES:
        raise CentreError("身份证号有一位不对，请对照证件再看一遍。",
                          "One place of the ID number is wrong. Please compare it with the card.")  # fmt: skip
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError as err:
        raise CentreError("身份证号里的出生日期不存在。", "The date of birth in the ID number does not exist.") from err
    if not today.year - _OLDEST <= birth.year or birth > today:
        raise CentreError("身份证号里的出生日期不对。", "The date of birth in the ID number cannot be right.")
    sex: Sex = "m" if int(number[16]) % 2 else "f"
    return Document(kind="id_card", number=number, masked=mask(number), sex=sex, birth=birth.isoformat())


def id_checksum(number: str) -> str:
    """The 18th place of an ID number whose first 17 digits are given (ISO 7064, MOD 11-2)."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False)) % 11]


def mask(number: str) -> str:
    """The first three and last two places of a long number, the first and last of a short one.

    What an officer compares with a paper. With the age band, the region and the sex it leaves more than 10,000 identity
    numbers; with the day of birth it would leave 140, so that stands beside it nowhere without the key.
    """
    head, tail = (3, 2) if len(number) > 10 else (1, 1)
    return number[:head] + "*" * (len(number) - head - tail) + number[-tail:] if number else ""


def check_phone(words: str) -> str:
    """A mobile number: eleven digits beginning with 1, or ``+`` and another country's. Raises CentreError.

    There is no list of prefixes: new ones appear every year.
    """
    number = re.sub(r"[^\w+]", "", plain(words)).removeprefix("+86")
    number = number[2:] if number.startswith("86") and len(number) == 13 else number
    if re.fullmatch(r"1[0-9]{10}", number) or re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
        return number
    raise CentreError("手机号是11位，以1开头（境外号码请写+和国家码）。",
                      "A mobile number has 11 digits and begins with 1 (from abroad: + and country code).")  # fmt: skip


def mask_phone(number: str) -> str:
    """The last four places. The first seven of a mobile number say its city, which may stand beside it."""
    return f"{number[0]}{'*' * (len(number) - 5)}{number[-4:]}" if len(number) >= 9 else "****"


def check_plate(words: str) -> str:
    """A number plate of seven characters, or eight for new energy. Raises CentreError."""
    plate = plain(words)
    if _PLATE.fullmatch(plate):
        return plate
    raise CentreError("车牌如粤B12345，新能源如粤BD12345。", "A plate is like 粤B12345, or 粤BD12345 for new energy.")
