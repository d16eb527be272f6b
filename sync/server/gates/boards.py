"""How the gates' devices themselves are: supply, heat and memory, by what they told last."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import select

from sync.protocol import Event
from sync.server.centre.tables import device, event
from sync.server.centre.writing import Centre
from sync.server.gates.events import read_event

STANDS_MS = 2 * 24 * 3_600_000
"""A gate tells again each day of a fault that stands (PROTOCOL §8); what it told longer ago than this is over."""


def find_board_faults(centre: Centre, compound_id: int) -> dict[str, list[str]]:
    """device → the faults that stand, as codes that a newer gate may have more of; a device without any is left out."""
    in_service = select(device.c.device_id).where(device.c.compound_id == compound_id, device.c.state == "active")
    wanted = (
        select(event.c.device_id, event.c.event)
        .where(event.c.compound_id == compound_id, event.c.device_id.in_(in_service), event.c.kind == "board_fault",
               event.c.at_ms > centre.now_ms() - STANDS_MS)
        .order_by(event.c.at_ms, event.c.seq)
    )  # fmt: skip
    last: dict[str, dict[str, str]] = defaultdict(dict)
    with centre.store.read() as conn:
        for row in conn.execute(wanted):
            told = read_event(row.event)
            if isinstance(told, Event):
                last[row.device_id][told.why] = told.outcome
    stand = {name: sorted(why for why, outcome in told.items() if outcome == "on") for name, told in last.items()}
    return {name: faults for name, faults in stand.items() if faults}
