"""One centre, put together: store, vault, clock, wake-ups, and the writing transaction all changes go through."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import Connection, insert, update

from sync.protocol import EPOCH, EpochBody
from sync.server.centre import feed, tables
from sync.server.centre.errors import Stopped
from sync.server.centre.places import Compound, get_compound
from sync.server.centre.settings import Settings
from sync.server.centre.store import Store
from sync.server.centre.vault import Vault
from sync.server.centre.wake import Wakes

_LIFE_BYTES = 8
FIRST_ORDER = 1
"""Of a compound's first epoch, and of one that began before epochs had an order: never by the clock, or a backup of
that time, put back, would come after the epoch it was lost in."""


class Writing:
    """One transaction that changes one compound. Rows of ``credential`` set to revision 0 and signed changes are
    numbered, in one go, when the block ends; all of it commits together or not at all."""

    def __init__(self, conn: Connection, compound: Compound, now_ms: int, by: str):
        self.conn = conn
        self.compound = compound
        self.compound_id = compound.compound_id
        self.now_ms = now_ms
        self.by = by
        self._unsigned: list[feed.Unsigned] = []
        self._touched = False

    @property
    def numbers(self) -> bool:
        """Whether something of the feed changes."""
        return self._touched or bool(self._unsigned)

    def begin_life(self) -> None:
        """Note that another program than before numbers the changes from here on."""
        life, mine = secrets.token_hex(_LIFE_BYTES), tables.compound.c.compound_id == self.compound_id
        ended = {"compound_id": self.compound_id, "life": self.compound.life, "ends": self.compound.revision}
        self.conn.execute(insert(tables.past_life).values(ended))
        self.conn.execute(update(tables.compound).where(mine).values(life=life))

    def sign(self, purpose: str, item: str, body: msgspec.Struct, must: bool = False) -> None:
        """Publish a change under the root key when the block ends."""
        self._unsigned.append(feed.Unsigned(purpose, item, msgspec.json.encode(body), must))

    def touch(self) -> None:
        """Say that credential rows were set to revision 0."""
        self._touched = True

    def begin_epoch(self, epoch: str, order: int) -> None:
        """Go on under another epoch: every signed change in force is signed again."""
        self.compound = msgspec.structs.replace(self.compound, epoch=epoch)
        in_force = (s for s in feed.all_signed(self.conn, self.compound_id) if s.purpose != EPOCH)
        self._unsigned = [feed.Unsigned(s.purpose, s.item, s.body, s.must) for s in in_force]
        self.order_epoch(order)
        self._touched = True

    def order_epoch(self, order: int) -> None:
        """Say which place the epoch has: gates that hear it go back to none before it."""
        mine = tables.compound.c.compound_id == self.compound_id
        self.conn.execute(update(tables.compound).where(mine).values(epoch=self.compound.epoch, epoch_order=order))
        self.compound = msgspec.structs.replace(self.compound, epoch_order=order)
        self.sign(EPOCH, EPOCH, EpochBody(order))

    def audit(self, what: str, about: str, household: int = 0, why: str = "") -> None:
        """Record who did what about which object, and whose record that is; never a secret."""
        row = {
            "compound_id": self.compound_id, "audit_id": secrets.token_hex(8), "at_ms": self.now_ms, "by": self.by,
            "what": what, "about": about, "household": household, "why": why,
        }  # fmt: skip
        self.conn.execute(insert(tables.audit).values(row))

    def publish(self, vault: Vault) -> int | None:
        """Number and sign everything; the compound's new revision, None where nothing of the feed changed."""
        if not self.numbers:
            return None
        seed = vault.unseal(self.compound.sealed_root_seed)
        return feed.number(self.conn, self.compound_id, self.compound.epoch, seed, self._unsigned)


class Centre:
    """Everything the pages, the API and the commands share. Thread-safe; ``close`` it."""

    def __init__(self, settings: Settings, store: Store, vault: Vault):
        self.settings = settings
        self.store = store
        self.vault = vault
        self.wakes = Wakes()
        self._living: set[int] = set()
        self.listeners: list[Callable[[int], None]] = []
        """Called after a commit that changed what gates of a compound know."""

    def now_ms(self) -> int:
        return self.settings.clock()

    @contextmanager
    def writing(self, compound_id: int, by: str, even_stopped: bool = False) -> Iterator[Writing]:
        """The one way to change a compound. Gates are woken after the commit. Raises NoSuchThing, and Stopped while the
        compound waits for a new epoch. ``even_stopped``: for what gives no number away and reaches no gate."""
        with self.store.write() as conn:
            compound = get_compound(conn, compound_id, alone=True)
            if compound.restored_ms and not even_stopped:
                raise Stopped
            writing = Writing(conn, compound, self.now_ms(), by)
            yield writing
            if writing.numbers and compound_id not in self._living:
                writing.begin_life()
            if writing.numbers and not writing.compound.epoch_order:
                writing.order_epoch(FIRST_ORDER)
            revision = writing.publish(self.vault)
        if revision is not None:
            self._living.add(compound_id)
            self.wakes.tell(compound_id, revision)
            for heard in self.listeners:
                heard(compound_id)

    def close(self) -> None:
        """Idempotent. Ends every open wake-up stream."""
        self.wakes.close()
        self.store.close()


def next_number(conn: Connection, compound_id: int, name: str, count: int = 1) -> int:
    """The first of ``count`` consecutive numbers of a counter, from 1; none is ever given twice."""
    return feed.take(conn, compound_id, name, count)
