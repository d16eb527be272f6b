"""Extending everybody: counted first, then done, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import func, select, update

from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.writing import Centre

EXTENDED_KINDS = ("resident", "household_staff", "property_staff", "shop", "official", "vehicle")
"""Kinds that are extended with the whole compound; a visitor's or contractor's day is not."""


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """Every pass of these kinds that is not revoked and ends before ``until_ms`` shall end then. ``running_at_ms``:
    only those that have not ended by that moment; 0: those, too."""

    until_ms: int
    kinds: Sequence[str] = EXTENDED_KINDS
    running_at_ms: int = 0


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What an extension would change: passes by kind, and the first and the last of their present ends."""

    kinds: dict[str, int]
    first_end_ms: int = 0
    last_end_ms: int = 0

    @property
    def total(self) -> int:
        return sum(self.kinds.values())


class PassCountChanged(CentreError):
    """It would change other passes than those that were counted."""


def _chosen(compound_id: int, extension: Extension) -> tuple[Any, ...]:
    columns = tables.pass_.c
    return (
        columns.compound_id == compound_id, columns.kind.in_(extension.kinds), columns.state != "revoked",
        columns.valid_until_ms < extension.until_ms, columns.valid_until_ms > extension.running_at_ms,
        columns.home == 0,
    )  # fmt: skip


def count(centre: Centre, compound_id: int, extension: Extension) -> Count:
    """What it would change now."""
    columns = tables.pass_.c
    ends = (func.min(columns.valid_until_ms), func.max(columns.valid_until_ms))
    with centre.store.read() as conn:
        rows = conn.execute(
            select(columns.kind, func.count(), *ends).where(*_chosen(compound_id, extension)).group_by(columns.kind)
        ).all()
    return Count(
        kinds={kind: number for kind, number, _, _ in rows},
        first_end_ms=min((first for _, _, first, _ in rows), default=0),
        last_end_ms=max((last for _, _, _, last in rows), default=0),
    )


def extend_all(centre: Centre, compound_id: int, extension: Extension, by: str, counted: int | None = None) -> int:
    """Do it; how many passes. Cards stay as they are, and nobody's pass ends earlier by it.

    Raises PassCountChanged, with nothing changed, where they are not as many as were ``counted``.
    """
    with centre.writing(compound_id, by) as writing:
        chosen = _chosen(compound_id, extension)
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
