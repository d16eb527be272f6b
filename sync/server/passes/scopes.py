"""Wider scopes: passes that are good in several compounds, for officials, couriers, staff of a community.

A wider scope is kept like a compound without gates: keys, numbers, passes and a feed of its own. A compound that
accepts it follows that feed as a gate would, from a cursor kept beside the copies: it publishes the scope's key under
its own root and mirrors each card among its own rows. Both sides of a copy are transactions of their own; what was cut
off between them goes on at the next look, so none needs two compounds at once. Phone credentials stay at home: their
code key is the scope's own secret.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from sync.protocol import MAX_PAGE, VERSION, CredentialRow, KeyBody, Page
from sync.server.centre import feed, tables
from sync.server.centre.errors import Stopped
from sync.server.centre.places import Compound, all_compounds, all_places, get_compound
from sync.server.centre.writing import Centre, Writing, next_number
from sync.server.passes.compounds import read_rules

_log = logging.getLogger(__name__)
_BY = "scope"


def follow_all(centre: Centre) -> None:
    """Bring every compound up to date with every wider scope it accepts. Idempotent."""
    with centre.store.read() as conn:
        wide = [place.compound_id for place in all_places(conn) if place.wide]
    for scope in wide:
        follow(centre, scope)


def heed(centre: Centre, changed: int) -> None:
    """``follow`` as a listener of commits: what cannot be copied now is copied at the next look."""
    try:
        follow(centre, changed)
    except SQLAlchemyError as err:
        _log.warning("scopes=behind compound=%d why=%s", changed, type(err).__name__)


def follow(centre: Centre, changed: int) -> None:
    """After a change of ``changed``: a wider scope goes out to all that accept it, a compound takes what it accepts."""
    with centre.store.read() as conn:
        pairs = _pairs(conn, get_compound(conn, changed))
    for scope, compound_id in pairs:
        with suppress(Stopped):  # it goes on when the compound's new epoch has begun
            while _follow_page(centre, scope, compound_id):
                pass


def _pairs(conn: Connection, changed: Compound) -> list[tuple[int, int]]:
    """(scope, compound) that may have something to copy."""
    if changed.wide:
        accepting = [c.compound_id for c in all_compounds(conn) if changed.compound_id in read_rules(c).accepts]
        return [(changed.compound_id, compound_id) for compound_id in accepting]
    accepted = read_rules(changed).accepts
    return [(p.compound_id, changed.compound_id) for p in all_places(conn) if p.wide and p.compound_id in accepted]


def _follow_page(centre: Centre, scope: int, compound_id: int) -> bool:
    """Copy a page of a scope's feed; whether there was anything."""
    with centre.store.read() as conn:
        home = get_compound(conn, scope)
        page = feed.read_page(conn, scope, home.epoch, _cursor(conn, compound_id, home), MAX_PAGE, centre.now_ms())
        whole = page in ("start_again", "ahead")
        if isinstance(page, str):
            page = _everything(conn, home)
        keys = (
            conn.execute(select(tables.signing_key).where(tables.signing_key.c.compound_id == scope)).mappings().all()
        )
    if page is None:
        return False
    with centre.writing(compound_id, _BY) as writing:
        _publish_keys(writing, keys)
        if whole:
            _forget(writing, scope, {row.serial for row in page.credentials})
        for row in page.credentials:
            _mirror(writing, row)
        for counted, serial in page.last_serial.items():
            _raise_counter(writing, f"serial/{counted}", serial)
        _raise_counter(writing, _cursor_name(home), page.revision)
    return True


def _everything(conn: Connection, home: Compound) -> Page:
    """All rows as one page, for a cursor that cannot be continued: a restored scope, or tombstones not kept."""
    return Page(
        v=VERSION, compound=home.compound_id, epoch=home.epoch, after=0, revision=home.revision, complete=True,
        credentials=list(feed.all_rows(conn, home.compound_id)), last_serial=feed.last_serials(conn, home.compound_id),
    )  # fmt: skip


def _forget(writing: Writing, scope: int, kept: Container[int]) -> None:
    """Put up tombstones for copies of what is no longer there."""
    columns = tables.credential.c
    mine = (columns.compound_id == writing.compound_id, columns.scope == scope)
    known = writing.conn.execute(select(columns.serial).where(*mine, columns.state != "gone")).scalars().all()
    tombstone = {"state": "gone", "pass_id": None, "revision": 0, "changed_ms": writing.now_ms}
    for serial in known:
        if serial not in kept:
            writing.conn.execute(update(tables.credential).where(*mine, columns.serial == serial).values(**tombstone))
    writing.touch()


def _cursor_name(home: Compound) -> str:
    return f"follows/{home.compound_id}/{home.epoch}"


def _cursor(conn: Connection, compound_id: int, home: Compound) -> int:
    columns = tables.counter.c
    wanted = select(columns.value).where(columns.compound_id == compound_id, columns.name == _cursor_name(home))
    return conn.execute(wanted).scalar() or 0


def _raise_counter(writing: Writing, name: str, value: int) -> None:
    columns = tables.counter.c
    mine = (columns.compound_id == writing.compound_id, columns.name == name)
    if writing.conn.execute(select(columns.value).where(*mine)).first() is None:
        writing.conn.execute(insert(tables.counter).values(compound_id=writing.compound_id, name=name, value=value))
    else:
        writing.conn.execute(update(tables.counter).where(*mine, columns.value < value).values(value=value))


def _publish_keys(writing: Writing, keys: Sequence[Any]) -> None:
    """Every key of the scope that this compound's gates have not been told of."""
    signed = tables.signed_change.c
    for key in keys:
        item = f"{key['scope']}/{key['key_id']}"
        told = (signed.compound_id == writing.compound_id, signed.purpose == "key", signed.item == item)
        if writing.conn.execute(select(signed.item).where(*told)).first() is None:
            writing.sign("key", item, KeyBody(key["scope"], key["key_id"], key["public"]))


def _mirror(writing: Writing, row: CredentialRow) -> None:
    """A card of the scope, and its pass, among this compound's own rows. What is gone at home goes here, too."""
    if row.medium != "card":
        return
    credential = tables.credential.c
    mine = (credential.compound_id == writing.compound_id, credential.scope == row.scope,
            credential.serial == row.serial)  # fmt: skip
    pass_id = None if row.state == "gone" else _mirror_pass(writing, row)
    state = row.state if row.state in ("printed", "active", "superseded", "gone") else "active"
    changed = {"pass_id": pass_id, "state": state, "revision": 0, "changed_ms": writing.now_ms}
    if not writing.conn.execute(update(tables.credential).where(*mine).values(**changed)).rowcount:
        same = ("scope", "serial", "medium", "kind", "not_before_step", "validity_hours", "random")
        fields = {name: getattr(row, name) for name in same}
        writing.conn.execute(insert(tables.credential).values(
            compound_id=writing.compound_id, key_id=0, **fields, **changed))  # fmt: skip
    writing.touch()


def _mirror_pass(writing: Writing, row: CredentialRow) -> int:
    columns = tables.pass_.c
    mine = (columns.compound_id == writing.compound_id, columns.number == row.number)
    same = ("kind", "valid_until_ms", "label", "dwelling", "plate", "attention", "lanes", "terms", "look")
    values: dict[str, Any] = {name: getattr(row, name) for name in same}
    if row.state != "superseded":  # the card in force says how the pass is
        values["state"] = row.state
    known = writing.conn.execute(select(columns.pass_id).where(*mine)).scalar()
    if known is not None:
        writing.conn.execute(update(tables.pass_).where(*mine).values(**values))
        return int(known)
    pass_id = next_number(writing.conn, writing.compound_id, "pass")
    writing.conn.execute(insert(tables.pass_).values(
        compound_id=writing.compound_id, pass_id=pass_id, number=row.number, home=row.scope, valid_from_ms=0,
        short_code=_short_code(writing, row), created_ms=writing.now_ms, **({"state": "active"} | values)))  # fmt: skip
    return pass_id


def _short_code(writing: Writing, row: CredentialRow) -> str:
    """The card's own, unless a pass of this compound happens to have it: then its number."""
    columns = tables.pass_.c
    taken = select(columns.pass_id).where(
        columns.compound_id == writing.compound_id, columns.short_code == row.short_code
    )
    return row.number if writing.conn.execute(taken).first() else row.short_code
