"""What was recorded: who did what, when, about which object."""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from sync.server import tables
from sync.server.centre import Centre


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One record. ``by`` is an account, a device or a system's user."""

    at_ms: int
    by: str
    what: str
    about: str


def newest(centre: Centre, compound_id: int, what: str, rows: int = 20) -> list[Entry]:
    """The newest records of one kind in a compound."""
    columns = tables.audit.c
    wanted = (
        select(columns.at_ms, columns.by, columns.what, columns.about)
        .where(columns.compound_id == compound_id, columns.what == what)
        .order_by(columns.at_ms.desc(), columns.audit_id)
        .limit(rows)
    )
    with centre.store.read() as conn:
        return [Entry(**row) for row in conn.execute(wanted).mappings()]
