"""Extending everybody: counted first, then done, in one transaction.

A pass whose credential was signed so long ago that gates would not honour the new end stays as it is: it needs a new
credential, and is counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, case, func, select, update

from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import get_compound
from sync.server.centre.writing import Centre
from sync.server.passes.compounds import extensions, signed_until

EXTENDED_KINDS = ("resident", "household_staff", "property_staff", "shop", "official", "vehicle")
"""Kinds that are extended with the whole compound; a visitor's or contractor's day is not."""


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """Every pass of these kinds that is not revoked and ends before ``until_ms`` shall end then, if gates honour that
    with what was signed. ``running_at_ms``: only those that have not ended by that moment; 0: those, too."""

    until_ms: int
    kinds: Sequence[str] = EXTENDED_KINDS
    running_at_ms: int = 0


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What an extension would change: passes by kind, and the first and the last of their present ends. ``left``: how
    many it would leave as they are, since they need new credentials."""

    kinds: dict[str, int]
    first_end_ms: int = 0
    last_end_ms: int = 0
    left: int = 0

    @property
    def total(self) -> int:
        return sum(self.kinds.values())


class PassCountChanged(CentreError):
    """It would change other passes than those that were counted."""


def _wanted(compound_id: int, extension: Extension) -> tuple[Any, ...]:
    columns = tables.pass_.c
    return (
        columns.compound_id == compound_id, columns.kind.in_(extension.kinds), columns.state != "revoked",
        columns.valid_until_ms < extension.until_ms, columns.valid_until_ms > extension.running_at_ms,
        columns.home == 0,
    )  # fmt: skip


def _too_old(conn: Connection, compound_id: int, extension: Extension) -> Any:
    """Passes with a credential in force that gates would not honour until the new end."""
    signed, owner = tables.credential.alias().c, tables.pass_.c
    more = extensions(conn, get_compound(conn, compound_id))
    allowed = case(more, value=owner.kind, else_=0)
    return (
        select(signed.serial)
        .where(signed.compound_id == owner.compound_id, signed.pass_id == owner.pass_id,
               signed.state.in_(("printed", "active")), signed_until(signed) + allowed < extension.until_ms)
        .correlate(tables.pass_)
        .exists()
    )  # fmt: skip


def count(centre: Centre, compound_id: int, extension: Extension) -> Count:
    """What it would change now."""
    columns = tables.pass_.c
    ends = (func.min(columns.valid_until_ms), func.max(columns.valid_until_ms))
    wanted = _wanted(compound_id, extension)
    with centre.store.read() as conn:
        too_old = _too_old(conn, compound_id, extension)
        rows = conn.execute(
            select(columns.kind, func.count(), *ends).where(*wanted, ~too_old).group_by(columns.kind)
        ).all()
        left = conn.execute(select(func.count()).select_from(tables.pass_).where(*wanted, too_old)).scalar_one()
    return Count(
        kinds={kind: number for kind, number, _, _ in rows},
        first_end_ms=min((first for _, _, first, _ in rows), default=0),
        last_end_ms=max((last for _, _, _, last in rows), default=0),
        left=left,
    )


def extend_all(centre: Centre, compound_id: int, extension: Extension, by: str, counted: int | None = None) -> int:
    """Do it; how many passes. Cards stay as they are, and nobody's pass ends earlier by it.

    Raises PassCountChanged, with nothing changed, where they are not as many as were ``counted``.
    """
    with centre.writing(compound_id, by) as writing:
        chosen = (*_wanted(compound_id, extension), ~_too_old(writing.conn, compound_id, extension))
        credential = tables.credential.c
        live = update(tables.credential).where(
            credential.compound_id == compound_id, credential.state.in_(("printed", "active")),
            credential.pass_id.in_(select(tables.pass_.c.pass_id).where(*chosen)),
        )  # fmt: skip
        writing.conn.execute(live.values(revision=0))
        changed = writing.conn.execute(
            update(tables.pass_).where(*chosen).values(valid_until_ms=extension.until_ms)
        ).rowcount
        if counted is not None and counted != changed:
            raise PassCountChanged(
                f"现在是{changed}张，不是{counted}张。", f"It would be {changed} passes now, not {counted}."
            )
        writing.touch()
        writing.audit("extend-all", f"{changed} passes until {extension.until_ms}: {', '.join(extension.kinds)}")
        return changed
