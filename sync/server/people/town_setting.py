"""What the town has set for all its compounds, by name: ``public_url``, ``measure_end``, ``dwelling_most_people``,
``sms_codes_an_hour``, and ``keep``, the periods of retention."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, insert, select

from sync.hosts import host_of
from sync.server.centre import audit, tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import all_compounds
from sync.server.centre.writing import Centre
from sync.server.passes import lane_screen

PUBLIC_URL = lane_screen.PUBLIC_URL
MEASURE_END = "measure_end"
DWELLING_MOST_PEOPLE = "dwelling_most_people"
USUAL_MOST_PEOPLE = 8
SMS_CODES = "sms_codes_an_hour"
"""How many codes to telephones may be sent in an hour, in all; not set: none, and nobody is asked for one."""
_PEOPLE = range(2, 51)
_MOST_CODES = 10_000
_LONGEST_URL = 100


def read_setting(conn: Connection, name: str) -> str:
    """Empty where it is not set."""
    columns = tables.setting.c
    return conn.execute(select(columns.value).where(columns.name == name)).scalar() or ""


def put_setting(conn: Connection, name: str, value: str) -> None:
    """An empty one is no longer set."""
    columns = tables.setting.c
    conn.execute(delete(tables.setting).where(columns.name == name))
    if value:
        conn.execute(insert(tables.setting).values(name=name, value=value))


def put_public_url(centre: Centre, words: str, by: str) -> None:
    """Where residents reach the centre, as it stands on posters, in messages and on the lanes' screens; empty: not
    set. Raises CentreError."""
    url = words.strip().rstrip("/")
    parts = urlsplit(url)
    whole = (
        parts.scheme in ("https", "http")
        and host_of(parts.netloc)
        and not (parts.query or parts.fragment or "@" in url)
    )
    if url and (not whole or len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url):
        raise CentreError("网址如 https://pass.example.org。", "An address is like https://pass.example.org.")
    if _put(centre, PUBLIC_URL, url, by):
        with centre.store.read() as conn:
            found = [compound.compound_id for compound in all_compounds(conn) if not compound.restored_ms]
        for compound_id in found:
            lane_screen.publish_form(centre, compound_id, by)


def put_most_people(centre: Centre, words: str, by: str) -> None:
    """From how many people on a dwelling is worth a second look. Raises CentreError."""
    number = int(words) if words.isascii() and words.isdigit() and len(words) < 4 else 0
    if number not in _PEOPLE:
        raise CentreError(
            f"请填{_PEOPLE.start}到{_PEOPLE.stop - 1}。", f"A number from {_PEOPLE.start} to {_PEOPLE.stop - 1}."
        )
    _put(centre, DWELLING_MOST_PEOPLE, str(number), by)


def put_sms_codes(centre: Centre, words: str, by: str) -> None:
    """How many codes may be sent in an hour; empty or 0: none. Raises CentreError."""
    number = words.strip() or "0"
    if not (number.isascii() and number.isdigit() and len(number) < 6 and int(number) <= _MOST_CODES):
        raise CentreError(f"请填0到{_MOST_CODES}。", f"A number from 0 to {_MOST_CODES}.")
    _put(centre, SMS_CODES, str(int(number)) if int(number) else "", by)


def _put(centre: Centre, name: str, value: str, by: str) -> bool:
    """Whether it is another one than before."""
    with centre.store.write() as conn:
        changed = read_setting(conn, name) != value
        if changed:
            put_setting(conn, name, value)
            audit.note_town(conn, centre.now_ms(), by, "set-town", f"{name}: {value}")
    return changed


def read_count(conn: Connection, name: str, otherwise: int) -> int:
    """A whole number; ``otherwise`` where none is set."""
    value = read_setting(conn, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else otherwise


def read_last_day(conn: Connection, name: str) -> str:
    """A day ``2026-12-31``; empty where none is set."""
    value = read_setting(conn, name)
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return ""
