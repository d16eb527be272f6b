"""Which copy of a device a batch of events comes from. Pure.

A card that was imaged makes two devices of one: both go on under one journal from the same events. Each goes its own
way, which is a branch here, told by its chain. Nobody sends a mark of the copy: an older gate could not, and a copied
one would send the same. So a batch belongs where its chain passes a branch's end. Where it passes none, the gate is
asked to go back, until what it sends again can be compared with what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sync.protocol import CHAIN_START, EventUpload, chain


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """What the centre has of one copy's events. Those before ``begins`` are in the other branches."""

    name: str
    begins: int = 1
    acked: int = 0
    chain: bytes = CHAIN_START
    breaks: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive events from ``first`` on; ``chains`` are those before the first and after each."""

    first: int
    texts: Sequence[str]
    chains: Sequence[bytes]
    hole: bool
    """The gate keeps nothing before ``first``."""

    @property
    def last(self) -> int:
        return self.first + len(self.texts) - 1

    def passes(self, branch: Branch) -> bool:
        """Whether the chain comes by where the branch ends."""
        at = branch.acked - self.first + 1
        return 0 <= at < len(self.chains) and self.chains[at] == branch.chain


class GoesOn(msgspec.Struct, frozen=True):
    """The batch goes on with a branch; ``broken``: its events do, but not its chain. ``over_hole``: it begins beyond
    the branch's end, and nobody has what lies between."""

    branch: Branch
    broken: bool = False
    over_hole: bool = False


class BranchesOff(msgspec.Struct, frozen=True):
    """From this seq on the events are another copy's: a branch of their own."""

    begins: int


class GoesBack(msgspec.Struct, frozen=True):
    """Nothing is kept: the gate goes on from here. It never says more than what was compared."""

    acked: int


Placed = GoesOn | BranchesOff | GoesBack


def read_batch(upload: EventUpload, most: int) -> Batch:
    """At most so many events of an upload, with their chains."""
    texts, chains = upload.events[:most], [upload.before]
    for text in texts:
        chains.append(chain(chains[-1], text))
    return Batch(first=upload.first_seq, texts=texts, chains=chains, hole=upload.hole)


def go_on(branches: Sequence[Branch], batch: Batch) -> GoesOn | None:
    """The branch whose end the batch's chain comes by: all before is the same then. At most one does."""
    return next((GoesOn(branch) for branch in branches if batch.passes(branch)), None)


def place(branches: Sequence[Branch], batch: Batch, kept: Mapping[int, Mapping[str, str]]) -> Placed:
    """Where a batch belongs whose chain comes by no branch's end. ``kept`` are the events the centre has of these seqs,
    by branch, and of the one before; one that it cannot compare differs from none. The first branch is the journal
    itself."""
    if not batch.texts:
        return GoesBack(_answer(branches, batch))
    differ = []
    for branch in (branch for branch in branches if batch.first <= branch.acked):
        until = min(batch.last, branch.acked)
        at = next((seq for seq in range(batch.first, until + 1) if _differs(branch, batch, seq, kept)), None)
        if at is None:
            return GoesBack(batch.last) if batch.last <= branch.acked else GoesOn(branch, broken=True)
        differ.append(at)
    if differ and (max(differ) > batch.first or batch.first == 1):
        return BranchesOff(max(differ))
    cut = next((b for b in branches if b.acked == batch.first - 1 and b.name not in kept.get(b.acked, {})), None)
    if cut is not None:
        return GoesOn(cut, broken=True)  # nothing is left that going back would compare
    return _begins_beyond(branches, batch, bool(differ)) if batch.hole else _back(branches, batch)


def _differs(branch: Branch, batch: Batch, seq: int, kept: Mapping[int, Mapping[str, str]]) -> bool:
    """Before a branch's own events those of any other will do: they were one device then."""
    known = kept.get(seq, {})
    sent = batch.texts[seq - batch.first]
    if seq >= branch.begins:
        return known.get(branch.name, sent) != sent
    return bool(known) and sent not in known.values()


def _answer(branches: Sequence[Branch], batch: Batch) -> int:
    """How far the centre is with who asks, as far as that can be said of a chain it does not know: a copy that has
    more than is here goes on from there, any other sends its last event again, to be compared."""
    if batch.first == 1:
        return branches[0].acked
    beyond = [branch.acked for branch in branches if branch.acked < batch.first - 1]
    return max(beyond) if len(beyond) == len(branches) else batch.first - 2


def _back(branches: Sequence[Branch], batch: Batch) -> Placed:
    """Less than what the gate said last, so that it comes to an end; half a batch, so that what it sends next reaches
    over the place where this one began."""
    beyond = [branch.acked for branch in branches if branch.acked < batch.first - 1]
    if beyond:
        return GoesBack(max(beyond))
    return GoesBack(max(0, batch.first - 1 - max(1, len(batch.texts) // 2)))


def _begins_beyond(branches: Sequence[Branch], batch: Batch, differs: bool) -> Placed:
    """The gate has nothing older to compare."""
    if len(branches) == 1 and not differs and branches[0].acked < batch.first - 1:
        return GoesOn(branches[0], over_hole=True)
    return BranchesOff(batch.first)
