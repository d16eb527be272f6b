"""What the town has set for all its compounds, by name: ``public_url``, ``measure_end``, ``dwelling_most_people``, and
``keep``, the periods of retention."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, delete, insert, select

from sync.server import tables

PUBLIC_URL = "public_url"
MEASURE_END = "measure_end"
DWELLING_MOST_PEOPLE = "dwelling_most_people"


def read_setting(conn: Connection, name: str) -> str:
    """Empty where it is not set."""
    columns = tables.setting.c
    return conn.execute(select(columns.value).where(columns.name == name)).scalar() or ""


def put_setting(conn: Connection, name: str, value: str) -> None:
    """An empty one is not set any more."""
    columns = tables.setting.c
    conn.execute(delete(tables.setting).where(columns.name == name))
    if value:
        conn.execute(insert(tables.setting).values(name=name, value=value))


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
