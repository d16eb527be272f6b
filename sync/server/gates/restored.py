"""A centre that was restored from a backup without telling: a gate has more of an epoch than the centre ever made.

The gate's cursor says so, and what the root key signed proves it: a statement under this epoch with a higher revision
can only come from the centre that was lost. Once the restored centre has given the same revisions again, the life does
it: every program that numbers changes draws one, and how far each came is kept. A backup older than the last
``begin_epoch`` does not know the gate's epoch at all: the order that the root signed for it does it then.

A proof stops all writing for the compound, since revisions and serials would be given twice, until ``begin_epoch``. A
cursor alone is a claim that a hostile gate could invent. It stops nothing, but it is shown, and that gate is told to
wait.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, insert, select, update

from sync.protocol import CHANGE_KINDS, HEAD, HeadBody, Signed, order_of
from sync.server.centre import tables
from sync.server.centre.places import Compound, get_compound
from sync.server.centre.writing import Centre, Writing
from sync.server.gates.fleet import Device

_PROVES = (CHANGE_KINDS - {"withdrawal"}) | {"snapshot", HEAD}
"""Purposes whose revision is the centre's own. An order to wipe may be signed under the revision a gate asks with."""
_columns = tables.cursor_ahead.c


def claim(centre: Centre, device: Device, epoch: str, revision: int) -> None:
    """Keep that a device says it has more than there is; once it is proven there is nothing to add. Idempotent."""
    with centre.store.read() as conn:
        if get_compound(conn, device.compound).restored_ms or is_waiting(conn, device, epoch, revision):
            return
    with centre.store.write() as conn:
        _put(conn, device, epoch, revision, centre.now_ms(), proven=False)


def is_waiting(conn: Connection, device: Device, epoch: str, revision: int) -> bool:
    """Whether this device came with this cursor when it was ahead. It waits for a new epoch even where the centre has
    written on past that revision since: what it would be sent is not all that it lacks."""
    mine = (_columns.compound_id == device.compound, _columns.device_id == device.device)
    wanted = select(_columns.at_ms).where(*mine, _columns.epoch == epoch, _columns.revision == revision)
    return conn.execute(wanted).first() is not None


def prove(centre: Centre, device: Device, statement: Signed) -> bool:
    """Stop writing for the compound, where the statement proves that a backup was restored; whether it does."""
    with centre.store.write() as conn:
        compound = get_compound(conn, device.compound, alone=True)
        ahead = _is_ahead(conn, compound, statement)
        ours = statement.compound == compound.compound_id and statement.purpose in _PROVES
        if not (ahead and ours and statement.is_by(compound.root_public)):
            return False
        order = order_of(statement) if statement.epoch != compound.epoch else 0
        _put(conn, device, compound.epoch, statement.revision, centre.now_ms(), proven=True, order=order)
        if not compound.restored_ms:
            mine = tables.compound.c.compound_id == device.compound
            conn.execute(update(tables.compound).where(mine).values(restored_ms=centre.now_ms()))
            writing = Writing(conn, compound, centre.now_ms(), device.device)
            writing.audit("found-restored", f"{device.gate} {compound.revision} < {statement.revision}")
    return True


def _is_ahead(conn: Connection, compound: Compound, statement: Signed) -> bool:
    """Whether a centre that knew all this centre does not said it: of this epoch, or of one not begun here."""
    if statement.epoch == compound.epoch:
        return is_lost(conn, compound, _life(statement), statement.revision)
    return order_of(statement) >= max(1, compound.epoch_order)


def is_lost(conn: Connection, compound: Compound, life: str | None, revision: int) -> bool:
    """Whether this centre never gave such a revision; ``life`` None: whichever it was."""
    if life is None or life == compound.life:
        return revision > compound.revision
    columns = tables.past_life.c
    mine = (columns.compound_id == compound.compound_id, columns.life == life)
    ends = conn.execute(select(columns.ends).where(*mine)).scalar()
    return ends is None or revision > ends


def _life(statement: Signed) -> str | None:
    try:
        return msgspec.json.decode(statement.body, type=HeadBody).life
    except msgspec.MsgspecError:
        return None


def _put(
    conn: Connection, device: Device, epoch: str, revision: int, now_ms: int, proven: bool, order: int = 0
) -> None:
    """One row a device: what it came with last."""
    mine = (_columns.compound_id == device.compound, _columns.device_id == device.device)
    behind = get_compound(conn, device.compound).revision
    values = {"epoch": epoch, "revision": revision, "behind": behind, "at_ms": now_ms, "proven": proven,
              "epoch_order": order}  # fmt: skip
    if not conn.execute(update(tables.cursor_ahead).where(*mine).values(**values)).rowcount:
        conn.execute(insert(tables.cursor_ahead).values(compound_id=device.compound, device_id=device.device, **values))
