"""The run that deletes what is due, and the certificate of what it deleted.

**Deleted means gone from the file.** Rows are deleted or emptied, and since SQLite runs with ``secure_delete`` (see
store.py) what they held is overwritten with zeros; after a run the write-ahead log is emptied and prepared lists for
gates are removed. Passes become tombstones that take them off every gate's list. What a run cannot reach are backups
made before it: their keeper has to throw them away. On PostgreSQL the space of deleted rows is overwritten by its
own VACUUM, some time later.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from sync.server.centre import tables
from sync.server.centre.errors import NoSuchThing, Stopped
from sync.server.centre.places import all_places, get_compound
from sync.server.centre.writing import Centre, Writing
from sync.server.gates import snapshot
from sync.server.people.keeping.deleting import Counts
from sync.server.people.keeping.retention import ALL_KINDS, DAY_MS, keys_due, read_periods

BATCH = 5000
"""Rows of one transaction; a household with all that hangs on it counts as ten."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What one run deleted in one compound. ``digest`` is SHA-256 over the other fields, as JSON with sorted keys."""

    compound_id: int
    erasure_id: str
    at_ms: int
    by: str
    counts: Mapping[str, int]
    digest: str = ""


def erase(centre: Centre, compound_id: int, by: str, most: int = BATCH) -> Certificate | None:
    """Delete what is due in a compound: one transaction for each ``most`` rows, the certificate growing in the same
    transactions, so that it is true whenever a run is cut short. None where nothing was due. Raises NoSuchThing."""
    certificate = None
    while True:
        with centre.writing(compound_id, by) as writing:
            counts = _erase_some(writing, most)
            if not counts:
                break
            certificate = _certify(writing, certificate, counts)
    if certificate is not None:
        snapshot.forget(centre.settings.state, compound_id)
        centre.store.scrub()
    return certificate


def _erase_some(writing: Writing, most: int) -> Counts:
    periods, counts = read_periods(writing.conn), Counter[str]()
    for kind in ALL_KINDS:
        wanted = -(-most // kind.weight)
        if found := keys_due(writing.conn, kind, writing.compound, periods, writing.now_ms, wanted):
            counts.update(kind.act(writing, found))
            most -= len(found) * kind.weight
    return +counts


def _certify(writing: Writing, before: Certificate | None, counts: Counts) -> Certificate:
    erasure_id = before.erasure_id if before else secrets.token_hex(8)
    total = Counter(before.counts if before else {}) + Counter(counts)
    made = Certificate(
        compound_id=writing.compound_id, erasure_id=erasure_id, at_ms=writing.now_ms, by=writing.by,
        counts=dict(sorted(total.items())),
    )  # fmt: skip
    made = msgspec.structs.replace(made, digest=digest_of(made))
    values = {"at_ms": made.at_ms, "counts": msgspec.json.encode(made.counts).decode(), "digest": made.digest}
    columns = tables.erasure.c
    if before is None:
        key = {"compound_id": made.compound_id, "erasure_id": erasure_id, "by": made.by}
        writing.conn.execute(insert(tables.erasure).values(key | values))
        writing.audit("erase", erasure_id)
    else:
        mine = (columns.compound_id == made.compound_id, columns.erasure_id == erasure_id)
        writing.conn.execute(update(tables.erasure).where(*mine).values(values))
    return made


def content_of(certificate: Certificate) -> str:
    """What the digest is of: anybody can take it again with ``sha256sum``."""
    content = {name: value for name, value in msgspec.structs.asdict(certificate).items() if name != "digest"}
    return msgspec.json.encode(content, order="sorted").decode()


def digest_of(certificate: Certificate) -> str:
    return hashlib.sha256(content_of(certificate).encode()).hexdigest()


def erase_town(centre: Centre) -> int:
    """The record of what was done to the whole town, as old as any record may be; how many entries went."""
    with centre.store.write() as conn:
        before_ms = centre.now_ms() - read_periods(conn).days["audit"] * DAY_MS
        return conn.execute(delete(tables.town_audit).where(tables.town_audit.c.at_ms <= before_ms)).rowcount


def erase_all(centre: Centre, by: str, compound_ids: Sequence[int] = ()) -> list[Certificate]:
    """The whole run: these compounds, or all of them with the wider scopes, and the town's own record. Those that wait
    for a new epoch are left for the next run; raises Stopped where there are no others."""
    with centre.store.read() as conn:
        asked = [get_compound(conn, one) for one in compound_ids] or all_places(conn)
    wanted = [compound for compound in asked if not compound.restored_ms]
    if asked and not wanted:
        raise Stopped
    made = [erase(centre, compound.compound_id, by) for compound in wanted]
    erase_town(centre)
    return [certificate for certificate in made if certificate is not None]


# What was deleted


def list_certificates(conn: Connection, compound_ids: Sequence[int], most: int = 100) -> list[Certificate]:
    """Of these compounds, the newest first."""
    columns = tables.erasure.c
    wanted = select(tables.erasure).where(columns.compound_id.in_(compound_ids))
    order = (columns.at_ms.desc(), columns.compound_id, columns.erasure_id)
    return [_read(row) for row in conn.execute(wanted.order_by(*order).limit(most)).mappings()]


def get_certificate(conn: Connection, compound_id: int, erasure_id: str) -> Certificate:
    """Raises NoSuchThing."""
    columns = tables.erasure.c
    mine = (columns.compound_id == compound_id, columns.erasure_id == erasure_id)
    row = conn.execute(select(tables.erasure).where(*mine)).mappings().first()
    if row is None:
        raise NoSuchThing(en="There is no such certificate.")
    return _read(row)


def _read(row: Any) -> Certificate:
    return Certificate(**{**row, "counts": msgspec.json.decode(row["counts"], type=dict[str, int])})
