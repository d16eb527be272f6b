"""What a run of faults came to."""

from __future__ import annotations

import msgspec


class Tally(msgspec.Struct, frozen=True):
    """``tried`` faults, of which so many ``held``; ``notes`` say what did not."""

    name: str
    tried: int
    held: int
    notes: tuple[str, ...] = ()
