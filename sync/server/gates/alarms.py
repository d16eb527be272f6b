"""What the office must hear of first: two devices with one identity, a centre that was restored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, func, select

from sync.server.centre.tables import compound, cursor_ahead, device, gate, journal


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """One of the copies, as its events come in."""

    journal_id: str
    address: str
    last_ms: int


class Twins(msgspec.Struct, frozen=True, kw_only=True):
    """Devices that send as one gate, the one heard of last first."""

    compound_id: int
    gate: str
    gate_name: str
    senders: list[Sender]


class Ahead(msgspec.Struct, frozen=True, kw_only=True):
    """A gate that has more of an epoch than the centre. ``proven``: the compound waits for a new epoch."""

    compound_id: int
    gate: str
    gate_name: str
    at_ms: int
    proven: bool


class Alarms(msgspec.Struct, frozen=True):
    """Of some compounds."""

    twins: list[Twins]
    ahead: list[Ahead]

    def of_everybody(self) -> Alarms:
        """Without what only those who see gates are shown."""
        return Alarms([], [one for one in self.ahead if one.proven])

    @property
    def stopped(self) -> list[int]:
        """Compounds in which nothing can be changed."""
        return sorted({one.compound_id for one in self.ahead if one.proven})

    @property
    def claimed(self) -> list[Ahead]:
        """Gates that have no proof, where nobody else has one."""
        return [one for one in self.ahead if one.compound_id not in self.stopped]


def find_alarms(conn: Connection, compound_ids: Sequence[int]) -> Alarms:
    """What is wrong now; it ends with a new identity, or a new epoch."""
    return Alarms(_twins(conn, compound_ids), _ahead(conn, compound_ids))


def _twins(conn: Connection, compound_ids: Sequence[int]) -> list[Twins]:
    """Devices in service of whose journal two branches have grown since one of them last got its own identity."""
    branch, family = journal.alias(), func.coalesce(func.nullif(journal.c.branch_of, ""), journal.c.journal_id)
    branched = (
        select(branch.c.branch_of)
        .where(branch.c.compound_id == journal.c.compound_id, branch.c.device_id == journal.c.device_id,
               branch.c.branch_of == family)
        .exists()
    )  # fmt: skip
    wanted = (
        select(gate.c.compound_id, gate.c.gate_id, gate.c.name, family.label("family"), journal.c.journal_id,
               journal.c.address, journal.c.last_ms)
        .join(device, (device.c.compound_id == journal.c.compound_id) & (device.c.device_id == journal.c.device_id))
        .join(gate, (gate.c.compound_id == device.c.compound_id) & (gate.c.gate_id == device.c.gate_id))
        .where(journal.c.compound_id.in_(compound_ids), device.c.state == "active",
               journal.c.last_ms > device.c.settled_ms, branched)
        .order_by(gate.c.compound_id, gate.c.gate_id, journal.c.last_ms.desc(), journal.c.journal_id)
    )  # fmt: skip
    found: dict[tuple[int, str, str, str], list[Sender]] = defaultdict(list)
    for row in conn.execute(wanted):
        sender = Sender(journal_id=row.journal_id, address=row.address, last_ms=row.last_ms)
        found[row.compound_id, row.gate_id, row.name, row.family].append(sender)
    return [
        Twins(compound_id=compound_id, gate=gate_id, gate_name=name, senders=senders)
        for (compound_id, gate_id, name, _), senders in found.items()
        if len(senders) > 1
    ]


def _ahead(conn: Connection, compound_ids: Sequence[int]) -> list[Ahead]:
    columns = cursor_ahead.c
    wanted = (
        select(columns.compound_id, gate.c.gate_id.label("gate"), gate.c.name.label("gate_name"), columns.at_ms,
               columns.proven)
        .join(device, (device.c.compound_id == columns.compound_id) & (device.c.device_id == columns.device_id))
        .join(gate, (gate.c.compound_id == device.c.compound_id) & (gate.c.gate_id == device.c.gate_id))
        .join(compound, (compound.c.compound_id == columns.compound_id) & (compound.c.epoch == columns.epoch))
        .where(columns.compound_id.in_(compound_ids))
        .order_by(columns.compound_id, columns.at_ms)
    )  # fmt: skip
    return [Ahead(**{**row, "proven": bool(row["proven"])}) for row in conn.execute(wanted).mappings()]
