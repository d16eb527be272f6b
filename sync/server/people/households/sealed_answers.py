"""The answers of a person that stand sealed: the day of birth by itself, and everything about travel and health
together in one value, stays elsewhere among it.

One value for all of it, of one length for nearly everybody: neither its length nor a number of rows tells who was
away or who is ill. Somebody with more than two or three stays has a longer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from sync.server.centre import sealing, tables
from sync.server.centre.sealing import RowValues
from sync.server.centre.vault import Vault
from sync.server.people.households.application import Applicant, Journey
from sync.server.people.households.field_groups import ANSWERS, BIRTH, TRAVEL

AGE_BANDS = (0, 7, 18, 60, 80)
"""The least age of each band."""
NO_AGE = -1
TRAVELLED = tuple(name for name, one in ANSWERS.items() if one.within == TRAVEL)
SEALED_ANSWERS = tuple(name for name, one in ANSWERS.items() if one.within)
KEYS = sealing.key_of(tables.person)
"""Columns of a person's row without which nothing in it can be opened."""


class _Travel(msgspec.Struct, array_like=True):
    """As it is sealed. A question that is new is missing in older values, and empty then."""

    said: dict[str, str]
    stays: list[tuple[str, ...]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Travel).decode


def age_band(birth: str, today: date) -> int:
    """One of ``AGE_BANDS``; ``NO_AGE`` where the day of birth is not known. It turns on the birthday."""
    if not birth:
        return NO_AGE
    return next((years for years in reversed(AGE_BANDS) if birth <= _born(today, years)), AGE_BANDS[0])


def _born(today: date, years: int) -> str:
    """Who was born later is not that old yet."""
    return f"{today.year - years:04d}{today.isoformat()[4:]}"


def seal_answers(vault: Vault, keys: RowValues, said: Mapping[str, str], stays: Sequence[Journey],
                 today: date) -> dict[str, Any]:  # fmt: skip
    """The columns of a person's row. ``keys`` are ``KEYS``, ``said`` the answers."""
    travel = _Travel(
        {name: said[name] for name in TRAVELLED if said[name]}, [msgspec.structs.astuple(stay) for stay in stays]
    )
    return {
        BIRTH: sealing.seal(vault, tables.person, keys, BIRTH, said["birth"].encode()),
        TRAVEL: sealing.seal(vault, tables.person, keys, TRAVEL, _encode(travel)),
        "age_band": age_band(said["birth"], today),
    }


def open_birth(vault: Vault, row: RowValues) -> str:
    """Empty where it is not known. Raises VaultError."""
    return sealing.unseal(vault, tables.person, row, BIRTH).decode()


def open_travel(vault: Vault, row: RowValues) -> tuple[dict[str, str], list[Journey]]:
    """Question → answer, all of ``TRAVELLED``, and the stays; empty where they were erased. Raises VaultError."""
    opened = sealing.unseal(vault, tables.person, row, TRAVEL)
    found = _decode(opened) if opened else _Travel({}, [])
    return {name: found.said.get(name, "") for name in TRAVELLED}, [_journey(stay) for stay in found.stays]


def _journey(stay: Sequence[str]) -> Journey:
    return Journey(**dict(zip(Journey.__struct_fields__, stay, strict=False)))


def open_answers(vault: Vault, row: RowValues) -> dict[str, str]:
    """Question → answer, of all that stand sealed. Raises VaultError."""
    return {"birth": open_birth(vault, row), **open_travel(vault, row)[0]}


def stays_of(vault: Vault, rows: Iterable[RowValues]) -> dict[int, list[Journey]]:
    """Person → stays, of those who were away."""
    return {row["person_id"]: stays for row in rows if (stays := open_travel(vault, row)[1])}


def stays_in(applicant: Applicant) -> list[Journey]:
    """Somebody's stays elsewhere, as the form means them."""
    return applicant.journeys if applicant.stayed == "no" else []
