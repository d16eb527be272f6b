"""PINs of guards: which are refused, how one is drawn, and the verifier that a gate's core checks it with. Pure."""

from __future__ import annotations

import itertools
import re
import secrets
from datetime import datetime

from nacl import pwhash

from sync.server.centre.errors import CentreError
from sync.server.centre.settings import Settings
from sync.terms import GuardRole

LONGEST = 12
LEAST: dict[GuardRole, int] = {"guard": 6, "supervisor": 8, "technician": 8}
"""Digits. NIST SP 800-63B (5.1.1) takes six where a program draws them, and asks for eight where a person chooses. Who
may do more than open needs eight in either case."""

_OFTEN = frozenset(
    ("147258", "258369", "369258", "159753", "159357", "147852", "789456", "456123", "123789", "520131", "5201314",
     "1314520", "147258369", "14725836", "12345679", "31415926", "13145200", "20202020")
)  # fmt: skip
"""What many people choose, in China above all (Wang and others, *Understanding Human-Chosen PINs*, AsiaCCS 2017)."""
_DATES = {6: ("%y%m%d", "%d%m%y", "%m%d%y", "%Y%m"), 8: ("%Y%m%d", "%d%m%Y", "%m%d%Y")}
_YEARS = range(1900, 2100)
_LEAST_OF_A_NAME = 4
_PARAMETERS = re.compile(rb"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$")


def check_pin(pin: str, role: GuardRole, name: str = "", account: str = "") -> None:
    """Raises CentreError for a PIN that is too short for this role, or that somebody would try early."""
    least = LEAST[role]
    if not (pin.isascii() and pin.isdigit() and least <= len(pin) <= LONGEST):
        raise CentreError(
            f"这个职责的PIN是{least}至{LONGEST}位数字。", f"A PIN of this role has {least} to {LONGEST} digits."
        )
    if _is_pattern(pin) or pin in _OFTEN:
        raise CentreError(
            "这个PIN太好猜，请不要用重复、连续或常用的数字。",
            "This PIN is too easy to guess: no repeated, counted or popular digits, please.",
        )
    if _is_date(pin):
        raise CentreError("这个PIN太好猜，请不要用日期。", "This PIN is too easy to guess: please do not take a date.")
    if _is_of_person(pin, name, account):
        raise CentreError(
            "这个PIN太好猜，请不要用自己的编号。",
            "This PIN is too easy to guess: please do not take the guard's own number.",
        )


def draw_pin(role: GuardRole, name: str = "", account: str = "") -> str:
    """A random PIN of the least length that this role may have."""
    while True:
        pin = "".join(secrets.choice("0123456789") for _ in range(LEAST[role]))
        try:
            check_pin(pin, role, name, account)
        except CentreError:
            continue
        return pin


def make_verifier(pin: str, settings: Settings) -> bytes:
    """libsodium's text form of Argon2id, which holds its parameters, without the zero bytes at its end."""
    return pwhash.argon2id.str(pin.encode(), settings.pin_passes, settings.pin_memory_bytes).rstrip(b"\0")


def is_weak(verifier: bytes, settings: Settings) -> bool:
    """Whether it costs less to check than one that is made today."""
    found = _PARAMETERS.match(verifier)
    if found is None:
        return True
    memory, passes = int(found[1]) << 10, int(found[2])
    return memory < settings.pin_memory_bytes or passes < settings.pin_passes


def _is_pattern(pin: str) -> bool:
    """Repeated (``121212``), counted (``890123``), near each other (``112233``, ``123321``), or of two digits only."""
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    parts = any(len(pin) % n == 0 and pin == pin[:n] * (len(pin) // n) for n in range(1, len(pin) // 2 + 1))
    return parts or steps <= {0, 1, 9} or len(set(pin)) < 3


def _is_date(pin: str) -> bool:
    for form in _DATES.get(len(pin), ()):
        try:
            if datetime.strptime(pin, form).year in _YEARS:  # noqa: DTZ007 (a day of no zone)
                return True
        except ValueError:
            continue
    return False


def _is_of_person(pin: str, name: str, account: str) -> bool:
    """The number of the account, or a number that stands in the name."""
    number = account.lstrip("a")
    if number and pin.strip("0") == number.strip("0"):
        return True
    named = re.findall(rf"[0-9]{{{_LEAST_OF_A_NAME},}}", name)
    return any(one in pin or pin in one for one in named)
