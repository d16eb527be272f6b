"""The feed: a compound's changes numbered without a gap, and read in pages.

Who follows the numbers sees every row: a transaction takes its revisions from the compound's own row, after all it had
to read and just before it numbers its rows, and that row stays locked until the commit. So a reader who sees revision r
sees everything below r, too. (A serial or a timestamp does not promise that: they are drawn before the commit, and the
later number may be visible first.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, text

from sync.protocol import EPOCH, MAX_PAGE, VERSION, CredentialRow, Page, Signed, sign

_SERIALS = "serial/"


class Unsigned(NamedTuple):
    """A change for the root key to sign once it has its revision."""

    purpose: str
    item: str
    body: bytes
    must: bool = False


NoPage = Literal["start_again", "ahead"]

# What a gate is told of a credential's state: its own end first, then what holds for the whole pass.
_STATE = (
    "CASE WHEN c.state IN ('superseded', 'gone') THEN c.state "
    "WHEN p.state IN ('suspended', 'revoked') THEN p.state ELSE c.state END"
)
_ROWS = (
    "SELECT c.revision, c.scope, c.serial, c.kind, c.medium, c.not_before_step, c.validity_hours, c.random, "  # noqa: S608 (constants)
    f"{_STATE} AS state, coalesce(p.valid_until_ms, 0) AS valid_until_ms, coalesce(p.number, '') AS number, "
    "coalesce(p.label, '') AS label, coalesce(p.dwelling, '') AS dwelling, coalesce(p.plate, '') AS plate, "
    "coalesce(p.short_code, '') AS short_code, coalesce(p.household, 0) AS household, "
    "coalesce(p.attention, false) AS attention, coalesce(p.lanes, '') AS lanes, "
    "coalesce(p.terms, '') AS terms, coalesce(p.look, '') AS look "
    "FROM credential c LEFT JOIN pass p ON p.compound_id = c.compound_id AND p.pass_id = c.pass_id "
    "WHERE c.compound_id = :compound AND c.revision > :after"
)
_SIGNED = (
    "SELECT purpose, item, compound_id, epoch, revision, body, signature, must FROM signed_change "
    "WHERE compound_id = :compound AND revision > :after"
)
# The plus signs keep SQLite from walking a whole compound in key order instead of looking up revision 0.
_NUMBER_ROWS = """
    UPDATE credential SET revision = :base + numbered.place
    FROM (SELECT scope, serial, row_number() OVER (ORDER BY +scope, +serial) AS place
          FROM credential WHERE compound_id = :compound AND revision = 0) AS numbered
    WHERE credential.compound_id = :compound AND credential.scope = numbered.scope
      AND credential.serial = numbered.serial
"""
_PUT_SIGNED = """
    INSERT INTO signed_change (compound_id, purpose, item, epoch, revision, body, signature, must)
    VALUES (:compound, :purpose, :item, :epoch, :revision, :body, :signature, :must)
    ON CONFLICT (compound_id, purpose, item) DO UPDATE
    SET epoch = excluded.epoch, revision = excluded.revision, body = excluded.body, signature = excluded.signature,
        must = excluded.must
"""


def number(conn: Connection, compound_id: int, epoch: str, root_seed: bytes, changes: Sequence[Unsigned]) -> int:
    """Give every credential row at revision 0 and every signed change its revision; the compound's new revision.

    Must be the last thing a writing transaction does.
    """
    rows = conn.execute(
        text("SELECT count(*) FROM credential WHERE compound_id = :compound AND revision = 0"),
        {"compound": compound_id},
    ).scalar_one()
    revision = _take_revisions(conn, compound_id, rows + len(changes))
    base = revision - rows - len(changes)
    if rows:
        conn.execute(text(_NUMBER_ROWS), {"compound": compound_id, "base": base})
    for place, change in enumerate(changes, 1):
        _put_signed(conn, _signed(compound_id, epoch, base + rows + place, root_seed, change))
    return revision


def _take_revisions(conn: Connection, compound_id: int, count: int) -> int:
    taken: int = conn.execute(
        text("UPDATE compound SET revision = revision + :n WHERE compound_id = :compound RETURNING revision"),
        {"n": count, "compound": compound_id},
    ).scalar_one()
    return taken


def _signed(compound_id: int, epoch: str, revision: int, root_seed: bytes, change: Unsigned) -> Signed:
    return sign(root_seed, change.purpose, compound_id, epoch, revision, change.item, change.body, change.must)


def _put_signed(conn: Connection, signed: Signed) -> None:
    values = {
        "compound": signed.compound, "purpose": signed.purpose, "item": signed.item, "epoch": signed.epoch,
        "revision": signed.revision, "body": signed.body, "signature": signed.signature, "must": signed.must,
    }  # fmt: skip
    conn.execute(text(_PUT_SIGNED), values)


def take(conn: Connection, compound_id: int, name: str, count: int) -> int:
    """The first of ``count`` consecutive numbers of a compound's counter, from 1; none is ever given twice."""
    last: int = conn.execute(
        text(
            "INSERT INTO counter (compound_id, name, value) VALUES (:compound, :name, :n) "
            "ON CONFLICT (compound_id, name) DO UPDATE SET value = counter.value + :n RETURNING value"
        ),
        {"compound": compound_id, "name": name, "n": count},
    ).scalar_one()
    return last - count + 1


def read_page(conn: Connection, compound_id: int, epoch: str, after: int, limit: int,
              now_ms: int) -> Page | NoPage | None:  # fmt: skip
    """What follows a cursor: a page of at most ``limit`` (1 … 2000) changes, None when there is nothing newer,
    ``start_again`` when the cursor cannot be continued, or ``ahead`` when it is beyond all that was made in this epoch.
    ``conn`` must be a reading transaction (one moment)."""
    head = conn.execute(
        text("SELECT epoch, revision, pruned_revision FROM compound WHERE compound_id = :compound"),
        {"compound": compound_id},
    ).one()
    if epoch != head.epoch or after < head.pruned_revision:
        return "start_again"
    if after > head.revision:
        return "ahead"
    if after == head.revision:
        return None
    limit = max(1, min(limit, MAX_PAGE))
    rows, signed = _merge(conn, compound_id, after, limit + 1)
    complete = len(rows) + len(signed) <= limit
    if not complete:
        _drop_last(rows, signed)
    revision = head.revision if complete else max([r.revision for r in rows[-1:]] + [s.revision for s in signed[-1:]])
    return Page(
        v=VERSION, compound=compound_id, epoch=epoch, after=after, revision=revision, complete=complete,
        as_of_ms=now_ms, credentials=rows, signed=signed,
        last_serial=last_serials(conn, compound_id) if complete else {},
    )  # fmt: skip


def _merge(conn: Connection, compound_id: int, after: int, limit: int) -> tuple[list[CredentialRow], list[Signed]]:
    """The first ``limit`` changes of both kinds together, each in order of revision."""
    values = {"compound": compound_id, "after": after, "limit": limit}
    rows = [_row(r) for r in conn.execute(text(f"{_ROWS} ORDER BY c.revision LIMIT :limit"), values).mappings()]
    signed = [_change(r) for r in conn.execute(text(f"{_SIGNED} ORDER BY revision LIMIT :limit"), values)]
    while len(rows) + len(signed) > limit:
        _drop_last(rows, signed)
    return rows, signed


def _drop_last(rows: list[CredentialRow], signed: list[Signed]) -> None:
    """Take the change with the highest revision away."""
    if not signed or (rows and rows[-1].revision > signed[-1].revision):
        rows.pop()
    else:
        signed.pop()


def _row(values: Any) -> CredentialRow:
    return CredentialRow(**{**values, "attention": bool(values["attention"])})


def _change(r: Any) -> Signed:
    return Signed(
        purpose=r.purpose, compound=r.compound_id, epoch=r.epoch, revision=r.revision, item=r.item, body=r.body,
        signature=r.signature, must=bool(r.must),
    )  # fmt: skip


def last_serials(conn: Connection, compound_id: int) -> dict[int, int]:
    """Scope → the highest serial ever signed."""
    found = conn.execute(
        text("SELECT name, value FROM counter WHERE compound_id = :compound AND name LIKE 'serial/%'"),
        {"compound": compound_id},
    )
    return {int(name.removeprefix(_SERIALS)): value for name, value in found}


def all_rows(conn: Connection, compound_id: int) -> Any:
    """Every credential but tombstones, streamed, for a snapshot."""
    found = conn.execution_options(yield_per=1000).execute(
        text(f"{_ROWS} AND c.state <> 'gone'"), {"compound": compound_id, "after": 0}
    )
    return (_row(values) for values in found.mappings())


def all_signed(conn: Connection, compound_id: int) -> list[Signed]:
    """Every signed change in force."""
    found = conn.execute(text(f"{_SIGNED} ORDER BY revision"), {"compound": compound_id, "after": 0})
    return [_change(r) for r in found]


def epoch_change(conn: Connection, compound_id: int) -> Signed | None:
    """What the root says of the order of the epoch in force; None before it said anything."""
    wanted = text(f"{_SIGNED} AND purpose = :purpose")
    found = conn.execute(wanted, {"compound": compound_id, "after": 0, "purpose": EPOCH}).first()
    return _change(found) if found else None


def withdrawal(conn: Connection, compound_id: int, device_id: str) -> Signed:
    """The signed order to wipe a device; there must be one."""
    found = conn.execute(
        text(f"{_SIGNED} AND purpose = 'withdrawal' AND item = :device"),
        {"compound": compound_id, "after": 0, "device": device_id},
    )
    return _change(found.one())


def prune(conn: Connection, compound_id: int, before_ms: int) -> int:
    """Drop the tombstones put up before a time; cursors below the highest of them are told to start again."""
    values = {"compound": compound_id, "before": before_ms}
    dropped = conn.execute(
        text(
            "DELETE FROM credential WHERE compound_id = :compound AND state = 'gone' AND changed_ms < :before "
            "RETURNING revision"
        ),
        values,
    ).scalars()
    revisions = list(dropped)
    if revisions:
        conn.execute(
            text(
                "UPDATE compound SET pruned_revision = :highest "
                "WHERE compound_id = :compound AND pruned_revision < :highest"
            ),
            {"compound": compound_id, "highest": max(revisions)},
        )
    return len(revisions)
