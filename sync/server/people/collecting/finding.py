"""One field finds a household: by a scan of its page or of a card, its number, a pass, a phone, a plate or a dwelling.

What was written says by its form what it is; the first form that leads to somebody counts. Nothing here is logged.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from sync.cache import SHORT_CODE_ALPHABET, SHORT_CODE_CHARACTERS
from sync.credential import CARD_CHARACTERS, MAGIC, Credential, read_credential
from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.vault import Vault
from sync.server.passes import passes
from sync.server.people import identity
from sync.server.people.dwellings import dwellings

MOST_FOUND = 20
MOST_WORDS = 400
Why = Literal["", "nothing", "foreign", "unreadable", "too_many"]

_PAGE = re.compile(r"/j/(\d{1,9})/s/([A-Za-z2-7]{26})(?![A-Za-z2-7])")
_HOUSEHOLD = re.compile(r"(?:(\d{1,9})-)?H0*(\d{1,9})")
_PASS = re.compile(r"(\d{1,9})-(\d{6,9})")
_SHORT_CODE = re.compile(rf"[{SHORT_CODE_ALPHABET}]{{{SHORT_CODE_CHARACTERS}}}")
_ENDED = ("cancelled", "moved")
_h, _p, _v, _pass, _c = (
    table.c for table in (tables.household, tables.person, tables.vehicle, tables.pass_, tables.credential)
)


class FoundHousehold(msgspec.Struct, frozen=True, kw_only=True):
    """A household in a short list: nothing in it that is not masked."""

    household_id: int
    number: str
    dwelling: str
    label: str
    phone_masked: str
    state: str
    collected_ms: int
    slot_ms: int

    @property
    def stage(self) -> str:
        return "collected" if self.state == "approved" and self.collected_ms else self.state


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Households, or why there are none. ``number`` is the pass that was meant, where it was one: of a household, or of
    nobody's (a guest of the desk: a shop's, a contractor's). ``dead``: the scanned card was replaced or revoked."""

    households: tuple[FoundHousehold, ...] = ()
    number: str = ""
    dead: bool = False
    why: Why = ""


def find(conn: Connection, vault: Vault, compound_id: int, words: str) -> Finding:
    """The households meant by what was written or scanned. Never raises."""
    words = words.strip("\r\n\t")
    if len(words) > MOST_WORDS:
        return Finding(why="unreadable")
    if found := _PAGE.search(words):
        return _by_page(conn, vault, compound_id, int(found[1]), found[2])
    if is_card(words):
        return _by_card(conn, compound_id, words)
    plain = unicodedata.normalize("NFKC", words).upper().strip()
    if not plain:
        return Finding(why="nothing")
    if (numbered := _PASS.fullmatch(plain)) and (finding := _by_pass(conn, compound_id, plain)):
        return finding
    if (numbered or _HOUSEHOLD.fullmatch(plain)) and _other_compound(plain, compound_id):
        return Finding(why="foreign")
    if _SHORT_CODE.fullmatch(plain) and (finding := _by_short_code(conn, compound_id, plain)):
        return finding
    for which in _readings(conn, vault, compound_id, plain):
        if rows := _rows(conn, compound_id, which):
            return Finding(households=rows[:MOST_FOUND], why="too_many" if len(rows) > MOST_FOUND else "")
    return Finding(why="nothing")


def is_card(words: str) -> bool:
    """Whether this is meant to be the text of a credential; a scanner may have typed it with the capitals locked."""
    return words[:2].upper() == MAGIC and len(words) >= CARD_CHARACTERS - 20


def _other_compound(plain: str, compound_id: int) -> bool:
    place, dash, _ = plain.partition("-")
    return bool(dash) and int(place) != compound_id


def _readings(conn: Connection, vault: Vault, compound_id: int, plain: str) -> Iterator[ColumnElement[bool]]:
    if numbered := _HOUSEHOLD.fullmatch(plain) or re.fullmatch(r"()0*(\d{1,7})", plain):
        yield _h.household_id == int(numbered[2])
    yield from _as_phone(vault, compound_id, plain)
    yield from _as_plate(compound_id, plain)
    if dwelling_id := dwellings.match(conn, compound_id, plain):
        yield and_(_h.dwelling_id == dwelling_id, _h.state.not_in(_ENDED))
    yield and_(_h.dwelling == identity.one_line(plain), _h.state.not_in(_ENDED))


def _as_phone(vault: Vault, compound_id: int, plain: str) -> Iterator[ColumnElement[bool]]:
    try:
        mark = vault.mark("phone", identity.check_phone(plain))
    except CentreError:
        return
    theirs = select(_p.household_id).where(_p.compound_id == compound_id, _p.phone_mark == mark).correlate(None)
    yield and_(or_(_h.phone_mark == mark, _h.household_id.in_(theirs)), _h.state.not_in(_ENDED))


def _as_plate(compound_id: int, plain: str) -> Iterator[ColumnElement[bool]]:
    try:
        plate = identity.check_plate(plain)
    except CentreError:
        return
    theirs = select(_v.household_id).where(_v.compound_id == compound_id, _v.plate == plate)
    yield and_(_h.household_id.in_(theirs), _h.state.not_in(_ENDED))


def _by_page(conn: Connection, vault: Vault, compound_id: int, place: int, link: str) -> Finding:
    if place != compound_id:
        return Finding(why="foreign")
    rows = _rows(conn, compound_id, _h.link_mark == vault.mark("link", link.lower()))
    return Finding(households=rows, why="" if rows else "nothing")


# Cards and passes


def read_card(conn: Connection, compound_id: int, words: str) -> Credential | Why:
    """The credential in a scanned text, its signature checked with the compound's own keys."""
    keys = tables.signing_key.c
    mine = (keys.compound_id == compound_id, keys.scope == compound_id)
    known = conn.execute(select(keys.key_id, keys.public).where(*mine)).all()
    reading = read_credential(words.upper().ljust(CARD_CHARACTERS), {(compound_id, row[0]): row[1] for row in known})
    if isinstance(reading, Credential):
        return reading
    return "foreign" if reading.reason == "foreign_scope" else "unreadable"


def pass_of_card(conn: Connection, compound_id: int, words: str) -> tuple[str, bool, Why]:
    """(pass number, whether the scanned credential is dead, why there is none)."""
    read = read_card(conn, compound_id, words)
    if not isinstance(read, Credential):
        return "", False, read
    wanted = (
        select(_pass.number, _pass.state, _c.state)
        .join(tables.credential, and_(_c.compound_id == _pass.compound_id, _c.pass_id == _pass.pass_id))
        .where(_c.compound_id == compound_id, _c.scope == read.scope, _c.serial == read.serial)
    )
    row = conn.execute(wanted).first()
    if row is None:
        return "", False, "nothing"
    return row[0], row[1] == "revoked" or row[2] in ("superseded", "gone"), ""


def _by_card(conn: Connection, compound_id: int, words: str) -> Finding:
    number, dead, why = pass_of_card(conn, compound_id, words)
    finding = _by_pass(conn, compound_id, number) if number else None
    return msgspec.structs.replace(finding, dead=dead) if finding else Finding(why=why or "nothing")


def _by_pass(conn: Connection, compound_id: int, number: str) -> Finding | None:
    return _of_pass(conn, compound_id, _pass.number == number)


def _by_short_code(conn: Connection, compound_id: int, code: str) -> Finding | None:
    return _of_pass(conn, compound_id, _pass.short_code == code)


def _of_pass(conn: Connection, compound_id: int, which: Any) -> Finding | None:
    wanted = select(_pass.number, _pass.household).where(_pass.compound_id == compound_id, which)
    row = conn.execute(wanted).first()
    if row is None:
        return None
    rows = _rows(conn, compound_id, _h.household_id == row.household) if row.household else ()
    return Finding(number=row.number, households=rows)


def _rows(conn: Connection, compound_id: int, which: Any) -> tuple[FoundHousehold, ...]:
    """Newest first; one more than is shown, so that "too many" can be told."""
    return list_found(conn, compound_id, which, _h.household_id.desc(), MOST_FOUND + 1)


def list_found(conn: Connection, compound_id: int, which: Any, order: Any, most: int) -> tuple[FoundHousehold, ...]:
    """Households of a compound, chosen and ordered by columns of their row."""
    names = [name for name in FoundHousehold.__struct_fields__ if name != "label"]
    first = and_(_p.compound_id == _h.compound_id, _p.household_id == _h.household_id, _p.place == 0)
    wanted = (
        select(*(_h[name] for name in names), _p.name)
        .join(tables.person, first, isouter=True)
        .where(_h.compound_id == compound_id, which)
        .order_by(order)
        .limit(most)
    )
    return tuple(
        FoundHousehold(label=passes.masked(row["name"] or ""), **{name: row[name] for name in names})
        for row in conn.execute(wanted).mappings()
    )


def by_ids(conn: Connection, compound_id: int, household_ids: Sequence[int]) -> tuple[FoundHousehold, ...]:
    """Households by their ids, by slot."""
    return list_found(conn, compound_id, _h.household_id.in_(household_ids), _h.slot_ms, len(household_ids))
